//! Other repositories: fetching from them, pushing to them and what they answer.

use std::path::Path;

use thiserror::Error;

use crate::{GitError, Repo, Sha};

/// Where a remote is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrls {
    /// Where to fetch from.
    pub fetch: String,
    /// Where to push to.
    pub push: String,
}

/// What a fetch found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The commit of the branch; `None` when the remote has no such branch.
    pub tip: Option<Sha>,
}

/// Why a fetch failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no such repository, or nobody is allowed to know.
    #[error("the remote `{remote}` is gone: {reason}")]
    RemoteGone {
        /// The remote.
        remote: String,
        /// What git says.
        reason: String,
    },
    /// It does not let us in.
    #[error("the remote `{remote}` refuses: {reason}")]
    Refused {
        /// The remote.
        remote: String,
        /// What git says.
        reason: String,
    },
    /// The network or the server failed in a way that passes.
    #[error("the remote `{remote}` cannot be reached: {reason}")]
    Transient {
        /// The remote.
        remote: String,
        /// What git says.
        reason: String,
    },
    /// Git failed otherwise.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it may not have happened"]
pub enum Push {
    /// The remote has it.
    Pushed,
    /// Somebody else was faster: fetch, rebase, again.
    Raced,
    /// The remote does not want it, and will not next time: protection, hook, permission.
    Refused {
        /// What the remote says.
        reason: String,
    },
    /// There is no such repository.
    RemoteGone {
        /// What git says.
        reason: String,
    },
    /// The network or the server failed in a way that passes. The remote may have it all the
    /// same: fetch and look before pushing again.
    Transient {
        /// What git says.
        reason: String,
    },
    /// Not understood. The remote may have it all the same.
    Unknown {
        /// What git says.
        reason: String,
    },
}

impl Repo {
    /// Where the remote `name` is; `None` when there is no such remote or it has no URL. A
    /// relative path is made absolute.
    pub fn remote_url(&self, _name: &str) -> Result<Option<RemoteUrls>, GitError> {
        todo!()
    }

    /// Fetches one branch into `refs/remotes/<remote>/<branch>`.
    pub fn fetch(&self, _remote: &str, _branch: &str) -> Result<Fetched, FetchError> {
        todo!()
    }

    /// Brings a commit and its history from the repository at `path` here, under `ref_name`,
    /// which is set whatever it was.
    pub fn fetch_from(&self, _path: &Path, _sha: &Sha, _ref_name: &str) -> Result<(), GitError> {
        todo!()
    }

    /// Pushes `new` to `branch` of `remote` if the branch is at `expected_old` there (`None`: if
    /// it does not exist there). Never moves a branch anywhere but forward. Hooks are not run.
    pub fn push(
        &self,
        _remote: &str,
        _new: &Sha,
        _branch: &str,
        _expected_old: Option<&Sha>,
    ) -> Result<Push, GitError> {
        todo!()
    }
}
