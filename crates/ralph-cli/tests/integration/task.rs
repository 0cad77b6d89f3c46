//! `ralph task …`: each changes one task and leaves the rest of the file alone.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Desk, parse};

/// A queue as a person keeps it.
const COMMENTED: &str = r#"// Our queue.
{
  "version": 1,
  "tasks": [
    // The first one is easy.
    { "id": "RQ-0001", "status": "todo", "title": "easy", "tags": ["a"], // keep me
      "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "mine": 1.50 },
    /* hard */ { "id": "RQ-0002", "status": "draft", "title": "hard", "tags": ["a"], "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", },
  ],
}
"#;

fn show(desk: &Desk, id: &str) -> Value {
    parse(&desk.ralph(&["task", "show", id]).success().stdout)
}

#[test]
fn a_new_task_goes_last_and_its_id_is_the_output() {
    let desk = Desk::new();
    let first = desk.ralph(&["task", "add", "Fix the parser"]);
    assert_eq!(first.success().stdout, "RQ-0001\n");
    assert_eq!(
        first.stderr,
        "Added as number 1 of 1 in the queue.\nhint: `ralph run loop` lets an agent work on it.\n"
    );
    assert_eq!(desk.add("second", &[]), "RQ-0002");
    assert_eq!(desk.add("urgent", &["--first"]), "RQ-0003");
    assert_eq!(desk.add("between", &["--after", "RQ-0003"]), "RQ-0004");
    assert_eq!(desk.add("before", &["--before", "RQ-0002"]), "RQ-0005");
    let order: Vec<String> = desk.json(&["queue", "list"])["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["id"].as_str().expect("text")[6..].to_owned())
        .collect();
    assert_eq!(order, ["3", "4", "1", "5", "2"]);
}

#[test]
fn many_at_once_get_an_id_each() {
    let desk = Desk::new();
    let line = "for n in 1 2 3 4 5 6 7 8; do \"$RALPH\" task add \"task $n\" & done; wait";
    let ran = desk.sh(line);
    let mut ids: Vec<&str> = ran.success().stdout.lines().collect();
    ids.sort_unstable();
    let expected: Vec<String> = (1..=8).map(|number| format!("RQ-{number:04}")).collect();
    assert_eq!(ids, expected);
    assert_eq!(desk.json(&["queue", "list"])["total"], 8);
}

/// Adds 500 tasks in each of two directories at once, some alone and some ten in a call, and returns
/// the ids in the queue of each.
fn five_hundred_each(desk: &Desk, directories: [&Path; 2]) -> [Vec<String>; 2] {
    let ten = format!("[{}]", [r#"{"title":"one of ten"}"#; 10].join(","));
    let [here, there] = directories.map(|directory| directory.to_str().expect("text"));
    let script = format!(
        "add() {{
            n=0; while [ $n -lt 40 ]; do \"$RALPH\" task add alone -C \"$1\" || exit 1; n=$((n+1)); done
            n=0; while [ $n -lt 46 ]; do
                echo '{ten}' | \"$RALPH\" task add --json - -C \"$1\" || exit 1; n=$((n+1))
            done
        }}
        add '{here}' & one=$!; add '{there}' & other=$!; wait $one && wait $other"
    );
    desk.sh(&script).success();
    directories.map(|directory| {
        let directory = directory.to_str().expect("text");
        let list = desk.json(&["queue", "list", "--all", "-C", directory]);
        let items = list["items"].as_array().expect("a list");
        items.iter().map(|item| item["id"].as_str().expect("text").to_owned()).collect()
    })
}

#[test]
fn two_that_add_500_tasks_each_make_1_000_with_an_id_each() {
    let desk = Desk::new();
    let [ids, _] = five_hundred_each(&desk, [&desk.dir, &desk.dir]);
    assert_eq!(ids.len(), 1_000);
    let ids: BTreeSet<String> = ids.into_iter().collect();
    let expected = (1..=1_000).map(|number| format!("RQ-{number:04}"));
    assert_eq!(ids, expected.collect());
}

#[test]
fn two_work_trees_that_add_500_tasks_each_share_no_id() {
    let desk = Desk::new();
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "queue"]);
    desk.git(&["worktree", "add", "-q", "../other"]);
    let other = desk.dir.parent().expect("a sandbox").join("other");
    let [here, there] = five_hundred_each(&desk, [&desk.dir, &other]);
    assert_eq!((here.len(), there.len()), (500, 500));
    let ids: BTreeSet<String> = here.into_iter().chain(there).collect();
    let expected = (1..=1_000).map(|number| format!("RQ-{number:04}"));
    assert_eq!(ids, expected.collect());
}

