//! One turn: an agent is given a prompt and works until it ends.

use std::{
    ffi::OsString,
    io::{self, Read as _, Seek as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ralph_process::{Cancel, Command, Exit, Input, Output, SpawnError};
use ralph_state::ProcessIdentity;

use crate::{
    Ending, Event, Moment, Outcome, Parser, Price, Runner, Usage, Verdict, adapter::Invocation,
};

/// Time from the final event to the end, of which an agent with tools in the background
/// takes half.
const LINGER: Duration = Duration::from_secs(10);
/// Time from SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(1);
/// How long is read at once of what an agent prints faster than it can be read, before limits and
/// the user are heard again.
const LOOK: Duration = Duration::from_millis(250);
/// How long is read on in what was printed by an agent that was ended for the user or for
/// printing too much.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// How much of the end of stderr is looked at.
const STDERR_TAIL: u64 = 64 << 10;

/// The file of a turn with what its agent printed.
pub(crate) const STDOUT: &str = "stdout";
/// The file of a turn with what its agent said beside that.
pub(crate) const STDERR: &str = "stderr";

/// The file of a turn with the schema that its answer has to have.
const SCHEMA: &str = "schema.json";

/// What an agent is asked to do, and where.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What it is told.
    pub prompt: String,
    /// The directory it works in.
    pub dir: PathBuf,
    /// A directory of this turn alone, made if need be, for its prompt and output.
    pub files: PathBuf,
    /// Variables on top of this process's own and of what the agent needs.
    pub env: Vec<(OsString, OsString)>,
    /// Variables of this process that the agent does not get.
    pub env_remove: &'static [&'static str],
    /// The model to ask for.
    pub model: Option<String>,
    /// The effort to ask for, in the agent's own words.
    pub effort: Option<String>,
    /// The session to go on with.
    pub resume: Option<String>,
    /// The id, a UUID, that a fresh session gets if the agent lets it be chosen.
    pub session: Option<String>,
    /// What the agent may do unasked.
    pub access: Access,
    /// The agent stops by itself after so many steps, where it can be told to.
    pub steps: Option<u32>,
    /// The agent stops by itself after so many US dollars, where it can be told to.
    pub usd: Option<f64>,
    /// A JSON schema that the answer, a JSON object, has to have; for an agent that can be
    /// given one, and passed over with the others.
    pub schema: Option<String>,
    /// The turn is ended when it takes longer.
    pub limit: Option<Duration>,
    /// The turn is ended when the agent does nothing for so long: prints nothing, or nothing
    /// but that it tries a request once more.
    pub silence: Option<Duration>,
    /// The turn is ended when the agent has printed more bytes, on stdout and stderr together.
    pub log_limit: Option<u64>,
    /// The turn is ended when the agent still runs so long after its final event.
    pub linger: Duration,
    /// What the model costs, for an agent that does not tell.
    pub price: Option<Price>,
    /// Marks the agent's processes, and nobody else's; see
    /// [`Command::marker`](ralph_process::Command::marker).
    pub marker: String,
}

/// What an agent may do unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    #[default]
    Full,
    /// Change files in its directory.
    Edits,
}

/// What became known while a turn runs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// The agent runs, as this process.
    Spawned(&'a ProcessIdentity),
    /// The agent named its session.
    Session(&'a str),
    /// The agent did or told something; its session, too, is one of these.
    Event(&'a Event<'a>),
}

/// A turn that is over.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TurnReport {
    /// How it ended.
    pub outcome: Outcome,
    /// How its process ended.
    pub ending: Ending,
    /// The session to resume: the one that the agent named, unless it is gone.
    pub session_id: Option<String>,
    /// The last thing the agent said.
    pub final_text: Option<String>,
    /// What it used.
    pub usage: Option<Usage>,
    /// How long it took.
    pub wall: Duration,
    /// Processes of it that could not be ended.
    pub survivors: Vec<ProcessIdentity>,
}

