//! `ralph run …`: the arguments of the commands that start agents.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

/// Work on tasks: one, all in turn, or several at once
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph run one                      Work on the next task
  ralph run one --id RQ-0007         Work on this task
  ralph run loop --max-tasks 3       Work on up to three tasks in turn
  ralph run loop --parallel 4        Work on four tasks at once
  ralph run parallel status --json   See what the workers do")]
pub(crate) struct RunArgs {
    #[command(subcommand)]
    pub(crate) command: RunCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    One(OneArgs),
    Loop(LoopArgs),
    Resume(ResumeArgs),
    Parallel(ParallelArgs),
}

/// Work on one task
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph run one
  ralph run one --id RQ-0007 --runner claude
  ralph run one --dry-run            Say which task would be next, and why")]
pub(crate) struct OneArgs {
    /// Work on this task instead of the next one
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Go on with the interrupted session, if there is one
    #[arg(long, conflicts_with = "id")]
    pub(crate) resume: bool,
    /// Say what would run; start and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Be the worker that a parallel run starts for its task
    #[arg(long, hide = true, requires_all = ["id", "claim"])]
    pub(crate) parallel_worker: bool,
    /// The claim under which that worker holds its task
    #[arg(long, hide = true, value_name = "CLAIM", requires = "parallel_worker")]
    pub(crate) claim: Option<String>,
    #[command(flatten)]
    pub(crate) agent: AgentArgs,
}

/// Work through the queue, one task after the other or several at once
///
/// Without `--parallel` the agents work in your checkout, and whatever else changes there is
/// committed with their work: hands off until the run ends. With `--parallel` you can go on
/// working meanwhile.
///
/// A task that fails is not tried again in this run. Without `--parallel`, changes that it left in
/// your checkout end the run: they are yours to look at first. If it left none the run goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph run loop
  ralph run loop --max-tasks 5
  ralph run loop --parallel          As many workers as `parallel.workers` says
  ralph run loop --parallel 4
  ralph queue stop                   End the loop after the task at hand")]
pub(crate) struct LoopArgs {
    /// Stop after so many tasks (0: no limit)
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) max_tasks: u32,
    /// Run so many workers at once, each in a workspace of its own (2 when N is left out
    /// and the configuration says nothing)
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        value_parser = clap::value_parser!(u8).range(1..=64)
    )]
    #[expect(clippy::option_option, reason = "absent, given without and with a number")]
    pub(crate) parallel: Option<Option<u8>>,
    /// Go on with the interrupted session, if there is one
    #[arg(long)]
    pub(crate) resume: bool,
    /// Say what would run; start and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) agent: AgentArgs,
}

/// Go on where the last run was interrupted
///
/// The same as `ralph run loop --resume`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph run resume
  ralph run resume --runner codex    Go on with another agent")]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) agent: AgentArgs,
}

/// Look after the workers of `ralph run loop --parallel`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph run parallel status
  ralph run parallel status --json
  ralph run parallel retry --task RQ-0007
  ralph run parallel retry --all
  ralph run parallel recover --dry-run   What a damaged state file would become")]
pub(crate) struct ParallelArgs {
    #[command(subcommand)]
    pub(crate) command: ParallelCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ParallelCommand {
    /// Show what each worker does, what waits and what needs you
    #[command(after_help = "\
Examples:
  ralph run parallel status
  ralph run parallel status --json")]
    Status,
    Retry(RetryArgs),
    Recover(RecoverArgs),
}

/// Let the next run try again a task that failed or could not be pushed
///
/// The work kept from the earlier attempt is where the next one begins.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["task", "all"]).required(true), after_help = "\
Examples:
  ralph run parallel retry --task RQ-0007
  ralph run parallel retry --all")]
pub(crate) struct RetryArgs {
    /// The task to try again
    #[arg(long, value_name = "ID")]
    pub(crate) task: Option<String>,
    /// Try every task again that failed or is blocked
    #[arg(long, conflicts_with = "task")]
    pub(crate) all: bool,
}

/// Rebuild a state file that is lost or cannot be used
///
/// The bytes of the file are kept beside it. The records are made again from what can be read
/// of it and from what the world shows: living workers, workspaces with their commits, work
/// under rescue refs, and what has landed. Nothing is started, landed or removed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph run parallel recover --dry-run
  ralph run parallel recover")]
pub(crate) struct RecoverArgs {
    /// Say what would be rebuilt; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which agent works, and how: these win over the task and the configuration.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Agent options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag as typed")]
pub(crate) struct AgentArgs {
    /// Use this profile of the configuration
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The agent to run (`ralph runner list` shows them), or `scripted:SCRIPT`
    #[arg(long, value_name = "NAME")]
    pub(crate) runner: Option<String>,
    /// Keep each turn in this directory, to be played again with `--runner scripted:DIR`
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// The model the agent is asked to use
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// How hard the agent is asked to think: low, medium, high or xhigh
    #[arg(short, long, value_name = "LEVEL")]
    pub(crate) effort: Option<String>,
    /// 1: do it; 2: plan and do; 3: plan, do and review
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) phases: Option<u8>,
    /// The same as `--phases 1`
    #[arg(long, conflicts_with = "phases")]
    pub(crate) quick: bool,
    /// Work on tasks in draft too
    #[arg(long)]
    pub(crate) include_draft: bool,
    /// What to do with the changes of a failed turn: ask, enabled or disabled
    #[arg(long, value_name = "MODE")]
    pub(crate) git_revert_mode: Option<String>,
    /// What to do with finished work: off, commit or `commit_and_push`
    #[arg(long, value_name = "MODE")]
    pub(crate) git_publish_mode: Option<String>,
    /// Begin at most so many turns of agents in this run
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) max_turns: Option<u64>,
    /// Begin no turn that could bring the run above so many tokens
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) max_tokens: Option<u64>,
    /// Begin no turn that could bring the run above so many US dollars
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub(crate) max_usd: Option<f64>,
    /// Begin no turn so many minutes after the run began
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) max_minutes: Option<u64>,
    /// Ask nothing, even on a terminal
    #[arg(long)]
    pub(crate) non_interactive: bool,
    /// Print no live progress
    #[arg(long)]
    pub(crate) no_progress: bool,
}
