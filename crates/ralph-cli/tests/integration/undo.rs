//! `ralph undo`, `--if-rev`, `--request-id`, and ids that are never given twice.

use serde_json::json;

use crate::Desk;

#[test]
fn undo_brings_back_what_was_there_with_its_comments() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    desk.add("one", &[]);
    desk.add("two", &[]);
    let queue = desk.read(".ralph/queue.jsonc").replacen("{ \"id\"", "// why\n    { \"id\"", 1);
    let queue = queue.replacen("\"id\"", "/* mine */ \"id\"", 1);
    desk.write(".ralph/queue.jsonc", &queue);
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.ralph(&["task", "edit", "title", "zwei", "RQ-0002"]).success();
    let after = desk.read(".ralph/queue.jsonc");

    let shown = desk.ralph(&["undo", "--dry-run"]);
    assert!(
        shown.success().stdout.contains("+      \"title\": \"two\"")
            || shown.stdout.contains("two"),
        "{shown}"
    );
    assert_eq!(desk.read(".ralph/queue.jsonc"), after);
    let told = "Operation 4 is taken back.\nRQ-0002 is changed.\n";
    assert_eq!(desk.ralph(&["undo"]).success().stderr, told);
    assert_eq!(desk.json(&["undo"])["operation"], 3);
    assert_eq!(desk.read(".ralph/queue.jsonc"), queue);
    let told = desk.ralph(&["redo"]).success().stderr.clone();
    assert!(told.starts_with("Operation 6, an undo, is taken back.\n"), "{told}");
    desk.ralph(&["undo", "--redo"]).success();
    assert_eq!(desk.read(".ralph/queue.jsonc"), after);
    assert_eq!(desk.error(&["redo"], 3)["message"], "there is nothing to redo");

    let list = desk.json(&["undo", "--list"]);
    assert_eq!((&list["total"], &list["items"][0]["id"]), (&json!(8), &json!(8)));
    assert_eq!(list["items"][4]["operation"], "ralph task edit");
    assert_eq!(list["items"][4]["undone"], false);
    assert_eq!(desk.error(&["undo", "--id", "99"], 2)["code"], "not_found");
    let text = desk.ralph(&["undo", "--list"]);
    assert!(text.success().stdout.contains("ralph task done  RQ-0001"), "{text}");
}

#[test]
fn a_redo_is_of_what_was_undone_by_its_own_number_or_that_of_the_undo() {
    let desk = Desk::new();
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    desk.ralph(&["undo"]).success();
    let two = desk.read(".ralph/queue.jsonc");
    // What stands is not undone by that.
    let refused = desk.ralph(&["redo", "--id", "1"]);
    assert!(refused.exited(3).stderr.contains("operation 1 is not undone"), "{refused}");
    assert_eq!(desk.read(".ralph/queue.jsonc"), two);
    for redo in ["3", "6"] {
        desk.ralph(&["redo", "--id", redo]).success();
        assert_eq!(desk.json(&["queue", "list"])["total"], 3, "{redo}");
        desk.ralph(&["redo", "--id", "3"]).exited(3);
        desk.ralph(&["undo"]).success();
        assert_eq!(desk.read(".ralph/queue.jsonc"), two, "{redo}");
    }
}

#[test]
fn who_edits_goes_on_from_what_was_undone() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.ralph(&["task", "batch", "delete", "RQ-0002"]).success();
    desk.ralph(&["undo"]).success();
    desk.ralph(&["task", "note", "RQ-0001", "later"]).success();
    let before = desk.read(".ralph/queue.jsonc");
    for args in [&["redo"][..], &["undo", "--redo"], &["redo", "--dry-run"]] {
        let error = desk.error(args, 3);
        assert_eq!(error["next"], "ralph redo --id 4 --dry-run", "{error}");
    }
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
    // On purpose it is made again, and what came after it stays.
    desk.ralph(&["redo", "--id", "4"]).success();
    let list = desk.json(&["queue", "list"]);
    assert_eq!(list["total"], 1);
    assert!(desk.read(".ralph/queue.jsonc").contains("later"));
    // An edit that was undone itself is in nobody's way.
    desk.ralph(&["undo"]).success();
    desk.add("three", &[]);
    desk.ralph(&["undo"]).success();
    desk.ralph(&["redo"]).success();
    assert_eq!(desk.json(&["queue", "list"])["total"], 3);
}

