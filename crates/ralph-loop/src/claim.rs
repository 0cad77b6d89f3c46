//! One task's record in the state file, as the process that works on it sees it.

use ralph_agent::Redaction;
use ralph_state::parallel::{Refused, WorkerEvent};
use ralph_state::{
    LoadError, ParallelStateFile, Store, TaskId, Timestamp, UpdateError, WorkerRecord,
};
use thiserror::Error;

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
    /// When the file cannot be written.
    pub fn remember_green(&self, key: &str, when: Timestamp) -> Result<(), ClaimError> {
        let remember = |state: &mut ParallelStateFile| {
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

/// Green trees remembered; enough for every raced push of a long night.
const GREEN_KEPT: usize = 200;
