//! `cargo xtask crash`: what is left of a file when its writer is killed, fails or loses its power.
//!
//! Four layers, each with the same question: is the file the old one or the new one, whole, and is
//! it the new one once its writer was told so? A fifth is about the two files of the queue: is each
//! task in one of them? And each with a control: a writer that leaves out what makes it safe has to
//! be caught.

mod images;
mod queue;
mod storm;
mod syscalls;
mod writer;

use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::cargo::{self, Counts};

type Layer = fn(&Options) -> Result<Report, String>;

const LAYERS: [(&str, Layer); 5] = [
    ("simulated", simulated),
    ("syscalls", syscalls::run),
    ("storm", storm::run),
    ("images", images::run),
    ("queue", queue::run),
];

/// What to do.
struct Options {
    layers: Vec<(&'static str, Layer)>,
    /// How many processes the storm starts.
    launches: usize,
    /// Only before the calls of the queue that change something.
    is_quick: bool,
}

/// What a layer counted, one line for each thing, and what was wrong.
#[derive(Default)]
struct Report {
    figures: Vec<String>,
    violations: Vec<String>,
    /// Why some of it was not run.
    skipped: Vec<String>,
}

/// `cargo xtask crash [LAYER...] [--launches N] [--quick]`
pub(crate) fn run(args: &[String]) -> ExitCode {
    match args {
        [first, rest @ ..] if first == "writer" => return writer::run(rest),
        _ => {}
    }
    let options = match chosen(args) {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    let mut total = Counts::default();
    for (name, layer) in &options.layers {
        println!("=== {name}");
        let report = layer(&options).unwrap_or_else(|error| Report {
            violations: vec![format!("the harness itself failed: {error}")],
            ..Report::default()
        });
        for figure in &report.figures {
            println!("{figure}");
        }
        for reason in &report.skipped {
            println!("SKIPPED: {reason}");
        }
        for violation in &report.violations {
            println!("VIOLATION: {violation}");
        }
        total += Counts {
            passed: u64::from(report.violations.is_empty() && report.skipped.is_empty()),
            failed: u64::from(!report.violations.is_empty()),
            skipped: u64::from(!report.skipped.is_empty()),
        };
    }
    println!("crash: {total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn chosen(args: &[String]) -> Result<Options, String> {
    let names = LAYERS.map(|(name, _)| name).join("|");
    let usage = || format!("Usage: cargo xtask crash [{names}]... [--launches N] [--quick]");
    let mut options = Options { layers: Vec::new(), launches: 5_000, is_quick: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--launches" {
            options.launches = args.next().and_then(|n| n.parse().ok()).ok_or_else(usage)?;
        } else if arg == "--quick" {
            options.is_quick = true;
        } else {
            options.layers.push(*LAYERS.iter().find(|(name, _)| name == arg).ok_or_else(usage)?);
        }
    }
    if options.layers.is_empty() {
        options.layers = LAYERS.to_vec();
    }
    Ok(options)
}

/// The tests with a disk in memory, which print their figures.
fn simulated(_: &Options) -> Result<Report, String> {
    let mut command = cargo::command([
        "test",
        "--package",
        "ralph-state",
        "--lib",
        "crash_tests::",
        "--",
        "--nocapture",
    ]);
    let output = command.stderr(Stdio::inherit()).output().map_err(text)?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut report = Report::default();
    report
        .figures
        .extend(lines.lines().filter_map(|line| Some(line.split_once("figure ")?.1.to_owned())));
    report.figures.sort_unstable();
    if !output.status.success() || report.figures.is_empty() {
        report.violations.push(format!("the tests failed:\n{lines}"));
    }
    Ok(report)
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

/// Whether `program` can be started here.
fn has(program: &str) -> bool {
    let mut version = cargo::program(program);
    version.arg("-V").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok()
}

/// A process of this program that writes once: see [`writer()`].
fn writer(args: &[&str], path: &Path) -> Result<Command, String> {
    let mut command = cargo::program(this_program()?);
    command.args(["crash", "writer"]).args(args).arg(path);
    Ok(command)
}

#[expect(clippy::disallowed_methods, reason = "the writers are processes of this program")]
fn this_program() -> Result<std::path::PathBuf, String> {
    std::env::current_exe().map_err(text)
}
