//! Locks that die with their holder.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{process, thread};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::check_regular;
use super::disk::SystemDisk;
use super::target::resolve;
use crate::Timestamp;
use crate::json::{from_json, parse, to_json, to_text};

/// What to do where a file system has no locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LockPolicy {
    /// Nothing is changed there.
    #[default]
    Required,
    /// A change is made without a lock, and refused if the file is another one by the time it is to
    /// be replaced. Of two at the same instant the later one still wins: for places that one
    /// process uses at a time.
    BestEffort,
}

/// Who holds a lock, for messages only: a lock is free when its holder is dead, whatever this
/// says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by every program that locks")]
pub struct Holder {
    /// The process id.
    pub pid: u32,
    /// The name of the host.
    pub host: String,
    /// What it is doing, such as `ralph run loop`.
    pub command: String,
    /// Since when it runs.
    pub since: Timestamp,
}

/// A lock that is held until this is dropped or the process dies.
///
/// The lock belongs to the open file, not to the process: a second one in the same process has to
/// wait too. The file stays where it is for ever, since a lock on a removed file excludes nobody.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct FileLock {
    locked: fs::File,
}

impl Drop for FileLock {
    /// Closing alone would leave the lock to a child that another thread is about to start, until
    /// the child has become its program.
    fn drop(&mut self) {
        let _closing_does_it_too = self.locked.file().unlock();
    }
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process, or another part of this one, holds it.
    #[error("`{}` is held after {} ms of waiting{}", path.display(), waited.as_millis(), describe(holder.as_ref()))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who took it last, of those who say. That one may be dead, and the lock be held by one
        /// who has not said so yet or by a child that it left behind.
        holder: Option<Holder>,
        /// How long was waited.
        waited: Duration,
    },
    /// The file system has no locks.
    #[error("the file system of `{}` has no locks", path.display())]
    Unsupported {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The lock file cannot be made or opened for writing there.
    #[error("`{}` is on a read-only file system", path.display())]
    ReadOnly {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot lock `{}`", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

fn describe(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { pid, host, command, since }) => {
            format!("; last taken by process {pid} on `{host}` (`{command}`, since {since})")
        }
        None => String::new(),
    }
}

impl FileLock {
    /// Takes the lock if it is free. Makes the lock file, and its directory, if it is not there.
    pub fn try_acquire(lock_path: &Path, holder: &Holder) -> Result<Option<Self>, LockError> {
        Self::try_acquire_as(lock_path, Some(holder))
    }

    fn try_acquire_as(
        lock_path: &Path,
        holder: Option<&Holder>,
    ) -> Result<Option<Self>, LockError> {
        let file = open(lock_path).map_err(|source| {
            let path = lock_path.to_owned();
            match source.kind() {
                io::ErrorKind::ReadOnlyFilesystem => LockError::ReadOnly { path, source },
                _ => LockError::Io { path, source },
            }
        })?;
        let Some(lock) = try_lock(file, lock_path)? else { return Ok(None) };
        // Only a hint: that it cannot be written is no reason not to hold the lock.
        let _hint = write_holder(&info_path(lock_path), holder);
        Ok(Some(lock))
    }

    /// Takes the lock, waiting for at most `wait`.
    ///
    /// It asks again and again instead of blocking, so that a holder that is stopped cannot stop
    /// this process too.
    pub fn acquire(lock_path: &Path, holder: &Holder, wait: Duration) -> Result<Self, LockError> {
        Self::acquire_as(lock_path, Some(holder), wait)
    }

    /// The same, perhaps without saying who: nobody is better than the one before.
    pub(crate) fn acquire_as(
        lock_path: &Path,
        holder: Option<&Holder>,
        wait: Duration,
    ) -> Result<Self, LockError> {
        let start = Instant::now();
        let mut pause = Duration::from_micros(100);
        loop {
            if let Some(lock) = Self::try_acquire_as(lock_path, holder)? {
                return Ok(lock);
            }
            let waited = start.elapsed();
            let Some(left) = wait.checked_sub(waited).filter(|left| !left.is_zero()) else {
                let (path, holder) = (lock_path.to_owned(), lock_holder(lock_path));
                return Err(LockError::Held { path, holder, waited });
            };
            // A different rhythm for each process, so that they do not meet again and again.
            let uneven = Duration::from_micros(u64::from(process::id().wrapping_mul(37) % 100));
            thread::sleep((pause + uneven).min(left));
            pause = (pause * 2).min(Duration::from_millis(5));
        }
    }
}

