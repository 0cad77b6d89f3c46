//! `ralph queue list`.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ralph_queue::pick::Filter;
use ralph_queue::runnability::{DoingFirst, Drafts, Reason, TaskReport, UnmetDependency};
use ralph_queue::stats::{Estimates, span};
use ralph_queue::task::{Glance, Task};
use ralph_queue::{Listed, Place, Priority, Queue, Status};
use ralph_state::{TaskId, Timestamp};
use serde::Serialize;

use crate::args::{ListArgs, ListFormat, Order, PageArgs, SortBy, WhichArgs};
use crate::commands::input;
use crate::commands::task::{say_cut, shorten};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::counted;
use crate::render::envelope::{AsMade, Budget, List, Schema, Title, begin, cursor};
use crate::render::room::Room;
use crate::render::task::{
    compact_fields, listed_fields, long, long_fields, status_priority_title,
};
use crate::standing;
use crate::ui::{BOLD, Text};

pub(crate) fn list(context: &Context, args: &ListArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue list")?;
    let queue = project.queue()?;
    let mut tasks = which(&queue, &args.which);
    let waiting = match &args.filter_deps {
        // As in 0.4.0, nothing waits for a task that is not there.
        Some(id) => {
            if queue.find(id).is_none() {
                context.ui.warn(format!("there is no task `{id}`"));
            }
            Some(dependants(&queue, id))
        }
        None => None,
    };
    tasks.retain(|listed| waiting.as_ref().is_none_or(|ids| ids.contains(listed.id())));
    let after = input::time(context, args.scheduled_after.as_deref())?;
    let before = input::time(context, args.scheduled_before.as_deref())?;
    if after.is_some() || before.is_some() {
        let fitting = queue.look_at(tasks).filter(|(_, task)| fits_schedule(task, (after, before)));
        tasks = fitting.map(|(listed, _)| listed).collect();
    }
    if let Some(by) = args.sort_by {
        let keyed = queue.look_at(tasks).map(|(listed, task)| (SortKey::of(&task, by), listed));
        let mut keyed: Vec<(SortKey, Listed<'_>)> = keyed.collect();
        // Both ways, equals stay in the order of work.
        keyed.sort_by(|(a, _), (b, _)| {
            // A task without the time comes last, whichever end is first.
            let is_missing = |key: &SortKey| *key == SortKey::Time(None);
            is_missing(a).cmp(&is_missing(b)).then_with(|| match args.order {
                Order::Ascending => a.cmp(b),
                Order::Descending => b.cmp(a),
            })
        });
        tasks = keyed.into_iter().map(|(_, listed)| listed).collect();
    }
    let estimates = args.with_eta.then(|| Estimates::new(&queue));
    let source = Source { project: &project, queue: &queue };
    let found = Found { tasks, shown: Shown::of(&args.which) };
    show_page(context, source, found, &args.page, estimates.as_ref())
}

/// The tasks of the files that were asked for, without those that were not.
pub(super) fn which<'q>(queue: &'q Queue, args: &WhichArgs) -> Vec<Listed<'q>> {
    let filter = Filter { tags: args.tag.clone(), scopes: args.scope.clone(), ..Filter::default() };
    let is_asked_for = |listed: &Listed<'_>| !args.only_done || listed.status().is_terminal();
    let open = queue.list(Place::Queue).filter(is_asked_for);
    let has_done = args.only_done || args.include_done;
    let done = queue.list(Place::Done).filter(|_| has_done);
    let has_status =
        |listed: &Listed<'_>| args.status.is_empty() || args.status.contains(&listed.status());
    let listed = open.chain(done).filter(has_status);
    if filter.is_empty() && !args.scheduled {
        return listed.collect();
    }
    let is_wanted = |task: &Glance<'_>| {
        filter.matches(task) && (!args.scheduled || task.scheduled_start.is_some())
    };
    let wanted = queue.look_at(listed).filter(|(_, task)| is_wanted(task));
    wanted.map(|(listed, _)| listed).collect()
}

/// What is shown of what was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shown {
    All,
    /// Not the finished tasks, for which nobody asked: a queue without `queue.finish` set to
    /// `in_place` has none. They are counted.
    Open,
}

