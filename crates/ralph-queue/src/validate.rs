//! What is wrong with a queue: every problem at once, each with its place.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ralph_state::{TaskId, Timestamp};

use crate::document::{Document, Lines, ParseError};
use crate::ids::IdRules;
use crate::queue::{Place, leftovers};
use crate::task::{Status, Task};

/// What to check against.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What ids look like.
    pub ids: IdRules,
    /// Chains of dependencies longer than this are a warning; 0.4.0 has 10.
    pub max_dependency_depth: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { ids: IdRules::default(), max_dependency_depth: 10 }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a look; everything works.
    Warning,
    /// The file breaks a rule.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that is wrong. Its `Display` says what; where is in the fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// A word for the rule that is broken, such as `duplicate_id`.
    pub code: &'static str,
    /// Which file.
    pub place: Place,
    /// Which task, when it has an id.
    pub task: Option<TaskId>,
    /// Which field, if one; with its index when it is an entry of a list, as `tags[2]`.
    pub field: Option<String>,
    /// The line in that file, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, in words.
    pub message: String,
}

/// Every problem of two texts, of shape and of sense, even where [`crate::Document::parse`] would
/// give up. What cannot be read is left out when the rest is checked.
///
/// Errors: which text cannot be read at all.
pub fn texts(
    queue: &str,
    done: Option<&str>,
    rules: &Rules,
) -> Result<Vec<Problem>, (Place, ParseError)> {
    let read = |text: &str, place| {
        Document::parse_leniently(text.to_owned(), place).map_err(|error| (place, error))
    };
    let (queue, mut problems) = read(queue, Place::Queue)?;
    let (done, done_problems) = match done {
        Some(done) => read(done, Place::Done)?,
        None => (Document::empty(), Vec::new()),
    };
    problems.extend(done_problems);
    problems.extend(documents(&queue, &done, rules));
    problems.sort_by_key(|problem| (problem.place, problem.line, problem.column));
    Ok(problems)
}

/// Every problem of two documents.
pub(crate) fn documents(queue: &Document, done: &Document, rules: &Rules) -> Vec<Problem> {
    let leftovers = leftovers(queue, done);
    let all: Vec<Located<'_>> = [(Place::Queue, queue), (Place::Done, done)]
        .into_iter()
        .flat_map(|(place, document)| {
            document.tasks().iter().enumerate().map(move |(index, task)| Located {
                place,
                index,
                task,
            })
        })
        .collect();
    let mut checker = Checker { rules, all, by_id: HashMap::new(), found: Vec::new() };
    checker.index(&leftovers);
    checker.fields();
    checker.references();
    checker.graph();
    checker.problems(queue, done)
}

/// A task and where it is.
#[derive(Clone, Copy)]
struct Located<'a> {
    place: Place,
    index: usize,
    task: &'a Task,
}

struct Found {
    /// Index into `Checker::all`.
    at: usize,
    severity: Severity,
    code: &'static str,
    field: String,
    message: String,
}

struct Checker<'a> {
    rules: &'a Rules,
    all: Vec<Located<'a>>,
    /// What a reference means: the first task with the id, one that is not rejected before one
    /// that is.
    by_id: HashMap<&'a str, usize>,
    found: Vec<Found>,
}

impl<'a> Checker<'a> {
    fn report(
        &mut self,
        at: usize,
        severity: Severity,
        code: &'static str,
        field: &str,
        message: String,
    ) {
        self.found.push(Found { at, severity, code, field: field.to_owned(), message });
    }

    fn error(&mut self, at: usize, code: &'static str, field: &str, message: String) {
        self.report(at, Severity::Error, code, field, message);
    }

