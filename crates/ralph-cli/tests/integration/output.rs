//! stdout is data, stderr is talk; colour, `--json` and pipes that close.

use serde_json::json;

use crate::{Desk, RALPH, parse};

#[test]
fn version_and_help_need_no_repository() {
    let desk = Desk::bare();
    let version = format!("ralph {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(desk.ralph(&["version"]).success().stdout, version);
    assert_eq!(desk.ralph(&["--version"]).success().stdout, version);
    assert_eq!(desk.json(&["version"])["ralph_version"], env!("CARGO_PKG_VERSION"));
    let help = desk.ralph(&["help"]);
    for command in ["init", "task", "queue", "run", "config", "demo"] {
        assert!(help.success().stdout.contains(&format!("\n  {command} ")), "{help}");
    }
    assert!(desk.ralph(&["task", "add", "--help"]).success().stdout.contains("Examples:"));
}

#[test]
fn wrong_usage_exits_with_2_and_is_an_object_with_json() {
    let desk = Desk::bare();
    for args in [&["nonsense"][..], &["queue", "list", "--wrong"], &["task", "show"], &[]] {
        let ran = desk.ralph(args);
        assert_eq!(ran.exited(2).stdout, "", "{ran}");
    }
    let error = desk.error(&["queue", "lst"], 2);
    assert_eq!(error["code"], "usage");
    assert_eq!(error["message"], "unrecognized subcommand 'lst'");
    assert!(error["hint"].as_str().expect("text").contains("list"), "{error}");
    let ran = desk.ralph(&["task", "add", "--", "--json"]);
    assert!(!ran.stderr.starts_with('{'), "a title is no flag: {ran}");
}

#[test]
fn colour_is_for_terminals_or_when_asked_for() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let list =
        |args: &[&str]| desk.ralph(&[&["queue", "list"], args].concat()).success().stdout.clone();
    assert!(!list(&[]).contains('\u{1b}'));
    assert!(list(&["--color", "always"]).contains("\u{1b}[1mRQ-0001\u{1b}[0m"));
    assert!(!list(&["--color", "always", "--no-color"]).contains('\u{1b}'));
    for asked in [&["--help"][..], &["queue", "--no-such-option"]] {
        let colored = |color: &[&str]| {
            let ran = desk.ralph(&[color, asked].concat());
            (ran.stdout + &ran.stderr).contains('\u{1b}')
        };
        assert!(colored(&["--color", "always"]) && colored(&["--color=always"]));
        assert!(!colored(&["--color", "never"]) && !colored(&["--color=always", "--no-color"]));
    }
    let ran = desk.ralph(&["task", "show", "x", "--color", "always"]);
    assert!(ran.exited(2).stderr.contains("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m"), "{ran}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let desk = Desk::new();
    let tasks: Vec<_> = (1..=3000)
        .map(|number| json!({ "id": format!("RQ-{number:04}"), "title": "x".repeat(60) }))
        .collect();
    desk.write(".ralph/queue.jsonc", json!({ "version": 1, "tasks": tasks }).to_string());
    let ran = desk.sh("{ \"$RALPH\" queue list --all; echo \"exit $?\" >&2; } | head -n 1");
    assert_eq!(ran.success().stderr, "exit 0\n");
    assert!(ran.stdout.starts_with("RQ-0001"), "{ran}");
}

#[test]
fn rescued_work_in_a_pipe_is_what_git_applies() {
    let desk = Desk::new();
    desk.write("work", "a\tb\r\n\u{1b}\n");
    desk.git(&["add", "work"]);
    desk.git(&["commit", "--quiet", "--message", "Work"]);
    desk.git(&["update-ref", "refs/ralph/rescue/RQ-0001/1", "HEAD"]);
    desk.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    desk.sh("\"$RALPH\" rescue show RQ-0001 | git apply").success();
    assert_eq!(desk.read("work"), "a\tb\r\n\u{1b}\n");
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_makes_no_failure_a_success() {
    let desk = Desk::new();
    desk.write(".ralph/queue.jsonc", r#"{ "version": 1, "tasks": [{ "id": "RQ-0001" }] }"#);
    let left = "mkfifo left && exec 3<> left 4> left 3<&-;";
    for args in ["queue validate", "doctor --json"] {
        desk.sh(&format!("{left} \"$RALPH\" {args} >&4; e=$?; rm left; exit $e")).exited(3);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_stdout_is_an_error() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let ran = desk.sh("\"$RALPH\" queue list > /dev/full");
    assert!(ran.exited(1).stderr.starts_with("error: cannot write to standard output\n"), "{ran}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let desk = Desk::new();
    desk.sh("RALPH_LOG=trace \"$RALPH\" rescue list 2> /dev/full").success();
}

#[test]
fn a_working_directory_that_is_gone_is_said() {
    let desk = Desk::new();
    let ran = desk.sh("mkdir gone && cd gone && rmdir ../gone && \"$RALPH\" queue list");
    assert!(
        ran.exited(1).stderr.starts_with("error: the working directory cannot be read\n"),
        "{ran}"
    );
    assert!(ran.stderr.contains("hint: "), "{ran}");
}

#[test]
fn an_error_has_its_causes_and_its_hint_on_lines_of_their_own() {
    let desk = Desk::with_queue("{");
    let ran = desk.ralph(&["queue", "list"]);
    let lines: Vec<&str> = ran.exited(3).stderr.lines().collect();
    assert!(lines[0].starts_with("error: cannot read `"), "{ran}");
    assert!(lines[1].starts_with("  caused by: "), "{ran}");
    assert!(lines[2].starts_with("hint: "), "{ran}");
    let object = parse(&desk.ralph(&["queue", "list", "--json"]).exited(3).stderr);
    let keys: Vec<&String> = object["error"].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["code", "hint", "message", "path", "retryable"]);
}

#[test]
fn the_next_command_of_an_error_goes_to_the_repository_that_was_named() {
    let desk = Desk::new();
    desk.add("one", &[]);
    let elsewhere = desk.dir.parent().expect("a sandbox").to_owned();
    let link = elsewhere.join("it's here");
    std::os::unix::fs::symlink(&desk.dir, &link).expect("a link");
    let named = ["-C", "it's here", "task", "show", "NONE", "--json"];
    let ran = desk.sandbox.run(RALPH, &elsewhere, named);
    let next = parse(&ran.exited(2).stderr)["error"]["next"].clone();
    let next = next.as_str().and_then(|next| next.strip_prefix("ralph ")).expect("a command");
    let command = format!("'{RALPH}' {next}");
    let ran = desk.sandbox.run("sh", &elsewhere, ["-c", &command]);
    assert!(ran.success().stdout.contains("RQ-0001"), "{command}: {ran}");
}
