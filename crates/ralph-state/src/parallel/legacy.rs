//! What versions 1 and 2 knew about work under way.

use std::path::PathBuf;

use crate::document::MigrationReport;
use crate::json::{Json, Object, from_json};
use crate::{Timestamp, WorkerLifecycle, WorkerRecord};

/// A record of an older version that version 3 has no place for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LegacyWork {
    /// The task; empty if the record does not say it.
    pub task_id: String,
    /// Where the work is, if the record says so.
    pub workspace_path: Option<PathBuf>,
    /// The branch the work is on, if the record says so. It is not the target.
    pub branch: Option<String>,
    /// What the record is about.
    pub kind: LegacyKind,
    /// The record as it stood, except that `worktree_path` is called `workspace_path`.
    pub record: Object,
}

/// What an older record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyKind {
    /// A worker that was running when the state was last saved.
    InFlight {
        /// Its process, if it was known.
        pid: Option<u32>,
        /// When it started, in RFC 3339.
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
        /// Whether it ended well, so that its workspace holds finished work.
        success: bool,
        /// When it ended, in RFC 3339.
        finished_at: Option<String>,
        /// Why there is no pull request: the reason, and what the program said.
        reason: Option<String>,
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
    /// A worker, in a file that says to be older than workers are.
    Worker,
}

/// What became of a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PullRequestState {
    /// Neither of the others.
    Open,
    /// Closed without being merged.
    Closed,
    /// Merged.
    Merged,
}

/// How far a merge was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergeJobState {
    /// Not begun.
    Queued,
    /// Begun, and perhaps done.
    InProgress,
    /// Failed, to be tried again.
    RetryableFailed,
    /// Given up.
    TerminalFailed,
}

/// Every record that an upgrade of the parallel state had to leave out, in the order in which the
/// steps met them. A row that is no object stays in [`MigrationReport::dropped`] alone.
pub fn legacy_work(report: &MigrationReport) -> Vec<LegacyWork> {
    let rows = report.dropped.iter().filter_map(|dropped| {
        let (list, _index) = dropped.path.split_once('[')?;
        Some((list, dropped.value.as_object()?))
    });
    rows.filter_map(|(list, record)| {
        Some(LegacyWork {
            task_id: text(record, "task_id").unwrap_or_default(),
            workspace_path: text(record, "workspace_path").map(PathBuf::from),
            branch: text(record, "branch").or_else(|| text(record, "head")),
            kind: kind(list, record)?,
            record: record.clone(),
        })
    })
    .collect()
}

fn kind(list: &str, record: &Object) -> Option<LegacyKind> {
    let lifecycle = record.get("lifecycle").and_then(Json::as_str);
    let flag = |key| record.get(key).and_then(Json::as_bool).unwrap_or(false);
    let number = |key| record.get(key).and_then(Json::as_u64);
    let small = |key| number(key).and_then(|value| u32::try_from(value).ok());
    Some(match list {
        "tasks_in_flight" => {
            LegacyKind::InFlight { pid: small("pid"), started_at: text(record, "started_at") }
        }
        "prs" => LegacyKind::PullRequest {
            number: number("pr_number"),
            url: text(record, "pr_url"),
            state: match lifecycle {
                Some("merged") => PullRequestState::Merged,
                _ if flag("merged") => PullRequestState::Merged,
                Some("closed") => PullRequestState::Closed,
                _ => PullRequestState::Open,
            },
            blocker: text(record, "merge_blocker"),
        },
        "finished_without_pr" => LegacyKind::FinishedWithoutPr {
            success: flag("success"),
            finished_at: text(record, "finished_at"),
            reason: joined([text(record, "reason"), text(record, "message")]),
        },
        "pending_merges" => LegacyKind::PendingMerge {
            number: number("pr_number"),
            state: match lifecycle {
                Some("in_progress") => MergeJobState::InProgress,
                Some("retryable_failed") => MergeJobState::RetryableFailed,
                Some("terminal_failed") => MergeJobState::TerminalFailed,
                _ => MergeJobState::Queued,
            },
            attempts: small("attempts").unwrap_or(0),
            last_error: text(record, "last_error"),
        },
        "workers" => LegacyKind::Worker,
        _ => return None,
    })
}

