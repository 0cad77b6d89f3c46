//! Tasks that come and go in bulk: `task add -`, `queue import`, `queue export`.

use serde_json::json;

use crate::{Desk, parse};

#[test]
fn an_export_to_stdout_by_name_keeps_what_the_file_behind_it_has() {
    let desk = Desk::new();
    desk.add("one", &[]);
    for name in ["-", "/dev/stdout"] {
        desk.write("all.csv", "mine\n");
        let ran = desk.sh(&format!("\"$RALPH\" queue export --output {name} >> all.csv"));
        ran.success();
        let text = desk.read("all.csv");
        assert!(text.starts_with("mine\nid,") && text.contains("RQ-0001"), "{name}: {text}");
        assert!(!desk.path("-").exists());
    }
}

#[test]
fn several_tasks_are_added_at_once_and_name_each_other() {
    let desk = Desk::new();
    desk.add("there", &[]);
    let ran = desk.sh(
        "echo '[{\"id\":\"a\",\"title\":\"First\"},{\"title\":\"Then\",\"depends_on\":[\"a\",\"RQ-0001\"]}]' |
            \"$RALPH\" task add - --json",
    );
    let added = parse(&ran.success().stdout);
    assert_eq!(added["tasks"][1], json!({ "id": "RQ-0003", "title": "Then" }));
    assert_eq!(added["names"], json!({ "a": "RQ-0002" }));
    let then = desk.json(&["task", "show", "RQ-0003"]);
    assert_eq!(then["task"]["depends_on"], json!(["RQ-0002", "RQ-0001"]));

    desk.write("more.json", "{\"title\":\"x\"}\n{\"title\":\"y\"}\n");
    let ran = desk.ralph(&["task", "add", "--input", "more.json", "--first"]);
    assert_eq!(ran.success().stdout, "RQ-0004\nRQ-0005\n");
    assert_eq!(desk.ralph(&["queue", "next"]).success().stdout, "RQ-0004\n");
    // A field given beside them would go nowhere.
    for flag in [["--tag", "a"], ["--priority", "low"], ["--note-file", "more.json"]] {
        let add = ["task", "add", "--input", "more.json"];
        desk.ralph(&[&add[..], &flag[..]].concat()).exited(2);
    }
    assert_eq!(desk.json(&["queue", "list"])["total"], 5);
}

