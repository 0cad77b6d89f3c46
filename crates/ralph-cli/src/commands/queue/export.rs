//! `ralph queue export`.

use std::path::{Path, PathBuf};

use ralph_queue::pick::Filter;
use ralph_queue::table::{self, Separator};
use ralph_queue::task::{Glance, Task};
use ralph_queue::{Place, Queue};
use ralph_state::Timestamp;
use ralph_state::file::{Durability, replace, sidecar_lock_path};
use ralph_state::json::text_of;

use crate::args::{ExportArgs, ExportFormat};
use crate::commands::input;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::hint::Next;
use crate::project::Project;
use crate::render::counted;
use crate::render::envelope::AsMade;
use crate::ui::harmless;

pub(crate) fn export(context: &Context, args: &ExportArgs) -> Result<Exit, CliError> {
    if context.ui.wants_json() {
        return Err(CliError::new(ErrorKind::Usage, "an export has a format of its own")
            .hint(Next::EXPORT.within(
            "{} is a list of whole tasks, `ralph queue list --json` one that says what was cut.",
        )));
    }
    let project = Project::open(context, "ralph queue export")?;
    let output = args.output.as_deref().filter(|path| !is_stdout(path));
    if let Some(path) = output {
        leaves_the_queue(&project, path)?;
    }
    let queue = project.queue()?;
    let mut count = 0;
    let chosen = chosen(context, &queue, args)?.inspect(|_| count += 1);
    let cannot = |error| CliError::new(ErrorKind::Failed, error);
    let text = match args.format {
        ExportFormat::Csv => table::write(chosen, Separator::Comma).map_err(cannot)?,
        ExportFormat::Tsv => table::write(chosen, Separator::Tab).map_err(cannot)?,
        ExportFormat::Md => harmless(markdown(chosen)),
        ExportFormat::Gh => harmless(issues(chosen)),
        ExportFormat::Json if output.is_none() => {
            context.ui.print_json(&AsMade::new(chosen))?;
            String::new()
        }
        ExportFormat::Json => {
            text_of(&AsMade::new(chosen))
                .map_err(|error| CliError::new(ErrorKind::Failed, error))?
                + "\n"
        }
    };
    let directory = output.and_then(Path::parent);
    let is_new = |directory: &&Path| !directory.as_os_str().is_empty() && !directory.is_dir();
    let made = directory.filter(is_new);
    match output {
        Some(path) => context.ui.saved(replace(path, text.as_bytes(), Durability::Full)?),
        None => context.ui.print_data(&text)?,
    }
    if !args.quiet {
        if let Some(directory) = made {
            context.ui.say(format!("Made the directory `{}`.", directory.display()));
        }
        context.ui.say(format!("{} exported.", counted(count, "task")));
    }
    Ok(Exit::Done)
}

/// Whether it names what is written to anyhow, which may be a file that has more in it.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

/// That an export does not take the place of what it is made of.
fn leaves_the_queue(project: &Project, output: &Path) -> Result<(), CliError> {
    let place = |path: &Path| {
        fs_err::canonicalize(path).ok().or_else(|| {
            // Every name of a file leads to one lock, also where the file is still to be made.
            let lock = sidecar_lock_path(path);
            Some(fs_err::canonicalize(lock.parent()?).ok()?.join(lock.file_name()?))
        })
    };
    let there = place(output);
    let is_there = |path: &PathBuf| there.is_some() && place(path) == there;
    if ![&project.files.queue, &project.files.done].into_iter().any(is_there) {
        return Ok(());
    }
    let message = format!("`{}` is the queue itself", output.display());
    Err(CliError::new(ErrorKind::Usage, message).hint("Name another file.").at(output))
}

fn chosen<'q>(
    context: &Context,
    queue: &'q Queue,
    args: &'q ExportArgs,
) -> Result<impl Iterator<Item = Glance<'q>>, CliError> {
    let filter = Filter {
        tags: args.tag.clone(),
        statuses: args.status.clone(),
        scopes: args.scope.clone(),
        ..Filter::default()
    };
    let part = args.id_pattern.as_deref().map(str::to_ascii_lowercase);
    let after = input::time(context, args.created_after.as_deref())?;
    let before = input::time(context, args.created_before.as_deref())?;
    let fits = move |task: &Glance<'_>| {
        let created: Option<Timestamp> =
            task.created_at.as_ref().and_then(|time| time.parse().ok());
        filter.matches(task)
            && part.as_ref().is_none_or(|part| task.id.as_str().to_ascii_lowercase().contains(part))
            && after.is_none_or(|after| created.is_some_and(|time| time >= after))
            && before.is_none_or(|before| created.is_some_and(|time| time <= before))
    };
    let open = (!args.only_archive).then_some(Place::Queue);
    let done = (args.only_archive || args.include_archive).then_some(Place::Done);
    Ok(open.into_iter().chain(done).flat_map(|place| queue.glances(place)).filter(fits))
}

fn markdown<'q>(tasks: impl Iterator<Item = Glance<'q>>) -> String {
    let heading = "| id | status | priority | title | tags | scope | created |\n\
                   |---|---|---|---|---|---|---|\n";
    let row = |text: String, task: Glance<'_>| {
        let (tags, scope) = (task.tags.join(", "), task.scope.join(", "));
        let (status, priority) = (task.status.as_str(), task.priority.as_str());
        let created = task.created_at.as_deref().unwrap_or_default();
        let cells = [task.id.as_str(), status, priority, &task.title, &tags, &scope, created];
        let cells = cells
            .map(|cell| cell.replace('|', "\\|").replace("\r\n", " ").replace(['\n', '\r'], " "));
        text + "| " + &cells.join(" | ") + " |\n"
    };
    tasks.fold(heading.to_owned(), row)
}

fn issues<'q>(tasks: impl Iterator<Item = Glance<'q>>) -> String {
    let one = |text: String, task: Glance<'_>| {
        let rule = if text.is_empty() { "" } else { "\n---\n\n" };
        text + rule + &issue(&task)
    };
    tasks.fold(String::new(), one)
}

fn issue(task: &Glance<'_>) -> String {
    let Task { id, title, status, priority, .. } = task;
    let mut lines = vec![
        format!("## {id}: {title}"),
        String::new(),
        format!("Status: {status}, priority: {priority}"),
    ];
    let words = [("Tags", &task.tags), ("Scope", &task.scope), ("Depends on", &task.depends_on)];
    let words = words.iter().filter(|(_, words)| !words.is_empty());
    lines.extend(words.map(|(name, words)| format!("{name}: {}", words.join(", "))));
    let paragraphs = [&task.description, &task.request].into_iter().flatten();
    lines.extend(paragraphs.flat_map(|text| [String::new(), text.to_string()]));
    for (name, items) in
        [("Plan", &task.plan), ("Evidence", &task.evidence), ("Notes", &task.notes)]
    {
        if !items.is_empty() {
            lines.extend([String::new(), format!("### {name}"), String::new()]);
            lines.extend(items.iter().map(|item| format!("- {}", item.replace('\n', "\n  "))));
        }
    }
    lines.join("\n") + "\n"
}