    fn index(&mut self, leftovers: &[usize]) {
        for at in 0..self.all.len() {
            let Located { place, index, task } = self.all[at];
            if place == Place::Queue && leftovers.binary_search(&index).is_ok() {
                let message = format!(
                    "`{}` is finished and in the done file, too; the next change removes it here",
                    task.id
                );
                self.report(at, Severity::Warning, "left_behind", "id", message);
                continue;
            }
            match self.by_id.entry(task.id.as_str()) {
                Entry::Vacant(entry) => {
                    entry.insert(at);
                }
                // Rejected tasks may share an id, as in 0.4.0.
                Entry::Occupied(mut entry) => {
                    let first = self.all[*entry.get()];
                    if first.task.status == Status::Rejected {
                        entry.insert(at);
                    } else if task.status != Status::Rejected {
                        let message = format!(
                            "the id `{}` is taken by another task in the {} file",
                            task.id,
                            first.place.as_str()
                        );
                        self.error(at, "duplicate_id", "id", message);
                    }
                }
            }
        }
    }

    fn fields(&mut self) {
        for at in 0..self.all.len() {
            let Located { place, task, .. } = self.all[at];
            self.id(at, task);
            if task.title.trim().is_empty() {
                self.error(at, "blank", "title", "the title is blank".to_owned());
            } else if task.title.chars().any(char::is_control) {
                self.report(
                    at,
                    Severity::Warning,
                    "control_character",
                    "title",
                    "the title has control characters".to_owned(),
                );
            }
            for (name, list) in [
                ("tags", &task.tags),
                ("scope", &task.scope),
                ("evidence", &task.evidence),
                ("plan", &task.plan),
            ] {
                for (index, _) in
                    list.iter().enumerate().filter(|(_, entry)| entry.trim().is_empty())
                {
                    self.error(
                        at,
                        "blank",
                        &format!("{name}[{index}]"),
                        format!("an entry of `{name}` is blank"),
                    );
                }
            }
            for key in task.custom_fields.keys() {
                if key.is_empty() || key.contains(char::is_whitespace) {
                    let message = format!("the custom field `{key}` has a blank in its name");
                    self.error(at, "custom_field_name", &format!("custom_fields.{key}"), message);
                }
            }
            if place == Place::Done && !task.status.is_terminal() {
                self.error(
                    at,
                    "not_finished",
                    "status",
                    format!("a task in the done file is done or rejected, not {}", task.status),
                );
            }
            self.times(at, task);
            self.agent(at, task);
        }
    }

    fn id(&mut self, at: usize, task: &Task) {
        let (ids, id) = (&self.rules.ids, task.id.as_str());
        let digits = id.rsplit('-').next().unwrap_or(id);
        let wide =
            digits.len() == ids.width || (digits.len() > ids.width && !digits.starts_with('0'));
        if ids.number_of(id).is_none() || !wide {
            let message = format!(
                "the id is not `{}-` and a number of {} digits or more: `{id}`",
                ids.prefix, ids.width
            );
            self.error(at, "id_format", "id", message);
        }
    }

    fn times(&mut self, at: usize, task: &Task) {
        let times = [
            ("created_at", &task.created_at, true, true),
            ("updated_at", &task.updated_at, true, true),
            ("completed_at", &task.completed_at, task.status.is_terminal(), true),
            ("started_at", &task.started_at, false, false),
            ("scheduled_start", &task.scheduled_start, false, false),
        ];
        for (name, time, needed, utc) in times {
            let fault = match time {
                None if needed => Some(("missing_field", format!("`{name}` is missing"))),
                Some(time) if time.parse::<Timestamp>().is_err() => {
                    Some(("bad_time", format!("`{name}` is no RFC 3339 time: `{time}`")))
                }
                Some(time) if utc && !is_utc(time) => {
                    Some(("not_utc", format!("`{name}` is not in UTC: `{time}`")))
                }
                _ => None,
            };
            if let Some((code, message)) = fault {
                self.error(at, code, name, message);
            }
        }
    }

