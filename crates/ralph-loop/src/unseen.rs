//! Settings that an agent's turn changed in the user's checkout, and that nobody has looked at yet.
//!
//! A run keeps the settings it began with, and commits no agent's change of them. The next run
//! would obey them, though: it is refused while such a file has the very content that the turn
//! left, and is not committed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use ralph_git::{GitError, Repo};
use ralph_queue::QueueFiles;
use ralph_state::document::{Document, Upgrades};
use ralph_state::file::check_regular;
use ralph_state::json::Object;
use ralph_state::session::{SessionFile, session_file_path};
use ralph_state::{LoadError, Store, UpdateError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::checkout;
use crate::layout::Layout;
use crate::serial::kept;
use crate::settings;

/// The field of the session file with the settings as the turn under way found them. It is gone
/// once what the turn made of them is recorded.
pub(crate) const FOUND: &str = "settings_found";

/// The settings of a checkout: the hash of each file, by its path.
pub(crate) type Settings = BTreeMap<String, String>;

/// A file of settings as an agent's turn left it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unseen {
    /// Which, relative to the work tree.
    pub path: PathBuf,
    /// The task of the turn.
    pub task: String,
    /// Whether git has a version to compare it with.
    pub is_tracked: bool,
}

/// Why it cannot be told what agents made of the settings.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnseenError {
    /// A file of settings cannot be read.
    #[error("cannot read the settings")]
    Read(#[from] std::io::Error),
    /// The record of what agents changed, or the session, cannot be read.
    #[error("cannot read what agents changed of the settings")]
    Load(#[from] LoadError),
    /// The record cannot be written.
    #[error("cannot record what an agent changed of the settings")]
    Record(#[from] UpdateError<Infallible>),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What agents' turns made of the settings: a file of the runtime.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Record {
    #[serde(default)]
    settings: BTreeMap<String, Left>,
    #[serde(flatten)]
    extra: Object,
}

/// How a turn left a file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Left {
    task_id: String,
    /// The hash of its content; none when the turn removed it.
    content: Option<String>,
    /// Whether git tracked it then.
    tracked: bool,
    #[serde(flatten)]
    extra: Object,
}

impl Document for Record {
    const KIND: &'static str = "record of changed settings";
    const VERSION_KEY: &'static str = "version";
    const UPGRADES: Upgrades = Upgrades::new(1, 1, &[]);
}

pub(crate) fn store(root: &Path, queue: &QueueFiles) -> Store<Record> {
    Store::new(Layout::new(root).changed_settings(), queue.holder.clone())
}

/// The settings in the work tree `root` as they are now.
pub(crate) fn read(root: &Path, queue: &QueueFiles) -> std::io::Result<Settings> {
    let books = checkout::books(root, queue);
    let mut settings = Settings::new();
    let mut below = vec![PathBuf::from(".ralph")];
    while let Some(dir) = below.pop() {
        let entries = match fs_err::read_dir(root.join(&dir)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            if !settings::is_setting(&path, &books) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                below.push(path);
                continue;
            }
            let file = entry.path();
            // What cannot be read decides nothing, and a pipe is not waited for.
            if let Ok(content) = check_regular(&file).and_then(|()| fs_err::read(file)) {
                settings.insert(path.to_string_lossy().into_owned(), hash(&content));
            }
        }
    }
    Ok(settings)
}

