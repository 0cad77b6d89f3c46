//! The state file is lost or damaged: `recover` makes it again, and every task lands once.

use ralph_testkit::{Signal, wait_until};

use super::{Books, PATIENCE, Remote, Scene};

impl Scene {
    fn state_file(&self) -> std::path::PathBuf {
        self.dir.join(".ralph/cache/parallel/state.json")
    }

    /// Cuts the state file off in the middle.
    fn truncate_state(&self) -> Vec<u8> {
        let bytes = fs_err::read(self.state_file()).expect("there is a state file");
        let half = bytes[..bytes.len() / 2].to_vec();
        self.sandbox.write(self.state_file(), &half);
        half
    }

    #[track_caller]
    fn recover(&self) -> serde_json::Value {
        let ran = self.ralph(&["run", "parallel", "recover", "--json"]);
        crate::parse(&ran.success().stdout)
    }

    /// Where each task's record comes from.
    fn origins(recovered: &serde_json::Value) -> Vec<(String, String)> {
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let tasks = recovered["tasks"].as_array().expect("a list");
        tasks.iter().map(|task| (word(&task["task_id"]), word(&task["from"]))).collect()
    }
}

/// Two workers whose agents wait, and no coordinator.
fn two_orphans(scene: &Scene) {
    scene.tasks(3);
    let go = scene.sandbox.path("go");
    let act = format!(
        "mkdir -p work; echo $ID > work/$ID.txt; while [ ! -e '{}' ]; do sleep 0.02; done",
        go.display()
    );
    scene.act(&[("RQ-0001", act.as_str()), ("RQ-0002", act.as_str())]);
    let run = scene.start(&["run", "loop", "--parallel", "2"]);
    wait_until(PATIENCE, "both agents are at work", || scene.log("turns").len() == 2);
    wait_until(PATIENCE, "both turns are recorded", || {
        scene.records().iter().all(|record| record["step"] == "working")
    });
    run.signal(Signal::KILL);
    drop(run.wait(PATIENCE));
}

#[test]
fn living_workers_are_adopted_and_no_task_is_started_twice() {
    for keep in [0, 1] {
        let scene = Scene::new(Remote::Bare, Books::Tracked);
        two_orphans(&scene);
        let left = match keep {
            0 => {
                scene.sandbox.write(scene.state_file(), "");
                Vec::new()
            }
            _ => scene.truncate_state(),
        };
        let ran = scene.ralph(&["run", "loop", "--parallel", "2"]);
        assert!(ran.exited(3).stderr.contains("ralph run parallel recover"), "{ran}");
        let dry = scene.ralph(&["run", "parallel", "recover", "--dry-run"]);
        assert!(dry.success().stdout.contains("RQ-0002  its worker lives"), "{dry}");
        assert_eq!(fs_err::read(scene.state_file()).expect("still there"), left);

        let recovered = scene.recover();
        for (task, from) in Scene::origins(&recovered) {
            assert!(from == "worker" || (keep > 0 && from == "state_file"), "{task}: {from}");
        }
        let aside = recovered["set_aside"].as_str().expect("the old bytes are kept");
        assert_eq!(fs_err::read(aside).expect("readable"), left);
        for record in scene.records() {
            assert!(record["attempt_id"].is_string(), "{record}");
        }
        scene.sandbox.write("go", "");
        scene.run(2, 0);
        scene.all_landed(3);
        assert_eq!(scene.log("turns").len(), 3, "no agent is asked twice");
    }
}

#[test]
fn living_workers_without_a_state_file_are_seen_by_every_command() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    two_orphans(&scene);
    fs_err::remove_file(scene.state_file()).expect("there is a state file");
    let json = |args: &[&str]| {
        let ran = scene.ralph(&[args, &["--json"]].concat());
        crate::parse(&ran.success().stdout)
    };
    let recover = "ralph run parallel recover";
    let status = json(&["run", "parallel", "status"]);
    assert_eq!(status["lifecycle_counts"]["running"], 2, "{status}");
    assert_eq!(status["continuation"]["next_steps"][0]["command"], recover, "{status}");
    for args in [&["run", "parallel", "status"][..], &["doctor"], &["queue", "ready"]] {
        let ran = scene.ralph(args);
        let told = format!("{}{}", ran.success().stdout, ran.stderr);
        assert!(told.contains("RQ-0001") && told.contains(recover), "{ran}");
    }
    let ready = json(&["queue", "ready"]);
    assert_eq!((&ready["total"], &ready["items"][0]["id"]), (&1.into(), &"RQ-0003".into()));
    assert_eq!(json(&["queue", "next"])["task"]["id"], "RQ-0003");
    assert_eq!(json(&["queue", "explain"])["items"][0]["reasons"][0]["kind"], "underway");
    for args in [&["queue", "claim", "--id", "RQ-0001"][..], &["run", "one", "--id", "RQ-0001"]] {
        let ran = scene.ralph(args);
        assert!(ran.exited(3).stderr.contains("is being worked on"), "{ran}");
    }
    scene.recover();
    scene.sandbox.write("go", "");
    scene.run(2, 0);
    scene.all_landed(3);
    assert_eq!(scene.log("turns").len(), 3, "no agent is asked twice");
}

