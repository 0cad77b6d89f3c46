//! A task that a run has in hand: what others may change of it.

use ralph_testkit::wait_until;

use super::{Books, PATIENCE, Remote, Scene};

/// An agent that waits for `go`, and before that marks a task done if it is to.
const WAITS: &str = r#"touch "$LOG/up"; while [ ! -e "$LOG/go" ]; do sleep 0.05; done
if [ -e "$LOG/says" ]; then $(cat "$LOG/says"); fi
echo x > x.txt"#;

#[test]
fn how_a_task_ends_that_a_run_has_in_hand_is_for_the_run_to_write() {
    for (remote, way) in [(Remote::Bare, &["--parallel", "1"][..]), (Remote::None, &[])] {
        let scene = Scene::new(remote, Books::Tracked);
        scene.act(&[("RQ-0001", WAITS)]).tasks(2);
        let run = scene.start(&[&["run", "loop", "--max-tasks", "1"], way].concat());
        let up = scene.sandbox.path("log/up");
        wait_until(PATIENCE, "the agent at work", || up.exists());
        let kind = if way.is_empty() { "a run in your checkout" } else { "a parallel run" };
        let refused = [
            &["task", "reject", "RQ-0001"][..],
            &["task", "done", "RQ-0001"],
            &["task", "status", "draft", "RQ-0002", "RQ-0001"],
            &["task", "edit", "status", "done", "RQ-0001"],
            &["task", "batch", "delete", "RQ-0001"],
            &["task", "split", "RQ-0001"],
        ];
        for args in refused {
            let ran = scene.ralph(args);
            let told = &ran.exited(4).stderr;
            assert!(told.contains("RQ-0001") && told.contains(kind), "{ran}");
            assert!(told.contains("`ralph queue stop`"), "{ran}");
        }
        // What a run would be refused for, its rehearsal is refused for too.
        for args in [&["run", "one"][..], &["run", "loop"], &["run", "loop", "--parallel", "2"]] {
            for args in [args, &[args, &["--dry-run"]].concat()] {
                let ran = scene.ralph(args);
                assert!(ran.exited(4).stderr.contains("another run is active"), "{ran}");
            }
        }
        scene.ralph(&["task", "edit", "title", "Another title", "RQ-0001"]).success();
        scene.ralph(&["task", "status", "draft", "RQ-0002"]).success();
        scene.sandbox.write("log/go", "");
        run.wait(PATIENCE).success();
        let shown = super::super::parse(&scene.ralph(&["task", "show", "RQ-0001"]).stdout);
        assert_eq!((&shown["status"], &shown["title"]), (&"done".into(), &"Another title".into()));
        // Nobody has it in hand any more.
        scene.ralph(&["task", "status", "todo", "RQ-0001"]).success();
    }
}

#[test]
fn an_agent_may_end_the_task_of_its_own_turn() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let ralph = super::super::RALPH;
    let says = format!("{ralph} task done RQ-0001 --note said");
    scene.sandbox.write("log/says", says);
    scene.sandbox.write("log/go", "");
    scene.act(&[("RQ-0001", WAITS)]).tasks(1);
    scene.ralph(&["run", "loop"]).success();
    scene.all_landed(1);
}
