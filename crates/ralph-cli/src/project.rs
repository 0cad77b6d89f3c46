//! What a command is about: the repository, its configuration and its queue.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ralph_config::trust::TrustStore;
use ralph_config::{Config, Overrides, QueueConfig, Resolved, Sources};
use ralph_git::{DiscoverError, GitEnv, Head, Repo};
use ralph_loop::landing::TASK_TRAILER;
use ralph_loop::other_ids;
use ralph_loop::select::Standing;
use ralph_loop::taken_back::{self, Site};
use ralph_process::Cancel;
use ralph_queue::delta::{Fate, Touched};
use ralph_queue::document::Reading;
use ralph_queue::journal::{self, ChangesError, Direction, Operation, Origin, UndoError, Which};
use ralph_queue::lease::{By, Lease, LeaseError, Leases, Write};
use ralph_queue::mend::{Mended, Parted};
use ralph_queue::merge::Settled;
use ralph_queue::runnability::{DoingFirst, Drafts, Selection};
use ralph_queue::settle::{Take, Undecided};
use ralph_queue::validate::{Code, Rules};
use ralph_queue::{
    Document, Edit, EditError, Edited, IdMarks, IdRules, LegacyLock, LoadError, OtherIds,
    ParseError, Place, Previewed, Queue, QueueFiles, Status, Task, Terms, UpdateError, WrongValues,
};
use ralph_state::file::{Saved, check_regular};
use ralph_state::session::{SessionFile, session_file_path};
use ralph_state::{Clock as _, Store, TaskId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::{CliError, ErrorKind, problem_line};
use crate::hint::{Hint, Next};
use crate::render::task::parted;
use crate::render::{counted, pathspec, shell_word};
use crate::standing;
use crate::ui::{BOLD, Text, Ui};

/// What the journal calls an edit that began a task under a claim.
pub(crate) const CLAIM: &str = "ralph queue claim";

/// What it calls one that put such a task back.
pub(crate) const RELEASE: &str = "ralph queue release";

/// How many operations are tried for one that can be taken back.
const TRIED: usize = 10;

/// The directory of Ralph's files in a repository.
pub(crate) const RALPH_DIR: &str = ".ralph";

/// A repository with its configuration, found from where the user stands.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    pub(crate) settings: Resolved,
    pub(crate) files: QueueFiles,
    /// The value of `PATH`, to ask git with.
    search_path: Option<OsString>,
    /// Who may write to which task.
    pub(crate) leases: Store<Leases>,
    /// The tokens of the leases that this command writes under.
    pub(crate) claims: Vec<String>,
    /// The task that this command only adds a note to, which no claim holds back.
    pub(crate) noted: Option<String>,
}

impl Project {
    /// Finds the repository and reads its configuration with nothing laid over it.
    pub(crate) fn open(context: &Context, command: &str) -> Result<Self, CliError> {
        Self::open_with(context, command, &Overrides::default())
    }

    /// Finds the repository and reads its configuration. `command` names us to
    /// whoever meets our locks.
    pub(crate) fn open_with(
        context: &Context,
        command: &str,
        overrides: &Overrides,
    ) -> Result<Self, CliError> {
        let directory = context.directory()?;
        let root = root(&directory)?;
        let settings = ralph_config::load(&sources(context, &root), overrides)?;
        for warning in &settings.warnings {
            context.ui.warn(warning);
        }
        let files = shared_queue_files(context, command, &root, &settings.config)?;
        let leases = Store::new(Leases::path_in(&shared_dir(&root)), files.holder.clone())
            .lock_wait(files.lock_wait)
            .like(&files.queue);
        let search_path = context.env.get("PATH").map(OsString::from);
        let claims = context.claims();
        Ok(Self { root, settings, files, search_path, leases, claims, noted: None })
    }

    /// Reads both files of the queue, without a lock.
    pub(crate) fn queue(&self) -> Result<Queue, CliError> {
        self.files.load().map_err(|error| self.load_error(error))
    }

    /// The same, for a command that looks at every task.
    pub(crate) fn whole_queue(&self) -> Result<Queue, CliError> {
        self.files.load_for(Reading::Whole).map_err(|error| self.load_error(error))
    }

    /// What to do where changes cannot be told.
    pub(crate) fn changes_error(&self, error: ChangesError) -> CliError {
        match error {
            ChangesError::Load(error) => self.load_error(error),
            error => error.into(),
        }
    }

