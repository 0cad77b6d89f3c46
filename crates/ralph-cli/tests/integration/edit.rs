//! `ralph task …` and `ralph queue …` where they change many fields, tasks or files at once.

use std::time::Duration;

use ralph_state::file::{FileLock, Holder, sidecar_lock_path};
use ralph_testkit::wait_until;
use serde_json::{Value, json};

use crate::{Desk, RALPH, parse};

const QUEUE: &str = ".ralph/queue.jsonc";

/// Three tasks: one, two that waits for it, three with a plan.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    desk.add("one", &["--tag", "a"]);
    desk.add("two", &["--depends-on", "RQ-0001", "--tag", "b"]);
    desk.add("three", &["--plan", "x", "--plan", "y", "--plan", "z", "--scope", "src/"]);
    desk
}

fn show(desk: &Desk, id: &str) -> Value {
    parse(&desk.ralph(&["task", "show", id]).success().stdout)
}

#[track_caller]
fn changed(document: &Value, fate: &str, ids: &[&str]) {
    assert_eq!(document[fate], json!(ids), "{document}");
}

#[test]
fn long_text_comes_from_stdin_or_a_file() {
    let desk = Desk::new();
    desk.write("note.txt", "from\na file\n");
    let id = desk.add("one", &[]);
    let field = |name: &str| desk.json(&["task", "show", "RQ-0001"])["task"][name].clone();
    for (line, name, expected) in [
        ("task edit description - RQ-0001", "description", json!("a\nb")),
        ("task edit notes - RQ-0001", "notes", json!(["a", "b"])),
        ("task field k - RQ-0001", "custom_fields", json!({ "k": "a\nb" })),
        ("task batch edit request - RQ-0001", "request", json!("a\nb")),
        ("task batch plan-append --plan-item - RQ-0001", "plan", json!(["a\nb"])),
        ("task status todo RQ-0001 --note -", "notes", json!(["a", "b", "a\nb"])),
        (
            "task done RQ-0001 --note-file note.txt",
            "notes",
            json!(["a", "b", "a\nb", "from\na file"]),
        ),
    ] {
        desk.sh(&format!("printf 'a\\nb\\n' | \"$RALPH\" {line}")).success();
        assert_eq!(field(name), expected, "{line}");
    }
    assert_eq!(id, "RQ-0001");
    let two = desk.ralph(&["task", "add", "x", "--description", "-", "--note", "-"]);
    assert!(two.exited(2).stderr.contains("only one text can be read from stdin"), "{two}");
}

#[test]
fn a_field_of_one_line_takes_no_control_character() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let before = desk.read(".ralph/queue.jsonc");
    for (args, code) in [
        (&["task", "add", "a\u{1b}[31mb"][..], 2),
        (&["task", "add", "a", "--tag", "b\u{7}"], 2),
        (&["task", "add", "a", "--scope", "b\u{7}"], 2),
        (&["task", "edit", "title", "a\u{1b}b", "RQ-0001"], 3),
        (&["task", "edit", "tags", "a,b\u{7}", "RQ-0001"], 3),
        (&["task", "edit", "scope", "a\u{7}", "RQ-0001"], 3),
        (&["task", "clone", "RQ-0001", "--title-prefix", "\u{7}"], 3),
    ] {
        let ran = desk.ralph(args);
        let stderr = &ran.exited(code).stderr;
        assert!(stderr.contains("the control character U+00"), "{ran}");
        assert!(!stderr.contains(['\u{1b}', '\u{7}']), "{ran}");
        assert_eq!(desk.read(".ralph/queue.jsonc"), before, "{args:?}");
    }
    // What a file has already stands in nobody's way.
    desk.write(".ralph/queue.jsonc", before.replace("\"one\"", "\"o\\u001bne\""));
    desk.ralph(&["task", "edit", "description", "two\n\tlines", "RQ-0001"]).success();
}

