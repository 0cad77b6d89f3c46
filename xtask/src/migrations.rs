//! `cargo xtask test-migrations`: every released version of every document.

use std::io::{BufRead as _, BufReader};
use std::process::{ExitCode, Stdio};

use crate::cargo;

/// The crates that own documents. Their golden tests print one line for each case.
const OWNERS: [&str; 3] = ["ralph-state", "ralph-queue", "ralph-config"];

/// Runs the golden tests of all documents. `--bless` accepts new outputs; inputs that were
/// released are never accepted anew.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let bless = match args {
        [] => false,
        [flag] if flag == "--bless" => true,
        _ => {
            eprintln!("Usage: cargo xtask test-migrations [--bless]");
            return ExitCode::from(2);
        }
    };
    let mut counts = cargo::Counts::default();
    for owner in OWNERS {
        match cases(owner, bless) {
            Ok(more) => counts += more,
            Err(error) => {
                eprintln!("cannot run cargo: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{counts}");
    if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the tests of a program that embeds `ralph-state`, outside of the workspace: features of
/// `serde_json` that it turns on must not change what is written.
pub(crate) fn embedding(_: &[String]) -> ExitCode {
    let manifest = "crates/ralph-state/embedding/Cargo.toml";
    let command = cargo::command(["test", "--manifest-path", manifest]);
    match cargo::run_counted(command) {
        Ok((true, _)) => ExitCode::SUCCESS,
        Ok((false, _)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the golden tests of one crate and counts their cases.
fn cases(owner: &str, bless: bool) -> std::io::Result<cargo::Counts> {
    let mut command = cargo::command([
        "test",
        "--quiet",
        "--package",
        owner,
        "--test",
        "integration",
        "goldens::",
        "--",
        "--nocapture",
        "--test-threads=1",
    ]);
    if bless {
        command.env("UPDATE_GOLDENS", "1");
    }
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut counts = cargo::Counts::default();
    for line in BufReader::new(child.stdout.take().expect("stdout was asked for")).lines() {
        let line = line?;
        let Some(case) = line.strip_prefix("golden ") else { continue };
        println!("{case}");
        if case.ends_with(": passed") {
            counts.passed += 1;
        } else {
            counts.failed += 1;
        }
    }
    // A test that fails without a case having failed, or that found no cases at all.
    if !child.wait()?.success() && counts.failed == 0 || counts == cargo::Counts::default() {
        eprintln!("the golden tests of {owner} did not run to their end");
        counts.failed += 1;
    }
    Ok(counts)
}
