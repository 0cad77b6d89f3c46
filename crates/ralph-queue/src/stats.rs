//! Figures about a queue: how much, how long, how old. Days are those of UTC.

use std::collections::BTreeMap;
use std::time::Duration;

use ralph_state::{TaskId, Timestamp};
use serde::Serialize;

use crate::task::{Status, Task};

const DAY: u64 = 24 * 60 * 60;

/// What there is and how it went.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// How many tasks.
    pub total: usize,
    /// How many of each status.
    pub by_status: BTreeMap<&'static str, usize>,
    /// Which part of the finished ones is done and not rejected, in per cent.
    pub success_rate: Option<f64>,
    /// From made to finished.
    pub lead_time: Option<Spread>,
    /// From begun to finished.
    pub work_time: Option<Spread>,
    /// From made to begun.
    pub start_time: Option<Spread>,
    /// Done within the last so many days.
    pub velocity: Velocity,
    /// Per tag.
    pub by_tag: BTreeMap<String, Share>,
    /// Per runner that tasks ask for.
    pub by_runner: BTreeMap<String, Share>,
}

/// How long things took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Spread {
    /// How many are known.
    pub count: usize,
    /// In seconds.
    pub average_seconds: i64,
    /// In seconds.
    pub median_seconds: i64,
}

/// How much gets done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Velocity {
    /// Done in the last 7 days.
    pub last_7_days: usize,
    /// Done in the last 30 days.
    pub last_30_days: usize,
}

/// Some of the tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Share {
    /// How many.
    pub total: usize,
    /// How many of them are done.
    pub done: usize,
}

/// What happened on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Day {
    /// As `YYYY-MM-DD`.
    pub date: String,
    /// Tasks that were made.
    pub created: Vec<TaskId>,
    /// Tasks that were begun.
    pub started: Vec<TaskId>,
    /// Tasks that were done or rejected.
    pub completed: Vec<TaskId>,
    /// How many were open at its end.
    pub remaining: usize,
}

/// How old a task is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Age {
    /// Older than the last limit.
    Rotten,
    /// Older than the second.
    Stale,
    /// Older than the first.
    Warning,
    /// Younger than all.
    Fresh,
    /// Nothing says since when it waits.
    Unknown,
}

/// A task and its age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Aged {
    /// The task.
    pub id: TaskId,
    /// What it is about.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// In a word.
    pub age: Age,
    /// In whole days.
    pub days: Option<i64>,
}

/// Figures about these tasks at `now`.
pub fn stats(tasks: &[&Task], now: Timestamp) -> Stats {
    let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut by_tag, mut by_runner) = (BTreeMap::new(), BTreeMap::new());
    let count = |map: &mut BTreeMap<String, Share>, key: &str, task: &Task| {
        let share = map.entry(key.to_owned()).or_default();
        share.total += 1;
        share.done += usize::from(task.status == Status::Done);
    };
    for task in tasks {
        *by_status.entry(task.status.as_str()).or_default() += 1;
        for tag in &task.tags {
            count(&mut by_tag, &tag.to_lowercase(), task);
        }
        let runner = task.agent.as_ref().and_then(|agent| agent.get("runner")?.as_str());
        if let Some(runner) = runner {
            count(&mut by_runner, runner, task);
        }
    }
    let done = by_status.get("done").copied().unwrap_or_default();
    let finished = done + by_status.get("rejected").copied().unwrap_or_default();
    let within = |days: i64| {
        let done = tasks.iter().filter(|task| task.status == Status::Done);
        let ended = done.filter_map(|task| time(task.completed_at.as_ref()));
        ended.filter(|ended| now.seconds_since(*ended) < days * 86_400).count()
    };
    let between = |from: fn(&Task) -> Option<&String>, to: fn(&Task) -> Option<&String>| {
        let both = |task: &&Task| Some(time(to(task))?.seconds_since(time(from(task))?));
        spread(tasks.iter().filter_map(both).filter(|seconds| *seconds >= 0).collect())
    };
    #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
    let success_rate = (finished > 0).then(|| 100.0 * done as f64 / finished as f64);
    Stats {
        total: tasks.len(),
        success_rate,
        lead_time: between(|task| task.created_at.as_ref(), |task| task.completed_at.as_ref()),
        work_time: between(|task| task.started_at.as_ref(), |task| task.completed_at.as_ref()),
        start_time: between(|task| task.created_at.as_ref(), |task| task.started_at.as_ref()),
        velocity: Velocity { last_7_days: within(7), last_30_days: within(30) },
        by_status,
        by_tag,
        by_runner,
    }
}

