//! How long tasks have been waiting.

use std::borrow::Borrow;

use ralph_state::{TaskId, Timestamp};
use serde::Serialize;

use super::{DAY, span};
use crate::task::{Status, Task};

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

impl Age {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rotten => "rotten",
            Self::Stale => "stale",
            Self::Warning => "warning",
            Self::Fresh => "fresh",
            Self::Unknown => "unknown",
        }
    }
}

/// Limits in days, rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Thresholds {
    /// Older is worth a look.
    pub warning_days: u32,
    /// Older is stale.
    pub stale_days: u32,
    /// Older is rotten.
    pub rotten_days: u32,
}

/// How old tasks are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Aging {
    /// At that time.
    pub as_of: Timestamp,
    /// The limits.
    pub thresholds: Thresholds,
    /// Which tasks were looked at.
    pub filters: Statuses,
    /// How many.
    pub totals: AgingTotals,
    /// Which: the oldest first, nothing of those that are empty but `fresh`.
    pub buckets: Vec<Bucket>,
}

/// Only tasks of these statuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Statuses {
    /// As they were asked for.
    pub statuses: Vec<Status>,
}

/// How many tasks are how old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AgingTotals {
    /// All.
    pub total: usize,
    /// [`Age::Fresh`].
    pub fresh: usize,
    /// [`Age::Warning`].
    pub warning: usize,
    /// [`Age::Stale`].
    pub stale: usize,
    /// [`Age::Rotten`].
    pub rotten: usize,
    /// [`Age::Unknown`].
    pub unknown: usize,
}

/// Tasks of one age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bucket {
    /// Which.
    pub bucket: Age,
    /// How many.
    pub count: usize,
    /// The tasks, the oldest first; none of those that need no look.
    pub tasks: Vec<Aged>,
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
    /// In seconds.
    pub age_seconds: i64,
    /// As [`span`] writes it.
    pub age_human: String,
    /// The field that says since when it waits.
    pub basis: &'static str,
    /// What that says.
    pub anchor_ts: String,
    /// In a word; the bucket says it.
    #[serde(skip)]
    pub age: Age,
}

/// How old those of these tasks are that have one of the statuses, and each of them whose age is
/// known, the oldest first. A task waits since work on it began, since it ended, or since it was
/// made.
pub fn aging<W: AsRef<str>>(
    tasks: impl IntoIterator<Item = impl Borrow<Task<W>>>,
    statuses: &[Status],
    thresholds: Thresholds,
    now: Timestamp,
) -> (Aging, Vec<Aged>) {
    let mut totals = AgingTotals::default();
    let mut all: Vec<(Timestamp, Aged)> = Vec::new();
    for task in tasks {
        let task = task.borrow();
        if !statuses.contains(&task.status) {
            continue;
        }
        totals.total += 1;
        match aged(task, thresholds, now) {
            Some(aged) => all.push(aged),
            None => totals.unknown += 1,
        }
    }
    // Not by their seconds, of which some are alike at one time and not at another.
    all.sort_by_key(|(since, _)| *since);
    let all: Vec<Aged> = all.into_iter().map(|(_, aged)| aged).collect();
    let of = |age: Age| all.iter().filter(|task| task.age == age).cloned().collect::<Vec<_>>();
    let mut buckets = Vec::new();
    let counts = [
        (Age::Rotten, &mut totals.rotten),
        (Age::Stale, &mut totals.stale),
        (Age::Warning, &mut totals.warning),
    ];
    for (bucket, count) in counts {
        let tasks = of(bucket);
        *count = tasks.len();
        if *count > 0 {
            buckets.push(Bucket { bucket, count: *count, tasks });
        }
    }
    totals.fresh = all.iter().filter(|task| task.age == Age::Fresh).count();
    buckets.push(Bucket { bucket: Age::Fresh, count: totals.fresh, tasks: Vec::new() });
    if totals.unknown > 0 {
        let count = totals.unknown;
        buckets.push(Bucket { bucket: Age::Unknown, count, tasks: Vec::new() });
    }
    let filters = Statuses { statuses: statuses.to_vec() };
    (Aging { as_of: now, thresholds, filters, totals, buckets }, all)
}

fn aged<W: AsRef<str>>(
    task: &Task<W>,
    thresholds: Thresholds,
    now: Timestamp,
) -> Option<(Timestamp, Aged)> {
    let made = ("created_at", task.created_at.as_ref());
    let fields = match task.status {
        Status::Doing => [("started_at", task.started_at.as_ref()), made, made],
        Status::Done | Status::Rejected => [
            ("completed_at", task.completed_at.as_ref()),
            ("updated_at", task.updated_at.as_ref()),
            made,
        ],
        Status::Draft | Status::Todo => [made; 3],
    };
    let (basis, text) = fields.into_iter().find_map(|(name, text)| Some((name, text?)))?;
    let text = text.as_ref();
    let since = text.parse::<Timestamp>().ok().filter(|since| *since <= now)?;
    let age_seconds = now.seconds_since(since);
    // A day that has only begun counts.
    let is_over = |days: u32| {
        now.as_unix_nanos() - since.as_unix_nanos()
            > i128::from(days) * i128::from(DAY) * 1_000_000_000
    };
    let age = match () {
        () if is_over(thresholds.rotten_days) => Age::Rotten,
        () if is_over(thresholds.stale_days) => Age::Stale,
        () if is_over(thresholds.warning_days) => Age::Warning,
        () => Age::Fresh,
    };
    let aged = Aged {
        id: task.id.clone(),
        title: task.title.as_ref().to_owned(),
        status: task.status,
        age_seconds,
        age_human: span(age_seconds),
        basis,
        anchor_ts: text.to_owned(),
        age,
    };
    Some((since, aged))
}
