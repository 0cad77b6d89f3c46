//! What the world shows of parallel runs, besides their state file.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use ralph_config::Config;
use ralph_git::{GitEnv, GitError, Head, OpenError, Repo, Sha, Workspace};
use ralph_process::Cancel;
use ralph_queue::Queue;
use ralph_state::document::DecodeError;
use ralph_state::file::{self, LockError};
use ralph_state::parallel::Salvaged;
use ralph_state::{LoadError, ParallelStateFile, Store, TaskId, Timestamp};
use thiserror::Error;

use super::{Landed, Living, Place, Queued, Rescued, Survey, Trace, Work};
use crate::books::Books;
use crate::landing::{ATTEMPT_TRAILER, RESCUE_REFS, TASK_TRAILER};
use crate::layout::{Layout, is_runtime, names};
use crate::{gate, living, target, worker};

/// Where to look.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by every caller")]
pub struct Site<'a> {
    /// The user's checkout.
    pub repo: &'a Repo,
    /// What git gets from the outside world.
    pub git_env: &'a GitEnv,
    /// The effective configuration.
    pub config: &'a Config,
    /// The queue.
    pub queue: &'a Queue,
    /// The state file.
    pub store: &'a Store<ParallelStateFile>,
}

/// Why it cannot be told what there is. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SurveyError {
    /// The state file is of a newer version, or cannot be read from the disk.
    #[error(transparent)]
    State(#[from] LoadError),
    /// Nothing says which branch work lands on.
    #[error("the state file does not say which branch work lands on, and none is checked out")]
    NoTarget,
    /// A lock cannot be looked at.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A directory cannot be read.
    #[error("cannot look for what earlier runs left")]
    Io(#[from] io::Error),
}

/// Looks at the state file, the locks, the workspaces, the rescue refs and the target.
///
/// Asks the remote for its tip; without an answer the one that is known counts. Writes nothing
/// else.
///
/// # Errors
/// When something that is there cannot be looked at.
pub fn survey(site: &Site<'_>) -> Result<Survey, SurveyError> {
    let layout = Layout::new(site.repo.root());
    let (salvaged, unreadable) = state_file(site.store)?;
    let recorded = salvaged.as_ref().map(|found| found.state.target_branch.clone());
    let target = match recorded.filter(|branch| !branch.is_empty()) {
        Some(branch) => branch,
        None => match site.repo.head()? {
            Head::Branch { name, .. } => name,
            Head::Detached { .. } => return Err(SurveyError::NoTarget),
        },
    };
    let mut found =
        Found { site, layout: &layout, landed: on_target(site, &target)?, traces: BTreeMap::new() };
    found.workers()?;
    let workspace_root = layout.workspace_root(&site.config.parallel);
    found.workspaces(&workspace_root)?;
    found.rescues()?;
    let recorded = salvaged.iter().flat_map(|found| &found.state.workers);
    let bad =
        salvaged.iter().flat_map(|found| found.bad.iter().filter_map(|bad| bad.task_id.clone()));
    for task in recorded.map(|record| record.task_id.clone()).chain(bad) {
        found.traces.entry(task).or_default();
    }
    let traces = found.complete()?;
    Ok(Survey { salvaged, unreadable, target, workspace_root, traces })
}

/// What can be read of the state file, or why nothing can.
fn state_file(
    store: &Store<ParallelStateFile>,
) -> Result<(Option<Salvaged>, Option<DecodeError>), LoadError> {
    match store.salvage() {
        Ok(salvaged) => Ok((salvaged, None)),
        Err(newer @ LoadError::Decode { source: DecodeError::Newer { .. }, .. }) => Err(newer),
        Err(LoadError::Decode { source, .. }) => Ok((None, Some(source))),
        Err(error) => Err(error),
    }
}

/// The commits on the target that landed something, by task and by claim; the newest of each.
#[derive(Default)]
struct OnTarget {
    tasks: BTreeMap<String, Sha>,
    claims: BTreeSet<String>,
}

fn on_target(site: &Site<'_>, branch: &str) -> Result<OnTarget, GitError> {
    let repo = site.repo;
    let known = if repo.remote_url(target::REMOTE)?.is_some() {
        match repo.fetch(target::REMOTE, branch) {
            Ok(fetched) => fetched.tip,
            Err(_) => repo.resolve(&format!("refs/remotes/{}/{branch}", target::REMOTE))?,
        }
    } else {
        None
    };
    let tip = match known {
        Some(tip) => Some(tip),
        None => repo.resolve(&format!("refs/heads/{branch}"))?,
    };
    let Some(tip) = tip else { return Ok(OnTarget::default()) };
    let mut found = OnTarget::default();
    for (commit, task) in repo.trailers(tip.as_str(), TASK_TRAILER)? {
        found.tasks.entry(task).or_insert(commit);
    }
    let claims = repo.trailers(tip.as_str(), ATTEMPT_TRAILER)?;
    found.claims = claims.into_iter().map(|(_, claim)| claim).collect();
    Ok(found)
}

/// A workspace on the disk, with or without a record.
#[derive(Debug)]
#[non_exhaustive]
pub struct TaskWorkspace {
    /// Its task.
    pub task: String,
    /// Where it is.
    pub path: PathBuf,
    /// The workspace.
    pub workspace: Workspace,
}

/// The workspaces of `repo` below `root`.
///
/// # Errors
/// When the directory cannot be read, or git gives no answer.
pub fn workspaces(
    repo: &Repo,
    git_env: &GitEnv,
    root: &Path,
) -> Result<Vec<TaskWorkspace>, SurveyError> {
    let mut found = Vec::new();
    for name in names(root)? {
        let path = root.join(&name);
        if name.starts_with('.') || !path.is_dir() {
            continue;
        }
        let workspace = match Workspace::open(&path, git_env.clone(), Cancel::new()) {
            Ok(workspace) => workspace,
            Err(OpenError::Git(error)) => return Err(error.into()),
            // Not ours, or damaged: it is left alone.
            Err(_) => continue,
        };
        let task = workspace.branch().strip_prefix("ralph/").map(str::to_owned);
        let (Some(task), true) = (task, workspace.is_of(repo)?) else { continue };
        found.push(TaskWorkspace { task, path, workspace });
    }
    Ok(found)
}

struct Found<'a> {
    site: &'a Site<'a>,
    layout: &'a Layout,
    landed: OnTarget,
    traces: BTreeMap<String, Trace>,
}

