//! The coordinator of a parallel run: hands out tasks, looks after workers.
//!
//! It owns no truth: the state file has it. Each round it looks at the records
//! and at the world, lets [`recover::plan`] decide about every unfinished one,
//! and fills free places with new tasks. A worker that died a second ago and
//! one that died with the machine last night are the same case.

mod ending;
mod take_over;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ralph_git::{GitError, Sha};
use ralph_process::{Child, Command, Exit, Input, Output, SpawnError};
use ralph_queue::runnability::Reason;
use ralph_queue::{Queue, QueueFiles, Task};
use ralph_state::file::{self, FileLock, LockError};
use ralph_state::parallel::WorkerEvent;
use ralph_state::session::{SessionFile, session_file_path};
use ralph_state::{
    LoadError, ParallelStateFile, Store, TaskId, Timestamp, UpdateError, WorkerLifecycle,
    WorkerRecord, WorkerStep,
};
use thiserror::Error;

use crate::away::{self, Away, Next, Sight, Wait};
use crate::books;
use crate::checkout::{self, CheckoutError};
use crate::ending::{orphans, record_marker};
use crate::event::{Event, Outcome, RunSummary, StopReason, TaskSummary, WorkPlace};
use crate::landed::Landings;
use crate::layout::Layout;
use crate::living::LivingError;
use crate::preflight::{self, Ground, PreflightError};
use crate::project::Project;
use crate::rebuild::{self, SurveyError};
use crate::recover::{self, Action, Observation, Observed};
use crate::select::{self, Standing};
use crate::worker::{self, Held};
use crate::{living, own, retention, target};
use telling::Told;

pub use telling::summarise;

/// Time between two looks at the workers.
const ROUND: Duration = Duration::from_millis(100);
/// What processes left behind get to stop by themselves before they are killed.
const ORPHAN_GRACE: Duration = Duration::from_secs(1);
/// A task whose workers die so often in one run is left for the user.
const MAX_SPAWNS: u32 = 5;

