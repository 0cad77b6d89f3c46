//! `ralph run parallel status` and `retry`.

use std::time::Duration;

use ralph_loop::away::Wait;
use ralph_loop::layout::Layout;
use ralph_loop::living;
use ralph_loop::retry::{self, Retried, RetriedAll};
use ralph_loop::status::{self, Headline, WorkerView, World};
use ralph_loop::worker::Held;
use ralph_state::file;
use ralph_state::json::{Json, Object, to_json};
use ralph_state::parallel::Salvaged;
use ralph_state::{
    Amount, Clock as _, LoadError, ParallelStateFile, Store, Timestamp, WorkerLifecycle,
    WorkerRecord,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::failure::commit_or_absolute;
use super::report::{dollars, time};
use crate::args::RetryArgs;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::Project;
use crate::render::envelope::Schema;
use crate::render::task::retry as retry_command;
use crate::render::{shell_word, short, worker};
use crate::standing;
use crate::ui::{BOLD, DIM, Text};

/// Shows the records of parallel runs and what they need. Of a damaged file all that can be read
/// is shown; the exit code says that it is damaged.
pub(super) fn status(context: &Context) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph run parallel status")?;
    let layout = Layout::new(&project.root);
    let holder = context.holder("ralph run parallel status");
    let found = match ralph_loop::project::store(&layout, &holder).salvage() {
        Ok(found) => found,
        Err(error) => return Err(unreadable(&layout, error)),
    };
    let nothing = ParallelStateFile::default();
    let state = found.as_ref().map_or(&nothing, |found| &found.state);
    // What is wrong with the queue is told where it is asked for.
    let mut world = status::observe(&layout, state, project.queue().ok().as_ref())?;
    if found.is_none() {
        world.left = standing::workspaces(context, &project);
    }
    let headline = status::headline(found.as_ref(), &world);
    let legacy = found.as_ref().map(|found| ralph_state::legacy_work(&found.report));
    let legacy = ralph_state::adopt_legacy(&legacy.unwrap_or_default(), context.clock.now());
    let waits = serial_session(&project, &layout)?;
    let serial_wait = serial_wait(&project);
    if context.ui.wants_json() {
        let mut document = document(headline, &world, state)?;
        document.set("serial_session", exact(&waits)?);
        let wait = world.waits.as_ref().or(serial_wait.as_ref());
        document.set("waits", exact(&wait.map(wait_document))?);
        if let Some(found) = &found {
            let spent = found.state.spending.as_ref().map(|spending| used(spending.spent));
            document.set("used", exact(&spent)?);
            document.set("damage", exact(&damage(found).collect::<Vec<_>>())?);
            print_document(context, document, &found.state, &legacy)?;
        } else {
            let message = "No parallel state found";
            let status = json!({ "schema_version": 3, "workers": [], "message": message });
            print_document(context, document, &status, &[])?;
        }
        return Ok(exit(found.as_ref()));
    }
    print(context, found.as_ref(), &world, headline)?;
    if let Some(found) = &found {
        print_legacy(context, found, &legacy)?;
        for part in &found.bad {
            context.ui.warn(part);
        }
        for warning in &found.report.warnings {
            context.ui.warn(warning);
        }
    }
    if let Some(program) = world.views.iter().find_map(WorkerView::not_in_workspace) {
        context.ui.hint(commit_or_absolute(program));
    }
    if let Some(command) = next_command(headline, &world.views, state)
        && headline != Headline::NotStarted
    {
        let mended = match headline {
            Headline::Held(Held::TargetRed | Held::Machine) => "Mend that, then",
            _ => "Next",
        };
        context.ui.hint(format!("{mended}: `{command}`"));
    }
    if let Some(wait) = &serial_wait {
        context.ui.say("A run in your checkout waits, with a task in hand.");
        context.ui.print(told(Text::new(), wait, context))?;
    }
    let workers = world.views.iter().filter_map(WorkerView::waits);
    let mut waits_for = world.waits.clone().into_iter().chain(serial_wait).chain(workers);
    if let Some(wait) = waits_for.next() {
        hint_what_is_waited_for(context, &project, &wait);
    }
    if let Some(task) = waits {
        context.ui.say(format!(
            "A run in your checkout left {task} unfinished, whatever the queue says of it."
        ));
        context.ui.hint("`ralph run resume` goes on with it.");
    }
    Ok(exit(found.as_ref()))
}

