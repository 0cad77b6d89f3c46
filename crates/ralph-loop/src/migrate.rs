//! Every document of a repository, its version, and the way to the present one.
//!
//! [`survey`] reads and plans, [`apply`] carries out one plan. Nothing is deleted: the bytes of a
//! document that is rewritten are kept, a file of an old name is renamed, and where both names are
//! taken nothing is done.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use ralph_config::ConfigError;
use ralph_config::trust::TrustStore;
use ralph_git::{GitError, Repo};
use ralph_queue::lease::Leases;
use ralph_queue::{IdMarks, ParseError, QueueFiles};
use ralph_state::document::{self, DecodeError, Document, Newer};
use ralph_state::file::{
    Durability, FileLock, LockError, ReplaceError, Saved, check_regular, replace, replace_like,
};
use ralph_state::journal::JournalHeader;
use ralph_state::session::{SessionFile, session_file_path};
use ralph_state::{
    LoadError, MigrationReport, ParallelStateFile, SaveError, Store, Timestamp, WorkerRecord,
};
use thiserror::Error;

use crate::unseen;

/// Where a repository's documents are.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by every caller")]
pub struct Site<'a> {
    /// The work tree.
    pub root: &'a Path,
    /// The same as a repository, where git can be asked.
    pub repo: Option<&'a Repo>,
    /// The configuration files, by the names of today.
    pub configs: &'a [PathBuf],
    /// The queue.
    pub queue: &'a QueueFiles,
    /// The directory that all work trees share.
    pub shared: &'a Path,
    /// The user's record of trusted repositories.
    pub trust: Option<&'a TrustStore>,
    /// When adopted work counts as ended.
    pub now: Timestamp,
}

/// A document that is there.
#[derive(Debug)]
#[non_exhaustive]
pub struct Item {
    /// What it is.
    pub kind: &'static str,
    /// Where it is, by the name it has now.
    pub path: PathBuf,
    /// The version that is written today.
    pub current: u32,
    /// Where it stands.
    pub state: State,
}

