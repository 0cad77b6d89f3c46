//! Limits of a run and of a task, and of a provider: no turn begins that could pass them.

use ralph_testkit::{Signal, wait_until};
use serde_json::Value;

use super::{Books, PATIENCE, Remote, Scene};

/// Does its task, for 1,000 tokens and 40 cents.
const COSTLY: &str = r#"echo "$RALPH_TASK_ID" >> "$LOG/turns"
mkdir -p work; echo done > "work/$RALPH_TASK_ID.txt"
echo '{"type":"usage","counted":"turn","input":900,"output":100,"cost":{"kind":"measured","usd":0.4}}'
echo '{"type":"final","outcome":"succeeded","text":"done"}'"#;

/// A project with `count` tasks whose agent is the plugin `script`; `more` is laid into the
/// `agent` object of its configuration.
fn scene(count: usize, script: &str, more: &str) -> Scene {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let log = format!("LOG='{}'\ncat > /dev/null\n", scene.sandbox.path("log").display());
    let program = scene.sandbox.script("bin/mine", &format!("{log}{script}"));
    scene.configure(&format!(
        r#""runners": {{ "mine": {{ "argv": ["{}"] }} }}, {more}"#,
        program.display()
    ));
    scene.ralph(&["config", "trust", "init"]).success();
    scene.tasks(count);
    scene
}

#[track_caller]
fn run(scene: &Scene, args: &[&str], code: i32) -> Value {
    let all = [&["run", "loop", "--runner", "mine", "--json"], args].concat();
    let ran = scene.start(&all).wait(PATIENCE);
    ran.exited(code);
    super::super::parse(&ran.stdout)
}

const WAYS: [&[&str]; 2] = [&["--parallel", "4"], &[]];

#[test]
fn no_worker_passes_the_money_of_the_run_and_the_work_waits() {
    for way in WAYS {
        let scene = scene(4, COSTLY, "");
        // The third turn could cost as much as the others did.
        let summary = run(&scene, &[way, &["--max-usd", "1.1"]].concat(), 5);
        assert_eq!(summary["stopped"], "limit", "{summary}");
        assert_eq!((&summary["landed"], &summary["failed"]), (&2.into(), &0.into()), "{summary}");
        assert_eq!((&summary["tokens"], &summary["cost_usd"]), (&2000.into(), &0.8.into()));
        assert_eq!(scene.log("turns").len(), 2);
        run(&scene, way, 0);
        scene.all_landed(4);
        assert_eq!(scene.log("turns").len(), 4);
    }
}

#[test]
fn turns_tokens_and_minutes_are_limits_too() {
    for way in WAYS {
        let scene = scene(3, COSTLY, "");
        let summary = run(&scene, &[way, &["--max-turns", "1"]].concat(), 5);
        assert_eq!(summary["landed"], 1, "{summary}");
        let summary = run(&scene, &[way, &["--max-tokens", "1999"]].concat(), 5);
        assert_eq!(summary["landed"], 1, "{summary}");
        let limit = summary["limit"].to_string();
        assert!(limit.contains("1000 of 1999 tokens are used"), "{limit}");
        assert_eq!((&summary["held"], &summary["failed"]), (&0.into(), &0.into()), "{summary}");
        run(&scene, &[way, &["--max-minutes", "60"]].concat(), 0);
        scene.all_landed(3);
    }
}

#[test]
fn a_serial_run_at_its_limit_begins_no_task_and_is_in_nobodys_way() {
    let scene = scene(3, COSTLY, "");
    let run_once = ["run", "loop", "--runner", "mine", "--max-turns", "1"];
    let ran = scene.ralph(&run_once);
    assert!(ran.exited(5).stderr.contains("Run it again to go on"), "{ran}");
    assert!(!scene.dir.join(".ralph/cache/session.jsonc").exists());
    let queue = fs_err::read_to_string(scene.dir.join(".ralph/queue.jsonc")).expect("a queue");
    assert!(!queue.contains("doing"), "{queue}");
    run(&scene, &["--parallel", "2"], 0);
    scene.all_landed(3);
}

