//! Tasks land: with one, two and four workers, with and without a remote.

use ralph_testkit::wait_until;

use super::{Books, PATIENCE, Remote, Scene};

/// Twelve tasks: a chain, a conflict, a red gate and a crash among them.
fn twelve(scene: &Scene) {
    for number in 1..=12 {
        let title = format!("Task {number}");
        let mut args = vec!["task", "add", title.as_str()];
        match number {
            4 => args.extend(["--depends-on", "RQ-0003"]),
            5 => args.extend(["--depends-on", "RQ-0004"]),
            _ => {}
        }
        scene.ralph(&args).success();
    }
    scene.publish("Queue tasks");
    let together = "sed 's/^two/two by '$ID'/' shared.txt > s && cat s > shared.txt && rm s";
    scene.act(&[
        ("RQ-0001", together),
        ("RQ-0002", together),
        ("RQ-0003", "echo 3 > chain.txt"),
        ("RQ-0004", "echo 4 >> chain.txt"),
        ("RQ-0005", "echo 5 >> chain.txt"),
        ("RQ-0006", "echo UNFINISHED > red.txt"),
        (
            "RQ-0007",
            "echo half > crash.txt; [ $RALPH_ATTEMPT -gt 1 ] || exit 70; echo whole > crash.txt",
        ),
    ]);
}

#[expect(clippy::print_stdout, reason = "the figures of the run")]
fn twelve_land(workers: usize, remote: Remote, books: Books) {
    let scene = Scene::new(remote, books);
    twelve(&scene);
    let summary = scene.run(workers, 0);
    scene.all_landed(12);
    assert_eq!(summary["landed"], 12, "{summary}");
    assert_eq!(scene.on_target("chain.txt"), "3\n4\n5");
    assert_eq!(scene.on_target("red.txt"), "finished");
    assert_eq!(scene.on_target("crash.txt"), "whole");
    for task in ["RQ-0008", "RQ-0009", "RQ-0010", "RQ-0011", "RQ-0012"] {
        assert_eq!(scene.on_target(&format!("work/{task}.txt")), task);
    }
    let shared = scene.on_target("shared.txt");
    let turns = scene.log("turns");
    let conflicts = turns.iter().filter(|turn| turn.contains(" resolve ")).count();
    if workers == 1 {
        assert_eq!(conflicts, 0, "one after the other never conflicts");
    } else {
        assert_eq!(conflicts, 1, "the two conflict once: {turns:#?}");
        assert!(shared.contains("two by RQ-0001") && shared.contains("two by RQ-0002"), "{shared}");
    }
    // One turn a task, one for each conflict, one for the red gate, one for the crash.
    assert_eq!(turns.len(), 12 + conflicts + 1 + 1, "{turns:#?}");
    // One gate run for each landed tree, and one for the red one. A red gate before
    // anything landed is followed by one on the target, to see who is to blame.
    let gates = scene.log("gates");
    let blames = usize::from(gates.first().is_some_and(|gate| gate.starts_with("RQ-0006")));
    assert_eq!(gates.len(), 12 + 1 + blames, "{gates:#?}");
    println!(
        "12 tasks, {workers} worker(s), remote {remote:?}, queue {books:?}: landed once 12, \
         lost 0, twice 0; {} agent turns = 12 + {conflicts} conflict(s) + 1 red gate + 1 crash; \
         {} gate runs = 12 + 1 red + {blames} of the target",
        turns.len(),
        gates.len()
    );
}

#[test]
fn twelve_tasks_one_worker_remote() {
    twelve_land(1, Remote::Bare, Books::Tracked);
}

#[test]
fn twelve_tasks_two_workers_remote() {
    twelve_land(2, Remote::Bare, Books::Tracked);
}

#[test]
fn twelve_tasks_four_workers_remote() {
    twelve_land(4, Remote::Bare, Books::Tracked);
}

#[test]
fn twelve_tasks_two_workers_no_remote() {
    twelve_land(2, Remote::None, Books::Tracked);
}

#[test]
fn twelve_tasks_four_workers_no_remote() {
    twelve_land(4, Remote::None, Books::Tracked);
}

