//! `ralph doctor`.

use clap::Args;

/// Look whether everything a run needs is in place
///
/// Costs no tokens and, without `--remote`, needs no network. Changes nothing, except
/// that the directory for workspaces is made.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph doctor
  ralph doctor --remote              Ask the remote too
  ralph doctor --json")]
pub(crate) struct DoctorArgs {
    /// Ask the remote whether it answers
    #[arg(long)]
    pub(crate) remote: bool,
}
