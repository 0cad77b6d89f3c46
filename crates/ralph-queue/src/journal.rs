//! What every edit did, and the way back: the journal behind undo.
//!
//! An entry holds the bytes that an edit replaced, never a whole file. It is written before the
//! files are, so that a crash leaves at worst an entry of an edit that never happened; the next
//! one notices and says so. Git leaves the same when it takes back the newest edits; an edit that
//! the files do not have stays in the list, and nothing older is taken back in its place.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::iter::successors;
use std::path::{Path, PathBuf};

use ralph_state::document::DecodeError;
use ralph_state::file::{self, Holder, check_regular};
use ralph_state::journal::{BadLine, BadLineReason, Entries, Journal, JournalError};
use ralph_state::{Clock, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::delta::{Fate, Fit, Misfit, Patch, Touched, Trail, displaced};
use crate::document::{Document, Lines, ParseError};
use crate::edit::Spliced;
use crate::files::{
    Edited, LoadError, Previewed, Proposal, QueueFiles, Terms, UpdateError, Validity, WrongValues,
};
use crate::ids::IdRules;
use crate::mend::Whole;
use crate::queue::{Place, Queue};
use crate::task::Task;
use crate::validate::Bar;

/// The journal is cut to half of this when it has grown past it, the oldest entries first. The
/// newest entry stays, whatever its length.
const LIMIT: usize = 2 << 20;

/// One edit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Operation {
    /// Counted from 1, never given twice.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// The command that made it.
    pub operation: String,
    /// The revision of the queue before.
    pub from: String,
    /// The revision of the queue after.
    pub rev: String,
    /// The tasks it touched.
    pub tasks: Vec<Touched>,
    /// On whose behalf.
    #[serde(default, skip_serializing_if = "Origin::is_asked")]
    pub origin: Origin,
    /// The operation that this one takes back: an edit, or an undo of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
    /// That it is an undo which it takes back, so that it brings an edit back: the journal may be
    /// cut before the one that would tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_redo: bool,
    /// There was no done file before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    makes_done: bool,
    /// When the tasks that it changed were changed last, as it left them, where that is not when it
    /// was made: an undo brings an older time back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    times: Times,
    /// When tasks would be changed last without the edit that it takes back and the newer ones, whose
    /// time it left.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    earlier: Times,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<Patch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<Patch>,
}

/// When tasks were changed last, as they say.
type Times = BTreeMap<TaskId, String>;

/// On whose behalf an edit was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody asked for it.
    #[default]
    Asked,
    /// A run told what has become of a task. Without it, the task would be worked on again.
    Run,
    /// A merge left two tasks with one id, which the next edit parts. Without it, the edit after
    /// that would do it again.
    Merge,
}

impl Origin {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    fn is_asked(&self) -> bool {
        *self == Self::Asked
    }
}

/// What was asked for under a name, and answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) id: String,
    /// The fingerprint of all that was asked for.
    #[serde(default)]
    pub(crate) asked: String,
    pub(crate) reply: Value,
}

/// Which way through the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Take back an edit.
    Undo,
    /// Take back an undo.
    Redo,
}

/// Which operation is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// An edit or an undo, if it is to be the newest.
    pub direction: Direction,
    /// This one.
    pub id: Option<u64>,
    /// Also one that nobody asked for, and one without which the queue would be invalid. The
    /// newest is else looked for among those that somebody asked for.
    pub force: bool,
}

/// Why nothing was undone or redone. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UndoError {
    /// No edit is left to take back.
    #[error("there is nothing to {}", match direction { Direction::Undo => "undo", Direction::Redo => "redo" })]
    Nothing {
        /// What was asked for.
        direction: Direction,
    },
    /// The journal does not have it, or no longer.
    #[error("there is no operation {id}")]
    Unknown {
        /// The operation asked for.
        id: u64,
    },
    /// It was taken back before.
    #[error("operation {id} is undone already")]
    AlreadyUndone {
        /// The operation asked for.
        id: u64,
    },
    /// It stands, so that there is nothing to make again.
    #[error("operation {id} is not undone")]
    NotUndone {
        /// The operation asked for.
        id: u64,
    },
    /// Nobody asked for it, see [`Origin`].
    #[error("operation {id} (`{operation}`) was made by {}", match origin { Origin::Run => "a run", _ => "itself, after a merge" })]
    NotAsked {
        /// The operation.
        id: u64,
        /// The command that made it.
        operation: String,
        /// On whose behalf.
        origin: Origin,
        /// The tasks it touched.
        tasks: Vec<TaskId>,
    },
    /// The files do not have it: git or an editor took it back, or a crash kept it from them.
    #[error("operation {id} (`{operation}`) is not in the files of the queue")]
    Missing {
        /// The operation.
        id: u64,
        /// The command that made it.
        operation: String,
    },
    /// What it changed has changed again.
    #[error(
        "the queue has changed since operation {id} (`{operation}`) where it would be undone: {}",
        told(*place, misfit)
    )]
    ChangedSince {
        /// The operation.
        id: u64,
        /// The command that made it.
        operation: String,
        /// In which file.
        place: Place,
        /// Where.
        misfit: Box<Misfit>,
    },
    /// Something else was done since the newest undo, which only its id makes again.
    #[error("the queue was edited (`{operation}`) since the undo {id}")]
    EditedSince {
        /// The undo.
        id: u64,
        /// The newest command since.
        operation: String,
    },
    /// The text without it cannot be read.
    #[error("the queue cannot be read without operation {id}")]
    Unreadable {
        /// The operation.
        id: u64,
        /// What would be wrong.
        source: ParseError,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The place that an undo does not fit.
fn told(place: Place, Misfit { task, field, line }: &Misfit) -> String {
    let file = match place {
        Place::Queue => "queue file",
        Place::Done => "done file",
    };
    let what = match (field, task) {
        (Some(field), Some(task)) => format!("`{field}` of {task}"),
        (None, Some(task)) => task.to_string(),
        (_, None) => "behind the last task".to_owned(),
    };
    match line {
        Some(line) => format!("{what}, line {line} of the {file}"),
        None => format!("{what}, which is not in the {file} any more"),
    }
}

/// What happened between two revisions.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Changes {
    /// The revision now.
    pub rev: String,
    /// Whether the operations tell everything. If not, the files were changed by other means, such
    /// as an editor or a merge, at some time in between.
    pub complete: bool,
    /// The operations, oldest first.
    pub operations: Vec<Operation>,
}

