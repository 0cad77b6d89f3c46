//! Children: how they are started, waited for and stopped.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ralph_state::ProcessIdentity;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use thiserror::Error;

use crate::drain::{Captured, Drain};
use crate::end::{EndReport, end_child};
use crate::{Cancel, MARKER, os};

/// How long a program is retried that somebody still has open for writing: a thread of ours
/// that forks at the wrong moment holds it for as long as its child takes to start.
const BUSY_LIMIT: Duration = Duration::from_secs(1);

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
    /// Time between SIGTERM and SIGKILL when it is stopped.
    pub grace: Duration,
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
            grace: Duration::from_secs(1),
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
}

/// Why a child was not started. Nothing is left of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such program.
    #[error("there is no program `{}`", program.display())]
    NotFound {
        /// Its name or path.
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

/// How a child ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// On its own, with this code.
    Code(i32),
    /// By this signal, not sent from here.
    Signal(i32),
    /// It was stopped here because its time was over.
    TimedOut,
    /// It was stopped here because somebody asked for it.
    Cancelled,
}

impl Exit {
    /// Whether it ended on its own with code 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            // A stopped child is never reported here.
            (None, None) => Self::Code(-1),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut => f.write_str("stopped at its time limit"),
            Self::Cancelled => f.write_str("stopped on request"),
        }
    }
}

/// A child that has ended.
#[derive(Clone, Debug)]
#[must_use = "look at how it ended"]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to its captured output.
    pub stdout: Captured,
    /// What it wrote to its captured errors.
    pub stderr: Captured,
    /// How long it took.
    pub wall: Duration,
    /// Processes that could not be ended when it was stopped; empty otherwise.
    pub survivors: Vec<ProcessIdentity>,
}

/// Runs `command` to its end: [`spawn`] and [`Child::finish`].
///
/// # Errors
/// When it cannot be started.
pub fn run(
    command: &Command,
    limit: Option<Duration>,
    cancel: &Cancel,
) -> Result<Finished, SpawnError> {
    Ok(start(command)?.finish(limit, cancel))
}

/// A child of this process. Dropping it leaves it running, with its output still read.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    /// Asked for only when needed: on some systems it takes another child to find out.
    identity: OnceLock<ProcessIdentity>,
    stdout: Option<Drain>,
    stderr: Option<Drain>,
    marker: Option<String>,
    grace: Duration,
    started: Instant,
    exit: Option<Exit>,
}

/// Starts `command`.
///
/// # Errors
/// When it cannot be started. An output file may have been made.
pub fn spawn(command: &Command) -> Result<Child, SpawnError> {
    let child = start(command)?;
    // While it is sure to be in the table.
    child.identity();
    Ok(child)
}

