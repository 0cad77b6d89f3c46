//! Codex: `codex exec`.

use super::{Adapter, Credentials, Invocation, Kept, on_stderr};
use crate::{
    Access, Capabilities, Cost, Counted, Event, Json, Outcome, Turn, Usage,
    parser::{Facts, Fold, brief},
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "codex",
    programs: &["codex"],
    can: Capabilities { session: false, schema: true, ..Capabilities::ALL },
    help: &["exec"],
    login: Credentials {
        variables: &["CODEX_API_KEY", "OPENAI_API_KEY"],
        kept: Some(Kept { moved_by: Some("CODEX_HOME"), dir: ".codex", file: "auth.json" }),
    },
    invocation,
    fold: Some(fold),
    exit,
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    // Options stand before `resume`, which knows fewer of them.
    let invocation = Invocation::new(&["exec", "--json"]);
    let invocation = match turn.access {
        Access::Full => invocation.arg("--dangerously-bypass-approvals-and-sandbox"),
        Access::Edits => {
            invocation.option("--sandbox", Some("workspace-write")).arg("--skip-git-repo-check")
        }
    };
    let effort = turn.effort.as_ref().map(|effort| format!("model_reasoning_effort=\"{effort}\""));
    let invocation = invocation
        .option("--model", turn.model.as_deref())
        .option("-c", effort.as_deref())
        .option("-c", Some("check_for_update_on_startup=false"))
        .option("-c", Some("analytics.enabled=false"))
        .option("-c", Some("features.plugins=false"))
        .option("-c", Some("otel.exporter=\"none\""));
    let invocation = match &turn.schema {
        Some(_) => invocation.arg("--output-schema").arg(turn.schema_path()),
        None => invocation,
    };
    match turn.resume.as_deref() {
        Some(thread) => invocation.last(&["resume", thread, "-"]),
        None => invocation.last(&["-"]),
    }
}

fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    match event.text("type") {
        Some("thread.started") => fold.session(event.text("thread_id")),
        Some("turn.started") => fold.tell(&Event::Step),
        Some("item.started") => {
            if let (Some(item), Some(name)) = (event.get("item"), event.text("item/type")) {
                fold.tell(&Event::ToolCall { id: item.text("id"), name, input: Some(item) });
            }
        }
        Some("item.completed") => item(fold, event),
        Some("turn.completed") => {
            if let Some(counts) = event.object("usage") {
                let cached = counts.count("cached_input_tokens");
                fold.tell(&Event::Usage(Usage {
                    counted: Counted::Session,
                    input: counts.count("input_tokens").saturating_sub(cached),
                    cache_read: cached,
                    cache_write: counts.count("cache_write_input_tokens"),
                    output: counts.count("output_tokens"),
                    reasoning: counts.count("reasoning_output_tokens"),
                    cost: Cost::Unknown,
                }));
            }
            fold.ended(Outcome::Succeeded);
        }
        // An `error` is not the end: each of its own tries is one.
        Some("error") => match event.text("message") {
            message @ Some(text) if text.starts_with("Reconnecting... ") => {
                let attempt = text["Reconnecting... ".len()..].split('/').next();
                fold.tell(&Event::Retry {
                    attempt: attempt.and_then(|attempt| attempt.parse().ok()),
                    delay_ms: None,
                    status: None,
                    message,
                });
            }
            message => fold.warning(message),
        },
        Some("turn.failed") => {
            let message = event.text("error/message").unwrap_or_default();
            fold.ended(failure(fold.facts, message));
        }
        _ => {}
    }
}

fn item(fold: &mut Fold<'_>, event: &Json<'_>) {
    match event.text("item/type") {
        Some("agent_message") => fold.text(event.text("item/text")),
        Some("reasoning") => fold.reasoning(event.text("item/text")),
        Some("error") => fold.warning(event.text("item/message")),
        Some(_) => fold.tell(&Event::ToolResult {
            id: event.text("item/id"),
            failed: !matches!(event.text("item/status"), None | Some("completed")),
            output: event.get("item/aggregated_output").or_else(|| event.get("item/result")),
        }),
        None => {}
    }
}

/// The message of `turn.failed` is all there is; each kind has its fixed beginning.
fn failure(facts: &Facts, message: &str) -> Outcome {
    let status = ["unexpected status ", "exceeded retry limit, last status: "]
        .into_iter()
        .find_map(|start| message.strip_prefix(start)?.get(..3)?.parse().ok());
    if let Some(outcome) = status.and_then(|status| facts.said(message).by_status(status)) {
        return outcome;
    }
    let reason = brief(message);
    let begins = |starts: &[&str]| starts.iter().any(|start| message.starts_with(start));
    if begins(&["Missing environment variable"]) {
        Outcome::NotAuthenticated { reason }
    } else if begins(&[
        "We’re currently experiencing high demand",
        "Selected model is at capacity",
        "stream disconnected before completion",
        "idle timeout waiting for SSE",
    ]) {
        Outcome::Unavailable { reason }
    } else {
        // A request that was refused is told as the provider's answer, whatever that calls it.
        facts.said(message).by_beginning().unwrap_or(Outcome::Failed { reason })
    }
}

fn exit(facts: &Facts, code: i32, stderr: &str) -> Option<Outcome> {
    if facts.seen {
        return None;
    }
    let mut lines = stderr.lines().map(str::trim);
    if lines.clone().any(|line| {
        line.starts_with("Error: thread/resume") && line.contains("no rollout found for thread id")
    }) {
        return Some(Outcome::LostSession);
    }
    // 2 is how its argument parser ends.
    let refused = lines.find(|line| {
        (code == 2 && line.starts_with("error: "))
            || line.starts_with("Not inside a trusted directory")
            || line.starts_with("No prompt provided")
    });
    let refused = refused.map(|refused| Outcome::Misused { reason: brief(refused) });
    refused.or_else(|| on_stderr(facts, code, stderr))
}
