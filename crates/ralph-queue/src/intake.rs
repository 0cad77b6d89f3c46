//! Tasks written elsewhere: read as JSON or as a table, every bad one named, then given their ids.

use std::collections::{BTreeMap, BTreeSet};

use ralph_state::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::document::ParseError;
use crate::edit::{Edit, EditError, Position, Spliced};
use crate::ids::IdRules;
use crate::queue::Queue;
use crate::task::Task;
use crate::validate::{self, Rules};

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
    /// Its place in the input, from 1.
    pub number: usize,
    /// What it will be; its id is a placeholder unless [`Row::has_id`].
    pub task: Task,
    /// Whether it came with an id.
    pub has_id: bool,
}

/// One that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("number {number}: {}", problems.join("; "))]
#[non_exhaustive]
pub struct BadRow {
    /// Its place in the input, from 1.
    pub number: usize,
    /// All that is wrong with it.
    pub problems: Vec<String>,
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
            Value::Object(fields) => Ok(Cells { fields, problems: Vec::new() }),
            _ => Err("a task must be an object".to_owned()),
        };
        Ok(Self::from_fields(values.into_iter().map(fields)))
    }

    /// Makes tasks of their fields, or of what hindered reading them.
    pub(crate) fn from_fields(rows: impl Iterator<Item = Result<Cells, String>>) -> Self {
        let mut batch = Self::default();
        let mut numbers: BTreeMap<TaskId, usize> = BTreeMap::new();
        for (number, cells) in (1..).zip(rows) {
            let row = cells.map_err(|problem| vec![problem]);
            match row.and_then(|cells| Row::read(number, cells, &mut numbers)) {
                Ok(row) => batch.rows.push(row),
                Err(problems) => batch.bad.push(BadRow { number, problems }),
            }
        }
        batch
    }

    /// Makes those rows bad that [`Self::add`] would refuse or that would break a rule, and says
    /// whether there were any. Rows that name one of those may be bad then, too.
    pub fn sift(
        &mut self,
        queue: &Queue,
        given: GivenIds,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<bool, EditError> {
        let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        if given == GivenIds::Keep {
            let tasks = || queue.tasks().chain(queue.done_tasks());
            let former = tasks().flat_map(Task::former_ids);
            let taken: BTreeSet<&str> =
                tasks().map(|task| task.id.as_str()).chain(former).collect();
            let rows = self.rows.iter();
            for row in rows.filter(|row| row.has_id && taken.contains(row.task.id.as_str())) {
                found
                    .entry(row.number)
                    .or_default()
                    .push(format!("the id `{}` is taken", row.task.id));
            }
        }
        let trial = Self {
            rows: self
                .rows
                .iter()
                .filter(|row| !found.contains_key(&row.number))
                .cloned()
                .collect(),
            bad: Vec::new(),
        };
        let names: Vec<(usize, TaskId)> =
            trial.rows.iter().map(|row| (row.number, row.task.id.clone())).collect();
        let mut edit = Edit::new(queue, now);
        let added = trial.add(&mut edit, given, &rules.ids, &Position::Back)?;
        let numbers: BTreeMap<TaskId, usize> = names
            .into_iter()
            .filter(|(_, id)| !added.skipped.contains(id))
            .zip(added.added)
            .map(|((number, _), id)| (id, number))
            .collect();
        let Spliced { queue: after, done } = edit.splice().map_err(EditError::Splice)?;
        let after = after.as_ref().unwrap_or(queue.document());
        let done = done.as_ref().unwrap_or(queue.done_document());
        let problems = validate::documents(after, done, rules);
        for problem in validate::added_errors(queue.validate(rules), problems) {
            // A circle is told of one of its tasks, which may be an old one.
            let number = problem.task.as_ref().and_then(|id| numbers.get(id));
            if let Some(number) = number.or(numbers.values().next()) {
                found.entry(*number).or_default().push(problem.message);
            }
        }
        if found.is_empty() {
            return Ok(false);
        }
        self.rows.retain(|row| !found.contains_key(&row.number));
        let bad = found.into_iter().map(|(number, problems)| BadRow { number, problems });
        self.bad.extend(bad);
        self.bad.sort_by_key(|row| row.number);
        Ok(true)
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
        let taken: BTreeSet<String> = edit.known_ids().map(str::to_owned).collect();
        let mut highest = 0;
        for row in self.rows {
            let is_taken = taken.contains(row.task.id.as_str());
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
                highest = ids.number_of(row.task.id.as_str()).unwrap_or(0).max(highest);
            }
            rows.push((row, keeps));
        }
        edit.raise_high_water(highest);
        for (row, _) in rows.iter_mut().filter(|(_, keeps)| !keeps) {
            let id = edit.spend_id(ids)?;
            if row.has_id {
                added.renamed.push((row.task.id.clone(), id));
            } else {
                row.task.id = id;
            }
        }
        let first = edit.index_of(position)?;
        for (index, (mut row, _)) in (first..).zip(rows) {
            row.task.rename(&added.renamed);
            added.added.push(row.task.id.clone());
            edit.insert_new(row.task, index);
        }
        Ok(added)
    }
}

/// What a row says, as far as it could be read.
pub(crate) struct Cells {
    pub(crate) fields: Map<String, Value>,
    pub(crate) problems: Vec<String>,
}

impl Row {
    fn read(
        number: usize,
        cells: Cells,
        numbers: &mut BTreeMap<TaskId, usize>,
    ) -> Result<Self, Vec<String>> {
        let Cells { mut fields, mut problems } = cells;
        let has_id = fields.get("id").is_some_and(|id| !id.is_null());
        if !has_id {
            fields.insert("id".to_owned(), Value::from("new"));
        }
        fields.retain(|_, value| !value.is_null());
        if fields.get("title").and_then(Value::as_str).is_some_and(|title| title.trim().is_empty())
        {
            problems.push("the title is blank".to_owned());
        }
        let task = match Task::parse(&Value::Object(fields).to_string()) {
            Ok(task) => Some(task),
            // Its places are those in a text that nobody has seen.
            Err(ParseError::Shape { problems: shape }) => {
                problems.extend(shape.iter().map(ToString::to_string));
                None
            }
            Err(other) => {
                problems.push(other.to_string());
                None
            }
        };
        if let Some(task) = task.as_ref().filter(|_| has_id) {
            let first = *numbers.entry(task.id.clone()).or_insert(number);
            if first != number {
                problems.push(format!("number {first} has the id `{}` too", task.id));
            }
        }
        match task {
            Some(task) if problems.is_empty() => Ok(Self { number, task, has_id }),
            _ => Err(problems),
        }
    }
}
