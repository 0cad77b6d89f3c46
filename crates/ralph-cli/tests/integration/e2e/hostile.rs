//! Agents that do what they should not, and users who are in the middle of something.

use ralph_testkit::{Signal, wait_until};

use super::{Books, PATIENCE, Remote, Scene};

/// Two tasks that change the same line, each with a file of its own besides.
const TOGETHER: &str = "sed 's/^two/two by '$ID'/' shared.txt > s && cat s > shared.txt && rm s; \
                        mkdir -p work; echo $ID > work/$ID.txt";

/// A scene whose agent does `script` when asked to resolve a conflict.
fn resolving_with(script: &str) -> Scene {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    scene.act(&[("RQ-0001", TOGETHER), ("RQ-0002", TOGETHER)]);
    let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
    let changed = agent.replace("resolve)\n", &format!("resolve) {script}; exit 0 ;;\nnever)\n"));
    assert_ne!(agent, changed);
    scene.sandbox.write("bin/agent.sh", changed);
    scene
}

/// One task lands, the other is blocked with its work kept and nothing undone.
#[track_caller]
fn one_lands_and_one_is_kept(scene: &Scene) {
    let summary = scene.run(2, 1);
    assert_eq!((&summary["landed"], &summary["blocked"]), (&1.into(), &1.into()), "{summary}");
    let landed = scene.landed();
    assert_eq!(landed.len(), 1, "{landed:?}");
    let first = landed.keys().next().expect("one landed").clone();
    assert_eq!(scene.on_target(&format!("work/{first}.txt")), first, "nothing of it is undone");
    assert!(scene.on_target("shared.txt").contains(&format!("two by {first}")));
    let other = if first == "RQ-0001" { "RQ-0002" } else { "RQ-0001" };
    let kept = scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/"]);
    let has_work = kept.lines().any(|name| {
        scene.git(&["ls-tree", "-r", "--name-only", name]).contains(&format!("work/{other}.txt"))
    });
    assert!(has_work, "the work of {other} is kept: {kept}");
}

#[test]
fn aborting_the_rebase_resolves_nothing_and_undoes_nothing() {
    one_lands_and_one_is_kept(&resolving_with("git rebase --abort"));
}

#[test]
fn throwing_the_change_away_resolves_nothing() {
    one_lands_and_one_is_kept(&resolving_with("git reset -q --hard"));
}

#[test]
fn a_conflict_without_markers_has_to_be_decided() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    fs_err::write(scene.dir.join("image.bin"), [0u8, 1, 2, 0]).expect("writable");
    scene.publish("An image");
    scene.tasks(2);
    let paint = "printf '\\000%s\\000' $ID > image.bin; mkdir -p work; echo $ID > work/$ID.txt";
    scene.act(&[("RQ-0001", paint), ("RQ-0002", paint)]);
    let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
    scene
        .sandbox
        .write("bin/agent.sh", agent.replace("resolve)\n", "resolve) exit 0 ;;\nnever)\n"));
    let summary = scene.run(2, 1);
    assert_eq!((&summary["landed"], &summary["blocked"]), (&1.into(), &1.into()), "{summary}");
    // Decided, it lands; both the file and the rest of the change are there.
    let decide = "resolve) printf '\\000both\\000' > image.bin; exit 0 ;;\nnever)\n";
    scene.sandbox.write("bin/agent.sh", agent.replace("resolve)\n", decide));
    for task in ["RQ-0001", "RQ-0002"] {
        if !scene.landed().contains_key(task) {
            scene.ralph(&["run", "parallel", "retry", "--task", task]).success();
        }
    }
    scene.run(2, 0);
    scene.all_landed(2);
    assert!(scene.on_target("image.bin").contains("both"));
    for task in ["RQ-0001", "RQ-0002"] {
        assert_eq!(scene.on_target(&format!("work/{task}.txt")), task);
    }
}

#[test]
fn an_agent_that_goes_back_in_history_undoes_nothing() {
    for finish in ["in_place", "archive"] {
        let scene = Scene::new(Remote::Bare, Books::Tracked);
        let config = scene.dir.join(".ralph/config.jsonc");
        let text = fs_err::read_to_string(&config).expect("written");
        scene.sandbox.write(&config, text.replace("in_place", finish));
        scene.publish("Configure");
        scene.tasks(2);
        let back = "git checkout -q --detach HEAD~1; mkdir -p work; echo $ID > work/$ID.txt";
        scene.act(&[("RQ-0002", back)]);
        scene.run(1, 0);
        assert_eq!(scene.landed().len(), 2, "{:?}", scene.landed());
        for task in ["RQ-0001", "RQ-0002"] {
            assert_eq!(scene.on_target(&format!("work/{task}.txt")), task, "{finish}");
        }
        let list = scene.ralph(&["queue", "list", "--json", "--all", "--include-done"]);
        assert_eq!(super::super::parse(&list.success().stdout)["total"], 2, "none is back as new");
    }
}

