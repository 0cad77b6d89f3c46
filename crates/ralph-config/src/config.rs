//! The effective configuration, as the rest of Ralph reads it.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Every setting, after defaults, files, profile and command line are laid over
/// each other.
///
/// It can be handed to another process as a document, secrets included;
/// [`crate::Resolved::document`] is the one to show.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Config {
    /// Version of the configuration's format; always [`crate::CONFIG_VERSION`].
    pub version: u32,
    /// What the repository holds, which words the prompts.
    pub project_type: ProjectType,
    /// Where the tasks are and how they are kept.
    pub queue: QueueConfig,
    /// Who works on a task and how.
    pub agent: AgentConfig,
    /// Several tasks at once.
    pub parallel: ParallelConfig,
    /// Waiting in `ralph run loop`.
    #[serde(rename = "loop")]
    pub run_loop: LoopConfig,
    /// Runner plugins.
    #[serde(default)]
    pub plugins: PluginsConfig,
    /// The user's named patches of `agent`, as written; already applied when selected.
    #[serde(default)]
    pub profiles: BTreeMap<String, serde_json::Value>,
}

/// What the repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectType {
    /// A program.
    Code,
    /// Text for people.
    Docs,
}

/// `queue.*`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct QueueConfig {
    /// The queue, relative to the repository unless absolute.
    pub file: PathBuf,
    /// Where finished tasks go, relative to the repository unless absolute.
    pub done_file: PathBuf,
    /// What a task's id starts with, before the dash.
    pub id_prefix: String,
    /// Least number of digits in a task's id.
    pub id_width: u8,
    /// What becomes of a task that is finished.
    pub finish: Finish,
    /// Size of the queue file, in KiB, above which Ralph warns.
    pub size_warning_threshold_kb: u32,
    /// Number of tasks above which Ralph warns.
    pub task_count_warning_threshold: u32,
    /// Longest chain of dependencies before Ralph warns.
    pub max_dependency_depth: u32,
    /// Age in days at which a finished task moves to the done file; `None` is never.
    #[serde(default)]
    pub auto_archive_terminal_after_days: Option<u32>,
    /// When an open task counts as old.
    pub aging_thresholds: AgingThresholds,
}

/// What becomes of a task that is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It stays in the queue, marked done.
    InPlace,
    /// It moves to the done file.
    Archive,
}

/// `queue.aging_thresholds.*`, in days, strictly rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AgingThresholds {
    /// Worth a look.
    pub warning_days: u32,
    /// Stale.
    pub stale_days: u32,
    /// Rotten.
    pub rotten_days: u32,
}

