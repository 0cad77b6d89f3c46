//! What can be begun now, and a set of it that several can work on without meeting.

use std::collections::BTreeMap;

use ralph_state::{TaskId, Timestamp};

use crate::lease::Leases;
use crate::queue::{Listed, Place, Queue};
use crate::runnability::{DoingFirst, Drafts, Reason, Selection};
use crate::task::Status;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The present time.
    pub now: Timestamp,
    /// Whether drafts may start.
    pub drafts: Drafts,
    /// Tasks that others have without a lease, and how.
    pub exclude: &'a BTreeMap<TaskId, Reason>,
    /// At most so many whose scopes do not overlap, with each other and with what is being
    /// worked on; `None` is all that can start.
    pub parallel: Option<usize>,
}

/// The answer, about open tasks, in the order of work.
#[derive(Clone, Debug)]
pub struct Ready<'q> {
    /// What can start.
    pub tasks: Vec<Listed<'q>>,
    /// What cannot, or was not chosen, with every reason.
    pub others: Vec<(Listed<'q>, Vec<Reason>)>,
}

/// Tells what can start and what cannot.
///
/// A scope is a path or the name of an area; two overlap when they are the same or one is within
/// the other. A pattern stands for the directory before its first wildcard. A task without a scope
/// overlaps with nothing, as far as anybody can tell.
pub fn ready<'q>(queue: &'q Queue, leases: &Leases, question: &Question<'_>) -> Ready<'q> {
    let Question { now, drafts, exclude, parallel } = *question;
    let standing = leases.standing(queue, now);
    let doing = DoingFirst::Ignore;
    let report = queue.runnability(&Selection {
        now,
        drafts,
        doing,
        exclude: &standing.taken(exclude),
        regard_as_done: &standing.done,
    });
    let (mut candidates, mut others) = (Vec::new(), Vec::new());
    for (place, (task, report)) in queue.list(Place::Queue).zip(report.tasks).enumerate() {
        if task.status().is_terminal() {
            continue;
        }
        let is_taken = report.reasons.iter().any(Reason::is_taken);
        let reasons = if report.status == Status::Doing && !is_taken {
            let is_left = standing.lapsed.contains(&report.id);
            if is_left { Vec::new() } else { vec![Reason::Unheld] }
        } else {
            report.reasons
        };
        if reasons.is_empty() {
            candidates.push((place, task));
        } else {
            others.push((place, task, reasons));
        }
    }
    let candidates = candidates.into_iter();
    let tasks = match parallel {
        None => candidates.map(|(_, task)| task).collect(),
        Some(room) => {
            let is_busy = |reasons: &[Reason]| reasons.iter().any(Reason::is_busy);
            let busy = others.iter().filter(|(_, _, reasons)| is_busy(reasons));
            let mut taken: Vec<Taken> = busy.map(|(_, task, _)| Taken::of(*task)).collect();
            let mut tasks = Vec::new();
            for (place, task) in candidates {
                let no_room = (tasks.len() >= room).then_some(Reason::NoRoom);
                if let Some(reason) = overlap(task, &taken).or(no_room) {
                    others.push((place, task, vec![reason]));
                } else {
                    taken.push(Taken::of(task));
                    tasks.push(task);
                }
            }
            tasks
        }
    };
    others.sort_by_key(|(place, ..)| *place);
    let others = others.into_iter().map(|(_, task, reasons)| (task, reasons)).collect();
    Ready { tasks, others }
}

/// What others have to keep away from.
struct Taken {
    by: TaskId,
    areas: Vec<Vec<String>>,
}

impl Taken {
    fn of(task: Listed<'_>) -> Self {
        let scope = task.scope();
        let areas = scope.iter().map(|scope| area(scope).map(str::to_owned).collect());
        Self { by: task.task_id(), areas: areas.collect() }
    }
}

fn overlap(task: Listed<'_>, taken: &[Taken]) -> Option<Reason> {
    let scope = task.scope();
    let areas: Vec<Vec<&str>> = scope.iter().map(|scope| area(scope).collect()).collect();
    taken.iter().find_map(|Taken { by, areas: theirs }| {
        let meets = |mine: &Vec<&str>| {
            theirs.iter().any(|theirs| mine.iter().zip(theirs).all(|(mine, theirs)| mine == theirs))
        };
        let scope = scope[areas.iter().position(meets)?].to_string();
        Some(Reason::ScopeOverlaps { with: by.clone(), scope })
    })
}

/// The directories on the way, down to the first wildcard.
fn area(scope: &str) -> impl Iterator<Item = &str> {
    let parts = scope.trim().split('/').filter(|part| !matches!(*part, "" | "."));
    parts.take_while(|part| !part.contains(['*', '?', '[', '{']))
}
