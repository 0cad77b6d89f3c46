//! How tasks hang together: who waits for whom, who is a part of whom.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::queue::{Listed, Place, Queue};
use crate::task::{Status, Task};

/// Tasks and what binds them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Graph<'q> {
    /// The tasks, in the order given.
    pub tasks: Vec<Node<'q>>,
    bonds: Vec<Bond>,
    /// The ids of the tasks by their numbers; two tasks of one id have one number.
    ids: Vec<&'q str>,
    /// What else tasks name, as written; the numbers go on.
    others: Vec<Cow<'q, str>>,
}

/// A task in a graph.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Node<'q> {
    /// Its id.
    pub id: &'q str,
    /// Its title.
    pub title: Cow<'q, str>,
    /// Its status.
    pub status: Status,
    number: usize,
    parent: Parent,
}

impl Node<'_> {
    /// What is odd about it in a tree of parts.
    fn mark(&self) -> Option<Mark> {
        (self.parent == Parent::Missing).then_some(Mark::Orphan)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    None,
    Task(usize),
    /// It is in neither file.
    Missing,
}

/// An edge by the numbers of its ends.
#[derive(Clone, Copy, Debug)]
struct Bond {
    from: usize,
    to: usize,
    relation: Relation,
}

/// One bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Edge<'g> {
    /// Who waits, or points.
    pub from: &'g str,
    /// Who is waited for, or pointed at.
    pub to: &'g str,
    /// What it means.
    pub relation: Relation,
}

/// What a bond means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Relation {
    /// It waits, and says so itself.
    DependsOn,
    /// It waits, and the other says so.
    BlockedBy,
    /// The other is worth reading too.
    RelatesTo,
    /// It repeats the other.
    Duplicates,
}

impl Relation {
    /// `depends_on`, `blocked_by`, `relates_to` or `duplicates`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DependsOn => "depends_on",
            Self::BlockedBy => "blocked_by",
            Self::RelatesTo => "relates_to",
            Self::Duplicates => "duplicates",
        }
    }

    /// Whether it makes one wait for the other.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::DependsOn | Self::BlockedBy)
    }
}

/// One line of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Branch<'q> {
    /// How far from the root, which is at 0.
    pub depth: usize,
    /// The task.
    pub id: &'q str,
    /// What is odd about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    #[serde(skip)]
    number: usize,
}

/// What is odd about a line of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mark {
    /// What is below it stands further up already.
    Above,
    /// It is below itself.
    Cycle,
    /// What is below it was left out.
    TooDeep,
    /// What it belongs below is in no file.
    Orphan,
}

