//! What to start, and why it may not start.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;

use crate::MARKER;

/// A program to start.
///
/// It gets this process's environment with what is said here on top, and `PWD`. It becomes the
/// leader of its own process group, so a Ctrl-C at the terminal reaches only Ralph.
#[derive(Clone, Debug)]
#[must_use = "nothing is started yet"]
pub struct Command {
    /// Its name, looked up on `PATH`, or its path, relative to `dir`.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The directory it starts in.
    pub dir: PathBuf,
    /// Which of this process's environment it gets.
    pub inherit: Inherit,
    /// Variables taken away from what is inherited.
    pub env_remove: Vec<OsString>,
    /// Variables set.
    pub env: Vec<(OsString, OsString)>,
    /// What it reads.
    pub stdin: Input,
    /// Where its output goes.
    pub stdout: Output,
    /// Where its errors go.
    pub stderr: Output,
    /// Put into the environment, so that every descendant can be found: see [`Command::marker`].
    pub marker: Option<String>,
    /// When it is stopped, how long it first gets to end on a SIGINT to its group; zero for a
    /// program that does no better on SIGINT than on SIGTERM.
    pub interrupt: Duration,
    /// Time between SIGTERM and SIGKILL when it is stopped.
    pub grace: Duration,
    /// What becomes of the processes that it left running when it ends on its own.
    pub leftovers: Leftovers,
}

/// What becomes of the processes that a child left running when it ended on its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leftovers {
    /// They go on.
    Stay,
    /// They end too.
    End,
}

/// Which of this process's environment a child gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inherit {
    /// All of it.
    Everything,
    /// None of it.
    Nothing,
}

/// What a child reads.
#[derive(Clone, Debug)]
pub enum Input {
    /// Nothing: the end of input at once.
    Null,
    /// These bytes, then the end. A child that does not read them is no error.
    Bytes(Vec<u8>),
    /// A file.
    File(PathBuf),
}

/// Where a child's output goes.
#[derive(Clone, Debug)]
pub enum Output {
    /// Nowhere.
    Null,
    /// Into memory: the last `limit` bytes are kept, all are counted.
    Capture {
        /// Bytes kept.
        limit: usize,
    },
    /// To the end of a file, which is made if need be. Unlike a pipe a file outlives this
    /// process: a child that writes to one can be adopted after a crash.
    Append(PathBuf),
    /// Into a file that is emptied first.
    Truncate(PathBuf),
    /// Where this process's own goes.
    Inherit,
}

impl Command {
    /// `program` without arguments in `dir`: reads nothing, all output is dropped.
    pub fn new(program: impl Into<OsString>, dir: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            dir: dir.into(),
            inherit: Inherit::Everything,
            env_remove: Vec::new(),
            env: Vec::new(),
            stdin: Input::Null,
            stdout: Output::Null,
            stderr: Output::Null,
            marker: None,
            interrupt: Duration::ZERO,
            grace: Duration::from_secs(1),
            leftovers: Leftovers::Stay,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets variables.
    pub fn envs(mut self, env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.env.extend(env);
        self
    }

    /// Takes an inherited variable away.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env_remove.push(name.into());
        self
    }

    /// Inherits nothing: the environment is what was set, and `PWD`.
    pub fn env_clear(mut self) -> Self {
        self.inherit = Inherit::Nothing;
        self
    }

    /// What it reads.
    pub fn stdin(mut self, input: Input) -> Self {
        self.stdin = input;
        self
    }

    /// Where its output goes.
    pub fn stdout(mut self, output: Output) -> Self {
        self.stdout = output;
        self
    }

    /// Where its errors go.
    pub fn stderr(mut self, output: Output) -> Self {
        self.stderr = output;
        self
    }

    /// Exports `marker` as `RALPH_PROCESS_MARKER`: [`crate::marked`] and [`crate::end`] then find
    /// every descendant that keeps its environment. Markers nest like paths: who looks for
    /// `a` also finds `a/b`, so a child that starts marked children of its own extends its own.
    pub fn marker(mut self, marker: impl Into<String>) -> Self {
        self.marker = Some(marker.into());
        self
    }

    /// Time between SIGTERM and SIGKILL when it is stopped; one second unless said.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Ends what it leaves running, also when it ends on its own: its group, its descendants,
    /// what carries its marker and, after [`crate::adopt_orphans`], every process that lost
    /// its parent while it ran. What cannot be ended is among
    /// [`Finished::survivors`](crate::Finished::survivors).
    pub fn leave_nothing(mut self) -> Self {
        self.leftovers = Leftovers::End;
        self
    }

