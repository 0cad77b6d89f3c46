//! Agents that are only played: a script says what one prints and does, turn by turn.
//!
//! A script is a file, or a directory of recorded turns. `docs/runner-scripts.md` describes
//! both.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt,
    io::{self, Write},
    path::{Component, Path, PathBuf},
    time::Duration,
};

use ralph_process::{Cancel, Command, SpawnError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Ending, Runner, turn};

/// The one version of scripts there is.
const VERSION: u32 = 1;
/// What a recorded turn is called in its directory.
const TURN: &str = "turn.json";
/// Where the files that a recorded turn changed are kept in its directory.
const CHANGED: &str = "changed";

/// What an agent does, turn by turn.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    version: u32,
    /// The agent whose output it is; our own events when it is left out.
    #[serde(default)]
    runner: Option<String>,
    turns: Vec<Scene>,
}

/// One turn of a script.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Scene {
    /// Played only where the turn is such a one.
    #[serde(default)]
    when: When,
    steps: Vec<Step>,
    /// What the paths of files to print or copy are relative to.
    #[serde(skip)]
    base: PathBuf,
}

/// Which turns a scene is for; what is left out is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// The task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What the turn is for, as in `RALPH_PHASE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Which attempt at the task, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Which turn of the attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// Prints a value as one line.
    Event(Value),
    /// Prints a text as it is.
    Out(String),
    /// Prints a text on stderr.
    Err(String),
    /// Prints so many bytes without a line break.
    Fill(u64),
    /// Prints a file.
    Print(PathBuf),
    /// Prints a file on stderr.
    PrintErr(PathBuf),
    /// Writes a file of the work tree.
    Write { path: PathBuf, text: String },
    /// Copies the files of a directory into the work tree.
    Copy(PathBuf),
    /// Removes a file of the work tree.
    Remove(PathBuf),
    /// Does nothing for a while.
    WaitMs(u64),
    /// Takes no notice of SIGHUP, SIGINT and SIGTERM from now on.
    IgnoreSignals,
    /// Starts a process in a group of its own, which ignores signals and never ends.
    Orphan,
    /// Never ends.
    Hang,
    /// Ends with this code. Without it a turn ends with 0.
    Exit(i32),
}

/// Where a script is played.
pub struct Stage<'a> {
    /// The work tree. No step writes outside.
    pub dir: &'a Path,
    /// Which turn it is.
    pub when: When,
    /// Program and arguments that play the process left behind: see [`play_orphan`].
    pub orphan: &'a [OsString],
    /// Where it prints.
    pub out: &'a mut dyn Write,
    /// Where it prints its errors.
    pub err: &'a mut dyn Write,
}

/// Why a script cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// It cannot be read.
    #[error("cannot read the script")]
    Read {
        /// The cause.
        source: io::Error,
    },
    /// It is no script.
    #[error("`{}` is no script", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// It was written for a newer version.
    #[error("the script is of version {found}, known is {VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// It tells the output of an agent that is not known.
    #[error("the script is for the runner `{runner}`, which is not known")]
    Runner {
        /// The runner it names.
        runner: String,
    },
    /// Its turns are those of several agents, and one language is all that a script has.
    #[error("the recording has turns of `{}` and of `{}`", runners[0], runners[1])]
    Mixed {
        /// Two of them.
        runners: [String; 2],
    },
    /// None of its turns is the one at hand.
    #[error("the script has no turn for {when}")]
    NoTurn {
        /// The turn at hand.
        when: When,
    },
    /// It names a file that is not of the work tree: one outside, behind a symlink, or git's own.
    #[error("`{}` is no file of the work tree", path.display())]
    Outside {
        /// The path.
        path: PathBuf,
    },
    /// A step could not be done.
    #[error("cannot do what the script says")]
    Step {
        /// The cause.
        source: io::Error,
    },
    /// A process could not be started.
    #[error("cannot start a process")]
    Spawn {
        /// The cause.
        source: SpawnError,
    },
}

/// The agent whose output the script at `path` has.
pub(crate) fn runner_of(path: &Path) -> Result<String, ScriptError> {
    Ok(load(path)?.runner.unwrap_or_else(|| "plugin".to_owned()))
}