#[test]
fn a_batch_with_a_bad_task_adds_none() {
    let desk = Desk::new();
    desk.write("bad.json", r#"[{"title":"x"},{"title":""},{"title":"y","status":"later"}]"#);
    let error = desk.error(&["task", "add", "--input", "bad.json"], 3);
    let message = error["message"].as_str().expect("text");
    assert!(
        message.contains("number 2 (line 1): ") && message.contains("number 3 (line 1): "),
        "{message}"
    );
    assert_eq!(desk.json(&["queue", "list"])["total"], 0);
    desk.write("no.json", "{");
    desk.ralph(&["task", "add", "--input", "no.json"]).exited(2);
    for command in [&["task", "add"][..], &["task", "mutate"], &["queue", "import"]] {
        let error = desk.error(&[command, &["--input", "missing.json"]].concat(), 1);
        assert_eq!((&error["code"], &error["path"]), (&json!("io"), &json!("missing.json")));
    }
    desk.ralph(&["task", "add"]).exited(2);
}

#[test]
fn a_queue_goes_through_a_table_and_loses_nothing() {
    let desk = Desk::new();
    desk.add("one, \"two\"", &["--tag", "a", "--plan", "x; y", "--field", "k=a,b", "--model", "m"]);
    desk.add(
        "three",
        &["--depends-on", "RQ-0001", "--description", "a\nb", "--relates-to", "RQ-0001"],
    );
    let whole =
        |desk: &Desk| parse(&desk.ralph(&["queue", "list", "--format", "json"]).success().stdout);
    let other = Desk::new();
    for format in ["csv", "tsv", "json"] {
        let file = format!("tasks.{format}");
        let path = other.path(&file);
        let path = path.to_str().expect("text");
        desk.ralph(&["queue", "export", "--format", format, "--output", path]).success();
        other.write(".ralph/queue.jsonc", "{\"version\":1,\"tasks\":[]}");
        let ran = other.ralph(&["queue", "import", "--input", &file]);
        assert!(ran.success().stderr.ends_with("2 tasks added.\n"), "{ran}");
        assert_eq!(whole(&other), whole(&desk), "{format}");
    }
}

#[test]
fn an_export_does_not_take_the_place_of_the_queue() {
    let desk = Desk::new();
    desk.add("one", &[]);
    desk.sh("ln -s .ralph/queue.jsonc queue; ln -s .ralph/done.jsonc done; ln -s .ralph dir")
        .success();
    let refused = |file: &str| {
        let ran = desk.ralph(&["queue", "export", "--format", "json", "--output", file]);
        assert!(ran.exited(2).stderr.contains(&format!("`{file}` is the queue itself")), "{ran}");
    };
    let before = desk.read(".ralph/queue.jsonc");
    for file in [".ralph/queue.jsonc", "queue", "dir/queue.jsonc"] {
        refused(file);
        assert_eq!(desk.read(".ralph/queue.jsonc"), before);
    }
    // The same of a done file that is still to be made.
    fs_err::remove_file(desk.path(".ralph/done.jsonc")).ok();
    for file in [".ralph/../.ralph/done.jsonc", "done"] {
        refused(file);
        assert!(!desk.path(".ralph/done.jsonc").exists());
    }
    let other = ["queue", "export", "--output", ".ralph/tasks/all.csv"];
    let told = desk.ralph(&other).success().stderr.clone();
    assert!(told.starts_with("Made the directory `.ralph/tasks`.\n"), "{told}");
    assert!(!desk.ralph(&other).success().stderr.contains("Made"));
    assert!(desk.read(".ralph/tasks/all.csv").contains("one"));
}

#[test]
fn numbers_stay_to_the_letter_on_every_way() {
    let desk = Desk::new();
    let mine = r#"{"a":[123456789012345678901234567890,1E+05,-0],"b":1.10,"n":null}"#;
    desk.write(
        "in.json",
        format!(r#"[{{"title":"x","mine":{mine},"agent":{{"model":"m","k":0.10}}}}]"#),
    );
    desk.ralph(&["queue", "import", "--input", "in.json"]).success();
    desk.ralph(&["task", "clone", "RQ-0001"]).success();
    desk.ralph(&["task", "split", "RQ-0002"]).success();
    desk.write("mutate.json", r#"{"version":1,"tasks":[{"task_id":"RQ-0001","edits":[{"field":"agent","value":{"k":2.10}}]}]}"#);
    desk.ralph(&["task", "mutate", "--input", "mutate.json"]).success();
    let letters = |text: &str| {
        let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (mine, k) = (bare.matches(mine).count(), bare.matches("\"k\":2.10").count());
        (mine, k)
    };
    let tasks = 4;
    assert_eq!(letters(&desk.read(".ralph/queue.jsonc")), (tasks, 1));
    for args in [
        &["queue", "list", "--include-done", "--format", "json"][..],
        &["queue", "export", "--format", "json"],
    ] {
        assert_eq!(letters(&desk.ralph(args).success().stdout), (tasks, 1), "{args:?}");
    }
    let shown = desk.ralph(&["task", "show", "RQ-0001", "--json"]);
    assert_eq!(letters(&shown.success().stdout), (1, 1));
    let other = Desk::new();
    for file in ["out.csv", "out.tsv", "out.json"] {
        let path = other.path(file);
        let format = &file[4..];
        let path = path.to_str().expect("text");
        desk.ralph(&["queue", "export", "--format", format, "--output", path]).success();
        other.write(".ralph/queue.jsonc", "{\"version\":1,\"tasks\":[]}");
        other.ralph(&["queue", "import", "--input", file]).success();
        assert_eq!(letters(&other.read(".ralph/queue.jsonc")), (tasks, 1), "{file}");
    }
}

#[test]
fn an_import_says_what_becomes_of_ids_that_are_taken() {
    let desk = Desk::new();
    desk.add("there", &[]);
    desk.write("in.csv", "id,title,depends_on\nRQ-0001,same,\nRQ-0005,other,RQ-0001\n,new,\n");
    let import = |args: &[&str]| {
        desk.ralph(&[&["queue", "import", "-i", "in.csv", "--json"], args].concat())
    };
    let taken = import(&[]);
    assert!(taken.exited(3).stderr.contains("`--on-duplicate skip`"), "{taken}");
    let dry = parse(&import(&["--on-duplicate", "rename", "--dry-run"]).success().stdout);
    assert_eq!(dry["added"], json!(["RQ-0006", "RQ-0005", "RQ-0007"]));
    assert_eq!(dry["renamed"], json!([["RQ-0001", "RQ-0006"]]));
    assert_eq!(desk.json(&["queue", "list"])["total"], 1);
    let skipped = parse(&import(&["--on-duplicate", "skip"]).success().stdout);
    assert_eq!(skipped["skipped"], json!(["RQ-0001"]));
    assert_eq!(skipped["added"], json!(["RQ-0005", "RQ-0006"]));
    // A reference to nothing is refused, and nothing is added.
    desk.write("in.csv", "title,depends_on\nx,RQ-0099\n");
    let other = import(&[]);
    assert!(!other.exited(3).stderr.contains("--on-duplicate"), "{other}");
    desk.write("in.csv", "title,estimated_minutes\nx,1\ny,soon\n");
    let error = parse(&import(&[]).exited(3).stderr);
    assert!(
        error["error"]["message"].as_str().expect("text").contains("number 2 (line 3): "),
        "{error}"
    );
    let some = parse(&import(&["--skip-bad"]).success().stdout);
    assert_eq!((&some["added"], &some["bad"][0]["number"]), (&json!(["RQ-0007"]), &json!(2)));
    desk.write("in.csv", "title,estimated_minutes\ny,soon\n");
    let none = parse(&import(&["--skip-bad"]).exited(1).stdout);
    assert_eq!((&none["added"], &none["bad"][0]["number"]), (&json!([]), &json!(1)));
    desk.write("in.csv", "title\n");
    import(&["--skip-bad"]).success();
}

#[test]
fn an_import_names_every_problem_of_every_row_at_once() {
    let desk = Desk::new();
    desk.add("there", &[]);
    desk.write(
        "in.csv",
        "id,title,status,estimated_minutes,depends_on\nRQ-0001,taken,,,\n,two,soon,x,\n\
         RQ-7,form,,,RQ-0099\n,good,,,\n,\"line\nbreak\",,,\n",
    );
    let before = desk.read(".ralph/queue.jsonc");
    let error =
        parse(&desk.ralph(&["queue", "import", "--input", "in.csv", "--json"]).exited(3).stderr);
    let message = error["error"]["message"].as_str().expect("text").to_owned();
    for part in [
        "number 1 (`RQ-0001`, line 2): the id `RQ-0001` is taken",
        "number 2 (line 3): `estimated_minutes`: `x` is no number of minutes; unknown status `soon`",
        "number 3 (`RQ-7`, line 4): the id must be `RQ-` and 4 digits or more, not `RQ-7`; `depends_on`",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
    let next = error["error"]["next"].as_str().expect("a command");
    let shown = desk.json(&next.split(' ').skip(1).collect::<Vec<_>>());
    assert_eq!((&shown["dry_run"], &shown["bad"]), (&json!(true), &error["error"]["bad"]));
    let some = desk.json(&["queue", "import", "--input", "in.csv", "--skip-bad"]);
    assert_eq!(some["bad"], error["error"]["bad"]);
    assert_eq!(some["added"], json!(["RQ-0002", "RQ-0003"]));
    assert_eq!(some["bad"].as_array().map(Vec::len), Some(3));
    let warning = &some["warnings"][0];
    assert_eq!(
        (&warning["number"], &warning["line"], &warning["problems"][0]["message"]),
        (&json!(5), &json!(6), &json!("`title` has a line break at character 5"))
    );
    assert_eq!(some["bad"][1]["problems"].as_array().map(Vec::len), Some(2));
    let problem = &some["bad"][1]["problems"][0];
    assert_eq!(
        (&some["bad"][1]["line"], &problem["field"]),
        (&json!(3), &json!("estimated_minutes"))
    );

    desk.write("in.csv", "Title,Owner\nx,me\n");
    let args = ["queue", "import", "--input", "in.csv"];
    let document = desk.json(&args);
    assert_eq!(document["added"], json!(["RQ-0004"]));
    assert_eq!(document["unknown_columns"], json!(["Owner"]));
    let told = desk.ralph(&args).success().stderr.clone();
    assert!(told.contains("no task has `Owner`; that column was left out"), "{told}");

    desk.write("in.json", r#"{"title":"y","depend_on":["RQ-0001"]}"#);
    for (command, format) in [(["queue", "import"], Some("json")), (["task", "add"], None)] {
        let format = format.map(|format| ["--format", format]).into_iter().flatten();
        let args: Vec<&str> =
            command.into_iter().chain(["--input", "in.json"]).chain(format).collect();
        for dry in [&[][..], &["--dry-run"]] {
            let args = [&args[..], dry].concat();
            assert_eq!(desk.json(&args)["unknown_fields"], json!(["depend_on"]));
            let told = desk.ralph(&args).success().stderr.clone();
            assert!(told.contains("no task has `depend_on`; it is kept as it is"), "{told}");
        }
    }
    assert_eq!(desk.read(".ralph/queue.jsonc").matches("\"depend_on\"").count(), 4);
}

#[test]
fn what_a_valid_queue_has_survives_its_export_and_import() {
    let task = |id: &str, title: &str| {
        json!({ "id": id, "title": title, "status": "todo", "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z" })
    };
    let tasks = [task("RQ-0001", "tab\there"), task("RQ-0002", "line\nbreak")];
    let desk = Desk::with_queue(json!({ "version": 1, "tasks": tasks }).to_string());
    let valid = desk.json(&["queue", "validate"]);
    for format in ["csv", "tsv", "json"] {
        let export = ["queue", "export", "--format", format, "-o", "out"];
        desk.ralph(&export).success();
        let other = Desk::new();
        other.write("in", desk.read("out"));
        let import = ["queue", "import", "--format", format, "-i", "in"];
        let ran = other.ralph(&import);
        assert_eq!(ran.success().stdout, "RQ-0001\nRQ-0002\n");
        let again = other.json(&["queue", "validate"]);
        for (warning, task) in valid["items"].as_array().expect("a list").iter().zip(&tasks) {
            let message = warning["message"].as_str().expect("text");
            assert!(ran.stderr.contains(message), "{message} in {ran}");
            let same = again["items"].as_array().expect("a list");
            assert!(same.iter().any(|other| other["message"] == message), "{again}");
            let id = task["id"].as_str().expect("text");
            let shown = parse(&other.ralph(&["task", "show", id]).success().stdout);
            assert_eq!(shown["title"], task["title"]);
        }
        other.ralph(&["undo"]).success();
        other.ralph(&["redo"]).success();
        // By hand it stays an error.
        other.ralph(&["task", "add", "a\tb"]).exited(2);
    }
}

#[test]
fn an_id_that_the_import_has_twice_is_taken_the_second_time() {
    let import = |args: &[&str]| {
        let desk = Desk::new();
        desk.write("in.csv", "id,title\r\nRQ-0001,a\r\nRQ-0001,b\r\n");
        let ran = desk.ralph(&[&["queue", "import", "-i", "in.csv", "--json"], args].concat());
        (desk, ran)
    };
    let (_, refused) = import(&[]);
    let error = parse(&refused.exited(3).stderr)["error"].clone();
    let message = error["message"].as_str().expect("text");
    assert!(message.contains("(`RQ-0001`, line 3): number 1 has the id `RQ-0001` too"), "{error}");
    assert!(error["hint"].as_str().expect("text").contains("--on-duplicate skip"), "{error}");
    let (desk, skipped) = import(&["--on-duplicate", "skip"]);
    let told = parse(&skipped.success().stdout);
    assert_eq!((&told["added"], &told["skipped"]), (&json!(["RQ-0001"]), &json!(["RQ-0001"])));
    assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["title"], "a");
    let (desk, renamed) = import(&["--on-duplicate", "rename"]);
    let told = parse(&renamed.success().stdout);
    assert_eq!(told["added"], json!(["RQ-0001", "RQ-0002"]));
    assert_eq!(told["renamed"], json!([["RQ-0001", "RQ-0002"]]));
    assert_eq!(desk.json(&["task", "show", "RQ-0002"])["task"]["title"], "b");
}

#[test]
fn what_people_read_of_an_export_cannot_act_on_a_terminal() {
    let desk = Desk::new();
    let title = "red \\u001b[31m \\u009b \\u202e";
    let task = format!(
        r#"{{"id":"RQ-0001","title":"{title}","description":"a\tb\u001b]0;x\u0007","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}"#
    );
    desk.write(".ralph/queue.jsonc", format!(r#"{{"version":1,"tasks":[{task}]}}"#));
    let export = |format: &str| {
        desk.ralph(&["queue", "export", "--format", format]).success().stdout.clone()
    };
    for format in ["md", "gh"] {
        let text = export(format);
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}']), "{text:?}");
        assert!(text.contains(r"red \u{1b}[31m \u{9b} \u{202e}"), "{text:?}");
    }
    assert!(export("csv").contains("red \u{1b}[31m \u{9b} \u{202e}"), "data stays as it is");
    desk.ralph(&["queue", "export", "--json"]).exited(2);
    desk.ralph(&["completions", "bash", "--json"]).exited(2);
}

#[test]
fn a_queue_file_of_a_newer_version_is_not_imported() {
    let desk = Desk::new();
    desk.write("in.json", r#"{"version": 7, "tasks": [{"title": "x"}]}"#);
    let error = desk.error(&["queue", "import", "-i", "in.json"], 3);
    assert_eq!(error["code"], "newer", "{error}");
    assert_eq!(desk.json(&["queue", "list"])["items"], json!([]));
}

#[test]
fn an_export_is_filtered() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    desk.add("one | two", &["--tag", "a"]);
    desk.add("three", &["--note", "n"]);
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    let lines = |args: &[&str]| {
        let ran = desk.ralph(&[&["queue", "export"], args].concat());
        ran.success().stdout.lines().count() - 1
    };
    assert_eq!(lines(&[]), 1);
    assert_eq!(lines(&["--include-archive"]), 2);
    assert_eq!(lines(&["--include-archive", "--tag", "A"]), 1);
    assert_eq!(lines(&["--only-archive", "--id-pattern", "0002"]), 0);
    assert_eq!(lines(&["--include-archive", "--id-pattern", "rq-0"]), 2);
    assert_eq!(lines(&["--include-archive", "--id-pattern", "RQ-000*"]), 0);
    assert_eq!(lines(&["--created-after", "2999-01-01T00:00:00Z"]), 0);
    assert_eq!(lines(&["--created-after", "2026-01-01"]), 1);
    desk.ralph(&["queue", "export", "--created-before", "soon"]).exited(2);
    let made = desk.json(&["task", "show", "RQ-0002"])["task"]["created_at"].clone();
    let made = made.as_str().expect("a time");
    assert_eq!(lines(&["--created-after", made]), 1, "the moment itself counts, as in 0.4.0");
    assert_eq!(lines(&["--created-before", made]), 1);
    let table = desk.ralph(&["queue", "export", "--format", "md", "--only-archive"]);
    assert!(
        table.success().stdout.contains("\n| RQ-0001 | done | medium | one \\| two | a |  | 20")
    );
    let issue = desk.ralph(&["queue", "export", "--format", "gh", "-q"]);
    assert_eq!(
        (issue.success().stdout.as_str(), issue.stderr.as_str()),
        ("## RQ-0002: three\n\nStatus: todo, priority: medium\n\n### Notes\n\n- n\n", "")
    );
}

#[test]
fn an_import_gives_the_id_of_a_task_that_is_gone_to_that_task_alone() {
    let desk = Desk::new();
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    desk.ralph(&["queue", "export", "--format", "csv", "-o", "all.csv"]).success();
    desk.ralph(&["task", "batch", "delete", "RQ-0002"]).success();
    desk.write("other.csv", "id,title,created_at\nRQ-0002,other,2020-01-01T00:00:00Z\n");
    let import = |args: &[&str]| desk.ralph(&[&["queue", "import"], args].concat());

    let refused = import(&["-i", "other.csv", "--json"]);
    let error = parse(&refused.exited(3).stderr)["error"].clone();
    let message = error["message"].as_str().expect("text");
    assert!(message.contains("`RQ-0002` was that of another task, which is gone"), "{error}");
    assert!(error["hint"].as_str().expect("text").contains("--on-duplicate rename"), "{error}");
    let renamed = import(&["-i", "other.csv", "--on-duplicate", "rename"]);
    assert_eq!(renamed.success().stdout, "RQ-0004\n");
    let same = import(&["-i", "all.csv", "--on-duplicate", "skip"]);
    assert_eq!(same.success().stdout, "RQ-0002\n", "the very task comes back");
    assert_eq!(desk.json(&["task", "show", "RQ-0002"])["task"]["title"], "two");

    // Where nothing remembers it, a task that a queue wrote is believed, and a new one is not.
    desk.ralph(&["task", "batch", "delete", "RQ-0002"]).success();
    fs_err::remove_file(desk.path(".ralph/cache/queue-journal.jsonl")).expect("a journal");
    desk.write("other.csv", "id,title\nRQ-0002,other\n");
    import(&["-i", "other.csv"]).exited(3);
    let same = import(&["-i", "all.csv", "--on-duplicate", "skip"]);
    assert_eq!(same.success().stdout, "RQ-0002\n");
}
