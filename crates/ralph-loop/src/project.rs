//! What every run is given: the repository, its configuration and the outside world.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ralph_agent::{Counter, Pauses, Programs, Redaction, Runner, RunnerError};
use ralph_config::Config;
use ralph_git::{GitEnv, Repo};
use ralph_process::Cancel;
use ralph_queue::edit::{Changed, End};
use ralph_queue::lease::{self, Leases};
use ralph_queue::runnability::Drafts;
use ralph_queue::task::AgentOverrides;
use ralph_queue::{Finish, Queue, QueueFiles, Task};
use ralph_state::file::Holder;
use ralph_state::{Clock, LoadError, ParallelStateFile, Store, TaskId, Timestamp};

use crate::allowance;
use crate::books::{self, BookRules};
use crate::event::{Event, TaskSummary};
use crate::fault::Faults;
use crate::gate::GateFailure;
use crate::layout::Layout;
use crate::taken_back::{self, Site};
use crate::worker::WorkerError;

/// The world of one run, gathered once by the caller.
pub struct Project {
    /// The user's checkout.
    pub repo: Repo,
    /// What git gets from the outside world, for the workspaces too.
    pub git_env: GitEnv,
    /// The effective configuration.
    pub config: Config,
    /// The queue and done files.
    pub queue: QueueFiles,
    /// The agent that works on tasks which name none.
    pub runner: Runner,
    /// Where agents are looked for.
    pub programs: Programs,
    /// This program, to start workers with.
    pub executable: PathBuf,
    /// Arguments every worker is given besides its own.
    pub worker_args: Vec<OsString>,
    /// What every worker reads on its standard input: what this run was given.
    pub worker_input: Vec<u8>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Set when the run has to stop.
    pub cancel: Cancel,
    /// How this process names itself in locks.
    pub holder: Holder,
    /// The value of `PATH`, to look programs up.
    pub path: Option<OsString>,
    /// What is left out of all that is told and recorded.
    pub redaction: Redaction,
    /// Where tests make it die.
    pub faults: Faults,
    /// What the caller was asked to do.
    pub options: Options,
    /// Called with everything worth telling, as it happens.
    pub events: Box<dyn Fn(Event) + Send + Sync>,
}

/// What was asked of a run on the command line.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Start at most this many tasks; `None` has no limit.
    pub max_tasks: Option<u32>,
    /// Whether drafts may be started.
    pub drafts: Drafts,
    /// Keep each turn of an agent in this directory.
    pub record: Option<PathBuf>,
    /// What a dirty or unpushed checkout means.
    pub checkout: CheckoutPolicy,
    /// Keys of the configuration that the command line set: these win over what
    /// a task asks for.
    pub overridden: Vec<String>,
}

/// What a dirty or unpushed checkout means for a run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CheckoutPolicy {
    /// The run is refused.
    #[default]
    Refuse,
    /// The run goes on (`--force`); what is not on the target is not seen by agents.
    Accept,
}

