//! Errors of a run as the user sees them: exit codes and the next command.

use std::path::Path;

use ralph_agent::TurnError;
use ralph_git::{Change, ChangeKind, DiscoverError, GitError, IdentityError, Operation};
use ralph_loop::checkout::CheckoutError;
use ralph_loop::coordinator::{Refused, RunError};
use ralph_loop::living::LivingError;
use ralph_loop::preflight::PreflightError;
use ralph_loop::project::Project;
use ralph_loop::rebuild::SurveyError;
use ralph_loop::retry::RetryError;
use ralph_loop::serial::SerialError;
use ralph_loop::turn::TakeTurnError;
use ralph_loop::unseen::{Unseen, UnseenError};
use ralph_loop::worker::WorkerError;
use ralph_queue::{LoadError, UpdateError};

use crate::error::{CliError, ErrorKind, by, is_dead, mend};
use crate::hint::Next;
use crate::project::load_error;
use crate::render::{pathspec, shell_word};

/// What to do about a program that a workspace lacks, a path in there.
pub(super) fn commit_or_absolute(program: &Path) -> String {
    format!(
        "Commit `{}`, or give an absolute path to it in `.ralph/config.jsonc`.",
        program.display()
    )
}

/// What to do about a queue that a run cannot read.
pub(super) fn unreadable(project: &Project, error: LoadError) -> CliError {
    load_error(project.repo.root(), &project.queue, Some(&project.repo), error)
}

/// Why a parallel run ended early.
pub(super) fn parallel(project: &Project, error: RunError) -> CliError {
    match error {
        RunError::Queue(error) => unreadable(project, error),
        error => error.into(),
    }
}

/// Why a serial run ended early.
pub(super) fn serial(project: &Project, error: SerialError) -> CliError {
    match error {
        SerialError::Queue(error) | SerialError::QueueEdit(UpdateError::Load(error)) => {
            unreadable(project, error)
        }
        SerialError::Run(error) => parallel(project, error),
        error => error.into(),
    }
}

/// How a work tree gets clean.
fn put_aside(changes: &[Change]) -> &'static str {
    // What git does not know is not stashed by `git stash` alone.
    let is_new =
        |change: &Change| matches!(change.kind, ChangeKind::Untracked | ChangeKind::Repository);
    if changes.iter().any(is_new) {
        "Commit them, name what is not the project's in `.gitignore`, or put them aside with \
         `git stash --include-untracked`."
    } else {
        "Commit them, or put them aside with `git stash`."
    }
}

/// How a user says of settings that an agent changed whether they are wanted.
fn look_at(changed: &[Unseen]) -> String {
    let (known, new): (Vec<_>, Vec<_>) = changed.iter().partition(|file| file.is_tracked);
    let known = known.iter().map(|file| pathspec(&file.path)).collect::<Vec<_>>().join(" ");
    let new = new.iter().map(|file| format!("`{}`", file.path.display())).collect::<Vec<_>>();
    let mut hints = Vec::new();
    if !known.is_empty() {
        hints.push(format!(
            "`git diff HEAD -- {known}` shows what it did. Commit it, or \
             `git checkout HEAD -- {known}` takes it back."
        ));
    }
    if !new.is_empty() {
        hints.push(format!(
            "Git has no other version of {}: look at it, then commit or edit it.",
            new.join(", ")
        ));
    }
    hints.push("With `--force` the run obeys it as it is.".to_owned());
    hints.join(" ")
}

/// How what git is in the middle of is ended.
pub(super) fn end(operation: Operation) -> String {
    match operation {
        Operation::Merge => {
            "Conclude it (`git status` says how; `ralph queue resolve` settles the \
                             queue), or give it up: `git merge --abort`."
                .to_owned()
        }
        Operation::Bisect => "End it: `git bisect reset`.".to_owned(),
        other => {
            format!("Finish it, `git {other} --continue`, or give it up: `git {other} --abort`.")
        }
    }
}

