//! How tasks hang together: who waits for whom, who is a part of whom.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::task::Task;

/// Tasks and what binds them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Graph<'q> {
    /// The tasks, in the order given.
    pub tasks: Vec<&'q Task>,
    /// What binds them, in the order of the tasks. An end may be no task of these.
    pub edges: Vec<Edge<'q>>,
}

/// One bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Edge<'q> {
    /// Who waits, or points.
    pub from: &'q str,
    /// Who is waited for, or pointed at.
    pub to: &'q str,
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
    pub fn new(tasks: Vec<&'q Task>) -> Self {
        let mut edges = Vec::new();
        for task in &tasks {
            let own = task.id.as_str();
            let mut add = |from: &'q str, to: &'q str, relation| {
                edges.push(Edge { from: from.trim(), to: to.trim(), relation });
            };
            task.depends_on.iter().for_each(|to| add(own, to, Relation::DependsOn));
            task.blocks.iter().for_each(|from| add(from, own, Relation::BlockedBy));
            task.relates_to.iter().for_each(|to| add(own, to, Relation::RelatesTo));
            task.duplicates.iter().for_each(|to| add(own, to, Relation::Duplicates));
        }
        Self { tasks, edges }
    }

    /// The part of it that `id` waits for, directly or not, with itself; or the part that waits
    /// for it.
    #[must_use]
    pub fn around(self, id: &str, direction: Direction) -> Self {
        let next = self.waiting(direction);
        let mut found: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(next.get(id).into_iter().flatten());
            }
        }
        let found: BTreeSet<String> = found.into_iter().map(str::to_owned).collect();
        let tasks = self.tasks.into_iter().filter(|task| found.contains(task.id.as_str()));
        let is_inside = |edge: &Edge<'_>| found.contains(edge.from) && found.contains(edge.to);
        Self { tasks: tasks.collect(), edges: self.edges.into_iter().filter(is_inside).collect() }
    }

    /// Trees of what waits for what, from the tasks that nobody waits for; or the other way round.
    pub fn forest(&self, direction: Direction, max_depth: usize) -> Vec<Branch<'q>> {
        let ids = self.tasks.iter().map(|task| (task.id.as_str(), None));
        forest(&ids.collect::<Vec<_>>(), &self.waiting(direction), max_depth)
    }

    /// The longest chains of tasks of which each waits for the next. Tasks that wait in a circle
    /// are in none.
    pub fn critical(&self) -> Critical<'q> {
        let next = self.waiting(Direction::Dependencies);
        let back = self.waiting(Direction::Dependents);
        // From the ends of the chains, so that each task comes after all it waits for.
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for task in &self.tasks {
            left.insert(task.id.as_str(), next.get(task.id.as_str()).map_or(0, Vec::len));
        }
        let mut open: Vec<&str> =
            left.iter().filter(|(_, left)| **left == 0).map(|(id, _)| *id).collect();
        let mut length: BTreeMap<&str, usize> = BTreeMap::new();
        while let Some(id) = open.pop() {
            let below = next.get(id).into_iter().flatten();
            let below = below.filter_map(|id| length.get(id)).max();
            length.insert(id, below.map_or(1, |length| length + 1));
            for waiting in back.get(id).into_iter().flatten() {
                if let Some(count) = left.get_mut(waiting) {
                    *count -= 1;
                    if *count == 0 {
                        open.push(waiting);
                    }
                }
            }
        }
        let longest = length.values().copied().max().unwrap_or_default();
        let ids = self.tasks.iter().map(|task| task.id.as_str());
        let starts: Vec<&str> = ids.filter(|id| length.get(id) == Some(&longest)).collect();
        let mut steps: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut open = starts.clone();
        while let Some(id) = open.pop() {
            if steps.contains_key(id) {
                continue;
            }
            let below = next.get(id).into_iter().flatten().copied();
            let is_next = |below: &&str| length.get(below).map(|it| it + 1) == Some(length[id]);
            let below: Vec<&str> = below.filter(is_next).collect();
            open.extend(&below);
            steps.insert(id, below);
        }
        Critical { starts, steps }
    }

    /// By task, in the order of the file and each once: whom it waits for, or who waits for it.
    fn waiting(&self, direction: Direction) -> HashMap<&'q str, Vec<&'q str>> {
        let known: HashSet<&str> = self.tasks.iter().map(|task| task.id.as_str()).collect();
        let mut waiting: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut seen = HashSet::new();
        for edge in self.edges.iter().filter(|edge| edge.relation.is_waiting()) {
            let is_new = seen.insert((edge.from, edge.to));
            if is_new && known.contains(edge.from) && known.contains(edge.to) {
                let (from, to) = match direction {
                    Direction::Dependencies => (edge.from, edge.to),
                    Direction::Dependents => (edge.to, edge.from),
                };
                waiting.entry(from).or_default().push(to);
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

/// Trees of parents and their parts.
pub fn parts<'q>(tasks: &[&'q Task], max_depth: usize) -> Vec<Branch<'q>> {
    let known: HashSet<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
    let mut below: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut ids = Vec::new();
    for task in tasks {
        let parent = task.parent_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        let is_orphan = parent.is_some_and(|id| !known.contains(id));
        if let Some(parent) = parent {
            below.entry(parent).or_default().push(task.id.as_str());
        }
        ids.push((task.id.as_str(), is_orphan.then_some(Mark::Orphan)));
    }
    forest(&ids, &below, max_depth)
}

