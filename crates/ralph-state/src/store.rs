//! A document at a path: loaded without a lock, changed under one.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use std::{fmt, io};

use crate::Timestamp;
use crate::document::{DecodeError, Document, MigrationReport, decode, encode, write};
use crate::file::disk::{Disk, FileKind, Stamp, SystemDisk};
use crate::file::replace::{keep_copy_on, remove_on, replace_known_on};
use crate::file::target::resolve;
use crate::file::{
    Durability, FileLock, Holder, LockError, LockPolicy, ReplaceError, Saved, find_sidecar,
};
use crate::json::EncodeError;

/// One document at one path.
///
/// ```
/// use ralph_state::file::Holder;
/// use ralph_state::{ParallelStateFile, Store, Timestamp, WorkerRecord};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("state.json");
/// let holder = Holder {
///     pid: std::process::id(),
///     host: "here".into(),
///     command: "an example".into(),
///     since: Timestamp::UNIX_EPOCH,
/// };
/// let store = Store::<ParallelStateFile>::new(path, holder);
/// store.update(|state| {
///     let worker = WorkerRecord::new("RQ-1", "/tmp/RQ-1".into(), "2026-04-22T18:03:14Z".into());
///     state.upsert_worker(worker);
///     Ok::<_, std::convert::Infallible>(())
/// })?;
/// assert!(store.load()?.expect("just made").value.has_worker("RQ-1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Store<D> {
    path: PathBuf,
    holder: Option<Holder>,
    durability: Durability,
    lock_policy: LockPolicy,
    lock_wait: Duration,
    like: Option<PathBuf>,
    document: PhantomData<fn() -> D>,
}

/// What was loaded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded<D> {
    /// The value, of the current version.
    pub value: D,
    /// How it came about.
    pub report: MigrationReport,
    /// Which bytes it was read from, for [`Store::save_if`].
    pub token: Token,
}

/// Which file a value was read from: its bytes, and which file it was.
///
/// The bytes tell every change, also one by a program that counts no generations. Which file it
/// was tells one that was changed and changed back: each save makes a new file.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    bytes: Vec<u8>,
    stamp: Stamp,
}

/// What [`Store::update`] did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Updated<R> {
    /// What the change returned.
    pub value: R,
    /// What became of the save.
    pub saved: Saved,
}

/// A file that cannot be used, as [`Store::rebuild`] found it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Unusable<'a> {
    /// What is in it.
    pub bytes: &'a [u8],
    /// Why that is no document of this kind.
    pub reason: &'a DecodeError,
}

/// What [`Store::rebuild`] did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rebuilt {
    /// Where the bytes are that could not be used.
    pub aside: PathBuf,
    /// What became of the save, and of the copy before it.
    pub saved: Saved,
}

