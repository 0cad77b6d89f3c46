//! Replacing one file so that a crash is harmless, and locks that die with their holder.
//!
//! Whoever replaces a file holds its lock ([`sidecar_lock_path`]); readers need none, they see
//! the old file or the new one. [`crate::Store`] does both for documents.

pub(crate) mod disk;
mod lock;
pub(crate) mod replace;
#[cfg(test)]
pub(crate) mod simulated;
pub(crate) mod target;

pub(crate) use lock::find_sidecar;
pub use lock::{
    FileLock, Holder, LockError, LockPolicy, is_locked, lock_holder, sidecar_lock_path,
};
pub use replace::{Durability, ReplaceError, Saved, remove_leftovers, replace};
