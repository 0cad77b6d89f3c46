//! `ralph runner …`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::TextOrJson;

/// See which agents Ralph can drive, and what it makes of them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph runner list                  Which agents are known, and which are here
  ralph runner probe claude          Version, missing flags and login of an agent
  ralph runner parse --runner codex .ralph/cache/turns/…/stdout
  ralph run one --runner scripted:night.json   Play a script in place of an agent")]
pub(crate) struct RunnerArgs {
    #[command(subcommand)]
    pub(crate) command: RunnerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunnerCommand {
    List(RunnerListArgs),
    Capabilities(CapabilitiesArgs),
    Probe(ProbeArgs),
    Parse(ParseArgs),
    Play(PlayArgs),
}

/// List the agents that Ralph knows and where their programs are
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph runner list
  ralph runner list --json")]
pub(crate) struct RunnerListArgs {
    /// How to print it; `json` is the same as `--json`
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TextOrJson,
}

/// Show what an agent can be asked for, and what it tells
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph runner capabilities codex
  ralph runner capabilities claude --json")]
pub(crate) struct CapabilitiesArgs {
    /// The agent
    #[arg(value_name = "NAME")]
    pub(crate) runner: String,
    /// How to print it; `json` is the same as `--json`
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TextOrJson,
}

/// Look at installed agents: version, flags they lack, login, environment
///
/// Runs each for its version and its help. Nothing is asked of a provider and no
/// token is spent.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph runner probe
  ralph runner probe claude")]
pub(crate) struct ProbeArgs {
    /// The agent; all that are installed when it is left out
    #[arg(value_name = "NAME")]
    pub(crate) runner: Option<String>,
}

/// Judge what an agent printed, as Ralph would after a turn
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph runner parse --runner claude stream.jsonl
  ralph runner parse --runner codex --exit 1 --stderr err.txt out.jsonl
  claude -p … | ralph runner parse --runner claude --events -")]
pub(crate) struct ParseArgs {
    /// The agent or plugin that printed it
    #[arg(long, value_name = "NAME")]
    pub(crate) runner: String,
    /// The exit code of the agent, or minus the signal that ended it
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) exit: i32,
    /// What the agent said on stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) stderr: Option<PathBuf>,
    /// Print the events, one JSON object a line, in place of one document
    #[arg(long)]
    pub(crate) events: bool,
    /// What the agent printed (`-`: standard input)
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Play a script or a recording, as the runner `scripted:SCRIPT` does
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph runner play night.json < prompt.md
  ralph run one --runner scripted:night.json   The usual way")]
pub(crate) struct PlayArgs {
    /// The script, or the directory of a recording
    #[arg(value_name = "SCRIPT")]
    pub(crate) script: PathBuf,
    /// Be the process that a script leaves behind; SCRIPT is the file that says so
    #[arg(long, hide = true)]
    pub(crate) orphan: bool,
    /// What a real agent would be given
    #[arg(hide = true, last = true)]
    pub(crate) ignored: Vec<OsString>,
}
