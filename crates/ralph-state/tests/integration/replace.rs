//! One file in place of another, on the real disk.

use fs_err as fs;
use ralph_state::file::{Durability, ReplaceError, Saved, replace};
use tempfile::tempdir;

use crate::names;

#[test]
fn a_new_file_in_new_directories() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("a/b/state.json");
    assert!(matches!(replace(&file, b"one", Durability::Full).unwrap(), Saved::Durable));
    assert_eq!(fs::read(&file).unwrap(), b"one");
    assert_eq!(names(&dir.path().join("a/b")), ["state.json"]);
}

#[test]
fn equal_bytes_are_not_written() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("state.json");
    let _new = replace(&file, b"one", Durability::Full).unwrap();
    let before = fs::metadata(&file).unwrap();
    assert!(matches!(replace(&file, b"one", Durability::Full).unwrap(), Saved::Unchanged));
    let after = fs::metadata(&file).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::MetadataExt::ino(&before),
        std::os::unix::fs::MetadataExt::ino(&after)
    );
}

#[test]
fn leftovers_of_this_file_are_swept_and_no_others() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("state.json");
    for name in [
        ".state.json.1-0.tmp",
        ".state.json.99999-12.tmp",
        ".other.json.1-0.tmp",
        ".state.json.tmp",
    ] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    let _new = replace(&file, b"one", Durability::FileOnly).unwrap();
    assert_eq!(names(dir.path()), [".other.json.1-0.tmp", ".state.json.tmp", "state.json"]);
}

#[test]
fn what_is_no_file_is_refused() {
    let dir = tempdir().unwrap();
    let error = replace(dir.path(), b"one", Durability::Full).unwrap_err();
    assert!(matches!(error, ReplaceError::NotAFile { .. }), "{error}");
    let below_a_file = dir.path().join("file/state.json");
    fs::write(dir.path().join("file"), "x").unwrap();
    assert!(matches!(
        replace(&below_a_file, b"one", Durability::Full),
        Err(ReplaceError::Io { .. })
    ));
    assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"x");
}

#[cfg(unix)]
mod unix {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::Path;

    use fs_err::os::unix::fs::symlink;
    use ralph_state::file::sidecar_lock_path;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn the_mode_is_kept() {
        let dir = tempdir().unwrap();
        let file = dir.path().join("state.json");
        fs::write(&file, "old").unwrap();
        for kept in [0o600, 0o664, 0o640, 0o400] {
            fs::set_permissions(&file, Permissions::from_mode(kept)).unwrap();
            let _saved = replace(&file, format!("{kept}").as_bytes(), Durability::Full).unwrap();
            assert_eq!(mode(&file), kept);
        }
    }

    #[test]
    fn a_new_file_has_the_mode_of_any_new_file() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("plain"), "x").unwrap();
        let file = dir.path().join("state.json");
        let _saved = replace(&file, b"one", Durability::Full).unwrap();
        assert_eq!(mode(&file), mode(&dir.path().join("plain")));
    }

    #[test]
    fn the_owner_is_kept_where_we_may() {
        let dir = tempdir().unwrap();
        let file = dir.path().join("state.json");
        fs::write(&file, "old").unwrap();
        // Only the superuser can set this test up; for others the file stays theirs.
        let _refused = std::os::unix::fs::chown(&file, Some(12345), Some(12345));
        let before = fs::metadata(&file).unwrap();
        let _saved = replace(&file, b"new", Durability::Full).unwrap();
        let after = fs::metadata(&file).unwrap();
        assert_eq!((before.uid(), before.gid()), (after.uid(), after.gid()));
    }

    /// `link -> sub/middle -> ../real/state.json`, with the second link relative to its own place.
    #[test]
    fn a_chain_of_links_is_followed() {
        let dir = tempdir().unwrap();
        for sub in ["sub", "real"] {
            fs::create_dir(dir.path().join(sub)).unwrap();
        }
        let real = dir.path().join("real/state.json");
        fs::write(&real, "old").unwrap();
        symlink("../real/state.json", dir.path().join("sub/middle")).unwrap();
        let link = dir.path().join("link");
        symlink("sub/middle", &link).unwrap();

        let _saved = replace(&link, b"new", Durability::Full).unwrap();

        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(&dir.path().join("real")), ["state.json"]);
        let locks = [&link, &real].map(|path| {
            let lock = sidecar_lock_path(path);
            fs::canonicalize(lock.parent().unwrap()).unwrap().join(lock.file_name().unwrap())
        });
        assert_eq!(locks[0], locks[1]);
        assert!(locks[0].ends_with("real/.state.json.lock"));
    }

    #[test]
    fn a_dangling_link_leads_to_the_new_file() {
        let dir = tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("new/state.json", &link).unwrap();
        let _saved = replace(&link, b"new", Durability::Full).unwrap();
        assert_eq!(fs::read(dir.path().join("new/state.json")).unwrap(), b"new");
    }

    #[test]
    fn links_in_a_circle_are_refused() {
        let dir = tempdir().unwrap();
        symlink("two", dir.path().join("one")).unwrap();
        symlink("one", dir.path().join("two")).unwrap();
        let error = replace(&dir.path().join("one"), b"new", Durability::Full).unwrap_err();
        assert!(matches!(error, ReplaceError::Io { step: "find the file", .. }), "{error}");
    }

    #[test]
    fn a_fifo_is_refused_and_not_opened() {
        let dir = tempdir().unwrap();
        let fifo = dir.path().join("state.json");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let error = replace(&fifo, b"new", Durability::Full).unwrap_err();
        assert!(matches!(error, ReplaceError::NotAFile { .. }), "{error}");
        let error = ralph_state::load_state(&fifo).unwrap_err();
        assert!(matches!(error, ralph_state::LoadError::Read { .. }), "{error}");
    }
}
