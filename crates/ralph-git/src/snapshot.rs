//! Commits and trees made from the work tree.

use std::path::PathBuf;

use thiserror::Error;

use crate::{GitError, Repo, Sha};

/// Git does not know who commits.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Neither configured nor to be guessed.
    #[error("git does not know who commits: {reason}")]
    Missing {
        /// What git says.
        reason: String,
    },
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Repo {
    /// Commits the whole work tree as it is, tracked and untracked files but no ignored ones,
    /// without touching index, HEAD, branches or files. The commit is reachable from nothing:
    /// [`Repo::update_ref`] is next. Its author is Ralph, so it works without an identity.
    ///
    /// `exclude` keeps paths as they are in HEAD.
    pub fn snapshot(
        &self,
        _exclude: &[PathBuf],
        _message: &str,
        _parent: Option<&Sha>,
    ) -> Result<Sha, GitError> {
        todo!()
    }

    /// The tree that [`Repo::snapshot`] would commit.
    pub fn work_tree_hash(&self, _exclude: &[PathBuf]) -> Result<Sha, GitError> {
        todo!()
    }

    /// Commits everything that is not ignored on the current branch; `None` when there is
    /// nothing to commit. Hooks are not run.
    pub fn commit_all(&self, _message: &str) -> Result<Option<Sha>, GitError> {
        todo!()
    }

    /// Makes a commit of `tree` that is reachable from nothing yet.
    pub fn commit_tree(
        &self,
        _tree: &Sha,
        _parents: &[Sha],
        _message: &str,
    ) -> Result<Sha, GitError> {
        todo!()
    }

    /// Whether git knows who commits here.
    pub fn identity(&self) -> Result<(), IdentityError> {
        todo!()
    }
}
