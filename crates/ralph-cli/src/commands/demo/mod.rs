//! `ralph demo`: the main job in a throwaway repository.
//!
//! It makes a project with a bare remote and a queue, then runs the same
//! commands a user would type, as child processes with a home of their own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ralph_config::{InitChoices, init_text};
use ralph_git::DiscoverError;
use ralph_process::{Cancel, Command, Exit as ChildExit, Input, Output, Signal};

use crate::args::DemoArgs;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::render::shell_word;

/// What is queued: title, and the number of the task it depends on.
///
/// The first two change the same line; the third to fifth are a chain; the
/// sixth is not finished when the gate looks; the seventh crashes once.
const TASKS: [(&str, Option<usize>); 12] = [
    ("Name the author on the title page", None),
    ("Praise the pictures on the title page", None),
    ("Begin the list of chapters", None),
    ("Add the second chapter", Some(3)),
    ("Add the third chapter", Some(4)),
    ("Write the notes", None),
    ("Make the index", None),
    ("Write a preface", None),
    ("Write an epilogue", None),
    ("Thank the printers", None),
    ("Draw a map", None),
    ("List the sources", None),
];

pub(crate) fn demo(context: &Context, args: &DemoArgs) -> Result<Exit, CliError> {
    if ralph_process::find_program("git".as_ref(), context.env.get("PATH")).is_none() {
        return Err(DiscoverError::GitMissing.into());
    }
    let Some(dir) = &args.keep else {
        let temporary = tempfile::Builder::new().prefix("ralph-demo-").tempdir();
        let temporary = temporary.map_err(|error| {
            CliError::from(error)
                .context("no throwaway repository can be made")
                .hint("Set `TMPDIR` to a directory that you may write to, or use `--keep DIR`.")
        })?;
        let dir = fs_err::canonicalize(temporary.path())?;
        let exit = play(context, args, &dir)?;
        context.ui.say(format!(
            "It was in `{}` and is gone; `ralph demo --keep DIR` leaves it for you to look at.",
            dir.display()
        ));
        return Ok(exit);
    };
    let directory = context.directory()?.join(dir);
    if let Some(parent) = directory.parent() {
        fs_err::create_dir_all(parent)?;
    }
    fs_err::create_dir(&directory).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            CliError::new(ErrorKind::Usage, format!("`{}` is there already", dir.display()))
                .hint("Name a directory that does not exist yet.")
        }
        _ => CliError::from(error).at(dir),
    })?;
    let dir = fs_err::canonicalize(&directory)?;
    let exit = play(context, args, &dir)?;
    let project = dir.join("project");
    context.ui.say(format!("It is all in `{}`. To look at it:", dir.display()));
    context.ui.say(format!("  git -C {} log --stat", shell_word(&project)));
    context.ui.say(format!("  ls {}", shell_word(project.join(".ralph/cache/turns"))));
    context.ui.say(format!("  ls {}", shell_word(project.join(".ralph/logs/parallel"))));
    Ok(exit)
}

/// The stage: where the demo plays and how its programs are run.
struct Stage<'a> {
    context: &'a Context,
    ralph: &'a Path,
    dir: PathBuf,
    project: PathBuf,
    cancel: Cancel,
}

fn play(context: &Context, args: &DemoArgs, dir: &Path) -> Result<Exit, CliError> {
    let interrupts = ralph_process::listen()?;
    let stage = Stage {
        context,
        ralph: context.executable()?,
        dir: dir.to_owned(),
        project: dir.join("project"),
        cancel: interrupts.cancel().clone(),
    };
    context.ui.say(format!("Making a repository with a remote and {} tasks ...", TASKS.len()));
    let set = stage.set();
    // Whatever was cut short by a signal failed because of it.
    if let Some(signal) = interrupts.first() {
        return Ok(stopped(signal));
    }
    set?;
    let workers = args.workers.to_string();
    context.ui.say(format!("Running `ralph run loop --parallel {workers}`:"));
    let mut run: Vec<&str> = vec!["run", "loop", "--parallel", &workers];
    if args.no_progress {
        run.push("--no-progress");
    }
    if context.ui.wants_json() {
        run.push("--json");
    }
    let exit = stage.ralph(&run, Output::Inherit)?;
    // The signal reaches the run too, which may end before us.
    match (exit, interrupts.first()) {
        (_, Some(signal)) => return Ok(stopped(signal)),
        (ChildExit::Code(130), None) => return Ok(Exit::Interrupted),
        (ChildExit::Code(143), None) => return Ok(Exit::Terminated),
        _ => {}
    }
    if !context.ui.wants_json() {
        context.ui.say("The target branch of the remote:");
        stage.git(&["--no-pager", "log", "--oneline", "origin/main"], Output::Inherit)?;
    }
    Ok(if exit.success() { Exit::Done } else { Exit::Failed })
}

