//! Whose record it is: the id of a task that no target had may meanwhile be another task's.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ralph_config::QueueConfig;
use ralph_git::{GitError, Repo, Sha};
use ralph_queue::{Queue, Task};
use ralph_state::{TaskId, Timestamp, WorkerRecord};

use crate::books::{self, Books};
use crate::layout::runtime_paths;

/// Where the record keeps a task that the target did not have when the work began, as JSON.
const OWN: &str = "own_task";

/// The field of a record with the id under which its task landed, when that is another.
pub(crate) const LANDED_AS: &str = "landed_as";

/// The field of a record with the id that was set aside for its task, as the target has given its
/// own to another.
pub(crate) const LANDS_AS: &str = "lands_as";

/// Notes the task of `record` by more than its id; `None`: the target has it, under that id.
pub(crate) fn remember(record: &mut WorkerRecord, task: Option<&Task>) {
    match task.and_then(|task| serde_json::to_string(task).ok()) {
        Some(text) => {
            record.extra.set(OWN, text);
        }
        None => {
            record.extra.remove(OWN);
        }
    }
}

/// The task of `record` as it was when the work began, if the target did not have it then.
pub(crate) fn remembered(record: &WorkerRecord) -> Option<Task> {
    Task::parse(record.extra.get(OWN)?.as_str()?).ok()
}

/// The queue file that the agent of `record` was shown in `workspace` where that stood at `at`, if
/// that is not the file of the commit: with its task, which no target had.
///
/// # Errors
/// When git cannot read the commit.
pub(crate) fn shown(
    record: &WorkerRecord,
    workspace: &Repo,
    books: &Books,
    at: &Sha,
) -> Result<Option<String>, GitError> {
    let Some(own) = remembered(record) else { return Ok(None) };
    // The same whenever it is asked for.
    let began = record.started_at.parse().unwrap_or(Timestamp::UNIX_EPOCH);
    books::shown(workspace, books, at, &own, began)
}

/// What a snapshot of `workspace` leaves out: the runtime, and the queue file where it is as the
/// agent was shown it.
///
/// # Errors
/// When git cannot read the commit `base`.
pub(crate) fn left_out(
    record: &WorkerRecord,
    workspace: &Repo,
    config: &QueueConfig,
    base: &Sha,
) -> Result<Vec<PathBuf>, GitError> {
    let mut paths = runtime_paths(workspace.root());
    let books = Books::at(workspace, config, base)?;
    if let Books::Tracked { queue, .. } = &books
        && let Some(shown) = shown(record, workspace, &books, base)?
        && fs_err::read(workspace.root().join(queue)).is_ok_and(|here| here == shown.as_bytes())
    {
        paths.push(queue.clone());
    }
    Ok(paths)
}

/// The task of `record` in a queue, which may have given it another id.
pub(crate) fn find<'q>(record: &WorkerRecord, queue: &'q Queue) -> Option<&'q Task> {
    let by_id = queue.find(&record.task_id).map(|(_, task)| task);
    let Some(own) = remembered(record) else { return by_id };
    by_id.filter(|task| task.is_version_of(&own)).or_else(|| {
        let was = |task: &&Task| task.former_ids().any(|old| old == record.task_id);
        let mut tasks = queue.tasks().chain(queue.done_tasks());
        tasks.find(|task| was(task) && task.is_version_of(&own))
    })
}

/// Every task that has another id than it had, with the last of those.
pub(crate) fn renamed(queue: &Queue) -> BTreeSet<(TaskId, String)> {
    let was = |task: &Task| Some((task.id.clone(), task.former_ids().last()?.to_owned()));
    queue.renamed().filter_map(|(_, task)| was(task)).collect()
}

#[cfg(test)]
mod tests {
    use ralph_queue::Document;

    use super::*;

    #[test]
    fn a_record_knows_its_task_under_another_id() {
        let queue = |tasks: &str| {
            let text = format!(r#"{{"version":1,"tasks":[{tasks}]}}"#);
            Queue::new(Document::parse(text).expect("a queue"), None)
        };
        let mine = r#"{"id":"RQ-0004","title":"mine","created_at":"2026-01-01T00:00:00Z"}"#;
        let theirs = r#"{"id":"RQ-0004","title":"theirs","created_at":"2026-01-02T00:00:00Z"}"#;
        let moved = mine.replace("RQ-0004", "RQ-0005");
        let moved = moved.replace('}', r#","custom_fields":{"former_ids":"RQ-0004"}}"#);
        let mut record = WorkerRecord::new("RQ-0004", "/w".into(), String::new());
        let title = |record: &WorkerRecord, tasks: &str| {
            find(record, &queue(tasks)).map(|task| format!("{} {}", task.id, task.title))
        };
        let both = format!("{theirs},{moved}");
        assert_eq!(title(&record, &both).as_deref(), Some("RQ-0004 theirs"));
        remember(&mut record, Some(&Task::parse(mine).unwrap()));
        assert_eq!(title(&record, mine).as_deref(), Some("RQ-0004 mine"));
        assert_eq!(title(&record, &both).as_deref(), Some("RQ-0005 mine"));
        assert_eq!(title(&record, theirs), None);
        remember(&mut record, None);
        assert_eq!(title(&record, theirs).as_deref(), Some("RQ-0004 theirs"));
    }
}
