//! What can be typed: the command line as clap parses it, before it means anything.

mod branch;
mod claim;
mod commands;
mod config;
mod demo;
mod doctor;
mod edit;
mod exchange;
mod graph;
mod init;
mod migrate;
mod queue;
mod rescue;
mod run;
mod runner;
mod stats;
mod task;
mod tidy;
mod undo;
mod which;

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub(crate) use branch::{CheckArgs, MergeDriverArgs, ResolveArgs, Side};
pub(crate) use claim::{ClaimArgs, ReadyArgs, ReleaseArgs};
pub(crate) use commands::{CliSpecArgs, CompletionsArgs, SpecFormat};
pub(crate) use config::{
    ConfigArgs, ConfigCommand, ConfigFormat, ConfigShowArgs, ProfilesCommand, TrustCommand,
};
pub(crate) use demo::DemoArgs;
pub(crate) use doctor::DoctorArgs;
pub(crate) use edit::{
    BatchArgs, BatchCommand, BlocksArgs, ChildrenArgs, CloneArgs, CopyArgs, EditArgs, FieldArgs,
    FromArgs, FromCommand, FromTemplateArgs, KinArgs, MarkDuplicateArgs, MutateArgs, PartsArgs,
    PickArgs, RelateArgs, RelationArg, ScheduleArgs, SplitArgs, TemplateArgs, TemplateCommand,
};
pub(crate) use exchange::{ExportArgs, ExportFormat, ImportArgs, ImportFormat, OnDuplicate};
pub(crate) use graph::{GraphArgs, GraphFormat, TreeArgs, UnlockArgs};
pub(crate) use init::InitArgs;
pub(crate) use migrate::MigrateArgs;
pub(crate) use queue::{
    ArchiveArgs, ExplainArgs, ListArgs, NextArgs, NextIdArgs, Order, QueueArgs, QueueCommand,
    SortBy, StopArgs, TextOrJson,
};
pub(crate) use rescue::{RescueArgs, RescueCommand};
pub(crate) use run::{
    AgentArgs, LoopArgs, OneArgs, ParallelCommand, RecoverArgs, ResumeArgs, RetryArgs, RunArgs,
    RunCommand,
};
pub(crate) use runner::{ParseArgs, PlayArgs, RunnerArgs, RunnerCommand};
pub(crate) use stats::{AgingArgs, DashboardArgs, DaysArgs, StatsArgs};
pub(crate) use task::{
    NewTask, NoteArgs, NoteText, ShowArgs, ShowFormat, StartArgs, StatusArgs, TaskAddArgs,
    TaskArgs, TaskCommand, WordArgs, is_like_flag,
};
pub(crate) use tidy::{ChangesArgs, PruneArgs, RepairArgs, SortArgs};
pub(crate) use undo::{RedoArgs, UndoArgs};
pub(crate) use which::{ListFormat, PageArgs, PartArgs, SearchArgs, WhichArgs};

/// Runs a queue of tasks through coding agents and lands what passes your gate
///
/// Tasks stand in `.ralph/queue.jsonc`, a file you may edit by hand. An agent
/// works on each; what it made lands on your branch only after your own gate
/// command has passed on exactly that tree.
#[derive(Debug, Parser)]
#[command(name = "ralph", version, propagate_version = false, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  ralph init                         Set up Ralph in this repository
  ralph task add \"Fix the parser\"    Put a task into the queue
  ralph run loop                     Work through the queue
  ralph run loop --parallel 3        The same with three workers
  ralph demo                         See it work in a throwaway repository

Exit codes: 0 done, 1 the work failed, 2 wrong usage, 3 refused (invalid, untrusted
or newer file, dirty tree), 4 busy, 5 stopped by a limit, 130 and 143 interrupted.

Environment:
  NO_COLOR           Any value: no colour
  RALPH_CLAIM        The same as `--claim`
  RALPH_LOCK_WAIT    Seconds to wait for another process that holds the queue (10)
  RALPH_LOG          What to log to stderr, such as `debug` or `ralph_git=trace`")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The flags every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag as typed")]