#[test]
fn an_agent_cannot_switch_the_gate_off() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    let off = "sed 's/\"enabled\": true/\"enabled\": false/' .ralph/config.jsonc > c; \
               cat c > .ralph/config.jsonc; rm c; rm -f .ralph/README.md; echo x > x.txt";
    scene.act(&[("RQ-0001", off), ("RQ-0002", "echo UNFINISHED > red.txt")]);
    scene.run(1, 0);
    scene.all_landed(2);
    assert_eq!(scene.on_target("red.txt"), "finished", "the gate still stood");
    assert!(scene.on_target(".ralph/config.jsonc").contains("\"enabled\": true"));
    assert!(scene.on_target(".ralph/README.md").contains("Ralph"));
}

#[test]
fn uncommitted_tasks_and_the_archive_end_in_a_clean_valid_queue() {
    for remote in [Remote::Bare, Remote::None] {
        let scene = Scene::new(remote, Books::Tracked);
        let config = scene.dir.join(".ralph/config.jsonc");
        let text = fs_err::read_to_string(&config).expect("written");
        scene.sandbox.write(&config, text.replace("in_place", "archive"));
        scene.publish("Configure");
        for title in ["One", "Two"] {
            scene.ralph(&["task", "add", title]).success();
        }
        scene.run(2, 0);
        assert_eq!(scene.landed().len(), 2);
        scene.ralph(&["queue", "validate"]).success();
        let list = scene.ralph(&["queue", "list", "--json", "--all", "--include-done"]);
        let list = super::super::parse(&list.success().stdout);
        assert_eq!(list["total"], 2, "{remote:?}: {list}");
        for item in list["items"].as_array().expect("a list") {
            assert_eq!(item["status"], "done", "{remote:?}: {item}");
        }
        scene.nothing_left();
    }
}

#[test]
fn half_an_edit_of_the_queue_is_never_lost() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    let queue = scene.dir.join(".ralph/queue.jsonc");
    // While the agents work the user saves something that is no queue.
    let half = "{ \"version\": 1, \"tasks\": [ // I was just";
    let act = format!("at_work; printf '%s' '{half}' > '{}'; echo $ID > $ID.txt", queue.display());
    scene.act(&[("RQ-0001", act.as_str()), ("RQ-0002", act.as_str())]);
    let run = scene.start(&["run", "loop", "--parallel", "2"]);
    scene.wait_for_agent("RQ-0001");
    scene.wait_for_agent("RQ-0002");
    scene.go_on();
    wait_until(PATIENCE, "both landings", || scene.landed().len() == 2);
    scene.ralph(&["queue", "stop"]).success();
    drop(run.wait(PATIENCE));
    let now = fs_err::read_to_string(&queue).expect("still there");
    assert_eq!(now, half, "the user's bytes stand where they were");
}

/// The power failed while the user's queue was set aside, and the user went on before the next run.
#[test]
fn what_is_edited_after_a_crash_beside_files_that_were_set_aside_is_never_lost() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    let queue = scene.dir.join(".ralph/queue.jsonc");
    let aside = |name: &str| scene.dir.join(".ralph/cache").join(name);
    let crash = || {
        let committed = fs_err::read(&queue).expect("a queue");
        scene.ralph(&["task", "add", "Before the crash"]).success();
        fs_err::create_dir_all(aside("set-aside")).expect("writable");
        fs_err::rename(&queue, aside("set-aside/0")).expect("writable");
        fs_err::write(aside("set-aside/from"), scene.git(&["rev-parse", "HEAD"]))
            .expect("writable");
        fs_err::write(&queue, committed).expect("writable");
    };
    crash();
    scene.ralph(&["task", "add", "After the crash"]).success();
    scene.run(1, 0);
    scene.all_landed(3);

    crash();
    let half = "{ \"version\": 1, \"tasks\": [ // I was just";
    fs_err::write(&queue, half).expect("writable");
    let ran = scene.ralph(&["run", "loop", "--parallel", "1"]);
    assert!(ran.exited(3).stderr.contains("set-aside-1"), "{ran}");
    assert_eq!(fs_err::read_to_string(&queue).expect("a queue"), half);
    let kept = fs_err::read_to_string(aside("set-aside-1/0")).expect("kept");
    assert!(kept.contains("Before the crash"), "{kept}");
}