    fn agent(&mut self, at: usize, task: &Task) {
        match task.agent_overrides() {
            Ok(None) => {}
            Ok(Some(agent)) => {
                if agent.iterations == Some(0) {
                    self.error(
                        at,
                        "out_of_range",
                        "agent.iterations",
                        "`agent.iterations` is at least 1".to_owned(),
                    );
                }
                if agent.phases.is_some_and(|phases| !(1..=3).contains(&phases)) {
                    self.error(
                        at,
                        "out_of_range",
                        "agent.phases",
                        "`agent.phases` is 1, 2 or 3".to_owned(),
                    );
                }
            }
            Err(error) => self.error(
                at,
                "wrong_type",
                "agent",
                format!("`agent` has the wrong shape: {error}"),
            ),
        }
    }

    fn references(&mut self) {
        for at in 0..self.all.len() {
            let task = self.all[at].task;
            let lists = [
                ("depends_on", &task.depends_on),
                ("blocks", &task.blocks),
                ("relates_to", &task.relates_to),
            ];
            let entries = lists.into_iter().flat_map(|(name, ids)| {
                ids.iter()
                    .enumerate()
                    .map(move |(index, id)| (name, format!("{name}[{index}]"), id.as_str()))
            });
            let single =
                task.duplicates.as_deref().map(|id| ("duplicates", "duplicates".to_owned(), id));
            for (name, field, id) in entries.chain(single) {
                if id == task.id.as_str() {
                    self.error(
                        at,
                        "self_reference",
                        &field,
                        format!("`{name}` names the task itself"),
                    );
                    continue;
                }
                let Some(target) = self.by_id.get(id).map(|at| self.all[*at].task) else {
                    self.error(
                        at,
                        "unknown_task",
                        &field,
                        format!("`{name}` names `{id}`, which is in neither file"),
                    );
                    continue;
                };
                if name == "depends_on" && target.status == Status::Rejected {
                    let message =
                        format!("depends on `{id}`, which is rejected and counts as finished");
                    self.report(at, Severity::Warning, "rejected_dependency", &field, message);
                }
                if name == "duplicates" && target.status.is_terminal() {
                    let message = format!("repeats `{id}`, which is {}", target.status);
                    self.report(at, Severity::Warning, "duplicates_finished", &field, message);
                }
            }
            let Some(parent) = task.parent_id.as_deref() else { continue };
            if parent == task.id.as_str() {
                self.report(
                    at,
                    Severity::Warning,
                    "self_reference",
                    "parent_id",
                    "the task is its own parent".to_owned(),
                );
            } else if !self.by_id.contains_key(parent) {
                let message = format!("the parent `{parent}` is in neither file");
                self.report(at, Severity::Warning, "unknown_task", "parent_id", message);
            }
        }
    }

