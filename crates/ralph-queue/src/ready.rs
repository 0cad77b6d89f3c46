//! What can be begun now, and a set of it that several can work on without meeting.

use std::collections::{BTreeMap, HashMap};

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
            let mut taken = Taken::new();
            busy.for_each(|(_, task, _)| taken.add(*task));
            let mut tasks = Vec::new();
            for (place, task) in candidates {
                let no_room = (tasks.len() >= room).then_some(Reason::NoRoom);
                if let Some(reason) = taken.overlap(task).or(no_room) {
                    others.push((place, task, vec![reason]));
                } else {
                    taken.add(task);
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

/// What others have to keep away from: the areas that tasks have taken, and all that those are
/// within, so that what overlaps is found at once, however many there are.
struct Taken {
    by: Vec<TaskId>,
    areas: Vec<Area>,
    /// The area directly within another one that has that name.
    within: HashMap<(usize, String), usize>,
}

/// Who was the first to take what.
#[derive(Default)]
struct Area {
    /// All of it.
    whole: Option<usize>,
    /// Something of it.
    part: Option<usize>,
}

impl Taken {
    fn new() -> Self {
        Self { by: Vec::new(), areas: vec![Area::default()], within: HashMap::new() }
    }

    fn add(&mut self, task: Listed<'_>) {
        let by = self.by.len();
        self.by.push(task.task_id());
        for scope in task.scope() {
            let mut at = 0;
            for name in area(&scope) {
                self.areas[at].part.get_or_insert(by);
                let next = self.areas.len();
                at = *self.within.entry((at, name.to_owned())).or_insert(next);
                if at == next {
                    self.areas.push(Area::default());
                }
            }
            self.areas[at].part.get_or_insert(by);
            self.areas[at].whole.get_or_insert(by);
        }
    }

    /// The first that a task meets, and by which entry of its scope.
    fn overlap(&self, task: Listed<'_>) -> Option<Reason> {
        let scope = task.scope();
        let met = scope.iter().filter_map(|scope| Some((self.first_met(scope)?, scope)));
        let (by, scope) = met.min_by_key(|(by, _)| *by)?;
        Some(Reason::ScopeOverlaps { with: self.by[by].clone(), scope: scope.to_string() })
    }

    fn first_met(&self, scope: &str) -> Option<usize> {
        let mut at = 0;
        let mut met = self.areas[at].whole;
        for name in area(scope) {
            let Some(next) = self.within.get(&(at, name.to_owned())) else { return met };
            at = *next;
            met = met.into_iter().chain(self.areas[at].whole).min();
        }
        met.into_iter().chain(self.areas[at].part).min()
    }
}

/// The directories on the way, down to the first wildcard.
fn area(scope: &str) -> impl Iterator<Item = &str> {
    let parts = scope.trim().split('/').filter(|part| !matches!(*part, "" | "."));
    parts.take_while(|part| !part.contains(['*', '?', '[', '{']))
}
