//! `ralph runner …`, and runs whose agent is a script.

use std::path::PathBuf;
use std::time::Duration;

use ralph_agent::{
    Ending, Outcome, Player, Programs, Runner, Turn, TurnReport, read_turn, run_turn,
};
use ralph_process::{Cancel, marked};
use serde_json::json;

use crate::{Desk, RALPH, parse};

const STREAM: &str = r#"{"type":"thread.started","thread_id":"0199"}
{"type":"item.completed","item":{"type":"agent_message","text":"done"}}
{"type":"turn.completed","usage":{"input_tokens":9,"output_tokens":2}}
"#;

#[test]
fn a_stream_is_judged_as_after_a_turn() {
    let desk = Desk::bare();
    desk.write("out.jsonl", STREAM);
    let judged = parse(&desk.ralph(&["runner", "parse", "--runner", "codex", "out.jsonl"]).stdout);
    assert_eq!(judged["outcome"], "succeeded");
    assert_eq!(judged["session_id"], "0199");
    assert_eq!(judged["final_text"], "done");
    assert_eq!(judged["usage"]["counted"], "session");
    assert_eq!(judged["cost_usd"], json!(null));
    assert_eq!(judged["events"], json!({ "session": 1, "text": 1, "usage": 1, "final": 1 }));

    desk.write("err.txt", "error: unexpected argument '--full-auto' found\n");
    let args = ["runner", "parse", "--runner", "codex", "--exit", "2", "--stderr", "err.txt"];
    let ran = desk.sh(&format!("$RALPH {} - < /dev/null", args.join(" ")));
    let judged = parse(&ran.success().stdout);
    assert_eq!(judged["outcome"], "misused");
    assert_eq!(judged["reason"], "error: unexpected argument '--full-auto' found");

    let ran = desk.ralph(&["runner", "parse", "--runner", "codex", "--exit", "-15", "out.jsonl"]);
    assert_eq!(parse(&ran.success().stdout)["outcome"], "interrupted");
    assert_eq!(
        desk.error(&["runner", "parse", "--runner", "cluade", "out.jsonl"], 2)["code"],
        "not_found"
    );
}

