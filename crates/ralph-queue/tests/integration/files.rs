//! The queue files on disk: locks, reloads, and two writers at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fs_err as fs;
use ralph_queue::delta::Fate;
use ralph_queue::edit::{Changed, End, Restart};
use ralph_queue::journal::{Direction, UndoError, Which};
use ralph_queue::mend::{Mended, Parted};
use ralph_queue::validate::{Code, Rules};
use ralph_queue::{
    Edit, EditError, Finish, IdRules, LegacyLock, LoadError, ParseError, Place, Position, Queue,
    QueueFiles, Status, Task, Terms, UpdateError,
};
use ralph_state::file::{self, FileLock, Holder, LockError, ReplaceError, Saved};
use ralph_state::{Clock, Timestamp};

use super::{clock, ids, now, text};

fn holder(command: &str) -> Holder {
    Holder {
        pid: std::process::id(),
        host: "here".to_owned(),
        command: command.to_owned(),
        since: now(),
    }
}

pub(crate) fn files(root: &Path) -> QueueFiles {
    QueueFiles::new(root.join("queue.jsonc"), root.join("done.jsonc"), holder("test"))
}

#[test]
fn a_queue_is_made_edited_and_read() {
    let root = tempfile::tempdir().unwrap();
    let files = files(&root.path().join("new").join(".ralph"));
    assert!(matches!(files.load(), Err(LoadError::Missing { .. })));
    let edited = files.edit(&clock(), |edit| edit.start("RQ-0001", Restart::Keep));
    assert!(matches!(edited, Err(UpdateError::Load(LoadError::Missing { .. }))));
    assert!(matches!(files.init().unwrap(), Saved::Durable));
    assert!(matches!(files.init().unwrap(), Saved::Unchanged));

    let id = files
        .edit(&clock(), |edit| {
            let id = edit.next_id(&IdRules::default())?;
            edit.add(Task::new(id.clone(), "first"), &Position::Front)?;
            Ok::<_, EditError>(id)
        })
        .unwrap();
    assert!(matches!((id.queue, id.done), (Saved::Durable, Saved::Unchanged)));
    assert!(!files.done.exists());
    let done = files
        .edit(&clock(), |edit| edit.finish("RQ-0001", End::Done, Finish::Archive, None))
        .unwrap();
    assert!(matches!(
        (done.value, done.queue, done.done),
        (Changed::Yes, Saved::Durable, Saved::Durable)
    ));
    let queue = files.load().unwrap();
    assert_eq!(
        (ids(queue.tasks()).as_str(), ids(queue.done_tasks()).as_str()),
        ("", "RQ-0001:done")
    );
    let nothing = files.edit(&clock(), |_| Ok::<_, EditError>(())).unwrap();
    assert!(matches!((nothing.queue, nothing.done), (Saved::Unchanged, Saved::Unchanged)));
}

#[test]
fn a_crash_between_the_two_saves_is_mended() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    fs::write(&files.queue, text(&["", ""])).unwrap();
    let before = fs::read(&files.queue).unwrap();
    files.edit(&clock(), |edit| edit.finish("RQ-0001", End::Done, Finish::Archive, None)).unwrap();
    // As if the queue file had not been written.
    fs::write(&files.queue, before).unwrap();
    let queue = files.load().unwrap();
    assert_eq!((ids(queue.tasks()).as_str(), queue.leftovers().count()), ("RQ-0002:todo", 1));
    files.edit(&clock(), |edit| edit.start("RQ-0002", Restart::Keep)).unwrap();
    let queue = files.load().unwrap();
    assert_eq!((queue.document().tasks().len(), queue.done_tasks().len()), (1, 1));
}

