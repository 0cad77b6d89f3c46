//! Work that did not land: where it is kept, and how to get at it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ralph_git::{DiffStat, GitError, Head, Repo, Sha, UpdateRef};
use thiserror::Error;

use crate::landing::{ATTEMPT_TRAILER, LANDING_TURN_TRAILER, RESCUE_REFS, TASK_TRAILER};
use crate::target;

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
    /// Whether the branch that is checked out, or its remote one, has it by now.
    pub has_landed: bool,
    /// The commit there that landed its task since, with other work: there may be something in
    /// this that it lacks.
    pub superseded_by: Option<Sha>,
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
    /// Several are kept of that task.
    #[error("more than one is kept of {task}: {}", names.join(", "))]
    Ambiguous {
        /// The task.
        task: String,
        /// Their names, oldest first.
        names: Vec<String>,
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

/// Everything kept in `repo`, by name. Changes of the queue files `books` are not looked for on
/// the branch: every landing changes them.
///
/// # Errors
/// When git cannot be asked.
pub fn list(repo: &Repo, books: &[PathBuf]) -> Result<Vec<Kept>, GitError> {
    let mut kept = Vec::new();
    let refs = repo.refs(RESCUE_REFS)?;
    if refs.is_empty() {
        return Ok(kept);
    }
    let target = Target::of(repo, books)?;
    let head = repo.head()?.commit().cloned();
    for (name, commit) in refs {
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
        let has_landed = target.has(repo, &commit, base.as_ref())?;
        let superseded_by =
            if has_landed { None } else { target.landing_of(repo, &name, base.as_ref())? };
        let subject = subject.unwrap_or_default();
        kept.push(Kept { name, commit, base, subject, change, has_landed, superseded_by });
    }
    Ok(kept)
}

/// Where work lands, as far as this repository knows.
struct Target<'a> {
    tips: Vec<Sha>,
    /// The claims under which something landed there.
    claims: BTreeSet<String>,
    books: &'a [PathBuf],
}

impl<'a> Target<'a> {
    fn of(repo: &Repo, books: &'a [PathBuf]) -> Result<Self, GitError> {
        let head = repo.head()?;
        let mut tips: Vec<Sha> = head.commit().cloned().into_iter().collect();
        if let Head::Branch { name, .. } = &head {
            tips.extend(repo.resolve(&format!("refs/remotes/{}/{name}", target::REMOTE))?);
        }
        let mut claims = BTreeSet::new();
        for tip in &tips {
            let trailers = repo.trailers(tip.as_str(), ATTEMPT_TRAILER)?;
            claims.extend(trailers.into_iter().map(|(_, claim)| claim));
        }
        Ok(Self { tips, claims, books })
    }

    /// The commit after `base` that landed the task which work is kept of under `name`.
    fn landing_of(
        &self,
        repo: &Repo,
        name: &str,
        base: Option<&Sha>,
    ) -> Result<Option<Sha>, GitError> {
        let (Some(base), Some((task, _))) = (base, name.rsplit_once('/')) else { return Ok(None) };
        for tip in &self.tips {
            let landing = repo.find_trailer(&format!("{base}..{tip}"), TASK_TRAILER, task)?;
            if landing.is_some() {
                return Ok(landing);
            }
        }
        Ok(None)
    }

    /// Whether `commit` is there itself, or landed under its claim, or is a step of a landing that
    /// came to its end, or changes nothing that is not the same there.
    fn has(&self, repo: &Repo, commit: &Sha, base: Option<&Sha>) -> Result<bool, GitError> {
        let Some(base) = base else { return Ok(false) };
        let claims = repo.trailers(&format!("{base}..{commit}"), ATTEMPT_TRAILER)?;
        if claims.iter().any(|(of, claim)| of == commit && self.claims.contains(claim)) {
            return Ok(true);
        }
        let turns = repo.trailers(&format!("{base}..{commit}"), LANDING_TURN_TRAILER)?;
        if let Some((_, task)) = turns.iter().find(|(of, _)| of == commit) {
            for tip in &self.tips {
                if repo.find_trailer(&format!("{base}..{tip}"), TASK_TRAILER, task)?.is_some() {
                    return Ok(true);
                }
            }
        }
        let is_work = |path: &PathBuf| !self.books.contains(path);
        let mut changed = repo.changed_paths(base, commit)?;
        changed.retain(is_work);
        for tip in &self.tips {
            if repo.is_ancestor(commit, tip)? {
                return Ok(true);
            }
            let differs = repo.changed_paths(commit, tip)?;
            if !changed.is_empty() && !changed.iter().any(|path| differs.contains(path)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The names of everything kept of `task`, oldest first.
fn names_of(repo: &Repo, task: &str) -> Result<Vec<String>, GitError> {
    let prefix = format!("{RESCUE_REFS}{task}/");
    let number = |name: &str| name.strip_prefix(&prefix)?.parse::<u32>().ok();
    let mut numbers: Vec<u32> =
        repo.refs(&prefix)?.iter().filter_map(|(name, _)| number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(|number| format!("{task}/{number}")).collect())
}

/// What `asked` names: one piece of kept work, by its short name or its ref, or all that is kept
/// of a task, oldest first. Never empty.
///
/// # Errors
/// When nothing is kept under that name, or git cannot be asked.
pub fn find(repo: &Repo, asked: &str) -> Result<Vec<String>, RescueError> {
    let name = asked.strip_prefix(RESCUE_REFS).unwrap_or(asked);
    if repo.resolve(&format!("{RESCUE_REFS}{name}"))?.is_some() {
        return Ok(vec![name.to_owned()]);
    }
    let names = names_of(repo, name)?;
    if names.is_empty() { Err(RescueError::Unknown { name: asked.to_owned() }) } else { Ok(names) }
}

/// Makes a branch `rescue/<name>` of kept work; the checkout is not touched.
///
/// # Errors
/// When nothing, or more than one, is kept under that name, or the branch exists.
pub fn restore(repo: &Repo, name: &str) -> Result<String, RescueError> {
    let mut names = find(repo, name)?;
    let (Some(name), true) = (names.pop(), names.is_empty()) else {
        let names = names_of(repo, name)?;
        return Err(RescueError::Ambiguous { task: name.to_owned(), names });
    };
    let Some(commit) = repo.resolve(&format!("{RESCUE_REFS}{name}"))? else {
        return Err(RescueError::Unknown { name });
    };
    let branch = format!("rescue/{name}");
    match repo.update_ref(&format!("refs/heads/{branch}"), &commit, None)? {
        UpdateRef::Updated => Ok(branch),
        UpdateRef::Stale => Err(RescueError::BranchExists { branch }),
    }
}
