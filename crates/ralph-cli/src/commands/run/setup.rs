//! From arguments, configuration and environment to the project a run works on.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ralph_agent::{Programs, Runner, RunnerError};
use ralph_config::trust::Trust;
use ralph_config::{Config, Overrides};
use ralph_git::{GitEnv, Repo};
use ralph_loop::event::Event;
use ralph_loop::fault::Faults;
use ralph_loop::layout::Layout;
use ralph_loop::project::{CheckoutPolicy, Options, Project};
use ralph_loop::{coordinator, preflight};
use ralph_process::{Interrupts, SystemClock};
use ralph_queue::QueueFiles;
use ralph_queue::journal::Origin;
use ralph_queue::runnability::Drafts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::AgentArgs;
use crate::commands;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::hint::Next;
use crate::project;

/// What a run is given, and the signals that stop it.
pub(super) struct Run {
    pub(super) project: Project,
    pub(super) interrupts: Interrupts,
}

/// What a run tells its workers on their standard input. A run is one
/// configuration from its start to its end, whatever becomes of the files.
#[derive(Serialize, Deserialize)]
pub(super) struct Handover {
    config: Config,
    /// The agent of tasks that name none.
    runner: String,
    /// As [`Options::overridden`].
    overridden: Vec<String>,
}

impl Handover {
    /// What the coordinator that started this worker has written.
    pub(super) fn read() -> Result<Self, CliError> {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            CliError::new(ErrorKind::Failed, error)
                .context("cannot read what the run hands to its worker")
        })
    }
}

/// Opens the repository for a run and chooses the runner.
pub(super) fn open(
    context: &Context,
    command: &str,
    args: &AgentArgs,
    max_tasks: Option<u32>,
    events: Box<dyn Fn(Event) + Send + Sync>,
) -> Result<Run, CliError> {
    let overrides = overrides(args);
    let overridden = overrides.values.iter().map(|(key, _)| key.clone()).collect();
    let (opened, programs, runner) = chosen(context, command, &overrides)?;
    let config = opened.settings.config;
    let name = runner.name().to_owned();
    let handover = Handover { config, runner: name, overridden };
    let worker_input =
        serde_json::to_vec(&handover).map_err(|error| CliError::new(ErrorKind::Failed, error))?;
    let Handover { config, overridden, .. } = handover;
    let options = Options {
        max_tasks,
        drafts: if args.include_draft { Drafts::Include } else { Drafts::Exclude },
        checkout: if context.global.force {
            CheckoutPolicy::Accept
        } else {
            CheckoutPolicy::Refuse
        },
        overridden,
        record: record(context, args)?,
    };
    let world = World { root: opened.root, files: opened.files, programs, runner, options };
    let mut run = assemble(context, command, config, world, None, events)?;
    run.project.worker_input = worker_input;
    Ok(run)
}

/// The repository as a run would find it, for those who only say what it would do. What it would
/// be refused for is an error here too.
pub(crate) fn rehearsed(context: &Context, args: &AgentArgs) -> Result<project::Project, CliError> {
    let (project, ..) = chosen(context, "ralph run --dry-run", &overrides(args))?;
    coordinator::no_run_is_active(&Layout::new(&project.root), &project.files)?;
    // Where there is no git, no agent has ever worked.
    if !context.global.force
        && let Ok(repo) = context.repo(&project.root)
    {
        preflight::seen(&repo, &project.files)?;
    }
    Ok(project)
}

/// The repository with what the flags lay over its configuration, and the runner.
fn chosen(
    context: &Context,
    command: &str,
    overrides: &Overrides,
) -> Result<(project::Project, Programs, Runner), CliError> {
    let opened = project::Project::open_with(context, command, overrides)?;
    trusted(context, &opened, command)?;
    let config = &opened.settings.config;
    let programs = commands::runner::programs(context, &opened.root, config)?;
    let runner = runner(context, config, &programs)?;
    Ok((opened, programs, runner))
}

/// Opens the repository for a worker, whose processes carry `marker`.
///
/// Neither configuration nor trust is looked at: the run has done that, and
/// what it found is the `handover`.
pub(super) fn open_worker(
    context: &Context,
    root: &Path,
    args: &AgentArgs,
    handover: Handover,
    marker: String,
    events: Box<dyn Fn(Event) + Send + Sync>,
) -> Result<Run, CliError> {
    let Handover { config, runner, overridden } = handover;
    let files = project::shared_queue_files(context, WORKER, root, &config)?;
    let programs = commands::runner::programs(context, root, &config)?;
    let runner = Runner::resolve(&runner, &programs)?;
    let options = Options { overridden, record: record(context, args)?, ..Options::default() };
    let world = World { root: root.to_owned(), files, programs, runner, options };
    assemble(context, WORKER, config, world, Some(marker), events)
}

