//! Figures about a queue: those that 0.4.0 printed as JSON about the same files, and our own.

use ralph_queue::stats::{self, Estimates, Thresholds};
use ralph_queue::{Document, Queue, Status, Task};
use ralph_state::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// When 0.4.0 was asked.
const THEN: &str = "2026-11-26T06:25:23.784686407Z";

fn queue() -> Queue {
    let read = |text| Document::parse(text).unwrap();
    let open = read(include_str!("../goldens/queue.jsonc"));
    Queue::new(open, Some(read(include_str!("../goldens/done.jsonc"))))
}

fn all(queue: &Queue) -> Vec<&Task> {
    queue.tasks().chain(queue.done_tasks()).collect()
}

/// Tags of which there are as many stand in any order with 0.4.0, by name with us and there.
#[track_caller]
fn check(ours: &impl Serialize, golden: &str) {
    let golden: Value = serde_json::from_str(golden).unwrap();
    let ours = serde_json::to_string_pretty(ours).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), golden, "{ours}");
}

#[test]
fn figures_are_those_of_0_4_0() {
    let queue = queue();
    let (tasks, now): (_, Timestamp) = (all(&queue), THEN.parse().unwrap());
    let api = ["api".to_owned()];
    check(&stats::stats(&tasks, &[], now), include_str!("../goldens/stats.json"));
    check(&stats::stats(&tasks, &api, now), include_str!("../goldens/stats-api.json"));
    check(&stats::history(&tasks, now, 7), include_str!("../goldens/history.json"));
    check(&stats::burndown(&tasks, now, 7), include_str!("../goldens/burndown.json"));
    let limits = Thresholds { warning_days: 7, stale_days: 14, rotten_days: 30 };
    let (aging, aged) =
        stats::aging(tasks.iter().copied(), &[Status::Todo, Status::Doing], limits, now);
    check(&aging, include_str!("../goldens/aging.json"));
    assert_eq!(aged.len() + aging.totals.unknown, aging.totals.total);
}

#[test]
fn what_is_done_is_counted_by_day() {
    let queue = queue();
    let (tasks, now): (_, Timestamp) = (all(&queue), THEN.parse().unwrap());
    let pace = stats::pace(&tasks, now, 30);
    assert_eq!((pace.total_completed, pace.best_day), (2, Some(("2026-11-25".to_owned(), 1))));
    let productivity = stats::productivity(&tasks, now);
    assert_eq!(
        serde_json::to_value(productivity).unwrap(),
        json!({
            "total_completed": 3,
            "current_streak": 1,
            "longest_streak": 1,
            "last_completed_date": "2026-11-25",
            "next_milestone": 10,
            "milestones": [],
            "recent_completions": [
                { "id": "RQ-0010", "title": "Done one", "completed_at": "2026-11-25T01:30:00Z" },
                { "id": "RQ-0011", "title": "Done two", "completed_at": "2026-11-05T00:00:00Z" },
                { "id": "RQ-0012", "title": "Done long ago", "completed_at": "2026-01-01T01:00:30Z" },
            ],
        })
    );
    let later = "2026-11-27T00:00:00Z".parse().unwrap();
    assert_eq!(stats::productivity(&tasks, later).current_streak, 0);
}

#[test]
fn an_estimate_is_learnt_from_tasks_with_the_same_runner() {
    let queue = queue();
    let estimates = Estimates::new(&queue);
    let of = |id: &str| estimates.of(queue.find(id).unwrap().1);
    assert_eq!(of("RQ-0002"), Some(324_000), "codex");
    assert_eq!(of("RQ-0001"), Some(324_000), "any");
    assert_eq!((of("RQ-0003"), of("RQ-0010")), (None, None), "begun or over");
    assert_eq!(Estimates::default().of(queue.find("RQ-0001").unwrap().1), None);
}
