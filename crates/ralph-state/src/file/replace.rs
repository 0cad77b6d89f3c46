//! One file in place of another, so that a crash leaves the old or the new.

use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::disk::{Access, Disk, FileKind, Stat, Synced, SystemDisk};
use super::target::{Target, resolve};

/// How much of a save must be on the disk before it counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum Saved {
    /// The file already held these bytes and nothing was written. They are as durable as the save
    /// that put them there made them.
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

/// Why a file was not replaced. The old file is intact and trying again is safe.
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
    /// The file is a mount point of its own, so it cannot be replaced: its directory has to be
    /// mounted instead.
    #[error("`{}` is mounted as a single file, which cannot be replaced", path.display())]
    MountPoint {
        /// The target.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No room, or more than a quota or limit lets us write. A save needs room for the old file
    /// and the new one.
    #[error("no space for {needed} bytes beside `{}`", path.display())]
    NoSpace {
        /// The target.
        path: PathBuf,
        /// How many bytes were to be written.
        needed: usize,
        /// The cause.
        source: io::Error,
    },
    /// Another program has written to the file since it was read.
    #[error("another program has changed `{}` meanwhile", path.display())]
    Changed {
        /// The target.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot {step} to replace `{}`", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The target.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Puts `bytes` in place of the file at `path`.
///
/// The caller holds the lock of that file (see [`sidecar_lock_path`](super::sidecar_lock_path)):
/// temporary files of other writers are taken for leftovers of dead ones and removed.
///
/// Symbolic links are followed. Missing directories are made. The mode of the old file is kept,
/// for the superuser also its owner; access lists, extended attributes and hard links are not.
///
/// A crash at any point leaves the old file or the new one, whole, and perhaps a temporary file
/// `.{name}.{pid}-{n}.tmp` that the next save removes. After `Ok` with [`Durability::Full`] a
/// power cut leaves the new one, as far as the drive tells the truth about its cache.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<Saved, ReplaceError> {
    replace_on(&SystemDisk, path, bytes, durability)
}

/// [`replace`], where a new file gets the mode, and from the superuser the owner, of the file at
/// `like`, if there is one: who may not read that is not to read here what was there.
pub fn replace_like(
    like: &Path,
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<Saved, ReplaceError> {
    replace_like_on(&SystemDisk, Some(like), path, bytes, durability)
}

/// [`replace_like`] for one who has `read` the file, `None` where there was none: what somebody
/// who knows no lock has written to it since is not replaced ([`ReplaceError::Changed`]).
pub fn replace_read(
    like: &Path,
    path: &Path,
    read: Option<&[u8]>,
    bytes: &[u8],
    durability: Durability,
) -> Result<Saved, ReplaceError> {
    replace_read_on(&SystemDisk, (Some(like), path), read, bytes, durability)
}

pub(crate) fn replace_read_on<D: Disk>(
    disk: &D,
    (like, path): (Option<&Path>, &Path),
    read: Option<&[u8]>,
    bytes: &[u8],
    durability: Durability,
) -> Result<Saved, ReplaceError> {
    if read == Some(bytes) {
        return Ok(Saved::Unchanged);
    }
    let target = file_or_free(disk, path)?;
    put_in_place(disk, (&target, like), (Over::Read(read), bytes), durability)
}

pub(crate) fn replace_on<D: Disk>(
    disk: &D,
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<Saved, ReplaceError> {
    replace_like_on(disk, None, path, bytes, durability)
}

pub(crate) fn replace_like_on<D: Disk>(
    disk: &D,
    like: Option<&Path>,
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<Saved, ReplaceError> {
    let target = file_or_free(disk, path)?;
    // Only a file of that size is worth reading.
    let may_be_same = target.old.as_ref().is_some_and(|old| old.size == bytes.len() as u64);
    if may_be_same && disk.read(&target.path).is_ok_and(|current| current == bytes) {
        return Ok(Saved::Unchanged);
    }
    put_in_place(disk, (&target, like), (Over::Anything, bytes), durability)
}

/// The same for one who holds the lock and has read the file: it holds other bytes.
pub(crate) fn replace_known_on<D: Disk>(
    disk: &D,
    like: Option<&Path>,
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<Saved, ReplaceError> {
    let target = file_or_free(disk, path)?;
    put_in_place(disk, (&target, like), (Over::Anything, bytes), durability)
}

fn file_or_free<D: Disk>(disk: &D, path: &Path) -> Result<Target, ReplaceError> {
    let target = resolve(disk, path).map_err(|source| ReplaceError::Io {
        step: "find the file",
        path: path.to_owned(),
        source,
    })?;
    match &target.old {
        Some(old) if old.kind != FileKind::File => {
            Err(ReplaceError::NotAFile { path: target.path })
        }
        _ => Ok(target),
    }
}

fn put_in_place<D: Disk>(
    disk: &D,
    (target, like): (&Target, Option<&Path>),
    (over, bytes): (Over<'_>, &[u8]),
    durability: Durability,
) -> Result<Saved, ReplaceError> {
    let above = match &target.old {
        Some(_) => Synced::Fully,
        None => make_directories(disk, target, durability)?,
    };
    sweep(disk, target);
    let like = like.filter(|_| target.old.is_none());
    // One that cannot be looked at is no model.
    let like = like.and_then(|like| file_or_free(disk, like).ok()?.old);
    let like = like.as_ref().or(target.old.as_ref());
    let put = Put { beside: target, dest: &target.path, like, over };
    match (put_file(disk, &put, bytes, durability)?, above) {
        (Saved::Durable, Synced::Unconfirmed(reason)) => Ok(Saved::Unconfirmed { reason }),
        (saved, _) => Ok(saved),
    }
}

/// Removes the temporary files that killed writers of the file at `path` have left.
///
/// The caller holds the lock of that file, as for [`replace`].
pub fn remove_leftovers(path: &Path) {
    // What cannot be found has none, or makes the next save fail by itself.
    if let Ok(target) = resolve(&SystemDisk, path) {
        sweep(&SystemDisk, &target);
    }
}

/// Removes the file and its leftovers.
pub(crate) fn remove_on<D: Disk>(
    disk: &D,
    path: &Path,
    durability: Durability,
) -> io::Result<Saved> {
    let target = resolve(disk, path)?;
    sweep(disk, &target);
    if target.old.is_none() {
        return Ok(Saved::Unchanged);
    }
    disk.remove(&target.path)?;
    Ok(match sync_name(disk, &target, durability) {
        Ok(()) => Saved::Durable,
        Err(reason) => Saved::Unconfirmed { reason },
    })
}

/// Keeps `bytes`, which stand at `path`, beside it under the first name that `tag` gives and that
/// is free or already holds them. On return the copy is as durable as the system lets it be.
pub(crate) fn keep_copy_on<D: Disk>(
    disk: &D,
    path: &Path,
    tag: &str,
    bytes: &[u8],
    durability: Durability,
) -> Result<(PathBuf, Saved), ReplaceError> {
    let fail = |step| move |source| ReplaceError::Io { step, path: path.to_owned(), source };
    let target = resolve(disk, path).map_err(fail("find the file"))?;
    sweep(disk, &target);
    let mut nth = 0;
    let copy = loop {
        let copy = target.copy(tag, nth);
        let is_free = disk.stat(&copy).map_err(fail("look for a copy"))?.is_none();
        if is_free || disk.read(&copy).is_ok_and(|there| there == bytes) {
            break copy;
        }
        nth += 1;
    };
    // Also when it is there: the writer that made it may have been killed before it synced.
    let put = Put { beside: &target, dest: &copy, like: target.old.as_ref(), over: Over::Anything };
    let saved = put_file(disk, &put, bytes, durability)?;
    Ok((copy, saved))
}

/// Where bytes go, over what, and whose mode and owner they get.
struct Put<'a> {
    beside: &'a Target,
    dest: &'a Path,
    like: Option<&'a Stat>,
    over: Over<'a>,
}

/// What may be replaced.
#[derive(Clone, Copy)]
enum Over<'a> {
    Anything,
    /// These bytes only, or no file.
    Read(Option<&'a [u8]>),
}

fn put_file<D: Disk>(
    disk: &D,
    put: &Put<'_>,
    bytes: &[u8],
    durability: Durability,
) -> Result<Saved, ReplaceError> {
    let (temporary, mut file) = create_temporary(disk, put)?;
    let written = fill(disk, put, &mut file, bytes, durability).and_then(|synced| {
        drop(file);
        // At the last moment: to write and to sync takes a while.
        put.check_old(disk)?;
        disk.rename(&temporary, put.dest).map_err(|error| put.error("rename", bytes, error))?;
        Ok(synced)
    });
    let synced = match written {
        Ok(synced) => synced,
        Err(error) => {
            // What is left is swept by the next save.
            let _left = disk.remove(&temporary);
            return Err(error);
        }
    };
    // From here on the new bytes are in place: nothing is an error any more.
    Ok(match (synced, sync_name(disk, put.beside, durability)) {
        (Synced::Fully, Ok(())) => Saved::Durable,
        (Synced::Unconfirmed(reason), _) | (_, Err(reason)) => Saved::Unconfirmed { reason },
    })
}

/// Makes what happened to the names beside the file outlive a power cut, if that is wanted.
fn sync_name<D: Disk>(disk: &D, target: &Target, durability: Durability) -> io::Result<()> {
    match durability {
        Durability::Full => disk.sync_dir(&target.dir),
        Durability::FileOnly | Durability::None => Ok(()),
    }
}

fn create_temporary<D: Disk>(disk: &D, put: &Put<'_>) -> Result<(PathBuf, D::File), ReplaceError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let access = if put.like.is_some() { Access::Private } else { Access::Default };
    let mut tries = 0;
    loop {
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = put.beside.temporary(process::id(), nth);
        tries += 1;
        match disk.create_new(&path, access) {
            Ok(file) => return Ok((path, file)),
            // Of a dead process with our number, in a directory that cannot be listed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 1_000 => {}
            Err(error) => return Err(put.error("create a temporary file", &[], error)),
        }
    }
}

/// Everything that can fail comes before the rename: `mode` too, since nobody may see the new
/// file with another one.
fn fill<D: Disk>(
    disk: &D,
    put: &Put<'_>,
    file: &mut D::File,
    bytes: &[u8],
    durability: Durability,
) -> Result<Synced, ReplaceError> {
    disk.write_all(file, bytes).map_err(|error| put.error("write", bytes, error))?;
    if let Some(like) = put.like {
        disk.set_owner_and_mode(file, like).map_err(|source| ReplaceError::Io {
            step: "set the mode",
            path: put.dest.to_owned(),
            source,
        })?;
    }
    match durability {
        Durability::None => Ok(Synced::Fully),
        // Never twice on one file: after a failure the system forgets what it could not write.
        Durability::Full | Durability::FileOnly => {
            disk.sync(file).map_err(|error| put.error("sync", bytes, error))
        }
    }
}

impl Put<'_> {
    fn check_old<D: Disk>(&self, disk: &D) -> Result<(), ReplaceError> {
        let Over::Read(read) = self.over else { return Ok(()) };
        let path = self.dest.to_owned();
        let there = match disk.read(self.dest) {
            Ok(there) => Some(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(ReplaceError::Io { step: "read the file", path, source }),
        };
        if there.as_deref() == read { Ok(()) } else { Err(ReplaceError::Changed { path }) }
    }

    fn error(&self, step: &'static str, bytes: &[u8], source: io::Error) -> ReplaceError {
        use io::ErrorKind::{
            FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, ResourceBusy,
            StorageFull,
        };
        let path = self.dest.to_owned();
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => {
                ReplaceError::NoSpace { path, needed: bytes.len(), source }
            }
            PermissionDenied | ReadOnlyFilesystem => {
                ReplaceError::ReadOnlyDirectory { path, source }
            }
            ResourceBusy => ReplaceError::MountPoint { path, source },
            _ => ReplaceError::Io { step, path, source },
        }
    }
}

/// Makes the directories of a new file. All of its ancestors are synced, also those that are there
/// already: a writer that was killed may have made them without.
pub(crate) fn make_directories<D: Disk>(
    disk: &D,
    target: &Target,
    durability: Durability,
) -> Result<Synced, ReplaceError> {
    let fail = |source: io::Error| {
        let put = Put { beside: target, dest: &target.path, like: None, over: Over::Anything };
        put.error("make the directory", &[], source)
    };
    let mut missing = Vec::new();
    let mut ancestors = target
        .dir
        .ancestors()
        .map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
    let mut existing = ancestors.next();
    while let Some(dir) = existing
        && disk.stat(dir).map_err(fail)?.is_none()
    {
        missing.push(dir);
        existing = ancestors.next();
    }
    for dir in missing.iter().rev() {
        match disk.create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(fail(error)),
            _ => {}
        }
    }
    if durability == Durability::Full {
        // The new names are in all of the missing ones but the last, and in the first that exists.
        let named_in = missing.len();
        let above = missing.into_iter().skip(1).chain(existing).chain(ancestors);
        for (at, dir) in above.enumerate() {
            match disk.sync_dir(dir) {
                Ok(()) => {}
                // A directory further up that is closed to us was not made by us.
                Err(error) if at >= named_in && error.kind() == io::ErrorKind::PermissionDenied => {
                }
                Err(error) => return Ok(Synced::Unconfirmed(error)),
            }
        }
    }
    Ok(Synced::Fully)
}

/// Removes temporary files of dead writers: under the lock there are no living ones.
fn sweep<D: Disk>(disk: &D, target: &Target) {
    // A directory that cannot be listed or changed makes the save fail by itself, if it must.
    for name in disk.list(&target.dir).unwrap_or_default() {
        if target.is_temporary(&name) {
            let _next_time = disk.remove(&target.dir.join(name));
        }
    }
}
