//! Three versions of a queue file become one, task by task and field by field.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::iter;

use ralph_state::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::document::{
    Arranged, Block, Counts, Document, Draft, FloatingChange, Gaps, ParseError, Side, SpliceError,
    counts, identity,
};
use crate::landing::Texts;
use crate::queue::Place;
use crate::task::{Status, Task, listed_ids};
use crate::value::{Map, Value};

mod align;
#[cfg(test)]
mod books;
mod comments;
#[cfg(test)]
mod expected;
mod moves;
pub(crate) mod order;
mod pairs;
#[cfg(test)]
mod rounds;
mod sections;
mod sequence;

use align::{Aligned, Keeps, align};
use comments::Comments;

/// The merged text, and what could not be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// A valid file: `ours` with the changes of `theirs`. In a conflict, ours stands, but for a
    /// status, of which the further one stands, for the order of the tasks, of which both
    /// directions of a merge choose the same, and for the items of a list, which all stay.
    pub text: String,
    /// What both changed, differently.
    pub conflicts: Vec<Conflict>,
    /// Tasks of a side that got another id, since the other side gave them that, or theirs to a
    /// different task: old and new.
    pub renumbered: Vec<(TaskId, TaskId)>,
    /// The ids of every version and of the new tasks, in order.
    pub ids: BTreeSet<TaskId>,
    /// Beside a queue file: the done files of ours and theirs, with the ids that tasks have now.
    done: Option<[Document; 2]>,
}

/// What became of tasks that one side has in its done file and the other in its queue file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// One side finished them.
    pub finished: Vec<TaskId>,
    /// Those of them that one side did and the other rejected: they are done, and a note says so.
    pub two_ends: Vec<TaskId>,
    /// They were finished before, and one side opened them again: they stay open.
    pub reopened: Vec<TaskId>,
}

impl Merged {
    /// Whether one side removed a task that the other changed: that may be since it finished it.
    pub fn has_removals(&self) -> bool {
        self.conflicts.iter().any(Conflict::is_removal)
    }

    /// Takes the text that a merge of the lines made, where nothing is in conflict and it says the
    /// same: the same tasks in the same order, with the same comments, below the same headings. The
    /// blank lines are there where each side has put them, and so are comments between tasks that
    /// share a line with something, which a merge by tasks does not move.
    pub fn take_lines(&mut self, lines: impl FnOnce() -> Option<String>) {
        if !self.conflicts.is_empty() || !self.renumbered.is_empty() {
            return;
        }
        if let Some(lines) = lines().filter(|lines| is_the_same(&self.text, lines)) {
            self.text = lines;
        }
    }

    /// Of a queue file: leaves out the conflicts about tasks that the side that removed them has
    /// in its done file, and says which. Such a task stays in the text, for what the other side
    /// did to it, with the end of the other copy: every reader of both files takes it for finished,
    /// and the next edit takes over what is new (see [`crate::Queue::leftovers`]). Since that knows
    /// no base, it also gets here what the finishing side changed before. One that was
    /// finished in the base is not finished anew by being moved: where the other side opened it
    /// again, it stays open (see [`crate::Queue::reopened`]). One that the other side ended in
    /// another way is done: of two ends the further one stands, and a note tells the other.
    ///
    /// `ours` and `theirs` are asked where the merge did not know the done files itself.
    pub fn settle_finished(
        &mut self,
        ours: Option<&Document>,
        theirs: Option<&Document>,
    ) -> Result<Settled, SpliceError> {
        let (ours, theirs) = match &self.done {
            Some([ours, theirs]) => (Some(ours), Some(theirs)),
            None => (ours, theirs),
        };
        let done = DoneTasks::new(ours, theirs);
        let moved = self.conflicts.iter().filter_map(|conflict| {
            let id = conflict.task.clone()?;
            Some((id, conflict.moved(&done)?, conflict))
        });
        let settled: Vec<(TaskId, &Task, &Conflict)> = moved.collect();
        // What was merged can be read.
        let Ok(merged) = Document::parse(self.text.as_str()) else { return Ok(Settled::default()) };
        let mut draft = merged.draft();
        let mut two_ends = Vec::new();
        for (id, task, conflict) in &settled {
            if conflict.is_reopening() || !task.status.is_terminal() {
                continue;
            }
            if let Some(at) = draft.position(id.as_str()) {
                let kept = draft.task_mut(at);
                let has_two_ends = kept.status.is_terminal() && kept.status != task.status;
                if let Some(Value::Object(base)) = conflict.base.clone().filter(|_| task.id == *id)
                {
                    *kept = fold_since(base, task, kept, Stands::of_latest(task, kept));
                }
                if has_two_ends {
                    // The next edit has both copies still, and decides in the same way.
                    two_ends.push(id.clone());
                    if !kept.is_version_of(task) {
                        // It knows them for one task by the time of their end.
                        let own = kept
                            .completed_at
                            .clone()
                            .filter(|_| kept.completed_at != task.completed_at);
                        let own = own.map(|time| kept_in_note("completed_at", &Value::from(time)));
                        kept.notes.extend(own);
                        kept.completed_at.clone_from(&task.completed_at);
                    }
                    continue;
                }
                kept.status = task.status;
                kept.completed_at.clone_from(&task.completed_at);
            }
        }
        if let Some(ended) = draft.splice()? {
            ended.text().clone_into(&mut self.text);
        }
        let (reopened, finished): (Vec<_>, Vec<_>) =
            settled.into_iter().partition(|(.., conflict)| conflict.is_reopening());
        let ids = |tasks: Vec<(TaskId, &Task, &Conflict)>| -> Vec<TaskId> {
            tasks.into_iter().map(|(id, ..)| id).collect()
        };
        let settled = Settled { finished: ids(finished), two_ends, reopened: ids(reopened) };
        let ids: HashSet<&TaskId> = settled.finished.iter().chain(&settled.reopened).collect();
        let is_settled = |task: &TaskId| ids.contains(task);
        self.conflicts.retain(|conflict| {
            !conflict.is_removal() || !conflict.task.as_ref().is_some_and(is_settled)
        });
        Ok(settled)
    }
}

impl Conflict {
    /// Whether one side removed a task that the other changed.
    pub fn is_removal(&self) -> bool {
        self.task.is_some() && self.field.is_none()
    }

    /// Whether one side removed a task of which the other changed nothing but comments, which no
    /// value here tells.
    pub fn is_about_comments(&self) -> bool {
        self.is_removal() && self.base.as_ref() == self.ours.as_ref().or(self.theirs.as_ref())
    }

    /// The done file of the side that removed the task, by ids.
    fn done_of<'d, 'i>(&self, done: &'i DoneTasks<'d>) -> Option<&'i ById<'d>> {
        done.0[usize::from(self.ours.is_some())].as_ref()
    }

    /// The task that one side removed from its queue file, in its done file.
    fn moved<'d>(&self, done: &DoneTasks<'d>) -> Option<&'d Task> {
        let done = self.done_of(done)?;
        let kept = self.ours.as_ref().or(self.theirs.as_ref()).filter(|_| self.is_removal())?;
        let read = |task: &Value| Task::parse(&task.to_string()).ok();
        // What moved has the title of before, if the other side gave it a new one.
        let (kept, base) = (read(kept)?, self.base.as_ref().and_then(read));
        let is_it = |task: &&Task| {
            // Of one that the base has, the id and the time tell enough: it got a new title.
            let is_of = |base: &Task| task.is_known_as(base) || task.is_retitled(base);
            task.is_known_as(&kept) || base.as_ref().is_some_and(is_of)
        };
        let ids = [Some(&kept), base.as_ref()].into_iter().flatten().flat_map(Task::all_ids);
        ids.filter_map(|id| done.get(id)).flatten().copied().find(is_it)
    }

    /// Whether the side that removed the task from its queue file has it in its done file, given
    /// those of both sides. Where that one is not known, a task that was opened again counts as
    /// moved: to take that side must not remove the last copy.
    pub fn is_move(&self, done: &DoneTasks<'_>) -> bool {
        match self.done_of(done) {
            Some(_) => self.moved(done).is_some(),
            None => self.is_reopening(),
        }
    }

    /// Whether one side opened a task again that was finished, and that the other removed.
    pub fn is_reopening(&self) -> bool {
        let is_finished = |side: &Option<Value>| {
            let task = Task::parse(&side.as_ref()?.to_string()).ok()?;
            Some(task.status.is_terminal())
        };
        self.is_removal()
            && is_finished(&self.base) == Some(true)
            && is_finished(&self.ours).or_else(|| is_finished(&self.theirs)) == Some(false)
    }
}

