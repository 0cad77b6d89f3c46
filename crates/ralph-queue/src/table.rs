//! Tasks as a table, CSV or TSV, that loses nothing: what is written is read again as it was.
//!
//! A cell is written as Ralph 0.4.0 does it where that can be read back: lists with `,` or `;`
//! between their entries, custom fields as `key=value`. Where it cannot, because an entry holds
//! the separator say, the cell is JSON.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;

use serde::de::IgnoredAny;

use crate::document::Lines;
use crate::intake::{Batch, Cells, RowProblem};
use crate::task::{Content, Field, Task};
use crate::value::{Map, Value};

/// The columns: those of 0.4.0 in its order, then those it loses.
const COLUMNS: &[&str] = &[
    "id",
    "title",
    "status",
    "priority",
    "tags",
    "scope",
    "evidence",
    "plan",
    "notes",
    "request",
    "created_at",
    "updated_at",
    "completed_at",
    "depends_on",
    "custom_fields",
    "parent_id",
    "description",
    "agent",
    "started_at",
    "estimated_minutes",
    "actual_minutes",
    "scheduled_start",
    "blocks",
    "relates_to",
    "duplicates",
    EXTRA,
];

/// The column of the fields that this version does not know, as one JSON object.
const EXTRA: &str = "extra";

/// What stands between two cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// CSV.
    Comma,
    /// TSV.
    Tab,
}

impl Separator {
    fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Tab => b'\t',
        }
    }
}

/// The table of these tasks, with a line of headings.
///
/// Errors: an entry cannot be written, which no task causes.
pub fn write<W: AsRef<str>>(
    tasks: impl IntoIterator<Item = impl Borrow<Task<W>>>,
    separator: Separator,
) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().delimiter(separator.byte()).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    let columns: Vec<_> = COLUMNS.iter().map(|column| (*column, Field::named(column))).collect();
    for task in tasks {
        let task = task.borrow();
        for (column, field) in &columns {
            let content = match field {
                Some(field) => task.content(*field),
                None => Some(Content::Object(&task.extra)),
            };
            let cell = content.map(|content| write_cell(column, content)).unwrap_or_default();
            writer.write_field(cell.as_ref())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8(bytes).expect("its cells are texts"))
}

/// The tasks of a table. Columns may stand in any order and be missing, but for `title`; the
/// case of a heading does not matter. Columns that no task has are passed over, and named.
///
/// Errors: the headings cannot be read, have no `title`, or have one twice.
pub fn read(text: &str, separator: Separator) -> Result<Batch, TableError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator.byte())
        .flexible(true)
        .from_reader(text.as_bytes());
    let headings = reader.headers()?.clone();
    let column = |heading: &str| {
        let heading = heading.trim();
        COLUMNS.iter().copied().find(|column| column.eq_ignore_ascii_case(heading))
    };
    let columns: Vec<Option<&str>> = headings.iter().map(column).collect();
    if !columns.contains(&Some("title")) {
        let found = headings.iter().map(str::to_owned).collect();
        return Err(TableError::NoTitle { found });
    }
    let known = columns.iter().flatten();
    if let Some(twice) =
        known.clone().find(|column| known.clone().filter(|c| c == column).count() > 1)
    {
        return Err(TableError::Twice { column: twice });
    }
    let unknown = headings.iter().filter(|heading| column(heading).is_none());
    let unknown = unknown.map(|heading| heading.trim().to_owned()).collect();
    let lines = Lines::new(text);
    let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>()?;
    let start = |record: &csv::StringRecord| {
        record.position().and_then(|position| usize::try_from(position.byte()).ok())
    };
    let ends = records.iter().skip(1).map(start).chain([Some(text.len())]);
    let rows = records.iter().zip(ends).map(|(record, end)| {
        let line = record.position().and_then(|position| line(text, &lines, position));
        let as_written = start(record).zip(end).and_then(|(start, end)| text.get(start..end));
        let problem = as_written.and_then(|row| {
            let problem = misquoted(row, separator)?;
            // What looks like rows of their own was read as part of this one.
            let more = row.trim_matches(['\r', '\n']).lines().count().saturating_sub(1);
            Some(match line.filter(|_| more > 0) {
                Some(line) => format!("{problem}; it takes in all up to line {}", line + more),
                None => problem,
            })
        });
        let Some(problem) = problem.or_else(|| misfit(record.len(), columns.len())) else {
            return Cells { line, ..read_row(&columns, record) };
        };
        // Which cells are whole nobody knows; the first ones at least say what is meant.
        let mut cells = read_row(&columns, record);
        cells.fields.retain(|name, _| ["id", "title"].contains(&name.as_str()));
        Cells { line, fields: cells.fields, problems: vec![RowProblem::new(None, problem)] }
    });
    let mut batch = Batch::from_fields(rows);
    batch.unknown_columns = unknown;
    Ok(batch)
}

