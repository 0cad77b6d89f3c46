//! `ralph queue ready`.

use std::borrow::Cow;
use std::ops::Range;

use ralph_queue::ready::{Question, Ready};
use ralph_queue::runnability::{Drafts, Reason};
use ralph_queue::task::{Glance, Task};
use ralph_queue::{Listed, Priority, Queue, Status};
use ralph_state::{Clock as _, TaskId};
use serde::Serialize;

use crate::args::{PartArgs, ReadyArgs};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::{Budget, Cut, List, Schema, Title, cursor};
use crate::render::room::Room;
use crate::render::task;
use crate::standing;
use crate::ui::{BOLD, DIM, Text, YELLOW, clip};

/// So many tasks that cannot start are told at once, if no number is asked for.
const TOLD: usize = 50;

pub(crate) fn ready(context: &Context, args: &ReadyArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue ready")?;
    let queue = project.queue()?;
    let leases = project.leases_for(&queue)?;
    let standing = standing::shown(context, &project, &queue)?;
    let drafts = if args.include_draft { Drafts::Include } else { Drafts::Exclude };
    let now = context.clock.now();
    let question = Question { now, drafts, exclude: &standing.exclude, parallel: args.parallel };
    let ready = ralph_queue::ready::ready(&queue, &leases, &question);
    if context.ui.wants_json() {
        print_json(context, &queue, &ready, &args.part)?;
    } else {
        print(context, &queue, &ready, &args.part)?;
    }
    Ok(Exit::Done)
}

/// The id of a task: those that can start come before the others.
fn id<'q>(ready: &Ready<'q>, index: usize) -> &'q str {
    let count = ready.tasks.len();
    if index < count { ready.tasks[index].id() } else { ready.others[index - count].0.id() }
}

/// Which of those that can start are in a part of all, and which of the others.
fn parts(ready: &Ready<'_>, cut: &Cut) -> (Range<usize>, Range<usize>) {
    let (count, Range { start, end }) = (ready.tasks.len(), cut.range.clone());
    (start.min(count)..end.min(count), start.saturating_sub(count)..end.saturating_sub(count))
}

fn print(
    context: &Context,
    queue: &Queue,
    ready: &Ready<'_>,
    part: &PartArgs,
) -> Result<(), CliError> {
    let total = ready.tasks.len() + ready.others.len();
    let mut cut = Cut::of_text(total, part, |index| id(ready, index).to_owned())?;
    let end = cut.range.start.max(ready.tasks.len()) + TOLD;
    if part.limit == 0 && end < cut.range.end {
        cut.range.end = end;
        cut.next = Some(cursor(id(ready, end - 1), id(ready, end)));
    }
    let (tasks, others) = parts(ready, &cut);
    let mut room = Room::new(part.max_tokens);
    let width = context.ui.width();
    let mut text = Text::new();
    for task in &ready.tasks[tasks] {
        let left = width.map(|width| width.saturating_sub(task.id().len() + 2));
        text = text.style(BOLD, task.id()).plain("  ").plain(clip(&task.title(), left)).line();
    }
    context.ui.print(room.fit(text))?;
    let mut text = Text::new();
    let told = context.ui.stderr_width();
    for (task, reasons) in &ready.others[others] {
        text = text.style(BOLD, task.id()).plain("  ");
        text = text.style(YELLOW, task::reasons(reasons, task.id()));
        text = text.plain("  ").style(DIM, clip(&task.title(), told.map(|width| width / 2))).line();
    }
    context.ui.say(room.fit(text));
    room.tell(&context.ui);
    cut.tell(&context.ui, total, "task");
    if ready.tasks.is_empty() && ready.others.is_empty() {
        super::say_none_open(context, queue);
    }
    Ok(())
}

#[derive(Serialize)]
struct Item<'a> {
    id: TaskId,
    #[serde(flatten)]
    title: Title<'a>,
    status: Status,
    priority: Priority,
    scope: Vec<Cow<'a, str>>,
}

impl<'a> Item<'a> {
    fn of(task: Glance<'a>, budget: Budget) -> Self {
        let Task { id, title, status, priority, scope, .. } = task;
        Self { id, title: Title::within(title, budget), status, priority, scope }
    }
}

/// A task that cannot start, or was not chosen.
#[derive(Serialize)]
struct Other<'a> {
    id: &'a str,
    #[serde(flatten)]
    title: Title<'a>,
    reasons: &'a [Reason],
}

impl<'a> Other<'a> {
    fn of((task, reasons): &'a (Listed<'_>, Vec<Reason>), budget: Budget) -> Self {
        Self { id: task.id(), title: Title::within(task.title(), budget), reasons }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    /// The others follow its items: it is truncated, too, where those are cut.
    #[serde(flatten)]
    list: List<&'a [Item<'a>]>,
    /// How many cannot start.
    others_total: usize,
    /// Some of them are not here.
    others_truncated: bool,
    others: Vec<Other<'a>>,
}

fn print_json(
    context: &Context,
    queue: &Queue,
    ready: &Ready<'_>,
    part: &PartArgs,
) -> Result<(), CliError> {
    let whole = Budget::new(part.max_tokens);
    let tasks = queue.look_at(ready.tasks.iter().copied());
    let items: Vec<Item<'_>> = tasks.map(|(_, task)| Item::of(task, whole)).collect();
    let mut budget = whole;
    let fits = |index: usize| match index.checked_sub(items.len()) {
        None => budget.takes(&items[index]),
        Some(index) => budget.takes(&Other::of(&ready.others[index], whole)),
    };
    let total = items.len() + ready.others.len();
    let cut = Cut::made(total, part, fits, |index| id(ready, index).to_owned())?;
    let (shown, others) = parts(ready, &cut);
    let others = &ready.others[others];
    let rev = Some(project::revision(queue));
    let list = List::part(Schema::v1("queue-ready"), rev, &items, &Cut { range: shown, ..cut });
    context.ui.print_json(&Document {
        list,
        others_total: ready.others.len(),
        others_truncated: others.len() < ready.others.len(),
        others: others.iter().map(|other| Other::of(other, whole)).collect(),
    })
}
