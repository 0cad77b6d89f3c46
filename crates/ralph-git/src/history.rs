//! Commits: their messages, trailers and size.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ralph_process::Exit;

use crate::command::{Call, path_from, records};
use crate::{GitError, Repo, Sha};

/// One commit for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its name.
    pub sha: Sha,
    /// The first line of its message.
    pub subject: String,
}

/// A commit with the values of one trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailed {
    /// Its name.
    pub sha: Sha,
    /// When its change was made, in seconds since 1970. Whoever rebases or amends the commit leaves
    /// that as it is.
    pub authored: i64,
    /// The first line of its message.
    pub subject: String,
    /// What the trailer says in it; at least once.
    pub values: Vec<String>,
}

/// How much two trees differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffStat {
    /// Files that differ; one that moved counts twice.
    pub files: usize,
    /// Lines added; binary files count none.
    pub insertions: usize,
    /// Lines removed.
    pub deletions: usize,
}

impl Repo {
    /// What `commit`, or every commit after `since` up to it, changed: a patch after each message.
    ///
    /// # Errors
    /// When there is no such commit, or git gives no answer.
    pub fn patch_of(&self, since: Option<&Sha>, commit: &Sha) -> Result<String, GitError> {
        let range = since.map_or_else(|| commit.to_string(), |since| format!("{since}..{commit}"));
        let call = Call::new(["show", "--patch", "--stat", "--format=%B", &range, "--"]);
        Ok(self.run(call)?.text())
    }

