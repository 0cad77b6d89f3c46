//! What is wrong with a queue: every problem at once, each with its place.

mod fields;
mod graph;

use std::collections::{BTreeMap, BTreeSet};
use std::{fmt, iter};

use ralph_state::TaskId;
use serde::Serialize;

use crate::document::{Document, Lenient, ParseError, Places};
use crate::ids::IdRules;
use crate::mend::Whole;
use crate::queue::{Place, Queue, Shared};
use crate::task::{Glance, Status, Task};
use graph::Relations;

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

/// The rule that is broken. Its `Display` and its JSON are one word, such as `duplicate_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The file is none that can be read as a queue: all that is told of it.
    Unreadable,
    /// A value of another kind than its field has.
    WrongType,
    /// The version of the file is missing, or no number.
    Version,
    /// A key is in one object twice.
    DuplicateKey,
    /// A field that each task needs is missing.
    MissingField,
    /// An id without the form that the rules want.
    IdFormat,
    /// Two tasks have one id: an error, unless one of them is rejected.
    DuplicateId,
    /// A rest of a move to the done file, see [`crate::Queue::leftovers`].
    LeftBehind,
    /// A title or an entry of a list without a letter.
    Blank,
    /// The name of a custom field is blank or has a blank.
    CustomFieldName,
    /// A control character in a field of one line.
    ControlCharacter,
    /// One in a text of several lines.
    ControlInText,
    /// A task of the done file that has not ended.
    NotFinished,
    /// A time that is none.
    BadTime,
    /// A time in another zone than UTC.
    NotUtc,
    /// A number that is too low or too high.
    OutOfRange,
    /// A field names a task that is nowhere: a warning for the parent, else an error.
    UnknownTask,
    /// A field names the task itself: likewise.
    SelfReference,
    /// A task depends on a rejected one, which counts as finished.
    RejectedDependency,
    /// A task repeats one that has ended.
    DuplicatesFinished,
    /// Tasks that depend on, block or are above themselves.
    Cycle,
    /// Open tasks that wait for each other, by what they depend on and what blocks them.
    Deadlock,
    /// A chain of dependencies longer than the rules like.
    DeepDependencies,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One thing that is wrong. Its `Display` says what; where is in the fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// The rule that is broken.
    pub code: Code,
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

impl Problem {
    fn spot(&self) -> (Place, usize, usize, Option<String>) {
        (self.place, self.line, self.column, self.field.clone())
    }
}

/// Every problem of two texts, of shape and of sense, even where [`crate::Document::parse`] would
/// give up. What cannot be read is left out when the rest is checked.
pub fn texts(queue: &str, done: Option<&str>, rules: &Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut read = |text: &str, place| match Document::parse_leniently(text.to_owned(), place) {
        Ok(Lenient { document, problems: shape, nameless }) => {
            problems.extend(shape);
            let places = Places::new(text);
            for (task, span) in nameless {
                fields::all_but_id(&task, place, &mut |fault| {
                    let at = places.of(&span, &fault.field);
                    problems.push(fault.at(place, at, None));
                });
            }
            Some(document)
        }
        Err(ParseError::Shape { problems: shape }) => {
            problems.extend(shape);
            None
        }
        Err(error) => {
            problems.push(unreadable(place, &error));
            None
        }
    };
    let queue = read(queue, Place::Queue);
    let done = match done {
        Some(done) => read(done, Place::Done),
        None => Some(Document::empty()),
    };
    // What a field of the wrong kind was replaced with says nothing about the field, and it may be
    // told as missing besides.
    let mut known = BTreeSet::new();
    problems.retain(|problem| known.insert(problem.spot()));
    // Without all tasks of one file, those of the other would seem to name what is not there.
    if let (Some(queue), Some(done)) = (queue, done) {
        let problems_of_sense = documents(&queue, &done, rules).into_iter();
        problems.extend(problems_of_sense.filter(|problem| !known.contains(&problem.spot())));
    }
    sort(&mut problems);
    problems
}

/// A file of which nothing can be made, as a problem.
fn unreadable(place: Place, error: &ParseError) -> Problem {
    let (line, column, message) = match error {
        ParseError::Syntax { line, column, message } => (*line, *column, message.clone()),
        ParseError::NotUtf8 { line, column } => (*line, *column, "not UTF-8".to_owned()),
        ParseError::ConflictMarkers { line } => (*line, 1, "conflict markers of git".to_owned()),
        other => (1, 1, other.to_string()),
    };
    Problem {
        severity: Severity::Error,
        code: Code::Unreadable,
        place,
        task: None,
        field: None,
        line,
        column,
        message,
    }
}

