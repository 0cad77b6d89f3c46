//! `ralph queue ready`.

use std::collections::BTreeSet;

use ralph_queue::ready::{Question, Ready};
use ralph_queue::runnability::{Drafts, Reason};
use ralph_queue::{Priority, Queue, Status};
use ralph_state::{Clock as _, ParallelStateFile, Store, TaskId};
use serde::Serialize;

use crate::args::ReadyArgs;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::{Budget, List, Schema};
use crate::render::task::reason;
use crate::ui::{BOLD, DIM, Text, YELLOW};

pub(crate) fn ready(context: &Context, args: &ReadyArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue ready")?;
    let queue = project.queue()?;
    let leases = project.read_leases()?;
    let exclude = in_parallel_run(&project, &queue)?;
    let drafts = if args.include_draft { Drafts::Include } else { Drafts::Exclude };
    let now = context.clock.now();
    let question = Question { now, drafts, exclude: &exclude, parallel: args.parallel };
    let ready = ralph_queue::ready::ready(&queue, &leases, &question);
    if context.ui.wants_json() {
        print_json(context, &queue, &ready, Budget::new(args.max_tokens))?;
    } else {
        print(context, &ready, Budget::new(args.max_tokens))?;
    }
    Ok(Exit::Done)
}

/// Tasks that workers of `ralph run loop --parallel` have, or that wait for the user.
pub(super) fn in_parallel_run(
    project: &Project,
    queue: &Queue,
) -> Result<BTreeSet<TaskId>, CliError> {
    let path = ralph_state::state_file_path(&project.root);
    let store = Store::<ParallelStateFile>::new(path, project.files.holder.clone());
    let state = store.load()?.map(|loaded| loaded.value).unwrap_or_default();
    Ok(ralph_loop::select::standing(&state, queue).exclude)
}

fn print(context: &Context, ready: &Ready<'_>, mut budget: Budget) -> Result<(), CliError> {
    let mut text = Text::new();
    for task in ready.tasks.iter().take_while(|task| budget.takes(&task.title)) {
        text = text.style(BOLD, &task.id).plain("  ").plain(&task.title).line();
    }
    context.ui.print(text)?;
    let mut text = Text::new();
    for (task, reasons) in ready.others.iter().take_while(|(task, _)| budget.takes(&task.title)) {
        let reasons: Vec<String> = reasons.iter().map(reason).collect();
        text = text.style(BOLD, &task.id).plain("  ").style(YELLOW, reasons.join("; "));
        text = text.plain("  ").style(DIM, &task.title).line();
    }
    context.ui.say(text);
    if budget.is_spent() {
        context.ui.hint("`--max-tokens` cut the answer.");
    }
    Ok(())
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a TaskId,
    title: &'a str,
    status: Status,
    priority: Priority,
    scope: &'a [String],
}

/// A task that cannot start, or was not chosen.
#[derive(Serialize)]
struct Other<'a> {
    id: &'a TaskId,
    title: &'a str,
    reasons: &'a [Reason],
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    list: List<'a, Item<'a>>,
    /// How many cannot start.
    others_total: usize,
    others: Vec<Other<'a>>,
}

fn print_json(
    context: &Context,
    queue: &Queue,
    ready: &Ready<'_>,
    mut budget: Budget,
) -> Result<(), CliError> {
    let items: Vec<Item<'_>> = ready
        .tasks
        .iter()
        .map(|task| Item {
            id: &task.id,
            title: &task.title,
            status: task.status,
            priority: task.priority,
            scope: &task.scope,
        })
        .take_while(|item| budget.takes(item))
        .collect();
    let others = ready
        .others
        .iter()
        .map(|(task, reasons)| Other { id: &task.id, title: &task.title, reasons })
        .take_while(|other| budget.takes(other))
        .collect();
    let list = List {
        schema: Schema::v1("queue-ready"),
        rev: project::revision(queue),
        total: ready.tasks.len(),
        returned: items.len(),
        truncated: budget.is_spent(),
        next_cursor: None,
        items: &items,
    };
    context.ui.print_json(&Document { list, others_total: ready.others.len(), others })
}
