//! Ways to look at a queue: search, graph, tree, figures; and what an agent is told.

use serde_json::{Value, json};

use crate::{Desk, parse};

fn ids(desk: &Desk, args: &[&str]) -> Vec<String> {
    let document = desk.json(&[&["queue", "search"], args].concat());
    let items = document["items"].as_array().expect("a list");
    items.iter().map(|item| item["id"].as_str().expect("text")[6..].to_owned()).collect()
}

#[test]
fn a_search_looks_at_everything_a_task_says() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    desk.add("Fix the parser", &["--tag", "a"]);
    desk.add("two", &["--description", "the PARSER again", "--field", "owner=ann"]);
    desk.add("pa-rs-er", &["--status", "draft"]);
    assert_eq!(ids(&desk, &["parser"]), ["1", "2"]);
    assert_eq!(ids(&desk, &["parser", "--match-case"]), ["1"]);
    assert_eq!(ids(&desk, &["a.n", "--regex"]), ["2"]);
    assert_eq!(ids(&desk, &["parser", "--fuzzy", "--limit", "2"]).len(), 2);
    assert_eq!(ids(&desk, &["pars", "--fuzzy", "--status", "draft"]), ["3"]);
    assert_eq!(ids(&desk, &["parser", "--tag", "A"]), ["1"]);
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    assert_eq!(ids(&desk, &["parser", "--only-done"]), ["1"]);
    assert_eq!(
        desk.ralph(&["queue", "search", "ann"]).success().stdout,
        "RQ-0002\ttodo\tmedium\ttwo\n"
    );
    desk.ralph(&["queue", "search", "(", "--regex"]).exited(2);
    assert_eq!(desk.ralph(&["queue", "search", "zz"]).success().stderr, "No task matches.\n");
}

#[test]
fn a_list_keeps_to_its_tokens_and_says_how_to_go_on() {
    let desk = Desk::new();
    for title in ["one", "two", "three", "four"] {
        desk.add(title, &[]);
    }
    let mut cursor = String::new();
    let mut seen = 0;
    loop {
        let mut args = vec!["queue", "list", "--json", "--max-tokens", "400"];
        if !cursor.is_empty() {
            args.extend(["--cursor", &cursor]);
        }
        let ran = desk.ralph(&args);
        assert!(ran.success().stdout.len() <= 3 * 400, "{ran}");
        let page = parse(&ran.stdout);
        seen += page["returned"].as_u64().expect("a number");
        match &page["next_cursor"] {
            Value::String(next) => cursor.clone_from(next),
            _ => break assert_eq!(page["truncated"], false),
        }
    }
    assert_eq!(seen, 4);
}

#[test]
fn with_few_tokens_a_reader_gets_on_one_by_one() {
    let desk = Desk::new();
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    let rev = desk.json(&["queue", "list"])["rev"].as_str().expect("text").to_owned();
    for title in ["four", "five", "six"] {
        desk.add(title, &["--status", "draft"]);
    }
    let lists: &[&[&str]] = &[
        &["queue", "list"],
        &["queue", "explain"],
        &["queue", "graph"],
        &["queue", "tree"],
        &["queue", "aging", "--status", "todo", "--status", "draft"],
        &["queue", "history", "--days", "6"],
        &["queue", "burndown", "--days", "6"],
        &["undo", "--list"],
    ];
    for list in lists {
        for (bound, returned) in [(["--max-tokens", "1"], 1), (["--limit", "4"], 4)] {
            let pages = pages(&desk, &[list, &bound[..]].concat());
            let returned =
                pages.iter().all(|page| page["returned"] == returned || page["truncated"] == false);
            assert!(returned, "{list:?}: {pages:?}");
            let names: Vec<&Value> = pages.iter().flat_map(names).collect();
            let whole = desk.json(list);
            assert_eq!((whole["total"].clone(), &whole["truncated"]), (json!(6), &json!(false)));
            assert_eq!(names, self::names(&whole), "{list:?}");
        }
    }
    let changes = pages(&desk, &["queue", "changes", "--since", &rev, "--limit", "2"]);
    assert_eq!(changes.iter().map(|page| names(page).len()).collect::<Vec<_>>(), [2, 1]);
    assert!(changes.iter().all(|page| page["complete"] == true));
}