/// Who took the lock last, of those who say: a hint for messages, left behind when the holder dies.
pub fn lock_holder(lock_path: &Path) -> Option<Holder> {
    let info_path = info_path(lock_path);
    check_regular(&info_path).ok()?;
    let text = fs::read_to_string(info_path).ok()?;
    from_json(&parse(&text).ok()??).ok()
}

/// Whether somebody holds the lock now. Never makes the file; a missing one is not held.
///
/// For the instant of the question nobody else can take the lock, so that a
/// [`FileLock::try_acquire`] may find it held by the one who asks.
pub fn is_locked(lock_path: &Path) -> Result<bool, LockError> {
    let file = match check_regular(lock_path).and_then(|()| fs::File::open(lock_path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(LockError::Io { path: lock_path.to_owned(), source }),
    };
    loop {
        match file.file().try_lock_shared() {
            Ok(()) => return Ok(false),
            Err(TryLockError::WouldBlock) => return Ok(true),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(source)) => return Err(refused(lock_path, source)),
        }
    }
}

/// The lock file that belongs to `file`: `.{name}.lock` beside it, symbolic links followed.
pub fn sidecar_lock_path(file: &Path) -> PathBuf {
    // What cannot be followed cannot be read or replaced either; that is where it is told.
    find_sidecar(file).unwrap_or_else(|_| {
        let name = file.file_name().unwrap_or_default().display();
        file.with_file_name(format!(".{name}.lock"))
    })
}

/// The same, for those who can tell why it is not known.
pub(crate) fn find_sidecar(file: &Path) -> io::Result<PathBuf> {
    Ok(resolve(&SystemDisk, file)?.beside(".", ".lock"))
}

fn open(lock_path: &Path) -> io::Result<fs::File> {
    let open = || {
        // Readable and writable: over NFS an exclusive lock asks for that.
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(lock_path)
    };
    match (open(), lock_path.parent()) {
        (Err(error), Some(dir)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(dir)?;
            open()
        }
        (opened, _) => opened,
    }
}

fn try_lock(file: fs::File, lock_path: &Path) -> Result<Option<FileLock>, LockError> {
    loop {
        match file.file().try_lock() {
            Ok(()) => return Ok(Some(FileLock { locked: file })),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(source)) => return Err(refused(lock_path, source)),
        }
    }
}

fn refused(lock_path: &Path, source: io::Error) -> LockError {
    let path = lock_path.to_owned();
    if source.kind() == io::ErrorKind::Unsupported || no_lock_service(&source) {
        LockError::Unsupported { path, source }
    } else {
        LockError::Io { path, source }
    }
}

/// `ENOLCK`, which a network file system gives and `ErrorKind` has no name for.
#[cfg(unix)]
fn no_lock_service(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::NOLCK)
}

#[cfg(not(unix))]
fn no_lock_service(_: &io::Error) -> bool {
    false
}

/// Beside the lock file, not in it: where locks are mandatory, a locked file cannot be read.
fn info_path(lock_path: &Path) -> PathBuf {
    lock_path.with_added_extension("info")
}

/// Over the old text, which is cut only when it was longer: a file that is emptied and filled
/// again would be flushed to the disk by every save.
fn write_holder(info_path: &Path, holder: Option<&Holder>) -> io::Result<()> {
    let text = match holder {
        Some(holder) => to_text(&to_json(holder).map_err(io::Error::other)?),
        None => String::new(),
    };
    // A link here leads to what is not ours: a repository may bring one along.
    if fs::symlink_metadata(info_path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut options = fs::OpenOptions::new();
    // Nobody is told by no file as well as by an empty one.
    let mut file = options.write(true).create(holder.is_some()).truncate(false).open(info_path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    let len = text.len() as u64;
    if file.metadata()?.len() > len {
        file.set_len(len)?;
    }
    Ok(())
}
