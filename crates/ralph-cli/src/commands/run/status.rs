//! `ralph run parallel status` and `retry`.

use ralph_loop::layout::Layout;
use ralph_loop::retry::{self, Retried, RetriedAll};
use ralph_loop::status::{self, Counts, Headline, WorkerView};
use ralph_state::{ParallelStateFile, Store, WorkerLifecycle};
use serde_json::{Value, json};

use crate::args::RetryArgs;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::Project;
use crate::render::envelope::Schema;
use crate::ui::{BOLD, Text};

/// Shows the records of parallel runs and what they need.
pub(super) fn status(context: &Context) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph run parallel status")?;
    let layout = Layout::new(&project.root);
    let holder = context.holder("ralph run parallel status");
    let loaded = ralph_loop::project::store(&layout, &holder).load()?;
    let Some(loaded) = loaded else {
        if context.ui.wants_json() {
            let message = "No parallel state found";
            let status = json!({ "schema_version": 3, "workers": [], "message": message });
            let document = document(Headline::NotStarted, Counts::default(), &[], &status);
            context.ui.print_json(&document)?;
        } else {
            context.ui.print(Headline::NotStarted.sentence())?;
        }
        return Ok(Exit::Done);
    };
    let state = loaded.value;
    let views = status::observe(&layout, &state)?;
    let headline = status::headline(&views);
    if context.ui.wants_json() {
        let status = serde_json::to_value(&state)
            .map_err(|error| CliError::new(ErrorKind::Failed, error))?;
        let document = document(headline, status::counts(&state), &views, &status);
        context.ui.print_json(&document)?;
    } else {
        print(context, &state, &views, headline)?;
        for warning in &loaded.report.warnings {
            context.ui.warn(warning);
        }
    }
    Ok(Exit::Done)
}

/// The shape of 0.4.0, version 3, with what the world says of each worker added.
fn document(headline: Headline, counts: Counts, views: &[WorkerView], status: &Value) -> Value {
    let next: Vec<Value> = next_command(headline, views)
        .map(|command| json!({ "title": "Go on", "command": command, "detail": headline.sentence() }))
        .into_iter()
        .collect();
    let live: Vec<Value> = views
        .iter()
        .map(|view| {
            json!({
                "task_id": view.record.task_id,
                "worker_alive": view.alive,
                "workspace_exists": view.workspace,
            })
        })
        .collect();
    json!({
        "schema": Schema::v1("parallel-status"),
        "version": 3,
        "lifecycle_counts": {
            "running": counts.running,
            "integrating": counts.integrating,
            "completed": counts.completed,
            "failed": counts.failed,
            "blocked": counts.blocked,
            "total": counts.total,
        },
        "continuation": {
            "headline": headline.sentence(),
            "detail": "",
            "next_steps": next,
        },
        "status": status,
        "observed": live,
    })
}

/// The command that comes next, with the task that needs it.
fn next_command(headline: Headline, views: &[WorkerView]) -> Option<String> {
    let of = |lifecycle| {
        let view = views.iter().find(|view| view.record.lifecycle == lifecycle)?;
        Some(format!("ralph run parallel retry --task {}", view.record.task_id))
    };
    match headline {
        Headline::NotStarted | Headline::Interrupted => {
            Some("ralph run loop --parallel".to_owned())
        }
        Headline::Blocked => of(WorkerLifecycle::BlockedPush),
        Headline::Failed => of(WorkerLifecycle::Failed),
        Headline::InProgress | Headline::Idle => None,
    }
}

fn print(
    context: &Context,
    state: &ParallelStateFile,
    views: &[WorkerView],
    headline: Headline,
) -> Result<(), CliError> {
    let mut text = Text::new().style(BOLD, headline.sentence()).line();
    text = text.plain(format!("Target branch: {}", state.target_branch)).line();
    for view in views {
        let record = &view.record;
        let step = record.step.as_ref().map_or("", |step| step.as_str());
        let alive = match (view.record.is_terminal(), view.alive) {
            (true, _) => "",
            (false, true) => ", worker alive",
            (false, false) => ", no worker",
        };
        text = text
            .plain(format!("{}  {}  {step}{alive}", record.task_id, record.lifecycle.as_str()))
            .line();
        if let Some(error) = &record.last_error {
            text = text.plain("    ").block("    ", error).line();
        }
        if let Some(commit) = &record.landed_commit {
            text = text.plain(format!("    commit {commit}")).line();
        }
        let landed = record.landed_commit.is_some();
        if let Some(rescue) = record.rescue_ref.as_ref().filter(|_| !landed) {
            text = text.plain(format!("    work kept in {rescue}")).line();
        }
        if view.workspace && record.is_terminal() {
            text = text.plain(format!("    workspace {}", record.workspace_path.display())).line();
        }
    }
    context.ui.print(text)?;
    if let Some(command) = next_command(headline, views) {
        context.ui.hint(format!("Next: `{command}`"));
    }
    Ok(())
}

/// Gives tasks that ended without landing another chance.
pub(super) fn retry(context: &Context, args: &RetryArgs) -> Result<Exit, CliError> {
    let command = "ralph run parallel retry";
    let project = Project::open(context, command)?;
    let store = ralph_loop::project::store(&Layout::new(&project.root), &context.holder(command));
    let Some(task) = &args.task else { return retry_all(context, &store) };
    let retried = retry::retry(&store, task)?;
    if context.ui.wants_json() {
        let word = match retried {
            Retried::Land => "land",
            Retried::Anew => "anew",
            Retried::Nothing => "nothing",
        };
        context.ui.print_json(&json!({
            "schema": Schema::v1("parallel-retry"),
            "task_id": task,
            "next": word,
        }))?;
        return Ok(Exit::Done);
    }
    context.ui.say(match retried {
        Retried::Land => format!("The next run lands the work kept of {task}."),
        Retried::Anew => format!("The next run starts {task} again."),
        Retried::Nothing => format!("`{task}` is no task: its record is gone, nothing else."),
    });
    context.ui.hint(GO_ON);
    Ok(Exit::Done)
}

const GO_ON: &str = "`ralph run loop --parallel` goes on with it.";

fn retry_all(context: &Context, store: &Store<ParallelStateFile>) -> Result<Exit, CliError> {
    let RetriedAll { land, anew } = retry::retry_all(store)?;
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": Schema::v1("parallel-retry-all"),
            "land": land,
            "anew": anew,
        }))?;
        return Ok(Exit::Done);
    }
    if land.is_empty() && anew.is_empty() {
        context.ui.say("No task failed or is blocked.");
        return Ok(Exit::Done);
    }
    if !land.is_empty() {
        context.ui.say(format!("The next run lands the work kept of {}.", land.join(", ")));
    }
    if !anew.is_empty() {
        context.ui.say(format!("The next run starts {} again.", anew.join(", ")));
    }
    context.ui.hint(GO_ON);
    Ok(Exit::Done)
}
