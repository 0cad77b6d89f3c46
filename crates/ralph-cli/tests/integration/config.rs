//! `ralph config …`.

use serde_json::json;

use crate::{Desk, parse};

#[test]
fn show_tells_each_value_and_where_it_comes_from() {
    let desk = Desk::new();
    desk.write(
        ".ralph/config.jsonc",
        r#"{"version":2,"agent":{"phases":3,"webhook":{"secret":"hush"}}}"#,
    );
    desk.sandbox
        .write("home/.config/ralph/config.jsonc", r#"{"version":2,"parallel":{"workers":4}}"#);
    let ran = desk.ralph(&["config", "show"]);
    assert!(ran.success().stdout.contains("\n  phases: 3  # .ralph/config.jsonc\n"), "{ran}");
    assert!(ran.stdout.contains("\n  workers: 4  # "), "{ran}");
    assert!(ran.stdout.contains("\n  id_prefix: \"RQ\"\n"), "{ran}");

    let old = parse(&desk.ralph(&["config", "show", "--format", "json"]).success().stdout);
    assert_eq!(old["agent"]["phases"], 3);
    let document = desk.json(&["config", "show"]);
    assert_eq!(document["config"], old);
    assert_eq!(document["origins"]["agent.phases"]["kind"], "project");
    assert_eq!(document["origins"]["parallel.workers"]["kind"], "global");
    assert_eq!(document["origins"]["queue.id_prefix"]["kind"], "default");
    assert!(!ran.stdout.contains("hush") && !document.to_string().contains("hush"));
}

#[test]
fn a_profile_is_laid_over() {
    let desk = Desk::new();
    let shown = desk.json(&["config", "show", "--profile", "safe"]);
    assert_eq!(shown["config"]["agent"]["git_publish_mode"], "off");
    assert_eq!(desk.error(&["config", "show", "--profile", "nope"], 2)["code"], "not_found");
}

#[test]
fn profiles_are_listed_and_shown() {
    let desk = Desk::new();
    desk.write(
        ".ralph/config.jsonc",
        r#"{"version":2,"profiles":{"quick":{"model":"m","phases":1,"webhook":{"secret":"hush"}},"bare":{}}}"#,
    );
    let ran = desk.ralph(&["config", "profiles", "list"]);
    assert_eq!(
        ran.success().stdout,
        "Available profiles:\n  \
         bare - nothing\n  \
         power-user - claude_permission_mode=bypass_permissions, git_publish_mode=commit_and_push, \
         runner_cli.defaults.approval_mode=yolo\n  \
         quick - model=m, phases=1, webhook.secret=(secret)\n  \
         safe - claude_permission_mode=accept_edits, git_publish_mode=off, \
         runner_cli.defaults.approval_mode=safe\n"
    );
    let shown = desk.ralph(&["config", "profiles", "show", "safe"]);
    assert_eq!(
        shown.success().stdout,
        "Profile: safe\nSource: built-in\n\nclaude_permission_mode: \"accept_edits\"\n\
         git_publish_mode: \"off\"\nrunner_cli:\n  defaults:\n    approval_mode: \"safe\"\n"
    );
    let rows = desk.json(&["config", "profiles", "list"])["items"].clone();
    let quick = desk.json(&["config", "profiles", "show", "quick"]);
    assert_eq!((&quick["source"], &quick["patch"]), (&json!("config"), &rows[2]["patch"]));
    assert_eq!(quick["patch"]["phases"], 1);
    let error = desk.error(&["config", "profiles", "show", "nope"], 2);
    assert_eq!(error["code"], "not_found");
}

#[test]
fn paths_are_told_with_what_is_missing() {
    let desk = Desk::new();
    let ran = desk.ralph(&["config", "paths"]);
    let queue = format!("queue           {}\n", desk.path(".ralph/queue.jsonc").display());
    assert!(ran.success().stdout.contains(&queue), "{ran}");
    assert!(ran.stdout.contains("config.jsonc  (not there)\n"), "{ran}");
    let rows = desk.json(&["config", "paths"])["paths"].clone();
    assert_eq!(rows[0], json!({ "name": "repository", "path": desk.dir, "exists": true }));
}

#[test]
fn trust_holds_for_the_programs_as_they_are() {
    let desk = Desk::new();
    let config = |program: &str| {
        desk.write(
            ".ralph/config.jsonc",
            format!(
                r#"{{"version":2,"agent":{{"ci_gate":{{"enabled":true,"argv":["{program}"]}}}}}}"#
            ),
        );
    };
    config("./check");
    let shown = desk.ralph(&["config", "show"]);
    assert!(shown.success().stderr.contains("are not trusted yet"), "{shown}");
    let ran = desk.ralph(&["config", "trust", "init"]);
    assert!(ran.success().stderr.contains("trusted now"), "{ran}");
    assert!(ran.stderr.contains("./check"), "{ran}");
    assert_eq!(desk.json(&["config", "show"])["trust"], "trusted");
    config("./other");
    assert_eq!(desk.json(&["config", "show"])["trust"], "untrusted");
    assert_eq!(desk.json(&["config", "trust", "init"])["before"], "untrusted");
    assert_eq!(desk.json(&["config", "trust", "init"])["before"], "trusted");
    assert!(!desk.git(&["status", "--porcelain", "--ignored"]).contains("trust"));
}

#[test]
fn a_wrong_value_is_named_with_its_place_and_range() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", "{\"version\":2,\n \"agent\":{\"phases\":9}}");
    let ran = desk.ralph(&["queue", "list"]);
    assert!(ran.exited(3).stderr.contains("config.jsonc:2:"), "{ran}");
    assert!(ran.stderr.contains("`agent.phases` is `9`, expected"), "{ran}");
    let error = desk.error(&["config", "show"], 3);
    assert_eq!(error["code"], "invalid");
    assert!(error["path"].as_str().expect("text").ends_with(".ralph/config.jsonc"));
}

