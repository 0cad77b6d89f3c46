//! The two files on disk: read without a lock, edited under one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ralph_state::Timestamp;
use ralph_state::file::{Holder, LockError, ReplaceError, Saved};

use crate::document::{ParseError, SpliceError};
use crate::edit::Edit;
use crate::queue::{Place, Queue};
use crate::validate::{Problem, Rules};

/// Where a queue is on disk, and how it is edited.
///
/// Every edit holds the lock of the queue file, which stands for both files. The done file is
/// written first: a crash between the two leaves a moved task in both, never in neither, and the
/// next edit removes the rest.
#[derive(Clone, Debug)]
pub struct QueueFiles {
    /// The queue file.
    pub queue: PathBuf,
    /// The done file.
    pub done: PathBuf,
    /// Who asks for the lock, for others to read.
    pub holder: Holder,
    /// What an edit may not break.
    pub rules: Rules,
    /// How long to wait for the lock.
    pub lock_wait: Duration,
    /// The lock of a 0.4.0 that may be running beside us.
    pub legacy_lock: Option<LegacyLock>,
}

/// The directory that 0.4.0 makes while it changes a queue or runs.
#[derive(Clone)]
pub struct LegacyLock {
    /// Its path, `.ralph/lock`.
    pub directory: PathBuf,
    /// Whether a process with that number lives.
    pub is_alive: Arc<dyn Fn(u32) -> bool + Send + Sync>,
}

impl std::fmt::Debug for LegacyLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LegacyLock").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Why a queue could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no queue file; `ralph init` makes one.
    #[error("there is no queue file at `{}`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is not what it should be.
    #[error("cannot read `{}`", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Which of the two.
        place: Place,
        /// What is wrong.
        source: ParseError,
    },
    /// The file could not be read at all.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Why an edit was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The lock is held, or cannot be had.
    #[error("cannot lock the queue")]
    Lock(#[source] LockError),
    /// A Ralph 0.4.0 is changing the queue or running.
    #[error("process {pid} of an older Ralph holds `{}`", directory.display())]
    Legacy {
        /// Its lock.
        directory: PathBuf,
        /// Its process id.
        pid: u32,
        /// What it said about itself.
        label: Option<String>,
    },
    /// The queue could not be read.
    #[error("cannot load the queue")]
    Load(#[source] LoadError),
    /// The change itself was refused.
    #[error("the change was refused")]
    Refused(#[source] E),
    /// The change would break a rule that holds now.
    #[error("the change would make the queue invalid")]
    Invalid {
        /// What would be wrong that is not so already.
        problems: Vec<Problem>,
    },
    /// The edited text does not say what was meant: a fault in this crate. Nothing was written.
    #[error("the edit cannot be written")]
    Splice(#[source] SpliceError),
    /// A file could not be written. When it is the queue file, a moved task may be in both files
    /// until the next edit.
    #[error("cannot save `{}`", path.display())]
    Save {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ReplaceError,
    },
}

/// What an edit did.
#[derive(Debug)]
pub struct Edited<R> {
    /// What the change returned.
    pub value: R,
    /// How the queue file was saved.
    pub queue: Saved,
    /// How the done file was saved.
    pub done: Saved,
}

impl QueueFiles {
    /// Files at these paths, with the rules of 0.4.0, a wait of 10 seconds, and no look for a 0.4.0.
    pub fn new(queue: impl Into<PathBuf>, done: impl Into<PathBuf>, holder: Holder) -> Self {
        let _ = (queue.into(), done.into(), holder);
        unimplemented!()
    }

    /// Writes an empty queue file unless there is one; says whether it did.
    pub fn init(&self) -> Result<bool, UpdateError<std::convert::Infallible>> {
        unimplemented!()
    }

    /// Reads both files, without a lock; nothing is written.
    pub fn load(&self) -> Result<Queue, LoadError> {
        unimplemented!()
    }

    /// Locks, reads, lets `change` change, checks, and writes what changed.
    pub fn edit<R, E>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, E>,
    ) -> Result<Edited<R>, UpdateError<E>> {
        let _ = (now, change);
        unimplemented!()
    }

    /// The path of one of the files.
    pub fn path(&self, place: Place) -> &Path {
        match place {
            Place::Queue => &self.queue,
            Place::Done => &self.done,
        }
    }
}
