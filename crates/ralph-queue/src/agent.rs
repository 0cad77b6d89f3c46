//! What 0.4.0 takes below a task's `agent`, as data: it refuses a file that has anything else there.

use std::fmt;

use serde_json::json;

use crate::value::{Map, Value};

/// What a key may hold. `null` is as good as nothing, but for [`NEVER_NULL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A text that is not blank.
    Text,
    Word(&'static [&'static str]),
    /// From 1 to this.
    Whole(u8),
    Object(Keys),
}

type Keys = &'static [(&'static str, Kind)];

/// 0.4.0 leaves it out for `default`, and reads no `null`.
const NEVER_NULL: &str = "model_effort";

const AGENT: Keys = &[
    ("runner", Kind::Text),
    ("model", Kind::Text),
    (NEVER_NULL, Kind::Word(&["default", "low", "medium", "high", "xhigh"])),
    ("phases", Kind::Whole(3)),
    ("iterations", Kind::Whole(u8::MAX)),
    ("followup_reasoning_effort", EFFORT),
    (
        "runner_cli",
        Kind::Object(&[
            ("output_format", Kind::Word(&["stream_json", "json", "text"])),
            ("verbosity", Kind::Word(&["quiet", "normal", "verbose"])),
            ("approval_mode", Kind::Word(&["default", "auto_edits", "yolo", "safe"])),
            ("sandbox", SWITCH),
            ("plan_mode", SWITCH),
            ("unsupported_option_policy", Kind::Word(&["ignore", "warn", "error"])),
        ]),
    ),
    ("phase_overrides", Kind::Object(&[("phase1", PHASE), ("phase2", PHASE), ("phase3", PHASE)])),
];
const EFFORT: Kind = Kind::Word(&["low", "medium", "high", "xhigh"]);
const SWITCH: Kind = Kind::Word(&["default", "enabled", "disabled"]);
const PHASE: Kind =
    Kind::Object(&[("runner", Kind::Text), ("model", Kind::Text), ("reasoning_effort", EFFORT)]);

/// What is wrong with one place below `agent`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct AgentFault {
    /// Where, such as `agent.runner_cli.sandbox`.
    pub field: String,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Not(Kind),
    Unknown(Keys),
}

impl AgentFault {
    /// The key is none of those that are known. In a file it is kept.
    pub fn is_unknown(&self) -> bool {
        matches!(self.reason, Reason::Unknown(_))
    }

    /// The value is a number out of its range, or none where one belongs.
    pub(crate) fn is_of_number(&self) -> bool {
        matches!(self.reason, Reason::Not(Kind::Whole(_)))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Not(Kind::Text) => f.write_str("must be a text that is not blank"),
            Self::Not(Kind::Word(words)) => write!(f, "must be one of {}", words.join(", ")),
            Self::Not(Kind::Whole(most)) => write!(f, "must be a whole number from 1 to {most}"),
            Self::Not(Kind::Object(_)) => f.write_str("must be an object"),
            Self::Unknown(keys) => {
                let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
                write!(f, "is unknown; known are {}", names.join(", "))
            }
        }
    }
}

/// All that 0.4.0 would refuse of a task's `agent`.
pub fn faults(agent: &Map) -> Vec<AgentFault> {
    let mut faults = Vec::new();
    look("agent", agent, AGENT, &mut faults);
    faults
}

fn look(path: &str, members: &Map, keys: Keys, faults: &mut Vec<AgentFault>) {
    for (name, value) in members {
        let field = || format!("{path}.{name}");
        let Some((_, kind)) = keys.iter().find(|(key, _)| key == name) else {
            faults.push(AgentFault { field: field(), reason: Reason::Unknown(keys) });
            continue;
        };
        let is_it = match (kind, value) {
            (_, Value::Null) => name != NEVER_NULL,
            (Kind::Text, Value::String(text)) => !text.trim().is_empty(),
            (Kind::Word(words), Value::String(word)) => words.contains(&word.as_str()),
            (Kind::Whole(most), Value::Number(number)) => {
                number.as_str().parse().is_ok_and(|number| (1..=*most).contains(&number))
            }
            (Kind::Object(keys), Value::Object(members)) => {
                look(&field(), members, keys, faults);
                true
            }
            _ => false,
        };
        if !is_it {
            faults.push(AgentFault { field: field(), reason: Reason::Not(*kind) });
        }
    }
}

/// The members of `agent`, for JSON Schema. It forbids no unknown ones.
pub(crate) fn properties() -> serde_json::Value {
    properties_of(AGENT)
}

fn properties_of(keys: Keys) -> serde_json::Value {
    let property = |(name, kind): &(&str, Kind)| {
        let schema = match kind {
            Kind::Text => json!({ "type": ["string", "null"], "pattern": r"\S" }),
            Kind::Word(words) if *name == NEVER_NULL => json!({ "enum": words }),
            Kind::Word(words) => {
                let words = words.iter().copied().map(serde_json::Value::from);
                let null = [serde_json::Value::Null];
                json!({ "enum": words.chain(null).collect::<Vec<_>>() })
            }
            Kind::Whole(most) => {
                json!({ "type": ["integer", "null"], "minimum": 1, "maximum": most })
            }
            Kind::Object(keys) => {
                json!({ "type": ["object", "null"], "properties": properties_of(keys) })
            }
        };
        ((*name).to_owned(), schema)
    };
    keys.iter().map(property).collect::<serde_json::Map<_, _>>().into()
}
