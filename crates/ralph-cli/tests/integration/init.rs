//! `ralph init` makes what is missing and touches nothing else.

use serde_json::{Value, json};

use crate::Desk;

#[test]
fn a_new_repository_gets_everything_and_a_second_time_changes_nothing() {
    let desk = Desk::bare();
    let first = desk.ralph(&["init"]);
    assert_eq!(first.success().stdout, "");
    for file in ["queue.jsonc", "done.jsonc", "config.jsonc", "README.md"] {
        assert!(first.stderr.contains(&format!("wrote .ralph/{file}\n")), "{first}");
    }
    assert!(first.stderr.contains("wrote .gitignore\n"), "{first}");
    assert!(first.stderr.contains("no gate was found"), "{first}");
    assert!(first.stderr.contains("hint: `ralph task add"), "{first}");
    desk.ralph(&["queue", "validate"]).success();

    let files = [".ralph/queue.jsonc", ".ralph/done.jsonc", ".ralph/config.jsonc", ".gitignore"];
    let before = files.map(|file| desk.read(file));
    let second = desk.ralph(&["init"]);
    assert!(second.success().stderr.contains("Everything was in place already."), "{second}");
    assert_eq!(files.map(|file| desk.read(file)), before);
}

#[test]
fn the_commands_of_its_last_words_leave_a_clean_tree() {
    let desk = Desk::bare();
    let commit = "`git add .ralph .gitignore`, then `git commit -m \"Set up Ralph\"`";
    let ran = desk.ralph(&["init"]);
    assert!(ran.success().stderr.contains(commit), "{ran}");
    desk.git(&["add", ".ralph", ".gitignore"]);
    desk.git(&["commit", "-m", "Set up Ralph"]);
    assert_eq!(desk.git(&["status", "--porcelain"]), "");
    let again = desk.ralph(&["init"]);
    assert!(!again.success().stderr.contains("git add"), "{again}");
}

#[test]
fn what_ralph_writes_beside_a_queue_elsewhere_does_not_make_the_tree_dirty() {
    let desk = Desk::bare();
    let config = r#"{ "version": 2, "queue": { "file": "my [1]/q.jsonc" } }"#;
    desk.write(".ralph/config.jsonc", config);
    desk.ralph(&["init"]).success();
    desk.git(&["add", "--all"]);
    desk.git(&["commit", "--quiet", "--message", "Begin"]);
    assert!(!desk.git(&["ls-files"]).contains(".lock"));
    desk.add("one", &[]);
    desk.write("my [1]/.q.jsonc.12-3.tmp", "left");
    assert_eq!(desk.git(&["status", "--porcelain"]), " M \"my [1]/q.jsonc\"");
}

#[test]
fn what_ralph_writes_for_itself_never_makes_the_tree_dirty() {
    let desk = Desk::new();
    desk.add("a task", &[]);
    desk.git(&["add", "--all"]);
    desk.git(&["commit", "--quiet", "--message", "ralph: set it up"]);
    assert_eq!(
        desk.git(&["ls-files"]),
        ".gitignore\n.ralph/README.md\n.ralph/config.jsonc\n.ralph/done.jsonc\n.ralph/queue.jsonc\n\
         .ralph/schema/config.json\n.ralph/schema/queue.json"
    );
    for own in [
        "cache/parallel/state.json",
        "cache/session.jsonc",
        "logs/RQ-0001.log",
        "workspaces/RQ-0001/file",
        "lock/owner",
        "trust.jsonc",
        ".queue.jsonc.lock",
        ".queue.jsonc.lock.info",
        ".queue.jsonc.123.tmp",
    ] {
        desk.write(&format!(".ralph/{own}"), "x");
    }
    assert_eq!(desk.git(&["status", "--porcelain"]), "");
}

