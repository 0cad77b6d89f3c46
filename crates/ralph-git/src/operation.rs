//! What the user has begun with git and not ended.

use std::fmt;

use crate::{GitError, Repo};

/// What git is in the middle of, in a work tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `git rebase`.
    Rebase,
    /// `git am`.
    Am,
    /// `git merge`.
    Merge,
    /// `git cherry-pick`.
    CherryPick,
    /// `git revert`.
    Revert,
    /// `git bisect`.
    Bisect,
}

impl fmt::Display for Operation {
    /// The name of git's command for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rebase => "rebase",
            Self::Am => "am",
            Self::Merge => "merge",
            Self::CherryPick => "cherry-pick",
            Self::Revert => "revert",
            Self::Bisect => "bisect",
        })
    }
}

impl Repo {
    /// What git is in the middle of here; of several what has to be ended first.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn operation(&self) -> Result<Option<Operation>, GitError> {
        let has = |name: &str| self.git_dir().join(name).exists();
        // A rebase picks commits, so that it comes before a cherry-pick.
        Ok(if has("rebase-apply/applying") {
            Some(Operation::Am)
        } else if has("rebase-merge") || has("rebase-apply") {
            Some(Operation::Rebase)
        } else if has("MERGE_HEAD") {
            Some(Operation::Merge)
        } else if self.resolve("CHERRY_PICK_HEAD")?.is_some() {
            Some(Operation::CherryPick)
        } else if self.resolve("REVERT_HEAD")?.is_some() {
            Some(Operation::Revert)
        } else if has("BISECT_LOG") {
            Some(Operation::Bisect)
        } else {
            None
        })
    }
}
