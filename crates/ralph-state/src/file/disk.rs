//! The calls that a crash can come between.
//!
//! Everything that [`super::replace`] and the journal do to a disk goes through [`Disk`], so that a
//! test can put a disk in its place that forgets what was not synced.

use std::ffi::OsString;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;

use super::check_regular;

/// What can be done to files.
pub(crate) trait Disk {
    /// A file that is being written.
    type File;

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    fn create_new(&self, path: &Path, access: Access) -> io::Result<Self::File>;
    /// A file that is there.
    fn open_to_append(&self, path: &Path) -> io::Result<Self::File>;
    /// The first bytes of a file, at most `len`, and its last one.
    fn ends(&self, path: &Path, len: u64) -> io::Result<(Vec<u8>, Option<u8>)>;
    fn write_all(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    /// Cuts off what the file has beyond that many bytes, which it has.
    fn set_len(&self, file: &mut Self::File, len: u64) -> io::Result<()>;
    fn set_owner_and_mode(&self, file: &Self::File, like: &Stat) -> io::Result<()>;
    fn sync(&self, file: &Self::File) -> io::Result<Synced>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// What is at a path, symbolic links not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) kind: FileKind,
    /// In bytes, of a file.
    pub(crate) size: u64,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) stamp: Stamp,
}

/// Which file it is and when it was written: another after each replacement, also by the same
/// bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) file: (u64, u64),
    pub(crate) written: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    File,
    Symlink,
    Other,
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody whom the umask lets.
    Default,
    /// Only its owner, until it has the mode of the file it replaces.
    Private,
}

/// How far a sync went.
#[derive(Debug)]
pub(crate) enum Synced {
    Fully,
    /// The system has it, but would not have the disk confirm it.
    Unconfirmed(io::Error),
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {
    type File = fs::File;

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(system::stat(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        check_regular(path)?;
        fs::read(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        system::list(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    fn create_new(&self, path: &Path, access: Access) -> io::Result<fs::File> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        system::restrict(&mut options, access);
        options.open(path)
    }

    fn open_to_append(&self, path: &Path) -> io::Result<fs::File> {
        check_regular(path)?;
        fs::OpenOptions::new().append(true).open(path)
    }

    fn ends(&self, path: &Path, len: u64) -> io::Result<(Vec<u8>, Option<u8>)> {
        let mut file = fs::File::open(path)?;
        let mut start = Vec::new();
        (&mut file).take(len).read_to_end(&mut start)?;
        if start.is_empty() {
            return Ok((start, None));
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok((start, Some(last[0])))
    }

    fn write_all(&self, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(file, bytes)
    }

    fn set_len(&self, file: &mut fs::File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    fn set_owner_and_mode(&self, file: &fs::File, like: &Stat) -> io::Result<()> {
        system::set_owner_and_mode(file, like)
    }

    fn sync(&self, file: &fs::File) -> io::Result<Synced> {
        system::sync(file)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        system::sync_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

#[cfg(unix)]
mod system {
    use std::ffi::{OsStr, OsString};
    use std::fs::{Metadata, Permissions};
    use std::io;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    use std::path::Path;

    use fs_err as fs;
    use fs_err::os::unix::fs::OpenOptionsExt as _;

    use super::{Access, FileKind, Stamp, Stat, Synced};

    pub(super) fn stat(metadata: &Metadata) -> Stat {
        let kind = match metadata.file_type() {
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_symlink() => FileKind::Symlink,
            _ => FileKind::Other,
        };
        let stamp =
            Stamp { file: (metadata.dev(), metadata.ino()), written: metadata.modified().ok() };
        let owner = (metadata.uid(), metadata.gid());
        Stat { kind, size: metadata.len(), mode: metadata.mode() & 0o777, owner, stamp }
    }

    /// Not by `read_dir`, which panics when the directory cannot be closed.
    pub(super) fn list(dir: &Path) -> io::Result<Vec<OsString>> {
        let entries = rustix::fs::Dir::read_from(fs::File::open(dir)?.file())?;
        let names =
            entries.map(|entry| Ok(OsStr::from_bytes(entry?.file_name().to_bytes()).into()));
        names.collect()
    }

    pub(super) fn restrict(options: &mut fs::OpenOptions, access: Access) {
        options.mode(match access {
            Access::Default => 0o666,
            Access::Private => 0o600,
        });
    }

    pub(super) fn set_owner_and_mode(file: &fs::File, like: &Stat) -> io::Result<()> {
        let Stat { owner: (user, group), mode, .. } = *like;
        if stat(&file.metadata()?).owner != like.owner {
            // Only the superuser may give files away; for everybody else the file changes hands.
            let _refused = fchown(file.file(), Some(user), Some(group));
        }
        file.set_permissions(Permissions::from_mode(mode))
    }

    #[cfg(not(target_os = "macos"))]
    pub(super) fn sync(file: &fs::File) -> io::Result<Synced> {
        file.sync_all().map(|()| Synced::Fully)
    }

    /// `sync_all` asks the drive to empty its cache (`F_FULLFSYNC`), which network volumes and
    /// some external disks refuse.
    #[cfg(target_os = "macos")]
    pub(super) fn sync(file: &fs::File) -> io::Result<Synced> {
        use rustix::io::Errno;

        match file.file().sync_all() {
            Ok(()) => Ok(Synced::Fully),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NOTSUP | Errno::INVAL | Errno::NOTTY) => {
                    rustix::fs::fsync(file.file())?;
                    Ok(Synced::Unconfirmed(error))
                }
                _ => Err(error),
            },
        }
    }

    pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }
}

#[cfg(not(unix))]
mod system {
    use std::ffi::OsString;
    use std::fs::Metadata;
    use std::io;
    use std::path::Path;

    use fs_err as fs;

    use super::{Access, FileKind, Stamp, Stat, Synced};

    pub(super) fn stat(metadata: &Metadata) -> Stat {
        let kind = match metadata.file_type() {
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_symlink() => FileKind::Symlink,
            _ => FileKind::Other,
        };
        let stamp = Stamp { file: (0, metadata.len()), written: metadata.modified().ok() };
        Stat { kind, size: metadata.len(), mode: 0, owner: (0, 0), stamp }
    }

    pub(super) fn list(dir: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    pub(super) fn restrict(_: &mut fs::OpenOptions, _: Access) {}

    pub(super) fn set_owner_and_mode(_: &fs::File, _: &Stat) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn sync(file: &fs::File) -> io::Result<Synced> {
        file.sync_all().map(|()| Synced::Fully)
    }

    /// Directories cannot be synced here: their own journal is all there is.
    pub(super) fn sync_dir(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
