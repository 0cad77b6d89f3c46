//! What differs between systems: the table of processes, the boot, a signal to exactly one process.
//!
//! Each system is one module with the same functions; another one is another module here.

#[cfg(target_os = "linux")]
mod linux;
// Built for the tests of other systems too, so that it cannot rot unseen: it only needs `ps`.
#[cfg(any(target_os = "macos", test))]
mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux::{
    adopt_orphans, await_end, boot_id, entry, ignores_hangup, marked, send, table,
};
#[cfg(target_os = "macos")]
pub(crate) use macos::{
    adopt_orphans, await_end, boot_id, entry, ignores_hangup, marked, send, table,
};

/// One line of the table of processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) start_time: u64,
    /// A zombie: it has ended and only its number is still taken.
    pub(crate) ended: bool,
}

pub(crate) fn pid(raw: u32) -> Option<rustix::process::Pid> {
    i32::try_from(raw).ok().and_then(rustix::process::Pid::from_raw)
}
