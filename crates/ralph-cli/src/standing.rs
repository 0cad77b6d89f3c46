//! What parallel runs and claims keep from everybody else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ralph_git::Sha;
use ralph_loop::event::WorkPlace;
use ralph_loop::in_hand::{self, InHand};
use ralph_loop::landed::Landings;
use ralph_loop::layout::Layout;
use ralph_loop::select::Standing;
use ralph_loop::{living, rebuild, select, turn};
use ralph_queue::Queue;
use ralph_queue::runnability::Reason;
use ralph_state::{Clock as _, ParallelStateFile, TaskId};

use crate::context::Context;
use crate::error::{CliError, ErrorKind, by};
use crate::hint::Next;
use crate::project::Project;

/// What to do about workers without a record.
pub(crate) const RECOVER: &str = "`ralph run parallel recover` makes their records again.";

/// What a run would leave alone; an error where a run would be refused.
pub(crate) fn of_run(
    context: &Context,
    project: &Project,
    queue: &Queue,
) -> Result<Standing, CliError> {
    let mut standing = of_parallel_run(context, project, queue)?;
    standing.heed(project.leases_for(queue)?.standing(queue, context.clock.now()));
    Ok(standing)
}

/// The same without what is claimed.
pub(crate) fn of_parallel_run(
    context: &Context,
    project: &Project,
    queue: &Queue,
) -> Result<Standing, CliError> {
    let layout = Layout::new(&project.root);
    let state = ralph_loop::project::store(&layout, &project.files.holder).load()?;
    let state = state.map(|loaded| loaded.value).unwrap_or_default();
    let mut standing = select::standing(&state, queue, &living::open_tasks(&layout, queue)?);
    standing.heed_landed(landed(context, project, queue)?);
    Ok(standing)
}

/// The tasks that the queue has open and the checked out branch has landed. Where there is no git
/// nothing has.
pub(crate) fn landed(
    context: &Context,
    project: &Project,
    queue: &Queue,
) -> Result<BTreeMap<TaskId, Sha>, CliError> {
    let Ok(repo) = context.repo(&project.root) else { return Ok(BTreeMap::new()) };
    let tip = repo.resolve("HEAD")?;
    Ok(Landings::for_queue(&repo, &project.settings.config.queue, tip, queue)?.among(queue)?)
}

/// That no run has any of `tasks` in hand.
pub(crate) fn in_nobodys_hand(project: &Project, tasks: &BTreeSet<TaskId>) -> Result<(), CliError> {
    if tasks.is_empty() {
        return Ok(());
    }
    let layout = Layout::new(&project.root);
    let Some(found) = in_hand::find(&layout, &project.files.holder, tasks)? else { return Ok(()) };
    let InHand { task, place, run } = found;
    let kind = match (place, &run) {
        (WorkPlace::Checkout, _) => "a run in your checkout",
        (WorkPlace::Workspaces, Some(_)) => "a parallel run",
        (WorkPlace::Workspaces, None) => "a worker that outlived its run",
    };
    let by = run.as_ref().map(|run| format!(": {}", by(run))).unwrap_or_default();
    let message = format!("{task} is in the hands of {kind}{by}");
    let error = CliError::new(ErrorKind::Busy, message)
        .context("nothing was changed")
        .hint(Next::show(&task).within("Wait until it is done: {} says so."));
    Err(match run {
        None => error,
        Some(_) => error.hint(
            "`ralph queue stop` ends the run after the tasks at hand; Ctrl-C ends it at once, and \
             their work is kept.",
        ),
    })
}

/// That `tasks` are not ended from within a turn of the task `own`. One that no run has in hand is
/// of a turn elsewhere, in another repository say, unless this is the workspace of the turn.
pub(crate) fn in_no_turn(
    context: &Context,
    project: &Project,
    own: &TaskId,
    tasks: &BTreeSet<TaskId>,
) -> Result<(), CliError> {
    let Some(task) = tasks.first() else { return Ok(()) };
    let layout = Layout::new(&project.root);
    let of_turn = BTreeSet::from([own.clone()]);
    let canonical = |path: &Path| fs_err::canonicalize(path).ok();
    let workspace = context.env.get(turn::WORKSPACE).and_then(|path| canonical(path.as_ref()));
    let is_workspace = workspace.is_some() && workspace == canonical(&project.root);
    if !is_workspace && in_hand::find(&layout, &project.files.holder, &of_turn)?.is_none() {
        return Ok(());
    }
    let message = format!("a turn of {own} ends no other task, and gives none another status");
    Err(CliError::new(ErrorKind::Refused, message)
        .context("nothing was changed")
        .hint(format!("Leave word for the user instead: `ralph task note {task} TEXT`.")))
}

