//! `ralph rescue …`.

use clap::{Args, Subcommand};

/// Find work of agents that did not land
///
/// Whatever an agent wrote and did not land is kept as a commit in this
/// repository, under `refs/ralph/rescue/`. Nothing here removes any of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph rescue list
  ralph rescue show RQ-0007/1        The message and the change
  ralph rescue restore RQ-0007/1     Make a branch of it: rescue/RQ-0007/1")]
pub(crate) struct RescueArgs {
    #[command(subcommand)]
    pub(crate) command: RescueCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RescueCommand {
    List(RescueListArgs),
    /// Show the message and the change of one
    #[command(after_help = "\
Examples:
  ralph rescue show RQ-0007/1
  ralph rescue show RQ-0007          The newest of that task")]
    Show(RescueNameArgs),
    /// Make a branch of one; your checkout stays as it is
    #[command(after_help = "\
Examples:
  ralph rescue restore RQ-0007/1")]
    Restore(RescueNameArgs),
}

/// List what is kept and has not landed since
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph rescue list
  ralph rescue list --all            What has landed by now, too
  ralph rescue list --json")]
pub(crate) struct RescueListArgs {
    /// Also what your branch has by now
    #[arg(long)]
    pub(crate) all: bool,
}

/// One piece of kept work.
#[derive(Debug, Args)]
pub(crate) struct RescueNameArgs {
    /// Its name, as `ralph rescue list` prints it; a task alone is the newest of it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
