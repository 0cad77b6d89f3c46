//! What can start now, and why the rest cannot; then two agents that ask for a task and get one each.
//!
//! `cargo run --package ralph-queue --example claim_a_task`
#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use ralph_queue::lease::{LeaseError, Leases, Request};
use ralph_queue::ready::{Question, ready};
use ralph_queue::runnability::Drafts;
use ralph_queue::{Document, Queue};
use ralph_state::file::Holder;
use ralph_state::{Store, Timestamp};

const QUEUE: &str = r#"{ "version": 1, "tasks": [
  { "id": "RQ-0001", "title": "Parse dates", "scope": ["src/dates"] },
  { "id": "RQ-0002", "title": "Print dates", "scope": ["src/dates/print.rs"] },
  { "id": "RQ-0003", "title": "Write the manual", "depends_on": ["RQ-0002"] },
  { "id": "RQ-0004", "title": "Sort by date", "scope": ["src/sort.rs"] }
] }"#;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let now: Timestamp = "2026-04-23T08:00:00Z".parse()?; // a tool would ask its clock
    let holder = Holder {
        pid: std::process::id(),
        host: "this host".to_owned(),
        command: "claim_a_task".to_owned(),
        since: now,
    };
    let queue = Queue::new(Document::parse(QUEUE)?, None);
    // One file for all work trees of a repository.
    let store = Store::<Leases>::new(Leases::path_in(dir.path()), holder.clone());
    let exclude = BTreeMap::new();

    // Two at a time, which touch different files.
    let leases = Leases::default();
    let (drafts, parallel) = (Drafts::Exclude, Some(2));
    let answer = ready(&queue, &leases, &Question { now, drafts, exclude: &exclude, parallel });
    for task in &answer.tasks {
        println!("{} can start: {}", task.id(), task.title());
    }
    for (task, reasons) in &answer.others {
        println!("{} cannot: {reasons:?}", task.id());
    }
    assert_eq!(
        answer.tasks.iter().map(|task| task.id()).collect::<Vec<_>>(),
        ["RQ-0001", "RQ-0004"]
    );

    // The first that can start, for whoever asks first; no two get the same.
    let claim = |owner| -> Result<_, Box<dyn Error>> {
        let (ttl, exclude) = (Duration::from_mins(30), &exclude);
        let request =
            Request { task: None, owner, ttl, drafts, exclude, name: None, holder: &holder, now };
        let claimed = store.update(|leases| leases.claim(&queue, &request))?;
        Ok(claimed.value.ok_or("nothing can start")?)
    };
    let (ada, bob) = (claim("ada")?, claim("bob")?);
    println!("ada has {}, bob has {}", ada.task, bob.task);

    // Who writes to a task shows the token; without it, or with that of a lease that lapsed and
    // was taken over, the write is refused.
    let leases = store.load()?.ok_or("it was just saved")?.value;
    let tasks = [ada.task.clone()];
    leases.permit(&tasks, &[ada.token], now)?;
    let refused = leases.permit(&tasks, &[bob.token], now);
    assert!(matches!(refused, Err(LeaseError::Held { owner, .. }) if owner == "ada"));
    Ok(())
}

#[test]
fn it_runs() -> Result<(), Box<dyn Error>> {
    main()
}
