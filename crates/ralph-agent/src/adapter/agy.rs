//! Antigravity CLI: `agy`.

use serde_json::json;

use super::{Adapter, Credentials, Invocation, Kept, on_stderr, usage};
use crate::{Access, Capabilities, Event, Final, Json, Outcome, Turn, Usage, parser::Fold};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "agy",
    programs: &["agy"],
    can: Capabilities { session: false, ..Capabilities::ALL },
    login: Credentials {
        variables: &[],
        kept: Some(Kept { moved_by: None, dir: ".gemini", file: "antigravity-cli" }),
    },
    invocation,
    fold: Some(fold),
    exit: on_stderr,
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    let text = json!([{ "type": "text", "text": turn.prompt }]);
    let line = json!({ "event": "user", "message": { "role": "user", "content": text } });
    let minutes = turn.limit.map_or(24 * 60, |limit| limit.as_secs().div_ceil(60) + 1);
    let approval: &[&str] =
        if turn.access == Access::Full { &["--dangerously-skip-permissions"] } else { &[] };
    Invocation::new(&["--input-format", "stream-json", "--output-format", "stream-json"])
        .args(approval)
        // Five minutes unless told otherwise. A bare `-p` would swallow the next word.
        .option("--print-timeout", Some(&format!("{minutes}m")))
        .arg("--add-dir")
        .arg(&turn.dir)
        .option("--model", turn.model.as_deref())
        .option("--effort", turn.effort.as_deref())
        .option("--conversation", turn.resume.as_deref())
        .stdin(format!("{line}\n"))
}

fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    fold.session(event.text("conversation_id"));
    match event.text("event") {
        Some("step_update") => {
            let update = event.get("step_update").unwrap_or(event);
            if let Some(tool) = update.get("tool_info") {
                let name = tool.text("name").unwrap_or_default();
                match tool.get("output") {
                    None => {
                        let input = tool.get("parameters");
                        fold.tell(&Event::ToolCall { id: None, name, input });
                    }
                    output => fold.tell(&Event::ToolResult { id: None, failed: false, output }),
                }
            }
        }
        Some("result") => {
            let Some(result) = event.get("result") else { return };
            if let Some(counts) = result.object("usage") {
                const NAMES: [&str; 4] =
                    ["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"];
                let reasoning = counts.count("thinking_tokens");
                fold.tell(&Event::Usage(Usage { reasoning, ..usage(counts, NAMES) }));
            }
            let text = result.text("response");
            let outcome = match result.text("status") {
                Some("SUCCESS") => Outcome::Succeeded,
                Some(reason @ "CANCELED") => Outcome::Truncated { reason: reason.to_owned() },
                _ => fold.facts.said(text.unwrap_or_default()).meaning(),
            };
            fold.tell(&Event::Final(Final { outcome, text }));
        }
        _ => {}
    }
}
