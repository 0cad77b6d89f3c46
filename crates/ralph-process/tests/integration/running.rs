//! From the start of a child to its own end.

use std::time::Instant;

use ralph_process::{Cancel, Command, Exit, Input, Output, SpawnError, identity_of, run, spawn};
use ralph_testkit::{Sandbox, wait_until};

use crate::{FOR_EVER, pid_in, sh};

#[test]
fn output_exit_and_time_are_reported() {
    let sandbox = Sandbox::new();
    let script = "echo out; echo err >&2; pwd; echo $PWD; exit 3";
    let finished = run(&sh(&sandbox, script), Some(FOR_EVER), &Cancel::new()).unwrap();
    let root = sandbox.root().display();
    assert_eq!(finished.exit, Exit::Code(3));
    assert_eq!(finished.stdout.text(), format!("out\n{root}\n{root}\n"));
    assert_eq!(finished.stderr.text(), "err\n");
    assert!(!finished.stdout.is_cut());
    assert!(finished.wall < FOR_EVER);
    assert!(finished.survivors.is_empty());

    let killed = run(&sh(&sandbox, "kill -9 $$"), None, &Cancel::new()).unwrap();
    assert_eq!(killed.exit, Exit::Signal(9));
    assert_eq!(killed.exit.to_string(), "killed by signal 9");
}

/// As the system does with who asks for a password at `/dev/tty`.
#[test]
fn who_is_halted_at_the_terminal_is_ended() {
    let sandbox = Sandbox::new();
    for signal in ["TTIN", "TTOU"] {
        let script = format!("kill -{signal} $$; exit 3");
        let finished = run(&sh(&sandbox, &script), Some(FOR_EVER), &Cancel::new()).unwrap();
        assert_eq!(finished.exit, Exit::Asked, "{signal}");
    }
}

#[test]
fn five_megabytes_on_both_streams_arrive_whole() {
    let sandbox = Sandbox::new();
    let script = "head -c 5242880 /dev/zero & head -c 5242880 /dev/zero >&2; wait";
    let finished = run(&sh(&sandbox, script), Some(FOR_EVER), &Cancel::new()).unwrap();
    assert_eq!(finished.stdout.total, 5 << 20);
    assert_eq!(finished.stdout.bytes.len(), 5 << 20);
    assert_eq!(finished.stderr.total, 5 << 20);
}

#[test]
fn a_limited_capture_keeps_the_end() {
    let sandbox = Sandbox::new();
    let script = "head -c 300000 /dev/zero; printf 'the end'";
    let command = sh(&sandbox, script).stdout(Output::Capture { limit: 10 });
    let finished = run(&command, Some(FOR_EVER), &Cancel::new()).unwrap();
    assert_eq!(finished.stdout.bytes, b"\0\0\0the end");
    assert_eq!(finished.stdout.total, 300_007);
    assert!(finished.stdout.is_cut());
}

#[test]
fn input_comes_from_bytes_a_file_or_nowhere() {
    let sandbox = Sandbox::new();
    let megabyte = vec![b'x'; 1 << 20];
    let file = sandbox.write("input", "from a file");
    let check = |input: Input, expected: &str| {
        let finished = run(&sh(&sandbox, "wc -c").stdin(input), Some(FOR_EVER), &Cancel::new());
        assert_eq!(finished.unwrap().stdout.text().trim(), expected);
    };
    check(Input::Bytes(megabyte), "1048576");
    check(Input::File(file), "11");
    check(Input::Null, "0");
}

#[test]
fn a_child_that_never_reads_its_input_ends() {
    let sandbox = Sandbox::new();
    let command = sh(&sandbox, "exit 4").stdin(Input::Bytes(vec![b'x'; 1 << 20]));
    let finished = run(&command, Some(FOR_EVER), &Cancel::new()).unwrap();
    assert_eq!(finished.exit, Exit::Code(4));
}

#[test]
fn a_grandchild_that_holds_the_pipes_holds_nobody_up() {
    let sandbox = Sandbox::new();
    let script = "echo before; sleep 600 & echo $! >pid; echo after";
    let begun = Instant::now();
    let finished = run(&sh(&sandbox, script), None, &Cancel::new()).unwrap();
    assert!(begun.elapsed() < FOR_EVER);
    assert_eq!(finished.exit, Exit::Code(0));
    assert_eq!(finished.stdout.text(), "before\nafter\n");
    // The child ended on its own: what it left in the background is not ours to end.
    assert!(identity_of(pid_in(&sandbox.path("pid"))).is_some());
}

#[test]
fn a_grandchild_that_never_stops_writing_holds_nobody_up() {
    let sandbox = Sandbox::new();
    let script = "head -c 50000 /dev/zero; yes & exit 0";
    let finished = run(&sh(&sandbox, script), None, &Cancel::new()).unwrap();
    assert_eq!(finished.exit, Exit::Code(0));
    assert!(finished.stdout.total >= 50_000);
}

