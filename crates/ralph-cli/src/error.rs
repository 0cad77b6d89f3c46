//! What can go wrong as the user sees it: the one place that chooses exit
//! codes, hints and the `code` words of `--json`.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ralph_config::trust::TrustError;
use ralph_config::{ConfigError, Place, Violation};
use ralph_queue::journal::{ChangesError, UndoError};
use ralph_queue::lease::LeaseError;
use ralph_queue::runnability::Reason;
use ralph_queue::search::PatternError;
use ralph_queue::settle::SettleError;
use ralph_queue::{self as queue, EditError, ParseError, Problem, Status};
use ralph_state::document::{DecodeError, Document as _};
use ralph_state::file::{Holder, LockError, ReplaceError};
use ralph_state::journal::JournalError;
use ralph_state::{self as state, ParallelStateFile, TaskId};
use serde_json::Value;

use crate::commands::run::setup::flag_of;
use crate::hint::{Hint, Next};
use crate::render::shell_word;
use crate::render::task::{advice, parted, reason};

/// How the process ends. The numbers are a contract with scripts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, also when there was nothing to do.
    Done = 0,
    /// The work failed: a task, a gate, a worker that did not land; or the
    /// machine did not let Ralph do it.
    Failed = 1,
    /// Wrong usage: the command line asks for something that does not exist.
    Usage = 2,
    /// Refused: invalid, corrupt, untrusted or newer file; dirty tree.
    Refused = 3,
    /// Busy: another process holds what is needed.
    Busy = 4,
    /// Stopped by a limit: budget, time, rate limit.
    Limited = 5,
    /// SIGINT: stopped cleanly, state saved.
    Interrupted = 130,
    /// SIGTERM: stopped cleanly, state saved.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The class of a failure. Each has its word in JSON and its exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ErrorKind {
    /// The reader of our output went away. Not an error to the user.
    BrokenPipe,
    /// A task, a gate or a worker failed.
    Failed,
    /// The operating system refused a read, a write or a start.
    Io,
    Usage,
    /// The named task, runner or profile does not exist.
    NotFound,
    /// The list no longer has the place to go on at.
    CursorGone,
    /// The request does not fit what is there, such as finishing a draft.
    Refused,
    /// Somebody else may have the task by now.
    ClaimLost,
    /// A file reads, but breaks a rule of its format.
    Invalid,
    /// A file cannot be read as what it should be.
    Corrupt,
    /// A file was written by a newer Ralph.
    Newer,
    /// A file or program that is needed is not there.
    Missing,
    /// The repository's configuration runs programs and is not trusted.
    Untrusted,
    DirtyTree,
    NotARepository,
    /// Another process holds what is needed.
    Busy,
    /// What is to be changed is not as the caller has seen it.
    Conflict,
    /// Something else was asked for under the name of this request.
    RequestReused,
    Interrupted,
    Terminated,
}

impl ErrorKind {
    pub(crate) const fn exit(self) -> Exit {
        match self {
            Self::BrokenPipe => Exit::Done,
            Self::Failed | Self::Io => Exit::Failed,
            Self::Usage | Self::NotFound | Self::CursorGone => Exit::Usage,
            Self::Refused
            | Self::ClaimLost
            | Self::RequestReused
            | Self::Invalid
            | Self::Corrupt
            | Self::Newer
            | Self::Missing
            | Self::Untrusted
            | Self::DirtyTree
            | Self::NotARepository => Exit::Refused,
            Self::Busy | Self::Conflict => Exit::Busy,
            Self::Interrupted => Exit::Interrupted,
            Self::Terminated => Exit::Terminated,
        }
    }

