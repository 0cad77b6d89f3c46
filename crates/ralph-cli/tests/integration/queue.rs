//! `ralph queue …`: the queue as a whole.

use ralph_state::Timestamp;
use ralph_state::file::{FileLock, Holder};
use serde_json::json;

use crate::{Desk, parse};

/// Six tasks: a chain, a draft, one for later, one being done.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    desk.add("one", &["--tag", "a", "--scope", "src/main.rs", "--priority", "low"]);
    desk.add("two", &["--depends-on", "RQ-0001", "--priority", "critical"]);
    desk.add("three", &["--depends-on", "RQ-0002", "--tag", "A"]);
    desk.add("draft", &["--status", "draft"]);
    desk.add("later", &["--scheduled-start", "2999-01-01T00:00:00Z"]);
    desk
}

fn ids(desk: &Desk, args: &[&str]) -> Vec<String> {
    let document = desk.json(&[&["queue", "list"], args].concat());
    let items = document["items"].as_array().expect("a list");
    items.iter().map(|item| item["id"].as_str().expect("text")[6..].to_owned()).collect()
}

#[test]
fn a_list_is_filtered_and_sorted() {
    let desk = desk();
    assert_eq!(ids(&desk, &[]), ["1", "2", "3", "4", "5"]);
    assert_eq!(ids(&desk, &["--status", "draft"]), ["4"]);
    assert_eq!(ids(&desk, &["--tag", "a"]), ["1", "3"]);
    assert_eq!(ids(&desk, &["--scope", "SRC/"]), ["1"]);
    assert_eq!(ids(&desk, &["--filter-deps", "RQ-0001"]), ["2", "3"]);
    assert_eq!(ids(&desk, &["--scheduled"]), ["5"]);
    assert_eq!(ids(&desk, &["--scheduled-before", "2998-01-01T00:00:00Z"]), [""; 0]);
    assert_eq!(ids(&desk, &["--scheduled-after", "2998-01-01T00:00:00Z"]), ["5"]);
    assert_eq!(ids(&desk, &["--scheduled-after", "tomorrow"]), ["5"]);
    assert_eq!(ids(&desk, &["--scheduled-before", "in 2 days"]), [""; 0]);
    assert_eq!(ids(&desk, &["--scheduled-after", "2998-01-01"]), ["5"]);
    desk.ralph(&["queue", "list", "--scheduled-after", "soon"]).exited(2);
    let queue = desk.read(".ralph/queue.jsonc");
    desk.write(".ralph/queue.jsonc", queue.replacen("\"RQ-0002\"\n", "\" RQ-0002 \"\n", 1));
    assert_eq!(ids(&desk, &["--filter-deps", "RQ-0001"]), ["2", "3"]);
    // Nothing waits for a task that is not there.
    assert_eq!(ids(&desk, &["--filter-deps", "RQ-9999"]), [""; 0]);
    let told = desk.ralph(&["queue", "list", "--filter-deps", "RQ-9999"]).success().stderr.clone();
    assert!(told.contains("there is no task `RQ-9999`"), "{told}");
    assert_eq!(ids(&desk, &["--order", "ascending"]), ["1", "2", "3", "4", "5"]);
    // What has no such time comes last, both ways.
    for order in ["ascending", "descending"] {
        let sorted = ids(&desk, &["--sort-by", "scheduled_start", "--order", order]);
        assert_eq!(sorted, ["5", "1", "2", "3", "4"], "{order}");
    }
    assert_eq!(ids(&desk, &["--sort-by", "priority", "--limit", "1"]), ["2"]);
    assert_eq!(
        ids(&desk, &["--sort-by", "priority", "--order", "ascending", "--limit", "1"]),
        ["1"]
    );
    assert_eq!(
        ids(&desk, &["--sort-by", "title", "--order", "ascending"]),
        ["4", "5", "1", "3", "2"]
    );
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    assert_eq!(ids(&desk, &["--include-done"]), ["2", "3", "4", "5", "1"]);
    assert_eq!(ids(&desk, &["--only-done"]), ["1"]);
}

