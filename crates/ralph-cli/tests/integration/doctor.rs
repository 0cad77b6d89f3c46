//! `ralph doctor`: what is in place, and what is not.

use serde_json::Value;

use crate::{Desk, parse};

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().expect("a list");
    checks.iter().find(|check| check["name"] == name).expect(name)
}

/// The document, after the exit code was checked.
#[track_caller]
fn doctor(desk: &Desk, code: i32) -> Value {
    let ran = desk.ralph(&["doctor", "--json"]);
    parse(&ran.exited(code).stdout)
}

#[test]
fn a_repository_that_is_ready() {
    let desk = Desk::new();
    let agent = desk.sandbox.script("bin/agent.sh", "true");
    let config = format!(
        r#"{{ "version": 2, "agent": {{ "runner": "command", "command": {{ "argv": ["{0}"] }},
            "ci_gate": {{ "enabled": true, "argv": ["{0}"] }} }} }}"#,
        agent.display()
    );
    desk.write(".ralph/config.jsonc", config);
    desk.git(&["add", "--all"]);
    desk.git(&["commit", "--quiet", "--message", "Begin"]);
    assert_eq!(check(&doctor(&desk, 3), "trust")["verdict"], "problem");
    desk.ralph(&["config", "trust", "init"]).success();
    let document = doctor(&desk, 0);
    for name in ["git", "identity", "branch", "queue", "runner", "gate", "workspaces", "versions"] {
        assert_eq!(check(&document, name)["verdict"], "ok", "{name}: {document}");
    }
    let legacy = desk.ralph(&["doctor", "--format", "json"]);
    let legacy = parse(&legacy.success().stdout);
    assert_eq!(legacy["success"], true);
    let row = &legacy["checks"][0];
    assert_eq!((&row["category"], &row["severity"]), (&"git".into(), &"Success".into()), "{row}");
    let summary = &legacy["summary"];
    let counts = ["passed", "warnings", "errors"].map(|name| summary[name].as_u64());
    assert_eq!(counts.iter().flatten().sum::<u64>(), summary["total"].as_u64().expect("a number"));
    assert_eq!((counts[2], &summary["fixes_applied"]), (Some(0), &0.into()));
    let text = desk.ralph(&["doctor"]);
    assert!(text.success().stdout.contains("ok      branch"), "{text}");
}

#[test]
fn each_thing_that_is_wrong_says_what_to_do() {
    let desk = Desk::new();
    desk.write(".gitignore", "");
    desk.write(".ralph/queue.jsonc", "{");
    desk.write(".ralph/cache/parallel/state.json", "{");
    desk.write(
        ".ralph/config.jsonc",
        r#"{ "version": 1, "agent": { "runner": "codex", "ci_gate": { "argv": ["no-such-gate"] } } }"#,
    );
    desk.ralph(&["config", "trust", "init"]).success();
    let document = doctor(&desk, 3);
    for (name, verdict, next) in [
        ("configuration", "warning", "ralph migrate"),
        ("queue", "problem", "by hand"),
        ("runner", "problem", "agent.codex_bin"),
        ("gate", "problem", "agent.ci_gate.argv"),
        (".gitignore", "warning", "ralph init"),
        ("parallel runs", "problem", "ralph run parallel recover"),
        ("versions", "problem", "ralph migrate --list"),
    ] {
        let found = check(&document, name);
        assert_eq!(found["verdict"], verdict, "{name}: {document}");
        assert!(found["next"].as_str().expect(name).contains(next), "{name}: {found}");
    }
}

#[test]
fn a_runner_of_the_work_tree_that_is_not_there_is_a_problem() {
    let desk = Desk::new();
    let config = r#"{ "version": 2, "agent": { "command": { "argv": ["./agent.sh"] } } }"#;
    desk.write(".ralph/config.jsonc", config);
    for args in [&["config", "show"][..], &["config", "trust", "init"]] {
        desk.ralph(args).success();
        let document = doctor(&desk, 3);
        let runner = check(&document, "runner");
        assert_eq!(runner["verdict"], "problem", "{runner}");
        assert!(runner["next"].as_str().expect("text").contains("agent.command.argv"), "{runner}");
    }
}

