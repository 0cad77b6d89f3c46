//! Workspaces: made whole, kept apart from the user's checkout, removed only with proof.

use std::path::PathBuf;

use ralph_git::{
    CreateError, GitEnv, NotRemovable, OpenError, RemoteUrls, RemoveError, Repo, Workspace,
    create_workspace, sweep_workspaces,
};
use ralph_process::Cancel;
use ralph_testkit::Sandbox;

use crate::{branch_of, commit, env, head, open, read, sha, with_workspace, write};

fn names(dir: PathBuf) -> Vec<String> {
    let listing = fs_err::read_dir(dir).expect("the directory is there");
    let name = |entry: fs_err::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = listing.flatten().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_workspace_is_a_clone_of_one_commit_on_its_own_branch() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("the üser's");
    user.write("file", "one").write("it's a dir/x y", "x").commit("files");
    let start = sha(&user.head());
    user.git(["tag", "v1"]);
    user.git(["switch", "--quiet", "--create", "other"]);
    user.write("file", "two").commit("not wanted");
    user.write("file", "uncommitted");
    user.write(".git/info/exclude", "*.local\n");
    let main = open(&sandbox, user.dir());
    let dest = sandbox.path("work spaces/T-1");
    let workspace = create_workspace(&main, &dest, "ralph/T-1", &start, None).unwrap();
    assert_eq!(workspace.root(), dest);
    assert_eq!((branch_of(&workspace).as_str(), workspace.branch()), ("ralph/T-1", "ralph/T-1"));
    assert_eq!(head(&workspace), start);
    assert_eq!(read(&workspace, "file"), "one");
    assert_eq!(read(&workspace, "it's a dir/x y"), "x");
    let refs: Vec<_> = workspace.refs("refs").unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(refs, ["refs/heads/ralph/T-1", "refs/tags/v1"]);
    let url = main.root().to_str().unwrap().to_owned();
    let expected = RemoteUrls { fetch: url.clone(), push: url };
    assert_eq!(workspace.remote_url("origin").unwrap(), Some(expected));
    write(&workspace, "x.local", "ignored by the user's own rules");
    assert_eq!(workspace.changes().unwrap(), []);
    assert_eq!(workspace.fetch("origin", "other").unwrap().tip, Some(head(&main)));
    assert_eq!(names(sandbox.path("work spaces")), ["T-1"]);
    assert_eq!(user.read("file"), "uncommitted");
}

#[test]
fn settings_come_along_and_the_remote_is_the_real_one() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    sandbox.write("home/work.inc", "[user]\n\temail = work@example.invalid\n");
    let global = fs_err::read_to_string(sandbox.path("home/.gitconfig")).unwrap();
    let condition =
        format!("[includeIf \"gitdir:{}/\"]\n\tpath = work.inc\n", user.dir().display());
    sandbox.write("home/.gitconfig", global + &condition);
    user.git(["config", "user.name", "A \"quoted\" name"]);
    user.git(["config", "http.https://h/.extraHeader", "Authorization: secret"]);
    user.git(["config", "core.hooksPath", "evil"]);
    let main = open(&sandbox, user.dir());
    let urls = RemoteUrls { fetch: "https://h/x.git".into(), push: "git@h:x".into() };
    let dest = sandbox.path("w");
    let workspace = create_workspace(&main, &dest, "t", &head(&main), Some(&urls)).unwrap();
    assert_eq!(workspace.remote_url("origin").unwrap(), Some(urls));
    let get = |key: &str| sandbox.git(&dest, ["config", "--get", key]);
    assert_eq!(get("user.name"), "A \"quoted\" name");
    assert_eq!(get("user.email"), "work@example.invalid");
    assert_eq!(get("http.https://h/.extraHeader"), "Authorization: secret");
    sandbox.run("git", &dest, ["config", "--get", "core.hooksPath"]).exited(1);
}

