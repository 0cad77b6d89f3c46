//! Every released version of every document, against files that are never edited.

use std::path::{Path, PathBuf};

use ralph_queue::lease::Leases;
use ralph_queue::{Document as QueueFile, IdMarks, decode};
use ralph_state::Document;
use ralph_state::document::MigrationReport;
use ralph_state::golden::{self, Accepted, Outputs, Summary, chain};
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

#[track_caller]
fn check(kind: &str, summary: std::io::Result<Summary>) {
    let summary = summary.unwrap();
    tell_cases(&summary.lines(kind), summary.passed.len(), &summary.failed);
}

fn check_document<D: Document>(kind: &str) {
    let tell = |_: &D, report: &MigrationReport| report.to_string();
    check(kind, golden::run(&dir(kind), tell, outputs()));
}

/// A queue file is edited in place: its tasks are what comes out.
fn accept(bytes: &[u8]) -> Result<Accepted, String> {
    let file = decode(bytes.to_vec()).and_then(QueueFile::parse).map_err(|error| chain(&error))?;
    let tasks = serde_json::to_value(file.tasks().to_vec()).map_err(|error| error.to_string())?;
    let report = format!("tasks: {}\n", file.tasks().len());
    Ok(Accepted { version: QueueFile::VERSION, report, out: format!("{tasks:#}\n").into() })
}

#[test]
fn queue_and_done_file() {
    check("queue", golden::run_with(&dir("queue"), QueueFile::FORMAT, accept, outputs()));
}

#[test]
fn ids() {
    check_document::<IdMarks>("ids");
}

#[test]
fn leases() {
    check_document::<Leases>("leases");
}
