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

const USAGE: &str = "Usage: cargo xtask fuzz [TARGET] [--runs N] [--seed N]";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted<'a> {
    only: Option<&'a str>,
    /// For each target.
    runs: u64,
    /// Of the random numbers; each run has its own if there is none.
    seed: Option<u32>,
}

fn parse(args: &[String]) -> Option<Wanted<'_>> {
    let mut wanted = Wanted { only: None, runs: 50_000, seed: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--runs" => wanted.runs = args.next()?.parse().ok().filter(|runs| *runs > 0)?,
            "--seed" => wanted.seed = Some(args.next()?.parse().ok()?),
            target => {
                wanted.only = Some(TARGETS.iter().find(|(name, ..)| *name == target)?.0);
            }
        }
    }
    Some(wanted)
}

/// Runs the targets, or the one that is named.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let Some(wanted) = parse(args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if !cargo::has("fuzz") {
        println!("SKIPPED: this machine has no `cargo fuzz`");
        return ExitCode::SUCCESS;
    }
    let mut total = Counts::default();
    for (target, seeds, size) in TARGETS {
        if wanted.only.is_some_and(|only| only != target) {
            continue;
        }
        match fuzz(target, seeds, size, &wanted) {
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

fn fuzz(target: &str, seeds: &str, size: u32, wanted: &Wanted<'_>) -> Result<String, String> {
    let root = cargo::root();
    let corpus = root.join("fuzz/corpus").join(target);
    fs_err::create_dir_all(&corpus).map_err(|error| error.to_string())?;
    // There is no unsafe code for a sanitizer to look at. Without one it is many times as fast, and
    // needs no nightly toolchain.
    let mut command = cargo::command(["fuzz", "run", "--sanitizer", "none", target]);
    command.arg(&corpus).arg(root.join(seeds)).arg("--");
    command
        .args(wanted.seed.map(|seed| format!("-seed={seed}")))
        .arg(format!("-runs={}", wanted.runs))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_done_or_refused() {
        let parsed = |args: &str| {
            let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
            parse(&args).map(|Wanted { only, runs, seed }| (only.map(str::to_owned), runs, seed))
        };
        assert_eq!(parsed(""), Some((None, 50_000, None)));
        assert_eq!(parsed("json --seed 7 --runs 10"), Some((Some("json".to_owned()), 10, Some(7))));
        for refused in ["toml", "--runs", "--runs 0", "--runs many", "--seed x"] {
            assert_eq!(parsed(refused), None, "{refused}");
        }
    }
}