impl<'q> Graph<'q> {
    /// The graph of these tasks.
    pub fn new(queue: &'q Queue, tasks: impl IntoIterator<Item = Listed<'q>>) -> Self {
        let tasks: Vec<Listed<'q>> = tasks.into_iter().collect();
        let mut graph = Self {
            tasks: Vec::with_capacity(tasks.len()),
            bonds: Vec::new(),
            ids: Vec::with_capacity(tasks.len()),
            others: Vec::new(),
        };
        let mut numbers: HashMap<&str, usize> = HashMap::with_capacity(tasks.len());
        let number = |listed: &Listed<'q>| {
            *numbers.entry(listed.id()).or_insert_with(|| {
                graph.ids.push(listed.id());
                graph.ids.len() - 1
            })
        };
        let own: Vec<usize> = tasks.iter().map(number).collect();
        // Few ask for more than the tasks of the graph.
        let all: OnceCell<HashSet<&str>> = OnceCell::new();
        let is_anywhere = |id: &str| {
            let listed = || queue.list(Place::Queue).chain(queue.list(Place::Done));
            all.get_or_init(|| listed().map(Listed::id).collect()).contains(id)
        };
        for ((_, task), number) in queue.look_at(tasks).zip(own) {
            let id = graph.ids[number];
            let Task { depends_on, blocks, relates_to, duplicates, parent_id, .. } = task;
            let named = [
                (Relation::DependsOn, depends_on),
                (Relation::BlockedBy, blocks),
                (Relation::RelatesTo, relates_to),
                (Relation::Duplicates, duplicates.into_iter().collect()),
            ];
            for (relation, ids) in named {
                for id in ids {
                    let other = numbers.get(id.trim()).copied().unwrap_or_else(|| {
                        graph.others.push(id);
                        graph.ids.len() + graph.others.len() - 1
                    });
                    let (from, to) = match relation {
                        Relation::BlockedBy => (other, number),
                        _ => (number, other),
                    };
                    graph.bonds.push(Bond { from, to, relation });
                }
            }
            let parent = match parent_id.as_deref().map(str::trim) {
                None | Some("") => Parent::None,
                Some(id) => match numbers.get(id) {
                    Some(number) => Parent::Task(*number),
                    // It is left out of the graph.
                    None if is_anywhere(id) => Parent::None,
                    None => Parent::Missing,
                },
            };
            let (title, status) = (task.title, task.status);
            graph.tasks.push(Node { id, title, status, number, parent });
        }
        graph
    }

    /// What binds them, in the order of the tasks. An end may be no task of these.
    pub fn edges(&self) -> impl Iterator<Item = Edge<'_>> {
        self.bonds.iter().map(|bond| {
            let Bond { from, to, relation } = *bond;
            Edge { from: self.name(from), to: self.name(to), relation }
        })
    }

    /// Whom each task waits for, directly, or who waits for it.
    pub fn neighbors(&self, direction: Direction) -> Neighbors<'_> {
        let mut statuses = vec![None; self.ids.len()];
        for task in &self.tasks {
            // As `Queue::find` has it.
            if matches!(statuses[task.number], None | Some(Status::Rejected)) {
                statuses[task.number] = Some(task.status);
            }
        }
        let mut by_number = vec![Vec::new(); self.ids.len()];
        for Bond { from, to, .. } in self.bonds.iter().filter(|bond| bond.relation.is_waiting()) {
            let (own, other) = match direction {
                Direction::Dependencies => (*from, *to),
                Direction::Dependents => (*to, *from),
            };
            if let Some(neighbors) = by_number.get_mut(own) {
                let status = statuses.get(other).copied().flatten();
                neighbors.push(Neighbor { id: self.name(other), status });
            }
        }
        for neighbors in &mut by_number {
            neighbors.sort_by_key(|neighbor| neighbor.id);
            neighbors.dedup_by_key(|neighbor| neighbor.id);
        }
        Neighbors { by_number }
    }

    /// The tasks that branches of it name: of several with one id the last.
    pub fn named<'g>(&'g self) -> impl Fn(&Branch<'_>) -> Option<&'g Node<'q>> {
        let mut nodes = vec![None; self.ids.len()];
        self.tasks.iter().for_each(|task| nodes[task.number] = Some(task));
        move |branch| nodes[branch.number]
    }

    /// What has that number.
    fn name(&self, number: usize) -> &str {
        match self.ids.get(number) {
            Some(id) => id,
            None => self.others[number - self.ids.len()].trim(),
        }
    }

    /// The part of it that `id` waits for, directly or not, with itself; or the part that waits
    /// for it.
    #[must_use]
    pub fn around(self, id: &str, direction: Direction) -> Self {
        let next = self.waiting(direction);
        let mut found = vec![false; self.ids.len()];
        let mut open: Vec<usize> = self.ids.iter().position(|own| *own == id).into_iter().collect();
        while let Some(number) = open.pop() {
            if !std::mem::replace(&mut found[number], true) {
                open.extend(&next[number]);
            }
        }
        let has = |number: usize| found.get(number).is_some_and(|found| *found);
        self.part(|node| has(node.number), |bond| has(bond.from) && has(bond.to))
    }

    /// The part of it that is in one of the longest chains.
    #[must_use]
    pub fn within(self, critical: &Critical<'q>) -> Self {
        self.part(|node| critical.has(node), |bond| critical.has_step(*bond))
    }

    fn part(mut self, node: impl Fn(&Node<'q>) -> bool, bond: impl Fn(&Bond) -> bool) -> Self {
        self.tasks.retain(node);
        self.bonds.retain(bond);
        self
    }

    /// Trees of what waits for what, from the tasks that nobody waits for; or the other way round.
    pub fn forest(&self, direction: Direction, max_depth: usize) -> Vec<Branch<'q>> {
        self.trees(&self.waiting(direction), max_depth, |_| None)
    }

    /// Trees of parents and their parts.
    pub fn parts(&self, max_depth: usize) -> Vec<Branch<'q>> {
        self.trees(&self.below(), max_depth, Node::mark)
    }

    /// The tree of that task and its parts; nothing if it is not in the graph.
    pub fn parts_of(&self, id: &str, max_depth: usize) -> Vec<Branch<'q>> {
        let below = self.below();
        let mut forest = Forest::new(&self.ids, &below, max_depth);
        if let Some(task) = self.tasks.iter().find(|task| task.id == id) {
            forest.grow(task.number, task.mark());
        }
        forest.branches
    }

    /// By the number of a task, in the order of the file: its parts.
    fn below(&self) -> Vec<Vec<usize>> {
        let mut below = vec![Vec::new(); self.ids.len()];
        for task in &self.tasks {
            if let Parent::Task(parent) = task.parent {
                below[parent].push(task.number);
            }
        }
        below
    }

    /// Every task with what is below it, roots in the order of the tasks.
    fn trees(
        &self,
        below: &[Vec<usize>],
        max_depth: usize,
        mark: impl Fn(&Node<'q>) -> Option<Mark>,
    ) -> Vec<Branch<'q>> {
        let mut is_inner = vec![false; self.ids.len()];
        let inner = self.tasks.iter().flat_map(|task| &below[task.number]);
        inner.for_each(|number| is_inner[*number] = true);
        let mut forest = Forest::new(&self.ids, below, max_depth);
        for task in self.tasks.iter().filter(|task| !is_inner[task.number]) {
            forest.grow(task.number, mark(task));
        }
        // What is left is below itself, or below what was too deep.
        let is_deep = forest.branches.iter().any(|branch| branch.mark == Some(Mark::TooDeep));
        for task in self.tasks.iter().filter(|_| !is_deep) {
            if !forest.seen[task.number] {
                forest.grow(task.number, None);
            }
        }
        forest.branches
    }

    /// The longest chains of tasks of which each waits for the next. Tasks that wait in a circle
    /// are in none.
    pub fn critical(&self) -> Critical<'q> {
        let next = self.waiting(Direction::Dependencies);
        let back = self.waiting(Direction::Dependents);
        let mut is_task = vec![false; self.ids.len()];
        self.tasks.iter().for_each(|task| is_task[task.number] = true);
        // From the ends of the chains, so that each task comes after all it waits for.
        let mut left: Vec<usize> = next.iter().map(Vec::len).collect();
        let ends = (0..left.len()).filter(|number| is_task[*number] && left[*number] == 0);
        let mut open: Vec<usize> = ends.collect();
        // In tasks; nothing for those in a circle.
        let mut length = vec![0; self.ids.len()];
        while let Some(number) = open.pop() {
            let below = next[number].iter().map(|number| length[*number]).max();
            length[number] = below.unwrap_or(0) + 1;
            for waiting in &back[number] {
                left[*waiting] -= 1;
                if left[*waiting] == 0 {
                    open.push(*waiting);
                }
            }
        }
        let longest = length.iter().copied().max().unwrap_or_default();
        let is_start = |number: &usize| longest > 0 && length[*number] == longest;
        let starts: Vec<usize> = (0..length.len()).filter(is_start).collect();
        let mut steps: Vec<Option<Vec<usize>>> = vec![None; length.len()];
        let mut open = starts.clone();
        while let Some(number) = open.pop() {
            if steps[number].is_some() {
                continue;
            }
            let is_next = |below: &usize| length[*below] + 1 == length[number];
            let below: Vec<usize> = next[number].iter().copied().filter(is_next).collect();
            open.extend(&below);
            steps[number] = Some(below);
        }
        Critical { ids: self.ids.clone(), starts, steps }
    }

    /// By the number of a task, in the order of the file and each once: whom it waits for, or who
    /// waits for it.
    fn waiting(&self, direction: Direction) -> Vec<Vec<usize>> {
        let mut waiting = vec![Vec::new(); self.ids.len()];
        let mut seen = HashSet::new();
        for Bond { from, to, relation } in &self.bonds {
            let is_among_tasks = *from.max(to) < self.ids.len();
            if relation.is_waiting() && is_among_tasks && seen.insert((*from, *to)) {
                let (from, to) = match direction {
                    Direction::Dependencies => (from, to),
                    Direction::Dependents => (to, from),
                };
                waiting[*from].push(*to);
            }
        }
        waiting
    }
}

