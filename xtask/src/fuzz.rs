//! `cargo xtask fuzz`: any bytes as any of Ralph's own files, for a while.

use std::io::{BufRead as _, BufReader};
use std::process::{ExitCode, Stdio};

use crate::cargo::{self, Counts};

/// A target, what it starts from, and how large its inputs may grow.
const TARGETS: [(&str, &str, u32); 8] = [
    ("parallel_state", "crates/ralph-state/testdata/parallel", 4096),
    ("session", "crates/ralph-state/testdata/session", 2048),
    ("json", "crates/ralph-state/testdata", 1024),
    ("journal", "crates/ralph-state/testdata/session", 1024),
    ("queue_edit", "fuzz/seeds/queue_edit", 2048),
    ("queue_merge", "fuzz/seeds/queue_merge", 4096),
    ("config", "crates/ralph-config/tests/goldens", 2048),
    ("agent_stream", "fuzz/seeds/agent_stream", 4096),
];

/// `cargo xtask fuzz [TARGET] [--runs N]`, so many for each target.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let (only, runs) = match args {
        [] => (None, 50_000),
        [flag, runs] if flag == "--runs" => (None, runs.parse().unwrap_or(0)),
        [target, flag, runs] if flag == "--runs" => (Some(target), runs.parse().unwrap_or(0)),
        [target] => (Some(target), 50_000),
        _ => (None, 0),
    };
    let known = only.is_none_or(|only| TARGETS.iter().any(|(name, ..)| name == only));
    if runs == 0_u64 || !known {
        eprintln!("Usage: cargo xtask fuzz [TARGET] [--runs N]");
        return ExitCode::from(2);
    }
    if !cargo::has("fuzz") {
        println!("SKIPPED: this machine has no `cargo fuzz`");
        return ExitCode::SUCCESS;
    }
    let mut total = Counts::default();
    for (target, seeds, size) in TARGETS {
        if only.is_some_and(|only| only != target) {
            continue;
        }
        match fuzz(target, seeds, size, runs) {
            Ok(figures) => {
                println!("{target}: {figures}");
                total.passed += 1;
            }
            Err(error) => {
                println!("{target}: FAILED: {error}");
                total.failed += 1;
            }
        }
    }
    println!("fuzz: {total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fuzz(target: &str, seeds: &str, size: u32, runs: u64) -> Result<String, String> {
    let root = cargo::root();
    let corpus = root.join("fuzz/corpus").join(target);
    fs_err::create_dir_all(&corpus).map_err(|error| error.to_string())?;
    // There is no unsafe code for a sanitizer to look at. Without one it is many times as fast, and
    // needs no nightly toolchain.
    let mut command = cargo::command(["fuzz", "run", "--sanitizer", "none", target]);
    command.arg(&corpus).arg(root.join(seeds)).arg("--");
    command
        .arg(format!("-runs={runs}"))
        .arg(format!("-max_len={size}"))
        .arg("-print_final_stats=1");
    let mut child = command.stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut last = Vec::new();
    let mut figures = Vec::new();
    for line in BufReader::new(child.stderr.take().expect("stderr was asked for")).lines() {
        let line = line.map_err(|error| error.to_string())?;
        if let Some(figure) = line.strip_prefix("stat::") {
            figures.push(figure.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if last.len() == 30 {
            last.remove(0);
        }
        last.push(line);
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(figures.join(", ")) } else { Err(last.join("\n")) }
}
