//! What can be done to a queue: the operations, with the status policy of 0.4.0.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use ralph_state::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::copies::Waiting;
use crate::delta::{Fate, Touched};
use crate::document::{Block, Document, Draft, Side, SpliceError};
use crate::ids::IdRules;
use crate::merge::{Stands, fold};
use crate::queue::{Place, Queue};
use crate::task::{Status, Task};
use crate::validate::Bar;

/// Changes to a queue, not yet written.
///
/// For changes that no operation here makes there are [`Edit::drafts_mut`]; whatever is done,
/// [`Edit::splice`] checks that the texts say it.
#[derive(Clone, Debug)]
pub struct Edit<'a> {
    pub(crate) queue: Draft<'a>,
    pub(crate) done: Draft<'a>,
    /// Both files as they were read.
    read: &'a Queue,
    /// See [`Queue::namesakes`].
    namesakes: HashSet<&'a str>,
    /// See [`Queue::shared_lines`]; only who is refused needs them.
    shared_lines: OnceCell<HashMap<&'a str, Vec<(Place, usize)>>>,
    /// See [`Edit::named`].
    named: RefCell<BTreeSet<TaskId>>,
    now: Timestamp,
    /// How many tasks it has made.
    made: u64,
    /// No id up to this number is given.
    high_water: u64,
    /// Of the last [`Edit::next_id`]: its rules and the highest number then.
    highest: Option<(IdRules, u64)>,
    bar: Bar,
    /// It is made to put things in order, also if it finds no more to do.
    is_repair: bool,
    /// Tasks that the done file has, too, see [`Queue::reopened`].
    reopened: BTreeSet<TaskId>,
    /// For [`Edit::split`].
    pub(crate) waiting: Waiting,
}

/// What becomes of a finished task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// It moves to the done file, as in 0.4.0.
    #[default]
    Archive,
    /// Its status changes where it stands; [`Edit::archive`] moves it later.
    InPlace,
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Finished.
    Done,
    /// Will not be done.
    Rejected,
}

impl End {
    /// The status for it.
    pub fn status(self) -> Status {
        match self {
            Self::Done => Status::Done,
            Self::Rejected => Status::Rejected,
        }
    }
}

/// Where a new task goes. File order is the order of work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// First, or second when the first is being worked on, as in 0.4.0.
    #[default]
    Front,
    /// Last.
    Back,
    /// Directly before that task, in its section.
    Before(TaskId),
    /// Directly after that task.
    After(TaskId),
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

/// Whether an operation changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// It did.
    Yes,
    /// It was so before.
    No,
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
    /// Several tasks have that id which are not rejected.
    #[error("the id `{id}` is that of {} tasks: {}", lines.len(), places(lines))]
    AmbiguousId {
        /// The id asked for.
        id: String,
        /// Where each is: the file and the line.
        lines: Vec<(Place, usize)>,
    },
    /// The task is in the done file, where nothing more happens to it.
    #[error("task `{id}` is {status} and in the done file")]
    Archived {
        /// The task.
        id: TaskId,
        /// Done or rejected.
        status: Status,
    },
    /// Only tasks of the queue file are deleted.
    #[error("task `{id}` is in the done file, and only tasks of the queue file are deleted")]
    InDoneFile {
        /// The task.
        id: TaskId,
    },
    /// The operation does not begin at that status.
    #[error("task `{id}` is {status}, and {operation} needs it to be {needs}")]
    WrongStatus {
        /// The task.
        id: TaskId,
        /// What was asked for: `start`, `done`, `rejected` or `ready`.
        operation: &'static str,
        /// Its status.
        status: Status,
        /// The statuses it begins at, in words.
        needs: &'static str,
    },
    /// The id of a new task is taken.
    #[error("the id `{id}` is taken")]
    IdTaken {
        /// The id.
        id: TaskId,
    },
    /// The id of a new task was that of another one.
    #[error("the id `{id}` was that of another task, which is gone")]
    IdSpent {
        /// The id.
        id: TaskId,
    },
    /// A field cannot be set so.
    #[error("cannot change task `{id}`")]
    Field {
        /// The task.
        id: TaskId,
        /// Why.
        source: Box<crate::fields::FieldError>,
    },
    /// Other tasks name it.
    #[error("task `{id}` is named by {}", by.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", "))]
    Referenced {
        /// The task.
        id: String,
        /// The tasks that name it.
        by: Vec<TaskId>,
    },
    /// The task is not as the caller has seen it.
    #[error("task `{id}` was changed at {}, not at {expected}", found.as_deref().unwrap_or("no known time"))]
    ChangedSince {
        /// The task.
        id: TaskId,
        /// When it was changed last as far as the caller knows.
        expected: String,
        /// When it was.
        found: Option<String>,
    },
    /// What was changed so far does not come out as meant: a fault in this crate.
    #[error("the change cannot be written")]
    Splice(#[source] SpliceError),
    /// A task, or the high-water mark, has the highest number there is.
    #[error("no id is left: the highest number, {}, is taken", IdRules::HIGHEST)]
    NoIdLeft,
    /// The prefix and the number make no id.
    #[error("no id can be made")]
    Id(#[source] ralph_state::TaskIdError),
}

fn is_rejected(task: &Task) -> bool {
    task.status == Status::Rejected
}

fn places(lines: &[(Place, usize)]) -> String {
    let place =
        |(place, line): &(Place, usize)| format!("line {line} of the {} file", place.as_str());
    lines.iter().map(place).collect::<Vec<_>>().join(", ")
}

/// The documents after an edit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spliced {
    /// The queue file, if it changed.
    pub queue: Option<Document>,
    /// The done file, if it changed.
    pub done: Option<Document>,
}