/// Why changes cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangesError {
    /// The revision is none that the journal remembers.
    #[error("the revision `{rev}` is not known")]
    UnknownRevision {
        /// The revision asked for.
        rev: String,
    },
    /// The queue cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The tasks that are gone, as far as the journal remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// When each was created, by id. More than one had the same id where it was kept through a
    /// merge.
    created: BTreeMap<TaskId, BTreeSet<String>>,
}

impl Gone {
    /// Whether `task`, whose id nobody has, is one that had it before. Of one that the journal does
    /// not remember it is believed when it says when it was created: it was written by a queue.
    pub(crate) fn has(&self, task: &Task) -> bool {
        match (self.created.get(&task.id), &task.created_at) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(known), Some(created_at)) => known.contains(created_at),
        }
    }

    /// Whether a task with that id is remembered.
    pub(crate) fn remembers(&self, id: &TaskId) -> bool {
        self.created.contains_key(id)
    }
}

/// What has become of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditState {
    /// The files have it, as far as nothing else changed the same.
    Made,
    /// Another operation took it back.
    Undone,
    /// A file does not have it: git or an editor took it back, or a crash kept it from being made.
    Missing,
}

/// The operations, and which of them still stand.
struct History {
    operations: Vec<Operation>,
    undone: BTreeSet<u64>,
    missing: BTreeSet<u64>,
}

impl QueueFiles {
    /// The edits that the journal remembers, oldest first, and what has become of each. Without a
    /// journal there are none. Values of the wrong kind keep nobody from being told.
    pub fn operations(&self) -> Result<Vec<(Operation, EditState)>, ChangesError> {
        let files = Self { values: WrongValues::Leave, ..self.clone() };
        Ok(self.operations_of(&files.load()?)?)
    }

    /// The same as `queue`, which was read from the files, has them.
    pub fn operations_of(
        &self,
        queue: &Queue,
    ) -> Result<Vec<(Operation, EditState)>, JournalError> {
        let History { operations, undone, missing } = self.history(queue)?;
        let state = |operation: &Operation| match operation.id {
            id if undone.contains(&id) => EditState::Undone,
            id if missing.contains(&id) => EditState::Missing,
            _ => EditState::Made,
        };
        let told = |operation| (state(&operation), operation);
        Ok(operations.into_iter().map(told).map(|(state, it)| (it, state)).collect())
    }

    /// The operations after that one which runs made, and which stand. The queue is only read where
    /// there may be some.
    pub fn standing_of_runs(&self, after: u64) -> Result<Vec<Operation>, ChangesError> {
        let is_it = |it: &&Operation| it.id > after && it.origin == Origin::Run;
        if !self.remembered()?.iter().any(|it| is_it(&it)) {
            return Ok(Vec::new());
        }
        Ok(stand(&self.operations()?).filter(is_it).cloned().collect())
    }

    /// The lines of the journal that cannot be read, so that what they told of cannot be undone.
    /// One without an end at the end of the file is one of them unless somebody writes it just now.
    pub fn unreadable_lines(&self) -> Result<Vec<BadLine>, JournalError> {
        let Some(path) = &self.journal else { return Ok(Vec::new()) };
        let journal = Journal::new(path, self.holder.clone());
        let read = || journal.read::<Operation>().map(|Entries { bad, .. }| bad);
        let is_torn = |line: &BadLine| line.reason == BadLineReason::Torn;
        let mut bad = read()?;
        if bad.iter().any(is_torn) {
            if file::is_locked(&self.lock_path()).unwrap_or(true) {
                bad.retain(|line| !is_torn(line));
            } else {
                // Who wrote it may have come to its end since.
                bad = read()?;
            }
        }
        Ok(bad)
    }

    /// The tasks that the journal says are gone.
    pub fn gone(&self) -> Result<Gone, JournalError> {
        let mut gone = Gone::default();
        for touched in self.remembered()?.into_iter().flat_map(|operation| operation.tasks) {
            if let Touched { id, fate: Fate::Removed, created_at: Some(created_at), .. } = touched {
                gone.created.entry(id).or_default().insert(created_at);
            }
        }
        Ok(gone)
    }

