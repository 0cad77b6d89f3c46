//! Undo and redo from the journal, and what later edits keep.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use fs_err as fs;
use proptest::prelude::*;
use ralph_queue::copies::{Copy, Plan};
use ralph_queue::delta::Fate;
use ralph_queue::edit::{End, Restart};
use ralph_queue::journal::{Direction, EditState, Operation, Origin, UndoError, Which, in_the_way};
use ralph_queue::tidy::Prune;
use ralph_queue::{
    Edit, EditError, Finish, IdRules, LoadError, Place, Position, Queue, QueueFiles, RequestName,
    Status, Task, Terms, UpdateError, WrongValues,
};

use ralph_state::file::FileLock;
use ralph_state::{Clock as _, FixedClock, TaskId};

use super::clock;
use super::files::files;

/// Comments everywhere, two tasks, one of them on a line.
const QUEUE: &str = "// ours\n{\n  \"version\": 1,\n  \"tasks\": [\n    // first\n    { \"id\": \"RQ-0001\", \"title\": \"één\", /* in it */ \"created_at\": \"2026-01-01T00:00:00Z\", \"updated_at\": \"2026-01-01T00:00:00Z\" }, // behind\n\n    // A section.\n\n    {\n      \"id\": \"RQ-0002\",\n      \"title\": \"two\", // why\n      \"notes\": [\"a\" /* b */],\n      \"created_at\": \"2026-01-01T00:00:00Z\",\n      \"updated_at\": \"2026-01-01T00:00:00Z\",\n    },\n  ],\n}\n// end\n";

fn journaled(root: &Path) -> QueueFiles {
    let mut files = files(root);
    files.journal = Some(root.join("cache/queue-journal.jsonl"));
    files
}

fn texts(files: &QueueFiles) -> (String, String) {
    (fs::read_to_string(&files.queue).unwrap(), fs::read_to_string(&files.done).unwrap_or_default())
}

fn undo(files: &QueueFiles, direction: Direction) -> Result<u64, UpdateError<UndoError>> {
    take_back(files, Which { direction, id: None, force: false })
}

fn undo_one(files: &QueueFiles, id: u64) -> Result<u64, UpdateError<UndoError>> {
    take_back(files, Which { direction: Direction::Undo, id: Some(id), force: false })
}

fn take_back(files: &QueueFiles, which: Which) -> Result<u64, UpdateError<UndoError>> {
    files.undo(&clock(), which, &Terms::default(), |_, _, _| Ok(())).map(|edited| edited.value)
}

/// Does the `kind`th thing to the task that `which` falls on, if that is possible.
fn change(edit: &mut Edit<'_>, kind: u8, which: usize) -> Result<(), EditError> {
    let count = edit.queue().len();
    let id = match count {
        0 => String::new(),
        _ => edit.queue().task(which % count).id.to_string(),
    };
    let changed = match kind {
        0 => {
            let new = edit.next_id(&IdRules::default())?;
            let title = format!("new {which}");
            let position = if which.is_multiple_of(2) { Position::Front } else { Position::Back };
            edit.add(Task::new(new, title), &position)
        }
        1 => edit.start(&id, Restart::Reset).map(drop),
        2 => edit.finish(&id, End::Done, Finish::Archive, Some("it is")).map(drop),
        3 => edit.modify(&id, |task| task.notes.push(format!("note {which} ü"))).map(drop),
        4 => edit.set_status(&id, Status::Rejected, None).map(drop),
        5 => {
            edit.archive();
            Ok(())
        }
        6 => edit.set_field(&id, "tags", "a, b").map(drop),
        7 => edit.delete(&[id]),
        8 => edit.clone_task(&id, &IdRules::default(), &Copy::default()).map(drop),
        9 => edit.split(&id, &IdRules::default(), 2, &Copy::default(), Plan::Drop).map(drop),
        10 => {
            edit.prune(&Prune { keep_last: which % 2, ..Prune::default() });
            Ok(())
        }
        11 => edit.finish(&id, End::Rejected, Finish::Archive, None).map(drop),
        12 => edit.set_status(&id, Status::Todo, None).map(drop),
        13 => edit.set_field(&id, "title", &format!("title {which}")).map(drop),
        // Several at once.
        14 => {
            (0..3).try_for_each(|next| change(edit, [11, 6, 7][(which + next) % 3], which + next))
        }
        _ if count > 1 => {
            let [queue, _] = edit.drafts_mut();
            queue.shift(which % count, 0);
            Ok(())
        }
        _ => Ok(()),
    };
    // What cannot be done is not what is tested here.
    changed.or(Ok(()))
}

/// The ways in which files are written that people have.
const LAYOUTS: [fn(&str) -> String; 6] = [
    str::to_owned,
    |text| text.replace('\n', "\r\n"),
    |text| format!("\u{feff}{}", text.replace("  ", "\t")),
    |text| text.trim_end().to_owned(),
    |text| text.replace(",\n    },\n  ],", "\n    }\n  ]"),
    |_| COMPACT.to_owned(),
];

const COMPACT: &str = r#"{"version":1,"tasks":[{"id":"RQ-0001","title":"a","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"},{"id":"RQ-0002","title":"b","x":[1],"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}]}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn undo_and_redo_are_the_identity(
        layout in prop::sample::select(&LAYOUTS[..]),
        steps in proptest::collection::vec((0_u8..16, 0_usize..9), 1..9),
    ) {
        let root = tempfile::tempdir().unwrap();
        let files = journaled(root.path());
        fs::write(&files.queue, layout(QUEUE)).unwrap();
        fs::write(&files.done, "{\"version\":1,\"tasks\":[]} // done\n").unwrap();
        let mut states = vec![texts(&files)];
        for (kind, which) in steps {
            files.edit(&clock(), |edit| change(edit, kind, which)).unwrap();
            if *states.last().unwrap() != texts(&files) {
                states.push(texts(&files));
            }
        }
        for state in states.iter().rev().skip(1) {
            undo(&files, Direction::Undo).unwrap();
            prop_assert_eq!(&texts(&files), state);
        }
        prop_assert!(undo(&files, Direction::Undo).is_err());
        for state in states.iter().skip(1) {
            undo(&files, Direction::Redo).unwrap();
            prop_assert_eq!(&texts(&files), state);
        }
        prop_assert!(undo(&files, Direction::Redo).is_err());
        for state in states.iter().rev().skip(1) {
            undo(&files, Direction::Undo).unwrap();
            prop_assert_eq!(&texts(&files), state);
        }
    }
}