#[test]
fn a_machine_that_lacks_a_program_stops_the_run_and_loses_nothing() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let gate = scene.sandbox.path("bin/gate.sh");
    scene.sandbox.write("bin/gate", format!("#!/bin/sh\nexec sh {}\n", gate.display()));
    let config = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&config).expect("written");
    // A relative path: only the workspace can tell that it is not there.
    let broken = text.replacen("\"argv\": [\"sh\", \"", "\"argv\": [\"KEEP\", \"", 1);
    let broken = broken.replacen("\"argv\": [\"sh\", \"", "\"argv\": [\"./tools/gate\", \"", 1);
    scene.sandbox.write(&config, broken.replace("KEEP", "sh"));
    scene.ralph(&["config", "trust", "init"]).success();
    scene.publish("A gate that is not there");
    scene.tasks(4);
    let summary = scene.run(2, 3);
    assert_eq!(summary["stopped"], "machine", "{summary}");
    assert!(scene.log("turns").len() <= 2, "one turn for each worker at most");
    scene.sandbox.write(scene.dir.join("tools/gate"), "#!/bin/sh\nexit 0\n");
    scene.sandbox.run("chmod", &scene.dir, ["+x", "tools/gate"]).success();
    scene.publish("The gate");
    scene.run(2, 0);
    scene.all_landed(4);
    assert_eq!(scene.log("turns").len(), 4, "what was done before was landed");
}

#[test]
fn a_task_rejected_while_interrupted_is_not_worked_on() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    scene.killed_at("worker.committed", "parent\nself\n", &["run", "loop", "--parallel", "1"]);
    scene.ralph(&["task", "reject", "RQ-0001"]).success();
    scene.publish("Reject");
    scene.run(1, 0);
    assert_eq!(scene.landed().keys().collect::<Vec<_>>(), ["RQ-0002"]);
    let kept = scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/RQ-0001/"]);
    assert_eq!(kept.lines().count(), 1, "its work is kept");
}

#[test]
fn retry_lands_kept_work_though_its_workspace_is_gone() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    // The gate needs a file that git ignores.
    let ignored = fs_err::read_to_string(scene.dir.join(".gitignore")).expect("init wrote it");
    scene.sandbox.write(scene.dir.join(".gitignore"), format!("{ignored}.env\n"));
    scene.sandbox.write(scene.dir.join(".env"), "KEY=1\n");
    let gate = fs_err::read_to_string(scene.sandbox.path("bin/gate.sh")).expect("written");
    scene.sandbox.write("bin/gate.sh", format!("{gate}test -f .env\n"));
    scene.publish("Ignore .env");
    scene.tasks(1);
    let hook = scene.remote.as_ref().expect("a remote").join("hooks/pre-receive");
    let script = scene.sandbox.script("hook", "exit 1");
    fs_err::create_dir_all(hook.parent().expect("hooks")).expect("writable");
    fs_err::rename(script, &hook).expect("writable");
    scene.run(1, 1);
    fs_err::remove_file(hook).expect("writable");
    // Another tree, of which the gate has said nothing yet.
    scene.sandbox.write(scene.dir.join("other.txt"), "other\n");
    scene.publish("Another file");
    fs_err::remove_dir_all(scene.sandbox.path(".workspaces")).expect("removable");
    let retried = scene.ralph(&["run", "parallel", "retry", "--all", "--json"]);
    let retried = super::super::parse(&retried.success().stdout);
    assert_eq!(
        (&retried["land"][0], &retried["anew"]),
        (&"RQ-0001".into(), &Vec::<u8>::new().into())
    );
    scene.run(1, 0);
    scene.all_landed(1);
    assert_eq!(scene.log("turns").len(), 1, "no agent is asked again");
}