fn names(page: &Value) -> Vec<&Value> {
    let items = page["items"].as_array().expect("a list");
    items.iter().map(|item| item.get("id").unwrap_or(&item["date"])).collect()
}

/// All parts of an answer, as who follows its cursors gets them.
fn pages(desk: &Desk, command: &[&str]) -> Vec<Value> {
    let mut pages = vec![desk.json(command)];
    while let Some(cursor) = pages.last().expect("one")["next_cursor"].as_str() {
        let last = pages.last().expect("one");
        assert_eq!(last["truncated"], true, "{command:?}");
        let page = desk.json(&[command, &["--cursor", cursor]].concat());
        pages.push(page);
        assert!(pages.len() < 20, "{command:?} comes to no end");
    }
    pages
}

#[test]
fn what_cannot_start_is_not_cut_in_silence() {
    let desk = Desk::new();
    for title in ["one", "two", "three"] {
        desk.add(title, &["--status", "draft"]);
    }
    let cut = desk.json(&["queue", "ready", "--max-tokens", "1"]);
    assert_eq!((&cut["total"], &cut["others_total"]), (&json!(0), &json!(3)));
    assert_eq!((&cut["truncated"], &cut["others_truncated"]), (&json!(true), &json!(true)));
    desk.ralph(&["task", "ready", "RQ-0003"]).success();
    let pages = pages(&desk, &["queue", "ready", "--limit", "1"]);
    let ids = |name: &str| -> Vec<Value> {
        let all = pages.iter().flat_map(|page| page[name].as_array().expect("a list"));
        all.map(|task| task["id"].clone()).collect()
    };
    assert_eq!(
        (ids("items"), ids("others")),
        (vec![json!("RQ-0003")], vec![json!("RQ-0001"), json!("RQ-0002")])
    );
    let ran = desk.ralph(&["queue", "ready", "--limit", "2"]);
    assert_eq!(ran.success().stdout, "RQ-0003  three\n");
    assert!(ran.stderr.contains("RQ-0001  is a draft"), "{ran}");
    assert!(ran.stderr.contains("2 of 3 tasks.\nhint: `--cursor RQ-0001,RQ-0002` shows"), "{ran}");
}

#[test]
fn of_many_that_cannot_start_the_first_are_told_and_the_rest_on_demand() {
    let tasks: Vec<Value> =
        (0..60).map(|number| json!({ "title": format!("t{number}"), "status": "draft" })).collect();
    let desk = Desk::new();
    desk.write("tasks.json", Value::from(tasks).to_string());
    desk.ralph(&["task", "add", "--input", "tasks.json"]).success();
    desk.add("one", &[]);
    let count = |args: &[&str]| {
        let ran = desk.ralph(&[&["queue", "ready"], args].concat());
        ran.success().stderr.matches(" is a draft").count()
    };
    assert_eq!((count(&[]), count(&["--limit", "61"])), (50, 60));
    assert_eq!(count(&["--cursor", "RQ-0050,RQ-0051"]), 10);
    let ran = desk.ralph(&["queue", "ready"]);
    assert_eq!(ran.stdout, "RQ-0061  one\n");
    assert!(ran.stderr.contains("51 of 61 tasks.\nhint: `--cursor RQ-0050,RQ-0051`"), "{ran}");
}

