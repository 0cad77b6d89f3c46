//! Tasks written elsewhere: read as JSON or as a table, every bad one named, then given their ids.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use ralph_state::json::Position;
use ralph_state::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::agent::{self, AgentFault};
use crate::document::{Document, NewEntry, NewTask, ParseError, Places};
use crate::edit::{self, Edit, EditError, Spliced};
use crate::ids::IdRules;
use crate::journal::Gone;
use crate::queue::Queue;
use crate::task::{FORMER_IDS, Task};
use crate::validate::{self, Problem, Rules};
use crate::value::{Map, Value};

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// What can become a task, in order.
    pub rows: Vec<Row>,
    /// What cannot.
    pub bad: Vec<BadRow>,
    /// The headings of columns that no task has; what stands below them is in no row.
    pub unknown_columns: Vec<String>,
    /// The text that the spans of rows are in.
    text: String,
    /// Who had an id that nobody has now.
    gone: Gone,
}

/// One task to be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// Its place in the input, from 1.
    pub number: usize,
    /// The line it begins on, from 1.
    pub line: Option<usize>,
    /// What it will be; its id is a placeholder unless [`Row::has_id`].
    pub task: Task,
    /// Whether it came with an id.
    pub has_id: bool,
    /// What is only dubious about it, once it was checked.
    pub warnings: Vec<RowProblem>,
    /// Where it is in the text of the batch, if that is JSON.
    span: Option<Range<usize>>,
}

impl Row {
    /// What is dubious about it, in words.
    pub fn warning(&self) -> Option<String> {
        let Self { number, line, task, has_id, warnings, .. } = self;
        let whose = whose(has_id.then(|| task.id.as_str()), *line);
        (!warnings.is_empty()).then(|| format!("number {number}{whose}: {}", join(warnings)))
    }
}

/// One that is none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("number {number}{}: {}", whose(id.as_deref(), *line), join(problems))]
#[non_exhaustive]
pub struct BadRow {
    /// Its place in the input, from 1.
    pub number: usize,
    /// The line it begins on, from 1.
    pub line: Option<usize>,
    /// What it calls itself.
    pub id: Option<String>,
    /// All that is wrong with it.
    pub problems: Vec<RowProblem>,
    /// What of it could be read, so that the rest is looked at too.
    read: Option<NewTask>,
    /// Where it is in the text of the batch, if that is JSON.
    span: Option<Range<usize>>,
}

/// One thing that is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", place(*at))]
#[non_exhaustive]
pub struct RowProblem {
    /// Which field or column, if one.
    pub field: Option<String>,
    /// Where in the input, if it is known that well.
    pub at: Option<Position>,
    /// What is wrong, in words.
    pub message: String,
    /// The id is, or was, that of another task: under another id it may be none.
    pub is_taken: bool,
}

impl RowProblem {
    pub(crate) fn new(field: Option<&str>, message: impl Into<String>) -> Self {
        let field = field.map(str::to_owned);
        Self { field, at: None, message: message.into(), is_taken: false }
    }

    fn taken(message: String) -> Self {
        Self { is_taken: true, ..Self::new(Some("id"), message) }
    }
}

fn whose(id: Option<&str>, line: Option<usize>) -> String {
    match (id, line) {
        (Some(id), Some(line)) => format!(" (`{id}`, line {line})"),
        (Some(id), None) => format!(" (`{id}`)"),
        (None, Some(line)) => format!(" (line {line})"),
        (None, None) => String::new(),
    }
}

fn place(at: Option<Position>) -> String {
    at.map_or_else(String::new, |Position { line, column }| {
        format!(" (line {line}, column {column})")
    })
}