#[test]
fn a_move_that_only_one_file_can_take_is_none() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    fs::write(&files.queue, text(&["", ""])).unwrap();
    fs::write(&files.done, text(&[])).unwrap();
    let before = fs::read(&files.done).unwrap();
    let aside = root.path().join("aside");
    let refused = files.edit(&clock(), |edit| {
        // Nothing can be put in place of a directory.
        fs::rename(&files.queue, &aside).unwrap();
        fs::create_dir(&files.queue).unwrap();
        edit.finish("RQ-0001", End::Done, Finish::Archive, None)
    });
    let Err(UpdateError::Save { path, .. }) = refused else { panic!("refused") };
    assert_eq!(path, files.queue);
    assert_eq!(fs::read(&files.done).unwrap(), before);
    fs::remove_dir(&files.queue).unwrap();
    fs::rename(&aside, &files.queue).unwrap();
    assert_eq!(ids(files.load().unwrap().tasks()), "RQ-0001:todo RQ-0002:todo");
}

/// Files with one task, and a done file if that is wanted.
fn one_task(root: &Path, has_done: bool) -> QueueFiles {
    let files = QueueFiles { journal: Some(root.join("journal.jsonl")), ..files(root) };
    fs::write(&files.queue, text(&[""])).unwrap();
    if has_done {
        fs::write(&files.done, text(&[])).unwrap();
    }
    files
}

#[test]
fn what_another_program_writes_between_read_and_save_stays() {
    type Write = fn(&Path);
    let writes: [(&str, Write); 3] = [
        ("another file", |path| {
            let new = path.with_extension("new");
            fs::write(&new, text(&["", ""])).unwrap();
            fs::rename(&new, path).unwrap();
        }),
        ("the same length", |path| {
            let old = fs::read_to_string(path).unwrap();
            fs::write(path, old.replacen("version", "Version", 1)).unwrap();
        }),
        ("none", |path| fs::remove_file(path).unwrap()),
    ];
    for ((what, write), place) in
        writes.into_iter().flat_map(|write| [(write, Place::Queue), (write, Place::Done)])
    {
        let root = tempfile::tempdir().unwrap();
        let files = one_task(root.path(), true);
        let read = || [Place::Queue, Place::Done].map(|it| fs::read(files.path(it)).ok());
        let mut written = None;
        let refused = files.edit(&clock(), |edit| {
            write(files.path(place));
            written = Some(read());
            edit.finish("RQ-0001", End::Done, Finish::Archive, None)
        });
        let Err(UpdateError::Save { path, source: ReplaceError::Changed { .. } }) = refused else {
            panic!("{what}: {refused:?}")
        };
        assert_eq!(path, files.path(place), "{what}");
        assert_eq!(Some(read()), written, "{what}: both files");
        let journal = fs::read_to_string(root.path().join("journal.jsonl")).unwrap();
        assert_eq!(journal.lines().count(), 1, "{what}: nothing to undo: {journal}");
    }
}

#[test]
fn a_done_file_that_another_program_makes_meanwhile_stays() {
    let root = tempfile::tempdir().unwrap();
    let files = one_task(root.path(), false);
    let refused = files.edit(&clock(), |edit| {
        fs::write(&files.done, text(&[])).unwrap();
        edit.finish("RQ-0001", End::Done, Finish::Archive, None)
    });
    let is_changed =
        matches!(refused, Err(UpdateError::Save { source: ReplaceError::Changed { .. }, .. }));
    assert!(is_changed, "{refused:?}");
    assert_eq!(fs::read_to_string(&files.done).unwrap(), text(&[]));
}

