//! What can be done to a queue: the operations, with the status policy of 0.4.0.

use std::marker::PhantomData;

use ralph_state::{TaskId, Timestamp};

use crate::document::{Draft, SpliceError};
use crate::ids::IdRules;
use crate::queue::{Place, Queue};
use crate::task::{Status, Task};

/// What becomes of a finished task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// It moves to the done file, as in 0.4.0.
    #[default]
    Archive,
    /// Its status changes where it stands; [`Edit::archive`] moves it later.
    InPlace,
}

/// Where a new task goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// First, or second when the first is being worked on, as in 0.4.0.
    #[default]
    Front,
    /// Last.
    Back,
    /// Directly after that task.
    After(TaskId),
    /// Directly before that task.
    Before(TaskId),
}

/// Changes to a queue, not yet written.
#[derive(Debug)]
pub struct Edit<'a> {
    /// The queue file.
    pub queue: Draft<'a>,
    /// The done file.
    pub done: Draft<'a>,
    now: Timestamp,
    _queue: PhantomData<&'a Queue>,
}

/// Why an operation was refused. Nothing is changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// No file has that task.
    #[error("there is no task `{id}`")]
    NotFound {
        /// The id asked for.
        id: String,
    },
    /// The task is in the done file, where it is not worked on.
    #[error("task `{id}` is already {status} and archived")]
    Archived {
        /// The task.
        id: TaskId,
        /// Done or rejected.
        status: Status,
    },
    /// The operation does not start from that status.
    #[error("task `{id}` is {status}; {operation} needs {needs}")]
    WrongStatus {
        /// The task.
        id: TaskId,
        /// What was asked for: `done`, `reject`, `ready` ...
        operation: &'static str,
        /// Its status.
        status: Status,
        /// The statuses it starts from, in words.
        needs: &'static str,
    },
    /// The id of a new task is taken.
    #[error("the id `{id}` is taken")]
    IdTaken {
        /// The id.
        id: TaskId,
    },
    /// The prefix and width make no id.
    #[error("no id can be made")]
    Id(#[source] ralph_state::TaskIdError),
}

impl<'a> Edit<'a> {
    /// No changes yet. Removes what a crash left behind, see [`Queue::leftovers`].
    pub fn new(queue: &'a Queue, now: Timestamp) -> Self {
        let _ = (queue, now);
        unimplemented!()
    }

    /// The time that changes are stamped with.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The task with that id and its file; like [`Queue::find`], with the changes so far.
    pub fn find(&self, id: &str) -> Option<(Place, &Task)> {
        let _ = id;
        unimplemented!()
    }

    /// The id for a new task: past every number used in either file and the high-water mark.
    pub fn next_id(&self, ids: &IdRules) -> Result<TaskId, EditError> {
        let _ = ids;
        unimplemented!()
    }

    /// Adds `task` at `position`, and fills in `created_at` and `updated_at` when they are empty.
    pub fn add(&mut self, task: Task, position: &Position) -> Result<(), EditError> {
        let _ = (task, position);
        unimplemented!()
    }

    /// Begins work: `doing`, with `started_at` kept if there is one.
    pub fn start(&mut self, id: &str, restart: Restart) -> Result<Changed, EditError> {
        let _ = (id, restart);
        unimplemented!()
    }

    /// Ends a task that is `todo` or `doing` with `end`, and adds `note` to it.
    ///
    /// The note is written as given; take secrets out of it before.
    pub fn finish(
        &mut self,
        id: &str,
        end: End,
        how: Finish,
        note: Option<&str>,
    ) -> Result<Changed, EditError> {
        let _ = (id, end, how, note);
        unimplemented!()
    }

    /// Makes a draft ready to be worked on.
    pub fn ready(&mut self, id: &str, note: Option<&str>) -> Result<Changed, EditError> {
        let _ = (id, note);
        unimplemented!()
    }

    /// Sets any status on a task of the queue file, and leaves it there.
    pub fn set_status(
        &mut self,
        id: &str,
        status: Status,
        note: Option<&str>,
    ) -> Result<Changed, EditError> {
        let _ = (id, status, note);
        unimplemented!()
    }

    /// Moves every finished task of the queue file to the done file, and says which.
    pub fn archive(&mut self) -> Vec<TaskId> {
        unimplemented!()
    }

    /// The texts of both files with the changes, each only if it differs; checked against what was
    /// meant.
    pub fn splice(self) -> Result<Spliced, SpliceError> {
        unimplemented!()
    }
}

/// What became of both texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Spliced {
    /// The queue file, if it changed.
    pub queue: Option<crate::Document>,
    /// The done file, if it changed.
    pub done: Option<crate::Document>,
}

/// What becomes of `started_at` when a task is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// It stays.
    #[default]
    Keep,
    /// It is now.
    Reset,
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Finished.
    Done,
    /// Will not be done.
    Rejected,
}

/// Whether an operation changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It did.
    Yes,
    /// It was so before.
    No,
}
