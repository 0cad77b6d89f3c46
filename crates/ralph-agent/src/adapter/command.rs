//! Any program that takes a prompt: `agent.command.argv`.
//!
//! The prompt is on stdin and in the file that `RALPH_PROMPT_FILE` names. It prints
//! what it likes; exit code 0 says that it thinks it is done.

use super::{Adapter, Invocation};
use crate::{Outcome, Turn, parser::Facts};

pub(crate) const ADAPTER: Adapter =
    Adapter { name: "command", program: "", resumable: false, invocation, fold: None, exit };

fn invocation(turn: &Turn) -> Invocation {
    Invocation::default().env("RALPH_PROMPT_FILE", turn.prompt_path())
}

fn exit(_facts: &Facts, _code: i32, _stderr: &str) -> Option<Outcome> {
    None
}
