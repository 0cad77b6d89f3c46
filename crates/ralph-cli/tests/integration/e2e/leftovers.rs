//! Processes that agents leave behind and that no marker tells: they end with the turn.

use ralph_process::identity_of;
use ralph_testkit::Signal;

use super::{Books, PATIENCE, Remote, Scene};

/// Leaves one process in the agent's group and one far away from it, both without environment,
/// and notes their numbers.
const LEAVE: &str = r#"
env -i sleep 600 & echo $! >> "$LOG/left"
setsid env -i sh -c '(trap "" TERM; sleep 600 & echo $! >> "$1")' leave "$LOG/left"
"#;

/// Every process that was left behind, of which there are `count`, is gone.
#[track_caller]
fn none_left(scene: &Scene, count: usize) {
    let left: Vec<u32> = scene.log("left").iter().map(|pid| pid.parse().expect("a pid")).collect();
    assert_eq!(left.len(), count, "{left:?}");
    let alive: Vec<_> = left.into_iter().filter_map(identity_of).collect();
    assert_eq!(alive, []);
    scene.sandbox.nothing_runs();
}

#[test]
fn whatever_ends_an_agent_nothing_of_it_is_left() {
    let signals = ["HUP", "INT", "QUIT", "TERM", "KILL", "SEGV"];
    for parallel in [&["--parallel", "2"][..], &[]] {
        let scene = Scene::new(Remote::None, Books::Tracked);
        scene.tasks(signals.len() + 1);
        let work = "mkdir -p work; echo $ID > work/$ID.txt";
        scene.act(&[("RQ-0007", &format!("{LEAVE}\n{work}"))]);
        for (number, signal) in (1..).zip(signals) {
            let act =
                format!("[ $RALPH_ATTEMPT != 1 ] || {{ {LEAVE}\nkill -{signal} $$; }}; {work}");
            scene.act(&[(&format!("RQ-{number:04}"), act.as_str())]);
        }
        scene.start(&[&["run", "loop"], parallel].concat()).wait(PATIENCE).success();
        none_left(&scene, 2 * (signals.len() + 1));
        scene.all_landed(signals.len() + 1);
    }
}

#[test]
fn a_run_that_is_stopped_leaves_nothing_either() {
    for parallel in [&["--parallel", "1"][..], &[]] {
        for signal in [Signal::HUP, Signal::INT, Signal::TERM] {
            let scene = Scene::new(Remote::None, Books::Tracked);
            scene.tasks(1);
            scene.act(&[("RQ-0001", &format!("{LEAVE}\nat_work"))]);
            let run = scene.start(&[&["run", "loop"], parallel].concat());
            scene.wait_for_agent("RQ-0001");
            run.signal(signal);
            let ended = run.wait(PATIENCE);
            assert_ne!(ended.code, Some(0), "{ended}");
            none_left(&scene, 2);
        }
    }
}
