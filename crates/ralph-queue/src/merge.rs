//! Three versions of a queue file become one, task by task and field by field.

use std::collections::{BTreeMap, BTreeSet};

use ralph_state::TaskId;
use serde_json::{Map, Value};

use crate::document::{Block, Document, Draft, ParseError, SpliceError};
use crate::ids::IdRules;
use crate::task::{Status, Task};

/// The merged text, and what could not be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// A valid file: `ours` with the changes of `theirs`. In a conflict, ours stands, but for a
    /// status, of which the further one stands.
    pub text: String,
    /// What both changed, differently.
    pub conflicts: Vec<Conflict>,
    /// Tasks that got another id because both sides gave theirs to different tasks: old and new.
    pub renumbered: Vec<(TaskId, TaskId)>,
}

/// One field that both sides changed differently.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// Which task.
    pub task: TaskId,
    /// Which field, as `title` or `custom_fields.owner`; `None` when one side removed the task
    /// that the other changed, which keeps it.
    pub field: Option<String>,
    /// What it was.
    pub base: Option<Value>,
    /// What it is in ours.
    pub ours: Option<Value>,
    /// What it is in theirs.
    pub theirs: Option<Value>,
}

/// Why there is no merge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// One of the three cannot be read.
    #[error("cannot read the {side} version")]
    Parse {
        /// `base`, `ours` or `theirs`.
        side: &'static str,
        /// What is wrong.
        source: ParseError,
    },
    /// The merged text does not say what was meant: a fault in this crate.
    #[error("the merge cannot be written")]
    Splice(#[from] SpliceError),
}

/// Merges the changes from `base` to `theirs` into `ours`, by the ids of the tasks.
///
/// Of a task that only one side changed, that side's text is taken, comments and all. Where both
/// did, fields are merged one by one: tags, references and notes as sets that keep what either
/// added and lose what either removed, times by the later, the rest as conflicts if both changed
/// it. A change beats a removal. Tasks that theirs added go behind the one that they follow there.
///
/// One id given to two different tasks: the task made later, and of two made at once the one whose
/// JSON is greater, gets the next free number, whichever side it is on, and the tasks of its side
/// that name it follow.
pub fn three_way(base: &str, ours: &str, theirs: &str) -> Result<Merged, MergeError> {
    let parse = |text: &str, side| {
        Document::parse(text).map_err(|source| MergeError::Parse { side, source })
    };
    let base = parse(base, "base")?;
    let (mut ours, mut theirs) = (parse(ours, "ours")?, parse(theirs, "theirs")?);
    let renumbered = renumber(&base, &mut ours, &mut theirs)?;

    let (base, theirs_draft) = (base.draft(), theirs.draft());
    let mut merge = Merge { base, merged: ours.draft(), conflicts: Vec::new() };
    for index in 0..theirs_draft.len() {
        merge.take_theirs(&theirs_draft, index);
    }
    for task in merge
        .base
        .tasks()
        .filter(|task| theirs_draft.position(task.id.as_str()).is_none())
        .collect::<Vec<_>>()
    {
        let Some(at) = merge.merged.position(task.id.as_str()) else { continue };
        if merge.merged.task(at) == task {
            merge.merged.take(at);
        } else {
            let (base, ours) = (Some(json(task)), Some(json(merge.merged.task(at))));
            merge.conflicts.push(Conflict {
                task: task.id.clone(),
                field: None,
                base,
                ours,
                theirs: None,
            });
        }
    }
    let text = merge
        .merged
        .splice()?
        .map_or_else(|| ours.text().to_owned(), |merged| merged.text().to_owned());
    Ok(Merged { text, conflicts: merge.conflicts, renumbered })
}

struct Merge<'a> {
    base: Draft<'a>,
    /// Ours, becoming the result.
    merged: Draft<'a>,
    conflicts: Vec<Conflict>,
}