impl From<DiscoverError> for CliError {
    fn from(error: DiscoverError) -> Self {
        match &error {
            DiscoverError::GitMissing => {
                Self::new(ErrorKind::Missing, error).hint("Install git, or put it on PATH.")
            }
            DiscoverError::GitTooOld { .. } => Self::new(ErrorKind::Missing, error)
                .hint("Install a newer git, and put it first on PATH."),
            DiscoverError::NotARepository { path } => {
                let path = path.clone();
                Self::new(ErrorKind::NotARepository, error)
                    .hint("Go to your repository, or make one: `git init`.")
                    .at(path)
            }
            DiscoverError::Bare { path } => {
                let path = path.clone();
                Self::new(ErrorKind::NotARepository, error)
                    .hint("Run Ralph in a clone of it.")
                    .at(path)
            }
            DiscoverError::NotOwned { path } => {
                let hint = format!(
                    "If you trust it: `git config --global --add safe.directory {}`.",
                    shell_word(path)
                );
                let path = path.clone();
                Self::new(ErrorKind::Refused, error).hint(hint).at(path)
            }
            _ => Self::new(ErrorKind::Io, error),
        }
    }
}

impl From<GitError> for CliError {
    fn from(error: GitError) -> Self {
        match &error {
            GitError::Cancelled { .. } => Self::new(ErrorKind::Interrupted, error),
            GitError::Locked { .. } => Self::new(ErrorKind::Busy, error)
                .hint("If no git command runs there, remove the lock file, then repeat."),
            GitError::DiskFull { .. } => {
                Self::new(ErrorKind::Io, error).hint("Make room on the disk, then repeat.")
            }
            _ => Self::new(ErrorKind::Failed, error),
        }
    }
}

impl From<IdentityError> for CliError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Git(error) => error.into(),
            missing => Self::new(ErrorKind::Refused, missing).hint(
                "`git config --global user.name \"Your Name\"` and \
                 `git config --global user.email you@example.com`.",
            ),
        }
    }
}

impl From<PreflightError> for CliError {
    fn from(error: PreflightError) -> Self {
        let error = match error {
            PreflightError::Settings(error) => return error.into(),
            PreflightError::Identity(error) => return error.into(),
            PreflightError::Git(error) => return error.into(),
            error => error,
        };
        let (kind, hint) = match &error {
            PreflightError::DetachedHead { .. } => (
                ErrorKind::Refused,
                "Check out the branch that the work is to land on: `git switch BRANCH`.".to_owned(),
            ),
            PreflightError::NoCommit { .. } => (
                ErrorKind::Refused,
                "Make a first commit: `git add -A`, then `git commit -m \"Start\"`.".to_owned(),
            ),
            PreflightError::Dirty { changes } => (
                ErrorKind::DirtyTree,
                format!("{} With `--force` the run goes on all the same.", put_aside(changes)),
            ),
            PreflightError::Unseen { changed } => (ErrorKind::Refused, look_at(changed)),
            PreflightError::UnderWay { operation, .. } => (ErrorKind::DirtyTree, end(*operation)),
            PreflightError::Unmerged { .. } => (
                ErrorKind::DirtyTree,
                "Settle them, then `git add` each; `ralph queue resolve` settles the queue."
                    .to_owned(),
            ),
            PreflightError::Unpushed { branch, remote, .. } => (
                ErrorKind::Refused,
                format!(
                    "`git push {remote} {}`. With `--force` workers start from \
                     `{remote}/{branch}` all the same.",
                    shell_word(branch)
                ),
            ),
            PreflightError::Behind { branch, remote, .. } => (
                ErrorKind::Refused,
                format!(
                    "`git pull --rebase {remote} {}`, with `--autostash` where your queue is \
                     changed.",
                    shell_word(branch)
                ),
            ),
            PreflightError::WorkspaceNotIgnored { inside, .. } => (
                ErrorKind::Refused,
                if inside.as_os_str().is_empty() {
                    "Set `parallel.workspace_root` to another directory.".to_owned()
                } else {
                    format!(
                        "Add `/{}/` to `.gitignore`, or set `parallel.workspace_root` to a path \
                         outside.",
                        inside.display()
                    )
                },
            ),
            PreflightError::WorkspaceRoot { .. } => (
                ErrorKind::Refused,
                "Make it a directory that you may write to, or set `parallel.workspace_root` to \
                 another."
                    .to_owned(),
            ),
            PreflightError::GateNotExecutable { program, .. } => (
                ErrorKind::Missing,
                format!("Make it executable: `chmod +x {}`.", shell_word(program)),
            ),
            PreflightError::NotInWorkspaces { program } => (
                ErrorKind::Missing,
                format!("A workspace has what git tracks. {}", commit_or_absolute(program)),
            ),
            PreflightError::Remote { .. } => (
                ErrorKind::Refused,
                "See that the remote can be reached: `git fetch origin`.".to_owned(),
            ),
            PreflightError::GateMissing { .. } => (
                ErrorKind::Missing,
                "Correct `agent.ci_gate.argv` in `.ralph/config.jsonc`, or set \
                 `agent.ci_gate.enabled` to false."
                    .to_owned(),
            ),
            PreflightError::Blind { counts_tokens: false, .. } => (
                ErrorKind::Usage,
                "Limit turns (`--max-turns`) or minutes (`--max-minutes`) instead, or take \
                 another agent."
                    .to_owned(),
            ),
            PreflightError::Blind { .. } => (
                ErrorKind::Usage,
                "Set `agent.model` and give its prices in `agent.prices`, or limit tokens \
                 (`--max-tokens`) or turns (`--max-turns`) instead."
                    .to_owned(),
            ),
            _ => return Self::new(ErrorKind::Failed, error),
        };
        Self::new(kind, error).hint(hint)
    }
}

