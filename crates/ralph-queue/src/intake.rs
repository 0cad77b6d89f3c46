//! Tasks written elsewhere: read as JSON or as a table, every bad one named, then given their ids.

use std::collections::BTreeMap;

use ralph_state::TaskId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::document::ParseError;
use crate::edit::{Edit, EditError, Position};
use crate::ids::IdRules;
use crate::task::Task;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// What can become a task, in order.
    pub rows: Vec<Row>,
    /// What cannot.
    pub bad: Vec<BadRow>,
}

/// One task to be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// What it will be; its id is a placeholder unless [`Row::has_id`].
    pub task: Task,
    /// Whether it came with an id.
    pub has_id: bool,
}

/// One that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("number {number}: {problem}")]
#[non_exhaustive]
pub struct BadRow {
    /// Its place in the input, from 1.
    pub number: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// What becomes of the ids that tasks come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenIds {
    /// They are names by which the tasks of one batch refer to each other; each gets a new one.
    Replace,
    /// They stay; one that is taken is refused.
    Keep,
    /// They stay; a task whose id is taken is left out.
    SkipTaken,
    /// They stay; a task whose id is taken gets a new one, and those that name it follow.
    RenameTaken,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Added {
    /// The new tasks, in order.
    pub added: Vec<TaskId>,
    /// Ids that came with a task, and what they became.
    pub renamed: Vec<(TaskId, TaskId)>,
    /// Ids of tasks that were left out.
    pub skipped: Vec<TaskId>,
}

impl Batch {
    /// Reads JSON: one task, several after each other, a list of them, or a queue file's
    /// `{"tasks": [...]}`. Only `title` is needed.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let mut values = Vec::new();
        for value in serde_json::Deserializer::from_str(text.trim_start_matches('\u{feff}'))
            .into_iter::<Value>()
        {
            match value? {
                Value::Array(items) => values.extend(items),
                Value::Object(mut object) => match object.remove("tasks") {
                    Some(Value::Array(items)) => values.extend(items),
                    Some(other) => {
                        object.insert("tasks".to_owned(), other);
                        values.push(Value::Object(object));
                    }
                    None => values.push(Value::Object(object)),
                },
                other => values.push(other),
            }
        }
        let fields = |value| match value {
            Value::Object(fields) => Ok(fields),
            _ => Err("a task must be an object".to_owned()),
        };
        Ok(Self::from_fields(values.into_iter().map(fields)))
    }

    /// Makes tasks of their fields, or of what hindered reading them.
    pub(crate) fn from_fields(
        rows: impl Iterator<Item = Result<Map<String, Value>, String>>,
    ) -> Self {
        let mut batch = Self::default();
        let mut numbers: BTreeMap<TaskId, usize> = BTreeMap::new();
        for (number, fields) in (1..).zip(rows) {
            let row = fields.and_then(Row::read).and_then(|row| {
                let first = *numbers.entry(row.task.id.clone()).or_insert(number);
                if row.has_id && first != number {
                    return Err(format!("number {first} has the id `{}` too", row.task.id));
                }
                Ok(row)
            });
            match row {
                Ok(row) => batch.rows.push(row),
                Err(problem) => batch.bad.push(BadRow { number, problem }),
            }
        }
        batch
    }

    /// Adds the good rows at `position`, in their order.
    ///
    /// With [`GivenIds::Keep`] an id that is taken is an error, and the edit is not to be saved.
    pub fn add(
        self,
        edit: &mut Edit<'_>,
        given: GivenIds,
        ids: &IdRules,
        position: &Position,
    ) -> Result<Added, EditError> {
        let mut added = Added::default();
        let mut rows = Vec::new();
        let mut ids = ids.clone();
        for row in self.rows {
            let is_taken = edit.find(row.task.id.as_str()).is_some();
            let keeps = match given {
                GivenIds::Replace => false,
                GivenIds::Keep if is_taken => return Err(EditError::IdTaken { id: row.task.id }),
                GivenIds::SkipTaken if row.has_id && is_taken => {
                    added.skipped.push(row.task.id);
                    continue;
                }
                _ => !is_taken,
            };
            let keeps = keeps && row.has_id;
            if keeps {
                let number = ids.number_of(row.task.id.as_str());
                ids.high_water = ids.high_water.max(number.unwrap_or(0));
            }
            rows.push((row, keeps));
        }
        for (row, keeps) in &mut rows {
            if *keeps {
                continue;
            }
            let id = edit.next_id(&ids)?;
            ids.high_water = ids.number_of(id.as_str()).unwrap_or(ids.high_water);
            if row.has_id {
                added.renamed.push((row.task.id.clone(), id));
            } else {
                row.task.id = id;
            }
        }
        let mut position = position.clone();
        for (mut row, _) in rows {
            row.task.rename(&added.renamed);
            let id = row.task.id.clone();
            edit.add(row.task, &position)?;
            position = Position::After(id.clone());
            added.added.push(id);
        }
        Ok(added)
    }
}

impl Row {
    fn read(mut fields: Map<String, Value>) -> Result<Self, String> {
        let has_id = fields.get("id").is_some_and(|id| !id.is_null());
        if !has_id {
            fields.insert("id".to_owned(), Value::from("new"));
        }
        fields.retain(|_, value| !value.is_null());
        let task =
            Task::parse(&Value::Object(fields).to_string()).map_err(|error| match error {
                // Its places are those in a text that nobody has seen.
                ParseError::Shape { problems } => {
                    let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    words.join("; ")
                }
                other => other.to_string(),
            })?;
        match task.title.trim() {
            "" => Err("the title is blank".to_owned()),
            title if title.contains(['\n', '\r']) => Err("the title has a line break".to_owned()),
            _ => Ok(Self { task, has_id }),
        }
    }
}