/// What each task says, but for the time of its last change, by its id and the field.
type Said = BTreeMap<(TaskId, &'static str), String>;

/// It, of tasks of which no two have one id.
fn said(queue: &Queue) -> Said {
    let mut said = BTreeMap::new();
    for task in queue.document().tasks().iter().chain(queue.done_tasks().iter()) {
        for (field, value) in [
            ("status", format!("{:?}", task.status)),
            ("title", task.title.clone()),
            ("tags", format!("{:?}", task.tags)),
            ("depends_on", format!("{:?}", task.depends_on)),
            ("parent_id", format!("{:?}", task.parent_id)),
            ("started_at", format!("{:?}", task.started_at)),
            ("completed_at", format!("{:?}", task.completed_at)),
        ] {
            let twice = said.insert((task.id.clone(), field), value);
            assert_eq!(twice, None, "{}: {}", task.id, queue.document().text());
        }
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_taken_back_in_any_order_changes_what_it_had_changed_and_no_more(
        layout in prop::sample::select(&LAYOUTS[..]),
        steps in proptest::collection::vec((0_u8..32, 0_usize..24), 3..24),
    ) {
        let root = tempfile::tempdir().unwrap();
        let files = journaled(root.path());
        fs::write(&files.queue, layout(QUEUE)).unwrap();
        fs::write(&files.done, "{\"version\":1,\"tasks\":[]} // done\n").unwrap();
        let mut made: BTreeMap<u64, [Said; 2]> = BTreeMap::new();
        for (hour, (kind, which)) in (1..).zip(steps) {
            let before = said(&files.load().unwrap());
            let count = files.operations().unwrap().len().max(1);
            let id = (which % count) as u64 + 1;
            if kind < 16 {
                files.edit(&at(hour), |edit| change(edit, kind, which)).unwrap();
            } else if undo_one(&files, id).is_err() {
                continue;
            }
            let after = said(&files.load().unwrap());
            if kind >= 16 {
                let [from, to] = &made[&id];
                for field in before.keys().chain(after.keys()) {
                    let (was, is) = (before.get(field), after.get(field));
                    let is_undone = (was, is) == (to.get(field), from.get(field));
                    prop_assert!(was == is || is_undone, "{:?}: {:?}", field, (was, is));
                }
                // Nor does the next edit.
                let next = files.preview(at(hour).0, |edit| change(edit, 0, 1)).unwrap();
                let next = said(&next.after);
                prop_assert!(after.iter().all(|(field, it)| next.get(field) == Some(it)));
            }
            if let Some((last, _)) = files.operations().unwrap().last() {
                made.entry(last.id).or_insert([before, after]);
            }
        }
    }
}

#[test]
fn what_changed_elsewhere_since_stays() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    files.edit(&clock(), |edit| edit.set_status("RQ-0002", Status::Doing, None)).unwrap();
    files.edit(&clock(), |edit| edit.set_status("RQ-0001", Status::Draft, None)).unwrap();
    let by_hand = texts(&files).0.replace("// ours", "// ours, and a longer comment");
    fs::write(&files.queue, by_hand).unwrap();

    undo_one(&files, 1).unwrap();
    let text = texts(&files).0;
    assert!(text.contains("longer comment") && text.contains("draft") && !text.contains("doing"));

    fs::write(&files.queue, text.replace("draft", "todo")).unwrap();
    let refused = undo_one(&files, 2);
    assert!(matches!(refused, Err(UpdateError::Refused(UndoError::ChangedSince { id: 2, .. }))));
    let again = undo_one(&files, 1);
    assert!(matches!(again, Err(UpdateError::Refused(UndoError::AlreadyUndone { id: 1 }))));
    assert_eq!(texts(&files).0, text.replace("draft", "todo"));
}

/// So many hours after the others.
fn at(hour: u64) -> FixedClock {
    let hours = Duration::from_secs(hour * 3600);
    FixedClock(clock().now().checked_add(hours).unwrap())
}

fn edit_at<T>(files: &QueueFiles, hour: u64, edit: impl Fn(&mut Edit<'_>) -> Result<T, EditError>) {
    files.edit(&at(hour), edit).unwrap();
}

#[test]
fn the_earlier_of_two_changes_of_a_task_is_taken_back_and_the_newer_time_stays() {
    let set = |files: &QueueFiles, hour, field: &str, value: &str| {
        edit_at(files, hour, |edit| edit.set_field("RQ-0002", field, value));
    };
    let fields = [("title", "zwei"), ("description", "d"), ("priority", "high"), ("tags", "t")];
    for layout in &LAYOUTS[..5] {
        for earlier in fields {
            for later in fields.iter().filter(|later| later.0 != earlier.0) {
                let root = tempfile::tempdir().unwrap();
                let files = journaled(root.path());
                let write = || fs::write(&files.queue, layout(QUEUE)).unwrap();
                write();
                set(&files, 2, later.0, later.1);
                let without = texts(&files).0;
                write();
                set(&files, 1, earlier.0, earlier.1);
                set(&files, 2, later.0, later.1);
                let both = texts(&files).0;
                assert_eq!(undo_one(&files, 2).unwrap(), 2, "{both}");
                assert_eq!(texts(&files).0, without);
                undo(&files, Direction::Redo).unwrap();
                assert_eq!(texts(&files).0, both);
                // So is an undo of it.
                undo_one(&files, 2).unwrap();
                set(&files, 3, "notes", "more");
                let with = texts(&files).0;
                let redo = Which { direction: Direction::Redo, id: Some(6), force: false };
                take_back(&files, redo).unwrap();
                assert_ne!(texts(&files).0, with);
                undo(&files, Direction::Undo).unwrap();
                assert_eq!(texts(&files).0, with);
            }
        }
    }
}

#[test]
fn a_task_that_moved_or_is_there_again_is_not_brought_back_beside_itself() {
    let in_the_way = |refused: Result<u64, UpdateError<UndoError>>| match refused {
        Err(UpdateError::Refused(UndoError::ChangedSince { id, misfit, .. })) => (id, misfit.task),
        other => panic!("{other:?}"),
    };
    let reject = |edit: &mut Edit<'_>| {
        edit.finish("RQ-0002", End::Rejected, Finish::Archive, None).map(drop)
    };
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    let write = |done: &str| {
        fs::write(&files.queue, QUEUE).unwrap();
        fs::write(&files.done, done).unwrap();
    };
    let empty = ralph_queue::Document::empty().text().to_owned();
    write(&empty);
    edit_at(&files, 1, reject);
    edit_at(&files, 2, |edit| {
        edit.prune(&Prune::default());
        Ok::<_, EditError>(())
    });
    assert_eq!(in_the_way(undo_one(&files, 1)).0, 1);
    undo_one(&files, 2).unwrap();
    undo_one(&files, 1).unwrap();
    assert_eq!(texts(&files), (QUEUE.to_owned(), empty.clone()));
    // Nor by a redo.
    edit_at(&files, 3, reject);
    let again = texts(&files);
    assert_eq!(in_the_way(undo_one(&files, 4)).0, 4);
    assert_eq!(texts(&files), again);

    // A merge may have brought it.
    write(&empty);
    edit_at(&files, 4, |edit| edit.delete(&["RQ-0002".to_owned()]));
    fs::write(&files.done, again.1).unwrap();
    let there = "RQ-0002".parse().unwrap();
    assert_eq!(in_the_way(undo_one(&files, 6)), (6, Some(there)));
}

#[test]
fn a_change_within_what_is_taken_back_is_not_lost() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    edit_at(&files, 1, |edit| edit.set_field("RQ-0002", "title", "zw"));
    edit_at(&files, 2, |edit| edit.set_field("RQ-0002", "tags", "t"));
    let by_hand = texts(&files).0.replace("\"zw\"", "\"zwei\"");
    fs::write(&files.queue, &by_hand).unwrap();
    let refused = undo_one(&files, 1);
    assert!(matches!(refused, Err(UpdateError::Refused(UndoError::ChangedSince { id: 1, .. }))));
    // A task that is taken away again has nothing of anybody else.
    add(&files);
    edit_at(&files, 3, |edit| edit.set_field("RQ-0003", "tags", "t"));
    let refused = undo_one(&files, 3);
    assert!(matches!(refused, Err(UpdateError::Refused(UndoError::ChangedSince { id: 3, .. }))));
}

#[test]
fn a_deleted_task_comes_back_between_neighbours_that_changed() {
    let lines = "{\n  \"version\": 1,\n  \"tasks\": [\n    // a\n    {\"id\": \"RQ-0001\", \"title\": \"a\", \"created_at\": \"2026-01-01T00:00:00Z\", \"updated_at\": \"2026-01-01T00:00:00Z\"},\n    // b\n    {\"id\": \"RQ-0002\", \"title\": \"b\", \"created_at\": \"2026-01-01T00:00:00Z\", \"updated_at\": \"2026-01-01T00:00:00Z\"},\n    // c\n    {\"id\": \"RQ-0003\", \"title\": \"c\", \"created_at\": \"2026-01-01T00:00:00Z\", \"updated_at\": \"2026-01-01T00:00:00Z\"},\n    // d\n    {\"id\": \"RQ-0004\", \"title\": \"d\", \"created_at\": \"2026-01-01T00:00:00Z\", \"updated_at\": \"2026-01-01T00:00:00Z\"}\n  ]\n}\n";
    let blocks = lines.replace("{\"id", "{\n      \"id").replace(", \"", ",\n      \"");
    for queue in [lines.to_owned(), blocks.replace("\"}", "\"\n    }")] {
        for deleted in ["RQ-0002", "RQ-0003"] {
            let root = tempfile::tempdir().unwrap();
            let files = journaled(root.path());
            fs::write(&files.queue, &queue).unwrap();
            edit_at(&files, 1, |edit| edit.delete(&[deleted.to_owned()]));
            let around = |text: &str| {
                let mut text = text.to_owned();
                for name in ["a", "b", "c", "d"].map(|name| format!("// {name}\n")) {
                    text = text.replace(&name, "// by hand\n");
                }
                text.replace("\"a\"", "\"A\"").replace("\"d\"", "\"D\"")
            };
            fs::write(&files.queue, around(&texts(&files).0)).unwrap();
            undo_one(&files, 1).unwrap();
            let own = format!("// {}\n", if deleted == "RQ-0002" { "b" } else { "c" });
            let expected = around(&queue.replace(&own, "// own\n")).replace("// own\n", &own);
            assert_eq!(texts(&files).0, expected);

            // Also where the one below is gone, too.
            fs::write(&files.queue, &queue).unwrap();
            edit_at(&files, 2, |edit| edit.delete(&["RQ-0002".to_owned()]));
            edit_at(&files, 3, |edit| edit.delete(&["RQ-0003".to_owned()]));
            undo_one(&files, 3).unwrap();
            undo_one(&files, 4).unwrap();
            assert_eq!(texts(&files).0, queue);
        }
    }
}

