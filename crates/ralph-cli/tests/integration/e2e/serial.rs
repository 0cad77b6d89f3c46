//! One task after the other, in the user's checkout.

use ralph_testkit::{Signal, wait_until};

use super::{Books, PATIENCE, Remote, Scene};

fn scene(count: usize) -> Scene {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.tasks(count);
    scene
}

#[test]
fn a_newcomers_first_run() {
    let sandbox = ralph_testkit::Sandbox::new();
    let dir = sandbox.path("new");
    fs_err::create_dir(&dir).expect("a sandbox is writable");
    sandbox.git(&dir, ["init", "--quiet"]);
    // An agent on PATH, and nothing else.
    let agent = r#"cat > /dev/null; echo hello > hello.txt
echo '{"type":"system","subtype":"init","session_id":"s1"}'
echo '{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"s1"}'"#;
    sandbox.script("agents/claude", agent);
    let path = format!(
        "{}:{}",
        sandbox.path("agents").display(),
        sandbox
            .env()
            .iter()
            .find(|(name, _)| name == "PATH")
            .map(|(_, value)| value.to_string_lossy().into_owned())
            .expect("a PATH")
    );
    let ralph = |args: &[&str]| {
        let mut command = sandbox.command(super::super::RALPH, &dir);
        command.args(args).env("PATH", &path);
        sandbox.start_command(command).wait(PATIENCE)
    };
    ralph(&["init"]).success();
    ralph(&["task", "add", "Say hello"]).success();
    let ran = ralph(&["run", "loop"]);
    ran.success();
    assert!(ran.stderr.contains("claude"), "the choice is said: {ran}");
    assert!(ran.stderr.contains("takes along what `ralph init` wrote"), "{ran}");
    assert_eq!(sandbox.git(&dir, ["show", "HEAD:hello.txt"]), "hello");
    assert_eq!(sandbox.git(&dir, ["status", "--porcelain"]), "");
    let files = sandbox.git(&dir, ["ls-files"]);
    for runtime in ["cache", "lock", "logs", "trust"] {
        assert!(!files.contains(runtime), "{files}");
    }
    sandbox.nothing_runs();
}

#[test]
fn no_agent_anywhere_says_what_would_do() {
    let sandbox = ralph_testkit::Sandbox::new();
    let repo = sandbox.repo("new");
    let bin = sandbox.path("only-git");
    fs_err::create_dir(&bin).expect("a sandbox is writable");
    let git = sandbox.run("sh", repo.dir(), ["-c", "command -v git"]).stdout;
    std::os::unix::fs::symlink(git.trim(), bin.join("git")).expect("a link");
    let ralph = |args: &[&str]| {
        let mut command = sandbox.command(super::super::RALPH, repo.dir());
        command.args(args).env("PATH", &bin);
        sandbox.start_command(command).wait(PATIENCE)
    };
    ralph(&["init"]).success();
    ralph(&["task", "add", "Say hello"]).success();
    let ran = ralph(&["run", "loop"]);
    ran.exited(3);
    assert!(ran.stderr.contains("claude") && ran.stderr.contains("agent.command"), "{ran}");
}

#[test]
fn tasks_are_done_in_order_one_commit_each() {
    let scene = scene(3);
    scene.ralph(&["run", "loop", "--max-tasks", "2"]).success();
    assert_eq!(scene.landed().len(), 2);
    scene.ralph(&["run", "loop"]).success();
    scene.all_landed(3);
    assert_eq!((scene.log("turns").len(), scene.log("gates").len()), (3, 3));
    let subjects = scene.git(&["log", "--format=%s", "-3"]);
    assert_eq!(subjects, "RQ-0003: Task 3\nRQ-0002: Task 2\nRQ-0001: Task 1");
}

