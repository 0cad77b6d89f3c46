//! opencode 1.x: `opencode run`.

use std::time::Duration;

use ralph_state::Timestamp;
use serde_json::Value;

use super::{Adapter, Invocation, by_status, count, text};
use crate::{
    Access, Counted, Outcome, Turn,
    parser::{Claim, Facts, brief},
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "opencode",
    program: "opencode",
    resumable: true,
    invocation,
    fold: Some(fold),
    exit,
};

fn invocation(turn: &Turn) -> Invocation {
    let invocation = Invocation::new(&["run", "--format", "json"]);
    let invocation = match turn.access {
        Access::Full => invocation.arg("--auto"),
        Access::Edits => invocation,
    };
    // A prompt as argument would be quoted again; on stdin it stays as it is. A session
    // resumed elsewhere than in its directory hangs.
    invocation
        .option("--model", turn.model.as_deref())
        .option("--variant", turn.effort.as_deref())
        .option("--session", turn.resume.as_deref())
        .env("OPENCODE_DISABLE_AUTOUPDATE", "1")
}

fn fold(facts: &mut Facts, event: &Value) {
    if let Some(id) = text(event, "/sessionID").filter(|id| !id.is_empty()) {
        facts.session_id = Some(id.to_owned());
    }
    match text(event, "/type") {
        // There is no final event: the last step that ended stands for one, until
        // another begins.
        Some("step_start" | "tool_use") => facts.claim = None,
        Some("text") => facts.text = text(event, "/part/text").map(str::to_owned),
        Some("step_finish") => {
            step(facts, event);
            facts.claim = match text(event, "/part/reason") {
                Some("stop") => Some(Claim::Good),
                Some("length") => Some(Claim::Bad(Outcome::Failed {
                    reason: "the answer was cut at the model's limit".to_owned(),
                })),
                _ => None,
            };
        }
        Some("error") => facts.claim = Some(Claim::Bad(failure(event))),
        _ => {}
    }
}

fn step(facts: &mut Facts, event: &Value) {
    let usage = facts.usage.get_or_insert_default();
    let reasoning = count(event, "/part/tokens/reasoning");
    usage.counted = Counted::Turn;
    usage.input += count(event, "/part/tokens/input");
    usage.cache_read += count(event, "/part/tokens/cache/read");
    usage.cache_write += count(event, "/part/tokens/cache/write");
    usage.output += count(event, "/part/tokens/output") + reasoning;
    usage.reasoning += reasoning;
    if let Some(cost) = event.pointer("/part/cost").and_then(Value::as_f64) {
        *usage.cost_usd.get_or_insert_default() += cost;
    }
}

fn failure(event: &Value) -> Outcome {
    let message = text(event, "/error/data/message")
        .or_else(|| text(event, "/error/message"))
        .or_else(|| text(event, "/error/name"))
        .unwrap_or_default();
    let reason = brief(message);
    let body = text(event, "/error/data/responseBody").unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    if text(&body, "/error/code") == Some("insufficient_quota") {
        return Outcome::OutOfQuota { reason };
    }
    match by_status(count(event, "/error/data/statusCode"), message) {
        Some(Outcome::RateLimited { .. }) => Outcome::RateLimited { until: retry_at(event) },
        Some(outcome) => outcome,
        None if message.starts_with("Cannot connect to API") => Outcome::Unavailable { reason },
        None => Outcome::Failed { reason },
    }
}

/// When the provider said to come back: so many seconds after the event.
fn retry_at(event: &Value) -> Option<Timestamp> {
    let seconds = text(event, "/error/data/responseHeaders/retry-after")?.parse().ok()?;
    let told = event["timestamp"].as_u64()?;
    Timestamp::from_unix_nanos(i128::from(told) * 1_000_000)?
        .checked_add(Duration::from_secs(seconds))
}

fn exit(facts: &Facts, code: i32, stderr: &str) -> Option<Outcome> {
    let mut lines = stderr.lines().map(str::trim);
    // Whatever needs a question is rejected, and the run ends there.
    let rejected = |line: &&str| line.starts_with("! permission requested: ");
    if let (0, None, Some(line)) = (code, &facts.claim, lines.clone().rfind(rejected)) {
        return Some(Outcome::Failed { reason: brief(line.trim_start_matches("! ")) });
    }
    if facts.seen {
        return None;
    }
    if lines.clone().any(|line| line == "Error: Session not found") {
        return Some(Outcome::LostSession);
    }
    let refused = lines.find(|line| line.starts_with("Error: You must provide a message"))?;
    Some(Outcome::Misused { reason: brief(refused) })
}
