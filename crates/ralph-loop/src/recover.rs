//! What to do with each record of an earlier or interrupted run: a pure decision.
//!
//! The state file says what was intended, [`Observed`] says what the world
//! looks like now; where the two disagree the world wins.

use std::collections::BTreeMap;

use ralph_state::{
    ParallelStateFile, ProcessIdentity, TaskId, WorkerLifecycle, WorkerRecord, WorkerStep,
};

/// What was found out about the world, by task id.
pub type Observed = BTreeMap<String, Observation>;

/// What was found out about one record.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observation {
    /// Its worker holds the worker lock.
    pub worker_alive: bool,
    /// Processes of an agent turn that outlived their worker.
    pub orphans: Vec<ProcessIdentity>,
    /// The recorded landing commit is on the target branch.
    pub landed: bool,
    /// The queue has the task no longer as open: rejected, done or gone.
    pub unwanted: bool,
}

/// One step of recovery. Carrying it out is the coordinator's part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// A living worker of an earlier coordinator: it counts against the
    /// number of workers and is waited for.
    Adopt {
        /// Its task.
        task: String,
    },
    /// Orphans of a dead worker: they end before the task goes on.
    EndOrphans {
        /// Their task.
        task: String,
        /// The processes.
        who: Vec<ProcessIdentity>,
    },
    /// The push went through before the crash: only the record is missing.
    RecordLanded {
        /// The task whose commit is on the target.
        task: String,
    },
    /// The agent's work is committed: a worker lands it, without an agent.
    Land {
        /// The task.
        task: String,
    },
    /// The agent's turn was cut short: a new attempt.
    Restart {
        /// The task.
        task: String,
    },
    /// The task is no longer open in the queue: its work is kept, and that is all.
    Drop {
        /// The task.
        task: String,
    },
    /// It died on every attempt it may have.
    GiveUp {
        /// The task.
        task: String,
        /// Attempts made.
        attempts: u32,
    },
}

impl Action {
    /// The task the action is about.
    pub fn task(&self) -> &str {
        match self {
            Self::Adopt { task }
            | Self::EndOrphans { task, .. }
            | Self::RecordLanded { task }
            | Self::Land { task }
            | Self::Restart { task }
            | Self::Drop { task }
            | Self::GiveUp { task, .. } => task,
        }
    }
}

/// What every unfinished record needs, in the order of the file.
///
/// Total: any state with any observation gives a plan. Finished records and
/// records of a lifecycle or with an id this version does not know are left alone.
pub fn plan(state: &ParallelStateFile, observed: &Observed, max_attempts: u32) -> Vec<Action> {
    let nothing = Observation::default();
    state
        .workers
        .iter()
        .filter(|record| {
            matches!(record.lifecycle, WorkerLifecycle::Running | WorkerLifecycle::Integrating)
                && record.task_id.parse::<TaskId>().is_ok()
        })
        .map(|record| {
            let observation = observed.get(&record.task_id).unwrap_or(&nothing);
            action(record, observation, max_attempts)
        })
        .collect()
}

fn action(record: &WorkerRecord, seen: &Observation, max_attempts: u32) -> Action {
    let task = record.task_id.clone();
    if seen.worker_alive {
        return Action::Adopt { task };
    }
    if !seen.orphans.is_empty() {
        return Action::EndOrphans { task, who: seen.orphans.clone() };
    }
    if seen.landed {
        return Action::RecordLanded { task };
    }
    if seen.unwanted {
        return Action::Drop { task };
    }
    if has_committed_work(record) {
        return Action::Land { task };
    }
    let attempts = record.attempt.unwrap_or(1);
    if died_working(record) && attempts >= max_attempts {
        return Action::GiveUp { task, attempts };
    }
    Action::Restart { task }
}

/// Whether the agent's work is safe in a commit, so that no turn is repeated.
pub fn has_committed_work(record: &WorkerRecord) -> bool {
    let before = matches!(
        record.step,
        None | Some(
            WorkerStep::Claimed
                | WorkerStep::WorkspaceReady
                | WorkerStep::SpawnIntended
                | WorkerStep::Working
                | WorkerStep::Unknown(_)
        )
    );
    !before && (record.work_commit.is_some() || record.no_change.is_some())
}

/// Whether a turn was under way and nobody asked for it to stop.
///
/// Only such a death uses up an attempt: a task that brings its worker down
/// each time has to end, one that the user stopped has not failed.
pub fn died_working(record: &WorkerRecord) -> bool {
    record.interrupted != Some(true)
        && matches!(record.step, Some(WorkerStep::SpawnIntended | WorkerStep::Working))
}

