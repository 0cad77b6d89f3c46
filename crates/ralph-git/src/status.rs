//! What differs between the work tree and the last commit.

use std::path::{Path, PathBuf};

use crate::{GitError, Repo};

/// One path that differs from the last commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Relative to the root of the work tree.
    pub path: PathBuf,
    /// How it differs.
    pub kind: ChangeKind,
}

/// How a path differs from the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Other content, mode or type.
    Modified,
    /// New and staged.
    Added,
    /// Gone.
    Deleted,
    /// Moved here.
    Renamed,
    /// New and not staged.
    Untracked,
    /// In conflict.
    Unmerged,
}

impl Repo {
    /// All that differs from the last commit, untracked files one by one, ignored ones not.
    pub fn changes(&self) -> Result<Vec<Change>, GitError> {
        todo!()
    }

    /// Whether git tracks `path` (or something below it).
    pub fn is_tracked(&self, _path: &Path) -> Result<bool, GitError> {
        todo!()
    }

    /// Whether git ignores `path`; a tracked file is never ignored.
    pub fn is_ignored(&self, _path: &Path) -> Result<bool, GitError> {
        todo!()
    }

    /// The ignored files named `.env` or `.env.*`, outside ignored directories.
    pub fn ignored_env_files(&self) -> Result<Vec<PathBuf>, GitError> {
        todo!()
    }
}
