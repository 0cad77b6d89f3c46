//! `ralph queue merge-driver|resolve|check`: a queue on several branches.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use ralph_config::Overrides;
use ralph_queue::conflict::{self, Loss, Sides};
use ralph_queue::document::Reading;
use ralph_queue::merge::{Conflict, Merged, Settled};
use ralph_queue::settle::{Merges, Take, Undecided};
use ralph_queue::{Document, IdMarks, Place, Problem, Queue, Rules, Severity, Terms, UpdateError};
use ralph_state::file::{Durability, FileLock, replace};
use ralph_state::{Store, TaskId};
use serde::Serialize;
use serde_json::{Value, json};

use super::merges::{self, InGit, Unsettled, text_of};
use crate::args::{CheckArgs, MergeDriverArgs, ResolveArgs, Side};
use crate::commands::edited::Report;
use crate::commands::input;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit, problem_line};
use crate::project::{Project, RALPH_DIR, find_root, rules, shared_dir, sources};
use crate::render::envelope::Schema;
use crate::render::{counted, pathspec};
use crate::ui::{BOLD, RED, Text};

/// How many conflicts are told in the middle of what git says.
const LISTED: usize = 20;

/// A conflict is exit code 1, and any failure another, after which git merges on its own.
pub(crate) fn merge_driver(context: &Context, args: &MergeDriverArgs) -> Result<Exit, CliError> {
    drive(context, args).map_err(|error| match error.kind {
        ErrorKind::Failed | ErrorKind::Io => error.because(ErrorKind::Refused),
        _ => error,
    })
}

fn drive(context: &Context, args: &MergeDriverArgs) -> Result<Exit, CliError> {
    let read = |path| input::read(Some(path), input::TASKS_LIMIT);
    let [base, ours, theirs] = [read(&args.base)?, read(&args.ours)?, read(&args.theirs)?];
    let name = args.name.as_deref().unwrap_or(&args.ours);
    let (text, exit) = match conflict::drive(&base, &ours, &theirs) {
        Ok(mut merged) => {
            let pair = DoneFiles::of(context, args, &theirs);
            let settled = pair.as_ref().map(|pair| pair.settle(&mut merged)).unwrap_or_default();
            if context.ui.wants_json() {
                print_json(context, &[(name, &merged)], (&[], &[]), false)?;
            }
            tell_renumbered(context, &merged.renumbered);
            tell_reopened(context, settled.reopened);
            for id in settled.finished {
                let text = Text::new().style(BOLD, id).plain(
                    " was finished on one side: the next change of the queue takes over what the \
                     other did.",
                );
                context.ui.say(text);
            }
            let undecided = merged.undecided();
            if !undecided.is_empty() {
                let names = Names::of(context, &context.directory()?);
                let first = undecided.iter().take(LISTED);
                let told = tell_conflicts(context, names, first.map(|undecided| (name, undecided)));
                let more = undecided.len() - told;
                if more > 0 {
                    context.ui.say(format_args!("{}: {more} more", name.display()));
                }
            }
            let errors = pair.as_ref().map(|pair| pair.errors(&ours, &merged)).unwrap_or_default();
            if let Some(first) = errors.first() {
                context.ui.warn(format_args!(
                    "the merged queue has {}: {}",
                    counted(errors.len(), "error"),
                    problem_line(first)
                ));
            }
            if let Err(error) = note(context, name, &merged) {
                // The file is what git waits for.
                context.ui.warn(format_args!(
                    "cannot note what the merge did: {}",
                    error.chain().join(": ")
                ));
            }
            if !merged.conflicts.is_empty() {
                context.ui.hint("`ralph queue resolve` lists them all, and can take either side.");
            } else if !errors.is_empty() {
                context.ui.hint(
                    "`ralph queue resolve` puts in order what can be, and says what to do about \
                     the rest.",
                );
            }
            let exit = if merged.conflicts.is_empty() { Exit::Done } else { Exit::Failed };
            (merged.text, exit)
        }
        Err(error) => {
            // Not to be taken for merged: both versions stay, between markers.
            context.ui.warn(format_args!("`{}` cannot be merged: {error}", name.display()));
            (conflict::marked(&ours, &theirs), Exit::Failed)
        }
    };
    context.ui.saved(replace(&args.ours, text.as_bytes(), Durability::None)?);
    Ok(exit)
}