    /// Cycles and depth. References to nothing and to itself are reported elsewhere.
    fn graph(&mut self) {
        let edges = |ids: fn(&'a Task) -> &'a [String]| -> Vec<Vec<usize>> {
            let targets = |(at, located): (usize, &Located<'a>)| {
                let targets =
                    ids(located.task).iter().filter_map(|id| self.by_id.get(id.as_str()).copied());
                targets.filter(|target| *target != at).collect()
            };
            self.all.iter().enumerate().map(targets).collect()
        };
        let depends_on = edges(|task| &task.depends_on);
        let blocks = edges(|task| &task.blocks);
        let parents = edges(|task| task.parent_id.as_slice());
        // Open tasks that wait for each other, by what they depend on and by what blocks them.
        let open = |at: &usize| !self.all[*at].task.status.is_terminal();
        let mut waits: Vec<Vec<usize>> =
            depends_on.iter().map(|to| to.iter().copied().filter(open).collect()).collect();
        for (from, blocked) in blocks.iter().enumerate().filter(|(from, _)| open(from)) {
            blocked.iter().filter(|at| open(at)).for_each(|at| waits[*at].push(from));
        }
        let dependencies = walk(&depends_on);
        let blocking = walk(&blocks);
        let mixed = if dependencies.cycles.is_empty() && blocking.cycles.is_empty() {
            walk(&waits).cycles
        } else {
            Vec::new()
        };
        let cycles = [
            ("depends_on", "depends on itself", dependencies.cycles),
            ("blocks", "blocks itself", blocking.cycles),
            ("depends_on", "waits for itself", mixed),
            ("parent_id", "is its own ancestor", walk(&parents).cycles),
        ];
        for (field, what, cycles) in cycles {
            for cycle in cycles {
                let path = self.path(&cycle);
                let code = if what == "waits for itself" { "deadlock" } else { "cycle" };
                self.error(cycle[0], code, field, format!("{what}: {path}"));
            }
        }
        let mut needed = vec![false; self.all.len()];
        depends_on.iter().flatten().for_each(|at| needed[*at] = true);
        let limit = self.rules.max_dependency_depth;
        for at in (0..self.all.len()).filter(|at| !needed[*at]) {
            let depth = dependencies.depths[at];
            if depth > limit && !self.all[at].task.status.is_terminal() {
                let message = format!(
                    "{depth} tasks must be finished one after another before this one; the limit is {limit}"
                );
                self.report(at, Severity::Warning, "deep_dependencies", "depends_on", message);
            }
        }
    }

    /// The ids of a cycle, long ones cut short.
    fn path(&self, cycle: &[usize]) -> String {
        let mut ids: Vec<&str> = cycle.iter().map(|at| self.all[*at].task.id.as_str()).collect();
        ids.push(ids[0]);
        if ids.len() > 12 {
            ids.splice(6..ids.len() - 5, ["..."]);
        }
        ids.join(" -> ")
    }

    fn problems(self, queue: &Document, done: &Document) -> Vec<Problem> {
        if self.found.is_empty() {
            return Vec::new();
        }
        let lines = [Lines::new(queue.text()), Lines::new(done.text())];
        let problem = |found: &Found| {
            let Located { place, index, task } = self.all[found.at];
            let (document, lines) = match place {
                Place::Queue => (queue, &lines[0]),
                Place::Done => (done, &lines[1]),
            };
            let (line, column) = lines.position(document.locate(index, &found.field));
            Problem {
                severity: found.severity,
                code: found.code,
                place,
                task: Some(task.id.clone()),
                field: Some(found.field.clone()),
                line,
                column,
                message: found.message.clone(),
            }
        };
        let mut problems: Vec<Problem> = self.found.iter().map(problem).collect();
        problems.sort_by_key(|problem| (problem.place, problem.line, problem.column));
        problems
    }
}

/// RFC 3339 writes UTC as `Z` or as an offset of nothing.
fn is_utc(time: &str) -> bool {
    let time = time.trim();
    time.ends_with(['Z', 'z']) || time.ends_with("+00:00") || time.ends_with("-00:00")
}

struct Walk {
    /// For each edge that closes a cycle, the tasks on it.
    cycles: Vec<Vec<usize>>,
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
        Open,
        Closed,
    }
    let mut seen = vec![Seen::No; edges.len()];
    let mut walk = Walk { cycles: Vec::new(), depths: vec![0; edges.len()] };
    for root in 0..edges.len() {
        if seen[root] != Seen::No {
            continue;
        }
        seen[root] = Seen::Open;
        // A task, and how many of its edges have been taken.
        let mut stack = vec![(root, 0)];
        while let Some((at, taken)) = stack.last_mut() {
            let at = *at;
            if let Some(&to) = edges[at].get(*taken) {
                *taken += 1;
                match seen[to] {
                    Seen::No => {
                        seen[to] = Seen::Open;
                        stack.push((to, 0));
                    }
                    Seen::Open => {
                        let start = stack.iter().position(|(open, _)| *open == to).unwrap_or(0);
                        walk.cycles.push(stack[start..].iter().map(|(open, _)| *open).collect());
                    }
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
