//! `ralph task batch` and `ralph task mutate`: many tasks in one change.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::slice;

use ralph_queue::edit::Changed;
use ralph_queue::lease::{LeaseError, Leases};
use ralph_queue::pick::{Filter, Pick};
use ralph_queue::{Edit, EditError, Finish, UpdateError, when};
use ralph_state::json::{from_json, parse};
use ralph_state::{Clock as _, TaskId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::edit::{auto_archive, copy, into_parts, set_custom};
use crate::args::{BatchArgs, BatchCommand, MutateArgs, PickArgs, TextOrJson};
use crate::commands::edited::{self, Failure, Mode, Report};
use crate::commands::input::{self, Texts};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::Project;

/// A document longer than this is a mistake.
const DOCUMENT_LIMIT: u64 = 64 << 20;

pub(crate) fn batch(context: &Context, args: &BatchArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task batch")?;
    let pick = pick(args.command.pick(), context.clock.now())?;
    let mode = Mode::of(args.dry_run);
    let is_none_picked = Cell::new(false);
    let picked = |edit: &Edit<'_>| {
        let ids = edit.picked(&pick);
        is_none_picked.set(ids.is_empty());
        ids
    };
    let report = if matches!(args.command, BatchCommand::Delete { .. }) && !args.continue_on_error {
        // Together they may name each other.
        edited::make(context, &project, mode, |edit| Ok(edit.delete(&picked(edit))?))?
    } else {
        let failing = if args.continue_on_error { Failing::Skip } else { Failing::Stop };
        let given = given(context, &args.command)?;
        let picked = |edit: &Edit<'_>| -> Vec<(String, ())> {
            picked(edit).into_iter().map(|id| (id, ())).collect()
        };
        carry_out(context, &project, (mode, failing), picked, |edit, (id, ())| {
            one(&project, edit, id, (&args.command, &given))
        })?
    };
    if is_none_picked.get() {
        context.ui.say("No task passes the filters.");
    }
    report.tell(context)
}

/// The texts of a command, read: a note, a value or steps.
fn given(context: &Context, command: &BatchCommand) -> Result<Vec<String>, CliError> {
    let mut texts = Texts::of(context);
    match command {
        BatchCommand::Status { note, .. } => Ok(texts.note(note)?.into_iter().collect()),
        BatchCommand::Field { value, .. } | BatchCommand::Edit { value, .. } => {
            Ok(vec![texts.read(value)?])
        }
        BatchCommand::PlanAppend { plan_item, .. }
        | BatchCommand::PlanPrepend { plan_item, .. } => texts.read_all(plan_item),
        _ => Ok(Vec::new()),
    }
}

/// Changes one task, and tells if it is to be archived with the others.
fn one(
    project: &Project,
    edit: &mut Edit<'_>,
    id: &str,
    (command, given): (&BatchCommand, &[String]),
) -> Result<Option<TaskId>, EditError> {
    let text = given.first().map(String::as_str);
    match command {
        BatchCommand::Archive { .. } => return edit.archivable(id),
        BatchCommand::Status { status, .. } => {
            let changed = edit.change_status(id, *status, text)?;
            let moves = project.finish() == Finish::Archive && status.is_terminal();
            return Ok(id.parse().ok().filter(|_| moves && changed == Changed::Yes));
        }
        BatchCommand::Field { key, .. } => set_custom(edit, id, key, text.unwrap_or_default()),
        BatchCommand::Edit { field, .. } => {
            edit.set_field(id, field, text.unwrap_or_default()).map(drop)
        }
        BatchCommand::Delete { .. } => edit.delete(&[id.to_owned()]),
        BatchCommand::Clone { copy: args, .. } => {
            edit.clone_task(id, &project.files.rules.ids, &copy(args)).map(drop)
        }
        BatchCommand::Split { parts, .. } => into_parts(project, edit, id, parts),
        BatchCommand::PlanAppend { .. } => {
            edit.modify(id, |task| task.plan.extend(given.iter().cloned())).map(drop)
        }
        BatchCommand::PlanPrepend { .. } => {
            edit.modify(id, |task| drop(task.plan.splice(..0, given.iter().cloned()))).map(drop)
        }
    }?;
    Ok(None)
}

fn pick(args: &PickArgs, now: Timestamp) -> Result<Pick, CliError> {
    let older_than = args.older_than.as_ref().map(|age| when::cutoff(age, now));
    let filter = Filter {
        tags: args.tag_filter.clone(),
        statuses: args.status_filter.clone(),
        priorities: args.priority_filter.clone(),
        scopes: args.scope_filter.clone(),
        older_than: older_than
            .transpose()
            .map_err(|error| CliError::new(ErrorKind::Usage, error))?,
    };
    Ok(Pick { ids: args.task_ids.clone(), filter })
}

/// What becomes of the others when one task cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    /// They are not changed either.
    Stop,
    /// They are.
    Skip,
}

/// What is known of the changes of one task that the queue as a whole has something against.
struct Sifted {
    /// How many there are.
    count: usize,
    /// So many of them are made; with each that is added, it shows whether that one is to blame.
    tried: usize,
    /// Those that are, by their number.
    refused: BTreeMap<usize, String>,
}