/// The task that a run in the checkout left, and that the next one goes on with. A session that
/// cannot be read is for `ralph doctor` to tell.
fn serial_session(project: &Project, layout: &Layout) -> Result<Option<String>, CliError> {
    if file::is_locked(&layout.run_lock())? {
        return Ok(None);
    }
    Ok(project.open_session().ok().flatten())
}

/// What a run in the checkout waits for with a task in hand.
fn serial_wait(project: &Project) -> Option<Wait> {
    Wait::read(&project.session().ok()??.extra)
}

/// A wait for scripts.
fn wait_document(wait: &Wait) -> Value {
    json!({
        "reason": if wait.branch.is_some() { "elsewhere" } else { "unreadable" },
        "branch": wait.branch,
        "detail": wait.detail,
        "since": wait.since,
        "until": wait.until,
    })
}

/// A wait for people: what is wrong, since when, and what comes of it.
fn told(text: Text, wait: &Wait, context: &Context) -> Text {
    let now = context.clock.now();
    let between = |from: Timestamp, to: Timestamp| {
        time(Duration::from_secs(to.seconds_since(from).max(0).unsigned_abs()))
    };
    let until = match wait.until {
        Some(until) => format!("it ends in {} if that stays so", between(now, until)),
        None => "what is in hand goes on".to_owned(),
    };
    let since = between(wait.since, now);
    text.plain("    ")
        .block("    ", &wait.detail)
        .line()
        .plain(format!("    waits since {since}; {until}"))
        .line()
}

/// How what is waited for comes back.
fn hint_what_is_waited_for(context: &Context, project: &Project, wait: &Wait) {
    if let Some(branch) = &wait.branch {
        context.ui.hint(format!("`git switch {}`: then it goes on by itself.", shell_word(branch)));
    } else if let Err(error) = project.queue() {
        for hint in error.hints() {
            context.ui.hint(hint.as_str());
        }
        context.ui.hint("Once it can be read, the run goes on by itself.");
    }
}

fn exit(found: Option<&Salvaged>) -> Exit {
    let is_damaged = found.is_some_and(|found| found.refused.is_some());
    if is_damaged { Exit::Refused } else { Exit::Done }
}

/// Nothing of the file can be read, and workers may live all the same.
fn unreadable(layout: &Layout, error: LoadError) -> CliError {
    let told = CliError::from(error);
    match living::tasks(layout) {
        Ok(tasks) if !tasks.is_empty() => {
            told.hint(format!("Meanwhile {}.", standing::unrecorded(&tasks)))
        }
        _ => told,
    }
}

/// The shape of 0.4.0, version 3, with what the world says of each worker added.
fn document(
    headline: Headline,
    world: &World,
    state: &ParallelStateFile,
) -> Result<Object, CliError> {
    let World { views, unrecorded, .. } = world;
    let counts = status::counts(world);
    let next: Vec<Value> = next_command(headline, views, state)
        .map(|command| json!({ "title": "Go on", "command": command, "detail": headline.sentence() }))
        .into_iter()
        .collect();
    let without_record = unrecorded.iter().map(
        |task| json!({ "task_id": task, "worker_alive": true, "unrecorded": true, "held": null }),
    );
    let live: Vec<Value> = views
        .iter()
        .map(|view| {
            json!({
                "task_id": view.record.task_id,
                "worker_alive": view.alive,
                "workspace_exists": view.workspace,
                "held": view.held().map(Held::as_str),
                "waits": view.waits().as_ref().map(wait_document),
                "used": used(view.spent()),
            })
        })
        .chain(without_record)
        .collect();
    let document = exact(&json!({
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
            "detail": detail(headline, views),
            "next_steps": next,
        },
        "observed": live,
    }))?;
    match document {
        Json::Object(document) => Ok(document),
        _ => Ok(Object::new()),
    }
}