/// Whether nothing is wrong with a task by itself, but perhaps with its id.
pub(crate) fn is_sound<W: AsRef<str>>(task: &Task<W>, place: Place) -> bool {
    let mut is_sound = true;
    fields::all_but_id(task, place, &mut |_| is_sound = false);
    is_sound
}

/// Every problem of two documents.
pub(crate) fn documents(queue: &Document, done: &Document, rules: &Rules) -> Vec<Problem> {
    let mut faults = Vec::new();
    let tasks = located(queue, done);
    let mut relations = Vec::new();
    for (at, located) in tasks.iter().enumerate() {
        fields::id(located, &rules.ids, &mut |fault| faults.push((at, fault)));
    }
    let is_sound = |located: &Located<'_>| located.document.is_sound(located.index);
    let is_wanted =
        |located: &Located<'_>| !is_sound(located) || located.document.is_related(located.index);
    for (at, task) in glances(queue, done, &tasks, is_wanted) {
        let located = &tasks[at];
        if !located.left && !is_sound(located) {
            fields::all_but_id(&task, located.place, &mut |fault| faults.push((at, fault)));
        }
        relations.extend(Relations::of(at, task));
    }
    let depth = rules.max_dependency_depth;
    graph::check(&tasks, &relations, depth, &mut |at, fault| faults.push((at, fault)));
    if faults.is_empty() {
        return Vec::new();
    }
    let places = [Places::new(queue.text()), Places::new(done.text())];
    let spot = |at: usize, field: &str| {
        let Located { place, index, document, .. } = tasks[at];
        let places = match place {
            Place::Queue => &places[0],
            Place::Done => &places[1],
        };
        places.of(&document.span(index), field)
    };
    let problem = |(at, mut fault): (usize, Fault)| {
        if let Some(other) = fault.other {
            let (line, _) = spot(other, &fault.field);
            let file = tasks[other].place.as_str();
            fault.message =
                format!("{} (the other: line {line} of the {file} file)", fault.message);
        }
        let spot = spot(at, &fault.field);
        fault.at(tasks[at].place, spot, tasks[at].id().parse().ok())
    };
    let mut problems: Vec<Problem> = faults.into_iter().map(problem).collect();
    sort(&mut problems);
    problems
}

/// What is wrong with a task only because it comes from elsewhere: field and message.
pub(crate) fn smuggled(task: &Task) -> Vec<(String, String)> {
    fields::smuggled(task)
}

/// What an edit may not bring in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bar {
    /// Errors.
    Errors,
    /// And control characters, which only what was written elsewhere may have.
    ErrorsAndControls,
    /// And a parent that a task cannot have, which only time, or who edits the file, may bring.
    ErrorsAndSlips,
}

impl Bar {
    fn bars(self, severity: Severity, code: Code) -> bool {
        severity == Severity::Error
            || match self {
                Self::Errors => false,
                Self::ErrorsAndControls => code == Code::ControlCharacter,
                Self::ErrorsAndSlips => {
                    [Code::ControlCharacter, Code::UnknownTask, Code::SelfReference].contains(&code)
                }
            }
    }

    /// Whether a problem may not be brought in.
    pub(crate) fn keeps_out(self, problem: &Problem) -> bool {
        self.bars(problem.severity, problem.code)
    }
}

/// What makes a problem the same before and after an edit: task, rule and field.
type Key = (Option<TaskId>, Code, String);