#[test]
fn twelve_tasks_one_worker_no_remote_ignored_queue() {
    twelve_land(1, Remote::None, Books::Ignored);
}

#[test]
fn twelve_tasks_four_workers_remote_ignored_queue() {
    twelve_land(4, Remote::Bare, Books::Ignored);
}

#[test]
fn twelve_tasks_two_workers_no_remote_ignored_queue() {
    twelve_land(2, Remote::None, Books::Ignored);
}

/// The case 0.4.0 was measured on: it landed one of four, with 155 turns.
#[test]
fn four_independent_tasks_cost_four_turns_and_four_gate_runs() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(4);
    scene.run(2, 0);
    scene.all_landed(4);
    assert_eq!(scene.log("turns").len(), 4);
    assert_eq!(scene.log("gates").len(), 4);
}

#[test]
fn the_gate_runs_on_exactly_the_trees_that_land() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(3);
    scene.run(3, 0);
    let mut gated: Vec<String> = scene
        .log("gates")
        .iter()
        .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .collect();
    let mut landed: Vec<String> = scene
        .git(&["log", "--format=%T", "-3", "origin/main"])
        .lines()
        .map(str::to_owned)
        .collect();
    gated.sort();
    landed.sort();
    assert_eq!(gated, landed);
}

#[test]
fn a_branch_of_any_name_is_a_target() {
    let scene = Scene::on_branch("release/1.0", Remote::Bare, Books::Tracked);
    scene.tasks(2);
    scene.run(2, 0);
    scene.all_landed(2);
}

#[test]
fn tasks_added_while_a_run_goes_on_are_kept_and_worked_on() {
    for remote in [Remote::Bare, Remote::None] {
        let scene = Scene::new(remote, Books::Tracked);
        scene.tasks(1);
        // The agent of the first task queues another in the user's checkout.
        let add = format!(
            "( cd '{}' && '{}' task add 'Task 2' >&2 ); mkdir -p work; echo $ID > work/$ID.txt",
            scene.dir.display(),
            super::super::RALPH
        );
        scene.act(&[("RQ-0001", add.as_str())]);
        let summary = scene.run(2, 0);
        assert_eq!(summary["landed"], 2, "{summary}");
        assert_eq!(scene.landed().len(), 2);
        let queue = scene.ralph(&["queue", "validate"]);
        queue.success();
    }
}

#[test]
fn follow_up_tasks_of_an_agent_reach_the_target() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    let add = format!("'{}' task add 'Found on the way' >&2; echo x > x.txt", super::super::RALPH);
    scene.act(&[("RQ-0001", add.as_str())]);
    let ran = scene.start(&["run", "loop", "--parallel", "1", "--max-tasks", "1"]);
    ran.wait(super::PATIENCE).success();
    let queue = scene.on_target(".ralph/queue.jsonc");
    assert!(queue.contains("Found on the way"), "{queue}");
    assert_eq!(scene.landed().len(), 1);
}

#[test]
fn the_files_of_turns_go_with_their_task_and_stay_with_one_that_is_not_done() {
    for parallel in [&["--parallel", "2"][..], &[]] {
        let scene = Scene::new(Remote::None, Books::Tracked);
        scene.configure("\"turn_files_mb\": 0");
        scene.tasks(3);
        scene.act(&[("RQ-0002", "exit 9")]);
        let ran = scene.ralph(&[&["run", "loop"], parallel].concat());
        ran.exited(1);
        let turns = scene.dir.join(".ralph/cache/turns");
        let left: Vec<_> = fs_err::read_dir(turns)
            .expect("there were turns")
            .map(|entry| entry.expect("readable").file_name())
            .collect();
        assert_eq!(left, ["RQ-0002"], "{ran}");
        let doctor = scene.ralph(&["doctor"]);
        let told = "1 MB of files; a finished task's go after 14 days, or above 0 MB in all";
        assert!(doctor.success().stdout.contains(told), "{doctor}");
    }
}

