//! Edits as splices: only the bytes of the edited tasks change.

use proptest::prelude::*;
use ralph_queue::copies::{Copy, Plan};
use ralph_queue::edit::{Changed, End, Restart, Spliced};
use ralph_queue::fields::Relation;
use ralph_queue::validate::Code;
use ralph_queue::{
    Document, Edit, EditError, Finish, IdRules, Place, Position, Queue, Rules, Status, Task,
};

use super::{ids, now, queue, text};

/// Both files after an edit.
fn after(queue: &Queue, change: impl FnOnce(&mut Edit<'_>)) -> (Document, Document) {
    let mut edit = Edit::new(queue, now());
    change(&mut edit);
    let spliced = edit.splice().unwrap();
    (
        spliced.queue.unwrap_or_else(|| queue.document().clone()),
        spliced.done.unwrap_or_else(|| queue.done_document().clone()),
    )
}

const DONE: &str = r#""status": "done", "completed_at": "2026-01-02T00:00:00Z""#;

#[test]
fn start_done_reject_ready_and_status() {
    let queue = queue(&[
        "",
        r#""status": "doing", "started_at": "2026-01-03T00:00:00Z""#,
        r#""status": "draft""#,
        DONE,
    ]);
    let (open, done) = after(&queue, |edit| {
        assert_eq!(edit.start("RQ-0001", Restart::Keep), Ok(Changed::Yes));
        assert_eq!(edit.start("RQ-0002", Restart::Keep), Ok(Changed::No));
        assert_eq!(edit.ready("RQ-0003", Some("now")), Ok(Changed::Yes));
        assert!(matches!(
            edit.start("RQ-0004", Restart::Reset),
            Err(EditError::WrongStatus { .. })
        ));
        assert!(matches!(
            edit.finish("RQ-0009", End::Done, Finish::Archive, None),
            Err(EditError::NotFound { .. })
        ));
        assert_eq!(
            edit.finish("RQ-0002", End::Rejected, Finish::Archive, Some("no")),
            Ok(Changed::Yes)
        );
        assert_eq!(edit.finish("RQ-0002", End::Rejected, Finish::Archive, None), Ok(Changed::No));
        let mut again = |note| edit.finish("RQ-0002", End::Rejected, Finish::Archive, Some(note));
        assert_eq!((again("no"), again("since")), (Ok(Changed::No), Ok(Changed::Yes)));
        assert!(matches!(edit.start("RQ-0002", Restart::Keep), Err(EditError::Archived { .. })));
        assert_eq!(edit.finish("RQ-0004", End::Done, Finish::InPlace, None), Ok(Changed::No));
        let mut again = |note| edit.finish("RQ-0004", End::Done, Finish::InPlace, Some(note));
        assert_eq!(again("better said"), Ok(Changed::Yes));
        assert_eq!(again("better said "), Ok(Changed::No), "it is there");
    });
    assert_eq!(ids(open.tasks()), "RQ-0001:doing RQ-0003:todo RQ-0004:done");
    assert_eq!(open.tasks()[2].notes, ["better said"]);
    assert_eq!(ids(done.tasks()), "RQ-0002:rejected");
    let stamp = Some("2026-04-22T12:00:00.000000000Z".to_owned());
    assert_eq!((&open.tasks()[0].started_at, &open.tasks()[0].updated_at), (&stamp, &stamp));
    assert_eq!(open.tasks()[1].notes, ["now"]);
    assert_eq!(
        (&done.tasks()[0].completed_at, &done.tasks()[0].notes[0]),
        (&stamp, &"no".to_owned())
    );
    assert_eq!(done.tasks()[0].started_at.as_deref(), Some("2026-01-03T00:00:00Z"));

    let (open, _) = after(&queue, |edit| {
        assert_eq!(edit.start("RQ-0002", Restart::Reset), Ok(Changed::Yes));
        assert_eq!(edit.set_status("RQ-0004", Status::Todo, None), Ok(Changed::Yes));
        assert_eq!(edit.set_status("RQ-0001", Status::Todo, None), Ok(Changed::No));
        assert_eq!(edit.modify("RQ-0001", |_| ()), Ok(Changed::No));
    });
    assert_eq!(open.tasks()[1].started_at, stamp);
    assert_eq!(open.tasks()[3].completed_at, None);
    assert_eq!(open.tasks()[0], queue.document().tasks()[0]);
}

#[test]
fn a_version_from_before_the_end_is_caught_up_unless_it_says_more() {
    let open = queue(&["", r#""status": "doing""#, r#""notes": ["mine"]"#, DONE]);
    let (ended, _) = after(&open, |edit| {
        for id in ["RQ-0001", "RQ-0002", "RQ-0003"] {
            edit.finish(id, End::Done, Finish::InPlace, Some("made it")).unwrap();
        }
        edit.modify("RQ-0003", |task| task.notes.retain(|note| note != "mine")).unwrap();
    });
    let ended: Vec<Task> = ended.tasks().iter().cloned().collect();
    let (queue, done) = after(&open, |edit| {
        assert_eq!(edit.catch_up(&ended[0], Place::Queue), Ok(Changed::Yes));
        assert_eq!(edit.catch_up(&ended[1], Place::Done), Ok(Changed::Yes));
        assert_eq!(edit.catch_up(&ended[2], Place::Queue), Ok(Changed::No), "it has a note");
        assert_eq!(edit.catch_up(&ended[3], Place::Queue), Ok(Changed::No), "it has ended");
        assert_eq!(edit.catch_up(&open.document().tasks()[0], Place::Queue), Ok(Changed::No));
    });
    assert_eq!(ids(queue.tasks()), "RQ-0001:done RQ-0003:todo RQ-0004:done");
    assert_eq!((&queue.tasks()[0], &done.tasks()[0]), (&ended[0], &ended[1]));
}

#[test]
fn finishing_in_place_is_a_change_of_lines_of_one_task() {
    let queue = queue(&["", "", ""]);
    let (open, done) = after(&queue, |edit| {
        edit.finish("RQ-0002", End::Done, Finish::InPlace, None).unwrap();
    });
    assert_eq!(ids(open.tasks()), "RQ-0001:todo RQ-0002:done RQ-0003:todo");
    assert!(done.tasks().is_empty());
    let changed = queue
        .document()
        .text()
        .lines()
        .zip(open.text().lines())
        .filter(|(old, new)| old != new)
        .count();
    assert_eq!(changed, 1);
}

#[test]
fn new_tasks_get_the_next_id_and_the_place_of_0_4_0() {
    let queue = queue(&[
        r#""status": "doing""#,
        "",
        r#""status": "rejected", "completed_at": "2026-01-02T00:00:00Z""#,
    ]);
    let rules = IdRules::default();
    let (open, _) = after(&queue, |edit| {
        for (title, position) in [
            ("front", Position::Front),
            ("back", Position::Back),
            ("after", Position::After("RQ-0002".parse().unwrap())),
            ("before", Position::Before("RQ-0002".parse().unwrap())),
        ] {
            let id = edit.next_id(&rules).unwrap();
            edit.add(Task::new(id, title), &position).unwrap();
        }
        let taken = Task::new("RQ-0003".parse().unwrap(), "x");
        assert!(matches!(edit.add(taken, &Position::Back), Err(EditError::IdTaken { .. })));
        let id = edit.next_id(&IdRules { high_water: 41, ..rules.clone() }).unwrap();
        assert_eq!(id.as_str(), "RQ-0042");
    });
    let titles: Vec<_> =
        open.tasks().iter().map(|task| format!("{} {}", task.id, task.title)).collect();
    assert_eq!(
        titles,
        [
            "RQ-0001 task 0001",
            "RQ-0004 front",
            "RQ-0007 before",
            "RQ-0002 task 0002",
            "RQ-0006 after",
            "RQ-0003 task 0003",
            "RQ-0005 back"
        ]
    );
    assert_eq!(open.tasks()[1].created_at.as_deref(), Some("2026-04-22T12:00:00.000000000Z"));
}

#[test]
fn a_new_task_stands_in_the_section_of_the_one_it_is_put_beside() {
    let task = |id: &str| format!("{{\"id\":\"{id}\",\"title\":\"t\"}}");
    let tasks = ["RQ-0001", "RQ-0002"].map(task).join(",\n\n// Later\n\n");
    let text = format!("{{\"version\":1,\"tasks\":[\n{tasks}\n]}}");
    let queue = Queue::new(Document::parse(text).unwrap(), None);
    let (open, _) = after(&queue, |edit| {
        for position in [
            Position::Before("RQ-0002".parse().unwrap()),
            Position::After("RQ-0001".parse().unwrap()),
        ] {
            let id = edit.next_id(&IdRules::default()).unwrap();
            edit.add(Task::new(id, "new"), &position).unwrap();
        }
    });
    let heading = open.text().find("// Later").unwrap();
    let is_later = |id: &str| open.text().find(id).unwrap() > heading;
    assert_eq!(ids(open.tasks()), "RQ-0001:todo RQ-0004:todo RQ-0003:todo RQ-0002:todo");
    assert!(!is_later("RQ-0004") && is_later("RQ-0003"), "{}", open.text());
}

#[test]
fn archive_moves_all_that_is_finished_in_order() {
    let queue = queue(&[DONE, "", r#""status": "rejected""#, DONE]);
    let (open, done) = after(&queue, |edit| {
        assert_eq!(
            edit.archive().iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["RQ-0001", "RQ-0003", "RQ-0004"]
        );
        assert_eq!(edit.archive(), []);
    });
    assert_eq!(ids(open.tasks()), "RQ-0002:todo");
    assert_eq!(ids(done.tasks()), "RQ-0001:done RQ-0003:rejected RQ-0004:done");
    assert!(done.tasks().iter().all(|task| task.completed_at.is_some()));
}

#[test]
fn a_task_that_was_opened_again_stays_open_until_a_repair_or_its_end() {
    let open = text(&[r#""notes": ["again"]"#, ""])
        .replace("\"updated_at\": \"2026-01", "\"updated_at\": \"2026-03");
    let open = Document::parse(open).unwrap();
    let done = Document::parse(text(&[DONE])).unwrap();
    let queue = Queue::new(open.clone(), Some(done.clone()));
    assert_eq!((queue.leftovers().count(), queue.reopened().count()), (0, 1));
    assert_eq!(queue.find("RQ-0001").unwrap().1.status, Status::Todo);
    let (after_open, after_done) = after(&queue, |edit| {
        edit.start("RQ-0002", Restart::Keep).unwrap();
    });
    assert_eq!(ids(after_open.tasks()), "RQ-0001:todo RQ-0002:doing");
    assert_eq!((&after_open.tasks()[0], after_done), (&open.tasks()[0], done));

    let (after_open, after_done) = after(&queue, |edit| {
        assert_eq!(edit.repair(&Rules::default()), Ok(Vec::new()));
    });
    assert_eq!(
        (ids(after_open.tasks()).as_str(), ids(after_done.tasks()).as_str()),
        ("RQ-0001:todo RQ-0002:todo", "")
    );
    let task = &after_open.tasks()[0];
    assert_eq!((&task.notes, &task.completed_at), (&vec!["again".to_owned()], &None));

    // When it ends again it is there once.
    for archive in [false, true] {
        let (after_open, after_done) = after(&queue, |edit| {
            let how = if archive { Finish::InPlace } else { Finish::Archive };
            edit.finish("RQ-0001", End::Rejected, how, None).unwrap();
            edit.archive();
        });
        assert_eq!(ids(after_open.tasks()), "RQ-0002:todo");
        assert_eq!(ids(after_done.tasks()), "RQ-0001:rejected");
        assert_eq!(after_done.tasks()[0].notes, ["again"]);
    }
}

#[test]
fn a_task_that_was_opened_again_by_hand_has_the_time_of_its_end() {
    let at = |text: String, time: &str| {
        text.replace("\"updated_at\": \"2026-01-01", &format!("\"updated_at\": \"{time}"))
    };
    let end = r#""status": "done", "completed_at": "2026-02-01T00:00:00Z""#;
    let open = Document::parse(at(text(&[""]), "2026-02-01")).unwrap();
    // It was moved later.
    let done = Document::parse(at(text(&[end]), "2026-03-01")).unwrap();
    let queue = Queue::new(open, Some(done));
    assert_eq!((queue.leftovers().count(), queue.reopened().count()), (0, 1));
}

#[test]
fn what_a_crash_left_in_both_files_goes_with_the_next_edit() {
    let open = Document::parse(text(&["", ""])).unwrap();
    let done = text(&[DONE]).replace("\"updated_at\": \"2026-01", "\"updated_at\": \"2026-02");
    let done = Document::parse(done).unwrap();
    let queue = Queue::new(open, Some(done.clone()));
    let (open, after_done) = after(&queue, |edit| {
        assert_eq!(edit.finish("RQ-0001", End::Done, Finish::Archive, None), Ok(Changed::No));
    });
    assert_eq!(ids(open.tasks()), "RQ-0002:todo");
    assert_eq!(after_done, done);
}

#[test]
fn ids_that_only_the_copy_left_behind_had_before_find_the_finished_task() {
    let renumbered = |ids: &str| format!(r#""custom_fields": {{"former_ids": "{ids}"}}"#);
    let open = Document::parse(text(&[&renumbered("RQ-0006,RQ-0008"), ""])).unwrap();
    let done = text(&[&format!("{DONE}, {}", renumbered("RQ-0006"))]);
    let done = done.replace("\"updated_at\": \"2026-01", "\"updated_at\": \"2026-02");
    let queue = Queue::new(open, Some(Document::parse(done).unwrap()));
    assert_eq!((queue.leftovers().count(), queue.reopened().count()), (1, 0));
    let status = |queue: &Queue| queue.find("RQ-0008").map(|(_, task)| task.status);
    assert_eq!(status(&queue), Some(Status::Done));
    let (open, done) = after(&queue, |_| {});
    assert_eq!(ids(open.tasks()), "RQ-0002:todo");
    assert_eq!(status(&Queue::new(open, Some(done))), Some(Status::Done));
}

/// A version of the first task: when it was changed, its status, and what else is in it.
fn version() -> impl Strategy<Value = Task> {
    let words = || proptest::sample::subsequence(vec!["a", "b", "c"], 0..=3);
    let status = proptest::sample::select(Status::ALL);
    (1..4u8, status, words(), words(), proptest::option::of("[xy]")).prop_map(
        |(day, status, notes, tags, description)| {
            let mut task = Task::new("RQ-0001".parse().unwrap(), "one");
            let time = |day: u8| Some(format!("2026-01-0{day}T00:00:00Z"));
            (task.created_at, task.updated_at) = (time(1), time(day));
            task.completed_at = time(day).filter(|_| status.is_terminal());
            task.notes = notes.into_iter().map(str::to_owned).collect();
            task.tags = tags.into_iter().map(str::to_owned).collect();
            Task { status, description, ..task }
        },
    )
}

proptest! {
    /// The copy in the queue file goes only where that closes no task that was opened again, and
    /// loses nothing of it; else both stay as they are.
    #[test]
    fn a_task_in_both_files_is_left_alone_or_loses_nothing(open in version(), done in version()) {
        prop_assume!(done.status.is_terminal());
        let file = |tasks: &[&Task]| {
            let tasks: Vec<String> = tasks.iter().map(|it| serde_json::to_string(it).unwrap()).collect();
            Document::parse(format!("{{\"version\": 1, \"tasks\": [{}]}}", tasks.join(", "))).unwrap()
        };
        let other = Task::new("RQ-0002".parse().unwrap(), "two");
        let queue = Queue::new(file(&[&open, &other]), Some(file(&[&done])));
        let (after_open, after_done) = after(&queue, |edit| {
            edit.start("RQ-0002", Restart::Keep).unwrap();
        });
        let kept = &after_done.tasks()[0];
        if after_open.tasks().len() == 2 {
            prop_assert_eq!((&after_open.tasks()[0], kept), (&open, &done));
            prop_assert!(!open.status.is_terminal());
        } else {
            prop_assert!(open.status.is_terminal() || open.updated_at < done.updated_at);
            prop_assert!(open.status.is_terminal() || *kept == done);
            prop_assert!(kept.status.is_terminal());
            let has = |list: &[String], item: &String| list.contains(item);
            prop_assert!(open.notes.iter().all(|note| has(&kept.notes, note)));
            prop_assert!(open.tags.iter().all(|tag| has(&kept.tags, tag)));
            let is_told = |text: &String| {
                kept.description.as_ref() == Some(text)
                    || kept.notes.iter().any(|note| note.contains(&format!("\"{text}\"")))
            };
            prop_assert!(open.description.as_ref().is_none_or(is_told));
        }
    }
}

/// Says whether an edit does anything by the id of a task, and what.
type Act = fn(&mut Edit<'_>, &str) -> Result<(), EditError>;

const ACTS: [(&str, Act); 16] = [
    ("start", |edit, id| edit.start(id, Restart::Keep).map(drop)),
    ("done", |edit, id| edit.finish(id, End::Done, Finish::Archive, None).map(drop)),
    ("reject", |edit, id| edit.finish(id, End::Rejected, Finish::InPlace, Some("no")).map(drop)),
    ("ready", |edit, id| edit.ready(id, None).map(drop)),
    ("status", |edit, id| edit.set_status(id, Status::Doing, None).map(drop)),
    ("modify", |edit, id| edit.modify(id, |task| task.title.clear()).map(drop)),
    ("field", |edit, id| edit.set_field(id, "tags", "x").map(drop)),
    ("as it was", |edit, id| edit.expect_updated_at(id, "2026-01-01T00:00:00Z")),
    ("relate", |edit, id| edit.relate(id, Relation::RelatesTo, "RQ-0003").map(drop)),
    ("relate to", |edit, id| edit.relate("RQ-0003", Relation::RelatesTo, id).map(drop)),
    ("wait for", |edit, id| edit.set_field("RQ-0003", "depends_on", id).map(drop)),
    ("add", |edit, id| {
        let parent_id = Some(id.to_owned());
        let new = Task { parent_id, ..Task::new("RQ-0009".parse().unwrap(), "new") };
        edit.add(new, &Position::Back)
    }),
    ("archive", |edit, id| edit.archivable(id).map(drop)),
    ("delete", |edit, id| edit.delete(&["RQ-0003".to_owned(), id.to_owned()])),
    ("clone", |edit, id| edit.clone_task(id, &IdRules::default(), &Copy::default()).map(drop)),
    ("split", |edit, id| {
        edit.split(id, &IdRules::default(), 2, &Copy::default(), Plan::Drop).map(drop)
    }),
];

#[test]
fn no_edit_chooses_between_two_tasks_with_one_id() {
    let twins = |first: &str, second: &str| {
        let open = text(&[first, second, ""]).replace("RQ-0002", "RQ-0001");
        Queue::new(Document::parse(open).unwrap(), None)
    };
    let both = |open: &str, done: &str| {
        let done = text(&[done]).replace("task 0001", "another");
        let open = Document::parse(text(&[open, "", ""])).unwrap();
        Queue::new(open, Some(Document::parse(done).unwrap()))
    };
    let rejected = DONE.replace("done", "rejected");
    let (queue, done) = (Place::Queue, Place::Done);
    for (name, files, there) in [
        ("both open", twins("", ""), Some([(queue, 4), (queue, 5)])),
        ("one begun", twins("", r#""status": "doing""#), Some([(queue, 4), (queue, 5)])),
        ("one finished", twins(DONE, ""), Some([(queue, 4), (queue, 5)])),
        ("in both files", both("", DONE), Some([(queue, 4), (done, 4)])),
        ("a rejected one has no claim to it", twins(&rejected, ""), None),
        ("nor has it in the done file", both("", &rejected), None),
    ] {
        for (act, make) in ACTS {
            let mut edit = Edit::new(&files, now());
            let made = make(&mut edit, "RQ-0001");
            let Some(there) = there else {
                assert!(!matches!(made, Err(EditError::AmbiguousId { .. })), "{name}: {act}");
                continue;
            };
            let refused = EditError::AmbiguousId { id: "RQ-0001".into(), lines: there.to_vec() };
            assert_eq!(made, Err(refused), "{name}: {act}");
            assert_eq!(edit.splice(), Ok(Spliced::default()), "{name}: {act}");
            // By other ids, also once many have been asked for.
            for _ in 0..20 {
                assert_eq!(edit.unambiguous("RQ-0003"), Ok(()));
                assert!(edit.unambiguous("RQ-0001").is_err(), "{name}");
            }
            assert_eq!(edit.start("RQ-0003", Restart::Keep), Ok(Changed::Yes));
        }
    }
}

#[test]
fn an_id_that_a_task_had_before_is_given_to_no_other() {
    let queue = queue(&[r#""custom_fields": {"former_ids": "RQ-0012,RQ-0007"}"#, ""]);
    assert_eq!(queue.highest_number(&IdRules::default()), 12);
    let (open, _) = after(&queue, |edit| {
        let id = edit.next_id(&IdRules::default()).unwrap();
        edit.add(Task::new(id, "new"), &Position::Back).unwrap();
    });
    assert_eq!(open.tasks()[2].id.as_str(), "RQ-0013");
}

#[test]
fn an_id_that_several_tasks_had_before_is_nobodys() {
    let former = r#""custom_fields": {"former_ids": "RQ-7"}"#;
    let queue = queue(&[former, former, ""]);
    assert_eq!(queue.find("RQ-7"), None);
    let mut edit = Edit::new(&queue, now());
    assert_eq!(edit.find("RQ-7"), None);
    assert!(edit.modify("RQ-7", |task| task.title.push('!')).is_err());
    let (open, _) = after(&queue, |edit| {
        edit.set_field("RQ-0003", "depends_on", "RQ-7").unwrap();
        edit.repair(&Rules::default()).unwrap();
    });
    let last = &open.tasks()[2];
    assert_eq!((last.depends_on.len(), last.notes.len()), (0, 1), "{last:?}");
}

/// Another task may have kept it, and be gone.
#[test]
fn nothing_is_done_to_a_task_by_an_id_that_it_had_before() {
    let queue = queue(&["", r#""custom_fields": {"former_ids": "RQ-7"}"#, ""]);
    assert_eq!(queue.find("RQ-7").map(|(_, task)| task.id.as_str()), Some("RQ-0002"));
    assert_eq!(queue.with_id("RQ-7"), None);
    let mut edit = Edit::new(&queue, now());
    let nobody = EditError::NotFound { id: "RQ-7".to_owned() };
    assert_eq!(edit.finish("RQ-7", End::Done, Finish::InPlace, None), Err(nobody.clone()));
    assert_eq!(edit.annotate("RQ-7", "note"), Err(nobody.clone()));
    assert_eq!(edit.set_field("RQ-7", "title", "x"), Err(nobody.clone()));
    let copy = edit.clone_task("RQ-7", &IdRules::default(), &Copy::default());
    assert_eq!(copy, Err(nobody));
    let taken = edit.add(Task::new("RQ-7".parse().unwrap(), "x"), &Position::Back);
    assert!(matches!(taken, Err(EditError::IdTaken { .. })));
}

#[test]
fn a_name_that_a_task_had_before_is_led_to_it_by_nothing() {
    let queue = queue(&["", r#""custom_fields": {"former_ids": "RQ-7"}"#, ""]);
    let (open, done) = after(&queue, |edit| {
        edit.set_field("RQ-0003", "depends_on", "RQ-7").unwrap();
        edit.relate("RQ-0003", Relation::Blocks, "RQ-7").unwrap();
        let named = vec!["RQ-7".into()];
        let task = Task { relates_to: named, ..Task::new("RQ-0004".parse().unwrap(), "x") };
        edit.add(task, &Position::Back).unwrap();
    });
    let names = |task: &Task| task.references().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(open.tasks().iter().map(names).collect::<Vec<_>>(), ["", "", "RQ-7 RQ-7", "RQ-7"]);
    let queue = Queue::new(open, Some(done));
    let problems = queue.validate(&Rules::default());
    assert_eq!(problems.len(), 3, "{problems:?}");
    for problem in problems {
        assert_eq!(problem.code, Code::UnknownTask);
        assert!(problem.message.ends_with("; `RQ-0002` had that id"), "{}", problem.message);
    }
    let (open, _) = after(&queue, |edit| {
        edit.repair(&Rules::default()).unwrap();
    });
    let [.., third, fourth] = open.tasks().iter().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(
        [third, fourth].map(|task| (names(task), task.notes.len())),
        [(String::new(), 2), (String::new(), 1)]
    );
}

#[test]
fn an_id_that_came_past_the_operations_is_not_given_again() {
    let queue = queue(&[""]);
    let mut edit = Edit::new(&queue, now());
    let next = edit.next_id(&IdRules::default()).unwrap();
    let [open, _] = edit.drafts_mut();
    open.insert(1, Task::new(next.clone(), "by hand"));
    assert_eq!(
        [next, edit.next_id(&IdRules::default()).unwrap()].map(|id| id.to_string()),
        ["RQ-0002", "RQ-0003"]
    );
}

#[test]
fn agent_is_set_to_nothing_that_0_4_0_refuses_but_for_what_was_there() {
    let text = r#"{"version":1,"tasks":[{"id":"RQ-0001","title":"a","agent":{"model_effort":"x","other":1}}]}"#;
    let queue = Queue::new(Document::parse(text).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    for (value, wrong) in [
        (r#"{"model_effort":"y","runner":""}"#, "`agent.runner` must be a text that is not blank"),
        (
            r#"{"foo":1}"#,
            "`agent.foo` is unknown; known are runner, model, model_effort, phases, iterations, followup_reasoning_effort, runner_cli, phase_overrides",
        ),
        (
            r#"{"runner_cli":{"sandbox":"nope"}}"#,
            "`agent.runner_cli.sandbox` must be one of default, enabled, disabled",
        ),
        (
            r#"{"phase_overrides":{"phase9":{}}}"#,
            "`agent.phase_overrides.phase9` is unknown; known are phase1, phase2, phase3",
        ),
        (
            r#"{"followup_reasoning_effort":"default"}"#,
            "`agent.followup_reasoning_effort` must be one of low, medium, high, xhigh",
        ),
    ] {
        let refused = edit.set_field("RQ-0001", "agent", value);
        let Err(EditError::Field { source, .. }) = refused else { panic!("{value}: {refused:?}") };
        assert_eq!(source.to_string(), wrong);
    }
    for value in [r#"{"model_effort":"x","other":1,"phases":2}"#, r#"{"model_effort":"xhigh"}"#, ""]
    {
        assert_eq!(edit.set_field("RQ-0001", "agent", value), Ok(Changed::Yes), "{value}");
    }
}
