//! What can go wrong as the user sees it: the one place that chooses exit
//! codes, hints and the `kind` words of `--json`.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ralph_config::trust::TrustError;
use ralph_config::{ConfigError, Place};
use ralph_queue::{self as queue, ParseError, Problem};
use ralph_state::document::DecodeError;
use ralph_state::file::{Holder, LockError, ReplaceError};
use ralph_state::{self as state};

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
    /// The request does not fit what is there, such as finishing a draft.
    Refused,
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
    /// A budget, a time limit or a rate limit ended the work.
    Limit,
    Interrupted,
    Terminated,
}

impl ErrorKind {
    pub(crate) const fn exit(self) -> Exit {
        match self {
            Self::BrokenPipe => Exit::Done,
            Self::Failed | Self::Io => Exit::Failed,
            Self::Usage | Self::NotFound => Exit::Usage,
            Self::Refused
            | Self::Invalid
            | Self::Corrupt
            | Self::Newer
            | Self::Missing
            | Self::Untrusted
            | Self::DirtyTree
            | Self::NotARepository => Exit::Refused,
            Self::Busy => Exit::Busy,
            Self::Limit => Exit::Limited,
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
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Newer => "newer",
            Self::Missing => "missing",
            Self::Untrusted => "untrusted",
            Self::DirtyTree => "dirty_tree",
            Self::NotARepository => "not_a_repository",
            Self::Busy => "busy",
            Self::Limit => "limit",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// Whether the same command may succeed later without anything changed by hand.
    pub(crate) const fn is_retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Limit | Self::Interrupted | Self::Terminated)
    }
}

/// A failure on its way to the user: what, where, and what to do next.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) kind: ErrorKind,
    source: Box<dyn Error + Send + Sync>,
    hints: Vec<String>,
    path: Option<PathBuf>,
}

impl CliError {
    /// `source` is an error of a library, or a sentence fragment of our own.
    pub(crate) fn new(kind: ErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into(), hints: Vec::new(), path: None }
    }

    /// Puts a sentence about what was attempted before the cause.
    pub(crate) fn context(self, message: impl Into<String>) -> Self {
        Self { source: Box::new(Attempt { message: message.into(), source: self.source }), ..self }
    }

    /// Says what to do next. Commands stand in backticks.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Names the file it is about, for scripts.
    #[must_use]
    pub(crate) fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
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

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            _ => ErrorKind::Io,
        };
        Self::new(kind, error)
    }
}

impl From<ReplaceError> for CliError {
    fn from(error: ReplaceError) -> Self {
        let (path, hint) = match &error {
            ReplaceError::NotAFile { path } => (path, "Move what is there away."),
            ReplaceError::ReadOnlyDirectory { path, .. } => {
                (path, "Make the directory writable; the old file is untouched.")
            }
            ReplaceError::NoSpace { path, .. } => {
                (path, "Make room on the disk; the old file is untouched.")
            }
            ReplaceError::MountPoint { path, .. } | ReplaceError::Io { path, .. } => {
                (path, "The old file is untouched.")
            }
            _ => return Self::new(ErrorKind::Io, error),
        };
        let path = path.clone();
        Self::new(ErrorKind::Io, error).hint(hint).at(path)
    }
}

impl From<LockError> for CliError {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held { path, holder, .. } => {
                let path = path.clone();
                let by = match holder {
                    Some(Holder { pid, host, command, since }) => {
                        format!("process {pid} on {host} (`{command}`, since {since}) holds it")
                    }
                    None => "another process holds it".to_owned(),
                };
                Self::new(ErrorKind::Busy, by)
                    .context(error.to_string())
                    .hint("Wait until it is done, then repeat the command. A lock whose holder died is free by itself.")
                    .at(path)
            }
            LockError::Unsupported { path, .. } => {
                let path = path.clone();
                Self::new(ErrorKind::Io, error)
                    .hint(
                        "Keep the repository on a file system with locks (a local one, or NFS 4).",
                    )
                    .at(path)
            }
            LockError::Io { path, .. } => {
                let path = path.clone();
                Self::new(ErrorKind::Io, error).at(path)
            }
            _ => Self::new(ErrorKind::Io, error),
        }
    }
}

impl From<queue::LoadError> for CliError {
    fn from(error: queue::LoadError) -> Self {
        match error {
            queue::LoadError::Missing { ref path } => {
                let path = path.clone();
                Self::new(ErrorKind::Missing, error).hint("`ralph init` makes one.").at(path)
            }
            queue::LoadError::Parse { ref path, ref source, .. } => {
                let path = path.clone();
                let name = path.display();
                let (kind, hint) = match source {
                    ParseError::ConflictMarkers { .. } => (
                        ErrorKind::Corrupt,
                        format!(
                            "Resolve the conflict in `{name}`, then run `ralph queue validate`."
                        ),
                    ),
                    ParseError::Newer { .. } => (
                        ErrorKind::Newer,
                        "Use the Ralph that wrote it, or a newer one; the file is untouched."
                            .into(),
                    ),
                    ParseError::Shape { .. } => (
                        ErrorKind::Invalid,
                        "Correct the fields named, then run `ralph queue validate`.".into(),
                    ),
                    _ => (
                        ErrorKind::Corrupt,
                        format!(
                            "Correct it by hand; `git log -p -- {name}` shows what it was. Nothing was written."
                        ),
                    ),
                };
                Self::new(kind, error).hint(hint).at(path)
            }
            queue::LoadError::Io { ref path, .. } => {
                let path = path.clone();
                Self::new(ErrorKind::Io, error).at(path)
            }
            _ => Self::new(ErrorKind::Io, error),
        }
    }
}