    /// Takes back an edit or an undo. What was changed elsewhere since stays. `permit` is asked
    /// whether the tasks of the queue that this touches may be touched, for the edit that it takes
    /// back or brings back. Where values of tasks are of the wrong kind, only what led to these very files
    /// is taken back.
    ///
    /// The value is the id of the operation that was taken back.
    pub fn undo<E: From<UndoError>>(
        &self,
        clock: &dyn Clock,
        which: Which,
        terms: &Terms,
        permit: impl Fn(&Queue, &Operation, &[Touched]) -> Result<(), E>,
    ) -> Result<Edited<u64>, UpdateError<E>> {
        self.but_for_values(|files, unread| {
            files.transact(clock, terms, |before, _, _| {
                files.permitted(which, (before, unread), &permit)
            })
        })
    }

    /// What [`Self::undo`] would do.
    pub fn preview_undo<E: From<UndoError>>(
        &self,
        which: Which,
        terms: &Terms,
        permit: impl Fn(&Queue, &Operation, &[Touched]) -> Result<(), E>,
    ) -> Result<Previewed<u64>, UpdateError<E>> {
        self.but_for_values(|files, unread| {
            files.previewed(terms, |before, _| files.permitted(which, (before, unread), &permit))
        })
    }

    /// Does it with the files as they are read or, where that fails for the kind of values, with the
    /// rest of them and that failure.
    fn but_for_values<R, E>(
        &self,
        act: impl Fn(&Self, Option<LoadError>) -> Result<R, UpdateError<E>>,
    ) -> Result<R, UpdateError<E>> {
        match act(self, None) {
            Err(UpdateError::Load(
                error @ LoadError::Parse { source: ParseError::Shape { .. }, .. },
            )) => act(&Self { values: WrongValues::Leave, ..self.clone() }, Some(error)),
            done => done,
        }
    }

    fn permitted<E: From<UndoError>>(
        &self,
        which: Which,
        (before, unread): (&Queue, Option<LoadError>),
        permit: impl Fn(&Queue, &Operation, &[Touched]) -> Result<(), E>,
    ) -> Result<Proposal<u64>, UpdateError<E>> {
        let (undone, edit) = self.taken_back(which, (before, unread))?;
        permit(before, &edit, &undone.spliced.touched(before)).map_err(UpdateError::Refused)?;
        Ok(undone)
    }

    /// The queue without an operation, and the edit that this is about.
    fn taken_back<E: From<UndoError>>(
        &self,
        which: Which,
        (before, unread): (&Queue, Option<LoadError>),
    ) -> Result<(Proposal<u64>, Operation), UpdateError<E>> {
        let refused = |error: UndoError| UpdateError::Refused(error.into());
        let history = self.history(before).map_err(|error| refused(error.into()))?;
        let target = history.target(which).map_err(refused)?;
        // What is not understood goes back to the bytes before, or stays.
        if let Some(error) = unread.filter(|_| target.rev != before.revision()) {
            return Err(UpdateError::Load(error));
        }
        let is_missing = history.missing.contains(&target.id);
        // What the files do not have is in no place that could be told loosely.
        let fit = if is_missing { Fit::Exact } else { Fit::Loose };
        let taken_back = |queue: &Queue| match target.taken_back(queue, fit, &history.operations) {
            Err(UndoError::ChangedSince { .. }) if is_missing => Err(target.not_in_files()),
            // What no file has is not taken back twice.
            Ok((back, _)) if back == Spliced::default() && target.has_bytes() => {
                Err(target.not_in_files())
            }
            Ok((back, earlier)) => match target.twice_in(queue) {
                Some(refused) => Err(refused),
                None => Ok((history.in_time(target, back), earlier)),
            },
            refused => refused,
        };
        let forced =
            if which.force { Validity::AsItWas } else { Validity::Needed(Bar::ErrorsAndControls) };
        let undoes = |earlier| {
            let (id, is_undo, made_done) = (target.id, target.is_undo(), target.makes_done);
            Some(Undone { id, is_undo, made_done, earlier })
        };
        let edit = history.edit_of(target).clone();
        let back = taken_back(before);
        let is_as_it_was = |(back, _): &(Spliced, _)| target.from == back.revision_after(before);
        // What leads to what was there needs no order: it may itself put a task in order again.
        if back.as_ref().is_ok_and(is_as_it_was) {
            let (back, earlier) = back.map_err(refused)?;
            let (undoes, validity) = (undoes(earlier), Validity::AsItWas);
            return Ok((Proposal { undoes, validity, ..Proposal::new(target.id, back) }, edit));
        }
        // Parted namesakes would be in the way of what brings them back, and of what parts them.
        let (proposal, earlier) = match Whole::healed(before).map_err(UpdateError::Splice)? {
            None => {
                let (back, earlier) = back.map_err(refused)?;
                (Proposal::new(target.id, back), earlier)
            }
            Some(whole) => {
                let (back, earlier) = taken_back(&whole.queue).map_err(refused)?;
                (Proposal::on(whole, target.id, back), earlier)
            }
        };
        Ok((Proposal { undoes: undoes(earlier), validity: forced, ..proposal }, edit))
    }

    /// Whether one operation can be taken back, and another one then.
    pub fn frees<E: From<UndoError>>(
        &self,
        (first, then): (u64, u64),
        permit: impl Fn(&Queue, &Operation, &[Touched]) -> Result<(), E>,
    ) -> bool {
        let which = |id, force| Which { direction: Direction::Undo, id: Some(id), force };
        let shown = self.preview_undo(which(first, false), &Terms::default(), permit);
        let then = |shown: Previewed<u64>| {
            self.taken_back::<UndoError>(which(then, true), (&shown.after, None)).is_ok()
        };
        shown.is_ok_and(then)
    }

