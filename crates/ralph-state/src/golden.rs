//! Golden tests for a kind of document: every released version, for ever.
//!
//! A directory for each kind holds
//!
//! | path | is |
//! |---|---|
//! | `accepted/v2-mid-run/in.json` | a file of version 2 (`v2.1-...` is one too) |
//! | `accepted/v2-mid-run/out.json` | the bytes that a save of it writes |
//! | `accepted/v2-mid-run/report.txt` | what the migration told |
//! | `rejected/newer/in.json` | a file that is refused |
//! | `rejected/newer/error.txt` | how |
//! | `FROZEN.sha256` | the hash of every `in.json`, as `sha256sum` writes it |
//!
//! Inputs are history: one that is edited, lost or not yet frozen is a failure, which no mode
//! mends. So is a version without an accepted case.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

use fs_err as fs;
use sha2::{Digest as _, Sha256};

use crate::document::{Document, Format, MigrationReport, decode, encode};

/// What to do with outputs that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third thing to do")]
pub enum Outputs {
    /// A difference is a failure.
    Compare,
    /// What is produced becomes the golden. Inputs are still only compared.
    Write,
}

/// What a run of golden cases found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// The names of the cases that passed.
    pub passed: Vec<String>,
    /// What failed, and how.
    pub failed: Vec<Failure>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The case, or the file that is about all of them.
    pub case: String,
    /// What is wrong.
    pub reason: String,
}

impl Summary {
    /// One line for each case, as `cargo xtask test-migrations` of Ralph reads and counts them.
    pub fn lines(&self, kind: &str) -> String {
        let passed = self.passed.iter().map(|case| format!("golden {kind}/{case}: passed"));
        let failed = self.failed.iter().map(|failure| format!("golden {kind}/{failure}"));
        passed.chain(failed).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.reason)
    }
}

/// What became of an input that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by every reader")]
pub struct Accepted {
    /// The version it is of.
    pub version: u32,
    /// The text of `report.txt`.
    pub report: String,
    /// The bytes of `out.json`.
    pub out: Vec<u8>,
}

/// Runs every case in `dir`. `tell` makes the text of `report.txt`; [`MigrationReport`]'s own is
/// a good start.
pub fn run<D: Document>(
    dir: &Path,
    tell: impl Fn(&D, &MigrationReport) -> String,
    outputs: Outputs,
) -> io::Result<Summary> {
    let read = |bytes: &[u8]| decode::<D>(bytes).map_err(|error| chain(&error));
    let accept = |bytes: &[u8]| {
        let (value, report) = read(bytes)?;
        let out = encode(&value).map_err(|error| error.to_string())?;
        let (again, second) = read(&out)?;
        if second.migrated() || !second.dropped.is_empty() {
            return Err("what a save writes is migrated again".to_owned());
        }
        if encode(&again).map_err(|error| error.to_string())? != out {
            return Err("a second save writes other bytes".to_owned());
        }
        Ok(Accepted { version: report.from, report: tell(&value, &report), out })
    };
    run_with(dir, Format::of::<D>(), accept, outputs)
}

/// The same for a file that is no [`Document`]. `accept` reads an input, or tells how it is
/// refused.
pub fn run_with(
    dir: &Path,
    format: Format,
    accept: impl Fn(&[u8]) -> Result<Accepted, String>,
    outputs: Outputs,
) -> io::Result<Summary> {
    let mut run = Run { dir, outputs, frozen: read_frozen(dir)?, summary: Summary::default() };
    let mut missing: Vec<u32> = (format.first..=format.current).collect();
    for case in run.cases("accepted")? {
        let version = version_in(&case);
        missing.retain(|other| Some(*other) != version);
        run.case(&case, |run, bytes| run.accepted(&case, version, &accept(bytes)?));
    }
    for case in run.cases("rejected")? {
        run.case(&case, |run, bytes| match accept(bytes) {
            Ok(_) => Err("it is accepted".to_owned()),
            Err(error) => run.output(&case, "error.txt", error.as_bytes()),
        });
    }
    for version in missing {
        run.fail("accepted", format!("version {version} has no case"));
    }
    for path in std::mem::take(&mut run.frozen).into_keys() {
        run.fail(FROZEN, format!("`{path}` is gone"));
    }
    Ok(run.summary)
}

