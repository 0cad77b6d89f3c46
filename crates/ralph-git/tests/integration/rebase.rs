//! Workspaces move onto what landed meanwhile.

use std::path::{Path, PathBuf};

use ralph_git::{ConflictFile, Rebase, Repo, Sha, Workspace, conflict_markers};
use ralph_testkit::Sandbox;

use crate::{branch_of, commit, head, read, sha, with_workspace, write};

/// A workspace with a commit that wrote `theirs` into `file`, and a target's commit with `ours`.
fn diverged(sandbox: &Sandbox, theirs: &str, ours: &str) -> (Workspace, Sha, Sha) {
    let (user, main, workspace) = with_workspace(sandbox);
    let base = head(&main);
    write(&workspace, "file", theirs);
    commit(&workspace, "theirs");
    let target = sha(&user.write("file", ours).write("other", "o\n").commit("ours"));
    fetch(&workspace, &main, &target);
    (workspace, base, target)
}

fn fetch(workspace: &Workspace, main: &Repo, target: &Sha) {
    let fetched = workspace.fetch_from(main.root(), target, "refs/remotes/origin/main");
    fetched.expect("the commit is there");
}

fn conflict(outcome: Rebase) -> Vec<ConflictFile> {
    let Rebase::Conflict { files } = outcome else { panic!("{outcome:?}") };
    files
}

fn clean(outcome: Rebase) -> Sha {
    let Rebase::Clean { head } = outcome else { panic!("{outcome:?}") };
    head
}

#[test]
fn without_a_conflict_it_just_moves() {
    let sandbox = Sandbox::new();
    let (user, main, workspace) = with_workspace(&sandbox);
    let base = head(&main);
    write(&workspace, "mine", "m\n");
    commit(&workspace, "first\n\nRalph-Task: T-1");
    write(&workspace, "mine", "m2\n");
    commit(&workspace, "second");
    let target = sha(&user.write("other", "o\n").commit("other"));
    fetch(&workspace, &main, &target);
    let tip = clean(workspace.rebase(&target, &base).unwrap());
    assert_eq!(head(&workspace), tip);
    assert_eq!(branch_of(&workspace), "ralph/T-1");
    assert_eq!(workspace.commits_since(&target, &tip).unwrap().len(), 2);
    assert!(workspace.find_trailer(&format!("{target}.."), "Ralph-Task", "T-1").unwrap().is_some());
    assert_eq!(
        (read(&workspace, "mine"), read(&workspace, "other")),
        ("m2\n".into(), "o\n".into())
    );
    // Again is no change.
    assert_eq!(clean(workspace.rebase(&target, &target).unwrap()), tip);
}

#[test]
fn a_conflict_is_shown_resolved_and_continued() {
    let sandbox = Sandbox::new();
    let (workspace, base, target) = diverged(&sandbox, "theirs\n", "ours\n");
    let files = conflict(workspace.rebase(&target, &base).unwrap());
    assert!(workspace.rebase_in_progress());
    let [file] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(file.path, Path::new("file"));
    let blob = |sha: &Option<Sha>| workspace.blob(sha.as_ref().unwrap()).unwrap();
    assert_eq!(blob(&file.base), b"one\n");
    assert_eq!(blob(&file.ours), b"ours\n");
    assert_eq!(blob(&file.theirs), b"theirs\n");
    assert_eq!(workspace.conflicts().unwrap(), files);
    let text = read(&workspace, "file");
    assert!(text.contains("||||||| ") && text.contains("\none\n"), "diff3 shows the base: {text}");
    let paths = [PathBuf::from("file"), PathBuf::from("missing")];
    assert_eq!(conflict_markers(workspace.root(), &paths).unwrap(), paths[..1]);

    write(&workspace, "file", "both\n");
    assert!(conflict_markers(workspace.root(), &paths).unwrap().is_empty());
    let tip = clean(workspace.continue_rebase().unwrap());
    assert!(!workspace.rebase_in_progress());
    assert_eq!(workspace.commits_since(&target, &tip).unwrap(), [tip]);
    assert_eq!(read(&workspace, "file"), "both\n");
    assert_eq!(workspace.changes().unwrap(), []);
    assert_eq!(branch_of(&workspace), "ralph/T-1");
}