#[test]
fn every_field_can_be_given() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.write("long", "line one\nline two\n");
    let id = desk.add(
        "three",
        &[
            "--description",
            "at length",
            "--status",
            "draft",
            "--priority",
            "high",
            "--tag",
            "a, b",
            "--tag",
            "c",
            "--scope",
            "src/x.rs",
            "--evidence",
            "seen, once",
            "--plan",
            "first, this",
            "--plan",
            "then that",
            "--note",
            "a note",
            "--note-file",
            "long",
            "--request",
            "please",
            "--depends-on",
            "RQ-0001",
            "--blocks",
            "RQ-0002",
            "--relates-to",
            "RQ-0001, RQ-0002,",
            "--duplicates",
            "RQ-0002",
            "--parent",
            "RQ-0001",
            "--scheduled-start",
            "2030-01-01T00:00:00Z",
            "--estimated-minutes",
            "30",
            "--field",
            "team=core",
            "--runner",
            "claude",
            "--model",
            "m",
            "--effort",
            "high",
            "--phases",
            "2",
        ],
    );
    let task = show(&desk, &id);
    let expected = json!({
        "id": "RQ-0003", "status": "draft", "title": "three", "description": "at length",
        "priority": "high", "tags": ["a", "b", "c"], "scope": ["src/x.rs"],
        "evidence": ["seen, once"], "plan": ["first, this", "then that"], "notes": ["a note", "line one\nline two"],
        "request": "please", "depends_on": ["RQ-0001"], "blocks": ["RQ-0002"],
        "relates_to": ["RQ-0001", "RQ-0002"], "duplicates": "RQ-0002", "parent_id": "RQ-0001",
        "scheduled_start": "2030-01-01T00:00:00.000000000Z", "estimated_minutes": 30,
        "custom_fields": { "team": "core" },
        "agent": { "runner": "claude", "model": "m", "model_effort": "high", "phases": 2 },
        "created_at": task["created_at"], "updated_at": task["updated_at"],
    });
    assert_eq!(task, expected);
    assert_eq!(task["created_at"].as_str().map(str::len), Some(30), "nine digits of a second");
    desk.ralph(&["queue", "validate"]).success();

    let text = desk.ralph(&["task", "show", &id, "--format", "text"]);
    for line in
        ["RQ-0003  three\n", "draft, high priority\n", "- then that\n", "  team         core\n"]
    {
        assert!(text.success().stdout.contains(line), "{line:?} in {text}");
    }
    let line = desk.ralph(&["queue", "show", &id, "--format", "compact"]);
    assert_eq!(line.success().stdout, "RQ-0003\tdraft\thigh\tthree\n");
}

#[test]
fn a_description_is_read_from_stdin() {
    let desk = Desk::new();
    let line = "printf 'line one\\nline \"two\"\\n' | \"$RALPH\" task add piped --description -";
    desk.sh(line).success();
    assert_eq!(show(&desk, "RQ-0001")["description"], "line one\nline \"two\"");
    let ran = desk.sh("printf '\\377' | \"$RALPH\" task add piped --description -");
    assert!(ran.exited(2).stderr.contains("stdin is not UTF-8"), "{ran}");
}

#[test]
fn a_title_is_one_line() {
    let desk = Desk::new();
    for (title, what) in [("one\ntwo", "it has a line break"), (" ", "it is blank")] {
        let error = desk.error(&["task", "add", title], 2);
        assert!(error["message"].as_str().expect("text").contains(what), "{error}");
    }
    assert_eq!(desk.add("  trimmed ", &[]), "RQ-0001");
    assert_eq!(show(&desk, "RQ-0001")["title"], "trimmed");
}

