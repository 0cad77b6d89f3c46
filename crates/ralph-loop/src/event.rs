//! What happens in a run, told to whoever shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use ralph_queue::Status;
use ralph_queue::runnability::Reason;
use ralph_state::{Amount, TaskId, WorkerStep};

use crate::away::Away;
use crate::checkout::Behind;
use crate::recover::Action;

/// Something worth telling. The engine prints nothing; its caller renders these.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A run begins.
    Started {
        /// The branch that work lands on.
        target: String,
        /// The remote it is pushed to, if there is one.
        remote: Option<String>,
        /// Workers at a time.
        workers: usize,
    },
    /// The remote has no such branch; the first landing creates it there.
    NewBranch {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
    },
    /// An earlier run left something to deal with.
    Recovering(Action),
    /// The state file was of an older version and is of the present one now.
    Upgraded {
        /// Its version.
        from: u32,
        /// The tasks whose older records were taken over.
        adopted: Vec<String>,
        /// Where its bytes are.
        backup: Option<PathBuf>,
    },
    /// A task was taken.
    Claimed {
        /// Its id.
        task: String,
        /// Its title.
        title: String,
    },
    /// A task reached a step of its life.
    Step {
        /// Its id.
        task: String,
        /// The step.
        step: WorkerStep,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// A task ended in this run.
    Finished(TaskSummary),
    /// A workspace whose work has landed stays, since it holds more than that.
    WorkspaceKept {
        /// The workspace.
        path: PathBuf,
        /// Whether that is commits; else changes that are not committed.
        has_commits: bool,
    },
    /// Nothing new is started; running tasks end first.
    Stopping(StopReason),
    /// Worth knowing, but no failure.
    Note(String),
}

/// Why a run starts nothing more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StopReason {
    /// `ralph queue stop`.
    Requested,
    /// As many tasks as asked for were started.
    MaxTasks,
    /// The gate is red on the target itself: nothing could land.
    TargetRed,
    /// A program, a login or space on the disk is missing: no task would fare better.
    Machine,
    /// A limit of the run (`agent.limits.run`) or of the provider is reached.
    Limit,
    /// A task did not get done in the user's checkout, and what is left of it comes first.
    WorkLeft,
    /// As many tasks in a row did not land as `loop.stop_after_failures` allows: what ails them
    /// may ail the others.
    Failures,
    /// The queue could not be looked at for as long as a run waits for it.
    QueueAway,
    /// A signal.
    Interrupted,
}

/// How one task ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// On the target branch.
    Landed,
    /// Recorded done without a change, with a reason; the gate is green on the tree as it is.
    NoChange,
    /// Done in the user's checkout, and left uncommitted there, as configured.
    Done,
    /// Someone else finished it meanwhile; the work is kept.
    Superseded,
    /// The work is done but may not land; it is kept.
    Blocked,
    /// No work came of it.
    Failed,
    /// A limit of the run or of the provider keeps it waiting, as it does every other.
    Limited,
    /// A limit of its own ended it, that of a task or of the agent; only the user gives it more.
    TaskLimit,
    /// It waits for something that the user has to mend, and goes on next time.
    Held,
    /// Stopped by the user; it goes on next time.
    Interrupted,
}

impl Outcome {
    /// Whether it did not land, for a reason of its own.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Blocked | Self::Failed)
    }

    /// The word for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Landed => "landed",
            Self::NoChange => "no_change",
            Self::Done => "done",
            Self::Superseded => "superseded",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Limited => "limited",
            Self::TaskLimit => "task_limit",
            Self::Held => "held",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One line of the table at the end of a run.
#[derive(Clone, Debug)]
pub struct TaskSummary {
    /// Its id.
    pub task: String,
    /// The id under which it landed, if the target had another task with its own.
    pub landed_as: Option<String>,
    /// Its title.
    pub title: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Attempts made at the work.
    pub attempts: u32,
    /// Time from claim to end.
    pub wall: Duration,
    /// Agent turns taken, all kinds.
    pub agent_turns: u32,
    /// Gate runs.
    pub gate_runs: u32,
    /// What the agent's turns used.
    pub spent: Amount,
    /// The commit on the target.
    pub commit: Option<String>,
    /// Why, if it did not land; or the reason given for no change.
    pub reason: Option<String>,
    /// Whether it did not land and what it changed is in the user's own files.
    pub in_checkout: bool,
    /// The program that its workspace lacks, if that is what holds it: a path in there.
    pub not_in_workspace: Option<PathBuf>,
}

