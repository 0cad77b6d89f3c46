//! Cursor: `agent -p`, formerly `cursor-agent`.

use super::{Adapter, Credentials, Invocation, on_stderr, usage};
use crate::{Access, Capabilities, Event, Final, Json, Outcome, Turn, parser::Fold};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "cursor",
    programs: &["cursor-agent", "agent"],
    can: Capabilities { effort: false, session: false, ..Capabilities::ALL },
    login: Credentials { variables: &["CURSOR_API_KEY"], kept: None },
    invocation,
    fold: Some(fold),
    exit: on_stderr,
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    // Without `--force` edits are only proposed; a sandbox is what is left to narrow it.
    let sandbox = (turn.access == Access::Edits).then_some("enabled");
    Invocation::new(&["-p", "--output-format", "stream-json", "--force", "--trust"])
        .option("--sandbox", sandbox)
        .option("--model", turn.model.as_deref())
        .option("--resume", turn.resume.as_deref())
}

fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    // The newest counts, not that of the first line.
    fold.session(event.text("session_id"));
    match (event.text("type"), event.text("subtype")) {
        (Some("thinking"), _) => fold.reasoning(event.text("text")),
        (Some("assistant"), _) => {
            for block in event.list("message/content") {
                fold.text(block.text("text"));
            }
        }
        (Some("tool_call"), subtype) => {
            let Some((kind, tool)) = event.get("tool_call").and_then(|call| call.fields().first())
            else {
                return;
            };
            let id = event.text("call_id");
            if subtype == Some("completed") {
                let failure = tool.get("result/error");
                let output = failure.or_else(|| tool.get("result/success"));
                fold.tell(&Event::ToolResult { id, failed: failure.is_some(), output });
            } else {
                let name = tool.text("name").unwrap_or(kind.trim_end_matches("ToolCall"));
                let input = tool.get("args").or_else(|| tool.get("arguments"));
                fold.tell(&Event::ToolCall { id, name, input });
            }
        }
        (Some("result"), subtype) => {
            const NAMES: [&str; 4] =
                ["inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens"];
            if let Some(counts) = event.object("usage") {
                fold.tell(&Event::Usage(usage(counts, NAMES)));
            }
            let text = event.text("result");
            let outcome = match (event.flag("is_error"), subtype) {
                (Some(false) | None, Some("success")) => Outcome::Succeeded,
                (_, subtype) => fold.facts.said(text.or(subtype).unwrap_or_default()).meaning(),
            };
            fold.tell(&Event::Final(Final { outcome, text }));
        }
        _ => {}
    }
}