/// A file of tasks `1` to `9` and of headings, as words: a heading stands apart.
fn sections(words: &str) -> String {
    let word = |word: &str| match word.parse::<u8>() {
        Ok(number) => format!(
            "    {{ \"id\": \"RQ-000{number}\", \"title\": \"{number}\", \"created_at\": \"2026-01-01T00:00:00Z\", \"updated_at\": \"2026-01-01T00:00:00Z\" }},\n"
        ),
        Err(_) => format!("\n    // ----\n    // {word}\n    // ----\n\n"),
    };
    let words: String = words.split_whitespace().map(word).collect();
    format!("{{\n  \"version\": 1,\n  \"tasks\": [\n{words}  ],\n}}\n")
}

/// The words of such a file.
fn words(text: &str) -> String {
    let word = |line: &str| {
        let heading = line.trim().strip_prefix("// ").filter(|word| *word != "----");
        let heading = heading.map(str::to_owned);
        heading.or_else(|| Some(line.split_once("RQ-")?.1[..4].trim_start_matches('0').to_owned()))
    };
    text.lines().filter_map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_deleted_task_comes_back_below_its_heading_or_not_at_all() {
    for (before, deleted, undone, after) in [
        ("a 1 b 2 3 c 4 d 5", [4, 3], [Some(1), Some(2)], "a 1 b 2 3 c 4 d 5"),
        ("a 1 b 2 3 c 4 d 5", [4, 3], [Some(2), Some(1)], "a 1 b 2 3 c 4 d 5"),
        // The heading of the one stayed with the other, which is gone: it stays with the next one.
        ("1 a 2 3 4", [3, 2], [Some(1), Some(2)], "1 a 2 3 4"),
        ("1 a 2 3", [3, 2], [None, Some(2)], "1 a 2"),
        ("1 a 2 3 4", [2, 3], [Some(2), Some(1)], "1 a 2 3 4"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let files = journaled(root.path());
        fs::write(&files.queue, sections(before)).unwrap();
        for (hour, task) in (1..).zip(deleted) {
            edit_at(&files, hour, |edit| edit.delete(&[format!("RQ-000{task}")]));
        }
        for (id, allowed) in undone.iter().zip(1..).map(|(id, _)| (id.unwrap_or(1), id.is_some())) {
            assert_eq!(undo_one(&files, id).is_ok(), allowed, "{before} {deleted:?} {id}");
        }
        assert_eq!(words(&texts(&files).0), after);
    }
}

#[test]
fn what_an_undo_did_not_touch_stays_below_its_heading() {
    let id = |task: &str| task.parse::<TaskId>().unwrap();
    let new = |task: &str| Task::new(id(task), "new");
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, sections("a 1 b 2 3")).unwrap();
    edit_at(&files, 1, |edit| edit.add(new("RQ-0004"), &Position::Before(id("RQ-0002"))));
    edit_at(&files, 2, |edit| edit.add(new("RQ-0005"), &Position::After(id("RQ-0004"))));
    undo_one(&files, 1).unwrap();
    assert_eq!(words(&texts(&files).0), "a 1 b 5 2 3");

    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, sections("a 1 b 2 3")).unwrap();
    let finish = |edit: &mut Edit<'_>| edit.finish("RQ-0002", End::Done, Finish::Archive, None);
    edit_at(&files, 1, finish);
    undo_one(&files, 1).unwrap();
    edit_at(&files, 2, |edit| edit.add(new("RQ-0004"), &Position::After(id("RQ-0002"))));
    undo_one(&files, 2).unwrap();
    assert_eq!(words(&texts(&files).0), "a 1 b 4 3");
}

#[test]
fn the_comment_behind_a_deleted_task_comes_back_with_it_behind_a_new_one() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    let text = sections("1 2").replace("},\n  ]", "} // mine\n    // end\n  ]");
    assert!(text.contains("mine"), "{text}");
    fs::write(&files.queue, &text).unwrap();
    edit_at(&files, 1, |edit| edit.finish("RQ-0002", End::Done, Finish::Archive, None));
    edit_at(&files, 2, |edit| {
        edit.add(Task::new("RQ-0003".parse().unwrap(), "new"), &Position::Back)
    });
    undo_one(&files, 1).unwrap();
    undo_one(&files, 2).unwrap();
    assert_eq!(texts(&files).0, text);
}

#[test]
fn deleted_tasks_come_back_in_the_order_that_they_had() {
    for (before, deleted) in [
        ("1 2 3 4", vec![3, 2]),
        ("1 2 3 4", vec![2, 3]),
        ("1 2 3 4", vec![2, 1]),
        ("1 2 3", vec![3, 2]),
        ("1 a 2 3 4 5", vec![4, 3]),
        ("1 2 3 4 5", vec![4, 3, 2]),
        ("1 2 3 4 5", vec![2, 4, 3]),
        ("1 2 3 4 5", vec![3, 2, 1]),
    ] {
        for first in 0..deleted.len() {
            for (comma, is_reversed) in
                ["},", "} ,"].into_iter().flat_map(|it| [(it, false), (it, true)])
            {
                let root = tempfile::tempdir().unwrap();
                let files = journaled(root.path());
                fs::write(&files.queue, sections(before).replacen("},", comma, 1)).unwrap();
                let text = texts(&files).0;
                for (hour, task) in (1..).zip(&deleted) {
                    edit_at(&files, hour, |edit| edit.delete(&[format!("RQ-000{task}")]));
                }
                let mut order: Vec<u64> = (1..).take(deleted.len()).collect();
                order.rotate_left(first);
                if is_reversed {
                    order.reverse();
                }
                for id in &order {
                    assert!(undo_one(&files, *id).is_ok(), "{before} {deleted:?} {order:?} {id}");
                }
                // A comma of its own may have been what held them apart.
                let [now, text] = [texts(&files).0, text].map(|text| text.replace("} ,", "},"));
                assert_eq!(now, text, "{before} {deleted:?} {order:?}");
            }
        }
    }
}