#[test]
fn an_edit_that_is_made_again_keeps_what_came_in_between() {
    let root = tempfile::tempdir().unwrap();
    let files = one_task(root.path(), false);
    let mut calls = 0;
    let edited = files.edit_again(&clock(), |edit| {
        calls += 1;
        if calls == 1 {
            fs::write(&files.queue, text(&["", ""])).unwrap();
        }
        edit.start("RQ-0001", Restart::Keep)
    });
    edited.unwrap();
    assert_eq!(ids(files.load().unwrap().tasks()), "RQ-0001:doing RQ-0002:todo");
    assert_eq!(files.operations().unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_done_file_that_is_a_link_to_nothing_is_not_taken_for_none() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    fs::write(&files.queue, text(&[""])).unwrap();
    fs::os::unix::fs::symlink(root.path().join("away/done.jsonc"), &files.done).unwrap();
    assert!(matches!(files.load(), Err(LoadError::Missing { path }) if path == files.done));
    let finish = |edit: &mut Edit<'_>| edit.finish("RQ-0001", End::Done, Finish::Archive, None);
    assert!(matches!(files.edit(&clock(), finish), Err(UpdateError::Load(_))));
    assert!(!root.path().join("away").exists());
}

#[test]
fn one_file_is_not_taken_for_both() {
    let root = tempfile::tempdir().unwrap();
    let mut files = files(root.path());
    fs::write(&files.queue, text(&[""])).unwrap();
    files.done = files.queue.parent().unwrap().join(".").join(files.queue.file_name().unwrap());
    assert!(matches!(files.load(), Err(LoadError::OneFile { path }) if path == files.done));
    let finish = |edit: &mut Edit<'_>| edit.finish("RQ-0001", End::Done, Finish::Archive, None);
    assert!(matches!(files.edit(&clock(), finish), Err(UpdateError::Load(_))));
    assert_eq!(fs::read_to_string(&files.queue).unwrap(), text(&[""]));
}

#[test]
fn what_a_killed_writer_left_is_gone_after_any_edit() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    fs::write(&files.queue, text(&[""])).unwrap();
    let left = [".queue.jsonc.4711-0.tmp", ".done.jsonc.4711-0.tmp"].map(|it| root.path().join(it));
    for left in &left {
        fs::write(left, "half a f").unwrap();
    }
    files.edit(&clock(), |edit| edit.start("RQ-0001", Restart::Keep)).unwrap();
    assert_eq!(left.map(|left| left.exists()), [false, false]);
}

#[cfg(unix)]
#[test]
fn a_file_that_nobody_may_write_to_stays_as_it_is() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    let finish =
        || files.edit(&clock(), |edit| edit.finish("RQ-0001", End::Done, Finish::Archive, None));
    for read_only in [&files.queue, &files.done] {
        fs::write(&files.queue, text(&["", ""])).unwrap();
        fs::write(&files.done, text(&[])).unwrap();
        fs::set_permissions(read_only, Permissions::from_mode(0o444)).unwrap();
        let before = [&files.queue, &files.done].map(|file| fs::read(file).unwrap());
        let Err(UpdateError::ReadOnly { path }) = finish() else { panic!("refused") };
        assert_eq!(path, *read_only);
        assert_eq!([&files.queue, &files.done].map(|file| fs::read(file).unwrap()), before);
        fs::set_permissions(read_only, Permissions::from_mode(0o644)).unwrap();
    }
    finish().unwrap();
}

#[test]
fn a_reader_meets_a_task_that_moves_in_one_file_or_the_other() {
    let root = tempfile::tempdir().unwrap();
    let mut files = files(root.path());
    files.journal = Some(root.path().join("cache/journal.jsonl"));
    fs::write(&files.queue, text(&[""])).unwrap();
    files.edit(&clock(), |edit| edit.finish("RQ-0001", End::Done, Finish::Archive, None)).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for direction in [Direction::Undo, Direction::Redo].repeat(20) {
                let which = Which { direction, id: None, force: false };
                let moved = files
                    .undo(&clock(), which, &Terms::default(), |_, _, _| Ok::<_, UndoError>(()));
                moved.unwrap();
            }
        });
        while !writer.is_finished() {
            assert!(files.load().unwrap().find("RQ-0001").is_some());
        }
    });
}

#[test]
fn the_highest_number_has_none_after_it() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    let highest = format!("RQ-{}", IdRules::HIGHEST);
    fs::write(&files.queue, text(&[""]).replace("RQ-0001", &highest)).unwrap();
    let refused = files.edit(&clock(), |edit| edit.next_id(&IdRules::default()).map(drop));
    assert!(matches!(refused, Err(UpdateError::Refused(EditError::NoIdLeft))));
}