impl TaskSummary {
    /// The reason, unless the change says enough, or the user's own signal.
    pub fn reason_to_tell(&self) -> Option<&str> {
        let is_plain =
            matches!(self.outcome, Outcome::Landed | Outcome::Done | Outcome::Interrupted);
        self.reason.as_deref().filter(|_| !is_plain)
    }
}

/// Where the agents of a run work.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WorkPlace {
    /// In the user's checkout, one after the other.
    #[default]
    Checkout,
    /// Each in a workspace of its own.
    Workspaces,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct RunSummary {
    /// The tasks that ended, in the order they did.
    pub tasks: Vec<TaskSummary>,
    /// Where it worked.
    pub place: WorkPlace,
    /// Why it stopped early, if it did.
    pub stopped: Option<StopReason>,
    /// Which limit it stopped at, in a sentence, if it was one.
    pub limit: Option<String>,
    /// Why its queue could not be looked at, if that ended it, or when what landed was to be seen
    /// there.
    pub queue_away: Option<Away>,
    /// What is left in the queue that could not be started.
    pub waiting: usize,
    /// What is left in the queue that could have been, had it not stopped with
    /// [`StopReason::WorkLeft`].
    pub unstarted: usize,
    /// Open tasks that others have or left, and how, of a run that found nothing to start.
    pub taken: BTreeMap<TaskId, Reason>,
    /// Why the checkout does not have what landed, if it does not.
    pub behind: Option<Behind>,
    /// The ids that tasks of the checkout have now, by those under which others landed.
    pub renamed: BTreeMap<String, TaskId>,
    /// Tasks of earlier runs that failed or are blocked, and wait for the user.
    pub kept: usize,
    /// Files below `.ralph` of the user's checkout that changed in a serial run, and that its
    /// commits leave out.
    pub left_out: BTreeSet<PathBuf>,
    /// What became of tasks in a serial run otherwise than by the run.
    pub beside: Vec<Beside>,
}

/// A task that got another status, or was removed, while a task was worked on in the same
/// checkout. Whether the agent did it or the user cannot be told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Beside {
    /// Its id.
    pub task: TaskId,
    /// Its status before.
    pub from: Status,
    /// Its status now; none when it is gone.
    pub to: Option<Status>,
    /// The task that was worked on.
    pub during: TaskId,
}

impl std::fmt::Display for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { task, from, to, during } = self;
        let to = to.map_or("removed", Status::as_str);
        write!(f, "{task}: {from} -> {to} while the agent of {during} worked")
    }
}

impl RunSummary {
    /// Whether a limit kept any task from landing.
    pub fn any_limited(&self) -> bool {
        let is_limit = |outcome| matches!(outcome, Outcome::Limited | Outcome::TaskLimit);
        self.tasks.iter().any(|task| is_limit(task.outcome))
    }

    /// Whether any task failed or was blocked.
    pub fn any_unlanded(&self) -> bool {
        self.tasks.iter().any(|task| task.outcome.is_failure())
    }

    /// Whether the last tasks that were worked on failed or were blocked, as many as that; never
    /// for none.
    pub fn has_failures_in_a_row(&self, many: u32) -> bool {
        let worked = self.tasks.iter().rev().map(|task| task.outcome).filter(|outcome| {
            use Outcome::{Held, Interrupted, Limited, TaskLimit};
            !matches!(outcome, Limited | TaskLimit | Held | Interrupted)
        });
        let failures = worked.take_while(|outcome| outcome.is_failure()).count();
        many > 0 && failures >= usize::try_from(many).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_up_to_the_last_success() {
        let summary = |outcomes: &[Outcome]| {
            let task = |outcome: &Outcome| TaskSummary {
                task: "RQ-0001".to_owned(),
                landed_as: None,
                title: String::new(),
                outcome: *outcome,
                attempts: 1,
                wall: Duration::ZERO,
                agent_turns: 1,
                gate_runs: 0,
                spent: Amount::default(),
                commit: None,
                reason: None,
                in_checkout: false,
                not_in_workspace: None,
            };
            RunSummary { tasks: outcomes.iter().map(task).collect(), ..RunSummary::default() }
        };
        let has = |outcomes: &[Outcome], many| summary(outcomes).has_failures_in_a_row(many);
        assert!(!has(&[], 1) && !has(&[], 0) && !has(&[Outcome::Failed], 0));
        assert!(has(&[Outcome::Landed, Outcome::Failed, Outcome::Blocked], 2));
        assert!(!has(&[Outcome::Failed, Outcome::NoChange, Outcome::Failed], 2));
        // What was stopped, or waits, says nothing of the tasks.
        assert!(has(&[Outcome::Failed, Outcome::Interrupted, Outcome::Failed, Outcome::Held], 2));
    }
}
