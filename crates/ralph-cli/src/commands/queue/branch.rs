//! `ralph queue merge-driver|check`: a queue on several branches.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ralph_config::Overrides;
use ralph_queue::conflict::{self, Beside, Loss, Sides, Unsure};
use ralph_queue::document::Reading;
use ralph_queue::merge::{Conflict, Merged, Settled};
use ralph_queue::settle::{Merges, Undecided};
use ralph_queue::{Code, Document, IdMarks, Place, Problem, Queue, Rules, Severity};
use ralph_state::file::{Durability, replace};
use ralph_state::journal::Journal;
use ralph_state::{Clock as _, Store, TaskId, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::merges::{self, Taken, Unsettled, text_of};
use super::unmarked::Doubt;
use crate::args::{CheckArgs, MergeDriverArgs, PartArgs};
use crate::commands::input;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit, problem_line};
use crate::hint::Next;
use crate::project::{
    Project, RALPH_DIR, find_root, ids_of_branches, name_in, rules, shared_dir, sources,
};
use crate::render::counted;
use crate::render::envelope::{Schema, print_part};
use crate::ui::{BOLD, RED, Text};

/// How many conflicts are told in the middle of what git says.
pub(super) const LISTED: usize = 20;

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
    let mut sides = Sides::driven(base, ours, theirs);
    let book = Book::of(context, args);
    sides.beside = book.as_ref().and_then(|book| book.beside(context, args, &sides));
    let mut merged = conflict::resolve(&sides);
    if let Ok(merged) = &mut merged {
        merged.take_lines(|| {
            let directory = context.directory().ok()?;
            let [ours, base, theirs] =
                [&args.ours, &args.base, &args.theirs].map(|file| directory.join(file));
            let repo = context.repo(&directory).ok()?;
            let lines = repo.merge_files([&ours, &base, &theirs]).ok()??;
            ralph_queue::decode(lines).ok()
        });
    }
    let (text, exit) = match merged {
        Ok(merged) if is_of_bases(args) => {
            let exit = if merged.conflicts.is_empty() { Exit::Done } else { Exit::Failed };
            (merged.text, exit)
        }
        Ok(mut merged) => {
            let pair = book.as_ref().and_then(|book| DoneFiles::of((context, args), book, &sides));
            let settled = pair.as_ref().map(|pair| pair.settle(&mut merged)).unwrap_or_default();
            if context.ui.wants_json() {
                context.ui.print_json(&MergeReport::of(
                    [MergedFile::of(name, &merged, &[])].into_iter(),
                ))?;
            }
            tell_renumbered(context, &merged.renumbered);
            tell_reopened(context, &settled.reopened);
            tell_each(context, &settled.finished, |id| {
                Text::new().style(BOLD, id).plain(if settled.two_ends.contains(id) {
                    " was done on one side and rejected on the other: it is done, and the next \
                     change of the queue notes that."
                } else {
                    " was finished on one side: the next change of the queue takes over what the \
                     other did."
                })
            });
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
            let errors = pair.as_ref().map(|pair| pair.errors(&sides, &merged)).unwrap_or_default();
            if let Some(first) = errors.first() {
                context.ui.warn(format_args!(
                    "the merged queue has {}: {}",
                    counted(errors.len(), "error"),
                    problem_line(first)
                ));
            }
            if let Err(error) = note(context, (name, book.as_ref()), &merged) {
                // The file is what git waits for.
                context.ui.warn(format_args!(
                    "cannot note what the merge did: {}",
                    error.chain().join(": ")
                ));
            }
            if !merged.conflicts.is_empty() {
                context.ui.hint("`ralph queue resolve` lists them all, and can take either side.");
            } else if errors.iter().all(|error| error.code == Code::Cycle) && !errors.is_empty() {
                context.ui.hint(super::advice(&errors, None));
            } else if !errors.is_empty() {
                context.ui.hint(
                    "`ralph queue resolve` says what to do about it, and `ralph queue repair \
                     --dry-run` shows what Ralph can mend.",
                );
            }
            let exit = if merged.conflicts.is_empty() { Exit::Done } else { Exit::Failed };
            (merged.text, exit)
        }
        Err(error) => {
            // Not to be taken for merged: both versions stay, between markers.
            context.ui.warn(format_args!("`{}` cannot be merged: {error}", name.display()));
            (conflict::marked(&sides.ours, &sides.theirs), Exit::Failed)
        }
    };
    context.ui.saved(replace(&args.ours, text.as_bytes(), Durability::None)?);
    Ok(exit)
}