/// `agent.*`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct AgentConfig {
    /// The agent to drive; `None` takes the first one found on `PATH`.
    #[serde(default)]
    pub runner: Option<String>,
    /// The model to ask for; `None` is the agent's own choice.
    #[serde(default)]
    pub model: Option<String>,
    /// `low`, `medium`, `high` or `xhigh`; `None` is the agent's own choice.
    #[serde(default)]
    pub reasoning_effort: Option<String>,
    /// Passes over one task.
    pub iterations: u32,
    /// Effort for the passes after the first.
    #[serde(default)]
    pub followup_reasoning_effort: Option<String>,
    /// Turns of one pass: 1 does all at once, 2 plans first, 3 reviews after.
    pub phases: u8,
    /// What the runner `command` runs.
    #[serde(default)]
    pub command: Option<CommandRunner>,
    /// What is run for a runner, by its name; a name that is no built-in agent's is that
    /// of a plugin.
    #[serde(default)]
    pub runners: BTreeMap<String, ConfiguredRunner>,
    /// What a model costs, by its name, for agents that do not tell.
    #[serde(default)]
    pub prices: BTreeMap<String, Price>,
    /// Program of `codex`, when it is not the one on `PATH`.
    #[serde(default)]
    pub codex_bin: Option<String>,
    /// Program of `opencode`.
    #[serde(default)]
    pub opencode_bin: Option<String>,
    /// Program of `gemini`.
    #[serde(default)]
    pub gemini_bin: Option<String>,
    /// Program of `claude`.
    #[serde(default)]
    pub claude_bin: Option<String>,
    /// Program of `cursor`.
    #[serde(default)]
    pub cursor_bin: Option<String>,
    /// Program of `kimi`.
    #[serde(default)]
    pub kimi_bin: Option<String>,
    /// Program of `pi`.
    #[serde(default)]
    pub pi_bin: Option<String>,
    /// Program of `opencode2`.
    #[serde(default)]
    pub opencode2_bin: Option<String>,
    /// Program of `copilot`.
    #[serde(default)]
    pub copilot_bin: Option<String>,
    /// Program of `amp`.
    #[serde(default)]
    pub amp_bin: Option<String>,
    /// Program of `droid`.
    #[serde(default)]
    pub droid_bin: Option<String>,
    /// Program of `agy`.
    #[serde(default)]
    pub agy_bin: Option<String>,
    /// Program of `kimi-cli`.
    #[serde(default)]
    pub kimi_cli_bin: Option<String>,
    /// How much `claude` may do without being asked.
    pub claude_permission_mode: PermissionMode,
    /// Options for every runner and for single ones.
    pub runner_cli: RunnerCli,
    /// Runner, model and effort of single phases, by `phase1` to `phase3`.
    #[serde(default)]
    pub phase_overrides: BTreeMap<String, PhaseOverride>,
    /// Files whose text goes in front of every prompt, relative to the repository.
    #[serde(default)]
    pub instruction_files: Vec<PathBuf>,
    /// The plan must come from `RepoPrompt`.
    pub repoprompt_plan_required: bool,
    /// Prompts mention the `RepoPrompt` tools.
    pub repoprompt_tool_injection: bool,
    /// The check that decides whether work may land.
    pub ci_gate: CiGate,
    /// What becomes of a failed task's changes in the user's own checkout.
    pub git_revert_mode: GitRevertMode,
    /// What becomes of a finished task's changes in the user's own checkout.
    pub git_publish_mode: GitPublishMode,
    /// Desktop notifications.
    pub notification: NotificationConfig,
    /// Web hooks.
    pub webhook: WebhookConfig,
    /// Age in hours at which an interrupted session is no longer resumed silently.
    pub session_timeout_hours: u32,
    /// Which of the scan prompts is used.
    pub scan_prompt_version: ScanPromptVersion,
    /// Repeating a turn that failed for a passing reason.
    pub runner_retry: RetryConfig,
    /// Wall-clock limit of one turn, in minutes.
    pub turn_timeout_minutes: u32,
    /// Minutes after which an agent that prints nothing is ended; 0 is never.
    pub turn_silence_minutes: u32,
    /// Seconds that an agent has from its final event to its end.
    pub turn_linger_seconds: u32,
    /// Megabytes that an agent may print in one turn before it is ended.
    pub turn_log_limit_mb: u32,
    /// Days for which the files of a finished task's turns are kept.
    pub turn_files_days: u32,
    /// Megabytes that these files may take together; the oldest go first.
    pub turn_files_mb: u32,
    /// What may be spent.
    #[serde(default)]
    pub limits: Limits,
    /// Turns an agent gets to resolve one conflict.
    pub conflict_turns: u32,
    /// Turns an agent gets to turn a red gate green.
    pub gate_fix_turns: u32,
}

impl AgentConfig {
    /// The configured program of each runner that has one.
    pub fn bins(&self) -> BTreeMap<String, String> {
        [
            ("agy", &self.agy_bin),
            ("amp", &self.amp_bin),
            ("claude", &self.claude_bin),
            ("codex", &self.codex_bin),
            ("copilot", &self.copilot_bin),
            ("cursor", &self.cursor_bin),
            ("droid", &self.droid_bin),
            ("gemini", &self.gemini_bin),
            ("kimi", &self.kimi_bin),
            ("kimi-cli", &self.kimi_cli_bin),
            ("opencode", &self.opencode_bin),
            ("opencode2", &self.opencode2_bin),
            ("pi", &self.pi_bin),
        ]
        .into_iter()
        .filter_map(|(runner, bin)| Some((runner.to_owned(), bin.clone()?)))
        .collect()
    }

    /// The options of one runner: its own over the defaults.
    pub fn runner_options(&self, runner: &str) -> RunnerOptions {
        let own = self.runner_cli.runners.get(runner).copied().unwrap_or_default();
        let all = self.runner_cli.defaults;
        RunnerOptions {
            output_format: own.output_format.or(all.output_format),
            verbosity: own.verbosity.or(all.verbosity),
            approval_mode: own.approval_mode.or(all.approval_mode),
            sandbox: own.sandbox.or(all.sandbox),
            plan_mode: own.plan_mode.or(all.plan_mode),
            unsupported_option_policy: own
                .unsupported_option_policy
                .or(all.unsupported_option_policy),
        }
    }

    /// Whether `runner` may do everything without being asked.
    ///
    /// An explicit approval mode decides. Without one `claude` follows
    /// `claude_permission_mode` and `codex` its sandbox; any other agent gets full
    /// access, because unattended it can do nothing useful with less.
    pub fn full_access(&self, runner: &str) -> bool {
        let options = self.runner_options(runner);
        match options.approval_mode {
            Some(ApprovalMode::Yolo) => true,
            Some(ApprovalMode::AutoEdits | ApprovalMode::Safe) => false,
            Some(ApprovalMode::Default) | None if runner == "claude" => {
                self.claude_permission_mode == PermissionMode::BypassPermissions
            }
            Some(ApprovalMode::Default) | None => options.sandbox != Some(Sandbox::Enabled),
        }
    }
}

