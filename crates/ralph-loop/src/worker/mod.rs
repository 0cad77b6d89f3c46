//! A worker: one process, one task, one workspace, from claim to landing.
//!
//! Every step is recorded before its effect, so that a worker that dies can be
//! followed by another that goes on from the record. The worker lock is held
//! as long as the process lives: whether it does is one `try_lock`.

mod cause;
mod land;
mod work;

use std::path::{Path, PathBuf};

use ralph_agent::{Phase, Runner, RunnerError};
use ralph_git::{
    CreateError, FetchError, Fetched, GitError, OpenError, RemoteUrls, Sha, Workspace,
};
use ralph_queue::Task;
use ralph_state::file::{FileLock, Holder, LockError};
use ralph_state::parallel::WorkerEvent;
use ralph_state::{ParallelStateFile, Store, TaskId, WorkerLifecycle, WorkerRecord, WorkerStep};
use thiserror::Error;

use crate::allowance::Refusal;
use crate::away::{Away, Wait};
use crate::books::BooksError;
use crate::checkout::CheckoutError;
use crate::claim::{Claim, ClaimError};
use crate::event::Event;
use crate::gate::GateError;
use crate::lane::LaneError;
use crate::layout::Layout;
use crate::project::Project;
use crate::turn::{TakeTurnError, TurnPlace};
use crate::{away, landing, living, own, recover, target};