fn start(command: &Command) -> Result<Child, SpawnError> {
    let mut prepared = prepare(command)?;
    let started = Instant::now();
    let mut inner = loop {
        match prepared.spawn() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && started.elapsed() < BUSY_LIMIT =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(refused(command, error)),
            Ok(inner) => break inner,
        }
    };
    tracing::debug!(pid = inner.id(), program = ?command.program, dir = ?command.dir, "started");
    let streams = start_streams(command, &mut inner);
    let mut child = Child {
        inner,
        identity: OnceLock::new(),
        stdout: None,
        stderr: None,
        marker: command.marker.clone(),
        grace: command.grace,
        started,
        exit: None,
    };
    match streams {
        Ok((stdout, stderr)) => Ok(Child { stdout, stderr, ..child }),
        Err(source) => {
            let _ended = child.terminate(Duration::ZERO);
            Err(SpawnError::Io { program: PathBuf::from(&command.program), source })
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts children")]
fn prepare(command: &Command) -> Result<std::process::Command, SpawnError> {
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

fn refused(command: &Command, source: io::Error) -> SpawnError {
    let program = PathBuf::from(&command.program);
    match source.kind() {
        io::ErrorKind::ArgumentListTooLong => SpawnError::TooLong { program },
        // The kernel says "not found" for a script's interpreter too.
        io::ErrorKind::NotFound if !resolve(&command.program, &command.dir).is_file() => {
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

fn start_streams(
    command: &Command,
    inner: &mut std::process::Child,
) -> io::Result<(Option<Drain>, Option<Drain>)> {
    if let (Some(mut pipe), Input::Bytes(bytes)) = (inner.stdin.take(), &command.stdin) {
        let bytes = bytes.clone();
        // Ends with a broken pipe when the child does; a grandchild that keeps the reading end
        // and never reads costs a sleeping thread.
        std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || drop(pipe.write_all(&bytes)))?;
    }
    let stdout = inner.stdout.take().map(OwnedFd::from);
    let stderr = inner.stderr.take().map(OwnedFd::from);
    Ok((drain(stdout, &command.stdout)?, drain(stderr, &command.stderr)?))
}

fn drain(pipe: Option<OwnedFd>, output: &Output) -> io::Result<Option<Drain>> {
    match (pipe, output) {
        (Some(pipe), Output::Capture { limit }) => Drain::start(pipe, *limit).map(Some),
        _ => Ok(None),
    }
}

impl Child {
    /// Which process it is.
    pub fn identity(&self) -> &ProcessIdentity {
        self.identity.get_or_init(|| {
            let pid = self.inner.id();
            let start_time = os::entry(pid).map_or(0, |entry| entry.start_time);
            ProcessIdentity { pid, start_time, boot_id: os::boot_id().to_owned() }
        })
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        if self.exit.is_none() {
            self.exit = self.inner.try_wait()?.map(Exit::from);
        }
        Ok(self.exit)
    }

    /// Waits for its end, however long that takes.
    pub fn wait(&mut self) -> Exit {
        let inner = &mut self.inner;
        *self.exit.get_or_insert_with(|| {
            // A child that cannot be waited for was reaped elsewhere: its exit is lost.
            inner.wait().map_or(Exit::Code(-1), Exit::from)
        })
    }

    /// Waits for its end and for its captured output.
    ///
    /// When `limit` (counted from its start) or `cancel` comes first it is stopped, as
    /// [`Child::terminate`] does. Ends soon after the child does, even if a process that it left
    /// in the background holds its pipes; such a process is left alone when the child ends on
    /// its own.
    pub fn finish(mut self, limit: Option<Duration>, cancel: &Cancel) -> Finished {
        let stopped = self.watch(limit, cancel);
        let mut survivors = Vec::new();
        let exit = match stopped {
            None => self.wait(),
            Some(exit) => {
                survivors = self.terminate(self.grace).survivors;
                exit
            }
        };
        let wall = self.started.elapsed();
        tracing::debug!(pid = self.inner.id(), %exit, "ended");
        let [stdout, stderr] = [self.stdout.take(), self.stderr.take()]
            .map(|stream| stream.map(Drain::collect).unwrap_or_default());
        Finished { exit, stdout, stderr, wall, survivors }
    }

    /// Waits until it has ended (`None`) or has to be stopped. It is not reaped, so that its
    /// group's number stays its own.
    fn watch(&mut self, limit: Option<Duration>, cancel: &Cancel) -> Option<Exit> {
        const LOOK: Duration = Duration::from_millis(20);
        if self.exit.is_some() {
            return None;
        }
        let ended = Arc::new(AtomicBool::new(false));
        let (tell, wake, pid) = (Arc::clone(&ended), cancel.clone(), self.inner.id());
        let waiter = std::thread::Builder::new().name("waiter".to_owned()).spawn(move || {
            await_end(pid, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            tell.store(true, Ordering::Release);
            wake.wake();
        });
        let deadline = limit.and_then(|limit| self.started.checked_add(limit));
        loop {
            // Without a thread, which a machine at its limits may refuse, look now and then.
            let look = waiter.is_err().then(|| Instant::now() + LOOK);
            let until = deadline.into_iter().chain(look).min();
            cancel.wait_until(until, || ended.load(Ordering::Acquire));
            let now = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            if ended.load(Ordering::Acquire) || await_end(pid, now) {
                return None;
            }
            if cancel.is_cancelled() {
                return Some(Exit::Cancelled);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Some(Exit::TimedOut);
            }
        }
    }

    /// Stops it and its descendants: SIGTERM to its group and to what carries its marker,
    /// SIGKILL after `grace`, and a look whether all are gone. The child is reaped.
    pub fn terminate(&mut self, grace: Duration) -> EndReport {
        let marker = self.marker.as_deref();
        if self.exit.is_some() {
            // Reaped: its group's number may be somebody else's by now.
            return crate::end(&[], marker, grace);
        }
        let report = end_child(self.identity(), marker, grace);
        if report.survivors.contains(self.identity()) {
            tracing::warn!(pid = self.inner.id(), "a child survived SIGKILL");
        } else {
            self.wait();
        }
        report
    }
}

/// Whether the child has ended, without reaping it.
fn await_end(pid: u32, how: WaitIdOptions) -> bool {
    let Some(pid) = os::pid(pid) else { return true };
    loop {
        match waitid(WaitId::Pid(pid), how) {
            Ok(status) => return status.is_some(),
            Err(rustix::io::Errno::INTR) => {}
            // Reaped already.
            Err(_) => return true,
        }
    }
}