#[test]
fn the_gate_is_found_and_trusted() {
    let desk = Desk::bare();
    desk.write("Makefile", "ci:\n\ttrue\n");
    let document = desk.json(&["init"]);
    assert_eq!(document["schema"], json!({ "name": "init", "version": 1 }));
    assert_eq!(document["gate"], json!(["make", "ci"]));
    assert_eq!(document["trusted"], true);
    let shown = desk.json(&["config", "show"]);
    assert_eq!(shown["config"]["agent"]["ci_gate"]["argv"], json!(["make", "ci"]));
    assert_eq!(shown["config"]["agent"]["ci_gate"]["enabled"], true);
    assert_eq!(shown["trust"], "trusted");
}

#[test]
fn an_existing_configuration_is_neither_changed_nor_trusted_unasked() {
    let desk = Desk::bare();
    let config = "{ \"version\": 2, \"agent\": { \"ci_gate\": { \"enabled\": true, \"argv\": [\"./evil\"] } } }";
    desk.write(".ralph/config.jsonc", config);
    assert_eq!(desk.json(&["init"])["trusted"], false);
    assert_eq!(desk.json(&["config", "show"])["trust"], "untrusted");
    assert_eq!(desk.json(&["init", "--trust-project-commands"])["trusted"], true);
    assert_eq!(desk.json(&["config", "show"])["trust"], "trusted");
    assert_eq!(desk.read(".ralph/config.jsonc"), config);
}

