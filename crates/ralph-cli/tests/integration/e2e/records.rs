//! State files that no run of this version leaves behind: nothing is done twice, nothing is lost,
//! and no run goes on for ever.

use ralph_testkit::{Signal, wait_until};
use serde_json::{Value, json};

use super::super::parse;
use super::{Books, PATIENCE, Remote, Scene};

fn scene(count: usize) -> Scene {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(count);
    scene
}

fn record(task: &str, lifecycle: &str) -> Value {
    json!({
        "task_id": task, "workspace_path": format!("/nowhere/{task}"),
        "lifecycle": lifecycle, "started_at": "2026-01-01T00:00:00Z",
    })
}

fn write_records(scene: &Scene, records: &[Value]) {
    let state = json!({
        "schema_version": 3, "started_at": "2026-01-01T00:00:00Z",
        "target_branch": "main", "workers": records,
    });
    scene.sandbox.write(scene.dir.join(".ralph/cache/parallel/state.json"), state.to_string());
}

#[test]
fn two_records_of_one_task_become_one() {
    for first in ["running", "failed", "blocked_push"] {
        let scene = scene(2);
        write_records(&scene, &[record("RQ-0001", first), record("RQ-0001", "running")]);
        scene.run(2, 0);
        scene.all_landed(2);
        assert_eq!(scene.log("turns").len(), 2);
    }
}

#[test]
fn of_two_records_the_one_with_work_lands_it() {
    let scene = scene(1);
    scene.killed_at("worker.committed", "parent\nself\n", &["run", "loop", "--parallel", "1"]);
    let mut records = vec![record("RQ-0001", "failed"), record("RQ-0001", "running")];
    records.extend(scene.records());
    write_records(&scene, &records);
    scene.run(1, 0);
    scene.all_landed(1);
    assert_eq!(scene.log("turns").len(), 1, "no agent is asked again");
}

#[test]
fn records_that_nobody_can_act_on_are_told_and_have_a_way_out() {
    let scene = scene(1);
    let stuck = [record("RQ-0001", "paused"), record("../../x", "running"), record("", "running")];
    write_records(&scene, &stuck);
    let summary = scene.run(1, 1);
    assert_eq!(summary["blocked"], 3, "{summary}");
    assert!(summary["tasks"].to_string().contains("paused"), "{summary}");
    for task in summary["tasks"].as_array().expect("a list") {
        assert!(task["seconds"].as_f64() < Some(3600.0), "the months before are not counted");
    }
    for task in ["RQ-0001", "../../x", ""] {
        scene.ralph(&["run", "parallel", "retry", "--task", task]).success();
    }
    scene.run(1, 0);
    scene.all_landed(1);
}

#[test]
fn a_task_whose_worker_lives_is_not_started_though_its_record_is_gone() {
    let scene = scene(2);
    let lasting = "mkdir -p work; echo $ID > work/$ID.txt; at_work";
    scene.act(&[("RQ-0001", lasting)]);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    // Else the worker may write the file again that is to be gone.
    wait_until(PATIENCE, "its turn is recorded", || scene.records()[0]["step"] == "working");
    run.signal(Signal::KILL);
    drop(run.wait(PATIENCE));
    let state = scene.dir.join(".ralph/cache/parallel/state.json");
    fs_err::remove_file(state).expect("removable");
    let turns = || scene.log("turns").iter().filter(|turn| turn.starts_with("RQ-0001")).count();
    let ran = scene.ralph(&["run", "loop", "--parallel", "2"]);
    assert!(ran.exited(3).stderr.contains("living workers: 1, workspaces: 1"), "{ran}");
    scene.ralph(&["run", "one", "--id", "RQ-0001"]).exited(3);
    assert_eq!(turns(), 1, "nobody else works on it");
    scene.ralph(&["run", "parallel", "recover"]).success();
    scene.go_on();
    scene.run(2, 0);
    assert_eq!(turns(), 1, "its worker was adopted");
    scene.all_landed(2);
}

