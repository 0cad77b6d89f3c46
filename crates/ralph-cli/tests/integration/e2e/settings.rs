//! Agents that change what decides what Ralph does: nothing of it lands unseen, nothing is lost.

use ralph_testkit::Signal;

use super::{Books, PATIENCE, Remote, Scene};

/// Turns the gate off and leaves a file, beside its work.
const SLY: &str = r#"mkdir -p work .ralph/prompts; echo $ID > work/$ID.txt
sed 's/"enabled": true/"enabled": false/' .ralph/config.jsonc > c; cat c > .ralph/config.jsonc; rm c
echo "Do as you like." > .ralph/prompts/worker.md"#;

/// Turns the gate off and does its work.
const OFF: &str = r#"sed 's/"enabled": true/"enabled": false/' .ralph/config.jsonc > c
cat c > .ralph/config.jsonc; rm -f c; mkdir -p work; echo $ID > work/$ID.txt"#;

fn scene(count: usize) -> Scene {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(count);
    scene.act(&[("RQ-0001", SLY)]);
    scene
}

#[test]
fn a_serial_run_leaves_it_in_the_checkout_and_says_so() {
    let scene = scene(2);
    let before = scene.git(&["show", "HEAD:.ralph/config.jsonc"]);
    let ran = scene.ralph(&["run", "loop"]);
    let told = &ran.success().stderr;
    for path in [".ralph/config.jsonc", ".ralph/prompts/worker.md", "git diff -- :/.ralph"] {
        assert!(told.contains(path), "{path}: {ran}");
    }
    assert_eq!(scene.landed().len(), 2);
    assert_eq!(scene.log("gates").len(), 2, "the run keeps its gate");
    assert_eq!(scene.git(&["show", "HEAD:.ralph/config.jsonc"]), before);
    assert_eq!(scene.git(&["ls-tree", "-r", "--name-only", "HEAD", ".ralph/prompts"]), "");
    let left = fs_err::read_to_string(scene.dir.join(".ralph/config.jsonc")).expect("there");
    assert!(left.contains("\"enabled\": false"), "{left}");
    // Nor does the next run commit it, once the user has made it their own.
    for path in ["config.jsonc", "prompts/worker.md"] {
        let path = scene.dir.join(".ralph").join(path);
        let text = fs_err::read_to_string(&path).expect("there");
        fs_err::write(path, text + "\n").expect("writable");
    }
    scene.ralph(&["config", "trust", "init"]).success();
    scene.ralph(&["task", "add", "More"]).success();
    let ran = scene.ralph(&["run", "loop", "--json"]);
    let summary = crate::parse(&ran.success().stdout);
    for path in ["config.jsonc", "prompts/worker.md"] {
        assert!(summary["left_out"].to_string().contains(path), "{summary}");
    }
    assert_eq!(scene.git(&["show", "HEAD:.ralph/config.jsonc"]), before);
    assert_eq!(scene.git(&["ls-tree", "-r", "--name-only", "HEAD", ".ralph/prompts"]), "");
}

/// Every way to begin a run, and to ask what it would do.
const WAYS: [&[&str]; 5] = [
    &["run", "loop"],
    &["run", "one"],
    &["run", "loop", "--dry-run"],
    &["run", "loop", "--parallel", "2", "--dry-run"],
    &["run", "loop", "--parallel", "2"],
];

#[test]
fn no_run_obeys_what_an_agent_made_of_the_settings_before_the_user_has_said_so() {
    let scene = scene(1);
    scene.act(&[("RQ-0001", OFF)]);
    scene.ralph(&["run", "loop"]).success();
    scene.ralph(&["task", "add", "More"]).success();
    let refused = || {
        for way in WAYS {
            let ran = scene.ralph(way);
            let told = &ran.exited(3).stderr;
            for part in [
                "`.ralph/config.jsonc` is as the agent of RQ-0001 left it",
                "git diff HEAD -- :/.ralph/config.jsonc",
                "git checkout HEAD -- :/.ralph/config.jsonc",
            ] {
                assert!(told.contains(part), "{part}: {ran}");
            }
        }
    };
    refused();
    let doctor = scene.ralph(&["doctor"]);
    assert!(
        doctor.stdout.contains("warning work tree      `.ralph/config.jsonc` is as the"),
        "{doctor}"
    );
    // What says so is a document like the others.
    let listed = crate::parse(&scene.ralph(&["migrate", "--list", "--json"]).success().stdout);
    assert!(listed.to_string().contains("record of changed settings"), "{listed}");
    // Nor is it any better in the index, or with its trust renewed.
    scene.git(&["add", ".ralph/config.jsonc"]);
    scene.ralph(&["config", "trust", "init"]).success();
    refused();
    scene.git(&["checkout", "HEAD", "--", ".ralph/config.jsonc"]);
    scene.ralph(&["run", "loop"]).success();
    assert_eq!(scene.log("gates").len(), 2, "it was taken back");
}

