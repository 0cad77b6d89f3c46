//! The gate: a program that says whether a tree may land.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use ralph_config::CiGate;
use ralph_process::{Cancel, Command, Exit, Finished, Output, SpawnError};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Output kept of each stream; the rest is counted and dropped.
const CAPTURE: usize = 256 * 1024;
/// How often a gate that somebody kills is run before that is a fault of the machine.
const RUNS: u32 = 2;
/// Signals that come from outside (SIGHUP, SIGINT, SIGKILL, SIGTERM): a gate that ends by one of
/// them has not had its say. One that crashes has.
const KILLS: [i32; 4] = [1, 2, 9, 15];
/// Lines of each end that an agent or a person is shown.
const EXCERPT: usize = 50;

/// What the gate said of a tree.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It may land.
    Green {
        /// How long the gate took.
        wall: Duration,
    },
    /// It may not.
    Red(GateFailure),
    /// The run was stopped before the gate had an answer.
    Cancelled,
}

/// A red gate, as an agent and the user are shown it.
#[derive(Clone, Debug)]
pub struct GateFailure {
    /// The command line.
    pub command: String,
    /// How the program ended.
    pub exit: String,
    /// The first and last lines it wrote.
    pub excerpt: String,
}

/// Lines of the end that go with the reason why a task did not land.
const LAST: usize = 5;

impl GateFailure {
    /// The last lines it wrote.
    pub fn last_lines(&self) -> Vec<&str> {
        let lines: Vec<&str> =
            self.excerpt.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(LAST)..].to_vec()
    }
}

/// Why the gate gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GateError {
    /// The program could not be started.
    #[error("the gate `{command}` cannot be started")]
    Start {
        /// The command line.
        command: String,
        /// The cause.
        source: SpawnError,
    },
    /// Somebody killed it, each time: the system, when memory ran out, say.
    #[error("the gate `{command}` gave no answer: {exit}")]
    Killed {
        /// The command line.
        command: String,
        /// How it ended.
        exit: Exit,
    },
}

/// What the gate and its children carry in their environment, below the marker of the claim.
fn own_marker(claim: &str) -> String {
    format!("{claim}/gate")
}

/// Whether the gate of the claim with this marker runs.
pub(crate) fn is_running(claim: &str) -> bool {
    !ralph_process::marked(&own_marker(claim)).is_empty()
}

/// The gate as a command line, for people.
pub fn command_line(gate: &CiGate) -> String {
    gate.argv.join(" ")
}

/// What makes a verdict reusable: the tree and the exact command.
pub fn verdict_key(tree: &str, gate: &CiGate) -> String {
    let mut hash = Sha256::new();
    for word in &gate.argv {
        hash.update(word.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let mut key = format!("{tree}:");
    for byte in &digest[..8] {
        write!(key, "{byte:02x}").expect("writing to a String cannot fail");
    }
    key
}

/// Runs the gate in `dir`, in its own process group, with its time limit.
///
/// # Errors
/// When the program is missing or cannot be started, or somebody kills it; a
/// gate that runs and fails is [`Verdict::Red`].
pub fn run(
    gate: &CiGate,
    dir: &Path,
    env: &[(OsString, OsString)],
    marker: &str,
    cancel: &Cancel,
) -> Result<Verdict, GateError> {
    let mut killed = None;
    for _ in 0..RUNS {
        match once(gate, dir, env, marker, cancel) {
            Err(error @ GateError::Killed { .. }) if !cancel.is_cancelled() => {
                killed = Some(error);
            }
            Err(GateError::Killed { .. }) => return Ok(Verdict::Cancelled),
            answer => return answer,
        }
    }
    killed.map_or(Ok(Verdict::Cancelled), Err)
}

fn once(
    gate: &CiGate,
    dir: &Path,
    env: &[(OsString, OsString)],
    marker: &str,
    cancel: &Cancel,
) -> Result<Verdict, GateError> {
    let command = command_line(gate);
    let Some((program, args)) = gate.argv.split_first() else {
        return Ok(Verdict::Green { wall: Duration::ZERO });
    };
    let mut child = Command::new(program, dir)
        .stdout(Output::Capture { limit: CAPTURE })
        .stderr(Output::Capture { limit: CAPTURE })
        // Below the claim's own marker: what the gate leaves running is told from the rest.
        .marker(own_marker(marker))
        .leave_nothing();
    for arg in args {
        child = child.arg(arg);
    }
    for name in ralph_git::FOREIGN {
        child = child.env_remove(name);
    }
    for (key, value) in env {
        child = child.env(key, value);
    }
    let limit = Duration::from_secs(u64::from(gate.timeout_minutes) * 60);
    let finished = ralph_process::run(&child, Some(limit), cancel)
        .map_err(|source| GateError::Start { command: command.clone(), source })?;
    for survivor in &finished.survivors {
        tracing::warn!(pid = survivor.pid, "a process of the gate does not end");
    }
    Ok(match finished.exit {
        Exit::Code(0) => Verdict::Green { wall: finished.wall },
        Exit::Cancelled => Verdict::Cancelled,
        exit @ Exit::Signal(signal) if KILLS.contains(&signal) => {
            return Err(GateError::Killed { command, exit });
        }
        _ => Verdict::Red(GateFailure {
            command,
            exit: finished.exit.to_string(),
            excerpt: excerpt(&finished),
        }),
    })
}

fn excerpt(finished: &Finished) -> String {
    let mut text = String::new();
    for (name, captured) in [("stdout", &finished.stdout), ("stderr", &finished.stderr)] {
        let output = String::from_utf8_lossy(&captured.bytes);
        let lines: Vec<&str> = output.lines().collect();
        if lines.is_empty() {
            continue;
        }
        writeln!(text, "--- {name}").expect("writing to a String cannot fail");
        let cut = lines.len().saturating_sub(2 * EXCERPT);
        for (index, line) in lines.iter().enumerate() {
            if cut > 0 && index == EXCERPT {
                writeln!(text, "[{cut} lines left out]").expect("writing to a String cannot fail");
            }
            if cut == 0 || index < EXCERPT || index >= EXCERPT + cut {
                writeln!(text, "{line}").expect("writing to a String cannot fail");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_those_that_say_something() {
        let excerpt = "--- stdout\n1\n2\n\n3\n--- stderr\n4\n  \n5\n".to_owned();
        let failure = GateFailure { command: String::new(), exit: String::new(), excerpt };
        assert_eq!(failure.last_lines(), ["2", "3", "--- stderr", "4", "5"]);
    }
}
