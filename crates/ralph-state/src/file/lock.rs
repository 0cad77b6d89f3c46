//! Locks that die with their holder.
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Who holds a lock, for messages only: a lock is free when its holder is dead, whatever this
/// says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process id.
    pub pid: u32,
    /// The name of the host.
    pub host: String,
    /// What it is doing, such as `ralph run loop`.
    pub command: String,
    /// Since when it runs.
    pub since: Timestamp,
}

/// A lock that is held until this is dropped or the process dies.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct FileLock {}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process, or another part of this one, holds it.
    #[error("`{}` is locked", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who says to hold it, if that is known.
        holder: Option<Holder>,
        /// How long was waited.
        waited: Duration,
    },
    /// The file system has no locks.
    #[error("the file system of `{}` has no locks", path.display())]
    Unsupported {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot lock `{}`", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl FileLock {
    /// Takes the lock if it is free.
    pub fn try_acquire(lock_path: &Path, holder: &Holder) -> Result<Option<Self>, LockError> {
        let _ = (lock_path, holder);
        todo!()
    }

    /// Takes the lock, waiting for at most `wait`.
    pub fn acquire(lock_path: &Path, holder: &Holder, wait: Duration) -> Result<Self, LockError> {
        let _ = (lock_path, holder, wait);
        todo!()
    }
}

/// Who says to hold the lock. A hint.
pub fn lock_holder(lock_path: &Path) -> Option<Holder> {
    let _ = lock_path;
    todo!()
}

/// Whether somebody holds the lock now. Never makes the file; a missing one is not held.
pub fn is_locked(lock_path: &Path) -> Result<bool, LockError> {
    let _ = lock_path;
    todo!()
}

/// The lock file that belongs to `file`: `.{name}.lock` beside it, symbolic links followed.
pub fn sidecar_lock_path(file: &Path) -> PathBuf {
    let _ = file;
    todo!()
}