#[test]
fn no_change_with_a_reason_is_done_and_without_one_is_not() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    scene.act(&[
        ("RQ-0001", "echo 'It is so already.' > \"$RALPH_NO_CHANGE_FILE\""),
        ("RQ-0002", ":"),
    ]);
    let summary = scene.run(1, 1);
    let ended = ["no_change", "landed", "failed"].map(|word| summary[word].as_u64());
    assert_eq!(ended, [Some(1), Some(0), Some(1)], "{summary}");
    assert_eq!(scene.landed().get("RQ-0001"), Some(&1));
    let status = scene.ralph(&["run", "parallel", "status"]);
    assert!(status.success().stdout.contains("RQ-0001  no change needed  "), "{status}");
    let told = status.stdout.find("RQ-0001").zip(status.stdout.find("RQ-0002"));
    assert!(told.is_some_and(|(over, failed)| failed < over), "{status}");
    assert!(status.stdout.contains("    It is so already.\n"), "{status}");
    let kept = scene.git(&["status", "--porcelain"]);
    assert_eq!(kept, "", "the checkout has what is on the target");
    assert!(scene.on_target(".ralph/queue.jsonc").contains("It is so already."));
}

#[test]
fn a_conflict_that_is_never_resolved_blocks_and_keeps_the_work() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    let together = "sed 's/^two/two by '$ID'/' shared.txt > s && cat s > shared.txt && rm s";
    scene.act(&[("RQ-0001", together), ("RQ-0002", together)]);
    let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
    scene.sandbox.write("bin/agent.sh", agent.replace("resolve)", "resolve) exit 0;; never)"));
    let summary = scene.run(2, 1);
    assert_eq!((&summary["landed"], &summary["blocked"]), (&1.into(), &1.into()), "{summary}");
    let turns = scene.log("turns");
    let asked = turns.iter().filter(|turn| turn.contains(" resolve ")).count();
    assert_eq!(asked, 3, "the budget for one conflict: {turns:#?}");
    let kept = scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/"]);
    assert_eq!(kept.lines().count(), 1, "{kept}");
    let work = scene.git(&["show", &format!("{kept}:shared.txt")]);
    assert!(work.contains("two by RQ-000"), "{work}");
    let blocked = scene.records().into_iter().find(|row| row["lifecycle"] == "blocked_push");
    let blocked = blocked.expect("a blocked record");
    assert!(blocked["last_error"].as_str().expect("a reason").contains("shared.txt"));
    let list = scene.ralph(&["rescue", "list", "--json"]);
    let list = super::super::parse(&list.success().stdout);
    let name = list["items"][0]["name"].as_str().expect("a name").to_owned();
    let shown = scene.ralph(&["rescue", "show", &name]);
    assert!(shown.success().stdout.contains("+two by RQ-000"), "{shown}");
    scene.ralph(&["rescue", "restore", &name]).success();
    scene.ralph(&["rescue", "restore", &name]).exited(3);
    scene.ralph(&["rescue", "show", "RQ-0099/1"]).exited(2);
    let branch = format!("rescue/{name}:shared.txt");
    assert_eq!(scene.git(&["show", &branch]), work);
    // The agent learns how; retry lands the same work without working on it anew.
    scene.sandbox.write("bin/agent.sh", agent);
    let task = blocked["task_id"].as_str().expect("an id");
    scene.ralph(&["run", "parallel", "retry", "--task", task]).success();
    scene.run(2, 0);
    scene.all_landed(2);
    assert_eq!(scene.log("turns").len(), turns.len() + 1, "only the conflict is asked about");
    // What was kept is still there, and no longer what one has to look after.
    let rescued = |args: &[&str]| {
        let ran = scene.ralph(&[&["rescue", "list", "--json"], args].concat());
        super::super::parse(&ran.success().stdout)
    };
    assert_eq!(rescued(&[])["total"], 0);
    let all = rescued(&["--all"]);
    assert_eq!((&all["total"], &all["items"][0]["landed"]), (&1.into(), &true.into()), "{all}");
}

