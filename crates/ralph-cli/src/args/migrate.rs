//! `ralph migrate`.

use clap::{Args, Subcommand};

/// Bring the files of a repository to their present versions
///
/// Configuration, queue, run state and whatever else Ralph keeps. Without a flag the plan is
/// shown and nothing is written. Files are read in their older versions too, so this is never
/// urgent; a file of a newer version is left alone.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  ralph migrate                      What would change, as a difference
  ralph migrate --apply              Change it; the bytes from before are kept
  ralph migrate --check              For scripts: exits with 1 when something is to be done
  ralph migrate --list --json        Every file with its version")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag as typed")]
pub(crate) struct MigrateArgs {
    /// Exit with 1 when something is to be done; write nothing
    #[arg(long, conflicts_with_all = ["apply", "list"])]
    pub(crate) check: bool,
    /// Do it; the bytes from before are kept
    #[arg(long, conflicts_with = "list")]
    pub(crate) apply: bool,
    /// List every file with its version and the present one
    #[arg(long)]
    pub(crate) list: bool,
    /// Write nothing, also with `--apply`
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(subcommand)]
    pub(crate) command: Option<MigrateCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// The same as `--list`
    #[command(after_help = "\
Examples:
  ralph migrate status
  ralph migrate status --json")]
    Status,
}
