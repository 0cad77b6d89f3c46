//! Which step may follow which: the life of a worker as a table.
//!
//! ```text
//! running      claimed > workspace_ready > spawn_intended <> working
//!                                                               v
//! integrating  committed > waiting > rebased > gating > gate_green > push_intended > pushed
//!                  ^          v                  v                                     v
//!                  |<---- resolving              v                                     v
//!                  |<------------------------- fixing                                  v
//! completed                                                                        recorded
//! ```
//!
//! From every step after `committed` a worker may go back to `waiting`: the push lost a race, or
//! another process goes on after a crash. From each of them it may be `pushed` or `recorded`,
//! since work that is found on the target has landed, whatever was recorded. The gate may run twice
//! in a row: on the target as it is, to see whose fault a red one is.

use super::record::{WorkerLifecycle, WorkerRecord, WorkerStep};

/// What happens to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// It comes to this step.
    Reached(WorkerStep),
    /// It ends without landing.
    Failed,
    /// Its work is there, but does not land.
    Blocked,
    /// Somebody else finished its task, or nobody wants it any more.
    Superseded,
    /// Its task starts anew.
    Restarted,
    /// Its committed work is to land after all, without another turn.
    Reopened,
}

/// An event that cannot happen to a worker as it is. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Its life is over.
    #[error("the worker is {lifecycle} already")]
    Over {
        /// How it ended.
        lifecycle: WorkerLifecycle,
    },
    /// The step does not follow the one it is at.
    #[error("`{to}` does not follow `{}`", from.as_ref().map_or("nothing", WorkerStep::as_str))]
    OutOfOrder {
        /// Where it is.
        from: Option<WorkerStep>,
        /// Where it was to go.
        to: WorkerStep,
    },
    /// There is no committed work that could land.
    #[error("the worker has committed nothing")]
    NothingCommitted,
    /// A newer program wrote a word that this one does not know.
    #[error("`{word}` is a word of a newer program")]
    Unknown {
        /// The lifecycle or step.
        word: String,
    },
}

/// Where a worker is after `event`, if that can happen.
///
/// Total: any record and any event give an answer. What a newer program wrote can only be begun
/// anew or landed, which somebody has decided. A record without a step, as 0.4.0 writes them,
/// is at `claimed` while it runs and at `committed` while it integrates.
pub fn transition(
    record: &WorkerRecord,
    event: &WorkerEvent,
) -> Result<(WorkerLifecycle, Option<WorkerStep>), Refused> {
    use WorkerLifecycle as Life;

    let word = match (&record.lifecycle, &record.step, event) {
        (_, _, WorkerEvent::Restarted | WorkerEvent::Reopened) => None,
        (Life::Unknown(word), _, _)
        | (_, Some(WorkerStep::Unknown(word)), _)
        | (_, _, WorkerEvent::Reached(WorkerStep::Unknown(word))) => Some(word),
        _ => None,
    };
    if let Some(word) = word {
        return Err(Refused::Unknown { word: word.clone() });
    }
    let lifecycle = record.lifecycle.clone();
    let over = record.is_terminal();
    match event {
        WorkerEvent::Restarted | WorkerEvent::Reopened if lifecycle == Life::Completed => {
            Err(Refused::Over { lifecycle })
        }
        WorkerEvent::Restarted => Ok((Life::Running, Some(WorkerStep::Claimed))),
        WorkerEvent::Reopened if record.work_commit.is_none() && record.no_change.is_none() => {
            Err(Refused::NothingCommitted)
        }
        WorkerEvent::Reopened => Ok((Life::Integrating, Some(WorkerStep::Committed))),
        _ if over => Err(Refused::Over { lifecycle }),
        WorkerEvent::Failed => Ok((Life::Failed, record.step.clone())),
        WorkerEvent::Blocked => Ok((Life::BlockedPush, record.step.clone())),
        WorkerEvent::Superseded => Ok((Life::Completed, record.step.clone())),
        WorkerEvent::Reached(to) if follows(record, to) => Ok((lifecycle_at(to), Some(to.clone()))),
        WorkerEvent::Reached(to) => {
            Err(Refused::OutOfOrder { from: record.step.clone(), to: to.clone() })
        }
    }
}

