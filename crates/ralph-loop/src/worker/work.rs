//! The first half: a workspace, and an agent's work in it as one commit.

use std::path::{Path, PathBuf};

use ralph_agent::Phase;
use ralph_git::{FetchError, GitError, Sha, Workspace};
use ralph_queue::ids::{self, ReserveError};
use ralph_queue::landing::{Notes, TextError, Texts, new_notes, new_tasks};
use ralph_queue::{Document, IdMarks, IdRules, ParseError, Task, decode};
use ralph_state::parallel::WorkerEvent;
use ralph_state::{WorkerRecord, WorkerStep};
use serde_json::json;

use super::{Worker, WorkerError};
use crate::books::{self, Books};
use crate::event::Event;
use crate::layout::runtime_paths;
use crate::turn::{self, Failure};
use crate::{landing, own, prompt, settings};

/// What came of the work.
pub(super) enum Worked {
    /// It is committed and may go to the landing lane.
    Ready(Workspace),
    /// The run was stopped.
    Stopped,
    /// Nothing came of it.
    Failed(String),
    /// A limit ended it.
    Limited(String),
    /// The target has the task as finished.
    Superseded(Finished),
    /// Something about this machine is wrong; no task would fare better.
    Held(String),
}

/// What the user's queue says of a task that the target has as finished.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finished {
    /// It has it as open still, since it does not know better.
    Elsewhere,
    /// It was finished there, too, and opened again.
    OpenedAgain,
}

/// Why there is no workspace to work in.
enum NoPlace {
    Failed(String),
    Superseded(Finished),
    Held(String),
    Stopped,
}

/// How often the target is fetched before the network counts as down.
const FETCHES: u32 = 6;

/// How one series of turns ended.
enum Turns {
    Done,
    Stopped,
    Failed(String),
    Limited(String),
    Held(String),
}

