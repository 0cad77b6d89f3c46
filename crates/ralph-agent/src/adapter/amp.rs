//! Amp: `amp -x`, which prints what Claude Code does.

use super::{Adapter, Credentials, Invocation, Kept, claude, on_stderr};
use crate::{Access, Capabilities, Turn};

pub(crate) const ADAPTER: Adapter = Adapter {
    name: "amp",
    programs: &["amp"],
    can: Capabilities { model: false, effort: false, session: false, ..Capabilities::ALL },
    login: Credentials {
        variables: &["AMP_API_KEY"],
        kept: Some(Kept {
            moved_by: Some("XDG_DATA_HOME"),
            dir: ".local/share",
            file: "amp/secrets.json",
        }),
    },
    invocation,
    fold: Some(claude::fold),
    exit: on_stderr,
    ..Adapter::BASE
};

fn invocation(turn: &Turn) -> Invocation {
    let invocation = match turn.resume.as_deref() {
        Some(thread) => Invocation::new(&["threads", "continue", thread]),
        None => Invocation::default(),
    };
    let approval: &[&str] =
        if turn.access == Access::Full { &["--dangerously-allow-all"] } else { &[] };
    invocation.args(&["-x", "--stream-json"]).args(approval).switches(&["AMP_SKIP_UPDATE_CHECK"])
}