fn follows(record: &WorkerRecord, to: &WorkerStep) -> bool {
    use WorkerStep as Step;

    let from = match (&record.step, &record.lifecycle) {
        (Some(step), _) => step.clone(),
        (None, WorkerLifecycle::Integrating) => Step::Committed,
        (None, _) => Step::Claimed,
    };
    let before =
        matches!(from, Step::Claimed | Step::WorkspaceReady | Step::SpawnIntended | Step::Working);
    match to {
        Step::Claimed | Step::WorkspaceReady => matches!(from, Step::Claimed),
        Step::SpawnIntended => {
            matches!(from, Step::WorkspaceReady | Step::SpawnIntended | Step::Working)
        }
        Step::Working => matches!(from, Step::SpawnIntended | Step::Working),
        Step::Committed => matches!(from, Step::Working | Step::Resolving | Step::Fixing),
        Step::Waiting | Step::Recorded => !before,
        Step::Rebased => matches!(from, Step::Waiting | Step::Rebased),
        Step::Resolving => matches!(from, Step::Waiting | Step::Rebased | Step::Resolving),
        Step::Gating => matches!(from, Step::Rebased | Step::Gating),
        Step::Fixing => matches!(from, Step::Gating | Step::Fixing),
        Step::GateGreen => matches!(from, Step::Rebased | Step::Gating),
        // Straight from `rebased` where the project has no gate.
        Step::PushIntended => matches!(from, Step::GateGreen | Step::Rebased),
        Step::Pushed => !before && from != Step::Recorded,
        Step::Unknown(_) => false,
    }
}

fn lifecycle_at(step: &WorkerStep) -> WorkerLifecycle {
    use WorkerStep as Step;

    match step {
        Step::Claimed
        | Step::WorkspaceReady
        | Step::SpawnIntended
        | Step::Working
        | Step::Unknown(_) => WorkerLifecycle::Running,
        Step::Recorded => WorkerLifecycle::Completed,
        Step::Committed
        | Step::Waiting
        | Step::Rebased
        | Step::Resolving
        | Step::Gating
        | Step::GateGreen
        | Step::Fixing
        | Step::PushIntended
        | Step::Pushed => WorkerLifecycle::Integrating,
    }
}

