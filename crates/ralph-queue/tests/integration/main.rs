//! The public API, from outside.
#![expect(clippy::unwrap_used, reason = "tests panic")]
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

mod batch;
mod edit;
mod figures;
mod files;
mod goldens;
mod intake;
mod journal;
mod landing;
mod lease;
mod merge;
mod reference;
mod runnability;
mod validate;

use ralph_queue::{Document, Queue, Task};
use ralph_state::{FixedClock, Timestamp};

/// The time of every test.
fn now() -> Timestamp {
    "2026-04-22T12:00:00Z".parse().unwrap()
}

/// It stands still there.
fn clock() -> FixedClock {
    FixedClock(now())
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
