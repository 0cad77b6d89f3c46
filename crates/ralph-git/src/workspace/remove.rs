//! The end of a workspace: first the proof that nothing is lost, then the removal.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use ralph_process::{identity_of, own_pid};
use thiserror::Error;

use super::Workspace;
use crate::command::Call;
use crate::{Change, GitError, Repo, Sha};

/// What a workspace in the making is called: `.{name}.new-{pid}`.
pub(super) const NEW: &str = ".new-";
/// What a workspace in removal is called.
const OLD: &str = ".old-";

/// The proof that a workspace can be removed without losing anything, made only by
/// [`Workspace::check_removable`].
#[derive(Debug)]
#[must_use = "nothing is removed yet"]
pub struct Removable {
    root: PathBuf,
    head: Option<Sha>,
}

/// What would be lost with a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRemovable {
    /// Changes that are not committed.
    Dirty {
        /// The changes.
        changes: Vec<Change>,
    },
    /// A rebase has stopped and waits.
    RebaseInProgress,
    /// Commits that none of the given refs has.
    Unreachable {
        /// The refs of the workspace (or `HEAD`) and their commits.
        refs: Vec<(String, Sha)>,
    },
}

/// Why a workspace was not removed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// The proof is for another workspace, or it changed since.
    #[error("the workspace {} changed since it was checked", path.display())]
    Changed {
        /// The workspace.
        path: PathBuf,
    },
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It could not be removed, or not all of it: the rest stands beside its place under a hidden
    /// name, to be removed when a workspace of that name is made or removed again.
    #[error("cannot remove the workspace {}", path.display())]
    Io {
        /// The workspace.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Workspace {
    /// Checks that nothing would be lost with this workspace: no change, no stopped rebase, and
    /// HEAD, every branch, the stash and every tag of its own are reachable in `main` from one of
    /// `kept` (names of refs there: the target, the remote's target as `main` knows it, rescue
    /// refs). Ignored files do not count.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn check_removable(
        &self,
        main: &Repo,
        kept: &[&str],
    ) -> Result<Result<Removable, NotRemovable>, GitError> {
        let changes = self.changes_and_submodules()?;
        if !changes.is_empty() {
            return Ok(Err(NotRemovable::Dirty { changes }));
        }
        if self.rebase_in_progress() {
            return Ok(Err(NotRemovable::RebaseInProgress));
        }
        let mut keepers = Vec::new();
        for name in kept {
            keepers.extend(main.resolve(name)?);
        }
        let head = self.resolve("HEAD")?;
        let mut refs = self.own_refs(main)?;
        refs.extend(head.clone().map(|head| ("HEAD".to_owned(), head)));
        let mut unreachable = Vec::new();
        for (name, sha) in refs {
            if !is_kept(main, &sha, &keepers)? {
                unreachable.push((name, sha));
            }
        }
        if unreachable.is_empty() {
            Ok(Ok(Removable { root: self.root().to_owned(), head }))
        } else {
            Ok(Err(NotRemovable::Unreachable { refs: unreachable }))
        }
    }

    /// Its refs to commits, without what it was told by a remote and what `main` has by the same
    /// name.
    fn own_refs(&self, main: &Repo) -> Result<Vec<(String, Sha)>, GitError> {
        let theirs = main.refs("refs/tags")?;
        let mut refs = Vec::new();
        for (name, sha) in self.refs("refs")? {
            let is_tag_of_main = theirs.binary_search(&(name.clone(), sha)).is_ok();
            if name.starts_with("refs/remotes/") || is_tag_of_main {
                continue;
            }
            // A tag may mean a tree or a file; those it shares with `main` are gone already.
            refs.extend(self.resolve(&name)?.map(|commit| (name, commit)));
        }
        if refs.iter().any(|(name, _)| name == "refs/stash") {
            // The ref is the newest entry; the others are only in its log.
            let log = self.run(Call::new(["rev-list", "--walk-reflogs", "refs/stash", "--"]))?;
            let entries = log.text();
            for (number, sha) in entries.lines().enumerate().skip(1) {
                let commit = sha.parse().map_err(|_| log.unreadable())?;
                refs.push((format!("stash@{{{number}}}"), commit));
            }
        }
        Ok(refs)
    }

    /// Removes the workspace: renamed out of its place first, so that a crash leaves all of it
    /// or none of it there.
    ///
    /// # Errors
    /// When the proof does not hold, or files cannot be removed.
    pub fn remove(self, proof: Removable) -> Result<(), RemoveError> {
        let path = self.root().to_owned();
        let io = |source| RemoveError::Io { path: path.clone(), source };
        let Removable { root, head } = proof;
        let same = root == path && head == self.resolve("HEAD")?;
        if !same || !self.changes_and_submodules()?.is_empty() {
            return Err(RemoveError::Changed { path });
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io(io::ErrorKind::InvalidInput.into()));
        };
        sweep(parent, name).map_err(io)?;
        fs_err::rename(&path, hidden(parent, name, OLD)).map_err(io)?;
        sweep(parent, name).map_err(io)
    }
}

fn is_kept(main: &Repo, sha: &Sha, keepers: &[Sha]) -> Result<bool, GitError> {
    for keeper in keepers {
        if main.is_ancestor(sha, keeper)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where a workspace is while it is made or removed.
pub(super) fn hidden(parent: &Path, name: &OsStr, mark: &str) -> PathBuf {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!("{mark}{}", own_pid()));
    parent.join(hidden)
}

/// Removes what unfinished creations and removals of workspaces left in `root`, the directory
/// they are in, unless the process that was at it lives; returns how many there were.
///
/// # Errors
/// When the directory cannot be read or something in it not removed. One that is missing is empty.
pub fn sweep_workspaces(root: &Path) -> io::Result<usize> {
    let mut swept = 0;
    for (path, _, pid) in leftovers(root)? {
        if identity_of(pid).is_none() {
            remove_tree(&path)?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Removes what is left of unfinished creations and removals of the workspace `name`.
pub(super) fn sweep(parent: &Path, name: &OsStr) -> io::Result<()> {
    for (path, of, _) in leftovers(parent)? {
        if of == name.as_encoded_bytes() {
            remove_tree(&path)?;
        }
    }
    Ok(())
}

/// The hidden workspaces in `root`, with their names and who made or removed them.
fn leftovers(root: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>, u32)>> {
    let listing = match fs_err::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing?,
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry?;
        if let Some((name, pid)) = parse_hidden(entry.file_name().as_encoded_bytes()) {
            found.push((entry.path(), name.to_owned(), pid));
        }
    }
    Ok(found)
}

/// `.{name}.new-{pid}` or `.{name}.old-{pid}`.
fn parse_hidden(file_name: &[u8]) -> Option<(&[u8], u32)> {
    let dash = file_name.iter().rposition(|byte| *byte == b'-')?;
    let (front, digits) = file_name.split_at(dash + 1);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let pid = std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()?;
    let name = [NEW, OLD].iter().find_map(|mark| front.strip_suffix(mark.as_bytes()))?;
    Some((name.strip_prefix(b".")?, pid))
}

/// Removes a directory and all in it, directories without write permission included: package
/// managers make their caches so. What is not there is removed.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(path)?;
            fs_err::remove_dir_all(path)
        }
        done => done,
    }
}

fn make_writable(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}
