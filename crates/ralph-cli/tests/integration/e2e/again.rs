//! Tasks that the queue has open again though they landed: a file that was saved late.

use super::{Books, PATIENCE, Remote, Scene};

/// The queue as it was before anything ran.
fn earlier_queue(scene: &Scene) -> String {
    fs_err::read_to_string(scene.dir.join(".ralph/queue.jsonc")).expect("init wrote it")
}

/// An editor that was opened on `before` saves, with a change of a task that is not done.
fn save_late(scene: &Scene, before: &str) {
    let text = before.replace("\"Task 3\"", "\"Task 3, by hand\"");
    assert_ne!(text, before);
    scene.sandbox.write(scene.dir.join(".ralph/queue.jsonc"), text);
}

fn two_of_three(remote: Remote, books: Books, how: &[&str]) -> Scene {
    let scene = Scene::new(remote, books);
    scene.tasks(3);
    let before = earlier_queue(&scene);
    scene.ralph(&[&["run", "loop", "--max-tasks", "2"], how].concat()).success();
    save_late(&scene, &before);
    scene
}

#[test]
fn a_queue_that_is_saved_late_has_nothing_done_twice() {
    let ways: [&[&str]; 2] = [&[], &["--parallel", "2"]];
    for (first, second) in
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(a, b): (usize, usize)| (ways[a], ways[b]))
    {
        let scene = two_of_three(Remote::None, Books::Tracked, first);
        let ran = scene.ralph(&[&["run", "loop"], second].concat());
        assert!(
            ran.success().stderr.contains("RQ-0001 has landed, and the queue had it open"),
            "{first:?} {second:?}: {ran}"
        );
        assert!(!ran.stderr.contains("`ralph task done RQ-0001`"), "{ran}");
        let queue = earlier_queue(&scene);
        assert_eq!((queue.matches("\"done\"").count(), queue.contains("by hand")), (3, true));
        let landed: Vec<usize> = scene.landed().into_values().collect();
        assert_eq!((landed, scene.log("turns").len()), (vec![1, 1, 1], 3), "{first:?} {second:?}");
    }
}

