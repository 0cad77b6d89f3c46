//! Queue changes on texts alone, for a commit that is being made on another version of the files.

use ralph_state::{TaskId, Timestamp};

use crate::document::{ParseError, SpliceError};
use crate::edit::{EditError, Finish};
use crate::ids::IdRules;
use crate::task::{Status, Task};

/// What became of the texts when a task was finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The queue file.
    pub queue: String,
    /// The done file; `None` when there was none and none is needed.
    pub done: Option<String>,
    /// What was found.
    pub outcome: Outcome,
}

/// What was found when a task was to be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was open and is done now.
    Finished,
    /// It was in neither file, and is there as done now.
    Added,
    /// It was finished before; the texts are as they were.
    AlreadyFinished {
        /// Done or rejected.
        status: Status,
    },
}

/// Why a text was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The queue file cannot be read.
    #[error("cannot read the queue file")]
    Queue(#[source] ParseError),
    /// The done file cannot be read.
    #[error("cannot read the done file")]
    Done(#[source] ParseError),
    /// The change was refused.
    #[error("the change was refused")]
    Edit(#[from] EditError),
    /// The edited text does not say what was meant: a fault in this crate.
    #[error("the edit cannot be written")]
    Splice(#[from] SpliceError),
}

/// The texts a landing works on.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// The queue file of the target branch.
    pub queue: &'a str,
    /// Its done file, if it has one.
    pub done: Option<&'a str>,
}

/// Marks `task` done on these texts, whatever else changed there: by the target's version of the
/// task, or as a new task when the target has none.
pub fn finish_task(
    texts: Texts<'_>,
    task: &Task,
    how: Finish,
    now: Timestamp,
    note: Option<&str>,
) -> Result<Finished, TextError> {
    let _ = (texts, task, how, now, note);
    unimplemented!()
}

/// The tasks of `edited` whose ids `base` does not have, in order: what an agent added.
pub fn new_tasks(base: &str, edited: &str) -> Result<Vec<Task>, ParseError> {
    let _ = (base, edited);
    unimplemented!()
}

/// Adds `tasks` at the end; one whose id is taken gets the next free one, and the others of
/// `tasks` that name it follow. Returns the queue file and the pairs of old and new id.
pub fn adopt_tasks(
    texts: Texts<'_>,
    tasks: &[Task],
    ids: &IdRules,
    now: Timestamp,
) -> Result<(String, Vec<(TaskId, TaskId)>), TextError> {
    let _ = (texts, tasks, ids, now);
    unimplemented!()
}