/// What a run would leave alone as far as that can be read: enough to show, not to take a task by.
pub(crate) fn shown(
    context: &Context,
    project: &Project,
    queue: &Queue,
) -> Result<Standing, CliError> {
    let mut standing = recorded(context, project, queue)?;
    standing.heed_landed(landed(context, project, queue)?);
    Ok(standing)
}

/// The same without what git's history says.
pub(crate) fn recorded(
    context: &Context,
    project: &Project,
    queue: &Queue,
) -> Result<Standing, CliError> {
    let layout = Layout::new(&project.root);
    let found = ralph_loop::project::store(&layout, &project.files.holder).salvage()?;
    let living = living::open_tasks(&layout, queue)?;
    let state = found.as_ref().map(|found| found.state.clone()).unwrap_or_default();
    let mut standing = select::standing(&state, queue, &living);
    if let Some(found) = found.filter(|found| found.refused.is_some()) {
        for part in found.bad {
            let Some(task) = part.task_id.and_then(|task| task.parse().ok()) else { continue };
            let error = Some("its record cannot be read".to_owned());
            standing.exclude.entry(task).or_insert(Reason::Begun { error });
        }
        context.ui.warn("some of the state file of parallel runs cannot be read");
        context.ui.hint(
            "`ralph run parallel status` shows what; `ralph run parallel recover` rebuilds it.",
        );
    } else if !standing.unrecorded.is_empty() {
        context.ui.warn(unrecorded(&standing.unrecorded));
        context.ui.hint(RECOVER);
    }
    standing.heed(project.leases_for(queue)?.standing(queue, context.clock.now()));
    let session = project.open_session().ok().flatten();
    if let Some(task) = session.and_then(|task| task.parse::<TaskId>().ok()) {
        let in_hand = in_hand::in_checkout(&layout, &project.files.holder)?;
        let is_it = in_hand.as_ref() == Some(&task);
        let reason = if is_it { Reason::Underway } else { Reason::Interrupted };
        standing.exclude.entry(task).or_insert(reason);
    }
    Ok(standing)
}

/// The same for those who show tasks, whatever is wrong with the state file.
pub(crate) fn glanced(context: &Context, project: &Project, queue: &Queue) -> Standing {
    recorded(context, project, queue).unwrap_or_else(|error| {
        context.ui.warn(error.chain().join(": "));
        let living = living::open_tasks(&Layout::new(&project.root), queue).unwrap_or_default();
        let mut standing = select::standing(&ParallelStateFile::default(), queue, &living);
        if let Ok(leases) = project.leases_for(queue) {
            standing.heed(leases.standing(queue, context.clock.now()));
        }
        standing
    })
}

/// Workers that live, and of which the state file does not know.
pub(crate) fn unrecorded(tasks: &BTreeSet<TaskId>) -> String {
    let names: Vec<&str> = tasks.iter().map(TaskId::as_str).collect();
    let count = tasks.len();
    let workers =
        if count == 1 { "1 worker lives".to_owned() } else { format!("{count} workers live") };
    format!("{workers} that the state file knows nothing of: {}", names.join(", "))
}

/// The tasks that have a workspace. Where that cannot be told there is nothing to show.
pub(crate) fn workspaces(context: &Context, project: &Project) -> BTreeSet<String> {
    let root = Layout::new(&project.root).workspace_root(&project.settings.config.parallel);
    let git = context.git_env();
    let found = context.repo(&project.root).ok();
    let found = found.and_then(|repo| rebuild::workspaces(&repo, &git, &root).ok());
    found.unwrap_or_default().into_iter().map(|left| left.task).collect()
}