impl Worker<'_> {
    /// Brings the task from its claim to committed work.
    pub(super) fn work(&self) -> Result<Worked, WorkerError> {
        let record = self.claim.read()?;
        let (workspace, base) = match self.prepare(&record)? {
            Ok(prepared) => prepared,
            Err(NoPlace::Failed(reason)) => return Ok(Worked::Failed(reason)),
            Err(NoPlace::Superseded(how)) => return Ok(Worked::Superseded(how)),
            Err(NoPlace::Held(reason)) => return Ok(Worked::Held(reason)),
            Err(NoPlace::Stopped) => return Ok(Worked::Stopped),
        };
        let mut plan = None;
        for &phase in phases(self.project.phases_for(&self.task)) {
            match self.phase(&workspace, &base, phase, &mut plan)? {
                Turns::Done => {}
                Turns::Stopped => return Ok(Worked::Stopped),
                Turns::Failed(reason) => {
                    self.keep_leftovers(&workspace, &base)?;
                    return Ok(Worked::Failed(reason));
                }
                Turns::Limited(reason) => {
                    self.keep_leftovers(&workspace, &base)?;
                    return Ok(Worked::Limited(reason));
                }
                Turns::Held(reason) => return Ok(Worked::Held(reason)),
            }
        }
        self.commit(workspace, &base)
    }

    /// A workspace at the tip of the target; what an earlier attempt left in it
    /// goes to a rescue ref first. The inner error says what the user has to mend.
    fn prepare(
        &self,
        record: &WorkerRecord,
    ) -> Result<Result<(Workspace, Sha), NoPlace>, WorkerError> {
        let mut path = record.workspace_path.clone();
        let main = &self.project.repo;
        let local = main.resolve(&format!("refs/heads/{}", self.branch))?;
        let workspace = match self.open_workspace(record) {
            Ok(Some(workspace)) => workspace,
            Ok(None) => match self.create(&path, local.as_ref())? {
                Ok(workspace) => workspace,
                Err(reason) => return Ok(Err(NoPlace::Failed(reason))),
            },
            Err(WorkerError::Open(_)) => {
                path = self.move_elsewhere(&path)?;
                match self.create(&path, local.as_ref())? {
                    Ok(workspace) => workspace,
                    Err(reason) => return Ok(Err(NoPlace::Failed(reason))),
                }
            }
            Err(error) => return Err(error),
        };
        let tip = match self.fetch_patiently(&workspace) {
            Ok(tip) => tip.or(local),
            Err(no_place) => return Ok(Err(no_place)),
        };
        let Some(tip) = tip else {
            let reason = format!("the branch `{}` is gone", self.branch);
            return Ok(Err(NoPlace::Failed(reason)));
        };
        // What an earlier attempt left, compared with what it started from. A new
        // record, or one made anew, does not know that: then with where its history left
        // the target, for the clone of a checkout that is behind has nothing of its own.
        let started_from = match record.base_commit.as_deref().and_then(|sha| sha.parse().ok()) {
            None => match workspace.head()?.commit() {
                Some(head) => workspace.merge_base(head, &tip)?,
                None => None,
            },
            known => known,
        };
        self.keep_leftovers(&workspace, started_from.as_ref().unwrap_or(&tip))?;
        let books = Books::at(&workspace, &self.project.config.queue, &tip)?;
        let known = books::task_at(&workspace, &books, &tip, &self.task.id)?;
        let is_new = books != Books::Local && !self.is_known(&workspace, &tip, known.as_ref())?;
        if !is_new && known.is_some_and(|known| known.status.is_terminal()) {
            let before = self.known_before(&workspace, &tip)?;
            let is_again = before.is_some_and(|before| before.status.is_terminal());
            let how = if is_again { Finished::OpenedAgain } else { Finished::Elsewhere };
            return Ok(Err(NoPlace::Superseded(how)));
        }
        workspace.reset_clean(&tip)?;
        self.copy_env_files(&workspace)?;
        let base = tip.to_string();
        self.step(&WorkerStep::WorkspaceReady, |record| {
            record.base_commit = Some(base);
            own::remember(record, is_new.then_some(&self.task));
        })?;
        self.show_queue(&workspace, &tip)?;
        Ok(Ok((workspace, tip)))
    }

    /// Shows the agent its task in the queue of the workspace, which stands at `at`, where that does
    /// not have it, and keeps new tasks there from ids that the user was given.
    pub(super) fn show_queue(&self, workspace: &Workspace, at: &Sha) -> Result<(), WorkerError> {
        let books = Books::at(workspace, &self.project.config.queue, at)?;
        if let Books::Tracked { queue, .. } = &books
            && let Some(text) = own::shown(&self.claim.read()?, workspace, &books, at)?
        {
            books::write(&workspace.root().join(queue), &text)?;
        }
        let files = &self.project.queue;
        let marked = files.high_water().map_err(ralph_state::SaveError::from);
        let highest = marked.map_err(ReserveError::from)?.max(self.project.highest_number());
        let last = files.rules.ids.id(highest).map_err(ReserveError::from)?;
        let marks = IdMarks::path_in(workspace.common_dir());
        ids::remember(
            &marks,
            files.other_ids.as_ref(),
            &files.holder,
            files.lock_wait,
            [&last].into_iter(),
        )
        .map_err(ReserveError::from)?;
        Ok(())
    }

    /// Whether `known`, what the target has under the id of the task, is the task.
    fn is_known(
        &self,
        workspace: &Workspace,
        tip: &Sha,
        known: Option<&Task>,
    ) -> Result<bool, WorkerError> {
        let Some(known) = known else { return Ok(false) };
        if known.is_version_of(&self.task) {
            return Ok(true);
        }
        if known.created_at != self.task.created_at {
            return Ok(false);
        }
        // It may have another title here, or there: then both come from one that they had.
        Ok(self.known_before(workspace, tip)?.is_some())
    }

    /// What has the id of the task in the newest commit that both the checkout and the target have.
    fn known_before(&self, workspace: &Workspace, tip: &Sha) -> Result<Option<Task>, WorkerError> {
        let main = &self.project.repo;
        let Some(head) = main.head()?.commit().cloned() else { return Ok(None) };
        if workspace.resolve(head.as_str())?.is_none() {
            return Ok(None);
        }
        let Some(base) = workspace.merge_base(&head, tip)? else { return Ok(None) };
        let books = Books::at(workspace, &self.project.config.queue, &base)?;
        Ok(books::task_at(workspace, &books, &base, &self.task.id)?)
    }

    /// Another place for the workspace: what is at `taken` is none, or no longer
    /// one (of an older version, of another repository, of the user, damaged),
    /// and is left alone.
    pub(super) fn move_elsewhere(&self, taken: &Path) -> Result<PathBuf, WorkerError> {
        let place = taken.with_file_name(format!("{}-{}", self.claim.task(), self.claim.id()));
        self.project.tell(Event::Note(format!(
            "{}: `{}` is no workspace of this repository and stays as it is",
            self.task.id,
            taken.display()
        )));
        let elsewhere = place.clone();
        self.claim.update(|record| record.workspace_path = elsewhere)?;
        Ok(place)
    }

    /// The tip of the target. A fault that may pass is waited for; one that stays
    /// is not the task's.
    fn fetch_patiently(&self, workspace: &Workspace) -> Result<Option<Sha>, NoPlace> {
        for attempt in 1.. {
            let reason = match self.fetch(workspace) {
                Ok(fetched) => return Ok(fetched.tip),
                Err(FetchError::Git(GitError::Cancelled { .. })) => break,
                Err(error @ (FetchError::Transient { .. } | FetchError::Git(_))) => {
                    super::chain(&error)
                }
                Err(error) => return Err(NoPlace::Held(super::chain(&error))),
            };
            if attempt >= FETCHES {
                return Err(NoPlace::Held(reason));
            }
            // So that whoever watches knows what it waits for.
            if let Err(error) = self.claim.update(|record| record.last_error = Some(reason)) {
                return Err(NoPlace::Held(super::chain(&error)));
            }
            if self.project.cancel.wait_timeout(self.project.push_pause(attempt)) {
                break;
            }
        }
        Err(NoPlace::Stopped)
    }

    /// A new workspace at `path`, on a branch of its own.
    pub(super) fn create(
        &self,
        path: &Path,
        start: Option<&Sha>,
    ) -> Result<Result<Workspace, String>, WorkerError> {
        let Some(start) = start else {
            return Ok(Err(format!("the branch `{}` is gone", self.branch)));
        };
        let branch = format!("ralph/{}", self.claim.task());
        let remote = self.remote.as_ref();
        ralph_git::create_workspace(&self.project.repo, path, &branch, start, remote)
            .map(Ok)
            .map_err(|source| WorkerError::Workspace { path: path.to_owned(), source })
    }

    /// Puts everything in the workspace that `base` does not have under a rescue ref.
    pub(super) fn keep_leftovers(
        &self,
        workspace: &Workspace,
        base: &Sha,
    ) -> Result<(), WorkerError> {
        let message = landing::rescue_message(&self.task.id, &self.task.title);
        self.keep_as(workspace, base, &message)
    }

    /// The same of a turn that resolved a conflict or mended a red gate.
    pub(super) fn keep_landing_turn(
        &self,
        workspace: &Workspace,
        base: &Sha,
    ) -> Result<(), WorkerError> {
        let message = landing::landing_turn_message(&self.task.id, &self.task.title);
        self.keep_as(workspace, base, &message)
    }

    fn keep_as(&self, workspace: &Workspace, base: &Sha, message: &str) -> Result<(), WorkerError> {
        let config = &self.project.config.queue;
        let left_out = own::left_out(&self.claim.read()?, workspace, config, base)?;
        let head = workspace.head()?.commit().cloned();
        let snapshot = workspace.snapshot(&left_out, message, head.as_ref().or(Some(base)))?;
        if workspace.tree_of(snapshot.as_str())? != workspace.tree_of(base.as_str())? {
            let work = super::unwrapped(workspace, snapshot, head)?;
            let name = self.rescue(workspace, &work)?;
            self.project
                .tell(Event::Note(format!("{}: unfinished work is kept as {name}", self.task.id)));
        }
        self.keep_work_trees(workspace, base)
    }

    /// Keeps what is in work trees that the agent made inside its workspace: it is no part of the
    /// work that lands.
    fn keep_work_trees(&self, workspace: &Workspace, base: &Sha) -> Result<(), WorkerError> {
        for inner in workspace.inner_work_trees()? {
            let place = inner.root().strip_prefix(workspace.root()).unwrap_or(inner.root());
            let (task, place) = (&self.task.id, place.display());
            let message = format!("Left out of {task}: {place}");
            let work = inner.snapshot(&[], &message, inner.head()?.commit())?;
            if inner.tree_of(work.as_str())? != inner.tree_of(base.as_str())? {
                let from = workspace.root();
                let name = landing::rescue_from(from, &self.project.repo, task, &work)?;
                let note = format!("{task}: what is in its work tree `{place}` is kept as {name}");
                self.project.tell(Event::Note(note));
            }
        }
        Ok(())
    }

    /// Copies the user's git-ignored `.env` files, which a clone does not have.
    pub(super) fn copy_env_files(&self, workspace: &Workspace) -> Result<(), WorkerError> {
        for file in self.project.repo.ignored_env_files()? {
            if !workspace.is_ignored(&file)? {
                // There it would look new, and would be committed.
                continue;
            }
            let to = workspace.root().join(&file);
            if let Some(parent) = to.parent() {
                fs_err::create_dir_all(parent)?;
            }
            fs_err::copy(self.project.repo.root().join(&file), to)?;
        }
        Ok(())
    }

    /// One phase: turns until one succeeds or no attempt is left.
    fn phase(
        &self,
        workspace: &Workspace,
        base: &Sha,
        phase: Phase,
        plan: &mut Option<String>,
    ) -> Result<Turns, WorkerError> {
        let mut earlier: Option<String> = None;
        let mut session = None;
        let mut waits = 0;
        loop {
            let record = self.step(&WorkerStep::SpawnIntended, |record| {
                record.attempt.get_or_insert(1);
            })?;
            let mut place = self.place(&record, workspace, phase);
            place.resume = session.take();
            let report = self.turn(&place, &WorkerStep::Working, |brief| {
                let mut text = prompt::work(brief, phase, plan.as_deref());
                if let Some(reason) = &earlier {
                    prompt::after_failure(&mut text, reason);
                }
                text
            })?;
            if turn::lost_its_session(&report, &place) {
                self.project.tell(Event::Note(format!("{}: {}", self.task.id, report.outcome)));
                continue;
            }
            session = turn::session(&report, &place);
            let reason = match turn::failure_in(workspace, &report.outcome, &self.project.cancel)? {
                None => {
                    if phase == Phase::Plan {
                        *plan = report.final_text;
                    }
                    if let Some(reason) = turn::stated_reason(self.project, &place) {
                        self.claim.update(|record| record.no_change = Some(reason))?;
                    }
                    return Ok(Turns::Done);
                }
                Some(Failure::Interrupted) => return Ok(Turns::Stopped),
                Some(Failure::Final(reason)) => return Ok(Turns::Failed(reason)),
                Some(Failure::Machine(reason)) => return Ok(Turns::Held(reason)),
                Some(Failure::Limit(reason)) => return Ok(Turns::Limited(reason)),
                Some(Failure::Provider(reason)) if waits < turn::PROVIDER_WAITS => {
                    waits += 1;
                    self.project.tell(Event::Note(format!("{}: {reason}", self.task.id)));
                    earlier = Some(reason);
                    continue;
                }
                Some(Failure::Provider(reason) | Failure::Again(reason)) => reason,
            };
            let attempt = place.attempt;
            if attempt >= self.project.max_attempts() {
                return Ok(Turns::Failed(format!("{reason} ({attempt} attempts)")));
            }
            if report.session_id.is_none() {
                // Without a session the next attempt starts from a clean tree.
                self.keep_leftovers(workspace, base)?;
                workspace.reset_clean(base)?;
                self.show_queue(workspace, base)?;
            }
            self.project
                .tell(Event::Note(format!("{}: attempt {attempt} ended: {reason}", self.task.id)));
            self.claim.apply(&WorkerEvent::Reached(WorkerStep::SpawnIntended), |record| {
                record.attempt = Some(attempt + 1);
                record.last_error = Some(reason.clone());
            })?;
            earlier = Some(reason);
            let pause = self.project.backoff(attempt, self.project.seed());
            if self.project.cancel.wait_timeout(pause) {
                return Ok(Turns::Stopped);
            }
        }
    }

    /// The work as one commit on `base`, without Ralph's own files.
    fn commit(&self, workspace: Workspace, started: &Sha) -> Result<Worked, WorkerError> {
        // An agent may have gone back in history; its change is the difference
        // from where it then was, and the landing rebases it from there.
        let base = if super::land::stands_on(&workspace, started)? {
            Some(started.clone())
        } else {
            match workspace.head()?.commit() {
                Some(head) => workspace.merge_base(head, started)?,
                None => None,
            }
        };
        let Some(base) = base else {
            self.keep_leftovers(&workspace, started)?;
            return Ok(Worked::Failed(
                "the agent left a history that has nothing in common with the target".to_owned(),
            ));
        };
        let base = &base;
        let work = self.commit_work(&workspace, base, base)?;
        let changed = workspace.tree_of(work.as_str())? != workspace.tree_of(base.as_str())?;
        let record = self.claim.read()?;
        if !changed && record.no_change.is_none() && follow_ups(&record).is_empty() {
            return Ok(Worked::Failed(
                "the agent ended without a change and without a reason for none".to_owned(),
            ));
        }
        self.step(&WorkerStep::Committed, |record| {
            record.work_commit = Some(work.to_string());
            record.base_commit = Some(base.to_string());
            record.last_error = None;
            record.agent = None;
            if changed {
                record.no_change = None;
            } else if record.no_change.is_none() {
                record.no_change = Some("only new tasks were added to the queue".to_owned());
            }
        })?;
        Ok(Worked::Ready(workspace))
    }

    /// Commits the work tree on top of `onto`, and notes what the agent added to the queue.
    ///
    /// The queue files of the commit are those of `onto`: what the agent wrote into them, compared
    /// with what `seen` showed it, is a new task or a note, which are kept in the record and entered
    /// at landing, or not its business.
    pub(super) fn commit_work(
        &self,
        workspace: &Workspace,
        onto: &Sha,
        seen: &Sha,
    ) -> Result<Sha, WorkerError> {
        let mut left_out = runtime_paths(workspace.root());
        let books = Books::at(workspace, &self.project.config.queue, onto)?;
        left_out.extend(books.paths());
        // The configuration decides what a run does (its gate, say): an agent
        // that the run started has no say in it.
        left_out.push(PathBuf::from(".ralph"));
        self.keep_work_trees(workspace, seen)?;
        self.keep_settings(workspace, seen, &books.paths())?;
        self.keep_added(workspace, seen, &books)?;
        let subjects = match workspace.head()?.commit() {
            Some(head) => super::land::subjects(workspace, seen, head)?,
            None => Vec::new(),
        };
        let message = landing::message(&self.task, self.claim.id(), &subjects);
        Ok(workspace.commit_work(&left_out, &message, onto)?)
    }

    /// Keeps what the agent changed of Ralph's own settings, which does not land.
    fn keep_settings(
        &self,
        workspace: &Workspace,
        seen: &Sha,
        books: &[PathBuf],
    ) -> Result<(), WorkerError> {
        let now = settings::tree(workspace)?;
        let changed = settings::changed(workspace, seen, &now, books)?;
        if changed.is_empty() {
            return Ok(());
        }
        let names = settings::named(&changed);
        let message = format!("Left out of {}: {names}", self.task.id);
        let commit = workspace.commit_tree(&now, std::slice::from_ref(seen), &message)?;
        let repo = &self.project.repo;
        let name = landing::rescue_from(workspace.root(), repo, &self.task.id, &commit)?;
        let note = format!("the agent's change of {names} does not land; it is kept as {name}");
        self.project.tell(Event::Note(format!("{}: {note}", self.task.id)));
        self.claim.update(|record| {
            record.extra.set(LEFT_OUT, note);
        })?;
        Ok(())
    }

    /// Keeps in the record which tasks and notes the agent added to the queue of its workspace.
    fn keep_added(
        &self,
        workspace: &Workspace,
        seen: &Sha,
        books: &Books,
    ) -> Result<(), WorkerError> {
        let Books::Tracked { queue, done } = books else { return Ok(()) };
        let files = [queue, done];
        let record = self.claim.read()?;
        let mut before = [Vec::new(), Vec::new()];
        for (bytes, path) in before.iter_mut().zip(files) {
            *bytes = workspace.read_blob(seen.as_str(), path)?.unwrap_or_default();
        }
        if let Some(shown) = own::shown(&record, workspace, books, seen)? {
            before[0] = shown.into_bytes();
        }
        let after = files.map(|path| fs_err::read(workspace.root().join(path)).unwrap_or_default());
        if before == after {
            return Ok(());
        }
        let ids = &self.project.queue.rules.ids;
        let added = match Added::between(before, after, ids) {
            Ok(added) => added,
            Err(error) => {
                self.unreadable_edit(&error);
                return Ok(());
            }
        };
        let mut tasks = follow_ups(&record);
        let mut all = notes(&record);
        match added.notes {
            Ok(added) => {
                for (task, notes) in added {
                    let notes =
                        notes.iter().map(|note| self.project.redaction.text(note).into_owned());
                    all.entry(task).or_default().extend(notes);
                }
            }
            Err(error) => self.unreadable_edit(&error),
        }
        let mut new = added.tasks;
        // Their ids were given in the workspace, where nobody knows which ones the user was given.
        self.project.queue.reserve(&mut new, self.project.highest_number(), |id, high| {
            ids.number_of(id.as_str()).is_some_and(|number| number <= high)
        })?;
        tasks.extend(new);
        let tasks = (!tasks.is_empty()).then(|| follow_ups_text(&tasks));
        let notes = (!all.is_empty()).then(|| json!(all).to_string());
        self.claim.update(|record| {
            for (field, text) in [(FOLLOW_UPS, tasks), (NOTES, notes)] {
                if let Some(text) = text {
                    record.extra.set(field, text);
                }
            }
        })?;
        Ok(())
    }

    fn unreadable_edit(&self, error: &dyn std::error::Error) {
        let task = &self.task.id;
        let why = super::chain(error);
        self.project.tell(Event::Note(format!(
            "{task}: the agent's edit of the queue cannot be read: {why}"
        )));
    }
}