    /// The word for it in `--json`. A contract with scripts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BrokenPipe => "broken_pipe",
            Self::Failed => "failed",
            Self::Io => "io",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::CursorGone => "cursor_gone",
            Self::Refused => "refused",
            Self::ClaimLost => "claim_lost",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Newer => "newer",
            Self::Missing => "missing",
            Self::Untrusted => "untrusted",
            Self::DirtyTree => "dirty_tree",
            Self::NotARepository => "not_a_repository",
            Self::Busy => "busy",
            Self::Conflict => "conflict",
            Self::RequestReused => "request_reused",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// Whether the same command may succeed later: as it stands, or with what is there now after a
    /// conflict.
    pub(crate) const fn is_retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Conflict | Self::Interrupted | Self::Terminated)
    }
}

/// A failure on its way to the user: what, where, and what to do next.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) kind: ErrorKind,
    source: Box<dyn Error + Send + Sync>,
    hints: Vec<String>,
    next: Option<Next>,
    similar: Vec<String>,
    bad: Vec<Value>,
    path: Option<PathBuf>,
}

impl CliError {
    /// `source` is an error of a library, or a sentence fragment of our own.
    pub(crate) fn new(kind: ErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            source: source.into(),
            hints: Vec::new(),
            next: None,
            similar: Vec::new(),
            bad: Vec::new(),
            path: None,
        }
    }

    fn about(
        kind: ErrorKind,
        path: Option<PathBuf>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { path, ..Self::new(kind, source) }
    }

    /// Puts a sentence about what was attempted before the cause.
    pub(crate) fn context(self, message: impl Into<String>) -> Self {
        Self { source: Box::new(Attempt { message: message.into(), source: self.source }), ..self }
    }

    /// The same failure as one of another kind.
    pub(crate) fn because(self, kind: ErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// The same for who named the repository to work in.
    pub(crate) fn in_repo(mut self, directory: &Path) -> Self {
        self.next = self.next.and_then(|next| next.in_repo(directory));
        self
    }

    /// Says what to do next. Commands stand in backticks; the first one stated as [`Next`] is the
    /// next one for scripts.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<Hint>) -> Self {
        let Hint { text, next } = hint.into();
        self.hints.push(text);
        self.next = self.next.or(next);
        self
    }

    /// Says another thing to do next instead.
    #[must_use]
    pub(crate) fn instead(self, hint: impl Into<Hint>) -> Self {
        Self { hints: Vec::new(), next: None, ..self }.hint(hint)
    }

    /// Names the file it is about, for scripts.
    #[must_use]
    pub(crate) fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Names what may have been meant instead.
    #[must_use]
    pub(crate) fn similar(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.similar.extend(ids);
        self
    }

    /// Names the task that had the id before that was asked for.
    #[must_use]
    pub(crate) fn renumbered(self, now: &TaskId) -> Self {
        let hint = format!("`{now}` had that id, and perhaps one that is gone; {{}} shows it.");
        self.hint(Next::show(now).within(&hint)).similar([now.to_string()])
    }

    /// Names the rows that are none, for scripts.
    #[must_use]
    pub(crate) fn bad(mut self, rows: impl IntoIterator<Item = Value>) -> Self {
        self.bad.extend(rows);
        self
    }

    pub(crate) fn bad_rows(&self) -> &[Value] {
        &self.bad
    }

    pub(crate) fn similar_names(&self) -> &[String] {
        &self.similar
    }

    pub(crate) const fn next(&self) -> Option<&Next> {
        self.next.as_ref()
    }

    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// That a task cannot start, why, and what to do about it.
    pub(crate) fn not_startable(task: &TaskId, reasons: &[Reason]) -> Self {
        let why = reasons.iter().map(reason).collect::<Vec<_>>().join("; ");
        let error = Self::new(ErrorKind::Refused, format!("task `{task}` {why}"));
        match reasons.iter().find_map(|reason| advice(reason, task)) {
            Some(advice) => error.hint(advice),
            None if reasons.contains(&Reason::Underway) => {
                error.hint(Next::PARALLEL_STATUS.within("{} shows who works on it."))
            }
            None => error.hint(Next::EXPLAIN.within("{} shows which tasks can start.")),
        }
    }

    /// The message and its causes, outermost first.
    pub(crate) fn chain(&self) -> Vec<String> {
        let mut chain = Vec::new();
        let mut next: Option<&(dyn Error + 'static)> = Some(self.source.as_ref());
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        chain
    }
}

