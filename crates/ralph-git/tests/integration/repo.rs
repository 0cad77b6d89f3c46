//! Finding a repository, its head and its refs.

use std::ffi::OsString;

use ralph_git::{DiscoverError, GitEnv, GitError, Head, Repo, UpdateRef};
use ralph_process::Cancel;
use ralph_testkit::Sandbox;

use crate::{env, open, sha};

#[test]
fn a_repository_is_found_from_below() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("a söurce dir/with spaces");
    user.write("deep/er/file", "");
    let repo = open(&sandbox, &user.dir().join("deep/er"));
    assert_eq!(repo.root(), user.dir());
    assert_eq!(repo.git_dir(), user.dir().join(".git"));
    assert_eq!(repo.common_dir(), repo.git_dir());
}

#[test]
fn a_linked_work_tree_has_its_own_directory() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.git(["worktree", "add", "--quiet", "../linked"]);
    let repo = open(&sandbox, &sandbox.path("linked"));
    assert_eq!(repo.root(), sandbox.path("linked"));
    assert_eq!(repo.git_dir(), user.dir().join(".git/worktrees/linked"));
    assert_eq!(repo.common_dir(), user.dir().join(".git"));
}

#[test]
fn what_is_no_repository_says_so() {
    let sandbox = Sandbox::new();
    let bare = sandbox.bare_remote("bare.git");
    let user = sandbox.repo("user");
    let discover = |dir: std::path::PathBuf, env: GitEnv| {
        Repo::discover(&dir, env, Cancel::new()).map(drop).unwrap_err()
    };
    let plain = discover(sandbox.home(), env(&sandbox));
    assert!(matches!(plain, DiscoverError::NotARepository { .. }), "{plain:?}");
    let inside = discover(user.dir().join(".git"), env(&sandbox));
    assert!(matches!(inside, DiscoverError::NotARepository { .. }), "{inside:?}");
    let bare = discover(bare, env(&sandbox));
    assert!(matches!(bare, DiscoverError::Bare { .. }), "{bare:?}");
    let missing = discover(sandbox.path("missing"), env(&sandbox));
    assert!(matches!(missing, DiscoverError::NoDirectory { .. }), "{missing:?}");
    let path = Some(OsString::from("/no/such/bin"));
    let no_git = discover(user.dir().to_owned(), GitEnv { path, ..env(&sandbox) });
    assert!(matches!(no_git, DiscoverError::GitMissing), "{no_git:?}");

    sandbox.script("old/git", "echo git version 2.17.1");
    let path = Some(sandbox.path("old").into_os_string());
    let old = discover(user.dir().to_owned(), GitEnv { path, ..env(&sandbox) });
    assert!(matches!(old, DiscoverError::GitTooOld { .. }), "{old:?}");
    assert!(old.to_string().starts_with("git 2.17.1 is too old: 2.31 "), "{old}");
}

#[test]
fn a_repository_of_another_user_is_named_as_such() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let mut env = env(&sandbox);
    // Git's own switch for its tests of this.
    env.vars.push(("GIT_TEST_ASSUME_DIFFERENT_OWNER".into(), "1".into()));
    let error = Repo::discover(user.dir(), env, Cancel::new()).unwrap_err();
    assert!(matches!(error, DiscoverError::NotOwned { .. }), "{error:?}");
}

#[test]
fn the_three_kinds_of_head() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let repo = open(&sandbox, user.dir());
    let commit = sha(&user.head());
    let main = Head::Branch { name: "main".to_owned(), commit: Some(commit.clone()) };
    assert_eq!(repo.head().unwrap(), main);
    user.git(["switch", "--quiet", "--detach"]);
    assert_eq!(repo.head().unwrap(), Head::Detached { commit });
    user.git(["switch", "--quiet", "--orphan", "feature/new"]);
    let unborn = Head::Branch { name: "feature/new".to_owned(), commit: None };
    assert_eq!(repo.head().unwrap(), unborn);
}

#[test]
fn commits_and_their_relations() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let first = sha(&user.head());
    user.git(["branch", "side"]);
    let second = sha(&user.write("a", "a").commit("second"));
    user.git(["switch", "--quiet", "side"]);
    let side = sha(&user.write("b", "b").commit("side"));
    user.git(["switch", "--quiet", "--orphan", "alone"]);
    let alone = sha(&user.write("c", "c").commit("alone"));
    let repo = open(&sandbox, user.dir());
    let missing = sha(&"1".repeat(40));

    assert_eq!(repo.resolve("main").unwrap(), Some(second.clone()));
    assert_eq!(repo.resolve(first.as_str()).unwrap(), Some(first.clone()));
    for none in ["nowhere", "--all", "", "main:a", missing.as_str(), "main~9"] {
        assert_eq!(repo.resolve(none).unwrap(), None, "{none:?}");
    }
    assert_eq!(repo.tree_of("main").unwrap(), sha(&user.git(["rev-parse", "main^{tree}"])));
    assert!(repo.tree_of("nowhere").is_err());
    assert!(repo.is_ancestor(&first, &second).unwrap());
    assert!(repo.is_ancestor(&first, &first).unwrap());
    assert!(!repo.is_ancestor(&second, &first).unwrap());
    assert!(!repo.is_ancestor(&missing, &first).unwrap());
    assert!(!repo.is_ancestor(&first, &missing).unwrap());
    assert_eq!(repo.merge_base(&second, &side).unwrap(), Some(first));
    assert_eq!(repo.merge_base(&second, &alone).unwrap(), None);
}