#[test]
fn run_one_takes_the_task_it_is_given() {
    let scene = scene(2);
    scene.ralph(&["run", "one", "--id", "RQ-0002"]).success();
    assert_eq!(scene.landed().keys().collect::<Vec<_>>(), ["RQ-0002"]);
    scene.ralph(&["run", "one", "--id", "RQ-0002"]).exited(3);
    scene.ralph(&["run", "one", "--id", "RQ-0099"]).exited(2);
}

#[test]
fn a_red_gate_is_given_to_the_agent() {
    let scene = scene(1);
    scene.act(&[("RQ-0001", "echo UNFINISHED > red.txt")]);
    let ran = scene.ralph(&["run", "loop"]);
    assert!(ran.success().stderr.contains("red gate   RQ-0001  asking the agent\n"), "{ran}");
    scene.all_landed(1);
    assert_eq!((scene.log("turns").len(), scene.log("gates").len()), (2, 2));
}

#[test]
fn what_a_red_gate_wrote_is_shown_and_kept() {
    for way in [&["--parallel", "1"][..], &[]] {
        let scene = scene(1);
        let gate = fs_err::read_to_string(scene.sandbox.path("bin/gate.sh")).expect("written");
        let red = "[ ! -e work/RQ-0001.txt ] || { echo sk-ant-api03-abcdefghijklmnopqrstuvwxyz; \
                   echo 'two of three fail' >&2; exit 7; }";
        scene.sandbox.write("bin/gate.sh", format!("{gate}\n{red}\n"));
        let ran = scene.ralph(&[&["run", "loop"], way].concat());
        let log = ".ralph/logs/gate/RQ-0001.log";
        let told = &ran.exited(1).stderr;
        assert!(told.contains("two of three fail") && told.contains(log), "{ran}");
        let next = if way.is_empty() { "ralph run resume" } else { "retry --task RQ-0001" };
        assert!(told.contains(next), "{ran}");
        let text = fs_err::read_to_string(scene.dir.join(log)).expect("kept");
        assert!(text.contains("two of three fail") && !text.contains("abcdefghij"), "{text}");
        assert!(!told.contains("abcdefghij"), "{ran}");
        if !way.is_empty() {
            let explained = scene.ralph(&["queue", "explain"]);
            assert!(explained.success().stdout.contains(log), "{explained}");
        }
    }
}

#[test]
fn an_agent_that_fails_leaves_its_work_in_the_checkout_and_a_copy() {
    let scene = scene(2);
    scene.act(&[("RQ-0001", "echo half > half.txt; exit 9")]);
    scene.ralph(&["run", "loop"]).exited(1);
    assert_eq!(scene.log("turns").len(), 3, "three attempts");
    assert_eq!(fs_err::read_to_string(scene.dir.join("half.txt")).expect("left"), "half\n");
    let kept = scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/"]);
    assert_eq!(scene.git(&["show", &format!("{kept}:half.txt")]), "half");
    assert!(scene.landed().is_empty());
    let task = scene.ralph(&["task", "show", "RQ-0001"]).stdout;
    assert!(task.contains("\"todo\""), "{task}");
    // Brought back, it leaves the queue to the user, who has changed it meanwhile.
    fs_err::remove_file(scene.dir.join("half.txt")).expect("it is there");
    scene.ralph(&["task", "edit", "title", "Another title", "RQ-0001"]).success();
    scene.ralph(&["rescue", "restore", "RQ-0001"]).success();
    scene.git(&["cherry-pick", "rescue/RQ-0001/1"]);
    assert_eq!(scene.git(&["show", "HEAD:half.txt"]), "half");
    let task = super::super::parse(&scene.ralph(&["task", "show", "RQ-0001"]).stdout);
    assert_eq!((&task["title"], &task["status"]), (&"Another title".into(), &"todo".into()));
}