#[derive(Debug)]
struct Attempt {
    message: String,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Attempt {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

pub(crate) const NEWER: &str =
    "Use the Ralph that wrote it, or a newer one; the file is untouched.";

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let is_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Self::new(if is_pipe { ErrorKind::BrokenPipe } else { ErrorKind::Io }, error)
    }
}

impl From<Infallible> for CliError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<ReplaceError> for CliError {
    fn from(error: ReplaceError) -> Self {
        if let ReplaceError::Changed { path } = &error {
            return Self::about(ErrorKind::Busy, Some(path.clone()), error.to_string())
                .hint("What it wrote is kept. Repeat the command.");
        }
        let (path, hint) = match &error {
            ReplaceError::NotAFile { path } => (Some(path), "Move away what is there."),
            ReplaceError::ReadOnlyDirectory { path, source }
                if source.kind() == io::ErrorKind::ReadOnlyFilesystem =>
            {
                (Some(path), "The file system is read-only; mount it writable. Nothing changed.")
            }
            ReplaceError::MountPoint { path, .. } => {
                (Some(path), "Mount its directory instead of the file; the old file is untouched.")
            }
            ReplaceError::ReadOnlyDirectory { path, .. } => {
                (Some(path), "Make the directory writable; the old file is untouched.")
            }
            ReplaceError::NoSpace { path, .. } => {
                (Some(path), "Make room on the disk; the old file is untouched.")
            }
            ReplaceError::Io { path, .. } => (Some(path), "The old file is untouched."),
            _ => (None, "The old file is untouched."),
        };
        Self::about(ErrorKind::Io, path.cloned(), error).hint(hint)
    }
}

/// A holder as a person reads it.
pub(crate) fn by(Holder { pid, host, command, since }: &Holder) -> String {
    format!("process {pid} on {host} (`{command}`, since {since})")
}

/// Whether the process that says to hold a lock is known to be gone: it was of this host.
pub(crate) fn is_dead(holder: &Holder) -> bool {
    holder.host == ralph_process::host_name() && ralph_process::identity_of(holder.pid).is_none()
}

/// That a lock is held, as far as it is known by whom: who took it last may be dead, and another
/// one hold it who did not say so.
pub(crate) fn held(lock: impl fmt::Display, last: Option<&Holder>) -> String {
    match last {
        Some(last) if is_dead(last) => {
            format!("another process holds `{lock}`, last taken by {}", by(last))
        }
        Some(last) => format!("{} holds `{lock}`", by(last)),
        None => format!("another process holds `{lock}`"),
    }
}

/// What to do about a file that the system does not let Ralph use, where its reason says so.
pub(crate) fn mend(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("Make the file and its directory writable for you, then repeat.")
        }
        io::ErrorKind::NotADirectory => {
            Some("Move away the file that is where a directory of this path should be.")
        }
        _ => None,
    }
}

impl From<LockError> for CliError {
    fn from(error: LockError) -> Self {
        let path = match &error {
            LockError::Held { path, .. }
            | LockError::Unsupported { path, .. }
            | LockError::ReadOnly { path, .. }
            | LockError::Io { path, .. } => Some(path.clone()),
            _ => None,
        };
        match &error {
            LockError::Held { path: lock, holder, .. } => {
                let message = held(lock.display(), holder.as_ref());
                Self::about(ErrorKind::Busy, path, message)
                    .hint("Wait until it is done. A lock whose holder died is free by itself.")
            }
            LockError::Io { source, .. } | LockError::ReadOnly { source, .. } => {
                let hint = mend(source);
                let error = Self::about(ErrorKind::Io, path, error);
                hint.into_iter().fold(error, Self::hint)
            }
            LockError::Unsupported { .. } => Self::about(ErrorKind::Io, path, error)
                .hint("Keep the repository on a file system with locks."),
            _ => Self::about(ErrorKind::Io, path, error),
        }
    }
}

