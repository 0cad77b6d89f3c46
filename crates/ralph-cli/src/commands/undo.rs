//! `ralph undo` and `ralph redo`.

use ralph_queue::WrongValues;
use ralph_queue::journal::{Direction, EditState, Operation, Which};
use ralph_state::journal::BadLine;
use serde::Serialize;

use crate::args::{PartArgs, RedoArgs, UndoArgs};
use crate::commands::edited::Report;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::Project;
use crate::render::counted;
use crate::render::envelope::{Budget, Cut, Schema, Short, print_part};
use crate::render::room::Room;
use crate::ui::{BOLD, DIM, Text};

pub(crate) fn undo(context: &Context, args: &UndoArgs) -> Result<Exit, CliError> {
    match args.redo {
        _ if args.list => list(context, args.part.as_ref()),
        _ if args.part.is_some() => {
            let message = "`--limit`, `--max-tokens` and `--cursor` are of `--list`";
            Err(CliError::new(ErrorKind::Usage, message))
        }
        true => take_back(context, "ralph redo", Direction::Redo, &args.which),
        false => take_back(context, "ralph undo", Direction::Undo, &args.which),
    }
}

pub(crate) fn redo(context: &Context, args: &RedoArgs) -> Result<Exit, CliError> {
    take_back(context, "ralph redo", Direction::Redo, args)
}

fn take_back(
    context: &Context,
    command: &str,
    direction: Direction,
    args: &RedoArgs,
) -> Result<Exit, CliError> {
    let project = Project::open(context, command)?;
    let which = Which { direction, id: args.id, force: context.global.force };
    let taken_back = if args.dry_run {
        let shown = project.preview_undo(context, which);
        shown.map(|shown| (shown.value, Report::shown(&project, shown)))
    } else {
        project.undo(context, which).map(|made| (made.value, Report::made(made)))
    };
    let (id, report) = match taken_back {
        Ok(taken_back) => taken_back,
        Err(error) => {
            // Why not may be what cannot be read.
            if error.kind == ErrorKind::Refused {
                tell_unreadable(context, &project)?;
            }
            return Err(error);
        }
    };
    let is = if args.dry_run { "would be" } else { "is" };
    let what = match direction {
        Direction::Undo => "",
        Direction::Redo => ", an undo,",
    };
    context.ui.say(format!("Operation {id}{what} {is} taken back."));
    let exit = Report { operation: Some(id), ..report }.tell(context)?;
    tell_unreadable(context, &project)?;
    tell_passed_over(context, &project, which, id)?;
    Ok(exit)
}

/// A line of the journal that cannot be read.
#[derive(Serialize)]
struct Unreadable {
    line: usize,
    reason: String,
}

fn unreadable(project: &Project) -> Result<Vec<Unreadable>, CliError> {
    let lines = project.files.unreadable_lines()?;
    let told = |BadLine { line, reason, .. }| Unreadable { line, reason: reason.to_string() };
    Ok(lines.into_iter().map(told).collect())
}

/// What the journal says where it cannot be read may be newer than what it says elsewhere.
fn tell_unreadable(context: &Context, project: &Project) -> Result<(), CliError> {
    if let Some(message) = unreadable_lines(project)? {
        context.ui.warn(message);
        context.ui.hint(UNREADABLE);
    }
    Ok(())
}

/// What to do about lines of the journal that cannot be read.
pub(crate) const UNREADABLE: &str =
    "What such a line told of cannot be undone, the rest can: `ralph undo --list` shows it.";

/// Which lines of the journal cannot be read, and why.
pub(crate) fn unreadable_lines(project: &Project) -> Result<Option<String>, CliError> {
    let (Some(path), lines) = (&project.files.journal, unreadable(project)?) else {
        return Ok(None);
    };
    let [Unreadable { line, reason }, rest @ ..] = lines.as_slice() else { return Ok(None) };
    let more = match rest.len() {
        0 => String::new(),
        count => format!(", nor can {}", counted(count, "more line")),
    };
    let path = project.shown(path);
    Ok(Some(format!("line {line} of `{path}` cannot be read{more}: {reason}")))
}