#[test]
fn a_failed_task_that_changed_nothing_costs_no_other() {
    for mode in ["commit", "off"] {
        let scene = scene(4);
        scene.act(&[("RQ-0002", "exit 9")]);
        scene.ralph(&["task", "edit", "depends_on", "RQ-0002", "RQ-0003"]).success();
        scene.publish("One waits for another");
        let run = ["run", "loop", "--json", "--git-publish-mode", mode];
        let summary = super::super::parse(&scene.ralph(&run).exited(1).stdout);
        let outcome = |index: usize| summary["tasks"][index]["outcome"].clone();
        let done = if mode == "off" { "done" } else { "landed" };
        assert_eq!([outcome(0), outcome(1), outcome(2)], [done, "failed", done], "{summary}");
        assert_eq!(summary["tasks"][1]["in_checkout"], false, "{summary}");
        assert_eq!(
            (&summary["stopped"], &summary["waiting"]),
            (&().into(), &1.into()),
            "{summary}"
        );
        let turns = scene.log("turns");
        let tried = turns.iter().filter(|turn| turn.starts_with("RQ-0002")).count();
        assert_eq!((turns.len(), tried), (5, 3), "it is begun once in a run: {turns:?}");
        assert_eq!(scene.git(&["for-each-ref", "refs/ralph/rescue/"]), "", "nothing to keep");
    }
}

#[test]
fn a_failed_task_that_left_something_ends_the_run() {
    // A file, a commit of its own, a setting of Ralph's, another branch. On that there is no
    // further attempt, so that it is left by the last one.
    let left = [
        (1, "echo half > half.txt"),
        (1, "git -c user.name=a -c user.email=a@b commit --quiet --allow-empty -m x"),
        (1, "mkdir -p .ralph/prompts; echo x > .ralph/prompts/worker.md"),
        (3, "git checkout --quiet -b elsewhere"),
    ];
    for (attempt, act) in left {
        let scene = scene(4);
        scene.act(&[("RQ-0002", &format!("[ $RALPH_ATTEMPT = {attempt} ] && {act}; exit 9"))]);
        scene.ralph(&["task", "edit", "depends_on", "RQ-0002", "RQ-0003"]).success();
        scene.publish("One waits for another");
        let summary =
            super::super::parse(&scene.ralph(&["run", "loop", "--json"]).exited(1).stdout);
        assert_eq!(summary["stopped"], "work_left", "{act}: {summary}");
        assert_eq!(summary["unstarted"], 1, "{act}: {summary}");
        assert_eq!(summary["tasks"][1]["in_checkout"], true, "{act}: {summary}");
        assert_eq!(scene.log("turns").len(), 4, "{act}: no other task is begun");
    }
}

/// Alone or in parallel, a run does not go through the whole queue with an agent that cannot do it.
#[test]
fn a_run_ends_when_one_task_after_the_other_fails() {
    for run in [vec!["run", "loop"], vec!["run", "loop", "--parallel", "2"]] {
        let scene = scene(9);
        let fails: Vec<String> = (3..=9).map(|number| format!("RQ-{number:04}")).collect();
        let acts: Vec<(&str, &str)> = fails.iter().map(|id| (id.as_str(), "exit 9")).collect();
        scene.act(&acts);
        let ran = scene.ralph(&[&run[..], &["--json"]].concat());
        let summary = super::super::parse(&ran.exited(1).stdout);
        assert_eq!(summary["stopped"], "failures", "{summary}");
        assert_eq!(summary["landed"], 2, "{summary}");
        let failed = summary["failed"].as_u64().expect("a number");
        // What the other worker has begun meanwhile comes to its end.
        assert!((5..=6).contains(&failed), "{summary}");
        assert!(failed == 5 || run.len() > 2, "{summary}");
    }
}

#[test]
fn commit_and_push_pushes() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(1);
    scene.ralph(&["run", "loop", "--git-publish-mode", "commit_and_push"]).success();
    scene.all_landed(1);
}