/// Tasks by the ids that they have or had.
type ById<'d> = HashMap<&'d str, Vec<&'d Task>>;

/// The tasks in the done files of ours and theirs, to be found by their ids.
#[derive(Debug)]
pub struct DoneTasks<'d>([Option<ById<'d>>; 2]);

impl<'d> DoneTasks<'d> {
    /// Of the files that are known.
    pub fn new(ours: Option<&'d Document>, theirs: Option<&'d Document>) -> Self {
        Self([ours, theirs].map(|done| {
            let mut by_id = ById::new();
            for task in done?.tasks() {
                for id in task.all_ids() {
                    by_id.entry(id).or_default().push(task);
                }
            }
            Some(by_id)
        }))
    }
}

/// Both files merged, and what could not be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedFiles {
    /// The queue file.
    pub queue: String,
    /// The done file, if any version has one.
    pub done: Option<String>,
    /// As in [`Merged`].
    pub conflicts: Vec<Conflict>,
    /// As in [`Merged`].
    pub renumbered: Vec<(TaskId, TaskId)>,
}

/// One field that both sides changed differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Conflict {
    /// Which task; `None` for a key of the file itself.
    pub task: Option<TaskId>,
    /// Which field, as `title` or `custom_fields.owner`; `None` when one side removed the task
    /// that the other changed, which keeps it. Without a task, `tasks` is the order of the tasks:
    /// the ids of those in sections of which each side would make another one, with the comments
    /// that such a section has for a heading above them.
    pub field: Option<String>,
    /// What it was.
    pub base: Option<Value>,
    /// What it is in ours.
    pub ours: Option<Value>,
    /// What it is in theirs.
    pub theirs: Option<Value>,
    /// Where one side removed the task: the comments that the other added or changed, which no value
    /// here has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<String>,
}

/// Why there is no merge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// One of the versions cannot be read.
    #[error("cannot read {} of {side}", match place {
        Some(place) => format!("the {} file", place.as_str()),
        None => "the version".to_owned(),
    })]
    Parse {
        /// `base`, `ours` or `theirs`.
        side: &'static str,
        /// Which file, if more than one is merged.
        place: Option<Place>,
        /// What is wrong.
        source: ParseError,
    },
    /// One version gives an id to two tasks, and nothing tells which of them is which in another.
    #[error("{side} has the id `{id}` twice")]
    TwiceInOne {
        /// `base`, `ours` or `theirs`.
        side: &'static str,
        /// The id.
        id: TaskId,
    },
    /// The merged text does not say what was meant: a fault in this crate.
    #[error("the merge cannot be written")]
    Splice(#[from] SpliceError),
}

/// Merges the changes from `base` to `theirs` into `ours`, task by task.
///
/// Versions of a task have one id, or had it before one side got another, and are made at one time.
/// One that has another id on one side has that in the merged file, with what the other side did
/// to it, and what names it follows. Of several tasks with one id each is merged by itself, and
/// their id is left for a repair to part; where nothing tells which is which, that is an error.
///
/// Of a task that only one side changed, that side's text is taken, comments and all. Where both
/// did, fields are merged one by one: tags, scope and references as sets that keep what either
/// added and lose what either removed, other lists item by item in their order, times by the
/// later, the rest as conflicts if both changed it. A change beats a removal, also one that only
/// adds or changes a comment. Its comments are merged where they stand: what one side added,
/// changed or removed is so, and of one that both changed both texts stay. Of the comments that
/// belong to no task those stay that neither side removed, and those come that either added; other
/// keys of the file are merged like fields.
///
/// A comment between tasks is the heading of those below it. The headings stand in the order of the
/// side that changed it, and each task below the one that it has on the side that alone gave it
/// that, behind the task that it follows there; where the heading is gone, with those around it
/// there. Below each heading, the tasks stand in the order of the side that changed it. So it is
/// whichever side is ours, unless such a comment shares a line with something: then no heading is
/// moved. The layout is that of the side that alone gave the whole file another one, line ends say,
/// or changed the order, or blank lines, or added tasks or comments, and else that of ours.
///
/// One id given to two different tasks on two sides: of two new ones the task made later, and of
/// two made at once the one whose JSON is greater, gets the next free number, whichever side it is
/// on, and the tasks of its side that name it follow. A new one makes room for one of the base.
pub fn three_way(base: &str, ours: &str, theirs: &str) -> Result<Merged, MergeError> {
    let parse = |side, text: &str| {
        Document::parse(text).map_err(|source| MergeError::Parse { side, place: None, source })
    };
    let files = [[parse("base", base)?], [parse("ours", ours)?], [parse("theirs", theirs)?]];
    let ids = ids_in(&files);
    merged(align(files, &Keeps::Older)?, 0, Vec::new(), ids)
}

/// Merges one file of a queue as [`three_way`] does, while git merges the other by itself.
///
/// A task has one id in both, whichever of them a version has it in, and a merge of the other file
/// finds the same one. Where git takes the other file as one side has it, that is the id by which
/// it is named there.
pub(crate) fn three_way_of(
    place: Place,
    base: Texts<'_>,
    ours: Texts<'_>,
    theirs: Texts<'_>,
) -> Result<Merged, MergeError> {
    let files = read_files(base, ours, theirs)?;
    let (file, other) = match place {
        Place::Queue => (0, 1),
        Place::Done => (1, 0),
    };
    let [base, ours, theirs] = files.each_ref().map(|files| &files[other]);
    let keeps = if ours.text() == theirs.text() {
        Keeps::Older
    } else if ours.text() == base.text() {
        Keeps::Named(2, named_in(theirs))
    } else if theirs.text() == base.text() {
        Keeps::Named(1, named_in(ours))
    } else {
        Keeps::Older
    };
    let ids = ids_in(&files);
    let aligned = align(files, &keeps)?;
    if place == Place::Done {
        return merged(aligned, file, Vec::new(), ids);
    }
    let finished = finished_when_new(&aligned);
    let [_, ours, theirs] = aligned.files.each_ref().map(|[_, done]| done.clone());
    let mut merged = merged(aligned, file, finished, ids)?;
    merged.done = Some([ours, theirs]);
    Ok(merged)
}

/// The ids that a file has or refers to.
fn named_in(document: &Document) -> BTreeSet<String> {
    let tasks = document.tasks().iter();
    tasks
        .flat_map(|task| iter::once(task.id.as_str()).chain(task.references()))
        .map(str::to_owned)
        .collect()
}

/// The ids that tasks have in any version.
fn ids_in<const N: usize>(files: &[[Document; N]; 3]) -> BTreeSet<TaskId> {
    let tasks = files.iter().flatten().flat_map(Document::tasks);
    tasks.map(|task| task.id.clone()).collect()
}

/// Merges one of several files whose tasks go by one id each.
fn merged<const N: usize>(
    Aligned { files, keys, renumbered }: Aligned<N>,
    file: usize,
    mut conflicts: Vec<Conflict>,
    mut ids: BTreeSet<TaskId>,
) -> Result<Merged, MergeError> {
    ids.extend(renumbered.iter().map(|(_, new)| new.clone()));
    let text = merge(&files, &keys, file, &mut conflicts)?;
    Ok(Merged { text, conflicts, renumbered, ids, done: None })
}