pub(crate) struct GlobalArgs {
    /// Work in the repository that holds this directory
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    /// Print one JSON document, whatever `--format` says, and errors as JSON on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Change the queue only if it still has this revision, the `rev` of a document
    #[arg(long, global = true, value_name = "REV")]
    pub(crate) if_rev: Option<String>,
    /// Change the queue once under this name: asked again, the answer is the first one, as long as
    /// `ralph undo --list` shows it
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) request_id: Option<String>,
    /// Go on where a refusal names this flag
    #[arg(long, global = true)]
    pub(crate) force: bool,
    /// The token of a claimed task that this command writes to (or `RALPH_CLAIM`)
    #[arg(long, global = true, value_name = "TOKEN")]
    pub(crate) claim: Vec<String>,
    /// Log more to stderr (twice: still more)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: ColorWhen,
    /// The same as `--color never`
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Accepted for scripts written for 0.4.0; there is nothing to fix first
    #[arg(long, global = true, hide = true, conflicts_with = "no_sanity_checks")]
    pub(crate) auto_fix: bool,
    /// Accepted for scripts written for 0.4.0; there are no checks to skip
    #[arg(long, global = true, hide = true)]
    pub(crate) no_sanity_checks: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(InitArgs),
    Task(TaskArgs),
    Queue(QueueArgs),
    Run(RunArgs),
    Runner(RunnerArgs),
    Rescue(RescueArgs),
    Undo(UndoArgs),
    Redo(RedoArgs),
    Config(ConfigArgs),
    Migrate(MigrateArgs),
    Doctor(DoctorArgs),
    Demo(DemoArgs),
    /// Print what an agent needs to know to use the queue
    ///
    /// Prints nothing outside a project, so that a hook may call it anywhere.
    #[command(after_help = "\
Examples:
  ralph prime
  ralph prime --json")]
    Prime,
    Completions(CompletionsArgs),
    /// List every command with what it does
    #[command(after_help = "\
Examples:
  ralph help-all
  ralph help-all | grep template")]
    HelpAll,
    CliSpec(CliSpecArgs),
    /// Print the version
    #[command(after_help = "\
Examples:
  ralph version
  ralph version --json")]
    Version,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "`{}` has no help", command.get_name());
            for arg in command.get_arguments() {
                assert!(
                    arg.get_help().is_some(),
                    "`{} {}` has no help",
                    command.get_name(),
                    arg.get_id()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    /// The command lines of the examples in a help text: without the remark after them, and
    /// without the shell around them.
    fn examples(help: &str) -> Vec<&str> {
        let lines = help.split("Examples:\n").nth(1).into_iter().flat_map(str::lines);
        lines
            .take_while(|line| !line.is_empty())
            .map(|line| {
                let line = &line[line.find("ralph ").expect("an example runs ralph")..];
                let ends = ["  ", " > ", " < ", " | ", " && "].map(|end| line.find(end));
                line[..ends.into_iter().flatten().min().unwrap_or(line.len())].trim_end()
            })
            .collect()
    }

    /// The words that a shell makes of a line.
    fn words(line: &str) -> Vec<String> {
        let mut quote = None;
        let mut words = vec![String::new()];
        for c in line.chars() {
            match (c, quote) {
                ('"' | '\'', None) => quote = Some(c),
                (_, Some(open)) if c == open => quote = None,
                (' ', None) => words.push(String::new()),
                _ => words.last_mut().expect("there is one").push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_help_has_examples_that_can_be_typed() {
        fn check(command: &clap::Command, path: &str, wrong: &mut Vec<String>) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = examples(&help);
            if examples.is_empty() {
                wrong.push(format!("`{path}` has no examples"));
            }
            for line in examples {
                let parsed = Cli::try_parse_from(words(line));
                wrong.extend(parsed.err().map(|error| format!("`{line}`: {error}")));
            }
            for below in command.get_subcommands() {
                check(below, &format!("{path} {}", below.get_name()), wrong);
            }
        }
        let mut wrong = Vec::new();
        check(&Cli::command(), "ralph", &mut wrong);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        let before = Cli::parse_from(["ralph", "--json", "-C", "x", "version"]);
        let after = Cli::parse_from(["ralph", "version", "--json", "-C", "x"]);
        for cli in [before, after] {
            assert!(cli.global.json);
            assert_eq!(cli.global.repo, Some(PathBuf::from("x")));
        }
    }

    #[test]
    fn the_flags_of_0_4_0_that_need_nothing_are_accepted() {
        for line in ["ralph --auto-fix version", "ralph version --no-sanity-checks --force"] {
            Cli::try_parse_from(line.split(' ')).expect(line);
        }
        assert!(Cli::try_parse_from(["ralph", "--auto-fix", "--no-sanity-checks"]).is_err());
    }
}