#[test]
fn every_field_is_set_by_its_name() {
    let desk = desk();
    for (field, value, expected) in [
        ("title", "uno", json!("uno")),
        ("description", "- long\n- text", json!("- long\n- text")),
        ("status", "draft", json!("draft")),
        ("status", "", json!("todo")),
        ("priority", "", json!("high")),
        ("priority", "low", json!("low")),
        ("tags", "x, y\nz", json!(["x", "y", "z"])),
        ("scope", "src/", json!(["src/"])),
        ("evidence", r#"["one, two"]"#, json!(["one, two"])),
        ("plan", "p", json!(["p"])),
        ("notes", "n", json!(["n"])),
        ("notes", "", json!([])),
        ("request", "please", json!("please")),
        ("depends_on", "RQ-0003", json!(["RQ-0003"])),
        ("depends_on", "", json!([])),
        ("blocks", "RQ-0003", json!(["RQ-0003"])),
        ("relates_to", "RQ-0002,RQ-0003", json!(["RQ-0002", "RQ-0003"])),
        ("duplicates", "RQ-0002", json!("RQ-0002")),
        ("duplicates", "", Value::Null),
        ("parent_id", "RQ-0003", json!("RQ-0003")),
        ("custom_fields", "a=1, b = two", json!({ "a": "1", "b": "two" })),
        ("agent", r#"{"model":"m"}"#, json!({ "model": "m" })),
        ("created_at", "2026-01-01T01:00:00+01:00", json!("2026-01-01T00:00:00.000000000Z")),
        ("updated_at", "2026-01-02T00:00:00Z", json!("2026-01-02T00:00:00.000000000Z")),
        ("started_at", "2026-01-01T02:00:00Z", json!("2026-01-01T02:00:00.000000000Z")),
        ("scheduled_start", "2030-01-01T00:00:00Z", json!("2030-01-01T00:00:00.000000000Z")),
        ("estimated_minutes", "30", json!(30)),
        ("actual_minutes", "31", json!(31)),
        ("actual_minutes", "", Value::Null),
    ] {
        let document = desk.json(&["task", "edit", field, value, "RQ-0001"]);
        changed(&document, "changed", &["RQ-0001"]);
        assert_eq!(show(&desk, "RQ-0001")[field], expected, "{field}");
    }
    let ran = desk.ralph(&["task", "edit", "priority", "low", "RQ-0001"]);
    assert_eq!(ran.success().stderr, "Nothing to change.\n");
    desk.ralph(&["queue", "validate"]).success();
}

#[test]
fn a_value_that_does_not_fit_changes_nothing() {
    let desk = desk();
    let before = desk.read(".ralph/queue.jsonc");
    for (field, value, code) in [
        ("title", "", 2),
        ("title", "a\nb", 2),
        ("status", "finished", 2),
        ("estimated_minutes", "-1", 2),
        ("scheduled_start", "soon", 2),
        ("agent", "[]", 2),
        ("custom_fields", "a", 2),
        ("tags", "[1]", 2),
        ("depends_on", "RQ-0099", 2),
        ("depends_on", "RQ-0002", 3),
        ("created_at", "", 3),
    ] {
        desk.ralph(&["task", "edit", field, value, "RQ-0001", "RQ-0003"]).exited(code);
    }
    desk.ralph(&["task", "edit", "colour", "red", "RQ-0001"]).exited(2);
    desk.ralph(&["task", "edit", "title", "x"]).exited(2);
    assert_eq!(
        desk.error(&["task", "edit", "title", "x", "1"], 2)["hint"],
        "Did you mean `RQ-0001`?"
    );
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
}

#[test]
fn a_dry_run_shows_the_difference() {
    let desk = desk();
    let before = desk.read(".ralph/queue.jsonc");
    let ran = desk.ralph(&["task", "edit", "title", "red \u{202e}", "RQ-0001", "--dry-run"]);
    let diff = &ran.success().stdout;
    assert!(diff.starts_with("--- .ralph/queue.jsonc\n+++ .ralph/queue.jsonc\n@@"), "{ran}");
    assert!(diff.contains("\"title\": \"one\"") && !diff.contains('\u{202e}'), "{ran}");
    assert_eq!(ran.stderr, "RQ-0001 would be changed.\n");
    let document = desk.json(&["task", "split", "RQ-0003", "--dry-run"]);
    assert_eq!(document["dry_run"], true);
    changed(&document, "added", &["RQ-0004", "RQ-0005"]);
    assert!(document["diff"].as_str().expect("text").contains("three (2/2)"));
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
}

#[test]
fn fields_times_and_relations() {
    let desk = desk();
    desk.ralph(&["task", "field", "team", "core", "--tag-filter", "A"]).success();
    assert_eq!(show(&desk, "RQ-0001")["custom_fields"], json!({ "team": "core" }));
    desk.ralph(&["task", "field", "bad key", "x", "RQ-0001"]).exited(3);

    desk.ralph(&["task", "schedule", "RQ-0001", "in", "2", "days"]).success();
    assert_eq!(desk.json(&["queue", "list", "--scheduled"])["total"], 1);
    desk.ralph(&["task", "schedule", "RQ-0001", "--clear"]).success();
    assert_eq!(show(&desk, "RQ-0001")["scheduled_start"], Value::Null);
    desk.ralph(&["task", "schedule", "RQ-0001"]).exited(2);
    desk.ralph(&["task", "schedule", "RQ-0001", "someday"]).exited(2);

    desk.ralph(&["task", "relate", "RQ-0003", "relates_to", "RQ-0001"]).success();
    desk.ralph(&["task", "relate", "RQ-0003", "depends_on", "RQ-0001"]).success();
    desk.ralph(&["task", "relate", "RQ-0003", "depends_on", "RQ-0001"]).success();
    desk.ralph(&["task", "blocks", "RQ-0001", "RQ-0002", "RQ-0003"]).success();
    desk.ralph(&["task", "mark-duplicate", "RQ-0003", "RQ-0002"]).success();
    let task = show(&desk, "RQ-0003");
    assert_eq!(
        (&task["depends_on"], &task["relates_to"], &task["duplicates"]),
        (&json!(["RQ-0001"]), &json!(["RQ-0001"]), &json!("RQ-0002"))
    );
    assert_eq!(show(&desk, "RQ-0001")["blocks"], json!(["RQ-0002", "RQ-0003"]));
    desk.ralph(&["task", "blocks", "RQ-0001", "RQ-0001"]).exited(2);
    desk.ralph(&["task", "relate", "RQ-0001", "loves", "RQ-0002"]).exited(2);

    desk.ralph(&["task", "edit", "parent_id", "RQ-0001", "RQ-0002"]).success();
    desk.ralph(&["task", "edit", "parent_id", "RQ-0002", "RQ-0003"]).success();
    let ids = |args: &[&str]| desk.ralph(args).success().stdout.lines().count();
    assert_eq!(ids(&["task", "children", "RQ-0001"]), 1);
    assert_eq!(ids(&["task", "children", "RQ-0001", "--recursive"]), 2);
    let below = desk.ralph(&["task", "children", "RQ-0001", "--recursive", "--format", "json"]);
    let below = parse(&below.success().stdout);
    assert_eq!(
        below,
        json!([
            { "depth": 0, "task": show(&desk, "RQ-0002"), "cycle": false },
            { "depth": 1, "task": show(&desk, "RQ-0003"), "cycle": false },
        ])
    );
    let ran = desk.ralph(&["task", "children", "RQ-0001", "--format", "json"]);
    assert_eq!(parse(&ran.success().stdout), json!([show(&desk, "RQ-0002")]));
    assert_eq!(desk.json(&["task", "parent", "RQ-0003"])["items"][0]["id"], "RQ-0002");
    assert_eq!(desk.json(&["task", "parent", "RQ-0001"])["total"], 0);
}

#[test]
fn clones_and_parts() {
    let desk = desk();
    let ran = desk.ralph(&["task", "clone", "RQ-0002", "--title-prefix", "again: "]);
    assert_eq!(ran.success().stdout, "RQ-0004\n");
    let clone = show(&desk, "RQ-0004");
    assert_eq!(
        (&clone["title"], &clone["status"], &clone["depends_on"]),
        (&json!("again: two"), &json!("draft"), &json!([]))
    );
    let document = desk.json(&["task", "split", "RQ-0003", "-n", "2", "--distribute-plan"]);
    changed(&document, "added", &["RQ-0005", "RQ-0006"]);
    changed(&document, "changed", &["RQ-0003"]);
    assert_eq!(show(&desk, "RQ-0005")["plan"], json!(["x", "z"]));
    assert_eq!(show(&desk, "RQ-0006")["title"], "three (2/2)");
    assert_eq!(show(&desk, "RQ-0006")["parent_id"], "RQ-0003");
    let source = show(&desk, "RQ-0003");
    assert_eq!(
        (&source["status"], &source["custom_fields"]["split"]),
        (&json!("rejected"), &json!("true"))
    );
    desk.ralph(&["task", "split", "RQ-0003"]).exited(3);
    desk.ralph(&["task", "split", "RQ-0001", "-n", "1"]).exited(2);
    desk.ralph(&["queue", "validate"]).success();
}

#[test]
fn a_batch_of_no_task_is_nothing_to_do() {
    let desk = desk();
    let args = ["task", "batch", "archive", "--status-filter", "done", "--older-than", "30d"];
    let ran = desk.ralph(&args);
    assert_eq!(ran.success().stderr, "No task passes the filters.\nNothing to change.\n", "{ran}");
    assert_eq!(desk.json(&args)["moved"], json!([]));
    desk.ralph(&["task", "batch", "delete", "--tag-filter", "nobody"]).success();
}

#[test]
fn a_value_is_written_as_it_is_read() {
    let desk = desk();
    desk.ralph(&["task", "edit", "depends_on", "RQ-0001,RQ-0001", "RQ-0003"]).success();
    desk.ralph(&["task", "edit", "custom_fields", r#"{"n": 5, "b": true}"#, "RQ-0003"]).success();
    let task = show(&desk, "RQ-0003");
    assert_eq!(task["depends_on"], json!(["RQ-0001"]));
    assert_eq!(task["custom_fields"], json!({ "n": "5", "b": "true" }));
    desk.ralph(&["task", "edit", "custom_fields", r#"{"n": []}"#, "RQ-0003"]).exited(2);
    let id = desk.add("four", &["--tag", "a,,b", "--note", "token=abcdefgh"]);
    assert_eq!(show(&desk, &id)["tags"], json!(["a", "b"]));
    assert_eq!(show(&desk, &id)["notes"], json!(["token=[redacted]"]));
    desk.ralph(&["task", "add", "x", "--runner", ""]).exited(2);
}

#[test]
fn whom_a_clone_holds_back_is_told() {
    let desk = desk();
    let blocks = desk.json(&["task", "blocks", "RQ-0003", "RQ-0001"]);
    assert_eq!(blocks["blocks"], json!([{ "id": "RQ-0003", "blocks": ["RQ-0001"] }]));
    let clone = desk.ralph(&["task", "clone", "RQ-0003", "--status", "todo"]);
    assert!(clone.success().stderr.contains("RQ-0001 waits for RQ-0004 now."), "{clone}");
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    let again = desk.json(&["task", "clone", "RQ-0003"]);
    assert_eq!(again["blocks"], Value::Null, "nobody waits who is finished");
}

#[test]
fn secrets_in_a_note_stay_out_of_the_queue() {
    let desk = desk();
    let note =
        "password=hunter2 AKIAIOSFODNN7EXAMPLE, see 4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    let ran = desk.ralph(&["task", "status", "todo", "RQ-0001", "--note", note]);
    assert!(ran.success().stderr.contains("what looks like a secret was left out"), "{ran}");
    let kept = "password=[redacted] [redacted], see 4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    assert_eq!(show(&desk, "RQ-0001")["notes"], json!([kept]));
    desk.write("note.txt", "the key is sk-ant-api03-AAAAAAAAAAAA\n");
    desk.ralph(&["task", "done", "RQ-0001", "--note-file", "note.txt"]).success();
    assert_eq!(show(&desk, "RQ-0001")["notes"][1], "the key is [redacted]");
    let ran = desk.ralph(&["task", "reject", "RQ-0002", "--note", "the token of a lexer"]);
    assert!(!ran.success().stderr.contains("secret"), "{ran}");
}

#[test]
fn a_split_and_a_rejection_name_the_tasks_that_waited() {
    let desk = desk();
    desk.ralph(&["task", "edit", "depends_on", "RQ-0003", "RQ-0002"]).success();
    let before = desk.read(".ralph/queue.jsonc");
    let split = desk.ralph(&["task", "split", "RQ-0003"]);
    let told = &split.success().stderr;
    assert!(told.contains("RQ-0002 depends on RQ-0004, RQ-0005 now."), "{told}");
    desk.ralph(&["queue", "validate"]).success();
    desk.ralph(&["undo"]).success();
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);

    let split = desk.json(&["task", "split", "RQ-0003", "--dry-run"]);
    assert_eq!(split["depends_on"][0]["id"], "RQ-0002");
    assert_eq!(split["released"], Value::Null);
    let ways: [&[&str]; 4] = [
        &["task", "reject", "RQ-0003"],
        &["task", "status", "rejected", "RQ-0003"],
        &["task", "edit", "status", "rejected", "RQ-0003"],
        &["task", "batch", "status", "rejected", "RQ-0003"],
    ];
    for way in ways {
        let ran = desk.ralph(way);
        let told = &ran.success().stderr;
        assert!(told.contains("no longer waiting for it: RQ-0002"), "{way:?}: {told}");
        desk.ralph(&["undo"]).success();
        assert_eq!(desk.json(way)["released"], json!(["RQ-0002"]), "{way:?}");
        desk.ralph(&["undo"]).success();
    }
}

#[test]
fn comments_of_what_a_split_or_a_status_takes_along_stay() {
    const QUEUE: &str = r#"{
  "version": 1,
  "tasks": [
    {
      "id": "RQ-0001",
      "title": "one",
      "status": "done",
      TIMES,
      "completed_at": "2026-01-02T00:00:00Z" // too early
    },
    {
      "id": "RQ-0002",
      "title": "two",
      TIMES
    },
    {
      "id": "RQ-0003",
      "title": "three",
      "depends_on": [
        "RQ-0002", // needs its schema
      ],
      "notes": [
        "n1",
        "n2" // second
      ],
      TIMES
    }
  ]
}
"#;
    let times = r#""created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z""#;
    let desk = Desk::with_queue(QUEUE.replace("TIMES", times));
    desk.ralph(&["task", "split", "RQ-0002"]).success();
    desk.ralph(&["task", "status", "todo", "RQ-0001"]).success();
    desk.ralph(&["task", "edit", "notes", "n1\nn2 more", "RQ-0003"]).success();
    let text = desk.read(".ralph/queue.jsonc");
    for kept in [
        "    // too early\n    {\n      \"id\": \"RQ-0001\",\n",
        "        \"RQ-0004\", // needs its schema\n        \"RQ-0005\",\n",
        "        \"n2 more\" // second\n",
    ] {
        assert!(text.contains(kept), "{kept:?} in {text}");
    }
}

#[test]
fn every_change_of_a_task_can_be_shown_first() {
    let desk = desk();
    desk.ralph(&["task", "edit", "status", "draft", "RQ-0003"]).success();
    let before = [".ralph/queue.jsonc", ".ralph/done.jsonc"].map(|file| desk.read(file));
    for (args, fate, id) in [
        (&["task", "add", "new"][..], "added", "RQ-0004"),
        (&["task", "start", "RQ-0001"], "changed", "RQ-0001"),
        (&["task", "done", "RQ-0001"], "changed", "RQ-0001"),
        (&["task", "reject", "RQ-0001", "--note", "why"], "changed", "RQ-0001"),
        (&["task", "ready", "RQ-0003"], "changed", "RQ-0003"),
        (&["task", "status", "doing", "RQ-0001"], "changed", "RQ-0001"),
        (&["task", "note", "RQ-0001", "seen"], "changed", "RQ-0001"),
        (&["task", "schedule", "RQ-0001", "tomorrow"], "changed", "RQ-0001"),
        (&["task", "relate", "RQ-0001", "relates_to", "RQ-0003"], "changed", "RQ-0001"),
        (&["task", "blocks", "RQ-0001", "RQ-0003"], "changed", "RQ-0001"),
        (&["task", "mark-duplicate", "RQ-0001", "RQ-0003"], "changed", "RQ-0001"),
    ] {
        let document = desk.json(&[args, &["--dry-run"]].concat());
        changed(&document, fate, &[id]);
        assert_eq!(document["dry_run"], true, "{args:?}");
        assert!(document["diff"].as_str().is_some_and(|diff| diff.contains("\n+")), "{document}");
        let after = [".ralph/queue.jsonc", ".ralph/done.jsonc"].map(|file| desk.read(file));
        assert_eq!(after, before, "{args:?}");
    }
}

#[test]
fn a_draft_is_not_ended() {
    let desk = desk();
    desk.ralph(&["task", "edit", "status", "draft", "RQ-0003"]).success();
    let before = desk.read(".ralph/queue.jsonc");
    for status in ["done", "rejected"] {
        for command in [&["task", "status"][..], &["task", "batch", "status"]] {
            let error = desk.error(&[command, &[status, "RQ-0001", "RQ-0003"]].concat(), 3);
            assert_eq!(error["next"], "ralph task status todo RQ-0003");
            assert_eq!(desk.read(".ralph/queue.jsonc"), before);
        }
    }
    desk.ralph(&["task", "status", "todo", "RQ-0003"]).success();
    desk.ralph(&["task", "status", "rejected", "RQ-0003"]).success();
}

#[test]
fn a_document_of_mutations_is_all_or_nothing() {
    let desk = desk();
    let mutate = |document: &Value, args: &str| {
        desk.write("m.json", document.to_string());
        desk.sh(&format!("\"$RALPH\" task mutate {args} < m.json"))
    };
    let seen = show(&desk, "RQ-0001")["updated_at"].clone();
    let tasks = json!([
        { "task_id": "RQ-0001", "expected_updated_at": seen,
          "edits": [{ "field": "priority", "value": "low" }, { "field": "tags", "value": ["p", "q"] }] },
        { "task_id": "RQ-0002", "edits": [{ "field": "estimated_minutes", "value": 5 }] },
    ]);
    let ran = mutate(&json!({ "version": 1, "tasks": tasks }), "--format json");
    let printed = parse(&ran.success().stdout);
    assert_eq!(printed["version"], 2);
    assert_eq!(
        printed["report"],
        json!({ "version": 1, "atomic": true, "tasks": [
            { "task_id": "RQ-0001", "applied_edits": 2 }, { "task_id": "RQ-0002", "applied_edits": 1 },
        ]})
    );
    let continuation = &printed["continuation"];
    assert!(continuation["headline"].is_string() && continuation["detail"].is_string());
    for step in continuation["next_steps"].as_array().unwrap() {
        assert!(["title", "command", "detail"].iter().all(|key| step[key].is_string()), "{step}");
    }
    assert_eq!(show(&desk, "RQ-0001")["tags"], json!(["p", "q"]));
    assert_eq!(show(&desk, "RQ-0002")["estimated_minutes"], 5);

    // What was seen is seen no more.
    let before = desk.read(".ralph/queue.jsonc");
    let ran = mutate(&json!({ "version": 1, "tasks": tasks }), "--json");
    let error = parse(&ran.exited(4).stderr)["error"].clone();
    assert_eq!(
        (&error["code"], &error["retryable"]),
        (&json!("conflict"), &json!(true)),
        "{error}"
    );
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);

    let tasks = json!([
        { "task_id": "RQ-0001", "edits": [{ "field": "depends_on", "value": "RQ-0099" }] },
        { "task_id": "RQ-0002", "edits": [{ "field": "title", "value": "zwei" }] },
        { "task_id": "RQ-0003", "edits": [{ "field": "title", "value": "drei" }, { "field": "no", "value": "" }] },
    ]);
    mutate(&json!({ "version": 1, "tasks": tasks }), "").exited(2);
    let ran = mutate(&json!({ "version": 1, "atomic": false, "tasks": tasks }), "--json");
    let document = parse(&ran.exited(1).stdout);
    changed(&document, "changed", &["RQ-0002"]);
    let failed: Vec<&Value> =
        document["failed"].as_array().expect("a list").iter().map(|task| &task["id"]).collect();
    assert_eq!(failed, ["RQ-0001", "RQ-0003"]);
    let message = document["failed"][0]["message"].as_str().expect("text");
    assert!(!message.starts_with("RQ-0001"), "its id stands beside it: {document}");

    let tasks = json!([
        { "task_id": "RQ-0001", "expected_updated_at": "2020-01-01T00:00:00Z",
          "edits": [{ "field": "title", "value": "eins" }] },
        { "task_id": "RQ-0002", "edits": [{ "field": "title", "value": "dos" }] },
    ]);
    let document = json!({ "version": 1, "atomic": false, "tasks": tasks });
    let told =
        parse(&mutate(&document, "--format json").exited(1).stdout)["report"]["tasks"].clone();
    assert_eq!(told[1], json!({ "task_id": "RQ-0002", "applied_edits": 1 }));
    assert_eq!((&told[0]["task_id"], &told[0]["applied_edits"]), (&json!("RQ-0001"), &json!(0)));
    let reason = told[0]["error"].as_str().expect("a reason");
    assert!(reason.contains("2020-01-01T00:00:00Z"), "{reason}");
    for bad in [
        json!([]),
        json!({ "version": 2, "tasks": [] }),
        json!({ "version": 1, "tasks": [], "x": 1 }),
        // Nothing to do is not what was meant.
        json!({ "version": 1, "tasks": [] }),
        json!({ "version": 1, "tasks": [{ "task_id": "RQ-0001", "edits": [] }] }),
    ] {
        mutate(&bad, "").exited(2);
    }
}

#[test]
fn of_mutations_of_one_task_each_stands_for_itself() {
    let desk = desk();
    let edit = |id: &str, field: &str, value: &str| json!({ "task_id": id, "edits": [{ "field": field, "value": value }] });
    let tasks = json!([
        edit("RQ-0001", "notes", "a"),
        edit("RQ-0001", "depends_on", "RQ-0099"),
        edit("RQ-0002", "relates_to", "RQ-0099"),
        edit("RQ-0001", "title", "eins"),
        edit("RQ-0001", "blocks", "RQ-0099"),
        edit("RQ-0002", "title", "zwei"),
    ]);
    desk.write("m.json", json!({ "version": 1, "atomic": false, "tasks": tasks }).to_string());
    desk.write("m.json", format!("\u{feff}{}", desk.read("m.json")));
    for dry_run in [&["--dry-run"][..], &[]] {
        let args = [&["task", "mutate", "--input", "m.json", "--format", "json"], dry_run].concat();
        let told = parse(&desk.ralph(&args).exited(1).stdout)["report"]["tasks"].clone();
        let applied: Vec<i64> =
            (0..6).filter_map(|index| told[index]["applied_edits"].as_i64()).collect();
        assert_eq!(applied, [1, 0, 0, 1, 0, 1], "{told}");
    }
    assert_eq!(show(&desk, "RQ-0001")["title"], "eins");
    assert_eq!(show(&desk, "RQ-0001")["notes"], json!(["a"]));
    assert_eq!(show(&desk, "RQ-0002")["title"], "zwei");
    desk.ralph(&["queue", "validate"]).success();
}

#[test]
fn a_batch_changes_all_or_none() {
    let desk = desk();
    let batch = |args: &[&str]| desk.json(&[&["task", "batch"], args].concat());
    changed(&batch(&["status", "draft", "RQ-0001", "RQ-0003"]), "changed", &["RQ-0001", "RQ-0003"]);
    changed(
        &batch(&["edit", "priority", "high", "--status-filter", "draft"]),
        "changed",
        &["RQ-0001", "RQ-0003"],
    );
    changed(
        &batch(&["field", "k", "v", "--priority-filter", "high", "--tag-filter", "A"]),
        "changed",
        &["RQ-0001"],
    );
    changed(
        &batch(&["plan-append", "--plan-item", "end", "--scope-filter", "SRC"]),
        "changed",
        &["RQ-0003"],
    );
    batch(&["plan-prepend", "--plan-item", "a", "--plan-item", "b", "RQ-0003"]);
    assert_eq!(show(&desk, "RQ-0003")["plan"], json!(["a", "b", "x", "y", "z", "end"]));
    // One that is named twice is done once.
    changed(&batch(&["clone", "RQ-0001", "RQ-0002", "RQ-0001"]), "added", &["RQ-0004", "RQ-0005"]);
    changed(&batch(&["split", "-n", "3", "RQ-0005"]), "added", &["RQ-0006", "RQ-0007", "RQ-0008"]);
    changed(&batch(&["archive", "--status-filter", "rejected"]), "changed", &["RQ-0005"]);
    changed(&batch(&["status", "todo", "--older-than", "1d"]), "changed", &[]);
    desk.ralph(&["task", "batch", "status", "todo"]).exited(2);

    let before = desk.read(".ralph/queue.jsonc");
    let error = desk.error(&["task", "batch", "delete", "RQ-0001", "RQ-0003"], 3);
    assert_eq!(error["message"], "task `RQ-0001` is named by RQ-0002");
    desk.ralph(&["task", "batch", "archive", "RQ-0001"]).exited(3);
    desk.ralph(&["task", "batch", "edit", "tags", "x", "RQ-0003", "RQ-0099"]).exited(2);
    desk.ralph(&["task", "batch", "delete", "RQ-0003", "--dry-run"]).success();
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);

    let args = ["task", "batch", "--continue-on-error", "delete", "RQ-0001", "RQ-0003", "--json"];
    let document = parse(&desk.ralph(&args).exited(1).stdout);
    changed(&document, "removed", &["RQ-0003"]);
    assert_eq!(document["failed"][0]["id"], "RQ-0001");
    changed(&batch(&["delete", "RQ-0001", "RQ-0002"]), "removed", &["RQ-0001", "RQ-0002"]);
    let args = [
        "task",
        "batch",
        "--continue-on-error",
        "edit",
        "depends_on",
        "RQ-0004",
        "RQ-0004",
        "RQ-0006",
        "--json",
    ];
    let document = parse(&desk.ralph(&args).exited(1).stdout);
    changed(&document, "changed", &["RQ-0006"]);
    desk.ralph(&["queue", "validate"]).success();
}

#[test]
fn a_task_is_made_from_a_template() {
    let desk = desk();
    let list = desk.json(&["task", "template", "list"]);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(10));
    let args = [
        "task",
        "from",
        "template",
        "bug",
        "--title",
        "Crash in {{module}}",
        "--set",
        "target=src/parse.rs",
        "--tags",
        "x",
    ];
    assert_eq!(desk.ralph(&args).success().stdout, "RQ-0004\n");
    let task = show(&desk, "RQ-0004");
    assert_eq!(
        (&task["title"], &task["scope"], &task["tags"], &task["priority"]),
        (&json!("Crash in parse"), &json!(["src/parse.rs"]), &json!(["bug", "x"]), &json!("high"))
    );
    desk.write(
        ".ralph/templates/own.json",
        r#"{"tags": ["own"], "request": "on {{branch}}: {{what}}"}"#,
    );
    let args = ["task", "from", "template", "own", "--title", "t"];
    // One that is none is in nobody's way.
    desk.write(".ralph/templates/bad.json", "{bad");
    desk.write(".ralph/templates/docs.json", [0xff]);
    let long = ".ralph/templates/a-name-of-22-characters.json";
    desk.write(long, r#"{"template_description": "What"}"#);
    let list = desk.ralph(&["task", "template", "list"]);
    assert!(list.success().stdout.starts_with("a-name-of-22-characters What\nown "), "{list}");
    assert!(list.stderr.contains("the template `bad` is no JSON object"), "{list}");
    desk.ralph(&["task", "template", "show", "bug"]).success();
    for bad in ["bad", "docs"] {
        assert_eq!(desk.ralph(&["task", "template", "show", bad]).stdout, "");
    }
    desk.ralph(&["task", "from", "template", "bad", "--title", "t"]).exited(3);
    assert!(desk.ralph(&args).success().stderr.contains("no value for `what`"));
    assert_eq!(show(&desk, "RQ-0005")["request"], "on main: {{what}}");
    desk.ralph(&[&args[..], &["--strict-templates"]].concat()).exited(2);
    desk.ralph(&[&args[..], &["--tags", "a,, b"]].concat()).success();
    assert_eq!(show(&desk, "RQ-0006")["tags"], json!(["own", "a", "b"]));
    let bug = ["task", "from", "template", "bug", "--title", "t", "--dry-run"];
    let ran = desk.ralph(&[&bug[..], &["--set", "bogus=1", "--set", "target=a"]].concat());
    let told = "warning: `bug` has no variable `bogus`; it has `target`\n";
    assert!(ran.success().stderr.starts_with(told), "{ran}");
    let shown = parse(&desk.ralph(&["task", "template", "show", "own"]).success().stdout);
    assert_eq!(shown["task"]["tags"], json!(["own"]));
    assert_eq!(desk.error(&["task", "template", "show", "bugs"], 2)["hint"], "Did you mean `bug`?");
    desk.ralph(&["queue", "validate"]).success();
}

/// Two open tasks, of which the second has the id of a finished one, which the first waits for.
fn ambiguous() -> Desk {
    let desk = Desk::new();
    let times = r#""created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z""#;
    let file = |tasks: &str| format!("{{\"version\": 1, \"tasks\": [\n{tasks}\n]}}\n");
    desk.write(
        ".ralph/queue.jsonc",
        file(&format!(
            "{{\"id\": \"RQ-0001\", \"title\": \"a\", \"depends_on\": [\"RQ-0002\"], {times}}},\n\
             {{\"id\": \"RQ-0002\", \"title\": \"b\", {times}}}"
        )),
    );
    desk.write(
        ".ralph/done.jsonc",
        file(&format!(
            "{{\"id\": \"RQ-0002\", \"status\": \"done\", \"title\": \"c\", \
             \"completed_at\": \"2026-01-02T00:00:00Z\", {times}}}"
        )),
    );
    desk
}

#[test]
fn an_archive_that_was_cut_off_is_finished_by_the_next() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "in_place"}}"#);
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    let before = desk.read(".ralph/queue.jsonc");
    desk.ralph(&["queue", "archive"]).success();
    desk.write(".ralph/queue.jsonc", before);
    desk.ralph(&["queue", "archive", "--dry-run"]).success();
    assert!(desk.read(".ralph/queue.jsonc").contains("RQ-0001"), "a dry run changes nothing");
    let ran = desk.ralph(&["queue", "archive"]);
    assert!(ran.success().stderr.contains("RQ-0001"), "{ran}");
    assert!(!desk.read(".ralph/queue.jsonc").contains("RQ-0001"));
    assert!(desk.read(".ralph/done.jsonc").contains("RQ-0001"));
}

