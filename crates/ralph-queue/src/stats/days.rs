//! What happened on each of the last days, and how much was left.

use ralph_state::{TaskId, Timestamp};
use serde::Serialize;

use super::{date, day, time};
use crate::task::Task;

/// Which days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Window {
    /// How many.
    pub days: u32,
    /// The first, as `YYYY-MM-DD`.
    pub start_date: String,
    /// The last, which is today.
    pub end_date: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct History {
    /// Which days.
    pub window: Window,
    /// Each, today last.
    pub days: Vec<Day>,
}

/// What happened on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Day {
    /// As `YYYY-MM-DD`.
    pub date: String,
    /// Tasks that were made.
    pub created: Vec<TaskId>,
    /// Tasks that ended.
    pub completed: Vec<TaskId>,
}

/// How much was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Burndown {
    /// Which days.
    pub window: Window,
    /// Each, today last.
    pub daily_counts: Vec<Left>,
    /// The most of any day.
    pub max_count: usize,
    /// How to draw it, unless there is nothing to draw.
    pub legend: Option<Legend>,
}

/// How much was left on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Left {
    /// As `YYYY-MM-DD`.
    pub date: String,
    /// How many tasks were open at its end.
    pub remaining: usize,
}

/// How to draw it in a width of 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Legend {
    /// How many tasks one block stands for.
    pub scale_per_block: usize,
}

/// What happened in the last `days` days, at least one.
pub fn history(tasks: &[&Task], now: Timestamp, days: u32) -> History {
    let window = Span::new(now, days);
    let empty = |date| Day { date, created: Vec::new(), completed: Vec::new() };
    let mut days: Vec<Day> = window.dates().map(empty).collect();
    for task in tasks {
        if let Some(index) = window.index(task.created_at.as_ref()) {
            days[index].created.push(task.id.clone());
        }
        if let Some(index) = window.index(task.completed_at.as_ref()) {
            days[index].completed.push(task.id.clone());
        }
    }
    History { window: window.named(), days }
}

/// How much was left on each of the last `days` days, at least one.
pub fn burndown(tasks: &[&Task], now: Timestamp, days: u32) -> Burndown {
    let window = Span::new(now, days);
    // How many more there are at the end of a day than at that of the day before.
    let mut begun = vec![0_usize; window.len()];
    let mut ended = vec![0_usize; window.len()];
    for task in tasks {
        let Some(made) = time(task.created_at.as_ref()).map(day) else { continue };
        let end = time(task.completed_at.as_ref()).map(day);
        // One that ended before it was made was never open.
        if end.is_some_and(|end| end <= made.max(window.first - 1)) {
            continue;
        }
        if let Some(index) = window.reach(made) {
            begun[index] += 1;
            if let Some(index) = end.and_then(|end| window.reach(end)) {
                ended[index] += 1;
            }
        }
    }
    let mut remaining = 0;
    let daily_counts: Vec<Left> = window
        .dates()
        .zip(begun.into_iter().zip(ended))
        .map(|(date, (begun, ended))| {
            remaining = remaining + begun - ended;
            Left { date, remaining }
        })
        .collect();
    let max_count = daily_counts.iter().map(|day| day.remaining).max().unwrap_or(0);
    let legend = (max_count > 0).then(|| Legend { scale_per_block: (max_count / 20).max(1) });
    Burndown { window: window.named(), daily_counts, max_count, legend }
}

/// Days in a row.
struct Span {
    first: i64,
    last: i64,
}

impl Span {
    fn new(now: Timestamp, days: u32) -> Self {
        let last = day(now);
        Self { first: last + 1 - i64::from(days.max(1)), last }
    }

    fn len(&self) -> usize {
        usize::try_from(self.last - self.first + 1).unwrap_or(1)
    }

    fn dates(&self) -> impl Iterator<Item = String> {
        (self.first..=self.last).map(date)
    }

    fn index(&self, text: Option<&String>) -> Option<usize> {
        usize::try_from(day(time(text)?) - self.first).ok().filter(|index| *index < self.len())
    }

    /// Where the effect of that day begins: at the first day for all before it.
    fn reach(&self, day: i64) -> Option<usize> {
        usize::try_from((day - self.first).max(0)).ok().filter(|index| *index < self.len())
    }

    fn named(&self) -> Window {
        let days = u32::try_from(self.len()).unwrap_or(u32::MAX);
        Window { days, start_date: date(self.first), end_date: date(self.last) }
    }
}
