//! `ralph run parallel recover`: a way back from a state file that cannot be used.

use ralph_loop::coordinator;
use ralph_loop::layout::Layout;
use ralph_loop::rebuild::{self, Applied, Entry, Origin, Plan, Site, Survey};
use ralph_state::Clock as _;
use serde_json::{Value, json};

use super::status::damage;
use crate::args::RecoverArgs;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::Project;
use crate::render::envelope::Schema;
use crate::render::task::retry;
use crate::render::{short, worker};
use crate::ui::{BOLD, Text};

pub(super) fn recover(context: &Context, args: &RecoverArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph run parallel recover")?;
    let repo = context.repo(&project.root)?;
    let layout = Layout::new(repo.root());
    // A run knows better than what can be found beside it.
    let _run = if args.dry_run {
        coordinator::no_run_is_active(&layout, &project.files)?;
        None
    } else {
        Some(coordinator::run_lock_of(&layout, &project.files)?)
    };
    let store = ralph_loop::project::store(&layout, &project.files.holder);
    let queue = project.queue()?;
    let site = Site {
        repo: &repo,
        git_env: &context.git_env(),
        config: &project.settings.config,
        queue: &queue,
        store: &store,
    };
    let survey = rebuild::survey(&site)?;
    let plan = rebuild::plan(&survey, context.clock.now());
    let is_sound = survey.salvaged.as_ref().is_some_and(|found| found.refused.is_none());
    let has_file = survey.salvaged.is_some() || survey.unreadable.is_some();
    let has_something = (has_file && !is_sound) || !plan.is_empty();
    let applied =
        if args.dry_run || !has_something { None } else { Some(rebuild::apply(&store, &plan)?) };
    if context.ui.wants_json() {
        context.ui.print_json(&document(&survey, &plan, applied.as_ref()))?;
    } else {
        print(context, &survey, &plan)?;
        report(context, applied.as_ref(), has_something);
    }
    if let Some(applied) = applied {
        context.ui.saved(applied.saved);
    }
    Ok(Exit::Done)
}

fn document(survey: &Survey, plan: &Plan, applied: Option<&Applied>) -> Value {
    let tasks: Vec<Value> = plan
        .entries
        .iter()
        .map(|Entry { record, origin }| {
            json!({
                "task_id": record.task_id,
                "from": word(*origin),
                "lifecycle": record.lifecycle.as_str(),
                "workspace": record.workspace_path,
                "commit": record.landed_commit.as_ref().or(record.work_commit.as_ref()),
                "rescue_ref": record.rescue_ref,
            })
        })
        .collect();
    json!({
        "schema": Schema::v1("parallel-recover"),
        "target_branch": plan.frame.target_branch,
        "applied": applied.is_some(),
        "set_aside": applied.and_then(|applied| applied.aside.as_ref()),
        "unreadable": survey.unreadable.as_ref().map(ToString::to_string),
        "damage": survey.salvaged.iter().flat_map(damage).collect::<Vec<_>>(),
        "tasks": tasks,
        "forgotten": plan.forgotten,
    })
}

const fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::File => "state_file",
        Origin::Legacy => "older_version",
        Origin::Worker => "worker",
        Origin::Target => "target",
        Origin::Commit => "commit",
        Origin::Workspace => "workspace",
        Origin::Rescue => "rescue_ref",
        Origin::Ended => "ended",
    }
}

fn print(context: &Context, survey: &Survey, plan: &Plan) -> Result<(), CliError> {
    if let Some(why) = &survey.unreadable {
        context.ui.say(format!("Nothing of the state file can be read: {why}."));
    }
    for part in survey.salvaged.iter().flat_map(|found| &found.bad) {
        context.ui.warn(part);
    }
    let mut text = Text::new();
    for entry in &plan.entries {
        text = text.style(BOLD, &entry.record.task_id).plain("  ").plain(story(entry)).line();
    }
    for task in &plan.forgotten {
        text = text.style(BOLD, task);
        text = text.plain("  nothing is left of it but its record in the file; ");
        text = text.plain("an open task is offered again").line();
    }
    context.ui.print(text)
}

fn story(Entry { record, origin }: &Entry) -> String {
    let commit = record.landed_commit.as_ref().or(record.work_commit.as_ref());
    let commit = commit.map_or("", |commit| short(commit));
    let workspace = record.workspace_path.display();
    match origin {
        Origin::File => format!("{}, as the file says", worker::recorded(record)),
        Origin::Legacy => {
            let why = record.last_error.as_deref().unwrap_or("adopted from an older version");
            format!("{}, {why}", worker::recorded(record))
        }
        Origin::Worker => "its worker lives; the next run waits for it".to_owned(),
        Origin::Target => format!("it has landed as {commit}"),
        Origin::Commit => {
            format!("its work is committed ({commit}); the next run lands it, without an agent")
        }
        Origin::Workspace => {
            format!("unfinished; the next run keeps what is in `{workspace}` and starts it again")
        }
        Origin::Rescue => {
            let name = record.rescue_ref.as_deref().unwrap_or_default();
            let retry = retry(&record.task_id);
            format!("its work did not land and is kept as {name}; `{retry}` tries again")
        }
        Origin::Ended => match &record.rescue_ref {
            Some(name) => format!("it is not open any more; its work is kept as {name}"),
            None => format!("it is not open any more; the next run keeps what is in `{workspace}`"),
        },
    }
}

fn report(context: &Context, applied: Option<&Applied>, has_something: bool) {
    match applied {
        None if has_something => {
            context.ui.say("Nothing was changed: without `--dry-run` the state file is rebuilt.");
        }
        None => context.ui.say("There is nothing to recover."),
        Some(applied) => {
            match &applied.aside {
                Some(aside) => context.ui.say(format!(
                    "The state file is rebuilt; what it was is in `{}`.",
                    aside.display()
                )),
                None => context.ui.say("The state file is brought up to what was found."),
            }
            context.ui.hint("`ralph run loop --parallel` goes on from here.");
        }
    }
}
