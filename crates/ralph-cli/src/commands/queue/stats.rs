//! `ralph queue stats|history|burndown|aging|dashboard`.

use ralph_queue::stats::{
    self, Age, Aged, AgingTotals, Burndown, Day, History, Left, Pace, Productivity, Slow, Spread,
    Stats, Thresholds, Velocity, span,
};
use ralph_queue::{Place, Queue, Status, Task};
use ralph_state::{Clock as _, Timestamp};
use serde::Serialize;

use crate::args::{AgingArgs, DashboardArgs, DaysArgs, StatsArgs, TextOrJson};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::counted;
use crate::render::envelope::{List, Schema};
use crate::render::task::status_column;
use crate::ui::{BOLD, DIM, Text, YELLOW, clip};

/// The width of the longest bar of a burndown.
const BAR: usize = 20;

pub(crate) fn stats(context: &Context, args: &StatsArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue stats")?;
    let queue = project.whole_queue()?;
    let stats = stats::stats(&all(&queue), &args.tag, context.clock.now());
    show(context, &queue, "queue-stats", args.format, &stats, || figures(&stats))
}

pub(crate) fn history(context: &Context, args: &DaysArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue history")?;
    let queue = project.whole_queue()?;
    let history = stats::history(&all(&queue), context.clock.now(), args.days);
    let line = |text: Text, day: &Day| {
        let (created, completed) = (day.created.len(), day.completed.len());
        let text = text.style(BOLD, &day.date);
        text.plain(format_args!("  {created} added, {completed} finished")).line()
    };
    show(context, &queue, "queue-history", args.format, &history, || {
        history.days.iter().fold(Text::new(), line)
    })
}

pub(crate) fn burndown(context: &Context, args: &DaysArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue burndown")?;
    let queue = project.whole_queue()?;
    let burndown = stats::burndown(&all(&queue), context.clock.now(), args.days);
    let most = burndown.max_count.max(1);
    let line = |text: Text, day: &Left| {
        let bar = "#".repeat((day.remaining * BAR).div_ceil(most));
        text.style(BOLD, &day.date).plain(format_args!("  {:>5}  {bar}", day.remaining)).line()
    };
    show(context, &queue, "queue-burndown", args.format, &burndown, || {
        burndown.daily_counts.iter().fold(Text::new(), line)
    })
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
            #[serde(flatten)]
            aged: &'a Aged,
        }
        #[derive(Serialize)]
        struct Document<'a> {
            #[serde(flatten)]
            list: List<&'a [Item<'a>]>,
            totals: AgingTotals,
        }
        let items: Vec<Item<'_>> = aged.iter().map(|aged| Item { age: aged.age, aged }).collect();
        let rev = project::revision(&queue);
        let list = List::all(Schema::v1("queue-aging"), rev, &items);
        context.ui.print_json(&Document { list, totals: aging.totals })?;
        return Ok(Exit::Done);
    }
    let width = context.ui.width();
    let line = |text: Text, aged: &Aged| {
        let Aged { id, title, status, age, age_human, .. } = aged;
        let style = if *age == Age::Fresh { DIM } else { YELLOW };
        let left = width.map(|width| width.saturating_sub(id.as_str().len() + 34));
        // Of a title that has no room, not even a mark.
        let title = if left.is_some_and(|left| left < 4) { "" } else { title };
        text.style(BOLD, id)
            .plain(format_args!("  {age_human:>11}  "))
            .style(style, format_args!("{:<7}", age.as_str()))
            .plain("  ")
            .append(&status_column(*status))
            .plain("  ")
            .plain(clip(title, left))
            .line()
    };
    show(context, &queue, "queue-aging", args.format, &aging, || {
        let text = aged.iter().fold(Text::new(), line);
        match aging.totals.unknown {
            0 => text,
            1 => text.plain("Nothing says since when 1 more task waits."),
            more => text.plain(format_args!("Nothing says since when {more} more tasks wait.")),
        }
    })
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
    show(context, &queue, "queue-dashboard", TextOrJson::Json, &board, Text::new)
}

/// The same figures in each case: in our frame with `--json`, as 0.4.0 has them with
/// `--format json`, else as text.
fn show(
    context: &Context,
    queue: &Queue,
    name: &'static str,
    format: TextOrJson,
    figures: &impl Serialize,
    text: impl FnOnce() -> Text,
) -> Result<Exit, CliError> {
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Document<'a, T> {
            schema: Schema,
            rev: String,
            #[serde(flatten)]
            figures: &'a T,
        }
        let rev = project::revision(queue);
        context.ui.print_json(&Document { schema: Schema::v1(name), rev, figures })?;
    } else if format == TextOrJson::Json {
        context.ui.print_json(figures)?;
    } else {
        context.ui.print(text())?;
    }
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