#[test]
fn a_text_begins_and_ends_where_it_is_asked_to_and_says_how_to_go_on() {
    let desk = Desk::new();
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    let ran = desk.ralph(&["queue", "aging", "--limit", "1", "--cursor", "RQ-0001"]);
    assert_eq!(ran.success().stdout, "RQ-0002           0m  fresh    todo      two\n");
    assert_eq!(
        ran.stderr,
        "1 of 3 lines.\nhint: `--cursor RQ-0002,RQ-0003` shows those that follow.\n"
    );
    let ran = desk.ralph(&["queue", "explain", "--cursor", "RQ-0002"]);
    assert_eq!(ran.success().stdout, "Next is RQ-0001.\nRQ-0003  can start  three\n");
    // What has no such place refuses, and so does a cursor whose entries are gone.
    for refused in [
        &["queue", "graph", "--limit", "1"][..],
        &["queue", "tree", "--cursor", "1"],
        &["queue", "aging", "--format", "json", "--limit", "1"],
        &["queue", "stats", "--format", "json", "--max-tokens", "9"],
        &["queue", "dashboard", "--max-tokens", "9"],
        &["undo", "--limit", "1"],
    ] {
        desk.ralph(refused).exited(2);
    }
    assert_eq!(desk.error(&["queue", "aging", "--cursor", "RQ-7"], 2)["code"], "cursor_gone");
}

#[test]
fn figures_keep_to_their_tokens_and_say_what_was_cut() {
    let desk = Desk::new();
    let tasks: Vec<Value> = (1..=400)
        .map(|number| {
            json!({ "title": format!("{number} {}", "t".repeat(300)), "tags": [format!("tag{number}")] })
        })
        .collect();
    desk.write("tasks.json", json!(tasks).to_string());
    desk.ralph(&["task", "add", "--input", "tasks.json"]).success();
    for (command, tokens, cut) in [
        (&["queue", "stats"][..], 400, "/cut/0"),
        (&["queue", "dashboard"], 1500, "/cut/0"),
        (&["queue", "history", "--days", "1"], 400, "/items/0/cut/0"),
        (&["undo", "--list"], 400, "/items/0/cut/0"),
        (&["queue", "aging"], 400, "/items/0/title_cut"),
    ] {
        let text = tokens.to_string();
        let ran = desk.ralph(&[command, &["--json", "--max-tokens", &text]].concat());
        assert!(ran.success().stdout.len() <= 3 * tokens, "{command:?}: {ran}");
        let document = parse(&ran.stdout);
        assert!(document.pointer(cut).is_some(), "{command:?}: {ran}");
    }
    let day = &desk.json(&["queue", "history", "--days", "1", "--max-tokens", "400"])["items"][0];
    assert_eq!((&day["created_total"], &day["cut"]), (&json!(400), &json!(["created"])));
    let stats = desk.json(&["queue", "stats", "--max-tokens", "400"]);
    assert_eq!((&stats["truncated"], &stats["cut"]), (&json!(true), &json!(["tag_breakdown"])));
    assert_eq!(desk.json(&["queue", "stats"])["truncated"], false);
}

#[test]
fn every_list_has_the_same_frame() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "queue"]);
    let queue: &[&[&str]] = &[
        &["queue", "list"],
        &["queue", "search", "one"],
        &["queue", "ready"],
        &["queue", "explain"],
        &["queue", "graph"],
        &["queue", "tree"],
        &["queue", "aging"],
        &["queue", "history"],
        &["queue", "burndown"],
        &["queue", "next-id", "-n", "3"],
        &["queue", "validate"],
        &["queue", "check", "--base", "HEAD"],
        &["queue", "archive", "--dry-run"],
        &["undo", "--list"],
        &["task", "children", "RQ-0001"],
    ];
    // Of these the queue has nothing.
    let others: &[&[&str]] = &[
        &["runner", "list"],
        &["config", "profiles", "list"],
        &["rescue", "list"],
        &["task", "template", "list"],
    ];
    let rev = desk.json(queue[0])["rev"].clone();
    for (lists, rev) in [(queue, &rev), (others, &Value::Null)] {
        for list in lists {
            let document = desk.json(list);
            let count = document["items"].as_array().map(|items| json!(items.len()));
            assert_eq!(document.get("rev"), Some(rev), "{list:?}");
            assert!(document["schema"]["name"].is_string(), "{list:?}");
            for name in ["total", "returned"] {
                assert_eq!(document.get(name), count.as_ref(), "{list:?}");
            }
            assert_eq!(document["truncated"], false, "{list:?}");
            assert_eq!(document.get("next_cursor"), Some(&Value::Null), "{list:?}");
        }
    }
}