/// Of the merge of a queue file beside a done file: the open tasks of one side that no base has, a
/// picked commit say, and that the other side has in its done file. To the queue file these are
/// tasks that the other side removed.
fn finished_when_new(Aligned { files, keys, .. }: &Aligned<2>) -> Vec<Conflict> {
    let mut finished = Vec::new();
    for (side, other) in [(1, 2), (2, 1)] {
        let done: HashSet<usize> = keys[other][1].iter().copied().collect();
        let elsewhere = keys[0].iter().chain([&keys[other][0], &keys[side][1]]);
        let elsewhere: HashSet<usize> = elsewhere.flatten().copied().collect();
        for (task, key) in files[side][0].tasks().iter().zip(&keys[side][0]) {
            if done.contains(key) && !elsewhere.contains(key) && !task.status.is_terminal() {
                let version = |at| (at == side).then(|| json(task));
                finished.push(Conflict {
                    task: Some(task.id.clone()),
                    field: None,
                    base: None,
                    ours: version(1),
                    theirs: version(2),
                    comments: Vec::new(),
                });
            }
        }
    }
    finished
}

/// Merges both files of a queue at once: as [`three_way`] for each, but a task that one side moved
/// to the done file is moved, with what the other side did to it meanwhile. Theirs is what others
/// have seen: of two different tasks with one id, it is ours that gets another.
pub fn three_way_files(
    base: Texts<'_>,
    ours: Texts<'_>,
    theirs: Texts<'_>,
) -> Result<MergedFiles, MergeError> {
    let has_done = [base, ours, theirs].iter().any(|texts| texts.done.is_some());
    let files = read_files(base, ours, theirs)?;
    let Aligned { mut files, mut keys, renumbered } = align(files, &Keeps::Theirs)?;

    let known = |keys: &Vec<usize>| -> HashSet<usize> { keys.iter().copied().collect() };
    let finished_by_one = &known(&keys[1][1]) ^ &known(&keys[2][1]);
    let moved = &finished_by_one & &known(&keys[0][0]);
    // What one side opened again stays open.
    let in_queue = |version: usize, has_ended: bool| -> HashSet<usize> {
        let tasks = files[version][0].tasks().iter().zip(&keys[version][0]);
        let tasks = tasks.filter(|(task, _)| task.status.is_terminal() == has_ended);
        tasks.map(|(_, key)| *key).collect()
    };
    let reopened = &in_queue(0, true) & &(&in_queue(1, false) | &in_queue(2, false));
    let moved = &moved - &reopened;
    for (files, keys) in files.iter_mut().zip(&mut keys) {
        move_to_done(files, keys, &moved)?;
    }
    let mut conflicts = Vec::new();
    let queue = merge(&files, &keys, 0, &mut conflicts)?;
    let done = merge(&files, &keys, 1, &mut conflicts)?;
    Ok(MergedFiles { queue, done: has_done.then_some(done), conflicts, renumbered })
}

/// Reads both files of three versions.
fn read_files(
    base: Texts<'_>,
    ours: Texts<'_>,
    theirs: Texts<'_>,
) -> Result<[[Document; 2]; 3], MergeError> {
    let parse = |side, texts: Texts<'_>| -> Result<[Document; 2], MergeError> {
        let read = |text: &str, place| {
            let document = Document::parse_as(text.to_owned(), place);
            document.map_err(|source| MergeError::Parse { side, place: Some(place), source })
        };
        let done =
            texts.done.map_or_else(|| Ok(Document::empty()), |text| read(text, Place::Done))?;
        Ok([read(texts.queue, Place::Queue)?, done])
    };
    Ok([parse("base", base)?, parse("ours", ours)?, parse("theirs", theirs)?])
}

/// Whose value stands where both sides have one of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// That of ours; of two copies of a task, that of the one which stays.
    Ours,
    /// That of theirs, or of the other copy.
    Theirs,
}

impl Stands {
    /// For a copy that is left of a finished task: the values of the copy that was changed last, as
    /// the copies say. Where that cannot be told it is the finished one, unless the other has its
    /// end: that a merge gave to it which knew what both come from, see
    /// [`Merged::settle_finished`].
    pub(crate) fn of_latest(finished: &Task, left: &Task) -> Self {
        let time = |text: &Option<String>| text.as_ref()?.parse::<Timestamp>().ok();
        let [finished_at, left_at] = [finished, left].map(|task| time(&task.updated_at));
        let is_later = finished_at.is_some() && left_at > finished_at;
        let end = |task: &Task| time(&task.completed_at).filter(|_| task.status.is_terminal());
        // Or a later one, where each side ended it.
        let has_end = left_at.is_some() && end(finished).is_some() && end(left) >= end(finished);
        let is_merged = has_end && left_at >= finished_at;
        if is_later || is_merged { Self::Theirs } else { Self::Ours }
    }
}

/// Takes what another copy of a task has over into the one that stays: what only the other has,
/// and the further status. Of what both say differently, what does not stand is kept in a note.
pub(crate) fn fold(kept: &Task, other: &Task, stands: Stands) -> Task {
    let theirs = fields(Some(other));
    // What both have stands for what they come from.
    let mut base = fields(Some(kept));
    base.retain(|name, value| match (value, theirs.get(name)) {
        (Value::Array(items), Some(Value::Array(others))) => {
            items.retain(|item| others.contains(item));
            true
        }
        (Value::Object(items), Some(Value::Object(others))) => {
            items.retain(|key, item| others.get(key) == Some(item));
            true
        }
        (value, other) => other == Some(value),
    });
    fold_since(base, kept, other, stands)
}

/// The same of two copies of which it is known what they come from.
fn fold_since(base: Fields, kept: &Task, other: &Task, stands: Stands) -> Task {
    let sides = [base, fields(Some(kept)), fields(Some(other))];
    let (merged, conflicts) = merge_fields(&sides, Some(&kept.id), stands);
    // Every merged field is one of a task that was read.
    let Ok(mut merged) = Task::parse(&Value::Object(merged).to_string()) else {
        return kept.clone();
    };
    let two_ends = [kept, other].iter().all(|task| task.status.is_terminal());
    for Conflict { field, ours, theirs, .. } in conflicts {
        let lost = match stands {
            Stands::Ours => theirs,
            Stands::Theirs => ours,
        };
        let Some((field, mut value)) = field.zip(lost) else { continue };
        if field == "status" {
            if !two_ends {
                continue;
            }
            // The further one stands, whoever has it.
            value = Value::from(Status::Rejected.as_str());
        }
        let note = kept_in_note(&field, &value);
        if !merged.notes.contains(&note) {
            merged.notes.push(note);
        }
    }
    merged
}

/// What keeps a value of one of two copies.
fn kept_in_note(field: &str, value: &Value) -> String {
    format!("Another copy of this task had `{field}`: {value}")
}

/// Moves tasks that are only in the queue file. The keys go with them.
fn move_to_done(
    files: &mut [Document; 2],
    keys: &mut [Vec<usize>; 2],
    moved: &HashSet<usize>,
) -> Result<(), SpliceError> {
    let [queue, done] = files;
    let (mut from, mut to) = (queue.draft(), done.draft());
    let known: HashSet<usize> = keys[1].iter().copied().collect();
    let goes = |key: &usize| moved.contains(key) && !known.contains(key);
    let places: Vec<usize> = (0..from.len()).filter(|at| goes(&keys[0][*at])).collect();
    let taken = places.into_iter().rev().map(|at| (from.take(at), keys[0].remove(at)));
    let mut blocks: Vec<(Block, usize)> = taken.collect();
    // Back in their order, and then in that of their ids.
    blocks.reverse();
    blocks.sort_by(|(one, _), (other, _)| one.task().id.cmp(&other.task().id));
    for (block, key) in blocks {
        to.insert_block(to.len(), block);
        keys[1].push(key);
    }
    let spliced = [from.splice()?, to.splice()?];
    for (document, spliced) in files.iter_mut().zip(spliced) {
        if let Some(spliced) = spliced {
            *document = spliced;
        }
    }
    Ok(())
}