    /// What happened since the queue had that revision.
    pub fn changes_since(&self, rev: &str) -> Result<Changes, ChangesError> {
        let queue = self.load()?;
        let now = queue.revision();
        let History { mut operations, missing, .. } = self.history(&queue)?;
        operations.retain(|operation| !missing.contains(&operation.id));
        let start = operations
            .iter()
            .rposition(|operation| operation.rev == rev)
            .map(|index| index + 1)
            .or_else(|| operations.iter().position(|operation| operation.from == rev));
        let start = match start {
            Some(start) => start,
            None if rev == now => operations.len(),
            None => return Err(ChangesError::UnknownRevision { rev: rev.to_owned() }),
        };
        let operations = operations[start..].to_vec();
        let mut at = rev;
        let mut complete = true;
        for operation in &operations {
            complete &= operation.from == at;
            at = &operation.rev;
        }
        complete &= at == now;
        Ok(Changes { rev: now, complete, operations })
    }

    /// What the journal has, oldest first.
    fn remembered(&self) -> Result<Vec<Operation>, JournalError> {
        let Some(path) = &self.journal else { return Ok(Vec::new()) };
        let read = Journal::new(path, self.holder.clone()).read::<Operation>();
        read.map(|Entries { entries, .. }| entries)
    }

    fn history(&self, queue: &Queue) -> Result<History, JournalError> {
        let operations = self.remembered()?;
        let missing = missing(&operations, queue);
        let undone = undone(&operations, &missing);
        Ok(History { operations, undone, missing })
    }
}

/// What may keep an operation from being taken back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InTheWay<'o> {
    /// That operation.
    pub operation: &'o Operation,
    /// Those after it that stand and touched the same tasks, or the one in its way, newest first.
    pub same: Vec<&'o Operation>,
    /// The others after it that stand, newest first.
    pub others: Vec<&'o Operation>,
    /// The file was changed by other means since: a merge, or somebody by hand.
    pub is_changed_otherwise: bool,
}

/// What came after the operation of that id, which cannot be taken back in that file of `queue`,
/// where that task is in its way.
pub fn in_the_way<'o>(
    operations: &'o [(Operation, EditState)],
    (queue, place): (&Queue, Place),
    id: u64,
    task: Option<&TaskId>,
) -> Option<InTheWay<'o>> {
    let (operation, _) = operations.iter().find(|(it, _)| it.id == id)?;
    let own: BTreeSet<&TaskId> = operation.tasks.iter().map(|task| &task.id).chain(task).collect();
    // What takes back another of them leaves nothing behind.
    let is_later = |it: &&Operation| it.id > id && it.undoes.is_none_or(|undone| undone < id);
    let later = stand(operations).rev().filter(is_later);
    let (same, others) = later.partition(|it| it.tasks.iter().any(|task| own.contains(&task.id)));
    let is_changed_otherwise = !leads_to(operations, (queue, place), id);
    Some(InTheWay { operation, same, others, is_changed_otherwise })
}

/// Whether the operations from that one on tell how a file came to what it is.
fn leads_to(
    operations: &[(Operation, EditState)],
    (queue, place): (&Queue, Place),
    id: u64,
) -> bool {
    let document = match place {
        Place::Queue => queue.document(),
        Place::Done => queue.done_document(),
    };
    let made = operations.iter().filter(|(it, state)| it.id >= id && *state != EditState::Missing);
    let mut patches = made.filter_map(|(it, _)| it.patch(place));
    let first = patches.next().map(|it| &it.after);
    let last = first.and_then(|first| {
        patches.try_fold(first, |at, it| (it.before == *at).then_some(&it.after))
    });
    last.is_some_and(|last| last == document.fingerprint())
}

/// The edits before an operation that somebody asked for and that stand, newest first.
pub fn before(operations: &[(Operation, EditState)], id: u64) -> impl Iterator<Item = &Operation> {
    let is_earlier =
        move |it: &&Operation| it.id < id && it.undoes.is_none() && it.origin == Origin::Asked;
    stand(operations).rev().filter(is_earlier)
}

/// Those that are neither undone nor missing.
fn stand(operations: &[(Operation, EditState)]) -> impl DoubleEndedIterator<Item = &Operation> {
    operations.iter().filter(|(_, state)| *state == EditState::Made).map(|(it, _)| it)
}

/// The operations that others took back.
fn undone(operations: &[Operation], missing: &BTreeSet<u64>) -> BTreeSet<u64> {
    // From the newest: an undo counts unless it is undone itself.
    let mut undone = BTreeSet::new();
    for operation in operations.iter().rev() {
        if let Some(target) = operation.undoes
            && !undone.contains(&operation.id)
            && !missing.contains(&operation.id)
        {
            undone.insert(target);
        }
    }
    undone
}

/// A state of a file.
#[derive(Clone, Copy)]
struct State {
    /// The edit of the file that led to it, as an index.
    last: Option<usize>,
    /// How many edits there were when the file was last found as none of them left it. A merge may
    /// have brought any of them.
    merged: usize,
}

