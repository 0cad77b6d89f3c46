//! The state of a parallel run, as programs written against 0.4.0 use it.

use ralph_state::file::{lock_holder, sidecar_lock_path};
use ralph_state::{
    ParallelStateFile, WorkerLifecycle, WorkerRecord, load_state, save_state, state_file_path,
};
use tempfile::tempdir;

fn record(task: &str) -> WorkerRecord {
    WorkerRecord::new(task, format!("/w/{task}").into(), "2026-04-22T18:03:14Z".to_owned())
}

#[test]
fn the_file_is_where_it_always_was_and_survives_a_round() {
    let root = tempdir().unwrap();
    let path = state_file_path(root.path());
    assert!(path.ends_with(".ralph/cache/parallel/state.json"));
    assert_eq!(load_state(&path).unwrap(), None);
    let mut state = ParallelStateFile::new("2026-04-22T18:03:11Z", "main");
    state.upsert_worker(record("RQ-1"));
    save_state(&path, &state).unwrap();
    assert_eq!(load_state(&path).unwrap(), Some(state));
    // It cannot say who it is, and does not make something up.
    assert_eq!(lock_holder(&sidecar_lock_path(&path)), None);
}

#[test]
fn records_by_task() {
    let mut state = ParallelStateFile::new("", "main");
    state.upsert_worker(record("RQ-1"));
    state.upsert_worker(record("RQ-2"));
    let mut again = record("RQ-1");
    again.mark_blocked("2026-04-22T19:00:00Z".to_owned(), "rejected");
    state.upsert_worker(again);
    assert_eq!(state.workers.len(), 2);
    assert_eq!(state.get_worker("RQ-1").unwrap().lifecycle, WorkerLifecycle::BlockedPush);
    assert_eq!((state.active_worker_count(), state.blocked_worker_count()), (1, 1));
    state.get_worker_mut("RQ-2").unwrap().start_integration();
    assert_eq!(state.workers_by_lifecycle(WorkerLifecycle::Integrating).count(), 1);
    state.remove_worker("RQ-1");
    assert!(!state.has_worker("RQ-1") && state.has_worker("RQ-2"));
}

/// Unknown fields cannot be made to shadow known ones.
#[test]
fn a_field_twice_is_not_written() {
    let root = tempdir().unwrap();
    let path = root.path().join("state.json");
    let mut state = ParallelStateFile::new("", "main");
    state.extra.set("workers", "none");
    let error = save_state(&path, &state).unwrap_err();
    assert!(matches!(error, ralph_state::SaveError::Encode { .. }), "{error}");
    assert!(!path.exists());
}
