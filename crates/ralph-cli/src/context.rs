//! The world as the process found it, read once and handed down.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ralph_agent::Redaction;
use ralph_git::{GitEnv, Repo};
use ralph_process::{Cancel, SystemClock};
use ralph_queue::{RequestName, Terms};
use ralph_state::Clock as _;
use ralph_state::file::Holder;

use crate::args::{ColorWhen, GlobalArgs};
use crate::error::{CliError, ErrorKind};
use crate::ui::{Stream, Ui};

/// Environment, directory, executable and terminals at the start.
#[derive(Debug)]
pub(crate) struct World {
    env: Environment,
    directory: io::Result<PathBuf>,
    executable: io::Result<PathBuf>,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
}

impl World {
    /// The only place that looks at the process's surroundings.
    #[expect(clippy::disallowed_methods, reason = "the one reading of the environment")]
    pub(crate) fn read() -> Self {
        Self {
            env: Environment(std::env::vars_os().collect()),
            directory: std::env::current_dir(),
            executable: std::env::current_exe(),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
        }
    }
}

/// The variables of the process, as they were at its start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// A variable; an empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable that is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str()
    }

    /// The user's configuration of Ralph: `$XDG_CONFIG_HOME/ralph` or `~/.config/ralph`.
    /// A relative `XDG_CONFIG_HOME` is ignored, as the XDG rules ask.
    pub(crate) fn config_dir(&self) -> Option<PathBuf> {
        let given = self.get("XDG_CONFIG_HOME").map(PathBuf::from);
        let base = match given.filter(|path| path.is_absolute()) {
            Some(base) => base,
            None => Path::new(self.get("HOME")?).join(".config"),
        };
        Some(base.join("ralph"))
    }
}

/// What every command is handed.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: GlobalArgs,
    pub(crate) env: Environment,
    pub(crate) ui: Ui,
    pub(crate) clock: SystemClock,
    directory: io::Result<PathBuf>,
    executable: io::Result<PathBuf>,
    /// All that decides what a request with a name is about.
    asked: RefCell<String>,
}

impl Context {
    pub(crate) fn new(world: World, global: GlobalArgs) -> Self {
        let stream = |is_terminal| Stream {
            is_terminal,
            has_color: has_color(&global, &world.env, is_terminal),
            can_repaint: is_terminal && world.env.text("TERM") != Some("dumb"),
        };
        let ui = Ui::new(
            global.json,
            stream(world.stdout_is_terminal),
            stream(world.stderr_is_terminal),
        );
        Self {
            ui,
            clock: SystemClock,
            global,
            env: world.env,
            directory: world.directory,
            executable: world.executable,
            asked: RefCell::default(),
        }
    }

    /// Takes something for a part of what this command is asked to do: its arguments, what it
    /// reads.
    pub(crate) fn heed(&self, asked: &str) {
        if self.global.request_id.is_some() {
            let mut all = self.asked.borrow_mut();
            all.push_str(asked);
            all.push('\0');
        }
    }

    /// The directory the command is about: `--repo`, else the working directory.
    pub(crate) fn directory(&self) -> Result<PathBuf, CliError> {
        let here = self.directory.as_ref().map_err(|error| {
            CliError::new(ErrorKind::Io, error.to_string())
                .context("the working directory cannot be read")
                .hint("Go to a directory that exists, or name one with `--repo DIR`.")
        });
        let Some(given) = &self.global.repo else { return here.cloned() };
        let directory = if given.is_absolute() { given.clone() } else { here?.join(given) };
        if directory.is_dir() {
            return Ok(directory);
        }
        Err(CliError::new(ErrorKind::Usage, format!("`{}` is not a directory", given.display()))
            .at(directory))
    }

    /// The running `ralph` itself, to start workers with.
    pub(crate) fn executable(&self) -> Result<&Path, CliError> {
        self.executable.as_deref().map_err(|error| {
            CliError::new(ErrorKind::Io, error.to_string())
                .context("the path of the running `ralph` cannot be found")
        })
    }

