//! A task that a run has in hand: what others may change of it.

use super::{Books, PATIENCE, Remote, Scene};

/// An agent that waits for `go`, and before that marks a task done if it is to.
const WAITS: &str = r#"at_work
if [ -e "$LOG/says" ]; then $(cat "$LOG/says"); fi
echo x > x.txt"#;

#[test]
fn how_a_task_ends_that_a_run_has_in_hand_is_for_the_run_to_write() {
    for (remote, way) in [(Remote::Bare, &["--parallel", "1"][..]), (Remote::None, &[])] {
        let scene = Scene::new(remote, Books::Tracked);
        scene.act(&[("RQ-0001", WAITS)]).tasks(2);
        let run = scene.start(&[&["run", "loop", "--max-tasks", "1"], way].concat());
        scene.wait_for_agent("RQ-0001");
        let kind = if way.is_empty() { "a run in your checkout" } else { "a parallel run" };
        let refused = [
            &["task", "reject", "RQ-0001"][..],
            &["task", "done", "RQ-0001"],
            &["task", "status", "draft", "RQ-0002", "RQ-0001"],
            &["task", "edit", "status", "done", "RQ-0001"],
            &["task", "batch", "delete", "RQ-0001"],
            &["task", "split", "RQ-0001"],
        ];
        for args in refused {
            let ran = scene.ralph(args);
            let told = &ran.exited(4).stderr;
            assert!(told.contains("RQ-0001") && told.contains(kind), "{ran}");
            assert!(told.contains("`ralph queue stop`"), "{ran}");
        }
        // What a run would be refused for, its rehearsal is refused for too.
        for args in [&["run", "one"][..], &["run", "loop"], &["run", "loop", "--parallel", "2"]] {
            for args in [args, &[args, &["--dry-run"]].concat()] {
                let ran = scene.ralph(args);
                assert!(ran.exited(4).stderr.contains("another run is active"), "{ran}");
            }
        }
        let doctor = scene.ralph(&["doctor"]);
        assert!(!doctor.stdout.contains("was interrupted"), "{doctor}");
        scene.ralph(&["task", "edit", "title", "Another title", "RQ-0001"]).success();
        scene.ralph(&["task", "status", "draft", "RQ-0002"]).success();
        scene.go_on();
        run.wait(PATIENCE).success();
        let shown = super::super::parse(&scene.ralph(&["task", "show", "RQ-0001"]).stdout);
        assert_eq!((&shown["status"], &shown["title"]), (&"done".into(), &"Another title".into()));
        // Nobody has it in hand any more.
        scene.ralph(&["task", "status", "todo", "RQ-0001"]).success();
    }
}

#[test]
fn an_agent_may_end_the_task_of_its_own_turn() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let ralph = super::super::RALPH;
    let says = format!("{ralph} task done RQ-0001 --note said");
    scene.sandbox.write("log/says", says);
    scene.go_on();
    scene.act(&[("RQ-0001", WAITS)]).tasks(1);
    scene.ralph(&["run", "loop"]).success();
    scene.all_landed(1);
}

#[test]
fn an_agent_ends_no_other_task_than_that_of_its_turn() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let ralph = super::super::RALPH;
    let tries = [
        "task done RQ-0002",
        "task reject RQ-0002",
        "task status draft RQ-0002",
        "task edit status done RQ-0002",
        "task batch delete RQ-0002",
    ];
    let refused = tries.map(|args| {
        format!("code=0; {ralph} {args} 2>> \"$LOG/told\" || code=$?; echo $code >> \"$LOG/codes\"")
    });
    // A word for the user, and a task of its own, are welcome.
    let welcome = format!("{ralph} task note RQ-0002 'Look at this'; {ralph} task add Found");
    let act = format!("{}\n{welcome}\necho x > x.txt", refused.join("\n"));
    scene.act(&[("RQ-0001", &act)]).tasks(2);
    let ran = scene.ralph(&["run", "loop", "--max-tasks", "1", "--json"]);
    let summary = super::super::parse(&ran.success().stdout);
    assert_eq!(scene.log("codes"), ["3"; 5], "{ran}");
    let told = scene.log("told").join("\n");
    assert!(told.contains("a turn of RQ-0001 ends no other task"), "{told}");
    assert_eq!(summary["beside"], serde_json::json!([]));
    let listed = scene.ralph(&["queue", "list", "--format", "compact"]).stdout;
    assert!(listed.contains("RQ-0002\ttodo") && listed.contains("RQ-0003\ttodo"), "{listed}");
    assert!(scene.ralph(&["task", "show", "RQ-0002"]).stdout.contains("Look at this"));
    // The variable alone is no turn.
    let mut command = scene.sandbox.command(ralph, &scene.dir);
    command.args(["task", "done", "RQ-0002"]).env("RALPH_TASK_ID", "RQ-0001");
    scene.sandbox.start_command(command).wait(PATIENCE).success();
}

