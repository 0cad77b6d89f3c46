//! `ralph queue ready`.

use std::collections::BTreeSet;

use ralph_loop::layout::Layout;
use ralph_loop::select::Standing;
use ralph_queue::ready::{Question, Ready};
use ralph_queue::runnability::{Drafts, Reason};
use ralph_queue::{Priority, Queue, Status, Task};
use ralph_state::file::is_locked;
use ralph_state::{Clock as _, ParallelStateFile, Store, TaskId};
use serde::Serialize;

use crate::args::{PartArgs, ReadyArgs};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::{Budget, Cut, List, Schema};
use crate::render::task::reason;
use crate::ui::{BOLD, DIM, Text, YELLOW, clip};

pub(crate) fn ready(context: &Context, args: &ReadyArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue ready")?;
    let queue = project.whole_queue()?;
    let leases = project.read_leases()?;
    let exclude = shown_in_parallel_run(context, &project, &queue)?;
    let drafts = if args.include_draft { Drafts::Include } else { Drafts::Exclude };
    let now = context.clock.now();
    let question = Question { now, drafts, exclude: &exclude, parallel: args.parallel };
    let ready = ralph_queue::ready::ready(&queue, &leases, &question);
    if context.ui.wants_json() {
        print_json(context, &queue, &ready, &args.part)?;
    } else {
        print(context, &ready)?;
    }
    Ok(Exit::Done)
}

/// Tasks that workers of `ralph run loop --parallel` have, or that wait for the user.
pub(super) fn in_parallel_run(
    project: &Project,
    queue: &Queue,
) -> Result<BTreeSet<TaskId>, CliError> {
    Ok(parallel_run(project, queue)?.exclude)
}

/// What a run leaves alone, claimed tasks too.
pub(super) fn standing(
    context: &Context,
    project: &Project,
    queue: &Queue,
) -> Result<Standing, CliError> {
    let mut standing = parallel_run(project, queue)?;
    standing.heed(project.read_leases()?.standing(queue, context.clock.now()));
    Ok(standing)
}

fn parallel_run(project: &Project, queue: &Queue) -> Result<Standing, CliError> {
    let path = ralph_state::state_file_path(&project.root);
    let store = Store::<ParallelStateFile>::new(path, project.files.holder.clone());
    let state = store.load()?.map(|loaded| loaded.value).unwrap_or_default();
    Ok(ralph_loop::select::standing(&state, queue))
}

/// The same as far as the state file can be read: enough to show, not to take a task by.
fn shown_in_parallel_run(
    context: &Context,
    project: &Project,
    queue: &Queue,
) -> Result<BTreeSet<TaskId>, CliError> {
    let layout = Layout::new(&project.root);
    let Some(found) = ralph_loop::project::store(&layout, &project.files.holder).salvage()? else {
        return Ok(BTreeSet::new());
    };
    let mut exclude = ralph_loop::select::standing(&found.state, queue).exclude;
    if found.refused.is_some() {
        let named = found.bad.iter().filter_map(|part| part.task_id.as_ref()?.parse().ok());
        exclude.extend(named);
        for task in queue.tasks() {
            if is_locked(&layout.worker_lock(&task.id))? {
                exclude.insert(task.id.clone());
            }
        }
        context.ui.warn("some of the state file of parallel runs cannot be read");
        context.ui.hint(
            "`ralph run parallel status` shows what; `ralph run parallel recover` rebuilds it.",
        );
    }
    Ok(exclude)
}

fn print(context: &Context, ready: &Ready<'_>) -> Result<(), CliError> {
    let width = context.ui.width();
    let mut text = Text::new();
    for task in &ready.tasks {
        let left = width.map(|width| width.saturating_sub(task.id.as_str().len() + 2));
        text = text.style(BOLD, &task.id).plain("  ").plain(clip(&task.title, left)).line();
    }
    context.ui.print(text)?;
    let mut text = Text::new();
    for (task, reasons) in &ready.others {
        let reasons: Vec<String> = reasons.iter().map(reason).collect();
        text = text.style(BOLD, &task.id).plain("  ").style(YELLOW, reasons.join("; "));
        text = text.plain("  ").style(DIM, &task.title).line();
    }
    context.ui.say(text);
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

impl<'a> Item<'a> {
    fn of(task: &'a Task) -> Self {
        let Task { id, title, status, priority, scope, .. } = task;
        Self { id, title, status: *status, priority: *priority, scope }
    }
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
    /// Some of them were cut; more tokens show them.
    others_truncated: bool,
    others: Vec<Other<'a>>,
}

fn print_json(
    context: &Context,
    queue: &Queue,
    ready: &Ready<'_>,
    part: &PartArgs,
) -> Result<(), CliError> {
    let items: Vec<Item<'_>> = ready.tasks.iter().map(|task| Item::of(task)).collect();
    let mut budget = Budget::new(part.max_tokens);
    let key = |index: usize| items[index].id.to_string();
    let cut = Cut::new(&items, part.cursor.as_deref(), &mut budget, key)?;
    let others: Vec<Other<'_>> = ready
        .others
        .iter()
        .map(|(task, reasons)| Other { id: &task.id, title: &task.title, reasons })
        .take_while(|other| budget.takes(other))
        .collect();
    context.ui.print_json(&Document {
        list: List::part(Schema::v1("queue-ready"), project::revision(queue), &items, &cut),
        others_total: ready.others.len(),
        others_truncated: others.len() < ready.others.len(),
        others,
    })
}