/// Where a document stands.
#[derive(Debug)]
#[non_exhaustive]
pub enum State {
    /// It is of the present version, under its present name.
    Current,
    /// It is to be brought up.
    Pending(Box<Pending>),
    /// It is of a newer version.
    Newer {
        /// Its version.
        found: u64,
    },
    /// It is there under the old name and the new one; which one holds has to be decided.
    Twice {
        /// The new name.
        new: PathBuf,
    },
    /// It cannot be read.
    Unreadable {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What a document becomes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Pending {
    /// Its version, if it names one.
    pub from: Option<u32>,
    /// Its new name.
    pub rename_to: Option<PathBuf>,
    /// Its text.
    pub before: String,
    /// Its new text; the same when only the name changes.
    pub after: String,
    /// What changes in a configuration.
    pub config: Vec<ralph_config::migrate::Change>,
    /// What moved and what was left out.
    pub report: Option<MigrationReport>,
    /// The records that are made of what was left out.
    pub adopted: Vec<WorkerRecord>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Config,
    Queue,
    ParallelState,
    Session,
    Leases,
    Ids,
    Trust,
    ChangedSettings,
}

/// What [`apply`] did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Applied {
    /// Where the document is now.
    pub path: PathBuf,
    /// Where its bytes from before are; `None` when only its name has changed.
    pub backup: Option<PathBuf>,
    /// What became of the save.
    pub saved: Saved,
}

/// Why a document was not brought up. It is as it was, perhaps under its new name.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// It is not what it was when the plan was made.
    #[error("`{}` has changed meanwhile", path.display())]
    Changed {
        /// The document.
        path: PathBuf,
    },
    /// The new name is taken.
    #[error("`{}` is there already", path.display())]
    Taken {
        /// The new name.
        path: PathBuf,
    },
    /// git did not rename it.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The queue is held by another process.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It was not written.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// It was not brought up.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// A file cannot be read or renamed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Every document that is there, and what it would become. Writes nothing. The queue is not
/// renamed while a configuration cannot be read.
///
/// # Errors
/// Never for a document that cannot be read: that is a state. Only when a directory cannot be.
pub fn survey(site: &Site<'_>) -> io::Result<Vec<Item>> {
    let mut items = Vec::new();
    for path in site.configs {
        items.extend(config(path)?);
    }
    // A configuration that cannot be read may name the files of the queue: they keep their names.
    let is_told = items.iter().all(|item| matches!(item.state, State::Current | State::Pending(_)));
    for path in [&site.queue.queue, &site.queue.done] {
        let item = queue(path)?;
        items.extend(item.filter(|item| is_told || !matches!(item.state, State::Pending(_))));
    }
    let holder = &site.queue.holder;
    let state = Store::new(ralph_state::state_file_path(site.root), holder.clone());
    items.extend(parallel_state(&state, site.now));
    let session = Store::<SessionFile>::new(session_file_path(site.root), holder.clone());
    items.extend(stored(&session, Kind::Session));
    if let Some(journal) = &site.queue.journal {
        items.extend(journal_header(journal)?);
    }
    let leases = Store::<Leases>::new(Leases::path_in(site.shared), holder.clone());
    items.extend(stored(&leases, Kind::Leases));
    let ids = Store::<IdMarks>::new(IdMarks::path_in(site.shared), holder.clone());
    items.extend(stored(&ids, Kind::Ids));
    if let Some(trust) = site.trust {
        items.extend(stored(trust.store(), Kind::Trust));
    }
    items.extend(stored(&unseen::store(site.root, site.queue), Kind::ChangedSettings));
    Ok(items)
}

/// The bytes of a file; `None` when there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match check_regular(path).and_then(|()| fs_err::read(path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file that older versions called `.json`: its present name and content, and the name it is to
/// have if that is another.
struct Named {
    path: PathBuf,
    bytes: Vec<u8>,
    rename_to: Option<PathBuf>,
}

/// What is there under either name; the inner error is that there is one under each.
fn named(path: &Path) -> io::Result<Option<Result<Named, Twice>>> {
    let old = path.with_extension("json");
    let before = if old == path { None } else { read(&old)? };
    Ok(match (read(path)?, before) {
        (Some(_), Some(_)) => Some(Err(Twice { old, new: path.to_owned() })),
        (Some(bytes), None) => Some(Ok(Named { path: path.to_owned(), bytes, rename_to: None })),
        (None, Some(bytes)) => {
            Some(Ok(Named { path: old, bytes, rename_to: Some(path.to_owned()) }))
        }
        (None, None) => None,
    })
}

struct Twice {
    old: PathBuf,
    new: PathBuf,
}

fn config(path: &Path) -> io::Result<Option<Item>> {
    let kind = ralph_config::FORMAT.kind;
    let current = ralph_config::CONFIG_VERSION;
    let Named { path, bytes, rename_to } = match named(path)? {
        None => return Ok(None),
        Some(Err(Twice { old, new })) => {
            return Ok(Some(Item { kind, path: old, current, state: State::Twice { new } }));
        }
        Some(Ok(named)) => named,
    };
    let state = match ralph_config::migrate::migrate(&path, &bytes) {
        Err(ConfigError::Newer { source: Newer { found, .. }, .. }) => State::Newer { found },
        Err(error) => State::Unreadable { source: error.into() },
        Ok(None) if rename_to.is_none() => State::Current,
        Ok(migration) => {
            let before = String::from_utf8_lossy(&bytes).into_owned();
            let (from, after, config) = match migration {
                Some(migration) => (migration.from, migration.text, migration.changes),
                None => (Some(current), before.clone(), Vec::new()),
            };
            let pending = Pending { from, rename_to, before, after, config, ..only(Kind::Config) };
            State::Pending(Box::new(pending))
        }
    };
    Ok(Some(Item { kind, path, current, state }))
}

fn queue(path: &Path) -> io::Result<Option<Item>> {
    let kind = ralph_queue::Document::FORMAT.kind;
    let current = ralph_queue::Document::VERSION;
    let Named { path, bytes, rename_to } = match named(path)? {
        None => return Ok(None),
        Some(Err(Twice { old, new })) => {
            return Ok(Some(Item { kind, path: old, current, state: State::Twice { new } }));
        }
        Some(Ok(named)) => named,
    };
    let parsed = ralph_queue::decode(bytes).and_then(ralph_queue::Document::parse);
    let state = match (parsed, rename_to) {
        (Err(ParseError::Newer(Newer { found, .. })), _) => State::Newer { found },
        (Err(error), _) => State::Unreadable { source: error.into() },
        (Ok(_), None) => State::Current,
        (Ok(document), rename_to) => State::Pending(Box::new(Pending {
            from: Some(current),
            rename_to,
            before: document.text().to_owned(),
            after: document.text().to_owned(),
            ..only(Kind::Queue)
        })),
    };
    Ok(Some(Item { kind, path, current, state }))
}

const fn only(kind: Kind) -> Pending {
    Pending {
        from: None,
        rename_to: None,
        before: String::new(),
        after: String::new(),
        config: Vec::new(),
        report: None,
        adopted: Vec::new(),
        kind,
    }
}

fn stored<D: Document>(store: &Store<D>, kind: Kind) -> Option<Item> {
    planned(store, kind, |_, _| Vec::new())
}

fn parallel_state(store: &Store<ParallelStateFile>, now: Timestamp) -> Option<Item> {
    planned(store, Kind::ParallelState, |state, report| adopt(state, report, now))
}

/// Takes the records of an older version over into `state`; which ones that were.
///
/// A task that has a record already keeps it.
pub fn adopt(
    state: &mut ParallelStateFile,
    report: &MigrationReport,
    now: Timestamp,
) -> Vec<WorkerRecord> {
    let mut adopted = ralph_state::adopt_legacy(&ralph_state::legacy_work(report), now);
    adopted.retain(|record| !state.has_worker(&record.task_id));
    for record in &adopted {
        state.upsert_worker(record.clone());
    }
    adopted
}

fn planned<D: Document>(
    store: &Store<D>,
    kind: Kind,
    adopt: impl FnOnce(&mut D, &MigrationReport) -> Vec<WorkerRecord>,
) -> Option<Item> {
    let path = store.path().to_owned();
    let state = match store.load() {
        Ok(None) => return None,
        Ok(Some(loaded)) if !loaded.report.migrated() => State::Current,
        Ok(Some(mut loaded)) => {
            let adopted = adopt(&mut loaded.value, &loaded.report);
            // What is not text could not have been loaded.
            let before = read(&path).ok().flatten().unwrap_or_default();
            match document::encode(&loaded.value) {
                Ok(after) => State::Pending(Box::new(Pending {
                    from: Some(loaded.report.from),
                    before: String::from_utf8_lossy(&before).into_owned(),
                    after: String::from_utf8_lossy(&after).into_owned(),
                    report: Some(loaded.report),
                    adopted,
                    ..only(kind)
                })),
                Err(error) => State::Unreadable { source: error.into() },
            }
        }
        Err(LoadError::Decode { source, .. }) => refused(source),
        Err(error) => State::Unreadable { source: error.into() },
    };
    Some(Item { kind: D::KIND, path, current: D::UPGRADES.current(), state })
}

fn refused(error: DecodeError) -> State {
    match error {
        DecodeError::Newer(Newer { found, .. }) => State::Newer { found },
        error => State::Unreadable { source: error.into() },
    }
}

/// A journal is appended to and never rewritten; its first line has its version.
fn journal_header(path: &Path) -> io::Result<Option<Item>> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let state = match document::decode::<JournalHeader>(header) {
        Ok(_) => State::Current,
        // A writer that died at its first line left no journal yet.
        Err(_) if !bytes.contains(&b'\n') => return Ok(None),
        Err(error) => refused(error),
    };
    let current = JournalHeader::UPGRADES.current();
    Ok(Some(Item { kind: "queue journal", path: path.to_owned(), current, state }))
}