/// Every id with what is below it, roots in the order given.
fn forest<'q>(
    ids: &[(&'q str, Option<Mark>)],
    below: &HashMap<&'q str, Vec<&'q str>>,
    max_depth: usize,
) -> Vec<Branch<'q>> {
    let inner: HashSet<&str> =
        ids.iter().filter_map(|(id, _)| below.get(id)).flatten().copied().collect();
    let mut forest = Forest { below, max_depth, seen: HashSet::new(), branches: Vec::new() };
    for (id, mark) in ids.iter().filter(|(id, _)| !inner.contains(id)) {
        forest.grow(id, *mark);
    }
    // What is left is below itself, or below what was too deep.
    let is_deep = forest.branches.iter().any(|branch| branch.mark == Some(Mark::TooDeep));
    for (id, _) in ids.iter().filter(|_| !is_deep) {
        if !forest.seen.contains(id) {
            forest.grow(id, None);
        }
    }
    forest.branches
}

struct Forest<'f, 'q> {
    below: &'f HashMap<&'q str, Vec<&'q str>>,
    max_depth: usize,
    seen: HashSet<&'q str>,
    branches: Vec<Branch<'q>>,
}

impl<'q> Forest<'_, 'q> {
    /// A loop, not a recursion: a chain may be as long as the file.
    fn grow(&mut self, root: &'q str, mark: Option<Mark>) {
        let mut path: Vec<&str> = Vec::new();
        let mut on_path: HashSet<&str> = HashSet::new();
        let mut open = vec![(0, root)];
        while let Some((depth, id)) = open.pop() {
            for left in path.drain(depth.min(path.len())..) {
                on_path.remove(left);
            }
            let parts = self.below.get(id).map_or(&[][..], Vec::as_slice);
            let is_new = !on_path.contains(id) && self.seen.insert(id);
            let mark = match () {
                () if on_path.contains(id) => Some(Mark::Cycle),
                () if !is_new && !parts.is_empty() => Some(Mark::Above),
                () if depth >= self.max_depth && !parts.is_empty() => Some(Mark::TooDeep),
                () => mark.filter(|_| depth == 0),
            };
            self.branches.push(Branch { depth, id, mark });
            if is_new && depth < self.max_depth {
                path.push(id);
                on_path.insert(id);
                open.extend(parts.iter().rev().map(|part| (depth + 1, *part)));
            }
        }
    }
}

/// The longest chains of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Critical<'q> {
    /// The tasks that begin one, in the order of the file.
    starts: Vec<&'q str>,
    /// By each task of one: the next ones.
    steps: BTreeMap<&'q str, Vec<&'q str>>,
}

impl<'q> Critical<'q> {
    /// Whether the task is in one.
    pub fn has(&self, id: &str) -> bool {
        self.steps.contains_key(id)
    }

    /// Whether the one task follows the other in one.
    pub fn has_step(&self, from: &str, to: &str) -> bool {
        self.steps.get(from).is_some_and(|next| next.contains(&to))
    }

    /// The chains, at most so many, and whether there are more: branches that meet again make their
    /// number grow beyond every list.
    pub fn paths(&self, most: usize) -> (Vec<Vec<&'q str>>, bool) {
        let mut paths = Vec::new();
        let mut path: Vec<&str> = Vec::new();
        // What to look at, with how much of the path is before it; the last one first.
        let mut open: Vec<(usize, &str)> = self.starts.iter().rev().map(|id| (0, *id)).collect();
        while let Some((depth, id)) = open.pop() {
            path.truncate(depth);
            path.push(id);
            let next = &self.steps[id];
            if next.is_empty() {
                if paths.len() == most {
                    return (paths, true);
                }
                paths.push(path.clone());
            }
            open.extend(next.iter().rev().map(|id| (depth + 1, *id)));
        }
        (paths, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tasks as `id>what it depends on`, with what they are a part of after `^`.
    fn tasks(lines: &str) -> Vec<Task> {
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
        lines.split(' ').map(task).collect()
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
        let tasks = tasks(lines);
        let graph = Graph::new(tasks.iter().collect());
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
        let tasks = tasks(&lines.join(" "));
        let critical = Graph::new(tasks.iter().collect()).critical();
        let (paths, is_cut) = critical.paths(100);
        assert_eq!((paths.len(), is_cut), (100, true));
        assert!(critical.has("r40") && critical.has_step("r40", "x41"));
        assert!(!critical.has_step("x41", "r40"));
    }

    #[test]
    fn the_other_way_round_and_around_one() {
        let tasks = tasks("a b>a c>b d");
        let graph = Graph::new(tasks.iter().collect());
        assert_eq!(draw(&graph.forest(Direction::Dependents, 9)), "a -b --c d");
        assert_eq!(draw(&graph.forest(Direction::Dependents, 1)), "a -bTooDeep d");
        let around = graph.clone().around("b", Direction::Dependencies);
        assert_eq!(
            around.tasks.iter().map(|task| task.id.as_str()).collect::<String>(),
            "ba".chars().rev().collect::<String>()
        );
        assert_eq!(graph.around("b", Direction::Dependents).tasks.len(), 2);
    }

    #[test]
    fn who_is_a_part_of_whom() {
        let tasks = tasks("a b^a c^b d^gone e^f f^e");
        let tasks: Vec<&Task> = tasks.iter().collect();
        assert_eq!(draw(&parts(&tasks, 9)), "a -b --c dOrphan e -f --eCycle");
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let lines: Vec<String> = (1..20_000).map(|n| format!("t{n}>t{}", n + 1)).collect();
        let tasks = tasks(&lines.join(" "));
        let graph = Graph::new(tasks.iter().collect());
        assert_eq!(graph.critical().paths(1).0[0].len(), tasks.len());
        assert_eq!(graph.forest(Direction::Dependencies, usize::MAX).len(), tasks.len());
    }
}