/// Why a document was not loaded. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the {kind} `{}`", path.display())]
    Read {
        /// What the file is.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file holds something else, or a newer version.
    #[error("cannot use the {kind} `{}`", path.display())]
    Decode {
        /// What the file is.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
}

/// Why a document was not saved. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The lock was not to be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file that is there cannot be understood, so it is not overwritten.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The value cannot be written as JSON.
    #[error("cannot write the {kind} as JSON")]
    Encode {
        /// What the file is.
        kind: &'static str,
        /// The cause.
        source: EncodeError,
    },
    /// The file is not the one that the token was taken from.
    #[error(
        "the {kind} `{}` has changed since it was read: it was {}, it is {}",
        path.display(), described(ours.as_ref()), described(theirs.as_ref())
    )]
    Changed {
        /// What the file is.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// What it was when it was read; nothing if it was not there.
        ours: Option<Token>,
        /// What it is.
        theirs: Option<Token>,
    },
    /// The file was not replaced.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// The file was not removed or renamed.
    #[error("cannot {step} the {kind} `{}`", path.display())]
    Move {
        /// What was to be done.
        step: &'static str,
        /// What the file is.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Why an update did not happen. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The document was not loaded or not saved.
    #[error(transparent)]
    Store(#[from] SaveError),
    /// The change itself refused.
    #[error(transparent)]
    Change(E),
}

impl<D: Document> Store<D> {
    /// The document at `path`; nothing is read or made yet. `holder` is shown to others who have
    /// to wait for the lock.
    pub fn new(path: impl Into<PathBuf>, holder: Holder) -> Self {
        Self::held_by(path.into(), Some(holder))
    }

    /// The same for one who cannot say who it is.
    pub(crate) fn anonymous(path: &Path) -> Self {
        Self::held_by(path.to_owned(), None)
    }

    fn held_by(path: PathBuf, holder: Option<Holder>) -> Self {
        Self {
            path,
            holder,
            durability: Durability::Full,
            lock_policy: LockPolicy::Required,
            lock_wait: Duration::from_secs(10),
            like: None,
            document: PhantomData,
        }
    }

    /// The same, saving as durably as `durability` says.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// The same, doing as `lock_policy` says where the file system has no locks (default: refuse).
    #[must_use]
    pub fn lock_policy(self, lock_policy: LockPolicy) -> Self {
        Self { lock_policy, ..self }
    }

    /// The same, waiting for the lock for at most `lock_wait` (default: ten seconds).
    #[must_use]
    pub fn lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// The same, where a new file gets the mode, and from the superuser the owner, of the file at
    /// `like`, whose content it tells.
    #[must_use]
    pub fn like(self, like: impl Into<PathBuf>) -> Self {
        Self { like: Some(like.into()), ..self }
    }

    /// Where the document is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the document; `None` when there is no file. Takes no lock and never writes, also
    /// when the file is of an older version.
    pub fn load(&self) -> Result<Option<Loaded<D>>, LoadError> {
        let current = load_from(&SystemDisk, &self.path)?;
        Ok(current.map(|Current { value, report, token }| Loaded { value, report, token }))
    }

    /// Locks the document, reads it (the default value when there is no file), lets `change`
    /// change it, and saves it: the way to change a document that others change too.
    ///
    /// A file of the current version that `change` leaves as it is is not written, so that the
    /// layout of its text is kept, and a read-only file system is no error. Otherwise the text is made anew, without comments. When the
    /// file is of an older version, its bytes are kept beside it first, as `state.v2.json.bak`.
    ///
    /// A crash leaves the old file or the new one, see [`replace`](crate::file::replace); perhaps
    /// with the copy of the older version already made.
    pub fn update<R, E>(
        &self,
        change: impl FnOnce(&mut D) -> Result<R, E>,
    ) -> Result<Updated<R>, UpdateError<E>>
    where
        D: Default,
    {
        self.update_reported(|value, _| change(value))
    }

    /// The same for a `change` that also sees how the value came about, under the same lock: what
    /// an upgrade left out is not lost when another process upgrades the file first. There is no
    /// report when there is no file.
    pub fn update_reported<R, E>(
        &self,
        change: impl FnOnce(&mut D, Option<&MigrationReport>) -> Result<R, E>,
    ) -> Result<Updated<R>, UpdateError<E>>
    where
        D: Default,
    {
        let (_lock, others) = match self.lock() {
            // Nobody changes a file there; whether this would is seen at the end.
            Err(SaveError::Lock(error @ LockError::ReadOnly { .. })) => {
                (None, Others::NobodyWrites(error))
            }
            locked => locked?,
        };
        update_on(self.place(others), change)
    }

    /// Brings a file of an older version to the current one, keeping its bytes beside it; `None`
    /// when there is no file.
    pub fn upgrade(&self) -> Result<Option<(MigrationReport, Saved)>, SaveError> {
        self.upgrade_with(|_, _| {})
    }

    /// The same, and `adopt` takes over into the value what the upgrade left out, in the same
    /// save. It is not called for a file of the current version.
    pub fn upgrade_with(
        &self,
        adopt: impl FnOnce(&mut D, &MigrationReport),
    ) -> Result<Option<(MigrationReport, Saved)>, SaveError> {
        let (_lock, others) = self.lock()?;
        let place = self.place(others);
        let Some(mut current) = load_from(place.disk, place.path)? else { return Ok(None) };
        if !current.report.migrated() {
            return Ok(Some((current.report, Saved::Unchanged)));
        }
        adopt(&mut current.value, &current.report);
        let bytes = encode(&current.value).map_err(cannot_encode::<D>)?;
        let saved = put_on(place, Some(&current), &bytes)?;
        Ok(Some((current.report, saved)))
    }

    /// Puts what `make` makes in place of a file that cannot be used, under one lock; `None`, and
    /// nothing done, when there is no file or one that can be used.
    ///
    /// The bytes of the file are kept first, durably, as `state.corrupt.json.bak`, or
    /// `state.corrupt.1.json.bak` when another such copy is there. A crash leaves the old file or
    /// the new one. A file of a newer version, or one that cannot be read from the disk, is an
    /// error: others can use it.
    pub fn rebuild<E>(
        &self,
        make: impl FnOnce(Unusable<'_>) -> Result<D, E>,
    ) -> Result<Option<Rebuilt>, UpdateError<E>> {
        let (_lock, others) = self.lock()?;
        rebuild_on(self.place(others), make)
    }

    /// Puts `value` there, whatever was there, if it was a document of this kind. Prefer
    /// [`Self::update`]: what others changed since `value` was read is lost.
    pub fn save(&self, value: &D) -> Result<Saved, SaveError> {
        let (_lock, others) = self.lock()?;
        let place = self.place(others);
        let current = load_from::<D, _>(place.disk, place.path)?;
        let bytes = encode(value).map_err(cannot_encode::<D>)?;
        put_on(place, current.as_ref(), &bytes)
    }

    /// Puts `value` there if the file still is the one that `token` was taken from, or still
    /// missing when there is no token.
    pub fn save_if(&self, value: &D, token: Option<&Token>) -> Result<Saved, SaveError> {
        let (_lock, others) = self.lock()?;
        let place = self.place(others);
        let current = load_from::<D, _>(place.disk, place.path)?;
        if current.as_ref().map(|current| &current.token) != token {
            return Err(changed::<D>(place.path, token.cloned(), current.map(|now| now.token)));
        }
        let bytes = encode(value).map_err(cannot_encode::<D>)?;
        put_on(place, current.as_ref(), &bytes)
    }

    /// Removes the file; [`Saved::Unchanged`] when there is none.
    pub fn remove(&self) -> Result<Saved, SaveError> {
        let _lock = self.lock()?;
        remove_on(&SystemDisk, &self.path, self.durability)
            .map_err(cannot_move::<D>("remove", &self.path))
    }

    /// Moves the file out of the way, durably, to the returned path (`state.corrupt.json.bak`);
    /// `None` when there is no file. See [`Self::rebuild`] for a file that is to be there again.
    pub fn set_aside(&self) -> Result<Option<PathBuf>, SaveError> {
        let _lock = self.lock()?;
        set_aside_on::<D, _>(&SystemDisk, &self.path, self.durability)
    }

    /// What `decode` makes of the bytes of the file.
    pub(crate) fn read_with<T>(
        &self,
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, LoadError> {
        let token = read_file::<D, _>(&SystemDisk, &self.path)?;
        token
            .map(|Token { bytes, .. }| decode(&bytes).map_err(|source| self.unusable(source)))
            .transpose()
    }

    fn unusable(&self, source: DecodeError) -> LoadError {
        LoadError::Decode { kind: D::KIND, path: self.path.clone(), source }
    }

    fn lock(&self) -> Result<(Option<FileLock>, Others), SaveError> {
        let sidecar = find_sidecar(&self.path)
            .map_err(|source| LockError::Io { path: self.path.clone(), source })?;
        match FileLock::acquire_as(&sidecar, self.holder.as_ref(), self.lock_wait) {
            Ok(lock) => Ok((Some(lock), Others::Wait)),
            Err(LockError::Unsupported { .. }) if self.lock_policy == LockPolicy::BestEffort => {
                Ok((None, Others::MayWrite))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn place(&self, others: Others) -> Place<'_, SystemDisk> {
        let Self { path, durability, .. } = self;
        Place {
            disk: &SystemDisk,
            path,
            like: self.like.as_deref(),
            durability: *durability,
            others,
        }
    }
}

// By hand, since a derive would ask for `D: Clone`.
impl<D> Clone for Store<D> {
    fn clone(&self) -> Self {
        Self {
            path: self.path.clone(),
            holder: self.holder.clone(),
            durability: self.durability,
            lock_policy: self.lock_policy,
            lock_wait: self.lock_wait,
            like: self.like.clone(),
            document: PhantomData,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.bytes.len())
    }
}

fn described(token: Option<&Token>) -> String {
    let Some(Token { bytes, stamp }) = token else { return "not there".to_owned() };
    let since_1970 = stamp.written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let written = since_1970.and_then(|time| Timestamp::UNIX_EPOCH.checked_add(time));
    match written {
        Some(written) => format!("{} bytes written at {written}", bytes.len()),
        None => format!("{} bytes", bytes.len()),
    }
}

/// A document as it is on the disk.
struct Current<D> {
    value: D,
    report: MigrationReport,
    token: Token,
}

/// What others do while a document changes.
pub(crate) enum Others {
    /// They wait for the lock.
    Wait,
    /// There is no lock, as was asked for.
    MayWrite,
    /// The file system is read-only, for us too.
    NobodyWrites(LockError),
}

impl Others {
    /// Whether what was read may be replaced.
    fn let_us_replace<D: Document, K: Disk>(
        self,
        disk: &K,
        path: &Path,
        old: Option<&Token>,
    ) -> Result<(), SaveError> {
        match self {
            Self::Wait => Ok(()),
            Self::NobodyWrites(error) => Err(error.into()),
            Self::MayWrite => match read_file::<D, K>(disk, path)? {
                now if now.as_ref() == old => Ok(()),
                now => Err(changed::<D>(path, old.cloned(), now)),
            },
        }
    }
}

/// Where a document is changed.
pub(crate) struct Place<'a, K> {
    pub(crate) disk: &'a K,
    pub(crate) path: &'a Path,
    /// Whose mode a new file gets.
    pub(crate) like: Option<&'a Path>,
    pub(crate) durability: Durability,
    pub(crate) others: Others,
}

fn load_from<D: Document, K: Disk>(disk: &K, path: &Path) -> Result<Option<Current<D>>, LoadError> {
    let Some(token) = read_file::<D, K>(disk, path)? else { return Ok(None) };
    match decode(&token.bytes) {
        Ok((value, report)) => Ok(Some(Current { value, report, token })),
        Err(source) => Err(LoadError::Decode { kind: D::KIND, path: path.to_owned(), source }),
    }
}

/// What is in a regular file: reading from a pipe, say, would never end.
fn read_file<D: Document, K: Disk>(disk: &K, path: &Path) -> Result<Option<Token>, LoadError> {
    read_regular(disk, path).map_err(|source| LoadError::Read {
        kind: D::KIND,
        path: path.to_owned(),
        source,
    })
}

fn read_regular<K: Disk>(disk: &K, path: &Path) -> io::Result<Option<Token>> {
    let mut old = resolve(disk, path)?.old;
    loop {
        let stamp = match &old {
            None => return Ok(None),
            Some(stat) if stat.kind != FileKind::File => {
                return Err(io::Error::other("not a regular file"));
            }
            Some(stat) => stat.stamp,
        };
        let bytes = match disk.read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        // A reader holds no lock: the file may have been replaced in between.
        let now = resolve(disk, path)?.old;
        if now.as_ref().is_some_and(|stat| stat.stamp == stamp) {
            return Ok(Some(Token { bytes, stamp }));
        }
        old = now;
    }
}

/// Everything an update does under the lock.
pub(crate) fn update_on<D: Document + Default, K: Disk, R, E>(
    place: Place<'_, K>,
    change: impl FnOnce(&mut D, Option<&MigrationReport>) -> Result<R, E>,
) -> Result<Updated<R>, UpdateError<E>> {
    let mut current = load_from::<D, K>(place.disk, place.path).map_err(SaveError::from)?;
    let mut default = D::default();
    let before = match &current {
        Some(current) if !current.report.migrated() => {
            Some(write(&current.value).map_err(cannot_encode::<D>)?)
        }
        _ => None,
    };
    let (value, report) = match &mut current {
        Some(Current { value, report, .. }) => (value, Some(&*report)),
        None => (&mut default, None),
    };
    let result = change(value, report).map_err(UpdateError::Change)?;
    let bytes = encode(value).map_err(cannot_encode::<D>)?;
    let saved = match before {
        Some(before) if before.as_bytes() == bytes => Saved::Unchanged,
        _ => put_on(place, current.as_ref(), &bytes)?,
    };
    Ok(Updated { value: result, saved })
}

/// Everything a rebuild does under the lock.
pub(crate) fn rebuild_on<D: Document, K: Disk, E>(
    place: Place<'_, K>,
    make: impl FnOnce(Unusable<'_>) -> Result<D, E>,
) -> Result<Option<Rebuilt>, UpdateError<E>> {
    let Place { disk, path, durability, others, .. } = place;
    let read = read_file::<D, K>(disk, path).map_err(SaveError::from)?;
    let Some(old) = read else { return Ok(None) };
    let bytes = &old.bytes;
    let reason = match decode::<D>(bytes) {
        Ok(_) => return Ok(None),
        Err(source @ DecodeError::Newer { .. }) => {
            let newer = LoadError::Decode { kind: D::KIND, path: path.to_owned(), source };
            return Err(SaveError::from(newer).into());
        }
        Err(reason) => reason,
    };
    let value = make(Unusable { bytes, reason: &reason }).map_err(UpdateError::Change)?;
    let new = encode(&value).map_err(cannot_encode::<D>)?;
    others.let_us_replace::<D, K>(disk, path, Some(&old))?;
    let (aside, kept) =
        keep_copy_on(disk, path, "corrupt", bytes, durability).map_err(SaveError::from)?;
    let saved = replace_known_on(disk, None, path, &new, durability).map_err(SaveError::from)?;
    Ok(Some(Rebuilt { aside, saved: weaker(kept, saved) }))
}

/// Everything that setting aside does under the lock.
pub(crate) fn set_aside_on<D: Document, K: Disk>(
    disk: &K,
    path: &Path,
    durability: Durability,
) -> Result<Option<PathBuf>, SaveError> {
    let Some(Token { bytes, .. }) = read_file::<D, K>(disk, path)? else { return Ok(None) };
    let (aside, _) = keep_copy_on(disk, path, "corrupt", &bytes, durability)?;
    remove_on(disk, path, durability).map_err(cannot_move::<D>("set aside", path))?;
    Ok(Some(aside))
}

fn cannot_move<D: Document>(
    step: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> SaveError {
    let path = path.to_owned();
    move |source| SaveError::Move { step, kind: D::KIND, path, source }
}

/// A save counts for what the copy that came before it counts for: neither is good without the
/// other.
fn weaker(copy: Saved, save: Saved) -> Saved {
    match (copy, save) {
        (Saved::Unconfirmed { reason }, Saved::Durable) => Saved::Unconfirmed { reason },
        (_, save) => save,
    }
}

fn cannot_encode<D: Document>(source: EncodeError) -> SaveError {
    SaveError::Encode { kind: D::KIND, source }
}

fn changed<D: Document>(path: &Path, ours: Option<Token>, theirs: Option<Token>) -> SaveError {
    SaveError::Changed { kind: D::KIND, path: path.to_owned(), ours, theirs }
}

/// Puts `bytes` in place of what was read, and first keeps that if it is of an older version.
fn put_on<D: Document, K: Disk>(
    place: Place<'_, K>,
    current: Option<&Current<D>>,
    bytes: &[u8],
) -> Result<Saved, SaveError> {
    let Place { disk, path, like, durability, others } = place;
    let old = current.map(|current| &current.token);
    if old.is_some_and(|old| old.bytes == bytes) {
        return Ok(Saved::Unchanged);
    }
    others.let_us_replace::<D, K>(disk, path, old)?;
    let kept = match current {
        Some(Current { report, token, .. }) if report.migrated() => {
            keep_copy_on(disk, path, &format!("v{}", report.from), &token.bytes, durability)?.1
        }
        _ => Saved::Unchanged,
    };
    Ok(weaker(kept, replace_known_on(disk, like, path, bytes, durability)?))
}
