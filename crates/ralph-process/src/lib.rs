//! Children, who they are and how they end; signals, the clock and facts about the machine.
//!
//! [`run`] starts a [`Command`] and returns when it has ended, was cancelled or ran out of time;
//! [`spawn`] leaves the waiting to the caller. A process is named by a
//! [`ProcessIdentity`](ralph_state::ProcessIdentity), which no later process shares, and
//! [`end`] ends processes of which this one is not the parent: what a crashed Ralph left behind.
//!
//! ```
//! use std::time::Duration;
//! use ralph_process::{Cancel, Command, Exit, Input, Output, run};
//!
//! let upper = Command::new("tr", "/")
//!     .args(["a-z", "A-Z"])
//!     .stdin(Input::Bytes(b"hello".to_vec()))
//!     .stdout(Output::Capture { limit: 1024 });
//! let finished = run(&upper, Some(Duration::from_secs(60)), &Cancel::new())?;
//! assert_eq!(finished.exit, Exit::Code(0));
//! assert_eq!(finished.stdout.text(), "HELLO");
//! # Ok::<(), ralph_process::SpawnError>(())
//! ```
//!
//! Never: signals a process that only has a number in common with the one meant, waits for ever
//! for a pipe that a stranger holds open, leaves a child's input open, reads the environment,
//! or prints. It is the only crate that starts processes, catches signals or reads the clock.

mod adopt;
mod ask;
mod cancel;
mod child;
mod clock;
mod command;
mod drain;
mod end;
mod host;
mod identity;
mod interrupt;
mod os;

pub use adopt::adopt_orphans;
pub use ask::{ask_to_end, await_end, kill, parent};
pub use cancel::Cancel;
pub use child::{Child, Exit, Finished, run, spawn};
pub use clock::SystemClock;
pub use command::{Command, Inherit, Input, Leftovers, Output, SpawnError};
pub use drain::Captured;
pub use end::{EndReport, end};
pub use host::{find_program, free_space, host_name, user_name};
pub use identity::{identity_of, is_alive, marked, own_identity, own_pid};
pub use interrupt::{Interrupts, Signal, listen};

/// The variable that marks a child and its descendants: see [`Command::marker`].
pub const MARKER: &str = "RALPH_PROCESS_MARKER";