impl Found<'_> {
    /// Living workers hold their lock.
    fn workers(&mut self) -> Result<(), SurveyError> {
        for task in living::locks(self.layout)? {
            let lock = self.layout.worker_lock(&task);
            let holder = file::lock_holder(&lock);
            let claim = holder.as_ref().and_then(worker::claim_of);
            let marker = claim.as_ref().map(|claim| worker::marker(task.as_str(), claim));
            // One whose work is on the target only tidies up; the task is done.
            let has_landed = claim.as_ref().is_some_and(|claim| self.landed.claims.contains(claim));
            let lives = !has_landed && file::is_locked(&lock)?;
            let worker = lives.then(|| Living {
                process: holder.and_then(|holder| ralph_process::identity_of(holder.pid)),
                gating: marker.is_some_and(|marker| gate::is_running(&marker)),
            });
            let trace = Trace { worker, claim, ..Trace::default() };
            if trace.worker.is_some() {
                self.traces.insert(task.to_string(), trace);
            } else if let Some(claim) = trace.claim {
                // A dead one is no trace by itself, but says under which claim to look.
                self.traces.entry(task.to_string()).or_default().claim = Some(claim);
            }
        }
        Ok(())
    }

    fn workspaces(&mut self, root: &Path) -> Result<(), SurveyError> {
        let Site { git_env, repo, .. } = *self.site;
        for TaskWorkspace { task, path, workspace } in workspaces(repo, git_env, root)? {
            let work = self.work_in(&workspace, &task)?;
            let conflict = workspace.rebase_in_progress();
            let trace = self.traces.entry(task).or_default();
            let is_better = trace.workspace.as_ref().is_none_or(|other| other.work.is_none());
            if is_better {
                trace.workspace = Some(Place { path, conflict, work });
            }
        }
        Ok(())
    }

    /// The committed work of `task` in its workspace that the target does not have.
    fn work_in(&self, workspace: &Workspace, task: &str) -> Result<Option<Work>, GitError> {
        let branch = format!("refs/heads/{}", workspace.branch());
        if workspace.resolve(&branch)?.is_none() {
            return Ok(None);
        }
        let Some(tip) = workspace.find_trailer(&branch, TASK_TRAILER, task)? else {
            return Ok(None);
        };
        let Some(mut work) = self.as_work(workspace, &tip)? else { return Ok(None) };
        let rest = workspace.changes()?;
        let head = workspace.head()?.commit().cloned();
        work.settled =
            head.as_ref() == Some(&tip) && rest.iter().all(|change| is_runtime(&change.path));
        // The commit that was about to land has the task's end in the queue besides, and that is
        // entered anew each time. The branch was at the work itself before.
        if self.has_books(workspace, &work)? {
            for earlier in workspace.reflog(&branch)? {
                if let Some(other) = self.as_work(workspace, &earlier)?
                    && other.claim == work.claim
                    && !self.has_books(workspace, &other)?
                {
                    work = Work { settled: work.settled, ..other };
                    break;
                }
            }
        }
        Ok(Some(work))
    }

    /// A commit with the claim it was made under; `None` for any other, and for what landed.
    fn as_work(&self, repo: &Repo, commit: &Sha) -> Result<Option<Work>, GitError> {
        let Some(base) = repo.resolve(&format!("{commit}~1"))? else { return Ok(None) };
        let claims = repo.trailers(&format!("{base}..{commit}"), ATTEMPT_TRAILER)?;
        let claim = claims.into_iter().find(|(of, _)| of == commit).map(|(_, claim)| claim);
        let claim = claim.filter(|claim| !self.landed.claims.contains(claim));
        Ok(claim.map(|claim| Work { commit: commit.clone(), base, claim, settled: true }))
    }

    fn has_books(&self, repo: &Repo, work: &Work) -> Result<bool, GitError> {
        for path in Books::at(repo, &self.site.config.queue, &work.base)?.paths() {
            let before = repo.read_blob(work.base.as_str(), &path)?;
            if repo.read_blob(work.commit.as_str(), &path)? != before {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn rescues(&mut self) -> Result<(), SurveyError> {
        let repo = self.site.repo;
        let mut newest: BTreeMap<String, (u32, Rescued)> = BTreeMap::new();
        for (name, commit) in repo.refs(RESCUE_REFS)? {
            let kept = name.strip_prefix(RESCUE_REFS).and_then(|name| name.rsplit_once('/'));
            let Some((task, number)) = kept else { continue };
            let Ok(number) = number.parse::<u32>() else { continue };
            if newest.get(task).is_some_and(|(newer, _)| *newer > number) {
                continue;
            }
            if let Some(work) = self.as_work(repo, &commit)? {
                let task = task.to_owned();
                newest.insert(task, (number, Rescued { name: name.clone(), work }));
            }
        }
        for (task, (_, rescued)) in newest {
            self.traces.entry(task).or_default().rescued = Some(rescued);
        }
        Ok(())
    }

    /// Adds what the queue and the target say, and how often agents were asked.
    fn complete(mut self) -> Result<BTreeMap<String, Trace>, SurveyError> {
        for task in self.site.queue.tasks().filter(|task| !task.status.is_terminal()) {
            if self.landed.tasks.contains_key(task.id.as_str()) {
                self.traces.entry(task.id.to_string()).or_default();
            }
        }
        for (id, trace) in &mut self.traces {
            let time = |text: Option<&String>| text.and_then(|text| text.parse::<Timestamp>().ok());
            trace.queue = match self.site.queue.find(id) {
                None => Queued::Absent,
                Some((_, task)) if task.status.is_terminal() => Queued::Finished,
                Some((_, task)) => Queued::Open { updated_at: time(task.updated_at.as_ref()) },
            };
            if let Some(commit) = self.landed.tasks.get(id) {
                let seconds = self.site.repo.commit_time(commit)?;
                // The end of the second that git keeps: what was edited in it came before.
                let nanos = i128::from(seconds) * 1_000_000_000 + 999_999_999;
                let when = Timestamp::from_unix_nanos(nanos);
                let when = when.unwrap_or(Timestamp::UNIX_EPOCH);
                trace.landed = Some(Landed { commit: commit.clone(), when });
            }
            let Ok(task) = id.parse::<TaskId>() else { continue };
            let turns = self.layout.turns(&task);
            if trace.claim.is_none() {
                // Claims begin with the time, in digits of the same number.
                trace.claim = names(&turns)?.pop();
            }
            if let Some(claim) = &trace.claim {
                let count = names(&turns.join(claim))?.len();
                trace.turns = u32::try_from(count).unwrap_or(u32::MAX);
            }
        }
        Ok(self.traces)
    }
}
