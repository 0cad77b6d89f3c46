//! A queue that cannot be looked at for a while: the run waits for it, and goes on.

use std::time::Duration;

use ralph_testkit::{Running, Signal, wait_until};

use super::super::parse;
use super::{Books, PATIENCE, Remote, Scene};

/// As [`super::stop`] promises it: far less than a run waits for its queue.
const STOPPED_WITHIN: Duration = Duration::from_secs(12);

/// What a run says when it waits.
const WAITS: &str = "no task begins until that changes";

/// What an editor may have written of a queue.
const HALF: &str = "{ \"version\": 1, \"tasks\": [";

/// An agent that works until it may go on.
const LASTING: &str = "at_work; echo agent >> shared.txt";

/// Makes a branch that has no queue.
fn make_without(scene: &Scene) {
    scene.git(&["switch", "--quiet", "--create", "without"]);
    scene.git(&["rm", "--quiet", "-r", ".ralph"]);
    scene.git(&["commit", "--quiet", "--message", "Without Ralph"]);
    scene.git(&["switch", "--quiet", "main"]);
}

/// A run of three tasks whose first has landed, and that has nothing in hand: while the first was
/// worked on, `user` did something to the queue.
fn waiting(user: impl FnOnce(&Scene)) -> (Scene, Running) {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.act(&[("RQ-0001", LASTING)]).tasks(3);
    make_without(&scene);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    user(&scene);
    scene.go_on();
    wait_until(PATIENCE, "a run that waits", || run.stderr().contains(WAITS));
    assert_eq!(scene.landed().len(), 1, "what was in hand has landed");
    assert_eq!(scene.log("turns").len(), 1, "and nothing else was begun");
    (scene, run)
}

/// Moves the queue away, with something in the way of a fast-forward, which would bring it back.
fn move_away(scene: &Scene) {
    let queue = scene.dir.join(".ralph/queue.jsonc");
    fs_err::rename(queue, scene.sandbox.path("aside.jsonc")).expect("movable");
    scene.sandbox.write(scene.dir.join("shared.txt"), "mine\n");
}

fn save_half(scene: &Scene) {
    scene.sandbox.write(scene.dir.join(".ralph/queue.jsonc"), HALF);
}

#[test]
fn a_queue_that_comes_back_is_worked_through() {
    let (scene, run) = waiting(move_away);
    let queue = scene.dir.join(".ralph/queue.jsonc");
    fs_err::rename(scene.sandbox.path("aside.jsonc"), queue).expect("movable");
    let ran = run.wait(PATIENCE);
    assert_eq!(ran.success().stderr.matches(WAITS).count(), 1, "it is told once: {ran}");
    assert_eq!(scene.landed().len(), 3, "{ran}");
}

#[test]
fn half_a_queue_that_is_saved_whole_is_worked_through() {
    let (scene, run) = waiting(save_half);
    scene.git(&["checkout", "--quiet", "--", ".ralph/queue.jsonc"]);
    run.wait(PATIENCE).success();
    scene.all_landed(3);
}

#[test]
fn a_branch_that_is_checked_out_again_is_worked_through() {
    let switch = |scene: &Scene| drop(scene.git(&["switch", "--quiet", "without"]));
    let (scene, run) = waiting(switch);
    assert!(run.stderr().contains("`main` is not checked out"), "{}", run.stderr());
    let status = || parse(&scene.ralph(&["run", "parallel", "status", "--json"]).success().stdout);
    wait_until(PATIENCE, "a wait that ends some time", || status()["waits"]["until"].is_string());
    let waits = status()["waits"].clone();
    assert_eq!((&waits["reason"], &waits["branch"]), (&"elsewhere".into(), &"main".into()));
    let told = scene.ralph(&["run", "parallel", "status"]);
    assert!(told.success().stdout.contains("A parallel run waits for what it needs"), "{told}");
    assert!(told.stdout.contains("`main` is not checked out, but `without`"), "{told}");
    assert!(told.stderr.contains("`git switch main`: then it goes on by itself"), "{told}");
    scene.git(&["switch", "--quiet", "main"]);
    run.wait(PATIENCE).success();
    assert!(status()["waits"].is_null(), "it is over");
    scene.all_landed(3);
}