impl Project {
    /// Where the runtime files are.
    pub fn layout(&self) -> Layout {
        Layout::new(self.repo.root())
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is claimed by hand, or by agents that take tasks themselves.
    ///
    /// # Errors
    /// When the lease file cannot be read.
    pub fn leases(&self, queue: &Queue) -> Result<lease::Standing, LoadError> {
        let path = Leases::path_in(self.repo.common_dir());
        let leases = Store::<Leases>::new(path, self.holder.clone()).load()?;
        let Some(mut leases) = leases.map(|leases| leases.value) else {
            return Ok(lease::Standing::default());
        };
        let (root, shared) = (self.repo.root(), self.repo.common_dir());
        let site = Site { root, shared, files: &self.queue };
        taken_back::heed(&mut leases, queue, &site, || Ok(self.repo.clone()));
        Ok(leases.standing(queue, self.now()))
    }

    /// The state of parallel runs in this checkout.
    pub fn store(&self) -> Store<ParallelStateFile> {
        store(&self.layout(), &self.holder)
    }

    /// Tells the caller, without secrets.
    pub fn tell(&self, event: Event) {
        (self.events)(match event {
            Event::Note(text) => Event::Note(self.redaction.text(&text).into_owned()),
            event => event,
        });
    }

    /// Tells the caller how a task ended, and returns it as told, without secrets.
    pub fn tell_finished(&self, mut task: TaskSummary) -> TaskSummary {
        task.reason = task.reason.map(|reason| self.redaction.text(&reason).into_owned());
        self.tell(Event::Finished(task.clone()));
        task
    }

    /// Why a red gate keeps the work of `task` from landing: how it ended, where all that it wrote
    /// is kept, and the last lines of that.
    pub(crate) fn red_gate(&self, task: &TaskId, failure: &GateFailure) -> String {
        let GateFailure { command, exit, excerpt } = failure;
        let reason = format!("the gate `{command}` is red: {exit}");
        if excerpt.is_empty() {
            return reason;
        }
        let log = self.layout().gate_log(task);
        let text = self.redaction.text(excerpt);
        let written = fs_err::create_dir_all(log.parent().unwrap_or(&log))
            .and_then(|()| fs_err::write(&log, text.as_bytes()));
        let place = match written {
            Ok(()) => format!("; see `{}`", log.display()),
            // The lines below are what there is of it then.
            Err(error) => {
                tracing::warn!(%error, "what the gate wrote is not kept");
                String::new()
            }
        };
        let lines = failure.last_lines().join("\n");
        format!("{reason}{place}\n{lines}")
    }

    /// How often a task may be tried before it counts as failed.
    pub fn max_attempts(&self) -> u32 {
        self.config.agent.runner_retry.max_attempts.max(1)
    }

    /// Time between attempt `attempt` and the next, with the jitter that `seed` gives.
    pub fn backoff(&self, attempt: u32, seed: u64) -> Duration {
        let retry = &self.config.agent.runner_retry;
        backoff(retry.base_backoff_ms, retry.max_backoff_ms, attempt, seed)
    }
}

impl Project {
    /// The pause after the `count`th push that did not go through, from 1.
    pub fn push_pause(&self, count: u32) -> Duration {
        let pauses = &self.config.parallel.push_backoff_ms;
        let index = usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
        let millis = pauses.get(index).or(pauses.last()).copied().unwrap_or(0);
        backoff(millis, millis, 1, self.seed())
    }

    /// A number that differs between workers: the fraction of the present second.
    pub fn seed(&self) -> u64 {
        u64::try_from(self.now().as_unix_nanos().rem_euclid(1_000_000_000)).unwrap_or(0)
    }

    /// The agent for `task`: the command line's, else the task's own, else the configured one.
    ///
    /// # Errors
    /// When the task names one that is not known or not installed.
    pub fn runner_for(&self, task: &Task) -> Result<Runner, RunnerError> {
        match wishes(task).runner {
            Some(name) if !self.is_overridden("agent.runner") => {
                Runner::resolve(&name, &self.programs)
            }
            _ => Ok(self.runner.clone()),
        }
    }

    /// Model and effort for `task`, by the same order.
    pub fn model_for(&self, task: &Task) -> (Option<String>, Option<String>) {
        let AgentOverrides { model, model_effort, .. } = wishes(task);
        let agent = &self.config.agent;
        let model = model.filter(|_| !self.is_overridden("agent.model"));
        let effort = model_effort
            .filter(|effort| effort != "default" && !self.is_overridden("agent.reasoning_effort"));
        (model.or_else(|| agent.model.clone()), effort.or_else(|| agent.reasoning_effort.clone()))
    }

    /// The provider's account that `runner` uses for `task`.
    pub fn account(&self, runner: &Runner, task: &Task) -> String {
        Pauses::account(runner.name(), self.model_for(task).0.as_deref())
    }

    /// What is limited and `runner` with this model does not tell, so that no limit can hold it.
    pub fn blind(&self, runner: &Runner, model: Option<&str>) -> Option<Counter> {
        allowance::blind(&self.config.agent, runner.capabilities(), model)
    }

    /// The number of phases for `task`, by the same order.
    pub fn phases_for(&self, task: &Task) -> u8 {
        match wishes(task).phases {
            Some(phases) if !self.is_overridden("agent.phases") => phases,
            _ => self.config.agent.phases,
        }
    }

    fn is_overridden(&self, key: &str) -> bool {
        self.options.overridden.iter().any(|set| set == key)
    }

    /// What becomes of a finished task.
    pub fn finish_mode(&self) -> Finish {
        match self.config.queue.finish {
            ralph_config::Finish::InPlace => Finish::InPlace,
            ralph_config::Finish::Archive => Finish::Archive,
        }
    }