/// What is newer than the operation that was taken back, and was left since nobody asked for it.
fn tell_passed_over(
    context: &Context,
    project: &Project,
    which: Which,
    id: u64,
) -> Result<(), CliError> {
    if which.id.is_some() || which.force {
        return Ok(());
    }
    let kept = project.files.standing_of_runs(id);
    for operation in kept.map_err(|error| project.changes_error(error))? {
        let text = Text::new().plain("Kept, since it tells what became of a task:");
        context.ui.say(line(text, &operation));
    }
    Ok(())
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(flatten)]
    operation: Told<'a>,
    undone: bool,
    /// The files do not have it, though nobody undid it here.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<bool>,
}

#[derive(Serialize)]
struct Beside {
    /// Lines of the journal that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<Unreadable>,
}

/// An operation without the bytes it replaced.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    id: u64,
    at: String,
    operation: &'a str,
    from: &'a str,
    rev: &'a str,
    undoes: Option<u64>,
    tasks: &'a [ralph_queue::delta::Touched],
}

impl<'a> From<&'a Operation> for Told<'a> {
    fn from(operation: &'a Operation) -> Self {
        Self {
            id: operation.id,
            at: operation.at.to_string(),
            operation: &operation.operation,
            from: &operation.from,
            rev: &operation.rev,
            undoes: operation.undoes,
            tasks: &operation.tasks,
        }
    }
}

fn list(context: &Context, part: Option<&PartArgs>) -> Result<Exit, CliError> {
    let mut project = Project::open(context, "ralph undo --list")?;
    project.files.values = WrongValues::Leave;
    let queue = project.queue()?;
    let mut operations = project.files.operations_of(&queue)?;
    operations.reverse();
    let (all, key) = (PartArgs::default(), |index: usize| operations[index].0.id.to_string());
    let part = part.unwrap_or(&all);
    if context.ui.wants_json() {
        let items = operations.iter().map(|(operation, state)| Item {
            operation: operation.into(),
            undone: *state == EditState::Undone,
            missing: (*state == EditState::Missing).then_some(true),
        });
        let budget = Budget::new(part.max_tokens);
        let items: Vec<_> = items.map(|item| Short::within(item, budget)).collect();
        let head = (Schema::v1("operation-list"), Some(queue.revision()));
        let beside = Beside { unreadable: unreadable(&project)? };
        print_part(&context.ui, head, (&items, part), key, &beside)?;
        return Ok(Exit::Done);
    }
    let cut = Cut::of_text(operations.len(), part, key)?;
    let mut room = Room::new(part.max_tokens);
    let lines = operations[cut.range.clone()].iter().map(|(operation, state)| {
        let text = line(Text::new(), operation);
        let text = match state {
            EditState::Made => text,
            EditState::Undone => text.style(DIM, "  undone"),
            EditState::Missing => text.style(DIM, "  not in the files"),
        };
        text.line()
    });
    room.print(&context.ui, lines)?;
    room.tell(&context.ui);
    cut.tell(&context.ui, operations.len(), "change");
    tell_unreadable(context, &project)?;
    match operations.last() {
        None => context.ui.say("No change is remembered."),
        // They are counted from 1.
        Some((oldest, _)) if oldest.id > 1 => {
            context.ui.say("What was done before is no longer remembered, and cannot be undone.");
        }
        Some(_) => {}
    }
    Ok(Exit::Done)
}

/// An operation on a line that is not ended.
pub(crate) fn line(text: Text, operation: &Operation) -> Text {
    let mut ids: Vec<&str> = operation.tasks.iter().map(|task| task.id.as_str()).collect();
    let more = ids.len().saturating_sub(5);
    ids.truncate(5);
    let ids = ids.join(", ");
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    text.style(BOLD, format_args!("{:>4}", operation.id)).plain(format_args!(
        "  {}  {}  {ids}{more}",
        &operation.at.to_string()[..19],
        operation.operation
    ))
}