/// What is known of what was used; the file has what was set aside, too.
fn used(spent: Amount) -> Value {
    json!({
        "tokens": spent.known_tokens(),
        "cost_usd": spent.known_micro_usd().map(dollars),
    })
}

/// Adds the state as its file has it, numbers to the letter, and prints.
fn print_document(
    context: &Context,
    mut document: Object,
    status: &impl Serialize,
    legacy: &[WorkerRecord],
) -> Result<(), CliError> {
    document.set("status", exact(status)?);
    document.set("legacy", exact(legacy)?);
    context.ui.print_exact_json(&Json::Object(document))
}

fn exact(value: &(impl Serialize + ?Sized)) -> Result<Json, CliError> {
    to_json(value).map_err(|error| CliError::new(ErrorKind::Failed, error))
}

/// The parts of a state file that cannot be read, for scripts.
pub(super) fn damage(found: &Salvaged) -> impl Iterator<Item = Value> {
    found.bad.iter().map(|part| {
        json!({
            "path": part.path.to_string(),
            "line": part.position.line,
            "column": part.position.column,
            "reason": part.reason,
            "task_id": part.task_id,
        })
    })
}

/// Why a run is held, as the first record says that waits for that.
fn detail(headline: Headline, views: &[WorkerView]) -> &str {
    let Headline::Held(held) = headline else { return "" };
    let view = views.iter().find(|view| view.held() == Some(held));
    view.and_then(|view| view.record.last_error.as_deref()).unwrap_or_default()
}

/// The command of a parallel run like the latest one.
fn run_again(state: &ParallelStateFile) -> String {
    match status::last_workers(state) {
        Some(workers) => format!("ralph run loop --parallel {workers}"),
        None => "ralph run loop --parallel".to_owned(),
    }
}

/// The command that comes next, with the task that needs it, if it is one.
fn next_command(
    headline: Headline,
    views: &[WorkerView],
    state: &ParallelStateFile,
) -> Option<String> {
    let of = |lifecycle| {
        let mut views = views.iter().filter(|view| view.needs_user(&lifecycle));
        let first = views.next()?;
        Some(match views.next() {
            None => retry_command(&first.record.task_id),
            Some(_) => "ralph run parallel retry --all".to_owned(),
        })
    };
    match headline {
        Headline::NotStarted
        | Headline::Held(_)
        | Headline::Interrupted
        | Headline::Reopened
        | Headline::Orphaned => Some(run_again(state)),
        Headline::Blocked => of(WorkerLifecycle::BlockedPush),
        Headline::Failed | Headline::TaskLimit => of(WorkerLifecycle::Failed),
        Headline::Damaged | Headline::Unrecorded | Headline::Left => {
            Some("ralph run parallel recover".to_owned())
        }
        Headline::Legacy => Some("ralph migrate".to_owned()),
        Headline::InProgress | Headline::Waiting | Headline::Active | Headline::Idle => None,
    }
}

