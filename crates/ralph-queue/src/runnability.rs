//! Which tasks can start now, and why the others cannot.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ralph_state::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::queue::{Listed, Named, Place, Queue};
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
    /// Tasks not to be chosen, because others have them or they wait for the user, each with the
    /// reason that stands for every other.
    pub exclude: &'a BTreeMap<TaskId, Reason>,
    /// Tasks to regard as done, whatever their file says: landed, but not yet seen here.
    pub regard_as_done: &'a BTreeSet<TaskId>,
}

impl Selection<'_> {
    /// As 0.4.0 chooses: no drafts, a task in `doing` first, none left out and none regarded as
    /// done.
    pub fn new(now: Timestamp) -> Self {
        static NOT_EXCLUDED: BTreeMap<TaskId, Reason> = BTreeMap::new();
        static NOT_DONE: BTreeSet<TaskId> = BTreeSet::new();
        Self {
            now,
            drafts: Drafts::default(),
            doing: DoingFirst::default(),
            exclude: &NOT_EXCLUDED,
            regard_as_done: &NOT_DONE,
        }
    }
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
    /// Those of them that wait for their time, or have one that cannot be read.
    pub blocked_by_schedule: usize,
    /// 0, as in 0.4.0: a task whose status forbids a start is no candidate.
    pub blocked_by_status_or_flags: usize,
    /// Why nothing can start; absent when something can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocking: Option<Blocking>,
}

/// Why nothing can start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocking {
    /// `waiting` when time or new work will help, else `blocked`.
    pub status: String,
    /// The kind of it.
    pub reason: BlockingReason,
    /// In a sentence.
    pub message: String,
    /// With figures.
    pub detail: String,
    /// The time it was asked at.
    pub observed_at: Timestamp,
}

/// The kind of reason why nothing can start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BlockingReason {
    /// There is no candidate.
    Idle {
        /// Drafts would have counted.
        include_draft: bool,
    },
    /// All candidates wait for other tasks.
    DependencyBlocked {
        /// How many.
        blocked_tasks: usize,
    },
    /// All candidates wait for their time.
    ScheduleBlocked {
        /// How many.
        blocked_tasks: usize,
        /// The first time, as written, of those that can be read.
        next_runnable_at: Option<String>,
        /// How long until then.
        seconds_until_next_runnable: Option<i64>,
    },
    /// Some wait for other tasks, some for their time.
    MixedQueue {
        /// How many wait for other tasks.
        dependency_blocked: usize,
        /// How many wait for their time.
        schedule_blocked: usize,
        /// 0.
        status_filtered: usize,
    },
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

/// Why a task cannot start now, or why one that is being worked on should wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// It is finished.
    StatusNotRunnable {
        /// Done or rejected.
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
    /// Its time cannot be read, so nobody knows whether it has come.
    ScheduledStartUnreadable {
        /// Its time, as written.
        scheduled_start: String,
    },
    /// Somebody holds a lease on it; see [`crate::lease`].
    Claimed {
        /// Who.
        owner: String,
        /// Until when, unless it is renewed.
        expires_at: Timestamp,
    },
    /// It is being worked on without a lease.
    Underway,
    /// It was begun, by hand or by a run that is gone, and nobody has it: a run goes on with it
    /// before it begins another.
    Unheld,
    /// A run in the checkout was cut off while it worked on it, and is to be resumed.
    Interrupted,
    /// A parallel run began it, and the next one goes on with it.
    Begun {
        /// What it waits for meanwhile, if it was held.
        error: Option<String>,
    },
    /// A parallel run failed with it; it waits for the user.
    Failed {
        /// Why.
        error: Option<String>,
    },
    /// It used up a limit of its own in a parallel run; it waits for the user.
    TaskLimit {
        /// Which, and how much of it.
        error: Option<String>,
    },
    /// A parallel run finished it, but could not land it; the work is kept, and waits for the user.
    Unlanded {
        /// Why.
        error: Option<String>,
    },
    /// A commit landed it, though the queue has it open: it is not done again unless it is asked
    /// for again.
    Landed {
        /// That commit.
        commit: String,
    },
    /// It was ended under a lease, which this queue does not show; see [`crate::lease`].
    Ended {
        /// By whom.
        owner: String,
        /// When.
        at: Timestamp,
        /// In which work tree, as far as that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work_tree: Option<String>,
        /// It was deleted, and not finished.
        #[serde(rename = "deleted", default)]
        is_deleted: bool,
    },
    /// Another task has its id, too, and nobody knows which of them is meant; a repair parts them.
    AmbiguousId,
    /// It touches what a task that was chosen before it, or is being worked on, touches.
    ScopeOverlaps {
        /// That task.
        with: TaskId,
        /// The entry of its own scope that overlaps.
        scope: String,
    },
    /// As many tasks as were asked for come before it.
    NoRoom,
}