#[test]
fn workspaces_without_a_state_file_are_told() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    two_orphans(&scene);
    for pid in scene.sandbox.processes() {
        // It may be gone with another by now.
        drop(scene.sandbox.run("kill", &scene.dir, ["-9", &pid.to_string()]));
    }
    wait_until(PATIENCE, "all are dead", || scene.sandbox.processes().is_empty());
    fs_err::remove_file(scene.state_file()).expect("there is a state file");
    for args in [&["run", "parallel", "status"][..], &["doctor"]] {
        let ran = scene.ralph(args);
        let told = format!("{}{}", ran.success().stdout, ran.stderr);
        assert!(told.contains("left") && told.contains("ralph run parallel recover"), "{ran}");
    }
    let turns = scene.log("turns").len();
    let ran = scene.ralph(&["run", "loop", "--parallel", "2"]);
    assert!(ran.exited(3).stderr.contains("ralph run parallel recover"), "{ran}");
    assert_eq!(scene.log("turns").len(), turns, "nothing is done twice unasked");
    scene.recover();
    scene.sandbox.write("go", "");
    scene.run(2, 0);
    scene.all_landed(3);
}

#[test]
fn a_living_worker_whose_gate_runs_lands_its_work() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    let go = scene.sandbox.path("go");
    let gate = fs_err::read_to_string(scene.sandbox.path("bin/gate.sh")).expect("written");
    let wait = format!("{gate}\nwhile [ ! -e '{}' ]; do sleep 0.02; done\n", go.display());
    scene.sandbox.write("bin/gate.sh", wait);
    let run = scene.start(&["run", "loop", "--parallel", "2"]);
    wait_until(PATIENCE, "one is in the gate, the other waits", || {
        scene.log("gates").len() == 1
            && scene.records().iter().any(|record| record["step"] == "waiting")
    });
    run.signal(Signal::KILL);
    drop(run.wait(PATIENCE));
    scene.sandbox.write(scene.state_file(), "");
    let mut origins: Vec<String> =
        Scene::origins(&scene.recover()).into_iter().map(|(_, from)| from).collect();
    origins.sort();
    // The one that waited looks at the state file all the time, and may have met the empty one.
    assert!(origins == ["commit", "worker"] || origins == ["worker", "worker"], "{origins:?}");
    scene.sandbox.write("go", "");
    scene.run(2, 0);
    scene.all_landed(2);
    assert_eq!(scene.log("turns").len(), 2, "no agent is asked twice");
}

#[test]
fn nothing_is_recovered_beside_a_run() {
    let scene = Scene::new(Remote::None, Books::Ignored);
    scene.tasks(1);
    let go = scene.sandbox.path("go");
    let act = format!("echo x > x; while [ ! -e '{}' ]; do sleep 0.02; done", go.display());
    scene.act(&[("RQ-0001", act.as_str())]);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    wait_until(PATIENCE, "the turn is recorded", || {
        scene.state_file().exists()
            && scene.records().iter().any(|record| record["step"] == "working")
    });
    let before = fs_err::read(scene.state_file()).expect("there is a state file");
    let ran = scene.ralph(&["run", "parallel", "recover"]);
    assert!(ran.exited(4).stderr.contains("another run is active"), "{ran}");
    assert_eq!(fs_err::read(scene.state_file()).expect("still there"), before);
    scene.sandbox.write("go", "");
    run.wait(PATIENCE).success();
    scene.all_landed(1);
    let ran = scene.ralph(&["run", "parallel", "recover"]);
    assert!(ran.success().stderr.contains("nothing to recover"), "{ran}");
}

/// Coordinator and worker die at each step, and the state file with them.
#[test]
fn whatever_step_was_reached_every_task_lands_once() {
    let steps = [
        ("workspace_ready", 4),
        ("working", 4),
        ("waiting", 3),
        ("rebased", 3),
        ("gating", 3),
        ("gate_green", 3),
        ("push_intended", 3),
        ("pushed", 3),
        ("recorded", 3),
    ];
    for (nth, (step, turns)) in steps.into_iter().enumerate() {
        let books = if nth % 2 == 0 { Books::Tracked } else { Books::Ignored };
        let remote = if nth % 3 == 0 { Remote::None } else { Remote::Bare };
        let scene = Scene::new(remote, books);
        scene.tasks(3);
        let (point, victims) = (format!("worker.{step}"), "parent\nagents\nself\n");
        scene.killed_at(&point, victims, &["run", "loop", "--parallel", "1"]);
        scene.sandbox.write(scene.state_file(), "{ \"schema_version\": 3, \"started");
        let recovered = scene.recover();
        scene.run(2, 0);
        scene.all_landed(3);
        let had = scene.log("turns").len();
        assert!(had <= turns, "{step}: {had} turns after {recovered}");
    }
}

