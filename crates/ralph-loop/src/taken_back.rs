//! Ends of claimed tasks that git, or an editor, took back.

use std::iter;
use std::path::{Path, PathBuf};

use ralph_git::{DiscoverError, Repo, Sha};
use ralph_queue::lease::{Lease, Leases};
use ralph_queue::{Document, LoadError, Queue, QueueFiles, Status, decode};

/// How many versions of the queue are looked at, of those that branches have.
const VERSIONS: usize = 50;

/// A work tree among those of its repository.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Its root, or the directory below it that has Ralph's files.
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

/// Has leases follow their tasks into `queue`, and takes back the ends that this work tree has taken back: a task that ended in it under a claim,
/// its files have open, and neither another work tree nor a branch has finished. Where that cannot
/// be told, the end stands.
///
/// What ended in another work tree stands as well: this one may only be behind. Other files and
/// `repo` are asked for only when an end is in question.
pub fn heed(
    leases: &mut Leases,
    queue: &Queue,
    site: &Site<'_>,
    repo: impl FnOnce() -> Result<Repo, DiscoverError>,
) {
    leases.follow(queue);
    let name = name(site.root);
    let ended = leases.ended_in(&name, queue);
    if ended.is_empty() {
        return;
    }
    let Ok(here) = site.files.load() else { return };
    let open = ended.into_iter().filter_map(|lease| {
        let status = status(&here, &lease).filter(|status| !status.is_terminal())?;
        Some((lease, status))
    });
    let of_branches = iter::once_with(|| of_branches(site, &name, repo)).flatten();
    let versions = of_work_trees(site, &name).into_iter().chain(of_branches);
    for (lease, status) in finished_in_none(open.collect(), versions) {
        leases.open_again(&lease.token, status);
    }
}

fn status(queue: &Queue, lease: &Lease) -> Option<Status> {
    lease.task_in(queue).map(|task| task.status)
}

/// Those that no version of the queue has finished. One that cannot be read may have finished all.
fn finished_in_none(
    mut open: Vec<(Lease, Status)>,
    versions: impl Iterator<Item = Option<Queue>>,
) -> Vec<(Lease, Status)> {
    for version in versions {
        let Some(queue) = version else { return Vec::new() };
        open.retain(|(lease, _)| !status(&queue, lease).is_some_and(Status::is_terminal));
        if open.is_empty() {
            break;
        }
    }
    open
}

/// The queues that branches have, as far as they can be read, and `None` for the others.
fn of_branches(
    site: &Site<'_>,
    name: &Path,
    repo: impl FnOnce() -> Result<Repo, DiscoverError>,
) -> Box<dyn Iterator<Item = Option<Queue>>> {
    let repo = match repo() {
        Ok(repo) => repo,
        Err(DiscoverError::NotARepository { .. }) => return Box::new(iter::empty()),
        Err(_) => return Box::new(iter::once(None)),
    };
    let within = |path: &Path| {
        let path = name.join(path.strip_prefix(site.root).ok()?);
        path.strip_prefix(repo.root()).ok().map(Path::to_owned)
    };
    // One that is outside is in no branch.
    let Some(queue) = within(&site.files.queue) else { return Box::new(iter::empty()) };
    let done = within(&site.files.done).unwrap_or_else(|| site.files.done.clone());
    let Ok(versions) = repo.versions([&queue, &done]) else { return Box::new(iter::once(None)) };
    let read = move |queue: &Sha, done: Option<&Sha>| {
        let done = done.map(|done| document(&repo, done).ok_or(())).transpose().ok()?;
        Some(Queue::new(document(&repo, queue)?, done))
    };
    let versions = versions.into_iter().enumerate();
    Box::new(versions.filter_map(move |(index, [queue, done])| {
        let queue = queue?;
        Some(if index < VERSIONS { read(&queue, done.as_ref()) } else { None })
    }))
}

/// The queue or done file that git has as that blob, if it can be read.
pub(crate) fn document(repo: &Repo, blob: &Sha) -> Option<Document> {
    Document::parse(decode(repo.blob(blob).ok()?).ok()?).ok()
}