impl Merge<'_> {
    fn take_theirs(&mut self, theirs: &Draft<'_>, index: usize) {
        let task = theirs.task(index);
        let id = task.id.as_str();
        let base = self.base.position(id);
        let same = base.is_some_and(|base| self.base.task(base) == task);
        match (base, self.merged.position(id)) {
            (None, None) => self.add(theirs, index),
            (Some(_), None) if same => {}
            (Some(base), None) => {
                let (base, theirs_json) = (Some(json(self.base.task(base))), Some(json(task)));
                self.conflicts.push(Conflict {
                    task: task.id.clone(),
                    field: None,
                    base,
                    ours: None,
                    theirs: theirs_json,
                });
                self.add(theirs, index);
            }
            (base, Some(at)) => self.combine(base, at, &theirs.block(index)),
        }
    }

    /// Adds a task of theirs behind the one that it follows there, and behind what ours added
    /// there before it was made.
    fn add(&mut self, theirs: &Draft<'_>, index: usize) {
        let before =
            (0..index).rev().find_map(|index| self.merged.position(theirs.task(index).id.as_str()));
        let mut at = before.map_or(0, |at| at + 1);
        let age = |task: &Task| (task.created_at.clone(), task.id.clone());
        let task = theirs.task(index);
        while at < self.merged.len() {
            let next = self.merged.task(at);
            if self.base.position(next.id.as_str()).is_some() || age(next) > age(task) {
                break;
            }
            at += 1;
        }
        self.merged.insert_block(at, theirs.block(index));
    }

    /// Merges a task that both have, at `base` and `at`.
    fn combine(&mut self, base: Option<usize>, at: usize, theirs: &Block) {
        let ours = self.merged.block(at);
        if ours.same_text(theirs) {
            return;
        }
        let base = base.map(|base| self.base.block(base));
        // Comments count as a change.
        if base.as_ref().is_some_and(|base| base.same_text(&ours)) {
            self.merged.take(at);
            return self.merged.insert_block(at, theirs.clone());
        }
        let base = base.as_ref().map(Block::task);
        let (ours, theirs) = (ours.task(), theirs.task());
        if ours == theirs || base == Some(theirs) {
            return;
        }
        let (fields, conflicts) =
            merge_fields(&fields(base), &fields(Some(ours)), &fields(Some(theirs)), &ours.id);
        self.conflicts.extend(conflicts);
        // Every merged field is one of a task that was read.
        if let Ok(merged) = Task::parse(&Value::Object(fields).to_string()) {
            *self.merged.task_mut(at) = merged;
        }
    }
}

fn json(task: &Task) -> Value {
    Value::Object(fields(Some(task)))
}

fn fields(task: Option<&Task>) -> Map<String, Value> {
    let fields = task.map(Task::fields).unwrap_or_default();
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

type Fields = Map<String, Value>;

fn merge_fields(
    base: &Fields,
    ours: &Fields,
    theirs: &Fields,
    task: &TaskId,
) -> (Fields, Vec<Conflict>) {
    let mut merged = Fields::new();
    let mut conflicts = Vec::new();
    let names: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    for name in names {
        let sides = [base.get(name), ours.get(name), theirs.get(name)];
        let value = merge_value(name, sides, &mut |field, [base, ours, theirs]| {
            let [base, ours, theirs] = [base, ours, theirs].map(Option::<&Value>::cloned);
            conflicts.push(Conflict { task: task.clone(), field: Some(field), base, ours, theirs });
        });
        if let Some(value) = value {
            merged.insert(name.clone(), value);
        }
    }
    (merged, conflicts)
}

type Sides<'a> = [Option<&'a Value>; 3];

