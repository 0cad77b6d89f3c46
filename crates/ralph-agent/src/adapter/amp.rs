//! Amp: `amp -x`, which prints what Claude Code does.

use super::{Adapter, Invocation, claude};
use crate::{Access, Capabilities, Turn};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "amp",
    program: "amp",
    can: Capabilities { model: false, effort: false, session: false, ..Capabilities::ALL },
    login: (&["AMP_API_KEY"], &[".local/share/amp/secrets.json"]),
    invocation,
    fold: Some(claude::fold),
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    let invocation = match turn.resume.as_deref() {
        Some(thread) => Invocation::new(&["threads", "continue", thread]),
        None => Invocation::default(),
    };
    let approval: &[&str] =
        if turn.access == Access::Full { &["--dangerously-allow-all"] } else { &[] };
    invocation.args(&["-x", "--stream-json"]).args(approval)
}