/// How a worker names itself in locks.
pub(super) const WORKER: &str = "ralph run one --parallel-worker";

fn record(context: &Context, args: &AgentArgs) -> Result<Option<PathBuf>, CliError> {
    args.record.as_ref().map(|dir| Ok(context.directory()?.join(dir))).transpose()
}

/// What a run and its workers find out in ways of their own.
struct World {
    root: PathBuf,
    files: QueueFiles,
    programs: Programs,
    runner: Runner,
    options: Options,
}

fn assemble(
    context: &Context,
    command: &str,
    config: Config,
    world: World,
    marker: Option<String>,
    events: Box<dyn Fn(Event) + Send + Sync>,
) -> Result<Run, CliError> {
    let World { root, files, programs, runner, options } = world;
    let files = QueueFiles { origin: Origin::Run, ..files };
    let path = context.env.get("PATH").map(OsString::from);
    let interrupts = ralph_process::listen()?;
    // Once for the run: its workers find out by themselves.
    if marker.is_none()
        && let Some(agent) = runner.driven_as(&root, interrupts.cancel())
    {
        context.ui.say(format!("The program of `{}` is {agent}, and driven so.", runner.name()));
    }
    let mut git = GitEnv { path: path.clone(), ..GitEnv::default() };
    if let Some(marker) = marker {
        // So that a git that outlives its worker is found and ended with its agents.
        git.vars.push((ralph_process::MARKER.into(), marker.into()));
    }
    let repo = Repo::discover(&root, git.clone(), interrupts.cancel().clone())?;
    if repo.root() != fs_err::canonicalize(&root)? && repo.root() != root {
        return Err(CliError::new(
            ErrorKind::Refused,
            format!(
                "`{}` has a `.ralph`, but is not the top of its git repository",
                root.display()
            ),
        )
        .hint(format!("Keep `.ralph` in `{}`.", repo.root().display()))
        .at(root));
    }
    let mut worker_args: Vec<OsString> = vec!["--repo".into(), repo.root().into()];
    if let Some(dir) = &options.record {
        worker_args.extend(["--record".into(), dir.into()]);
    }
    let project = Project {
        repo,
        git_env: git,
        config,
        queue: files,
        runner,
        programs,
        executable: context.executable()?.to_owned(),
        worker_args,
        worker_input: Vec::new(),
        clock: Arc::new(SystemClock),
        cancel: interrupts.cancel().clone(),
        holder: context.holder(command),
        path,
        redaction: context.redaction(),
        faults: faults(context),
        options,
        events,
    };
    Ok(Run { project, interrupts })
}

/// How many workers the configuration asks for. What is odd about it is said by the run.
pub(super) fn configured_workers(context: &Context) -> Result<Option<u8>, CliError> {
    let directory = context.directory()?;
    let Some(root) = project::find_root(&directory) else { return Ok(None) };
    let settings = ralph_config::load(&project::sources(context, root), &Overrides::default())?;
    Ok(settings.config.parallel.workers)
}

/// A flag that lays a value over the configuration: its name, its key, and what was typed.
type Flag = (&'static str, &'static str, fn(&AgentArgs) -> Option<Value>);

const FLAGS: &[Flag] = &[
    ("--runner", "agent.runner", |args| args.runner.clone().map(Into::into)),
    ("--model", "agent.model", |args| args.model.clone().map(Into::into)),
    ("--effort", "agent.reasoning_effort", |args| args.effort.clone().map(Into::into)),
    ("--phases", "agent.phases", |args| args.quick.then_some(1).or(args.phases).map(Into::into)),
    ("--git-revert-mode", "agent.git_revert_mode", |args| {
        args.git_revert_mode.clone().map(Into::into)
    }),
    ("--git-publish-mode", "agent.git_publish_mode", |args| {
        args.git_publish_mode.clone().map(Into::into)
    }),
    ("--max-turns", "agent.limits.run.turns", |args| args.max_turns.map(Into::into)),
    ("--max-tokens", "agent.limits.run.tokens", |args| args.max_tokens.map(Into::into)),
    ("--max-usd", "agent.limits.run.usd", |args| args.max_usd.map(Into::into)),
    ("--max-minutes", "agent.limits.run.minutes", |args| args.max_minutes.map(Into::into)),
];

/// The flag that lays over a key, and the user typed.
pub(crate) fn flag_of(key: &str) -> Option<&'static str> {
    FLAGS.iter().find(|(_, known, _)| *known == key).map(|(flag, ..)| *flag)
}

/// What the flags lay over the configuration.
fn overrides(args: &AgentArgs) -> Overrides {
    let value = |(_, key, typed): &Flag| Some(((*key).to_owned(), typed(args)?));
    Overrides { profile: args.profile.clone(), values: FLAGS.iter().filter_map(value).collect() }
}

