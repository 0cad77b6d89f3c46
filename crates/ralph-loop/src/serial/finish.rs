//! The end of a task: its commit, its place in the queue, and what is kept when it did not land.

use std::collections::BTreeSet;

use ralph_config::GitPublishMode;
use ralph_git::{Head, Push, Sha};
use ralph_queue::Status;
use ralph_queue::edit::End;
use ralph_state::session::{SessionFile, SessionStep};
use ralph_state::{TaskId, WorkerStep};

use super::{BRANCH, Ended, Serial, SerialError, Tally, reach};
use crate::event::{Event, Outcome, StopReason, TaskSummary};
use crate::layout::runtime_paths;
use crate::project::CheckoutPolicy;
use crate::{checkout, landing, preflight, settings, target, worker};

impl Serial<'_> {
    /// Stops before anything lands when somebody has committed a change of Ralph's own settings
    /// to the branch since the task began.
    pub(super) fn own_settings(&self, session: &SessionFile) -> Result<Option<Ended>, SerialError> {
        if self.project.options.checkout == CheckoutPolicy::Accept {
            return Ok(None);
        }
        let before = session.git_head_commit.as_deref().and_then(|sha| sha.parse::<Sha>().ok());
        let books = checkout::queue_files(self.project);
        let began = self.began.as_ref();
        let changed = settings::committed(&self.project.repo, began, before.as_ref(), &books)?;
        Ok((!changed.is_empty()).then(|| {
            Ended::Blocked(format!(
                "{} was changed by a commit since the task began; take that back, or go on with \
                 `--force`",
                settings::named(&changed)
            ))
        }))
    }

    /// What the branch had when the task began, if it lacks that now: what a `git reset` took away
    /// may be nowhere else.
    fn taken_off(&self, session: &SessionFile) -> Result<Option<Sha>, SerialError> {
        let before = session.git_head_commit.as_deref().and_then(|sha| sha.parse::<Sha>().ok());
        let Some(before) = before else { return Ok(None) };
        let repo = &self.project.repo;
        if repo.resolve(before.as_str())?.is_none() {
            return Ok(None);
        }
        let began_on = session.extra.get(BRANCH).and_then(|branch| branch.as_str());
        let branch = began_on.unwrap_or(&self.branch);
        let is_there = match repo.resolve(&format!("refs/heads/{branch}"))? {
            Some(tip) => repo.is_ancestor(&before, &tip)?,
            None => false,
        };
        Ok((!is_there).then_some(before))
    }

    /// Stops before anything lands on a branch that lacks what it had when the task began. That is
    /// kept.
    pub(super) fn rewound(
        &self,
        session: &SessionFile,
        tally: &Tally,
    ) -> Result<Option<Ended>, SerialError> {
        if self.project.options.checkout == CheckoutPolicy::Accept {
            return Ok(None);
        }
        let Some(before) = self.taken_off(session)? else { return Ok(None) };
        let name = landing::rescue(&self.project.repo, &tally.task.id, &before)?;
        Ok(Some(Ended::Blocked(format!(
            "`{}` lacks commits that it had when the task began, which are kept: `git merge \
             {name}` brings them back; or go on without them, with `--force`",
            self.branch
        ))))
    }

    /// Keeps what was taken off the branch, before the session goes that knows of it.
    pub(super) fn keep_taken_off(
        &self,
        session: &SessionFile,
        task: &TaskId,
    ) -> Result<(), SerialError> {
        let Some(before) = self.taken_off(session)? else { return Ok(()) };
        let name = landing::rescue(&self.project.repo, task, &before)?;
        self.project.tell(Event::Note(format!(
            "{task}: the branch lacks commits that it had when the task began; they are kept in \
             {name}"
        )));
        Ok(())
    }

    /// Whether a run that was cut short already made the commit.
    pub(super) fn committed_before(
        &self,
        session: &SessionFile,
        claim: &str,
    ) -> Result<bool, SerialError> {
        let repo = &self.project.repo;
        let Some(head) = repo.head()?.commit().cloned() else { return Ok(false) };
        let range = match &session.git_head_commit {
            Some(before) => format!("{before}..{head}"),
            None => head.to_string(),
        };
        Ok(repo.find_trailer(&range, landing::ATTEMPT_TRAILER, claim)?.is_some())
    }

    pub(super) fn finish_in_queue(&self, tally: &Tally) -> Result<(), SerialError> {
        let id = tally.task.id.as_str();
        let how = self.project.finish_mode();
        let note = tally.reason.as_deref();
        self.project.queue.edit_again(&*self.project.clock, |edit| {
            match edit.find(id).map(|(_, task)| task.status) {
                Some(status) if !status.is_terminal() => {
                    edit.finish(id, End::Done, how, note).map(|_| ())
                }
                _ => Ok(()),
            }
        })?;
        Ok(())
    }

    /// Commits and pushes as far as the configuration says.
    pub(super) fn publish(&mut self, claim: &str, tally: &mut Tally) -> Result<Ended, SerialError> {
        let mode = self.project.config.agent.git_publish_mode;
        let repo = &self.project.repo;
        if mode == GitPublishMode::Off {
            self.left_by_us = Some(repo.work_tree_hash(&self.left_out())?);
            self.project.tell(Event::Note(format!(
                "{}: its changes are left uncommitted (`agent.git_publish_mode` is off)",
                tally.task.id
            )));
            return Ok(Ended::Done);
        }
        self.tell_step(tally, WorkerStep::PushIntended);
        if let Some(ended) = self.without_branch()? {
            return Ok(ended);
        }
        let mut exclude = runtime_paths(repo.root());
        let books = checkout::queue_files(self.project);
        let left_out = settings::left_out(repo, self.began.as_ref(), &books)?;
        exclude.extend(left_out.iter().cloned());
        let message = landing::message(&tally.task, claim, &[]);
        // A commit that is there already has the task's work, and only that.
        tally.commit = match self.own_commit(claim)? {
            Some(commit) => Some(commit),
            None => repo.commit_all_but(&exclude, &message)?,
        };
        self.summary.left_out.extend(left_out);
        self.record(|session| reach(session, SessionStep::Committed))?;
        self.project.faults.point("serial", "committed", "");
        let (GitPublishMode::CommitAndPush, Some(commit)) = (mode, &tally.commit) else {
            return Ok(Ended::Done);
        };
        let before = match repo.fetch(target::REMOTE, &self.branch) {
            Ok(fetched) => fetched.tip,
            Err(error) => return Ok(Ended::Blocked(worker::chain(&error))),
        };
        if let Some(before) = &before
            && repo.is_ancestor(commit, before)?
        {
            return Ok(Ended::Done);
        }
        Ok(match repo.push(target::REMOTE, commit, &self.branch, before.as_ref())? {
            Push::Pushed => Ended::Done,
            Push::Raced => Ended::Blocked(format!(
                "committed, but `{}/{}` has commits that your branch lacks",
                target::REMOTE,
                self.branch
            )),
            Push::Refused { reason }
            | Push::RemoteGone { reason }
            | Push::Transient { reason }
            | Push::Unknown { reason } => {
                Ended::Blocked(format!("committed, not pushed: {reason}"))
            }
        })
    }

    fn own_commit(&self, claim: &str) -> Result<Option<Sha>, SerialError> {
        Ok(match self.project.repo.head()?.commit() {
            Some(head) => {
                self.project.repo.find_trailer(head.as_str(), landing::ATTEMPT_TRAILER, claim)?
            }
            None => None,
        })
    }

    /// Puts a task that ended where it belongs; whether another one may begin.
    pub(super) fn end(
        &mut self,
        ended: Ended,
        mut tally: Tally,
        session: &SessionFile,
    ) -> Result<bool, SerialError> {
        let is_committed = self.project.config.agent.git_publish_mode != GitPublishMode::Off;
        let outcome = match ended {
            Ended::Done if tally.reason.is_some() => Outcome::NoChange,
            Ended::Done if is_committed => Outcome::Landed,
            Ended::Done => Outcome::Done,
            Ended::Stopped => Outcome::Interrupted,
            Ended::Failed(reason) => {
                tally.reason = Some(reason);
                Outcome::Failed
            }
            Ended::Blocked(reason) => {
                tally.reason = Some(reason);
                Outcome::Blocked
            }
            Ended::Limited(reason) => {
                tally.reason = Some(reason);
                Outcome::Limited
            }
            Ended::TaskLimit(reason) => {
                tally.reason = Some(reason);
                Outcome::TaskLimit
            }
            Ended::Held(reason) => {
                tally.reason = Some(reason);
                self.stop(StopReason::Machine);
                Outcome::Held
            }
            Ended::Away(away) => {
                tally.reason = Some(away.to_string());
                self.summary.queue_away = Some(away);
                self.stop(StopReason::QueueAway);
                Outcome::Held
            }
        };
        let mut in_checkout = false;
        if outcome == Outcome::Interrupted {
            self.record(|session| session.agent = None)?;
            self.stop(StopReason::Interrupted);
        } else {
            let is_done = matches!(outcome, Outcome::Landed | Outcome::NoChange | Outcome::Done);
            if !is_done {
                in_checkout = !self.is_untouched(session)?;
            }
            if in_checkout && tally.commit.is_none() {
                self.keep(&tally.task.id, &tally.task.title)?;
            }
            if outcome == Outcome::Failed {
                self.offer_again(&tally)?;
            }
            // A blocked task keeps its session: the next run begins at its gate
            // or its push. One that met a limit, or a fault of the machine, goes
            // on where it was.
            let goes_on = matches!(
                outcome,
                Outcome::Blocked | Outcome::Limited | Outcome::TaskLimit | Outcome::Held
            );
            if !goes_on {
                if !is_done {
                    self.keep_taken_off(session, &tally.task.id)?;
                }
                self.sessions.remove()?;
            }
        }
        let summary = TaskSummary {
            in_checkout,
            not_in_workspace: None,
            task: tally.task.id.to_string(),
            landed_as: None,
            title: tally.task.title,
            outcome,
            attempts: tally.attempt,
            wall: tally.started.elapsed(),
            agent_turns: tally.turns,
            gate_runs: tally.gates,
            spent: tally.spent,
            commit: tally.commit.map(|commit| commit.to_string()),
            reason: tally.reason,
        };
        self.summary.tasks.push(self.project.tell_finished(summary));
        Ok(match outcome {
            Outcome::Landed | Outcome::NoChange | Outcome::Done => true,
            // What would meet every task is no failure of one.
            Outcome::Failed => !in_checkout,
            _ => false,
        })
    }

    /// Whether the checkout is as it was when the task of `session` began.
    fn is_untouched(&self, session: &SessionFile) -> Result<bool, SerialError> {
        let repo = &self.project.repo;
        let head = repo.head()?;
        let is_where_it_was = matches!(&head, Head::Branch { name, .. } if *name == self.branch)
            && head.commit().map(Sha::as_str) == session.git_head_commit.as_deref();
        let tree = repo.work_tree_hash(&self.left_out())?;
        let settings = match &self.began {
            Some(began) => {
                let books = checkout::queue_files(self.project);
                settings::changed(repo, began, &settings::tree(repo)?, &books)?
            }
            None => BTreeSet::new(),
        };
        Ok(is_where_it_was
            && session.base_tree.as_deref() == Some(tree.as_str())
            && settings.is_subset(&self.summary.left_out))
    }

    /// A copy of the work tree under a rescue ref; the files stay as they are.
    pub(super) fn keep(&self, task: &TaskId, title: &str) -> Result<(), SerialError> {
        let repo = &self.project.repo;
        if preflight::foreign_changes(repo, &self.project.queue)?.is_empty() {
            return Ok(());
        }
        // The queue stays the user's: a copy of it as it is now would be in the way of their edits
        // when the work is brought back.
        let mut exclude = runtime_paths(repo.root());
        exclude.extend(checkout::queue_files(self.project));
        let message = landing::rescue_message(task, title);
        let head = repo.head()?.commit().cloned();
        let snapshot = repo.snapshot(&exclude, &message, head.as_ref())?;
        let name = landing::rescue(repo, task, &snapshot)?;
        self.project.tell(Event::Note(format!(
            "{task}: its changes stay in your checkout, with a copy in {name}"
        )));
        Ok(())
    }

    /// No agent was started: the task is as open as it was, and no session is left.
    pub(super) fn take_back(&self, tally: &Tally) -> Result<(), SerialError> {
        let (id, before) = (tally.task.id.as_str(), tally.task.status);
        self.project.queue.edit_again(&*self.project.clock, |edit| {
            match edit.find(id).map(|(_, task)| task.status) {
                Some(Status::Doing) if before != Status::Doing => {
                    edit.set_status(id, before, None).map(|_| ())
                }
                _ => Ok(()),
            }
        })?;
        self.sessions.remove()?;
        Ok(())
    }

    /// A task that failed is an open one again, not one that is being worked on.
    fn offer_again(&self, tally: &Tally) -> Result<(), SerialError> {
        let id = tally.task.id.as_str();
        self.project.queue.edit_again(&*self.project.clock, |edit| {
            match edit.find(id).map(|(_, task)| task.status) {
                Some(Status::Doing) => edit.set_status(id, Status::Todo, None).map(|_| ()),
                _ => Ok(()),
            }
        })?;
        Ok(())
    }
}
