//! `ralph rescue …`.

use std::path::{Path, PathBuf};

use ralph_git::{Repo, Sha};
use ralph_loop::rescue::{self, Kept, RescueError};
use ralph_process::Cancel;
use serde_json::{Value, json};

use crate::args::{RescueArgs, RescueCommand};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::hint::Next;
use crate::project::Project;
use crate::render::envelope::{List, Schema};
use crate::render::{counted, short};
use crate::ui::{BOLD, DIM, Text};

pub(crate) fn rescue(context: &Context, args: &RescueArgs) -> Result<Exit, CliError> {
    let env = context.git_env();
    let repo = Repo::discover(&context.directory()?, env, Cancel::new())?;
    match &args.command {
        RescueCommand::List(args) => list(context, &repo, args.all),
        RescueCommand::Show(args) => show(context, &repo, &args.name),
        RescueCommand::Restore(args) => restore(context, &repo, &args.name),
    }
}

/// The queue files, where there is a project that can be read.
fn books(context: &Context) -> Vec<PathBuf> {
    let Ok(project) = Project::open(context, "ralph rescue") else { return Vec::new() };
    let files = [&project.files.queue, &project.files.done];
    let inside = files.into_iter().filter_map(|path| path.strip_prefix(&project.root).ok());
    inside.map(Path::to_owned).collect()
}

fn list(context: &Context, repo: &Repo, all: bool) -> Result<Exit, CliError> {
    let mut kept = rescue::list(repo, &books(context))?;
    let landed = kept.iter().filter(|kept| kept.has_landed).count();
    kept.retain(|kept| all || !kept.has_landed);
    if context.ui.wants_json() {
        let items: Vec<Value> = kept.iter().map(row).collect();
        context.ui.print_json(&List::all(Schema::v1("rescue-list"), None, &items))?;
        return Ok(Exit::Done);
    }
    if kept.is_empty() {
        context.ui.say("Nothing is kept that has not landed.");
        if landed > 0 {
            context.ui.hint(format!("`ralph rescue list --all` shows {landed} that landed since."));
        }
        return Ok(Exit::Done);
    }
    let mut text = Text::new();
    for kept in &kept {
        text = text.style(BOLD, &kept.name).plain("  ").plain(&kept.subject).style(DIM, size(kept));
        if kept.has_landed {
            text = text.style(DIM, ", landed since");
        } else if let Some(landing) = &kept.superseded_by {
            let landing = short(landing.as_str());
            text = text.style(DIM, format!(", its task has landed as {landing} with other work"));
        }
        text = text.line();
    }
    context.ui.print(text)?;
    context.ui.hint(
        "`ralph rescue show NAME` shows one, `ralph rescue restore NAME` makes a branch of it.",
    );
    Ok(Exit::Done)
}

fn size(kept: &Kept) -> String {
    let change = kept.change;
    let files = counted(change.files, "file");
    format!("  {files}, +{} -{}", change.insertions, change.deletions)
}

fn row(kept: &Kept) -> Value {
    json!({
        "name": kept.name,
        "commit": kept.commit.as_str(),
        "subject": kept.subject,
        "files": kept.change.files,
        "insertions": kept.change.insertions,
        "deletions": kept.change.deletions,
        "landed": kept.has_landed,
        "superseded_by": kept.superseded_by.as_ref().map(Sha::as_str),
    })
}

fn show(context: &Context, repo: &Repo, name: &str) -> Result<Exit, CliError> {
    let names = rescue::find(repo, name)?;
    let newest = names.last().map_or(name, String::as_str);
    let kept = rescue::list(repo, &books(context))?.into_iter().find(|kept| kept.name == newest);
    let Some(kept) = kept else {
        return Err(RescueError::Unknown { name: name.to_owned() }.into());
    };
    let patch = repo.patch_of(kept.base.as_ref(), &kept.commit)?;
    if context.ui.wants_json() {
        let mut document = row(&kept);
        document["schema"] = json!(Schema::v1("rescue-show"));
        document["patch"] = patch.into();
        context.ui.print_json(&document)?;
        return Ok(Exit::Done);
    }
    context.ui.print(Text::new().style(BOLD, &kept.name).plain("  ").plain(&kept.commit))?;
    context.ui.print_data(&format!("{patch}\n"))?;
    if let [older @ .., _] = names.as_slice()
        && !older.is_empty()
    {
        context
            .ui
            .say(format!("This is the newest of that task; also kept: {}.", older.join(", ")));
    }
    Ok(Exit::Done)
}

fn restore(context: &Context, repo: &Repo, name: &str) -> Result<Exit, CliError> {
    let branch = rescue::restore(repo, name)?;
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": Schema::v1("rescue-restore"),
            "name": name,
            "branch": branch,
        }))?;
        return Ok(Exit::Done);
    }
    context.ui.say(format!("It is the branch `{branch}` now."));
    context.ui.hint(format!("`git switch {branch}`, or `git cherry-pick {branch}`."));
    Ok(Exit::Done)
}

impl From<RescueError> for CliError {
    fn from(error: RescueError) -> Self {
        match error {
            RescueError::Git(error) => error.into(),
            RescueError::BranchExists { ref branch } => {
                let hint = format!("`git switch {branch}` goes there.");
                Self::new(ErrorKind::Refused, error).hint(hint)
            }
            RescueError::Ambiguous { ref names, .. } => {
                let names = names.clone();
                Self::new(ErrorKind::Usage, error).hint("Name one of them.").similar(names)
            }
            error => Self::new(ErrorKind::NotFound, error)
                .hint(Next::RESCUED.within("{} shows what is kept.")),
        }
    }
}
