//! Claude Code: `claude -p`.

use std::time::Duration;

use ralph_state::Timestamp;

use super::{Adapter, Credentials, Invocation, Kept, on_stderr, usage};
use crate::{
    Access, Capabilities, Cost, Event, Final, Json, Outcome, Turn, Usage,
    parser::{Facts, Fold, brief},
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "claude",
    programs: &["claude"],
    can: Capabilities { limits: true, schema: true, cost: true, ..Capabilities::ALL },
    login: Credentials {
        variables: &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
        kept: Some(Kept {
            moved_by: Some("CLAUDE_CONFIG_DIR"),
            dir: ".claude",
            file: ".credentials.json",
        }),
    },
    // On SIGTERM it leaves its tools behind and tells no final event.
    interrupt: Some(Duration::from_secs(5)),
    invocation,
    fold: Some(fold),
    exit,
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    // `stream-json` needs `--verbose` with `-p`.
    let invocation = Invocation::new(&["-p", "--output-format", "stream-json", "--verbose"]);
    let invocation = match turn.access {
        Access::Full => invocation.arg("--dangerously-skip-permissions"),
        Access::Edits => invocation.option("--permission-mode", Some("acceptEdits")),
    };
    let invocation = invocation
        .option("--model", turn.model.as_deref())
        .option("--effort", turn.effort.as_deref())
        .option("--max-turns", turn.steps.map(|steps| steps.to_string()).as_deref())
        .option("--max-budget-usd", turn.usd.map(|usd| usd.to_string()).as_deref());
    let invocation = invocation.option("--json-schema", turn.schema.as_deref()).session(
        turn,
        "--resume",
        "--session-id",
    );
    // Without it every turn pays for one more request, to title the session.
    let invocation = invocation.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    if turn.access == Access::Full && rustix::process::geteuid().is_root() {
        // Else full access is refused to root.
        invocation.env("IS_SANDBOX", "1")
    } else {
        invocation
    }
}

/// A line may be one event, or with `--output-format json` a list of all of them.
pub(super) fn fold(fold: &mut Fold<'_>, line: &Json<'_>) {
    for event in line.items().iter().filter(|item| item.is_object()) {
        fold.facts.seen = true;
        one(fold, event);
    }
    one(fold, line);
}

fn one(fold: &mut Fold<'_>, event: &Json<'_>) {
    fold.session(event.text("session_id"));
    // What a sub-agent says is not the answer; its tools are the turn's all the same.
    let is_main = event.get("parent_tool_use_id").is_none_or(Json::is_null);
    match event.text("type") {
        Some("assistant") => {
            let blocks = event.list("message/content");
            if let Some(kind) = event.text("error") {
                // The words are those of the program, not of the agent.
                fold.facts.memo = Some(kind.to_owned());
                return fold.warning(blocks.iter().find_map(|it| it.text("text")).or(Some(kind)));
            }
            // Whoever answers again has no failure left, and no limit.
            fold.facts.memo = None;
            fold.facts.reset = None;
            for block in blocks {
                match block.text("type") {
                    Some("text") if is_main => fold.text(block.text("text")),
                    Some("thinking") if is_main => fold.reasoning(block.text("thinking")),
                    Some("tool_use") => fold.tell(&Event::ToolCall {
                        id: block.text("id"),
                        name: block.text("name").unwrap_or_default(),
                        input: block.get("input"),
                    }),
                    _ => {}
                }
            }
        }
        Some("user") => {
            let results = event.list("message/content").iter();
            for block in results.filter(|block| block.text("type") == Some("tool_result")) {
                fold.tell(&Event::ToolResult {
                    id: block.text("tool_use_id"),
                    failed: block.flag("is_error") == Some(true),
                    output: block.get("content"),
                });
            }
        }
        Some("system") => match event.text("subtype") {
            Some("api_retry") => fold.tell(&Event::Retry {
                attempt: Some(event.count("attempt")),
                delay_ms: event.real("retry_delay_ms").and_then(|delay| {
                    Duration::try_from_secs_f64(delay / 1000.0).ok()?.as_millis().try_into().ok()
                }),
                status: event.whole("error_status").and_then(|status| status.try_into().ok()),
                message: event.text("error"),
            }),
            Some("model_fallback" | "model_refusal_no_fallback") => {
                fold.warning(event.text("content"));
            }
            _ => {}
        },
        Some("rate_limit_event") if event.text("rate_limit_info/status") == Some("allowed") => {}
        Some("rate_limit_event") => fold.tell(&Event::RateLimit {
            rejected: event.text("rate_limit_info/status") == Some("rejected"),
            until: event.whole("rate_limit_info/resetsAt").and_then(|seconds| {
                Timestamp::from_unix_nanos(i128::from(seconds) * 1_000_000_000)
            }),
        }),
        Some("result") => result(fold, event),
        _ => {}
    }
}