impl From<queue::LoadError> for CliError {
    fn from(error: queue::LoadError) -> Self {
        use queue::LoadError::{Changing, Io, Missing, OneFile, Parse};
        let (kind, path, hint) = match &error {
            Changing { path, .. } => {
                let hint = "Repeat the command when nothing changes it any more.";
                (ErrorKind::Busy, path, hint.into())
            }
            Missing { path } => (ErrorKind::Missing, path, Next::INIT.within("{} makes one.")),
            OneFile { path } => {
                let hint = "Set `queue.file` and `queue.done_file` to two files.";
                (ErrorKind::Invalid, path, hint.into())
            }
            Parse { path, source, .. } => {
                let (kind, hint) = match source {
                    ParseError::Newer { .. } => (ErrorKind::Newer, NEWER.into()),
                    ParseError::Shape { .. } => {
                        let hint = Next::VALIDATE.within("Correct the fields named, then run {}.");
                        (ErrorKind::Invalid, hint)
                    }
                    ParseError::ConflictMarkers { .. } => {
                        let hint = Next::FORETELL_RESOLVE.within("{} shows what becomes of it.");
                        (ErrorKind::Corrupt, hint)
                    }
                    _ => (ErrorKind::Corrupt, "Correct it by hand.".into()),
                };
                (kind, path, hint)
            }
            Io { path, .. } => (ErrorKind::Io, path, "Check what is there.".into()),
            _ => return Self::new(ErrorKind::Io, error),
        };
        Self::about(kind, Some(path.clone()), error).hint(hint)
    }
}

impl<E: Into<CliError>> From<queue::UpdateError<E>> for CliError {
    fn from(error: queue::UpdateError<E>) -> Self {
        use queue::UpdateError;
        match error {
            UpdateError::Lock(error @ LockError::Held { .. }) => Self::from(error)
                .context("cannot change the queue")
                .hint(Next::UNLOCK.within("{} tells whether it is still held.")),
            UpdateError::Lock(error) => Self::from(error).context("cannot change the queue"),
            UpdateError::Legacy { directory, pid, label } => {
                let label = label.map(|label| format!(" ({label})")).unwrap_or_default();
                let by = format!("process {pid} of an older Ralph{label} holds the queue");
                Self::about(ErrorKind::Busy, Some(directory), by).hint("Wait until it is done.")
            }
            UpdateError::Load(error) => error.into(),
            UpdateError::Refused(error) => error.into(),
            UpdateError::Invalid { problems } => {
                let problems: Vec<String> = problems.iter().map(problem_line).collect();
                Self::new(ErrorKind::Refused, problems.join("\n"))
                    .context("the change would make the queue invalid")
                    .hint("Nothing was changed. Give other values and repeat the command.")
            }
            UpdateError::Stale { .. } => {
                let hint = Next::REVISION.within(
                    "{} tells its `rev` now; look at it, then repeat the command with that.",
                );
                Self::new(ErrorKind::Conflict, error.to_string()).hint(hint)
            }
            UpdateError::OtherRequest { .. } => {
                Self::new(ErrorKind::RequestReused, error.to_string())
                    .hint("Nothing was changed. Give every request a name of its own.")
            }
            UpdateError::UndoneRequest { .. } => Self::new(ErrorKind::Refused, error.to_string())
                .hint(Next::UNDOABLE.within(
                "Nothing was changed. {} shows it; ask under another name to have it done anew.",
            )),
            UpdateError::Journal(error) => Self::from(error).context("the queue was not changed"),
            UpdateError::IdMarks(error) => Self::from(error).context("the queue was not changed"),
            UpdateError::ReadOnly { path } => {
                let shown = path.display();
                let message = format!("`{shown}` is read-only");
                let word = shell_word(&path);
                let hint = format!("If it may change, make it writable: `chmod u+w {word}`.");
                Self::about(ErrorKind::Refused, Some(path), message)
                    .context("the queue was not changed")
                    .hint(hint)
            }
            UpdateError::Save { source, .. } => {
                Self::from(source).context("cannot change the queue")
            }
            UpdateError::Splice(error) => Self::new(ErrorKind::Failed, error)
                .context("the queue was not changed")
                .hint("This is a fault in Ralph; please report it with your queue file."),
            _ => Self::new(ErrorKind::Failed, "the queue was not changed"),
        }
    }
}