/// Below which heading each task stands, of the words of a file.
fn headings(words: &str) -> BTreeMap<String, String> {
    let mut heading = String::new();
    let mut headings = BTreeMap::new();
    for word in words.split_whitespace() {
        if word.starts_with('h') {
            word.clone_into(&mut heading);
        } else {
            headings.insert(word.to_owned(), heading.clone());
        }
    }
    headings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn undo_in_any_order_leaves_each_task_below_its_heading(
        heads in proptest::collection::vec(any::<bool>(), 5),
        steps in proptest::collection::vec((0_u8..9, 0_usize..24), 3..12),
    ) {
        let root = tempfile::tempdir().unwrap();
        let files = journaled(root.path());
        let before = (1..).zip(&heads).map(|(task, heads)| {
            if *heads { format!("h{task} {task}") } else { task.to_string() }
        });
        fs::write(&files.queue, sections(&before.collect::<Vec<_>>().join(" "))).unwrap();
        let mut home = BTreeMap::new();
        for (hour, (kind, which)) in (1..).zip(steps) {
            let before = headings(&words(&texts(&files).0));
            home.extend(before.clone());
            let count = files.operations().unwrap().len();
            let queue = files.load().unwrap();
            let tasks = queue.document().tasks();
            let Some(task) = tasks.get(which % tasks.len().max(1)) else { continue };
            let id = task.id.clone();
            let new = Task::new(format!("RQ-{:04}", hour + 5).parse().unwrap(), "new");
            let edit = |edit: &mut Edit<'_>| {
                let changed = match kind {
                    0 => edit.delete(&[id.to_string()]),
                    1 => edit.finish(id.as_str(), End::Done, Finish::Archive, None).map(drop),
                    2 => edit.add(new.clone(), &Position::Before(id.clone())),
                    3 => edit.add(new.clone(), &Position::After(id.clone())),
                    4 => edit.set_field(id.as_str(), "title", "other").map(drop),
                    _ => Ok(()),
                };
                changed.or(Ok::<_, EditError>(()))
            };
            if kind < 5 {
                edit_at(&files, hour, edit);
                continue;
            }
            if undo_one(&files, (which % count.max(1)) as u64 + 1).is_ok() {
                let now = words(&texts(&files).0);
                for (task, heading) in headings(&now) {
                    let own = home.get(&task);
                    prop_assert!(own.is_none_or(|own| *own == heading), "{} of {}", task, now);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn deletions_undone_in_any_order_leave_each_task_below_its_heading(
        heads in proptest::collection::vec(any::<bool>(), 9),
        deleted in Just((1..=9).collect::<Vec<usize>>()).prop_shuffle(),
        count in 2_usize..6,
        undone in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let before: Vec<String> = (1..)
            .zip(&heads)
            .map(|(task, heads)| if *heads { format!("h{task} {task}") } else { task.to_string() })
            .collect();
        let root = tempfile::tempdir().unwrap();
        let files = journaled(root.path());
        let before = before.join(" ");
        fs::write(&files.queue, sections(&before)).unwrap();
        for (hour, task) in (1..).zip(&deleted[..count]) {
            edit_at(&files, hour, |edit| edit.delete(&[format!("RQ-000{task}")]));
        }
        let whole = headings(&before);
        for index in undone.into_iter().filter(|index| *index < count) {
            let is_done = undo_one(&files, index as u64 + 1).is_ok();
            let now = words(&texts(&files).0);
            for (task, heading) in headings(&now) {
                prop_assert_eq!(&whole[&task], &heading, "{} of {}", task, now);
            }
            prop_assert_eq!(is_done, headings(&now).contains_key(&deleted[index].to_string()));
        }
    }
}

#[test]
fn a_redo_that_a_crash_cut_off_between_the_files_is_finished_by_the_next() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    let finish = |edit: &mut Edit<'_>| edit.finish("RQ-0001", End::Done, Finish::Archive, None);
    files.edit(&clock(), finish).unwrap();
    let made = texts(&files);
    undo(&files, Direction::Undo).unwrap();
    undo(&files, Direction::Redo).unwrap();
    fs::write(&files.queue, QUEUE).unwrap();
    assert_eq!(undo(&files, Direction::Redo).unwrap(), 2);
    assert_eq!(texts(&files), made);
    undo(&files, Direction::Undo).unwrap();
    assert_eq!(texts(&files).0, QUEUE);
    // What was deleted since looks alike, and is not brought into the done file.
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    files.edit(&clock(), finish).unwrap();
    for id in 1..=3 {
        undo_one(&files, id).unwrap();
    }
    edit_at(&files, 1, |edit| edit.delete(&["RQ-0001".to_owned()]));
    let deleted = texts(&files);
    assert!(undo_one(&files, 2).is_err());
    assert_eq!(texts(&files), deleted);
}

#[test]
fn a_crash_in_the_middle_of_an_undo_is_mended() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    let finish = |edit: &mut Edit<'_>| edit.finish("RQ-0001", End::Done, Finish::Archive, None);
    files.edit(&clock(), finish).unwrap();
    let (_, done) = texts(&files);
    undo(&files, Direction::Undo).unwrap();
    // As if the file that is written last, the one that loses the task, had not been written.
    fs::write(&files.done, &done).unwrap();
    let queue = files.load().unwrap();
    assert_eq!(queue.find("RQ-0001").unwrap().1.status, Status::Done);
    assert_eq!(queue.leftovers().count(), 1);

    // It never happened, and can happen again.
    undo(&files, Direction::Undo).unwrap();
    assert_eq!(texts(&files).0, QUEUE);
    fs::write(&files.done, &done).unwrap();
    files.edit(&clock(), |edit| edit.start("RQ-0002", Restart::Keep)).unwrap();
    let queue = files.load().unwrap();
    assert_eq!((queue.tasks().count(), queue.leftovers().count()), (1, 0));
    assert_eq!(texts(&files).1, done);
}

#[test]
fn an_edit_that_also_put_a_task_in_order_is_brought_back() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    let open = QUEUE.replace("\"één\"", "\"één\", \"status\": \"done\"");
    fs::write(&files.queue, &open).unwrap();
    fs::write(
        &files.done,
        super::text(&[r#""status": "done", "completed_at": "2026-02-01T00:00:00Z""#])
            .replace("task 0001", "één"),
    )
    .unwrap();
    let before = texts(&files);
    assert_eq!(files.load().unwrap().leftovers().count(), 1);
    let draft = |edit: &mut Edit<'_>| edit.set_status("RQ-0002", Status::Draft, None);
    assert_eq!(files.edit(&clock(), draft).unwrap().mended.healed.len(), 1);
    let after = texts(&files);
    for _ in 0..2 {
        undo(&files, Direction::Undo).unwrap();
        assert_eq!(texts(&files), before);
        undo(&files, Direction::Redo).unwrap();
        assert_eq!(texts(&files), after);
    }
}

#[test]
fn what_git_took_back_stays_the_newest() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    files.edit(&clock(), |edit| edit.set_status("RQ-0002", Status::Draft, None)).unwrap();
    let committed = texts(&files).0;
    files.edit(&clock(), |edit| edit.modify("RQ-0001", |task| task.title = "1".into())).unwrap();
    let stashed = texts(&files).0;
    fs::write(&files.queue, &committed).unwrap();

    let refused = |refused: Result<u64, UpdateError<UndoError>>| match refused {
        Err(UpdateError::Refused(UndoError::Missing { id, .. })) => id,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(undo(&files, Direction::Undo)), 2);
    assert_eq!(refused(undo_one(&files, 2)), 2);
    assert_eq!(files.operations().unwrap()[1].1, EditState::Missing);
    assert_eq!(texts(&files).0, committed);
    // Back in its place, it can be undone as if nothing had been.
    fs::write(&files.queue, &stashed).unwrap();
    undo(&files, Direction::Undo).unwrap();
    assert_eq!(texts(&files).0, committed);
    undo(&files, Direction::Redo).unwrap();
    // Nor does another edit make anybody forget it.
    fs::write(&files.queue, &committed).unwrap();
    assert_eq!(undo_one(&files, 1).unwrap(), 1);
    assert_eq!(texts(&files).0, QUEUE);
    assert!(files.operations().unwrap().iter().any(|(it, _)| it.id == 2));
}

fn standings(files: &QueueFiles) -> Vec<EditState> {
    files.operations().unwrap().into_iter().map(|(_, standing)| standing).collect()
}

fn add(files: &QueueFiles) {
    let add = |edit: &mut Edit<'_>| {
        let id = edit.next_id(&IdRules::default())?;
        edit.add(Task::new(id, "new"), &Position::Back)
    };
    files.edit(&clock(), add).unwrap();
}

#[test]
fn all_that_git_took_back_is_missing_until_it_is_there_again() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    let note = |files: &QueueFiles| {
        let change = |edit: &mut Edit<'_>| edit.modify("RQ-0002", |it| it.notes.push("n".into()));
        files.edit(&clock(), change).unwrap();
    };
    let (made, missing) = (EditState::Made, EditState::Missing);
    note(&files);
    let committed = texts(&files).0;
    add(&files);
    note(&files);
    undo(&files, Direction::Undo).unwrap();
    undo(&files, Direction::Redo).unwrap();
    let branch = texts(&files).0;
    fs::write(&files.queue, &committed).unwrap();
    assert_eq!(standings(&files), [made, missing, missing, missing, missing]);
    for id in [2, 3] {
        let refused = undo_one(&files, id);
        assert!(
            matches!(refused, Err(UpdateError::Refused(UndoError::Missing { id: it, .. })) if it == id)
        );
    }
    let refused = undo(&files, Direction::Undo);
    assert!(matches!(refused, Err(UpdateError::Refused(UndoError::Missing { .. }))));

    // Another edit changes nothing about that, and is missing itself on the branch.
    add(&files);
    let here = texts(&files).0;
    assert_eq!(standings(&files), [made, missing, missing, missing, missing, made]);
    fs::write(&files.queue, &branch).unwrap();
    assert_eq!(standings(&files), [made, made, made, EditState::Undone, made, missing]);
    fs::write(&files.queue, &here).unwrap();
    assert_eq!(undo(&files, Direction::Undo).unwrap(), 6);
    assert_eq!(texts(&files).0, committed);
}