#[test]
fn a_command_that_is_refused_puts_nothing_in_order() {
    let desk = ambiguous();
    let files = || {
        let read = |name: &str| fs_err::read_to_string(desk.path(name)).ok();
        [".ralph/queue.jsonc", ".ralph/done.jsonc", ".ralph/cache/queue-journal.jsonl"].map(read)
    };
    let before = files();
    for (args, code) in [
        (&["task", "edit", "title", "x", "RQ-0077"][..], 2),
        (&["task", "add", "zz", "--if-rev", "q:000"], 4),
        (&["queue", "claim", "--id", "RQ-0002"], 3),
        (&["task", "start", "RQ-0002"], 3),
        (&["task", "edit", "title", "x", "RQ-0001", "--dry-run"], 0),
    ] {
        desk.ralph(args).exited(code);
        assert_eq!(files(), before, "{args:?}");
    }
    let ran = desk.ralph(&["task", "start", "RQ-0002"]);
    let told = "that of several tasks: .ralph/queue.jsonc:3, .ralph/done.jsonc:2";
    assert!(ran.exited(3).stderr.contains(told), "{ran}");
    for flag in ["--depends-on", "--blocks", "--parent"] {
        let ran = desk.ralph(&["task", "add", "new", flag, "RQ-0002"]);
        assert!(ran.exited(3).stderr.contains(told), "{ran}");
    }
    assert_eq!(files(), before);

    let parted = json!([{ "was": "RQ-0002", "id": "RQ-0003" }]);
    let dry = desk.json(&["task", "edit", "title", "x", "RQ-0001", "--dry-run"]);
    assert!(
        dry["diff"].as_str().expect("text").contains("\"depends_on\": [\"RQ-0002\", \"RQ-0003\"]")
    );
    assert_eq!(dry["parted"], parted);
    let ran = desk.ralph(&["task", "edit", "title", "x", "RQ-0001"]);
    assert!(ran.success().stderr.contains("the one that is not finished is RQ-0003 now"), "{ran}");
    desk.ralph(&["undo"]).success();
    assert_eq!(files()[..2], before[..2]);
    desk.ralph(&["queue", "repair"]).success();
    desk.ralph(&["task", "start", "RQ-0004"]).success();
}

