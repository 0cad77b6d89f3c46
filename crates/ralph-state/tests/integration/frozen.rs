//! The types of the released programs: what each upgrade step takes and gives has to fit them.

use std::path::{Path, PathBuf};

use fs_err as fs;
use ralph_state::document::{Document as _, Notes};
use ralph_state::json::{Json, parse, to_text};
use ralph_state::{ParallelStateFile, WorkerLifecycle};
use serde::de::DeserializeOwned;

/// Version 1, as the last program that wrote it had it (generation 1.7).
mod v1 {
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether they can be read counts")]
    pub(super) struct State {
        #[serde(default)]
        started_at: String,
        #[serde(default)]
        base_branch: String,
        #[serde(default)]
        tasks_in_flight: Vec<InFlight>,
        #[serde(default)]
        prs: Vec<PullRequest>,
        #[serde(default)]
        finished_without_pr: Vec<Finished>,
        #[serde(default)]
        pending_merges: Vec<super::v2::PendingMerge>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether they can be read counts")]
    struct InFlight {
        task_id: String,
        #[serde(alias = "worktree_path")]
        workspace_path: String,
        branch: String,
        pid: Option<u32>,
        #[serde(default)]
        started_at: String,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether they can be read counts")]
    struct PullRequest {
        task_id: String,
        pr_number: u32,
        pr_url: String,
        head: Option<String>,
        base: Option<String>,
        #[serde(alias = "worktree_path")]
        workspace_path: Option<String>,
        merged: bool,
    }

    #[derive(Deserialize)]
    #[expect(
        dead_code,
        clippy::struct_field_names,
        reason = "only whether they can be read counts"
    )]
    struct Finished {
        task_id: String,
        #[serde(alias = "worktree_path")]
        workspace_path: String,
        branch: String,
        success: bool,
        finished_at: String,
    }
}