/// The done files of both sides while their queue files are merged. What cannot be read says
/// nothing.
struct DoneFiles {
    ours: Option<Document>,
    theirs: Option<Document>,
    rules: Rules,
}

impl DoneFiles {
    /// Of the merge of a queue file whose version of the other side is `theirs`. The configuration
    /// may be in conflict itself.
    fn of(context: &Context, args: &MergeDriverArgs, theirs: &str) -> Option<Self> {
        let queue = args.name.as_ref()?;
        let directory = context.directory().ok()?;
        let root = find_root(directory.join(queue).parent()?).map(Path::to_owned);
        let config = root.as_ref().and_then(|root| {
            ralph_config::load(&sources(context, root), &Overrides::default()).ok()
        });
        let config = config.map(|settings| settings.config.queue);
        let configured = root.zip(config.as_ref()).and_then(|(root, config)| {
            let path = root.join(&config.done_file);
            path.strip_prefix(&directory).ok().map(Path::to_owned)
        });
        let name = configured.unwrap_or_else(|| queue.with_file_name("done.jsonc"));
        if name == *queue {
            return None;
        }
        // Git has not touched the work tree yet: what is there is ours.
        let ours = input::read(Some(&directory.join(&name)), input::TASKS_LIMIT).ok();
        let theirs = their_done(context, &directory, args, (theirs, &name));
        let parse = |text: Option<String>| Document::parse(text?).ok();
        let rules = config.as_ref().map(rules).unwrap_or_default();
        Some(Self { ours: parse(ours), theirs: parse(theirs), rules })
    }

    /// Settles what is in conflict of tasks that one side moved there.
    fn settle(&self, merged: &mut Merged) -> Settled {
        let has_removals = merged.has_removals();
        let settled =
            has_removals.then(|| merged.settle_finished(self.ours.as_ref(), self.theirs.as_ref()));
        settled.and_then(Result::ok).unwrap_or_default()
    }

    /// What is wrong with the merged queue, together with what both sides have finished, that was
    /// not wrong with ours.
    fn errors(&self, ours: &str, merged: &Merged) -> Vec<Problem> {
        let texts = [&self.ours, &self.theirs].map(|it| it.as_ref().map(|it| it.text().to_owned()));
        let done = match texts {
            [Some(ours), Some(theirs)] => {
                let both = conflict::resolve(&Sides::new(ours, None, theirs));
                both.ok().map(|merged| merged.text)
            }
            [ours, theirs] => ours.or(theirs),
        };
        let done = done.and_then(|text| Document::parse(text).ok());
        let errors = |text: &str, done| -> Vec<Problem> {
            let Ok(open) = Document::parse(text) else { return Vec::new() };
            let mut problems = Queue::new(open, done).validate(&self.rules);
            problems.retain(|problem| problem.severity == Severity::Error);
            problems
        };
        let mut found = errors(&merged.text, done);
        if found.is_empty() {
            return found;
        }
        let of = |problem: &Problem| (problem.code, problem.task.clone(), problem.field.clone());
        let known: HashSet<_> = errors(ours, self.ours.clone()).iter().map(of).collect();
        // What the other side has finished is not known of every git.
        let is_sure = |problem: &Problem| self.theirs.is_some() || problem.code != "unknown_task";
        found.retain(|problem| is_sure(problem) && !known.contains(&of(problem)));
        found
    }
}