    /// The task with that id, or an error that names similar ones.
    pub(crate) fn find<'q>(
        &self,
        queue: &'q Queue,
        id: &str,
    ) -> Result<(Place, &'q Task), CliError> {
        queue.find(id).ok_or_else(|| not_found(queue, id, &self.files.rules.ids))
    }

    /// The same, for who does something to it: not by an id that it had before.
    pub(crate) fn with_id<'q>(
        &self,
        queue: &'q Queue,
        id: &str,
    ) -> Result<(Place, &'q Task), CliError> {
        queue.with_id(id).ok_or_else(|| not_found(queue, id, &self.files.rules.ids))
    }

    /// Changes the queue under its lock, and says so when the system does not
    /// confirm the save. Tasks that are claimed change only under their claim.
    pub(crate) fn edit<R: Serialize + DeserializeOwned>(
        &self,
        context: &Context,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, Refusal>,
    ) -> Result<Edited<R>, CliError> {
        self.change(context, change).map_err(|error| self.refused(error))
    }

    /// What [`Self::edit`] answered to this request before.
    pub(crate) fn answer<R: DeserializeOwned>(
        &self,
        context: &Context,
    ) -> Result<Option<R>, CliError> {
        Ok(self.files.answer(&context.terms())?)
    }

    /// [`Self::edit`], for who has more to say about a refusal.
    pub(crate) fn change<R: Serialize + DeserializeOwned>(
        &self,
        context: &Context,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, Refusal>,
    ) -> Result<Edited<R>, UpdateError<Refusal>> {
        let guarded = self.guarded(context, change);
        let edited = self.files.edit_on(&context.clock, &context.terms(), guarded)?;
        self.saved(context, edited, By::Edit)
            .map_err(|error| UpdateError::Refused(Refusal::Command(error)))
    }

    /// What [`Self::change`] would do.
    pub(crate) fn preview<R>(
        &self,
        context: &Context,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, Refusal>,
    ) -> Result<Previewed<R>, UpdateError<Refusal>> {
        let guarded = self.guarded(context, change);
        self.files.preview_on(context.clock.now(), &context.terms(), guarded)
    }

    /// A change that may be made to the tasks that it touches.
    fn guarded<R>(
        &self,
        context: &Context,
        change: impl FnOnce(&mut Edit<'_>) -> Result<R, Refusal>,
    ) -> impl FnOnce(&mut Edit<'_>) -> Result<R, Refusal> {
        move |edit| {
            let value = change(edit);
            let touched = edit.touched();
            let ids = touched.iter().map(|touched| touched.id.clone());
            // Also where nothing is to change, or nothing can: who is told so believes it of the
            // task that is claimed.
            let ids: Vec<TaskId> = ids.chain(edit.named()).collect();
            self.meant(edit.read(), &ids)?;
            let value = value?;
            if !context.global.claim.is_empty() {
                self.leases_in(edit.read())?.own(&touched, &self.claims)?;
            }
            self.may_change(context, (edit.read(), &touched), edit.now())?;
            Ok(value)
        }
    }

    /// Takes back an edit or an undo, as [`QueueFiles::undo`].
    pub(crate) fn undo(&self, context: &Context, which: Which) -> Result<Edited<u64>, CliError> {
        let permit = self.undo_permit(context);
        let undone = self.files.undo(&context.clock, which, &context.terms(), permit);
        let undone = undone.map_err(|error| self.not_undone(context, error))?;
        self.saved(context, undone, By::Undo)
    }

    /// What [`Self::undo`] would do.
    pub(crate) fn preview_undo(
        &self,
        context: &Context,
        which: Which,
    ) -> Result<Previewed<u64>, CliError> {
        let permit = self.undo_permit(context);
        let shown = self.files.preview_undo(which, &context.terms(), permit);
        shown.map_err(|error| self.not_undone(context, error))
    }

    fn undo_permit(
        &self,
        context: &Context,
    ) -> impl Fn(&Queue, &Operation, &[Touched]) -> Result<(), Refusal> {
        |before, edit, touched| {
            let now = context.clock.now();
            self.may_undo(edit, (before, touched), now)?;
            Ok(self.may_change(context, (before, touched), now)?)
        }
    }

    /// Whether it leaves no task claimed that is put back, and none begun that nobody has.
    fn may_undo(
        &self,
        edit: &Operation,
        (before, touched): (&Queue, &[Touched]),
        now: Timestamp,
    ) -> Result<(), CliError> {
        let ids: Vec<TaskId> = touched.iter().map(|touched| touched.id.clone()).collect();
        if let Err(error) = self.leases_in(before)?.permit(&ids, &self.claims, now) {
            let hint = match &error {
                LeaseError::Held { task, .. } => Some(format!(
                    "If the claim is yours, `ralph queue release {task} --claim TOKEN` gives the \
                     task back; with `--claim TOKEN` this command does what it was asked for."
                )),
                _ => None,
            };
            let error = CliError::from(error);
            return Err(hint.into_iter().fold(error, CliError::instead));
        }
        let is_claim = [CLAIM, RELEASE].contains(&edit.operation.as_str());
        let begins = |task: &&Touched| task.status == Some(Status::Doing);
        let Some(Touched { id, .. }) = touched.iter().find(begins).filter(|_| is_claim) else {
            return Ok(());
        };
        let message = format!("the claim of {id} has ended, and nobody would have the task");
        Err(CliError::new(ErrorKind::Refused, message)
            .context("nothing was changed")
            .hint(Next::claim(id).within("{} takes it again.")))
    }

    fn not_undone(&self, context: &Context, error: UpdateError<Refusal>) -> CliError {
        match error {
            UpdateError::Refused(Refusal::Undo(UndoError::NotAsked {
                id,
                operation,
                origin: Origin::Run,
                tasks,
            })) => {
                let landed: Vec<String> =
                    tasks.iter().map(|task| self.with_commit(context, task)).collect();
                let message = format!(
                    "operation {id} is what `{operation}` made of {}: without it, the work would be \
                     done again",
                    landed.join(", ")
                );
                CliError::new(ErrorKind::Refused, message)
                    .hint("`ralph task status todo ID` opens a task again; `--force` undoes it all the same.")
            }
            error @ UpdateError::Invalid { .. } => {
                CliError::from(error).instead(Next::UNDOABLE.within(
                    "Nothing was changed. Undo first what came after it: {} shows it. `--force` \
                     undoes it all the same, and leaves the queue with these errors.",
                ))
            }
            UpdateError::Refused(Refusal::Undo(error)) => self.not_taken_back(context, error),
            UpdateError::Load(error) => self.load_error(error),
            error => error.into(),
        }
    }

    /// The refusal of an undo. It names the operation to undo first or, where a merge, a person or a
    /// run changed what it would change back, or the files never had it, what else can be done.
    fn not_taken_back(&self, context: &Context, error: UndoError) -> CliError {
        let (UndoError::ChangedSince { id, .. } | UndoError::Missing { id, .. }) = &error else {
            return error.into();
        };
        let files = QueueFiles { values: WrongValues::Leave, ..self.files.clone() };
        let Ok(queue) = files.load() else { return error.into() };
        let Ok(operations) = files.operations_of(&queue) else { return error.into() };
        let can_be = |it: &&Operation| {
            let which = Which { direction: Direction::Undo, id: Some(it.id), force: false };
            let permit = self.undo_permit(context);
            self.files.preview_undo(which, &Terms::default(), permit).is_ok()
        };
        let earlier = || journal::before(&operations, *id).take(TRIED).find(can_be);
        let UndoError::ChangedSince { place, misfit, .. } = &error else {
            let hint = earlier().map(|it| {
                format!(
                    "`ralph undo --id {}` takes back the one before it, `{}`.",
                    it.id, it.operation
                )
            });
            return hint.into_iter().fold(CliError::from(error), CliError::hint);
        };
        let task = misfit.task.as_ref();
        let Some(way) = journal::in_the_way(&operations, (&queue, *place), *id, task) else {
            return error.into();
        };
        let frees = |it: &&&Operation| self.files.frees((it.id, *id), self.undo_permit(context));
        let run = way.same.iter().rfind(|it| it.origin == Origin::Run);
        // What was changed otherwise is only told where no operation can be the cause.
        let others = if way.is_changed_otherwise { &[][..] } else { &way.others };
        let mut likely = way.same.iter().chain(others).filter(|_| run.is_none());
        let first = way.same.iter().chain(&way.others).take(TRIED).find(frees);
        if let Some(first) = first.or_else(|| likely.clone().take(TRIED).find(|it| can_be(it))) {
            let hint = format!(
                "{} came after it. `ralph undo --id {}` undoes that first; {{}} shows what it would \
                 do.",
                numbered(first),
                first.id
            );
            return CliError::from(error).instead(Next::foretell_undo(first.id).within(&hint));
        }
        if let Some(first) = likely.next() {
            return CliError::from(error).instead(format!(
                "{} came after it; `ralph undo --id {}` says why that is not undone.",
                numbered(first),
                first.id
            ));
        }
        if run.is_none() && (!way.is_changed_otherwise || way.operation.undoes.is_some()) {
            return error.into();
        }
        let other = match earlier() {
            Some(Operation { id, operation, .. }) => format!(
                "`ralph undo --id {id}` takes back the last one that can be, `{operation}`."
            )
            .into(),
            None => Next::UNDOABLE.within("{} shows the others."),
        };
        let hint = instead_of_undo(&queue, way.operation, task, run.copied());
        CliError::from(error).instead(hint).hint(other)
    }

    /// A task, with the commit that it landed as.
    fn with_commit(&self, context: &Context, task: &TaskId) -> String {
        let find = |repo: Repo| repo.find_trailer("HEAD", TASK_TRAILER, task.as_str()).ok()?;
        match context.repo(&self.root).ok().and_then(find) {
            Some(commit) => format!("{task} (landed as {})", commit.short()),
            None => task.to_string(),
        }
    }

    /// Puts in order what a merge left; of no request, and nothing to undo.
    pub(crate) fn mend(
        &self,
        context: &Context,
        settled: &Settled,
    ) -> Result<Edited<()>, CliError> {
        let files = QueueFiles { origin: Origin::Merge, ..self.files.clone() };
        let mended = files.edit(&context.clock, put_in_order(settled))?;
        self.saved(context, mended, By::Edit)
    }

    /// What [`Self::mend`] would do to this queue, were it in the files, and the ids up to that
    /// number remembered.
    pub(crate) fn preview_mended(
        &self,
        context: &Context,
        (before, high_water): (Queue, u64),
        settled: &Settled,
    ) -> Result<Previewed<()>, CliError> {
        let mut files = QueueFiles { origin: Origin::Merge, ..self.files.clone() };
        files.rules.ids.high_water = files.rules.ids.high_water.max(high_water);
        Ok(files.preview_of(before, context.clock.now(), put_in_order(settled))?)
    }

    /// Settles places in conflict, as [`QueueFiles::settle`].
    pub(crate) fn settle_conflicts(
        &self,
        context: &Context,
        terms: &Terms,
        asked: &[(Place, Undecided)],
        side: Take,
    ) -> Result<Edited<()>, CliError> {
        let permit = |before: &Queue, touched: &[Touched]| {
            self.may_change(context, (before, touched), context.clock.now())
        };
        let edited = self.files.settle(&context.clock, terms, (asked, side), permit);
        self.saved(context, edited.map_err(not_settled)?, By::Edit)
    }

    /// What [`Self::settle_conflicts`] would do to this queue, were it in the files.
    pub(crate) fn preview_settled(
        &self,
        context: &Context,
        before: Queue,
        asked: &[(Place, Undecided)],
        side: Take,
    ) -> Result<Previewed<()>, CliError> {
        let now = context.clock.now();
        let permit =
            |before: &Queue, touched: &[Touched]| self.may_change(context, (before, touched), now);
        let shown = self.files.preview_settle(before, now, (asked, side), permit);
        shown.map_err(not_settled)
    }

    fn saved<R>(
        &self,
        context: &Context,
        mut edited: Edited<R>,
        by: By,
    ) -> Result<Edited<R>, CliError> {
        if let Some(aside) = edited.set_aside.take() {
            context.ui.warn(format_args!(
                "the journal could not be read; it is kept as {}, and what was done before cannot be undone",
                self.shown(&aside)
            ));
        }
        for saved in [&mut edited.queue, &mut edited.done] {
            context.ui.saved(std::mem::replace(saved, Saved::Unchanged));
        }
        for Parted { was, id, status } in &edited.mended.parted {
            let which = which_parted(*status);
            context.ui.warn(format_args!(
                "`{was}` was the id of two tasks, as a merge leaves it; the one that is {which} is {id} now"
            ));
        }
        for id in &edited.mended.healed {
            context.ui.warn(format_args!(
                "{id} was in both files, as a merge or a crash leaves it; it is finished, and what was \
                 new in the queue file is kept with it"
            ));
        }
        if edited.errors > 0 {
            context.ui.warn(format_args!(
                "the queue has {}; `ralph queue validate` lists what is wrong",
                counted(edited.errors, "error")
            ));
        }
        for Touched { id, released, .. } in &edited.tasks {
            if !released.is_empty() {
                let released: Vec<&str> = released.iter().map(TaskId::as_str).collect();
                context.ui.warn(format_args!(
                    "{id} is rejected, which counts as finished; no longer waiting for it: {}",
                    released.join(", ")
                ));
            }
        }
        let before = &edited.before;
        let settled = if edited.is_repeated {
            // A crash may have come between the edit and what follows it; or others have gone on.
            let standing = edited.tasks.iter().filter(|touched| touched.stands_in(before));
            self.settle(context, (before, &standing.cloned().collect::<Vec<_>>()), by)
        } else {
            self.settle(context, (before, &edited.tasks), by)
        };
        // Not busy, whoever holds the leases: asked again, the change would be made again.
        settled.map_err(|error| {
            error
                .because(ErrorKind::Io)
                .context("the queue is changed, but not what claims there are")
                .instead(
                    "What was asked for is done and not to be repeated; `task done` alone, asked \
                     again, ends the claim.",
                )
        })?;
        Ok(edited)
    }

    /// The refusal of a change as the user is told of it.
    pub(crate) fn refused(&self, error: UpdateError<Refusal>) -> CliError {
        match error {
            UpdateError::Refused(Refusal::Edit(EditError::NotFound { id })) => match self.queue() {
                Ok(queue) => not_found(&queue, &id, &self.files.rules.ids),
                Err(error) => error,
            },
            UpdateError::Refused(Refusal::Edit(EditError::AmbiguousId { id, lines })) => {
                let place = |(place, line): &(Place, usize)| {
                    format!("{}:{line}", self.shown(self.files.path(*place)))
                };
                let places: Vec<String> = lines.iter().map(place).collect();
                let message =
                    format!("the id `{id}` is that of several tasks: {}", places.join(", "));
                CliError::new(ErrorKind::Refused, message)
                    .context("nothing was changed")
                    .hint(parted())
            }
            UpdateError::Refused(Refusal::Edit(EditError::Archived { id, status })) => {
                let hint = self.queue().ok().and_then(|queue| renumbered(&queue, &id));
                let error = CliError::from(EditError::Archived { id, status });
                match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
            UpdateError::Load(error) => self.load_error(error),
            UpdateError::Invalid { problems }
                if problems.iter().all(|problem| problem.code == Code::UnknownTask) =>
            {
                let lines: Vec<String> = problems.iter().map(problem_line).collect();
                CliError::new(ErrorKind::NotFound, lines.join("\n"))
                    .context("nothing was changed")
                    .hint(Next::ALL_TASKS.within("{} shows all tasks."))
            }
            UpdateError::Invalid { problems }
                if problems.iter().all(|problem| {
                    matches!(problem.code, Code::UnknownTask | Code::SelfReference)
                }) =>
            {
                let lines: Vec<String> = problems.iter().map(problem_line).collect();
                CliError::new(ErrorKind::Usage, lines.join("\n"))
                    .context("nothing was changed")
                    .hint("Name another task.")
            }
            error => error.into(),
        }
    }

    /// Every lease of the repository, as it is now.
    pub(crate) fn read_leases(&self) -> Result<Leases, CliError> {
        Ok(self.leases.load()?.map(|loaded| loaded.value).unwrap_or_default())
    }

    /// The same, each with the id that its task has in `queue`.
    pub(crate) fn leases_in(&self, queue: &Queue) -> Result<Leases, CliError> {
        let mut leases = self.read_leases()?;
        leases.follow(queue);
        Ok(leases)
    }

    /// The same, without the ends that this work tree has taken back.
    pub(crate) fn leases_for(&self, queue: &Queue) -> Result<Leases, CliError> {
        let mut leases = self.read_leases()?;
        self.heed_taken_back(&mut leases, queue);
        Ok(leases)
    }

    /// Makes of leases what they are for this work tree.
    pub(crate) fn heed_taken_back(&self, leases: &mut Leases, queue: &Queue) {
        let (root, shared) = (&self.root, &shared_dir(&self.root));
        taken_back::heed(leases, queue, &Site { root, shared, files: &self.files }, || self.repo());
    }

    /// Forgets that open tasks ended under a claim: somebody asks for them. Returns those of which
    /// that was known.
    pub(crate) fn forget_ends(
        &self,
        context: &Context,
        (queue, tasks): (&Queue, &[TaskId]),
    ) -> Result<Vec<TaskId>, CliError> {
        let is_known = |lease: &Lease| {
            lease.finished_at.is_some() && lease.id().is_some_and(|id| tasks.contains(id))
        };
        if tasks.is_empty() || !self.leases_in(queue)?.leases.iter().any(is_known) {
            return Ok(Vec::new());
        }
        let forgotten = self.leases.update(|leases| {
            leases.follow(queue);
            let tasks = tasks.iter().filter(|task| leases.forget_end(task));
            Ok::<_, CliError>(tasks.cloned().collect())
        })?;
        context.ui.saved(forgotten.saved);
        Ok(forgotten.value)
    }

    /// The task that a run in the checkout has not ended, and that the next one goes on with.
    pub(crate) fn open_session(&self) -> Result<Option<String>, CliError> {
        Ok(self.session()?.map(|session| session.task_id))
    }

    /// The session of a serial run, if there is one.
    pub(crate) fn session(&self) -> Result<Option<SessionFile>, CliError> {
        let path = session_file_path(&self.root);
        let session = Store::<SessionFile>::new(path, self.files.holder.clone()).load()?;
        Ok(session.map(|session| session.value))
    }

    /// Whether tasks may become what a change makes of them: they are claimed by nobody else, and
    /// how those end that a run has in hand is for that run to write. An agent may say it of the
    /// task of its own turn, and of no other.
    fn may_change(
        &self,
        context: &Context,
        (before, touched): (&Queue, &[Touched]),
        now: Timestamp,
    ) -> Result<(), CliError> {
        let is_noted = |touched: &Touched| {
            touched.fate == Fate::Changed
                && touched.status.is_none()
                && self.noted.as_deref() == Some(touched.id.as_str())
        };
        let changed = touched.iter().filter(|touched| !is_noted(touched));
        let ids: Vec<TaskId> = changed.map(|touched| touched.id.clone()).collect();
        self.permit(before, &ids, now)?;
        let own = context.env.text("RALPH_TASK_ID");
        let ends = |touched: &&Touched| {
            let becomes_another = touched.status.is_some() || touched.fate == Fate::Removed;
            becomes_another && own != Some(touched.id.as_str())
        };
        let ends = touched.iter().filter(ends).map(|touched| touched.id.clone()).collect();
        standing::in_nobodys_hand(self, &ends)?;
        match own.and_then(|own| own.parse().ok()) {
            Some(own) => standing::in_no_turn(context, self, &own, &ends),
            None => Ok(()),
        }
    }

    /// Asked under the lock of the queue: who takes a lease over has to pass it
    /// too before they begin.
    pub(crate) fn permit(
        &self,
        before: &Queue,
        touched: &[TaskId],
        now: Timestamp,
    ) -> Result<(), CliError> {
        Ok(self.leases_in(before)?.permit(touched, &self.claims, now)?)
    }

    /// Whether a command that names these tasks can mean them under its claims.
    pub(crate) fn meant(&self, before: &Queue, named: &[TaskId]) -> Result<(), CliError> {
        if self.claims.is_empty() {
            return Ok(());
        }
        Ok(self.leases_in(before)?.meant(named, &self.claims)?)
    }

    /// Renews the claims of this command, or ends them with their tasks, as far as
    /// the command did that to those that the queue had before.
    pub(crate) fn settle(
        &self,
        context: &Context,
        (before, touched): (&Queue, &[Touched]),
        by: By,
    ) -> Result<(), CliError> {
        if !self.leases_in(before)?.concern(touched, &self.claims) {
            return Ok(());
        }
        let settled = self.leases.update(|leases| {
            let tree = taken_back::name(&self.root);
            let mut open = Vec::new();
            if leases.leases.iter().any(|lease| lease.is_ended_in(&tree)) {
                let queue = self.queue()?;
                // What an undo brought back, git did not.
                if by == By::Edit {
                    self.heed_taken_back(leases, &queue);
                }
                open = leases.ended_in(&tree, &queue);
            }
            let (tokens, now) = (&self.claims, context.clock.now());
            let (tree, open) = (&tree, &open);
            leases.settle(Write { touched, before, tokens, tree, open, by, now });
            Ok::<_, CliError>(())
        })?;
        context.ui.saved(settled.saved);
        Ok(())
    }

    /// What the configuration makes of a finished task.
    pub(crate) fn finish(&self) -> ralph_queue::Finish {
        match self.settings.config.queue.finish {
            ralph_config::Finish::Archive => ralph_queue::Finish::Archive,
            ralph_config::Finish::InPlace => ralph_queue::Finish::InPlace,
        }
    }

    /// `path` as a person would write it: below the repository when it is there.
    pub(crate) fn shown<'p>(&self, path: &'p Path) -> std::path::Display<'p> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }

    /// What to do about a queue that cannot be read.
    pub(crate) fn load_error(&self, error: LoadError) -> CliError {
        load_error(&self.root, &self.files, self.repo().ok().as_ref(), error)
    }

    /// The repository, as git has it.
    fn repo(&self) -> Result<Repo, DiscoverError> {
        let git = GitEnv { path: self.search_path.clone(), ..GitEnv::default() };
        Repo::discover(&self.root, git, Cancel::new())
    }
}

