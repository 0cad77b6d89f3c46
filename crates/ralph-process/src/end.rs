//! The end of processes, and the proof of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ralph_state::ProcessIdentity;
use rustix::process::{Signal, kill_process_group};

use crate::adopt::children;
use crate::identity::{identity, own_pid};
use crate::os::{self, Entry};

/// Time between two looks at what is left.
const LOOK: Duration = Duration::from_millis(10);
/// How long SIGKILL is given. What outlives it hangs in the kernel, on a dead network file
/// system say, and no further signal would help.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// What became of the processes that had to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a survivor may still write to its workspace"]
pub struct EndReport {
    /// Seen alive, and seen gone since.
    pub ended: Vec<ProcessIdentity>,
    /// Still there after SIGKILL.
    pub survivors: Vec<ProcessIdentity>,
}

/// Ends processes of which this one need not be the parent, and returns when they are gone.
///
/// Meant are those of `who` that live, all their descendants, the groups they lead, and every
/// process marked with `marker` (see [`crate::marked`]), wherever a `setsid` has put it. They
/// are sent SIGTERM; what lives after `grace` is sent SIGKILL, again for what it started
/// meanwhile. With no `grace` SIGKILL comes at once.
///
/// Each signal goes to one exact process: a number that was reused is not hit, and this process
/// is never among them.
pub fn end(who: &[ProcessIdentity], marker: Option<&str>, grace: Duration) -> EndReport {
    Hunt { known: who.to_vec(), marker, own_child: None, others: None }.run(grace)
}

/// As [`end`], for a child of this process that has not been reaped: that keeps the number of
/// its group taken, so the whole group can be signalled in one go. With `others`, every orphan
/// that was adopted ends too, except those.
pub(crate) fn end_child(
    child: &ProcessIdentity,
    others: Option<&[ProcessIdentity]>,
    marker: Option<&str>,
    grace: Duration,
) -> EndReport {
    Hunt { known: vec![child.clone()], marker, own_child: Some(child.pid), others }.run(grace)
}

/// Ends every orphan that was adopted, except `others`.
pub(crate) fn end_orphans(others: &[ProcessIdentity]) -> EndReport {
    let others = Some(others);
    Hunt { known: Vec::new(), marker: None, own_child: None, others }.run(Duration::ZERO)
}

struct Hunt<'a> {
    /// Every process that has to end and was ever seen: who is lost from sight when its parent
    /// dies is still known here.
    known: Vec<ProcessIdentity>,
    marker: Option<&'a str>,
    own_child: Option<u32>,
    /// The orphans that are not meant; with `None` no orphan is.
    others: Option<&'a [ProcessIdentity]>,
}

impl Hunt<'_> {
    fn run(mut self, grace: Duration) -> EndReport {
        self.known.retain(|who| who.boot_id == os::boot_id() && who.pid != own_pid());
        let mut living = self.look();
        let mut seen = living.clone();
        if !grace.is_zero() {
            self.signal(&living, Signal::TERM);
            self.watch(&mut living, &mut seen, grace, None);
        }
        self.watch(&mut living, &mut seen, KILL_LIMIT, Some(Signal::KILL));
        seen.retain(|who| !living.iter().any(|left| left.pid == who.pid));
        EndReport {
            ended: seen.iter().map(identity).collect(),
            survivors: living.iter().map(identity).collect(),
        }
    }

    /// Looks until nothing is left or `limit` passes, sending `signal` each time.
    fn watch(
        &mut self,
        living: &mut Vec<Entry>,
        seen: &mut Vec<Entry>,
        limit: Duration,
        signal: Option<Signal>,
    ) {
        let deadline = Instant::now() + limit;
        while !living.is_empty() && Instant::now() < deadline {
            if let Some(signal) = signal {
                self.signal(living, signal);
            }
            std::thread::sleep(LOOK);
            *living = self.look();
            for entry in &*living {
                if !seen.iter().any(|old| is_same(old, entry)) {
                    seen.push(entry.clone());
                }
            }
        }
    }

    /// The living processes that have to end.
    fn look(&mut self) -> Vec<Entry> {
        let (mut table, adopted) = self.table();
        // Not this process, nor, through it, its other children.
        table.retain(|entry| entry.pid != own_pid());
        let marked = self.marker.map(|marker| os::marked(&table, marker)).unwrap_or_default();
        let is_meant = |entry: &&Entry| {
            is_among(&self.known, entry)
                || marked.contains(&entry.pid)
                || adopted.contains(&entry.pid)
        };
        let mut found: BTreeSet<u32> =
            table.iter().filter(is_meant).map(|entry| entry.pid).collect();
        // Children of what was found, and members of a group whose leader was: a leader, even a
        // dead one not yet reaped, keeps the group's number its own.
        loop {
            let before = found.len();
            for entry in &table {
                if found.contains(&entry.parent) || found.contains(&entry.group) {
                    found.insert(entry.pid);
                }
            }
            if found.len() == before {
                break;
            }
        }
        let mut living = table;
        living.retain(|entry| found.contains(&entry.pid) && !entry.ended);
        for entry in &living {
            if !is_among(&self.known, entry) {
                self.known.push(identity(entry));
            }
        }
        living
    }

    /// The table of processes, and which of them are orphans that have to end.
    fn table(&self) -> (Vec<Entry>, Vec<u32>) {
        let Some(others) = self.others else { return (os::table(), Vec::new()) };
        let children = children();
        let table = os::table();
        let mut adopted = children.adopted(&table);
        let other = |pid| table.iter().any(|entry| entry.pid == pid && is_among(others, entry));
        adopted.retain(|pid| !other(*pid));
        (table, adopted)
    }

    fn signal(&self, living: &[Entry], signal: Signal) {
        if let Some(group) = self.own_child.and_then(os::pid) {
            // Its members may have ended on their own.
            let _ = kill_process_group(group, signal);
        }
        for entry in living.iter().filter(|entry| Some(entry.group) != self.own_child) {
            os::send(&identity(entry), signal);
        }
    }
}

fn is_among(known: &[ProcessIdentity], entry: &Entry) -> bool {
    known.iter().any(|who| who.pid == entry.pid && who.start_time == entry.start_time)
}

fn is_same(one: &Entry, other: &Entry) -> bool {
    one.pid == other.pid && one.start_time == other.start_time
}
