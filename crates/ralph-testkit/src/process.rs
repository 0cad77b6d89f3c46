//! Children with a deadline, and the processes of a sandbox.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fs_err::File;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait::poll;

/// What a program did: everything it wrote and how it ended.
#[derive(Clone, Debug)]
#[must_use = "look at the exit status or the output"]
pub struct Ran {
    /// The program and its arguments, for messages.
    pub command: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output; bytes that are no UTF-8 are replaced.
    pub stdout: String,
    /// What it wrote to standard error, likewise.
    pub stderr: String,
}

impl Ran {
    /// Passes the result on if the program exited with 0.
    ///
    /// # Panics
    ///
    /// When it did not, with all it wrote.
    #[track_caller]
    pub fn success(&self) -> &Self {
        self.exited(0)
    }

    /// Passes the result on if the program exited with `code`.
    ///
    /// # Panics
    ///
    /// When it did not, with all it wrote.
    #[track_caller]
    pub fn exited(&self, code: i32) -> &Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        let end = code.map_or("ended by a signal".to_owned(), |code| format!("exit code {code}"));
        write!(f, "{command}: {end}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

/// A child that was started and not yet waited for; its process group is
/// killed when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it kills the child"]
pub struct Running {
    command: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// The child's process id, which is also its group's.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        read_text(&self.stdout)
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        read_text(&self.stderr)
    }

    /// Sends a signal to the child alone.
    pub fn signal(&self, signal: Signal) {
        self::signal(self.pid(), signal);
    }

    /// Sends a signal to the child and every process of its group.
    pub fn signal_group(&self, signal: Signal) {
        signal_group(self.pid(), signal);
    }

    /// Whether the child has ended; says nothing about its own children.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Waits for the child's end.
    ///
    /// # Panics
    ///
    /// When `limit` passes first, with what was written until then.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Ran {
        let status = poll(limit, || self.child.try_wait().expect("a child can be waited for"));
        let ran = Ran {
            command: self.command.clone(),
            code: status.and_then(|status| status.code()),
            stdout: self.stdout(),
            stderr: self.stderr(),
        };
        assert!(status.is_some(), "still running after {limit:?}\n{ran}");
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once reaped, the number may belong to someone else's group.
        if let Ok(None) = self.child.try_wait() {
            signal_group(self.pid(), Signal::KILL);
            // The end of a test is no place to fail: the kernel reaps for us.
            drop(self.child.wait());
        }
    }
}

/// Starts `command` with its output in `<outputs>.stdout` and `.stderr`:
/// unlike a pipe, a file is never held open by a grandchild.
#[track_caller]
pub(crate) fn start(mut command: Command, outputs: &Path) -> Running {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let text = words.join(" ");
    let stdout = outputs.with_extension("stdout");
    let stderr = outputs.with_extension("stderr");
    command.stdin(Stdio::null()).stdout(output(&stdout)).stderr(output(&stderr));
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {text}: {error}"));
    Running { command: text, child, stdout, stderr }
}

fn output(path: &Path) -> Stdio {
    File::create(path).expect("the sandbox is writable").into_parts().0.into()
}

fn read_text(path: &Path) -> String {
    String::from_utf8_lossy(&fs_err::read(path).expect("made when the child started")).into_owned()
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = as_pid(pid) {
        // It may have ended on its own, and then there is nothing to do.
        let _ = kill_process(pid, signal);
    }
}

fn signal_group(pid: u32, signal: Signal) {
    if let Some(pid) = as_pid(pid) {
        let _ = kill_process_group(pid, signal);
    }
}

fn as_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
pub(crate) fn is_running(pid: u32) -> bool {
    as_pid(pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

pub(crate) fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(path, mode).expect("the sandbox is writable");
}

/// What a process is: its number, its state and parent, and its command line.
#[cfg(target_os = "linux")]
pub(crate) fn describe(pid: u32) -> String {
    let read = |file: &str| fs_err::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let (command, stat) = (read("cmdline"), read("stat"));
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let stat: Vec<String> =
        String::from_utf8_lossy(&stat).split(' ').take(5).map(str::to_owned).collect();
    format!("{} `{}`", stat.join(" "), command.trim_end())
}

/// What a process is.
#[cfg(not(target_os = "linux"))]
pub(crate) fn describe(pid: u32) -> String {
    pid.to_string()
}

/// The processes whose environment has the entry `name=value`.
#[cfg(target_os = "linux")]
pub(crate) fn with_environment(entry: &str) -> Vec<u32> {
    let listing = fs_err::read_dir("/proc").expect("Linux has /proc");
    let mut found: Vec<u32> = listing
        .filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            // Gone since, or someone else's: not ours either way.
            let environment = fs_err::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|has| has == entry.as_bytes())
        })
        .collect();
    found.sort_unstable();
    found
}

/// The processes whose environment has the entry `name=value`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn with_environment(entry: &str) -> Vec<u32> {
    #[expect(clippy::disallowed_methods, reason = "there is no other list of processes here")]
    let listing = Command::new("ps").args(["-axEww", "-o", "pid=,command="]).output();
    let listing = listing.map(|output| output.stdout).unwrap_or_default();
    let mut found: Vec<u32> = String::from_utf8_lossy(&listing)
        .lines()
        .filter(|line| line.split_whitespace().any(|word| word == entry))
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    found.sort_unstable();
    found
}
