//! A child: how it is waited for and stopped.

use std::fmt;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ralph_state::ProcessIdentity;
use rustix::process::{Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::adopt::{self, children};
use crate::command::{Command, Input, Leftovers, Output, SpawnError, prepare, refused};
use crate::drain::{Captured, Drain};
use crate::end::{EndReport, end_child, end_orphans};
use crate::{Cancel, os};

/// How long a program is retried that somebody still has open for writing: a thread of ours
/// that forks at the wrong moment holds it for as long as its child takes to start.
const BUSY_LIMIT: Duration = Duration::from_secs(1);

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
    /// It was stopped here because it asked at the terminal, where it would have waited for ever.
    Asked,
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
            Self::Asked => f.write_str("it asked at the terminal, where nobody answers"),
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
    /// Processes of it that had to end and could not be ended: when it was stopped, or was to
    /// leave nothing.
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
    interrupt: Duration,
    grace: Duration,
    /// Of a child that is to leave nothing: the orphans that were there before it.
    others: Option<Vec<ProcessIdentity>>,
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
    let others = (command.leftovers == Leftovers::End).then(adopt::adopted);
    let started = Instant::now();
    let mut inner =
        while_busy(|| children().start(&mut prepared)).map_err(|error| refused(command, error))?;
    tracing::debug!(pid = inner.id(), program = ?command.program, dir = ?command.dir, "started");
    let streams = start_streams(command, &mut inner);
    let mut child = Child {
        inner,
        identity: OnceLock::new(),
        stdout: None,
        stderr: None,
        marker: command.marker.clone(),
        interrupt: command.interrupt,
        grace: command.grace,
        others,
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

/// Starts again what Linux refuses because somebody still has the program open for writing.
fn while_busy<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let first = Instant::now();
    loop {
        match start() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && first.elapsed() < BUSY_LIMIT =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            answer => return answer,
        }
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
            let mut children = children();
            self.exit = self.inner.try_wait()?.map(Exit::from);
            if self.exit.is_some() {
                children.reaped(self.inner.id());
            }
        }
        Ok(self.exit)
    }

    /// Waits for its end, however long that takes.
    pub fn wait(&mut self) -> Exit {
        let inner = &mut self.inner;
        *self.exit.get_or_insert_with(|| {
            await_end(inner.id(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            let mut children = children();
            // A child that cannot be waited for was reaped elsewhere: its exit is lost.
            let exit = inner.wait().map_or(Exit::Code(-1), Exit::from);
            children.reaped(inner.id());
            exit
        })
    }

    /// Waits for its end and for its captured output.
    ///
    /// When `limit` (counted from its start) or `cancel` comes first it is stopped, as
    /// [`Child::terminate`] does. Ends soon after the child does, even if a process that it left
    /// in the background holds its pipes; such a process is left alone when the child ends on
    /// its own, unless the child was to leave nothing.
    pub fn finish(self, limit: Option<Duration>, cancel: &Cancel) -> Finished {
        self.run_down(limit, cancel, None)
    }

    /// As [`Child::finish`], and meanwhile calls `look` some twenty times a second; a
    /// [`ControlFlow::Break`] from it stops the child as `cancel` would.
    pub fn finish_watched(
        self,
        limit: Option<Duration>,
        cancel: &Cancel,
        look: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Finished {
        self.run_down(limit, cancel, Some(look))
    }

    fn run_down(
        mut self,
        limit: Option<Duration>,
        cancel: &Cancel,
        look: Option<&mut dyn FnMut() -> ControlFlow<()>>,
    ) -> Finished {
        let stopped = self.watch(limit, cancel, look);
        let (exit, mut survivors) = match stopped {
            None => {
                let survivors = self.end_leftovers();
                (self.wait(), survivors)
            }
            Some(exit) => {
                self.ask_to_end();
                (exit, self.terminate(self.grace).survivors)
            }
        };
        if let Some(others) = &self.others
            && !children().are_none()
        {
            // Born while its parent died, and in no look at the table so far.
            survivors.extend(end_orphans(others).survivors);
        }
        let wall = self.started.elapsed();
        tracing::debug!(pid = self.inner.id(), %exit, "ended");
        let [stdout, stderr] = [self.stdout.take(), self.stderr.take()]
            .map(|stream| stream.map(Drain::collect).unwrap_or_default());
        Finished { exit, stdout, stderr, wall, survivors }
    }

    /// Ends it and its descendants; it is not reaped.
    fn end(&self, grace: Duration) -> EndReport {
        end_child(self.identity(), self.others.as_deref(), self.marker.as_deref(), grace)
    }

    /// Ends what a child that has ended, and is not reaped yet, left running, if it was to
    /// leave nothing; tells what could not be ended.
    fn end_leftovers(&self) -> Vec<ProcessIdentity> {
        match self.others {
            Some(_) if self.exit.is_none() => self.end(self.grace).survivors,
            _ => Vec::new(),
        }
    }

    /// Waits until it has ended (`None`) or has to be stopped. It is not reaped, so that its
    /// group's number stays its own.
    fn watch(
        &mut self,
        limit: Option<Duration>,
        cancel: &Cancel,
        mut look: Option<&mut dyn FnMut() -> ControlFlow<()>>,
    ) -> Option<Exit> {
        const LOOK: Duration = Duration::from_millis(50);
        const SELDOM: Duration = Duration::from_secs(1);
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
            let pause = if waiter.is_err() || look.is_some() { LOOK } else { SELDOM };
            let next = Instant::now() + pause;
            let until = deadline.map_or(next, |deadline| deadline.min(next));
            cancel.wait_until(Some(until), || ended.load(Ordering::Acquire));
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
            if asks_at_terminal(pid) {
                return Some(Exit::Asked);
            }
            if look.as_mut().is_some_and(|look| look().is_break()) {
                return Some(Exit::Cancelled);
            }
        }
    }

    /// Sends SIGINT, where that is worth a try, and waits for what it does.
    fn ask_to_end(&self) {
        const LOOK: Duration = Duration::from_millis(10);
        let Some(group) = os::pid(self.inner.id()).filter(|_| !self.interrupt.is_zero()) else {
            return;
        };
        let deadline = Instant::now() + self.interrupt;
        // It may have ended on its own.
        let _ = kill_process_group(group, Signal::INT);
        let now = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while !await_end(self.inner.id(), now) && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
    }

    /// Stops it and its descendants: SIGTERM to its group and to what carries its marker,
    /// SIGKILL after `grace`, and a look whether all are gone. The child is reaped.
    pub fn terminate(&mut self, grace: Duration) -> EndReport {
        if self.exit.is_some() {
            // Reaped: its group's number may be somebody else's by now.
            return crate::end(&[], self.marker.as_deref(), grace);
        }
        let report = self.end(grace);
        if report.survivors.contains(self.identity()) {
            tracing::warn!(pid = self.inner.id(), "a child survived SIGKILL");
        } else {
            self.wait();
        }
        report
    }
}

/// Whether the child was halted since it wanted something of the terminal: the system gives that to
/// the group in the foreground alone, which is ours.
fn asks_at_terminal(pid: u32) -> bool {
    let halted = |pid| waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
    let status = os::pid(pid).and_then(|pid| halted(pid).ok()?);
    let signal = status.and_then(|status| status.stopping_signal());
    signal.is_some_and(|signal| [Signal::TTIN, Signal::TTOU].map(Signal::as_raw).contains(&signal))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_still_open_for_writing_is_tried_again() {
        let busy = || io::Error::from(io::ErrorKind::ExecutableFileBusy);
        let mut answers = vec![Ok(7), Err(busy()), Err(busy())];
        assert_eq!(while_busy(|| answers.pop().expect("no try too many")).expect("started"), 7);
        assert!(answers.is_empty());
        let mut tries = 0;
        let missing = while_busy(|| {
            tries += 1;
            Err::<(), _>(io::Error::from(io::ErrorKind::NotFound))
        });
        assert_eq!((missing.expect_err("refused").kind(), tries), (io::ErrorKind::NotFound, 1));
    }

    #[cfg(target_os = "linux")]
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the start itself is what is tested")]
    fn the_system_says_busy_while_a_program_is_open_for_writing() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        let tool = dir.path().join("tool");
        fs_err::write(&tool, "#!/bin/sh\n").expect("writable");
        fs_err::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).expect("its own");
        let mut writer = fs_err::OpenOptions::new().append(true).open(&tool).ok();
        let mut refusals = 0;
        let mut prepared = std::process::Command::new(&tool);
        let child = while_busy(|| {
            let answer = prepared.spawn();
            if answer.is_err() {
                refusals += 1;
                writer = None;
            }
            answer
        });
        assert!(child.expect("started").wait().expect("ended").success());
        assert!(refusals >= 1, "it was busy at first");
    }
}