/// The done file of the commit that the other side is.
fn their_done(
    context: &Context,
    directory: &Path,
    args: &MergeDriverArgs,
    (queue, done_name): (&str, &Path),
) -> Option<String> {
    let repo = context.repo(directory).ok()?;
    let label = args.label.as_deref().and_then(|label| label.split_whitespace().next());
    let label = label.filter(|label| !label.starts_with('-'));
    let rev = merges::their_commit(&repo, label, (args.name.as_deref()?, queue))?;
    text_of(&repo, rev, done_name).ok().flatten()
}

/// Notes the ids that a merge brought, for no other task to get them, and that there are
/// conflicts. The configuration is not asked: it may be in conflict itself.
fn note(context: &Context, name: &Path, merged: &Merged) -> Result<(), CliError> {
    let directory = context.directory()?;
    // Git calls at the root of its work tree, below which the project may be.
    let start = directory.join(name);
    let Some(root) = find_root(start.parent().unwrap_or(&directory)) else { return Ok(()) };
    if !root.join(RALPH_DIR).is_dir() {
        return Ok(());
    }
    let (holder, wait) = (context.holder("ralph queue merge-driver"), Duration::from_secs(10));
    let cache = root.join(RALPH_DIR).join("cache");
    let store = Store::<Merges>::new(Merges::path_in(&cache), holder.clone()).lock_wait(wait);
    let path = name.to_string_lossy();
    let is_known = store.load()?.is_some_and(|loaded| !loaded.value.merges.is_empty());
    if is_known || !merged.conflicts.is_empty() {
        let noted = store.update(|merges: &mut Merges| {
            merges.forget(&path);
            if !merged.conflicts.is_empty() {
                // Which merge it is shows when git has written its index.
                merges.remember(&path, "", Vec::new());
            }
            Ok::<_, CliError>(())
        })?;
        context.ui.saved(noted.saved);
    }
    let marks = IdMarks::path_in(&shared_dir(root));
    ralph_queue::ids::remember(&marks, &holder, wait, merged.ids.iter())?;
    Ok(())
}

pub(crate) fn resolve(context: &Context, args: &ResolveArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue resolve")?;
    let mut terms = context.terms();
    let unmarked = {
        let files = &project.files;
        let lock = || FileLock::acquire(&files.lock_path(), &files.holder, files.lock_wait);
        let _lock = if args.dry_run { None } else { Some(lock()?) };
        let unmarked = unmarked(context, &project)?;
        refuse(context, &project, args, (&terms, &unmarked))?;
        for file in unmarked.iter().filter(|_| !args.dry_run) {
            file.write(context, &project)?;
        }
        unmarked
    };
    let shown: Vec<(&Path, &Merged)> =
        unmarked.iter().map(|file| (file.in_git.name.as_path(), &file.merged)).collect();
    for (_, merged) in &shown {
        tell_renumbered(context, &merged.renumbered);
        if args.dry_run && !context.ui.wants_json() {
            context.ui.print_data(&merged.text)?;
        }
    }
    let names = Names::of(context, &project.root);
    if args.dry_run {
        return match args.take {
            Some(side) => foresee(context, &project, side, (&shown, &args.tasks)),
            None => dry_run(context, &project, &shown, (names, &args.tasks)),
        };
    }
    let mended = mend(context, &project)?;
    let is_mended = mended.is_some();
    if terms.if_rev.is_some() && is_mended {
        // It was that of the queue before.
        terms.if_rev = mended;
    }
    let taken = match args.take {
        Some(side) => settle(context, &project, &terms, (side, &args.tasks))?,
        None => Vec::new(),
    };
    let queue = project.queue()?;
    let mut left = merges::unsettled(context, &project, &queue)?;
    if left.is_empty() {
        forget(context, &project)?;
    }
    if args.take.is_none() {
        only_of(&project, &queue, &mut left, &args.tasks)?;
    }
    if context.ui.wants_json() {
        print_json(context, &shown, (&taken, &left), false)?;
    }
    tell_taken(context, &taken);
    let places = left.iter().map(|left| (Path::new(&left.path), &left.undecided));
    tell_conflicts(context, names, places);
    if !left.is_empty() {
        context.ui.hint(
            "`ralph queue resolve --take ours` (or `theirs`) settles this by the values of that side, \
             and so does a change of the place; `git add` takes all as it stands.",
        );
    }
    let is_valid = tell_errors(context, &project, &queue);
    if !left.is_empty() {
        return Ok(Exit::Failed);
    }
    let is_untouched = shown.is_empty() && !is_mended && taken.is_empty();
    if is_untouched && is_valid {
        context.ui.say("There is nothing to resolve.");
    }
    let files = merges::in_git(context, &project)?;
    if files.iter().any(|file| file.is_unmerged) {
        // What was put in order, maybe by an earlier call, takes both.
        let is_changed =
            |file: &&InGit| file.is_unmerged || merges::is_unstaged(context, &project, file);
        let files: Vec<String> =
            files.iter().filter(is_changed).map(|file| pathspec(&file.name)).collect();
        let files = files.join(" ");
        context.ui.hint(format!("Look at it, then tell git: `git add {files}`."));
    } else if !is_untouched {
        context.ui.hint("Look at it, then `git add` it.");
    }
    Ok(Exit::Done)
}