#[test]
fn the_events_of_a_stream_are_lines_that_are_judged_the_same() {
    let desk = Desk::bare();
    desk.write("out.jsonl", STREAM);
    let ran = desk.sh("$RALPH runner parse --runner codex --events out.jsonl > events.jsonl &&
         $RALPH runner parse --runner plugin --json events.jsonl");
    assert_eq!(parse(&ran.success().stdout)["final_text"], "done");
    assert_eq!(desk.read("events.jsonl").lines().next(), Some(r#"{"type":"session","id":"0199"}"#));
}

#[test]
fn no_secret_is_shown() {
    let desk = Desk::bare();
    let stream = STREAM.replace("done", "sk-ant-api03-AAAAAAAA of hunter2hunter2");
    desk.write("out.jsonl", stream);
    for more in ["", "--events", "--json --events"] {
        let ran = desk.sh(&format!(
            "MY_TOKEN=hunter2hunter2 $RALPH runner parse --runner codex {more} out.jsonl"
        ));
        let shown = &ran.success().stdout;
        assert!(shown.contains("[redacted] of [redacted]"), "{shown}");
        assert!(!shown.contains("AAAA") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn agents_are_listed_and_looked_at_without_a_repository() {
    let desk = Desk::bare();
    desk.sandbox.script("agents/codex", "echo codex-cli 0.169.0");
    let dir = desk.sandbox.path("agents");
    let sh = |line: &str| desk.sh(&format!("cd /; PATH='{}':$PATH; {line}", dir.display()));
    let list = parse(&sh("$RALPH runner list --format json").success().stdout);
    let codex = list["items"].as_array().unwrap().iter().find(|it| it["name"] == "codex");
    assert_eq!(codex.unwrap()["program"], json!(dir.join("codex")));
    assert_eq!(codex.unwrap()["capabilities"]["session"], false);
    assert!(sh("$RALPH runner list").success().stdout.contains("pi          (not here)\n"));

    let text = sh("$RALPH runner capabilities claude").success().stdout.clone();
    assert!(text.contains("  yes  tells what it cost\n"), "{text}");
    let probes = parse(&sh("$RALPH runner probe codex --json").success().stdout)["probes"].clone();
    assert_eq!(probes[0]["version"], "codex-cli 0.169.0");
    assert_eq!(probes[0]["missing_flags"][0], "--dangerously-bypass-approvals-and-sandbox");
    assert_eq!(probes[0]["login"], json!({ "found": "nowhere" }));
    assert_eq!(sh("$RALPH runner capabilities cluade").exited(2).stdout, "");

    // One program, two names: it is shown once, as what it is.
    desk.sandbox.script("agents/opencode", "echo 2.0.3");
    let probes = parse(&sh("$RALPH runner probe --json").success().stdout)["probes"].clone();
    let names = probes.as_array().expect("a list").iter().map(|it| it["runner"].clone());
    let names: Vec<_> = names.filter(|name| name.to_string().contains("opencode")).collect();
    assert_eq!(names, ["opencode2"]);
    let probes =
        parse(&sh("$RALPH runner probe opencode --json").success().stdout)["probes"].clone();
    assert_eq!(probes[0]["driven_as"], "opencode2");
}

/// The example of `docs/runner-plugins.md`: a program of the repository, which is looked at
/// from anywhere in it. One that is broken does not hide the others.
#[test]
fn a_plugin_of_the_repository_is_looked_at_there() {
    let desk = Desk::new();
    desk.write(
        ".ralph/config.jsonc",
        r#"{ "version": 2, "agent": { "runners": { "mine": { "argv": ["./tools/mine", "--quiet"] },
            "gone": { "argv": ["./tools/gone"] } } } }"#,
    );
    desk.sandbox.script(desk.dir.join("tools/mine"), r#"echo "mine 3 $*""#);
    desk.ralph(&["config", "trust", "init"]).success();
    fs_err::create_dir(desk.dir.join("deep")).expect("writable");
    let ran = desk.sh("cd deep; $RALPH runner list --format json");
    let list = parse(&ran.success().stdout);
    let program = |name: &str| {
        let runners = list["items"].as_array().expect("a list").iter();
        runners.clone().find(|it| it["name"] == name).expect("listed")["program"].clone()
    };
    assert_eq!((program("mine"), program("gone")), (json!("./tools/mine"), json!(null)));

    let ran = desk.sh("cd deep; $RALPH runner probe --json");
    let probed = parse(&ran.success().stdout);
    let probe = &probed["probes"].as_array().expect("a list")[0];
    assert_eq!(probe["version"], "mine 3 --quiet --version");
    assert_eq!(probed["failures"][0]["runner"], "gone");
    desk.write(
        "out.jsonl",
        "{\"type\":\"text\",\"text\":\"hi\"}\n{\"type\":\"final\",\"outcome\":\"succeeded\"}\n",
    );
    let judged = desk.json(&["runner", "parse", "--runner", "mine", "out.jsonl"]);
    assert_eq!((&judged["outcome"], &judged["final_text"]), (&json!("succeeded"), &json!("hi")));
    assert!(desk.ralph(&["runner", "probe"]).success().stdout.contains("mine 3"));
    assert_eq!(desk.error(&["runner", "probe", "gone"], 3)["code"], "missing");
    let error = desk.error(&["run", "one", "--runner", "kimi-cli"], 3);
    assert!(error["hint"].to_string().contains("agent.kimi_cli_bin"), "{error}");
}

/// Plays one turn of an agent whose script has these steps.
fn play(desk: &Desk, language: &str, steps: &str) -> TurnReport {
    desk.write(
        "script.json",
        format!(r#"{{"version":1,"runner":"{language}","turns":[{{"steps":{steps}}}]}}"#),
    );
    let argv = [RALPH, "runner", "play"].map(Into::into).to_vec();
    let player = Some(Player { argv, base: desk.dir.clone() });
    let programs = Programs { player, ..Programs::default() };
    let runner = Runner::resolve("scripted:script.json", &programs).expect("a script");
    let marker = desk.dir.display().to_string();
    let turn = Turn {
        linger: Duration::from_millis(100),
        silence: Some(Duration::from_secs(20)),
        ..Turn::new("do it", &desk.dir, desk.sandbox.path("turn"), &marker)
    };
    let report = run_turn(&runner, &turn, &Cancel::new(), &mut |_| {}).expect("it starts");
    assert_eq!(report.survivors, []);
    assert_eq!(marked(&marker), [], "nothing is left");
    let again = read_turn(&runner, &turn.files, report.ending).expect("readable");
    assert_eq!(again.outcome, report.outcome, "the files say the same");
    report
}

/// Each fault that an agent was seen with.
#[test]
fn every_fault_is_seen_for_what_it_is() {
    let desk = Desk::bare();
    let good =
        r#"{"event":{"type":"text","text":"ok"}},{"event":{"type":"final","outcome":"succeeded"}}"#;
    let outcome = |language: &str, steps: &str| play(&desk, language, steps).outcome;

    let hangs = play(&desk, "plugin", &format!("[{good},\"hang\"]"));
    assert_eq!((hangs.outcome, hangs.ending), (Outcome::Succeeded, Ending::Lingered));

    let limited = r#"[{"event":{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"API Error: 429"}},{"exit":1}]"#;
    assert_eq!(outcome("claude", limited), Outcome::RateLimited { until: None });
    let cut = Outcome::Truncated { reason: "exit code 0".to_owned() };
    assert_eq!(outcome("plugin", r#"[{"out":"{\"type\":\"final\",\"outc"}]"#), cut);
    assert_eq!(outcome("plugin", "[]"), cut);
    let lies = r#"[{"event":{"type":"result","status":"error","error":{"message":"[API Error: terminated]"}}}]"#;
    assert!(matches!(outcome("gemini", lies), Outcome::Unavailable { .. }));
    assert_eq!(
        outcome("plugin", &format!(r#"[{{"fill":10485760}},{{"out":"\n"}},{good}]"#)),
        Outcome::Succeeded
    );
    let steps = format!(r#"["ignore_signals","orphan",{good},"hang"]"#);
    assert_eq!(outcome("plugin", &steps), Outcome::Succeeded);
    assert_eq!(
        outcome("plugin", &format!(r#"[{good},{{"err":"crash"}},{{"exit":3}}]"#)),
        Outcome::Failed { reason: "exit code 3: crash".to_owned() }
    );
}

#[test]
fn a_run_is_recorded_and_played_again_without_its_agent() {
    let project = || {
        let desk = Desk::new();
        desk.add("Say hello", &[]);
        desk.git(&["add", "--all"]);
        desk.git(&["commit", "--quiet", "-m", "Begin"]);
        desk
    };
    let one = project();
    let script = one.sandbox.path("script.json");
    one.sandbox.write(
        &script,
        r#"{"version":1,"runner":"codex","turns":[{"when":{"phase":"implement"},"steps":[
            {"write":{"path":"hello.txt","text":"hello\n"}},
            {"event":{"type":"item.completed","item":{"type":"agent_message","text":"done"}}},
            {"event":{"type":"turn.completed"}}]}]}"#,
    );
    let recording: PathBuf = one.sandbox.path("recording");
    let scripted = |path: &PathBuf| format!("scripted:{}", path.display());
    let to = recording.to_str().expect("text");
    one.ralph(&["run", "one", "--runner", &scripted(&script), "--record", to]).success();
    assert_eq!(one.git(&["show", "HEAD:hello.txt"]), "hello");

    let two = project();
    two.ralph(&["run", "one", "--runner", &scripted(&recording)]).success();
    assert_eq!(two.git(&["show", "HEAD:hello.txt"]), "hello");

    // The same of an agent that commits by itself, moves a file and goes on.
    let agent = one.sandbox.script(
        "committer",
        "git mv hello.txt moved.txt; git -c user.name=a -c user.email=a@b commit -qm mine
         ln -s nowhere link; echo more > more.txt",
    );
    let commits = |desk: &Desk| {
        desk.write("hello.txt", "hello\n");
        desk.git(&["add", "--all"]);
        desk.git(&["commit", "--quiet", "-m", "Hello"]);
    };
    let (three, four) = (project(), project());
    commits(&three);
    commits(&four);
    let recording = three.sandbox.path("recording");
    let argv = json!({ "agent": { "command": { "argv": [agent] } } });
    three.sandbox.write(three.sandbox.path("home/.config/ralph/config.jsonc"), argv.to_string());
    let to = recording.to_str().expect("text");
    three.ralph(&["run", "one", "--runner", "command", "--record", to]).success();
    four.ralph(&["run", "one", "--runner", &scripted(&recording)]).success();
    assert_eq!(four.git(&["show", "HEAD:moved.txt"]), "hello");
    assert_eq!(four.git(&["show", "HEAD:more.txt"]), "more");
    assert_eq!(four.git(&["show", "HEAD:link"]), "nowhere");
    assert_eq!(four.git(&["ls-tree", "--name-only", "HEAD", "hello.txt"]), "");
    let error = two.error(&["run", "one", "--runner", "scripted:nothing.json"], 3);
    assert_eq!(error["code"], "invalid");
}

/// What is kept there is not the agent's work: it does not land, and does not pass for a change.
#[test]
fn a_recording_in_the_repository_is_no_work() {
    let desk = Desk::new();
    desk.add("Say nothing", &[]);
    desk.git(&["add", "--all"]);
    desk.git(&["commit", "--quiet", "-m", "Begin"]);
    let script = desk.sandbox.path("script.json");
    let turn = r#"{"event":{"type":"text","text":"secret"}},{"event":{"type":"final","outcome":"succeeded"}}"#;
    let steps = format!(r#"{{"version":1,"turns":[{{"steps":[{turn}]}}]}}"#);
    desk.sandbox.write(&script, steps);
    let runner = format!("scripted:{}", script.display());
    desk.ralph(&["run", "one", "--runner", &runner, "--record", "night"]).exited(1);
    assert!(desk.path("night/0001/turn.json").exists());
    assert_eq!(desk.git(&["status", "--porcelain", "night"]), "");
    assert_eq!(desk.git(&["log", "-1", "--format=%s"]), "Begin");
}