fn hash(content: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in Sha256::digest(content) {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

/// The files that differ between two states of the settings, with their hash in the later one.
fn changes<'a>(
    before: &'a Settings,
    after: &'a Settings,
) -> impl Iterator<Item = (&'a String, Option<&'a String>)> {
    let changed = after.iter().filter(|(path, hash)| before.get(*path) != Some(hash));
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    changed.map(|(path, hash)| (path, Some(hash))).chain(gone.map(|path| (path, None)))
}

/// What the turn of `task` made of the settings, which it found as `before`.
fn left(
    repo: &Repo,
    queue: &QueueFiles,
    task: &str,
    before: &Settings,
) -> Result<BTreeMap<String, Left>, UnseenError> {
    let after = read(repo.root(), queue)?;
    let mut left = BTreeMap::new();
    for (path, content) in changes(before, &after) {
        let tracked = repo.is_tracked(Path::new(path))?;
        let (task_id, content) = (task.to_owned(), content.cloned());
        left.insert(path.clone(), Left { task_id, content, tracked, extra: Object::new() });
    }
    Ok(left)
}

/// Records what the turn of `task` made of the settings, which it found as `before`.
///
/// It is durable before anything else is made of the turn. A crash before that leaves [`FOUND`] in
/// the session, by which the next run records it.
pub(crate) fn record(
    repo: &Repo,
    queue: &QueueFiles,
    task: &str,
    before: &Settings,
) -> Result<(), UnseenError> {
    let left = left(repo, queue, task, before)?;
    if !left.is_empty() {
        store(repo.root(), queue).update(|record: &mut Record| {
            record.settings.extend(left);
            Ok::<(), Infallible>(())
        })?;
    }
    Ok(())
}

/// The settings that are as an agent's turn left them, and that no commit has so.
///
/// # Errors
/// When files cannot be read, or git gives no answer.
pub fn find(repo: &Repo, queue: &QueueFiles) -> Result<Vec<Unseen>, UnseenError> {
    let root = repo.root();
    let record = store(root, queue).load()?.map(|loaded| loaded.value).unwrap_or_default();
    let mut recorded = record.settings;
    let sessions: Store<SessionFile> = Store::new(session_file_path(root), queue.holder.clone());
    if let Some(session) = sessions.load()?.map(|loaded| loaded.value)
        && let Some(before) = kept::<Settings>(&session, FOUND)
    {
        recorded.extend(left(repo, queue, &session.task_id, &before)?);
    }
    if recorded.is_empty() {
        return Ok(Vec::new());
    }
    let now = read(root, queue)?;
    recorded.retain(|path, left| now.get(path) == left.content.as_ref());
    if recorded.is_empty() {
        return Ok(Vec::new());
    }
    let changes = repo.changes()?;
    let mut unseen = Vec::new();
    for (path, left) in recorded {
        let path = PathBuf::from(path);
        let is_changed = changes.iter().any(|change| change.path == path);
        let is_tracked = repo.is_tracked(&path)?;
        // What is gone and was tracked is committed so, unless git tells of a change.
        let is_committed = is_tracked || (left.content.is_none() && left.tracked);
        if is_changed || !is_committed {
            unseen.push(Unseen { path, task: left.task_id, is_tracked: left.tracked });
        }
    }
    Ok(unseen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_among_the_settings_is_not_waited_for() {
        let sandbox = ralph_testkit::Sandbox::new();
        sandbox.write("p/.ralph/config.jsonc", "{}");
        let root = sandbox.path("p");
        sandbox.run("mkfifo", &root, [".ralph/pipe"]).success();
        let holder = ralph_state::file::Holder {
            pid: 1,
            host: String::new(),
            command: String::new(),
            since: ralph_state::Timestamp::UNIX_EPOCH,
        };
        let queue = QueueFiles::new(root.join("q"), root.join("d"), holder);
        let found: Vec<String> = read(&root, &queue).unwrap().into_keys().collect();
        assert_eq!(found, [".ralph/config.jsonc"]);
    }

    #[test]
    fn a_file_that_came_changed_or_went_is_a_change() {
        let of = |files: &[(&str, &str)]| -> Settings {
            files.iter().map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned())).collect()
        };
        let (before, after) = (
            of(&[("same", "1"), ("other", "1"), ("gone", "1")]),
            of(&[("same", "1"), ("other", "2"), ("new", "3")]),
        );
        let found: Vec<_> = changes(&before, &after)
            .map(|(path, hash)| (path.as_str(), hash.map(String::as_str)))
            .collect();
        assert_eq!(found, [("new", Some("3")), ("other", Some("2")), ("gone", None)]);
    }
}