/// What to do about a queue below `root` that cannot be read. 0.4.0 and older may have left it
/// under its old name; git may have it.
pub(crate) fn load_error(
    root: &Path,
    files: &QueueFiles,
    repo: Option<&Repo>,
    error: LoadError,
) -> CliError {
    let advice = match &error {
        LoadError::Missing { path } => {
            let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
            if let Some(error) = astray(root, path) {
                return error;
            }
            if let Some(old) = old_name(path) {
                return renamed(shown(&old), shown(path)).at(old);
            }
            in_git(repo, path).or_else(|| {
                let found = named_queue(root, files).find(|found| found != path)?;
                let (found, missing) = (shown(&found), shown(path));
                Some(format!(
                    "`{found}` may be it: move it to `{missing}`, or set `queue.file` to where it is."
                ))
            })
        }
        LoadError::Parse {
            path,
            source: ParseError::Empty | ParseError::NotUtf8 { .. } | ParseError::Syntax { .. },
            ..
        } => repo.and_then(|repo| copies(repo, &name_in(repo, path)?)),
        _ => None,
    };
    let error = CliError::from(error);
    match advice {
        Some(advice) => error.instead(advice),
        None => error,
    }
}

/// That `path`, below `root`, leads by a symbolic link to nothing: what it was is elsewhere, on a
/// disk that is not mounted say, and nobody makes an empty one in its place.
pub(crate) fn astray(root: &Path, path: &Path) -> Option<CliError> {
    let below = path.ancestors().take_while(|part| *part != root);
    let link = below.into_iter().find(|part| part.is_symlink() && !part.exists())?;
    let target = fs_err::read_link(link).ok()?;
    let shown = link.strip_prefix(root).unwrap_or(link).display();
    let message = format!("`{shown}` is a link to `{}`, which is not there", target.display());
    let hint = "Bring back what it leads to, or mount what that is on; only if you want to begin \
                anew, remove the link.";
    Some(CliError::new(ErrorKind::Missing, message).hint(hint).at(link.to_owned()))
}