#[test]
fn what_could_not_be_pushed_is_not_begun() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    scene.tasks(2);
    let push = ["run", "loop", "--git-publish-mode", "commit_and_push"];
    let other = scene.sandbox.path("other");
    let url = scene.git(&["remote", "get-url", "origin"]);
    scene.git(&["clone", "--quiet", &url, &other.display().to_string()]);
    let elsewhere = |args: &[&str]| scene.sandbox.run(super::super::RALPH, &other, args);
    elsewhere(&["config", "trust", "init"]).success();
    elsewhere(&[&push[..], &["--max-tasks", "1"]].concat()).success();
    let refused = |what: &str, next: &str| {
        let ran = scene.ralph(&push);
        let told = &ran.exited(3).stderr;
        assert!(told.contains(what) && told.contains(next), "{ran}");
        assert_eq!(scene.log("turns").len(), 1, "no agent was asked: {ran}");
        assert_eq!(scene.git(&["status", "--porcelain"]), "", "nothing was changed");
    };
    refused("`main` lacks 1 commit of `origin/main`", "`git pull --rebase origin main`");
    let doctor = scene.ralph(&["doctor"]);
    assert!(doctor.success().stdout.contains("warning in step"), "{doctor}");
    // Without a push it is the user's to know.
    scene.act(&[("RQ-0001", "exit 9")]);
    let ran = scene.ralph(&["run", "one"]);
    assert!(ran.exited(1).stderr.contains("may be done here again"), "{ran}");
    scene.git(&["checkout", "--quiet", "--", "."]);
    fs_err::remove_file(scene.sandbox.path("log/turns")).expect("written");
    scene.sandbox.write("log/turns", "one\n");
    scene.sandbox.write(scene.dir.join("own.txt"), "own\n");
    scene.commit("A commit of the user's");
    refused("lacks 1 commit", "`git pull --rebase origin main`");
    scene.git(&["pull", "--quiet", "--rebase", "origin", "main"]);
    scene.git(&["remote", "set-url", "origin", &scene.sandbox.path("gone").display().to_string()]);
    refused("cannot fetch", "`git fetch origin`");
    scene.git(&["remote", "set-url", "origin", &url]);
    scene.ralph(&push).success();
    assert_eq!(scene.landed().into_values().collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn an_end_that_the_run_wrote_is_not_told_as_somebody_elses() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let config = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&config).expect("written");
    scene.sandbox.write(&config, text.replace("in_place", "archive"));
    let remote = scene.remote.as_ref().expect("a remote").display().to_string();
    let gone = format!("echo x > x.txt; mv '{remote}' '{remote}.gone'");
    scene.act(&[("RQ-0001", gone.as_str())]).tasks(2);
    let push = ["run", "loop", "--git-publish-mode", "commit_and_push"];
    let ran = scene.ralph(&push);
    assert!(ran.exited(1).stdout.contains("blocked"), "{ran}");
    assert!(!ran.stderr.contains("while the agent of RQ-0001 worked"), "{ran}");
    fs_err::rename(format!("{remote}.gone"), &remote).expect("movable");
    scene.ralph(&push).success();
    scene.all_landed(2);
}

#[test]
fn publish_off_leaves_the_changes_and_goes_on() {
    let scene = scene(2);
    let ran = scene.ralph(&["run", "loop", "--git-publish-mode", "off", "--json"]);
    let summary = super::super::parse(&ran.success().stdout);
    assert_eq!((&summary["landed"], &summary["done"]), (&0.into(), &2.into()), "{summary}");
    assert!(scene.landed().is_empty());
    for task in ["RQ-0001", "RQ-0002"] {
        assert!(scene.dir.join(format!("work/{task}.txt")).is_file());
    }
    scene.commit("By hand");
    scene.ralph(&["task", "add", "More"]).success();
    let ran = scene.ralph(&["run", "loop", "--git-publish-mode", "off"]);
    let told = &ran.success().stderr;
    assert!(told.contains("`git add -A && git commit`"), "{ran}");
    assert!(told.contains("\"git_publish_mode\": \"commit\""), "{ran}");
}

