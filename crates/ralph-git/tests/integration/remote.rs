//! Fetching and pushing, against real bare repositories.

use ralph_git::{CreateError, FetchError, Fetched, GitError, Push, RemoteUrls, create_workspace};
use ralph_process::Cancel;
use ralph_testkit::{Repo, Sandbox};

use crate::{commit, head, open, sha, write};

/// A checkout with a remote that has its branch `main`.
fn with_remote(sandbox: &Sandbox) -> (Repo<'_>, std::path::PathBuf, ralph_git::Repo) {
    let user = sandbox.repo("user");
    user.write("file", "1").commit("base");
    let remote = user.push_to_new_remote("remote ü.git");
    let repo = open(sandbox, user.dir());
    (user, remote, repo)
}

#[test]
fn a_push_forward_arrives() {
    let sandbox = Sandbox::new();
    let (_user, remote, repo) = with_remote(&sandbox);
    let old = head(&repo);
    write(&repo, "file", "2");
    let new = commit(&repo, "next");
    assert_eq!(repo.push("origin", &new, "main", Some(&old)).unwrap(), Push::Pushed);
    assert_eq!(sandbox.git(&remote, ["rev-parse", "main"]), new.as_str());
    assert_eq!(repo.push("origin", &new, "main", Some(&new)).unwrap(), Push::Pushed);
    assert_eq!(repo.push("origin", &new, "new/branch", None).unwrap(), Push::Pushed);
    assert_eq!(repo.fetch("origin", "new/branch").unwrap(), Fetched { tip: Some(new) });
}

#[test]
fn every_race_is_one_and_moves_nothing() {
    let sandbox = Sandbox::new();
    let (user, remote, repo) = with_remote(&sandbox);
    let old = head(&repo);
    let other = Repo::cloned(&sandbox, &remote, "other");
    let theirs = sha(&other.write("theirs", "1").commit("theirs"));
    other.git(["push", "--quiet", "origin", "main"]);
    let ours = sha(&user.write("ours", "1").commit("ours"));
    let push = |new, expected| repo.push("origin", new, "main", expected).unwrap();
    assert_eq!(push(&ours, Some(&old)), Push::Raced, "expected what was there before");
    assert_eq!(push(&ours, None), Push::Raced, "expected no branch");
    assert_eq!(push(&ours, Some(&ours)), Push::Raced, "expected what is not there yet");
    assert_eq!(push(&ours, Some(&theirs)), Push::Raced, "would take theirs away");
    assert_eq!(sandbox.git(&remote, ["rev-parse", "main"]), theirs.as_str());
    assert_eq!(repo.push("origin", &ours, "gone", Some(&old)).unwrap(), Push::Raced);
}

#[test]
fn a_race_at_the_servers_lock_is_one() {
    let sandbox = Sandbox::new();
    let (_user, remote, repo) = with_remote(&sandbox);
    let old = head(&repo);
    write(&repo, "file", "2");
    let new = commit(&repo, "next");
    fs_err::write(remote.join("refs/heads/main.lock"), "").unwrap();
    assert_eq!(repo.push("origin", &new, "main", Some(&old)).unwrap(), Push::Raced);
    fs_err::remove_file(remote.join("refs/heads/main.lock")).unwrap();

    // Somebody pushes while our objects are being received.
    let side =
        sandbox.git(&remote, ["commit-tree", "-m", "side", "-p", old.as_str(), "main^{tree}"]);
    let hook = format!("unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main {side}");
    sandbox.script(remote.join("hooks/pre-receive"), &hook);
    assert_eq!(repo.push("origin", &new, "main", Some(&old)).unwrap(), Push::Raced);
    assert_eq!(sandbox.git(&remote, ["rev-parse", "main"]), side);
}