#[test]
fn what_an_agent_committed_itself_is_seen_in_the_list_of_kept_work() {
    let scene = scene(1);
    let commits = "echo one > one.txt; git add -A; git commit -qm One; \
                   echo two > two.txt; git add -A; git commit -qm Two; exit 9";
    scene.act(&[("RQ-0001", commits)]);
    scene.run(1, 1);
    let list = scene.ralph(&["rescue", "list", "--json"]);
    let list = parse(&list.success().stdout);
    let kept = &list["items"][0];
    assert_eq!((&kept["files"], &kept["subject"]), (&2.into(), &"Two".into()), "{list}");
    let name = kept["name"].as_str().expect("a name").to_owned();
    let shown = scene.ralph(&["rescue", "show", &name]);
    assert!(shown.stdout.contains("+one") && shown.stdout.contains("+two"), "{shown}");
}

#[test]
fn the_status_names_one_command_for_all_that_failed() {
    let scene = scene(2);
    scene.act(&[("RQ-0001", "exit 9"), ("RQ-0002", "exit 9")]);
    scene.run(2, 1);
    let status = scene.ralph(&["run", "parallel", "status"]);
    assert!(status.success().stderr.contains("`ralph run parallel retry --all`"), "{status}");
    scene.ralph(&["run", "parallel", "retry", "--all"]).success();
    let status = scene.ralph(&["run", "parallel", "status"]);
    assert!(
        status.success().stdout.starts_with("Unfinished work waits for the next run"),
        "{status}"
    );
}

#[test]
fn a_task_that_failed_is_told_the_same_way_everywhere() {
    let scene = scene(3);
    scene.act(&[("RQ-0001", "echo boom >&2; exit 9")]);
    scene.ralph(&["task", "edit", "depends_on", "RQ-0001", "RQ-0003"]).success();
    scene.publish("RQ-0003 waits");
    let ran = scene.ralph(&["run", "loop", "--parallel", "1", "--max-tasks", "1"]);
    ran.exited(1);
    let retry = "ralph run parallel retry --task RQ-0001";
    for (args, code) in [
        (&["queue", "explain"][..], 0),
        (&["queue", "ready"], 0),
        (&["queue", "next", "--explain"], 0),
        (&["run", "parallel", "status"], 0),
        (&["run", "loop", "--parallel", "2", "--dry-run"], 0),
        (&["run", "one", "--id", "RQ-0001"], 3),
        (&["run", "one", "--id", "RQ-0001", "--dry-run"], 3),
        (&["queue", "claim", "--id", "RQ-0001"], 3),
    ] {
        let ran = scene.ralph(args);
        let told = format!("{}{}", ran.exited(code).stdout, ran.stderr);
        assert!(told.contains("failed") && told.contains("boom"), "{ran}");
        assert!(told.contains(retry), "{ran}");
    }
    let next = scene.ralph(&["queue", "next"]);
    assert_eq!(next.success().stdout, "RQ-0002\n");
    let plan = scene.ralph(&["run", "loop", "--parallel", "2", "--dry-run", "--json"]);
    let plan = &parse(&plan.success().stdout)["plan"];
    assert_eq!((&plan["starts"], &plan["follows"]), (&json!(["RQ-0002"]), &json!([])), "{plan}");
    let reason = |row: usize| plan["waits"][row]["reasons"][0]["kind"].clone();
    assert_eq!((reason(0), reason(1)), ("failed".into(), "unmet_dependencies".into()), "{plan}");
    assert_eq!(scene.log("turns").len(), 3, "a dry run asks no agent");
    // Nothing was cut short of what the user wants tried again, and a run is named as it was.
    let status = || scene.ralph(&["run", "parallel", "status"]);
    scene.ralph(&["run", "parallel", "retry", "--task", "RQ-0001"]).success();
    let ran = status();
    assert!(ran.stdout.contains("RQ-0001  waits for the next run"), "{ran}");
    assert!(ran.stderr.contains("`ralph run loop --parallel 1`"), "{ran}");
    scene.ralph(&["run", "loop", "--parallel", "1", "--max-tasks", "1"]).exited(1);
    // What the user ended needs nobody, and is no failure of a later run.
    for task in ["RQ-0001", "RQ-0003"] {
        scene.ralph(&["task", "reject", task]).success();
    }
    let ran = status();
    assert!(!ran.stderr.contains("retry") && ran.stdout.contains("nothing needs you"), "{ran}");
    assert!(ran.stdout.contains("its task is rejected in the queue"), "{ran}");
    scene.ralph(&["run", "loop", "--parallel", "1"]).success();
}