/// The queues of the other work trees, and `None` for those that cannot be read.
fn of_work_trees(site: &Site<'_>, name: &Path) -> Vec<Option<Queue>> {
    let within = |path: &Path| path.strip_prefix(site.root).ok().map(Path::to_owned);
    // One that is outside is that of all work trees.
    let Some(queue) = within(&site.files.queue) else { return Vec::new() };
    let done = within(&site.files.done);
    let Ok(roots) = ralph_git::work_trees(site.shared) else { return vec![None] };
    let read = |root: PathBuf| {
        let done = done.as_ref().map_or_else(|| site.files.done.clone(), |done| root.join(done));
        let files = QueueFiles { queue: root.join(&queue), done, ..site.files.clone() };
        match files.load() {
            Err(LoadError::Missing { .. }) => None,
            loaded => Some(loaded.ok()),
        }
    };
    // One may be within another.
    let above = roots.iter().filter(|root| name.starts_with(root));
    let own = above.max_by_key(|root| root.components().count());
    let below = own.and_then(|own| name.strip_prefix(own).ok()).unwrap_or(Path::new(""));
    let others = roots.iter().filter(|root| Some(*root) != own);
    others.map(|root| root.join(below)).filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(tasks: &[(&str, &str)]) -> Queue {
        let task = |(id, status): &(&str, &str)| {
            format!(
                r#"{{"id":"{id}","title":"x","status":"{status}","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}"#
            )
        };
        let tasks: Vec<String> = tasks.iter().map(task).collect();
        let text = format!(r#"{{"version":1,"tasks":[{}]}}"#, tasks.join(","));
        Queue::new(Document::parse(text).unwrap(), None)
    }

    /// One that goes by the id of its task.
    fn lease(task: &str) -> Lease {
        let time = "2026-01-01T00:00:00Z";
        let lease = serde_json::json!({ "task": task, "token": task, "owner": "me",
            "taken_at": time, "ttl_seconds": 1, "expires_at": time, "finished_at": time });
        serde_json::from_value(lease).unwrap()
    }

    #[test]
    fn an_end_is_taken_back_where_every_version_can_be_read_and_none_has_it() {
        let open = || vec![(lease("RQ-1"), Status::Todo)];
        let todo = || Some(queue(&[("RQ-1", "todo")]));
        let done = || Some(queue(&[("RQ-1", "done")]));
        let rejected = || Some(queue(&[("RQ-1", "rejected")]));
        let without = || Some(queue(&[("RQ-2", "done")]));
        for (versions, is_taken_back) in [
            (vec![], true),
            (vec![todo(), without()], true),
            (vec![done()], false),
            (vec![todo(), rejected()], false),
            // Where it cannot be told, it stands.
            (vec![None], false),
            (vec![todo(), None], false),
        ] {
            let case = format!("{versions:?}");
            let left = finished_in_none(open(), versions.into_iter());
            assert_eq!(left, if is_taken_back { open() } else { vec![] }, "{case}");
        }
        // By the task, not by its id: another has that in the branch where its own ended.
        let mine = |id| {
            let text = queue(&[("RQ-1", "todo"), (id, "done")]).document().text().to_owned();
            let made = "2026-01-01T00:00:00Z";
            let [of_other, of_mine] = ["2026-02-01T00:00:00Z", "2026-01-01T00:00:00.5000001Z"];
            let text = text.replacen(made, of_other, 1).replace(made, of_mine);
            let id = format!(r#""id":"{id}""#);
            let former = format!(r#"{id},"custom_fields":{{"former_ids":"RQ-1"}}"#);
            Some(Queue::new(Document::parse(text.replace(&id, &former)).unwrap(), None))
        };
        let known = serde_json::json!({"title": "x", "created_at": "2026-01-01T00:00:00.5000001Z"});
        let mut own = lease("RQ-1");
        own.known_by = serde_json::from_value(known).unwrap();
        assert_eq!(finished_in_none(vec![(own, Status::Todo)], [mine("RQ-2")].into_iter()), []);
        let one_finished = [Some(queue(&[("RQ-1", "done"), ("RQ-2", "doing")]))];
        let both = vec![open().remove(0), (lease("RQ-2"), Status::Doing)];
        let left = finished_in_none(both, one_finished.into_iter());
        assert_eq!(left, [(lease("RQ-2"), Status::Doing)]);
    }

    #[test]
    fn nothing_more_is_read_when_nothing_is_in_question() {
        let unread = iter::once(Some(queue(&[("RQ-1", "done")])))
            .chain(iter::once_with(|| unreachable!("the first has settled it")));
        assert_eq!(finished_in_none(vec![(lease("RQ-1"), Status::Todo)], unread), []);
    }
}
