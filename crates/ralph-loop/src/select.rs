//! Which tasks may be started, given what the state file knows: a pure decision.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use ralph_git::Sha;
use ralph_queue::runnability::{DoingFirst, Reason, Report, TaskReport, UnmetDependency};
use ralph_queue::{Queue, Selection, Status, Task, lease};
use ralph_state::{ParallelStateFile, TaskId, Timestamp, WorkerLifecycle, WorkerRecord};

use crate::project::Project;
use crate::worker::{Held, is_at_task_limit, is_dropped, is_opened_again};
use crate::{living, own, recover};

/// What the records of parallel runs, living workers and claims mean for choosing the next task.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// Not to be started, and why: worked on, kept for the user, or finished.
    pub exclude: BTreeMap<TaskId, Reason>,
    /// Landed, though the queue here may not show it yet.
    pub done: BTreeSet<TaskId>,
    /// Worked on, though the state file has no record of it.
    pub unrecorded: BTreeSet<TaskId>,
}

impl Standing {
    /// Leaves alone what somebody claimed with `ralph queue claim`, and counts what was finished
    /// under such a claim, in any work tree.
    pub fn heed(&mut self, leases: lease::Standing) {
        self.exclude.extend(leases.held);
        self.exclude.extend(leases.ended);
        self.done.extend(leases.done);
    }

    /// What a run chooses its next task by.
    pub(crate) fn selection(&self, project: &Project) -> Selection<'_> {
        Selection {
            now: project.now(),
            drafts: project.options.drafts,
            doing: DoingFirst::Prefer,
            exclude: &self.exclude,
            regard_as_done: &self.done,
        }
    }

    /// Leaves alone what a worker of this run found to be opened again before the target knows it.
    pub(crate) fn heed_opened_again(&mut self, record: &WorkerRecord) {
        if is_opened_again(record)
            && let Ok(task) = record.task_id.parse()
        {
            self.exclude.insert(task, DONE);
        }
    }

    /// Leaves alone what has landed though the queue has it open, and counts it as done.
    pub fn heed_landed(&mut self, landed: BTreeMap<TaskId, Sha>) {
        for (task, commit) in landed {
            // A record knows better what it waits for.
            if let Entry::Vacant(slot) = self.exclude.entry(task.clone()) {
                slot.insert(Reason::Landed { commit: commit.to_string() });
                self.done.insert(task);
            }
        }
    }

    /// The open tasks that somebody has or left, and how, and those that cannot be told apart.
    pub fn taken(&self, queue: &Queue) -> BTreeMap<TaskId, Reason> {
        let is_open = |id: &TaskId| {
            queue.find(id.as_str()).is_some_and(|(_, task)| !task.status.is_terminal())
        };
        let taken = self.exclude.iter().filter(|(id, reason)| reason.is_taken() && is_open(id));
        let taken = taken.map(|(id, reason)| (id.clone(), reason.clone()));
        taken.chain(queue.ambiguous().into_iter().map(|id| (id, Reason::AmbiguousId))).collect()
    }
}

const DONE: Reason = Reason::StatusNotRunnable { status: Status::Done };

/// The standing of every task that has a record, or that a worker of `living` has.
///
/// A task that the user changed after its record ended (set back to `todo`,
/// edited) is an ordinary task again, unless finished work is kept for it.
pub fn standing(state: &ParallelStateFile, queue: &Queue, living: &BTreeSet<TaskId>) -> Standing {
    let mut standing =
        Standing { unrecorded: living::unrecorded(living, state), ..Standing::default() };
    for record in &state.workers {
        let Ok(id) = record.task_id.parse::<TaskId>() else { continue };
        let task = own::find(record, queue);
        let is_changed = task.is_some_and(|task| changed_since(task, record));
        let reason = match record.lifecycle {
            WorkerLifecycle::Completed
                if is_changed || is_opened_again(record) || is_dropped(record) =>
            {
                continue;
            }
            WorkerLifecycle::Completed => {
                let id = task.map_or(id, |task| task.id.clone());
                // What has the id now may be another task.
                if task.is_some() || queue.find(id.as_str()).is_none() {
                    standing.done.insert(id.clone());
                    let landed = record.landed_commit.clone();
                    let reason = landed.map_or(DONE, |commit| Reason::Landed { commit });
                    standing.exclude.insert(id, reason);
                }
                continue;
            }
            WorkerLifecycle::Failed if is_changed && !recover::has_committed_work(record) => {
                continue;
            }
            _ => kept(record, living.contains(&id)),
        };
        if let Some(task) = task.filter(|task| task.id != id) {
            standing.exclude.insert(task.id.clone(), reason.clone());
        }
        standing.exclude.insert(id, reason);
    }
    for task in living {
        standing.exclude.entry(task.clone()).or_insert(Reason::Underway);
    }
    standing
}