#[test]
fn a_workspace_of_a_linked_shallow_or_detached_checkout() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("file", "one").commit("one");
    user.write("file", "two").commit("two");
    let remote = user.push_to_new_remote("remote.git");
    user.git(["worktree", "add", "--quiet", "--detach", "../linked"]);
    let url = format!("file://{}", remote.display());
    sandbox.git(sandbox.root(), ["clone", "--quiet", "--depth=1", &url, "shallow"]);
    for name in ["linked", "shallow"] {
        let main = open(&sandbox, &sandbox.path(name));
        let dest = sandbox.path(format!("w/{name}"));
        let workspace = create_workspace(&main, &dest, "t", &head(&main), None).unwrap();
        assert_eq!(read(&workspace, "file"), "two", "{name}");
        write(&workspace, "new", "");
        let made = commit(&workspace, "work");
        main.fetch_from(&dest, &made, "refs/ralph/x").unwrap();
        assert!(main.is_ancestor(&head(&main), &made).unwrap());
    }
}

#[test]
fn a_start_that_a_shallow_checkout_has_beside_its_branch() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("file", "one").commit("one");
    let remote = user.push_to_new_remote("remote.git");
    let url = format!("file://{}", remote.display());
    sandbox.git(sandbox.root(), ["clone", "--quiet", "--depth=1", &url, "shallow"]);
    let main = open(&sandbox, &sandbox.path("shallow"));
    let tree = main.tree_of("HEAD").unwrap();
    let start = main.commit_tree(&tree, &[head(&main)], "on no branch").unwrap();
    let workspace = create_workspace(&main, &sandbox.path("w"), "t", &start, None).unwrap();
    assert_eq!(head(&workspace), start);
}

#[test]
fn a_partial_clone_gets_the_rest_from_its_remote() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("file", "one").commit("one");
    let old = sha(&user.head());
    user.write("file", "two").commit("two");
    let remote = user.push_to_new_remote("remote.git");
    sandbox.git(&remote, ["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", remote.display());
    let filter = "--filter=blob:none";
    sandbox.git(sandbox.root(), ["clone", "--quiet", filter, &url, "partial"]);
    let main = open(&sandbox, &sandbox.path("partial"));
    let urls = main.remote_url("origin").unwrap();
    let dest = sandbox.path("w");
    let workspace = create_workspace(&main, &dest, "t", &old, urls.as_ref()).unwrap();
    assert_eq!(read(&workspace, "file"), "one");
}

#[test]
fn what_is_in_the_way_stays() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let main = open(&sandbox, user.dir());
    let dest = sandbox.path("taken");
    sandbox.write("taken/file", "mine");
    let error = create_workspace(&main, &dest, "t", &head(&main), None).unwrap_err();
    assert!(matches!(error, CreateError::Exists { .. }), "{error:?}");
    assert_eq!(names(dest), ["file"]);
    let relative = create_workspace(&main, "w/T-1".as_ref(), "t", &head(&main), None);
    assert!(matches!(relative.unwrap_err(), CreateError::Io { .. }));
}

#[test]
fn nothing_is_left_of_a_clone_that_failed() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let main = open(&sandbox, user.dir());
    let missing = sha(&"1".repeat(40));
    let error = create_workspace(&main, &sandbox.path("w/T-1"), "t", &missing, None).unwrap_err();
    assert!(matches!(error, CreateError::Git { .. }), "{error:?}");
    assert!(names(sandbox.path("w")).is_empty());
}

#[test]
fn a_full_disk_is_named_and_cleaned_up() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    // A git that fills the disk in the middle of a checkout.
    sandbox.script(
        "bin/git",
        "case \"$*\" in *' reset '*) echo 'error: unable to write file x: No \
         space left on device' >&2; exit 128;; esac\nPATH=${PATH#*:} exec git \"$@\"",
    );
    let mut env = env(&sandbox);
    let host = env.vars.iter().find(|(name, _)| name == "PATH").unwrap().1.clone();
    env.vars.retain(|(name, _)| name != "PATH");
    let mut path = sandbox.path("bin").into_os_string();
    path.push(":");
    path.push(host);
    let env = GitEnv { path: Some(path), ..env };
    let main = Repo::discover(user.dir(), env, Cancel::new()).unwrap();
    let dest = sandbox.path("w/T-1");
    let error = create_workspace(&main, &dest, "t", &head(&main), None).unwrap_err();
    assert!(matches!(error, CreateError::DiskFull { .. }), "{error:?}");
    assert!(names(sandbox.path("w")).is_empty());
}

