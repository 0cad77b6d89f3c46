//! One worker: which task, where, and how far.

use std::path::PathBuf;

use crate::json::Object;
use crate::open_enum::open_enum;
use crate::open_struct::open_struct;
use crate::{Amount, ProcessIdentity};

open_enum! {
    /// The life of a worker, in five states.
    #[derive(Default)]
    pub enum WorkerLifecycle {
        /// The agent works, or is about to.
        #[default]
        Running = "running",
        /// The work is done and on its way to the target branch.
        Integrating = "integrating",
        /// The target branch holds the work, or there was nothing to do.
        Completed = "completed",
        /// It ended without landing.
        Failed = "failed",
        /// The work is there, but the target branch did not take it.
        BlockedPush = "blocked_push",
    }
}

open_enum! {
    /// The last thing that was recorded about a worker. A step that names an intention is recorded
    /// before its effect, the others after theirs.
    pub enum WorkerStep {
        /// The task is taken.
        Claimed = "claimed",
        /// The workspace is made.
        WorkspaceReady = "workspace_ready",
        /// A worker process is about to be started.
        SpawnIntended = "spawn_intended",
        /// The agent works.
        Working = "working",
        /// The work is a commit.
        Committed = "committed",
        /// The commit waits for the landing lane.
        Waiting = "waiting",
        /// The commit stands on the tip of the target.
        Rebased = "rebased",
        /// The agent resolves a conflict.
        Resolving = "resolving",
        /// The gate runs.
        Gating = "gating",
        /// The gate was green on the tree that is to land.
        GateGreen = "gate_green",
        /// The agent mends what the gate found.
        Fixing = "fixing",
        /// The push is about to be made.
        PushIntended = "push_intended",
        /// The target took the push.
        Pushed = "pushed",
        /// The landing is recorded everywhere.
        Recorded = "recorded",
    }
}

open_struct! {
    /// One worker and its task.
    ///
    /// The first seven fields are those of every file of version 3; the others were added later, and
    /// an older program passes over them.
    #[derive(Clone, Debug, PartialEq)]
    #[non_exhaustive]
    pub struct WorkerRecord {
        /// The task.
        pub task_id: String,
        /// Its workspace, an absolute path.
        pub workspace_path: PathBuf,
        /// How far it is.
        #[serde(default)]
        pub lifecycle: WorkerLifecycle,
        /// When it started, in RFC 3339.
        pub started_at: String,
        /// When it ended, in RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub completed_at: Option<String>,
        /// How often a push was tried.
        #[serde(default)]
        pub push_attempts: u32,
        /// Why it failed or is blocked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_error: Option<String>,

        /// Which attempt at the task this is, from one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub attempt: Option<u32>,
        /// The unique name of the attempt, also in the trailer of its commits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub attempt_id: Option<String>,
        /// What was recorded last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub step: Option<WorkerStep>,
        /// The worker process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub worker: Option<ProcessIdentity>,
        /// The agent process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub agent: Option<ProcessIdentity>,
        /// The branch in the workspace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub branch: Option<String>,
        /// The commit the work started from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub base_commit: Option<String>,
        /// The commit that holds the work as the agent left it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub work_commit: Option<String>,
        /// The commit that is about to land.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub landing_commit: Option<String>,
        /// The tip of the target that the push expects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub target_before: Option<String>,
        /// The commit on the target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub landed_commit: Option<String>,
        /// Its place in the landing lane.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ticket: Option<u64>,
        /// The agent's session, to go on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub session_id: Option<String>,
        /// Which agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub runner: Option<String>,
        /// How many turns the agent had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub agent_turns: Option<u32>,
        /// How often the gate ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub gate_runs: Option<u32>,
        /// How many conflicts there were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub conflicts: Option<u32>,
        /// How many of the gate's runs were red.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub red_gates: Option<u32>,
        /// The reference in the main repository that keeps work which did not land.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub rescue_ref: Option<String>,
        /// Whether it was stopped from outside rather than by its own failure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub interrupted: Option<bool>,
        /// Why there is no change, when that is the result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub no_change: Option<String>,
        /// What the agent's turns used, all together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub spent: Option<Amount>,
        /// What is set aside for the turn that it now has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reserved: Option<Amount>,
    }
}

impl WorkerRecord {
    /// A running worker.
    pub fn new(task_id: impl Into<String>, workspace_path: PathBuf, started_at: String) -> Self {
        Self {
            task_id: task_id.into(),
            workspace_path,
            lifecycle: WorkerLifecycle::Running,
            started_at,
            completed_at: None,
            push_attempts: 0,
            last_error: None,
            attempt: None,
            attempt_id: None,
            step: None,
            worker: None,
            agent: None,
            branch: None,
            base_commit: None,
            work_commit: None,
            landing_commit: None,
            target_before: None,
            landed_commit: None,
            ticket: None,
            session_id: None,
            runner: None,
            agent_turns: None,
            gate_runs: None,
            conflicts: None,
            red_gates: None,
            rescue_ref: None,
            interrupted: None,
            no_change: None,
            spent: None,
            reserved: None,
            extra: Object::new(),
        }
    }

    /// The work is done, integration begins.
    pub fn start_integration(&mut self) {
        self.lifecycle = WorkerLifecycle::Integrating;
    }

    /// The work has landed.
    pub fn mark_completed(&mut self, timestamp: String) {
        self.lifecycle = WorkerLifecycle::Completed;
        self.completed_at = Some(timestamp);
    }

    /// It ended without landing.
    pub fn mark_failed(&mut self, timestamp: String, error: impl Into<String>) {
        self.lifecycle = WorkerLifecycle::Failed;
        self.completed_at = Some(timestamp);
        self.last_error = Some(error.into());
    }

    /// The target did not take the work.
    pub fn mark_blocked(&mut self, timestamp: String, error: impl Into<String>) {
        self.lifecycle = WorkerLifecycle::BlockedPush;
        self.completed_at = Some(timestamp);
        self.last_error = Some(error.into());
    }

    /// One more push.
    pub fn increment_push_attempt(&mut self) {
        self.push_attempts = self.push_attempts.saturating_add(1);
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self.lifecycle,
            WorkerLifecycle::Completed | WorkerLifecycle::Failed | WorkerLifecycle::BlockedPush
        )
    }
}
