//! Files that cannot be used, locks that are held: one clear error, nothing touched.

use std::time::Duration;

use ralph_state::Timestamp;
use ralph_state::file::{FileLock, Holder, sidecar_lock_path};
use ralph_testkit::Ran;

use crate::{Desk, RALPH, parse};

const QUEUE: &str = ".ralph/queue.jsonc";

/// Commands that read the queue, and commands that change it.
const COMMANDS: &[&[&str]] = &[
    &["queue", "list"],
    &["queue", "validate"],
    &["queue", "next"],
    &["task", "show", "RQ-0001"],
    &["task", "add", "x"],
    &["task", "done", "RQ-0001"],
    &["queue", "archive"],
];

/// Each command refuses the queue file `text`, names `file` and `what`, and
/// leaves it as it is.
#[track_caller]
fn check(file: &str, text: &[u8], kind: &str, what: &str) {
    let desk = Desk::new();
    desk.write(file, text);
    for command in COMMANDS {
        let error = desk.error(command, 3);
        assert_eq!(error["code"], kind, "{command:?}: {error}");
        let message = error["message"].as_str().expect("text");
        assert!(message.contains(what), "{command:?}: {message}");
        assert!(error["path"].as_str().expect("text").ends_with(file), "{error}");
        assert_ne!(error["hint"], "", "{error}");
        assert_eq!(error["retryable"], false);
        assert_eq!(fs_err::read(desk.path(file)).expect("still there"), text, "{command:?}");
    }
    let ran = desk.ralph(COMMANDS[0]);
    assert!(ran.exited(3).stderr.starts_with("error: "), "{ran}");
    assert!(ran.stderr.contains("\nhint: "), "{ran}");
}

#[test]
fn a_corrupt_queue() {
    check(QUEUE, b"{\"version\": 1,\n \"tasks\": [}", "corrupt", "line 2");
    check(QUEUE, b"{\"version\": 1, \"tasks\": [", "corrupt", "line 1");
}

#[test]
fn an_empty_queue() {
    check(QUEUE, b"", "corrupt", "empty");
    check(QUEUE, b" \n", "corrupt", "empty");
}

#[test]
fn a_newer_queue() {
    check(QUEUE, b"{\"version\": 7, \"tasks\": []}", "newer", "version 7");
}

#[test]
fn conflict_markers() {
    let text = b"{\"version\":1,\"tasks\":[\n<<<<<<< ours\n=======\n>>>>>>> theirs\n]}\n";
    check(QUEUE, text, "corrupt", "conflict markers of git at line 2");
}

#[test]
fn no_utf8() {
    check(QUEUE, b"{\"version\":1,\n\"tasks\":[\xff]}", "corrupt", "UTF-8");
}

#[test]
fn a_pipe_is_not_waited_for() {
    const JOURNAL: &str = ".ralph/cache/queue-journal.jsonl";
    let (init, check): (&[&str], &[&str]) = (&["init"], &["doctor"]);
    let (add, resolve): (&[&str], &[&str]) = (&["task", "add", "one"], &["queue", "resolve"]);
    for (path, commands) in [
        (QUEUE, &[&["queue", "list"], add, resolve, init, check][..]),
        (".ralph/done.jsonc", &[&["queue", "list", "--include-done"], resolve, init, check]),
        (".ralph/config.jsonc", &[&["queue", "list"], add, init, check]),
        (JOURNAL, &[add, &["undo"], &["undo", "--list"], check]),
        (".ralph/README.md", &[init, &["init", "--check"]]),
        (".ralph/schema/queue.json", &[init, check]),
        (".gitignore", &[init, check]),
        (".gitattributes", &[init, check]),
        (".ralph/templates/own.json", &[&["task", "template", "show", "own"]]),
    ] {
        let desk = Desk::new();
        desk.add("one", &[]);
        let pipe = desk.path(path);
        if pipe.exists() {
            fs_err::remove_file(&pipe).expect("a file");
        }
        desk.sh(&format!("mkdir -p .ralph/templates; mkfifo {path}")).success();
        for command in commands {
            let ran = desk.ralph(command);
            let told = [&ran.stdout, &ran.stderr].iter().any(|it| it.contains("no regular file"));
            assert!(ran.code != Some(0) && told, "{path}: {ran}");
        }
    }
}

