//! What can be begun now, and a set of it that several can work on without meeting.

use std::collections::BTreeMap;

use ralph_state::{TaskId, Timestamp};

use crate::lease::Leases;
use crate::queue::{Listed, Place, Queue};
use crate::runnability::{DoingFirst, Drafts, Reason, Selection};
use crate::task::{Status, Task};

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
    let mut tasks = Vec::new();
    let busy = others.iter().filter(|(_, _, reasons)| reasons.iter().any(Reason::is_busy));
    let mut taken: Vec<Listed<'_>> = busy.map(|(_, task, _)| *task).collect();
    for (place, task) in candidates {
        let reason = match parallel {
            None => None,
            Some(room) => {
                let overlap = taken.iter().find_map(|other| overlap(task.task(), other.task()));
                overlap.or_else(|| (tasks.len() >= room).then_some(Reason::NoRoom))
            }
        };
        if let Some(reason) = reason {
            others.push((place, task, vec![reason]));
        } else {
            taken.push(task);
            tasks.push(task);
        }
    }
    others.sort_by_key(|(place, ..)| *place);
    let others = others.into_iter().map(|(_, task, reasons)| (task, reasons)).collect();
    Ready { tasks, others }
}

fn overlap(task: &Task, other: &Task) -> Option<Reason> {
    let theirs: Vec<Vec<&str>> = other.scope.iter().map(|scope| area(scope)).collect();
    let meets = |scope: &&String| {
        let mine = area(scope);
        theirs.iter().any(|theirs| mine.iter().zip(theirs).all(|(mine, theirs)| mine == theirs))
    };
    let scope = task.scope.iter().find(meets)?.clone();
    Some(Reason::ScopeOverlaps { with: other.id.clone(), scope })
}

/// The directories on the way, down to the first wildcard.
fn area(scope: &str) -> Vec<&str> {
    let parts = scope.trim().split('/').filter(|part| !matches!(*part, "" | "."));
    parts.take_while(|part| !part.contains(['*', '?', '[', '{'])).collect()
}
