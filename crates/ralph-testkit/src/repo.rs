//! Real git repositories in a sandbox.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::sandbox::Sandbox;

/// A git repository with a work tree in a [`Sandbox`].
#[derive(Debug)]
pub struct Repo<'s> {
    sandbox: &'s Sandbox,
    dir: PathBuf,
}

impl<'s> Repo<'s> {
    #[track_caller]
    pub(crate) fn init(sandbox: &'s Sandbox, dir: PathBuf) -> Self {
        fs_err::create_dir_all(&dir).expect("the sandbox is writable");
        let repo = Self { sandbox, dir };
        repo.git(["init", "--quiet"]);
        repo.git(["commit", "--quiet", "--allow-empty", "--message", "initial commit"]);
        repo
    }

    /// Clones `from` (a path or URL) into `relative` of the sandbox.
    #[track_caller]
    pub fn cloned(
        sandbox: &'s Sandbox,
        from: impl AsRef<OsStr>,
        relative: impl AsRef<Path>,
    ) -> Self {
        let dir = sandbox.path(relative);
        sandbox.git(
            sandbox.root(),
            [OsStr::new("clone"), "--quiet".as_ref(), from.as_ref(), dir.as_ref()],
        );
        Self { sandbox, dir }
    }

    /// The root of the work tree.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes an empty bare repository beside the others, adds it as `origin`
    /// and pushes the current branch to it; returns where it is.
    #[track_caller]
    pub fn push_to_new_remote(&self, relative: impl AsRef<Path>) -> PathBuf {
        let remote = self.sandbox.bare_remote(relative);
        self.git([OsStr::new("remote"), "add".as_ref(), "origin".as_ref(), remote.as_ref()]);
        self.git(["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
        // A clone of the remote then checks out this branch, whatever its name.
        let branch = self.git(["symbolic-ref", "HEAD"]);
        self.sandbox.git(&remote, ["symbolic-ref", "HEAD", &branch]);
        remote
    }

    /// Writes a file of the work tree, making its directories.
    #[track_caller]
    pub fn write(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) -> &Self {
        self.sandbox.write(self.dir.join(relative), content);
        self
    }

    /// Reads a text file of the work tree.
    #[track_caller]
    pub fn read(&self, relative: impl AsRef<Path>) -> String {
        fs_err::read_to_string(self.dir.join(relative)).expect("the file is there and is text")
    }

    /// Commits everything in the work tree that is not ignored and returns the
    /// commit's name.
    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--message", message]);
        self.head()
    }

    /// The name of the commit that is checked out.
    #[track_caller]
    pub fn head(&self) -> String {
        self.git(["rev-parse", "HEAD"])
    }

    /// Runs git here, as [`Sandbox::git`].
    #[track_caller]
    pub fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        self.sandbox.git(&self.dir, args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_keeps_a_branch_of_any_name() {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo("work");
        repo.git(["switch", "--quiet", "--create", "trunk"]);
        let remote = repo.push_to_new_remote("origin.git");
        let clone = Repo::cloned(&sandbox, &remote, "clone");
        assert_eq!(clone.head(), repo.head());
        assert_eq!(clone.git(["branch", "--show-current"]), "trunk");
    }
}