/// Refuses what is asked for wrongly, while nothing has been written.
fn refuse(
    context: &Context,
    project: &Project,
    args: &ResolveArgs,
    (terms, unmarked): (&Terms, &[Unmarked]),
) -> Result<(), CliError> {
    let is_marked = !unmarked.is_empty();
    if args.dry_run && args.take.is_some() {
        return Ok(());
    }
    if !is_marked && project.files.is_answered(terms)? {
        return Ok(());
    }
    let queue = with_unmarked(project, unmarked)?;
    if let Some(expected) = &terms.if_rev {
        if let Some(file) = unmarked.first().filter(|_| !args.dry_run) {
            let path = file.in_git.name.display();
            let message = format!("`{path}` holds conflict markers: the queue has no revision");
            return Err(CliError::new(ErrorKind::Conflict, message).hint(
                "`ralph queue resolve --dry-run` shows what it would be; leave out `--if-rev`.",
            ));
        }
        let found = queue.revision();
        if *expected != found && unmarked.is_empty() {
            let stale = UpdateError::Stale { expected: expected.clone(), found };
            return Err(CliError::from(stale as UpdateError<CliError>));
        }
    }
    let mut open = merges::unsettled(context, project, &queue)?;
    for file in unmarked.iter().filter(|file| !file.in_git.is_unmerged) {
        let (place, merge) = (file.in_git.place, &file.in_git.merge);
        let path = file.in_git.name.to_string_lossy();
        open.extend(file.merged.undecided().into_iter().map(|undecided| Unsettled {
            place,
            path: path.clone().into_owned(),
            merge: merge.clone(),
            undecided,
        }));
    }
    only_of(project, &queue, &mut open, &args.tasks)
}

/// The queue as it is once the files with conflict markers are merged.
fn with_unmarked(project: &Project, unmarked: &[Unmarked]) -> Result<Queue, CliError> {
    if unmarked.is_empty() {
        return project.queue();
    }
    let read = |place| {
        let path = project.files.path(place);
        let merged = unmarked.iter().find(|file| file.in_git.place == place);
        let text = match merged {
            Some(file) => file.merged.text.clone(),
            None if !path.exists() => return Ok(None),
            None => input::read(Some(path), input::TASKS_LIMIT)?,
        };
        let document = Document::parse(text);
        document.map(Some).map_err(|error| {
            CliError::new(ErrorKind::Corrupt, error).context("cannot read the file").at(path)
        })
    };
    Ok(Queue::new(read(Place::Queue)?.unwrap_or_else(Document::empty), read(Place::Done)?))
}

