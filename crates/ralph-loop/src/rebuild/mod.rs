//! A state file that is lost or damaged, made again from what the world shows.
//!
//! [`survey`] looks, [`plan`] decides and is pure, [`apply`] keeps the old bytes and puts the new
//! state in place. No task that a living worker has is offered again, no committed work is done
//! again, and what only a damaged record knew is named.

mod survey;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use ralph_git::Sha;
use ralph_state::document::DecodeError;
use ralph_state::file::Saved;
use ralph_state::parallel::Salvaged;
use ralph_state::{
    ParallelStateFile, ProcessIdentity, Store, TaskId, Timestamp, UpdateError, WorkerLifecycle,
    WorkerRecord, WorkerStep,
};

pub use survey::{Site, SurveyError, TaskWorkspace, survey, workspaces};

use crate::{recover, worker};

/// What was found of parallel runs, in the state file and outside of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Survey {
    /// What can be read of the state file; `None` when there is no file or nothing of it.
    pub salvaged: Option<Salvaged>,
    /// Why nothing of it can be read.
    pub unreadable: Option<DecodeError>,
    /// The branch that work lands on.
    pub target: String,
    /// Where workspaces are.
    pub workspace_root: PathBuf,
    /// What was found of each task, by id.
    pub traces: BTreeMap<String, Trace>,
}

/// What was found of one task, outside of the state file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trace {
    /// Its worker, while that holds the worker lock.
    pub worker: Option<Living>,
    /// The claim of its newest worker.
    pub claim: Option<String>,
    /// How many turns an agent had under that claim.
    pub turns: u32,
    /// What the queue says.
    pub queue: Queued,
    /// The commit on the target that has its trailer.
    pub landed: Option<Landed>,
    /// Its workspace.
    pub workspace: Option<Place>,
    /// Its newest finished work under a rescue ref.
    pub rescued: Option<Rescued>,
}

/// A worker that lives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Living {
    /// Its process, where that can be told.
    pub process: Option<ProcessIdentity>,
    /// Whether its gate runs.
    pub gating: bool,
}

/// What the queue says about a task.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Queued {
    /// It is to be done; changed then, if the file says so.
    Open {
        /// When it was changed last.
        updated_at: Option<Timestamp>,
    },
    /// It is done or rejected.
    Finished,
    /// It is in neither file.
    #[default]
    Absent,
}

/// Work on the target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Landed {
    /// The commit.
    pub commit: Sha,
    /// When it was made.
    pub when: Timestamp,
}

/// A workspace on the disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Where.
    pub path: PathBuf,
    /// Whether a rebase has stopped in it, for an agent to resolve.
    pub conflict: bool,
    /// The committed work in it that is not on the target.
    pub work: Option<Work>,
}

/// Committed work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Work {
    /// The commit.
    pub commit: Sha,
    /// The commit it stands on.
    pub base: Sha,
    /// The claim it was made under.
    pub claim: String,
    /// Whether the workspace holds nothing besides.
    pub settled: bool,
}

/// Finished work under a rescue ref.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rescued {
    /// The ref.
    pub name: String,
    /// The work.
    pub work: Work,
}

/// Where a record of the new state comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The state file; it is as it was.
    File,
    /// A record of an older version in the state file.
    Legacy,
    /// A living worker: the next run waits for it.
    Worker,
    /// A commit on the target: the task is done.
    Target,
    /// A commit in a workspace: the next run lands it, without an agent.
    Commit,
    /// A workspace without a commit: the next run keeps what is in it and starts the task again.
    Workspace,
    /// A rescue ref: `ralph run parallel retry` lands it.
    Rescue,
    /// Work on a task that is not open any more: it is kept, or the next run keeps it.
    Ended,
}

/// A record of the new state.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The record.
    pub record: WorkerRecord,
    /// Where it comes from.
    pub origin: Origin,
}

/// The state that is to be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// Everything but the records.
    pub frame: ParallelStateFile,
    /// The records, those of the file first.
    pub entries: Vec<Entry>,
    /// Tasks whose record cannot be read and of which nothing else was found: an open one is
    /// offered again.
    pub forgotten: Vec<String>,
}

impl Plan {
    /// The whole new state.
    pub fn state(&self) -> ParallelStateFile {
        let mut state = self.frame.clone();
        state.workers = self.entries.iter().map(|entry| entry.record.clone()).collect();
        let next = state.workers.iter().filter_map(|record| record.ticket).max();
        state.next_ticket = state.next_ticket.max(next.map(|ticket| ticket + 1));
        state
    }

