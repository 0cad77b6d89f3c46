//! What an installed agent is: its version, the flags it lacks, whether it is logged in.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
};

use ralph_process::{Cancel, Command, Output, SpawnError};
use serde::Serialize;

use crate::{
    Access, Runner, Turn,
    adapter::{Credentials, Invocation},
};

/// What is known of an installed agent without asking it to do anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// The runner's name.
    pub runner: String,
    /// The program that it is.
    pub program: PathBuf,
    /// The agent it is driven as: another than its name says where two programs share one.
    pub driven_as: &'static str,
    /// What the program says its version is; `None` when it says nothing.
    pub version: Option<String>,
    /// Flags that a turn may use and the program's help does not mention.
    pub missing_flags: Vec<String>,
    /// Where a login was found.
    pub login: Login,
    /// Arguments of a turn of which nothing is asked but what it may do.
    pub arguments: Vec<String>,
    /// Variables that each turn sets for it.
    pub environment: Vec<(String, String)>,
}

/// Where a login was found. Whether the provider accepts it is not asked: that costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "found", content = "at", rename_all = "snake_case")]
pub enum Login {
    /// In this variable of the environment.
    Variable(String),
    /// In this file.
    File(PathBuf),
    /// Nowhere that is known.
    Nowhere,
    /// The agent is none that keeps a login where Ralph knows.
    Unknown,
}

/// Where an agent is looked at.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The directory it is started in, which a relative program is meant from.
    pub dir: &'a Path,
    /// What its turns may do.
    pub access: Access,
    /// The value of a variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

/// Looks at an installed agent: runs it for its version and its help. No request is made
/// and no token spent.
pub fn probe(
    runner: &Runner,
    around: Surroundings<'_>,
    cancel: &Cancel,
) -> Result<Probe, SpawnError> {
    let adapter = runner.dialect(around.dir, cancel);
    let version = ask(runner, &["--version"], around.dir, cancel)?;
    let help = ask(runner, &[adapter.help, &["--help"]].concat(), around.dir, cancel)?;
    let turn = Turn { access: around.access, ..Turn::new("", "", "", "") };
    let Invocation { args, last, env, .. } = (adapter.invocation)(&turn);
    let text = |value: &OsStr| value.to_string_lossy().into_owned();
    let arguments = [&runner.args, &args, &runner.extra_args, &last].into_iter().flatten();
    let flags = flags(adapter.invocation);
    Ok(Probe {
        runner: runner.name().to_owned(),
        program: runner.program().to_owned(),
        driven_as: adapter.name,
        version: version.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned),
        missing_flags: flags.into_iter().filter(|flag| !mentions(&help, flag)).collect(),
        login: login(adapter.login, around.variable),
        arguments: arguments.map(|word| text(word)).collect(),
        environment: env.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect(),
    })
}

/// What the agent's program prints when it is run with `args`.
pub(crate) fn ask(
    runner: &Runner,
    args: &[&str],
    dir: &Path,
    cancel: &Cancel,
) -> Result<String, SpawnError> {
    const LIMIT: Duration = Duration::from_secs(30);
    const LONGEST: usize = 1 << 20;
    let command = Command::new(runner.program(), dir)
        .args(&runner.args)
        .args(args.iter().copied())
        .stdout(Output::Capture { limit: LONGEST })
        .stderr(Output::Capture { limit: LONGEST });
    let finished = ralph_process::run(&command, Some(LIMIT), cancel)?;
    // Some print their help on stderr.
    let printed = [finished.stdout.bytes, b"\n".to_vec(), finished.stderr.bytes].concat();
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// The long flags of every kind of turn.
fn flags(invocation: fn(&Turn) -> Invocation) -> BTreeSet<String> {
    let id = || Some("0".to_owned());
    let fresh = Turn { session: id(), model: id(), effort: id(), ..Turn::new("", "", "", "") };
    let resumed = Turn { resume: id(), access: Access::Edits, ..fresh.clone() };
    [fresh, resumed]
        .iter()
        .flat_map(|turn| {
            let Invocation { args, last, .. } = invocation(turn);
            [args, last].concat()
        })
        .filter_map(|arg| {
            let arg = arg.into_string().ok()?;
            let flag = arg.split('=').next()?;
            (flag.len() > 2 && flag.starts_with("--")).then(|| flag.to_owned())
        })
        .collect()
}

/// Whether `flag` stands in a help, and not only as the beginning of a longer one.
pub(crate) fn mentions(help: &str, flag: &str) -> bool {
    help.match_indices(flag).any(|(at, _)| {
        !help[at + flag.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '-')
    })
}

fn login(credentials: Credentials, variable: &dyn Fn(&str) -> Option<OsString>) -> Login {
    let Credentials { variables, kept } = credentials;
    if variables.is_empty() && kept.is_none() {
        return Login::Unknown;
    }
    // Set to nothing is as good as not set.
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(name) = variables.iter().find(|name| variable(name).is_some()) {
        return Login::Variable((*name).to_owned());
    }
    let file = kept.and_then(|kept| {
        let dir = match kept.moved_by.and_then(variable) {
            Some(dir) => PathBuf::from(dir),
            None => PathBuf::from(variable("HOME")?).join(kept.dir),
        };
        Some(if kept.file.is_empty() { dir } else { dir.join(kept.file) })
    });
    file.filter(|file| file.exists()).map_or(Login::Nowhere, Login::File)
}
