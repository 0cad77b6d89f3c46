//! opencode: `opencode run`, of version 1 and of version 2.

use std::time::Duration;

use ralph_state::Timestamp;

use super::{Adapter, Credentials, Dialects, Invocation, Kept, PROVIDERS, on_stderr};
use crate::{
    Access, Capabilities, Cost, Counted, Event, Json, Outcome, Turn, Usage,
    parser::{Facts, Fold, brief},
};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "opencode",
    programs: &["opencode"],
    can: Capabilities { session: false, cost: true, ..Capabilities::ALL },
    help: &["run"],
    login: Credentials {
        variables: PROVIDERS,
        kept: Some(Kept {
            moved_by: Some("XDG_DATA_HOME"),
            dir: ".local/share",
            file: "opencode/auth.json",
        }),
    },
    dialects: Some(Dialects { ask: &["--version"], tell }),
    invocation,
    fold: Some(fold),
    exit,
    ..Adapter::BASE
};

/// The rewrite, which is another program.
pub(crate) const VERSION_2: Adapter = Adapter {
    name: "opencode2",
    programs: &["opencode2", "opencode"],
    can: Capabilities { effort: false, ..ADAPTER.can },
    invocation: version_2,
    ..ADAPTER
};

fn tell(version: &str) -> Option<&'static Adapter> {
    let mut words = version.split_whitespace().map(|word| word.trim_start_matches('v'));
    let major: u32 = words.find_map(|word| word.split_once('.')?.0.parse().ok())?;
    Some(if major < 2 { &ADAPTER } else { &VERSION_2 })
}

/// Nothing is fetched that no model asked for. Its default plugins stay: with some providers
/// they are what logs in.
const SWITCHES: [&str; 3] = [
    "OPENCODE_DISABLE_AUTOUPDATE",
    "OPENCODE_DISABLE_LSP_DOWNLOAD",
    "OPENCODE_DISABLE_MODELS_FETCH",
];

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
        .switches(&SWITCHES)
}

fn version_2(turn: &Turn) -> Invocation {
    let approval: &[&str] = if turn.access == Access::Full { &["--auto"] } else { &[] };
    // Alone it would hand its work to a server that no signal of ours reaches.
    Invocation::new(&["run", "--standalone", "--format", "json"])
        .args(approval)
        .option("--model", turn.model.as_deref())
        .option("--session", turn.resume.as_deref())
        .switches(&SWITCHES)
}

fn fold(fold: &mut Fold<'_>, event: &Json<'_>) {
    fold.session(event.text("sessionID"));
    match event.text("type") {
        Some("step_start") => fold.tell(&Event::Step),
        Some("text") => fold.text(event.text("part/text")),
        Some("reasoning") => fold.reasoning(event.text("part/text")),
        // One line, when the tool has ended.
        Some("tool_use") => {
            let id = event.text("part/callID").or_else(|| event.text("part/id"));
            fold.tell(&Event::ToolCall {
                id,
                name: event.text("part/tool").unwrap_or_default(),
                input: event.get("part/state/input"),
            });
            fold.tell(&Event::ToolResult {
                id,
                failed: event.text("part/state/status") == Some("error"),
                output: event.get("part/state/output").or_else(|| event.get("part/state/error")),
            });
        }
        Some("step_finish") => {
            fold.tell(&Event::Usage(step(event)));
            // There is no final event: the last step that ended stands for one, until
            // another begins.
            match event.text("part/reason") {
                Some("stop") => fold.ended(Outcome::Succeeded),
                Some("length") => fold.ended(Outcome::Failed {
                    reason: "the answer was cut at the model's limit".to_owned(),
                }),
                _ => {}
            }
        }
        // It makes the context smaller, and goes on.
        Some("error") if event.text("error/name") == Some("ContextOverflowError") => {
            fold.warning(event.text("error/data/message"));
        }
        Some("error") => fold.ended(failure(fold.facts, event)),
        _ => {}
    }
}

fn step(event: &Json<'_>) -> Usage {
    let reasoning = event.count("part/tokens/reasoning");
    Usage {
        counted: Counted::Step,
        input: event.count("part/tokens/input"),
        cache_read: event.count("part/tokens/cache/read"),
        cache_write: event.count("part/tokens/cache/write"),
        output: event.count("part/tokens/output").saturating_add(reasoning),
        reasoning,
        cost: Cost::measured(event.real("part/cost")),
    }
}

fn failure(facts: &Facts, event: &Json<'_>) -> Outcome {
    let message = event
        .text("error/data/message")
        .or_else(|| event.text("error/message"))
        .or_else(|| event.text("error/name"))
        .unwrap_or_default();
    let reason = brief(message);
    let body = event.text("error/data/responseBody").unwrap_or_default();
    let body = Json::parse(body).unwrap_or_default();
    if body.text("error/code") == Some("insufficient_quota") {
        return Outcome::OutOfQuota { reason };
    }
    if event.text("error/name") == Some("ProviderAuthError") {
        return Outcome::NotAuthenticated { reason };
    }
    let said = facts.said(message);
    match said.by_status(event.count("error/data/statusCode")) {
        Some(Outcome::RateLimited { until }) => {
            Outcome::RateLimited { until: retry_at(event).or(until) }
        }
        Some(outcome) => outcome,
        // Version 2 has a kind in place of a name.
        None => event
            .text("error/type")
            .and_then(|kind| said.by_kind(kind))
            .unwrap_or_else(|| said.meaning()),
    }
}

/// When the provider said to come back: so many seconds after the event.
fn retry_at(event: &Json<'_>) -> Option<Timestamp> {
    let seconds = event.text("error/data/responseHeaders/retry-after")?.parse().ok()?;
    let told = event.whole("timestamp")?;
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
    match lines.find(|line| line.starts_with("Error: You must provide a message")) {
        Some(refused) => Some(Outcome::Misused { reason: brief(refused) }),
        None => on_stderr(facts, code, stderr),
    }
}