/// The operations that one of the files does not have.
fn missing(operations: &[Operation], queue: &Queue) -> BTreeSet<u64> {
    let open = missing_from(operations, |it| it.queue.as_ref(), queue.document(), queue);
    let done = missing_from(operations, |it| it.done.as_ref(), queue.done_document(), queue);
    open.into_iter().chain(done).collect()
}

/// The operations that a file does not have. Each began with a state of it and left another; git
/// leads back to any of them, and has with it what led there.
fn missing_from<'o>(
    operations: &'o [Operation],
    patch: impl Fn(&'o Operation) -> Option<&'o Patch>,
    document: &'o Document,
    queue: &Queue,
) -> Vec<u64> {
    let mut edits: Vec<(&Operation, Option<usize>)> = Vec::new();
    let mut states: HashMap<&str, State> = HashMap::new();
    // What was changed by other means is taken for what the newest edit left.
    let unknown = |count: usize| State { last: count.checked_sub(1), merged: count };
    for operation in operations {
        let Some(Patch { before, after, .. }) = patch(operation) else { continue };
        let index = edits.len();
        let state = *states.entry(before).or_insert_with(|| unknown(index));
        states.insert(after, State { last: Some(index), ..state });
        edits.push((operation, state.last));
    }
    let state = states.get(document.fingerprint()).copied();
    let state = state.unwrap_or_else(|| unknown(edits.len()));
    let mut held = BTreeSet::new();
    let mut at = state.last;
    while let Some(index) = at {
        held.insert(index);
        at = edits[index].1;
    }
    let touched = operations.iter().flat_map(|operation| &operation.tasks);
    let removed: BTreeSet<&str> =
        touched.filter(|task| task.fate == Fate::Removed).map(|task| task.id.as_str()).collect();
    // Whether it is there, or an operation says what became of it.
    let is_known = |task: &Touched| {
        removed.contains(task.id.as_str()) || queue.find(task.id.as_str()).is_some()
    };
    let is_missing = |(index, operation): &(usize, &Operation)| {
        let may_be_otherwise = *index < state.merged;
        match held.contains(index) {
            true if may_be_otherwise => {
                operation.only_adds() && !operation.tasks.iter().any(is_known)
            }
            false if may_be_otherwise => !operation.is_back_in(queue),
            is_held => !is_held,
        }
    };
    let edits = edits.iter().map(|(operation, _)| *operation).enumerate();
    edits.filter(is_missing).map(|(_, operation)| operation.id).collect()
}

impl History {
    /// The edit that an undo, or an undo of one, is about; of an edit, that itself.
    fn edit_of<'h>(&'h self, operation: &'h Operation) -> &'h Operation {
        let target = |id| self.operations.iter().find(|operation| operation.id == id);
        let mut at = operation;
        while let Some(target) = at.undoes.and_then(target) {
            at = target;
        }
        at
    }

    /// What taking back `target` led to, where a task says that it was changed last by an edit which
    /// is undone: it is brought back to the time before that one.
    fn in_time(&self, target: &Operation, back: Spliced) -> Spliced {
        let back_in_time = |document: Option<Document>| {
            let document = document?;
            let mut draft = document.draft();
            for id in target.changed() {
                let Some(index) = draft.positions(id.as_str()).next() else { continue };
                let Some(time) = document.updated_at(index) else { continue };
                let before = self.time_before(id, &time);
                if *before != *time {
                    draft.task_mut(index).updated_at = Some(before);
                }
            }
            Some(draft.splice().ok().flatten().unwrap_or(document))
        };
        Spliced { queue: back_in_time(back.queue), done: back_in_time(back.done) }
    }

    /// The time of the last change that stands, of a task that says it was changed last at `time`.
    fn time_before(&self, task: &TaskId, time: &str) -> String {
        let mut time = time.to_owned();
        let is_undone = |it: &&Operation| self.undone.contains(&it.id);
        let of_task = self.operations.iter().rev().filter(|it| it.changed().any(|id| id == task));
        for operation in of_task.filter(is_undone) {
            let undoes = |it: &&Operation| it.undoes == Some(operation.id);
            let undo = self.operations.iter().filter(undoes).find(|it| !is_undone(it));
            if let Some(earlier) = undo.and_then(|undo| undo.earlier.get(task))
                && operation.time_of(task) == time
            {
                time.clone_from(earlier);
            }
        }
        time
    }

    /// What took an operation back, last of all, and stands.
    fn undo_of<'o>(&'o self, operation: &'o Operation) -> Option<&'o Operation> {
        let next = |it: &&'o Operation| {
            let undoes = |later: &&Operation| later.id > it.id && later.undoes == Some(it.id);
            self.operations.iter().rev().find(undoes)
        };
        successors(Some(operation), next).last().filter(|last| last.is_undo())
    }

    fn target(&self, Which { direction, id, force }: Which) -> Result<&Operation, UndoError> {
        if let Some(id) = id {
            let found = self.operations.iter().find(|operation| operation.id == id);
            let found = found.ok_or(UndoError::Unknown { id })?;
            let found = match direction {
                Direction::Redo if !found.is_undo() => {
                    self.undo_of(found).ok_or(UndoError::NotUndone { id })?
                }
                _ => found,
            };
            if self.undone.contains(&found.id) {
                return Err(UndoError::AlreadyUndone { id: found.id });
            }
            if found.origin != Origin::Asked && !force {
                return Err(UndoError::NotAsked {
                    id,
                    operation: found.operation.clone(),
                    origin: found.origin,
                    tasks: found.tasks.iter().map(|task| task.id.clone()).collect(),
                });
            }
            return Ok(found);
        }
        let standing = || {
            self.operations
                .iter()
                .rev()
                .filter(|operation| !self.undone.contains(&operation.id))
                .filter(|operation| operation.has_bytes())
                .filter(|operation| force || operation.origin == Origin::Asked)
        };
        // An edit that stands, be it by a redo; or an undo of one.
        let target = standing()
            .find(|operation| operation.is_undo() == (direction == Direction::Redo))
            .ok_or(UndoError::Nothing { direction })?;
        let is_new =
            |operation: &&Operation| !operation.is_redo && !self.missing.contains(&operation.id);
        let newer = standing().take_while(|operation| operation.id != target.id).find(is_new);
        match newer {
            // Who edits goes on from what was undone.
            Some(newer) if direction == Direction::Redo && !force => {
                Err(UndoError::EditedSince { id: target.id, operation: newer.operation.clone() })
            }
            _ => Ok(target),
        }
    }
}

