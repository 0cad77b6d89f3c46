//! Replacing one file so that a crash is harmless, and locks that die with their holder.

mod lock;

use std::io;
use std::path::{Path, PathBuf};

pub use lock::{FileLock, Holder, LockError, is_locked, lock_holder, sidecar_lock_path};

/// How much of a save must be on the disk before it counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// The content and its name: the save outlives a power cut.
    #[default]
    Full,
    /// The content, not its name: after a power cut the file is whole, but may be the old one.
    FileOnly,
    /// Nothing is forced: for tests, and for files that can be made again. After a power cut the
    /// file may be the old one, empty or torn.
    None,
}

/// What became of a save that did not fail.
#[derive(Debug)]
pub enum Saved {
    /// The file already held these bytes; nothing was written.
    Unchanged,
    /// The new bytes are in place, as durably as was asked.
    Durable,
    /// The new bytes are in place for everyone to see, but the system would not confirm that they
    /// outlive a power cut. Do not go back to the old state in memory.
    Unconfirmed {
        /// What the system said.
        reason: io::Error,
    },
}

/// Why a file was not replaced. The old file is intact, no temporary file is left, and trying
/// again is safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// The target is a directory or another thing that is no regular file.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// The target, symbolic links followed.
        path: PathBuf,
    },
    /// Its directory does not let us make files.
    #[error("cannot write in the directory of `{}`", path.display())]
    ReadOnlyDirectory {
        /// The target.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is mounted on its own, so it cannot be replaced: mount its directory.
    #[error("`{}` is a mount point and cannot be replaced, mount its directory instead", path.display())]
    MountPoint {
        /// The target.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No room: a save needs room for the old and the new file.
    #[error("no space to write {needed} bytes beside `{}`", path.display())]
    NoSpace {
        /// The target.
        path: PathBuf,
        /// How many bytes were to be written.
        needed: u64,
        /// The cause.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot {step} for `{}`", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The target.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Puts `bytes` in place of the file `path`. The caller holds the lock of that file.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<Saved, ReplaceError> {
    let _ = (path, bytes, durability);
    todo!()
}