#[test]
fn what_a_crash_left_is_swept_and_nothing_else() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let main = open(&sandbox, user.dir());
    for name in [".T-1.new-1", ".T-1.old-77", ".T-1.new-x", ".T-1.new-", ".T-12.new-1", "T-1.new-1"]
    {
        sandbox.write(format!("w/{name}/file"), "");
    }
    let dest = sandbox.path("w/T-1");
    let _workspace = create_workspace(&main, &dest, "t", &head(&main), None).unwrap();
    let left = [".T-1.new-", ".T-1.new-x", ".T-12.new-1", "T-1", "T-1.new-1"];
    assert_eq!(names(sandbox.path("w")), left);
}

#[test]
fn what_dead_processes_left_of_any_workspace_is_swept() {
    let sandbox = Sandbox::new();
    assert_eq!(sweep_workspaces(&sandbox.path("w")).unwrap(), 0);
    let own = format!(".T-1.old-{}", ralph_process::own_pid());
    // No system gives so high a number to a process.
    let dead = format!(".T-2.new-{}", u32::MAX - 1);
    for name in [&own, &dead, "T-3", ".T-4.new-99999999999"] {
        sandbox.write(format!("w/{name}/file"), "");
    }
    assert_eq!(sweep_workspaces(&sandbox.path("w")).unwrap(), 1);
    let mut left = [own.as_str(), ".T-4.new-99999999999", "T-3"];
    left.sort_unstable();
    assert_eq!(names(sandbox.path("w")), left);
}

#[test]
fn only_a_workspace_opens_as_one() {
    let sandbox = Sandbox::new();
    let (user, _main, workspace) = with_workspace(&sandbox);
    let open = |dir: PathBuf| Workspace::open(&dir, env(&sandbox), Cancel::new());
    let again = open(workspace.root().to_owned()).unwrap();
    assert_eq!((again.root(), again.branch()), (workspace.root(), "ralph/T-1"));
    write(&workspace, "dir/file", "");
    for dir in [user.dir().to_owned(), workspace.root().join("dir")] {
        let error = open(dir).unwrap_err();
        assert!(matches!(error, OpenError::NotAWorkspace { .. }), "{error:?}");
    }
    assert!(matches!(open(sandbox.home()).unwrap_err(), OpenError::Discover(_)));
}

#[test]
fn origin_is_what_it_should_be_whatever_was_made_of_it() {
    let sandbox = Sandbox::new();
    let (_user, main, workspace) = with_workspace(&sandbox);
    let config = || fs_err::read_to_string(workspace.git_dir().join("config")).unwrap();
    let (before, urls) = (config(), workspace.remote_url("origin").unwrap());
    workspace.restore_origin(&main, None).unwrap();
    assert_eq!(config(), before);
    let changes: [&[&str]; 4] = [
        &["remote", "remove", "origin"],
        &["remote", "rename", "origin", "upstream"],
        &["remote", "set-url", "origin", "/elsewhere"],
        &["remote", "set-url", "--push", "origin", "/elsewhere"],
    ];
    for change in changes {
        sandbox.git(workspace.root(), change);
        workspace.restore_origin(&main, None).unwrap();
        assert_eq!(workspace.remote_url("origin").unwrap(), urls, "{change:?}");
        let tip = workspace.fetch("origin", "main").unwrap().tip;
        assert_eq!(tip, Some(head(&main)), "{change:?}");
    }
    let away = RemoteUrls { fetch: "/from".to_owned(), push: "/to".to_owned() };
    workspace.restore_origin(&main, Some(&away)).unwrap();
    assert_eq!(workspace.remote_url("origin").unwrap(), Some(away));
}