/// The last `days` days, today last.
pub fn history(tasks: &[&Task], now: Timestamp, days: u32) -> Vec<Day> {
    let dates = (0..days).rev().filter_map(|back| {
        now.checked_sub(Duration::from_secs(u64::from(back) * DAY)).map(|day| date(&day))
    });
    let mut history: Vec<Day> = dates
        .map(|date| Day {
            date,
            created: Vec::new(),
            started: Vec::new(),
            completed: Vec::new(),
            remaining: 0,
        })
        .collect();
    for task in tasks {
        let day = |text: Option<&String>| time(text).map(|time| date(&time));
        let created = day(task.created_at.as_ref());
        let completed = day(task.completed_at.as_ref()).filter(|_| task.status.is_terminal());
        let started = day(task.started_at.as_ref());
        for day in &mut history {
            let is_on = |date: &Option<String>| date.as_ref() == Some(&day.date);
            let by_then =
                |date: &Option<String>| date.as_ref().is_some_and(|date| *date <= day.date);
            let is_left = by_then(&created) && !by_then(&completed);
            day.remaining += usize::from(is_left);
            let (made, begun, ended) = (is_on(&created), is_on(&started), is_on(&completed));
            let lists =
                [(made, &mut day.created), (begun, &mut day.started), (ended, &mut day.completed)];
            for (_, list) in lists.into_iter().filter(|(is_on, _)| *is_on) {
                list.push(task.id.clone());
            }
        }
    }
    history
}

/// How old these tasks are, oldest first: since work on it began, since it ended, or since it was
/// made. `limits` are in days, rising.
pub fn aging(tasks: &[&Task], now: Timestamp, limits: [u32; 3]) -> Vec<Aged> {
    let aged = |task: &&Task| {
        let since = match task.status {
            Status::Doing => task.started_at.as_ref(),
            Status::Done | Status::Rejected => task.completed_at.as_ref(),
            Status::Draft | Status::Todo => None,
        };
        let since = time(since.or(task.created_at.as_ref())).filter(|since| *since <= now);
        let days = since.map(|since| now.seconds_since(since) / 86_400);
        let age = days.map_or(Age::Unknown, |days| match limits.map(i64::from) {
            [_, _, rotten] if days > rotten => Age::Rotten,
            [_, stale, _] if days > stale => Age::Stale,
            [warning, ..] if days > warning => Age::Warning,
            _ => Age::Fresh,
        });
        Aged { id: task.id.clone(), title: task.title.clone(), status: task.status, age, days }
    };
    let mut aged: Vec<Aged> = tasks.iter().map(aged).collect();
    aged.sort_by_key(|task| (task.age, task.days.map(std::cmp::Reverse)));
    aged
}

fn spread(mut seconds: Vec<i64>) -> Option<Spread> {
    seconds.sort_unstable();
    let count = seconds.len();
    let median_seconds = *seconds.get(count / 2)?;
    let average_seconds = seconds.iter().sum::<i64>() / i64::try_from(count).ok()?;
    Some(Spread { count, average_seconds, median_seconds })
}

fn time(text: Option<&String>) -> Option<Timestamp> {
    text?.parse().ok()
}

fn date(time: &Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, status: Status, times: [&str; 3]) -> Task {
        let time = |day: &str| (!day.is_empty()).then(|| format!("2026-01-{day}T12:00:00Z"));
        let [created, started, completed] = times.map(time);
        Task {
            status,
            created_at: created,
            started_at: started,
            completed_at: completed,
            ..Task::new(id.parse().unwrap(), id)
        }
    }

    #[test]
    fn figures() {
        let tasks = [
            task("RQ-1", Status::Done, ["01", "02", "05"]),
            task("RQ-2", Status::Rejected, ["01", "", "03"]),
            task("RQ-3", Status::Doing, ["02", "04", ""]),
            task("RQ-4", Status::Todo, ["", "", ""]),
        ];
        let tasks: Vec<&Task> = tasks.iter().collect();
        let now = "2026-01-06T12:00:00Z".parse().unwrap();
        let stats = stats(&tasks, now);
        assert_eq!((stats.total, stats.success_rate), (4, Some(50.0)));
        assert_eq!(stats.velocity, Velocity { last_7_days: 1, last_30_days: 1 });
        let lead = stats.lead_time.unwrap();
        assert_eq!((lead.count, lead.average_seconds), (2, 3 * 86_400));

        let history = history(&tasks, now, 4);
        let line = |day: &Day| (day.date[8..].to_owned(), day.completed.len(), day.remaining);
        let expected = [("03", 1, 2), ("04", 0, 2), ("05", 1, 1), ("06", 0, 1)];
        let expected = expected.map(|(date, completed, left)| (date.to_owned(), completed, left));
        assert_eq!(history.iter().map(line).collect::<Vec<_>>(), expected);
        assert_eq!(history[1].started.len(), 1);

        let aged = aging(&tasks, now, [0, 1, 2]);
        let line = |aged: &Aged| (aged.id.to_string(), aged.age);
        let expected = [
            ("RQ-2", Age::Rotten),
            ("RQ-3", Age::Stale),
            ("RQ-1", Age::Warning),
            ("RQ-4", Age::Unknown),
        ];
        let expected = expected.map(|(id, age)| (id.to_owned(), age));
        assert_eq!(aged.iter().map(line).collect::<Vec<_>>(), expected);
    }
}