#[test]
fn a_task_whose_worker_dies_while_the_branch_is_away_waits_for_it() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.act(&[("RQ-0001", LASTING)]).tasks(1);
    make_without(&scene);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    scene.git(&["switch", "--quiet", "without"]);
    let worker = scene.records()[0]["worker"]["pid"].as_u64().expect("a worker").to_string();
    scene.sandbox.run("kill", &scene.dir, ["-9", &worker]).success();
    wait_until(PATIENCE, "a run that waits", || run.stderr().contains(WAITS));
    scene.git(&["switch", "--quiet", "main"]);
    scene.go_on();
    run.wait(PATIENCE).success();
    scene.all_landed(1);
}

#[test]
fn what_landed_before_its_worker_died_is_recorded_so_once_the_queue_is_back() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.act(&[("RQ-0001", LASTING)]).tasks(1);
    let state = scene.dir.join(".ralph/cache/parallel/state.json");
    let hook = format!(
        "kill -9 $(sed -n '/\"worker\": {{/,/}}/s/.*\"pid\": *\\([0-9]*\\).*/\\1/p' '{}')\n",
        state.display()
    );
    scene.sandbox.script("remote.git/hooks/post-receive", &hook);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    save_half(&scene);
    scene.go_on();
    wait_until(PATIENCE, "a run that waits", || run.stderr().contains(WAITS));
    scene.git(&["fetch", "--quiet"]);
    let landed = scene.git(&["show", "origin/main:.ralph/queue.jsonc"]);
    scene.sandbox.write(scene.dir.join(".ralph/queue.jsonc"), format!("{landed}\n"));
    let ran = run.wait(PATIENCE);
    ran.success();
    let record = &scene.records()[0];
    assert!(record["landed_commit"].is_string(), "{record}\n{ran}");
    scene.all_landed(1);
}

/// The branch is away while the first task lands, and again, with the second one in hand.
fn away_and_back(remote: Remote, is_back_in_the_end: bool) {
    let scene = Scene::new(remote, Books::Tracked);
    scene.act(&[("RQ-0001", LASTING), ("RQ-0002", LASTING)]).tasks(2);
    make_without(&scene);
    let switch = |branch: &str| drop(scene.git(&["switch", "--quiet", branch]));
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    switch("without");
    scene.let_go("RQ-0001");
    wait_until(PATIENCE, "a run that waits", || run.stderr().contains(WAITS));
    switch("main");
    scene.wait_for_agent("RQ-0002");
    switch("without");
    if is_back_in_the_end {
        switch("main");
    }
    scene.let_go("RQ-0002");
    let ran = run.wait(PATIENCE);
    let is_behind = ran.success().stderr.contains("your checkout does not have what landed");
    assert_eq!(is_behind, !is_back_in_the_end, "{ran}");
    if is_behind {
        switch("main");
        if remote == Remote::Bare {
            scene.git(&["pull", "--quiet", "--rebase", "--autostash", "origin", "main"]);
        }
    }
    let shared = fs_err::read_to_string(scene.dir.join("shared.txt")).expect("it is there");
    assert_eq!(shared.matches("agent").count(), 2, "{shared}{ran}");
    scene.all_landed(2);
}

#[test]
fn a_checkout_that_is_back_has_what_landed_meanwhile() {
    away_and_back(Remote::Bare, true);
    away_and_back(Remote::None, true);
}

#[test]
fn a_checkout_that_is_still_away_is_told_to_be_behind() {
    away_and_back(Remote::Bare, false);
    away_and_back(Remote::None, false);
}

/// As `git stash pop` leaves the queue, where a task has been edited on both sides.
fn conflict(scene: &Scene) {
    scene.ralph(&["task", "edit", "title", "Mine", "RQ-0003"]).success();
    scene.git(&["stash", "--quiet"]);
    scene.ralph(&["task", "edit", "title", "Theirs", "RQ-0003"]).success();
    scene.publish("Edit a task");
    scene.sandbox.run("git", &scene.dir, ["stash", "pop"]).exited(1);
}