    /// What is left out of what agents said: with the values of secret variables.
    pub(crate) fn redaction(&self) -> Redaction {
        let Environment(variables) = &self.env;
        let texts = variables.iter().map(|(name, value)| (name.to_str(), value.to_str()));
        Redaction::with_variables(texts.filter_map(|(name, value)| Some((name?, value?))))
    }

    /// The git repository whose work tree has its root at `root`, or above it.
    pub(crate) fn repo(&self, root: &Path) -> Result<Repo, CliError> {
        Ok(Repo::discover(root, self.git_env(), Cancel::new())?)
    }

    /// What a git that only looks is given.
    pub(crate) fn git_env(&self) -> GitEnv {
        let path = self.env.get("PATH").map(OsString::from);
        GitEnv { path, ..GitEnv::default() }
    }

    /// How long to wait for a lock, if the user says.
    pub(crate) fn lock_wait(&self) -> Result<Option<Duration>, CliError> {
        let Some(seconds) = self.env.get("RALPH_LOCK_WAIT") else { return Ok(None) };
        let parsed = seconds.to_str().and_then(|seconds| seconds.parse().ok());
        parsed.map(|seconds| Some(Duration::from_secs(seconds))).ok_or_else(|| {
            let message =
                format!("`RALPH_LOCK_WAIT` is `{}`, expected whole seconds", seconds.display());
            CliError::new(ErrorKind::Usage, message)
        })
    }

    /// On what terms this command changes the queue.
    pub(crate) fn terms(&self) -> Terms {
        let GlobalArgs { if_rev, request_id, .. } = self.global.clone();
        let request = request_id.map(|id| RequestName::new(id, &self.asked.borrow()));
        Terms { if_rev, request }
    }

    /// The tokens of the claims that this command writes under.
    pub(crate) fn claims(&self) -> Vec<String> {
        let given = self.global.claim.iter().map(String::as_str);
        given.chain(self.env.text("RALPH_CLAIM")).map(str::to_owned).collect()
    }

    /// How this process names itself in the locks it takes.
    pub(crate) fn holder(&self, command: &str) -> Holder {
        Holder {
            pid: ralph_process::own_pid(),
            host: ralph_process::host_name(),
            command: command.to_owned(),
            since: self.clock.now(),
        }
    }
}

fn has_color(global: &GlobalArgs, env: &Environment, is_terminal: bool) -> bool {
    match global.color {
        _ if global.no_color => false,
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            is_terminal && env.get("NO_COLOR").is_none() && env.text("TERM") != Some("dumb")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        Environment(pairs.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn directories_follow_xdg_and_fall_back_to_home() {
        let home = env(&[("HOME", "/home/u"), ("XDG_CONFIG_HOME", "relative")]);
        assert_eq!(home.config_dir(), Some("/home/u/.config/ralph".into()));
        assert_eq!(env(&[("XDG_CONFIG_HOME", "/x")]).config_dir(), Some("/x/ralph".into()));
        assert_eq!(env(&[("HOME", "")]).config_dir(), None);
    }

    #[test]
    fn colour_needs_a_terminal_that_wants_it() {
        let auto = GlobalArgs::default();
        let always = GlobalArgs { color: ColorWhen::Always, ..GlobalArgs::default() };
        let no = GlobalArgs { no_color: true, ..always.clone() };
        assert!(has_color(&auto, &env(&[]), true));
        assert!(has_color(&auto, &env(&[("NO_COLOR", "")]), true));
        assert!(!has_color(&auto, &env(&[]), false));
        assert!(!has_color(&auto, &env(&[("NO_COLOR", "1")]), true));
        assert!(!has_color(&auto, &env(&[("TERM", "dumb")]), true));
        assert!(has_color(&always, &env(&[("NO_COLOR", "1")]), false));
        assert!(!has_color(&no, &env(&[]), true));
    }
}