/// Plays the turn of the script at `path` that `stage` is set for, and returns its exit code.
///
/// May never return, if the script says so.
pub fn play(path: &Path, stage: &mut Stage<'_>) -> Result<i32, ScriptError> {
    let script = load(path)?;
    let scene = script.turns.iter().find(|scene| scene.when.is_met(&stage.when));
    let scene = scene.ok_or_else(|| ScriptError::NoTurn { when: stage.when.clone() })?;
    let failed = |source| ScriptError::Step { source };
    for step in &scene.steps {
        match step {
            Step::Event(event) => writeln!(stage.out, "{event}").map_err(failed)?,
            Step::Out(text) => stage.out.write_all(text.as_bytes()).map_err(failed)?,
            Step::Err(text) => stage.err.write_all(text.as_bytes()).map_err(failed)?,
            Step::Fill(bytes) => {
                io::copy(&mut io::Read::take(io::repeat(b'x'), *bytes), stage.out)
                    .map_err(failed)?;
            }
            Step::Print(file) => print(&scene.base.join(file), stage.out).map_err(failed)?,
            Step::PrintErr(file) => print(&scene.base.join(file), stage.err).map_err(failed)?,
            Step::Write { path, text } => {
                let place = inside(stage.dir, path)?;
                if is_symlink(&place) {
                    return Err(ScriptError::Outside { path: path.clone() });
                }
                make_parent(&place).and_then(|()| fs_err::write(place, text)).map_err(failed)?;
            }
            Step::Copy(from) => copy(&scene.base.join(from), stage.dir, Path::new(""))?,
            Step::Remove(path) => {
                remove(stage.dir, &inside(stage.dir, path)?).map_err(failed)?;
            }
            Step::WaitMs(wait) => drop(Cancel::new().wait_timeout(Duration::from_millis(*wait))),
            Step::IgnoreSignals => {
                ralph_process::listen().map_err(failed)?;
            }
            Step::Orphan => leave_orphan(stage)?,
            Step::Hang => {
                stage.out.flush().map_err(failed)?;
                hang();
            }
            Step::Exit(code) => return stage.out.flush().map_err(failed).map(|()| *code),
        }
    }
    stage.out.flush().map_err(failed)?;
    Ok(0)
}

/// The process that an orphan is: makes the file `ready`, ignores signals and never ends.
pub fn play_orphan(ready: &Path) -> io::Result<()> {
    let _signals = ralph_process::listen()?;
    fs_err::write(ready, "")?;
    hang();
}

/// A turn that is over, to be recorded.
#[derive(Clone, Debug)]
pub struct Taken<'a> {
    /// Whose it was.
    pub runner: &'a Runner,
    /// Which turn it was.
    pub when: When,
    /// What all turns have in common that go on with one another's work.
    pub claim: Option<&'a str>,
    /// The turn's own files.
    pub files: &'a Path,
    /// How its process ended.
    pub ending: Ending,
    /// The work tree.
    pub dir: &'a Path,
    /// The files of it that the turn changed or removed.
    pub changed: &'a BTreeSet<PathBuf>,
}

/// Keeps a turn so that [`play`] can play it again: makes a directory below `recording` with
/// what its agent printed, the files it changed, and how it ended. Git takes no notice of it.
///
/// A crash may leave such a directory half made; without its `turn.json` it is passed over.
pub fn record(recording: &Path, taken: Taken<'_>) -> io::Result<()> {
    let Taken { runner, when, claim, files, ending, dir, changed } = taken;
    fs_err::create_dir_all(recording)?;
    let place = (fs_err::read_dir(recording)?.count() + 1..)
        .map(|number| recording.join(format!("{number:04}")))
        .find_map(|place| match fs_err::create_dir(&place) {
            Ok(()) => Some(Ok(place)),
            // Another worker was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            Err(error) => Some(Err(error)),
        })
        .expect("numbers do not end")?;
    // In a repository what an agent printed is no work of its, and nobody's business.
    fs_err::write(place.join(".gitignore"), "*\n")?;
    let mut steps = Vec::new();
    for (name, step) in
        [(turn::STDOUT, Step::Print as fn(PathBuf) -> Step), (turn::STDERR, Step::PrintErr)]
    {
        fs_err::copy(files.join(name), place.join(name))?;
        steps.push(step(name.into()));
    }
    for path in changed {
        let kept = place.join(CHANGED).join(path);
        if !copy_one(&dir.join(path), &kept)? {
            steps.push(Step::Remove(path.clone()));
        }
    }
    // Where a directory comes after a file, or a file after a directory, there is room now.
    steps.push(Step::Copy(CHANGED.into()));
    steps.push(match ending {
        Ending::Code(code) => Step::Exit(code),
        Ending::Signal(signal) => Step::Exit(128 + signal),
        Ending::TimedOut
        | Ending::Stalled
        | Ending::Overflowed
        | Ending::Lingered
        | Ending::Asked => Step::Hang,
        Ending::Cancelled | Ending::Unseen => Step::Exit(130),
    });
    let runner = Some(runner.language().to_owned());
    let interrupted = matches!(ending, Ending::Cancelled | Ending::Unseen);
    let turn = Scene { when, steps, base: place.clone() };
    let claim = claim.map(str::to_owned);
    let scene = Recorded { version: VERSION, runner, claim, interrupted, turn };
    let text = serde_json::to_vec_pretty(&scene).map_err(io::Error::other)?;
    fs_err::write(place.join(TURN), text)
}

