//! The queue put in order: old tasks pruned, the rest sorted.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ralph_state::{TaskId, Timestamp};

use crate::edit::Edit;
use crate::task::{Priority, Status, Task};

/// Which tasks of the done file are pruned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Only those that ended so many days ago.
    pub days: Option<u32>,
    /// Only those of these statuses; an empty list means all.
    pub statuses: Vec<Status>,
    /// Not those that ended last, so many.
    pub keep_last: usize,
}

/// Which end of the queue gets the urgent tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgent {
    /// The beginning.
    #[default]
    First,
    /// The end.
    Last,
}

impl Edit<'_> {
    /// Removes tasks from the done file for good, and says which of those wanted it had to keep
    /// because a task that stays names them. A task without a readable end stays too.
    pub fn prune(&mut self, what: &Prune) -> Vec<TaskId> {
        let now = self.now();
        let end = |task: &Task| task.completed_at.as_ref()?.parse::<Timestamp>().ok();
        let mut ends: Vec<(usize, Timestamp)> = self
            .done
            .tasks()
            .enumerate()
            .filter_map(|(index, task)| Some((index, end(task)?)))
            .collect();
        ends.sort_by_key(|(_, end)| Reverse(*end));
        let wanted = |(index, end): &(usize, Timestamp)| {
            let status = self.done.task(*index).status;
            (what.statuses.is_empty() || what.statuses.contains(&status))
                && what.days.is_none_or(|days| now.seconds_since(*end) >= i64::from(days) * 86_400)
        };
        let mut gone: BTreeSet<usize> =
            ends.into_iter().skip(what.keep_last).filter(wanted).map(|(index, _)| index).collect();
        let mut by_id: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, task) in self.done.tasks().enumerate() {
            by_id.entry(task.id.as_str()).or_default().push(index);
        }
        let staying = self.done.tasks().enumerate().filter(|(index, _)| !gone.contains(index));
        let mut named: Vec<Cow<'_, str>> = self.queue.references().map(|(_, id)| id).collect();
        named.extend(staying.flat_map(|(_, task)| task.references()).map(Cow::Borrowed));
        let mut kept = BTreeSet::new();
        while let Some(id) = named.pop() {
            for index in by_id.get(id.as_ref()).into_iter().flatten() {
                if gone.remove(index) {
                    kept.insert(*index);
                    named.extend(self.done.task(*index).references().map(Cow::Borrowed));
                }
            }
        }
        let kept = kept.into_iter().map(|index| self.done.task(index).id.clone()).collect();
        self.done.remove_all(&gone);
        kept
    }

    /// Sorts the queue file by priority. Tasks of one priority stay in the order they were put in.
    pub fn sort(&mut self, urgent: Urgent) {
        let rank = |priority| match urgent {
            Urgent::First => priority as usize,
            Urgent::Last => Priority::ALL.len() - priority as usize,
        };
        let ranks: Vec<usize> = self.queue.priorities().map(rank).collect();
        self.queue.arrange(&ranks);
    }
}