/// Carries out the plan for the document at `path`.
///
/// A crash leaves the old document or the new one, under its old name or its new one; asked
/// again, what is left to do is done.
///
/// # Errors
/// See [`MigrateError`].
pub fn apply(site: &Site<'_>, path: &Path, plan: &Pending) -> Result<Applied, MigrateError> {
    let holder = &site.queue.holder;
    match plan.kind {
        Kind::Config | Kind::Queue => {
            let _lock = FileLock::acquire(&site.queue.lock_path(), holder, site.queue.lock_wait)?;
            rewrite(site, path, plan)
        }
        Kind::ParallelState => {
            let store = Store::<ParallelStateFile>::new(path, holder.clone());
            upgrade(&store, plan, |state, report| drop(adopt(state, report, site.now)))
        }
        Kind::Session => upgrade(&Store::<SessionFile>::new(path, holder.clone()), plan, as_is),
        Kind::Leases => upgrade(&Store::<Leases>::new(path, holder.clone()), plan, as_is),
        Kind::Ids => upgrade(&Store::<IdMarks>::new(path, holder.clone()), plan, as_is),
        Kind::Trust => match site.trust {
            Some(trust) => upgrade(trust.store(), plan, as_is),
            None => Err(MigrateError::Changed { path: path.to_owned() }),
        },
        Kind::ChangedSettings => upgrade(&unseen::store(site.root, site.queue), plan, as_is),
    }
}

