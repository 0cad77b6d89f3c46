//! `ralph queue prune|sort|repair|changes`.

use clap::{Args, ValueEnum};
use ralph_queue::Status;

use super::queue::Order;
use super::task::status;
use super::which::PartArgs;

/// Remove old tasks from the done file for good
///
/// Tasks that others still name stay, and so do those without a time at which they ended. Their
/// ids are not given again. Without a filter, all that can be are removed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue prune --age 90 --dry-run
  ralph queue prune --status rejected --keep-last 20")]
pub(crate) struct PruneArgs {
    /// Only those that ended so many days ago
    #[arg(long, value_name = "DAYS")]
    pub(crate) age: Option<u32>,
    /// Only those of this status (repeat it for several)
    #[arg(long, value_parser = status())]
    pub(crate) status: Vec<Status>,
    /// Keep so many that ended last
    #[arg(long, value_name = "N")]
    pub(crate) keep_last: Option<usize>,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Put the tasks of the queue into another order
///
/// Headings stay where they are, so that tasks may come to stand below another one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue sort --dry-run
  ralph queue sort --order ascending")]
pub(crate) struct SortArgs {
    /// By what; tasks that are alike in it stay in their order
    #[arg(long, value_enum, default_value_t)]
    pub(crate) sort_by: QueueOrder,
    /// `descending` puts the most urgent first
    #[arg(long, value_enum, default_value_t)]
    pub(crate) order: Order,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum QueueOrder {
    #[default]
    Priority,
}

/// Mend what is wrong with the queue and the done file
///
/// Touches only the tasks that `ralph queue validate` names. What is taken out of a task is kept
/// in a note, and comments in it above the task. A task that has to get another id is found by the
/// old one too. A task with a value of the wrong kind is left to you. Exits with 3 when errors are
/// left for you to correct.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue repair --dry-run
  ralph queue repair")]
pub(crate) struct RepairArgs {
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// List what changed in the queue since a revision
///
/// A revision is the `rev` that every command prints with `--json`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue changes --since REV    What `rev` was in an earlier document
  ralph queue changes --since REV --json")]
pub(crate) struct ChangesArgs {
    /// The revision
    #[arg(long, value_name = "REV")]
    pub(crate) since: String,
    #[command(flatten)]
    pub(crate) part: PartArgs,
}
