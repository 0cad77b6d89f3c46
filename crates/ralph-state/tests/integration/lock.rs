//! Locks between two that want the same.

use std::time::{Duration, Instant};

use fs_err as fs;
use ralph_state::file::{FileLock, LockError, is_locked, lock_holder};
use tempfile::tempdir;

use crate::holder;

#[test]
fn one_holds_it_and_the_other_is_told_who() {
    let dir = tempdir().unwrap();
    let path = dir.path().join(".state.json.lock");
    assert!(!is_locked(&path).unwrap());
    assert!(!path.exists(), "asking makes no file");

    let held = FileLock::try_acquire(&path, &holder("the first")).unwrap().unwrap();
    assert!(is_locked(&path).unwrap());
    assert!(FileLock::try_acquire(&path, &holder("the second")).unwrap().is_none());
    assert_eq!(lock_holder(&path), Some(holder("the first")));

    let start = Instant::now();
    let error =
        FileLock::acquire(&path, &holder("the second"), Duration::from_millis(30)).unwrap_err();
    assert!(start.elapsed() >= Duration::from_millis(30));
    let LockError::Held { holder: Some(first), waited, .. } = &error else { panic!("{error}") };
    assert_eq!(first, &holder("the first"));
    assert!(*waited >= Duration::from_millis(30));
    assert!(error.to_string().contains("`the first`"), "{error}");

    drop(held);
    assert!(!is_locked(&path).unwrap());
    let _second = FileLock::try_acquire(&path, &holder("2")).unwrap().unwrap();
    assert_eq!(
        lock_holder(&path),
        Some(holder("2")),
        "a shorter text leaves nothing of the longer"
    );
    assert!(path.exists(), "a lock file is never removed");
}

#[test]
fn a_waiter_gets_it_when_it_is_free() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("deep/er/.state.json.lock");
    let held = FileLock::try_acquire(&path, &holder("the first")).unwrap().unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            FileLock::acquire(&path, &holder("the second"), Duration::from_mins(1)).map(drop)
        });
        drop(held);
        waiter.join().unwrap().unwrap();
    });
}

#[test]
fn what_cannot_be_a_lock_is_told() {
    let dir = tempdir().unwrap();
    assert!(matches!(FileLock::try_acquire(dir.path(), &holder("x")), Err(LockError::Io { .. })));
    fs::write(dir.path().join("file"), "").unwrap();
    let below_a_file = dir.path().join("file/.lock");
    assert!(matches!(
        FileLock::try_acquire(&below_a_file, &holder("x")),
        Err(LockError::Io { .. })
    ));
    fs::write(dir.path().join(".lock.info"), "no json").unwrap();
    assert_eq!(lock_holder(&dir.path().join(".lock")), None);
}

#[cfg(unix)]
#[test]
fn a_fifo_where_the_holder_is_told_is_waited_for_by_nobody() {
    let dir = tempdir().unwrap();
    let lock = dir.path().join("lock");
    let (kind, mode) =
        (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR);
    let info = dir.path().join("lock.info");
    rustix::fs::mknodat(rustix::fs::CWD, &info, kind, mode, 0).unwrap();
    let held = FileLock::try_acquire(&lock, &holder("a test")).unwrap();
    assert!(held.is_some() && lock_holder(&lock).is_none());
}

#[cfg(unix)]
#[test]
fn a_link_where_the_holder_is_told_is_not_followed() {
    let dir = tempdir().unwrap();
    let path = dir.path().join(".state.json.lock");
    let theirs = dir.path().join("theirs");
    fs::write(&theirs, "not ours").unwrap();
    fs::os::unix::fs::symlink(&theirs, path.with_added_extension("info")).unwrap();
    let _held = FileLock::try_acquire(&path, &holder("x")).unwrap().unwrap();
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "not ours");
}