#[test]
fn edits_keep_comments_layout_and_unknown_fields() {
    let desk = Desk::with_queue(COMMENTED);
    desk.add("third", &[]);
    desk.ralph(&["task", "ready", "RQ-0002", "--note", "it is time"]).success();
    desk.ralph(&["task", "start", "RQ-0001"]).success();
    let text = desk.read(".ralph/queue.jsonc");
    for kept in [
        "// Our queue.\n",
        "    // The first one is easy.\n",
        "// keep me\n",
        "/* hard */",
        "\"mine\": 1.50",
    ] {
        assert!(text.contains(kept), "{kept:?} in {text}");
    }
    assert_eq!(show(&desk, "RQ-0001")["status"], "doing");
    assert_eq!(show(&desk, "RQ-0002")["status"], "todo");
    assert_eq!(show(&desk, "RQ-0002")["notes"], json!(["it is time"]));
}

#[test]
fn a_task_moves_through_its_life() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    for title in ["one", "two"] {
        desk.add(title, &[]);
    }
    let ran = desk.ralph(&["task", "start", "RQ-0001"]);
    assert!(ran.success().stderr.starts_with("RQ-0001 is now doing.\nhint: `ralph queue claim"));
    let started = show(&desk, "RQ-0001")["started_at"].clone();
    desk.ralph(&["task", "start", "RQ-0001"]).success();
    assert_eq!(show(&desk, "RQ-0001")["started_at"], started);
    desk.ralph(&["task", "start", "RQ-0001", "--reset"]).success();
    assert_ne!(show(&desk, "RQ-0001")["started_at"], started);

    let done = desk.ralph(&["task", "done", "RQ-0001", "--note", "by hand"]);
    assert_eq!(done.success().stderr, "RQ-0001 is now done and in the done file.\n");
    let rejected = desk.json(&["task", "reject", "RQ-0002"]);
    assert_eq!(
        rejected["tasks"],
        json!([{ "id": "RQ-0002", "status": "rejected", "archived": true, "changed": true }])
    );
    assert_eq!(show(&desk, "RQ-0001")["notes"], json!(["by hand"]));
    assert_eq!(desk.json(&["queue", "list"])["total"], 0);
    assert_eq!(desk.json(&["queue", "list", "--only-done"])["total"], 2);
    desk.ralph(&["queue", "validate"]).success();

    let error = desk.error(&["task", "start", "RQ-0001"], 3);
    assert_eq!(error["code"], "refused");
}

#[test]
fn the_configuration_may_keep_finished_tasks_in_place() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2,"queue":{"finish":"in_place"}}"#);
    desk.add("one", &[]);
    let done = desk.ralph(&["task", "done", "RQ-0001"]);
    assert_eq!(done.success().stderr, "RQ-0001 is now done.\n");
    assert_eq!(desk.json(&["queue", "list", "--include-done"])["items"][0]["status"], "done");
    assert!(!desk.read(".ralph/done.jsonc").contains("RQ-0001"));
}

