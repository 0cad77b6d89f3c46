//! The user's own checkout: only ever fast-forwarded, never over a local change.
//!
//! Its queue files are the one exception that needs care: people add tasks
//! while a run goes on, and every landing changes the same files. They are set
//! aside, the checkout is fast-forwarded, and their changes are merged back,
//! under the lock of the queue and from a durable copy, so that a crash at any
//! point is finished by [`finish_set_aside`] at the next start.

use std::path::{Path, PathBuf};

use ralph_git::{FastForward, FetchError, GitError, Head, Operation, Sha};
use ralph_queue::landing::Texts;
use ralph_queue::merge::{self, MergeError};
use ralph_queue::{Place, QueueFiles};
use ralph_state::file::{self, Durability, FileLock, LockError, ReplaceError};
use thiserror::Error;

use crate::project::Project;
use crate::target;

/// How long to wait for somebody who edits the queue.
const QUEUE_WAIT: std::time::Duration = std::time::Duration::from_secs(10);
/// Written last, removed first: its presence says that files are set aside.
const FROM: &str = "from";

/// What became of the checkout.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Advanced {
    /// It has what landed.
    Yes,
    /// It stays as it was, for this reason.
    Left(Behind),
}

/// Why the checkout does not have what landed.
#[derive(Clone, Debug, Eq, PartialEq, Error)]
#[non_exhaustive]
pub enum Behind {
    /// Another branch is checked out, or none.
    #[error("`{branch}` is not checked out")]
    Elsewhere {
        /// The branch that work lands on.
        branch: String,
    },
    /// A merge, a rebase or the like of the user's is not concluded.
    #[error("a {operation} is under way in it")]
    UnderWay {
        /// What git is in the middle of.
        operation: Operation,
    },
    /// It has commits that the remote lacks.
    #[error("it has commits that `{upstream}` lacks")]
    Diverged {
        /// The remote and its branch.
        upstream: String,
    },
    /// Files of the user's are where others landed. The queue files are none of them: those are
    /// merged.
    #[error("local changes in {}", listed(changed, untracked))]
    InTheWay {
        /// Files that git knows and that are changed.
        changed: Vec<PathBuf>,
        /// Files that git does not know.
        untracked: Vec<PathBuf>,
    },
    /// The remote could not be asked.
    #[error("{reason}")]
    Unfetched {
        /// What git says.
        reason: String,
    },
    /// git refuses for another reason.
    #[error("{reason}")]
    Refused {
        /// What git says.
        reason: String,
    },
}

fn listed(changed: &[PathBuf], untracked: &[PathBuf]) -> String {
    let names = changed.iter().chain(untracked).map(|file| file.display().to_string());
    names.collect::<Vec<_>>().join(", ")
}

