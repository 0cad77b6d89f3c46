//! `ralph task children` and `ralph task parent`.

use std::collections::BTreeSet;

use ralph_queue::{Queue, Task};

use crate::args::{ChildrenArgs, KinArgs};
use crate::commands::queue::list;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::Project;

pub(crate) fn children(context: &Context, args: &ChildrenArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task children")?;
    let queue = project.queue()?;
    let (_, root) = project.find(&queue, &args.of.task_id)?;
    let mut seen = BTreeSet::from([root.id.as_str()]);
    let mut found = Vec::new();
    let mut open = vec![root.id.as_str()];
    // The parts of a part directly after it; a task that is its own ancestor is met once.
    while let Some(id) = open.pop() {
        let parts: Vec<&Task> = all(&queue, &args.of)
            .filter(|task| task.parent_id.as_deref().map(str::trim) == Some(id))
            .filter(|task| seen.insert(task.id.as_str()))
            .collect();
        let place = found.iter().position(|task: &&Task| task.id.as_str() == id);
        let place = place.map_or(found.len(), |place| place + 1);
        found.splice(place..place, parts.iter().copied());
        if args.recursive {
            open.extend(parts.iter().map(|task| task.id.as_str()));
        }
    }
    list::print(context, &queue, found, args.of.format)
}

pub(crate) fn parent(context: &Context, args: &KinArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task parent")?;
    let queue = project.queue()?;
    let (_, task) = project.find(&queue, &args.task_id)?;
    let parent = task.parent_id.as_deref().map(str::trim);
    let found = all(&queue, args).find(|task| Some(task.id.as_str()) == parent);
    list::print(context, &queue, found.into_iter().collect(), args.format)
}

fn all<'q>(queue: &'q Queue, args: &KinArgs) -> impl Iterator<Item = &'q Task> {
    let done = if args.include_done { queue.done_tasks() } else { &[] };
    queue.tasks().chain(done)
}