/// Whether git only makes one base of several that two branches have, and calls them so. That
/// merge is none of the user's: nothing is told of it or kept.
fn is_of_bases(args: &MergeDriverArgs) -> bool {
    args.label.as_deref() == Some("Temporary merge branch 2")
}

/// The file that git merges, and the other one.
struct Book {
    /// Where git runs the driver: the root of its work tree.
    directory: PathBuf,
    place: Place,
    /// As git names it.
    other: PathBuf,
    rules: Rules,
}

impl Book {
    /// The configuration may be in conflict itself.
    fn of(context: &Context, args: &MergeDriverArgs) -> Option<Self> {
        let name = args.name.as_ref()?;
        let directory = context.directory().ok()?;
        let root = find_root(directory.join(name).parent()?).map(Path::to_owned);
        let config = root.as_ref().and_then(|root| {
            ralph_config::load(&sources(context, root), &Overrides::default()).ok()
        });
        let config = config.map(|settings| settings.config.queue);
        let configured = root.zip(config.as_ref()).and_then(|(root, config)| {
            let name =
                |file: &Path| root.join(file).strip_prefix(&directory).ok().map(Path::to_owned);
            Some((name(&config.file)?, name(&config.done_file)?))
        });
        let (queue, done) = configured.unwrap_or_else(|| {
            (name.with_file_name("queue.jsonc"), name.with_file_name("done.jsonc"))
        });
        let (place, other) =
            if *name == done { (Place::Done, queue) } else { (Place::Queue, done) };
        let rules = config.as_ref().map(rules).unwrap_or_default();
        Some(Self { directory, place, other, rules })
    }

    /// The versions of the other file, where git tells which commits it merges.
    fn beside(&self, context: &Context, args: &MergeDriverArgs, sides: &Sides) -> Option<Beside> {
        let repo = context.repo(&self.directory).ok()?;
        let this = (args.name.as_deref()?, sides);
        let beside = (self.place.other(), self.other.as_path());
        merges::beside(&repo, args.label.as_deref(), this, beside)
    }
}

/// The done files of both sides while their queue files are merged. What cannot be read says
/// nothing.
struct DoneFiles {
    ours: Option<Document>,
    theirs: Option<Document>,
    rules: Rules,
}

