//! Moving the user's checkout forward.

use std::path::PathBuf;

use crate::{GitError, Repo, Sha};

/// What became of a fast-forward.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it may not have happened"]
pub enum FastForward {
    /// The branch, the index and the files are at the commit.
    Done,
    /// They were, or are beyond it.
    AlreadyThere,
    /// The branch has commits of its own; nothing changed.
    NotAFastForward,
    /// Files with changes, untracked or ignored, stand in the way; nothing changed.
    WouldOverwrite {
        /// The files.
        files: Vec<PathBuf>,
    },
    /// Git refuses for another reason, an unfinished merge say; nothing changed.
    Refused {
        /// What git says.
        reason: String,
    },
}

impl Repo {
    /// Moves the checked-out branch forward to `to`, with its files, and never overwrites any.
    pub fn fast_forward(&self, _to: &Sha) -> Result<FastForward, GitError> {
        todo!()
    }
}