    /// How finished tasks are entered into queue files.
    pub fn book_rules(&self) -> BookRules {
        BookRules { finish: self.finish_mode(), ids: self.queue.rules.ids.clone() }
    }

    /// The highest number of a task in the checkout; 0 while its queue cannot be read.
    pub(crate) fn highest_number(&self) -> u64 {
        let ids = &self.queue.rules.ids;
        self.queue.load().map_or(0, |queue| queue.highest_number(ids))
    }

    /// Finishes `task` in the queue of the checkout, as far as what landed does
    /// not do that.
    ///
    /// # Errors
    /// When the queue cannot be read or changed.
    pub fn finish_in_checkout(&self, task: &Task, note: Option<&str>) -> Result<(), WorkerError> {
        let tracked = match self.queue.queue.strip_prefix(self.repo.root()) {
            Ok(inside) => self.repo.is_tracked(inside)?,
            Err(_) => false,
        };
        if tracked {
            return self.catch_up_in_checkout(&task.id);
        }
        let id = task.id.as_str();
        let how = self.finish_mode();
        // The queue is looked at under its lock: somebody may edit it right now.
        self.queue.edit_again(&*self.clock, |edit| {
            match edit.find(id).map(|(_, task)| task.status) {
                Some(status) if !status.is_terminal() => {
                    edit.finish(id, End::Done, how, note).map(|_| ())
                }
                _ => Ok(()),
            }
        })?;
        Ok(())
    }

    /// Ends `task` in the queue of the checkout as the commit there has ended it, where the file is
    /// an older one (from a backup, or an editor) that says nothing else. What landed may also be
    /// in the done file and, uncommitted, still in the queue.
    ///
    /// # Errors
    /// When the queue cannot be read or changed.
    pub(crate) fn catch_up_in_checkout(&self, task: &TaskId) -> Result<(), WorkerError> {
        let queue = self.queue.load()?;
        let is_open = |task: &Task| !task.status.is_terminal();
        let here = queue.find(task.as_str()).filter(|(_, task)| is_open(task));
        let head = self.repo.head()?.commit().cloned().filter(|_| here.is_some());
        let at_head = head
            .map(|head| books::queue_at(&self.repo, &self.config.queue, &head))
            .transpose()?
            .flatten();
        let ended = at_head.as_ref().and_then(|queue| queue.find(task.as_str()));
        if ended.is_none() && queue.leftovers().next().is_none() {
            return Ok(());
        }
        let edited = self.queue.edit_again(&*self.clock, |edit| {
            edit.be_repair();
            let here = edit.find(task.as_str()).filter(|(_, task)| is_open(task));
            match ended {
                Some((place, ended)) if here.is_some() => edit.catch_up(ended, place),
                _ => Ok(Changed::No),
            }
        })?;
        if edited.value == Changed::Yes {
            let text =
                format!("{task} has landed, and the queue had it open: it is done there now");
            self.tell(Event::Note(text));
        }
        Ok(())
    }
}

/// What a task asks of its agent. Validation has the word on a wish of the wrong shape.
fn wishes(task: &Task) -> AgentOverrides {
    task.agent_overrides().ok().flatten().unwrap_or_default()
}

/// The state of parallel runs below `layout`.
pub fn store(layout: &Layout, holder: &Holder) -> Store<ParallelStateFile> {
    Store::new(ralph_state::state_file_path(layout.root()), holder.clone())
}

/// Exponential: `base * 2^(attempt-1)`, at most `limit`, the upper half jittered.
///
/// The jitter comes from `seed` (a clock reading), so that workers that fail
/// together do not come back together.
pub fn backoff(base_ms: u64, limit_ms: u64, attempt: u32, seed: u64) -> Duration {
    let doubled = base_ms.saturating_mul(1 << attempt.saturating_sub(1).min(20));
    let full = doubled.min(limit_ms);
    let half = full / 2;
    Duration::from_millis(half + if half == 0 { 0 } else { seed % (half + 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_its_limit_and_is_never_less_than_half() {
        for (attempt, full) in [(1, 1000), (2, 2000), (5, 16_000), (6, 30_000), (40, 30_000)] {
            for seed in [0, 1, 499, u64::MAX] {
                let pause = backoff(1000, 30_000, attempt, seed).as_millis();
                assert!((full / 2..=full).contains(&pause), "{attempt} {seed}: {pause}");
            }
        }
        assert_eq!(backoff(0, 0, 3, 17), Duration::ZERO);
    }
}
