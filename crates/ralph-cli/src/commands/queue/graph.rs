//! `ralph queue graph` and `ralph queue tree`.

use std::collections::{HashMap, HashSet};

use ralph_queue::graph::{Branch, Critical, Direction, Edge, Graph, Mark, Neighbor, Node};
use ralph_queue::{Listed, Place, Queue, Status, Task};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{GraphArgs, GraphFormat, PartArgs, TreeArgs};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::{AsMade, Budget, Cut, List, Schema, Title, print_part};
use crate::render::room::Room;
use crate::render::task::status_word;
use crate::ui::{BOLD, DIM, Text, YELLOW, clip, harmless};

/// Deeper than any person reads; a chain of 100,000 would fill a disk with spaces.
const MAX_DEPTH: usize = 200;

/// More chains of one length than anybody looks at.
const MAX_PATHS: usize = 100;

pub(crate) fn graph(context: &Context, args: &GraphArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue graph")?;
    let queue = project.queue()?;
    let direction = if args.reverse { Direction::Dependents } else { Direction::Dependencies };
    let around = match &args.task {
        Some(id) => Some(project.find(&queue, id)?.1),
        None => None,
    };
    // Who names a finished task asks for it.
    let is_named = |task: &Listed<'_>| around.is_some_and(|named| named.id.as_str() == task.id());
    let is_shown =
        |task: &Listed<'_>| args.include_done || is_named(task) || !task.status().is_terminal();
    let with_done = args.include_done || around.is_some();
    let mut graph = Graph::new(&queue, tasks(&queue, with_done).filter(is_shown));
    if let Some(task) = around {
        graph = graph.around(task.id.as_str(), direction);
    }
    if matches!(args.format, GraphFormat::Dot | GraphFormat::Json) && !context.ui.wants_json() {
        super::whole(&args.part)?;
    }
    if args.format == GraphFormat::Json && !context.ui.wants_json() {
        let critical = args.critical.then(|| graph.critical());
        let critical = critical.as_ref();
        match around {
            Some(task) => context.ui.print_json(&related(task, &graph, critical, direction))?,
            None => print_whole(context, &queue, &graph, critical)?,
        }
        return Ok(Exit::Done);
    }
    let critical = graph.critical();
    let is_empty = graph.tasks.is_empty();
    if args.critical {
        graph = graph.within(&critical);
    }
    if context.ui.wants_json() {
        print_json(context, &queue, &graph, &critical, &args.part)?;
        return Ok(Exit::Done);
    }
    super::of_json(&args.part)?;
    let mut room = Room::new(args.part.max_tokens);
    match args.format {
        GraphFormat::Dot => context.ui.print_data(&dot(&graph, &critical))?,
        GraphFormat::List => {
            let line = |text: Text, Edge { from, to, relation, .. }: Edge<'_>| {
                let relation = relation.as_str();
                text.style(BOLD, from).plain(format_args!(" {relation} {to}")).line()
            };
            context.ui.print(room.fit(graph.edges().fold(Text::new(), line)))?;
        }
        GraphFormat::Tree | GraphFormat::Json => {
            let branches = graph.forest(direction, MAX_DEPTH);
            room.print(&context.ui, drawn(&graph, &branches, context.ui.width()))?;
        }
    }
    room.tell(&context.ui);
    if is_empty {
        context.ui.say("No task is open.");
    } else if graph.tasks.is_empty() {
        context.ui.say("Every task waits in a circle: there is no longest chain.");
        context.ui.hint("`ralph queue validate` names the circles.");
    } else if args.format == GraphFormat::List && graph.edges().next().is_none() {
        context.ui.say("No task names another; `--format tree` shows them all.");
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    #[serde(flatten)]
    title: Title<'a>,
    status: Status,
}