impl Shown {
    pub(super) fn of(args: &WhichArgs) -> Self {
        let WhichArgs { status, include_done, only_done, .. } = args;
        let is_asked = *include_done || *only_done || !status.is_empty();
        if is_asked { Self::All } else { Self::Open }
    }

    fn has(self, listed: &Listed<'_>) -> bool {
        self == Self::All || !listed.status().is_terminal()
    }
}

/// What a list is of.
pub(super) struct Found<'q> {
    pub(super) tasks: Vec<Listed<'q>>,
    pub(super) shown: Shown,
}

/// Where listed tasks come from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'q> {
    pub(crate) project: &'q Project,
    pub(crate) queue: &'q Queue,
}

/// Prints what was asked for of these tasks, and says what was not.
pub(super) fn show_page(
    context: &Context,
    source: Source<'_>,
    found: Found<'_>,
    args: &PageArgs,
    estimates: Option<&Estimates>,
) -> Result<Exit, CliError> {
    let page = Page::cut(source.queue, found, args)?;
    let mut room = Room::new(args.max_tokens);
    print_page(context, source, &page, (args.format, estimates), &mut room)?;
    if !args.quiet {
        room.tell(&context.ui);
        say_rest(context, source.queue, &page, args.format);
    }
    Ok(Exit::Done)
}

/// Prints these tasks, all of them.
pub(crate) fn print(
    context: &Context,
    source: Source<'_>,
    tasks: Vec<Listed<'_>>,
    format: ListFormat,
) -> Result<Exit, CliError> {
    let budget = Budget::new(None);
    let (total, finished) = (tasks.len(), 0);
    let page = Page { total, finished, tasks, budget, next_cursor: None };
    print_page(context, source, &page, (format, None), &mut Room::new(None))?;
    Ok(Exit::Done)
}

fn print_page(
    context: &Context,
    source: Source<'_>,
    page: &Page<'_>,
    (format, estimates): (ListFormat, Option<&Estimates>),
    room: &mut Room,
) -> Result<(), CliError> {
    if context.ui.wants_json() {
        return print_json(context, source, page, estimates);
    }
    if let (ListFormat::Json, [only]) = (format, page.tasks.as_slice()) {
        // What is there in any case may be too long.
        let mut task = only.task().clone();
        say_cut(context, &shorten(&mut task, page.budget));
        return context.ui.print_json(&[task]);
    }
    let tasks = source.queue.look_at(page.tasks.iter().copied()).map(|(_, task)| task);
    match (format, context.ui.width()) {
        (ListFormat::Json, _) => context.ui.print_json(&AsMade::new(tasks)),
        (ListFormat::Text, _) | (ListFormat::Long, Some(_)) => {
            room.print(&context.ui, paragraphs(tasks))
        }
        (ListFormat::Compact, Some(width)) => {
            context.ui.print(room.fit(table(source.queue, page, estimates, width)))
        }
        (ListFormat::Compact, None) if estimates.is_none() => {
            let lines = Text::fields(page.tasks.iter().copied().map(listed_fields));
            context.ui.print_as_it_is(room.fit(lines))
        }
        (ListFormat::Compact | ListFormat::Long, None) => {
            let fields = if format == ListFormat::Long { long_fields } else { compact_fields };
            let lines = Text::fields(tasks.map(|task| {
                let mut line = fields(&task);
                line.extend(estimates.map(|estimates| eta(estimates, &task)));
                line
            }));
            context.ui.print_as_it_is(room.fit(lines))
        }
    }
}

/// How long the work on a task may take, in words.
pub(super) fn eta<W: AsRef<str>>(estimates: &Estimates, task: &Task<W>) -> String {
    estimates.of(task).map_or("n/a".to_owned(), span)
}

fn paragraphs<'q>(tasks: impl Iterator<Item = Glance<'q>>) -> impl Iterator<Item = Text> {
    let mut tasks = tasks.peekable();
    std::iter::from_fn(move || {
        let text = long(&tasks.next()?);
        Some(if tasks.peek().is_some() { text.line().line() } else { text })
    })
}

