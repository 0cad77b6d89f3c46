//! A journal: one JSON value a line, only ever appended to.
//!
//! The first line is a header with the version of the format. A writer that dies leaves at most
//! the start of a line; the next one ends that line first, and readers tell of it as torn. So a
//! journal never has to be repaired, and what was appended before stays readable.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::document::{DecodeError, Document, Upgrades, decode};
use crate::file::disk::{Disk, Synced, SystemDisk};
use crate::file::replace::{
    keep_copy_on, make_directories, remove_on, replace_like_on, replace_on,
};
use crate::file::target::{Target, resolve};
use crate::file::{Durability, FileLock, Holder, LockError, ReplaceError, Saved};
use crate::json::{Dense, EncodeError, FieldError, SyntaxError, from_json, parse, to_json};
use crate::open_struct::open_struct;

open_struct! {
    /// The first line of a journal.
    #[derive(Clone, Debug, PartialEq, Eq, Default)]
    #[non_exhaustive]
    pub struct JournalHeader {
    }
}

impl Document for JournalHeader {
    const KIND: &'static str = "journal";
    const VERSION_KEY: &'static str = "journal_version";
    const UPGRADES: Upgrades = Upgrades::new(1, 1, &[]);
}

const HEADER: &str = "{\"journal_version\": 1}\n";

/// In bytes: far more than a header, far less than a journal.
const LONGEST_HEADER: u64 = 4096;

/// A journal that can be appended to, also by several processes.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
    holder: Holder,
    durability: Durability,
    limit: Option<usize>,
    like: Option<PathBuf>,
}

/// What a journal holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entries<T> {
    /// The entries that can be read, from the oldest.
    pub entries: Vec<T>,
    /// The lines that cannot.
    pub bad: Vec<BadLine>,
}

/// A line of a journal that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadLine {
    /// Which, counted from one; the header is the first.
    pub line: usize,
    /// Why.
    pub reason: BadLineReason,
}

/// Why a line of a journal cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadLineReason {
    /// Its writer died in the middle of it, or is in the middle of it now.
    #[error("the line has no end")]
    Torn,
    /// It is no text, or no JSON.
    #[error("{0}")]
    NotJson(String),
    /// It is another kind of value.
    #[error("`{}`: {}", .0.path, .0.reason)]
    Field(FieldError),
}

