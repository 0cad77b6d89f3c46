//! What a parallel run looks like from outside: a pure view of state and world.

use std::collections::BTreeSet;
use std::path::Path;

use ralph_queue::{Queue, Status};
use ralph_state::parallel::Salvaged;
use ralph_state::{Amount, ParallelStateFile, TaskId, WorkerLifecycle, WorkerRecord, file};

use crate::away::Wait;
use crate::layout::Layout;
use crate::living::{self, LivingError};
use crate::recover;
use crate::worker::{self, Held};

/// A record and what the world says of it.
#[derive(Clone, Debug)]
pub struct WorkerView {
    /// The record as stored.
    pub record: WorkerRecord,
    /// Whether its worker lives.
    pub alive: bool,
    /// Whether its workspace exists.
    pub workspace: bool,
    /// How its task ended, if it is not open in the queue any more.
    pub closed: Option<Status>,
}

impl WorkerView {
    /// What the task waits for before any run can go on with it.
    pub fn held(&self) -> Option<Held> {
        // A worker that lives has gone on, whatever its record said before.
        let waits = !self.record.is_terminal() && !self.alive;
        Held::of(&self.record).filter(|_| waits)
    }

    /// Whether it ended without landing, and the user has not ended its task since.
    pub fn needs_user(&self, lifecycle: &WorkerLifecycle) -> bool {
        self.record.lifecycle == *lifecycle && self.closed.is_none()
    }

    /// What its worker waits for.
    pub fn waits(&self) -> Option<Wait> {
        Wait::read(&self.record.extra)
    }

    /// What its turns used, as far as they are over: unknown while none is.
    pub fn spent(&self) -> Amount {
        let begun =
            Amount { turns: self.record.agent_turns.unwrap_or(0).into(), ..Amount::default() };
        self.record.spent.unwrap_or(begun.unknown())
    }

    /// The program that its workspace lacks, if that is what it waits for: a path in there.
    pub fn not_in_workspace(&self) -> Option<&Path> {
        self.held().and_then(|_| worker::not_in_workspace(&self.record))
    }
}

/// How many tasks are in each lifecycle.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Working.
    pub running: usize,
    /// Landing.
    pub integrating: usize,
    /// Landed.
    pub completed: usize,
    /// Failed.
    pub failed: usize,
    /// Finished, but may not land.
    pub blocked: usize,
    /// All of them.
    pub total: usize,
}

/// What a user is to do, most urgent first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Headline {
    /// No parallel run was ever started here.
    NotStarted,
    /// Some of the state file cannot be read; no run goes on before it is rebuilt.
    Damaged,
    /// Workers live that the state file knows nothing of.
    Unrecorded,
    /// Workspaces are left of runs whose state file is gone.
    Left,
    /// Workers are at it.
    InProgress,
    /// The run has nothing in hand, and waits for its queue or its branch.
    Waiting,
    /// Workers are at it, and the run that started them is gone: nobody follows them.
    Orphaned,
    /// Unfinished work waits until the user mended something, or for a further run.
    Held(Held),
    /// Unfinished records without a living worker: the next run goes on with them.
    Interrupted,
    /// What the user wants tried again waits for the next run.
    Reopened,
    /// Finished work needs the user before it can land.
    Blocked,
    /// Tasks failed.
    Failed,
    /// Tasks used up limits of their own.
    TaskLimit,
    /// An older version left records that the next run adopts.
    Legacy,
    /// A run is at it that has no record of anything: in the checkout, or about to begin.
    Active,
    /// Nothing to do.
    Idle,
}

impl Headline {
    /// One sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotStarted => "No parallel run has been started here.",
            Self::Damaged => "Some of the state file of parallel runs cannot be read.",
            Self::Unrecorded => {
                "Workers live that the state file of parallel runs knows nothing of."
            }
            Self::Left => {
                "The state file of parallel runs is gone, and workspaces of them are left."
            }
            Self::InProgress => "A parallel run is in progress.",
            Self::Waiting => "A parallel run waits for what it needs, and begins nothing before.",
            Self::Orphaned => {
                "Workers are at it, and their run is gone: the next one goes on with them."
            }
            Self::Held(Held::TargetRed) => {
                "A parallel run is held: the gate is red on the target itself. Mend that first."
            }
            Self::Held(Held::Machine) => {
                "A parallel run is held: something on this machine has to be mended first."
            }
            Self::Held(Held::Limit) => {
                "A parallel run reached a limit, its own or the provider's; the next one goes on."
            }
            Self::Interrupted => "A parallel run was interrupted; the next run goes on with it.",
            Self::Reopened => "Unfinished work waits for the next run, which goes on with it.",
            Self::Blocked => "Finished work is kept, but could not land.",
            Self::Failed => "Some tasks failed.",
            Self::TaskLimit => {
                "Some tasks used up their own limit; no run goes on with them by itself."
            }
            Self::Legacy => "An older version left work here; the next parallel run adopts it.",
            Self::Active => "A run is active here.",
            Self::Idle => "Nothing is running, and nothing needs you.",
        }
    }
}

