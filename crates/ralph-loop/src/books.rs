//! Bookkeeping: how a finished task gets into the queue files that land.

use std::path::{Path, PathBuf};

use ralph_config::QueueConfig;
use ralph_git::{GitError, Repo, Sha};
use ralph_queue::landing::{self, Notes, Outcome, TextError, Texts};
use ralph_queue::{Document, Finish, IdRules, Queue, Task};
use ralph_state::{TaskId, Timestamp};
use thiserror::Error;

/// Whether the queue files travel with the code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Books {
    /// The target branch holds them: a landing commit carries the edit.
    Tracked {
        /// The queue file, relative to the work tree.
        queue: PathBuf,
        /// The done file, relative to the work tree.
        done: PathBuf,
    },
    /// They are the user's alone (git-ignored, never committed, or elsewhere).
    Local,
}

/// Why the queue files could not be brought up to date.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BooksError {
    /// git could not say what the target holds.
    #[error("cannot read the queue of the target branch")]
    Git(#[from] GitError),
    /// The target's queue does not take the edit.
    #[error("cannot edit `{path}` of the target branch")]
    Edit {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: TextError,
    },
    /// The target's queue is not text.
    #[error("`{path}` of the target branch is not UTF-8")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The files could not be written into the workspace.
    #[error("cannot write the queue files of the workspace")]
    Write(#[from] std::io::Error),
}

impl Books {
    /// What `config` and the commit `at` say.
    ///
    /// # Errors
    /// When git cannot read the commit.
    pub fn at(repo: &Repo, config: &QueueConfig, at: &Sha) -> Result<Self, GitError> {
        let (Some(queue), Some(done)) =
            (inside(repo.root(), &config.file), inside(repo.root(), &config.done_file))
        else {
            return Ok(Self::Local);
        };
        Ok(match repo.read_blob(at.as_str(), &queue)? {
            Some(_) => Self::Tracked { queue, done },
            None => Self::Local,
        })
    }

    /// The files that belong to Ralph alone in a commit.
    pub fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Tracked { queue, done } => vec![queue.clone(), done.clone()],
            Self::Local => Vec::new(),
        }
    }
}

/// What became of the target's queue files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Booked {
    /// The task is done in them (or they are not tracked).
    Done,
    /// They already have the task as finished: someone else landed it.
    AlreadyFinished,
}

/// What is entered when a task lands.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The finished task.
    pub task: &'a Task,
    /// Tasks the agent added to the queue while it worked.
    pub follow_ups: &'a [Task],
    /// Notes the agent added to tasks that were there.
    pub notes: &'a Notes,
    /// When.
    pub now: Timestamp,
    /// A note for the task, such as the reason for no change.
    pub note: Option<&'a str>,
}

/// How entries are made.
#[derive(Clone, Debug)]
pub struct BookRules {
    /// What becomes of a finished task.
    pub finish: Finish,
    /// How new ids are made.
    pub ids: IdRules,
}

/// Enters a finished task into the queue files of the work tree, as an edit of
/// those that the commit `onto` has.
///
/// # Errors
/// When the target's files cannot be read, edited or written.
pub fn enter(
    repo: &Repo,
    books: &Books,
    onto: &Sha,
    rules: &BookRules,
    entry: &Entry<'_>,
) -> Result<Booked, BooksError> {
    let Books::Tracked { queue, done } = books else { return Ok(Booked::Done) };
    let queue_text = blob(repo, onto, queue)?.unwrap_or_default();
    let done_text = blob(repo, onto, done)?;
    let edit = |source| BooksError::Edit { path: queue.clone(), source };
    let before = Texts { queue: &queue_text, done: done_text.as_deref() };
    let finished = landing::finish_task(before, entry.task, rules.finish, entry.now, entry.note)
        .map_err(edit)?;
    if matches!(finished.outcome, Outcome::AlreadyFinished { .. }) {
        return Ok(Booked::AlreadyFinished);
    }
    let mut queue_new = finished.queue;
    if !entry.follow_ups.is_empty() {
        let after = Texts { queue: &queue_new, done: finished.done.as_deref() };
        let (text, _renumbered) =
            landing::adopt_tasks(after, entry.follow_ups, &rules.ids, entry.now).map_err(edit)?;
        queue_new = text;
    }
    let mut done_new = finished.done;
    if !entry.notes.is_empty() {
        let after = Texts { queue: &queue_new, done: done_new.as_deref() };
        (queue_new, done_new) = landing::add_notes(after, entry.notes, entry.now).map_err(edit)?;
    }
    write(&repo.root().join(queue), &queue_new)?;
    if let Some(done_new) = done_new {
        write(&repo.root().join(done), &done_new)?;
    }
    Ok(Booked::Done)
}

