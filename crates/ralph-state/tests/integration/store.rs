//! A document at a path.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use fs_err as fs;
use ralph_state::document::{DecodeError, Document, MigrationReport, Newer, Upgrade, Upgrades};
use ralph_state::file::{FileLock, LockError, Saved, sidecar_lock_path};
use ralph_state::json::Object;
use ralph_state::{
    LoadError, ParallelStateFile, SaveError, Store, Unusable, UpdateError, WorkerRecord,
    adopt_legacy, legacy_work,
};
use serde::{Deserialize, Serialize};
use tempfile::tempdir;

use crate::{holder, names};

const V2: &str = include_str!("../../testdata/parallel/accepted/v2-mid-run/in.json");

fn state(dir: &Path) -> Store<ParallelStateFile> {
    Store::new(dir.join("state.json"), holder("a test"))
}

#[expect(clippy::unnecessary_wraps, reason = "what an update takes")]
fn rename_branch(state: &mut ParallelStateFile) -> Result<(), Infallible> {
    state.target_branch.push('x');
    Ok(())
}

#[test]
fn an_update_of_nothing_starts_from_the_default() {
    let dir = tempdir().unwrap();
    let store = state(&dir.path().join("not/yet"));
    assert!(store.load().unwrap().is_none());
    let updated = store.update(rename_branch).unwrap();
    assert!(matches!(updated.saved, Saved::Durable));
    assert_eq!(store.load().unwrap().unwrap().value.target_branch, "x");
}

#[test]
fn loading_writes_nothing_and_the_first_save_keeps_the_old_bytes() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    fs::write(store.path(), V2).unwrap();

    assert!(store.load().unwrap().unwrap().report.migrated());
    assert_eq!(names(dir.path()), ["state.json"]);

    store.update(rename_branch).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("state.v2.json.bak")).unwrap(), V2);
    let loaded = store.load().unwrap().unwrap();
    assert!(!loaded.report.migrated());
    assert_eq!(loaded.value.target_branch, "mainx");

    store.update(rename_branch).unwrap();
    let there = names(dir.path());
    assert_eq!(
        there,
        [".state.json.lock", ".state.json.lock.info", "state.json", "state.v2.json.bak"]
    );
}

#[test]
fn a_copy_with_other_bytes_is_not_overwritten_and_one_with_the_same_is_enough() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    fs::write(dir.path().join("state.v2.json.bak"), "of another run").unwrap();
    for _ in 0..2 {
        fs::write(store.path(), V2).unwrap();
        let (report, saved) = store.upgrade().unwrap().unwrap();
        assert_eq!((report.from, report.to), (2, 3));
        assert!(matches!(saved, Saved::Durable));
    }
    assert_eq!(fs::read(dir.path().join("state.v2.json.bak")).unwrap(), b"of another run");
    assert_eq!(fs::read_to_string(dir.path().join("state.v2.1.json.bak")).unwrap(), V2);
    assert!(!dir.path().join("state.v2.2.json.bak").exists());
    assert!(matches!(store.upgrade().unwrap().unwrap().1, Saved::Unchanged));
}

#[test]
fn an_update_that_changes_nothing_keeps_the_layout() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    let by_hand = "{schema_version: 3, target_branch: 'main', workers: [],} // mine\n";
    fs::write(store.path(), by_hand).unwrap();
    let updated = store.update(|_| Ok::<_, Infallible>(7)).unwrap();
    assert_eq!(updated.value, 7);
    assert!(matches!(updated.saved, Saved::Unchanged));
    assert_eq!(fs::read_to_string(store.path()).unwrap(), by_hand);
}

#[test]
fn a_change_that_refuses_leaves_the_file() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    fs::write(store.path(), V2).unwrap();
    let error = store.update(|state| {
        state.workers.push(WorkerRecord::new("A", "/a".into(), String::new()));
        Err::<(), _>("no".parse::<u8>().unwrap_err())
    });
    assert!(matches!(error, Err(UpdateError::Change(_))));
    assert_eq!(fs::read_to_string(store.path()).unwrap(), V2);
}

#[test]
fn what_is_not_understood_is_never_overwritten() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    for bytes in ["", "{}", "{\"schema_version\": 4, \"workers\": []}", "{\"schema_version\": 3"] {
        fs::write(store.path(), bytes).unwrap();
        assert!(matches!(store.load(), Err(LoadError::Decode { .. })), "{bytes}");
        assert!(matches!(store.update(rename_branch), Err(UpdateError::Store(SaveError::Load(_)))));
        assert!(matches!(store.save(&ParallelStateFile::new("", "")), Err(SaveError::Load(_))));
        assert!(matches!(store.upgrade(), Err(SaveError::Load(_))));
        assert_eq!(fs::read_to_string(store.path()).unwrap(), bytes);
    }
    let aside = store.set_aside().unwrap().unwrap();
    assert_eq!(aside, dir.path().join("state.corrupt.json.bak"));
    assert_eq!(fs::read(aside).unwrap(), b"{\"schema_version\": 3");
    assert!(store.load().unwrap().is_none());
    assert!(store.set_aside().unwrap().is_none());
}