/// Counts the records, and workers without one as what they are: running.
pub fn counts(world: &World) -> Counts {
    let unrecorded = world.unrecorded.len();
    let total = world.views.len() + unrecorded;
    let mut counts = Counts { total, running: unrecorded, ..Counts::default() };
    for WorkerView { record, .. } in &world.views {
        match record.lifecycle {
            WorkerLifecycle::Running => counts.running += 1,
            WorkerLifecycle::Integrating => counts.integrating += 1,
            WorkerLifecycle::Completed => counts.completed += 1,
            WorkerLifecycle::Failed => counts.failed += 1,
            WorkerLifecycle::BlockedPush => counts.blocked += 1,
            _ => {}
        }
    }
    counts
}

/// What matters most in a state file, if there is one, and in the world.
pub fn headline(found: Option<&Salvaged>, world: &World) -> Headline {
    let World { views, unrecorded, left, .. } = world;
    let any = |lifecycle| views.iter().any(|view| view.needs_user(&lifecycle));
    let is_damaged = found.is_some_and(|found| found.refused.is_some());
    let Some(found) = found.filter(|_| unrecorded.is_empty() && !is_damaged) else {
        return match (is_damaged, unrecorded.is_empty()) {
            (true, _) => Headline::Damaged,
            (false, false) => Headline::Unrecorded,
            (false, true) if !left.is_empty() => Headline::Left,
            (false, true) if world.is_run_active => Headline::Active,
            (false, true) => Headline::NotStarted,
        };
    };
    if let Some(headline) = unfinished(world) {
        headline
    } else if any(WorkerLifecycle::BlockedPush) {
        Headline::Blocked
    } else if let Some(failed) = failed(views) {
        failed
    } else if !ralph_state::legacy_work(&found.report).is_empty() {
        Headline::Legacy
    } else if world.is_run_active {
        Headline::Active
    } else {
        Headline::Idle
    }
}

/// What matters most of the tasks that ended without work that could land, if there are any.
fn failed(views: &[WorkerView]) -> Option<Headline> {
    let failed = views.iter().filter(|view| view.needs_user(&WorkerLifecycle::Failed));
    let word = |view: &WorkerView| {
        let is_limit = worker::is_at_task_limit(&view.record);
        if is_limit { Headline::TaskLimit } else { Headline::Failed }
    };
    failed.map(word).min_by_key(|headline| *headline == Headline::TaskLimit)
}

/// What matters most of the records that have not ended, if there are any.
fn unfinished(world: &World) -> Option<Headline> {
    let open = || world.views.iter().filter(|view| !view.record.is_terminal());
    if open().any(|view| view.alive) {
        let is_followed = world.is_run_active;
        return Some(if is_followed { Headline::InProgress } else { Headline::Orphaned });
    }
    if world.waits.is_some() {
        return Some(Headline::Waiting);
    }
    let held = open().filter_map(WorkerView::held).min();
    let rest = open().next().map(|_| {
        let are_reopened = open().all(|view| recover::is_reopened(&view.record));
        if are_reopened { Headline::Reopened } else { Headline::Interrupted }
    });
    held.map(Headline::Held).or(rest)
}

/// The field of the state file that says how many workers the latest run had.
pub(crate) const LAST_WORKERS: &str = "last_workers";

/// How many workers the latest run had, as far as that is known.
pub fn last_workers(state: &ParallelStateFile) -> Option<u64> {
    state.extra.get(LAST_WORKERS)?.as_u64()
}

/// What locks and workspaces show of parallel runs.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The records of the state file, and what is true of them.
    pub views: Vec<WorkerView>,
    /// Workers that live and that no record is of.
    pub unrecorded: BTreeSet<TaskId>,
    /// Tasks that have a workspace though there is no state file.
    pub left: BTreeSet<String>,
    /// Whether a run hands out tasks now.
    pub is_run_active: bool,
    /// What a run waits for.
    pub waits: Option<Wait>,
}