#[test]
fn a_task_that_was_opened_again_by_hand_is_closed_by_no_other_command() {
    let desk = ambiguous();
    let done =
        desk.read(".ralph/done.jsonc").replace("RQ-0002", "RQ-0001").replace("\"c\"", "\"a\"");
    let open = desk
        .read(".ralph/queue.jsonc")
        .replace("\"depends_on\": [\"RQ-0002\"]", "\"notes\": [\"again\"]");
    // As a crash leaves it, but for the note; and as nobody stamped it.
    for time in ["2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"] {
        let stamp = |text: &str, time: &str| {
            text.replace(
                "\"updated_at\": \"2026-01-01T00:00:00Z\"",
                &format!("\"updated_at\": \"{time}\""),
            )
        };
        desk.write(".ralph/queue.jsonc", stamp(&open, time));
        desk.write(".ralph/done.jsonc", stamp(&done, "2026-01-02T00:00:00Z"));
        let shown = desk.json(&["task", "show", "RQ-0001"]);
        assert_eq!(
            (&shown["task"]["status"], &shown["task"]["notes"]),
            (&json!("todo"), &json!(["again"]))
        );
        let ran = desk.ralph(&["queue", "validate"]);
        assert!(ran.exited(3).stdout.contains("a repair makes one of both"), "{ran}");
        assert!(ran.stderr.contains("`ralph queue repair --dry-run`"), "{ran}");
        let ran = desk.ralph(&["task", "start", "RQ-0002"]);
        assert!(ran.success().stderr.contains("the queue has 1 error"), "{ran}");
        assert_eq!(desk.read(".ralph/done.jsonc"), stamp(&done, "2026-01-02T00:00:00Z"));
        assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["status"], "todo");
    }
    let ran = desk.ralph(&["queue", "repair"]);
    assert!(ran.success().stdout.contains("--- .ralph/done.jsonc"), "{ran}");
    assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["status"], "todo");
    desk.ralph(&["queue", "validate"]).success();
    assert!(!desk.ralph(&["task", "add", "x"]).success().stderr.contains("error"));

    // What a crash leaves goes, and that is told.
    desk.write(".ralph/queue.jsonc", open.replace("\"notes\": [\"again\"], ", ""));
    desk.write(
        ".ralph/done.jsonc",
        done.replace("\"updated_at\": \"2026-01-01", "\"updated_at\": \"2026-01-02"),
    );
    assert_eq!(
        desk.json(&["task", "edit", "title", "x", "RQ-0002", "--dry-run"])["healed"],
        json!(["RQ-0001"])
    );
    let ran = desk.ralph(&["task", "start", "RQ-0002"]);
    assert!(ran.success().stderr.contains("RQ-0001 was in both files"), "{ran}");
    assert!(!desk.read(".ralph/queue.jsonc").contains("RQ-0001"));
}