#[test]
fn a_newer_file_is_refused_with_both_numbers() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    fs::write(store.path(), "{\"schema_version\": 12}").unwrap();
    let LoadError::Decode { source, .. } = store.load().unwrap_err() else { panic!() };
    assert_eq!(source, DecodeError::Newer(Newer { found: 12, supported: 3 }));
}

#[test]
fn a_conditional_save_sees_what_others_did() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    let mine = ParallelStateFile::new("2026-04-22T18:03:11Z", "main");
    store.save_if(&mine, None).unwrap();
    assert!(matches!(store.save_if(&mine, None), Err(SaveError::Changed { .. })));
    let token = store.load().unwrap().unwrap().token;
    store.update(rename_branch).unwrap();
    assert!(matches!(store.save_if(&mine, Some(&token)), Err(SaveError::Changed { .. })));
    let token = store.load().unwrap().unwrap().token;
    assert!(matches!(store.save_if(&mine, Some(&token)).unwrap(), Saved::Durable));
}

#[test]
fn a_file_that_was_changed_and_changed_back_is_another() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    let mine = ParallelStateFile::new("2026-04-22T18:03:11Z", "main");
    store.save(&mine).unwrap();
    let before = fs::read(store.path()).unwrap();
    let token = store.load().unwrap().unwrap().token;
    store.update(rename_branch).unwrap();
    store.save(&mine).unwrap();
    assert_eq!(fs::read(store.path()).unwrap(), before);
    let error = store.save_if(&mine, Some(&token)).unwrap_err();
    let SaveError::Changed { ours: Some(ours), theirs: Some(theirs), .. } = &error else {
        panic!()
    };
    assert!(*ours == token && *theirs != token);
    let told = error.to_string();
    assert!(told.contains(&format!("it was {} bytes", before.len())), "{told}");
    assert!(store.save_if(&mine, None).unwrap_err().to_string().contains("it was not there"));
}

#[test]
fn removing() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    assert!(matches!(store.remove().unwrap(), Saved::Unchanged));
    store.update(rename_branch).unwrap();
    assert!(matches!(store.remove().unwrap(), Saved::Durable));
    assert!(store.load().unwrap().is_none());
    assert_eq!(names(dir.path()), [".state.json.lock", ".state.json.lock.info"]);
}

#[test]
fn a_held_lock_ends_the_wait() {
    let dir = tempdir().unwrap();
    let store = state(dir.path()).lock_wait(Duration::from_millis(5));
    let lock = FileLock::try_acquire(&sidecar_lock_path(store.path()), &holder("another")).unwrap();
    let error = store.update(rename_branch).unwrap_err();
    assert!(matches!(error, UpdateError::Store(SaveError::Lock(LockError::Held { .. }))));
    assert!(!store.path().exists());
    drop(lock);
    store.update(rename_branch).unwrap();
}

#[test]
fn updates_of_many_threads_are_all_kept() {
    let dir = tempdir().unwrap();
    let store = state(dir.path()).durability(ralph_state::file::Durability::None);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for turn in 0..25 {
                    let task = format!("T-{thread}-{turn}");
                    let record = WorkerRecord::new(task, "/w".into(), String::new());
                    let add = |state: &mut ParallelStateFile| {
                        state.workers.push(record);
                        Ok::<_, Infallible>(())
                    };
                    store.update(add).unwrap();
                }
            });
        }
    });
    assert_eq!(store.load().unwrap().unwrap().value.workers.len(), 200);
}

/// A document of a host, with a field of another kind of JSON and none for its version.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Ledger {
    total: f64,
    #[serde(flatten)]
    extra: std::collections::BTreeMap<String, serde_json::Value>,
}

impl Document for Ledger {
    const KIND: &'static str = "ledger";
    const VERSION_KEY: &'static str = "v";
    const UPGRADES: Upgrades = Upgrades::new(
        4,
        5,
        &[Upgrade {
            from: 4,
            apply: |ledger: &mut Object, notes| {
                if let Some(old) = ledger.remove("currency") {
                    notes.dropped("currency", old);
                }
                Ok(())
            },
        }],
    );
}