fn result(fold: &mut Fold<'_>, event: &Json<'_>) {
    if let Some(counts) = event.object("usage") {
        const NAMES: [&str; 4] = [
            "input_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "output_tokens",
        ];
        let cost = Cost::measured(event.real("total_cost_usd"));
        let main = usage(counts, NAMES);
        let all = by_model(event);
        let widest = if all.tokens() > main.tokens() { all } else { main };
        fold.tell(&Event::Usage(Usage { cost, ..widest }));
    }
    fold.facts.fits = Some(event.get("structured_output").is_some_and(Json::is_object));
    let denied = event.list("permission_denials").len();
    if denied > 0 {
        fold.warning(Some(&format!("uses of tools that were denied: {denied}")));
    }
    // `subtype` is `success` for every error of the API, too: `is_error` comes first.
    let (outcome, text) = match (event.flag("is_error"), event.text("subtype")) {
        (Some(false), Some("success")) => (Outcome::Succeeded, event.text("result")),
        (_, subtype) => (failure(fold.facts, event, subtype.unwrap_or_default()), None),
    };
    fold.tell(&Event::Final(Final { outcome, text }));
}

/// What all models used, sub-agents and side requests included; `usage` has the main agent's
/// alone, and nothing of a request that was made again.
fn by_model(event: &Json<'_>) -> Usage {
    const NAMES: [&str; 4] =
        ["inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens", "outputTokens"];
    let models = event.get("modelUsage").map_or(&[][..], Json::fields);
    let mut all = Usage::default();
    for (_, counts) in models {
        all.add(usage(counts, NAMES));
    }
    all
}

fn failure(facts: &Facts, event: &Json<'_>, subtype: &str) -> Outcome {
    let message = event
        .text("result")
        .or_else(|| event.list("errors").first()?.as_text())
        .or_else(|| event.text("error"))
        .unwrap_or(subtype);
    let reason = brief(message);
    if message.starts_with("No conversation found with session ID") {
        return Outcome::LostSession;
    }
    if matches!(subtype, "error_max_turns" | "error_max_budget_usd") {
        return Outcome::LimitReached { reason };
    }
    if event.text("terminal_reason").is_some_and(|reason| reason.starts_with("aborted")) {
        return Outcome::Interrupted;
    }
    let said = facts.said(message);
    let told = said.by_status(event.count("api_error_status"));
    let told = told.or_else(|| said.by_kind(facts.memo.as_deref()?));
    match told.unwrap_or_else(|| said.meaning()) {
        Outcome::RateLimited { until } => Outcome::RateLimited { until: facts.reset.or(until) },
        outcome => outcome,
    }
}

fn exit(facts: &Facts, code: i32, stderr: &str) -> Option<Outcome> {
    if facts.claim.is_some() {
        return None;
    }
    // 128 and the signal that it caught.
    if matches!(code, 129 | 130 | 143) {
        return Some(Outcome::Interrupted);
    }
    if facts.seen {
        return None;
    }
    let first = stderr.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if first.starts_with("No conversation found with session ID") {
        return Some(Outcome::LostSession);
    }
    let refused = first.starts_with("error: ")
        || first.starts_with("Error: When using")
        || first.starts_with("Error: Input must be provided")
        || (first.starts_with("Error: Session ID") && first.ends_with("is already in use."))
        || first.contains("cannot be used with root/sudo privileges");
    if refused {
        return Some(Outcome::Misused { reason: brief(first) });
    }
    on_stderr(facts, code, stderr)
}