#[test]
fn what_turns_on_the_way_to_a_landing_left_is_not_listed_once_it_came_about() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    let together = "sed 's/^two/two by '$ID'/' shared.txt > s && cat s > shared.txt && rm s";
    scene.act(&[("RQ-0001", together), ("RQ-0002", together)]);
    let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
    let unfinished = "resolve) echo \"half by $ID\" >> shared.txt; exit 0;; never)";
    scene.sandbox.write("bin/agent.sh", agent.replace("resolve)", unfinished));
    let summary = scene.run(2, 1);
    assert_eq!(summary["blocked"], 1, "{summary}");
    let rescued = |args: &[&str]| {
        let ran = scene.ralph(&[&["rescue", "list", "--json"], args].concat());
        super::super::parse(&ran.success().stdout)["total"].as_u64().expect("a number")
    };
    let kept = rescued(&[]);
    assert!(kept > 1, "the work and what each turn left: {kept}");
    scene.sandbox.write("bin/agent.sh", agent);
    scene.ralph(&["run", "parallel", "retry", "--all"]).success();
    scene.run(2, 0);
    scene.all_landed(2);
    assert_eq!((rescued(&[]), rescued(&["--all"])), (0, kept));
}

#[test]
fn kept_work_is_found_by_its_task() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(1);
    scene.act(&[("RQ-0001", "echo \"$RALPH_ATTEMPT\" > half.txt; exit 9")]);
    scene.run(1, 1);
    let count = || scene.git(&["for-each-ref", "refs/ralph/rescue/RQ-0001/"]).lines().count();
    let before = count();
    assert!(before > 1, "one for each attempt");
    let newest = format!("RQ-0001/{before}");
    let shown = scene.ralph(&["rescue", "show", "RQ-0001"]);
    assert!(shown.success().stdout.starts_with(&newest), "{shown}");
    assert!(shown.stderr.contains("also kept: RQ-0001/1"), "{shown}");
    scene.ralph(&["rescue", "show", &format!("refs/ralph/rescue/{newest}")]).success();
    let ran = scene.ralph(&["rescue", "restore", "RQ-0001"]);
    assert!(ran.exited(2).stderr.contains("RQ-0001/1, RQ-0001/2"), "{ran}");
    scene.ralph(&["rescue", "show", "RQ-0099"]).exited(2);
    // A commit that the user's branch has is nothing that did not land.
    scene.git(&["update-ref", "refs/ralph/rescue/RQ-0009/1", "HEAD"]);
    let list = scene.ralph(&["rescue", "list"]);
    assert!(!list.success().stdout.contains("RQ-0009"), "{list}");
    assert!(!list.stdout.contains("its task has landed"), "{list}");
    // Other work than what landed in the end stays, and is told from what still waits for it.
    scene.act(&[("RQ-0001", "echo whole > whole.txt")]);
    scene.ralph(&["run", "parallel", "retry", "--task", "RQ-0001"]).success();
    scene.run(1, 0);
    let list = scene.ralph(&["rescue", "list"]);
    let landing = scene.git(&["rev-parse", "--short=9", "HEAD"]);
    let told = format!("its task has landed as {landing} with other work");
    let kept = list.success().stdout.lines();
    assert_ne!(kept.clone().count(), 0, "{list}");
    assert!(kept.clone().all(|line| line.ends_with(&told)), "{list}");
}

#[test]
fn a_gate_that_stays_red_blocks_and_keeps_the_work() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(1);
    scene.act(&[("RQ-0001", "echo UNFINISHED > red.txt")]);
    let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
    scene.sandbox.write("bin/agent.sh", agent.replace("fix)", "fix) exit 0;; never)"));
    let summary = scene.run(1, 1);
    assert_eq!(summary["blocked"], 1, "{summary}");
    assert_eq!(scene.log("turns").len(), 1 + 3, "the budget for a red gate");
    assert_eq!(scene.log("gates").len(), 1 + 3 + 1, "and once the target, to see who is to blame");
    let kept = scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/"]);
    assert_eq!(scene.git(&["show", &format!("{kept}:red.txt")]), "UNFINISHED");
    assert!(scene.landed().is_empty());
}

