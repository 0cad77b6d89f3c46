//! Which tasks can start now, and why the others cannot.

use std::collections::{BTreeSet, HashMap};

use ralph_state::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::queue::Queue;
use crate::task::{Status, Task};

/// What to look for when the next task is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// The present time.
    pub now: Timestamp,
    /// Whether drafts may start.
    pub drafts: Drafts,
    /// Whether a task that is already `doing` comes first.
    pub doing: DoingFirst,
    /// Tasks not to be chosen: somebody works on them, or they failed.
    pub exclude: &'a BTreeSet<TaskId>,
    /// Tasks to regard as done, whatever their file says: landed, but not yet seen here.
    pub regard_as_done: &'a BTreeSet<TaskId>,
}

/// Whether drafts may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drafts {
    /// They may not.
    #[default]
    Exclude,
    /// They may.
    Include,
}

/// Whether a task in `doing` is chosen before any other, as 0.4.0 does, without further checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DoingFirst {
    /// It is.
    #[default]
    Prefer,
    /// Only tasks that are not started yet are chosen.
    Ignore,
}

/// The report of `queue explain`, in the shape of 0.4.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// 1.
    pub version: u32,
    /// The time it was asked at.
    pub now: Timestamp,
    /// What was asked, and what was chosen.
    pub selection: Selected,
    /// Counts.
    pub summary: Summary,
    /// Every active task, in file order.
    pub tasks: Vec<TaskReport>,
}

/// What was asked and chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selected {
    /// Drafts may start.
    pub include_draft: bool,
    /// A task in `doing` comes first.
    pub prefer_doing: bool,
    /// The task to work on next.
    pub selected_task_id: Option<TaskId>,
    /// Its status.
    pub selected_task_status: Option<Status>,
}

/// How many tasks there are of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Tasks in the queue file.
    pub total_active: usize,
    /// Those whose status allows a start.
    pub candidates_total: usize,
    /// Those of them that can start now.
    pub runnable_candidates: usize,
    /// Those of them that wait for another task.
    pub blocked_by_dependencies: usize,
    /// Those of them that wait for their time.
    pub blocked_by_schedule: usize,
    /// Tasks whose status does not allow a start.
    pub blocked_by_status_or_flags: usize,
}

/// One task: can it start, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Which task.
    pub id: TaskId,
    /// Its status.
    pub status: Status,
    /// It can start now.
    pub runnable: bool,
    /// Why not; empty when it can.
    pub reasons: Vec<Reason>,
}

/// Why a task cannot start now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Only `todo` starts.
    StatusNotRunnable {
        /// What it is instead.
        status: Status,
    },
    /// A draft, and drafts were not asked for.
    DraftExcluded,
    /// It waits for other tasks: those it depends on, and those that block it.
    UnmetDependencies {
        /// Which, each once.
        dependencies: Vec<UnmetDependency>,
    },
    /// Its time has not come.
    ScheduledStartInFuture {
        /// Its time, as written.
        scheduled_start: String,
        /// The time it was asked at.
        now: Timestamp,
        /// How long yet.
        seconds_until_runnable: i64,
    },
}

/// A task that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnmetDependency {
    /// No file has it.
    Missing {
        /// Its id.
        id: String,
    },
    /// Neither done nor rejected.
    NotComplete {
        /// Its id.
        id: String,
        /// Its status.
        status: Status,
    },
}

/// What has to be looked up to judge any task of a queue.
pub(crate) struct Readiness<'q, 's> {
    queue: &'q Queue,
    selection: &'s Selection<'s>,
    /// What each id stands at; nothing for one that is in neither file.
    statuses: HashMap<&'q str, Status>,
    /// By the id of a task: the open tasks that block it.
    blockers: HashMap<&'q str, Vec<&'q Task>>,
}

impl<'q, 's> Readiness<'q, 's> {
    pub(crate) fn new(queue: &'q Queue, selection: &'s Selection<'s>) -> Self {
        let mut statuses: HashMap<&str, Status> = HashMap::new();
        for task in queue.tasks().chain(queue.done_tasks()) {
            // The rule of `Queue::find`: the first, and one that is not rejected before one that is.
            let regarded = selection.regard_as_done.contains(&task.id);
            let current = if regarded { Status::Done } else { task.status };
            let status = statuses.entry(task.id.as_str()).or_insert(current);
            if *status == Status::Rejected {
                *status = current;
            }
        }
        let mut blockers: HashMap<&str, Vec<&Task>> = HashMap::new();
        for task in queue.tasks() {
            if statuses.get(task.id.as_str()).is_some_and(|status| !status.is_terminal()) {
                for id in &task.blocks {
                    blockers.entry(id.as_str()).or_default().push(task);
                }
            }
        }
        Self { queue, selection, statuses, blockers }
    }