impl From<UnseenError> for CliError {
    fn from(error: UnseenError) -> Self {
        match error {
            UnseenError::Git(error) => error.into(),
            UnseenError::Load(error) => error.into(),
            UnseenError::Record(error) => error.into(),
            error => Self::new(ErrorKind::Io, error),
        }
    }
}

impl From<CheckoutError> for CliError {
    fn from(error: CheckoutError) -> Self {
        match error {
            CheckoutError::Git(error) => error.into(),
            CheckoutError::Lock(error) => error.into(),
            CheckoutError::Write { source, .. } => source.into(),
            CheckoutError::Merge { ref kept, .. } => {
                let hint = format!(
                    "Bring your changes from `{}` into the queue by hand, then remove that directory.",
                    kept.display()
                );
                Self::new(ErrorKind::Refused, error).hint(hint)
            }
            error => Self::new(ErrorKind::Io, error),
        }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Busy { holder, lock } => {
                let by = match holder {
                    Some(holder) if is_dead(&holder) => {
                        format!("its lock was last taken by {}", by(&holder))
                    }
                    Some(holder) => format!("{} is at it", by(&holder)),
                    None => "another process holds its lock".to_owned(),
                };
                Self::new(ErrorKind::Busy, by)
                    .context("another run is active in this repository")
                    .hint(Next::PARALLEL_STATUS.within("{} shows it; `ralph queue stop` ends it."))
                    .at(lock)
            }
            RunError::Legacy { ref lock, .. } => {
                let lock = lock.clone();
                Self::new(ErrorKind::Busy, error)
                    .hint("Wait until it is done, or end it, then repeat the command.")
                    .at(lock)
            }
            RunError::SerialSession { .. } => Self::new(ErrorKind::Refused, error)
                .hint("Go on with it first: `ralph run resume`."),
            RunError::StateLost { .. } | RunError::StateVanished => {
                Self::new(ErrorKind::Refused, error)
                    .hint(Next::RECOVER.within("Rebuild it from them: {}."))
            }
            RunError::Survey(error) => error.into(),
            RunError::Lock(error) => error.into(),
            RunError::Preflight(error) => error.into(),
            RunError::State(error) => error.into(),
            RunError::Record(error) => error.into(),
            RunError::Queue(error) => error.into(),
            RunError::Checkout(error) => error.into(),
            RunError::Living(error) => error.into(),
            RunError::Git(error) => error.into(),
            error => Self::new(ErrorKind::Failed, error),
        }
    }
}

