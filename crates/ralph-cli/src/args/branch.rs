//! `ralph queue merge-driver|resolve|check`: a queue on several branches.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// A side of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// What was checked out; in a rebase, what it goes onto
    Ours,
    /// What came in; in a rebase, the commit of yours that it moves
    Theirs,
}

/// Merge three versions of a queue file, for git
///
/// Git calls it where `ralph init --merge-driver` told it to. The result goes
/// to OURS. What both sides changed differently stays as OURS has it, is
/// listed, and exits with 1, so that git asks you to look; `ralph queue
/// resolve` lists it again and can take the other side's values.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue merge-driver %O %A %B %P %Y     As git has it in `merge.ralph-queue.driver`")]
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
    /// What git calls the other side; its done file tells which of its tasks are finished
    #[arg(value_name = "LABEL")]
    pub(crate) label: Option<String>,
}

/// Finish a merge of the queue
///
/// A file in which git left conflict markers is merged by task: from the
/// versions in git's index, or else from between the markers. A task that one
/// side finished and the other changed, and two tasks with one id, are put in
/// order. Then whatever was changed differently on both sides is listed, with
/// both values, now and each time until it is settled; that exits with 1. It is
/// settled by `--take`, by any change of the place, and, as it stands, by `git
/// add`. What a merge left is gone with the merge: aborted or committed. Should a
/// file change in which git has no conflict, the way back before an abort is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue resolve --dry-run
  ralph queue resolve && git add .ralph/queue.jsonc
  ralph queue resolve --take ours              What this side had, wherever both changed something
  ralph queue resolve --take theirs RQ-0007    For that task, what the other side had")]
pub(crate) struct ResolveArgs {
    /// List, or settle, what is in conflict of these tasks only
    #[arg(value_name = "TASK_ID")]
    pub(crate) tasks: Vec<String>,

    /// Settle what is listed by the values of that side; nothing else changes. `ralph undo` takes the
    /// change back; what stands already needs none, and is settled for good
    #[arg(long, value_name = "SIDE")]
    pub(crate) take: Option<Side>,

    /// Show the difference and what would be left; change nothing
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
