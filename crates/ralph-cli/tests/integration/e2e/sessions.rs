//! Agents whose session is gone when the next attempt asks for it.

use super::{Books, PATIENCE, Remote, Scene};

/// Fails in its first turn, has no session to resume in its second, and works in its third.
const CODEX: &str = r#"cat > /dev/null
echo "$*" >> "$LOG"
case "$*" in *resume*)
    echo "Error: thread/resume: thread/resume failed: no rollout found for thread id 1 (code -32600)" >&2
    exit 1 ;;
esac
echo '{"type":"thread.started","thread_id":"1"}'
if [ "$(wc -l < "$LOG")" = 1 ]; then
    echo '{"type":"turn.failed","error":{"message":"it broke"}}'
    exit 1
fi
mkdir -p work; echo done > work/done.txt
echo '{"type":"item.completed","item":{"type":"agent_message","text":"done"}}'
echo '{"type":"turn.completed"}'"#;

/// The same as claude tells it, which names the session that it did not find.
const CLAUDE: &str = r#"{ "version": 1, "runner": "claude", "turns": [
  { "when": { "turn": 1 }, "steps": [
    { "event": { "type": "system", "subtype": "init", "session_id": "s1" } },
    { "event": { "type": "result", "subtype": "success", "is_error": true, "session_id": "s1",
                 "result": "It broke" } },
    { "exit": 1 } ] },
  { "when": { "turn": 2 }, "steps": [
    { "event": { "type": "result", "subtype": "error_during_execution", "is_error": true,
                 "session_id": "s1", "errors": ["No conversation found with session ID: s1"] } },
    { "exit": 1 } ] },
  { "when": { "turn": 3, "attempt": 2 }, "steps": [
    { "write": { "path": "work/done.txt", "text": "done\n" } },
    { "event": { "type": "system", "subtype": "init", "session_id": "s2" } },
    { "event": { "type": "result", "subtype": "success", "is_error": false, "session_id": "s2",
                 "result": "done" } } ] }
] }"#;

/// A run of one task that may be attempted twice.
fn scene() -> (Scene, String) {
    let scene = Scene::new(Remote::None, Books::Tracked);
    scene.configure(r#""runner_retry": { "max_attempts": 2, "base_backoff_ms": 1 }"#);
    scene.tasks(1);
    let script = scene.sandbox.write("claude.json", CLAUDE);
    (scene, format!("scripted:{}", script.display()))
}

#[track_caller]
fn lands(scene: &Scene, args: &[&str]) {
    let [agents, log] = ["agents", "log/codex"].map(|path| scene.sandbox.path(path));
    let script = r#"PATH="$AGENTS:$PATH" exec "$0" run loop "$@""#;
    let mut command = scene.sandbox.command("sh", &scene.dir);
    command.args(["-c", script, super::super::RALPH]).args(args);
    command.env("AGENTS", agents).env("LOG", log);
    scene.sandbox.start_command(command).wait(PATIENCE).success();
    assert_eq!(scene.on_target("work/done.txt"), "done");
}

#[test]
fn a_lost_session_is_begun_anew_and_costs_no_attempt() {
    let (scene, claude) = scene();
    lands(&scene, &["--parallel", "1", "--runner", &claude]);
    let record = &scene.records()[0];
    assert_eq!((&record["attempt"], &record["agent_turns"]), (&2.into(), &3.into()), "{record}");
    assert_eq!(record["session_id"], "s2", "{record}");
}

#[test]
fn a_serial_run_does_the_same() {
    let (scene, claude) = scene();
    lands(&scene, &["--runner", &claude]);
}

#[test]
fn codex_is_asked_to_resume_once() {
    for parallel in [&["--parallel", "1"][..], &[]] {
        let (scene, _) = scene();
        scene.sandbox.script("agents/codex", CODEX);
        lands(&scene, &[parallel, &["--runner", "codex"]].concat());
        let asked = scene.log("codex");
        let resumed: Vec<bool> = asked.iter().map(|args| args.contains("resume")).collect();
        assert_eq!(resumed, [false, true, false], "{asked:?}");
    }
}

#[test]
fn another_agent_that_goes_on_with_a_task_is_not_given_the_session_of_the_first() {
    let (scene, claude) = scene();
    scene.killed_at("serial.turned", "self\n", &["run", "loop", "--runner", &claude]);
    let works = CODEX.replace("= 1 ]", "= 0 ]");
    scene.sandbox.script("agents/codex", &works);
    lands(&scene, &["--runner", "codex"]);
    let asked = scene.log("codex");
    assert!(asked.len() == 1 && !asked[0].contains("resume"), "{asked:?}");
}