/// Refuses to run programs that a repository names and the user has not seen.
pub(crate) fn trusted(
    context: &Context,
    project: &project::Project,
    command: &str,
) -> Result<(), CliError> {
    let executables = &project.settings.executables;
    if executables.is_empty() {
        return Ok(());
    }
    let store = project::trust_store(context, command)?;
    let message = match store.status(&project.root, executables)? {
        Trust::NothingToTrust | Trust::Trusted => return Ok(()),
        Trust::Untrusted { changed: false } => {
            "this repository names programs to run, and you have not trusted it"
        }
        Trust::Untrusted { changed: true } => {
            "the programs that this repository names have changed since you trusted them"
        }
    };
    let mut error = CliError::new(ErrorKind::Untrusted, message);
    for (key, value) in &executables.entries {
        error = error.hint(format!("{key}: {value}"));
    }
    Err(error.hint(
        "They would run on this machine as you. Look at them, then run `ralph config trust init`.",
    ))
}

/// The runner asked for, or the first agent on PATH; that choice is said.
pub(crate) fn runner(
    context: &Context,
    config: &Config,
    programs: &Programs,
) -> Result<Runner, CliError> {
    if let Some(name) = &config.agent.runner {
        return Ok(Runner::resolve(name, programs)?);
    }
    if programs.command.is_some() {
        return Ok(Runner::resolve("command", programs)?);
    }
    let detected = Runner::detect(programs.path.as_deref());
    let Some(first) = detected.first() else {
        let mut agents = Runner::known();
        agents.retain(|name| *name != "command");
        return Err(CliError::new(
            ErrorKind::Missing,
            "no agent is configured and none is on PATH",
        )
        .hint(format!("Install one of: {}.", agents.join(", ")))
        .hint(
            "Or let any program be the agent: set `agent.command` to \
                 `{ \"argv\": [\"./agent.sh\"] }` in `.ralph/config.jsonc`.",
        ));
    };
    let others: Vec<_> = detected.iter().skip(1).map(|agent| agent.name).collect();
    let also = if others.is_empty() {
        String::new()
    } else {
        format!("; also on PATH: {}", others.join(", "))
    };
    context.ui.say(format!(
        "No runner is configured: using `{}`{also}. `--runner NAME` or `agent.runner` chooses.",
        first.name
    ));
    Ok(Runner::resolve(first.name, programs)?)
}

/// The key of the configuration that names the program of a runner.
pub(crate) fn program_key(name: &str) -> String {
    match name {
        "command" => "agent.command.argv".to_owned(),
        _ if Runner::known().contains(&name) => {
            format!("agent.{}_bin", name.replace('-', "_"))
        }
        _ => format!("agent.runners.{name}.argv"),
    }
}

/// The agent as an error of ours when it cannot be had.
impl From<RunnerError> for CliError {
    fn from(error: RunnerError) -> Self {
        match &error {
            RunnerError::Unknown { .. } => Self::new(ErrorKind::NotFound, error)
                .hint(Next::RUNNERS.within("{} shows which of them are here.")),
            RunnerError::Missing { name, .. } => {
                let hint = format!(
                    "Install it, put it on PATH, or name its path in the configuration (`{}`).",
                    program_key(name)
                );
                Self::new(ErrorKind::Missing, error).hint(hint)
            }
            RunnerError::Script { .. } => Self::new(ErrorKind::Invalid, error),
            RunnerError::NoProgram { name } => {
                let key = program_key(name);
                Self::new(ErrorKind::Missing, error)
                    .hint(format!("Set `{key}`, as in `[\"./agent.sh\"]`."))
            }
            _ => Self::new(ErrorKind::Missing, error),
        }
    }
}

#[cfg(feature = "fault-injection")]
fn faults(context: &Context) -> Faults {
    match context.env.get("RALPH_FAULT_DIR") {
        Some(dir) => Faults::in_dir(dir.into()),
        None => Faults::default(),
    }
}

#[cfg(not(feature = "fault-injection"))]
fn faults(_: &Context) -> Faults {
    Faults::default()
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn laid_over(typed: &[&str]) -> Vec<(String, String)> {
        let command = AgentArgs::augment_args(clap::Command::new("run").no_binary_name(true));
        let matches = command.try_get_matches_from(typed).unwrap();
        let values = overrides(&AgentArgs::from_arg_matches(&matches).unwrap()).values;
        values.into_iter().map(|(key, value)| (key, value.to_string())).collect()
    }

    #[test]
    fn each_flag_lays_what_was_typed_over_its_own_key() {
        for (flag, key, _) in FLAGS {
            let [(laid, value)] = &laid_over(&[flag, "2"])[..] else { panic!("{flag}") };
            assert!(laid == key && value.contains('2'), "{flag}: {laid} = {value}");
        }
        assert_eq!(laid_over(&["--quick"]), [("agent.phases".to_owned(), "1".to_owned())]);
        assert_eq!(laid_over(&[]), []);
    }
}
