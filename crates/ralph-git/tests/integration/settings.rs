//! The user's settings change nothing of what is done here.

use ralph_git::{FastForward, GitEnv, Push, Rebase, Repo, Signing, create_workspace};
use ralph_process::Cancel;
use ralph_testkit::Sandbox;

use crate::{commit, env, head, open, write};

const HOSTILE: &str = "
[commit]
\tgpgSign = true
\tcleanup = strip
\tverbose = true
\ttemplate = /no/such/template
[gpg]
\tprogram = /no/such/gpg
[core]
\thooksPath = ../hooks
\teditor = false
\tpager = false
\tquotePath = true
\tfsmonitor = /no/such/monitor
\tsplitIndex = true
\tautocrlf = input
\tsafecrlf = true
\tignoreStat = true
[color]
\tui = always
[diff]
\tnoprefix = true
\texternal = false
\trenames = false
[status]
\tshowUntrackedFiles = no
\tbranch = true
\tshowStash = true
\trelativePaths = false
[log]
\tshowSignature = true
\tabbrevCommit = true
\tdecorate = full
[format]
\tpretty = fuller
[grep]
\tpatternType = perl
[rebase]
\tautoStash = true
\tautoSquash = true
\tbackend = apply
\tmissingCommitsCheck = error
\trebaseMerges = true
\tforkPoint = true
\tupdateRefs = true
[branch \"main\"]
\tmergeOptions = --squash --autostash
[merge]
\tff = false
\tconflictStyle = merge
\tautoStash = true
\trenames = false
[pull]
\trebase = true
[push]
\tdefault = nothing
\tfollowTags = true
\tgpgSign = true
\trecurseSubmodules = check
[fetch]
\tprune = true
\tpruneTags = true
\toutput = compact
[rerere]
\tenabled = true
\tautoUpdate = true
[clone]
\tdefaultRemoteName = upstream
\trejectShallow = true
[init]
\tdefaultBranch = trunk
[submodule]
\trecurse = true
[protocol]
\tversion = 0
[protocol \"file\"]
\tallow = user
[transfer]
\tfsckObjects = true
[advice]
\tdetachedHead = true
[i18n]
\tcommitEncoding = ISO-8859-1
\tlogOutputEncoding = ISO-8859-1
[trailer]
\tseparators = \"=\"
[alias]
\tstatus = !false
";

#[test]
fn hostile_settings_change_nothing() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    user.write("file", "one\n").commit("base");
    let remote = user.push_to_new_remote("remote.git");
    for hook in
        ["pre-commit", "commit-msg", "pre-push", "post-merge", "pre-rebase", "post-checkout"]
    {
        sandbox.script(format!("hooks/{hook}"), "touch ../hook-ran; exit 1");
    }
    sandbox.script("template/hooks/post-checkout", "touch ../hook-ran; exit 1");
    let identity = "[user]\n\tname = Sandbox\n\temail = s@example.invalid\n";
    let template = format!("[init]\n\ttemplateDir = {}\n", sandbox.path("template").display());
    sandbox.write("home/.gitconfig", format!("{identity}{HOSTILE}{template}"));

    let repo = open(&sandbox, user.dir());
    let base = head(&repo);
    write(&repo, "ü new", "new\n");
    write(&repo, "dos", "line\r\n");
    assert_eq!(repo.changes().unwrap().len(), 2);
    let saved = repo.snapshot(&[], "saved: ü", Some(&base)).unwrap();
    assert_eq!(repo.read_blob(saved.as_str(), "ü new".as_ref()).unwrap().unwrap(), b"new\n");
    let first = repo.commit_all("first: ü\n\n# kept\n\nRalph-Task: T-1").unwrap().unwrap();
    let log = repo.log_lines("HEAD", 1).unwrap();
    assert_eq!((log[0].subject.as_str(), &log[0].sha), ("first: ü", &first));
    assert_eq!(repo.push("origin", &first, "main", Some(&base)).unwrap(), Push::Pushed);
    assert_eq!(repo.find_trailer("HEAD", "Ralph-Task", "T-1").unwrap(), Some(first.clone()));
    assert!(repo.message_of("HEAD").unwrap().starts_with("first: ü\n\n# kept"));

    let urls = repo.remote_url("origin").unwrap().unwrap();
    let dest = sandbox.path("w/T-2");
    let workspace = create_workspace(&repo, &dest, "t", &base, Some(&urls)).unwrap();
    write(&workspace, "file", "theirs\n");
    commit(&workspace, "fixup! base");
    let tip = workspace.fetch("origin", "main").unwrap().tip.unwrap();
    assert_eq!(tip, first);
    let Rebase::Clean { head: landed } = workspace.rebase(&tip, &base).unwrap() else { panic!() };
    assert_eq!(workspace.push("origin", &landed, "main", Some(&tip)).unwrap(), Push::Pushed);
    assert_eq!(sandbox.git(&remote, ["rev-parse", "main"]), landed.as_str());
    assert_eq!(repo.fetch("origin", "main").unwrap().tip.as_ref(), Some(&landed));
    assert_eq!(repo.fast_forward(&landed).unwrap(), FastForward::Done);
    assert_eq!(head(&repo), landed);

    write(&workspace, "file", "ours\n");
    let other = commit(&workspace, "other");
    workspace.reset_clean(&landed).unwrap();
    write(&workspace, "file", "mine\n");
    commit(&workspace, "mine");
    let Rebase::Conflict { files } = workspace.rebase(&other, &landed).unwrap() else { panic!() };
    assert_eq!(files.len(), 1);
    write(&workspace, "file", "both\n");
    let Rebase::Clean { head: tip } = workspace.continue_rebase().unwrap() else { panic!() };
    repo.fetch_from(workspace.root(), &tip, "refs/ralph/rescue/T-2/1").unwrap();
    let proof = workspace.check_removable(&repo, &["refs/ralph/rescue/T-2/1"]).unwrap().unwrap();
    workspace.remove(proof).unwrap();
    assert!(!user.dir().join("hook-ran").exists() && !sandbox.path("hook-ran").exists());
    assert!(!sandbox.path("w/hook-ran").exists());
}

#[test]
fn signing_is_the_users_only_when_asked_for() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let gpg = sandbox.script(
        "gpg",
        "cat >/dev/null; echo '[GNUPG:] BEGIN_SIGNING' >&2; echo '[GNUPG:] SIG_CREATED ' >&2\n\
         echo '-----BEGIN PGP SIGNATURE-----'; echo '-----END PGP SIGNATURE-----'",
    );
    user.git(["config", "gpg.program", gpg.to_str().unwrap()]);
    user.git(["config", "commit.gpgSign", "true"]);
    let is_signed = |signing: Signing| {
        let env = GitEnv { signing, ..env(&sandbox) };
        let repo = Repo::discover(user.dir(), env, Cancel::new()).unwrap();
        write(&repo, "file", &format!("{signing:?}"));
        let commit = commit(&repo, "signed?");
        user.git(["cat-file", "commit", commit.as_str()]).contains("gpgsig")
    };
    assert!(is_signed(Signing::AsConfigured));
    assert!(!is_signed(Signing::Off));
}