fn as_is<D>(_: &mut D, _: &MigrationReport) {}

fn upgrade<D: Document>(
    store: &Store<D>,
    plan: &Pending,
    adopt: impl FnOnce(&mut D, &MigrationReport),
) -> Result<Applied, MigrateError> {
    let path = store.path().to_owned();
    let Some((report, saved)) = store.upgrade_with(adopt)? else {
        return Err(MigrateError::Changed { path });
    };
    let backup = kept_copy(&path, report.from, plan.before.as_bytes())?;
    Ok(Applied { path, backup, saved })
}

/// The copy that an upgrade from version `from` kept of `bytes`, beside the file.
///
/// # Errors
/// When the directory cannot be read.
pub fn kept_copy(path: &Path, from: u32, bytes: &[u8]) -> io::Result<Option<PathBuf>> {
    let real = fs_err::canonicalize(path)?;
    let stem = real.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let starts = format!("{stem}.v{from}.");
    let Some(dir) = real.parent() else { return Ok(None) };
    let mut copies = Vec::new();
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&starts) && read(&entry.path())?.as_deref() == Some(bytes) {
            copies.push(path.with_file_name(name));
        }
    }
    copies.sort();
    Ok(copies.into_iter().next())
}

/// Renames and rewrites a file that people edit.
fn rewrite(site: &Site<'_>, path: &Path, plan: &Pending) -> Result<Applied, MigrateError> {
    if read(path)?.as_deref() != Some(plan.before.as_bytes()) {
        return Err(MigrateError::Changed { path: path.to_owned() });
    }
    let new = match &plan.rename_to {
        None => path,
        Some(new) => {
            rename(site, path, new)?;
            new.as_path()
        }
    };
    if plan.before == plan.after {
        return Ok(Applied { path: new.to_owned(), backup: None, saved: Saved::Durable });
    }
    let backup = keep(site, new, plan)?;
    let saved = replace(new, plan.after.as_bytes(), Durability::Full)?;
    Ok(Applied { path: new.to_owned(), backup: Some(backup), saved })
}

fn rename(site: &Site<'_>, old: &Path, new: &Path) -> Result<(), MigrateError> {
    // As git names it: the repository may begin above the site.
    let inside = |path: &Path| {
        let dir = fs_err::canonicalize(path.parent()?).ok()?;
        Some(dir.strip_prefix(site.repo?.root()).ok()?.join(path.file_name()?))
    };
    if let (Some(repo), Some(from), Some(to)) = (site.repo, inside(old), inside(new))
        && repo.is_tracked(&from)?
    {
        return Ok(repo.rename(&from, &to)?);
    }
    // Under the lock of the queue nobody else of ours makes it.
    if new.symlink_metadata().is_ok() {
        return Err(MigrateError::Taken { path: new.to_owned() });
    }
    Ok(fs_err::rename(old, new)?)
}

/// Keeps the bytes of a file of the user's where git does not see them: in the cache for one of
/// the repository, beside it for any other.
fn keep(site: &Site<'_>, path: &Path, plan: &Pending) -> Result<PathBuf, MigrateError> {
    let dir = if path.starts_with(site.root) {
        site.root.join(".ralph/cache")
    } else {
        path.parent().unwrap_or(site.root).to_owned()
    };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let end = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let version = plan.from.map_or("unversioned".to_owned(), |from| format!("v{from}"));
    for nth in 0.. {
        let nth = if nth == 0 { String::new() } else { format!(".{nth}") };
        let copy = dir.join(format!("{stem}.{version}{nth}.{end}.bak"));
        match read(&copy)? {
            Some(there) if there != plan.before.as_bytes() => {}
            _ => {
                replace_like(path, &copy, plan.before.as_bytes(), Durability::Full)?;
                return Ok(copy);
            }
        }
    }
    Err(MigrateError::Taken { path: path.to_owned() })
}
