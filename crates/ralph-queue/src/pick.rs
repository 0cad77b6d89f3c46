//! Which tasks of the queue file a batch is about, and what only a batch does.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ralph_state::{TaskId, Timestamp};

use crate::edit::{Edit, EditError};
use crate::task::{Priority, Status, Task};

/// What tasks have to be. An empty list lets every task through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these tags, in any case.
    pub tags: Vec<String>,
    /// One of these statuses.
    pub statuses: Vec<Status>,
    /// One of these priorities.
    pub priorities: Vec<Priority>,
    /// One of these texts, in any case, within an entry of the scope.
    pub scopes: Vec<String>,
    /// Last changed before that time.
    pub older_than: Option<Timestamp>,
}

impl Filter {
    /// Whether it lets every task through.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it lets this one through.
    pub fn matches<W: AsRef<str>>(&self, task: &Task<W>) -> bool {
        let has_tag =
            |tag: &String| task.tags.iter().any(|own| own.as_ref().eq_ignore_ascii_case(tag));
        let in_scope = |wanted: &String| {
            let wanted = wanted.to_lowercase();
            task.scope.iter().any(|scope| scope.as_ref().to_lowercase().contains(&wanted))
        };
        let changed = || task.updated_at.as_ref()?.as_ref().parse::<Timestamp>().ok();
        (self.tags.is_empty() || self.tags.iter().any(has_tag))
            && (self.statuses.is_empty() || self.statuses.contains(&task.status))
            && (self.priorities.is_empty() || self.priorities.contains(&task.priority))
            && (self.scopes.is_empty() || self.scopes.iter().any(in_scope))
            && self.older_than.is_none_or(|time| changed().is_some_and(|changed| changed < time))
    }
}

/// Which tasks a change is about: said before the queue is locked, and looked up in the queue that
/// is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// Those with these ids; of all without any, if there is a filter.
    pub ids: Vec<String>,
    /// Those of them that it lets through.
    pub filter: Filter,
}

impl Edit<'_> {
    /// The ids of the tasks that are picked, in the order of the queue file. Without a filter they
    /// are those that were given, as they were given, each once: whether there is such a task is
    /// for the change to say.
    pub fn picked(&self, Pick { ids, filter }: &Pick) -> Vec<String> {
        if filter.is_empty() {
            let mut seen = HashSet::new();
            return ids.iter().filter(|id| seen.insert(id.trim())).cloned().collect();
        }
        let named: HashSet<&str> = ids.iter().map(|id| id.trim()).collect();
        let is_named = |id: &TaskId| ids.is_empty() || named.contains(id.as_str());
        let picked = self.queue.tasks().filter(|it| is_named(&it.id) && filter.matches(it));
        picked.map(|task| task.id.to_string()).collect()
    }

    /// That a task of the queue file is finished, for [`Self::archive_all`]; `None` of one that is in
    /// the done file.
    pub fn archivable(&self, id: &str) -> Result<Option<TaskId>, EditError> {
        let index = match self.open(id) {
            Err(EditError::Archived { .. }) => return Ok(None),
            index => index?,
        };
        let task = self.queue.task(index);
        if !task.status.is_terminal() {
            return Err(self.wrong_status(index, "archive", "done or rejected"));
        }
        Ok(Some(task.id.clone()))
    }

    /// Moves these finished tasks of the queue file to the done file.
    pub fn archive_all(&mut self, ids: &BTreeSet<TaskId>) {
        if !ids.is_empty() {
            self.archive_where(|task| ids.contains(&task.id));
        }
    }

    /// Moves the tasks to the done file that ended `days` days ago or earlier. One without a
    /// readable time stays.
    pub fn archive_older(&mut self, days: u32) -> Vec<TaskId> {
        let now = self.now();
        self.archive_where(|task| {
            let ended = task.completed_at.as_ref().and_then(|time| time.parse::<Timestamp>().ok());
            ended.is_some_and(|ended| now.seconds_since(ended) >= i64::from(days) * 86_400)
        })
    }

    /// Removes tasks from the queue file for good, unless others name them.
    pub fn delete(&mut self, ids: &[String]) -> Result<(), EditError> {
        let mut indices = BTreeSet::new();
        for id in ids {
            indices.insert(self.open(id).map_err(|error| match error {
                EditError::Archived { id, .. } => EditError::InDoneFile { id },
                error => error,
            })?);
        }
        let gone: BTreeSet<&str> = indices.iter().map(|index| self.queue.id(*index)).collect();
        let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for draft in [&self.queue, &self.done] {
            for (at, id) in draft.references() {
                if let Some(id) = gone.get(id.as_ref())
                    && !gone.contains(draft.id(at))
                {
                    named.entry(id).or_default().push(draft.id(at));
                }
            }
        }
        if let Some((id, mut by)) = named.pop_first() {
            by.dedup();
            let by = by.into_iter().filter_map(|id| id.parse().ok()).collect();
            return Err(EditError::Referenced { id: id.to_owned(), by });
        }
        self.queue.remove_all(&indices);
        Ok(())
    }
}
