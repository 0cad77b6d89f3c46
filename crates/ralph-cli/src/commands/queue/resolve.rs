//! `ralph queue resolve`: what a merge left of the queue, put in order and settled.

use std::path::Path;

use ralph_queue::mend::Mended;
use ralph_queue::merge::{Conflict, Settled};
use ralph_queue::settle::{Merges, Take, Undecided};
use ralph_queue::{Document, LoadError, Place, Problem, Queue, Severity, Terms, UpdateError};
use ralph_state::TaskId;
use ralph_state::file::FileLock;

use super::branch::{
    LISTED, MergeReport, MergedFile, Names, subject, tell_conflicts, tell_each, tell_reopened,
};
use super::merges::{self, InGit, Taken, Unsettled};
use super::unmarked::{self, Unmarked};
use crate::args::{ResolveArgs, Side};
use crate::commands::difference;
use crate::commands::edited::Mode;
use crate::commands::input;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit, problem_line};
use crate::hint::Next;
use crate::project::{self, Project};
use crate::render::{counted, pathspec};
use crate::ui::{BOLD, Text};

pub(crate) fn resolve(context: &Context, args: &ResolveArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue resolve")?;
    if let Some(error) = project::astray(&project.root, &project.files.queue) {
        return Err(error);
    }
    let lock = || {
        let files = &project.files;
        FileLock::acquire(&files.lock_path(), &files.holder, files.lock_wait)
    };
    let lock = if args.dry_run { None } else { Some(lock()?) };
    let path = &project.files.queue;
    if lock.is_some() && !path.try_exists().unwrap_or(true) {
        // A reader would wait for who holds the lock to bring it back.
        return Err(project.load_error(LoadError::Missing { path: path.clone() }));
    }
    let files = merges::in_git(context, &project)?;
    let plan = Plan::of((context, &project), args, &files)?;
    if args.dry_run {
        return plan.show(context, &project);
    }
    for file in &plan.unmarked {
        file.write(context, &project)?;
    }
    drop(lock);
    plan.carry_out((context, &project), args, &files)
}

/// What the command does, found out before any of it is done.
struct Plan<'f> {
    /// The files that lose their conflict markers.
    unmarked: Vec<Unmarked<'f>>,
    /// Both files once they have lost them.
    before: Queue,
    /// What becomes then of tasks that are in both files.
    settled: Settled,
    /// What is put in order then, if anything is.
    mended: Option<Mended>,
    /// What is settled by a side after that.
    choice: Option<Choice>,
    /// Both files after all of it.
    after: Queue,
    /// What is left to be settled.
    left: Vec<Unsettled>,
}

/// Places that get what one side has there.
struct Choice {
    side: Take,
    places: Vec<Unsettled>,
}

impl<'f> Plan<'f> {
    /// Refuses what is asked for wrongly, while nothing has been written.
    fn of(
        (context, project): (&Context, &Project),
        args: &ResolveArgs,
        files: &'f [InGit],
    ) -> Result<Self, CliError> {
        let terms = context.terms();
        let unmarked = unmarked::merged(context, project, files)?;
        let mut memory = merges::memory(project)?;
        for file in &unmarked {
            file.remember(&mut memory);
        }
        let before = with_unmarked(project, &unmarked)?;
        let is_first =
            args.dry_run || !unmarked.is_empty() || !project.files.is_answered(&terms)?;
        if is_first {
            heed(&terms, &unmarked, &before)?;
        }

        let settled = merges::settled_of(files, &memory, &before);
        let is_whole = before.is_whole();
        let mut after = before.clone();
        let mended = if is_whole && settled == Settled::default() {
            None
        } else {
            let ids = unmarked.iter().flat_map(|file| &file.merged.ids);
            let numbers = ids.filter_map(|id| project.files.rules.ids.number_of(id.as_str()));
            let high_water = numbers.max().unwrap_or(0);
            let shown = project.preview_mended(context, (after, high_water), &settled)?;
            after = shown.after;
            Some(shown.mended)
        };

        let open = |memory: &_, queue: &_| {
            merges::unsettled_of((context, project), (files, memory), queue)
        };
        let mut left = open(&memory, &after);
        if is_first || args.take.is_none() {
            only_of(project, &after, &mut left, &args.tasks)?;
        }
        let choice = match args.take {
            Some(side) if is_first && !left.is_empty() => {
                let choice = Choice { side: side.into(), places: left };
                after = choice.preview(context, project, after)?;
                choice.remember(&mut memory);
                left = open(&memory, &after);
                Some(choice)
            }
            _ => None,
        };
        Ok(Self { unmarked, before, settled, mended, choice, after, left })
    }