/// Why a run ended without doing what it could. The state file stands.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Another run hands out tasks in this checkout.
    #[error("another run is active in this repository")]
    Busy {
        /// What its process says of itself, if it can be read.
        holder: Option<file::Holder>,
        /// The lock it holds.
        lock: PathBuf,
    },
    /// A run of 0.4.0 is active here.
    #[error("process {pid} of an older Ralph is at work in this repository")]
    Legacy {
        /// Its process.
        pid: u32,
        /// Its lock.
        lock: PathBuf,
    },
    /// A serial run was interrupted and its task is not finished.
    #[error("{task} was interrupted in a run in your checkout and is not finished")]
    SerialSession {
        /// The task.
        task: String,
    },
    /// The state file is gone, and what it told of is not: what is done could be done again.
    #[error(
        "the state file of parallel runs is gone, and not all that it told of (living workers: \
         {workers}, workspaces: {workspaces})"
    )]
    StateLost {
        /// How many workers live.
        workers: usize,
        /// How many workspaces there are.
        workspaces: usize,
    },
    /// The state file of this run is gone: which task is whose is not known any more.
    #[error(
        "the state file of this run is gone; its workers are stopped, and what they made is in \
         their workspaces"
    )]
    StateVanished,
    /// What a lost state file may have told of cannot be looked for.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The run lock cannot be used.
    #[error("cannot take the run lock")]
    Lock(#[source] LockError),
    /// Something is not right before anything was started.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// The state file cannot be read.
    #[error("cannot read the state of parallel runs")]
    State(#[from] LoadError),
    /// The state file cannot be written.
    #[error("cannot record the state of the run")]
    Record(#[from] UpdateError<Refused>),
    /// The queue cannot be read.
    #[error("cannot read the queue")]
    Queue(#[from] ralph_queue::LoadError),
    /// Files set aside by an earlier run could not be put back.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// A worker could not be started.
    #[error("cannot start a worker for {task}")]
    Spawn {
        /// The task.
        task: TaskId,
        /// The cause.
        source: SpawnError,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It cannot be told which workers live.
    #[error(transparent)]
    Living(#[from] LivingError),
    /// A file of the run could not be used.
    #[error("cannot use the run's own files")]
    Io(#[from] std::io::Error),
}

impl RunError {
    /// Whether it may go as it came, and says nothing about what the run has in hand.
    fn may_pass(&self) -> bool {
        match self {
            Self::Record(UpdateError::Change(refused)) => !matches!(refused, Refused::Vanished),
            Self::Git(_)
            | Self::Record(_)
            | Self::Lock(_)
            | Self::Living(_)
            | Self::Spawn { .. }
            | Self::Io(_) => true,
            _ => false,
        }
    }
}

/// A change of the state file that was refused; the file is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// Unfinished work belongs to another branch.
    #[error(
        "{unfinished} unfinished task{} of an earlier run belong{} to the branch `{was}`, not to `{now}`",
        if *unfinished == 1 { "" } else { "s" },
        if *unfinished == 1 { "s" } else { "" }
    )]
    OtherBranch {
        /// The branch of the earlier run.
        was: String,
        /// The branch that is checked out.
        now: String,
        /// How many.
        unfinished: usize,
    },
    /// The record is not where that could follow.
    #[error("the record of {task} cannot be changed so")]
    OutOfOrder {
        /// The task.
        task: String,
        /// The cause.
        source: ralph_state::parallel::Refused,
    },
    /// There is no state file any more.
    #[error("the state file is gone")]
    Vanished,
    /// The record changed meanwhile.
    #[error("the record of {task} changed meanwhile")]
    Changed {
        /// The task.
        task: String,
    },
}

/// Works through the queue with `workers` workers at a time, until nothing can
/// be started any more, a stop was asked for, or the run is cancelled.
///
/// # Errors
/// See [`RunError`]. Tasks that fail are part of the summary, not errors.
pub fn run(project: &Project, workers: usize) -> Result<RunSummary, RunError> {
    let layout = project.layout();
    let _run = run_lock(project)?;
    checkout::finish_set_aside(project)?;
    if let Some(session) = open_session(project)? {
        return Err(RunError::SerialSession { task: session });
    }
    preflight::settings_seen(project)?;
    project.queue.load()?;
    let ground = preflight::parallel(project)?;
    state_is_known(project, &ground)?;
    // What another machine finished is not to be worked on here.
    if let checkout::Advanced::Left(why) = checkout::advance(project, &ground.branch)? {
        project.tell(Event::Note(format!("your checkout stays as it is: {why}")));
    }
    let queue = project.queue.load()?;
    clear_stop(&layout)?;
    let coordinator = Coordinator {
        landings: Landings::all(&project.repo, &project.config.queue, tip(project, &ground)?)?,
        project,
        layout,
        store: project.store(),
        ground,
        workers,
        children: BTreeMap::new(),
        is_recorded: false,
        began: project.now(),
        spawns: BTreeMap::new(),
        started: 0,
        seen: BTreeMap::new(),
        told: BTreeMap::new(),
        adopted: BTreeSet::new(),
        unrecorded: BTreeSet::new(),
        looked_for: BTreeMap::new(),
        looked_at_queue: None,
        absence: None,
        recorded_wait: None,
        renamed: own::renamed(&queue),
        summary: RunSummary { place: WorkPlace::Workspaces, ..RunSummary::default() },
    };
    coordinator.run(&queue)
}

/// The lock that makes a run the only one in its checkout.
///
/// # Errors
/// [`RunError::Busy`] when another process has it.
pub fn run_lock(project: &Project) -> Result<FileLock, RunError> {
    run_lock_of(&project.layout(), &project.queue)
}

/// The same for those who run nothing: while they hold it no run begins.
///
/// # Errors
/// As for [`run_lock`].
pub fn run_lock_of(layout: &Layout, queue: &QueueFiles) -> Result<FileLock, RunError> {
    no_legacy_run(queue)?;
    let lock = layout.run_lock();
    match living::take(&lock, &queue.holder).map_err(RunError::Lock)? {
        Some(held) => Ok(held),
        None => Err(RunError::Busy { holder: file::lock_holder(&lock), lock }),
    }
}

/// Whether a run could begin, for those who only say what it would do.
///
/// # Errors
/// As for [`run_lock`].
pub fn no_run_is_active(layout: &Layout, queue: &QueueFiles) -> Result<(), RunError> {
    no_legacy_run(queue)?;
    let lock = layout.run_lock();
    if file::is_locked(&lock).map_err(RunError::Lock)? {
        return Err(RunError::Busy { holder: file::lock_holder(&lock), lock });
    }
    Ok(())
}

fn no_legacy_run(queue: &QueueFiles) -> Result<(), RunError> {
    if let Some(legacy) = &queue.legacy_lock
        && let Some((pid, _)) = legacy.living_holder()
    {
        return Err(RunError::Legacy { pid, lock: legacy.directory.clone() });
    }
    Ok(())
}

/// That no state file was lost with work that only it told of.
fn state_is_known(project: &Project, ground: &Ground) -> Result<(), RunError> {
    if project.store().load()?.is_some() {
        return Ok(());
    }
    let workers = living::tasks(&project.layout())?.len();
    let root = &ground.workspace_root;
    let workspaces = rebuild::workspaces(&project.repo, &project.git_env, root)?.len();
    if workers + workspaces == 0 {
        return Ok(());
    }
    Err(RunError::StateLost { workers, workspaces })
}

/// Where the target is, as far as it is known here: preflight has asked the remote.
fn tip(project: &Project, ground: &Ground) -> Result<Option<Sha>, GitError> {
    let Ground { branch, remote, .. } = ground;
    if remote.is_some()
        && let Some(tip) =
            project.repo.resolve(&format!("refs/remotes/{}/{branch}", target::REMOTE))?
    {
        return Ok(Some(tip));
    }
    project.repo.resolve(&format!("refs/heads/{branch}"))
}

/// The task that a serial run left unfinished.
fn open_session(project: &Project) -> Result<Option<String>, RunError> {
    let path = session_file_path(project.repo.root());
    let sessions: Store<SessionFile> = Store::new(path, project.holder.clone());
    Ok(sessions.load()?.map(|loaded| loaded.value.task_id))
}

/// Forgets a stop that was asked of an earlier run.
pub(crate) fn clear_stop(layout: &Layout) -> std::io::Result<()> {
    match fs_err::remove_file(layout.stop_file()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

struct Coordinator<'a> {
    project: &'a Project,
    /// What the target had of landed tasks when the run began; of later ones there are records.
    landings: Landings<'a>,
    layout: Layout,
    store: Store<ParallelStateFile>,
    ground: Ground,
    workers: usize,
    children: BTreeMap<String, Child>,
    /// Whether the state file is this run's by now, so that there has to be one.
    is_recorded: bool,
    /// When this run began.
    began: Timestamp,
    /// Workers started for each task.
    spawns: BTreeMap<String, u32>,
    /// New tasks claimed in this run.
    started: u32,
    /// Titles of the tasks this run has to do with.
    seen: BTreeMap<String, String>,
    /// What was last told of each task.
    told: BTreeMap<String, Told>,
    adopted: BTreeSet<String>,
    /// Tasks that a worker without a record has.
    unrecorded: BTreeSet<TaskId>,
    /// Landing commits that were looked for on the target, and whether it had them.
    looked_for: BTreeMap<String, bool>,
    looked_at_queue: Option<Instant>,
    absence: Option<Absence>,
    /// The wait that the state file tells of.
    recorded_wait: Option<Wait>,
    /// The ids that tasks have and had before, as far as the user knows.
    renamed: BTreeSet<(TaskId, String)>,
    summary: RunSummary,
}

/// A time in which the queue cannot be looked at.
struct Absence {
    /// Why, at the last look.
    away: Away,
    /// When that was.
    looked: Instant,
    /// Since when the run has nothing else to wait for.
    idle_since: Option<Instant>,
    /// What is recorded of it.
    wait: Wait,
}

impl Coordinator<'_> {
    fn state(&self) -> Result<ParallelStateFile, RunError> {
        match self.store.load()? {
            Some(loaded) => Ok(loaded.value),
            None if self.is_recorded => Err(RunError::StateVanished),
            None => Ok(ParallelStateFile::default()),
        }
    }

    /// The whole run. An error ends it like a stop: workers are ended, their work is kept.
    fn run(mut self, queue: &Queue) -> Result<RunSummary, RunError> {
        self.take_over(queue)?;
        retention::clean(self.project, queue)?;
        // Nothing that could refuse the run is left.
        if self.ground.is_new_branch {
            let (remote, branch) = (target::REMOTE.to_owned(), self.ground.branch.clone());
            self.project.tell(Event::NewBranch { remote, branch });
        }
        self.project.tell(Event::Started {
            target: self.ground.branch.clone(),
            remote: self.ground.remote.as_ref().map(|_| target::REMOTE.to_owned()),
            workers: self.workers,
        });
        if let Err(error) = self.work() {
            let mut who: Vec<_> =
                self.children.values().map(|child| child.identity().clone()).collect();
            if matches!(error, RunError::StateVanished) {
                // Nothing but its lock tells of a worker that this run has adopted.
                who.extend(living::workers(&self.layout).unwrap_or_default());
            }
            self.end(who);
            return Err(error);
        }
        Ok(self.summary)
    }

    /// Round after round. What fails one of them is waited for as a queue is: the workers need not
    /// be the worse for it.
    fn work(&mut self) -> Result<(), RunError> {
        let mut failing_since = None;
        loop {
            match self.round() {
                Ok(ControlFlow::Break(())) => return Ok(()),
                Ok(ControlFlow::Continue(())) => failing_since = None,
                Err(error) if error.may_pass() && !self.project.cancel.is_cancelled() => {
                    let since = *failing_since.get_or_insert_with(|| {
                        let text = format!("the run tries again: {}", worker::chain(&error));
                        self.project.tell(Event::Note(text));
                        Instant::now()
                    });
                    if since.elapsed() >= away::PATIENCE {
                        return Err(error);
                    }
                    self.project.cancel.wait_timeout(away::LOOK);
                }
                Err(error) => return Err(error),
            }
            self.project.cancel.wait_timeout(ROUND);
        }
    }

    /// One look at the records and the world, and what follows from it.
    fn round(&mut self) -> Result<ControlFlow<()>, RunError> {
        let left = self.reap();
        let have_left = !left.is_empty();
        self.hold_unbegun(left)?;
        if have_left && let Ok(queue) = self.project.queue.load() {
            retention::clean(self.project, &queue)?;
        }
        let state = self.state()?;
        self.tell_progress(&state);
        if self.project.cancel.is_cancelled() {
            return self.interrupt().map(ControlFlow::Break);
        }
        let observed = self.observe(&state)?;
        let plan = recover::plan(&state, &observed, self.project.max_attempts());
        let alive = observed.values().filter(|seen| seen.worker_alive).count()
            + self.leaving(&state, &observed);
        let mut free = self.workers.saturating_sub(alive);
        let mut pending = alive;
        for action in plan {
            if self.is_waiting(&state, &action) {
                continue;
            }
            let needs_queue = match action {
                Action::RecordLanded { .. } => true,
                Action::Land { .. } | Action::Restart { .. } => free > 0,
                _ => false,
            };
            if needs_queue && self.look()?.is_none() {
                continue;
            }
            pending += usize::from(!matches!(action, Action::Adopt { .. }));
            self.act(&state, action, &mut free)?;
        }
        if pending == 0 {
            // Nobody is left to wait for: look at the queue once more before ending.
            self.looked_at_queue = None;
        }
        let mut offered = false;
        while free > 0 && self.may_start() {
            if !self.start_next()? {
                break;
            }
            offered = true;
            free -= 1;
        }
        let is_idle = pending == 0 && !offered;
        if is_idle && self.has_looked() && !self.waits_for_queue()? {
            return self.finish().map(ControlFlow::Break);
        }
        if let (false, Some(absence)) = (is_idle, &mut self.absence) {
            absence.idle_since = None;
            absence.wait.until = None;
        }
        self.record_wait()?;
        Ok(ControlFlow::Continue(()))
    }

    /// Whether the task of `action` waits for something that the user has to mend, or for the next
    /// run, as this one begins nothing more.
    fn is_waiting(&mut self, state: &ParallelStateFile, action: &Action) -> bool {
        let starts = matches!(action, Action::Land { .. } | Action::Restart { .. });
        // What this run has begun comes to its end.
        if starts && !self.spawns.contains_key(action.task()) && !self.may_go_on_with(action) {
            return true;
        }
        let record = state.get_worker(action.task()).filter(|_| starts);
        let Some((held, record)) = record.and_then(|record| Some((Held::of(record)?, record)))
        else {
            return false;
        };
        if !self.is_held() {
            let reason = match held {
                Held::TargetRed => StopReason::TargetRed,
                Held::Machine => StopReason::Machine,
                Held::Limit => StopReason::Limit,
            };
            self.summary.stopped = Some(reason);
            self.summary.limit = record.last_error.clone().filter(|_| held == Held::Limit);
            self.project.tell(Event::Stopping(reason));
        }
        true
    }

    /// Whether what an earlier run left may be gone on with: as long as new tasks may begin, but for
    /// their number, and without an agent also while that would be of no use.
    fn may_go_on_with(&mut self, action: &Action) -> bool {
        let stop = self.reason_to_stop();
        let stop = stop.filter(|why| matches!(why, StopReason::Requested | StopReason::Failures));
        if let Some(reason) = stop {
            self.stop(reason);
            return false;
        }
        let is_of_no_use =
            matches!(self.summary.stopped, Some(StopReason::TargetRed | StopReason::Machine));
        !is_of_no_use || matches!(action, Action::Land { .. })
    }

    /// Whether something has to be mended before any task can go on.
    fn is_held(&self) -> bool {
        matches!(
            self.summary.stopped,
            Some(StopReason::TargetRed | StopReason::Machine | StopReason::Limit)
        )
    }

    /// Workers whose task has ended, but that still tidy up.
    fn leaving(&self, state: &ParallelStateFile, observed: &Observed) -> usize {
        let still_here = |record: &&WorkerRecord| {
            !observed.contains_key(&record.task_id)
                && (self.children.contains_key(&record.task_id)
                    || (self.adopted.contains(&record.task_id)
                        && record.worker.as_ref().is_some_and(ralph_process::is_alive)))
        };
        state.workers.iter().filter(still_here).count()
    }

    /// Forgets the workers that have ended, and says which ended by themselves.
    fn reap(&mut self) -> Vec<(String, i32)> {
        let mut left = Vec::new();
        self.children.retain(|task, child| match child.try_wait() {
            Ok(None) => true,
            Ok(Some(exit)) => {
                tracing::debug!(task, %exit, "worker ended");
                match exit {
                    Exit::Code(code) => left.push((task.clone(), code)),
                    // Why it is begun again, or landed by another worker, is seen nowhere else.
                    exit => {
                        let text = format!("{task}: its worker ended: {exit}");
                        self.project.tell(Event::Note(text));
                    }
                }
                false
            }
            Err(error) => {
                tracing::warn!(task, %error, "cannot wait for a worker");
                false
            }
        });
        left
    }

    /// Holds the tasks of workers that left before they took their record up:
    /// whatever made them leave is not the task's, and would meet every other.
    fn hold_unbegun(&self, left: Vec<(String, i32)>) -> Result<(), RunError> {
        for (task, code) in left {
            let state = self.state()?;
            let Some(record) = state.get_worker(&task) else { continue };
            let Ok(id) = task.parse::<TaskId>() else { continue };
            // Somebody else may have the task: that worker is adopted.
            let is_taken =
                file::is_locked(&self.layout.worker_lock(&id)).map_err(RunError::Lock)?;
            if is_taken || !recover::is_unbegun(record) || Held::of(record).is_some() {
                continue;
            }
            let log = self.layout.worker_log(&id);
            let reason = format!(
                "its worker ended with exit code {code} before it began; see `{}`",
                log.display()
            );
            self.write(record, None, |record, _| Held::Machine.set(record, &reason))?;
        }
        Ok(())
    }

    /// Looks at the world behind every unfinished record.
    fn observe(&mut self, state: &ParallelStateFile) -> Result<Observed, RunError> {
        let mut observed = Observed::new();
        for record in state.workers.iter().filter(|record| !record.is_terminal()) {
            let Ok(id) = record.task_id.parse::<TaskId>() else { continue };
            let mut seen = Observation {
                worker_alive: self.children.contains_key(&record.task_id)
                    || file::is_locked(&self.layout.worker_lock(&id)).map_err(RunError::Lock)?,
                ..Observation::default()
            };
            if !seen.worker_alive {
                seen.orphans = orphans(record);
                if seen.orphans.is_empty() {
                    seen.landed = self.has_landed(record)?;
                    seen.unwanted = self.is_unwanted(record)?;
                }
            }
            observed.insert(record.task_id.clone(), seen);
        }
        Ok(observed)
    }

    /// Whether the queue has the task no longer as open. A queue that cannot be
    /// read, or is another branch's, says nothing.
    fn is_unwanted(&self, record: &WorkerRecord) -> Result<bool, GitError> {
        let is_open = |task: &Task| !task.status.is_terminal();
        let is_unwanted = self
            .project
            .queue
            .load()
            .is_ok_and(|queue| !own::find(record, &queue).is_some_and(is_open));
        Ok(is_unwanted && !away::is_elsewhere(self.project, &self.ground.branch)?)
    }

    /// Whether the commit that a dead worker was about to push is on the target.
    ///
    /// Asked once for each commit: a worker that lands it asks again.
    fn has_landed(&mut self, record: &WorkerRecord) -> Result<bool, RunError> {
        let Some(landing) =
            record.landing_commit.as_deref().and_then(|sha| sha.parse::<Sha>().ok())
        else {
            return Ok(record.step == Some(WorkerStep::Pushed));
        };
        if let Some(known) = self.looked_for.get(landing.as_str()) {
            return Ok(*known);
        }
        let is_there = self.is_on_target(&landing)?;
        self.looked_for.insert(landing.to_string(), is_there);
        Ok(is_there)
    }

    fn is_on_target(&self, landing: &Sha) -> Result<bool, RunError> {
        let repo = &self.project.repo;
        let tip = if self.ground.remote.is_some() {
            match repo.fetch(target::REMOTE, &self.ground.branch) {
                Ok(fetched) => fetched.tip,
                // A worker asks again, with patience, before it does anything.
                Err(_) => return Ok(false),
            }
        } else {
            repo.resolve(&format!("refs/heads/{}", self.ground.branch))?
        };
        let Some(tip) = tip else { return Ok(false) };
        Ok(repo.resolve(landing.as_str())?.is_some() && repo.is_ancestor(landing, &tip)?)
    }

    fn act(
        &mut self,
        state: &ParallelStateFile,
        action: Action,
        free: &mut usize,
    ) -> Result<(), RunError> {
        let Some(record) = state.get_worker(action.task()) else { return Ok(()) };
        let is_own = self.spawns.contains_key(&record.task_id);
        if !is_own && self.adopted.insert(record.task_id.clone()) {
            self.project.tell(Event::Recovering(action.clone()));
        }
        match action {
            Action::Adopt { .. } => Ok(()),
            Action::EndOrphans { who, .. } => {
                let marker = record_marker(record);
                let report = ralph_process::end(&who, Some(&marker), ORPHAN_GRACE);
                if !report.survivors.is_empty() {
                    let pids: Vec<_> =
                        report.survivors.iter().map(|left| left.pid.to_string()).collect();
                    self.project.tell(Event::Note(format!(
                        "{}: cannot end process {}; the task waits for it",
                        record.task_id,
                        pids.join(", ")
                    )));
                }
                Ok(())
            }
            Action::RecordLanded { .. } => self.record_landed(record),
            Action::Drop { .. } => {
                worker::keep_work(self.project, record);
                self.advance(record, &WorkerEvent::Superseded, |record, now| {
                    worker::drop_task(record, now, "it is no longer open in the queue");
                })
            }
            Action::GiveUp { attempts, .. } => {
                worker::keep_work(self.project, record);
                let reason = format!("its worker died on each of {attempts} attempts");
                self.advance(record, &WorkerEvent::Failed, |record, now| {
                    record.mark_failed(now, reason);
                })
            }
            Action::Land { .. } | Action::Restart { .. } if *free == 0 => Ok(()),
            Action::Land { .. } => {
                *free -= 1;
                self.respawn(record, None, |_| {})
            }
            Action::Restart { .. } => {
                *free -= 1;
                let claim = self.new_claim();
                let died_working = recover::died_working(record);
                self.respawn(record, Some(&WorkerEvent::Restarted), |record| {
                    if died_working {
                        record.attempt = Some(record.attempt.unwrap_or(1) + 1);
                    }
                    record.attempt_id = Some(claim);
                    recover::start_over(record);
                })
            }
        }
    }

    /// Starts a worker for an unfinished record, unless its workers keep dying.
    fn respawn(
        &mut self,
        record: &WorkerRecord,
        event: Option<&WorkerEvent>,
        change: impl FnOnce(&mut WorkerRecord),
    ) -> Result<(), RunError> {
        let Ok(task) = record.task_id.parse::<TaskId>() else { return Ok(()) };
        if self.spawns.get(&record.task_id).is_some_and(|spawned| *spawned >= MAX_SPAWNS) {
            let log = self.layout.worker_log(&task);
            let reason = format!("its worker died {MAX_SPAWNS} times; see `{}`", log.display());
            return self.advance(record, &WorkerEvent::Blocked, |record, now| {
                record.mark_blocked(now, reason);
            });
        }
        if !self.seen.contains_key(&record.task_id) {
            // Made unfinished again while the run goes on (`run parallel retry`).
            let queue = self.project.queue.load().ok();
            let title = queue.as_ref().and_then(|queue| queue.find(&record.task_id));
            let title = title.map(|(_, task)| task.title.clone()).unwrap_or_default();
            self.seen.insert(record.task_id.clone(), title);
        }
        let mut claim = String::new();
        let new = self.new_claim();
        self.write(record, event, |record, _| {
            change(record);
            // Until the new worker takes it up.
            record.worker = None;
            record.interrupted = None;
            claim.clone_from(record.attempt_id.get_or_insert(new));
        })?;
        self.spawn(&task, &claim)
    }

    /// Takes a record that still is as it was read where `event` leads, and changes it.
    fn advance(
        &self,
        seen: &WorkerRecord,
        event: &WorkerEvent,
        change: impl FnOnce(&mut WorkerRecord, String),
    ) -> Result<(), RunError> {
        self.write(seen, Some(event), change)
    }

    fn write(
        &self,
        seen: &WorkerRecord,
        event: Option<&WorkerEvent>,
        change: impl FnOnce(&mut WorkerRecord, String),
    ) -> Result<(), RunError> {
        let now = self.project.now().to_string();
        self.store.update(|state: &mut ParallelStateFile| {
            let record = state.get_worker_mut(&seen.task_id);
            let Some(record) = record.filter(|record| is_as_seen(record, seen)) else {
                return Err(Refused::Changed { task: seen.task_id.clone() });
            };
            if let Some(event) = event {
                let task = || seen.task_id.clone();
                let refused = |source| Refused::OutOfOrder { task: task(), source };
                record.apply(event).map_err(refused)?;
            }
            change(record, now);
            Ok(())
        })?;
        Ok(())
    }

    fn record_landed(&self, record: &WorkerRecord) -> Result<(), RunError> {
        // One that just went is asked again in the next round.
        let Ok(queue) = self.project.queue.load() else { return Ok(()) };
        if let Some(task) = own::find(record, &queue) {
            worker::settle(self.project, &self.ground.branch, task, record);
        }
        let landed = record.landing_commit.clone();
        self.advance(record, &WorkerEvent::Reached(WorkerStep::Recorded), |record, now| {
            record.landed_commit = landed;
            record.last_error = None;
            record.agent = None;
            record.mark_completed(now);
        })?;
        Ok(())
    }

    fn may_start(&mut self) -> bool {
        if self.is_held() {
            return false;
        }
        let Some(reason) = self.reason_to_stop() else {
            return self.looked_at_queue.is_none_or(|when| when.elapsed() >= away::LOOK);
        };
        self.stop(reason);
        false
    }

    /// Why no new task may begin, whatever there is to do.
    fn reason_to_stop(&self) -> Option<StopReason> {
        if self.layout.stop_file().exists() {
            Some(StopReason::Requested)
        } else if self.project.options.max_tasks.is_some_and(|max| self.started >= max) {
            Some(StopReason::MaxTasks)
        } else if self
            .summary
            .has_failures_in_a_row(self.project.config.run_loop.stop_after_failures)
        {
            Some(StopReason::Failures)
        } else {
            None
        }
    }

    fn stop(&mut self, reason: StopReason) {
        if self.summary.stopped.is_none() {
            self.summary.stopped = Some(reason);
            self.project.tell(Event::Stopping(reason));
        }
    }

    /// Whether the queue was looked at and had nothing, or is not to be looked at.
    fn has_looked(&self) -> bool {
        self.summary.stopped.is_some() || self.looked_at_queue.is_some()
    }

    /// Claims the next task and starts a worker for it; `false` when there is none.
    fn start_next(&mut self) -> Result<bool, RunError> {
        let Some(queue) = self.look()? else {
            self.looked_at_queue = Some(Instant::now());
            return Ok(false);
        };
        let standing = self.standing(&queue)?;
        for task in &standing.unrecorded {
            if self.unrecorded.insert(task.clone()) {
                self.project.tell(Event::Note(format!(
                    "{task} waits: a worker has it that the state file knows nothing of"
                )));
            }
        }
        let Some(task) = queue.next(&standing.selection(self.project)) else {
            self.looked_at_queue = Some(Instant::now());
            self.summary.waiting = waiting(&queue, &standing);
            self.summary.taken = standing.taken(&queue);
            // The others are told as what earlier runs left.
            let is_told_here = |reason: &Reason| {
                matches!(
                    reason,
                    Reason::Claimed { .. }
                        | Reason::Underway
                        | Reason::Landed { .. }
                        | Reason::Ended { .. }
                        | Reason::AmbiguousId
                )
            };
            self.summary.taken.retain(|_, reason| is_told_here(reason));
            return Ok(false);
        };
        self.looked_at_queue = None;
        let claim = self.new_claim();
        let now = self.project.now();
        let mut record = WorkerRecord::new(
            task.id.as_str(),
            self.ground.workspace_root.join(task.id.as_str()),
            now.to_string(),
        );
        record.attempt = Some(1);
        record.attempt_id = Some(claim.clone());
        let claimed = WorkerEvent::Reached(WorkerStep::Claimed);
        record.apply(&claimed).map_err(|source| {
            UpdateError::Change(Refused::OutOfOrder { task: task.id.to_string(), source })
        })?;
        record.branch = Some(format!("ralph/{}", task.id));
        select::remember_change(&mut record, task);
        self.told.insert(record.task_id.clone(), Told::of(&record));
        self.change_state(|state| state.upsert_worker(record))?;
        self.project.tell(Event::Claimed { task: task.id.to_string(), title: task.title.clone() });
        self.project.faults.point("coordinator", "claimed", "");
        self.seen.insert(task.id.to_string(), task.title.clone());
        self.started += 1;
        self.spawn(&task.id.clone(), &claim)?;
        Ok(true)
    }

    /// The queue, if it can be looked at; the first time after it could not be, the checkout catches up
    /// before. Why it cannot is told once.
    fn look(&mut self) -> Result<Option<Queue>, RunError> {
        if self.absence.as_ref().is_some_and(|absence| absence.looked.elapsed() < away::LOOK) {
            return Ok(None);
        }
        let before = self.absence.take();
        let mut looked = away::look(self.project, &self.ground.branch)?;
        if before.is_some()
            && let Ok(queue) = &looked
        {
            // It may be one from before what landed meanwhile.
            self.catch_up(queue)?;
            looked = away::look(self.project, &self.ground.branch)?;
        }
        let away = match looked {
            Ok(queue) => return Ok(Some(queue)),
            Err(away) => away,
        };
        let kind = std::mem::discriminant(&away);
        if before.as_ref().is_none_or(|before| std::mem::discriminant(&before.away) != kind) {
            away::tell(self.project, &away);
        }
        let (since, until) = before
            .as_ref()
            .map_or((self.project.now(), None), |before| (before.wait.since, before.wait.until));
        let wait = Wait::new(&away, since, until);
        let idle_since = before.and_then(|before| before.idle_since);
        self.absence = Some(Absence { away, looked: Instant::now(), idle_since, wait });
        Ok(None)
    }

    /// Changes the state file, which has to be there: made anew, it would know nothing of what this
    /// run has done.
    fn change_state(&self, change: impl FnOnce(&mut ParallelStateFile)) -> Result<(), RunError> {
        let changed = self.store.update_reported(|state: &mut ParallelStateFile, report| {
            if report.is_none() {
                return Err(Refused::Vanished);
            }
            change(state);
            Ok(())
        });
        match changed {
            Err(UpdateError::Change(Refused::Vanished)) => Err(RunError::StateVanished),
            changed => Ok(changed.map(|_| ())?),
        }
    }

    /// Records for everybody to see what the run waits for, or that it does no more.
    fn record_wait(&mut self) -> Result<(), RunError> {
        let wait = self.absence.as_ref().map(|absence| &absence.wait);
        if wait == self.recorded_wait.as_ref() {
            return Ok(());
        }
        let wait = wait.cloned();
        self.change_state(|state| Wait::keep(&mut state.extra, wait.as_ref()))?;
        self.recorded_wait = wait;
        Ok(())
    }

    /// Whether a run with nothing in hand goes on for the sake of a queue that it cannot look at.
    fn waits_for_queue(&mut self) -> Result<bool, RunError> {
        if self.summary.stopped.is_some() {
            return Ok(false);
        }
        let is_new_elsewhere = self.absence.as_ref().is_some_and(|absence| {
            absence.idle_since.is_none() && matches!(absence.away, Away::Elsewhere { .. })
        });
        if is_new_elsewhere && !self.has_more()? {
            return Ok(false);
        }
        let now = Instant::now();
        let queue = match &mut self.absence {
            None => Sight::There,
            Some(absence) => {
                if absence.idle_since.is_none() {
                    absence.wait.until = away::deadline(self.project);
                }
                Sight::Gone { idle_since: Some(*absence.idle_since.get_or_insert(now)) }
            }
        };
        match away::next(queue, now) {
            Next::GoOn => Ok(false),
            Next::Wait => Ok(true),
            Next::GiveUp => {
                self.summary.stopped = Some(StopReason::QueueAway);
                self.summary.queue_away = self.absence.take().map(|absence| absence.away);
                self.project.tell(Event::Stopping(StopReason::QueueAway));
                Ok(false)
            }
        }
    }

    /// Whether a task waits to be gone on with, or the queue of the target, as git knows it here,
    /// has one to begin. A queue that it does not have or that cannot be read may have.
    fn has_more(&mut self) -> Result<bool, RunError> {
        let goes_on =
            |record: &WorkerRecord| !record.is_terminal() && recover::stuck(record).is_none();
        if self.state()?.workers.iter().any(goes_on) {
            return Ok(true);
        }
        let Some(tip) = tip(self.project, &self.ground)? else { return Ok(true) };
        let queue = books::queue_at(&self.project.repo, &self.project.config.queue, &tip)?;
        let Some(queue) = queue else { return Ok(true) };
        let standing = self.standing(&queue)?;
        Ok(queue.next(&standing.selection(self.project)).is_some())
    }

    /// Which tasks of `queue` are not for this run to begin.
    fn standing(&mut self, queue: &Queue) -> Result<Standing, RunError> {
        let state = self.state()?;
        let living = living::open_tasks(&self.layout, queue)?;
        let mut standing = select::standing(&state, queue, &living);
        for record in &state.workers {
            if self.spawns.contains_key(&record.task_id) {
                standing.heed_opened_again(record);
            }
        }
        standing.heed(self.project.leases(queue)?);
        standing.heed_landed(self.landings.among(queue)?);
        Ok(standing)
    }

    fn spawn(&mut self, task: &TaskId, claim: &str) -> Result<(), RunError> {
        let log = self.layout.worker_log(task);
        if let Some(parent) = log.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let command = Command::new(&self.project.executable, self.project.repo.root())
            .args(["run", "one", "--parallel-worker", "--id", task.as_str(), "--claim", claim])
            .args(self.project.worker_args.iter().cloned());
        let command = command
            .stdin(Input::Bytes(self.project.worker_input.clone()))
            .stdout(Output::Append(log.clone()))
            .stderr(Output::Append(log));
        let child = ralph_process::spawn(&command)
            .map_err(|source| RunError::Spawn { task: task.clone(), source })?;
        *self.spawns.entry(task.to_string()).or_insert(0) += 1;
        self.children.insert(task.to_string(), child);
        self.project.faults.point("coordinator", "spawned", "");
        Ok(())
    }

    /// Unique among the claims of all runs on this machine, and safe in a ref.
    fn new_claim(&self) -> String {
        format!("{:x}-{:x}", self.project.now().as_unix_nanos(), ralph_process::own_pid())
    }

    fn finish(&mut self) -> Result<(), RunError> {
        self.sweep()?;
        let state = self.state()?;
        self.sum_up_unfinished(&state);
        // What needed no change is marked done in the queue, which may be on the target too.
        let may_have_moved =
            |task: &TaskSummary| matches!(task.outcome, Outcome::Landed | Outcome::NoChange);
        // A queue that cannot be read cannot be merged with what landed either.
        let unreadable = match away::load(self.project) {
            Err(Away::Unreadable(error))
                if !matches!(*error, ralph_queue::LoadError::Missing { .. }) =>
            {
                Some(Away::Unreadable(error))
            }
            _ => None,
        };
        let has_moved = self.summary.tasks.iter().any(may_have_moved);
        if has_moved && unreadable.is_some() {
            self.summary.queue_away = unreadable;
        } else if has_moved
            && let checkout::Advanced::Left(why) =
                checkout::advance(self.project, &self.ground.branch)?
        {
            self.summary.behind = Some(why);
        }
        let queue = self.project.queue.load().ok();
        let is_closed = |task: &str| {
            let task = queue.as_ref().and_then(|queue| queue.find(task));
            task.is_some_and(|(_, task)| task.status.is_terminal())
        };
        let ended_before = |record: &&WorkerRecord| {
            matches!(record.lifecycle, WorkerLifecycle::Failed | WorkerLifecycle::BlockedPush)
                && !is_closed(&record.task_id)
                && !self.summary.tasks.iter().any(|task| task.task == record.task_id)
        };
        self.summary.kept = state.workers.iter().filter(ended_before).count();
        if self.summary.stopped == Some(StopReason::Requested) {
            clear_stop(&self.layout)?;
        }
        Ok(())
    }
}

/// Whether what follows from how a record was `seen` still is for it: its worker, whose lock was
/// looked at later, may have ended it in between, or committed its work.
fn is_as_seen(record: &WorkerRecord, seen: &WorkerRecord) -> bool {
    record == seen
}

/// Tasks that are neither finished nor have a record, but cannot start now.
fn waiting(queue: &Queue, standing: &Standing) -> usize {
    queue
        .tasks()
        .filter(|task| !task.status.is_terminal() && !standing.exclude.contains_key(&task.id))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_its_worker_has_changed_since_it_was_seen_is_left_alone() {
        let mut seen = WorkerRecord::new("RQ-0001", "/w".into(), String::new());
        seen.attempt_id = Some("c".to_owned());
        seen.step = Some(WorkerStep::Working);
        assert!(is_as_seen(&seen.clone(), &seen));
        let changes: [fn(&mut WorkerRecord); 4] = [
            |record| record.mark_failed(String::new(), "no"),
            |record| record.attempt_id = Some("d".to_owned()),
            |record| record.work_commit = Some("1".repeat(40)),
            |record| Held::Machine.set(record, "no agent"),
        ];
        for change in changes {
            let mut record = seen.clone();
            change(&mut record);
            assert!(!is_as_seen(&record, &seen));
        }
    }
}
