//! One task's record in the state file, as the process that works on it sees it.

use ralph_agent::Redaction;
use ralph_state::parallel::{Refused, WorkerEvent};
use ralph_state::{
    Amount, LoadError, ParallelStateFile, Spending, Store, TaskId, Timestamp, UpdateError,
    WorkerRecord,
};
use thiserror::Error;

use crate::allowance::Answer;
use crate::away::Wait;

/// The right to write one record: the task and the claim it was taken under.
///
/// A worker whose claim was given to somebody else can no longer write: every
/// update compares the claim under the lock of the state file.
pub struct Claim {
    store: Store<ParallelStateFile>,
    task: TaskId,
    id: String,
}

/// Why a record could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The state file could not be read.
    #[error("cannot read the state of the run")]
    Load(#[from] LoadError),
    /// The state file could not be changed.
    #[error("cannot record a step of {task}")]
    Update {
        /// The task.
        task: TaskId,
        /// The cause.
        source: UpdateError<Denied>,
    },
    /// The record does not take the change.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// A change that a record does not take; it is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Denied {
    /// The record is gone or belongs to another claim.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The record is not where the step could follow.
    #[error("{task} cannot go on")]
    OutOfOrder {
        /// The task.
        task: TaskId,
        /// The cause.
        source: Refused,
    },
}

/// The record is gone or was claimed anew by another process.
#[derive(Debug, Error)]
#[error("{task} is no longer claimed under `{claim}`")]
pub struct Lost {
    /// The task.
    pub task: TaskId,
    /// The claim that no longer holds.
    pub claim: String,
}

impl Claim {
    /// The claim `id` on `task`. Nothing is read or checked yet.
    pub fn new(store: Store<ParallelStateFile>, task: TaskId, id: impl Into<String>) -> Self {
        Self { store, task, id: id.into() }
    }

    /// The task.
    pub fn task(&self) -> &TaskId {
        &self.task
    }

