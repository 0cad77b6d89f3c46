//! `ralph queue stats|history|burndown|aging|dashboard`.

use ralph_queue::stats::{self, Age, Aged, Day, Spread, Stats};
use ralph_queue::{Queue, Status, Task};
use ralph_state::Clock as _;
use serde::Serialize;
use serde_json::json;

use crate::args::{AgingArgs, DashboardArgs, DaysArgs, StatsArgs, TextOrJson};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::Schema;
use crate::ui::{BOLD, DIM, Text, YELLOW};

pub(crate) fn stats(context: &Context, args: &StatsArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue stats")?;
    let queue = project.queue()?;
    let has = |task: &Task, tag: &String| task.tags.iter().any(|own| own.eq_ignore_ascii_case(tag));
    let mut tasks = all(&queue);
    tasks.retain(|task| args.tag.is_empty() || args.tag.iter().any(|tag| has(task, tag)));
    let stats = stats::stats(&tasks, context.clock.now());
    show(context, &queue, "queue-stats", args.format, &json!({ "stats": stats }), || {
        figures(&stats)
    })
}

pub(crate) fn history(context: &Context, args: &DaysArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue history")?;
    let queue = project.queue()?;
    let days = stats::history(&all(&queue), context.clock.now(), args.days);
    let line = |text: Text, day: &Day| {
        let counts = [&day.created, &day.started, &day.completed].map(Vec::len);
        let [created, started, completed] = counts;
        text.style(BOLD, &day.date)
            .plain(format_args!("  {created} added, {started} started, {completed} finished"))
            .line()
    };
    show(context, &queue, "queue-history", args.format, &json!({ "days": days }), || {
        days.iter().fold(Text::new(), line)
    })
}

pub(crate) fn burndown(context: &Context, args: &DaysArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue burndown")?;
    let queue = project.queue()?;
    let days = stats::history(&all(&queue), context.clock.now(), args.days);
    let most = days.iter().map(|day| day.remaining).max().unwrap_or_default().max(1);
    let line = |text: Text, day: &Day| {
        let bar = "#".repeat((day.remaining * 50).div_ceil(most));
        text.style(BOLD, &day.date).plain(format_args!("  {:>5}  {bar}", day.remaining)).line()
    };
    show(
        context,
        &queue,
        "queue-burndown",
        args.format,
        &json!({ "days": remaining(&days) }),
        || days.iter().fold(Text::new(), line),
    )
}

pub(crate) fn aging(context: &Context, args: &AgingArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue aging")?;
    let queue = project.queue()?;
    let mut tasks = all(&queue);
    tasks.retain(|task| {
        let is_open = args.status.is_empty() && !task.status.is_terminal();
        is_open || args.status.contains(&task.status)
    });
    let aged = aged(context, &project, &tasks);
    let line = |text: Text, aged: &Aged| {
        let Aged { id, title, status, age, days, .. } = aged;
        let style = if matches!(age, Age::Fresh | Age::Unknown) { DIM } else { YELLOW };
        let days = days.map_or("?".to_owned(), |days| days.to_string());
        let age = format!("{age:?}").to_lowercase();
        text.style(BOLD, id)
            .plain(format_args!("  {days:>4} days  "))
            .style(style, format_args!("{age:<8}"))
            .plain(format_args!("{status:<8}  {title}"))
            .line()
    };
    show(context, &queue, "queue-aging", args.format, &json!({ "tasks": aged }), || {
        aged.iter().fold(Text::new(), line)
    })
}

pub(crate) fn dashboard(context: &Context, args: &DashboardArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue dashboard")?;
    let queue = project.queue()?;
    let now = context.clock.now();
    let tasks = all(&queue);
    let open: Vec<&Task> = queue
        .tasks()
        .filter(|task| !matches!(task.status, Status::Done | Status::Rejected))
        .collect();
    let (stats, days) = (stats::stats(&tasks, now), stats::history(&tasks, now, args.days));
    let section = |data: serde_json::Value| json!({ "status": "ok", "data": data });
    let document = json!({
        "window_days": args.days,
        "generated_at": now,
        "sections": {
            "velocity": section(json!(stats.velocity)),
            "queue_stats": section(json!(stats)),
            "burndown": section(remaining(&days)),
            "history": section(json!(days)),
            "aging": section(json!(aged(context, &project, &open))),
        },
    });
    show(context, &queue, "queue-dashboard", TextOrJson::Json, &document, Text::new)
}

fn remaining(days: &[Day]) -> serde_json::Value {
    days.iter().map(|day| json!({ "date": day.date, "remaining": day.remaining })).collect()
}

fn all(queue: &Queue) -> Vec<&Task> {
    queue.tasks().chain(queue.done_tasks()).collect()
}

fn aged(context: &Context, project: &Project, tasks: &[&Task]) -> Vec<Aged> {
    let limits = &project.settings.config.queue.aging_thresholds;
    let limits = [limits.warning_days, limits.stale_days, limits.rotten_days];
    stats::aging(tasks, context.clock.now(), limits)
}

/// Ours with `--json`, the figures alone with `--format json`, else text.
fn show(
    context: &Context,
    queue: &Queue,
    name: &'static str,
    format: TextOrJson,
    figures: &serde_json::Value,
    text: impl FnOnce() -> Text,
) -> Result<Exit, CliError> {
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: Schema,
            rev: String,
            #[serde(flatten)]
            figures: &'a serde_json::Value,
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
    let statuses: Vec<String> =
        stats.by_status.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let mut text =
        Text::new().plain(format_args!("{} tasks: {}", stats.total, statuses.join(", ")));
    if let Some(rate) = stats.success_rate {
        text = text.line().plain(format_args!("Done of those finished: {rate:.0} %"));
    }
    let spreads = [
        ("From added to finished", stats.lead_time),
        ("From started to finished", stats.work_time),
        ("From added to started", stats.start_time),
    ];
    for (name, spread) in spreads {
        let Some(Spread { average_seconds, median_seconds, .. }) = spread else { continue };
        let [average, median] = [average_seconds, median_seconds].map(span);
        text = text.line().plain(format_args!("{name}: {average} on average, median {median}"));
    }
    let velocity = stats.velocity;
    text = text.line().plain(format_args!(
        "Done in the last 7 days: {}, 30 days: {}",
        velocity.last_7_days, velocity.last_30_days
    ));
    for (tag, share) in &stats.by_tag {
        text = text.line().plain(format_args!("  {tag}: {} of {} done", share.done, share.total));
    }
    text
}

fn span(seconds: i64) -> String {
    let (size, unit) = match seconds {
        172_800.. => (86_400, "days"),
        7_200.. => (3_600, "h"),
        120.. => (60, "min"),
        _ => (1, "s"),
    };
    format!("{} {unit}", seconds / size)
}