/// What is wrong with the quotation marks of a row, which the reader takes as they come.
fn misquoted(row: &str, separator: Separator) -> Option<String> {
    let separator = char::from(separator.byte());
    let mut rest = row.trim_matches(['\r', '\n']);
    loop {
        let Some(cell) = rest.strip_prefix('"') else {
            rest = rest.split_once(separator)?.1;
            continue;
        };
        let Some(end) = closing(cell) else {
            return Some("a quotation mark opens a cell and nothing closes it".to_owned());
        };
        rest = &cell[end + 1..];
        if rest.is_empty() {
            return None;
        }
        let Some(next) = rest.strip_prefix(separator) else {
            return Some(
                "text stands behind the quotation mark that closes a cell; one before it may open a \
                 cell by mistake"
                    .to_owned(),
            );
        };
        rest = next;
    }
}

/// Where the quotation mark is that closes a cell; two stand for one within it.
fn closing(cell: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + cell[from..].find('"')?;
        if !cell[at + 1..].starts_with('"') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// That a row has too few cells or too many.
fn misfit(cells: usize, columns: usize) -> Option<String> {
    let likely = match cells.cmp(&columns) {
        Ordering::Equal => return None,
        Ordering::Less => "cells are missing, if only empty ones",
        Ordering::Greater => "a cell that has a separator in it stands in quotation marks",
    };
    Some(format!("the cells of the row are {cells}, the columns of the table {columns}: {likely}"))
}

/// The line that a row begins on. The place of one that the reader tells is that behind the end of
/// the row before, which may be in the middle of a line break or before empty lines.
fn line(text: &str, lines: &Lines<'_>, position: &csv::Position) -> Option<usize> {
    let at = usize::try_from(position.byte()).ok()?;
    let breaks = text.get(at..)?.bytes().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    Some(lines.position(at + breaks).0)
}

fn read_row(columns: &[Option<&str>], record: &csv::StringRecord) -> Cells {
    let mut cells = Cells::default();
    for (column, cell) in columns.iter().zip(record) {
        let Some(column) = column else { continue };
        match read_cell(column, cell) {
            Ok(Some(Value::Object(extra))) if *column == EXTRA => {
                if let Some(name) = extra.keys().find(|name| Field::named(name).is_some()) {
                    let message = format!("`{EXTRA}`: `{name}` has a column of its own");
                    cells.problems.push(RowProblem::new(Some(column), message));
                }
                cells.fields.extend(extra);
            }
            Ok(Some(value)) => {
                cells.fields.insert((*column).to_owned(), value);
            }
            Ok(None) => {}
            Err(why) => {
                let message = format!("`{column}`: {why}");
                cells.problems.push(RowProblem::new(Some(column), message));
            }
        }
    }
    cells
}

/// Why a text is no table of tasks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// It is no table.
    #[error("the table cannot be read")]
    Csv(#[from] csv::Error),
    /// The first line is not that of the headings.
    #[error("the table has no column `title`{}", only(found))]
    NoTitle {
        /// What stands there.
        found: Vec<String>,
    },
    /// Which of two counts is not known.
    #[error("the table has the column `{column}` twice")]
    Twice {
        /// Which.
        column: &'static str,
    },
}

fn only(headings: &[String]) -> String {
    match headings {
        [] => String::new(),
        headings => format!(", only {}", quoted(headings.iter().map(String::as_str))),
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn write_cell<'a, W: AsRef<str>>(column: &str, content: Content<'a, W>) -> Cow<'a, str> {
    match content {
        // Most are read again as they are written, and that need not be tried.
        Content::Text(text) if !text.trim().is_empty() && !text.starts_with('"') => text.into(),
        Content::List(items) if items.iter().all(|item| is_plain_entry(column, item.as_ref())) => {
            let items: Vec<&str> = items.iter().map(W::as_ref).collect();
            items.join(list_separator(column)).into()
        }
        other => write_value(column, &other.into()).into(),
    }
}

/// Whether an entry of a list is surely read again as it is, wherever it stands.
fn is_plain_entry(column: &str, entry: &str) -> bool {
    let is_bare = !entry.is_empty() && entry.trim().len() == entry.len();
    is_bare && !entry.starts_with('[') && !entry.contains(list_separator(column))
}

fn write_value(column: &str, value: &Value) -> String {
    let plain = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            items.join(list_separator(column))
        }
        Value::Object(fields) if column == "custom_fields" => {
            let field = |(key, value): (&String, &Value)| {
                format!("{key}={}", value.as_str().unwrap_or_default())
            };
            fields.iter().map(field).collect::<Vec<_>>().join(",")
        }
        Value::Object(fields) if fields.is_empty() => String::new(),
        other => other.to_string(),
    };
    // What an empty cell stands for need not be written.
    let is_empty = match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match read_cell(column, &plain) {
        Ok(Some(read)) if read == *value => plain,
        Ok(None) if is_empty => plain,
        _ => value.to_string(),
    }
}

