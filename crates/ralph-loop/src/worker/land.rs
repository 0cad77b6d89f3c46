//! The second half: committed work onto the target branch, one worker at a time.
//!
//! In the lane: fetch; already there? → done; rebase; queue edit in the same
//! commit; gate on exactly that tree; push against the tip that was seen;
//! verify. A raced push starts over. An agent is asked only when a rebase
//! really conflicts or the gate is red, and then outside the lane, so that
//! others land meanwhile.

use std::path::{Path, PathBuf};

use ralph_agent::{Phase, Progress, TurnReport};
use ralph_git::{ConflictFile, FetchError, GitError, Push, Rebase, Sha, Workspace};
use ralph_queue::Task;
use ralph_state::parallel::WorkerEvent;
use ralph_state::{Amount, ParallelStateFile, TaskId, WorkerRecord, WorkerStep};

use super::work::{FOLLOW_UPS, Finished, follow_ups, follow_ups_text, notes};
use super::{Held, Worker, WorkerEnd, WorkerError};
use crate::allowance::{self, Answer, Asked, Refusal};
use crate::away::Wait;
use crate::books::{self, Booked, Books, Entry};
use crate::checkout::{self, Advanced};
use crate::event::Event;
use crate::gate::{self, GateFailure, Verdict};
use crate::landing::{self, ATTEMPT_TRAILER, TASK_TRAILER};
use crate::own::{self, LANDED_AS, LANDS_AS};
use crate::project::Project;
use crate::prompt::{self, Brief, ConflictBrief};
use crate::turn::{self, Failure, TurnPlace};
use crate::{away, lane, target};

/// What one pass through the lane came to.
enum Pass {
    /// The target holds the work (`None`: nothing had to be committed).
    Landed(Option<Sha>),
    /// Someone else's commit finished the task.
    Superseded(String),
    /// The rebase met a real conflict; the workspace holds the markers.
    Conflict { onto: Sha, files: Vec<ConflictFile> },
    /// The gate was red on the tree that would have landed.
    Red { onto: Sha, landing: Sha, failure: GateFailure },
    /// The gate is red on the target as it is, without this work.
    TargetRed { tip: Sha, failure: GateFailure },
    /// The target moved under us.
    Raced,
    /// A passing fault of the network or the server.
    Transient(String),
    /// The push had an answer that is not understood.
    Unclear(String),
    /// The remote cannot be reached, or does not let us in: no other task would land either.
    OutOfReach(String),
    /// The target does not take it.
    Refused(String),
    /// The queue in the checkout cannot be read.
    NoQueue,
    /// The run was stopped.
    Stopped,
}

/// What the gate says of a tree, now or before.
enum Judged {
    Green,
    Red(GateFailure),
    Stopped,
}

/// The fields of a record that waits for a red target: which tree, and how the gate ended on it.
const RED: &str = "red_target";
const RED_EXIT: &str = "red_target_exit";

/// How the gate ended on a target that another task of this run waits for.
fn known_red(state: &ParallelStateFile, key: &str) -> Option<String> {
    let waits = |record: &&WorkerRecord| {
        Held::of(record) == Some(Held::TargetRed)
            && record.extra.get(RED).and_then(|red| red.as_str()) == Some(key)
    };
    let record = state.workers.iter().find(waits)?;
    record.extra.get(RED_EXIT)?.as_str().map(str::to_owned)
}

