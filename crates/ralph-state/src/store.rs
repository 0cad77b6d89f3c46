//! A document at a path.
use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::document::{DecodeError, Document, MigrationReport};
use crate::file::{Durability, Holder, LockError, ReplaceError, Saved};
use crate::json::EncodeError;

/// One document at one path.
#[derive(Clone, Debug)]
pub struct Store<D> {
    path: PathBuf,
    holder: Holder,
    durability: Durability,
    lock_wait: Duration,
    document: PhantomData<fn() -> D>,
}

/// What was loaded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded<D> {
    /// The value, of the current version.
    pub value: D,
    /// How it came about.
    pub report: MigrationReport,
    /// Which bytes it was read from.
    pub token: Token,
}

/// Which bytes a value was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token([u8; 32]);

/// What [`Store::update`] did.
#[derive(Debug)]
#[must_use]
pub struct Updated<R> {
    /// What the change returned.
    pub value: R,
    /// What became of the save.
    pub saved: Saved,
}

/// Why a document was not loaded. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the {kind} `{}`", path.display())]
    Read {
        /// What the file is.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("the {kind} `{}` is not usable", path.display())]
    Decode {
        /// What the file is.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
}

/// Why a document was not saved. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The lock was not to be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file there cannot be understood, or is newer: it is not overwritten.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The value cannot be written as JSON.
    #[error("cannot encode the {kind}")]
    Encode {
        /// What the file is.
        kind: &'static str,
        /// The cause.
        source: EncodeError,
    },
    /// The file changed since the token was taken.
    #[error("`{}` has changed since it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The bytes of the older version could not be kept.
    #[error("cannot keep a copy of the older version of `{}`", path.display())]
    Backup {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file was not replaced.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
}

/// Why an update did not happen. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The document was not loaded or not saved.
    #[error(transparent)]
    Store(#[from] SaveError),
    /// The change refused.
    #[error(transparent)]
    Change(E),
}

impl<D: Document> Store<D> {
    /// The document at `path`; nothing is read or made yet.
    pub fn new(path: impl Into<PathBuf>, holder: Holder) -> Self {
        Self {
            path: path.into(),
            holder,
            durability: Durability::Full,
            lock_wait: Duration::from_secs(10),
            document: PhantomData,
        }
    }

    /// The same, saving as durably as `durability` says.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// The same, waiting for the lock for at most `lock_wait` (default: ten seconds).
    #[must_use]
    pub fn lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// Where the document is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the document; `None` when there is no file. Takes no lock and never writes.
    pub fn load(&self) -> Result<Option<Loaded<D>>, LoadError> {
        todo!()
    }

    /// Puts `value` there.
    pub fn save(&self, value: &D) -> Result<Saved, SaveError> {
        let _ = value;
        todo!()
    }

    /// Puts `value` there if the file still is the one that `token` was taken from.
    pub fn save_if(&self, value: &D, token: Option<Token>) -> Result<Saved, SaveError> {
        let _ = (value, token);
        todo!()
    }

    /// Locks, loads (a missing file is the default), changes, saves.
    pub fn update<R, E>(
        &self,
        change: impl FnOnce(&mut D) -> Result<R, E>,
    ) -> Result<Updated<R>, UpdateError<E>>
    where
        D: Default,
    {
        let _ = change;
        todo!()
    }

    /// Brings an older file to the current version; `None` when there is no file.
    pub fn upgrade(&self) -> Result<Option<(MigrationReport, Saved)>, SaveError> {
        todo!()
    }

    /// Removes the file; whether there was one.
    pub fn remove(&self) -> Result<bool, SaveError> {
        let _: Option<Infallible> = None;
        todo!()
    }

    /// Moves a file that cannot be used out of the way, to the returned path; `None` when there is
    /// no file.
    pub fn set_aside(&self) -> Result<Option<PathBuf>, SaveError> {
        todo!()
    }
}