/// What git calls a file, however the path leads to it, and whether it is there or not; nothing if
/// it is outside of the repository.
pub(crate) fn name_in(repo: &Repo, path: &Path) -> Option<PathBuf> {
    let (above, real) =
        path.ancestors().find_map(|above| Some((above, fs_err::canonicalize(above).ok()?)))?;
    let real = real.join(path.strip_prefix(above).ok()?);
    // Joined with nothing, a path ends with a slash.
    Some(real.strip_prefix(repo.root()).ok()?.components().collect())
}

/// What git has of a file that has to be corrected by hand.
fn copies(repo: &Repo, path: &Path) -> Option<String> {
    let shown = pathspec(path);
    let is_committed = repo.resolve("HEAD").ok()?.is_some()
        && repo.read_blob("HEAD", path).is_ok_and(|blob| blob.is_some());
    let what = if is_committed {
        format!("`git log -p -- {shown}` shows what it was")
    } else if repo.is_tracked(path).ok()? {
        format!("`git diff -- {shown}` shows what it was")
    } else {
        "git has no copy of it".to_owned()
    };
    Some(format!("Correct it by hand; {what}."))
}

/// How git brings a file back that is missing.
fn in_git(repo: Option<&Repo>, missing: &Path) -> Option<String> {
    let repo = repo?;
    let path = &name_in(repo, missing)?;
    let shown = pathspec(path);
    if repo.is_tracked(path).ok()? {
        return Some(format!(
            "`git checkout -- {shown}` brings it back; `ralph init` would make an empty one."
        ));
    }
    let branches = repo.branches_with(path).ok()?;
    let is_here =
        |name: &String| matches!(repo.head(), Ok(Head::Branch { name: here, .. }) if here == *name);
    Some(if branches.iter().any(is_here) {
        format!(
            "`git checkout HEAD -- {shown}` brings it back; `ralph init` would make an empty one."
        )
    } else {
        let branch = branches.first()?;
        format!(
            "The branch `{branch}` has it: `git switch {}`; `ralph init` would make an empty one \
             here.",
            shell_word(branch)
        )
    })
}

