//! Both files of a queue, seen as one.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use ralph_state::TaskId;

use crate::delta::fingerprint;
use crate::document::{Document, Lines, Tasks};
use crate::ids::IdRules;
use crate::runnability::{Readiness, Report, Selection};
use crate::task::{Glance, Priority, Status, Task};
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

    /// The other file.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Queue => Self::Done,
            Self::Done => Self::Queue,
        }
    }
}

/// A task that is only read when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'q> {
    queue: &'q Queue,
    place: Place,
    index: usize,
}

impl<'q> Listed<'q> {
    fn document(self) -> &'q Document {
        match self.place {
            Place::Queue => &self.queue.open,
            Place::Done => &self.queue.done,
        }
    }

    /// Its id.
    pub fn id(self) -> &'q str {
        self.document().id(self.index)
    }

    /// The same to keep.
    pub(crate) fn task_id(self) -> TaskId {
        self.document().task_id(self.index)
    }

    /// Its status.
    pub fn status(self) -> Status {
        self.document().status(self.index)
    }

    /// How urgent it is.
    pub fn priority(self) -> Priority {
        self.document().priority(self.index)
    }

    /// Its title.
    pub fn title(self) -> Cow<'q, str> {
        self.document().title(self.index)
    }

    /// What it touches: paths, and names of areas.
    pub fn scope(self) -> Vec<Cow<'q, str>> {
        self.document().scope(self.index)
    }

    /// When it was changed last, as it says.
    pub fn updated_at(self) -> Option<Cow<'q, str>> {
        self.document().updated_at(self.index)
    }

    /// Whether it says that others wait for it.
    pub(crate) fn is_blocking(self) -> bool {
        self.document().is_blocking(self.index)
    }

    /// Whether it had another id before.
    pub(crate) fn is_renamed(self) -> bool {
        self.document().is_renamed(self.index)
    }

    /// How it is written.
    pub(crate) fn text(self) -> &'q str {
        &self.document().text()[self.document().span(self.index)]
    }

    /// All of it, for a look.
    pub(crate) fn glance(self) -> Glance<'q> {
        self.document().glance()(self.index)
    }

    /// All of it.
    pub fn task(self) -> &'q Task {
        self.document().task(self.index)
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
    reopened: Vec<usize>,
    /// The same.
    namesakes: Vec<usize>,
}

impl Queue {
    /// Both files as read; no done file is the same as an empty one.
    pub fn new(open: Document, done: Option<Document>) -> Self {
        let has_done_file = done.is_some();
        let done = done.unwrap_or_else(Document::empty);
        let Shared { leftovers, reopened, namesakes } = Shared::of(&open, &done);
        Self { open, done, has_done_file, leftovers, reopened, namesakes }
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
        self.indices().map(|index| self.open.task(index))
    }

    /// The indices of [`Queue::tasks`] in the queue file.
    pub(crate) fn indices(&self) -> impl Iterator<Item = usize> {
        let mut leftovers = self.leftovers.iter().peekable();
        (0..self.open.len())
            .filter(move |index| leftovers.next_if(|leftover| *leftover == index).is_none())
    }

