//! Processes as `/proc` shows them.

use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use ralph_state::ProcessIdentity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    PidfdFlags, Signal, getpid, kill_process, pidfd_open, pidfd_send_signal, set_child_subreaper,
};

use super::{Entry, pid};
use crate::{MARKER, is_alive};

pub(crate) fn entry(pid: u32) -> Option<Entry> {
    parse_stat(pid, &fs_err::read(format!("/proc/{pid}/stat")).ok()?)
}

pub(crate) fn table() -> Vec<Entry> {
    let Ok(listing) = fs_err::read_dir("/proc") else { return Vec::new() };
    listing.filter_map(|dir| entry(dir.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// The fields of `/proc/PID/stat`. The second one, the name, may hold anything, spaces and
/// parentheses included; the last `)` ends it.
fn parse_stat(pid: u32, stat: &[u8]) -> Option<Entry> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Entry {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X" | "x"),
    })
}

pub(crate) fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let id = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        id.trim().to_owned()
    })
}

/// Those of `table` that were started with `marker`, or a marker below it, in their environment.
pub(crate) fn marked(table: &[Entry], marker: &str) -> Vec<u32> {
    let numbers = table.iter().map(|entry| entry.pid);
    numbers.filter(|pid| is_marked(*pid, marker)).collect()
}

fn is_marked(pid: u32, marker: &str) -> bool {
    // Gone since, or somebody else's: not marked either way.
    let environment = fs_err::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| {
        let value = variable.strip_prefix(MARKER.as_bytes()).and_then(|v| v.strip_prefix(b"="));
        let rest = value.and_then(|value| value.strip_prefix(marker.as_bytes()));
        rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
    })
}

/// Signals exactly `who`: the pidfd pins the process before its start time is compared, so a
/// reused number is never hit.
pub(crate) fn send(who: &ProcessIdentity, signal: Signal) {
    let Some(raw) = pid(who.pid) else { return };
    let same = || entry(who.pid).is_some_and(|now| now.start_time == who.start_time);
    match pidfd_open(raw, PidfdFlags::empty()) {
        // Gone between the look and the signal: what was wanted.
        Ok(pinned) if same() => {
            let _ = pidfd_send_signal(&pinned, signal);
        }
        // Linux before 5.3, or a sandbox that forbids it.
        Err(Errno::NOSYS | Errno::PERM) if same() => {
            let _ = kill_process(raw, signal);
        }
        _ => {}
    }
}

/// Returns when exactly `who` has ended, or at the deadline; an error where that cannot be waited
/// for.
pub(crate) fn await_end(who: &ProcessIdentity, deadline: Instant) -> io::Result<()> {
    let Some(raw) = pid(who.pid) else { return Ok(()) };
    let pinned = match pidfd_open(raw, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(()),
        pinned => pinned?,
    };
    // Compared once it is pinned, as in `send`.
    while is_alive(who) {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&pinned, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => {}
            Ok(0) => return Ok(()),
            answer => drop(answer?),
        }
    }
    Ok(())
}

/// Makes this process the parent of its descendants' orphans; tells whether it now is.
pub(crate) fn adopt_orphans() -> io::Result<bool> {
    // Any process for yes, none for no.
    set_child_subreaper(Some(getpid()))?;
    Ok(true)
}

/// Whether this process was started with SIGHUP ignored, as `nohup` does.
pub(crate) fn ignores_hangup() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    parse_ignores_hangup(&status)
}

fn parse_ignores_hangup(status: &str) -> bool {
    // The mask begins with signal 1, which it is.
    const HANGUP: u64 = 1;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or_default() & HANGUP != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_fields() {
        let stat = b"42 (a) S 9 9 (b) R 7 8 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1 1";
        let entry = Entry { pid: 42, parent: 7, group: 8, start_time: 12345, ended: false };
        assert_eq!(parse_stat(42, stat), Some(entry));
        assert!(parse_stat(1, b"1 (x) Z 7 8 9 0 -1 0 1 0 0 0 0 0 0 0 20 0 1 0 5 1").unwrap().ended);
        for bad in [&b""[..], b"42", b"42 (sh)", b"42 (sh) S 1 2", b"42 (sh) S one 2 3"] {
            assert_eq!(parse_stat(42, bad), None);
        }
    }

    #[test]
    fn nohup_shows_in_the_mask() {
        assert!(parse_ignores_hangup("SigBlk:\t0\nSigIgn:\t0000000000001001\n"));
        assert!(!parse_ignores_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!parse_ignores_hangup(""));
    }
}
