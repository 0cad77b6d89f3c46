//! What is wrong between tasks: ids, references, cycles.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{Code, Fault, Located, error, warning};
use crate::repair::{keeper_first, later_first};
use crate::task::{Glance, Status, Task};

/// The tasks that a task names.
pub(super) struct Relations<'a> {
    /// Where the task is among all.
    at: usize,
    depends_on: Vec<Cow<'a, str>>,
    blocks: Vec<Cow<'a, str>>,
    relates_to: Vec<Cow<'a, str>>,
    duplicates: Option<Cow<'a, str>>,
    parent_id: Option<Cow<'a, str>>,
}

impl<'a> Relations<'a> {
    /// Those of the task that is there, if it has any.
    pub(super) fn of(at: usize, task: Glance<'a>) -> Option<Self> {
        let is_related = task.is_related();
        let Task { depends_on, blocks, relates_to, duplicates, parent_id, .. } = task;
        is_related.then_some(Self { at, depends_on, blocks, relates_to, duplicates, parent_id })
    }
}

pub(super) fn check(
    tasks: &[Located<'_>],
    relations: &[Relations<'_>],
    max_depth: usize,
    report: &mut dyn FnMut(usize, Fault),
) {
    let by_id = index(tasks, report);
    let by_former_id = OnceCell::new();
    let had_it =
        |id: &str| by_former_id.get_or_init(|| former_ids(tasks)).get(id).map(|at| tasks[*at].id());
    for named in relations.iter().filter(|named| !tasks[named.at].left) {
        let status = |id: &str| by_id.get(id).map(|at| tasks[*at].status());
        let own = tasks[named.at].id();
        references(own, named, status, had_it, &mut |fault| report(named.at, fault));
    }
    cycles_and_depth(tasks, relations, &by_id, max_depth, report);
}

/// What an id means: the task that a repair leaves it. That rejected ones share it is no error, since
/// 0.4.0 gives their ids away again.
fn index<'a>(
    tasks: &[Located<'a>],
    report: &mut dyn FnMut(usize, Fault),
) -> HashMap<&'a str, usize> {
    let mut by_id = HashMap::with_capacity(tasks.len());
    let mut outranked = Vec::new();
    for (at, located) in tasks.iter().enumerate().filter(|(_, located)| !located.left) {
        match by_id.entry(located.id()) {
            Entry::Vacant(entry) => {
                entry.insert(at);
            }
            Entry::Occupied(mut entry) => {
                let first = tasks[*entry.get()];
                let is_rejected = [first, *located].map(|task| task.status() == Status::Rejected);
                let (loser, keeper) = if is_to_keep(first, *located) {
                    (at, *entry.get())
                } else {
                    (entry.insert(at), at)
                };
                if is_rejected == [false, false] {
                    let message = shared_id(tasks[keeper], tasks[loser]);
                    report(loser, error(Code::DuplicateId, "id", message));
                } else {
                    outranked.push(loser);
                }
            }
        }
    }
    for at in outranked {
        let other = by_id[tasks[at].id()];
        let message = outranked_id(tasks[at], tasks[other]);
        report(at, Fault { other: Some(other), ..warning(Code::DuplicateId, "id", message) });
    }
    by_id
}

/// Whether the first of two tasks with one id keeps it. Of two versions of one
/// task the second is told; between both files it is the next change that parts two tasks.
fn is_to_keep(first: Located<'_>, second: Located<'_>) -> bool {
    match [first, second].map(|task| task.status() == Status::Rejected) {
        [false, false] if first.place != second.place => true,
        [one, other] if one == other && second.task().is_version_of(first.task()) => true,
        _ => keeper_first(first.task(), second.task()).is_le(),
    }
}

/// Who had an id before.
fn former_ids<'a>(tasks: &[Located<'a>]) -> HashMap<&'a str, usize> {
    let renamed = tasks.iter().enumerate();
    let renamed = renamed.filter(|(_, located)| located.document.is_renamed(located.index));
    renamed.flat_map(|(at, located)| located.task().former_ids().map(move |id| (id, at))).collect()
}