/// A problem with the task it is about in front.
pub(crate) fn problem_line(problem: &Problem) -> String {
    let task = problem.task.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
    format!("{task}{problem}")
}

impl From<EditError> for CliError {
    fn from(error: EditError) -> Self {
        let (kind, hint) = match &error {
            EditError::NotFound { .. } => (ErrorKind::NotFound, None),
            EditError::AmbiguousId { .. } => (ErrorKind::Refused, Some(parted())),
            EditError::Archived { id, .. } => {
                let hint = Next::show(id).within(&format!(
                    "{{}} shows it; `ralph task clone {id} --status todo` makes a new task of it."
                ));
                (ErrorKind::Refused, Some(hint))
            }
            EditError::InDoneFile { .. } => {
                let hint = Next::PRUNE.within("{} shows what can be removed from there.");
                (ErrorKind::Refused, Some(hint))
            }
            EditError::WrongStatus { operation: "archive", .. } => {
                let hint = Next::ENDED_TASKS.within(
                    "Only a task that has ended is archived: leave this one out, or pass over it \
                     with `--continue-on-error`. {} shows those that can be.",
                );
                (ErrorKind::Refused, Some(hint))
            }
            // Somebody may be at it.
            EditError::WrongStatus { id, status: Status::Doing, .. } => {
                let hint = Next::show(id).within(&format!(
                    "It is being worked on, {{}} shows it; `ralph task status todo {id}` puts it \
                     back."
                ));
                (ErrorKind::Refused, Some(hint))
            }
            EditError::WrongStatus { id, operation, status, .. } => {
                let then = if *operation == "ready" { "" } else { "; then repeat the command" };
                let reopen = Next::reopen(id);
                // What has ended was meant to.
                let hint = if status.is_terminal() {
                    let hint = format!("{{}} shows it; `{reopen}` opens it again{then}.");
                    Next::show(id).within(&hint)
                } else {
                    reopen.within(&format!("{{}} makes it todo{then}."))
                };
                (ErrorKind::Refused, Some(hint))
            }
            EditError::Field { id, .. } => {
                let hint = Next::show(id).within("Nothing was changed; {} shows the task.");
                (ErrorKind::Usage, Some(hint))
            }
            EditError::ChangedSince { id, .. } => {
                let hint = Next::show(id).within("Read it again with {}.");
                (ErrorKind::Conflict, Some(hint))
            }
            EditError::Referenced { id, by } => (
                ErrorKind::Refused,
                by.first().map(|first| {
                    Next::show(first).within(&format!(
                        "Delete them too, or change what they say: {{}} and `ralph task edit FIELD \
                         VALUE {first}`. What the done file has stays as it is: `ralph task reject \
                         {id}` ends the task instead."
                    ))
                }),
            ),
            EditError::IdTaken { id } => {
                let hint = Next::show(id).within("{} shows who has it.");
                (ErrorKind::Refused, Some(hint))
            }
            EditError::IdSpent { .. } => {
                let hint = "`--on-duplicate rename` gives the task an id of its own.";
                (ErrorKind::Refused, Some(hint.into()))
            }
            EditError::NoIdLeft => {
                let hint = "Set a lower one where it stands: the `id` of a task in the queue files, or \
                            `ralph/ids.json` in git's directory.";
                (ErrorKind::Refused, Some(hint.into()))
            }
            _ => (ErrorKind::Refused, None),
        };
        hint.into_iter().fold(Self::new(kind, error), Self::hint)
    }
}

