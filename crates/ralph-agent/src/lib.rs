//! One adapter per agent CLI: an argv and a pure stream parser.
//!
//! [`Runner::resolve`] finds an agent, [`probe()`] looks at it, [`run_turn`] runs one turn of
//! it, [`Parser`] turns what it printed into [`Event`]s and a [`Verdict`]. [`play`] is an
//! agent that only follows a script, [`record`] makes one of a turn. [`Limits`] and
//! [`Pauses`] decide whether another turn may begin.
//!
//! Of a turn, three files stay in [`Turn::files`]: the prompt, and what the agent printed
//! on stdout and stderr, to the byte. They are the log; [`read_turn`] judges them again,
//! also when the process that started the turn is gone. What is shown of them goes through a
//! [`Redaction`].
//!
//! ```
//! use ralph_agent::{Programs, Runner, RunnerError};
//!
//! let programs = Programs {
//!     command: Some(vec!["./agent.sh".to_owned(), "--fast".to_owned()]),
//!     ..Programs::default()
//! };
//! assert_eq!(Runner::resolve("command", &programs)?.name(), "command");
//! assert!(matches!(Runner::resolve("cluade", &programs), Err(RunnerError::Unknown { .. })));
//! # Ok::<(), RunnerError>(())
//! ```
//!
//! Never: reads the queue or the environment; looks for words in an agent's output to
//! decide an outcome (final event, exit and the fixed beginnings of error messages do);
//! gives a prompt on a command line; leaves an agent's stdin open.

mod adapter;
mod budget;
mod event;
mod json;
mod outcome;
mod parser;
mod pause;
mod phase;
mod probe;
mod redact;
mod reset;
mod runner;
mod script;
mod turn;

pub use budget::{Counter, Exhausted, Limits, charge};
pub use event::{EVENT_VERSION, Event, Final};
pub use json::Json;
pub use outcome::{Cost, Counted, Ending, Outcome, Price, Usage};
pub use parser::{Parser, Verdict};
pub use pause::{Pauses, Permit};
pub use phase::Phase;
pub use probe::{Login, Probe, Surroundings, probe};
pub use redact::Redaction;
pub use reset::Moment;
pub use runner::{Capabilities, Detected, Player, Programs, Runner, RunnerError};
pub use script::{ScriptError, Stage, Taken, When, play, play_orphan, record};
pub use turn::{Access, Progress, Turn, TurnError, TurnReport, read_turn, run_turn};
