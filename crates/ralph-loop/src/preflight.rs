//! What has to be right before any agent is paid for.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use ralph_agent::{Counter, Runner};
use ralph_config::{AgentConfig, CiGate, GitPublishMode};
use ralph_git::{
    Change, ChangeKind, FetchError, GitError, Head, IdentityError, Operation, RemoteUrls, Repo, Sha,
};
use ralph_queue::QueueFiles;
use thiserror::Error;

use crate::allowance;
use crate::event::Event;
use crate::layout::{self, Layout};
use crate::project::{CheckoutPolicy, Project};
use crate::target;
use crate::unseen::{self, Unseen, UnseenError};

/// Why a run is refused before it starts. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PreflightError {
    /// No branch is checked out.
    #[error("no branch is checked out (HEAD is detached at {commit})")]
    DetachedHead {
        /// Where HEAD is.
        commit: Sha,
    },
    /// The branch has no commit to start from.
    #[error("the branch `{branch}` has no commit yet")]
    NoCommit {
        /// The branch.
        branch: String,
    },
    /// The checkout has changes that agents would not see or would mix with theirs.
    #[error("the work tree has uncommitted changes: {}", list(.changes))]
    Dirty {
        /// What is changed.
        changes: Vec<Change>,
    },
    /// A merge, rebase or the like of the user's is under way: a commit would conclude it.
    #[error("`git {operation}` is under way in your checkout{}", in_conflict(.unmerged))]
    UnderWay {
        /// What it is.
        operation: Operation,
        /// The files in conflict; none when all are settled and the commit is not made yet.
        unmerged: Vec<Change>,
    },
    /// Files are in conflict though no merge is under way, as `git stash pop` leaves them.
    #[error("files of your checkout are in conflict: {}", list(.unmerged))]
    Unmerged {
        /// These.
        unmerged: Vec<Change>,
    },
    /// Settings are as an agent's turn left them.
    #[error("{}, and not committed", as_left(.changed))]
    Unseen {
        /// Which, and by whose turn.
        changed: Vec<Unseen>,
    },
    /// It cannot be told whether they are.
    #[error(transparent)]
    Settings(#[from] UnseenError),
    /// The branch has commits that the remote does not have.
    #[error(
        "`{branch}` has {commits} commit{} that `{remote}/{branch}` lacks",
        if *commits == 1 { "" } else { "s" }
    )]
    Unpushed {
        /// The branch.
        branch: String,
        /// The remote.
        remote: &'static str,
        /// How many.
        commits: usize,
    },
    /// The remote has commits that the branch does not have: what is committed on it could not be
    /// pushed.
    #[error(
        "`{branch}` lacks {commits} commit{} of `{remote}/{branch}`",
        if *commits == 1 { "" } else { "s" }
    )]
    Behind {
        /// The branch.
        branch: String,
        /// The remote.
        remote: &'static str,
        /// How many.
        commits: usize,
    },
    /// Workspaces would be inside the repository and be seen by git.
    #[error("the workspace root `{path}` is inside the repository and not ignored by git")]
    WorkspaceNotIgnored {
        /// The workspace root.
        path: PathBuf,
        /// The same, seen from the root of the repository; empty for that itself.
        inside: PathBuf,
    },
    /// No workspace could be made there.
    #[error("no workspace can be made in `{path}`")]
    WorkspaceRoot {
        /// The workspace root.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The remote cannot be reached.
    #[error("cannot fetch `{branch}` from `{remote}`")]
    Remote {
        /// The branch.
        branch: String,
        /// The remote.
        remote: &'static str,
        /// The cause.
        source: FetchError,
    },
    /// The gate's program does not exist.
    #[error("the gate `{command}` cannot be started: `{program}` is not found")]
    GateMissing {
        /// The gate's command line.
        command: String,
        /// Its program.
        program: String,
    },
    /// The gate's program is there, but is no program.
    #[error("the gate `{command}` cannot be started: `{program}` is not executable")]
    GateNotExecutable {
        /// The gate's command line.
        command: String,
        /// Its program.
        program: String,
    },
    /// A program that is meant from the workspace is in the checkout, and will not be there.
    #[error("`{}` is not tracked by git, and so in no workspace", program.display())]
    NotInWorkspaces {
        /// The program of the agent or the gate, seen from the root of the repository.
        program: PathBuf,
    },
    /// A limit was set of what the agent does not tell.
    #[error("a limit of {what} cannot hold `{runner}`, which does not tell how many it used")]
    Blind {
        /// The agent.
        runner: String,
        /// What is limited.
        what: Counter,
        /// Whether it tells its tokens, so that a price would do.
        counts_tokens: bool,
    },
    /// git does not know who commits.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What a parallel run stands on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The target branch.
    pub branch: String,
    /// The remote, if there is one.
    pub remote: Option<RemoteUrls>,
    /// Whether the remote has no such branch, so that the first landing creates it there.
    pub is_new_branch: bool,
    /// Where workspaces go.
    pub workspace_root: PathBuf,
}

