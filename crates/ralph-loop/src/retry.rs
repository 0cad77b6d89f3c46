//! Giving a task that failed or could not land another chance.

use ralph_state::parallel::{Refused, WorkerEvent};
use ralph_state::{
    MigrationReport, ParallelStateFile, Store, Timestamp, UpdateError, WorkerLifecycle,
    WorkerRecord,
};
use thiserror::Error;

use crate::recover::{self, Stuck};
use crate::{migrate, worker};

/// What the next run will do with a task that is to be tried again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retried {
    /// Land the work that is kept, without an agent.
    Land,
    /// Work on it anew.
    Anew,
    /// Nothing: the record was of no task, and is gone. Its workspace is where it was.
    Nothing,
}

/// Why a task is not tried again. The state file is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RetryError {
    /// No record has that task.
    #[error("no parallel run has a record of {task}")]
    Unknown {
        /// The task.
        task: String,
    },
    /// It landed.
    #[error("{task} already landed")]
    Completed {
        /// The task.
        task: String,
    },
    /// The record cannot be made unfinished.
    #[error("{task} cannot be tried again")]
    OutOfOrder {
        /// The task.
        task: String,
        /// The cause.
        source: Refused,
    },
    /// It is not finished: the run that is active, or the next one, goes on with it.
    #[error("{task} is not finished yet")]
    Active {
        /// The task.
        task: String,
    },
}

/// Makes `task` unfinished again, with its budgets full and its work kept.
///
/// Work that was committed is landed; only without any does an agent start anew.
/// A record that is [stuck](recover::stuck) is one that the user decides about here.
///
/// # Errors
/// When the task is not one that ended without landing, or the file cannot be written.
pub fn retry(
    store: &Store<ParallelStateFile>,
    task: &str,
    now: Timestamp,
) -> Result<Retried, UpdateError<RetryError>> {
    let updated = store.update_reported(|state: &mut ParallelStateFile, report| {
        take_over(state, report, now);
        let task = task.to_owned();
        let Some(record) = state.get_worker_mut(&task) else {
            return Err(RetryError::Unknown { task });
        };
        match (&record.lifecycle, recover::stuck(record)) {
            (_, Some(Stuck::NoTask { .. })) => {
                state.remove_worker(&task);
                Ok(Retried::Nothing)
            }
            (WorkerLifecycle::Failed | WorkerLifecycle::BlockedPush, _) | (_, Some(_)) => {
                reopen(record)
            }
            (WorkerLifecycle::Completed, _)
                if worker::is_superseded_before_work(record) || worker::is_dropped(record) =>
            {
                state.remove_worker(&task);
                Ok(Retried::Anew)
            }
            (WorkerLifecycle::Completed, _) => Err(RetryError::Completed { task }),
            _ => Err(RetryError::Active { task }),
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
    now: Timestamp,
) -> Result<RetriedAll, UpdateError<RetryError>> {
    let updated = store.update_reported(|state: &mut ParallelStateFile, report| {
        take_over(state, report, now);
        let mut retried = RetriedAll::default();
        for record in &mut state.workers {
            if matches!(record.lifecycle, WorkerLifecycle::Failed | WorkerLifecycle::BlockedPush) {
                match reopen(record)? {
                    Retried::Land => retried.land.push(record.task_id.clone()),
                    _ => retried.anew.push(record.task_id.clone()),
                }
            }
        }
        Ok(retried)
    })?;
    Ok(updated.value)
}

/// Takes over what a file of an older version knew: written as one of today, it is not to lose that.
fn take_over(state: &mut ParallelStateFile, report: Option<&MigrationReport>, now: Timestamp) {
    if let Some(report) = report.filter(|report| report.migrated()) {
        migrate::adopt(state, report, now);
    }
}

fn reopen(record: &mut WorkerRecord) -> Result<Retried, RetryError> {
    let has_work = recover::has_committed_work(record);
    let event = if has_work { WorkerEvent::Reopened } else { WorkerEvent::Restarted };
    record
        .apply(&event)
        .map_err(|source| RetryError::OutOfOrder { task: record.task_id.clone(), source })?;
    record.completed_at = None;
    record.last_error = None;
    record.push_attempts = 0;
    record.conflicts = None;
    record.red_gates = None;
    record.spent = None;
    record.ticket = None;
    record.interrupted = Some(true);
    // So that it is told from what was cut short: see `recover::is_reopened`.
    record.worker = None;
    record.extra.remove(worker::LIMITED);
    if has_work {
        return Ok(Retried::Land);
    }
    record.attempt = None;
    Ok(Retried::Anew)
}

#[cfg(test)]
mod tests {
    use ralph_state::WorkerStep;

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
        assert_eq!(reopen(&mut record).unwrap(), Retried::Land);
        assert_eq!(record.lifecycle, WorkerLifecycle::Integrating);
        assert_eq!(record.work_commit.as_deref(), Some("abc"));
        assert_eq!((record.conflicts, record.push_attempts), (None, 0));
        assert!(!record.is_terminal() && record.completed_at.is_none());
        assert!(recover::is_reopened(&record));
    }

    #[test]
    fn what_a_file_of_an_older_version_knew_is_taken_over() {
        let old = r#"{"schema_version":2,"started_at":"","base_branch":"main","tasks_in_flight":[
            {"task_id":"RQ-0001","workspace_path":"/w/RQ-0001","branch":"b","pid":7}]}"#;
        let holder = ralph_state::file::Holder {
            pid: 1,
            host: String::new(),
            command: String::new(),
            since: Timestamp::UNIX_EPOCH,
        };
        for all in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("state.json");
            fs_err::write(&path, old).unwrap();
            let store = Store::<ParallelStateFile>::new(path, holder.clone());
            let now = Timestamp::UNIX_EPOCH;
            if all {
                assert_eq!(retry_all(&store, now).unwrap().anew, ["RQ-0001"]);
            } else {
                assert_eq!(retry(&store, "RQ-0001", now).unwrap(), Retried::Anew);
            }
            assert!(store.load().unwrap().unwrap().value.has_worker("RQ-0001"));
        }
    }

    #[test]
    fn without_committed_work_an_agent_starts_anew() {
        let mut record = ended(WorkerStep::Working, None);
        assert_eq!(reopen(&mut record).unwrap(), Retried::Anew);
        assert_eq!(record.lifecycle, WorkerLifecycle::Running);
        assert_eq!(record.step, Some(WorkerStep::Claimed));
    }
}