#[test]
fn a_link_to_no_configuration_is_not_taken_for_none() {
    let desk = Desk::new();
    fs_err::remove_file(desk.path(".ralph/config.jsonc")).ok();
    desk.sh("ln -s ../elsewhere.jsonc .ralph/config.jsonc").success();
    for command in [&["queue", "list"][..], &["task", "add", "one"], &["doctor"]] {
        let ran = desk.ralph(command);
        let told = [&ran.stdout, &ran.stderr].iter().any(|it| it.contains("config.jsonc"));
        assert!(ran.code != Some(0) && told, "{ran}");
    }
}

#[test]
fn fields_of_the_wrong_kind() {
    let text = "{\"version\":1,\"tasks\":[{\"id\":\"RQ-0001\",\"title\":7,\"tags\":{}}]}";
    let desk = Desk::with_queue(text);
    for command in COMMANDS.iter().filter(|command| command[1] != "validate") {
        let error = desk.error(command, 3);
        assert_eq!((&error["code"], &error["next"]), (&"invalid".into(), &VALIDATE.into()));
        let message = error["message"].as_str().expect("text");
        assert!(message.contains("RQ-0001: `title` must be a text at line 1"), "{message}");
    }
    // All at once; and it does not send its caller back to itself.
    let ran = desk.ralph(&["queue", "validate", "--json"]);
    let report = parse(&ran.exited(3).stdout);
    let fields: Vec<_> = report["items"].as_array().expect("a list").iter().map(field).collect();
    assert_eq!(fields, ["created_at", "updated_at", "title", "tags"]);
    assert_eq!((&report["valid"], &report["next"]), (&false.into(), &().into()));
    assert_eq!(desk.read(QUEUE), text);
}

const VALIDATE: &str = "ralph queue validate";

fn field(problem: &serde_json::Value) -> String {
    assert_eq!((&problem["task"], &problem["line"]), (&"RQ-0001".into(), &1.into()), "{problem}");
    problem["field"].as_str().expect("text").to_owned()
}

