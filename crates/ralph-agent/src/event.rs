//! What an agent does while it works, in terms every agent shares.
//!
//! This is a format: `docs/agent-events.md` describes it, [`EVENT_VERSION`] counts it. It
//! is written by `ralph runner parse --events` and read from plugins.

use ralph_state::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::{Outcome, Usage, json::Json};

/// The version of the format of events. A kind or a field that is added keeps it.
pub const EVENT_VERSION: u32 = 1;

/// One thing an agent did or told. Borrows from the line that told it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event<'a> {
    /// The session has this id; a later turn may go on with it.
    Session {
        /// The id.
        id: &'a str,
    },
    /// Another request to the model begins; what was final is so no longer.
    Step,
    /// The agent says something.
    Text {
        /// What.
        text: &'a str,
        /// It goes on where the text before it ended.
        #[serde(skip_serializing_if = "is_whole")]
        delta: bool,
    },
    /// The agent thinks aloud.
    Reasoning {
        /// What it thinks.
        text: &'a str,
    },
    /// The agent uses a tool.
    ToolCall {
        /// Joins it with its result.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        /// The tool, in the agent's own words.
        name: &'a str,
        /// What the tool is given.
        #[serde(skip_serializing_if = "Option::is_none")]
        input: Option<&'a Json<'a>>,
    },
    /// A tool is done.
    ToolResult {
        /// Joins it with its call.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        /// The agent calls it a failure. That none does so proves nothing.
        failed: bool,
        /// What came out.
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<&'a Json<'a>>,
    },
    /// What was used.
    Usage(Usage),
    /// A request failed; the agent tries again by itself.
    Retry {
        /// Which try is the next one, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        attempt: Option<u64>,
        /// How long it waits before that.
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u64>,
        /// The HTTP status.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u64>,
        /// What it says of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<&'a str>,
    },
    /// News of a limit of the account.
    RateLimit {
        /// Requests are refused, rather than about to be.
        rejected: bool,
        /// When the limit ends, if the agent said so.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Something is wrong that need not end the turn.
    Warning {
        /// What.
        message: &'a str,
    },
    /// The agent is done. With some agents more may follow, and then another of these.
    Final(Final<'a>),
}

/// How an agent says that it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Final<'a> {
    /// How.
    pub outcome: Outcome,
    /// Its answer, where it repeats it here.
    pub text: Option<&'a str>,
}

impl Event<'_> {
    /// The name of its kind, as in its JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Session { .. } => "session",
            Self::Step => "step",
            Self::Text { .. } => "text",
            Self::Reasoning { .. } => "reasoning",
            Self::ToolCall { .. } => "tool_call",
            Self::ToolResult { .. } => "tool_result",
            Self::Usage(_) => "usage",
            Self::Retry { .. } => "retry",
            Self::RateLimit { .. } => "rate_limit",
            Self::Warning { .. } => "warning",
            Self::Final(_) => "final",
        }
    }
}

impl Serialize for Final<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("outcome", self.outcome.as_str())?;
        if let Some(reason) = self.outcome.reason() {
            map.serialize_entry("reason", reason)?;
        }
        if let Some(until) = self.outcome.until() {
            map.serialize_entry("until", &until)?;
        }
        if let Some(text) = self.text {
            map.serialize_entry("text", text)?;
        }
        map.end()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_whole(delta: &bool) -> bool {
    !*delta
}