/// Which open task had the id of a finished one before.
fn renumbered(queue: &Queue, id: &TaskId) -> Option<String> {
    let had_it = |task: &&Task| task.former_ids().any(|old| old == id.as_str());
    let renumbered = queue.tasks().find(had_it)?;
    Some(format!("The open task that had this id is {} now.", renumbered.id))
}

/// Why a change was not made.
pub(crate) enum Refusal {
    Edit(EditError),
    Undo(UndoError),
    Lease(LeaseError),
    /// By the command itself, for what only it knows.
    Command(CliError),
}

impl From<EditError> for Refusal {
    fn from(error: EditError) -> Self {
        Self::Edit(error)
    }
}

impl From<LeaseError> for Refusal {
    fn from(error: LeaseError) -> Self {
        Self::Lease(error)
    }
}

impl From<CliError> for Refusal {
    fn from(error: CliError) -> Self {
        Self::Command(error)
    }
}

impl From<UndoError> for Refusal {
    fn from(error: UndoError) -> Self {
        Self::Undo(error)
    }
}

impl From<Refusal> for CliError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Edit(error) => error.into(),
            Refusal::Undo(error) => error.into(),
            Refusal::Lease(error) => error.into(),
            Refusal::Command(error) => error,
        }
    }
}

/// The nearest directory, from `start` upwards, that has a `.ralph` or a `.git`.
pub(crate) fn find_root(start: &Path) -> Option<&Path> {
    start.ancestors().find(|dir| dir.join(RALPH_DIR).is_dir() || dir.join(".git").exists())
}

