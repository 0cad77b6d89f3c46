//! `ralph queue stats|history|burndown|aging|dashboard`.

use std::collections::BTreeSet;

use ralph_queue::stats::{
    self, Age, Aged, Burndown, Day, History, Left, Pace, Productivity, Slow, Spread, Stats,
    Thresholds, Velocity, span,
};
use ralph_queue::{Place, Queue, Status, Task};
use ralph_state::{Clock as _, TaskId, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::args::{AgingArgs, DashboardArgs, DaysArgs, PartArgs, StatsArgs, TextOrJson};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::counted;
use crate::render::envelope::{Budget, Content, Cut, Schema, Short, Title, print_part};
use crate::render::room::Room;
use crate::render::task::status_column;
use crate::ui::{BOLD, DIM, Text, YELLOW, clip};

/// The width of the longest bar of a burndown.
const BAR: usize = 20;

pub(crate) fn stats(context: &Context, args: &StatsArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue stats")?;
    let queue = project.whole_queue()?;
    let stats = stats::stats(&all(&queue), &args.tag, context.clock.now());
    if context.ui.wants_json() {
        return print_short(context, &queue, "queue-stats", &stats, args.max_tokens);
    }
    let part = PartArgs { max_tokens: args.max_tokens, ..PartArgs::default() };
    if args.format == TextOrJson::Json {
        return print_legacy(context, &stats, &part);
    }
    let mut room = Room::new(args.max_tokens);
    context.ui.print(room.fit(figures(&stats)))?;
    if !args.quiet {
        room.tell(&context.ui);
    }
    Ok(Exit::Done)
}

pub(crate) fn history(context: &Context, args: &DaysArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue history")?;
    let queue = project.whole_queue()?;
    let history = stats::history(&all(&queue), context.clock.now(), args.days);
    let History { window, days, .. } = &history;
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Item<'a> {
            #[serde(flatten)]
            day: &'a Day,
            created_total: usize,
            completed_total: usize,
        }
        let items = days.iter().map(|day| Item {
            day,
            created_total: day.created.len(),
            completed_total: day.completed.len(),
        });
        let budget = Budget::new(args.part.max_tokens);
        let items: Vec<_> = items.map(|item| Short::within(item, budget)).collect();
        let head = (Schema::v1("queue-history"), Some(project::revision(&queue)));
        let beside = json!({ "window": window });
        let key = |index: usize| days[index].date.clone();
        print_part(&context.ui, head, (&items, &args.part), key, &beside)?;
        return Ok(Exit::Done);
    }
    if args.format == TextOrJson::Json {
        return print_legacy(context, &history, &args.part);
    }
    let line = |day: &Day| {
        let (created, completed) = (day.created.len(), day.completed.len());
        let text = Text::new().style(BOLD, &day.date);
        text.plain(format_args!("  {created} added, {completed} finished")).line()
    };
    print_lines(context, days, &args.part, |day| day.date.clone(), line)
}

pub(crate) fn burndown(context: &Context, args: &DaysArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue burndown")?;
    let queue = project.whole_queue()?;
    let burndown = stats::burndown(&all(&queue), context.clock.now(), args.days);
    let Burndown { window, daily_counts: days, max_count, legend, .. } = &burndown;
    if context.ui.wants_json() {
        let head = (Schema::v1("queue-burndown"), Some(project::revision(&queue)));
        let beside = json!({ "window": window, "max_count": max_count, "legend": legend });
        let key = |index: usize| days[index].date.clone();
        print_part(&context.ui, head, (days, &args.part), key, &beside)?;
        return Ok(Exit::Done);
    }
    if args.format == TextOrJson::Json {
        return print_legacy(context, &burndown, &args.part);
    }
    let most = (*max_count).max(1);
    let line = |day: &Left| {
        let bar = "#".repeat((day.remaining * BAR).div_ceil(most));
        let text = Text::new().style(BOLD, &day.date);
        text.plain(format_args!("  {:>5}  {bar}", day.remaining)).line()
    };
    print_lines(context, days, &args.part, |day| day.date.clone(), line)
}

