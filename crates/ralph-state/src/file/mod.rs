//! Replacing one file so that a crash is harmless, and locks that die with their holder.
//!
//! Whoever replaces a file holds its lock ([`sidecar_lock_path`]); readers need none, they see
//! the old file or the new one. [`crate::Store`] does both for documents.

use std::io;
use std::path::Path;

use fs_err as fs;

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
pub use replace::{
    Durability, ReplaceError, Saved, remove_leftovers, replace, replace_like, replace_read,
};

/// Asks before a file is opened whether one is there that can be read to its end: a pipe, a socket
/// or a device in its place would be waited for, for ever maybe. What is missing, or a directory,
/// is told by the read itself.
///
/// Errors: [`io::ErrorKind::InvalidInput`] for such a thing.
pub fn check_regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
        }
        _ => Ok(()),
    }
}