#[test]
fn a_duplicate_id_can_be_repaired() {
    let stamps = r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z""#;
    let task = |title| format!(r#"{{"id":"RQ-0001","title":"{title}",{stamps}}}"#);
    let desk =
        Desk::with_queue(format!(r#"{{"version":1,"tasks":[{},{}]}}"#, task("a"), task("b")));
    let ran = desk.ralph(&["queue", "validate", "--json"]);
    assert_eq!(parse(&ran.exited(3).stdout)["next"], "ralph queue repair --dry-run");
    desk.ralph(&["queue", "repair"]).success();
    desk.ralph(&["queue", "validate"]).success();
}

#[test]
fn a_corrupt_done_file() {
    check(".ralph/done.jsonc", b"{\"version\": 1, \"tasks\": [}", "corrupt", "line 1");
}

#[test]
fn a_link_that_leads_nowhere_is_no_queue_to_be_made() {
    let desk = Desk::new();
    desk.add("kept", &[]);
    let share = desk.path("../share");
    fs_err::create_dir(&share).unwrap();
    fs_err::rename(desk.path(".ralph/queue.jsonc"), share.join("queue.jsonc")).unwrap();
    let link = desk.path(".ralph/queue.jsonc");
    fs_err::os::unix::fs::symlink("../../share/queue.jsonc", link).unwrap();
    assert_eq!(desk.json(&["queue", "list"])["total"], 1);
    fs_err::rename(&share, desk.path("../away")).unwrap();
    let commands: [&[&str]; 6] = [
        &["queue", "resolve"],
        &["queue", "list"],
        &["task", "add", "x"],
        &["queue", "validate"],
        &["init"],
        &["init", "--check"],
    ];
    for args in commands {
        let ran = desk.ralph(&[&["--json"], args].concat());
        let error = parse(&ran.exited(3).stderr)["error"].clone();
        assert_eq!(error["code"], "missing", "{ran}");
        assert!(error["next"].is_null(), "{ran}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("`.ralph/queue.jsonc` is a link to `../../share/queue.jsonc`"),
            "{ran}"
        );
    }
    assert!(!share.exists(), "nothing is made there");
}

#[test]
fn a_done_file_that_is_a_link_to_nothing_is_told_and_not_made() {
    let desk = Desk::new();
    desk.add("kept", &[]);
    fs_err::remove_file(desk.path(".ralph/done.jsonc")).unwrap();
    fs_err::os::unix::fs::symlink("../../away/done.jsonc", desk.path(".ralph/done.jsonc")).unwrap();
    let before = desk.read(".ralph/queue.jsonc");
    let commands: [&[&str]; 5] = [
        &["queue", "list", "--include-done"],
        &["queue", "validate"],
        &["task", "done", "RQ-0001"],
        &["queue", "archive"],
        &["init"],
    ];
    for args in commands {
        let ran = desk.ralph(&[&["--json"], args].concat());
        let error = parse(&ran.exited(3).stderr)["error"].clone();
        assert_eq!(error["code"], "missing", "{ran}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("`.ralph/done.jsonc` is a link to `../../away/done.jsonc`"),
            "{ran}"
        );
    }
    assert!(!desk.path("../away").exists(), "nothing is made there");
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
}

#[test]
fn a_missing_queue() {
    let desk = Desk::new();
    fs_err::remove_file(desk.path(QUEUE)).expect("removable");
    for command in COMMANDS {
        let error = desk.error(command, 3);
        assert_eq!(
            (&error["code"], &error["hint"]),
            (&"missing".into(), &"`ralph init` makes one.".into())
        );
        assert!(!desk.path(QUEUE).exists(), "{command:?}");
    }
    // Who holds the lock does not wait for it.
    let resolve = ["queue", "resolve", "--json"];
    let ran = desk.ralph_with("RALPH_LOCK_WAIT", "3600", &resolve);
    assert_eq!(parse(&ran.exited(3).stderr)["error"]["code"], "missing");
    fs_err::remove_file(desk.path(".ralph/done.jsonc")).expect("removable");
    desk.ralph(&["init"]).success();
    desk.ralph(&["queue", "list"]).success();
}

#[test]
fn no_repository() {
    let desk = Desk::bare();
    for command in COMMANDS {
        let ran = desk.sandbox.run(RALPH, desk.sandbox.root(), [command, &["--json"][..]].concat());
        let error = parse(&ran.exited(3).stderr)["error"].clone();
        assert_eq!(error["code"], "not_a_repository");
        assert!(error["hint"].as_str().expect("text").contains("`git init`, then `ralph init`"));
    }
    let ran = desk.sandbox.run(RALPH, desk.sandbox.root(), ["-C", "nowhere", "queue", "list"]);
    assert!(ran.exited(2).stderr.contains("`nowhere` is not a directory"), "{ran}");
}

#[test]
fn a_held_lock_names_its_holder() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let before = desk.read(QUEUE);
    let holder = Holder {
        pid: 4242,
        host: "elsewhere".to_owned(),
        command: "ralph run loop".to_owned(),
        since: "2026-01-01T00:00:00Z".parse::<Timestamp>().expect("a time"),
    };
    let lock = FileLock::acquire(&sidecar_lock_path(&desk.path(QUEUE)), &holder, Duration::ZERO)
        .expect("nobody holds it");
    for command in [["task", "add", "x"], ["task", "done", "RQ-0001"]] {
        let ran = desk.ralph_with("RALPH_LOCK_WAIT", "0", &[&command[..], &["--json"]].concat());
        let error = parse(&ran.exited(4).stderr)["error"].clone();
        assert_eq!((&error["code"], &error["retryable"]), (&"busy".into(), &true.into()));
        let message = error["message"].as_str().expect("text");
        assert!(message.contains("process 4242 on elsewhere (`ralph run loop`"), "{message}");
        assert_eq!(message.matches("4242").count(), 1, "once: {message}");
        assert_eq!(error["next"], "ralph queue unlock --dry-run");
    }
    let unlock = desk.json(&["queue", "unlock", "--dry-run"]);
    assert_eq!((&unlock["held"], &unlock["holder"]["pid"]), (&true.into(), &4242.into()));
    // Reading needs no lock.
    desk.ralph(&["queue", "list"]).success();
    assert_eq!(desk.read(QUEUE), before);
    drop(lock);
    desk.ralph(&["task", "add", "x"]).success();
    let ran = desk.ralph_with("RALPH_LOCK_WAIT", "soon", &["queue", "list"]);
    assert!(ran.exited(2).stderr.contains("expected whole seconds"), "{ran}");
}

#[test]
fn the_lock_of_a_0_4_0_that_runs_is_respected_and_that_of_a_dead_one_is_not() {
    let desk = Desk::new();
    let alive = std::process::id();
    desk.write(
        ".ralph/lock/owner",
        format!("pid: {alive}\nstarted_at: x\ncommand: ralph run loop\nlabel: run loop\n"),
    );
    let error = parse(
        &desk.ralph_with("RALPH_LOCK_WAIT", "0", &["task", "add", "x", "--json"]).exited(4).stderr,
    );
    assert!(error["error"]["message"].as_str().expect("text").contains("older Ralph"), "{error}");
    desk.write(
        ".ralph/lock/owner",
        "pid: 999999999\nstarted_at: x\ncommand: ralph run loop\nlabel: run loop\n",
    );
    desk.ralph(&["task", "add", "x"]).success();
}

#[test]
fn a_directory_in_place_of_the_queue() {
    let desk = Desk::new();
    fs_err::remove_file(desk.path(QUEUE)).expect("removable");
    fs_err::create_dir(desk.path(QUEUE)).expect("writable");
    let error = desk.error(&["task", "add", "x"], 1);
    assert_eq!(error["code"], "io");
}

#[cfg(unix)]
#[test]
fn a_read_only_directory() {
    use std::os::unix::fs::PermissionsExt as _;

    let desk = Desk::new();
    let before = desk.read(QUEUE);
    let set = |mode| {
        fs_err::set_permissions(desk.path(".ralph"), std::fs::Permissions::from_mode(mode))
            .expect("ours");
    };
    set(0o555);
    // The superuser may write anywhere; there is nothing to see then.
    let is_root = fs_err::write(desk.path(".ralph/probe"), "").is_ok();
    if !is_root {
        let error = desk.error(&["task", "add", "x"], 1);
        assert_eq!(error["code"], "io");
        desk.ralph(&["queue", "list"]).success();
        let doctor = desk.ralph(&["doctor"]);
        assert!(doctor.exited(3).stdout.contains("no file can be made in `.ralph`"), "{doctor}");
    }
    set(0o755);
    assert_eq!(desk.read(QUEUE), before);
}

/// What is said of a cache directory that cannot be used by what changes files in it.
#[track_caller]
fn hints_of_the_cache(run: impl Fn(&[&str]) -> Ran, hint: &str) {
    for args in [&["task", "add", "x"][..], &["undo"]] {
        let ran = run(args);
        assert!(ran.exited(1).stderr.contains(hint), "{args:?}: {ran}");
    }
}

#[test]
fn a_file_in_the_place_of_the_cache() {
    let desk = Desk::new();
    if desk.path(".ralph/cache").exists() {
        fs_err::remove_dir_all(desk.path(".ralph/cache")).expect("removable");
    }
    desk.write(".ralph/cache", "mine");
    let hint = "hint: Move away the file that is where a directory of this path should be.";
    hints_of_the_cache(|args| desk.ralph(args), hint);
    for args in [&["queue", "stop"][..], &["run", "parallel", "status"]] {
        let ran = desk.ralph(args);
        assert!(ran.exited(1).stderr.contains(hint), "{args:?}: {ran}");
    }
    assert_eq!(desk.read(".ralph/cache"), "mine");
}

/// Permission bits do not bind the superuser, a mount does.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_cache() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let mounted = |line: &str| {
        desk.sh(&format!(
            "exec unshare --map-root-user --mount sh -c 'mount --bind .ralph/cache .ralph/cache \
             && mount -o remount,bind,ro .ralph/cache && exec \"$@\"' sh {line}"
        ))
    };
    if mounted("true").code != Some(0) {
        eprintln!("SKIPPED: this system mounts nothing for us");
        return;
    }
    let run = |args: &[&str]| {
        let words: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        mounted(&format!("\"$RALPH\" {}", words.join(" ")))
    };
    hints_of_the_cache(run, "writable");
}

