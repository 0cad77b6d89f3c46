//! One signal to one process, and the wait for what comes of it.

use std::time::{Duration, Instant};

use ralph_state::ProcessIdentity;
use rustix::process::{Signal, getppid};

use crate::identity::{identity_of, is_alive};
use crate::os;

/// Asks exactly this process to end by itself (SIGTERM). Its children are its own affair.
pub fn ask_to_end(who: &ProcessIdentity) {
    os::send(who, Signal::TERM);
}

/// Kills exactly this process (SIGKILL), and nothing it started: what a crash does.
pub fn kill(who: &ProcessIdentity) {
    os::send(who, Signal::KILL);
}

/// Returns when all of `who` have ended, or when `limit` has passed. They need not be children of
/// this process.
pub fn await_end(who: &[ProcessIdentity], limit: Duration) {
    const LOOK: Duration = Duration::from_millis(20);
    let deadline = Instant::now() + limit;
    for who in who {
        if os::await_end(who, deadline).is_ok() {
            continue;
        }
        // Here the system tells of children alone.
        while is_alive(who) && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
    }
}

/// The process that started this one; `None` when it is gone.
pub fn parent() -> Option<ProcessIdentity> {
    let pid = u32::try_from(getppid()?.as_raw_nonzero().get()).ok()?;
    identity_of(pid)
}