#[test]
fn a_journal_that_cannot_be_read_is_told_and_left_as_it_is() {
    let desk = Desk::new();
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    let file = ".ralph/cache/queue-journal.jsonl";
    let text = desk.read(file);
    let lines: Vec<&str> = text.lines().collect();
    let broken = [lines[0], lines[1], "{ broken", lines[3], ""].join("\n");
    let told = |line: &str, undoable: &[&str]| {
        let document = parse(&desk.ralph(&["doctor", "--json"]).stdout);
        let journal = check(&document, "journal");
        let message = journal["message"].as_str().expect("text");
        assert_eq!(journal["verdict"], "warning", "{journal}");
        assert!(message.contains(line) && message.contains(file), "{journal}");
        let ran = desk.ralph(&["undo", "--list"]);
        assert!(ran.stderr.contains(line) && ran.stderr.contains(file), "{ran}");
        assert!(undoable.iter().all(|id| ran.stdout.contains(id)), "{ran}");
    };
    desk.write(file, &broken);
    told("line 3", &["RQ-0001", "RQ-0003"]);
    assert_eq!(desk.json(&["undo", "--list"])["unreadable"][0]["line"], 3);
    let ran = desk.ralph(&["undo"]);
    assert!(ran.success().stderr.contains("line 3 of `.ralph/cache/"), "{ran}");
    assert!(desk.read(file).starts_with(&broken), "what cannot be read is kept");
    let headless = broken.replacen(lines[0], "no header", 1);
    desk.write(file, &headless);
    told("line 1", &[]);
    desk.add("four", &[]);
    let kept = ".ralph/cache/queue-journal.corrupt.jsonl.bak";
    assert_eq!(desk.read(kept), headless);
}

#[test]
fn what_work_trees_share_and_that_cannot_be_read_is_a_problem() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let found = |name| check(&parse(&desk.ralph(&["doctor", "--json"]).stdout), name).clone();
    for (name, file) in [("ids", ".git/ralph/ids.json"), ("claims", ".git/ralph/leases.json")] {
        assert_eq!(found(name)["verdict"], "ok");
        desk.write(file, "{");
        let refused = desk.error(&["queue", "claim", "--next"], 3);
        let check = found(name);
        assert_eq!((&check["verdict"], &check["next"]), (&"problem".into(), &refused["hint"]));
        fs_err::remove_file(desk.dir.join(file)).expect("removed");
    }
}

#[test]
fn a_look_makes_no_workspace_root_and_asks_git_for_the_merge_driver() {
    let desk = Desk::new();
    let look = || parse(&desk.ralph(&["doctor", "--json"]).stdout);
    let before = look();
    let git = check(&before, "git")["message"].as_str().expect("text").to_owned();
    assert!(git.starts_with(|first: char| first.is_ascii_digit()), "its version: {git}");
    assert_eq!(check(&before, "workspaces")["verdict"], "ok", "{before}");
    assert!(!desk.sandbox.path(".workspaces").exists(), "a look changes nothing");

    desk.ralph(&["init", "--merge-driver"]).success();
    assert_eq!(check(&look(), "merge driver")["message"], "installed");
    // A fresh clone has the attributes and not the settings.
    desk.git(&["config", "--local", "--remove-section", "merge.ralph-queue"]);
    let cloned = look();
    let driver = check(&cloned, "merge driver");
    assert_eq!(driver["verdict"], "warning", "{driver}");
    assert!(driver["next"].as_str().expect("text").contains("--merge-driver"), "{driver}");
    // Settings that count though they are not of this clone.
    desk.git(&["config", "--global", "merge.ralph-queue.driver", "true"]);
    let lacking = look();
    let message = check(&lacking, "merge driver")["message"].as_str().expect("text").to_owned();
    assert!(message.contains("merge.ralph-queue.recursive"), "{message}");
    desk.git(&["config", "--global", "merge.ralph-queue.recursive", "binary"]);
    assert_eq!(check(&look(), "merge driver")["verdict"], "ok");
    desk.write(".gitattributes", "# merge=ralph-queue\n");
    let commented = look();
    let driver = check(&commented, "merge driver")["message"].as_str().expect("text").to_owned();
    assert!(driver.starts_with("not installed"), "{driver}");
}

#[test]
fn a_queue_that_cannot_be_read_is_not_said_to_be_undone_and_undo_says_what_all_say() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.write(".ralph/queue.jsonc", "{\"version\": 1, \"tasks\": [");
    let told = desk.ralph(&["doctor"]).exited(3).stdout.clone();
    assert!(told.contains("nothing can be undone while the queue cannot be read"), "{told}");
    let hint = |args: &[&str]| {
        let told = desk.ralph(args).stderr;
        told.lines().find(|line| line.starts_with("hint:")).map(str::to_owned)
    };
    let expected = hint(&["queue", "list"]);
    assert!(expected.is_some());
    assert_eq!((hint(&["undo"]), hint(&["undo", "--dry-run"])), (expected.clone(), expected));
}
