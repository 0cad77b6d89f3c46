//! `ralph task start|done|reject|ready|status`: one task moves on.

use ralph_queue::delta::Touched;
use ralph_queue::edit::{Changed, End, Restart};
use ralph_queue::lease::{By, LeaseError};
use ralph_queue::pick::{Filter, Pick};
use ralph_queue::{Edit, EditError, Edited, Finish, Place, Status};
use ralph_state::TaskId;
use serde::{Deserialize, Serialize};

use crate::args::{NoteArgs, NoteText, StartArgs, StatusArgs, WordArgs};
use crate::commands::edited::{self, Beside, Mode, released};
use crate::commands::input::Texts;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::{Project, Refusal};
use crate::render::envelope::Schema;
use crate::ui::{BOLD, Text};

pub(crate) fn start(context: &Context, args: &StartArgs) -> Result<Exit, CliError> {
    let restart = if args.reset { Restart::Reset } else { Restart::Keep };
    let project = Project::open(context, "ralph task start")?;
    let id = &args.task_id;
    let start = |edit: &mut Edit<'_>| {
        not_ended(&project, edit, id)?;
        let changed = edit.start(id, restart)?;
        if let (Changed::No, Some((_, task))) = (changed, edit.find(id)) {
            // Nothing is written that a claim could keep from being written.
            project.permit(edit.read(), std::slice::from_ref(&task.id), edit.now())?;
        }
        Ok(vec![(id.clone(), changed)])
    };
    if args.dry_run {
        return show(context, &project, start);
    }
    let made = make(context, &project, start)?;
    let exit = tell(context, &made)?;
    let is_of_run = project.open_session()?.as_deref() == Some(id);
    if project.claims.is_empty() && !context.ui.wants_json() && !is_of_run {
        context
            .ui
            .hint(format!("`ralph queue claim --id {id}` keeps runs and others away from it."));
    }
    Ok(exit)
}

/// That no work tree has ended the task under a claim, as far as this one has it open.
fn not_ended(project: &Project, edit: &Edit<'_>, id: &str) -> Result<(), Refusal> {
    if project.read_leases()?.leases.iter().all(|lease| lease.finished_at.is_none()) {
        return Ok(());
    }
    let queue = edit.read();
    let Some((_, task)) = queue.find(id).filter(|(_, task)| !task.status.is_terminal()) else {
        return Ok(());
    };
    let standing = project.leases_for(queue)?.standing(queue, edit.now());
    match standing.ended.get(&task.id) {
        Some(reason) => {
            let reasons = vec![reason.clone()];
            Err(LeaseError::NotReady { task: task.id.clone(), reasons }.into())
        }
        None => Ok(()),
    }
}

pub(crate) fn done(context: &Context, args: &NoteArgs) -> Result<Exit, CliError> {
    finish(context, "ralph task done", args, End::Done)
}

pub(crate) fn reject(context: &Context, args: &NoteArgs) -> Result<Exit, CliError> {
    finish(context, "ralph task reject", args, End::Rejected)
}

pub(crate) fn ready(context: &Context, args: &NoteArgs) -> Result<Exit, CliError> {
    change(context, "ralph task ready", args, |_, edit, note| edit.ready(&args.task_id, note))
}

pub(crate) fn status(context: &Context, args: &StatusArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task status")?;
    let note = Texts::of(context).note(&args.note)?;
    let change = |edit: &mut Edit<'_>| {
        let mut changed = Vec::new();
        for id in on(edit, &args.task_ids, &args.tag_filter)? {
            let is_changed = edit.change_status(&id, args.status, note.as_deref())?;
            changed.push((id, is_changed));
        }
        if project.finish() == Finish::Archive && args.status.is_terminal() {
            // Together: one by one, the time would grow with the square of their number.
            let ended = changed.iter().filter(|(_, is_changed)| *is_changed == Changed::Yes);
            edit.archive_all(&ended.filter_map(|(id, _)| id.parse().ok()).collect());
        }
        Ok(changed)
    };
    if args.dry_run {
        return show(context, &project, change);
    }
    let made = make(context, &project, change)?;
    let is_open = |line: &&Line| !line.changed && !line.status.is_terminal();
    let open: Vec<TaskId> = made.value.iter().filter(is_open).map(|line| line.id.clone()).collect();
    let exit = tell(context, &made)?;
    for id in project.forget_ends(context, (&made.after(), &open))? {
        context.ui.say(format!("{id} had ended under a claim, which no longer counts."));
    }
    Ok(exit)
}

/// The tasks that were named, or else those with one of the tags.
pub(super) fn on(edit: &Edit<'_>, ids: &[String], tags: &[String]) -> Result<Vec<String>, Refusal> {
    let filter = Filter { tags: tags.to_vec(), ..Filter::default() };
    let ids = edit.picked(&Pick { ids: ids.to_vec(), filter });
    if ids.is_empty() && !tags.is_empty() {
        let tags = tags.join("`, `");
        return Err(
            CliError::new(ErrorKind::NotFound, format!("no task has the tag `{tags}`")).into()
        );
    }
    Ok(ids)
}

