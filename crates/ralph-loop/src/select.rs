//! Which tasks may be started, given what the state file knows: a pure decision.

use std::collections::BTreeSet;

use ralph_queue::{Queue, Task, lease};
use ralph_state::{ParallelStateFile, TaskId, Timestamp, WorkerLifecycle, WorkerRecord};

use crate::recover;

/// What the records of parallel runs mean for choosing the next task.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// Not to be started: worked on, kept for the user, or finished.
    pub exclude: BTreeSet<TaskId>,
    /// Landed, though the queue here may not show it yet.
    pub done: BTreeSet<TaskId>,
}

impl Standing {
    /// Leaves alone what somebody claimed with `ralph queue claim`, and counts what was finished
    /// under such a claim, in any work tree.
    pub fn heed(&mut self, leases: lease::Standing) {
        self.exclude.extend(leases.held);
        self.exclude.extend(leases.done.iter().cloned());
        self.done.extend(leases.done);
    }
}

/// The standing of every task that has a record.
///
/// A task that the user changed after its record ended (set back to `todo`,
/// edited) is an ordinary task again, unless finished work is kept for it.
pub fn standing(state: &ParallelStateFile, queue: &Queue) -> Standing {
    let mut standing = Standing::default();
    for record in &state.workers {
        let Ok(id) = record.task_id.parse::<TaskId>() else { continue };
        let task = queue.find(id.as_str()).map(|(_, task)| task);
        match record.lifecycle {
            WorkerLifecycle::Completed => {
                if task.is_some_and(|task| changed_since(task, record)) {
                    continue;
                }
                standing.done.insert(id.clone());
            }
            WorkerLifecycle::Failed
                if !recover::has_committed_work(record)
                    && task.is_some_and(|task| changed_since(task, record)) =>
            {
                continue;
            }
            _ => {}
        }
        standing.exclude.insert(id);
    }
    standing
}

/// Whether a finished record says nothing any more that the queue does not.
pub fn is_spent(record: &WorkerRecord, queue: &Queue) -> bool {
    if record.lifecycle != WorkerLifecycle::Completed {
        return false;
    }
    match queue.find(&record.task_id) {
        None => true,
        Some((_, task)) => task.status.is_terminal() || changed_since(task, record),
    }
}

fn changed_since(task: &Task, record: &WorkerRecord) -> bool {
    let time = |text: Option<&String>| text.and_then(|text| text.parse::<Timestamp>().ok());
    match (time(task.updated_at.as_ref()), time(record.completed_at.as_ref())) {
        (Some(changed), Some(ended)) => changed > ended,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use ralph_queue::Document;

    use super::*;

    const QUEUE: &str = r#"{"version":1,"tasks":[
        {"id":"RQ-0001","title":"a","updated_at":"2026-01-01T00:00:00Z","created_at":"2026-01-01T00:00:00Z"},
        {"id":"RQ-0002","title":"b","status":"done","updated_at":"2026-01-01T00:00:00Z","created_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-01T00:00:00Z"}
    ]}"#;

    fn queue() -> Queue {
        Queue::new(Document::parse(QUEUE).expect("a queue"), None)
    }

    fn state(lifecycle: WorkerLifecycle, task: &str, ended: &str) -> ParallelStateFile {
        let mut record = WorkerRecord::new(task, "/w".into(), String::new());
        record.lifecycle = lifecycle;
        record.completed_at = Some(ended.to_owned());
        let mut state = ParallelStateFile::new("", "main");
        state.workers = vec![record];
        state
    }

    fn ids(set: &BTreeSet<TaskId>) -> Vec<&str> {
        set.iter().map(TaskId::as_str).collect()
    }

    #[test]
    fn what_landed_is_done_though_the_queue_here_does_not_show_it() {
        let state = state(WorkerLifecycle::Completed, "RQ-0001", "2026-01-02T00:00:00Z");
        let standing = standing(&state, &queue());
        assert_eq!(ids(&standing.done), ["RQ-0001"]);
        assert_eq!(ids(&standing.exclude), ["RQ-0001"]);
        assert!(!is_spent(&state.workers[0], &queue()));
    }

    #[test]
    fn a_task_that_was_opened_again_is_an_ordinary_task() {
        for lifecycle in [WorkerLifecycle::Completed, WorkerLifecycle::Failed] {
            let state = state(lifecycle, "RQ-0001", "2025-12-31T00:00:00Z");
            assert_eq!(standing(&state, &queue()), Standing::default());
        }
    }

    #[test]
    fn committed_work_of_a_failed_task_is_not_started_over() {
        let mut state = state(WorkerLifecycle::Failed, "RQ-0001", "2025-12-31T00:00:00Z");
        state.workers[0].step = Some(ralph_state::WorkerStep::Gating);
        state.workers[0].work_commit = Some("1".repeat(40));
        assert_eq!(ids(&standing(&state, &queue()).exclude), ["RQ-0001"]);
    }

    #[test]
    fn failed_and_blocked_tasks_wait_for_the_user() {
        for lifecycle in [WorkerLifecycle::Failed, WorkerLifecycle::BlockedPush] {
            let state = state(lifecycle, "RQ-0001", "2026-01-02T00:00:00Z");
            let standing = standing(&state, &queue());
            assert_eq!(ids(&standing.exclude), ["RQ-0001"]);
            assert!(standing.done.is_empty());
        }
    }

    #[test]
    fn a_record_is_spent_when_the_queue_says_the_same() {
        let ended = "2026-01-02T00:00:00Z";
        for task in ["RQ-0002", "RQ-0099"] {
            let state = state(WorkerLifecycle::Completed, task, ended);
            assert!(is_spent(&state.workers[0], &queue()));
        }
        let state = state(WorkerLifecycle::BlockedPush, "RQ-0002", ended);
        assert!(!is_spent(&state.workers[0], &queue()));
    }
}