fn read_cell(column: &str, cell: &str) -> Result<Option<Value>, String> {
    if cell.trim().is_empty() {
        return Ok(None);
    }
    let json = |opens: char| -> Option<Value> {
        // No JSONC: a person may have written `['x']` as text.
        let is_json = cell.starts_with(opens) && serde_json::from_str::<IgnoredAny>(cell).is_ok();
        is_json.then(|| Value::parse(cell).ok()).flatten()
    };
    let parts = |separator| cell.split(separator).map(str::trim).filter(|part| !part.is_empty());
    Ok(Some(match column {
        "tags" | "scope" | "evidence" | "plan" | "notes" | "depends_on" | "blocks"
        | "relates_to" => match json('[') {
            Some(list) => list,
            None => parts(list_separator(column)).map(Value::from).collect(),
        },
        "custom_fields" => {
            let plain = || {
                let mut fields = Map::new();
                for part in parts(",") {
                    let pair = part.split_once('=');
                    let (key, value) = pair.ok_or_else(|| format!("`{part}` is no `key=value`"))?;
                    let key = key.trim().to_owned();
                    if fields.contains_key(&key) {
                        return Err(format!("the key `{key}` is there twice"));
                    }
                    fields.insert(key, Value::from(value));
                }
                Ok(Value::Object(fields))
            };
            json('{').map_or_else(plain, Ok)?
        }
        "agent" | EXTRA => json('{').ok_or("not a JSON object")?,
        "estimated_minutes" | "actual_minutes" => {
            let minutes = cell.trim().parse::<u32>();
            Value::from(minutes.map_err(|_| format!("`{cell}` is no number of minutes"))?)
        }
        _ => json('"').unwrap_or_else(|| Value::from(cell)),
    }))
}

fn list_separator(column: &str) -> &'static str {
    if matches!(column, "evidence" | "plan" | "notes") { ";" } else { "," }
}