#[test]
fn an_answer_with_long_texts_keeps_to_its_tokens_and_says_what_was_cut() {
    let desk = Desk::new();
    let note = "n".repeat(100_000);
    let id = desk.add(&"t".repeat(50_000), &["--note", &note]);
    desk.add("two", &["--depends-on", &id]);
    let limit = ["--max-tokens", "300"];
    let shows: &[&[&str]] = &[
        &["queue", "list", "--format", "json"],
        &["task", "show", &id],
        &["task", "show", &id, "--format", "text"],
        &["task", "show", &id, "--format", "compact"],
        &["queue", "list"],
        &["queue", "list", "--format", "text"],
        &["queue", "search", "t"],
        &["queue", "ready"],
        &["queue", "explain"],
        &["queue", "tree"],
        &["queue", "graph"],
    ];
    for show in shows {
        let ran = desk.ralph(&[show, &limit[..], &["--json"]].concat());
        assert!(ran.success().stdout.len() <= 900, "{show:?}: {ran}");
        parse(&ran.stdout);
        let ran = desk.ralph(&[show, &limit[..]].concat());
        assert!(ran.success().stdout.len() + ran.stderr.len() <= 900, "{show:?}: {ran}");
        assert!(
            ran.stdout.contains("tttt") && ran.stderr.contains("as `--max-tokens` asks"),
            "{ran}"
        );
    }
    let list = desk.json(&["queue", "list", "--max-tokens", "400"]);
    let (long, short) = (&list["items"][0], &list["items"][1]);
    assert_eq!((&long["title_cut"], &short["title_cut"]), (&json!(true), &Value::Null));
    assert!(long["title"].as_str().expect("text").ends_with("tt…"), "{list}");
    let ran = desk.ralph(&["task", "show", &id, "--max-tokens", "300"]);
    assert_eq!(parse(&ran.success().stdout)["id"], *id, "what is cut is still JSON");
    assert_eq!(ran.stderr, "Cut, as `--max-tokens` asks: notes, title.\n");
    for format in ["dot", "json"] {
        desk.ralph(&[&["queue", "graph", "--format", format], &limit[..]].concat()).exited(2);
    }
}

#[test]
fn prime_is_silent_outside_a_project() {
    let desk = Desk::bare();
    let ran = desk.ralph(&["prime"]);
    assert_eq!(ran.success().stdout, "");
    assert_eq!(ran.stderr.lines().count(), 1, "it says why");
    desk.ralph(&["init"]).success();
    assert!(desk.ralph(&["prime"]).success().stdout.contains("`ralph queue claim --next"));
}

#[test]
fn prime_names_the_task_of_the_turn_it_is_called_in() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let ran = desk.ralph_with("RALPH_TASK_ID", "RQ-0001", &["prime"]);
    assert!(ran.success().stdout.starts_with("Your task is RQ-0001:"), "{ran}");
    assert!(!desk.ralph(&["prime"]).stdout.contains("Your task is"));
}

