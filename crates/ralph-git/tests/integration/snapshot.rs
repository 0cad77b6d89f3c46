//! Trees and commits made from the work tree.

use std::path::PathBuf;

use ralph_git::{GitEnv, IdentityError, Repo, Sha, create_workspace};
use ralph_process::Cancel;
use ralph_testkit::Sandbox;

use crate::{commit, env, head, open, sha, write};

/// The files of a commit with their modes, in order of name.
fn entries(repo: &ralph_testkit::Repo<'_>, commit: &Sha) -> Vec<String> {
    let list = repo.git(["ls-tree", "-r", "-z", commit.as_str()]);
    let entry = |entry: &str| {
        let (_, path) = entry.split_once('\t').expect("a tab ends the hash");
        format!("{} {path}", &entry[..6])
    };
    let mut entries: Vec<_> = list.split_terminator('\0').map(entry).collect();
    entries.sort_by(|one, other| one[7..].cmp(&other[7..]));
    entries
}

#[test]
fn a_snapshot_has_everything_and_touches_nothing() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write(".gitignore", "*.log\n").write("kept", "1").write("changed", "1");
    user.write("gone", "1").write("staged", "1").commit("files");
    user.write("changed", "2").write("staged", "2").write("new dir/ü \n", "new");
    user.git(["add", "staged"]);
    user.write("staged", "3").write("x.log", "ignored").write("run", "#!/bin/sh");
    sandbox.run("chmod", user.dir(), ["+x", "run"]).success();
    std::os::unix::fs::symlink("no/where", user.dir().join("link")).unwrap();
    fs_err::remove_file(user.dir().join("gone")).unwrap();
    let state = || {
        let git = |args: &[&str]| user.git(args);
        (
            git(&["status", "--porcelain=v2", "--branch"]),
            git(&["diff"]),
            git(&["diff", "--cached"]),
            git(&["for-each-ref"]),
            fs_err::read(user.dir().join(".git/index")).unwrap(),
        )
    };
    let before = state();
    let repo = open(&sandbox, user.dir());
    let parent = head(&repo);
    let saved = repo.snapshot(&[], "rescue\n\nof T-1", Some(&parent)).unwrap();
    assert_eq!(state(), before);

    let expected = [
        "100644 .gitignore",
        "100644 changed",
        "100644 kept",
        "120000 link",
        "100644 new dir/ü \n",
        "100755 run",
        "100644 staged",
    ];
    assert_eq!(entries(&user, &saved), expected);
    assert_eq!(repo.read_blob(saved.as_str(), "staged".as_ref()).unwrap().unwrap(), b"3");
    assert_eq!(repo.read_blob(saved.as_str(), "link".as_ref()).unwrap().unwrap(), b"no/where");
    let log = user.git(["log", "-1", "--format=%an|%P|%B", saved.as_str()]);
    assert_eq!(log.trim_end(), format!("Ralph|{parent}|rescue\n\nof T-1"));
    let tree = repo.work_tree_hash(&[]).unwrap();
    assert_eq!(repo.tree_of(saved.as_str()).unwrap(), tree);
    let leftovers = fs_err::read_dir(user.dir().join(".git")).unwrap();
    let is_ours = |name: &str| name.starts_with("ralph-index");
    assert!(!leftovers.flatten().any(|entry| is_ours(&entry.file_name().to_string_lossy())));
}

#[test]
fn excluded_paths_are_as_in_the_last_commit() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("queue", "1").write("code", "1").write("dir/a", "1").commit("files");
    let repo = open(&sandbox, user.dir());
    let clean = repo.work_tree_hash(&[]).unwrap();
    assert_eq!(clean, repo.tree_of("HEAD").unwrap());
    user.write("queue", "2").write("dir/b", "1").write("dir/a", "2");
    user.git(["add", "queue"]);
    user.write("queue", "3");
    let exclude = ["queue", "dir", "missing [x]"].map(PathBuf::from);
    assert_eq!(repo.work_tree_hash(&exclude).unwrap(), clean);
    user.write("code", "2");
    let tree = repo.work_tree_hash(&exclude).unwrap();
    let changed = user.git(["diff-tree", "-r", "--name-only", clean.as_str(), tree.as_str()]);
    assert_eq!(changed, "code");
    assert_eq!(user.git(["diff", "--cached", "--name-only"]), "queue");
}