#[test]
fn a_task_that_waits_for_its_branch_is_told_by_the_status_of_runs() {
    let scene = scene(1);
    let status = || scene.ralph(&["run", "parallel", "status"]);
    assert!(!status().success().stderr.contains("ralph run resume"));
    scene.act(&[("RQ-0001", "echo x > x.txt; git switch --quiet --create other")]);
    let run = scene.start(&["run", "loop"]);
    wait_until(PATIENCE, "a run that waits", || run.stderr().contains("it is waited for"));
    scene.ralph(&["queue", "stop"]).success();
    run.wait(PATIENCE).exited(3);
    let ran = status();
    let told = &ran.success().stderr;
    assert!(told.contains("left RQ-0001 unfinished") && told.contains("ralph run resume"), "{ran}");
    let ran = scene.ralph(&["run", "parallel", "status", "--json"]);
    assert_eq!(super::super::parse(&ran.success().stdout)["serial_session"], "RQ-0001");
}

#[test]
fn a_stopped_run_goes_on_with_the_same_task() {
    let scene = scene(2);
    scene.act(&[("RQ-0001", "echo x > x.txt; at_work")]);
    let run = scene.start(&["run", "loop"]);
    scene.wait_for_agent("RQ-0001");
    run.signal(Signal::INT);
    run.wait(PATIENCE).exited(130);
    scene.sandbox.nothing_runs();
    // What is said of it leads to where it goes on.
    for args in [&["queue", "ready"][..], &["queue", "explain", "RQ-0001"]] {
        let ran = scene.ralph(args);
        let told = format!("{}{}", ran.success().stdout, ran.stderr);
        assert!(told.contains("was cut off") && told.contains("`ralph run resume`"), "{ran}");
    }
    assert!(!scene.ralph(&["task", "start", "RQ-0001"]).success().stderr.contains("claim"));
    let refused = scene.ralph(&["queue", "claim", "--id", "RQ-0001", "--json"]);
    let error = super::super::parse(&refused.exited(3).stderr);
    assert!(error["error"].get("next").is_none(), "nobody wants an agent begun: {error}");
    scene.go_on();
    scene.ralph(&["run", "one", "--id", "RQ-0002"]).exited(3);
    scene.ralph(&["run", "resume"]).success();
    scene.all_landed(2);
}

#[test]
fn killed_at_any_point_every_task_lands_once() {
    for step in ["claimed", "working", "gating", "finishing", "finished", "committed"] {
        let scene = scene(2);
        killed_at(&scene, step);
        scene.ralph(&["run", "loop"]).success();
        scene.all_landed(2);
    }
}

/// A run that dies when it comes to `step`.
#[track_caller]
pub(super) fn killed_at(scene: &Scene, step: &str) {
    let code = scene.killed_at(&format!("serial.{step}"), "self\n", &["run", "loop"]);
    assert_ne!(code, Some(0), "it was killed at {step}");
}

/// `git clean -dffx` takes the session away, too.
#[test]
fn an_agent_that_removes_what_git_ignores_has_no_more_turns_than_others() {
    let scene = scene(1);
    scene.act(&[("RQ-0001", "echo UNFINISHED > red.txt")]);
    let agent = fs_err::read_to_string(scene.sandbox.path("bin/agent.sh")).expect("written");
    let clean = "fix) [ \"$(wc -l < \"$LOG/turns\")\" -lt 9 ] || exit 1
        git clean -dffxq -e red.txt; exit 0 ;;\nnever)\n";
    scene.sandbox.write("bin/agent.sh", agent.replace("fix)\n", clean));
    scene.ralph(&["run", "loop"]).exited(1);
    assert_eq!(scene.log("turns").len(), 4, "{:?}", scene.log("turns"));
    // The next run knows what is under way.
    scene.sandbox.write(scene.dir.join("red.txt"), "mended\n");
    scene.ralph(&["run", "resume"]).success();
    scene.all_landed(1);
    assert_eq!(scene.log("turns").len(), 4, "{:?}", scene.log("turns"));
}

