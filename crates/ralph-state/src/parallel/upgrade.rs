//! Versions 1 and 2 of the parallel state, brought to version 3.
//!
//! They knew git worktrees and pull requests, of which version 3 has nothing. So the list of
//! workers starts empty, as in every earlier program, and each record is handed over as dropped:
//! [`super::legacy_work`] reads them.

use crate::document::{Notes, Unversioned, Upgrade, Upgrades};
use crate::json::{FieldError, Json, Object};

pub(super) const UPGRADES: Upgrades = Upgrades::new(
    1,
    super::PARALLEL_STATE_SCHEMA_VERSION,
    &[Upgrade { from: 1, apply: v1_to_v2 }, Upgrade { from: 2, apply: v2_to_v3 }],
);

/// No file of version 1 says its version. One with workers is not of version 1, though it may have
/// lost its number.
pub(super) fn unversioned(object: &Object) -> Option<Unversioned> {
    const OF_VERSION_1: [&str; 4] = ["base_branch", "tasks_in_flight", "prs", "merge_method"];
    if object.contains("workers") {
        let warning = Some("missing; taken for version 3, since there are workers".to_owned());
        return Some(Unversioned { version: 3, warning });
    }
    OF_VERSION_1
        .iter()
        .any(|key| object.contains(key))
        .then_some(Unversioned { version: 1, warning: None })
}

/// - `worktree_path` became `workspace_path`.
/// - `finished_without_pr` went away.
/// - Pull requests lost their details; here they keep them, as fields unknown to version 2.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every step")]
fn v1_to_v2(state: &mut Object, notes: &mut Notes) -> Result<(), FieldError> {
    for list in ["tasks_in_flight", "prs", "finished_without_pr", "pending_merges"] {
        if let Some(Json::Array(rows)) = state.get_mut(list) {
            for row in rows {
                if let Json::Object(row) = row {
                    row.rename("worktree_path", "workspace_path");
                }
            }
        }
    }
    drop_rows(state, notes, "finished_without_pr");
    Ok(())
}

/// - `base_branch` became `target_branch`.
/// - Only the lives of workers are left, from now on.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every step")]
fn v2_to_v3(state: &mut Object, notes: &mut Notes) -> Result<(), FieldError> {
    let has_target = state.get("target_branch").is_some_and(|branch| *branch != Json::from(""));
    match state.get("base_branch") {
        Some(Json::String(_)) if !has_target => {
            state.remove("target_branch");
            state.rename("base_branch", "target_branch");
            notes.carried("base_branch", "target_branch");
        }
        Some(_) => drop_value(state, notes, "base_branch"),
        None => {}
    }
    drop_value(state, notes, "merge_method");
    drop_value(state, notes, "merge_when");
    // Rows of `finished_without_pr` are none of version 2, but may stand there all the same.
    for list in ["tasks_in_flight", "prs", "finished_without_pr", "pending_merges", "workers"] {
        drop_rows(state, notes, list);
    }
    state.set("workers", Json::Array(Vec::new()));
    Ok(())
}

fn drop_value(state: &mut Object, notes: &mut Notes, key: &str) {
    if let Some(value) = state.remove(key) {
        notes.dropped(key, value);
    }
}

fn drop_rows(state: &mut Object, notes: &mut Notes, list: &str) {
    match state.remove(list) {
        Some(Json::Array(rows)) => {
            for (index, row) in rows.into_iter().enumerate() {
                let path = format!("{list}[{index}]");
                let task =
                    row.as_object().and_then(|row| row.get("task_id")).and_then(Json::as_str);
                if task.is_none() {
                    notes.warn(path.as_str(), "a record without a task");
                }
                notes.dropped(path, row);
            }
        }
        Some(Json::Null) | None => {}
        Some(other) => {
            notes.warn(list, format!("expected an array, found {}", other.kind()));
            notes.dropped(list, other);
        }
    }
}