/// Why nobody else may begin the task of a record that has not landed.
pub fn kept(record: &WorkerRecord, is_alive: bool) -> Reason {
    let error = record.last_error.clone();
    match record.lifecycle {
        _ if is_alive => Reason::Underway,
        WorkerLifecycle::Failed if is_at_task_limit(record) => Reason::TaskLimit { error },
        WorkerLifecycle::Failed => Reason::Failed { error },
        WorkerLifecycle::BlockedPush => Reason::Unlanded { error },
        _ => match recover::stuck(record) {
            Some(stuck) => Reason::Failed { error: Some(stuck.to_string()) },
            None => Reason::Begun { error: error.filter(|_| Held::of(record).is_some()) },
        },
    }
}

/// What a parallel run with so many workers would do, as things stand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Forecast<'q> {
    /// Begun by an earlier run: goes on before anything else starts.
    pub goes_on: Vec<&'q Task>,
    /// Starts at once, in this order.
    pub starts: Vec<&'q Task>,
    /// Follows when there is room, or when what it waits for has landed.
    pub follows: Vec<(&'q Task, Vec<Reason>)>,
    /// Does not start in this run, unless something else changes.
    pub waits: Vec<(&'q Task, Vec<Reason>)>,
}

/// Who would do the work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hands<'s> {
    /// So many workers at a time, which also go on with what earlier ones began.
    Workers(usize),
    /// One agent in the checkout, which leaves alone what workers began.
    Checkout {
        /// The task of the session that is open, which comes first.
        session: Option<&'s str>,
    },
}

/// Foresees what `run loop` would do with the open tasks of `queue`, of which at most `max_tasks`
/// begin. Every task is expected to land.
pub fn forecast<'q>(
    queue: &'q Queue,
    report: &Report,
    hands: Hands<'_>,
    max_tasks: Option<usize>,
) -> Forecast<'q> {
    let mut forecast = Forecast::default();
    let mut candidates = Vec::new();
    // What is `doing` comes first, as when a run chooses.
    let rows = || queue.tasks().zip(&report.tasks).filter(|(task, _)| !task.status.is_terminal());
    let is_doing = |task: &Task| task.status == Status::Doing;
    let doing_first = rows().filter(|(task, _)| is_doing(task));
    for (task, row) in doing_first.chain(rows().filter(|(task, _)| !is_doing(task))) {
        let is_begun = |reason: &Reason| matches!(reason, Reason::Begun { .. } | Reason::Underway);
        let goes_on = match hands {
            Hands::Workers(_) => row.reasons.iter().any(is_begun),
            Hands::Checkout { session } => session == Some(task.id.as_str()),
        };
        if goes_on {
            forecast.goes_on.push(task);
        } else if row.runnable || (is_doing(task) && !row.reasons.iter().any(Reason::is_taken)) {
            candidates.push(task);
        }
    }
    let workers = match hands {
        Hands::Workers(workers) => workers,
        Hands::Checkout { .. } => 1,
    };
    let room = workers.saturating_sub(forecast.goes_on.len());
    let limit = match (max_tasks, hands) {
        (None, _) => usize::MAX,
        (Some(most), Hands::Workers(_)) => most,
        // What a session goes on with counts as well.
        (Some(most), Hands::Checkout { .. }) => most.saturating_sub(forecast.goes_on.len()),
    };
    let mut coming: BTreeSet<&str> =
        forecast.goes_on.iter().chain(&candidates).map(|task| task.id.as_str()).collect();
    forecast.starts.extend(candidates.iter().take(room.min(limit)));
    let is_known = |forecast: &Forecast<'_>, task: &Task| {
        let mut known = forecast.goes_on.iter().chain(&forecast.starts);
        known.any(|known| known.id == task.id)
    };
    let mut rest: Vec<_> = rows().filter(|(task, _)| !is_known(&forecast, task)).collect();
    spread(&rest, &mut coming);
    let mut begun = forecast.starts.len();
    for (task, row) in rest.drain(..) {
        let reasons =
            if row.reasons.is_empty() { vec![Reason::NoRoom] } else { row.reasons.clone() };
        if coming.contains(task.id.as_str()) && begun < limit {
            begun += 1;
            forecast.follows.push((task, reasons));
        } else {
            forecast.waits.push((task, reasons));
        }
    }
    forecast
}

