//! Ends of claimed tasks that git, or an editor, took back.

use std::path::{Path, PathBuf};

use ralph_queue::lease::Leases;
use ralph_queue::{LoadError, Queue, QueueFiles, Status};
use ralph_state::TaskId;

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
/// its files have open, and no other work tree has it finished. Where that cannot be told, the end
/// stands.
///
/// What ended in another work tree stands as well: this one may only be behind.
pub fn heed(leases: &mut Leases, queue: &Queue, site: &Site<'_>) {
    let name = name(site.root);
    let ended = leases.ended_in(&name, queue);
    if ended.is_empty() {
        return;
    }
    let Ok(here) = site.files.load() else { return };
    let Some(others) = others(site, &name) else { return };
    let status = |queue: &Queue, task: &TaskId| queue.find(task.as_str()).map(|(_, it)| it.status);
    let is_finished = |task: &TaskId| {
        let mut found = others.iter().filter_map(|other| status(other, task));
        found.any(Status::is_terminal)
    };
    for task in ended {
        let open = status(&here, &task).filter(|status| !status.is_terminal());
        if let Some(status) = open.filter(|_| !is_finished(&task)) {
            leases.open_again(&task, status);
        }
    }
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
