//! Any program that takes a prompt: `agent.command.argv`.
//!
//! The prompt is on stdin and in the file that `RALPH_PROMPT_FILE` names. It prints
//! what it likes; exit code 0 says that it thinks it is done.

use super::{Adapter, Invocation};
use crate::Capabilities;

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "command",
    can: Capabilities {
        resume: false,
        session: false,
        model: false,
        effort: false,
        edits: false,
        limits: false,
        schema: false,
        tokens: false,
        cost: false,
    },
    invocation: |turn| Invocation::default().env("RALPH_PROMPT_FILE", turn.prompt_path()),
    ..Adapter::BASE
};
