//! Moving a workspace's commits onto another commit.

use std::path::{Path, PathBuf};

use crate::{GitError, Sha, Workspace};

/// What became of a rebase.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it may have stopped at a conflict"]
pub enum Rebase {
    /// Done.
    Clean {
        /// The new tip.
        head: Sha,
    },
    /// Stopped: the work tree has the files with conflict markers. Next is
    /// [`Workspace::continue_rebase`] or [`Workspace::abort_rebase`].
    Conflict {
        /// The files in conflict.
        files: Vec<ConflictFile>,
    },
}

/// A file in conflict, with its three versions as blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictFile {
    /// Relative to the root of the work tree.
    pub path: PathBuf,
    /// What both started from; `None` when it was not there.
    pub base: Option<Sha>,
    /// The version of what is rebased onto: the target's. (Git calls it "ours" in a rebase.)
    pub ours: Option<Sha>,
    /// The version of the commit that is moved: the task's.
    pub theirs: Option<Sha>,
}

/// Those of `files` (relative to `root`) that still have conflict markers.
pub fn conflict_markers(_root: &Path, _files: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
    todo!()
}

impl Workspace {
    /// Moves the commits after `from_base` onto `onto`.
    pub fn rebase(&self, _onto: &Sha, _from_base: &Sha) -> Result<Rebase, GitError> {
        todo!()
    }

    /// Takes the work tree as the resolution and goes on.
    pub fn continue_rebase(&self) -> Result<Rebase, GitError> {
        todo!()
    }

    /// Goes back to before the rebase.
    pub fn abort_rebase(&self) -> Result<(), GitError> {
        todo!()
    }

    /// Whether a rebase has stopped and waits.
    pub fn rebase_in_progress(&self) -> bool {
        todo!()
    }

    /// The files in conflict now.
    pub fn conflicts(&self) -> Result<Vec<ConflictFile>, GitError> {
        todo!()
    }
}