impl From<PatternError> for CliError {
    fn from(error: PatternError) -> Self {
        Self::new(ErrorKind::Usage, error)
    }
}

impl From<LeaseError> for CliError {
    fn from(error: LeaseError) -> Self {
        let (kind, hint) = match &error {
            LeaseError::Held { .. } => (
                ErrorKind::Busy,
                Next::READY.within(
                    "If the claim is yours, add `--claim TOKEN`; else leave the task alone: {} \
                     shows the others.",
                ),
            ),
            LeaseError::Lost(_) => (
                ErrorKind::ClaimLost,
                Next::CLAIM_NEXT.within(
                    "Stop working on its task: somebody else may have it. {} gets another.",
                ),
            ),
            LeaseError::Finished { .. } => {
                (ErrorKind::ClaimLost, Next::CLAIM_NEXT.within("{} gets another."))
            }
            LeaseError::Renumbered { now, .. } => (
                ErrorKind::Refused,
                Next::show(now).within("{} shows its task: go on with that id and the same token."),
            ),
            LeaseError::Other { own, .. } => (
                ErrorKind::Refused,
                Next::show(own).within("{} shows its task; leave `--claim` out to change the other."),
            ),
            LeaseError::Untold { .. } => (
                ErrorKind::ClaimLost,
                Next::CLAIM_NEXT.within(
                    "Write under this claim where its task is, on another branch or in another work \
                     tree; {} gets another.",
                ),
            ),
            LeaseError::Unknown { .. } => (
                ErrorKind::NotFound,
                Next::READY.within(
                    "Give the token as it was printed; {} shows what is claimed, and by whom.",
                ),
            ),
            LeaseError::NotFound { .. } => {
                (ErrorKind::NotFound, Next::READY.within("{} shows what can start."))
            }
            LeaseError::TooLong { .. } => (ErrorKind::Usage, "Give a shorter `--ttl`.".into()),
            _ => (ErrorKind::Refused, Next::READY.within("{} shows what can start.")),
        };
        let reasons = match &error {
            LeaseError::NotReady { reasons, .. } => reasons.as_slice(),
            _ => &[],
        };
        let why: Vec<String> = reasons.iter().map(reason).collect();
        if why.is_empty() {
            return Self::new(kind, error).hint(hint);
        }
        let advice = match &error {
            LeaseError::NotReady { task, reasons } => {
                reasons.iter().find_map(|reason| advice(reason, task))
            }
            _ => None,
        };
        let why = format!("it {}", why.join("; "));
        let hint = advice.unwrap_or(hint);
        Self::new(kind, why).context(error.to_string()).hint(hint)
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        let error = match error {
            JournalError::Lock(error) => return error.into(),
            JournalError::Replace(error) => return error.into(),
            error => error,
        };
        let path = match &error {
            JournalError::Header { path, .. } | JournalError::Io { path, .. } => Some(path.clone()),
            _ => None,
        };
        let kind = match &error {
            JournalError::Header { source: DecodeError::Newer { .. }, .. } => ErrorKind::Newer,
            JournalError::Header { .. } => ErrorKind::Corrupt,
            _ => ErrorKind::Io,
        };
        let hint = match &error {
            JournalError::Header { source: DecodeError::Newer { .. }, .. } => Some(NEWER),
            JournalError::Header { .. } => Some(
                "Only undo needs it. The next change of the queue keeps it as it is beside a new one.",
            ),
            JournalError::Io { source, .. } => mend(source),
            _ => None,
        };
        Self::about(kind, path, error)
            .hint(hint.unwrap_or("Move the journal away; undo and `--request-id` begin anew then."))
    }
}