    /// The tasks of one file, as [`Queue::tasks`] or [`Queue::done_tasks`] have them, unread.
    pub fn list(&self, place: Place) -> impl Iterator<Item = Listed<'_>> {
        let (open, done) = match place {
            Place::Queue => (Some(self.indices()), 0..0),
            Place::Done => (None, 0..self.done.len()),
        };
        let indices = open.into_iter().flatten().chain(done);
        indices.map(move |index| Listed { queue: self, place, index })
    }

    /// These tasks of this queue, made for a look at each and not kept: what goes through a large file needs
    /// little memory, and less time.
    pub fn look_at<'q>(
        &'q self,
        tasks: impl IntoIterator<Item = Listed<'q>>,
    ) -> impl Iterator<Item = (Listed<'q>, Glance<'q>)> {
        let (mut open, mut done) = (self.open.glance(), self.done.glance());
        tasks.into_iter().map(move |listed| match listed.place {
            Place::Queue => (listed, open(listed.index)),
            Place::Done => (listed, done(listed.index)),
        })
    }

    /// The tasks of one file, as [`Self::list`] has them, and looked at like that.
    pub fn glances(&self, place: Place) -> impl Iterator<Item = Glance<'_>> {
        self.look_at(self.list(place)).map(|(_, task)| task)
    }

    /// The tasks of the queue file for who asks what holds them back: of those that say nothing of
    /// that only id and status are made.
    pub(crate) fn held(&self) -> impl Iterator<Item = Glance<'_>> {
        let mut glance = self.open.glance();
        self.indices().map(move |index| {
            if self.open.is_held(index) {
                return glance(index);
            }
            let bare = Task::plain(self.open.task_id(index), Cow::default());
            Task { status: self.open.status(index), ..bare }
        })
    }

    /// The tasks of both files, those of the queue file first.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Place, Listed<'_>)> {
        [Place::Queue, Place::Done]
            .into_iter()
            .flat_map(|place| self.list(place).map(move |listed| (place, listed)))
    }

    /// The tasks of the done file, in order.
    pub fn done_tasks(&self) -> Tasks<'_> {
        self.done.tasks()
    }

    /// Tasks that are in both files: finished in the done file, not yet gone from the queue file,
    /// after a crash or a merge. They count as finished, and the next edit removes the rest; what
    /// is new there in one that is finished, too, goes to the copy that stays.
    pub fn leftovers(&self) -> impl Iterator<Item = &TaskId> {
        self.leftovers.iter().map(|index| &self.open.task(*index).id)
    }

    /// Tasks that are in both files, and in the queue file not as a crash leaves them there: opened
    /// again by hand, as it seems. They count as open. That they are in the done file as well is an
    /// error, which a repair mends and no other edit.
    pub fn reopened(&self) -> impl Iterator<Item = &TaskId> {
        self.reopened.iter().map(|index| &self.open.task(*index).id)
    }

    /// Tasks of the queue file whose id is that of another task in the done file, as a merge may
    /// leave it. The next edit gives them other ids, unless it names them by that id.
    pub fn namesakes(&self) -> impl Iterator<Item = &TaskId> {
        self.namesakes.iter().map(|index| &self.open.task(*index).id)
    }

    pub(crate) fn namesake_indices(&self) -> &[usize] {
        &self.namesakes
    }

    pub(crate) fn leftover_indices(&self) -> &[usize] {
        &self.leftovers
    }

    /// The ids that several tasks have, of which one at least is open: nobody knows which of them is
    /// meant. Nothing is begun by such an id, and no edit made.
    pub fn ambiguous(&self) -> BTreeSet<TaskId> {
        let named = self.named().into_iter().filter(|(_, named)| named.is_ambiguous());
        named.filter_map(|(id, _)| id.parse().ok()).collect()
    }

    /// Rejected tasks whose id another task has that is open, as 0.4.0 and a merge may leave it: the
    /// id means the open one. The next edit gives them other ids.
    pub(crate) fn outranked(&self) -> Vec<(Place, usize)> {
        let tasks = || self.places().map(|(_, listed)| listed);
        let rejected: Vec<Listed<'_>> =
            tasks().filter(|listed| listed.status() == Status::Rejected).collect();
        if rejected.is_empty() {
            return Vec::new();
        }
        let open: Vec<Listed<'_>> =
            tasks().filter(|listed| !listed.status().is_terminal()).collect();
        // One kind is rare in most queues, and nearly all ids are of one task.
        let (few, many) =
            if rejected.len() < open.len() { (&rejected, &open) } else { (&open, &rejected) };
        let few: HashSet<&str> = few.iter().map(|listed| listed.id()).collect();
        let shared = many.iter().map(|listed| listed.id()).filter(|id| few.contains(id));
        let shared: HashSet<&str> = shared.collect();
        if shared.is_empty() {
            return Vec::new();
        }
        let mut open_by_id: HashMap<&str, Vec<&Task>> = HashMap::new();
        for listed in open.into_iter().filter(|listed| shared.contains(listed.id())) {
            open_by_id.entry(listed.id()).or_default().push(listed.task());
        }
        let is_outranked = |listed: &Listed<'_>| {
            let open = open_by_id.get(listed.id());
            open.is_some_and(|open| !open.iter().any(|open| open.is_version_of(listed.task())))
        };
        let outranked = rejected.into_iter().filter(is_outranked);
        outranked.map(|listed| (listed.place, listed.index)).collect()
    }

    /// Whether nothing has to be put in order before an edit.
    pub fn is_whole(&self) -> bool {
        self.leftovers.is_empty() && self.namesakes.is_empty() && self.outranked().is_empty()
    }

    /// What each id names, as [`Self::find`] has it.
    pub(crate) fn named(&self) -> HashMap<&str, Named> {
        let mut named: HashMap<&str, Named> = HashMap::with_capacity(self.open.len());
        for (place, listed) in self.places() {
            let status = listed.status();
            match named.entry(listed.id()) {
                Entry::Vacant(entry) => {
                    entry.insert(Named::of(status));
                }
                Entry::Occupied(mut entry) => entry.get_mut().add(place, status),
            }
        }
        for id in self.namesakes() {
            if let Some(named) = named.get_mut(id.as_str()) {
                named.is_shared = true;
            }
        }
        named
    }

    /// Where the tasks of each id are that is that of several which are not rejected: the file and
    /// the line.
    pub(crate) fn shared_lines(&self) -> HashMap<&str, Vec<(Place, usize)>> {
        let mut by_id: HashMap<&str, Vec<(Place, Listed<'_>)>> = HashMap::new();
        for (place, listed) in self.places() {
            if listed.status() != Status::Rejected {
                by_id.entry(listed.id()).or_default().push((place, listed));
            }
        }
        let [open, done] = [&self.open, &self.done].map(|document| Lines::new(document.text()));
        let line = |(place, listed): (Place, Listed<'_>)| {
            let lines = match place {
                Place::Queue => &open,
                Place::Done => &done,
            };
            (place, lines.position(listed.document().span(listed.index).start).0)
        };
        let shared = by_id.into_iter().filter(|(_, tasks)| tasks.len() > 1);
        shared.map(|(id, tasks)| (id, tasks.into_iter().map(line).collect())).collect()
    }

    /// The task with that id and the file it is in, as [`Self::with_id`] has it. Without one, the
    /// task that had that id before, if it is the only one: that is good for a look at it. Another
    /// task that is gone may have kept the id, so that nothing is done to a task by it.
    pub fn find<'q>(&'q self, id: &str) -> Option<(Place, &'q Task)> {
        self.with_id(id).or_else(|| self.with_former_id(id))
    }

    /// The task with that id and the file it is in; a task that is not rejected comes before one
    /// that is, then the queue file before the done file.
    pub fn with_id<'q>(&'q self, id: &str) -> Option<(Place, &'q Task)> {
        let mut found = self.places().filter(|(_, listed)| listed.id() == id);
        let read = |(place, listed): (Place, Listed<'q>)| (place, listed.task());
        let first = found.next()?;
        if first.1.status() != Status::Rejected {
            return Some(read(first));
        }
        let found = found.find(|(_, listed)| listed.status() != Status::Rejected);
        Some(read(found.unwrap_or(first)))
    }

    fn with_former_id(&self, id: &str) -> Option<(Place, &Task)> {
        let had_it = |task: &Task| task.former_ids().any(|old| old == id);
        let mut renamed = self.renamed().filter(|(_, task)| had_it(task));
        if let Some(one) = renamed.next() {
            // An id that several had before is nobody's.
            return renamed.all(|(_, task)| task.id == one.1.id).then_some(one);
        }
        let mut left = self.leftovers.iter().filter(|at| self.open.is_renamed(**at));
        let left = left.find(|at| had_it(self.open.task(**at)))?;
        self.find(self.open.id(*left))
    }

    /// The tasks that had other ids before, and the files they are in.
    pub fn renamed(&self) -> impl Iterator<Item = (Place, &Task)> {
        let renamed = self.places().filter(|(_, listed)| listed.is_renamed());
        renamed.map(|(place, listed)| (place, listed.task()))
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

    /// To ask of any task of this queue whether it can start now, and why not.
    pub fn readiness<'q, 's>(&'q self, selection: &'s Selection<'s>) -> Readiness<'q, 's> {
        Readiness::new(self, selection)
    }

    /// The task to work on next.
    pub fn next(&self, selection: &Selection<'_>) -> Option<&Task> {
        Readiness::new(self, selection).next()
    }

    /// The highest number that a task of either file has or had, rejected ones too, and the
    /// high-water mark of `ids`; the next task gets the one after.
    pub fn highest_number(&self, ids: &IdRules) -> u64 {
        ids.highest([&self.open, &self.done].into_iter().flat_map(Document::given_ids))
    }
}

/// What an id names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    /// Where the task stands that [`Queue::find`] finds.
    pub(crate) status: Status,
    /// Several have it that are not rejected.
    is_shared: bool,
    /// One that has it is open.
    is_open: bool,
}