#[test]
fn an_agent_in_a_workspace_ends_no_other_task_and_its_notes_land() {
    let scene = Scene::new(Remote::Bare, Books::Tracked);
    let ralph = super::super::RALPH;
    let act = format!(
        "for args in 'done RQ-0002' 'reject RQ-0002' 'batch delete RQ-0002'; do \
         code=0; {ralph} task $args 2>> \"$LOG/told\" || code=$?; echo $code >> \"$LOG/codes\"; done\n\
         {ralph} task note RQ-0002 'Look at this'; {ralph} task add Found\n\
         {ralph} task done RQ-0001 --note 'Done so'; echo x > x.txt"
    );
    scene.act(&[("RQ-0001", &act)]).tasks(2);
    let ran = scene.ralph(&["run", "loop", "--parallel", "1", "--max-tasks", "1"]);
    ran.success();
    assert_eq!(scene.log("codes"), ["3"; 3], "{ran}");
    let told = scene.log("told").join("\n");
    assert!(told.contains("a turn of RQ-0001 ends no other task"), "{told}");
    let queue = scene.git(&["show", "main:.ralph/queue.jsonc"]);
    let queue = ralph_queue::Document::parse(queue).expect("a queue");
    let shown: Vec<_> = queue
        .tasks()
        .iter()
        .map(|task| (task.title.as_str(), task.status.as_str(), task.notes.join(",")))
        .collect();
    let [own, other, found] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!((own.1, own.2.as_str()), ("done", "Done so"));
    assert_eq!((other.1, other.2.as_str()), ("todo", "Look at this"));
    assert_eq!((found.0, found.1), ("Found", "todo"));
}

#[test]
fn a_queue_that_an_agent_breaks_in_its_workspace_is_told_and_does_not_land() {
    for file in ["queue", "done"] {
        let scene = Scene::new(Remote::Bare, Books::Tracked);
        let act = format!("echo '{{' > .ralph/{file}.jsonc; echo x > x.txt");
        scene.act(&[("RQ-0001", &act)]).tasks(1);
        let ran = scene.ralph(&["run", "loop", "--parallel", "1"]);
        ran.success();
        let log = fs_err::read_to_string(scene.dir.join(".ralph/logs/parallel/RQ-0001.log"));
        let log = log.expect("the log of the worker");
        let told = "RQ-0001: the agent's edit of the queue cannot be read: ";
        assert_eq!(log.matches(told).count(), 1, "{log}");
        let queue = scene.git(&["show", "main:.ralph/queue.jsonc"]);
        let queue = ralph_queue::Document::parse(queue).expect("a queue");
        assert_eq!(queue.tasks()[0].status.as_str(), "done");
    }
}

#[test]
fn what_became_of_other_tasks_behind_the_back_of_a_run_is_told() {
    let edit = r#"sed 's/"todo"/"done"/' .ralph/queue.jsonc > q; cat q > .ralph/queue.jsonc; rm q"#;
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.act(&[("RQ-0001", &format!("{edit}; echo x > x.txt"))]).tasks(2);
    let ran = scene.ralph(&["run", "loop"]);
    let told = "RQ-0002: todo -> done while the agent of RQ-0001 worked";
    assert_eq!(ran.success().stderr.matches(told).count(), 2, "at once and at the end: {ran}");
    assert!(ran.stderr.contains("`ralph task status todo RQ-0002`"), "{ran}");
    scene.ralph(&["task", "status", "todo", "RQ-0002"]).success();
    // Nor is a failure said to be tried again that the agent made a success of.
    let own = r#"sed 's/"doing"/"done"/' .ralph/queue.jsonc > q; cat q > .ralph/queue.jsonc; rm q"#;
    scene.commit("Again");
    scene.act(&[("RQ-0002", &format!("{own}; exit 9"))]);
    let ran = scene.ralph(&["run", "loop"]);
    let told = "RQ-0002: doing -> done while the agent of RQ-0002 worked";
    assert!(ran.exited(1).stderr.contains(told), "{ran}");
    assert!(!ran.stderr.contains("tries it again"), "{ran}");
}