#[test]
fn a_number_above_the_highest_is_told_and_counts_for_nothing() {
    let root = tempfile::tempdir().unwrap();
    let marks = root.path().join("ids.json");
    let files = QueueFiles { id_marks: Some(marks.clone()), ..files(root.path()) };
    for number in ["1000000000000000000", &u64::MAX.to_string(), "99999999999999999999"] {
        let id = format!("RQ-{number}");
        fs::write(&files.queue, text(&["", ""]).replace("RQ-0002", &id)).unwrap();
        fs::write(&marks, format!(r#"{{"version":1,"highest":{{"RQ":{}}}}}"#, u64::MAX)).unwrap();
        let queue = files.load().unwrap();
        let problems = queue.validate(&files.rules);
        let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(told, [format!("the number of the id is above 999999999999999999: {number}")],);
        for given in ["RQ-0002", "RQ-0003"] {
            let add = |edit: &mut Edit<'_>| {
                let id = edit.next_id(&IdRules::default())?;
                edit.add(Task::new(id.clone(), "new"), &Position::Back)?;
                Ok::<_, EditError>(id)
            };
            assert_eq!(files.edit(&clock(), add).unwrap().value.as_str(), given);
        }
    }
}

#[test]
fn bad_files_are_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    for (bytes, wanted) in [
        (&b""[..], "the file is empty"),
        (
            b"{\"version\": 7, \"tasks\": []}",
            "the file has version 7, but this program knows versions up to 1",
        ),
        (b"{\n  \"version\": \xff}", "not UTF-8 at line 2, column 14"),
        (b"{\n<<<<<<< HEAD\n=======\n>>>>>>> b\n}", "conflict markers of git at line 2"),
    ] {
        fs::write(&files.queue, bytes).unwrap();
        let Err(LoadError::Parse { place: Place::Queue, source, .. }) = files.load() else {
            panic!("refused")
        };
        assert_eq!(source.to_string(), wanted);
        let edited = files.edit(&clock(), |edit| edit.start("RQ-0001", Restart::Keep));
        assert!(matches!(edited, Err(UpdateError::Load(_))));
        assert_eq!(fs::read(&files.queue).unwrap(), bytes);
    }
    fs::write(&files.queue, text(&[""])).unwrap();
    fs::write(&files.done, "{").unwrap();
    let refused = files.load();
    assert!(matches!(
        refused,
        Err(LoadError::Parse { place: Place::Done, source: ParseError::Syntax { .. }, .. })
    ));
}

