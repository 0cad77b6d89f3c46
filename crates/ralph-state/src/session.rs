//! The session of `run one` and `run loop`: `.ralph/cache/session.jsonc`.

use std::path::{Path, PathBuf};

use crate::document::{Document, Upgrades};
use crate::open_enum::open_enum;
use crate::open_struct::open_struct;
use crate::{Amount, ProcessIdentity, Timestamp};

open_struct! {
    /// What is needed to go on with one task after a crash.
    #[derive(Clone, Debug, PartialEq, Default)]
    #[non_exhaustive]
    pub struct SessionFile {
        /// The version; a save always writes 1.
        pub version: u32,
        /// The unique name of the session.
        pub session_id: String,
        /// The task.
        pub task_id: String,
        /// When the run started, in RFC 3339.
        pub run_started_at: String,
        /// When this was written, in RFC 3339.
        pub last_updated_at: String,
        /// How many iterations are planned.
        #[serde(default)]
        pub iterations_planned: u32,
        /// How many of them are done.
        #[serde(default)]
        pub iterations_completed: u32,
        /// The phase, from one.
        #[serde(default)]
        pub current_phase: u32,
        /// Which agent.
        #[serde(default)]
        pub runner: String,
        /// Which model.
        #[serde(default)]
        pub model: String,
        /// How many tasks this loop has done.
        #[serde(default)]
        pub tasks_completed_in_loop: u32,
        /// How many it is to do; zero is no limit.
        #[serde(default)]
        pub max_tasks: u32,
        /// The commit the work started from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub git_head_commit: Option<String>,
        /// Who does phase 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub phase1_settings: Option<PhaseSettings>,
        /// Who does phase 2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub phase2_settings: Option<PhaseSettings>,
        /// Who does phase 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub phase3_settings: Option<PhaseSettings>,

        /// Which attempt at the task this is, from one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub attempt: Option<u32>,
        /// The unique name of the attempt, also in the trailer of its commits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub attempt_id: Option<String>,
        /// What was recorded last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub step: Option<SessionStep>,
        /// The agent process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub agent: Option<ProcessIdentity>,
        /// The agent's own session, to go on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub runner_session_id: Option<String>,
        /// The tree of the work tree before the agent's first turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub base_tree: Option<String>,
        /// How many turns the agent had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub agent_turns: Option<u32>,
        /// How often the gate ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub gate_runs: Option<u32>,
        /// What the agent's turns used, all together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub spent: Option<Amount>,
    }
}

open_struct! {
    /// Who does a phase.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct PhaseSettings {
        /// Which agent.
        pub runner: String,
        /// Which model.
        pub model: String,
        /// How hard it is to think.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reasoning_effort: Option<String>,
    }
}

open_enum! {
    /// How far a session is.
    pub enum SessionStep {
        /// The agent works.
        Working = "working",
        /// The gate runs.
        Gating = "gating",
        /// The agent mends what the gate found.
        Fixing = "fixing",
        /// The task is being finished in the queue.
        Finishing = "finishing",
        /// The work is a commit.
        Committed = "committed",
    }
}

impl SessionFile {
    /// The start of a session: one iteration, phase 1.
    pub fn new(session_id: impl Into<String>, task_id: impl Into<String>, now: Timestamp) -> Self {
        Self {
            version: 1,
            session_id: session_id.into(),
            task_id: task_id.into(),
            run_started_at: now.to_string(),
            last_updated_at: now.to_string(),
            iterations_planned: 1,
            current_phase: 1,
            ..Self::default()
        }
    }
}

impl Document for SessionFile {
    const KIND: &'static str = "session";
    const VERSION_KEY: &'static str = "version";
    const UPGRADES: Upgrades = Upgrades::new(1, 1, &[]);
}

/// Where the session of a repository is.
pub fn session_file_path(repo_root: &Path) -> PathBuf {
    repo_root.join(".ralph/cache/session.jsonc")
}
