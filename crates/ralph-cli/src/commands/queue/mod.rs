//! `ralph queue …`.

mod branch;
mod claim;
mod export;
mod graph;
mod import;
pub(crate) mod list;
pub(crate) mod merges;
mod ready;
mod resolve;
mod search;
mod stats;
mod tidy;
mod unlock;
mod unmarked;

use std::ops::Range;

use ralph_loop::layout::Layout;
use ralph_loop::{ending, living};
use ralph_queue::document::Reading;
use ralph_queue::runnability::{DoingFirst, Drafts, Reason, Report, Selected, Summary, TaskReport};
use ralph_queue::stats::Estimates;
use ralph_queue::{
    Code, Edit, Listed, LoadError, Place, Problem, Queue, QueueFiles, Severity, Status, Task,
};
use ralph_state::file::{Durability, is_locked, replace};
use ralph_state::{Clock as _, TaskId, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::args::{
    AgentArgs, ArchiveArgs, ExplainArgs, NextArgs, NextIdArgs, PartArgs, QueueArgs, QueueCommand,
    StopArgs, TextOrJson,
};
use crate::commands::run::setup;
use crate::commands::task;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::{self, Project};
use crate::render::counted;
use crate::render::envelope::{Budget, Cut, List, Schema, Short, print_part};
use crate::render::room::Room;
use crate::render::task::{parted, reasons as reasons_of};
use crate::standing;
use crate::ui::{BOLD, DIM, GREEN, RED, Text, YELLOW, clip};

pub(crate) fn queue(context: &Context, args: &QueueArgs) -> Result<Exit, CliError> {
    match &args.command {
        QueueCommand::List(args) => list::list(context, args),
        QueueCommand::Search(args) => search::search(context, args),
        QueueCommand::Next(args) => next(context, args),
        QueueCommand::Show(args) => task::show(context, args),
        QueueCommand::Validate(args) => validate(context, &args.part),
        QueueCommand::Archive(args) => archive(context, args),
        QueueCommand::Explain(args) => explain(context, args),
        QueueCommand::Ready(args) => ready::ready(context, args),
        QueueCommand::Claim(args) => claim::claim(context, args),
        QueueCommand::Release(args) => claim::release(context, args),
        QueueCommand::Import(args) => import::import(context, args),
        QueueCommand::Export(args) => export::export(context, args),
        QueueCommand::MergeDriver(args) => branch::merge_driver(context, args),
        QueueCommand::Resolve(args) => resolve::resolve(context, args),
        QueueCommand::Check(args) => branch::check(context, args),
        QueueCommand::Graph(args) => graph::graph(context, args),
        QueueCommand::Tree(args) => graph::tree(context, args),
        QueueCommand::Unlock(args) => unlock::unlock(context, args),
        QueueCommand::Schema => schema(context),
        QueueCommand::Stats(args) => stats::stats(context, args),
        QueueCommand::History(args) => stats::history(context, args),
        QueueCommand::Burndown(args) => stats::burndown(context, args),
        QueueCommand::Aging(args) => stats::aging(context, args),
        QueueCommand::Dashboard(args) => stats::dashboard(context, args),
        QueueCommand::Stop(args) => stop(context, args),
        QueueCommand::NextId(args) => next_id(context, args),
        QueueCommand::Prune(args) => tidy::prune(context, args),
        QueueCommand::Sort(args) => tidy::sort(context, args),
        QueueCommand::Repair(args) => tidy::repair(context, args),
        QueueCommand::Changes(args) => tidy::changes(context, args),
    }
}

/// The first task that can start, as 0.4.0 prints it: not the one that is being worked on, which a
/// run would go on with.
fn next(context: &Context, args: &NextArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue next")?;
    let queue = project.queue()?;
    // A quick look: git is asked by those who take a task, or explain it.
    let standing = standing::recorded(context, &project, &queue)?;
    let task =
        queue.next(&project::selection(context, Drafts::Exclude, DoingFirst::Ignore, &standing));
    let estimates = args.with_eta.then(|| Estimates::new(&queue));
    let begun = queue.list(Place::Queue).filter(|listed| listed.status() == Status::Doing);
    let begun = begun.map(|listed| &listed.task().id);
    let is_gone_on_with = |id: &&TaskId| {
        standing.exclude.get(*id).is_none_or(|reason| *reason == Reason::Interrupted)
    };
    let doing: Vec<&TaskId> = begun.filter(is_gone_on_with).collect();
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Next<'a> {
            schema: Schema,
            rev: String,
            found: bool,
            task: Option<&'a Task>,
            /// What a run goes on with before it takes the next task.
            doing: Vec<&'a TaskId>,
            #[serde(skip_serializing_if = "Option::is_none")]
            eta_seconds: Option<i64>,
        }
        context.ui.print_json(&Next {
            schema: Schema::v1("queue-next"),
            rev: project::revision(&queue),
            found: task.is_some(),
            task,
            doing,
            eta_seconds: task.zip(estimates).and_then(|(task, estimates)| estimates.of(task)),
        })?;
        return Ok(Exit::Done);
    }
    match task {
        Some(task) => {
            let mut fields = vec![task.id.to_string()];
            fields.extend(args.with_title.then(|| task.title.trim().to_owned()));
            fields.extend(estimates.map(|estimates| list::eta(&estimates, task)));
            context.ui.print_fields([fields.as_slice()])?;
        }
        None if !has_open(&queue) => say_none_open(context, &queue),
        None => {
            context.ui.say("No task can start now.");
            context.ui.hint("`ralph queue explain` says why.");
        }
    }
    if !doing.is_empty() && !args.explain {
        let ids: Vec<&str> = doing.iter().map(|id| id.as_str()).collect();
        context.ui.say(format!("Begun, and what a run goes on with first: {}.", ids.join(", ")));
    }
    if args.explain {
        let selection = project::selection(context, Drafts::Exclude, DoingFirst::Prefer, &standing);
        let report = queue.runnability(&selection);
        let all = 0..report.tasks.len();
        context.ui.say(reasons(&queue, &report, all, context.ui.stderr_width()));
    }
    Ok(Exit::Done)
}

