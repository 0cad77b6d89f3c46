//! `ralph task show` and `ralph queue show`.

use ralph_queue::runnability::{Drafts, Reason};
use ralph_queue::{Place, Task};
use serde::Serialize;

use crate::args::{ShowArgs, ShowFormat};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::Schema;
use crate::render::task::{compact, long};

pub(crate) fn show(context: &Context, args: &ShowArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task show")?;
    let queue = project.queue()?;
    let (place, task) = project.find(&queue, &args.task_id)?;
    if context.ui.wants_json() {
        let report = project::explain(context, &queue, Drafts::Exclude);
        let mut reports = report.tasks.into_iter();
        let report = reports.find(|report| place == Place::Queue && report.id == task.id);
        context.ui.print_json(&Shown {
            schema: Schema::v1("task"),
            rev: project::revision(&queue),
            archived: place == Place::Done,
            ready: report.as_ref().is_some_and(|report| report.runnable),
            reasons: report.map(|report| report.reasons).unwrap_or_default(),
            task,
        })?;
        return Ok(Exit::Done);
    }
    match args.format {
        ShowFormat::Json => context.ui.print_json(task)?,
        ShowFormat::Compact => context.ui.print(compact(task))?,
        ShowFormat::Text => context.ui.print(long(task))?,
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Shown<'a> {
    schema: Schema,
    rev: String,
    /// It stands in the done file.
    archived: bool,
    /// It can start now.
    ready: bool,
    /// Why not.
    reasons: Vec<Reason>,
    task: &'a Task,
}