#[test]
fn a_target_that_is_red_itself_costs_no_turn_on_the_gate_and_loses_nothing() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(5);
    scene.sandbox.write(scene.dir.join("broken.txt"), "UNFINISHED\n");
    scene.publish("Break the target");
    let summary = scene.run(2, 1);
    assert_eq!(summary["stopped"], "target_red", "{summary}");
    assert!(scene.log("turns").iter().all(|turn| !turn.contains(" fix ")));
    assert!(scene.log("turns").len() <= 2, "nothing more is started");
    assert!(scene.landed().is_empty());
    let target = scene.git(&["rev-parse", "HEAD^{tree}"]);
    let asked = scene.log("gates").iter().filter(|gate| gate.ends_with(&target)).count();
    assert_eq!(asked, 1, "the gate is asked once about the target: {:?}", scene.log("gates"));
    let done = scene.log("turns").len();
    scene.sandbox.write(scene.dir.join("broken.txt"), "finished\n");
    scene.publish("Mend the target");
    scene.run(2, 0);
    scene.all_landed(5);
    assert_eq!(scene.log("turns").len(), 5, "what was done before was landed: {done}");
}

#[test]
fn a_change_that_the_target_has_already_is_green_or_waits() {
    let scene = Scene::new(Remote::Bare, Books::Ignored);
    scene.tasks(1);
    scene.act(&[("RQ-0001", "echo same > same.txt")]);
    // Somebody else makes the same change and breaks the target while the agent works.
    let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
    let push = format!(
        "git clone -q '{0}' '{1}'; (cd '{1}'; echo same > same.txt; echo UNFINISHED > red.txt; \
         git add -A; git commit -qm Same; git push -q origin main)\n",
        scene.remote.as_ref().expect("a remote").display(),
        scene.sandbox.path("other").display(),
    );
    scene.sandbox.write("bin/agent.sh", format!("{agent}\n{push}"));
    let summary = scene.run(1, 1);
    assert_eq!(summary["stopped"], "target_red", "{summary}");
    assert_eq!(summary["landed"], 0, "{summary}");
    // Mended, it is an end, with the reason.
    let other = scene.sandbox.path("other");
    scene.sandbox.git(&other, ["rm", "-q", "red.txt"]);
    scene.sandbox.git(&other, ["commit", "-qm", "Mend"]);
    scene.sandbox.git(&other, ["push", "-q", "origin", "main"]);
    let summary = scene.run(1, 0);
    let task = &summary["tasks"][0];
    assert_eq!((&task["outcome"], &task["commit"]), (&"no_change".into(), &().into()), "{summary}");
    assert!(task["reason"].to_string().contains("already"), "{summary}");
    assert_eq!(scene.log("turns").len(), 1);
}

#[test]
fn a_gate_that_somebody_kills_has_not_spoken() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    let gate = fs_err::read_to_string(scene.sandbox.path("bin/gate.sh")).expect("written");
    let marks = scene.sandbox.path("log").display().to_string();
    let dies = |times: usize| {
        format!("{gate}\nif [ $(grep -c . {marks}/gates) -le {times} ]; then kill -9 $$; fi\n")
    };
    // Once: it is run again. Each time: the machine is at fault, and no agent is asked.
    scene.sandbox.write("bin/gate.sh", dies(99));
    let summary = scene.run(1, 3);
    assert_eq!(summary["stopped"], "machine", "{summary}");
    assert!(scene.log("turns").iter().all(|turn| !turn.contains(" fix ")));
    scene.sandbox.write("bin/gate.sh", dies(scene.log("gates").len() + 1));
    scene.run(1, 0);
    scene.all_landed(2);
    assert_eq!(scene.log("turns").len(), 2);
}