#[test]
fn a_hook_that_declines_is_a_refusal_with_its_words() {
    let sandbox = Sandbox::new();
    let (_user, remote, repo) = with_remote(&sandbox);
    let old = head(&repo);
    write(&repo, "file", "2");
    let new = commit(&repo, "next");
    for (hook, words) in [("pre-receive", "pre-receive hook declined"), ("update", "hook declined")]
    {
        let path = remote.join("hooks").join(hook);
        sandbox.script(&path, "echo 'error: GH006: rejected, non-fast-forward' >&2; exit 1");
        let push = repo.push("origin", &new, "main", Some(&old)).unwrap();
        let Push::Refused { reason } = push else { panic!("{push:?}") };
        assert!(reason.contains(words) && reason.contains("GH006"), "{reason}");
        fs_err::remove_file(path).unwrap();
    }
    assert_eq!(sandbox.git(&remote, ["rev-parse", "main"]), old.as_str());
}

#[test]
fn the_checked_out_branch_of_another_checkout_is_a_refusal() {
    let sandbox = Sandbox::new();
    let (user, _remote, _repo) = with_remote(&sandbox);
    let clone = Repo::cloned(&sandbox, user.dir(), "clone");
    let old = sha(&clone.head());
    let new = sha(&clone.write("x", "").commit("x"));
    let push = open(&sandbox, clone.dir()).push("origin", &new, "main", Some(&old)).unwrap();
    assert!(matches!(push, Push::Refused { .. }), "{push:?}");
}

#[test]
fn a_remote_that_is_gone() {
    let sandbox = Sandbox::new();
    let (_user, remote, repo) = with_remote(&sandbox);
    let old = head(&repo);
    fs_err::rename(&remote, sandbox.path("elsewhere")).unwrap();
    let push = repo.push("origin", &old, "main", Some(&old)).unwrap();
    assert!(matches!(push, Push::RemoteGone { .. }), "{push:?}");
    let error = repo.fetch("origin", "main").unwrap_err();
    assert!(matches!(error, FetchError::RemoteGone { .. }), "{error:?}");
    let error = repo.fetch("nowhere", "main").unwrap_err();
    assert!(matches!(error, FetchError::RemoteGone { .. }), "{error:?}");
}

#[test]
fn a_server_that_cannot_be_reached() {
    let sandbox = Sandbox::new();
    let (user, _remote, repo) = with_remote(&sandbox);
    let old = head(&repo);
    // A port that was free a moment ago, on this machine.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("git://127.0.0.1:{port}/x.git");
    user.git(["remote", "set-url", "origin", &url]);
    let push = repo.push("origin", &old, "main", Some(&old)).unwrap();
    assert!(matches!(push, Push::Transient { .. }), "{push:?}");
    let error = repo.fetch("origin", "main").unwrap_err();
    assert!(matches!(error, FetchError::Transient { .. }), "{error:?}");
}

#[test]
fn a_server_that_hangs_up() {
    let sandbox = Sandbox::new();
    let (user, _remote, repo) = with_remote(&sandbox);
    let old = head(&repo);
    let ssh = sandbox.script("ssh", "exit 255");
    user.git(["config", "core.sshCommand", ssh.to_str().unwrap()]);
    user.git(["remote", "set-url", "origin", "git@127.0.0.1:x.git"]);
    let push = repo.push("origin", &old, "main", Some(&old)).unwrap();
    assert!(matches!(push, Push::Unknown { .. } | Push::Transient { .. }), "{push:?}");

    let ssh =
        sandbox.script("ssh2", "echo 'git@host: Permission denied (publickey).' >&2; exit 255");
    user.git(["config", "core.sshCommand", ssh.to_str().unwrap()]);
    let push = repo.push("origin", &old, "main", Some(&old)).unwrap();
    let Push::Refused { reason } = push else { panic!("{push:?}") };
    assert!(reason.contains("publickey"), "{reason}");
    let error = repo.fetch("origin", "main").unwrap_err();
    assert!(matches!(error, FetchError::Refused { .. }), "{error:?}");
}

