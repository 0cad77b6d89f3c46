//! Where git keeps what all work trees of a repository share, told by its files alone.

use std::path::{Path, PathBuf};

/// Git's directory for all work trees of the repository whose work tree has its root at `root`;
/// `None` when there is no `.git`, or one that cannot be read.
///
/// Runs no git, so that a command that only looks something up there stays quick. What
/// `GIT_DIR` and `GIT_COMMON_DIR` say is not known here.
pub fn common_dir(root: &Path) -> Option<PathBuf> {
    let dot_git = root.join(".git");
    let git_dir = if dot_git.is_dir() {
        dot_git
    } else {
        // A linked work tree or a submodule: one line that says where.
        let text = fs_err::read_to_string(&dot_git).ok()?;
        root.join(text.strip_prefix("gitdir:")?.trim())
    };
    let common = match fs_err::read_to_string(git_dir.join("commondir")) {
        Ok(text) => git_dir.join(text.trim()),
        Err(_) => git_dir,
    };
    fs_err::canonicalize(common).ok()
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
    }
}
