//! The task: what one element of a queue file means.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ralph_state::json::{FieldError, from_json, to_json};
use ralph_state::{TaskId, Timestamp};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::document::{Document, ParseError};
use crate::value::{Map, Value};

/// One task, as a queue file holds it.
///
/// Times stay text, because a file may hold one that is no time; [`crate::validate`] says so.
/// Serialises to the JSON object of Ralph 0.4.0: its order of keys, lists always there, absent
/// options left out, unknown fields last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name, never given to another task.
    pub id: TaskId,
    /// Where it stands.
    pub status: Status,
    /// One line that says what is wanted.
    pub title: String,
    /// What is wanted, at length.
    pub description: Option<String>,
    /// How urgent; says nothing about order, which is that of the file.
    pub priority: Priority,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Paths and areas it touches.
    pub scope: Vec<String>,
    /// What shows that it is needed, or done.
    pub evidence: Vec<String>,
    /// Steps.
    pub plan: Vec<String>,
    /// What was learnt on the way, oldest first.
    pub notes: Vec<String>,
    /// The words it was asked for in.
    pub request: Option<String>,
    /// How its agent is to be run; see [`Task::agent_overrides`].
    pub agent: Option<Map>,
    /// When it was written, RFC 3339 in UTC.
    pub created_at: Option<String>,
    /// When it last changed, RFC 3339 in UTC.
    pub updated_at: Option<String>,
    /// When it was done or rejected, RFC 3339 in UTC.
    pub completed_at: Option<String>,
    /// When work began, RFC 3339.
    pub started_at: Option<String>,
    /// Guessed work, in minutes.
    pub estimated_minutes: Option<u32>,
    /// Work spent, in minutes.
    pub actual_minutes: Option<u32>,
    /// Not to be started before, RFC 3339.
    pub scheduled_start: Option<String>,
    /// Ids of tasks that must be finished first.
    pub depends_on: Vec<String>,
    /// Ids of tasks that must wait for this one.
    pub blocks: Vec<String>,
    /// Ids of tasks worth reading beside it.
    pub relates_to: Vec<String>,
    /// Id of the task that this one repeats.
    pub duplicates: Option<String>,
    /// Free text by name.
    pub custom_fields: BTreeMap<String, String>,
    /// Id of the task that this one is a part of.
    pub parent_id: Option<String>,
    /// Fields this version does not know. Ralph 0.4.0 refuses a file that has any.
    pub extra: Map,
}

/// The custom field with the ids that a task had before, separated by commas. They still find it.
pub const FORMER_IDS: &str = "former_ids";

impl Task {
    /// A `todo` of medium priority with nothing else in it.
    pub fn new(id: TaskId, title: impl Into<String>) -> Self {
        Self {
            id,
            status: Status::Todo,
            title: title.into(),
            description: None,
            priority: Priority::Medium,
            tags: Vec::new(),
            scope: Vec::new(),
            evidence: Vec::new(),
            plan: Vec::new(),
            notes: Vec::new(),
            request: None,
            agent: None,
            created_at: None,
            updated_at: None,
            completed_at: None,
            started_at: None,
            estimated_minutes: None,
            actual_minutes: None,
            scheduled_start: None,
            depends_on: Vec::new(),
            blocks: Vec::new(),
            relates_to: Vec::new(),
            duplicates: None,
            custom_fields: BTreeMap::new(),
            parent_id: None,
            extra: BTreeMap::new(),
        }
    }

    /// Reads one task from a JSON or JSONC object.
    ///
    /// Places in the error are those in `json`.
    pub fn parse(json: &str) -> Result<Self, ParseError> {
        Document::parse_task(json)
    }

    /// What [`Task::agent`] says, typed.
    ///
    /// Errors: the field is there and its shape is not that of 0.4.0.
    pub fn agent_overrides(&self) -> Result<Option<AgentOverrides>, FieldError> {
        self.agent
            .as_ref()
            .map(|agent| from_json(&to_json(agent).expect("every JSON value can be told")))
            .transpose()
    }

    /// Sets the status as 0.4.0 does: `updated_at` is now; a terminal status sets `completed_at`
    /// when there is none, any other clears it; `doing` sets `started_at` when there is none.
    pub fn set_status(&mut self, status: Status, now: Timestamp) {
        self.status = status;
        self.updated_at = Some(now.to_string());
        if status.is_terminal() {
            if self.completed_at.as_ref().is_none_or(|time| time.trim().is_empty()) {
                self.completed_at = Some(now.to_string());
            }
        } else {
            self.completed_at = None;
        }
        if status == Status::Doing {
            self.started_at.get_or_insert_with(|| now.to_string());
        }
    }

