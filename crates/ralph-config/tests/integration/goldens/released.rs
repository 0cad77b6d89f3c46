//! Every released version of every document, against files that are never edited.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ralph_config::migrate::migrate;
use ralph_config::trust::TrustStore;
use ralph_config::{ConfigError, FORMAT, Origin, Overrides, Sources, load};
use ralph_state::Document;
use ralph_state::Store;
use ralph_state::document::MigrationReport;
use ralph_state::file::Holder;
use ralph_state::golden::{self, Accepted, Outputs, Summary, chain};
use ralph_testkit::golden::{Mode, tell_cases};
use serde_json::{Map, Value};

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

/// A configuration is edited in place: its text of today comes out, and what that sets is told.
fn accept(bytes: &[u8]) -> Result<Accepted, String> {
    let path = Path::new("config.jsonc");
    let migration = migrate(path, bytes).map_err(|error| chain(&error))?;
    let version = migration.as_ref().map_or(Some(FORMAT.current), |migration| migration.from);
    let mut report = String::new();
    for change in migration.iter().flat_map(|migration| &migration.changes) {
        writeln!(report, "{change:?}").unwrap();
    }
    let out = migration.map_or(bytes.to_vec(), |migration| migration.text.into());
    let again = migrate(path, &out).map_err(|error| chain(&error))?;
    if again.is_some() {
        return Err("what was migrated is migrated again".to_owned());
    }
    let before = settings(bytes).map_err(|error| chain(&error))?;
    if settings(&out).map_err(|error| chain(&error))? != before {
        return Err("what was migrated sets other values".to_owned());
    }
    writeln!(report, "{:#}", Value::Object(before)).unwrap();
    Ok(Accepted { version: version.ok_or("it names no version")?, report, out })
}

/// What a project file with this content sets.
fn settings(bytes: &[u8]) -> Result<Map<String, Value>, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let project = directory.path().join("config.jsonc");
    fs_err::write(&project, bytes).unwrap();
    let resolved = load(&Sources { global: None, project }, &Overrides::default())?;
    let set = resolved.origins.iter().filter(|(_, origin)| **origin != Origin::Default);
    let keys = set.map(|(key, _)| key).filter(|key| *key != FORMAT.version_key);
    let value = |key: &String| resolved.document.pointer(&format!("/{}", key.replace('.', "/")));
    Ok(keys.map(|key| (key.clone(), value(key).cloned().unwrap_or_default())).collect())
}

#[test]
fn config() {
    check("config", golden::run_with(&dir("config"), FORMAT, accept, outputs()));
}

#[test]
fn trust() {
    fn kind_of<D: Document>(_: &Store<D>) {
        check_document::<D>("trust");
    }
    let holder = Holder {
        pid: 1,
        host: "here".to_owned(),
        command: "a test".to_owned(),
        since: ralph_state::Timestamp::UNIX_EPOCH,
    };
    kind_of(TrustStore::new(Path::new("/nonexistent"), holder).store());
}
