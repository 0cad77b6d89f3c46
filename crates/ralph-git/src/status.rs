//! What differs between the work tree and the last commit.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::command::{Call, path_bytes, path_from, records};
use crate::{GitError, Repo, common_dir};

/// One path that differs from the last commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Relative to the root of the work tree.
    pub path: PathBuf,
    /// How it differs.
    pub kind: ChangeKind,
}

/// How a path differs from the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Other content, mode or type.
    Modified,
    /// New and staged.
    Added,
    /// Gone. Also where a [`ChangeKind::Renamed`] came from.
    Deleted,
    /// Moved here.
    Renamed,
    /// New and not staged.
    Untracked,
    /// A new repository inside this one, which git would not look into.
    Repository,
    /// In conflict.
    Unmerged,
}

impl Repo {
    /// All that differs from the last commit, untracked files one by one, ignored ones not. Of a
    /// submodule only which commit it is at, and nothing of another work tree of this repository.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn changes(&self) -> Result<Vec<Change>, GitError> {
        let mut changes = self.status("--ignore-submodules=dirty")?;
        changes.retain(|change| !self.is_work_tree(change));
        Ok(changes)
    }

    /// The repositories inside this one that are new, and the other work trees of this one there.
    pub(crate) fn inner(&self) -> Result<(Vec<PathBuf>, Vec<PathBuf>), GitError> {
        let mut changes = self.status("--ignore-submodules=dirty")?;
        changes.retain(|change| change.kind == ChangeKind::Repository);
        let (work_trees, repositories): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| self.is_work_tree(change));
        let paths = |changes: Vec<Change>| changes.into_iter().map(|change| change.path).collect();
        Ok((paths(repositories), paths(work_trees)))
    }

    /// Whether it is another work tree of this repository: what is in there is on a branch of its
    /// own, and no content of this one.
    fn is_work_tree(&self, change: &Change) -> bool {
        let common = || common_dir(&self.root().join(&change.path));
        change.kind == ChangeKind::Repository
            && common().is_some_and(|common| {
                fs_err::canonicalize(self.common_dir()).is_ok_and(|own| own == common)
            })
    }

    /// As [`Repo::changes`], with a submodule that has changes of its own.
    pub(crate) fn changes_and_submodules(&self) -> Result<Vec<Change>, GitError> {
        self.status("--ignore-submodules=none")
    }

    fn status(&self, submodules: &str) -> Result<Vec<Change>, GitError> {
        let answer = self.run(
            Call::new(["status", "--porcelain=v2", "-z", "--untracked-files=all"])
                .args(["--find-renames", submodules])
                .long(),
        )?;
        parse_status(&answer.stdout).ok_or_else(|| answer.unreadable())
    }

    /// Renames a tracked file, in the work tree and in the index; its changes go with it. Both
    /// paths are relative to the root.
    ///
    /// # Errors
    /// When the new name is taken, or git gives no answer.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<(), GitError> {
        self.run(Call::new(["mv", "--"]).arg(from).arg(to))?;
        Ok(())
    }

    /// Whether git tracks `path` (relative to the root) or something below it.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn is_tracked(&self, path: &Path) -> Result<bool, GitError> {
        let answer = self.run(Call::new(["ls-files", "-z", "--"]).arg(literal("", path)))?;
        Ok(!answer.stdout.is_empty())
    }

    /// Whether git ignores `path` (relative to the root); a tracked file is never ignored. Ask
    /// for a file inside a directory that is yet to be made: a pattern for directories does not
    /// match what is not there.
    ///
    /// # Errors
    /// When the path is outside the repository, or git gives no answer.
    pub fn is_ignored(&self, path: &Path) -> Result<bool, GitError> {
        let answer =
            self.ask(Call::new(["check-ignore", "--stdin", "-z"]).stdin(path_bytes(path)))?;
        match answer.exit {
            ralph_process::Exit::Code(0) => Ok(true),
            ralph_process::Exit::Code(1) => Ok(false),
            _ => Err(answer.failed()),
        }
    }

    /// The ignored files named `.env` or `.env.*`, relative to the root; those in directories
    /// that are ignored as a whole are not looked for.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn ignored_env_files(&self) -> Result<Vec<PathBuf>, GitError> {
        let answer = self.run(Call::new([
            "ls-files",
            "-z",
            "--others",
            "--ignored",
            "--exclude-standard",
            "--directory",
        ]))?;
        let is_env = |path: &&[u8]| {
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            name == b".env" || name.starts_with(b".env.")
        };
        Ok(records(&answer.stdout).filter(is_env).map(path_from).collect())
    }
}

