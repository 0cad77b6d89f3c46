//! A plugin: any program that prints the events of `docs/agent-events.md`.
//!
//! It is started as `PROGRAM [ARGUMENTS] run` with the prompt on stdin, and flags as in
//! `docs/runner-plugins.md`.

use super::{Adapter, Invocation};
use crate::{
    Access, Capabilities, Cost, Counted, Event, Final, Json, Outcome, Turn, Usage, parser::Fold,
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "plugin",
    can: Capabilities { cost: true, ..Capabilities::ALL },
    help: &["run"],
    invocation,
    fold: Some(fold),
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    let access = match turn.access {
        Access::Full => "full",
        Access::Edits => "edits",
    };
    Invocation::new(&["run", "--events", "1"])
        .option("--access", Some(access))
        .option("--model", turn.model.as_deref())
        .option("--effort", turn.effort.as_deref())
        .session(turn, "--resume", "--session")
        .env("RALPH_PROMPT_FILE", turn.prompt_path())
}

fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    let id = event.text("id");
    let text = event.text("text").unwrap_or_default();
    let until = event.text("until").and_then(|until| until.parse().ok());
    let number = |name| event.get(name).map(|_| event.count(name));
    let message = event.text("message");
    match event.text("type") {
        Some("session") => fold.session(id),
        Some("step") => fold.tell(&Event::Step),
        Some("text") => {
            fold.tell(&Event::Text { text, delta: event.flag("delta") == Some(true) });
        }
        Some("reasoning") => fold.reasoning(Some(text)),
        Some("tool_call") => fold.tell(&Event::ToolCall {
            id,
            name: event.text("name").unwrap_or_default(),
            input: event.get("input"),
        }),
        Some("tool_result") => fold.tell(&Event::ToolResult {
            id,
            failed: event.flag("failed") == Some(true),
            output: event.get("output"),
        }),
        Some("usage") => fold.tell(&Event::Usage(usage(event))),
        Some("retry") => fold.tell(&Event::Retry {
            attempt: number("attempt"),
            delay_ms: number("delay_ms"),
            status: number("status"),
            message,
        }),
        Some("rate_limit") => {
            fold.tell(&Event::RateLimit { rejected: event.flag("rejected") == Some(true), until });
        }
        Some("warning") => fold.warning(message),
        Some("final") => {
            let name = event.text("outcome").unwrap_or_default();
            let reason = event.text("reason").unwrap_or(name);
            let outcome = Outcome::named(name, reason, until)
                .unwrap_or_else(|| Outcome::Failed { reason: reason.to_owned() });
            fold.tell(&Event::Final(Final { outcome, text: event.text("text") }));
        }
        _ => {}
    }
}

fn usage(event: &Json<'_>) -> Usage {
    let cost = Cost::measured(event.real("cost/usd"));
    Usage {
        counted: match event.text("counted") {
            Some("session") => Counted::Session,
            Some("step") => Counted::Step,
            _ => Counted::Turn,
        },
        reasoning: event.count("reasoning"),
        cost: match (event.text("cost/kind"), cost) {
            (Some("estimated"), Cost::Measured { usd }) => Cost::Estimated { usd },
            _ => cost,
        },
        ..super::usage(event, ["input", "cache_read", "cache_write", "output"])
    }
}
