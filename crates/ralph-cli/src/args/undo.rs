//! `ralph undo`, `ralph redo`.

use clap::Args;

use super::which::PartArgs;

/// Take back a change to the queue
///
/// The newest one, or the one with the id that `--list` shows. What was changed elsewhere since,
/// by hand too, stays, and so does a later `updated_at`; where it touches the same text, undo
/// refuses. What a run wrote tells what became of a task, and is passed over: `--force` alone takes
/// it back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph undo --list
  ralph undo --dry-run
  ralph undo --id 12")]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    pub(crate) which: RedoArgs,
    /// List what can be undone, newest first
    #[arg(short, long, conflicts_with_all = ["id", "dry_run", "redo"])]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) part: Option<PartArgs>,
    /// Take back the newest undo instead
    #[arg(long)]
    pub(crate) redo: bool,
}

/// Take back an undo
///
/// The newest one, while nothing but undos and redos came after it; or the one with the id that
/// `ralph undo --list` shows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph redo
  ralph redo --dry-run
  ralph redo --id 12")]
pub(crate) struct RedoArgs {
    /// This operation instead of the newest
    #[arg(short, long, value_name = "ID")]
    pub(crate) id: Option<u64>,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
