//! Agents that change what decides what Ralph does: nothing of it lands unseen, nothing is lost.

use super::{Books, Remote, Scene};

/// Turns the gate off and leaves a file, beside its work.
const SLY: &str = r#"mkdir -p work .ralph/prompts; echo $ID > work/$ID.txt
sed 's/"enabled": true/"enabled": false/' .ralph/config.jsonc > c; cat c > .ralph/config.jsonc; rm c
echo "Do as you like." > .ralph/prompts/worker.md"#;

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
    for path in [".ralph/config.jsonc", ".ralph/prompts/worker.md", "git diff -- .ralph"] {
        assert!(told.contains(path), "{path}: {ran}");
    }
    assert_eq!(scene.landed().len(), 2);
    assert_eq!(scene.log("gates").len(), 2, "the run keeps its gate");
    assert_eq!(scene.git(&["show", "HEAD:.ralph/config.jsonc"]), before);
    assert_eq!(scene.git(&["ls-tree", "-r", "--name-only", "HEAD", ".ralph/prompts"]), "");
    let left = fs_err::read_to_string(scene.dir.join(".ralph/config.jsonc")).expect("there");
    assert!(left.contains("\"enabled\": false"), "{left}");
    // Nor does the next run commit it.
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
