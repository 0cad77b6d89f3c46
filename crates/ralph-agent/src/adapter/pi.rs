//! Pi: `pi -p --mode json`.

use super::{Adapter, Credentials, Invocation, Kept, PROVIDERS, on_stderr, usage};
use crate::{Capabilities, Cost, Counted, Event, Json, Outcome, Turn, Usage, parser::Fold};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "pi",
    programs: &["pi"],
    can: Capabilities { session: false, edits: false, cost: true, ..Capabilities::ALL },
    login: Credentials {
        variables: PROVIDERS,
        kept: Some(Kept { moved_by: None, dir: ".pi/agent", file: "auth.json" }),
    },
    invocation,
    fold: Some(fold),
    exit: on_stderr,
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    Invocation::new(&["-p", "--mode", "json"])
        .option("--model", turn.model.as_deref())
        .option("--thinking", turn.effort.as_deref())
        .option("--session", turn.resume.as_deref())
        .switches(&["PI_SKIP_VERSION_CHECK"])
        .env("PI_TELEMETRY", "0")
}

fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    match event.text("type") {
        Some("session") => fold.session(event.text("id")),
        Some("turn_start") => fold.tell(&Event::Step),
        Some("tool_execution_start") => fold.tell(&Event::ToolCall {
            id: event.text("toolCallId"),
            name: event.text("toolName").unwrap_or_default(),
            input: event.get("args"),
        }),
        Some("tool_execution_end") => fold.tell(&Event::ToolResult {
            id: event.text("toolCallId"),
            failed: event.flag("isError") == Some(true),
            output: event.get("result"),
        }),
        Some("auto_retry_start") => fold.tell(&Event::Retry {
            attempt: Some(event.count("attempt")),
            delay_ms: Some(event.count("delayMs")),
            status: None,
            message: event.text("errorMessage"),
        }),
        // Its last words on a failure; what follows is only the end.
        Some("auto_retry_end") => {
            let error = event.text("finalError");
            fold.warning(error);
            if event.flag("success") == Some(false) {
                fold.facts.memo = Some(error.unwrap_or("its tries failed").to_owned());
            }
        }
        Some("turn_end") => step(fold, event),
        // With `willRetry` it is not the end. `agent_settled`, where there is one, repeats it.
        Some("agent_end") if event.flag("willRetry") != Some(true) => {
            let failure = fold.facts.memo.take();
            fold.ended(failure.map_or(Outcome::Succeeded, |told| fold.facts.said(&told).meaning()));
        }
        _ => {}
    }
}

fn step(fold: &mut Fold<'_>, event: &Json<'_>) {
    let Some(message) = event.get("message") else { return };
    for block in message.list("content") {
        match block.text("type") {
            Some("thinking") => fold.reasoning(block.text("thinking")),
            Some("text") => fold.text(block.text("text")),
            _ => {}
        }
    }
    if let Some(counts) = message.object("usage") {
        fold.tell(&Event::Usage(Usage {
            counted: Counted::Step,
            cost: Cost::measured(counts.real("cost/total")),
            ..usage(counts, ["input", "cacheRead", "cacheWrite", "output"])
        }));
    }
    // The exit is 0 after an error, too.
    fold.facts.memo = match message.text("stopReason") {
        Some(reason @ ("error" | "aborted")) => {
            Some(message.text("errorMessage").unwrap_or(reason).to_owned())
        }
        _ => None,
    };
}