/// [`find_root`], or the error that there is none.
pub(crate) fn root(start: &Path) -> Result<PathBuf, CliError> {
    Ok(find_root(start).ok_or_else(|| no_project(start))?.to_owned())
}

/// The configuration files of a repository, from weak to strong.
pub(crate) fn sources(context: &Context, root: &Path) -> Sources {
    Sources {
        global: context.env.config_dir().map(|dir| dir.join("config.jsonc")),
        project: root.join(RALPH_DIR).join("config.jsonc"),
    }
}

/// The user's record of trusted repositories.
pub(crate) fn trust_store(context: &Context, command: &str) -> Result<TrustStore, CliError> {
    let dir = context.env.config_dir().ok_or_else(|| {
        CliError::new(ErrorKind::Missing, "no directory for the user's configuration is known")
            .hint("Set `HOME` or `XDG_CONFIG_HOME`.")
    })?;
    Ok(TrustStore::new(&dir, context.holder(command)))
}

/// The queue of a repository, with what edits of it leave behind for others.
pub(crate) fn shared_queue_files(
    context: &Context,
    command: &str,
    root: &Path,
    config: &Config,
) -> Result<QueueFiles, CliError> {
    let mut files = queue_files(context, command, root, config)?;
    files.journal = Some(root.join(RALPH_DIR).join("cache/queue-journal.jsonl"));
    files.id_marks = Some(IdMarks::path_in(&shared_dir(root)));
    let both = [&files.queue, &files.done].map(Clone::clone);
    files.other_ids = Some(ids_of_branches(context, root, both));
    Ok(files)
}

