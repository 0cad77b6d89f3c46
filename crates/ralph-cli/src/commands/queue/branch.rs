//! `ralph queue merge-driver|resolve|check`: a queue on several branches.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ralph_git::Repo;
use ralph_queue::conflict::{self, Kept, Loss, Sides, Take, Unsettled};
use ralph_queue::merge::{Conflict, Merged};
use ralph_queue::{Document, IdMarks, Place, Queue, QueueFiles, Severity};
use ralph_state::file::{Durability, FileLock, Holder, replace};
use ralph_state::{Clock as _, Store, TaskId};
use serde_json::{Value, json};

use crate::args::{CheckArgs, MergeDriverArgs, ResolveArgs, Side};
use crate::commands::input;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::{Project, RALPH_DIR, find_root};
use crate::render::envelope::Schema;
use crate::ui::{BOLD, RED, Text};

pub(crate) fn merge_driver(context: &Context, args: &MergeDriverArgs) -> Result<Exit, CliError> {
    let read = |path| input::read(Some(path), input::TASKS_LIMIT);
    let [base, ours, theirs] = [read(&args.base)?, read(&args.ours)?, read(&args.theirs)?];
    let name = args.name.as_deref().unwrap_or(&args.ours);
    let (text, exit) = match conflict::drive(&base, &ours, &theirs) {
        Ok(merged) => {
            if context.ui.wants_json() {
                print_json(context, &[(name, &merged)], &[], false)?;
            }
            tell_renumbered(context, &merged.renumbered);
            tell_conflicts(context, merged.conflicts.iter().map(|conflict| (name, conflict)));
            let books = Books::below(context, find_root(&context.directory()?));
            if let Err(error) = books.enter(context, name, &merged) {
                // The file is what git waits for.
                context.ui.warn(format_args!(
                    "cannot note what the merge did: {}",
                    error.chain().join(": ")
                ));
            }
            if !merged.conflicts.is_empty() {
                context.ui.hint("`ralph queue resolve` lists this again, and takes either side.");
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

/// Where a merge is remembered: the ids it brought, the values that do not stand.
struct Books {
    unsettled: Option<Store<Unsettled>>,
    marks: Option<PathBuf>,
    holder: Holder,
    wait: Duration,
}

impl Books {
    fn of(project: &Project) -> Self {
        let path = Unsettled::path_in(&project.root.join(RALPH_DIR).join("cache"));
        let QueueFiles { holder, lock_wait, id_marks, .. } = project.files.clone();
        let unsettled = Store::new(path, holder.clone()).lock_wait(lock_wait);
        Self { unsettled: Some(unsettled), marks: id_marks, holder, wait: lock_wait }
    }

    /// The same where the configuration cannot be read: it may be in conflict itself.
    fn below(context: &Context, root: Option<&Path>) -> Self {
        let holder = context.holder("ralph queue merge-driver");
        let wait = Duration::from_secs(10);
        let root = root.filter(|root| root.join(RALPH_DIR).is_dir());
        let cache = root.map(|root| root.join(RALPH_DIR).join("cache"));
        let shared = root.and_then(ralph_git::common_dir).or_else(|| cache.clone());
        let unsettled = cache
            .map(|cache| Store::new(Unsettled::path_in(&cache), holder.clone()).lock_wait(wait));
        Self { unsettled, marks: shared.map(|shared| IdMarks::path_in(&shared)), holder, wait }
    }

    fn enter(&self, context: &Context, name: &Path, merged: &Merged) -> Result<(), CliError> {
        self.keep(context, name, &merged.conflicts)?;
        if let Some(marks) = &self.marks {
            let ids = merged.ids.iter();
            ralph_queue::ids::remember(marks, &self.holder, self.wait, ids)?;
        }
        Ok(())
    }

    fn keep(&self, context: &Context, name: &Path, found: &[Conflict]) -> Result<(), CliError> {
        let Some(unsettled) = self.unsettled.as_ref().filter(|_| !found.is_empty()) else {
            return Ok(());
        };
        let now = context.clock.now();
        let kept = unsettled.update(|unsettled| {
            unsettled.keep(&name.to_string_lossy(), found, now);
            Ok::<_, CliError>(())
        })?;
        context.ui.saved(kept.saved);
        Ok(())
    }

    fn unsettled(&self) -> Result<Vec<Kept>, CliError> {
        let Some(store) = &self.unsettled else { return Ok(Vec::new()) };
        Ok(store.load()?.map(|loaded| loaded.value.conflicts).unwrap_or_default())
    }

    /// Forgets conflicts that are settled.
    fn settle(&self, context: &Context, settled: &[Kept]) -> Result<(), CliError> {
        let Some(store) = self.unsettled.as_ref().filter(|_| !settled.is_empty()) else {
            return Ok(());
        };
        let done = store.update(|unsettled| {
            unsettled.conflicts.retain(|kept| !settled.contains(kept));
            Ok::<_, CliError>(())
        })?;
        context.ui.saved(done.saved);
        Ok(())
    }
}

pub(crate) fn resolve(context: &Context, args: &ResolveArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue resolve")?;
    let books = Books::of(&project);
    let merged = {
        let files = &project.files;
        let _lock = FileLock::acquire(&files.lock_path(), &files.holder, files.lock_wait)?;
        resolved(context, &project, &books, args)?
    };
    let shown: Vec<(&Path, &Merged)> =
        merged.iter().map(|(path, merged)| (path.as_path(), merged)).collect();
    for (_, merged) in &shown {
        tell_renumbered(context, &merged.renumbered);
        if args.dry_run && !context.ui.wants_json() {
            context.ui.print_data(&merged.text)?;
        }
    }
    if args.dry_run {
        let found = shown
            .iter()
            .flat_map(|(path, merged)| merged.conflicts.iter().map(|conflict| (*path, conflict)));
        let is_clean = tell_conflicts(context, found) == 0;
        if context.ui.wants_json() {
            print_json(context, &shown, &books.unsettled()?, true)?;
        } else if shown.is_empty() {
            context.ui.say("No queue file has conflict markers.");
        }
        return Ok(if is_clean { Exit::Done } else { Exit::Failed });
    }
    let is_mended = mend(context, &project)?;
    let settled = settled(context, &project, &books, args)?;
    let left = books.unsettled()?;
    if context.ui.wants_json() {
        print_json(context, &shown, &left, false)?;
    }
    tell_conflicts(context, left.iter().map(|kept| (Path::new(&kept.path), &kept.conflict)));
    if !left.is_empty() {
        context.ui.hint(
            "`ralph queue resolve --take ours` settles this as it stands, `--take theirs` by the other values.",
        );
        return Ok(Exit::Failed);
    }
    if shown.is_empty() && !is_mended && settled == 0 {
        context.ui.say("There is nothing to resolve.");
    } else {
        context.ui.hint("Look at it, then `git add` it.");
    }
    Ok(Exit::Done)
}

/// Merges the files that hold conflict markers, and notes the conflicts of those that a merge
/// driver has merged.
fn resolved(
    context: &Context,
    project: &Project,
    books: &Books,
    args: &ResolveArgs,
) -> Result<Vec<(PathBuf, Merged)>, CliError> {
    let known = books.unsettled()?;
    let mut merged = Vec::new();
    for place in [Place::Queue, Place::Done] {
        let path = project.files.path(place);
        let name = path.strip_prefix(&project.root).unwrap_or(path);
        let text = match input::read(Some(path), input::TASKS_LIMIT) {
            Ok(text) => text,
            Err(_) if !path.exists() => continue,
            Err(error) => return Err(error.at(path)),
        };
        let between = conflict::sides(&text);
        let staged = staged(context, project, path)?;
        let is_marked = between.is_some();
        let Some(sides) = staged.or(between) else { continue };
        let result = conflict::resolve(&sides)
            .map_err(|error| CliError::from(error).context("cannot resolve").at(path))?;
        if is_marked {
            if !args.dry_run {
                context.ui.saved(replace(path, result.text.as_bytes(), Durability::Full)?);
                books.enter(context, name, &result)?;
            }
            merged.push((name.to_owned(), result));
        } else if !args.dry_run
            && args.take.is_none()
            && !known.iter().any(|kept| Path::new(&kept.path) == name)
        {
            // The file is as the driver or the user left it.
            books.keep(context, name, &result.conflicts)?;
        }
    }
    Ok(merged)
}

/// Puts in order what only both files together show; whether there was anything.
fn mend(context: &Context, project: &Project) -> Result<bool, CliError> {
    let queue = project.queue()?;
    let finished: Vec<&TaskId> = queue.leftovers().collect();
    if finished.is_empty() && queue.namesakes().next().is_none() {
        return Ok(false);
    }
    project.edit(context, |_| Ok(()))?;
    for id in finished {
        let text = Text::new().style(BOLD, id);
        context
            .ui
            .say(text.plain(" was finished on one side: what the other did is kept with it."));
    }
    Ok(true)
}

/// Settles what the user asked for, and what has settled itself; how many.
fn settled(
    context: &Context,
    project: &Project,
    books: &Books,
    args: &ResolveArgs,
) -> Result<usize, CliError> {
    let unsettled = books.unsettled()?;
    let queue = project.queue()?;
    let is_finished = |kept: &Kept| {
        let task = kept.conflict.task.as_ref().and_then(|id| queue.find(id.as_str()));
        kept.conflict.field.is_none() && task.is_some_and(|(place, _)| place == Place::Done)
    };
    let (mut settled, left): (Vec<Kept>, Vec<Kept>) = unsettled.into_iter().partition(is_finished);
    if let Some(side) = args.take {
        let is_asked = |kept: &Kept| {
            let task = kept.conflict.task.as_ref().map(TaskId::as_str);
            args.tasks.is_empty() || args.tasks.iter().any(|id| Some(id.as_str()) == task)
        };
        let asked: Vec<Kept> = left.into_iter().filter(is_asked).collect();
        let taken = project.edit(context, |edit| {
            let take = |kept: &Kept| match side {
                Side::Ours => conflict::take(edit, &kept.conflict, Take::Ours).map(|_| true),
                Side::Theirs => conflict::take(edit, &kept.conflict, Take::Theirs),
            };
            asked.iter().map(take).collect::<Result<Vec<bool>, _>>()
        })?;
        for (kept, is_taken) in asked.into_iter().zip(taken) {
            if is_taken {
                settled.push(kept);
            } else {
                let Kept { path, conflict, .. } = &kept;
                let what = subject(conflict);
                context.ui.warn(format_args!("{path}: {what} has to be changed by hand"));
            }
        }
    }
    books.settle(context, &settled)?;
    Ok(settled.len())
}

/// The versions that git keeps of a file in conflict.
fn staged(context: &Context, project: &Project, path: &Path) -> Result<Option<Sides>, CliError> {
    let Ok(repo) = context.repo(&project.root) else { return Ok(None) };
    let Ok(name) = path.strip_prefix(&project.root) else { return Ok(None) };
    let stage = |number: &str| text_of(&repo, number, name);
    let (Some(ours), Some(theirs)) = (stage(":2")?, stage(":3")?) else { return Ok(None) };
    Ok(Some(Sides::new(ours, stage(":1")?, theirs)))
}

fn text_of(repo: &Repo, rev: &str, name: &Path) -> Result<Option<String>, CliError> {
    let text = repo.read_blob(rev, name)?.map(ralph_queue::decode).transpose();
    text.map_err(|error| {
        CliError::new(ErrorKind::Corrupt, error)
            .context(format!("cannot read stage `{rev}` of the file"))
            .hint(format!("`git show {rev}:{}` prints it.", name.display()))
            .at(name)
    })
}

fn print_json(
    context: &Context,
    merged: &[(&Path, &Merged)],
    unsettled: &[Kept],
    dry_run: bool,
) -> Result<(), CliError> {
    let files: Vec<Value> = merged.iter().map(|(path, merged)| document(path, merged)).collect();
    context.ui.print_json(&json!({
        "schema": Schema::v1("queue-merge"), "dry_run": dry_run, "files": files,
        "unsettled": unsettled,
    }))
}

fn tell_renumbered(context: &Context, renumbered: &[(TaskId, TaskId)]) {
    for (old, new) in renumbered {
        let old = Text::new().style(BOLD, old);
        context.ui.say(old.plain(format_args!(" of one side is {new} now.")));
    }
}

/// What a conflict is about.
fn subject(Conflict { task, field, .. }: &Conflict) -> String {
    match (task, field.as_deref()) {
        (Some(task), Some(field)) => format!("{task}: {field}"),
        (Some(task), None) => format!("{task}: removed on one side"),
        (None, Some("tasks")) => "the order of the tasks".to_owned(),
        (None, field) => field.unwrap_or_default().to_owned(),
    }
}

/// Says what could not be decided; how much that is.
fn tell_conflicts<'c>(
    context: &Context,
    conflicts: impl Iterator<Item = (&'c Path, &'c Conflict)>,
) -> usize {
    let mut count = 0;
    for (path, conflict) in conflicts {
        count += 1;
        let value = |value: &Option<Value>| value.as_ref().unwrap_or(&Value::Null).to_string();
        let text = Text::new()
            .style(RED, format_args!("{}: {}", path.display(), subject(conflict)))
            .line()
            .plain(format_args!("  ours:   {}", value(&conflict.ours)))
            .line()
            .plain(format_args!("  theirs: {}", value(&conflict.theirs)));
        context.ui.say(text);
    }
    count
}

fn document(path: &Path, merged: &Merged) -> Value {
    let conflict = |conflict: &Conflict| {
        json!({
            "task": conflict.task, "field": conflict.field,
            "base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs,
        })
    };
    json!({
        "path": path,
        "conflicts": merged.conflicts.iter().map(conflict).collect::<Vec<_>>(),
        "renumbered": merged.renumbered,
    })
}

pub(crate) fn check(context: &Context, args: &CheckArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue check")?;
    let base = at(context, &project, &args.base)?;
    let queue = project.queue()?;
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