fn merge_value(
    field: &str,
    sides: Sides<'_>,
    conflict: &mut dyn FnMut(String, Sides<'_>),
) -> Option<Value> {
    let [base, ours, theirs] = sides;
    if ours == theirs || theirs == base {
        return ours.cloned();
    }
    if ours == base {
        return theirs.cloned();
    }
    let empty_list = Value::Array(Vec::new());
    let empty_map = Value::Object(Map::new());
    match (field, ours, theirs) {
        // Both changed it: the status and its time are where work has got to.
        ("updated_at" | "completed_at", Some(ours), Some(theirs)) => {
            Some(if later(ours, theirs) { ours.clone() } else { theirs.clone() })
        }
        ("started_at", Some(ours), Some(theirs)) => {
            Some(if later(ours, theirs) { theirs.clone() } else { ours.clone() })
        }
        ("status", Some(ours), Some(theirs)) => {
            conflict(field.to_owned(), sides);
            Some(if progress(ours) >= progress(theirs) { ours.clone() } else { theirs.clone() })
        }
        (_, Some(Value::Array(ours)), Some(Value::Array(theirs))) => {
            let base = base.unwrap_or(&empty_list).as_array().map_or(&[][..], Vec::as_slice);
            let stays = |item: &&Value| theirs.contains(item) || !base.contains(item);
            let added = theirs.iter().filter(|item| !base.contains(item) && !ours.contains(item));
            Some(ours.iter().filter(stays).chain(added).cloned().collect())
        }
        (_, Some(Value::Object(ours)), Some(Value::Object(theirs))) => {
            let empty = Map::new();
            let base = base.unwrap_or(&empty_map).as_object().unwrap_or(&empty);
            let keys: BTreeSet<&String> =
                base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
            let merged = keys.into_iter().filter_map(|key| {
                let value = merge_value(
                    &format!("{field}.{key}"),
                    [base.get(key), ours.get(key), theirs.get(key)],
                    conflict,
                );
                Some((key.clone(), value?))
            });
            Some(Value::Object(merged.collect()))
        }
        _ => {
            conflict(field.to_owned(), sides);
            ours.cloned()
        }
    }
}

fn later(one: &Value, other: &Value) -> bool {
    let time =
        |value: &Value| value.as_str().and_then(|text| text.parse::<ralph_state::Timestamp>().ok());
    time(one) > time(other)
}

/// How far along a status is.
fn progress(status: &Value) -> usize {
    let order = [Status::Draft, Status::Todo, Status::Doing, Status::Rejected, Status::Done];
    order.iter().position(|known| Some(known.as_str()) == status.as_str()).unwrap_or(0)
}

/// Gives one of two different tasks with the same new id another one.
fn renumber(
    base: &Document,
    ours: &mut Document,
    theirs: &mut Document,
) -> Result<Vec<(TaskId, TaskId)>, SpliceError> {
    let added = |document: &Document| -> BTreeMap<TaskId, Task> {
        let tasks = document
            .tasks()
            .iter()
            .filter(|task| !base.tasks().iter().any(|base| base.id == task.id));
        tasks.map(|task| (task.id.clone(), task.clone())).collect()
    };
    let (added_ours, added_theirs) = (added(ours), added(theirs));
    let mut of_ours = Vec::new();
    let mut of_theirs = Vec::new();
    let mut next = BTreeMap::new();
    for (id, one) in &added_ours {
        let Some(other) = added_theirs.get(id) else { continue };
        if (&one.title, &one.created_at) == (&other.title, &other.created_at) {
            continue;
        }
        let Some((prefix, digits)) = id.as_str().rsplit_once('-') else { continue };
        let rules = IdRules { prefix: prefix.to_owned(), width: digits.len(), high_water: 0 };
        let all =
            [base, &*ours, &*theirs].into_iter().flat_map(Document::tasks).map(|task| &task.id);
        let number = next.entry(prefix.to_owned()).or_insert_with(|| rules.highest(all));
        *number += 1;
        let Ok(new) = rules.id(*number) else { continue };
        let age = |task: &Task| (task.created_at.clone(), json(task).to_string());
        let list = if age(one) > age(other) { &mut of_ours } else { &mut of_theirs };
        list.push((id.clone(), new));
    }
    for (document, ids) in [(ours, &of_ours), (theirs, &of_theirs)] {
        if ids.is_empty() {
            continue;
        }
        let mut draft = document.draft();
        for index in 0..draft.len() {
            draft.task_mut(index).rename(ids);
        }
        if let Some(renamed) = draft.splice()? {
            *document = renamed;
        }
    }
    of_ours.extend(of_theirs);
    of_ours.sort();
    Ok(of_ours)
}