/// Adds the tasks that wait for nothing but what comes; each may be what another waits for.
fn spread<'q>(rest: &[(&'q Task, &'q TaskReport)], coming: &mut BTreeSet<&'q str>) {
    let mut missing = vec![0_usize; rest.len()];
    let mut waiting: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut ready = Vec::new();
    for (index, (_, row)) in rest.iter().enumerate() {
        let Some(mut awaited) = awaited(&row.reasons) else { continue };
        awaited.retain(|id| !coming.contains(id));
        missing[index] = awaited.len();
        if awaited.is_empty() {
            ready.push(index);
        }
        for id in awaited {
            waiting.entry(id).or_default().push(index);
        }
    }
    while let Some(index) = ready.pop() {
        let id = rest[index].0.id.as_str();
        coming.insert(id);
        for follower in waiting.remove(id).unwrap_or_default() {
            missing[follower] -= 1;
            if missing[follower] == 0 {
                ready.push(follower);
            }
        }
    }
}

/// The tasks that have to be complete first; `None` when something else is in the way, too.
fn awaited(reasons: &[Reason]) -> Option<Vec<&str>> {
    let mut awaited = Vec::new();
    for reason in reasons {
        let Reason::UnmetDependencies { dependencies } = reason else { return None };
        for dependency in dependencies {
            let UnmetDependency::NotComplete { id, .. } = dependency else { return None };
            awaited.push(id.as_str());
        }
    }
    Some(awaited)
}

/// Whether a finished record says nothing any more that the queue does not.
pub fn is_spent(record: &WorkerRecord, queue: &Queue) -> bool {
    if record.lifecycle != WorkerLifecycle::Completed {
        return false;
    }
    match own::find(record, queue) {
        None => true,
        Some(task) => {
            task.status.is_terminal()
                || changed_since(task, record)
                || is_opened_again(record)
                || is_dropped(record)
        }
    }
}

/// The field of a record with the time of the last change that its task had when it was claimed.
const CHANGED: &str = "task_changed";

/// Notes when `task` was changed last, as it is claimed.
pub(crate) fn remember_change(record: &mut WorkerRecord, task: &Task) {
    if let Some(changed) = &task.updated_at {
        record.extra.set(CHANGED, changed.as_str());
    }
}