fn has_open(queue: &Queue) -> bool {
    queue.list(Place::Queue).any(|listed| !listed.status().is_terminal())
}

/// Says of a queue without open tasks that it is one.
fn say_none_open(context: &Context, queue: &Queue) {
    let is_empty = queue.list(Place::Queue).next().is_none();
    context.ui.say(if is_empty { "The queue is empty." } else { "Every task is finished." });
    context.ui.hint("`ralph task add TITLE` puts a task into the queue.");
}

/// The queue as a run that starts now would see it.
pub(crate) fn outlook(
    context: &Context,
    agent: &AgentArgs,
) -> Result<(Project, Queue, Report), CliError> {
    let project = setup::rehearsed(context, agent)?;
    let queue = project.queue()?;
    let standing = standing::of_run(context, &project, &queue)?;
    let drafts = if agent.include_draft { Drafts::Include } else { Drafts::Exclude };
    let selection = project::selection(context, drafts, DoingFirst::Prefer, &standing);
    let report = queue.runnability(&selection);
    Ok((project, queue, report))
}

/// Says which task a run would take, or why it would not take the one asked for.
pub(crate) fn dry_run(
    context: &Context,
    id: Option<&str>,
    agent: &AgentArgs,
) -> Result<Exit, CliError> {
    let (project, queue, report) = outlook(context, agent)?;
    let task = match id {
        Some(id) => {
            unclaimed(context, &project, id)?;
            Some(startable(&project, &queue, &report, id)?)
        }
        None => report
            .selection
            .selected_task_id
            .as_ref()
            .and_then(|id| queue.find(id.as_str()))
            .map(|(_, task)| task),
    };
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct DryRun<'a> {
            schema: Schema,
            rev: String,
            task: Option<&'a Task>,
            report: &'a Report,
        }
        let rev = project::revision(&queue);
        let schema = Schema::v1("run-dry-run");
        context.ui.print_json(&DryRun { schema, rev, task, report: &report })?;
    } else if let Some(task) = task {
        let text = Text::new().plain("Would work on ").style(BOLD, &task.id).plain(": ");
        context.ui.print(text.plain(&task.title))?;
    } else {
        let all = 0..report.tasks.len();
        context.ui.print(reasons(&queue, &report, all, context.ui.width()))?;
    }
    Ok(Exit::Done)
}

