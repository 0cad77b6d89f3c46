//! A temporary world for one test.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{self, Ran, Running};
use crate::repo::Repo;
use crate::signals::let_children_heed_signals;

/// Long enough for any single command of a test on a loaded machine.
const RUN_LIMIT: Duration = Duration::from_mins(2);

/// What git believes about its user in a sandbox. No fsync: a test's
/// repository does not have to survive the machine.
const GIT_CONFIG: &str = "\
[user]
\tname = Sandbox
\temail = sandbox@example.invalid
[init]
\tdefaultBranch = main
[core]
\tfsync = none
[gc]
\tauto = 0
[maintenance]
\tauto = false
[commit]
\tgpgSign = false
[protocol \"file\"]
\tallow = always
";

/// A temporary directory with its own home, configuration and temporary
/// files, removed with every process left in it when the value is dropped.
///
/// With `KEEP_SANDBOX` set in the environment the directory stays and its path
/// is printed, to look at after a failure.
#[derive(Debug)]
pub struct Sandbox {
    // Removed after `Drop::drop` has ended the processes that live in it.
    _dir: tempfile::TempDir,
    root: PathBuf,
    outputs: AtomicU32,
}

impl Sandbox {
    /// Makes an empty sandbox: `home/`, `tmp/` and a git configuration.
    #[track_caller]
    pub fn new() -> Self {
        let_children_heed_signals();
        let mut dir = tempfile::Builder::new()
            .prefix("ralph-test-")
            .tempdir()
            .expect("a temporary directory can be made");
        if host_var("KEEP_SANDBOX").is_some() {
            dir.disable_cleanup(true);
            say(&format!("kept sandbox: {}", dir.path().display()));
        }
        // Programs print resolved paths; macOS reaches its temporary
        // directory through a symbolic link.
        let root = fs_err::canonicalize(dir.path()).expect("the new directory is there");
        let sandbox = Self { _dir: dir, root, outputs: AtomicU32::new(0) };
        for part in ["home/.config", "home/.cache", "home/.local/state", "tmp", "out"] {
            fs_err::create_dir_all(sandbox.path(part)).expect("the sandbox is writable");
        }
        sandbox.write("home/.gitconfig", GIT_CONFIG);
        sandbox
    }

    /// The sandbox's directory, without symbolic links in it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The home directory of what runs here.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// `relative` inside the sandbox.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Writes a file, making its directories, and returns its path.
    #[track_caller]
    pub fn write(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        let parent = path.parent().expect("a file in the sandbox has a directory");
        fs_err::create_dir_all(parent).expect("the sandbox is writable");
        fs_err::write(&path, content).expect("the sandbox is writable");
        path
    }

    /// Writes an executable `sh` script that stops at its first error, and
    /// returns its path.
    #[track_caller]
    pub fn script(&self, relative: impl AsRef<Path>, body: &str) -> PathBuf {
        let number = self.outputs.fetch_add(1, Ordering::Relaxed);
        let text = self.write(format!("out/{number}.sh"), format!("#!/bin/sh\nset -eu\n{body}\n"));
        let path = self.write(relative, "");
        // Another test's fork may hold what this process has open for writing,
        // and Linux then refuses to execute it; `cp` forks nothing.
        self.run("cp", &self.root, [&text, &path]).success();
        process::make_executable(&path);
        path
    }

    /// The whole environment of what runs here: the host's `PATH` and nothing
    /// else of the host's.
    pub fn env(&self) -> Vec<(OsString, OsString)> {
        let home = self.home();
        let own: [(&str, PathBuf); 7] = [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home.join(".config")),
            ("XDG_CACHE_HOME", home.join(".cache")),
            ("XDG_STATE_HOME", home.join(".local/state")),
            ("XDG_DATA_HOME", home.join(".local/share")),
            ("TMPDIR", self.path("tmp")),
            ("GIT_CONFIG_GLOBAL", home.join(".gitconfig")),
        ];
        let fixed = [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
            ("TERM", "dumb"),
        ];
        own.into_iter()
            .map(|(name, value)| (name.into(), value.into_os_string()))
            .chain(fixed.map(|(name, value)| (name.into(), value.into())))
            .chain([("PATH".into(), host_var("PATH").unwrap_or_default())])
            .collect()
    }

    /// Makes a repository on branch `main` with one empty commit.
    #[track_caller]
    pub fn repo(&self, relative: impl AsRef<Path>) -> Repo<'_> {
        Repo::init(self, self.path(relative))
    }

    /// Makes an empty bare repository, to be pushed to.
    #[track_caller]
    pub fn bare_remote(&self, relative: impl AsRef<Path>) -> PathBuf {
        let path = self.path(relative);
        self.git(
            &self.root,
            [OsStr::new("init"), "--quiet".as_ref(), "--bare".as_ref(), path.as_ref()],
        );
        path
    }

    /// Runs git in `dir` and returns its standard output without the final
    /// newline.
    ///
    /// # Panics
    ///
    /// When git fails, with what it said.
    #[track_caller]
    pub fn git<A: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = A>) -> String {
        self.run("git", dir, args).success().stdout.trim_end_matches('\n').to_owned()
    }

    /// Runs a program to its end in the sandbox's environment, without input.
    ///
    /// # Panics
    ///
    /// When it cannot be started or takes more than two minutes.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        dir: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> Ran {
        self.start(program, dir, args).wait(RUN_LIMIT)
    }

    /// Starts a program in the sandbox's environment, without input and as the
    /// leader of its own process group; dropping the result kills the group.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[track_caller]
    pub fn start<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        dir: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> Running {
        let mut command = command(program.as_ref());
        command.args(args).current_dir(dir).env_clear().envs(self.env());
        self.start_command(command)
    }

    /// Starts a command made by the caller, whose environment should come from
    /// [`Sandbox::env`]; otherwise as [`Sandbox::start`].
    #[track_caller]
    pub fn start_command(&self, command: std::process::Command) -> Running {
        let number = self.outputs.fetch_add(1, Ordering::Relaxed);
        process::start(command, &self.path(format!("out/{number}")))
    }

    /// A command with the sandbox's environment, to add to before
    /// [`Sandbox::start_command`].
    pub fn command(&self, program: impl AsRef<OsStr>, dir: &Path) -> std::process::Command {
        let mut command = command(program.as_ref());
        command.current_dir(dir).env_clear().envs(self.env());
        command
    }

    /// The processes that live in this sandbox: those whose environment names
    /// its home, however deep below the test they were started.
    pub fn processes(&self) -> Vec<u32> {
        process::with_environment(&format!("HOME={}", self.home().display()))
    }

    /// That no process lives in this sandbox any more.
    ///
    /// # Panics
    /// When one does; it says what each of them is.
    #[track_caller]
    pub fn nothing_runs(&self) {
        let left: Vec<String> = self.processes().into_iter().map(process::describe).collect();
        assert!(left.is_empty(), "processes are left behind: {left:#?}");
    }

    /// Sends a signal to one process.
    pub fn signal(&self, pid: u32, signal: Signal) {
        process::signal(pid, signal);
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A killed process may have been about to start another: look again.
        for _ in 0..10 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for pid in left {
                process::signal(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests start children without ralph-process, which they test"
)]
fn command(program: &OsStr) -> std::process::Command {
    std::process::Command::new(program)
}

#[expect(clippy::disallowed_methods, reason = "the one look at the host's environment")]
pub(crate) fn host_var(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[expect(
    clippy::print_stderr,
    reason = "the developer asked to keep the sandbox, and needs its path"
)]
fn say(message: &str) {
    eprintln!("{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_sees_only_the_sandbox() {
        let sandbox = Sandbox::new();
        let ran = sandbox.run("sh", sandbox.root(), ["-c", "echo $HOME; env | cut -d= -f1 | sort"]);
        let ran = ran.success();
        let mut lines = ran.stdout.lines();
        assert_eq!(lines.next(), sandbox.home().to_str());
        let known: Vec<_> = sandbox.env().into_iter().map(|(name, _)| name).collect();
        // `sh` itself adds these three.
        for name in lines.filter(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name)) {
            assert!(known.iter().any(|known| known == name), "{name} leaked into the sandbox");
        }
    }

    #[test]
    fn git_works_without_the_hosts_configuration() {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo("a repo");
        let first = repo.head();
        repo.write("dir/file.txt", "text\n").commit("file: add it");
        assert_eq!(repo.git(["show", "HEAD:dir/file.txt"]), "text");
        assert_eq!(repo.git(["rev-parse", "HEAD~1"]), first);
        assert_eq!(repo.read("dir/file.txt"), "text\n");
        assert_eq!(repo.git(["status", "--porcelain"]), "");
    }

    #[test]
    fn scripts_run_and_stop_at_their_first_error() {
        let sandbox = Sandbox::new();
        let script = sandbox.script("bin/fails", "echo before; false; echo after");
        let ran = sandbox.run(script, sandbox.root(), [] as [&str; 0]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "before\n"));
    }

    #[test]
    fn the_end_of_a_sandbox_is_the_end_of_its_processes() {
        let sandbox = Sandbox::new();
        let ran = sandbox.run("sh", sandbox.root(), ["-c", "sleep 600 & echo started"]);
        assert_eq!(ran.success().stdout, "started\n");
        let left = sandbox.processes();
        assert_eq!(left.len(), 1);
        let root = sandbox.root().to_owned();
        drop(sandbox);
        assert!(!root.exists());
        crate::wait_until(Duration::from_secs(5), "the grandchild to end", || {
            !process::is_running(left[0])
        });
    }
}