fn resolve(scene: &Scene) {
    scene.ralph(&["queue", "resolve", "--take", "ours"]).success();
    scene.git(&["add", ".ralph/queue.jsonc"]);
}

#[test]
fn a_run_on_conflict_markers_is_refused_and_told_how_they_are_resolved() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(3);
    conflict(&scene);
    for args in [&["run", "loop", "--parallel", "1"][..], &["run", "loop"], &["run", "one"]] {
        let ran = scene.ralph(args);
        ran.exited(3);
        assert!(ran.stderr.contains("conflict markers of git"), "{args:?}: {ran}");
        assert!(ran.stderr.contains("`ralph queue resolve --dry-run`"), "{args:?}: {ran}");
    }
    assert!(scene.log("turns").is_empty(), "nothing was begun");
    resolve(&scene);
    scene.run(1, 0);
    scene.all_landed(3);
}

#[test]
fn conflict_markers_that_come_during_a_run_are_waited_for() {
    let (scene, run) = waiting(conflict);
    assert!(run.stderr().contains("conflict markers of git"), "{}", run.stderr());
    resolve(&scene);
    run.wait(PATIENCE).success();
    scene.all_landed(3);
}

#[test]
fn the_wait_ends_when_it_is_asked_to() {
    for (signal, code) in [(Some(Signal::INT), 130), (Some(Signal::TERM), 143), (None, 0)] {
        let (scene, run) = waiting(save_half);
        match signal {
            Some(signal) => run.signal(signal),
            None => drop(scene.ralph(&["queue", "stop"]).success()),
        }
        let ran = run.wait(STOPPED_WITHIN);
        ran.exited(code);
        assert!(!ran.stderr.contains("without its queue"), "{ran}");
        scene.sandbox.nothing_runs();
    }
}

/// What the target does not have lands under the id that the checkout's queue gives it.
#[test]
fn a_worker_that_waits_holds_up_no_other() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.act(&[("RQ-0001", LASTING), ("RQ-0002", LASTING)]).tasks(1);
    scene.ralph(&["task", "add", "Task 2"]).success();
    let queue = scene.dir.join(".ralph/queue.jsonc");
    let whole = fs_err::read_to_string(&queue).expect("a queue");
    let run = scene.start(&["run", "loop", "--parallel", "2"]);
    for task in ["RQ-0001", "RQ-0002"] {
        scene.wait_for_agent(task);
    }
    save_half(&scene);
    scene.let_go("RQ-0002");
    let log = scene.dir.join(".ralph/logs/parallel/RQ-0002.log");
    let said = || fs_err::read_to_string(&log).unwrap_or_default();
    wait_until(PATIENCE, "a worker that waits", || said().contains("it is waited for"));
    let status = scene.ralph(&["run", "parallel", "status"]);
    assert!(status.success().stdout.contains("RQ-0002  waits for your queue"), "{status}");
    assert!(status.stderr.contains("Once it can be read, the run goes on by itself"), "{status}");
    scene.let_go("RQ-0001");
    wait_until(PATIENCE, "the other to land", || run.stderr().contains("landed     RQ-0001"));
    scene.sandbox.write(&queue, whole);
    run.wait(PATIENCE).success();
    assert_eq!(scene.landed().len(), 2);
    assert_eq!(scene.log("turns").len(), 2, "each agent was asked once");
    assert_eq!(said().matches("it is waited for").count(), 1, "it is told once");
}

#[test]
fn a_serial_run_waits_too() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let aside = scene.sandbox.path("aside.jsonc");
    let act = format!("mv .ralph/queue.jsonc '{}'; echo x > $ID.txt", aside.display());
    scene.act(&[("RQ-0001", act.as_str())]).tasks(2);
    let run = scene.start(&["run", "loop"]);
    wait_until(PATIENCE, "a run that waits", || run.stderr().contains("it is waited for"));
    let queue = scene.dir.join(".ralph/queue.jsonc");
    fs_err::rename(&aside, &queue).expect("movable");
    run.wait(PATIENCE).success();
    scene.all_landed(2);
    // One that is stopped with work in its hands holds it, and says how it gets on.
    scene.act(&[("RQ-0003", act.as_str())]).ralph(&["task", "add", "Task 3"]).success();
    scene.commit("Another task");
    let run = scene.start(&["run", "loop"]);
    wait_until(PATIENCE, "a run that waits", || run.stderr().contains("it is waited for"));
    scene.ralph(&["queue", "stop"]).success();
    let ran = run.wait(STOPPED_WITHIN);
    ran.exited(3);
    assert!(ran.stdout.contains("held"), "{ran}");
    assert!(ran.stderr.contains("`git checkout -- :/.ralph/queue.jsonc` brings it back"), "{ran}");
    fs_err::rename(&aside, &queue).expect("movable");
    scene.ralph(&["run", "loop"]).success();
    scene.all_landed(3);
    assert_eq!(scene.log("turns").len(), 3, "each agent was asked once");
}