fn join(problems: &[RowProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What becomes of the ids that tasks come with. An id that an earlier task of the batch has is
/// taken; what names it means that one. One that was given before and that nobody has now is taken
/// by the task that had it, and free for that one alone; where the journal has forgotten it, a
/// task that says when it was created is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenIds {
    /// They are names by which the tasks of one batch refer to each other; each gets a new one. One
    /// that two have is refused.
    Replace,
    /// They stay; one that is taken is refused.
    Keep,
    /// They stay; a task whose id is taken is left out.
    SkipTaken,
    /// They stay; a task whose id is taken gets a new one, and those that name it follow.
    RenameTaken,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Added {
    /// The new tasks, in order.
    pub added: Vec<TaskId>,
    /// Ids that came with a task, and what they became.
    pub renamed: Vec<(TaskId, TaskId)>,
    /// Ids of tasks that were left out.
    pub skipped: Vec<TaskId>,
}

impl Batch {
    /// Reads JSON: one task, several after each other, a list of them, or a queue file's
    /// `{"tasks": [...]}`. Only `title` is needed.
    pub fn from_json(text: &str) -> Result<Self, ParseError> {
        let mut batch = Self { text: text.to_owned(), ..Self::default() };
        for (number, entry) in (1..).zip(Document::parse_new(text)?) {
            batch.take(number, Some(entry.line), entry.into());
        }
        Ok(batch)
    }

    /// The names of fields that no task has, each once. They are kept, and may be mistyped.
    pub fn unknown_fields(&self) -> BTreeSet<String> {
        let of = |row: &Row| {
            // A table has a column for them.
            let own = row.task.extra.keys().filter(|_| row.span.is_some()).cloned();
            let faults = row.task.agent.iter().flat_map(agent::faults);
            let below = faults.filter(AgentFault::is_unknown).map(|fault| fault.field);
            own.chain(below).collect::<Vec<_>>()
        };
        self.rows.iter().flat_map(of).collect()
    }

    /// Tells tasks that are gone from others that come with their ids.
    #[must_use]
    pub fn knowing(self, gone: Gone) -> Self {
        Self { gone, ..self }
    }

    /// Makes tasks of their fields.
    pub(crate) fn from_fields(rows: impl Iterator<Item = Cells>) -> Self {
        let mut batch = Self::default();
        for (number, cells) in (1..).zip(rows) {
            batch.take(number, cells.line, cells.into());
        }
        batch
    }

    fn take(&mut self, number: usize, line: Option<usize>, read: ReadRow) {
        let ReadRow { new, problems, span } = read;
        let id = new.as_ref().and_then(|new| new.id.clone());
        match new {
            Some(NewTask { task, has_id, .. }) if problems.is_empty() => {
                self.rows.push(Row { number, line, task, has_id, warnings: Vec::new(), span });
            }
            read => self.bad.push(BadRow { number, line, id, problems, read, span }),
        }
    }

    /// Finds all that [`Self::add`] would refuse and all that would break a rule, in good rows,
    /// which become bad, and in bad ones, as far as they can be read.
    pub fn check(
        &mut self,
        queue: &Queue,
        given: GivenIds,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<(), EditError> {
        let mut rows = self.rows.clone();
        rows.extend(self.bad.iter().filter_map(BadRow::as_far_as_read));
        rows.sort_by_key(|row| row.number);
        let tried = trial(self.trying(rows), queue, given, rules, now)?;
        self.blame(tried);
        Ok(())
    }

    /// Makes those rows bad that cannot be added without those that are bad, and says whether
    /// there were any. Rows that name one of those may be bad then, too.
    pub fn sift(
        &mut self,
        queue: &Queue,
        given: GivenIds,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<bool, EditError> {
        let tried = trial(self.trying(self.rows.clone()), queue, given, rules, now)?;
        let is_any = !tried.errors.is_empty();
        self.blame(tried);
        Ok(is_any)
    }

    fn trying(&self, rows: Vec<Row>) -> Self {
        Self { rows, gone: self.gone.clone(), ..Self::default() }
    }

    /// Notes what is wrong with rows, by their numbers.
    fn blame(&mut self, Tried { mut errors, mut warnings }: Tried) {
        let places = Places::new(&self.text);
        let of = |found: &mut Found, number: usize, span: &Option<Range<usize>>| {
            let mut problems = found.remove(&number)?;
            for problem in &mut problems {
                problem.at = span.as_ref().map(|span| {
                    let field = problem.field.as_deref().unwrap_or_default();
                    let (line, column) = places.of(span, field);
                    Position { line, column }
                });
            }
            Some(problems)
        };
        for row in &mut self.bad {
            let problems = of(&mut errors, row.number, &row.span).unwrap_or_default();
            // What a field that cannot be read was replaced with says nothing about the field.
            let is_known =
                |field: &Option<String>| row.problems.iter().any(|known| known.field == *field);
            let news: Vec<RowProblem> =
                problems.into_iter().filter(|problem| !is_known(&problem.field)).collect();
            row.problems.extend(news);
        }
        for mut row in std::mem::take(&mut self.rows) {
            match of(&mut errors, row.number, &row.span) {
                None => {
                    row.warnings = of(&mut warnings, row.number, &row.span).unwrap_or_default();
                    self.rows.push(row);
                }
                Some(problems) => {
                    let Row { number, line, task, has_id, span, .. } = row;
                    let id = has_id.then(|| task.id.to_string());
                    let read = Some(NewTask { id: id.clone(), task, has_id });
                    self.bad.push(BadRow { number, line, id, problems, read, span });
                }
            }
        }
        self.bad.sort_by_key(|row| row.number);
    }

    /// Adds the good rows at `position`, in their order.
    ///
    /// With [`GivenIds::Keep`] an id that is taken or spent is an error, and the edit is not to be
    /// saved.
    /// Unless the ids are replaced, the tasks are those of another queue, which may have what
    /// [`Queue::validate`] only warns of.
    pub fn add(
        self,
        edit: &mut Edit<'_>,
        given: GivenIds,
        ids: &IdRules,
        position: &edit::Position,
    ) -> Result<Added, EditError> {
        let Placed { added, ambiguous, .. } = self.place(edit, given, ids, position)?;
        ambiguous.into_iter().next().map_or(Ok(added), |(_, refusal)| Err(refusal))
    }

    /// [`Self::add`], with all that it refuses in what the rows name.
    fn place(
        self,
        edit: &mut Edit<'_>,
        given: GivenIds,
        ids: &IdRules,
        position: &edit::Position,
    ) -> Result<Placed, EditError> {
        if given != GivenIds::Replace {
            edit.admit_warnings();
        }
        let mut placed = Placed::default();
        let added = &mut placed.added;
        let mut rows = Vec::new();
        let taken = Taken::of(edit, ids, &self.gone);
        let mut highest = 0;
        let mut firsts = BTreeSet::new();
        for row in self.rows {
            let is_twin = row.has_id && !firsts.insert(row.task.id.clone());
            let refusal = taken.refusal(&row.task).filter(|_| row.has_id);
            let is_taken = is_twin || refusal.is_some();
            let keeps = match given {
                GivenIds::Keep if is_taken => {
                    return Err(refusal.unwrap_or(EditError::IdTaken { id: row.task.id }));
                }
                GivenIds::Replace if is_twin => {
                    return Err(EditError::IdTaken { id: row.task.id });
                }
                GivenIds::Replace => false,
                GivenIds::SkipTaken if is_taken => {
                    added.skipped.push(row.task.id);
                    continue;
                }
                _ => row.has_id && !is_taken,
            };
            if keeps {
                highest = ids.number_of(row.task.id.as_str()).unwrap_or(0).max(highest);
            }
            rows.push((row, keeps, is_twin));
        }
        edit.raise_high_water(highest);
        let mut renamed = BTreeMap::new();
        let named: BTreeSet<String> =
            rows.iter().flat_map(|(row, ..)| row.task.references()).map(str::to_owned).collect();
        for (row, _, is_twin) in rows.iter_mut().filter(|(_, keeps, _)| !keeps) {
            let mut id = edit.spend_id(ids)?;
            // Who names an id that nobody has does not mean this task.
            while named.contains(id.as_str()) {
                id = edit.spend_id(ids)?;
            }
            let name = std::mem::replace(&mut row.task.id, id.clone());
            // Here it never had another id: that may be one of a task that is there, or was.
            row.task.custom_fields.remove(FORMER_IDS);
            if row.has_id {
                added.renamed.push((name.clone(), id.clone()));
            }
            if row.has_id && !*is_twin {
                renamed.insert(name, id);
            }
        }
        for (row, ..) in &mut rows {
            // What a row came with means that row.
            row.task.follow(&renamed);
            let refusals = row.task.references().filter_map(|id| edit.unambiguous(id).err());
            placed.ambiguous.extend(refusals.map(|refusal| (row.number, refusal)));
        }
        let (first, side) = edit.place_at(position)?;
        for (index, (row, ..)) in (first..).zip(rows) {
            added.added.push(row.task.id.clone());
            placed.numbers.push(row.number);
            edit.insert_new(row.task, (index, side));
        }
        Ok(placed)
    }
}

impl BadRow {
    fn as_far_as_read(&self) -> Option<Row> {
        let NewTask { task, has_id, .. } = self.read.clone()?;
        let span = self.span.clone();
        let (number, line) = (self.number, self.line);
        Some(Row { number, line, task, has_id, warnings: Vec::new(), span })
    }
}

/// What came of adding rows.
#[derive(Default)]
struct Placed {
    added: Added,
    /// The numbers of the rows that were added.
    numbers: Vec<usize>,
    /// Those of rows that name others by an id that several tasks have.
    ambiguous: Vec<(usize, EditError)>,
}

/// The ids that new tasks cannot have.
struct Taken<'a> {
    known: HashSet<&'a str>,
    /// The highest number given before.
    given: u64,
    ids: &'a IdRules,
    gone: &'a Gone,
}

impl<'a> Taken<'a> {
    fn of(edit: &'a mut Edit<'_>, ids: &'a IdRules, gone: &'a Gone) -> Self {
        let given = edit.highest_given(ids);
        Self { known: edit.known_ids().collect(), given, ids, gone }
    }

    /// Why `task` cannot have the id that it came with.
    fn refusal(&self, task: &Task) -> Option<EditError> {
        let id = task.id.clone();
        if self.known.contains(id.as_str()) {
            return Some(EditError::IdTaken { id });
        }
        let is_given = |number: u64| {
            number <= self.given && self.ids.id(number).is_ok_and(|given| given == id)
        };
        let number = self.ids.number_of(id.as_str());
        let was_given = self.gone.remembers(&id) || number.is_some_and(is_given);
        (was_given && !self.gone.has(task)).then_some(EditError::IdSpent { id })
    }
}

/// Problems of rows, by their numbers.
type Found = BTreeMap<usize, Vec<RowProblem>>;

/// What is wrong with rows once they stand in the queue.
#[derive(Default)]
struct Tried {
    errors: Found,
    warnings: Found,
}

fn trial(
    mut batch: Batch,
    queue: &Queue,
    given: GivenIds,
    rules: &Rules,
    now: Timestamp,
) -> Result<Tried, EditError> {
    let mut tried = Tried::default();
    if matches!(given, GivenIds::Keep | GivenIds::Replace) {
        let mut firsts: BTreeMap<TaskId, usize> = BTreeMap::new();
        for row in batch.rows.iter_mut().filter(|row| row.has_id) {
            let first = *firsts.entry(row.task.id.clone()).or_insert(row.number);
            if first != row.number {
                let message = format!("number {first} has the id `{}` too", row.task.id);
                let problem = RowProblem::taken(message);
                tried.errors.entry(row.number).or_default().push(problem);
                // Under another one it shows what else is wrong with it.
                row.has_id = false;
            }
        }
    }
    let mut edit = Edit::new(queue, now);
    edit.raise_high_water(rules.ids.high_water);
    if given == GivenIds::Keep {
        let taken = Taken::of(&mut edit, &rules.ids, &batch.gone);
        for row in batch.rows.iter_mut().filter(|row| row.has_id) {
            if let Some(refusal) = taken.refusal(&row.task) {
                let problem = RowProblem::taken(refusal.to_string());
                tried.errors.entry(row.number).or_default().push(problem);
                row.has_id = false;
            }
        }
    }
    if given != GivenIds::Replace {
        for row in batch.rows.iter().filter(|row| row.has_id) {
            const MOST: u64 = IdRules::HIGHEST_BROUGHT;
            let number = rules.ids.number_of(row.task.id.as_str());
            if let Some(number) = number.filter(|number| *number > MOST) {
                let message = format!("the number of the id is above {MOST}: {number}");
                let problem = RowProblem::new(Some("id"), message);
                tried.errors.entry(row.number).or_default().push(problem);
            }
        }
    }
    let smuggled = |row: &Row| (row.number, validate::smuggled(&row.task));
    let smuggled: Vec<_> = batch.rows.iter().map(smuggled).collect();
    let Placed { added, numbers, ambiguous } =
        batch.place(&mut edit, given, &rules.ids, &edit::Position::Back)?;
    for (number, refusal) in ambiguous {
        let problem = RowProblem::new(None, refusal.to_string());
        tried.errors.entry(number).or_default().push(problem);
    }
    let numbers: BTreeMap<TaskId, usize> = added.added.into_iter().zip(numbers).collect();
    let bar = edit.bar();
    let Spliced { queue: after, done } = edit.splice().map_err(EditError::Splice)?;
    let after = after.as_ref().unwrap_or(queue.document());
    let done = done.as_ref().unwrap_or(queue.done_document());
    let problems = validate::documents(after, done, rules);
    let of = |problem: &Problem| numbers.get(problem.task.as_ref()?).copied();
    let in_row = |problem: Problem| RowProblem::new(problem.field.as_deref(), problem.message);
    for problem in problems.iter().filter(|problem| !bar.keeps_out(problem)) {
        if let Some(number) = of(problem) {
            tried.warnings.entry(number).or_default().push(in_row(problem.clone()));
        }
    }
    for problem in validate::added_errors((queue, rules), ([after, done], problems), bar) {
        // A circle is told of one of its tasks, which may be an old one.
        if let Some(number) = of(&problem).or(numbers.values().next().copied()) {
            tried.errors.entry(number).or_default().push(in_row(problem));
        }
    }
    for (number, found) in smuggled {
        for (field, message) in found {
            let problems = tried.errors.entry(number).or_default();
            if problems.iter().all(|known| known.message != message) {
                problems.push(RowProblem::new(Some(&field), message));
            }
        }
    }
    Ok(tried)
}

/// What a row of a table says, as far as it could be read.
#[derive(Default)]
pub(crate) struct Cells {
    pub(crate) line: Option<usize>,
    pub(crate) fields: Map,
    pub(crate) problems: Vec<RowProblem>,
}

/// A row that was read, as far as that was possible.
struct ReadRow {
    new: Option<NewTask>,
    problems: Vec<RowProblem>,
    span: Option<Range<usize>>,
}

impl From<NewEntry> for ReadRow {
    fn from(entry: NewEntry) -> Self {
        let problem = |problem: Problem| RowProblem {
            field: problem.field,
            at: Some(Position { line: problem.line, column: problem.column }),
            message: problem.message,
            is_taken: false,
        };
        Self {
            new: entry.new,
            problems: entry.problems.into_iter().map(problem).collect(),
            span: Some(entry.span),
        }
    }
}

impl From<Cells> for ReadRow {
    fn from(Cells { fields, mut problems, .. }: Cells) -> Self {
        // A line that is no row.
        if fields.is_empty() && !problems.is_empty() {
            return Self { new: None, problems, span: None };
        }
        // In a list, or a field `tasks` would be taken for those of a queue file.
        let row = Value::from(vec![Value::Object(fields)]);
        let read = Document::parse_new(&row.to_string());
        match read.map(|mut entries| entries.pop()) {
            Ok(entry) => {
                let read = entry.map(Self::from);
                let (new, shape) =
                    read.map_or((None, Vec::new()), |read| (read.new, read.problems));
                // Their places are those in a text that nobody has seen.
                let shape = shape.into_iter().map(|problem| RowProblem { at: None, ..problem });
                problems.extend(shape);
                Self { new, problems, span: None }
            }
            Err(error) => {
                problems.push(RowProblem::new(None, error.to_string()));
                Self { new: None, problems, span: None }
            }
        }
    }
}
