//! What a crash or a merge left of a queue, put in order before an edit.

use std::collections::{BTreeSet, HashMap};

use ralph_state::{TaskId, Timestamp};

use crate::document::SpliceError;
use crate::edit::{Edit, Spliced};
use crate::ids::IdRules;
use crate::queue::{Place, Queue};
use crate::task::Status;

/// What an edit put in order before it did what it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mended {
    /// Tasks that were in both files and are only in the done file now, see
    /// [`Queue::leftovers`].
    pub healed: Vec<TaskId>,
    /// Tasks that got other ids, since another has theirs.
    pub parted: Vec<Parted>,
}

/// A task that got another id, since another one has the one it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// The id it had.
    pub was: TaskId,
    /// The one it has.
    pub id: TaskId,
    /// Where it stands: it is open, see [`Queue::namesakes`], or rejected, while the other is open.
    pub status: Status,
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
    /// The queue without leftovers and ids of several tasks, if it has any that an edit parts; no id
    /// up to `high_water` is given.
    pub(crate) fn of(
        before: &Queue,
        ids: &IdRules,
        high_water: u64,
    ) -> Result<Option<Self>, SpliceError> {
        let outranked = before.outranked();
        if outranked.is_empty() && before.namesakes().next().is_none() {
            return Self::healed(before);
        }
        Self::made(before, |edit| {
            edit.raise_high_water(high_water);
            let mut parted = edit.part_namesakes(before, ids);
            parted.extend(edit.part_outranked(before, &outranked, ids));
            parted
        })
        .map(Some)
    }

    /// The queue without leftovers, if it has any.
    pub(crate) fn healed(before: &Queue) -> Result<Option<Self>, SpliceError> {
        if before.leftover_indices().is_empty() {
            return Ok(None);
        }
        Self::made(before, |_| Vec::new()).map(Some)
    }

    fn made(
        before: &Queue,
        part: impl FnOnce(&mut Edit<'_>) -> Vec<Parted>,
    ) -> Result<Self, SpliceError> {
        // Nothing of it is stamped.
        let mut edit = Edit::new(before, Timestamp::UNIX_EPOCH);
        let parted = part(&mut edit);
        let spliced = edit.splice()?;
        let done = || before.has_done_file().then(|| before.done_document().clone());
        let queue = Queue::new(
            spliced.queue.clone().unwrap_or_else(|| before.document().clone()),
            spliced.done.clone().or_else(done),
        );
        Ok(Self { queue, spliced, mended: Mended { parted, ..Mended::healed(before) } })
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
    fn part_namesakes(&mut self, before: &Queue, rules: &IdRules) -> Vec<Parted> {
        let mut parted = Vec::new();
        let mut new_ids: HashMap<String, Vec<TaskId>> = HashMap::new();
        for at in before.namesake_indices() {
            let Some(new) = self.part((Place::Queue, *at), before, rules) else { continue };
            new_ids.entry(new.was.to_string()).or_default().push(new.id.clone());
            parted.push(new);
        }
        if parted.is_empty() {
            return parted;
        }
        let named = self.queue.references().filter(|(_, id)| new_ids.contains_key(id.as_ref()));
        let places: BTreeSet<usize> = named.map(|(index, _)| index).collect();
        for index in places {
            let mut task = self.queue.task(index).clone();
            for list in [&mut task.depends_on, &mut task.blocks, &mut task.relates_to] {
                for new in list.clone().iter().filter_map(|id| new_ids.get(id.trim())).flatten() {
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

    /// Gives rejected tasks whose id is that of an open one ids of their own. What names the id means
    /// the open one.
    fn part_outranked(
        &mut self,
        before: &Queue,
        outranked: &[(Place, usize)],
        rules: &IdRules,
    ) -> Vec<Parted> {
        outranked.iter().filter_map(|place| self.part(*place, before, rules)).collect()
    }

    /// Gives the task that was there before the leftovers went an id of its own.
    fn part(
        &mut self,
        (place, at): (Place, usize),
        before: &Queue,
        rules: &IdRules,
    ) -> Option<Parted> {
        // Where no id can be made, a validation goes on to say what is wrong.
        let id = self.spend_id(rules).ok()?;
        let task = match place {
            Place::Queue => {
                let gone = before.leftover_indices().partition_point(|left| *left < at);
                self.queue.task_mut(at - gone)
            }
            Place::Done => self.done.task_mut(at),
        };
        let (was, status) = (task.id.clone(), task.status);
        task.give_id(id.clone());
        Some(Parted { was, id, status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::task::Task;
    use crate::validate::{Code, Rules};

    /// A file of tasks as `ID:STATUS:TITLE`. Those of one title are versions of one task.
    fn file(tasks: &str) -> Document {
        let task = |task: &str| {
            let [id, status, title] = *task.split(':').collect::<Vec<_>>() else {
                panic!("{task}")
            };
            let time = "2026-01-01T00:00:00Z";
            format!(
                r#"{{"id":"RQ-000{id}","status":"{status}","title":"{title}","created_at":"{time}","updated_at":"{time}"}}"#
            )
        };
        let tasks: Vec<String> = tasks.split_whitespace().map(task).collect();
        Document::parse(format!("{{\"version\": 1, \"tasks\": [{}]}}", tasks.join(","))).unwrap()
    }

    fn queue(files: &str) -> Queue {
        let (open, done) = files.split_once('|').unwrap();
        Queue::new(file(open), Some(file(done)))
    }

    fn shown(queue: &Queue) -> String {
        let show = |document: &Document| -> String {
            let task =
                |task: &Task| format!("{}:{}:{}", &task.id.as_str()[6..], task.status, task.title);
            document.tasks().iter().map(task).collect::<Vec<_>>().join(" ")
        };
        format!("{}|{}", show(queue.document()), show(queue.done_document()))
    }

    #[test]
    fn a_rejected_task_with_the_id_of_an_open_one_is_parted_from_it() {
        let cases = [
            ("2:rejected:a 2:todo:b|", "3:rejected:a 2:todo:b|"),
            ("2:todo:b 2:rejected:a|", "2:todo:b 3:rejected:a|"),
            ("2:draft:b|2:rejected:a", "2:draft:b|3:rejected:a"),
            (
                "2:doing:b|2:rejected:a 5:done:c 2:rejected:d",
                "2:doing:b|6:rejected:a 5:done:c 7:rejected:d",
            ),
            ("1:done:c 2:rejected:a 2:todo:b|1:done:c", "3:rejected:a 2:todo:b|1:done:c"),
            // Also where a finished one has the id besides.
            ("2:todo:b|2:done:c 2:rejected:a", "3:todo:b|2:done:c 4:rejected:a"),
        ];
        for (before, after) in cases {
            let before = queue(before);
            let whole = Whole::of(&before, &IdRules::default(), 0).unwrap().unwrap();
            assert_eq!(shown(&whole.queue), after);
            assert!(whole.queue.is_whole(), "{after}");
            for Parted { was, id, status } in whole.mended.parted {
                assert_eq!(was.as_str(), "RQ-0002");
                let (_, task) = whole.queue.find(id.as_str()).unwrap();
                assert_eq!((task.status, task.former_ids().last()), (status, Some(was.as_str())));
            }
        }
        let alone = [
            "2:done:b 2:rejected:a|",
            "2:rejected:b|2:rejected:a",
            "|2:done:b 2:rejected:a",
            // One task twice.
            "2:todo:b 2:rejected:b|",
            "1:todo:b 3:rejected:a|2:rejected:c",
        ];
        for files in alone {
            assert!(Whole::of(&queue(files), &IdRules::default(), 0).unwrap().is_none(), "{files}");
        }
    }

    #[test]
    fn a_repair_leaves_no_id_to_two_tasks() {
        let cases = [
            ("2:rejected:a 2:done:b|", "3:rejected:a 2:done:b|"),
            ("2:rejected:a|2:done:b", "3:rejected:a|2:done:b"),
            ("|2:rejected:a 2:done:b", "|3:rejected:a 2:done:b"),
            ("2:rejected:b|2:rejected:a", "2:rejected:b|3:rejected:a"),
            ("2:done:b 2:done:a|", "2:done:b 3:done:a|"),
            ("2:todo:a 2:rejected:b 2:rejected:a|", "2:todo:a 3:rejected:b|"),
        ];
        for (before, after) in cases {
            let before = queue(before);
            let whole = Whole::of(&before, &IdRules::default(), 0).unwrap();
            let read = whole.as_ref().map_or(&before, |whole| &whole.queue);
            let mut edit = Edit::of_whole(&before, read, Timestamp::UNIX_EPOCH);
            edit.repair(&Rules::default()).unwrap();
            let Spliced { queue, done } = edit.splice().unwrap();
            let queue = queue.unwrap_or_else(|| read.document().clone());
            let queue = Queue::new(queue, done.or_else(|| Some(read.done_document().clone())));
            assert_eq!(shown(&queue), after);
            let twice = queue.validate(&Rules::default());
            assert!(!twice.iter().any(|problem| problem.code == Code::DuplicateId), "{twice:?}");
        }
    }

    #[test]
    fn every_lookup_means_the_same_task() {
        let cases = [
            ("2:rejected:a 2:todo:b|", "b"),
            ("2:todo:b|2:rejected:a", "b"),
            ("2:rejected:a|2:done:b", "b"),
            ("|2:rejected:a 2:done:b", "b"),
            ("2:rejected:b|2:rejected:a", "b"),
        ];
        for (files, meant) in cases {
            let queue = queue(files);
            let title = |task: Option<(Place, &Task)>| task.unwrap().1.title.clone();
            let mut edit = Edit::new(&queue, Timestamp::UNIX_EPOCH);
            assert_eq!(title(queue.find("RQ-0002")), meant, "{files}");
            assert_eq!(title(edit.find("RQ-0002")), meant, "{files}");
            if let Ok(at) = edit.open("RQ-0002") {
                assert_eq!(edit.queue.task(at).title, meant, "{files}");
            }
            edit.annotate("RQ-0002", "seen").unwrap();
            let (_, task) = edit.find("RQ-0002").unwrap();
            assert_eq!((task.title.as_str(), task.notes.len()), (meant, 1), "{files}");
        }
    }
}
