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
    let runner = codex();
    for number in [1, 2] {
        let taken = Taken {
            runner: &runner,
            when: turn("RQ-1", number),
            claim: None,
            files: &files,
            ending: Ending::Code(i32::try_from(number).unwrap() - 1),
            dir: &work,
            changed: &["new.txt".into(), "old.txt".into()].into(),
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

fn codex() -> Runner {
    let bins = [("codex".to_owned(), "/bin/sh".to_owned())].into();
    Runner::resolve("codex", &Programs { bins, ..Programs::default() }).unwrap()
}

/// Turns, recorded and played in directories of their own.
struct Recorder {
    root: TempDir,
}

impl Recorder {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for dir in ["files", "work", "again"] {
            fs_err::create_dir(root.path().join(dir)).unwrap();
        }
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn record(&self, when: When, said: &str, ending: Ending, changed: &[&str]) {
        self.record_of("c1", (when, said, ending), changed);
    }

    fn record_of(&self, claim: &str, what: (When, &str, Ending), changed: &[&str]) {
        let (when, said, ending) = what;
        fs_err::write(self.path("files/stdout"), said).unwrap();
        fs_err::write(self.path("files/stderr"), "").unwrap();
        let taken = Taken {
            runner: &codex(),
            when,
            claim: Some(claim),
            files: &self.path("files"),
            ending,
            dir: &self.path("work"),
            changed: &changed.iter().map(PathBuf::from).collect(),
        };
        record(&self.path("recording"), taken).unwrap();
    }

    /// What is printed in this turn of a fresh run.
    fn said(&self, when: When) -> Option<String> {
        perform(&self.path("recording"), &self.path("again"), when).ok().map(|it| it.0)
    }
}

#[test]
fn symlinks_and_what_changed_its_kind_are_played_again() {
    use std::os::unix::fs::symlink;

    let stage = Recorder::new();
    let outside = stage.path("outside");
    fs_err::write(&outside, "mine").unwrap();
    fs_err::create_dir_all(stage.path("work/was-file")).unwrap();
    fs_err::write(stage.path("work/was-file/inner"), "inner").unwrap();
    fs_err::write(stage.path("work/was-dir"), "file").unwrap();
    fs_err::write(stage.path("work/was-link"), "file").unwrap();
    symlink("nowhere", stage.path("work/dangling")).unwrap();
    symlink("was-file", stage.path("work/to-dir")).unwrap();
    let changed = [
        "dangling",
        "gone",
        "to-dir",
        "was-dir",
        "was-dir/inner",
        "was-file",
        "was-file/inner",
        "was-link",
    ];
    stage.record(turn("RQ-1", 1), "done", Ending::Code(0), &changed);

    fs_err::create_dir(stage.path("again/was-dir")).unwrap();
    fs_err::write(stage.path("again/was-dir/inner"), "").unwrap();
    fs_err::write(stage.path("again/was-file"), "").unwrap();
    fs_err::write(stage.path("again/to-dir"), "").unwrap();
    symlink(&outside, stage.path("again/was-link")).unwrap();
    assert_eq!(stage.said(turn("RQ-1", 1)).as_deref(), Some("done"));
    let read = |name: &str| fs_err::read_to_string(stage.path(name)).unwrap();
    assert_eq!(read("again/was-file/inner"), "inner");
    assert_eq!(read("again/to-dir/inner"), "inner");
    assert_eq!((read("again/was-dir"), read("again/was-link")), ("file".into(), "file".into()));
    assert_eq!(fs_err::read_link(stage.path("again/dangling")).unwrap(), Path::new("nowhere"));
    assert_eq!(read("outside"), "mine");
}

fn attempt(attempt: u32, turn: u32) -> When {
    When { attempt: Some(attempt), turn: Some(turn), ..self::turn("RQ-1", turn) }
}

fn of_phase(phase: &str, when: When) -> When {
    When { phase: Some(phase.to_owned()), ..when }
}

#[test]
fn a_turn_that_failed_is_played_before_the_one_that_did_not() {
    let stage = Recorder::new();
    stage.record(attempt(1, 1), "failed", Ending::Code(1), &[]);
    stage.record(attempt(2, 2), "did it", Ending::Code(0), &[]);
    stage.record(of_phase("fix", attempt(2, 3)), "mended", Ending::Code(0), &[]);
    let said = |when| stage.said(when);
    assert_eq!(said(attempt(1, 1)).as_deref(), Some("failed"));
    assert_eq!(said(attempt(2, 2)).as_deref(), Some("did it"));
    assert_eq!(said(of_phase("fix", attempt(2, 3))).as_deref(), Some("mended"));
    assert_eq!(said(attempt(2, 3)), None, "of another phase");
}

#[test]
fn of_two_nights_in_one_recording_the_later_is_played() {
    let stage = Recorder::new();
    for (night, first) in [("one", "c1"), ("two", "c2")] {
        stage.record_of(first, (attempt(1, 1), night, Ending::Code(1)), &[]);
        if night == "one" {
            stage.record_of(first, (attempt(2, 2), night, Ending::Code(1)), &[]);
        }
        stage.record_of(first, (attempt(3, 3), night, Ending::Code(0)), &[]);
    }
    let said = |turn| stage.said(attempt(1, turn));
    assert_eq!((said(1), said(2)), (Some("two".into()), Some("two".into())));
    assert_eq!(said(3), None);
}

/// What was interrupted, or came before the recording, does not happen in a fresh run.
#[test]
fn a_resumed_turn_is_the_first_of_a_fresh_run() {
    let stage = Recorder::new();
    stage.record(attempt(2, 3), "stopped", Ending::Cancelled, &[]);
    stage.record(attempt(2, 4), "resumed", Ending::Code(1), &[]);
    stage.record(attempt(3, 5), "again", Ending::Code(0), &[]);
    assert_eq!(stage.said(attempt(1, 1)).as_deref(), Some("resumed"));
    assert_eq!(stage.said(attempt(2, 2)).as_deref(), Some("again"));
    assert_eq!(stage.said(attempt(2, 3)), None);
}

/// A worker that died in a turn left nothing that counts; one that died after it left the work.
#[test]
fn the_next_worker_begins_anew_or_goes_on() {
    let stage = Recorder::new();
    let good = Ending::Code(0);
    let planned = of_phase("plan", attempt(1, 1));
    stage.record_of("c1", (planned.clone(), "lost plan", good), &[]);
    // Its second turn was never over.
    stage.record_of("c2", (of_phase("plan", attempt(2, 3)), "plan", good), &[]);
    stage.record_of("c2", (attempt(2, 4), "done", good), &[]);
    stage.record_of("c3", (of_phase("fix", attempt(2, 5)), "mended", good), &[]);
    assert_eq!(stage.said(planned).as_deref(), Some("plan"));
    assert_eq!(stage.said(attempt(1, 2)).as_deref(), Some("done"));
    assert_eq!(stage.said(of_phase("fix", attempt(1, 3))).as_deref(), Some("mended"));
}

#[test]
fn a_recording_of_several_agents_is_not_judged_as_one() {
    let stage = Recorder::new();
    stage.record(attempt(1, 1), "done", Ending::Code(0), &[]);
    stage.record(attempt(1, 2), "done", Ending::Code(0), &[]);
    let file = stage.path("recording/0002/turn.json");
    let text = fs_err::read_to_string(&file).unwrap().replace("\"codex\"", "\"claude\"");
    fs_err::write(file, text).unwrap();
    let error = perform(&stage.path("recording"), &stage.path("again"), attempt(1, 1)).unwrap_err();
    assert!(matches!(error, ScriptError::Mixed { .. }), "{error}");
}

#[test]
fn no_step_writes_behind_a_link_or_into_git() {
    let dir = tempfile::tempdir().unwrap();
    let [work, elsewhere, more] = ["work", "elsewhere", "more"].map(|name| dir.path().join(name));
    fs_err::create_dir_all(work.join(".git/hooks")).unwrap();
    fs_err::create_dir(&elsewhere).unwrap();
    fs_err::write(elsewhere.join("file"), "mine").unwrap();
    std::os::unix::fs::symlink(&elsewhere, work.join("link")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("file"), work.join("to-file")).unwrap();
    for (place, file) in [("git", ".git/hooks/pre-commit"), ("link", "link/file")] {
        let file = more.join(place).join(file);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, "theirs").unwrap();
    }
    let path = dir.path().join("script.json");
    let write = |path: &str| format!(r#"{{"write":{{"path":"{path}","text":"theirs"}}}}"#);
    for step in [
        write("link/file"),
        write("link/new/file"),
        write("to-file"),
        write(".git/hooks/pre-commit"),
        write(".GIT/hooks/pre-commit"),
        write("sub/.git/config"),
        write("../outside"),
        write("/outside"),
        write(""),
        r#"{"remove":"link/file"}"#.to_owned(),
        r#"{"remove":".git/hooks"}"#.to_owned(),
        r#"{"copy":"more/git"}"#.to_owned(),
        r#"{"copy":"more/link"}"#.to_owned(),
    ] {
        let text = format!(r#"{{"version":1,"turns":[{{"steps":[{step}]}}]}}"#);
        fs_err::write(&path, text).unwrap();
        let error = perform(&path, &work, turn("RQ-1", 1)).unwrap_err();
        assert!(matches!(error, ScriptError::Outside { .. }), "{step}: {error}");
        assert_eq!(fs_err::read_to_string(elsewhere.join("file")).unwrap(), "mine", "{step}");
        let hooks = fs_err::read_dir(work.join(".git/hooks")).unwrap();
        assert_eq!(hooks.count(), 0, "{step}");
    }
}