#[test]
fn the_list_says_that_older_changes_are_forgotten() {
    let desk = Desk::new();
    desk.add("one", &[]);
    assert_eq!(desk.ralph(&["undo", "--list"]).success().stderr, "");
    desk.write("long", "x".repeat(3_000_000));
    desk.sh("\"$RALPH\" task edit description - RQ-0001 < long").success();
    desk.ralph(&["undo"]).success();
    desk.ralph(&["redo"]).success();
    let list = desk.ralph(&["undo", "--list"]);
    assert!(list.success().stderr.contains("no longer remembered"), "{list}");
}

#[test]
fn a_retried_command_is_carried_out_once() {
    let desk = Desk::new();
    let add = ["task", "add", "one", "--request-id", "r1"];
    assert_eq!(desk.ralph(&add).success().stdout, "RQ-0001\n");
    assert_eq!(desk.ralph(&add).success().stdout, "RQ-0001\n");
    assert_eq!(desk.json(&["queue", "list"])["total"], 1);
    for other in [
        ["task", "done", "RQ-0001", "--request-id", "r1"],
        ["task", "add", "another", "--request-id", "r1"],
    ] {
        let error = desk.error(&other, 3);
        assert_eq!(
            (&error["code"], &error["retryable"]),
            (&json!("request_reused"), &json!(false))
        );
    }
    // An answer that is true no more is none.
    desk.ralph(&["undo"]).success();
    let undone = desk.error(&add, 3);
    assert!(undone["message"].as_str().expect("text").contains("undone since"), "{undone}");
    assert_eq!(desk.ralph(&[&add[..], &["--json"]].concat()).exited(3).stdout, "");
    desk.ralph(&["redo"]).success();
    assert_eq!(desk.ralph(&add).success().stdout, "RQ-0001\n");
    // What is read counts.
    let read = |text: &str| {
        desk.sh(&format!("printf '{text}' | \"$RALPH\" task edit --request-id r2 notes - RQ-0001"))
    };
    read("a").success();
    read("a").success();
    read("b").exited(3);
    assert_eq!(desk.json(&["queue", "list"])["total"], 1);
    // As of a variable that is not set: it would stand for every request.
    desk.ralph(&["task", "add", "two", "--request-id", ""]).exited(2);

    // So does what passes a filter once only, failures and all.
    let reject = ["task", "batch", "--continue-on-error", "status", "rejected"];
    let reject = [&reject[..], &["--status-filter", "todo", "--request-id", "r4"]].concat();
    assert_eq!(desk.ralph(&reject).success().stderr, desk.ralph(&reject).success().stderr);
    desk.ralph(&["undo"]).success();
    // An import finds its own tasks there the second time.
    desk.write("in.json", r#"[{"id": "RQ-0007", "title": "imported"}]"#);
    for _ in 0..2 {
        let import = ["queue", "import", "--input", "in.json", "--request-id", "r3"];
        assert_eq!(desk.ralph(&import).success().stdout, "RQ-0007\n");
    }

    let rev = desk.json(&["queue", "list"])["rev"].as_str().expect("text").to_owned();
    let edit = |title: &str| {
        ["task", "edit", "title", title, "RQ-0001", "--if-rev", &rev].map(str::to_owned)
    };
    let first = edit("x");
    desk.ralph(&first.each_ref().map(String::as_str)).success();
    let error = desk.error(&edit("y").each_ref().map(String::as_str), 4);
    assert_eq!((&error["code"], &error["retryable"]), (&json!("conflict"), &json!(true)));

    assert_eq!(error["next"], "ralph queue list --json");

    let changes = desk.json(&["queue", "changes", "--since", &rev]);
    assert_eq!((&changes["total"], &changes["complete"]), (&json!(1), &json!(true)));
    assert_eq!(changes["items"][0]["tasks"], json!([{ "id": "RQ-0001", "fate": "changed" }]));
    assert_eq!(desk.error(&["queue", "changes", "--since", "nothing"], 2)["code"], "not_found");
    // What an editor did is not told, but that somebody did something.
    let text = desk.read(".ralph/queue.jsonc").replace("\"x\"", "\"by hand\"");
    desk.write(".ralph/queue.jsonc", text);
    for total in 1..3 {
        let changes = desk.json(&["queue", "changes", "--since", &rev]);
        assert_eq!((&changes["total"], &changes["complete"]), (&json!(total), &json!(false)));
        desk.ralph(&["task", "note", "RQ-0001", "seen"]).success();
    }
    let ran = desk.ralph(&["queue", "changes", "--since", &rev]);
    assert!(ran.success().stderr.contains("by other means"), "{ran}");
}

#[test]
fn ids_are_given_once_in_all_work_trees() {
    let desk = Desk::new();
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "ralph"]);
    desk.git(&["worktree", "add", "-q", "../other"]);
    let line = "
        for tree in . ../other; do
            (for n in 1 2 3 4 5 6; do \"$RALPH\" -C $tree task add \"task $n\"; done) &
            (for n in 1 2 3 4 5 6; do \"$RALPH\" -C $tree task add \"task $n\"; done) &
        done
        wait";
    let ran = desk.sh(line);
    let mut ids: Vec<&str> = ran.success().stdout.lines().collect();
    ids.sort_unstable();
    let expected: Vec<String> = (1..=24).map(|number| format!("RQ-{number:04}")).collect();
    assert_eq!(ids, expected);
    desk.ralph(&["task", "batch", "delete", "--status-filter", "todo"]).success();
    assert_eq!(desk.ralph(&["queue", "next-id"]).success().stdout, "RQ-0025\n");
    assert_eq!(desk.add("next", &[]), "RQ-0025");
}

#[test]
fn a_fresh_clone_gives_no_id_that_a_branch_of_its_remote_has() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "one"]);
    desk.git(&["switch", "-qc", "other"]);
    desk.add("two", &[]);
    desk.add("three", &[]);
    desk.ralph(&["task", "done", "RQ-0003"]).success();
    desk.ralph(&["queue", "archive"]).success();
    desk.git(&["commit", "-qam", "more"]);
    desk.git(&["switch", "-q", "main"]);
    desk.git(&["clone", "-q", ".", "../clone"]);
    let clone = |args: &[&str]| desk.ralph(&[&["-C", "../clone"], args].concat());
    assert_eq!(clone(&["queue", "next-id"]).success().stdout, "RQ-0004\n");
    let added = clone(&["task", "add", "four"]);
    assert!(added.success().stdout.starts_with("RQ-0004"), "{added}");
}

