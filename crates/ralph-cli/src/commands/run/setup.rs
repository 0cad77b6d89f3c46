//! From arguments, configuration and environment to the project a run works on.

use std::ffi::OsString;
use std::sync::Arc;

use ralph_agent::{Programs, Runner, RunnerError};
use ralph_config::trust::Trust;
use ralph_config::{Overrides, Resolved};
use ralph_git::{GitEnv, Repo};
use ralph_loop::event::Event;
use ralph_loop::fault::Faults;
use ralph_loop::project::{CheckoutPolicy, Options, Project};
use ralph_process::{Interrupts, SystemClock};
use ralph_queue::runnability::Drafts;
use serde_json::Value;

use crate::args::AgentArgs;
use crate::commands;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::project;

/// What a run is given, and the signals that stop it.
pub(super) struct Run {
    pub(super) project: Project,
    pub(super) interrupts: Interrupts,
}

/// What the process is in a run.
pub(super) enum Role {
    /// The one that hands out tasks, this many at most.
    Run { max_tasks: Option<u32> },
    /// A worker, whose processes carry this marker.
    Worker { marker: String },
}

/// Opens the repository for a run and chooses the runner.
pub(super) fn open(
    context: &Context,
    command: &str,
    args: &AgentArgs,
    role: Role,
    events: Box<dyn Fn(Event) + Send + Sync>,
) -> Result<Run, CliError> {
    let (max_tasks, marker) = match role {
        Role::Run { max_tasks } => (max_tasks, None),
        Role::Worker { marker } => (None, Some(marker)),
    };
    let overrides = overrides(args);
    let overridden = overrides.values.iter().map(|(key, _)| key.clone()).collect();
    let opened = project::Project::open_with(context, command, &overrides)?;
    trusted(context, &opened, command)?;
    let path = context.env.get("PATH").map(OsString::from);
    let programs = commands::runner::programs(context, &opened.root, &opened.settings)?;
    let runner = runner(context, args, &opened.settings, &programs)?;
    let interrupts = ralph_process::listen()?;
    let mut git = GitEnv { path: path.clone(), ..GitEnv::default() };
    if let Some(marker) = marker {
        // So that a git that outlives its worker is found and ended with its agents.
        git.vars.push((ralph_process::MARKER.into(), marker.into()));
    }
    let repo = Repo::discover(&opened.root, git.clone(), interrupts.cancel().clone())?;
    if repo.root() != fs_err::canonicalize(&opened.root)? && repo.root() != opened.root {
        return Err(CliError::new(
            ErrorKind::Refused,
            format!(
                "`{}` has a `.ralph`, but is not the top of its git repository",
                opened.root.display()
            ),
        )
        .hint(format!("Keep `.ralph` in `{}`.", repo.root().display()))
        .at(opened.root));
    }
    let mut worker_args = forwarded(args, runner.name());
    worker_args.extend(["--repo".into(), repo.root().into()]);
    let record = match &args.record {
        Some(dir) => Some(context.directory()?.join(dir)),
        None => None,
    };
    if let Some(dir) = &record {
        worker_args.extend(["--record".into(), dir.into()]);
    }
    let project = Project {
        repo,
        git_env: git,
        config: opened.settings.config,
        queue: opened.files,
        runner,
        programs,
        executable: context.executable()?.to_owned(),
        worker_args,
        clock: Arc::new(SystemClock),
        cancel: interrupts.cancel().clone(),
        holder: context.holder(command),
        path,
        faults: faults(context),
        options: Options {
            max_tasks,
            drafts: if args.include_draft { Drafts::Include } else { Drafts::Exclude },
            checkout: if context.global.force {
                CheckoutPolicy::Accept
            } else {
                CheckoutPolicy::Refuse
            },
            overridden,
            record,
        },
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

/// What the flags lay over the configuration.
fn overrides(args: &AgentArgs) -> Overrides {
    let mut values: Vec<(String, Value)> = Vec::new();
    let texts = [
        ("agent.runner", &args.runner),
        ("agent.model", &args.model),
        ("agent.reasoning_effort", &args.effort),
        ("agent.git_revert_mode", &args.git_revert_mode),
        ("agent.git_publish_mode", &args.git_publish_mode),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            values.push((key.to_owned(), text.as_str().into()));
        }
    }
    let phases = if args.quick { Some(1) } else { args.phases };
    if let Some(phases) = phases {
        values.push(("agent.phases".to_owned(), phases.into()));
    }
    Overrides { profile: args.profile.clone(), values }
}

/// The flags a worker needs to come to the same configuration and runner.
fn forwarded(args: &AgentArgs, runner: &str) -> Vec<OsString> {
    let mut forwarded: Vec<OsString> = Vec::new();
    if args.runner.is_none() {
        forwarded.extend(["--found-runner".into(), runner.into()]);
    }
    let texts = [
        ("--runner", &args.runner),
        ("--profile", &args.profile),
        ("--model", &args.model),
        ("--effort", &args.effort),
    ];
    for (flag, text) in texts {
        if let Some(text) = text {
            forwarded.extend([flag.into(), text.into()]);
        }
    }
    if args.quick {
        forwarded.push("--quick".into());
    }
    if let Some(phases) = args.phases {
        forwarded.extend(["--phases".into(), phases.to_string().into()]);
    }
    forwarded
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
    Err(error.hint("Look at them, then run `ralph config trust init`."))
}

/// The runner asked for, or the first agent on PATH; that choice is said.
fn runner(
    context: &Context,
    args: &AgentArgs,
    settings: &Resolved,
    programs: &Programs,
) -> Result<Runner, CliError> {
    let configured = settings.config.agent.runner.as_ref().or(args.found_runner.as_ref());
    if let Some(name) = configured {
        return Ok(Runner::resolve(name, programs)?);
    }
    if programs.command.is_some() {
        return Ok(Runner::resolve("command", programs)?);
    }
    let detected = Runner::detect(programs.path.as_deref());
    let Some(first) = detected.first() else {
        return Err(CliError::new(
            ErrorKind::Missing,
            "no agent is configured and none is on PATH",
        )
        .hint(format!("Install one of: {}.", Runner::known().join(", ")))
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

/// The agent as an error of ours when it cannot be had.
impl From<RunnerError> for CliError {
    fn from(error: RunnerError) -> Self {
        match &error {
            RunnerError::Unknown { known, .. } => {
                let hint = format!("Known runners: {}.", known.join(", "));
                Self::new(ErrorKind::NotFound, error).hint(hint)
            }
            RunnerError::Missing { .. } => Self::new(ErrorKind::Missing, error).hint(
                "Install it, put it on PATH, or name its path in the configuration \
                 (`agent.NAME_bin`).",
            ),
            RunnerError::Script { .. } => Self::new(ErrorKind::Invalid, error),
            RunnerError::NoProgram { .. } => Self::new(ErrorKind::Missing, error)
                .hint("Set `agent.command` to `{ \"argv\": [\"./agent.sh\"] }`."),
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
