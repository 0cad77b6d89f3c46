//! One signal to one process, without waiting for what comes of it.

use ralph_state::ProcessIdentity;
use rustix::process::{Signal, getppid};

use crate::identity::identity_of;
use crate::os;

/// Asks exactly this process to end by itself (SIGTERM). Its children are its own affair.
pub fn ask_to_end(who: &ProcessIdentity) {
    os::send(who, Signal::TERM);
}

/// Kills exactly this process (SIGKILL), and nothing it started: what a crash does.
pub fn kill(who: &ProcessIdentity) {
    os::send(who, Signal::KILL);
}

/// The process that started this one; `None` when it is gone.
pub fn parent() -> Option<ProcessIdentity> {
    let pid = u32::try_from(getppid()?.as_raw_nonzero().get()).ok()?;
    identity_of(pid)
}
