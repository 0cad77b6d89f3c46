//! `ralph run …`.

mod failure;
mod plan;
mod recover;
mod report;
pub(crate) mod setup;
mod status;

use std::path::Path;
use std::sync::Arc;

use ralph_config::GitPublishMode;
use ralph_loop::event::RunSummary;
use ralph_loop::layout::Layout;
use ralph_loop::serial::{self, Wanted};
use ralph_loop::worker::{self, WorkerEnd};
use ralph_loop::{coordinator, project};
use ralph_process::Signal;
use ralph_state::TaskId;

use crate::args::{AgentArgs, LoopArgs, OneArgs, ParallelCommand, ResumeArgs, RunArgs, RunCommand};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::render::progress::{Detail, Progress};
use setup::Handover;

pub(crate) use report::time;

pub(crate) fn run(context: &Context, args: &RunArgs) -> Result<Exit, CliError> {
    match &args.command {
        RunCommand::One(args) => one(context, args),
        RunCommand::Loop(args) => run_loop(context, args),
        RunCommand::Resume(args) => resume(context, args),
        RunCommand::Parallel(args) => match &args.command {
            ParallelCommand::Status => status::status(context),
            ParallelCommand::Retry(args) => status::retry(context, args),
            ParallelCommand::Recover(args) => recover::recover(context, args),
        },
    }
}

fn one(context: &Context, args: &OneArgs) -> Result<Exit, CliError> {
    let id = args.id.as_deref().map(parse_id).transpose()?;
    if let (true, Some(task), Some(claim)) = (args.parallel_worker, &id, &args.claim) {
        return work(context, args, task, claim);
    }
    if args.dry_run {
        return dry_run(context, &args.agent, id.as_ref());
    }
    if let Some(id) = &id {
        let project = crate::project::Project::open(context, "ralph run one")?;
        super::queue::unclaimed(context, &project, id.as_str())?;
    }
    let wanted = id.map_or(Wanted::Next, Wanted::Task);
    serial(context, "ralph run one", &args.agent, None, &wanted)
}

fn run_loop(context: &Context, args: &LoopArgs) -> Result<Exit, CliError> {
    let max_tasks = (args.max_tasks > 0).then_some(args.max_tasks);
    let configured = || setup::configured_workers(context);
    let workers = match args.parallel {
        Some(Some(workers)) => Some(workers),
        Some(None) => Some(configured()?.unwrap_or(2)),
        None => configured()?.filter(|workers| *workers >= 2),
    };
    if args.dry_run {
        return plan::print(context, workers, max_tasks, &args.agent);
    }
    match workers {
        Some(workers) => {
            if args.resume {
                context.ui.warn("`--resume` is not needed with `--parallel`: a run always goes on");
            }
            if args.agent.git_publish_mode.is_some() {
                context.ui.warn(
                    "`--git-publish-mode` has no effect on a parallel run: what lands is pushed",
                );
            }
            with_progress(context, "ralph run loop", &args.agent, max_tasks, |project| {
                warn_of_unknown_queue(context, project)?;
                coordinator::run(project, workers.into())
                    .map_err(|error| failure::parallel(project, error))
            })
        }
        None => serial(context, "ralph run loop", &args.agent, max_tasks, &Wanted::All),
    }
}

/// A queue that git does not know is edited here alone. Where git ignores it, that is meant so.
fn warn_of_unknown_queue(context: &Context, project: &project::Project) -> Result<(), CliError> {
    let Some(queue) = unknown_queue(project)? else { return Ok(()) };
    context.ui.warn(format!(
        "git does not know `{}`: what lands does not say which tasks are done, and no other \
         clone has them",
        queue.display()
    ));
    context.ui.hint(
        "`git add .ralph` and a commit change that; a line in `.gitignore` says that it is meant.",
    );
    Ok(())
}

/// The queue file, if git neither knows nor ignores it.
fn unknown_queue(project: &project::Project) -> Result<Option<&Path>, CliError> {
    let Ok(queue) = project.queue.queue.strip_prefix(project.repo.root()) else { return Ok(None) };
    let is_settled = project.repo.is_tracked(queue)? || project.repo.is_ignored(queue)?;
    Ok(Some(queue).filter(|_| !is_settled))
}

fn resume(context: &Context, args: &ResumeArgs) -> Result<Exit, CliError> {
    serial(context, "ralph run resume", &args.agent, None, &Wanted::All)
}