fn dry_run(
    context: &Context,
    project: &Project,
    shown: &[(&Path, &Merged)],
    (names, tasks): (Names, &[String]),
) -> Result<Exit, CliError> {
    let is_asked = |undecided: &Undecided| {
        tasks.is_empty() || undecided.conflict.task.as_ref().is_some_and(|id| is_in(tasks, id))
    };
    let of_these = |merged: &Merged| {
        let mut undecided = merged.undecided();
        undecided.retain(is_asked);
        undecided
    };
    let undecided: Vec<(&Path, Vec<Undecided>)> =
        shown.iter().map(|(path, merged)| (*path, of_these(merged))).collect();
    let found = undecided.iter().flat_map(|(path, list)| list.iter().map(|one| (*path, one)));
    // With markers in a file there is no queue to look at.
    let left = match shown {
        [] => {
            let queue = project.queue()?;
            let mut left = merges::unsettled(context, project, &queue)?;
            only_of(project, &queue, &mut left, tasks)?;
            left
        }
        _ => Vec::new(),
    };
    let places = left.iter().map(|left| (Path::new(&left.path), &left.undecided));
    let is_clean = tell_conflicts(context, names, found.chain(places)) == 0;
    if context.ui.wants_json() {
        print_json(context, shown, (&[], &left), true)?;
    } else if shown.is_empty() {
        context.ui.say("No queue file has conflict markers.");
    }
    Ok(if is_clean { Exit::Done } else { Exit::Failed })
}

/// Shows what settling by a side would change.
fn foresee(
    context: &Context,
    project: &Project,
    side: Side,
    (shown, tasks): (&[(&Path, &Merged)], &[String]),
) -> Result<Exit, CliError> {
    if let Some((path, _)) = shown.first() {
        let message = format!("`{}` holds conflict markers", path.display());
        return Err(CliError::new(ErrorKind::Refused, message)
            .hint("`ralph queue resolve` merges it first; what is left then can be settled."));
    }
    let queue = project.queue()?;
    let mut asked = merges::unsettled(context, project, &queue)?;
    only_of(project, &queue, &mut asked, tasks)?;
    let places: Vec<(Place, Undecided)> =
        asked.into_iter().map(|open| (open.place, open.undecided)).collect();
    let previewed = project.preview_settled(context, &context.terms(), &places, side.into())?;
    Report::shown(project, previewed).tell(context)
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
                .hint("`ralph queue resolve` lists what is."));
        }
    }
    open.retain(|open| task(open).is_some_and(|task| is_in(tasks, &task)));
    Ok(())
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

/// A file that holds conflict markers, and what is made of it.
struct Unmarked {
    in_git: InGit,
    text: String,
    merged: Merged,
}

/// Merges the files that hold conflict markers.
fn unmarked(context: &Context, project: &Project) -> Result<Vec<Unmarked>, CliError> {
    let mut unmarked = Vec::new();
    for in_git in merges::in_git(context, project)? {
        let path = project.files.path(in_git.place);
        let text = match input::read(Some(path), input::TASKS_LIMIT) {
            Ok(text) => text,
            Err(_) if !path.exists() => continue,
            Err(error) => return Err(error.at(path)),
        };
        let Some(between) = conflict::sides(&text) else { continue };
        let merged = conflict::resolve(in_git.sides.as_ref().unwrap_or(&between))
            .map_err(|error| CliError::from(error).context("cannot resolve").at(path))?;
        unmarked.push(Unmarked { in_git, text, merged });
    }
    Ok(unmarked)
}

