//! Kimi, the two programs of that name: Kimi Code and the older `kimi-cli`.

use super::{Adapter, Credentials, Dialects, Invocation, Kept};
use crate::{
    Access, Capabilities, Event, Json, Outcome, Turn,
    parser::{Facts, Fold},
    probe::mentions,
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "kimi",
    programs: &["kimi"],
    can: Capabilities {
        effort: false,
        session: false,
        edits: false,
        tokens: false,
        ..Capabilities::ALL
    },
    login: Credentials {
        variables: &["KIMI_API_KEY"],
        kept: Some(Kept { moved_by: None, dir: ".kimi-code", file: "" }),
    },
    dialects: Some(Dialects { ask: &["--help"], tell }),
    invocation,
    fold: Some(fold),
    exit,
    ..Adapter::BASE
};

pub(crate) const LEGACY: Adapter = Adapter {
    name: "kimi-cli",
    can: Capabilities { session: true, ..ADAPTER.can },
    programs: &["kimi-cli", "kimi"],
    login: Credentials {
        variables: &["KIMI_API_KEY"],
        kept: Some(Kept { moved_by: None, dir: ".kimi", file: "" }),
    },
    invocation: legacy,
    ..ADAPTER
};

/// The older one alone has a flag for what is not interactive.
fn tell(help: &str) -> Option<&'static Adapter> {
    if mentions(help, "--print") {
        Some(&LEGACY)
    } else {
        mentions(help, "--output-format").then_some(&ADAPTER)
    }
}

fn invocation(turn: &Turn) -> Invocation {
    // It takes no prompt on stdin, and an argument has a limit and is seen by everybody.
    let prompt = format!("Read the file {} and do what it says.", turn.prompt_path().display());
    Invocation::new(&["--output-format", "stream-json"])
        .option("-m", turn.model.as_deref())
        .option("-S", turn.resume.as_deref())
        .option("-p", Some(&prompt))
        .switches(&["KIMI_CODE_NO_AUTO_UPDATE", "KIMI_DISABLE_TELEMETRY"])
}

fn legacy(turn: &Turn) -> Invocation {
    let approval: &[&str] = if turn.access == Access::Full { &["--yolo"] } else { &[] };
    Invocation::new(&["--print", "--input-format", "text", "--output-format", "stream-json"])
        .args(approval)
        .option("--model", turn.model.as_deref())
        // It never tells its session: the one to resume was chosen.
        .option("--session", turn.resume.as_deref().or(turn.session.as_deref()))
        .switches(&["KIMI_CLI_NO_AUTO_UPDATE"])
}

/// It prints no event for a failure: the last try says what the provider answered, and stderr
/// what became of the rest.
fn exit(facts: &Facts, code: i32, stderr: &str) -> Option<Outcome> {
    if code == 0 || facts.claim.is_some() {
        return None;
    }
    let tried = facts.retry.as_ref();
    tried
        .and_then(|it| facts.said(&it.message).by_status(it.status))
        .or_else(|| facts.said(stderr).by_line())
}

/// There is no final event: an answer that asks for no tool stands for one.
fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    match (event.text("role"), event.text("type")) {
        (Some("assistant"), _) => {
            fold.text(event.text("content").filter(|text| !text.is_empty()));
            for block in event.list("content") {
                match block.text("type") {
                    Some("think") => fold.reasoning(block.text("think")),
                    _ => fold.text(block.text("text")),
                }
            }
            let calls = event.list("tool_calls");
            for call in calls {
                fold.tell(&Event::ToolCall {
                    id: call.text("id"),
                    name: call.text("function/name").unwrap_or_default(),
                    input: call.get("function/arguments"),
                });
            }
            if calls.is_empty() {
                fold.ended(Outcome::Succeeded);
            }
        }
        (Some("tool"), _) => fold.tell(&Event::ToolResult {
            id: event.text("tool_call_id"),
            failed: false,
            output: event.get("content"),
        }),
        (Some("meta"), Some("turn.step.retrying")) => fold.tell(&Event::Retry {
            attempt: Some(event.count("next_attempt")),
            delay_ms: Some(event.count("delay_ms")),
            status: event.get("status_code").map(|_| event.count("status_code")),
            message: event.text("error_message"),
        }),
        (Some("meta"), Some("session.resume_hint")) => fold.session(event.text("session_id")),
        _ => {}
    }
}
