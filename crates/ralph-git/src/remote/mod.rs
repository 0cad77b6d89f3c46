//! Other repositories: fetching from them and pushing to them.

mod classify;

use std::path::Path;

use thiserror::Error;

use crate::command::{Call, is_disk_full, records};
use crate::{GitError, Repo, Sha};
use classify::{Trouble, classify_push, essence, trouble};

/// Where a remote is, as it is configured.
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
    /// There is no such repository, or nobody is allowed to know.
    RemoteGone {
        /// What git says.
        reason: String,
    },
    /// The network or the server failed in a way that passes, or the push was cancelled. The
    /// remote may have it all the same: fetch and look before pushing again.
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
    /// relative path is made absolute, so that it means the same from elsewhere.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn remote_url(&self, name: &str) -> Result<Option<RemoteUrls>, GitError> {
        let Some(fetch) = self.remote_setting(name, "url")? else { return Ok(None) };
        let push = self.remote_setting(name, "pushurl")?.unwrap_or_else(|| fetch.clone());
        Ok(Some(RemoteUrls { fetch, push }))
    }

    fn remote_setting(&self, remote: &str, key: &str) -> Result<Option<String>, GitError> {
        let call = Call::new(["config", "-z", "--get-all"]);
        let answer = self.ask(call.arg(format!("remote.{remote}.{key}")))?;
        let first = records(&answer.stdout).next().map(String::from_utf8_lossy);
        Ok(first.filter(|_| answer.success()).map(|url| absolute(&url, self.root())))
    }

    /// Asks the remote for its branches: whether it answers.
    ///
    /// # Errors
    /// When it does not, or git does not.
    pub fn reach(&self, remote: &str) -> Result<(), GitError> {
        self.run(Call::new(["ls-remote", "--quiet", "--heads", remote]))?;
        Ok(())
    }

    /// Fetches one branch into `refs/remotes/<remote>/<branch>`, which is removed when the
    /// remote has no such branch.
    ///
    /// # Errors
    /// When the remote does not answer, or git does not.
    pub fn fetch(&self, remote: &str, branch: &str) -> Result<Fetched, FetchError> {
        let tracking = format!("refs/remotes/{remote}/{branch}");
        let call = Call::new(FETCH).arg(remote).arg(format!("+refs/heads/{branch}:{tracking}"));
        let answer = match self.git().ask_patiently(self.root(), &call.stoppable()) {
            Err(error @ GitError::TimedOut { .. }) => {
                let (remote, reason) = (remote.to_owned(), error.to_string());
                return Err(FetchError::Transient { remote, reason });
            }
            answer => answer?,
        };
        if answer.success() {
            return Ok(Fetched { tip: self.resolve(&tracking)? });
        }
        if answer.stderr.contains("couldn't find remote ref") {
            if let Some(old) = self.resolve(&tracking)? {
                let _gone_either_way = self.delete_ref(&tracking, &old)?;
            }
            return Ok(Fetched { tip: None });
        }
        let (remote, reason) = (remote.to_owned(), essence(&answer.stderr));
        if is_disk_full(&answer.stderr) {
            return Err(answer.failed().into());
        }
        Err(match trouble(&answer.stderr) {
            Some(Trouble::Gone) => FetchError::RemoteGone { remote, reason },
            Some(Trouble::Refused) => FetchError::Refused { remote, reason },
            Some(Trouble::Transient) => FetchError::Transient { remote, reason },
            None => answer.failed().into(),
        })
    }

    /// Brings the commit `sha` and its history from the repository at `path` here and sets the
    /// ref `ref_name` to it, whatever it was.
    ///
    /// # Errors
    /// When the commit is not there, or git gives no answer.
    pub fn fetch_from(&self, path: &Path, sha: &Sha, ref_name: &str) -> Result<(), GitError> {
        self.fetch_as(path, &format!("+{sha}:{ref_name}"))
    }

    /// The same without a ref, for one that is to be set only where it is free: how the work of a
    /// workspace is rescued.
    ///
    /// # Errors
    /// As for [`Repo::fetch_from`].
    pub fn fetch_commit(&self, path: &Path, sha: &Sha) -> Result<(), GitError> {
        self.fetch_as(path, sha.as_str())
    }

    fn fetch_as(&self, path: &Path, what: &str) -> Result<(), GitError> {
        let call = Call::new(FETCH).config("protocol.file.allow=always").arg(path);
        self.run(call.arg(what).long())?;
        Ok(())
    }

    /// Pushes `new` to `branch` of `remote` if the branch is at `expected_old` there (`None`: if
    /// it does not exist there). Never moves a branch anywhere but forward. Hooks are not run.
    ///
    /// # Errors
    /// When git could not be run.
    pub fn push(
        &self,
        remote: &str,
        new: &Sha,
        branch: &str,
        expected_old: Option<&Sha>,
    ) -> Result<Push, GitError> {
        // With a lease git would also move the branch back or aside.
        if let Some(old) = expected_old
            && !self.is_ancestor(old, new)?
        {
            return Ok(Push::Raced);
        }
        let target = format!("refs/heads/{branch}");
        let expected = expected_old.map(Sha::as_str).unwrap_or_default();
        let call = Call::new(["push", "--porcelain", "--no-verify", "--no-follow-tags"])
            .arg(format!("--force-with-lease={target}:{expected}"))
            .arg(remote)
            .arg(format!("{new}:{target}"));
        let answer = match self.ask(call.stoppable()) {
            Err(error @ (GitError::TimedOut { .. } | GitError::Cancelled { .. })) => {
                return Ok(Push::Transient { reason: error.to_string() });
            }
            answer => answer?,
        };
        Ok(if answer.success() {
            Push::Pushed
        } else {
            classify_push(&String::from_utf8_lossy(&answer.stdout), &answer.stderr, &target)
        })
    }
}

const FETCH: [&str; 5] =
    ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];

/// A path relative to `root` made absolute; a URL as it is.
fn absolute(url: &str, root: &Path) -> String {
    // `host:path` and `scheme://`, but not `./dir:with/colon`.
    let is_url = url.split('/').next().is_some_and(|first| first.contains(':'));
    if is_url || url.starts_with('~') {
        return url.to_owned();
    }
    root.join(url).to_string_lossy().into_owned()
}
