//! `ralph queue merge-driver|resolve|check`: a queue on several branches.

use std::path::PathBuf;

use clap::Args;

/// Merge three versions of a queue file, for git
///
/// Git calls it where `ralph init --merge-driver` told it to. The result goes
/// to OURS. What both sides changed differently stays as OURS has it, is
/// listed, and exits with 1, so that git asks you to look.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue merge-driver %O %A %B %P     As git has it in `merge.ralph-queue.driver`")]
pub(crate) struct MergeDriverArgs {
    /// The common ancestor
    pub(crate) base: PathBuf,
    /// This side, and where the result goes
    pub(crate) ours: PathBuf,
    /// The other side
    pub(crate) theirs: PathBuf,
    /// The file's name in the repository
    #[arg(value_name = "PATH")]
    pub(crate) name: Option<PathBuf>,
}

/// Mend a queue file in which git left conflict markers
///
/// Takes the versions from git's index, or else from between the markers, and
/// merges them by task. Exits with 1 when something was changed differently on
/// both sides: it is listed, and what this side says stands.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue resolve --dry-run
  ralph queue resolve && git add .ralph/queue.jsonc")]
pub(crate) struct ResolveArgs {
    /// Print the result; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Check what a branch did to the queue
///
/// Reports everything `queue validate` does, and what was lost since REF: open
/// tasks that are gone, and ids that went to another task.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue check --base origin/main")]
pub(crate) struct CheckArgs {
    /// The commit to compare with
    #[arg(long, value_name = "REF")]
    pub(crate) base: String,
}