impl Worker<'_> {
    /// Lands the committed work of the record, however far it got before.
    pub(super) fn land(&self, workspace: Workspace) -> Result<WorkerEnd, WorkerError> {
        let mut ticket = self.claim.take_ticket()?;
        let record = self.claim.read()?;
        if matches!(record.step, Some(WorkerStep::Resolving | WorkerStep::Fixing)) {
            // A turn was cut short here: the agent's edits are nowhere else.
            if let Some(work) = sha(record.work_commit.as_deref()) {
                self.keep_landing_turn(&workspace, &work)?;
            }
        }
        loop {
            // The branch of the workspace has the work while it waits, so that it is found there
            // though the state file is lost.
            if let Some(work) = sha(self.claim.read()?.work_commit.as_deref()) {
                workspace.reset_clean(&work)?;
            }
            self.step(&WorkerStep::Waiting, |_| {})?;
            let entered = lane::enter(
                &self.layout,
                &self.claim,
                ticket,
                &self.project.holder,
                &self.project.cancel,
            )?;
            let Some(lane) = entered else { return self.stopped() };
            let mut pass = self.pass(&workspace)?;
            while let Pass::Raced | Pass::Transient(_) | Pass::Unclear(_) = pass {
                pass = match self.before_retry(&pass)? {
                    None => self.pass(&workspace)?,
                    Some(last) => last,
                };
            }
            match pass {
                Pass::Landed(commit) => return self.landed(workspace, commit.as_ref()),
                Pass::Superseded(by) => return self.superseded(&workspace, &by),
                Pass::Refused(reason) => return self.block(workspace, &reason),
                Pass::OutOfReach(reason) => return self.held(Held::Machine, &reason),
                Pass::Stopped => return self.stopped(),
                Pass::TargetRed { tip, failure } => {
                    return self.wait_for_target(&workspace, &tip, &failure);
                }
                Pass::Conflict { onto, files } => {
                    drop(lane);
                    if let Some(end) = self.resolve(&workspace, &onto, &files)? {
                        return Ok(end);
                    }
                }
                Pass::Red { onto, landing, failure } => {
                    drop(lane);
                    if let Some(end) = self.fix(&workspace, &onto, &landing, &failure)? {
                        return Ok(end);
                    }
                }
                Pass::NoQueue => {
                    // Others land meanwhile, those that come later too.
                    self.claim.update(|record| record.ticket = None)?;
                    drop(lane);
                    let look = || Ok(away::load(self.project));
                    let is_over = || self.layout.stop_file().exists();
                    let record = |wait: Option<&Wait>| self.claim.keep_wait(wait);
                    let looked = away::wait(self.project, look, is_over, record)?;
                    looked.map_err(WorkerError::Away)?;
                    ticket = self.claim.take_ticket()?;
                }
                Pass::Raced | Pass::Transient(_) | Pass::Unclear(_) => {}
            }
        }
    }

    /// One pass, in the lane. Records each step before its effect.
    fn pass(&self, workspace: &Workspace) -> Result<Pass, WorkerError> {
        let record = self.claim.read()?;
        if self.project.cancel.is_cancelled() {
            return Ok(Pass::Stopped);
        }
        let fetched = match self.fetch(workspace) {
            Ok(fetched) => fetched.tip,
            Err(FetchError::Git(GitError::Cancelled { .. })) => return Ok(Pass::Stopped),
            // A git that failed for a reason of its own may do better next time.
            Err(error @ (FetchError::Transient { .. } | FetchError::Git(_))) => {
                return Ok(Pass::Transient(super::chain(&error)));
            }
            Err(error) => return Ok(Pass::OutOfReach(super::chain(&error))),
        };
        let base = sha(record.base_commit.as_deref());
        let Some(tip) = fetched.clone().or_else(|| base.clone()) else {
            return Ok(Pass::Refused(format!("the target branch `{}` is gone", self.branch)));
        };
        if let Some(pass) = self.already_there(workspace, &record, &tip)? {
            return Ok(pass);
        }
        let work = sha(record.work_commit.as_deref());
        workspace.reset_clean(work.as_ref().unwrap_or(&tip))?;
        if let (Some(_), Some(base)) = (&work, &base)
            && *base != tip
        {
            match workspace.rebase(&tip, base)? {
                Rebase::Clean { .. } => {}
                Rebase::Conflict { files } => return Ok(Pass::Conflict { onto: tip, files }),
            }
        }
        self.step(&WorkerStep::Rebased, |_| {})?;
        self.enter_and_push(workspace, &record, &tip, fetched.as_ref())
    }

    /// Whether the target already has this work, or someone else's for the task.
    fn already_there(
        &self,
        workspace: &Workspace,
        record: &WorkerRecord,
        tip: &Sha,
    ) -> Result<Option<Pass>, WorkerError> {
        if let Some(landing) = sha(record.landing_commit.as_deref())
            && workspace.resolve(landing.as_str())?.is_some()
            && workspace.is_ancestor(&landing, tip)?
        {
            return Ok(Some(Pass::Landed(Some(landing))));
        }
        let Some(base) = &record.base_commit else { return Ok(None) };
        let range = format!("{base}..{tip}");
        if let Some(commit) = workspace.find_trailer(&range, ATTEMPT_TRAILER, self.claim.id())? {
            return Ok(Some(Pass::Landed(Some(commit))));
        }
        let Some(task) = self.as_target_has_it(workspace, record, tip)? else {
            return Ok(Some(Pass::NoQueue));
        };
        let theirs = workspace.find_trailer(&range, TASK_TRAILER, task.id.as_str())?;
        Ok(theirs.map(|commit| Pass::Superseded(format!("by commit {commit}"))))
    }

    /// The task with the id that it has or gets on the target, which may have given its own to
    /// another task since the work began. `None`: the checkout's queue says more, and cannot be
    /// read.
    fn as_target_has_it(
        &self,
        workspace: &Workspace,
        record: &WorkerRecord,
        tip: &Sha,
    ) -> Result<Option<Task>, WorkerError> {
        if own::remembered(record).is_none() {
            return Ok(Some(self.task.clone()));
        }
        let books = Books::at(workspace, &self.project.config.queue, tip)?;
        // The checkout may have renumbered it by now, and has ids that the target lacks.
        let here = match self.project.queue.load() {
            Ok(queue) => Some(queue),
            // Another branch knows nothing of it, or has no queue at all.
            Err(_) if away::is_elsewhere(self.project, &self.branch)? => None,
            Err(_) => return Ok(None),
        };
        let found = here.as_ref().and_then(|here| own::find(record, here));
        let task = found.unwrap_or(&self.task);
        let mut ids = self.project.book_rules().ids;
        let highest = here.as_ref().map_or(ids.high_water, |here| here.highest_number(&ids));
        // What an earlier look set aside for it is nobody else's.
        let record = self.claim.read()?;
        let kept = record.extra.get(LANDS_AS).and_then(|id| id.as_str());
        let number = kept.and_then(|id| ids.number_of(id));
        ids.high_water = number.map_or(highest, |number| number.saturating_sub(1));
        let own = books::under_own_id(workspace, &books, tip, task, &ids)?;
        if own.id == task.id
            || Some(own.id.as_str()) == kept
            || books::task_at(workspace, &books, tip, &own.id)?.is_some()
        {
            return Ok(Some(own));
        }
        // The target does not have that number yet; somebody in the checkout may.
        let free = ids.number_of(own.id.as_str()).unwrap_or(0);
        let mut given = [task.clone()];
        self.project.queue.reserve(&mut given, highest.max(free.saturating_sub(1)), |_, _| true)?;
        let [Task { id: given, .. }] = given;
        ids.high_water =
            ids.number_of(given.as_str()).map_or(highest, |number| number.saturating_sub(1));
        self.claim.update(|record| {
            record.extra.set(LANDS_AS, given.as_str());
        })?;
        Ok(Some(books::under_own_id(workspace, &books, tip, task, &ids)?))
    }

    /// The tasks that the agent added, under ids that the target does not have.
    fn follow_ups(
        &self,
        workspace: &Workspace,
        record: &WorkerRecord,
        tip: &Sha,
    ) -> Result<Vec<Task>, WorkerError> {
        let mut tasks = follow_ups(record);
        let target = books::queue_at(workspace, &self.project.config.queue, tip)?;
        let (Some(target), false) = (target, tasks.is_empty()) else { return Ok(tasks) };
        let is_taken =
            |id: &TaskId| target.tasks().chain(target.done_tasks()).any(|task| task.id == *id);
        if tasks.iter().any(|task| is_taken(&task.id)) {
            let ids = &self.project.queue.rules.ids;
            let known = self.project.highest_number().max(target.highest_number(ids));
            self.project.queue.reserve(&mut tasks, known, |id, _| is_taken(id))?;
            let text = follow_ups_text(&tasks);
            self.claim.update(|record| {
                record.extra.set(FOLLOW_UPS, text);
            })?;
        }
        Ok(tasks)
    }

    fn enter_and_push(
        &self,
        workspace: &Workspace,
        record: &WorkerRecord,
        tip: &Sha,
        fetched: Option<&Sha>,
    ) -> Result<Pass, WorkerError> {
        let books = Books::at(workspace, &self.project.config.queue, tip)?;
        let follow_ups = self.follow_ups(workspace, record, tip)?;
        let mut notes = notes(record);
        let Some(task) = self.as_target_has_it(workspace, record, tip)? else {
            return Ok(Pass::NoQueue);
        };
        if let Some(own) = notes.remove(&self.task.id) {
            notes.insert(task.id.clone(), own);
        }
        let entry = Entry {
            task: &task,
            follow_ups: &follow_ups,
            notes: &notes,
            now: self.project.now(),
            note: record.no_change.as_deref(),
        };
        let rules = self.project.book_rules();
        if books::enter(workspace, &books, tip, &rules, &entry)? == Booked::AlreadyFinished {
            return Ok(Pass::Superseded("in the target's queue".to_owned()));
        }
        let message = match &record.work_commit {
            Some(work) => workspace.message_of(work)?,
            None => landing::message(&self.task, self.claim.id(), &[]),
        };
        let message = landing::renumbered(&message, &self.task.id, &task.id);
        let left_out = crate::layout::runtime_paths(workspace.root());
        let landing = workspace.commit_work(&left_out, &message, tip)?;
        let tree = workspace.tree_of(landing.as_str())?;
        if tree == workspace.tree_of(tip.as_str())? {
            return self.nothing_to_land(workspace, record, tip);
        }
        if let Some(pass) = self.gate(workspace, tip, &landing)? {
            return Ok(pass);
        }
        self.step(&WorkerStep::PushIntended, |record| {
            record.target_before = Some(tip.to_string());
            record.landing_commit = Some(landing.to_string());
            record.extra.remove(LANDED_AS);
            if task.id != self.task.id {
                record.extra.set(LANDED_AS, task.id.as_str());
            }
        })?;
        self.push(workspace, &landing, tip, fetched)
    }

    /// The target holds all of the work already. That is an end only with a
    /// reason, and on a tree that is green: nobody else may have asked the gate.
    fn nothing_to_land(
        &self,
        workspace: &Workspace,
        record: &WorkerRecord,
        tip: &Sha,
    ) -> Result<Pass, WorkerError> {
        if record.no_change.is_some() {
            return Ok(Pass::Landed(None));
        }
        match self.judge(workspace, tip)? {
            Judged::Green => {}
            Judged::Red(failure) => return Ok(Pass::TargetRed { tip: tip.clone(), failure }),
            Judged::Stopped => return Ok(Pass::Stopped),
        }
        let reason = format!("`{}` has its change already", self.branch);
        self.claim.update(|record| record.no_change = Some(reason))?;
        Ok(Pass::Landed(None))
    }

    /// What the gate says of `commit`, which is asked only if it has not said
    /// that this tree is green, or, in this run, that it is a red target.
    fn judge(&self, workspace: &Workspace, commit: &Sha) -> Result<Judged, WorkerError> {
        let gate = &self.project.config.agent.ci_gate;
        if !gate.enabled {
            return Ok(Judged::Green);
        }
        let key = gate::verdict_key(workspace.tree_of(commit.as_str())?.as_str(), gate);
        let state = self.claim.state().map_err(crate::claim::ClaimError::from)?;
        if state.gates.contains_key(&key) {
            return Ok(Judged::Green);
        }
        if let Some(exit) = known_red(&state, &key) {
            let command = gate::command_line(gate);
            return Ok(Judged::Red(GateFailure { command, exit, excerpt: String::new() }));
        }
        workspace.reset_clean(commit)?;
        Ok(match self.run_gate(workspace)? {
            Verdict::Green { .. } => {
                self.claim.remember_green(&key, self.project.now())?;
                Judged::Green
            }
            Verdict::Cancelled => Judged::Stopped,
            Verdict::Red(failure) => Judged::Red(failure),
        })
    }

    /// Runs the gate on `landing` unless that tree was green before.
    fn gate(
        &self,
        workspace: &Workspace,
        onto: &Sha,
        landing: &Sha,
    ) -> Result<Option<Pass>, WorkerError> {
        if !self.project.config.agent.ci_gate.enabled {
            return Ok(None);
        }
        match self.judge(workspace, landing)? {
            Judged::Green => {}
            Judged::Stopped => return Ok(Some(Pass::Stopped)),
            Judged::Red(failure) => {
                return self.blame(workspace, onto, landing, failure).map(Some);
            }
        }
        self.step(&WorkerStep::GateGreen, |_| {})?;
        Ok(None)
    }

    /// Finds out whose fault a red gate is: the agent is not asked to mend a
    /// target that was red before. A tip that landed through the lane is known
    /// to be green; any other is gated once.
    fn blame(
        &self,
        workspace: &Workspace,
        onto: &Sha,
        landing: &Sha,
        failure: GateFailure,
    ) -> Result<Pass, WorkerError> {
        Ok(match self.judge(workspace, onto)? {
            Judged::Green => {
                workspace.reset_clean(landing)?;
                Pass::Red { onto: onto.clone(), landing: landing.clone(), failure }
            }
            Judged::Stopped => Pass::Stopped,
            Judged::Red(failure) => Pass::TargetRed { tip: onto.clone(), failure },
        })
    }

    fn run_gate(&self, workspace: &Workspace) -> Result<Verdict, WorkerError> {
        let record = self.step(&WorkerStep::Gating, |record| add_one(&mut record.gate_runs))?;
        let env = turn::task_environment(&self.task, record.attempt.unwrap_or(1));
        let marker = super::marker(self.task.id.as_str(), self.claim.id());
        let gate = &self.project.config.agent.ci_gate;
        Ok(gate::run(gate, workspace.root(), &env, &marker, &self.project.cancel)?)
    }

    /// Leaves the committed work for the next run, which lands it once the target is green.
    fn wait_for_target(
        &self,
        workspace: &Workspace,
        tip: &Sha,
        failure: &GateFailure,
    ) -> Result<WorkerEnd, WorkerError> {
        // So that no other worker of this run asks the gate about this tree.
        let tree = workspace.tree_of(tip.as_str())?;
        let key = gate::verdict_key(tree.as_str(), &self.project.config.agent.ci_gate);
        self.claim.update(|record| {
            record.extra.set(RED, key);
            record.extra.set(RED_EXIT, failure.exit.as_str());
        })?;
        let told = self.project.red_gate(&self.task.id, failure);
        let reason = format!("`{}` is red itself, without this work: {told}", self.branch);
        self.held(Held::TargetRed, &reason)
    }

    fn push(
        &self,
        workspace: &Workspace,
        landing: &Sha,
        tip: &Sha,
        fetched: Option<&Sha>,
    ) -> Result<Pass, WorkerError> {
        let pushed = if self.remote.is_some() {
            workspace.push(target::REMOTE, landing, &self.branch, fetched)?
        } else {
            target::advance_local(self.project, workspace, &self.branch, landing, tip)?
        };
        match pushed {
            Push::Pushed => {}
            Push::Raced => return Ok(Pass::Raced),
            Push::Refused { reason } => return Ok(Pass::Refused(reason)),
            Push::RemoteGone { reason } => return Ok(Pass::OutOfReach(reason)),
            Push::Transient { reason } => return Ok(Pass::Transient(reason)),
            // It may have arrived: the next pass looks first.
            Push::Unknown { reason } => return Ok(Pass::Unclear(reason)),
        }
        let tip = match self.fetch(workspace) {
            Ok(fetched) => fetched.tip,
            Err(error) => return Ok(Pass::Transient(super::chain(&error))),
        };
        match tip {
            Some(tip) if workspace.is_ancestor(landing, &tip)? => {
                Ok(Pass::Landed(Some(landing.clone())))
            }
            _ => Ok(Pass::Raced),
        }
    }

    /// Counts a push that did not go through and waits before the next; `Some`
    /// when there is none.
    fn before_retry(&self, pass: &Pass) -> Result<Option<Pass>, WorkerError> {
        let reason = match pass {
            Pass::Transient(reason) | Pass::Unclear(reason) => reason.as_str(),
            _ => "the target moved before the push arrived",
        };
        let record = self.step(&WorkerStep::Waiting, |record| {
            record.increment_push_attempt();
            record.last_error = Some(reason.to_owned());
        })?;
        let limit = self.project.config.parallel.max_push_attempts;
        if record.push_attempts >= limit {
            let reason = format!("{reason} ({limit} pushes)");
            return Ok(Some(match pass {
                Pass::Transient(_) => Pass::OutOfReach(reason),
                _ => Pass::Refused(reason),
            }));
        }
        if !matches!(pass, Pass::Raced) {
            let pause = self.project.push_pause(record.push_attempts);
            if self.project.cancel.wait_timeout(pause) {
                return Ok(Some(Pass::Stopped));
            }
        }
        Ok(None)
    }

    /// Blocks the task, unless the target has the work all the same: an answer
    /// that got lost is no refusal.
    fn block(&self, workspace: Workspace, reason: &str) -> Result<WorkerEnd, WorkerError> {
        let record = self.claim.read()?;
        if let Ok(fetched) = self.fetch(&workspace)
            && let Some(tip) = fetched.tip
        {
            match self.already_there(&workspace, &record, &tip)? {
                Some(Pass::Landed(commit)) => return self.landed(workspace, commit.as_ref()),
                Some(Pass::Superseded(by)) => return self.superseded(&workspace, &by),
                _ => {}
            }
        }
        self.blocked(&workspace, reason)
    }

    /// An agent's turn on a conflict, outside the lane. `Some` ends the worker.
    fn resolve(
        &self,
        workspace: &Workspace,
        onto: &Sha,
        files: &[ConflictFile],
    ) -> Result<Option<WorkerEnd>, WorkerError> {
        let names: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
        let record = self.claim.read()?;
        let budget = self.project.config.agent.conflict_turns;
        if record.conflicts.unwrap_or(0) >= budget {
            let reason = format!("conflict with `{}` in {}", self.branch, names.join(", "));
            workspace.abort_rebase()?;
            return self.blocked(workspace, &reason).map(Some);
        }
        let record = self.step(&WorkerStep::Resolving, |record| add_one(&mut record.conflicts))?;
        let place = self.place(&record, workspace, Phase::Resolve);
        let unmarked = unmarked(workspace, files, &place)?;
        let base = sha(record.base_commit.as_deref());
        let conflict = ConflictBrief {
            target: self.branch.clone(),
            files: names,
            unmarked: unmarked.iter().map(|file| file.brief.clone()).collect(),
            theirs: match base {
                Some(base) => subjects(workspace, &base, onto)?,
                None => Vec::new(),
            },
        };
        self.show_queue(workspace, onto)?;
        let runtime = crate::layout::runtime_paths(workspace.root());
        let before = workspace.work_tree_hash(&runtime)?;
        let report =
            self.turn(&place, &WorkerStep::Resolving, |brief| prompt::resolve(brief, &conflict))?;
        match turn::failure(&report.outcome, &self.project.cancel) {
            None => {
                if let Some(work) = self.resolved(workspace, onto, files, &unmarked, &place)? {
                    // What the agent had before it saw the conflict is kept too.
                    self.rescue_work(workspace)?;
                    self.recommit(work, onto)?;
                    workspace.abort_rebase()?;
                    return Ok(None);
                }
                self.project
                    .tell(Event::Note(format!("{}: the conflict is not resolved", self.task.id)));
            }
            Some(Failure::Interrupted) => return self.stopped().map(Some),
            Some(other) => {
                if let Some(end) = self.after_turn(workspace, &other)? {
                    return Ok(Some(end));
                }
            }
        }
        // The next turn starts from the markers again; edits of this one are kept.
        let is_edited = workspace.work_tree_hash(&runtime)? != before;
        if let (true, Some(work)) = (is_edited, sha(record.work_commit.as_deref())) {
            self.keep_landing_turn(workspace, &work)?;
        }
        workspace.abort_rebase()?;
        Ok(None)
    }

    /// The resolution as a commit on `onto`; `None` when it is none: a marker is
    /// left, a file without markers was not touched, or the task's whole change
    /// is gone, and no reason was stated.
    fn resolved(
        &self,
        workspace: &Workspace,
        onto: &Sha,
        files: &[ConflictFile],
        unmarked: &[Unmarked],
        place: &TurnPlace,
    ) -> Result<Option<Remade>, WorkerError> {
        let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
        // An agent that went elsewhere (`git rebase --abort`, a checkout) has
        // files that would undo what landed meanwhile.
        if !stands_on(workspace, onto)?
            || !ralph_git::conflict_markers(workspace.root(), &paths)?.is_empty()
        {
            return Ok(None);
        }
        let reason = turn::stated_reason(self.project, place);
        let untouched =
            unmarked.iter().any(|file| content(&workspace.root().join(&file.path)) == file.before);
        if untouched && reason.is_none() {
            return Ok(None);
        }
        let work = self.commit_work(workspace, onto, onto)?;
        remade(workspace, work, onto, reason)
    }

    /// What follows from a turn on a conflict or a red gate that did not succeed;
    /// `None`: another may.
    fn after_turn(
        &self,
        workspace: &Workspace,
        failure: &Failure,
    ) -> Result<Option<WorkerEnd>, WorkerError> {
        match failure {
            Failure::Interrupted => self.stopped().map(Some),
            Failure::Machine(reason) => self.held(Held::Machine, reason).map(Some),
            Failure::Final(reason) | Failure::Limit(reason) => {
                self.blocked(workspace, reason).map(Some)
            }
            Failure::Provider(reason) => {
                self.project.tell(Event::Note(format!("{}: {reason}", self.task.id)));
                self.claim.update(super::forget_turn)?;
                Ok(None)
            }
            Failure::Again(reason) => {
                self.project.tell(Event::Note(format!("{}: {reason}", self.task.id)));
                Ok(None)
            }
        }
    }

    /// An agent's turn on a red gate, outside the lane. `Some` ends the worker.
    fn fix(
        &self,
        workspace: &Workspace,
        onto: &Sha,
        landing: &Sha,
        failure: &GateFailure,
    ) -> Result<Option<WorkerEnd>, WorkerError> {
        let record = self.claim.update(|record| add_one(&mut record.red_gates))?;
        let budget = self.project.config.agent.gate_fix_turns;
        if record.red_gates.unwrap_or(0) > budget {
            let reason = self.project.red_gate(&self.task.id, failure);
            return self.blocked(workspace, &reason).map(Some);
        }
        let record = self.step(&WorkerStep::Fixing, |_| {})?;
        let place = self.place(&record, workspace, Phase::Fix);
        let report = self.turn(&place, &WorkerStep::Fixing, |brief| prompt::fix(brief, failure))?;
        let mut failure = turn::failure(&report.outcome, &self.project.cancel);
        if failure == Some(Failure::Interrupted) {
            return self.stopped().map(Some);
        }
        let conflict = turn::left_conflict(workspace)?;
        if conflict.is_none() && stands_on(workspace, landing)? {
            // Also what a failed turn wrote is a step from where the next begins.
            let work = self.commit_work(workspace, onto, landing)?;
            let reason = turn::stated_reason(self.project, &place).or(record.no_change);
            match remade(workspace, work, onto, reason)? {
                Some(work) => self.recommit(work, onto)?,
                None => self.project.tell(Event::Note(format!(
                    "{}: the agent took its whole change back, and gave no reason",
                    self.task.id
                ))),
            }
        } else {
            // The agent moved HEAD away: its files would undo what landed. Or there are markers in
            // them, which the gate may not look for.
            self.keep_landing_turn(workspace, landing)?;
            failure = failure.or(conflict.map(Failure::Again));
        }
        match failure {
            None => Ok(None),
            Some(failure) => self.after_turn(workspace, &failure),
        }
    }

    /// One turn of the agent, recorded before it starts and as it runs.
    pub(super) fn turn(
        &self,
        place: &TurnPlace,
        step: &WorkerStep,
        prompt: impl FnOnce(&Brief<'_>) -> String,
    ) -> Result<TurnReport, WorkerError> {
        let account = self.project.account(&self.runner, &self.task);
        self.leave(&account)?;
        let mut recorded = Ok(());
        let mut was_started = false;
        let mut progress = |progress: Progress<'_>| {
            let written = match progress {
                Progress::Spawned(agent) => {
                    was_started = true;
                    let agent = agent.clone();
                    self.step(step, |record| record.agent = Some(agent)).map(|_| ())
                }
                Progress::Session(session) => {
                    let session = session.to_owned();
                    let written = self.claim.update(|record| record.session_id = Some(session));
                    written.map(|_| ()).map_err(WorkerError::from)
                }
                _ => Ok(()),
            };
            if recorded.is_ok() {
                recorded = written;
            }
        };
        let report =
            turn::take(self.project, &self.runner, &self.task, place, prompt, &mut progress);
        recorded?;
        if report.is_err() && !was_started {
            // A turn that no agent took is none.
            self.claim.settle(
                |_, _| Amount::default(),
                |record| {
                    record.agent_turns = record.agent_turns.map(|turns| turns.saturating_sub(1));
                },
            )?;
        }
        let report = report?;
        let session = report.session_id.clone();
        let is_lost = turn::lost_its_session(&report, place);
        let asked = self.asked(&account);
        self.claim.settle(
            |spending, reserved| allowance::settle(&asked, spending, reserved, &report),
            |record| {
                record.agent = None;
                if session.is_some() || is_lost {
                    record.session_id = session;
                }
            },
        )?;
        Ok(report)
    }

    fn asked<'a>(&'a self, account: &'a str) -> Asked<'a> {
        let limits = &self.project.config.agent.limits;
        let blind =
            self.project.blind(&self.runner, self.project.model_for(&self.task).0.as_deref());
        Asked { limits, account, blind, now: self.project.now() }
    }

    /// Waits until the agent may have another turn, and records that it has it.
    fn leave(&self, account: &str) -> Result<(), WorkerError> {
        let mut told = None;
        loop {
            let asked = self.asked(account);
            let runner = self.runner.name().to_owned();
            let answer = self.claim.reserve(
                |spending, spent, reserved| allowance::ask(&asked, spending, spent, reserved),
                |record| {
                    add_one(&mut record.agent_turns);
                    record.runner = Some(runner);
                },
            )?;
            let waiting = match answer {
                Answer::Go(_) => return Ok(()),
                Answer::No(refusal) => return Err(WorkerError::Refused(refusal)),
                Answer::Wait(waiting) => waiting,
            };
            if told != Some(waiting) {
                self.project.tell(Event::Note(format!("{}: {waiting}", self.task.id)));
                told = Some(waiting);
            }
            if self.project.cancel.wait_timeout(allowance::LOOK) {
                return Err(WorkerError::Refused(Refusal::Stopped));
            }
        }
    }

    fn recommit(&self, work: Remade, onto: &Sha) -> Result<(), WorkerError> {
        self.step(&WorkerStep::Committed, |record| {
            record.work_commit = Some(work.commit.to_string());
            record.base_commit = Some(onto.to_string());
            record.no_change = work.no_change;
        })?;
        Ok(())
    }

    /// The target holds it: now everything that remembers tasks is told.
    fn landed(&self, workspace: Workspace, commit: Option<&Sha>) -> Result<WorkerEnd, WorkerError> {
        let record = self.step(&WorkerStep::Pushed, |record| {
            record.landed_commit = commit.map(Sha::to_string);
        })?;
        settle(self.project, &self.branch, &self.task, &record);
        let now = self.project.now().to_string();
        self.step(&WorkerStep::Recorded, |record| {
            record.mark_completed(now);
            record.last_error = None;
            record.agent = None;
        })?;
        // What the gate left besides the landed tree is nobody's work.
        if let Some(commit) = commit {
            workspace.reset_clean(commit)?;
        }
        target::discard(self.project, workspace, &self.branch, &record)?;
        Ok(WorkerEnd::Landed)
    }

    fn superseded(&self, workspace: &Workspace, by: &str) -> Result<WorkerEnd, WorkerError> {
        self.rescue_work(workspace)?;
        self.superseded_by(format!("someone else finished it, {by}"), Finished::Elsewhere)
    }

    fn blocked(&self, workspace: &Workspace, reason: &str) -> Result<WorkerEnd, WorkerError> {
        self.rescue_work(workspace)?;
        let now = self.project.now().to_string();
        self.claim.apply(&WorkerEvent::Blocked, |record| {
            record.mark_blocked(now, reason);
            record.agent = None;
        })?;
        Ok(WorkerEnd::Blocked)
    }

    fn rescue_work(&self, workspace: &Workspace) -> Result<(), WorkerError> {
        if let Some(work) = sha(self.claim.read()?.work_commit.as_deref()) {
            self.rescue(workspace, &work)?;
        }
        Ok(())
    }
}