/// That a rejected task has the id of another one, and how they are parted. Where that one is comes
/// behind it.
fn outranked_id(rejected: Located<'_>, other: Located<'_>) -> String {
    let (id, status) = (other.id(), other.status());
    if rejected.task().is_version_of(other.task()) {
        return format!("the task `{id}` is there as another version; a repair makes one of both");
    }
    let (meaning, remedy) = match status {
        Status::Rejected => ("is also that of", "a repair gives this one"),
        Status::Done => ("means", "a repair gives this one"),
        Status::Draft | Status::Todo | Status::Doing => {
            ("means", "the next change of any task gives this one")
        }
    };
    format!("the id `{id}` {meaning} another task, which is {status}; {remedy} another id")
}

/// That two tasks have one id, and how they are parted.
fn shared_id(first: Located<'_>, second: Located<'_>) -> String {
    let (id, file) = (second.id(), first.place.as_str());
    if second.task().is_version_of(first.task()) {
        let (first, second) = (first.task(), second.task());
        let kept = if later_first(first, second).is_gt() { second } else { first };
        let fate = if kept.status.is_terminal() { "is finished" } else { "stays open" };
        return format!(
            "the task `{id}` is in the {file} file, too, as another version; a repair \
             makes one of both, which {fate}"
        );
    }
    let remedy = if first.place == second.place {
        "a repair gives this one"
    } else {
        "the next change of another task gives that one"
    };
    format!("the id `{id}` is taken by another task in the {file} file; {remedy} another id")
}

fn references<'t>(
    own: &str,
    named: &Relations<'_>,
    find: impl Fn(&str) -> Option<Status>,
    had_it: impl Fn(&str) -> Option<&'t str>,
    report: &mut dyn FnMut(Fault),
) {
    // Which of the two is meant, nobody knows.
    let hint =
        |id: &str| had_it(id).map(|now| format!("; `{now}` had that id")).unwrap_or_default();
    let lists = [
        ("depends_on", named.depends_on.as_slice()),
        ("blocks", &named.blocks),
        ("relates_to", &named.relates_to),
        ("duplicates", named.duplicates.as_slice()),
    ];
    let entries = lists.into_iter().flat_map(|(name, ids)| {
        ids.iter().enumerate().map(move |(index, id)| (name, index, id.trim()))
    });
    // Blank references of a list mean nothing, as in 0.4.0.
    for (name, index, id) in entries.filter(|(name, _, id)| !id.is_empty() || *name == "duplicates")
    {
        let (code, message, fault): (_, _, fn(_, String, String) -> Fault) = match (name, find(id))
        {
            _ if id == own => {
                (Code::SelfReference, format!("`{name}` names the task itself"), error)
            }
            (_, None) => (
                Code::UnknownTask,
                format!("`{name}` names `{id}`, which is in neither file{}", hint(id)),
                error,
            ),
            ("depends_on", Some(Status::Rejected)) => {
                let message =
                    format!("depends on `{id}`, which is rejected and counts as finished");
                (Code::RejectedDependency, message, warning)
            }
            ("duplicates", Some(status)) if status.is_terminal() => {
                (Code::DuplicatesFinished, format!("repeats `{id}`, which is {status}"), warning)
            }
            _ => continue,
        };
        let field = if name == "duplicates" { name.to_owned() } else { format!("{name}[{index}]") };
        report(fault(code, field, message));
    }
    match named.parent_id.as_deref().map(str::trim) {
        Some(parent) if parent == own => {
            report(warning(Code::SelfReference, "parent_id", "the task is its own parent"));
        }
        Some(parent) if find(parent).is_none() => {
            report(warning(
                Code::UnknownTask,
                "parent_id",
                format!("the parent `{parent}` is in neither file{}", hint(parent)),
            ));
        }
        _ => {}
    }
}