/// The queue file, which has finished tasks too.
fn queue(scene: &Scene) -> String {
    fs_err::read_to_string(scene.dir.join(".ralph/queue.jsonc")).expect("a queue")
}

/// A serial run of two tasks that waits for its branch: the agent of the first one did `act`.
fn without_its_branch(books: Books, act: &str) -> (Scene, Running) {
    let scene = Scene::new(Remote::None, books);
    scene.act(&[("RQ-0001", act)]).tasks(2);
    let run = scene.start(&["run", "loop"]);
    wait_until(PATIENCE, "a run that waits", || {
        run.stderr().contains("`main` is not checked out, but `other`: it is waited for")
    });
    (scene, run)
}

#[test]
fn a_serial_run_waits_for_its_branch() {
    for books in [Books::Tracked, Books::Ignored] {
        let act = "echo x > x.txt; git switch --quiet --create other";
        let (scene, run) = without_its_branch(books, act);
        let queue = queue(&scene);
        assert!(queue.contains("\"doing\"") && !queue.contains("\"done\""), "{queue}");
        let status = scene.ralph(&["run", "parallel", "status"]);
        assert!(status.success().stderr.contains("waits, with a task in hand"), "{status}");
        assert!(status.stdout.contains("A run is active here"), "{status}");
        scene.git(&["switch", "--quiet", "main"]);
        run.wait(PATIENCE).success();
        scene.all_landed(2);
        assert_eq!(scene.git(&["log", "--format=%s", "main..other"]), "");
    }
}

#[test]
fn a_serial_run_that_ends_without_its_branch_has_ended_no_task() {
    let act = "echo x > x.txt; git switch --quiet --create other";
    let (scene, run) = without_its_branch(Books::Tracked, act);
    scene.ralph(&["queue", "stop"]).success();
    let ran = run.wait(STOPPED_WITHIN);
    ran.exited(3);
    assert!(ran.stderr.contains("`git switch main`, then run again"), "{ran}");
    assert!(scene.landed().is_empty() && !queue(&scene).contains("\"done\""), "{ran}");
    scene.git(&["switch", "--quiet", "main"]);
    scene.ralph(&["run", "loop"]).success();
    scene.all_landed(2);
    assert_eq!(scene.log("turns").len(), 2, "each agent was asked once");
}

#[test]
fn what_an_agent_committed_on_another_branch_is_not_taken_for_done() {
    let act = "git switch --quiet --create other; echo x > x.txt; git add x.txt; \
               git commit --quiet --message x";
    let (scene, run) = without_its_branch(Books::Tracked, act);
    scene.git(&["switch", "--quiet", "main"]);
    let ran = run.wait(PATIENCE);
    ran.exited(1);
    assert!(ran.stdout.contains("failed"), "{ran}");
    assert_eq!(scene.landed().len(), 1, "the other task's: {ran}");
    // With what the agent did on its branch it is a change.
    let (scene, run) = without_its_branch(Books::Tracked, act);
    scene.ralph(&["queue", "stop"]).success();
    let ran = run.wait(STOPPED_WITHIN);
    assert!(ran.stderr.contains("`git merge other` after the switch"), "{ran}");
    scene.git(&["switch", "--quiet", "main"]);
    scene.git(&["merge", "--quiet", "other"]);
    scene.ralph(&["run", "loop"]).success();
    assert!(scene.dir.join("x.txt").is_file());
    assert_eq!(scene.log("turns").len(), 2, "each agent was asked once");
}

