//! Which agent, and which program it is here.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use ralph_process::Cancel;

use serde::Serialize;

use crate::{
    adapter::{self, ADAPTERS, Adapter},
    probe,
    script::{self, ScriptError},
};

/// An agent that can be driven here: what it is and the program that it is.
#[derive(Clone, Debug)]
pub struct Runner {
    pub(crate) adapter: &'static Adapter,
    name: String,
    pub(crate) program: PathBuf,
    /// What comes before the adapter's own arguments.
    pub(crate) args: Vec<OsString>,
    /// What comes after them.
    pub(crate) extra_args: Vec<OsString>,
    /// What the program turned out to be, once it was asked; known to every copy.
    dialect: Arc<OnceLock<&'static Adapter>>,
}

/// What an agent can be asked for, and what it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "a table of what is there and what is not")]
pub struct Capabilities {
    /// To go on with an earlier turn's session.
    pub resume: bool,
    /// To give a fresh session an id chosen ahead.
    pub session: bool,
    /// To use a model.
    pub model: bool,
    /// To think so hard.
    pub effort: bool,
    /// To change files in its directory and do nothing else unasked.
    pub edits: bool,
    /// To stop by itself after so many steps or dollars.
    pub limits: bool,
    /// To answer with a JSON object by a schema.
    pub schema: bool,
    /// It tells the tokens it used.
    pub tokens: bool,
    /// It tells what it cost.
    pub cost: bool,
}

impl Capabilities {
    pub(crate) const ALL: Self = Self {
        resume: true,
        session: true,
        model: true,
        effort: true,
        edits: true,
        limits: false,
        schema: false,
        tokens: true,
        cost: false,
    };
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
    /// Program and first arguments of a runner, by its name. A name that is not that of
    /// an agent known here is a plugin's.
    pub runners: BTreeMap<String, Vec<String>>,
    /// Further arguments of a runner, by its name. They stand where its program takes
    /// options for a turn.
    pub args: BTreeMap<String, Vec<String>>,
    /// What plays scripts.
    pub player: Option<Player>,
}

/// What plays the script of a runner `scripted:SCRIPT`.
#[derive(Clone, Debug)]
pub struct Player {
    /// Program and arguments, after which the script stands.
    pub argv: Vec<OsString>,
    /// What the path of a script is relative to.
    pub base: PathBuf,
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
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// No agent has this name.
    #[error("there is no runner `{name}`; known are `{}`", known.join("`, `"))]
    Unknown {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
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
    /// The script of a runner `scripted:SCRIPT` is none.
    #[error("cannot play `{}`", path.display())]
    Script {
        /// The script.
        path: PathBuf,
        /// The cause.
        source: ScriptError,
    },
    /// The runner has no program of its own, and configuration names none.
    #[error("the runner `{name}` has no program to run")]
    NoProgram {
        /// The runner.
        name: String,
    },
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
    ///
    /// `scripted:SCRIPT` is an agent that only plays a script.
    pub fn resolve(name: &str, programs: &Programs) -> Result<Self, RunnerError> {
        if let Some(script) = name.strip_prefix("scripted:") {
            return Self::scripted(name, Path::new(script), programs);
        }
        let configured = programs.runners.get(name);
        let adapter = match adapter::find(name) {
            Some(adapter) => adapter,
            None if configured.is_some() => adapter::PLUGIN,
            None => {
                let known = Self::known().into_iter().map(str::to_owned);
                let known = known.chain(programs.runners.keys().cloned()).collect();
                return Err(RunnerError::Unknown { name: name.to_owned(), known });
            }
        };
        let words = match (configured, &programs.command) {
            (Some(words), _) => Some(words),
            (None, words) if adapter.name == "command" => words.as_ref(),
            (None, _) => None,
        };
        let configured = words.and_then(|words| words.split_first());
        let args = configured.map_or(&[][..], |(_, args)| args);
        let bin = configured.map(|(program, _)| program).or_else(|| programs.bins.get(name));
        let candidates = match &bin {
            Some(bin) => vec![bin.as_str()],
            None => adapter.programs.to_vec(),
        };
        let Some(&program) = candidates.first() else {
            return Err(RunnerError::NoProgram { name: name.to_owned() });
        };
        let missing = || RunnerError::Missing {
            name: name.to_owned(),
            program: program.to_owned(),
            searched: (Path::new(program).components().count() == 1)
                .then(|| programs.path.clone().unwrap_or_default()),
        };
        let found = candidates.iter().find_map(|program| {
            let path = Path::new(program);
            if path.is_relative() && path.components().count() > 1 {
                return Some(path.to_owned());
            }
            ralph_process::find_program(path.as_os_str(), programs.path.as_deref())
        });
        let words = |words: &[String]| words.iter().map(OsString::from).collect();
        Ok(Self {
            adapter,
            name: name.to_owned(),
            program: found.ok_or_else(missing)?,
            args: words(args),
            extra_args: words(programs.args.get(name).map_or(&[], Vec::as_slice)),
            dialect: Arc::default(),
        })
    }

    /// The agent that the program is.
    ///
    /// Where two agents have programs of one name, the program is run once to be asked;
    /// one that does not say is taken for what the runner's name says.
    pub(crate) fn dialect(&self, dir: &Path, cancel: &Cancel) -> &'static Adapter {
        let Some(dialects) = self.adapter.dialects else { return self.adapter };
        self.dialect.get_or_init(|| {
            let told = probe::ask(self, dialects.ask, dir, cancel).ok();
            told.and_then(|told| (dialects.tell)(&told)).unwrap_or(self.adapter)
        })
    }

