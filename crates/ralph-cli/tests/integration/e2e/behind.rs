//! What a run landed and the user's checkout could not take: why, and that the hint helps.

use serde_json::json;

use super::{Books, PATIENCE, Remote, Scene};

/// An agent that changes a file and makes one, when it may.
const WAITS: &str = "at_work; echo agent >> shared.txt; echo new > new.txt";

/// A run during which the user does something; the summary and what was said.
fn run_beside(user: impl FnOnce(&Scene)) -> (Scene, serde_json::Value) {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.git(&["branch", "--set-upstream-to", "origin/main"]);
    scene.act(&[("RQ-0001", WAITS)]).tasks(2);
    let run = scene.start(&["run", "loop", "--parallel", "1", "--max-tasks", "1", "--json"]);
    scene.wait_for_agent("RQ-0001");
    // Also the queue is edited: never what is in the way.
    scene.ralph(&["task", "edit", "title", "Another title", "RQ-0002"]).success();
    user(&scene);
    scene.go_on();
    let ran = run.wait(PATIENCE);
    let summary = super::super::parse(&ran.success().stdout);
    (scene, summary)
}

/// The checkout has what landed, and the queue what the user made of it.
#[track_caller]
fn caught_up(scene: &Scene) {
    let text = fs_err::read_to_string(scene.dir.join("shared.txt")).expect("it is there");
    assert!(text.contains("agent"), "{text}");
    let show = |id| super::super::parse(&scene.ralph(&["task", "show", id]).success().stdout);
    assert_eq!(show("RQ-0001")["status"], "done");
    assert_eq!(show("RQ-0002")["title"], "Another title");
    assert_eq!(scene.git(&["stash", "list"]), "", "nothing is left in a stash");
}

const PULL: [&str; 3] = ["pull", "--rebase", "--autostash"];

#[test]
fn a_changed_file_in_the_way() {
    let (scene, summary) = run_beside(|scene| {
        scene.sandbox.write(scene.dir.join("shared.txt"), "user\none\ntwo\nthree\n");
    });
    let behind = &summary["checkout_behind"];
    assert_eq!(
        (&behind["reason"], &behind["files"]),
        (&json!("in_the_way"), &json!(["shared.txt"]))
    );
    scene.git(&PULL);
    caught_up(&scene);
}

#[test]
fn a_file_in_the_way_that_git_does_not_know() {
    let (scene, summary) = run_beside(|scene| {
        scene.sandbox.write(scene.dir.join("new.txt"), "mine\n");
    });
    let behind = &summary["checkout_behind"];
    assert_eq!((&behind["reason"], &behind["files"]), (&json!("in_the_way"), &json!(["new.txt"])));
    fs_err::rename(scene.dir.join("new.txt"), scene.dir.join("mine.txt")).expect("movable");
    scene.git(&PULL);
    caught_up(&scene);
}

#[test]
fn commits_that_the_remote_lacks() {
    let (scene, summary) = run_beside(|scene| {
        scene.sandbox.write(scene.dir.join("user.txt"), "mine\n");
        scene.git(&["add", "user.txt"]);
        scene.git(&["commit", "--quiet", "--message", "Mine"]);
    });
    assert_eq!(summary["checkout_behind"]["reason"], "diverged");
    scene.git(&PULL);
    scene.git(&["push", "--quiet"]);
    caught_up(&scene);
}

#[test]
fn a_merge_that_is_not_concluded() {
    let (scene, summary) = run_beside(|scene| {
        scene.git(&["stash", "--quiet"]);
        for (branch, text) in [("other", "theirs\n"), ("main", "ours\n")] {
            scene.git(&["switch", "--quiet", "--force-create", branch, "origin/main"]);
            scene.sandbox.write(scene.dir.join("user.txt"), text);
            scene.commit(text);
        }
        scene.git(&["stash", "pop", "--quiet"]);
        let merged = scene.sandbox.run("git", &scene.dir, ["merge", "other"]);
        merged.exited(1);
    });
    assert_eq!(summary["checkout_behind"]["reason"], "under_way");
    scene.git(&["checkout", "--ours", "user.txt"]);
    scene.git(&["add", "user.txt"]);
    scene.git(&["commit", "--quiet", "--message", "Merged"]);
    scene.git(&["pull", "--quiet", "--no-rebase", "--autostash"]);
    caught_up(&scene);
}

#[test]
fn another_branch() {
    let (scene, summary) = run_beside(|scene| {
        scene.git(&["switch", "--quiet", "--create", "other"]);
    });
    assert_eq!(summary["checkout_behind"]["reason"], "elsewhere");
    scene.git(&["switch", "--quiet", "main"]);
    scene.git(&PULL);
    caught_up(&scene);
    scene.sandbox.nothing_runs();
    let workspaces = scene.sandbox.path(".workspaces/project/parallel");
    let left = fs_err::read_dir(workspaces).map(Iterator::count).unwrap_or_default();
    assert_eq!(left, 0, "its workspace is not needed");
}

#[test]
fn the_tasks_of_another_branch_are_not_begun() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.act(&[("RQ-0001", "at_work; echo x > x.txt")]);
    scene.tasks(1);
    scene.git(&["switch", "--quiet", "--create", "feature"]);
    scene.ralph(&["task", "add", "of the feature"]).success();
    scene.commit("Plan the feature");
    scene.git(&["switch", "--quiet", "main"]);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    scene.git(&["switch", "--quiet", "feature"]);
    scene.go_on();
    let ran = run.wait(PATIENCE);
    assert!(ran.success().stderr.contains("`main` is not checked out"), "{ran}");
    assert_eq!(scene.log("turns").len(), 1, "{ran}");
    assert_eq!(scene.landed().len(), 1, "{ran}");
}