#[test]
fn a_graph_in_every_form() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.add("two", &["--depends-on", "RQ-0001"]);
    let file = ".ralph/queue.jsonc";
    desk.write(file, desk.read(file).replace("\"two\"", "\"\\u001btwo\""));
    desk.add("three", &["--depends-on", "RQ-0002", "--relates-to", "RQ-0001"]);
    desk.add("four", &[]);
    let graph =
        |args: &[&str]| desk.ralph(&[&["queue", "graph"], args].concat()).success().stdout.clone();
    assert_eq!(
        graph(&[]),
        "RQ-0003  todo  three\n  RQ-0002  todo  \\u{1b}two\n    RQ-0001  todo  one\nRQ-0004  todo  four\n"
    );
    assert_eq!(
        graph(&["-r", "-t", "RQ-0002"]),
        "RQ-0002  todo  \\u{1b}two\n  RQ-0003  todo  three\n"
    );
    assert_eq!(
        graph(&["-c", "-f", "list"]),
        "RQ-0002 depends_on RQ-0001\nRQ-0003 depends_on RQ-0002\n"
    );
    let none = desk.ralph(&["queue", "graph", "-f", "list", "-t", "RQ-0004"]);
    assert!(none.success().stderr.contains("No task names another"), "{none}");
    let dot = graph(&["--format", "dot"]);
    assert!(dot.contains("  \"RQ-0003\" -> \"RQ-0001\" [style=dashed];\n"), "{dot}");
    assert!(!dot.contains('\u{1b}'), "{dot}");
    assert!(dot.contains(r"\\u{1b}two"), "{dot}");
    let document = desk.json(&["queue", "graph"]);
    assert_eq!(document["critical_paths"], json!([["RQ-0003", "RQ-0002", "RQ-0001"]]));
    let page = desk.json(&["queue", "graph", "--cursor", "RQ-0002"]);
    assert_eq!((&page["total"], &page["items"][0]["id"]), (&json!(4), &json!("RQ-0003")));
    assert_eq!(page["edges"].as_array().map(Vec::len), Some(2), "those of what is shown");
    desk.ralph(&["queue", "graph", "--task", "RQ-9"]).exited(2);
    assert_eq!(desk.ralph(&["--repo", ".", "queue", "tree"]).success().stdout.lines().count(), 4);
}

#[test]
fn a_tree_of_parts() {
    let desk = Desk::new();
    desk.add("whole", &[]);
    desk.add("part", &["--parent", "RQ-0001"]);
    desk.add("part of it", &["--parent", "RQ-0002"]);
    let tree =
        |args: &[&str]| desk.ralph(&[&["queue", "tree"], args].concat()).success().stdout.clone();
    assert_eq!(
        tree(&[]),
        "RQ-0001  todo  whole\n  RQ-0002  todo  part\n    RQ-0003  todo  part of it\n"
    );
    assert_eq!(
        tree(&["--max-depth", "1"]),
        "RQ-0001  todo  whole\n  RQ-0002  todo  part  (more below)\n"
    );
    assert_eq!(tree(&["--root", "RQ-0002"]), "RQ-0002  todo  part\n  RQ-0003  todo  part of it\n");
    assert_eq!(
        tree(&["--root", "RQ-0002", "--max-depth", "1"]),
        tree(&["--root", "RQ-0002"]),
        "the depth is that below the root"
    );
    desk.ralph(&["task", "done", "RQ-0003"]).success();
    desk.ralph(&["queue", "archive"]).success();
    assert_eq!(tree(&["--root", "RQ-0003"]), "RQ-0003  done  part of it\n");
    desk.ralph(&["undo"]).success();
    desk.ralph(&["undo"]).success();
    assert_eq!(desk.json(&["queue", "tree"])["items"][2], json!({ "depth": 2, "id": "RQ-0003" }));
}

#[test]
fn tasks_in_a_circle_have_no_longest_chain() {
    let desk = Desk::with_queue(
        r#"{"version":1,"tasks":[{"id":"RQ-0001","title":"a","depends_on":["RQ-0002"]},
            {"id":"RQ-0002","title":"b","depends_on":["RQ-0001"]}]}"#,
    );
    let ran = desk.ralph(&["queue", "graph", "--critical"]);
    assert!(ran.success().stderr.starts_with("Every task waits in a circle"), "{ran}");
}

#[test]
fn a_long_task_is_cut_where_its_caller_wants() {
    let desk = Desk::new();
    let description = "word ".repeat(2_000);
    let id = desk.add("long", &["--description", &description, "--note", "kept"]);
    let whole = desk.json(&["task", "show", &id]);
    assert_eq!((&whole["truncated"], &whole["cut"]), (&json!(false), &json!([])));
    let ran = desk.ralph(&["task", "show", &id, "--json", "--max-tokens", "600"]);
    assert!(ran.success().stdout.len() <= 3 * 600, "{ran}");
    let cut = parse(&ran.stdout);
    assert_eq!((&cut["truncated"], &cut["cut"]), (&json!(true), &json!(["description"])));
    assert_eq!(cut["task"]["notes"], whole["task"]["notes"]);
}