#[test]
fn taking_the_change_back_mends_no_red_gate_but_with_a_reason() {
    for (reason, code, outcome) in
        [("", 1, "blocked"), ("; echo 'not wanted' > \"$RALPH_NO_CHANGE_FILE\"", 0, "no_change")]
    {
        let scene = Scene::new(Remote::Bare, Books::Tracked);
        scene.tasks(1);
        scene.act(&[("RQ-0001", "echo UNFINISHED > red.txt")]);
        let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
        let back = format!("fix) rm -f red.txt{reason}; exit 0 ;;\nnever)\n");
        scene.sandbox.write("bin/agent.sh", agent.replace("fix)\n", &back));
        let summary = scene.run(1, code);
        assert_eq!(summary["tasks"][0]["outcome"], outcome, "{summary}");
        let kept = scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/"]);
        if code == 0 {
            assert_eq!(summary["tasks"][0]["reason"], "not wanted", "{summary}");
        } else {
            assert_eq!(scene.landed().len(), 0);
            assert_eq!(scene.git(&["show", &format!("{kept}:red.txt")]), "UNFINISHED");
        }
    }
}

#[test]
fn an_agent_that_leads_its_remote_elsewhere_lands_where_the_run_does() {
    for remote in [Remote::Bare, Remote::None] {
        let scene = Scene::new(remote, Books::Tracked);
        scene.tasks(2);
        let fork = "git init -q --bare ../fork.git; git push -q ../fork.git HEAD:main;
            git remote set-url origin ../fork.git; echo x > x";
        scene.act(&[("RQ-0001", "git remote remove origin; echo y > y"), ("RQ-0002", fork)]);
        scene.run(1, 0);
        fs_err::remove_dir_all(scene.sandbox.path(".workspaces/project/parallel/fork.git"))
            .expect("the fork is there");
        scene.all_landed(2);
    }
}

#[test]
fn an_agent_that_leaves_a_conflict_is_asked_again() {
    let leaves = "git merge --abort 2> /dev/null || true; N=$RALPH_ATTEMPT
        git checkout -q -b side-$N; echo side-$N > shared.txt; git commit -qam side; git checkout -q -
        echo mine-$N > shared.txt; git commit -qam mine; git merge -q side-$N || true";
    let settles = format!("{leaves}; [ \"$RALPH_ATTEMPT\" = 1 ] || echo both > shared.txt");
    let ways: [&[&str]; 2] = [&["run", "loop", "--parallel", "1"], &["run", "loop"]];
    for way in ways {
        for (act, code, attempts) in [(leaves, 1, 3), (&settles, 0, 2)] {
            let scene = Scene::new(Remote::None, Books::Tracked);
            // It does not look for markers.
            scene.sandbox.write("bin/gate.sh", "exit 0\n");
            scene.act(&[("RQ-0001", act)]).tasks(1);
            let ran = scene.start(way).wait(PATIENCE);
            ran.exited(code);
            assert_eq!(scene.log("turns").len(), attempts, "{ran}");
            if code == 0 {
                assert_eq!(scene.on_target("shared.txt"), "both", "{ran}");
            } else {
                assert!(ran.stderr.contains("left a conflict in shared.txt (3 attempts)"), "{ran}");
                assert!(!scene.on_target("shared.txt").contains("<<<<<<<"), "{ran}");
            }
        }
    }
}

#[test]
fn an_agent_that_leaves_a_conflict_has_mended_no_gate() {
    let leaves = "fix) touch mended
        S=side-$RALPH_TURN; git checkout -q -b $S; echo $S > shared.txt; git commit -qam side; git checkout -q -
        echo mine-$S > shared.txt; git commit -qam mine; git merge -q $S || true; exit 0 ;;\nnever)\n";
    let ways: [&[&str]; 2] = [&["run", "loop", "--parallel", "1"], &["run", "loop"]];
    for way in ways {
        let scene = Scene::new(Remote::None, Books::Tracked);
        // It does not look for markers.
        scene.sandbox.write("bin/gate.sh", "[ -e mended ] || [ ! -e work ]\n");
        let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
        scene.sandbox.write("bin/agent.sh", agent.replace("fix)\n", leaves));
        scene.tasks(1);
        let ran = scene.start(way).wait(PATIENCE);
        ran.exited(1);
        // A worker says so in its log.
        let is_told = ran.stderr.contains("left a conflict in shared.txt");
        assert!(is_told || way.len() > 2, "{ran}");
        assert!(!scene.on_target("shared.txt").contains("<<<<<<<"), "{ran}");
    }
}

