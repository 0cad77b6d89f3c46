//! `ralph doctor`.

use clap::Args;

use super::queue::TextOrJson;

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
    /// As a list for people, or as JSON in the shape of 0.4.0
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: TextOrJson,
}