/// Whether the task was changed after its record ended. A time that it had when it was claimed is
/// none of a later change, though a clock that is wrong may have it later than the end.
fn changed_since(task: &Task, record: &WorkerRecord) -> bool {
    let before = record.extra.get(CHANGED).and_then(|it| it.as_str());
    if before.is_some() && before == task.updated_at.as_deref() {
        return false;
    }
    let time = |text: Option<&String>| text.and_then(|text| text.parse::<Timestamp>().ok());
    match (time(task.updated_at.as_ref()), time(record.completed_at.as_ref())) {
        (Some(changed), Some(ended)) => changed > ended,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use ralph_queue::Document;

    use super::*;

    const QUEUE: &str = r#"{"version":1,"tasks":[
        {"id":"RQ-0001","title":"a","updated_at":"2026-01-01T00:00:00Z","created_at":"2026-01-01T00:00:00Z"},
        {"id":"RQ-0002","title":"b","status":"done","updated_at":"2026-01-01T00:00:00Z","created_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-01T00:00:00Z"}
    ]}"#;

    fn queue() -> Queue {
        Queue::new(Document::parse(QUEUE).expect("a queue"), None)
    }

    fn state(lifecycle: WorkerLifecycle, task: &str, ended: &str) -> ParallelStateFile {
        let mut record = WorkerRecord::new(task, "/w".into(), String::new());
        record.lifecycle = lifecycle;
        record.completed_at = Some(ended.to_owned());
        let mut state = ParallelStateFile::new("", "main");
        state.workers = vec![record];
        state
    }

    fn ids<'a>(tasks: impl IntoIterator<Item = &'a TaskId>) -> Vec<&'a str> {
        tasks.into_iter().map(TaskId::as_str).collect()
    }

    fn standing(state: &ParallelStateFile, queue: &Queue) -> Standing {
        super::standing(state, queue, &BTreeSet::new())
    }

    #[test]
    fn what_landed_is_done_though_the_queue_here_does_not_show_it() {
        let state = state(WorkerLifecycle::Completed, "RQ-0001", "2026-01-02T00:00:00Z");
        let standing = standing(&state, &queue());
        assert_eq!(ids(&standing.done), ["RQ-0001"]);
        assert_eq!(ids(standing.exclude.keys()), ["RQ-0001"]);
        assert!(!is_spent(&state.workers[0], &queue()));
    }

    #[test]
    fn a_time_of_a_clock_that_is_ahead_is_no_change_since_the_end() {
        for lifecycle in [WorkerLifecycle::Completed, WorkerLifecycle::Failed] {
            let mut state = state(lifecycle, "RQ-0001", "2025-12-31T00:00:00Z");
            remember_change(&mut state.workers[0], &queue().tasks().next().unwrap().clone());
            assert_eq!(ids(standing(&state, &queue()).exclude.keys()), ["RQ-0001"]);
            let edited = QUEUE.replacen("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", 1);
            let edited = Queue::new(Document::parse(edited).expect("a queue"), None);
            assert_eq!(standing(&state, &edited), Standing::default());
        }
    }

    #[test]
    fn a_task_that_was_opened_again_is_an_ordinary_task() {
        for lifecycle in [WorkerLifecycle::Completed, WorkerLifecycle::Failed] {
            let state = state(lifecycle, "RQ-0001", "2025-12-31T00:00:00Z");
            assert_eq!(standing(&state, &queue()), Standing::default());
        }
    }

    #[test]
    fn committed_work_of_a_failed_task_is_not_started_over() {
        let mut state = state(WorkerLifecycle::Failed, "RQ-0001", "2025-12-31T00:00:00Z");
        state.workers[0].step = Some(ralph_state::WorkerStep::Gating);
        state.workers[0].work_commit = Some("1".repeat(40));
        assert_eq!(ids(standing(&state, &queue()).exclude.keys()), ["RQ-0001"]);
    }

    #[test]
    fn failed_and_blocked_tasks_wait_for_the_user() {
        for lifecycle in [WorkerLifecycle::Failed, WorkerLifecycle::BlockedPush] {
            let state = state(lifecycle, "RQ-0001", "2026-01-02T00:00:00Z");
            let standing = standing(&state, &queue());
            assert_eq!(ids(standing.exclude.keys()), ["RQ-0001"]);
            assert!(standing.done.is_empty());
        }
    }

    #[test]
    fn each_that_is_kept_says_why() {
        let reason = |lifecycle, living: &[&str]| {
            let state = state(lifecycle, "RQ-0001", "2026-01-02T00:00:00Z");
            let living = living.iter().map(|id| id.parse().unwrap()).collect();
            let standing = super::standing(&state, &queue(), &living);
            assert_eq!(ids(standing.exclude.keys()), ["RQ-0001"]);
            assert_eq!(ids(&standing.unrecorded), [""; 0]);
            standing.exclude.into_values().next()
        };
        let error = None;
        let dead = |lifecycle| reason(lifecycle, &[]).unwrap();
        assert_eq!(dead(WorkerLifecycle::Running), Reason::Begun { error: error.clone() });
        assert_eq!(dead(WorkerLifecycle::Failed), Reason::Failed { error: error.clone() });
        assert_eq!(dead(WorkerLifecycle::BlockedPush), Reason::Unlanded { error });
        assert_eq!(reason(WorkerLifecycle::Integrating, &["RQ-0001"]), Some(Reason::Underway));
    }

    #[test]
    fn a_worker_without_a_record_has_its_task_all_the_same() {
        let living = BTreeSet::from(["RQ-0001".parse().unwrap()]);
        let standing = super::standing(&ParallelStateFile::new("", "main"), &queue(), &living);
        assert_eq!(ids(standing.exclude.keys()), ["RQ-0001"]);
        assert_eq!(standing.unrecorded, living);
        assert!(standing.done.is_empty());
    }

    #[test]
    fn a_forecast_says_what_starts_what_follows_and_what_waits() {
        let task = |number: u32, more: &str| {
            format!(
                r#"{{"id":"RQ-{number}","title":"t","created_at":"2026-01-01T00:00:00Z",
                "updated_at":"2026-01-01T00:00:00Z"{more}}}"#
            )
        };
        let tasks = [
            task(1, r#","depends_on":["RQ-3"]"#),
            task(2, ""),
            task(3, r#","depends_on":["RQ-2"]"#),
            task(4, r#","depends_on":["RQ-8"]"#),
            task(5, ""),
            task(6, r#","status":"draft""#),
            task(7, ""),
            task(8, ""),
            task(9, ""),
        ];
        let text = format!(r#"{{"version":1,"tasks":[{}]}}"#, tasks.join(","));
        let queue = Queue::new(Document::parse(&text).expect("a queue"), None);
        let mut state = state(WorkerLifecycle::Failed, "RQ-8", "2026-01-02T00:00:00Z");
        state.upsert_worker(WorkerRecord::new("RQ-9", "/w".into(), String::new()));
        let standing = standing(&state, &queue);
        let report = queue.runnability(&ralph_queue::Selection {
            now: Timestamp::UNIX_EPOCH,
            drafts: ralph_queue::runnability::Drafts::Exclude,
            doing: ralph_queue::runnability::DoingFirst::Prefer,
            exclude: &standing.exclude,
            regard_as_done: &standing.done,
        });
        let by = |hands, max_tasks| {
            let Forecast { goes_on, starts, follows, waits } =
                forecast(&queue, &report, hands, max_tasks);
            let first = |rows: Vec<(&Task, Vec<Reason>)>| {
                ids(rows.iter().map(|(task, _)| &task.id)).join(" ")
            };
            let names = |tasks: Vec<&Task>| ids(tasks.iter().map(|task| &task.id)).join(" ");
            [names(goes_on), names(starts), first(follows), first(waits)]
        };
        let shown = |max_tasks| by(Hands::Workers(3), max_tasks);
        assert_eq!(shown(None), ["RQ-9", "RQ-2 RQ-5", "RQ-1 RQ-3 RQ-7", "RQ-4 RQ-6 RQ-8"]);
        assert_eq!(shown(Some(1)), ["RQ-9", "RQ-2", "", "RQ-1 RQ-3 RQ-4 RQ-5 RQ-6 RQ-7 RQ-8"]);
        // In the checkout one comes after the other, and what workers began is theirs.
        let serial = |session| by(Hands::Checkout { session }, None);
        assert_eq!(serial(None), ["", "RQ-2", "RQ-1 RQ-3 RQ-5 RQ-7", "RQ-4 RQ-6 RQ-8 RQ-9"]);
        assert_eq!(
            serial(Some("RQ-5")),
            ["RQ-5", "", "RQ-1 RQ-2 RQ-3 RQ-7", "RQ-4 RQ-6 RQ-8 RQ-9"]
        );
    }

    #[test]
    fn a_record_is_spent_when_the_queue_says_the_same() {
        let ended = "2026-01-02T00:00:00Z";
        for task in ["RQ-0002", "RQ-0099"] {
            let state = state(WorkerLifecycle::Completed, task, ended);
            assert!(is_spent(&state.workers[0], &queue()));
        }
        let state = state(WorkerLifecycle::BlockedPush, "RQ-0002", ended);
        assert!(!is_spent(&state.workers[0], &queue()));
    }
}
