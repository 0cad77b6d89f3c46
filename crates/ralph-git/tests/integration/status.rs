//! What differs from the last commit.

use std::path::PathBuf;

use ralph_git::{Change, ChangeKind};
use ralph_testkit::Sandbox;

use crate::open;

#[test]
fn every_kind_of_change_is_seen() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("changed", "1").write("staged", "1").write("gone", "1").write("old name", "text\n");
    user.write(".gitignore", "*.log\n").write("mode", "#!/bin/sh").commit("files");
    user.write("changed", "2").write("staged", "2").write("added", "1");
    user.write("new dir/ü\tx", "1").write("new dir/y", "1").write("x.log", "1");
    user.git(["add", "staged", "added"]);
    user.git(["mv", "old name", "new name"]);
    fs_err::remove_file(user.dir().join("gone")).unwrap();
    sandbox.run("chmod", user.dir(), ["+x", "mode"]).success();
    let nested = sandbox.repo("user/nested");
    nested.write("inside", "");

    let change = |path: &str, kind| Change { path: PathBuf::from(path), kind };
    let mut changes = open(&sandbox, user.dir()).changes().unwrap();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(
        changes,
        [
            change("added", ChangeKind::Added),
            change("changed", ChangeKind::Modified),
            change("gone", ChangeKind::Deleted),
            change("mode", ChangeKind::Modified),
            change("nested", ChangeKind::Repository),
            change("new dir/y", ChangeKind::Untracked),
            change("new dir/ü\tx", ChangeKind::Untracked),
            change("new name", ChangeKind::Renamed),
            change("old name", ChangeKind::Deleted),
            change("staged", ChangeKind::Modified),
        ]
    );
}

#[test]
fn tracked_and_ignored() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write(".gitignore", "*.log\nbuild/\n").write("kept.log", "").write("a[b]*", "");
    user.git(["add", "--force", "kept.log", "a[b]*", ".gitignore"]);
    user.git(["commit", "--quiet", "--message", "files"]);
    user.write("ab", "").write("x.log", "");
    let repo = open(&sandbox, user.dir());
    let tracked = |path: &str| repo.is_tracked(path.as_ref()).unwrap();
    let ignored = |path: &str| repo.is_ignored(path.as_ref()).unwrap();
    assert!(tracked("kept.log") && tracked("a[b]*"));
    assert!(!tracked("ab") && !tracked("x.log") && !tracked("missing"));
    assert!(ignored("x.log") && ignored("new.log") && ignored("build/probe"));
    assert!(!ignored("kept.log") && !ignored("ab") && !ignored("build"));
    assert!(repo.is_ignored("../outside".as_ref()).is_err());
}

#[test]
fn env_files_that_are_ignored() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write(".gitignore", ".env*\nnode_modules/\n!.env.example\n").commit("ignore");
    for file in [
        ".env",
        ".env.local",
        ".env.example",
        ".envrc",
        "app/.env.test",
        "new dir/.env",
        "node_modules/x/.env",
    ] {
        user.write(file, "");
    }
    user.write("app/tracked", "");
    user.git(["add", "app/tracked"]);
    let mut files = open(&sandbox, user.dir()).ignored_env_files().unwrap();
    files.sort();
    let expected = [".env", ".env.local", "app/.env.test", "new dir/.env"];
    assert_eq!(files, expected.map(PathBuf::from));
}
