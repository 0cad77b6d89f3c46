//! Runs that are stopped go on later, and leave nothing behind.

use std::time::{Duration, Instant};

use ralph_testkit::{Signal, wait_until};

use super::{Books, PATIENCE, Remote, Scene};

/// Stopping within this is the promise of `docs/architecture.md`, with room
/// for a machine that is busy.
const STOPPED_WITHIN: Duration = Duration::from_secs(12);

/// Work that lasts until a file says otherwise, in a process that left its group.
const LASTING: &str = "mkdir -p work; echo half > work/$ID.txt; \
    if [ ! -e \"$LOG/go\" ]; then touch \"$LOG/up-$ID\"; \
    setsid sh -c 'trap \"\" TERM INT; while [ ! -e \"$LOG/go\" ]; do sleep 0.1; done' & wait; fi; \
    echo $ID > work/$ID.txt";

#[expect(clippy::print_stdout, reason = "the figures of the run")]
fn stopped_by(signal: Signal, code: i32) {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(3);
    scene.act(&[("RQ-0001", LASTING), ("RQ-0002", LASTING)]);
    let run = scene.start(&["run", "loop", "--parallel", "2"]);
    scene.wait_for_agent("RQ-0001");
    scene.wait_for_agent("RQ-0002");
    let asked = Instant::now();
    run.signal(signal);
    let ran = run.wait(STOPPED_WITHIN);
    ran.exited(code);
    println!("stopped in {:.1} s", asked.elapsed().as_secs_f64());
    scene.sandbox.nothing_runs();
    assert!(scene.landed().is_empty());
    scene.go_on();
    scene.run(2, 0);
    scene.all_landed(3);
    assert_eq!(scene.on_target("work/RQ-0001.txt"), "RQ-0001");
    // What the stopped agents had written is kept, though it was done anew.
    let kept = scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/"]);
    assert_eq!(kept.lines().count(), 2, "{kept}");
}

#[test]
fn ctrl_c_stops_cleanly_and_the_next_run_goes_on() {
    stopped_by(Signal::INT, 130);
}

#[test]
fn sigterm_stops_cleanly_and_the_next_run_goes_on() {
    stopped_by(Signal::TERM, 143);
}

#[test]
fn queue_stop_lets_running_tasks_end_and_starts_no_more() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(3);
    let stop = format!(
        "( cd '{}' && '{}' queue stop >&2 ); mkdir -p work; echo $ID > work/$ID.txt",
        scene.dir.display(),
        super::super::RALPH
    );
    scene.act(&[("RQ-0001", stop.as_str())]);
    let summary = scene.run(1, 0);
    assert_eq!((&summary["landed"], &summary["stopped"]), (&1.into(), &"requested".into()));
    let summary = scene.run(1, 0);
    assert_eq!(summary["landed"], 2, "{summary}");
    scene.all_landed(3);
}

#[test]
fn what_an_earlier_run_left_is_not_begun_after_a_stop_either() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(3);
    let all = ["RQ-0001", "RQ-0002", "RQ-0003"];
    scene.act(&all.map(|id| (id, LASTING)));
    let run = scene.start(&["run", "loop", "--parallel", "3"]);
    for id in all {
        scene.wait_for_agent(id);
    }
    run.signal(Signal::INT);
    run.wait(STOPPED_WITHIN).exited(130);
    assert_eq!(scene.log("turns").len(), 3);
    let stop = format!(
        "( cd '{}' && '{}' queue stop >&2 ); mkdir -p work; echo $ID > work/$ID.txt",
        scene.dir.display(),
        super::super::RALPH
    );
    scene.act(&all.map(|id| (id, stop.as_str())));
    let summary = scene.run(1, 0);
    assert_eq!((&summary["landed"], &summary["stopped"]), (&1.into(), &"requested".into()));
    assert_eq!(scene.log("turns").len(), 4);
    scene.act(&all.map(|id| (id, "mkdir -p work; echo $ID > work/$ID.txt")));
    scene.run(3, 0);
    scene.all_landed(3);
}

#[test]
fn two_runs_at_once_are_one_too_many() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    scene.act(&[("RQ-0001", LASTING)]);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    for args in [&["run", "loop", "--parallel", "2"][..], &["run", "one"], &["run", "loop"]] {
        let second = scene.ralph(args);
        second.exited(4);
        assert!(second.stderr.contains(&run.pid().to_string()), "{second}");
    }
    scene.go_on();
    run.wait(PATIENCE).success();
    scene.all_landed(1);
}

#[test]
fn a_demo_that_is_stopped_says_where_it_was_and_ends_as_it_was_told() {
    // While the repository is made, and while it is worked in.
    let moments = ["Making a repository", "Landing on"];
    let signals = [(Signal::INT, 130), (Signal::TERM, 143)];
    for (moment, (signal, code)) in moments.into_iter().flat_map(|at| signals.map(|it| (at, it))) {
        let sandbox = ralph_testkit::Sandbox::new();
        let demo = sandbox.start(super::super::RALPH, sandbox.root(), ["demo"]);
        wait_until(PATIENCE, "the run of the demo", || demo.stderr().contains(moment));
        demo.signal(signal);
        let ran = demo.wait(STOPPED_WITHIN);
        ran.exited(code);
        assert!(ran.stderr.contains("and is gone; `ralph demo --keep DIR`"), "{ran}");
        assert!(!ran.stderr.contains("error:"), "{ran}");
        sandbox.nothing_runs();
    }
}

#[test]
fn workers_that_outlived_their_run_are_told_and_ended_when_asked() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    scene.act(&[("RQ-0001", LASTING)]);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    run.signal(Signal::KILL);
    assert_eq!(run.wait(PATIENCE).code, None);
    let ran = scene.ralph(&["queue", "stop"]);
    assert!(ran.success().stderr.contains("1 worker of one that is gone: RQ-0001"), "{ran}");
    let ran = scene.ralph(&["queue", "stop", "--now", "--json"]);
    assert!(ran.success().stdout.contains("RQ-0001") && ran.stdout.contains(r#""ended": true"#));
    scene.sandbox.nothing_runs();
    assert!(scene.landed().is_empty());
    let ran = scene.ralph(&["queue", "stop", "--now"]);
    assert!(ran.success().stderr.contains("nothing to stop"), "{ran}");
    // An agent that has outlived its worker too.
    fs_err::remove_file(scene.sandbox.path("log/up-RQ-0001")).expect("it was there");
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    run.signal(Signal::KILL);
    assert_eq!(run.wait(PATIENCE).code, None);
    let worker = scene.records()[0]["worker"]["pid"].as_u64().expect("a worker").to_string();
    scene.sandbox.run("kill", &scene.dir, ["-9", &worker]).success();
    let ran = scene.ralph(&["queue", "stop", "--now", "--json"]);
    assert!(ran.success().stdout.contains("RQ-0001") && ran.stdout.contains(r#""ended": true"#));
    scene.sandbox.nothing_runs();
    scene.go_on();
    scene.run(1, 0);
    scene.all_landed(2);
}
