//! `ralph queue graph` and `ralph queue tree`.

use std::collections::{BTreeMap, BTreeSet};

use ralph_queue::graph::{self, Branch, Direction, Edge, Graph, Mark};
use ralph_queue::{Queue, Task};
use serde_json::{Value, json};

use crate::args::{GraphArgs, GraphFormat, TreeArgs};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::Schema;
use crate::ui::{BOLD, DIM, Text, YELLOW};

/// Deeper than any person reads; a chain of 100,000 would fill a disk with spaces.
const MAX_DEPTH: usize = 200;

pub(crate) fn graph(context: &Context, args: &GraphArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue graph")?;
    let queue = project.queue()?;
    let mut tasks = tasks(&queue, args.include_done);
    tasks.retain(|task| args.include_done || !task.status.is_terminal());
    let mut graph = Graph::new(tasks);
    let direction = if args.reverse { Direction::Dependents } else { Direction::Dependencies };
    if let Some(id) = &args.task {
        let (_, task) = project.find(&queue, id)?;
        graph = graph.around(task.id.as_str(), direction);
    }
    let critical = graph.critical_path();
    if args.critical {
        let on_path: BTreeSet<&str> = critical.iter().copied().collect();
        let steps: BTreeSet<_> = critical.windows(2).map(|pair| (pair[0], pair[1])).collect();
        graph.tasks.retain(|task| on_path.contains(task.id.as_str()));
        graph.edges.retain(|edge| steps.contains(&(edge.from, edge.to)));
    }
    if context.ui.wants_json() || args.format == GraphFormat::Json {
        let node =
            |task: &&Task| json!({ "id": task.id, "title": task.title, "status": task.status });
        context.ui.print_json(&json!({
            "schema": Schema::v1("queue-graph"),
            "rev": project::revision(&queue),
            "nodes": graph.tasks.iter().map(node).collect::<Vec<_>>(),
            "edges": graph.edges,
            "critical_path": critical,
        }))?;
        return Ok(Exit::Done);
    }
    match args.format {
        GraphFormat::Dot => context.ui.print_data(&dot(&graph, &critical))?,
        GraphFormat::List => {
            let line = |edge: &Edge<'_>| {
                let relation = serde_json::to_value(edge.relation).unwrap_or_default();
                let relation = relation.as_str().unwrap_or_default().to_owned();
                Text::new().style(BOLD, edge.from).plain(format_args!(" {relation} {}", edge.to))
            };
            let lines = graph.edges.iter().map(line);
            context.ui.print(lines.fold(Text::new(), |text, line| text.append(&line).line()))?;
        }
        GraphFormat::Tree | GraphFormat::Json => {
            draw(context, &graph.tasks, &graph.forest(direction, MAX_DEPTH))?;
        }
    }
    if graph.tasks.is_empty() {
        context.ui.say("No task is open.");
    }
    Ok(Exit::Done)
}

pub(crate) fn tree(context: &Context, args: &TreeArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue tree")?;
    let queue = project.queue()?;
    let tasks = tasks(&queue, args.include_done);
    let mut branches = graph::parts(&tasks, args.max_depth.min(MAX_DEPTH));
    if let Some(id) = &args.root {
        let (_, root) = project.find(&queue, id)?;
        let begin = branches.iter().position(|branch| branch.id == root.id.as_str());
        branches.drain(..begin.unwrap_or(branches.len()));
        let depth = branches.first().map_or(0, |branch| branch.depth);
        let len = branches.iter().skip(1).take_while(|branch| branch.depth > depth).count();
        branches.truncate(len + 1);
        for branch in &mut branches {
            branch.depth -= depth;
        }
    }
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": Schema::v1("queue-tree"),
            "rev": project::revision(&queue),
            "branches": branches,
        }))?;
        return Ok(Exit::Done);
    }
    draw(context, &tasks, &branches)?;
    Ok(Exit::Done)
}

fn tasks(queue: &Queue, include_done: bool) -> Vec<&Task> {
    let done = queue.done_tasks().iter().filter(|_| include_done);
    queue.tasks().chain(done).collect()
}

fn draw(context: &Context, tasks: &[&Task], branches: &[Branch<'_>]) -> Result<(), CliError> {
    let by_id: BTreeMap<&str, &Task> = tasks.iter().map(|task| (task.id.as_str(), *task)).collect();
    let mut text = Text::new();
    for branch in branches {
        text = text.plain("  ".repeat(branch.depth)).style(BOLD, branch.id);
        if let Some(task) = by_id.get(branch.id) {
            text = text.plain(format_args!("  {}  {}", task.status, task.title));
        }
        text = match branch.mark {
            Some(Mark::Above) => text.style(DIM, "  (see above)"),
            Some(Mark::TooDeep) => text.style(DIM, "  (more below)"),
            Some(Mark::Cycle) => text.style(YELLOW, "  (is below itself)"),
            Some(Mark::Orphan) => text.style(YELLOW, "  (its parent is in no file)"),
            _ => text,
        }
        .line();
    }
    context.ui.print(text)
}

fn dot(graph: &Graph<'_>, critical: &[&str]) -> String {
    // A JSON string is a DOT string.
    let quoted = |text: &str| Value::from(text).to_string();
    let critical: BTreeSet<&str> = critical.iter().copied().collect();
    let mut lines = vec!["digraph queue {".to_owned(), "  node [shape=box];".to_owned()];
    for task in &graph.tasks {
        let id = task.id.as_str();
        let label = quoted(&format!("{id} ({})\n{}", task.status, task.title));
        let bold = if critical.contains(id) { ", style=bold" } else { "" };
        lines.push(format!("  {} [label={label}{bold}];", quoted(id)));
    }
    for edge in &graph.edges {
        let style = if edge.relation.is_waiting() { "solid" } else { "dashed" };
        lines.push(format!("  {} -> {} [style={style}];", quoted(edge.from), quoted(edge.to)));
    }
    lines.join("\n") + "\n}\n"
}
