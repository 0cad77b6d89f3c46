//! `ralph task children` and `ralph task parent`.

use std::collections::{BTreeMap, BTreeSet};

use ralph_queue::{Listed, Place, Queue, Task};
use serde_json::json;

use crate::args::{ChildrenArgs, KinArgs, ListFormat};
use crate::commands::queue::list;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::Project;

pub(crate) fn children(context: &Context, args: &ChildrenArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task children")?;
    let queue = project.queue()?;
    let (_, root) = project.find(&queue, &args.of.task_id)?;
    let mut parts: BTreeMap<String, Vec<Listed<'_>>> = BTreeMap::new();
    for (listed, task) in queue.look_at(all(&queue, &args.of)) {
        if let Some(parent) = parent_of(&task) {
            parts.entry(parent.to_owned()).or_default().push(listed);
        }
    }
    let parts_of = |id: &str| parts.get(id).map_or(&[][..], Vec::as_slice);
    let mut seen = BTreeSet::from([root.id.as_str()]);
    let mut found = Vec::new();
    let below = |depth, id: &str| parts_of(id).iter().rev().map(move |part| (depth, *part));
    let mut open: Vec<(usize, Listed<'_>)> = below(0, root.id.as_str()).collect();
    while let Some((depth, part)) = open.pop() {
        let is_new = seen.insert(part.id());
        found.push(Below { depth, task: part, cycle: !is_new });
        if args.recursive && is_new {
            open.extend(below(depth + 1, part.id()));
        }
    }
    if args.recursive && args.of.format == ListFormat::Json && !context.ui.wants_json() {
        context.ui.print_json(&found.iter().map(Below::as_0_4_0).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    // A task that is its own ancestor is listed once.
    let found: Vec<Listed<'_>> =
        found.iter().filter(|below| !below.cycle).map(|below| below.task).collect();
    if found.is_empty() {
        let and_done =
            if args.of.include_done { "" } else { "; `--include-done` looks there, too" };
        context.ui.say(format!("No task of the queue is a part of {}{and_done}.", root.id));
    }
    list::print(context, list::Source { project: &project, queue: &queue }, found, args.of.format)
}

/// A task found below another one.
struct Below<'q> {
    /// 0 for what is a part of that itself.
    depth: usize,
    task: Listed<'q>,
    /// It was met before: it is its own ancestor.
    cycle: bool,
}

impl Below<'_> {
    fn as_0_4_0(&self) -> serde_json::Value {
        let Self { depth, task, cycle } = self;
        json!({ "depth": depth, "task": task.task(), "cycle": cycle })
    }
}

pub(crate) fn parent(context: &Context, args: &KinArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task parent")?;
    let queue = project.queue()?;
    let (_, task) = project.find(&queue, &args.task_id)?;
    let parent = parent_of(task);
    let meant = parent.and_then(|parent| queue.find(parent)).map(|(_, parent)| parent);
    let is_meant = |task: &Listed<'_>| {
        meant.is_some_and(|meant| meant.id.as_str() == task.id() && meant.status == task.status())
    };
    let found = all(&queue, args).find(is_meant);
    let there = meant.map(|meant| &meant.id);
    if args.format == ListFormat::Json && !context.ui.wants_json() {
        context.ui.print_json(&as_0_4_0(&queue, args, task, found))?;
        return Ok(Exit::Done);
    }
    if found.is_none() {
        let id = &task.id;
        context.ui.say(match (parent, there) {
            (None, _) => format!("{id} is a part of no task."),
            (Some(parent), None) => format!("The parent of {id}, {parent}, is in neither file."),
            (Some(_), Some(parent)) => {
                format!(
                    "The parent of {id}, {parent}, is in the done file; `--include-done` shows it."
                )
            }
        });
    }
    list::print(
        context,
        list::Source { project: &project, queue: &queue },
        found.into_iter().collect(),
        args.format,
    )
}

fn as_0_4_0(
    queue: &Queue,
    args: &KinArgs,
    task: &Task,
    found: Option<Listed<'_>>,
) -> serde_json::Value {
    match (parent_of(task), found) {
        (Some(id), Some(parent)) => {
            let all = queue.look_at(all(queue, args));
            let parts = all.filter(|(_, task)| parent_of(task) == Some(id)).count();
            json!({
                "task_id": task.id,
                "parent": parent.task(),
                "parent_found": true,
                "siblings": parts.saturating_sub(1),
            })
        }
        (Some(id), None) => {
            json!({ "task_id": task.id, "parent": id, "parent_found": false, "siblings": 0 })
        }
        (None, _) => json!({ "task_id": task.id, "parent": null, "siblings": 0 }),
    }
}

fn parent_of<W: AsRef<str>>(task: &Task<W>) -> Option<&str> {
    let parent = task.parent_id.as_ref().map(|id| id.as_ref().trim());
    parent.filter(|id| !id.is_empty())
}

fn all<'q>(queue: &'q Queue, args: &KinArgs) -> impl Iterator<Item = Listed<'q>> {
    let done = args.include_done.then(|| queue.list(Place::Done));
    queue.list(Place::Queue).chain(done.into_iter().flatten())
}
