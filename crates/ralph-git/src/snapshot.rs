//! Commits and trees made from the work tree.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use ralph_process::{Exit, identity_of, own_pid};
use thiserror::Error;

use crate::command::{Call, path_bytes, path_from, records};
use crate::status::literal;
use crate::{GitError, Repo, Sha};

/// Who commits a snapshot: rescuing work must not fail for want of an identity.
const RALPH: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "Ralph"),
    ("GIT_AUTHOR_EMAIL", "ralph@localhost"),
    ("GIT_COMMITTER_NAME", "Ralph"),
    ("GIT_COMMITTER_EMAIL", "ralph@localhost"),
];

/// Why a commit would have no author.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Neither configured nor to be guessed.
    #[error("git does not know who commits: {reason}")]
    Missing {
        /// What git says.
        reason: String,
    },
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Repo {
    /// Commits the whole work tree as it is (tracked and untracked files, no ignored ones)
    /// without touching index, HEAD, branches or files. The commit is reachable from nothing:
    /// [`Repo::update_ref`] is next, before git's housekeeping weeks later. Its author is Ralph.
    ///
    /// Paths in `exclude` (relative to the root) are as in HEAD. Of a repository inside this one
    /// the files are taken, not the history; of another work tree of this one, nothing. A conflict
    /// is taken with its markers.
    ///
    /// # Errors
    /// When a file cannot be read, or git gives no answer.
    pub fn snapshot(
        &self,
        exclude: &[PathBuf],
        message: &str,
        parent: Option<&Sha>,
    ) -> Result<Sha, GitError> {
        let tree = self.work_tree_hash(exclude)?;
        let call = RALPH
            .iter()
            .fold(commit_tree(&tree, parent, message), |call, (name, value)| call.env(name, value));
        self.run_for_sha(call)
    }

    /// The tree that [`Repo::snapshot`] would commit. It is written to the object database.
    ///
    /// # Errors
    /// As for [`Repo::snapshot`].
    pub fn work_tree_hash(&self, exclude: &[PathBuf]) -> Result<Sha, GitError> {
        self.work_tree(exclude, None)
    }

    /// Commits the whole work tree as it is on top of `parent`, like [`Repo::snapshot`], but as
    /// the user, and with the paths in `exclude` as they are in `parent`.
    ///
    /// # Errors
    /// As for [`Repo::snapshot`]; also when git does not know who commits.
    pub fn commit_work(
        &self,
        exclude: &[PathBuf],
        message: &str,
        parent: &Sha,
    ) -> Result<Sha, GitError> {
        let tree = self.work_tree(exclude, Some(parent))?;
        self.run_for_sha(commit_tree(&tree, [parent], message))
    }

    /// The tree of the files, with the paths in `exclude` as in `like` (`None`: as in HEAD).
    fn work_tree(&self, exclude: &[PathBuf], like: Option<&Sha>) -> Result<Sha, GitError> {
        let index = TemporaryIndex::copy(self.git_dir())?;
        let with_index = |call: Call| call.env("GIT_INDEX_FILE", &index.path);
        self.add_work(exclude, with_index)?;
        if !exclude.is_empty() {
            let answer = self.ask(with_index(reset_paths(exclude, like)))?;
            if !is_reset(answer.exit) {
                return Err(answer.failed());
            }
        }
        self.run_for_sha(with_index(Call::new(["write-tree"])))
    }

    /// Adds every file to the index that `with_index` names; of a repository inside this one the
    /// files too, unless `exclude` has it.
    pub(crate) fn add_work(
        &self,
        exclude: &[PathBuf],
        with_index: impl Fn(Call) -> Call,
    ) -> Result<(), GitError> {
        let (nested, work_trees) = self.inner()?;
        self.run_patiently(&with_index(add_all(nested.iter().chain(&work_trees))))?;
        let is_wanted = |path: &&PathBuf| !exclude.iter().any(|exclude| path.starts_with(exclude));
        for repository in nested.iter().filter(is_wanted) {
            let entries = self.hash_files(repository)?;
            let call = Call::new(["update-index", "-z", "--index-info"]).stdin(entries);
            self.run_patiently(&with_index(call))?;
        }
        Ok(())
    }

    /// Index entries for the files of a repository inside this one, which `git add` would take
    /// as a mere commit name, or refuse. Its own rules say what is ignored.
    fn hash_files(&self, repository: &Path) -> Result<Vec<u8>, GitError> {
        let dir = self.root().join(repository);
        let list = Call::new(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let answer = self.git().run(&dir, list)?;
        let hash = ["hash-object", "-w", "--no-filters"];
        let (mut entries, mut files, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for name in records(&answer.stdout) {
            let path = repository.join(path_from(name));
            let full = self.root().join(&path);
            let metadata = match fs_err::symlink_metadata(&full) {
                // Deleted, and still in the index of that repository.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_symlink() {
                let target = path_bytes(&fs_err::read_link(full)?);
                let sha = self.run_for_sha(Call::new(hash).arg("--stdin").stdin(target))?;
                entries.extend(index_entry("120000", &sha, &path));
            } else if metadata.is_dir() {
                entries.extend(self.hash_files(&path)?);
            } else if metadata.is_file() {
                names.extend(quoted(&full));
                files.push((if is_executable(&metadata) { "100755" } else { "100644" }, path));
            }
        }
        let hashes = self.run(Call::new(hash).arg("--stdin-paths").stdin(names).long())?;
        let text = hashes.text();
        for ((mode, path), sha) in files.iter().zip(text.lines()) {
            let sha = sha.parse().map_err(|_| hashes.unreadable())?;
            entries.extend(index_entry(mode, &sha, path));
        }
        Ok(entries)
    }

    /// Commits everything that is not ignored on the current branch; `None` when there is
    /// nothing to commit. Hooks are not run. Of a repository inside this one the files are taken,
    /// not the history.
    ///
    /// # Errors
    /// When a file cannot be read, git does not know who commits, or git gives no answer. What was
    /// added to the index then stays there.
    pub fn commit_all(&self, message: &str) -> Result<Option<Sha>, GitError> {
        self.commit_all_but(&[], message)
    }

    /// [`Repo::commit_all`], without the changes of the paths in `exclude`.
    ///
    /// # Errors
    /// As for [`Repo::commit_all`].
    pub fn commit_all_but(
        &self,
        exclude: &[PathBuf],
        message: &str,
    ) -> Result<Option<Sha>, GitError> {
        self.add_work(exclude, |call| call)?;
        if !exclude.is_empty() {
            let answer = self.ask(reset_paths(exclude, None))?;
            if !is_reset(answer.exit) {
                return Err(answer.failed());
            }
        }
        let staged = self.ask(Call::new(["diff-index", "--cached", "--quiet", "HEAD", "--"]))?;
        match staged.exit {
            Exit::Code(0) => return Ok(None),
            Exit::Code(1) => {}
            // A branch without a commit: whatever is in the index is new.
            _ if self.resolve("HEAD")?.is_none() => {
                if self.run(Call::new(["ls-files", "-z"]))?.stdout.is_empty() {
                    return Ok(None);
                }
            }
            _ => return Err(staged.failed()),
        }
        let commit = ["commit", "--quiet", "--no-verify", "--cleanup=whitespace", "--file=-"];
        self.run_patiently(&Call::new(commit).stdin(message))?;
        self.run_for_sha(Call::new(["rev-parse", "HEAD"])).map(Some)
    }

    /// Makes a commit of `tree` that is reachable from nothing yet.
    ///
    /// # Errors
    /// When an object is missing, git does not know who commits, or git gives no answer.
    pub fn commit_tree(&self, tree: &Sha, parents: &[Sha], message: &str) -> Result<Sha, GitError> {
        self.run_for_sha(commit_tree(tree, parents, message))
    }

    /// Whether git knows who commits here.
    ///
    /// # Errors
    /// When it does not, or gives no answer.
    pub fn identity(&self) -> Result<(), IdentityError> {
        for ident in ["GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"] {
            let answer = self.ask(Call::new(["var", ident]))?;
            if !answer.success() {
                // The last line has the reason; before it stands what to do about it.
                let reason = answer.stderr.lines().last().unwrap_or_default();
                let reason = reason.strip_prefix("fatal: ").unwrap_or(reason).to_owned();
                return Err(IdentityError::Missing { reason });
            }
        }
        Ok(())
    }
}

/// Adds every change to the index, but for those of the paths in `exclude`, none of them ignored.
fn add_all<'a>(exclude: impl IntoIterator<Item = &'a PathBuf>) -> Call {
    let left_out = exclude.into_iter().map(|path| literal(",exclude", path));
    Call::new(["add", "--all", "--", ":/"])
        // New files outside a sparse checkout are work too; git would refuse them.
        .config("core.sparseCheckout=false")
        .args(left_out)
        .long()
}

/// Puts `paths` of the index back to what they are in `like` (`None`: in HEAD).
///
/// They are not left out of `git add` instead: it refuses to be told a path that is ignored,
/// even as one to leave out.
fn reset_paths(paths: &[PathBuf], like: Option<&Sha>) -> Call {
    let reset = Call::new(["reset", "--quiet"]);
    // A branch without a commit has no HEAD to name; `reset` knows.
    let reset = like.map(Sha::as_str).into_iter().fold(reset, Call::arg).arg("--");
    paths.iter().map(|path| literal("", path)).fold(reset, Call::arg)
}

/// `git reset` says with 1 that the work tree has something to add.
fn is_reset(exit: Exit) -> bool {
    matches!(exit, Exit::Code(0 | 1))
}

fn commit_tree<'a>(tree: &Sha, parents: impl IntoIterator<Item = &'a Sha>, message: &str) -> Call {
    let call = Call::new(["commit-tree", tree.as_str(), "-F", "-"]).stdin(message);
    parents.into_iter().fold(call, |call, parent| call.arg("-p").arg(parent.as_str()))
}

