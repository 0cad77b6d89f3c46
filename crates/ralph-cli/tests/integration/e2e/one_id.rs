//! Two checkouts give one id to two tasks, while a run is on or before it.

use ralph_testkit::wait_until;
use serde_json::Value;

use super::super::{RALPH, parse};
use super::{Books, PATIENCE, Remote, Scene};

/// Waits to be let go on, then keeps which task it was given.
const KEEPS: &str = r#"at_work
mkdir -p work; cp "$RALPH_TASK_JSON" "work/$(ls work | wc -l | tr -d ' ')-$ID.json""#;

/// The id, status and title of each task of a queue file.
fn shown(queue: &str) -> Vec<String> {
    let queue: Value = parse(queue);
    let tasks = queue["tasks"].as_array().expect("a list");
    let word = |task: &Value, field: &str| task[field].as_str().unwrap_or_default().to_owned();
    let line = |task| ["id", "status", "title"].map(|field| word(task, field)).join(" ");
    let mut lines: Vec<String> = tasks.iter().map(line).collect();
    lines.sort();
    lines
}

/// `is_merged`: the checkout has the other task before the one of this run lands.
fn both_are_done(is_merged: bool) {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let act = &[("RQ-0001", KEEPS), ("RQ-0002", KEEPS)];
    scene.act(act).tasks(1);
    let other = scene.sandbox.path("other");
    let remote = scene.remote.as_ref().expect("a remote").display().to_string();
    let (from, to) = (scene.dir.as_path(), other.display().to_string());
    scene.sandbox.git(from, ["clone", "--quiet", &remote, &to]);

    let run = scene.start(&["run", "loop", "--parallel", "2", "--max-tasks", "2"]);
    scene.ralph(&["task", "add", "mine"]).success();
    scene.wait_for_agent("RQ-0001");
    scene.wait_for_agent("RQ-0002");
    scene.sandbox.run(RALPH, &other, ["task", "add", "theirs"]).success();
    scene.sandbox.git(&other, ["commit", "--quiet", "--all", "--message", "theirs"]);
    scene.sandbox.git(&other, ["push", "--quiet"]);
    let [first, second] = if is_merged { ["RQ-0001", "RQ-0002"] } else { ["RQ-0002", "RQ-0001"] };
    scene.let_go(first);
    wait_until(PATIENCE, "the first to land", || scene.landed().len() == 1);
    if is_merged {
        // git takes the file away before it writes it anew.
        let queue = scene.dir.join(".ralph/queue.jsonc");
        let here = || fs_err::read_to_string(&queue).unwrap_or_default();
        wait_until(PATIENCE, "the other task here", || here().contains("theirs"));
    }
    scene.let_go(second);
    let ran = run.wait(PATIENCE);
    let told = &ran.success().stderr;
    assert!(told.contains("RQ-0002 landed as RQ-0003"), "{ran}");
    // The summary has the id that the queue has by now.
    let listed = |id: &str| ran.stdout.lines().any(|line| line.starts_with(id));
    assert!(listed("RQ-0003  landed") && !listed("RQ-0002"), "{ran}");
    assert!(told.contains("RQ-0003 was RQ-0002, an id that another task has"), "{ran}");
    let queue = scene.on_target(".ralph/queue.jsonc");
    let wanted = ["RQ-0001 done Task 1", "RQ-0002 todo theirs", "RQ-0003 done mine"];
    assert_eq!(shown(&queue), wanted, "{ran}");
    let here = fs_err::read_to_string(scene.dir.join(".ralph/queue.jsonc")).expect("a queue");
    assert_eq!(shown(&here), wanted, "{ran}");
    let subjects = scene.git(&["log", "--format=%s", "-4", "origin/main"]);
    assert!(subjects.contains("RQ-0003: mine"), "{subjects}");

    scene.run(2, 0);
    assert!(scene.landed().values().eq(&[1, 1, 1]), "{:?}", scene.landed());
    let wanted = ["RQ-0001 done Task 1", "RQ-0002 done theirs", "RQ-0003 done mine"];
    assert_eq!(shown(&scene.on_target(".ralph/queue.jsonc")), wanted);
    let here = fs_err::read_to_string(scene.dir.join(".ralph/queue.jsonc")).expect("a queue");
    assert_eq!(shown(&here), wanted);
    // What was added stands here where it was, so that the order may be another one.
    scene.git(&["checkout", "--quiet", "--", ".ralph/queue.jsonc"]);
    scene.nothing_left();
    // Each was given to an agent once.
    assert_eq!(scene.log("turns").len(), 3);
}

#[test]
fn a_task_whose_id_was_given_away_lands_under_another() {
    both_are_done(false);
}

#[test]
fn a_task_that_the_checkout_renumbers_meanwhile_lands_once() {
    both_are_done(true);
}

/// A run with `how` at a queue in which two tasks have one id, and a third needs that.
fn goes_on_with_the_others(how: &[&str]) {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(4);
    scene.ralph(&["task", "edit", "depends_on", "RQ-0001", "RQ-0004"]).success();
    let queue = scene.dir.join(".ralph/queue.jsonc");
    let text = fs_err::read_to_string(&queue).expect("a queue");
    // The first of them is begun, so that it would come before all others.
    let text = text.replace("RQ-0002", "RQ-0001").replacen("\"todo\"", "\"doing\"", 1);
    scene.sandbox.write(&queue, text);
    scene.publish("A merge of two branches");
    let loops = |more: &[&str]| {
        let args = [&["run", "loop"], how, more].concat();
        scene.start(&args).wait(PATIENCE)
    };
    let ran = loops(&[]);
    let told = &ran.success().stderr;
    assert!(
        told.contains("RQ-0001 has the id of another task, too (`ralph queue repair`)"),
        "{ran}"
    );
    assert!(scene.landed().keys().eq(["RQ-0003"]), "{:?}", scene.landed());
    assert!(!told.contains("while the agent of"), "{ran}");
    let ran = loops(&["--json"]);
    let taken = parse(&ran.success().stdout)["taken"].clone();
    assert_eq!(taken, serde_json::json!({ "RQ-0001": { "kind": "ambiguous_id" } }));
    assert_eq!(scene.log("turns").len(), 1);

    scene.ralph(&["queue", "repair"]).success();
    scene.publish("Repair the queue");
    loops(&[]).success();
    assert!(scene.landed().values().eq(&[1, 1, 1, 1]), "{:?}", scene.landed());
    let shown = shown(&scene.on_target(".ralph/queue.jsonc"));
    assert!(shown.iter().all(|line| line.contains(" done ")), "{shown:?}");
}

#[test]
fn a_run_in_the_checkout_passes_over_two_tasks_with_one_id() {
    goes_on_with_the_others(&[]);
}

#[test]
fn a_parallel_run_passes_over_two_tasks_with_one_id() {
    goes_on_with_the_others(&["--parallel", "2"]);
}