/// `agent.limits.*`
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Of one run.
    pub run: SpendingLimit,
    /// Of one task, over all its runs.
    pub task: SpendingLimit,
    /// Of one turn.
    pub turn: TurnLimit,
}

/// `agent.limits.run.*`, `agent.limits.task.*`: no turn begins that could pass them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpendingLimit {
    /// Turns of agents.
    pub turns: Option<u64>,
    /// Tokens, read and written.
    pub tokens: Option<u64>,
    /// US dollars.
    pub usd: Option<f64>,
    /// Minutes: of a run since it began, of a task that its agent worked.
    pub minutes: Option<u64>,
}

/// `agent.limits.turn.*`: what a turn is reckoned with before it begins. An agent that can
/// be told to stops by itself there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnLimit {
    /// Requests to the model.
    pub steps: Option<u32>,
    /// Tokens, read and written.
    pub tokens: Option<u64>,
    /// US dollars.
    pub usd: Option<f64>,
}

/// `agent.prices.MODEL.*`, in US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Price {
    /// Read, and not from a cache.
    pub input: f64,
    /// Read from a cache.
    pub cache_read: f64,
    /// Written to a cache.
    pub cache_write: f64,
    /// Written, reasoning included.
    pub output: f64,
}

/// `agent.runners.NAME.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ConfiguredRunner {
    /// Program and first arguments; empty: the program that the agent has anyway.
    pub argv: Vec<String>,
    /// Further arguments, where the agent takes options for a turn.
    pub args: Vec<String>,
}

/// `agent.command.*`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct CommandRunner {
    /// Program and arguments; never a shell line.
    pub argv: Vec<String>,
}

/// `agent.ci_gate.*`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct CiGate {
    /// Whether work needs a green gate to land.
    pub enabled: bool,
    /// Program and arguments; never a shell line.
    pub argv: Vec<String>,
    /// Wall-clock limit of one run, in minutes.
    pub timeout_minutes: u32,
}

/// How much `claude` may do without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionMode {
    /// Edit files.
    AcceptEdits,
    /// Everything.
    BypassPermissions,
}

/// `agent.runner_cli.*`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RunnerCli {
    /// For every runner.
    pub defaults: RunnerOptions,
    /// For the runner named.
    #[serde(default)]
    pub runners: BTreeMap<String, RunnerOptions>,
}

/// Options of a runner; one it does not have is handled by its policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct RunnerOptions {
    /// How the agent prints.
    pub output_format: Option<OutputFormat>,
    /// How much the agent prints.
    pub verbosity: Option<Verbosity>,
    /// What the agent may do unasked.
    pub approval_mode: Option<ApprovalMode>,
    /// The agent's own sandbox.
    pub sandbox: Option<Sandbox>,
    /// The agent's own plan mode.
    pub plan_mode: Option<PlanMode>,
    /// What to do about an option the agent lacks.
    pub unsupported_option_policy: Option<UnsupportedOption>,
}

/// How the agent prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormat {
    /// One JSON document per line; the only one Ralph reads.
    StreamJson,
    /// One JSON document.
    Json,
    /// Words.
    Text,
}

/// How much the agent prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verbosity {
    /// Less.
    Quiet,
    /// As usual.
    Normal,
    /// More.
    Verbose,
}

/// What the agent may do unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalMode {
    /// The runner's own default.
    Default,
    /// Edit files.
    AutoEdits,
    /// Everything.
    Yolo,
    /// As little as it can work with.
    Safe,
}

/// The agent's own sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// The runner's own default.
    Default,
    /// On.
    Enabled,
    /// Off.
    Disabled,
}

/// The agent's own plan mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanMode {
    /// The runner's own default.
    Default,
    /// On.
    Enabled,
    /// Off.
    Disabled,
}

/// What to do about an option the agent lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsupportedOption {
    /// Nothing.
    Ignore,
    /// Say so.
    Warn,
    /// Refuse to run.
    Error,
}

/// `agent.phase_overrides.phaseN.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct PhaseOverride {
    /// The agent for this phase.
    pub runner: Option<String>,
    /// The model for this phase.
    pub model: Option<String>,
    /// The effort for this phase.
    pub reasoning_effort: Option<String>,
}