#[test]
fn a_repository_inside_is_taken_with_its_files() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let unborn = user.dir().join("unborn/deep");
    fs_err::create_dir_all(&unborn).unwrap();
    sandbox.git(&unborn, ["init", "--quiet"]);
    fs_err::write(unborn.join("work"), "agent's").unwrap();
    let inner = sandbox.repo("user/inner");
    inner.write("committed", "1").write(".gitignore", "*.tmp").commit("inner");
    inner.write("new \"\n\\", "2").write("x.tmp", "").write("run", "3");
    sandbox.run("chmod", inner.dir(), ["+x", "run"]).success();
    std::os::unix::fs::symlink("committed", inner.dir().join("link")).unwrap();
    let deepest = sandbox.repo("user/inner/deeper");
    deepest.write("work", "4");
    let repo = open(&sandbox, user.dir());
    let saved = repo.snapshot(&[], "rescue", None).unwrap();
    let expected = [
        "100644 inner/.gitignore",
        "100644 inner/committed",
        "100644 inner/deeper/work",
        "120000 inner/link",
        "100644 inner/new \"\n\\",
        "100755 inner/run",
        "100644 unborn/deep/work",
    ];
    assert_eq!(entries(&user, &saved), expected);
    let read = |path: &str| repo.read_blob(saved.as_str(), path.as_ref()).unwrap().unwrap();
    assert_eq!((read("inner/new \"\n\\"), read("inner/deeper/work")), (b"2".into(), b"4".into()));
    assert_eq!(read("inner/link"), b"committed");
    let without = repo.work_tree_hash(&["inner".into(), "unborn".into()]).unwrap();
    assert_eq!(without, repo.tree_of("HEAD").unwrap());
}

/// Whoever has only the name of a commit of it has nothing.
#[test]
fn of_a_repository_inside_the_files_are_committed() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let unborn = user.dir().join("unborn");
    fs_err::create_dir(&unborn).unwrap();
    sandbox.git(&unborn, ["init", "--quiet"]);
    fs_err::write(unborn.join("work"), "1").unwrap();
    let inner = sandbox.repo("user/inner");
    inner.write("committed", "2").commit("inner");
    let repo = open(&sandbox, user.dir());
    let first = commit(&repo, "work");
    assert_eq!(entries(&user, &first), ["100644 inner/committed", "100644 unborn/work"]);
    assert_eq!(repo.changes().unwrap(), []);
    inner.write("committed", "3").write("new", "4");
    let second = commit(&repo, "more");
    let expected = ["100644 inner/committed", "100644 inner/new", "100644 unborn/work"];
    assert_eq!(entries(&user, &second), expected);
    assert_eq!(repo.read_blob("HEAD", "inner/committed".as_ref()).unwrap().unwrap(), b"3");
    assert_eq!(repo.changes().unwrap(), []);
    let excluded = sandbox.repo("user/other");
    excluded.write("file", "5");
    assert_eq!(repo.commit_all_but(&["other".into()], "nothing").unwrap(), None);
}

#[test]
fn a_snapshot_needs_no_commit_and_no_identity() {
    let sandbox = Sandbox::new();
    sandbox.git(sandbox.root(), ["init", "--quiet", "user"]);
    sandbox.write("home/.gitconfig", "[user]\nuseConfigOnly = true\n");
    let dir = sandbox.path("user");
    sandbox.write("user/file", "text");
    let repo = open(&sandbox, &dir);
    let saved = repo.snapshot(&["other".into()], "rescue", None).unwrap();
    assert_eq!(repo.read_blob(saved.as_str(), "file".as_ref()).unwrap().unwrap(), b"text");
    assert_eq!(repo.changes().unwrap().len(), 1);

    let error = repo.identity().unwrap_err();
    let IdentityError::Missing { reason } = error else { panic!("{error:?}") };
    assert!(reason.contains("email"), "{reason}");
    assert!(repo.commit_all("no author").is_err());
}

