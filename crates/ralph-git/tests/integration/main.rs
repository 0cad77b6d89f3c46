//! Real git, each test in its own sandbox.

mod fast_forward;
mod history;
mod operation;
mod rebase;
mod remote;
mod repo;
mod settings;
mod snapshot;
mod status;
mod workspace;

use std::path::Path;

use ralph_git::{GitEnv, Head, Repo, Sha, Workspace, create_workspace};
use ralph_process::Cancel;
use ralph_testkit::Sandbox;

fn env(sandbox: &Sandbox) -> GitEnv {
    GitEnv { vars: sandbox.env(), ..GitEnv::default() }
}

fn open(sandbox: &Sandbox, dir: &Path) -> Repo {
    Repo::discover(dir, env(sandbox), Cancel::new()).expect("the directory is a repository")
}

fn head(repo: &Repo) -> Sha {
    repo.head().expect("git answers").commit().expect("there is a commit").clone()
}

fn sha(text: &str) -> Sha {
    text.parse().expect("the test gives a whole name")
}

/// A user's checkout with a file, and a workspace of it on the branch `ralph/T-1`.
fn with_workspace(sandbox: &Sandbox) -> (ralph_testkit::Repo<'_>, Repo, Workspace) {
    let user = sandbox.repo("user");
    user.write("file", "one\n").commit("add file");
    let main = open(sandbox, user.dir());
    let dest = sandbox.path("workspaces/T-1");
    let start = head(&main);
    let workspace =
        create_workspace(&main, &dest, "ralph/T-1", &start, None).expect("a workspace can be made");
    (user, main, workspace)
}

fn write(repo: &Repo, path: &str, content: &str) {
    let path = repo.root().join(path);
    fs_err::create_dir_all(path.parent().expect("inside the work tree")).expect("writable");
    fs_err::write(path, content).expect("writable");
}

fn read(repo: &Repo, path: &str) -> String {
    fs_err::read_to_string(repo.root().join(path)).expect("the file is there and is text")
}

fn commit(repo: &Repo, message: &str) -> Sha {
    repo.commit_all(message).expect("git commits").expect("there is something to commit")
}

fn branch_of(repo: &Repo) -> String {
    match repo.head().expect("git answers") {
        Head::Branch { name, .. } => name,
        Head::Detached { commit } => panic!("detached at {commit}"),
    }
}
