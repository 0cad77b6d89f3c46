//! Changes to the queue that are made, or only shown, and told in one way.

use std::collections::BTreeSet;

use ralph_queue::delta::{Fate, Touched};
use ralph_queue::mend::{self, Mended};
use ralph_queue::{Edit, Edited, Place, Previewed};
use ralph_state::TaskId;
use serde::Serialize;

use crate::commands::{difference, input};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project, Refusal};
use crate::render::envelope::Schema;
use crate::ui::{BOLD, Text};

/// Whether a change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Make,
    /// Its difference is shown, and that is all.
    Show,
}

impl Mode {
    pub(crate) const fn of(dry_run: bool) -> Self {
        if dry_run { Self::Show } else { Self::Make }
    }
}

/// A task that was left out, and why.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failure {
    /// Which of those asked for, from 0.
    #[serde(skip)]
    pub(crate) index: usize,
    pub(crate) id: String,
    pub(crate) message: String,
}

/// What a change did, or would do.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) mode: Mode,
    /// The number of the operation that it takes back.
    pub(crate) operation: Option<u64>,
    /// Of the queue after it.
    pub(crate) rev: String,
    /// The tasks that it is about.
    pub(crate) tasks: Vec<Touched>,
    /// With those that had to be put in order first.
    pub(crate) all: Vec<Touched>,
    /// Of the texts of both files.
    pub(crate) diff: String,
    pub(crate) failed: Vec<Failure>,
    /// Tasks that were to go, and are still named by others.
    pub(crate) kept: Vec<TaskId>,
    /// Tasks that were open in one copy, and are finished as a later one has it, with where they
    /// are.
    pub(crate) closed: Vec<(TaskId, Place)>,
    /// Fields that no task has, and that were given all the same.
    pub(crate) unknown_fields: BTreeSet<String>,
    /// What had to be put in order first.
    pub(crate) mended: Mended,
    /// How many errors the queue has after it.
    pub(crate) errors: usize,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: Schema,
    /// Of the queue after it.
    rev: &'a str,
    dry_run: bool,
    /// The number of the operation that it takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<u64>,
    added: Vec<&'a TaskId>,
    changed: Vec<&'a TaskId>,
    moved: Vec<&'a TaskId>,
    removed: Vec<&'a TaskId>,
    /// What tasks depend on that they did not depend on before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<Dependent<'a>>,
    /// Open tasks that wait for tasks since these say that they block them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<Blocker<'a>>,
    /// Tasks that wait no longer for one that was rejected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    released: Vec<&'a TaskId>,
    failed: &'a [Failure],
    /// Tasks that were to go, and are still named by others.
    #[serde(skip_serializing_if = "<[TaskId]>::is_empty")]
    kept: &'a [TaskId],
    /// Tasks that were open in one copy, and are finished as a later one has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    closed: Vec<&'a TaskId>,
    /// Fields that no task has, and that were given all the same.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    unknown_fields: &'a BTreeSet<String>,
    #[serde(flatten)]
    beside: Beside<'a>,
    /// Of the texts of both files, of a dry run or a repair.
    #[serde(skip_serializing_if = "str::is_empty")]
    diff: &'a str,
}

/// What a change says of the queue besides what was asked for.
#[derive(Serialize)]
pub(crate) struct Beside<'a> {
    /// Tasks that got other ids first, since others have theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parted: Vec<Parted<'a>>,
    /// Tasks that were in both files before.
    #[serde(skip_serializing_if = "<[TaskId]>::is_empty")]
    healed: &'a [TaskId],
    /// How many errors it has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<usize>,
}

impl<'a> Beside<'a> {
    pub(crate) fn new(Mended { parted, healed, .. }: &'a Mended, errors: usize) -> Self {
        let parted = parted.iter().map(|mend::Parted { was, id, .. }| Parted { was, id }).collect();
        Self { parted, healed, errors: (errors > 0).then_some(errors) }
    }

    pub(crate) fn of<R>(edited: &'a Edited<R>) -> Self {
        Self::new(&edited.mended, edited.errors)
    }
}

#[derive(Serialize)]
struct Parted<'a> {
    was: &'a TaskId,
    id: &'a TaskId,
}

#[derive(Serialize)]
struct Dependent<'a> {
    id: &'a TaskId,
    depends_on: &'a [String],
}

#[derive(Serialize)]
struct Blocker<'a> {
    id: &'a TaskId,
    blocks: &'a [TaskId],
}