    /// What git may make of three versions of a file (revisions with `path`, relative to the root),
    /// conflict markers and all: one text for each way in which it compares lines, none where it is
    /// too old to tell without writing (before 2.43) or where a version is missing.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn merges_of(
        &self,
        [ours, base, theirs]: [&str; 3],
        path: &Path,
    ) -> Result<Vec<Vec<u8>>, GitError> {
        let version = |rev: &str| {
            let mut version = OsString::from(format!("{rev}:"));
            version.push(path);
            version
        };
        let versions = [ours, base, theirs].map(version);
        let mut merges = Vec::new();
        // As `git merge` compares, and as `git merge-file` does.
        for way in [&["--diff-algorithm=histogram"][..], &[]] {
            let call = Call::new(["merge-file", "-p", "--quiet", "--object-id"]);
            let answer = self.ask(call.args(way).args(&versions))?;
            // The number of conflicts, as far as it goes.
            if matches!(answer.exit, Exit::Code(0..=127)) {
                merges.push(answer.stdout);
            }
        }
        Ok(merges)
    }

    /// What git makes of three versions of a file, by lines; `None` where that has conflicts.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn merge_files(
        &self,
        [ours, base, theirs]: [&Path; 3],
    ) -> Result<Option<Vec<u8>>, GitError> {
        let call = Call::new(["merge-file", "-p", "--quiet"]);
        let answer = self.ask(call.args([ours, base, theirs]))?;
        Ok(answer.success().then_some(answer.stdout))
    }

    /// The newest merges before `rev`, itself included, at most `count`, the newest first.
    ///
    /// # Errors
    /// When there is no such commit, or git gives no answer.
    pub fn newest_merges(&self, rev: &str, count: usize) -> Result<Vec<Sha>, GitError> {
        let call = Call::new(["rev-list", "--merges"]).arg(format!("--max-count={count}"));
        let answer = self.run(call.args(["--end-of-options", rev, "--"]))?;
        let shas: Result<_, _> = answer.text().lines().map(str::parse).collect();
        shas.map_err(|_| answer.unreadable())
    }

    /// The whole message of the commit `rev` names.
    ///
    /// # Errors
    /// When it names none, or git gives no answer.
    pub fn message_of(&self, rev: &str) -> Result<String, GitError> {
        let call = Call::new(["show", "--no-patch", "--format=%B", "--end-of-options", rev, "--"]);
        Ok(self.run(call)?.text())
    }

    /// The newest commits of `range` (a revision or `a..b`), at most `count`, newest first.
    ///
    /// # Errors
    /// When `range` names no commit, or git gives no answer.
    pub fn log_lines(&self, range: &str, count: usize) -> Result<Vec<LogLine>, GitError> {
        let answer = self.run(
            Call::new(["log", "-z", "--format=%H %s"])
                .arg(format!("--max-count={count}"))
                .arg("--end-of-options")
                .arg(range)
                .arg("--"),
        )?;
        let parse = |record: &[u8]| {
            let text = String::from_utf8_lossy(record);
            let (sha, subject) = text.split_once(' ')?;
            Some(LogLine { sha: sha.parse().ok()?, subject: subject.to_owned() })
        };
        let lines: Option<_> = records(&answer.stdout).map(parse).collect();
        lines.ok_or_else(|| answer.unreadable())
    }

    /// When the commit was made, in seconds since 1970.
    ///
    /// # Errors
    /// When there is no such commit, or git gives no answer.
    pub fn commit_time(&self, commit: &Sha) -> Result<i64, GitError> {
        let call = Call::new(["show", "--no-patch", "--format=%ct", "--end-of-options"]);
        let answer = self.run(call.arg(commit.as_str()).arg("--"))?;
        answer.text().trim().parse().map_err(|_| answer.unreadable())
    }

    /// The commits that the ref `name` has pointed to, the newest first, as far as git remembers.
    ///
    /// # Errors
    /// When there is no such ref, or git gives no answer.
    pub fn reflog(&self, name: &str) -> Result<Vec<Sha>, GitError> {
        let answer = self.run(Call::new(["rev-list", "--walk-reflogs", name, "--"]))?;
        let shas: Result<_, _> = answer.text().lines().map(str::parse).collect();
        shas.map_err(|_| answer.unreadable())
    }

    /// The commits of `tip` that are not in `base`, oldest first.
    ///
    /// # Errors
    /// When a commit is missing, or git gives no answer.
    pub fn commits_since(&self, base: &Sha, tip: &Sha) -> Result<Vec<Sha>, GitError> {
        let answer = self.run(
            Call::new(["rev-list", "--reverse", "--topo-order"]).arg(format!("{base}..{tip}")),
        )?;
        let shas: Result<_, _> = answer.text().lines().map(str::parse).collect();
        shas.map_err(|_| answer.unreadable())
    }

    /// How much `to` (a commit or tree) differs from `from`.
    ///
    /// # Errors
    /// When one is missing, or git gives no answer.
    pub fn diff_stat(&self, from: &Sha, to: &Sha) -> Result<DiffStat, GitError> {
        let options = [
            "diff-tree",
            "-r",
            "-z",
            "--numstat",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
        ];
        let answer = self.run(Call::new(options).arg(from.as_str()).arg(to.as_str()))?;
        parse_numstat(&answer.stdout).ok_or_else(|| answer.unreadable())
    }

    /// The paths, relative to the root, that differ between two commits or trees; of a file
    /// that moved, both.
    ///
    /// # Errors
    /// When one is missing, or git gives no answer.
    pub fn changed_paths(&self, from: &Sha, to: &Sha) -> Result<Vec<PathBuf>, GitError> {
        let call = Call::new(["diff-tree", "-r", "-z", "--name-only", "--no-renames"]);
        let answer = self.run(call.args([from.as_str(), to.as_str()]))?;
        Ok(records(&answer.stdout).map(path_from).collect())
    }

    /// The newest commit of `range` with the trailer `key: value`.
    ///
    /// # Errors
    /// When `range` names no commit, or git gives no answer.
    pub fn find_trailer(
        &self,
        range: &str,
        key: &str,
        value: &str,
    ) -> Result<Option<Sha>, GitError> {
        let found = self.trailers_like(range, key, &format!("{key}: {value}"))?;
        Ok(found.into_iter().find(|(_, has)| has == value).map(|(sha, _)| sha))
    }

    /// Every trailer `key` of `range` with its commit, newest commit first.
    ///
    /// # Errors
    /// When `range` names no commit, or git gives no answer.
    pub fn trailers(&self, range: &str, key: &str) -> Result<Vec<(Sha, String)>, GitError> {
        self.trailers_like(range, key, &format!("{key}:"))
    }

    /// The commits up to `tip` that have the trailer `key`, newest first; with `since` (in seconds
    /// since 1970), none that was committed before.
    ///
    /// # Errors
    /// When `tip` names no commit, or git gives no answer.
    pub fn trailed(
        &self,
        tip: &str,
        key: &str,
        since: Option<i64>,
    ) -> Result<Vec<Trailed>, GitError> {
        let answer = self.run(
            Call::new(["log", "-z", "--fixed-strings", "--regexp-ignore-case"])
                .args(since.map(|since| format!("--since=@{since}")))
                .arg(format!("--grep={key}:"))
                .arg(format!(
                    "--format=%H%x1f%at%x1f%(trailers:key={key},valueonly,unfold,separator=%x1e)%x1f%s"
                ))
                .arg("--end-of-options")
                .arg(tip)
                .arg("--"),
        )?;
        parse_trailed(&answer.stdout).ok_or_else(|| answer.unreadable())
    }

    /// The commits that others up to `tip` say to take back, as `git revert` has it say.
    ///
    /// # Errors
    /// When `tip` names no commit, or git gives no answer.
    pub fn reverted(&self, tip: &str) -> Result<BTreeSet<Sha>, GitError> {
        let answer = self.run(
            Call::new(["log", "-z", "--fixed-strings", "--format=%b"])
                .arg(format!("--grep={REVERTS}"))
                .arg("--end-of-options")
                .arg(tip)
                .arg("--"),
        )?;
        Ok(parse_reverted(&answer.text()))
    }

    /// The trailers `key` of the commits with `text` in their message: a quick filter, because
    /// taking every message of a long history apart is slow.
    fn trailers_like(
        &self,
        range: &str,
        key: &str,
        text: &str,
    ) -> Result<Vec<(Sha, String)>, GitError> {
        let answer = self.run(
            Call::new(["log", "-z", "--fixed-strings", "--regexp-ignore-case"])
                .arg(format!("--grep={text}"))
                .arg(format!(
                    "--format=%H%x1f%(trailers:key={key},valueonly,unfold,separator=%x1f)"
                ))
                .arg("--end-of-options")
                .arg(range)
                .arg("--"),
        )?;
        parse_trailers(&answer.stdout).ok_or_else(|| answer.unreadable())
    }
}