fn print_json(
    context: &Context,
    queue: &Queue,
    graph: &Graph<'_>,
    critical: &Critical<'_>,
    part: &PartArgs,
) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Document<'a> {
        #[serde(flatten)]
        list: List<&'a [Item<'a>]>,
        /// Of the tasks that are in `items`.
        edges: Vec<Edge<'a>>,
        /// There are more of them.
        edges_truncated: bool,
        critical_paths: &'a [Vec<&'a str>],
        /// There are more of them.
        critical_paths_truncated: bool,
    }
    let whole = Budget::new(part.max_tokens);
    let mut budget = whole;
    let items = graph.tasks.iter();
    let items: Vec<Item<'_>> = items
        .map(|Node { id, title: text, status, .. }| Item {
            id,
            title: Title::within(text.as_ref(), whole),
            status: *status,
        })
        .collect();
    let key = |index: usize| items[index].id.to_owned();
    let mut weights: Vec<(&Item<'_>, Vec<Edge<'_>>)> =
        items.iter().map(|item| (item, Vec::new())).collect();
    if part.max_tokens.is_some() {
        // What is said of a task takes room, too.
        let places: HashMap<&str, usize> = items.iter().map(|item| item.id).zip(0..).collect();
        for edge in graph.edges() {
            if let Some(at) = places.get(edge.from) {
                weights[*at].1.push(edge);
            }
        }
    }
    let whole = budget;
    let cut = Cut::new(&weights, part, &mut budget, key)?;
    let (mut paths, more) = critical.paths(MAX_PATHS);
    let fitting = paths.iter().take_while(|path| budget.takes(path)).count();
    let is_cut = more || fitting < paths.len();
    paths.truncate(fitting);
    let list = List::part(Schema::v1("queue-graph"), Some(project::revision(queue)), &items, &cut);
    let shown: HashSet<&str> = list.items.iter().map(|item| item.id).collect();
    let mut edges: Vec<Edge<'_>> = graph.edges().filter(|edge| shown.contains(edge.from)).collect();
    // Those of the one task that is there in any case may be too many.
    let mut room = whole;
    let fitting = edges.iter().take_while(|edge| room.takes(edge)).count();
    let edges_truncated = cut.range.len() == 1 && fitting < edges.len();
    if edges_truncated {
        edges.truncate(fitting);
    }
    context.ui.print_json(&Document {
        list,
        edges,
        edges_truncated,
        critical_paths: &paths,
        critical_paths_truncated: is_cut,
    })
}

/// The whole graph as 0.4.0 has it.
#[derive(Serialize)]
struct Whole<I> {
    critical_paths: Vec<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    critical_paths_truncated: bool,
    summary: Value,
    tasks: I,
}

#[derive(Serialize)]
struct WholeNode<'a> {
    critical: bool,
    dependencies: Vec<&'a str>,
    dependents: Vec<&'a str>,
    id: &'a str,
    status: Status,
    title: &'a str,
}

/// A task that another one blocks waits for it here, too, other than in 0.4.0.
fn print_whole<'g>(
    context: &Context,
    queue: &Queue,
    graph: &'g Graph<'g>,
    critical: Option<&Critical<'_>>,
) -> Result<(), CliError> {
    let rest;
    let everything = if graph.tasks.len() == tasks(queue, true).count() {
        graph
    } else {
        rest = Graph::new(queue, tasks(queue, true));
        &rest
    };
    let before = everything.neighbors(Direction::Dependencies);
    let after = everything.neighbors(Direction::Dependents);
    let is_over = |task: &Neighbor<'_>| task.status.is_some_and(Status::is_terminal);
    let (mut runnable, mut blocked) = (0, 0);
    for task in &everything.tasks {
        match task.status {
            Status::Todo | Status::Doing if !before.of(task).iter().all(is_over) => blocked += 1,
            Status::Todo => runnable += 1,
            Status::Draft | Status::Doing | Status::Done | Status::Rejected => {}
        }
    }
    // Each task of the graph with itself among all of them, which stand in the same order.
    let mut all = everything.tasks.iter();
    let both = |task: &'g Node<'g>| Some((task, all.find(|other| other.id == task.id)?));
    let mut visible: Vec<(&Node<'_>, &Node<'_>)> = graph.tasks.iter().filter_map(both).collect();
    visible.sort_by_key(|(task, _)| task.id);
    let nodes = visible.iter().map(|(task, own)| WholeNode {
        critical: critical.is_some_and(|critical| critical.has(task)),
        dependencies: ids(before.of(own)),
        dependents: ids(after.of(own)),
        id: task.id,
        status: task.status,
        title: &task.title,
    });
    let (paths, is_cut) =
        critical.map_or((Vec::new(), false), |critical| critical.paths(MAX_PATHS));
    let known = everything.tasks.iter().filter(|_| !paths.is_empty());
    let open = known.filter(|task| !task.status.is_terminal());
    let open: HashSet<&str> = open.map(|task| task.id).collect();
    let path = |path: &Vec<&str>| {
        let is_blocked = path.iter().any(|id| open.contains(id));
        json!({ "path": path, "length": path.len(), "blocked": is_blocked })
    };
    context.ui.print_json(&Whole {
        critical_paths: paths.iter().map(path).collect(),
        critical_paths_truncated: is_cut,
        summary: json!({
            "total_tasks": everything.tasks.len(),
            "runnable_tasks": runnable,
            "blocked_tasks": blocked,
        }),
        tasks: AsMade::new(nodes),
    })
}

