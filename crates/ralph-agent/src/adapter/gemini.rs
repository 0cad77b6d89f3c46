//! Gemini CLI: `gemini`.

use serde_json::json;

use super::{Adapter, Credentials, Invocation, Kept};
use crate::{
    Access, Capabilities, Cost, Counted, Event, Json, Outcome, Turn, Usage,
    parser::{Claim, Facts, Fold, brief},
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "gemini",
    programs: &["gemini"],
    can: Capabilities { effort: false, ..Capabilities::ALL },
    login: Credentials {
        variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        kept: Some(Kept { moved_by: None, dir: ".gemini", file: "oauth_creds.json" }),
    },
    invocation,
    fold: Some(fold),
    exit,
    ..Adapter::BASE
};

/// The file of a turn with settings for it.
const DEFAULTS: &str = "gemini-defaults.json";

fn invocation(turn: &Turn) -> Invocation {
    let approval = match turn.access {
        Access::Full => "yolo",
        Access::Edits => "auto_edit",
    };
    // The weakest of its layers, so that the user's settings still win.
    let defaults = json!({
        "privacy": { "usageStatisticsEnabled": false },
        "general": { "enableAutoUpdate": false, "enableAutoUpdateNotification": false },
    });
    let invocation = Invocation::new(&["--output-format", "stream-json", "--skip-trust"])
        .option("--approval-mode", Some(approval))
        .option("--model", turn.model.as_deref())
        .env("GEMINI_CLI_SYSTEM_DEFAULTS_PATH", turn.files.join(DEFAULTS))
        .file(DEFAULTS, defaults.to_string());
    match (&turn.resume, &turn.session) {
        (Some(id), _) => invocation.option("--resume", Some(id)),
        (None, id) => invocation.option("--session-id", id.as_deref()),
    }
}

fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    match event.text("type") {
        Some("init") => fold.session(event.text("session_id")),
        Some("message") if event.text("role") == Some("assistant") => {
            let text = event.text("content").unwrap_or_default();
            fold.tell(&Event::Text { text, delta: true });
        }
        Some("tool_use") => fold.tell(&Event::ToolCall {
            id: event.text("tool_id"),
            name: event.text("tool_name").unwrap_or_default(),
            input: event.get("parameters"),
        }),
        Some("tool_result") => fold.tell(&Event::ToolResult {
            id: event.text("tool_id"),
            failed: event.text("status") == Some("error"),
            output: event.get("output").or_else(|| event.get("error/message")),
        }),
        Some("error") => {
            let message = event.text("message");
            // A loop ends the run, though the final event will tell of success.
            if event.text("severity") == Some("error")
                || message == Some("Loop detected, stopping execution")
            {
                fold.facts.memo = message.map(str::to_owned);
            }
            fold.warning(message);
        }
        Some("result") => result(fold, event),
        _ => {}
    }
}

fn result(fold: &mut Fold<'_>, event: &Json<'_>) {
    if let Some(stats) = event.object("stats") {
        let input = stats.count("input_tokens");
        let output = stats.count("output_tokens");
        // Reasoning is only in the total.
        let reasoning = stats.count("total_tokens").saturating_sub(input.saturating_add(output));
        let cache_read = stats.count("cached");
        fold.tell(&Event::Usage(Usage {
            counted: Counted::Turn,
            input: input.saturating_sub(cache_read),
            cache_read,
            cache_write: 0,
            output: output.saturating_add(reasoning),
            reasoning,
            cost: Cost::Unknown,
        }));
    }
    let told = event.text("error/message").or(fold.facts.memo.as_deref());
    let outcome = match (event.text("status"), told) {
        (Some("success"), None) => Outcome::Succeeded,
        (_, told) => failure(fold.facts, told.unwrap_or("it told no reason")),
    };
    fold.ended(outcome);
}

/// The message may be the provider's answer as it came: `[API Error: {...}]`.
fn failure(facts: &Facts, message: &str) -> Outcome {
    let answer = message.strip_prefix("[API Error: ").unwrap_or(message);
    let mut documents = serde_json::Deserializer::from_str(answer).into_iter::<Json<'_>>();
    let answer = documents.next().and_then(Result::ok).unwrap_or_default();
    let reason = brief(answer.text("error/message").unwrap_or(message));
    // A wrong key is a bad request (400) to this provider.
    if reason.starts_with("API key not valid") {
        Outcome::NotAuthenticated { reason }
    } else if ["[API Error: terminated]", "Model stream ended without a finish reason."]
        .contains(&message)
    {
        Outcome::Unavailable { reason }
    } else {
        let known = facts.said(&reason).by_status(answer.count("error/code"));
        match known.unwrap_or_else(|| facts.said(message).meaning()) {
            Outcome::Failed { .. } => Outcome::Failed { reason },
            known => known,
        }
    }
}

fn exit(facts: &Facts, code: i32, stderr: &str) -> Option<Outcome> {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = match &facts.claim {
        // Its own word says more than the code.
        Some(Claim::Bad(outcome)) if !matches!(outcome, Outcome::Failed { .. }) => return None,
        Some(Claim::Bad(outcome)) => outcome.reason(),
        _ => None,
    };
    // It says first what became of the approval mode, then why.
    let trust = |line: &&str| code == 55 && line.contains("--skip-trust");
    let told =
        told.or_else(|| lines.clone().find(trust)).or_else(|| lines.find(|line| !is_noise(line)));
    let reason = brief(told.unwrap_or_default());
    let resuming = stderr.lines().any(|line| line.starts_with("Error resuming session"));
    Some(match code {
        41 => Outcome::NotAuthenticated { reason },
        42 if resuming => Outcome::LostSession,
        42 | 44 | 52 | 55 => Outcome::Misused { reason },
        53 => Outcome::LimitReached { reason },
        130 => Outcome::Interrupted,
        // The provider's status, cut to eight bits by the exit.
        144..=255 => facts.said(&reason).by_status(256 + u64::try_from(code).ok()?)?,
        _ => return None,
    })
}

/// What it says on stderr also when all is well.
fn is_noise(line: &str) -> bool {
    const NOISE: [&str; 4] = [
        "YOLO mode is enabled",
        "Ripgrep is not available",
        "Warning: ",
        "Error when talking to Gemini API Full report",
    ];
    NOISE.iter().any(|start| line.starts_with(start))
}
