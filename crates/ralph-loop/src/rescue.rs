//! Work that did not land: where it is kept, and how to get at it.

use ralph_git::{DiffStat, GitError, Repo, Sha, UpdateRef};
use thiserror::Error;

use crate::landing::RESCUE_REFS;

/// Work under a rescue ref of the user's repository.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its short name, `RQ-0001/2`: the task and a number that rises with time.
    pub name: String,
    /// The commit.
    pub commit: Sha,
    /// Where it left the branch that is checked out, or what is before it.
    pub base: Option<Sha>,
    /// The first line of its message.
    pub subject: String,
    /// How much it differs from its base.
    pub change: DiffStat,
}

/// Why kept work could not be given back. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RescueError {
    /// There is no such work.
    #[error("nothing is kept as `{name}`")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The branch it would be on exists.
    #[error("the branch `{branch}` exists already")]
    BranchExists {
        /// The branch.
        branch: String,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Everything kept in `repo`, by name.
///
/// # Errors
/// When git cannot be asked.
pub fn list(repo: &Repo) -> Result<Vec<Kept>, GitError> {
    let mut kept = Vec::new();
    let head = repo.head()?.commit().cloned();
    for (name, commit) in repo.refs(RESCUE_REFS)? {
        let subject = repo.log_lines(commit.as_str(), 1)?.pop().map(|line| line.subject);
        let left = match &head {
            Some(head) => repo.merge_base(head, &commit)?.filter(|left| *left != commit),
            None => None,
        };
        let base = match left {
            Some(left) => Some(left),
            None => repo.resolve(&format!("{commit}~1"))?,
        };
        let change = match &base {
            Some(base) => repo.diff_stat(base, &commit)?,
            None => DiffStat::default(),
        };
        let name = name.strip_prefix(RESCUE_REFS).unwrap_or(&name).to_owned();
        kept.push(Kept { name, commit, base, subject: subject.unwrap_or_default(), change });
    }
    Ok(kept)
}

/// Makes a branch `rescue/<name>` of kept work; the checkout is not touched.
///
/// # Errors
/// When nothing is kept under that name, or the branch exists.
pub fn restore(repo: &Repo, name: &str) -> Result<String, RescueError> {
    let Some(commit) = repo.resolve(&format!("{RESCUE_REFS}{name}"))? else {
        return Err(RescueError::Unknown { name: name.to_owned() });
    };
    let branch = format!("rescue/{name}");
    match repo.update_ref(&format!("refs/heads/{branch}"), &commit, None)? {
        UpdateRef::Updated => Ok(branch),
        UpdateRef::Stale => Err(RescueError::BranchExists { branch }),
    }
}
