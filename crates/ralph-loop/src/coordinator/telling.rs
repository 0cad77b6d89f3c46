//! What a user is told of the records while a run goes on, and at its end.

use std::path::PathBuf;
use std::time::Duration;

use ralph_state::{ParallelStateFile, Timestamp, WorkerLifecycle, WorkerRecord, WorkerStep};

use super::Coordinator;
use crate::event::{Event, Outcome, TaskSummary};
use crate::own::{self, LANDED_AS};
use crate::recover;
use crate::worker::{self, Held};

/// What a user was told of a record.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Told {
    step: Option<WorkerStep>,
    attempt: u32,
    trouble: Option<String>,
}

impl Told {
    pub(super) fn of(record: &WorkerRecord) -> Self {
        Self {
            step: record.step.clone(),
            attempt: record.attempt.unwrap_or(1),
            trouble: record.last_error.clone(),
        }
    }
}

impl Coordinator<'_> {
    /// Tells what changed in the records since the last look.
    pub(super) fn tell_progress(&mut self, state: &ParallelStateFile) {
        for record in &state.workers {
            let Some(title) = self.seen.get(&record.task_id) else { continue };
            let now = Told::of(record);
            let before = self.told.insert(record.task_id.clone(), now.clone());
            let is_over = record.is_terminal()
                || Held::of(record).is_some()
                || self.project.cancel.is_cancelled();
            if let (false, Some(before), Some(reason)) = (is_over, &before, &now.trouble)
                && (before.trouble != now.trouble || before.attempt < now.attempt)
            {
                let id = &record.task_id;
                self.project.tell(Event::Note(if before.attempt < now.attempt {
                    // Attempts may have passed between two looks: the reason is the last one's.
                    format!("{id}: attempt {} ended: {reason}", now.attempt - 1)
                } else {
                    format!("{id}: {}; trying again", reason.trim_end_matches('.'))
                }));
            }
            let is_new = before.is_none_or(|before| {
                (before.step, before.attempt) != (now.step.clone(), now.attempt)
            });
            if let (true, Some(step)) = (is_new, now.step) {
                let (task, attempt) = (record.task_id.clone(), now.attempt);
                self.project.tell(Event::Step { task, step, attempt });
            }
            if record.is_terminal() {
                if let Some(note) = record.extra.get(worker::LEFT_OUT).and_then(|it| it.as_str()) {
                    self.project.tell(Event::Note(format!("{}: {note}", record.task_id)));
                }
                let summary = summarise(record, title, self.began, self.project.now());
                if let Some(id) = &summary.landed_as {
                    if let Ok(id) = id.parse() {
                        self.renamed.insert((id, record.task_id.clone()));
                    }
                    self.project.tell(Event::Note(format!(
                        "{} landed as {id}: `{}` has another task with its id",
                        record.task_id, self.ground.branch
                    )));
                }
                self.tell_renamed();
                self.seen.remove(&record.task_id);
                self.summary.tasks.push(self.project.tell_finished(summary));
            }
        }
    }

    /// Tells which tasks of the checkout have another id than before: what landed may have given
    /// theirs to others, and who was told an id means the task that had it.
    fn tell_renamed(&mut self) {
        let Ok(queue) = self.project.queue.load() else { return };
        for (id, was) in own::renamed(&queue) {
            let title = queue.find(id.as_str()).map_or("", |(_, task)| task.title.as_str());
            if self.renamed.insert((id.clone(), was.clone())) {
                self.project.tell(Event::Note(format!(
                    "{was} is {id} now: another task has landed under its id ({title})"
                )));
                self.summary.renamed.insert(was, id);
            }
        }
    }

    /// Adds the tasks that did not end to the summary.
    pub(super) fn sum_up_unfinished(&mut self, state: &ParallelStateFile) {
        for (task, title) in std::mem::take(&mut self.seen) {
            if let Some(record) = state.get_worker(&task) {
                let summary = summarise(record, &title, self.began, self.project.now());
                self.summary.tasks.push(self.project.tell_finished(summary));
            }
        }
    }
}

/// The line of the final table that a record gives in a run that `began` then.
/// The time between two runs is nobody's.
pub fn summarise(
    record: &WorkerRecord,
    title: &str,
    began: Timestamp,
    now: Timestamp,
) -> TaskSummary {
    let stuck = recover::stuck(record).map(|stuck| stuck.to_string());
    let outcome = match record.lifecycle {
        WorkerLifecycle::Completed
            if record.landed_commit.is_none() && record.last_error.is_some() =>
        {
            Outcome::Superseded
        }
        WorkerLifecycle::Completed if record.no_change.is_some() => Outcome::NoChange,
        WorkerLifecycle::Completed => Outcome::Landed,
        WorkerLifecycle::Failed if worker::is_at_task_limit(record) => Outcome::TaskLimit,
        WorkerLifecycle::Failed => Outcome::Failed,
        WorkerLifecycle::BlockedPush => Outcome::Blocked,
        _ if stuck.is_some() => Outcome::Blocked,
        _ if Held::of(record) == Some(Held::Limit) => Outcome::Limited,
        _ if Held::of(record).is_some() => Outcome::Held,
        _ => Outcome::Interrupted,
    };
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let end = record.completed_at.as_deref().and_then(time).unwrap_or(now);
    let wall = time(&record.started_at)
        .map(|start| start.max(began))
        .map(|start| end.as_unix_nanos().saturating_sub(start.as_unix_nanos()))
        .and_then(|nanos| u64::try_from(nanos).ok())
        .map_or(Duration::ZERO, Duration::from_nanos);
    let is_completed = record.lifecycle == WorkerLifecycle::Completed;
    let landed_as = record.extra.get(LANDED_AS).and_then(|id| id.as_str()).filter(|_| is_completed);
    TaskSummary {
        task: record.task_id.clone(),
        landed_as: landed_as.map(str::to_owned),
        title: title.to_owned(),
        outcome,
        attempts: record.attempt.unwrap_or(1),
        wall,
        agent_turns: record.agent_turns.unwrap_or(0),
        gate_runs: record.gate_runs.unwrap_or(0),
        spent: record.spent.unwrap_or_default(),
        commit: record.landed_commit.clone(),
        in_checkout: false,
        not_in_workspace: worker::not_in_workspace(record).map(PathBuf::from),
        reason: stuck.or_else(|| record.last_error.clone().or_else(|| record.no_change.clone())),
    }
}