fn stopped(by: Signal) -> Exit {
    if by == Signal::Interrupt { Exit::Interrupted } else { Exit::Terminated }
}

impl Stage<'_> {
    /// Makes the remote, the project, its configuration and its queue.
    fn set(&self) -> Result<(), CliError> {
        let dir = &self.dir;
        fs_err::create_dir(dir.join("home"))?;
        fs_err::write(
            dir.join("home/.gitconfig"),
            "[user]\n\tname = Ralph Demo\n\temail = demo@localhost\n[init]\n\tdefaultBranch = main\n",
        )?;
        let agent = self.script("agent.sh", include_str!("agent.sh"))?;
        let gate = self.script("gate.sh", include_str!("gate.sh"))?;
        self.git_in(dir, &["init", "--quiet", "--bare", "remote.git"])?;
        self.git_in(dir, &["clone", "--quiet", "remote.git", "project"])?;
        fs_err::create_dir_all(self.project.join("book"))?;
        fs_err::write(self.project.join("book/title.txt"), "A book\n")?;
        fs_err::create_dir(self.project.join(".ralph"))?;
        let choices = InitChoices {
            schema: None,
            gate: Some(vec!["sh".to_owned(), gate]),
            runner: Some("command".to_owned()),
            command: Some(vec!["sh".to_owned(), agent]),
        };
        fs_err::write(self.project.join(".ralph/config.jsonc"), init_text(&choices))?;
        self.quietly(&["init"])?;
        self.quietly(&["config", "trust", "init"])?;
        for (title, after) in TASKS {
            let after = after.map(|task| format!("RQ-{task:04}"));
            let mut add = vec!["task", "add", title];
            if let Some(after) = &after {
                add.extend(["--depends-on", after.as_str()]);
            }
            self.quietly(&add)?;
        }
        self.git(&["add", "--all"], Output::Capture { limit: 4096 })?;
        self.git(&["commit", "--quiet", "-m", "A book, and what is to be done"], QUIET)?;
        self.git(&["push", "--quiet", "origin", "HEAD:main"], QUIET)
    }

    fn script(&self, name: &str, text: &str) -> Result<String, CliError> {
        let path = self.dir.join(name);
        fs_err::write(&path, text)?;
        path.into_os_string().into_string().map_err(|path| {
            CliError::new(
                ErrorKind::Refused,
                format!("`{}` is not UTF-8", Path::new(&path).display()),
            )
            .hint("Name another directory with `--keep DIR`.")
        })
    }

    fn quietly(&self, args: &[&str]) -> Result<(), CliError> {
        match self.ralph(args, QUIET)? {
            ChildExit::Code(0) => Ok(()),
            exit => Err(CliError::new(
                ErrorKind::Failed,
                format!("`ralph {}` ended with {exit}", args.join(" ")),
            )),
        }
    }

    fn ralph(&self, args: &[&str], output: Output) -> Result<ChildExit, CliError> {
        self.child(self.ralph.as_os_str(), &self.project, args, output)
    }

    fn git(&self, args: &[&str], output: Output) -> Result<(), CliError> {
        self.checked(&self.project, args, output)
    }

    fn git_in(&self, dir: &Path, args: &[&str]) -> Result<(), CliError> {
        self.checked(dir, args, QUIET)
    }

    fn checked(&self, dir: &Path, args: &[&str], output: Output) -> Result<(), CliError> {
        match self.child("git".as_ref(), dir, args, output)? {
            ChildExit::Code(0) => Ok(()),
            exit => Err(CliError::new(
                ErrorKind::Failed,
                format!("`git {}` ended with {exit}", args.join(" ")),
            )),
        }
    }

    /// Runs a program with the demo's own home, so that nothing of the user's is touched.
    fn child(
        &self,
        program: &OsStr,
        dir: &Path,
        args: &[&str],
        output: Output,
    ) -> Result<ChildExit, CliError> {
        let home = self.dir.join("home");
        let command = Command::new(program, dir)
            .args(args.iter().map(OsString::from))
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("GIT_CONFIG_GLOBAL", home.join(".gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Input::Null)
            .stdout(output.clone())
            .stderr(output)
            // A run ends what it started by itself, and within three seconds; asked all at once,
            // its git would end before it and be told as a failure.
            .interrupt(std::time::Duration::from_secs(4));
        let finished = ralph_process::run(&command, None, &self.cancel)
            .map_err(|error| CliError::new(ErrorKind::Missing, error))?;
        if !finished.exit.success() {
            for captured in [&finished.stdout, &finished.stderr] {
                if !captured.text().trim().is_empty() {
                    self.context.ui.say(captured.text().trim_end().to_owned());
                }
            }
        }
        Ok(finished.exit)
    }
}

/// Shown only when something goes wrong.
const QUIET: Output = Output::Capture { limit: 64 * 1024 };