/// A line for each task, as wide as the terminal.
fn table(queue: &Queue, page: &Page<'_>, estimates: Option<&Estimates>, width: usize) -> Text {
    let id_width = page.tasks.iter().map(|listed| listed.id().len()).max().unwrap_or(0);
    let mut text = Text::new();
    for (_, task) in queue.look_at(page.tasks.iter().copied()) {
        let eta = estimates.map(|estimates| format!("{:>9}  ", eta(estimates, &task)));
        let eta = eta.unwrap_or_default();
        let left = width.saturating_sub(id_width + eta.len());
        text = text.style(BOLD, format_args!("{:<id_width$}", task.id.as_str())).plain("  ");
        text = text.plain(eta).append(&status_priority_title(&task, left)).line();
    }
    text
}

fn fits_schedule(
    task: &Glance<'_>,
    (after, before): (Option<Timestamp>, Option<Timestamp>),
) -> bool {
    let start = task.scheduled().ok().flatten();
    after.is_none_or(|after| start.is_some_and(|start| start > after))
        && before.is_none_or(|before| start.is_some_and(|start| start < before))
}

/// The tasks that wait for `id`, directly or through others.
fn dependants<'q>(queue: &'q Queue, id: &'q str) -> BTreeSet<&'q str> {
    let mut waiting: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (listed, task) in queue.look_at(queue.list(Place::Queue).chain(queue.list(Place::Done))) {
        for wanted in task.depends_on {
            waiting.entry(wanted.trim().to_owned()).or_default().push(listed.id());
        }
    }
    let mut found = BTreeSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        let direct = waiting.get(id).map_or(&[][..], Vec::as_slice);
        open.extend(direct.iter().filter(|id| found.insert(**id)));
    }
    found
}

/// What tasks are compared by. Less urgent is less, so that descending starts
/// with the most urgent.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum SortKey {
    Urgency(Reverse<Priority>),
    Status(Status),
    Text(String),
    Time(Option<Timestamp>),
}

impl SortKey {
    fn of(task: &Glance<'_>, by: SortBy) -> Self {
        let time =
            |time: &Option<Cow<'_, str>>| Self::Time(time.as_ref().and_then(|it| it.parse().ok()));
        match by {
            SortBy::Priority => Self::Urgency(Reverse(task.priority)),
            SortBy::Status => Self::Status(task.status),
            SortBy::Title => Self::Text(task.title.to_lowercase()),
            SortBy::CreatedAt => time(&task.created_at),
            SortBy::ScheduledStart => time(&task.scheduled_start),
            SortBy::StartedAt => time(&task.started_at),
            SortBy::UpdatedAt => time(&task.updated_at),
        }
    }
}

/// What is shown of a list.
struct Page<'a> {
    tasks: Vec<Listed<'a>>,
    total: usize,
    /// How many finished tasks are left out.
    finished: usize,
    /// For all of it.
    budget: Budget,
    next_cursor: Option<String>,
}

impl<'a> Page<'a> {
    fn cut(
        queue: &'a Queue,
        Found { mut tasks, shown }: Found<'a>,
        args: &PageArgs,
    ) -> Result<Self, CliError> {
        let found = tasks.len();
        let total = tasks.iter().filter(|listed| shown.has(listed)).count();
        let finished = found - total;
        let is = |index: usize, id: &str| tasks[index].id() == id;
        let begin = args.cursor.as_ref().map_or(Ok(0), |cursor| begin(cursor, tasks.len(), is))?;
        let limit = if args.all || args.limit == 0 { total } else { args.limit };
        // The task of the cursor may be finished by now.
        tasks.drain(..begin);
        tasks.retain(|listed| shown.has(listed));
        let mut end = limit.min(tasks.len());
        let budget = Budget::new(args.max_tokens);
        if args.max_tokens.is_some() {
            let mut left = budget;
            let mut fits = |task: Glance<'_>| match args.format {
                ListFormat::Compact => left.takes(&Item::of(task, budget, None, None)),
                ListFormat::Json | ListFormat::Long | ListFormat::Text => left.takes(&task),
            };
            let shown = queue.look_at(tasks[..end].iter().copied()).map(|(_, task)| task);
            let fitting = shown.map_while(|task| fits(task).then_some(())).count();
            // Whatever its size, so that who reads on comes to the end.
            end = fitting.max(1).min(end);
        }
        let next = tasks.get(end).zip(end.checked_sub(1));
        let next_cursor = next.map(|(next, last)| cursor(tasks[last].id(), next.id()));
        tasks.truncate(end);
        Ok(Self { tasks, total, finished, budget, next_cursor })
    }
}

