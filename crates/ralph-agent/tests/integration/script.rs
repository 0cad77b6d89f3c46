//! Scripts, played and recorded.

use std::path::{Path, PathBuf};

use ralph_agent::{
    Ending, Outcome, Parser, Programs, Runner, ScriptError, Stage, Taken, When, play, record,
};
use tempfile::TempDir;

/// What a script printed on stdout and stderr, and its exit code.
fn perform(script: &Path, dir: &Path, when: When) -> Result<(String, String, i32), ScriptError> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut stage = Stage { dir, when, orphan: &[], out: &mut out, err: &mut err };
    let code = play(script, &mut stage)?;
    Ok((String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code))
}

fn script(dir: &TempDir, text: &str) -> PathBuf {
    let path = dir.path().join("script.json");
    fs_err::write(&path, text).unwrap();
    path
}

fn turn(task: &str, turn: u32) -> When {
    When { task: Some(task.to_owned()), turn: Some(turn), ..When::default() }
}

#[test]
fn the_first_scene_that_fits_is_played() {
    let dir = tempfile::tempdir().unwrap();
    let path = script(
        &dir,
        r#"{ "version": 1, "turns": [
            { "when": { "task": "RQ-1", "turn": 2 }, "steps": [{ "err": "again" }, { "exit": 3 }] },
            { "when": { "task": "RQ-1" }, "steps": [
                { "write": { "path": "a/b.txt", "text": "b" } },
                { "event": { "type": "text", "text": "done" } },
                { "out": "{\"cut" }, { "fill": 3 } ] } ] }"#,
    );
    let first = perform(&path, dir.path(), turn("RQ-1", 1)).unwrap();
    assert_eq!(first.0, "{\"text\":\"done\",\"type\":\"text\"}\n{\"cutxxx");
    assert_eq!(fs_err::read_to_string(dir.path().join("a/b.txt")).unwrap(), "b");
    let second = perform(&path, dir.path(), turn("RQ-1", 2)).unwrap();
    assert_eq!(second, (String::new(), "again".to_owned(), 3));
    let none = perform(&path, dir.path(), turn("RQ-2", 1)).unwrap_err();
    assert_eq!(
        none.to_string(),
        "the script has no turn for task RQ-2, phase any, attempt any, turn 1"
    );
}

#[test]
fn a_script_writes_nothing_outside_of_the_work_tree() {
    let dir = tempfile::tempdir().unwrap();
    for path in ["/tmp/x", "../x", "a/../../x"] {
        let text = format!(
            r#"{{"version":1,"turns":[{{"steps":[{{"write":{{"path":"{path}","text":""}}}}]}}]}}"#
        );
        let refused = perform(&script(&dir, &text), dir.path(), When::default());
        assert!(matches!(refused, Err(ScriptError::Outside { .. })), "{refused:?}");
    }
}

#[test]
fn what_is_no_script_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let error = |text: &str| perform(&script(&dir, text), dir.path(), When::default()).unwrap_err();
    assert!(matches!(error("{"), ScriptError::Invalid { .. }));
    assert!(matches!(error(r#"{"version":2,"turns":[]}"#), ScriptError::Newer { found: 2 }));
    let gone = perform(Path::new("/nonexistent"), dir.path(), When::default()).unwrap_err();
    assert!(matches!(gone, ScriptError::Read { .. }));
}

#[test]
fn what_was_recorded_is_played_again() {
    let root = tempfile::tempdir().unwrap();
    let [files, work, recording, again] =
        ["files", "work", "recording", "again"].map(|name| root.path().join(name));
    for dir in [&files, &work, &again] {
        fs_err::create_dir(dir).unwrap();
    }
    let stream = r#"{"type":"thread.started","thread_id":"0199"}
{"type":"item.completed","item":{"type":"agent_message","text":"done"}}
{"type":"turn.completed"}
"#;
    fs_err::write(files.join("stdout"), stream).unwrap();
    fs_err::write(files.join("stderr"), "noise").unwrap();
    fs_err::write(work.join("new.txt"), "new").unwrap();
    fs_err::write(again.join("old.txt"), "old").unwrap();
    let programs = Programs {
        bins: [("codex".to_owned(), "/bin/sh".to_owned())].into(),
        ..Programs::default()
    };
    let runner = Runner::resolve("codex", &programs).unwrap();
    for number in [1, 2] {
        let taken = Taken {
            runner: &runner,
            when: turn("RQ-1", number),
            files: &files,
            ending: Ending::Code(i32::try_from(number).unwrap() - 1),
            dir: &work,
            changed: &["new.txt".into(), "old.txt".into()],
        };
        record(&recording, taken).unwrap();
    }

    let (out, err, code) = perform(&recording, &again, turn("RQ-1", 1)).unwrap();
    assert_eq!((err.as_str(), code), ("noise", 0));
    assert_eq!(fs_err::read_to_string(again.join("new.txt")).unwrap(), "new");
    assert!(!again.join("old.txt").exists());
    let mut parser = Parser::new("codex").unwrap();
    parser.feed(out.as_bytes(), &mut |_| {});
    assert_eq!(parser.finish(Ending::Code(code), &err, &mut |_| {}).outcome, Outcome::Succeeded);
}
