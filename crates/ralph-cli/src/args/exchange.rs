//! `ralph queue import` and `ralph queue export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ralph_queue::Status;

use super::task::status;

/// Add tasks from a table or from JSON
///
/// All or none: every row that is no task is named, and then nothing is added,
/// unless `--skip-bad` is given. Tasks without an id get one.
///
/// No id is given twice: that of a task that was deleted or pruned is taken, too,
/// but for that very task, which is told by when it was created.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue import --format csv --input tasks.csv --dry-run
  ralph queue export --format json | ralph -C ../other queue import --format json --on-duplicate rename")]
pub(crate) struct ImportArgs {
    /// What it is (default: what the name of the file says)
    #[arg(long, value_enum, required_unless_present = "input")]
    pub(crate) format: Option<ImportFormat>,
    /// Read this file instead of stdin
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Say what would be added; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What becomes of a task whose id is taken, by another one of the import too
    #[arg(long, value_enum, default_value_t)]
    pub(crate) on_duplicate: OnDuplicate,
    /// Add the rows that are tasks, also when others are none; fails when none is
    #[arg(long)]
    pub(crate) skip_bad: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ImportFormat {
    Csv,
    Tsv,
    Json,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum OnDuplicate {
    /// Nothing is added
    #[default]
    Fail,
    /// It is left out
    Skip,
    /// It gets a new id, and the tasks that name it follow
    Rename,
}

/// Print tasks for another program
///
/// CSV and TSV hold every field, and `ralph queue import` reads them as they were; values of custom
/// fields are texts.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue export --include-archive --output tasks.csv
  ralph queue export --format md --status todo
  ralph queue export --format gh --id-pattern RQ-0007")]
pub(crate) struct ExportArgs {
    /// What to make of them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ExportFormat,
    /// Write this file instead of stdout, which `-` means too
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only tasks of this status (repeat it for several)
    #[arg(long, value_parser = status())]
    pub(crate) status: Vec<Status>,
    /// Only tasks with one of these tags
    #[arg(long, value_name = "WORD")]
    pub(crate) tag: Vec<String>,
    /// Only tasks whose scope contains one of these texts
    #[arg(long, value_name = "TEXT")]
    pub(crate) scope: Vec<String>,
    /// Only tasks whose id contains this, in either case
    #[arg(long, value_name = "TEXT")]
    pub(crate) id_pattern: Option<String>,
    /// Only tasks made after this time: RFC 3339, a date, or as `ralph task schedule` has it
    #[arg(long, value_name = "TIME")]
    pub(crate) created_after: Option<String>,
    /// Only tasks made before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) created_before: Option<String>,
    /// The done file too
    #[arg(long, visible_alias = "include-done", conflicts_with = "only_archive")]
    pub(crate) include_archive: bool,
    /// The done file instead of the queue
    #[arg(long, visible_alias = "only-done")]
    pub(crate) only_archive: bool,
    /// Say nothing on stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum ExportFormat {
    #[default]
    Csv,
    Tsv,
    Json,
    /// A table for people, as Markdown
    Md,
    /// The body of an issue for each
    Gh,
}
