//! Files that decide what Ralph itself does: no agent's change of them is landed by a run.
//!
//! They are what stands below `.ralph/`, the queue files and the runtime aside. A change of them
//! stays where the agent made it, and is told; whether it is wanted is for the user to say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ralph_git::{GitError, Head, Repo, Sha};

use crate::layout::{self, runtime_paths};

/// Whether `path`, relative to a work tree with the queue files `books`, is one of them.
pub(crate) fn is_setting(path: &Path, books: &[PathBuf]) -> bool {
    path.starts_with(".ralph")
        && !layout::is_runtime(path)
        && !books.iter().any(|book| book == path)
}

/// Everything in the work tree of `repo` but the runtime, as a tree: what [`changed`] compares.
pub(crate) fn tree(repo: &Repo) -> Result<Sha, GitError> {
    repo.work_tree_hash(&runtime_paths(repo.root()))
}

/// The settings that differ between two trees or commits.
pub(crate) fn changed(
    repo: &Repo,
    from: &Sha,
    to: &Sha,
    books: &[PathBuf],
) -> Result<BTreeSet<PathBuf>, GitError> {
    let paths = repo.changed_paths(from, to)?;
    Ok(paths.into_iter().filter(|path| is_setting(path, books)).collect())
}

/// The settings in the user's checkout that a commit of a run leaves out, where `began` is the
/// [`tree`] at the beginning of the run.
///
/// They are the user's to commit, but for the first time: where git knows neither the queue nor
/// the configuration yet (`ralph init` was the last thing before the run) they are committed as
/// they were when the run began.
pub(crate) fn left_out(
    repo: &Repo,
    began: Option<&Sha>,
    books: &[PathBuf],
) -> Result<BTreeSet<PathBuf>, GitError> {
    let now = tree(repo)?;
    let head = repo.head()?.commit().cloned();
    let since = match began {
        Some(began) => changed(repo, began, &now, books)?,
        None => BTreeSet::new(),
    };
    let Some(head) = head else { return Ok(since) };
    let mut left_out = changed(repo, &head, &now, books)?;
    if began.is_some() && !knows(repo, &head, books)? {
        left_out.retain(|path| since.contains(path));
    }
    Ok(left_out)
}

/// Whether `commit` has anything of Ralph's that a user commits.
fn knows(repo: &Repo, commit: &Sha, books: &[PathBuf]) -> Result<bool, GitError> {
    let config = PathBuf::from(".ralph/config.jsonc");
    for path in books.iter().chain([&config]) {
        if repo.read_blob(commit.as_str(), path)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The settings that commits on the user's branch have changed since the task began at `before`.
pub(crate) fn committed(
    repo: &Repo,
    began: Option<&Sha>,
    before: Option<&Sha>,
    books: &[PathBuf],
) -> Result<BTreeSet<PathBuf>, GitError> {
    let Head::Branch { commit: Some(head), .. } = repo.head()? else {
        return Ok(BTreeSet::new());
    };
    let (Some(began), true) = (began, before != Some(&head)) else { return Ok(BTreeSet::new()) };
    let mut committed = changed(repo, began, &head, books)?;
    match before {
        Some(before) => {
            let since = changed(repo, before, &head, books)?;
            committed.retain(|path| since.contains(path));
        }
        None => {
            for path in committed.clone() {
                if repo.read_blob(head.as_str(), &path)?.is_none() {
                    committed.remove(&path);
                }
            }
        }
    }
    Ok(committed)
}

/// Paths as people read them.
pub(crate) fn named<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> String {
    let names: Vec<String> =
        paths.into_iter().map(|path| format!("`{}`", path.display())).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_ralph_but_for_the_queue_and_the_runtime_is_a_setting() {
        let books = [PathBuf::from(".ralph/queue.jsonc"), PathBuf::from("tasks/done.jsonc")];
        let is = |path: &str| is_setting(Path::new(path), &books);
        assert!(is(".ralph/config.jsonc") && is(".ralph/prompts/worker.md"));
        for path in [".ralph/queue.jsonc", ".ralph/trust.jsonc", ".ralph/cache/x", "src/.ralph"] {
            assert!(!is(path), "{path}");
        }
    }
}