#[test]
fn an_aborted_rebase_leaves_everything_as_it_was() {
    let sandbox = Sandbox::new();
    let (workspace, base, target) = diverged(&sandbox, "theirs\n", "ours\n");
    let before = head(&workspace);
    let _conflict = conflict(workspace.rebase(&target, &base).unwrap());
    workspace.abort_rebase().unwrap();
    assert_eq!(head(&workspace), before);
    assert_eq!(branch_of(&workspace), "ralph/T-1");
    assert_eq!(read(&workspace, "file"), "theirs\n");
    assert!(!workspace.rebase_in_progress());
    workspace.abort_rebase().unwrap();
}

#[test]
fn a_resolution_that_gives_up_the_change_drops_the_commit() {
    let sandbox = Sandbox::new();
    let (workspace, base, target) = diverged(&sandbox, "theirs\n", "ours\n");
    let _conflict = conflict(workspace.rebase(&target, &base).unwrap());
    write(&workspace, "file", "ours\n");
    assert_eq!(clean(workspace.continue_rebase().unwrap()), target);
    assert!(!workspace.rebase_in_progress());
}

#[test]
fn a_change_that_landed_already_drops_the_commit() {
    let sandbox = Sandbox::new();
    let (workspace, base, target) = diverged(&sandbox, "same\n", "same\n");
    assert_eq!(clean(workspace.rebase(&target, &base).unwrap()), target);
}

#[test]
fn each_commit_can_conflict() {
    let sandbox = Sandbox::new();
    let (workspace, base, target) = diverged(&sandbox, "first\n", "ours\n");
    write(&workspace, "file", "second\n");
    commit(&workspace, "second");
    let _first = conflict(workspace.rebase(&target, &base).unwrap());
    write(&workspace, "file", "both 1\n");
    let _second = conflict(workspace.continue_rebase().unwrap());
    write(&workspace, "file", "both 2\n");
    let tip = clean(workspace.continue_rebase().unwrap());
    assert_eq!(workspace.commits_since(&target, &tip).unwrap().len(), 2);
}

#[test]
fn a_file_deleted_here_and_changed_there() {
    let sandbox = Sandbox::new();
    let (user, main, workspace) = with_workspace(&sandbox);
    let base = head(&main);
    fs_err::remove_file(workspace.root().join("file")).unwrap();
    commit(&workspace, "delete");
    let target = sha(&user.write("file", "ours\n").commit("ours"));
    fetch(&workspace, &main, &target);
    let files = conflict(workspace.rebase(&target, &base).unwrap());
    assert!(files[0].base.is_some() && files[0].ours.is_some() && files[0].theirs.is_none());
    fs_err::remove_file(workspace.root().join("file")).unwrap();
    let tip = clean(workspace.continue_rebase().unwrap());
    assert_eq!(workspace.read_blob(tip.as_str(), "file".as_ref()).unwrap(), None);
}

#[test]
fn a_dirty_workspace_is_refused_untouched() {
    let sandbox = Sandbox::new();
    let (workspace, base, target) = diverged(&sandbox, "theirs\n", "ours\n");
    let before = head(&workspace);
    write(&workspace, "file", "not committed\n");
    assert!(workspace.rebase(&target, &base).is_err());
    assert_eq!(head(&workspace), before);
    assert_eq!(read(&workspace, "file"), "not committed\n");
    assert!(!workspace.rebase_in_progress());
}

#[test]
fn a_rebase_the_agent_finished_itself_is_done() {
    let sandbox = Sandbox::new();
    let (workspace, base, target) = diverged(&sandbox, "theirs\n", "ours\n");
    let _conflict = conflict(workspace.rebase(&target, &base).unwrap());
    write(&workspace, "file", "both\n");
    sandbox.git(workspace.root(), ["add", "file"]);
    sandbox.git(workspace.root(), ["-c", "core.editor=true", "rebase", "--continue"]);
    let tip = clean(workspace.continue_rebase().unwrap());
    assert!(workspace.is_ancestor(&target, &tip).unwrap());
}

#[test]
fn a_commit_made_during_a_conflict_is_kept() {
    let sandbox = Sandbox::new();
    let (workspace, base, target) = diverged(&sandbox, "theirs\n", "ours\n");
    let _conflict = conflict(workspace.rebase(&target, &base).unwrap());
    write(&workspace, "file", "both\n");
    sandbox.git(workspace.root(), ["commit", "--quiet", "--all", "--message", "agent's own"]);
    let tip = clean(workspace.continue_rebase().unwrap());
    assert_eq!(workspace.commits_since(&target, &tip).unwrap().len(), 1);
    assert_eq!(read(&workspace, "file"), "both\n");
}
