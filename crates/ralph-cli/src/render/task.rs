//! A task as text for people.

use anstyle::Style;
use ralph_queue::runnability::{Reason, UnmetDependency};
use ralph_queue::{Status, Task};

use crate::ui::{BOLD, CYAN, DIM, GREEN, Text, YELLOW};

/// One line: id, status, priority, title.
pub(crate) fn compact(task: &Task) -> Text {
    Text::new()
        .style(BOLD, &task.id)
        .plain("  ")
        .style(color(task.status), format_args!("{:<8}", task.status))
        .plain(format_args!("  {:<8}  {}", task.priority, task.title))
}

/// Every field that says something, one a line.
pub(crate) fn long(task: &Task) -> Text {
    let mut text = Text::new()
        .style(BOLD, &task.id)
        .plain("  ")
        .style(BOLD, &task.title)
        .line()
        .plain("  ")
        .style(color(task.status), task.status)
        .plain(format_args!(", {} priority", task.priority));
    let words = |words: &[String]| (!words.is_empty()).then(|| words.join(", "));
    let number = |minutes: Option<u32>| minutes.map(|minutes| format!("{minutes} minutes"));
    let fields = [
        ("tags", words(&task.tags)),
        ("scope", words(&task.scope)),
        ("depends on", words(&task.depends_on)),
        ("blocks", words(&task.blocks)),
        ("relates to", words(&task.relates_to)),
        ("duplicates", task.duplicates.clone()),
        ("part of", task.parent_id.clone()),
        ("not before", task.scheduled_start.clone()),
        ("estimated", number(task.estimated_minutes)),
        ("took", number(task.actual_minutes)),
        ("created", task.created_at.clone()),
        ("updated", task.updated_at.clone()),
        ("started", task.started_at.clone()),
        ("completed", task.completed_at.clone()),
        ("request", task.request.clone()),
        ("description", task.description.clone()),
        ("plan", bullets(&task.plan)),
        ("evidence", bullets(&task.evidence)),
        ("notes", bullets(&task.notes)),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        text =
            text.line().style(DIM, format_args!("  {name:<13}")).block("               ", &value);
    }
    for (name, value) in &task.custom_fields {
        text = text.line().style(DIM, format_args!("  {name:<13}")).block("               ", value);
    }
    text
}

/// Why a task cannot start, as the end of "it ...".
pub(crate) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::DraftExcluded => "is a draft".to_owned(),
        Reason::UnmetDependencies { dependencies } => {
            let names: Vec<String> = dependencies.iter().map(dependency).collect();
            format!("waits for {}", names.join(", "))
        }
        Reason::ScheduledStartInFuture { scheduled_start, .. } => {
            format!("does not start before {scheduled_start}")
        }
        Reason::Claimed { owner, expires_at } => {
            format!("is claimed by {owner} until {expires_at}")
        }
        Reason::Underway | Reason::StatusNotRunnable { status: Status::Doing } => {
            "is being worked on".to_owned()
        }
        Reason::StatusNotRunnable { status } => format!("is {status}"),
        Reason::ScopeOverlaps { with, scope } => format!("meets {with} in {scope}"),
        Reason::NoRoom => "comes later".to_owned(),
        other => format!("{other:?}"),
    }
}

fn dependency(dependency: &UnmetDependency) -> String {
    match dependency {
        UnmetDependency::Missing { id } => format!("{id} (which no file has)"),
        UnmetDependency::NotComplete { id, status } => format!("{id} ({status})"),
        other => format!("{other:?}"),
    }
}

fn bullets(lines: &[String]) -> Option<String> {
    (!lines.is_empty())
        .then(|| lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"))
}

fn color(status: Status) -> Style {
    match status {
        Status::Draft => DIM,
        Status::Todo => Style::new(),
        Status::Doing => YELLOW,
        Status::Done => GREEN,
        Status::Rejected => CYAN,
    }
}