/// Whether no worker has taken the record up since it was claimed or a worker was started for it.
pub fn is_unbegun(record: &WorkerRecord) -> bool {
    !record.is_terminal() && record.worker.is_none() && record.interrupted.is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEPS: [WorkerStep; 15] = [
        WorkerStep::Claimed,
        WorkerStep::WorkspaceReady,
        WorkerStep::SpawnIntended,
        WorkerStep::Working,
        WorkerStep::Committed,
        WorkerStep::Waiting,
        WorkerStep::Rebased,
        WorkerStep::Resolving,
        WorkerStep::Gating,
        WorkerStep::GateGreen,
        WorkerStep::Fixing,
        WorkerStep::PushIntended,
        WorkerStep::Pushed,
        WorkerStep::Recorded,
        WorkerStep::Claimed,
    ];

    fn record(step: WorkerStep, work: bool) -> WorkerRecord {
        let mut record = WorkerRecord::new("RQ-0001", "/w/RQ-0001".into(), String::new());
        record.attempt = Some(1);
        record.step = Some(step);
        record.work_commit = work.then(|| "1".repeat(40));
        record
    }

    fn state(records: Vec<WorkerRecord>) -> ParallelStateFile {
        let mut state = ParallelStateFile::new("", "main");
        state.workers = records;
        state
    }

    fn decide(record: WorkerRecord, seen: Observation) -> Option<Action> {
        let observed = Observed::from([("RQ-0001".to_owned(), seen)]);
        plan(&state(vec![record]), &observed, 3).pop()
    }

    fn task() -> String {
        "RQ-0001".to_owned()
    }

    #[test]
    fn a_living_worker_is_adopted_whatever_its_step() {
        for step in STEPS {
            let seen = Observation { worker_alive: true, landed: true, ..Observation::default() };
            assert_eq!(decide(record(step, true), seen), Some(Action::Adopt { task: task() }));
        }
    }

    #[test]
    fn orphans_end_before_anything_else_happens_to_the_task() {
        let who = vec![ProcessIdentity { pid: 7, start_time: 1, boot_id: "b".to_owned() }];
        for step in STEPS {
            let seen = Observation { orphans: who.clone(), landed: true, ..Observation::default() };
            let expected = Action::EndOrphans { task: task(), who: who.clone() };
            assert_eq!(decide(record(step, true), seen), Some(expected));
        }
    }

    #[test]
    fn what_the_target_holds_is_only_recorded() {
        let seen = Observation { landed: true, ..Observation::default() };
        let decided = decide(record(WorkerStep::PushIntended, true), seen);
        assert_eq!(decided, Some(Action::RecordLanded { task: task() }));
    }

    #[test]
    fn a_task_that_nobody_wants_any_more_is_not_worked_on() {
        for step in STEPS {
            let seen = Observation { unwanted: true, ..Observation::default() };
            assert_eq!(decide(record(step, true), seen), Some(Action::Drop { task: task() }));
        }
    }

    #[test]
    fn an_id_that_is_none_is_left_alone() {
        let mut record = record(WorkerStep::Working, false);
        record.task_id = "../etc".to_owned();
        assert_eq!(decide(record, Observation::default()), None);
    }

    #[test]
    fn committed_work_never_costs_another_turn() {
        for step in STEPS.into_iter().skip(4).take(10) {
            let decided = decide(record(step, true), Observation::default());
            assert_eq!(decided, Some(Action::Land { task: task() }));
        }
    }

    #[test]
    fn only_a_death_in_a_turn_uses_up_an_attempt() {
        let mut poison = record(WorkerStep::Working, false);
        poison.attempt = Some(3);
        let decided = decide(poison.clone(), Observation::default());
        assert_eq!(decided, Some(Action::GiveUp { task: task(), attempts: 3 }));
        poison.interrupted = Some(true);
        let decided = decide(poison.clone(), Observation::default());
        assert_eq!(decided, Some(Action::Restart { task: task() }));
        poison.interrupted = None;
        poison.step = Some(WorkerStep::Claimed);
        let decided = decide(poison, Observation::default());
        assert_eq!(decided, Some(Action::Restart { task: task() }));
    }

    #[test]
    fn finished_and_unknown_records_are_left_alone() {
        for lifecycle in [
            WorkerLifecycle::Completed,
            WorkerLifecycle::Failed,
            WorkerLifecycle::BlockedPush,
            WorkerLifecycle::from("paused".to_owned()),
        ] {
            let mut record = record(WorkerStep::Working, true);
            record.lifecycle = lifecycle;
            assert_eq!(decide(record, Observation::default()), None);
        }
    }

    proptest! {
        /// Total, one action per unfinished record, and no orphan is ever worked beside.
        #[test]
        fn any_state_has_a_plan(
            rows in prop::collection::vec(
                (0..STEPS.len(), any::<bool>(), any::<[bool; 4]>(), 0u32..6), 0..12,
            ),
        ) {
            let mut records = Vec::new();
            let mut observed = Observed::new();
            for (index, (step, work, [alive, orphan, landed, seen], attempt)) in
                rows.into_iter().enumerate()
            {
                let mut record = record(STEPS[step].clone(), work);
                record.task_id = format!("RQ-{index:04}");
                record.attempt = Some(attempt);
                if seen {
                    let who = ProcessIdentity { pid: 9, start_time: 2, boot_id: String::new() };
                    let orphans = if orphan { vec![who] } else { Vec::new() };
                    let observation =
                        Observation { worker_alive: alive, orphans, landed, unwanted: !work };
                    observed.insert(record.task_id.clone(), observation);
                }
                records.push(record);
            }
            let state = state(records);
            let actions = plan(&state, &observed, 3);
            prop_assert_eq!(actions.len(), state.workers.len());
            for (action, record) in actions.iter().zip(&state.workers) {
                prop_assert_eq!(action.task(), record.task_id.as_str());
                let seen = observed.get(&record.task_id).cloned().unwrap_or_default();
                let works = matches!(action, Action::Land { .. } | Action::Restart { .. });
                if works {
                    prop_assert!(!seen.worker_alive && seen.orphans.is_empty());
                    prop_assert!(!seen.landed && !seen.unwanted);
                }
            }
        }
    }
}
