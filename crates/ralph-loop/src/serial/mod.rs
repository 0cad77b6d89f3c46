//! One task after the other, in the user's own checkout.
//!
//! The agent works where the user works, so nothing is ever reset here: what a
//! failed turn leaves stays in the files, and a copy of it under a rescue ref.
//! The session file says what is under way; a run that finds one goes on with
//! it.

mod beside;
mod finish;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use ralph_agent::{Counter, Phase, Progress, RunnerError};
use ralph_config::GitPublishMode;
use ralph_git::{GitError, Sha};
use ralph_queue::edit::Restart;
use ralph_queue::runnability::Reason;
use ralph_queue::{EditError, LoadError as QueueLoadError, Queue, Selection, Status, Task};
use ralph_state::session::{SessionFile, SessionStep, session_file_path};
use ralph_state::{Amount, LoadError, SaveError, Spending, Store, TaskId, UpdateError, WorkerStep};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::allowance::{self, Answer, Asked, Refusal};
use crate::away::{self, Away, Wait};
use crate::checkout::{self, CheckoutError};
use crate::coordinator::{self, RunError};
use crate::event::{Event, RunSummary, StopReason};
use crate::gate::{self, GateError, Verdict};
use crate::landed::Landings;
use crate::layout::Layout;
use crate::preflight::{self, PreflightError};
use crate::project::Project;
use crate::select::{Hands, Standing};
use crate::turn::{self, AgentSession, Failure, TakeTurnError, TurnPlace};
use crate::unseen::{self, Settings, UnseenError};
use crate::{living, prompt, retention, select, settings, worker};

/// Which tasks to work on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// This one.
    Task(TaskId),
    /// The next one.
    Next,
    /// One after the other.
    All,
}

