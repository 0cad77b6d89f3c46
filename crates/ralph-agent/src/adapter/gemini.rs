//! Gemini CLI: `gemini`.

use serde_json::Value;

use super::{Adapter, Invocation, by_status, count, text};
use crate::{
    Access, Counted, Outcome, Turn, Usage,
    parser::{Claim, Facts, brief},
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "gemini",
    program: "gemini",
    resumable: true,
    invocation,
    fold: Some(fold),
    exit,
};

fn invocation(turn: &Turn) -> Invocation {
    let approval = match turn.access {
        Access::Full => "yolo",
        Access::Edits => "auto_edit",
    };
    let invocation = Invocation::new(&["--output-format", "stream-json", "--skip-trust"])
        .option("--approval-mode", Some(approval))
        .option("--model", turn.model.as_deref());
    match (&turn.resume, &turn.session) {
        (Some(id), _) => invocation.option("--resume", Some(id)),
        (None, id) => invocation.option("--session-id", id.as_deref()),
    }
}

fn fold(facts: &mut Facts, event: &Value) {
    match text(event, "/type") {
        Some("init") => facts.session_id = text(event, "/session_id").map(str::to_owned),
        Some("message") if text(event, "/role") == Some("assistant") => {
            let piece = text(event, "/content").unwrap_or_default();
            let said = facts.text.get_or_insert_default();
            // Pieces of one answer follow each other; anything else ends it.
            if !facts.text_open {
                said.clear();
            }
            said.push_str(piece);
            facts.text_open = true;
            return;
        }
        // The run ends here, though the final event will tell of success.
        Some("error") if text(event, "/message") == Some("Loop detected, stopping execution") => {
            facts.error_kind = text(event, "/message").map(str::to_owned);
        }
        Some("error") if text(event, "/severity") == Some("error") => {
            facts.error_kind = text(event, "/message").map(str::to_owned);
        }
        Some("result") => result(facts, event),
        _ => {}
    }
    facts.text_open = false;
}

fn result(facts: &mut Facts, event: &Value) {
    let input = count(event, "/stats/input_tokens");
    let output = count(event, "/stats/output_tokens");
    // Reasoning is only in the total.
    let reasoning = count(event, "/stats/total_tokens").saturating_sub(input + output);
    let cache_read = count(event, "/stats/cached");
    facts.usage = Some(Usage {
        counted: Counted::Turn,
        input: input.saturating_sub(cache_read),
        cache_read,
        cache_write: 0,
        output: output + reasoning,
        reasoning,
        cost_usd: None,
    });
    let told = text(event, "/error/message").or(facts.error_kind.as_deref());
    facts.claim = Some(match (text(event, "/status"), told) {
        (Some("success"), None) => Claim::Good,
        (_, told) => Claim::Bad(failure(told.unwrap_or("it told no reason"))),
    });
}

/// The message may be the provider's answer as it came: `[API Error: {...}]`.
fn failure(message: &str) -> Outcome {
    let answer = message.strip_prefix("[API Error: ").unwrap_or(message);
    let mut documents = serde_json::Deserializer::from_str(answer).into_iter::<Value>();
    let answer = documents.next().and_then(Result::ok).unwrap_or_default();
    let reason = brief(text(&answer, "/error/message").unwrap_or(message));
    // A wrong key is a bad request (400) to this provider.
    if reason.starts_with("API key not valid") {
        Outcome::NotAuthenticated { reason }
    } else {
        Outcome::Failed { reason }
    }
}

fn exit(facts: &Facts, code: i32, stderr: &str) -> Option<Outcome> {
    let told = match &facts.claim {
        Some(Claim::Bad(Outcome::Failed { reason })) => Some(reason.as_str()),
        _ => stderr.lines().map(str::trim).find(|line| !line.is_empty() && !is_noise(line)),
    };
    let reason = brief(told.unwrap_or_default());
    let resuming = stderr.lines().any(|line| line.starts_with("Error resuming session"));
    Some(match code {
        41 => Outcome::NotAuthenticated { reason },
        42 if resuming => Outcome::LostSession,
        42 | 44 | 52 | 55 => Outcome::Misused { reason },
        53 => Outcome::LimitReached { reason },
        130 => Outcome::Interrupted,
        // The provider's status, cut to eight bits by the exit.
        144..=255 => by_status(256 + u64::try_from(code).ok()?, &reason)?,
        _ => return None,
    })
}

/// What it says on stderr also when all is well.
fn is_noise(line: &str) -> bool {
    ["YOLO mode is enabled", "Ripgrep is not available", "Warning: "]
        .iter()
        .any(|start| line.starts_with(start))
}