impl Reason {
    /// Whether nobody else may begin the task, whatever its status is: somebody has it or had it to
    /// the end, or it cannot be told from another one.
    pub fn is_taken(&self) -> bool {
        match self {
            Self::Claimed { .. }
            | Self::Underway
            | Self::Interrupted
            | Self::Begun { .. }
            | Self::Failed { .. }
            | Self::TaskLimit { .. }
            | Self::Unlanded { .. }
            | Self::Landed { .. }
            | Self::Ended { .. }
            | Self::AmbiguousId => true,
            Self::StatusNotRunnable { .. }
            | Self::DraftExcluded
            | Self::UnmetDependencies { .. }
            | Self::ScheduledStartInFuture { .. }
            | Self::ScheduledStartUnreadable { .. }
            | Self::Unheld
            | Self::ScopeOverlaps { .. }
            | Self::NoRoom => false,
        }
    }

    /// Whether files of the task change meanwhile, or will without anybody asking.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Claimed { .. }
                | Self::Underway
                | Self::Unheld
                | Self::Interrupted
                | Self::Begun { .. }
        )
    }
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
    /// Several tasks have its id, and not all of them are complete.
    AmbiguousId {
        /// That id.
        id: String,
    },
}

fn has(ids: &BTreeSet<TaskId>, id: &str) -> bool {
    !ids.is_empty() && id.parse().is_ok_and(|id: TaskId| ids.contains(&id))
}

fn has_excluded(ids: &BTreeMap<TaskId, Reason>, id: &str) -> bool {
    !ids.is_empty() && id.parse().is_ok_and(|id: TaskId| ids.contains_key(&id))
}

/// What has to be looked up to judge any task of a queue.
#[derive(Debug)]
pub struct Readiness<'q, 's> {
    queue: &'q Queue,
    selection: &'s Selection<'s>,
    /// What each id names; nothing for one that is in neither file.
    named: HashMap<&'q str, Named>,
    /// The ids of which nobody knows which task they mean.
    ambiguous: HashSet<&'q str>,
    /// By the id of a task: the open tasks that block it.
    blockers: HashMap<&'q str, Vec<&'q Task>>,
}

impl Report {
    /// What it says of that task, which has the id for its own or shares it with rejected ones.
    pub fn of(&self, task: &Task) -> Option<&TaskReport> {
        self.tasks.iter().find(|row| row.id == task.id && row.status == task.status)
    }
}

impl<'q, 's> Readiness<'q, 's> {
    pub(crate) fn new(queue: &'q Queue, selection: &'s Selection<'s>) -> Self {
        let named = queue.named();
        let ambiguous = named.iter().filter(|(_, named)| named.is_ambiguous());
        let ambiguous = ambiguous.map(|(id, _)| *id).collect();
        let blockers = HashMap::new();
        let mut readiness = Self { queue, selection, named, ambiguous, blockers };
        for listed in queue.list(Place::Queue).filter(|listed| listed.is_blocking()) {
            if readiness.awaited(listed.id()).is_some() {
                for id in &listed.task().blocks {
                    readiness.blockers.entry(id.trim()).or_default().push(listed.task());
                }
            }
        }
        readiness
    }

    /// What there is to wait for, if a task is to wait for the one with that id.
    fn awaited(&self, id: &str) -> Option<UnmetDependency> {
        let Some(named) = self.named.get(id) else {
            return Some(UnmetDependency::Missing { id: id.to_owned() });
        };
        if self.is_ambiguous(id) {
            return Some(UnmetDependency::AmbiguousId { id: id.to_owned() });
        }
        let is_complete = named.status.is_terminal() || has(self.selection.regard_as_done, id);
        let status = named.status;
        (!is_complete).then(|| UnmetDependency::NotComplete { id: id.to_owned(), status })
    }

