//! The two files on disk: read without a lock, edited under one.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ralph_state::file::{self, Durability, FileLock, Holder, LockError, ReplaceError, Saved};
use ralph_state::journal::JournalError;
use ralph_state::{Clock, SaveError, TaskId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::delta::{Touched, fingerprint};
use crate::document::{Document, ParseError, Reading, SpliceError, decode};
use crate::edit::{Edit, Spliced};
use crate::ids::{self, HeldMarks, OtherIds, ReserveError};
use crate::journal::{Answered, Entry, Operation, Origin, Request, Tail, Undone, Written};
use crate::mend::{Mended, Whole};
use crate::parts;
use crate::queue::{Place, Queue};
use crate::saves;
use crate::task::Task;
use crate::validate::{self, Bar, Problem, Rules, Severity};

/// Where a queue is on disk, and how it is edited.
///
/// Every edit holds the lock of the queue file, which stands for both files. The file that loses
/// tasks is written last: a crash between the two leaves a moved task in both, never in neither,
/// and the next edit removes the rest.
#[derive(Clone, Debug)]
pub struct QueueFiles {
    /// The queue file.
    pub queue: PathBuf,
    /// The done file.
    pub done: PathBuf,
    /// Who asks for the lock, for others to read.
    pub holder: Holder,
    /// What an edit may not break.
    pub rules: Rules,
    /// How long to wait for the lock.
    pub lock_wait: Duration,
    /// The lock of a 0.4.0 that may be running beside us.
    pub legacy_lock: Option<LegacyLock>,
    /// Where edits are written down to be undone, `.ralph/cache/queue-journal.jsonl`.
    pub journal: Option<PathBuf>,
    /// Where the highest ids are remembered: one file for all work trees of a repository.
    pub id_marks: Option<PathBuf>,
    /// Who knows of ids that were given elsewhere, asked as long as none are remembered.
    pub other_ids: Option<OtherIds>,
    /// On whose behalf the journal says that edits are made.
    pub origin: Origin,
    /// What is done about values of the wrong kind.
    pub values: WrongValues,
}

/// What is done about values of tasks that are of the wrong kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WrongValues {
    /// A file with one cannot be read.
    #[default]
    Refuse,
    /// The tasks that have one are read without it, and cannot be changed.
    Leave,
}

/// On what terms an edit is made, for callers that retry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Only if the queue still has this revision, see [`Queue::revision`].
    pub if_rev: Option<String>,
    /// Once under this name: asked again, the edit is not made again, and the answer is the
    /// first one. Needs a journal, and lasts as long as that remembers.
    pub request: Option<RequestName>,
}

impl Terms {
    /// Whether `queue` is the one that the caller has seen.
    fn heed<E>(&self, queue: &Queue) -> Result<(), UpdateError<E>> {
        let Some(expected) = &self.if_rev else { return Ok(()) };
        let found = queue.revision();
        if *expected == found {
            return Ok(());
        }
        Err(UpdateError::Stale { expected: expected.clone(), found })
    }
}

/// A name for what a caller asks for, that says whether the same is asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestName {
    id: String,
    /// Of all that was asked for.
    fingerprint: String,
}

impl RequestName {
    /// The name `id` for `asked`, all that decides what is done, in any words.
    pub fn new(id: impl Into<String>, asked: &str) -> Self {
        Self { id: id.into(), fingerprint: fingerprint(asked) }
    }

