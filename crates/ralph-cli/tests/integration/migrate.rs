//! `ralph migrate`: what older versions left, listed, shown and brought up.

use serde_json::Value;

use crate::Desk;

const OLD_CONFIG: &str = r#"{
  // ours
  "version": 1,
  "agent": { "git_commit_push_enabled": false },
  "parallel": { "auto_pr": true }
}
"#;
const OLD_QUEUE: &str = "{ \"version\": 1, \"tasks\": [] } // mine\n";
const OLD_STATE: &str = r#"{"started_at":"2026-01-01T00:00:00Z","base_branch":"main",
 "tasks_in_flight":[{"task_id":"RQ-0009","worktree_path":"/w/RQ-0009","branch":"ralph/RQ-0009","pid":77}],
 "prs":[{"task_id":"RQ-0008","pr_number":5,"pr_url":"https://x/5"}]}"#;
const STATE: &str = ".ralph/cache/parallel/state.json";

/// A repository as a Ralph before 0.4.0 left it, its queue committed.
fn old() -> Desk {
    let desk = Desk::bare();
    desk.write(".ralph/config.json", OLD_CONFIG);
    desk.write(".ralph/queue.json", OLD_QUEUE);
    desk.git(&["add", "--all"]);
    desk.git(&["commit", "--quiet", "--message", "Old"]);
    desk.write(".ralph/done.json", OLD_QUEUE);
    desk.write(STATE, OLD_STATE);
    desk
}

/// Kind and state of each document.
fn states(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = document["documents"].as_array().expect("a list");
    rows.iter().map(|row| (text(&row["kind"]), text(&row["state"]))).collect()
}

#[test]
fn every_document_is_brought_up_and_nothing_is_lost() {
    let desk = old();
    let shown = desk.ralph(&["migrate"]);
    let text = &shown.success().stdout;
    for part in [
        ".ralph/queue.json -> .ralph/queue.jsonc",
        "agent.git_commit_push_enabled is now agent.git_publish_mode",
        "+  \"version\": 2,",
        "version 1 -> version 3",
        "adopted RQ-0009 as failed, from an older version: was in flight: process 77",
        "adopted RQ-0008 as blocked_push",
    ] {
        assert!(text.contains(part), "{part}: {shown}");
    }
    desk.ralph(&["migrate", "--check"]).exited(1);
    desk.ralph(&["migrate", "--apply", "--dry-run"]).success();
    assert_eq!(desk.read(".ralph/config.json"), OLD_CONFIG);
    assert_eq!(desk.read(STATE), OLD_STATE);
    assert!(!desk.path(".ralph/queue.jsonc").exists());

    let applied = desk.json(&["migrate", "--apply"]);
    assert_eq!((&applied["pending"], &applied["applied"]), (&0.into(), &4.into()), "{applied}");
    assert_eq!(desk.read(".ralph/queue.jsonc"), OLD_QUEUE);
    assert_eq!(desk.read(".ralph/done.jsonc"), OLD_QUEUE);
    let renamed =
        desk.git(&["status", "--porcelain", "--", ".ralph/queue.json", ".ralph/queue.jsonc"]);
    assert_eq!(renamed, "R  .ralph/queue.json -> .ralph/queue.jsonc");
    let config = desk.read(".ralph/config.jsonc");
    assert!(config.contains("// ours") && config.contains("\"version\": 2"), "{config}");
    for (kept, old) in [
        (".ralph/cache/config.v1.jsonc.bak", OLD_CONFIG),
        (".ralph/cache/parallel/state.v1.json.bak", OLD_STATE),
    ] {
        assert_eq!(desk.read(kept), old);
        let is_told = applied.to_string().contains(kept);
        assert!(is_told, "{kept}: {applied}");
    }
    let status = desk.json(&["run", "parallel", "status"]);
    assert_eq!(status["lifecycle_counts"]["total"], 2, "{status}");
    assert_eq!(status["status"]["workers"][0]["workspace_path"], "/w/RQ-0009");

    desk.ralph(&["migrate", "--check"]).success();
    let again = desk.json(&["migrate", "--apply"]);
    assert_eq!(again["applied"], 0);
    let list = desk.ralph(&["migrate", "status"]);
    assert!(list.success().stdout.lines().all(|line| line.starts_with("current ")), "{list}");
}