#[test]
fn a_list_says_what_was_cut_and_how_to_go_on() {
    let desk = desk();
    let page = desk.json(&["queue", "list", "--limit", "2"]);
    assert_eq!(page["schema"], json!({ "name": "task-list", "version": 1 }));
    assert_eq!(
        [&page["total"], &page["returned"], &page["truncated"], &page["next_cursor"]],
        [&json!(5), &json!(2), &json!(true), &json!("RQ-0002,RQ-0003")]
    );
    assert_eq!(ids(&desk, &["--limit", "2", "--cursor", "RQ-0002"]), ["3", "4"]);
    let last = desk.json(&["queue", "list", "--limit", "2", "--cursor", "RQ-0004"]);
    assert_eq!(last["rev"], page["rev"]);
    assert_eq!((&last["truncated"], &last["next_cursor"]), (&json!(false), &json!(null)));
    for (args, next) in [
        (&["queue", "list", "--cursor", "RQ-0099"][..], "ralph queue list --json"),
        (
            &["queue", "search", "--cursor=RQ-0099", "--limit", "2", "two words"],
            "ralph queue search --limit 2 'two words' --json",
        ),
        (&["queue", "ready", "-C", ".", "--cursor", "a,b"], "ralph queue ready -C . --json"),
        (&["undo", "--list", "--cursor", "99"], "ralph undo --list --json"),
    ] {
        let error = desk.error(args, 2);
        assert_eq!((&error["code"], &error["next"]), (&json!("cursor_gone"), &json!(next)));
    }
    assert_eq!(desk.ralph(&["undo", "--cursor", "99"]).exited(2).stdout, "", "it is no list");
    // Who reads on behind a task that is gone misses none.
    desk.ralph(&["task", "done", "RQ-0003"]).success();
    let gone = |next: &str| format!("RQ-0003,{next}");
    assert_eq!(ids(&desk, &["--cursor", &gone("RQ-0004")]), ["4", "5"]);
    let gone = desk.error(&["queue", "explain", "--cursor", &gone("RQ-0099")], 2);
    assert_eq!(gone["code"], "cursor_gone");
    desk.ralph(&["undo"]).success();

    let ran = desk.ralph(&["queue", "list", "--limit", "2"]);
    assert_eq!(ran.success().stdout, "RQ-0001\ttodo\tlow\tone\nRQ-0002\ttodo\tcritical\ttwo\n");
    assert!(ran.stderr.starts_with("2 of 5 tasks.\nhint: `--all`"), "{ran}");
    assert_eq!(desk.ralph(&["queue", "list", "--limit", "2", "--quiet"]).success().stderr, "");
    desk.add("one more", &[]);
    assert_ne!(desk.json(&["queue", "list"])["rev"], page["rev"]);
}

#[test]
fn items_say_whether_a_task_can_start() {
    let desk = desk();
    let list = desk.json(&["queue", "list"]);
    let item = &list["items"][0];
    assert_eq!(
        *item,
        json!({
            "id": "RQ-0001", "title": "one", "status": "todo", "priority": "low", "tags": ["a"],
            "ready": true, "waits_for": [], "scheduled_start": null,
            "updated_at": item["updated_at"],
        })
    );
    assert_eq!(list["items"][1]["waits_for"], json!(["RQ-0001"]));
    assert_eq!(list["items"][1]["ready"], false);
    let shown = desk.json(&["task", "show", "RQ-0002"]);
    assert_eq!(
        (&shown["ready"], &shown["reasons"][0]["kind"]),
        (&json!(false), &json!("unmet_dependencies"))
    );
}

#[test]
fn the_formats_of_0_4_0_stay() {
    let desk = desk();
    let list = parse(&desk.ralph(&["queue", "list", "--format", "json"]).success().stdout);
    assert_eq!(list.as_array().map(Vec::len), Some(5));
    assert_eq!(list[1]["depends_on"], json!(["RQ-0001"]));
    let long = desk.ralph(&["queue", "list", "--format", "text", "--limit", "2"]);
    assert!(long.success().stdout.contains("\n\nRQ-0002  two\n"), "{long}");

    let report = parse(&desk.ralph(&["queue", "explain", "--format", "json"]).success().stdout);
    assert_eq!(report["version"], 1);
    assert_eq!(report["selection"]["selected_task_id"], "RQ-0001");
    assert_eq!(report["summary"]["blocked_by_dependencies"], 2);
    assert_eq!(report["tasks"][1]["reasons"][0]["dependencies"][0]["id"], "RQ-0001");
}

#[test]
fn explain_names_every_reason() {
    let desk = desk();
    assert_eq!(
        desk.ralph(&["queue", "explain"]).success().stdout,
        "Next is RQ-0001.\n\
         RQ-0001  can start  one\n\
         RQ-0002  waits for RQ-0001 (todo)  two\n\
         RQ-0003  waits for RQ-0002 (todo)  three\n\
         RQ-0004  is a draft  draft\n\
         RQ-0005  does not start before 2999-01-01T00:00:00.000000000Z  later\n"
    );
    assert_eq!(
        desk.ralph(&["queue", "explain", "RQ-0004", "RQ-0002"]).success().stdout,
        "RQ-0004  is a draft  draft\nRQ-0002  waits for RQ-0001 (todo)  two\n"
    );
    let one = desk.json(&["queue", "explain", "RQ-0002"]);
    assert_eq!((&one["total"], &one["items"][0]["id"]), (&json!(1), &json!("RQ-0002")));
    desk.ralph(&["queue", "explain", "RQ-0009"]).exited(2);
    let ran = desk.ralph(&["queue", "explain", "--include-draft"]);
    assert!(ran.success().stdout.contains("RQ-0004  can start  draft"), "{ran}");
    let page = desk.json(&["queue", "explain", "--max-tokens", "400"]);
    assert_eq!((&page["total"], &page["truncated"]), (&json!(5), &json!(true)));
    let cursor = page["next_cursor"].as_str().expect("there is more");
    let rest = desk.json(&["queue", "explain", "--cursor", cursor]);
    assert_eq!(
        page["returned"].as_u64().zip(rest["returned"].as_u64()).map(|(a, b)| a + b),
        Some(5)
    );
    assert_eq!(rest["selection"]["selected_task_id"], "RQ-0001");
}

