//! A new workspace: cloned beside its place, then renamed into it.

use std::io;
use std::path::{Path, PathBuf};

use ralph_process::free_space;
use thiserror::Error;

use super::remove::{self, NEW};
use super::{BRANCH, OWNER, Workspace, config};
use crate::command::{Call, records};
use crate::{DiscoverError, GitError, RemoteUrls, Repo, Sha};

/// Why a workspace was not made. Nothing is left of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateError {
    /// There is something at the destination.
    #[error("{} exists already", path.display())]
    Exists {
        /// The destination.
        path: PathBuf,
    },
    /// The disk, or the user's share of it, is full.
    #[error("no space left for the workspace {}", path.display())]
    DiskFull {
        /// The destination.
        path: PathBuf,
    },
    /// A directory or file could not be made, renamed or removed.
    #[error("cannot make the workspace {}", path.display())]
    Io {
        /// The destination.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Git failed.
    #[error("cannot clone into the workspace {}", path.display())]
    Git {
        /// The destination.
        path: PathBuf,
        /// The cause.
        source: GitError,
    },
}

impl CreateError {
    fn new(path: &Path, cause: GitError) -> Self {
        let path = path.to_owned();
        match cause {
            GitError::DiskFull { .. } => Self::DiskFull { path },
            GitError::Io(source)
                if matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Self::DiskFull { path }
            }
            GitError::Io(source) => Self::Io { path, source },
            source => Self::Git { path, source },
        }
    }
}

/// Clones `main` into `dest` (an absolute path) with `branch` at `start` checked out, and no
/// other branch.
///
/// Objects are linked, not copied, where the file system allows. `origin` is `remote`, or `main`
/// itself without one; settings that the work needs (identity, credentials, line endings,
/// filters) and the user's own ignore rules come along, hooks do not.
///
/// The clone is made beside `dest` and renamed: after a crash there is a whole workspace or
/// none, and the next call for the same `dest` removes the rest. Two calls for the same `dest`
/// at once are the caller's to prevent.
///
/// # Errors
/// When `dest` exists, the disk is full, or git fails.
pub fn create_workspace(
    main: &Repo,
    dest: &Path,
    branch: &str,
    start: &Sha,
    remote: Option<&RemoteUrls>,
) -> Result<Workspace, CreateError> {
    let failed = |cause: GitError| CreateError::new(dest, cause);
    let io = |source: io::Error| CreateError::new(dest, GitError::Io(source));
    if fs_err::symlink_metadata(dest).is_ok() {
        return Err(CreateError::Exists { path: dest.to_owned() });
    }
    let (true, Some(parent), Some(name)) = (dest.is_absolute(), dest.parent(), dest.file_name())
    else {
        return Err(io(io::ErrorKind::InvalidInput.into()));
    };
    fs_err::create_dir_all(parent).map_err(io)?;
    remove::sweep(parent, name).map_err(io)?;
    let urls = config::urls(main, remote);
    let temporary = remove::hidden(parent, name, NEW);
    let finish = || -> Result<Repo, GitError> {
        let cloned = clone(main, &temporary)?;
        settle(main, &cloned, branch, &urls)?;
        check_out(main, &cloned, branch, start)?;
        fs_err::rename(&temporary, dest)?;
        Ok(cloned)
    };
    match finish() {
        Ok(cloned) => {
            let root = cloned.root().with_file_name(name);
            Ok(Workspace { repo: cloned.renamed(root), branch: branch.to_owned() })
        }
        Err(cause) => {
            let lacks_space = lacks_space(main, parent, start);
            // What cannot be removed now is swept next time.
            drop(remove::remove_tree(&temporary));
            match cause {
                GitError::Failed { .. } if lacks_space => {
                    Err(CreateError::DiskFull { path: dest.to_owned() })
                }
                cause => Err(failed(cause)),
            }
        }
    }
}

/// Whether there is less space left than the files of `start` need. A checkout that ran out of
/// it says no more than "unable to write file".
fn lacks_space(main: &Repo, parent: &Path, start: &Sha) -> bool {
    let list = Call::new(["ls-tree", "-r", "-z", "--long", start.as_str()]);
    let (Ok(free), Ok(listing)) = (free_space(parent), main.run(list)) else { return false };
    let size = |entry: &[u8]| -> u64 {
        let entry = String::from_utf8_lossy(entry);
        let size = entry.split_ascii_whitespace().nth(3).and_then(|size| size.parse().ok());
        size.unwrap_or_default()
    };
    free < records(&listing.stdout).map(size).sum()
}

fn clone(main: &Repo, to: &Path) -> Result<Repo, GitError> {
    // A path is cloned by linking its objects, across file systems by copying them. With
    // `--local` said, git would fail there instead.
    let clone = ["clone", "--quiet", "--no-checkout", "--single-branch"];
    let call = Call::new(clone)
        .config("protocol.file.allow=always")
        .config("clone.rejectShallow=false")
        // Without the user's templates, which bring hooks.
        .args(["--template=", "--origin=origin", "--"])
        .arg(main.root())
        .arg(to);
    main.run(call.stoppable())?;
    main.elsewhere(to).map_err(|error| match error {
        DiscoverError::Git(cause) => cause,
        other => GitError::Io(io::Error::other(other)),
    })
}

/// Replaces what `git clone` made of branches and settings by what a workspace has.
fn settle(main: &Repo, cloned: &Repo, branch: &str, urls: &RemoteUrls) -> Result<(), GitError> {
    cloned.run(Call::new(["remote", "remove", "origin"]))?;
    let branches = cloned.refs("refs/heads")?;
    let deletions: String = branches.iter().flat_map(|(name, _)| ["delete ", name, "\n"]).collect();
    cloned.run(Call::new(["update-ref", "--no-deref", "--stdin"]).stdin(deletions))?;
    let mut settings = config::inherited(main)?;
    settings.extend(config::origin(urls));
    settings.push((BRANCH.to_owned(), branch.to_owned()));
    settings.push((OWNER.to_owned(), super::owner_name(main)));
    config::append(cloned, &settings)?;
    // The user's own rules: without them ignored files would look new, and be committed.
    for name in ["exclude", "attributes"] {
        let (from, to) = ("info", cloned.git_dir().join("info"));
        let from = main.common_dir().join(from).join(name);
        if from.is_file() {
            fs_err::create_dir_all(&to)?;
            fs_err::copy(from, to.join(name))?;
        }
    }
    Ok(())
}

fn check_out(main: &Repo, cloned: &Repo, branch: &str, start: &Sha) -> Result<(), GitError> {
    let name = format!("refs/heads/{branch}");
    if cloned.resolve(start.as_str())?.is_some() {
        let _new = cloned.update_ref(&name, start, None)?;
    } else {
        // A source that lends no objects (a shallow one, say) sent only what its branch needs.
        cloned.fetch_from(main.root(), start, &name)?;
    }
    cloned.run(Call::new(["symbolic-ref", "HEAD", &name]))?;
    cloned.run(Call::new(["reset", "--quiet", "--hard"]).long())?;
    Ok(())
}