#[test]
fn the_document_of_init_tells_what_happened() {
    let desk = Desk::bare();
    desk.write("Makefile", "ci:\n\ttrue\n");
    desk.write(".gitignore", "target/\n");
    let init = |args: &[&str]| desk.json(&[&["init"], args].concat());
    let names = |list: &Value| -> Vec<String> {
        let root = format!("{}/", desk.dir.display());
        let paths = list.as_array().expect("a list").iter();
        let name = |path: &Value| path.as_str().expect("text").replacen(&root, "", 1);
        let mut names: Vec<String> = paths.map(name).collect();
        names.sort();
        names
    };
    let mut all = vec![
        ".gitignore",
        ".ralph/README.md",
        ".ralph/config.jsonc",
        ".ralph/done.jsonc",
        ".ralph/queue.jsonc",
        ".ralph/schema/config.json",
        ".ralph/schema/queue.json",
    ];
    let first = init(&[]);
    assert_eq!((names(&first["written"]), names(&first["kept"])), (texts(&all), vec![]));
    assert_eq!((&first["trusted"], &first["merge_driver"]), (&json!(true), &json!(null)));
    let second = init(&[]);
    assert_eq!((names(&second["written"]), names(&second["kept"])), (vec![], texts(&all)));
    for field in ["gate", "trusted", "merge_driver", "warnings"] {
        assert_eq!(second[field], first[field], "{field}");
    }
    let driver = init(&["--merge-driver"]);
    assert_eq!(names(&driver["written"]), [".gitattributes"]);
    assert!(driver["merge_driver"].as_str().is_some_and(|it| it.ends_with("ralph")), "{driver}");
    all.insert(0, ".gitattributes");
    assert_eq!(names(&init(&["--merge-driver"])["kept"]), texts(&all));
    let config = r#"{ "version": 2, "agent": { "ci_gate": { "argv": ["./other"] } } }"#;
    desk.write(".ralph/config.jsonc", config);
    let other = init(&[]);
    assert_eq!((&other["gate"], &other["trusted"]), (&json!(["./other"]), &json!(false)));
    desk.write(".ralph/config.jsonc", r#"{ "agent": { "ci_gate": { "enabled": false } } }"#);
    assert_eq!(init(&[])["gate"], json!(null));
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn a_queue_that_cannot_be_read_is_not_in_place() {
    let desk = Desk::new();
    desk.write(".ralph/queue.jsonc", "{bad");
    let check = desk.ralph(&["init", "--check"]);
    assert!(check.exited(1).stderr.contains("`.ralph/queue.jsonc` cannot be read"), "{check}");
    assert_eq!(desk.json(&["init"])["warnings"].as_array().map(Vec::len), Some(1));
    assert!(!desk.ralph(&["init"]).success().stderr.contains("Everything"));
    assert_eq!(desk.read(".ralph/queue.jsonc"), "{bad");
}

#[test]
fn where_a_project_is_below_its_repository_or_in_a_bare_one_init_says_what_helps() {
    let desk = Desk::new();
    let below = desk.sh("mkdir -p sub/.ralph && cd sub && \"$RALPH\" init --non-interactive");
    assert!(below.success().stderr.contains("git add .ralph .gitignore"), "{below}");
    for command in ["init", "queue list"] {
        let line = format!("cd .. && git init -q --bare b.git && cd b.git && \"$RALPH\" {command}");
        let bare = desk.sh(&line);
        assert!(bare.stderr.contains("is a bare repository"), "{bare}");
        assert!(!bare.stderr.contains("git init"), "{bare}");
    }
}

#[test]
fn a_schema_that_is_none_and_a_queue_that_is_not_read_are_told_and_left() {
    let desk = Desk::new();
    let schema = ".ralph/schema/config.json";
    desk.write(schema, "{");
    let check = desk.ralph(&["init", "--check"]);
    assert!(check.exited(1).stderr.contains(&format!("`{schema}` is no JSON")), "{check}");
    let ran = desk.ralph(&["init"]);
    assert!(ran.success().stderr.contains(&format!("`{schema}` is no JSON")), "{ran}");
    assert!(!ran.stderr.contains("Everything"), "{ran}");
    assert_eq!(desk.read(schema), "{");
    let doctor = || desk.ralph(&["doctor"]).stdout;
    assert!(doctor().contains(&format!("warning schemas        `{schema}` is no JSON")));
    fs_err::remove_file(desk.path(schema)).expect("there");
    assert!(doctor().contains(&format!("warning schemas        `{schema}` is missing")));
    desk.ralph(&["init"]).success();

    let task = r#"{ "version": 1, "tasks": [{ "id": "RQ-0001", "title": "old" }] }"#;
    for (stray, text) in [(".ralph/queue.json", "{"), ("queue.json", task)] {
        desk.write("queue.json", r#"{ "not": "ours" }"#);
        desk.write(stray, text);
        let told = format!("`{stray}` is not read, since the queue is `.ralph/queue.jsonc`");
        let ran = desk.ralph(&["init"]);
        assert!(ran.success().stderr.contains(&told), "{ran}");
        assert_eq!(desk.json(&["init"])["warnings"], json!([told]));
        assert!(doctor().contains(&format!("valid; but {told}")), "{}", doctor());
        fs_err::remove_file(desk.path(stray)).expect("there");
    }
    desk.add("a task", &[]);
    desk.write(".ralph/config.jsonc", r#"{ "queue": { "file": "tasks/queue.jsonc" } }"#);
    let told = "`.ralph/queue.jsonc` is not read, since the queue is `tasks/queue.jsonc`";
    assert_eq!(desk.json(&["init"])["warnings"], json!([told]));
}

#[test]
fn check_writes_nothing_and_says_what_is_missing() {
    let desk = Desk::bare();
    let ran = desk.ralph(&["init", "--check"]);
    assert!(ran.exited(1).stderr.contains("queue.jsonc` is missing"), "{ran}");
    assert!(!desk.path(".ralph").exists());
    desk.ralph(&["init"]).success();
    let document = desk.json(&["init", "--check"]);
    assert_eq!((&document["complete"], &document["missing"]), (&json!(true), &json!([])));
}

#[test]
fn editors_are_told_the_schemas_and_stale_ones_are_renewed() {
    let desk = Desk::new();
    let config = desk.read(".ralph/config.jsonc");
    let first =
        config.lines().find(|line| line.contains('"')).filter(|line| !line.starts_with("//"));
    assert_eq!(first, Some(r#"  "$schema": "./schema/config.json","#), "{config}");
    let files = [("config", ".ralph/schema/config.json"), ("queue", ".ralph/schema/queue.json")];
    for (name, path) in files {
        let written = desk.read(path);
        let mut schema = crate::parse(&written);
        assert!(schema.as_object_mut().expect("an object").remove("$comment").is_some());
        assert_eq!(schema, crate::parse(&desk.ralph(&[name, "schema"]).success().stdout));

        desk.write(path, written.replace("Ralph", "An older Ralph"));
        let document = crate::parse(&desk.ralph(&["init", "--check", "--json"]).exited(1).stdout);
        assert_eq!(document["missing"], json!([desk.path(path)]));
        let ran = desk.ralph(&["doctor"]);
        assert!(ran.stdout.contains(&format!("`{path}` is of another version")), "{ran}");
        desk.ralph(&["init"]).success();
        assert_eq!(desk.read(path), written);

        let mine = r#"{ "title": "mine" }"#;
        desk.write(path, mine);
        desk.ralph(&["init", "--check"]).success();
        desk.ralph(&["init"]).success();
        assert_eq!(desk.read(path), mine);
    }
    assert_eq!(desk.read(".ralph/config.jsonc"), config);
}

#[test]
fn a_file_may_name_its_schema() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"$schema":"./schema/config.json","version":2}"#);
    let queue = "{\"$schema\": \"./schema/queue.json\", \"version\": 1, \"tasks\": []}\n";
    desk.write(".ralph/queue.jsonc", queue);
    for args in [["queue", "validate"], ["config", "show"], ["migrate", "--check"]] {
        let ran = desk.ralph(&args);
        assert!(!ran.success().stderr.contains("warning"), "{ran}");
    }
    desk.add("a task", &[]);
    assert!(
        desk.read(".ralph/queue.jsonc")
            .contains("\"$schema\": \"./schema/queue.json\", \"version\"")
    );
}

#[test]
fn the_readme_is_renewed_only_when_asked() {
    let desk = Desk::new();
    desk.write(".ralph/README.md", "mine");
    desk.ralph(&["init"]).success();
    assert_eq!(desk.read(".ralph/README.md"), "mine");
    desk.ralph(&["init", "--update-readme"]).success();
    assert!(desk.read(".ralph/README.md").starts_with("# .ralph"));
}

#[test]
fn it_works_from_a_directory_below_and_from_elsewhere() {
    let desk = Desk::bare();
    desk.write("src/deep/file", "");
    desk.ralph(&["-C", "src/deep", "init"]).success();
    assert!(desk.path(".ralph/queue.jsonc").exists());
    let ran = desk.sandbox.run(
        crate::RALPH,
        desk.sandbox.root(),
        ["--repo", "work", "task", "add", "from elsewhere"],
    );
    assert_eq!(ran.success().stdout, "RQ-0001\n");
}

#[test]
fn outside_a_repository_it_is_refused() {
    let desk = Desk::bare();
    let ran = desk.sandbox.run(crate::RALPH, desk.sandbox.root(), ["init"]);
    assert!(ran.exited(3).stderr.contains("is not in a git repository"), "{ran}");
    assert!(ran.stderr.contains("hint: Make one, then repeat the command: `git init`."), "{ran}");
    assert!(!desk.sandbox.path(".ralph").exists());
}

#[test]
fn a_queue_under_its_old_name_is_noticed_not_shadowed() {
    let desk = Desk::bare();
    desk.write(".ralph/queue.json", r#"{"version":1,"tasks":[]}"#);
    for args in [["init"].as_slice(), &["queue", "list"]] {
        let error = desk.error(args, 3);
        assert_eq!(error["code"], "refused");
        assert!(
            error["hint"]
                .as_str()
                .expect("text")
                .contains("git mv .ralph/queue.json .ralph/queue.jsonc")
        );
    }
    assert!(!desk.path(".ralph/queue.jsonc").exists());
}