/// What the branches of the repository, and of its remotes, know of ids: in a fresh clone nothing
/// else does.
pub(crate) fn ids_of_branches(context: &Context, root: &Path, files: [PathBuf; 2]) -> OtherIds {
    let (env, root) = (context.git_env(), root.to_owned());
    OtherIds(Arc::new(move |ids| {
        let repo = Repo::discover(&root, env.clone(), Cancel::new());
        let files = files.each_ref().map(PathBuf::as_path);
        repo.map_or(0, |repo| other_ids::highest(&repo, &root, files, ids))
    }))
}

/// What all work trees of the repository share, also where Ralph's files are below its top. Without
/// git there is one work tree, and its own cache is all there is.
pub(crate) fn shared_dir(root: &Path) -> PathBuf {
    let shared = root.ancestors().find_map(ralph_git::common_dir);
    shared.unwrap_or_else(|| root.join(RALPH_DIR).join("cache"))
}

/// Where a repository's queue is and what its rules are.
pub(crate) fn queue_files(
    context: &Context,
    command: &str,
    root: &Path,
    config: &Config,
) -> Result<QueueFiles, CliError> {
    let config = &config.queue;
    let holder = context.holder(command);
    let mut files = QueueFiles::new(root.join(&config.file), root.join(&config.done_file), holder);
    files.lock_wait = context.lock_wait()?.unwrap_or(files.lock_wait);
    files.rules = rules(config);
    files.legacy_lock = Some(LegacyLock {
        directory: root.join(RALPH_DIR).join("lock"),
        is_alive: Arc::new(|pid| ralph_process::identity_of(pid).is_some()),
    });
    Ok(files)
}

/// What a queue is checked by.
pub(crate) fn rules(config: &QueueConfig) -> Rules {
    Rules {
        ids: IdRules {
            prefix: config.id_prefix.clone(),
            width: config.id_width.into(),
            ..IdRules::default()
        },
        max_dependency_depth: usize::try_from(config.max_dependency_depth).unwrap_or(usize::MAX),
    }
}

/// Identifies the content of both files; a script compares it with what it read before.
pub(crate) fn revision(queue: &Queue) -> String {
    queue.revision()
}

/// The change that does to tasks of both files what a merge settled.
fn put_in_order(settled: &Settled) -> impl FnOnce(&mut Edit<'_>) -> Result<(), EditError> {
    |edit| {
        for id in &settled.finished {
            edit.close_reopened(id);
        }
        for id in &settled.reopened {
            edit.keep_reopened(id);
        }
        Ok(())
    }
}

fn not_settled<E: Into<CliError>>(error: UpdateError<E>) -> CliError {
    let is_invalid = matches!(error, UpdateError::Invalid { .. });
    let error = CliError::from(error);
    if !is_invalid {
        return error;
    }
    error.instead(Next::RESOLVE.within(
        "Nothing was changed. {} lists the conflicts, and `--take SIDE ID` settles those of one \
         task; or change what names the task, then repeat the command.",
    ))
}

/// What is asked when the next task is chosen beside what `standing` keeps from others.
pub(crate) fn selection<'a>(
    context: &Context,
    drafts: Drafts,
    doing: DoingFirst,
    standing: &'a Standing,
) -> Selection<'a> {
    let Standing { exclude, done, .. } = standing;
    Selection { now: context.clock.now(), drafts, doing, exclude, regard_as_done: done }
}

/// What to do about a queue file that is not read.
pub(crate) const STRAY: &str =
    "If it is your queue, move it there, or set `queue.file` to where it is; else remove it.";

/// What is said of each file that may be the queue, by name and content, and is not where it is
/// looked for.
pub(crate) fn strays(root: &Path, files: &QueueFiles) -> Vec<String> {
    let own = root.join(RALPH_DIR);
    let is_queue = |path: &PathBuf| {
        let text = check_regular(path).and_then(|()| fs_err::read_to_string(path));
        let Ok(text) = text else { return false };
        match Document::parse(text) {
            Ok(document) => Queue::new(document, None).tasks().next().is_some(),
            // What has the name elsewhere may be anything.
            Err(_) => path.starts_with(&own),
        }
    };
    let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let told = |stray: PathBuf| {
        let (stray, queue) = (shown(&stray), shown(&files.queue));
        format!("`{stray}` is not read, since the queue is `{queue}`")
    };
    named_queue(root, files).filter(is_queue).map(told).collect()
}

/// Files that are called what a queue is, and are not where it is looked for.
fn named_queue(root: &Path, files: &QueueFiles) -> impl Iterator<Item = PathBuf> {
    let places = [root.join(RALPH_DIR), root.to_owned()];
    let names = ["queue.jsonc", "queue.json"];
    let paths = places.into_iter().flat_map(move |dir| names.map(|name| dir.join(name)));
    paths.filter(|path| ![&files.queue, &files.done].contains(&path) && path.is_file())
}