impl TurnReport {
    /// A turn that ended like this at once, and of which nothing else is known.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            ending: Ending::Unseen,
            session_id: None,
            final_text: None,
            usage: None,
            wall: Duration::ZERO,
            survivors: Vec::new(),
        }
    }
}

/// Why there was no turn, or nothing is known about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// A file of the turn cannot be written; nothing was started.
    #[error("cannot write the files of the turn")]
    Write {
        /// The cause.
        source: io::Error,
    },
    /// The agent was not started.
    #[error("cannot start the runner `{runner}`")]
    Spawn {
        /// The agent's name.
        runner: String,
        /// The cause.
        source: SpawnError,
    },
    /// What the agent printed cannot be read. It has ended, or was ended.
    #[error("cannot read what the agent printed")]
    Read {
        /// The cause.
        source: io::Error,
    },
}

impl Turn {
    /// A turn with full access and nothing else asked for.
    pub fn new(
        prompt: impl Into<String>,
        dir: impl Into<PathBuf>,
        files: impl Into<PathBuf>,
        marker: impl Into<String>,
    ) -> Self {
        Self {
            prompt: prompt.into(),
            dir: dir.into(),
            files: files.into(),
            env: Vec::new(),
            env_remove: &[],
            model: None,
            effort: None,
            resume: None,
            session: None,
            access: Access::Full,
            steps: None,
            usd: None,
            schema: None,
            limit: None,
            silence: None,
            log_limit: None,
            linger: LINGER,
            price: None,
            marker: marker.into(),
        }
    }

    /// The file with the prompt.
    pub fn prompt_path(&self) -> PathBuf {
        self.files.join("prompt.md")
    }

    /// The file with the schema of the answer, where there is one.
    pub(crate) fn schema_path(&self) -> PathBuf {
        self.files.join(SCHEMA)
    }
}

/// The file with what the agent of a turn printed, to the byte.
pub(crate) fn stdout_path(files: &Path) -> PathBuf {
    files.join(STDOUT)
}

/// The file with what the agent of a turn said beside that, to the byte.
pub(crate) fn stderr_path(files: &Path) -> PathBuf {
    files.join(STDERR)
}