const FROZEN: &str = "FROZEN.sha256";

struct Run<'a> {
    dir: &'a Path,
    outputs: Outputs,
    /// The inputs not met yet, and their hashes.
    frozen: BTreeMap<String, String>,
    summary: Summary,
}

impl Run<'_> {
    /// The names of the cases in this part, `accepted/v2-mid-run`, in order.
    fn cases(&self, part: &str) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.dir.join(part))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
        names.sort_unstable();
        Ok(names.into_iter().map(|name| format!("{part}/{name}")).collect())
    }

    fn case(&mut self, case: &str, check: impl FnOnce(&Self, &[u8]) -> Result<(), String>) {
        let outcome = self.input(case).and_then(|bytes| check(self, &bytes));
        match outcome {
            Ok(()) => self.summary.passed.push(case.to_owned()),
            Err(reason) => self.fail(case, reason),
        }
    }

    fn fail(&mut self, case: &str, reason: String) {
        self.summary.failed.push(Failure { case: case.to_owned(), reason });
    }

    fn input(&mut self, case: &str) -> Result<Vec<u8>, String> {
        let name = format!("{case}/in.json");
        let frozen = self.frozen.remove(&name);
        let bytes = fs::read(self.dir.join(&name)).map_err(|error| error.to_string())?;
        let hash = hex(&Sha256::digest(&bytes));
        match frozen {
            Some(frozen) if frozen == hash => Ok(bytes),
            Some(_) => Err("the input was edited: it is history, make another case".to_owned()),
            None => Err(format!("the input is not frozen, add to {FROZEN}:\n{hash}  {name}")),
        }
    }

    fn accepted(
        &self,
        case: &str,
        version: Option<u32>,
        accepted: &Accepted,
    ) -> Result<(), String> {
        if version != Some(accepted.version) {
            return Err(format!("it is of version {}, its name tells another", accepted.version));
        }
        self.output(case, "report.txt", accepted.report.as_bytes())?;
        self.output(case, "out.json", &accepted.out)
    }

    fn output(&self, case: &str, name: &str, actual: &[u8]) -> Result<(), String> {
        let path = self.dir.join(case).join(name);
        match (self.outputs, fs::read(&path)) {
            (_, Ok(golden)) if golden == actual => Ok(()),
            (Outputs::Write, _) => {
                crate::file::replace(&path, actual, crate::file::Durability::None)
                    .map(drop)
                    .map_err(|error| chain(&error))
            }
            (Outputs::Compare, Err(error)) => Err(error.to_string()),
            (Outputs::Compare, Ok(golden)) => {
                Err(format!("{name} differs\n{}", differing(&golden, actual)))
            }
        }
    }
}

/// The number at the start of `accepted/v1.6-finished`.
fn version_in(case: &str) -> Option<u32> {
    let (_, name) = case.split_once("/v")?;
    let digits = name.find(|c: char| !c.is_ascii_digit()).map_or(name, |end| &name[..end]);
    digits.parse().ok()
}

fn read_frozen(dir: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(dir.join(FROZEN))?;
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    Ok(lines.map(|(hash, path)| (path.to_owned(), hash.to_owned())).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// An error and its causes on one line, as `error.txt` has it.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, ": {cause}").expect("writing to a string cannot fail");
        source = cause.source();
    }
    text + "\n"
}

fn differing(golden: &[u8], actual: &[u8]) -> String {
    let (golden, actual) = (String::from_utf8_lossy(golden), String::from_utf8_lossy(actual));
    let (mut golden, mut actual) = (golden.lines(), actual.lines());
    for number in 1.. {
        match (golden.next(), actual.next()) {
            (None, None) => break,
            (golden, actual) if golden == actual => {}
            (golden, actual) => {
                let (golden, actual) = (golden.unwrap_or("(end)"), actual.unwrap_or("(end)"));
                return format!("line {number}\n  golden: {golden}\n  actual: {actual}");
            }
        }
    }
    "in the ends of lines".to_owned()
}
