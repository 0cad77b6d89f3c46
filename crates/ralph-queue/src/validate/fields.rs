//! What is wrong with one task alone.

use ralph_state::Timestamp;

use super::{Code, Fault, Located, error, warning};
use crate::agent;
use crate::ids::IdRules;
use crate::queue::Place;
use crate::task::Task;

/// What is wrong with the id of a task, or with its being there.
pub(super) fn id(located: &Located<'_>, ids: &IdRules, report: &mut dyn FnMut(Fault)) {
    if located.left {
        let message = "the task is finished and in the done file, too; the next change takes over what is new \
             here, and removes it";
        return report(warning(Code::LeftBehind, "id", message));
    }
    let id = located.id();
    if !has_form(id, ids) {
        let message = match ids.digits_of(id) {
            Some(digits) if ids.number_of(id).is_none() => {
                format!("the number of the id is above {}: {digits}", IdRules::HIGHEST)
            }
            _ => format!(
                "the id must be `{}-` and {} digits or more, not `{id}`",
                ids.prefix, ids.width
            ),
        };
        report(error(Code::IdFormat, "id", message));
    }
}

/// What is wrong with a task, whatever its id.
pub(super) fn all_but_id<W: AsRef<str>>(
    task: &Task<W>,
    place: Place,
    report: &mut dyn FnMut(Fault),
) {
    if is_blank(task.title.as_ref()) {
        report(error(Code::Blank, "title", "the title is blank"));
    }
    texts(
        task,
        |field, text, is_line| {
            if is_line { one_line(field, text, report) } else { lines(field, text, report) }
        },
    );
    let lists = [
        ("tags", &task.tags),
        ("scope", &task.scope),
        ("evidence", &task.evidence),
        ("plan", &task.plan),
    ];
    for (name, list) in lists {
        for (index, _) in list.iter().enumerate().filter(|(_, entry)| is_blank(entry.as_ref())) {
            report(error(
                Code::Blank,
                format!("{name}[{index}]"),
                format!("an entry of `{name}` is blank"),
            ));
        }
    }
    for key in task.custom_fields.keys() {
        if key.is_empty() || key.contains(char::is_whitespace) {
            let message = format!("the name of the custom field `{key}` is blank or has a blank");
            report(error(Code::CustomFieldName, format!("custom_fields.{key}"), message));
        }
    }
    if place == Place::Done && !task.status.is_terminal() {
        let message =
            format!("a task in the done file must be done or rejected, not {}", task.status);
        report(error(Code::NotFinished, "status", message));
    }
    times(task, report);
    agent(task, report);
}

/// Every text of a task that people or agents wrote, with the name of its field and whether it is
/// of one line.
fn texts<W: AsRef<str>>(task: &Task<W>, mut see: impl FnMut(&dyn Fn() -> String, &str, bool)) {
    see(&|| "title".to_owned(), task.title.as_ref(), true);
    for (name, list) in [("tags", &task.tags), ("scope", &task.scope)] {
        for (index, entry) in list.iter().enumerate() {
            see(&|| format!("{name}[{index}]"), entry.as_ref(), true);
        }
    }
    for (key, value) in &task.custom_fields {
        see(&|| format!("custom_fields.{key}"), key, true);
        see(&|| format!("custom_fields.{key}"), value.as_ref(), false);
    }
    for (name, text) in [("description", &task.description), ("request", &task.request)] {
        if let Some(text) = text {
            see(&|| name.to_owned(), text.as_ref(), false);
        }
    }
    for (name, list) in [("evidence", &task.evidence), ("plan", &task.plan), ("notes", &task.notes)]
    {
        for (index, entry) in list.iter().enumerate() {
            see(&|| format!("{name}[{index}]"), entry.as_ref(), false);
        }
    }
}