#[test]
fn what_an_agent_wrote_on_a_red_gate_is_kept_when_the_run_stops() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    scene.act(&[("RQ-0001", "echo UNFINISHED > red.txt")]);
    let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
    let lasting = "fix) if [ ! -e \"$LOG/go\" ]; then echo thoughts > thoughts.txt; at_work; fi ;;\n\
                   esac\ncase $RALPH_PHASE in\nfix)\n";
    scene.sandbox.write("bin/agent.sh", agent.replace("fix)\n", lasting));
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    run.signal(Signal::INT);
    run.wait(PATIENCE).exited(130);
    scene.go_on();
    scene.run(1, 0);
    scene.all_landed(1);
    let kept = scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/"]);
    let has_it = kept
        .lines()
        .any(|name| scene.git(&["ls-tree", "-r", "--name-only", name]).contains("thoughts.txt"));
    assert!(has_it, "{kept}");
}

#[test]
fn serial_and_parallel_runs_know_of_each_other() {
    // The coordinator is killed, its worker lives on: a serial run leaves its task alone.
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    let lasting = "mkdir -p work; echo $ID > work/$ID.txt; at_work";
    scene.act(&[("RQ-0001", lasting)]);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    run.signal(Signal::KILL);
    drop(run.wait(PATIENCE));
    scene.ralph(&["run", "one", "--id", "RQ-0001"]).exited(3);
    scene.ralph(&["run", "one"]).success();
    scene.git(&["push", "--quiet", "origin", "main"]);
    scene.go_on();
    scene.run(1, 0);
    assert_eq!(scene.landed().values().copied().collect::<Vec<_>>(), [1, 1]);
    // An interrupted serial run keeps parallel ones away from the checkout it works in.
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(1);
    scene.act(&[("RQ-0001", lasting)]);
    let run = scene.start(&["run", "loop"]);
    scene.wait_for_agent("RQ-0001");
    run.signal(Signal::INT);
    run.wait(PATIENCE).exited(130);
    let refused = scene.ralph(&["run", "loop", "--parallel", "2"]);
    refused.exited(3);
    assert!(refused.stderr.contains("ralph run resume"), "{refused}");
}

#[test]
fn a_run_that_begins_nothing_says_who_has_or_left_what() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(3);
    scene.act(&[("RQ-0001", "at_work")]);
    let run = scene.start(&["run", "loop", "--parallel", "1"]);
    scene.wait_for_agent("RQ-0001");
    run.signal(Signal::INT);
    run.wait(PATIENCE).exited(130);
    scene.ralph(&["task", "edit", "depends_on", "RQ-0001", "RQ-0002"]).success();
    scene.ralph(&["queue", "claim", "--id", "RQ-0003"]).success();
    let ran = scene.ralph(&["run", "loop", "--force"]);
    let told = &ran.success().stderr;
    let begun = "RQ-0001 was begun by a parallel run (`ralph run loop --parallel`)";
    assert!(told.contains(begun) && told.contains("RQ-0003 is claimed by"), "{ran}");
    let ran = scene.ralph(&["run", "loop", "--force", "--json"]);
    let taken = super::super::parse(&ran.success().stdout)["taken"].clone();
    assert_eq!(taken.as_object().map(serde_json::Map::len), Some(2), "{taken}");
    // Nor is a queue all of which is claimed one without an open task.
    scene.ralph(&["task", "reject", "RQ-0001"]).success();
    scene.ralph(&["task", "reject", "RQ-0002"]).success();
    let run = ["run", "loop", "--parallel", "1", "--force"];
    assert!(scene.ralph(&run).success().stderr.contains("no longer open in the queue"));
    let ran = scene.ralph(&run);
    assert!(ran.success().stderr.contains("RQ-0003 is claimed by"), "{ran}");
}

#[test]
fn an_agent_that_removes_its_workspace_fails_alone() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.act(&[("RQ-0001", "W=$PWD; cd /; rm -rf \"$W\"")]).tasks(3);
    let summary = scene.run(1, 1);
    assert_eq!((&summary["landed"], &summary["failed"]), (&2.into(), &1.into()), "{summary}");
    assert!(summary["stopped"].is_null(), "{summary}");
}

#[test]
fn commits_that_an_agent_took_off_are_kept_when_its_task_fails_too() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let act = "git cat-file -e HEAD:mine.txt && git reset --quiet --hard HEAD~1; exit 9";
    scene.act(&[("RQ-0001", act)]).tasks(1);
    scene.sandbox.write(scene.dir.join("mine.txt"), "mine\n");
    scene.commit("Mine, and pushed nowhere");
    let mine = scene.git(&["rev-parse", "HEAD"]);
    let ran = scene.ralph(&["run", "loop"]);
    ran.exited(1);
    assert!(ran.stderr.contains("they are kept in refs/ralph/rescue/RQ-0001/1"), "{ran}");
    assert_eq!(scene.git(&["rev-parse", "refs/ralph/rescue/RQ-0001/1"]), mine);
}

