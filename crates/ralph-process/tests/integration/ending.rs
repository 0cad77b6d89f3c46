//! Children that are stopped, and what they leave behind.

use std::time::{Duration, Instant};

use ralph_process::{Cancel, Exit, await_end, end, identity_of, is_alive, marked, run, spawn};
use ralph_state::ProcessIdentity;
use ralph_testkit::{Sandbox, wait_until};

use crate::{FOR_EVER, pid_in, sh};

/// Nothing here depends on how short it is.
const SHORT: Duration = Duration::from_millis(100);

#[test]
fn a_limit_ends_the_child_and_keeps_its_output() {
    let sandbox = Sandbox::new();
    let finished = run(&sh(&sandbox, "echo begun; sleep 600"), Some(SHORT), &Cancel::new());
    let finished = finished.unwrap();
    assert_eq!(finished.exit, Exit::TimedOut);
    assert_eq!(finished.stdout.text(), "begun\n");
    sandbox.nothing_runs();
}

#[test]
fn a_child_that_ended_before_it_was_stopped_keeps_its_exit() {
    let sandbox = Sandbox::new();
    let child = spawn(&sh(&sandbox, "exit 6")).unwrap();
    let identity = child.identity().clone();
    wait_until(FOR_EVER, "the child to end", || !is_alive(&identity));
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(child.finish(Some(Duration::ZERO), &cancel).exit, Exit::Code(6));
}

#[test]
fn a_cancelled_child_may_end_cleanly() {
    let sandbox = Sandbox::new();
    let script = "trap 'echo bye; exit 0' TERM; echo $$ >pid; while :; do sleep 0.01; done";
    let cancel = Cancel::new();
    let canceller = cancel.clone();
    let ready = sandbox.path("pid");
    let thread = std::thread::spawn(move || {
        pid_in(&ready);
        canceller.cancel();
    });
    let command = sh(&sandbox, script).grace(FOR_EVER);
    let finished = run(&command, Some(FOR_EVER), &cancel).unwrap();
    thread.join().unwrap();
    assert_eq!(finished.exit, Exit::Cancelled);
    assert_eq!(finished.stdout.text(), "bye\n");
}

#[test]
fn a_child_that_ignores_sigterm_is_killed_after_the_grace() {
    let sandbox = Sandbox::new();
    let script = "trap '' TERM; echo $$ >pid; while :; do sleep 0.01; done";
    let mut child = spawn(&sh(&sandbox, script)).unwrap();
    pid_in(&sandbox.path("pid"));
    let begun = Instant::now();
    let report = child.terminate(SHORT);
    assert!(begun.elapsed() >= SHORT);
    assert!(report.ended.contains(child.identity()));
    assert!(report.survivors.is_empty());
    assert_eq!(child.wait(), Exit::Signal(9));
    sandbox.nothing_runs();
}

#[test]
fn the_whole_group_ends_with_the_child() {
    let sandbox = Sandbox::new();
    let script = "(trap '' TERM; sleep 600 & echo $! >pid; wait) & wait";
    let mut child = spawn(&sh(&sandbox, script)).unwrap();
    let grandchild = identity_of(pid_in(&sandbox.path("pid"))).unwrap();
    assert!(child.terminate(SHORT).survivors.is_empty());
    assert!(!is_alive(&grandchild));
    sandbox.nothing_runs();
}

#[test]
fn a_marked_process_in_its_own_session_ends_too() {
    let sandbox = Sandbox::new();
    // Its parent is gone and it left the group: only its marker tells whose it is.
    let script = "setsid sh -c 'echo $$ >pid; exec sleep 600' & while [ ! -s pid ]; do sleep 0.01; \
                  done; exit 0";
    let marker = format!("t/{}", sandbox.root().display());
    let finished =
        run(&sh(&sandbox, script).marker(&marker), Some(FOR_EVER), &Cancel::new()).unwrap();
    assert_eq!(finished.exit, Exit::Code(0));
    let stray = identity_of(pid_in(&sandbox.path("pid"))).unwrap();
    assert_eq!(marked(&marker), std::slice::from_ref(&stray));
    assert!(marked("t").contains(&stray), "a marker is found by what it begins with");
    assert!(marked(&marker[..marker.len() - 1]).is_empty());

    let report = end(&[], Some(&marker), FOR_EVER);
    assert_eq!(report.ended, std::slice::from_ref(&stray));
    assert!(!is_alive(&stray));
    assert!(marked(&marker).is_empty());
}

#[test]
fn an_unmarked_descendant_in_its_own_session_ends_with_its_parent() {
    let sandbox = Sandbox::new();
    let script = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ >pid; while :; do sleep \
                  0.01; done' & wait; sleep 600";
    let mut child = spawn(&sh(&sandbox, script)).unwrap();
    let stray = identity_of(pid_in(&sandbox.path("pid"))).unwrap();
    assert!(child.terminate(SHORT).ended.contains(&stray));
    assert!(!is_alive(&stray));
    sandbox.nothing_runs();
}

