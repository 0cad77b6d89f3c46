//! How workers are asked to end, and made to.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ralph_process::EndReport;
use ralph_state::file::Holder;
use ralph_state::{ProcessIdentity, TaskId};

use crate::layout::Layout;
use crate::living::{self, LivingError};

/// Time between two looks at workers that were asked to stop.
const STOP_ROUND: Duration = Duration::from_millis(20);
/// What workers get to stop by themselves before they are killed.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Ends the workers that outlived their run, as the run would have at Ctrl-C, and says which tasks
/// they had; `None` while a run is active, whose they are. Their records stay, and the next run
/// goes on with them.
///
/// # Errors
/// When the locks cannot be looked at.
pub fn end_outlived(
    layout: &Layout,
    holder: &Holder,
) -> Result<Option<BTreeSet<TaskId>>, LivingError> {
    // No run begins meanwhile, which would take them over.
    let Some(_no_run) = living::take(&layout.run_lock(), holder)? else { return Ok(None) };
    let tasks = living::tasks(layout)?;
    end(living::workers(layout)?, || ());
    Ok(Some(tasks))
}

/// Asks workers to stop, waits, and kills what is left of them; `between` two looks something else
/// may be done. Only the workers are asked: each ends its own agent and records that.
pub(crate) fn end(mut who: Vec<ProcessIdentity>, mut between: impl FnMut()) {
    who.sort_by_key(|identity| identity.pid);
    who.dedup();
    who.iter().for_each(ralph_process::ask_to_end);
    let deadline = Instant::now() + STOP_GRACE;
    while who.iter().any(ralph_process::is_alive) && Instant::now() < deadline {
        between();
        std::thread::sleep(STOP_ROUND);
    }
    who.retain(ralph_process::is_alive);
    if !who.is_empty() {
        warn_of_survivors(&ralph_process::end(&who, None, Duration::ZERO));
    }
}

/// Tells of processes that live on.
pub(crate) fn warn_of_survivors(report: &EndReport) {
    for survivor in &report.survivors {
        tracing::warn!(pid = survivor.pid, "a process could not be ended");
    }
}