fn print(
    context: &Context,
    found: Option<&Salvaged>,
    world: &World,
    headline: Headline,
) -> Result<(), CliError> {
    let mut text = Text::new().style(BOLD, headline.sentence()).line();
    if let Some(found) = found {
        text = text.plain(format!("Target branch: {}", found.state.target_branch)).line();
        text = spending(text, context, &found.state);
    }
    if let Some(wait) = &world.waits {
        text = told(text, wait, context);
    }
    for task in &world.unrecorded {
        text = text.plain(format!("{task}  running, without a record")).line();
    }
    let left = world
        .left
        .iter()
        .filter(|task| !world.unrecorded.iter().any(|living| living.as_str() == task.as_str()));
    for task in left {
        text = text.plain(format!("{task}  a workspace, without a record")).line();
    }
    // What is over is least asked for.
    let is_over = |view: &&WorkerView| view.record.lifecycle == WorkerLifecycle::Completed;
    let (over, open): (Vec<_>, Vec<_>) = world.views.iter().partition(is_over);
    for view in open.into_iter().chain(over) {
        let record = &view.record;
        text = text.plain(format!("{}  {}", record.task_id, worker::standing(view)));
        if let Some(commit) = &record.landed_commit {
            text = text.plain("  ").style(DIM, short(commit));
        }
        text = text.line();
        if let Some(wait) = view.waits() {
            text = told(text, &wait, context);
        }
        if let Some(error) = record.last_error.as_ref().or(record.no_change.as_ref()) {
            text = text.plain("    ").block("    ", error).line();
        }
        if let Some(used) = record.spent.and_then(super::report::used) {
            text = text.plain(format!("    {used}")).line();
        }
        let landed = record.landed_commit.is_some();
        if let Some(rescue) = record.rescue_ref.as_ref().filter(|_| !landed) {
            text = text.plain(format!("    work kept in {rescue}")).line();
        }
        if let (Some(status), false) = (view.closed, record.lifecycle == WorkerLifecycle::Completed)
        {
            text = text.plain(format!("    its task is {status} in the queue")).line();
        }
        if view.workspace && record.is_terminal() {
            text = text.plain(format!("    workspace {}", record.workspace_path.display())).line();
        }
    }
    context.ui.print(text)
}

/// What the latest run used, and which providers take no request now; one line each.
fn spending(mut text: Text, context: &Context, state: &ParallelStateFile) -> Text {
    let Some(spending) = &state.spending else { return text };
    if let Some(used) = super::report::used(spending.spent) {
        text = text.plain(format_args!("Used by the latest run: {used}")).line();
    }
    for (account, pause) in &spending.pauses {
        let account = account.trim_end_matches(':');
        if let Some(why) = &pause.closed {
            text = text.plain(format_args!("{account}: {why}")).line();
        } else if let Some(until) = pause.until.filter(|until| *until > context.clock.now()) {
            text = text.plain(format_args!("{account} takes no request before {until}")).line();
        }
    }
    text
}

/// What a file of an older version knew, as the next run takes it over.
fn print_legacy(
    context: &Context,
    found: &Salvaged,
    legacy: &[WorkerRecord],
) -> Result<(), CliError> {
    if legacy.is_empty() {
        return Ok(());
    }
    let mut text = Text::new().plain(format!("Left by version {}:", found.report.from)).line();
    for record in legacy {
        text = text.plain(format!("{}  {}", record.task_id, worker::recorded(record))).line();
        if let Some(story) = &record.last_error {
            text = text.plain("    ").block("    ", story).line();
        }
        if !record.workspace_path.as_os_str().is_empty() {
            text = text.plain(format!("    workspace {}", record.workspace_path.display())).line();
        }
        if let Some(branch) = &record.branch {
            text = text.plain(format!("    branch {branch}")).line();
        }
    }
    context.ui.print(text)
}

/// Gives tasks that ended without landing another chance.
pub(super) fn retry(context: &Context, args: &RetryArgs) -> Result<Exit, CliError> {
    let command = "ralph run parallel retry";
    let project = Project::open(context, command)?;
    let store = ralph_loop::project::store(&Layout::new(&project.root), &context.holder(command));
    let Some(task) = &args.task else { return retry_all(context, &store) };
    let retried = retry::retry(&store, task, context.clock.now())?;
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
    context.ui.hint(go_on(&store));
    Ok(Exit::Done)
}

fn go_on(store: &Store<ParallelStateFile>) -> String {
    let state = store.load().ok().flatten().map(|loaded| loaded.value).unwrap_or_default();
    format!("`{}` goes on with it.", run_again(&state))
}

fn retry_all(context: &Context, store: &Store<ParallelStateFile>) -> Result<Exit, CliError> {
    let RetriedAll { land, anew } = retry::retry_all(store, context.clock.now())?;
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
    context.ui.hint(go_on(store));
    Ok(Exit::Done)
}
