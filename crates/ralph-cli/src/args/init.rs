//! `ralph init`.

use clap::Args;

/// Set up Ralph in this repository
///
/// Makes `.ralph/queue.jsonc`, `.ralph/done.jsonc`, `.ralph/config.jsonc` and
/// `.ralph/README.md` where they are missing, and tells `.gitignore` which of
/// Ralph's files never belong in a commit. What exists is never overwritten;
/// only the schemas in `.ralph/schema/`, by which editors complete, are brought
/// up to date.
/// The gate is guessed from the makefile or manifest and written to the
/// configuration, where you can change it.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag as typed")]
#[command(after_help = "\
Examples:
  ralph init
  ralph init --check                   Fail when something is missing; write nothing
  ralph init --trust-project-commands  Also trust a configuration that was there before")]
pub(crate) struct InitArgs {
    /// Write nothing; exit with 1 when something is missing or out of date
    #[arg(long, conflicts_with_all = ["trust_project_commands", "update_readme"])]
    pub(crate) check: bool,
    /// Let the configuration of this repository name programs to run, as
    /// `ralph config trust init` does
    #[arg(long)]
    pub(crate) trust_project_commands: bool,
    /// Bring `.ralph/README.md` up to date
    #[arg(long)]
    pub(crate) update_readme: bool,
    /// Let git merge the queue files by task, with `ralph queue merge-driver`
    ///
    /// Adds two lines to `.gitattributes` and two settings to the
    /// configuration of this clone.
    #[arg(long)]
    pub(crate) merge_driver: bool,
    /// Ask before each thing that is not done without leave
    #[arg(short, long, conflicts_with_all = ["check", "non_interactive"])]
    pub(crate) interactive: bool,
    /// Ask nothing (it does so only with `--interactive`)
    #[arg(long, hide = true)]
    pub(crate) non_interactive: bool,
}
