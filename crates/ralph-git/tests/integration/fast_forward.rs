//! The user's checkout moves forward and loses nothing.

use std::path::PathBuf;

use ralph_git::{FastForward, GitError, Repo, Sha};
use ralph_testkit::Sandbox;

use crate::{branch_of, head, open, sha};

/// A checkout at `base` and a commit beyond it that changes `file` and adds `dir/new`.
fn ahead(sandbox: &Sandbox) -> (ralph_testkit::Repo<'_>, Repo, Sha) {
    let user = sandbox.repo("user");
    user.write("file", "1").write("other", "1").write(".gitignore", "*.log\n").commit("base");
    user.write("file", "2").write("dir/new", "2").write("x.log", "2");
    user.git(["add", "--force", "x.log"]);
    let to = sha(&user.commit("to"));
    user.git(["reset", "--quiet", "--hard", "HEAD~1"]);
    let repo = open(sandbox, user.dir());
    (user, repo, to)
}

#[test]
fn a_clean_checkout_moves() {
    let sandbox = Sandbox::new();
    let (user, repo, to) = ahead(&sandbox);
    assert_eq!(repo.fast_forward(&to).unwrap(), FastForward::Done);
    assert_eq!((head(&repo), branch_of(&repo).as_str()), (to.clone(), "main"));
    assert_eq!(user.read("dir/new"), "2");
    assert_eq!(repo.changes().unwrap(), []);
    assert_eq!(repo.fast_forward(&to).unwrap(), FastForward::AlreadyThere);
    let old = sha(&user.git(["rev-parse", "HEAD~1"]));
    assert_eq!(repo.fast_forward(&old).unwrap(), FastForward::AlreadyThere);
    assert!(repo.fast_forward(&sha(&"1".repeat(40))).is_err() || head(&repo) == to);
}

#[test]
fn changes_elsewhere_stay() {
    let sandbox = Sandbox::new();
    let (user, repo, to) = ahead(&sandbox);
    user.write("other", "mine").write("untracked", "mine");
    assert_eq!(repo.fast_forward(&to).unwrap(), FastForward::Done);
    assert_eq!((user.read("other"), user.read("untracked")), ("mine".into(), "mine".into()));
}

#[test]
fn a_branch_with_its_own_commits_stays() {
    let sandbox = Sandbox::new();
    let (user, repo, to) = ahead(&sandbox);
    let own = sha(&user.write("other", "2").commit("own"));
    assert_eq!(repo.fast_forward(&to).unwrap(), FastForward::NotAFastForward);
    assert_eq!(head(&repo), own);
}

#[test]
fn files_in_the_way_are_named_and_kept() {
    let check = |path: &str, in_the_way: &[&str]| {
        let sandbox = Sandbox::new();
        let (user, repo, to) = ahead(&sandbox);
        let before = head(&repo);
        user.write(path, "mine");
        let files = in_the_way.iter().map(PathBuf::from).collect();
        let expected = FastForward::WouldOverwrite { files };
        assert_eq!(repo.fast_forward(&to).unwrap(), expected, "{path}");
        assert_eq!(user.read(path), "mine", "{path}");
        assert_eq!(head(&repo), before, "{path}");
        assert_eq!(user.read("file"), if path == "file" { "mine" } else { "1" });
    };
    check("file", &["file"]);
    check("dir/new", &["dir/new"]);
    check("dir", &["dir"]);
    check("dir/new/deeper", &["dir/new/deeper"]);
    // Git takes an ignored file for worthless unless told otherwise.
    check("x.log", &["x.log"]);
}

#[test]
fn a_branch_without_commits_moves_too() {
    let sandbox = Sandbox::new();
    let (user, repo, to) = ahead(&sandbox);
    user.git(["switch", "--quiet", "--orphan", "empty"]);
    user.write("dir/new", "mine");
    let files = vec![PathBuf::from("dir/new")];
    assert_eq!(repo.fast_forward(&to).unwrap(), FastForward::WouldOverwrite { files });
    assert_eq!(user.read("dir/new"), "mine");
    fs_err::remove_file(user.dir().join("dir/new")).unwrap();
    assert_eq!(repo.fast_forward(&to).unwrap(), FastForward::Done);
    assert_eq!(head(&repo), to);
}

#[test]
fn an_unfinished_merge_and_a_held_lock_are_told_apart() {
    let sandbox = Sandbox::new();
    let (user, repo, to) = ahead(&sandbox);
    fs_err::write(user.dir().join(".git/index.lock"), "").unwrap();
    let error = repo.fast_forward(&to).unwrap_err();
    assert!(matches!(error, GitError::Locked { .. }), "{error:?}");
    fs_err::remove_file(user.dir().join(".git/index.lock")).unwrap();
    fs_err::write(user.dir().join(".git/MERGE_HEAD"), format!("{to}\n")).unwrap();
    let outcome = repo.fast_forward(&to).unwrap();
    assert!(matches!(outcome, FastForward::Refused { .. }), "{outcome:?}");
}
