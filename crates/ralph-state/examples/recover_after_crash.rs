//! After a crash: what is torn, what is orphaned, what an older program left behind.
//!
//! `cargo run --package ralph-state --example recover_after_crash`
#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::convert::Infallible;
use std::error::Error;

use fs_err as fs;
use ralph_state::document::DecodeError;
use ralph_state::file::{FileLock, Holder, is_locked};
use ralph_state::parallel::salvage;
use ralph_state::{ParallelStateFile, Store, Timestamp, WorkerRecord, adopt_legacy, legacy_work};

const OLD: &str = r#"{
  "schema_version": 2,
  "base_branch": "main",
  "tasks_in_flight": [
    {"task_id": "RQ-0951", "workspace_path": "/w/RQ-0951", "branch": "ralph/RQ-0951", "pid": 70012}
  ],
  "prs": [{"task_id": "RQ-0949", "pr_number": 110, "lifecycle": "open"}]
}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let holder = Holder {
        pid: std::process::id(),
        host: "this host".to_owned(),
        command: "recover_after_crash".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    let store = Store::<ParallelStateFile>::new(dir.path().join("state.json"), holder.clone());

    println!("1. A coordinator of an older version died. Its work is adopted:");
    fs::write(store.path(), OLD)?;
    let now = "2026-06-01T12:00:00Z".parse()?; // a tool would ask its clock
    store.upgrade_with(|state, report| {
        for record in adopt_legacy(&legacy_work(report), now) {
            println!("   {}: {}, {:?}", record.task_id, record.lifecycle, record.last_error);
            state.upsert_worker(record);
        }
    })?;

    println!("2. A worker is alive for as long as its lock is held:");
    let lock_path = dir.path().join("RQ-0952.lock");
    let alive = FileLock::try_acquire(&lock_path, &holder)?.ok_or("nobody else is here")?;
    println!("   while it runs: {}", is_locked(&lock_path)?);
    drop(alive); // or the process is killed: the system lets go of the lock all the same
    println!("   after its death: {}", is_locked(&lock_path)?);

    println!("3. A save that was cut off leaves a temporary file. The next one removes it:");
    let leftover = dir.path().join(".state.json.4711-0.tmp");
    fs::write(&leftover, "{\"schema_ver")?;
    store.update(|state| {
        let workspace = "/w/RQ-0952".into();
        state.upsert_worker(WorkerRecord::new("RQ-0952", workspace, now.to_string()));
        Ok::<_, Infallible>(())
    })?;
    println!("   still there: {}", leftover.exists());

    println!("4. One record is damaged. The others can be read, and the bytes are kept:");
    let damaged = fs::read_to_string(store.path())?.replace("\"/w/RQ-0952\"", "17");
    fs::write(store.path(), &damaged)?;
    let refused = store.load().err().ok_or("a damaged file is refused")?;
    println!("   {refused}");
    let rebuilt = store.rebuild(|damaged| {
        let salvaged = salvage(damaged.bytes)?;
        for bad in &salvaged.bad {
            println!("   {bad}");
        }
        println!("   {} of 3 records can be read", salvaged.state.workers.len());
        Ok::<_, DecodeError>(salvaged.state) // a tool would add what it finds elsewhere
    })?;
    let rebuilt = rebuilt.ok_or("it is damaged")?;
    println!("   the bytes are kept: {}", rebuilt.aside.ends_with("state.corrupt.json.bak"));
    println!("   {:?}", rebuilt.saved);
    Ok(())
}