/// What an agent added to the queue.
struct Added {
    tasks: Vec<Task>,
    /// Those of tasks that were there. They need both files, tasks only that of the queue.
    notes: Result<Notes, TextError>,
}

impl Added {
    /// The queue and the done file as they were, and as they are; one that is not there is empty.
    fn between(
        before: [Vec<u8>; 2],
        after: [Vec<u8>; 2],
        ids: &IdRules,
    ) -> Result<Self, ParseError> {
        let ([queue, done], [queue_after, done_after]) = (before, after);
        let (queue, queue_after) = (decode(queue)?, decode(queue_after)?);
        let mut tasks = new_tasks(&queue, &queue_after, ids)?;
        // A task that was finished and is back in an older version is not new.
        if let Ok(finished) = decode(done.clone()).and_then(Document::parse) {
            let is_same = |old: &Task, task: &Task| {
                old.id == task.id && (old.title == task.title || old.created_at == task.created_at)
            };
            tasks.retain(|task| !finished.tasks().iter().any(|old| is_same(old, task)));
        }
        let notes = new_notes_between((&queue, done), (&queue_after, done_after));
        Ok(Self { tasks, notes })
    }
}

/// Of the text of a queue and the bytes of a done file, before and after.
fn new_notes_between(
    (queue, done): (&str, Vec<u8>),
    (queue_after, done_after): (&str, Vec<u8>),
) -> Result<Notes, TextError> {
    let read = |bytes: Vec<u8>| {
        let text = (!bytes.is_empty()).then(|| decode(bytes)).transpose();
        text.map_err(TextError::Done)
    };
    let (done, done_after) = (read(done)?, read(done_after)?);
    let base = Texts { queue, done: done.as_deref() };
    new_notes(base, Texts { queue: queue_after, done: done_after.as_deref() })
}

