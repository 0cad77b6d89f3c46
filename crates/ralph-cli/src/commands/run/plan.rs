//! `ralph run loop --dry-run`: what would start, what would follow, and what waits.

use ralph_loop::select::{self, Forecast, Hands};
use ralph_queue::Task;
use ralph_queue::runnability::{Reason, Report};
use serde::Serialize;

use crate::args::AgentArgs;
use crate::commands::queue::outlook;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project;
use crate::render::envelope::Schema;
use crate::render::task::reasons;
use crate::ui::{BOLD, DIM, GREEN, Text, YELLOW};

#[derive(Serialize)]
struct Document<'a> {
    schema: Schema,
    rev: String,
    /// The first that would start, or that a serial run goes on with.
    task: Option<&'a Task>,
    report: &'a Report,
    plan: Plan<'a>,
}

#[derive(Serialize)]
struct Plan<'a> {
    /// Of a parallel run.
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<u8>,
    goes_on: Vec<&'a str>,
    starts: Vec<&'a str>,
    follows: Vec<Row<'a>>,
    waits: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    reasons: &'a [Reason],
}

pub(super) fn print(
    context: &Context,
    workers: Option<u8>,
    max_tasks: Option<u32>,
    agent: &AgentArgs,
) -> Result<Exit, CliError> {
    let (project, queue, report) = outlook(context, agent)?;
    let session = project.open_session()?;
    let hands = match workers {
        Some(workers) => Hands::Workers(workers.into()),
        None => Hands::Checkout { session: session.as_deref() },
    };
    let most = max_tasks.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    let forecast = select::forecast(&queue, &report, hands, most);
    if context.ui.wants_json() {
        context.ui.print_json(&Document {
            schema: Schema::v1("run-dry-run"),
            rev: project::revision(&queue),
            task: first(&forecast, workers),
            report: &report,
            plan: Plan {
                workers,
                goes_on: ids(&forecast.goes_on),
                starts: ids(&forecast.starts),
                follows: rows(&forecast.follows),
                waits: rows(&forecast.waits),
            },
        })?;
    } else {
        context.ui.print(text(&forecast))?;
        if forecast.goes_on.is_empty() && forecast.starts.is_empty() {
            context.ui.say("No task can start now.");
        }
    }
    Ok(Exit::Done)
}

/// What the next agent turn is about: what a serial run goes on with, else what starts.
fn first<'q>(forecast: &Forecast<'q>, workers: Option<u8>) -> Option<&'q Task> {
    let goes_on = forecast.goes_on.first().filter(|_| workers.is_none());
    goes_on.or(forecast.starts.first()).copied()
}

fn ids<'a>(tasks: &[&'a Task]) -> Vec<&'a str> {
    tasks.iter().map(|task| task.id.as_str()).collect()
}

fn rows<'a>(tasks: &'a [(&Task, Vec<Reason>)]) -> Vec<Row<'a>> {
    tasks.iter().map(|(task, reasons)| Row { id: task.id.as_str(), reasons }).collect()
}

fn text(forecast: &Forecast<'_>) -> Text {
    let mut text = Text::new();
    for (tasks, word) in [(&forecast.goes_on, "goes on"), (&forecast.starts, "starts at once")] {
        for task in tasks {
            text = text.style(BOLD, &task.id).plain("  ").style(GREEN, word);
            text = text.plain("  ").style(DIM, &task.title).line();
        }
    }
    for (tasks, word) in [(&forecast.follows, "follows: "), (&forecast.waits, "not in this run: ")]
    {
        for (task, why) in tasks {
            text = text.style(BOLD, &task.id).plain("  ").plain(word);
            text = text.style(YELLOW, reasons(why, task.id.as_str()));
            text = text.plain("  ").style(DIM, &task.title).line();
        }
    }
    text
}