/// A turn by itself, as it is recorded.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    version: u32,
    runner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    /// The run was stopped in it.
    #[serde(default)]
    interrupted: bool,
    turn: Scene,
}

fn load(path: &Path) -> Result<Script, ScriptError> {
    let read = |source| ScriptError::Read { source };
    if !fs_err::metadata(path).map_err(read)?.is_dir() {
        let mut script: Script = parse(path)?;
        for scene in &mut script.turns {
            path.parent().unwrap_or(Path::new("")).clone_into(&mut scene.base);
        }
        return check(script);
    }
    let mut places = fs_err::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>())
        .map_err(read)?;
    places.sort();
    let mut script = Script { version: VERSION, runner: None, turns: Vec::new() };
    let mut recorded = Vec::new();
    for place in places.into_iter().filter(|place| place.join(TURN).is_file()) {
        let mut one: Recorded = parse(&place.join(TURN))?;
        script.version = script.version.max(one.version);
        match (&script.runner, &one.runner) {
            (Some(runner), Some(other)) if runner != other => {
                let runners = [runner.clone(), other.clone()];
                return Err(ScriptError::Mixed { runners });
            }
            _ => script.runner.clone_from(&one.runner),
        }
        one.turn.base = place;
        recorded.push(one);
    }
    script.turns = as_a_fresh_run(recorded);
    check(script)
}

/// The turns as those of a run that begins each task anew: of a task that was begun again
/// only the latest go, a turn in which the run was stopped is as good as the one that went
/// on with it, and turns count from 1. Which attempt one was does not matter: another attempt
/// goes on counting.
fn as_a_fresh_run(recorded: Vec<Recorded>) -> Vec<Scene> {
    let mut tasks: BTreeMap<Option<String>, Vec<Recorded>> = BTreeMap::new();
    for one in recorded {
        let turns = tasks.entry(one.turn.when.task.clone()).or_default();
        if turns.last().is_some_and(|last| one.begins_anew(last)) {
            turns.clear();
        }
        turns.pop_if(|last| last.interrupted);
        turns.push(one);
    }
    let numbered = tasks.into_values().flat_map(|turns| (1..).zip(turns));
    numbered
        .map(|(number, Recorded { turn: mut scene, .. })| {
            scene.when.attempt = None;
            scene.when.turn = scene.when.turn.map(|_| number);
            scene
        })
        .collect()
}

impl Recorded {
    /// Whether the work on the task began anew with this turn, so that `last` led to nothing. A
    /// worker that follows one that died begins anew, unless it has only to land the work.
    fn begins_anew(&self, last: &Self) -> bool {
        let is_first = matches!(self.turn.when.phase.as_deref(), None | Some("plan" | "implement"));
        (is_first && self.claim != last.claim) || self.turn.when.turn <= last.turn.when.turn
    }
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, ScriptError> {
    let text = fs_err::read(path).map_err(|source| ScriptError::Read { source })?;
    serde_json::from_slice(&text)
        .map_err(|source| ScriptError::Invalid { path: path.to_owned(), source })
}

fn check(script: Script) -> Result<Script, ScriptError> {
    if script.version > VERSION {
        return Err(ScriptError::Newer { found: script.version });
    }
    Ok(script)
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, phase, attempt, turn } = self;
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "any".to_owned());
        let number = |number: &Option<u32>| text(&number.map(|number| number.to_string()));
        write!(
            f,
            "task {}, phase {}, attempt {}, turn {}",
            text(task),
            text(phase),
            number(attempt),
            number(turn)
        )
    }
}

