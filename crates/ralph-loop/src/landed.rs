//! Tasks that the queue has open though a commit of the branch has landed them.
//!
//! A queue file that is older than the landing does that: an editor that saves late, a backup, a
//! checkout of one file. What was opened again on purpose has been changed since.

use std::collections::{BTreeMap, BTreeSet};

use ralph_config::QueueConfig;
use ralph_git::{GitError, Repo, Sha};
use ralph_queue::{Place, Queue, Task};
use ralph_state::{TaskId, Timestamp};

use crate::books::{self, Entered};
use crate::landing::{self, TASK_TRAILER};

/// A commit that says that it landed a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Landing {
    /// The commit.
    pub commit: Sha,
    /// When its work was done; to the second, as git keeps it.
    pub when: Timestamp,
    /// The first line of its message.
    pub subject: String,
}

/// Whether `landing`, whose queue files say `entered` of the task, landed `task` as it is now, with
/// nothing asked of it since.
///
/// What cannot be told is no: doing a task twice is seen, one that is left out is not.
pub fn has_landed(task: &Task, landing: &Landing, entered: &Entered) -> bool {
    let time = |text: Option<&String>| text.and_then(|text| text.parse::<Timestamp>().ok());
    let Some(changed) = time(task.updated_at.as_ref()) else { return false };
    // An open task that has an end was opened by hand, which leaves the times as they were.
    if task.status.is_terminal() || task.completed_at.is_some() {
        return false;
    }
    match entered {
        Entered::Finished(finished) => {
            let ended = time(finished.updated_at.as_ref()).unwrap_or(landing.when);
            finished.is_version_of(task) && changed < ended
        }
        Entered::Unfinished => false,
        Entered::Nothing => landing.subject == landing::subject(task) && changed < landing.when,
    }
}

/// The landings of a branch, as they were when it was looked at.
#[derive(Debug)]
pub struct Landings<'a> {
    repo: &'a Repo,
    config: &'a QueueConfig,
    tip: Option<Sha>,
    /// The newest of each task, by id.
    found: BTreeMap<String, Landing>,
    /// What the queue files of a landing say, of those that were asked for.
    entered: BTreeMap<String, Entered>,
    /// Commits that were taken back, once that was asked for.
    reverted: Option<BTreeSet<Sha>>,
}

impl<'a> Landings<'a> {
    /// Every landing up to `tip`.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn all(
        repo: &'a Repo,
        config: &'a QueueConfig,
        tip: Option<Sha>,
    ) -> Result<Self, GitError> {
        Self::read(repo, config, tip, None)
    }

    /// The landings up to `tip` that may concern `queue` as it is: less to read than all.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn for_queue(
        repo: &'a Repo,
        config: &'a QueueConfig,
        tip: Option<Sha>,
        queue: &Queue,
    ) -> Result<Self, GitError> {
        let open = queue.list(Place::Queue).filter(|task| !task.status().is_terminal());
        let changed = open.filter_map(|task| task.updated_at()?.parse::<Timestamp>().ok());
        match changed.min() {
            // Nothing is open of which can be told when it was changed.
            None => Self::read(repo, config, None, None),
            Some(oldest) => {
                let seconds = oldest.as_unix_nanos().div_euclid(1_000_000_000);
                Self::read(repo, config, tip, i64::try_from(seconds).ok())
            }
        }
    }

    fn read(
        repo: &'a Repo,
        config: &'a QueueConfig,
        tip: Option<Sha>,
        since: Option<i64>,
    ) -> Result<Self, GitError> {
        let mut found = BTreeMap::new();
        let trailed = match &tip {
            Some(tip) => repo.trailed(tip.as_str(), TASK_TRAILER, since)?,
            None => Vec::new(),
        };
        for commit in trailed {
            let when = Timestamp::from_unix_nanos(i128::from(commit.authored) * 1_000_000_000);
            let Some(when) = when else { continue };
            let landing = Landing { commit: commit.sha, when, subject: commit.subject };
            for task in commit.values {
                found.entry(task).or_insert_with(|| landing.clone());
            }
        }
        Ok(Self { repo, config, tip, found, entered: BTreeMap::new(), reverted: None })
    }

    /// The tasks that `queue` has open and that have landed, each with its commit.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn among(&mut self, queue: &Queue) -> Result<BTreeMap<TaskId, Sha>, GitError> {
        let mut landed = BTreeMap::new();
        if self.found.is_empty() {
            return Ok(landed);
        }
        for listed in queue.list(Place::Queue).filter(|listed| !listed.status().is_terminal()) {
            let Some(landing) = self.found.get(listed.id()) else { continue };
            let task = listed.task();
            if !self.entered.contains_key(listed.id()) {
                let entered = books::entered(self.repo, self.config, &landing.commit, &task.id)?;
                self.entered.insert(listed.id().to_owned(), entered);
            }
            if !has_landed(task, landing, &self.entered[listed.id()]) {
                continue;
            }
            if self.reverted.is_none() {
                let tip = self.tip.as_ref().map(|tip| self.repo.reverted(tip.as_str()));
                self.reverted = Some(tip.transpose()?.unwrap_or_default());
            }
            let is_reverted =
                self.reverted.as_ref().is_some_and(|reverted| reverted.contains(&landing.commit));
            if !is_reverted {
                landed.insert(task.id.clone(), landing.commit.clone());
            }
        }
        Ok(landed)
    }
}