/// A pathspec that means exactly `path`, with more `magic` (`,exclude`).
pub(crate) fn literal(magic: &str, path: &Path) -> OsString {
    let mut spec = OsString::from(format!(":(top,literal{magic})"));
    spec.push(path);
    spec
}

fn parse_status(output: &[u8]) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    let mut records = records(output);
    while let Some(record) = records.next() {
        let mut add = |path: &[u8], kind| changes.push(Change { path: path_from(path), kind });
        // The path is what follows this many fields; it may have spaces.
        let path_after =
            |fields: usize| record.splitn(fields + 1, |byte| *byte == b' ').nth(fields);
        let (index, files) = (record.get(2), record.get(3));
        match record.first()? {
            b'#' | b'!' => {}
            b'1' => add(
                path_after(8)?,
                match (index?, files?) {
                    (_, b'D') | (b'D', _) => ChangeKind::Deleted,
                    (b'A', _) | (_, b'A') => ChangeKind::Added,
                    _ => ChangeKind::Modified,
                },
            ),
            b'2' => {
                let from = records.next()?;
                let is_copy = *index? == b'C' || *files? == b'C';
                add(path_after(9)?, if is_copy { ChangeKind::Added } else { ChangeKind::Renamed });
                if !is_copy {
                    add(from, ChangeKind::Deleted);
                }
            }
            b'u' => add(path_after(10)?, ChangeKind::Unmerged),
            b'?' => {
                let path = path_after(1)?;
                match path.strip_suffix(b"/") {
                    Some(dir) => add(dir, ChangeKind::Repository),
                    None => add(path, ChangeKind::Untracked),
                }
            }
            _ => return None,
        }
    }
    Some(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(output: &str, expected: &[(&str, ChangeKind)]) {
        let expected: Vec<Change> = expected
            .iter()
            .map(|(path, kind)| Change { path: PathBuf::from(path), kind: *kind })
            .collect();
        assert_eq!(parse_status(output.as_bytes()), Some(expected), "{output:?}");
    }

    #[test]
    fn every_kind_of_record() {
        let hashes = "100644 100644 100644 1111 2222";
        check("", &[]);
        check("# branch.oid 1111\0# stash 1\0", &[]);
        check(&format!("1 .M N... {hashes} a b\0"), &[("a b", ChangeKind::Modified)]);
        check(&format!("1 A. N... {hashes} a\0"), &[("a", ChangeKind::Added)]);
        check(&format!("1 .A N... {hashes} a\0"), &[("a", ChangeKind::Added)]);
        check(&format!("1 AD N... {hashes} a\0"), &[("a", ChangeKind::Deleted)]);
        check(&format!("1 D. N... {hashes} a\0"), &[("a", ChangeKind::Deleted)]);
        check(&format!("1 .T N... {hashes} a\0"), &[("a", ChangeKind::Modified)]);
        check(
            &format!("2 R. N... {hashes} R100 to here\0from there\0? u\0"),
            &[
                ("to here", ChangeKind::Renamed),
                ("from there", ChangeKind::Deleted),
                ("u", ChangeKind::Untracked),
            ],
        );
        check(&format!("2 C. N... {hashes} C75 to\0from\0"), &[("to", ChangeKind::Added)]);
        check(
            "u UU N... 100644 100644 100644 100644 1 2 3 a b\0",
            &[("a b", ChangeKind::Unmerged)],
        );
        check(
            "? new file\n\0? dir/\0! ignored\0",
            &[("new file\n", ChangeKind::Untracked), ("dir", ChangeKind::Repository)],
        );
    }

    #[test]
    fn what_is_not_understood_is_not_guessed() {
        for bad in ["x y\0", "1 .M N...\0", "2 R. N... 1 1 1 1 1 R1 to\0", "1\0"] {
            assert_eq!(parse_status(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
