//! What a crash or a merge left of a queue, put in order before an edit.

use std::collections::HashMap;

use ralph_state::{TaskId, Timestamp};

use crate::document::SpliceError;
use crate::edit::{Edit, Spliced};
use crate::ids::IdRules;
use crate::queue::Queue;
use crate::task::Task;

/// What an edit put in order before it did what it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mended {
    /// Tasks that were in both files and are only in the done file now, see
    /// [`Queue::leftovers`].
    pub healed: Vec<TaskId>,
    /// Tasks that got other ids, old and new, see [`Queue::namesakes`].
    pub parted: Vec<(TaskId, TaskId)>,
}

impl Mended {
    /// What every edit of that queue heals.
    pub(crate) fn healed(before: &Queue) -> Self {
        Self { healed: before.leftovers().cloned().collect(), ..Self::default() }
    }
}

/// A queue in order.
pub(crate) struct Whole {
    pub(crate) queue: Queue,
    /// The files that differ from those that were read.
    spliced: Spliced,
    pub(crate) mended: Mended,
}

impl Whole {
    /// The queue without leftovers and namesakes, if it has any; no id up to `high_water` is given.
    pub(crate) fn of(
        before: &Queue,
        ids: &IdRules,
        high_water: u64,
    ) -> Result<Option<Self>, SpliceError> {
        Self::made(before, |edit| {
            edit.raise_high_water(high_water);
            edit.part_namesakes(before, ids)
        })
    }

    /// The queue without leftovers, if it has any.
    pub(crate) fn healed(before: &Queue) -> Result<Option<Self>, SpliceError> {
        Self::made(before, |_| Vec::new())
    }

    fn made(
        before: &Queue,
        part: impl FnOnce(&mut Edit<'_>) -> Vec<(TaskId, TaskId)>,
    ) -> Result<Option<Self>, SpliceError> {
        let mended = Mended::healed(before);
        if mended.healed.is_empty() && before.namesakes().next().is_none() {
            return Ok(None);
        }
        // Nothing of it is stamped.
        let mut edit = Edit::new(before, Timestamp::UNIX_EPOCH);
        let parted = part(&mut edit);
        let spliced = edit.splice()?;
        let done = || before.has_done_file().then(|| before.done_document().clone());
        let queue = Queue::new(
            spliced.queue.clone().unwrap_or_else(|| before.document().clone()),
            spliced.done.clone().or_else(done),
        );
        Ok(Some(Self { queue, spliced, mended: Mended { parted, ..mended } }))
    }

    /// What is to be written for a change of the queue in order.
    pub(crate) fn with(self, change: Spliced) -> Spliced {
        let Spliced { queue, done } = self.spliced;
        Spliced { queue: change.queue.or(queue), done: change.done.or(done) }
    }
}

impl Edit<'_> {
    /// Gives the tasks of the queue file that have the id of another task in the done file ids of
    /// their own, and says which: old and new.
    ///
    /// Nobody knows which of the two an open task means that names the old id. It names both from
    /// then on, so that it waits for the one that is not finished.
    fn part_namesakes(&mut self, before: &Queue, rules: &IdRules) -> Vec<(TaskId, TaskId)> {
        let mut parted = Vec::new();
        let mut new_ids: HashMap<String, Vec<TaskId>> = HashMap::new();
        for at in before.namesake_indices() {
            // The leftovers are gone.
            let index = at - before.leftover_indices().partition_point(|left| left < at);
            // Where no id can be made, a validation goes on to say what is wrong.
            let Ok(new) = self.spend_id(rules) else { continue };
            let old = self.queue.task(index).id.clone();
            self.queue.task_mut(index).give_id(new.clone());
            new_ids.entry(old.to_string()).or_default().push(new.clone());
            parted.push((old, new));
        }
        if parted.is_empty() {
            return parted;
        }
        let names = |task: &Task| task.references().any(|id| new_ids.contains_key(id));
        let related = self.queue.related_tasks().filter(|(_, task)| names(task));
        let places: Vec<usize> = related.map(|(index, _)| index).collect();
        for index in places {
            let mut task = self.queue.task(index).clone();
            for list in [&mut task.depends_on, &mut task.blocks, &mut task.relates_to] {
                for new in list.clone().iter().filter_map(|id| new_ids.get(id)).flatten() {
                    if *new != task.id && !list.iter().any(|id| id == new.as_str()) {
                        list.push(new.to_string());
                    }
                }
            }
            if task != *self.queue.task(index) {
                *self.queue.task_mut(index) = task;
            }
        }
        parted
    }
}
