//! `ralph queue prune|sort|repair|changes`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ralph_queue::tidy::{Prune, Urgent};
use ralph_queue::{
    Edit, EditError, LoadError, ParseError, Place, Problem, Queue, Severity, Status, UpdateError,
    WrongValues,
};
use ralph_state::TaskId;
use serde::Serialize;

use crate::args::{ChangesArgs, Order, PruneArgs, RepairArgs, SortArgs};
use crate::commands::edited::{self, Mode, Report};
use crate::commands::undo::{Told, line};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit, problem_line};
use crate::project::{Project, Refusal};
use crate::render::counted;
use crate::render::envelope::{Budget, Cut, Schema, Short, print_part};
use crate::render::room::Room;
use crate::ui::Text;

pub(crate) fn prune(context: &Context, args: &PruneArgs) -> Result<Exit, CliError> {
    if let Some(status) = args.status.iter().find(|status| !Status::is_terminal(**status)) {
        let message = format!("no task in the done file is {status}");
        return Err(CliError::new(ErrorKind::Usage, message));
    }
    let project = Project::open(context, "ralph queue prune")?;
    let what = Prune {
        days: args.age,
        statuses: args.status.clone(),
        keep_last: args.keep_last.unwrap_or(0),
    };
    let mut kept = Vec::new();
    let report = edited::make(context, &project, Mode::of(args.dry_run), |edit| {
        kept = edit.prune(&what);
        Ok(())
    })?;
    let exit = Report { kept, ..report }.tell(context)?;
    if context.ui.wants_json() {
        return Ok(exit);
    }
    let queue = project.queue()?;
    let finished = queue.list(Place::Queue).filter(|listed| listed.status().is_terminal()).count();
    if finished > 0 {
        let finished = counted(finished, "finished task");
        context.ui.hint(format!(
            "The queue has {finished}, which only `ralph queue archive` moves to the done file."
        ));
    }
    Ok(exit)
}

pub(crate) fn sort(context: &Context, args: &SortArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue sort")?;
    let urgent = if args.order == Order::Descending { Urgent::First } else { Urgent::Last };
    edited::edit(context, &project, Mode::of(args.dry_run), |edit| {
        edit.sort(urgent);
        Ok(())
    })
}

pub(crate) fn repair(context: &Context, args: &RepairArgs) -> Result<Exit, CliError> {
    let mut project = Project::open(context, "ralph queue repair")?;
    let (report, problems) = match repaired(context, &project, args, &[]) {
        Err(UpdateError::Load(LoadError::Parse {
            source: ParseError::Shape { .. }, path, ..
        })) => {
            // What such a value was to say, nobody can tell, and it is not for a repair to throw it
            // away: its task is left to the user.
            let values = project.files.unreadable_values();
            let values = values.map_err(|error| project.load_error(error))?;
            project.files.values = WrongValues::Leave;
            let repaired = repaired(context, &project, args, &values);
            let (report, problems) = repaired.map_err(|error| match error {
                UpdateError::Load(LoadError::Parse {
                    source: ParseError::Shape { .. }, ..
                })
                | UpdateError::Splice(_)
                | UpdateError::Refused(Refusal::Edit(EditError::Splice(_))) => {
                    in_the_way(&project, path, &values)
                }
                error => project.refused(error),
            })?;
            (report, [values, problems].concat())
        }
        repaired => repaired.map_err(|error| project.refused(error))?,
    };
    report.of_all().tell(context)?;
    let left: Vec<_> =
        problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    for problem in &left {
        context.ui.warn(super::place(&project, problem) + &problem_line(problem));
    }
    if left.is_empty() {
        return Ok(Exit::Done);
    }
    context.ui.hint("Correct the rest by hand; `ralph queue validate` says where it is.");
    Ok(Exit::Refused)
}

/// Repairs all but the tasks with values of the wrong kind; tells what is left besides those.
fn repaired(
    context: &Context,
    project: &Project,
    args: &RepairArgs,
    values: &[Problem],
) -> Result<(Report, Vec<Problem>), UpdateError<Refusal>> {
    let rules = &project.files.rules;
    let left: BTreeSet<TaskId> = values.iter().filter_map(|value| value.task.clone()).collect();
    let repair = |edit: &mut Edit<'_>| Ok(edit.repair_but(rules, &left)?);
    // The difference is told in either case: nobody reads a repair line by line beforehand.
    let (report, mut problems) = if args.dry_run {
        let mut shown = project.preview(context, repair)?;
        let closed = places(&shown.after, std::mem::take(&mut shown.value));
        let problems = shown.after.validate(rules);
        (Report { closed, ..Report::shown(project, shown) }, problems)
    } else {
        let mut made = project.change(context, repair)?;
        let after = made.after();
        let closed = places(&after, std::mem::take(&mut made.value));
        let problems = after.validate(rules);
        (Report { closed, ..Report::made_and_shown(project, made) }, problems)
    };
    // What such a value was read as says nothing about it.
    problems.retain(|it| {
        let is_it = |value: &Problem| (&value.task, &value.field) == (&it.task, &it.field);
        !values.iter().any(is_it)
    });
    Ok((report, problems))
}

/// Those tasks, with where they are.
fn places(queue: &Queue, ids: Vec<TaskId>) -> Vec<(TaskId, Place)> {
    let place = |id: &TaskId| queue.find(id.as_str()).map_or(Place::Queue, |(place, _)| place);
    ids.into_iter().map(|id| (id.clone(), place(&id))).collect()
}

/// The values that keep a repair from the rest, each with its place.
fn in_the_way(project: &Project, path: PathBuf, values: &[Problem]) -> CliError {
    let lines: Vec<String> = values
        .iter()
        .map(|problem| super::place(project, problem) + &problem_line(problem))
        .collect();
    CliError::new(ErrorKind::Invalid, lines.join("\n"))
        .context("nothing can be repaired before these values are corrected")
        .hint("Correct them by hand, then repeat the command.")
        .at(path)
}

pub(crate) fn changes(context: &Context, args: &ChangesArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue changes")?;
    let changes =
        project.files.changes_since(&args.since).map_err(|error| project.changes_error(error))?;
    let key = |index: usize| changes.operations[index].id.to_string();
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Beside {
            complete: bool,
        }
        let items = changes.operations.iter().map(Told::from);
        let budget = Budget::new(args.part.max_tokens);
        let items: Vec<_> = items.map(|item| Short::within(item, budget)).collect();
        let head = (Schema::v1("queue-changes"), Some(changes.rev.clone()));
        let beside = Beside { complete: changes.complete };
        print_part(&context.ui, head, (&items, &args.part), key, &beside)?;
        return Ok(Exit::Done);
    }
    let count = changes.operations.len();
    let cut = Cut::of_text(count, &args.part, key)?;
    let mut room = Room::new(args.part.max_tokens);
    let lines = changes.operations[cut.range.clone()].iter();
    room.print(&context.ui, lines.map(|operation| line(Text::new(), operation).line()))?;
    room.tell(&context.ui);
    cut.tell(&context.ui, count, "change");
    if !changes.complete {
        context.ui.warn("the files were changed by other means as well");
        context.ui.hint("Nothing says which tasks that were: `ralph queue list` has them all.");
    } else if changes.operations.is_empty() {
        context.ui.say("Nothing has changed.");
    }
    Ok(Exit::Done)
}