impl Named {
    fn of(status: Status) -> Self {
        Self { status, is_shared: false, is_open: !status.is_terminal() }
    }

    /// Counts one more task that has the id.
    fn add(&mut self, place: Place, status: Status) {
        if self.status == Status::Rejected {
            self.status = status;
        } else if place == Place::Queue && status != Status::Rejected {
            // What both files have may be one task: see `Queue::namesakes`.
            self.is_shared = true;
        }
        self.is_open |= !status.is_terminal();
    }

    /// Whether nobody knows which task is meant, and it makes a difference.
    pub(crate) fn is_ambiguous(self) -> bool {
        self.is_shared && self.is_open
    }
}

pub(crate) fn revision(open: &Document, done: &Document) -> String {
    fingerprint(&format!("{}{}", open.fingerprint(), done.fingerprint()))
}

/// Which tasks of the queue file have an id that the done file has, too, as rising indices.
#[derive(Default)]
pub(crate) struct Shared {
    /// They are finished in the done file: a move was cut short, or one branch finished a task that
    /// another still worked on.
    pub(crate) leftovers: Vec<usize>,
    /// They are finished in the done file, and were changed here since.
    reopened: Vec<usize>,
    /// They are other tasks. Of rejected ones that have the same id, see [`Queue::outranked`].
    namesakes: Vec<usize>,
}

impl Shared {
    pub(crate) fn of(queue: &Document, done: &Document) -> Self {
        let mut shared = Self::default();
        let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(done.len());
        for index in 0..done.len() {
            let known = by_id.entry(done.id(index)).or_insert(index);
            if done.status(*known) == Status::Rejected {
                *known = index;
            }
        }
        if by_id.is_empty() {
            return shared;
        }
        for index in 0..queue.len() {
            let Some(at) = by_id.get(queue.id(index)) else { continue };
            let (task, done) = (queue.task(index), done.task(*at));
            if task.is_version_of(done) || task.has_ended_as(done) {
                if !done.status.is_terminal() {
                    continue;
                }
                let is_left = task.status.is_terminal() || task.is_rest_of(done);
                if is_left { &mut shared.leftovers } else { &mut shared.reopened }.push(index);
            } else if ![task.status, done.status].contains(&Status::Rejected) {
                shared.namesakes.push(index);
            }
        }
        shared
    }
}