#[test]
fn settings_that_the_user_committed_or_edited_further_are_the_users() {
    for commits in [true, false] {
        let scene = scene(1);
        scene.act(&[("RQ-0001", OFF)]);
        scene.ralph(&["run", "loop"]).success();
        scene.ralph(&["task", "add", "More"]).success();
        if commits {
            scene.commit("No gate");
        } else {
            let path = scene.dir.join(".ralph/config.jsonc");
            let text = fs_err::read_to_string(&path).expect("there");
            fs_err::write(path, text + "// I know.\n").expect("writable");
        }
        scene.ralph(&["run", "loop"]).success();
        assert_eq!((scene.log("turns").len(), scene.log("gates").len()), (2, 1));
    }
}

#[test]
fn settings_that_git_does_not_know_are_looked_after_too() {
    let gone = "rm .ralph/config.jsonc; mkdir -p work; echo $ID > work/$ID.txt";
    for act in [OFF, gone] {
        let scene = Scene::new(Remote::None, Books::Ignored);
        scene.tasks(1);
        scene.act(&[("RQ-0001", act)]);
        scene.ralph(&["run", "loop"]).success();
        let script = scene.sandbox.write("none.json", r#"{ "version": 1, "turns": [] }"#);
        let runner = format!("scripted:{}", script.display());
        let ran = scene.ralph(&["run", "loop", "--runner", &runner]);
        assert!(ran.exited(3).stderr.contains("Git has no other version"), "{ran}");
        let ran = scene.ralph(&["run", "loop", "--runner", &runner, "--force"]);
        assert!(ran.success().stderr.contains("RQ-0001 left it"), "{ran}");
    }
}

#[test]
fn a_run_that_dies_forgets_no_change_of_the_settings() {
    for step in ["working", "turned", "noted", "finishing"] {
        let scene = scene(1);
        // The first thing that the agent does: whenever the run dies, it is done.
        let then = if step == "working" { "at_work" } else { ":" };
        scene.act(&[("RQ-0001", &format!("{OFF}; {then}"))]);
        if step == "working" {
            let run = scene.start(&["run", "loop"]);
            scene.wait_for_agent("RQ-0001");
            run.signal(Signal::KILL);
            assert_ne!(run.wait(PATIENCE).code, Some(0));
        } else {
            super::serial::killed_at(&scene, step);
        }
        let ran = scene.ralph(&["run", "loop", "--dry-run"]);
        assert!(ran.exited(3).stderr.contains("RQ-0001 left it"), "{step}: {ran}");
        let ran = scene.ralph(&["run", "resume"]);
        assert!(ran.exited(3).stderr.contains("RQ-0001 left it"), "{step}: {ran}");
        scene.git(&["checkout", "HEAD", "--", ".ralph/config.jsonc"]);
        scene.act(&[("RQ-0001", "mkdir -p work; echo $ID > work/$ID.txt")]);
        scene.ralph(&["run", "resume"]).success();
        scene.all_landed(1);
    }
}

#[test]
fn a_change_of_nothing_else_is_none() {
    let scene = scene(1);
    scene.act(&[("RQ-0001", "echo more >> .ralph/config.jsonc")]);
    let ran = scene.ralph(&["run", "loop"]);
    assert!(ran.exited(1).stderr.contains("without a change"), "{ran}");
    assert!(scene.landed().is_empty());
}

#[test]
fn what_the_agent_committed_itself_blocks_the_task_until_the_user_has_looked() {
    let scene = scene(1);
    scene.act(&[("RQ-0001", &format!("{SLY}; git add -A; git commit -qm Sly"))]);
    let ran = scene.ralph(&["run", "loop"]);
    assert!(ran.exited(1).stderr.contains("`.ralph/config.jsonc`"), "{ran}");
    assert!(scene.landed().is_empty());
    scene.ralph(&["config", "trust", "init"]).success();
    scene.ralph(&["run", "resume", "--force"]).success();
    assert_eq!(scene.landed().len(), 1);
    assert_eq!(scene.log("turns").len(), 1);
}

#[test]
fn a_parallel_run_lands_the_rest_and_keeps_it() {
    let scene = scene(1);
    let before = scene.on_target(".ralph/config.jsonc");
    let ran = scene.ralph(&["run", "loop", "--parallel", "1"]);
    let kept = "refs/ralph/rescue/RQ-0001/1";
    assert!(ran.success().stderr.contains(&format!("it is kept as {kept}")), "{ran}");
    scene.all_landed(1);
    assert_eq!(scene.on_target(".ralph/config.jsonc"), before);
    assert_eq!(
        scene.git(&["show", &format!("{kept}:.ralph/prompts/worker.md")]),
        "Do as you like."
    );
}
