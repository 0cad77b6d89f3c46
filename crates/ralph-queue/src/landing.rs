//! Queue changes on texts alone, for a commit that is being made on another version of the files.

use std::collections::{BTreeMap, BTreeSet};

use ralph_state::{TaskId, Timestamp};

use crate::document::{Document, Draft, ParseError, SpliceError};
use crate::edit::{Edit, EditError, End, Finish, Position, Spliced};
use crate::ids::IdRules;
use crate::queue::{Place, Queue};
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

impl Texts<'_> {
    fn read(self) -> Result<Queue, TextError> {
        let queue = Document::parse(self.queue).map_err(TextError::Queue)?;
        let done =
            self.done.map(|text| Document::parse_as(text.to_owned(), Place::Done)).transpose();
        Ok(Queue::new(queue, done.map_err(TextError::Done)?))
    }
}

/// Marks `task` done on these texts, whatever else changed there: by the target's version of the
/// task, or as a new task when the target has none.
///
/// The note is written as given; secrets have to be out of it.
///
/// ```
/// use ralph_queue::landing::{Outcome, Texts, finish_task};
/// use ralph_queue::{Document, Finish};
///
/// let queue = r#"{"version": 1, "tasks": [
///   // the first
///   {"id": "RQ-0001", "title": "say hello", "status": "doing"},
/// ]}"#;
/// let task = Document::parse(queue)?.tasks()[0].clone();
/// let now = "2026-04-22T12:00:00Z".parse()?;
/// let finished = finish_task(Texts { queue, done: None }, &task, Finish::InPlace, now, None)?;
/// assert_eq!(finished.outcome, Outcome::Finished);
/// assert!(finished.queue.contains(r#""status": "done""#) && finished.queue.contains("// the first"));
///
/// let again = finish_task(Texts { queue: &finished.queue, done: None }, &task, Finish::InPlace, now, None)?;
/// assert_eq!(again.queue, finished.queue);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn finish_task(
    texts: Texts<'_>,
    task: &Task,
    how: Finish,
    now: Timestamp,
    note: Option<&str>,
) -> Result<Finished, TextError> {
    let queue = texts.read()?;
    let mut edit = Edit::new(&queue, now);
    let outcome = match standing(&edit, task)? {
        Some((status, _)) if status.is_terminal() => {
            let outcome = Outcome::AlreadyFinished { status };
            return Ok(Finished {
                queue: texts.queue.to_owned(),
                done: texts.done.map(str::to_owned),
                outcome,
            });
        }
        Some((_, Some(index))) => {
            edit.end(index, End::Done, how, note);
            Outcome::Finished
        }
        _ => {
            edit.bring(task.clone(), &Position::Back)?;
            edit.end(edit.queue.len() - 1, End::Done, how, note);
            Outcome::Added
        }
    };
    let spliced = edit.splice()?;
    let queue =
        spliced.queue.map_or_else(|| texts.queue.to_owned(), |document| document.text().to_owned());
    let done =
        spliced.done.map(|document| document.text().to_owned()).or(texts.done.map(str::to_owned));
    Ok(Finished { queue, done, outcome })
}

/// The status that `task` has in the target's files, and where it is in the queue file. Of several
/// tasks with its id it is the one that is a version of it.
fn standing(edit: &Edit<'_>, task: &Task) -> Result<Option<(Status, Option<usize>)>, EditError> {
    let id = task.id.as_str();
    let Err(ambiguous) = edit.unambiguous(id) else {
        // What only had the id before may be another task.
        let is_it = |found: &&Task| found.id == task.id || found.is_version_of(task);
        let found = edit.read().find(id).map(|(_, found)| found).filter(is_it);
        return Ok(found.map(|found| (found.status, edit.queue.position(found.id.as_str()))));
    };
    let versions = |draft: &Draft<'_>| -> Vec<usize> {
        draft.positions(id).filter(|index| draft.task(*index).is_version_of(task)).collect()
    };
    match (versions(&edit.queue).as_slice(), versions(&edit.done).as_slice()) {
        ([index], []) => Ok(Some((edit.queue.task(*index).status, Some(*index)))),
        ([], [index]) => Ok(Some((edit.done.task(*index).status, None))),
        _ => Err(ambiguous),
    }
}

/// `task`, which the target did not have when it was taken up, with the id that it has or gets in
/// these texts: its own, unless they have that for another task meanwhile.
///
/// ```
/// use ralph_queue::landing::{Texts, under_own_id};
/// use ralph_queue::{Document, IdRules};
///
/// let task = |title: &str| format!(r#"{{"version": 1, "tasks": [{{"id": "RQ-0001", "title": "{title}"}}]}}"#);
/// let mine = Document::parse(task("mine"))?.tasks()[0].clone();
/// let theirs = task("theirs");
/// let landing = under_own_id(Texts { queue: &theirs, done: None }, &mine, &IdRules::default())?;
/// assert_eq!(landing.id, "RQ-0002".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn under_own_id(texts: Texts<'_>, task: &Task, ids: &IdRules) -> Result<Task, TextError> {
    let queue = texts.read()?;
    let tasks = || queue.tasks().chain(queue.done_tasks());
    let mut own = task.clone();
    let was = |other: &&Task| other.former_ids().any(|old| old == task.id.as_str());
    let mut holders = tasks().filter(|other| other.id == task.id);
    // Nobody has the id, nor had it before.
    let is_free = !tasks().any(|other| other.id == task.id || was(&other));
    if is_free || holders.any(|holder| holder.is_version_of(task)) {
        return Ok(own);
    }
    let id = match tasks().find(|other| was(other) && other.is_version_of(task)) {
        Some(renumbered) => renumbered.id.clone(),
        None => ids.id(queue.highest_number(ids) + 1).map_err(EditError::Id)?,
    };
    own.rename(&BTreeMap::from([(task.id.clone(), id)]));
    Ok(own)
}

