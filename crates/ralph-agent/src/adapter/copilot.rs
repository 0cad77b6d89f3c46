//! GitHub Copilot CLI: `copilot`.

use super::{Adapter, Credentials, Invocation, Kept, on_stderr};
use crate::{
    Access, Capabilities, Event, Json, Outcome, Turn,
    parser::{Facts, Fold, brief},
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "copilot",
    programs: &["copilot"],
    can: Capabilities { effort: false, tokens: false, ..Capabilities::ALL },
    login: Credentials {
        variables: &["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"],
        kept: Some(Kept { moved_by: Some("COPILOT_HOME"), dir: ".copilot", file: "config.json" }),
    },
    invocation,
    fold: Some(fold),
    exit: on_stderr,
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    let invocation = Invocation::new(&["--output-format", "json", "--no-ask-user"]);
    let invocation = match turn.access {
        Access::Full => invocation.arg("--allow-all-tools"),
        Access::Edits => invocation.option("--allow-tool", Some("write")),
    };
    let invocation =
        invocation.option("--model", turn.model.as_deref()).env("COPILOT_AUTO_UPDATE", "false");
    invocation.session(turn, "--resume", "--session-id")
}

fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    match event.text("type") {
        Some("assistant.turn_start") => fold.tell(&Event::Step),
        Some("assistant.message") => {
            fold.text(event.text("data/content").filter(|text| !text.is_empty()));
        }
        Some("assistant.reasoning") => fold.reasoning(event.text("data/content")),
        Some("tool.execution_start") => fold.tell(&Event::ToolCall {
            id: event.text("data/toolCallId"),
            name: event.text("data/toolName").unwrap_or_default(),
            input: event.get("data/arguments"),
        }),
        Some("tool.execution_complete") => fold.tell(&Event::ToolResult {
            id: event.text("data/toolCallId"),
            failed: event.flag("data/success") == Some(false),
            output: event.get("data/result/content").or_else(|| event.get("data/error/message")),
        }),
        Some("session.error") => {
            let message = event.text("data/message");
            let kind = event.text("data/errorType").unwrap_or_default();
            fold.facts.memo = Some(format!("{kind}: {}", brief(message.unwrap_or_default())));
            fold.warning(message);
        }
        // Flat, not inside `data`.
        Some("result") => {
            fold.session(event.text("sessionId"));
            let outcome = match (event.whole("exitCode"), fold.facts.memo.take()) {
                (Some(0), _) => Outcome::Succeeded,
                (_, told) => failure(fold.facts, &told.unwrap_or_default()),
            };
            fold.ended(outcome);
        }
        _ => {}
    }
}

fn failure(facts: &Facts, told: &str) -> Outcome {
    let (kind, message) = told.split_once(": ").unwrap_or_default();
    let known = facts.said(told).by_kind(kind);
    match known.unwrap_or_else(|| facts.said(message).meaning()) {
        Outcome::Failed { .. } => Outcome::Failed { reason: told.to_owned() },
        known => known,
    }
}
