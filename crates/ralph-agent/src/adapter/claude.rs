//! Claude Code: `claude -p`.

use ralph_state::Timestamp;
use serde_json::Value;

use super::{Adapter, Invocation, by_status, count, text};
use crate::{
    Access, Counted, Outcome, Turn, Usage,
    parser::{Claim, Facts, brief},
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "claude",
    program: "claude",
    resumable: true,
    invocation,
    fold: Some(fold),
    exit,
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
        .option("--effort", turn.effort.as_deref());
    let invocation = match (&turn.resume, &turn.session) {
        // With `=`, as the value is optional to the flag.
        (Some(id), _) => invocation.arg(format!("--resume={id}")),
        (None, Some(id)) => invocation.arg(format!("--session-id={id}")),
        (None, None) => invocation,
    };
    // Without it every turn pays for one more request, to title the session.
    let invocation = invocation.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    if turn.access == Access::Full && rustix::process::geteuid().is_root() {
        // Else full access is refused to root.
        invocation.env("IS_SANDBOX", "1")
    } else {
        invocation
    }
}

fn fold(facts: &mut Facts, event: &Value) {
    if let Some(id) = text(event, "/session_id").filter(|id| !id.is_empty()) {
        facts.session_id = Some(id.to_owned());
    }
    match text(event, "/type") {
        Some("assistant") if event["parent_tool_use_id"].is_null() => {
            if let Some(kind) = text(event, "/error") {
                // The words are those of the program, not of the agent.
                facts.error_kind = Some(kind.to_owned());
                return;
            }
            let blocks = event.pointer("/message/content").and_then(Value::as_array);
            if let Some(said) = blocks.into_iter().flatten().rev().find_map(|block| {
                text(block, "/text").filter(|_| text(block, "/type") == Some("text"))
            }) {
                facts.text = Some(said.to_owned());
            }
        }
        Some("rate_limit_event") if text(event, "/rate_limit_info/status") == Some("rejected") => {
            facts.reset =
                event.pointer("/rate_limit_info/resetsAt").and_then(Value::as_i64).and_then(
                    |seconds| Timestamp::from_unix_nanos(i128::from(seconds) * 1_000_000_000),
                );
        }
        Some("result") => result(facts, event),
        _ => {}
    }
}

fn result(facts: &mut Facts, event: &Value) {
    facts.usage = Some(Usage {
        counted: Counted::Turn,
        input: count(event, "/usage/input_tokens"),
        cache_read: count(event, "/usage/cache_read_input_tokens"),
        cache_write: count(event, "/usage/cache_creation_input_tokens"),
        output: count(event, "/usage/output_tokens"),
        reasoning: 0,
        cost_usd: event["total_cost_usd"].as_f64(),
    });
    // `subtype` is `success` for every error of the API, too: `is_error` comes first.
    facts.claim = Some(match (&event["is_error"], text(event, "/subtype")) {
        (Value::Bool(false), Some("success")) => {
            facts.text = text(event, "/result").map(str::to_owned);
            Claim::Good
        }
        (_, subtype) => Claim::Bad(failure(facts, event, subtype.unwrap_or_default())),
    });
}

fn failure(facts: &Facts, event: &Value, subtype: &str) -> Outcome {
    let message = text(event, "/result").or_else(|| text(event, "/errors/0")).unwrap_or(subtype);
    let reason = brief(message);
    if message.starts_with("No conversation found with session ID") {
        return Outcome::LostSession;
    }
    if matches!(subtype, "error_max_turns" | "error_max_budget_usd") {
        return Outcome::LimitReached { reason };
    }
    if text(event, "/terminal_reason").is_some_and(|reason| reason.starts_with("aborted")) {
        return Outcome::Interrupted;
    }
    let told = event["api_error_status"].as_u64().and_then(|status| by_status(status, message));
    match told.or_else(|| by_kind(facts.error_kind.as_deref()?, &reason)) {
        Some(Outcome::RateLimited { .. }) => Outcome::RateLimited { until: facts.reset },
        Some(outcome) => outcome,
        None => Outcome::Failed { reason },
    }
}

fn by_kind(kind: &str, reason: &str) -> Option<Outcome> {
    let reason = reason.to_owned();
    Some(match kind {
        "rate_limit" => Outcome::RateLimited { until: None },
        "authentication_failed" => Outcome::NotAuthenticated { reason },
        "billing_error" => Outcome::OutOfQuota { reason },
        "server_error" | "overloaded" => Outcome::Unavailable { reason },
        _ => return None,
    })
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
    let first = stderr.lines().map(str::trim).find(|line| !line.is_empty())?;
    if first.starts_with("No conversation found with session ID") {
        return Some(Outcome::LostSession);
    }
    let refused = first.starts_with("error: ")
        || first.starts_with("Error: When using")
        || first.starts_with("Error: Input must be provided")
        || (first.starts_with("Error: Session ID") && first.ends_with("is already in use."))
        || first.contains("cannot be used with root/sudo privileges");
    refused.then(|| Outcome::Misused { reason: brief(first) })
}