    /// Sets how long it first gets to end on SIGINT.
    pub fn interrupt(mut self, interrupt: Duration) -> Self {
        self.interrupt = interrupt;
        self
    }
}

/// Why a child was not started. Nothing is left of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such program.
    #[error("there is no program `{}`", program.display())]
    NotFound {
        /// Its name, or the whole path that was looked for.
        program: PathBuf,
    },
    /// The program is there and cannot be executed: no permission, no program, or a script
    /// whose interpreter is missing.
    #[error("`{}` cannot be executed", program.display())]
    NotExecutable {
        /// Its name or path.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The directory to start in is missing or cannot be entered.
    #[error("cannot start in {}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Arguments and environment together, or one of them, are longer than the system allows.
    #[error("the arguments of `{}` are too long for the system", program.display())]
    TooLong {
        /// The program.
        program: PathBuf,
    },
    /// The input file cannot be opened.
    #[error("cannot open the input {}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An output file cannot be opened.
    #[error("cannot open the output {}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The system has no process, thread or pipe left, or refused otherwise.
    #[error("cannot start `{}`", program.display())]
    Io {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts children")]
pub(crate) fn prepare(command: &Command) -> Result<std::process::Command, SpawnError> {
    let directory = |source| SpawnError::Directory { dir: command.dir.clone(), source };
    if !fs_err::metadata(&command.dir).map_err(directory)?.is_dir() {
        return Err(directory(io::ErrorKind::NotADirectory.into()));
    }
    let mut prepared = std::process::Command::new(resolve(&command.program, &command.dir));
    prepared.args(&command.args).current_dir(&command.dir).process_group(0);
    if command.inherit == Inherit::Nothing {
        prepared.env_clear();
    }
    for name in &command.env_remove {
        prepared.env_remove(name);
    }
    // What is inherited names our own directory.
    prepared.env("PWD", &command.dir);
    for (name, value) in &command.env {
        prepared.env(name, value);
    }
    if let Some(marker) = &command.marker {
        prepared.env(MARKER, marker);
    }
    prepared.stdin(match &command.stdin {
        Input::Null => Stdio::null(),
        Input::Bytes(_) => Stdio::piped(),
        Input::File(path) => {
            let failed = |source| SpawnError::Input { path: path.clone(), source };
            fs_err::File::open(path).map_err(failed)?.into_parts().0.into()
        }
    });
    prepared.stdout(open(&command.stdout)?).stderr(open(&command.stderr)?);
    Ok(prepared)
}

/// A relative path is meant from the child's directory; what the standard library makes of it
/// depends on the system.
fn resolve(program: &OsStr, dir: &Path) -> PathBuf {
    let path = Path::new(program);
    if path.components().count() > 1 { dir.join(path) } else { path.to_owned() }
}

fn open(output: &Output) -> Result<Stdio, SpawnError> {
    let mut options = fs_err::OpenOptions::new();
    let path = match output {
        Output::Null => return Ok(Stdio::null()),
        Output::Capture { .. } => return Ok(Stdio::piped()),
        Output::Inherit => return Ok(Stdio::inherit()),
        Output::Append(path) => {
            options.append(true);
            path
        }
        Output::Truncate(path) => {
            options.write(true).truncate(true);
            path
        }
    };
    match options.create(true).open(path) {
        Ok(file) => Ok(file.into_parts().0.into()),
        Err(source) => Err(SpawnError::Output { path: path.clone(), source }),
    }
}

pub(crate) fn refused(command: &Command, source: io::Error) -> SpawnError {
    let program = PathBuf::from(&command.program);
    match source.kind() {
        io::ErrorKind::ArgumentListTooLong => SpawnError::TooLong { program },
        // The kernel says "not found" for a script's interpreter too.
        io::ErrorKind::NotFound if !resolve(&command.program, &command.dir).is_file() => {
            // Without the `.` of `./program` in its middle.
            let program = resolve(&command.program, &command.dir).components().collect();
            SpawnError::NotFound { program }
        }
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            SpawnError::NotExecutable { program, source }
        }
        _ if source.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            SpawnError::NotExecutable { program, source }
        }
        _ => SpawnError::Io { program, source },
    }
}
