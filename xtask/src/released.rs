//! `cargo xtask released --old RALPH_0.4.0`: what 0.4.0 itself writes and prints, recorded anew for
//! the tests that hold ours against it; and whether it accepts what ours writes.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use crate::cargo;

/// Where the record is, and what is asked for: `edits.txt` and `import.json` make the files,
/// `reads.txt` is about them, and `ours.txt` is what ours does to them.
const RECORD: &str = "crates/ralph-cli/tests/goldens/0.4.0";
const FILES: [&str; 2] = ["queue.jsonc", "done.jsonc"];

pub(crate) fn run(args: &[String]) -> ExitCode {
    let [flag, old] = args else {
        eprintln!("Usage: cargo xtask released --old PATH_TO_RALPH_0.4.0");
        return ExitCode::from(2);
    };
    if flag != "--old" {
        return run(&[]);
    }
    match record(Path::new(old)).and_then(|()| accepts(Path::new(old))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Has 0.4.0 make and read the files, and writes down what is not as it was recorded.
fn record(old: &Path) -> Result<(), String> {
    let dir = repository()?;
    for line in recorded("edits.txt")?.lines() {
        succeeds(started(old, dir.path(), line))?;
    }
    let mut reads = String::new();
    for line in recorded("reads.txt")?.lines().filter_map(|line| line.strip_prefix("$ ralph ")) {
        let Output { status, stdout, .. } =
            started(old, dir.path(), line).output().map_err(text)?;
        let code = status.code().ok_or_else(|| format!("`{line}` was killed"))?;
        let printed = String::from_utf8(stdout).map_err(text)?;
        writeln!(reads, "$ ralph {line}\nexit {code}\n{}", printed.trim_end()).map_err(text)?;
    }
    keep("reads.txt", &reads)?;
    for name in FILES {
        keep(name, &fs_err::read_to_string(dir.path().join(".ralph").join(name)).map_err(text)?)?;
    }
    Ok(())
}

/// Has ours change the recorded files, and 0.4.0 look at them after each change.
fn accepts(old: &Path) -> Result<(), String> {
    let mut build = cargo::command(["build", "--quiet", "--package", "ralph-cli"]);
    if !build.status().map_err(text)?.success() {
        return Err("`ralph` cannot be built".to_owned());
    }
    let ours = cargo::root().join("target/debug/ralph");
    let dir = repository()?;
    fs_err::create_dir(dir.path().join(".ralph")).map_err(text)?;
    for name in FILES {
        fs_err::write(dir.path().join(".ralph").join(name), recorded(name)?).map_err(text)?;
    }
    let edits = recorded("ours.txt")?;
    for line in edits.lines() {
        succeeds(started(&ours, dir.path(), line))?;
        succeeds(started(old, dir.path(), "queue validate"))
            .map_err(|error| format!("after `{line}` of ours: {error}"))?;
    }
    println!("0.4.0 accepts the files after each of {} changes", edits.lines().count());
    Ok(())
}

/// Writes it down unless it differs from the record in nothing but digits, which time alone makes
/// others, and the order of lines, which 0.4.0 leaves to chance within custom fields.
fn keep(name: &str, new: &str) -> Result<(), String> {
    let lasting = |text: &str| {
        let letters = |line: &str| -> String {
            line.chars().filter(|char| !char.is_ascii_digit() && *char != ',').collect()
        };
        let mut lines: Vec<String> = text.lines().map(letters).collect();
        lines.sort_unstable();
        lines
    };
    let path = path(name);
    let old = fs_err::read_to_string(&path).unwrap_or_default();
    if lasting(&old) == lasting(new) {
        println!("{name}: as recorded");
        return Ok(());
    }
    println!("{name}: recorded anew");
    fs_err::write(path, new).map_err(text)
}

fn path(name: &str) -> PathBuf {
    cargo::root().join(RECORD).join(name)
}

fn recorded(name: &str) -> Result<String, String> {
    fs_err::read_to_string(path(name)).map_err(text)
}

fn repository() -> Result<tempfile::TempDir, String> {
    let dir = tempfile::tempdir().map_err(text)?;
    succeeds(started("git", dir.path(), "init --quiet --initial-branch main"))?;
    fs_err::copy(path("import.json"), dir.path().join("import.json")).map_err(text)?;
    Ok(dir)
}

/// A command with the words of `line`, which nothing of this user's reaches.
fn started(program: impl AsRef<OsStr>, dir: &Path, line: &str) -> Command {
    let mut command = cargo::program(program);
    command.current_dir(dir).args(line.split(' ')).env("HOME", dir);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env_remove("XDG_CONFIG_HOME");
    command
}

fn succeeds(mut command: Command) -> Result<(), String> {
    let Output { status, stderr, .. } = command.output().map_err(text)?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{command:?} ended with {status}: {}", String::from_utf8_lossy(&stderr)))
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}