#[test]
fn an_undo_that_another_task_is_in_the_way_of_leads_to_what_made_that() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.ralph(&["task", "batch", "delete", "RQ-0002"]).success();
    // Only somebody who edits the file gives an id again.
    let queue = desk.read(".ralph/queue.jsonc").replace("RQ-0001", "RQ-0002");
    desk.write(".ralph/queue.jsonc", &queue);
    let error = desk.error(&["undo", "--id", "3"], 3);
    assert_eq!(error["next"], "ralph task show RQ-0002");
    assert!(!error["hint"].as_str().expect("text").contains("--force"), "{error}");

    desk.write(".ralph/queue.jsonc", queue.replace("RQ-0002", "RQ-0001"));
    desk.write("in.csv", "id,title,created_at\nRQ-0002,x,2020-01-01T00:00:00Z\n");
    let journal = desk.read(".ralph/cache/queue-journal.jsonl");
    let forgotten = journal.replace("\"removed\",\"created_at\"", "\"removed\",\"created\"");
    desk.write(".ralph/cache/queue-journal.jsonl", forgotten);
    desk.ralph(&["queue", "import", "-i", "in.csv"]).success();
    assert_eq!(desk.error(&["undo", "--id", "3"], 3)["next"], "ralph undo --id 4 --dry-run");
}

