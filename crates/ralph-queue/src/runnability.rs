//! Which tasks can start now, and why the others cannot.

use std::collections::BTreeSet;

use ralph_state::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::task::Status;

/// What to look for when the next task is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// The present time.
    pub now: Timestamp,
    /// Which statuses may start.
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
