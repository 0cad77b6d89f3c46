//! What an installed agent is: its version, the flags it lacks, whether it is logged in.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use ralph_process::{Cancel, Command, Output, SpawnError};
use serde::Serialize;

use crate::{Access, Runner, Turn, adapter::Invocation};

/// What is known of an installed agent without asking it to do anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// The runner's name.
    pub runner: String,
    /// The program that it is.
    pub program: PathBuf,
    /// What the program says its version is; `None` when it says nothing.
    pub version: Option<String>,
    /// Flags that a turn may use and the program's help does not mention.
    pub missing_flags: Vec<String>,
    /// Where a login was found.
    pub login: Login,
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

/// Looks at an installed agent: runs it for its version and its help. No request is made
/// and no token spent.
///
/// `home` is where it keeps its login; `has_variable` tells whether a variable is set.
pub fn probe(
    runner: &Runner,
    home: Option<&Path>,
    has_variable: &dyn Fn(&str) -> bool,
    cancel: &Cancel,
) -> Result<Probe, SpawnError> {
    let version = ask(runner, &["--version"], cancel)?;
    let help = ask(runner, &[runner.adapter.help, &["--help"]].concat(), cancel)?;
    let Invocation { env, .. } = (runner.adapter.invocation)(&Turn::new("", "", "", ""));
    let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
    Ok(Probe {
        runner: runner.name().to_owned(),
        program: runner.program().to_owned(),
        version: version.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned),
        missing_flags: flags(runner).into_iter().filter(|flag| !mentions(&help, flag)).collect(),
        login: login(runner, home, has_variable),
        environment: env.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect(),
    })
}

fn ask(runner: &Runner, args: &[&str], cancel: &Cancel) -> Result<String, SpawnError> {
    const LIMIT: Duration = Duration::from_secs(30);
    const LONGEST: usize = 1 << 20;
    let command = Command::new(runner.program(), "/")
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
fn flags(runner: &Runner) -> BTreeSet<String> {
    let id = || Some("0".to_owned());
    let fresh = Turn { session: id(), model: id(), effort: id(), ..Turn::new("", "", "", "") };
    let resumed = Turn { resume: id(), access: Access::Edits, ..fresh.clone() };
    [fresh, resumed]
        .iter()
        .flat_map(|turn| (runner.adapter.invocation)(turn).args)
        .filter_map(|arg| {
            let arg = arg.into_string().ok()?;
            let flag = arg.split('=').next()?;
            (flag.len() > 2 && flag.starts_with("--")).then(|| flag.to_owned())
        })
        .collect()
}

/// Whether `flag` stands in a help, and not only as the beginning of a longer one.
fn mentions(help: &str, flag: &str) -> bool {
    help.match_indices(flag).any(|(at, _)| {
        !help[at + flag.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '-')
    })
}

fn login(runner: &Runner, home: Option<&Path>, has_variable: &dyn Fn(&str) -> bool) -> Login {
    let (variables, files) = runner.adapter.login;
    if variables.is_empty() && files.is_empty() {
        return Login::Unknown;
    }
    let variable = variables.iter().find(|name| has_variable(name));
    let mut files = files.iter().filter_map(|file| Some(home?.join(file)));
    match (variable, files.find(|file| file.exists())) {
        (Some(variable), _) => Login::Variable((*variable).to_owned()),
        (None, Some(file)) => Login::File(file),
        (None, None) => Login::Nowhere,
    }
}
