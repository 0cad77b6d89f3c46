//! `ralph task add`.

use std::collections::{BTreeMap, BTreeSet};

use ralph_queue::agent;
use ralph_queue::intake::{Batch, GivenIds};
use ralph_queue::value::{Map, Value};
use ralph_queue::{Edit, Edited, Place, Position, Task};
use ralph_state::TaskId;
use serde::Serialize;

use crate::args::{NewTask, TaskAddArgs};
use crate::commands::edited::{self, Beside, Mode, Report};
use crate::commands::input::{self, BadRows, Texts};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::hint::Next;
use crate::project::Project;
use crate::render::envelope::Schema;

pub(crate) fn add(context: &Context, args: &TaskAddArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task add")?;
    let position = position(args)?;
    if args.input.is_some() || args.title.as_deref() == Some("-") {
        if args.fields.is_some() {
            let message = "whole tasks bring their own fields: a flag is for one task with a title";
            return Err(CliError::new(ErrorKind::Usage, message)
                .hint("Put the fields into the JSON, or set them with `ralph task batch` after."));
        }
        return add_all(context, &project, args, &position);
    }
    let none = NewTask::default();
    let new = args.fields.as_ref().unwrap_or(&none);
    let mut texts = Texts::of(context);
    let long = Long {
        description: texts
            .read_or_file(new.description.as_deref(), new.description_file.as_deref())?,
        request: texts.read_some(new.request.as_deref())?,
        evidence: texts.read_all(&new.evidence)?,
        plan: texts.read_all(&new.plan)?,
        notes: texts.notes(&new.notes, &new.note_files)?,
    };
    let times = Times::of(context, new)?;
    let agent = agent(new)?;
    let title = args.title.as_deref().unwrap_or_default();
    let mut place = None;
    let add = |edit: &mut Edit<'_>| {
        let id = edit.next_id(&project.files.rules.ids)?;
        edit.add(task(id.clone(), title, new, (long, times, agent)), &position)?;
        place = edit.queue().position(id.as_str()).map(|index| (index + 1, edit.queue().len()));
        Ok(id)
    };
    if args.dry_run {
        return edited::edit(context, &project, Mode::Show, |edit| add(edit).map(drop));
    }
    let added = project.edit(context, add)?;
    report(context, &project, &added, place)
}

/// Whole tasks, all or none.
fn add_all(
    context: &Context,
    project: &Project,
    args: &TaskAddArgs,
    position: &Position,
) -> Result<Exit, CliError> {
    let text = input::read_asked(context, args.input.as_deref(), input::TASKS_LIMIT)?;
    let mut batch = Batch::from_json(&text).map_err(|error| {
        CliError::new(ErrorKind::Usage, error)
            .context("the tasks are not JSON")
            .hint(Next::SCHEMA.within("{} says what a task has; only `title` is needed."))
    })?;
    let unknown_fields = batch.unknown_fields();
    let titles: Vec<String> = batch.rows.iter().map(|row| row.task.title.clone()).collect();
    let add = |edit: &mut Edit<'_>| {
        input::sift(project, edit, &mut batch, GivenIds::Replace, BadRows::Refuse)
            .map_err(|error| error.hint(Next::SCHEMA.within("{} says what a task has.")))?;
        Ok(batch.add(edit, GivenIds::Replace, &project.files.rules.ids, position)?)
    };
    if args.dry_run {
        let report = edited::make(context, project, Mode::Show, |edit| add(edit).map(drop))?;
        return Report { unknown_fields, ..report }.tell(context);
    }
    let edited = project.edit(context, add)?;
    let added = &edited.value;
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Added<'a> {
            schema: Schema,
            rev: &'a str,
            tasks: Vec<New<'a>>,
            /// The ids by the names that stood for them.
            names: BTreeMap<&'a str, &'a TaskId>,
            #[serde(skip_serializing_if = "BTreeSet::is_empty")]
            unknown_fields: &'a BTreeSet<String>,
            #[serde(flatten)]
            beside: Beside<'a>,
        }
        #[derive(Serialize)]
        struct New<'a> {
            id: &'a TaskId,
            title: String,
        }
        let tasks = added.added.iter().zip(titles).map(|(id, title)| New { id, title });
        context.ui.print_json(&Added {
            schema: Schema::v1("tasks-added"),
            rev: &edited.rev,
            tasks: tasks.collect(),
            names: added.renamed.iter().map(|(name, id)| (name.as_str(), id)).collect(),
            unknown_fields: &unknown_fields,
            beside: Beside::of(&edited),
        })?;
        return Ok(Exit::Done);
    }
    for id in &added.added {
        context.ui.print(id)?;
    }
    input::tell_unknown(context, &unknown_fields);
    if added.added.is_empty() {
        context.ui.say("There is no task in what was given.");
    }
    Ok(Exit::Done)
}

