//! How a run ends its workers and what they leave running.

use ralph_state::ProcessIdentity;

use super::{Coordinator, RunError};
use crate::ending;
use crate::event::{Event, StopReason};

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
        ending::end_orphans(unfinished());
        Ok(())
    }

    /// Asks workers to stop, waits, and kills what is left of them.
    pub(super) fn end(&mut self, who: Vec<ProcessIdentity>) {
        ending::end(who);
        self.reap();
    }
}
