//! `ralph queue merge-driver|resolve|check`: a queue on several branches.

use std::path::Path;

use ralph_git::Repo;
use ralph_queue::conflict::{self, Loss, Sides};
use ralph_queue::merge::{Conflict, Merged};
use ralph_queue::{Document, Place, Queue, Severity};
use ralph_state::file::{Durability, FileLock, replace};
use serde_json::{Value, json};

use crate::args::{CheckArgs, MergeDriverArgs, ResolveArgs};
use crate::commands::input;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::Project;
use crate::render::envelope::Schema;
use crate::ui::{BOLD, RED, Text};

pub(crate) fn merge_driver(context: &Context, args: &MergeDriverArgs) -> Result<Exit, CliError> {
    let read = |path| input::read(Some(path), input::TASKS_LIMIT);
    let [base, ours, theirs] = [read(&args.base)?, read(&args.ours)?, read(&args.theirs)?];
    let name = args.name.as_deref().unwrap_or(&args.ours);
    let (text, exit) = match conflict::drive(&base, &ours, &theirs) {
        Ok(merged) => {
            let exit = report(context, &[(name, &merged)], false)?;
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

pub(crate) fn resolve(context: &Context, args: &ResolveArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue resolve")?;
    let files = &project.files;
    let _lock = FileLock::acquire(&files.lock_path(), &files.holder, files.lock_wait)?;
    let mut merged = Vec::new();
    for place in [Place::Queue, Place::Done] {
        let path = files.path(place);
        let text = match input::read(Some(path), input::TASKS_LIMIT) {
            Ok(text) => text,
            Err(_) if !path.exists() => continue,
            Err(error) => return Err(error.at(path)),
        };
        let Some(between) = conflict::sides(&text) else { continue };
        let sides = staged(context, &project, path)?.unwrap_or(between);
        let result = conflict::resolve(&sides)
            .map_err(|error| CliError::from(error).context("cannot resolve").at(path))?;
        merged.push((path, result));
    }
    if !args.dry_run {
        for (path, merged) in &merged {
            context.ui.saved(replace(path, merged.text.as_bytes(), Durability::Full)?);
        }
    }
    let shown: Vec<(&Path, &Merged)> = merged
        .iter()
        .map(|(path, merged)| (path.strip_prefix(&project.root).unwrap_or(path), merged))
        .collect();
    let exit = report(context, &shown, args.dry_run)?;
    if shown.is_empty() {
        context.ui.say("No queue file has conflict markers.");
    } else if !args.dry_run {
        context.ui.hint("Look at it, then `git add` it.");
    }
    Ok(exit)
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

/// Says what could not be decided, and what got another id.
fn report(context: &Context, merged: &[(&Path, &Merged)], dry_run: bool) -> Result<Exit, CliError> {
    if context.ui.wants_json() {
        let files: Vec<Value> =
            merged.iter().map(|(path, merged)| document(path, merged)).collect();
        context.ui.print_json(&json!({
            "schema": Schema::v1("queue-merge"), "dry_run": dry_run, "files": files,
        }))?;
    }
    let mut exit = Exit::Done;
    for (path, merged) in merged {
        let Merged { text, conflicts, renumbered } = merged;
        for (old, new) in renumbered {
            let old = Text::new().style(BOLD, old);
            context.ui.say(old.plain(format_args!(" of one side is {new} now.")));
        }
        for Conflict { task, field, ours, theirs, .. } in conflicts {
            exit = Exit::Failed;
            let field = field.as_deref().unwrap_or("removed on one side");
            let value = |value: &Option<Value>| value.as_ref().unwrap_or(&Value::Null).to_string();
            let text = Text::new()
                .style(RED, format_args!("{}: {task}: {field}", path.display()))
                .line()
                .plain(format_args!("  ours:   {}", value(ours)))
                .line()
                .plain(format_args!("  theirs: {}", value(theirs)));
            context.ui.say(text);
        }
        if dry_run && !context.ui.wants_json() {
            context.ui.print_data(text)?;
        }
    }
    Ok(exit)
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
