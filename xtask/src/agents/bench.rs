//! What a turn costs beside its agent: time to start and watch it, and to read what it prints.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use ralph_agent::{Ending, Player, Programs, Runner, Turn, read_turn, run_turn};
use ralph_process::Cancel;
use serde_json::json;

use crate::bench::{in_turns, line, median};
use crate::cargo;

/// `cargo xtask bench agents`
pub(crate) fn bench() -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let dir = tempfile::tempdir().map_err(text)?;
    // First: the peak of memory is that of the whole process.
    stream(dir.path()).map_err(text)?;
    turns(dir.path())
}

/// A turn of the program itself playing a script, next to the same command by hand.
fn turns(dir: &Path) -> Result<(), String> {
    const TURNS: usize = 100;
    let text = |error: io::Error| error.to_string();
    let mut build = cargo::command(["build", "--quiet", "--release", "--package", "ralph-cli"]);
    if !build.status().map_err(text)?.success() {
        return Err("`ralph` does not build".to_owned());
    }
    let script = dir.join("script.json");
    let steps = json!([{ "event": { "type": "text", "text": "done" } },
        { "event": { "type": "final", "outcome": "succeeded" } }]);
    let document = json!({ "version": 1, "turns": [{ "steps": steps }] });
    fs_err::write(&script, document.to_string()).map_err(text)?;
    let program = cargo::root().join("target/release/ralph");
    let argv: Vec<OsString> = vec![program.into(), "runner".into(), "play".into()];
    let player = Some(Player { argv: argv.clone(), base: dir.to_owned() });
    let runner =
        Runner::resolve("scripted:script.json", &Programs { player, ..Programs::default() })
            .map_err(|error| error.to_string())?;
    let files = dir.join("turn");
    let turn = Turn::new("do it", dir, &files, dir.display().to_string());
    let hand = dir.join("by-hand");
    fs_err::write(dir.join("prompt"), "do it").map_err(text)?;
    let [ours, by_hand] = in_turns(
        TURNS,
        || {
            let report = run_turn(&runner, &turn, &Cancel::new(), &mut |_| {});
            assert!(matches!(report, Ok(report) if report.outcome.as_str() == "succeeded"));
        },
        || {
            let mut command = cargo::program(&argv[0]);
            command.args(&argv[1..]).arg(&script).current_dir(dir);
            let open = |path: &Path| fs_err::File::create(path).expect("writable").into_file();
            let prompt = fs_err::File::open(dir.join("prompt")).expect("it was just written");
            command.stdin(prompt.into_file()).stdout(open(&hand)).stderr(open(&dir.join("errors")));
            assert!(command.status().is_ok_and(|status| status.success()));
        },
    );
    let (ours, by_hand) = (median(&ours), median(&by_hand));
    line("a scripted turn", "its command by hand", ours, by_hand);
    let more = ours.saturating_sub(by_hand).as_secs_f64() * 1e3;
    println!("Ralph adds {more:.1} ms to a turn (median of {TURNS})");
    Ok(())
}

/// Reading what a turn of 1 GB left, next to reading only its bytes.
fn stream(dir: &Path) -> io::Result<()> {
    const SIZE: usize = 1 << 30;
    let files = dir.join("stream");
    fs_err::create_dir(&files)?;
    let path = files.join("stdout");
    let mut out = io::BufWriter::new(fs_err::File::create(&path)?);
    // As long agents' turns are: much output of tools, some talk.
    let output = "fn main() {\n    println!(\"hello\");\n}\n".repeat(200);
    let result = json!({ "type": "user", "session_id": "s", "message": { "content": [
        { "type": "tool_result", "tool_use_id": "t", "content": output }] } });
    let said = json!({ "type": "assistant", "session_id": "s", "message": { "model": "m",
        "content": [{ "type": "text", "text": "I look at the next file, and then go on." }],
        "usage": { "input_tokens": 9, "output_tokens": 1 } } });
    let lines = format!("{said}\n{result}\n");
    for _ in 0..SIZE.div_ceil(lines.len()) {
        out.write_all(lines.as_bytes())?;
    }
    let last = json!({ "type": "result", "subtype": "success", "is_error": false,
        "result": "done", "session_id": "s" });
    writeln!(out, "{last}")?;
    out.flush()?;
    drop(out);
    let bins = [("claude".to_owned(), "/bin/sh".to_owned())].into();
    let runner = Runner::resolve("claude", &Programs { bins, ..Programs::default() })
        .map_err(io::Error::other)?;
    let before = peak();
    let [ours, bare] = in_turns(
        3,
        || {
            let verdict = read_turn(&runner, &files, Ending::Code(0)).expect("it is there");
            assert_eq!(verdict.outcome.as_str(), "succeeded");
        },
        || io::copy(&mut fs_err::File::open(&path).expect("it is there"), &mut io::sink()),
    );
    let megabytes = |times: &[Duration]| 1073.7 / median(times).as_secs_f64();
    println!(
        "a stream of 1 GB: read and judged at {:.0} MB/s, only read at {:.0} MB/s; \
         peak memory {} before, {} after",
        megabytes(&ours),
        megabytes(&bare),
        before.as_deref().unwrap_or("unknown"),
        peak().as_deref().unwrap_or("unknown"),
    );
    Ok(())
}

/// The most memory that this process had at once, where the system tells.
fn peak() -> Option<String> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
