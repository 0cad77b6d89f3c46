//! Whose fault an error of a worker is: the task's, this machine's, or nobody's.

use std::error::Error as _;
use std::io;
use std::path::Path;

use ralph_agent::TurnError;
use ralph_git::{CreateError, DiscoverError, FetchError, GitError, OpenError};
use ralph_process::{Exit, SpawnError};

use super::WorkerError;
use crate::books::BooksError;
use crate::checkout::CheckoutError;
use crate::claim::ClaimError;
use crate::gate::GateError;
use crate::turn::TakeTurnError;

/// Whether an error says something about this machine and nothing about the
/// task: the task waits, and none is started that would fare no better.
pub(super) fn is_machines(error: &WorkerError) -> bool {
    if workspace_is_gone(error) {
        return false;
    }
    match error {
        WorkerError::Gate(_)
        | WorkerError::Turn(_)
        | WorkerError::Lock(_)
        | WorkerError::Lane(_)
        // A step that cannot be recorded; a claim that was lost is somebody else's.
        | WorkerError::Claim(ClaimError::Load(_) | ClaimError::Update { .. })
        | WorkerError::Queue(_)
        | WorkerError::Away(_)
        | WorkerError::QueueEdit(_)
        | WorkerError::Ids(_)
        | WorkerError::Io(_)
        | WorkerError::Fetch(_)
        | WorkerError::Books(BooksError::Write(_))
        | WorkerError::Checkout(
            CheckoutError::Lock(_) | CheckoutError::Write { .. } | CheckoutError::Io(_),
        ) => true,
        WorkerError::Workspace { source, .. } => match source {
            CreateError::DiskFull { .. } | CreateError::Io { .. } => true,
            CreateError::Git { source, .. } => is_machines_git(source),
            _ => false,
        },
        WorkerError::Open(OpenError::Git(git) | OpenError::Discover(DiscoverError::Git(git)))
        | WorkerError::Books(BooksError::Git(git))
        | WorkerError::Checkout(CheckoutError::Git(git))
        | WorkerError::Git(git) => is_machines_git(git),
        // A runner that only this task names, and what git or the queue refuse.
        WorkerError::AlreadyRunning { .. }
        | WorkerError::Claim(_)
        | WorkerError::AmbiguousId { .. }
        | WorkerError::NoSuchTask { .. }
        | WorkerError::Runner(_)
        | WorkerError::Refused(_)
        | WorkerError::Open(_)
        | WorkerError::Books(_)
        | WorkerError::Checkout(_) => false,
    }
}

/// Whether the directory to work in is gone, and not what it was in: an agent has removed it.
fn workspace_is_gone(error: &WorkerError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(SpawnError::Directory { dir, .. }) = error.downcast_ref() {
            return !dir.exists() && dir.parent().is_some_and(Path::is_dir);
        }
        cause = error.source();
    }
    false
}

/// The path of the agent's or the gate's program, when that is what is missing.
pub(super) fn missing_program(error: &WorkerError) -> Option<&Path> {
    let (WorkerError::Turn(TakeTurnError::Agent(TurnError::Spawn { source, .. }))
    | WorkerError::Gate(GateError::Start { source, .. })) = error
    else {
        return None;
    };
    match source {
        SpawnError::NotFound { program } => Some(program),
        _ => None,
    }
}

fn is_machines_git(error: &GitError) -> bool {
    match error {
        GitError::Spawn(_) | GitError::DiskFull { .. } | GitError::Locked { .. } => true,
        // Other files may be ones that an agent left in a state of its own.
        GitError::Io(source) => matches!(
            source.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::ReadOnlyFilesystem
        ),
        _ => false,
    }
}

/// Whether a signal ended the git that an error comes from.
pub(super) fn git_was_killed(error: &WorkerError) -> bool {
    let (WorkerError::Git(git)
    | WorkerError::Fetch(FetchError::Git(git))
    | WorkerError::Books(BooksError::Git(git))
    | WorkerError::Checkout(CheckoutError::Git(git))
    | WorkerError::Workspace { source: CreateError::Git { source: git, .. }, .. }
    | WorkerError::Open(OpenError::Git(git) | OpenError::Discover(DiscoverError::Git(git)))) =
        error
    else {
        return false;
    };
    matches!(git, GitError::Failed { exit: Exit::Signal(_), .. })
}