impl Operation {
    /// Both files without it, and the times that newer ones took the place of.
    fn taken_back(
        &self,
        before: &Queue,
        fit: Fit,
        operations: &[Self],
    ) -> Result<(Spliced, Times), UndoError> {
        let last = operations.last().filter(|last| last.undoes == Some(self.id));
        let is_begun = last.is_some_and(|last| last.is_cut_off(before));
        if fit == Fit::Loose
            && !is_begun
            && let Some(refused) = self.passed(before)
        {
            return Err(refused);
        }
        let exactly = self.taken_back_by(before, |place, patch, document| {
            let text = patch.apply(document, Fit::Exact, &Trail::default());
            let text = text.map_err(|it| self.changed_since(place, it))?;
            let back = if patch.after == document.fingerprint() {
                document.parse_before(text, place)
            } else {
                document.parse_next(text)
            };
            back.map_err(|source| UndoError::Unreadable { id: self.id, source })
        });
        if fit == Fit::Exact || !matches!(exactly, Err(UndoError::ChangedSince { .. })) {
            return Ok((self.in_sections(before, exactly?)?, Times::new()));
        }
        let mut earlier = Times::new();
        let loosely = self.taken_back_by(before, |place, patch, document| {
            let trail = Trail::of(operations.iter().filter_map(|it| it.patch(place)));
            let back = self.loosely_from(patch, document, &trail, &mut earlier);
            back.map_err(|it| self.changed_since(place, it))
        })?;
        let is_own = |task: &Touched| self.tasks.iter().any(|own| own.id == task.id);
        if !loosely.touched(before).iter().all(is_own) {
            return exactly.map(|back| (back, Times::new()));
        }
        Ok((self.in_sections(before, loosely)?, earlier))
    }

    /// What taking it back led to, if each task that it did not touch stands below the heading and
    /// among the others as before. An edit that moved no task may have changed a heading, and where
    /// nothing came after it, it goes back to what was there.
    fn in_sections(&self, before: &Queue, back: Spliced) -> Result<Spliced, UndoError> {
        if self.from == back.revision_after(before) {
            return Ok(back);
        }
        let moves = self.tasks.iter().any(|task| task.fate != Fate::Changed);
        let own: HashSet<&str> = self.tasks.iter().map(|task| task.id.as_str()).collect();
        let files = [
            (Place::Queue, before.document(), &back.queue),
            (Place::Done, before.done_document(), &back.done),
        ];
        let stray = files.into_iter().find_map(|(place, document, after)| {
            let after = after.as_ref().filter(|it| moves || it.len() != document.len())?;
            let index = displaced(document, after, &own)?;
            Some((place, document, index))
        });
        match stray {
            None => Ok(back),
            Some((place, document, index)) => Err(self.in_its_way(place, document, index)),
        }
    }

    /// That a task stands where it would be taken back.
    fn in_its_way(&self, place: Place, document: &Document, index: usize) -> UndoError {
        let line = Lines::new(document.text()).position(document.span(index).start).0;
        let task = Some(document.task_id(index));
        self.changed_since(place, Misfit { task, field: None, line: Some(line) })
    }

    /// That a file is as it was: a later operation has removed or moved a
    /// task that this one brought, and would be undone in the other file alone.
    fn passed(&self, before: &Queue) -> Option<UndoError> {
        let files = [
            (Place::Queue, &self.queue, before.document()),
            (Place::Done, &self.done, before.done_document()),
        ];
        files.into_iter().find_map(|(place, patch, document)| {
            let patch = patch.as_ref().filter(|it| it.before == document.fingerprint())?;
            Some(self.changed_since(place, patch.misfit(document)))
        })
    }

    /// Whether it changed one file, and a crash kept it from the other.
    fn is_cut_off(&self, queue: &Queue) -> bool {
        let (Some(open), Some(done)) = (&self.queue, &self.done) else { return false };
        let files = (queue.document().fingerprint(), queue.done_document().fingerprint());
        files == (&open.before, &done.after) || files == (&open.after, &done.before)
    }