#[test]
fn a_fetch_finds_the_branch_or_that_there_is_none() {
    let sandbox = Sandbox::new();
    let (user, remote, repo) = with_remote(&sandbox);
    let other = Repo::cloned(&sandbox, &remote, "other");
    other.git(["switch", "--quiet", "--create", "feature/x"]);
    let theirs = sha(&other.write("theirs", "1").commit("theirs"));
    other.git(["push", "--quiet", "origin", "feature/x"]);
    assert_eq!(repo.fetch("origin", "feature/x").unwrap(), Fetched { tip: Some(theirs.clone()) });
    assert_eq!(user.git(["rev-parse", "origin/feature/x"]), theirs.as_str());
    // Moved aside there: the tracking ref follows.
    let again = sha(&other.write("theirs", "2").commit("again"));
    other.git(["reset", "--quiet", "--soft", "HEAD~2"]);
    let aside = sha(&other.write("theirs", "3").commit("aside"));
    other.git(["push", "--quiet", "--force", "origin", "feature/x"]);
    assert_ne!(again, aside);
    assert_eq!(repo.fetch("origin", "feature/x").unwrap(), Fetched { tip: Some(aside) });
    other.git(["push", "--quiet", "--delete", "origin", "feature/x"]);
    assert_eq!(repo.fetch("origin", "feature/x").unwrap(), Fetched { tip: None });
    assert_eq!(repo.resolve("refs/remotes/origin/feature/x").unwrap(), None);
    assert!(!user.dir().join(".git/FETCH_HEAD").exists());
}

#[test]
fn an_empty_remote_has_no_branch_and_gets_one() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let remote = sandbox.bare_remote("empty.git");
    user.git(["remote", "add", "up", remote.to_str().unwrap()]);
    let repo = open(&sandbox, user.dir());
    assert_eq!(repo.fetch("up", "main").unwrap(), Fetched { tip: None });
    assert_eq!(repo.push("up", &head(&repo), "main", None).unwrap(), Push::Pushed);
    assert_eq!(repo.fetch("up", "main").unwrap(), Fetched { tip: Some(head(&repo)) });
}

#[test]
fn urls_are_read_as_they_are_configured() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let repo = open(&sandbox, user.dir());
    assert_eq!(repo.remote_url("origin").unwrap(), None);
    let check = |settings: &[(&str, &str)], fetch: &str, push: &str| {
        for (key, value) in settings {
            user.git(["config", key, value]);
        }
        let expected = RemoteUrls { fetch: fetch.to_owned(), push: push.to_owned() };
        assert_eq!(repo.remote_url("origin").unwrap(), Some(expected));
    };
    check(&[("remote.origin.url", "https://h/x.git")], "https://h/x.git", "https://h/x.git");
    // Rewriting is git's, from wherever the URL is used.
    user.git(["config", "url.ssh://h/.insteadOf", "https://h/"]);
    check(&[("remote.origin.pushurl", "git@h:x")], "https://h/x.git", "git@h:x");
    let relative = format!("{}/../x.git", user.dir().display());
    check(&[("remote.origin.url", "../x.git")], &relative, "git@h:x");
    check(&[("remote.origin.url", "/srv/a:b.git")], "/srv/a:b.git", "git@h:x");
}

#[test]
fn a_commit_is_brought_from_another_repository() {
    let sandbox = Sandbox::new();
    let (user, _remote, repo) = with_remote(&sandbox);
    let other = Repo::cloned(&sandbox, user.dir(), "a clone");
    let first = sha(&other.write("x", "1").commit("kept"));
    let second = sha(&other.write("x", "2").commit("amended away"));
    other.git(["reset", "--quiet", "--hard", "HEAD~2"]);
    let name = "refs/ralph/rescue/T-1/1";
    repo.fetch_commit(other.dir(), &second).unwrap();
    assert_eq!(repo.refs("refs/ralph/").unwrap(), []);
    assert!(repo.resolve(second.as_str()).unwrap().is_some());
    repo.fetch_from(other.dir(), &second, name).unwrap();
    assert_eq!(repo.refs(name).unwrap(), [(name.to_owned(), second.clone())]);
    assert_eq!(repo.read_blob(second.as_str(), "x".as_ref()).unwrap().unwrap(), b"2");
    repo.fetch_from(other.dir(), &first, name).unwrap();
    assert_eq!(repo.resolve(name).unwrap(), Some(first));
    assert!(repo.fetch_from(other.dir(), &sha(&"1".repeat(40)), name).is_err());
    assert!(repo.fetch_from(&sandbox.path("missing"), &sha(&"2".repeat(40)), name).is_err());
}