impl When {
    /// The turn at hand, by the variables that every turn is given.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let number = |name| variable(name).and_then(|value| value.parse().ok());
        Self {
            task: variable("RALPH_TASK_ID"),
            phase: variable("RALPH_PHASE"),
            attempt: number("RALPH_ATTEMPT"),
            turn: number("RALPH_TURN"),
        }
    }

    fn is_met(&self, turn: &Self) -> bool {
        fn fits<T: PartialEq>(wanted: Option<&T>, there: Option<&T>) -> bool {
            wanted.is_none() || wanted == there
        }
        fits(self.task.as_ref(), turn.task.as_ref())
            && fits(self.phase.as_ref(), turn.phase.as_ref())
            && fits(self.attempt.as_ref(), turn.attempt.as_ref())
            && fits(self.turn.as_ref(), turn.turn.as_ref())
    }
}

fn print(file: &Path, to: &mut dyn Write) -> io::Result<()> {
    io::copy(&mut fs_err::File::open(file)?, to).map(drop)
}

/// Every file below `from`, to the same place below the directory `below` of the work tree.
fn copy(from: &Path, dir: &Path, below: &Path) -> Result<(), ScriptError> {
    let failed = |source| ScriptError::Step { source };
    let entries = match fs_err::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let there = below.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            copy(&entry.path(), dir, &there)?;
        } else {
            copy_one(&entry.path(), &inside(dir, &there)?).map_err(failed)?;
        }
    }
    Ok(())
}

/// The file or symlink `from` at `to`; false when there is none. A symlink stays one, whatever
/// it points to, and is never written through.
fn copy_one(from: &Path, to: &Path) -> io::Result<bool> {
    let kind = match fs_err::symlink_metadata(from) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if is_no_file(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    if kind.is_dir() {
        return Ok(false);
    }
    make_parent(to)?;
    if is_symlink(to) || (kind.is_symlink() && fs_err::symlink_metadata(to).is_ok()) {
        fs_err::remove_file(to)?;
    }
    if kind.is_symlink() {
        fs_err::os::unix::fs::symlink(fs_err::read_link(from)?, to)?;
    } else {
        fs_err::copy(from, to)?;
    }
    Ok(true)
}

/// Removes a file and, like git, the directories that it leaves empty. What is gone is gone.
fn remove(dir: &Path, path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if !is_no_file(&error) => return Err(error),
        _ => {}
    }
    let parents = path.ancestors().skip(1).take_while(|parent| *parent != dir);
    let _kept = parents.map(fs_err::remove_dir).find(Result::is_err);
    Ok(())
}

/// Nothing is there, or a directory is, or a file where a directory was.
fn is_no_file(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs_err::create_dir_all)
}

/// Where a file of the work tree is. It may be a symlink, but is behind none, and is not git's.
fn inside(dir: &Path, path: &Path) -> Result<PathBuf, ScriptError> {
    let outside = || ScriptError::Outside { path: path.to_owned() };
    let mut place = dir.to_owned();
    for (depth, part) in path.components().enumerate() {
        match part {
            // Some file systems do not tell small letters from others.
            Component::Normal(name) if !name.eq_ignore_ascii_case(".git") => {
                if depth > 0 && is_symlink(&place) {
                    return Err(outside());
                }
                place.push(name);
            }
            _ => return Err(outside()),
        }
    }
    if place == dir { Err(outside()) } else { Ok(place) }
}

fn is_symlink(path: &Path) -> bool {
    fs_err::symlink_metadata(path).is_ok_and(|there| there.is_symlink())
}

fn leave_orphan(stage: &Stage<'_>) -> Result<(), ScriptError> {
    let ready = stage.dir.join(format!(".orphan-{}", ralph_process::own_pid()));
    let Some((program, args)) = stage.orphan.split_first() else { return Ok(()) };
    let command = Command::new(program, stage.dir).args(args.iter().cloned()).arg(&ready);
    ralph_process::spawn(&command).map_err(|source| ScriptError::Spawn { source })?;
    while !ready.exists() {
        Cancel::new().wait_timeout(Duration::from_millis(1));
    }
    fs_err::remove_file(ready).map_err(|source| ScriptError::Step { source })
}

fn hang() -> ! {
    loop {
        Cancel::new().wait_timeout(Duration::from_hours(1));
    }
}
