//! What the queue takes its time for, in milliseconds, the best of five each.
//!
//! `cargo run --release -p ralph-queue --example speed`
#![expect(clippy::print_stdout, reason = "what it measures")]
#![expect(clippy::unwrap_used, reason = "its queues are its own")]

use std::time::{Duration, Instant};

use ralph_queue::edit::Restart;
use ralph_queue::merge::three_way;
use ralph_queue::{Document, Edit, IdRules, Position, Queue, Rules, Selection, Task};
use ralph_state::Timestamp;

/// A queue of the size of a real one: about 600 bytes a task, each after the one before.
fn big(tasks: usize) -> String {
    let empty = Document::empty();
    let mut draft = empty.draft();
    for number in 1..=tasks {
        let id = format!("RQ-{number:06}").parse().unwrap();
        let mut task = Task::new(id, format!("Task number {number} of many"));
        task.created_at = Some("2026-01-01T00:00:00.000000000Z".to_owned());
        task.updated_at.clone_from(&task.created_at);
        task.tags = vec!["bench".to_owned(), format!("tag{}", number % 7)];
        task.scope = vec![format!("src/module_{}.rs", number % 50)];
        task.evidence = vec!["It was asked for in the forum, and again in a mail".to_owned()];
        task.plan = vec!["First do one thing".to_owned(), "Then another".to_owned()];
        if number > 1 {
            task.depends_on = vec![format!("RQ-{:06}", number - 1)];
        }
        draft.insert(number - 1, task);
    }
    draft.splice().unwrap().unwrap().text().to_owned()
}

fn time<T>(what: &str, work: impl Fn() -> T) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let result = work();
        best = best.min(start.elapsed());
        drop(result);
    }
    println!("{what:>12} {:8.2} ms", best.as_secs_f64() * 1e3);
}

fn main() {
    let now: Timestamp = "2026-04-22T12:00:00Z".parse().unwrap();
    for tasks in [1_000, 10_000, 100_000] {
        let text = big(tasks);
        println!("{tasks} tasks, {} kB", text.len() / 1000);
        time("parse", || Document::parse(text.as_str()).unwrap());
        let queue = Queue::new(Document::parse(text.as_str()).unwrap(), None);
        let rules =
            Rules { ids: IdRules { width: 6, ..IdRules::default() }, max_dependency_depth: tasks };
        time("validate", || assert_eq!(queue.validate(&rules), []));
        let selection = Selection::new(now);
        time("next", || queue.next(&selection).unwrap().id.clone());
        time("explain", || queue.runnability(&selection));
        time("start", || {
            let mut edit = Edit::new(&queue, now);
            edit.start("RQ-000500", Restart::Keep).unwrap();
            edit.splice().unwrap()
        });
        time("add 500", || {
            let mut edit = Edit::new(&queue, now);
            for _ in 0..500 {
                let id = edit.next_id(&rules.ids).unwrap();
                edit.add(Task::new(id, "one more"), &Position::Front).unwrap();
            }
            edit.splice().unwrap()
        });
        if tasks < 100_000 {
            let ours = text.replacen("Task number 5 ", "Task number V ", 1);
            let theirs = text.replacen("Task number 7 ", "Task number VII ", 1);
            time("merge", || three_way(&text, &ours, &theirs).unwrap());
        }
    }
}