#[test]
fn a_hint_of_a_batch_leads_on() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    let (todo, done) = (desk.add("one", &[]), desk.add("two", &[]));
    desk.ralph(&["task", "done", &done]).success();
    let archive = desk.error(&["task", "batch", "archive", &todo], 3);
    let next = archive["next"].as_str().expect("text");
    assert!(!archive["hint"].as_str().expect("text").contains("task status"), "{archive}");
    let next: Vec<&str> = next.split(' ').skip(1).collect();
    desk.ralph(&next).success();
    let delete = desk.error(&["task", "batch", "delete", &done], 3);
    assert_eq!(delete["next"], "ralph queue prune --dry-run");
}

#[test]
fn a_parent_is_another_task_that_is_there() {
    let desk = Desk::new();
    let (one, two) = (desk.add("one", &[]), desk.add("two", &[]));
    let before = desk.read(".ralph/queue.jsonc");
    desk.error(&["task", "edit", "parent_id", &one, &one], 2);
    desk.error(&["task", "edit", "parent_id", "RQ-0099", &one], 2);
    desk.error(&["task", "batch", "edit", "parent_id", "RQ-0099", &one, &two], 2);
    desk.error(&["task", "add", "three", "--parent", "RQ-0099"], 2);
    desk.error(&["task", "relate", &one, "relates_to", "RQ-0099"], 2);
    desk.error(&["task", "mark-duplicate", &one, &one], 2);
    desk.write(".ralph/templates/part.json", r#"{"status":"todo","parent_id":"RQ-0099"}"#);
    desk.error(&["task", "from", "template", "part", "--title", "x"], 2);
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
    desk.ralph(&["task", "edit", "parent_id", &one, &two]).success();

    // One that has gone by other means is only warned of, and holds up no other edit.
    let orphan =
        desk.read(".ralph/queue.jsonc").replace(&format!("_id\": \"{one}"), "_id\": \"RQ-0099");
    desk.write(".ralph/queue.jsonc", &orphan);
    assert!(orphan.contains("RQ-0099"));
    desk.ralph(&["task", "edit", "title", "zwei", &two]).success();
}

#[test]
fn what_had_to_be_put_in_order_is_not_counted_among_what_was_asked_for() {
    let desk = Desk::new();
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    let open = desk.read(".ralph/queue.jsonc");
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.ralph(&["queue", "archive"]).success();
    // As a crash leaves it.
    desk.write(".ralph/queue.jsonc", &open);
    let done = desk.read(".ralph/done.jsonc");
    for (stdin, schema) in [("", "task-added"), ("[{\"title\":\"y\"}]", "tasks-added")] {
        let title = if stdin.is_empty() { "x" } else { "-" };
        let ran = desk.sh(&format!("echo '{stdin}' | \"$RALPH\" task add {title} --json"));
        let added = parse(&ran.success().stdout);
        assert_eq!(
            (&added["schema"]["name"], &added["healed"]),
            (&json!(schema), &json!(["RQ-0001"])),
            "{added}"
        );
        desk.write(".ralph/queue.jsonc", &open);
        desk.write(".ralph/done.jsonc", &done);
    }
    let args = ["task", "batch", "edit", "priority", "low", "RQ-0002", "RQ-0003"];
    let shown = desk.ralph(&[&args[..], &["--dry-run"]].concat());
    assert!(shown.success().stderr.contains("2 tasks would be changed."), "{shown}");
    let made = parse(&desk.ralph(&[&args[..], &["--json"]].concat()).success().stdout);
    assert_eq!(
        (&made["changed"], &made["moved"], &made["healed"]),
        (&json!(["RQ-0002", "RQ-0003"]), &json!([]), &json!(["RQ-0001"])),
        "{made}"
    );
}

#[test]
fn a_parent_that_is_archived_is_not_said_to_be_nowhere() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    let parent = desk.add("whole", &[]);
    let part = desk.add("part", &["--parent", &parent]);
    desk.ralph(&["task", "done", &parent]).success();
    let tree = desk.ralph(&["queue", "tree"]);
    assert_eq!(tree.success().stdout, format!("{part}  todo  part\n"));
    let ran = desk.ralph(&["task", "parent", &part]);
    assert!(ran.success().stderr.contains("in the done file; `--include-done`"), "{ran}");
    let ran = desk.ralph(&["task", "parent", &part, "--include-done"]);
    assert_eq!(ran.success().stdout, format!("{parent}\tdone\tmedium\twhole\n"));
    let ran = desk.ralph(&["task", "children", &part]);
    assert!(ran.success().stderr.starts_with("No task of the queue is a part of"), "{ran}");
    let orphan = desk.read(".ralph/queue.jsonc").replace(&parent, "RQ-0099");
    desk.write(".ralph/queue.jsonc", orphan);
    let tree = desk.ralph(&["queue", "tree"]);
    assert!(tree.success().stdout.contains("its parent is in no file"), "{tree}");
}

