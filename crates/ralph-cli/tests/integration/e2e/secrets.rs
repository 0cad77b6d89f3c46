//! Secrets that agents and gates print are kept to their raw output.

use super::{Books, PATIENCE, Remote, Scene};

/// Fails with a secret in its reason, the second time with work that the gate fails on.
const SCRIPT: &str = r#"{ "version": 1, "turns": [
  { "when": { "turn": 1 }, "steps": [
    { "event": { "type": "final", "outcome": "failed", "reason": "boom sk-ant-api03-AAAAAAAA" } },
    { "exit": 1 } ] },
  { "steps": [
    { "write": { "path": "red.txt", "text": "UNFINISHED API_TOKEN=hunter2hunter2\n" } },
    { "event": { "type": "final", "outcome": "failed", "reason": "no hunter2hunter2" } },
    { "exit": 1 } ] }
] }"#;

#[test]
fn no_secret_is_told_recorded_or_given_to_the_next_turn() {
    for parallel in [&["--parallel", "1"][..], &[]] {
        let scene = Scene::new(Remote::None, Books::Tracked);
        scene.tasks(1);
        let script = scene.sandbox.write("leaks.json", SCRIPT);
        let mut command = scene.sandbox.command(super::super::RALPH, &scene.dir);
        command.args(["run", "loop", "--runner"]).arg(format!("scripted:{}", script.display()));
        command.args(parallel).env("NPM_TOKEN", "hunter2hunter2");
        let ran = scene.sandbox.start_command(command).wait(PATIENCE);
        ran.exited(1);
        assert!(ran.stderr.contains("no [redacted]"), "{ran}");
        // A parallel run looks at its records now and then: an attempt can pass between two
        // looks, but not out of its worker's log.
        let told = scene.sandbox.run("grep", &scene.dir, ["-rl", "boom \\[redacted\\]", ".ralph"]);
        assert!(told.code == Some(0), "{ran}{told}");
        let files =
            scene.sandbox.run("grep", &scene.dir, ["-rlE", "AAAAAAAA|hunter2hunter2", ".ralph"]);
        let leaks: Vec<_> =
            files.stdout.lines().filter(|file| !file.ends_with("/stdout")).collect();
        assert_eq!(leaks, Vec::<&str>::new());
        assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"), "{ran}");
    }
}
