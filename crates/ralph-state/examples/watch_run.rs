//! Watching a parallel run from outside, without a lock and without disturbing it.
//!
//! `cargo run --package ralph-state --example watch_run -- REPOSITORY` shows the state of a real
//! one; without an argument it makes up a run to watch.
#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::{env, thread};

use ralph_state::{
    ParallelStateFile, Store, Timestamp, WorkerLifecycle, WorkerRecord, WorkerStep, file::Holder,
    load_state, state_file_path,
};

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(repository) = env::args_os().nth(1) {
        let seen = show_changes(&state_file_path(Path::new(&repository)), &BTreeMap::new())?;
        println!("{} workers", seen.len());
        return Ok(());
    }

    let repository = tempfile::tempdir()?;
    let path = state_file_path(repository.path());
    // A tool would look every second, or be told by the system; here the run tells.
    let (saved, news) = mpsc::channel();
    let run = thread::spawn({
        let path = path.clone();
        move || make_up_a_run(&path, &saved)
    });
    let mut seen = BTreeMap::new();
    for () in news {
        seen = show_changes(&path, &seen)?;
    }
    run.join().map_err(|_| "the run panicked")??;
    Ok(())
}

type Seen = BTreeMap<String, (String, String)>;

/// Says what is different from what was seen before. A save is either all there or not at all, so
/// what is read is always a state that the run was in.
fn show_changes(path: &Path, before: &Seen) -> Result<Seen, Box<dyn Error>> {
    let state = load_state(path)?.unwrap_or_default();
    let mut seen = Seen::new();
    for worker in &state.workers {
        let step = worker.step.as_ref().map_or("", WorkerStep::as_str).to_owned();
        let now = (worker.lifecycle.to_string(), step);
        if before.get(&worker.task_id) != Some(&now) {
            println!("{}: {} {}", worker.task_id, now.0, now.1);
        }
        seen.insert(worker.task_id.clone(), now);
    }
    Ok(seen)
}

fn make_up_a_run(path: &Path, saved: &mpsc::Sender<()>) -> Result<(), String> {
    let holder = Holder {
        pid: std::process::id(),
        host: "this host".to_owned(),
        command: "watch_run".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    let store = Store::<ParallelStateFile>::new(path, holder);
    let steps =
        [WorkerStep::Claimed, WorkerStep::Working, WorkerStep::Committed, WorkerStep::Recorded];
    for step in steps {
        for task in ["RQ-0001", "RQ-0002"] {
            let change = |state: &mut ParallelStateFile| {
                let fresh = || {
                    let workspace = PathBuf::from("/tmp").join(task);
                    WorkerRecord::new(task, workspace, "2026-04-22T18:03:14Z".to_owned())
                };
                let mut worker = state.get_worker(task).cloned().unwrap_or_else(fresh);
                if step == WorkerStep::Recorded {
                    worker.lifecycle = WorkerLifecycle::Completed;
                }
                worker.step = Some(step.clone());
                state.upsert_worker(worker);
                Ok::<_, std::convert::Infallible>(())
            };
            store.update(change).map_err(|error| error.to_string())?;
            saved.send(()).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
