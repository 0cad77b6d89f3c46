//! What versions 1 and 2 knew about work under way.

use std::path::PathBuf;

use crate::document::MigrationReport;
use crate::json::Object;
use crate::{Timestamp, WorkerRecord};

/// A record of an older version that version 3 has no place for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LegacyWork {
    /// The task.
    pub task_id: String,
    /// Where the work is, if the record says so.
    pub workspace_path: Option<PathBuf>,
    /// The branch the work is on, if the record says so.
    pub branch: Option<String>,
    /// What the record is.
    pub kind: LegacyKind,
    /// The record as it stands in the file.
    pub record: Object,
}

/// What an older record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyKind {
    /// A worker that was running.
    InFlight {
        /// Its process, if it was known.
        pid: Option<u32>,
        /// When it started.
        started_at: Option<String>,
    },
    /// A pull request.
    PullRequest {
        /// Its number.
        number: Option<u64>,
        /// Where to see it.
        url: Option<String>,
        /// What became of it.
        state: PullRequestState,
        /// Why it was not merged.
        blocker: Option<String>,
    },
    /// A worker that ended without a pull request.
    FinishedWithoutPr {
        /// Whether it ended well.
        success: bool,
        /// When.
        finished_at: Option<String>,
        /// Why there is no pull request.
        reason: Option<String>,
        /// More about that.
        message: Option<String>,
    },
    /// A merge that was to be done.
    PendingMerge {
        /// The pull request.
        number: Option<u64>,
        /// How far it was.
        state: MergeJobState,
        /// How often it was tried.
        attempts: u32,
        /// Why it failed.
        last_error: Option<String>,
    },
    /// A worker in a file that says to be older than workers are.
    Worker,
}

/// What became of a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PullRequestState {
    Open,
    Closed,
    Merged,
}

/// How far a merge was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum MergeJobState {
    Queued,
    InProgress,
    RetryableFailed,
    TerminalFailed,
}

/// Every record that an upgrade of the parallel state had to leave out.
pub fn legacy_work(report: &MigrationReport) -> Vec<LegacyWork> {
    let _ = report;
    todo!()
}

/// Worker records that keep older work reachable.
pub fn adopt_legacy(work: &[LegacyWork], now: Timestamp) -> Vec<WorkerRecord> {
    let _ = (work, now);
    todo!()
}
