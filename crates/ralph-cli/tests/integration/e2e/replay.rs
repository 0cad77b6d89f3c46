//! A run that is recorded and played again, with a turn that fails before one that does not.

use super::{Books, PATIENCE, Remote, Scene};

/// Fails the first turn of each task and goes on with its session in the next.
const AGENT: &str = r#"cat > /dev/null
echo "{\"type\":\"thread.started\",\"thread_id\":\"of-$RALPH_TASK_ID\"}"
if [ "$RALPH_ATTEMPT" = 1 ]; then
    echo half > "$RALPH_TASK_ID"
    echo '{"type":"turn.failed","error":{"message":"it broke"}}'
    exit 1
fi
case "$*" in *"resume of-$RALPH_TASK_ID"*) echo whole > "$RALPH_TASK_ID" ;; esac
echo '{"type":"item.completed","item":{"type":"agent_message","text":"done"}}'
echo '{"type":"turn.completed","usage":{"input_tokens":900,"output_tokens":100}}'"#;

fn scene() -> Scene {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let codex = scene.sandbox.script("bin/codex", AGENT);
    scene.configure(&format!(r#""codex_bin": "{}""#, codex.display()));
    scene.ralph(&["config", "trust", "init"]).success();
    scene.tasks(2);
    scene
}

#[test]
fn a_task_that_failed_at_first_is_played_again_to_its_landing() {
    for recorded in [&["--parallel", "2"][..], &[]] {
        let scene = scene();
        let recording = scene.sandbox.path("recording");
        let to = recording.to_str().expect("text");
        let run = ["run", "loop", "--runner", "codex", "--record", to];
        scene.start(&[&run, recorded].concat()).wait(PATIENCE).exited(0);
        scene.all_landed(2);
        for played in [&["--parallel", "2"][..], &[]] {
            let again = self::scene();
            let script = format!("scripted:{to}");
            let run = ["run", "loop", "--json", "--runner", &script];
            let ran = again.start(&[&run, played].concat()).wait(PATIENCE);
            ran.exited(0);
            let summary = super::super::parse(&ran.stdout);
            assert_eq!(summary["tasks"][0]["attempts"], 2, "{summary}");
            again.all_landed(2);
            for task in ["RQ-0001", "RQ-0002"] {
                assert_eq!(again.git(&["show", &format!("HEAD:{task}")]).trim(), "whole");
            }
        }
    }
}