    /// The claim's own id, which the landed commit carries as a trailer.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole state as it is now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn state(&self) -> Result<ParallelStateFile, LoadError> {
        Ok(self.store.load()?.map(|loaded| loaded.value).unwrap_or_default())
    }

    /// The record as it is now.
    ///
    /// # Errors
    /// When the file cannot be read, or the claim no longer holds.
    pub fn read(&self) -> Result<WorkerRecord, ClaimError> {
        let state = self.state()?;
        self.own(&state).cloned().ok_or_else(|| Denied::from(self.lost()).into())
    }

    /// Takes the record where `event` leads and changes it, durably, as [`Claim::update`].
    ///
    /// # Errors
    /// As for [`Claim::update`]; when `event` cannot happen to the record as it is.
    pub fn apply(
        &self,
        event: &WorkerEvent,
        change: impl FnOnce(&mut WorkerRecord),
    ) -> Result<WorkerRecord, ClaimError> {
        self.with_state(|_, record| {
            record
                .apply(event)
                .map_err(|source| Denied::OutOfOrder { task: self.task.clone(), source })?;
            change(record);
            Ok(())
        })
    }

    /// Changes what the record says besides where it is, durably, and returns it as written.
    ///
    /// A crash before this returns leaves the old record or the new one.
    ///
    /// # Errors
    /// When the file cannot be written, or the claim no longer holds.
    pub fn update(
        &self,
        change: impl FnOnce(&mut WorkerRecord),
    ) -> Result<WorkerRecord, ClaimError> {
        self.with_state(|_, record| {
            change(record);
            Ok(())
        })
    }

    /// Records for everybody to see what the worker waits for, or that it does no more. What cannot
    /// be recorded of it is only not shown.
    pub(crate) fn keep_wait(&self, wait: Option<&Wait>) {
        drop(self.update(|record| Wait::keep(&mut record.extra, wait)));
    }

    /// Sets aside what `ask` answers for a turn, and changes the record as for its beginning.
    ///
    /// What was set aside for turns whose workers died is charged to the run first.
    ///
    /// # Errors
    /// As for [`Claim::update`].
    pub fn reserve(
        &self,
        ask: impl FnOnce(&Spending, Amount, Amount) -> Answer,
        begin: impl FnOnce(&mut WorkerRecord),
    ) -> Result<Answer, ClaimError> {
        let updated = self.store.update(|state: &mut ParallelStateFile| {
            let mut spending = state.spending.take().unwrap_or_default();
            let mut reserved = Amount::default();
            for record in &mut state.workers {
                let is_alive = record.worker.as_ref().is_some_and(ralph_process::is_alive);
                match record.reserved {
                    Some(amount) if is_alive && !self.is_own(record) => {
                        reserved = reserved.plus(amount);
                    }
                    _ => spending.spent = spending.spent.plus(charge_cut_short(record)),
                }
            }
            let record = state.workers.iter_mut().find(|record| self.is_own(record));
            let record = record.ok_or_else(|| self.lost())?;
            let answer = ask(&spending, record.spent.unwrap_or_default(), reserved);
            if let Answer::Go(amount) = answer {
                record.reserved = Some(amount);
                begin(record);
            }
            state.spending = Some(spending);
            Ok(answer)
        });
        updated.map(|updated| updated.value).map_err(|error| self.failed(error))
    }

    /// Charges the turn that is over as `settle` says, and changes the record as for its end.
    /// `settle` is told what was set aside.
    ///
    /// # Errors
    /// As for [`Claim::update`].
    pub fn settle(
        &self,
        settle: impl FnOnce(&mut Spending, Amount) -> Amount,
        end: impl FnOnce(&mut WorkerRecord),
    ) -> Result<(), ClaimError> {
        let updated = self.store.update(|state: &mut ParallelStateFile| {
            let mut spending = state.spending.take().unwrap_or_default();
            let record = state.workers.iter_mut().find(|record| self.is_own(record));
            let record = record.ok_or_else(|| self.lost())?;
            let used = settle(&mut spending, record.reserved.take().unwrap_or_default());
            if used != Amount::default() {
                record.spent = Some(record.spent.unwrap_or_default().plus(used));
            }
            end(record);
            state.spending = Some(spending);
            Ok(())
        });
        updated.map(|_| ()).map_err(|error| self.failed(error))
    }

    /// Takes the next place in the landing lane, unless it has one.
    ///
    /// # Errors
    /// As for [`Claim::update`].
    pub fn take_ticket(&self) -> Result<u64, ClaimError> {
        let record = self.with_state(|next, record| {
            if record.ticket.is_none() {
                record.ticket = Some(*next);
                *next += 1;
            }
            Ok(())
        })?;
        Ok(record.ticket.unwrap_or_default())
    }

    /// Remembers that the gate was green for `key` (a tree and a command).
    ///
    /// # Errors
    /// As for [`Claim::update`]. A state file that is gone is not made anew by this.
    pub fn remember_green(&self, key: &str, when: Timestamp) -> Result<(), ClaimError> {
        let remember = |state: &mut ParallelStateFile| {
            if self.own(state).is_none() {
                return Err(self.lost().into());
            }
            state.gates.insert(key.to_owned(), when);
            while state.gates.len() > GREEN_KEPT {
                let oldest =
                    state.gates.iter().min_by(|a, b| a.1.cmp(b.1)).map(|(key, _)| key.clone());
                let Some(oldest) = oldest else { break };
                state.gates.remove(&oldest);
            }
            Ok(())
        };
        self.store.update(remember).map_err(|error| self.failed(error))?;
        Ok(())
    }

    fn with_state(
        &self,
        change: impl FnOnce(&mut u64, &mut WorkerRecord) -> Result<(), Denied>,
    ) -> Result<WorkerRecord, ClaimError> {
        let updated = self.store.update(|state: &mut ParallelStateFile| {
            let mut next = state.next_ticket.unwrap_or(1);
            let record = state
                .workers
                .iter_mut()
                .find(|record| self.is_own(record))
                .ok_or_else(|| self.lost())?;
            change(&mut next, record)?;
            // What an agent said is clean; git may have shown an address with a password.
            if let Some(error) = &mut record.last_error {
                *error = Redaction::default().text(error).into_owned();
            }
            let written = record.clone();
            if next > 1 {
                state.next_ticket = Some(next);
            }
            Ok(written)
        });
        updated.map(|updated| updated.value).map_err(|error| self.failed(error))
    }

    fn own<'a>(&self, state: &'a ParallelStateFile) -> Option<&'a WorkerRecord> {
        state.workers.iter().find(|record| self.is_own(record))
    }

    fn is_own(&self, record: &WorkerRecord) -> bool {
        record.task_id == self.task.as_str() && record.attempt_id.as_deref() == Some(&self.id)
    }

    fn lost(&self) -> Lost {
        Lost { task: self.task.clone(), claim: self.id.clone() }
    }

    fn failed(&self, error: UpdateError<Denied>) -> ClaimError {
        match error {
            UpdateError::Change(denied) => denied.into(),
            source => ClaimError::Update { task: self.task.clone(), source },
        }
    }
}