/// Which way to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From who waits to who is waited for.
    #[default]
    Dependencies,
    /// From who is waited for to who waits.
    Dependents,
}

/// Whom the tasks of a graph wait for, or who waits for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbors<'g> {
    by_number: Vec<Vec<Neighbor<'g>>>,
}

impl<'g> Neighbors<'g> {
    /// Those of a task of that graph, in the order of their ids and each once.
    pub fn of(&self, task: &Node<'_>) -> &[Neighbor<'g>] {
        &self.by_number[task.number]
    }
}

/// Who is waited for, or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Neighbor<'g> {
    /// Its id.
    pub id: &'g str,
    /// Its status, if it is a task of the graph.
    pub status: Option<Status>,
}

struct Forest<'f, 'q> {
    ids: &'f [&'q str],
    below: &'f [Vec<usize>],
    max_depth: usize,
    seen: Vec<bool>,
    /// Above the one that is looked at.
    is_on_path: Vec<bool>,
    branches: Vec<Branch<'q>>,
}

impl<'f, 'q> Forest<'f, 'q> {
    fn new(ids: &'f [&'q str], below: &'f [Vec<usize>], max_depth: usize) -> Self {
        let none = vec![false; ids.len()];
        let (seen, is_on_path) = (none.clone(), none);
        Self { ids, below, max_depth, seen, is_on_path, branches: Vec::new() }
    }

    /// A loop, not a recursion: a chain may be as long as the file.
    fn grow(&mut self, root: usize, mark: Option<Mark>) {
        let mut path: Vec<usize> = Vec::new();
        let mut open = vec![(0, root)];
        while let Some((depth, number)) = open.pop() {
            for left in path.drain(depth.min(path.len())..) {
                self.is_on_path[left] = false;
            }
            let parts = &self.below[number];
            let is_cycle = self.is_on_path[number];
            let is_new = !is_cycle && !std::mem::replace(&mut self.seen[number], true);
            let mark = match () {
                () if is_cycle => Some(Mark::Cycle),
                () if !is_new && !parts.is_empty() => Some(Mark::Above),
                () if depth >= self.max_depth && !parts.is_empty() => Some(Mark::TooDeep),
                () => mark.filter(|_| depth == 0),
            };
            self.branches.push(Branch { depth, id: self.ids[number], mark, number });
            if is_new && depth < self.max_depth {
                path.push(number);
                self.is_on_path[number] = true;
                open.extend(parts.iter().rev().map(|part| (depth + 1, *part)));
            }
        }
        for left in path {
            self.is_on_path[left] = false;
        }
    }
}

