//! Moving a checkout forward without overwriting anything.

use std::path::{Path, PathBuf};

use crate::command::{Call, path_from, records};
use crate::{Change, GitError, Head, Repo, Sha};

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
    /// Files that are changed, untracked or ignored stand in the way; nothing changed.
    WouldOverwrite {
        /// The files, in the order of git.
        files: Vec<PathBuf>,
    },
    /// Git refuses for another reason, an unfinished merge say; nothing changed.
    Refused {
        /// What git says.
        reason: String,
    },
}

impl Repo {
    /// Moves the checked-out branch (or a detached HEAD) forward to `to`, with its files. Changes
    /// in other files stay; nothing is ever overwritten: git itself checks under its own lock,
    /// ignored files included.
    ///
    /// # Errors
    /// When `to` is missing, another git holds the index, or git gives no answer.
    pub fn fast_forward(&self, to: &Sha) -> Result<FastForward, GitError> {
        let head = match self.head()? {
            Head::Branch { commit, .. } => commit,
            Head::Detached { commit } => Some(commit),
        };
        if let Some(head) = &head {
            if self.is_ancestor(to, head)? {
                return Ok(FastForward::AlreadyThere);
            }
            if !self.is_ancestor(head, to)? {
                return Ok(FastForward::NotAFastForward);
            }
        }
        let merge = ["merge", "--quiet", "--ff-only", "--no-overwrite-ignore", "--no-stat"];
        // The branch may have options of its own for merges.
        let call = Call::new(merge).args(["--no-squash", "--no-autostash"]).arg(to.as_str()).long();
        let answer = self.git().ask_patiently(self.root(), &call)?;
        if answer.success() {
            return Ok(FastForward::Done);
        }
        let files = self.in_the_way(head.as_ref(), to)?;
        if !files.is_empty() {
            return Ok(FastForward::WouldOverwrite { files });
        }
        let reason = answer.stderr.clone();
        match answer.failed() {
            GitError::Failed { .. } => Ok(FastForward::Refused { reason }),
            error => Err(error),
        }
    }

    /// The files that `to` brings and that differ here, tracked or not.
    fn in_the_way(&self, head: Option<&Sha>, to: &Sha) -> Result<Vec<PathBuf>, GitError> {
        let incoming = self.incoming(head, to, "--diff-filter=ACDMRTUXB")?;
        let mut in_the_way: Vec<PathBuf> = self
            .changes()?
            .into_iter()
            .map(|Change { path, .. }| path)
            .filter(|path| incoming.iter().any(|new| collide(path, new)))
            .collect();
        // An ignored file is no change; it stands where a new file has to go.
        for new in self.incoming(head, to, "--diff-filter=A")? {
            let exists = fs_err::symlink_metadata(self.root().join(&new)).is_ok();
            if exists && !in_the_way.iter().any(|path| collide(path, &new)) {
                in_the_way.push(new);
            }
        }
        Ok(in_the_way)
    }

    fn incoming(
        &self,
        head: Option<&Sha>,
        to: &Sha,
        filter: &str,
    ) -> Result<Vec<PathBuf>, GitError> {
        let names = ["-r", "-z", "--name-only"];
        let answer = self.run(match head {
            Some(head) => Call::new(["diff-tree", "--no-renames", filter])
                .args(names)
                .args([head.as_str(), to.as_str()]),
            None => Call::new(["ls-tree"]).args(names).arg(to.as_str()),
        })?;
        Ok(records(&answer.stdout).map(path_from).collect())
    }
}

/// Whether both cannot be: the same path, or one a file where the other needs a directory.
fn collide(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