#[test]
fn orphans_of_a_dead_parent_end() {
    let sandbox = Sandbox::new();
    let agent = "trap '' TERM; echo $$ >agent; while :; do sleep 0.01; done";
    let script = format!("setsid sh -c \"{}\" & echo $! >worker; wait", agent.replace('$', "\\$"));
    let marker = format!("orphan/{}", sandbox.root().display());
    let mut worker = spawn(&sh(&sandbox, &script).marker(&marker)).unwrap();
    let agent = identity_of(pid_in(&sandbox.path("agent"))).unwrap();
    let dead = worker.identity().clone();
    sandbox.signal(dead.pid, ralph_testkit::Signal::KILL);
    assert_eq!(worker.wait(), Exit::Signal(9));
    assert!(is_alive(&agent));

    let report = end(&[dead.clone(), agent.clone()], None, SHORT);
    assert!(report.ended.contains(&agent) && !report.ended.contains(&dead));
    assert!(report.survivors.is_empty());
    assert!(!is_alive(&agent));
    assert_eq!(end(&[dead, agent], Some(&marker), SHORT), ralph_process::EndReport::default());
}

#[test]
fn a_reused_number_is_never_signalled() {
    let sandbox = Sandbox::new();
    let mut child = spawn(&sh(&sandbox, "echo $$ >pid; exec sleep 600")).unwrap();
    pid_in(&sandbox.path("pid"));
    let now = child.identity().clone();
    let earlier = ProcessIdentity { start_time: now.start_time - 1, ..now.clone() };
    let before_boot = ProcessIdentity { boot_id: "another".to_owned(), ..now.clone() };
    assert!(!is_alive(&earlier) && !is_alive(&before_boot));
    let report = end(&[earlier, before_boot], None, Duration::ZERO);
    assert_eq!(report, ralph_process::EndReport::default());
    assert_eq!(child.try_wait().unwrap(), None);
    assert!(is_alive(&now));
    assert!(child.terminate(Duration::ZERO).survivors.is_empty());
}

#[test]
fn an_end_is_waited_for_as_long_as_is_wanted() {
    let sandbox = Sandbox::new();
    let mut child = spawn(&sh(&sandbox, "echo $$ >pid; exec sleep 600")).unwrap();
    pid_in(&sandbox.path("pid"));
    let who = child.identity().clone();
    await_end(std::slice::from_ref(&who), SHORT);
    assert!(is_alive(&who), "nobody ended it");
    // One that is gone, and another life of the number, are not waited for.
    let earlier = ProcessIdentity { start_time: who.start_time - 1, ..who.clone() };
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| await_end(&[earlier, who.clone()], FOR_EVER));
        ralph_process::kill(&who);
        waits.join().unwrap();
    });
    assert!(!is_alive(&who));
    assert_eq!(child.wait(), Exit::Signal(9));
}

#[test]
fn a_stopped_process_is_killed() {
    let sandbox = Sandbox::new();
    let mut child = spawn(&sh(&sandbox, "echo $$ >pid; kill -STOP $$")).unwrap();
    pid_in(&sandbox.path("pid"));
    assert!(child.terminate(SHORT).survivors.is_empty());
    assert_eq!(child.try_wait().unwrap(), Some(Exit::Signal(9)));
}

#[test]
fn a_process_that_keeps_forking_is_caught() {
    let sandbox = Sandbox::new();
    let script = "trap '' TERM; echo $$ >pid; while :; do (sleep 600 &) ; sleep 0.005; done";
    let marker = format!("forks/{}", sandbox.root().display());
    let mut child = spawn(&sh(&sandbox, script).marker(&marker)).unwrap();
    pid_in(&sandbox.path("pid"));
    assert!(child.terminate(SHORT).survivors.is_empty());
    assert!(marked(&marker).is_empty());
    sandbox.nothing_runs();
}

#[test]
fn a_child_that_is_to_leave_nothing_leaves_nothing_in_its_group() {
    let sandbox = Sandbox::new();
    // Without an environment no marker tells whose it is.
    let command = sh(&sandbox, "env -i sleep 600 & echo $! >pid; exit 3");
    let finished = run(&command.leave_nothing(), Some(FOR_EVER), &Cancel::new()).unwrap();
    assert_eq!((finished.exit, finished.survivors), (Exit::Code(3), Vec::new()));
    assert_eq!(identity_of(pid_in(&sandbox.path("pid"))), None);
}

#[test]
fn the_caller_is_never_ended_by_its_own_marker() {
    // Nothing here carries it; but the caller is named, and must be passed over.
    let own = ralph_process::own_identity();
    assert_eq!(end(&[own], None, Duration::ZERO), ralph_process::EndReport::default());
}
