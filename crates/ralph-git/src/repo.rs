//! A repository with a work tree, and questions about its commits.

use std::path::{Path, PathBuf};

use ralph_process::Cancel;
use thiserror::Error;

use crate::{GitEnv, GitError, Sha};

/// A work tree.
#[derive(Clone, Debug)]
pub struct Repo {}

/// What is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A branch.
    Branch {
        /// Its name without `refs/heads/`.
        name: String,
        /// Its commit; `None` for a branch without one yet.
        commit: Option<Sha>,
    },
    /// A commit and no branch.
    Detached {
        /// The commit.
        commit: Sha,
    },
}

/// Why there is no repository to work with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// There is no git.
    #[error("git was not found on PATH")]
    GitMissing,
    /// Git is too old.
    #[error("git {found} is too old; {needed} is needed")]
    GitTooOld {
        /// Its version.
        found: String,
        /// The oldest that does.
        needed: String,
    },
    /// The directory is missing.
    #[error("there is no directory {}", path.display())]
    NoDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The directory is in no work tree.
    #[error("{} is not in a git repository", path.display())]
    NotARepository {
        /// The directory.
        path: PathBuf,
    },
    /// The repository has no work tree.
    #[error("{} is a bare repository", path.display())]
    Bare {
        /// The directory.
        path: PathBuf,
    },
    /// Git refuses a repository that belongs to another user.
    #[error("{} belongs to another user", path.display())]
    NotOwned {
        /// The directory.
        path: PathBuf,
    },
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What became of a ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a stale expectation changed nothing"]
pub enum UpdateRef {
    /// It has the new value.
    Updated,
    /// It did not have the expected value; nothing changed.
    Stale,
}

impl Repo {
    /// The repository whose work tree `start` is in.
    ///
    /// # Errors
    /// When there is none, or no git.
    pub fn discover(_start: &Path, _env: GitEnv, _cancel: Cancel) -> Result<Self, DiscoverError> {
        todo!()
    }

    /// The root of the work tree.
    pub fn root(&self) -> &Path {
        todo!()
    }

    /// Git's directory for this work tree.
    pub fn git_dir(&self) -> &Path {
        todo!()
    }

    /// Git's directory for all work trees of this repository.
    pub fn common_dir(&self) -> &Path {
        todo!()
    }

    /// The same repository, with git's runs ended by another request to stop.
    #[must_use]
    pub fn with_cancel(&self, _cancel: Cancel) -> Self {
        todo!()
    }

    /// What is checked out.
    pub fn head(&self) -> Result<Head, GitError> {
        todo!()
    }

    /// The commit `rev` names; `None` when it names none.
    pub fn resolve(&self, _rev: &str) -> Result<Option<Sha>, GitError> {
        todo!()
    }

    /// The tree of `rev`.
    pub fn tree_of(&self, _rev: &str) -> Result<Sha, GitError> {
        todo!()
    }

    /// Whether `ancestor` is `descendant` or before it; no commit that is missing here is.
    pub fn is_ancestor(&self, _ancestor: &Sha, _descendant: &Sha) -> Result<bool, GitError> {
        todo!()
    }

    /// The best common ancestor.
    pub fn merge_base(&self, _one: &Sha, _other: &Sha) -> Result<Option<Sha>, GitError> {
        todo!()
    }

    /// The content of a file in `rev`; `None` when it is not there.
    pub fn read_blob(&self, _rev: &str, _path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        todo!()
    }

    /// Sets a ref: to `new`, and only if it is `old` now (`None`: if it does not exist).
    pub fn update_ref(
        &self,
        _name: &str,
        _new: &Sha,
        _old: Option<&Sha>,
    ) -> Result<UpdateRef, GitError> {
        todo!()
    }

    /// Deletes a ref if it is `old` now.
    pub fn delete_ref(&self, _name: &str, _old: &Sha) -> Result<UpdateRef, GitError> {
        todo!()
    }

    /// The refs below `prefix` (`refs/ralph/`), by name.
    pub fn refs(&self, _prefix: &str) -> Result<Vec<(String, Sha)>, GitError> {
        todo!()
    }
}
