//! `ralph queue import`.

use std::collections::BTreeSet;

use ralph_queue::intake::{Added, Batch, GivenIds, Row};
use ralph_queue::table::{self, Separator};
use ralph_queue::{Edit, ParseError, Position, Previewed};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{ImportArgs, ImportFormat, OnDuplicate};
use crate::commands::edited::Beside;
use crate::commands::input::{self, BadRows};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit, NEWER};
use crate::hint::Next;
use crate::project::{self, Project};
use crate::render::counted;
use crate::render::envelope::Schema;

pub(crate) fn import(context: &Context, args: &ImportArgs) -> Result<Exit, CliError> {
    let format = format(args)?;
    let project = Project::open(context, "ralph queue import")?;
    let text = input::read_asked(context, args.input.as_deref(), input::TASKS_LIMIT)?;
    let mut batch = match format {
        ImportFormat::Csv => table::read(&text, Separator::Comma).map_err(unreadable)?,
        ImportFormat::Tsv => table::read(&text, Separator::Tab).map_err(unreadable)?,
        ImportFormat::Json => Batch::from_json(&text).map_err(no_tasks)?,
    };
    let given = match args.on_duplicate {
        OnDuplicate::Fail => GivenIds::Keep,
        OnDuplicate::Skip => GivenIds::SkipTaken,
        OnDuplicate::Rename => GivenIds::RenameTaken,
    };
    let bad = if args.skip_bad { BadRows::Skip } else { BadRows::Refuse };
    let unknown_columns = std::mem::take(&mut batch.unknown_columns);
    let unknown_fields = batch.unknown_fields();
    let mut bad_rows = batch.bad.clone();
    let mut dubious: Vec<Row> = Vec::new();
    let change = |edit: &mut Edit<'_>| {
        batch = batch.knowing(project.files.gone().map_err(CliError::from)?);
        input::sift(&project, edit, &mut batch, given, bad)
            .map_err(|error| refused(&batch, args, error))?;
        bad_rows = std::mem::take(&mut batch.bad);
        dubious = batch.rows.iter().filter(|row| !row.warnings.is_empty()).cloned().collect();
        Ok(batch.add(edit, given, &project.files.rules.ids, &Position::Back)?)
    };
    let (added, rev, mended, errors) = if args.dry_run {
        let shown = project.preview(context, change).map_err(|error| project.refused(error))?;
        let Previewed { value, before, mended, errors, .. } = shown;
        (value, before.revision(), mended, errors)
    } else {
        let made = project.edit(context, change)?;
        (made.value, made.rev, made.mended, made.errors)
    };
    let is_all_bad = !bad_rows.is_empty() && added.added.is_empty() && added.skipped.is_empty();
    let exit = if is_all_bad { Exit::Failed } else { Exit::Done };
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Imported<'a> {
            schema: Schema,
            rev: String,
            dry_run: bool,
            #[serde(flatten)]
            added: &'a Added,
            bad: Vec<Value>,
            warnings: Vec<Value>,
            #[serde(skip_serializing_if = "<[String]>::is_empty")]
            unknown_columns: &'a [String],
            #[serde(skip_serializing_if = "BTreeSet::is_empty")]
            unknown_fields: &'a BTreeSet<String>,
            #[serde(flatten)]
            beside: Beside<'a>,
        }
        context.ui.print_json(&Imported {
            schema: Schema::v1("queue-import"),
            rev,
            dry_run: args.dry_run,
            added: &added,
            bad: bad_rows.iter().map(input::bad_row).collect(),
            warnings: dubious.iter().map(warned).collect(),
            unknown_columns: &unknown_columns,
            unknown_fields: &unknown_fields,
            beside: Beside::new(&mended, errors),
        })?;
        return Ok(exit);
    }
    for id in &added.added {
        context.ui.print(id)?;
    }
    for (old, new) in &added.renamed {
        context.ui.say(format!("{old} is taken; the new one is {new}."));
    }
    for id in &added.skipped {
        context.ui.say(format!("{id} is taken; it was left out."));
    }
    for row in &bad_rows {
        context.ui.warn(row);
    }
    for column in &unknown_columns {
        context.ui.warn(format!("no task has `{column}`; that column was left out"));
    }
    input::tell_unknown(context, &unknown_fields);
    for warning in dubious.iter().filter_map(Row::warning) {
        context.ui.warn(warning);
    }
    if args.dry_run {
        project::foretell(&context.ui, &mended);
    }
    let verb = if args.dry_run { "would be added" } else { "added" };
    context.ui.say(format!("{} {verb}.", counted(added.added.len(), "task")));
    Ok(exit)
}

/// What can be done about rows that cannot be added.
fn refused(batch: &Batch, args: &ImportArgs, error: CliError) -> CliError {
    let is_taken = batch.bad.iter().flat_map(|row| &row.problems).any(|problem| problem.is_taken);
    // What came by stdin is not there again.
    let error = error.hint(match Next::foretell_import(args) {
        Some(next) => next.within("`--skip-bad` adds the others; {} shows which."),
        None => Next::SCHEMA.within("`--skip-bad` adds the others. {} says what a task has."),
    });
    if !is_taken {
        return error;
    }
    error.hint(
        "Where an id is taken, `--on-duplicate skip` leaves the row out, and `--on-duplicate rename` \
         gives it another. Where rows of an export have one id, `ralph queue repair` there parts the \
         tasks.",
    )
}

fn warned(row: &Row) -> Value {
    json!({
        "number": row.number,
        "line": row.line,
        "id": row.has_id.then_some(&row.task.id),
        "problems": row.warnings.iter().map(input::problem).collect::<Vec<_>>(),
    })
}

fn format(args: &ImportArgs) -> Result<ImportFormat, CliError> {
    let extension = args.input.as_ref().and_then(|path| path.extension()?.to_str());
    let named = match extension.unwrap_or_default() {
        "csv" => Some(ImportFormat::Csv),
        "tsv" => Some(ImportFormat::Tsv),
        "json" | "jsonl" => Some(ImportFormat::Json),
        _ => None,
    };
    args.format.or(named).ok_or_else(|| {
        CliError::new(ErrorKind::Usage, "the name of the file does not say what it is")
            .hint("Give `--format csv`, `tsv` or `json`.")
    })
}

fn no_tasks(error: ParseError) -> CliError {
    match error {
        ParseError::Newer(_) => CliError::new(ErrorKind::Newer, error)
            .context("the input cannot be read; nothing was added")
            .hint(NEWER),
        error => unreadable(error),
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::new(ErrorKind::Invalid, error)
        .context("the input cannot be read; nothing was added")
        .hint("Correct it, or name what it is with `--format`.")
}