/// Git looks above a repository that it cannot use, and may find the user's there.
#[test]
fn a_damaged_workspace_inside_the_checkout_is_not_taken_for_the_checkout() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write(".gitignore", "/workspaces/\n").write("file", "one\n").commit("add file");
    let main = open(&sandbox, user.dir());
    let start = head(&main);
    let dest = user.dir().join("workspaces/T-1");
    let workspace = create_workspace(&main, &dest, "ralph/T-1", &start, None).unwrap();
    fs_err::remove_file(workspace.git_dir().join("HEAD")).unwrap();
    write(&main, "file", "being edited\n");

    assert!(workspace.head().is_err());
    assert!(workspace.commit_work(&[], "work", &start).is_err());
    assert!(workspace.reset_clean(&start).is_err());
    assert_eq!(branch_of(&main), "main");
    assert_eq!(read(&main, "file"), "being edited\n");
}

#[test]
fn a_reset_forgets_everything_but_ignored_files() {
    let sandbox = Sandbox::new();
    let (_user, _main, workspace) = with_workspace(&sandbox);
    write(&workspace, ".gitignore", "*.log\n");
    let base = commit(&workspace, "ignore");
    write(&workspace, "file", "theirs\n");
    commit(&workspace, "theirs");
    sandbox.git(workspace.root(), ["switch", "--quiet", "--create", "side", base.as_str()]);
    write(&workspace, "file", "ours\n");
    let ours = commit(&workspace, "ours");
    sandbox.git(workspace.root(), ["switch", "--quiet", "ralph/T-1"]);
    let _conflict = workspace.rebase(&ours, &base).unwrap();
    assert!(workspace.rebase_in_progress());
    write(&workspace, "new/file", "");
    write(&workspace, "x.log", "kept");
    let nested = sandbox.path("workspaces/T-1/nested");
    fs_err::create_dir(&nested).unwrap();
    sandbox.git(&nested, ["init", "--quiet"]);

    workspace.reset_clean(&base).unwrap();
    assert!(!workspace.rebase_in_progress());
    assert_eq!((branch_of(&workspace).as_str(), head(&workspace)), ("ralph/T-1", base));
    assert_eq!(workspace.changes().unwrap(), []);
    assert_eq!(names(workspace.root().to_owned()), [".git", ".gitignore", "file", "x.log"]);
}

#[test]
fn stale_locks_are_removed() {
    let sandbox = Sandbox::new();
    let (_user, _main, workspace) = with_workspace(&sandbox);
    for lock in ["index.lock", "refs/heads/ralph/T-1.lock"] {
        fs_err::write(workspace.git_dir().join(lock), "").unwrap();
    }
    write(&workspace, "file", "2");
    assert!(workspace.commit_all("locked").is_err());
    assert_eq!(workspace.remove_stale_locks().unwrap().len(), 2);
    let free = commit(&workspace, "free");
    fs_err::write(workspace.git_dir().join("index.lock"), "").unwrap();
    workspace.reset_clean(&free).unwrap();
    assert!(workspace.remove_stale_locks().unwrap().is_empty());
}

