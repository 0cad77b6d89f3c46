//! Which process, and whether it still lives.

use ralph_state::ProcessIdentity;

use crate::os::{self, Entry};

/// This process's number.
pub fn own_pid() -> u32 {
    std::process::id()
}

/// This process.
pub fn own_identity() -> ProcessIdentity {
    let pid = own_pid();
    // A system that hides even our own process shows no other either: no start time then means
    // that nobody will ever find this one alive, and whoever asks has locks to go by.
    let start_time = os::entry(pid).map_or(0, |entry| entry.start_time);
    ProcessIdentity { pid, start_time, boot_id: os::boot_id().to_owned() }
}

/// The process that has the number `pid` now; `None` when none lives, zombies included.
pub fn identity_of(pid: u32) -> Option<ProcessIdentity> {
    os::entry(pid).filter(|entry| !entry.ended).map(|entry| identity(&entry))
}

/// Whether exactly this process lives. A zombie does not, nor does another process that was
/// given the same number later or before a reboot.
pub fn is_alive(who: &ProcessIdentity) -> bool {
    identity_of(who.pid).as_ref() == Some(who)
}

/// The living processes that were started with `marker` in their environment (see
/// [`crate::Command::marker`]), or with one below it: `a` finds `a/b` too, but not `ab`.
/// Never this process itself.
pub fn marked(marker: &str) -> Vec<ProcessIdentity> {
    let mut table = os::table();
    table.retain(|entry| !entry.ended && entry.pid != own_pid());
    let found = os::marked(&table, marker);
    table.iter().filter(|entry| found.contains(&entry.pid)).map(identity).collect()
}

pub(crate) fn identity(entry: &Entry) -> ProcessIdentity {
    let Entry { pid, start_time, .. } = *entry;
    ProcessIdentity { pid, start_time, boot_id: os::boot_id().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_start_and_boot_is_the_same_process() {
        let own = own_identity();
        assert!(is_alive(&own));
        assert_eq!(identity_of(own.pid), Some(own.clone()));
        let reused = ProcessIdentity { start_time: own.start_time - 1, ..own.clone() };
        assert!(!is_alive(&reused));
        assert!(!is_alive(&ProcessIdentity { boot_id: "before".to_owned(), ..own }));
        assert_eq!(identity_of(u32::MAX), None);
        assert_eq!(identity_of(0), None);
    }
}