/// Why a journal was not read or appended to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The lock was not to be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The first line is no header of a journal, or of a newer one. Nothing is appended to it.
    #[error("`{}` is no journal that can be used", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
    /// The entry cannot be written as JSON.
    #[error("cannot write an entry of the journal as JSON")]
    Encode(#[from] EncodeError),
    /// The file, or a copy of it, cannot be made.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// The file cannot be read or written.
    #[error("cannot {step} the journal `{}`", path.display())]
    Io {
        /// What was to be done.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Journal {
    /// The journal at `path`; nothing is read or made yet.
    pub fn new(path: impl Into<PathBuf>, holder: Holder) -> Self {
        Self { path: path.into(), holder, durability: Durability::Full, limit: None, like: None }
    }

    /// The same, appending as durably as `durability` says.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// The same, cut to half of that many bytes by whoever appends to a file that is longer: the
    /// oldest entries go, and the newest stays, whatever its length. A crash leaves the old file or
    /// the new one, and what cannot be cut is left to whoever appends next.
    #[must_use]
    pub fn limit(self, bytes: usize) -> Self {
        Self { limit: Some(bytes), ..self }
    }

    /// The same, begun with the mode, and by the superuser for the owner, of the file at `like`,
    /// whose content it tells.
    #[must_use]
    pub fn like(self, like: impl Into<PathBuf>) -> Self {
        Self { like: Some(like.into()), ..self }
    }

    /// Where the journal is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one entry. On return it is there, as durably as was asked and the answer says. On an
    /// error what was written of it is taken back, which a full disk does not prevent. A crash leaves
    /// all of it, a part of it that readers tell apart, or nothing, and every entry that was there
    /// before. Of an entry that is a bare number a part is a number as well: make entries objects.
    pub fn append<T: Serialize>(&self, entry: &T) -> Result<Saved, JournalError> {
        let line = format!("{}\n", Dense(&to_json(entry)?));
        let target = resolve(&SystemDisk, &self.path).map_err(self.fail("find"))?;
        let sidecar = target.beside(".", ".lock");
        let _lock = FileLock::acquire(&sidecar, &self.holder, Duration::from_secs(10))?;
        self.append_on(&SystemDisk, &line)
    }

    /// The same for one who holds the lock.
    pub(crate) fn append_on<D: Disk>(&self, disk: &D, line: &str) -> Result<Saved, JournalError> {
        let before = resolve(disk, &self.path).map_err(self.fail("find"))?.old;
        let appended = self.add_line(disk, line);
        if appended.is_err() {
            let kept = before.map_or(HEADER.len() as u64, |old| old.size);
            // What cannot be taken back either is told apart by readers, as after a crash.
            drop(self.shorten(disk, kept));
        } else if let Some(limit) = self.limit {
            let length = line.len() as u64 + before.map_or(0, |old| old.size);
            if length > limit as u64 {
                drop(self.keep_newest(disk, limit / 2));
            }
        }
        appended
    }

    /// Cuts off the oldest entries, by whole lines, so that the others take no more bytes.
    fn keep_newest<D: Disk>(&self, disk: &D, most: usize) -> Result<Saved, JournalError> {
        let target = resolve(disk, &self.path).map_err(self.fail("find"))?;
        let bytes = disk.read(&target.path).map_err(self.fail("read"))?;
        let line_after = |at: usize| {
            let line = bytes[at..].iter().position(|byte| *byte == b'\n');
            line.map_or(bytes.len(), |end| at + end + 1)
        };
        let entries = line_after(0);
        let wanted = bytes.len().saturating_sub(most).max(entries);
        let newest = bytes[..bytes.len().saturating_sub(1)].iter().rposition(|byte| *byte == b'\n');
        let kept = line_after(wanted.saturating_sub(1)).min(newest.map_or(entries, |end| end + 1));
        let text = [&bytes[..entries], &bytes[kept..]].concat();
        Ok(replace_on(disk, &self.path, &text, self.durability)?)
    }

    /// Cuts off what the file has beyond that many bytes.
    fn shorten<D: Disk>(&self, disk: &D, kept: u64) -> io::Result<()> {
        let target = resolve(disk, &self.path)?;
        if target.old.is_some_and(|old| old.size > kept) {
            let mut file = disk.open_to_append(&target.path)?;
            disk.set_len(&mut file, kept)?;
            disk.sync(&file)?;
        }
        Ok(())
    }

    /// Removes the last entry, if it is this one, and says whether it was. The file only gets
    /// shorter, which a full disk does not prevent. A crash leaves the entry, or a journal without
    /// it.
    pub fn retract<T: Serialize>(&self, entry: &T) -> Result<bool, JournalError> {
        let line = format!("\n{}\n", Dense(&to_json(entry)?));
        let target = resolve(&SystemDisk, &self.path).map_err(self.fail("find"))?;
        let sidecar = target.beside(".", ".lock");
        let _lock = FileLock::acquire(&sidecar, &self.holder, Duration::from_secs(10))?;
        self.retract_on(&SystemDisk, &line)
    }

    /// The same for one who holds the lock. `line` has the end of the line before.
    pub(crate) fn retract_on<D: Disk>(&self, disk: &D, line: &str) -> Result<bool, JournalError> {
        let target = resolve(disk, &self.path).map_err(self.fail("find"))?;
        let bytes = disk.read(&target.path).map_err(self.fail("read"))?;
        if !bytes.ends_with(line.as_bytes()) {
            return Ok(false);
        }
        let kept = (bytes.len() - line.len() + 1) as u64;
        self.shorten(disk, kept).map_err(self.fail("shorten"))?;
        Ok(true)
    }

    fn add_line<D: Disk>(&self, disk: &D, line: &str) -> Result<Saved, JournalError> {
        let target = resolve(disk, &self.path).map_err(self.fail("find"))?;
        let mut saved = Saved::Durable;
        if target.old.is_none() {
            let (model, header) = (self.like.as_deref(), HEADER.as_bytes());
            saved = replace_like_on(disk, model, &self.path, header, self.durability)?;
        } else if target.old.as_ref().is_some_and(|old| old.size <= HEADER.len() as u64) {
            // Who began it may have been killed before its name was on the disk.
            saved = self.confirm_name(disk, &target)?;
        }
        let mut file = disk.open_to_append(&target.path).map_err(self.fail("open"))?;
        let (start, last) = disk.ends(&target.path, LONGEST_HEADER).map_err(self.fail("read"))?;
        let begin = self.start_of_line(&start, last)?;
        // One call, so that a line of another writer without the lock does not come in between.
        let text = format!("{begin}{line}");
        disk.write_all(&mut file, text.as_bytes()).map_err(self.fail("append to"))?;
        if self.durability != Durability::None
            && let Synced::Unconfirmed(reason) = disk.sync(&file).map_err(self.fail("sync"))?
        {
            saved = Saved::Unconfirmed { reason };
        }
        Ok(saved)
    }

    /// Syncs every directory that leads to the file.
    fn confirm_name<D: Disk>(&self, disk: &D, target: &Target) -> Result<Saved, JournalError> {
        if self.durability != Durability::Full {
            return Ok(Saved::Durable);
        }
        let above = make_directories(disk, target, self.durability)?;
        Ok(match (above, disk.sync_dir(&target.dir)) {
            (Synced::Fully, Ok(())) => Saved::Durable,
            (Synced::Unconfirmed(reason), _) | (_, Err(reason)) => Saved::Unconfirmed { reason },
        })
    }

    fn fail(&self, step: &'static str) -> impl FnOnce(io::Error) -> JournalError {
        let path = self.path.clone();
        move |source| JournalError::Io { step, path, source }
    }

    /// Moves the file out of the way, whatever is in it, and returns where it is kept,
    /// `{name}.corrupt.{extension}.bak` or the next such name that is free; `None` when there is no
    /// file. The next entry begins a new journal.
    pub fn set_aside(&self) -> Result<Option<PathBuf>, JournalError> {
        let target = resolve(&SystemDisk, &self.path).map_err(self.fail("find"))?;
        let sidecar = target.beside(".", ".lock");
        let _lock = FileLock::acquire(&sidecar, &self.holder, Duration::from_secs(10))?;
        if target.old.is_none() {
            return Ok(None);
        }
        let bytes = SystemDisk.read(&target.path).map_err(self.fail("read"))?;
        let (aside, _) = keep_copy_on(&SystemDisk, &self.path, "corrupt", &bytes, self.durability)?;
        remove_on(&SystemDisk, &self.path, self.durability).map_err(self.fail("set aside"))?;
        Ok(Some(aside))
    }

    /// Reads what is there now, without a lock; nothing when there is no file.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Entries<T>, JournalError> {
        let mut read = Entries { entries: Vec::new(), bad: Vec::new() };
        let bytes = match SystemDisk.read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(read),
            Err(error) => return Err(self.fail("read")(error)),
        };
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let outcome = match line.strip_suffix(b"\n") {
                None => Err(BadLineReason::Torn),
                Some(header) if index == 0 => {
                    self.check_header(header)?;
                    continue;
                }
                Some(line) => entry(line),
            };
            match outcome {
                Ok(entry) => read.entries.push(entry),
                Err(reason) => read.bad.push(BadLine { line: index + 1, reason }),
            }
        }
        Ok(read)
    }

    /// What has to come before the next entry: the header or the rest of it, or the end of a line
    /// that has none. `start` and `last` are the ends of the file.
    fn start_of_line(&self, start: &[u8], last: Option<u8>) -> Result<&'static str, JournalError> {
        if let Some(rest) = HEADER.strip_prefix(&*String::from_utf8_lossy(start)) {
            return Ok(rest);
        }
        let end = start.iter().position(|byte| *byte == b'\n').unwrap_or(start.len());
        self.check_header(&start[..end])?;
        Ok(if last == Some(b'\n') { "" } else { "\n" })
    }

    fn check_header(&self, line: &[u8]) -> Result<(), JournalError> {
        match decode::<JournalHeader>(line) {
            Ok(_) => Ok(()),
            Err(source) => Err(JournalError::Header { path: self.path.clone(), source }),
        }
    }
}

fn entry<T: DeserializeOwned>(line: &[u8]) -> Result<T, BadLineReason> {
    let text = str::from_utf8(line).map_err(|error| BadLineReason::NotJson(error.to_string()))?;
    let value = parse(text)
        .map_err(|SyntaxError { reason, .. }| BadLineReason::NotJson(reason.to_string()))?
        .ok_or_else(|| BadLineReason::NotJson("the line is empty".to_owned()))?;
    from_json(&value).map_err(BadLineReason::Field)
}