    /// The ids of which nobody knows which task is meant, see [`Queue::ambiguous`].
    pub fn ambiguous_ids(&self) -> Vec<&'q str> {
        let mut ids: Vec<&str> = self.ambiguous.iter().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Whether nobody knows which task is meant by that id.
    pub(crate) fn is_ambiguous(&self, id: &str) -> bool {
        self.ambiguous.contains(id)
    }

    fn status<W>(&self, task: &Task<W>) -> Status {
        if self.selection.regard_as_done.contains(&task.id) { Status::Done } else { task.status }
    }

    /// A task that is being worked on comes first, whatever it waits for, as in 0.4.0.
    pub(crate) fn next(&self) -> Option<&'q Task> {
        let Self { selection, queue, .. } = self;
        let status = |listed: &Listed<'_>| {
            if has(selection.regard_as_done, listed.id()) { Status::Done } else { listed.status() }
        };
        let is_free = |listed: &Listed<'_>| !has_excluded(selection.exclude, listed.id());
        let free = || queue.list(Place::Queue).filter(is_free);
        let is_doing = |listed: &Listed<'_>| {
            status(listed) == Status::Doing && !self.is_ambiguous(listed.id())
        };
        let doing = free().find(is_doing);
        let doing = doing.filter(|_| selection.doing == DoingFirst::Prefer);
        let can_start = |listed: &Listed<'_>| {
            self.is_candidate(status(listed)) && self.reasons(listed.task()).is_empty()
        };
        doing.or_else(|| free().find(can_start)).map(Listed::task)
    }

    /// Whether the task is one of those that can start now, and why not.
    pub fn report_on<W: AsRef<str>>(&self, task: &Task<W>) -> TaskReport {
        let reasons = self.reasons(task);
        let runnable = reasons.is_empty();
        TaskReport { id: task.id.clone(), status: task.status, runnable, reasons }
    }

    pub(crate) fn report(&self) -> Report {
        let mut summary = Summary::default();
        let mut tasks = Vec::new();
        let mut first_start: Option<(i64, String)> = None;
        for task in self.queue.held() {
            let reasons = self.reasons(&task);
            let runnable = reasons.is_empty();
            summary.total_active += 1;
            if self.is_candidate(self.status(&task)) {
                summary.candidates_total += 1;
                summary.runnable_candidates += usize::from(runnable);
                for reason in &reasons {
                    match reason {
                        Reason::UnmetDependencies { .. } => summary.blocked_by_dependencies += 1,
                        Reason::ScheduledStartInFuture {
                            scheduled_start,
                            seconds_until_runnable,
                            ..
                        } => {
                            summary.blocked_by_schedule += 1;
                            let start = (*seconds_until_runnable, scheduled_start.clone());
                            first_start = first_start.into_iter().chain([start]).min();
                        }
                        Reason::ScheduledStartUnreadable { .. } => summary.blocked_by_schedule += 1,
                        _ => {}
                    }
                }
            }
            tasks.push(TaskReport { id: task.id, status: task.status, runnable, reasons });
        }
        summary.blocking = self.blocking(&summary, first_start);
        let next = self.next();
        let selection = Selected {
            include_draft: self.selection.drafts == Drafts::Include,
            prefer_doing: self.selection.doing == DoingFirst::Prefer,
            selected_task_id: next.map(|task| task.id.clone()),
            selected_task_status: next.map(|task| task.status),
        };
        Report { version: 1, now: self.selection.now, selection, summary, tasks }
    }

    fn blocking(&self, summary: &Summary, first_start: Option<(i64, String)>) -> Option<Blocking> {
        if summary.runnable_candidates > 0 {
            return None;
        }
        let (dependencies, schedule) =
            (summary.blocked_by_dependencies, summary.blocked_by_schedule);
        let (status, reason, message) = match (dependencies, schedule) {
            (0, 0) => {
                let include_draft = self.selection.drafts == Drafts::Include;
                (
                    "waiting",
                    BlockingReason::Idle { include_draft },
                    "Ralph is idle: no task waits to be started.",
                )
            }
            (blocked_tasks, 0) => (
                "blocked",
                BlockingReason::DependencyBlocked { blocked_tasks },
                "Ralph is blocked by unfinished dependencies.",
            ),
            (0, blocked_tasks) => {
                let (status, message) = if first_start.is_some() {
                    ("waiting", "Ralph waits for the time of scheduled tasks.")
                } else {
                    ("blocked", "Ralph is blocked by scheduled times that cannot be read.")
                };
                let seconds_until_next_runnable = first_start.as_ref().map(|(seconds, _)| *seconds);
                let next_runnable_at = first_start.map(|(_, at)| at);
                (
                    status,
                    BlockingReason::ScheduleBlocked {
                        blocked_tasks,
                        seconds_until_next_runnable,
                        next_runnable_at,
                    },
                    message,
                )
            }
            (dependency_blocked, schedule_blocked) => (
                "blocked",
                BlockingReason::MixedQueue {
                    dependency_blocked,
                    schedule_blocked,
                    status_filtered: 0,
                },
                "Ralph is blocked by dependencies and schedules.",
            ),
        };
        let detail =
            format!("Waiting for other tasks: {dependencies}, for their time: {schedule}.");
        let (status, message) = (status.to_owned(), message.to_owned());
        Some(Blocking { status, reason, message, detail, observed_at: self.selection.now })
    }

    fn is_candidate(&self, status: Status) -> bool {
        match status {
            Status::Todo => true,
            Status::Draft => self.selection.drafts == Drafts::Include,
            Status::Doing | Status::Done | Status::Rejected => false,
        }
    }

    /// In the order of 0.4.0, which also looks at a task that is `doing`.
    fn reasons<W: AsRef<str>>(&self, task: &Task<W>) -> Vec<Reason> {
        let mut reasons = Vec::new();
        // Also of what is regarded as done: it says why.
        let excluded = self.selection.exclude.get(&task.id);
        if !task.status.is_terminal() {
            if self.is_ambiguous(task.id.as_str()) {
                // What is known by the id may be meant of the other one. But files change.
                let busy = excluded.filter(|reason| reason.is_busy()).cloned();
                return std::iter::once(Reason::AmbiguousId).chain(busy).collect();
            }
            if let Some(reason) = excluded {
                return vec![reason.clone()];
            }
        }
        let status = self.status(task);
        match status {
            Status::Done | Status::Rejected => {
                return vec![Reason::StatusNotRunnable { status }];
            }
            Status::Draft if self.selection.drafts == Drafts::Exclude => {
                reasons.push(Reason::DraftExcluded);
            }
            Status::Draft | Status::Todo | Status::Doing => {
                let dependencies = self.unmet(task);
                if !dependencies.is_empty() {
                    reasons.push(Reason::UnmetDependencies { dependencies });
                }
            }
        }
        let now = self.selection.now;
        let scheduled_start = || task.scheduled_start.as_ref().map_or("", W::as_ref).to_owned();
        match task.scheduled() {
            Ok(Some(start)) if start > now => reasons.push(Reason::ScheduledStartInFuture {
                scheduled_start: scheduled_start(),
                now,
                seconds_until_runnable: start.seconds_since(now),
            }),
            Ok(_) => {}
            // Whoever wrote it wanted the task to wait.
            Err(_) => {
                let scheduled_start = scheduled_start();
                reasons.push(Reason::ScheduledStartUnreadable { scheduled_start });
            }
        }
        reasons
    }

    fn unmet<W: AsRef<str>>(&self, task: &Task<W>) -> Vec<UnmetDependency> {
        let mut unmet: Vec<UnmetDependency> = Vec::new();
        let mut seen = HashSet::new();
        let blockers = self.blockers.get(task.id.as_str()).into_iter().flatten();
        let needed =
            task.depends_on.iter().map(|id| id.as_ref().trim()).filter(|id| !id.is_empty());
        for id in needed.chain(blockers.map(|task| task.id.as_str())) {
            if let Some(dependency) = self.awaited(id)
                && seen.insert(id)
            {
                unmet.push(dependency);
            }
        }
        unmet
    }
}
