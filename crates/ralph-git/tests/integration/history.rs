//! Messages, trailers and sizes of commits.

use ralph_git::DiffStat;
use ralph_testkit::Sandbox;

use crate::{open, sha};

#[test]
fn logs_are_read() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let first = sha(&user.head());
    let second = sha(&user.write("a", "1\n2\n").commit("second: with | and \"quotes\"\n\nbody"));
    let third = sha(&user.write("a", "2\n3\n4\n").write("b", b"\0\xff").commit("third"));
    let repo = open(&sandbox, user.dir());
    let log = repo.log_lines("main", 2).unwrap();
    let subjects: Vec<_> = log.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!(subjects, ["third", "second: with | and \"quotes\""]);
    assert_eq!(log[0].sha, third);
    assert_eq!(repo.log_lines("main..main", 9).unwrap(), []);
    assert!(repo.log_lines("nowhere", 9).is_err());
    assert_eq!(repo.commits_since(&first, &third).unwrap(), [second.clone(), third.clone()]);
    assert_eq!(repo.commits_since(&third, &first).unwrap(), []);
    let stat = DiffStat { files: 2, insertions: 2, deletions: 1 };
    assert_eq!(repo.diff_stat(&second, &third).unwrap(), stat);
    assert_eq!(repo.diff_stat(&third, &third).unwrap(), DiffStat::default());
}

#[test]
fn trailers_are_found_and_prose_is_not() {
    let sandbox = Sandbox::new();
    let user = sandbox.repo("user");
    let with = |text: &str| sha(&user.write("a", text).commit(text));
    let base = sha(&user.head());
    let one = with("one\n\nRalph-Task: T-1\nRalph-Attempt: a1\n");
    let _prose = with("prose\n\nRalph-Task: T-2 is what this mentions.\n\nThe end.");
    let two = with("two\n\nbody\n\nRalph-Task: T-12\nRalph-Attempt: a2");
    let again = with("again\n\nRalph-Task: T-1\nRalph-Attempt: a3");
    let repo = open(&sandbox, user.dir());
    let find = |range: &str, value: &str| repo.find_trailer(range, "Ralph-Task", value).unwrap();
    assert_eq!(find("main", "T-1"), Some(again.clone()), "the newest one");
    assert_eq!(find(two.as_str(), "T-1"), Some(one.clone()));
    assert_eq!(find("main", "T-12"), Some(two.clone()));
    assert_eq!(find("main", "T-2"), None);
    assert_eq!(find(&format!("{one}..main"), "T-1"), Some(again.clone()));
    assert_eq!(find(base.as_str(), "T-1"), None);
    assert!(repo.find_trailer("nowhere", "Ralph-Task", "T-1").is_err());
    let attempts = repo.trailers("main", "Ralph-Attempt").unwrap();
    let expected = [(again, "a3"), (two, "a2"), (one, "a1")];
    assert_eq!(attempts, expected.map(|(sha, value)| (sha, value.to_owned())));
}