#[test]
fn what_a_merge_brings_back_is_no_longer_missing() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    let rev = files.load().unwrap().revision();
    let title = |id: &str, title: &str| {
        files.edit(&clock(), |edit| edit.modify(id, |task| task.title = title.into())).unwrap();
    };
    add(&files);
    title("RQ-0002", "zwei");
    let stashed = texts(&files).0;
    fs::write(&files.queue, QUEUE).unwrap();
    title("RQ-0001", "eins");
    let (made, missing) = (EditState::Made, EditState::Missing);
    assert_eq!(standings(&files), [missing, missing, made]);
    assert_eq!(files.changes_since(&rev).unwrap().operations.len(), 1);

    let popped = stashed.replace("één", "eins");
    fs::write(&files.queue, &popped).unwrap();
    assert_eq!(standings(&files), [made, made, made]);
    let changes = files.changes_since(&rev).unwrap();
    assert_eq!((changes.operations.len(), changes.complete), (3, false));
    // A task that it left out is missing.
    let (head, rest) = popped.split_once("\"RQ-0003\"").unwrap();
    fs::write(&files.queue, format!("{head}\"RQ-0009\"{rest}")).unwrap();
    assert_eq!(standings(&files), [missing, made, made]);
    fs::write(&files.queue, &popped).unwrap();
    // Another edit changes nothing about them, nor does git when it takes that back.
    title("RQ-0003", "drei");
    assert_eq!(standings(&files), [made; 4]);
    fs::write(&files.queue, &popped).unwrap();
    assert_eq!(standings(&files), [made, made, made, missing]);
    assert_eq!(undo_one(&files, 2).unwrap(), 2);
    fs::write(&files.queue, QUEUE).unwrap();
    assert!(standings(&files).iter().all(|standing| *standing != made));
}

#[test]
fn what_one_file_has_lost_is_brought_back_from_the_other() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    files.edit(&clock(), |edit| edit.finish("RQ-0001", End::Done, Finish::Archive, None)).unwrap();
    fs::remove_file(&files.done).unwrap();
    assert_eq!(files.operations().unwrap()[0].1, EditState::Missing);
    undo(&files, Direction::Undo).unwrap();
    assert_eq!(texts(&files).0, QUEUE);
}

#[test]
fn a_line_that_is_cut_off_is_told_unless_somebody_writes_it() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    files.edit(&clock(), |edit| edit.start("RQ-0002", Restart::Keep)).unwrap();
    let journal = files.journal.clone().unwrap();
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, &whole[..whole.len() - 30]).unwrap();
    assert_eq!(files.unreadable_lines().unwrap().len(), 1);
    let wait = std::time::Duration::from_secs(9);
    let lock = FileLock::acquire(&files.lock_path(), &files.holder, wait).unwrap();
    assert_eq!(files.unreadable_lines().unwrap().len(), 0);
    drop(lock);
}

#[cfg(unix)]
#[test]
fn a_new_done_file_and_a_new_journal_are_no_more_open_than_the_queue_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    for mode in [0o600, 0o664] {
        for path in [Some(&files.done), files.journal.as_ref()].into_iter().flatten() {
            fs::remove_file(path).ok();
        }
        fs::write(&files.queue, QUEUE).unwrap();
        fs::set_permissions(&files.queue, std::fs::Permissions::from_mode(mode)).unwrap();
        let done = |edit: &mut Edit<'_>| edit.finish("RQ-0001", End::Done, Finish::Archive, None);
        files.edit(&clock(), done).unwrap();
        for path in [&files.queue, &files.done, files.journal.as_ref().unwrap()] {
            let found = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
    }
}

#[test]
fn what_is_no_journal_is_moved_out_of_the_way() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    let journal = files.journal.clone().unwrap();
    fs::create_dir_all(journal.parent().unwrap()).unwrap();
    for garbage in [&b"\xff garbage\n{\n"[..], b"other garbage"] {
        fs::write(&journal, garbage).unwrap();
        let edited = files.edit(&clock(), |edit| edit.start("RQ-0002", Restart::Reset)).unwrap();
        assert_eq!(fs::read(edited.set_aside.unwrap()).unwrap(), garbage);
        undo(&files, Direction::Undo).unwrap();
        assert_eq!(texts(&files).0, QUEUE);
    }
    let kept = ["queue-journal.corrupt.jsonl.bak", "queue-journal.corrupt.1.jsonl.bak"];
    assert!(kept.iter().all(|kept| journal.with_file_name(kept).is_file()));

    // One of a later version is not ours to move.
    fs::write(&journal, "{\"journal_version\": 9}\n").unwrap();
    let refused = files.edit(&clock(), |edit| edit.start("RQ-0002", Restart::Reset));
    assert!(matches!(refused, Err(UpdateError::Journal(_))));
    assert_eq!(texts(&files).0, QUEUE);
}

#[test]
fn a_request_is_carried_out_once() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    let ask = |files: &QueueFiles, request: &str, asked: &str, if_rev: Option<String>| {
        let terms = Terms { if_rev, request: Some(RequestName::new(request, asked)) };
        files.edit_on(&clock(), &terms, |edit| {
            let id = edit.next_id(&IdRules::default())?;
            edit.add(Task::new(id.clone(), "new"), &Position::Back)?;
            Ok::<_, EditError>(id)
        })
    };
    let add = |files: &QueueFiles, request: &str, if_rev| ask(files, request, "add", if_rev);
    let rev = files.load().unwrap().revision();
    let is_answered = |name: &str| {
        let request = Some(RequestName::new(name, "add"));
        files.is_answered(&Terms { if_rev: None, request }).unwrap()
    };
    assert!(!is_answered("a"));
    let first = add(&files, "a", Some(rev.clone())).unwrap();
    assert!(is_answered("a") && !is_answered("b"));
    let again = add(&files, "a", Some(rev.clone())).unwrap();
    assert_eq!((first.value.as_str(), &first.rev), ("RQ-0003", &again.rev));
    assert_eq!((first.value, first.tasks), (again.value, again.tasks));
    assert!(
        matches!(add(&files, "b", Some(rev.clone())), Err(UpdateError::Stale { expected, .. }) if expected == rev)
    );
    assert_eq!(add(&files, "b", None).unwrap().value.as_str(), "RQ-0004");
    assert_eq!(files.load().unwrap().tasks().count(), 4);

    let mut other = files.clone();
    other.holder.command = "another".to_owned();
    assert!(matches!(add(&other, "a", None), Err(UpdateError::OtherRequest { .. })));
    let refused = ask(&files, "a", "add another", None);
    assert!(matches!(refused, Err(UpdateError::OtherRequest { .. })));

    // A crash between the journal and the files: the edit never happened.
    let before = texts(&files).0;
    add(&files, "c", None).unwrap();
    fs::write(&files.queue, &before).unwrap();
    assert_eq!(add(&files, "c", None).unwrap().value.as_str(), "RQ-0005");
    let (made, missing) = (EditState::Made, EditState::Missing);
    assert_eq!(standings(&files), [made, made, missing, made]);
    undo(&files, Direction::Undo).unwrap();
    assert_eq!(texts(&files).0, before);

    // Neither do other edits since make one of it.
    add(&files, "d", None).unwrap();
    fs::write(&files.queue, &before).unwrap();
    add(&files, "e", None).unwrap();
    assert!(!is_answered("d") && is_answered("e"));
    let made = add(&files, "d", None).unwrap().value;
    assert!(files.load().unwrap().find(made.as_str()).is_some());
    assert!(is_answered("d"));
}

#[test]
fn changes_are_told_from_a_revision_on() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    let rev = files.load().unwrap().revision();
    assert!(files.changes_since(&rev).unwrap().operations.is_empty());
    files.edit(&clock(), |edit| edit.finish("RQ-0001", End::Done, Finish::Archive, None)).unwrap();
    files.edit(&clock(), |edit| edit.modify("RQ-0002", |task| task.title = "2".into())).unwrap();
    let changes = files.changes_since(&rev).unwrap();
    let tasks = changes.operations.iter().flat_map(|operation| &operation.tasks);
    let tasks: Vec<_> = tasks.map(|task| (task.id.as_str(), task.fate, task.status)).collect();
    let done = Some(Status::Done);
    assert_eq!(tasks, [("RQ-0001", Fate::Changed, done), ("RQ-0002", Fate::Changed, None)]);
    assert!(changes.complete);
    fs::write(&files.queue, texts(&files).0 + "// by hand\n").unwrap();
    assert!(!files.changes_since(&rev).unwrap().complete);
    assert!(files.changes_since("0").is_err());
}