fn say_rest(context: &Context, queue: &Queue, page: &Page<'_>, format: ListFormat) {
    if let Some(cursor) = &page.next_cursor {
        context.ui.say(format!("{} of {} tasks.", page.tasks.len(), page.total));
        context
            .ui
            .hint(format!("`--all` shows every task, `--cursor {cursor}` those that follow."));
    } else if page.total == 0 && format != ListFormat::Json {
        if queue.list(Place::Queue).next().is_none() {
            super::say_none_open(context, queue);
        } else {
            let which = if page.finished > 0 { "open task" } else { "task" };
            context.ui.say(format!("No {which} matches."));
        }
    }
    if page.finished > 0 {
        let left_out = counted(page.finished, "finished task");
        context.ui.say(format!("{left_out} left out; `--include-done` shows every one."));
    }
}

/// A task in a list: enough to choose one; `ralph task show` has the rest.
#[derive(Serialize)]
struct Item<'a> {
    id: TaskId,
    #[serde(flatten)]
    title: Title<'a>,
    status: Status,
    priority: Priority,
    tags: Vec<Cow<'a, str>>,
    /// It can start now.
    ready: bool,
    /// Ids of the tasks it still waits for.
    waits_for: Vec<String>,
    scheduled_start: Option<Cow<'a, str>>,
    updated_at: Option<Cow<'a, str>>,
    /// How long the work on it may take, if that was asked for and can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_seconds: Option<i64>,
}

impl<'a> Item<'a> {
    fn of(
        task: Glance<'a>,
        budget: Budget,
        report: Option<TaskReport>,
        eta_seconds: Option<i64>,
    ) -> Self {
        let report = report.filter(|_| !task.status.is_terminal());
        Self {
            id: task.id,
            title: Title::within(task.title, budget),
            status: task.status,
            priority: task.priority,
            tags: task.tags,
            ready: report.as_ref().is_some_and(|report| report.runnable),
            waits_for: report.map(|report| waits_for(report.reasons)).unwrap_or_default(),
            scheduled_start: task.scheduled_start,
            updated_at: task.updated_at,
            eta_seconds,
        }
    }
}

fn print_json(
    context: &Context,
    source: Source<'_>,
    page: &Page<'_>,
    estimates: Option<&Estimates>,
) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Tasks<'q, I: Serialize> {
        #[serde(flatten)]
        list: List<I>,
        /// Finished tasks of the queue file that nobody asked for; they are in no other count.
        finished_left_out: usize,
        /// Ids that several tasks have: nothing is begun by them, and no edit made.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        ambiguous_ids: Vec<&'q str>,
    }
    let Source { project, queue } = source;
    let standing = standing::glanced(context, project, queue);
    let selection = project::selection(context, Drafts::Exclude, DoingFirst::Prefer, &standing);
    let readiness = queue.readiness(&selection);
    let items = queue.look_at(page.tasks.iter().copied()).map(|(_, task)| {
        let report = readiness.report_on(&task);
        let eta = estimates.and_then(|estimates| estimates.of(&task));
        Item::of(task, page.budget, Some(report), eta)
    });
    context.ui.print_json(&Tasks {
        finished_left_out: page.finished,
        ambiguous_ids: readiness.ambiguous_ids(),
        list: List {
            schema: Schema::v1("task-list"),
            rev: Some(project::revision(queue)),
            total: page.total,
            returned: page.tasks.len(),
            truncated: page.next_cursor.is_some(),
            next_cursor: page.next_cursor.clone(),
            items: AsMade::new(items),
        },
    })
}

fn waits_for(reasons: Vec<Reason>) -> Vec<String> {
    reasons
        .into_iter()
        .filter_map(|reason| match reason {
            Reason::UnmetDependencies { dependencies } => Some(dependencies),
            _ => None,
        })
        .flatten()
        .filter_map(|dependency| match dependency {
            UnmetDependency::Missing { id }
            | UnmetDependency::NotComplete { id, .. }
            | UnmetDependency::AmbiguousId { id } => Some(id),
            _ => None,
        })
        .collect()
}