    /// Adds a note unless it is blank, and stamps the change.
    pub fn add_note(&mut self, note: &str, now: Timestamp) {
        if !note.trim().is_empty() {
            self.notes.push(note.trim().to_owned());
            self.updated_at = Some(now.to_string());
        }
    }

    /// Gives it another id, and remembers the one it had.
    pub(crate) fn give_id(&mut self, id: TaskId) {
        let old = std::mem::replace(&mut self.id, id);
        let ids: Vec<&str> = self.former_ids().chain([old.as_str()]).collect();
        let ids = ids.join(",");
        self.custom_fields.insert(FORMER_IDS.to_owned(), ids);
    }

    /// Gives new ids, by pairs of old and new, to the task and to those it names.
    pub(crate) fn rename(&mut self, ids: &[(TaskId, TaskId)]) {
        if let Some((_, new)) = ids.iter().find(|(old, _)| *old == self.id) {
            self.give_id(new.clone());
        }
        let lists =
            [&mut self.depends_on, &mut self.blocks, &mut self.relates_to].into_iter().flatten();
        for reference in lists.chain(&mut self.duplicates).chain(&mut self.parent_id) {
            if let Some((_, new)) = ids.iter().find(|(old, _)| old.as_str() == reference) {
                new.as_str().clone_into(reference);
            }
        }
    }

    /// Every task it names, as often as it names it.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let lists = [&self.depends_on, &self.blocks, &self.relates_to];
        let single = [&self.duplicates, &self.parent_id].into_iter().flatten();
        lists.into_iter().flatten().chain(single).map(String::as_str)
    }

    /// Whether two tasks of one id are versions of one task: made at the same time, and with the
    /// same title, unless the time is one that only the same moment has.
    pub(crate) fn is_version_of(&self, other: &Self) -> bool {
        let is_exact = |time: &String| {
            let nanos = time.parse().ok().map(Timestamp::as_unix_nanos);
            nanos.is_some_and(|nanos| nanos % 1_000_000 != 0)
        };
        self.created_at == other.created_at
            && (self.title == other.title || self.created_at.as_ref().is_some_and(is_exact))
    }

    /// The ids it had before, see [`FORMER_IDS`].
    pub fn former_ids(&self) -> impl Iterator<Item = &str> {
        let ids = self.custom_fields.get(FORMER_IDS).map_or("", String::as_str);
        ids.split(',').map(str::trim).filter(|id| !id.is_empty())
    }

    /// When it may start, if it says so in a way that can be read.
    pub fn scheduled(&self) -> Option<Timestamp> {
        self.scheduled_start.as_deref()?.parse().ok()
    }

    /// Where the value of a field goes, with a number for each known field; `None` for one that is
    /// not known. The id has no place: it is needed before the rest.
    pub(crate) fn slot(&mut self, name: &str) -> Option<(u32, Slot<'_>)> {
        Some(match name {
            "status" => (0, Slot::Status(&mut self.status)),
            "title" => (1, Slot::Title(&mut self.title)),
            "description" => (2, Slot::Text(&mut self.description)),
            "priority" => (3, Slot::Priority(&mut self.priority)),
            "tags" => (4, Slot::List(&mut self.tags)),
            "scope" => (5, Slot::List(&mut self.scope)),
            "evidence" => (6, Slot::List(&mut self.evidence)),
            "plan" => (7, Slot::List(&mut self.plan)),
            "notes" => (8, Slot::List(&mut self.notes)),
            "request" => (9, Slot::Text(&mut self.request)),
            "agent" => (10, Slot::Object(&mut self.agent)),
            "created_at" => (11, Slot::Text(&mut self.created_at)),
            "updated_at" => (12, Slot::Text(&mut self.updated_at)),
            "completed_at" => (13, Slot::Text(&mut self.completed_at)),
            "started_at" => (14, Slot::Text(&mut self.started_at)),
            "estimated_minutes" => (15, Slot::Minutes(&mut self.estimated_minutes)),
            "actual_minutes" => (16, Slot::Minutes(&mut self.actual_minutes)),
            "scheduled_start" => (17, Slot::Text(&mut self.scheduled_start)),
            "depends_on" => (18, Slot::List(&mut self.depends_on)),
            "blocks" => (19, Slot::List(&mut self.blocks)),
            "relates_to" => (20, Slot::List(&mut self.relates_to)),
            "duplicates" => (21, Slot::Text(&mut self.duplicates)),
            "custom_fields" => (22, Slot::Map(&mut self.custom_fields)),
            "parent_id" => (23, Slot::Text(&mut self.parent_id)),
            _ => return None,
        })
    }

    /// Every field that is written, in the order of 0.4.0.
    pub(crate) fn fields(&self) -> Vec<(&str, Value)> {
        let list = |items: &[String]| Some(Value::from(items.to_vec()));
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let custom = self
            .custom_fields
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        let known = [
            ("id", Some(Value::from(self.id.as_str()))),
            ("status", Some(Value::from(self.status.as_str()))),
            ("title", Some(Value::from(self.title.as_str()))),
            ("description", text(&self.description)),
            ("priority", Some(Value::from(self.priority.as_str()))),
            ("tags", list(&self.tags)),
            ("scope", list(&self.scope)),
            ("evidence", list(&self.evidence)),
            ("plan", list(&self.plan)),
            ("notes", list(&self.notes)),
            ("request", text(&self.request)),
            ("agent", self.agent.clone().map(Value::Object)),
            ("created_at", text(&self.created_at)),
            ("updated_at", text(&self.updated_at)),
            ("completed_at", text(&self.completed_at)),
            ("started_at", text(&self.started_at)),
            ("estimated_minutes", self.estimated_minutes.map(Value::from)),
            ("actual_minutes", self.actual_minutes.map(Value::from)),
            ("scheduled_start", text(&self.scheduled_start)),
            ("depends_on", list(&self.depends_on)),
            ("blocks", list(&self.blocks)),
            ("relates_to", list(&self.relates_to)),
            ("duplicates", text(&self.duplicates)),
            ("custom_fields", Some(Value::Object(custom.collect()))),
            ("parent_id", text(&self.parent_id)),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        known.chain(self.extra.iter().map(|(name, value)| (name.as_str(), value.clone()))).collect()
    }
}