/// What the queue files of a commit say of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Entered {
    /// It is done or rejected in them.
    Finished(Box<Task>),
    /// It is not, as far as they can be read.
    Unfinished,
    /// The commit has no queue files.
    Nothing,
}

/// What the queue files of the commit `at` say of `task`.
///
/// # Errors
/// When git cannot read the commit.
pub fn entered(
    repo: &Repo,
    config: &QueueConfig,
    at: &Sha,
    task: &TaskId,
) -> Result<Entered, GitError> {
    let books = Books::at(repo, config, at)?;
    if books == Books::Local {
        return Ok(Entered::Nothing);
    }
    let finished = task_at(repo, &books, at, task)?.filter(|task| task.status.is_terminal());
    Ok(finished.map_or(Entered::Unfinished, |task| Entered::Finished(Box::new(task))))
}

/// The task with that id in the queue files of the commit `at`.
///
/// Files that cannot be read say nothing; landing has the word on them.
///
/// # Errors
/// When git cannot read the commit.
pub fn task_at(
    repo: &Repo,
    books: &Books,
    at: &Sha,
    task: &TaskId,
) -> Result<Option<Task>, GitError> {
    let Books::Tracked { queue, done } = books else { return Ok(None) };
    let read = |file| -> Result<Option<Document>, GitError> {
        let text = repo.read_blob(at.as_str(), file)?.and_then(|it| String::from_utf8(it).ok());
        Ok(text.and_then(|text| Document::parse(text).ok()))
    };
    let queue = Queue::new(read(queue)?.unwrap_or_else(Document::empty), read(done)?);
    let found = queue.find(task.as_str()).map(|(_, found)| found);
    Ok(found.filter(|found| found.id == *task).cloned())
}

/// The queue of the commit `at`, if it has one that can be read.
///
/// # Errors
/// When git cannot read the commit.
pub fn queue_at(repo: &Repo, config: &QueueConfig, at: &Sha) -> Result<Option<Queue>, GitError> {
    let Books::Tracked { queue, done } = Books::at(repo, config, at)? else { return Ok(None) };
    let parsed = |bytes| String::from_utf8(bytes).ok().and_then(|text| Document::parse(text).ok());
    let Some(queue) = repo.read_blob(at.as_str(), &queue)?.and_then(parsed) else {
        return Ok(None);
    };
    Ok(match repo.read_blob(at.as_str(), &done)?.map(parsed) {
        None => Some(Queue::new(queue, None)),
        Some(None) => None,
        Some(done) => Some(Queue::new(queue, done)),
    })
}

/// `task`, which the target did not have, with the id that it has or gets in the queue files of the
/// commit `onto`: see [`landing::under_own_id`].
///
/// # Errors
/// When the target's files cannot be read.
pub fn under_own_id(
    repo: &Repo,
    books: &Books,
    onto: &Sha,
    task: &Task,
    ids: &IdRules,
) -> Result<Task, BooksError> {
    let Books::Tracked { queue, done } = books else { return Ok(task.clone()) };
    let queue_text = blob(repo, onto, queue)?.unwrap_or_default();
    let done_text = blob(repo, onto, done)?;
    let texts = Texts { queue: &queue_text, done: done_text.as_deref() };
    landing::under_own_id(texts, task, ids)
        .map_err(|source| BooksError::Edit { path: queue.clone(), source })
}

/// The queue file of the commit `at` with `task`, which it does not have: what the agent that works
/// on it is shown. `None`: the commit has a task of that id, or no queue that can be read.
///
/// # Errors
/// When git cannot read the commit.
pub fn shown(
    repo: &Repo,
    books: &Books,
    at: &Sha,
    task: &Task,
    now: Timestamp,
) -> Result<Option<String>, GitError> {
    let Books::Tracked { queue, done } = books else { return Ok(None) };
    let text = |path: &Path| -> Result<Option<String>, GitError> {
        let bytes = repo.read_blob(at.as_str(), path)?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    };
    let (Some(queue), done) = (text(queue)?, text(done)?) else { return Ok(None) };
    let texts = Texts { queue: &queue, done: done.as_deref() };
    // Landing has the word on files that cannot be read.
    Ok(landing::with_task(texts, task, now).ok().flatten())
}

fn blob(repo: &Repo, at: &Sha, path: &Path) -> Result<Option<String>, BooksError> {
    let Some(bytes) = repo.read_blob(at.as_str(), path)? else { return Ok(None) };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(BooksError::NotText { path: path.to_owned() }),
    }
}

/// Not a durable write: the commit made from it is what lasts.
pub(crate) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    fs_err::write(path, text)
}

fn inside(root: &Path, file: &Path) -> Option<PathBuf> {
    if file.is_relative() {
        return Some(file.to_owned());
    }
    file.strip_prefix(root).ok().map(Path::to_owned)
}