#[test]
fn a_workspace_goes_when_its_work_is_kept() {
    let sandbox = Sandbox::new();
    let (user, main, workspace) = with_workspace(&sandbox);
    write(&workspace, "file", "2");
    let refused = |kept: &[&str]| workspace.check_removable(&main, kept).unwrap().unwrap_err();
    assert!(matches!(refused(&["main"]), NotRemovable::Dirty { .. }));
    let work = commit(&workspace, "work");
    let unreachable = |refs: &[&str]| NotRemovable::Unreachable {
        refs: refs.iter().map(|name| ((*name).to_owned(), work.clone())).collect(),
    };
    assert_eq!(refused(&["main"]), unreachable(&["refs/heads/ralph/T-1", "HEAD"]));
    main.fetch_from(workspace.root(), &work, "refs/ralph/rescue/T-1/1").unwrap();
    assert_eq!(refused(&["main"]), unreachable(&["refs/heads/ralph/T-1", "HEAD"]));
    assert_eq!(refused(&[]), unreachable(&["refs/heads/ralph/T-1", "HEAD"]));
    write(&workspace, "ignored", "");
    sandbox.write(workspace.git_dir().join("info/exclude"), "ignored\n");
    let kept = ["refs/missing", "main", "refs/ralph/rescue/T-1/1"];
    let proof = workspace.check_removable(&main, &kept).unwrap().unwrap();
    workspace.remove(proof).unwrap();
    assert!(names(sandbox.path("workspaces")).is_empty());
    assert_eq!(user.read("file"), "one\n");
}

#[test]
fn other_branches_stashes_and_tags_count_too() {
    let sandbox = Sandbox::new();
    let (user, main, workspace) = with_workspace(&sandbox);
    user.git(["tag", "shared"]);
    let git = |args: &[&str]| sandbox.git(workspace.root(), args);
    for content in ["first", "second"] {
        write(&workspace, "file", content);
        git(&["stash", "--quiet"]);
    }
    git(&["switch", "--quiet", "--create", "side"]);
    write(&workspace, "new", "");
    commit(&workspace, "side");
    git(&["tag", "--annotate", "--message=t", "mine"]);
    git(&["switch", "--quiet", "ralph/T-1"]);
    let refused = workspace.check_removable(&main, &["main"]).unwrap().unwrap_err();
    let NotRemovable::Unreachable { refs } = refused else { panic!("{refused:?}") };
    let names: Vec<_> = refs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["refs/heads/side", "refs/stash", "refs/tags/mine", "stash@{1}"]);
}

#[test]
fn work_in_a_submodule_counts() {
    let sandbox = Sandbox::new();
    let library = sandbox.repo("library");
    library.write("code", "1").commit("code");
    let user = sandbox.repo("user");
    let url = library.dir().to_str().unwrap();
    user.git(["submodule", "--quiet", "add", url, "library"]);
    user.commit("submodule");
    let main = open(&sandbox, user.dir());
    let dest = sandbox.path("w");
    let workspace = create_workspace(&main, &dest, "t", &head(&main), None).unwrap();
    sandbox.git(&dest, ["submodule", "--quiet", "update", "--init"]);
    assert!(workspace.check_removable(&main, &["main"]).unwrap().is_ok());
    write(&workspace, "library/new", "work");
    let refused = workspace.check_removable(&main, &["main"]).unwrap().unwrap_err();
    assert!(matches!(refused, NotRemovable::Dirty { .. }), "{refused:?}");
    assert_eq!(workspace.changes().unwrap(), []);
}

#[test]
fn a_proof_holds_only_for_what_was_checked() {
    let sandbox = Sandbox::new();
    let (_user, main, workspace) = with_workspace(&sandbox);
    let check = || workspace.check_removable(&main, &["main"]).unwrap().unwrap();
    let proof = check();
    write(&workspace, "late", "work");
    let error = workspace.clone().remove(proof).unwrap_err();
    assert!(matches!(error, RemoveError::Changed { .. }), "{error:?}");
    fs_err::remove_file(workspace.root().join("late")).unwrap();

    let dest = sandbox.path("workspaces/T-2");
    let other = create_workspace(&main, &dest, "t2", &head(&main), None).unwrap();
    let error = other.remove(check()).unwrap_err();
    assert!(matches!(error, RemoveError::Changed { .. }), "{error:?}");
    assert!(dest.is_dir());

    let proof = check();
    write(&workspace, "late", "work");
    commit(&workspace, "late");
    let error = workspace.clone().remove(proof).unwrap_err();
    assert!(matches!(error, RemoveError::Changed { .. }), "{error:?}");
    assert_eq!(read(&workspace, "late"), "work");
}