/// Checks everything a parallel run needs.
///
/// # Errors
/// The first thing that is not right.
pub fn parallel(project: &Project) -> Result<Ground, PreflightError> {
    let (branch, commit) = branch(&project.repo)?;
    let Some(commit) = commit else { return Err(PreflightError::NoCommit { branch }) };
    limits_hold(&project.config.agent, &project.runner)?;
    clean(project)?;
    project.repo.identity()?;
    gate_exists(project)?;
    programs_are_tracked(project)?;
    let workspace_root = workspace_root(project)?;
    let remote = project.repo.remote_url(target::REMOTE)?;
    let is_new_branch = remote.is_some() && !pushed(project, &branch, &commit)?;
    Ok(Ground { branch, remote, is_new_branch, workspace_root })
}

/// Checks everything a serial run needs before it looks for a task, and says what branch it is on.
///
/// # Errors
/// The first thing that is not right.
pub fn serial(project: &Project) -> Result<String, PreflightError> {
    let (branch, _) = branch(&project.repo)?;
    limits_hold(&project.config.agent, &project.runner)?;
    gate_exists(project)?;
    if project.config.agent.git_publish_mode != GitPublishMode::Off {
        project.repo.identity()?;
    }
    Ok(branch)
}

/// Whether a push of what is to be committed on `branch` can go through, asked of the remote.
///
/// # Errors
/// When the remote has commits that the branch lacks, unless that is accepted, or does not answer.
pub fn pushable(project: &Project, branch: &str) -> Result<(), PreflightError> {
    if project.options.checkout == CheckoutPolicy::Accept {
        return Ok(());
    }
    up_to(&project.repo, branch, asked_tip(&project.repo, branch)?.as_ref())
}

/// Whether `branch` has everything that the remote had when it was last asked.
///
/// # Errors
/// When it has not, or git fails.
pub fn has_what_is_known(repo: &Repo, branch: &str) -> Result<(), PreflightError> {
    up_to(repo, branch, known_tip(repo, branch)?.as_ref())
}

/// Whether the remote had everything of `branch` when it was last asked.
///
/// # Errors
/// When it had not, or git fails.
pub fn is_known_there(repo: &Repo, branch: &str) -> Result<(), PreflightError> {
    let commit = repo.resolve(&format!("refs/heads/{branch}"))?;
    match (known_tip(repo, branch)?, commit) {
        (Some(tip), Some(commit)) => nothing_unpushed(repo, branch, &commit, &tip),
        _ => Ok(()),
    }
}

/// Where the remote's branch was when it was last asked.
fn known_tip(repo: &Repo, branch: &str) -> Result<Option<Sha>, GitError> {
    repo.resolve(&format!("refs/remotes/{}/{branch}", target::REMOTE))
}

/// Where it is now.
fn asked_tip(repo: &Repo, branch: &str) -> Result<Option<Sha>, PreflightError> {
    let remote = target::REMOTE;
    match repo.fetch(remote, branch) {
        Ok(fetched) => Ok(fetched.tip),
        Err(source) => Err(PreflightError::Remote { branch: branch.to_owned(), remote, source }),
    }
}

fn up_to(repo: &Repo, branch: &str, tip: Option<&Sha>) -> Result<(), PreflightError> {
    let (Some(tip), Some(commit)) = (tip, repo.resolve(&format!("refs/heads/{branch}"))?) else {
        return Ok(());
    };
    match repo.commits_since(&commit, tip)?.len() {
        0 => Ok(()),
        commits => {
            let branch = branch.to_owned();
            Err(PreflightError::Behind { branch, remote: target::REMOTE, commits })
        }
    }
}

