//! Tasks made from a task: a clone, or the parts it is split into.

use std::collections::{BTreeSet, HashMap};

use ralph_state::TaskId;

use crate::document::{Draft, Side};
use crate::edit::{Edit, EditError, End, Finish};
use crate::ids::IdRules;
use crate::task::{Status, Task};

/// How the new tasks differ from the one they are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copy {
    /// Their status.
    pub status: Status,
    /// What comes before the title.
    pub title_prefix: String,
}

/// What becomes of the plan of a task that is split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plan {
    /// The parts begin without one.
    #[default]
    Drop,
    /// Its steps are dealt out, one to each part in turn.
    Distribute,
}

/// Which tasks name another one: kept, because many may be split one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    /// The ids of those that name it, perhaps with some that do no longer.
    by_name: HashMap<String, Vec<String>>,
    /// [`Draft::changes`] when that was so.
    as_of: Option<usize>,
}

impl Waiting {
    /// The task `id` names this one.
    fn add(&mut self, id: &str, name: &str) {
        self.by_name.entry(name.to_owned()).or_default().push(id.to_owned());
    }

    /// Looks through the tasks, unless nothing was changed since.
    fn renew(&mut self, queue: &Draft<'_>) {
        if self.as_of != Some(queue.changes()) {
            self.by_name.clear();
            queue.references().for_each(|(at, name)| self.add(queue.id(at), &name));
            self.as_of = Some(queue.changes());
        }
    }
}

impl Edit<'_> {
    /// Adds a task like the one with that id, directly after it or, when that is in the done
    /// file, at the end. What the old one waited for and has been through is left out.
    pub fn clone_task(&mut self, id: &str, ids: &IdRules, how: &Copy) -> Result<TaskId, EditError> {
        self.unambiguous(id)?;
        let (_, source) = self.find(id).ok_or_else(|| EditError::NotFound { id: id.to_owned() })?;
        let source = Task { depends_on: Vec::new(), ..source.clone() };
        let index = self.queue.position(id).map_or(self.queue.len(), |index| index + 1);
        self.put_copy(&source, index, ids, how)
    }

    /// Splits a task that is not finished into `parts` new ones, which follow it and name it as
    /// their parent. It is rejected itself, where it stands, and what waited for it waits for all
    /// of them, as they wait for what held it back.
    pub fn split(
        &mut self,
        id: &str,
        ids: &IdRules,
        parts: usize,
        how: &Copy,
        plan: Plan,
    ) -> Result<Vec<TaskId>, EditError> {
        let index = self.open(id)?;
        let mut source = self.queue.task(index).clone();
        if source.status.is_terminal() {
            return Err(self.wrong_status(index, "split", "draft, todo or doing"));
        }
        self.waiting.renew(&self.queue);
        let held = self.held_back_by(&source);
        source.blocks.retain(|id| !held.iter().any(|held| held.as_str() == id.trim()));
        let mut made = Vec::new();
        for part in 0..parts {
            let steps = match plan {
                Plan::Drop => Vec::new(),
                Plan::Distribute => source.plan.iter().skip(part).step_by(parts).cloned().collect(),
            };
            let child = Task {
                title: format!("{} ({}/{parts})", source.title, part + 1),
                parent_id: Some(source.id.to_string()),
                plan: steps,
                ..source.clone()
            };
            let id = self.put_copy(&child, index + 1 + part, ids, how)?;
            child.references().for_each(|name| self.waiting.add(id.as_str(), name));
            made.push(id);
        }
        let names: Vec<&str> = made.iter().map(TaskId::as_str).collect();
        let note = format!("Split into {}.", names.join(", "));
        self.end(index, End::Rejected, Finish::InPlace, Some(&note));
        let mut task = self.queue.task(index).clone();
        task.custom_fields.insert("split".to_owned(), "true".to_owned());
        task.blocks = source.blocks;
        self.queue.replace(index, task);
        self.wait_for_parts(&source.id, &made, &held);
        self.waiting.as_of = Some(self.queue.changes());
        Ok(made)
    }

    /// The open tasks that the `blocks` of a task names.
    fn held_back_by(&self, task: &Task) -> Vec<TaskId> {
        let places = task.blocks.iter().flat_map(|id| self.queue.positions(id.trim()));
        // In the order of the file.
        let places: BTreeSet<usize> = places.collect();
        let held = places.into_iter().map(|index| self.queue.task(index));
        held.filter(|held| !held.status.is_terminal()).map(|held| held.id.clone()).collect()
    }

    /// Puts the parts of a task that was split in its place where an open task names it to say
    /// what waits for what; `held` are those that it named itself.
    fn wait_for_parts(&mut self, whole: &TaskId, parts: &[TaskId], held: &[TaskId]) {
        let names = |ids: &[String]| ids.iter().any(|id| id.trim() == whole.as_str());
        let waiting = self.waiting.by_name.remove(whole.as_str()).unwrap_or_default();
        let places = waiting.iter().flat_map(|id| self.queue.positions(id.as_str()));
        let mut places: BTreeSet<usize> = places
            .filter(|index| {
                let task = self.queue.task(*index);
                names(&task.depends_on) || names(&task.blocks)
            })
            .collect();
        places.extend(held.iter().filter_map(|id| self.queue.position(id.as_str())));
        for index in places {
            let task = self.queue.task(index);
            if task.status.is_terminal() {
                continue;
            }
            let mut changed = task.clone();
            replace(&mut changed.depends_on, whole, parts);
            replace(&mut changed.blocks, whole, parts);
            if held.contains(&task.id) {
                put(&mut changed.depends_on, parts);
            }
            if changed != *task {
                changed.updated_at = Some(self.now().to_string());
                let id = changed.id.as_str();
                changed.references().for_each(|name| self.waiting.add(id, name));
                self.queue.replace(index, changed);
            }
        }
    }

    fn put_copy(
        &mut self,
        source: &Task,
        index: usize,
        ids: &IdRules,
        how: &Copy,
    ) -> Result<TaskId, EditError> {
        let id = self.next_id(ids)?;
        let mut task = Task {
            id: id.clone(),
            title: format!("{}{}", how.title_prefix, source.title),
            created_at: None,
            updated_at: None,
            completed_at: None,
            started_at: None,
            actual_minutes: None,
            ..source.clone()
        };
        task.custom_fields.remove(crate::task::FORMER_IDS);
        task.set_status(how.status, self.now());
        // It gets that with the other time.
        task.updated_at = None;
        self.insert_new(task, (index, Side::Behind));
        Ok(id)
    }
}

/// Puts the parts where the list names the whole.
fn replace(ids: &mut Vec<String>, whole: &TaskId, parts: &[TaskId]) {
    let Some(at) = ids.iter().position(|id| id.trim() == whole.as_str()) else { return };
    let behind = ids.split_off(at);
    put(ids, parts);
    ids.extend(behind.into_iter().filter(|id| id.trim() != whole.as_str()));
}

/// Adds to the list what it lacks.
fn put(ids: &mut Vec<String>, parts: &[TaskId]) {
    for part in parts {
        if !ids.iter().any(|id| id.trim() == part.as_str()) {
            ids.push(part.to_string());
        }
    }
}