fn text(record: &Object, key: &str) -> Option<String> {
    let text = record.get(key)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// One worker record for each task that `work` names, so that what was done stays reachable: its
/// workspace, its branch, and in `last_error` what was known about it.
///
/// | older record | becomes |
/// |---|---|
/// | merged pull request | completed |
/// | open pull request, merge not done | blocked push |
/// | finished well without pull request | blocked push: the workspace holds the work |
/// | in flight | failed; `legacy_pid` tells the process, which may still run |
/// | closed pull request, finished badly | failed |
/// | worker | the same worker |
///
/// Of several records for one task the one further up in the list `blocked push`, `failed`,
/// `completed` decides. The workspace path is empty where no record tells it.
pub fn adopt_legacy(work: &[LegacyWork], now: Timestamp) -> Vec<WorkerRecord> {
    let mut adopted: Vec<WorkerRecord> = Vec::new();
    for work in work.iter().filter(|work| !work.task_id.is_empty()) {
        let record = adopt(work, now);
        match adopted.iter_mut().find(|other| other.task_id == record.task_id) {
            Some(other) => merge(other, record),
            None => adopted.push(record),
        }
    }
    for record in &mut adopted {
        if record.lifecycle == WorkerLifecycle::Completed {
            record.last_error = None;
        }
    }
    adopted
}

/// Before what an older version knew, in `last_error`.
const ORIGIN: &str = "from an older version: ";

fn adopt(work: &LegacyWork, now: Timestamp) -> WorkerRecord {
    if work.kind == LegacyKind::Worker
        && let Ok(worker) = from_json(&Json::Object(work.record.clone()))
    {
        return worker;
    }
    let workspace = work.workspace_path.clone().unwrap_or_default();
    let mut record = WorkerRecord::new(&work.task_id, workspace, now.to_string());
    record.branch.clone_from(&work.branch);
    record.completed_at = Some(now.to_string());
    let request = |number: &Option<u64>| match number {
        Some(number) => format!("pull request #{number}"),
        None => "a pull request".to_owned(),
    };
    let (lifecycle, story) = match &work.kind {
        LegacyKind::InFlight { pid, started_at } => {
            if let Some(started_at) = started_at {
                record.started_at.clone_from(started_at);
            }
            if let Some(pid) = pid {
                record.extra.set("legacy_pid", u64::from(*pid));
            }
            let process = pid.map(|pid| format!("process {pid}"));
            (WorkerLifecycle::Failed, joined([Some("was in flight".to_owned()), process]))
        }
        LegacyKind::PullRequest { number, url, state, blocker } => {
            let (lifecycle, state) = match state {
                PullRequestState::Merged => (WorkerLifecycle::Completed, "was merged"),
                PullRequestState::Closed => (WorkerLifecycle::Failed, "was closed"),
                PullRequestState::Open => (WorkerLifecycle::BlockedPush, "is open"),
            };
            let story = format!("{} {state}", request(number));
            (lifecycle, joined([Some(story), url.clone(), blocker.clone()]))
        }
        LegacyKind::FinishedWithoutPr { success, finished_at, reason } => {
            if let Some(finished_at) = finished_at {
                record.completed_at = Some(finished_at.clone());
            }
            let (lifecycle, story) = if *success {
                (WorkerLifecycle::BlockedPush, "finished without a pull request")
            } else {
                (WorkerLifecycle::Failed, "failed without a pull request")
            };
            (lifecycle, joined([Some(story.to_owned()), reason.clone()]))
        }
        LegacyKind::PendingMerge { number, state, attempts, last_error } => {
            let state = match state {
                MergeJobState::Queued => "was to be merged",
                MergeJobState::InProgress => "was being merged",
                MergeJobState::RetryableFailed => "was to be merged again",
                MergeJobState::TerminalFailed => "could not be merged",
            };
            let story = format!("{} {state}, {attempts} attempts", request(number));
            (WorkerLifecycle::BlockedPush, joined([Some(story), last_error.clone()]))
        }
        LegacyKind::Worker => {
            (WorkerLifecycle::Failed, Some("a worker whose record cannot be read".to_owned()))
        }
    };
    record.lifecycle = lifecycle;
    record.last_error = story.map(|story| format!("{ORIGIN}{story}"));
    record
}

fn merge(into: &mut WorkerRecord, from: WorkerRecord) {
    let weight = |record: &WorkerRecord| match record.lifecycle {
        WorkerLifecycle::BlockedPush => 2,
        WorkerLifecycle::Completed => 0,
        _ => 1,
    };
    let mut other = from;
    if weight(&other) > weight(into) {
        std::mem::swap(into, &mut other);
    }
    let main = into;
    if main.workspace_path.as_os_str().is_empty() {
        main.workspace_path = other.workspace_path;
    }
    main.branch = main.branch.take().or(other.branch);
    main.last_error = match (main.last_error.take(), other.last_error) {
        (Some(one), Some(two)) => {
            Some(format!("{one}; {}", two.strip_prefix(ORIGIN).unwrap_or(&two)))
        }
        (one, two) => one.or(two),
    };
    for (key, value) in other.extra.iter() {
        if !main.extra.contains(key) {
            main.extra.set(key, value.clone());
        }
    }
}
