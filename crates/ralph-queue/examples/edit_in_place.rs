//! A queue that people wrote, edited on disk: only the lines of the change differ, and undo brings
//! back every byte.
//!
//! `cargo run --package ralph-queue --example edit_in_place`
#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use ralph_queue::edit::{EditError, Restart};
use ralph_queue::journal::{Direction, UndoError, Which};
use ralph_queue::{Position, Queue, QueueFiles, Task, Terms, UpdateError};
use ralph_state::FixedClock;
use ralph_state::file::Holder;

const QUEUE: &str = r#"{
  "version": 1,
  "tasks": [
    // ---- This week ----

    // Asked for twice.
    {
      "id":     "RQ-0001",
      "title":  "Say hello", // in every language
      "status": "todo",
      "created_at": "2026-04-22T12:00:00Z",
      "updated_at": "2026-04-22T12:00:00Z",
      "vendor": { "points": 3.0 }
    },
  ],
}
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let clock = FixedClock("2026-04-23T08:00:00Z".parse()?); // a tool would have a real one
    let holder = Holder {
        pid: std::process::id(),
        host: "this host".to_owned(),
        command: "edit_in_place".to_owned(),
        since: clock.0,
    };
    let mut files =
        QueueFiles::new(dir.path().join("queue.jsonc"), dir.path().join("done.jsonc"), holder);
    files.journal = Some(dir.path().join("journal.jsonl"));
    fs_err::write(&files.queue, QUEUE)?;

    // Under the lock, with the file as it is then, and read again before it is saved.
    let started = files.edit(&clock, |edit| edit.start("RQ-0001", Restart::Keep))?;
    println!("Started:\n{}", difference(&started.before, &started.after()));

    let added = files.edit(&clock, |edit| {
        let id = edit.next_id(&files.rules.ids)?;
        edit.add(Task::new(id.clone(), "Say goodbye"), &Position::Back)?;
        Ok::<_, EditError>(id)
    })?;
    let after = added.after();
    let (text, place) = (after.document().text(), after.document().span(1));
    println!("{} is written as its neighbour is:\n{}\n", added.value, &text[place]);

    // What would break a rule is refused, and nothing is written.
    let refused = files.edit(&clock, |edit| {
        edit.modify("RQ-0001", |task| task.depends_on.push("RQ-0001".to_owned()))
    });
    let Err(UpdateError::Invalid { problems }) = refused else {
        return Err("no task may wait for itself".into());
    };
    println!("Refused: {}", problems[0]);

    let newest = Which { direction: Direction::Undo, id: None, force: false };
    for _ in 0..2 {
        files.undo(&clock, newest, &Terms::default(), |_, _, _| Ok::<_, UndoError>(()))?;
    }
    assert_eq!(fs_err::read_to_string(&files.queue)?, QUEUE);
    println!("Undone, to the byte.");
    Ok(())
}

/// The lines of the queue file that only one of them has.
fn difference(before: &Queue, after: &Queue) -> String {
    let (old, new) = (before.document().text(), after.document().text());
    let only = |sign, one: &str, other: &str| -> Vec<String> {
        let lines = one.lines().filter(|line| other.lines().all(|it| it != *line));
        lines.map(|line| format!("{sign}{line}\n")).collect()
    };
    [only('-', old, new), only('+', new, old)].concat().concat()
}

#[test]
fn it_runs() -> Result<(), Box<dyn Error>> {
    main()
}