    fn taken_back_by(
        &self,
        before: &Queue,
        mut back: impl FnMut(Place, &Patch, &Document) -> Result<Document, UndoError>,
    ) -> Result<Spliced, UndoError> {
        let mut back = |place, patch: &Option<Patch>, document: &Document| match patch {
            // The file may be as it was, where the other is not.
            Some(patch) if patch.before != document.fingerprint() => {
                back(place, patch, document).map(Some)
            }
            _ => Ok(None),
        };
        Ok(Spliced {
            queue: back(Place::Queue, &self.queue, before.document())?,
            done: back(Place::Done, &self.done, before.done_document())?,
        })
    }

    /// A file without it, in which other changes of the same tasks are nearby. The time of the last
    /// change, which they share, stays that of the newer ones.
    fn loosely_from(
        &self,
        patch: &Patch,
        document: &Document,
        trail: &Trail<'_>,
        earlier: &mut Times,
    ) -> Result<Document, Misfit> {
        let unfit = || patch.misfit(document);
        let mut as_left = document.draft();
        let mut newer = Vec::new();
        for id in self.changed() {
            let Some(index) = as_left.positions(id.as_str()).next() else { continue };
            let Some(now) = document.updated_at(index) else { continue };
            let left = self.time_of(id);
            if *now != *left {
                newer.push((id, now.into_owned()));
                as_left.task_mut(index).updated_at = Some(left);
            }
        }
        let spliced = as_left.splice().map_err(|_| unfit())?;
        let as_left = spliced.as_ref().unwrap_or(document);
        let back =
            as_left.parse_next(patch.apply(as_left, Fit::Loose, trail)?).map_err(|_| unfit())?;
        let mut draft = back.draft();
        for (id, time) in newer {
            let index = draft.positions(id.as_str()).next().ok_or_else(unfit)?;
            let own = draft.task_mut(index).updated_at.replace(time);
            earlier.extend(own.map(|own| (id.clone(), own)));
        }
        let spliced = draft.splice().map_err(|_| unfit())?;
        Ok(spliced.unwrap_or(back))
    }

    /// A task that it removed and that is there again, which would then be there twice.
    fn twice_in(&self, queue: &Queue) -> Option<UndoError> {
        let removed = self.tasks.iter().filter(|task| task.fate == Fate::Removed);
        let removed: HashSet<&str> = removed.map(|task| task.id.as_str()).collect();
        let files = [(Place::Queue, queue.document()), (Place::Done, queue.done_document())];
        files.into_iter().find_map(|(place, document)| {
            let index = document.ids().position(|id| removed.contains(id))?;
            Some(self.in_its_way(place, document, index))
        })
    }

    /// The tasks that it changed where they stand.
    fn changed(&self) -> impl Iterator<Item = &TaskId> {
        self.tasks.iter().filter(|task| task.fate == Fate::Changed).map(|task| &task.id)
    }

    /// When a task that it changed says that it was changed last, as it left it.
    fn time_of(&self, task: &TaskId) -> String {
        self.times.get(task).cloned().unwrap_or_else(|| self.at.to_string())
    }

    /// Whether it takes back an edit.
    fn is_undo(&self) -> bool {
        self.undoes.is_some() && !self.is_redo
    }

    fn patch(&self, place: Place) -> Option<&Patch> {
        match place {
            Place::Queue => self.queue.as_ref(),
            Place::Done => self.done.as_ref(),
        }
    }

    /// Whether it changed a file.
    fn has_bytes(&self) -> bool {
        self.queue.is_some() || self.done.is_some()
    }

    fn changed_since(&self, place: Place, misfit: Misfit) -> UndoError {
        let (id, operation, misfit) = (self.id, self.operation.clone(), Box::new(misfit));
        UndoError::ChangedSince { id, operation, place, misfit }
    }

    fn only_adds(&self) -> bool {
        !self.tasks.is_empty() && self.tasks.iter().all(|task| task.fate == Fate::Added)
    }

    fn not_in_files(&self) -> UndoError {
        UndoError::Missing { id: self.id, operation: self.operation.clone() }
    }

    /// Whether the files have it though they were without it: an id is given once, so that a task
    /// that it added is that one.
    fn is_back_in(&self, queue: &Queue) -> bool {
        let fits = |patch: &Option<Patch>, document: &Document| {
            patch
                .as_ref()
                .is_none_or(|patch| patch.apply(document, Fit::Exact, &Trail::default()).is_ok())
        };
        let is_there = |task: &Touched| queue.find(task.id.as_str()).is_some();
        if self.only_adds() {
            return self.tasks.iter().all(is_there);
        }
        self.tasks.iter().all(|task| task.stands_in(queue))
            && fits(&self.queue, queue.document())
            && fits(&self.done, queue.done_document())
    }
}

/// The end of the journal, as an edit needs it: under the lock of the queue.
pub(crate) struct Tail {
    path: PathBuf,
    holder: Holder,
    last: Option<Operation>,
    bytes: Vec<u8>,
}

/// An operation that was asked for by name.
pub(crate) struct Answered {
    pub(crate) operation: Operation,
    pub(crate) request: Request,
    /// Another one took it back since.
    pub(crate) is_undone: bool,
}

/// The operation that another takes back.
#[derive(Clone, Debug)]
pub(crate) struct Undone {
    id: u64,
    /// It is an undo.
    is_undo: bool,
    /// It made the done file.
    pub(crate) made_done: bool,
    earlier: Times,
}

/// What an edit did, to be written down.
pub(crate) struct Entry<'a> {
    pub(crate) before: &'a Queue,
    pub(crate) spliced: &'a Spliced,
    pub(crate) tasks: &'a [Touched],
    pub(crate) undoes: Option<&'a Undone>,
    pub(crate) request: Option<Request>,
    pub(crate) origin: Origin,
}