/// Runs one turn to its end, or ends it at its limit or when cancelled.
///
/// `progress` hears of the process as soon as it runs, of the session as soon as the agent
/// names it and of every event; a turn that outlives this process can be found by both and judged by
/// [`read_turn`]. The agent reads its prompt from a file and writes to files, so no pipe
/// of this process can stop it or cut its output. When this returns, nothing of the
/// turn is left (see [`leave_nothing`](ralph_process::Command::leave_nothing)), except what
/// it reports as survivors.
pub fn run_turn(
    runner: &Runner,
    turn: &Turn,
    cancel: &Cancel,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<TurnReport, TurnError> {
    let write = |source| TurnError::Write { source };
    fs_err::create_dir_all(&turn.files).map_err(write)?;
    fs_err::write(turn.prompt_path(), &turn.prompt).map_err(write)?;
    if let Some(schema) = &turn.schema {
        fs_err::write(turn.schema_path(), schema).map_err(write)?;
    }
    // There from the start: whoever reads needs not wait for the agent.
    fs_err::write(stdout_path(&turn.files), "").map_err(write)?;

    let command = command(runner, turn, cancel).map_err(write)?;
    let mut output = Follow::open(runner, &turn.files)?;
    let mut watch = Watch::new(turn);
    let mut stopped = None;
    let child = ralph_process::spawn(&command)
        .map_err(|source| TurnError::Spawn { runner: runner.name().to_owned(), source })?;
    progress(Progress::Spawned(child.identity()));
    let finished = child.finish_watched(turn.limit, cancel, &mut || {
        // What cannot be read now is tried again at the end, and told then.
        output.look(Some(LOOK), progress).ok();
        stopped = watch.judge(&output, &turn.files);
        if stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let ending = match (finished.exit, stopped) {
        (Exit::Cancelled, Some(ending)) => ending,
        (exit, _) => exit.into(),
    };
    let rest = matches!(ending, Ending::Overflowed | Ending::Cancelled).then_some(LAST_LOOK);
    output.look(rest, progress).map_err(read_error)?;
    let Verdict { outcome, session_id, final_text, usage } =
        output.finish(ending, &turn.files, progress)?;
    tracing::debug!(runner = runner.name(), ?ending, outcome = outcome.as_str(), "turn");
    // An agent may name the session that it did not find.
    let session_id = session_id.filter(|_| outcome != Outcome::LostSession);
    Ok(TurnReport {
        outcome,
        ending,
        session_id,
        final_text,
        usage: usage.map(|usage| turn.price.map_or(usage, |price| usage.priced(price))),
        wall: finished.wall,
        survivors: finished.survivors,
    })
}

/// Judges a turn by the files it left, when this process did not see its end.
pub fn read_turn(runner: &Runner, files: &Path, ending: Ending) -> Result<Verdict, TurnError> {
    let mut output = Follow::open(runner, files)?;
    output.look(None, &mut |_| {}).map_err(read_error)?;
    output.finish(ending, files, &mut |_| {})
}

fn command(runner: &Runner, turn: &Turn, cancel: &Cancel) -> io::Result<Command> {
    let adapter = runner.dialect(&turn.dir, cancel);
    let Invocation { args, last, env, stdin, files } = (adapter.invocation)(turn);
    for (name, text) in files {
        fs_err::write(turn.files.join(name), text)?;
    }
    let input = match stdin {
        Some(text) => {
            let path = turn.files.join("stdin");
            fs_err::write(&path, text)?;
            path
        }
        None => turn.prompt_path(),
    };
    let command = Command::new(&runner.program, &turn.dir);
    let command = turn.env_remove.iter().fold(command, Command::env_remove);
    Ok(command
        .args(&runner.args)
        .args(args)
        .args(&runner.extra_args)
        .args(last)
        .envs(env.into_iter().map(|(name, value)| (name.into(), value)))
        .envs(turn.env.iter().cloned())
        .stdin(Input::File(input))
        .stdout(Output::Append(stdout_path(&turn.files)))
        .stderr(Output::Truncate(stderr_path(&turn.files)))
        .marker(&turn.marker)
        // Its tools have sessions of their own and outlive it.
        .leave_nothing()
        .interrupt(runner.adapter.interrupt.unwrap_or_default())
        .grace(GRACE))
}

/// Reads on in a file that grows.
struct Follow {
    file: fs_err::File,
    parser: Parser,
    buffer: Vec<u8>,
    /// How much there was when it was looked at last.
    printed: u64,
    /// How much of it was read.
    read: u64,
    /// Bytes of it that were read with nothing but news of failed requests.
    complaints: u64,
    /// The latest that was read was such news.
    complains: bool,
}

impl Follow {
    fn open(runner: &Runner, files: &Path) -> Result<Self, TurnError> {
        let file = fs_err::File::open(stdout_path(files)).map_err(read_error)?;
        let parser = Parser::of(runner.adapter);
        let parser = if files.join(SCHEMA).exists() { parser.structured() } else { parser };
        Ok(Self {
            file,
            parser,
            buffer: vec![0; 64 << 10],
            printed: 0,
            read: 0,
            complaints: 0,
            complains: false,
        })
    }

    /// Takes in what is there now, or as much of it as can be read in about such a time.
    fn look(
        &mut self,
        time: Option<Duration>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> io::Result<()> {
        let begun = Instant::now();
        let metadata = self.file.metadata()?;
        self.printed = metadata.len();
        self.parser.printed(Moment::of(&metadata));
        loop {
            let read = match self.file.read(&mut self.buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.read += read as u64;
            let mut told = None;
            self.parser.feed(&self.buffer[..read], &mut |event| {
                told = Some(told.unwrap_or(true) && is_complaint(event));
                tell(event, progress);
            });
            // A line that is no event tells of an agent that lives.
            self.complains = told.unwrap_or(false);
            self.complaints += if self.complains { read as u64 } else { 0 };
            if time.is_some_and(|time| begun.elapsed() >= time) {
                return Ok(());
            }
        }
    }

    fn finish(
        self,
        ending: Ending,
        files: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Verdict, TurnError> {
        let stderr = stderr_tail(files)?;
        Ok(self.parser.finish(ending, &stderr, &mut |event| tell(event, progress)))
    }
}

/// Whether an event says no more than that a request failed and is tried again. An agent
/// without network may tell that for ever.
fn is_complaint(event: &Event<'_>) -> bool {
    matches!(event, Event::Retry { .. } | Event::RateLimit { .. } | Event::Warning { .. })
}

fn tell(event: &Event<'_>, progress: &mut dyn FnMut(Progress<'_>)) {
    if let Event::Session { id } = event {
        progress(Progress::Session(id));
    }
    progress(Progress::Event(event));
}

/// Decides when an agent that neither ends nor works has had its time.
struct Watch {
    silence: Option<Duration>,
    linger: Duration,
    log_limit: Option<u64>,
    /// How much it had printed when it last did something, and when that was.
    heard: (u64, Instant),
    /// Since when it is done by its own account.
    done: Option<Instant>,
}

impl Watch {
    fn new(turn: &Turn) -> Self {
        let Turn { silence, linger, log_limit, .. } = *turn;
        Self { silence, linger, log_limit, heard: (0, Instant::now()), done: None }
    }

    fn judge(&mut self, output: &Follow, files: &Path) -> Option<Ending> {
        let now = Instant::now();
        let errors = fs_err::metadata(stderr_path(files)).map_or(0, |file| file.len());
        // All of it, also what nobody had the time to read yet.
        let printed = output.printed.max(output.read);
        if self.log_limit.is_some_and(|limit| printed + errors > limit) {
            return Some(Ending::Overflowed);
        }
        // Who complains does so on stderr too.
        let sounds = output.read - output.complaints + errors;
        if self.heard.0 != sounds && !output.complains {
            self.heard = (sounds, now);
        }
        self.done = output.parser.is_final().then(|| self.done.unwrap_or(now));
        if self.done.is_some_and(|done| now - done >= self.linger) {
            return Some(Ending::Lingered);
        }
        let silence = self.silence.filter(|silence| now - self.heard.1 >= *silence);
        silence.map(|_| Ending::Stalled)
    }
}

fn stderr_tail(files: &Path) -> Result<String, TurnError> {
    let tail = || {
        let mut file = match fs_err::File::open(stderr_path(files)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(length.saturating_sub(STDERR_TAIL)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        Ok(tail)
    };
    Ok(String::from_utf8_lossy(&tail().map_err(read_error)?).into_owned())
}

fn read_error(source: io::Error) -> TurnError {
    TurnError::Read { source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Programs;

    /// It may print for ever, and faster than anybody reads.
    #[test]
    fn an_agent_that_is_not_kept_up_with_is_ended_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let command = Some(vec!["./agent".to_owned()]);
        let programs = Programs { command, ..Programs::default() };
        let runner = Runner::resolve("command", &programs).unwrap();
        fs_err::write(stdout_path(dir.path()), vec![b'x'; 1 << 20]).unwrap();
        let mut output = Follow::open(&runner, dir.path()).unwrap();
        output.look(Some(Duration::ZERO), &mut |_| {}).unwrap();
        assert!(0 < output.read && output.read < 1 << 20, "{} bytes", output.read);
        let turn = Turn { log_limit: Some((1 << 20) - 1), ..Turn::new("", dir.path(), "", "") };
        let judged = Watch::new(&turn).judge(&output, dir.path());
        assert_eq!(judged, Some(Ending::Overflowed));
        output.look(None, &mut |_| {}).unwrap();
        assert_eq!(output.read, 1 << 20);
    }
}