#[test]
fn a_refused_undo_says_what_is_in_its_way_and_what_can_be_done() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.ralph(&["task", "edit", "title", "zwei", "RQ-0002"]).success();
    let edited = desk.read(".ralph/queue.jsonc");
    desk.ralph(&["task", "edit", "title", "deux", "RQ-0002"]).success();
    let error = desk.error(&["undo", "--id", "3"], 3);
    let message = error["message"].as_str().expect("text").to_owned();
    assert!(message.contains("`title` of RQ-0002, line "), "{error}");
    assert_eq!(error["next"], "ralph undo --id 4 --dry-run");
    // A change by hand in place of the edit after it.
    for (by_hand, next) in [
        (edited.replace("zwei", "due"), json!("ralph task show RQ-0002")),
        (edited.replace("RQ-0002", "RQ-0007"), json!(null)),
    ] {
        desk.write(".ralph/queue.jsonc", &by_hand);
        let journal = desk.read(".ralph/cache/queue-journal.jsonl");
        let lines: Vec<&str> = journal.lines().take(4).collect();
        desk.write(".ralph/cache/queue-journal.jsonl", lines.join("\n") + "\n");
        let error = desk.error(&["undo"], 3);
        assert_eq!(error["next"], next, "{error}");
        let hint = error["hint"].as_str().expect("text");
        assert!(hint.contains("`ralph undo --id 1` takes back the last one"), "{error}");
    }
}

#[test]
fn a_deletion_that_took_the_place_of_another_is_named_as_what_to_undo_first() {
    let desk = Desk::new();
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    let (second, heading) = ("    {\n      \"id\": \"RQ-0002\"", "\n    // A section.\n\n");
    let queue = desk.read(".ralph/queue.jsonc");
    let before = queue.replace(second, &format!("{heading}{second}"));
    assert_ne!(before, queue);
    desk.write(".ralph/queue.jsonc", &before);
    desk.ralph(&["task", "batch", "delete", "RQ-0003"]).success();
    desk.ralph(&["task", "batch", "delete", "RQ-0002"]).success();
    assert_eq!(desk.error(&["undo", "--id", "4"], 3)["next"], "ralph undo --id 5 --dry-run");
    desk.ralph(&["undo", "--id", "5"]).success();
    desk.ralph(&["undo", "--id", "4"]).success();
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
}

#[test]
fn the_operations_in_the_way_of_an_undo_are_named_until_it_is_done() {
    let by_next = |desk: &Desk, id: &str| {
        let mut undone = Vec::new();
        while desk.ralph(&["undo", "--id", id]).code != Some(0) {
            assert!(undone.len() < 9, "{undone:?}");
            let error = desk.error(&["undo", "--id", id], 3);
            let next = error["next"].as_str().and_then(|it| it.strip_suffix(" --dry-run"));
            let next: Vec<&str> = next.unwrap_or_else(|| panic!("{error}")).split(' ').collect();
            desk.ralph(&next[1..]).success();
            undone.push(next[3].to_owned());
        }
        undone
    };
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2,"queue":{"finish":"archive"}}"#);
    let empty = desk.read(".ralph/queue.jsonc");
    desk.add("one", &[]);
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    let error = desk.error(&["undo", "--id", "1"], 3);
    let hint = error["hint"].as_str().expect("text");
    assert!(hint.starts_with("Operation 2 (`ralph task done`) came after it"), "{error}");
    assert_eq!(by_next(&desk, "1"), ["2"]);
    assert_eq!(desk.read(".ralph/queue.jsonc"), empty);

    // An undo of one that came after it, and was made again, is not what is in its way.
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.ralph(&["task", "edit", "title", "uno", "RQ-0001"]).success();
    desk.ralph(&["task", "edit", "title", "un", "RQ-0001"]).success();
    desk.ralph(&["undo"]).success();
    desk.ralph(&["redo"]).success();
    assert_eq!(by_next(&desk, "2"), ["3"]);
    assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["title"], "one");
}