/// What becomes of a failed task's changes in the user's own checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GitRevertMode {
    /// The user is asked.
    Ask,
    /// They are taken back.
    Enabled,
    /// They stay.
    Disabled,
}

/// What becomes of a finished task's changes in the user's own checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GitPublishMode {
    /// They stay uncommitted.
    Off,
    /// They are committed.
    Commit,
    /// They are committed and pushed.
    CommitAndPush,
}

/// `agent.notification.*`
#[expect(clippy::struct_excessive_bools, reason = "one switch for each key of the released format")]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct NotificationConfig {
    /// Notifications at all.
    pub enabled: bool,
    /// A task is done.
    pub notify_on_complete: bool,
    /// A task failed.
    pub notify_on_fail: bool,
    /// The loop is over.
    pub notify_on_loop_complete: bool,
    /// A watch found new tasks.
    pub notify_on_watch_new_tasks: bool,
    /// Nothing while the user looks at Ralph.
    pub suppress_when_active: bool,
    /// With a sound.
    pub sound_enabled: bool,
    /// The sound, when not the system's.
    #[serde(default)]
    pub sound_path: Option<PathBuf>,
    /// How long a notification stays, in milliseconds.
    pub timeout_ms: u32,
}

/// `agent.webhook.*`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct WebhookConfig {
    /// Web hooks at all.
    pub enabled: bool,
    /// Where events go.
    #[serde(default)]
    pub url: Option<String>,
    /// Plain HTTP is good enough.
    pub allow_insecure_http: bool,
    /// Loopback and link-local hosts are good enough.
    pub allow_private_targets: bool,
    /// Key of the signature header.
    #[serde(default)]
    pub secret: Option<String>,
    /// Events to send; `None` is the usual five.
    #[serde(default)]
    pub events: Option<Vec<String>>,
    /// Time limit of one delivery, in seconds.
    pub timeout_secs: u32,
    /// Deliveries tried again.
    pub retry_count: u32,
    /// First pause between tries, in milliseconds.
    pub retry_backoff_ms: u32,
    /// Events that may wait.
    pub queue_capacity: u32,
    /// Factor on `queue_capacity` in a parallel run.
    pub parallel_queue_multiplier: f64,
    /// What happens when too many wait.
    pub queue_policy: QueuePolicy,
}

/// What happens when too many events wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueuePolicy {
    /// The oldest goes.
    DropOldest,
    /// The new one goes.
    DropNew,
    /// The sender waits a little.
    BlockWithTimeout,
}

/// Which of the scan prompts is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanPromptVersion {
    /// The first.
    V1,
    /// The second.
    V2,
}

/// `agent.runner_retry.*`
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct RetryConfig {
    /// Tries in all.
    pub max_attempts: u32,
    /// First pause, in milliseconds.
    pub base_backoff_ms: u64,
    /// Factor from one pause to the next.
    pub multiplier: f64,
    /// Longest pause, in milliseconds.
    pub max_backoff_ms: u64,
    /// Share of a pause that is random, 0 to 1.
    pub jitter_ratio: f64,
}

/// `parallel.*`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ParallelConfig {
    /// Workers when the command line names none; `None` is one after the other.
    #[serde(default)]
    pub workers: Option<u8>,
    /// Directory of the workspaces, relative to the repository unless absolute.
    #[serde(default)]
    pub workspace_root: Option<PathBuf>,
    /// Pushes tried before a worker gives up.
    pub max_push_attempts: u32,
    /// Pauses between pushes, in milliseconds; the last one repeats.
    pub push_backoff_ms: Vec<u64>,
    /// Age in hours at which the workspace of a finished worker may go.
    pub workspace_retention_hours: u32,
}

/// `loop.*`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LoopConfig {
    /// Wait for tasks when there are none.
    pub wait_when_empty: bool,
    /// Pause between looks at an empty queue, in milliseconds.
    pub empty_poll_ms: u64,
    /// Wait when every task waits for another.
    pub wait_when_blocked: bool,
    /// Pause between looks at a blocked queue, in milliseconds.
    pub wait_poll_ms: u64,
    /// Longest wait for a blocked queue, in seconds; 0 is without end.
    pub wait_timeout_seconds: u64,
    /// Notify when a task became free.
    pub notify_when_unblocked: bool,
    /// After so many tasks in a row that did not land, a run begins no further one; 0 is never.
    pub stop_after_failures: u32,
}

/// `plugins.*`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct PluginsConfig {
    /// Each plugin by its id.
    pub plugins: BTreeMap<String, PluginConfig>,
}

/// `plugins.plugins.<id>.*`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct PluginConfig {
    /// Whether it may run.
    pub enabled: bool,
    /// What it is told; its own matter.
    pub config: serde_json::Value,
}
