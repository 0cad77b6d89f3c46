//! Which agent, and which program it is here.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::adapter::{self, ADAPTERS, Adapter};

/// An agent that can be driven here: what it is and the program that it is.
#[derive(Clone, Debug)]
pub struct Runner {
    pub(crate) adapter: &'static Adapter,
    pub(crate) program: PathBuf,
    /// What comes before the adapter's own arguments.
    pub(crate) args: Vec<OsString>,
}

/// Where programs are looked for.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    /// The search path, as in `PATH`.
    pub path: Option<OsString>,
    /// Program of an agent, by the agent's name, where configuration names one.
    pub bins: BTreeMap<String, String>,
    /// What the runner `command` runs: program and arguments.
    pub command: Option<Vec<String>>,
}

/// An agent that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// Its name.
    pub name: &'static str,
    /// Its program.
    pub program: PathBuf,
}

/// Why an agent cannot be driven here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// No agent has this name.
    #[error("there is no runner `{name}`; known are `{}`", known.join("`, `"))]
    Unknown {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// Its program is not there.
    #[error("the program `{program}` of the runner `{name}` is not {}", place(searched.as_deref()))]
    Missing {
        /// The runner.
        name: String,
        /// The program.
        program: String,
        /// The search path; `None` when the program is a path by itself.
        searched: Option<OsString>,
    },
    /// The runner `command` has nothing to run.
    #[error("the runner `command` needs `agent.command.argv`")]
    NoCommand,
}

fn place(searched: Option<&OsStr>) -> String {
    match searched {
        Some(path) => format!("on the path `{}`", path.display()),
        None => "an executable file".to_owned(),
    }
}

impl Runner {
    /// The agent called `name`, with the program that configuration or the search path
    /// give it.
    ///
    /// A program with a separator in its name is a path; a relative one is meant from
    /// the directory of the turn and is first looked for there.
    pub fn resolve(name: &str, programs: &Programs) -> Result<Self, RunnerError> {
        let adapter = adapter::find(name)
            .ok_or_else(|| RunnerError::Unknown { name: name.to_owned(), known: Self::known() })?;
        let (program, args) = match (adapter.program, &programs.command) {
            ("", None) => return Err(RunnerError::NoCommand),
            ("", Some(argv)) => argv.split_first().ok_or(RunnerError::NoCommand)?,
            (own, _) => {
                (&programs.bins.get(name).cloned().unwrap_or_else(|| own.to_owned()), &[][..])
            }
        };
        let missing = |searched| RunnerError::Missing {
            name: name.to_owned(),
            program: program.clone(),
            searched,
        };
        let path = Path::new(program);
        let found = if path.is_relative() && path.components().count() > 1 {
            path.to_owned()
        } else {
            let searched = path.is_relative().then(|| programs.path.clone().unwrap_or_default());
            ralph_process::find_program(path.as_os_str(), programs.path.as_deref())
                .ok_or_else(|| missing(searched))?
        };
        Ok(Self { adapter, program: found, args: args.iter().map(OsString::from).collect() })
    }

    /// The agents on the search path, the one to prefer first.
    pub fn detect(path: Option<&OsStr>) -> Vec<Detected> {
        ADAPTERS
            .into_iter()
            .filter(|adapter| !adapter.program.is_empty())
            .filter_map(|adapter| {
                let program = ralph_process::find_program(OsStr::new(adapter.program), path)?;
                Some(Detected { name: adapter.name, program })
            })
            .collect()
    }

    /// The name of every agent that Ralph can drive, the one to prefer first.
    pub fn known() -> Vec<&'static str> {
        ADAPTERS.into_iter().map(|adapter| adapter.name).collect()
    }

    /// The agent's name.
    pub fn name(&self) -> &'static str {
        self.adapter.name
    }

    /// The agent's program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Whether a later turn can go on with an earlier one's session.
    pub fn resumable(&self) -> bool {
        self.adapter.resumable
    }
}