/// Why a serial run ended early. What was done so far stands.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SerialError {
    /// The run could not begin.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Something is not right before anything was started.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// The session file cannot be read.
    #[error("cannot read the session")]
    Session(#[from] LoadError),
    /// The session file cannot be written.
    #[error("cannot record the session")]
    Record(#[from] UpdateError<std::convert::Infallible>),
    /// The session file cannot be removed.
    #[error("cannot end the session")]
    EndSession(#[from] SaveError),
    /// Another task is under way.
    #[error("{open} was interrupted and is not finished")]
    OtherSession {
        /// The task of the session.
        open: String,
    },
    /// The interrupted task belongs to another branch.
    #[error("{task} was interrupted on the branch `{was}`, and `{now}` is checked out")]
    OtherBranch {
        /// The task.
        task: String,
        /// The branch it was worked on.
        was: String,
        /// The branch that is checked out.
        now: String,
    },
    /// A process of the interrupted session does not end.
    #[error("process {pid} of the interrupted work on {task} does not end")]
    Survivor {
        /// The task.
        task: String,
        /// The process.
        pid: u32,
    },
    /// The queue cannot be read.
    #[error("cannot read the queue")]
    Queue(#[from] QueueLoadError),
    /// The queue cannot be changed.
    #[error("cannot change the queue")]
    QueueEdit(#[from] ralph_queue::UpdateError<EditError>),
    /// There is no such task.
    #[error("there is no task {task}")]
    NoSuchTask {
        /// The task asked for.
        task: TaskId,
        /// What the task that had this id before has now.
        now: Option<TaskId>,
    },
    /// The task is finished.
    #[error("{task} is {status}")]
    Finished {
        /// The task asked for.
        task: TaskId,
        /// Done or rejected.
        status: Status,
    },
    /// The task may not start now.
    #[error("{task} cannot start now")]
    NotRunnable {
        /// The task asked for.
        task: TaskId,
        /// Why.
        reasons: Vec<Reason>,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
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
    /// The checkout could not be looked after.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// It cannot be told what an agent made of the settings.
    #[error(transparent)]
    Unseen(#[from] UnseenError),
    /// The run's own files cannot be used.
    #[error("cannot use the run's own files")]
    Io(#[from] std::io::Error),
}

/// How often a gate may change the files before that counts as its failure.
const UNSTABLE_GATES: u32 = 3;
/// The field of the session file that counts turns on a red gate.
const FIXES: &str = "fix_turns";
/// The field of the session file that says which tree the gate was green on.
const GREEN: &str = "gate_green";
/// The field of the session file with the work tree at the beginning of the run, as
/// [`settings::tree`] has it.
const BEGAN: &str = "run_tree";
/// The field of the session file with what the agent's session used so far.
const AGENT_USED: &str = "agent_used";
/// The field of the session file with what is set aside for the turn under way.
const RESERVED: &str = "reserved";
/// The field of the session file with the providers that are to be left alone for a while.
const PAUSES: &str = "pauses";
/// The field of the session file that names the branch the task is worked on.
const BRANCH: &str = "branch";
/// The field of the session file with the reason that the agent gave for no change.
const REASON: &str = "no_change";

/// Works on the `wanted` tasks, one after the other, until a stop was asked for, nothing can be
/// started, or something ends it that would meet every task.
///
/// A task that fails is not tried again in the run. It ends the run if it left anything in the
/// checkout, which is for the user to look at before another agent works there.
///
/// # Errors
/// See [`SerialError`]. A task that fails is part of the summary.
pub fn run(project: &Project, wanted: &Wanted) -> Result<RunSummary, SerialError> {
    let _run = coordinator::run_lock(project)?;
    checkout::finish_set_aside(project)?;
    let branch = preflight::serial(project)?;
    let layout = project.layout();
    coordinator::clear_stop(&layout)?;
    // A state file that cannot be read is told where it matters.
    let parallel = project.store().load().ok().flatten();
    let earlier = parallel.and_then(|loaded| loaded.value.spending);
    let tip = project.repo.head()?.commit().cloned();
    let mut serial = Serial {
        project,
        landings: RefCell::new(Landings::all(&project.repo, &project.config.queue, tip)?),
        sessions: Store::new(session_file_path(layout.root()), project.holder.clone()),
        session: RefCell::default(),
        layout,
        branch,
        has_begun: false,
        attempted: BTreeSet::new(),
        left_by_us: None,
        began: None,
        spending: RefCell::new(allowance::begin(
            earlier,
            &project.config.agent.limits.run,
            project.now(),
        )),
        summary: RunSummary::default(),
    };
    serial.work(wanted)?;
    Ok(serial.summary)
}

struct Serial<'a> {
    project: &'a Project,
    /// What the branch had of landed tasks when the run began.
    landings: RefCell<Landings<'a>>,
    sessions: Store<SessionFile>,
    /// The session under way. The file is written from this: an agent that removes it, or edits it,
    /// takes nothing from what the run knows.
    session: RefCell<SessionFile>,
    layout: Layout,
    branch: String,
    /// Whether the run was told of: not before everything that may refuse it was asked.
    has_begun: bool,
    attempted: BTreeSet<TaskId>,
    /// The work tree as the last finished task left it uncommitted.
    left_by_us: Option<Sha>,
    /// The whole work tree when the run began, or the one whose session it goes on with.
    began: Option<Sha>,
    spending: RefCell<Spending>,
    summary: RunSummary,
}

/// How the work on one task ended.
enum Ended {
    Done,
    Failed(String),
    Blocked(String),
    /// At a limit of the run or of the provider.
    Limited(String),
    /// At a limit of its own.
    TaskLimit(String),
    Held(String),
    /// Without the queue and the branch that it is to end on.
    Away(Away),
    Stopped,
}

/// What is counted while a task is worked on.
struct Tally {
    task: Task,
    started: Instant,
    attempt: u32,
    turns: u32,
    gates: u32,
    spent: Amount,
    commit: Option<Sha>,
    reason: Option<String>,
}

impl Serial<'_> {
    fn work(&mut self, wanted: &Wanted) -> Result<(), SerialError> {
        let mut session = self.sessions.load()?.map(|loaded| loaded.value);
        if let Some(pauses) = session.as_ref().and_then(|session| kept(session, PAUSES)) {
            let mut earlier = Spending::default();
            earlier.pauses = pauses;
            let limit = &self.project.config.agent.limits.run;
            let earlier = allowance::begin(Some(earlier), limit, self.project.now());
            self.spending.get_mut().pauses.extend(earlier.pauses);
        }
        if let (Some(open), Wanted::Task(task)) = (&session, wanted)
            && open.task_id != task.as_str()
        {
            return Err(SerialError::OtherSession { open: open.task_id.clone() });
        }
        if let Some(session) = &mut session {
            self.session.borrow_mut().clone_from(session);
            self.settle_turn(session)?;
        }
        preflight::settings_seen(self.project)?;
        self.catch_up()?;
        loop {
            if self.project.cancel.is_cancelled() {
                self.stop(StopReason::Interrupted);
                return Ok(());
            }
            let is_resumed = session.is_some();
            let Some((task, session)) = self.next(session.take(), wanted)? else { return Ok(()) };
            self.attempted.insert(task.id.clone());
            let mut tally = Tally {
                started: Instant::now(),
                attempt: session.attempt.unwrap_or(1),
                turns: session.agent_turns.unwrap_or(0),
                gates: session.gate_runs.unwrap_or(0),
                spent: session.spent.unwrap_or_default(),
                commit: None,
                reason: kept(&session, REASON),
                task,
            };
            let before = beside::statuses(&self.project.queue.load()?);
            let ended = match self.one(&session, &mut tally) {
                Ok(ended) => ended,
                // Whatever was cut short by the stop failed because of it.
                Err(_) if self.project.cancel.is_cancelled() => Ended::Stopped,
                Err(SerialError::Refused(Refusal::Stopped)) => Ended::Stopped,
                Err(SerialError::Refused(refusal)) => {
                    if !is_resumed && tally.turns == 0 {
                        self.take_back(&tally)?;
                    }
                    if refusal.is_everybodys() {
                        self.stop_at_limit(&refusal);
                        Ended::Limited(refusal.to_string())
                    } else {
                        Ended::TaskLimit(refusal.to_string())
                    }
                }
                Err(error) => {
                    if !is_resumed && tally.turns == 0 {
                        self.take_back(&tally)?;
                    }
                    return Err(error);
                }
            };
            let during = tally.task.id.clone();
            let may_go_on = self.end(ended, tally, &session)?;
            self.tell_beside(&before, &during);
            if *wanted != Wanted::All {
                return Ok(());
            }
            if !may_go_on {
                return self.stop_beside_work();
            }
        }
    }

    /// Ends in the queue what the branch has as landed though the file, an older one, has it open.
    fn catch_up(&self) -> Result<(), SerialError> {
        let queue = self.project.queue.load()?;
        for id in self.landings.borrow_mut().among(&queue)?.keys() {
            if let Some((_, task)) = queue.find(id.as_str()) {
                worker::tell_open(self.project, task, self.project.catch_up_in_checkout(id));
            }
        }
        Ok(())
    }

    /// Ends what the turn of a dead run left running, records what it made of the settings, and
    /// charges the task with what was set aside for it.
    fn settle_turn(&self, session: &mut SessionFile) -> Result<(), SerialError> {
        end_orphans(session)?;
        if let Some(found) = kept::<Settings>(session, unseen::FOUND) {
            unseen::record(&self.project.repo, &self.project.queue, &session.task_id, &found)?;
        }
        self.record(|known| {
            known.extra.remove(unseen::FOUND);
            if let Some(reserved) = kept::<Amount>(known, RESERVED) {
                known.spent = Some(known.spent.unwrap_or_default().plus(reserved.unknown()));
                known.extra.remove(RESERVED);
            }
            session.clone_from(known);
        })
    }

    /// Records what an agent's turn, or the gate with what the agent wrote, made of the settings.
    fn note_settings(&self, tally: &Tally, found: &Settings) -> Result<(), SerialError> {
        let task = tally.task.id.as_str();
        unseen::record(&self.project.repo, &self.project.queue, task, found)?;
        self.project.faults.point("serial", "noted", "");
        Ok(())
    }

    /// The session to go on with, or a new one for the next task.
    fn next(
        &mut self,
        session: Option<SessionFile>,
        wanted: &Wanted,
    ) -> Result<Option<(Task, SessionFile)>, SerialError> {
        let Some(queue) = self.queue()? else { return Ok(None) };
        retention::clean(self.project, &queue)?;
        if let Some(mut session) = session {
            if let Some(was) = session.extra.get(BRANCH).and_then(|branch| branch.as_str())
                && was != self.branch
            {
                let (task, was) = (session.task_id.clone(), was.to_owned());
                return Err(SerialError::OtherBranch { task, was, now: self.branch.clone() });
            }
            let began = session.extra.get(BEGAN).and_then(|tree| tree.as_str());
            self.began = began.and_then(|tree| tree.parse().ok());
            if let Some(task) =
                queue.ambiguous().into_iter().find(|id| id.as_str() == session.task_id)
            {
                return Err(SerialError::NotRunnable { task, reasons: vec![Reason::AmbiguousId] });
            }
            let is_past =
                matches!(session.step, Some(SessionStep::Finishing | SessionStep::Committed));
            let task = queue.find(&session.task_id).map(|(_, task)| task);
            let task = task.filter(|task| is_past || !task.status.is_terminal());
            if let Some(task) = task {
                self.announce();
                self.project.tell(Event::Note(format!("going on with {}", task.id)));
                session.attempt_id.get_or_insert_with(|| session.session_id.clone());
                return Ok(Some((task.clone(), session)));
            }
            self.project.tell(Event::Note(format!(
                "{} of the interrupted session is not open in the queue any more",
                session.task_id
            )));
            if let Ok(id) = session.task_id.parse() {
                let title = queue.find(&session.task_id).map(|(_, task)| task.title.as_str());
                self.keep(&id, title.unwrap_or_default())?;
                self.keep_taken_off(&session, &id)?;
            }
            self.sessions.remove()?;
        }
        if let Some(reason) = self.reason_to_stop() {
            self.stop(reason);
            return Ok(None);
        }
        let standing = self.standing(&queue)?;
        let selection = standing.selection(self.project);
        let task = match wanted {
            Wanted::Task(id) => Some(asked_for(&queue, &selection, id)?),
            Wanted::Next | Wanted::All => queue.next(&selection).cloned(),
        };
        let Some(task) = task else {
            self.summary.waiting = self.waiting(&queue, &standing);
            self.summary.taken = standing.taken(&queue);
            self.summary.taken.retain(|id, _| !self.attempted.contains(id));
            return Ok(None);
        };
        // A task that could not have a turn is not begun.
        let account = self.project.account(&self.project.runner_for(&task)?, &task);
        let none = Amount::default();
        let answer =
            allowance::ask(&self.asked(&account, None), &self.spending.borrow(), none, none);
        if let Answer::No(refusal) = answer
            && refusal.is_everybodys()
        {
            self.stop_at_limit(&refusal);
            self.summary.waiting = self.waiting(&queue, &standing);
            return Ok(None);
        }
        let session = self.begin(&task)?;
        Ok(Some((task, session)))
    }

    /// The queue, which a run that has begun waits for; `None` when it ends without it.
    fn queue(&mut self) -> Result<Option<Queue>, SerialError> {
        if !self.has_begun {
            return Ok(Some(self.project.queue.load()?));
        }
        // There is no session to record it in.
        let away = match self.wait(|| self.reason_to_stop().is_some(), |_| {})? {
            Ok(queue) => return Ok(Some(queue)),
            Err(away) => away,
        };
        let reason = match self.reason_to_stop() {
            _ if self.project.cancel.is_cancelled() => StopReason::Interrupted,
            Some(reason) => reason,
            None => {
                self.summary.queue_away = Some(away);
                StopReason::QueueAway
            }
        };
        self.stop(reason);
        Ok(None)
    }

    /// The queue on the branch of the run, which both may be away for a while.
    fn wait(
        &self,
        is_over: impl Fn() -> bool,
        record: impl Fn(Option<&Wait>),
    ) -> Result<Result<Queue, Away>, GitError> {
        let look = || away::look_on_branch(self.project, &self.branch);
        away::wait(self.project, look, is_over, record)
    }

    /// Waits with a task in hand for the branch that it is to end on; how it ends without.
    fn without_branch(&self) -> Result<Option<Ended>, SerialError> {
        let record = |wait: Option<&Wait>| {
            // What cannot be recorded of the wait is only not shown.
            drop(self.record(|session| Wait::keep(&mut session.extra, wait)));
        };
        let Err(away) = self.wait(|| self.layout.stop_file().exists(), record)? else {
            return Ok(None);
        };
        let was_stopped = self.project.cancel.is_cancelled();
        Ok(Some(if was_stopped { Ended::Stopped } else { Ended::Away(away) }))
    }

    /// What is not for this run: what parallel runs landed, keep or still work on, what is
    /// claimed, what has landed on the branch, and what it has had already.
    fn standing(&self, queue: &Queue) -> Result<Standing, SerialError> {
        let state = self.project.store().load()?.map(|loaded| loaded.value).unwrap_or_default();
        let living = living::open_tasks(&self.layout, queue).map_err(RunError::Living)?;
        let mut standing = select::standing(&state, queue, &living);
        standing.heed(self.project.leases(queue)?);
        standing.heed_landed(self.landings.borrow_mut().among(queue)?);
        standing.exclude.extend(self.attempted.iter().map(|id| (id.clone(), Reason::Underway)));
        Ok(standing)
    }

    /// Tasks that are open, that this run has not had, and that have not landed.
    fn waiting(&self, queue: &Queue, standing: &Standing) -> usize {
        let is_left = |task: &&Task| {
            !task.status.is_terminal()
                && !self.attempted.contains(&task.id)
                && !standing.done.contains(&task.id)
        };
        queue.tasks().filter(is_left).count()
    }

    /// Ends the run beside what the last task left, unless something else ended it.
    fn stop_beside_work(&mut self) -> Result<(), SerialError> {
        if self.summary.stopped.is_some() {
            return Ok(());
        }
        let Ok(queue) = self.project.queue.load() else {
            // What cannot be counted keeps no summary back.
            self.stop(StopReason::WorkLeft);
            return Ok(());
        };
        let standing = self.standing(&queue)?;
        let report = queue.runnability(&standing.selection(self.project));
        let startable = select::forecast(&queue, &report, Hands::Workers(usize::MAX), None).starts;
        self.summary.unstarted = startable.len();
        self.stop(StopReason::WorkLeft);
        Ok(())
    }

    fn reason_to_stop(&self) -> Option<StopReason> {
        let finished = u32::try_from(self.attempted.len()).unwrap_or(u32::MAX);
        if self.layout.stop_file().exists() {
            Some(StopReason::Requested)
        } else if self.project.options.max_tasks.is_some_and(|max| finished >= max) {
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
        self.summary.stopped = Some(reason);
        self.project.tell(Event::Stopping(reason));
        if reason == StopReason::Requested {
            // A stop file that cannot be removed is removed by the next run.
            drop(coordinator::clear_stop(&self.layout));
        }
    }

    fn stop_at_limit(&mut self, refusal: &Refusal) {
        self.summary.limit = Some(refusal.to_string());
        self.stop(StopReason::Limit);
    }

    /// Compares the branch with the remote's before the first turn: what cannot be pushed is not
    /// begun, and what is not to be pushed may be done elsewhere already.
    fn ask_remote(&self) -> Result<(), SerialError> {
        let Project { repo, config, .. } = self.project;
        if config.agent.git_publish_mode == GitPublishMode::CommitAndPush {
            return Ok(preflight::pushable(self.project, &self.branch)?);
        }
        match preflight::has_what_is_known(repo, &self.branch) {
            Err(behind @ PreflightError::Behind { .. }) => {
                let note = format!("{behind}: what was done there may be done here again");
                self.project.tell(Event::Note(note));
                Ok(())
            }
            known => Ok(known?),
        }
    }

    fn announce(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            let target = self.branch.clone();
            self.project.tell(Event::Started { target, remote: None, workers: 1 });
        }
    }

    /// Records that `task` is under way, then marks it so in the queue.
    fn begin(&mut self, task: &Task) -> Result<SessionFile, SerialError> {
        let tree = self.project.repo.work_tree_hash(&self.left_out())?;
        if self.left_by_us.as_ref() != Some(&tree) {
            preflight::clean(self.project)?;
        }
        if !self.has_begun {
            self.ask_remote()?;
        }
        if self.began.is_none() {
            self.began = Some(settings::tree(&self.project.repo)?);
        }
        let now = self.project.now();
        let claim = format!("{:x}-{:x}", now.as_unix_nanos(), ralph_process::own_pid());
        let mut session = SessionFile::new(claim.clone(), task.id.as_str(), now);
        self.project.runner_for(task)?.name().clone_into(&mut session.runner);
        session.model = self.project.config.agent.model.clone().unwrap_or_default();
        session.git_head_commit = self.project.repo.head()?.commit().map(Sha::to_string);
        session.attempt = Some(1);
        session.attempt_id = Some(claim);
        session.step = Some(SessionStep::Working);
        session.base_tree = Some(tree.to_string());
        session.extra.set(BRANCH, self.branch.as_str());
        if let Some(began) = &self.began {
            session.extra.set(BEGAN, began.as_str());
        }
        let new = session.clone();
        self.record(|session| *session = new)?;
        self.announce();
        self.project.tell(Event::Claimed { task: task.id.to_string(), title: task.title.clone() });
        self.project.faults.point("serial", "claimed", "");
        if task.status != Status::Doing {
            self.project.queue.edit_again(&*self.project.clock, |edit| {
                edit.start(task.id.as_str(), Restart::Keep)
            })?;
        }
        Ok(session)
    }

    /// Brings one task from where its session says it is to its end.
    fn one(&mut self, session: &SessionFile, tally: &mut Tally) -> Result<Ended, SerialError> {
        let claim = session.attempt_id.clone().unwrap_or_default();
        if self.committed_before(session, &claim)? {
            return self.publish(&claim, tally);
        }
        // What the session says is committed may have been taken back since.
        let has_work = matches!(
            session.step,
            Some(
                SessionStep::Gating
                    | SessionStep::Fixing
                    | SessionStep::Finishing
                    | SessionStep::Committed
            )
        );
        if !has_work {
            if let Some(ended) = self.agent(session, &claim, tally)? {
                return Ok(ended);
            }
            // However long the branch is away, the agent has had its turn.
            self.record(|session| {
                reach(session, SessionStep::Gating);
                keep(session, REASON, tally.reason.as_ref());
            })?;
        }
        if let Some(ended) = self.without_branch()? {
            return Ok(ended);
        }
        if let Some(ended) = self.nothing_made(session, tally)? {
            return Ok(ended);
        }
        if let Some(ended) = self.gate(&claim, tally)? {
            return Ok(ended);
        }
        if let Some(ended) = self.without_branch()? {
            return Ok(ended);
        }
        if let Some(ended) = self.nothing_made(session, tally)? {
            return Ok(ended);
        }
        if let Some(ended) = self.own_settings(session)? {
            return Ok(ended);
        }
        if let Some(ended) = self.rewound(session, tally)? {
            return Ok(ended);
        }
        self.record(|session| reach(session, SessionStep::Finishing))?;
        self.project.faults.point("serial", "finishing", "");
        self.finish_in_queue(tally)?;
        self.project.faults.point("serial", "finished", "");
        self.publish(&claim, tally)
    }

    /// The agent's turns. `None`: there is work to gate.
    fn agent(
        &self,
        session: &SessionFile,
        claim: &str,
        tally: &mut Tally,
    ) -> Result<Option<Ended>, SerialError> {
        let mut plan = None;
        let runner = self.project.runner_for(&tally.task)?;
        let own = session.runner_session_id.clone().filter(|_| session.runner == runner.name());
        let mut resume = own.map(|id| AgentSession { id, used: kept(session, AGENT_USED) });
        for &phase in worker::phases(self.project.phases_for(&tally.task)) {
            let mut earlier: Option<String> = None;
            let mut waits = 0;
            loop {
                if let Some(ended) = self.without_branch()? {
                    return Ok(Some(ended));
                }
                let mut place = self.place(claim, tally, phase);
                place.resume = resume.take();
                let report = self.turn(&place, SessionStep::Working, tally, |brief| {
                    let mut text = prompt::work(brief, phase, plan.as_deref());
                    if let Some(reason) = &earlier {
                        prompt::after_failure(&mut text, reason);
                    }
                    text
                })?;
                if turn::lost_its_session(&report, &place) {
                    let task = &tally.task.id;
                    self.project.tell(Event::Note(format!("{task}: {}", report.outcome)));
                    continue;
                }
                let repo = &self.project.repo;
                let reason = match turn::failure_in(repo, &report.outcome, &self.project.cancel)? {
                    None => {
                        if phase == Phase::Plan {
                            plan = report.final_text;
                        }
                        tally.reason =
                            turn::stated_reason(self.project, &place).or(tally.reason.take());
                        break;
                    }
                    Some(Failure::Interrupted) => return Ok(Some(Ended::Stopped)),
                    Some(Failure::Final(reason)) => return Ok(Some(Ended::Failed(reason))),
                    Some(Failure::Machine(reason)) => return Ok(Some(Ended::Held(reason))),
                    Some(Failure::Limit(reason)) => return Ok(Some(Ended::TaskLimit(reason))),
                    Some(Failure::Provider(reason)) if waits < turn::PROVIDER_WAITS => {
                        waits += 1;
                        self.project.tell(Event::Note(format!("{}: {reason}", tally.task.id)));
                        resume = turn::session(&report, &place);
                        earlier = Some(reason);
                        continue;
                    }
                    Some(Failure::Provider(reason) | Failure::Again(reason)) => reason,
                };
                if tally.attempt >= self.project.max_attempts() {
                    let reason = format!("{reason} ({} attempts)", tally.attempt);
                    return Ok(Some(Ended::Failed(reason)));
                }
                let pause = self.project.backoff(tally.attempt, self.project.seed());
                tally.attempt += 1;
                let attempt = tally.attempt;
                self.record(|session| session.attempt = Some(attempt))?;
                self.project.tell(Event::Note(format!("{}: {reason}", tally.task.id)));
                if self.project.cancel.wait_timeout(pause) {
                    return Ok(Some(Ended::Stopped));
                }
                resume = turn::session(&report, &place);
                earlier = Some(reason);
            }
        }
        Ok(None)
    }

    /// Ends a task of which nothing is in the checkout, and no reason says why. A reason counts
    /// for no change alone.
    fn nothing_made(
        &self,
        session: &SessionFile,
        tally: &mut Tally,
    ) -> Result<Option<Ended>, SerialError> {
        let tree = self.project.repo.work_tree_hash(&self.left_out())?;
        if session.base_tree.as_deref() != Some(tree.as_str()) {
            tally.reason = None;
        } else if tally.reason.is_none() {
            let reason = "the agent ended without a change and without a reason for none";
            return Ok(Some(Ended::Failed(reason.to_owned())));
        }
        Ok(None)
    }

    /// The gate, with the agent's turns to mend what it finds. `None`: green,
    /// now or before the run was cut short.
    fn gate(&self, claim: &str, tally: &mut Tally) -> Result<Option<Ended>, SerialError> {
        let gate = &self.project.config.agent.ci_gate;
        if !gate.enabled {
            return Ok(None);
        }
        let budget = self.project.config.agent.gate_fix_turns;
        let mut unstable = 0;
        loop {
            if let Some(ended) = self.without_branch()? {
                return Ok(Some(ended));
            }
            let fixes = self.fixes();
            let before = self.project.repo.work_tree_hash(&self.left_out())?;
            let green = gate::verdict_key(before.as_str(), gate);
            if self.session.borrow().extra.get(GREEN).and_then(|key| key.as_str()) == Some(&green) {
                return Ok(None);
            }
            tally.gates += 1;
            let gates = tally.gates;
            let found = unseen::read(self.project.repo.root(), &self.project.queue)?;
            self.record(|session| {
                reach(session, SessionStep::Gating);
                session.gate_runs = Some(gates);
                keep(session, unseen::FOUND, Some(&found));
            })?;
            self.tell_step(tally, WorkerStep::Gating);
            self.project.faults.point("serial", "gating", "");
            let env = turn::task_environment(&tally.task, tally.attempt);
            let marker = worker::marker(tally.task.id.as_str(), claim);
            let root = self.project.repo.root();
            let verdict = gate::run(gate, root, &env, &marker, &self.project.cancel);
            self.note_settings(tally, &found)?;
            self.record(|session| drop(session.extra.remove(unseen::FOUND)))?;
            let failure = match verdict? {
                Verdict::Green { .. } => {
                    // What a gate changes (a formatter) has to pass it too.
                    if self.project.repo.work_tree_hash(&self.left_out())? == before {
                        // The turn before may have mended the rest.
                        if let Some(reason) = turn::left_conflict(&self.project.repo)? {
                            return Ok(Some(Ended::Blocked(reason)));
                        }
                        self.record(|session| {
                            session.extra.set(GREEN, green);
                        })?;
                        return Ok(None);
                    }
                    unstable += 1;
                    if unstable < UNSTABLE_GATES {
                        continue;
                    }
                    let command = gate::command_line(gate);
                    let reason = format!("the gate `{command}` changes the files each time");
                    return Ok(Some(Ended::Blocked(reason)));
                }
                Verdict::Cancelled => return Ok(Some(Ended::Stopped)),
                Verdict::Red(failure) => failure,
            };
            if fixes >= budget {
                let reason = self.project.red_gate(&tally.task.id, &failure);
                return Ok(Some(Ended::Blocked(reason)));
            }
            self.record(|session| {
                session.extra.set(FIXES, u64::from(fixes) + 1);
            })?;
            if let Some(ended) = self.without_branch()? {
                return Ok(Some(ended));
            }
            let place = self.place(claim, tally, Phase::Fix);
            let report = self
                .turn(&place, SessionStep::Fixing, tally, |brief| prompt::fix(brief, &failure))?;
            match turn::failure(&report.outcome, &self.project.cancel) {
                Some(Failure::Interrupted) => return Ok(Some(Ended::Stopped)),
                Some(Failure::Final(reason)) => return Ok(Some(Ended::Failed(reason))),
                Some(Failure::Machine(reason)) => return Ok(Some(Ended::Held(reason))),
                Some(Failure::Limit(reason)) => return Ok(Some(Ended::TaskLimit(reason))),
                Some(Failure::Provider(reason)) => {
                    self.project.tell(Event::Note(format!("{}: {reason}", tally.task.id)));
                    // The turn that was counted did nothing.
                    self.record(|session| {
                        session.extra.set(FIXES, u64::from(fixes));
                    })?;
                }
                Some(Failure::Again(_)) | None => {}
            }
        }
    }

    fn tell_step(&self, tally: &Tally, step: WorkerStep) {
        let (task, attempt) = (tally.task.id.to_string(), tally.attempt);
        self.project.tell(Event::Step { task, step, attempt });
    }

    /// Turns on a red gate so far, also in earlier runs.
    fn fixes(&self) -> u32 {
        let session = self.session.borrow();
        let fixes = session.extra.get(FIXES).and_then(ralph_state::json::Json::as_u64).unwrap_or(0);
        u32::try_from(fixes).unwrap_or(u32::MAX)
    }

    fn turn(
        &self,
        place: &TurnPlace,
        step: SessionStep,
        tally: &mut Tally,
        prompt: impl FnOnce(&prompt::Brief<'_>) -> String,
    ) -> Result<ralph_agent::TurnReport, SerialError> {
        let runner = self.project.runner_for(&tally.task)?;
        let account = self.project.account(&runner, &tally.task);
        let model = self.project.model_for(&tally.task).0;
        let blind = self.project.blind(&runner, model.as_deref());
        let reserved = self.leave(&self.asked(&account, blind), tally)?;
        tally.turns += 1;
        let turns = tally.turns;
        self.tell_step(
            tally,
            if step == SessionStep::Fixing { WorkerStep::Fixing } else { WorkerStep::Working },
        );
        let found = unseen::read(self.project.repo.root(), &self.project.queue)?;
        self.record(|session| {
            reach(session, step);
            // The session of another agent that had the task in an earlier run is not this one's.
            if session.runner != runner.name() {
                runner.name().clone_into(&mut session.runner);
                session.runner_session_id = None;
                session.extra.remove(AGENT_USED);
            }
            session.agent_turns = Some(turns);
            keep(session, unseen::FOUND, Some(&found));
            keep(session, RESERVED, Some(reserved));
        })?;
        let mut was_started = false;
        let mut progress = |progress: Progress<'_>| {
            // The agent may be removing what git ignores at this moment: what cannot be written now
            // is written with what follows the turn.
            let _later = match progress {
                Progress::Spawned(agent) => {
                    was_started = true;
                    let agent = agent.clone();
                    self.record(|session| session.agent = Some(agent))
                }
                Progress::Session(id) => {
                    let id = id.to_owned();
                    self.record(|session| {
                        if session.runner_session_id.as_ref() != Some(&id) {
                            session.extra.remove(AGENT_USED);
                        }
                        session.runner_session_id = Some(id);
                    })
                }
                _ => Ok(()),
            };
            self.project.faults.point("serial", "working", "");
        };
        let report = turn::take(self.project, &runner, &tally.task, place, prompt, &mut progress);
        self.project.faults.point("serial", "turned", "");
        self.note_settings(tally, &found)?;
        if report.is_err() && !was_started {
            // A turn that no agent took is none.
            tally.turns -= 1;
        }
        match &report {
            Ok(report) => {
                let mut spending = self.spending.borrow_mut();
                let asked = self.asked(&account, blind);
                let used = allowance::settle(&asked, &mut spending, reserved, report);
                tally.spent = tally.spent.plus(used);
            }
            // The run ends with it; what it used nobody knows.
            Err(_) if was_started => tally.spent = tally.spent.plus(reserved.unknown()),
            Err(_) => {}
        }
        let (turns, spent) = (tally.turns, tally.spent);
        let used = report.as_ref().ok().and_then(|report| turn::session(report, place)?.used);
        let pauses = self.spending.borrow().pauses.clone();
        self.record(|session| {
            session.agent = None;
            session.extra.remove(unseen::FOUND);
            session.extra.remove(RESERVED);
            session.agent_turns = Some(turns);
            session.spent = Some(spent).filter(|spent| *spent != Amount::default());
            keep(session, PAUSES, Some(pauses).filter(|pauses| !pauses.is_empty()));
            if used.is_some() {
                keep(session, AGENT_USED, used);
            }
            if let Ok(report) = &report
                && (report.session_id.is_some() || turn::lost_its_session(report, place))
            {
                session.runner_session_id.clone_from(&report.session_id);
            }
        })?;
        Ok(report?)
    }

    fn asked<'a>(&'a self, account: &'a str, blind: Option<Counter>) -> Asked<'a> {
        let limits = &self.project.config.agent.limits;
        Asked { limits, account, blind, now: self.project.now() }
    }

    /// Waits until the agent may have another turn; returns what is set aside for it.
    fn leave(&self, asked: &Asked<'_>, tally: &Tally) -> Result<Amount, SerialError> {
        let mut told = None;
        loop {
            let spending = self.spending.borrow();
            let none = Amount::default();
            let asked = Asked { now: self.project.now(), ..*asked };
            match allowance::ask(&asked, &spending, tally.spent, none) {
                Answer::Go(amount) => return Ok(amount),
                Answer::No(refusal) => return Err(refusal.into()),
                Answer::Wait(waiting) if told != Some(waiting) => {
                    self.project.tell(Event::Note(format!("{}: {waiting}", tally.task.id)));
                    told = Some(waiting);
                }
                Answer::Wait(_) => {}
            }
            if self.project.cancel.wait_timeout(allowance::LOOK) {
                return Err(Refusal::Stopped.into());
            }
        }
    }

    fn place(&self, claim: &str, tally: &Tally, phase: Phase) -> TurnPlace {
        TurnPlace {
            dir: self.project.repo.root().to_owned(),
            files: self.layout.turn(&tally.task.id, claim, tally.turns + 1),
            marker: worker::marker(tally.task.id.as_str(), claim),
            attempt: tally.attempt,
            phase,
            resume: None,
        }
    }

    fn record(&self, change: impl FnOnce(&mut SessionFile)) -> Result<(), SerialError> {
        let now = self.project.now().to_string();
        let mut session = self.session.borrow_mut();
        change(&mut session);
        session.last_updated_at = now;
        self.sessions.update(|file: &mut SessionFile| {
            file.clone_from(&session);
            Ok::<(), std::convert::Infallible>(())
        })?;
        Ok(())
    }

    /// Paths that say nothing about whether an agent changed anything.
    fn left_out(&self) -> Vec<PathBuf> {
        let mut paths = checkout::queue_files(self.project);
        paths.push(PathBuf::from(".ralph"));
        paths
    }
}

/// Keeps a value in a field of the session file, as the text of its JSON.
fn keep(session: &mut SessionFile, field: &str, value: Option<impl Serialize>) {
    match value.and_then(|value| serde_json::to_string(&value).ok()) {
        Some(text) => drop(session.extra.set(field, text)),
        None => drop(session.extra.remove(field)),
    }
}

/// What was kept so; `None` for what cannot be read, too.
pub(crate) fn kept<T: DeserializeOwned>(session: &SessionFile, field: &str) -> Option<T> {
    serde_json::from_str(session.extra.get(field)?.as_str()?).ok()
}

/// Records how far the task is. Once it is finishing there is no way back: the
/// queue may have it as done by then, which no earlier step accounts for.
fn reach(session: &mut SessionFile, step: SessionStep) {
    let is_finishing = session.step == Some(SessionStep::Finishing);
    if !is_finishing || step == SessionStep::Committed {
        session.step = Some(step);
    }
}

/// The task with that id, if it may start now.
fn asked_for(queue: &Queue, selection: &Selection<'_>, id: &TaskId) -> Result<Task, SerialError> {
    let Some((_, task)) = queue.with_id(id.as_str()) else {
        let now = queue.find(id.as_str()).map(|(_, task)| task.id.clone());
        return Err(SerialError::NoSuchTask { task: id.clone(), now });
    };
    if task.status.is_terminal() {
        return Err(SerialError::Finished { task: id.clone(), status: task.status });
    }
    let report = queue.runnability(selection);
    match report.of(task) {
        // What is `doing` and nobody's is what an earlier run left.
        Some(row)
            if !row.runnable
                && (task.status != Status::Doing || row.reasons.iter().any(Reason::is_taken)) =>
        {
            let reasons = row.reasons.clone();
            Err(SerialError::NotRunnable { task: id.clone(), reasons })
        }
        _ => Ok(task.clone()),
    }
}

/// Ends what a dead run's agent left running, before anybody works on the task again.
fn end_orphans(session: &SessionFile) -> Result<(), SerialError> {
    let claim = session.attempt_id.clone().unwrap_or_default();
    let marker = worker::marker(&session.task_id, &claim);
    let mut who = ralph_process::marked(&marker);
    who.extend(session.agent.clone().filter(ralph_process::is_alive));
    if who.is_empty() {
        return Ok(());
    }
    let report = ralph_process::end(&who, Some(&marker), std::time::Duration::from_secs(1));
    match report.survivors.first() {
        None => Ok(()),
        Some(left) => Err(SerialError::Survivor { task: session.task_id.clone(), pid: left.pid }),
    }
}
