//! How much gets done, counted from the tasks that are done.

use std::collections::BTreeMap;

use ralph_state::{TaskId, Timestamp};
use serde::Serialize;

use super::{date, day, time};
use crate::task::{Status, Task};

/// Numbers of done tasks that are worth a word.
const MILESTONES: [usize; 8] = [10, 50, 100, 250, 500, 1000, 2500, 5000];

/// How many of the last done tasks are named.
const RECENT: usize = 5;

/// How it went so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Productivity {
    /// How many tasks are done.
    pub total_completed: usize,
    /// On how many days in a row, up to today or yesterday, something was.
    pub current_streak: u32,
    /// The most days in a row.
    pub longest_streak: u32,
    /// The last such day, as `YYYY-MM-DD`.
    pub last_completed_date: Option<String>,
    /// The next number that is worth a word.
    pub next_milestone: Option<usize>,
    /// Those that were reached.
    pub milestones: Vec<Milestone>,
    /// The last done tasks, the newest first.
    pub recent_completions: Vec<Completion>,
}

/// A number of done tasks that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Milestone {
    /// The number.
    pub threshold: usize,
    /// When.
    pub achieved_at: String,
    /// Of 0.4.0, which noted whether it had told so.
    pub celebrated: bool,
}

/// A task that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Completion {
    /// The task.
    pub id: TaskId,
    /// What it was about.
    pub title: String,
    /// When.
    pub completed_at: String,
}

/// How much got done in the last days.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Pace {
    /// How many days.
    pub window_days: u32,
    /// How many tasks.
    pub total_completed: u32,
    /// Per day.
    pub average_per_day: f64,
    /// The day on which most was done, the last of several, and how much.
    pub best_day: Option<(String, u32)>,
}

/// How it went up to `now`.
pub fn productivity(tasks: &[&Task], now: Timestamp) -> Productivity {
    let mut done: Vec<(Timestamp, &Task)> = done(tasks).filter(|(at, _)| *at <= now).collect();
    done.sort_by_key(|(at, _)| *at);
    let (mut longest, mut streak, mut last) = (0, 0, None);
    for (at, _) in &done {
        let today = day(*at);
        streak = match last {
            Some(last) if last == today => streak,
            Some(last) if last + 1 == today => streak + 1,
            _ => 1,
        };
        longest = longest.max(streak);
        last = Some(today);
    }
    let is_running = last.is_some_and(|last| last + 1 >= day(now));
    let milestone = |threshold: &usize| {
        let (_, task) = done.get(threshold - 1)?;
        let achieved_at = task.completed_at.clone().unwrap_or_default();
        Some(Milestone { threshold: *threshold, achieved_at, celebrated: false })
    };
    let completion = |(_, task): &(Timestamp, &Task)| Completion {
        id: task.id.clone(),
        title: task.title.clone(),
        completed_at: task.completed_at.clone().unwrap_or_default(),
    };
    Productivity {
        total_completed: done.len(),
        current_streak: if is_running { streak } else { 0 },
        longest_streak: longest,
        last_completed_date: last.map(date),
        next_milestone: MILESTONES.into_iter().find(|threshold| *threshold > done.len()),
        milestones: MILESTONES.iter().filter_map(milestone).collect(),
        recent_completions: done.iter().rev().take(RECENT).map(completion).collect(),
    }
}

/// How much got done in the last `days` days, at least one.
pub fn pace(tasks: &[&Task], now: Timestamp, days: u32) -> Pace {
    let days = days.max(1);
    let window = day(now) + 1 - i64::from(days)..=day(now);
    let mut by_day: BTreeMap<i64, u32> = BTreeMap::new();
    for (at, _) in done(tasks).filter(|(at, _)| window.contains(&day(*at))) {
        *by_day.entry(day(at)).or_default() += 1;
    }
    let total = by_day.values().sum();
    Pace {
        window_days: days,
        total_completed: total,
        average_per_day: f64::from(total) / f64::from(days),
        best_day: by_day.into_iter().max_by_key(|(_, count)| *count).map(|(day, n)| (date(day), n)),
    }
}

fn done<'t>(tasks: &[&'t Task]) -> impl Iterator<Item = (Timestamp, &'t Task)> {
    let done = tasks.iter().filter(|task| task.status == Status::Done);
    done.filter_map(|task| Some((time(task.completed_at.as_ref())?, *task)))
}