#[test]
fn a_task_that_used_up_its_turns_ends_and_others_go_on() {
    let fails = r#"echo "$RALPH_TASK_ID" >> "$LOG/turns"
[ "$RALPH_TASK_ID" = RQ-0001 ] || { echo x > "$RALPH_TASK_ID"; echo '{"type":"final","outcome":"succeeded","text":"done"}'; exit 0; }
echo '{"type":"final","outcome":"failed","reason":"no"}'"#;
    let scene = scene(2, fails, r#""limits": { "task": { "turns": 2 } }"#);
    let summary = run(&scene, &["--parallel", "2"], 5);
    assert_eq!((&summary["landed"], &summary["task_limit"]), (&1.into(), &1.into()), "{summary}");
    let status = scene.ralph(&["run", "parallel", "status"]).success().stdout.clone();
    assert!(status.contains("used up their own limit"), "{status}");
    assert!(status.contains("RQ-0001  at its own limit"), "{status}");
    let explained = scene.ralph(&["queue", "explain"]).success().stdout.clone();
    assert!(
        explained.contains("is at its own limit") && explained.contains("retry --task RQ-0001")
    );
    assert_eq!(scene.log("turns").iter().filter(|task| *task == "RQ-0001").count(), 2);
}

#[test]
fn a_turn_that_died_with_its_run_counts_for_its_task() {
    let ways: [(&[&str], &str); 2] = [(WAYS[0], "worker.working"), (WAYS[1], "serial.working")];
    for (way, point) in ways {
        let scene = scene(1, COSTLY, r#""limits": { "task": { "turns": 1 } }"#);
        let all = [&["run", "loop", "--runner", "mine"], way].concat();
        let victims = if way.is_empty() { "agents\nself\n" } else { "parent\nagents\nself\n" };
        scene.killed_at(point, victims, &all);
        let before = scene.log("turns");
        let summary = run(&scene, way, 5);
        assert_eq!(summary["task_limit"], 1, "{summary}");
        assert_eq!(scene.log("turns"), before, "no further turn");
    }
}

#[test]
fn a_worker_that_outlived_its_run_goes_by_the_limit_of_the_next() {
    let fails = r#"echo "$RALPH_TASK_ID" >> "$LOG/turns"
touch "$LOG/up-$RALPH_TASK_ID"
until [ -e "$LOG/go" ]; do sleep 0.05; done
echo '{"type":"final","outcome":"failed","reason":"no"}'"#;
    let scene = scene(1, fails, "");
    let first = scene.start(&["run", "loop", "--parallel", "1", "--runner", "mine"]);
    scene.wait_for_agent("RQ-0001");
    first.signal(Signal::KILL);
    drop(first.wait(PATIENCE));
    let limited = ["run", "loop", "--parallel", "1", "--runner", "mine", "--max-turns", "1"];
    let next = scene.start(&limited);
    wait_until(PATIENCE, "a worker that is adopted", || next.stderr().contains("RQ-0001"));
    scene.go_on();
    next.wait(PATIENCE).exited(5);
    assert_eq!(scene.log("turns").len(), 1, "no further turn");
}

#[test]
fn a_provider_that_one_worker_met_is_left_alone_by_all() {
    // With both at work the first task meets the limit; then the second's attempt ends, and its
    // next one waits.
    let script = r#"echo "$RALPH_TASK_ID $(date +%s)" >> "$LOG/turns"
if [ "$RALPH_TASK_ID" = RQ-0001 ] && [ ! -e "$LOG/until" ]; then
    until grep -q RQ-0002 "$LOG/turns"; do sleep 0.01; done
    until=$(($(date +%s) + 4))
    echo $until > "$LOG/until"
    at=$(date -u -d "@$until" +%Y-%m-%dT%H:%M:%SZ)
    echo "{\"type\":\"final\",\"outcome\":\"rate_limited\",\"until\":\"$at\"}"
    exit 1
fi
if [ "$RALPH_TASK_ID $RALPH_ATTEMPT" = "RQ-0002 1" ]; then
    until [ -e "$LOG/until" ] && { [ "$(date +%s)" -ge "$(cat "$LOG/until")" ] ||
        grep -q pauses "$LOG/../project/.ralph/cache/parallel/state.json"; }; do sleep 0.01; done
    echo '{"type":"final","outcome":"failed","reason":"no"}'
    exit 1
fi
echo x > "$RALPH_TASK_ID"
echo '{"type":"final","outcome":"succeeded","text":"done"}'"#;
    let scene = scene(2, script, "");
    run(&scene, &["--parallel", "2"], 0);
    let until: u64 = scene.log("until")[0].parse().expect("seconds");
    let turns = scene.log("turns");
    let second = turns.iter().filter_map(|turn| turn.strip_prefix("RQ-0002 ")).nth(1);
    let began: u64 = second.expect("two attempts").parse().expect("seconds");
    assert!(began >= until, "{turns:?} before {until}");
    scene.all_landed(2);
}

#[test]
fn a_limit_that_cannot_hold_is_refused_before_any_turn() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let codex = scene.sandbox.script(
        "bin/codex",
        r#"cat > /dev/null
echo x > "$RALPH_TASK_ID"
echo '{"type":"item.completed","item":{"type":"agent_message","text":"done"}}'
echo '{"type":"turn.completed","usage":{"input_tokens":900,"output_tokens":100}}'"#,
    );
    let configure = |more: &str| {
        let bin = codex.display();
        scene.configure(&format!(r#""codex_bin": "{bin}", "model": "big"{more}"#));
        scene.ralph(&["config", "trust", "init"]).success();
    };
    configure("");
    scene.tasks(1);
    for way in WAYS {
        for (more, hint) in [
            (&["--runner", "codex", "--max-usd", "5"][..], "agent.prices"),
            (&["--runner", "command", "--max-usd", "5"], "--max-turns"),
            (&["--runner", "command", "--max-tokens", "5"], "--max-turns"),
        ] {
            let all = [&["run", "loop", "--json"], way, more].concat();
            let ran = scene.start(&all).wait(PATIENCE);
            ran.exited(2);
            let error = &super::super::parse(&ran.stderr)["error"];
            assert_eq!(error["code"], "usage", "{error}");
            assert!(error["hint"].to_string().contains(hint), "{error}");
        }
    }
    configure(r#", "runner": "codex", "limits": { "run": { "usd": 5 } }"#);
    let checked = scene.ralph(&["doctor"]);
    checked.exited(3);
    assert!(checked.stdout.contains("cannot hold `codex`"), "{}", checked.stdout);
    configure(r#", "prices": { "big": { "input": 1, "output": 1 } }"#);
    let all = ["run", "loop", "--json", "--runner", "codex", "--max-usd", "5"];
    let ran = scene.start(&all).wait(PATIENCE);
    ran.exited(0);
    assert_eq!(super::super::parse(&ran.stdout)["cost_usd"], 0.001);
}

#[test]
fn a_cost_that_turns_out_to_be_unknown_is_told_as_unknown_and_ends_a_limited_run() {
    let silent = COSTLY.replace(r#","cost":{"kind":"measured","usd":0.4}"#, "");
    for way in [&["--parallel", "1"][..], &[]] {
        let scene = scene(3, &silent, r#""limits": { "turn": { "usd": 0.5 } }"#);
        let summary = run(&scene, &[way, &["--max-usd", "5"]].concat(), 5);
        assert_eq!(summary["stopped"], "limit", "{summary}");
        assert_eq!(summary["cost_usd"], Value::Null, "{summary}");
        assert_eq!(scene.log("turns").len(), 1, "and none more");
        let summary = run(&scene, way, 0);
        assert_eq!(summary["cost_usd"], Value::Null, "{summary}");
        scene.all_landed(3);
    }
}

/// A project with two tasks whose agent is a `claude` that says what `$LOG/says` holds, as the
/// text of a failed result, and does its task where that is empty.
fn claude(says: &str) -> Scene {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let log = scene.sandbox.path("log");
    let program = scene.sandbox.script(
        "bin/claude",
        &format!(
            r#"LOG='{}'
cat > /dev/null
echo "$RALPH_TASK_ID $RALPH_ATTEMPT" >> "$LOG/turns"
wait=$(sed -n 's/.*|in \([0-9]*\) seconds/\1/p' "$LOG/says")
if [ -n "$wait" ]; then
    sed "s/|in .*/|$(($(date +%s) + wait))/" "$LOG/says" > "$LOG/says.$$"
    mv "$LOG/says.$$" "$LOG/says"
fi
said=$(cat "$LOG/says")
until=${{said##*|}}
if [ -n "$said" ] && {{ [ "$until" = "$said" ] || [ "$(date +%s)" -lt "$until" ]; }}; then
    echo "{{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true,\"result\":\"$said\"}}"
    exit 1
fi
echo x > "$RALPH_TASK_ID"
echo '{{"type":"result","subtype":"success","is_error":false,"result":"done"}}'"#,
            log.display()
        ),
    );
    scene.configure(&format!(r#""claude_bin": "{}""#, program.display()));
    scene.ralph(&["config", "trust", "init"]).success();
    scene.tasks(2);
    fs_err::write(log.join("says"), says).expect("writable");
    scene
}

#[test]
fn an_agent_without_money_login_or_quota_ends_the_run_and_no_task() {
    for (says, code, stopped) in [
        ("Credit balance is too low", 5, "limit"),
        ("Invalid API key · Please run /login", 3, "machine"),
        // Until the year 2100.
        ("Claude AI usage limit reached|4102444800", 5, "limit"),
    ] {
        for way in WAYS {
            let scene = claude(says);
            let run = |code| {
                let all = [&["run", "loop", "--runner", "claude", "--json"], way].concat();
                let ran = scene.start(&all).wait(PATIENCE);
                ran.exited(code);
                super::super::parse(&ran.stdout)
            };
            let summary = run(code);
            assert_eq!((&summary["stopped"], &summary["failed"]), (&stopped.into(), &0.into()));
            // One of each worker that had begun, and none more.
            let turns = scene.log("turns");
            assert!(turns.len() <= 2 && turns.iter().all(|turn| turn.ends_with(" 1")), "{turns:?}");
            fs_err::write(scene.sandbox.path("log").join("says"), "").expect("writable");
            run(0);
            scene.all_landed(2);
        }
    }
}

#[test]
fn an_agent_that_names_the_end_of_its_limit_goes_on_then() {
    for way in WAYS {
        let scene = claude("Claude AI usage limit reached|in 3 seconds");
        let all = [&["run", "loop", "--runner", "claude", "--json"], way].concat();
        let ran = scene.start(&all).wait(PATIENCE);
        ran.exited(0);
        let turns = scene.log("turns");
        assert!(turns.iter().all(|turn| turn.ends_with(" 1")), "no attempt is used up: {turns:?}");
        scene.all_landed(2);
    }
}

/// The run that is killed while it waits is followed by one that waits for the same.
#[test]
fn a_serial_run_that_was_killed_still_leaves_the_provider_alone() {
    let scene = claude("Claude AI usage limit reached|in 8 seconds");
    let all = ["run", "loop", "--runner", "claude", "--json"];
    let run = scene.start(&all);
    let session = scene.dir.join(".ralph/cache/session.jsonc");
    wait_until(PATIENCE, "the pause is kept", || {
        fs_err::read_to_string(&session).is_ok_and(|text| text.contains("pauses"))
    });
    run.signal(Signal::KILL);
    drop(run.wait(PATIENCE));
    scene.start(&all).wait(PATIENCE).exited(0);
    let turns = scene.log("turns");
    assert_eq!(turns, ["RQ-0001 1", "RQ-0001 1", "RQ-0002 1"]);
    scene.all_landed(2);
}

/// What an agent that counts on over a session tells is not counted twice, by a run that goes on
/// with the session of one that was killed either.
#[test]
fn a_session_that_goes_on_is_charged_once() {
    let scene = Scene::new(Remote::None, Books::Tracked);
    let log = scene.sandbox.path("log");
    let codex = scene.sandbox.script(
        "bin/codex",
        &format!(
            r#"LOG='{}'
cat > /dev/null
echo "$*" >> "$LOG/turns"
echo '{{"type":"thread.started","thread_id":"0199"}}'
echo x > "$RALPH_TASK_ID"
case "$*" in *"resume 0199"*) tokens=1500 ;; *) tokens=1000 ;; esac
echo '{{"type":"item.completed","item":{{"type":"agent_message","text":"done"}}}}'
echo "{{\"type\":\"turn.completed\",\"usage\":{{\"input_tokens\":$tokens}}}}"
[ "$tokens" = 1500 ] || exit 1"#,
            log.display()
        ),
    );
    scene.configure(&format!(
        r#""codex_bin": "{}", "runner_retry": {{ "base_backoff_ms": 600000, "max_backoff_ms": 600000 }}"#,
        codex.display()
    ));
    scene.ralph(&["config", "trust", "init"]).success();
    scene.tasks(1);
    let all = ["run", "loop", "--runner", "codex", "--json"];
    let run = scene.start(&all);
    let session = scene.dir.join(".ralph/cache/session.jsonc");
    wait_until(PATIENCE, "the first turn is charged", || {
        fs_err::read_to_string(&session).is_ok_and(|text| text.contains("agent_used"))
    });
    run.signal(Signal::KILL);
    drop(run.wait(PATIENCE));
    let ran = scene.start(&all).wait(PATIENCE);
    ran.exited(0);
    let summary = super::super::parse(&ran.stdout);
    assert_eq!(summary["tasks"][0]["tokens"], 1500, "{summary}");
    assert_eq!(scene.log("turns").len(), 2);
}
