//! Commits: their messages, trailers and size.

use crate::{GitError, Repo, Sha};

/// One commit for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its name.
    pub sha: Sha,
    /// The first line of its message.
    pub subject: String,
}

/// How much two trees differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffStat {
    /// Files that differ.
    pub files: usize,
    /// Lines added; binary files count none.
    pub insertions: usize,
    /// Lines removed.
    pub deletions: usize,
}

impl Repo {
    /// The newest commits of `range` (a revision or `a..b`), at most `count`, newest first.
    pub fn log_lines(&self, _range: &str, _count: usize) -> Result<Vec<LogLine>, GitError> {
        todo!()
    }

    /// The commits of `tip` that are not in `base`, oldest first.
    pub fn commits_since(&self, _base: &Sha, _tip: &Sha) -> Result<Vec<Sha>, GitError> {
        todo!()
    }

    /// How much `to` differs from `from`.
    pub fn diff_stat(&self, _from: &Sha, _to: &Sha) -> Result<DiffStat, GitError> {
        todo!()
    }

    /// The newest commit of `range` with the trailer `key: value`.
    pub fn find_trailer(
        &self,
        _range: &str,
        _key: &str,
        _value: &str,
    ) -> Result<Option<Sha>, GitError> {
        todo!()
    }

    /// Every `key` trailer of `range` with its commit, newest first.
    pub fn trailers(&self, _range: &str, _key: &str) -> Result<Vec<(Sha, String)>, GitError> {
        todo!()
    }
}