/// What no task from elsewhere may bring, by field: a NUL, which no text has, and a control
/// character in a title, which a commit and a terminal get to see. Line breaks and tabs are
/// in titles that 0.4.0 took.
pub(super) fn smuggled(task: &Task) -> Vec<(String, String)> {
    let mut found = Vec::new();
    texts(task, |field, text, _| {
        if !text.contains(char::is_control) {
            return;
        }
        let field = field();
        let is_title = field == "title";
        let is_barred =
            |c: char| c == '\0' || is_title && c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if let Some((index, c)) = text.chars().enumerate().find(|(_, c)| is_barred(*c)) {
            let message = control(&field, index, c);
            found.push((field, message));
        }
    });
    found
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

fn one_line(field: impl FnOnce() -> String, text: &str, report: &mut dyn FnMut(Fault)) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return;
    }
    let Some((index, c)) = text.chars().enumerate().find(|(_, c)| c.is_control()) else { return };
    let field = field();
    let message = match c {
        '\n' | '\r' => format!("`{field}` has a line break at character {}", index + 1),
        c => control(&field, index, c),
    };
    report(warning(Code::ControlCharacter, field, message));
}

/// A text of several lines. Commands write what agents say as it is, so that this code bars none.
fn lines(field: impl FnOnce() -> String, text: &str, report: &mut dyn FnMut(Fault)) {
    // The first byte of the control characters beyond ASCII.
    const BEYOND: u8 = 0xc2;
    let is_plain = |byte: u8| {
        byte >= b' ' && byte != 0x7f && byte != BEYOND || matches!(byte, b'\n' | b'\r' | b'\t')
    };
    // To the end, whatever is found: so many bytes are looked at in one go.
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return;
    }
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if let Some((index, c)) = text.chars().enumerate().find(|(_, c)| is_control(*c)) {
        let field = field();
        let message = control(&field, index, c);
        report(warning(Code::ControlInText, field, message));
    }
}

fn control(field: &str, index: usize, c: char) -> String {
    let code = u32::from(c);
    format!("`{field}` has the control character U+{code:04X} at character {}", index + 1)
}

/// Wider numbers are fine when they need the width.
fn has_form(id: &str, ids: &IdRules) -> bool {
    let digits = id.rsplit('-').next().unwrap_or(id);
    let grown = digits.len() > ids.width && !digits.starts_with('0');
    ids.number_of(id).is_some() && (digits.len() == ids.width || grown)
}

fn times<W: AsRef<str>>(task: &Task<W>, report: &mut dyn FnMut(Fault)) {
    let times = [
        ("created_at", &task.created_at, true, true),
        ("updated_at", &task.updated_at, true, true),
        ("completed_at", &task.completed_at, task.status.is_terminal(), true),
        ("started_at", &task.started_at, false, false),
        ("scheduled_start", &task.scheduled_start, false, false),
    ];
    for (name, time, needed, utc) in times {
        match time.as_ref().map(W::as_ref) {
            None if needed => {
                report(error(Code::MissingField, name, format!("`{name}` is missing")));
            }
            Some(time) if time.parse::<Timestamp>().is_err() => {
                report(error(
                    Code::BadTime,
                    name,
                    format!("`{name}` is no RFC 3339 time: `{time}`"),
                ));
            }
            Some(time) if utc && !is_utc(time) => {
                report(error(Code::NotUtc, name, format!("`{name}` is not in UTC: `{time}`")));
            }
            _ => {}
        }
    }
}

/// RFC 3339 writes UTC as `Z` or as an offset of nothing.
fn is_utc(time: &str) -> bool {
    let time = time.trim();
    time.ends_with(['Z', 'z']) || time.ends_with("+00:00") || time.ends_with("-00:00")
}

fn agent<W>(task: &Task<W>, report: &mut dyn FnMut(Fault)) {
    for fault in task.agent.iter().flat_map(agent::faults).filter(|fault| !fault.is_unknown()) {
        let code = if fault.is_of_number() { Code::OutOfRange } else { Code::WrongType };
        report(error(code, fault.field.clone(), fault.to_string()));
    }
}