    fn status(&self, task: &Task) -> Status {
        if self.selection.regard_as_done.contains(&task.id) { Status::Done } else { task.status }
    }

    /// A task that is being worked on comes first, whatever it waits for, as in 0.4.0.
    pub(crate) fn next(&self) -> Option<&'q Task> {
        let free = |task: &&Task| !self.selection.exclude.contains(&task.id);
        let doing = self.queue.tasks().filter(free).find(|task| self.status(task) == Status::Doing);
        let doing = doing.filter(|_| self.selection.doing == DoingFirst::Prefer);
        doing.or_else(|| self.queue.tasks().filter(free).find(|task| self.reasons(task).is_empty()))
    }

    pub(crate) fn report(&self) -> Report {
        let mut summary = Summary::default();
        let mut tasks = Vec::new();
        for task in self.queue.tasks() {
            let reasons = self.reasons(task);
            summary.total_active += 1;
            if self.is_candidate(task) {
                summary.candidates_total += 1;
                let has = |wanted: fn(&Reason) -> bool| usize::from(reasons.iter().any(wanted));
                summary.runnable_candidates += usize::from(reasons.is_empty());
                summary.blocked_by_dependencies +=
                    has(|reason| matches!(reason, Reason::UnmetDependencies { .. }));
                summary.blocked_by_schedule +=
                    has(|reason| matches!(reason, Reason::ScheduledStartInFuture { .. }));
            } else {
                summary.blocked_by_status_or_flags += 1;
            }
            let (id, runnable) = (task.id.clone(), reasons.is_empty());
            tasks.push(TaskReport { id, status: task.status, runnable, reasons });
        }
        let next = self.next();
        let selection = Selected {
            include_draft: self.selection.drafts == Drafts::Include,
            prefer_doing: self.selection.doing == DoingFirst::Prefer,
            selected_task_id: next.map(|task| task.id.clone()),
            selected_task_status: next.map(|task| task.status),
        };
        Report { version: 1, now: self.selection.now, selection, summary, tasks }
    }

    fn is_candidate(&self, task: &Task) -> bool {
        match self.status(task) {
            Status::Todo => true,
            Status::Draft => self.selection.drafts == Drafts::Include,
            Status::Doing | Status::Done | Status::Rejected => false,
        }
    }

    fn reasons(&self, task: &Task) -> Vec<Reason> {
        if !self.is_candidate(task) {
            let status = self.status(task);
            let draft = status == Status::Draft;
            return vec![if draft {
                Reason::DraftExcluded
            } else {
                Reason::StatusNotRunnable { status }
            }];
        }
        let mut reasons = Vec::new();
        let dependencies = self.unmet(task);
        if !dependencies.is_empty() {
            reasons.push(Reason::UnmetDependencies { dependencies });
        }
        let now = self.selection.now;
        // A time that cannot be read holds nothing back; validation reports it.
        if let Some(start) = task.scheduled().filter(|start| *start > now) {
            let scheduled_start = task.scheduled_start.clone().unwrap_or_default();
            let seconds_until_runnable = start.seconds_since(now);
            reasons.push(Reason::ScheduledStartInFuture {
                scheduled_start,
                now,
                seconds_until_runnable,
            });
        }
        reasons
    }

    fn unmet(&self, task: &Task) -> Vec<UnmetDependency> {
        let mut unmet: Vec<UnmetDependency> = Vec::new();
        let blockers = self.blockers.get(task.id.as_str()).into_iter().flatten();
        for id in
            task.depends_on.iter().map(String::as_str).chain(blockers.map(|task| task.id.as_str()))
        {
            let dependency = match self.statuses.get(id) {
                None => UnmetDependency::Missing { id: id.to_owned() },
                Some(status) if status.is_terminal() => continue,
                Some(status) => UnmetDependency::NotComplete { id: id.to_owned(), status: *status },
            };
            if !unmet.contains(&dependency) {
                unmet.push(dependency);
            }
        }
        unmet
    }
}