#[test]
fn a_protected_branch_blocks_at_once_with_the_reason() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    let hook = scene.remote.as_ref().expect("a remote").join("hooks/pre-receive");
    let script = scene.sandbox.script("hook", "echo 'main is protected' >&2; exit 1");
    fs_err::create_dir_all(hook.parent().expect("hooks")).expect("writable");
    fs_err::rename(script, &hook).expect("writable");
    let summary = scene.run(1, 1);
    assert_eq!(summary["blocked"], 1, "{summary}");
    assert_eq!((scene.log("turns").len(), scene.log("gates").len()), (1, 1), "no second try");
    fs_err::remove_file(hook).expect("writable");
    scene.ralph(&["run", "parallel", "retry", "--task", "RQ-0001"]).success();
    scene.run(1, 0);
    scene.all_landed(1);
    assert_eq!(scene.log("turns").len(), 1, "the work is landed, not done again");
}

#[test]
fn a_push_that_is_raced_lands_on_top_of_the_other_without_an_agent() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    // Somebody else pushes while the gate runs, once.
    let other = scene.sandbox.path("other");
    let remote = scene.remote.clone().expect("a remote");
    scene.sandbox.git(
        scene.sandbox.root(),
        ["clone", "--quiet", remote.to_str().expect("text"), other.to_str().expect("text")],
    );
    let gate = fs_err::read_to_string(scene.sandbox.path("bin/gate.sh")).expect("written");
    let race = format!(
        "{gate}\nif [ ! -e '{0}/raced' ]; then touch '{0}/raced'; cd '{1}'; echo y > y.txt; \
         git add y.txt; git commit -qm Other; git push -q origin main; fi\n",
        scene.sandbox.path("log").display(),
        other.display()
    );
    scene.sandbox.write("bin/gate.sh", race);
    scene.run(1, 0);
    assert_eq!(scene.on_target("y.txt"), "y");
    assert_eq!(scene.on_target("work/RQ-0001.txt"), "RQ-0001");
    assert_eq!((scene.log("turns").len(), scene.log("gates").len()), (1, 2));
    scene.nothing_left();
}

#[test]
fn another_machine_that_was_faster_wins_and_the_work_is_kept() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    let other = scene.sandbox.path("other");
    let remote = scene.remote.clone().expect("a remote");
    scene.sandbox.git(
        scene.sandbox.root(),
        ["clone", "--quiet", remote.to_str().expect("text"), other.to_str().expect("text")],
    );
    // While our agent works, the same task lands from elsewhere.
    let act = format!(
        "mkdir -p work; echo ours > work/ours.txt; cd '{}'; echo theirs > theirs.txt; git add .; \
         git commit -qm 'RQ-0001: theirs\n\nRalph-Task: RQ-0001\nRalph-Attempt: elsewhere'; \
         git push -q origin main",
        other.display()
    );
    scene.act(&[("RQ-0001", act.as_str())]);
    scene.run(1, 0);
    assert_eq!(scene.landed().get("RQ-0001"), Some(&1), "never twice");
    let kept = scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/"]);
    assert_eq!(scene.git(&["show", &format!("{kept}:work/ours.txt")]), "ours");
    assert_eq!(scene.log("gates").len(), 0);
}

#[test]
fn a_workspace_cloned_from_a_checkout_that_is_behind_holds_no_unfinished_work() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    let remote = scene.remote.clone().expect("a remote");
    // Right after the first landing somebody else's commit follows it, which the checkout
    // cannot take: a file of the user is in its way.
    let edit = format!(
        "mkdir -p work; echo $ID > work/$ID.txt; echo mine > '{}'",
        scene.dir.join("theirs.txt").display()
    );
    scene.act(&[("RQ-0001", edit.as_str())]);
    scene.sandbox.script(
        remote.join("hooks/post-receive"),
        "[ ! -e followed ] || exit 0; touch followed; export GIT_INDEX_FILE=following; \
         git read-tree main; blob=$(echo theirs | git hash-object -w --stdin); \
         git update-index --add --cacheinfo \"100644,$blob,theirs.txt\"; \
         git update-ref refs/heads/main \"$(git commit-tree \"$(git write-tree)\" -p main -m more)\"",
    );
    scene.run(1, 0);
    assert_eq!(scene.landed().len(), 2);
    assert_eq!(scene.on_target("theirs.txt"), "theirs");
    assert_eq!(scene.git(&["for-each-ref", "refs/ralph/rescue/"]), "");
}