impl From<Refused> for CliError {
    fn from(error: Refused) -> Self {
        match &error {
            Refused::OtherBranch { was, .. } => {
                let was = shell_word(was);
                let hint = format!("Finish them first: `git switch {was}`, then run again.");
                Self::new(ErrorKind::Refused, error).hint(hint)
            }
            _ => Self::new(ErrorKind::Busy, error).hint("Repeat the command."),
        }
    }
}

impl From<SerialError> for CliError {
    fn from(error: SerialError) -> Self {
        match error {
            SerialError::Run(error) => error.into(),
            SerialError::Preflight(error) => error.into(),
            SerialError::Session(error) => error.into(),
            SerialError::Record(error) => error.into(),
            SerialError::EndSession(error) => error.into(),
            SerialError::Queue(error) => error.into(),
            SerialError::QueueEdit(error) => error.into(),
            SerialError::Git(error) => error.into(),
            SerialError::Checkout(error) => error.into(),
            SerialError::Runner(error) => error.into(),
            SerialError::Unseen(error) => error.into(),
            SerialError::Turn(TakeTurnError::Agent(TurnError::Spawn { .. }))
            | SerialError::Gate(_) => Self::new(ErrorKind::Missing, error).hint(
                Next::CONFIG.within("{} says what is run. Mend that, then repeat the command."),
            ),
            SerialError::OtherSession { .. } => Self::new(ErrorKind::Refused, error)
                .hint("Go on with it first: `ralph run resume`."),
            SerialError::OtherBranch { ref was, .. } => {
                let was = shell_word(was);
                let hint =
                    format!("Go on with it there: `git switch {was}`, then `ralph run resume`.");
                Self::new(ErrorKind::Refused, error).hint(hint)
            }
            SerialError::NoSuchTask { now: Some(ref now), .. } => {
                let now = now.clone();
                Self::new(ErrorKind::NotFound, error).renumbered(&now)
            }
            SerialError::NoSuchTask { .. } => Self::new(ErrorKind::NotFound, error)
                .hint(Next::TASKS.within("{} shows the tasks.")),
            SerialError::Finished { .. } => Self::new(ErrorKind::Refused, error),
            SerialError::NotRunnable { task, reasons } => Self::not_startable(&task, &reasons),
            error => Self::new(ErrorKind::Failed, error),
        }
    }
}

impl From<WorkerError> for CliError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::AlreadyRunning { .. } => Self::new(ErrorKind::Busy, error),
            WorkerError::Lock(error) => error.into(),
            error => Self::new(ErrorKind::Failed, error),
        }
    }
}

impl From<LivingError> for CliError {
    fn from(error: LivingError) -> Self {
        match error {
            LivingError::Lock(error) => error.into(),
            LivingError::Io(source) => {
                let hint = mend(&source);
                let error = Self::new(ErrorKind::Io, LivingError::Io(source));
                hint.into_iter().fold(error, Self::hint)
            }
            error => Self::new(ErrorKind::Io, error),
        }
    }
}

impl From<SurveyError> for CliError {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::State(error) => error.into(),
            SurveyError::Lock(error) => error.into(),
            SurveyError::Git(error) => error.into(),
            SurveyError::NoTarget => Self::new(ErrorKind::Refused, error)
                .hint("Check out the branch that the work is to land on: `git switch BRANCH`."),
            error => Self::new(ErrorKind::Io, error),
        }
    }
}

impl From<RetryError> for CliError {
    fn from(error: RetryError) -> Self {
        match &error {
            RetryError::Unknown { .. } => Self::new(ErrorKind::NotFound, error)
                .hint(Next::PARALLEL_STATUS.within("{} shows the tasks that can be tried again.")),
            RetryError::Active { .. } => Self::new(ErrorKind::Refused, error)
                .hint("`ralph run loop --parallel` goes on with it."),
            RetryError::Completed { task } => {
                let hint = format!(
                    "Where the queue has it open all the same: `ralph task done {task}` says so, \
                     `ralph task status todo {task} --note WHY` asks for it once more."
                );
                Self::new(ErrorKind::Refused, error).hint(hint)
            }
            _ => Self::new(ErrorKind::Refused, error),
        }
    }
}