/// Refuses a task that somebody claimed, and says who.
pub(crate) fn unclaimed(context: &Context, project: &Project, id: &str) -> Result<(), CliError> {
    if project.read_leases()?.leases.is_empty() {
        return Ok(());
    }
    let Ok(id) = id.parse() else { return Ok(()) };
    let leases = project.leases_in(&project.queue()?)?;
    Ok(leases.permit(&[id], &[], context.clock.now())?)
}

fn startable<'q>(
    project: &Project,
    queue: &'q Queue,
    report: &Report,
    id: &str,
) -> Result<&'q Task, CliError> {
    let (_, task) = project.with_id(queue, id)?;
    match report.of(task) {
        // A task in `doing` that nobody has is one that a run was interrupted on.
        Some(report)
            if report.runnable
                || (report.status == Status::Doing
                    && !report.reasons.iter().any(Reason::is_taken)) =>
        {
            Ok(task)
        }
        Some(report) => Err(CliError::not_startable(&task.id, &report.reasons)),
        None => {
            let reason = Reason::StatusNotRunnable { status: task.status };
            Err(CliError::not_startable(&task.id, &[reason]))
        }
    }
}

fn explain(context: &Context, args: &ExplainArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue explain")?;
    let queue = project.queue()?;
    let drafts = if args.include_draft { Drafts::Include } else { Drafts::Exclude };
    let standing = standing::shown(context, &project, &queue)?;
    let selection = project::selection(context, drafts, DoingFirst::Prefer, &standing);
    let mut report = queue.runnability(&selection);
    let mut named = Vec::new();
    for id in &args.task_ids {
        named.push(project.find(&queue, id)?.1);
    }
    if !named.is_empty() {
        let readiness = queue.readiness(&selection);
        report.tasks = named.iter().map(|task| readiness.report_on(*task)).collect();
    }
    let key = |index: usize| report.tasks[index].id.to_string();
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Beside<'a> {
            now: Timestamp,
            selection: &'a Selected,
            summary: &'a Summary,
        }
        let Report { now, tasks, selection, summary, .. } = &report;
        let head = (Schema::v1("queue-explain"), Some(project::revision(&queue)));
        let beside = Beside { now: *now, selection, summary };
        print_part(&context.ui, head, (tasks, &args.part), key, &beside)?;
    } else if args.format == TextOrJson::Json {
        whole(&args.part)?;
        context.ui.print_json(&report)?;
    } else {
        let cut = Cut::of_text(report.tasks.len(), &args.part, key)?;
        let mut room = Room::new(args.part.max_tokens);
        let width = context.ui.width();
        let text = if named.is_empty() {
            reasons(&queue, &report, cut.range.clone(), width)
        } else {
            let lines = named.iter().zip(&report.tasks);
            let lines = lines.skip(cut.range.start).take(cut.range.len());
            let lines = lines.map(|(task, report)| reasons_line(&task.title, report, width));
            lines.reduce(|text, line| text.line().append(&line)).unwrap_or_default()
        };
        context.ui.print(room.fit(text))?;
        room.tell(&context.ui);
        cut.tell(&context.ui, report.tasks.len(), "task");
        if named.is_empty() && !has_open(&queue) {
            say_none_open(context, &queue);
        }
    }
    Ok(Exit::Done)
}

/// Refuses to cut a document that is of no use in part.
fn whole(part: &PartArgs) -> Result<(), CliError> {
    if part.max_tokens.is_none() && !part.is_of_entries() {
        return Ok(());
    }
    let message = "what `--format` asks for cannot be cut";
    Err(CliError::new(ErrorKind::Usage, message).hint("`--json` and text can be."))
}

/// Refuses to begin or end a drawing at an entry.
fn of_json(part: &PartArgs) -> Result<(), CliError> {
    if !part.is_of_entries() {
        return Ok(());
    }
    let message = "`--limit` and `--cursor` are of a list, which `--json` prints";
    Err(CliError::new(ErrorKind::Usage, message))
}