#[test]
fn what_git_makes_of_three_versions() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("f", "a\nb\nc\n").commit("base");
    user.git(["branch", "side"]);
    user.write("f", "x\nb\nc\n").commit("ours");
    user.git(["switch", "--quiet", "side"]);
    user.write("f", "y\nb\nc\n").commit("theirs");
    let repo = open(&sandbox, user.dir());
    let made = repo.merges_of(["main", "main^", "side"], "f".as_ref()).unwrap();
    // None where git is older than 2.43.
    for text in made {
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("<<<<<<< ") && text.contains("\nx\n"), "{text}");
        assert!(text.contains("\n=======\ny\n>>>>>>> ") && text.ends_with("\nb\nc\n"), "{text}");
    }
    assert!(repo.merges_of(["main", "main^", "nowhere"], "f".as_ref()).unwrap().is_empty());
    assert!(repo.merges_of(["main", "main^", "side"], "missing".as_ref()).unwrap().is_empty());
}

#[test]
fn files_of_commits() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("dir/a ü\n.txt", b"\xff\0bytes").commit("file");
    let repo = open(&sandbox, user.dir());
    let read = |path: &str| repo.read_blob("HEAD", path.as_ref()).unwrap();
    assert_eq!(read("dir/a ü\n.txt").unwrap(), b"\xff\0bytes");
    assert_eq!(read("dir/missing"), None);
    assert_eq!(repo.read_blob("HEAD~1", "dir/a ü\n.txt".as_ref()).unwrap(), None);
    assert!(repo.read_blob("HEAD", "dir".as_ref()).is_err());
}

#[test]
fn files_of_all_branches() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("one", "1").commit("one");
    user.git(["branch", "same"]);
    user.write("two", "2").commit("two");
    user.git(["update-ref", "refs/remotes/origin/main", "HEAD"]);
    user.git(["reset", "--quiet", "--hard", "HEAD~1"]);
    let repo = open(&sandbox, user.dir());
    let versions = repo.versions(["one".as_ref(), "two".as_ref()]).unwrap();
    let text = |sha: &Option<ralph_git::Sha>| sha.as_ref().map(|sha| repo.blob(sha).unwrap());
    let mut texts: Vec<_> = versions.iter().map(|version| version.each_ref().map(text)).collect();
    texts.sort();
    let one = Some(b"1".to_vec());
    assert_eq!(texts, [[one.clone(), None], [one, Some(b"2".to_vec())]]);
}

#[test]
fn refs_are_compared_and_set() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let first = sha(&user.head());
    let second = sha(&user.write("a", "a").commit("second"));
    let repo = open(&sandbox, user.dir());
    let name = "refs/ralph/rescue/T-1/1";
    let set = |new, old| repo.update_ref(name, new, old).unwrap();
    assert_eq!(set(&first, Some(&second)), UpdateRef::Stale);
    assert_eq!(set(&first, None), UpdateRef::Updated);
    assert_eq!(set(&first, None), UpdateRef::Stale);
    assert_eq!(set(&second, Some(&second)), UpdateRef::Stale);
    assert_eq!(set(&second, Some(&first)), UpdateRef::Updated);
    assert_eq!(repo.refs("refs/ralph").unwrap(), [(name.to_owned(), second.clone())]);
    assert_eq!(repo.refs(name).unwrap().len(), 1);
    assert_eq!(repo.refs("refs/ralph/rescue/T-1/").unwrap().len(), 1);
    assert_eq!(repo.refs("refs/ralph/res").unwrap(), []);
    assert_eq!(repo.delete_ref(name, &first).unwrap(), UpdateRef::Stale);
    assert_eq!(repo.delete_ref(name, &second).unwrap(), UpdateRef::Updated);
    assert_eq!(repo.delete_ref(name, &second).unwrap(), UpdateRef::Stale);
    assert!(repo.update_ref("refs/bad name", &first, None).is_err());
    assert!(repo.update_ref(name, &sha(&"1".repeat(40)), None).is_err());

    fs_err::write(user.dir().join(".git/refs/heads/main.lock"), "").unwrap();
    let error = repo.update_ref("refs/heads/main", &first, Some(&second)).unwrap_err();
    assert!(matches!(&error, GitError::Locked { path, .. } if path.ends_with("main.lock")));
}

#[test]
fn sha256_repositories_work() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("user");
    sandbox.git(sandbox.root(), ["init", "--quiet", "--object-format=sha256", "user"]);
    let repo = open(&sandbox, &dir);
    assert_eq!(repo.head().unwrap().commit(), None);
    fs_err::write(dir.join("file"), "x").unwrap();
    let first = repo.commit_all("first").unwrap().unwrap();
    assert_eq!(first.as_str().len(), 64);
    assert_eq!(repo.update_ref("refs/ralph/x", &first, None).unwrap(), UpdateRef::Updated);
    let dest = sandbox.path("w");
    let workspace = ralph_git::create_workspace(&repo, &dest, "t", &first, None).unwrap();
    fs_err::write(dest.join("file"), "y").unwrap();
    let second = workspace.commit_all("second").unwrap().unwrap();
    repo.fetch_from(&dest, &second, "refs/ralph/y").unwrap();
    assert!(repo.is_ancestor(&first, &second).unwrap());
}

#[test]
fn a_branch_may_be_checked_out_in_another_work_tree() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let other = sandbox.path("other tree");
    user.git(["worktree", "add", "--quiet", "-b", "side", &other.display().to_string()]);
    let repo = open(&sandbox, user.dir());
    assert_eq!(repo.checked_out_at("main").unwrap().as_deref(), Some(repo.root()));
    assert_eq!(repo.checked_out_at("side").unwrap(), Some(other.clone()));
    assert_eq!(repo.checked_out_at("no").unwrap(), None);
    fs_err::remove_dir_all(other).unwrap();
    assert_eq!(repo.checked_out_at("side").unwrap(), None);
}
