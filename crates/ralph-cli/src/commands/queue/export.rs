//! `ralph queue export`.

use ralph_queue::pick::Filter;
use ralph_queue::search::Pattern;
use ralph_queue::table::{self, Separator};
use ralph_queue::{Queue, Task};
use ralph_state::Timestamp;
use ralph_state::file::{Durability, replace};
use ralph_state::json::text_of;

use super::tasks;
use crate::args::{ExportArgs, ExportFormat};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::Project;
use crate::ui::harmless;

pub(crate) fn export(context: &Context, args: &ExportArgs) -> Result<Exit, CliError> {
    if context.ui.wants_json() {
        return Err(CliError::new(ErrorKind::Usage, "an export has a format of its own")
            .hint("`ralph queue export --format json` is a list of whole tasks, `ralph queue list --json` one that says what was cut."));
    }
    let project = Project::open(context, "ralph queue export")?;
    let queue = project.whole_queue()?;
    let chosen = chosen(&queue, args)?;
    let cannot = |error| CliError::new(ErrorKind::Failed, error);
    let text = match args.format {
        ExportFormat::Csv => table::write(&chosen, Separator::Comma).map_err(cannot)?,
        ExportFormat::Tsv => table::write(&chosen, Separator::Tab).map_err(cannot)?,
        ExportFormat::Md => harmless(&markdown(&chosen)),
        ExportFormat::Gh => {
            let issues: Vec<String> = chosen.iter().map(|task| issue(task)).collect();
            harmless(&issues.join("\n---\n\n"))
        }
        ExportFormat::Json if args.output.is_none() => {
            context.ui.print_json(&chosen)?;
            String::new()
        }
        ExportFormat::Json => {
            text_of(&chosen).map_err(|error| CliError::new(ErrorKind::Failed, error))? + "\n"
        }
    };
    match &args.output {
        Some(path) => context.ui.saved(replace(path, text.as_bytes(), Durability::Full)?),
        None => context.ui.print_data(&text)?,
    }
    if !args.quiet {
        context.ui.say(format!("{} exported.", tasks(chosen.len())));
    }
    Ok(Exit::Done)
}

fn chosen<'q>(queue: &'q Queue, args: &ExportArgs) -> Result<Vec<&'q Task>, CliError> {
    let filter = Filter {
        tags: args.tag.clone(),
        statuses: args.status.clone(),
        scopes: args.scope.clone(),
        ..Filter::default()
    };
    let pattern =
        args.id_pattern.as_deref().map(|regex| Pattern::regex(regex, false)).transpose()?;
    let fits = |task: &&Task| {
        let created: Option<Timestamp> =
            task.created_at.as_ref().and_then(|time| time.parse().ok());
        filter.matches(task)
            && pattern.as_ref().is_none_or(|pattern| pattern.matches(task.id.as_str()))
            && args.created_after.is_none_or(|after| created.is_some_and(|time| time > after))
            && args.created_before.is_none_or(|before| created.is_some_and(|time| time < before))
    };
    let open = queue.tasks().filter(|_| !args.only_archive);
    let has_done = args.only_archive || args.include_archive;
    let done = queue.done_tasks().iter().filter(|_| has_done);
    Ok(open.chain(done).filter(fits).collect())
}

fn markdown(tasks: &[&Task]) -> String {
    let heading = "| id | status | priority | title | tags |\n|---|---|---|---|---|\n".to_owned();
    let row = |task: &&Task| {
        let (tags, title) = (task.tags.join(", "), &task.title);
        let cells = [task.id.as_str(), task.status.as_str(), task.priority.as_str(), title, &tags];
        let cells = cells
            .map(|cell| cell.replace('|', "\\|").replace("\r\n", " ").replace(['\n', '\r'], " "));
        format!("| {} |\n", cells.join(" | "))
    };
    heading + &tasks.iter().map(row).collect::<Vec<_>>().concat()
}

fn issue(task: &Task) -> String {
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
    lines.extend(paragraphs.flat_map(|text| [String::new(), text.clone()]));
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
