//! What is wrong with the machine, or changes under a run, is no task's fault: the run stops, the
//! work waits, and the next run goes on.

use ralph_testkit::{Running, wait_until};

use super::super::parse;
use super::{Books, PATIENCE, Remote, Scene};

/// Tells that it is up, then waits to be told to go on.
const LASTING: &str = "mkdir -p work; echo $ID > work/$ID.txt; at_work";

/// A run of one worker at a time whose first agent is at work.
fn under_way(scene: &Scene) -> Running {
    scene.act(&[("RQ-0001", LASTING)]);
    let run = scene.start(&["run", "loop", "--parallel", "1", "--json"]);
    scene.wait_for_agent("RQ-0001");
    run
}

#[test]
fn a_run_has_one_configuration_from_start_to_end() {
    let edits: [fn(&str) -> String; 2] =
        [|text| text.replace("gate.sh", "other.sh"), |text| text[..text.len() / 2].to_owned()];
    for edit in edits {
        let scene = Scene::new(Remote::Bare, Books::Tracked);
        scene.tasks(3);
        let run = under_way(&scene);
        let config = scene.dir.join(".ralph/config.jsonc");
        let before = fs_err::read_to_string(&config).expect("written");
        scene.sandbox.write(&config, edit(&before));
        scene.go_on();
        run.wait(PATIENCE).success();
        scene.sandbox.write(&config, &before);
        scene.all_landed(3);
        assert_eq!(scene.log("gates").len(), 3, "the gate is the one it began with");
    }
}

/// Memory, processes or git itself may be wanting for a moment, and the workers be none the worse.
#[test]
fn a_git_that_fails_a_run_for_a_while_ends_no_worker() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    scene.act(&[("RQ-0001", LASTING), ("RQ-0002", LASTING)]);
    let env = scene.sandbox.env();
    let path = env.iter().find(|(name, _)| name == "PATH").expect("a PATH").1.display();
    let broken = scene.sandbox.path("broken");
    // Workers have a marker, and the run itself has none.
    scene.sandbox.script(
        "fake/git",
        &format!(
            "[ ! -e '{}' ] || [ -n \"${{RALPH_PROCESS_MARKER:-}}\" ] || exit 128
             PATH='{path}' exec git \"$@\"",
            broken.display()
        ),
    );
    let mut command = scene.sandbox.command(super::super::RALPH, &scene.dir);
    let path = format!("{}:{path}", scene.sandbox.path("fake").display());
    command.args(["run", "loop", "--parallel", "3"]).env("PATH", path);
    let run = scene.sandbox.start_command(command);
    scene.wait_for_agent("RQ-0001");
    scene.wait_for_agent("RQ-0002");
    scene.sandbox.write(&broken, "");
    wait_until(PATIENCE, "the run meets it", || run.stderr().contains("tries again"));
    fs_err::remove_file(broken).expect("removable");
    scene.go_on();
    run.wait(PATIENCE).exited(0);
    scene.all_landed(2);
    assert_eq!(scene.log("turns").len(), 2);
}

#[test]
fn an_agent_that_vanishes_blocks_no_task() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let agent = scene.sandbox.path("bin/agent");
    let script = format!("exec sh {}", scene.sandbox.path("bin/agent.sh").display());
    let install = || {
        fs_err::rename(scene.sandbox.script("agents/agent", &script), &agent).expect("writable");
    };
    install();
    let config = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&config).expect("written");
    let own = format!("\"argv\": [\"{}\", \"", agent.display());
    scene.sandbox.write(&config, text.replacen("\"argv\": [\"sh\", \"", &own, 1));
    scene.ralph(&["config", "trust", "init"]).success();
    scene.publish("An agent of its own");
    scene.tasks(4);
    let run = under_way(&scene);
    fs_err::remove_file(&agent).expect("removable");
    scene.go_on();
    let ran = run.wait(PATIENCE);
    let summary = parse(&ran.stdout);
    assert_eq!(summary["stopped"], "machine", "{ran}");
    assert_eq!((&summary["landed"], &summary["blocked"]), (&1.into(), &0.into()), "{summary}");
    let record = scene.records().pop().expect("a record");
    assert_eq!(record["lifecycle"], "running", "the work waits: {record}");
    let shown = scene.ralph(&["run", "parallel", "status"]);
    let text = &shown.success().stdout;
    assert!(text.contains("has to be mended") && text.contains("  held\n"), "{shown}");
    assert!(text.contains("is not an executable file"), "it says why: {shown}");
    assert!(shown.stderr.contains("Mend that, then: `ralph run loop --parallel 1`"), "{shown}");
    let status = parse(&scene.ralph(&["run", "parallel", "status", "--json"]).success().stdout);
    assert_eq!(status["observed"][1]["held"], "machine", "{status}");
    assert_eq!(status["continuation"]["detail"], record["last_error"], "{status}");
    install();
    scene.run(2, 0);
    scene.all_landed(4);
    assert_eq!(scene.log("turns").len(), 4);
}