/// What is next, and why those of the tasks in `part` can or cannot start.
fn reasons(queue: &Queue, report: &Report, part: Range<usize>, width: Option<usize>) -> Text {
    let text = match &report.selection.selected_task_id {
        Some(id) => Text::new().plain("Next is ").style(BOLD, id).plain("."),
        None => Text::new().plain("No task can start now."),
    };
    let tasks = queue.list(Place::Queue).zip(&report.tasks).skip(part.start).take(part.len());
    // Of a finished task nobody asks why it does not start.
    let tasks = tasks.filter(|(_, report)| !report.status.is_terminal());
    let line = |(task, report): (Listed<'_>, _)| reasons_line(&task.title(), report, width);
    tasks.map(line).fold(text, |text, line| text.line().append(&line))
}

fn reasons_line(title: &str, report: &TaskReport, width: Option<usize>) -> Text {
    let text = Text::new().style(BOLD, &report.id).plain("  ");
    let text = if report.runnable {
        let is_begun = report.status == Status::Doing;
        text.style(GREEN, if is_begun { "is begun: a run goes on with it" } else { "can start" })
    } else {
        text.style(YELLOW, reasons_of(&report.reasons, report.id.as_str()))
    };
    let text = text.plain("  ");
    // Half a line, where the reason takes more than the rest.
    let left = width.map(|width| width.saturating_sub(text.len()).max(width / 2));
    text.style(DIM, clip(title, left))
}

fn validate(context: &Context, part: &PartArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue validate")?;
    let (queue, mut problems, unreadable) = match project.files.load_for(Reading::Checked) {
        Ok(queue) => {
            let problems = queue.validate(&project.files.rules);
            (Some(queue), problems, None)
        }
        Err(error @ LoadError::Parse { .. }) => {
            match project.files.problems().map_err(|error| project.load_error(error))? {
                // What a file is that is none is best told with what to do about it.
                problems if problems.len() == 1 && problems[0].code == Code::Unreadable => {
                    return Err(project.load_error(error));
                }
                problems => {
                    let is_unreadable = |problem: &Problem| problem.code == Code::Unreadable;
                    let is_any = problems.iter().any(is_unreadable);
                    (None, problems, is_any.then(|| project.load_error(error)))
                }
            }
        }
        Err(error) => return Err(project.load_error(error)),
    };
    let is_warning = |problem: &Problem| problem.severity != Severity::Error;
    problems.sort_by_key(is_warning);
    let (errors, warnings) = problems.split_at(problems.partition_point(|it| !is_warning(it)));
    let key = |index: usize| {
        let Problem { place, line, column, code, .. } = &problems[index];
        format!("{}:{line}:{column}:{code}", place.as_str())
    };
    let unsettled =
        queue.as_ref().map_or(0, |queue| merges::known_unsettled(context, &project, queue));
    let is_mended = if errors.is_empty() {
        warnings.iter().any(|problem| problem.code == Code::DuplicateId)
    } else {
        queue.as_ref().is_some_and(|queue| can_mend(context, &project, queue, errors.len()))
    };
    let next = is_mended.then_some(MEND);
    let way_out = unreadable.as_ref().and_then(CliError::next).map(ToString::to_string);
    if context.ui.wants_json() {
        let budget = Budget::new(part.max_tokens);
        let row = |problem: &Problem| {
            let mut row = row(&project, problem);
            row["severity"] = problem.severity.as_str().into();
            Short::within(row, budget)
        };
        let rows: Vec<_> = problems.iter().map(row).collect();
        let beside = json!({
            "valid": errors.is_empty(),
            "errors_total": errors.len(),
            "warnings_total": warnings.len(),
            "unsettled": unsettled,
            "next": way_out.as_deref().or(next),
        });
        let head = (Schema::v1("queue-validate"), queue.as_ref().map(project::revision));
        print_part(&context.ui, head, (&rows, part), key, &beside)?;
    } else {
        let cut = Cut::of_text(problems.len(), part, key)?;
        let mut room = Room::new(part.max_tokens);
        let lines = problems[cut.range.clone()].iter().map(|it| line(&project, it).line());
        room.print(&context.ui, lines)?;
        room.tell(&context.ui);
        cut.tell(&context.ui, problems.len(), "problem");
        match &queue {
            Some(queue) if errors.is_empty() => {
                let (active, done) =
                    (counted(queue.list(Place::Queue).count(), "task"), queue.done_tasks().len());
                context.ui.say(format!("The queue is valid: {active}, {done} archived."));
                if next.is_some() {
                    context.ui.hint(parted());
                }
            }
            _ => match &unreadable {
                Some(error) => error.hints().iter().for_each(|hint| context.ui.hint(hint)),
                None => context.ui.hint(advice(errors, next)),
            },
        }
        if unsettled > 0 {
            context.ui.warn(merges::told(unsettled));
            context.ui.hint("`ralph queue resolve` lists them.");
        }
    }
    Ok(if errors.is_empty() { Exit::Done } else { Exit::Refused })
}

/// What to do about errors, where that command mends some.
fn advice(errors: &[Problem], next: Option<&str>) -> String {
    // With another error beside it the file may not be read by an edit.
    let are_cycles = errors.iter().all(|problem| problem.code == Code::Cycle);
    // No edit changes what is in the done file.
    let in_cycle = errors.iter().find(|it| are_cycles && it.place == Place::Queue);
    match (next, in_cycle.and_then(|it| it.task.as_ref().zip(it.field.as_ref()))) {
        (Some(next), _) => format!("`{next}` shows what Ralph can mend; correct the rest by hand."),
        (None, Some((task, field))) => format!(
            "Correct them by hand: `ralph task edit {field} IDS {task}` says anew what stands \
             there. Every edit by Ralph checks again."
        ),
        (None, None) => "Correct them by hand; every edit by Ralph checks again.".to_owned(),
    }
}

const MEND: &str = "ralph queue repair --dry-run";

/// Whether `queue repair` would leave fewer errors in `queue` than there are.
fn can_mend(context: &Context, project: &Project, queue: &Queue, errors: usize) -> bool {
    let repair = |edit: &mut Edit<'_>| edit.repair(&project.files.rules);
    // Which ids it would give does not matter, nor what others have given.
    let files = QueueFiles { id_marks: None, ..project.files.clone() };
    let mended = files.preview_of(queue.clone(), context.clock.now(), repair);
    mended.is_ok_and(|mended| !mended.tasks.is_empty() && mended.errors < errors)
}

fn line(project: &Project, problem: &Problem) -> Text {
    let style = if problem.severity == Severity::Error { RED } else { YELLOW };
    Text::new()
        .plain(place(project, problem))
        .style(style, problem.severity.as_str())
        .plain(": ")
        .plain(crate::error::problem_line(problem))
}

/// Where a problem is, as editors read it.
fn place(project: &Project, problem: &Problem) -> String {
    let path = project.shown(project.files.path(problem.place));
    format!("{path}:{}:{}: ", problem.line, problem.column)
}

fn row(project: &Project, problem: &Problem) -> serde_json::Value {
    json!({
        "code": problem.code,
        "message": problem.message,
        "task": problem.task,
        "field": problem.field,
        "path": project.files.path(problem.place),
        "line": problem.line,
        "column": problem.column,
    })
}

fn archive(context: &Context, args: &ArchiveArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue archive")?;
    let (moved, rev): (Vec<TaskId>, String) = if args.dry_run {
        let shown = project.preview(context, |edit| Ok(edit.archive()));
        let shown = shown.map_err(|error| project.refused(error))?;
        (shown.value, shown.before.revision())
    } else {
        let made = project.edit(context, |edit| Ok(edit.archive()))?;
        (made.value, made.rev)
    };
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Item<'a> {
            id: &'a TaskId,
        }
        #[derive(Serialize)]
        struct Archived<'a> {
            #[serde(flatten)]
            list: List<&'a [Item<'a>]>,
            dry_run: bool,
            moved: &'a [TaskId],
        }
        let items: Vec<Item<'_>> = moved.iter().map(|id| Item { id }).collect();
        let list = List::all(Schema::v1("queue-archive"), Some(rev), &items);
        context.ui.print_json(&Archived { list, dry_run: args.dry_run, moved: &moved })?;
        return Ok(Exit::Done);
    }
    for id in &moved {
        context.ui.print(id)?;
    }
    let done = project.shown(project.files.path(Place::Done));
    context.ui.say(match (moved.len(), args.dry_run) {
        (0, _) => "No task is finished.".to_owned(),
        (count, true) => format!("{} would move to {done}.", counted(count, "task")),
        (count, false) => format!("{} moved to {done}.", counted(count, "task")),
    });
    Ok(Exit::Done)
}

