//! Ids that tasks have on other branches.

use std::path::Path;

use ralph_git::{Repo, Sha};
use ralph_queue::{IdRules, Queue};

use crate::taken_back::{self, document};

/// How many versions of each file are read, those of the newest commits first: numbers rise with
/// time.
const VERSIONS: usize = 16;

/// The highest number of an id in the queue and done files, `paths` below `root`, of the newest
/// branches, those of remotes too. A version that cannot be read says nothing.
pub fn highest(repo: &Repo, root: &Path, paths: [&Path; 2], ids: &IdRules) -> u64 {
    let name = taken_back::name(root);
    let within = |path: &Path| {
        let path = name.join(path.strip_prefix(root).ok()?);
        path.strip_prefix(repo.root()).ok().map(Path::to_owned)
    };
    let mut files: Vec<Sha> = Vec::new();
    for path in paths.into_iter().filter_map(within) {
        let versions = repo.versions([path.as_path()]).unwrap_or_default();
        files.extend(versions.into_iter().flatten().flatten().take(VERSIONS));
    }
    let queues = files.iter().filter_map(|file| Some(Queue::new(document(repo, file)?, None)));
    queues.map(|queue| queue.highest_number(ids)).max().unwrap_or(0)
}
