//! The landing lane: one worker at a time, in the order they came.

use std::time::Duration;

use ralph_process::Cancel;
use ralph_state::file::{self, FileLock, Holder, LockError};
use ralph_state::{LoadError, ParallelStateFile, TaskId, WorkerStep};
use thiserror::Error;

use crate::claim::Claim;
use crate::layout::Layout;

/// Time between two looks at the lane.
const POLL: Duration = Duration::from_millis(40);

/// Being the one that lands. Ends when dropped, or when its holder dies.
#[derive(Debug)]
pub struct Lane {
    _lock: FileLock,
}

/// Why the lane could not be entered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LaneError {
    /// The lock file cannot be used.
    #[error("cannot use the lock of the landing lane")]
    Lock(#[from] LockError),
    /// The state file cannot be read.
    #[error("cannot read the state of the run")]
    State(#[from] LoadError),
}

/// Waits until it is the turn of `ticket`; `None` when the run was stopped.
///
/// The lock makes it one at a time; the tickets make it fair. A waiting worker
/// that died is passed over, because its worker lock is free.
///
/// # Errors
/// When the lock or the state file cannot be used.
pub fn enter(
    layout: &Layout,
    claim: &Claim,
    ticket: u64,
    holder: &Holder,
    cancel: &Cancel,
) -> Result<Option<Lane>, LaneError> {
    loop {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let alive = |task: &str| {
            task.parse::<TaskId>()
                .is_ok_and(|task| file::is_locked(&layout.worker_lock(&task)).unwrap_or(false))
        };
        if is_next(&claim.state()?, ticket, alive)
            && let Some(lock) = FileLock::try_acquire(&layout.lane_lock(), holder)?
        {
            return Ok(Some(Lane { _lock: lock }));
        }
        if cancel.wait_timeout(POLL) {
            return Ok(None);
        }
    }
}

/// Whether nobody alive has waited longer than `ticket`.
fn is_next(state: &ParallelStateFile, ticket: u64, alive: impl Fn(&str) -> bool) -> bool {
    !state.workers.iter().any(|other| {
        other.step == Some(WorkerStep::Waiting)
            && other.ticket.is_some_and(|theirs| theirs < ticket)
            && alive(&other.task_id)
    })
}

#[cfg(test)]
mod tests {
    use ralph_state::WorkerRecord;

    use super::*;

    fn waiting(task: &str, ticket: u64) -> WorkerRecord {
        let mut record = WorkerRecord::new(task, "/w".into(), String::new());
        record.step = Some(WorkerStep::Waiting);
        record.ticket = Some(ticket);
        record
    }

    #[test]
    fn the_longest_waiting_living_worker_is_next() {
        let mut state = ParallelStateFile::new("", "main");
        state.workers = vec![waiting("RQ-0001", 5), waiting("RQ-0002", 3), waiting("RQ-0003", 4)];
        assert!(is_next(&state, 3, |_| true));
        assert!(!is_next(&state, 4, |_| true));
        assert!(!is_next(&state, 5, |_| true));
        assert!(is_next(&state, 4, |task| task != "RQ-0002"));
    }

    #[test]
    fn a_worker_that_asks_its_agent_holds_nobody_up() {
        let mut state = ParallelStateFile::new("", "main");
        state.workers = vec![waiting("RQ-0001", 1), waiting("RQ-0002", 2)];
        state.workers[0].step = Some(WorkerStep::Resolving);
        assert!(is_next(&state, 2, |_| true));
    }
}
