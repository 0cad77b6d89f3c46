//! Where git keeps what all work trees of a repository share, told by its files alone.

use std::io;
use std::path::{Path, PathBuf};

/// Git's directory for all work trees of the repository whose work tree has its root at `root`;
/// `None` when there is no `.git`, or one that cannot be read.
///
/// Runs no git, so that a command that only looks something up there stays quick. What
/// `GIT_DIR` and `GIT_COMMON_DIR` say is not known here.
pub fn common_dir(root: &Path) -> Option<PathBuf> {
    let git_dir = git_dir(root)?;
    let common = match fs_err::read_to_string(git_dir.join("commondir")) {
        Ok(text) => git_dir.join(text.trim()),
        Err(_) => git_dir,
    };
    fs_err::canonicalize(common).ok()
}

/// Git's directory for the one work tree that has its root at `root`, as [`common_dir`] is found.
pub fn git_dir(root: &Path) -> Option<PathBuf> {
    let dot_git = root.join(".git");
    if dot_git.is_dir() {
        return Some(dot_git);
    }
    // A linked work tree or a submodule: one line that says where.
    let text = fs_err::read_to_string(&dot_git).ok()?;
    Some(root.join(text.strip_prefix("gitdir:")?.trim()))
}

/// The roots of all work trees that share the directory `common`, without symbolic links, as far as
/// they are there. One that git finds by a setting alone is not known here.
///
/// # Errors
/// When it cannot be told which there are.
pub fn work_trees(common: &Path) -> io::Result<Vec<PathBuf>> {
    let mut dot_gits = vec![common.to_owned()];
    match fs_err::read_dir(common.join("worktrees")) {
        Ok(linked) => {
            for entry in linked {
                let dir = entry?.path();
                // One that git is about to make or to remove has none.
                let Ok(text) = fs_err::read_to_string(dir.join("gitdir")) else { continue };
                dot_gits.push(dir.join(text.trim()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let is_named = |dot_git: &PathBuf| dot_git.ends_with(".git");
    let roots = dot_gits.into_iter().filter(is_named);
    Ok(roots.filter_map(|it| fs_err::canonicalize(it.parent()?).ok()).collect())
}

#[cfg(test)]
mod tests {
    use ralph_testkit::Sandbox;

    use super::*;

    #[test]
    fn every_work_tree_leads_to_the_same_directory() {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo("main");
        let expected = sandbox.path("main/.git");
        assert_eq!(common_dir(repo.dir()), Some(expected.clone()));
        repo.git(["worktree", "add", "--quiet", "../linked"]);
        assert_eq!(common_dir(&sandbox.path("linked")), Some(expected));
        assert_eq!(common_dir(sandbox.root()), None);
        assert_eq!(
            git_dir(&sandbox.path("linked")),
            Some(sandbox.path("main/.git/worktrees/linked"))
        );

        let roots = |dirs: &[&str]| dirs.iter().map(|dir| sandbox.path(dir)).collect::<Vec<_>>();
        let common = sandbox.path("main/.git");
        assert_eq!(work_trees(&common).unwrap(), roots(&["main", "linked"]));
        fs_err::remove_dir_all(sandbox.path("linked")).unwrap();
        assert_eq!(work_trees(&common).unwrap(), roots(&["main"]));
    }
}
