//! A task as text for people.

use std::borrow::{Borrow, Cow};
use std::fmt::{self, Display};

use anstyle::Style;
use ralph_queue::runnability::{Reason, UnmetDependency};
use ralph_queue::{Listed, Priority, Status, Task};
use ralph_state::TaskId;

use super::short;
use crate::hint::{Hint, Next};
use crate::ui::{BOLD, CYAN, DIM, GREEN, Text, YELLOW, clip};

/// With fewer columns than this, a line has room for a title alone.
const NARROW: usize = 48;

/// The end of a line on a terminal with so many columns left; one without a priority is short.
pub(crate) fn status_priority_title<W: Borrow<str> + Display>(task: &Task<W>, left: usize) -> Text {
    let title = |left: usize| clip(task.title.borrow().trim(), Some(left));
    let text = Text::new().append(&status_column(task.status)).plain("  ");
    // The urgency gives way to the title.
    if left < NARROW {
        return text.plain(title(left.saturating_sub(12)));
    }
    let priority = match task.priority {
        Priority::Critical | Priority::High => YELLOW,
        Priority::Medium => Style::new(),
        Priority::Low => DIM,
    };
    text.style(priority, format_args!("{:<8}", task.priority.as_str()))
        .plain("  ")
        .plain(title(left.saturating_sub(22)))
}

/// A status in its colour, as wide as any.
pub(crate) fn status_column(status: Status) -> Text {
    Text::new().style(color(status), format_args!("{:<8}", status.as_str()))
}

/// A status in its colour.
pub(crate) fn status_word(status: Status) -> Text {
    Text::new().style(color(status), status.as_str())
}

/// The fields of one line for scripts, as 0.4.0 has them, with tabs between: id, status, priority,
/// title.
pub(crate) fn compact_fields<W: Borrow<str> + Display>(task: &Task<W>) -> Vec<String> {
    four_fields(task.id.as_str(), task.status, task.priority, task.title.borrow())
}

/// The same of a task that need not be read for that.
pub(crate) fn listed_fields(task: Listed<'_>) -> Vec<String> {
    four_fields(task.id(), task.status(), task.priority(), &task.title())
}

fn four_fields(id: &str, status: Status, priority: Priority, title: &str) -> Vec<String> {
    vec![id.to_owned(), status.to_string(), priority.to_string(), title.trim().to_owned()]
}

/// The same, and tags, scope, when it was changed and ended, and the custom fields.
pub(crate) fn long_fields<W: Borrow<str> + Display>(task: &Task<W>) -> Vec<String> {
    let words = |words: &[W]| {
        let words = words.iter().map(|word| word.borrow().trim()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(",")
    };
    let time = |time: &Option<W>| time.as_ref().map_or("", W::borrow).trim().to_owned();
    let custom = task.custom_fields.iter().map(|(name, value)| format!("{name}={value}"));
    let mut fields = compact_fields(task);
    fields.extend([
        words(&task.tags),
        words(&task.scope),
        time(&task.updated_at),
        time(&task.completed_at),
        custom.collect::<Vec<_>>().join(","),
    ]);
    fields
}

/// Every field that says something, one a line.
pub(crate) fn long<'t, W: Borrow<str> + Display>(task: &'t Task<W>) -> Text {
    let mut text = Text::with_room(1024)
        .style(BOLD, &task.id)
        .plain("  ")
        .style(BOLD, &task.title)
        .line()
        .plain("  ")
        .style(color(task.status), task.status)
        .plain(format_args!(", {} priority", task.priority));
    let words = |words: &[W]| (!words.is_empty()).then(|| Cow::from(words.join(", ")));
    let number = |minutes: Option<u32>| Some(format!("{} minutes", minutes?).into());
    let own = |text: &'t Option<W>| text.as_ref().map(|text| Cow::from(text.borrow()));
    let fields = [
        ("tags", words(&task.tags)),
        ("scope", words(&task.scope)),
        ("depends on", words(&task.depends_on)),
        ("blocks", words(&task.blocks)),
        ("relates to", words(&task.relates_to)),
        ("duplicates", own(&task.duplicates)),
        ("part of", own(&task.parent_id)),
        ("not before", own(&task.scheduled_start)),
        ("estimated", number(task.estimated_minutes)),
        ("took", number(task.actual_minutes)),
        ("created", own(&task.created_at)),
        ("updated", own(&task.updated_at)),
        ("started", own(&task.started_at)),
        ("completed", own(&task.completed_at)),
        ("request", own(&task.request)),
        ("description", own(&task.description)),
        ("plan", bullets(&task.plan)),
        ("evidence", bullets(&task.evidence)),
        ("notes", bullets(&task.notes)),
    ];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let own = task.custom_fields.iter().map(|(name, value)| (name.as_str(), value.borrow().into()));
    for (name, value) in fields.chain(own) {
        text = text.line().style(DIM, Label(name)).block("               ", &value);
    }
    text
}

/// The name of a field, as wide as any. Padding by the formatter goes character by character.
struct Label<'n>(&'n str);

impl Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PAD: &str = "             ";
        let pad = PAD.len().saturating_sub(self.0.chars().count());
        ["  ", self.0, &PAD[..pad]].into_iter().try_for_each(|part| f.write_str(part))
    }
}