#[test]
fn a_run_is_the_only_one_whatever_its_agent_removes() {
    let scene = scene(1);
    // A directory where Ralph writes at this moment may stay. The agent of another run would not wait.
    let act =
        "git clean -dffxq || :; [ $(wc -l < \"$LOG/turns\") = 1 ] || exit 1; at_work; echo x > x";
    scene.act(&[("RQ-0001", act)]);
    let run = scene.start(&["run", "loop"]);
    scene.wait_for_agent("RQ-0001");
    let other = scene.ralph(&["run", "loop"]);
    scene.go_on();
    other.exited(4);
    run.wait(PATIENCE).exited(0);
    scene.all_landed(1);
}

#[test]
fn killed_twice_in_a_row_a_finished_task_still_lands() {
    let scene = scene(1);
    killed_at(&scene, "finished");
    // The queue has it as done; the gate is green on these very files.
    killed_at(&scene, "finishing");
    assert_eq!(scene.log("gates").len(), 1, "one gate run for one tree");
    // Now they are others: the gate has to run again, and that is cut short too.
    scene.sandbox.write(scene.dir.join("work/more.txt"), "more\n");
    killed_at(&scene, "gating");
    scene.ralph(&["run", "loop"]).success();
    scene.all_landed(1);
    assert_eq!(scene.git(&["show", "HEAD:work/RQ-0001.txt"]), "RQ-0001");
    assert_eq!(scene.log("turns").len(), 1);
}

#[test]
fn work_on_a_task_that_the_user_ended_meanwhile_is_kept() {
    for verb in ["done", "reject"] {
        let scene = scene(2);
        killed_at(&scene, "gating");
        scene.ralph(&["task", verb, "RQ-0001"]).success();
        let ran = scene.ralph(&["run", "loop"]);
        ran.exited(3);
        assert!(ran.stderr.contains("work/RQ-0001.txt") || ran.stderr.contains("work"), "{ran}");
        let kept =
            scene.git(&["for-each-ref", "--format=%(refname)", "refs/ralph/rescue/RQ-0001/"]);
        assert_eq!(scene.git(&["show", &format!("{kept}:work/RQ-0001.txt")]), "RQ-0001");
        assert!(scene.dir.join("work/RQ-0001.txt").is_file(), "it stays in the checkout too");
    }
}

#[test]
fn an_agent_that_cannot_be_started_leaves_the_task_as_it_was() {
    let scene = scene(2);
    let config = scene.dir.join(".ralph/config.jsonc");
    let text = fs_err::read_to_string(&config).expect("written");
    // A relative path: only a start can tell that it is not there.
    let broken = text.replacen("\"argv\": [\"sh\", ", "\"argv\": [\"./tools/agent\", ", 1);
    scene.sandbox.write(&config, broken);
    scene.ralph(&["config", "trust", "init"]).success();
    scene.publish("An agent that is not there");
    let before = fs_err::read_to_string(scene.dir.join(".ralph/queue.jsonc")).expect("a queue");
    scene.ralph(&["run", "loop"]).exited(3);
    let task = scene.ralph(&["task", "show", "RQ-0001"]).stdout;
    assert!(task.contains("\"todo\""), "{task}\nfrom {before}");
    scene.sandbox.write(&config, text);
    scene.publish("The agent");
    scene.ralph(&["config", "trust", "init"]).success();
    // No session is in the way of a parallel run.
    scene.run(2, 0);
    scene.all_landed(2);
}

#[test]
fn what_an_agent_claimed_is_not_for_a_run() {
    let scene = scene(2);
    scene.ralph(&["queue", "claim", "--id", "RQ-0001"]).success();
    scene.ralph(&["run", "loop"]).success();
    let status = |id| {
        let ran = scene.ralph(&["task", "show", id, "--format", "compact"]);
        ran.success().stdout.split('\t').nth(1).map(str::to_owned)
    };
    assert_eq!(status("RQ-0001").as_deref(), Some("doing"));
    assert_eq!(status("RQ-0002").as_deref(), Some("done"));
}

