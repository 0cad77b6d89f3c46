//! A worker: one process, one task, one workspace, from claim to landing.
//!
//! Every step is recorded before its effect, so that a worker that dies can be
//! followed by another that goes on from the record. The worker lock is held
//! as long as the process lives: whether it does is one `try_lock`.

mod land;
mod work;

use std::path::PathBuf;

use ralph_agent::{Phase, Runner, RunnerError};
use ralph_git::{GitError, OpenError, RemoteUrls, Sha, Workspace};
use ralph_process::Exit;
use ralph_queue::Task;
use ralph_state::file::{FileLock, LockError};
use ralph_state::{TaskId, WorkerRecord, WorkerStep};
use thiserror::Error;

use crate::books::BooksError;
use crate::checkout::CheckoutError;
use crate::claim::{Claim, ClaimError};
use crate::event::Event;
use crate::gate::GateError;
use crate::lane::LaneError;
use crate::layout::Layout;
use crate::project::Project;
use crate::turn::{TakeTurnError, TurnPlace};
use crate::{landing, recover, target};

pub(crate) use land::settle;
pub(crate) use work::phases;

/// How a worker ended. The record says the same, durably.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WorkerEnd {
    /// The task is on the target.
    Landed,
    /// Someone else finished it meanwhile.
    Superseded,
    /// The work is kept but may not land.
    Blocked,
    /// No work came of it.
    Failed,
    /// It was stopped and goes on next time.
    Stopped,
}

