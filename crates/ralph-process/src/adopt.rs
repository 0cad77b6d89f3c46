//! Orphans: descendants that lost their parent and became children of this process.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ralph_state::ProcessIdentity;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::identity::{identity, own_pid};
use crate::os::{self, Entry};

/// The children that this crate started and has not reaped: a child of this process that is
/// not among them was adopted.
static CHILDREN: Mutex<Children> = Mutex::new(Children { adopts: false, started: BTreeSet::new() });

/// What is known of this process's children.
pub(crate) struct Children {
    adopts: bool,
    started: BTreeSet<u32>,
}

/// From now on a descendant whose parent dies becomes a child of this process, whatever group,
/// session and environment it gave itself, and ends with the child that left it: see
/// [`Command::leave_nothing`](crate::Command::leave_nothing).
///
/// For a whole program, and only one in which nothing but this crate starts children: any
/// other child of it would be taken for an orphan. Does nothing on a system that has no such
/// thing; on Linux it is `PR_SET_CHILD_SUBREAPER`. When this process dies, its orphans go on
/// with the next one above, as without it.
///
/// # Errors
/// When the system refuses.
pub fn adopt_orphans() -> io::Result<()> {
    children().adopts = os::adopt_orphans()?;
    Ok(())
}

/// As long as it is held, no child is started or reaped.
pub(crate) fn children() -> MutexGuard<'static, Children> {
    // A set is changed in one step, whoever panics.
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Children {
    /// Starts a child.
    pub(crate) fn start(
        &mut self,
        command: &mut std::process::Command,
    ) -> io::Result<std::process::Child> {
        let child = command.spawn()?;
        self.started.insert(child.id());
        Ok(child)
    }

    /// Forgets a child that was reaped: its number may be an orphan's next.
    pub(crate) fn reaped(&mut self, pid: u32) {
        self.started.remove(&pid);
    }

    /// Those of `table`, read while this is held, that were adopted. Zombies among them are
    /// reaped, and are not told.
    pub(crate) fn adopted(&self, table: &[Entry]) -> Vec<u32> {
        let adopted = |entry: &&Entry| {
            self.adopts && entry.parent == own_pid() && !self.started.contains(&entry.pid)
        };
        let (ended, living): (Vec<&Entry>, Vec<&Entry>) =
            table.iter().filter(adopted).partition(|entry| entry.ended);
        for pid in ended.into_iter().filter_map(|entry| os::pid(entry.pid)) {
            // Nobody else waits for it.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
        living.into_iter().map(|entry| entry.pid).collect()
    }

    /// Whether no process is left that this one started or adopted: the kernel's own word, and
    /// quicker than any look at the table.
    pub(crate) fn are_none(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !self.adopts || matches!(waitid(WaitId::All, look), Err(rustix::io::Errno::CHILD))
    }
}

/// The processes that this one has adopted so far.
pub(crate) fn adopted() -> Vec<ProcessIdentity> {
    let children = children();
    if children.are_none() {
        return Vec::new();
    }
    let table = os::table();
    let adopted = children.adopted(&table);
    table.iter().filter(|entry| adopted.contains(&entry.pid)).map(identity).collect()
}