impl Tail {
    pub(crate) fn read(path: &Path, holder: &Holder) -> Result<Self, JournalError> {
        let bytes = match check_regular(path).and_then(|()| fs_err::read(path)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => {
                return Err(JournalError::Io { step: "read", path: path.to_owned(), source });
            }
        };
        let last: Option<Operation> =
            lines(&bytes).rev().find_map(|line| serde_json::from_slice(line).ok());
        Ok(Self { path: path.to_owned(), holder: holder.clone(), last, bytes })
    }

    /// The highest number of an id that an operation touched.
    pub(crate) fn highest(&self, ids: &IdRules) -> u64 {
        let operations = lines(&self.bytes).filter_map(|line| serde_json::from_slice(line).ok());
        let tasks = operations.flat_map(|operation: Operation| operation.tasks);
        tasks.filter_map(|task| ids.number_of(task.id.as_str())).max().unwrap_or(0)
    }

    /// The operation that was asked for under that name, if the files have it: what a crash or git
    /// took back is to be done after all.
    pub(crate) fn find_request(&self, id: &str, queue: &Queue) -> Option<Answered> {
        let quoted = Value::from(id).to_string();
        let names_it = |line: &[u8]| str::from_utf8(line).is_ok_and(|it| it.contains(&quoted));
        // Parsing is dear, and most requests are new.
        if !lines(&self.bytes).any(names_it) {
            return None;
        }
        let parsed = lines(&self.bytes).filter_map(|line| serde_json::from_slice(line).ok());
        let mut operations: Vec<Operation> = parsed.collect();
        let missing = missing(&operations, queue);
        let is_it = |operation: &Operation| {
            operation.request.as_ref().is_some_and(|request| request.id == id)
                && !missing.contains(&operation.id)
        };
        let at = operations.iter().rposition(is_it)?;
        let request = operations[at].request.clone()?;
        let is_undone = undone(&operations, &missing).contains(&operations[at].id);
        Some(Answered { operation: operations.swap_remove(at), request, is_undone })
    }

    /// Writes the entry down. A file that is no journal is moved out of the way: undo is not worth
    /// refusing an edit.
    pub(crate) fn append(
        &self,
        at: Timestamp,
        queue_file: &Path,
        entry: Entry<'_>,
    ) -> Result<Written, JournalError> {
        let Entry { before, spliced, tasks, undoes, request, origin } = entry;
        let patch =
            |old: &Document, new: &Option<Document>| new.as_ref().map(|new| Patch::back(old, new));
        let queue = patch(before.document(), &spliced.queue);
        let done = patch(before.done_document(), &spliced.done);
        let rev = spliced.revision_after(before);
        let operation = Operation {
            id: self.last.as_ref().map_or(0, |last| last.id) + 1,
            at,
            operation: self.holder.command.clone(),
            from: before.revision(),
            rev: rev.clone(),
            tasks: tasks.to_vec(),
            origin,
            undoes: undoes.map(|it| it.id),
            is_redo: undoes.is_some_and(|it| it.is_undo),
            makes_done: spliced.done.is_some() && !before.has_done_file(),
            times: undoes.map_or_else(Times::new, |_| times(at, spliced, tasks)),
            earlier: undoes.map_or_else(Times::new, |it| it.earlier.clone()),
            request,
            queue,
            done,
        };
        let journal = Journal::new(&self.path, self.holder.clone()).limit(LIMIT).like(queue_file);
        let set_aside = match journal.append(&operation) {
            Err(JournalError::Header { source, .. })
                if !matches!(source, DecodeError::Newer { .. }) =>
            {
                let aside = journal.set_aside()?;
                journal.append(&operation)?;
                aside
            }
            appended => {
                appended?;
                None
            }
        };
        Ok(Written { rev, set_aside, journal, operation })
    }
}

/// When the tasks that are changed say that they were, if not at that time.
fn times(at: Timestamp, spliced: &Spliced, tasks: &[Touched]) -> Times {
    let at = at.to_string();
    let changed = tasks.iter().filter(|task| task.fate == Fate::Changed);
    let changed: BTreeSet<&str> = changed.map(|task| task.id.as_str()).collect();
    let documents = spliced.queue.iter().chain(&spliced.done);
    let times = documents.flat_map(|document| {
        let indices = (0..document.len()).filter(|index| changed.contains(document.id(*index)));
        indices.filter_map(|index| {
            Some((document.task_id(index), document.updated_at(index)?.into_owned()))
        })
    });
    times.filter(|(_, time)| *time != at).collect()
}

/// An entry of the journal, written down before the files are.
pub(crate) struct Written {
    /// The revision that it leads to.
    pub(crate) rev: String,
    /// Where a file that was no journal was moved to.
    pub(crate) set_aside: Option<PathBuf>,
    journal: Journal,
    operation: Operation,
}

impl Written {
    /// Removes the entry, of an edit that was not made after all. Where that fails it is one that
    /// the files do not have, as after a crash.
    pub(crate) fn take_back(&self) {
        drop(self.journal.retract(&self.operation));
    }
}

/// The lines that have an end, without the header.
fn lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end);
    let mut lines = bytes[..whole].split(|byte| *byte == b'\n');
    lines.next();
    lines
}