#[test]
fn files_are_appended_to_or_emptied_first() {
    let sandbox = Sandbox::new();
    let log = sandbox.write("log", "old\n");
    let check = |output: Output, expected: &str| {
        let command = sh(&sandbox, "echo new").stdout(output);
        let finished = run(&command, Some(FOR_EVER), &Cancel::new()).unwrap();
        assert!(finished.stdout.bytes.is_empty());
        assert_eq!(fs_err::read_to_string(&log).unwrap(), expected);
    };
    check(Output::Append(log.clone()), "old\nnew\n");
    check(Output::Truncate(log.clone()), "new\n");
}

#[test]
fn a_child_that_cannot_start_says_why() {
    let sandbox = Sandbox::new();
    sandbox.write("text", "no program");
    sandbox.script("no-interpreter", "true");
    let orphan = sandbox.path("no-interpreter");
    let text = fs_err::read_to_string(&orphan).unwrap().replace("/bin/sh", "/no/such/sh");
    fs_err::write(&orphan, text).unwrap();
    let start = |command: Command| spawn(&command).map(drop).unwrap_err();
    let named = |program: &str| Command::new(program, sandbox.root());

    assert!(matches!(start(named("no-such-program-1")), SpawnError::NotFound { .. }));
    let missing = start(named("./missing"));
    let SpawnError::NotFound { program } = &missing else { panic!("{missing:?}") };
    assert_eq!(*program, sandbox.path("missing"), "what was looked for");
    assert!(matches!(start(named("./text")), SpawnError::NotExecutable { .. }));
    assert!(matches!(start(named("./no-interpreter")), SpawnError::NotExecutable { .. }));
    assert!(matches!(start(named("/")), SpawnError::NotExecutable { .. }));
    let nowhere = Command::new("true", sandbox.path("nowhere"));
    assert!(matches!(start(nowhere), SpawnError::Directory { .. }));
    assert!(matches!(
        start(Command::new("true", sandbox.path("text"))),
        SpawnError::Directory { .. }
    ));
    let no_log = named("true").stdout(Output::Append(sandbox.path("no/such/dir/log")));
    assert!(matches!(start(no_log), SpawnError::Output { .. }));
    let no_input = named("true").stdin(Input::File(sandbox.path("missing")));
    assert!(matches!(start(no_input), SpawnError::Input { .. }));
    let long = named("true").arg("x".repeat(8 << 20));
    assert!(matches!(start(long), SpawnError::TooLong { .. }));
}

#[test]
fn a_relative_program_is_meant_from_the_childs_directory() {
    let sandbox = Sandbox::new();
    sandbox.script("bin/tool", "echo found");
    let command =
        Command::new("bin/tool", sandbox.root()).stdout(Output::Capture { limit: usize::MAX });
    let finished = run(&command, Some(FOR_EVER), &Cancel::new()).unwrap();
    assert_eq!(finished.stdout.text(), "found\n");
}

#[test]
fn the_environment_is_what_was_asked_for() {
    let sandbox = Sandbox::new();
    let command = sh(&sandbox, "echo $ONE-$TWO-${CARGO_PKG_NAME-none}-$RALPH_PROCESS_MARKER")
        .env("ONE", "1")
        .env("TWO", "2")
        .env("TWO", "zwei")
        .marker("run/7");
    let finished = run(&command, Some(FOR_EVER), &Cancel::new()).unwrap();
    assert_eq!(finished.stdout.text(), "1-zwei-none-run/7\n");

    let removed = Command::new("sh", sandbox.root())
        .args(["-c", "echo ${CARGO_PKG_NAME-none}"])
        .env_remove("CARGO_PKG_NAME")
        .stdout(Output::Capture { limit: 100 });
    let finished = run(&removed, Some(FOR_EVER), &Cancel::new()).unwrap();
    assert_eq!(finished.stdout.text(), "none\n");
}

#[test]
fn a_spawned_child_is_known_and_waited_for() {
    let sandbox = Sandbox::new();
    let command = sh(&sandbox, "while [ ! -e go ]; do sleep 0.01; done; exit 5");
    let mut child = spawn(&command).unwrap();
    let identity = child.identity().clone();
    assert_eq!(identity_of(identity.pid), Some(identity.clone()));
    assert_eq!(child.try_wait().unwrap(), None);
    sandbox.write("go", "");
    assert_eq!(child.wait(), Exit::Code(5));
    assert_eq!(child.wait(), Exit::Code(5));
    assert_eq!(child.try_wait().unwrap(), Some(Exit::Code(5)));
    assert!(!ralph_process::is_alive(&identity));
}

#[test]
fn a_zombie_does_not_live() {
    let sandbox = Sandbox::new();
    let child = spawn(&sh(&sandbox, "exit 0")).unwrap();
    let identity = child.identity().clone();
    // Nobody has waited for it: its number is still taken.
    wait_until(FOR_EVER, "the child to end", || !ralph_process::is_alive(&identity));
    drop(child);
}