pub(crate) fn aging(context: &Context, args: &AgingArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue aging")?;
    let queue = project.queue()?;
    let statuses = if args.status.is_empty() {
        vec![Status::Todo, Status::Doing]
    } else {
        args.status.clone()
    };
    let limits = &project.settings.config.queue.aging_thresholds;
    let limits = Thresholds {
        warning_days: limits.warning_days,
        stale_days: limits.stale_days,
        rotten_days: limits.rotten_days,
    };
    let tasks = queue.glances(Place::Queue).chain(queue.glances(Place::Done));
    let (aging, aged) = stats::aging(tasks, &statuses, limits, context.clock.now());
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Item<'a> {
            age: Age,
            id: &'a TaskId,
            #[serde(flatten)]
            title: Title<'a>,
            status: Status,
            age_seconds: i64,
            age_human: &'a str,
            basis: &'a str,
            anchor_ts: &'a str,
        }
        let budget = Budget::new(args.part.max_tokens);
        let items = aged.iter().map(|aged| Item {
            age: aged.age,
            id: &aged.id,
            title: Title::within(&aged.title, budget),
            status: aged.status,
            age_seconds: aged.age_seconds,
            age_human: &aged.age_human,
            basis: aged.basis,
            anchor_ts: &aged.anchor_ts,
        });
        let items: Vec<Item<'_>> = items.collect();
        let head = (Schema::v1("queue-aging"), Some(project::revision(&queue)));
        let beside = json!({ "totals": aging.totals });
        let key = |index: usize| aged[index].id.to_string();
        print_part(&context.ui, head, (&items, &args.part), key, &beside)?;
        return Ok(Exit::Done);
    }
    if args.format == TextOrJson::Json {
        return print_legacy(context, &aging, &args.part);
    }
    let width = context.ui.width();
    let line = |aged: &Aged| {
        let Aged { id, title, status, age, age_human, .. } = aged;
        let style = if *age == Age::Fresh { DIM } else { YELLOW };
        let left = width.map(|width| width.saturating_sub(id.as_str().len() + 34));
        // Of a title that has no room, not even a mark.
        let title = if left.is_some_and(|left| left < 4) { "" } else { title };
        Text::new()
            .style(BOLD, id)
            .plain(format_args!("  {age_human:>11}  "))
            .style(style, format_args!("{:<7}", age.as_str()))
            .plain("  ")
            .append(&status_column(*status))
            .plain("  ")
            .plain(clip(title, left))
            .line()
    };
    print_lines(context, &aged, &args.part, |aged| aged.id.to_string(), line)?;
    match aging.totals.unknown {
        0 => {}
        1 => context.ui.say("Nothing says since when 1 more task waits."),
        more => context.ui.say(format!("Nothing says since when {more} more tasks wait.")),
    }
    Ok(Exit::Done)
}

/// As 0.4.0 has it.
#[derive(Serialize)]
struct Dashboard {
    window_days: u32,
    generated_at: Timestamp,
    sections: Sections,
}

#[derive(Serialize)]
struct Sections {
    productivity_summary: Section<Productivity>,
    productivity_velocity: Section<Pace>,
    burndown: Section<Burndown>,
    queue_stats: Section<Stats>,
    history: Section<History>,
}

/// A part that 0.4.0 may lack; ours never does.
#[derive(Serialize)]
struct Section<T> {
    status: &'static str,
    data: T,
}

impl<T> Section<T> {
    const fn of(data: T) -> Self {
        Self { status: "ok", data }
    }
}

pub(crate) fn dashboard(context: &Context, args: &DashboardArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue dashboard")?;
    let queue = project.whole_queue()?;
    let (now, tasks) = (context.clock.now(), all(&queue));
    let sections = Sections {
        productivity_summary: Section::of(stats::productivity(&tasks, now)),
        productivity_velocity: Section::of(stats::pace(&tasks, now, args.days)),
        burndown: Section::of(stats::burndown(&tasks, now, args.days)),
        queue_stats: Section::of(stats::stats(&tasks, &[], now)),
        history: Section::of(stats::history(&tasks, now, args.days)),
    };
    let board = Dashboard { window_days: args.days, generated_at: now, sections };
    if context.ui.wants_json() {
        return print_short(context, &queue, "queue-dashboard", &board, args.max_tokens);
    }
    let part = PartArgs { max_tokens: args.max_tokens, ..PartArgs::default() };
    print_legacy(context, &board, &part)
}

