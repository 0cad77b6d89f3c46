//! `ralph queue ready`.

use std::borrow::Cow;

use ralph_queue::ready::{Question, Ready};
use ralph_queue::runnability::{Drafts, Reason};
use ralph_queue::task::{Glance, Task};
use ralph_queue::{Priority, Queue, Status};
use ralph_state::{Clock as _, TaskId};
use serde::Serialize;

use crate::args::{PartArgs, ReadyArgs};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::{AsMade, Budget, Cut, List, Schema, Title};
use crate::render::room::Room;
use crate::render::task;
use crate::standing;
use crate::ui::{BOLD, DIM, Text, YELLOW, clip};

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
        print(context, &queue, &ready, Room::new(args.part.max_tokens))?;
    }
    Ok(Exit::Done)
}

fn print(
    context: &Context,
    queue: &Queue,
    ready: &Ready<'_>,
    mut room: Room,
) -> Result<(), CliError> {
    let width = context.ui.width();
    let mut text = Text::new();
    for task in &ready.tasks {
        let left = width.map(|width| width.saturating_sub(task.id().len() + 2));
        text = text.style(BOLD, task.id()).plain("  ").plain(clip(&task.title(), left)).line();
    }
    context.ui.print(room.fit(text))?;
    let mut text = Text::new();
    let told = context.ui.stderr_width();
    for (task, reasons) in &ready.others {
        text = text.style(BOLD, task.id()).plain("  ");
        text = text.style(YELLOW, task::reasons(reasons, task.id()));
        text = text.plain("  ").style(DIM, clip(&task.title(), told.map(|width| width / 2))).line();
    }
    context.ui.say(room.fit(text));
    room.tell(&context.ui);
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

#[derive(Serialize)]
struct Document<'a, O: Serialize> {
    #[serde(flatten)]
    list: List<&'a [Item<'a>]>,
    /// How many cannot start.
    others_total: usize,
    /// Some of them were cut; more tokens show them.
    others_truncated: bool,
    others: O,
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
    let key = |index: usize| items[index].id.to_string();
    let cut = Cut::new(&items, part.cursor.as_deref(), &mut budget, key)?;
    let others = || {
        ready.others.iter().map(|(task, reasons)| Other {
            id: task.id(),
            title: Title::within(task.title(), whole),
            reasons,
        })
    };
    let fitting = match part.max_tokens {
        None => ready.others.len(),
        Some(_) => others().take_while(|other| budget.takes(other)).count(),
    };
    context.ui.print_json(&Document {
        list: List::part(Schema::v1("queue-ready"), project::revision(queue), &items, &cut),
        others_total: ready.others.len(),
        others_truncated: fitting < ready.others.len(),
        others: AsMade::new(others().take(fitting)),
    })
}