/// Version 2.
mod v2 {
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether they can be read counts")]
    pub(super) struct State {
        pub(super) schema_version: u32,
        #[serde(default)]
        started_at: String,
        #[serde(default)]
        base_branch: String,
        #[serde(default)]
        tasks_in_flight: Vec<InFlight>,
        #[serde(default)]
        prs: Vec<PullRequest>,
        #[serde(default)]
        pending_merges: Vec<PendingMerge>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether they can be read counts")]
    struct InFlight {
        task_id: String,
        #[serde(alias = "worktree_path")]
        workspace_path: String,
        branch: String,
        pid: Option<u32>,
        #[serde(default)]
        started_at: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum PullRequestLifecycle {
        Open,
        Closed,
        Merged,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether they can be read counts")]
    struct PullRequest {
        task_id: String,
        pr_number: u32,
        lifecycle: Option<PullRequestLifecycle>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum MergeLifecycle {
        Queued,
        InProgress,
        RetryableFailed,
        TerminalFailed,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether they can be read counts")]
    pub(super) struct PendingMerge {
        task_id: String,
        pr_number: u32,
        workspace_path: Option<String>,
        lifecycle: Option<MergeLifecycle>,
        #[serde(default)]
        attempts: u8,
        queued_at: String,
        last_error: Option<String>,
    }
}

/// Version 3, as 0.4.0 reads it.
mod v3 {
    use std::path::PathBuf;

    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(super) struct State {
        pub(super) schema_version: u32,
        #[serde(default)]
        pub(super) started_at: String,
        #[serde(default)]
        pub(super) target_branch: String,
        #[serde(default)]
        pub(super) workers: Vec<Worker>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub(super) enum Lifecycle {
        #[default]
        Running,
        Integrating,
        Completed,
        Failed,
        BlockedPush,
    }

    #[derive(Deserialize)]
    pub(super) struct Worker {
        pub(super) task_id: String,
        pub(super) workspace_path: PathBuf,
        #[serde(default)]
        pub(super) lifecycle: Lifecycle,
        pub(super) started_at: String,
        pub(super) completed_at: Option<String>,
        #[serde(default)]
        pub(super) push_attempts: u32,
        pub(super) last_error: Option<String>,
    }
}

/// The accepted cases that a released program has written, or could read: not the rows that are no
/// objects, the lifecycle it does not know, and the number that `serde_json` takes for infinite.
fn cases(version: u32) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/parallel/accepted");
    let foreign =
        ["v1-odd-rows", "v1-branch-is-no-text", "v3-unknown-lifecycle", "v3-unknown-fields"];
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        name.starts_with(&format!("v{version}")) && !foreign.contains(&name.as_str())
    };
    let cases: Vec<PathBuf> = entries.filter(wanted).collect();
    assert!(cases.len() >= 10);
    cases
}

fn value(path: &Path) -> Json {
    let text = fs::read_to_string(path).unwrap();
    parse(text.trim_start_matches('\u{feff}')).unwrap().unwrap()
}

#[track_caller]
fn fits<T: DeserializeOwned>(value: &Json, case: &Path) -> T {
    match serde_json::from_str(&to_text(value)) {
        Ok(typed) => typed,
        Err(error) => panic!("{}: {error}", case.display()),
    }
}

/// Takes the document one version up.
fn step(value: Json, from: u32) -> Json {
    let Json::Object(mut object) = value else { panic!("{value}") };
    let upgrade = ParallelStateFile::UPGRADES.from(from).next().unwrap();
    (upgrade.apply)(&mut object, &mut Notes::default()).unwrap();
    object.set_first("schema_version", u64::from(from + 1));
    Json::Object(object)
}

#[test]
fn each_step_takes_and_gives_what_was_released() {
    for case in cases(1) {
        let file = value(&case.join("in.json"));
        let _fits: v1::State = fits(&file, &case);
        let second = step(file, 1);
        let state: v2::State = fits(&second, &case);
        assert_eq!(state.schema_version, 2);
        let _fits: v3::State = fits(&step(second, 2), &case);
    }
    for case in cases(2) {
        let file = value(&case.join("in.json"));
        let _fits: v2::State = fits(&file, &case);
        let _fits: v3::State = fits(&step(file, 2), &case);
    }
}

/// Going up at once and going up in two sittings give the same.
#[test]
fn the_chain_is_its_steps() {
    for case in cases(1) {
        let file = value(&case.join("in.json"));
        let decode = |value: &Json| {
            ralph_state::document::decode::<ParallelStateFile>(to_text(value).as_bytes()).unwrap().0
        };
        let at_once = decode(&file);
        let second = step(file, 1);
        assert_eq!(decode(&second), at_once, "{}", case.display());
        assert_eq!(decode(&step(second, 2)), at_once, "{}", case.display());
    }
}

/// What we write, 0.4.0 reads, and takes for the same.
#[test]
fn saves_are_read_by_0_4_0() {
    for case in (1..=3).flat_map(cases) {
        let ours: ParallelStateFile = fits(&value(&case.join("out.json")), &case);
        let theirs: v3::State = fits(&value(&case.join("out.json")), &case);
        assert_eq!(theirs.schema_version, 3);
        assert_eq!(
            (theirs.started_at, theirs.target_branch),
            (ours.started_at, ours.target_branch)
        );
        assert_eq!(theirs.workers.len(), ours.workers.len());
        for (theirs, ours) in theirs.workers.into_iter().zip(ours.workers) {
            let lifecycle = match theirs.lifecycle {
                v3::Lifecycle::Running => WorkerLifecycle::Running,
                v3::Lifecycle::Integrating => WorkerLifecycle::Integrating,
                v3::Lifecycle::Completed => WorkerLifecycle::Completed,
                v3::Lifecycle::Failed => WorkerLifecycle::Failed,
                v3::Lifecycle::BlockedPush => WorkerLifecycle::BlockedPush,
            };
            assert_eq!(lifecycle, ours.lifecycle);
            assert_eq!(theirs.task_id, ours.task_id);
            assert_eq!(theirs.workspace_path, ours.workspace_path);
            assert_eq!(theirs.started_at, ours.started_at);
            assert_eq!(theirs.completed_at, ours.completed_at);
            assert_eq!(theirs.push_attempts, ours.push_attempts);
            assert_eq!(theirs.last_error, ours.last_error);
        }
    }
}