/// Makes or shows a change, and tells it.
pub(crate) fn edit(
    context: &Context,
    project: &Project,
    mode: Mode,
    change: impl FnOnce(&mut Edit<'_>) -> Result<(), Refusal>,
) -> Result<Exit, CliError> {
    make(context, project, mode, change)?.tell(context)
}

/// Makes or shows a change.
pub(crate) fn make(
    context: &Context,
    project: &Project,
    mode: Mode,
    change: impl FnOnce(&mut Edit<'_>) -> Result<(), Refusal>,
) -> Result<Report, CliError> {
    let report = match mode {
        Mode::Show => project.preview(context, change).map(|shown| Report::shown(project, shown)),
        Mode::Make => project.change(context, change).map(Report::made),
    };
    report.map_err(|error| project.refused(error))
}

impl Report {
    pub(crate) fn made<R>(edited: Edited<R>) -> Self {
        let Edited { tasks: all, asked: tasks, rev, mended, errors, .. } = edited;
        Self {
            mode: Mode::Make,
            operation: None,
            rev,
            tasks,
            all,
            diff: String::new(),
            failed: Vec::new(),
            kept: Vec::new(),
            closed: Vec::new(),
            unknown_fields: BTreeSet::new(),
            mended,
            errors,
        }
    }

    pub(crate) fn shown<R>(project: &Project, previewed: Previewed<R>) -> Self {
        let Previewed { before, after, tasks: all, asked: tasks, mended, errors, .. } = previewed;
        let diff = difference::between(project, &before, &after);
        Self {
            mode: Mode::Show,
            operation: None,
            rev: after.revision(),
            tasks,
            all,
            diff,
            failed: Vec::new(),
            kept: Vec::new(),
            closed: Vec::new(),
            unknown_fields: BTreeSet::new(),
            mended,
            errors,
        }
    }

    /// The same of a change that is made, with its difference.
    pub(crate) fn made_and_shown<R>(project: &Project, edited: Edited<R>) -> Self {
        let diff = difference::between(project, &edited.before, &edited.after());
        Self { diff, ..Self::made(edited) }
    }

    /// The same of a change that was to put things in order.
    pub(crate) fn of_all(self) -> Self {
        Self { tasks: self.all.clone(), ..self }
    }

    /// The tasks with that fate.
    pub(crate) fn ids(&self, fate: Fate) -> Vec<&TaskId> {
        self.tasks.iter().filter(|task| task.fate == fate).map(|task| &task.id).collect()
    }

    fn dependents(&self) -> impl Iterator<Item = Dependent<'_>> {
        let gained = self.tasks.iter().filter(|task| !task.depends_on.is_empty());
        gained.map(|Touched { id, depends_on, .. }| Dependent { id, depends_on })
    }

    fn blockers(&self) -> impl Iterator<Item = Blocker<'_>> {
        let gained = self.tasks.iter().filter(|task| !task.blocks.is_empty());
        gained.map(|Touched { id, blocks, .. }| Blocker { id, blocks })
    }

    /// Whether it changed anything, or would.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(crate) fn exit(&self) -> Exit {
        if self.failed.is_empty() { Exit::Done } else { Exit::Failed }
    }

    /// New ids go to stdout, and so does the difference; the rest is talk.
    pub(crate) fn tell(&self, context: &Context) -> Result<Exit, CliError> {
        let exit = self.exit();
        let dry_run = self.mode == Mode::Show;
        if context.ui.wants_json() {
            context.ui.print_json(&Document {
                schema: Schema::v1("queue-changed"),
                rev: &self.rev,
                dry_run,
                operation: self.operation,
                added: self.ids(Fate::Added),
                changed: self.ids(Fate::Changed),
                moved: self.ids(Fate::Moved),
                removed: self.ids(Fate::Removed),
                depends_on: self.dependents().collect(),
                blocks: self.blockers().collect(),
                released: released(&self.tasks),
                failed: &self.failed,
                kept: &self.kept,
                closed: self.closed.iter().map(|(id, _)| id).collect(),
                unknown_fields: &self.unknown_fields,
                beside: Beside::new(&self.mended, self.errors),
                diff: &self.diff,
            })?;
            return Ok(exit);
        }
        if !self.diff.is_empty() {
            context.ui.print_diff(&self.diff)?;
        }
        for id in self.ids(Fate::Added) {
            if !dry_run {
                context.ui.print(id)?;
            }
        }
        for Failure { id, message, .. } in &self.failed {
            context.ui.warn(format_args!("{id}: {message}"));
        }
        input::tell_unknown(context, &self.unknown_fields);
        if dry_run {
            project::foretell(&context.ui, &self.mended);
        }
        if !self.kept.is_empty() {
            let kept: Vec<&str> = self.kept.iter().map(TaskId::as_str).collect();
            context.ui.say(format!("Kept, since other tasks name them: {}.", kept.join(", ")));
        }
        context.ui.say(self.summary());
        for (id, _) in &self.closed {
            context.ui.warn(format_args!(
                "{id} was open in one copy and finished in another, which is the later: it counts \
                 as finished"
            ));
        }
        if let Some((first, place)) = self.closed.first() {
            context.ui.hint(match place {
                Place::Queue => format!("`ralph task status todo {first}` opens it again."),
                Place::Done => {
                    format!("`ralph task clone {first} --status todo` makes a new task of it.")
                }
            });
        }
        for Dependent { id, depends_on } in self.dependents() {
            let verb = if dry_run { "would depend" } else { "depends" };
            context.ui.say(format!("{id} {verb} on {} now.", depends_on.join(", ")));
        }
        for Blocker { id, blocks } in self.blockers() {
            let blocked: Vec<&str> = blocks.iter().map(TaskId::as_str).collect();
            let verb = match (dry_run, blocked.len()) {
                (true, _) => "would wait",
                (false, 1) => "waits",
                (false, _) => "wait",
            };
            context.ui.say(format!("{} {verb} for {id} now.", blocked.join(", ")));
        }
        Ok(exit)
    }

    fn summary(&self) -> Text {
        let fates = [
            (Fate::Added, "added"),
            (Fate::Changed, "changed"),
            (Fate::Moved, "moved"),
            (Fate::Removed, "removed"),
        ];
        let mut text = Text::new();
        for (fate, word) in fates {
            let ids = self.ids(fate);
            let verb = match (self.mode, ids.len()) {
                (_, 0) => continue,
                (Mode::Show, _) => "would be",
                (Mode::Make, 1) => "is",
                (Mode::Make, _) => "are",
            };
            text = if let [id] = ids.as_slice() {
                text.style(BOLD, id)
            } else {
                text.plain(format_args!("{} tasks", ids.len()))
            };
            text = text.plain(format_args!(" {verb} {word}.")).line();
        }
        if self.is_empty() { Text::new().plain("Nothing to change.") } else { text }
    }
}

/// The tasks that wait no longer for one that was rejected.
pub(crate) fn released(touched: &[Touched]) -> Vec<&TaskId> {
    touched.iter().flat_map(|task| &task.released).collect()
}