/// An agent that nobody logged in.
const STRANGER: &str = r#"{ "version": 1, "runner": "codex", "turns": [
  { "when": { "turn": 1 }, "steps": [
    { "event": { "type": "thread.started", "thread_id": "1" } },
    { "event": { "type": "turn.failed",
                 "error": { "message": "unexpected status 401 Unauthorized: no key" } } },
    { "exit": 1 } ] } ] }"#;

#[test]
fn a_login_that_is_missing_holds_the_task_and_ends_the_run() {
    let scene = scene(2);
    let script = scene.sandbox.write("codex.json", STRANGER);
    let runner = format!("scripted:{}", script.display());
    let ran = scene.ralph(&["run", "loop", "--json", "--runner", &runner]);
    ran.exited(3);
    let summary = super::super::parse(&ran.stdout);
    assert_eq!((&summary["stopped"], &summary["held"]), (&"machine".into(), &1.into()), "{ran}");
    assert_eq!(summary["tasks"].as_array().map(Vec::len), Some(1), "no second one: {ran}");
    assert_eq!(summary["tasks"][0]["attempts"], 1, "it is not tried again: {ran}");
    // Logged in, it goes on.
    scene.ralph(&["run", "loop"]).success();
    scene.all_landed(2);
}

#[test]
fn an_undo_leaves_what_a_run_wrote() {
    let scene = scene(1);
    scene.ralph(&["run", "loop"]).success();
    let list = scene.ralph(&["undo", "--list"]).stdout;
    let newest = list.trim_start().split(' ').next().expect("an id").to_owned();
    let status = || scene.ralph(&["queue", "list", "--include-done"]).stdout;
    let before = status();
    let ran = scene.ralph(&["undo", "--id", &newest]);
    assert!(ran.exited(3).stderr.contains("RQ-0001 (landed as "), "{ran}");
    assert_eq!(status(), before);
    // Nobody asked for anything that is left to take back.
    let ran = scene.ralph(&["undo"]);
    assert!(!ran.stderr.contains("is changed"), "{ran}");
    assert_eq!(status(), before);
    scene.ralph(&["undo", "--force"]).success();
    assert_ne!(status(), before);
}

#[test]
fn an_undo_of_an_edit_within_a_turn_leaves_what_the_run_wrote() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let act = format!("{} task edit notes mine RQ-0001; echo x > x.txt", super::super::RALPH);
    scene.act(&[("RQ-0001", &act)]).tasks(2);
    scene.ralph(&["run", "loop", "--max-tasks", "1"]).success();
    let show = || scene.ralph(&["task", "show", "RQ-0001"]).success().stdout.clone();
    assert!(show().contains("mine"), "{}", show());
    scene.ralph(&["undo"]).success();
    assert!(show().contains("done") && !show().contains("mine"), "{}", show());
}

#[test]
fn a_dry_run_says_in_order_what_a_run_would_do_and_what_it_goes_on_with() {
    let scene = scene(3);
    let plan = || scene.ralph(&["run", "loop", "--dry-run"]).success().stdout.clone();
    let ids = |told: &str| {
        let words = |line: &str| line.split("  ").take(2).collect::<Vec<_>>().join(" ");
        told.lines().map(words).collect::<Vec<_>>()
    };
    let first = ["RQ-0001 starts at once", "RQ-0002 follows: comes later"];
    assert_eq!(ids(&plan())[..2], first);
    killed_at(&scene, "working");
    assert_eq!(ids(&plan())[..2], ["RQ-0001 goes on", "RQ-0002 follows: comes later"]);
    let most = scene.ralph(&["run", "loop", "--dry-run", "--max-tasks", "1"]);
    let most = ids(&most.success().stdout);
    assert_eq!(most[..2], ["RQ-0001 goes on", "RQ-0002 not in this run: comes later"]);
}
