//! The state of a parallel run: `.ralph/cache/parallel/state.json`.

mod legacy;
mod record;
mod salvage;
mod transition;
mod upgrade;

use std::collections::BTreeMap;
use std::path::{self, PathBuf};

use crate::document::{Document, Unversioned, Upgrades, Warning};
use crate::file::Saved;
use crate::json::Object;
use crate::open_struct::open_struct;
use crate::{LoadError, SaveError, Spending, Store, TaskId, Timestamp};

pub use legacy::{
    LegacyKind, LegacyWork, MergeJobState, PullRequestState, adopt_legacy, legacy_work,
};
pub use record::{WorkerLifecycle, WorkerRecord, WorkerStep};
pub use salvage::{BadPart, Salvaged, salvage};
pub use transition::{Refused, WorkerEvent, transition};

/// The version that is written.
///
/// - 1: git worktrees, later clones, with a pull request for each task; the file says no version.
/// - 2: restart-safe: pull requests and pending merges.
/// - 3: direct push: only the lives of workers.
pub const PARALLEL_STATE_SCHEMA_VERSION: u32 = 3;

open_struct! {
    /// The state of a parallel run.
    #[derive(Clone, Debug, PartialEq)]
    #[non_exhaustive]
    pub struct ParallelStateFile {
        /// The version; a save always writes [`PARALLEL_STATE_SCHEMA_VERSION`].
        #[serde(default = "current_version")]
        pub schema_version: u32,
        /// When the run started, in RFC 3339.
        #[serde(default)]
        pub started_at: String,
        /// The branch that work lands on.
        #[serde(default)]
        pub target_branch: String,
        /// The workers, one for each task.
        #[serde(default)]
        pub workers: Vec<WorkerRecord>,
        /// Gates that were green: `{tree}:{hash of the gate}` to when.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub gates: BTreeMap<String, Timestamp>,
        /// The next free place in the landing lane.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub next_ticket: Option<u64>,
        /// What the latest run used, and what it learned of the providers it asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub spending: Option<Spending>,
    }
}

fn current_version() -> u32 {
    PARALLEL_STATE_SCHEMA_VERSION
}

impl Default for ParallelStateFile {
    /// No run yet: nothing is known about when and where.
    fn default() -> Self {
        Self::new("", "")
    }
}

impl ParallelStateFile {
    /// A run without workers.
    pub fn new(started_at: impl Into<String>, target_branch: impl Into<String>) -> Self {
        Self {
            schema_version: PARALLEL_STATE_SCHEMA_VERSION,
            started_at: started_at.into(),
            target_branch: target_branch.into(),
            workers: Vec::new(),
            gates: BTreeMap::new(),
            next_ticket: None,
            spending: None,
            extra: Object::new(),
        }
    }

    /// Puts `record` in place of the one for the same task, or at the end.
    pub fn upsert_worker(&mut self, record: WorkerRecord) {
        match self.get_worker_mut(&record.task_id) {
            Some(existing) => *existing = record,
            None => self.workers.push(record),
        }
    }

    /// Removes every record for `task_id`.
    pub fn remove_worker(&mut self, task_id: &str) {
        self.workers.retain(|worker| worker.task_id != task_id);
    }

    /// The first record for `task_id`.
    pub fn get_worker(&self, task_id: &str) -> Option<&WorkerRecord> {
        self.workers.iter().find(|worker| worker.task_id == task_id)
    }

    /// The first record for `task_id`, to change.
    pub fn get_worker_mut(&mut self, task_id: &str) -> Option<&mut WorkerRecord> {
        self.workers.iter_mut().find(|worker| worker.task_id == task_id)
    }

    /// Whether there is a record for `task_id`.
    pub fn has_worker(&self, task_id: &str) -> bool {
        self.get_worker(task_id).is_some()
    }

    /// The records in this state.
    pub fn workers_by_lifecycle(
        &self,
        lifecycle: WorkerLifecycle,
    ) -> impl Iterator<Item = &WorkerRecord> {
        self.workers.iter().filter(move |worker| worker.lifecycle == lifecycle)
    }

    /// How many records are not in a terminal state.
    pub fn active_worker_count(&self) -> usize {
        self.workers.iter().filter(|worker| !worker.is_terminal()).count()
    }

    /// How many records are blocked on their push.
    pub fn blocked_worker_count(&self) -> usize {
        self.workers_by_lifecycle(WorkerLifecycle::BlockedPush).count()
    }
}

impl Document for ParallelStateFile {
    const KIND: &'static str = "parallel state";
    const VERSION_KEY: &'static str = "schema_version";
    const UPGRADES: Upgrades = upgrade::UPGRADES;

    fn unversioned(object: &Object) -> Option<Unversioned> {
        upgrade::unversioned(object)
    }

    fn inspect(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (index, worker) in self.workers.iter().enumerate() {
            let mut warn = |field: &str, message: String| {
                warnings.push(Warning::new(format!("workers[{index}].{field}"), message));
            };
            if let Err(error) = worker.task_id.parse::<TaskId>() {
                warn("task_id", error.to_string());
            }
            if let WorkerLifecycle::Unknown(name) = &worker.lifecycle {
                warn("lifecycle", format!("`{name}` is not known, and kept"));
            }
            if let Err(error) = worker.started_at.parse::<Timestamp>() {
                warn("started_at", error.to_string());
            }
        }
        let mut order: Vec<usize> = (0..self.workers.len()).collect();
        order.sort_by_key(|&index| &self.workers[index].task_id);
        for pair in order.windows(2) {
            let [first, second] = [pair[0], pair[1]].map(|index| &self.workers[index].task_id);
            if first == second {
                let path = format!("workers[{}].task_id", pair[1]);
                warnings.push(Warning::new(path, format!("`{second}` has a record already")));
            }
        }
        warnings
    }
}

/// Where the state of a repository is.
pub fn state_file_path(repo_root: &path::Path) -> PathBuf {
    repo_root.join(".ralph/cache/parallel/state.json")
}

/// Reads the state; `None` when there is no file. Takes no lock and never writes.
///
/// What an upgrade left out is told by [`Store::load`] alone.
pub fn load_state(path: &path::Path) -> Result<Option<ParallelStateFile>, LoadError> {
    Ok(Store::anonymous(path).load()?.map(|loaded| loaded.value))
}

/// Puts `state` there, whatever was there. What others saved since `state` was loaded is lost:
/// programs that share the file use [`Store::update`].
pub fn save_state(path: &path::Path, state: &ParallelStateFile) -> Result<Saved, SaveError> {
    Store::anonymous(path).save(state)
}
