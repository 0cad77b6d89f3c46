//! Runs that are refused say what to do next and change nothing.

use super::{Books, Remote, Scene};

/// The run is refused with `code`; its message has `what` and its hints `next`.
#[track_caller]
fn refused(scene: &Scene, code: i32, what: &str, next: &str) {
    let before = fs_err::read(scene.dir.join(".ralph/queue.jsonc")).ok();
    let ran = scene.ralph(&["run", "loop", "--parallel", "2"]);
    ran.exited(code);
    assert!(ran.stderr.contains(what), "`{what}` in {ran}");
    assert!(ran.stderr.contains(next), "`{next}` in {ran}");
    assert!(!ran.stderr.contains("Landing on"), "what is refused is not told as begun: {ran}");
    assert_eq!(fs_err::read(scene.dir.join(".ralph/queue.jsonc")).ok(), before);
    assert!(scene.log("turns").is_empty(), "no agent was asked");
    scene.sandbox.nothing_runs();
}

fn scene() -> Scene {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    scene
}

#[test]
fn detached_head() {
    let scene = scene();
    scene.git(&["checkout", "--quiet", "--detach"]);
    refused(&scene, 3, "detached", "git switch");
}

#[test]
fn dirty_tree() {
    let scene = scene();
    scene.sandbox.write(scene.dir.join("shared.txt"), "changed\n");
    refused(&scene, 3, "shared.txt", "--force");
}

#[test]
fn untracked_files_count_as_dirty() {
    let scene = scene();
    scene.sandbox.write(scene.dir.join("new.txt"), "new\n");
    refused(&scene, 3, "new.txt", "stash");
}

#[test]
fn unpushed_commits() {
    let scene = scene();
    scene.git(&["commit", "--quiet", "--allow-empty", "--message", "Mine"]);
    refused(&scene, 3, "1 commit", "git push origin main");
}

#[test]
fn no_commit_yet() {
    let scene = scene();
    scene.git(&["checkout", "--quiet", "--orphan", "fresh"]);
    refused(&scene, 3, "no commit", "git commit");
}

#[test]
fn remote_gone() {
    let scene = scene();
    fs_err::remove_dir_all(scene.remote.as_ref().expect("a remote")).expect("removable");
    refused(&scene, 3, "origin", "git fetch origin");
}

#[test]
fn gate_missing() {
    let scene = scene();
    let path = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&path).expect("written");
    let text = text.replace("\"argv\": [\"sh\", \"", "\"argv\": [\"no-such-gate\", \"");
    let first = text.find("no-such-gate").expect("replaced");
    let text = format!("{}sh{}", &text[..first], &text[first + "no-such-gate".len()..]);
    scene.sandbox.write(&path, text);
    scene.ralph(&["config", "trust", "init"]).success();
    refused(&scene, 3, "no-such-gate", "agent.ci_gate");
}

#[test]
fn untrusted_programs() {
    let scene = scene();
    let path = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&path).expect("written").replace("gate.sh", "other.sh");
    scene.sandbox.write(&path, text);
    refused(&scene, 3, "trusted", "ralph config trust init");
}

#[test]
fn workspaces_inside_the_repository_must_be_ignored() {
    let scene = scene();
    let path = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&path).expect("written");
    let text = text.replace("\"parallel\": {", "\"parallel\": { \"workspace_root\": \"ws\",");
    scene.sandbox.write(&path, text);
    refused(&scene, 3, "ws", "`/ws/` to `.gitignore`");
}

#[test]
fn workspaces_need_a_directory() {
    let scene = scene();
    let path = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&path).expect("written");
    for root in ["/proc/workspaces", &scene.sandbox.path("bin/gate.sh").display().to_string()] {
        let root = format!("\"parallel\": {{ \"workspace_root\": \"{root}\",");
        scene.sandbox.write(&path, text.replace("\"parallel\": {", &root));
        refused(&scene, 3, "no workspace can be made", "parallel.workspace_root");
    }
}

#[test]
fn state_of_a_newer_ralph() {
    let scene = scene();
    let state = scene.dir.join(".ralph/cache/parallel/state.json");
    let text = r#"{"schema_version": 4, "workers": "new"}"#;
    scene.sandbox.write(&state, text);
    refused(&scene, 3, "4", "newer");
    assert_eq!(fs_err::read_to_string(state).expect("there"), text);
}

#[test]
fn corrupt_state_is_left_alone() {
    let scene = scene();
    let state = scene.dir.join(".ralph/cache/parallel/state.json");
    for text in ["", "{", "{\"schema_version\": 3, \"workers\": 7}", "\u{0}\u{1}"] {
        scene.sandbox.write(&state, text);
        refused(&scene, 3, "state.json", "ralph run parallel recover");
        assert_eq!(fs_err::read_to_string(&state).expect("there"), text);
    }
}

