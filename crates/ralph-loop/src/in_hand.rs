//! Which tasks a run has in hand at this moment, so that how they end is for it to write.

use std::collections::BTreeSet;

use ralph_state::file::{self, Holder};
use ralph_state::session::{SessionFile, session_file_path};
use ralph_state::{ParallelStateFile, Store, TaskId};

use crate::event::WorkPlace;
use crate::layout::Layout;
use crate::living::{self, LivingError};
use crate::project;
use crate::worker::Held;

/// A task, and the run that has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InHand {
    /// The task.
    pub task: TaskId,
    /// Where it is worked on.
    pub place: WorkPlace,
    /// What the process of the run says of itself; `None` for a worker that outlived its run.
    pub run: Option<Holder>,
}

/// The first of `tasks` that a run has in hand.
///
/// What a run that ended left unfinished is nobody's: the next run heeds what the queue says of
/// it. Files that cannot be read are told where they matter, and say nothing here.
///
/// # Errors
/// When it cannot be told who lives.
pub fn find(
    layout: &Layout,
    holder: &Holder,
    tasks: &BTreeSet<TaskId>,
) -> Result<Option<InHand>, LivingError> {
    let lock = layout.run_lock();
    let is_active = file::is_locked(&lock)?;
    let run = file::lock_holder(&lock).filter(|_| is_active);
    let in_hand = |task, place| Some(InHand { task, place, run: run.clone() });
    if let Some(task) = living::among(layout, tasks)?.pop_first() {
        return Ok(in_hand(task, WorkPlace::Workspaces));
    }
    if !is_active {
        return Ok(None);
    }
    if let Some(task) = of_session(layout, holder).filter(|task| tasks.contains(task)) {
        return Ok(in_hand(task, WorkPlace::Checkout));
    }
    let state = project::store(layout, holder).load().ok().flatten().map(|loaded| loaded.value);
    let task = state.and_then(|state| claimed(&state, tasks));
    Ok(task.and_then(|task| in_hand(task, WorkPlace::Workspaces)))
}

/// The task that a run has in hand in the checkout at this moment.
///
/// # Errors
/// When it cannot be told whether a run is active.
pub fn in_checkout(layout: &Layout, holder: &Holder) -> Result<Option<TaskId>, LivingError> {
    let is_active = file::is_locked(&layout.run_lock())?;
    Ok(if is_active { of_session(layout, holder) } else { None })
}

/// The task of the session that is open, if that can be read.
fn of_session(layout: &Layout, holder: &Holder) -> Option<TaskId> {
    let sessions: Store<SessionFile> = Store::new(session_file_path(layout.root()), holder.clone());
    let session = sessions.load().ok().flatten()?.value;
    session.task_id.parse().ok()
}

/// The first of `tasks` that an active run is about to start a worker for.
fn claimed(state: &ParallelStateFile, tasks: &BTreeSet<TaskId>) -> Option<TaskId> {
    let waits = state.workers.iter().filter(|record| !record.is_terminal());
    let waits = waits.filter(|record| Held::of(record).is_none());
    waits.filter_map(|record| record.task_id.parse().ok()).find(|task| tasks.contains(task))
}

#[cfg(test)]
mod tests {
    use ralph_state::{WorkerLifecycle, WorkerRecord};

    use super::*;

    #[test]
    fn a_record_that_ended_or_is_held_is_in_nobodys_hand() {
        let task: TaskId = "RQ-0001".parse().unwrap();
        let tasks = BTreeSet::from([task.clone()]);
        let mut record = WorkerRecord::new("RQ-0001", "/w".into(), String::new());
        let claimed = |record: &WorkerRecord| {
            let mut state = ParallelStateFile::new("", "main");
            state.workers = vec![record.clone()];
            claimed(&state, &tasks)
        };
        assert_eq!(claimed(&record), Some(task.clone()));
        Held::Machine.set(&mut record, "no agent");
        assert_eq!(claimed(&record), None);
        let mut record = WorkerRecord::new("RQ-0001", "/w".into(), String::new());
        record.lifecycle = WorkerLifecycle::Failed;
        assert_eq!(claimed(&record), None);
    }
}