    /// Whether a file that can be used would change.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(|entry| entry.origin == Origin::File)
    }
}

/// What [`apply`] did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Applied {
    /// Where the bytes are that could not be used; `None` when the file could be used.
    pub aside: Option<PathBuf>,
    /// What became of the save.
    pub saved: Saved,
}

/// The state that `survey` leads to.
///
/// Total: whatever was found gives a plan. A record that can be read is believed, unless the world
/// has got further than it says.
pub fn plan(survey: &Survey, now: Timestamp) -> Plan {
    let mut frame = ParallelStateFile::new(now.to_string(), survey.target.clone());
    let mut known: Vec<(Origin, WorkerRecord)> = Vec::new();
    let mut bad = BTreeSet::new();
    if let Some(salvaged) = &survey.salvaged {
        let state = &salvaged.state;
        if !state.started_at.is_empty() {
            frame.started_at.clone_from(&state.started_at);
        }
        frame.gates.clone_from(&state.gates);
        frame.next_ticket = state.next_ticket;
        frame.spending.clone_from(&state.spending);
        frame.extra.clone_from(&state.extra);
        known.extend(state.workers.iter().map(|record| (Origin::File, record.clone())));
        let legacy = ralph_state::legacy_work(&salvaged.report);
        for record in ralph_state::adopt_legacy(&legacy, now) {
            if !state.has_worker(&record.task_id) {
                known.push((Origin::Legacy, record));
            }
        }
        bad.extend(salvaged.bad.iter().filter_map(|part| part.task_id.clone()));
    }
    let nothing = Trace::default();
    let mut entries = Vec::new();
    for (origin, record) in &known {
        let trace = survey.traces.get(&record.task_id).unwrap_or(&nothing);
        entries.push(believed(*origin, record, trace));
    }
    for (task, trace) in &survey.traces {
        if !known.iter().any(|(_, record)| record.task_id == *task) {
            entries.extend(found(task, trace, &survey.workspace_root, now));
        }
    }
    let has_entry = |task: &String| entries.iter().any(|entry| entry.record.task_id == *task);
    let forgotten = bad.into_iter().filter(|task| !has_entry(task)).collect();
    Plan { frame, entries, forgotten }
}

/// A record that can be read, brought up to what the world shows.
fn believed(origin: Origin, record: &WorkerRecord, trace: &Trace) -> Entry {
    let mut record = record.clone();
    let is_unfinished =
        matches!(record.lifecycle, WorkerLifecycle::Running | WorkerLifecycle::Integrating);
    if !is_unfinished || trace.worker.is_some() {
        return Entry { record, origin };
    }
    if let Some(landed) = still_landed(trace) {
        land(&mut record, landed);
        return Entry { record, origin: Origin::Target };
    }
    let work = trace.workspace.as_ref().and_then(|place| place.work.as_ref());
    if let (false, Some(work)) = (recover::has_committed_work(&record), work)
        && record.attempt_id.as_ref() == Some(&work.claim)
    {
        commit(&mut record, work);
        return Entry { record, origin: Origin::Commit };
    }
    Entry { record, origin }
}

/// A record for a task that has none which can be read.
fn found(task: &str, trace: &Trace, root: &Path, now: Timestamp) -> Option<Entry> {
    task.parse::<TaskId>().ok()?;
    let place = trace.workspace.as_ref();
    let path = place.map_or_else(|| root.join(task), |place| place.path.clone());
    let mut record = WorkerRecord::new(task, path, now.to_string());
    record.branch = Some(format!("ralph/{task}"));
    record.attempt = Some(1);
    record.attempt_id.clone_from(&trace.claim);
    record.agent_turns = (trace.turns > 0).then_some(trace.turns);
    let work = place.and_then(|place| place.work.as_ref());
    let is_open = matches!(trace.queue, Queued::Open { .. });
    let origin = if let Some(living) = &trace.worker {
        record.worker.clone_from(&living.process);
        // It goes on from its record: with what it has committed, and at a step that its next one
        // may follow.
        let begun = if trace.turns > 0 { WorkerStep::Working } else { WorkerStep::Claimed };
        record.step = Some(begun);
        if let Some(work) = work.filter(|work| Some(&work.claim) == trace.claim.as_ref()) {
            commit(&mut record, work);
            record.step = Some(match living {
                Living { gating: true, .. } => WorkerStep::Gating,
                _ if place.is_some_and(|place| place.conflict) => WorkerStep::Resolving,
                _ => WorkerStep::Fixing,
            });
        }
        Origin::Worker
    } else if let Some(landed) = still_landed(trace) {
        if !is_open && place.is_none() {
            return None;
        }
        land(&mut record, landed);
        Origin::Target
    } else if let Some(work) = work {
        commit(&mut record, work);
        // Finished work gets a rescue ref when its worker gives it up.
        let kept = trace.rescued.as_ref().filter(|kept| kept.work.claim == work.claim);
        record.rescue_ref = kept.map(|kept| kept.name.clone());
        match (is_open, kept) {
            (true, None) => Origin::Commit,
            (true, Some(_)) => {
                record.mark_blocked(now.to_string(), LOST);
                Origin::Rescue
            }
            (false, None) => Origin::Ended,
            (false, Some(_)) => {
                let reason = "it was ended while it was worked on";
                worker::drop_task(&mut record, now.to_string(), reason);
                Origin::Ended
            }
        }
    } else if place.is_some() {
        record.step = Some(WorkerStep::Working);
        // No attempt is used up by a file that was lost.
        record.interrupted = Some(true);
        if is_open { Origin::Workspace } else { Origin::Ended }
    } else if let (true, None, Some(rescued)) = (is_open, &trace.landed, &trace.rescued) {
        commit(&mut record, &rescued.work);
        record.rescue_ref = Some(rescued.name.clone());
        record.mark_blocked(now.to_string(), LOST);
        Origin::Rescue
    } else {
        return None;
    };
    Some(Entry { record, origin })
}