#[test]
fn commits_that_an_agent_took_off_the_branch_are_kept_and_nothing_lands_without_them() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.act(&[("RQ-0001", "git reset --quiet --hard HEAD~1; echo x > x.txt")]).tasks(2);
    scene.sandbox.write(scene.dir.join("mine.txt"), "mine\n");
    scene.commit("Mine, and pushed nowhere");
    let ran = scene.ralph(&["run", "loop"]);
    ran.exited(1);
    assert!(ran.stderr.contains("`main` lacks commits that it had when the task began"), "{ran}");
    assert!(ran.stderr.contains("`git merge refs/ralph/rescue/RQ-0001/1`"), "{ran}");
    assert!(scene.landed().is_empty(), "{ran}");
    scene.git(&["merge", "--quiet", "refs/ralph/rescue/RQ-0001/1"]);
    scene.ralph(&["run", "loop"]).success();
    assert!(scene.dir.join("mine.txt").exists());
    scene.all_landed(2);
    assert_eq!(scene.log("turns").len(), 2, "each agent was asked once");
}

/// As of a hook, or of an alias in a linked work tree.
#[test]
fn what_an_outer_git_says_of_its_repository_reaches_neither_agent_nor_gate() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(1);
    let tell = "git rev-parse --absolute-git-dir";
    let log = scene.sandbox.path("log");
    scene.act(&[("RQ-0001", &format!("{tell} > $LOG/agent; echo x > x.txt"))]);
    let gate = fs_err::read_to_string(scene.sandbox.path("bin/gate.sh")).expect("written");
    let gate = format!("{tell} > {}/gate\n{gate}", log.display());
    scene.sandbox.write("bin/gate.sh", gate);
    let git_dir = scene.dir.join(".git");
    let mut command = scene.sandbox.command(super::super::RALPH, &scene.dir);
    command.args(["run", "loop", "--parallel", "1"]);
    command.env("GIT_DIR", &git_dir).env("GIT_INDEX_FILE", git_dir.join("index"));
    scene.sandbox.start_command(command).wait(PATIENCE).success();
    for who in ["agent", "gate"] {
        let place = fs_err::read_to_string(log.join(who)).expect("told");
        assert_ne!(place.trim(), git_dir.display().to_string(), "{who}");
    }
}

#[test]
fn a_work_tree_that_an_agent_made_inside_does_not_land_and_is_kept() {
    for way in [&["--parallel", "1"][..], &[]] {
        let scene = Scene::new(Remote::None, Books::Tracked);
        let inner = ".claude/worktrees/x";
        let act =
            format!("git worktree add -q -b x {inner}; echo own > {inner}/own.txt; echo x > x.txt");
        scene.act(&[("RQ-0001", &act)]).tasks(2);
        scene.ralph(&[&["run", "loop"], way].concat()).success();
        assert_eq!(scene.landed().len(), 2);
        assert_eq!(scene.git(&["ls-tree", "-r", "--name-only", "main", ".claude"]), "");
        if way.is_empty() {
            assert!(scene.dir.join(inner).join("own.txt").exists());
        } else {
            assert_eq!(scene.git(&["show", "refs/ralph/rescue/RQ-0001/1:own.txt"]), "own");
        }
    }
}

#[test]
fn neither_agent_nor_gate_has_a_git_that_asks_at_the_terminal() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let log = scene.sandbox.path("log");
    let tell = |who: &str| format!("echo $GIT_TERMINAL_PROMPT > {}/{who}", log.display());
    scene.act(&[("RQ-0001", &format!("{}; echo x > x.txt", tell("agent")))]).tasks(1);
    let gate = fs_err::read_to_string(scene.sandbox.path("bin/gate.sh")).expect("written");
    scene.sandbox.write("bin/gate.sh", format!("{}\n{gate}", tell("gate")));
    let mut command = scene.sandbox.command(super::super::RALPH, &scene.dir);
    command.args(["run", "loop"]).env_remove("GIT_TERMINAL_PROMPT");
    scene.sandbox.start_command(command).wait(PATIENCE).success();
    assert_eq!(
        (scene.log("agent"), scene.log("gate")),
        (vec!["0".to_owned()], vec!["0".to_owned()])
    );
}