    /// The agent it is driven as in `dir`, where that is not the one that its name says.
    ///
    /// May run its program, once, to be told which of two of that name it is.
    pub fn driven_as(&self, dir: &Path, cancel: &Cancel) -> Option<&'static str> {
        let dialect = self.dialect(dir, cancel);
        (dialect.name != self.adapter.name).then_some(dialect.name)
    }

    /// Whether its program is there, for a turn in `dir`.
    pub fn is_there(&self, dir: &Path) -> bool {
        ralph_process::find_program(dir.join(&self.program).as_os_str(), None).is_some()
    }

    fn scripted(name: &str, script: &Path, programs: &Programs) -> Result<Self, RunnerError> {
        let no_program = || RunnerError::NoProgram { name: name.to_owned() };
        let Player { argv, base } = programs.player.as_ref().ok_or_else(no_program)?;
        let (program, args) = argv.split_first().ok_or_else(no_program)?;
        let path = base.join(script);
        let adapter = script::runner_of(&path)
            .and_then(|runner| adapter::find(&runner).ok_or(ScriptError::Runner { runner }));
        match adapter {
            Ok(adapter) => Ok(Self {
                adapter,
                name: name.to_owned(),
                program: program.into(),
                // The agent's own arguments are not for the player.
                args: [args, &[path.into(), "--".into()]].concat(),
                extra_args: Vec::new(),
                dialect: Arc::new(OnceLock::from(adapter)),
            }),
            Err(source) => Err(RunnerError::Script { path, source }),
        }
    }

    /// The agent whose output it prints.
    pub(crate) fn language(&self) -> &'static str {
        self.adapter.name
    }

    /// The agents on the search path, the one to prefer first, by the names that are
    /// theirs alone.
    pub fn detect(path: Option<&OsStr>) -> Vec<Detected> {
        ADAPTERS
            .into_iter()
            .filter_map(|adapter| {
                let name = OsStr::new(*adapter.programs.first()?);
                let program = ralph_process::find_program(name, path)?;
                Some(Detected { name: adapter.name, program })
            })
            .collect()
    }

    /// The name of every agent that Ralph can drive, the one to prefer first.
    pub fn known() -> Vec<&'static str> {
        ADAPTERS.into_iter().map(|adapter| adapter.name).chain(["command"]).collect()
    }

    /// The agent's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The agent's program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it can be asked for.
    pub fn capabilities(&self) -> Capabilities {
        self.adapter.can
    }

    /// What the agent of this name can be asked for; `None` when there is no such agent.
    pub fn capabilities_of(name: &str) -> Option<Capabilities> {
        adapter::find(name).map(|adapter| adapter.can)
    }
}