#[test]
fn a_conflict_is_taken_with_its_markers() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("file", "base\n").commit("base");
    user.git(["switch", "--quiet", "--create", "side"]);
    user.write("file", "side\n").commit("side");
    user.git(["switch", "--quiet", "main"]);
    user.write("file", "main\n").commit("main");
    sandbox.run("git", user.dir(), ["merge", "side"]).exited(1);
    let repo = open(&sandbox, user.dir());
    let saved = repo.snapshot(&[], "rescue", Some(&head(&repo))).unwrap();
    let file = repo.read_blob(saved.as_str(), "file".as_ref()).unwrap().unwrap();
    assert!(String::from_utf8(file).unwrap().contains("<<<<<<< HEAD"));
    assert_eq!(repo.changes().unwrap()[0].kind, ralph_git::ChangeKind::Unmerged);
}

#[test]
fn a_change_in_the_same_instant_is_seen() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let file = user.dir().join("file");
    let index = user.dir().join(".git/index");
    let set_time = |path: &std::path::Path, time| {
        let open = fs_err::OpenOptions::new().append(true).open(path).unwrap();
        open.set_modified(time).unwrap();
    };
    let instant = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    user.write("file", "1");
    set_time(&file, instant);
    user.commit("one");
    let repo = open(&sandbox, user.dir());
    let clean = repo.work_tree_hash(&[]).unwrap();
    // As if all had happened in one instant: the file was added, the index was written, and the
    // file got other content of the same size.
    user.write("file", "2");
    set_time(&file, instant);
    set_time(&index, instant);
    // The inode knows better, but git need not look at it.
    user.git(["config", "core.checkStat", "minimal"]);
    user.git(["config", "core.trustctime", "false"]);
    assert_ne!(repo.work_tree_hash(&[]).unwrap(), clean);
}

#[test]
fn files_outside_a_sparse_checkout_are_taken() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("a/x", "1").write("b/y", "1").commit("files");
    user.git(["sparse-checkout", "set", "a"]);
    assert!(!user.dir().join("b").exists());
    user.write("a/x", "2").write("b/new", "1");
    let repo = open(&sandbox, user.dir());
    let saved = repo.snapshot(&[], "rescue", None).unwrap();
    let files = user.git(["ls-tree", "-r", "--name-only", saved.as_str()]);
    assert_eq!(files, "a/x\nb/new\nb/y");
    let made = repo.commit_all("everything").unwrap().unwrap();
    assert_eq!(repo.tree_of(made.as_str()).unwrap(), repo.tree_of(saved.as_str()).unwrap());
}

#[test]
fn copies_of_the_index_that_a_crash_left_are_removed() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let repo = open(&sandbox, user.dir());
    let left = |pid: u32| repo.git_dir().join(format!("ralph-index-{pid}-0"));
    // No system gives so high a number to a process.
    let (dead, own) = (left(u32::MAX - 1), left(ralph_process::own_pid()));
    for path in [&dead, &own] {
        fs_err::write(path, "").unwrap();
    }
    repo.work_tree_hash(&[]).unwrap();
    assert_eq!((dead.exists(), own.exists()), (false, true));
}

#[test]
fn a_lock_that_is_held_for_a_moment_is_waited_for() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let lock = user.dir().join(".git/index.lock");
    fs_err::write(&lock, "").unwrap();
    user.write("file", "");
    // The lock goes once git has refused because of it, and not before.
    let refused = sandbox.path("refused");
    let found = sandbox.run("sh", user.dir(), ["-c", "command -v git; printf %s $PATH"]);
    let (real, path) = found.success().stdout.split_once('\n').unwrap();
    let (lock, refused_at) = (lock.display(), refused.display());
    let git = sandbox.script(
        "bin/git",
        &format!("{real} \"$@\" && exit\ncode=$?\n[ -e {lock} ] && touch {refused_at}\nrm -f {lock}\nexit $code"),
    );
    let mut env = env(&sandbox);
    env.path = Some(format!("{}:{path}", git.parent().unwrap().display()).into());
    let repo = Repo::discover(user.dir(), env, Cancel::new()).unwrap();
    assert!(repo.commit_all("patient").unwrap().is_some());
    assert!(refused.exists(), "the lock was met");
}

