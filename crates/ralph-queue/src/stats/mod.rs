//! Figures about a queue, in the shapes that 0.4.0 prints as JSON. Days are those of UTC.

mod aging;
mod days;
mod done;

use std::collections::BTreeMap;

use ralph_state::Timestamp;
use serde::Serialize;

use crate::queue::{Place, Queue};
use crate::task::{Status, Task};
pub use aging::{Age, Aged, Aging, AgingTotals, Bucket, Statuses, Thresholds, aging};
pub use days::{Burndown, Day, History, Left, Legend, Window, burndown, history};
pub use done::{Completion, Milestone, Pace, Productivity, pace, productivity};

pub(crate) const DAY: i64 = 24 * 60 * 60;

/// What there is and how it went.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// How many.
    pub summary: Summary,
    /// The same as [`TimeTracking::lead_time`].
    pub durations: Option<Spread>,
    /// How long it took.
    pub time_tracking: TimeTracking,
    /// How many ended lately.
    pub velocity: Groups<Velocity>,
    /// What takes longest, from begun to ended; the slowest first.
    pub slow_groups: Groups<Slow>,
    /// How many tasks have a tag; the most frequent first.
    pub tag_breakdown: Vec<TagShare>,
    /// Which tasks were looked at.
    pub filters: Tags,
    /// Of 0.4.0's record of runs, which is no longer kept.
    pub execution_history_eta: Option<()>,
}

/// How many tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// All.
    pub total: usize,
    /// Done.
    pub done: usize,
    /// Rejected.
    pub rejected: usize,
    /// Done or rejected.
    pub terminal: usize,
    /// Neither.
    pub active: usize,
    /// Which part is done or rejected, in per cent.
    pub terminal_rate: f64,
}

/// How long tasks that ended took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TimeTracking {
    /// From made to ended.
    pub lead_time: Option<Spread>,
    /// From begun to ended.
    pub work_time: Option<Spread>,
    /// From made to begun.
    pub start_lag: Option<Spread>,
}

/// How long things took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Spread {
    /// How many are known.
    pub count: usize,
    /// In seconds.
    pub average_seconds: i64,
    /// In seconds.
    pub median_seconds: i64,
    /// As [`span`] writes it.
    pub average_human: String,
    /// As [`span`] writes it.
    pub median_human: String,
}

/// The same figure for each tag and for each runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Groups<T> {
    /// Tags in small letters.
    pub by_tag: Vec<T>,
    /// The runners that ran the tasks, or that they ask for.
    pub by_runner: Vec<T>,
}

/// How many tasks of a group ended lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Velocity {
    /// The tag or the runner.
    pub key: String,
    /// In the last 7 days.
    pub last_7_days: u32,
    /// In the last 30 days.
    pub last_30_days: u32,
}

/// How long the tasks of a group took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Slow {
    /// The tag or the runner.
    pub key: String,
    /// How many are known.
    pub count: usize,
    /// In seconds.
    pub median_seconds: i64,
    /// As [`span`] writes it.
    pub median_human: String,
}

/// How many tasks have a tag.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TagShare {
    /// In small letters.
    pub tag: String,
    /// How many.
    pub count: usize,
    /// Which part of all, in per cent.
    pub percentage: f64,
}

/// Only tasks with one of these tags, if there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tags {
    /// As they were asked for.
    pub tags: Vec<String>,
}

