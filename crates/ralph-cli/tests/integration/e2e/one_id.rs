//! Two checkouts give one id to two tasks, while a run is on or before it.

use std::path::{Path, PathBuf};

use ralph_testkit::{Ran, wait_until};
use serde_json::{Value, json};

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

/// A checkout on another machine.
fn other(scene: &Scene) -> PathBuf {
    let other = scene.sandbox.path("other");
    let remote = scene.remote.as_ref().expect("a remote").display().to_string();
    let (from, to) = (scene.dir.as_path(), other.display().to_string());
    scene.sandbox.git(from, ["clone", "--quiet", &remote, &to]);
    other
}

/// Adds a task there, and pushes it.
fn add_theirs(scene: &Scene, other: &Path) {
    scene.sandbox.run(RALPH, other, ["task", "add", "theirs"]).success();
    scene.sandbox.git(other, ["commit", "--quiet", "--all", "--message", "theirs"]);
    scene.sandbox.git(other, ["push", "--quiet"]);
}

/// `is_merged`: the checkout has the other task before the one of this run lands.
fn both_are_done(is_merged: bool) {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let act = &[("RQ-0001", KEEPS), ("RQ-0002", KEEPS)];
    scene.act(act).tasks(1);
    let other = other(&scene);
    let run = scene.start(&["run", "loop", "--parallel", "2", "--max-tasks", "2"]);
    scene.ralph(&["task", "add", "mine"]).success();
    scene.wait_for_agent("RQ-0001");
    scene.wait_for_agent("RQ-0002");
    add_theirs(&scene, &other);
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

/// The tasks in the checkout.
fn shown_here(scene: &Scene) -> Vec<String> {
    shown(&fs_err::read_to_string(scene.dir.join(".ralph/queue.jsonc")).expect("a queue"))
}

#[test]
fn what_a_user_adds_keeps_its_id_beside_what_an_agent_adds() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let add = format!("'{RALPH}' task add found >&2; at_work; echo x > x.txt");
    scene.act(&[("RQ-0001", &add)]).tasks(1);
    let run = scene.start(&["run", "loop", "--parallel", "1", "--max-tasks", "1"]);
    scene.wait_for_agent("RQ-0001");
    let told = scene.ralph(&["task", "add", "mine"]);
    assert!(told.success().stdout.starts_with("RQ-0002"), "{told}");
    scene.let_go("RQ-0001");
    let ran = run.wait(PATIENCE);
    assert!(!ran.success().stderr.contains(" now: "), "{ran}");
    let wanted = ["RQ-0001 done Task 1", "RQ-0002 todo mine", "RQ-0003 todo found"];
    assert_eq!(shown_here(&scene), wanted, "{ran}");
    let wanted = ["RQ-0001 done Task 1", "RQ-0003 todo found"];
    assert_eq!(shown(&scene.on_target(".ralph/queue.jsonc")), wanted);
}

/// A run in which another machine lands a task under the id of one that the user adds here.
fn renumbers_mine(format: &[&str]) -> Ran {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.act(&[("RQ-0001", KEEPS)]).tasks(1);
    let other = other(&scene);
    let args = ["run", "loop", "--parallel", "1", "--max-tasks", "1"];
    let run = scene.start(&[&args, format].concat());
    scene.wait_for_agent("RQ-0001");
    scene.ralph(&["task", "add", "mine"]).success();
    add_theirs(&scene, &other);
    scene.let_go("RQ-0001");
    let ran = run.wait(PATIENCE);
    let wanted = ["RQ-0001 done Task 1", "RQ-0002 todo theirs", "RQ-0003 todo mine"];
    assert_eq!(shown_here(&scene), wanted, "{ran}");
    ran
}

#[test]
fn a_run_tells_which_task_of_the_user_has_another_id() {
    let ran = renumbers_mine(&[]);
    let told = &ran.success().stderr;
    assert_eq!(told.matches("RQ-0002 is RQ-0003 now").count(), 1, "{ran}");
    let ran = renumbers_mine(&["--json"]);
    let summary: Value = parse(&ran.success().stdout);
    assert_eq!(summary["renamed"], json!({ "RQ-0002": "RQ-0003" }));
}

