//! `ralph queue prune|sort|repair`.

use serde_json::json;

use crate::Desk;

fn task(id: &str, more: &str) -> String {
    let time = "2026-01-01T00:00:00Z";
    format!(
        "    {{ \"id\": \"{id}\", \"title\": \"{id}\", \"created_at\": \"{time}\", \"updated_at\": \"{time}\"{more} }}"
    )
}

fn file(tasks: &[String]) -> String {
    format!("{{\n  \"version\": 1,\n  \"tasks\": [\n{}\n  ]\n}}\n", tasks.join(",\n"))
}

fn done(id: &str, day: u8, more: &str) -> String {
    task(
        id,
        &format!(", \"status\": \"done\", \"completed_at\": \"2026-01-{day:02}T00:00:00Z\"{more}"),
    )
}

fn ids(desk: &Desk, args: &[&str]) -> Vec<String> {
    let document = desk.json(&[&["queue", "list"], args].concat());
    let items = document["items"].as_array().expect("a list");
    items.iter().map(|item| item["id"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn prune_keeps_what_others_name() {
    let desk = Desk::with_queue(file(&[task("RQ-0009", ", \"depends_on\": [\"RQ-0002\"]")]));
    desk.write(
        ".ralph/done.jsonc",
        file(&[
            done("RQ-0001", 1, ""),
            done("RQ-0002", 2, ", \"relates_to\": [\"RQ-0003\"]"),
            done("RQ-0003", 3, ""),
            done("RQ-0004", 4, ""),
            done("RQ-0005", 5, ""),
        ]),
    );
    let shown = desk.json(&["queue", "prune", "--dry-run"]);
    assert_eq!(shown["removed"], json!(["RQ-0001", "RQ-0004", "RQ-0005"]));
    let pruned = desk.json(&["queue", "prune", "--keep-last", "1", "--age", "30"]);
    assert_eq!(
        (&pruned["removed"], &pruned["kept"]),
        (&json!(["RQ-0001", "RQ-0004"]), &json!(["RQ-0002", "RQ-0003"]))
    );
    assert_eq!(ids(&desk, &["--only-done"]), ["RQ-0002", "RQ-0003", "RQ-0005"]);
    assert_eq!(desk.json(&["queue", "prune", "--status", "rejected"])["removed"], json!([]));
    desk.ralph(&["queue", "prune", "--status", "todo"]).exited(2);
    desk.ralph(&["queue", "validate"]).success();
    desk.ralph(&["undo"]).success();
    assert_eq!(ids(&desk, &["--only-done"]).len(), 5);
}

#[test]
fn a_prune_that_is_only_shown_says_what_gets_another_id_first() {
    let desk = Desk::with_queue(file(&[task("RQ-0005", "")]));
    let twin = done("RQ-0005", 5, "").replace("\"done\"", "\"rejected\"").replace("-01T", "-02T");
    desk.write(".ralph/done.jsonc", file(&[twin]));
    let prune = ["queue", "prune", "--status", "rejected"];
    let shown = desk.ralph(&[&prune[..], &["--dry-run"]].concat());
    assert_eq!(
        shown.success().stderr,
        "RQ-0005 is the id of two tasks; the one that is rejected would be RQ-0006.\n\
         RQ-0006 would be removed.\n"
    );
    let made = desk.ralph(&prune);
    assert!(made.success().stderr.ends_with("RQ-0006 is removed.\n"), "{made}");
}

#[test]
fn sort_goes_by_priority_and_leaves_equals_where_they_are() {
    let tasks = [("RQ-0002", "low"), ("RQ-0003", "high"), ("RQ-0001", "low")]
        .map(|(id, priority)| task(id, &format!(", \"priority\": \"{priority}\"")));
    let desk = Desk::with_queue(
        file(&tasks)
            .replace("    { \"id\": \"RQ-0003\"", "    // three\n    { \"id\": \"RQ-0003\""),
    );
    assert_eq!(desk.json(&["queue", "sort", "--dry-run"])["moved"], json!(["RQ-0003"]));
    desk.ralph(&["queue", "sort"]).success();
    assert_eq!(ids(&desk, &[]), ["RQ-0003", "RQ-0002", "RQ-0001"]);
    assert!(desk.read(".ralph/queue.jsonc").contains("// three\n    { \"id\": \"RQ-0003\""));
    desk.ralph(&["queue", "sort", "--order", "ascending"]).success();
    assert_eq!(ids(&desk, &[]), ["RQ-0002", "RQ-0001", "RQ-0003"]);
}

#[test]
fn repair_touches_only_what_is_wrong() {
    let healthy = "    { \"id\": \"RQ-0001\",   \"title\": \"fine\", /* odd */ \"created_at\": \"2026-01-01T00:00:00Z\", \"updated_at\": \"2026-01-01T00:00:00Z\" }".to_owned();
    let desk = Desk::with_queue(file(&[
        healthy.clone(),
        "    { \"id\": \"RQ-0002\", \"title\": \" \", \"tags\": [\"a\", \" \"], \"created_at\": \"yesterday\" }".to_owned(),
        task("RQ-0003", ", \"depends_on\": [\"RQ-0099\", \"RQ-0003\", \"RQ-0001\"], \"parent_id\": \"RQ-0098\""),
        task("RQ-0003", "").replace("2026-01-01", "2026-02-01"),
        task("RQ-0004", ", \"custom_fields\": {\"a b\": \"c\"}, \"started_at\": \"2026-01-01T02:00:00+02:00\""),
        task("RQ-0005", ""),
        task("X-7", ", \"relates_to\": [\"RQ-0001\"]"),
        task("RQ-0008", ", \"relates_to\": [\"X-7\"]").replace("Z\", \"updated_at", "+00:00\", \"updated_at").replace("00:00:00+00:00", "02:00:00+02:00"),
    ]));
    desk.write(
        ".ralph/done.jsonc",
        file(&[
            // The same task, finished: a rest of a move, changed here since by hand.
            done("RQ-0005", 1, "")
                .replace("\"updated_at\": \"2026-01-01T00", "\"updated_at\": \"2026-01-01T01")
                .replace("\"completed_at\": \"2026-01-01T00", "\"completed_at\": \"2026-01-01T01"),
            task("RQ-0006", ", \"status\": \"doing\""),
            task("RQ-0007", ", \"status\": \"done\""),
        ]),
    );
    desk.ralph(&["queue", "validate"]).exited(3);
    let before = desk.read(".ralph/queue.jsonc");
    let shown = desk.ralph(&["queue", "repair", "--dry-run"]);
    assert!(shown.success().stdout.starts_with("--- .ralph/queue.jsonc\n"), "{shown}");
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);

    let ran = desk.ralph(&["queue", "repair"]);
    assert!(ran.success().stdout.contains("Untitled"), "{ran}");
    desk.ralph(&["queue", "validate"]).success();
    let text = desk.read(".ralph/queue.jsonc");
    assert!(text.contains(&healthy), "{text}");
    let show = |id: &str| desk.json(&["task", "show", id])["task"].clone();
    assert_eq!(show("RQ-0002")["tags"], json!(["a"]));
    assert_eq!(
        show("RQ-0002")["notes"],
        json!(["Repair: `created_at` was `yesterday`, which is no time."])
    );
    assert_eq!(show("RQ-0003")["depends_on"], json!(["RQ-0001"]));
    assert_eq!(show("RQ-0003")["notes"].as_array().map(Vec::len), Some(2));
    assert_eq!(show("RQ-0003")["parent_id"], "RQ-0098", "which is only warned of");
    assert_eq!(show("RQ-0004")["custom_fields"], json!({ "a_b": "c" }));
    assert_eq!(show("RQ-0008")["created_at"], "2026-01-01T00:00:00.000000000Z");
    // Another task that had the id of one keeps it as an alias, and so does one of a foreign form.
    assert_eq!(show("RQ-0009")["custom_fields"]["former_ids"], "RQ-0003");
    assert_eq!(show("X-7")["id"], "RQ-0010");
    assert_eq!(show("RQ-0008")["relates_to"], json!(["RQ-0010"]));
    assert_eq!(ids(&desk, &["--only-done"]), ["RQ-0005", "RQ-0007"]);
    assert_eq!(ids(&desk, &[]).last().map(String::as_str), Some("RQ-0006"));
    assert_eq!(desk.error(&["task", "done", "X-7"], 2)["similar"], json!(["RQ-0010"]));
    desk.ralph(&["task", "done", "RQ-0010"]).success();

    let again = desk.ralph(&["queue", "repair"]);
    assert_eq!(
        (again.success().stdout.as_str(), again.stderr.as_str()),
        ("", "Nothing to change.\n")
    );
    desk.write(
        ".ralph/queue.jsonc",
        file(&[
            task("RQ-0001", ", \"depends_on\": [\"RQ-0002\"]"),
            task("RQ-0002", ", \"depends_on\": [\"RQ-0001\"]"),
        ]),
    );
    for repair in [&["queue", "repair", "--dry-run"][..], &["queue", "repair"]] {
        assert!(desk.ralph(repair).exited(3).stderr.contains("depends on itself"));
    }
    for field in ["depends_on", "blocks"] {
        let other = |id| format!(", \"{field}\": [\"{id}\"]");
        let tasks = [task("RQ-0001", &other("RQ-0002")), task("RQ-0002", &other("RQ-0001"))];
        desk.write(".ralph/queue.jsonc", file(&tasks));
        let told = desk.ralph(&["queue", "validate"]).exited(3).stderr.clone();
        assert!(told.contains(&format!("`ralph task edit {field} IDS RQ-0001`")), "{told}");
        desk.ralph(&["task", "edit", field, "", "RQ-0001"]).success();
        desk.ralph(&["queue", "validate"]).success();
    }

    // What holds a task back is not taken away, though nobody can read it.
    desk.write(
        ".ralph/queue.jsonc",
        file(&[task("RQ-0001", ", \"scheduled_start\": \"next year\"")]),
    );
    desk.ralph(&["queue", "repair"]).exited(3);
    let claim = desk.ralph(&["queue", "claim", "--id", "RQ-0001"]);
    assert!(claim.exited(3).stderr.contains("ralph task schedule RQ-0001 WHEN"), "{claim}");
    desk.ralph(&["task", "schedule", "RQ-0001", "9999-12-31T23:59:59Z"]).success();
    desk.ralph(&["queue", "validate"]).success();
    assert_eq!(desk.json(&["queue", "explain"])["selection"]["selected_task_id"], json!(null));
}

#[test]
fn a_repair_says_which_task_it_takes_for_finished() {
    let desk = Desk::with_queue(file(&[task("RQ-0001", ", \"notes\": [\"new\"]")]));
    desk.write(".ralph/done.jsonc", file(&[done("RQ-0001", 2, "")]));
    assert_eq!(desk.json(&["queue", "repair", "--dry-run"])["closed"], json!(["RQ-0001"]));
    let ran = desk.ralph(&["queue", "repair"]);
    let told = ["RQ-0001 was open in one copy", "`ralph task clone RQ-0001 --status todo` makes"];
    assert!(told.iter().all(|told| ran.success().stderr.contains(told)), "{ran}");
    assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["notes"], json!(["new"]));
    desk.ralph(&["task", "clone", "RQ-0001", "--status", "todo"]).success();

    let desk = Desk::with_queue(file(&[task("RQ-0001", ""), done("RQ-0001", 2, "")]));
    let ran = desk.ralph(&["queue", "repair"]);
    assert!(ran.success().stderr.contains("`ralph task status todo RQ-0001` opens"), "{ran}");
    desk.ralph(&["task", "status", "todo", "RQ-0001"]).success();
}

#[test]
fn a_repair_leaves_tasks_with_values_of_the_wrong_kind_and_names_those() {
    let wrong = "  {\"id\": \"RQ-0001\", \"title\": \"a\", \"priority\": 3, \"depends_on\": [\"X-7\"],\n   \
                 \"created_at\": \"2026-01-01T00:00:00Z\", \"updated_at\": \"soon\"},";
    let lines = [
        wrong,
        "  {\"id\": \"RQ-0002\", \"title\": \"\", \"depends_on\": [\"RQ-0001\", \"RQ-0099\"]},",
        "  {\"id\": \"RQ-0002\", \"title\": \"c\", \"tags\": [\" \"]},",
        "  {\"id\": \"X-7\", \"title\": \"d\"}",
    ];
    let broken = format!("{{\"version\": 1, \"tasks\": [\n{}\n]}}", lines.join("\n"));
    let desk = Desk::with_queue(&broken);
    let dry = desk.ralph(&["queue", "repair", "--dry-run"]);
    assert!(dry.exited(3).stdout.contains("Untitled"), "{dry}");
    assert_eq!(desk.read(".ralph/queue.jsonc"), broken);
    let ran = desk.ralph(&["queue", "repair"]);
    let text = &ran.exited(3).stderr;
    for named in [".ralph/queue.jsonc:2:", "RQ-0001: ", "`priority`", "`updated_at`", "`X-7`"] {
        assert!(text.contains(named), "{named} in {ran}");
    }
    let repaired = desk.read(".ralph/queue.jsonc");
    assert!(repaired.contains(wrong) && repaired.contains("\"X-7\", \"title\""), "{repaired}");
    // Nothing more can be mended before that is corrected by hand.
    desk.ralph(&["queue", "repair"]).exited(3);
    assert_eq!(desk.read(".ralph/queue.jsonc"), repaired);
    desk.write(".ralph/queue.jsonc", repaired.replace("\"priority\": 3", "\"priority\": \"low\""));
    desk.ralph(&["queue", "repair"]).success();
    // Each is undone; what was corrected in between stays.
    desk.ralph(&["undo"]).success();
    desk.ralph(&["undo", "--force"]).success();
    let corrected = broken.replace("\"priority\": 3", "\"priority\": \"low\"");
    assert_eq!(desk.read(".ralph/queue.jsonc"), corrected);

    // What is no task at all is in the way of the rest.
    let broken = broken.replace(wrong, "  7,");
    desk.write(".ralph/queue.jsonc", &broken);
    let ran = desk.ralph(&["queue", "repair"]);
    assert!(ran.exited(3).stderr.contains("nothing can be repaired before"), "{ran}");
    assert_eq!(desk.read(".ralph/queue.jsonc"), broken);
}

#[test]
fn a_prune_says_what_it_does_not_look_at() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let hint = "hint: The queue has 1 finished task, which only `ralph queue archive`";
    assert!(!desk.ralph(&["queue", "prune"]).success().stderr.contains("hint"));
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    let ran = desk.ralph(&["queue", "prune"]);
    assert!(ran.success().stderr.contains(hint), "{ran}");
}