/// References to nothing and to the task itself are reported elsewhere.
fn cycles_and_depth(
    tasks: &[Located<'_>],
    relations: &[Relations<'_>],
    by_id: &HashMap<&str, usize>,
    max_depth: usize,
    report: &mut dyn FnMut(usize, Fault),
) {
    let edges = |ids: for<'r> fn(&'r Relations<'_>) -> &'r [Cow<'r, str>]| -> Vec<Vec<usize>> {
        let mut edges = vec![Vec::new(); tasks.len()];
        for named in relations {
            let targets = ids(named).iter().filter_map(|id| by_id.get(id.trim()).copied());
            edges[named.at] = targets.filter(|target| *target != named.at).collect();
        }
        edges
    };
    let depends_on = edges(|named| &named.depends_on);
    let blocks = edges(|named| &named.blocks);
    let parents = edges(|named| named.parent_id.as_slice());
    let dependencies = walk(&depends_on);
    let mut cycles = vec![
        ("depends_on", Code::Cycle, "depends on itself", dependencies.cycles),
        ("blocks", Code::Cycle, "blocks itself", walk(&blocks).cycles),
        ("parent_id", Code::Cycle, "is its own ancestor", walk(&parents).cycles),
    ];
    if cycles[0].3.is_empty() && cycles[1].3.is_empty() {
        // Open tasks that wait for each other, one by what it depends on, one by what blocks it.
        let open = |at: &usize| !tasks[*at].status().is_terminal();
        let mut waits: Vec<Vec<usize>> =
            depends_on.iter().map(|needed| needed.iter().copied().filter(open).collect()).collect();
        for (from, blocked) in blocks.iter().enumerate().filter(|(from, _)| open(from)) {
            blocked.iter().filter(|at| open(at)).for_each(|at| waits[*at].push(from));
        }
        cycles.push(("depends_on", Code::Deadlock, "waits for itself", walk(&waits).cycles));
    }
    for (field, code, what, cycles) in cycles {
        for cycle in cycles {
            report(cycle.ends[0], error(code, field, format!("{what}: {}", path(tasks, &cycle))));
        }
    }
    let mut needed = vec![false; tasks.len()];
    depends_on.iter().flatten().for_each(|at| needed[*at] = true);
    for (at, depth) in dependencies.depths.into_iter().enumerate() {
        if depth > max_depth && !needed[at] && !tasks[at].status().is_terminal() {
            let message = format!(
                "{depth} tasks must be finished one after another before this one, the limit is {max_depth}"
            );
            report(at, warning(Code::DeepDependencies, "depends_on", message));
        }
    }
}

/// The ids of a cycle.
fn path(tasks: &[Located<'_>], Cycle { ends, is_cut }: &Cycle) -> String {
    let mut ids: Vec<&str> = ends.iter().map(|at| tasks[*at].id()).collect();
    ids.push(ids[0]);
    if *is_cut {
        ids.insert(6, "...");
    }
    ids.join(" -> ")
}

/// The tasks of a cycle, of a long one both ends: there may be as many cycles as tasks, each through
/// most of them.
struct Cycle {
    ends: Vec<usize>,
    /// Those behind the sixth are left out, up to the last four.
    is_cut: bool,
}

impl Cycle {
    fn of(open: &[(usize, usize)]) -> Self {
        let is_cut = open.len() > 11;
        let (begin, end) = if is_cut { (6, open.len() - 4) } else { (0, 0) };
        let ends = open[..begin].iter().chain(&open[end..]).map(|(at, _)| *at).collect();
        Self { ends, is_cut }
    }
}

struct Walk {
    /// One for each edge that closes it.
    cycles: Vec<Cycle>,
    /// The longest way from each task along the edges, in edges; those that close a cycle do not
    /// count.
    depths: Vec<usize>,
}

/// Goes through a graph depth first, with a stack of its own: a chain of tasks may be longer than
/// that of the thread.
fn walk(edges: &[Vec<usize>]) -> Walk {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        /// It is there in the stack.
        Open(usize),
        Closed,
    }
    let mut seen = vec![Seen::No; edges.len()];
    let mut walk = Walk { cycles: Vec::new(), depths: vec![0; edges.len()] };
    // A task, and how many of its edges have been taken.
    let mut stack = Vec::new();
    for root in 0..edges.len() {
        if seen[root] != Seen::No {
            continue;
        }
        seen[root] = Seen::Open(0);
        stack.push((root, 0));
        while let Some((at, taken)) = stack.last_mut() {
            let at = *at;
            if let Some(&to) = edges[at].get(*taken) {
                *taken += 1;
                match seen[to] {
                    Seen::No => {
                        seen[to] = Seen::Open(stack.len());
                        stack.push((to, 0));
                    }
                    Seen::Open(start) => walk.cycles.push(Cycle::of(&stack[start..])),
                    Seen::Closed => walk.depths[at] = walk.depths[at].max(walk.depths[to] + 1),
                }
            } else {
                seen[at] = Seen::Closed;
                stack.pop();
                if let Some((parent, _)) = stack.last() {
                    walk.depths[*parent] = walk.depths[*parent].max(walk.depths[at] + 1);
                }
            }
        }
    }
    walk
}