impl Unmarked {
    fn write(&self, context: &Context, project: &Project) -> Result<(), CliError> {
        let Self { in_git, text, merged } = self;
        let path = project.files.path(in_git.place);
        let is_in_git = in_git.sides.is_some();
        keep_marked(context, project, path, text)?;
        // Before the markers go, which else may be all that has the other side.
        let undecided = if is_in_git { Vec::new() } else { merged.undecided() };
        let noted = merges::store(project).update(|merges| {
            merges.remember(&in_git.name.to_string_lossy(), &in_git.merge, undecided);
            Ok::<_, CliError>(())
        })?;
        context.ui.saved(noted.saved);
        context.ui.saved(replace(path, merged.text.as_bytes(), Durability::Full)?);
        if let Some(marks) = &project.files.id_marks {
            let (holder, wait) = (&project.files.holder, project.files.lock_wait);
            ralph_queue::ids::remember(marks, holder, wait, merged.ids.iter())?;
        }
        Ok(())
    }
}

/// Keeps a file with its markers: git's versions, if there are any, do not have what was edited
/// there since.
fn keep_marked(
    context: &Context,
    project: &Project,
    path: &Path,
    text: &str,
) -> Result<(), CliError> {
    let Some(name) = path.file_name() else { return Ok(()) };
    let copy = project.root.join(RALPH_DIR).join("cache").join(name).with_extension("marked");
    context.ui.saved(replace(&copy, text.as_bytes(), Durability::Full)?);
    context
        .ui
        .say(format!("The file with its conflict markers is kept as {}.", project.shown(&copy)));
    Ok(())
}

/// Puts in order what only both files together show; the revision after it, if there was anything.
fn mend(context: &Context, project: &Project) -> Result<Option<String>, CliError> {
    let queue = project.queue()?;
    let settled = merges::settled(context, project, &queue)?;
    let is_whole = queue.leftovers().chain(queue.namesakes()).next().is_none();
    if is_whole && settled == Settled::default() {
        return Ok(None);
    }
    let rev = project.mend(context, &settled)?;
    for id in settled.finished {
        let text = Text::new().style(BOLD, id);
        context
            .ui
            .say(text.plain(" was finished on one side: what the other did is kept with it."));
    }
    tell_reopened(context, settled.reopened);
    Ok(Some(rev))
}

/// A place that was settled, and what stands there now.
#[derive(Serialize)]
struct Taken {
    path: String,
    task: Option<TaskId>,
    field: Option<String>,
    value: Option<ralph_queue::Value>,
    #[serde(skip)]
    subject: String,
}

/// Settles what the user asked for, and says what that was.
fn settle(
    context: &Context,
    project: &Project,
    terms: &Terms,
    (side, tasks): (Side, &[String]),
) -> Result<Vec<Taken>, CliError> {
    let queue = project.queue()?;
    if project.files.is_answered(terms)? {
        return Ok(Vec::new());
    }
    let mut asked = merges::unsettled(context, project, &queue)?;
    only_of(project, &queue, &mut asked, tasks)?;
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let side = Take::from(side);
    let places: Vec<(Place, Undecided)> =
        asked.iter().map(|open| (open.place, open.undecided.clone())).collect();
    let edited = project.settle_conflicts(context, terms, &places, side)?;
    let noted = merges::store(project).update(|merges| {
        for files in asked.chunk_by(|one, other| one.path == other.path) {
            let places: Vec<&Undecided> = files.iter().map(|open| &open.undecided).collect();
            merges.settle(&files[0].path, &files[0].merge, &places, side);
        }
        Ok::<_, CliError>(())
    })?;
    context.ui.saved(noted.saved);
    if edited.rev != queue.revision() {
        context.ui.hint("`ralph undo` brings back what stood there, and the conflict with it.");
    }
    let taken = |Unsettled { path, undecided, .. }| {
        let value = Undecided::value(&undecided, side).cloned();
        let (subject, Conflict { task, field, .. }) =
            (subject(&undecided.conflict), undecided.conflict);
        Taken { path, task, field, value, subject }
    };
    Ok(asked.into_iter().map(taken).collect())
}