impl DoneFiles {
    /// Of the merge of a queue file.
    fn of(
        (context, args): (&Context, &MergeDriverArgs),
        book: &Book,
        sides: &Sides,
    ) -> Option<Self> {
        let Book { directory, place: Place::Queue, other, rules } = book else { return None };
        // Git has not touched the work tree yet: what is there is ours.
        let ours = input::read_own(&directory.join(other)).ok();
        let theirs = their_done(context, directory, args, (&sides.theirs, other));
        let parse = |text: Option<String>| Document::parse(text?).ok();
        Some(Self { ours: parse(ours), theirs: parse(theirs), rules: rules.clone() })
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
    fn errors(&self, sides: &Sides, merged: &Merged) -> Vec<Problem> {
        let texts = [&self.ours, &self.theirs].map(|it| it.as_ref().map(|it| it.text().to_owned()));
        let done = match texts {
            [Some(ours), Some(theirs)] => {
                let both = conflict::resolve(&Sides::new(ours, None, theirs));
                both.ok().map(|merged| merged.text)
            }
            [ours, theirs] => ours.or(theirs),
        };
        let done = sides.beside_merged().or(done).and_then(|text| Document::parse(text).ok());
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
        let known: HashSet<_> = errors(&sides.ours, self.ours.clone()).iter().map(of).collect();
        // What the other side has finished is not known of every git.
        let is_sure =
            |problem: &Problem| self.theirs.is_some() || problem.code != Code::UnknownTask;
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
fn note(
    context: &Context,
    (name, book): (&Path, Option<&Book>),
    merged: &Merged,
) -> Result<(), CliError> {
    let directory = context.directory()?;
    // Git calls at the root of its work tree, below which the project may be.
    let start = directory.join(name);
    let Some(root) = find_root(start.parent().unwrap_or(&directory)) else { return Ok(()) };
    if !root.join(RALPH_DIR).is_dir() {
        return Ok(());
    }
    let (holder, wait) = (context.holder("ralph queue merge-driver"), Duration::from_secs(10));
    let cache = root.join(RALPH_DIR).join("cache");
    let store = Store::<Merges>::new(Merges::path_in(&cache), holder.clone());
    let store = store.lock_wait(wait).like(&start);
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
    let others = book.map(|book| {
        let files = [name, &book.other].map(|file| directory.join(file));
        ids_of_branches(context, root, files)
    });
    ralph_queue::ids::remember(&marks, others.as_ref(), &holder, wait, merged.ids.iter())?;
    if !merged.conflicts.is_empty() {
        // Who tells git to go on may never see the value that is not in the file.
        let journal = Journal::new(cache.join(CONTESTED), holder.clone());
        let journal = journal.limit(CONTESTED_LIMIT).like(&start);
        let contested =
            Contested { at: context.clock.now(), path: &path, conflicts: merged.undecided() };
        context.ui.saved(journal.append(&contested)?);
    }
    Ok(())
}

/// Keeps both values of each place that merges could not decide.
const CONTESTED: &str = "merge-conflicts.jsonl";

/// In bytes: the newest merges are those that somebody may still look for.
const CONTESTED_LIMIT: usize = 1 << 20;

/// A line of it: what one merge of one file could not decide.
#[derive(Serialize)]
struct Contested<'a> {
    at: Timestamp,
    path: &'a str,
    conflicts: Vec<Undecided>,
}

/// What the sides of a merge are, in words.
#[derive(Clone, Copy)]
pub(super) struct Names {
    ours: &'static str,
    theirs: &'static str,
}

impl Names {
    /// A rebase has them the other way round than its user thinks.
    pub(super) fn of(context: &Context, root: &Path) -> Self {
        match context.repo(root) {
            Ok(repo) if repo.rebase_in_progress() => Self {
                ours: "ours, what the rebase goes onto",
                theirs: "theirs, the commit of yours that it moves",
            },
            _ => Self { ours: "ours, what was checked out", theirs: "theirs, what came in" },
        }
    }
}

/// What a merge did, or would do, and what is left of it.
#[derive(Serialize)]
pub(super) struct MergeReport<'a> {
    pub(super) schema: Schema,
    /// Of the queue after it, where that is all in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rev: Option<String>,
    pub(super) dry_run: bool,
    pub(super) files: Vec<MergedFile<'a>>,
    /// What was settled by a side.
    #[serde(skip_serializing_if = "<[Taken]>::is_empty")]
    pub(super) taken: &'a [Taken],
    pub(super) unsettled: &'a [Unsettled],
    /// Of the texts of both files, of a dry run.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) diff: &'a str,
}

#[derive(Serialize)]
pub(super) struct MergedFile<'a> {
    path: &'a Path,
    conflicts: &'a [Conflict],
    renumbered: &'a [(TaskId, TaskId)],
    /// References that may mean another task than the one that they name now.
    #[serde(skip_serializing_if = "<[Unsure]>::is_empty")]
    unsure: &'a [Unsure],
    /// Why a person should look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) doubt: Option<Doubt>,
}

impl<'a> MergedFile<'a> {
    /// A file that was merged by task.
    pub(super) fn of(path: &'a Path, merged: &'a Merged, unsure: &'a [Unsure]) -> Self {
        let Merged { conflicts, renumbered, .. } = merged;
        Self { path, conflicts, renumbered, unsure, doubt: None }
    }
}

impl<'a> MergeReport<'a> {
    pub(super) fn of(files: impl Iterator<Item = MergedFile<'a>>) -> Self {
        Self {
            schema: Schema::v1("queue-merge"),
            rev: None,
            dry_run: false,
            files: files.collect(),
            taken: &[],
            unsettled: &[],
            diff: "",
        }
    }
}

/// Says a line of each, and of many how many more there are.
pub(super) fn tell_each<T>(context: &Context, all: &[T], line: impl Fn(&T) -> Text) {
    for one in all.iter().take(LISTED) {
        context.ui.say(line(one));
    }
    if all.len() > LISTED {
        context.ui.say(format_args!("And so with {} more.", all.len() - LISTED));
    }
}

pub(super) fn tell_reopened(context: &Context, reopened: &[TaskId]) {
    tell_each(context, reopened, |id| {
        Text::new().style(BOLD, id).plain(" was opened again on one side: it stays open.")
    });
}