fn nothing_unpushed(
    repo: &Repo,
    branch: &str,
    commit: &Sha,
    tip: &Sha,
) -> Result<(), PreflightError> {
    match repo.commits_since(tip, commit)?.len() {
        0 => Ok(()),
        commits => {
            let branch = branch.to_owned();
            Err(PreflightError::Unpushed { branch, remote: target::REMOTE, commits })
        }
    }
}

/// Whether what is limited can be counted with this agent. A task may name another one, of which
/// its first turn asks the same.
///
/// # Errors
/// When the agent does not tell it.
pub fn limits_hold(agent: &AgentConfig, runner: &Runner) -> Result<(), PreflightError> {
    match allowance::blind(agent, runner.capabilities(), agent.model.as_deref()) {
        None => Ok(()),
        Some(what) => Err(PreflightError::Blind {
            runner: runner.name().to_owned(),
            what,
            counts_tokens: runner.capabilities().tokens,
        }),
    }
}

/// The branch that is checked out and its commit, if it has one.
///
/// # Errors
/// When HEAD is detached or git fails.
pub fn branch(repo: &Repo) -> Result<(String, Option<Sha>), PreflightError> {
    let commit = match repo.head()? {
        Head::Branch { name, commit } => return Ok((name, commit)),
        Head::Detached { commit } => commit,
    };
    Err(match repo.operation()? {
        Some(operation) => PreflightError::UnderWay { operation, unmerged: unmerged(repo)? },
        None => PreflightError::DetachedHead { commit },
    })
}

/// Whether the gate's program is there; asked before agents work, not after.
///
/// # Errors
/// When it is not.
pub fn gate_exists(project: &Project) -> Result<(), PreflightError> {
    gate_program(&project.config.agent.ci_gate, project.path.as_deref())
}

/// Whether the settings are what the user made of them: an agent that changed them has not said
/// what the next run does.
pub(crate) fn settings_seen(project: &Project) -> Result<(), PreflightError> {
    match seen(&project.repo, &project.queue) {
        Err(error @ PreflightError::Unseen { .. })
            if project.options.checkout == CheckoutPolicy::Accept =>
        {
            project.tell(Event::Note(error.to_string()));
            Ok(())
        }
        answer => answer,
    }
}

/// The same for those who only say what a run would do.
///
/// # Errors
/// When settings are as an agent's turn left them, or that cannot be told.
pub fn seen(repo: &Repo, queue: &QueueFiles) -> Result<(), PreflightError> {
    let changed = unseen::find(repo, queue)?;
    if changed.is_empty() { Ok(()) } else { Err(PreflightError::Unseen { changed }) }
}

/// Whether the programs of agent and gate will be in a workspace.
fn programs_are_tracked(project: &Project) -> Result<(), PreflightError> {
    let gate = &project.config.agent.ci_gate;
    let gate = gate.argv.first().filter(|_| gate.enabled).map(Path::new);
    let mut programs = gate.into_iter().chain([project.runner.program()]);
    programs.try_for_each(|program| in_workspaces(&project.repo, program))
}

/// Whether a program that is looked for in a workspace will be there, as far as the checkout
/// tells: one that is not here either may be made by a task.
///
/// # Errors
/// When it is here and git does not track it.
pub fn in_workspaces(repo: &Repo, program: &Path) -> Result<(), PreflightError> {
    let Some(program) = within(program) else { return Ok(()) };
    // A link that git tracks leads to where it leads in the workspace too.
    let is_link = |path: &&Path| {
        fs_err::symlink_metadata(repo.root().join(path)).is_ok_and(|found| found.is_symlink())
    };
    let part = program.ancestors().filter(is_link).last().unwrap_or(&program);
    if repo.root().join(&program).is_file() && !repo.is_tracked(part)? {
        return Err(PreflightError::NotInWorkspaces { program });
    }
    Ok(())
}

