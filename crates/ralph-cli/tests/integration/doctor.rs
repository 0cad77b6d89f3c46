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