pub(super) fn tell_renumbered(context: &Context, renumbered: &[(TaskId, TaskId)]) {
    tell_each(context, renumbered, |(old, new)| {
        let old = Text::new().style(BOLD, old);
        old.plain(format_args!(" of one side is {new} now."))
    });
}

/// What a conflict is about.
pub(super) fn subject(conflict: &Conflict) -> String {
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
pub(super) fn tell_conflicts<'c>(
    context: &Context,
    names: Names,
    conflicts: impl Iterator<Item = (&'c Path, &'c Undecided)>,
) -> usize {
    let mut count = 0;
    for (path, undecided) in conflicts {
        count += 1;
        let Undecided { conflict, left, .. } = undecided;
        let value = |value: &Option<ralph_queue::Value>| match value {
            Some(_) if conflict.is_about_comments() => "the task as it was, with".to_owned(),
            Some(value) => value.to_string(),
            None => "nothing".to_owned(),
        };
        let line =
            |text: Text, name, it| text.line().plain(format_args!("  {name}: {}", value(it)));
        let text = format_args!("{}: {}", path.display(), subject(conflict)).to_string();
        let text = Text::new().style(RED, text);
        let commented = |mut text: Text, side: &Option<ralph_queue::Value>| {
            for comment in conflict.comments.iter().filter(|_| side.is_some()) {
                let lines: Vec<&str> = comment.lines().map(str::trim).collect();
                text = text.line().plain(format_args!("    {}", lines.join(" ")));
            }
            text
        };
        let text = commented(line(text, names.ours, &conflict.ours), &conflict.ours);
        let mut text = commented(line(text, names.theirs, &conflict.theirs), &conflict.theirs);
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
    let base = Base::at(context, &project, &args.base)?;
    let queue = project.files.load_for(Reading::Checked);
    let queue = queue.map_err(|error| project.load_error(error))?;
    let base = base.read(&project, &args.base, &queue)?;
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
        let error = |problem: &Problem| {
            let mut row = super::row(&project, problem);
            row["kind"] = "error".into();
            row
        };
        let items: Vec<Value> = problems.iter().map(error).chain(losses.iter().map(loss)).collect();
        let head = (Schema::v1("queue-check"), Some(queue.revision()));
        let key = |index: usize| index.to_string();
        let beside = json!({ "ok": is_clean });
        print_part(&context.ui, head, (&items, &PartArgs::default()), key, &beside)?;
    } else {
        for problem in &problems {
            context.ui.print(super::line(&project, problem))?;
        }
        for loss in &losses {
            context.ui.print(match loss {
                Loss::Lost { task, title } => format!("{task} is gone: {title}"),
                Loss::Reused { task, was, is } if was == is => {
                    format!("{task} is another task than it was, made at another time: {is}")
                }
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

/// Both files as a commit has them, unread.
struct Base {
    queue: Option<String>,
    done: Option<String>,
}

impl Base {
    fn at(context: &Context, project: &Project, rev: &str) -> Result<Self, CliError> {
        let repo = context.repo(&project.root)?;
        if repo.resolve(rev)?.is_none() {
            let message = format!("there is no commit `{rev}`");
            return Err(CliError::new(ErrorKind::NotFound, message).hint(
                Next::BRANCHES.within("Name a commit, a branch or a tag; {} lists the branches."),
            ));
        }
        let text = |place| match name_in(&repo, project.files.path(place)) {
            Some(name) => text_of(&repo, rev, &name),
            None => Ok(None),
        };
        Ok(Self { queue: text(Place::Queue)?, done: text(Place::Done)? })
    }

    /// What the commit does not have is empty. Most of it is as in `now`, and not read again.
    fn read(self, project: &Project, rev: &str, now: &Queue) -> Result<Queue, CliError> {
        let read = |place, text, now: &Document| {
            now.parse_next(text).map_err(|error| {
                let name = project.shown(project.files.path(place));
                let context = format!("cannot read `{name}` of {rev}");
                CliError::new(ErrorKind::Corrupt, error).context(context)
            })
        };
        let Self { queue, done } = self;
        let queue = queue.map(|text| read(Place::Queue, text, now.document())).transpose()?;
        let done = done.map(|text| read(Place::Done, text, now.done_document())).transpose()?;
        Ok(Queue::new(queue.unwrap_or_else(Document::empty), done))
    }
}
