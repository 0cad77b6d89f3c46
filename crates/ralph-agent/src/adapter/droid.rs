//! Droid: `droid exec`.

use super::{Adapter, Credentials, Invocation, Kept, on_stderr};
use crate::{Access, Capabilities, Event, Final, Json, Outcome, Turn, parser::Fold};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "droid",
    programs: &["droid"],
    can: Capabilities { session: false, tokens: false, ..Capabilities::ALL },
    help: &["exec"],
    login: Credentials {
        variables: &["FACTORY_API_KEY"],
        kept: Some(Kept { moved_by: None, dir: ".factory", file: "auth.json" }),
    },
    invocation,
    fold: Some(fold),
    exit: on_stderr,
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    let invocation = Invocation::new(&["exec", "--output-format", "stream-json"]);
    let invocation = match turn.access {
        Access::Full => invocation.arg("--skip-permissions-unsafe"),
        Access::Edits => invocation.option("--auto", Some("low")),
    };
    invocation
        .option("--model", turn.model.as_deref())
        .option("--reasoning-effort", turn.effort.as_deref())
        .option("--session-id", turn.resume.as_deref())
        .env("FACTORY_DROID_AUTO_UPDATE_ENABLED", "false")
}

fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    match event.text("type") {
        // The id of `system` is not the one to resume.
        Some("system") => return,
        Some("message") if event.text("role") == Some("assistant") => fold.text(event.text("text")),
        Some("tool_call") => fold.tell(&Event::ToolCall {
            id: event.text("id"),
            name: event.text("toolName").unwrap_or_default(),
            input: event.get("parameters"),
        }),
        Some("tool_result") => fold.tell(&Event::ToolResult {
            id: event.text("id"),
            failed: event.flag("isError") == Some(true),
            output: event.get("value").or_else(|| event.get("error")),
        }),
        Some("error") => {
            let message = event.text("message").unwrap_or_default();
            fold.warning(Some(message));
            fold.ended(fold.facts.said(message).meaning());
        }
        Some("completion") => {
            fold.tell(&Event::Final(Final {
                outcome: Outcome::Succeeded,
                text: event.text("finalText"),
            }));
        }
        _ => {}
    }
    fold.session(event.text("session_id"));
}
