//! `ralph task start|done|reject|ready|status`: one task moves on.

use ralph_queue::edit::{Changed, End, Restart};
use ralph_queue::pick::Filter;
use ralph_queue::{Edit, EditError, Place, Status};
use ralph_state::Clock as _;
use serde::Serialize;

use crate::args::{NoteArgs, StartArgs, StatusArgs};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::{self, Project};
use crate::render::envelope::Schema;
use crate::ui::{BOLD, Text};

pub(crate) fn start(context: &Context, args: &StartArgs) -> Result<Exit, CliError> {
    let restart = if args.reset { Restart::Reset } else { Restart::Keep };
    let project = Project::open(context, "ralph task start")?;
    let id = &args.task_id;
    let changed = project.edit(context, |edit| edit.start(id, restart))?;
    if changed == Changed::No {
        // Nothing was written that a claim could have kept from being written.
        let task = project.find(&project.queue()?, id)?.1.id.clone();
        project.permit(&[task], context.clock.now())?;
    }
    report(context, &project, &[(id.clone(), changed)])
}

pub(crate) fn done(context: &Context, args: &NoteArgs) -> Result<Exit, CliError> {
    finish(context, "ralph task done", args, End::Done)
}

pub(crate) fn reject(context: &Context, args: &NoteArgs) -> Result<Exit, CliError> {
    finish(context, "ralph task reject", args, End::Rejected)
}

pub(crate) fn ready(context: &Context, args: &NoteArgs) -> Result<Exit, CliError> {
    let note = args.note.as_deref();
    change(context, "ralph task ready", &args.task_id, |_, edit, id| edit.ready(id, note))
}

pub(crate) fn status(context: &Context, args: &StatusArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task status")?;
    let ids = if args.tag_filter.is_empty() {
        args.task_ids.clone()
    } else {
        with_tag(&project, &args.tag_filter)?
    };
    let changed = project.edit(context, |edit| {
        ids.iter()
            .map(|id| Ok((id.clone(), edit.set_status(id, args.status, args.note.as_deref())?)))
            .collect::<Result<Vec<_>, EditError>>()
    })?;
    report(context, &project, &changed)
}

pub(super) fn with_tag(project: &Project, tags: &[String]) -> Result<Vec<String>, CliError> {
    let queue = project.queue()?;
    let filter = Filter { tags: tags.to_vec(), ..Filter::default() };
    let ids: Vec<String> =
        queue.tasks().filter(|task| filter.matches(task)).map(|task| task.id.to_string()).collect();
    if ids.is_empty() {
        let tags = tags.join("`, `");
        return Err(CliError::new(ErrorKind::NotFound, format!("no task has the tag `{tags}`")));
    }
    Ok(ids)
}

fn finish(context: &Context, command: &str, args: &NoteArgs, end: End) -> Result<Exit, CliError> {
    let note = args.note.as_deref();
    change(context, command, &args.task_id, |project, edit, id| {
        edit.finish(id, end, project.finish(), note)
    })
}

fn change(
    context: &Context,
    command: &str,
    id: &str,
    change: impl FnOnce(&Project, &mut Edit<'_>, &str) -> Result<Changed, EditError>,
) -> Result<Exit, CliError> {
    let project = Project::open(context, command)?;
    let changed = project.edit(context, |edit| change(&project, edit, id))?;
    report(context, &project, &[(id.to_owned(), changed)])
}

#[derive(Serialize)]
struct Report<'a> {
    schema: Schema,
    rev: String,
    tasks: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    status: Status,
    /// It stands in the done file now.
    archived: bool,
    /// `false`: it was so before.
    changed: bool,
}

fn report(
    context: &Context,
    project: &Project,
    changed: &[(String, Changed)],
) -> Result<Exit, CliError> {
    let queue = project.queue()?;
    let mut tasks = Vec::new();
    for (id, changed) in changed {
        let (place, task) = project.find(&queue, id)?;
        tasks.push(Line {
            id: task.id.as_str(),
            status: task.status,
            archived: place == Place::Done,
            changed: *changed == Changed::Yes,
        });
    }
    if context.ui.wants_json() {
        let rev = project::revision(&queue);
        context.ui.print_json(&Report { schema: Schema::v1("task-changed"), rev, tasks })?;
        return Ok(Exit::Done);
    }
    for Line { id, status, archived, changed } in tasks {
        let is = if changed { "is now" } else { "was already" };
        let place = if archived { " and in the done file" } else { "" };
        context.ui.say(Text::new().style(BOLD, id).plain(format_args!(" {is} {status}{place}.")));
    }
    Ok(Exit::Done)
}
