//! Moving a workspace's commits onto another commit.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ralph_process::Exit;

use crate::command::{Answer, Call, path_from, records};
use crate::{GitError, Repo, Sha, Workspace};

/// What became of a rebase.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it may have stopped at a conflict"]
pub enum Rebase {
    /// Done. Commits that change nothing any more are gone, so the tip may be `onto` itself.
    Clean {
        /// The new tip.
        head: Sha,
    },
    /// Stopped: the work tree has the files with conflict markers. Next is
    /// [`Workspace::continue_rebase`] or [`Workspace::abort_rebase`].
    Conflict {
        /// The files in conflict.
        files: Vec<ConflictFile>,
    },
}

/// A file in conflict, with its three versions as blobs (see [`crate::Repo::blob`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictFile {
    /// Relative to the root of the work tree.
    pub path: PathBuf,
    /// What both started from; `None` when it was not there.
    pub base: Option<Sha>,
    /// The version of what is rebased onto: the target's. (Git, too, calls it "ours" then.)
    pub ours: Option<Sha>,
    /// The version of the commit that is moved: the task's.
    pub theirs: Option<Sha>,
}

/// Those of `files` (relative to `root`) that still have conflict markers. A file that is gone
/// has none.
///
/// # Errors
/// When a file cannot be read.
pub fn conflict_markers(root: &Path, files: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut marked = Vec::new();
    for file in files {
        match fs_err::read(root.join(file)) {
            Ok(content) if has_markers(&content) => marked.push(file.clone()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
            Err(error) => return Err(error),
        }
    }
    Ok(marked)
}

fn has_markers(content: &[u8]) -> bool {
    content
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(b"<<<<<<< ") || line.starts_with(b">>>>>>> "))
}

impl Repo {
    /// Whether a rebase has stopped and waits.
    pub fn rebase_in_progress(&self) -> bool {
        ["rebase-merge", "rebase-apply"].iter().any(|dir| self.git_dir().join(dir).is_dir())
    }

    /// The files in conflict now.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn conflicts(&self) -> Result<Vec<ConflictFile>, GitError> {
        let answer = self.run(Call::new(["ls-files", "--unmerged", "-z"]))?;
        parse_unmerged(&answer.stdout).ok_or_else(|| answer.unreadable())
    }
}

impl Workspace {
    /// Moves the commits after `from_base` onto `onto`. Everything has to be committed.
    ///
    /// # Errors
    /// When the work tree is dirty or git fails otherwise; a rebase it had begun is aborted.
    pub fn rebase(&self, onto: &Sha, from_base: &Sha) -> Result<Rebase, GitError> {
        let rebase = ["rebase", "--merge", "--empty=drop", "--no-fork-point", "--no-verify"];
        let call = Call::new(rebase)
            .arg("--no-rebase-merges")
            .arg("--onto")
            .arg(onto.as_str())
            .arg(from_base.as_str());
        self.outcome(self.ask(call.long())?)
    }

    /// Takes the work tree as the resolution of the conflict and goes on. Without a rebase in
    /// progress (an agent may have finished or aborted it) the head is what it is: look whether
    /// it is where it should be.
    ///
    /// # Errors
    /// When git fails; the rebase is aborted then.
    pub fn continue_rebase(&self) -> Result<Rebase, GitError> {
        if self.rebase_in_progress() {
            if let Err(error) = self.add_work(&[], |call| call) {
                self.abort_rebase()?;
                return Err(error);
            }
            return self.outcome(self.ask(Call::new(["rebase", "--continue"]).long())?);
        }
        self.run_for_sha(Call::new(["rev-parse", "HEAD"])).map(|head| Rebase::Clean { head })
    }

    /// Goes back to before the rebase; nothing happens without one.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn abort_rebase(&self) -> Result<(), GitError> {
        if self.rebase_in_progress() {
            self.run(Call::new(["rebase", "--abort"]).long())?;
        }
        Ok(())
    }

    fn outcome(&self, answer: Answer) -> Result<Rebase, GitError> {
        if answer.success() && !self.rebase_in_progress() {
            let head = self.run_for_sha(Call::new(["rev-parse", "HEAD"]))?;
            return Ok(Rebase::Clean { head });
        }
        let files = self.conflicts()?;
        if matches!(answer.exit, Exit::Code(_)) && !files.is_empty() {
            return Ok(Rebase::Conflict { files });
        }
        self.abort_rebase()?;
        Err(answer.failed())
    }
}

/// Lines `mode sha stage\tpath`, one for each version there is.
fn parse_unmerged(output: &[u8]) -> Option<Vec<ConflictFile>> {
    let mut files: BTreeMap<PathBuf, [Option<Sha>; 3]> = BTreeMap::new();
    for record in records(output) {
        let tab = record.iter().position(|byte| *byte == b'\t')?;
        let fields: Vec<&str> = std::str::from_utf8(&record[..tab]).ok()?.split(' ').collect();
        let &[_mode, sha, stage] = fields.as_slice() else { return None };
        let stage: usize = stage.parse().ok()?;
        let versions = files.entry(path_from(&record[tab + 1..])).or_default();
        *versions.get_mut(stage.checked_sub(1)?)? = Some(sha.parse().ok()?);
    }
    let files = files.into_iter();
    Some(
        files
            .map(|(path, [base, ours, theirs])| ConflictFile { path, base, ours, theirs })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_a_file() {
        let sha = |digit: &str| -> Sha { digit.repeat(40).parse().unwrap() };
        let (one, two, three) = (sha("1"), sha("2"), sha("3"));
        let output = format!(
            "100644 {one} 1\ta b\0100644 {two} 2\ta b\0100644 {three} 3\ta b\0100755 {two} 2\tnew\0"
        );
        let both = ConflictFile {
            path: "a b".into(),
            base: Some(one),
            ours: Some(two.clone()),
            theirs: Some(three),
        };
        let new = ConflictFile { path: "new".into(), base: None, ours: Some(two), theirs: None };
        assert_eq!(parse_unmerged(output.as_bytes()), Some(vec![both, new]));
        assert_eq!(parse_unmerged(b""), Some(Vec::new()));
        for bad in ["100644 1 1\ta\0", "100644\ta\0", "no tab\0"] {
            assert_eq!(parse_unmerged(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn markers_stand_at_the_beginning_of_a_line() {
        assert!(has_markers(b"a\n<<<<<<< HEAD\nb\n"));
        assert!(has_markers(b"b\r\n>>>>>>> 1234 (subject)\r\n"));
        assert!(!has_markers(b"a heading\n=======\n"));
        assert!(!has_markers(b" <<<<<<< quoted\n<<<<<<<no space\n"));
        assert!(!has_markers(b""));
    }
}
