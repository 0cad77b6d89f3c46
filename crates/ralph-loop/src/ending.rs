//! How workers are asked to end, and made to.

use std::collections::BTreeSet;
use std::time::Duration;

use ralph_state::file::Holder;
use ralph_state::{ProcessIdentity, TaskId, WorkerRecord};

use crate::layout::Layout;
use crate::living::{self, LivingError};
use crate::project;
use crate::worker::marker;

/// What workers get to stop by themselves before they are killed.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Ends the workers that outlived their run, and what dead ones have left running, as the run would
/// have at Ctrl-C, and says which tasks they had; `None` while a run is active, whose they are.
/// Their records stay, and the next run goes on with them.
///
/// # Errors
/// When the locks cannot be looked at.
pub fn end_outlived(
    layout: &Layout,
    holder: &Holder,
) -> Result<Option<BTreeSet<TaskId>>, LivingError> {
    // No run begins meanwhile, which would take them over.
    let Some(_no_run) = living::take(&layout.run_lock(), holder)? else { return Ok(None) };
    let mut tasks = living::tasks(layout)?;
    end(living::workers(layout)?);
    // A state file that cannot be read is for `recover`, which ends what it finds.
    let state = project::store(layout, holder).load().ok().flatten().map(|loaded| loaded.value);
    let records = state.iter().flat_map(|state| &state.workers);
    let ended = end_orphans(records.filter(|record| !record.is_terminal()));
    tasks.extend(ended.into_iter().filter_map(|task| task.parse().ok()));
    Ok(Some(tasks))
}

/// Asks workers to stop, waits, and kills what is left of them. Only the workers are asked: each
/// ends its own agent and records that.
pub(crate) fn end(mut who: Vec<ProcessIdentity>) {
    who.sort_by_key(|identity| identity.pid);
    who.dedup();
    who.iter().for_each(ralph_process::ask_to_end);
    ralph_process::await_end(&who, STOP_GRACE);
    who.retain(ralph_process::is_alive);
    kill(&who);
}

/// Ends what dead workers of these records have left running, and says of which tasks.
pub(crate) fn end_orphans<'r>(
    records: impl IntoIterator<Item = &'r WorkerRecord>,
) -> BTreeSet<&'r str> {
    let (mut who, mut tasks) = (Vec::new(), BTreeSet::new());
    for record in records {
        let left = orphans(record);
        if !left.is_empty() {
            tasks.insert(record.task_id.as_str());
        }
        who.extend(left);
    }
    kill(&who);
    tasks
}

fn kill(who: &[ProcessIdentity]) {
    if who.is_empty() {
        return;
    }
    for survivor in ralph_process::end(who, None, Duration::ZERO).survivors {
        tracing::warn!(pid = survivor.pid, "a process could not be ended");
    }
}

/// Living processes of a claim whose worker is dead.
pub(crate) fn orphans(record: &WorkerRecord) -> Vec<ProcessIdentity> {
    let mut who = ralph_process::marked(&record_marker(record));
    if let Some(agent) = &record.agent
        && ralph_process::is_alive(agent)
        && !who.contains(agent)
    {
        who.push(agent.clone());
    }
    who
}

pub(crate) fn record_marker(record: &WorkerRecord) -> String {
    marker(&record.task_id, record.attempt_id.as_deref().unwrap_or_default())
}