#[test]
fn a_fault_in_a_title_reaches_no_terminal() {
    let desk = Desk::new();
    let title = "evil \u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m \u{202e}txt";
    // Ralph writes none such, but others may have.
    desk.add("evil", &["--note", "two\nlines\u{1b}[0m"]);
    let evil = serde_json::to_string(title).expect("JSON");
    desk.write(QUEUE, desk.read(QUEUE).replace("\"evil\"", &evil));
    for args in [
        &["queue", "list"][..],
        &["queue", "list", "--format", "long", "--color", "always"],
        &["queue", "list", "--json"],
        &["queue", "next", "--with-title"],
        &["queue", "explain"],
        &["task", "show", "RQ-0001"],
        &["task", "show", "RQ-0001", "--format", "text"],
        &["task", "show", "\u{1b}[31mRQ"],
        &["task", "add", title],
        &["queue", "\u{1b}[31mlist"],
    ] {
        let ran = desk.ralph(args);
        let text = format!("{}{}", ran.stdout, ran.stderr);
        let ours = text.replace("\u{1b}[0m", "").replace("\u{1b}[1m", "").replace("\u{1b}[2m", "");
        assert!(!ours.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{args:?}: {ours:?}");
    }
    let shown = parse(&desk.ralph(&["task", "show", "RQ-0001"]).success().stdout);
    assert_eq!(shown["title"], title);
}

#[test]
fn a_queue_that_git_has_is_brought_back_and_not_made_anew() {
    let desk = Desk::new();
    desk.git(&["add", "--all"]);
    desk.git(&["commit", "--quiet", "--message", "Begin"]);
    fs_err::remove_file(desk.path(QUEUE)).expect("removable");
    let hint = desk.error(&["queue", "list"], 3)["hint"].to_string();
    assert!(hint.contains("git checkout -- :/.ralph/queue.jsonc"), "{hint}");
}

#[test]
fn a_corrupt_queue_that_git_does_not_have() {
    let desk = Desk::with_queue("{");
    let hint = desk.error(&["queue", "list"], 3)["hint"].to_string();
    assert!(!hint.contains("git log"), "{hint}");
}

#[test]
fn a_lock_names_its_holder_once_and_a_dead_one_as_the_last() {
    let desk = Desk::new();
    let holder = Holder {
        pid: 999_999_999,
        host: ralph_process::host_name(),
        command: "ralph task add".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    let lock = sidecar_lock_path(&desk.path(QUEUE));
    let _lock = FileLock::acquire(&lock, &holder, Duration::ZERO).expect("nobody holds it");
    let ran = desk.ralph_with("RALPH_LOCK_WAIT", "0", &["task", "add", "x"]);
    let said = &ran.exited(4).stderr;
    assert!(said.contains("last taken by process 999999999"), "{ran}");
    assert_eq!(said.matches("999999999").count(), 1, "{ran}");
    for command in [["queue", "unlock"].as_slice(), &["doctor"]] {
        let ran = desk.ralph(command);
        let said = ran.stdout.clone() + &ran.stderr;
        assert!(said.contains("another process holds `.ralph/.queue.jsonc.lock`, last"), "{ran}");
    }
    let unlock = desk.json(&["queue", "unlock"]);
    assert_eq!((&unlock["held"], &unlock["holder"]), (&true.into(), &serde_json::Value::Null));
}

#[test]
fn an_agent_that_is_missing_is_named_by_its_key() {
    let desk = Desk::new();
    desk.write("a.txt", "a");
    desk.git(&["add", "--all"]);
    desk.git(&["commit", "--quiet", "--message", "Begin"]);
    let hint = |args: &[&str]| desk.error(args, 3)["hint"].to_string();
    let none = hint(&["run", "one"]);
    assert!(none.contains("Install one of: ") && !none.contains(", command"), "{none}");
    let missing = hint(&["run", "one", "--runner", "codex"]);
    assert!(missing.contains("`agent.codex_bin`"), "{missing}");
    let unknown = desk.error(&["run", "one", "--runner", "nobody"], 2);
    assert_eq!(unknown.to_string().matches("codex").count(), 1, "{unknown}");
}

#[test]
fn demo_without_git_says_so_and_makes_the_directories_it_is_given() {
    let desk = Desk::bare();
    let ran = desk.ralph_with("PATH", "/nowhere", &["demo"]);
    assert!(ran.exited(3).stderr.contains("Install git, or put it on PATH."), "{ran}");
    let gone = desk.sandbox.path("gone").display().to_string();
    let ran = desk.ralph_with("TMPDIR", &gone, &["demo"]);
    assert!(ran.exited(1).stderr.contains("no throwaway repository can be made"), "{ran}");
    assert!(ran.stderr.contains("`--keep DIR`"), "{ran}");
    let ran = desk.ralph(&["demo", "--keep", "k 2/x", "--workers", "4", "--no-progress"]);
    ran.success();
    assert!(desk.path("k 2/x/project/.git").exists());
}

#[test]
fn what_is_named_and_is_not_there_is_wrong_usage() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let before = desk.read(".ralph/queue.jsonc");
    for args in [
        ["task", "add", "two", "--depends-on", "RQ-0999"].as_slice(),
        &["task", "edit", "depends_on", "RQ-0999", "RQ-0001"],
        &["task", "relate", "RQ-0001", "blocks", "RQ-0999"],
    ] {
        let error = desk.error(args, 2);
        assert_eq!(error["code"], "not_found", "{error}");
        assert!(error["message"].as_str().expect("text").contains("`RQ-0999`"), "{error}");
    }
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
    for (flag, value) in [
        ("--max-turns", "0"),
        ("--max-usd", "-1"),
        ("--max-minutes", "-1"),
        ("--effort", "enormous"),
        ("--phases", "9"),
    ] {
        let error = desk.error(&["run", "one", flag, value], 2);
        let message = error["message"].as_str().expect("text");
        assert_eq!(error["code"], "usage");
        assert!(message.contains(flag) && message.contains(value), "{error}");
        assert!(!message.contains("agent."), "{error}");
    }
    // Nothing can be made of a directory that is in no repository.
    let error = desk.error(&["-C", "/", "queue", "list"], 3);
    assert_eq!(
        (&error["code"], &error["next"]),
        (&"not_a_repository".into(), &serde_json::Value::Null)
    );
    desk.write("there/file", "");
    assert_eq!(desk.error(&["demo", "--keep", "there"], 2)["code"], "usage");
}

#[test]
fn a_queue_in_another_place_is_named() {
    let desk = Desk::new();
    let queue = desk.read(".ralph/queue.jsonc");
    desk.write("queue.jsonc", queue);
    fs_err::remove_file(desk.path(".ralph/queue.jsonc")).expect("removed");
    let error = desk.error(&["queue", "list"], 3);
    let hint = error["hint"].as_str().expect("text");
    assert!(hint.starts_with("`queue.jsonc` may be it: move it to `.ralph/queue.jsonc`"), "{hint}");
}

#[test]
fn both_files_are_validated_also_when_neither_can_be_read() {
    let desk = Desk::new();
    desk.write(".ralph/queue.jsonc", "{\"tasks\": [\n  {\"title\": 1},\n]}");
    desk.write(".ralph/done.jsonc", "{\"tasks\": [,]}");
    let ran = desk.ralph(&["queue", "validate"]);
    let lines = &ran.exited(3).stdout;
    for part in [
        ".ralph/queue.jsonc:2:3: error: `id` is missing",
        ".ralph/queue.jsonc:2:3: error: `created_at` is missing",
        ".ralph/queue.jsonc:2:13: error: `title` must be a text",
        ".ralph/done.jsonc:1:12: error: ",
    ] {
        assert!(lines.contains(part), "{part} in {lines}");
    }
    desk.write(".ralph/queue.jsonc", "{");
    let ran = desk.ralph(&["queue", "validate"]);
    let lines = &ran.exited(3).stdout;
    assert!(
        lines.contains(".ralph/queue.jsonc:1:") && lines.contains(".ralph/done.jsonc:1:"),
        "{lines}"
    );
}

#[test]
fn a_command_can_be_copied_from_a_hint_whatever_the_file_is_called_and_wherever_one_is() {
    let desk = Desk::new();
    let file = "my tasks/it's $HOME.jsonc";
    desk.write(".ralph/config.jsonc", serde_json::json!({ "queue": { "file": file } }).to_string());
    desk.write(file, "{ \"version\": 1, \"tasks\": [] }");
    desk.git(&["add", "--all"]);
    desk.git(&["commit", "--quiet", "--message", "The queue"]);
    let hinted = |program: &str| {
        let ran = desk.ralph(&["queue", "list"]);
        let mut quoted = ran.exited(3).stderr.split('`');
        let command = quoted.find(|text| text.starts_with(program)).expect("a command");
        desk.sh(&format!("mkdir -p sub; cd sub; {command}")).success().stdout.clone()
    };
    desk.write(file, "{");
    assert!(hinted("git log -p").contains("The queue"));
    fs_err::remove_file(desk.path(file)).expect("it is there");
    hinted("git checkout");
    desk.ralph(&["queue", "list"]).success();
}

#[test]
fn git_is_named_only_where_it_has_the_queue() {
    let desk = Desk::new();
    let hint = |args: &[&str]| {
        let hint = desk.error(args, 3)["hint"].as_str().expect("text").to_owned();
        hint.strip_prefix("Correct it by hand; ").expect("that first").to_owned()
    };
    let path = ".ralph/queue.jsonc";
    let staged = desk.read(path);
    desk.write(path, "{");
    for args in [
        &["queue", "list"][..],
        &["undo"],
        &["undo", "--list"],
        &["queue", "changes", "--since", "x"],
    ] {
        assert_eq!(hint(args), "git has no copy of it.", "{args:?}");
    }
    desk.write(path, staged);
    desk.git(&["add", path]);
    desk.write(path, "{");
    assert!(hint(&["queue", "list"]).starts_with("`git diff "));
    desk.git(&["commit", "--quiet", "--message", "The queue"]);
    for broken in [&b"{"[..], b"\xff"] {
        desk.write(path, broken);
        for args in [["queue", "list"], ["queue", "validate"]] {
            assert!(hint(&args).starts_with("`git log -p "), "{args:?}");
        }
    }
}

#[test]
fn validate_names_the_way_out_of_conflict_markers_in_both_files() {
    let desk = Desk::bare();
    desk.ralph(&["init"]).success();
    for name in [".ralph/queue.jsonc", ".ralph/done.jsonc"] {
        desk.write(name, "<<<<<<< a\n{\"version\":1,\"tasks\":[]}\n=======\n{}\n>>>>>>> b\n");
    }
    let document = desk.ralph(&["queue", "validate", "--json"]);
    let document = parse(&document.exited(3).stdout);
    assert_eq!(document["errors_total"], 2, "{document}");
    assert_eq!(document["next"], "ralph queue resolve --dry-run", "{document}");
    let told = desk.ralph(&["queue", "validate"]).exited(3).stderr.clone();
    assert!(told.contains("ralph queue resolve --dry-run"), "{told}");
}

#[test]
fn wrong_usage_names_what_was_meant_and_never_to_go_past_a_refusal() {
    let desk = Desk::bare();
    for (line, meant) in [
        (&["queue", "lst"][..], Some("list")),
        (&["task", "done", "--notes", "x", "RQ-0001"], Some("--note")),
        (&["queue", "sort", "--order", "ascendin"], Some("ascending")),
        (&["queue", "validate", "--format", "json"], None),
        (&["queue", "repair", "--forc"], None),
    ] {
        let error = desk.error(line, 2);
        let similar = error["similar"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(similar.first().and_then(|it| it.as_str()), meant, "{error}");
        assert!(!error.to_string().contains("--force"), "{error}");
        let told = desk.ralph(line).exited(2).stderr.clone();
        assert!(!told.contains("--force"), "{told}");
    }
}