/// Why the checkout could not be looked after.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckoutError {
    /// git failed.
    #[error("git failed in your checkout")]
    Git(#[from] GitError),
    /// The queue is locked by somebody else.
    #[error("cannot lock the queue of your checkout")]
    Lock(#[from] LockError),
    /// A file could not be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReplaceError,
    },
    /// A file could not be read or removed.
    #[error("cannot look after the files set aside")]
    Io(#[from] std::io::Error),
    /// The user's queue and the landed one could not be merged; both are kept.
    #[error("cannot merge your changes of `{path}` with what landed; a copy is in `{kept}`")]
    Merge {
        /// The file.
        path: PathBuf,
        /// Where the user's version is.
        kept: PathBuf,
        /// The cause.
        source: MergeError,
    },
}

/// Fast-forwards the checkout to the remote's `branch`, if it is on it.
///
/// # Errors
/// When git or the files fail; a checkout that may not be touched is an outcome.
pub fn advance(project: &Project, branch: &str) -> Result<Advanced, CheckoutError> {
    let main = &project.repo;
    let is_checked_out = matches!(main.head()?, Head::Branch { name, .. } if name == branch);
    let elsewhere = || left(project, Behind::Elsewhere { branch: branch.to_owned() });
    if main.remote_url(target::REMOTE)?.is_none() {
        return if is_checked_out { Ok(Advanced::Yes) } else { elsewhere() };
    }
    // Also for another branch: what is known here need not be kept in a workspace.
    let tip = match main.fetch(target::REMOTE, branch) {
        Ok(fetched) => fetched.tip,
        Err(FetchError::Git(error)) => return Err(error.into()),
        Err(error) => return left(project, Behind::Unfetched { reason: error.to_string() }),
    };
    if !is_checked_out {
        return elsewhere();
    }
    let Some(tip) = tip else { return Ok(Advanced::Yes) };
    match fast_forward(project, &tip)? {
        FastForward::Done | FastForward::AlreadyThere => Ok(Advanced::Yes),
        FastForward::Refused { reason } => left(project, Behind::Refused { reason }),
        FastForward::NotAFastForward => {
            let upstream = format!("{}/{branch}", target::REMOTE);
            left(project, Behind::Diverged { upstream })
        }
        FastForward::WouldOverwrite { files } => {
            let books = queue_files(project);
            let known = |file: &PathBuf| main.is_tracked(file);
            let (mut changed, mut untracked) = (Vec::new(), Vec::new());
            for file in files.into_iter().filter(|file| !books.contains(file)) {
                if known(&file)? { changed.push(file) } else { untracked.push(file) }
            }
            left(project, Behind::InTheWay { changed, untracked })
        }
    }
}

/// What the user has under way there comes before any other reason.
fn left(project: &Project, why: Behind) -> Result<Advanced, CheckoutError> {
    let under_way = project.repo.operation()?.map(|operation| Behind::UnderWay { operation });
    Ok(Advanced::Left(under_way.unwrap_or(why)))
}

/// Fast-forwards the checkout to `to`; local changes of the queue files alone
/// do not stand in the way.
///
/// # Errors
/// When git or the files fail.
pub fn fast_forward(project: &Project, to: &Sha) -> Result<FastForward, CheckoutError> {
    // git takes changed files away before it writes them anew: readers of the
    // queue that find none wait for this lock.
    let lock_path = file::sidecar_lock_path(&project.queue.queue);
    let _lock = FileLock::acquire(&lock_path, &project.holder, QUEUE_WAIT)?;
    let outcome = project.repo.fast_forward(to)?;
    let FastForward::WouldOverwrite { files } = &outcome else { return Ok(outcome) };
    let books = queue_files(project);
    if !files.iter().all(|file| books.contains(file)) {
        return Ok(outcome);
    }
    if project.layout().set_aside().join(FROM).exists() {
        // Left by a crash: the copies are the user's, so they go back first.
        let edited = edited_since(project, &books)?;
        restore(project, &books, edited.as_deref())?;
    }
    set_aside(project, &books)?;
    let outcome = project.repo.fast_forward(to);
    restore(project, &books, None)?;
    Ok(outcome?)
}

/// Finishes what a crash left half done in [`fast_forward`].
///
/// # Errors
/// As for [`fast_forward`]; the copies stay until it succeeds.
pub fn finish_set_aside(project: &Project) -> Result<(), CheckoutError> {
    let from = project.layout().set_aside().join(FROM);
    if !from.exists() {
        return Ok(());
    }
    let lock_path = file::sidecar_lock_path(&project.queue.queue);
    let _lock = FileLock::acquire(&lock_path, &project.holder, QUEUE_WAIT)?;
    // Whoever held the lock may have finished it meanwhile.
    if !from.exists() {
        return Ok(());
    }
    let books = queue_files(project);
    let edited = edited_since(project, &books)?;
    restore(project, &books, edited.as_deref())
}

/// The queue files as they are, if that is none of the versions which a crash while they were set
/// aside may have left: somebody has edited them since.
fn edited_since(
    project: &Project,
    books: &[PathBuf],
) -> Result<Option<Vec<Option<Vec<u8>>>>, CheckoutError> {
    let aside = project.layout().set_aside();
    let from = fs_err::read_to_string(aside.join(FROM))?;
    let mut now = Vec::with_capacity(books.len());
    let mut is_edited = false;
    for (index, book) in books.iter().enumerate() {
        let here = read(&project.repo.root().join(book))?;
        is_edited |= here != read(&aside.join(index.to_string()))?
            && here != project.repo.read_blob(from.trim(), book)?
            && here != project.repo.read_blob("HEAD", book)?;
        now.push(here);
    }
    Ok(is_edited.then_some(now))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, CheckoutError> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The tracked queue files, relative to the work tree.
pub(crate) fn queue_files(project: &Project) -> Vec<PathBuf> {
    books(project.repo.root(), &project.queue)
}

/// The queue files below `root`, relative to it.
pub(crate) fn books(root: &Path, queue: &QueueFiles) -> Vec<PathBuf> {
    [&queue.queue, &queue.done]
        .into_iter()
        .filter_map(|path| path.strip_prefix(root).ok())
        .map(Path::to_owned)
        .collect()
}

/// Copies the user's versions durably, then puts those of HEAD in their place.
fn set_aside(project: &Project, books: &[PathBuf]) -> Result<(), CheckoutError> {
    let Some(from) = project.repo.head()?.commit().cloned() else { return Ok(()) };
    let aside = project.layout().set_aside();
    for (index, book) in books.iter().enumerate() {
        let path = project.repo.root().join(book);
        let copy = aside.join(index.to_string());
        match read(&path)? {
            Some(bytes) => write(&copy, &bytes)?,
            None => remove(&copy)?,
        }
    }
    write(&aside.join(FROM), from.as_str().as_bytes())?;
    for book in books {
        let path = project.repo.root().join(book);
        match project.repo.read_blob(from.as_str(), book)? {
            Some(bytes) => write(&path, &bytes)?,
            None => remove(&path)?,
        }
    }
    Ok(())
}

/// Puts the user's changes back on top of what HEAD has now, and of those the ones that were
/// `edited` into the files after a crash.
///
/// When the user's version cannot be merged (half an edit, say) it is put back
/// as it was, unless the files were edited since, and the copies stay under a name of their own:
/// nothing is lost, and the user is told.
fn restore(
    project: &Project,
    books: &[PathBuf],
    edited: Option<&[Option<Vec<u8>>]>,
) -> Result<(), CheckoutError> {
    let aside = project.layout().set_aside();
    let from = fs_err::read_to_string(aside.join(FROM))?;
    let mut ours = Vec::with_capacity(books.len());
    for index in 0..books.len() {
        ours.push(read(&aside.join(index.to_string()))?);
    }
    match merged(project, from.trim(), books, &ours, edited)? {
        Ok(texts) => {
            for (book, text) in books.iter().zip(texts) {
                if let Some(text) = text {
                    write(&project.repo.root().join(book), text.as_bytes())?;
                }
            }
            remove(&aside.join(FROM))?;
            for index in 0..books.len() {
                remove(&aside.join(index.to_string()))?;
            }
            Ok(())
        }
        Err(source) => {
            for (index, (book, text)) in books.iter().zip(&ours).enumerate() {
                if text.is_some() && edited.is_none() {
                    let bytes = fs_err::read(aside.join(index.to_string()))?;
                    write(&project.repo.root().join(book), &bytes)?;
                }
            }
            let kept = free_name(&aside);
            remove(&aside.join(FROM))?;
            fs_err::rename(&aside, &kept)?;
            let path = project.queue.queue.clone();
            Err(CheckoutError::Merge { path, kept, source })
        }
    }
}

/// What both queue files are after the merge; a file that needs no write is `None`.
fn merged(
    project: &Project,
    from: &str,
    books: &[PathBuf],
    ours: &[Option<Vec<u8>>],
    edited: Option<&[Option<Vec<u8>>]>,
) -> Result<Result<Vec<Option<String>>, MergeError>, CheckoutError> {
    let version = |rev: &str| -> Result<Vec<Option<Vec<u8>>>, CheckoutError> {
        Ok(books.iter().map(|book| project.repo.read_blob(rev, book)).collect::<Result<_, _>>()?)
    };
    let (base, head) = (version(from)?, version("HEAD")?);
    let merged = three_way(base, ours.to_vec(), head.clone());
    let (Ok(merged), Some(edited)) = (&merged, edited) else { return Ok(merged) };
    let merged = merged.iter().map(|text| text.clone().map(String::into_bytes)).collect();
    Ok(three_way(head, edited.to_vec(), merged))
}

/// The queue and the done file after the merge of three versions of both.
fn three_way(
    base: Vec<Option<Vec<u8>>>,
    ours: Vec<Option<Vec<u8>>>,
    theirs: Vec<Option<Vec<u8>>>,
) -> Result<Vec<Option<String>>, MergeError> {
    let base = decoded("base", base)?;
    let (ours, theirs) = (decoded("ours", ours)?, decoded("theirs", theirs)?);
    let [Some(queue), ..] = ours.as_slice() else { return Ok(theirs) };
    let [Some(landed), ..] = theirs.as_slice() else { return Ok(ours) };
    let empty = ralph_queue::Document::empty();
    let base_queue = base.first().cloned().flatten();
    let texts = |queue, done: &'_ [Option<String>]| (queue, done.get(1).cloned().flatten());
    let (base_queue, base_done) =
        texts(base_queue.unwrap_or_else(|| empty.text().to_owned()), &base);
    let (ours_queue, ours_done) = texts(queue.clone(), &ours);
    let (theirs_queue, theirs_done) = texts(landed.clone(), &theirs);
    let side = |queue, done| Texts { queue, done };
    let merged = merge::three_way_files(
        side(&base_queue, base_done.as_deref()),
        side(&ours_queue, ours_done.as_deref()),
        side(&theirs_queue, theirs_done.as_deref()),
    );
    merged.map(|merged| vec![Some(merged.queue), merged.done])
}

/// A replacement character in the place of a byte of the user's would be a loss.
fn decoded(
    side: &'static str,
    files: Vec<Option<Vec<u8>>>,
) -> Result<Vec<Option<String>>, MergeError> {
    let places = [Place::Queue, Place::Done];
    let decode = |(bytes, place): (Option<Vec<u8>>, Place)| {
        let text = bytes.map(ralph_queue::decode).transpose();
        text.map_err(|source| MergeError::Parse { side, place: Some(place), source })
    };
    files.into_iter().zip(places).map(decode).collect()
}

/// A name beside `dir` that nothing has yet.
fn free_name(dir: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let name = dir.with_file_name(format!("set-aside-{number}"));
        if !name.exists() {
            return name;
        }
        number += 1;
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CheckoutError> {
    file::replace(path, bytes, Durability::Full)
        .map(|_| ())
        .map_err(|source| CheckoutError::Write { path: path.to_owned(), source })
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_refused_and_not_replaced() {
        let file = |bytes: &[u8]| vec![Some(bytes.to_vec()), None];
        let good = br#"{"version":1,"tasks":[]}"#;
        let bad = b"{\"version\":1,\"tasks\":[],\"x\":\"caf\xe9\"}";
        let refused = |base: &[u8], ours: &[u8], theirs: &[u8]| match three_way(
            file(base),
            file(ours),
            file(theirs),
        ) {
            Err(MergeError::Parse { side, place: Some(Place::Queue), .. }) => Some(side),
            _ => None,
        };
        assert_eq!(refused(good, good, good), None);
        assert_eq!(refused(bad, good, good), Some("base"));
        assert_eq!(refused(good, bad, good), Some("ours"));
        assert_eq!(refused(good, good, bad), Some("theirs"));
    }
}