#[test]
fn an_edit_may_not_add_an_error_but_may_leave_one() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    fs::write(&files.queue, text(&[r#""depends_on": ["RQ-0077"]"#, ""])).unwrap();
    // Those of tasks that are not changed count, too.
    let nothing = files.edit(&clock(), |_| Ok::<_, EditError>(())).unwrap();
    let edited = files.edit(&clock(), |edit| edit.start("RQ-0002", Restart::Keep)).unwrap();
    assert_eq!((nothing.errors, edited.errors), (0, 1));
    let untimed = text(&["", ""]).replacen("\"created_at\": \"2026-01-01T00:00:00Z\", ", "", 1);
    fs::write(&files.queue, untimed).unwrap();
    let edited = files.edit(&clock(), |edit| edit.start("RQ-0002", Restart::Keep)).unwrap();
    assert_eq!(edited.errors, 1);

    fs::write(&files.queue, text(&[r#""depends_on": ["RQ-0077"]"#, ""])).unwrap();
    files.edit(&clock(), |edit| edit.start("RQ-0001", Restart::Keep)).unwrap();
    let before = fs::read(&files.queue).unwrap();
    let refused = files.edit(&clock(), |edit| {
        edit.modify("RQ-0002", |task| task.depends_on.push("RQ-0002".to_owned()))
    });
    let Err(error) = refused else { panic!("refused") };
    let said = error.to_string();
    let UpdateError::Invalid { problems } = error else { panic!("{said}") };
    assert_eq!(
        said,
        format!(
            "the change would make the queue invalid (1 problem): RQ-0002: {}",
            problems[0].message
        )
    );
    assert_eq!(
        problems.iter().map(|problem| problem.code).collect::<Vec<_>>(),
        [Code::SelfReference]
    );
    assert_eq!(fs::read(&files.queue).unwrap(), before);
}

#[test]
fn the_lock_is_waited_for_and_its_holder_named() {
    let root = tempfile::tempdir().unwrap();
    let files = QueueFiles { lock_wait: Duration::from_millis(20), ..files(root.path()) };
    fs::write(&files.queue, text(&[""])).unwrap();
    let lock = FileLock::try_acquire(&files.lock_path(), &holder("ralph import")).unwrap().unwrap();
    let refused = files.edit(&clock(), |edit| edit.start("RQ-0001", Restart::Keep));
    let Err(UpdateError::Lock(LockError::Held { holder: Some(holder), .. })) = refused else {
        panic!("held")
    };
    assert_eq!(holder.command, "ralph import");
    drop(lock);
    files.edit(&clock(), |edit| edit.start("RQ-0001", Restart::Keep)).unwrap();
}

/// It may only be looked at under this lock.
struct Under(PathBuf);

impl Clock for Under {
    fn now(&self) -> Timestamp {
        assert!(file::is_locked(&self.0).unwrap());
        now()
    }
}

#[test]
fn the_time_of_a_change_is_that_under_the_lock() {
    let root = tempfile::tempdir().unwrap();
    let files =
        QueueFiles { journal: Some(root.path().join("journal.jsonl")), ..files(root.path()) };
    fs::write(&files.queue, text(&[""])).unwrap();
    let clock = Under(files.lock_path());
    let terms = Terms::default();
    files.edit(&clock, |edit| edit.start("RQ-0001", Restart::Keep)).unwrap();
    files.edit_on(&clock, &terms, |edit| edit.start("RQ-0001", Restart::Reset)).unwrap();
    let which = Which { direction: Direction::Undo, id: None, force: false };
    files.undo(&clock, which, &terms, |_, _, _| Ok::<_, UndoError>(())).unwrap();
}

#[test]
fn an_edit_tells_of_what_it_wrote_whoever_came_after_it() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    fs::write(&files.queue, text(&["", ""])).unwrap();
    let read = files.load().unwrap().revision();
    let started = files.edit(&clock(), |edit| edit.start("RQ-0001", Restart::Keep)).unwrap();
    let ended = files
        .edit(&clock(), |edit| edit.finish("RQ-0001", End::Done, Finish::Archive, None))
        .unwrap();
    let idle = files.edit(&clock(), |_| Ok::<_, EditError>(())).unwrap();
    assert_eq!([&started.before, &ended.before].map(Queue::revision), [read, started.rev.clone()]);
    let after = [started.after(), ended.after(), idle.after()];
    let open = after.each_ref().map(|queue| ids(queue.tasks()));
    assert_eq!(open, ["RQ-0001:doing RQ-0002:todo", "RQ-0002:todo", "RQ-0002:todo"]);
    let revs = after.map(|queue| queue.revision());
    assert_eq!(revs, [started.rev, ended.rev.clone(), ended.rev]);
}

#[test]
fn a_living_0_4_0_is_respected_and_a_dead_one_not() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("lock");
    let legacy = |alive: u32| LegacyLock {
        directory: directory.clone(),
        is_alive: Arc::new(move |pid| pid == alive),
    };
    let files = |alive| QueueFiles { legacy_lock: Some(legacy(alive)), ..files(root.path()) };
    fs::write(root.path().join("queue.jsonc"), text(&[""])).unwrap();
    let start = |alive| {
        files(alive).edit(&clock(), |edit| edit.start("RQ-0001", Restart::Reset)).map(|_| ())
    };
    start(1).unwrap();
    fs::create_dir(&directory).unwrap();
    start(1).unwrap();
    fs::write(
        directory.join("owner"),
        "pid: 4711\nstarted_at: x\ncommand: ralph run loop\nlabel: run loop\n",
    )
    .unwrap();
    start(1).unwrap();
    let Err(UpdateError::Legacy { pid: 4711, label: Some(label), .. }) = start(4711) else {
        panic!("held")
    };
    assert_eq!(label, "run loop");
    fs::write(directory.join("owner_task_12_0"), "pid: 12\nlabel: task\n").unwrap();
    assert!(matches!(start(12), Err(UpdateError::Legacy { pid: 12, .. })));
}

#[test]
fn adders_at_once_lose_nothing_and_share_no_id() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    assert!(matches!(files.init().unwrap(), Saved::Durable));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let files = files.clone();
            scope.spawn(move || {
                for _ in 0..10 {
                    files
                        .edit(&clock(), |edit| {
                            let id = edit.next_id(&IdRules::default())?;
                            edit.add(Task::new(id, "one of many"), &Position::Front)
                        })
                        .unwrap();
                }
            });
        }
    });
    let queue = files.load().unwrap();
    let numbers: std::collections::BTreeSet<_> =
        queue.tasks().map(|task| task.id.clone()).collect();
    assert_eq!((queue.tasks().count(), numbers.len()), (40, 40));
}