/// The queue file with `task` at its end; `None`: its id is taken.
pub fn with_task(
    texts: Texts<'_>,
    task: &Task,
    now: Timestamp,
) -> Result<Option<String>, TextError> {
    let queue = texts.read()?;
    let mut edit = Edit::new(&queue, now);
    if edit.is_taken(task.id.as_str()) {
        return Ok(None);
    }
    edit.bring(task.clone(), &Position::Back)?;
    Ok(edit.splice()?.queue.map(|document| document.text().to_owned()))
}

/// The tasks of `edited` that `base` does not have, in order: what an agent added. One that has the
/// id of a task that is there as well gets another: what names the id means the task that had it.
pub fn new_tasks(base: &str, edited: &str, ids: &IdRules) -> Result<Vec<Task>, ParseError> {
    let (base, edited) = (Document::parse(base)?, Document::parse(edited)?);
    let (known, there) = (by_id(&base), by_id(&edited));
    let mut highest = ids.highest(known.keys().chain(there.keys()).copied());
    let mut new = Vec::new();
    for task in edited.tasks() {
        let mut task = task.clone();
        if let Some(old) = known.get(&task.id) {
            let is_old = |task: &Task| old.iter().any(|old| task.is_version_of(old));
            if is_old(&task) || !there[&task.id].iter().any(|other| is_old(other)) {
                continue;
            }
            highest += 1;
            // Where none can be made, whoever takes the task finds that its id is taken.
            task.id = ids.id(highest).unwrap_or(task.id);
        }
        new.push(task);
    }
    Ok(new)
}

fn by_id(document: &Document) -> BTreeMap<&TaskId, Vec<&Task>> {
    let mut by_id: BTreeMap<&TaskId, Vec<&Task>> = BTreeMap::new();
    for task in document.tasks() {
        by_id.entry(&task.id).or_default().push(task);
    }
    by_id
}

/// Notes by the tasks that have them.
pub type Notes = BTreeMap<TaskId, Vec<String>>;

/// The notes that tasks have in `edited` and lack in `base`: what an agent wrote down. Those of new
/// tasks are theirs.
pub fn new_notes(base: Texts<'_>, edited: Texts<'_>) -> Result<Notes, TextError> {
    let (base, edited) = (base.read()?, edited.read()?);
    let mut notes = Notes::new();
    for task in edited.tasks().chain(edited.done_tasks()) {
        let Some((_, before)) = base.find(task.id.as_str()) else { continue };
        let is_new = |note: &&String| !before.notes.contains(note);
        let new: Vec<String> = task.notes.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            notes.insert(task.id.clone(), new);
        }
    }
    Ok(notes)
}

/// Adds notes to the tasks that are there, in either file, as far as they lack them. Returns both
/// texts.
pub fn add_notes(
    texts: Texts<'_>,
    notes: &Notes,
    now: Timestamp,
) -> Result<(String, Option<String>), TextError> {
    let queue = texts.read()?;
    let mut edit = Edit::new(&queue, now);
    for (id, notes) in notes.iter().filter(|(id, _)| queue.find(id.as_str()).is_some()) {
        for note in notes {
            edit.annotate(id.as_str(), note)?;
        }
    }
    let Spliced { queue, done } = edit.splice()?;
    let text = |document: Document| document.text().to_owned();
    Ok((
        queue.map_or_else(|| texts.queue.to_owned(), text),
        done.map(text).or_else(|| texts.done.map(str::to_owned)),
    ))
}

/// Adds `tasks` at the end; one whose id is taken gets the next free one, and the others of
/// `tasks` that name it follow. Where several have an id, the first is meant by it, and the others
/// get new ones. Returns the queue file and the pairs of old and new id.
pub fn adopt_tasks(
    texts: Texts<'_>,
    tasks: &[Task],
    ids: &IdRules,
    now: Timestamp,
) -> Result<(String, Vec<(TaskId, TaskId)>), TextError> {
    let queue = texts.read()?;
    let mut edit = Edit::new(&queue, now);
    // Past the ids of the new tasks, too: one of them may only be free until it is added.
    let mut ids = ids.clone();
    ids.high_water = ids.highest(tasks.iter().map(|task| &task.id));
    ids.high_water = queue.highest_number(&ids);
    let mut renamed = Vec::new();
    let (mut new_ids, mut known) = (BTreeMap::new(), BTreeSet::new());
    let mut own_ids = Vec::new();
    for task in tasks {
        let is_first = known.insert(&task.id);
        let mut own = None;
        if !is_first || edit.is_taken(task.id.as_str()) {
            ids.high_water += 1;
            let new = ids.id(ids.high_water).map_err(EditError::Id)?;
            renamed.push((task.id.clone(), new.clone()));
            if is_first {
                new_ids.insert(task.id.clone(), new.clone());
            }
            own = Some(new);
        }
        own_ids.push(own);
    }
    for (task, own) in tasks.iter().zip(own_ids) {
        let mut task = task.clone();
        if let Some(own) = own {
            task.give_id(own);
        }
        task.follow(&new_ids);
        edit.bring(task, &Position::Back)?;
    }
    let queue = edit.splice()?.queue;
    Ok((
        queue.map_or_else(|| texts.queue.to_owned(), |document| document.text().to_owned()),
        renamed,
    ))
}