/// Looks at the locks and workspaces behind the records of `state`, and for workers besides.
/// A queue that cannot be read says nothing of their tasks.
///
/// # Errors
/// When a lock cannot be looked at.
pub fn observe(
    layout: &Layout,
    state: &ParallelStateFile,
    queue: Option<&Queue>,
) -> Result<World, LivingError> {
    let living = living::tasks(layout)?;
    let is_run_active = file::is_locked(&layout.run_lock())?;
    let closed = |task: &str| {
        let (_, task) = queue?.find(task)?;
        Some(task.status).filter(|status| status.is_terminal())
    };
    let views = state.workers.iter().map(|record| {
        let task = record.task_id.parse::<TaskId>();
        let alive = task.is_ok_and(|task| living.contains(&task));
        let workspace = record.workspace_path.is_dir();
        let closed = closed(&record.task_id);
        WorkerView { record: record.clone(), alive, workspace, closed }
    });
    let unrecorded = living::unrecorded(&living, state);
    let waits = Wait::read(&state.extra);
    Ok(World { views: views.collect(), unrecorded, left: BTreeSet::new(), is_run_active, waits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::away::Away;

    fn view(held: Option<Held>) -> WorkerView {
        let mut record = WorkerRecord::new("RQ-0001", "/w".into(), String::new());
        if let Some(held) = held {
            held.set(&mut record, "why");
        }
        WorkerView { record, alive: false, workspace: true, closed: None }
    }

    #[test]
    fn what_is_held_needs_the_user_until_a_worker_goes_on_with_it() {
        let held = |held| view(Some(held));
        let unfinished = |views: &[WorkerView]| {
            let views = views.to_vec();
            super::unfinished(&World { views, is_run_active: true, ..World::default() })
        };
        assert_eq!(unfinished(&[]), None);
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let away = Away::Elsewhere { branch: "main".to_owned(), instead: None };
        let waits = Some(Wait::new(&away, now, None));
        let waiting = World { is_run_active: true, waits, ..World::default() };
        assert_eq!(super::unfinished(&waiting), Some(Headline::Waiting));
        let views = vec![WorkerView { alive: true, ..view(None) }];
        assert_eq!(
            super::unfinished(&World { views, ..waiting }),
            Some(Headline::InProgress),
            "what is in hand goes on"
        );
        assert_eq!(unfinished(&[view(None)]), Some(Headline::Interrupted));
        let machine = [view(None), held(Held::Machine)];
        assert_eq!(unfinished(&machine), Some(Headline::Held(Held::Machine)));
        let both = [held(Held::Limit), held(Held::TargetRed)];
        assert_eq!(unfinished(&both), Some(Headline::Held(Held::TargetRed)));
        let adopted = WorkerView { alive: true, ..held(Held::Machine) };
        assert_eq!(adopted.held(), None);
        assert_eq!(unfinished(&[adopted]), Some(Headline::InProgress));
    }

    #[test]
    fn what_waits_is_told_from_what_was_cut_short_and_from_what_nobody_follows() {
        let unfinished = |views: &[WorkerView]| {
            super::unfinished(&World { views: views.to_vec(), ..World::default() })
        };
        let mut reopened = view(None);
        reopened.record.interrupted = Some(true);
        assert_eq!(unfinished(&[reopened.clone()]), Some(Headline::Reopened));
        assert_eq!(unfinished(&[reopened, view(None)]), Some(Headline::Interrupted));
        let living = WorkerView { alive: true, ..view(None) };
        assert_eq!(unfinished(&[living]), Some(Headline::Orphaned));
    }

    #[test]
    fn work_on_a_task_that_the_user_ended_needs_nobody() {
        let mut blocked = view(None);
        blocked.record.lifecycle = WorkerLifecycle::BlockedPush;
        assert!(blocked.needs_user(&WorkerLifecycle::BlockedPush));
        let ended = WorkerView { closed: Some(Status::Rejected), ..blocked };
        assert!(!ended.needs_user(&WorkerLifecycle::BlockedPush));
    }

    #[test]
    fn what_no_turn_has_told_yet_is_unknown() {
        let mut view = view(None);
        assert_eq!(view.spent().known_tokens(), Some(0));
        view.record.agent_turns = Some(1);
        assert_eq!((view.spent().known_tokens(), view.spent().known_micro_usd()), (None, None));
    }

    #[test]
    fn a_worker_without_a_record_runs_and_is_said_to() {
        let none = World::default();
        assert_eq!(headline(None, &none), Headline::NotStarted);
        let serial = World { is_run_active: true, ..World::default() };
        assert_eq!(headline(None, &serial), Headline::Active);
        let unrecorded = BTreeSet::from(["RQ-0002".parse().unwrap()]);
        let world = World { views: vec![view(None)], unrecorded, ..World::default() };
        assert_eq!(headline(None, &world), Headline::Unrecorded);
        let left = World { left: BTreeSet::from(["RQ-0002".to_owned()]), ..none };
        assert_eq!(headline(None, &left), Headline::Left);
        let Counts { running, total, .. } = counts(&world);
        assert_eq!((running, total), (2, 2));
    }
}
