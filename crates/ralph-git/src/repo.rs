//! A repository with a work tree, and questions about its commits.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ralph_process::{Cancel, SpawnError};
use thiserror::Error;

use crate::command::{Answer, Call, Git, path_bytes};
use crate::{GitEnv, GitError, Sha};

/// The oldest git that knows every option used here.
const OLDEST: (u32, u32) = (2, 31);

/// Where the names of branches begin.
const BRANCHES: &str = "refs/heads/";

/// Where the names of branches begin that others were seen to have.
const REMOTE_BRANCHES: &str = "refs/remotes/";

/// What was stashed last.
const STASH: &str = "refs/stash";

/// A work tree, its git and who may stop it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Repo {
    git: Git,
    root: PathBuf,
    git_dir: PathBuf,
    common_dir: PathBuf,
}

/// What is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A branch.
    Branch {
        /// Its name without `refs/heads/`.
        name: String,
        /// Its commit; `None` for a branch without one yet.
        commit: Option<Sha>,
    },
    /// A commit and no branch.
    Detached {
        /// The commit.
        commit: Sha,
    },
}

impl Head {
    /// The commit, if there is one.
    pub fn commit(&self) -> Option<&Sha> {
        match self {
            Self::Branch { commit, .. } => commit.as_ref(),
            Self::Detached { commit } => Some(commit),
        }
    }
}

/// Why there is no repository to work with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// There is no git.
    #[error("git was not found on PATH")]
    GitMissing,
    /// Git is too old.
    #[error("git {found} is too old: {needed} or newer is needed")]
    GitTooOld {
        /// Its version.
        found: String,
        /// The oldest that does.
        needed: String,
    },
    /// The directory is missing.
    #[error("there is no directory {}", path.display())]
    NoDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The directory is in no work tree.
    #[error("{} is not in a git repository", path.display())]
    NotARepository {
        /// The directory.
        path: PathBuf,
    },
    /// The repository has no work tree.
    #[error("{} is in a bare repository", path.display())]
    Bare {
        /// The directory.
        path: PathBuf,
    },
    /// Git refuses a repository that belongs to another user.
    #[error("the repository of {} belongs to another user, and git refuses it", path.display())]
    NotOwned {
        /// The directory.
        path: PathBuf,
    },
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What became of a ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a stale expectation changed nothing"]
pub enum UpdateRef {
    /// It has the new value.
    Updated,
    /// It did not have the expected value; nothing changed.
    Stale,
}

impl Repo {
    /// The repository whose work tree `start` is in.
    ///
    /// `cancel` stops what may take long and can be done again: a clone, a fetch, a push. All
    /// else is left to finish, so that work can be saved after the request to stop.
    ///
    /// # Errors
    /// When there is none, or no git that can be used.
    pub fn discover(start: &Path, env: GitEnv, cancel: Cancel) -> Result<Self, DiscoverError> {
        let git = Git::find(env, cancel).ok_or(DiscoverError::GitMissing)?;
        let answer = git.run(start, Call::new(["version"])).map_err(|error| match error {
            GitError::Spawn(SpawnError::NotFound { .. }) => DiscoverError::GitMissing,
            GitError::Spawn(SpawnError::Directory { dir: path, .. }) => {
                DiscoverError::NoDirectory { path }
            }
            other => other.into(),
        })?;
        let found = answer.text();
        if parse_version(&found).is_some_and(|version| version < OLDEST) {
            let needed = format!("{}.{}", OLDEST.0, OLDEST.1);
            let found = version(&found).to_owned();
            return Err(DiscoverError::GitTooOld { found, needed });
        }
        Self::at(start, git)
    }

