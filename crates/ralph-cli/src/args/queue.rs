//! `ralph queue …`.

use clap::{Args, Subcommand, ValueEnum};

use super::branch::{CheckArgs, MergeDriverArgs, ResolveArgs};
use super::claim::{ClaimArgs, ReadyArgs, ReleaseArgs};
use super::exchange::{ExportArgs, ImportArgs};
use super::graph::{GraphArgs, TreeArgs, UnlockArgs};
use super::stats::{AgingArgs, DashboardArgs, DaysArgs, StatsArgs};
use super::task::ShowArgs;
use super::tidy::{ChangesArgs, PruneArgs, RepairArgs, SortArgs};
use super::which::{PageArgs, PartArgs, SearchArgs, WhichArgs};

/// Look at the queue as a whole, and tidy it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue list
  ralph queue explain                Why each task can or cannot start
  ralph queue validate
  ralph queue stop                   End a running loop after the task at hand")]
pub(crate) struct QueueArgs {
    #[command(subcommand)]
    pub(crate) command: QueueCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    List(Box<ListArgs>),
    Search(Box<SearchArgs>),
    Next(NextArgs),
    #[command(after_help = "\
Examples:
  ralph queue show RQ-0007
  ralph queue show RQ-0007 --format text")]
    Show(ShowArgs),
    /// Check the queue and the done file, and name every problem with its place
    #[command(after_help = "\
Examples:
  ralph queue validate
  ralph queue validate --json --limit 20")]
    Validate(ValidateArgs),
    Archive(ArchiveArgs),
    Explain(ExplainArgs),
    Ready(ReadyArgs),
    Claim(ClaimArgs),
    Release(ReleaseArgs),
    Import(ImportArgs),
    Export(ExportArgs),
    MergeDriver(MergeDriverArgs),
    Resolve(ResolveArgs),
    Check(CheckArgs),
    Graph(GraphArgs),
    Tree(TreeArgs),
    Unlock(UnlockArgs),
    /// Print the JSON Schema of the queue file
    #[command(after_help = "\
Examples:
  ralph queue schema > queue.schema.json")]
    Schema,
    Stats(StatsArgs),
    /// Show what was added and finished each day
    #[command(after_help = "\
Examples:
  ralph queue history --days 30")]
    History(DaysArgs),
    /// Show how many tasks were open at the end of each day
    #[command(after_help = "\
Examples:
  ralph queue burndown --days 30")]
    Burndown(DaysArgs),
    Aging(AgingArgs),
    Dashboard(DashboardArgs),
    Stop(StopArgs),
    NextId(NextIdArgs),
    Prune(PruneArgs),
    Sort(SortArgs),
    Repair(RepairArgs),
    Changes(ChangesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) part: PartArgs,
}

/// Ask a running loop to end after the tasks at hand
///
/// Workers whose run is gone end by themselves, after they landed what they have.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue stop
  ralph queue stop --now")]
pub(crate) struct StopArgs {
    /// End workers whose run is gone at once; the next run goes on with their tasks
    #[arg(long)]
    pub(crate) now: bool,
}

/// List open tasks in the order of work
///
/// Finished tasks that stand in the queue are left out, and counted, unless `--include-done`,
/// `--only-done` or `--status` asks for them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue list --status todo --tag bug
  ralph queue list --only-done --sort-by updated_at --limit 10
  ralph queue list --json --limit 20 --cursor RQ-0020,RQ-0021")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Only tasks that wait for this one, also through others
    #[arg(long, value_name = "ID")]
    pub(crate) filter_deps: Option<String>,
    /// Only tasks that start after this time: RFC 3339, a date, or as `ralph task schedule` has it
    #[arg(long, value_name = "TIME")]
    pub(crate) scheduled_after: Option<String>,
    /// Only tasks that may start before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) scheduled_before: Option<String>,
    /// Sort by this instead of the order of work
    #[arg(long, value_enum, value_name = "FIELD")]
    pub(crate) sort_by: Option<SortBy>,
    /// Which end comes first, with `--sort-by`
    #[arg(long, value_enum, default_value_t)]
    pub(crate) order: Order,
    /// Say how long the work on each may take: as long as the middle one of those done
    #[arg(long)]
    pub(crate) with_eta: bool,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum SortBy {
    CreatedAt,
    Priority,
    ScheduledStart,
    StartedAt,
    Status,
    Title,
    UpdatedAt,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Order {
    Ascending,
    #[default]
    Descending,
}

/// Print the id of the first task that can start
///
/// Prints nothing when no task can start; stderr says why. A run goes on with a task that is
/// `doing` first: `ralph queue explain` says what it would take.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue next
  ralph queue next --with-title
  ralph queue next --json")]
pub(crate) struct NextArgs {
    /// Print the title too, after a tab
    #[arg(long)]
    pub(crate) with_title: bool,
    /// Print how long the work on it may take too, after a tab
    #[arg(long)]
    pub(crate) with_eta: bool,
    /// Say on stderr why the others are not next
    #[arg(long)]
    pub(crate) explain: bool,
}

/// Move finished tasks from the queue to the done file
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue archive --dry-run
  ralph queue archive")]
pub(crate) struct ArchiveArgs {
    /// Say which; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Say for each task whether it can start now, and why not
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue explain
  ralph queue explain RQ-0007
  ralph queue explain --include-draft --format json")]
pub(crate) struct ExplainArgs {
    /// Only these tasks
    #[arg(value_name = "ID")]
    pub(crate) task_ids: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TextOrJson,
    /// Count drafts among those that can start
    #[arg(long)]
    pub(crate) include_draft: bool,
    #[command(flatten)]
    pub(crate) part: PartArgs,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum TextOrJson {
    Json,
    #[default]
    Text,
}

/// Print the ids that the next tasks will get
///
/// Nothing is reserved: `ralph task add` gives out ids by itself.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue next-id
  ralph queue next-id --count 3")]
pub(crate) struct NextIdArgs {
    /// How many, one a line
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) count: u32,
}
