//! Every process is killed at every recorded step; every task lands once.

use std::path::PathBuf;

use ralph_testkit::Ran;

use super::{Books, Remote, Scene};

/// What a worker records, in the order it does.
const WORKER_STEPS: [&str; 11] = [
    "workspace_ready",
    "spawn_intended",
    "working",
    "committed",
    "waiting",
    "rebased",
    "gating",
    "gate_green",
    "push_intended",
    "pushed",
    "recorded",
];

/// Kills `victims` when `point` is first reached, runs again until all is done.
#[track_caller]
fn survives(point: &str, victims: &str, remote: Remote, books: Books) {
    let scene = Scene::new(remote, books);
    scene.tasks(3);
    scene.killed_at(point, victims, &["run", "loop", "--parallel", "2"]);
    let again = scene.run(2, 0);
    scene.all_landed(3);
    let turns = scene.log("turns").len();
    // Committed work is never done again: only a crash before the commit costs a turn.
    let early = ["claimed", "spawned", "workspace_ready", "spawn_intended", "working"];
    let most = if early.iter().any(|step| point.ends_with(step)) { 4 } else { 3 };
    assert!((3..=most).contains(&turns), "{point} {victims:?}: {turns} turns, then {again}");
}

#[expect(clippy::print_stdout, reason = "the figures of the run")]
fn each_step(victims: &str, remote: Remote, books: Books) {
    for step in WORKER_STEPS {
        survives(&format!("worker.{step}"), victims, remote, books);
    }
    println!("{} points, victims {victims:?}: landed once, lost 0, twice 0", WORKER_STEPS.len());
}

#[test]
fn the_worker_is_killed() {
    each_step("self\n", Remote::Bare, Books::Tracked);
}

#[test]
fn the_coordinator_is_killed_and_its_worker_lives_on() {
    each_step("parent\n", Remote::Bare, Books::Tracked);
}

#[test]
fn coordinator_and_worker_are_killed_and_the_agent_lives_on() {
    each_step("parent\nself\n", Remote::None, Books::Tracked);
}

#[test]
fn coordinator_worker_and_agent_are_killed() {
    each_step("parent\nagents\nself\n", Remote::Bare, Books::Ignored);
}

/// A worker whose push arrived dies before it knows; `more` is what its workspace has besides then.
fn dies_before_the_answer(more: Option<&str>) -> (Scene, Ran) {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    // With a gate the workspace is tidied up before it runs.
    let config = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&config).expect("a configuration");
    scene.sandbox.write(&config, text.replace("\"enabled\": true", "\"enabled\": false"));
    scene.ralph(&["config", "trust", "init"]).success();
    scene.tasks(1);
    scene.killed_at("worker.push_intended", "parent\nself\n", &["run", "loop", "--parallel", "1"]);
    let record = scene.records().remove(0);
    let text = |field: &str| record[field].as_str().expect("it is recorded").to_owned();
    let (workspace, landing) = (PathBuf::from(text("workspace_path")), text("landing_commit"));
    scene.sandbox.git(&workspace, ["push", "--quiet", "origin", &format!("{landing}:main")]);
    if let Some(more) = more {
        scene.sandbox.write(workspace.join(more), "not landed");
    }
    let ran = scene.ralph(&["run", "loop", "--parallel", "1"]);
    ran.success();
    (scene, ran)
}

#[test]
fn a_workspace_with_nothing_but_what_landed_goes() {
    let (scene, ran) = dies_before_the_answer(None);
    assert!(!ran.stderr.contains("holds more"), "{ran}");
    scene.all_landed(1);
}

#[test]
fn a_workspace_with_more_stays_and_the_run_says_how_to_look_at_it() {
    let (scene, ran) = dies_before_the_answer(Some("more.txt"));
    let workspace = scene.sandbox.path(".workspaces/project/parallel/RQ-0001");
    let place = workspace.display();
    assert!(ran.stderr.contains("holds more than what landed"), "{ran}");
    assert!(ran.stderr.contains(&format!("`git -C {place} status` shows it")), "{ran}");
    // A path that is copied without its quotation marks would lead somewhere else.
    assert!(ran.stderr.contains("it is yours to remove") && !ran.stderr.contains("rm -r"), "{ran}");
    assert!(workspace.join("more.txt").exists(), "{ran}");
    assert_eq!(scene.landed().len(), 1);
}

/// The two steps that only a conflict and a red gate bring about.
#[test]
fn killed_while_the_agent_mends_what_cannot_land() {
    let together = "sed 's/^two/two by '$ID'/' shared.txt > s && cat s > shared.txt && rm s";
    for (point, acts) in [
        ("worker.resolving", [("RQ-0001", together), ("RQ-0002", together)]),
        ("worker.fixing", [("RQ-0001", "echo UNFINISHED > red.txt"), ("RQ-0002", "echo x > x")]),
    ] {
        for victims in ["self\n", "agents\n", "parent\nagents\nself\n"] {
            let scene = Scene::new(Remote::Bare, Books::Tracked);
            scene.tasks(2);
            scene.act(&acts);
            scene.killed_at(point, victims, &["run", "loop", "--parallel", "2"]);
            scene.run(2, 0);
            scene.all_landed(2);
            let work =
                scene.log("turns").iter().filter(|turn| turn.contains(" implement ")).count();
            assert_eq!(work, 2, "{point} {victims:?}: finished work is not done again");
        }
    }
}

#[test]
fn only_the_agent_is_killed() {
    survives("worker.working", "agents\n", Remote::Bare, Books::Tracked);
}

#[test]
fn the_coordinator_is_killed_at_its_own_steps() {
    for point in ["coordinator.claimed", "coordinator.spawned"] {
        survives(point, "self\n", Remote::Bare, Books::Tracked);
    }
}

#[test]
fn a_task_that_kills_its_worker_each_time_is_given_up() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    // The agent's parent is its worker.
    scene.act(&[("RQ-0001", "kill -9 $PPID; exit 1")]);
    let ran = scene.ralph(&["run", "loop", "--parallel", "2"]);
    let told = "RQ-0001: its worker ended: killed by signal 9";
    assert_eq!(ran.exited(1).stderr.matches(told).count(), 3, "{ran}");
    assert!(ran.stderr.contains("landed     RQ-0002"), "{ran}");
    assert!(ran.stderr.contains("failed     RQ-0001"), "{ran}");
    assert_eq!(scene.log("turns").iter().filter(|turn| turn.starts_with("RQ-0001")).count(), 3);
}
