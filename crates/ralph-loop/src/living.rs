//! Workers that live, as their locks say: with a record in the state file or without one.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;

use ralph_queue::{Listed, Place, Queue};
use ralph_state::file::{self, FileLock, Holder, LockError};
use ralph_state::{ParallelStateFile, ProcessIdentity, TaskId};
use thiserror::Error;

use crate::layout::{self, Layout};

/// Why it cannot be told who lives.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LivingError {
    /// The directory of the locks cannot be read.
    #[error("cannot look for workers")]
    Io(#[from] std::io::Error),
    /// A lock cannot be looked at.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// How long a lock may be taken by those who only ask whether somebody holds it.
const ASKED: Duration = Duration::from_secs(1);

/// Takes a lock unless somebody holds it: [`file::is_locked`], which everybody may ask at any
/// moment, takes it for an instant, and is not to keep a run or a worker from beginning.
pub(crate) fn take(lock: &Path, holder: &Holder) -> Result<Option<FileLock>, LockError> {
    match FileLock::acquire(lock, holder, ASKED) {
        Ok(held) => Ok(Some(held)),
        Err(LockError::Held { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The tasks that a worker has now.
///
/// # Errors
/// When the locks cannot be looked at.
pub fn tasks(layout: &Layout) -> Result<BTreeSet<TaskId>, LivingError> {
    held(layout, &locks(layout)?)
}

/// The processes of the workers that live now, as far as their locks tell.
pub(crate) fn workers(layout: &Layout) -> Result<Vec<ProcessIdentity>, LivingError> {
    let locks = tasks(layout)?.into_iter().map(|task| layout.worker_lock(&task));
    let holders = locks.filter_map(|lock| file::lock_holder(&lock));
    Ok(holders.filter_map(|holder| ralph_process::identity_of(holder.pid)).collect())
}

/// Those of them that are open in `queue`; the locks of all that ever landed are not looked at.
///
/// # Errors
/// As for [`tasks`].
pub fn open_tasks(layout: &Layout, queue: &Queue) -> Result<BTreeSet<TaskId>, LivingError> {
    let locks = locks(layout)?;
    let locked: HashSet<&str> = locks.iter().map(TaskId::as_str).collect();
    let open = queue.list(Place::Queue).filter(|listed| !listed.status().is_terminal());
    let wanted: HashSet<&str> = open.map(Listed::id).filter(|id| locked.contains(id)).collect();
    held(layout, locks.iter().filter(|task| wanted.contains(task.as_str())))
}

/// Those of `tasks` that a worker has now.
pub(crate) fn among(
    layout: &Layout,
    tasks: &BTreeSet<TaskId>,
) -> Result<BTreeSet<TaskId>, LivingError> {
    held(layout, locks(layout)?.iter().filter(|task| tasks.contains(*task)))
}

/// The workers among `living` of which `state` knows nothing: it was lost, or cannot be read.
pub fn unrecorded(living: &BTreeSet<TaskId>, state: &ParallelStateFile) -> BTreeSet<TaskId> {
    living.iter().filter(|task| !state.has_worker(task.as_str())).cloned().collect()
}

/// The tasks for which there is a lock, held or not.
pub(crate) fn locks(layout: &Layout) -> std::io::Result<Vec<TaskId>> {
    let names = layout::names(&layout.worker_locks())?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".lock")?.parse().ok()).collect())
}

fn held<'t>(
    layout: &Layout,
    tasks: impl IntoIterator<Item = &'t TaskId>,
) -> Result<BTreeSet<TaskId>, LivingError> {
    let mut held = BTreeSet::new();
    for task in tasks {
        if file::is_locked(&layout.worker_lock(task))? {
            held.insert(task.clone());
        }
    }
    Ok(held)
}