#[test]
fn a_request_to_stop_ends_the_waiting_and_spares_the_rest() {
    let sandbox = Sandbox::new();
    let (user, _remote, repo) = with_remote(&sandbox);
    let old = head(&repo);
    let ssh = sandbox.script("ssh", "exec sleep 60");
    user.git(["config", "core.sshCommand", ssh.to_str().unwrap()]);
    user.git(["remote", "set-url", "origin", "git@127.0.0.1:x.git"]);
    let cancel = Cancel::new();
    let repo = repo.with_cancel(cancel.clone());
    cancel.cancel();
    let error = repo.fetch("origin", "main").unwrap_err();
    assert!(matches!(error, FetchError::Git(GitError::Cancelled { .. })), "{error:?}");
    let push = repo.push("origin", &old, "main", Some(&old)).unwrap();
    assert!(matches!(push, Push::Transient { .. }), "{push:?}");
    let dest = sandbox.path("w");
    let error = create_workspace(&repo, &dest, "t", &old, None).map(drop);
    assert!(matches!(error, Ok(()) | Err(CreateError::Git { .. })), "{error:?}");
    write(&repo, "file", "saved");
    repo.snapshot(&[], "rescue", Some(&old)).unwrap();
}

#[test]
fn of_pushes_at_the_same_time_one_arrives_and_the_others_know() {
    let sandbox = Sandbox::new();
    let (_user, remote, repo) = with_remote(&sandbox);
    let urls = repo.remote_url("origin").unwrap();
    let mut tip = head(&repo);
    let workspaces: Vec<_> = (0..4)
        .map(|number| {
            let dest = sandbox.path(format!("w/{number}"));
            create_workspace(&repo, &dest, "t", &tip, urls.as_ref()).unwrap()
        })
        .collect();
    for round in 0..2 {
        let start = std::sync::Barrier::new(workspaces.len());
        let push = |workspace: &ralph_git::Workspace| {
            workspace.fetch("origin", "main").unwrap();
            workspace.reset_clean(&tip).unwrap();
            let name = workspace.root().file_name().unwrap().to_string_lossy().into_owned();
            write(workspace, &name, &round.to_string());
            let new = commit(workspace, "work");
            start.wait();
            (workspace.push("origin", &new, "main", Some(&tip)).unwrap(), new)
        };
        let outcomes: Vec<(Push, ralph_git::Sha)> = std::thread::scope(|scope| {
            let pushes: Vec<_> = workspaces.iter().map(|w| scope.spawn(|| push(w))).collect();
            pushes.into_iter().map(|push| push.join().unwrap()).collect()
        });
        let landed = sha(&sandbox.git(&remote, ["rev-parse", "main"]));
        for (outcome, new) in outcomes {
            let expected = if new == landed { Push::Pushed } else { Push::Raced };
            assert_eq!(outcome, expected);
        }
        assert_ne!(landed, tip);
        tip = landed;
    }
}

#[test]
fn fetches_at_the_same_time_all_succeed() {
    let sandbox = Sandbox::new();
    let (_user, remote, repo) = with_remote(&sandbox);
    let other = Repo::cloned(&sandbox, &remote, "other");
    for round in 0..2 {
        let tip = sha(&other.write("file", round.to_string()).commit("next"));
        other.git(["push", "--quiet", "origin", "main"]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let fetched = repo.fetch("origin", "main").unwrap();
                    assert_eq!(fetched.tip.as_ref(), Some(&tip));
                });
            }
        });
    }
}