/// Figures at `now` about those of these tasks that have one of the tags; without tags, about all.
pub fn stats(tasks: &[&Task], tags: &[String], now: Timestamp) -> Stats {
    let wanted: Vec<String> = tags.iter().map(|tag| tag.to_lowercase()).collect();
    let has_tag = |task: &&&Task| {
        wanted.is_empty() || task.tags.iter().any(|tag| wanted.contains(&tag.to_lowercase()))
    };
    let tasks: Vec<&Task> = tasks.iter().filter(has_tag).copied().collect();
    let count = |status| tasks.iter().filter(|task| task.status == status).count();
    let (total, done, rejected) = (tasks.len(), count(Status::Done), count(Status::Rejected));
    let terminal = done + rejected;
    let ended: Vec<&Task> =
        tasks.iter().copied().filter(|task| task.status.is_terminal()).collect();
    let between = |from: fn(&Task) -> Option<&String>, to: fn(&Task) -> Option<&String>| {
        spread(ended.iter().filter_map(|task| elapsed(from(task), to(task))).collect())
    };
    let lead_time = between(|task| task.created_at.as_ref(), |task| task.completed_at.as_ref());
    let (mut by_tag, mut by_runner) = (BTreeMap::new(), BTreeMap::new());
    for task in &ended {
        for tag in &task.tags {
            Group::of(&mut by_tag, tag.to_lowercase()).count(task, now);
        }
        if let Some(runner) = runner(task) {
            Group::of(&mut by_runner, runner).count(task, now);
        }
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for tag in tasks.iter().flat_map(|task| &task.tags) {
        *counts.entry(tag.to_lowercase()).or_default() += 1;
    }
    let share = |(tag, count)| TagShare { tag, count, percentage: percent(count, total) };
    let mut tag_breakdown: Vec<TagShare> = counts.into_iter().map(share).collect();
    tag_breakdown.sort_by_key(|share| std::cmp::Reverse(share.count));
    Stats {
        summary: Summary {
            total,
            done,
            rejected,
            terminal,
            active: total - terminal,
            terminal_rate: percent(terminal, total),
        },
        durations: lead_time.clone(),
        time_tracking: TimeTracking {
            lead_time,
            work_time: between(|task| task.started_at.as_ref(), |task| task.completed_at.as_ref()),
            start_lag: between(|task| task.created_at.as_ref(), |task| task.started_at.as_ref()),
        },
        velocity: Groups { by_tag: velocity(&by_tag), by_runner: velocity(&by_runner) },
        slow_groups: Groups { by_tag: slow(by_tag), by_runner: slow(by_runner) },
        tag_breakdown,
        filters: Tags { tags: tags.to_vec() },
        execution_history_eta: None,
    }
}

/// How long the work on a task may take, learnt from those that are done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimates {
    of_all: Option<i64>,
    by_runner: BTreeMap<String, i64>,
}

impl Estimates {
    /// Learnt from the tasks of both files that are done.
    pub fn new(queue: &Queue) -> Self {
        let (mut of_all, mut by_runner) = (Vec::new(), BTreeMap::<String, Vec<i64>>::new());
        let all = queue.list(Place::Queue).chain(queue.list(Place::Done));
        let done = all.filter(|listed| listed.status() == Status::Done);
        for (_, task) in queue.look_at(done) {
            let took = elapsed(task.started_at.as_ref(), task.completed_at.as_ref());
            of_all.extend(took);
            if let (Some(took), Some(runner)) = (took, runner(&task)) {
                by_runner.entry(runner).or_default().push(took);
            }
        }
        let median = |seconds| Some(spread(seconds)?.median_seconds);
        let by_runner =
            by_runner.into_iter().filter_map(|(runner, all)| Some((runner, median(all)?)));
        Self { of_all: median(of_all), by_runner: by_runner.collect() }
    }

    /// In seconds: half of the done tasks with its runner took no longer; half of all done tasks,
    /// if it asks for no runner. Nothing for a task that is being worked on or has ended.
    pub fn of<W: AsRef<str>>(&self, task: &Task<W>) -> Option<i64> {
        match task.status {
            Status::Draft | Status::Todo => match runner(task) {
                Some(runner) => self.by_runner.get(&runner).copied(),
                None => self.of_all,
            },
            Status::Doing | Status::Done | Status::Rejected => None,
        }
    }
}

