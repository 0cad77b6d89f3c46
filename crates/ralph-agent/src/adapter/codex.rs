//! Codex: `codex exec`.

use serde_json::Value;

use super::{Adapter, Invocation, by_status, count, text};
use crate::{
    Access, Counted, Outcome, Turn, Usage,
    parser::{Claim, Facts, brief},
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "codex",
    program: "codex",
    resumable: true,
    invocation,
    fold: Some(fold),
    exit,
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
        .option("resume", turn.resume.as_deref());
    invocation.arg("-")
}

fn fold(facts: &mut Facts, event: &Value) {
    match text(event, "/type") {
        Some("thread.started") => {
            facts.session_id = text(event, "/thread_id").map(str::to_owned);
        }
        Some("turn.started") => facts.claim = None,
        Some("item.completed") if text(event, "/item/type") == Some("agent_message") => {
            facts.text = text(event, "/item/text").map(str::to_owned);
        }
        Some("turn.completed") => {
            let cached = count(event, "/usage/cached_input_tokens");
            facts.usage = Some(Usage {
                counted: Counted::Session,
                input: count(event, "/usage/input_tokens").saturating_sub(cached),
                cache_read: cached,
                cache_write: count(event, "/usage/cache_write_input_tokens"),
                output: count(event, "/usage/output_tokens"),
                reasoning: count(event, "/usage/reasoning_output_tokens"),
                cost_usd: None,
            });
            facts.claim = Some(Claim::Good);
        }
        // An `error` is not the end: each of its own tries is one.
        Some("turn.failed") => {
            let message = text(event, "/error/message").unwrap_or_default();
            facts.claim = Some(Claim::Bad(failure(message)));
        }
        _ => {}
    }
}

/// The message of `turn.failed` is all there is; each kind has its fixed beginning.
fn failure(message: &str) -> Outcome {
    let status = ["unexpected status ", "exceeded retry limit, last status: "]
        .into_iter()
        .find_map(|start| message.strip_prefix(start)?.get(..3)?.parse().ok());
    if let Some(outcome) = status.and_then(|status| by_status(status, message)) {
        return outcome;
    }
    let reason = brief(message);
    let begins = |starts: &[&str]| starts.iter().any(|start| message.starts_with(start));
    if begins(&["rate limit exceeded", "You've hit your usage limit"]) {
        Outcome::RateLimited { until: None }
    } else if begins(&["Quota exceeded"]) {
        Outcome::OutOfQuota { reason }
    } else if begins(&["Missing environment variable"]) {
        Outcome::NotAuthenticated { reason }
    } else if begins(&[
        "We’re currently experiencing high demand",
        "Selected model is at capacity",
        "stream disconnected before completion",
        "idle timeout waiting for SSE",
    ]) {
        Outcome::Unavailable { reason }
    } else {
        Outcome::Failed { reason }
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
    })?;
    Some(Outcome::Misused { reason: brief(refused) })
}