/// The work as a turn on the way to its landing left it.
struct Remade {
    commit: Sha,
    /// Why nothing is left of the change, if nothing is.
    no_change: Option<String>,
}

/// What a turn made of the work, as `commit` on `onto`; `None` when nothing is left of the change
/// and no `reason` says why.
fn remade(
    workspace: &Workspace,
    commit: Sha,
    onto: &Sha,
    reason: Option<String>,
) -> Result<Option<Remade>, WorkerError> {
    let is_empty = workspace.tree_of(commit.as_str())? == workspace.tree_of(onto.as_str())?;
    let no_change = reason.filter(|_| is_empty);
    Ok((!is_empty || no_change.is_some()).then_some(Remade { commit, no_change }))
}

/// A file in conflict that shows no markers: binary, a link, or deleted on one side.
struct Unmarked {
    path: PathBuf,
    /// Its content before the agent's turn.
    before: Option<Vec<u8>>,
    /// How the agent is told of it.
    brief: String,
}

/// The files in conflict without markers, with their versions laid out for the agent.
fn unmarked(
    workspace: &Workspace,
    files: &[ConflictFile],
    place: &TurnPlace,
) -> Result<Vec<Unmarked>, WorkerError> {
    let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    let marked = ralph_git::conflict_markers(workspace.root(), &paths)?;
    let mut unmarked = Vec::new();
    for (index, file) in files.iter().enumerate() {
        if marked.contains(&file.path) {
            continue;
        }
        let dir = place.files.join(format!("conflict-{index}"));
        fs_err::create_dir_all(&dir)?;
        let mut versions = Vec::new();
        for (name, blob) in [("base", &file.base), ("landed", &file.ours), ("yours", &file.theirs)]
        {
            match blob {
                Some(blob) => {
                    let path = dir.join(name);
                    fs_err::write(&path, workspace.blob(blob)?)?;
                    versions.push(format!("{name}: `{}`", path.display()));
                }
                None => versions.push(format!("{name}: no such file")),
            }
        }
        unmarked.push(Unmarked {
            path: file.path.clone(),
            before: content(&workspace.root().join(&file.path)),
            brief: format!("{} ({})", file.path.display(), versions.join(", ")),
        });
    }
    Ok(unmarked)
}