#[test]
fn unlock_clears_only_what_a_dead_0_4_0_left() {
    let desk = Desk::new();
    let ran = desk.ralph(&["queue", "unlock"]);
    assert!(ran.success().stderr.contains("frees itself"), "{ran}");
    desk.write(".ralph/lock/owner", format!("pid: {}\nlabel: task\n", std::process::id()));
    desk.ralph(&["queue", "unlock", "--force", "--yes"]).exited(4);
    desk.write(".ralph/lock/owner", "pid: 4194304\nlabel: task\n");
    desk.ralph(&["queue", "unlock", "--dry-run"]).success();
    assert!(desk.path(".ralph/lock").exists());
    assert!(desk.json(&["queue", "unlock"])["stale"].is_string());
    assert!(!desk.path(".ralph/lock").exists());
}

#[test]
fn figures_as_text_and_as_json() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    desk.add("one", &["--tag", "Bug"]);
    desk.add("two", &[]);
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    let text = |command| desk.ralph(&["queue", command]).success().stdout.clone();
    let stats = text("stats");
    assert!(stats.starts_with("2 tasks: 1 active, 1 done, 0 rejected\n"), "{stats}");
    assert!(stats.ends_with("\nbug: 1 task, 1 finished in the last 7 days, 1 in 30\n"), "{stats}");
    assert_eq!(text("history").lines().count(), 7);
    assert!(text("history").ends_with("  2 added, 1 finished\n"));
    assert!(text("burndown").ends_with(&format!("      1  {}\n", "#".repeat(20))));
    assert_eq!(text("aging"), "RQ-0002           0m  fresh    todo      two\n");
    assert_eq!(desk.json(&["queue", "stats", "--tag", "bug"])["summary"]["total"], 1);
    let days = parse(
        &desk.ralph(&["queue", "burndown", "--days", "2", "--format", "json"]).success().stdout,
    );
    assert_eq!(days["daily_counts"][1]["remaining"], 1);
    assert_eq!(desk.json(&["queue", "aging", "--status", "done"])["items"][0]["age"], "fresh");
    let board = parse(&text("dashboard"));
    assert_eq!(board["window_days"], 30);
    assert_eq!(board["sections"]["queue_stats"]["data"]["summary"]["total"], 2);
}

#[test]
fn schemas_are_json() {
    let desk = Desk::bare();
    for command in ["queue", "config"] {
        let schema = parse(&desk.ralph(&[command, "schema"]).success().stdout);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}

#[test]
fn what_ralph_does_not_know_and_what_names_many_is_cut_too() {
    let long = "x".repeat(4000);
    let names: Vec<String> = (2..400).map(|number| format!("RQ-{number:04}")).collect();
    let mut tasks = vec![json!({
        "id": "RQ-0001", "title": "one", "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "relates_to": names, "theirs": { "a": long },
        "agent": { "model": "m", "other": long },
    })];
    tasks.extend(names.iter().map(|id| {
        json!({
            "id": id, "title": "t", "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
        })
    }));
    let desk = Desk::with_queue(json!({ "version": 1, "tasks": tasks }).to_string());
    let shown = desk.json(&["task", "show", "RQ-0001", "--max-tokens", "500"]);
    assert!(shown.to_string().len() < 1500, "{shown}");
    assert_eq!(shown["cut"], json!(["agent", "relates_to", "unknown fields"]));
    assert_eq!(shown["task"]["agent"], json!({ "model": "m" }));
    let graph = desk.json(&["queue", "graph", "--max-tokens", "500"]);
    assert!(graph.to_string().len() < 1500, "{graph}");
    assert_eq!(
        (&graph["returned"], &graph["truncated"], &graph["edges_truncated"]),
        (&json!(1), &json!(true), &json!(true))
    );
}
