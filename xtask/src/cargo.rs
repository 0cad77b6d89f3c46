//! Starting cargo, and what the test runners below it say at their end.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of this workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a directory of the workspace").to_owned()
}

/// The cargo that runs us, at the root of the workspace.
pub(crate) fn command<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "cargo says here which cargo it is")]
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = program(cargo);
    command.args(args);
    command
}

/// Any program, at the root of the workspace.
#[expect(clippy::disallowed_methods, reason = "xtask starts tools, not Ralph's children")]
pub(crate) fn program(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Whether cargo knows this subcommand.
pub(crate) fn has(subcommand: &str) -> bool {
    let mut version = command([subcommand, "--version"]);
    version.stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// The platform that cargo builds for when not told otherwise.
pub(crate) fn host() -> std::io::Result<String> {
    let output = command(["--version", "--verbose"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| std::io::Error::other("`cargo --version --verbose` names no host"))
}

/// How many tests ran, by the closing lines of their runners.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed")?;
        if *skipped > 0 {
            write!(f, ", {skipped} skipped")?;
        }
        Ok(())
    }
}

/// Runs a command to its end with its output passed through, and returns
/// whether it succeeded and what its test runners counted.
pub(crate) fn run_counted(mut command: Command) -> std::io::Result<(bool, Counts)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut counts = Counts::default();
    let mut lines = BufReader::new(child.stdout.take().expect("stdout was asked for"));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        std::io::stdout().write_all(&line)?;
        if let Some(more) = closing_line(&String::from_utf8_lossy(&line)) {
            counts += more;
        }
        line.clear();
    }
    Ok((child.wait()?.success(), counts))
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`, or
/// `3 passed, 0 failed` with an optional `name:` before it.
fn closing_line(line: &str) -> Option<Counts> {
    let line = line.trim();
    let list = match line.strip_prefix("test result: ") {
        Some(rest) => rest.split_once(". ")?.1,
        None => match line.split_once(": ") {
            Some((name, list)) if !name.contains(' ') => list,
            Some(_) | None => line,
        },
    };
    let mut found = Vec::new();
    for part in list.split([';', ',']) {
        let Some((number, what)) = part.trim().split_once(' ') else { continue };
        if let Ok(number) = number.parse() {
            found.push((what, number));
        }
    }
    let count = |name| found.iter().find(|(what, _)| *what == name).map(|(_, number)| *number);
    let skipped = count("ignored").or_else(|| count("skipped")).unwrap_or(0);
    Some(Counts { passed: count("passed")?, failed: count("failed")?, skipped })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(u64, u64, u64)>) {
        let counts = closing_line(line).map(|c| (c.passed, c.failed, c.skipped));
        assert_eq!(counts, expected, "{line}");
    }

    #[test]
    fn closing_lines_are_read() {
        check(
            "test result: FAILED. 7 passed; 2 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.01s\n",
            Some((7, 2, 1)),
        );
        check("12 passed, 0 failed\n", Some((12, 0, 0)));
        check("e2e: 12 passed, 1 failed, 3 skipped\n", Some((12, 1, 3)));
    }

    #[test]
    fn other_lines_are_not_counted() {
        check("running 3 tests\n", None);
        check("the gate passed, 2 failed before\n", None);
        check("test passed ... ok\n", None);
    }
}