/// A program as seen from the root of the work tree that it is looked for in; `None` for one that
/// is looked for elsewhere.
fn within(program: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for part in program.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => inside.push(name),
            _ => return None,
        }
    }
    (program.components().count() > 1).then_some(inside)
}

/// The same, for a gate and a search path.
///
/// # Errors
/// When its program is missing or not executable.
pub fn gate_program(gate: &CiGate, path: Option<&OsStr>) -> Result<(), PreflightError> {
    let Some(program) = gate.argv.first().filter(|_| gate.enabled) else { return Ok(()) };
    let as_path = Path::new(program);
    // A relative path is looked up in the workspace, where a task may have made it.
    if as_path.is_relative() && as_path.components().count() > 1 {
        return Ok(());
    }
    if ralph_process::find_program(program.as_ref(), path).is_some() {
        return Ok(());
    }
    let (command, program) = (crate::gate::command_line(gate), program.clone());
    Err(if as_path.is_absolute() && as_path.is_file() {
        PreflightError::GateNotExecutable { command, program }
    } else {
        PreflightError::GateMissing { command, program }
    })
}

/// Whether the work tree is clean but for Ralph's own files.
///
/// # Errors
/// When it is not, unless that is accepted; when a merge is under way, in any case.
pub fn clean(project: &Project) -> Result<(), PreflightError> {
    nothing_under_way(&project.repo)?;
    if project.options.checkout == CheckoutPolicy::Accept {
        return Ok(());
    }
    unchanged(&project.repo, &project.queue)
}

/// Whether the work tree has no changes but those of Ralph's own files.
///
/// # Errors
/// When it has.
pub fn unchanged(repo: &Repo, queue: &QueueFiles) -> Result<(), PreflightError> {
    let changes = foreign_changes(repo, queue)?;
    if changes.is_empty() { Ok(()) } else { Err(PreflightError::Dirty { changes }) }
}

/// That no merge of the user's is under way, also where changes are accepted: what it has not
/// settled would be committed as it is, or be dropped.
///
/// # Errors
/// When one is, or files are in conflict without one.
pub fn nothing_under_way(repo: &Repo) -> Result<(), PreflightError> {
    let unmerged = unmerged(repo)?;
    match repo.operation()? {
        // On a branch it is only looked at, and nothing of it is in the way.
        None | Some(Operation::Bisect) if unmerged.is_empty() => Ok(()),
        None => Err(PreflightError::Unmerged { unmerged }),
        Some(operation) => Err(PreflightError::UnderWay { operation, unmerged }),
    }
}

fn unmerged(repo: &Repo) -> Result<Vec<Change>, GitError> {
    let mut changes = repo.changes()?;
    changes.retain(|change| change.kind == ChangeKind::Unmerged);
    Ok(changes)
}

/// Changes in the work tree that are not Ralph's own.
///
/// # Errors
/// When git fails.
pub fn foreign_changes(repo: &Repo, queue: &QueueFiles) -> Result<Vec<Change>, GitError> {
    let own = own_files(repo, queue);
    let is_own = |change: &Change| {
        own.contains(&change.path)
            || layout::is_runtime(&change.path)
            || (change.path.starts_with(".ralph") && change.kind == ChangeKind::Untracked)
    };
    let mut foreign = Vec::new();
    for change in repo.changes()? {
        if !is_own(&change) && !is_own_ignore_edit(repo, &change)? {
            foreign.push(change);
        }
    }
    Ok(foreign)
}

/// Files of the user that Ralph edits on the user's behalf.
fn own_files(repo: &Repo, queue: &QueueFiles) -> Vec<PathBuf> {
    let root = repo.root();
    let mut files = vec![PathBuf::from(".ralph/config.jsonc")];
    for path in [&queue.queue, &queue.done] {
        if let Ok(inside) = path.strip_prefix(root) {
            files.push(inside.to_owned());
        }
    }
    files
}