    fn files(&self) -> impl Iterator<Item = MergedFile<'_>> {
        self.unmarked.iter().map(Unmarked::report)
    }

    /// Says what came of the files with conflict markers.
    fn tell_unmarked(&self, context: &Context) {
        for file in &self.unmarked {
            file.tell(context);
        }
    }

    /// Says what would be done.
    fn show(&self, context: &Context, project: &Project) -> Result<Exit, CliError> {
        let taken = self.choice.as_ref().map(Choice::taken).unwrap_or_default();
        let diff = self.diff(project);
        if context.ui.wants_json() {
            context.ui.print_json(&MergeReport {
                rev: Some(self.after.revision()),
                dry_run: true,
                taken: &taken,
                unsettled: &self.left,
                diff: &diff,
                ..MergeReport::of(self.files())
            })?;
        } else if !diff.is_empty() {
            context.ui.print_diff(&diff)?;
        }
        self.tell_unmarked(context);
        let Mended { parted, healed, .. } = self.mended.clone().unwrap_or_default();
        project::foretell_parted(&context.ui, &parted);
        let finished: Vec<&TaskId> = healed.iter().chain(&self.settled.finished).collect();
        tell_each(context, &finished, |id| {
            let text = Text::new().style(BOLD, id);
            text.plain(" was finished on one side: what the other did would be kept with it.")
        });
        tell_reopened(context, &self.settled.reopened);
        tell_taken(context, Mode::Show, &taken);
        tell_left(context, project, &self.left);
        let errors = tell_errors(context, project, &self.after);
        if diff.is_empty() && taken.is_empty() && self.left.is_empty() && errors.is_empty() {
            context.ui.say(NOTHING);
        }
        Ok(if self.left.is_empty() { Exit::Done } else { Exit::Failed })
    }

    /// The difference to the files as they are.
    fn diff(&self, project: &Project) -> String {
        let files = [
            (Place::Queue, self.before.document(), self.after.document()),
            (Place::Done, self.before.done_document(), self.after.done_document()),
        ];
        let one = |(place, before, after): (Place, &Document, &Document)| {
            let marked = self.unmarked.iter().find(|file| file.in_git.place == place);
            match marked {
                Some(file) => difference::of_texts(project, place, (&file.text, after.text())),
                None => difference::of_file(project, place, (before, after)),
            }
        };
        files.map(one).concat()
    }

    /// Does the rest of it, after the conflict markers are gone.
    fn carry_out(
        &self,
        (context, project): (&Context, &Project),
        args: &ResolveArgs,
        files: &[InGit],
    ) -> Result<Exit, CliError> {
        self.tell_unmarked(context);
        let mut terms = context.terms();
        let mut queue = None;
        if self.mended.is_some() {
            let mut beside = beside_conflicts(context, project, files);
            let mended = project.mend(context, &self.settled)?;
            beside.retain(|file| merges::is_unstaged(context, project, file));
            for file in beside {
                context.ui.hint(format!(
                    "Git has no conflict in `{}`, so that this change of it stays when the merge is \
                     aborted: `git checkout -- {}` takes it back, before you do that.",
                    file.name.display(),
                    pathspec(&file.name)
                ));
            }
            tell_each(context, &self.settled.finished, |id| {
                let text = Text::new().style(BOLD, id);
                text.plain(" was finished on one side: what the other did is kept with it.")
            });
            tell_reopened(context, &self.settled.reopened);
            if terms.if_rev.is_some() {
                // It was that of the queue before.
                terms.if_rev = Some(mended.rev.clone());
            }
            queue = Some(mended.after());
        }
        let mut taken = Vec::new();
        if let Some(choice) = &self.choice {
            queue = Some(choice.settle(context, project, &terms)?);
            taken = choice.taken();
        }
        let queue = match queue {
            Some(queue) => queue,
            None => project.queue()?,
        };
        let mut left = merges::unsettled(context, project, &queue)?;
        if left.is_empty() {
            forget(context, project)?;
        }
        if args.take.is_none() {
            left.retain(|open| is_of(open, &args.tasks));
        }
        if context.ui.wants_json() {
            context.ui.print_json(&MergeReport {
                rev: Some(queue.revision()),
                taken: &taken,
                unsettled: &left,
                ..MergeReport::of(self.files())
            })?;
        }
        tell_taken(context, Mode::Make, &taken);
        tell_left(context, project, &left);
        if !left.is_empty() {
            context.ui.hint(
                "`ralph queue resolve --take ours` (or `theirs`) settles this by the values of that side, \
                 and so does a change of the place; `git add` takes all as it stands.",
            );
        }
        let errors = tell_errors(context, project, &queue);
        if !errors.is_empty() {
            let next =
                super::can_mend(context, project, &queue, errors.len()).then_some(super::MEND);
            context.ui.hint(super::advice(&errors, next));
        }
        if !left.is_empty() {
            return Ok(Exit::Failed);
        }
        let is_untouched = self.unmarked.is_empty() && self.mended.is_none() && taken.is_empty();
        if is_untouched && errors.is_empty() {
            context.ui.say(NOTHING);
        }
        let files = merges::in_git(context, project)?;
        if files.iter().any(|file| file.is_unmerged) {
            // What was put in order, maybe by an earlier call, takes both.
            let is_changed =
                |file: &&InGit| file.is_unmerged || merges::is_unstaged(context, project, file);
            let files: Vec<String> =
                files.iter().filter(is_changed).map(|file| pathspec(&file.name)).collect();
            let files = files.join(" ");
            context.ui.hint(format!("Look at it, then tell git: `git add {files}`."));
        } else if !is_untouched {
            context.ui.hint("Look at it, then `git add` it.");
        }
        Ok(Exit::Done)
    }
}

