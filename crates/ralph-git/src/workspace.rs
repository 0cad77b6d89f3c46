//! Local clones for workers, and the operations that may destroy their content.

use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use ralph_process::Cancel;
use thiserror::Error;

use crate::{Change, DiscoverError, GitEnv, GitError, RemoteUrls, Repo, Sha};

/// A clone made by [`create_workspace`]. Only it has operations that overwrite or delete: the
/// user's checkout cannot be passed to them.
#[derive(Clone, Debug)]
pub struct Workspace {
    repo: Repo,
}

/// Why a workspace was not made. Nothing is left of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateError {
    /// There is something at the destination.
    #[error("{} exists already", path.display())]
    Exists {
        /// The destination.
        path: PathBuf,
    },
    /// The disk, or the user's share of it, is full.
    #[error("no space left for a workspace in {}", path.display())]
    DiskFull {
        /// The destination.
        path: PathBuf,
    },
    /// A directory could not be made, renamed or removed.
    #[error("cannot make the workspace {}", path.display())]
    Io {
        /// The destination.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Git failed.
    #[error("cannot make the workspace {}", path.display())]
    Git {
        /// The destination.
        path: PathBuf,
        /// The cause.
        source: GitError,
    },
}

/// Why a directory is no workspace.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is a repository, and not one made by [`create_workspace`].
    #[error("{} is not a workspace", path.display())]
    NotAWorkspace {
        /// The directory.
        path: PathBuf,
    },
    /// It is no repository.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
}

/// The proof that a workspace can be removed without losing anything.
#[derive(Debug)]
#[must_use = "nothing is removed yet"]
pub struct Removable {
    _root: PathBuf,
}

/// What would be lost with a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRemovable {
    /// Changes that are not committed.
    Dirty {
        /// The changes.
        changes: Vec<Change>,
    },
    /// A rebase has stopped and waits.
    RebaseInProgress,
    /// Commits that none of the given refs has.
    Unreachable {
        /// The refs of the workspace (or `HEAD`, or `refs/stash`) and their commits.
        refs: Vec<(String, Sha)>,
    },
}

/// Why a workspace was not removed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// The proof is for another workspace, or it changed since.
    #[error("the workspace {} changed since it was checked", path.display())]
    Changed {
        /// The workspace.
        path: PathBuf,
    },
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file could not be removed; the rest of the workspace stands beside it under a hidden
    /// name, to be removed with the next one of its name.
    #[error("cannot remove the workspace {}", path.display())]
    Io {
        /// The workspace.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Clones `main` into `dest`, with `branch` at `start` checked out.
///
/// Objects are linked, not copied, where the file system allows. `origin` is `remote`, or `main`
/// itself without one. The clone is made beside `dest` and renamed: after a crash there is a
/// whole workspace or none.
pub fn create_workspace(
    _main: &Repo,
    _dest: &Path,
    _branch: &str,
    _start: &Sha,
    _remote: Option<&RemoteUrls>,
) -> Result<Workspace, CreateError> {
    todo!()
}

impl Deref for Workspace {
    type Target = Repo;

    fn deref(&self) -> &Repo {
        &self.repo
    }
}

impl Workspace {
    /// The workspace at `root`.
    pub fn open(_root: &Path, _env: GitEnv, _cancel: Cancel) -> Result<Self, OpenError> {
        todo!()
    }

    /// Makes HEAD's branch, index and files those of `to`; untracked files go, ignored ones stay.
    pub fn reset_clean(&self, _to: &Sha) -> Result<(), GitError> {
        todo!()
    }

    /// Checks that nothing would be lost: no change, no stopped rebase, and every ref reachable
    /// from one of `kept`, names of refs in `main` (the target, rescue refs) or remote-tracking
    /// refs of the workspace that point to a real remote.
    pub fn check_removable(
        &self,
        _main: &Repo,
        _kept: &[&str],
    ) -> Result<Result<Removable, NotRemovable>, GitError> {
        todo!()
    }

    /// Removes the workspace.
    pub fn remove(self, _proof: Removable) -> Result<(), RemoveError> {
        todo!()
    }
}
