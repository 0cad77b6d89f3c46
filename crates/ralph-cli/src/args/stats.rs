//! `ralph queue stats|history|burndown|aging|dashboard`.

use clap::Args;
use ralph_queue::Status;

use super::TextOrJson;
use super::task::status;
use super::which::PartArgs;

/// Show how much there is, how it went and how long it took
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue stats
  ralph queue stats --tag bug --json")]
pub(crate) struct StatsArgs {
    /// Only tasks with one of these tags
    #[arg(long, value_name = "WORD")]
    pub(crate) tag: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TextOrJson,
    /// Cut the answer to about so many tokens, and say which fields were cut
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Say nothing on stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DaysArgs {
    /// How many days back, today included
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TextOrJson,
    #[command(flatten)]
    pub(crate) part: PartArgs,
}

/// Show how long tasks have been waiting, oldest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue aging
  ralph queue aging --status todo --format json")]
pub(crate) struct AgingArgs {
    /// Only tasks of this status (default: those that are not finished)
    #[arg(long, value_parser = status())]
    pub(crate) status: Vec<Status>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TextOrJson,
    #[command(flatten)]
    pub(crate) part: PartArgs,
}

/// Print all figures as one JSON document
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue dashboard --days 7")]
pub(crate) struct DashboardArgs {
    /// How many days back, today included
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
    /// Cut a `--json` answer to about so many tokens, and say which fields were cut
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
}
