//! Every key there is: its kind, its range and its default.

use serde_json::Value;

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Text that is not blank.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A whole number from the first to the second.
    Whole(u64, u64),
    /// A number from the first to the second.
    Number(f64, f64),
    /// Texts that are not blank.
    Texts,
    /// A path without `..`.
    Inside,
    /// Program and arguments; no shell with a line to run.
    Argv,
    /// Whole numbers, at least one.
    Millis,
    /// Anything.
    Any,
}
use Kind::{Any, Argv, Inside, Millis, Number, Switch, Text, Texts, Whole, Word};

const EFFORT: Kind = Word(&["low", "medium", "high", "xhigh"]);
const FORMAT: Kind = Word(&["stream_json", "json", "text"]);
const VERBOSITY: Kind = Word(&["quiet", "normal", "verbose"]);
const APPROVAL: Kind = Word(&["default", "auto_edits", "yolo", "safe"]);
const TRISTATE: Kind = Word(&["default", "enabled", "disabled"]);
const POLICY: Kind = Word(&["ignore", "warn", "error"]);
const EVER: u64 = u32::MAX as u64;
/// An hour.
pub(crate) const MOST_MILLIS: u64 = 3_600_000;

/// Key, kind, default as JSON (empty: none). `*` stands for any one name.
///
/// `profiles.<name>.<key>` is not listed: it is whatever `agent.<key>` is.
pub(crate) const KEYS: &[(&str, Kind, &str)] = &[
    ("version", Whole(2, 2), "2"),
    ("project_type", Word(&["code", "docs"]), r#""code""#),
    ("queue.file", Text, r#"".ralph/queue.jsonc""#),
    ("queue.done_file", Text, r#"".ralph/done.jsonc""#),
    ("queue.id_prefix", Text, r#""RQ""#),
    ("queue.id_width", Whole(1, 255), "4"),
    ("queue.finish", Word(&["in_place", "archive"]), r#""archive""#),
    ("queue.size_warning_threshold_kb", Whole(100, 10_000), "500"),
    ("queue.task_count_warning_threshold", Whole(50, 5_000), "500"),
    ("queue.max_dependency_depth", Whole(1, 100), "10"),
    ("queue.auto_archive_terminal_after_days", Whole(0, 3_650), ""),
    ("queue.aging_thresholds.warning_days", Whole(0, 3_650), "7"),
    ("queue.aging_thresholds.stale_days", Whole(0, 3_650), "14"),
    ("queue.aging_thresholds.rotten_days", Whole(0, 3_650), "30"),
    ("agent.runner", Text, ""),
    ("agent.model", Text, ""),
    ("agent.reasoning_effort", EFFORT, ""),
    ("agent.iterations", Whole(1, EVER), "1"),
    ("agent.followup_reasoning_effort", EFFORT, ""),
    ("agent.phases", Whole(1, 3), "1"),
    ("agent.command.argv", Argv, ""),
    ("agent.runners.*.argv", Argv, ""),
    ("agent.runners.*.args", Texts, ""),
    ("agent.prices.*.input", Number(0.0, 1e6), ""),
    ("agent.prices.*.cache_read", Number(0.0, 1e6), ""),
    ("agent.prices.*.cache_write", Number(0.0, 1e6), ""),
    ("agent.prices.*.output", Number(0.0, 1e6), ""),
    ("agent.codex_bin", Text, ""),
    ("agent.opencode_bin", Text, ""),
    ("agent.gemini_bin", Text, ""),
    ("agent.claude_bin", Text, ""),
    ("agent.cursor_bin", Text, ""),
    ("agent.kimi_bin", Text, ""),
    ("agent.pi_bin", Text, ""),
    ("agent.opencode2_bin", Text, ""),
    ("agent.copilot_bin", Text, ""),
    ("agent.amp_bin", Text, ""),
    ("agent.droid_bin", Text, ""),
    ("agent.agy_bin", Text, ""),
    ("agent.kimi_cli_bin", Text, ""),
    (
        "agent.claude_permission_mode",
        Word(&["accept_edits", "bypass_permissions"]),
        r#""accept_edits""#,
    ),
    ("agent.runner_cli.defaults.output_format", FORMAT, r#""stream_json""#),
    ("agent.runner_cli.defaults.verbosity", VERBOSITY, r#""normal""#),
    ("agent.runner_cli.defaults.approval_mode", APPROVAL, r#""default""#),
    ("agent.runner_cli.defaults.sandbox", TRISTATE, r#""default""#),
    ("agent.runner_cli.defaults.plan_mode", TRISTATE, r#""default""#),
    ("agent.runner_cli.defaults.unsupported_option_policy", POLICY, r#""warn""#),
    ("agent.runner_cli.runners.codex.sandbox", TRISTATE, r#""disabled""#),
    ("agent.runner_cli.runners.claude.verbosity", VERBOSITY, r#""verbose""#),
    ("agent.runner_cli.runners.*.output_format", FORMAT, ""),
    ("agent.runner_cli.runners.*.verbosity", VERBOSITY, ""),
    ("agent.runner_cli.runners.*.approval_mode", APPROVAL, ""),
    ("agent.runner_cli.runners.*.sandbox", TRISTATE, ""),
    ("agent.runner_cli.runners.*.plan_mode", TRISTATE, ""),
    ("agent.runner_cli.runners.*.unsupported_option_policy", POLICY, ""),
    ("agent.phase_overrides.phase1.runner", Text, ""),
    ("agent.phase_overrides.phase1.model", Text, ""),
    ("agent.phase_overrides.phase1.reasoning_effort", EFFORT, ""),
    ("agent.phase_overrides.phase2.runner", Text, ""),
    ("agent.phase_overrides.phase2.model", Text, ""),
    ("agent.phase_overrides.phase2.reasoning_effort", EFFORT, ""),
    ("agent.phase_overrides.phase3.runner", Text, ""),
    ("agent.phase_overrides.phase3.model", Text, ""),
    ("agent.phase_overrides.phase3.reasoning_effort", EFFORT, ""),
    ("agent.instruction_files", Texts, ""),
    ("agent.repoprompt_plan_required", Switch, "false"),
    ("agent.repoprompt_tool_injection", Switch, "false"),
    ("agent.ci_gate.enabled", Switch, "true"),
    ("agent.ci_gate.argv", Argv, r#"["make","ci"]"#),
    ("agent.ci_gate.timeout_minutes", Whole(1, 1_440), "30"),
    ("agent.git_revert_mode", Word(&["ask", "enabled", "disabled"]), r#""ask""#),
    ("agent.git_publish_mode", Word(&["off", "commit", "commit_and_push"]), r#""off""#),
    ("agent.notification.enabled", Switch, "true"),
    ("agent.notification.notify_on_complete", Switch, "true"),
    ("agent.notification.notify_on_fail", Switch, "true"),
    ("agent.notification.notify_on_loop_complete", Switch, "true"),
    ("agent.notification.notify_on_watch_new_tasks", Switch, "true"),
    ("agent.notification.suppress_when_active", Switch, "true"),
    ("agent.notification.sound_enabled", Switch, "false"),
    ("agent.notification.sound_path", Text, ""),
    ("agent.notification.timeout_ms", Whole(1_000, 60_000), "8000"),
    ("agent.webhook.enabled", Switch, "false"),
    ("agent.webhook.url", Text, ""),
    ("agent.webhook.allow_insecure_http", Switch, "false"),
    ("agent.webhook.allow_private_targets", Switch, "false"),
    ("agent.webhook.secret", Text, ""),
    ("agent.webhook.events", Texts, ""),
    ("agent.webhook.timeout_secs", Whole(1, 300), "30"),
    ("agent.webhook.retry_count", Whole(0, 10), "3"),
    ("agent.webhook.retry_backoff_ms", Whole(100, 30_000), "1000"),
    ("agent.webhook.queue_capacity", Whole(10, 10_000), "500"),
    ("agent.webhook.parallel_queue_multiplier", Number(1.0, 10.0), "2.0"),
    (
        "agent.webhook.queue_policy",
        Word(&["drop_oldest", "drop_new", "block_with_timeout"]),
        r#""drop_oldest""#,
    ),
    ("agent.session_timeout_hours", Whole(1, EVER), "24"),
    ("agent.scan_prompt_version", Word(&["v1", "v2"]), r#""v2""#),
    ("agent.runner_retry.max_attempts", Whole(1, 20), "3"),
    ("agent.runner_retry.base_backoff_ms", Whole(0, 600_000), "1000"),
    ("agent.runner_retry.multiplier", Number(1.0, 10.0), "2.0"),
    ("agent.runner_retry.max_backoff_ms", Whole(0, 600_000), "30000"),
    ("agent.runner_retry.jitter_ratio", Number(0.0, 1.0), "0.2"),
    ("agent.turn_timeout_minutes", Whole(1, 1_440), "60"),
    ("agent.turn_silence_minutes", Whole(0, 1_440), "30"),
    ("agent.turn_linger_seconds", Whole(0, 3_600), "10"),
    ("agent.turn_log_limit_mb", Whole(1, 1_000_000), "256"),
    ("agent.turn_files_days", Whole(0, 3_650), "14"),
    ("agent.turn_files_mb", Whole(0, 1_000_000), "2048"),
    ("agent.limits.run.turns", Whole(1, EVER), ""),
    ("agent.limits.run.tokens", Whole(1, 1_000_000_000_000), ""),
    ("agent.limits.run.usd", Number(0.0, 1e6), ""),
    ("agent.limits.run.minutes", Whole(1, EVER), ""),
    ("agent.limits.task.turns", Whole(1, EVER), ""),
    ("agent.limits.task.tokens", Whole(1, 1_000_000_000_000), ""),
    ("agent.limits.task.usd", Number(0.0, 1e6), ""),
    ("agent.limits.task.minutes", Whole(1, EVER), ""),
    ("agent.limits.turn.steps", Whole(1, 1_000_000), ""),
    ("agent.limits.turn.tokens", Whole(1, 1_000_000_000_000), ""),
    ("agent.limits.turn.usd", Number(0.0, 1e6), ""),
    ("agent.conflict_turns", Whole(0, 20), "3"),
    ("agent.gate_fix_turns", Whole(0, 20), "3"),
    ("parallel.workers", Whole(2, 255), ""),
    ("parallel.workspace_root", Inside, ""),
    ("parallel.max_push_attempts", Whole(1, EVER), "50"),
    ("parallel.push_backoff_ms", Millis, "[500,2000,5000,10000]"),
    ("parallel.workspace_retention_hours", Whole(1, EVER), "24"),
    ("loop.wait_when_empty", Switch, "false"),
    ("loop.empty_poll_ms", Whole(50, EVER), "30000"),
    ("loop.wait_when_blocked", Switch, "false"),
    ("loop.wait_poll_ms", Whole(50, EVER), "1000"),
    ("loop.wait_timeout_seconds", Whole(0, EVER), "0"),
    ("loop.notify_when_unblocked", Switch, "false"),
    ("loop.stop_after_failures", Whole(0, 10_000), "5"),
    ("plugins.plugins.*.enabled", Switch, ""),
    ("plugins.plugins.*.config", Any, ""),
];

/// The profiles that come with Ralph; their names cannot be taken.
pub(crate) const PROFILES: &[(&str, &[(&str, &str)])] = &[
    (
        "power-user",
        &[
            ("claude_permission_mode", "bypass_permissions"),
            ("runner_cli.defaults.approval_mode", "yolo"),
            ("git_publish_mode", "commit_and_push"),
        ],
    ),
    (
        "safe",
        &[
            ("claude_permission_mode", "accept_edits"),
            ("runner_cli.defaults.approval_mode", "safe"),
            ("git_publish_mode", "off"),
        ],
    ),
];

/// What stands at a place in the tree of keys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    /// A value.
    Leaf(Kind),
    /// An object with further keys.
    Branch,
    /// Nothing Ralph knows.
    Unknown,
}

/// What stands at `path`.
pub(crate) fn slot(path: &[String]) -> Slot {
    let mut best = Slot::Unknown;
    for (names, kind, _) in KEYS {
        let Some(rest) = follow(path, names) else { continue };
        match rest {
            0 => return Slot::Leaf(*kind),
            _ => best = Slot::Branch,
        }
    }
    match path {
        [profiles] | [profiles, _] if profiles == "profiles" => Slot::Branch,
        [profiles, _, rest @ ..] if profiles == "profiles" => {
            slot(&[&["agent".to_owned()], rest].concat())
        }
        _ => best,
    }
}

/// The section with what may be spent.
pub(crate) const LIMITS: &str = "limits";

/// Whether `path` is that section of the agent or of a profile, or below it.
pub(crate) fn limits(path: &[String]) -> bool {
    match path {
        [agent, limits, ..] if agent == "agent" => limits == LIMITS,
        [profiles, _, limits, ..] if profiles == "profiles" => limits == LIMITS,
        _ => false,
    }
}

/// `path` as one text, which no other path has: a name that holds a dot is quoted.
pub(crate) fn dotted(path: &[String]) -> String {
    let names = path
        .iter()
        .map(|name| if name.contains(['.', '"']) { format!("{name:?}") } else { name.clone() });
    names.collect::<Vec<_>>().join(".")
}

/// Whether the key at `path` admits `value`; else what was expected.
pub(crate) fn check(path: &[String], value: &Value) -> Result<(), String> {
    match slot(path) {
        Slot::Leaf(kind) => kind.check(value),
        Slot::Branch | Slot::Unknown => Err("a key of the configuration".to_owned()),
    }
}

/// The known name below `path` that `name` was most likely meant to be.
pub(crate) fn suggestion(path: &[String], name: &str) -> Option<String> {
    let agent = ["agent".to_owned()];
    let path = match path {
        [profiles, _, rest @ ..] if profiles == "profiles" => &[&agent, rest].concat(),
        path => path,
    };
    KEYS.iter()
        .filter_map(|(names, ..)| {
            follow(path, names).filter(|&rest| rest > 0)?;
            names.split('.').nth(path.len()).filter(|known| *known != "*")
        })
        .chain(path.is_empty().then_some("profiles"))
        .map(|known| (distance(known, name), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| known.to_owned())
}

/// How many names of the dotted `names` come after `path`, if they begin with it.
fn follow(path: &[String], names: &str) -> Option<usize> {
    let mut names = names.split('.');
    path.iter()
        .all(|name| names.next().is_some_and(|known| known == "*" || known == name))
        .then(|| names.count())
}

/// Edits (insert, remove, replace) between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

impl Kind {
    /// Whether `value` is one of these; else what was expected.
    pub(crate) fn check(self, value: &Value) -> Result<(), String> {
        let good = match self {
            Text => is_text(value),
            Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Switch => value.is_boolean(),
            Whole(from, to) => value.as_u64().is_some_and(|n| (from..=to).contains(&n)),
            Number(from, to) => value.as_f64().is_some_and(|n| (from..=to).contains(&n)),
            Texts => value.as_array().is_some_and(|all| all.iter().all(is_text)),
            Inside => {
                is_text(value)
                    && value.as_str().is_some_and(|text| {
                        std::path::Path::new(text)
                            .components()
                            .all(|part| part != std::path::Component::ParentDir)
                    })
            }
            Argv => value.as_array().is_some_and(|all| {
                !all.is_empty()
                    && all.iter().all(Value::is_string)
                    && is_text(&all[0])
                    && !is_shell_line(all)
            }),
            Millis => value.as_array().is_some_and(|all| {
                !all.is_empty() && all.iter().all(|n| n.as_u64().is_some_and(|n| n <= MOST_MILLIS))
            }),
            Any => true,
        };
        if good { Ok(()) } else { Err(self.to_string()) }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Text => f.write_str("a text that is not blank"),
            Word(words) => write!(f, "one of `{}`", words.join("`, `")),
            Switch => f.write_str("`true` or `false`"),
            Whole(from, to) if from == to => write!(f, "{from}"),
            Whole(from, EVER) => write!(f, "a whole number of at least {from}"),
            Whole(from, to) => write!(f, "a whole number from {from} to {to}"),
            Number(from, to) => write!(f, "a number from {from} to {to}"),
            Texts => f.write_str("a list of texts that are not blank"),
            Inside => f.write_str("a path without `..`"),
            Argv => f.write_str(
                "a program and its arguments, each a text of its own, without a shell's `-c`",
            ),
            Millis => write!(f, "a list of at least one whole number from 0 to {MOST_MILLIS}"),
            Any => f.write_str("anything"),
        }
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// `sh -c LINE` and its kin, also through `env`: a line hides what runs from whoever
/// is asked to trust it, and quoting makes it fail late.
fn is_shell_line(argv: &[Value]) -> bool {
    const SHELLS: &[&str] =
        &["sh", "bash", "zsh", "dash", "ksh", "fish", "cmd", "powershell", "pwsh"];
    let mut words = argv.iter().filter_map(Value::as_str).skip_while(|word| {
        program_name(word) == "env" || word.starts_with('-') || word.contains('=')
    });
    let Some(program) = words.next() else { return false };
    if !SHELLS.contains(&program_name(program).as_str()) {
        return false;
    }
    while let Some(word) = words.next() {
        let word = word.to_ascii_lowercase();
        if matches!(word.as_str(), "/c" | "/k" | "-command" | "--command")
            || (word.starts_with('-') && !word.starts_with("--") && word.contains('c'))
        {
            return true;
        }
        match word.as_str() {
            // `-o pipefail`, also as the end of `-euo`.
            option if option.starts_with(['-', '+']) && option.ends_with('o') => {
                words.next();
            }
            option if option.starts_with(['-', '+', '/']) => {}
            // A script; what follows is its own.
            _ => return false,
        }
    }
    false
}

fn program_name(word: &str) -> String {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word).to_ascii_lowercase();
    name.strip_suffix(".exe").map_or(name.clone(), str::to_owned)
}
