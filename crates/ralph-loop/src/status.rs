//! What a parallel run looks like from outside: a pure view of state and world.

use std::path::Path;

use ralph_state::parallel::Salvaged;
use ralph_state::{ParallelStateFile, WorkerLifecycle, WorkerRecord};

use crate::worker::{self, Held};

/// A record and what the world says of it.
#[derive(Clone, Debug)]
pub struct WorkerView {
    /// The record as stored.
    pub record: WorkerRecord,
    /// Whether its worker lives.
    pub alive: bool,
    /// Whether its workspace exists.
    pub workspace: bool,
}

impl WorkerView {
    /// What the task waits for before any run can go on with it.
    pub fn held(&self) -> Option<Held> {
        // A worker that lives has gone on, whatever its record said before.
        let waits = !self.record.is_terminal() && !self.alive;
        Held::of(&self.record).filter(|_| waits)
    }

    /// The program that its workspace lacks, if that is what it waits for: a path in there.
    pub fn not_in_workspace(&self) -> Option<&Path> {
        self.held().and_then(|_| worker::not_in_workspace(&self.record))
    }
}

/// How many records are in each lifecycle.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Working.
    pub running: usize,
    /// Landing.
    pub integrating: usize,
    /// Landed.
    pub completed: usize,
    /// Failed.
    pub failed: usize,
    /// Finished, but may not land.
    pub blocked: usize,
    /// All records.
    pub total: usize,
}

/// What a user is to do, most urgent first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Headline {
    /// No parallel run was ever started here.
    NotStarted,
    /// Some of the state file cannot be read; no run goes on before it is rebuilt.
    Damaged,
    /// Workers are at it.
    InProgress,
    /// Unfinished work waits until the user mended something, or for a further run.
    Held(Held),
    /// Unfinished records without a living worker: the next run goes on with them.
    Interrupted,
    /// Finished work needs the user before it can land.
    Blocked,
    /// Tasks failed.
    Failed,
    /// An older version left records that the next run adopts.
    Legacy,
    /// Nothing to do.
    Idle,
}

impl Headline {
    /// One sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotStarted => "No parallel run has been started here.",
            Self::Damaged => "Some of the state file of parallel runs cannot be read.",
            Self::InProgress => "A parallel run is in progress.",
            Self::Held(Held::TargetRed) => {
                "A parallel run is held: the gate is red on the target itself. Mend that first."
            }
            Self::Held(Held::Machine) => {
                "A parallel run is held: something on this machine has to be mended first."
            }
            Self::Held(Held::Limit) => {
                "A parallel run reached a limit, its own or the provider's; the next one goes on."
            }
            Self::Interrupted => "A parallel run was interrupted; the next run goes on with it.",
            Self::Blocked => "Finished work is kept, but could not land.",
            Self::Failed => "Some tasks failed.",
            Self::Legacy => "An older version left work here; the next parallel run adopts it.",
            Self::Idle => "Nothing is running, and nothing needs you.",
        }
    }
}

/// Counts the records of `state`.
pub fn counts(state: &ParallelStateFile) -> Counts {
    let mut counts = Counts { total: state.workers.len(), ..Counts::default() };
    for record in &state.workers {
        match record.lifecycle {
            WorkerLifecycle::Running => counts.running += 1,
            WorkerLifecycle::Integrating => counts.integrating += 1,
            WorkerLifecycle::Completed => counts.completed += 1,
            WorkerLifecycle::Failed => counts.failed += 1,
            WorkerLifecycle::BlockedPush => counts.blocked += 1,
            _ => {}
        }
    }
    counts
}

/// What matters most in a state file and the records in it.
pub fn headline(found: &Salvaged, views: &[WorkerView]) -> Headline {
    let any = |wanted: &dyn Fn(&WorkerView) -> bool| views.iter().any(wanted);
    if found.refused.is_some() {
        Headline::Damaged
    } else if let Some(headline) = unfinished(views) {
        headline
    } else if any(&|view| view.record.lifecycle == WorkerLifecycle::BlockedPush) {
        Headline::Blocked
    } else if any(&|view| view.record.lifecycle == WorkerLifecycle::Failed) {
        Headline::Failed
    } else if !ralph_state::legacy_work(&found.report).is_empty() {
        Headline::Legacy
    } else {
        Headline::Idle
    }
}

/// What matters most of the records that have not ended, if there are any.
fn unfinished(views: &[WorkerView]) -> Option<Headline> {
    let open = || views.iter().filter(|view| !view.record.is_terminal());
    if open().any(|view| view.alive) {
        return Some(Headline::InProgress);
    }
    let held = open().filter_map(WorkerView::held).min();
    held.map(Headline::Held).or_else(|| open().next().map(|_| Headline::Interrupted))
}

/// Looks at the locks and workspaces behind the records of `state`.
///
/// # Errors
/// When a worker lock cannot be looked at.
pub fn observe(
    layout: &crate::layout::Layout,
    state: &ParallelStateFile,
) -> Result<Vec<WorkerView>, ralph_state::file::LockError> {
    let mut views = Vec::with_capacity(state.workers.len());
    for record in &state.workers {
        let alive = match record.task_id.parse() {
            Ok(task) => ralph_state::file::is_locked(&layout.worker_lock(&task))?,
            Err(_) => false,
        };
        let workspace = record.workspace_path.is_dir();
        views.push(WorkerView { record: record.clone(), alive, workspace });
    }
    Ok(views)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(held: Option<Held>) -> WorkerView {
        let mut record = WorkerRecord::new("RQ-0001", "/w".into(), String::new());
        if let Some(held) = held {
            held.set(&mut record, "why");
        }
        WorkerView { record, alive: false, workspace: true }
    }

    #[test]
    fn what_is_held_needs_the_user_until_a_worker_goes_on_with_it() {
        let held = |held| view(Some(held));
        assert_eq!(unfinished(&[]), None);
        assert_eq!(unfinished(&[view(None)]), Some(Headline::Interrupted));
        let machine = [view(None), held(Held::Machine)];
        assert_eq!(unfinished(&machine), Some(Headline::Held(Held::Machine)));
        let both = [held(Held::Limit), held(Held::TargetRed)];
        assert_eq!(unfinished(&both), Some(Headline::Held(Held::TargetRed)));
        let adopted = WorkerView { alive: true, ..held(Held::Machine) };
        assert_eq!(adopted.held(), None);
        assert_eq!(unfinished(&[adopted]), Some(Headline::InProgress));
    }
}