#[cfg(unix)]
#[test]
fn mode_and_symbolic_link_stay() {
    use std::os::unix::fs::PermissionsExt as _;

    let root = tempfile::tempdir().unwrap();
    let real = root.path().join("elsewhere.jsonc");
    fs::write(&real, text(&[""])).unwrap();
    fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    let files = files(root.path());
    fs::os::unix::fs::symlink(&real, &files.queue).unwrap();
    files.edit(&clock(), |edit| edit.start("RQ-0001", Restart::Keep)).unwrap();
    assert!(fs::symlink_metadata(&files.queue).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&real).unwrap().contains("doing"));
}

#[test]
fn two_tasks_with_one_id_in_both_files_are_parted_by_the_next_edit_that_is_made() {
    let root = tempfile::tempdir().unwrap();
    let mut files = files(root.path());
    files.journal = Some(root.path().join("cache/journal.jsonl"));
    let open = text(&["", r#""depends_on": ["RQ-0001"]"#]).replace("task 0001", "another");
    fs::write(&files.queue, open).unwrap();
    fs::write(&files.done, text(&[r#""status": "done", "completed_at": "2026-02-01T00:00:00Z""#]))
        .unwrap();
    assert_eq!(files.load().unwrap().namesakes().count(), 1);
    // That may be the finished one as well: nothing is changed, and nothing is told of it.
    let before = [&files.queue, &files.done].map(|file| fs::read(file).unwrap());
    let start = |id: &str| files.edit(&clock(), |edit| edit.start(id, Restart::Keep));
    let Err(UpdateError::Refused(EditError::AmbiguousId { id, lines })) = start("RQ-0001") else {
        panic!("both are meant");
    };
    assert_eq!((id.as_str(), lines), ("RQ-0001", vec![(Place::Queue, 4), (Place::Done, 4)]));
    let terms = Terms { if_rev: Some("another".to_owned()), ..Terms::default() };
    let stale = files.edit_on(&clock(), &terms, |edit| edit.start("RQ-0002", Restart::Keep));
    assert!(matches!(stale, Err(UpdateError::Stale { .. })));
    assert_eq!([&files.queue, &files.done].map(|file| fs::read(file).unwrap()), before);
    assert!(files.operations().unwrap().is_empty());

    let [was, id] = ["RQ-0001", "RQ-0003"].map(|id| id.parse().unwrap());
    let parted = vec![Parted { was, id, status: Status::Todo }];
    let shown = files.preview(now(), |edit| edit.start("RQ-0002", Restart::Keep)).unwrap();
    assert_eq!(shown.mended.parted, parted);
    assert_eq!(start("RQ-0002").unwrap().mended.parted, parted);
    let queue = files.load().unwrap();
    assert_eq!(shown.after.document(), queue.document());
    assert_eq!(ids(queue.tasks()), "RQ-0003:todo RQ-0002:doing");
    let tasks: Vec<&Task> = queue.tasks().collect();
    assert_eq!(tasks[0].former_ids().collect::<Vec<_>>(), ["RQ-0001"]);
    // It waits for the one that is not finished, whichever was meant.
    assert_eq!(tasks[1].depends_on, ["RQ-0001", "RQ-0003"]);
    assert_eq!(start("RQ-0003").unwrap().value, Changed::Yes);
}

/// What was wrong with a task before is nothing new because its id is.
#[test]
fn a_task_is_given_another_id_whatever_else_is_wrong_with_it() {
    let done = text(&[r#""status": "done", "completed_at": "2026-02-01T00:00:00Z""#]);
    for wrong in [
        r#""parent_id": "RQ-0077""#,
        r#""parent_id": "RQ-0001""#,
        r#""agent": {"phases": 9}"#,
        r#""scheduled_start": "soon""#,
        r#""depends_on": ["RQ-0077"]"#,
        r#""tags": [" "]"#,
        r#""custom_fields": {"a b": "c"}"#,
    ] {
        let open = text(&[wrong, ""]).replace("task 0001", "another");
        for repair in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let files = files(root.path());
            fs::write(&files.queue, &open).unwrap();
            fs::write(&files.done, &done).unwrap();
            let edited = files.edit(&clock(), |edit| {
                if repair {
                    edit.repair(&Rules::default()).map(drop)
                } else {
                    edit.start("RQ-0002", Restart::Keep).map(drop)
                }
            });
            assert!(edited.is_ok(), "{wrong}, repair: {repair}: {:?}", edited.err());
            let queue = files.load().unwrap();
            assert_eq!(queue.tasks().next().unwrap().id.as_str(), "RQ-0003");
            // Another error is none of before.
            let added = files.edit(&clock(), |edit| {
                edit.modify("RQ-0002", |task| task.depends_on = vec!["RQ-0099".to_owned()])
            });
            assert!(matches!(added, Err(UpdateError::Invalid { .. })));
        }
    }
}

/// The id hides it until it is parted.
#[test]
fn a_cycle_that_shows_once_ids_are_parted_holds_up_no_edit() {
    let ended = |names: &str| {
        let end = r#""status": "done", "completed_at": "2026-02-01T00:00:00Z""#;
        format!(r#"{end}, "depends_on": ["{names}"]"#)
    };
    let done = text(&[&ended("RQ-0002"), &ended("RQ-0001")]);
    let open = text(&["", ""]).replace("task 0001", "another").replace("RQ-0002", "RQ-0005");
    for act in [
        |edit: &mut Edit<'_>| edit.start("RQ-0005", Restart::Keep).map(drop),
        |edit: &mut Edit<'_>| edit.finish("RQ-0005", End::Done, Finish::Archive, None).map(drop),
        |edit: &mut Edit<'_>| edit.repair(&Rules::default()).map(drop),
        |edit: &mut Edit<'_>| {
            edit.add(Task::new("RQ-0009".parse().unwrap(), "new"), &Position::Front)
        },
    ] {
        let root = tempfile::tempdir().unwrap();
        let files = files(root.path());
        fs::write(&files.queue, &open).unwrap();
        fs::write(&files.done, &done).unwrap();
        files.edit(&clock(), act).unwrap();
        let queue = files.load().unwrap();
        assert!(queue.is_whole());
        let codes: Vec<Code> =
            queue.validate(&Rules::default()).into_iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [Code::Cycle]);
        // Another one is none of before.
        let added = files.edit(&clock(), |edit| {
            edit.add(Task::new("RQ-0010".parse().unwrap(), "one"), &Position::Back)?;
            edit.add(
                Task {
                    depends_on: vec!["RQ-0010".to_owned()],
                    ..Task::new("RQ-0011".parse().unwrap(), "two")
                },
                &Position::Back,
            )?;
            edit.modify("RQ-0010", |task| task.depends_on = vec!["RQ-0011".to_owned()])
        });
        assert!(matches!(added, Err(UpdateError::Invalid { .. })));
    }
}

#[test]
fn an_edit_that_changes_nothing_puts_nothing_in_order() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    let finished = r#""status": "done", "completed_at": "2026-02-01T00:00:00Z""#;
    fs::write(&files.queue, text(&[finished, r#""status": "doing""#])).unwrap();
    fs::write(&files.done, text(&[finished])).unwrap();
    let both = || [&files.queue, &files.done].map(|file| fs::read(file).unwrap());
    let before = both();
    let start = |id: &str| files.edit(&clock(), |edit| edit.start(id, Restart::Keep)).unwrap();
    let idle = start("RQ-0002");
    assert_eq!((idle.value, idle.mended), (Changed::No, Mended::default()));
    assert_eq!(both(), before);
    let add = |edit: &mut Edit<'_>| edit.annotate("RQ-0002", "seen");
    let edited = files.edit(&clock(), add).unwrap();
    assert_eq!((edited.value, edited.mended.healed.len()), (Changed::Yes, 1));
    assert_eq!(ids(files.load().unwrap().tasks()), "RQ-0002:doing");
}

#[test]
fn of_one_task_twice_the_later_copy_stays_and_that_is_told() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    let done = r#""status": "done", "completed_at": "2026-02-01T00:00:00Z", "notes": ["how"]"#;
    let later =
        |text: String| text.replace("\"updated_at\": \"2026-01", "\"updated_at\": \"2026-03");
    let repaired = |open: String, done: String| {
        fs::write(&files.queue, open).unwrap();
        fs::write(&files.done, done).unwrap();
        let previewed = files.preview(now(), |edit| edit.repair(&Rules::default())).unwrap();
        let after = previewed.after;
        let tasks: Vec<Task> = after.tasks().chain(after.done_tasks()).cloned().collect();
        (ids(&tasks), tasks[0].clone(), previewed.tasks)
    };
    let (all, task, touched) = repaired(later(text(&[r#""tags": ["x"]"#])), text(&[done]));
    assert_eq!(
        (all.as_str(), task.tags, task.notes),
        ("RQ-0001:todo", vec!["x".into()], vec!["how".into()])
    );
    assert_eq!((touched.len(), touched[0].fate), (1, Fate::Changed));
    // Of two that are as old the finished one.
    let (all, task, _) = repaired(text(&[r#""tags": ["x"]"#]), text(&[done]));
    assert_eq!((all.as_str(), task.tags), ("RQ-0001:done", vec!["x".into()]));
    // Nothing new in it.
    let (_, _, touched) = repaired(text(&[""]), text(&[done]));
    assert_eq!((touched.len(), touched[0].fate), (1, Fate::Moved));
    // The same in one file.
    let twice = text(&[done, "", r#""tags": ["x"], "priority": "high""#]).replace("0003", "0001");
    let (all, task, _) = repaired(twice, text(&[]));
    assert_eq!((all.as_str(), task.tags), ("RQ-0001:done RQ-0002:todo", vec!["x".into()]));
    assert_eq!(task.notes, ["how", "Another copy of this task had `priority`: \"high\""]);
}

#[test]
fn a_repair_closes_no_task_that_was_opened_again_and_says_what_it_closes() {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
    let end = r#""status": "done", "completed_at": "2026-02-01T00:00:00Z""#;
    let at = |text: String, time: &str| {
        let old = "\"updated_at\": \"2026-01-01T00:00:00Z";
        assert!(text.contains(old));
        text.replace(old, &format!("\"updated_at\": \"2026-{time}T00:00:00Z"))
    };
    // It ended in February, and was moved to the done file in April.
    let done = at(text(&[end]), "04-01");
    let repaired = |open: String| {
        fs::write(&files.queue, open).unwrap();
        fs::write(&files.done, &done).unwrap();
        let problems = files.load().unwrap().validate(&files.rules);
        let previewed = files.preview(now(), |edit| edit.repair(&Rules::default())).unwrap();
        let after = previewed.after;
        let closed: Vec<String> = previewed.value.iter().map(ToString::to_string).collect();
        let told = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
        (ids(after.tasks().chain(after.done_tasks())), closed, told)
    };
    let new = r#""notes": ["again"]"#;
    let with_end = r#""notes": ["again"], "completed_at": "2026-02-01T00:00:00Z""#;
    for open in [at(text(&[new]), "02-01"), at(text(&[new]), "03-01"), text(&[with_end])] {
        let (all, closed, told) = repaired(open);
        assert_eq!((all.as_str(), closed), ("RQ-0001:todo", Vec::new()));
        assert!(told.ends_with("makes one of both, which stays open"), "{told}");
    }
    let (all, closed, told) = repaired(text(&[new]));
    assert_eq!((all.as_str(), closed), ("RQ-0001:done", vec!["RQ-0001".to_owned()]));
    assert!(told.ends_with("makes one of both, which is finished"), "{told}");
}
