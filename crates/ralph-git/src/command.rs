//! How git is run: found once, undisturbed by the user's settings, with a limit, understood.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ralph_process::{Cancel, Command, Exit, Input, Output, SpawnError, find_program, run};
use thiserror::Error;

/// What git gets from the outside world.
#[derive(Clone, Debug, Default)]
pub struct GitEnv {
    /// The value of `PATH`, where git is looked up and what it gets; `None` leaves this
    /// process's own.
    pub path: Option<OsString>,
    /// Variables set for every run of git, on top of what this process has and of what is set
    /// here so that nothing is asked.
    pub vars: Vec<(OsString, OsString)>,
    /// Whether the commits made here are signed.
    pub signing: Signing,
}

/// Whether commits are signed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Signing {
    /// Never: a key that asks for its passphrase would stop a night's run.
    #[default]
    Off,
    /// As the user's `commit.gpgSign` says.
    AsConfigured,
}

/// Why a run of git gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GitError {
    /// Git could not be started.
    #[error("cannot run git")]
    Spawn(#[from] SpawnError),
    /// It was stopped at its time limit.
    #[error("`git {command}` took longer than {} s", limit.as_secs())]
    TimedOut {
        /// The subcommand.
        command: String,
        /// The limit.
        limit: Duration,
    },
    /// It was stopped because the run was asked to: only a clone, a fetch or a push is.
    #[error("`git {command}` was cancelled")]
    Cancelled {
        /// The subcommand.
        command: String,
    },
    /// Another git holds a lock, or one that was killed left it behind.
    #[error("`git {command}` needs the lock {}, which another git process holds", path.display())]
    Locked {
        /// The subcommand.
        command: String,
        /// The lock file.
        path: PathBuf,
    },
    /// The disk, or the user's share of it, is full.
    #[error("no space left for `git {command}`")]
    DiskFull {
        /// The subcommand.
        command: String,
    },
    /// It failed.
    #[error("`git {command}` failed ({exit}): {stderr}")]
    Failed {
        /// The subcommand.
        command: String,
        /// How it ended.
        exit: Exit,
        /// What it said, without the secrets of URLs.
        stderr: String,
    },
    /// It printed something that is not understood here.
    #[error("`git {command}` printed something unexpected: {output}")]
    Unreadable {
        /// The subcommand.
        command: String,
        /// The part that was not understood.
        output: String,
    },
    /// A file of the work tree or of git's own directory could not be used.
    #[error("a file of the repository cannot be used")]
    Io(#[from] io::Error),
}

/// Long enough for anything that neither talks to another machine nor writes a work tree.
const LOCAL: Duration = Duration::from_mins(2);
/// For the network, and for writing a work tree, which may fetch large files.
const LONG: Duration = Duration::from_mins(15);

/// Settings of the user that would change what the operations here do or print.
const OVERRIDES: &[&str] = &[
    // What is printed.
    "color.ui=false",
    "core.quotePath=false",
    "log.showSignature=false",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
    // What runs beside: hooks, daemons and housekeeping in the background.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    // Or a file that an agent edits looks as it was checked out.
    "core.ignoreStat=false",
    "gc.auto=0",
    "maintenance.auto=false",
    // What a rebase, a merge, a fetch or a push does besides.
    "merge.conflictStyle=diff3",
    "merge.autoStash=false",
    "rebase.autoStash=false",
    "rebase.autoSquash=false",
    "rebase.updateRefs=false",
    "rebase.missingCommitsCheck=ignore",
    "rerere.enabled=false",
    "fetch.prune=false",
    "fetch.writeCommitGraph=false",
    "push.followTags=false",
    "push.gpgSign=false",
    "push.recurseSubmodules=no",
    "submodule.recurse=false",
    // A fetch of a commit that no branch of the other repository names.
    "protocol.version=2",
    "core.splitIndex=false",
    // An agent's work outlives a power cut: objects and refs reach the disk.
    "core.fsync=committed,reference",
    // Or `git add` refuses files whose line endings it would change.
    "core.safecrlf=false",
    "trailer.separators=:",
    // Somebody else's git holds a ref for milliseconds.
    "core.filesRefLockTimeout=1000",
    "core.packedRefsTimeout=5000",
];

/// Variables by which the git that started us, if one did (a hook, an alias), tells where its
/// repository is; and those that change how paths and objects are read. No git that works in another
/// directory may have them, whoever runs it.
pub const FOREIGN: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_INDEX_VERSION",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_GRAFT_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_REFLOG_ACTION",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_DATE",
];

