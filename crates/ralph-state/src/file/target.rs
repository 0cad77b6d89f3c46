//! Where a file really is, and its neighbours.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, FileKind, Stat};

/// As many as the kernel follows before it says `ELOOP`.
const MAX_LINKS: usize = 40;

/// A file with its symbolic links followed. Temporary files, copies and the lock stand beside it,
/// so that every name of the file leads to the same lock and no rename leaves its file system.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) name: OsString,
    /// What stands there; nothing for a file still to be made.
    pub(crate) old: Option<Stat>,
}

/// Follows `path` to a regular file or to a name that is free. What is there instead is told by
/// the kind of its [`Stat`].
pub(crate) fn resolve<D: Disk>(disk: &D, path: &Path) -> io::Result<Target> {
    let mut path = path.to_owned();
    for _ in 0..=MAX_LINKS {
        let old = disk.stat(&path)?;
        let dir = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_owned(),
            None => PathBuf::from("/"),
        };
        if old.as_ref().is_some_and(|stat| stat.kind == FileKind::Symlink) {
            // `join` puts an absolute link in place of the directory.
            path = dir.join(disk.read_link(&path)?);
            continue;
        }
        let name = path.file_name().map(OsStr::to_owned).ok_or(io::ErrorKind::InvalidFilename)?;
        return Ok(Target { path, dir, name, old });
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "too many levels of symbolic links"))
}

impl Target {
    /// A name beside the file: `before`, its name, `after`.
    pub(crate) fn beside(&self, before: &str, after: &str) -> PathBuf {
        let mut name = OsString::from(before);
        name.push(&self.name);
        name.push(after);
        self.dir.join(name)
    }

    /// The name of copy number `nth` with this tag: `state.v2.json.bak`, `state.v2.1.json.bak`.
    pub(crate) fn copy(&self, tag: &str, nth: u32) -> PathBuf {
        let name = Path::new(&self.name);
        let mut copy = name.file_stem().unwrap_or(&self.name).to_owned();
        copy.push(format!(".{tag}"));
        if nth > 0 {
            copy.push(format!(".{nth}"));
        }
        if let Some(extension) = name.extension() {
            copy.push(".");
            copy.push(extension);
        }
        copy.push(".bak");
        self.dir.join(copy)
    }

    pub(crate) fn temporary(&self, pid: u32, nth: u32) -> PathBuf {
        self.beside(".", &format!(".{pid}-{nth}.tmp"))
    }

    /// Whether `name` is one that [`Self::temporary`] gives, for any process.
    pub(crate) fn is_temporary(&self, name: &OsStr) -> bool {
        let own = self.name.as_encoded_bytes();
        let middle = name
            .as_encoded_bytes()
            .strip_prefix(b".")
            .and_then(|rest| rest.strip_prefix(own))
            .and_then(|rest| rest.strip_prefix(b"."))
            .and_then(|rest| rest.strip_suffix(b".tmp"))
            .and_then(|middle| str::from_utf8(middle).ok());
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        middle
            .and_then(|middle| middle.split_once('-'))
            .is_some_and(|(pid, nth)| is_number(pid) && is_number(nth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> Target {
        let dir = PathBuf::from("d");
        Target { path: dir.join(name), dir, name: name.into(), old: None }
    }

    #[test]
    fn only_own_temporary_files_are_swept() {
        let own = target("state.json");
        assert_eq!(own.temporary(12, 3), Path::new("d/.state.json.12-3.tmp"));
        assert!(own.is_temporary(OsStr::new(".state.json.12-3.tmp")));
        for other in [
            "state.json",
            ".state.json.lock",
            ".state.json.12.tmp",
            ".state.json.12-.tmp",
            ".state.json.-.tmp",
            ".state.json.a-b.tmp",
            ".state.json.old.12-3.tmp",
            ".state.json.12-3.45-6.tmp",
            "state.json.12-3.tmp",
            ".xstate.json.12-3.tmp",
        ] {
            assert!(!own.is_temporary(OsStr::new(other)), "{other}");
        }
        assert!(!own.is_temporary(target("state.json.12-3").temporary(4, 5).file_name().unwrap()));
    }

    #[test]
    fn names_of_copies() {
        assert_eq!(target("state.json").copy("v2", 0), Path::new("d/state.v2.json.bak"));
        assert_eq!(target("state.json").copy("v2", 1), Path::new("d/state.v2.1.json.bak"));
        assert_eq!(target("state").copy("corrupt", 0), Path::new("d/state.corrupt.bak"));
        assert_eq!(target(".state").copy("v1", 2), Path::new("d/.state.v1.2.bak"));
    }
}
