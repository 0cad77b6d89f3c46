//! Both files of a queue, seen as one.

use std::collections::HashMap;

use ralph_state::TaskId;

use crate::delta::fingerprint;
use crate::document::Document;
use crate::ids::IdRules;
use crate::runnability::{Readiness, Report, Selection};
use crate::task::{Status, Task};
use crate::validate::{self, Problem, Rules};

/// Which file a task is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The queue file.
    Queue,
    /// The done file.
    Done,
}

impl Place {
    /// `queue` or `done`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Done => "done",
        }
    }
}

/// The queue file and the done file.
#[derive(Clone, Debug)]
pub struct Queue {
    open: Document,
    /// Without a done file, the empty one.
    done: Document,
    has_done_file: bool,
    /// Indices into the queue file, rising.
    leftovers: Vec<usize>,
    /// The same.
    namesakes: Vec<usize>,
}

impl Queue {
    /// Both files as read; no done file is the same as an empty one.
    pub fn new(open: Document, done: Option<Document>) -> Self {
        let has_done_file = done.is_some();
        let done = done.unwrap_or_else(Document::empty);
        let Shared { leftovers, namesakes } = Shared::of(&open, &done);
        Self { open, done, has_done_file, leftovers, namesakes }
    }

    /// The queue file as it is.
    pub fn document(&self) -> &Document {
        &self.open
    }

    /// The done file as it is; an empty one if there is none.
    pub fn done_document(&self) -> &Document {
        &self.done
    }

    /// Whether there is a done file.
    pub fn has_done_file(&self) -> bool {
        self.has_done_file
    }

    /// The tasks of the queue file in order, without [`Queue::leftovers`].
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        let mut leftovers = self.leftovers.iter().peekable();
        self.open.tasks().iter().enumerate().filter_map(move |(index, task)| {
            leftovers.next_if(|leftover| **leftover == index).is_none().then_some(task)
        })
    }

    /// The tasks of the done file, in order.
    pub fn done_tasks(&self) -> &[Task] {
        self.done.tasks()
    }

    /// Tasks that are in both files: finished in the done file, not yet gone from the queue file,
    /// after a crash or a merge. They count as finished, and the next edit removes the rest; what
    /// is new there goes to the copy that stays.
    pub fn leftovers(&self) -> impl Iterator<Item = &TaskId> {
        self.leftovers.iter().map(|index| &self.open.tasks()[*index].id)
    }

    /// Tasks of the queue file whose id is that of another task in the done file, as a merge may
    /// leave it. The next edit gives them other ids.
    pub fn namesakes(&self) -> impl Iterator<Item = &TaskId> {
        self.namesakes.iter().map(|index| &self.open.tasks()[*index].id)
    }

    pub(crate) fn namesake_indices(&self) -> &[usize] {
        &self.namesakes
    }

    pub(crate) fn leftover_indices(&self) -> &[usize] {
        &self.leftovers
    }

    /// The task with that id and the file it is in; a task that is not rejected comes before one
    /// that is, then the queue file before the done file. Without one, the task that had that id
    /// before.
    pub fn find(&self, id: &str) -> Option<(Place, &Task)> {
        let all = || {
            let queue = self.tasks().map(|task| (Place::Queue, task));
            queue.chain(self.done_tasks().iter().map(|task| (Place::Done, task)))
        };
        let mut found = all().filter(|(_, task)| task.id.as_str() == id);
        let Some(first) = found.next() else {
            return all().find(|(_, task)| task.former_ids().any(|old| old == id));
        };
        if first.1.status != Status::Rejected {
            return Some(first);
        }
        Some(found.find(|(_, task)| task.status != Status::Rejected).unwrap_or(first))
    }

    /// Identifies the content of both files; a script compares it with what it read before.
    pub fn revision(&self) -> String {
        revision(&self.open, &self.done)
    }

    /// Every problem in both files: those of the queue file first, in the order of the lines.
    pub fn validate(&self, rules: &Rules) -> Vec<Problem> {
        validate::documents(&self.open, &self.done, rules)
    }

    /// Which tasks can start, why the others cannot, and which is next.
    pub fn runnability(&self, selection: &Selection<'_>) -> Report {
        Readiness::new(self, selection).report()
    }

    /// The task to work on next.
    pub fn next(&self, selection: &Selection<'_>) -> Option<&Task> {
        Readiness::new(self, selection).next()
    }

    /// The highest number that a task of either file has, rejected ones too, and the high-water
    /// mark of `ids`; the next task gets the one after.
    pub fn highest_number(&self, ids: &IdRules) -> u64 {
        ids.highest(self.open.tasks().iter().chain(self.done.tasks()).map(|task| &task.id))
    }
}

pub(crate) fn revision(open: &Document, done: &Document) -> String {
    fingerprint(&(fingerprint(open.text()) + &fingerprint(done.text())))
}

/// Which tasks of the queue file have an id that the done file has, too, as rising indices.
#[derive(Default)]
pub(crate) struct Shared {
    /// They are finished in the done file: a move was cut short, or one branch finished a task that
    /// another still worked on.
    pub(crate) leftovers: Vec<usize>,
    /// They are other tasks. Rejected ones may have the same id.
    namesakes: Vec<usize>,
}

impl Shared {
    pub(crate) fn of(queue: &Document, done: &Document) -> Self {
        let mut shared = Self::default();
        if done.tasks().is_empty() {
            return shared;
        }
        let mut by_id: HashMap<&TaskId, &Task> = HashMap::with_capacity(done.tasks().len());
        for task in done.tasks() {
            let known = by_id.entry(&task.id).or_insert(task);
            if known.status == Status::Rejected {
                *known = task;
            }
        }
        for (index, task) in queue.tasks().iter().enumerate() {
            let Some(done) = by_id.get(&task.id) else { continue };
            if task.is_version_of(done) {
                if done.status.is_terminal() {
                    shared.leftovers.push(index);
                }
            } else if ![task.status, done.status].contains(&Status::Rejected) {
                shared.namesakes.push(index);
            }
        }
        shared
    }
}