fn tell_taken(context: &Context, taken: &[Taken]) {
    for Taken { task, field, value, subject, .. } in taken {
        let text = match (task, field, value) {
            (Some(task), None, None) => Text::new().style(BOLD, task).plain(" is removed."),
            (Some(task), None, Some(_)) => Text::new().style(BOLD, task).plain(" stays."),
            (_, _, None) => Text::new().style(BOLD, subject).plain(" is nothing now."),
            (_, _, Some(value)) => {
                Text::new().style(BOLD, subject).plain(format_args!(" is {value} now."))
            }
        };
        context.ui.say(text);
    }
}

/// Says what is wrong with the queue as it is now, and what to do about it; whether that is
/// nothing.
fn tell_errors(context: &Context, project: &Project, queue: &Queue) -> bool {
    let problems = queue.validate(&project.files.rules);
    let errors: Vec<&Problem> =
        problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    for problem in errors.iter().take(LISTED) {
        context.ui.warn(problem_line(problem));
    }
    if errors.len() > LISTED {
        context.ui.warn(format_args!("{} more", counted(errors.len() - LISTED, "error")));
    }
    if errors.is_empty() {
        return true;
    }
    let next = super::can_mend(context, project, errors.len()).then_some(super::MEND);
    context.ui.hint(super::advice(&errors, next));
    false
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

/// What the sides of a merge are, in words.
#[derive(Clone, Copy)]
struct Names {
    ours: &'static str,
    theirs: &'static str,
}

impl Names {
    /// A rebase has them the other way round than its user thinks.
    fn of(context: &Context, root: &Path) -> Self {
        match context.repo(root) {
            Ok(repo) if repo.rebase_in_progress() => Self {
                ours: "ours, what the rebase goes onto",
                theirs: "theirs, the commit of yours that it moves",
            },
            _ => Self { ours: "ours, what was checked out", theirs: "theirs, what came in" },
        }
    }
}

fn print_json(
    context: &Context,
    merged: &[(&Path, &Merged)],
    (taken, unsettled): (&[Taken], &[Unsettled]),
    dry_run: bool,
) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Report<'a> {
        schema: Schema,
        dry_run: bool,
        files: Vec<File<'a>>,
        /// What was settled by a side.
        #[serde(skip_serializing_if = "<[Taken]>::is_empty")]
        taken: &'a [Taken],
        unsettled: &'a [Unsettled],
    }
    #[derive(Serialize)]
    struct File<'a> {
        path: &'a Path,
        conflicts: &'a [Conflict],
        renumbered: &'a [(TaskId, TaskId)],
    }
    let files = merged.iter().map(|(path, Merged { conflicts, renumbered, .. })| File {
        path,
        conflicts,
        renumbered,
    });
    let schema = Schema::v1("queue-merge");
    context.ui.print_json(&Report { schema, dry_run, files: files.collect(), taken, unsettled })
}

fn tell_reopened(context: &Context, reopened: Vec<TaskId>) {
    for id in reopened {
        let text = Text::new().style(BOLD, id);
        context.ui.say(text.plain(" was opened again on one side: it stays open."));
    }
}

fn tell_renumbered(context: &Context, renumbered: &[(TaskId, TaskId)]) {
    for (old, new) in renumbered {
        let old = Text::new().style(BOLD, old);
        context.ui.say(old.plain(format_args!(" of one side is {new} now.")));
    }
}

/// What a conflict is about.
fn subject(conflict: &Conflict) -> String {
    let Conflict { task, field, .. } = conflict;
    match (task, field.as_deref()) {
        (Some(task), Some(field)) => format!("{task}: {field}"),
        (Some(task), None) if conflict.is_about_comments() => {
            format!("{task}: removed on one side, commented on the other")
        }
        (Some(task), None) => format!("{task}: removed on one side"),
        (None, Some("tasks")) => "the order of the tasks".to_owned(),
        (None, field) => field.unwrap_or_default().to_owned(),
    }
}