/// Charges the task with what was set aside for a turn whose worker died, and returns it: what the
/// turn used nobody knows.
pub(crate) fn charge_cut_short(record: &mut WorkerRecord) -> Amount {
    let Some(amount) = record.reserved.take().map(Amount::unknown) else {
        return Amount::default();
    };
    record.spent = Some(record.spent.unwrap_or_default().plus(amount));
    amount
}

/// Green trees remembered; enough for every raced push of a long night.
const GREEN_KEPT: usize = 200;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ralph_state::ProcessIdentity;
    use ralph_state::file::Holder;

    use super::*;

    /// One without the records would tell a run that nothing has failed yet.
    #[test]
    fn a_state_file_that_is_gone_is_not_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let holder = Holder {
            pid: 1,
            host: String::new(),
            command: String::new(),
            since: Timestamp::UNIX_EPOCH,
        };
        let path = dir.path().join("state.json");
        let claim = Claim::new(Store::new(path.clone(), holder), "RQ-1".parse().unwrap(), "c");
        let remembered = claim.remember_green("key", Timestamp::UNIX_EPOCH);
        assert!(matches!(remembered, Err(ClaimError::Denied(Denied::Lost(_)))));
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_worker_reserved_is_charged_and_what_a_living_one_did_is_not_free() {
        let dir = tempfile::tempdir().unwrap();
        let holder = Holder {
            pid: ralph_process::own_pid(),
            host: "here".to_owned(),
            command: "test".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        };
        let store =
            || Store::<ParallelStateFile>::new(dir.path().join("state.json"), holder.clone());
        let living = ralph_process::own_identity();
        let dead = ProcessIdentity { start_time: living.start_time + 1, ..living.clone() };
        let tokens = |tokens| Amount { turns: 1, tokens, ..Amount::default() };
        let mut state = ParallelStateFile::new("", "main");
        let workers =
            [("RQ-1", &living, None), ("RQ-2", &living, Some(10)), ("RQ-3", &dead, Some(5))];
        for (task, worker, reserved) in workers {
            let mut record = WorkerRecord::new(task, PathBuf::new(), String::new());
            record.attempt_id = Some("c".to_owned());
            record.worker = Some(worker.clone());
            record.reserved = reserved.map(tokens);
            state.upsert_worker(record);
        }
        store().save(&state).unwrap();

        let claim = Claim::new(store(), "RQ-1".parse().unwrap(), "c");
        let ask = |spending: &Spending, _, reserved| {
            assert_eq!((spending.spent, reserved), (tokens(5).unknown(), tokens(10)));
            Answer::Go(tokens(3))
        };
        assert_eq!(claim.reserve(ask, |_| {}).unwrap(), Answer::Go(tokens(3)));
        let state = claim.state().unwrap();
        let of = |task| state.get_worker(task).map(|record| (record.reserved, record.spent));
        assert_eq!(of("RQ-1"), Some((Some(tokens(3)), None)));
        assert_eq!(of("RQ-2"), Some((Some(tokens(10)), None)));
        assert_eq!(of("RQ-3"), Some((None, Some(tokens(5).unknown()))));
        claim.settle(|_, reserved| reserved, |_| {}).unwrap();
        assert_eq!(claim.read().unwrap().spent, Some(tokens(3)));
    }
}