#[cfg(test)]
mod tests {
    use ralph_queue::{Document, Status};

    use super::*;

    fn task(text: &str) -> Task {
        let text = format!(r#"{{"version":1,"tasks":[{{"id":"RQ-1",{text}}}]}}"#);
        Document::parse(text).expect("a queue").tasks()[0].clone()
    }

    fn landing() -> Landing {
        Landing {
            commit: "d".repeat(40).parse().expect("a commit"),
            when: "2026-01-15T00:00:05Z".parse().expect("a time"),
            subject: "RQ-1: a".to_owned(),
        }
    }

    const MADE: &str = r#""created_at":"2026-01-01T00:00:00Z""#;

    fn open(title: &str, updated_at: &str) -> Task {
        task(&format!(r#""title":"{title}","status":"todo",{MADE},"updated_at":"{updated_at}""#))
    }

    #[test]
    fn what_was_not_changed_since_its_end_has_landed() {
        let finished = task(&format!(
            r#""title":"a","status":"done",{MADE},"updated_at":"2026-01-15T00:00:04.5Z""#
        ));
        let in_books = Entered::Finished(Box::new(finished));
        let cases = [
            (open("a", "2026-01-01T00:00:00Z"), true, true),
            (open("a", "2026-01-15T00:00:04.4Z"), true, true),
            // Opened by hand.
            (
                task(&format!(
                    r#""title":"a","status":"todo",{MADE},"updated_at":"2026-01-15T00:00:04Z","completed_at":"2026-01-15T00:00:04Z""#
                )),
                false,
                false,
            ),
            // Opened again, in the second in which it landed.
            (open("a", "2026-01-15T00:00:04.6Z"), false, true),
            (open("a", "2026-01-15T00:00:05.1Z"), false, false),
            (open("another", "2026-01-01T00:00:00Z"), false, false),
            (open("a", "some day"), false, false),
            (task(&format!(r#""title":"a","status":"todo",{MADE}"#)), false, false),
        ];
        for (task, with_books, without) in cases {
            assert_eq!(has_landed(&task, &landing(), &in_books), with_books, "{task:?}");
            assert_eq!(has_landed(&task, &landing(), &Entered::Nothing), without, "{task:?}");
            assert!(!has_landed(&task, &landing(), &Entered::Unfinished), "{task:?}");
        }
    }

    #[test]
    fn another_task_of_the_same_id_has_not_landed() {
        let finished = task(
            r#""title":"a","status":"done","created_at":"2025-12-01T00:00:00Z","updated_at":"2026-01-15T00:00:00Z""#,
        );
        let task = open("a", "2026-01-01T00:00:00Z");
        assert!(!has_landed(&task, &landing(), &Entered::Finished(Box::new(finished))));
        let done = Task { status: Status::Done, ..task };
        assert!(!has_landed(&done, &landing(), &Entered::Nothing));
    }
}