/// Merges one of several files, of whose tasks those with one key are the same.
fn merge<const N: usize>(
    all: &[[Document; N]; 3],
    keys: &[[Vec<usize>; N]; 3],
    file: usize,
    conflicts: &mut Vec<Conflict>,
) -> Result<String, SpliceError> {
    let moved = moved(all, keys, file);
    let files = all.each_ref().map(|files| &files[file]);
    let keys = keys.each_ref().map(|keys| keys[file].as_slice());
    let [base, ours, theirs] = files;
    if ours.text() == theirs.text() || theirs.text() == base.text() {
        return Ok(ours.text().to_owned());
    }
    if ours.text() == base.text() {
        return Ok(theirs.text().to_owned());
    }
    let lists = [0, 1, 2].map(|version| files[version].arranged(keys[version]));
    let has_lines = lists.iter().all(|(_, has_lines)| *has_lines);
    let lists = lists.map(|(list, _)| list);
    if arranging_side(files, keys, &lists) != Some(Stands::Theirs) {
        return merge_into(files, (keys, &moved), (lists, has_lines), Stands::Ours, conflicts);
    }
    let [base_keys, our_keys, their_keys] = keys;
    let [of_base, of_ours, of_theirs] = lists;
    let (files, keys) = ([base, theirs, ours], [base_keys, their_keys, our_keys]);
    let lists = ([of_base, of_theirs, of_ours], has_lines);
    let mut found = Vec::new();
    let text = merge_into(files, (keys, &moved), lists, Stands::Theirs, &mut found)?;
    let turned = |it: Conflict| Conflict { ours: it.theirs, theirs: it.ours, ..it };
    conflicts.extend(found.into_iter().map(turned));
    Ok(text)
}

/// The base of the tasks that both sides moved to a file, by their keys: it has them in another one.
/// The order in which they came is no change of it.
fn moved<const N: usize>(
    [base, ..]: &[[Document; N]; 3],
    [base_keys, ours, theirs]: &[[Vec<usize>; N]; 3],
    file: usize,
) -> HashMap<usize, Block> {
    let known = |keys: &[Vec<usize>; N]| keys[file].iter().copied().collect::<HashSet<usize>>();
    let both = &(&known(ours) & &known(theirs)) - &known(base_keys);
    let others = base.iter().zip(base_keys).enumerate().filter(|(other, _)| *other != file);
    let blocks = others.flat_map(|(_, (document, keys))| {
        let draft = document.draft();
        let places = keys.iter().enumerate().filter(|(_, key)| both.contains(key));
        places.map(|(at, key)| (*key, draft.block(at))).collect::<Vec<_>>()
    });
    blocks.collect()
}

/// The side into whose text the other is merged, so that what it alone did to the arrangement is
/// in the merged text as a whole. The first of these counts that only one side did: to give tasks
/// and comments between them another order, to give the whole file another layout, to bring or
/// remove blank lines, to add or remove comments or to add tasks.
fn arranging_side(files: [&Document; 3], keys: [&[usize]; 3], lists: &Lists<'_>) -> Option<Stands> {
    let counts = lists.each_ref().map(|list| counted(list.iter().map(|(part, _)| part)));
    let is_common =
        |part: &Arranged<'_>| counts.iter().all(|of_side| of_side.get(part) == counts[0].get(part));
    let is_left = |part: &Arranged<'_>| match part {
        Arranged::Task(_) => !counts[0].contains_key(part) || is_common(part),
        Arranged::Comment(_) => true,
    };
    let changed_among = |is_meant: &dyn Fn(&Arranged<'_>) -> bool| {
        changed_by(&lists.each_ref().map(|list| -> Vec<&Arranged<'_>> {
            list.iter().map(|(part, _)| part).filter(|part| is_meant(part)).collect()
        }))
    };
    changed_among(&is_common)
        .or_else(|| laying_side(files, keys))
        .or_else(|| spacing_side(lists))
        .or_else(|| changed_among(&is_left))
}

/// The side that alone has other blank lines between what stands side by side in all versions.
fn spacing_side(lists: &Lists<'_>) -> Option<Stands> {
    let pairs = lists.each_ref().map(|list| pairs(list));
    let common = lists[0].windows(2).filter_map(|pair| {
        let [base, ours, theirs] =
            pairs.each_ref().map(|pairs| pairs.get(&[&pair[0].0, &pair[1].0]));
        Some([base?, ours?, theirs?])
    });
    let common: Vec<[&bool; 3]> = common.collect();
    let of = |version: usize| common.iter().map(|pair| pair[version]).collect::<Vec<_>>();
    changed_by(&[0, 1, 2].map(of))
}