/// What `git revert` writes before the name of the commit.
const REVERTS: &str = "This reverts commit ";

fn parse_reverted(text: &str) -> BTreeSet<Sha> {
    let named = text.split(REVERTS).skip(1);
    let name = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    };
    named.filter_map(name).collect()
}

fn parse_numstat(output: &[u8]) -> Option<DiffStat> {
    let mut stat = DiffStat::default();
    for record in records(output) {
        let mut fields = record.split(|byte| *byte == b'\t');
        let mut count = || {
            let text = std::str::from_utf8(fields.next()?).ok()?;
            if text == "-" { Some(0) } else { text.parse::<usize>().ok() }
        };
        stat.insertions += count()?;
        stat.deletions += count()?;
        stat.files += 1;
    }
    Some(stat)
}

fn parse_trailed(output: &[u8]) -> Option<Vec<Trailed>> {
    let mut found = Vec::new();
    for record in records(output) {
        let text = String::from_utf8_lossy(record);
        let mut fields = text.splitn(4, '\x1f');
        let sha = fields.next()?.parse().ok()?;
        let authored = fields.next()?.parse().ok()?;
        let values = fields.next()?.split('\x1e').map(str::trim).filter(|value| !value.is_empty());
        let values: Vec<String> = values.map(str::to_owned).collect();
        let subject = fields.next()?.to_owned();
        // The text may stand in a message without being a trailer.
        if !values.is_empty() {
            found.push(Trailed { sha, authored, subject, values });
        }
    }
    Some(found)
}

fn parse_trailers(output: &[u8]) -> Option<Vec<(Sha, String)>> {
    let mut found = Vec::new();
    for record in records(output) {
        let text = String::from_utf8_lossy(record);
        let mut fields = text.split('\x1f');
        let sha: Sha = fields.next()?.parse().ok()?;
        let values = fields.map(str::trim).filter(|value| !value.is_empty());
        found.extend(values.map(|value| (sha.clone(), value.to_owned())));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_lines() {
        let output = b"3\t1\ta b\0-\t-\timage.png\0 0\t7\tx\0";
        assert_eq!(parse_numstat(output), None, "a stray space is no number");
        let output = b"3\t1\ta b\0-\t-\timage.png\x000\t7\tx\0";
        let stat = DiffStat { files: 3, insertions: 3, deletions: 8 };
        assert_eq!(parse_numstat(output), Some(stat));
        assert_eq!(parse_numstat(b""), Some(DiffStat::default()));
    }

    #[test]
    fn trailers_of_several_commits() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let output = format!("{one}\x1fT-1\x1fT-2 \0{two}\x1f\0");
        let one: Sha = one.parse().unwrap();
        let expected = vec![(one.clone(), "T-1".to_owned()), (one, "T-2".to_owned())];
        assert_eq!(parse_trailers(output.as_bytes()), Some(expected));
        assert_eq!(parse_trailers(b"no sha"), None);
    }

    #[test]
    fn commits_with_a_trailer_and_what_they_say() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let output =
            format!("{one}\x1f1700000000\x1fT-1\x1eT-2 \x1fT-1: a\x1fb\0{two}\x1f-5\x1f\x1fnone\0");
        let one = Trailed {
            sha: one.parse().unwrap(),
            authored: 1_700_000_000,
            subject: "T-1: a\x1fb".to_owned(),
            values: vec!["T-1".to_owned(), "T-2".to_owned()],
        };
        assert_eq!(parse_trailed(output.as_bytes()), Some(vec![one]));
        assert_eq!(parse_trailed(b"no sha"), None);
    }

    #[test]
    fn commits_that_were_taken_back() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let text =
            format!("This reverts commit {one}.\n\0why\nThis reverts commit {two}, reversing");
        let expected = BTreeSet::from([one.parse().unwrap(), two.parse().unwrap()]);
        assert_eq!(parse_reverted(&text), expected);
        assert_eq!(
            parse_reverted("This reverts commit é and This reverts commit "),
            BTreeSet::new()
        );
    }
}