/// Prints figures in our frame, and says which lists of them were cut.
fn print_short(
    context: &Context,
    queue: &Queue,
    name: &'static str,
    figures: &impl Serialize,
    max_tokens: Option<usize>,
) -> Result<Exit, CliError> {
    #[derive(Serialize)]
    struct Document<T> {
        schema: Schema,
        rev: String,
        truncated: bool,
        /// Fields of which something was cut.
        cut: BTreeSet<String>,
        #[serde(flatten)]
        figures: Content<T>,
    }
    let Short { document: figures, cut } = Short::within(figures, Budget::new(max_tokens));
    let (schema, rev, truncated) = (Schema::v1(name), project::revision(queue), !cut.is_empty());
    context.ui.print_json(&Document { schema, rev, truncated, cut, figures })?;
    Ok(Exit::Done)
}

/// Prints figures as 0.4.0 has them with `--format json`.
fn print_legacy(
    context: &Context,
    figures: &impl Serialize,
    part: &PartArgs,
) -> Result<Exit, CliError> {
    super::whole(part)?;
    context.ui.print_json(figures)?;
    Ok(Exit::Done)
}

/// Prints the part of a list that was asked for, a line each.
fn print_lines<T>(
    context: &Context,
    items: &[T],
    part: &PartArgs,
    key: impl Fn(&T) -> String,
    line: impl Fn(&T) -> Text,
) -> Result<Exit, CliError> {
    let cut = Cut::of_text(items.len(), part, |index| key(&items[index]))?;
    let mut room = Room::new(part.max_tokens);
    room.print(&context.ui, items[cut.range.clone()].iter().map(line))?;
    room.tell(&context.ui);
    cut.tell(&context.ui, items.len(), "line");
    Ok(Exit::Done)
}

fn figures(stats: &Stats) -> Text {
    let summary = &stats.summary;
    let mut text = Text::new().plain(format_args!(
        "{}: {} active, {} done, {} rejected",
        counted(summary.total, "task"),
        summary.active,
        summary.done,
        summary.rejected
    ));
    let times = &stats.time_tracking;
    let spreads = [
        ("From added to finished", &times.lead_time),
        ("From started to finished", &times.work_time),
        ("From added to started", &times.start_lag),
    ];
    for (name, spread) in spreads {
        let Some(Spread { average_human, median_human, .. }) = spread else { continue };
        text = text
            .line()
            .plain(format_args!("{name}: {average_human} on average, median {median_human}"));
    }
    for share in &stats.tag_breakdown {
        let lately = stats.velocity.by_tag.iter().find(|group| group.key == share.tag);
        let took = stats.slow_groups.by_tag.iter().find(|group| group.key == share.tag);
        let parts = [vec![counted(share.count, "task")], group(lately, took)].concat();
        text = text.line().style(BOLD, &share.tag).plain(": ").plain(parts.join(", "));
    }
    for took in &stats.slow_groups.by_runner {
        let lately = stats.velocity.by_runner.iter().find(|group| group.key == took.key);
        let parts = group(lately, Some(took)).join(", ");
        text = text.line().style(BOLD, &took.key).plain(": ").plain(parts);
    }
    text
}

/// What is known of the tasks with a tag or of a runner.
fn group(lately: Option<&Velocity>, took: Option<&Slow>) -> Vec<String> {
    let lately = lately.map(|Velocity { last_7_days, last_30_days, .. }| {
        format!("{last_7_days} finished in the last 7 days, {last_30_days} in 30")
    });
    let took = took.map(|Slow { median_seconds, count, .. }| {
        format!("median work {} ({} measured)", span(*median_seconds), counted(*count, "task"))
    });
    lately.into_iter().chain(took).collect()
}

/// The tasks of both files.
fn all(queue: &Queue) -> Vec<&Task> {
    queue.tasks().chain(queue.done_tasks()).collect()
}