/// The longest chains of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Critical<'q> {
    ids: Vec<&'q str>,
    /// The tasks that begin one, in the order of the file.
    starts: Vec<usize>,
    /// For each task of one, the next ones.
    steps: Vec<Option<Vec<usize>>>,
}

impl<'q> Critical<'q> {
    /// Whether the task is in one.
    pub fn has(&self, task: &Node<'_>) -> bool {
        self.steps[task.number].is_some()
    }

    /// Whether the one task follows the other in one.
    fn has_step(&self, Bond { from, to, .. }: Bond) -> bool {
        self.steps.get(from).and_then(Option::as_ref).is_some_and(|next| next.contains(&to))
    }

    /// The chains, at most so many, and whether there are more: branches that meet again make their
    /// number grow beyond every list.
    pub fn paths(&self, most: usize) -> (Vec<Vec<&'q str>>, bool) {
        let mut paths = Vec::new();
        let mut path: Vec<&str> = Vec::new();
        // What to look at, with how much of the path is before it; the last one first.
        let mut open: Vec<(usize, usize)> =
            self.starts.iter().rev().map(|number| (0, *number)).collect();
        while let Some((depth, number)) = open.pop() {
            path.truncate(depth);
            path.push(self.ids[number]);
            let next = self.steps[number].as_deref().unwrap_or_default();
            if next.is_empty() {
                if paths.len() == most {
                    return (paths, true);
                }
                paths.push(path.clone());
            }
            open.extend(next.iter().rev().map(|number| (depth + 1, *number)));
        }
        (paths, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    /// Tasks as `id>what it depends on`, with what they are a part of after `^`.
    fn queue(lines: &str) -> Queue {
        let task = |line: &str| {
            let (line, parent) = line.split_once('^').map_or((line, None), |(l, p)| (l, Some(p)));
            let (id, waits) = line.split_once('>').unwrap_or((line, ""));
            Task {
                depends_on: waits
                    .split(',')
                    .filter(|id| !id.is_empty())
                    .map(str::to_owned)
                    .collect(),
                parent_id: parent.map(str::to_owned),
                ..Task::new(id.parse().unwrap(), id)
            }
        };
        let empty = Document::empty();
        let mut draft = empty.draft();
        for (index, line) in lines.split(' ').enumerate() {
            draft.insert(index, task(line));
        }
        Queue::new(draft.splice().unwrap().unwrap(), None)
    }

    fn graph(queue: &Queue) -> Graph<'_> {
        Graph::new(queue, queue.list(Place::Queue))
    }

    fn ids(graph: &Graph<'_>) -> String {
        graph.tasks.iter().map(|task| task.id).collect()
    }

    fn draw(branches: &[Branch<'_>]) -> String {
        let line = |branch: &Branch<'_>| {
            let mark = branch.mark.map(|mark| format!("{mark:?}")).unwrap_or_default();
            format!("{}{}{mark}", "-".repeat(branch.depth), branch.id)
        };
        branches.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(lines: &str, expected: &str, critical: &str) {
        let queue = queue(lines);
        let graph = graph(&queue);
        assert_eq!(draw(&graph.forest(Direction::Dependencies, 9)), expected);
        let (paths, _) = graph.critical().paths(9);
        let paths: Vec<String> = paths.iter().map(|path| path.join(" ")).collect();
        assert_eq!(paths.join(", "), critical);
    }

    #[test]
    fn who_waits_for_whom() {
        check("a b>a c>a,b", "c -a -b --a", "c b a");
        check("a>b b>c c d>b", "a -b --c d -bAbove", "a b c, d b c");
        check("a>a b>c c>b d", "d a -aCycle b -c --bCycle", "d");
        check("a>missing", "a", "a");
        check("a b>a c>a d>b e>c f>a", "d -b --a e -c --a f -a", "d b a, e c a");
    }

    #[test]
    fn chains_that_part_and_meet_are_counted_up_to_a_limit() {
        let diamonds = (1..64).map(|n| format!("x{n}>l{n},r{n} l{n}>x{0} r{n}>x{0}", n + 1));
        let lines: Vec<String> = diamonds.collect();
        let queue = queue(&lines.join(" "));
        let graph = graph(&queue);
        let critical = graph.critical();
        let (paths, is_cut) = critical.paths(100);
        assert_eq!((paths.len(), is_cut), (100, true));
        let within = graph.within(&critical);
        let has = |from, to| within.edges().any(|edge| (edge.from, edge.to) == (from, to));
        assert!(has("r40", "x41") && !has("x41", "r40"));
        assert_eq!(within.tasks.len(), queue.document().len());
    }

    #[test]
    fn who_is_next_to_whom() {
        let queue = queue("b>gone,c,a,c a c>a");
        let graph = graph(&queue);
        let told = |direction| {
            let neighbors = graph.neighbors(direction);
            let told = |task| {
                let known = |other: &Neighbor<'_>| other.status.map_or("?", |_| "");
                let others = neighbors.of(task).iter();
                others.map(|other| format!("{}{}", other.id, known(other))).collect::<Vec<_>>()
            };
            graph.tasks.iter().map(|task| told(task).join(",")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(Direction::Dependencies), "a,c,gone?  a");
        assert_eq!(told(Direction::Dependents), " b,c b");
    }

    #[test]
    fn the_other_way_round_and_around_one() {
        let queue = queue("a b>a c>b d");
        let graph = graph(&queue);
        assert_eq!(draw(&graph.forest(Direction::Dependents, 9)), "a -b --c d");
        assert_eq!(draw(&graph.forest(Direction::Dependents, 1)), "a -bTooDeep d");
        let around = graph.clone().around("b", Direction::Dependencies);
        assert_eq!((ids(&around), around.edges().count()), ("ab".to_owned(), 1));
        assert_eq!(around.critical().paths(9).0, [["b", "a"]]);
        assert_eq!(ids(&graph.around("b", Direction::Dependents)), "bc");
    }

    #[test]
    fn who_is_a_part_of_whom() {
        let queue = queue("a b^a c^b d^gone e^f f^e");
        assert_eq!(draw(&graph(&queue).parts(9)), "a -b --c dOrphan e -f --eCycle");
        let part = |id, max_depth| draw(&graph(&queue).parts_of(id, max_depth));
        assert_eq!([part("b", 9), part("a", 1), part("c", 0)], ["b -c", "a -bTooDeep", "c"]);
        assert_eq!([part("d", 9), part("f", 9), part("gone", 9)], ["dOrphan", "f -e --fCycle", ""]);
    }

    #[test]
    fn what_is_named_need_not_be_there_and_is_told_as_the_tasks_say_it() {
        let task = r#"{"id": "a", "title": "t", "depends_on": [" b", "\u0062", "gone "], "blocks": ["b"]}"#;
        let text = format!(r#"{{"version": 1, "tasks": [{task}, {{"id": "b", "title": "t"}}]}}"#);
        let queue = Queue::new(Document::parse(text).unwrap(), None);
        let graph = graph(&queue);
        let edges: Vec<_> = graph.edges().map(|edge| (edge.from, edge.to)).collect();
        assert_eq!(edges, [("a", "b"), ("a", "b"), ("a", "gone"), ("b", "a")]);
        assert_eq!(draw(&graph.forest(Direction::Dependencies, 9)), "a -b --aCycle");
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let lines: Vec<String> = (1..20_000).map(|n| format!("t{n}>t{}", n + 1)).collect();
        let queue = queue(&lines.join(" "));
        let graph = graph(&queue);
        assert_eq!(graph.critical().paths(1).0[0].len(), graph.tasks.len());
        assert_eq!(graph.forest(Direction::Dependencies, usize::MAX).len(), graph.tasks.len());
    }
}