fn serial(
    context: &Context,
    command: &str,
    agent: &AgentArgs,
    max_tasks: Option<u32>,
    wanted: &Wanted,
) -> Result<Exit, CliError> {
    adopt_orphans();
    with_progress(context, command, agent, max_tasks, |project| {
        warn_of_first_commit(context, project)?;
        serial::run(project, wanted).map_err(|error| failure::serial(project, error))
    })
}

/// The first commit takes along what `ralph init` wrote, if nobody has committed that.
fn warn_of_first_commit(context: &Context, project: &project::Project) -> Result<(), CliError> {
    let Some(queue) = unknown_queue(project)? else { return Ok(()) };
    if project.config.agent.git_publish_mode == GitPublishMode::Off {
        return Ok(());
    }
    context.ui.warn(format!(
        "git does not know `{}`: the commit of the first task takes along what `ralph init` wrote",
        queue.display()
    ));
    context.ui.hint("`git add .ralph .gitignore` and a commit before the run keep them apart.");
    Ok(())
}

/// For a process that runs turns: what an agent leaves behind ends with the turn.
fn adopt_orphans() {
    if let Err(error) = ralph_process::adopt_orphans() {
        // Most of it is found without.
        tracing::warn!(%error, "cannot adopt what agents leave behind");
    }
}

/// Carries out a run while its events are shown, then reports.
pub(crate) fn with_progress(
    context: &Context,
    command: &str,
    agent: &AgentArgs,
    max_tasks: Option<u32>,
    run: impl FnOnce(&project::Project) -> Result<RunSummary, CliError>,
) -> Result<Exit, CliError> {
    if agent.git_revert_mode.is_some() {
        context.ui.warn("`--git-revert-mode` has no effect: nothing of yours is ever reverted");
    }
    let detail = if context.ui.wants_json() || agent.no_progress {
        Detail::Silent
    } else if context.ui.stderr_can_repaint() {
        Detail::Live
    } else {
        Detail::Lines
    };
    let progress = Arc::new(Progress::new(detail, context.ui.stderr_has_color()));
    let shown = Arc::clone(&progress);
    let opened =
        setup::open(context, command, agent, max_tasks, Box::new(move |event| shown.tell(&event)))?;
    match progress.during(|| run(&opened.project)) {
        Ok(summary) => report::finish(context, &summary, &opened),
        // Whatever was cut short by a signal failed because of it.
        Err(error) => Err(match opened.interrupts.first() {
            Some(Signal::Interrupt) => error.because(ErrorKind::Interrupted).instead(REPEAT),
            Some(_) => error.because(ErrorKind::Terminated).instead(REPEAT),
            None => error,
        }),
    }
}

const REPEAT: &str = "Repeat the command to go on.";

/// The process of one parallel worker: its stdout and stderr are its log.
fn work(context: &Context, args: &OneArgs, task: &TaskId, claim: &str) -> Result<Exit, CliError> {
    adopt_orphans();
    let directory = context.directory()?;
    let root = crate::project::find_root(&directory).unwrap_or(&directory);
    let handover = Handover::read()?;
    let progress = Progress::new(Detail::Lines, false);
    let opened = setup::open_worker(
        context,
        root,
        &args.agent,
        handover,
        worker::marker(task.as_str(), claim),
        Box::new(move |event| progress.tell(&event)),
    );
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // No task is to blame for what keeps a worker from starting.
            let store = project::store(&Layout::new(root), &context.holder(setup::WORKER));
            worker::hold_back(store, task, claim, &error.chain().join(": "))?;
            return Err(error);
        }
    };
    Ok(match worker::run(&opened.project, task, claim)? {
        WorkerEnd::Landed | WorkerEnd::Superseded => Exit::Done,
        WorkerEnd::Blocked | WorkerEnd::Failed => Exit::Failed,
        WorkerEnd::Stopped => Exit::Terminated,
    })
}

/// Says which task would be next, and why the others are not.
fn dry_run(context: &Context, agent: &AgentArgs, id: Option<&TaskId>) -> Result<Exit, CliError> {
    super::queue::dry_run(context, id.map(TaskId::as_str), agent)
}

fn parse_id(id: &str) -> Result<TaskId, CliError> {
    id.parse().map_err(|error: ralph_state::TaskIdError| CliError::new(ErrorKind::Usage, error))
}