pub(crate) fn note(context: &Context, args: &WordArgs) -> Result<Exit, CliError> {
    let given = NoteText { note: args.note.clone(), note_file: args.note_file.clone() };
    let note = Texts::of(context).note(&given)?;
    let note = note.filter(|note| !note.trim().is_empty());
    let note = note.ok_or_else(|| CliError::new(ErrorKind::Usage, "the note is empty"))?;
    let id = &args.task_id;
    let mut project = Project::open(context, "ralph task note")?;
    project.noted = Some(id.clone());
    let annotate = |edit: &mut Edit<'_>| {
        edit.unambiguous(id)?;
        Ok(vec![(id.clone(), edit.annotate(id, &note)?)])
    };
    if args.dry_run {
        return show(context, &project, annotate);
    }
    let made = make(context, &project, annotate)?;
    if context.ui.wants_json() {
        return tell(context, &made);
    }
    for Line { id, changed, .. } in &made.value {
        let has = if *changed { " has the note now." } else { " had that note already." };
        context.ui.say(Text::new().style(BOLD, id).plain(has));
    }
    Ok(Exit::Done)
}

fn finish(context: &Context, command: &str, args: &NoteArgs, end: End) -> Result<Exit, CliError> {
    change(context, command, args, |project, edit, note| {
        edit.finish(&args.task_id, end, project.finish(), note)
    })
}

fn change(
    context: &Context,
    command: &str,
    args: &NoteArgs,
    change: impl FnOnce(&Project, &mut Edit<'_>, Option<&str>) -> Result<Changed, EditError>,
) -> Result<Exit, CliError> {
    let note = Texts::of(context).note(&args.note)?;
    let project = Project::open(context, command)?;
    let change = |edit: &mut Edit<'_>| {
        Ok(vec![(args.task_id.clone(), change(&project, edit, note.as_deref())?)])
    };
    if args.dry_run {
        return show(context, &project, change);
    }
    tell(context, &make(context, &project, change)?)
}

/// Shows a change.
fn show(
    context: &Context,
    project: &Project,
    change: impl FnOnce(&mut Edit<'_>) -> Result<Vec<(String, Changed)>, Refusal>,
) -> Result<Exit, CliError> {
    edited::edit(context, project, Mode::Show, |edit| lines(edit, change).map(drop))
}

#[derive(Serialize)]
struct Report<'a> {
    schema: Schema,
    rev: &'a str,
    tasks: &'a [Line],
    /// Tasks that wait no longer for one that was rejected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    released: Vec<&'a TaskId>,
    #[serde(flatten)]
    beside: Beside<'a>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    id: TaskId,
    status: Status,
    /// It stands in the done file now.
    archived: bool,
    /// `false`: it was so before.
    changed: bool,
}

/// Makes a change, and looks at what has become of the tasks that it was about.
fn make(
    context: &Context,
    project: &Project,
    change: impl FnOnce(&mut Edit<'_>) -> Result<Vec<(String, Changed)>, Refusal>,
) -> Result<Edited<Vec<Line>>, CliError> {
    let made = project.edit(context, |edit| lines(edit, change))?;
    if !project.claims.is_empty() {
        // A crash may have come between the end of a task and that of its claim.
        let was_ended = |line: &&Line| !line.changed && line.status.is_terminal();
        let ended = made.value.iter().filter(was_ended);
        let ended: Vec<Touched> =
            ended.map(|line| Touched::ended(line.id.clone(), line.status)).collect();
        project.settle(context, (&made.after(), &ended), By::Edit)?;
    }
    Ok(made)
}

fn lines(
    edit: &mut Edit<'_>,
    change: impl FnOnce(&mut Edit<'_>) -> Result<Vec<(String, Changed)>, Refusal>,
) -> Result<Vec<Line>, Refusal> {
    let mut lines = Vec::new();
    for (id, changed) in change(edit)? {
        let (place, task) = edit.find(&id).ok_or_else(|| EditError::NotFound { id: id.clone() })?;
        lines.push(Line {
            id: task.id.clone(),
            status: task.status,
            archived: place == Place::Done,
            changed: changed == Changed::Yes,
        });
    }
    Ok(lines)
}

fn tell(context: &Context, made: &Edited<Vec<Line>>) -> Result<Exit, CliError> {
    let Edited { value: tasks, rev, .. } = made;
    if context.ui.wants_json() {
        let schema = Schema::v1("task-changed");
        let released = released(&made.tasks);
        let beside = Beside::of(made);
        context.ui.print_json(&Report { schema, rev, tasks, released, beside })?;
        return Ok(Exit::Done);
    }
    for Line { id, status, archived, changed } in tasks {
        let is = if *changed { "is now" } else { "was already" };
        let place = if *archived { " and in the done file" } else { "" };
        context.ui.say(Text::new().style(BOLD, id).plain(format_args!(" {is} {status}{place}.")));
    }
    Ok(Exit::Done)
}