impl From<UndoError> for CliError {
    fn from(error: UndoError) -> Self {
        match error {
            UndoError::Journal(error) => error.into(),
            UndoError::Unknown { .. } => {
                Self::new(ErrorKind::NotFound, error).hint(Next::UNDOABLE.within("{} shows them."))
            }
            UndoError::Nothing { .. } | UndoError::NotUndone { .. } => {
                Self::new(ErrorKind::Refused, error)
                    .hint(Next::UNDOABLE.within("{} shows what was done and undone."))
            }
            UndoError::AlreadyUndone { .. } => Self::new(ErrorKind::Refused, error)
                .hint(Next::REDO.within("{} shows what would come back.")),
            UndoError::EditedSince { id, .. } => Self::new(ErrorKind::Refused, error).hint(
                Next::foretell_redo(id)
                    .within("{} shows what it would do again; without `--dry-run` it does."),
            ),
            UndoError::NotAsked { .. } => Self::new(ErrorKind::Refused, error)
                .hint("The next change would do it again. `--force` undoes it all the same."),
            UndoError::Missing { .. } => Self::new(ErrorKind::Refused, error)
                .context("nothing was changed")
                .hint(Next::UNDOABLE.within(
                    "Git or an editor took it back, or a crash kept it from them: {} shows what \
                     they have.",
                )),
            UndoError::ChangedSince { .. } => {
                Self::new(ErrorKind::Refused, error).hint(Next::UNDOABLE.within(
                    "Undo what came after it first, newest first: {} shows it. A change by hand is \
                 yours to take back. `--id` takes back another one.",
                ))
            }
            _ => Self::new(ErrorKind::Refused, error).hint(
                Next::UNDOABLE.within("Nothing was changed. {} shows what else can be undone."),
            ),
        }
    }
}

impl From<SettleError> for CliError {
    fn from(error: SettleError) -> Self {
        let (kind, hint) = match error {
            SettleError::Task(error) => return error.into(),
            SettleError::ChangedSince { .. } => {
                (ErrorKind::Conflict, Next::RESOLVE.within("{} lists what is left."))
            }
            _ => (
                ErrorKind::Refused,
                Next::RESOLVE.within(
                    "{} lists both values; put one there by hand, then `git add` the file.",
                ),
            ),
        };
        Self::new(kind, error).hint(hint)
    }
}

impl From<ChangesError> for CliError {
    fn from(error: ChangesError) -> Self {
        match error {
            ChangesError::Journal(error) => error.into(),
            ChangesError::Load(error) => error.into(),
            error => Self::new(ErrorKind::NotFound, error)
                .hint(Next::REVISION.within("Read the queue anew: {} says its `rev`.")),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let (kind, path, hint) = match &error {
            ConfigError::Read { path, .. } => (ErrorKind::Io, Some(path), "Check what is there."),
            ConfigError::Newer { path, .. } => (ErrorKind::Newer, Some(path), NEWER),
            ConfigError::Invalid { violations } => {
                let place = violations.iter().find_map(|wrong| wrong.place.as_ref());
                // What no file says is said by the command.
                if place.is_none() {
                    let typed: Vec<String> = violations.iter().map(typed).collect();
                    return Self::new(ErrorKind::Usage, typed.join("\n"))
                        .hint("Correct the value.");
                }
                (ErrorKind::Invalid, place.map(|place| &place.path), "Correct the value.")
            }
            ConfigError::UnknownProfile { .. } => {
                (ErrorKind::NotFound, None, "`profiles` in the configuration defines one.")
            }
            ConfigError::Empty { path } => (
                ErrorKind::Corrupt,
                Some(path),
                "Write `{ \"version\": 2 }` into it, or remove it.",
            ),
            ConfigError::NotUtf8 { path, .. }
            | ConfigError::Syntax { place: Place { path, .. }, .. } => {
                (ErrorKind::Corrupt, Some(path), "Correct it by hand.")
            }
            _ => (ErrorKind::Invalid, None, "Correct it by hand."),
        };
        Self::about(kind, path.cloned(), error).hint(hint)
    }
}

/// What is wrong with a value of the command line, by the flag that the user typed.
fn typed(violation: &Violation) -> String {
    let Some(flag) = flag_of(&violation.key) else { return violation.to_string() };
    let value = violation.value.as_str().map_or_else(|| violation.value.to_string(), str::to_owned);
    format!("`{flag}` is `{value}`, expected {}", violation.expected)
}

impl From<TrustError> for CliError {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::Load(error) => error.into(),
            TrustError::Save(error) => error.into(),
            TrustError::NotUtf8 { .. } => Self::new(ErrorKind::Refused, error),
            _ => Self::new(ErrorKind::Io, error),
        }
    }
}