#[test]
fn to_begin_or_end_a_task_is_told_in_no_more_bytes_than_a_task_of_0_4_0_has() {
    let task = r#"    {
      "id": "RQ-0001",
      "status": "todo",
      "title": "Task number 1 of many, about module 1",
      "description": "It was asked for in the forum, and again in a mail; what it needs is said below.",
      "priority": "medium",
      "tags": [
        "bench"
      ],
      "scope": [
        "src/module_1.rs"
      ],
      "evidence": [
        "The forum, the mail"
      ],
      "plan": [
        "First do one thing",
        "Then another"
      ],
      "notes": [],
      "request": "Please do it",
      "created_at": "2026-01-01T00:00:00Z",
      "updated_at": "2026-01-02T00:00:00Z",
      "depends_on": []
    }"#;
    let end = |edit: &mut Edit<'_>, end| edit.finish("RQ-0001", end, Finish::InPlace, None);
    for status in [Status::Doing, Status::Done, Status::Rejected] {
        let root = tempfile::tempdir().unwrap();
        let files = journaled(root.path());
        let text = format!("{{\n  \"version\": 1,\n  \"tasks\": [\n{task}\n  ]\n}}\n");
        fs::write(&files.queue, &text).unwrap();
        let change = |edit: &mut Edit<'_>| match status {
            Status::Done => end(edit, End::Done).map(drop),
            Status::Rejected => end(edit, End::Rejected).map(drop),
            _ => edit.start("RQ-0001", Restart::Keep).map(drop),
        };
        files.edit(&clock(), change).unwrap();
        let journal = fs::read_to_string(files.journal.as_ref().unwrap()).unwrap();
        let record = journal.lines().last().unwrap();
        assert!(record.len() <= task.len(), "{} of {}: {record}", record.len(), task.len());
    }
}

#[test]
fn the_journal_is_no_longer_than_what_it_undoes_and_is_cut() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    let journal = files.journal.clone().unwrap();
    fs::write(&files.queue, super::text(&[""; 200])).unwrap();
    files.edit(&clock(), |edit| edit.start("RQ-0100", Restart::Keep)).unwrap();
    assert!(fs::metadata(&journal).unwrap().len() < 600, "as long as a task of a few lines");
    // Of many, too.
    let before = fs::metadata(&journal).unwrap().len();
    let evidence = vec!["it was seen ".repeat(20); 3];
    let spread = |edit: &mut Edit<'_>, title: &str| {
        for number in 1..=100 {
            edit.modify(&format!("RQ-{number:04}"), |task| {
                (task.title, task.evidence) = (title.to_owned(), evidence.clone());
            })?;
        }
        Ok::<_, EditError>(())
    };
    files.edit(&clock(), |edit| spread(edit, "one")).unwrap();
    let between = fs::metadata(&journal).unwrap().len();
    files.edit(&clock(), |edit| spread(edit, "two")).unwrap();
    let after = fs::metadata(&journal).unwrap().len();
    let length = fs::metadata(&files.queue).unwrap().len();
    assert!(
        between - before < length && after - between < length / 2,
        "{before} {between} {after} of {length}"
    );
    undo(&files, Direction::Undo).unwrap();
    undo(&files, Direction::Undo).unwrap();
    let long = "x".repeat(300_000);
    for number in 0..9 {
        files
            .edit(&clock(), |edit| {
                edit.modify("RQ-0100", |task| task.description = Some(format!("{number}{long}")))
            })
            .unwrap();
    }
    assert!(fs::metadata(&journal).unwrap().len() < 2_500_000);
    let operations = files.operations().unwrap();
    assert_eq!(operations.last().unwrap().0.id, 14);
    undo(&files, Direction::Undo).unwrap();
    let text = texts(&files).0;
    assert!(text.contains("\"7xxx"));
}

#[test]
fn a_redo_stays_one_when_what_it_takes_back_is_cut() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    let before = texts(&files).0;
    let long = Some("x".repeat(3_000_000));
    files.edit(&clock(), |edit| edit.modify("RQ-0001", |task| task.description = long)).unwrap();
    let edited = texts(&files).0;
    undo(&files, Direction::Undo).unwrap();
    undo(&files, Direction::Redo).unwrap();
    assert_eq!(files.operations().unwrap().len(), 1, "the rest is cut");
    let nothing = undo(&files, Direction::Redo);
    assert!(matches!(nothing, Err(UpdateError::Refused(UndoError::Nothing { .. }))), "{nothing:?}");
    assert_eq!(texts(&files).0, edited);
    undo(&files, Direction::Undo).unwrap();
    assert_eq!(texts(&files).0, before);
    undo(&files, Direction::Redo).unwrap();
    assert_eq!(texts(&files).0, edited);
}

#[test]
fn work_trees_share_the_numbers() {
    give_out_ids(25);
}

/// Two writers, in two work trees, so many tasks each.
fn give_out_ids(each: usize) {
    let root = tempfile::tempdir().unwrap();
    let trees = ["a", "b"].map(|name| {
        let mut files = journaled(&root.path().join(name));
        files.id_marks = Some(root.path().join("common/ralph/ids.json"));
        files.init().unwrap();
        files
    });
    let add = |files: &QueueFiles| {
        let added = files.edit(&clock(), |edit| {
            let id = edit.next_id(&IdRules::default())?;
            edit.add(Task::new(id.clone(), "new"), &Position::Back)?;
            Ok::<_, EditError>(id)
        });
        added.unwrap().value
    };
    let mut ids: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = trees
            .iter()
            .map(|files| scope.spawn(|| (0..each).map(|_| add(files)).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2 * each);
    // Given once, given for ever: also when the task is gone.
    undo(&trees[0], Direction::Undo).unwrap();
    assert_eq!(add(&trees[0]).as_str(), format!("RQ-{:04}", 2 * each + 1));
    let highest = 2 * each as u64 + 1;
    assert_eq!(trees[1].high_water().unwrap(), highest);
    // The journal of the work tree knows it, too, where the record of it is lost.
    undo(&trees[0], Direction::Undo).unwrap();
    fs::remove_file(trees[0].id_marks.as_ref().unwrap()).unwrap();
    assert_eq!(trees[0].high_water().unwrap(), highest);
    assert_eq!(add(&trees[0]).as_str(), format!("RQ-{:04}", highest + 1));
    assert_eq!(trees[1].high_water().unwrap(), highest + 1);
}

#[test]
fn what_nobody_asked_for_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    let note = |files: &QueueFiles, id: &str, note: &str| {
        let change = |edit: &mut Edit<'_>| edit.modify(id, |task| task.notes.push(note.to_owned()));
        files.edit(&clock(), change).unwrap();
    };
    note(&files, "RQ-0001", "asked for");
    let before = texts(&files).0;
    let run = QueueFiles { origin: Origin::Run, ..files.clone() };
    note(&run, "RQ-0002", "of a run");
    let refused = undo_one(&files, 2);
    assert!(matches!(
        refused,
        Err(UpdateError::Refused(UndoError::NotAsked { id: 2, origin: Origin::Run, .. }))
    ));
    assert_eq!(undo(&files, Direction::Undo).unwrap(), 1);
    assert!(texts(&files).0.contains("of a run") && !texts(&files).0.contains("asked for"));
    assert_eq!(undo(&files, Direction::Redo).unwrap(), 3);
    let force = Which { direction: Direction::Undo, id: Some(2), force: true };
    assert_eq!(take_back(&files, force).unwrap(), 2);
    assert_eq!(texts(&files).0, before);
}