/// Whether the change is `ralph init`'s block in a file of the user's and nothing else.
fn is_own_ignore_edit(repo: &Repo, change: &Change) -> Result<bool, GitError> {
    let with_blocks = [".gitignore", ".gitattributes"];
    if !with_blocks.iter().any(|name| change.path == Path::new(name)) {
        return Ok(false);
    }
    let committed = match repo.head()?.commit() {
        Some(head) => repo.read_blob(head.as_str(), &change.path)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let now = fs_err::read(repo.root().join(&change.path)).unwrap_or_default();
    Ok(outside_blocks(&now).eq(outside_blocks(&committed)))
}

/// The lines that are not in a block that `ralph init` wrote; blank ones say nothing.
fn outside_blocks(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut inside = false;
    let lines =
        text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(move |line| {
        let begins = line.starts_with(b"# >>> ralph");
        let ends = line.starts_with(b"# <<< ralph");
        inside = (inside || begins) && !ends;
        !(inside || ends || line.trim_ascii().is_empty())
    })
}

/// Where workspaces go; refused if git would take them for the user's files.
fn workspace_root(project: &Project) -> Result<PathBuf, PreflightError> {
    let root = Layout::new(project.repo.root()).workspace_root(&project.config.parallel);
    usable_workspace_root(&project.repo, root)
}

/// The same for a root that is known.
///
/// # Errors
/// When git would see what is in it, or nothing can be made in it. It is not made by this.
pub fn usable_workspace_root(repo: &Repo, root: PathBuf) -> Result<PathBuf, PreflightError> {
    if let Ok(inside) = root.strip_prefix(repo.root())
        && (inside.as_os_str().is_empty() || !repo.is_ignored(&inside.join("probe"))?)
    {
        let inside = inside.to_owned();
        return Err(PreflightError::WorkspaceNotIgnored { path: root, inside });
    }
    match probe(&root) {
        Ok(()) => Ok(root),
        Err(source) => Err(PreflightError::WorkspaceRoot { path: root, source }),
    }
}

/// Makes something where the workspace root is or would begin, and takes it away again.
fn probe(root: &Path) -> std::io::Result<()> {
    // A link that leads nowhere is there: nothing can be made below it.
    let there = root.ancestors().find(|dir| fs_err::symlink_metadata(dir).is_ok());
    let there = there.unwrap_or(root);
    let probe = there.join(format!(".ralph-probe-{}", ralph_process::own_pid()));
    fs_err::create_dir(&probe)?;
    fs_err::remove_dir(&probe)
}

/// Sees to it that the remote has every commit of the branch, and says whether it has the branch.
fn pushed(project: &Project, branch: &str, commit: &Sha) -> Result<bool, PreflightError> {
    let Some(tip) = asked_tip(&project.repo, branch)? else { return Ok(false) };
    if project.options.checkout == CheckoutPolicy::Accept {
        return Ok(true);
    }
    nothing_unpushed(&project.repo, branch, commit, &tip).map(|()| true)
}

fn in_conflict(changes: &[Change]) -> String {
    if changes.is_empty() { String::new() } else { format!(", in conflict: {}", list(changes)) }
}

fn as_left(changed: &[Unseen]) -> String {
    let files: Vec<String> = changed
        .iter()
        .map(|file| format!("`{}` is as the agent of {} left it", file.path.display(), file.task))
        .collect();
    files.join(", ")
}

fn list(changes: &[Change]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> =
        changes.iter().take(SHOWN).map(|change| change.path.display().to_string()).collect();
    if changes.len() > SHOWN {
        text.push(format!("and {} more", changes.len() - SHOWN));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_and_a_path_outside_are_not_looked_for_in_the_work_tree() {
        let of = |program: &str| within(Path::new(program));
        assert_eq!(of("./agent.sh"), Some("agent.sh".into()));
        assert_eq!(of("bin/./agent"), Some("bin/agent".into()));
        assert_eq!((of("agent"), of("/bin/agent"), of("../agent")), (None, None, None));
    }

    #[test]
    fn only_the_lines_of_a_block_are_ours() {
        let text = b"/target\n# >>> ralph: its own\n/.ralph/cache/\n# <<< ralph\n\nralph-notes/\n";
        assert_eq!(outside_blocks(text).collect::<Vec<_>>(), [&b"/target"[..], b"ralph-notes/"]);
        assert!(outside_blocks(b"/target\nralph-notes/").eq(outside_blocks(text)));
        assert!(!outside_blocks(b"caf\xe9").eq(outside_blocks(b"caf\xe8")), "bytes, not text");
    }
}