const FIXED: &[(&str, &str)] = &[
    ("LC_ALL", "C"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
    // Nobody is there to answer: neither at the terminal nor at a window.
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "false"),
    ("SSH_ASKPASS", "false"),
    ("SSH_ASKPASS_REQUIRE", "force"),
    ("GCM_INTERACTIVE", "never"),
];

/// One run of git to be made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    args: Vec<OsString>,
    stdin: Vec<u8>,
    env: Vec<(OsString, OsString)>,
    config: Vec<&'static str>,
    limit: Duration,
    stop: Stop,
}

/// Whether a run of git ends when the whole run is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// It is short, and may be what saves the work after that request.
    Never,
    /// It waits for another machine, or makes what is thrown away anyway.
    OnRequest,
}

impl Call {
    pub(crate) fn new<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let (stdin, env, config) = (Vec::new(), Vec::new(), Vec::new());
        Self { args, stdin, env, config, limit: LOCAL, stop: Stop::Never }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn config(mut self, setting: &'static str) -> Self {
        self.config.push(setting);
        self
    }

    /// Writes or reads a whole work tree.
    pub(crate) fn long(mut self) -> Self {
        self.limit = LONG;
        self
    }

    /// Takes long, and ends when the run is asked to stop.
    pub(crate) fn stoppable(mut self) -> Self {
        self.stop = Stop::OnRequest;
        self.long()
    }

    fn name(&self) -> String {
        self.args.first().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// What a run of git that ended by itself said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) exit: Exit,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    command: String,
}

impl Answer {
    pub(crate) fn success(&self) -> bool {
        self.exit.success()
    }

    /// Standard output as text without its last newline.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// This answer as the error that it is.
    pub(crate) fn failed(self) -> GitError {
        let Self { exit, stderr, command, .. } = self;
        if is_disk_full(&stderr) {
            GitError::DiskFull { command }
        } else if let Some(path) = held_lock(&stderr) {
            GitError::Locked { command, path }
        } else {
            GitError::Failed { command, exit, stderr }
        }
    }

    pub(crate) fn unreadable(&self) -> GitError {
        unreadable(&self.command, &self.stdout)
    }
}

pub(crate) fn unreadable(command: &str, output: &[u8]) -> GitError {
    let output = String::from_utf8_lossy(output).chars().take(200).collect();
    GitError::Unreadable { command: command.to_owned(), output }
}

/// The git that was found and what every run of it gets.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    program: Arc<Path>,
    env: Arc<GitEnv>,
    cancel: Cancel,
    /// Above which no repository is looked for: one that is damaged is not to be taken for the one
    /// that it lies in.
    ceiling: Option<PathBuf>,
}

impl Git {
    /// `None` when there is no git on the path.
    pub(crate) fn find(env: GitEnv, cancel: Cancel) -> Option<Self> {
        let program = match &env.path {
            Some(path) => find_program("git".as_ref(), Some(path))?,
            None => PathBuf::from("git"),
        };
        Some(Self { program: program.into(), env: Arc::new(env), cancel, ceiling: None })
    }

    pub(crate) fn with_cancel(&self, cancel: Cancel) -> Self {
        Self { cancel, ..self.clone() }
    }

    /// For the repository whose work tree is `root`, and for none around it; `None`: for any.
    pub(crate) fn only_of(self, root: Option<&Path>) -> Self {
        Self { ceiling: root.and_then(Path::parent).map(Path::to_owned), ..self }
    }

    fn cancel_of(&self, stop: Stop) -> Cancel {
        match stop {
            Stop::Never => Cancel::new(),
            Stop::OnRequest => self.cancel.clone(),
        }
    }