#[test]
fn corrupt_queue() {
    let scene = scene();
    scene.sandbox.write(scene.dir.join(".ralph/queue.jsonc"), "{ \"version\": 1, \"tasks\": [");
    refused(&scene, 3, "queue.jsonc", "Correct");
}

#[test]
fn unknown_runner_and_missing_binary() {
    let scene = scene();
    let ran = scene.ralph(&["run", "loop", "--runner", "cluade"]);
    ran.exited(2);
    assert!(ran.stderr.contains("claude"), "the known ones are named: {ran}");
    let ran = scene.ralph(&["run", "loop", "--runner", "opencode"]);
    ran.exited(3);
    assert!(ran.stderr.contains("opencode"), "{ran}");
}

#[test]
fn unfinished_work_of_another_branch() {
    let scene = scene();
    let state = r#"{"schema_version":3,"started_at":"","target_branch":"other","workers":[
        {"task_id":"RQ-0009","workspace_path":"/nowhere","lifecycle":"running","started_at":""}]}"#;
    scene.sandbox.write(scene.dir.join(".ralph/cache/parallel/state.json"), state);
    refused(&scene, 3, "`other`", "git switch other");
}

#[test]
fn a_workspace_that_is_something_else_is_not_touched() {
    let scene = scene();
    let path = scene.sandbox.write(".workspaces/project/parallel/RQ-0001/mine.txt", "mine");
    scene.run(2, 0);
    assert_eq!(scene.landed().len(), 1, "the task gets another place");
    assert_eq!(fs_err::read_to_string(path).expect("still there"), "mine");
}

#[cfg(unix)]
#[test]
fn a_gate_that_is_not_executable() {
    let scene = scene();
    let config = scene.dir.join(".ralph/config.jsonc");
    let gate = scene.sandbox.path("bin/gate.sh").display().to_string();
    let text = fs_err::read_to_string(&config).expect("written");
    let text = text.replace(&format!("[\"sh\", \"{gate}\"]"), &format!("[\"{gate}\"]"));
    scene.sandbox.write(&config, text);
    scene.ralph(&["config", "trust", "init"]).success();
    scene.publish("Configure");
    refused(&scene, 3, "is not executable", &format!("chmod +x {gate}"));
}

#[test]
fn what_git_is_in_the_middle_of_is_named_and_how_to_end_it() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(1);
    scene.git(&["switch", "--quiet", "--create", "side"]);
    scene.sandbox.write(scene.dir.join("shared.txt"), "theirs\n");
    scene.commit("Theirs");
    scene.git(&["switch", "--quiet", scene.branch]);
    scene.sandbox.write(scene.dir.join("shared.txt"), "ours\n");
    scene.commit("Ours");
    let begun: [(&[&str], &str, &[&str]); 3] = [
        (&["rebase", "side"], "`git rebase` is under way", &["rebase", "--abort"]),
        (&["cherry-pick", "side"], "`git cherry-pick` is under way", &["cherry-pick", "--abort"]),
        (&["bisect", "start", "HEAD", "HEAD~2"], "`git bisect` is under way", &["bisect", "reset"]),
    ];
    for (begin, told, end) in begun {
        drop(scene.sandbox.run("git", &scene.dir, begin));
        for args in [&["run", "loop"][..], &["run", "loop", "--parallel", "1"], &["doctor"]] {
            let ran = scene.ralph(args);
            let text = format!("{}{}", ran.exited(3).stdout, ran.stderr);
            assert!(text.contains(told), "{ran}");
            assert!(text.contains(&format!("`git {}`", end.join(" "))), "{ran}");
        }
        scene.git(end);
    }
    // Files in conflict, and nothing to abort.
    scene.sandbox.write(scene.dir.join("shared.txt"), "stashed\n");
    scene.git(&["stash", "--quiet"]);
    scene.sandbox.write(scene.dir.join("shared.txt"), "later\n");
    scene.commit("Later");
    scene.sandbox.run("git", &scene.dir, ["stash", "pop"]).exited(1);
    let ran = scene.ralph(&["run", "loop"]);
    assert!(ran.exited(3).stderr.contains("in conflict: shared.txt"), "{ran}");
    assert!(!ran.stderr.contains("--abort"), "{ran}");
    assert_eq!(scene.log("turns"), Vec::<String>::new());
}