#[test]
fn a_remote_that_goes_away_holds_the_work() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(3);
    let run = under_way(&scene);
    let remote = scene.remote.clone().expect("a remote");
    let away = scene.sandbox.path("away.git");
    fs_err::rename(&remote, &away).expect("renamed");
    scene.go_on();
    let ran = run.wait(PATIENCE);
    let summary = parse(&ran.stdout);
    assert_eq!(summary["stopped"], "machine", "{ran}");
    assert_eq!(summary["blocked"], 0, "{summary}");
    fs_err::rename(&away, &remote).expect("renamed");
    scene.run(2, 0);
    scene.all_landed(3);
    assert_eq!(scene.log("turns").len(), 3, "the work that waited was landed");
}

/// A project whose agent is `./agent.sh`, which git ignores; it is in the checkout when `here`.
fn with_own_agent(here: bool) -> Scene {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let config = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&config).expect("written");
    let (before, rest) = text.split_once("\"argv\": [").expect("an agent");
    let (_, after) = rest.split_once(']').expect("an agent");
    scene.sandbox.write(&config, format!("{before}\"argv\": [\"./agent.sh\"]{after}"));
    let ignored = fs_err::read_to_string(scene.dir.join(".gitignore")).expect("written");
    scene.sandbox.write(scene.dir.join(".gitignore"), format!("{ignored}/agent.sh\n"));
    scene.ralph(&["config", "trust", "init"]).success();
    scene.tasks(1);
    if here {
        scene.sandbox.script(scene.dir.join("agent.sh"), "cat >/dev/null; echo x > made.txt");
    }
    scene
}

const COMMIT_IT: &str = "Commit `agent.sh`, or give an absolute path";

#[test]
fn a_program_that_git_ignores_is_refused_before_anything_starts() {
    let scene = with_own_agent(true);
    let ran = scene.ralph(&["run", "loop", "--parallel", "1"]);
    ran.exited(3);
    assert!(ran.stderr.contains("`agent.sh` is not tracked by git"), "{ran}");
    assert!(ran.stderr.contains(COMMIT_IT), "{ran}");
    assert!(!scene.dir.join(".ralph/cache/parallel/state.json").exists(), "nothing was claimed");
    let doctor = scene.ralph(&["doctor"]);
    assert!(doctor.success().stdout.contains(COMMIT_IT), "a serial run can use it: {doctor}");
    scene.git(&["add", "--force", "agent.sh"]);
    scene.publish("An agent of its own");
    scene.run(1, 0);
    scene.all_landed(1);
}

#[test]
fn a_program_that_the_workspace_lacks_is_named_by_its_path() {
    let scene = with_own_agent(false);
    let ran = scene.ralph(&["run", "loop", "--parallel", "1"]);
    ran.exited(3);
    let looked_for = scene.sandbox.path(".workspaces/project/parallel/RQ-0001/agent.sh");
    let status = scene.ralph(&["run", "parallel", "status"]);
    let why = format!("there is no program `{}`", looked_for.display());
    assert!(status.success().stdout.contains(&why), "{status}");
    for said in [&ran, &status] {
        assert!(said.stderr.contains(COMMIT_IT), "{said}");
    }
}