#[test]
fn a_document_of_a_host() {
    let dir = tempdir().unwrap();
    let store = Store::<Ledger>::new(dir.path().join("ledger"), holder("a host"));
    fs::write(
        store.path(),
        r#"{"v": 4, "total": 1.50, "currency": "EUR", "big": 123456789012345678901}"#,
    )
    .unwrap();
    let loaded = store.load().unwrap().unwrap();
    assert_eq!(loaded.report.dropped[0].path, "currency");
    assert!(loaded.value.extra["big"].is_number(), "rounded, since `Value` cannot hold it");
    let add = |ledger: &mut Ledger| {
        ledger.total += 1.0;
        Ok::<_, Infallible>(())
    };
    store.update(add).unwrap();
    assert_eq!(names(dir.path()), [".ledger.lock", ".ledger.lock.info", "ledger", "ledger.v4.bak"]);
    assert_eq!(store.load().unwrap().unwrap().value.total.to_bits(), 2.5_f64.to_bits());
    fs::write(store.path(), r#"{"v": 3, "total": 1}"#).unwrap();
    assert!(matches!(
        store.load(),
        Err(LoadError::Decode { source: DecodeError::BadVersion { .. }, .. })
    ));
}

#[test]
fn what_an_upgrade_left_out_is_adopted_in_the_same_save() {
    let now = "2026-06-01T12:00:00Z".parse().unwrap();
    let adopt = |state: &mut ParallelStateFile, report: &MigrationReport| {
        for record in adopt_legacy(&legacy_work(report), now) {
            state.upsert_worker(record);
        }
    };
    for by_update in [false, true] {
        let dir = tempdir().unwrap();
        let store = state(dir.path());
        fs::write(store.path(), V2).unwrap();
        if by_update {
            let change = |state: &mut ParallelStateFile, report: Option<&MigrationReport>| {
                adopt(state, report.expect("the file is there"));
                Ok::<_, Infallible>(())
            };
            store.update_reported(change).unwrap();
        } else {
            store.upgrade_with(adopt).unwrap();
        }
        let loaded = store.load().unwrap().unwrap();
        assert!(!loaded.report.migrated() && !loaded.value.workers.is_empty());
        assert_eq!(fs::read_to_string(dir.path().join("state.v2.json.bak")).unwrap(), V2);
        let again = store.upgrade_with(|_, _| panic!("it is of the current version"));
        assert!(matches!(again.unwrap().unwrap().1, Saved::Unchanged));
    }
}

#[test]
fn a_file_that_is_not_there_has_no_report() {
    let dir = tempdir().unwrap();
    let look = |_: &mut ParallelStateFile, report: Option<&MigrationReport>| {
        Ok::<_, Infallible>(report.is_none())
    };
    assert!(state(dir.path()).update_reported(look).unwrap().value);
}

#[test]
fn a_rebuild_keeps_the_bytes_and_overwrites_no_copy() {
    let dir = tempdir().unwrap();
    let store = state(dir.path());
    let nothing = |_: Unusable<'_>| -> Result<ParallelStateFile, Infallible> {
        panic!("there is nothing to rebuild")
    };
    assert!(store.rebuild(nothing).unwrap().is_none());
    fs::write(dir.path().join("state.corrupt.json.bak"), "of another crash").unwrap();
    let torn = "{\"schema_version\": 3, \"workers\": [";
    fs::write(store.path(), torn).unwrap();
    let refuse = |_: Unusable<'_>| Err::<ParallelStateFile, _>("no");
    assert!(matches!(store.rebuild(refuse), Err(UpdateError::Change("no"))));
    assert_eq!(names(dir.path()).len(), 4, "nothing was copied");

    let make = |found: Unusable<'_>| {
        assert_eq!(found.bytes, torn.as_bytes());
        assert!(matches!(found.reason, DecodeError::Syntax(_)));
        Ok::<_, Infallible>(ParallelStateFile::new("", "main"))
    };
    let rebuilt = store.rebuild(make).unwrap().unwrap();
    assert_eq!(rebuilt.aside, dir.path().join("state.corrupt.1.json.bak"));
    assert!(matches!(rebuilt.saved, Saved::Durable));
    assert_eq!(fs::read_to_string(rebuilt.aside).unwrap(), torn);
    assert_eq!(
        fs::read_to_string(dir.path().join("state.corrupt.json.bak")).unwrap(),
        "of another crash"
    );
    assert_eq!(store.load().unwrap().unwrap().value.target_branch, "main");
    assert!(store.rebuild(nothing).unwrap().is_none());

    fs::write(store.path(), "{\"schema_version\": 4}").unwrap();
    let newer = store.rebuild(nothing).unwrap_err();
    assert!(matches!(newer, UpdateError::Store(SaveError::Load(LoadError::Decode { .. }))));
    assert_eq!(fs::read_to_string(store.path()).unwrap(), "{\"schema_version\": 4}");
}