/// A record for `git update-index -z --index-info`.
fn index_entry(mode: &str, sha: &Sha, path: &Path) -> Vec<u8> {
    let mut entry = format!("{mode} {sha} 0\t").into_bytes();
    entry.extend(path_bytes(path));
    entry.push(0);
    entry
}

/// A line of paths that git reads; what would end the line or look like quotes is quoted.
fn quoted(path: &Path) -> Vec<u8> {
    let mut line = vec![b'"'];
    for byte in path_bytes(path) {
        match byte {
            b'\n' => line.extend(b"\\n"),
            b'"' | b'\\' => line.extend([b'\\', byte]),
            byte => line.push(byte),
        }
    }
    line.extend(b"\"\n");
    line
}

fn is_executable(metadata: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        metadata.permissions().mode() & 0o100 != 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// A copy of the index, for git to change instead of the real one. What a crash leaves behind,
/// the next one removes.
struct TemporaryIndex {
    path: PathBuf,
}

impl TemporaryIndex {
    fn copy(git_dir: &Path) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        sweep(git_dir)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // In git's directory, because an index may refer to files beside it.
        let copied = Self { path: git_dir.join(format!("{PREFIX}{}-{number}", own_pid())) };
        let index = git_dir.join("index");
        // The copy spares git reading every file again: their times are in the index. So is the
        // time of the index itself: a file changed in the same instant is read again for it.
        match fs_err::copy(&index, &copied.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(copied),
            done => done?,
        };
        let written = fs_err::metadata(&index)?.modified()?;
        let file = fs_err::OpenOptions::new().append(true).open(&copied.path)?;
        file.set_modified(written)?;
        Ok(copied)
    }
}

/// The names of copies: this, the process, a number.
const PREFIX: &str = "ralph-index-";

/// Removes copies of processes that are gone.
fn sweep(git_dir: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(git_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let Some(Ok(pid)) = owner.map(str::parse) else { continue };
        if identity_of(pid).is_none() {
            drop(fs_err::remove_file(entry.path()));
        }
    }
    Ok(())
}

impl Drop for TemporaryIndex {
    fn drop(&mut self) {
        // Not there when git had nothing to write, or was never made.
        drop(fs_err::remove_file(&self.path));
    }
}