/// Says what could not be decided; how much that is.
fn tell_conflicts<'c>(
    context: &Context,
    names: Names,
    conflicts: impl Iterator<Item = (&'c Path, &'c Undecided)>,
) -> usize {
    let mut count = 0;
    for (path, undecided) in conflicts {
        count += 1;
        let Undecided { conflict, left, .. } = undecided;
        let value = |value: &Option<ralph_queue::Value>| match value {
            Some(value) => value.to_string(),
            None => "nothing".to_owned(),
        };
        let line =
            |text: Text, name, it| text.line().plain(format_args!("  {name}: {}", value(it)));
        let text = format_args!("{}: {}", path.display(), subject(conflict)).to_string();
        let text = Text::new().style(RED, text);
        let text = line(text, names.ours, &conflict.ours);
        let mut text = line(text, names.theirs, &conflict.theirs);
        if *left != conflict.ours && *left != conflict.theirs {
            text = line(text, "what stands", left);
        } else if *left != conflict.ours {
            text = text.line().plain("  theirs stands");
        }
        context.ui.say(text);
    }
    count
}

pub(crate) fn check(context: &Context, args: &CheckArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue check")?;
    let base = at(context, &project, &args.base)?;
    let queue = project.files.load_for(Reading::Checked);
    let queue = queue.map_err(|error| project.load_error(error))?;
    let losses = conflict::losses(&base, &queue);
    let mut problems = queue.validate(&project.files.rules);
    problems.retain(|problem| problem.severity == Severity::Error);
    let is_clean = losses.is_empty() && problems.is_empty();
    if context.ui.wants_json() {
        let loss = |loss: &Loss| match loss {
            Loss::Lost { task, title } => json!({ "kind": "lost", "task": task, "title": title }),
            Loss::Reused { task, was, is } => {
                json!({ "kind": "reused", "task": task, "was": was, "is": is })
            }
            other => json!({ "kind": format!("{other:?}") }),
        };
        let errors: Vec<Value> =
            problems.iter().map(|problem| super::row(&project, problem)).collect();
        context.ui.print_json(&json!({
            "schema": Schema::v1("queue-check"),
            "ok": is_clean,
            "losses": losses.iter().map(loss).collect::<Vec<_>>(),
            "errors": errors,
        }))?;
    } else {
        for problem in &problems {
            context.ui.print(super::line(&project, problem))?;
        }
        for loss in &losses {
            context.ui.print(match loss {
                Loss::Lost { task, title } => format!("{task} is gone: {title}"),
                Loss::Reused { task, was, is } => format!("{task} was `{was}` and is `{is}`"),
                other => format!("{other:?}"),
            })?;
        }
        if is_clean {
            context.ui.say(format!("The queue is in order since {}.", args.base));
        }
    }
    Ok(if is_clean { Exit::Done } else { Exit::Refused })
}

/// Both files as a commit has them; what it does not have is empty.
fn at(context: &Context, project: &Project, rev: &str) -> Result<Queue, CliError> {
    let repo = context.repo(&project.root)?;
    if repo.resolve(rev)?.is_none() {
        let message = format!("there is no commit `{rev}`");
        return Err(CliError::new(ErrorKind::NotFound, message));
    }
    let read = |place| {
        let path = project.files.path(place);
        let Ok(name) = path.strip_prefix(&project.root) else { return Ok(None) };
        let Some(text) = text_of(&repo, rev, name)? else { return Ok(None) };
        Document::parse(text).map(Some).map_err(|error| {
            let context = format!("cannot read `{}` of {rev}", name.display());
            CliError::new(ErrorKind::Corrupt, error).context(context)
        })
    };
    let open = read(Place::Queue)?.unwrap_or_else(Document::empty);
    Ok(Queue::new(open, read(Place::Done)?))
}