#[test]
fn a_newer_or_broken_configuration_is_refused() {
    let desk = Desk::new();
    for (text, kind) in [
        ("{\"version\":9}", "newer"),
        ("", "corrupt"),
        ("{", "corrupt"),
        ("{\"version\":2,\"agent\":3}", "invalid"),
    ] {
        desk.write(".ralph/config.jsonc", text);
        assert_eq!(desk.error(&["queue", "list"], 3)["code"], kind, "{text:?}");
        assert_eq!(desk.read(".ralph/config.jsonc"), text);
    }
    desk.write(".ralph/config.jsonc", b"{\"version\":2} \xff");
    assert_eq!(desk.error(&["task", "add", "x"], 3)["code"], "corrupt");
}

#[test]
fn an_unknown_key_is_a_warning() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2,"agent":{"phasses":1}}"#);
    let ran = desk.ralph(&["queue", "list"]);
    assert!(ran.success().stderr.contains("warning: "), "{ran}");
    assert!(ran.stderr.contains("phasses"), "{ran}");
}

#[test]
fn programs_that_are_not_trusted_lead_to_no_next_command() {
    let desk = Desk::new();
    desk.add("a task", &[]);
    for argument in ["", "`ralph task batch delete RQ-0001`"] {
        let config = json!({ "agent": { "command": { "argv": ["./agent", argument] } } });
        desk.write(".ralph/config.jsonc", config.to_string());
        let error = desk.error(&["run", "one"], 3);
        assert_eq!((&error["code"], error.get("next")), (&"untrusted".into(), None), "{error}");
    }
}

#[test]
fn a_dry_run_is_refused_for_what_a_run_would_be() {
    let desk = Desk::new();
    desk.add("a task", &[]);
    let agent = desk.sandbox.script("bin/agent", "true");
    let config = json!({ "agent": { "command": { "argv": [agent] } } });
    desk.write(".ralph/config.jsonc", config.to_string());
    let runs = [&["run", "one"][..], &["run", "loop"], &["run", "loop", "--parallel", "2"]];
    let refused = |code: &str, more: &[&str]| {
        for run in runs {
            let run = [run, more].concat();
            let exit = if code == "usage" { 2 } else { 3 };
            let error = desk.error(&run, exit);
            assert_eq!(error["code"], code, "{error}");
            assert_eq!(desk.error(&[&run[..], &["--dry-run"]].concat(), exit), error);
        }
    };
    refused("untrusted", &[]);
    desk.ralph(&["config", "trust", "init"]).success();
    let would = || runs.map(|run| desk.ralph(&[run, &["--dry-run"]].concat()).code);
    assert_eq!(would(), [Some(0); 3]);
    refused("usage", &["--phases", "3", "--max-tokens", "0"]);
    refused("missing", &["--runner", "codex"]);
    let paths = desk.json(&["config", "paths"]);
    let trust = paths["paths"].as_array().expect("a list");
    let trust = trust.iter().find(|item| item["name"] == "trust").expect("the trust file");
    desk.write(trust["path"].as_str().expect("text"), "{");
    refused("corrupt", &[]);
}
