//! `ralph queue graph|tree|unlock`.

use clap::{Args, ValueEnum};

use super::which::PartArgs;

/// Show which tasks wait for which
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue graph
  ralph queue graph --task RQ-0007 --reverse   What waits for it
  ralph queue graph --critical                 The longest chains
  ralph queue graph --format dot | dot -Tsvg > graph.svg")]
pub(crate) struct GraphArgs {
    /// Only what this task waits for
    #[arg(short, long, value_name = "ID")]
    pub(crate) task: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) format: GraphFormat,
    /// The finished tasks too
    #[arg(long)]
    pub(crate) include_done: bool,
    /// Only the longest chains of tasks of which each waits for the next
    #[arg(short, long)]
    pub(crate) critical: bool,
    /// From who is waited for to who waits
    #[arg(short, long)]
    pub(crate) reverse: bool,
    #[command(flatten)]
    pub(crate) part: PartArgs,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Each below what waits for it
    #[default]
    Tree,
    /// For Graphviz
    Dot,
    /// Tasks, what they wait for and who waits for them
    Json,
    /// One bond a line
    List,
}

/// Show which tasks are parts of which
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue tree
  ralph queue tree --root RQ-0007 --include-done")]
pub(crate) struct TreeArgs {
    /// Only this task and its parts
    #[arg(long, value_name = "ID")]
    pub(crate) root: Option<String>,
    /// The done file too
    #[arg(long)]
    pub(crate) include_done: bool,
    /// Leave out what is deeper
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) max_depth: usize,
    #[command(flatten)]
    pub(crate) part: PartArgs,
}

/// Clear the lock directory that a dead 0.4.0 left behind
///
/// Ralph's own locks free themselves when their holder ends; there is nothing
/// to unlock. A 0.4.0 that was killed leaves `.ralph/lock`, which is removed
/// here if its owner is dead. The lock of an owner that lives stays, with
/// `--force` too, other than in 0.4.0: two would write at once. End the owner first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue unlock --dry-run
  ralph queue unlock")]
pub(crate) struct UnlockArgs {
    /// Say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Accepted for scripts written for 0.4.0; nothing is asked
    #[arg(long, hide = true)]
    pub(crate) yes: bool,
}