#[test]
fn a_queue_that_git_neither_knows_nor_ignores_is_told() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    let told = "git does not know `.ralph/queue.jsonc`";
    scene.git(&["rm", "--cached", "--quiet", ".ralph/queue.jsonc"]);
    scene.git(&["commit", "--quiet", "--message", "Forget the queue"]);
    scene.git(&["push", "--quiet", "origin", "HEAD"]);
    let ran = scene.ralph(&["run", "loop", "--parallel", "1"]);
    assert!(ran.success().stderr.contains(told), "{ran}");
    scene.ralph(&["task", "add", "Another"]).success();
    let ignored = scene.dir.join(".git/info/exclude");
    scene.sandbox.write(ignored, "/.ralph/queue.jsonc\n");
    let ran = scene.ralph(&["run", "loop", "--parallel", "1"]);
    assert!(!ran.success().stderr.contains(told), "{ran}");
}

#[test]
fn the_hint_for_changes_works_for_files_that_git_does_not_know() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(1);
    scene.sandbox.write(scene.dir.join("shared.txt"), "changed\n");
    let ran = scene.ralph(&["run", "loop"]);
    assert!(ran.exited(3).stderr.contains("`git stash`"), "{ran}");
    scene.sandbox.write(scene.dir.join("notes"), "new\n");
    let ran = scene.ralph(&["run", "loop"]);
    let aside = ["stash", "--include-untracked"];
    assert!(ran.exited(3).stderr.contains(&format!("`git {}`", aside.join(" "))), "{ran}");
    scene.git(&aside);
    scene.ralph(&["run", "loop"]).success();
}

#[test]
fn a_merge_of_the_users_is_never_concluded_by_a_run() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(1);
    scene.git(&["switch", "--quiet", "--create", "side"]);
    scene.ralph(&["task", "edit", "title", "Theirs", "RQ-0001"]).success();
    scene.commit("Theirs");
    scene.git(&["switch", "--quiet", scene.branch]);
    scene.ralph(&["task", "edit", "title", "Ours", "RQ-0001"]).success();
    scene.commit("Ours");
    let head = scene.git(&["rev-parse", "HEAD"]);
    scene.sandbox.run("git", &scene.dir, ["merge", "--quiet", "side"]).exited(1);
    // Valid again, and not settled: what a merge driver leaves.
    let ours = scene.git(&["show", "HEAD:.ralph/queue.jsonc"]);
    scene.sandbox.write(scene.dir.join(".ralph/queue.jsonc"), format!("{ours}\n"));
    for settled in [false, true] {
        if settled {
            scene.git(&["add", "--all"]);
        }
        for args in
            [&["run", "loop"][..], &["run", "loop", "--force"], &["run", "loop", "--parallel", "1"]]
        {
            let ran = scene.ralph(args);
            assert!(ran.exited(3).stderr.contains("`git merge` is under way"), "{ran}");
        }
        assert_eq!(scene.git(&["rev-parse", "HEAD"]), head);
        assert!(scene.dir.join(".git/MERGE_HEAD").exists());
    }
    assert_eq!(scene.log("turns"), Vec::<String>::new());
}

#[test]
fn doctor_tells_what_a_run_would_be_refused_for() {
    let told = |scene: &Scene, what: &str| {
        let ran = scene.ralph(&["doctor"]);
        assert!(ran.success().stdout.contains(what), "`{what}` in {ran}");
    };
    let scene = scene();
    told(&scene, "ok      work tree");
    told(&scene, "ok      in step");
    scene.sandbox.write(scene.dir.join("new.txt"), "new\n");
    told(&scene, "warning work tree      the work tree has uncommitted changes: new.txt");
    refused(&scene, 3, "uncommitted changes: new.txt", "--force");
    scene.commit("A commit of the user's");
    told(&scene, "`main` has 1 commit that `origin/main` lacks: a parallel run is refused");
    refused(&scene, 3, "`main` has 1 commit that `origin/main` lacks", "git push");
}

#[test]
fn doctor_tells_what_parallel_runs_left() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    scene.act(&[("RQ-0001", "exit 9")]);
    scene.run(1, 1);
    let doctor = scene.ralph(&["doctor"]);
    assert!(doctor.success().stdout.contains("2 records\n"), "{doctor}");
    assert!(doctor.stdout.contains("RQ-0001 failed"), "{doctor}");
    assert!(doctor.stdout.contains("`ralph run parallel status`"), "{doctor}");
    let scene = self::scene();
    scene.sandbox.write("bin/gate.sh", "exit 1");
    scene.ralph(&["run", "loop", "--parallel", "1"]).exited(1);
    let doctor = scene.ralph(&["doctor"]);
    assert!(doctor.success().stdout.contains("RQ-0001 is held"), "{doctor}");
}
