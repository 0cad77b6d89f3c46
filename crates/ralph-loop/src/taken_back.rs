//! Ends of claimed tasks that git, or an editor, took back.

use std::path::{Path, PathBuf};

use ralph_git::{DiscoverError, Repo, Sha};
use ralph_queue::lease::Leases;
use ralph_queue::{Document, LoadError, Queue, QueueFiles, Status, decode};
use ralph_state::TaskId;

/// How many versions of the queue are looked at, of those that branches have.
const VERSIONS: usize = 50;

/// A work tree among those of its repository.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Its root.
    pub root: &'a Path,
    /// Git's directory for all work trees.
    pub shared: &'a Path,
    /// Its queue.
    pub files: &'a QueueFiles,
}

/// A work tree as its leases name it.
pub fn name(root: &Path) -> PathBuf {
    fs_err::canonicalize(root).unwrap_or_else(|_| root.to_owned())
}

/// Takes back the ends that this work tree has taken back: a task that ended in it under a claim,
/// its files have open, and neither another work tree nor a branch has finished. Where that cannot
/// be told, the end stands.
///
/// What ended in another work tree stands as well: this one may only be behind. `repo` is asked
/// for only when an end is in question.
pub fn heed(
    leases: &mut Leases,
    queue: &Queue,
    site: &Site<'_>,
    repo: impl FnOnce() -> Result<Repo, DiscoverError>,
) {
    let name = name(site.root);
    let ended = leases.ended_in(&name, queue);
    if ended.is_empty() {
        return;
    }
    let Ok(here) = site.files.load() else { return };
    let Some(others) = others(site, &name) else { return };
    let mut open: Vec<(TaskId, Status)> = ended
        .into_iter()
        .filter_map(|task| {
            let status = status(&here, &task).filter(|status| !status.is_terminal())?;
            Some((task, status))
        })
        .collect();
    for other in &others {
        open.retain(|(task, _)| !is_finished(other, task));
    }
    for (task, status) in in_no_branch(open, site, &name, repo).unwrap_or_default() {
        leases.open_again(&task, status);
    }
}

fn status(queue: &Queue, task: &TaskId) -> Option<Status> {
    queue.find(task.as_str()).map(|(_, task)| task.status)
}

fn is_finished(queue: &Queue, task: &TaskId) -> bool {
    status(queue, task).is_some_and(Status::is_terminal)
}

/// Those of `open` that no branch has finished; `None` where that cannot be told.
fn in_no_branch(
    mut open: Vec<(TaskId, Status)>,
    site: &Site<'_>,
    name: &Path,
    repo: impl FnOnce() -> Result<Repo, DiscoverError>,
) -> Option<Vec<(TaskId, Status)>> {
    if open.is_empty() {
        return Some(open);
    }
    let repo = match repo() {
        Ok(repo) => repo,
        Err(DiscoverError::NotARepository { .. }) => return Some(open),
        Err(_) => return None,
    };
    let within = |path: &Path| {
        let path = name.join(path.strip_prefix(site.root).ok()?);
        path.strip_prefix(repo.root()).ok().map(Path::to_owned)
    };
    // One that is outside is in no branch.
    let Some(queue) = within(&site.files.queue) else { return Some(open) };
    let done = within(&site.files.done).unwrap_or_else(|| site.files.done.clone());
    let mut versions = repo.versions([&queue, &done]).ok()?.into_iter();
    for [queue, done] in versions.by_ref().take(VERSIONS) {
        let Some(queue) = queue else { continue };
        let done = match done {
            Some(done) => Some(document(&repo, &done)?),
            None => None,
        };
        let queue = Queue::new(document(&repo, &queue)?, done);
        open.retain(|(task, _)| !is_finished(&queue, task));
        if open.is_empty() {
            return Some(open);
        }
    }
    versions.next().is_none().then_some(open)
}

fn document(repo: &Repo, blob: &Sha) -> Option<Document> {
    Document::parse(decode(repo.blob(blob).ok()?).ok()?).ok()
}

/// The queues of the other work trees; `None` where one of them cannot be read.
fn others(site: &Site<'_>, name: &Path) -> Option<Vec<Queue>> {
    let within = |path: &Path| path.strip_prefix(site.root).ok().map(Path::to_owned);
    // One that is outside is that of all work trees.
    let Some(queue) = within(&site.files.queue) else { return Some(Vec::new()) };
    let done = within(&site.files.done);
    let mut queues = Vec::new();
    for root in ralph_git::work_trees(site.shared).ok()? {
        if root == name {
            continue;
        }
        let done = done.as_ref().map_or_else(|| site.files.done.clone(), |done| root.join(done));
        let files = QueueFiles { queue: root.join(&queue), done, ..site.files.clone() };
        match files.load() {
            Ok(queue) => queues.push(queue),
            Err(LoadError::Missing { .. }) => {}
            Err(_) => return None,
        }
    }
    Some(queues)
}