/// The place of a field in a [`Task`], by the kind of its value.
pub(crate) enum Slot<'a> {
    Title(&'a mut String),
    Status(&'a mut Status),
    Priority(&'a mut Priority),
    Text(&'a mut Option<String>),
    Minutes(&'a mut Option<u32>),
    List(&'a mut Vec<String>),
    Map(&'a mut BTreeMap<String, String>),
    Object(&'a mut Option<Map>),
}

impl Serialize for Task {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.fields();
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (name, value) in fields {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

/// A closed set of words, the same in memory, in the file and on the command line.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| UnknownWord {
                    what: $what,
                    found: text.to_owned(),
                    known: &[$($word),+],
                })
            }
        }
    };
}

words! {
    /// Where a task stands.
    Status, "status",
    /// Not ready to be worked on.
    Draft = "draft",
    /// Waiting for its turn.
    #[default]
    Todo = "todo",
    /// Being worked on.
    Doing = "doing",
    /// Finished.
    Done = "done",
    /// Will not be done.
    Rejected = "rejected",
}

impl Status {
    /// Done or rejected: nothing more happens, and what waited for it need wait no longer.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Rejected)
    }
}

words! {
    /// How urgent a task is. The order of the variants is that of urgency, highest first.
    Priority, "priority",
    /// Before everything.
    Critical = "critical",
    /// Soon.
    High = "high",
    /// As it comes.
    #[default]
    Medium = "medium",
    /// When nothing else is left.
    Low = "low",
}

/// A word that is none of those allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`, known are {}", known.join(", "))]
pub struct UnknownWord {
    /// What was asked for: `status` or `priority`.
    pub what: &'static str,
    /// The word found.
    pub found: String,
    /// The words allowed.
    pub known: &'static [&'static str],
}

/// How a task wants its agent run, over what the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct AgentOverrides {
    /// Which runner.
    pub runner: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// How hard to think: `default`, `low`, `medium`, `high` or `xhigh`.
    pub model_effort: Option<String>,
    /// How many phases, 1 to 3.
    pub phases: Option<u8>,
    /// How many iterations, at least 1.
    pub iterations: Option<u32>,
    /// Effort of every iteration but the first.
    pub followup_reasoning_effort: Option<String>,
    /// Options of the runner's command line, as written.
    pub runner_cli: Option<Map>,
    /// By `phase1` to `phase3`.
    pub phase_overrides: Option<BTreeMap<String, Option<PhaseOverride>>>,
}

/// How one phase wants its agent run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PhaseOverride {
    /// Which runner.
    pub runner: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// How hard to think.
    pub reasoning_effort: Option<String>,
}