    /// The version of git, as it says it.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn git_version(&self) -> Result<String, GitError> {
        Ok(version(&self.run(Call::new(["version"]))?.text()).to_owned())
    }

    /// The repository at `root`, with the same git.
    pub(crate) fn elsewhere(&self, root: &Path) -> Result<Self, DiscoverError> {
        Self::at(root, self.git.clone().only_of(None))
    }

    /// A clone made here, after it was renamed.
    pub(crate) fn renamed(self, root: PathBuf) -> Self {
        let git_dir = root.join(".git");
        let git = self.git.only_of(Some(&root));
        Self { git, root, common_dir: git_dir.clone(), git_dir }
    }

    fn at(start: &Path, git: Git) -> Result<Self, DiscoverError> {
        let path = || start.to_owned();
        let places = ["--show-toplevel", "--absolute-git-dir", "--git-common-dir"];
        let call = Call::new(["rev-parse", "--path-format=absolute"].iter().chain(&places));
        let answer = git.ask(start, call)?;
        if !answer.success() {
            let bare = git.ask(start, Call::new(["rev-parse", "--is-bare-repository"]))?;
            return Err(if answer.stderr.contains("dubious ownership") {
                DiscoverError::NotOwned { path: path() }
            } else if bare.text() == "true" {
                DiscoverError::Bare { path: path() }
            } else {
                DiscoverError::NotARepository { path: path() }
            });
        }
        let mut lines = answer.stdout.split(|byte| *byte == b'\n').map(crate::command::path_from);
        // A line break in the name of a directory on the way is not supported.
        let (Some(root), Some(git_dir), Some(common_dir), Some(_), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(answer.unreadable().into());
        };
        Ok(Self { git: git.only_of(Some(&root)), root, git_dir, common_dir })
    }

    /// The root of the work tree, absolute and without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Git's directory for this work tree.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Git's directory for all work trees of this repository.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// The same repository, with its git stopped by another request.
    #[must_use]
    pub fn with_cancel(&self, cancel: Cancel) -> Self {
        Self { git: self.git.with_cancel(cancel), ..self.clone() }
    }

    pub(crate) fn git(&self) -> &Git {
        &self.git
    }

    /// Runs git at the root, which has to succeed.
    pub(crate) fn run(&self, call: Call) -> Result<Answer, GitError> {
        self.git.run(&self.root, call)
    }

    /// Runs git at the root, whatever it says.
    pub(crate) fn ask(&self, call: Call) -> Result<Answer, GitError> {
        self.git.ask(&self.root, call)
    }

    /// As [`Repo::run`], but waits a little for a lock that somebody holds.
    pub(crate) fn run_patiently(&self, call: &Call) -> Result<Answer, GitError> {
        let answer = self.git.ask_patiently(&self.root, call)?;
        if answer.success() { Ok(answer) } else { Err(answer.failed()) }
    }

    /// Runs git at the root, which has to print one object name.
    pub(crate) fn run_for_sha(&self, call: Call) -> Result<Sha, GitError> {
        let answer = self.run(call)?;
        answer.text().parse().map_err(|_| answer.unreadable())
    }

    /// What is checked out.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn head(&self) -> Result<Head, GitError> {
        let symbolic = self.ask(Call::new(["symbolic-ref", "--quiet", "HEAD"]))?;
        let commit = self.resolve("HEAD")?;
        match (symbolic.exit.success(), commit) {
            (true, commit) => {
                let name = symbolic.text();
                let short = name.strip_prefix("refs/heads/").unwrap_or(&name);
                Ok(Head::Branch { name: short.to_owned(), commit })
            }
            (false, Some(commit)) => Ok(Head::Detached { commit }),
            (false, None) => Err(symbolic.failed()),
        }
    }

    /// The commit `rev` names; `None` when it names none.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn resolve(&self, rev: &str) -> Result<Option<Sha>, GitError> {
        self.name_of(format!("{rev}^{{commit}}").into())
    }

    /// The name of the object `expression` means.
    fn name_of(&self, expression: OsString) -> Result<Option<Sha>, GitError> {
        let call = Call::new(["rev-parse", "--quiet", "--verify", "--end-of-options"]);
        let answer = self.ask(call.arg(expression))?;
        match answer.exit {
            ralph_process::Exit::Code(0) => {
                answer.text().parse().map(Some).map_err(|_| answer.unreadable())
            }
            ralph_process::Exit::Code(1) => Ok(None),
            _ => Err(answer.failed()),
        }
    }

    /// The tree of `rev`.
    ///
    /// # Errors
    /// When `rev` has none, or git gives no answer.
    pub fn tree_of(&self, rev: &str) -> Result<Sha, GitError> {
        self.run_for_sha(
            Call::new(["rev-parse", "--verify", "--end-of-options"]).arg(format!("{rev}^{{tree}}")),
        )
    }

    /// Whether `ancestor` is `descendant` or before it; a commit that is missing here is neither.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn is_ancestor(&self, ancestor: &Sha, descendant: &Sha) -> Result<bool, GitError> {
        let shas = [ancestor.as_str(), descendant.as_str()];
        let answer = self.ask(Call::new(["merge-base", "--is-ancestor"].iter().chain(&shas)))?;
        match answer.exit {
            ralph_process::Exit::Code(0) => Ok(true),
            ralph_process::Exit::Code(1) => Ok(false),
            _ if self.resolve(shas[0])?.is_none() || self.resolve(shas[1])?.is_none() => Ok(false),
            _ => Err(answer.failed()),
        }
    }

    /// The best common ancestor; `None` when they have none.
    ///
    /// # Errors
    /// When a commit is missing, or git gives no answer.
    pub fn merge_base(&self, one: &Sha, other: &Sha) -> Result<Option<Sha>, GitError> {
        let answer = self.ask(Call::new(["merge-base", one.as_str(), other.as_str()]))?;
        match answer.exit {
            ralph_process::Exit::Code(0) => {
                answer.text().parse().map(Some).map_err(|_| answer.unreadable())
            }
            ralph_process::Exit::Code(1) => Ok(None),
            _ => Err(answer.failed()),
        }
    }

    /// All best common ancestors.
    ///
    /// # Errors
    /// When a commit is missing, or git gives no answer.
    pub fn merge_bases(&self, one: &Sha, other: &Sha) -> Result<Vec<Sha>, GitError> {
        let answer = self.ask(Call::new(["merge-base", "--all", one.as_str(), other.as_str()]))?;
        match answer.exit {
            ralph_process::Exit::Code(0) => {
                let bases: Result<_, _> = answer.text().lines().map(str::parse).collect();
                bases.map_err(|_| answer.unreadable())
            }
            ralph_process::Exit::Code(1) => Ok(Vec::new()),
            _ => Err(answer.failed()),
        }
    }

    /// The content of a file (relative to the root) in `rev`; `None` when it is not there.
    ///
    /// # Errors
    /// When it is a directory, or git gives no answer.
    pub fn read_blob(&self, rev: &str, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        let mut expression = OsString::from(format!("{rev}:"));
        expression.push(path);
        match self.name_of(expression)? {
            Some(sha) => self.blob(&sha).map(Some),
            None => Ok(None),
        }
    }

    /// The content of a blob.
    ///
    /// # Errors
    /// When there is no such blob, or git gives no answer.
    pub fn blob(&self, sha: &Sha) -> Result<Vec<u8>, GitError> {
        Ok(self.run(Call::new(["cat-file", "blob", sha.as_str()]))?.stdout)
    }

    /// Sets the ref `name` (in full: `refs/...`) to `new` if it is `old` now (`None`: if it does
    /// not exist). Git's own lock makes this one step.
    ///
    /// # Errors
    /// When the name or the object is not acceptable, or git gives no answer.
    pub fn update_ref(
        &self,
        name: &str,
        new: &Sha,
        old: Option<&Sha>,
    ) -> Result<UpdateRef, GitError> {
        let expected = old.map_or_else(|| "0".repeat(new.as_str().len()), Sha::to_string);
        self.compare_and_set(name, old, &["update-ref", name, new.as_str(), &expected])
    }

    /// Deletes the ref `name` if it is `old` now.
    ///
    /// # Errors
    /// As for [`Repo::update_ref`].
    pub fn delete_ref(&self, name: &str, old: &Sha) -> Result<UpdateRef, GitError> {
        self.compare_and_set(name, Some(old), &["update-ref", "-d", name, old.as_str()])
    }

    fn compare_and_set(
        &self,
        name: &str,
        expected: Option<&Sha>,
        command: &[&str],
    ) -> Result<UpdateRef, GitError> {
        let answer = self.ask(Call::new(command))?;
        if answer.success() {
            return Ok(UpdateRef::Updated);
        }
        // Asked, not read from the message: its wording differs between ref formats.
        if self.name_of(name.into())?.as_ref() == expected {
            Err(answer.failed())
        } else {
            Ok(UpdateRef::Stale)
        }
    }

    /// The refs below `prefix` (`refs/ralph`), or the one of that name, in order of name.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn refs(&self, prefix: &str) -> Result<Vec<(String, Sha)>, GitError> {
        let answer =
            self.run(Call::new(["for-each-ref", "--format=%(objectname) %(refname)", prefix]))?;
        let parse = |line: &str| {
            let (sha, name) = line.split_once(' ')?;
            Some((name.to_owned(), sha.parse().ok()?))
        };
        let refs: Option<_> = answer.text().lines().map(parse).collect();
        refs.ok_or_else(|| answer.unreadable())
    }

    /// The work tree, this one or another of this repository, that has `branch` checked out.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn checked_out_at(&self, branch: &str) -> Result<Option<PathBuf>, GitError> {
        let call = Call::new(["for-each-ref", "--format=%(worktreepath)"]);
        let answer = self.run(call.arg(format!("refs/heads/{branch}")))?;
        let path = crate::command::path_from(answer.stdout.trim_ascii_end());
        // Git remembers one whose directory is gone.
        Ok(Some(path).filter(|path| path.is_dir()))
    }

    /// What the branches, those of remotes too, and the stash have at `paths` (relative to the
    /// root): the blobs of each path, or `None` where there is no file, without repetitions, and
    /// those of the newest commit first.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn versions<const N: usize>(
        &self,
        paths: [&Path; N],
    ) -> Result<Vec<[Option<Sha>; N]>, GitError> {
        let format = "--format=%(objectname)";
        let sorted =
            ["for-each-ref", "--sort=-committerdate", format, BRANCHES, REMOTE_BRANCHES, STASH];
        let tips = self.run(Call::new(sorted))?.text();
        let mut asked = Vec::new();
        for tip in tips.lines() {
            for path in paths {
                asked.extend_from_slice(tip.as_bytes());
                asked.push(b':');
                asked.extend(path_bytes(path));
                asked.push(b'\n');
            }
        }
        let format = "--batch-check=%(objecttype) %(objectname)";
        let answer = self.run(Call::new(["cat-file", format]).stdin(asked))?;
        let found = answer.text();
        let mut blobs = found.lines().map(|line| line.strip_prefix("blob ")?.parse().ok());
        let mut versions = Vec::new();
        for _ in tips.lines() {
            let mut version = [const { None }; N];
            for place in &mut version {
                *place = blobs.next().ok_or_else(|| answer.unreadable())?;
            }
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        Ok(versions)
    }

    /// The branches that have a file at `path` (relative to the root), those with the newest
    /// commit first.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn branches_with(&self, path: &Path) -> Result<Vec<String>, GitError> {
        let format = "--format=%(refname)";
        let sorted = ["for-each-ref", "--sort=-committerdate", format, BRANCHES];
        let refs = self.run(Call::new(sorted))?.text();
        let mut asked = Vec::new();
        for name in refs.lines() {
            asked.extend_from_slice(name.as_bytes());
            asked.push(b':');
            asked.extend(path_bytes(path));
            asked.push(b'\n');
        }
        let answer =
            self.run(Call::new(["cat-file", "--batch-check=%(objecttype)"]).stdin(asked))?;
        let found = answer.text();
        let has_it = |(name, object): (&str, &str)| {
            (object == "blob").then(|| name.strip_prefix(BRANCHES).map(str::to_owned))?
        };
        Ok(refs.lines().zip(found.lines()).filter_map(has_it).collect())
    }
}

/// `git version 2.39.5 (Apple Git-154)`; `None` for what does not look like it.
/// The version in what `git version` prints.
fn version(text: &str) -> &str {
    text.strip_prefix("git version ").unwrap_or(text)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split(['.', ' ', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(parse_version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(parse_version("git version 2.51.0.rc1.windows.1"), Some((2, 51)));
        assert_eq!(parse_version("git version next"), None);
    }
}