#[test]
fn a_status_that_ends_a_task_ends_it_as_done_does() {
    let done = |desk: &Desk| desk.read(".ralph/done.jsonc").matches("\"id\"").count();
    for (config, moved) in
        [(r#"{"version":2}"#, 4), (r#"{"version":2,"queue":{"finish":"in_place"}}"#, 0)]
    {
        let desk = Desk::new();
        desk.write(".ralph/config.jsonc", config);
        for title in ["one", "two", "three", "four", "five"] {
            desk.add(title, &[]);
        }
        let ran = desk.json(&["task", "status", "done", "RQ-0001", "--note", "so"]);
        assert_eq!(ran["tasks"][0]["archived"], moved > 0);
        desk.ralph(&["task", "status", "done", "RQ-0001"]).success();
        desk.ralph(&["task", "status", "rejected", "RQ-0002"]).success();
        desk.ralph(&["task", "batch", "status", "done", "RQ-0003"]).success();
        desk.ralph(&["task", "batch", "status", "rejected", "RQ-0004"]).success();
        // 0.4.0 leaves a task that gets it as a field.
        desk.ralph(&["task", "edit", "status", "done", "RQ-0005"]).success();
        assert_eq!(done(&desk), moved);
        assert_eq!(show(&desk, "RQ-0001")["notes"], json!(["so"]));
        desk.ralph(&["queue", "validate"]).success();
        for _ in 0..5 {
            desk.ralph(&["undo"]).success();
        }
        assert_eq!((done(&desk), &show(&desk, "RQ-0001")["status"]), (0, &json!("todo")));
    }
}

#[test]
fn status_takes_several_tasks_or_a_tag() {
    let desk = Desk::with_queue(COMMENTED);
    desk.ralph(&["task", "status", "draft", "RQ-0001", "RQ-0002"]).success();
    assert_eq!(show(&desk, "RQ-0001")["status"], "draft");
    let document = desk.json(&["task", "status", "todo", "--tag-filter", "A", "--note", "go"]);
    assert_eq!(document["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(show(&desk, "RQ-0002")["status"], "todo");
    assert_eq!(
        desk.error(&["task", "status", "todo", "--tag-filter", "none"], 2)["code"],
        "not_found"
    );
    desk.ralph(&["task", "status", "todo"]).exited(2);
    desk.ralph(&["task", "status", "finished", "RQ-0001"]).exited(2);
}

#[test]
fn a_refusal_names_a_command_that_works_as_it_stands() {
    let desk = Desk::new();
    for title in ["done", "draft", "doing"] {
        desk.add(title, &[]);
    }
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.ralph(&["task", "status", "draft", "RQ-0002"]).success();
    desk.ralph(&["task", "start", "RQ-0003"]).success();
    let error = desk.error(&["task", "done", "RQ-0002"], 3);
    assert_eq!(error["next"], "ralph task status todo RQ-0002", "{error}");
    desk.ralph(&["task", "status", "todo", "RQ-0002"]).success();
    // Nobody asked to have it done once more, or somebody may be at it.
    for refused in [
        ["task", "start", "RQ-0001"],
        ["task", "reject", "RQ-0001"],
        ["task", "split", "RQ-0001"],
        ["task", "ready", "RQ-0001"],
        ["queue", "release", "RQ-0001"],
        ["task", "ready", "RQ-0003"],
    ] {
        let error = desk.error(&refused, 3);
        assert_eq!(error["next"], format!("ralph task show {}", refused[2]), "{error}");
    }
    let error = desk.error(&["task", "edit", "title", "", "RQ-0003"], 2);
    assert_eq!(error["next"], "ralph task show RQ-0003");
    desk.ralph(&["task", "status", "todo", "RQ-0003"]).success();
    let error = desk.error(&["queue", "release", "RQ-0003"], 3);
    assert_eq!(error["message"], "task `RQ-0003` is todo here, and nobody has claimed it");
    assert!(!error["hint"].to_string().contains("--force"), "{error}");
    desk.ralph(&["queue", "archive"]).success();
    let error = desk.error(&["task", "start", "RQ-0001"], 3);
    assert_eq!(error["next"], "ralph task show RQ-0001");
    let hint = error["hint"].as_str().expect("text");
    assert!(hint.contains("`ralph task clone RQ-0001 --status todo`"), "{hint}");
    desk.ralph(&["task", "clone", "RQ-0001", "--status", "todo"]).success();
}

#[test]
fn an_unknown_id_is_answered_with_similar_ones() {
    let desk = Desk::with_queue(COMMENTED);
    for args in [["task", "show", "rq-1"], ["task", "done", "1"], ["queue", "show", "RQ-00001"]] {
        let error = desk.error(&args, 2);
        assert_eq!(error["code"], "not_found");
        assert_eq!(error["hint"], "Did you mean `RQ-0001`?");
        assert_eq!(error["retryable"], false);
    }
    let ran = desk.ralph(&["task", "show", "nothing"]);
    assert_eq!(
        ran.exited(2).stderr,
        "error: there is no task `nothing`\nhint: `ralph queue list --include-done` shows all tasks.\n"
    );
    assert_eq!(desk.read(".ralph/queue.jsonc"), COMMENTED);
}

#[test]
fn a_change_that_would_break_the_queue_is_refused() {
    let desk = Desk::with_queue(COMMENTED);
    for args in [
        ["task", "add", "x", "--depends-on", "RQ-9999"],
        ["task", "add", "x", "--tag", " "],
        ["task", "add", "   ", "--tag", "t"],
        ["task", "add", "x", "--after", "RQ-9999"],
        ["task", "add", "x", "--before", "../up"],
    ] {
        let ran = desk.ralph(&args);
        assert!(ran.code == Some(3) || ran.code == Some(2), "{ran}");
        assert!(ran.stderr.starts_with("error: "), "{ran}");
    }
    assert_eq!(desk.error(&["task", "done", "RQ-0002"], 3)["code"], "refused");
    assert_eq!(desk.read(".ralph/queue.jsonc"), COMMENTED);
}

#[test]
fn a_description_comes_from_a_file_too() {
    let desk = Desk::new();
    desk.write("wanted.md", "@one\n\ntwo\n");
    desk.ralph(&["task", "add", "x", "--description-file", "wanted.md"]).success();
    let shown = desk.json(&["task", "show", "RQ-0001"]);
    assert_eq!(shown["task"]["description"], "@one\n\ntwo");
    let both = ["task", "add", "x", "--description", "y", "--description-file", "wanted.md"];
    desk.ralph(&both).exited(2);
    desk.ralph(&["task", "add", "x", "--description-file", "none.md"]).exited(1);
}

#[test]
fn a_relation_to_itself_or_to_no_task_is_wrong_usage() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let own = desk.ralph(&["task", "edit", "depends_on", "RQ-0001", "RQ-0001"]);
    assert!(own.exited(2).stderr.contains("names the task itself"), "{own}");
    desk.ralph(&["task", "add", "two", "--depends-on", "RQ-0099"]).exited(2);
}

#[test]
fn word_is_left_with_a_task_and_takes_nothing_away() {
    let desk = Desk::new();
    desk.add("one", &["--note", "first"]);
    let note = desk.ralph(&["task", "note", "RQ-0001", "second, and more"]);
    assert_eq!(note.success().stderr, "RQ-0001 has the note now.\n");
    let again = desk.ralph(&["task", "note", "RQ-0001", "second, and more"]);
    assert_eq!(again.success().stderr, "RQ-0001 had that note already.\n");
    desk.sh("printf 'third\n' | \"$RALPH\" task note RQ-0001 -").success();
    assert_eq!(show(&desk, "RQ-0001")["notes"], json!(["first", "second, and more", "third"]));
    // Finished or not.
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    let made = desk.json(&["task", "note", "RQ-0001", "fourth"]);
    let line = json!([{ "id": "RQ-0001", "status": "done", "archived": false, "changed": true }]);
    assert_eq!(made["tasks"], line);
    assert_eq!(show(&desk, "RQ-0001")["notes"].as_array().map(Vec::len), Some(4));
    for wrong in [&["RQ-0001"][..], &["RQ-0001", ""], &["RQ-9", "x"]] {
        desk.ralph(&[&["task", "note"], wrong].concat()).exited(2);
    }
}

#[test]
fn a_task_is_added_with_times_that_are_not_now_and_with_all_that_its_agent_is_to_be() {
    let desk = Desk::new();
    let added = desk.json(&[
        "task",
        "add",
        "one",
        "--status",
        "done",
        "--created-at",
        "2026-01-01T01:00:00+01:00",
        "--updated-at",
        "2026-01-04T00:00:00Z",
        "--started-at",
        "2026-01-02T00:00:00Z",
        "--completed-at",
        "2026-01-03T00:00:00Z",
        "--actual-minutes",
        "5",
        "--iterations",
        "2",
        "--followup-reasoning-effort",
        "high",
        "--runner-cli",
        r#"{"sandbox":"disabled"}"#,
        "--phase-overrides",
        r#"{"phase1":{"model":"m"}}"#,
    ]);
    let task = &added["task"];
    let times = ["created_at", "started_at", "completed_at", "updated_at"];
    assert_eq!(
        times.map(|name| &task[name].as_str().expect("a time")[..10]),
        ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
    );
    assert_eq!(task["actual_minutes"], 5);
    assert_eq!(
        task["agent"],
        json!({
            "iterations": 2, "followup_reasoning_effort": "high",
            "runner_cli": { "sandbox": "disabled" }, "phase_overrides": { "phase1": { "model": "m" } },
        })
    );
    desk.json(&["queue", "validate"]);
    let before = desk.read(".ralph/queue.jsonc");
    for (flag, value, code) in [
        ("--created-at", "yesterday", 2),
        ("--iterations", "0", 2),
        ("--runner-cli", "[]", 2),
        ("--phase-overrides", r#"{"a":1,"a":2}"#, 2),
        ("--phase-overrides", r#"{"phase1":7}"#, 2),
        ("--phase-overrides", r#"{"phase9":{}}"#, 2),
        ("--runner-cli", r#"{"sandbox":"nope"}"#, 2),
        ("--runner-cli", r#"{"zzz":"nope"}"#, 2),
        ("--iterations", "256", 2),
        ("--runner", " ", 2),
        // When that was, nothing says.
        ("--status", "done", 3),
    ] {
        desk.ralph(&["task", "add", "two", flag, value]).exited(code);
    }
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
}

#[test]
fn times_of_a_new_task_are_given_as_task_schedule_takes_them() {
    let desk = Desk::new();
    let id = desk.add("one", &["--scheduled-start", "tomorrow", "--created-at", "2026-01-02"]);
    let task = show(&desk, &id);
    assert_eq!(task["created_at"], "2026-01-02T00:00:00.000000000Z");
    assert_eq!(&task["scheduled_start"].as_str().expect("a time")[10..], "T09:00:00.000000000Z");
    let error = desk.error(&["task", "add", "two", "--started-at", "yesterday"], 2);
    let message = error["message"].as_str().expect("text");
    assert!(message.contains("--started-at") && message.contains("yesterday"), "{error}");
}

#[test]
fn a_text_may_begin_with_a_dash_and_swallows_no_flag() {
    let desk = Desk::new();
    let id = desk.add(
        "one",
        &["--description", "- a\n- b", "--plan", "-q first", "--evidence", "-- x", "--note", "- n"],
    );
    desk.ralph(&["task", "note", &id, "- before", "--dry-run"]).success();
    desk.ralph(&["task", "note", "--dry-run", &id, "- before"]).success();
    desk.ralph(&["task", "note", &id, "- plain"]).success();
    desk.ralph(&["task", "batch", "plan-append", "--plan-item", "- last", &id]).success();
    // A text that was forgotten is none.
    let before = show(&desk, &id);
    for wrong in [
        &["task", "note", &id, "--dry-run"][..],
        &["task", "note", &id, "--dry-rn"],
        &["task", "done", &id, "--note", "--dry-run"],
        &["task", "done", &id, "--note", "-v"],
        &["task", "done", &id, "--note", "--"],
        &["task", "batch", "plan-append", "--plan-item", "--json", &id],
    ] {
        desk.ralph(wrong).exited(2);
    }
    assert_eq!(show(&desk, &id), before);
    let ran = desk.ralph(&["task", "done", &id, "--note", "-v"]);
    assert!(ran.stderr.contains("`--note=-v`"), "{ran}");
    // As it was in 0.4.0, one that is tied to its flag is meant.
    desk.ralph(&["task", "batch", "plan-append", "--plan-item=--json", &id]).success();
    desk.ralph(&["task", "ready", &id, "--note=-v", "--dry-run"]).success();
    desk.ralph(&["task", "status", "doing", &id, "--note=--json"]).success();
    desk.ralph(&["task", "done", &id, "--note", "- did it"]).success();
    let task = show(&desk, &id);
    assert_eq!(task["notes"], json!(["- n", "- plain", "--json", "- did it"]));
    assert_eq!(task["plan"], json!(["-q first", "- last", "--json"]));
    assert_eq!((&task["description"], &task["evidence"]), (&json!("- a\n- b"), &json!(["-- x"])));
}

#[test]
fn what_has_a_nul_is_no_text_and_what_a_program_colours_is_one() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.write("binary", "a\0b");
    let before = desk.read(".ralph/queue.jsonc");
    for line in [
        "printf 'a\\000b' | \"$RALPH\" task note RQ-0001 -",
        "\"$RALPH\" task note RQ-0001 --note-file binary",
        "\"$RALPH\" task add two --description - < binary",
    ] {
        let ran = desk.sh(line);
        assert!(ran.exited(2).stderr.contains("is no text: it has a NUL character"), "{ran}");
    }
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
    desk.sh("printf '\\033[31mred' | \"$RALPH\" task note RQ-0001 -").success();
    assert!(desk.read(".ralph/queue.jsonc").contains(r"\u001b[31mred"));
}