/// Whether the workspace's HEAD is `commit` or comes after it.
pub(super) fn stands_on(workspace: &Workspace, commit: &Sha) -> Result<bool, GitError> {
    match workspace.head()?.commit() {
        Some(head) => workspace.is_ancestor(commit, head),
        None => Ok(false),
    }
}

/// A file's bytes or a link's target; `None` when nothing is there.
fn content(path: &Path) -> Option<Vec<u8>> {
    match fs_err::read_link(path) {
        Ok(target) => Some(target.to_string_lossy().into_owned().into_bytes()),
        Err(_) => fs_err::read(path).ok(),
    }
}

/// Brings the user's checkout and queue up to date after a landing.
///
/// Safe to repeat: a crash before the record says `recorded` repeats it, and so
/// does the next run as long as the queue shows the task as open. What goes
/// wrong is told and no more: the task has landed.
pub(crate) fn settle(project: &Project, branch: &str, task: &Task, record: &WorkerRecord) {
    advance_checkout(project, branch);
    let ended = project.finish_in_checkout(task, record.no_change.as_deref());
    tell_open(project, task, ended);
}

/// Fast-forwards the user's checkout, or tells why not.
pub(crate) fn advance_checkout(project: &Project, branch: &str) {
    let left = match checkout::advance(project, branch) {
        Ok(Advanced::Yes) => None,
        Ok(Advanced::Left(why)) => Some(why.to_string()),
        Err(error) => Some(super::chain(&error)),
    };
    if let Some(why) = left {
        project.tell(Event::Note(format!("your checkout stays as it is: {why}")));
    }
}

/// Tells if a task that landed could not be ended in the queue of the checkout.
pub(crate) fn tell_open(project: &Project, task: &Task, ended: Result<(), WorkerError>) {
    if let Err(error) = ended {
        project.tell(Event::Note(format!(
            "{} landed, but the queue of your checkout does not say so yet: {}",
            task.id,
            super::chain(&error)
        )));
    }
}

/// Subjects of the commits after `base` up to `tip`, newest first.
pub(super) fn subjects(
    workspace: &Workspace,
    base: &Sha,
    tip: &Sha,
) -> Result<Vec<String>, GitError> {
    /// Enough to see what a change meets; not a history.
    const MOST: usize = 50;
    let lines = workspace.log_lines(&format!("{base}..{tip}"), MOST)?;
    Ok(lines.into_iter().map(|line| line.subject).collect())
}

fn sha(text: Option<&str>) -> Option<Sha> {
    text.and_then(|text| text.parse().ok())
}

fn add_one(count: &mut Option<u32>) {
    *count = Some(count.unwrap_or(0).saturating_add(1));
}
