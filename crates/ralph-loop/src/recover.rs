//! What to do with each record of an earlier or interrupted run: a pure decision.
//!
//! The state file says what was intended, [`Observed`] says what the world
//! looks like now; where the two disagree the world wins.

use std::collections::BTreeMap;

use ralph_state::{
    ParallelStateFile, ProcessIdentity, TaskId, WorkerLifecycle, WorkerRecord, WorkerStep,
};
use thiserror::Error;

use crate::{own, worker};

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
/// Total: any state with any observation gives a plan. Finished records and those
/// that are [`stuck`] are left alone.
pub fn plan(state: &ParallelStateFile, observed: &Observed, max_attempts: u32) -> Vec<Action> {
    let nothing = Observation::default();
    state
        .workers
        .iter()
        .filter(|record| !record.is_terminal() && stuck(record).is_none())
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

/// Forgets what an attempt came to, for one that begins anew under the same claim or another.
pub fn start_over(record: &mut WorkerRecord) {
    record.work_commit = None;
    record.landing_commit = None;
    record.no_change = None;
    record.ticket = None;
    record.agent = None;
    record.extra.remove(worker::FOLLOW_UPS);
    record.extra.remove(worker::NOTES);
    record.extra.remove(own::LANDS_AS);
    own::remember(record, None);
}

/// Why nothing that this version does would be right for a record. It is left as it is.
#[derive(Clone, Debug, Eq, PartialEq, Error)]
#[non_exhaustive]
pub enum Stuck {
    /// Its task is none, so that there is nothing to work on.
    #[error("`{id}` is not the id of a task")]
    NoTask {
        /// What stands there.
        id: String,
    },
    /// It is in a state, or at a step, of a newer version.
    #[error("it is `{word}`, which this version does not know")]
    Unknown {
        /// The word in the file.
        word: String,
    },
}

/// Whether `record` is one that only the user can decide about.
pub fn stuck(record: &WorkerRecord) -> Option<Stuck> {
    if record.is_terminal() {
        return None;
    }
    let unknown = |word: &String| Some(Stuck::Unknown { word: word.clone() });
    match (&record.lifecycle, &record.step) {
        _ if record.task_id.parse::<TaskId>().is_err() => {
            Some(Stuck::NoTask { id: record.task_id.clone() })
        }
        (WorkerLifecycle::Unknown(word), _) | (_, Some(WorkerStep::Unknown(word))) => unknown(word),
        _ => None,
    }
}

/// The rows of records whose task has another record that got further, each with the row of that.
///
/// A file should have one record for each task; an edit by hand or another program may have left
/// more. `is_alive` says whether a record is the one of a living worker.
pub fn surplus(
    state: &ParallelStateFile,
    is_alive: impl Fn(&WorkerRecord) -> bool,
) -> Vec<(usize, usize)> {
    let mut best: BTreeMap<&str, usize> = BTreeMap::new();
    let rank = |row: usize| {
        let record = &state.workers[row];
        let is_landed = record.lifecycle == WorkerLifecycle::Completed;
        let step = record.step.as_ref().map_or(0, |step| {
            ORDER.iter().position(|known| known == step).map_or(0, |position| position + 1)
        });
        (
            is_alive(record),
            is_landed && record.landed_commit.is_some(),
            is_landed,
            has_committed_work(record),
            !record.is_terminal(),
            step,
            record.attempt,
        )
    };
    for (row, record) in state.workers.iter().enumerate() {
        let first = best.entry(&record.task_id).or_insert(row);
        if rank(row) > rank(*first) {
            *first = row;
        }
    }
    let rows = state.workers.iter().enumerate();
    rows.map(|(row, record)| (row, best[record.task_id.as_str()]))
        .filter(|(row, best)| row != best)
        .collect()
}

/// The steps of a life, in order.
const ORDER: [WorkerStep; 14] = [
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
];

/// Whether no worker has taken the record up since it was claimed or a worker was started for it.
pub fn is_unbegun(record: &WorkerRecord) -> bool {
    !record.is_terminal() && record.worker.is_none() && record.interrupted.is_none()
}

/// Whether the user asked for it to be tried again and no worker has taken it up since.
pub fn is_reopened(record: &WorkerRecord) -> bool {
    !record.is_terminal() && record.worker.is_none() && record.interrupted == Some(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        for step in ORDER {
            let seen = Observation { worker_alive: true, landed: true, ..Observation::default() };
            assert_eq!(decide(record(step, true), seen), Some(Action::Adopt { task: task() }));
        }
    }

    #[test]
    fn orphans_end_before_anything_else_happens_to_the_task() {
        let who = vec![ProcessIdentity { pid: 7, start_time: 1, boot_id: "b".to_owned() }];
        for step in ORDER {
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
        for step in ORDER {
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
        for step in ORDER.into_iter().skip(4) {
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

    #[test]
    fn what_a_newer_version_wrote_is_the_users_to_decide() {
        let mut paused = record(WorkerStep::Working, true);
        paused.lifecycle = WorkerLifecycle::from("paused".to_owned());
        assert_eq!(stuck(&paused), Some(Stuck::Unknown { word: "paused".to_owned() }));
        let flying = record(WorkerStep::from("flying".to_owned()), true);
        assert_eq!(stuck(&flying), Some(Stuck::Unknown { word: "flying".to_owned() }));
        assert_eq!(decide(flying, Observation::default()), None);
        let mut nameless = record(WorkerStep::Working, true);
        nameless.task_id = String::new();
        assert_eq!(stuck(&nameless), Some(Stuck::NoTask { id: String::new() }));
        for step in ORDER {
            assert_eq!(stuck(&record(step, true)), None);
        }
    }

    #[test]
    fn of_two_records_the_one_that_got_further_stands() {
        let ended = |lifecycle, landed: bool| {
            let mut record = record(WorkerStep::Working, false);
            record.lifecycle = lifecycle;
            record.landed_commit = landed.then(|| "2".repeat(40));
            record
        };
        let working = || record(WorkerStep::Working, false);
        let committed = || record(WorkerStep::Waiting, true);
        for (rows, stands) in [
            (vec![working(), working()], 0),
            (vec![working(), committed()], 1),
            (vec![ended(WorkerLifecycle::Failed, false), working()], 1),
            (vec![committed(), ended(WorkerLifecycle::Failed, false), working()], 0),
            (vec![committed(), ended(WorkerLifecycle::Completed, true)], 1),
        ] {
            let state = state(rows);
            let gone = surplus(&state, |_| false);
            assert_eq!(gone.len(), state.workers.len() - 1);
            assert!(gone.iter().all(|(row, best)| *best == stands && *row != stands), "{gone:?}");
        }
        let mut alive = working();
        alive.attempt = Some(7);
        let state = state(vec![committed(), alive]);
        assert_eq!(surplus(&state, |record| record.attempt == Some(7)), [(0, 1)]);
        assert_eq!(surplus(&state, |_| false), [(1, 0)]);
    }

    proptest! {
        /// Total, one action per unfinished record, and no orphan is ever worked beside.
        #[test]
        fn any_state_has_a_plan(
            rows in prop::collection::vec(
                (0..ORDER.len(), any::<bool>(), any::<[bool; 4]>(), 0u32..6), 0..12,
            ),
        ) {
            let mut records = Vec::new();
            let mut observed = Observed::new();
            for (index, (step, work, [alive, orphan, landed, seen], attempt)) in
                rows.into_iter().enumerate()
            {
                let mut record = record(ORDER[step].clone(), work);
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