#[test]
fn what_is_no_document_of_changes_is_said_in_its_own_words() {
    let desk = Desk::new();
    for (document, wanted) in [
        ("", "expected an object with `version` and `tasks`"),
        ("[]", "expected an object with `version` and `tasks`"),
        (r#"{"version":1,"tasks":[7]}"#, "expected an object with `task_id` and `edits`"),
    ] {
        desk.write("in.json", document);
        let error = desk.error(&["task", "mutate", "--input", "in.json"], 2);
        let message = error["message"].as_str().expect("text");
        assert!(message.contains(wanted), "{message}");
    }
    let ran = desk.sh("\"$RALPH\" task add - </dev/null");
    assert_eq!(ran.success().stderr, "There is no task in what was given.\n");
}

/// Runs two lines in the desk: the first reads the pipe `note`, and the second is done while it
/// waits for that.
#[cfg(unix)]
fn meanwhile(desk: &Desk, waiting: &str, meanwhile: &str) -> ralph_testkit::Ran {
    desk.sh(&format!(
        "rm -f note; mkfifo note; \"$RALPH\" {waiting} --json & exec 3>note
        \"$RALPH\" {meanwhile} 2>&3; exec 3>&-; wait $!"
    ))
}

#[cfg(unix)]
#[test]
fn a_filter_is_asked_of_the_queue_that_is_changed() {
    for (command, other) in [
        ("task batch status rejected --status-filter todo", "task start RQ-0001"),
        (
            "task batch status rejected --continue-on-error --status-filter todo",
            "task start RQ-0001",
        ),
        ("task status rejected --tag-filter a", "task edit tags c RQ-0001"),
    ] {
        let desk = Desk::new();
        desk.add("one", &["--tag", "a"]);
        desk.add("two", &["--tag", "a"]);
        let ran = meanwhile(&desk, &format!("{command} --note-file note"), other);
        ran.success();
        let is = |id: &str| show(&desk, id)["status"].as_str().expect("text").to_owned();
        assert_ne!(is("RQ-0001"), "rejected", "{command}: {ran}");
        assert_eq!(is("RQ-0002"), "rejected", "{command}: {ran}");
    }
    let desk = Desk::new();
    desk.add("one", &["--tag", "a"]);
    let status = "task status done --tag-filter a --note-file note";
    let ran = meanwhile(&desk, status, "task edit tags c RQ-0001");
    assert!(ran.exited(2).stderr.contains("no task has the tag `a`"), "{ran}");
}

#[test]
fn what_a_filter_found_is_answered_again_when_it_finds_nothing_more() {
    let desk = Desk::new();
    desk.add("one", &["--tag", "a"]);
    for command in [
        &["task", "status", "doing", "--tag-filter", "a"][..],
        &["task", "edit", "tags", "b", "--tag-filter", "a"],
        &["task", "batch", "edit", "tags", "c", "--tag-filter", "b"],
    ] {
        let name = command.join(" ");
        let once = [command, &["--request-id", &name]].concat();
        let first = desk.json(&once);
        let again = desk.json(&once);
        assert_eq!((&first["rev"], &first["changed"]), (&again["rev"], &again["changed"]));
    }
}

/// What is decided of the queue as it was when the command began, and not as it is under the lock,
/// loses what another one wrote meanwhile, or is wrong about it.
#[test]
#[cfg(target_os = "linux")]
fn what_an_edit_decides_it_decides_under_the_lock() {
    let old = r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z""#;
    let ended = r#""status":"done","completed_at":"2026-01-01T00:00:00Z""#;
    let task =
        |id: &str, more: &str| format!(r#"{{"id":"{id}","title":"of another",{old},{more}}}"#);
    let priority = r#""status":"todo","priority":"critical""#;
    let tags = r#""status":"todo","tags":["b"]"#;
    // What another one writes into the queue and the done file, and where the ids are in the end.
    for (command, [queue, done], ids) in [
        (
            &["queue", "import", "--input", "more.json"][..],
            [task("RQ-0003", priority), String::new()],
            ["RQ-0001 RQ-0002 RQ-0003 RQ-0004", ""],
        ),
        (
            &["task", "batch", "delete", "--tag-filter", "b"],
            [task("RQ-0003", tags), String::new()],
            ["RQ-0001", ""],
        ),
        (
            &["queue", "archive"],
            [task("RQ-0003", ended), String::new()],
            ["RQ-0001 RQ-0002", "RQ-0003"],
        ),
        (
            &["queue", "prune", "--age", "1"],
            [task("RQ-0003", priority), task("RQ-0004", ended)],
            ["RQ-0001 RQ-0002 RQ-0003", ""],
        ),
        (
            &["queue", "sort"],
            [task("RQ-0003", priority), String::new()],
            ["RQ-0003 RQ-0001 RQ-0002", ""],
        ),
        (
            &["queue", "repair"],
            [task("RQ-0002", priority), String::new()],
            ["RQ-0001 RQ-0003 RQ-0002", ""],
        ),
        (&["undo"], [task("RQ-0003", priority), String::new()], ["RQ-0001 RQ-0002 RQ-0003", ""]),
    ] {
        let desk = Desk::new();
        desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
        desk.write("more.json", r#"[{"title":"more"}]"#);
        desk.add("one", &["--tag", "a"]);
        desk.add("two", &["--tag", "b"]);
        desk.json(&["task", "edit", "title", "zwei", "RQ-0002"]);
        let lock = sidecar_lock_path(&desk.path(QUEUE));
        let holder = Holder {
            pid: std::process::id(),
            host: "here".to_owned(),
            command: "a test".to_owned(),
            since: "2026-01-01T00:00:00Z".parse().expect("a time"),
        };
        let held = FileLock::acquire(&lock, &holder, Duration::ZERO).expect("nobody holds it");
        let asked = ralph_testkit::Opens::of(&lock);
        let waiting = desk.sandbox.start(RALPH, &desk.dir, command);
        wait_until(Duration::from_secs(30), "somebody who wants the lock", || asked.count() > 3);
        let text = desk.read(QUEUE).replace("\"one\"", "\"uno\"");
        let (before, after) = text.rsplit_once(']').expect("a list of tasks");
        desk.write(QUEUE, format!("{before},{queue}]{after}"));
        desk.write(".ralph/done.jsonc", format!(r#"{{"version":1,"tasks":[{done}]}}"#));
        drop(held);
        let ran = waiting.wait(Duration::from_mins(1));
        let ran = ran.success();
        let found = [QUEUE, ".ralph/done.jsonc"].map(|file| {
            let file = parse(&desk.read(file));
            let tasks = file["tasks"].as_array().cloned().unwrap_or_default();
            let ids: Vec<&str> = tasks.iter().filter_map(|task| task["id"].as_str()).collect();
            ids.join(" ")
        });
        assert_eq!(found, ids, "{command:?}: {ran}");
        assert!(desk.read(QUEUE).contains("\"uno\""), "{command:?}: {}", desk.read(QUEUE));
    }
}

/// The file that says who has claimed what.
fn leases(desk: &Desk) -> std::path::PathBuf {
    desk.path(".git/ralph/leases.json")
}

#[test]
fn an_answer_is_of_the_queue_that_its_change_led_to() {
    let desk = Desk::new();
    for title in ["one", "two"] {
        desk.add(title, &[]);
    }
    desk.write("more.json", r#"[{"title":"more"}]"#);
    let claimed = desk.json(&["queue", "claim", "--id", "RQ-0001"]);
    let token = claimed["claim"]["token"].as_str().expect("text");
    let holder = Holder {
        pid: std::process::id(),
        host: "here".to_owned(),
        command: "a test".to_owned(),
        since: "2026-01-01T00:00:00Z".parse().expect("a time"),
    };
    for command in [
        &["task", "add", "new"][..],
        &["task", "add", "--input", "more.json"],
        &["queue", "import", "--input", "more.json"],
        &["queue", "release"],
    ] {
        let before = desk.read(QUEUE);
        // After its change the command renews the claim, and waits for that.
        let lock = sidecar_lock_path(&leases(&desk));
        let lock = FileLock::acquire(&lock, &holder, Duration::ZERO).expect("nobody holds it");
        let args = [command, &["--claim", token, "--json"]].concat();
        let waiting = desk.sandbox.start(RALPH, &desk.dir, &args);
        wait_until(Duration::from_secs(30), "the change", || desk.read(QUEUE) != before);
        let made = desk.read(QUEUE);
        desk.write(QUEUE, made.replace("\"two\"", "\"zwei\""));
        drop(lock);
        let ran = waiting.wait(Duration::from_mins(1));
        let answer = parse(&ran.success().stdout);
        let list = desk.json(&["undo", "--list"]);
        assert_eq!(answer["rev"], list["items"][0]["rev"], "{ran}");
        desk.write(QUEUE, made);
    }
}

#[test]
fn who_cannot_delete_what_the_done_file_names_is_told_what_ends_it() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    desk.add("one", &[]);
    desk.add("two", &["--relates-to", "RQ-0001"]);
    desk.ralph(&["task", "done", "RQ-0002"]).success();
    let error = desk.error(&["task", "batch", "delete", "RQ-0001"], 3);
    assert!(error["hint"].as_str().expect("text").contains("`ralph task reject RQ-0001`"));
    desk.ralph(&["task", "edit", "relates_to", "", "RQ-0002"]).exited(3);
    desk.ralph(&["task", "reject", "RQ-0001"]).success();
}