#[test]
fn local_changes_of_the_user_are_never_touched() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    let edit = format!(
        "mkdir -p work; echo $ID > work/$ID.txt; echo mine > '{}'",
        scene.dir.join("shared.txt").display()
    );
    scene.act(&[("RQ-0001", edit.as_str())]);
    scene.run(1, 0);
    assert_eq!(scene.landed().len(), 1);
    let mine = fs_err::read_to_string(scene.dir.join("shared.txt")).expect("still there");
    assert_eq!(mine, "mine\n");
}

#[test]
fn a_task_may_ask_for_phases_and_the_command_line_wins() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.ralph(&["task", "add", "Planned", "--phases", "3"]).success();
    scene.ralph(&["task", "add", "Plain"]).success();
    scene.publish("Queue tasks");
    scene.run(1, 0);
    let turns =
        ["RQ-0001 plan 1", "RQ-0001 implement 1", "RQ-0001 review 1", "RQ-0002 implement 1"];
    assert_eq!(scene.log("turns"), turns);
    scene.ralph(&["task", "add", "Hurried", "--phases", "3"]).success();
    scene.publish("Queue another");
    scene.ralph(&["run", "loop", "--parallel", "1", "--quick"]).success();
    assert_eq!(scene.log("turns").last().map(String::as_str), Some("RQ-0003 implement 1"));
}

/// Where nobody listens.
const NOBODY: &str = "url.git://127.0.0.1:1/.insteadOf";

/// A project whose remote cannot be reached any more once an agent has worked on a task, for at
/// most so many pushes.
fn without_an_answer(pushes: u32) -> Scene {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let config = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&config).expect("written");
    let limit = format!("\"parallel\": {{ \"max_push_attempts\": {pushes},");
    scene.sandbox.write(&config, text.replace("\"parallel\": {", &limit));
    scene.publish("So many pushes");
    scene.tasks(2);
    let remote = scene.remote.as_ref().expect("a remote").display();
    let away =
        format!("mkdir -p work; echo $ID > work/$ID.txt; git config --global {NOBODY} {remote}");
    scene.act(&[("RQ-0001", &away)]);
    scene
}

#[test]
fn the_first_push_that_nobody_answers_is_told() {
    let scene = without_an_answer(1_000_000);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    wait_until(PATIENCE, "a note", || run.stderr().contains("; trying again"));
    scene.git(&["config", "--global", "--unset", NOBODY]);
    let ran = run.wait(PATIENCE);
    let told = ran.success().stderr.matches("; trying again").count();
    assert_eq!(told, 1, "once, not at each try: {ran}");
    scene.all_landed(2);
    assert_eq!(scene.log("turns").len(), 2, "no agent is asked about it");
}

#[test]
fn a_remote_that_does_not_answer_holds_the_work() {
    let scene = without_an_answer(2);
    let summary = scene.run(1, 3);
    assert_eq!(
        (&summary["stopped"], &summary["held"]),
        (&"machine".into(), &1.into()),
        "{summary}"
    );
    let record = scene.records().pop().expect("a record");
    let why = record["last_error"].as_str().expect("a reason");
    assert!(why.ends_with("(2 pushes)"), "{record}");
    scene.git(&["config", "--global", "--unset", NOBODY]);
    scene.run(1, 0);
    scene.all_landed(2);
    assert_eq!(scene.log("turns").len(), 2, "the work that waited was landed");
}

#[test]
fn a_branch_that_the_remote_lacks_is_named_before_it_is_created_there() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    scene.run(1, 0);
    scene.git(&["checkout", "--quiet", "-b", "private"]);
    let begin = || scene.ralph(&["run", "loop", "--parallel", "1"]);
    let told = begin().success().stderr.clone();
    assert!(told.contains("origin has no branch `private`"), "{told}");
    let id = scene.ralph(&["task", "add", "another"]).success().stdout.clone();
    scene.commit(&format!("Add {}", id.trim()));
    scene.git(&["push", "--quiet", "origin", "private"]);
    let told = begin().success().stderr.clone();
    assert!(!told.contains("has no branch"), "{told}");
}