/// A number of seconds in days, hours and minutes, as 0.4.0 writes it: `24d 0h`, `1h 5m`, `0m`.
pub fn span(seconds: i64) -> String {
    let (days, hours, minutes) =
        (seconds / DAY, seconds % DAY / (60 * 60), seconds % (60 * 60) / 60);
    let mut parts = Vec::new();
    if days > 0 {
        parts.push(format!("{days}d"));
    }
    if hours > 0 || days > 0 {
        parts.push(format!("{hours}h"));
    }
    if minutes > 0 || parts.is_empty() {
        parts.push(format!("{minutes}m"));
    }
    parts.join(" ")
}

#[derive(Default)]
struct Group {
    last_7_days: u32,
    last_30_days: u32,
    took: Vec<i64>,
}

impl Group {
    fn of(groups: &mut BTreeMap<String, Self>, key: String) -> &mut Self {
        groups.entry(key).or_default()
    }

    fn count(&mut self, task: &Task, now: Timestamp) {
        if let Some(ended) = time(task.completed_at.as_ref()) {
            let days = |days: i64| u32::from(now.seconds_since(ended) <= days * DAY);
            self.last_7_days += days(7);
            self.last_30_days += days(30);
        }
        self.took.extend(elapsed(task.started_at.as_ref(), task.completed_at.as_ref()));
    }
}

fn velocity(groups: &BTreeMap<String, Group>) -> Vec<Velocity> {
    let of = |(key, group): (&String, &Group)| Velocity {
        key: key.clone(),
        last_7_days: group.last_7_days,
        last_30_days: group.last_30_days,
    };
    let mut all: Vec<Velocity> = groups.iter().map(of).collect();
    all.retain(|velocity| velocity.last_30_days > 0);
    all.sort_by_key(|velocity| std::cmp::Reverse(velocity.last_30_days));
    all
}

fn slow(groups: BTreeMap<String, Group>) -> Vec<Slow> {
    let of = |(key, group): (String, Group)| {
        let Spread { count, median_seconds, median_human, .. } = spread(group.took)?;
        Some(Slow { key, count, median_seconds, median_human })
    };
    let mut all: Vec<Slow> = groups.into_iter().filter_map(of).collect();
    all.sort_by_key(|slow| std::cmp::Reverse(slow.median_seconds));
    all
}

/// The runner that ran a task, as 0.4.0 notes it, or the one it asks for.
fn runner<W: AsRef<str>>(task: &Task<W>) -> Option<String> {
    let ran = task.custom_fields.get("runner_used").map(|name| name.as_ref().trim());
    let asked = || task.agent.as_ref().and_then(|agent| agent.get("runner")?.as_str());
    ran.filter(|name| !name.is_empty()).or_else(asked).map(str::to_ascii_lowercase)
}

fn spread(mut seconds: Vec<i64>) -> Option<Spread> {
    seconds.sort_unstable();
    let count = seconds.len();
    let median_seconds = *seconds.get(count / 2)?;
    let average_seconds = seconds.iter().sum::<i64>() / i64::try_from(count).ok()?;
    let (average_human, median_human) = (span(average_seconds), span(median_seconds));
    Some(Spread { count, average_seconds, median_seconds, average_human, median_human })
}

/// Whole seconds between two times of which the second is later.
fn elapsed<W: AsRef<str>>(from: Option<&W>, to: Option<&W>) -> Option<i64> {
    let (from, to) = (time(from)?, time(to)?);
    (to > from).then(|| to.seconds_since(from))
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
fn percent(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 * 100.0 }
}

pub(crate) fn time<W: AsRef<str>>(text: Option<&W>) -> Option<Timestamp> {
    text?.as_ref().parse().ok()
}

/// Days since 1970-01-01.
fn day(time: Timestamp) -> i64 {
    time.seconds_since(Timestamp::UNIX_EPOCH).div_euclid(DAY)
}

/// That day as `YYYY-MM-DD`.
fn date(day: i64) -> String {
    let nanos = i128::from(day) * i128::from(DAY) * 1_000_000_000;
    let midnight = Timestamp::from_unix_nanos(nanos).unwrap_or(Timestamp::UNIX_EPOCH);
    midnight.to_string().chars().take(10).collect()
}