fn ids<'g>(tasks: &[Neighbor<'g>]) -> Vec<&'g str> {
    tasks.iter().map(|task| task.id).collect()
}

/// What a task waits for, or who waits for it, as 0.4.0 has it.
fn related(
    task: &Task,
    graph: &Graph<'_>,
    critical: Option<&Critical<'_>>,
    direction: Direction,
) -> Value {
    let is_critical = |task: &Node<'_>| critical.is_some_and(|critical| critical.has(task));
    let (own, mut others): (Vec<&Node<'_>>, Vec<&Node<'_>>) =
        graph.tasks.iter().partition(|node| node.id == task.id.as_str());
    others.sort_by_key(|task| task.id);
    let node = |task: &&Node<'_>| {
        json!({
            "id": task.id,
            "title": task.title,
            "status": task.status,
            "critical": is_critical(task),
        })
    };
    json!({
        "task": task.id,
        "title": task.title,
        "status": task.status,
        "critical": own.into_iter().any(is_critical),
        "relationship": match direction {
            Direction::Dependencies => "depends_on",
            Direction::Dependents => "blocked_by",
        },
        "related_tasks": others.iter().map(node).collect::<Vec<_>>(),
    })
}

pub(crate) fn tree(context: &Context, args: &TreeArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue tree")?;
    let queue = project.queue()?;
    let top = args.root.as_ref().map(|id| project.find(&queue, id)).transpose()?;
    // Who names a finished task asks for it.
    let with_done = args.include_done || matches!(top, Some((Place::Done, _)));
    let graph = Graph::new(&queue, tasks(&queue, with_done));
    let max_depth = args.max_depth.min(MAX_DEPTH);
    let branches = match top {
        Some((_, task)) => graph.parts_of(task.id.as_str(), max_depth),
        None => graph.parts(max_depth),
    };
    if context.ui.wants_json() {
        // A task may stand in a tree twice, so that its id names no place.
        let key = |index: usize| (index + 1).to_string();
        let head = (Schema::v1("queue-tree"), Some(project::revision(&queue)));
        print_part(&context.ui, head, (&branches, &args.part), key, &())?;
        return Ok(Exit::Done);
    }
    super::of_json(&args.part)?;
    let mut room = Room::new(args.part.max_tokens);
    room.print(&context.ui, drawn(&graph, &branches, context.ui.width()))?;
    room.tell(&context.ui);
    Ok(Exit::Done)
}

fn tasks(queue: &Queue, include_done: bool) -> impl Iterator<Item = Listed<'_>> {
    let done = include_done.then(|| queue.list(Place::Done));
    queue.list(Place::Queue).chain(done.into_iter().flatten())
}

fn drawn<'g>(
    graph: &'g Graph<'_>,
    branches: &'g [Branch<'_>],
    width: Option<usize>,
) -> impl Iterator<Item = Text> {
    let named = graph.named();
    branches.iter().map(move |branch| {
        let (style, mark) = match branch.mark {
            Some(Mark::Above) => (DIM, "  (see above)"),
            Some(Mark::TooDeep) => (DIM, "  (more below)"),
            Some(Mark::Cycle) => (YELLOW, "  (is below itself)"),
            Some(Mark::Orphan) => (YELLOW, "  (its parent is in no file)"),
            _ => (DIM, ""),
        };
        let mut text = Text::new().plain("  ".repeat(branch.depth)).style(BOLD, branch.id);
        if let Some(task) = named(branch) {
            let status = task.status.as_str();
            let taken = 2 * branch.depth + branch.id.len() + status.len() + mark.len() + 4;
            let title = clip(&task.title, width.map(|width| width.saturating_sub(taken)));
            text = text.plain("  ").append(&status_word(task.status));
            text = text.plain("  ").plain(title);
        }
        if mark.is_empty() { text } else { text.style(style, mark) }.line()
    })
}

fn dot(graph: &Graph<'_>, critical: &Critical<'_>) -> String {
    // A JSON string is a DOT string.
    let quoted = |text: &str| Value::from(harmless(text.to_owned())).to_string();
    let mut lines = vec!["digraph queue {".to_owned(), "  node [shape=box];".to_owned()];
    for task in &graph.tasks {
        let id = task.id;
        let label = quoted(&format!("{id} ({})\n{}", task.status, task.title));
        let bold = if critical.has(task) { ", style=bold" } else { "" };
        lines.push(format!("  {} [label={label}{bold}];", quoted(id)));
    }
    for edge in graph.edges() {
        let style = if edge.relation.is_waiting() { "solid" } else { "dashed" };
        lines.push(format!("  {} -> {} [style={style}];", quoted(edge.from), quoted(edge.to)));
    }
    lines.join("\n") + "\n}\n"
}