/// Why work is blocked of which only its rescue ref tells.
const LOST: &str = "its record was lost, and why it did not land; its work is kept";

/// The landing of a task that was not opened again since.
fn still_landed(trace: &Trace) -> Option<&Landed> {
    let landed = trace.landed.as_ref()?;
    match trace.queue {
        Queued::Open { updated_at: Some(changed) } if changed > landed.when => None,
        _ => Some(landed),
    }
}

fn land(record: &mut WorkerRecord, landed: &Landed) {
    record.step = Some(WorkerStep::Recorded);
    record.landed_commit = Some(landed.commit.to_string());
    record.last_error = None;
    record.agent = None;
    record.mark_completed(landed.when.to_string());
}

fn commit(record: &mut WorkerRecord, work: &Work) {
    record.lifecycle = WorkerLifecycle::Integrating;
    record.attempt_id = Some(work.claim.clone());
    record.work_commit = Some(work.commit.to_string());
    record.base_commit = Some(work.base.to_string());
    // What stands beside the commit is an edit of a turn that was to mend something; a worker
    // that finds this step keeps it first.
    record.step = Some(if work.settled { WorkerStep::Committed } else { WorkerStep::Fixing });
}

/// Puts the planned state in place. The bytes of a file that cannot be used are kept beside it
/// first, durably; in a file that can be used only what the plan adds is changed.
///
/// A crash leaves the old file or the new one.
///
/// # Errors
/// When the file cannot be written, or is of a newer version. It is as it was then.
pub fn apply(
    store: &Store<ParallelStateFile>,
    plan: &Plan,
) -> Result<Applied, UpdateError<Infallible>> {
    let rebuilt = store.rebuild(|_| Ok::<_, Infallible>(plan.state()))?;
    if let Some(rebuilt) = rebuilt {
        return Ok(Applied { aside: Some(rebuilt.aside), saved: rebuilt.saved });
    }
    let updated = store.update(|state| {
        if state.target_branch.is_empty() {
            state.target_branch.clone_from(&plan.frame.target_branch);
        }
        if state.started_at.is_empty() {
            state.started_at.clone_from(&plan.frame.started_at);
        }
        for Entry { record, origin } in &plan.entries {
            let now = state.get_worker(&record.task_id);
            // A worker that took the task meanwhile knows better.
            let is_ours = now.is_none_or(|now| now.attempt_id == record.attempt_id);
            if *origin != Origin::File && is_ours {
                state.upsert_worker(record.clone());
            }
        }
        Ok::<_, Infallible>(())
    })?;
    Ok(Applied { aside: None, saved: updated.saved })
}

#[cfg(test)]
mod tests {
    use ralph_state::parallel::{WorkerEvent, transition};

    use super::*;