#[test]
fn what_an_agent_adds_gets_another_id_where_the_target_has_given_it() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let add = format!("'{RALPH}' task add found >&2; at_work; echo x > x.txt");
    scene.act(&[("RQ-0001", &add)]).tasks(1);
    let other = other(&scene);
    let run = scene.start(&["run", "loop", "--parallel", "1", "--max-tasks", "1"]);
    scene.wait_for_agent("RQ-0001");
    add_theirs(&scene, &other);
    scene.let_go("RQ-0001");
    run.wait(PATIENCE).success();
    let wanted = ["RQ-0001 done Task 1", "RQ-0002 todo theirs", "RQ-0003 todo found"];
    assert_eq!(shown_here(&scene), wanted);
    // It was set aside before it landed: nobody here was given it meanwhile.
    let marks = fs_err::read_to_string(scene.dir.join(".git/ralph/ids.json")).expect("marks");
    assert_eq!(parse(&marks)["highest"]["RQ"], 3, "{marks}");
}

#[test]
fn what_an_agent_adds_gets_no_id_that_the_user_was_told() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let add = format!("'{RALPH}' task add found >&2; at_work; echo x > x.txt");
    scene.act(&[("RQ-0001", &add)]).tasks(1);
    let run = scene.start(&["run", "loop", "--parallel", "1", "--max-tasks", "1"]);
    scene.wait_for_agent("RQ-0001");
    scene.ralph(&["task", "add", "mine"]).success();
    scene.git(&["checkout", "--quiet", "--", ".ralph/queue.jsonc"]);
    scene.let_go("RQ-0001");
    run.wait(PATIENCE).success();
    assert_eq!(shown_here(&scene), ["RQ-0001 done Task 1", "RQ-0003 todo found"]);
}

#[test]
fn an_agent_finds_its_task_that_the_target_lacks() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    // The first attempt leaves nothing that would have to be kept.
    let act = format!(
        "[ $RALPH_ATTEMPT != 1 ] || exit 1\n\
         '{RALPH}' task show $ID > $LOG/shown\n\
         '{RALPH}' task add found --relates-to $ID >&2\n\
         '{RALPH}' task note $ID 'a word' >&2\n\
         mkdir -p work; echo x > work/x.txt"
    );
    scene.act(&[("RQ-0002", &act)]);
    scene.ralph(&["task", "add", "mine"]).success();
    let run = scene.start(&["run", "loop", "--parallel", "1", "--max-tasks", "2"]);
    let ran = run.wait(PATIENCE);
    ran.success();
    let own: Value = parse(&scene.log("shown").join("\n"));
    assert_eq!((&own["id"], &own["title"]), (&"RQ-0002".into(), &"mine".into()), "{ran}");
    assert!(scene.landed().values().eq(&[1, 1]), "{:?}", scene.landed());
    let wanted = ["RQ-0001 done Task 1", "RQ-0002 done mine", "RQ-0003 todo found"];
    assert_eq!(shown(&scene.on_target(".ralph/queue.jsonc")), wanted, "{ran}");
    assert_eq!(shown_here(&scene), wanted, "{ran}");
    let queue: Value = parse(&scene.on_target(".ralph/queue.jsonc"));
    let task = |id: &str| {
        let tasks = queue["tasks"].as_array().expect("a list");
        tasks.iter().find(|task| task["id"] == id).expect("it is there").clone()
    };
    assert_eq!(task("RQ-0002")["notes"], serde_json::json!(["a word"]));
    assert_eq!(task("RQ-0003")["relates_to"], serde_json::json!(["RQ-0002"]));
    assert_eq!(scene.git(&["for-each-ref", "refs/ralph/rescue"]), "", "{ran}");
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
