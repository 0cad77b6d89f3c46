//! A queue on two branches: merged by git, mended after git, checked in CI.

use serde_json::json;

use crate::{Desk, RALPH, parse};

/// Two branches that each added a task and changed the first: `main`, checked
/// out, and `other`.
fn branched(init: &[&str]) -> Desk {
    let desk = Desk::bare();
    desk.ralph(&[&["init"], init].concat()).success();
    let commit = |what: &str| {
        desk.git(&["add", "-A"]);
        desk.git(&["commit", "-qm", what]);
    };
    desk.add("one", &[]);
    commit("base");
    desk.git(&["switch", "-qc", "other"]);
    desk.add("theirs", &[]);
    desk.ralph(&["task", "status", "todo", "RQ-0001", "--note", "from them"]).success();
    commit("theirs");
    desk.git(&["switch", "-q", "main"]);
    desk.add("ours", &["--depends-on", "RQ-0001"]);
    desk.ralph(&["task", "start", "RQ-0001"]).success();
    commit("ours");
    desk
}

/// `git merge other` with `ralph` on the `PATH`; its exit code.
fn merge(desk: &Desk) -> Option<i32> {
    let bin = std::path::Path::new(RALPH).parent().expect("a directory").display().to_string();
    desk.sh(&format!("PATH=\"{bin}:$PATH\" git merge -q --no-edit other")).code
}

fn check_merged(desk: &Desk) {
    let list = desk.json(&["queue", "list"]);
    let titles: Vec<&str> = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["title"].as_str().expect("text"))
        .collect();
    assert_eq!(titles.len(), 3, "{titles:?}");
    let first = desk.json(&["task", "show", "RQ-0001"]);
    assert_eq!(
        (&first["task"]["status"], &first["task"]["notes"]),
        (&json!("doing"), &json!(["from them"]))
    );
    assert_eq!(desk.ralph(&["queue", "validate"]).code, Some(0));
}

#[test]
fn git_merges_by_task_where_the_user_agreed() {
    let desk = branched(&["--merge-driver"]);
    let attributes = desk.read(".gitattributes");
    assert!(attributes.contains("\n/.ralph/queue.jsonc merge=ralph-queue\n"), "{attributes}");
    assert_eq!(merge(&desk), Some(0));
    check_merged(&desk);
    // Once more changes nothing.
    desk.ralph(&["init", "--merge-driver"]).success();
    assert_eq!(desk.read(".gitattributes"), attributes);
}

#[test]
fn a_true_conflict_leaves_a_valid_file_and_is_told() {
    let desk = Desk::new();
    let task = |title: &str| {
        format!(
            "{{\"version\":1,\"tasks\":[{{\"id\":\"RQ-0001\",\"title\":\"{title}\",\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"}}]}}\n"
        )
    };
    for (name, title) in [("o", "x"), ("a", "y"), ("b", "\\u001bz")] {
        desk.write(name, task(title));
    }
    let ran = desk.ralph(&["queue", "merge-driver", "o", "a", "b", ".ralph/queue.jsonc"]);
    assert!(ran.exited(1).stderr.contains("RQ-0001: title\n  ours:   \"y\"\n"), "{ran}");
    assert!(!ran.stderr.contains('\u{1b}'));
    assert!(desk.read("a").contains("\"title\":\"y\""));
    desk.write("b", "{");
    desk.ralph(&["queue", "merge-driver", "o", "a", "b"]).exited(1);
    let text = desk.read("a");
    assert!(text.starts_with("<<<<<<< ours\n") && text.ends_with(">>>>>>> theirs\n"), "{text}");
}

#[test]
fn conflict_markers_are_resolved() {
    let desk = branched(&[]);
    assert!(!desk.path(".gitattributes").exists());
    assert_eq!(merge(&desk), Some(1));
    let marked = desk.read(".ralph/queue.jsonc");
    let error = desk.error(&["queue", "list"], 3);
    assert_eq!(
        (&error["kind"], &error["next"]),
        (&json!("corrupt"), &json!("ralph queue resolve --dry-run"))
    );
    let dry = desk.ralph(&["queue", "resolve", "--dry-run"]);
    assert!(dry.success().stdout.contains("\"theirs\""), "{dry}");
    assert_eq!(desk.read(".ralph/queue.jsonc"), marked);
    desk.ralph(&["queue", "resolve"]).success();
    check_merged(&desk);

    // Without git's index, from between the markers.
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "merged"]);
    desk.write(".ralph/queue.jsonc", marked);
    let resolved = desk.json(&["queue", "resolve"]);
    assert_eq!(resolved["files"][0]["path"], ".ralph/queue.jsonc");
    check_merged(&desk);
    assert_eq!(
        desk.ralph(&["queue", "resolve"]).success().stderr,
        "There is nothing to resolve.\n"
    );
}

#[test]
fn a_check_tells_what_was_lost() {
    let desk = branched(&[]);
    assert_eq!(desk.json(&["queue", "check", "--base", "HEAD"])["ok"], true);
    desk.write(".ralph/queue.jsonc", "{\"version\":1,\"tasks\":[]}");
    let ran = desk.ralph(&["queue", "check", "--base", "HEAD", "--json"]);
    let losses = parse(&ran.exited(3).stdout)["losses"].clone();
    assert_eq!(losses[0], json!({ "kind": "lost", "task": "RQ-0001", "title": "one" }));
    let ran = desk.ralph(&["queue", "check", "--base", "HEAD"]);
    assert_eq!(ran.exited(3).stdout, "RQ-0001 is gone: one\nRQ-0003 is gone: ours\n");
    desk.ralph(&["queue", "check", "--base", "nowhere"]).exited(2);
}

#[test]
fn a_question_shows_the_lines_and_takes_no_for_no() {
    let desk = Desk::bare();
    let ran = desk.sh("echo n | \"$RALPH\" init --interactive");
    assert!(ran.success().stderr.contains("merge.ralph-queue.driver = "), "{ran}");
    assert!(!desk.path(".gitattributes").exists());
    desk.sh("echo y | \"$RALPH\" init -i").success();
    assert!(desk.git(&["config", "merge.ralph-queue.driver"]).contains("merge-driver %O %A %B %P"));
}
