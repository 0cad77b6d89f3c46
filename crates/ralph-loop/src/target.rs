//! The target branch: where work lands, with a remote or without one.

use std::path::Path;

use ralph_config::QueueConfig;
use ralph_git::{
    FastForward, GitError, Head, NotRemovable, OpenError, Push, Sha, UpdateRef, Workspace,
};
use ralph_state::WorkerRecord;

use crate::books::Books;
use crate::checkout::{self, CheckoutError};
use crate::event::Event;
use crate::layout;
use crate::project::Project;
use crate::worker::chain;

/// The remote that work is pushed to.
pub const REMOTE: &str = "origin";

/// Moves the target branch of the user's own repository, which has no remote.
///
/// A branch that is checked out is fast-forwarded in the checkout by git's own
/// rules, so that no local change is overwritten; any other branch is moved only
/// if it still is at `tip`, and no other work tree has it checked out.
///
/// # Errors
/// When git cannot be asked. A refusal is an outcome.
pub fn advance_local(
    project: &Project,
    workspace: &Workspace,
    branch: &str,
    landing: &Sha,
    tip: &Sha,
) -> Result<Push, CheckoutError> {
    let main = &project.repo;
    let keep = format!("refs/ralph/landing/{branch}");
    if let Err(error) = main.fetch_from(workspace.root(), landing, &keep) {
        return Ok(Push::Transient { reason: error.to_string() });
    }
    let checked_out = matches!(main.head()?, Head::Branch { name, .. } if name == branch);
    if checked_out {
        let forwarded = match checkout::fast_forward(project, landing) {
            Err(CheckoutError::Lock(held)) => {
                return Ok(Push::Transient { reason: held.to_string() });
            }
            // The branch has it; the user's queue files are where the error says.
            Err(error) if main.head()?.commit() == Some(landing) => {
                project.tell(Event::Note(chain(&error)));
                FastForward::Done
            }
            other => other?,
        };
        return Ok(match forwarded {
            FastForward::Done | FastForward::AlreadyThere => Push::Pushed,
            FastForward::NotAFastForward => Push::Raced,
            FastForward::Refused { reason } => Push::Refused { reason },
            FastForward::WouldOverwrite { files } => Push::Refused {
                reason: format!(
                    "your checkout has local changes in {}; commit them, then retry",
                    list(&files)
                ),
            },
        });
    }
    // The files there would say to take back what has landed. No other task could land either.
    if let Some(elsewhere) = main.checked_out_at(branch)? {
        let elsewhere = elsewhere.display();
        let reason = format!("`{branch}` is checked out in the work tree `{elsewhere}`");
        return Ok(Push::RemoteGone { reason });
    }
    let name = format!("refs/heads/{branch}");
    Ok(match main.update_ref(&name, landing, Some(tip))? {
        UpdateRef::Updated => Push::Pushed,
        UpdateRef::Stale => Push::Raced,
    })
}

/// The workspace of this repository at `path`; `None` when nothing is there.
///
/// For the process that holds the worker lock of its task, or knows that nobody does.
///
/// # Errors
/// When something else is there.
pub fn open_workspace(project: &Project, path: &Path) -> Result<Option<Workspace>, OpenError> {
    if !path.exists() {
        return Ok(None);
    }
    let workspace = Workspace::open(path, project.git_env.clone(), project.cancel.clone())?;
    if !workspace.is_of(&project.repo)? {
        return Err(OpenError::NotAWorkspace { path: path.to_owned() });
    }
    // A git that was killed with its worker leaves locks; nobody else works here now.
    workspace.remove_stale_locks()?;
    Ok(Some(workspace))
}

/// Removes the workspace of `record`, whose work has landed, if nothing in it would be lost.
///
/// # Errors
/// When git cannot be asked; a workspace that may not go stays, and that is told.
pub fn discard(
    project: &Project,
    workspace: Workspace,
    branch: &str,
    record: &WorkerRecord,
) -> Result<(), GitError> {
    let local = format!("refs/heads/{branch}");
    let remote = format!("refs/remotes/{REMOTE}/{branch}");
    let kept = [local.as_str(), remote.as_str()];
    let mut checked = workspace.check_removable(&project.repo, &kept)?;
    if checked.is_err()
        && let Some(landed) = record.landed_commit.as_deref().and_then(|sha| sha.parse().ok())
        && has_only(&workspace, &project.config.queue, record, &landed)?
    {
        workspace.reset_clean(&landed)?;
        checked = workspace.check_removable(&project.repo, &kept)?;
    }
    let proof = match checked {
        Ok(proof) => proof,
        Err(left) => {
            let path = workspace.root().to_owned();
            let has_commits = matches!(left, NotRemovable::Unreachable { .. });
            project.tell(Event::WorkspaceKept { path, has_commits });
            tracing::info!(?left, "workspace kept");
            return Ok(());
        }
    };
    if let Err(error) = workspace.remove(proof) {
        tracing::warn!(error = &error as &dyn std::error::Error, "a workspace is left behind");
    }
    Ok(())
}

/// Whether a workspace has nothing but what landed, as its worker left it when it died before it
/// could tidy up: the queue is edited but not committed there, and its commit is the one that the
/// landing was made from.
fn has_only(
    workspace: &Workspace,
    config: &QueueConfig,
    record: &WorkerRecord,
    landed: &Sha,
) -> Result<bool, GitError> {
    if workspace.resolve(landed.as_str())?.is_none() {
        return Ok(false);
    }
    let books = Books::at(workspace, config, landed)?.paths();
    let is_landed = |tree: &Sha| -> Result<bool, GitError> {
        let changed = workspace.changed_paths(tree, landed)?;
        Ok(changed.iter().all(|path| layout::is_runtime(path) || books.contains(path)))
    };
    for name in ["HEAD".to_owned(), format!("refs/heads/{}", workspace.branch())] {
        let Some(commit) = workspace.resolve(&name)? else { continue };
        let is_work = record.work_commit.as_deref() == Some(commit.as_str());
        if !is_work && !is_landed(&commit)? {
            return Ok(false);
        }
    }
    is_landed(&workspace.work_tree_hash(&layout::runtime_paths(workspace.root()))?)
}

fn list(files: &[std::path::PathBuf]) -> String {
    files.iter().map(|file| format!("`{}`", file.display())).collect::<Vec<_>>().join(", ")
}
