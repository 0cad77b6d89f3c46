//! Every released version of every document, against files that are never edited.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ralph_state::document::MigrationReport;
use ralph_state::golden::{self, Outputs, Summary};
use ralph_state::json::{to_json, to_text};
use ralph_state::session::SessionFile;
use ralph_state::{ParallelStateFile, Timestamp, adopt_legacy, legacy_work};
use ralph_testkit::golden::{Mode, tell_cases};

fn dir(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(kind)
}

fn outputs() -> Outputs {
    match Mode::from_env() {
        Mode::Compare => Outputs::Compare,
        Mode::Bless => Outputs::Write,
    }
}

/// Every format that a released program wrote; where a version had several, each of them.
const PARALLEL: [&str; 10] = ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "2", "3"];
const SESSION: [&str; 1] = ["1"];

/// `cargo xtask test-migrations` reads and counts these lines.
#[track_caller]
fn check(kind: &str, generations: &[&str], summary: std::io::Result<Summary>) {
    let summary = summary.unwrap();
    let passed = &summary.passed;
    for generation in generations {
        let case = format!("accepted/v{generation}-");
        let is_there = passed.iter().any(|name| name.starts_with(&case));
        assert!(is_there, "{kind}: no case of generation {generation}");
    }
    tell_cases(&summary.lines(kind), passed.len(), &summary.failed);
}

/// The report, the records that would have been lost, and what they become.
fn tell(_: &ParallelStateFile, report: &MigrationReport) -> String {
    let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
    let work = legacy_work(report);
    let mut text = report.to_string();
    for work in &work {
        writeln!(text, "legacy work on `{}`: {:?}", work.task_id, work.kind).unwrap();
    }
    for record in adopt_legacy(&work, now) {
        writeln!(text, "adopted {}", to_text(&to_json(&record).unwrap())).unwrap();
    }
    text
}

#[test]
fn parallel() {
    check("parallel", &PARALLEL, golden::run(&dir("parallel"), tell, outputs()));
}

#[test]
fn session() {
    let tell = |_: &SessionFile, report: &MigrationReport| report.to_string();
    check("session", &SESSION, golden::run(&dir("session"), tell, outputs()));
}