impl<'a> Edit<'a> {
    /// Nothing changed yet, but for what a crash or a merge left behind: see [`Queue::leftovers`].
    pub fn new(queue: &'a Queue, now: Timestamp) -> Self {
        let mut edit = Self {
            queue: queue.document().draft(),
            done: queue.done_document().draft(),
            read: queue,
            namesakes: queue.namesakes().map(TaskId::as_str).collect(),
            shared_lines: OnceCell::new(),
            named: RefCell::default(),
            now,
            made: 0,
            high_water: 0,
            highest: None,
            bar: Bar::ErrorsAndSlips,
            is_repair: false,
            reopened: queue.reopened().cloned().collect(),
            waiting: Waiting::default(),
        };
        let leftovers = queue.leftover_indices().iter().copied().collect();
        for left in edit.queue.take_all(&leftovers).iter().rev() {
            edit.leave_to_done(left);
        }
        edit
    }

    /// The same of a queue that has been put in order, from how it was read: what was ambiguous there
    /// stays so for this edit.
    pub(crate) fn of_whole(read: &'a Queue, whole: &'a Queue, now: Timestamp) -> Self {
        let namesakes = read.namesakes().map(TaskId::as_str).collect();
        Self { read, namesakes, ..Self::new(whole, now) }
    }

