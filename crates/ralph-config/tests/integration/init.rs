//! The first configuration of a project.

use expect_test::{Expect, expect};
use ralph_config::{
    Config, Finish, GitPublishMode, InitChoices, Overrides, Sources, init_text, load,
};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn check(choices: &InitChoices, expected: &Expect) -> Config {
    let text = init_text(choices);
    expected.assert_eq(&text);
    let directory = tempfile::tempdir().unwrap();
    let project = directory.path().join("config.jsonc");
    fs_err::write(&project, text).unwrap();
    let sources = Sources { global: None, project };
    let resolved = load(&sources, &Overrides::default()).unwrap();
    assert_eq!(resolved.warnings, []);
    assert_eq!(resolved.config.queue.finish, Finish::InPlace);
    assert_eq!(resolved.config.agent.git_publish_mode, GitPublishMode::Commit);
    resolved.config
}

#[test]
fn with_nothing_known() {
    let config = check(
        &InitChoices::default(),
        &expect![[r#"
            // Ralph's configuration for this project. `ralph config show` tells every key,
            // its value and where the value comes from. After a change of what programs are named
            // here: `ralph config trust init`; before that no run starts them.
            {
              "version": 2,
              "queue": {
                // "in_place" keeps finished tasks in the queue, "archive" moves them to the done file.
                "finish": "in_place",
              },
              "agent": {
                // The agent that does the work: "claude", "codex", "gemini", "opencode" or "command".
                // Without this line it is the first one found on PATH.
                // "runner": "claude",
                // What the runner "command" runs: program and arguments. The prompt comes on stdin.
                // "command": { "argv": ["./agent.sh"] },
                // What claude may do unasked: "accept_edits" changes files, "bypass_permissions" runs
                // commands as well.
                // "claude_permission_mode": "bypass_permissions",
                // What must be green before work lands. Program and arguments, no shell line.
                "ci_gate": { "enabled": false }, // e.g. { "enabled": true, "argv": ["make", "ci"] }
                // What becomes of finished work: "commit", "commit_and_push" or "off".
                "git_publish_mode": "commit",
              },
            }
        "#]],
    );
    assert!(!config.agent.ci_gate.enabled);
    assert_eq!(config.agent.runner, None);
    assert_eq!(config.agent.command, None);
}

#[test]
fn with_everything_known() {
    let choices = InitChoices {
        schema: Some("./schema/config.json".to_owned()),
        gate: Some(words(&["cargo", "test", "--", "a \"quoted\" name"])),
        runner: Some("command".to_owned()),
        command: Some(words(&["./agent.sh", "C:\\new"])),
    };
    let config = check(
        &choices,
        &expect![[r#"
            // Ralph's configuration for this project. `ralph config show` tells every key,
            // its value and where the value comes from. After a change of what programs are named
            // here: `ralph config trust init`; before that no run starts them.
            {
              "$schema": "./schema/config.json",
              "version": 2,
              "queue": {
                // "in_place" keeps finished tasks in the queue, "archive" moves them to the done file.
                "finish": "in_place",
              },
              "agent": {
                // The agent that does the work: "claude", "codex", "gemini", "opencode" or "command".
                // Without this line it is the first one found on PATH.
                "runner": "command",
                // What the runner "command" runs: program and arguments. The prompt comes on stdin.
                "command": { "argv": ["./agent.sh", "C:\\new"] },
                // What claude may do unasked: "accept_edits" changes files, "bypass_permissions" runs
                // commands as well.
                // "claude_permission_mode": "bypass_permissions",
                // What must be green before work lands. Program and arguments, no shell line.
                "ci_gate": { "enabled": true, "argv": ["cargo", "test", "--", "a \"quoted\" name"] },
                // What becomes of finished work: "commit", "commit_and_push" or "off".
                "git_publish_mode": "commit",
              },
            }
        "#]],
    );
    assert!(config.agent.ci_gate.enabled);
    assert_eq!(Some(config.agent.ci_gate.argv), choices.gate);
    assert_eq!(config.agent.runner, choices.runner);
    assert_eq!(config.agent.command.map(|command| command.argv), choices.command);
}
