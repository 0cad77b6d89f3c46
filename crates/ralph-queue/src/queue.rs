//! Both files of a queue, seen as one.

use ralph_state::TaskId;

use crate::document::Document;
use crate::ids::IdRules;
use crate::runnability::{Report, Selection};
use crate::task::Task;
use crate::validate::{Problem, Rules};

/// Which file a task is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The queue file.
    Queue,
    /// The done file.
    Done,
}

/// The queue file and the done file.
#[derive(Clone, Debug)]
pub struct Queue {
    queue: Document,
    done: Option<Document>,
    leftovers: Vec<TaskId>,
}

impl Queue {
    /// Both files as read; no done file is the same as an empty one.
    pub fn new(queue: Document, done: Option<Document>) -> Self {
        let _ = (queue, done);
        unimplemented!()
    }

    /// The queue file as it is.
    pub fn document(&self) -> &Document {
        &self.queue
    }

    /// The done file as it is.
    pub fn done_document(&self) -> Option<&Document> {
        self.done.as_ref()
    }

    /// The tasks of the queue file in order, without [`Queue::leftovers`].
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.queue.tasks().iter()
    }

    /// The tasks of the done file, in order.
    pub fn done_tasks(&self) -> &[Task] {
        self.done.as_ref().map_or(&[], Document::tasks)
    }

    /// Tasks that a crash left in both files: moved to the done file, not yet gone from the queue
    /// file. They count as done, and the next edit removes the rest.
    pub fn leftovers(&self) -> &[TaskId] {
        &self.leftovers
    }

    /// The task with that id and the file it is in; the queue file comes first, and a task that is
    /// not rejected before one that is.
    pub fn find(&self, id: &str) -> Option<(Place, &Task)> {
        let _ = id;
        unimplemented!()
    }

    /// Every problem in both files, in the order of the files.
    pub fn validate(&self, rules: &Rules) -> Vec<Problem> {
        let _ = rules;
        unimplemented!()
    }

    /// Which tasks can start, why the others cannot, and which is next.
    pub fn runnability(&self, selection: &Selection<'_>) -> Report {
        let _ = selection;
        unimplemented!()
    }

    /// The task to work on next.
    pub fn next(&self, selection: &Selection<'_>) -> Option<&Task> {
        let _ = selection;
        unimplemented!()
    }

    /// The highest number that any task of either file has, rejected ones too, and the high-water
    /// mark of `ids`; the next task gets the one after.
    pub fn highest_number(&self, ids: &IdRules) -> u64 {
        let _ = ids;
        unimplemented!()
    }
}
