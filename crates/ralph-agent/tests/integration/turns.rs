//! Turns of agents that are shell scripts.

use std::{
    ffi::OsString,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use ralph_agent::{
    Ending, Outcome, Programs, Progress, Runner, Turn, TurnError, TurnReport, read_turn, run_turn,
};
use ralph_process::{Cancel, is_alive, marked};
use tempfile::TempDir;

struct Stage {
    root: TempDir,
    marker: String,
}

impl Stage {
    fn new() -> Self {
        // Agents are ended by signals here, also where `nohup` has started the tests.
        ralph_testkit::let_children_heed_signals();
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir(root.path().join("bin")).unwrap();
        fs_err::create_dir(root.path().join("work")).unwrap();
        // The directory's name is random: a marker of its own for each test.
        let marker = root.path().display().to_string();
        Self { root, marker }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.path("bin").join(name);
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn command(&self, script: &str) -> Runner {
        let program = self.program("agent", script);
        let command = Some(vec![program.to_str().unwrap().to_owned(), "--fast".to_owned()]);
        Runner::resolve("command", &Programs { command, ..Programs::default() }).unwrap()
    }

    fn agent(&self, name: &str, script: &str) -> Runner {
        self.program(name, script);
        let path = Some(self.path("bin").into_os_string());
        Runner::resolve(name, &Programs { path, ..Programs::default() }).unwrap()
    }

    fn turn(&self) -> Turn {
        let limit = Some(Duration::from_mins(1));
        let files = self.path("files");
        Turn { limit, ..Turn::new("do the task\n", self.path("work"), files, &self.marker) }
    }

    fn run(&self, runner: &Runner) -> TurnReport {
        run_turn(runner, &self.turn(), &Cancel::new(), &mut |_| {}).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { reason } | Outcome::Misused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

/// Some agents take options only before what stands last.
#[test]
fn further_arguments_stand_where_the_agent_takes_options() {
    let stage = Stage::new();
    stage.program("codex", r#"echo "$*" > args.txt; cat > /dev/null"#);
    let programs = Programs {
        path: Some(stage.path("bin").into_os_string()),
        args: [("codex".to_owned(), vec!["--profile".to_owned(), "night".to_owned()])].into(),
        ..Programs::default()
    };
    let runner = Runner::resolve("codex", &programs).unwrap();
    let turn = Turn { resume: Some("0199".to_owned()), ..stage.turn() };
    run_turn(&runner, &turn, &Cancel::new(), &mut |_| {}).unwrap();
    let args = stage.text("work/args.txt");
    assert!(args.starts_with("exec --json "), "{args}");
    assert!(args.ends_with(" --profile night resume 0199 -\n"), "{args}");
}

/// Version 2 without `--standalone` would work in a server that nobody ends.
#[test]
fn opencode_is_driven_as_the_version_that_it_is() {
    let stage = Stage::new();
    let script = r#"[ "$1" = --version ] && echo 2.0.3 || echo "$*" > args.txt"#;
    let runner = stage.agent("opencode", script);
    stage.run(&runner);
    assert_eq!(stage.text("work/args.txt"), "run --standalone --format json --auto\n");
}

#[test]
fn a_command_gets_the_prompt_twice_its_variables_and_its_directory() {
    let stage = Stage::new();
    let runner = stage.command(
        r#"cat > stdin.txt; cp "$RALPH_PROMPT_FILE" file.txt; echo "$1 $RALPH_TASK_ID" > args.txt
        echo "all done"; echo "a remark" >&2"#,
    );
    let turn = Turn {
        prompt: "€ ".repeat(100_000),
        env: vec![(OsString::from("RALPH_TASK_ID"), OsString::from("RQ-0001"))],
        ..stage.turn()
    };
    let report = run_turn(&runner, &turn, &Cancel::new(), &mut |_| {}).unwrap();
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(report.final_text.as_deref(), Some("all done"));
    assert_eq!(report.session_id, None);
    assert_eq!(stage.text("work/stdin.txt"), turn.prompt);
    assert_eq!(stage.text("work/file.txt"), turn.prompt);
    assert_eq!(stage.text("work/args.txt"), "--fast RQ-0001\n");
    assert_eq!(stage.text("files/stdout"), "all done\n");
    assert_eq!(stage.text("files/stderr"), "a remark\n");
}

#[test]
fn the_exit_of_a_command_is_its_word() {
    let stage = Stage::new();
    let report = stage.run(&stage.command("echo 'cannot: 429' >&2; exit 3"));
    assert_eq!(reason(&report.outcome), "exit code 3: cannot: 429");
    let report = stage.run(&stage.command("kill -KILL $$"));
    assert_eq!(reason(&report.outcome), "killed by signal 9");
    let report = stage.run(&stage.command("kill -TERM $$"));
    assert_eq!(report.outcome, Outcome::Interrupted);
}

#[test]
fn a_session_is_told_while_the_agent_still_works() {
    let stage = Stage::new();
    let runner = stage.agent(
        "codex",
        r#"echo '{"type":"thread.started","thread_id":"0199"}'
        until [ -e go ]; do sleep 0.01; done
        echo '{"type":"item.completed","item":{"type":"agent_message","text":"done"}}'
        printf '{"type":"turn.completed"}'"#,
    );
    let mut told = Vec::new();
    let report = run_turn(&runner, &stage.turn(), &Cancel::new(), &mut |progress| match progress {
        Progress::Spawned(identity) => {
            assert!(is_alive(identity));
            told.push("spawned".to_owned());
        }
        Progress::Session(session) => {
            told.push(session.to_owned());
            fs_err::write(stage.path("work/go"), "").unwrap();
        }
        _ => {}
    })
    .unwrap();
    assert_eq!(told, ["spawned", "0199"]);
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(report.session_id.as_deref(), Some("0199"));

    let again = read_turn(&runner, &stage.path("files"), Ending::Unseen).unwrap();
    assert_eq!(again.outcome, Outcome::Succeeded);
    assert_eq!(again.final_text.as_deref(), Some("done"));
}

/// Agents start their tools in sessions of their own.
#[cfg(target_os = "linux")]
const ORPHAN: &str = "setsid sh -c 'trap \"\" TERM; touch orphan; while :; do sleep 1; done' &
    until [ -e orphan ]; do sleep 0.01; done";

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_of_a_turn_that_ended() {
    let stage = Stage::new();
    let report = stage.run(&stage.command(ORPHAN));
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(report.survivors, []);
    assert_eq!(marked(&stage.marker), []);
}

#[cfg(target_os = "linux")]
#[test]
fn a_cancelled_turn_ends_with_all_its_processes() {
    let stage = Stage::new();
    let runner = stage.agent(
        "codex",
        &format!("{ORPHAN}\necho '{{\"type\":\"thread.started\",\"thread_id\":\"0199\"}}'; wait"),
    );
    let cancel = Cancel::new();
    let report = run_turn(&runner, &stage.turn(), &cancel, &mut |progress| {
        if let Progress::Session(_) = progress {
            cancel.cancel();
        }
    })
    .unwrap();
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(report.ending, Ending::Cancelled);
    assert_eq!(report.session_id.as_deref(), Some("0199"), "the session can be resumed");
    assert_eq!(marked(&stage.marker), []);
}

/// Whoever sends it, and whether to the agent or to its group: what it started in a session
/// of its own has ended when the turn is over.
#[cfg(target_os = "linux")]
#[test]
fn a_turn_that_a_signal_ends_leaves_no_process() {
    use rustix::process::Signal;

    let signals =
        [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::KILL, Signal::SEGV];
    std::thread::scope(|scope| {
        for signal in signals {
            for to_group in [false, true] {
                scope.spawn(move || end_by_signal(signal, to_group));
            }
        }
    });
}

#[cfg(target_os = "linux")]
fn end_by_signal(signal: rustix::process::Signal, to_group: bool) {
    use rustix::process::{Pid, kill_process, kill_process_group};

    let stage = Stage::new();
    let started = r#"echo '{"type":"thread.started","thread_id":"1"}'"#;
    let runner = stage.agent("codex", &format!("{ORPHAN}\nsleep 600 &\n{started}; wait"));
    let (mut agent, mut count) = (None, 0);
    let report = run_turn(&runner, &stage.turn(), &Cancel::new(), &mut |progress| match progress {
        Progress::Spawned(identity) => agent = Pid::from_raw(identity.pid.cast_signed()),
        Progress::Session(_) => {
            count = marked(&stage.marker).len();
            let send = if to_group { kill_process_group } else { kill_process };
            send(agent.unwrap(), signal).unwrap();
        }
        _ => {}
    })
    .unwrap();
    assert!(count >= 3, "{signal:?}: the agent and two tools ran, not {count}");
    assert_eq!(report.ending, Ending::Signal(signal.as_raw()));
    assert_eq!(report.survivors, []);
    assert_eq!(marked(&stage.marker), [], "{signal:?} to the group: {to_group}");
}

const FINAL: &str = r#"echo '{"type":"item.completed","item":{"type":"agent_message","text":"done"}}'
    echo '{"type":"turn.completed","usage":{}}'"#;

#[test]
fn an_agent_that_hangs_after_its_final_event_is_done() {
    let stage = Stage::new();
    let runner = stage.agent("codex", &format!("{FINAL}\nwhile :; do sleep 1; done"));
    let turn = Turn { linger: Duration::from_millis(1), ..stage.turn() };
    let report = run_turn(&runner, &turn, &Cancel::new(), &mut |_| {}).unwrap();
    assert_eq!((report.outcome, report.ending), (Outcome::Succeeded, Ending::Lingered));
    assert_eq!(marked(&stage.marker), []);
}

#[test]
fn an_agent_that_is_silent_for_too_long_is_ended() {
    let stage = Stage::new();
    let runner =
        stage.agent("codex", "echo '{\"type\":\"turn.started\"}'; while :; do sleep 1; done");
    let turn = Turn { silence: Some(Duration::from_millis(1)), ..stage.turn() };
    let report = run_turn(&runner, &turn, &Cancel::new(), &mut |_| {}).unwrap();
    assert_eq!((report.outcome, report.ending), (Outcome::Stalled, Ending::Stalled));
}

#[test]
fn an_agent_that_only_tries_again_is_silent() {
    let stage = Stage::new();
    let runner = stage.agent(
        "codex",
        r#"echo '{"type":"thread.started","thread_id":"1"}'
        while :; do
            echo '{"type":"error","message":"Reconnecting... waiting for network (Connection failed)"}'
            sleep 0.01
        done"#,
    );
    let turn = Turn { silence: Some(Duration::from_millis(500)), ..stage.turn() };
    let report = run_turn(&runner, &turn, &Cancel::new(), &mut |_| {}).unwrap();
    assert_eq!((report.outcome, report.ending), (Outcome::Stalled, Ending::Stalled));
}

#[test]
fn an_agent_that_prints_without_end_is_ended() {
    let stage = Stage::new();
    for script in ["yes", "yes >&2"] {
        let turn = Turn { log_limit: Some(1 << 20), ..stage.turn() };
        let report = run_turn(&stage.command(script), &turn, &Cancel::new(), &mut |_| {}).unwrap();
        assert_eq!((report.outcome, report.ending), (Outcome::Overflowed, Ending::Overflowed));
        assert_eq!(marked(&stage.marker), []);
    }
}

#[test]
fn claude_is_interrupted_before_it_is_terminated() {
    let stage = Stage::new();
    let runner = stage.agent(
        "claude",
        r#"trap 'echo "{\"type\":\"result\",\"session_id\":\"2\",\"is_error\":true}"; exit 0' INT
        trap 'touch terminated; exit 143' TERM
        echo '{"type":"system","subtype":"init","session_id":"1"}'; while :; do sleep 0.01; done"#,
    );
    let cancel = Cancel::new();
    let mut sessions = Vec::new();
    let report = run_turn(&runner, &stage.turn(), &cancel, &mut |progress| {
        if let Progress::Session(id) = progress {
            sessions.push(id.to_owned());
            cancel.cancel();
        }
    })
    .unwrap();
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(sessions, ["1", "2"], "its last words were heard");
    assert!(!stage.path("work/terminated").exists());
}

#[test]
fn every_event_is_told() {
    let stage = Stage::new();
    let mut kinds = Vec::new();
    let runner = stage.agent("codex", FINAL);
    run_turn(&runner, &stage.turn(), &Cancel::new(), &mut |progress| {
        if let Progress::Event(event) = progress {
            kinds.push(event.kind());
        }
    })
    .unwrap();
    assert_eq!(kinds, ["text", "usage", "final"]);
}

#[test]
fn a_plugin_is_whatever_configuration_names() {
    let stage = Stage::new();
    let program = stage.program(
        "mine",
        r#"echo "$@" > args.txt; echo '{"type":"final","outcome":"succeeded","text":"ok"}'"#,
    );
    let argv = vec![program.to_str().unwrap().to_owned(), "--mine".to_owned()];
    let programs = Programs { runners: [("mine".to_owned(), argv)].into(), ..Programs::default() };
    let runner = Runner::resolve("mine", &programs).unwrap();
    assert_eq!(runner.name(), "mine");
    let report = stage.run(&runner);
    assert_eq!(report.final_text.as_deref(), Some("ok"));
    assert_eq!(stage.text("work/args.txt"), "--mine run --events 1 --access full\n");
}

#[test]
fn a_turn_has_a_limit() {
    let stage = Stage::new();
    let runner = stage.command("while :; do sleep 1; done");
    let turn = Turn { limit: Some(Duration::from_millis(50)), ..stage.turn() };
    let report = run_turn(&runner, &turn, &Cancel::new(), &mut |_| {}).unwrap();
    assert_eq!(report.outcome, Outcome::TimedOut);
    assert_eq!(marked(&stage.marker), []);
}

#[test]
fn a_later_turn_in_the_same_files_starts_anew() {
    let stage = Stage::new();
    stage.run(&stage.command("echo 'a long first answer'; echo err >&2"));
    let report = stage.run(&stage.command("echo second"));
    assert_eq!(report.final_text.as_deref(), Some("second"));
    assert_eq!(stage.text("files/stdout"), "second\n");
    assert_eq!(stage.text("files/stderr"), "");
}

#[test]
fn an_agent_that_cannot_be_started_is_an_error() {
    let stage = Stage::new();
    let runner = stage.command("true");
    fs_err::remove_file(stage.path("bin/agent")).unwrap();
    let error = run_turn(&runner, &stage.turn(), &Cancel::new(), &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, TurnError::Spawn { ref runner, .. } if runner == "command"),
        "{error:?}"
    );
}

#[test]
fn agents_are_found_in_a_fixed_order() {
    let stage = Stage::new();
    for name in ["opencode", "gemini", "claude"] {
        stage.program(name, "true");
    }
    let path = stage.path("bin").into_os_string();
    let found = Runner::detect(Some(&path));
    let names: Vec<_> = found.iter().map(|agent| agent.name).collect();
    assert_eq!(names, ["claude", "gemini", "opencode"]);
    assert_eq!(found[0].program, stage.path("bin/claude"));
    assert_eq!(Runner::detect(None), []);
}

#[test]
fn what_cannot_be_driven_is_told() {
    let programs = |bin: &str| Programs {
        path: Some(OsString::from("/nonexistent")),
        bins: [("claude".to_owned(), bin.to_owned())].into(),
        ..Programs::default()
    };
    let error = |name: &str, bin: &str| match Runner::resolve(name, &programs(bin)) {
        Ok(runner) => panic!("{runner:?}"),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        error("cluade", "claude"),
        "there is no runner `cluade`; known are `claude`, `codex`, `gemini`, `opencode`, `opencode2`, \
         `cursor`, `copilot`, `amp`, `droid`, `agy`, `kimi`, `kimi-cli`, `pi`, `command`"
    );
    assert_eq!(
        error("claude", "klaud"),
        "the program `klaud` of the runner `claude` is not on the path `/nonexistent`"
    );
    assert_eq!(
        error("claude", "/nonexistent/claude"),
        "the program `/nonexistent/claude` of the runner `claude` is not an executable file"
    );
    assert_eq!(error("command", ""), "the runner `command` has no program to run");
    let relative = Runner::resolve("claude", &programs("tools/claude")).unwrap();
    assert_eq!(relative.program(), Path::new("tools/claude"));
}