impl WorkerRecord {
    /// Takes the worker to where [`transition`] says. Times, reasons and commits are for the caller
    /// to set.
    pub fn apply(&mut self, event: &WorkerEvent) -> Result<(), Refused> {
        let (lifecycle, step) = transition(self, event)?;
        self.lifecycle = lifecycle;
        self.step = step;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const STEPS: [WorkerStep; 14] = [
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

    fn fresh() -> WorkerRecord {
        WorkerRecord::new("RQ-1", "/w/RQ-1".into(), "2026-04-22T18:03:14Z".to_owned())
    }

    fn at(lifecycle: WorkerLifecycle, step: Option<WorkerStep>, committed: bool) -> WorkerRecord {
        let mut record = fresh();
        record.lifecycle = lifecycle;
        record.step = step;
        record.work_commit = committed.then(|| "1".repeat(40));
        record
    }

    fn events() -> Vec<WorkerEvent> {
        let ends = [
            WorkerEvent::Failed,
            WorkerEvent::Blocked,
            WorkerEvent::Superseded,
            WorkerEvent::Restarted,
            WorkerEvent::Reopened,
        ];
        let unknown = WorkerStep::Unknown("flying".to_owned());
        STEPS.into_iter().chain([unknown]).map(WorkerEvent::Reached).chain(ends).collect()
    }

    fn walk(steps: &[WorkerStep]) -> Result<WorkerRecord, Refused> {
        let mut record = at(WorkerLifecycle::Running, Some(WorkerStep::Claimed), true);
        for step in steps {
            record.apply(&WorkerEvent::Reached(step.clone()))?;
        }
        Ok(record)
    }

    #[test]
    fn a_life_with_a_conflict_a_red_gate_and_a_lost_race() {
        use WorkerStep::{
            Committed, Fixing, GateGreen, Gating, PushIntended, Pushed, Rebased, Recorded,
            Resolving, SpawnIntended, Waiting, Working, WorkspaceReady,
        };
        let life = [
            WorkspaceReady,
            SpawnIntended,
            Working,
            SpawnIntended,
            Working,
            Committed,
            Waiting,
            Resolving,
            Resolving,
            Committed,
            Waiting,
            Rebased,
            Gating,
            Gating,
            Fixing,
            Fixing,
            Committed,
            Waiting,
            Rebased,
            Gating,
            GateGreen,
            PushIntended,
            Waiting,
            Rebased,
            GateGreen,
            PushIntended,
            Pushed,
            Recorded,
        ];
        assert_eq!(walk(&life).unwrap().lifecycle, WorkerLifecycle::Completed);
    }

    #[test]
    fn nothing_is_pushed_before_its_gate_has_ended() {
        let error = walk(&[
            WorkerStep::WorkspaceReady,
            WorkerStep::SpawnIntended,
            WorkerStep::Working,
            WorkerStep::Committed,
            WorkerStep::Waiting,
            WorkerStep::Rebased,
            WorkerStep::Gating,
            WorkerStep::PushIntended,
        ])
        .unwrap_err();
        assert_eq!(error.to_string(), "`push_intended` does not follow `gating`");
    }

    #[test]
    fn records_of_0_4_0_have_no_step() {
        let mut record = fresh();
        record.apply(&WorkerEvent::Reached(WorkerStep::WorkspaceReady)).unwrap();
        let mut record = fresh();
        record.start_integration();
        record.apply(&WorkerEvent::Reached(WorkerStep::Waiting)).unwrap();
    }

    /// Every record with every event: an answer, that keeps the rules.
    #[test]
    fn the_table_is_total() {
        let lives = ["running", "integrating", "completed", "failed", "blocked_push", "paused"];
        let steps = STEPS.into_iter().chain([WorkerStep::Unknown("flying".to_owned())]).map(Some);
        let mut reached = BTreeSet::new();
        for step in steps.chain([None]) {
            for life in lives {
                for committed in [false, true] {
                    let record = at(life.to_owned().into(), step.clone(), committed);
                    for event in events() {
                        let mut after = record.clone();
                        let outcome = after.apply(&event);
                        if outcome.is_err() {
                            assert_eq!(after, record, "a refusal changes nothing");
                            continue;
                        }
                        assert_ne!(record.lifecycle, WorkerLifecycle::Completed, "{event:?}");
                        let known = |record: &WorkerRecord| {
                            !matches!(record.lifecycle, WorkerLifecycle::Unknown(_))
                                && !matches!(record.step, Some(WorkerStep::Unknown(_)))
                        };
                        let decided =
                            matches!(event, WorkerEvent::Restarted | WorkerEvent::Reopened);
                        assert!((decided || known(&record)) && known(&after), "{event:?}");
                        if after.lifecycle == WorkerLifecycle::Completed {
                            let recorded = after.step == Some(WorkerStep::Recorded);
                            assert!(recorded || event == WorkerEvent::Superseded, "{event:?}");
                        }
                        if let WorkerEvent::Reached(step) = &event {
                            assert_eq!(after.step.as_ref(), Some(step));
                            assert!(!record.is_terminal());
                        }
                        reached.extend(after.step.map(|step| step.as_str().to_owned()));
                    }
                }
            }
        }
        assert_eq!(reached.len(), STEPS.len(), "every step can be reached");
    }

    #[test]
    fn ends_and_new_starts() {
        let mut record = at(WorkerLifecycle::Integrating, Some(WorkerStep::Gating), false);
        record.apply(&WorkerEvent::Blocked).unwrap();
        assert_eq!(
            record.apply(&WorkerEvent::Failed),
            Err(Refused::Over { lifecycle: WorkerLifecycle::BlockedPush })
        );
        assert_eq!(record.apply(&WorkerEvent::Reopened), Err(Refused::NothingCommitted));
        record.work_commit = Some("1".repeat(40));
        record.apply(&WorkerEvent::Reopened).unwrap();
        assert_eq!(record.lifecycle, WorkerLifecycle::Integrating);
        record.apply(&WorkerEvent::Restarted).unwrap();
        assert_eq!(
            (record.lifecycle, record.step),
            (WorkerLifecycle::Running, Some(WorkerStep::Claimed))
        );
    }
}
