//! Giving a task that failed or could not land another chance.

use ralph_state::{
    ParallelStateFile, Store, TaskId, UpdateError, WorkerLifecycle, WorkerRecord, WorkerStep,
};
use thiserror::Error;

use crate::{recover, worker};

/// What the next run will do with a task that is to be tried again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retried {
    /// Land the work that is kept, without an agent.
    Land,
    /// Work on it anew.
    Anew,
}

/// Why a task is not tried again. The state file is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RetryError {
    /// No record has that task.
    #[error("no parallel run has a record of {task}")]
    Unknown {
        /// The task.
        task: TaskId,
    },
    /// It landed.
    #[error("{task} already landed")]
    Completed {
        /// The task.
        task: TaskId,
    },
    /// It is not finished: the run that is active, or the next one, goes on with it.
    #[error("{task} is not finished yet")]
    Active {
        /// The task.
        task: TaskId,
    },
    /// A newer version of Ralph wrote a lifecycle that this one does not know.
    #[error("{task} is `{lifecycle}`, which this version does not know")]
    UnknownLifecycle {
        /// The task.
        task: TaskId,
        /// The word in the file.
        lifecycle: String,
    },
}

/// Makes `task` unfinished again, with its budgets full and its work kept.
///
/// Work that was committed is landed; only without any does an agent start anew.
///
/// # Errors
/// When the task is not one that ended without landing, or the file cannot be written.
pub fn retry(
    store: &Store<ParallelStateFile>,
    task: &TaskId,
) -> Result<Retried, UpdateError<RetryError>> {
    let updated = store.update(|state: &mut ParallelStateFile| {
        let record = state
            .get_worker_mut(task.as_str())
            .ok_or_else(|| RetryError::Unknown { task: task.clone() })?;
        match &record.lifecycle {
            WorkerLifecycle::Failed | WorkerLifecycle::BlockedPush => Ok(reopen(record)),
            WorkerLifecycle::Completed => Err(RetryError::Completed { task: task.clone() }),
            WorkerLifecycle::Running | WorkerLifecycle::Integrating => {
                Err(RetryError::Active { task: task.clone() })
            }
            other => Err(RetryError::UnknownLifecycle {
                task: task.clone(),
                lifecycle: other.as_str().to_owned(),
            }),
        }
    })?;
    Ok(updated.value)
}

/// What came of trying everything again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RetriedAll {
    /// Tasks whose kept work the next run lands.
    pub land: Vec<String>,
    /// Tasks that the next run works on anew.
    pub anew: Vec<String>,
}

/// Makes every task unfinished again that ended without landing, as [`retry`] does.
///
/// # Errors
/// When the file cannot be written.
pub fn retry_all(
    store: &Store<ParallelStateFile>,
) -> Result<RetriedAll, UpdateError<std::convert::Infallible>> {
    let updated = store.update(|state: &mut ParallelStateFile| {
        let mut retried = RetriedAll::default();
        for record in &mut state.workers {
            if matches!(record.lifecycle, WorkerLifecycle::Failed | WorkerLifecycle::BlockedPush) {
                match reopen(record) {
                    Retried::Land => retried.land.push(record.task_id.clone()),
                    Retried::Anew => retried.anew.push(record.task_id.clone()),
                }
            }
        }
        Ok(retried)
    })?;
    Ok(updated.value)
}

fn reopen(record: &mut WorkerRecord) -> Retried {
    record.completed_at = None;
    record.last_error = None;
    record.push_attempts = 0;
    record.conflicts = None;
    record.red_gates = None;
    record.ticket = None;
    record.interrupted = Some(true);
    record.extra.remove(worker::LIMITED);
    if recover::has_committed_work(record) {
        record.lifecycle = WorkerLifecycle::Integrating;
        record.step = Some(WorkerStep::Committed);
        Retried::Land
    } else {
        record.lifecycle = WorkerLifecycle::Running;
        record.step = Some(WorkerStep::Claimed);
        record.attempt = None;
        Retried::Anew
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(step: WorkerStep, work: Option<&str>) -> WorkerRecord {
        let mut record = WorkerRecord::new("RQ-0001", "/w".into(), String::new());
        record.mark_blocked("2026-01-01T00:00:00Z".to_owned(), "no");
        record.step = Some(step);
        record.work_commit = work.map(str::to_owned);
        record.conflicts = Some(3);
        record.push_attempts = 50;
        record
    }

    #[test]
    fn kept_work_is_landed_and_nothing_of_it_is_forgotten() {
        let mut record = ended(WorkerStep::PushIntended, Some("abc"));
        assert_eq!(reopen(&mut record), Retried::Land);
        assert_eq!(record.lifecycle, WorkerLifecycle::Integrating);
        assert_eq!(record.work_commit.as_deref(), Some("abc"));
        assert_eq!((record.conflicts, record.push_attempts), (None, 0));
        assert!(!record.is_terminal() && record.completed_at.is_none());
    }

    #[test]
    fn without_committed_work_an_agent_starts_anew() {
        let mut record = ended(WorkerStep::Working, None);
        assert_eq!(reopen(&mut record), Retried::Anew);
        assert_eq!(record.lifecycle, WorkerLifecycle::Running);
        assert_eq!(record.step, Some(WorkerStep::Claimed));
    }
}
