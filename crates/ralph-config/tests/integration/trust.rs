//! Agreement to the programs that a repository names.

use std::path::{Path, PathBuf};

use ralph_config::{
    Executables,
    trust::{Trust, TrustError, TrustStore},
};
use ralph_state::{Timestamp, file::Holder};
use serde_json::json;
use tempfile::TempDir;

struct Stage {
    root: TempDir,
    trust: TrustStore,
}

impl Stage {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir(root.path().join("repo")).unwrap();
        let trust = TrustStore::new(&root.path().join("user/ralph"), holder());
        Self { root, trust }
    }

    fn repo(&self) -> PathBuf {
        self.root.path().join("repo")
    }

    fn status(&self, repo: &Path, program: &str) -> Trust {
        self.trust.status(repo, &programs(program)).unwrap()
    }
}

fn holder() -> Holder {
    Holder {
        pid: 1,
        host: "here".to_owned(),
        command: "test".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    }
}

fn programs(program: &str) -> Executables {
    Executables { entries: [("agent.claude_bin".to_owned(), json!(program))].into() }
}

#[test]
fn trust_is_given_to_one_set_of_programs_and_taken_back() {
    let stage = Stage::new();
    let repo = stage.repo();
    assert_eq!(stage.trust.status(&repo, &Executables::default()).unwrap(), Trust::NothingToTrust);
    assert_eq!(stage.status(&repo, "a"), Trust::Untrusted { changed: false });

    let _saved = stage.trust.grant(&repo, &programs("a"), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(stage.status(&repo, "a"), Trust::Trusted);
    assert_eq!(stage.status(&repo, "b"), Trust::Untrusted { changed: true });

    assert!(stage.trust.revoke(&repo).unwrap());
    assert!(!stage.trust.revoke(&repo).unwrap());
    assert_eq!(stage.status(&repo, "a"), Trust::Untrusted { changed: false });
}

#[test]
fn trust_holds_for_one_directory_by_whatever_name() {
    let stage = Stage::new();
    let _saved = stage.trust.grant(&stage.repo(), &programs("a"), Timestamp::UNIX_EPOCH).unwrap();
    let link = stage.root.path().join("link");
    fs_err::os::unix::fs::symlink(stage.repo(), &link).unwrap();
    assert_eq!(stage.status(&link, "a"), Trust::Trusted);

    let copy = stage.root.path().join("copy");
    fs_err::create_dir(&copy).unwrap();
    assert_eq!(stage.status(&copy, "a"), Trust::Untrusted { changed: false });
}

#[test]
fn a_record_that_is_not_understood_is_neither_believed_nor_overwritten() {
    let stage = Stage::new();
    let repo = stage.repo();
    fs_err::create_dir_all(stage.trust.path().parent().unwrap()).unwrap();
    for record in ["", "{\"version\": 1, \"repo", "{\"version\": 2, \"repositories\": {}}"] {
        fs_err::write(stage.trust.path(), record).unwrap();
        let status = stage.trust.status(&repo, &programs("a"));
        assert!(matches!(status, Err(TrustError::Load(_))), "{record:?}");
        let grant = stage.trust.grant(&repo, &programs("a"), Timestamp::UNIX_EPOCH);
        assert!(matches!(grant, Err(TrustError::Save(_))), "{record:?}");
        assert_eq!(fs_err::read_to_string(stage.trust.path()).unwrap(), record);
    }
}

#[test]
fn what_a_later_ralph_wrote_of_other_repositories_is_kept() {
    let stage = Stage::new();
    fs_err::create_dir_all(stage.trust.path().parent().unwrap()).unwrap();
    let record = r#"{"version": 1, "note": "mine", "repositories": {"/else": {
        "digest": "sha256:0", "granted_at": "2026-01-01T00:00:00Z", "by": "me"}}}"#;
    fs_err::write(stage.trust.path(), record).unwrap();
    let _saved = stage.trust.grant(&stage.repo(), &programs("a"), Timestamp::UNIX_EPOCH).unwrap();
    let text = fs_err::read_to_string(stage.trust.path()).unwrap();
    for kept in ["\"note\": \"mine\"", "\"by\": \"me\"", "/else"] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
}

#[test]
fn the_digest_does_not_depend_on_the_order_of_keys() {
    let executables = |text: &str| Executables {
        entries: [("plugins.plugins.acme.config".to_owned(), serde_json::from_str(text).unwrap())]
            .into(),
    };
    let one = executables(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#);
    let other = executables(r#"{"b": {"d": 3, "c": 2}, "a": 1}"#);
    assert_eq!(one.digest(), other.digest());
    assert_ne!(one.digest(), executables(r#"{"a": 1}"#).digest());
    assert_eq!(one.digest().len(), "sha256:".len() + 64);
}
