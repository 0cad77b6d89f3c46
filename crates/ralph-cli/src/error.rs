//! What can go wrong as the user sees it: the one place that chooses exit
//! codes, hints and the `kind` words of `--json`.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            _ => ErrorKind::Io,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_each_cause_once_outermost_first() {
        let error = CliError::from(std::io::Error::other("disk on fire"))
            .context("cannot write the queue")
            .hint("buy a new one");
        assert_eq!(error.chain(), ["cannot write the queue", "disk on fire"]);
        assert_eq!(error.kind.exit(), Exit::Failed);
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let error = CliError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(error.kind.exit(), Exit::Done);
    }
}