    /// The queue file with the changes so far.
    pub fn queue(&self) -> &Draft<'a> {
        &self.queue
    }

    /// The done file with the changes so far.
    pub fn done(&self) -> &Draft<'a> {
        &self.done
    }

    /// Both, to be changed: the queue file, then the done file. No status policy, no time stamp and no
    /// other task follows what is done to them.
    pub fn drafts_mut(&mut self) -> [&mut Draft<'a>; 2] {
        self.highest = None;
        [&mut self.queue, &mut self.done]
    }

    /// Both files as they were read, before any change.
    pub fn read(&self) -> &'a Queue {
        self.read
    }

    /// Refuses an id that several tasks have which are not rejected: who gives it may mean any of
    /// them.
    pub fn unambiguous(&self, id: &str) -> Result<(), EditError> {
        self.only(id).map(drop)
    }

    /// The tasks that it was asked to change, or to have others refer to, also where it found
    /// nothing to do or refused.
    pub fn named(&self) -> Vec<TaskId> {
        self.named.borrow().iter().cloned().collect()
    }

    /// Where the task with that id is in the queue file, if it is the only one.
    fn only(&self, id: &str) -> Result<Option<usize>, EditError> {
        self.named.borrow_mut().extend(id.parse::<TaskId>());
        match self.queue.only(id) {
            Ok(index) if !self.namesakes.contains(id) => Ok(index),
            _ => {
                let lines = self.shared_lines.get_or_init(|| self.read.shared_lines()).get(id);
                let lines = lines.cloned().unwrap_or_default();
                Err(EditError::AmbiguousId { id: id.to_owned(), lines })
            }
        }
    }

    /// Takes a task that was opened again, see [`Queue::reopened`], for finished after all: what is
    /// new in the copy of the queue file goes to that of the done file.
    pub fn close_reopened(&mut self, id: &TaskId) {
        if self.reopened.remove(id)
            && let Some(index) = self.queue.position(id.as_str())
        {
            let copy = self.queue.take(index);
            self.leave_to_done(&copy);
        }
    }

    /// Takes it for open for good: what is new in the copy of the done file goes to that of the
    /// queue file.
    pub fn keep_reopened(&mut self, id: &TaskId) {
        if self.reopened.remove(id)
            && let (Some(open), Some(done)) =
                (self.queue.position(id.as_str()), self.done.position(id.as_str()))
        {
            let copy = self.done.take(done);
            self.absorb((Place::Queue, open), &copy, Stands::Ours);
        }
    }

    fn leave_to_done(&mut self, copy: &Block) {
        if let Some(at) = self.done.position(copy.task().id.as_str()) {
            let stands = Stands::of_latest(self.done.task(at), copy.task());
            self.absorb((Place::Done, at), copy, stands);
        }
    }

    /// Puts a task that has ended at the end of the done file, or in the place of the copy that is
    /// there from when it ended before.
    fn put_done(&mut self, block: Block) {
        let id = block.task().id.clone();
        let at = if self.reopened.remove(&id) { self.done.position(id.as_str()) } else { None };
        let Some(at) = at else {
            self.done.insert_block(self.done.len(), block);
            return;
        };
        let before = self.done.block(at);
        // It ends as it ends now.
        let Task { status, completed_at, .. } = block.task().clone();
        let was = Task { status, completed_at, ..before.task().clone() };
        let before = before.with_task(was);
        self.done.put_block(at, block);
        self.absorb((Place::Done, at), &before, Stands::Ours);
    }

    /// Takes what a copy of a task has over into it.
    pub(crate) fn absorb(&mut self, (place, at): (Place, usize), copy: &Block, stands: Stands) {
        let draft = match place {
            Place::Queue => &mut self.queue,
            Place::Done => &mut self.done,
        };
        let mut block = draft.block(at);
        if block.absorb_comments(copy) {
            draft.put_block(at, block);
        }
        let kept = draft.task(at);
        let mut task = fold(kept, copy.task(), stands);
        if copy.task().status.is_terminal() && !kept.status.is_terminal() {
            // It was opened again.
            task.status = kept.status;
            task.completed_at.clone_from(&kept.completed_at);
        }
        if task != *draft.task(at) {
            draft.replace(at, task);
        }
    }

    /// Gives no id up to that number.
    pub fn raise_high_water(&mut self, number: u64) {
        self.high_water = self.high_water.max(number);
    }

    /// The number up to which no id is given, whatever the files have.
    pub fn high_water(&self) -> u64 {
        self.high_water
    }

    /// The time that changes are stamped with.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The task with that id and its file, as [`Queue::with_id`] has it, with the changes so far.
    pub fn find(&self, id: &str) -> Option<(Place, &Task)> {
        let (place, index) = self.place_of(id)?;
        Some(match place {
            Place::Queue => (place, self.queue.task(index)),
            Place::Done => (place, self.done.task(index)),
        })
    }

    /// Where it is.
    fn place_of(&self, id: &str) -> Option<(Place, usize)> {
        let queue = self.queue.position(id);
        if let Some(index) = queue.filter(|index| !is_rejected(self.queue.task(*index))) {
            return Some((Place::Queue, index));
        }
        match (queue, self.done.position(id)) {
            (Some(index), Some(done)) if is_rejected(self.done.task(done)) => {
                Some((Place::Queue, index))
            }
            (_, Some(done)) => Some((Place::Done, done)),
            (queue, None) => queue.map(|index| (Place::Queue, index)),
        }
    }

    /// Whether a task has that id, or had it before.
    pub(crate) fn is_taken(&self, id: &str) -> bool {
        let had_it = |task: &Task| task.former_ids().any(|old| old == id);
        let mut renamed = [&self.queue, &self.done].into_iter().flat_map(Draft::renamed_tasks);
        self.place_of(id).is_some() || renamed.any(|(_, task)| had_it(task))
    }

    /// The id for a new task: past every number in either file and the high-water mark. Until it
    /// is added, the next call gives the same.
    pub fn next_id(&mut self, ids: &IdRules) -> Result<TaskId, EditError> {
        let next = self.highest_given(ids).saturating_add(1);
        if next > IdRules::HIGHEST {
            return Err(EditError::NoIdLeft);
        }
        ids.id(next).map_err(EditError::Id)
    }

    /// The highest number in either file, one that a task had before too, or the high-water mark.
    pub(crate) fn highest_given(&mut self, ids: &IdRules) -> u64 {
        let highest = match &self.highest {
            Some((rules, highest)) if rules == ids => *highest,
            _ => ids.highest(self.known_ids()),
        };
        self.highest = Some((ids.clone(), highest));
        highest.max(self.high_water)
    }

    /// [`Self::next_id`], and not again.
    pub(crate) fn spend_id(&mut self, ids: &IdRules) -> Result<TaskId, EditError> {
        let id = self.next_id(ids)?;
        if let Some((_, highest)) = &mut self.highest {
            *highest = ids.number_of(id.as_str()).unwrap_or(0).max(*highest);
        }
        Ok(id)
    }

    /// Adds `task`, and fills in `created_at` and `updated_at` when they are empty. Refuses one that
    /// names others by an id that several tasks have.
    pub fn add(&mut self, task: Task, position: &Position) -> Result<(), EditError> {
        task.references().try_for_each(|id| self.unambiguous(id))?;
        self.bring(task, position)
    }

    /// The same of a task that stands somewhere already: what it names, it named there.
    pub(crate) fn bring(&mut self, task: Task, position: &Position) -> Result<(), EditError> {
        let place = self.place_at(position)?;
        if self.is_taken(task.id.as_str()) {
            return Err(EditError::IdTaken { id: task.id });
        }
        self.insert_new(task, place);
        Ok(())
    }

    /// The index that a new task gets there, and the neighbour it stands by.
    pub(crate) fn place_at(&self, position: &Position) -> Result<(usize, Side), EditError> {
        let index = match position {
            Position::Front => usize::from(
                self.queue.tasks().next().is_some_and(|first| first.status == Status::Doing),
            ),
            Position::Back => self.queue.len(),
            Position::Before(id) => return Ok((self.open(id.as_str())?, Side::Before)),
            Position::After(id) => self.open(id.as_str())? + 1,
        };
        Ok((index, Side::Behind))
    }

    /// Every id by which [`Self::find`] finds a task.
    pub(crate) fn known_ids(&self) -> impl Iterator<Item = &str> {
        [&self.queue, &self.done].into_iter().flat_map(Draft::given_ids)
    }

    /// Adds a task whose id nobody has, so that it has that index, by the neighbour on that side.
    pub(crate) fn insert_new(&mut self, mut task: Task, (index, side): (usize, Side)) {
        let moment = self.moment();
        task.created_at.get_or_insert_with(|| moment.to_string());
        task.updated_at.get_or_insert_with(|| moment.to_string());
        if let Some((rules, highest)) = &mut self.highest {
            *highest = rules.number_of(task.id.as_str()).unwrap_or(0).max(*highest);
        }
        self.queue.insert_at(index, side, task);
    }

    /// When the next task is made: a nanosecond apart in one edit, since a merge knows a task by
    /// that time.
    fn moment(&mut self) -> Timestamp {
        let moment = self.now.checked_add(Duration::from_nanos(self.made));
        self.made += 1;
        moment.unwrap_or(self.now)
    }

    /// Begins work on a task that is not finished: `doing`, with `started_at`.
    pub fn start(&mut self, id: &str, restart: Restart) -> Result<Changed, EditError> {
        let index = self.open(id)?;
        let status = self.queue.task(index).status;
        if status.is_terminal() {
            return Err(self.wrong_status(index, "start", "draft, todo or doing"));
        }
        if status == Status::Doing && restart == Restart::Keep {
            return Ok(Changed::No);
        }
        let now = self.now;
        let task = self.queue.task_mut(index);
        if restart == Restart::Reset {
            task.started_at = None;
        }
        task.set_status(Status::Doing, now);
        Ok(Changed::Yes)
    }

    /// Ends a task that is todo or doing, and adds `note` to it.
    ///
    /// The note is written as given; secrets have to be out of it. Of a task that has ended that
    /// way before only a note is kept that it lacks.
    pub fn finish(
        &mut self,
        id: &str,
        end: End,
        how: Finish,
        note: Option<&str>,
    ) -> Result<Changed, EditError> {
        let again = |edit: &mut Self| note.map_or(Ok(Changed::No), |note| edit.annotate(id, note));
        let index = match self.open(id) {
            Err(EditError::Archived { status, .. }) if status == end.status() => {
                return again(self);
            }
            index => index?,
        };
        match self.queue.task(index).status {
            Status::Todo | Status::Doing => {
                self.end(index, end, how, note);
                Ok(Changed::Yes)
            }
            status if status == end.status() => again(self),
            _ => Err(self.wrong_status(index, end.status().as_str(), "todo or doing")),
        }
    }

    /// Puts the version in which a task has `ended` in the place of an older, open one, in the file
    /// that has it by then. One that says anything that the other lacks stays.
    pub fn catch_up(&mut self, ended: &Task, place: Place) -> Result<Changed, EditError> {
        let index = self.open(ended.id.as_str())?;
        let task = self.queue.task(index);
        if !ended.status.is_terminal() || task.status.is_terminal() || !task.is_rest_of(ended) {
            return Ok(Changed::No);
        }
        self.queue.replace(index, ended.clone());
        if place == Place::Done {
            let block = self.queue.take(index);
            self.put_done(block);
        }
        Ok(Changed::Yes)
    }

    /// Adds a note to a task of either file, unless the task has it.
    pub fn annotate(&mut self, id: &str, note: &str) -> Result<Changed, EditError> {
        let (place, index) =
            self.place_of(id).ok_or_else(|| EditError::NotFound { id: id.to_owned() })?;
        let draft = match place {
            Place::Queue => &mut self.queue,
            Place::Done => &mut self.done,
        };
        let note = note.trim();
        if note.is_empty() || draft.task(index).notes.iter().any(|own| own == note) {
            return Ok(Changed::No);
        }
        draft.task_mut(index).add_note(note, self.now);
        Ok(Changed::Yes)
    }

    /// Ends the task at `index`, whatever its status.
    pub(crate) fn end(&mut self, index: usize, end: End, how: Finish, note: Option<&str>) {
        self.put_status(index, end.status(), note);
        if how == Finish::Archive {
            let block = self.queue.take(index);
            self.put_done(block);
        }
    }

    /// Makes a draft ready to be worked on.
    pub fn ready(&mut self, id: &str, note: Option<&str>) -> Result<Changed, EditError> {
        let index = self.open(id)?;
        match self.queue.task(index).status {
            Status::Draft => {
                self.put_status(index, Status::Todo, note);
                Ok(Changed::Yes)
            }
            Status::Todo => Ok(Changed::No),
            _ => Err(self.wrong_status(index, "ready", "a draft")),
        }
    }

    /// Gives a task any status, whatever it has; a draft does not end. One that ends by it stays
    /// where it is: [`Self::archive_all`] moves many at once.
    pub fn change_status(
        &mut self,
        id: &str,
        status: Status,
        note: Option<&str>,
    ) -> Result<Changed, EditError> {
        if !status.is_terminal() {
            return self.set_status(id, status, note);
        }
        match self.open(id) {
            Err(EditError::Archived { status: own, .. }) if own == status => {
                note.map_or(Ok(Changed::No), |note| self.annotate(id, note))
            }
            Ok(index) if self.queue.task(index).status == Status::Draft => {
                Err(self.wrong_status(index, status.as_str(), "todo or doing"))
            }
            _ => self.set_status(id, status, note),
        }
    }

    /// Sets any status on a task of the queue file, and leaves it there.
    pub fn set_status(
        &mut self,
        id: &str,
        status: Status,
        note: Option<&str>,
    ) -> Result<Changed, EditError> {
        let index = self.open(id)?;
        if self.queue.task(index).status == status && note.is_none() {
            return Ok(Changed::No);
        }
        self.put_status(index, status, note);
        Ok(Changed::Yes)
    }

    /// Changes a task of the queue file, and stamps `updated_at` if that changed anything. Refuses
    /// to name others by an id that several tasks have, unless it did so before.
    pub fn modify(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Task),
    ) -> Result<Changed, EditError> {
        let index = self.open(id)?;
        let before = self.queue.task(index);
        let mut task = before.clone();
        change(&mut task);
        if task == *before {
            return Ok(Changed::No);
        }
        let known: HashSet<&str> = before.references().collect();
        for new in task.references().filter(|id| !known.contains(id)) {
            self.unambiguous(new)?;
        }
        task.updated_at = Some(self.now.to_string());
        *self.queue.task_mut(index) = task;
        Ok(Changed::Yes)
    }

    /// Moves every finished task of the queue file to the end of the done file, and says which.
    pub fn archive(&mut self) -> Vec<TaskId> {
        // A move that was cut off leaves a task in both files, and is finished by that.
        self.be_repair();
        self.archive_where(|_| true)
    }

    pub(crate) fn archive_where(&mut self, wanted: impl Fn(&Task) -> bool) -> Vec<TaskId> {
        let now = self.now.to_string();
        let ended = self.queue.ids_and_statuses().map(|(_, status)| status.is_terminal());
        let ended =
            ended.enumerate().filter(|(index, ended)| *ended && wanted(self.queue.task(*index)));
        let ended: BTreeSet<usize> = ended.map(|(index, _)| index).collect();
        for index in &ended {
            let task = self.queue.task_mut(*index);
            task.completed_at.get_or_insert_with(|| now.clone());
            task.updated_at = Some(now.clone());
        }
        let blocks = self.queue.take_all(&ended).into_iter();
        blocks
            .map(|block| {
                let id = block.task().id.clone();
                self.put_done(block);
                id
            })
            .collect()
    }

    /// The tasks of the queue file that are no longer there as they were: changed, moved to the
    /// done file or removed.
    pub fn touched(&self) -> Vec<Touched> {
        let touched = |(old, new): (&Task, Option<&Task>)| {
            let elsewhere = || self.find(old.id.as_str()).map(|(_, task)| task);
            let Some(new) = new.or_else(elsewhere) else { return Touched::removed(old) };
            let fate = if new == old { Fate::Moved } else { Fate::Changed };
            let status = Some(new.status).filter(|status| *status != old.status);
            Touched::new(old.id.clone(), fate, status)
        };
        self.queue.touched().into_iter().map(touched).collect()
    }

    /// Lets it bring in what was written elsewhere, with what is only warned of.
    pub(crate) fn admit_warnings(&mut self) {
        self.bar = Bar::Errors;
    }

    /// Says that it is made to put things in order: that is done though nothing else changes.
    pub fn be_repair(&mut self) {
        self.is_repair = true;
    }

    /// Whether it is made to put things in order.
    pub(crate) fn is_repair(&self) -> bool {
        self.is_repair
    }

    /// What it may not bring in.
    pub(crate) fn bar(&self) -> Bar {
        self.bar
    }

    /// Both documents with the changes, each only if it differs, and checked against what was
    /// meant.
    pub fn splice(&self) -> Result<Spliced, SpliceError> {
        Ok(Spliced { queue: self.queue.splice()?, done: self.done.splice()? })
    }

    fn put_status(&mut self, index: usize, status: Status, note: Option<&str>) {
        let mut task = self.queue.task(index).clone();
        task.set_status(status, self.now);
        if let Some(note) = note {
            task.add_note(note, self.now);
        }
        self.queue.replace(index, task);
    }

    /// Where a task is in the queue file.
    pub(crate) fn open(&self, id: &str) -> Result<usize, EditError> {
        if let Some(index) = self.only(id)?.filter(|index| !is_rejected(self.queue.task(*index))) {
            return Ok(index);
        }
        match self.place_of(id) {
            Some((Place::Queue, index)) => Ok(index),
            Some((Place::Done, index)) => {
                let Task { id, status, .. } = self.done.task(index);
                Err(EditError::Archived { id: id.clone(), status: *status })
            }
            None => Err(EditError::NotFound { id: id.to_owned() }),
        }
    }

    pub(crate) fn wrong_status(
        &self,
        index: usize,
        operation: &'static str,
        needs: &'static str,
    ) -> EditError {
        let task = self.queue.task(index);
        EditError::WrongStatus { id: task.id.clone(), operation, status: task.status, needs }
    }
}