/// Why a worker could not go on. What it recorded so far stands.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// Another process works on the task.
    #[error("another worker has {task}")]
    AlreadyRunning {
        /// The task.
        task: TaskId,
    },
    /// The worker lock cannot be used.
    #[error("cannot take the worker lock")]
    Lock(#[from] LockError),
    /// The record cannot be read or written.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The queue cannot be read.
    #[error("cannot read the queue")]
    Queue(#[from] ralph_queue::LoadError),
    /// The queue cannot be changed.
    #[error("cannot record the task as done in the queue")]
    QueueEdit(#[from] ralph_queue::UpdateError<ralph_queue::EditError>),
    /// The task is in neither file.
    #[error("{task} is not in the queue")]
    NoSuchTask {
        /// The task.
        task: TaskId,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The workspace could not be made.
    #[error("cannot make the workspace `{path}`")]
    Workspace {
        /// Where.
        path: PathBuf,
        /// The cause.
        source: ralph_git::CreateError,
    },
    /// What is at the workspace's path is no workspace.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file of the workspace could not be read or written.
    #[error("cannot use the files of the workspace")]
    Io(#[from] std::io::Error),
    /// The target branch could not be fetched.
    #[error("cannot fetch the target branch")]
    Fetch(#[from] ralph_git::FetchError),
    /// The task names a runner that cannot be had.
    #[error("cannot use the runner of the task")]
    Runner(#[from] RunnerError),
    /// The agent could not be run.
    #[error(transparent)]
    Turn(#[from] TakeTurnError),
    /// The gate could not be run.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The landing lane could not be entered.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The queue files of the target could not be edited.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// The user's checkout could not be brought up to date.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
}

/// What one worker works with.
struct Worker<'a> {
    project: &'a Project,
    layout: Layout,
    claim: Claim,
    task: Task,
    runner: Runner,
    branch: String,
    remote: Option<RemoteUrls>,
}

/// Works on `task` under the claim `claim_id` until it landed or cannot go on.
///
/// # Errors
/// See [`WorkerError`]. An error of the work itself (not of another worker
/// holding the task) is also recorded: the task is failed, its work kept.
pub fn run(project: &Project, task: &TaskId, claim_id: &str) -> Result<WorkerEnd, WorkerError> {
    let layout = project.layout();
    let Some(_alive) = FileLock::try_acquire(&layout.worker_lock(task), &project.holder)? else {
        return Err(WorkerError::AlreadyRunning { task: task.clone() });
    };
    let claim = Claim::new(project.store(), task.clone(), claim_id);
    let record = claim.update(|record| {
        record.worker = Some(ralph_process::own_identity());
        record.interrupted = None;
    })?;
    let ended = go_on(project, layout, claim, &record);
    match ended {
        // Whatever was cut short by the stop failed because of it.
        Err(_) if project.cancel.is_cancelled() => {
            let claim = Claim::new(project.store(), task.clone(), claim_id);
            stopped(&claim)
        }
        // A git that somebody killed says nothing about the task: its worker
        // ends, and another goes on from the record.
        Err(error) if git_was_killed(&error) => Err(error),
        Err(error) => {
            fail(project, task, claim_id, &error);
            Err(error)
        }
        Ok(end) => Ok(end),
    }
}

fn go_on(
    project: &Project,
    layout: Layout,
    claim: Claim,
    record: &WorkerRecord,
) -> Result<WorkerEnd, WorkerError> {
    let queue = project.queue.load()?;
    let id = claim.task().clone();
    let Some((_, task)) = queue.find(id.as_str()) else {
        return Err(WorkerError::NoSuchTask { task: id });
    };
    let branch = claim.state().map_err(ClaimError::from)?.target_branch;
    let remote = project.repo.remote_url(target::REMOTE)?;
    let task = task.clone();
    let runner = project.runner_for(&task)?;
    let worker = Worker { project, layout, claim, task, runner, branch, remote };
    let workspace = if recover::has_committed_work(record) { worker.reopen(record)? } else { None };
    let workspace = match workspace {
        Some(workspace) => workspace,
        None => match worker.work()? {
            work::Worked::Ready(workspace) => workspace,
            work::Worked::Stopped => return worker.stopped(),
            work::Worked::Failed(reason) => return worker.failed(&reason),
            work::Worked::Limited(reason) => return worker.limited(&reason),
        },
    };
    worker.land(workspace)
}

/// Records that the worker met an error it could not deal with.
fn fail(project: &Project, task: &TaskId, claim_id: &str, error: &WorkerError) {
    let claim = Claim::new(project.store(), task.clone(), claim_id);
    let reason = chain(error);
    let now = project.now().to_string();
    // Work that landed is not failed by what comes after: the record stays as
    // it is, and the next worker or run finishes it.
    let has_landed = |record: &WorkerRecord| record.step == Some(WorkerStep::Pushed);
    // If even this cannot be written the record stays as it was, and the
    // coordinator finds a dead worker: nothing is lost by ignoring it here.
    if let Err(unrecorded) = claim.update(|record| {
        if !has_landed(record) {
            record.mark_failed(now, reason);
        }
    }) {
        tracing::warn!(
            error = &unrecorded as &dyn std::error::Error,
            "the failure is not recorded"
        );
    }
}

/// Whether a signal ended the git that an error comes from.
fn git_was_killed(error: &WorkerError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(GitError::Failed { exit: Exit::Signal(_), .. }) = error.downcast_ref() {
            return true;
        }
        next = error.source();
    }
    false
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Worker<'_> {
    /// The workspace of an earlier worker with committed work, or `None` if it
    /// is gone (then the task starts anew).
    fn reopen(&self, record: &WorkerRecord) -> Result<Option<Workspace>, WorkerError> {
        let Some(workspace) = self.open_workspace(record)? else { return Ok(None) };
        let intact = match &record.work_commit {
            Some(commit) => workspace.resolve(commit)?.is_some(),
            None => true,
        };
        Ok(intact.then_some(workspace))
    }

    /// The workspace of the record; `None` when nothing is there.
    fn open_workspace(&self, record: &WorkerRecord) -> Result<Option<Workspace>, WorkerError> {
        Ok(target::open_workspace(self.project, &record.workspace_path)?)
    }

    /// Records `step`, tells it, and gives tests a place to crash.
    fn step(
        &self,
        step: &WorkerStep,
        change: impl FnOnce(&mut WorkerRecord),
    ) -> Result<WorkerRecord, WorkerError> {
        let recorded = step.clone();
        let record = self.claim.update(|record| {
            record.step = Some(recorded);
            change(record);
        })?;
        self.project.tell(Event::Step {
            task: record.task_id.clone(),
            step: step.clone(),
            attempt: record.attempt.unwrap_or(1),
        });
        let marker = marker(self.claim.task().as_str(), self.claim.id());
        self.project.faults.point("worker", step.as_str(), &marker);
        Ok(record)
    }

    fn place(&self, record: &WorkerRecord, workspace: &Workspace, phase: Phase) -> TurnPlace {
        TurnPlace {
            dir: workspace.root().to_owned(),
            files: self.layout.turn(
                self.claim.task(),
                self.claim.id(),
                record.agent_turns.unwrap_or(0) + 1,
            ),
            marker: marker(self.claim.task().as_str(), self.claim.id()),
            attempt: record.attempt.unwrap_or(1),
            phase,
            resume: None,
        }
    }

    fn stopped(&self) -> Result<WorkerEnd, WorkerError> {
        stopped(&self.claim)
    }

    fn failed(&self, reason: &str) -> Result<WorkerEnd, WorkerError> {
        let now = self.project.now().to_string();
        self.claim.update(|record| {
            record.mark_failed(now, reason);
            record.agent = None;
        })?;
        Ok(WorkerEnd::Failed)
    }

    /// A failure that is nobody's fault: the record says so beside its lifecycle.
    fn limited(&self, reason: &str) -> Result<WorkerEnd, WorkerError> {
        self.claim.update(|record| {
            record.extra.set(LIMITED, true);
        })?;
        self.failed(reason)
    }

    /// Puts `commit` of the workspace under a rescue ref of the main repository.
    fn rescue(&self, workspace: &Workspace, commit: &Sha) -> Result<String, WorkerError> {
        let name = landing::free_rescue_ref(&self.project.repo, self.claim.task())?;
        self.project.repo.fetch_from(workspace.root(), commit, &name)?;
        let kept = name.clone();
        self.claim.update(|record| record.rescue_ref = Some(kept))?;
        Ok(name)
    }
}

/// Records that the worker was stopped: no attempt is used up.
fn stopped(claim: &Claim) -> Result<WorkerEnd, WorkerError> {
    claim.update(|record| {
        record.interrupted = Some(true);
        record.worker = None;
        record.agent = None;
    })?;
    Ok(WorkerEnd::Stopped)
}

/// The field of a record that says that a limit made it fail.
pub(crate) const LIMITED: &str = "limited";

/// The field of an unfinished record that waits for the target's own gate to be green.
pub(crate) const TARGET_RED: &str = "target_red";

/// What every process of a claim carries in its environment.
pub fn marker(task: &str, claim: &str) -> String {
    format!("{task}/{claim}")
}