/// What may not be brought in: such problems of the documents after an edit that are not among
/// those of `before`, each as often as it is there more. A task that got another id has those that
/// it had. Nor is it brought in what shows once `before` is put in order: a cycle behind an id of
/// several tasks, say.
pub(crate) fn added_errors(
    (before, rules): (&Queue, &Rules),
    (documents, mut after): ([&Document; 2], Vec<Problem>),
    bar: Bar,
) -> Vec<Problem> {
    after.retain(|problem| bar.keeps_out(problem));
    if after.is_empty() {
        return after;
    }
    let key = |had: &BTreeMap<TaskId, TaskId>, problem: &Problem| -> Key {
        let field = problem.field.as_deref().unwrap_or("");
        let name = field.split('[').next().unwrap_or(field);
        let task = problem.task.as_ref().map(|id| had.get(id).unwrap_or(id).clone());
        (task, problem.code, name.to_owned())
    };
    let whole = Whole::of(before, &rules.ids, 0).ok().flatten();
    let mut known: BTreeMap<Key, usize> = BTreeMap::new();
    for queue in iter::once(before).chain(whole.as_ref().map(|whole| &whole.queue)) {
        let had = ids_before(before, [queue.document(), queue.done_document()]);
        let mut counts: BTreeMap<Key, usize> = BTreeMap::new();
        for problem in queue.validate(rules) {
            *counts.entry(key(&had, &problem)).or_default() += 1;
        }
        for (key, count) in counts {
            let known = known.entry(key).or_default();
            *known = count.max(*known);
        }
    }
    let had = ids_before(before, documents);
    after.retain(|problem| match known.get_mut(&key(&had, problem)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    after
}

/// The ids that tasks had before an edit gave them others, by those.
fn ids_before(before: &Queue, after: [&Document; 2]) -> BTreeMap<TaskId, TaskId> {
    let known: BTreeSet<&str> =
        before.document().ids().chain(before.done_document().ids()).collect();
    let renamed = after.into_iter().flat_map(|document| {
        let is_new =
            |index: &usize| document.is_renamed(*index) && !known.contains(document.id(*index));
        (0..document.len()).filter(is_new).map(|index| document.task(index))
    });
    let old = |task: &Task| task.former_ids().filter(|id| known.contains(id)).last()?.parse().ok();
    renamed.filter_map(|task| Some((task.id.clone(), old(task)?))).collect()
}

fn sort(problems: &mut [Problem]) {
    problems.sort_by_key(|problem| (problem.place, problem.line, problem.column));
}

/// Whether two documents have nothing that the bar keeps out. Tasks that were found to be sound
/// as they were read are not looked at again.
pub(crate) fn is_free_of_errors(
    queue: &Document,
    done: &Document,
    rules: &Rules,
    bar: Bar,
) -> bool {
    let tasks = located(queue, done);
    let mut is_free = true;
    let mut see = |fault: Fault| is_free &= !bar.bars(fault.severity, fault.code);
    for located in &tasks {
        fields::id(located, &rules.ids, &mut see);
    }
    let is_sound = |located: &Located<'_>| located.document.is_sound(located.index);
    let is_wanted =
        |located: &Located<'_>| !is_sound(located) || located.document.is_related(located.index);
    let mut relations = Vec::new();
    for (at, task) in glances(queue, done, &tasks, is_wanted) {
        let located = &tasks[at];
        if !located.left && !is_sound(located) {
            fields::all_but_id(&task, located.place, &mut see);
        }
        relations.extend(Relations::of(at, task));
    }
    graph::check(&tasks, &relations, rules.max_dependency_depth, &mut |_, fault| see(fault));
    is_free
}

fn located<'a>(queue: &'a Document, done: &'a Document) -> Vec<Located<'a>> {
    let Shared { leftovers, .. } = Shared::of(queue, done);
    let mut tasks = Vec::with_capacity(queue.len() + done.len());
    for (place, document) in [(Place::Queue, queue), (Place::Done, done)] {
        for index in 0..document.len() {
            let left = place == Place::Queue && leftovers.binary_search(&index).is_ok();
            tasks.push(Located { place, document, index, left });
        }
    }
    tasks
}

/// Those of `tasks` that are wanted, with their places among them.
fn glances<'a>(
    queue: &'a Document,
    done: &'a Document,
    tasks: &[Located<'a>],
    is_wanted: impl Fn(&Located<'a>) -> bool,
) -> impl Iterator<Item = (usize, Glance<'a>)> {
    let (open, ended) = tasks.split_at(queue.len());
    let wanted = |tasks: &[Located<'a>]| -> Vec<usize> {
        tasks.iter().filter(|located| is_wanted(located)).map(|located| located.index).collect()
    };
    let ended = done.glances(wanted(ended)).map(|(index, task)| (queue.len() + index, task));
    queue.glances(wanted(open)).chain(ended)
}

/// A task, by where it is.
#[derive(Clone, Copy)]
struct Located<'a> {
    place: Place,
    document: &'a Document,
    index: usize,
    /// It is a rest of a move to the done file, see [`crate::Queue::leftovers`].
    left: bool,
}

impl<'a> Located<'a> {
    fn task(self) -> &'a Task {
        self.document.task(self.index)
    }

    fn id(self) -> &'a str {
        self.document.id(self.index)
    }

    fn status(self) -> Status {
        self.document.status(self.index)
    }
}

/// A problem without its place.
struct Fault {
    severity: Severity,
    code: Code,
    field: String,
    message: String,
    /// Another task that it is about, by where it is among all: its line is told, too.
    other: Option<usize>,
}

impl Fault {
    fn at(self, place: Place, (line, column): (usize, usize), task: Option<TaskId>) -> Problem {
        let Self { severity, code, field, message, other: _ } = self;
        Problem { severity, code, place, task, field: Some(field), line, column, message }
    }
}

fn error(code: Code, field: impl Into<String>, message: impl Into<String>) -> Fault {
    let (field, message) = (field.into(), message.into());
    Fault { severity: Severity::Error, code, field, message, other: None }
}

fn warning(code: Code, field: impl Into<String>, message: impl Into<String>) -> Fault {
    Fault { severity: Severity::Warning, ..error(code, field, message) }
}
