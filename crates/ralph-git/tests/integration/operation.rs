//! What the user has begun with git and not ended.

use ralph_git::Operation;
use ralph_testkit::Sandbox;

use crate::open;

#[test]
fn what_is_under_way_is_told_until_it_is_ended() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let dir = user.dir();
    let repo = open(&sandbox, dir);
    let commit = |text: &str| {
        sandbox.write(dir.join("file"), text);
        sandbox.git(dir, ["add", "file"]);
        sandbox.git(dir, ["commit", "--quiet", "--message", text]);
    };
    commit("base");
    sandbox.git(dir, ["switch", "--quiet", "--create", "side"]);
    commit("theirs");
    sandbox.git(dir, ["format-patch", "--quiet", "--output", "../patch", "HEAD~1"]);
    sandbox.git(dir, ["switch", "--quiet", "main"]);
    commit("ours");
    assert_eq!(repo.operation().unwrap(), None);
    let begun: [(&[&str], Operation, &[&str]); 7] = [
        (&["merge", "side"], Operation::Merge, &["merge", "--abort"]),
        (&["cherry-pick", "side"], Operation::CherryPick, &["cherry-pick", "--abort"]),
        (&["revert", "HEAD~1"], Operation::Revert, &["revert", "--abort"]),
        (&["rebase", "side"], Operation::Rebase, &["rebase", "--abort"]),
        (&["rebase", "--apply", "side"], Operation::Rebase, &["rebase", "--abort"]),
        (&["am", "../patch"], Operation::Am, &["am", "--abort"]),
        (&["bisect", "start", "HEAD", "HEAD~1"], Operation::Bisect, &["bisect", "reset"]),
    ];
    for (begin, operation, end) in begun {
        drop(sandbox.run("git", dir, begin));
        assert_eq!(repo.operation().unwrap(), Some(operation), "{begin:?}");
        sandbox.git(dir, end);
        assert_eq!(repo.operation().unwrap(), None, "{end:?}");
    }
}
