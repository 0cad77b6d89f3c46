//! Which process: a number that outlives its reuse.

use serde::{Deserialize, Serialize};

/// One process, told apart from a later one with the same number and from one before a reboot.
///
/// This crate only carries it; who makes one or asks whether it lives is another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: u32,
    /// When it started, in the unit of the system: clock ticks since boot on Linux, microseconds
    /// since 1970 on macOS.
    pub start_time: u64,
    /// Which run of the system it belongs to.
    pub boot_id: String,
}
