//! A file of an older format becomes one of the present format, and stays the user's text.

use std::path::Path;

use expect_test::{Expect, expect};
use ralph_config::migrate::{Change, migrate};
use ralph_config::{ConfigError, Overrides, Sources};
use ralph_state::document::Newer;

const PATH: &str = "config.jsonc";

/// Checks the new text and the changes; a second time there is nothing to do.
#[track_caller]
fn check(text: &str, expected: &Expect) {
    let migration = migrate(Path::new(PATH), text.as_bytes()).expect("a configuration");
    let migration = migration.expect("there is something to do");
    let again = migrate(Path::new(PATH), migration.text.as_bytes()).expect("a configuration");
    assert_eq!(again, None, "{}", migration.text);
    let changes: Vec<String> = migration.changes.iter().map(shown).collect();
    expected.assert_eq(&format!("{}\n---\n{}\n", migration.text, changes.join("\n")));
}

fn shown(change: &Change) -> String {
    match change {
        Change::Version => "version".to_owned(),
        Change::Moved { key, to } => format!("{key} -> {to}"),
        Change::Superseded { key, by, value } => format!("{key} = {value}, but {by}"),
        Change::Gone { key, value } => format!("{key} = {value} is gone"),
        other => format!("{other:?}"),
    }
}

#[test]
fn everything_of_0_3_moves_and_comments_stay() {
    check(
        r#"// mine
{
  // the format
  "version": 1,
  "agent": {
    // publish it
    "git_commit_push_enabled": true, // always
    "ci_gate_command": "make ci",
    "update_task_before_run": false,
    "ci_gate_enabled": true,
    "phases": 2,
  },
  "parallel": {
    'worktree_root': "/w", // beside
    "auto_pr": true,
    "merge_method": "squash",
    "workers": 3
  },
  "profiles": { "fast": { "git_commit_push_enabled": false } },
}
"#,
        &expect![[r#"
            // mine
            {
              // the format
              "version": 2,
              "agent": {
                // publish it
                "git_publish_mode": "commit_and_push", // always
                "ci_gate": {
                  "argv": ["make", "ci"],
                  "enabled": true
                },
                "phases": 2,
              },
              "parallel": {
                "workspace_root": "/w", // beside
                "workers": 3
              },
              "profiles": { "fast": { "git_publish_mode": "off" } },
            }

            ---
            version
            agent.git_commit_push_enabled -> agent.git_publish_mode
            agent.ci_gate_command -> agent.ci_gate.argv
            agent.update_task_before_run = false is gone
            agent.ci_gate_enabled -> agent.ci_gate.enabled
            parallel.worktree_root -> parallel.workspace_root
            parallel.auto_pr = true is gone
            parallel.merge_method = "squash" is gone
            profiles.fast.git_commit_push_enabled -> profiles.fast.git_publish_mode
        "#]],
    );
}

#[test]
fn a_key_of_today_wins() {
    check(
        r#"{ "version": 2, "agent": { "ci_gate_command": "make old", "ci_gate": { "argv": ["make", "new"] }, "ci_gate_enabled": false } }"#,
        &expect![[r#"
            { "version": 2, "agent": { "ci_gate": {
                  "argv": ["make", "new"],
                  "enabled": false
                } } }
            ---
            agent.ci_gate_command = "make old", but agent.ci_gate.argv
            agent.ci_gate_enabled -> agent.ci_gate.enabled
        "#]],
    );
    check(
        r#"{ "version": 2, "agent": { "git_publish_mode": null, "git_commit_push_enabled": false } }"#,
        &expect![[r#"
            { "version": 2, "agent": { "git_publish_mode": "off" } }
            ---
            agent.git_commit_push_enabled -> agent.git_publish_mode
        "#]],
    );
}

#[test]
fn line_ends_and_a_byte_order_mark_stay() {
    let text =
        "\u{feff}{\r\n  // a\r\n  \"agent\": {\r\n    \"ci_gate_enabled\": false\r\n  }\r\n}\r\n";
    let migration = migrate(Path::new(PATH), text.as_bytes()).expect("a configuration");
    let text = migration.expect("there is something to do").text;
    assert!(text.starts_with('\u{feff}') && text.contains("// a\r\n"), "{text:?}");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text:?}");
}

#[test]
fn a_file_of_the_present_format_is_left_alone() {
    let text = r#"{ "version": 2, "agent": { "phases": 1, "ci_gate_command": null }, "mine": 1 }"#;
    assert_eq!(migrate(Path::new(PATH), text.as_bytes()).expect("a configuration"), None);
}

#[test]
fn what_cannot_be_carried_is_refused() {
    for line in ["make && make test", "CI=1 make"] {
        let shell = format!(r#"{{ "version": 1, "agent": {{ "ci_gate_command": "{line}" }} }}"#);
        let error = migrate(Path::new(PATH), shell.as_bytes()).expect_err("a shell line");
        assert!(matches!(error, ConfigError::Invalid { .. }), "{error}");
    }
    let newer = migrate(Path::new(PATH), b"{ \"version\": 9 }").expect_err("newer");
    let expected = Newer { found: 9, supported: 2 };
    assert!(matches!(newer, ConfigError::Newer { source, .. } if source == expected), "{newer}");
}

/// Every old file of the goldens says the same afterwards.
#[test]
fn the_configuration_in_effect_is_the_same() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/valid");
    let dir = tempfile::tempdir().expect("a directory");
    let mut migrated = 0;
    for entry in fs_err::read_dir(goldens).expect("goldens") {
        let project = entry.expect("readable").path().join("project.jsonc");
        let Ok(bytes) = fs_err::read(&project) else { continue };
        let Ok(Some(migration)) = migrate(&project, &bytes) else { continue };
        migrated += 1;
        let path = dir.path().join("config.jsonc");
        let config = |text: &[u8]| {
            fs_err::write(&path, text).expect("writable");
            let sources = Sources { global: None, project: path.clone() };
            ralph_config::load(&sources, &Overrides::default()).expect("valid").document
        };
        assert_eq!(config(&bytes), config(migration.text.as_bytes()), "{}", project.display());
    }
    assert!(migrated >= 3, "{migrated}");
}