#[test]
fn work_is_committed_on_another_commit_than_the_head() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let base = sha(&user.write("queue", "base").write("code", "1").commit("base"));
    let onto = sha(&user.write("queue", "onto").commit("onto"));
    user.git(["reset", "--quiet", "--hard", base.as_str()]);
    user.write("queue", "agent's").write("code", "2").write("new", "1");
    let repo = open(&sandbox, user.dir());
    let work = repo.commit_work(&["queue".into()], "work\n\nRalph-Task: T-1", &onto).unwrap();
    let read = |path: &str| repo.read_blob(work.as_str(), path.as_ref()).unwrap().unwrap();
    assert_eq!(
        (read("queue"), read("code"), read("new")),
        (b"onto".into(), b"2".into(), b"1".into())
    );
    let log = user.git(["log", "-1", "--format=%an %P %s", work.as_str()]);
    assert_eq!(log, format!("Sandbox {onto} work"));
    assert_eq!(head(&repo), base);
    let left = repo.commit_all_but(&["queue".into()], "but").unwrap().unwrap();
    assert_eq!(repo.read_blob(left.as_str(), "queue".as_ref()).unwrap().unwrap(), b"base");
    assert_eq!(repo.changes().unwrap().len(), 1);
}

#[test]
fn commits_take_everything_once() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let repo = open(&sandbox, user.dir());
    repo.identity().unwrap();
    assert_eq!(repo.commit_all("nothing").unwrap(), None);
    user.write("dir/a", "1").write("b", "1").write("-dash", "");
    let message = "first: ü\n\n#1 is no comment\n\nRalph-Task: T-1\n";
    let first = repo.commit_all(message).unwrap().unwrap();
    assert_eq!(head(&repo), first);
    assert_eq!(user.git(["log", "-1", "--format=%B"]).trim_end(), message.trim_end());
    assert_eq!(repo.commit_all("again").unwrap(), None);
    fs_err::remove_file(user.dir().join("b")).unwrap();
    assert!(repo.commit_all("second").unwrap().is_some());
    assert_eq!(user.git(["ls-tree", "-r", "--name-only", "HEAD"]), "-dash\ndir/a");
    assert_eq!(repo.changes().unwrap(), []);
}

#[test]
fn the_first_commit_of_a_branch() {
    let sandbox = Sandbox::new();
    sandbox.git(sandbox.root(), ["init", "--quiet", "user"]);
    let repo = open(&sandbox, &sandbox.path("user"));
    assert_eq!(repo.commit_all("nothing").unwrap(), None);
    sandbox.write("user/file", "");
    assert!(repo.commit_all("first").unwrap().is_some());
}

#[test]
fn a_commit_of_a_given_tree() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let first = sha(&user.head());
    let repo = open(&sandbox, user.dir());
    user.write("file", "x");
    let tree = repo.work_tree_hash(&[]).unwrap();
    let commit = repo.commit_tree(&tree, std::slice::from_ref(&first), "message").unwrap();
    let format = "--format=%T %P %an %s";
    let log = user.git(["log", "-1", format, commit.as_str()]);
    assert_eq!(log, format!("{tree} {first} Sandbox message"));
    assert_eq!(head(&repo), first);
}

#[test]
fn concurrent_snapshots_do_not_meet() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("file", "x");
    let vars = GitEnv { vars: sandbox.env(), ..env(&sandbox) };
    let repo = Repo::discover(user.dir(), vars, Cancel::new()).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let repo = repo.clone();
            std::thread::spawn(move || repo.work_tree_hash(&[]).unwrap())
        })
        .collect();
    let mut trees: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    trees.dedup();
    assert_eq!(trees.len(), 1);
}

/// As agents make them for agents of their own.
#[test]
fn another_work_tree_of_the_repository_is_no_content_of_this_one() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("file", "one\n").commit("base");
    let repo = open(&sandbox, user.dir());
    let base = head(&repo);
    let workspace = create_workspace(&repo, &sandbox.path("w/T-1"), "t", &base, None).unwrap();
    let add = ["worktree", "add", "--quiet", "-b", "inner", ".claude/inner"];
    sandbox.git(workspace.root(), add);
    write(&workspace, ".claude/inner/new", "new\n");
    assert_eq!(workspace.changes().unwrap(), []);
    assert_eq!(workspace.work_tree_hash(&[]).unwrap(), workspace.tree_of("HEAD").unwrap());
    assert_eq!(workspace.commit_all("nothing").unwrap(), None);
    assert!(workspace.check_removable(&repo, &["HEAD"]).unwrap().is_err(), "nor may it be lost");
    let [inner] = &workspace.inner_work_trees().unwrap()[..] else { panic!() };
    assert_eq!(inner.changes().unwrap().len(), 1);
    workspace.reset_clean(&base).unwrap();
    assert!(workspace.inner_work_trees().unwrap().is_empty());
}