#[test]
fn an_undo_of_a_repair_brings_its_errors_back() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    let broken = QUEUE.replace("\"RQ-0002\"", "\"RQ-0001\"");
    assert_ne!(broken, QUEUE);
    fs::write(&files.queue, &broken).unwrap();
    let rules = files.rules.clone();
    files.edit(&clock(), |edit| edit.repair(&rules)).unwrap();
    let mended = texts(&files).0;
    assert_ne!(mended, broken);
    undo(&files, Direction::Undo).unwrap();
    assert_eq!(texts(&files).0, broken);
    undo(&files, Direction::Redo).unwrap();
    assert_eq!(texts(&files).0, mended);

    // With another edit in between it is not as it was, and has to be insisted on.
    let add = |edit: &mut Edit<'_>| {
        let id = edit.next_id(&IdRules::default())?;
        edit.add(Task::new(id, "new"), &Position::Front)
    };
    files.edit(&clock(), add).unwrap();
    assert!(matches!(undo_one(&files, 1), Err(UpdateError::Invalid { .. })));
    let force = Which { direction: Direction::Undo, id: Some(1), force: true };
    take_back(&files, force).unwrap();
    assert!(texts(&files).0.contains("\"new\""));
}

#[test]
fn beside_values_of_the_wrong_kind_only_what_was_done_last_is_taken_back() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    edit_at(&files, 1, |edit| edit.set_field("RQ-0002", "title", "zwei"));
    let broken = texts(&files).0;
    let broken = broken.replace("\"één\",", "\"één\", \"plan\": 5,");
    let broken =
        broken.replace("[\"a\" /* b */]", "[\"a\" /* b */], \"depends_on\": [\"RQ-0099\"]");
    fs::write(&files.queue, &broken).unwrap();
    let left = BTreeSet::from(["RQ-0001".parse().unwrap()]);
    let leaving = QueueFiles { values: WrongValues::Leave, ..files.clone() };
    leaving.edit(&clock(), |edit| edit.repair_but(&files.rules, &left)).unwrap();
    let mended = texts(&files).0;
    assert_ne!(mended, broken);
    let unread = |refused: Result<u64, UpdateError<UndoError>>| {
        matches!(refused, Err(UpdateError::Load(LoadError::Parse { .. })))
    };

    assert_eq!(standings(&files), [EditState::Made; 2]);
    for _ in 0..2 {
        assert!(unread(undo_one(&files, 1)));
        undo(&files, Direction::Undo).unwrap();
        assert_eq!(texts(&files).0, broken);
        assert!(unread(undo_one(&files, 1)));
        undo(&files, Direction::Redo).unwrap();
        assert_eq!(texts(&files).0, mended);
    }
    let by_hand = mended.replace("// end", "// the end");
    fs::write(&files.queue, &by_hand).unwrap();
    assert!(unread(undo(&files, Direction::Undo)));
    let force = Which { direction: Direction::Undo, id: Some(2), force: true };
    assert!(take_back(&files, force).is_err());
    assert_eq!(texts(&files).0, by_hand);
}

/// Files of which the queue file has so long a name that nothing can be written beside it.
fn unwritable(root: &Path) -> QueueFiles {
    let files = QueueFiles { queue: root.join("q".repeat(248)), ..journaled(root) };
    fs::write(&files.queue, QUEUE).unwrap();
    files
}

#[test]
fn a_change_that_no_file_got_is_nothing_to_undo() {
    let root = tempfile::tempdir().unwrap();
    let writable = QueueFiles { queue: root.path().join("q"), ..journaled(root.path()) };
    fs::write(&writable.queue, QUEUE).unwrap();
    writable.edit(&clock(), |edit| edit.start("RQ-0001", Restart::Keep)).unwrap();
    let journal = fs::read(writable.journal.as_ref().unwrap()).unwrap();
    let files = unwritable(root.path());
    fs::copy(&writable.queue, &files.queue).unwrap();
    let failed = files.edit(&clock(), |edit| edit.start("RQ-0002", Restart::Keep));
    assert!(matches!(failed, Err(UpdateError::Save { .. })), "{failed:?}");
    assert_eq!(fs::read(files.journal.as_ref().unwrap()).unwrap(), journal);
    assert_eq!(undo(&writable, Direction::Undo).unwrap(), 1);
}

#[test]
fn a_change_that_only_one_file_can_take_is_nothing_to_undo() {
    let root = tempfile::tempdir().unwrap();
    let files = unwritable(root.path());
    let failed =
        files.edit(&clock(), |edit| edit.finish("RQ-0001", End::Done, Finish::Archive, None));
    assert!(matches!(failed, Err(UpdateError::Save { .. })), "{failed:?}");
    assert_eq!(files.load().unwrap().done_tasks().len(), 0);
    assert!(!files.done.exists(), "as before");
    assert_eq!(files.operations().unwrap().len(), 0);
}

#[test]
fn an_undo_of_the_edit_that_made_the_done_file_leaves_none() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    let finish =
        |edit: &mut Edit<'_>| edit.finish("RQ-0001", End::Done, Finish::Archive, None).map(drop);
    fs::write(&files.queue, QUEUE).unwrap();
    files.edit(&clock(), finish).unwrap();
    let made = texts(&files).1;
    for _ in 0..2 {
        undo(&files, Direction::Undo).unwrap();
        assert!(!files.done.exists());
        assert_eq!(texts(&files).0, QUEUE);
        undo(&files, Direction::Redo).unwrap();
        assert_eq!(texts(&files).1, made);
    }
    // What somebody has written to it meanwhile stays.
    fs::write(&files.done, made.clone() + "// mine\n").unwrap();
    undo(&files, Direction::Undo).unwrap();
    assert!(texts(&files).1.ends_with("// mine\n"));
    // So does one that was empty before.
    let empty = ralph_queue::Document::empty().text().to_owned();
    fs::write(&files.done, &empty).unwrap();
    files.edit(&clock(), finish).unwrap();
    undo(&files, Direction::Undo).unwrap();
    assert_eq!(texts(&files), (QUEUE.to_owned(), empty));
}

#[test]
fn edits_of_a_task_that_are_undone_in_any_order_leave_the_time_from_before_them() {
    type Change = fn(&mut Edit<'_>) -> Result<(), EditError>;
    let title: Change = |edit| edit.set_field("RQ-0002", "title", "zwei").map(drop);
    let description: Change =
        |edit| edit.set_field("RQ-0002", "description", "of the two").map(drop);
    let tags: Change = |edit| edit.set_field("RQ-0002", "tags", "t").map(drop);
    let start: Change = |edit| edit.start("RQ-0002", Restart::Keep).map(drop);
    let reject: Change =
        |edit| edit.finish("RQ-0002", End::Rejected, Finish::InPlace, None).map(drop);
    let done: Change = |edit| edit.set_status("RQ-0002", Status::Done, None).map(drop);
    for layout in &LAYOUTS[..5] {
        for (changes, order) in [
            [title, description, tags],
            [reject, tags, title],
            [tags, reject, title],
            [tags, title, reject],
            [description, done, tags],
            [done, tags, description],
            [start, tags, description],
            [title, start, tags],
        ]
        .into_iter()
        .flat_map(|changes| {
            let orders = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]];
            orders.map(|order| (changes, order))
        }) {
            let root = tempfile::tempdir().unwrap();
            let files = journaled(root.path());
            fs::write(&files.queue, layout(QUEUE)).unwrap();
            let before = texts(&files);
            for (hour, change) in (1..).zip(changes) {
                edit_at(&files, hour, change);
            }
            let made = texts(&files);
            for id in order {
                undo_one(&files, id).unwrap();
            }
            assert_eq!(texts(&files), before, "{order:?}");
            for _ in order {
                undo(&files, Direction::Redo).unwrap();
            }
            assert_eq!(texts(&files), made, "{order:?}");
        }
    }
}