#[test]
fn next_is_an_id_or_nothing() {
    let desk = desk();
    assert_eq!(desk.ralph(&["queue", "next"]).success().stdout, "RQ-0001\n");
    assert_eq!(desk.ralph(&["queue", "next", "--with-title"]).success().stdout, "RQ-0001\tone\n");
    assert_eq!(desk.json(&["queue", "next"])["task"]["id"], "RQ-0001");
    let empty = Desk::new();
    let ran = empty.ralph(&["queue", "next"]);
    assert_eq!(ran.success().stdout, "");
    assert!(ran.stderr.starts_with("The queue is empty.\n"), "{ran}");
    assert_eq!(empty.json(&["queue", "next"])["found"], false);
    assert_eq!(empty.ralph(&["queue", "list"]).success().stdout, "");
}

#[test]
fn next_ids_are_counted_past_every_task() {
    let desk = desk();
    assert_eq!(desk.ralph(&["queue", "next-id", "-n", "2"]).success().stdout, "RQ-0006\nRQ-0007\n");
    assert_eq!(desk.json(&["queue", "next-id"])["items"], json!([{ "id": "RQ-0006" }]));
    desk.ralph(&["queue", "next-id", "--count", "0"]).exited(2);
}

#[test]
fn validate_names_each_problem_with_its_place() {
    let desk = desk();
    let valid = desk.ralph(&["queue", "validate"]);
    assert!(valid.success().stderr.contains("The queue is valid: 5 tasks, 0 archived."), "{valid}");
    desk.write(
        ".ralph/queue.jsonc",
        "{\"version\":1,\"tasks\":[\n{\"id\":\"RQ-0001\",\"title\":\"\",\"depends_on\":[\"RQ-7\"]},\n{\"id\":\"RQ-0001\",\"title\":\"x\"}]}",
    );
    let ran = desk.ralph(&["queue", "validate"]);
    assert!(ran.exited(3).stdout.contains(".ralph/queue.jsonc:2:"), "{ran}");
    assert!(ran.stdout.contains("error: RQ-0001: "), "{ran}");
    let json = desk.ralph(&["queue", "validate", "--json"]);
    let document = parse(&json.exited(3).stdout);
    assert_eq!(document["valid"], false);
    let codes: Vec<&str> = document["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|problem| problem["code"].as_str().expect("text"))
        .collect();
    assert!(codes.contains(&"duplicate_id"), "{codes:?}");
}

#[test]
fn a_list_is_of_what_is_open_and_counts_the_finished_tasks_beside_it() {
    let desk = desk();
    desk.ralph(&["task", "edit", "status", "done", "RQ-0001", "RQ-0003"]).success();
    assert_eq!(ids(&desk, &[]), ["2", "4", "5"]);
    let page = desk.json(&["queue", "list", "--limit", "1"]);
    assert_eq!(
        (&page["total"], &page["truncated"], &page["finished_left_out"]),
        (&json!(3), &json!(true), &json!(2))
    );
    assert_eq!(ids(&desk, &["--cursor", "RQ-0002"]), ["4", "5"]);
    // Who reads on behind a task that was finished meanwhile misses none.
    let rest = desk.json(&["queue", "list", "--limit", "1", "--cursor", "RQ-0003"]);
    assert_eq!(
        (&rest["items"][0]["id"], &rest["total"], &rest["truncated"]),
        (&json!("RQ-0004"), &json!(3), &json!(true))
    );
    let ran = desk.ralph(&["queue", "list"]);
    assert_eq!(
        ran.success().stderr,
        "2 finished tasks left out; `--include-done` shows every one.\n"
    );
    assert_eq!(desk.ralph(&["queue", "list", "--quiet"]).success().stderr, "");
    let ran = desk.ralph(&["queue", "list", "--format", "json"]);
    assert_eq!(parse(&ran.success().stdout).as_array().map(Vec::len), Some(3));

    assert_eq!(ids(&desk, &["--include-done"]), ["1", "2", "3", "4", "5"]);
    assert_eq!(ids(&desk, &["--only-done"]), ["1", "3"]);
    assert_eq!(ids(&desk, &["--status", "done"]), ["1", "3"]);
    assert_eq!(ids(&desk, &["--status", "done", "--tag", "a", "--limit", "1"]), ["1"]);
    let search = desk.json(&["queue", "search", "o"]);
    assert_eq!((&search["total"], &search["finished_left_out"]), (&json!(1), &json!(1)));
    desk.ralph(&["task", "edit", "status", "done", "RQ-0002", "RQ-0004", "RQ-0005"]).success();
    let ran = desk.ralph(&["queue", "list"]);
    assert!(ran.success().stderr.starts_with("No open task matches.\n5 finished"), "{ran}");
}

#[test]
fn nobody_is_told_why_a_finished_task_does_not_start() {
    let desk = Desk::new();
    let none = "`ralph task add TITLE` puts a task into the queue.\n";
    let ready = |text: &str| {
        let ran = desk.ralph(&["queue", "ready"]);
        assert_eq!(ran.success().stderr, format!("{text}\nhint: {none}"));
    };
    ready("The queue is empty.");
    desk.add("one", &[]);
    desk.add("two", &["--depends-on", "RQ-0001"]);
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    let page = desk.json(&["queue", "ready"]);
    assert_eq!((&page["total"], &page["others_total"]), (&json!(1), &json!(0)));
    let ran = desk.ralph(&["queue", "explain"]);
    assert_eq!(ran.success().stdout, "Next is RQ-0002.\nRQ-0002  can start  two\n");
    desk.ralph(&["task", "done", "RQ-0002"]).success();
    ready("Every task is finished.");
    let ran = desk.ralph(&["queue", "next"]);
    assert_eq!(ran.success().stderr, format!("Every task is finished.\nhint: {none}"));
}

#[test]
fn archive_moves_what_is_finished() {
    let desk = desk();
    desk.ralph(&["task", "edit", "status", "done", "RQ-0001"]).success();
    let dry = desk.json(&["queue", "archive", "--dry-run"]);
    assert_eq!((&dry["dry_run"], &dry["moved"]), (&json!(true), &json!(["RQ-0001"])));
    assert_eq!(desk.json(&["queue", "list", "--include-done"])["total"], 5);
    let ran = desk.ralph(&["queue", "archive"]);
    assert_eq!(ran.success().stdout, "RQ-0001\n");
    assert_eq!(ran.stderr, "1 task moved to .ralph/done.jsonc.\n");
    assert_eq!(desk.json(&["queue", "list", "--only-done"])["total"], 1);
    assert_eq!(desk.ralph(&["queue", "archive"]).success().stderr, "No task is finished.\n");
}

#[test]
fn stop_leaves_a_sign_for_the_loop() {
    let desk = desk();
    let idle = desk.ralph(&["queue", "stop"]);
    assert!(idle.success().stderr.contains("No run is active"), "{idle}");
    assert!(!desk.path(".ralph/cache/stop_requested").exists());
    let holder = Holder {
        pid: std::process::id(),
        host: "here".to_owned(),
        command: "a run".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    let run = FileLock::try_acquire(&desk.path(".git/ralph/run.lock"), &holder);
    let _run = run.expect("locks work").expect("nobody holds it");
    desk.ralph(&["queue", "stop"]).success();
    assert!(desk.read(".ralph/cache/stop_requested").ends_with("Z\n"));
    assert!(
        desk.json(&["queue", "stop"])["path"].as_str().expect("text").ends_with("stop_requested")
    );
}

#[test]
fn a_list_says_that_an_id_is_that_of_several_tasks() {
    let desk = Desk::with_queue(
        r#"{"version":1,"tasks":[{"id":"RQ-0001","title":"a"},{"id":"RQ-0002","title":"b"},
            {"id":"RQ-0001","title":"c"}]}"#,
    );
    for list in [&["queue", "list"][..], &["queue", "search", "a"]] {
        assert_eq!(desk.json(list)["ambiguous_ids"], json!(["RQ-0001"]));
    }
    // Each of them is shown once, whichever is the first of a page.
    let mut titles = Vec::new();
    let mut cursor = String::new();
    loop {
        let args: &[&str] = &["queue", "list", "--limit", "1", "--cursor", &cursor];
        let page = desk.json(if cursor.is_empty() { &args[..4] } else { args });
        titles.push(page["items"][0]["title"].as_str().expect("text").to_owned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(titles, ["a", "b", "c"]);
    desk.ralph(&["queue", "repair"]).success();
    assert_eq!(desk.json(&["queue", "list"]).get("ambiguous_ids"), None);
}