#[test]
fn a_newer_file_is_refused_untouched_and_the_others_are_listed() {
    let desk = old();
    let newer = r#"{ "schema_version": 9, "workers": [] }"#;
    desk.write(STATE, newer);
    desk.write(".ralph/cache/session.jsonc", "{ \"version\": ");
    let list = desk.json(&["migrate", "--list"]);
    let states = states(&list);
    let has = |kind: &str, state: &str| states.contains(&(kind.to_owned(), state.to_owned()));
    assert!(has("parallel state", "newer") && has("configuration", "pending"), "{list}");
    assert!(has("session", "unreadable"), "{list}");
    let ran = desk.ralph(&["migrate", "--apply"]);
    let said = &ran.exited(3).stderr;
    assert!(said.contains("has version 9") && said.contains("versions up to 3"), "{ran}");
    assert!(said.contains("session.jsonc` cannot be read"), "{ran}");
    assert_eq!(desk.read(STATE), newer);
    assert!(desk.path(".ralph/config.jsonc").exists(), "what can be brought up is");
}

#[test]
fn two_names_for_one_file_are_refused() {
    let desk = Desk::new();
    let before = desk.read(".ralph/queue.jsonc");
    desk.write(".ralph/queue.json", OLD_QUEUE);
    let ran = desk.ralph(&["migrate", "--apply"]);
    assert!(ran.exited(3).stderr.contains("are both there"), "{ran}");
    assert_eq!(desk.read(".ralph/queue.json"), OLD_QUEUE);
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
}

#[test]
fn a_configuration_that_is_newer_hides_no_other_document() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", "{ \"version\": 7 }");
    desk.write(STATE, OLD_STATE);
    let list = desk.json(&["migrate", "--list"]);
    let states = states(&list);
    assert_eq!(states[0], ("configuration".to_owned(), "newer".to_owned()), "{list}");
    assert!(states.contains(&("parallel state".to_owned(), "pending".to_owned())), "{list}");
}

#[test]
fn a_queue_keeps_its_name_while_the_configuration_cannot_be_read() {
    let desk = old();
    desk.write(".ralph/config.json", "{ \"version\": 1, \"queue\": { \"file\": 7 } }");
    desk.ralph(&["migrate", "--apply"]).exited(3);
    assert_eq!(desk.read(".ralph/queue.json"), OLD_QUEUE);
    assert!(!desk.path(".ralph/queue.jsonc").exists());
}

#[test]
fn a_project_below_the_top_of_its_repository_has_its_own_files_renamed() {
    let desk = Desk::bare();
    for place in ["", "below/"] {
        desk.write(&format!("{place}.ralph/queue.json"), OLD_QUEUE);
    }
    desk.git(&["add", "--all"]);
    desk.git(&["commit", "--quiet", "--message", "Old"]);
    desk.ralph(&["migrate", "--apply", "--repo", "below"]).success();
    let renamed = desk.git(&["status", "--porcelain", "--untracked-files=no"]);
    assert_eq!(renamed, "R  below/.ralph/queue.json -> below/.ralph/queue.jsonc");
}

#[cfg(unix)]
#[test]
fn who_may_not_read_a_configuration_may_not_read_the_copy_of_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let desk = Desk::bare();
    desk.write(".ralph/config.jsonc", OLD_CONFIG);
    let private = std::fs::Permissions::from_mode(0o600);
    fs_err::set_permissions(desk.path(".ralph/config.jsonc"), private).expect("our own file");
    desk.ralph(&["migrate", "--apply"]).success();
    for name in ["config.jsonc", "cache/config.v1.jsonc.bak"] {
        let found = fs_err::metadata(desk.path(format!(".ralph/{name}"))).expect("a file");
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