/// The name that a file of the queue had in old versions, if it still has it.
pub(crate) fn old_name(path: &Path) -> Option<PathBuf> {
    Some(path.with_extension("json")).filter(|old| old != path && old.is_file())
}

pub(crate) fn renamed(old: impl std::fmt::Display, new: impl std::fmt::Display) -> CliError {
    let error =
        CliError::new(ErrorKind::Refused, format!("`{old}` bears the name of an older version"));
    let (old, new) = (shell_word(old.to_string()), shell_word(new.to_string()));
    error.hint(format!("Rename it, then repeat the command: `git mv {old} {new}` (or `mv`)."))
}

/// That the user stands in a repository of git that has no files to work on.
pub(crate) fn bare(directory: &Path) -> Option<CliError> {
    let is_bare = |dir: &&Path| {
        dir.join("HEAD").is_file() && dir.join("objects").is_dir() && dir.join("refs").is_dir()
    };
    let bare = directory.ancestors().find(is_bare)?;
    let message = format!("`{}` is a bare repository", bare.display());
    Some(
        CliError::new(ErrorKind::NotARepository, message)
            .hint("Run Ralph in a clone of it.")
            .at(bare),
    )
}

fn no_project(directory: &Path) -> CliError {
    if let Some(bare) = bare(directory) {
        return bare;
    }
    CliError::new(
        ErrorKind::NotARepository,
        format!("neither `{}` nor a directory above it is a repository", directory.display()),
    )
    .hint("Go to your repository, or make one: `git init`, then `ralph init`.")
    .at(directory)
}

/// Which of two tasks with one id it is that gets another.
fn which_parted(status: Status) -> &'static str {
    if status == Status::Rejected { "rejected" } else { "not finished" }
}

/// Says which tasks a change would give another id first.
pub(crate) fn foretell_parted(ui: &Ui, parted: &[Parted]) {
    for Parted { was, id, status } in parted {
        let which = which_parted(*status);
        ui.say(Text::new().style(BOLD, was).plain(format_args!(
            " is the id of two tasks; the one that is {which} would be {id}."
        )));
    }
}

/// Says what a change would put in order first.
pub(crate) fn foretell(ui: &Ui, mended: &Mended) {
    foretell_parted(ui, &mended.parted);
    for id in &mended.healed {
        ui.say(Text::new().style(BOLD, id).plain(
            " is in both files; what is new in the queue file would be kept with the finished one.",
        ));
    }
}

fn not_found(queue: &Queue, id: &str, rules: &IdRules) -> CliError {
    let error = CliError::new(ErrorKind::NotFound, format!("there is no task `{id}`"));
    if let Some((_, task)) = queue.find(id) {
        return error.renumbered(&task.id);
    }
    let mut seen = HashSet::new();
    let known = queue.tasks().chain(queue.done_tasks()).map(|task| task.id.as_str());
    let known: Vec<&str> = known.filter(|id| seen.insert(*id)).collect();
    match similar_ids(id, &known, rules).as_slice() {
        [] => error.hint(Next::ALL_TASKS.within("{} shows all tasks.")),
        similar => error
            .hint(format!("Did you mean `{}`?", similar.join("`, `")))
            .similar(similar.iter().map(ToString::to_string)),
    }
}

/// Ids that may have been meant: the same number however it is written
/// (`7`, `rq-7`), else those spelled almost the same.
fn similar_ids<'k>(id: &str, known: &[&'k str], rules: &IdRules) -> Vec<&'k str> {
    let number = |id: &str| rules.number_of(id).or_else(|| id.parse().ok());
    if let Some(wanted) = number(id) {
        let same: Vec<&str> =
            known.iter().copied().filter(|known| number(known) == Some(wanted)).collect();
        if !same.is_empty() {
            return same;
        }
    }
    similar::get_close_matches(id, known, 3, 0.8)
}

/// An operation, at the beginning of a sentence.
fn numbered(operation: &Operation) -> String {
    format!("Operation {} (`{}`)", operation.id, operation.operation)
}

/// What to do about an edit that no undo helps to take back, where that task has changed since: by a
/// run, or by a merge or somebody by hand.
fn instead_of_undo(
    queue: &Queue,
    edit: &Operation,
    task: Option<&TaskId>,
    run: Option<&Operation>,
) -> Hint {
    let task = task.or(edit.tasks.first().map(|task| &task.id));
    let there = task.filter(|task| queue.find(task.as_str()).is_some());
    if let Some(run) = run {
        let way = task.map(|task| format!(" `ralph task edit` changes {task}."));
        let (id, operation) = (run.id, &run.operation);
        let way = way.unwrap_or_default();
        format!(
            "Operation {id} came after it: what `{operation}` made of a task is not undone.{way}"
        )
        .into()
    } else if edit.tasks.iter().all(|task| task.fate == Fate::Added) {
        let ids: Vec<&str> = edit.tasks.iter().map(|task| task.id.as_str()).collect();
        format!("`ralph task batch delete {}` removes what it added.", ids.join(" ")).into()
    } else if let Some(task) = there {
        Next::show(task).within(
            "A merge or a change by hand came after it: {} shows what there is now, `ralph task \
             edit` changes it.",
        )
    } else {
        "A merge or a change by hand came after it.".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_ids_have_the_same_number_or_almost_the_same_letters() {
        let known = ["RQ-0001", "RQ-0012", "docs-parser"];
        let similar = |id| similar_ids(id, &known, &IdRules::default());
        assert_eq!(similar("1"), ["RQ-0001"]);
        assert_eq!(similar("rq-12"), ["RQ-0012"]);
        assert_eq!(similar("doc-parser"), ["docs-parser"]);
        assert_eq!(similar("nothing-like-it"), [""; 0]);
    }
}
