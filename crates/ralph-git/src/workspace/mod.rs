//! Local clones for workers, and the operations that may destroy their content.

mod config;
mod create;
mod remove;

use std::ops::Deref;
use std::path::{Path, PathBuf};

use ralph_process::Cancel;
use thiserror::Error;

pub use self::create::{CreateError, create_workspace};
pub use self::remove::{NotRemovable, Removable, RemoveError, sweep_workspaces};
use crate::command::Call;
use crate::{DiscoverError, GitEnv, GitError, RemoteUrls, Repo, Sha};

/// The setting in a workspace's own configuration that makes it one; its value is its branch.
const BRANCH: &str = "ralph.workspacebranch";
/// The setting by which a workspace names the repository it was made for.
const OWNER: &str = "ralph.workspaceof";

/// How a workspace names `main`.
fn owner_name(main: &Repo) -> String {
    main.root().to_string_lossy().into_owned()
}

/// A clone made by [`create_workspace`]. Only it has operations that overwrite or delete: the
/// user's checkout cannot be passed to them, for it does not open as one.
#[derive(Clone, Debug)]
pub struct Workspace {
    repo: Repo,
    branch: String,
}

/// Why a directory is no workspace.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not the root of a clone made by [`create_workspace`].
    #[error("{} is not a workspace", path.display())]
    NotAWorkspace {
        /// The directory.
        path: PathBuf,
    },
    /// It is in no repository.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Deref for Workspace {
    type Target = Repo;

    fn deref(&self) -> &Repo {
        &self.repo
    }
}

impl Workspace {
    /// The workspace at `root`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(root: &Path, env: GitEnv, cancel: Cancel) -> Result<Self, OpenError> {
        let not_one = || OpenError::NotAWorkspace { path: root.to_owned() };
        let repo = Repo::discover(root, env, cancel)?;
        // A directory inside the user's checkout finds the checkout; it is not meant.
        if fs_err::canonicalize(root).ok().as_deref() != Some(repo.root()) {
            return Err(not_one());
        }
        let setting = repo.ask(Call::new(["config", "--local", "--get", BRANCH]))?;
        if !setting.success() {
            return Err(not_one());
        }
        Ok(Self { branch: setting.text(), repo })
    }

    /// Whether it was made for the checkout `main`, and not for another one that keeps its
    /// workspaces in the same place.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn is_of(&self, main: &Repo) -> Result<bool, GitError> {
        let owner = self.repo.ask(Call::new(["config", "--local", "--get", OWNER]))?;
        Ok(owner.success() && owner.text() == owner_name(main))
    }

    /// The branch it was made with.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Makes `origin` `remote`, or `main` itself without one, whatever an agent has made of it.
    ///
    /// # Errors
    /// When the configuration cannot be written, or git gives no answer.
    pub fn restore_origin(&self, main: &Repo, remote: Option<&RemoteUrls>) -> Result<(), GitError> {
        let settings = config::origin(&config::urls(main, remote));
        if config::has_origin(&self.repo, &settings)? {
            return Ok(());
        }
        for key in config::ORIGIN {
            // One that is not there is gone.
            let _gone_either_way =
                self.ask(Call::new(["config", "--local", "--unset-all", key]))?;
        }
        Ok(config::append(&self.repo, &settings)?)
    }

    /// Makes HEAD [`Workspace::branch`] and the branch, index and files those of `to`. A stopped
    /// rebase or merge is forgotten; changes and untracked files are lost; ignored files stay.
    /// Locks that a killed git left behind go too, so this is only for who knows that no process
    /// works in this workspace.
    ///
    /// # Errors
    /// When `to` is missing, or git gives no answer; what was reached until then stands.
    pub fn reset_clean(&self, to: &Sha) -> Result<(), GitError> {
        self.remove_stale_locks()?;
        if self.rebase_in_progress() {
            self.run(Call::new(["rebase", "--quit"]))?;
        }
        let branch = format!("refs/heads/{}", self.branch);
        self.run(Call::new(["symbolic-ref", "HEAD", &branch]))?;
        self.run(Call::new(["reset", "--quiet", "--hard", to.as_str()]).long())?;
        self.run(Call::new(["clean", "-ffdq"]).long())?;
        Ok(())
    }

    /// The other work trees of its repository that lie in it, as an agent makes them for agents of
    /// its own; [`Workspace::reset_clean`] removes their files, too.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn inner_work_trees(&self) -> Result<Vec<Repo>, GitError> {
        let mut found = Vec::new();
        for path in self.inner()?.1 {
            let root = self.root().join(path);
            match self.elsewhere(&root) {
                // One that is damaged finds the workspace around it.
                Ok(work_tree) => found.extend((work_tree.root() == root).then_some(work_tree)),
                Err(DiscoverError::Git(cause)) => return Err(cause),
                Err(other) => return Err(GitError::Io(std::io::Error::other(other))),
            }
        }
        Ok(found)
    }

    /// Removes the lock files that a killed git left behind, and returns them. Only for who
    /// knows that no process works in this workspace.
    ///
    /// # Errors
    /// When git's directory cannot be read or a lock not removed.
    pub fn remove_stale_locks(&self) -> Result<Vec<PathBuf>, GitError> {
        let mut removed = Vec::new();
        let mut dirs = vec![self.git_dir().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs_err::read_dir(dir)? {
                let path = entry?.path();
                if path.is_dir() && !path.is_symlink() {
                    // Objects are not locked, and there are many.
                    if path != self.git_dir().join("objects") {
                        dirs.push(path);
                    }
                } else if path.extension().is_some_and(|extension| extension == "lock") {
                    fs_err::remove_file(&path)?;
                    removed.push(path);
                }
            }
        }
        Ok(removed)
    }
}