/// Why a task cannot start, as the end of "it ...".
pub(crate) fn reason(reason: &Reason) -> String {
    let why = |error: &Option<String>| match error.as_deref().and_then(|error| error.lines().next())
    {
        Some(line) => format!(": {line}"),
        None => String::new(),
    };
    match reason {
        Reason::Begun { error: None } => "was begun by a parallel run".to_owned(),
        Reason::Begun { error } => format!("waits in a parallel run{}", why(error)),
        Reason::Failed { error } => format!("failed in a parallel run{}", why(error)),
        Reason::TaskLimit { error } => format!("is at its own limit{}", why(error)),
        Reason::Unlanded { error } => format!("is finished, but could not land{}", why(error)),
        Reason::Landed { commit } => {
            format!("has landed as {}, though the queue has it open", short(commit))
        }
        Reason::DraftExcluded => "is a draft".to_owned(),
        Reason::UnmetDependencies { dependencies } => {
            let names: Vec<String> = dependencies.iter().map(dependency).collect();
            format!("waits for {}", names.join(", "))
        }
        Reason::ScheduledStartInFuture { scheduled_start, .. } => {
            format!("does not start before {scheduled_start}")
        }
        Reason::Ended { owner, work_tree, is_deleted, .. } => {
            let what = if *is_deleted { "deleted" } else { "finished" };
            let place = work_tree.as_ref().map(|tree| format!(" in {tree}")).unwrap_or_default();
            format!("was {what}{place} under the claim of {owner}")
        }
        Reason::ScheduledStartUnreadable { scheduled_start } => {
            format!("has `{scheduled_start}` as its start, which is no RFC 3339 time")
        }
        Reason::Claimed { owner, expires_at } => {
            format!("is claimed by {owner} until {expires_at}")
        }
        Reason::Underway | Reason::StatusNotRunnable { status: Status::Doing } => {
            "is being worked on".to_owned()
        }
        Reason::Unheld => "is begun, and nobody has it: a run goes on with it".to_owned(),
        Reason::Interrupted => "was cut off in a run in your checkout".to_owned(),
        Reason::StatusNotRunnable { status } => format!("is {status}"),
        Reason::AmbiguousId => "has the id of another task, too".to_owned(),
        Reason::ScopeOverlaps { with, scope } => format!("meets {with} in {scope}"),
        Reason::NoRoom => "comes later".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Every reason why the task `id` cannot start, and what the user can do about it.
pub(crate) fn reasons(reasons: &[Reason], id: &str) -> String {
    let text = reasons.iter().map(reason).collect::<Vec<_>>().join("; ");
    match reasons.iter().find_map(|reason| next(reason, id)) {
        Some(command) => format!("{text} (`{command}`)"),
        None => text,
    }
}

/// The command that goes on with a task which was left, or gets it going.
fn next(reason: &Reason, id: &str) -> Option<String> {
    match reason {
        Reason::Begun { .. } => Some("ralph run loop --parallel".to_owned()),
        Reason::Unheld => Some(Next::claim(id).to_string()),
        Reason::Interrupted => Some("ralph run resume".to_owned()),
        Reason::Ended { .. } => Some(format!("ralph task show {id}")),
        Reason::Failed { .. } | Reason::TaskLimit { .. } | Reason::Unlanded { .. } => {
            Some(retry(id))
        }
        Reason::ScheduledStartUnreadable { .. } => Some(format!("ralph task schedule {id} WHEN")),
        Reason::AmbiguousId => Some("ralph queue repair".to_owned()),
        _ => None,
    }
}

/// What the user can do about a task that does not start by itself.
pub(crate) fn advice(reason: &Reason, id: &TaskId) -> Option<Hint> {
    Some(match reason {
        Reason::Landed { .. } => Next::done(id).within(&format!(
            "{{}} says so in the queue, where `git pull` does not; `ralph task status todo {id} \
             --note WHY` asks for it once more."
        )),
        Reason::AmbiguousId => parted(),
        Reason::Unheld => Next::claim(id).within("{} takes it."),
        Reason::Ended { .. } => Next::show(id).within(&format!(
            "{{}} shows it as it is here; a merge of what that work tree has brings its end. `{}` has \
             it done once more.",
            Next::reopen(id)
        )),
        Reason::Failed { .. } | Reason::TaskLimit { .. } | Reason::Unlanded { .. } => {
            Next::retry(id).within("{} lets the next parallel run try it again.")
        }
        _ => {
            let command = next(reason, id.as_str())?;
            let text = match reason {
                Reason::ScheduledStartUnreadable { .. } => format!(
                    "`{command}` says it anew, `tomorrow 9:30` for one; `ralph task schedule {id} \
                     --clear` lets it start now."
                ),
                _ => format!("`{command}` goes on with it."),
            };
            text.into()
        }
    })
}

/// What to do about an id that is that of several tasks.
pub(crate) fn parted() -> Hint {
    Next::REPAIR.within("{} shows what becomes of them; `ralph queue repair` does it.")
}

/// The command that gives a task another chance.
pub(crate) fn retry(id: &str) -> String {
    Next::retry(id).to_string()
}

fn dependency(dependency: &UnmetDependency) -> String {
    match dependency {
        UnmetDependency::Missing { id } => format!("{id} (which no file has)"),
        UnmetDependency::NotComplete { id, status } => format!("{id} ({status})"),
        UnmetDependency::AmbiguousId { id } => format!("{id} (which is the id of several tasks)"),
        other => format!("{other:?}"),
    }
}

fn bullets<W: Display>(lines: &[W]) -> Option<Cow<'static, str>> {
    let line = |line: &W| format!("- {line}");
    (!lines.is_empty()).then(|| lines.iter().map(line).collect::<Vec<_>>().join("\n").into())
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
