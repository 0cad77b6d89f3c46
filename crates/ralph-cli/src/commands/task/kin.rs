//! `ralph task children` and `ralph task parent`.

use std::collections::{BTreeMap, BTreeSet};

use ralph_queue::{Queue, Task};
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
    let mut parts: BTreeMap<&str, Vec<&Task>> = BTreeMap::new();
    for task in all(&queue, &args.of) {
        if let Some(parent) = parent_of(task) {
            parts.entry(parent).or_default().push(task);
        }
    }
    let parts_of = |id: &str| parts.get(id).map_or(&[][..], Vec::as_slice);
    // A task that is its own ancestor is met once.
    let mut seen = BTreeSet::from([root.id.as_str()]);
    let mut found = Vec::new();
    let mut open: Vec<&Task> = parts_of(root.id.as_str()).iter().rev().copied().collect();
    while let Some(task) = open.pop() {
        if !seen.insert(task.id.as_str()) {
            continue;
        }
        found.push(task);
        if args.recursive {
            open.extend(parts_of(task.id.as_str()).iter().rev());
        }
    }
    list::print(context, list::Source { project: &project, queue: &queue }, found, args.of.format)
}

pub(crate) fn parent(context: &Context, args: &KinArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task parent")?;
    let queue = project.queue()?;
    let (_, task) = project.find(&queue, &args.task_id)?;
    let parent = parent_of(task);
    let found = all(&queue, args).find(|task| Some(task.id.as_str()) == parent);
    if args.format == ListFormat::Json && !context.ui.wants_json() {
        context.ui.print_json(&as_0_4_0(&queue, args, task, found))?;
        return Ok(Exit::Done);
    }
    if found.is_none() {
        context.ui.say(match parent {
            None => format!("{} is a part of no task.", task.id),
            Some(parent) => format!("The parent of {}, {parent}, was not found.", task.id),
        });
    }
    list::print(
        context,
        list::Source { project: &project, queue: &queue },
        found.into_iter().collect(),
        args.format,
    )
}

fn as_0_4_0(queue: &Queue, args: &KinArgs, task: &Task, found: Option<&Task>) -> serde_json::Value {
    match (parent_of(task), found) {
        (Some(id), Some(parent)) => {
            let parts = all(queue, args).filter(|task| parent_of(task) == Some(id)).count();
            json!({
                "task_id": task.id,
                "parent": parent,
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

fn parent_of(task: &Task) -> Option<&str> {
    task.parent_id.as_deref().map(str::trim).filter(|id| !id.is_empty())
}

fn all<'q>(queue: &'q Queue, args: &KinArgs) -> impl Iterator<Item = &'q Task> {
    queue.tasks().chain(queue.done_tasks().iter().filter(|_| args.include_done))
}
