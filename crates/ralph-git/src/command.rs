//! How git is run.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ralph_process::SpawnError;
use thiserror::Error;

/// What git gets from the outside world.
#[derive(Clone, Debug, Default)]
pub struct GitEnv {
    /// The value of `PATH`, where git is looked up.
    pub path: Option<OsString>,
    /// Variables set for every run of git, on top of what this process has.
    pub vars: Vec<(OsString, OsString)>,
    /// Whether the commits made here are signed.
    pub signing: Signing,
}

/// Whether commits are signed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Signing {
    /// Never: a key that asks for its passphrase would stop a night's run.
    #[default]
    Off,
    /// As the user's `commit.gpgSign` says.
    AsConfigured,
}

/// Why a run of git gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GitError {
    /// Git could not be started.
    #[error("cannot run git")]
    Spawn(#[from] SpawnError),
    /// It was stopped at its time limit.
    #[error("`git {command}` took longer than {} s", limit.as_secs())]
    TimedOut {
        /// The subcommand.
        command: String,
        /// The limit.
        limit: Duration,
    },
    /// It was stopped because the run was.
    #[error("`git {command}` was cancelled")]
    Cancelled {
        /// The subcommand.
        command: String,
    },
    /// Another git holds a lock.
    #[error("another git process holds {}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The disk, or the user's share of it, is full.
    #[error("no space left for `git {command}`")]
    DiskFull {
        /// The subcommand.
        command: String,
    },
    /// It failed.
    #[error("`git {command}` failed ({exit}): {stderr}")]
    Failed {
        /// The subcommand.
        command: String,
        /// How it ended.
        exit: String,
        /// What it said, without secrets of URLs.
        stderr: String,
    },
    /// It printed something that is not understood here.
    #[error("`git {command}` printed something unexpected: {output}")]
    Unreadable {
        /// The subcommand.
        command: String,
        /// The part that was not understood.
        output: String,
    },
    /// A file of the work tree or of git's own directory could not be used.
    #[error("a file of the repository cannot be used")]
    Io(#[from] io::Error),
}