#[test]
fn edits_of_different_fields_are_undone_in_any_order() {
    type Change = fn(&mut Edit<'_>) -> Result<(), EditError>;
    const ONE: &str = "RQ-0001";
    let fields: [Change; 8] = [
        |edit| edit.start(ONE, Restart::Keep).map(drop),
        |edit| edit.set_field(ONE, "title", "other").map(drop),
        |edit| edit.set_field(ONE, "request", "asked").map(drop),
        |edit| edit.set_field(ONE, "scheduled_start", "2027-01-01T00:00:00Z").map(drop),
        |edit| edit.set_field(ONE, "parent_id", "RQ-0002").map(drop),
        |edit| edit.set_field(ONE, "depends_on", "RQ-0002").map(drop),
        |edit| edit.set_field(ONE, "custom_fields", "q=v").map(drop),
        |edit| edit.set_field(ONE, "estimated_minutes", "5").map(drop),
    ];
    let empty = "{\n  \"version\": 1,\n  \"tasks\": []\n}\n";
    let short = QUEUE.replace("RQ-0002", "RQ-0000").replace("RQ-0001", "RQ-0002");
    let short = short.replace("RQ-0000", "RQ-0001");
    let time = "\"2026-01-01T00:00:00Z\"";
    let comma_first = format!(
        "{{ \"version\": 1\n, \"tasks\": [\n  {{ \"id\": \"RQ-0001\"\n  , \"title\": \"one\"\n  , \"created_at\": {time}\n  , \"updated_at\": {time}\n  }},\n  {{ \"id\": \"RQ-0002\", \"title\": \"two\", \"created_at\": {time}, \"updated_at\": {time} }}\n] }}\n"
    );
    let pairs = fields.into_iter().flat_map(|first| fields.map(|second| (first, second)));
    // Of times that are near each other little differs.
    let apart = [Duration::from_hours(1), Duration::from_millis(123)];
    for ((first, second), apart) in pairs.flat_map(|pair| apart.map(|apart| (pair, apart))) {
        let after = |steps| FixedClock(clock().now().checked_add(apart * steps).unwrap());
        for queue in [empty, &short, &comma_first] {
            if std::ptr::fn_addr_eq(first, second) {
                continue;
            }
            let root = tempfile::tempdir().unwrap();
            let files = journaled(root.path());
            fs::write(&files.queue, queue).unwrap();
            for id in ["RQ-0001", "RQ-0002"].into_iter().filter(|_| queue == empty) {
                let task = Task::new(id.parse().unwrap(), "task");
                files.edit(&after(1), |edit| edit.add(task.clone(), &Position::Back)).unwrap();
            }
            let before = texts(&files);
            files.edit(&after(2), first).unwrap();
            files.edit(&after(3), second).unwrap();
            let made = texts(&files).0;
            let last = files.operations().unwrap().len() as u64;
            for id in [last - 1, last] {
                let undone = undo_one(&files, id);
                assert!(undone.is_ok(), "{undone:?}: {made}");
            }
            assert_eq!(texts(&files), before);
        }
    }
}

#[test]
fn an_edit_is_taken_back_whatever_came_behind_its_task_on_the_line() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, COMPACT).unwrap();
    edit_at(&files, 1, |edit| edit.clone_task("RQ-0001", &IdRules::default(), &Copy::default()));
    edit_at(&files, 2, |edit| edit.set_field("RQ-0001", "title", "other"));
    undo_one(&files, 1).unwrap();
    undo_one(&files, 2).unwrap();
    assert_eq!(texts(&files).0, COMPACT);
}

#[test]
fn the_first_tasks_of_a_list_are_taken_back_in_any_order() {
    type Change = fn(&mut Edit<'_>, &'static str) -> Result<(), EditError>;
    let add: Change = |edit, id| edit.add(Task::new(id.parse().unwrap(), id), &Position::Back);
    let add_first: Change =
        |edit, id| edit.add(Task::new(id.parse().unwrap(), id), &Position::Front);
    let finish: Change = |edit, id| edit.finish(id, End::Done, Finish::Archive, None).map(drop);
    let none = "{\n  \"version\": 1,\n  \"tasks\": []\n}\n";
    let compact = r#"{"version":1,"tasks":[]}"#;
    let windows = none.replace('\n', "\r\n");
    for empty in [none, compact, &windows] {
        for (change, queue) in [
            (add, empty.to_owned()),
            (add_first, empty.to_owned()),
            (finish, sections("4 1 5 2 b 6 3 7")),
        ] {
            for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
                let root = tempfile::tempdir().unwrap();
                let files = journaled(root.path());
                fs::write(&files.queue, &queue).unwrap();
                fs::write(&files.done, empty).unwrap();
                for (hour, id) in (1..).zip(["RQ-0001", "RQ-0002", "RQ-0003"]) {
                    edit_at(&files, hour, |edit| change(edit, id));
                }
                for id in order {
                    let undone = undo_one(&files, id);
                    assert!(undone.is_ok(), "{undone:?} {order:?} {:?}", texts(&files));
                }
                assert_eq!(texts(&files), (queue.clone(), empty.to_owned()), "{order:?}");
            }
        }
    }
    // What somebody wrote above one of them goes to no other.
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, none).unwrap();
    for (hour, id) in (1..).zip(["RQ-0001", "RQ-0002"]) {
        edit_at(&files, hour, |edit| add(edit, id));
    }
    let noted = texts(&files).0.replacen("    {\n", "    // why\n    {\n", 1);
    fs::write(&files.queue, &noted).unwrap();
    assert!(undo_one(&files, 1).is_err());
    assert_eq!(texts(&files).0, noted);
}

#[test]
fn a_refused_undo_names_what_is_in_its_way() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    edit_at(&files, 1, |edit| edit.set_field("RQ-0002", "title", "zw"));
    edit_at(&files, 1, |edit| edit.set_field("RQ-0001", "title", "uno"));
    let made = texts(&files).0;
    let higher = made.replacen("// ours", "// ours\n// and mine", 1).replace("\"zw\"", "\"z\"");
    let without = made.replace("RQ-0002", "RQ-0009");
    for (id, by_hand, place) in [
        (1, made.replace("\"zw\"", "\"zwei\""), "`title` of RQ-0002, line 12 of the queue file"),
        (1, higher, "`title` of RQ-0002, line 13 of the queue file"),
        (1, without, "`title` of RQ-0002, which is not in the queue file any more"),
        (2, made.replace("\"uno\"", "\"ein\""), "RQ-0001, line 6 of the queue file"),
    ] {
        fs::write(&files.queue, by_hand).unwrap();
        let Err(UpdateError::Refused(refused)) = undo_one(&files, id) else { panic!("{place}") };
        let told = format!(
            "the queue has changed since operation {id} (`{}`) where it would be undone: {place}",
            files.holder.command
        );
        assert_eq!(refused.to_string(), told);
    }
}

#[test]
fn what_is_changed_otherwise_is_told_from_what_operations_did() {
    let root = tempfile::tempdir().unwrap();
    let files = journaled(root.path());
    fs::write(&files.queue, QUEUE).unwrap();
    edit_at(&files, 1, |edit| edit.set_field("RQ-0002", "title", "zw"));
    edit_at(&files, 2, |edit| edit.set_field("RQ-0001", "title", "uno"));
    edit_at(&files, 3, |edit| edit.set_field("RQ-0002", "title", "two"));
    undo_one(&files, 3).unwrap();
    let way = |place| {
        let operations = files.operations().unwrap();
        let way = in_the_way(&operations, (&files.load().unwrap(), place), 1, None).unwrap();
        let ids = |it: Vec<&Operation>| it.iter().map(|it| it.id).collect::<Vec<_>>();
        (ids(way.same), ids(way.others), way.is_changed_otherwise)
    };
    assert_eq!(way(Place::Queue), (vec![], vec![2], false));
    fs::write(&files.done, "{\"version\":1,\"tasks\":[]}").unwrap();
    assert_eq!(way(Place::Queue), (vec![], vec![2], false));
    fs::write(&files.queue, texts(&files).0 + "\n").unwrap();
    assert_eq!(way(Place::Queue), (vec![], vec![2], true));
}

/// Journals that older programs wrote, which are never edited, with the files that they left and
/// those of before.
#[test]
fn a_journal_of_an_older_form_is_undone_and_redone() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/journal");
    let mut count = 0;
    for case in fs::read_dir(cases).unwrap() {
        let case = case.unwrap().path();
        let read = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
        let root = tempfile::tempdir().unwrap();
        let files = journaled(root.path());
        fs::create_dir(root.path().join("cache")).unwrap();
        fs::write(files.journal.as_ref().unwrap(), read("journal.jsonl")).unwrap();
        fs::write(&files.queue, read("queue.jsonc")).unwrap();
        fs::write(&files.done, read("done.jsonc")).unwrap();
        let made = texts(&files);
        let undone = std::iter::from_fn(|| undo(&files, Direction::Undo).ok()).count();
        assert_eq!(
            texts(&files),
            (read("undone/queue.jsonc"), read("undone/done.jsonc")),
            "{}",
            case.display()
        );
        for _ in 0..undone {
            undo(&files, Direction::Redo).unwrap();
        }
        assert_eq!(texts(&files), made, "{}", case.display());
        assert_eq!(files.unreadable_lines().unwrap(), []);
        count += 1;
    }
    assert!(count > 1);
}