impl Sifted {
    fn of(count: usize) -> Self {
        Self { count, tried: 1, refused: BTreeMap::new() }
    }

    /// Blames the newest, if it was not yet.
    fn refuse(&mut self, message: String) -> bool {
        self.refused.insert(self.tried - 1, message).is_none()
    }

    fn is_done(&self) -> bool {
        self.tried >= self.count
    }

    fn go_on(&mut self) {
        self.tried += usize::from(!self.is_done());
    }
}

/// Applies a change to each task, all in one edit, which finds out itself what the changes are.
/// What `apply` refuses it has not begun; the tasks that it names are archived in the end, together,
/// since one by one the time would grow with the square of their number.
fn carry_out<T, C: AsRef<[(String, T)]>>(
    context: &Context,
    project: &Project,
    (mode, failing): (Mode, Failing),
    changes: impl Fn(&Edit<'_>) -> C,
    apply: impl Fn(&mut Edit<'_>, &(String, T)) -> Result<Option<TaskId>, EditError>,
) -> Result<Report, CliError> {
    let mut sifted: BTreeMap<String, Sifted> = BTreeMap::new();
    loop {
        // Nothing is written as long as there are changes that were not tried.
        let is_sifting = !sifted.values().all(Sifted::is_done);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let attempt = |edit: &mut Edit<'_>| {
            // With its id: a first answer may be about other tasks than the filters find now.
            let mut failed: BTreeMap<usize, (String, String)> = BTreeMap::new();
            let changes = changes(edit);
            let mut ended = BTreeSet::new();
            let leases = match failing {
                Failing::Stop => None,
                Failing::Skip => Some(project.leases_in(edit.read())?),
            };
            if let Some(leases) = &leases {
                leases.permit(&[], &project.claims, edit.now())?;
            }
            for (index, change) in changes.as_ref().iter().enumerate() {
                let Some(leases) = &leases else {
                    ended.extend(apply(edit, change)?);
                    continue;
                };
                let count = counts.entry(change.0.clone()).or_default();
                let number = *count;
                *count += 1;
                let known = sifted.get(&change.0);
                if known.is_some_and(|known| number >= known.tried) {
                    continue;
                }
                let refused = known.and_then(|known| known.refused.get(&number));
                let message = match (refused, claimed(project, leases, edit, change)) {
                    (Some(message), _) => Some(message.clone()),
                    (None, Some(error)) => Some(error.to_string()),
                    (None, None) => match apply(edit, change) {
                        Ok(one) => {
                            ended.extend(one);
                            None
                        }
                        Err(error) => Some(CliError::from(error).chain().join(": ")),
                    },
                };
                failed.extend(message.map(|message| (index, (change.0.clone(), message))));
            }
            edit.archive_all(&ended);
            auto_archive(project, edit);
            Ok(failed)
        };
        let outcome = match if is_sifting { Mode::Show } else { mode } {
            Mode::Make => project
                .change(context, attempt)
                .map(|mut edited| (std::mem::take(&mut edited.value), Report::made(edited))),
            Mode::Show => project
                .preview(context, attempt)
                .map(|mut shown| (std::mem::take(&mut shown.value), Report::shown(project, shown))),
        };
        let problems = match outcome {
            Ok(_) if is_sifting => Vec::new(),
            Ok((failed, report)) => {
                let failure = |(index, (id, message))| Failure { index, id, message };
                return Ok(Report { failed: failed.into_iter().map(failure).collect(), ..report });
            }
            Err(UpdateError::Invalid { problems }) if failing == Failing::Skip => problems,
            Err(error) => return Err(project.refused(error)),
        };
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for problem in &problems {
            if let Some(task) = &problem.task {
                told.entry(task.to_string()).or_insert_with(|| problem.to_string());
            }
        }
        let mut is_further = problems.is_empty();
        for (id, message) in &told {
            if let Some(known) = sifted.get_mut(id) {
                is_further |= known.refuse(message.clone());
            }
        }
        sifted.values_mut().for_each(Sifted::go_on);
        for (id, message) in told {
            let count = counts.get(&id).copied().unwrap_or_default();
            sifted.entry(id).or_insert_with(|| {
                is_further = true;
                let mut first = Sifted::of(count);
                if first.is_done() {
                    first.refuse(message);
                }
                first
            });
        }
        if !is_further {
            return Err(project.refused(UpdateError::Invalid { problems }));
        }
    }
}

/// Why a task is not changed that somebody else has claimed.
fn claimed<T>(
    project: &Project,
    leases: &Leases,
    edit: &Edit<'_>,
    (id, _): &(String, T),
) -> Option<LeaseError> {
    let task: TaskId = id.parse().ok()?;
    let (task, claims) = (slice::from_ref(&task), &project.claims);
    leases.meant(task, claims).and_then(|()| leases.permit(task, claims, edit.now())).err()
}

/// What `ralph task mutate` reads: the format of 0.4.0.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `version` and `tasks`")]
struct Mutation {
    version: u32,
    #[serde(default = "yes")]
    atomic: bool,
    tasks: Vec<TaskMutation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `task_id` and `edits`")]
struct TaskMutation {
    task_id: String,
    #[serde(default)]
    expected_updated_at: Option<String>,
    edits: Vec<FieldEdit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `field` and `value`")]
struct FieldEdit {
    field: String,
    value: ralph_queue::Value,
}

const fn yes() -> bool {
    true
}

pub(crate) fn mutate(context: &Context, args: &MutateArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task mutate")?;
    let mutation = read(context, args.input.as_deref())?;
    let failing = if mutation.atomic { Failing::Stop } else { Failing::Skip };
    let atomic = mutation.atomic;
    let tasks: Vec<(String, TaskMutation)> =
        mutation.tasks.into_iter().map(|task| (task.task_id.clone(), task)).collect();
    let mode = Mode::of(args.dry_run);
    let report = carry_out(
        context,
        &project,
        (mode, failing),
        |_| &tasks,
        |edit, (_, task)| apply(edit, task).map(|()| None),
    )?;
    if args.format == TextOrJson::Json && !context.ui.wants_json() {
        let done = tasks.iter().enumerate().map(|(index, (id, task))| {
            match report.failed.iter().find(|failure| failure.index == index) {
                // 0.4.0 has no word for why.
                Some(failure) => {
                    json!({ "task_id": id, "applied_edits": 0, "error": failure.message })
                }
                None => json!({ "task_id": id, "applied_edits": task.edits.len() }),
            }
        });
        let tasks: Vec<Value> = done.collect();
        context.ui.print_json(&json!({
            "version": 2,
            "report": { "version": 1, "atomic": atomic, "tasks": tasks },
            "continuation": continuation(mode, tasks.len() - report.failed.len()),
        }))?;
        return Ok(report.exit());
    }
    report.tell(context)
}

/// How to go on, in 0.4.0's shape.
fn continuation(mode: Mode, tasks: usize) -> Value {
    let step = |title: &str, command: &str, detail: &str| json!({ "title": title, "command": command, "detail": detail });
    let (headline, detail, next_steps) = match mode {
        Mode::Make => (
            "Task mutation has been applied.",
            format!("Ralph changed {tasks} task(s) in one write, which can be undone."),
            [
                step("Continue work", "ralph queue ready", "What can be begun now."),
                step(
                    "Restore if needed",
                    "ralph undo --dry-run",
                    "Shows what taking it back would change.",
                ),
            ],
        ),
        Mode::Show => (
            "Mutation continuation is ready.",
            format!("Ralph checked a change of {tasks} task(s) and wrote nothing."),
            [
                step(
                    "Apply the mutation",
                    "ralph task mutate --input <PATH>",
                    "The same without --dry-run writes it.",
                ),
                step(
                    "Refresh if the queue moved",
                    "ralph queue validate",
                    "Look again, if another write came first.",
                ),
            ],
        ),
    };
    json!({ "headline": headline, "detail": detail, "next_steps": next_steps })
}

fn apply(edit: &mut Edit<'_>, task: &TaskMutation) -> Result<(), EditError> {
    if let Some(expected) = &task.expected_updated_at {
        edit.expect_updated_at(&task.task_id, expected)?;
    }
    let place = edit.queue().position(&task.task_id);
    let before = place.map(|index| (index, edit.queue().task(index).clone()));
    let result = task.edits.iter().try_for_each(|FieldEdit { field, value }| {
        let text = match value {
            ralph_queue::Value::String(text) => text.clone(),
            ralph_queue::Value::Null => String::new(),
            other => other.to_string(),
        };
        edit.set_field(&task.task_id, field, &text).map(drop)
    });
    if let (Err(_), Some((index, before))) = (&result, before) {
        let [queue, _] = edit.drafts_mut();
        *queue.task_mut(index) = before;
    }
    result
}

const NO_MUTATIONS: &str = "the document is not one of mutations";

fn read(context: &Context, path: Option<&Path>) -> Result<Mutation, CliError> {
    let text = input::read_asked(context, path, DOCUMENT_LIMIT)?;
    let document = parse(&text)
        .map_err(|error| CliError::new(ErrorKind::Usage, error).context(NO_MUTATIONS))?;
    let mutation: Mutation = from_json(&document.unwrap_or_default())
        .map_err(|error| CliError::new(ErrorKind::Usage, error).context(NO_MUTATIONS))?;
    if mutation.version != 1 {
        let message = format!("the document has version {}, and 1 is known", mutation.version);
        return Err(CliError::new(ErrorKind::Usage, message));
    }
    // Who gives none was to give some.
    let without = |task: &TaskMutation| format!("nothing is to be changed of `{}`", task.task_id);
    let idle = match mutation.tasks.iter().find(|task| task.edits.is_empty()) {
        None if mutation.tasks.is_empty() => Some("it names no task".to_owned()),
        idle => idle.map(without),
    };
    match idle {
        Some(message) => Err(CliError::new(ErrorKind::Usage, message).context(NO_MUTATIONS)),
        None => Ok(mutation),
    }
}