fn position(args: &TaskAddArgs) -> Result<Position, CliError> {
    let id = |id: &String| {
        id.parse::<TaskId>().map_err(|error| {
            CliError::new(ErrorKind::Usage, error)
                .context(format!("`{id}` is not the id of a task"))
        })
    };
    Ok(match (&args.before, &args.after) {
        (Some(before), _) => Position::Before(id(before)?),
        (_, Some(after)) => Position::After(id(after)?),
        _ if args.first => Position::Front,
        _ => Position::Back,
    })
}

/// The fields that may be long, read.
struct Long {
    description: Option<String>,
    request: Option<String>,
    evidence: Vec<String>,
    plan: Vec<String>,
    notes: Vec<String>,
}

/// The times, as people give them.
struct Times {
    scheduled_start: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
}

impl Times {
    fn of(context: &Context, new: &NewTask) -> Result<Self, CliError> {
        let time = |flag: &str, given: &Option<String>| {
            let time = input::time(context, given.as_deref());
            let time = time.map_err(|error| error.context(format!("`{flag}` cannot be read")))?;
            Ok::<_, CliError>(time.map(|time| time.to_string()))
        };
        Ok(Self {
            scheduled_start: time("--scheduled-start", &new.scheduled_start)?,
            created_at: time("--created-at", &new.created_at)?,
            updated_at: time("--updated-at", &new.updated_at)?,
            started_at: time("--started-at", &new.started_at)?,
            completed_at: time("--completed-at", &new.completed_at)?,
        })
    }
}

fn task(
    id: TaskId,
    title: &str,
    new: &NewTask,
    (long, times, agent): (Long, Times, Option<Map>),
) -> Task {
    let Long { description, request, evidence, plan, notes } = long;
    let Times { scheduled_start, created_at, updated_at, started_at, completed_at } = times;
    Task {
        status: new.status,
        description,
        priority: new.priority,
        tags: entries(&new.tags),
        scope: entries(&new.scope),
        evidence,
        plan,
        notes,
        request,
        agent,
        depends_on: entries(&new.depends_on),
        blocks: entries(&new.blocks),
        relates_to: entries(&new.relates_to),
        duplicates: new.duplicates.as_ref().map(|id| id.trim().to_owned()),
        parent_id: new.parent_id.as_ref().map(|id| id.trim().to_owned()),
        created_at,
        updated_at,
        completed_at,
        started_at,
        scheduled_start,
        estimated_minutes: new.estimated_minutes,
        actual_minutes: new.actual_minutes,
        custom_fields: new.custom_fields.iter().cloned().collect(),
        ..Task::new(id, title)
    }
}

/// What was given with commas: `a,, b` has two.
pub(super) fn entries(given: &[String]) -> Vec<String> {
    given.iter().filter(|it| !it.is_empty()).map(|it| it.trim().to_owned()).collect()
}

/// How its agent is to be run, if that is something that 0.4.0 reads, too.
fn agent(new: &NewTask) -> Result<Option<Map>, CliError> {
    let fields = [
        ("runner", new.runner.clone().map(Value::from)),
        ("model", new.model.clone().map(Value::from)),
        ("model_effort", new.effort.clone().map(Value::from)),
        ("phases", new.phases.map(|phases| Value::from(u32::from(phases)))),
        ("iterations", new.iterations.map(Value::from)),
        ("followup_reasoning_effort", new.followup_reasoning_effort.clone().map(Value::from)),
        ("runner_cli", new.runner_cli.clone().map(Value::Object)),
        ("phase_overrides", new.phase_overrides.clone().map(Value::Object)),
    ];
    let agent: Map =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    match agent::faults(&agent).into_iter().next() {
        Some(fault) => Err(CliError::new(ErrorKind::Usage, fault)),
        None => Ok((!agent.is_empty()).then_some(agent)),
    }
}

/// `place` is the number of the task and that of all, unless it was added before.
fn report(
    context: &Context,
    project: &Project,
    added: &Edited<TaskId>,
    place: Option<(usize, usize)>,
) -> Result<Exit, CliError> {
    let id = &added.value;
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Added<'a> {
            schema: Schema,
            rev: &'a str,
            task: &'a Task,
            #[serde(flatten)]
            beside: Beside<'a>,
        }
        let queue = added.after();
        let (_, task) = project.find(&queue, id.as_str())?;
        let rev = &added.rev;
        let (schema, beside) = (Schema::v1("task-added"), Beside::of(added));
        context.ui.print_json(&Added { schema, rev, task, beside })?;
        return Ok(Exit::Done);
    }
    context.ui.print(id)?;
    let (place, total) = if let Some(place) = place {
        place
    } else {
        let queue = added.after();
        let listed = || queue.list(Place::Queue);
        let (place, total) = (listed().position(|it| it.id() == id.as_str()), listed().count());
        (place.map_or(total, |index| index + 1), total)
    };
    context.ui.say(format!("Added as number {place} of {total} in the queue."));
    if total == 1 {
        context.ui.hint("`ralph run loop` lets an agent work on it.");
    }
    Ok(Exit::Done)
}
