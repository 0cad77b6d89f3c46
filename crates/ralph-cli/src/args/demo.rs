//! `ralph demo`.

use std::path::PathBuf;

use clap::Args;

/// See the main job work in a throwaway repository
///
/// Makes a repository with a bare remote and a dozen tasks, runs them with
/// scripted agents and shows what landed. Needs git, no key and no network.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph demo
  ralph demo --workers 1
  ralph demo --keep /tmp/ralph-demo    Leave the repository there to look at")]
pub(crate) struct DemoArgs {
    /// Make the repository in this new directory and leave it there
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// How many workers run at once
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub(crate) workers: u8,
    /// Print no live progress
    #[arg(long)]
    pub(crate) no_progress: bool,
}
