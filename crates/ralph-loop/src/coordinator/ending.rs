//! How a run ends its workers and what they leave running.

use std::time::Duration;

use ralph_state::{ProcessIdentity, WorkerRecord};

use super::{Coordinator, RunError};
use crate::ending;
use crate::event::{Event, StopReason};
use crate::worker::marker;

impl Coordinator<'_> {
    /// Ends every worker and its agents within three seconds; the records stay.
    pub(super) fn interrupt(&mut self) -> Result<(), RunError> {
        self.project.tell(Event::Stopping(StopReason::Interrupted));
        self.summary.stopped = Some(StopReason::Interrupted);
        self.end_workers()?;
        let state = self.state()?;
        self.tell_progress(&state);
        self.sum_up_unfinished(&state);
        Ok(())
    }

    /// Ends the workers of this run and those it adopted, and their agents.
    fn end_workers(&mut self) -> Result<(), RunError> {
        let mut who: Vec<ProcessIdentity> =
            self.children.values().map(|child| child.identity().clone()).collect();
        let state = self.state()?;
        let unfinished = || state.workers.iter().filter(|record| !record.is_terminal());
        who.extend(unfinished().filter_map(|record| record.worker.clone()));
        self.end(who);
        let left: Vec<ProcessIdentity> = unfinished().flat_map(orphans).collect();
        if !left.is_empty() {
            ending::warn_of_survivors(&ralph_process::end(&left, None, Duration::ZERO));
        }
        Ok(())
    }

    /// Asks workers to stop, waits, and kills what is left of them.
    pub(super) fn end(&mut self, who: Vec<ProcessIdentity>) {
        ending::end(who, || drop(self.reap()));
        self.reap();
    }
}

/// Living processes of a claim whose worker is dead.
pub(super) fn orphans(record: &WorkerRecord) -> Vec<ProcessIdentity> {
    let mut who = ralph_process::marked(&record_marker(record));
    if let Some(agent) = &record.agent
        && ralph_process::is_alive(agent)
        && !who.contains(agent)
    {
        who.push(agent.clone());
    }
    who
}

pub(super) fn record_marker(record: &WorkerRecord) -> String {
    marker(&record.task_id, record.attempt_id.as_deref().unwrap_or_default())
}