/// Where the record keeps notes that the agent added to tasks: JSON, by their ids.
pub(crate) const NOTES: &str = "notes";

/// The notes an agent added to tasks that were there while it worked on `record`.
pub(super) fn notes(record: &WorkerRecord) -> Notes {
    let text = record.extra.get(NOTES).and_then(|value| value.as_str());
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Where the record says what of the agent's work was left out, and where that is kept.
pub(crate) const LEFT_OUT: &str = "left_out";

/// Where the record keeps tasks that the agent added: the text of a queue file.
pub(crate) const FOLLOW_UPS: &str = "follow_ups";

/// The tasks an agent added to the queue while it worked on `record`.
pub(super) fn follow_ups(record: &WorkerRecord) -> Vec<Task> {
    let text = record.extra.get(FOLLOW_UPS).and_then(|value| value.as_str());
    let document = text.and_then(|text| Document::parse(text).ok());
    document.map(|document| document.tasks().to_vec()).unwrap_or_default()
}

/// The same as the record keeps them.
pub(super) fn follow_ups_text(tasks: &[Task]) -> String {
    json!({ "version": Document::VERSION, "tasks": tasks }).to_string()
}

/// The phases of a run with `count` turns for a task.
pub(crate) fn phases(count: u8) -> &'static [Phase] {
    match count {
        0 | 1 => &[Phase::Implement],
        2 => &[Phase::Plan, Phase::Implement],
        _ => &[Phase::Plan, Phase::Implement, Phase::Review],
    }
}