impl From<state::LoadError> for CliError {
    fn from(error: state::LoadError) -> Self {
        use state::LoadError::{Decode, Read};
        let (kind, path, hint) = match &error {
            Decode { path, source: DecodeError::Newer { .. }, .. } => {
                (ErrorKind::Newer, Some(path), NEWER.into())
            }
            Decode { kind: ParallelStateFile::KIND, path, .. } => (
                ErrorKind::Corrupt,
                Some(path),
                Next::RECOVER.within(
                    "{} keeps its bytes and rebuilds it; with `--dry-run` it only says how.",
                ),
            ),
            Decode { path, .. } => {
                (ErrorKind::Corrupt, Some(path), "Correct it by hand, or move it away.".into())
            }
            Read { path, source, .. } => {
                (ErrorKind::Io, Some(path), mend(source).unwrap_or("Check what is there.").into())
            }
            _ => (ErrorKind::Io, None, "Check what is there.".into()),
        };
        Self::about(kind, path.cloned(), error).hint(hint)
    }
}

impl From<state::SaveError> for CliError {
    fn from(error: state::SaveError) -> Self {
        match error {
            state::SaveError::Lock(error) => error.into(),
            state::SaveError::Load(error) => error.into(),
            state::SaveError::Replace(error) => error.into(),
            state::SaveError::Changed { .. } => Self::new(ErrorKind::Busy, error),
            _ => Self::new(ErrorKind::Io, error),
        }
    }
}

impl<E: Into<CliError>> From<state::UpdateError<E>> for CliError {
    fn from(error: state::UpdateError<E>) -> Self {
        match error {
            state::UpdateError::Store(error) => error.into(),
            state::UpdateError::Change(error) => error.into(),
            _ => Self::new(ErrorKind::Io, "the file was not changed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_each_cause_once_outermost_first() {
        let error = CliError::from(io::Error::other("disk on fire"))
            .context("cannot write the queue")
            .hint("buy a new one");
        assert_eq!(error.chain(), ["cannot write the queue", "disk on fire"]);
        assert_eq!(error.kind.exit(), Exit::Failed);
    }

    #[test]
    fn the_next_command_is_the_first_that_is_stated() {
        let told = |error: &CliError| error.next().map(ToString::to_string);
        let error =
            CliError::new(ErrorKind::Refused, "no").hint("Not `ralph task batch delete A`.");
        assert_eq!(told(&error), None);
        let error = error.hint(Next::READY.within("See {}.")).hint(Next::INIT.within("Or {}."));
        assert_eq!(error.hints()[1], "See `ralph queue ready`.");
        assert_eq!(told(&error).as_deref(), Some("ralph queue ready"));
        assert_eq!(told(&error.instead("Nothing helps.")), None);
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let error = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.kind.exit(), Exit::Done);
    }
}