#[test]
fn work_that_was_taken_back_before_it_landed_is_not_done() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.configure(r#""gate_fix_turns": 0,"#);
    scene.act(&[("RQ-0001", "echo UNFINISHED > x.txt")]).tasks(1);
    scene.ralph(&["run", "loop"]).exited(1);
    fs_err::remove_file(scene.dir.join("x.txt")).expect("the agent made it");
    let ran = scene.ralph(&["run", "resume"]);
    ran.exited(1);
    assert!(ran.stderr.contains("without a change"), "{ran}");
    assert!(!queue(&scene).contains("\"done\""), "{ran}");
}

#[test]
fn a_commit_that_was_taken_back_before_it_was_pushed_has_not_landed() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.configure(r#""git_publish_mode": "commit_and_push","#);
    scene.act(&[("RQ-0001", "echo x > x.txt")]).tasks(1);
    let hook = scene.remote.as_ref().expect("a remote").join("hooks/pre-receive");
    scene.sandbox.script(&hook, "exit 1");
    let ran = scene.ralph(&["run", "loop"]);
    assert!(ran.exited(1).stderr.contains("committed, not pushed"), "{ran}");
    scene.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let ran = scene.ralph(&["run", "resume"]);
    ran.exited(1);
    assert!(ran.stderr.contains("without a change"), "{ran}");
    assert!(!queue(&scene).contains("\"done\""), "{ran}");
}

#[test]
fn a_queue_that_git_has_is_not_to_be_made_anew() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(1);
    let told = |args: &[&str], hint: &str| {
        let ran = scene.ralph(args);
        ran.exited(3);
        assert!(ran.stderr.contains(hint), "{args:?}: {ran}");
        assert!(!ran.stderr.contains("`ralph init` makes one"), "{args:?}: {ran}");
    };
    let commands = [&["run", "loop", "--parallel", "1"][..], &["run", "loop"], &["queue", "list"]];
    fs_err::remove_file(scene.dir.join(".ralph/queue.jsonc")).expect("it is there");
    for args in commands {
        told(args, "`git checkout -- :/.ralph/queue.jsonc` brings it back");
    }
    scene.git(&["rm", "--quiet", "--cached", ".ralph/queue.jsonc"]);
    for args in commands {
        told(args, "`git checkout HEAD -- :/.ralph/queue.jsonc` brings it back");
    }
    scene.git(&["switch", "--quiet", "--create", "without"]);
    scene.commit("Without a queue");
    for args in commands {
        told(args, "The branch `main` has it: `git switch main`");
    }
}

/// Git would move it below the files of that work tree, whose next commit would take it back.
#[test]
fn work_does_not_land_on_a_branch_that_another_work_tree_has() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.act(&[("RQ-0001", LASTING)]).tasks(1);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    scene.git(&["switch", "--quiet", "--create", "topic"]);
    scene.git(&["worktree", "add", "--quiet", "../other", "main"]);
    scene.go_on();
    let ran = run.wait(PATIENCE);
    assert!(ran.exited(3).stderr.contains("`main` is checked out in the work tree"), "{ran}");
    let other = scene.sandbox.path("other");
    assert_eq!(scene.sandbox.git(&other, ["status", "--porcelain"]), "");
    assert!(scene.landed().is_empty());
    scene.git(&["worktree", "remove", "../other"]);
    scene.git(&["switch", "--quiet", "main"]);
    scene.run(1, 0);
    scene.all_landed(1);
    assert_eq!(scene.log("turns").len(), 1);
}

#[test]
fn without_a_remote_nothing_is_to_be_pulled() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.act(&[("RQ-0001", LASTING)]).tasks(1);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    scene.git(&["switch", "--quiet", "--create", "topic"]);
    scene.go_on();
    let ran = run.wait(PATIENCE);
    assert!(ran.exited(0).stderr.contains("`git switch main` goes to what has it"), "{ran}");
    assert!(!ran.stderr.contains("git pull"), "{ran}");
    scene.git(&["switch", "--quiet", "main"]);
    scene.all_landed(1);
}
