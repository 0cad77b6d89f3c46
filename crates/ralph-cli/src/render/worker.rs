//! Where a task of a parallel run stands, in words for people.

use ralph_loop::event::Outcome;
use ralph_loop::recover;
use ralph_loop::status::WorkerView;
use ralph_loop::worker::{Held, is_at_task_limit};
use ralph_state::{WorkerLifecycle, WorkerRecord, WorkerStep};

/// How a task ended in a run.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NoChange => "no change",
        Outcome::Interrupted => "stopped",
        Outcome::TaskLimit => "task limit",
        other => other.as_str(),
    }
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Doing<'a> {
    pub(crate) long: &'a str,
    /// For a line that has to hold several tasks.
    pub(crate) short: &'a str,
}

/// What a task at this step is doing; nothing any more at the last one.
pub(crate) fn doing(step: &WorkerStep) -> Option<Doing<'_>> {
    let (long, short) = match step {
        WorkerStep::Claimed | WorkerStep::WorkspaceReady | WorkerStep::SpawnIntended => {
            ("starting", "starts")
        }
        WorkerStep::Working => ("agent", "agent"),
        WorkerStep::Committed | WorkerStep::Waiting => ("waiting to land", "waits"),
        WorkerStep::Resolving => ("agent: conflict", "conflict"),
        WorkerStep::Fixing => ("agent: red gate", "red gate"),
        WorkerStep::Gating => ("gate", "gate"),
        WorkerStep::Rebased
        | WorkerStep::GateGreen
        | WorkerStep::PushIntended
        | WorkerStep::Pushed => ("landing", "lands"),
        WorkerStep::Recorded => return None,
        other => (other.as_str(), other.as_str()),
    };
    Some(Doing { long, short })
}

/// How a record says that its task stands, whatever the world says.
pub(crate) fn recorded(record: &WorkerRecord) -> &str {
    match &record.lifecycle {
        WorkerLifecycle::Running | WorkerLifecycle::Integrating => "unfinished",
        WorkerLifecycle::Completed if record.no_change.is_some() => "no change needed",
        WorkerLifecycle::Completed if record.landed_commit.is_some() => "landed",
        WorkerLifecycle::Completed => "finished",
        WorkerLifecycle::Failed if is_at_task_limit(record) => "at its own limit",
        WorkerLifecycle::Failed => "failed",
        WorkerLifecycle::BlockedPush => "could not land",
        other => other.as_str(),
    }
}

/// How a task stands.
pub(crate) fn standing(view: &WorkerView) -> String {
    let record = &view.record;
    if record.is_terminal() {
        return recorded(record).to_owned();
    }
    let word = match (view.alive, view.held()) {
        (true, _) => "running",
        (false, Some(Held::Limit)) => return "waits at a limit".to_owned(),
        (false, Some(_)) => return "held".to_owned(),
        (false, None) if recover::is_reopened(record) => {
            return "waits for the next run".to_owned();
        }
        (false, None) => "interrupted",
    };
    if view.waits().is_some() {
        return "waits for your queue".to_owned();
    }
    match record.step.as_ref().and_then(doing) {
        Some(Doing { long, .. }) => format!("{word} ({long})"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use WorkerLifecycle::{BlockedPush, Completed, Failed, Integrating, Running};

    use super::*;

    #[test]
    fn a_record_is_told_as_a_person_would() {
        let told = |lifecycle, step, alive| {
            let mut record = WorkerRecord::new("RQ-0001", "/w".into(), String::new());
            record.lifecycle = lifecycle;
            record.step = step;
            standing(&WorkerView { record, alive, workspace: true, closed: None })
        };
        assert_eq!(told(Failed, Some(WorkerStep::Working), false), "failed");
        assert_eq!(told(BlockedPush, Some(WorkerStep::Gating), false), "could not land");
        assert_eq!(told(Completed, Some(WorkerStep::Recorded), false), "finished");
        assert_eq!(told(Running, Some(WorkerStep::SpawnIntended), true), "running (starting)");
        assert_eq!(told(Integrating, Some(WorkerStep::Gating), false), "interrupted (gate)");
        assert_eq!(told(Running, None, false), "interrupted");
    }
}
