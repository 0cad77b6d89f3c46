//! Tasks as a table, CSV or TSV, that loses nothing: what is written is read again as it was.
//!
//! A cell is written as Ralph 0.4.0 does it where that can be read back: lists with `,` or `;`
//! between their entries, custom fields as `key=value`. Where it cannot, because an entry holds
//! the separator say, the cell is JSON.

use serde_json::{Map, Value};

use crate::intake::{Batch, Cells};
use crate::task::Task;

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
pub fn write(tasks: &[&Task], separator: Separator) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().delimiter(separator.byte()).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for task in tasks {
        let mut fields: Map<String, Value> =
            task.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let extra: Map<String, Value> =
            task.extra.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        fields.insert(EXTRA.to_owned(), Value::Object(extra));
        let cell = |column: &&str| fields.get(*column).map(|value| write_cell(column, value));
        writer.write_record(COLUMNS.iter().map(|column| cell(column).unwrap_or_default()))?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The tasks of a table. Columns may stand in any order and be missing, but for `title`; others
/// are passed over.
///
/// Errors: the headings cannot be read, or have no `title`.
pub fn read(text: &str, separator: Separator) -> Result<Batch, TableError> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator.byte()).from_reader(text.as_bytes());
    let headings = reader.headers()?.clone();
    let columns: Vec<Option<&str>> = headings
        .iter()
        .map(|heading| COLUMNS.iter().copied().find(|column| *column == heading.trim()))
        .collect();
    if !columns.contains(&Some("title")) {
        return Err(TableError::NoTitle);
    }
    let rows = reader.records().map(|record| {
        let record = record.map_err(|error| error.to_string())?;
        let (mut fields, mut problems) = (Map::new(), Vec::new());
        for (column, cell) in columns.iter().zip(&record) {
            let Some(column) = column else { continue };
            match read_cell(column, cell) {
                Ok(Some(Value::Object(extra))) if *column == EXTRA => fields.extend(extra),
                Ok(Some(value)) => {
                    fields.insert((*column).to_owned(), value);
                }
                Ok(None) => {}
                Err(why) => problems.push(format!("`{column}`: {why}")),
            }
        }
        Ok(Cells { fields, problems })
    });
    Ok(Batch::from_fields(rows))
}

/// Why a text is no table of tasks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// It is no table.
    #[error("the table cannot be read")]
    Csv(#[from] csv::Error),
    /// The first line is not that of the headings.
    #[error("the table has no column `title`")]
    NoTitle,
}

fn write_cell(column: &str, value: &Value) -> String {
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
        cell.starts_with(opens).then(|| serde_json::from_str(cell).ok()).flatten()
    };
    let parts = |separator| cell.split(separator).map(str::trim).filter(|part| !part.is_empty());
    Ok(Some(match column {
        "tags" | "scope" | "evidence" | "plan" | "notes" | "depends_on" | "blocks"
        | "relates_to" => match json('[') {
            Some(list) => list,
            None => parts(list_separator(column)).map(Value::from).collect(),
        },
        "custom_fields" => {
            let field = |part: &str| {
                let (key, value) =
                    part.split_once('=').ok_or_else(|| format!("`{part}` is no `key=value`"))?;
                Ok((key.trim().to_owned(), Value::from(value)))
            };
            let plain = || parts(",").map(field).collect::<Result<_, String>>();
            json('{').map_or_else(|| plain().map(Value::Object), Ok)?
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