    /// Runs git to its end, whatever it says.
    pub(crate) fn ask(&self, dir: &Path, call: Call) -> Result<Answer, GitError> {
        let command = call.name();
        let mut child = Command::new(&*self.program, dir)
            .stdout(Output::Capture { limit: usize::MAX })
            .stderr(Output::Capture { limit: 64 * 1024 })
            .arg("--no-pager");
        let signing = (self.env.signing == Signing::Off)
            .then_some(["commit.gpgSign=false", "tag.gpgSign=false"]);
        let settings = OVERRIDES.iter().copied().chain(signing.into_iter().flatten());
        for setting in settings.chain(call.config) {
            child = child.args(["-c", setting]);
        }
        child = child.args(call.args);
        for name in FOREIGN {
            child = child.env_remove(name);
        }
        for (name, value) in FIXED {
            child = child.env(name, value);
        }
        if let Some(path) = &self.env.path {
            child = child.env("PATH", path);
        }
        child = child.envs(self.env.vars.iter().cloned()).envs(call.env);
        if let Some(ceiling) = &self.ceiling {
            child = child.env("GIT_CEILING_DIRECTORIES", ceiling);
        }
        if !call.stdin.is_empty() {
            child = child.stdin(Input::Bytes(call.stdin));
        }
        let finished = run(&child, Some(call.limit), &self.cancel_of(call.stop))?;
        match finished.exit {
            Exit::TimedOut => Err(GitError::TimedOut { command, limit: call.limit }),
            Exit::Cancelled => Err(GitError::Cancelled { command }),
            exit => {
                tracing::trace!(%command, %exit, wall = ?finished.wall, "git");
                let stderr = without_secrets(finished.stderr.text().trim());
                Ok(Answer { exit, stdout: finished.stdout.bytes, stderr, command })
            }
        }
    }

    /// As [`Git::ask`], but waits a little for a lock: an editor or a prompt that shows the state
    /// of the repository takes it now and then. Only for what does nothing without its lock.
    pub(crate) fn ask_patiently(&self, dir: &Path, call: &Call) -> Result<Answer, GitError> {
        let mut pause = Duration::from_millis(50);
        loop {
            let answer = self.ask(dir, call.clone())?;
            let is_held =
                || held_lock(&answer.stderr).is_some() || answer.stderr.contains("cannot lock ref");
            let patient = pause < Duration::from_secs(1);
            let cancel = self.cancel_of(call.stop);
            if answer.success() || !is_held() || !patient || cancel.wait_timeout(pause) {
                return Ok(answer);
            }
            pause *= 2;
        }
    }

    /// Runs git, which has to succeed.
    pub(crate) fn run(&self, dir: &Path, call: Call) -> Result<Answer, GitError> {
        let answer = self.ask(dir, call)?;
        if answer.success() { Ok(answer) } else { Err(answer.failed()) }
    }
}

/// The texts of ENOSPC and EDQUOT in the C locale.
pub(crate) fn is_disk_full(text: &str) -> bool {
    text.contains("No space left on device") || text.contains("Disk quota exceeded")
}

/// The lock in `Unable to create '/repo/.git/index.lock': File exists.`
fn held_lock(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once("Unable to create '")?;
    let (path, _) = rest.split_once(".lock': File exists")?;
    Some(PathBuf::from(format!("{path}.lock")))
}

/// `text` with what stands between `://` and `@` of a URL replaced.
pub(crate) fn without_secrets(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        clean.push_str(before);
        let authority = after.find(|c: char| c == '/' || c.is_whitespace() || c == '\'');
        let end = after[..authority.unwrap_or(after.len())].rfind('@');
        if end.is_some() {
            clean.push_str("***");
        }
        rest = &after[end.unwrap_or(0)..];
    }
    clean + rest
}

/// A path as git prints it with `-z`.
pub(crate) fn path_from(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        PathBuf::from(OsStr::from_bytes(bytes))
    }
    // Elsewhere git itself speaks UTF-8.
    #[cfg(not(unix))]
    {
        PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// A path as git reads it with `-z`.
pub(crate) fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}

/// The records of an output of `-z`.
pub(crate) fn records(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|byte| *byte == 0).filter(|record| !record.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_urls_are_not_repeated() {
        let check = |text: &str, clean: &str| assert_eq!(without_secrets(text), clean);
        check("fatal: no", "fatal: no");
        check("'https://u:tok@h/x.git/': 403", "'https://***@h/x.git/': 403");
        check("https://h/a@b ssh://git@h/x", "https://h/a@b ssh://***@h/x");
        check("a://b@c://d@e", "a://***@c://***@e");
        check("x://", "x://");
    }

    #[test]
    fn a_held_lock_is_named() {
        let text = "fatal: Unable to create '/a b/.git/index.lock': File exists.\n\nAnother git";
        assert_eq!(held_lock(text), Some(PathBuf::from("/a b/.git/index.lock")));
        assert_eq!(held_lock("fatal: Unable to create '/a/b': Permission denied"), None);
    }

    #[test]
    fn a_full_disk_is_recognised() {
        assert!(is_disk_full("error: unable to write file x: No space left on device"));
        assert!(is_disk_full("fatal: cannot pread pack file: Disk quota exceeded"));
        assert!(!is_disk_full("fatal: not a git repository"));
    }
}