#[test]
fn one_bad_record_is_named_and_the_others_stay() {
    let scene = Scene::new(Remote::None, Books::Ignored);
    scene.tasks(2);
    scene.act(&[("RQ-0001", "exit 1"), ("RQ-0002", "exit 1")]);
    scene.run(2, 1);
    let text = fs_err::read_to_string(scene.state_file()).expect("there is a state file");
    let bad = text.replacen("\"workspace_path\": \"", "\"workspace_path\": 7, \"was\": \"", 1);
    scene.sandbox.write(scene.state_file(), &bad);

    let status = scene.ralph(&["run", "parallel", "status"]);
    let status = status.exited(3);
    assert!(status.stderr.contains("`workers[0].workspace_path`: "), "{status}");
    assert!(status.stderr.contains(" at line "), "{status}");
    assert!(status.stderr.contains("`ralph run parallel recover`"), "{status}");
    assert!(status.stdout.contains("RQ-0002  failed"), "{status}");
    let json = crate::parse(&scene.ralph(&["run", "parallel", "status", "--json"]).stdout);
    assert_eq!(json["damage"][0]["task_id"], "RQ-0001", "{json}");
    assert_eq!(json["status"]["workers"][0]["task_id"], "RQ-0002", "{json}");

    let ready = scene.ralph(&["queue", "ready"]);
    assert!(ready.success().stdout.is_empty(), "neither may be started: {ready}");
    let retry = scene.ralph(&["run", "parallel", "retry", "--task", "RQ-0002"]);
    assert!(retry.exited(3).stderr.contains("ralph run parallel recover"), "{retry}");

    let recovered = scene.recover();
    assert_eq!(Scene::origins(&recovered)[0], ("RQ-0002".to_owned(), "state_file".to_owned()));
    assert_eq!(
        fs_err::read_to_string(recovered["set_aside"].as_str().expect("kept")).ok(),
        Some(bad)
    );
    scene.ralph(&["run", "parallel", "retry", "--task", "RQ-0002"]).success();
}

#[test]
fn status_shows_what_an_older_version_left_and_numbers_to_the_letter() {
    let scene = Scene::new(Remote::None, Books::Ignored);
    let old = r#"{"started_at":"2026-01-01T00:00:00Z","base_branch":"main","tasks_in_flight":
        [{"task_id":"RQ-0009","workspace_path":"/w/RQ-0009","pid":77}],"prs":[]}"#;
    scene.sandbox.write(scene.state_file(), old);
    let shown = scene.ralph(&["run", "parallel", "status"]);
    let text = &shown.success().stdout;
    assert!(text.contains("RQ-0009  failed") && text.contains("process 77"), "{shown}");
    assert!(!text.contains("Nothing is running"), "{shown}");
    assert_eq!(fs_err::read_to_string(scene.state_file()).ok().as_deref(), Some(old));
    let run = scene.ralph(&["run", "loop", "--parallel", "1"]);
    let told = "the state file was of version 1; taken over: RQ-0009; as it was: `";
    assert!(run.stderr.contains(told) && run.stderr.contains("state.v1.json.bak`"), "{run}");

    let exact = r#"{"schema_version":3,"workers":[],"big":1e400,"long":12345678901234567890123}"#;
    scene.sandbox.write(scene.state_file(), exact);
    let shown = scene.ralph(&["run", "parallel", "status", "--json"]);
    let text = &shown.success().stdout;
    assert!(text.contains("1e400") && text.contains("12345678901234567890123"), "{shown}");
}

#[test]
fn a_state_file_that_is_lost_under_a_living_run_ends_it_and_its_workers() {
    let scene = Scene::new(Remote::None, Books::Ignored);
    scene.tasks(3);
    let waits = "echo half > half.txt; at_work; rm half.txt; echo $ID > $ID.txt";
    scene.act(&[("RQ-0001", waits), ("RQ-0002", waits)]);
    let run = scene.start(&["run", "loop", "--parallel", "2"]);
    for task in ["RQ-0001", "RQ-0002"] {
        scene.wait_for_agent(task);
    }
    // After that nobody writes a record, which would bring the file back.
    wait_until(PATIENCE, "both agents recorded", || {
        scene.records().iter().all(|record| record["agent"].is_object())
    });
    fs_err::remove_file(scene.state_file()).expect("it is there");
    let ran = run.wait(PATIENCE);
    let told = &ran.exited(3).stderr;
    assert!(told.contains("is gone") && told.contains("`ralph run parallel recover`"), "{ran}");
    scene.sandbox.nothing_runs();
    assert!(!scene.state_file().exists(), "no other one takes its place");
    let recovered = scene.recover();
    let workspace = |task: &str| (task.to_owned(), "workspace".to_owned());
    assert_eq!(Scene::origins(&recovered), [workspace("RQ-0001"), workspace("RQ-0002")]);
    scene.go_on();
    scene.run(2, 0);
    scene.all_landed(3);
}
