//! The public API, from outside.
#![expect(clippy::unwrap_used, reason = "tests panic")]
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

mod batch; // fields, copies, repair: the rest stays as it is
mod edit; // what each operation does to a queue
mod files; // two files on disk: locks, crashes, refusals
mod intake; // tasks from elsewhere
mod journal; // undo, redo, requests, revisions, ids of all work trees
mod landing; // texts finished and adopted on another version
mod lease; // one owner at a time, and what is ready
mod merge; // three versions become one
mod reference; // documents of 0.4.0 pass through
mod runnability; // who can start, and why not
mod validate; // every problem, each with its place

use ralph_queue::{Document, Queue, Task};
use ralph_state::Timestamp;

/// The time of every test.
fn now() -> Timestamp {
    "2026-04-22T12:00:00Z".parse().unwrap()
}

/// A file with these tasks, given as the insides of their objects without `id`, `title` and times.
fn text(tasks: &[&str]) -> String {
    let task = |(index, fields): (usize, &&str)| {
        let comma = if fields.is_empty() { "" } else { ", " };
        format!(
            "    {{\"id\": \"RQ-{:04}\", \"title\": \"task {0:04}\", \"created_at\": \"2026-01-01T00:00:00Z\", \"updated_at\": \"2026-01-01T00:00:00Z\"{comma}{fields}}}",
            index + 1
        )
    };
    let tasks: Vec<String> = tasks.iter().enumerate().map(task).collect();
    format!("{{\n  \"version\": 1,\n  \"tasks\": [\n{}\n  ]\n}}\n", tasks.join(",\n"))
}

fn queue(tasks: &[&str]) -> Queue {
    Queue::new(Document::parse(text(tasks)).unwrap(), None)
}

fn ids<'a>(tasks: impl IntoIterator<Item = &'a Task>) -> String {
    tasks
        .into_iter()
        .map(|task| format!("{}:{}", task.id, task.status))
        .collect::<Vec<_>>()
        .join(" ")
}