    const NOW: &str = "2026-02-01T00:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().expect("a time")
    }

    fn sha(digit: &str) -> Sha {
        digit.repeat(40).parse().expect("a commit")
    }

    fn work(settled: bool) -> Work {
        Work { commit: sha("a"), base: sha("b"), claim: "c1".to_owned(), settled }
    }

    fn place(work: Option<Work>) -> Place {
        Place { path: "/w/RQ-1".into(), conflict: false, work }
    }

    fn landed() -> Landed {
        Landed { commit: sha("d"), when: "2026-01-15T00:00:00Z".parse().expect("a time") }
    }

    fn open(updated_at: &str) -> Queued {
        Queued::Open { updated_at: updated_at.parse().ok() }
    }

    fn living() -> Living {
        Living { process: None, gating: false }
    }

    /// The one record that a trace leads to, without a state file.
    fn decide(trace: Trace) -> Option<(Origin, WorkerRecord)> {
        let survey = Survey {
            salvaged: None,
            unreadable: None,
            target: "main".to_owned(),
            workspace_root: "/w".into(),
            traces: BTreeMap::from([("RQ-1".to_owned(), trace)]),
        };
        let mut plan = plan(&survey, now());
        assert!(plan.entries.len() < 2);
        plan.entries.pop().map(|entry| (entry.origin, entry.record))
    }

    #[test]
    fn a_living_worker_comes_before_everything_else() {
        let trace = Trace {
            worker: Some(living()),
            claim: Some("c1".to_owned()),
            turns: 2,
            landed: Some(landed()),
            workspace: Some(place(Some(work(true)))),
            ..Trace::default()
        };
        let (origin, record) = decide(trace).expect("a record");
        assert_eq!(origin, Origin::Worker);
        assert!(!record.is_terminal());
        assert_eq!((record.attempt_id.as_deref(), record.agent_turns), (Some("c1"), Some(2)));
        assert_eq!(record.work_commit, Some("a".repeat(40)), "it goes on from its commit");
    }

    /// Whatever a living worker may be doing, what it records next is not refused.
    #[test]
    fn a_living_worker_can_go_on_from_where_it_is_put() {
        use WorkerStep::{Committed, Fixing, GateGreen, Resolving, SpawnIntended, Waiting};

        let trace = |turns, gating, conflict, work| Trace {
            worker: Some(Living { process: None, gating }),
            claim: Some("c1".to_owned()),
            turns,
            workspace: Some(Place { conflict, ..place(work) }),
            ..Trace::default()
        };
        let cases = [
            (trace(0, false, false, None), vec![WorkerStep::WorkspaceReady]),
            (trace(1, false, false, None), vec![SpawnIntended, WorkerStep::Working, Committed]),
            (trace(1, true, false, Some(work(true))), vec![GateGreen, Fixing, Waiting]),
            (trace(2, false, false, Some(work(true))), vec![Fixing, Committed, Waiting]),
            (trace(2, false, true, Some(work(false))), vec![Resolving, Committed, Waiting]),
        ];
        for (trace, next) in cases {
            let (_, record) = decide(trace).expect("a record");
            for step in next {
                let reached = WorkerEvent::Reached(step.clone());
                assert!(transition(&record, &reached).is_ok(), "{:?} {step:?}", record.step);
            }
        }
    }

    #[test]
    fn a_living_worker_is_not_given_the_commit_of_another_claim() {
        let trace = Trace {
            worker: Some(living()),
            claim: Some("c2".to_owned()),
            workspace: Some(place(Some(work(true)))),
            ..Trace::default()
        };
        let (_, record) = decide(trace).expect("a record");
        assert_eq!((record.attempt_id.as_deref(), record.work_commit), (Some("c2"), None));
    }

    #[test]
    fn what_the_target_holds_is_done_unless_it_was_opened_again() {
        let trace = |queue| Trace { queue, landed: Some(landed()), ..Trace::default() };
        let (origin, record) = decide(trace(open("2026-01-01T00:00:00Z"))).expect("a record");
        assert_eq!((origin, record.lifecycle), (Origin::Target, WorkerLifecycle::Completed));
        assert_eq!(record.completed_at.as_deref(), Some("2026-01-15T00:00:00.000000000Z"));
        assert_eq!(decide(trace(open("2026-01-20T00:00:00Z"))), None);
        assert_eq!(decide(trace(Queued::Finished)), None, "the queue knows it");
    }

    #[test]
    fn committed_work_is_landed_and_an_edit_beside_it_is_kept_first() {
        for (settled, step) in [(true, WorkerStep::Committed), (false, WorkerStep::Fixing)] {
            let workspace = Some(place(Some(work(settled))));
            let trace = Trace { queue: open(""), workspace, ..Trace::default() };
            let (origin, record) = decide(trace).expect("a record");
            assert_eq!((origin, record.step.clone()), (Origin::Commit, Some(step)));
            assert!(recover::has_committed_work(&record));
        }
    }

    #[test]
    fn a_workspace_without_a_commit_is_a_task_to_start_again_at_no_cost() {
        let trace = Trace { queue: open(""), workspace: Some(place(None)), ..Trace::default() };
        let (origin, record) = decide(trace).expect("a record");
        assert_eq!(origin, Origin::Workspace);
        assert!(!record.is_terminal() && !recover::died_working(&record));
    }

    #[test]
    fn finished_work_under_a_rescue_ref_waits_for_the_user() {
        let rescued =
            Some(Rescued { name: "refs/ralph/rescue/RQ-1/1".to_owned(), work: work(true) });
        let trace = Trace { queue: open(""), rescued: rescued.clone(), ..Trace::default() };
        let (origin, record) = decide(trace).expect("a record");
        assert_eq!(
            (origin, record.lifecycle.clone()),
            (Origin::Rescue, WorkerLifecycle::BlockedPush)
        );
        assert!(recover::has_committed_work(&record), "`retry` lands it");
        let done = Trace { queue: Queued::Finished, rescued, ..Trace::default() };
        assert_eq!(decide(done), None);
    }

    /// A worker that gives finished work up keeps it first; nothing is spent on that again unasked.
    #[test]
    fn work_that_did_not_land_is_not_landed_by_the_next_run() {
        use WorkerLifecycle::{BlockedPush, Completed, Integrating};

        let rescued = |claim: &str| {
            let work = Work { claim: claim.to_owned(), ..work(true) };
            Some(Rescued { name: "refs/ralph/rescue/RQ-1/1".to_owned(), work })
        };
        let decide = |queue, claim| {
            let workspace = Some(place(Some(work(true))));
            let trace = Trace { queue, workspace, rescued: rescued(claim), ..Trace::default() };
            let (origin, record) = decide(trace).expect("a record");
            (origin, record.lifecycle.clone(), record.rescue_ref.is_some())
        };
        assert_eq!(decide(open(""), "c1"), (Origin::Rescue, BlockedPush, true));
        assert_eq!(decide(open(""), "c0"), (Origin::Commit, Integrating, false), "an earlier one");
        assert_eq!(decide(Queued::Finished, "c1"), (Origin::Ended, Completed, true));
        // The next run keeps it, since nobody wants it landed.
        assert_eq!(decide(Queued::Finished, "c0"), (Origin::Ended, Integrating, false));
    }

    #[test]
    fn a_task_without_a_trace_has_no_record() {
        assert_eq!(decide(Trace { queue: open(""), ..Trace::default() }), None);
    }

    fn salvaged(records: Vec<WorkerRecord>, text_of_bad: &str) -> Salvaged {
        let mut state = ParallelStateFile::new("2026-01-01T00:00:00Z", "trunk");
        state.workers = records;
        let text = String::from_utf8(ralph_state::document::encode(&state).expect("JSON"));
        let text = text.expect("UTF-8").replacen("\"workers\": [", text_of_bad, 1);
        ralph_state::parallel::salvage(text.as_bytes()).expect("mostly readable")
    }

    #[test]
    fn records_that_can_be_read_stay_and_those_that_cannot_are_named() {
        let mut failed = WorkerRecord::new("RQ-1", "/w/RQ-1".into(), String::new());
        failed.mark_failed(String::new(), "no");
        let bad = "\"workers\": [{\"task_id\": \"RQ-7\", \"workspace_path\": 7},";
        let survey = Survey {
            salvaged: Some(salvaged(vec![failed.clone()], bad)),
            unreadable: None,
            target: "trunk".to_owned(),
            workspace_root: "/w".into(),
            traces: BTreeMap::from([(
                "RQ-1".to_owned(),
                Trace { workspace: Some(place(Some(work(true)))), ..Trace::default() },
            )]),
        };
        let plan = plan(&survey, now());
        assert_eq!(plan.entries, [Entry { record: failed, origin: Origin::File }]);
        assert_eq!(plan.forgotten, ["RQ-7"]);
        assert!(plan.is_empty());
        assert_eq!(plan.state().started_at, "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_record_is_brought_up_to_the_commit_of_its_own_claim() {
        for (claim, origin) in [("c1", Origin::Commit), ("c2", Origin::File)] {
            let mut record = WorkerRecord::new("RQ-1", "/w/RQ-1".into(), String::new());
            record.attempt_id = Some(claim.to_owned());
            record.step = Some(WorkerStep::Working);
            let trace = Trace { workspace: Some(place(Some(work(true)))), ..Trace::default() };
            assert_eq!(believed(Origin::File, &record, &trace).origin, origin);
        }
    }
}
