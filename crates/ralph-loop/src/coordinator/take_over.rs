//! What a run makes of what earlier ones left, before it starts anything.

use std::collections::BTreeSet;

use ralph_queue::{Queue, Task};
use ralph_state::{ParallelStateFile, WorkerLifecycle, WorkerRecord};

use super::{Coordinator, Refused, RunError};
use crate::event::Event;
use crate::status::LAST_WORKERS;
use crate::{allowance, books, claim, migrate, own, recover, select, target, worker};

impl Coordinator<'_> {
    /// Makes the state file this run's: adopts what older versions recorded,
    /// drops records that say nothing any more, sets the target branch.
    pub(super) fn take_over(&mut self, queue: &Queue) -> Result<(), RunError> {
        self.settle_surplus()?;
        // What cannot be swept now is swept next time.
        drop(ralph_git::sweep_workspaces(&self.ground.workspace_root));
        self.sweep()?;
        self.catch_up(queue)?;
        let now = self.project.now();
        let branch = &self.ground.branch;
        let has_worker =
            |record: &WorkerRecord| record.worker.as_ref().is_some_and(ralph_process::is_alive);
        let workers = u64::try_from(self.workers).unwrap_or(u64::MAX);
        let reopened = self.open_on_target()?;
        let limit = &self.project.config.agent.limits.run;
        let before = fs_err::read(self.store.path()).unwrap_or_default();
        let upgraded = self.store.update_reported(|state: &mut ParallelStateFile, report| {
            let upgraded = report.filter(|report| report.migrated());
            let upgraded = upgraded.map(|report| (report.from, migrate::adopt(state, report, now)));
            let unfinished = state.workers.iter().filter(|record| !record.is_terminal()).count();
            if state.target_branch != *branch {
                if unfinished > 0 && !state.target_branch.is_empty() {
                    return Err(Refused::OtherBranch {
                        was: state.target_branch.clone(),
                        now: branch.clone(),
                        unfinished,
                    });
                }
                state.target_branch.clone_from(branch);
            }
            state.extra.set(LAST_WORKERS, workers);
            state.spending = Some(allowance::begin(state.spending.take(), limit, now));
            for record in &mut state.workers {
                if !has_worker(record) {
                    // A turn of the last run is charged to its task, and not to this run.
                    claim::charge_cut_short(record);
                }
                if worker::Held::clear(record) {
                    // There is as much patience as at first.
                    record.push_attempts = 0;
                }
            }
            if unfinished == 0 || state.started_at.is_empty() {
                state.started_at = now.to_string();
            }
            state.workers.retain(|record| {
                let is_kept = record.workspace_path.exists() || !select::is_spent(record, queue);
                is_kept
                    && !(reopened.contains(&record.task_id)
                        && worker::is_superseded_before_work(record))
            });
            Ok(upgraded)
        })?;
        self.is_recorded = true;
        if let Some((from, adopted)) = upgraded.value {
            let adopted: Vec<String> = adopted.into_iter().map(|record| record.task_id).collect();
            let backup = migrate::kept_copy(self.store.path(), from, &before)?;
            self.project.tell(Event::Upgraded { from, adopted, backup });
        }
        for record in &self.state()?.workers {
            if !record.is_terminal() {
                let title = queue.find(&record.task_id).map(|(_, task)| task.title.clone());
                self.seen.insert(record.task_id.clone(), title.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The tasks that the target had as finished when a worker looked, and has open now.
    fn open_on_target(&self) -> Result<BTreeSet<String>, RunError> {
        let mut records = self.state()?.workers;
        records.retain(worker::is_superseded_before_work);
        if records.is_empty() {
            return Ok(BTreeSet::new());
        }
        let Some(tip) = super::tip(self.project, &self.ground)? else { return Ok(BTreeSet::new()) };
        let target = books::queue_at(&self.project.repo, &self.project.config.queue, &tip)?;
        let Some(target) = target else { return Ok(BTreeSet::new()) };
        let is_open = |record: &WorkerRecord| {
            own::find(record, &target).is_some_and(|task| !task.status.is_terminal())
        };
        records.retain(is_open);
        Ok(records.into_iter().map(|record| record.task_id).collect())
    }

    /// Leaves one record for each task; the work of the others is kept, and said to be.
    pub(super) fn settle_surplus(&self) -> Result<(), RunError> {
        let has_worker =
            |record: &WorkerRecord| record.worker.as_ref().is_some_and(ralph_process::is_alive);
        let state = self.state()?;
        let surplus = recover::surplus(&state, has_worker);
        if surplus.is_empty() {
            return Ok(());
        }
        for (row, best) in &surplus {
            let (record, best) = (&state.workers[*row], &state.workers[*best]);
            // Beside a living worker its workspace is not ours to look into.
            if !has_worker(best) || record.workspace_path != best.workspace_path {
                worker::keep_work(self.project, record);
            }
            self.project.tell(Event::Note(format!(
                "{} has more than one record: the one that is {} stands, not the one that is {}, \
                 whose workspace is `{}`",
                record.task_id,
                best.lifecycle.as_str(),
                record.lifecycle.as_str(),
                record.workspace_path.display()
            )));
        }
        self.store.update(|now: &mut ParallelStateFile| {
            // Rows do not move while the run lock is held; a living worker changes its own only.
            let mut rows = now.workers.iter().enumerate();
            let is_same = rows.all(|(row, record)| {
                state.workers.get(row).is_some_and(|seen| seen.task_id == record.task_id)
            });
            if !is_same {
                let task = state.workers[surplus[0].0].task_id.clone();
                return Err(Refused::Changed { task });
            }
            let mut row = 0;
            now.workers.retain(|_| {
                row += 1;
                !surplus.iter().any(|(gone, _)| *gone == row - 1)
            });
            Ok(())
        })?;
        Ok(())
    }

    /// Finishes in the queue what landed but is still open there.
    pub(super) fn catch_up(&mut self, queue: &Queue) -> Result<(), RunError> {
        let state = self.state()?;
        let mut landed = select::standing(&state, queue, &BTreeSet::new()).done;
        let recorded = landed.clone();
        landed.extend(self.landings.among(queue)?.into_keys());
        let tasks = landed.iter().filter_map(|id| queue.find(id.as_str()));
        let open: Vec<&Task> =
            tasks.map(|(_, task)| task).filter(|task| !task.status.is_terminal()).collect();
        if !open.is_empty() {
            worker::advance_checkout(self.project, &self.ground.branch);
        }
        for task in open {
            let record = state.get_worker(task.id.as_str());
            let ended = match record.filter(|_| recorded.contains(&task.id)) {
                Some(record) => self.project.finish_in_checkout(task, record.no_change.as_deref()),
                // A commit alone says it, which need not be meant for a queue that git ignores.
                None => self.project.catch_up_in_checkout(&task.id),
            };
            worker::tell_open(self.project, task, ended);
        }
        Ok(())
    }

    /// Removes workspaces of landed tasks whose workers died before they could.
    pub(super) fn sweep(&self) -> Result<(), RunError> {
        for record in &self.state()?.workers {
            let landed =
                record.lifecycle == WorkerLifecycle::Completed && record.landed_commit.is_some();
            if !landed || record.worker.as_ref().is_some_and(ralph_process::is_alive) {
                continue;
            }
            // What is there and is no workspace of ours stays as it is.
            if let Ok(Some(workspace)) =
                target::open_workspace(self.project, &record.workspace_path)
            {
                target::discard(self.project, workspace, &self.ground.branch, record)?;
            }
        }
        Ok(())
    }
}