pub(crate) use land::{advance_checkout, settle, tell_open};
use work::Finished;
pub(crate) use work::{FOLLOW_UPS, LEFT_OUT, NOTES, phases};

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
    /// The queue was waited for in vain.
    #[error("the queue was waited for in vain: {0}")]
    Away(Away),
    /// The queue cannot be changed.
    #[error("cannot record the task as done in the queue")]
    QueueEdit(#[from] ralph_queue::UpdateError<ralph_queue::EditError>),
    /// Several tasks have its id, and nobody knows which of them is meant.
    #[error("{task} is the id of several tasks")]
    AmbiguousId {
        /// The id.
        task: TaskId,
    },
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
        source: CreateError,
    },
    /// What is at the workspace's path is no workspace.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file of the workspace could not be read or written.
    #[error("cannot use the files of the workspace")]
    Io(#[from] std::io::Error),
    /// The target branch could not be fetched.
    #[error("cannot fetch the target branch")]
    Fetch(#[from] FetchError),
    /// The task names a runner that cannot be had.
    #[error("cannot use the runner of the task")]
    Runner(#[from] RunnerError),
    /// The agent could not be run.
    #[error(transparent)]
    Turn(#[from] TakeTurnError),
    /// The agent may have no further turn.
    #[error(transparent)]
    Refused(#[from] Refusal),
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
    /// What the agent added got no ids.
    #[error("cannot give new tasks their ids")]
    Ids(#[from] ralph_queue::ids::ReserveError),
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
    let holder = Holder { command: lock_command(task, claim_id), ..project.holder.clone() };
    let Some(_alive) = living::take(&layout.worker_lock(task), &holder)? else {
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
        Err(WorkerError::Refused(refusal)) => refused(project, task, claim_id, &refusal),
        // A git that somebody killed says nothing about the task: its worker
        // ends, and another goes on from the record.
        Err(error) if cause::git_was_killed(&error) => Err(error),
        Err(error) if cause::is_machines(&error) => {
            let claim = Claim::new(project.store(), task.clone(), claim_id);
            claim.update(|record| {
                let missing = cause::missing_program(&error);
                let inside =
                    missing.and_then(|path| path.strip_prefix(&record.workspace_path).ok());
                if let Some(inside) = inside {
                    record.extra.set(NOT_IN_WORKSPACE, inside.display().to_string());
                }
            })?;
            hold(&claim, Held::Machine, &chain(&error))
        }
        Err(error) => {
            fail(project, task, claim_id, &error);
            Err(error)
        }
        Ok(end) => Ok(end),
    }
}

/// Records that a limit was reached before a turn began. That of a run or a provider is no
/// fault of the task, which waits for the next run.
fn refused(
    project: &Project,
    task: &TaskId,
    claim_id: &str,
    refusal: &Refusal,
) -> Result<WorkerEnd, WorkerError> {
    let claim = Claim::new(project.store(), task.clone(), claim_id);
    let record = claim.update(forget_turn)?;
    if refusal.is_everybodys() {
        return hold(&claim, Held::Limit, &refusal.to_string());
    }
    keep_work(project, &record);
    let (now, reason) = (project.now().to_string(), refusal.to_string());
    claim.apply(&WorkerEvent::Failed, |record| {
        record.extra.set(LIMITED, true);
        record.mark_failed(now, reason);
        record.agent = None;
    })?;
    Ok(WorkerEnd::Failed)
}

/// The turn on a red gate or a conflict that was counted did not begin, or did nothing.
fn forget_turn(record: &mut WorkerRecord) {
    match record.step {
        Some(WorkerStep::Fixing) => record.red_gates = less_one(record.red_gates),
        Some(WorkerStep::Resolving) => record.conflicts = less_one(record.conflicts),
        _ => {}
    }
}

fn less_one(count: Option<u32>) -> Option<u32> {
    count.map(|count| count.saturating_sub(1))
}

fn go_on(
    project: &Project,
    layout: Layout,
    claim: Claim,
    record: &WorkerRecord,
) -> Result<WorkerEnd, WorkerError> {
    let id = claim.task().clone();
    let branch = claim.state().map_err(ClaimError::from)?.target_branch;
    let look = || away::look(project, &branch);
    let note = |wait: Option<&Wait>| claim.keep_wait(wait);
    let looked = away::wait(project, look, || layout.stop_file().exists(), note)?;
    let mut queue = looked.map_err(WorkerError::Away)?;
    if queue.find(id.as_str()).is_none() {
        // While the checkout is fast-forwarded, what the user added to the queue is set aside.
        let _lock = FileLock::acquire(
            &project.queue.lock_path(),
            &project.holder,
            project.queue.lock_wait,
        )?;
        queue = project.queue.load()?;
    }
    if queue.ambiguous().contains(&id) {
        return Err(WorkerError::AmbiguousId { task: id });
    }
    let Some((_, task)) = queue.find(id.as_str()) else {
        return Err(WorkerError::NoSuchTask { task: id });
    };
    let remote = project.repo.remote_url(target::REMOTE)?;
    // Committed work is that of the task it was made for, whatever has its id by now.
    let made_for = own::remembered(record).filter(|_| recover::has_committed_work(record));
    let task = made_for.filter(|own| !own.is_version_of(task)).unwrap_or_else(|| task.clone());
    let runner = project.runner_for(&task)?;
    let worker = Worker { project, layout, claim, task, runner, branch, remote };
    if worker.task.status.is_terminal() && !recover::has_committed_work(record) {
        // Ended between the choice of the task and its claim.
        return worker.superseded_before_work(Finished::Elsewhere);
    }
    let workspace = if recover::has_committed_work(record) {
        let workspace = worker.reopen(record)?;
        if workspace.is_none() {
            // Its commit is nowhere any more: the work has to be done again.
            worker.claim.apply(&WorkerEvent::Restarted, recover::start_over)?;
        }
        workspace
    } else {
        None
    };
    let workspace = match workspace {
        Some(workspace) => workspace,
        None => match worker.work()? {
            work::Worked::Ready(workspace) => workspace,
            work::Worked::Stopped => return worker.stopped(),
            work::Worked::Failed(reason) => return worker.failed(&reason),
            work::Worked::Limited(reason) => return worker.limited(&reason),
            work::Worked::Held(reason) => return worker.held(Held::Machine, &reason),
            work::Worked::Superseded(how) => return worker.superseded_before_work(how),
        },
    };
    worker.land(workspace)
}

/// Records that the worker met an error it could not deal with; its work is kept.
fn fail(project: &Project, task: &TaskId, claim_id: &str, error: &WorkerError) {
    let claim = Claim::new(project.store(), task.clone(), claim_id);
    if let Ok(record) = claim.read() {
        keep_work(project, &record);
    }
    let reason = chain(error);
    let now = project.now().to_string();
    // Work that landed is not failed by what comes after: the record stays as
    // it is, and the next worker or run finishes it.
    let has_landed = |record: &WorkerRecord| record.step == Some(WorkerStep::Pushed);
    // If even this cannot be written the record stays as it was, and the
    // coordinator finds a dead worker: nothing is lost by ignoring it here.
    let record = || match claim.read() {
        Ok(record) if has_landed(&record) => Ok(record),
        _ => claim.apply(&WorkerEvent::Failed, |record| record.mark_failed(now, reason)),
    };
    if let Err(unrecorded) = record() {
        tracing::warn!(
            error = &unrecorded as &dyn std::error::Error,
            "the failure is not recorded"
        );
    }
}

/// Puts what the workspace of `record` holds under a rescue ref, as far as that
/// works: the workspace stays in any case.
pub(crate) fn keep_work(project: &Project, record: &WorkerRecord) {
    let kept = || -> Result<Option<String>, WorkerError> {
        let Ok(task) = record.task_id.parse::<TaskId>() else { return Ok(None) };
        let Some(workspace) = target::open_workspace(project, &record.workspace_path)? else {
            return Ok(None);
        };
        let head = workspace.head()?.commit().cloned();
        let base = record.base_commit.as_deref().and_then(|sha| sha.parse::<Sha>().ok());
        let message = format!("Rescued: {task}");
        let left_out = match &base {
            Some(base) => own::left_out(record, &workspace, &project.config.queue, base)?,
            None => crate::layout::runtime_paths(workspace.root()),
        };
        let snapshot = workspace.snapshot(&left_out, &message, head.as_ref())?;
        let unchanged = match base.or_else(|| head.clone()) {
            Some(base) => {
                workspace.tree_of(base.as_str())? == workspace.tree_of(snapshot.as_str())?
            }
            None => false,
        };
        if unchanged {
            return Ok(None);
        }
        let work = unwrapped(&workspace, snapshot, head)?;
        Ok(Some(landing::rescue_from(workspace.root(), &project.repo, &task, &work)?))
    };
    match kept() {
        Ok(None) => {}
        Ok(Some(name)) => {
            project.tell(Event::Note(format!("{}: its work is kept as {name}", record.task_id)));
        }
        Err(error) => project.tell(Event::Note(format!(
            "{}: its work stays in `{}` only: {}",
            record.task_id,
            record.workspace_path.display(),
            chain(&error)
        ))),
    }
}

/// `snapshot`, or the commit under it when that has everything already: nobody
/// should have to look for work behind a commit without a change.
fn unwrapped(workspace: &Workspace, snapshot: Sha, head: Option<Sha>) -> Result<Sha, GitError> {
    Ok(match head {
        Some(head)
            if workspace.tree_of(head.as_str())? == workspace.tree_of(snapshot.as_str())? =>
        {
            head
        }
        _ => snapshot,
    })
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
    /// The workspace of an earlier worker with committed work; made anew from
    /// the rescue ref when it is gone. `None`: the task starts over.
    fn reopen(&self, record: &WorkerRecord) -> Result<Option<Workspace>, WorkerError> {
        let work = record.work_commit.as_deref().and_then(|sha| sha.parse::<Sha>().ok());
        let (workspace, path) = match self.open_workspace(record) {
            Ok(workspace) => (workspace, record.workspace_path.clone()),
            Err(WorkerError::Open(_)) => (None, self.move_elsewhere(&record.workspace_path)?),
            Err(error) => return Err(error),
        };
        let Some(workspace) = workspace else {
            let main = &self.project.repo;
            let work = match work {
                Some(work) if main.resolve(work.as_str())?.is_some() => work,
                _ => return Ok(None),
            };
            let made = self.create(&path, Some(&work))?.ok();
            if let Some(workspace) = &made {
                self.copy_env_files(workspace)?;
            }
            return Ok(made);
        };
        let intact = match &work {
            Some(work) => workspace.resolve(work.as_str())?.is_some(),
            None => true,
        };
        Ok(intact.then_some(workspace))
    }

    /// The workspace of the record; `None` when nothing is there.
    fn open_workspace(&self, record: &WorkerRecord) -> Result<Option<Workspace>, WorkerError> {
        Ok(target::open_workspace(self.project, &record.workspace_path)?)
    }

    /// What the target is at, asked where the run lands and not where an agent has led `origin`.
    fn fetch(&self, workspace: &Workspace) -> Result<Fetched, FetchError> {
        workspace.restore_origin(&self.project.repo, self.remote.as_ref())?;
        workspace.fetch(target::REMOTE, &self.branch)
    }

    /// Records `step`, tells it, and gives tests a place to crash.
    fn step(
        &self,
        step: &WorkerStep,
        change: impl FnOnce(&mut WorkerRecord),
    ) -> Result<WorkerRecord, WorkerError> {
        let record = self.claim.apply(&WorkerEvent::Reached(step.clone()), change)?;
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
        self.claim.apply(&WorkerEvent::Failed, |record| {
            record.mark_failed(now, reason);
            record.agent = None;
        })?;
        Ok(WorkerEnd::Failed)
    }

    /// Leaves the record unfinished for the next run: the user has to mend something first.
    fn held(&self, why: Held, reason: &str) -> Result<WorkerEnd, WorkerError> {
        hold(&self.claim, why, reason)
    }

    /// The target had the task as finished before an agent was asked.
    fn superseded_before_work(&self, how: Finished) -> Result<WorkerEnd, WorkerError> {
        let reason = match how {
            Finished::Elsewhere => "the target has it as finished".to_owned(),
            Finished::OpenedAgain => format!(
                "it was opened again here, but the target has it as finished: {} that first",
                if self.remote.is_some() { "commit and push" } else { "commit" }
            ),
        };
        self.superseded_by(reason, how)
    }

    fn superseded_by(&self, reason: String, how: Finished) -> Result<WorkerEnd, WorkerError> {
        let now = self.project.now().to_string();
        self.claim.apply(&WorkerEvent::Superseded, |record| {
            record.mark_completed(now);
            if matches!(how, Finished::OpenedAgain) {
                record.extra.set(OPENED_AGAIN, true);
            }
            record.last_error = Some(reason);
        })?;
        Ok(WorkerEnd::Superseded)
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
        let (repo, task) = (&self.project.repo, self.claim.task());
        let name = landing::rescue_from(workspace.root(), repo, task, commit)?;
        let kept = name.clone();
        self.claim.update(|record| record.rescue_ref = Some(kept))?;
        Ok(name)
    }
}

/// Records that a worker could not begin, for a reason of this machine: the
/// task waits, and so does every other.
///
/// # Errors
/// When the record cannot be written, or belongs to another claim by now.
pub fn hold_back(
    store: Store<ParallelStateFile>,
    task: &TaskId,
    claim_id: &str,
    reason: &str,
) -> Result<(), WorkerError> {
    hold(&Claim::new(store, task.clone(), claim_id), Held::Machine, reason).map(|_| ())
}

/// Records that the task waits for something the user has to mend.
fn hold(claim: &Claim, why: Held, reason: &str) -> Result<WorkerEnd, WorkerError> {
    claim.update(|record| why.set(record, reason))?;
    stopped(claim)
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

/// Whether the task ended at a limit of its own, that of a task or of its agent.
pub fn is_at_task_limit(record: &WorkerRecord) -> bool {
    record.lifecycle == WorkerLifecycle::Failed && record.extra.contains(LIMITED)
}

/// The field of a superseded record whose task was opened again, which the target does not know.
const OPENED_AGAIN: &str = "opened_again";

/// Whether the target had the task as finished before any work was done for it.
pub(crate) fn is_superseded_before_work(record: &WorkerRecord) -> bool {
    record.lifecycle == WorkerLifecycle::Completed
        && record.landed_commit.is_none()
        && record.last_error.is_some()
        && !recover::has_committed_work(record)
}

/// The same of a task that was opened again: only the run that saw that leaves it alone.
pub(crate) fn is_opened_again(record: &WorkerRecord) -> bool {
    is_superseded_before_work(record) && record.extra.contains(OPENED_AGAIN)
}

/// The field of a record whose task was no longer open in the queue.
const DROPPED: &str = "dropped";

/// Ends a record whose task is no longer open in the queue, which has the word on it from now on.
pub(crate) fn drop_task(record: &mut WorkerRecord, now: String, reason: &str) {
    record.mark_completed(now);
    record.extra.set(DROPPED, true);
    record.last_error = Some(reason.to_owned());
}

/// Whether it was ended so: nothing has landed, and a task that is open again may begin.
pub(crate) fn is_dropped(record: &WorkerRecord) -> bool {
    record.lifecycle == WorkerLifecycle::Completed && record.extra.contains(DROPPED)
}

/// The field of an unfinished record that says what the user has to mend
/// before any task can go on: see [`Held`].
const HELD: &str = "held";

/// The field of a held record with the program that its workspace lacks, as a path in there.
const NOT_IN_WORKSPACE: &str = "not_in_workspace";

/// Why an unfinished task waits, and every other with it; what weighs most is first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Held {
    /// The gate is red on the target itself.
    TargetRed,
    /// A program, a login or space on the disk is missing.
    Machine,
    /// A limit of the run or of the provider is reached.
    Limit,
}

impl Held {
    /// The word for it in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TargetRed => "target_red",
            Self::Machine => "machine",
            Self::Limit => "limit",
        }
    }

    /// Writes down that `record` waits, and why.
    pub(crate) fn set(self, record: &mut WorkerRecord, reason: &str) {
        record.extra.set(HELD, self.as_str());
        record.last_error = Some(reason.to_owned());
    }

    /// Lets `record` go on: what was wrong may be mended. Whether it did wait.
    pub(crate) fn clear(record: &mut WorkerRecord) -> bool {
        record.extra.remove(NOT_IN_WORKSPACE);
        record.extra.remove(HELD).is_some()
    }

    /// What `record` waits for.
    pub(crate) fn of(record: &WorkerRecord) -> Option<Self> {
        match record.extra.get(HELD)?.as_str()? {
            "target_red" => Some(Self::TargetRed),
            "machine" => Some(Self::Machine),
            "limit" => Some(Self::Limit),
            _ => None,
        }
    }
}

/// The program that a held task's workspace lacks, as a path in there.
pub(crate) fn not_in_workspace(record: &WorkerRecord) -> Option<&Path> {
    record.extra.get(NOT_IN_WORKSPACE)?.as_str().map(Path::new)
}

/// How a worker names itself in its lock. It says the claim, so that a worker can be adopted
/// though the state file is lost.
fn lock_command(task: &TaskId, claim: &str) -> String {
    format!("ralph run one --parallel-worker --id {task} --claim {claim}")
}

/// The claim of a worker that names itself so.
pub(crate) fn claim_of(holder: &Holder) -> Option<String> {
    let (_, claim) = holder.command.split_once(" --claim ")?;
    Some(claim.to_owned())
}

/// What every process of a claim carries in its environment.
pub fn marker(task: &str, claim: &str) -> String {
    format!("{task}/{claim}")
}
