//! One field of a task set from text, by its name.

use std::collections::{BTreeMap, HashSet};

use ralph_state::{Timestamp, TimestampError};
use serde::de::DeserializeOwned;

use crate::agent::{self, AgentFault};
use crate::edit::{Changed, Edit, EditError};
use crate::task::{Priority, Status, Task, UnknownWord};
use crate::value::{Map, Value};
use crate::when::{self, WhenError};

/// The fields that can be set: those of 0.4.0, and the parent.
pub const NAMES: [&str; 24] = [
    "title",
    "description",
    "status",
    "priority",
    "tags",
    "scope",
    "evidence",
    "plan",
    "notes",
    "request",
    "depends_on",
    "blocks",
    "relates_to",
    "duplicates",
    "custom_fields",
    "agent",
    "created_at",
    "updated_at",
    "completed_at",
    "started_at",
    "scheduled_start",
    "estimated_minutes",
    "actual_minutes",
    "parent_id",
];

/// Those of them that name other tasks.
pub(crate) const REFERENCES: [&str; 5] =
    ["depends_on", "blocks", "relates_to", "duplicates", "parent_id"];

/// Why a field cannot be set to a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// There is no such field, or it cannot be set.
    #[error("there is no field `{name}` to set; known are {}", NAMES.join(", "))]
    Unknown {
        /// The name given.
        name: String,
    },
    /// A title is one line.
    #[error("a title is one line that is not blank")]
    Title,
    /// Not one of the words.
    #[error(transparent)]
    Word(#[from] UnknownWord),
    /// No time.
    #[error(transparent)]
    Time(#[from] TimestampError),
    /// No time, nor words for one.
    #[error(transparent)]
    When(#[from] WhenError),
    /// No whole number of minutes.
    #[error("`{text}` is no whole number of minutes")]
    Minutes {
        /// The text.
        text: String,
    },
    /// Neither `KEY=VALUE` pairs nor a JSON object of texts.
    #[error("`{text}` is neither `KEY=VALUE,...` nor a JSON object of texts")]
    Pairs {
        /// The text.
        text: String,
    },
    /// Not what an agent can be told. What was there before may stay.
    #[error(transparent)]
    Agent(#[from] AgentFault),
    /// No JSON of the right kind.
    #[error("not a JSON {wanted}: {reason}")]
    Json {
        /// `object` or `array of texts`.
        wanted: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Edit<'_> {
    /// Sets a field of a task of the queue file, and stamps `updated_at` if that changed anything.
    ///
    /// A list is given with commas or line breaks between its entries, or as a JSON array, and
    /// replaces the old one. An empty text clears a field; an empty status or priority goes on
    /// to the next. A status is set as [`Edit::set_status`] does.
    pub fn set_field(&mut self, id: &str, name: &str, value: &str) -> Result<Changed, EditError> {
        let now = self.now();
        let index = self.open(id)?;
        let mut task = self.queue.task(index).clone();
        set(&mut task, name, value, now)
            .map_err(|source| EditError::Field { id: task.id.clone(), source: Box::new(source) })?;
        if name == "status" {
            return self.set_status(id, task.status, None);
        }
        if name == "updated_at" {
            let changed = *self.queue.task(index) != task;
            *self.queue.task_mut(index) = task;
            return Ok(if changed { Changed::Yes } else { Changed::No });
        }
        self.modify(id, |old| *old = task)
    }
}

/// How one task stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It waits for the other.
    DependsOn,
    /// The other waits for it.
    Blocks,
    /// Both are worth reading together.
    RelatesTo,
    /// It repeats the other.
    Duplicates,
}

impl Edit<'_> {
    /// Refuses unless a task was changed last at the time given.
    pub fn expect_updated_at(&self, id: &str, expected: &str) -> Result<(), EditError> {
        let task = self.queue.task(self.open(id)?);
        let read = |time: &str| time.parse::<Timestamp>().ok();
        let found = task.updated_at.clone();
        let same = found.as_deref().is_some_and(|found| {
            found == expected || (read(found).is_some() && read(found) == read(expected))
        });
        if same {
            return Ok(());
        }
        Err(EditError::ChangedSince { id: task.id.clone(), expected: expected.to_owned(), found })
    }

    /// Notes in a task of the queue file how it stands to another.
    pub fn relate(
        &mut self,
        id: &str,
        relation: Relation,
        other: &str,
    ) -> Result<Changed, EditError> {
        self.modify(id, |task| {
            let list = match relation {
                Relation::DependsOn => &mut task.depends_on,
                Relation::Blocks => &mut task.blocks,
                Relation::RelatesTo => &mut task.relates_to,
                Relation::Duplicates => return task.duplicates = Some(other.to_owned()),
            };
            if !list.iter().any(|known| known == other) {
                list.push(other.to_owned());
            }
        })
    }
}

/// Sets a field of a task from text; stamps nothing.
fn set(task: &mut Task, name: &str, value: &str, now: Timestamp) -> Result<(), FieldError> {
    let blank = value.trim().is_empty();
    let text = || (!blank).then(|| value.to_owned());
    let time =
        || Ok::<_, FieldError>(optional(value, str::parse::<Timestamp>)?.map(|t| t.to_string()));
    let minutes = || {
        optional(value, str::parse::<u32>)
            .map_err(|_| FieldError::Minutes { text: value.to_owned() })
    };
    match name {
        "title" if blank || value.trim().contains(['\n', '\r']) => return Err(FieldError::Title),
        "title" => value.trim().clone_into(&mut task.title),
        "description" => task.description = text(),
        "status" if blank => task.status = next(Status::ALL, task.status),
        "status" => task.status = value.trim().parse()?,
        "priority" if blank => {
            let upwards: Vec<Priority> = Priority::ALL.iter().rev().copied().collect();
            task.priority = next(&upwards, task.priority);
        }
        "priority" => task.priority = value.trim().parse()?,
        "tags" => task.tags = list(value)?,
        "scope" => task.scope = list(value)?,
        "evidence" => task.evidence = list(value)?,
        "plan" => task.plan = list(value)?,
        "notes" => task.notes = list(value)?,
        "request" => task.request = text(),
        "depends_on" => task.depends_on = ids(value)?,
        "blocks" => task.blocks = ids(value)?,
        "relates_to" => task.relates_to = ids(value)?,
        "duplicates" => task.duplicates = text().map(|id| id.trim().to_owned()),
        "parent_id" => task.parent_id = text().map(|id| id.trim().to_owned()),
        "custom_fields" => {
            task.custom_fields = if value.trim_start().starts_with('{') {
                texts(value)?
            } else {
                list(value)?.iter().map(|pair| key_value(pair)).collect::<Result<_, _>>()?
            };
        }
        "agent" => task.agent = if blank { None } else { Some(agent(task, value)?) },
        "created_at" => task.created_at = time()?,
        "updated_at" => task.updated_at = time()?,
        "completed_at" => task.completed_at = time()?,
        "started_at" => task.started_at = time()?,
        "scheduled_start" => {
            let start = optional(value, |text| when::parse(text, now))?;
            task.scheduled_start = start.map(|start| start.to_string());
        }
        "estimated_minutes" => task.estimated_minutes = minutes()?,
        "actual_minutes" => task.actual_minutes = minutes()?,
        _ => return Err(FieldError::Unknown { name: name.to_owned() }),
    }
    Ok(())
}

fn optional<T, E>(text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<Option<T>, E> {
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn next<T: Copy + PartialEq>(all: &[T], value: T) -> T {
    let at = all.iter().position(|other| *other == value).map_or(0, |at| at + 1);
    all[at % all.len()]
}

fn list(text: &str) -> Result<Vec<String>, FieldError> {
    if text.trim_start().starts_with('[') {
        return json("array of texts", text);
    }
    let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    Ok(entries.map(str::to_owned).collect())
}

/// The tasks that a list names, each once.
fn ids(text: &str) -> Result<Vec<String>, FieldError> {
    let mut ids = list(text)?;
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.trim().to_owned()));
    Ok(ids)
}

/// Custom fields, of which a number, `true` or `false` is a text as it is in a file.
fn texts(text: &str) -> Result<BTreeMap<String, String>, FieldError> {
    let text_of = |(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Bool(_) | Value::Number(_) => Ok((name, value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            let reason = format!("`{name}` must be a text, a number, true or false");
            Err(FieldError::Json { wanted: "object of texts", reason })
        }
    };
    object(text)?.into_iter().map(text_of).collect()
}

/// How the agent is to be run, without a fault that was not there before.
fn agent(task: &Task, text: &str) -> Result<Map, FieldError> {
    let new = object(text)?;
    let known: Vec<AgentFault> = task.agent.iter().flat_map(agent::faults).collect();
    match agent::faults(&new).into_iter().find(|fault| !known.contains(fault)) {
        Some(fault) => Err(fault.into()),
        None => Ok(new),
    }
}

fn object(text: &str) -> Result<Map, FieldError> {
    let wrong = |reason| FieldError::Json { wanted: "object", reason };
    match Value::parse(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(wrong("it is none".to_owned())),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn json<T: DeserializeOwned>(wanted: &'static str, text: &str) -> Result<T, FieldError> {
    serde_json::from_str(text)
        .map_err(|error| FieldError::Json { wanted, reason: error.to_string() })
}

fn key_value(pair: &str) -> Result<(String, String), FieldError> {
    match pair.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(FieldError::Pairs { text: pair.to_owned() }),
    }
}