#[test]
fn a_repair_that_left_a_value_of_the_wrong_kind_is_listed_and_undone() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let broken = desk.read(".ralph/queue.jsonc").replace("\"plan\": []", "\"plan\": 5");
    let two = r#"{"id": "RQ-0002", "title": "two", "depends_on": ["RQ-0099"]}"#;
    let broken = broken.replacen("\"tasks\": [", &format!("\"tasks\": [{two},"), 1);
    desk.write(".ralph/queue.jsonc", &broken);
    desk.ralph(&["queue", "repair"]).exited(3);
    let mended = desk.read(".ralph/queue.jsonc");
    assert_ne!(mended, broken);
    assert_eq!(desk.json(&["undo", "--list"])["items"][0]["operation"], "ralph queue repair");
    desk.ralph(&["undo"]).success();
    assert_eq!(desk.read(".ralph/queue.jsonc"), broken);
    desk.ralph(&["redo"]).success();
    assert_eq!(desk.read(".ralph/queue.jsonc"), mended);
}

#[test]
fn an_edit_that_git_took_back_is_not_undone_in_place_of_an_older_one() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "one"]);
    desk.add("two", &[]);
    desk.add("three", &[]);
    desk.git(&["checkout", "-q", ".ralph/queue.jsonc"]);
    for args in [&["undo"][..], &["undo", "--dry-run"], &["undo", "--id", "2"]] {
        let error = desk.error(args, 3);
        assert_eq!(error["next"], "ralph undo --list");
        let hint = error["hint"].as_str().expect("text");
        assert!(hint.contains("`ralph undo --id 1` takes back the one before it"), "{error}");
    }
    let list = desk.json(&["undo", "--list"]);
    for item in [0, 1] {
        let item = &list["items"][item];
        assert_eq!((&item["missing"], &item["undone"]), (&true.into(), &false.into()));
    }
    assert_eq!(list["items"][2].get("missing"), None);
    // Nor where somebody changed the file since.
    desk.write(".ralph/queue.jsonc", desk.read(".ralph/queue.jsonc") + "// by hand\n");
    assert_eq!(desk.error(&["undo"], 3)["next"], "ralph undo --list");
    assert_eq!(desk.json(&["queue", "list"])["total"], 1);
}

#[test]
fn an_edit_that_a_kill_kept_from_the_files_hides_none_before_it() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.ralph(&["task", "start", "RQ-0001"]).success();
    let before = desk.read(".ralph/queue.jsonc");
    desk.ralph(&["task", "edit", "title", "uno", "RQ-0001"]).success();
    // As after a kill between the journal and the file.
    desk.write(".ralph/queue.jsonc", &before);
    let ran = desk.ralph(&["undo"]);
    ran.exited(3);
    assert!(ran.stderr.contains("operation 3 (`ralph task edit`) is not in the files"), "{ran}");
    let way = "`ralph undo --id 2` takes back the one before it, `ralph task start`.";
    assert!(ran.stderr.contains(way), "{ran}");
    desk.ralph(&["undo", "--id", "2"]).success();
    assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["status"], "todo");
}

#[cfg(unix)]
#[test]
fn a_journal_that_has_no_room_for_an_entry_has_nothing_of_it() {
    let desk = Desk::new();
    desk.add("one", &[]);
    // A journal that is longer than the queue, which holds what was replaced.
    for text in ["a", "b", "c"] {
        desk.ralph(&["task", "edit", "description", &text.repeat(4_000), "RQ-0001"]).success();
    }
    desk.ralph(&["task", "edit", "description", "short", "RQ-0001"]).success();
    let journal = ".ralph/cache/queue-journal.jsonl";
    let ran = desk.sh(&format!(
        "trap '' XFSZ; ulimit -f $(( ($(wc -c < {journal}) + 511) / 512 ))
        for note in 1 2 3 4; do \"$RALPH\" task note RQ-0001 $note || exit; done"
    ));
    assert_ne!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("the queue was not changed"), "{ran}");
    assert!(desk.read(journal).ends_with("}\n"));
    assert_eq!(desk.json(&["undo", "--list"]).get("unreadable"), None);
    desk.ralph(&["task", "note", "RQ-0001", "after"]).success();
    assert_eq!(desk.json(&["undo"])["changed"], json!(["RQ-0001"]));
}