impl<E: Into<CliError>> From<queue::UpdateError<E>> for CliError {
    fn from(error: queue::UpdateError<E>) -> Self {
        use queue::UpdateError;
        match error {
            UpdateError::Lock(error) => Self::from(error).context("cannot change the queue"),
            UpdateError::Legacy { directory, pid, label } => Self::new(
                ErrorKind::Busy,
                format!(
                    "process {pid} of an older Ralph{} holds `{}`",
                    label.map(|label| format!(" ({label})")).unwrap_or_default(),
                    directory.display()
                ),
            )
            .hint("Wait until it is done, or end it, then repeat the command.")
            .at(directory),
            UpdateError::Load(error) => error.into(),
            UpdateError::Refused(error) => error.into(),
            UpdateError::Invalid { problems } => Self::new(ErrorKind::Refused, list(&problems))
                .context("the change would make the queue invalid")
                .hint("Nothing was changed. Give other values and repeat the command."),
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

fn list(problems: &[Problem]) -> String {
    problems.iter().map(problem_line).collect::<Vec<_>>().join("\n")
}

/// A problem with its place in front, as compilers write it.
pub(crate) fn problem_line(problem: &Problem) -> String {
    let task = problem.task.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
    format!("{task}{problem}")
}

impl From<queue::EditError> for CliError {
    fn from(error: queue::EditError) -> Self {
        use queue::EditError;
        match &error {
            EditError::NotFound { .. } => Self::new(ErrorKind::NotFound, error),
            EditError::Archived { id, .. } => {
                let hint = format!(
                    "Add a new task that names it: `ralph task add TITLE --relates-to {id}`."
                );
                Self::new(ErrorKind::Refused, error).hint(hint)
            }
            EditError::WrongStatus { id, .. } => {
                let hint = format!("`ralph task status STATUS {id}` sets any status.");
                Self::new(ErrorKind::Refused, error).hint(hint)
            }
            _ => Self::new(ErrorKind::Refused, error),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let (kind, path, hint) = match &error {
            ConfigError::Read { path, .. } => (ErrorKind::Io, Some(path.clone()), None),
            ConfigError::Newer { path, .. } => (
                ErrorKind::Newer,
                Some(path.clone()),
                Some("Use the Ralph that wrote it, or a newer one; the file is untouched."),
            ),
            ConfigError::Invalid { violations } => (
                ErrorKind::Invalid,
                violations.iter().find_map(|wrong| Some(wrong.place.as_ref()?.path.clone())),
                Some("Correct the value; `ralph config show` then tells what is in force."),
            ),
            ConfigError::UnknownProfile { .. } => (ErrorKind::NotFound, None, None),
            ConfigError::Empty { path } => (
                ErrorKind::Corrupt,
                Some(path.clone()),
                Some("Write `{ \"version\": 2 }` into it, or remove it to run with the defaults."),
            ),
            ConfigError::NotUtf8 { path, .. }
            | ConfigError::Syntax { place: Place { path, .. }, .. } => {
                (ErrorKind::Corrupt, Some(path.clone()), Some("Correct it by hand."))
            }
            _ => (ErrorKind::Invalid, None, None),
        };
        let mut failure = Self::new(kind, error);
        failure.hints.extend(hint.map(str::to_owned));
        Self { path, ..failure }
    }
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
        match &error {
            state::LoadError::Decode { path, source, .. } => {
                let path = path.clone();
                let (kind, hint) = match source {
                    DecodeError::Newer { .. } => (
                        ErrorKind::Newer,
                        "Use the Ralph that wrote it, or a newer one; the file is untouched.",
                    ),
                    _ => (
                        ErrorKind::Corrupt,
                        "Correct it by hand, or move it away; the file is untouched.",
                    ),
                };
                Self::new(kind, error).hint(hint).at(path)
            }
            state::LoadError::Read { path, .. } => {
                let path = path.clone();
                Self::new(ErrorKind::Io, error).at(path)
            }
            _ => Self::new(ErrorKind::Io, error),
        }
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

impl From<Infallible> for CliError {
    fn from(never: Infallible) -> Self {
        match never {}
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
    fn a_reader_that_left_is_no_failure() {
        let error = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.kind.exit(), Exit::Done);
    }
}