#[test]
fn a_queue_that_git_does_not_know_is_no_different() {
    let scene = two_of_three(Remote::None, Books::Ignored, &[]);
    // As old as an editor's copy is.
    let path = scene.dir.join(".ralph/queue.jsonc");
    let text = earlier_queue(&scene);
    let year = &text[text.find("\"created_at\": \"").expect("a time") + 15..][..4];
    scene.sandbox.write(path, text.replace(&format!("\"{year}-"), "\"2001-"));
    scene.ralph(&["run", "loop"]).success();
    assert_eq!(scene.landed().into_values().collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn every_command_says_the_same_of_it_and_one_puts_it_right() {
    for way in [&[][..], &["--parallel", "1"]] {
        let scene = two_of_three(Remote::None, Books::Tracked, way);
        let says = "RQ-0001  has landed as";
        assert!(scene.ralph(&["queue", "explain"]).success().stdout.contains(says));
        let dry = scene.ralph(&["run", "loop", "--parallel", "2", "--dry-run"]);
        assert!(dry.success().stdout.contains("RQ-0001  not in this run: has landed as"), "{dry}");
        let claimed = scene.ralph(&["queue", "claim", "--id", "RQ-0001", "--owner", "me"]);
        claimed.exited(3);
        let doctor = scene.ralph(&["doctor"]);
        let doctor = &doctor.exited(3).stdout;
        assert!(doctor.contains("RQ-0001 is open, and has landed as"), "{doctor}");
        assert!(doctor.contains("`ralph task status done RQ-0001 RQ-0002`"), "{doctor}");
        scene.ralph(&["task", "done", "RQ-0001"]).success();
        let doctor = scene.ralph(&["doctor"]);
        assert!(doctor.exited(3).stdout.contains("`ralph task done RQ-0002`"), "{doctor}");
        scene.ralph(&["task", "done", "RQ-0002"]).success();
        scene.ralph(&["doctor"]).success();
        // What is committed so is more than a file that is older: it is left to the user.
        let scene = two_of_three(Remote::None, Books::Tracked, way);
        scene.commit("The queue, by hand");
        let one = scene.ralph(&["run", "one", "--id", "RQ-0001"]);
        assert!(one.exited(3).stderr.contains("`RQ-0001` has landed as"), "{one}");
        let ran = scene.ralph(&["run", "loop"]);
        assert!(ran.success().stderr.contains("`ralph task done RQ-0001`"), "{ran}");
        assert_eq!(scene.log("turns").len(), 3);
    }
}

/// The queue cannot be read while a task lands, and is the one from before when it can.
#[test]
fn a_queue_that_was_broken_while_a_task_landed_has_it_done_after_all() {
    for (remote, books) in [Remote::Bare, Remote::None]
        .into_iter()
        .flat_map(|remote| [Books::Tracked, Books::Ignored].map(|books| (remote, books)))
    {
        let scene = Scene::new(remote, books);
        scene.act(&[("RQ-0001", "at_work; echo x > x.txt")]).tasks(2);
        let before = earlier_queue(&scene);
        let run = scene.start(&["run", "loop", "--parallel", "1", "--max-tasks", "1"]);
        scene.wait_for_agent("RQ-0001");
        scene.sandbox.write(scene.dir.join(".ralph/queue.jsonc"), "{ \"tasks\": [");
        scene.go_on();
        let ran = run.wait(PATIENCE);
        assert!(ran.success().stderr.contains("The branch has what landed (1 task)"), "{ran}");
        scene.sandbox.write(scene.dir.join(".ralph/queue.jsonc"), before);
        scene.ralph(&["run", "loop", "--parallel", "1"]).success();
        assert_eq!(scene.log("turns").len(), 2, "{remote:?} {books:?}: each agent was asked once");
        scene.all_landed(2);
    }
}

#[test]
fn what_is_opened_again_on_purpose_is_done_again() {
    let scene = two_of_three(Remote::None, Books::Tracked, &[]);
    scene.act(&[("RQ-0001", "echo again >> again.txt"), ("RQ-0002", "echo more >> more.txt")]);
    // From the late copy, and from what landed.
    scene.ralph(&["task", "status", "todo", "RQ-0001", "--note", "not good enough"]).success();
    scene.ralph(&["task", "done", "RQ-0002"]).success();
    scene.ralph(&["task", "status", "todo", "RQ-0002"]).success();
    scene.ralph(&["run", "loop"]).success();
    assert_eq!(scene.landed().into_values().collect::<Vec<_>>(), [2, 2, 1]);
}

#[test]
fn what_is_opened_again_before_the_target_knows_waits_for_it_and_is_remembered_by_nothing() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.act(&[("RQ-0001", "echo again >> again.txt")]).tasks(2);
    let run = ["run", "loop", "--parallel", "2"];
    scene.ralph(&[&run[..], &["--max-tasks", "1"]].concat()).success();
    scene.ralph(&["task", "status", "todo", "RQ-0001", "--note", "not good"]).success();
    scene.ralph(&["task", "edit", "depends_on", "RQ-0001", "RQ-0002"]).success();
    let ran = scene.ralph(&run);
    assert!(
        ran.success().stderr.contains(
            "RQ-0001: it was opened again here, but the target has it as finished: commit and push \
             that first"
        ),
        "{ran}"
    );
    assert_eq!(scene.log("turns").len(), 1, "what waits for it waits: {ran}");
    let explained = scene.ralph(&["queue", "explain"]).success().stdout.clone();
    assert!(!explained.contains("is done"), "{explained}");
    // As an older version recorded it.
    let state = scene.dir.join(".ralph/cache/parallel/state.json");
    let text = fs_err::read_to_string(&state).expect("it is there");
    assert!(text.contains("opened_again"), "{text}");
    scene.sandbox.write(state, text.replace("opened_again", "of_no_meaning"));
    scene.publish("Open it again");
    scene.ralph(&run).success();
    assert_eq!(scene.landed().into_values().collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn what_was_reverted_is_done_again() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(1);
    scene.ralph(&["run", "loop"]).success();
    scene.git(&["revert", "--no-edit", "HEAD"]);
    scene.ralph(&["run", "loop"]).success();
    assert_eq!(scene.landed().into_values().collect::<Vec<_>>(), [2]);
}

#[test]
fn another_clone_that_has_the_late_copy_asks_no_agent() {
    let scene = two_of_three(Remote::Bare, Books::Tracked, &["--parallel", "2"]);
    scene.publish("The queue, by hand");
    let other = scene.sandbox.path("other");
    let remote = scene.remote.as_ref().expect("a remote").display().to_string();
    scene.sandbox.git(&scene.dir, ["clone", "--quiet", &remote, &other.display().to_string()]);
    let ralph = |args: &[&str]| scene.sandbox.run(super::super::RALPH, &other, args);
    ralph(&["config", "trust", "init"]).success();
    ralph(&["run", "loop", "--parallel", "2"]).success();
    ralph(&["run", "loop"]).success();
    let landed: Vec<usize> = scene.landed().into_values().collect();
    assert_eq!((landed, scene.log("turns").len()), (vec![1, 1, 1], 3));
}

/// A rejection that is undone leaves the times of the task as they were.
#[test]
fn a_task_that_a_run_dropped_is_not_done_when_it_is_open_again() {
    for books in [Books::Tracked, Books::Ignored] {
        let scene = Scene::new(Remote::None, books);
        scene.tasks(1);
        scene.killed_at("worker.committed", "parent\nself\n", &["run", "loop", "--parallel", "1"]);
        let queue = scene.dir.join(".ralph/queue.jsonc");
        let open = fs_err::read(&queue).expect("a queue");
        scene.ralph(&["task", "reject", "RQ-0001"]).success();
        assert_eq!(scene.run(1, 0)["tasks"][0]["outcome"], "superseded");
        scene.sandbox.write(&queue, open);
        scene.run(1, 0);
        assert_eq!(scene.landed().len(), 1, "{books:?}");
    }
}