const NOTHING: &str = "There is nothing to resolve.";

/// The files that git does not wait for, while it does for the other, and that are as it has them.
fn beside_conflicts<'f>(
    context: &Context,
    project: &Project,
    files: &'f [InGit],
) -> Vec<&'f InGit> {
    if !files.iter().any(|file| file.is_unmerged) {
        return Vec::new();
    }
    let beside = files.iter().filter(|file| !file.is_unmerged);
    beside.filter(|file| !merges::is_unstaged(context, project, file)).collect()
}

/// Refuses a revision that is not the one of the queue.
fn heed(terms: &Terms, unmarked: &[Unmarked<'_>], queue: &Queue) -> Result<(), CliError> {
    let Some(expected) = &terms.if_rev else { return Ok(()) };
    if let Some(file) = unmarked.first() {
        let path = file.in_git.name.display();
        let message = format!("`{path}` holds conflict markers: the queue has no revision");
        return Err(CliError::new(ErrorKind::Conflict, message).hint(
            Next::FORETELL_RESOLVE.within("{} shows what it would be; leave out `--if-rev`."),
        ));
    }
    let found = queue.revision();
    if *expected == found {
        return Ok(());
    }
    let stale = UpdateError::Stale { expected: expected.clone(), found };
    Err(CliError::from(stale as UpdateError<CliError>))
}

/// The queue as it is once the files with conflict markers are merged.
fn with_unmarked(project: &Project, unmarked: &[Unmarked<'_>]) -> Result<Queue, CliError> {
    if unmarked.is_empty() {
        return project.queue();
    }
    let read = |place| {
        let path = project.files.path(place);
        let merged = unmarked.iter().find(|file| file.in_git.place == place);
        let text = match merged {
            Some(file) => file.merged.text.clone(),
            None if !path.exists() => return Ok(None),
            None => input::read_own(path)?,
        };
        let document = Document::parse(text);
        document.map(Some).map_err(|error| {
            CliError::new(ErrorKind::Corrupt, error).context("cannot read the file").at(path)
        })
    };
    Ok(Queue::new(read(Place::Queue)?.unwrap_or_else(Document::empty), read(Place::Done)?))
}

/// Keeps what is in conflict of these tasks, of all without any.
fn only_of(
    project: &Project,
    queue: &Queue,
    open: &mut Vec<Unsettled>,
    tasks: &[String],
) -> Result<(), CliError> {
    if tasks.is_empty() {
        return Ok(());
    }
    let task = |open: &Unsettled| open.undecided.conflict.task.clone();
    for id in tasks {
        if !open.iter().any(|open| task(open).is_some_and(|task| task.as_str() == id)) {
            project.find(queue, id)?;
            let message = format!("nothing of `{id}` is in conflict, or not any more");
            return Err(CliError::new(ErrorKind::Refused, message)
                .hint(Next::RESOLVE.within("{} lists what is.")));
        }
    }
    open.retain(|open| is_of(open, tasks));
    Ok(())
}

/// Whether it is of these tasks, of all without any.
fn is_of(open: &Unsettled, tasks: &[String]) -> bool {
    let task = &open.undecided.conflict.task;
    tasks.is_empty() || task.as_ref().is_some_and(|task| is_in(tasks, task))
}

fn is_in(tasks: &[String], task: &TaskId) -> bool {
    tasks.iter().any(|id| task.as_str() == id)
}

impl From<Side> for Take {
    fn from(side: Side) -> Self {
        match side {
            Side::Ours => Self::Ours,
            Side::Theirs => Self::Theirs,
        }
    }
}

impl Choice {
    fn asked(&self) -> Vec<(Place, Undecided)> {
        self.places.iter().map(|open| (open.place, open.undecided.clone())).collect()
    }

    /// Both files after it.
    fn preview(
        &self,
        context: &Context,
        project: &Project,
        before: Queue,
    ) -> Result<Queue, CliError> {
        Ok(project.preview_settled(context, before, &self.asked(), self.side)?.after)
    }

    /// Settles them, and returns both files after it.
    fn settle(
        &self,
        context: &Context,
        project: &Project,
        terms: &Terms,
    ) -> Result<Queue, CliError> {
        let edited = project.settle_conflicts(context, terms, &self.asked(), self.side)?;
        let noted = merges::store(project).update(|memory| {
            self.remember(memory);
            Ok::<_, CliError>(())
        })?;
        context.ui.saved(noted.saved);
        if edited.rev != edited.before.revision() {
            context.ui.hint("`ralph undo` brings back what stood there, and the conflict with it.");
        }
        Ok(edited.after())
    }

    fn remember(&self, memory: &mut Merges) {
        for of_file in self.places.chunk_by(|one, other| one.path == other.path) {
            let places: Vec<&Undecided> = of_file.iter().map(|open| &open.undecided).collect();
            memory.settle(&of_file[0].path, &of_file[0].merge, &places, self.side);
        }
    }

    fn taken(&self) -> Vec<Taken> {
        let taken = |Unsettled { path, undecided, .. }: &Unsettled| {
            let Conflict { task, field, .. } = &undecided.conflict;
            Taken {
                path: path.clone(),
                task: task.clone(),
                field: field.clone(),
                value: undecided.value(self.side).cloned(),
                subject: subject(&undecided.conflict),
            }
        };
        self.places.iter().map(taken).collect()
    }
}

fn tell_taken(context: &Context, mode: Mode, taken: &[Taken]) {
    let now = match mode {
        Mode::Make => ["is removed", "is", " now"],
        Mode::Show => ["would be removed", "would be", ""],
    };
    let [removed, is, now] = now;
    tell_each(context, taken, |Taken { task, field, value, subject, .. }| {
        let about = |it| Text::new().style(BOLD, it);
        match (task, field, value) {
            (Some(task), None, None) => about(task.as_str()).plain(format_args!(" {removed}.")),
            (Some(task), None, Some(_)) => about(task.as_str()).plain(" stays."),
            (_, _, None) => about(subject).plain(format_args!(" {is} nothing{now}.")),
            (_, _, Some(value)) => about(subject).plain(format_args!(" {is} {value}{now}.")),
        }
    });
}

fn tell_left(context: &Context, project: &Project, left: &[Unsettled]) {
    let places = left.iter().map(|left| (Path::new(&left.path), &left.undecided));
    tell_conflicts(context, Names::of(context, &project.root), places);
}

/// Says what is wrong with the queue.
fn tell_errors(context: &Context, project: &Project, queue: &Queue) -> Vec<Problem> {
    let mut errors = queue.validate(&project.files.rules);
    errors.retain(|problem| problem.severity == Severity::Error);
    for problem in errors.iter().take(LISTED) {
        context.ui.warn(problem_line(problem));
    }
    if errors.len() > LISTED {
        context.ui.warn(format_args!("{} more", counted(errors.len() - LISTED, "error")));
    }
    errors
}

/// Forgets the merges that are over.
fn forget(context: &Context, project: &Project) -> Result<(), CliError> {
    let store = merges::store(project);
    let Some(known) = store.load()?.filter(|loaded| !loaded.value.merges.is_empty()) else {
        return Ok(());
    };
    let lasting: Vec<(String, String)> = merges::in_git(context, project)?
        .into_iter()
        .map(|file| (file.name.to_string_lossy().into_owned(), file.merge))
        .collect();
    let is_over = |path: &str, merge: &str| {
        !lasting.iter().any(|(name, current)| name == path && current == merge)
    };
    if !known.value.merges.iter().any(|known| is_over(&known.path, &known.merge)) {
        return Ok(());
    }
    let done = store.update(|merges| {
        merges.merges.retain(|known| !is_over(&known.path, &known.merge));
        Ok::<_, CliError>(())
    })?;
    context.ui.saved(done.saved);
    Ok(())
}