fn stop(context: &Context, args: &StopArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue stop")?;
    let layout = Layout::new(&project.root);
    let path = layout.stop_file();
    let is_running = is_locked(&layout.run_lock())?;
    if !is_running {
        return stop_outlived(context, &layout, args);
    }
    let directory = path.parent().expect("the stop file is in the cache directory");
    fs_err::create_dir_all(directory)?;
    let text = format!("{}\n", context.clock.now());
    context.ui.saved(replace(&path, text.as_bytes(), Durability::FileOnly)?);
    if context.ui.wants_json() {
        context.ui.print_json(
            &json!({ "schema": Schema::v1("queue-stop"), "path": path, "running": true }),
        )?;
    } else {
        context.ui.say("A running loop ends after the tasks at hand.");
        if args.now {
            context.ui.hint("Ctrl-C, or SIGTERM, ends it at once.");
        }
    }
    Ok(Exit::Done)
}

/// What is left to stop where no run is active: workers that outlived theirs.
fn stop_outlived(context: &Context, layout: &Layout, args: &StopArgs) -> Result<Exit, CliError> {
    let workers = if args.now {
        let ended = ending::end_outlived(layout, &context.holder("ralph queue stop"))?;
        ended.ok_or_else(|| {
            CliError::new(ErrorKind::Busy, "a run began meanwhile")
                .hint("`ralph queue stop` ends it after the tasks at hand.")
        })?
    } else {
        living::tasks(layout)?
    };
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": Schema::v1("queue-stop"),
            "path": null,
            "running": false,
            "workers": workers,
            "ended": args.now && !workers.is_empty(),
        }))?;
        return Ok(Exit::Done);
    }
    if workers.is_empty() {
        context.ui.say("No run is active here: there is nothing to stop.");
        return Ok(Exit::Done);
    }
    let count = counted(workers.len(), "worker");
    let tasks: Vec<&str> = workers.iter().map(TaskId::as_str).collect();
    let tasks = tasks.join(", ");
    if args.now {
        context.ui.say(format!("{count} that outlived a run, now ended: {tasks}."));
        context.ui.hint("`ralph run parallel status` shows how they stand.");
    } else {
        context.ui.say(format!(
            "No run is active here, but {count} of one that is gone: {tasks}. Each lands what it \
             has and ends by itself."
        ));
        context.ui.hint(
            "`ralph queue stop --now` ends them at once; the next run goes on with their tasks.",
        );
    }
    Ok(Exit::Done)
}

fn schema(context: &Context) -> Result<Exit, CliError> {
    context.ui.print_json(&ralph_queue::schema::schema())?;
    Ok(Exit::Done)
}

fn next_id(context: &Context, args: &NextIdArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue next-id")?;
    let queue = project.queue()?;
    let rules = &project.files.rules.ids;
    let highest = queue.highest_number(rules).max(project.files.high_water()?);
    let ids = (1..=u64::from(args.count))
        .map(|step| rules.id(highest.saturating_add(step)))
        .collect::<Result<Vec<TaskId>, _>>()
        .map_err(|error| {
            CliError::new(ErrorKind::Invalid, error)
                .context("no id can be made")
                .hint("Correct `queue.id_prefix` or `queue.id_width`.")
        })?;
    if context.ui.wants_json() {
        let items: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        let rev = Some(project::revision(&queue));
        context.ui.print_json(&List::all(Schema::v1("queue-next-id"), rev, &items))?;
    } else {
        for id in ids {
            context.ui.print(id)?;
        }
    }
    Ok(Exit::Done)
}