    /// The name as the caller gave it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same for what was asked for, and for nothing else that has the name.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// The directory that 0.4.0 makes while it changes a queue or runs.
#[derive(Clone)]
pub struct LegacyLock {
    /// Its path, `.ralph/lock`.
    pub directory: PathBuf,
    /// Whether a process with that number lives.
    pub is_alive: Arc<dyn Fn(u32) -> bool + Send + Sync>,
}

impl std::fmt::Debug for LegacyLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LegacyLock").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Why a queue could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no queue file; [`QueueFiles::init`] makes one. Or the queue or the done file is a
    /// link that leads to nothing.
    #[error("there is no queue file at `{}`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Both paths lead to one file: a task that moves would be gone.
    #[error("the queue file and the done file are one: `{}`", path.display())]
    OneFile {
        /// The done file.
        path: PathBuf,
    },
    /// The file is not what it should be.
    #[error("cannot read `{}`", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Which of the two.
        place: Place,
        /// What is wrong.
        source: ParseError,
    },
    /// It was replaced at every look, and the lock that would keep its writers away was not to be
    /// had.
    #[error("`{}` changes faster than it can be read", path.display())]
    Changing {
        /// The queue file.
        path: PathBuf,
        /// What became of the lock.
        source: LockError,
    },
    /// The file could not be read at all.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Why an edit was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The lock is held, or cannot be had.
    #[error("cannot lock the queue")]
    Lock(#[source] LockError),
    /// A Ralph 0.4.0 is changing the queue or running.
    #[error("process {pid} of an older Ralph holds `{}`", directory.display())]
    Legacy {
        /// Its lock.
        directory: PathBuf,
        /// Its process id.
        pid: u32,
        /// What it said about itself.
        label: Option<String>,
    },
    /// The queue could not be read.
    #[error("cannot load the queue")]
    Load(#[source] LoadError),
    /// The change itself was refused.
    #[error("the change was refused")]
    Refused(#[source] E),
    /// The change would break a rule that holds now.
    #[error("the change would make the queue invalid{}", told(problems))]
    Invalid {
        /// What would be wrong that is not so already.
        problems: Vec<Problem>,
    },
    /// The edited text does not say what was meant: a fault in this crate. Nothing was written.
    #[error("the edit cannot be written")]
    Splice(#[source] SpliceError),
    /// The queue is not the one that the caller has seen.
    #[error("the queue has revision `{found}`, not `{expected}`")]
    Stale {
        /// What the caller has seen.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Something else was asked for under that name before. Nothing is changed.
    #[error("the request `{id}` was another one, for `{operation}`")]
    OtherRequest {
        /// The name.
        id: String,
        /// The command that it was for.
        operation: String,
    },
    /// What was asked for under that name before was carried out, and undone since. Nothing is
    /// changed.
    #[error("the request `{id}` (`{operation}`) was carried out before, and undone since")]
    UndoneRequest {
        /// The name.
        id: String,
        /// The command that it was for.
        operation: String,
    },
    /// The edit could not be written down, and so was not made.
    #[error("cannot write down the change")]
    Journal(#[source] JournalError),
    /// The highest ids could not be read or written.
    #[error("cannot remember which ids are used")]
    IdMarks(#[source] SaveError),
    /// Nobody may write to the file, by its mode. That a new file could take its place, or that
    /// the superuser may all the same, does not count: somebody wants it to stay as it is.
    #[error("`{}` is read-only", path.display())]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// A file could not be written, or another program has written to it since it was read
    /// ([`ReplaceError::Changed`]): then the same edit may be made anew. When it is the queue file, a
    /// moved task may be in both files until the next edit.
    #[error("cannot save `{}`", path.display())]
    Save {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ReplaceError,
    },
}

/// How many problems there are, and the first of them.
fn told(problems: &[Problem]) -> String {
    let Some(Problem { message, task, .. }) = problems.first() else { return String::new() };
    let task = task.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
    match problems.len() {
        1 => format!(" (1 problem): {task}{message}"),
        count => format!(" ({count} problems): {task}{message}"),
    }
}

/// What an edit did.
#[derive(Debug)]
pub struct Edited<R> {
    /// What the change returned.
    pub value: R,
    /// How the queue file was saved.
    pub queue: Saved,
    /// How the done file was saved.
    pub done: Saved,
    /// The tasks it touched.
    pub tasks: Vec<Touched>,
    /// Those of them that were asked for: not what only had to be put in order.
    pub asked: Vec<Touched>,
    /// What had to be put in order first.
    pub mended: Mended,
    /// How many errors both files still have; none where nothing was written.
    pub errors: usize,
    /// The revision it led to.
    pub rev: String,
    /// Both files as they were under the lock.
    pub before: Queue,
    /// What was written of them.
    spliced: Spliced,
    /// Where a journal that could not be read was moved to, for this edit to be written down.
    pub set_aside: Option<PathBuf>,
    /// Whether it was made before, under the name of its request, and only told again.
    pub is_repeated: bool,
}

impl<R> Edited<R> {
    /// Both files as it left them, whatever has become of them since. Of one that is told again
    /// these are the files that were found.
    pub fn after(&self) -> Queue {
        after(&self.before, self.spliced.clone())
    }
}

/// Both files after a change.
fn after(before: &Queue, Spliced { queue, done }: Spliced) -> Queue {
    let done = done.or_else(|| before.has_done_file().then(|| before.done_document().clone()));
    Queue::new(queue.unwrap_or_else(|| before.document().clone()), done)
}

/// What an edit would do.
#[derive(Debug)]
pub struct Previewed<R> {
    /// What the change returned.
    pub value: R,
    /// Both files now.
    pub before: Queue,
    /// Both files after it.
    pub after: Queue,
    /// The tasks it touches.
    pub tasks: Vec<Touched>,
    /// Those of them that were asked for: not what only has to be put in order.
    pub asked: Vec<Touched>,
    /// What has to be put in order first.
    pub mended: Mended,
    /// How many errors both files have after it; none where nothing changes.
    pub errors: usize,
}

impl QueueFiles {
    /// Files at these paths, with the rules of 0.4.0, a wait of 10 seconds, and no look for a
    /// 0.4.0.
    pub fn new(queue: impl Into<PathBuf>, done: impl Into<PathBuf>, holder: Holder) -> Self {
        Self {
            queue: queue.into(),
            done: done.into(),
            holder,
            rules: Rules::default(),
            lock_wait: Duration::from_secs(10),
            legacy_lock: None,
            journal: None,
            id_marks: None,
            other_ids: None,
            origin: Origin::Asked,
            values: WrongValues::Refuse,
        }
    }

    /// The path of one of the files.
    pub fn path(&self, place: Place) -> &Path {
        match place {
            Place::Queue => &self.queue,
            Place::Done => &self.done,
        }
    }

    /// Writes an empty queue file unless there is one, which is [`Saved::Unchanged`].
    pub fn init(&self) -> Result<Saved, UpdateError<Infallible>> {
        let _lock = self.lock()?;
        if self.queue.try_exists().is_ok_and(|exists| exists) {
            return Ok(Saved::Unchanged);
        }
        self.save(Place::Queue, None, &Document::empty())
    }

    /// Reads both files; nothing is written. The lock is only waited for where the queue file is
    /// gone while somebody holds it, or has another identity at every look.
    ///
    /// Both are those of one moment, so that a task that moves meanwhile is seen in one of them
    /// or in both, which [`Queue::leftovers`] knows, but never in neither.
    pub fn load(&self) -> Result<Queue, LoadError> {
        self.load_for(Reading::AsNeeded)
    }

    /// [`Self::load`], for a reader who needs few tasks or all of them.
    pub fn load_for(&self, reading: Reading) -> Result<Queue, LoadError> {
        self.read_both(self.open_both()?, reading)
    }

    fn read_both(&self, (queue, done): Both, reading: Reading) -> Result<Queue, LoadError> {
        let queue = self.read(Place::Queue, &queue, reading)?;
        let done = done.map(|done| self.read(Place::Done, &done, reading)).transpose()?;
        Ok(Queue::new(queue, done))
    }

    /// Every problem of both files, also of those that [`Self::load`] cannot read.
    pub fn problems(&self) -> Result<Vec<Problem>, LoadError> {
        match self.load() {
            Err(LoadError::Parse { .. }) => {}
            loaded => return Ok(loaded?.validate(&self.rules)),
        }
        let (queue, done) = self.open_both()?;
        let queue = self.text(Place::Queue, &queue)?;
        let done = done.map(|done| self.text(Place::Done, &done)).transpose()?;
        Ok(validate::texts(&queue, done.as_deref(), &self.rules))
    }

    /// The values of both files that keep [`Self::load`] from reading the tasks that have them.
    pub fn unreadable_values(&self) -> Result<Vec<Problem>, LoadError> {
        let (queue, done) = self.open_both()?;
        let mut problems = Vec::new();
        for (place, file) in [(Place::Queue, Some(queue)), (Place::Done, done)] {
            let Some(file) = file else { continue };
            match Document::parse_leniently(self.text(place, &file)?, place) {
                Ok(read) => problems.extend(read.problems),
                Err(ParseError::Shape { problems: shape }) => problems.extend(shape),
                Err(source) => return Err(self.unreadable(place, source)),
            }
        }
        Ok(problems)
    }

    /// Both files as they are at one moment: a file is only ever replaced, so that an open one
    /// stays as it was.
    fn open_both(&self) -> Result<Both, LoadError> {
        self.open_both_by(is_at)
    }

    fn open_both_by(&self, is_at: IsAt) -> Result<Both, LoadError> {
        let open = || match self.open(Place::Queue)? {
            Some(queue) => Ok(queue),
            None => self.open_after_writer(),
        };
        if let Some(both) = self.look(open, is_at)? {
            return Ok(both);
        }
        let lock = FileLock::acquire(&self.lock_path(), &self.holder, self.lock_wait);
        let _lock =
            lock.map_err(|source| LoadError::Changing { path: self.queue.clone(), source })?;
        self.open_locked_by(is_at)
    }

    /// The same for one who holds the lock.
    fn open_locked(&self) -> Result<Both, LoadError> {
        self.open_locked_by(is_at)
    }

    fn open_locked_by(&self, is_at: IsAt) -> Result<Both, LoadError> {
        let open = || {
            let missing = || LoadError::Missing { path: self.queue.clone() };
            self.open(Place::Queue)?.ok_or_else(missing)
        };
        match self.look(open, is_at)? {
            Some(both) => Ok(both),
            // Some file systems number a file anew at each look. What no writer of ours can change
            // meanwhile is whole all the same.
            None => Ok((open()?, self.open(Place::Done)?)),
        }
    }

    /// Opens both files, until the queue file that was open all the while the done file was opened
    /// is in its place still: then they belong together.
    fn look(
        &self,
        open: impl Fn() -> Result<fs_err::File, LoadError>,
        is_at: IsAt,
    ) -> Result<Option<Both>, LoadError> {
        for _ in 0..LOOKS {
            let queue = open()?;
            let done = self.open(Place::Done)?;
            if is_at(&queue, &self.queue).map_err(|error| self.io(Place::Queue, error))? {
                return Ok(Some((queue, done)));
            }
        }
        Ok(None)
    }

    /// Opens a queue file that was not there when somebody held its lock: a fast-forward of the
    /// checkout takes the file away and writes it anew.
    fn open_after_writer(&self) -> Result<fs_err::File, LoadError> {
        let lock = file::sidecar_lock_path(&self.queue);
        if file::is_locked(&lock).unwrap_or(false) {
            // Whether it came free in time does not matter: the file is there or it is not.
            drop(FileLock::acquire(&lock, &self.holder, self.lock_wait));
        }
        self.open(Place::Queue)?.ok_or_else(|| LoadError::Missing { path: self.queue.clone() })
    }

    /// Locks, reads, lets `change` change, checks, writes down what changed, and writes it.
    ///
    /// A queue that has errors can be edited; an edit that would add one is refused. The clock is
    /// looked at under the lock: who was waited for has changed the queue before.
    pub fn edit<R, E>(
        &self,
        clock: &dyn Clock,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, E>,
    ) -> Result<Edited<R>, UpdateError<E>> {
        let locked = self.locked()?;
        let now = clock.now();
        let change = |before: &Queue, high| self.edited(before, now, high, change);
        locked.commit(now, self.origin, change, |_| None)
    }

    /// [`Self::edit`], made anew a few times where another program has written to a file meanwhile.
    pub fn edit_again<R, E>(
        &self,
        clock: &dyn Clock,
        mut change: impl FnMut(&mut Edit<'_>) -> Result<R, E>,
    ) -> Result<Edited<R>, UpdateError<E>> {
        for _ in 1..TRIES {
            match self.edit(clock, &mut change) {
                Err(UpdateError::Save { source: ReplaceError::Changed { .. }, .. }) => {}
                edited => return edited,
            }
        }
        self.edit(clock, change)
    }

    /// [`Self::edit`] on terms.
    pub fn edit_on<R: Serialize + DeserializeOwned, E>(
        &self,
        clock: &dyn Clock,
        terms: &Terms,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, E>,
    ) -> Result<Edited<R>, UpdateError<E>> {
        self.transact(clock, terms, |before, high, now| self.edited(before, now, high, change))
    }

    /// Whether [`Self::edit_on`] would answer without an edit, for a caller that looks at the queue
    /// before: what it asked for may be there, since it was done.
    pub fn is_answered(&self, terms: &Terms) -> Result<bool, UpdateError<Infallible>> {
        Ok(self.asked_before(terms)?.is_some())
    }

    /// What [`Self::edit_on`] would answer without an edit, for a caller whose answer also depends
    /// on what is not in the queue.
    pub fn answer<R: DeserializeOwned>(
        &self,
        terms: &Terms,
    ) -> Result<Option<R>, UpdateError<Infallible>> {
        let (Some(name), Some(found)) = (&terms.request, self.asked_before(terms)?) else {
            return Ok(None);
        };
        self.recalled(name, found).map(|(value, _)| Some(value))
    }

    fn asked_before(&self, terms: &Terms) -> Result<Option<Answered>, UpdateError<Infallible>> {
        let (Some(path), Some(request)) = (&self.journal, &terms.request) else {
            return Ok(None);
        };
        let queue = self.load().map_err(UpdateError::Load)?;
        let journal = Tail::read(path, &self.holder).map_err(UpdateError::Journal)?;
        Ok(journal.find_request(request.id(), &queue))
    }

    /// The answer to what was asked for under a name, if it is asked for again.
    fn recalled<R: DeserializeOwned, E>(
        &self,
        RequestName { id, fingerprint }: &RequestName,
        Answered { operation, request: Request { asked, reply, .. }, is_undone }: Answered,
    ) -> Result<(R, Operation), UpdateError<E>> {
        let is_same = asked == *fingerprint && operation.operation == self.holder.command;
        match serde_json::from_value(reply) {
            Ok(_) if is_same && is_undone => {
                Err(UpdateError::UndoneRequest { id: id.clone(), operation: operation.operation })
            }
            Ok(value) if is_same => Ok((value, operation)),
            _ => {
                let operation = operation.operation;
                Err(UpdateError::OtherRequest { id: id.clone(), operation })
            }
        }
    }

    /// What [`Self::edit`] would do; takes no lock and writes nothing.
    pub fn preview<R, E>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, E>,
    ) -> Result<Previewed<R>, UpdateError<E>> {
        self.preview_on(now, &Terms::default(), change)
    }

    /// What [`Self::edit_on`] would do, were it asked for the first time.
    pub fn preview_on<R, E>(
        &self,
        now: Timestamp,
        terms: &Terms,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, E>,
    ) -> Result<Previewed<R>, UpdateError<E>> {
        self.previewed(terms, |before, high| self.edited(before, now, high, change))
    }

    /// What [`Self::edit`] would do to this queue, were it in the files.
    pub fn preview_of<R, E>(
        &self,
        before: Queue,
        now: Timestamp,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, E>,
    ) -> Result<Previewed<R>, UpdateError<E>> {
        self.previewed_of(before, |before, high| self.edited(before, now, high, change))
    }

    /// The highest number of an id that any work tree of the repository has given, as far as it
    /// is remembered.
    pub fn high_water(&self) -> Result<u64, ralph_state::LoadError> {
        let Some(path) = &self.id_marks else { return Ok(0) };
        let mark = crate::ids::read_mark(path, &self.holder, &self.rules.ids)?;
        Ok(mark.unwrap_or_else(|| self.highest_without_mark()))
    }

    /// Lets nobody get the ids of `tasks` any more, which are to be added elsewhere. One of which
    /// `is_taken` says so, by the id and the highest number given out so far, gets another id
    /// first, and the others name it by that: nobody else has seen the one it had. `known` is a
    /// number that was given out, whatever is remembered.
    ///
    /// A crash wastes ids rather than give one twice.
    pub fn reserve(
        &self,
        tasks: &mut [Task],
        known: u64,
        is_taken: impl Fn(&TaskId, u64) -> bool,
    ) -> Result<(), ReserveError> {
        let marks = self.id_marks.as_ref();
        let marks = marks.map(|path| HeldMarks::lock(path, &self.holder, self.lock_wait));
        let mut marks = marks.transpose()?;
        if let Some(marks) = &mut marks {
            marks.suppose(&self.rules.ids, || self.highest_without_mark());
        }
        let mut ids = self.rules.ids.clone();
        let high = marks.as_ref().map_or(0, |marks| marks.mark(&ids)).max(known);
        ids.high_water = high.max(ids.high_water);
        let wanted: Vec<&TaskId> = tasks.iter().map(|task| &task.id).collect();
        let replaced = ids::replaced(&mut ids, &wanted, |id| is_taken(id, high))?;
        if let Some(marks) = &mut marks {
            marks.raise(&ids, ids.high_water)?;
        }
        for task in tasks {
            if let Some(id) = replaced.get(&task.id) {
                task.id = id.clone();
            }
            task.follow(&replaced);
        }
        Ok(())
    }

    pub(crate) fn transact<R: Serialize + DeserializeOwned, E>(
        &self,
        clock: &dyn Clock,
        terms: &Terms,
        change: impl FnOnce(&Queue, u64, Timestamp) -> Result<Proposal<R>, UpdateError<E>>,
    ) -> Result<Edited<R>, UpdateError<E>> {
        let locked = self.locked()?;
        let now = clock.now();
        if let Some(edited) = locked.recall(terms)? {
            return Ok(edited);
        }
        terms.heed(&locked.before)?;
        let change = |before: &Queue, high| change(before, high, now);
        locked.commit(now, self.origin, change, |value| {
            let RequestName { id, fingerprint } = terms.request.clone()?;
            Some(Request { id, asked: fingerprint, reply: serde_json::to_value(value).ok()? })
        })
    }

    pub(crate) fn previewed<R, E>(
        &self,
        terms: &Terms,
        change: impl FnOnce(&Queue, u64) -> Result<Proposal<R>, UpdateError<E>>,
    ) -> Result<Previewed<R>, UpdateError<E>> {
        let before = self.load_for(Reading::Checked).map_err(UpdateError::Load)?;
        terms.heed(&before)?;
        self.previewed_of(before, change)
    }

    pub(crate) fn previewed_of<R, E>(
        &self,
        before: Queue,
        change: impl FnOnce(&Queue, u64) -> Result<Proposal<R>, UpdateError<E>>,
    ) -> Result<Previewed<R>, UpdateError<E>> {
        let high = self.high_water().map_err(|error| UpdateError::IdMarks(error.into()))?;
        let Proposal { value, spliced, validity, mended, asked, .. } = change(&before, high)?;
        let Checked { tasks, errors } = self.check(&before, &spliced, validity)?;
        let asked = asked.unwrap_or_else(|| tasks.clone());
        Ok(Previewed {
            value,
            after: after(&before, spliced),
            before,
            tasks,
            asked,
            mended,
            errors,
        })
    }

    /// The change of a queue in order. What has to be put in order for that is part of the edit: it
    /// is not written when the change is refused.
    fn edited<R, E>(
        &self,
        before: &Queue,
        now: Timestamp,
        high_water: u64,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, E>,
    ) -> Result<Proposal<R>, UpdateError<E>> {
        let whole = Whole::of(before, &self.rules.ids, high_water).map_err(UpdateError::Splice)?;
        let mut edit =
            Edit::of_whole(before, whole.as_ref().map_or(before, |whole| &whole.queue), now);
        edit.raise_high_water(high_water);
        let value = change(&mut edit).map_err(UpdateError::Refused)?;
        let spliced = edit.splice().map_err(UpdateError::Splice)?;
        let validity = Validity::Needed(edit.bar());
        // What changes nothing puts nothing in order either, unless it was made for that.
        let is_idle = spliced.queue.is_none() && spliced.done.is_none();
        let is_for_order = edit.is_repair() || self.origin == Origin::Merge;
        let whole = whole.filter(|_| !is_idle || is_for_order);
        let proposal = match whole {
            None => Proposal::new(value, spliced),
            Some(whole) => Proposal::on(whole, value, spliced),
        };
        Ok(Proposal { validity, ..proposal })
    }

    /// See [`Self::known_of`].
    fn highest_without_mark(&self) -> u64 {
        let journal = self.journal.as_ref().and_then(|path| Tail::read(path, &self.holder).ok());
        self.known_of(journal.as_ref())
    }

    /// The highest number of an id that is known of where the record of used ids is lost, or not
    /// made yet: that of tasks that were deleted, which the journal has, and of other branches.
    fn known_of(&self, journal: Option<&Tail>) -> u64 {
        let ids = &self.rules.ids;
        let journal = journal.map_or(0, |journal| journal.highest(ids));
        self.other_ids.as_ref().map_or(0, |OtherIds(highest)| highest(ids)).max(journal)
    }

    fn locked<E>(&self) -> Result<Locked<'_>, UpdateError<E>> {
        if !self.queue.try_exists().unwrap_or(true) {
            return Err(UpdateError::Load(LoadError::Missing { path: self.queue.clone() }));
        }
        let lock = self.lock()?;
        let both = self.open_locked().map_err(UpdateError::Load)?;
        let before = self.read_both(both, Reading::Checked).map_err(UpdateError::Load)?;
        // Always after the lock of the queue, so that nobody waits in a circle.
        let marks = self.id_marks.as_ref().map(|path| {
            HeldMarks::lock(path, &self.holder, self.lock_wait).map_err(UpdateError::IdMarks)
        });
        let journal = self
            .journal
            .as_ref()
            .map(|path| Tail::read(path, &self.holder).map_err(UpdateError::Journal));
        let (mut marks, journal) = (marks.transpose()?, journal.transpose()?);
        if let Some(marks) = &mut marks {
            marks.suppose(&self.rules.ids, || self.known_of(journal.as_ref()));
        }
        Ok(Locked { files: self, before, marks, journal, _lock: lock })
    }

    /// What a change comes to, if it may be made.
    fn check<E>(
        &self,
        before: &Queue,
        after: &Spliced,
        validity: Validity,
    ) -> Result<Checked, UpdateError<E>> {
        let Spliced { queue, done } = after;
        if queue.is_none() && done.is_none() {
            return Ok(Checked::default());
        }
        let queue = queue.as_ref().unwrap_or(before.document());
        let done = done.as_ref().unwrap_or(before.done_document());
        let mut errors = 0;
        let bar = match validity {
            Validity::Needed(bar) => bar,
            Validity::AsItWas => Bar::Errors,
        };
        // What is wrong takes longer to tell than that something is.
        if !validate::is_free_of_errors(queue, done, &self.rules, bar) {
            let problems = validate::documents(queue, done, &self.rules);
            errors = problems.iter().filter(|it| it.severity == Severity::Error).count();
            // What was wrong before does not count.
            let added = match validity {
                Validity::Needed(bar) => {
                    validate::added_errors((before, &self.rules), ([queue, done], problems), bar)
                }
                Validity::AsItWas => Vec::new(),
            };
            if !added.is_empty() {
                return Err(UpdateError::Invalid { problems: added });
            }
        }
        Ok(Checked { tasks: after.touched(before), errors })
    }

    /// The lock file of the queue, for whoever wants to know who holds it.
    pub fn lock_path(&self) -> PathBuf {
        file::sidecar_lock_path(&self.queue)
    }

    fn lock<E>(&self) -> Result<FileLock, UpdateError<E>> {
        let lock = FileLock::acquire(&self.lock_path(), &self.holder, self.lock_wait)
            .map_err(UpdateError::Lock)?;
        if let Some(legacy) = &self.legacy_lock
            && let Some((pid, label)) = legacy.living_holder()
        {
            return Err(UpdateError::Legacy { directory: legacy.directory.clone(), pid, label });
        }
        Ok(lock)
    }

    fn open(&self, place: Place) -> Result<Option<fs_err::File>, LoadError> {
        let path = self.path(place);
        match file::check_regular(path).and_then(|()| fs_err::File::open(path)) {
            Ok(_) if place == Place::Done && self.is_one_file() => {
                Err(LoadError::OneFile { path: path.to_owned() })
            }
            Ok(file) => Ok(Some(file)),
            // What a link leads to may be away for a while, and is not to be made anew.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
                Err(LoadError::Missing { path: path.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io(place, error)),
        }
    }

    fn is_one_file(&self) -> bool {
        let [queue, done] = [&self.queue, &self.done].map(|path| fs_err::canonicalize(path).ok());
        queue.is_some() && queue == done
    }

    fn read(
        &self,
        place: Place,
        file: &fs_err::File,
        reading: Reading,
    ) -> Result<Document, LoadError> {
        let text = self.text(place, file)?;
        let document = match self.values {
            WrongValues::Refuse => Document::parse_for(text, place, reading),
            WrongValues::Leave => Document::parse_but_for_values(text, place, reading),
        };
        document.map_err(|source| self.unreadable(place, source))
    }

    fn text(&self, place: Place, file: &fs_err::File) -> Result<String, LoadError> {
        let bytes = parts::read(file).map_err(|error| self.io(place, error))?;
        decode(bytes).map_err(|source| self.unreadable(place, source))
    }

    fn unreadable(&self, place: Place, source: ParseError) -> LoadError {
        LoadError::Parse { path: self.path(place).to_owned(), place, source }
    }

    fn io(&self, place: Place, source: io::Error) -> LoadError {
        LoadError::Io { path: self.path(place).to_owned(), source }
    }

    /// Refuses to change a file that nobody may write to.
    fn writable<E>(&self, spliced: &Spliced) -> Result<(), UpdateError<E>> {
        for (place, document) in [(Place::Queue, &spliced.queue), (Place::Done, &spliced.done)] {
            let path = self.path(place);
            // What cannot be looked at, the save tells of.
            let is_read_only =
                || fs_err::metadata(path).is_ok_and(|it| it.permissions().readonly());
            if document.is_some() && is_read_only() {
                return Err(UpdateError::ReadOnly { path: path.to_owned() });
            }
        }
        Ok(())
    }

    /// Takes back what was saved before the other file could not be, the last first, so that a task
    /// that was to move is always in one of them. What cannot be put back, or was written to since,
    /// stays as a crash there would leave it. Whether nothing is left.
    fn put_back(&self, before: &Queue, changed: &[(Place, Cow<'_, Document>)]) -> bool {
        changed.iter().rev().all(|(place, saved)| match file_of(before, *place) {
            Some(old) => self.save::<Infallible>(*place, Some(saved), old).is_ok(),
            None => self.remove_new(*place, saved).unwrap_or(false),
        })
    }

    /// Removes a file that was not there before it was saved, unless somebody has written to it
    /// since. Whether it did.
    fn remove_new(&self, place: Place, saved: &Document) -> io::Result<bool> {
        let path = self.path(place);
        let is_ours = !path.is_symlink() && fs_err::read(path)? == saved.text().as_bytes();
        if is_ours {
            fs_err::remove_file(path)?;
        }
        Ok(is_ours)
    }

    /// Puts `document` in place of `old`, or where no file is.
    fn save<E>(
        &self,
        place: Place,
        old: Option<&Document>,
        document: &Document,
    ) -> Result<Saved, UpdateError<E>> {
        let path = self.path(place);
        let (old, new) = (old.map(|old| old.text().as_bytes()), document.text().as_bytes());
        file::replace_read(&self.queue, path, old, new, Durability::Full)
            .map_err(|source| UpdateError::Save { path: path.to_owned(), source })
    }
}

/// The file at `place`, if there is one.
fn file_of(queue: &Queue, place: Place) -> Option<&Document> {
    match place {
        Place::Queue => Some(queue.document()),
        Place::Done => queue.has_done_file().then(|| queue.done_document()),
    }
}

/// The queue file and the done file, if there is one, open.
type Both = (fs_err::File, Option<fs_err::File>);

/// How often a reader looks whether nobody has come in between.
const LOOKS: usize = 100;

/// How often an edit is made that another program comes in between of.
const TRIES: usize = 5;

/// See [`is_at`].
type IsAt = fn(&fs_err::File, &Path) -> io::Result<bool>;

/// Whether the file at `path` is this one.
fn is_at(file: &fs_err::File, path: &Path) -> io::Result<bool> {
    match fs_err::metadata(path) {
        Ok(there) => Ok(identity(&file.metadata()?) == identity(&there)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Tells a file from the one that takes its place.
#[cfg(unix)]
fn identity(file: &std::fs::Metadata) -> impl PartialEq {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

#[cfg(not(unix))]
fn identity(file: &std::fs::Metadata) -> impl PartialEq {
    (file.len(), file.modified().ok())
}

/// What a change comes to, before it is made.
pub(crate) struct Proposal<R> {
    pub(crate) value: R,
    pub(crate) spliced: Spliced,
    /// The operation that it takes back.
    pub(crate) undoes: Option<Undone>,
    pub(crate) validity: Validity,
    pub(crate) mended: Mended,
    /// What it does to tasks, if that is not all that is done to them.
    pub(crate) asked: Option<Vec<Touched>>,
}

impl<R> Proposal<R> {
    pub(crate) fn new(value: R, spliced: Spliced) -> Self {
        let validity = Validity::Needed(Bar::ErrorsAndControls);
        let mended = Mended::default();
        Self { value, spliced, undoes: None, validity, mended, asked: None }
    }

    /// A change of a queue that had to be put in order for it.
    pub(crate) fn on(whole: Whole, value: R, change: Spliced) -> Self {
        let asked = Some(change.touched(&whole.queue));
        let mended = whole.mended.clone();
        Self { mended, asked, ..Self::new(value, whole.with(change)) }
    }
}

/// Whether a change may add errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    Needed(Bar),
    /// It leads back to what was there, errors and all.
    AsItWas,
}

/// What is known of a change that may be made.
#[derive(Default)]
struct Checked {
    /// The tasks that it touches.
    tasks: Vec<Touched>,
    /// How many errors there are after it.
    errors: usize,
}

/// A queue that nobody else changes.
struct Locked<'a> {
    files: &'a QueueFiles,
    before: Queue,
    marks: Option<HeldMarks>,
    journal: Option<Tail>,
    _lock: FileLock,
}

impl Locked<'_> {
    /// The answer that a request got before.
    fn recall<R: DeserializeOwned, E>(
        &self,
        terms: &Terms,
    ) -> Result<Option<Edited<R>>, UpdateError<E>> {
        let Some(name) = &terms.request else { return Ok(None) };
        let found =
            self.journal.as_ref().and_then(|journal| journal.find_request(name.id(), &self.before));
        let Some(found) = found else { return Ok(None) };
        let (value, operation) = self.files.recalled(name, found)?;
        Ok(Some(Edited {
            value,
            queue: Saved::Unchanged,
            done: Saved::Unchanged,
            asked: operation.tasks.clone(),
            tasks: operation.tasks,
            mended: Mended::default(),
            errors: 0,
            rev: operation.rev,
            before: self.before.clone(),
            spliced: Spliced::default(),
            set_aside: None,
            is_repeated: true,
        }))
    }

    fn commit<R, E>(
        self,
        now: Timestamp,
        origin: Origin,
        change: impl FnOnce(&Queue, u64) -> Result<Proposal<R>, UpdateError<E>>,
        request: impl FnOnce(&R) -> Option<Request>,
    ) -> Result<Edited<R>, UpdateError<E>> {
        let Self { files, before, mut marks, journal, _lock } = self;
        let ids = &files.rules.ids;
        let high_water = marks.as_ref().map_or(0, |marks| marks.mark(ids));
        let Proposal { value, spliced, undoes, validity, mended, asked } =
            change(&before, high_water)?;
        let Checked { tasks, errors } = files.check(&before, &spliced, validity)?;
        files.writable(&spliced)?;
        if let Some(marks) = &mut marks {
            // What was there before counts as well: it may be gone now.
            let used = ids.highest(tasks.iter().map(|task| &task.id));
            marks.raise(ids, used.max(before.highest_number(ids))).map_err(UpdateError::IdMarks)?;
        }
        let request = request(&value);
        let in_order = saves::in_order(&before, &spliced).map_err(UpdateError::Splice)?;
        let written = match journal {
            Some(journal) if request.is_some() || spliced != Spliced::default() => {
                let (before, spliced, tasks) = (&before, &spliced, &tasks);
                let undoes = undoes.as_ref();
                let entry = Entry { before, spliced, tasks, undoes, request, origin };
                Some(journal.append(now, &files.queue, entry).map_err(UpdateError::Journal)?)
            }
            _ => None,
        };
        let [mut queue, mut done] = [Saved::Unchanged, Saved::Unchanged];
        let mut changed: Vec<(Place, Cow<'_, Document>)> = Vec::new();
        for (place, document) in in_order {
            let ours = changed.iter().rfind(|(saved, _)| *saved == place);
            let old = ours.map_or_else(|| file_of(&before, place), |(_, saved)| Some(&**saved));
            let saved = match files.save(place, old, &document) {
                Ok(saved) => saved,
                Err(error) => {
                    let is_undone = files.put_back(&before, &changed);
                    // What neither file has was not done, and there is nothing to undo of it.
                    if let Some(written) = written.filter(|_| is_undone) {
                        written.take_back();
                    }
                    return Err(error);
                }
            };
            changed.push((place, document));
            match place {
                Place::Queue => queue = saved,
                Place::Done => done = saved,
            }
        }
        let is_made = undoes.is_some_and(|it| it.made_done);
        if let Some(empty) = spliced.done.as_ref().filter(|it| is_made && **it == Document::empty())
        {
            // It says the same as none, and may stay where it cannot go.
            drop(files.remove_new(Place::Done, empty));
        }
        let (rev, set_aside) = match written {
            Some(Written { rev, set_aside, .. }) => (rev, set_aside),
            None => (spliced.revision_after(&before), None),
        };
        for (place, document) in [(Place::Queue, &spliced.queue), (Place::Done, &spliced.done)] {
            // A save does that itself.
            if document.is_none() {
                file::remove_leftovers(files.path(place));
            }
        }
        let asked = asked.unwrap_or_else(|| tasks.clone());
        Ok(Edited {
            value,
            queue,
            done,
            tasks,
            asked,
            mended,
            errors,
            rev,
            before,
            spliced,
            set_aside,
            is_repeated: false,
        })
    }
}

impl LegacyLock {
    /// The first owner that lives, with its label. A directory without a readable owner is what
    /// a crash of 0.4.0 leaves for ever, and holds nobody back here.
    pub fn living_holder(&self) -> Option<(u32, Option<String>)> {
        let entries = fs_err::read_dir(&self.directory).ok()?;
        let mut owners: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        owners.sort();
        owners.into_iter().find_map(|path| {
            let name = path.file_name()?.to_str()?;
            if name != "owner" && !name.starts_with("owner_task_") {
                return None;
            }
            let text = fs_err::read_to_string(&path).ok()?;
            let field = |key: &str| {
                text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()))
            };
            let pid = field("pid:")?.parse().ok()?;
            (self.is_alive)(pid).then(|| (pid, field("label:")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a file system that says of no file that it is the one that was opened.
    const ANEW: IsAt = |_, _| Ok(false);

    #[test]
    fn two_files_that_may_be_of_two_moments_are_only_read_where_nobody_can_write_them() {
        let root = tempfile::tempdir().unwrap();
        let holder = Holder {
            pid: 1,
            host: "here".to_owned(),
            command: "test".to_owned(),
            since: "2026-04-22T12:00:00Z".parse().unwrap(),
        };
        let [queue, done] = ["queue.jsonc", "done.jsonc"].map(|name| root.path().join(name));
        let files = QueueFiles {
            lock_wait: Duration::ZERO,
            ..QueueFiles::new(queue, done, holder.clone())
        };
        files.init().unwrap();
        assert!(files.open_both_by(ANEW).is_ok());
        let lock = FileLock::acquire(&files.lock_path(), &holder, Duration::ZERO).unwrap();
        assert!(matches!(files.open_both_by(ANEW), Err(LoadError::Changing { .. })));
        assert!(files.open_locked_by(ANEW).is_ok(), "by who has the lock");
        assert!(files.open_both().is_ok(), "where it can be told");
        drop(lock);
    }
}