/// What stands side by side in a list.
fn pairs<'p>(list: &'p [(Arranged<'p>, bool)]) -> Gaps<'p> {
    list.windows(2).map(|pair| ([&pair[0].0, &pair[1].0], pair[1].1)).collect()
}

/// The side that alone gave the whole file another layout, other line ends say: so it is of the
/// first and the last task that all have.
fn laying_side(files: [&Document; 3], keys: [&[usize]; 3]) -> Option<Stands> {
    let places = keys.map(places);
    let layouts = |key: &usize| -> Option<[[&str; 3]; 3]> {
        let [base, ours, theirs] = places.each_ref().map(|places| places.get(key).copied());
        let places = [base?, ours?, theirs?];
        Some([0, 1, 2].map(|version| files[version].layout(places[version])))
    };
    let first = changed_by(&keys[0].iter().find_map(layouts)?);
    let last = changed_by(&keys[0].iter().rev().find_map(layouts)?);
    first.filter(|_| first == last)
}

/// The side that alone changed something.
fn changed_by<T: PartialEq>([base, ours, theirs]: &[T; 3]) -> Option<Stands> {
    match (ours != base, theirs != base) {
        (true, false) => Some(Stands::Ours),
        (false, true) => Some(Stands::Theirs),
        _ => None,
    }
}

/// Merges theirs into the text of ours.
fn merge_into(
    files: [&Document; 3],
    (keys, moved): ([&[usize]; 3], &HashMap<usize, Block>),
    (mut lists, has_lines): (Lists<'_>, bool),
    stands: Stands,
    conflicts: &mut Vec<Conflict>,
) -> Result<String, SpliceError> {
    let [base, ours, theirs] = files;
    if !has_lines {
        // No heading can be moved.
        let is_task = |part: &Arranged<'_>| matches!(part, Arranged::Task(_));
        for list in &mut lists {
            list.retain(|(part, _)| is_task(part));
        }
    }
    let places = keys.map(places);
    let mut merge = Merge {
        base: base.draft(),
        moved,
        keys,
        places: &places,
        merged: ours.draft(),
        added: HashMap::new(),
        stands,
        conflicts,
    };
    let their_draft = theirs.draft();
    for index in 0..their_draft.len() {
        merge.take_theirs(&their_draft, index);
    }
    let gone = merge.gone();

    let (mut merged, mut our_keys) = (merge.merged, keys[1].to_vec());
    for at in (0..our_keys.len()).rev().filter(|at| gone.contains(at)) {
        merged.take(at);
        our_keys.remove(at);
    }
    let mut added = merge.added;
    let tasks = our_keys.iter().chain(added.keys()).copied().collect();
    let task = |key: usize| {
        let of = |version: usize| Some(files[version].task(*places[version].get(&key)?));
        of(2).or_else(|| of(1))
    };
    let listed = lists.each_ref().map(|list| counted(list.iter().map(|(part, _)| part)));
    let ordered = |stands| sections::merge(&lists, &listed, &tasks, task, stands);
    let (sections, is_conflict) = ordered(None);
    if is_conflict {
        let sides = [Stands::Ours, Stands::Theirs].map(|side| ordered(Some(side)).0);
        let id = |key: usize| {
            let is_common = places.iter().all(|it| it.contains_key(&key));
            is_common.then(|| base.id(places[0][&key]))
        };
        conflicts.extend(order::conflict(&lists[0], sides, id));
    }
    let order = sections::flat(&sections);
    let ranks: HashMap<&Arranged<'_>, usize> = order.iter().zip(0..).collect();
    let rank = |key: &usize| ranks.get(&Arranged::Task(*key)).copied().unwrap_or(usize::MAX);
    merged.arrange(&our_keys.iter().map(rank).collect::<Vec<_>>());
    let (mut sorted, mut side) = (Vec::new(), Side::Behind);
    for part in &order {
        let Arranged::Task(key) = part else {
            side = Side::Before;
            continue;
        };
        if let Some(block) = added.remove(key) {
            merged.insert_block_at(sorted.len(), side, block);
        }
        sorted.push(*key);
        side = Side::Behind;
    }
    let merged = merged.splice()?;
    let merged = merged.as_ref().unwrap_or(ours);
    let merged = merge_frame(files, merged, (&listed, &order), stands, conflicts)?;
    let headings = sections.into_iter().map(|(lines, _)| lines.into_iter().map(Arranged::Comment));
    let headings: Vec<Vec<Arranged<'_>>> = headings.map(Iterator::collect).collect();
    let merged = if has_lines {
        merged.rearranged(&sorted, &order, &gaps(&lists, &headings))
    } else {
        merged
    };
    let merged = comments::without_doubles(files, &places, (&merged, &sorted))?.unwrap_or(merged);
    let marks = files.map(|file| file.text().starts_with(BYTE_ORDER_MARK));
    let has_mark = if marks[1] == marks[0] { marks[2] } else { marks[1] };
    let text = merged.text().trim_start_matches(BYTE_ORDER_MARK);
    Ok(if has_mark { format!("{BYTE_ORDER_MARK}{text}") } else { text.to_owned() })
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// What stands in the list of tasks of each version, with whether there is a blank line before it.
type Lists<'t> = [Vec<(Arranged<'t>, bool)>; 3];

/// How often each part is in such a list.
type PartCounts<'p> = HashMap<&'p Arranged<'p>, usize>;

/// Whether there is a blank line between parts that stand side by side in a version, as the side
/// has it that changed that. A new task stands to others as the text has it that it comes to, and
/// the lines of one heading stand together.
fn gaps<'p>(lists: &'p Lists<'p>, headings: &'p [Vec<Arranged<'p>>]) -> Gaps<'p> {
    let old: HashSet<&Arranged<'_>> = lists[0].iter().map(|(part, _)| part).collect();
    let is_comment = |part: &Arranged<'_>| matches!(part, Arranged::Comment(_));
    let is_known = |pair: &[&Arranged<'_>; 2]| {
        pair.iter().any(|part| is_comment(part)) || pair.iter().all(|part| old.contains(part))
    };
    let pairs = lists.each_ref().map(|list| pairs(list));
    let of_all = lists.iter().flat_map(|list| list.windows(2)).filter_map(|pair| {
        let pair = [&pair[0].0, &pair[1].0];
        let is_apart = match pairs.each_ref().map(|pairs| pairs.get(&pair).copied()) {
            [Some(base), Some(ours), Some(theirs)] if base == ours => theirs,
            [Some(_), Some(ours), Some(_)] => ours,
            [base, ours, theirs] => ours.max(theirs).or(base)?,
        };
        is_known(&pair).then_some((pair, is_apart))
    });
    let within = headings.iter().flat_map(|lines| lines.windows(2));
    let within = within.map(|pair| ([&pair[0], &pair[1]], false));
    within.chain(of_all).collect()
}

/// Merges what the files hold besides tasks into `merged`, which has that of ours. A comment that
/// stands in a list more than once, say the line below each heading, is as often in the merged one
/// as the headings that have it, but not more often than both sides together brought it.
fn merge_frame(
    sides: [&Document; 3],
    merged: &Document,
    (listed, order): (&[PartCounts<'_>; 3], &[Arranged<'_>]),
    stands: Stands,
    conflicts: &mut Vec<Conflict>,
) -> Result<Document, SpliceError> {
    let fields = sides.map(Document::other_fields);
    let (keys, found) = merge_fields(&fields, None, stands);
    conflicts.extend(found);
    let merged = merged.with_other_fields(&fields[1], &keys)?;

    let floating = sides.map(Document::floating);
    let all = floating.each_ref().map(|comments| counts(comments));
    let ordered = counted(order);
    let (mut gone, mut missing) = (Counts::new(), Counts::new());
    for text in all[1].keys().chain(all[2].keys()) {
        let part = Arranged::Comment(text.clone());
        let all = all.each_ref().map(|counts| counts.get(text).copied().unwrap_or(0));
        let listed = listed.each_ref().map(|counts| count(counts, &&part));
        let wanted = if listed.iter().any(|count| *count > 1) {
            let elsewhere = kept([0, 1, 2].map(|version| all[version] - listed[version]));
            let [base, ours, theirs] = all;
            let most = ours.max(theirs).max((ours + theirs).saturating_sub(base));
            most.min(elsewhere + count(&ordered, &&part))
        } else {
            kept(all)
        };
        let ours = all[1];
        if wanted < ours {
            gone.insert(text.clone(), ours - wanted);
        } else if wanted > ours {
            missing.insert(text.clone(), wanted - ours);
        }
    }
    let other = &floating[2];
    let mut added = BTreeSet::new();
    for (index, comment) in other.iter().enumerate().rev() {
        if let Some(left) = missing.get_mut(&identity(comment.text)).filter(|left| **left > 0) {
            *left -= 1;
            added.insert(index);
        }
    }
    if gone.is_empty() && added.is_empty() {
        return Ok(merged);
    }
    merged.with_floating(&FloatingChange { gone, other, added })
}

/// How many stay of what each version has so many of: as many as in the side that has more, if that
/// added some, else as many as in the other.
fn kept([base, ours, theirs]: [usize; 3]) -> usize {
    let most = ours.max(theirs);
    if most > base { most } else { ours.min(theirs) }
}

/// How often each item is there.
fn counted<T: Eq + Hash>(items: impl IntoIterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

fn count<T: Eq + Hash>(counts: &HashMap<T, usize>, item: &T) -> usize {
    counts.get(item).copied().unwrap_or(0)
}

struct Merge<'a, 'c> {
    base: Draft<'a>,
    /// The base of tasks that it has elsewhere.
    moved: &'a HashMap<usize, Block>,
    /// Of the tasks of all versions.
    keys: [&'a [usize]; 3],
    /// Where each of them is there.
    places: &'a [HashMap<usize, usize>; 3],
    /// Ours, becoming the result.
    merged: Draft<'a>,
    /// What comes, by the keys.
    added: HashMap<usize, Block>,
    /// Whose value stands in a conflict.
    stands: Stands,
    conflicts: &'c mut Vec<Conflict>,
}

impl Merge<'_, '_> {
    fn take_theirs(&mut self, theirs: &Draft<'_>, index: usize) {
        let (task, key) = (theirs.task(index), self.keys[2][index]);
        let [base, ours, _] = self.places.each_ref().map(|places| places.get(&key).copied());
        match (base, ours) {
            (None, None) => {
                self.added.insert(key, theirs.block(index));
            }
            (Some(base), None) => {
                if is_changed((&self.base, base), (theirs, index)) {
                    let sides = [Some(self.base.task(base)), None, Some(task)];
                    let comments = comments::added(&self.base.block(base), &theirs.block(index));
                    self.conflicts.push(removed(&task.id, sides, comments));
                    self.added.insert(key, theirs.block(index));
                }
            }
            (base, Some(at)) => {
                let text = theirs.unchanged_text(index);
                let same = self.merged.unchanged_text(at) == text
                    || base.is_some_and(|base| self.base.unchanged_text(base) == text);
                if !same {
                    let base = base.map(|base| self.base.block(base));
                    self.combine(base.as_ref().or(self.moved.get(&key)), at, &theirs.block(index));
                }
            }
        }
    }

    /// Where the tasks are that theirs removed and ours left as they were.
    fn gone(&mut self) -> HashSet<usize> {
        let mut gone = HashSet::new();
        for (index, key) in self.keys[0].iter().enumerate() {
            let [_, ours, theirs] = self.places.each_ref().map(|places| places.get(key).copied());
            let Some(at) = ours.filter(|_| theirs.is_none()) else { continue };
            if is_changed((&self.base, index), (&self.merged, at)) {
                let sides = [Some(self.base.task(index)), Some(self.merged.task(at)), None];
                let comments = comments::added(&self.base.block(index), &self.merged.block(at));
                self.conflicts.push(removed(&self.merged.task(at).id, sides, comments));
            } else {
                gone.insert(at);
            }
        }
        gone
    }

    /// Merges a task that both have, ours at `at`.
    fn combine(&mut self, base: Option<&Block>, at: usize, theirs: &Block) {
        let ours = self.merged.block(at);
        if theirs.same_text(&ours) {
            return;
        }
        // Comments count as a change.
        if base.is_some_and(|base| base.same_text(&ours) && base.unit() == ours.unit()) {
            return self.merged.put_block(at, theirs.clone());
        }
        if base.is_some_and(|base| base.same_text(theirs)) {
            return;
        }
        let sides = [base.map(Block::task), Some(ours.task()), Some(theirs.task())];
        let sides = sides.map(fields);
        let (fields, conflicts) = merge_fields(&sides, Some(&theirs.task().id), self.stands);
        self.conflicts.extend(conflicts);
        // Every merged field is one of a task that was read.
        let merged = Task::parse(&Value::Object(fields).to_string());
        let mut merged = merged.unwrap_or_else(|_| ours.task().clone());
        let [own, other] = [ours.task(), theirs.task()];
        if own.status != other.status && merged.status.is_terminal() {
            // The other side, which opened it again, has no end.
            let ended = if merged.status == own.status { own } else { other };
            merged.completed_at = merged.completed_at.or_else(|| ended.completed_at.clone());
        }
        let is_commented = |block: &Block| block.comments().next().is_some();
        if is_commented(&ours) || is_commented(theirs) {
            let Comments { is_ours, wanted } = comments::merge(base, &ours, theirs);
            let near = if is_ours { &ours } else { theirs };
            let mut block = near.clone().with_task(merged.clone());
            if block.set_comments(&wanted) || !is_ours {
                return self.merged.put_block(at, block);
            }
        }
        if merged != *ours.task() {
            *self.merged.task_mut(at) = merged;
        }
    }
}

/// Whether two files have the same tasks and comments, those between tasks in the same places if
/// they have lines of their own.
fn is_the_same(one: &str, other: &str) -> bool {
    let [Ok(one), Ok(other)] = [one, other].map(Document::parse) else { return false };
    let keys: Vec<usize> = (0..one.len()).collect();
    let is_equal = one.tasks() == other.tasks()
        && one.other_fields() == other.other_fields()
        && counts(&one.floating()) == counts(&other.floating())
        && match [&one, &other].map(|file| file.arranged(&keys)) {
            [(one, true), (other, true)] => {
                one.iter().map(|it| &it.0).eq(other.iter().map(|it| &it.0))
            }
            _ => true,
        };
    let drafts = [one.draft(), other.draft()];
    let [one, other] = &drafts;
    is_equal
        && (0..one.len()).all(|at| {
            one.unchanged_text(at) == other.unchanged_text(at)
                || comments::are_same(&one.block(at), &other.block(at))
        })
}

/// Whether one side did something to a task that must not go with it when the other side removes
/// it: gave a field another value, or added or changed a comment.
fn is_changed((base, was): (&Draft<'_>, usize), (side, is): (&Draft<'_>, usize)) -> bool {
    base.task(was) != side.task(is)
        || base.unchanged_text(was) != side.unchanged_text(is)
            && !comments::added(&base.block(was), &side.block(is)).is_empty()
}

/// One side removed what the other changed, and maybe commented.
fn removed(task: &TaskId, sides: [Option<&Task>; 3], comments: Vec<String>) -> Conflict {
    let [base, ours, theirs] = sides.map(|task| task.map(json));
    Conflict { task: Some(task.clone()), field: None, base, ours, theirs, comments }
}

/// Where each key is.
fn places(keys: &[usize]) -> HashMap<usize, usize> {
    keys.iter().copied().zip(0..).collect()
}

fn json(task: &Task) -> Value {
    Value::Object(fields(Some(task)))
}

fn fields(task: Option<&Task>) -> Fields {
    let fields = task.map(Task::fields).unwrap_or_default();
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

type Fields = Map;

/// The fields of a task, or of a file, with their conflicts, from base, ours and theirs.
fn merge_fields(
    [base, ours, theirs]: &[Fields; 3],
    task: Option<&TaskId>,
    stands: Stands,
) -> (Fields, Vec<Conflict>) {
    let mut merged = Fields::new();
    let mut conflicts = Vec::new();
    let names: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    for name in names {
        let sides = [base.get(name), ours.get(name), theirs.get(name)];
        let value = merge_value(name, sides, stands, &mut |field, [base, ours, theirs]| {
            let [base, ours, theirs] = [base, ours, theirs].map(Option::<&Value>::cloned);
            let task = task.cloned();
            let comments = Vec::new();
            conflicts.push(Conflict { task, field: Some(field), base, ours, theirs, comments });
        });
        if let Some(value) = value {
            merged.insert(name.clone(), value);
        }
    }
    (merged, conflicts)
}

type Sides<'a> = [Option<&'a Value>; 3];

/// Ids that find the task: none of them is to be lost.
const FORMER_IDS_FIELD: &str = "custom_fields.former_ids";

fn merge_value(
    field: &str,
    sides: Sides<'_>,
    stands: Stands,
    conflict: &mut dyn FnMut(String, Sides<'_>),
) -> Option<Value> {
    let [base, ours, theirs] = sides;
    if ours == theirs || theirs == base {
        return ours.cloned();
    }
    if ours == base {
        return theirs.cloned();
    }
    let empty_list = Value::Array(Vec::new());
    let empty_map = Value::Object(Map::new());
    match (field, ours, theirs) {
        // Both changed it: the status and its time are where work has got to.
        ("updated_at" | "completed_at", Some(ours), Some(theirs)) => {
            Some(if later(ours, theirs) { ours.clone() } else { theirs.clone() })
        }
        ("started_at", Some(ours), Some(theirs)) => {
            Some(if later(ours, theirs) { theirs.clone() } else { ours.clone() })
        }
        ("status", Some(ours), Some(theirs)) => {
            conflict(field.to_owned(), sides);
            Some(if progress(ours) >= progress(theirs) { ours.clone() } else { theirs.clone() })
        }
        (FORMER_IDS_FIELD, Some(Value::String(ours)), Some(Value::String(theirs))) => {
            let (one, other) = if ours <= theirs { (ours, theirs) } else { (theirs, ours) };
            let mut former: Vec<&str> = Vec::new();
            for id in listed_ids(one).chain(listed_ids(other)) {
                if !former.contains(&id) {
                    former.push(id);
                }
            }
            Some(Value::from(former.join(",")))
        }
        (_, Some(Value::Array(ours)), Some(Value::Array(theirs))) => {
            let base = base.unwrap_or(&empty_list).as_array().unwrap_or_default();
            let lists = [base, ours, theirs];
            let (merged, is_conflict) = sequence::merge(lists);
            let is_set = ["tags", "scope", "depends_on", "blocks", "relates_to"].contains(&field);
            if is_conflict && !is_set {
                conflict(field.to_owned(), sides);
            }
            Some(Value::Array(merged))
        }
        (_, Some(Value::Object(ours)), Some(Value::Object(theirs))) => {
            let empty = Map::new();
            let base = base.unwrap_or(&empty_map).as_object().unwrap_or(&empty);
            let keys: BTreeSet<&String> =
                base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
            let merged = keys.into_iter().filter_map(|key| {
                let value = merge_value(
                    &format!("{field}.{key}"),
                    [base.get(key), ours.get(key), theirs.get(key)],
                    stands,
                    conflict,
                );
                Some((key.clone(), value?))
            });
            Some(Value::Object(merged.collect()))
        }
        _ => {
            conflict(field.to_owned(), sides);
            match stands {
                Stands::Ours => ours.cloned(),
                Stands::Theirs => theirs.cloned(),
            }
        }
    }
}

/// By time, then by text, so that both directions of a merge agree.
fn later(one: &Value, other: &Value) -> bool {
    let key = |value: &Value| {
        let text = value.as_str().unwrap_or_default().to_owned();
        (text.parse::<Timestamp>().ok(), text)
    };
    key(one) > key(other)
}

/// How far along a status is.
fn progress(status: &Value) -> usize {
    let order = [Status::Draft, Status::Todo, Status::Doing, Status::Rejected, Status::Done];
    order.iter().position(|known| Some(known.as_str()) == status.as_str()).unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::document::tests::{Change, Noise, change, noise, tasks};
    use crate::document::{Piece, pieces};

    pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
        prop::collection::vec(change(), 0..4)
    }

    /// The document after the changes; what they add gets ids from `first` on.
    pub(crate) fn side(base: &Document, changes: Vec<Change>, first: usize) -> Document {
        let mut draft = base.draft();
        let mut model = base.tasks().to_vec();
        for (number, mut change) in changes.into_iter().enumerate() {
            if let Change::Insert(_, task) = &mut change {
                task.id = format!("RQ-{:04}", first + number).parse().unwrap();
            }
            change.apply(&mut draft, &mut model);
        }
        for was in base.tasks() {
            // Made at another time it may be another task.
            let is_it = |is: &Task| is.id == was.id && is.created_at != was.created_at;
            if let Some(at) = model.iter().position(is_it) {
                draft.task_mut(at).created_at.clone_from(&was.created_at);
            }
        }
        draft.splice().unwrap().unwrap_or_else(|| base.clone())
    }

    fn models(document: &Document) -> BTreeMap<&TaskId, &Task> {
        document.tasks().iter().map(|task| (&task.id, task)).collect()
    }

    /// The tasks by id, with what is a set in order.
    pub(super) fn sorted(text: &str) -> Vec<Task> {
        let mut tasks = Document::parse(text).unwrap().tasks().to_vec();
        for task in &mut tasks {
            let Task { tags, scope, notes, plan, evidence, .. } = task;
            for list in [tags, scope, notes, plan, evidence] {
                list.sort();
            }
            for list in [&mut task.depends_on, &mut task.blocks, &mut task.relates_to] {
                list.sort();
            }
        }
        tasks.sort_by(|one, other| one.id.cmp(&other.id));
        tasks
    }

    /// The comments of each task and, under `None`, those of no task, in order of their text.
    pub(super) fn comments(text: &str) -> BTreeMap<Option<TaskId>, Vec<String>> {
        let document = Document::parse(text).unwrap();
        let draft = document.draft();
        let bare = |comment: &str| -> String { comment.split_whitespace().collect() };
        let floating = document.floating();
        let mut found: BTreeMap<_, Vec<String>> =
            BTreeMap::from([(None, floating.iter().map(|it| bare(it.text)).collect())]);
        for index in 0..draft.len() {
            let block = draft.block(index);
            found.insert(Some(block.task().id.clone()), block.comments().map(bare).collect());
        }
        for comments in found.values_mut() {
            comments.sort();
        }
        found
    }

    /// What somebody does to a comment: one more, another text, or none.
    #[derive(Clone, Debug)]
    pub(super) enum Remark {
        Add(prop::sample::Index, bool),
        Edit(prop::sample::Index),
        Remove(prop::sample::Index),
    }

    pub(super) fn remarks() -> impl Strategy<Value = Vec<Remark>> {
        use prop::sample::Index;
        let remark = prop_oneof![
            any::<(Index, bool)>().prop_map(|(at, is_line)| Remark::Add(at, is_line)),
            any::<Index>().prop_map(Remark::Edit),
            any::<Index>().prop_map(Remark::Remove),
        ];
        prop::collection::vec(remark, 0..5)
    }

    /// The document after the remarks, each told from others by `number`.
    pub(super) fn remarked(document: &Document, remarks: &[Remark], number: usize) -> Document {
        let mut text = document.text().to_owned();
        for (more, remark) in remarks.iter().enumerate() {
            let number = number + more;
            let (mut at, mut comments, mut gaps) = (0, Vec::new(), Vec::new());
            for (kind, piece) in pieces(&text) {
                match kind {
                    Piece::Comment => comments.push(at..at + piece.len()),
                    Piece::Other => {
                        let is_gap = |(_, it): &(usize, char)| "{[,".contains(*it);
                        gaps.extend(piece.char_indices().filter(is_gap).map(|(by, _)| at + by + 1));
                    }
                    Piece::String => {}
                }
                at += piece.len();
            }
            match remark {
                Remark::Add(at, true) => {
                    text.insert_str(*at.get(&gaps), &format!(" // n{number}\n"));
                }
                Remark::Add(at, false) => {
                    text.insert_str(*at.get(&gaps), &format!(" /* n{number} */"));
                }
                _ if comments.is_empty() => {}
                Remark::Edit(at) => {
                    text.insert_str(at.get(&comments).start + 2, &format!("e{number}"));
                }
                Remark::Remove(at) => text.replace_range(at.get(&comments).clone(), ""),
            }
        }
        let after = Document::parse(text).unwrap();
        assert_eq!(after.tasks().to_vec(), document.tasks().to_vec());
        after
    }

    #[test]
    fn lines_are_taken_that_say_the_same() {
        let base = "{\"version\": 1, \"tasks\": [\n// of one\n{\"id\": \"RQ-1\", \"title\": \"One\"},\n\n// heading\n\n{\"id\": \"RQ-2\", \"title\": \"Two\"}\n]}\n";
        let ours = base.replace("One", "First");
        let theirs = base.replace("Two", "Second");
        let merged = three_way(base, &ours, &theirs).unwrap();
        let heading = "\n// heading\n\n";
        let without = merged.text.replacen(heading, "", 1);
        let moved = without.replace("[\n", &format!("[{heading}"));
        let beside = without.replace("[\n", "[ // heading\n");
        let wide = merged.text.replace(heading, &format!("\n{heading}\n"));
        let taken = |lines: &str| {
            let mut merged = merged.clone();
            merged.take_lines(|| Some(lines.to_owned()));
            merged.text == lines
        };
        assert!(taken(&wide) && !taken(&moved) && !taken(&beside));
        for (from, to) in [
            ("Second", "Two"),
            ("// heading\n", ""),
            ("// of one\n", ""),
            ("heading\n\n", "heading\n"),
            ("}\n]", "}"),
            ("\"version\": 1", "\"version\": 1, \"x\": 2"),
        ] {
            let other = merged.text.replacen(from, to, 1);
            assert!(other != merged.text && !taken(&other), "{other}");
        }
        let mut conflict = three_way(base, &ours, &base.replace("One", "Uno")).unwrap();
        let before = conflict.clone();
        conflict.take_lines(|| unreachable!("what is in conflict is merged by tasks"));
        assert_eq!(conflict, before);
    }

    #[test]
    fn a_comment_with_another_indentation_is_the_same() {
        let base = r#"{
  "version": 1,
  "tasks": [
    /* Of nobody,
       on two lines. */

    /* Of one,
       on two lines. */
    {"id": "RQ-0001", "title": "One", "status": "todo"}
  ]
}
"#;
        // Ours has the house style of another editor.
        let ours = base.replace("  ", "\t").replace("One", "First");
        let theirs = base.replace("todo", "doing");
        for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
            let merged = three_way(base, ours, theirs).unwrap().text;
            for once in ["Of nobody", "Of one", "First", "doing"] {
                assert_eq!(merged.matches(once).count(), 1, "{once} in {merged}");
            }
        }
    }

    #[test]
    fn a_comment_on_the_line_of_the_bracket_stays_nobodys_when_another_comes() {
        let file = |comment: &str, tasks: &str| {
            format!("{{\"version\": 1, \"tasks\": [/* one */{comment}\n{tasks}]}}")
        };
        let [first, second] =
            ["RQ-0001", "RQ-0002"].map(|id| format!("{{\"id\": \"{id}\", \"title\": \"{id}\"}},"));
        let base = file("// two", &format!("{first}{second}"));
        let ours = file("// two, ours", &second);
        let theirs = file(
            "// two, theirs",
            &format!("{}{second}", first.replace("},", ", \"tags\": [\"a\"]},")),
        );
        for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
            let merged = three_way(&base, ours, theirs).unwrap().text;
            assert_eq!(
                comments(&merged)[&None],
                ["/*one*/", "//two,ours", "//two,theirs"],
                "{merged}"
            );
            for side in [ours, theirs] {
                let again = three_way(&base, &merged, side).unwrap().text;
                assert_eq!(comments(&again), comments(&merged), "{again}");
            }
        }
    }

    #[test]
    fn a_comment_that_one_side_puts_on_the_line_of_the_bracket_stands_there() {
        let task = |id: &str| format!("{{\"id\": \"{id}\", \"title\": \"{id}\"}}");
        let file = |tasks: &[&str]| {
            let tasks: Vec<String> = tasks.iter().map(|id| task(id)).collect();
            format!("{{\"version\": 1, \"tasks\": [\n{}\n]}}\n", tasks.join(",\n"))
        };
        let with_comment = |file: String| file.replace("[\n", "[ // open\n");
        let [one, two] = ["RQ-0001", "RQ-0002"];
        for (base, other, wanted) in [
            (file(&[one]), file(&[two, one]), file(&[two, one])),
            (file(&[one, two]), file(&[two]), file(&[two])),
            (file(&[one, two]), file(&[two, one]), file(&[two, one])),
        ] {
            let (side, wanted) = (with_comment(base.clone()), with_comment(wanted));
            for (ours, theirs) in [(&side, &other), (&other, &side)] {
                assert_eq!(three_way(&base, ours, theirs).unwrap().text, wanted);
            }
        }
    }

    #[test]
    fn a_comment_between_line_ends_of_two_kinds_leaves_both() {
        let task = r#"{"id": "RQ-0001", "title": "A"}"#;
        let base = format!("{{\"version\": 1, \"tasks\": [\r// one\r/* two */\n\n{task}]}}");
        let (ours, theirs) = (base.replace("\"A\"", "\"B\""), base.replace("/* two */", ""));
        for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
            let merged = three_way(&base, ours, theirs).unwrap().text;
            assert_eq!(comments(&merged)[&None], ["//one"], "{merged:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_lost_and_no_id_comes_twice(tasks in tasks(), bytes in noise(), one in changes(), other in changes()) {
            let base = Document::parse(Noise::new(&bytes).document(&tasks)).unwrap();
            let (ours, theirs) = (side(&base, one, 100), side(&base, other, 200));
            let merged = three_way(base.text(), ours.text(), theirs.text()).unwrap();
            let document = Document::parse(merged.text.as_str()).unwrap();
            let (base, ours, theirs, after) = (models(&base), models(&ours), models(&theirs), models(&document));
            prop_assert_eq!(after.len(), document.tasks().len());
            for id in base.keys().chain(ours.keys()).chain(theirs.keys()) {
                let (base, ours, theirs) = (base.get(id), ours.get(id), theirs.get(id));
                if let (Some(ours), Some(theirs), Some(after)) = (ours, theirs, after.get(id)) {
                    let versions = [base.copied(), Some(*ours), Some(*theirs)].map(fields);
                    expected::check(versions.each_ref(), &fields(Some(*after)))?;
                }
                let wanted = match (base, ours, theirs) {
                    (_, Some(ours), Some(theirs)) if Some(ours) == base => Some(*theirs),
                    (_, Some(ours), Some(theirs)) if Some(theirs) == base => Some(*ours),
                    (Some(base), Some(one), None) | (Some(base), None, Some(one)) => (base != one).then_some(*one),
                    (None, Some(one), None) | (None, None, Some(one)) => Some(*one),
                    (_, None, None) => None,
                    (_, Some(_), Some(_)) => {
                        prop_assert!(after.contains_key(id));
                        continue;
                    }
                };
                prop_assert_eq!(after.get(id).copied(), wanted);
            }
        }

        #[test]
        fn both_directions_agree_and_merging_again_changes_nothing(tasks in tasks(), bytes in noise(), changed in [changes(), changes()], remarks in [remarks(), remarks()]) {
            let base = Document::parse(Noise::new(&bytes).document(&tasks)).unwrap();
            let [one, other] = changed;
            let ours = remarked(&side(&base, one, 100), &remarks[0], 100);
            let theirs = remarked(&side(&base, other, 200), &remarks[1], 200);
            let merged = three_way(base.text(), ours.text(), theirs.text()).unwrap();
            let mirrored = three_way(base.text(), theirs.text(), ours.text()).unwrap();
            let again = three_way(base.text(), &merged.text, theirs.text()).unwrap();
            prop_assert_eq!(sorted(&again.text), sorted(&merged.text));
            prop_assert_eq!(comments(&again.text), comments(&merged.text));
            prop_assert_eq!(merged.conflicts.len(), mirrored.conflicts.len());
            let [base_comments, of_ours, of_theirs, after] = [base.text(), ours.text(), theirs.text(), &merged.text].map(comments);
            for (owner, comment) in of_ours.iter().chain(&of_theirs).flat_map(|(owner, list)| list.iter().map(move |it| (owner, it))) {
                let is_in = |lists: &BTreeMap<_, Vec<String>>| lists.get(owner).is_some_and(|list| list.contains(comment));
                prop_assert!(is_in(&base_comments) || is_in(&after), "{:?} {} is lost", owner, comment);
            }
            if merged.conflicts.is_empty() {
                // Not so where a task came back that one side had removed.
                let read = |text: &str| Document::parse(text).unwrap().tasks().to_vec();
                prop_assert_eq!(read(&again.text), read(&merged.text));
                prop_assert_eq!(sorted(&merged.text), sorted(&mirrored.text));
                prop_assert_eq!(comments(&merged.text), comments(&mirrored.text));
                for (owner, after) in &after {
                    let (Some(base), Some(ours), Some(theirs)) = (base_comments.get(owner), of_ours.get(owner), of_theirs.get(owner)) else { continue };
                    for comment in base.iter().chain(ours).chain(theirs) {
                        let [base, ours, theirs, after] = [base, ours, theirs, after].map(|list| list.contains(comment));
                        prop_assert_eq!(after, if base { ours && theirs } else { ours || theirs }, "{}", comment);
                    }
                }
                let common = |text: &str| -> Vec<TaskId> {
                    let document = Document::parse(text).unwrap();
                    let ids = document.tasks().iter().map(|task| task.id.clone());
                    ids.filter(|id| models(&base).contains_key(id)).collect()
                };
                if [&ours, &theirs].iter().all(|side| models(&base).keys().all(|id| models(side).contains_key(id))) {
                    prop_assert_eq!(common(&merged.text), common(&mirrored.text));
                }
            }
        }

        #[test]
        fn three_branches_merge_to_the_same_in_any_order(tasks in tasks(), bytes in noise(), changed in [changes(), changes(), changes()], remarks in [remarks(), remarks(), remarks()]) {
            let base = Document::parse(Noise::new(&bytes).document(&tasks)).unwrap();
            let made = |changes, remarks: &[Remark], first| remarked(&side(&base, changes, first), remarks, first);
            let [one, other, third] = changed;
            let sides = [made(one, &remarks[0], 100), made(other, &remarks[1], 200), made(third, &remarks[2], 300)];
            let [one, other, third] = sides.each_ref().map(Document::text);
            let merge = |ours: &str, theirs: &str| three_way(base.text(), ours, theirs).unwrap();
            let (left, right) = (merge(one, other), merge(other, third));
            let (left_all, right_all) = (merge(&left.text, third), merge(one, &right.text));
            if [&left, &right, &left_all, &right_all].iter().all(|merged| merged.conflicts.is_empty()) {
                prop_assert_eq!(sorted(&left_all.text), sorted(&right_all.text));
                prop_assert_eq!(comments(&left_all.text), comments(&right_all.text));
            }
        }
    }
}
