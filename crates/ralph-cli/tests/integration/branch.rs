//! A queue on two branches: merged by git, mended after git, checked in CI.

use ralph_testkit::Ran;
use serde_json::json;

use crate::{Desk, RALPH, parse};

impl Desk {
    fn commit_all(&self, what: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", what]);
    }

    /// Commits what both branches have, and goes to `other`.
    fn begin_theirs(&self) {
        self.commit_all("base");
        self.git(&["switch", "-qc", "other"]);
    }

    /// Commits what `other` has more, and goes back to `main`.
    fn begin_ours(&self) {
        self.commit_all("theirs");
        self.git(&["switch", "-q", "main"]);
    }

    /// Adds a task to `main`, which is `ours`, and one with the same id to `other`, which is
    /// `theirs` and younger.
    fn add_on_both(&self) {
        self.git(&["switch", "-q", "main"]);
        self.add("ours", &[]);
        self.commit_all("ours");
        self.git(&["switch", "-q", "other"]);
        self.forget_ids();
        self.add("theirs", &[]);
        self.begin_ours();
    }

    /// Gives ids as on another machine, which knows of none that were given here.
    fn forget_ids(&self) {
        self.write(".git/ralph/ids.json", r#"{"version":1,"highest":{"RQ":0}}"#);
        fs_err::remove_file(self.path(".ralph/cache/queue-journal.jsonl")).expect("it is there");
    }
}

/// Two branches that each added a task and changed the first: `main`, checked
/// out, and `other`.
fn branched(init: &[&str]) -> Desk {
    let desk = Desk::bare();
    desk.ralph(&[&["init"], init].concat()).success();
    desk.add("one", &[]);
    desk.begin_theirs();
    desk.add("theirs", &[]);
    desk.ralph(&["task", "status", "todo", "RQ-0001", "--note", "from them"]).success();
    desk.begin_ours();
    desk.add("ours", &["--depends-on", "RQ-0001"]);
    desk.ralph(&["task", "start", "RQ-0001"]).success();
    desk.commit_all("ours");
    desk
}

/// `git merge other`; its exit code.
fn merge(desk: &Desk) -> Option<i32> {
    with_ralph(desk, "git merge -q --no-edit other")
}

/// A line of the shell with `ralph` on the `PATH`; its exit code.
fn with_ralph(desk: &Desk, line: &str) -> Option<i32> {
    ran_with_ralph(desk, line).code
}

fn ran_with_ralph(desk: &Desk, line: &str) -> Ran {
    let bin = std::path::Path::new(RALPH).parent().expect("a directory").display().to_string();
    desk.sh(&format!("PATH=\"{bin}:$PATH\"; {line}"))
}

fn check_merged(desk: &Desk) {
    let list = desk.json(&["queue", "list"]);
    let titles: Vec<&str> = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["title"].as_str().expect("text"))
        .collect();
    assert_eq!(titles.len(), 3, "{titles:?}");
    let first = desk.json(&["task", "show", "RQ-0001"]);
    assert_eq!(
        (&first["task"]["status"], &first["task"]["notes"]),
        (&json!("doing"), &json!(["from them"]))
    );
    assert_eq!(desk.ralph(&["queue", "validate"]).code, Some(0));
}

#[test]
fn git_merges_by_task_where_the_user_agreed() {
    let desk = branched(&["--merge-driver"]);
    let attributes = desk.read(".gitattributes");
    assert!(attributes.contains("\n/.ralph/queue.jsonc merge=ralph-queue\n"), "{attributes}");
    assert_eq!(merge(&desk), Some(0));
    check_merged(&desk);
    // Once more changes nothing.
    desk.ralph(&["init", "--merge-driver"]).success();
    assert_eq!(desk.read(".gitattributes"), attributes);
}

/// Each took its own value when it took in what the other had before.
#[test]
fn what_two_branches_settled_differently_is_a_conflict_when_they_are_merged_again() {
    let desk = Desk::new();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.add("base", &[]);
    desk.begin_theirs();
    desk.ralph(&["task", "edit", "title", "theirs", "RQ-0001"]).success();
    desk.begin_ours();
    desk.ralph(&["task", "edit", "title", "ours", "RQ-0001"]).success();
    desk.commit_all("ours");
    desk.git(&["branch", "tip"]);
    for (branch, from, title) in [("main", "other", "ours"), ("other", "tip", "theirs")] {
        desk.git(&["switch", "-q", branch]);
        assert_eq!(with_ralph(&desk, &format!("git merge -q --no-edit {from}")), Some(1));
        desk.ralph(&["queue", "resolve", "--take", "ours"]).success();
        desk.commit_all("settled");
        assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["title"], title);
    }
    assert_eq!(with_ralph(&desk, "git merge -q --no-edit main"), Some(1));
    let told = desk.ralph(&["queue", "resolve"]).stderr;
    assert!(told.contains("\"ours\"") && told.contains("\"theirs\""), "{told}");
}

#[test]
fn of_many_conflicts_the_driver_tells_the_first() {
    let desk = Desk::new();
    for name in ["o", "a", "b"] {
        let task = |number| format!("{{\"id\":\"RQ-{number:04}\",\"title\":\"{name}\"}}");
        let tasks: Vec<String> = (1..=25).map(task).collect();
        desk.write(name, format!("{{\"version\":1,\"tasks\":[{}]}}\n", tasks.join(",")));
    }
    let ran = desk.ralph(&["queue", "merge-driver", "o", "a", "b", ".ralph/queue.jsonc"]);
    let stderr = &ran.exited(1).stderr;
    assert_eq!(stderr.matches(": title\n").count(), 20, "{stderr}");
    assert!(stderr.contains(".ralph/queue.jsonc: 5 more\n"), "{stderr}");
}

#[test]
fn of_many_tasks_with_new_ids_the_driver_tells_the_first() {
    let desk = Desk::new();
    for (name, count, hour) in [("o", 0, 0), ("a", 25, 1), ("b", 25, 2)] {
        let task = |number| {
            format!(
                "{{\"id\":\"RQ-{number:04}\",\"title\":\"{name}\",\"created_at\":\"2026-01-01T0{hour}:00:00Z\"}}"
            )
        };
        let tasks: Vec<String> = (1..=count).map(task).collect();
        desk.write(name, format!("{{\"version\":1,\"tasks\":[{}]}}\n", tasks.join(",")));
    }
    let ran = desk.ralph(&["queue", "merge-driver", "o", "a", "b", ".ralph/queue.jsonc"]);
    let stderr = &ran.success().stderr;
    assert_eq!(stderr.matches(" of one side is RQ-").count(), 20, "{stderr}");
    assert!(stderr.contains("\nAnd so with 5 more.\n"), "{stderr}");
}

#[test]
fn a_true_conflict_leaves_a_valid_file_and_is_told() {
    let desk = Desk::new();
    let task = |title: &str| {
        format!(
            "{{\"version\":1,\"tasks\":[{{\"id\":\"RQ-0001\",\"title\":\"{title}\",\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"}}]}}\n"
        )
    };
    for (name, title) in [("o", "x"), ("a", "y"), ("b", "\\u001bz")] {
        desk.write(name, task(title));
    }
    let ran = desk.ralph(&["queue", "merge-driver", "o", "a", "b", ".ralph/queue.jsonc"]);
    assert!(
        ran.exited(1).stderr.contains("RQ-0001: title\n  ours, what was checked out: \"y\"\n"),
        "{ran}"
    );
    assert!(!ran.stderr.contains('\u{1b}'));
    assert!(desk.read("a").contains("\"title\":\"y\""));
    // Git need not know a file for its markers to be resolved.
    desk.write(".ralph/queue.jsonc", "<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n");
    for args in [&["queue", "list"][..], &["task", "add", "x"], &["queue", "repair"]] {
        assert_eq!(desk.error(args, 3)["next"], "ralph queue resolve --dry-run");
    }
    desk.write("b", "{");
    let ran = desk.ralph(&["queue", "merge-driver", "o", "a", "b", ".ralph/done.jsonc"]);
    let told = "`.ralph/done.jsonc` cannot be merged: cannot read the version of theirs";
    assert!(ran.exited(1).stderr.contains(told), "{ran}");
    let text = desk.read("a");
    assert!(text.starts_with("<<<<<<< ours\n") && text.ends_with(">>>>>>> theirs\n"), "{text}");
}

#[test]
fn conflict_markers_are_resolved() {
    let desk = branched(&[]);
    assert!(!desk.path(".gitattributes").exists());
    assert_eq!(merge(&desk), Some(1));
    let marked = desk.read(".ralph/queue.jsonc");
    let error = desk.error(&["queue", "list"], 3);
    assert_eq!(
        (&error["code"], &error["next"]),
        (&json!("corrupt"), &json!("ralph queue resolve --dry-run"))
    );
    let dry = desk.ralph(&["queue", "resolve", "--dry-run"]);
    assert!(dry.success().stdout.contains("\n->>>>>>> other\n"), "{dry}");
    assert_eq!(desk.read(".ralph/queue.jsonc"), marked);
    desk.ralph(&["queue", "resolve"]).success();
    check_merged(&desk);
    assert_eq!(desk.read(".ralph/cache/queue.marked"), marked);

    // Without git's index, from between the markers.
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "merged"]);
    desk.write(".ralph/queue.jsonc", marked);
    let resolved = desk.json(&["queue", "resolve"]);
    assert_eq!(resolved["files"][0]["path"], ".ralph/queue.jsonc");
    check_merged(&desk);
    assert_eq!(
        desk.ralph(&["queue", "resolve"]).success().stderr,
        "There is nothing to resolve.\n"
    );
}

/// A merge that git left to the user in that style of markers: each side added a task under one id
/// and lets another wait for it, which git merged by itself.
fn one_id_twice(style: &str) -> Desk {
    let desk = Desk::bare();
    desk.ralph(&["init"]).success();
    for title in ["one", "two", "three", "four", "five"] {
        desk.add(title, &[]);
    }
    desk.begin_theirs();
    desk.add("theirs", &[]);
    desk.ralph(&["task", "edit", "depends_on", "RQ-0006", "RQ-0002"]).success();
    desk.begin_ours();
    desk.forget_ids();
    desk.add("ours", &[]);
    desk.ralph(&["task", "edit", "depends_on", "RQ-0006", "RQ-0004"]).success();
    desk.commit_all("ours");
    let line = format!("git -c merge.conflictStyle={style} merge -q --no-edit other");
    desk.sh(&line).exited(1);
    desk
}

/// The title of the task that this one waits for.
fn waits_for(desk: &Desk, id: &str) -> serde_json::Value {
    let waiting = desk.json(&["task", "show", id])["task"]["depends_on"].clone();
    let on = waiting[0].as_str().expect("an id").to_owned();
    assert_eq!(waiting, json!([on]));
    desk.json(&["task", "show", &on])["task"]["title"].clone()
}

#[test]
fn what_waits_for_a_task_waits_for_it_once_git_has_forgotten_the_versions() {
    for style in ["merge", "diff3", "zdiff3"] {
        for is_committed in [true, false] {
            let desk = one_id_twice(style);
            desk.git(&["add", "-A"]);
            if is_committed {
                desk.git(&["commit", "-qm", "markers by mistake"]);
            }
            let ran = desk.ralph(&["queue", "resolve"]);
            let told = &ran.success().stderr;
            assert!(told.contains("RQ-0006 of one side is RQ-0007 now."), "{ran}");
            // An old git cannot tell what it made of the commits.
            if !desk.sh("git merge-file -h 2>&1").stdout.contains("object-id") {
                assert!(told.contains("may mean"), "{style} {ran}");
                continue;
            }
            assert!(!told.contains("may mean"), "{style} {ran}");
            assert_eq!(waits_for(&desk, "RQ-0002"), "theirs", "{style} {is_committed}");
            assert_eq!(waits_for(&desk, "RQ-0004"), "ours", "{style} {is_committed}");
        }
    }
}

#[test]
fn what_may_wait_for_either_of_two_tasks_is_told_where_the_file_was_edited_since() {
    for style in ["merge", "diff3", "zdiff3"] {
        let desk = one_id_twice(style);
        let marked = desk.read(".ralph/queue.jsonc");
        desk.write(".ralph/queue.jsonc", marked.replace("\"one\"", "\"by hand\""));
        desk.commit_all("markers by mistake");
        let told = |line: &str| {
            format!(
                "warning: {line}: depends_on names RQ-0007 now, and may mean RQ-0006 (\"theirs\") or RQ-0007 (\"ours\")"
            )
        };
        let foreseen = desk.json(&["queue", "resolve", "--dry-run"]);
        for args in [&["queue", "resolve", "--dry-run"][..], &["queue", "resolve"]] {
            let ran = desk.ralph(args);
            for id in ["RQ-0002", "RQ-0004"] {
                assert!(ran.success().stderr.contains(&told(id)), "{style} {ran}");
            }
        }
        let unsure = foreseen["files"][0]["unsure"][0].clone();
        assert_eq!(
            unsure,
            json!({
                "task": "RQ-0002",
                "field": "depends_on",
                "names": ["RQ-0007"],
                "may_mean": ["RQ-0006", "RQ-0007"],
            })
        );
        assert_eq!(title(&desk), "by hand");
        desk.ralph(&["queue", "validate"]).success();
    }
}

#[test]
fn a_version_that_cannot_be_read_is_put_right_between_the_markers_or_as_a_whole() {
    for is_whole in [false, true] {
        let desk = Desk::bare();
        desk.ralph(&["init"]).success();
        desk.add("one", &[]);
        desk.add("two", &[]);
        desk.begin_theirs();
        desk.ralph(&["task", "edit", "title", "uno", "RQ-0001"]).success();
        desk.begin_ours();
        desk.ralph(&["task", "edit", "title", "eins", "RQ-0001"]).success();
        let queue = desk.read(".ralph/queue.jsonc");
        let [right, wrong] = ["\"two\", // mine", "\"two\" // mine,"];
        desk.write(".ralph/queue.jsonc", queue.replace("\"two\",", wrong));
        desk.commit_all("ours");
        assert_eq!(merge(&desk), Some(1));
        let marked = desk.read(".ralph/queue.jsonc");
        let line = marked.lines().position(|line| line.ends_with(wrong)).expect("a line") + 1;
        let error = desk.error(&["queue", "resolve"], 3);
        let message = error["message"].as_str().expect("text");
        assert!(message.contains(&format!("at line {line}, ")), "{error}");
        let hint = error["hint"].as_str().expect("text");
        if is_whole {
            let add = hint.split('`').find(|part| part.starts_with("git add ")).expect("a hint");
            let show = hint.split('`').find(|part| part.starts_with("git show ")).expect("a hint");
            desk.sh(&format!("{show} > .ralph/queue.jsonc")).success();
            let queue = desk.read(".ralph/queue.jsonc");
            desk.write(".ralph/queue.jsonc", queue.replace(wrong, right));
            desk.sh(add).success();
            assert_eq!(desk.ralph(&["queue", "resolve"]).success().stderr, NOTHING);
            continue;
        }
        desk.write(".ralph/queue.jsonc", marked.replace(wrong, right));
        // What is in conflict stays so until it is settled.
        for _ in 0..2 {
            let ran = desk.ralph(&["queue", "resolve"]);
            assert!(ran.exited(1).stderr.contains("RQ-0001: title"), "{ran}");
        }
        desk.ralph(&["queue", "resolve", "--take", "theirs"]).success();
        assert_eq!(title(&desk), "uno");
        assert!(desk.read(".ralph/queue.jsonc").contains(right));
    }
}

#[test]
fn git_is_asked_for_a_queue_file_by_its_name_in_the_repository() {
    for (directory, to, file) in
        [("below", "below/.ralph", "below/.ralph/queue.jsonc"), (".", "q.jsonc", "q.jsonc")]
    {
        let desk = branched(&[]);
        fs_err::create_dir(desk.path("below")).expect("a place");
        let from = if directory == "." {
            desk.write(
                ".ralph/config.jsonc",
                r#"{"version":2,"queue":{"file":".ralph/../q.jsonc"}}"#,
            );
            ".ralph/queue.jsonc"
        } else {
            ".ralph"
        };
        fs_err::rename(desk.path(from), desk.path(to)).expect("ours");
        desk.commit_all("moved");
        let check = ["-C", directory, "queue", "check", "--base", "HEAD"];
        desk.ralph(&check).success();
        desk.write(file, "{\"version\":1,\"tasks\":[]}");
        let ran = desk.ralph(&check);
        assert_eq!(ran.exited(3).stdout, "RQ-0001 is gone: one\nRQ-0003 is gone: ours\n");
        let list = ["-C", directory, "queue", "list"];
        desk.write(file, "{");
        let hint = format!("`git log -p -- :/{file}` shows what it was");
        let ran = desk.ralph(&list);
        assert!(ran.exited(3).stderr.contains(&hint), "{ran}");
        fs_err::remove_file(desk.path(file)).expect("ours");
        let ran = desk.ralph(&list);
        assert!(ran.exited(3).stderr.contains(&format!("`git checkout -- :/{file}`")), "{ran}");
    }
}

#[test]
fn a_check_tells_what_was_lost() {
    let desk = branched(&[]);
    assert_eq!(desk.json(&["queue", "check", "--base", "HEAD"])["ok"], true);
    desk.write(".ralph/queue.jsonc", "{\"version\":1,\"tasks\":[]}");
    let ran = desk.ralph(&["queue", "check", "--base", "HEAD", "--json"]);
    let losses = parse(&ran.exited(3).stdout)["items"].clone();
    assert_eq!(losses[0], json!({ "kind": "lost", "task": "RQ-0001", "title": "one" }));
    let ran = desk.ralph(&["queue", "check", "--base", "HEAD"]);
    assert_eq!(ran.exited(3).stdout, "RQ-0001 is gone: one\nRQ-0003 is gone: ours\n");
    desk.ralph(&["queue", "check", "--base", "nowhere"]).exited(2);
}

#[test]
fn a_question_shows_the_lines_and_takes_no_for_no() {
    let desk = Desk::bare();
    let ran = desk.sh("echo n | \"$RALPH\" init --interactive");
    assert!(ran.success().stderr.contains("merge.ralph-queue.driver = "), "{ran}");
    assert!(!desk.path(".gitattributes").exists());
    desk.sh("echo y | \"$RALPH\" init -i").success();
    assert!(desk.git(&["config", "merge.ralph-queue.driver"]).contains("merge-driver %O %A %B %P"));
}

/// A queue of one task that two branches gave different titles, merged by the
/// driver.
fn in_conflict() -> Desk {
    titled_there(&["task", "edit", "title", "eins", "RQ-0001"])
}

/// The same after something else was done to it here.
fn titled_there(here: &[&str]) -> Desk {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.add("one", &[]);
    desk.begin_theirs();
    desk.ralph(&["task", "edit", "title", "uno", "RQ-0001"]).success();
    desk.begin_ours();
    desk.ralph(here).success();
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(1));
    desk
}

fn title(desk: &Desk) -> serde_json::Value {
    desk.json(&["task", "show", "RQ-0001"])["task"]["title"].clone()
}

const NOTHING: &str = "There is nothing to resolve.\n";

/// The same where git waits to be told so.
const NOT_ADDED: &str = "There is nothing to resolve.\n\
                         hint: Look at it, then tell git: `git add :/.ralph/queue.jsonc`.\n";

#[test]
fn what_is_in_conflict_of_a_task_is_listed_and_settling_it_is_foreseen() {
    let desk = in_conflict();
    desk.add("two", &[]);
    let of_one = desk.ralph(&["queue", "resolve", "RQ-0001"]);
    assert!(of_one.exited(1).stderr.contains("RQ-0001: title"), "{of_one}");
    let of_two = desk.error(&["queue", "resolve", "RQ-0002"], 3);
    assert_eq!(of_two["message"], "nothing of `RQ-0002` is in conflict, or not any more");
    desk.ralph(&["queue", "resolve", "RQ-0009"]).exited(2);
    let before = desk.read(".ralph/queue.jsonc");
    let take = ["queue", "resolve", "--take", "theirs", "RQ-0001"];
    let shown = desk.ralph(&[&take[..], &["--dry-run"]].concat());
    assert!(shown.success().stdout.contains("+      \"title\": \"uno\""), "{shown}");
    let taken = desk.json(&[&take[..], &["--dry-run"]].concat())["taken"].clone();
    assert_eq!((&taken[0]["task"], &taken[0]["value"]), (&json!("RQ-0001"), &json!("uno")));
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
    let settled = desk.ralph(&take);
    assert!(settled.success().stderr.contains("`git add :/.ralph/queue.jsonc`"), "{settled}");
    desk.git(&["add", "-A"]);
    let ran = desk.ralph(&["queue", "resolve"]);
    assert_eq!(ran.success().stderr, NOTHING);
}

/// A merge that git waits for, with all that there is to put in order and to settle.
fn in_disorder(init: &[&str]) -> Desk {
    let desk = Desk::bare();
    desk.ralph(&[&["init"], init].concat()).success();
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "archive"}}"#);
    for title in ["ended", "titled", "removed", "opened"] {
        desk.add(title, &[]);
    }
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "in_place"}}"#);
    desk.ralph(&["task", "done", "RQ-0004"]).success();
    desk.begin_theirs();
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "archive"}}"#);
    desk.ralph(&["task", "edit", "title", "theirs", "RQ-0002"]).success();
    desk.ralph(&["task", "batch", "delete", "RQ-0003"]).success();
    desk.add("another", &[]);
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.ralph(&["task", "done", "RQ-0005"]).success();
    desk.ralph(&["queue", "archive"]).success();
    desk.begin_ours();
    desk.forget_ids();
    desk.ralph(&["task", "edit", "title", "ours", "RQ-0002"]).success();
    desk.ralph(&["task", "edit", "tags", "mine", "RQ-0001"]).success();
    desk.ralph(&["task", "status", "todo", "RQ-0004"]).success();
    desk.add("new", &[]);
    let queue = desk.read(".ralph/queue.jsonc");
    let title = "\"title\": \"removed\"";
    desk.write(".ralph/queue.jsonc", queue.replace(title, &format!("// why?\n      {title}")));
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(1));
    desk
}

#[test]
fn a_dry_run_foresees_what_is_resolved_with_markers_in_the_file_and_without() {
    for init in [&[][..], &["--merge-driver"]] {
        for take in [&[][..], &["--take", "ours"], &["--take", "theirs", "RQ-0002"]] {
            let desk = in_disorder(init);
            let texts = || [".ralph/queue.jsonc", ".ralph/done.jsonc"].map(|name| desk.read(name));
            let there = || desk.sh("find .ralph .git | sort").stdout;
            let before = (texts(), there());
            let args = [&["queue", "resolve", "--json"], take].concat();
            let foreseen = desk.ralph(&[&args[..], &["--dry-run"]].concat());
            assert_eq!((texts(), there()), before);
            let done = desk.ralph(&args);
            let case = format!("{init:?} {take:?}\n{foreseen}\n{done}");
            assert_eq!(foreseen.code, done.code, "{case}");
            let [told, made] = [&foreseen, &done].map(|ran| parse(&ran.stdout));
            for key in ["files", "taken", "unsettled"] {
                assert_eq!(told[key], made[key], "{key} {case}");
            }
            let after = texts().concat();
            let diff = told["diff"].as_str().expect("text");
            for line in diff.lines().filter_map(|line| line.strip_prefix('+')) {
                // A side that is taken is taken now.
                let is_other = line.starts_with("++ ") || line.contains("\"updated_at\"");
                assert!(is_other || after.contains(line), "{line} {case}");
            }
            assert!(diff.contains("+++ .ralph/done.jsonc"), "{case}");
            if take.is_empty() {
                assert_eq!(told["rev"], made["rev"], "{case}");
                assert_eq!(made["unsettled"].as_array().map(Vec::len), Some(2), "{case}");
            }
        }
    }
}

#[test]
fn settling_is_foreseen_in_a_file_with_markers() {
    let desk = in_disorder(&[]);
    let ran = desk.ralph(&["queue", "resolve", "--take", "theirs", "--dry-run"]);
    let told = "RQ-0005 of one side is RQ-0006 now.\n\
                RQ-0001 was finished on one side: what the other did would be kept with it.\n\
                RQ-0004 was opened again on one side: it stays open.\n\
                RQ-0002: title would be \"theirs\".\n\
                RQ-0003 would be removed.\n";
    assert_eq!(ran.success().stderr, told);
    assert!(ran.stdout.contains("-<<<<<<< HEAD\n"), "{ran}");
    assert!(ran.stdout.contains("-      \"title\": \"ours\",\n"), "{ran}");
    // What the command is refused for.
    let unknown = ["queue", "resolve", "--take", "theirs", "RQ-0009", "--dry-run"];
    desk.ralph(&unknown).exited(2);
    desk.ralph(&["queue", "resolve", "--if-rev", "x", "--dry-run"]).exited(4);
}

#[test]
fn a_value_that_lost_is_kept_until_it_is_settled() {
    let desk = in_conflict();
    assert_eq!(title(&desk), "eins");
    for _ in 0..2 {
        let ran = desk.ralph(&["queue", "resolve"]);
        assert!(ran.exited(1).stderr.contains("  theirs, what came in: \"uno\"\n"), "{ran}");
    }
    let ran = desk.ralph(&["queue", "resolve", "--json"]);
    let unsettled = parse(&ran.exited(1).stdout)["unsettled"][0].clone();
    assert_eq!((&unsettled["theirs"], &unsettled["left"]), (&json!("uno"), &json!("eins")));
    assert_eq!(desk.json(&["queue", "validate"])["unsettled"], 1);
    let doctor = desk.ralph(&["doctor"]);
    assert!(doctor.stdout.contains("a merge left 1 conflict"), "{doctor}");
    desk.ralph(&["queue", "resolve", "--take", "theirs", "RQ-0002"]).exited(2);
    desk.ralph(&["queue", "resolve", "--take", "theirs", "RQ-0001"]).success();
    assert_eq!(title(&desk), "uno");
    assert_eq!(desk.ralph(&["queue", "resolve"]).success().stderr, NOT_ADDED);
    // Undo brings back the conflict, too.
    desk.ralph(&["undo"]).success();
    assert_eq!(title(&desk), "eins");
    desk.ralph(&["queue", "resolve"]).exited(1);
    // What stands is said to be right.
    desk.ralph(&["queue", "resolve", "--take", "ours"]).success();
    assert_eq!(desk.ralph(&["queue", "resolve"]).success().stderr, NOT_ADDED);
    assert_eq!(desk.json(&["queue", "validate"])["unsettled"], 0);
    desk.ralph(&["queue", "resolve", "--take", "theirs"]).success();
    assert_eq!(title(&desk), "eins");
}

#[test]
fn a_conflict_that_was_settled_by_hand_is_settled() {
    let desk = in_conflict();
    desk.ralph(&["task", "edit", "title", "one of both", "RQ-0001"]).success();
    let error = desk.error(&["queue", "resolve", "--take", "theirs", "RQ-0001"], 3);
    assert_eq!(error["message"], "nothing of `RQ-0001` is in conflict, or not any more");
    assert_eq!(desk.ralph(&["queue", "resolve", "--take", "theirs"]).success().stderr, NOT_ADDED);
    assert_eq!(title(&desk), "one of both");
}

#[test]
fn a_conflict_goes_with_its_merge() {
    let desk = in_conflict();
    desk.ralph(&["queue", "resolve", "--take", "ours"]).success();
    desk.git(&["merge", "--abort"]);
    assert_eq!(desk.ralph(&["queue", "resolve", "--take", "theirs"]).success().stderr, NOTHING);
    assert_eq!(title(&desk), "eins");
    // The same once more is another merge, in which nothing is settled.
    assert_eq!(merge(&desk), Some(1));
    desk.ralph(&["queue", "resolve"]).exited(1);
    // Settled in git's own way, and committed.
    desk.git(&["add", "-A"]);
    assert_eq!(desk.ralph(&["queue", "resolve"]).success().stderr, NOTHING);
    desk.git(&["commit", "-qm", "merged"]);
    assert_eq!(desk.json(&["queue", "validate"])["unsettled"], 0);
}

#[test]
fn what_is_put_in_order_beside_the_conflicts_can_be_taken_back_before_an_abort() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "archive"}}"#);
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.add("three", &[]);
    desk.ralph(&["task", "done", "RQ-0003"]).success();
    desk.begin_theirs();
    desk.ralph(&["task", "edit", "title", "uno", "RQ-0001", "RQ-0002"]).success();
    desk.begin_ours();
    desk.ralph(&["task", "edit", "title", "zwei", "RQ-0002"]).success();
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.commit_all("ours");
    let before = desk.read(".ralph/done.jsonc");
    assert_eq!(merge(&desk), Some(1));
    let ran = desk.ralph(&["queue", "resolve"]);
    assert_ne!(desk.read(".ralph/done.jsonc"), before);
    let way = "git checkout -- :/.ralph/done.jsonc";
    assert!(ran.exited(1).stderr.contains(way), "{ran}");
    assert!(!desk.ralph(&["queue", "resolve"]).stderr.contains(way));
    desk.sh(&format!("{way} && git merge --abort")).success();
    assert_eq!(desk.git(&["status", "--porcelain"]), "");
    assert_eq!(desk.read(".ralph/done.jsonc"), before);
}

#[test]
fn a_task_that_was_deleted_here_and_edited_there_can_be_either() {
    let desk = titled_there(&["task", "batch", "delete", "RQ-0001"]);
    assert_eq!(title(&desk), "uno");
    desk.ralph(&["queue", "resolve", "--take", "ours"]).success();
    assert_eq!(desk.json(&["queue", "list"])["total"], 0);
    desk.ralph(&["undo"]).success();
    desk.ralph(&["queue", "resolve"]).exited(1);
    desk.ralph(&["queue", "resolve", "--take", "theirs"]).success();
    assert_eq!(title(&desk), "uno");
    assert_eq!(desk.ralph(&["queue", "resolve"]).success().stderr, NOT_ADDED);
}

#[test]
fn a_rebase_says_whose_values_are_whose() {
    let desk = in_conflict();
    desk.git(&["merge", "--abort"]);
    desk.git(&["switch", "-q", "other"]);
    assert_eq!(with_ralph(&desk, "git rebase -q main"), Some(1));
    let ran = desk.ralph(&["queue", "resolve"]);
    let yours = "  theirs, the commit of yours that it moves: \"uno\"\n";
    assert!(ran.exited(1).stderr.contains(yours), "{ran}");
    desk.ralph(&["queue", "resolve", "--take", "theirs"]).success();
    desk.git(&["add", "-A"]);
    assert_eq!(with_ralph(&desk, "GIT_EDITOR=true git rebase --continue"), Some(0));
    assert_eq!(title(&desk), "uno");
    assert_eq!(desk.ralph(&["queue", "resolve"]).success().stderr, NOTHING);
}

#[test]
fn the_value_that_a_rebase_drops_unseen_is_kept() {
    let desk = in_conflict();
    desk.git(&["merge", "--abort"]);
    desk.git(&["switch", "-q", "other"]);
    assert_eq!(with_ralph(&desk, "git rebase -q main"), Some(1));
    desk.git(&["add", "-A"]);
    assert_eq!(with_ralph(&desk, "GIT_EDITOR=true git rebase --continue"), Some(0));
    assert_eq!(title(&desk), "eins", "what it goes onto stands");
    let kept = desk.read(".ralph/cache/merge-conflicts.jsonl");
    let last = parse(kept.lines().last().expect("a line"));
    let conflict = &last["conflicts"][0];
    assert_eq!(last["path"], ".ralph/queue.jsonc");
    assert_eq!((&conflict["ours"], &conflict["theirs"]), (&json!("eins"), &json!("uno")), "{kept}");
}

#[cfg(unix)]
#[test]
fn what_is_kept_of_tasks_beside_the_queue_file_is_no_more_open_than_that() {
    use std::os::unix::fs::PermissionsExt as _;

    let desk = in_conflict();
    desk.git(&["merge", "--abort"]);
    fs_err::remove_dir_all(desk.path(".ralph/cache")).expect("it is there");
    let close = || {
        let mode = std::fs::Permissions::from_mode(0o600);
        fs_err::set_permissions(desk.path(".ralph/queue.jsonc"), mode).expect("ours");
    };
    close();
    assert_eq!(with_ralph(&desk, "git merge -q other"), Some(1));
    close();
    desk.ralph(&["queue", "claim", "--id", "RQ-0001"]).success();
    let text = desk.read(".ralph/queue.jsonc").replacen(
        "    {",
        "<<<<<<< a\n=======\n>>>>>>> b\n    {",
        1,
    );
    desk.write(".ralph/queue.jsonc", text);
    close();
    desk.ralph(&["queue", "resolve", "--take", "ours"]).exited(0);
    for kept in [
        ".ralph/cache/merge-conflicts.jsonl",
        ".ralph/cache/merges.json",
        ".ralph/cache/queue.marked",
        ".git/ralph/leases.json",
    ] {
        let mode = fs_err::metadata(desk.path(kept)).expect(kept).permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{kept}: {mode:o}");
    }
}

#[test]
fn a_picked_commit_and_a_stash_are_merged_by_task() {
    let desk = in_conflict();
    desk.git(&["merge", "--abort"]);
    assert_eq!(with_ralph(&desk, "git cherry-pick other"), Some(1));
    desk.ralph(&["queue", "resolve"]).exited(1);
    desk.git(&["cherry-pick", "--abort"]);
    assert_eq!(desk.ralph(&["queue", "resolve"]).success().stderr, NOTHING);

    desk.ralph(&["task", "edit", "title", "stashed", "RQ-0001"]).success();
    desk.git(&["stash", "-q"]);
    desk.ralph(&["task", "edit", "tags", "mine", "RQ-0001"]).success();
    desk.commit_all("tags");
    assert_eq!(with_ralph(&desk, "git stash pop -q"), Some(0));
    assert_eq!(title(&desk), "stashed");
    desk.git(&["stash", "-q"]);
    desk.ralph(&["task", "edit", "title", "un", "RQ-0001"]).success();
    desk.commit_all("title");
    assert_eq!(with_ralph(&desk, "git stash pop -q"), Some(1));
    desk.ralph(&["queue", "resolve", "--take", "theirs"]).success();
    assert_eq!(title(&desk), "stashed");
    assert_eq!(desk.ralph(&["queue", "resolve"]).success().stderr, NOT_ADDED);
}

#[test]
fn a_conflict_that_only_git_knows_of_is_found() {
    let desk = in_conflict();
    fs_err::remove_file(desk.path(".ralph/cache/merges.json")).expect("it is there");
    let ran = desk.ralph(&["queue", "resolve"]);
    assert!(ran.exited(1).stderr.contains("  theirs, what came in: \"uno\"\n"), "{ran}");
}

#[test]
fn a_conflict_between_markers_that_git_does_not_know_is_remembered() {
    let desk = Desk::bare();
    desk.ralph(&["init"]).success();
    let task = |title: &str| {
        format!(
            "{{\"id\":\"RQ-0001\",\"title\":\"{title}\",\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"}}"
        )
    };
    let (ours, theirs) = (task("eins"), task("uno"));
    let marked = format!(
        "{{\"version\":1,\"tasks\":[\n<<<<<<< a\n{ours}\n=======\n{theirs}\n>>>>>>> b\n]}}\n"
    );
    desk.write(".ralph/queue.jsonc", marked);
    desk.commit_all("markers and all");
    let before = desk.read(".ralph/queue.jsonc");
    let ran = desk.ralph(&["queue", "resolve"]);
    assert!(ran.exited(1).stderr.contains("is kept as .ralph/cache/queue.marked"), "{ran}");
    assert_eq!(desk.read(".ralph/cache/queue.marked"), before);
    desk.ralph(&["queue", "resolve"]).exited(1);
    desk.commit_all("resolved");
    assert_eq!(desk.ralph(&["queue", "resolve"]).success().stderr, NOTHING);
    desk.git(&["checkout", "-q", "HEAD~1"]);
    desk.ralph(&["queue", "resolve"]).exited(1);
    desk.ralph(&["queue", "resolve", "--take", "theirs"]).success();
    assert_eq!(title(&desk), "uno");
}

#[test]
fn what_one_branch_finished_into_the_done_file_is_not_done_again() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "archive"}}"#);
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.begin_theirs();
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.add("theirs", &[]);
    desk.ralph(&["task", "done", "RQ-0003"]).success();
    desk.begin_ours();
    desk.forget_ids();
    desk.ralph(&["task", "edit", "tags", "mine", "RQ-0001"]).success();
    desk.add("ours", &[]);
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(0));
    let validated = desk.ralph(&["queue", "validate", "--json"]);
    let validated = parse(&validated.success().stdout);
    assert_eq!((&validated["unsettled"], &validated["errors_total"]), (&json!(0), &json!(0)));
    assert_eq!(desk.ralph(&["queue", "next"]).success().stdout, "RQ-0002\n");
    let codes = desk.ralph(&["queue", "validate", "--json"]);
    assert!(codes.stdout.contains("left_behind"), "{codes}");

    desk.ralph(&["queue", "resolve"]).success();
    desk.ralph(&["queue", "validate"]).success();
    let shown = desk.json(&["task", "show", "RQ-0001"]);
    assert_eq!(
        (&shown["task"]["status"], &shown["task"]["tags"]),
        (&json!("done"), &json!(["mine"]))
    );
    let ours = desk.json(&["task", "show", "RQ-0004"]);
    assert_eq!(ours["task"]["title"], "ours");
    desk.add("next", &[]);
    assert_eq!(desk.json(&["task", "show", "RQ-0005"])["task"]["title"], "next");
}

#[test]
fn a_rejected_task_gives_its_id_to_the_open_one_of_another_branch() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "archive"}}"#);
    desk.add("base", &[]);
    desk.begin_theirs();
    desk.add("login", &[]);
    desk.begin_ours();
    desk.forget_ids();
    desk.add("shed", &[]);
    desk.ralph(&["task", "reject", "RQ-0002"]).success();
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(0));
    let warned = desk.ralph(&["queue", "validate"]).success().stdout.clone();
    assert!(warned.contains("warning: RQ-0002: the id `RQ-0002` means another task"), "{warned}");

    let files = || [".ralph/queue.jsonc", ".ralph/done.jsonc"].map(|name| desk.read(name));
    let merged = files();
    let parted = json!([{ "was": "RQ-0002", "id": "RQ-0003" }]);
    let dry = desk.json(&["task", "edit", "title", "login page", "RQ-0002", "--dry-run"]);
    assert_eq!(dry["parted"], parted);
    assert_eq!(files(), merged);
    let ran = desk.ralph(&["task", "edit", "title", "login page", "RQ-0002"]);
    assert!(ran.success().stderr.contains("the one that is rejected is RQ-0003 now"), "{ran}");
    let edited = files();
    desk.ralph(&["undo"]).success();
    assert_eq!(files(), merged);
    desk.ralph(&["redo"]).success();
    assert_eq!(files(), edited);
    desk.ralph(&["queue", "check", "--base", "HEAD"]).success();

    desk.ralph(&["task", "done", "RQ-0002"]).success();
    desk.ralph(&["task", "note", "RQ-0002", "who"]).success();
    let shown = desk.json(&["task", "show", "RQ-0002"]);
    assert_eq!(
        (&shown["task"]["title"], &shown["task"]["notes"]),
        (&json!("login page"), &json!(["who"]))
    );
    assert_eq!(desk.json(&["task", "show", "RQ-0003"])["task"]["title"], "shed");
    assert_eq!(
        desk.ralph(&["queue", "validate"]).success().stderr,
        "The queue is valid: 1 task, 2 archived.\n"
    );
    desk.ralph(&["queue", "export", "--include-archive", "-o", "all.csv"]).success();
    let other = Desk::new();
    other.write("all.csv", desk.read("all.csv"));
    other.ralph(&["queue", "import", "-i", "all.csv"]).success();
}

#[test]
fn the_id_of_a_rejected_task_in_the_same_file_means_the_open_one() {
    let desk = Desk::bare();
    desk.ralph(&["init"]).success();
    for title in ["a", "b", "c"] {
        desk.add(title, &[]);
    }
    desk.begin_theirs();
    desk.add("login", &[]);
    desk.begin_ours();
    desk.forget_ids();
    desk.add("shed", &["--first"]);
    desk.ralph(&["task", "reject", "RQ-0004"]).success();
    desk.commit_all("ours");
    desk.git(&["merge", "-q", "--no-edit", "other"]);
    let warned = desk.ralph(&["queue", "validate"]).success().stdout.clone();
    assert!(warned.contains("gives this one another id"), "{warned}");
    desk.ralph(&["queue", "check", "--base", "HEAD~1"]).success();
    let ran = desk.ralph(&["task", "show", "RQ-04"]).exited(2).stderr.clone();
    assert!(ran.contains("Did you mean `RQ-0004`?"), "{ran}");
    desk.ralph(&["queue", "claim", "--id", "RQ-0004"]).success();
    let shown = |id: &str| desk.json(&["task", "show", id])["task"]["title"].clone();
    assert_eq!([shown("RQ-0004"), shown("RQ-0005")], [json!("login"), json!("shed")]);
}

#[test]
fn finished_tasks_with_one_id_wait_for_a_repair() {
    let desk = Desk::new();
    for title in ["shed", "login"] {
        desk.add(title, &[]);
    }
    desk.ralph(&["task", "reject", "RQ-0001"]).success();
    desk.ralph(&["task", "done", "RQ-0002"]).success();
    let queue = desk.read(".ralph/queue.jsonc").replace("RQ-0001", "RQ-0002");
    desk.write(".ralph/queue.jsonc", queue);
    let ran = desk.ralph(&["queue", "validate"]);
    assert!(ran.success().stdout.contains("a repair gives this one another id"), "{ran}");
    assert!(ran.stderr.contains("`ralph queue repair` does it"), "{ran}");
    assert_eq!(desk.json(&["queue", "validate"])["next"], "ralph queue repair --dry-run");
    desk.ralph(&["queue", "export", "-o", "all.csv"]).success();
    let other = Desk::new();
    other.write("all.csv", desk.read("all.csv"));
    let ran = other.ralph(&["queue", "import", "-i", "all.csv"]);
    assert!(ran.exited(3).stderr.contains("`ralph queue repair` there parts"), "{ran}");

    desk.add("next", &[]);
    assert_eq!(desk.read(".ralph/queue.jsonc").matches("\"RQ-0002\"").count(), 2);
    desk.ralph(&["queue", "repair"]).success();
    let shown = desk.json(&["task", "show", "RQ-0002"]);
    assert_eq!(shown["task"]["title"], "login");
    desk.ralph(&["queue", "export", "-o", "all.csv"]).success();
    other.write("all.csv", desk.read("all.csv"));
    other.ralph(&["queue", "import", "-i", "all.csv"]).success();
}

#[test]
fn an_edit_of_a_task_that_the_other_branch_archived_stands() {
    let init: [&[&str]; 2] = [&["init"], &["init", "--merge-driver"]];
    for (init, is_edited_first) in init.iter().flat_map(|init| [(init, true), (init, false)]) {
        let desk = Desk::bare();
        desk.ralph(init).success();
        desk.add("PDF", &[]);
        let finish = || {
            desk.ralph(&["task", "done", "RQ-0001"]).success();
            desk.ralph(&["queue", "archive"]).success();
        };
        let edit = || {
            desk.ralph(&["task", "edit", "title", "PDF and PNG", "RQ-0001"]).success();
            desk.ralph(&["task", "edit", "priority", "high", "RQ-0001"]).success();
        };
        let (first, second): (&dyn Fn(), &dyn Fn()) =
            if is_edited_first { (&edit, &finish) } else { (&finish, &edit) };
        desk.begin_theirs();
        first();
        desk.begin_ours();
        second();
        desk.commit_all("ours");
        // Git tells a driver what the other side is from 2.44 on; else it is asked to look.
        assert!(matches!(merge(&desk), Some(0 | 1)));
        desk.ralph(&["queue", "resolve"]).success();
        desk.add("after", &[]);
        let shown = desk.json(&["task", "show", "RQ-0001"]);
        let task = &shown["task"];
        assert_eq!(
            (&task["title"], &task["priority"], &task["status"]),
            (&json!("PDF and PNG"), &json!("high"), &json!("done"))
        );
        let note = json!("Another copy of this task had `title`: \"PDF\"");
        assert!(task["notes"].as_array().expect("a list").contains(&note), "{task}");
        desk.ralph(&["queue", "validate"]).success();
    }
}

#[test]
fn what_is_finished_here_and_changed_there_merges_cleanly() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "archive"}}"#);
    desk.add("one", &[]);
    desk.begin_theirs();
    desk.ralph(&["task", "edit", "tags", "theirs", "RQ-0001"]).success();
    desk.begin_ours();
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(0));
    let ran = desk.ralph(&["queue", "resolve"]);
    assert!(
        ran.success().stderr.contains("what was new in the queue file is kept with it"),
        "{ran}"
    );
    let shown = desk.json(&["task", "show", "RQ-0001"]);
    assert_eq!(
        (&shown["task"]["status"], &shown["task"]["tags"]),
        (&json!("done"), &json!(["theirs"]))
    );
    // Nobody asked for that: an undo would take back the end itself, which is not what it was.
    let ran = desk.ralph(&["undo"]);
    assert!(ran.exited(3).stderr.contains("(`ralph task done`)"), "{ran}");
    assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["status"], "done");
    desk.ralph(&["queue", "validate"]).success();
}

#[test]
fn what_is_finished_there_and_changed_here_later_is_finished_without_a_driver_too() {
    let desk = Desk::bare();
    desk.ralph(&["init"]).success();
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "archive"}}"#);
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.begin_theirs();
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.begin_ours();
    desk.ralph(&["task", "edit", "tags", "mine", "RQ-0001"]).success();
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(1));
    let ran = desk.ralph(&["queue", "resolve"]);
    let told = "RQ-0001 was in both files, as a merge or a crash leaves it; it is finished";
    assert!(ran.success().stderr.contains(told), "{ran}");
    let shown = desk.json(&["task", "show", "RQ-0001"])["task"].clone();
    assert_eq!((&shown["status"], &shown["tags"]), (&json!("done"), &json!(["mine"])));
    desk.ralph(&["queue", "validate"]).success();
    // What the hint adds is all that was changed: a commit takes no half of it.
    let add = ran.stderr.split('`').find(|part| part.starts_with("git add ")).expect("a hint");
    desk.sh(add).success();
    desk.git(&["diff", "--exit-code", "--", ".ralph/queue.jsonc", ".ralph/done.jsonc"]);
}

#[test]
fn a_comment_outlives_the_end_and_the_removal_of_its_task_on_the_other_branch() {
    let remark = "// ask them first";
    for (has_driver, is_ours) in [(true, true), (true, false), (false, true), (false, false)] {
        let desk = Desk::bare();
        desk.ralph(if has_driver { &["init", "--merge-driver"] } else { &["init"] }).success();
        desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "archive"}}"#);
        desk.add("ended", &[]);
        desk.add("removed", &[]);
        let side = |remarks: bool| {
            if !remarks {
                desk.ralph(&["task", "done", "RQ-0001"]).success();
                desk.ralph(&["task", "batch", "delete", "RQ-0002"]).success();
                return;
            }
            let queue = desk.read(".ralph/queue.jsonc");
            desk.write(
                ".ralph/queue.jsonc",
                queue.replace("\"title\":", &format!("{remark}\n      \"title\":")),
            );
        };
        desk.begin_theirs();
        side(!is_ours);
        desk.begin_ours();
        side(is_ours);
        desk.commit_all("ours");
        assert_eq!(merge(&desk), Some(1));
        let count = |name: &str| desk.read(name).matches(remark).count();
        let ran = desk.ralph(&["queue", "resolve"]);
        let told = "RQ-0002: removed on one side, commented on the other\n";
        assert!(ran.exited(1).stderr.contains(told), "{ran}");
        assert!(ran.stderr.contains(&format!("the task as it was, with\n    {remark}\n")), "{ran}");
        assert!(!ran.stderr.contains("RQ-0001: "), "{ran}");
        assert_eq!([".ralph/queue.jsonc", ".ralph/done.jsonc"].map(count), [1, 1]);
        let remover = if is_ours { "theirs" } else { "ours" };
        let ran = desk.ralph(&["queue", "resolve", "--take", remover]);
        assert!(ran.success().stderr.contains("RQ-0002 is removed.\n"), "{ran}");
        assert_eq!([".ralph/queue.jsonc", ".ralph/done.jsonc"].map(count), [0, 1]);
        desk.ralph(&["queue", "validate"]).success();
    }
}

#[test]
fn what_one_side_opens_again_and_the_other_archives_stays_open() {
    for (has_driver, note) in [(true, true), (true, false), (false, true), (false, false)] {
        let desk = Desk::bare();
        desk.ralph(if has_driver { &["init", "--merge-driver"] } else { &["init"] }).success();
        desk.add("one", &[]);
        desk.add("two", &[]);
        desk.ralph(&["task", "done", "RQ-0001"]).success();
        desk.begin_theirs();
        let reopen = ["task", "status", "todo", "RQ-0001", "--note", "once more"];
        desk.ralph(&reopen[..if note { 6 } else { 4 }]).success();
        desk.begin_ours();
        desk.ralph(&["queue", "archive"]).success();
        desk.commit_all("ours");
        let merged = merge(&desk);
        let is_resolved = !has_driver || merged != Some(0);
        if is_resolved {
            desk.ralph(&["queue", "resolve"]).success();
        }
        let shown = desk.json(&["task", "show", "RQ-0001"])["task"].clone();
        assert_eq!(shown["status"], "todo", "{has_driver} {note}");
        assert_eq!(desk.ralph(&["queue", "next"]).success().stdout, "RQ-0001\n");
        // An edit of another task leaves it open.
        desk.ralph(&["task", "edit", "tags", "x", "RQ-0002"]).success();
        if !is_resolved {
            desk.ralph(&["queue", "repair"]).success();
        }
        assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["status"], "todo");
        desk.ralph(&["queue", "validate"]).success();
    }
}

#[test]
fn a_task_that_is_rejected_here_and_done_there_is_done_and_told() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.add("one", &[]);
    desk.ralph(&["task", "reject", "RQ-0001"]).success();
    desk.begin_theirs();
    desk.ralph(&["task", "status", "todo", "RQ-0001"]).success();
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.begin_ours();
    desk.ralph(&["queue", "archive"]).success();
    desk.commit_all("ours");
    let ran = ran_with_ralph(&desk, "git merge -q --no-edit other 2>&1");
    let told = "RQ-0001 was done on one side and rejected on the other: it is done";
    assert!(ran.success().stdout.contains(told), "{ran}");
    desk.ralph(&["queue", "resolve"]).success();
    let shown = desk.json(&["task", "show", "RQ-0001"])["task"].clone();
    let note = "Another copy of this task had `status`: \"rejected\"";
    assert_eq!((&shown["status"], &shown["notes"]), (&json!("done"), &json!([note])));
    desk.ralph(&["queue", "validate"]).success();
}

#[test]
fn a_taken_side_keeps_what_it_has_in_its_done_file() {
    for (has_driver, is_repaired) in [(false, false), (true, false), (true, true)] {
        for (is_ours, side) in
            [(true, "ours"), (true, "theirs"), (false, "ours"), (false, "theirs")]
        {
            let desk = Desk::bare();
            desk.ralph(if has_driver { &["init", "--merge-driver"] } else { &["init"] }).success();
            desk.add("one", &[]);
            desk.add("two", &[]);
            desk.ralph(&["task", "done", "RQ-0001"]).success();
            desk.commit_all("base");
            let change = |archives: bool, title| {
                let archive = &["queue", "archive"][..];
                let reopen = &["task", "status", "todo", "RQ-0001"];
                desk.ralph(if archives { archive } else { reopen }).success();
                desk.ralph(&["task", "edit", "title", title, "RQ-0002"]).success();
                desk.commit_all(title);
            };
            desk.git(&["switch", "-qc", "other"]);
            change(!is_ours, "theirs");
            desk.git(&["switch", "-q", "main"]);
            change(is_ours, "ours");
            assert_eq!(merge(&desk), Some(1));
            if is_repaired {
                desk.ralph(&["queue", "repair"]).success();
            }
            let ran = desk.ralph(&["queue", "resolve"]);
            assert!(!ran.exited(1).stderr.contains("RQ-0001: removed"), "{ran}");
            // Each call names both files, whichever of them has changed the done file.
            let both = "`git add :/.ralph/queue.jsonc :/.ralph/done.jsonc`";
            for args in [&["queue", "resolve", "--take", side][..], &["queue", "resolve"]] {
                let ran = desk.ralph(args);
                assert!(ran.success().stderr.contains(both), "{ran}");
            }
            let shown = |id| desk.json(&["task", "show", id])["task"].clone();
            assert_eq!(shown("RQ-0001")["status"], "todo");
            assert_eq!(shown("RQ-0002")["title"], side);
            desk.ralph(&["queue", "validate"]).success();
        }
    }
}

#[test]
fn what_two_right_edits_make_wrong_is_told_by_the_merge_and_by_resolve() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.begin_theirs();
    desk.ralph(&["task", "edit", "depends_on", "RQ-0001", "RQ-0002"]).success();
    desk.begin_ours();
    desk.ralph(&["task", "edit", "depends_on", "RQ-0002", "RQ-0001"]).success();
    desk.commit_all("ours");
    let merged = ran_with_ralph(&desk, "git merge -q --no-edit other");
    let wrong = "RQ-0001: depends on itself: RQ-0001 -> RQ-0002 -> RQ-0001";
    let hint = "hint: Correct them by hand: `ralph task edit depends_on IDS RQ-0001`";
    let told = format!("warning: the merged queue has 1 error: {wrong}\n{hint}");
    assert!(merged.success().stderr.contains(&told), "{merged}");
    let ran = desk.ralph(&["queue", "resolve"]);
    assert!(ran.success().stderr.contains(wrong) && ran.stderr.contains(hint), "{ran}");
    desk.ralph(&["task", "edit", "depends_on", "", "RQ-0001"]).success();
    let ran = desk.ralph(&["queue", "resolve"]);
    assert_eq!(ran.success().stderr, "There is nothing to resolve.\n");
}

#[test]
fn a_resolve_that_is_refused_writes_nothing() {
    let desk = Desk::bare();
    desk.ralph(&["init"]).success();
    desk.write(".ralph/config.jsonc", r#"{"version": 2, "queue": {"finish": "archive"}}"#);
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.begin_theirs();
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    desk.ralph(&["task", "edit", "title", "zwei", "RQ-0002"]).success();
    desk.begin_ours();
    desk.ralph(&["task", "edit", "tags", "mine", "RQ-0001"]).success();
    desk.ralph(&["task", "edit", "title", "due", "RQ-0002"]).success();
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(1));
    let refused = |args: &[&str], exit, code: &str| {
        let files = || [".ralph/queue.jsonc", ".ralph/done.jsonc"].map(|name| desk.read(name));
        let before = files();
        assert_eq!(desk.error(&[&["queue", "resolve"], args].concat(), exit)["code"], code);
        assert_eq!(files(), before, "{args:?}");
    };
    // While there are markers, and once git has made a queue of it that is still to be put in order.
    refused(&["--if-rev", "x"], 4, "conflict");
    refused(&["--take", "ours", "RQ-0009"], 2, "not_found");
    desk.sh("git show :2:.ralph/queue.jsonc > .ralph/queue.jsonc").success();
    refused(&["RQ-0009"], 2, "not_found");
    refused(&["--take", "theirs", "--if-rev", "x"], 4, "conflict");
    refused(&["--take", "theirs", "RQ-0001"], 3, "refused");

    let rev = desk.json(&["queue", "list"])["rev"].as_str().expect("text").to_owned();
    let ran = desk.ralph(&["queue", "resolve", "--take", "theirs", "--if-rev", &rev]);
    assert!(ran.success().stderr.contains("RQ-0002: title is \"zwei\" now.\n"), "{ran}");
    let shown = desk.json(&["task", "show", "RQ-0001"])["task"].clone();
    assert_eq!((&shown["status"], &shown["tags"]), (&json!("done"), &json!(["mine"])));
}

#[test]
fn a_side_that_would_break_the_queue_is_refused_with_a_way_on() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.add("one", &[]);
    desk.begin_theirs();
    desk.ralph(&["task", "edit", "title", "uno", "RQ-0001"]).success();
    desk.add("two", &["--depends-on", "RQ-0001"]);
    desk.begin_ours();
    desk.ralph(&["task", "reject", "RQ-0001"]).success();
    desk.ralph(&["queue", "archive"]).success();
    desk.write(".ralph/done.jsonc", "{\"version\": 1, \"tasks\": []}\n");
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(1));
    let before = desk.read(".ralph/queue.jsonc");
    for args in [&["--dry-run"][..], &[]] {
        let args = [&["queue", "resolve", "--take", "ours"], args].concat();
        let error = desk.error(&args, 3);
        assert_eq!(
            (&error["code"], &error["next"]),
            (&json!("refused"), &json!("ralph queue resolve"))
        );
        assert_eq!(desk.read(".ralph/queue.jsonc"), before);
    }
    let ran = desk.ralph(&["queue", "resolve", "--take", "theirs"]);
    assert!(ran.success().stderr.contains("RQ-0001 stays.\n"), "{ran}");
}

#[test]
fn an_undo_of_what_a_merge_changed_names_what_can_be_undone() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.add("one", &[]);
    desk.add("two", &[]);
    desk.begin_theirs();
    desk.ralph(&["task", "edit", "tags", "theirs", "RQ-0002"]).success();
    desk.begin_ours();
    desk.ralph(&["task", "edit", "title", "uno", "RQ-0001"]).success();
    desk.ralph(&["task", "edit", "tags", "ours", "RQ-0002"]).success();
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(0));
    for args in [&["undo"][..], &["undo", "--dry-run"]] {
        let error = desk.error(args, 3);
        assert_eq!(error["next"], "ralph task show RQ-0002");
        let hint = error["hint"].as_str().expect("text");
        assert!(hint.contains("`ralph undo --id 4` takes back the last one that can be"), "{hint}");
    }
    desk.ralph(&["undo", "--id", "4"]).success();
    let one = desk.json(&["task", "show", "RQ-0001"]);
    assert_eq!(one["task"]["title"], "one");
    assert_eq!(desk.json(&["task", "show", "RQ-0002"])["task"]["tags"], json!(["ours", "theirs"]));
}

#[test]
fn an_id_that_a_merge_gave_is_given_by_no_other_work_tree() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.commit_all("base");
    desk.git(&["worktree", "add", "-q", "../second"]);
    desk.git(&["switch", "-qc", "other"]);
    desk.add("theirs", &[]);
    desk.begin_ours();
    desk.forget_ids();
    desk.add("ours", &[]);
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(0));
    assert_eq!(desk.json(&["task", "show", "RQ-0002"])["task"]["title"], "ours");
    let second = desk.dir.parent().expect("a sandbox").join("second");
    let ran = desk.ralph(&["task", "add", "x", "-C", second.to_str().expect("text")]);
    assert_eq!(ran.success().stdout, "RQ-0003\n");
}

#[test]
fn an_id_whose_task_is_gone_ends_no_task_that_had_it_before_a_merge() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.begin_theirs();
    desk.add_on_both();
    assert_eq!(merge(&desk), Some(0));
    let shown = desk.json(&["task", "show", "RQ-0001"]);
    assert_eq!(
        (&shown["task"]["id"], &shown["formerly"]),
        (&json!("RQ-0001"), &json!(["RQ-0002"]))
    );
    let told = desk.ralph(&["task", "show", "RQ-0001"]).success().stderr.clone();
    assert!(told.contains("`RQ-0002` had this id before"), "{told}");
    for line in [&["task", "done", "RQ-0001"][..], &["queue", "archive"], &["queue", "prune"]] {
        desk.ralph(line).success();
    }
    let before = desk.read(".ralph/queue.jsonc");
    assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["id"], "RQ-0002");
    for line in [
        &["task", "done", "RQ-0001"][..],
        &["task", "note", "RQ-0001", "x"],
        &["task", "edit", "tags", "x", "RQ-0001"],
        &["task", "clone", "RQ-0001"],
        &["task", "split", "RQ-0001"],
        &["task", "batch", "status", "done", "RQ-0001"],
        &["queue", "claim", "--id", "RQ-0001"],
        &["queue", "release", "RQ-0001"],
    ] {
        let error = desk.error(line, 2);
        let what = (&error["code"], &error["similar"], &error["next"]);
        let known = (&json!("not_found"), &json!(["RQ-0002"]), &json!("ralph task show RQ-0002"));
        assert_eq!(what, known, "{line:?}: {error}");
    }
    let added = desk.ralph(&["task", "add", "x", "--depends-on", "RQ-0001"]);
    assert!(added.exited(2).stderr.contains("; `RQ-0002` had that id"), "{added}");
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
}

#[test]
fn git_runs_a_program_that_is_there_or_leaves_markers() {
    let desk = branched(&["--merge-driver"]);
    let driver = || desk.git(&["config", "merge.ralph-queue.driver"]);
    // None is on the `PATH` of a sandbox.
    assert!(driver().starts_with(&format!("{RALPH} queue merge-driver ")), "{}", driver());
    assert_eq!(desk.sh("git merge -q --no-edit other").code, Some(0));
    check_merged(&desk);
    desk.git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(with_ralph(&desk, "ralph init --merge-driver"), Some(0));
    assert!(driver().starts_with("ralph queue merge-driver "), "{}", driver());
    let doctor = desk.ralph(&["doctor"]).stdout;
    assert!(doctor.contains("`ralph`, which git is to run, is not there"), "{doctor}");
    let markers = || desk.read(".ralph/queue.jsonc").contains("<<<<<<< ");
    assert_eq!(desk.sh("git merge -q --no-edit other").code, Some(1));
    assert!(markers());
    desk.git(&["merge", "--abort"]);
    // One that knows no merge driver must not pass ours off as the result.
    desk.write("old/ralph", "#!/bin/sh\nexit 2\n");
    desk.sh("chmod +x old/ralph").success();
    assert_eq!(desk.sh("PATH=\"$PWD/old:$PATH\" git merge -q --no-edit other").code, Some(1));
    assert!(markers());
}

#[test]
fn a_dry_run_leaves_no_lock_behind() {
    let desk = Desk::new();
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "start"]);
    desk.sh("rm -rf .ralph/cache .ralph/.queue.jsonc.lock").success();
    desk.ralph(&["queue", "resolve", "--dry-run"]).success();
    desk.ralph(&["run", "parallel", "recover", "--dry-run"]).success();
    let locks = desk.sh("find .ralph -name '*.lock'");
    assert_eq!(locks.success().stdout, "");
}

#[test]
fn a_task_that_was_renumbered_here_and_archived_there_has_one_id() {
    for done_is_driven in [false, true] {
        let desk = Desk::bare();
        desk.ralph(&["init", "--merge-driver"]).success();
        desk.add("one", &[]);
        desk.add("old", &[]);
        desk.begin_theirs();
        desk.add_on_both();
        // Theirs is younger.
        assert_eq!(merge(&desk), Some(0));
        let task = |title: &str| {
            let list =
                desk.ralph(&["queue", "list", "--include-done", "--all", "--format", "json"]);
            let all = parse(&list.success().stdout);
            let mut found = all.as_array().expect("a list").clone();
            found.retain(|task| task["title"] == title);
            assert_eq!(found.len(), 1, "{title} in {all}");
            found.remove(0)
        };
        assert_eq!(
            (&task("ours")["id"], &task("theirs")["id"]),
            (&json!("RQ-0003"), &json!("RQ-0004"))
        );

        desk.git(&["switch", "-q", "other"]);
        desk.add("next", &["--depends-on", "RQ-0003"]);
        desk.ralph(&["task", "done", "RQ-0003"]).success();
        desk.ralph(&["queue", "archive"]).success();
        desk.begin_ours();
        desk.ralph(&["task", "edit", "title", "ours too", "RQ-0003"]).success();
        if done_is_driven {
            desk.ralph(&["task", "done", "RQ-0002"]).success();
            desk.ralph(&["queue", "archive"]).success();
        }
        desk.commit_all("ours too");
        assert_eq!(merge(&desk), Some(0));
        desk.ralph(&["queue", "resolve"]).success();
        desk.ralph(&["queue", "validate"]).success();
        assert_eq!(task("theirs")["status"], "done");
        assert_eq!(task("next")["depends_on"], json!([task("theirs")["id"]]));
        assert_ne!(task("ours too")["id"], task("theirs")["id"]);
    }
}

/// A queue with a time of whole seconds, as people write it, and whose tasks move when they end.
fn written_by_hand(init: &[&str]) -> Desk {
    let desk = Desk::bare();
    desk.ralph(init).success();
    desk.write(".ralph/config.jsonc", r#"{"version": 2}"#);
    desk.write(
        ".ralph/queue.jsonc",
        r#"{"version": 1, "tasks": [
  {"id": "RQ-0001", "title": "base", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
]}
"#,
    );
    desk
}

#[test]
fn a_task_that_is_finished_here_and_has_another_title_on_either_side_is_one_whoever_merges() {
    let init: [&[&str]; 2] = [&["init"], &["init", "--merge-driver"]];
    let title = &["task", "edit", "title", "base, reworded", "RQ-0001"][..];
    let tags = &["task", "edit", "tags", "a", "RQ-0001"];
    for (init, [there, here]) in
        init.into_iter().flat_map(|init| [(init, [title, tags]), (init, [tags, title])])
    {
        let desk = written_by_hand(init);
        desk.begin_theirs();
        desk.ralph(there).success();
        desk.begin_ours();
        desk.ralph(here).success();
        desk.ralph(&["task", "done", "RQ-0001"]).success();
        desk.ralph(&["queue", "archive"]).success();
        desk.commit_all("ours");
        assert!(matches!(merge(&desk), Some(0 | 1)));
        desk.ralph(&["queue", "resolve"]).success();
        let all = desk.ralph(&["queue", "list", "--include-done", "--all", "--format", "json"]);
        let all = parse(&all.success().stdout);
        let shown = |task: &serde_json::Value| {
            ["id", "title", "status"].map(|name| task[name].as_str().expect("text").to_owned())
        };
        let shown: Vec<_> = all.as_array().expect("a list").iter().map(shown).collect();
        assert_eq!(shown, [["RQ-0001", "base, reworded", "done"]], "{init:?} {here:?}");
        assert_eq!(all[0]["tags"], json!(["a"]), "{init:?} {here:?}");
        desk.ralph(&["queue", "validate"]).success();
    }
}

#[test]
fn an_id_that_a_merge_gave_finds_its_task_after_a_branch_from_before_archived_it() {
    for end in ["done", "reject"] {
        let desk = written_by_hand(&["init", "--merge-driver"]);
        desk.begin_theirs();
        desk.add_on_both();
        assert_eq!(merge(&desk), Some(0));
        let found = |id: &str| desk.json(&["task", "show", id])["task"]["title"].clone();
        assert_eq!((found("RQ-0002"), found("RQ-0003")), (json!("ours"), json!("theirs")));

        desk.git(&["switch", "-q", "other"]);
        desk.ralph(&["task", end, "RQ-0002"]).success();
        desk.begin_ours();
        assert_eq!(merge(&desk), Some(0));
        // The done file comes as it is there, and so its id does.
        let wanted = [("RQ-0002", "theirs"), ("RQ-0003", "theirs"), ("RQ-0004", "ours")];
        for _ in ["merged", "put in order"] {
            assert_eq!(
                wanted.map(|(id, _)| (id, found(id))),
                wanted.map(|(id, it)| (id, json!(it)))
            );
            desk.ralph(&["queue", "validate"]).success();
            desk.add("after", &[]);
        }
    }
}

#[test]
fn branches_that_were_merged_both_ways_merge_without_a_word() {
    let desk = written_by_hand(&["init", "--merge-driver"]);
    desk.begin_theirs();
    desk.git(&["switch", "-q", "main"]);
    desk.add("ours", &[]);
    desk.add("after ours", &["--depends-on", "RQ-0002"]);
    desk.commit_all("ours");
    desk.git(&["switch", "-q", "other"]);
    desk.forget_ids();
    desk.add("theirs", &[]);
    desk.add("after theirs", &["--depends-on", "RQ-0002"]);
    desk.ralph(&["task", "reject", "RQ-0002"]).success();
    desk.commit_all("theirs");
    desk.git(&["branch", "one", "main"]);
    desk.git(&["switch", "-q", "one"]);
    assert_eq!(merge(&desk), Some(0));
    desk.ralph(&["task", "note", "RQ-0001", "a note"]).success();
    desk.commit_all("a note");
    let before = desk.read(".ralph/queue.jsonc");
    desk.git(&["switch", "-q", "other"]);
    assert_eq!(with_ralph(&desk, "git merge -q --no-edit main"), Some(0));
    desk.git(&["switch", "-q", "one"]);
    let bases = desk.git(&["merge-base", "--all", "one", "other"]);
    assert_eq!(bases.lines().count(), 2);
    let ran = ran_with_ralph(&desk, "git merge -q --no-edit other");
    assert_eq!(ran.success().stderr, "");
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
}

#[test]
fn the_first_merge_in_a_fresh_clone_hides_no_id_of_another_branch() {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.commit_all("base");
    desk.git(&["switch", "-qc", "far"]);
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    desk.commit_all("far");
    desk.git(&["switch", "-q", "main"]);
    desk.git(&["switch", "-qc", "other"]);
    fs_err::remove_file(desk.path(".git/ralph/ids.json")).expect("it is there");
    desk.write(
        ".ralph/queue.jsonc",
        r#"{"version": 1, "tasks": [{"id": "RQ-0001", "title": "theirs"}]}"#,
    );
    desk.begin_ours();
    desk.write(".ralph/queue.jsonc", r#"{"version": 1, "tasks": [], "note": "ours"}"#);
    desk.commit_all("ours");
    assert_eq!(merge(&desk), Some(0));
    let ran = desk.ralph(&["task", "add", "new"]);
    assert_eq!(ran.success().stdout, "RQ-0004\n");
}

#[test]
fn a_task_that_was_picked_and_finished_here_and_edited_there_is_finished() {
    let desk = written_by_hand(&["init", "--merge-driver"]);
    desk.begin_theirs();
    desk.add("late", &[]);
    desk.begin_ours();
    // Picked in the second it was made, it would be the same commit but for the words of `-x`.
    assert_eq!(with_ralph(&desk, "git cherry-pick -x other"), Some(0));
    desk.ralph(&["task", "done", "RQ-0002"]).success();
    desk.add("own", &[]);
    desk.commit_all("ours");
    desk.git(&["switch", "-q", "other"]);
    desk.ralph(&["task", "edit", "tags", "theirs", "RQ-0002"]).success();
    desk.begin_ours();
    let ran = ran_with_ralph(&desk, "git merge -q --no-edit other");
    assert!(ran.success().stderr.contains("RQ-0002 was finished on one side"), "{ran}");
    for _ in ["merged", "put in order"] {
        desk.ralph(&["queue", "validate"]).success();
        let shown = desk.json(&["task", "show", "RQ-0002"]);
        assert_eq!(shown["task"]["status"], "done");
        desk.add("after", &[]);
    }
    assert_eq!(desk.json(&["task", "show", "RQ-0002"])["task"]["tags"], json!(["theirs"]));
}

/// The tasks of a file stand in sections, whose headings belong to none of them.
#[test]
fn what_stands_between_the_tasks_is_where_the_side_put_it_that_moved_it() {
    let task = |id: &str| {
        format!(
            "    {{ \"id\": \"RQ-000{id}\", \"title\": \"{id}\", \"created_at\": \"2026-01-01T00:00:00Z\" }},\n"
        )
    };
    let [one, two, three, four, new] = ["1", "2", "3", "4", "5"].map(task);
    let [a, b] = ["A", "B"].map(|name| format!("    // == {name} ==\n\n"));
    let file = |parts: &[&str]| {
        format!("{{\n  \"version\": 1,\n  \"tasks\": [\n{}  ]\n}}\n", parts.concat())
    };
    let base = file(&[&a, &one, &two, "\n", &b, &three, &four]);
    let sections = [
        (
            "a task is new, the first of the second section",
            file(&[&a, &one, &two, "\n", &b, &new, &three, &four]),
        ),
        (
            "the last of the first section is in the second",
            file(&[&a, &one, "\n", &b, &two, &three, &four]),
        ),
        (
            "a section is new",
            file(&[&a, &one, &two, "\n", "    // == New ==\n\n", &b, &three, &four]),
        ),
        (
            "a heading has a second part",
            file(&[&a, &one, &two, "\n", &b, "    // more of it\n\n", &three, &four]),
        ),
        ("a heading is gone", file(&[&a, &one, &two, &three, &four])),
        ("both headings stand elsewhere", file(&[&b, &one, &two, "\n", &a, &three, &four])),
        ("a blank line", file(&[&a, &one, "\n", &two, "\n", &b, &three, &four])),
    ];
    let retitled = |text: &str| text.replace("\"title\": \"4\"", "\"title\": \"four\"");
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.write(".ralph/queue.jsonc", &base);
    desk.commit_all("base");
    for (what, theirs) in sections {
        for is_turned in [false, true] {
            let sides = [retitled(&base), theirs.clone()];
            let [ours, other] =
                if is_turned { [&sides[1], &sides[0]] } else { [&sides[0], &sides[1]] };
            desk.git(&["switch", "-qC", "ours", "main"]);
            desk.write(".ralph/queue.jsonc", ours);
            desk.commit_all("ours");
            desk.git(&["switch", "-qC", "other", "main"]);
            desk.write(".ralph/queue.jsonc", other);
            desk.commit_all("theirs");
            desk.git(&["switch", "-q", "ours"]);
            assert_eq!(merge(&desk), Some(0), "{what}");
            assert_eq!(desk.read(".ralph/queue.jsonc"), retitled(&theirs), "{what} {is_turned}");
        }
    }
}

/// Git makes one base of several by lines, with conflict markers of its own.
#[test]
fn branches_that_were_merged_both_ways_are_resolved_by_task_without_a_driver() {
    let desk = Desk::bare();
    desk.ralph(&["init"]).success();
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    desk.begin_theirs();
    desk.ralph(&["task", "edit", "title", "uno", "RQ-0001"]).success();
    desk.commit_all("theirs");
    desk.git(&["tag", "theirs"]);
    desk.git(&["switch", "-q", "main"]);
    desk.ralph(&["task", "edit", "title", "eins", "RQ-0001"]).success();
    desk.commit_all("ours");
    desk.git(&["tag", "ours"]);
    for (branch, tag) in [("main", "theirs"), ("other", "ours")] {
        desk.git(&["switch", "-q", branch]);
        desk.sh(&format!("git merge -q --no-edit {tag}")).exited(1);
        desk.ralph(&["queue", "resolve", "--take", "ours"]).success();
        desk.commit_all("merge");
    }
    desk.ralph(&["task", "batch", "delete", "RQ-0001"]).success();
    desk.ralph(&["task", "edit", "priority", "high", "RQ-0002"]).success();
    desk.add("theirs", &[]);
    desk.begin_ours();
    desk.ralph(&["task", "edit", "description", "more", "RQ-0001"]).success();
    desk.ralph(&["task", "edit", "priority", "low", "RQ-0002"]).success();
    desk.add("ours", &[]);
    desk.ralph(&["task", "split", "RQ-0003"]).success();
    desk.commit_all("ours");
    desk.sh("git merge -q --no-edit other").exited(1);
    let ran = desk.ralph(&["queue", "resolve"]);
    let told = &ran.exited(1).stderr;
    assert!(told.contains("RQ-0002: priority") && told.contains("RQ-0001: removed"), "{ran}");
    let list = desk.json(&["queue", "list"]);
    let titles = list["items"].as_array().expect("a list").iter().map(|item| item["title"].clone());
    let titles: std::collections::BTreeSet<_> = titles.map(|it| it.to_string()).collect();
    let wanted = ["eins", "two", "three (1/2)", "three (2/2)", "theirs", "ours"];
    assert_eq!(titles, wanted.map(|it| format!("\"{it}\"")).into());
}

/// A branch that sorted the queue, and one that changed a task: git merges some of that by itself.
fn sorted_and_changed() -> Desk {
    let desk = Desk::bare();
    desk.ralph(&["init"]).success();
    for title in ["one", "two", "three"] {
        desk.add(title, &[]);
    }
    desk.begin_theirs();
    desk.ralph(&["task", "edit", "priority", "high", "RQ-0002"]).success();
    desk.ralph(&["queue", "sort"]).success();
    desk.begin_ours();
    desk.ralph(&["task", "edit", "estimated_minutes", "98", "RQ-0002"]).success();
    desk.commit_all("ours");
    desk.sh("git merge -q --no-edit other").exited(1);
    desk
}

#[test]
fn markers_that_were_committed_are_resolved_by_the_merge_that_left_them() {
    let desk = sorted_and_changed();
    if !desk.sh("git merge-file -h 2>&1").stdout.contains("object-id") {
        return;
    }
    desk.commit_all("markers by mistake");
    desk.write("other.txt", "a later commit");
    desk.commit_all("later");
    let ran = desk.ralph(&["queue", "resolve"]);
    assert!(!ran.success().stderr.contains("warning"), "{ran}");
    let task = desk.json(&["task", "show", "RQ-0002"])["task"].clone();
    assert_eq!((&task["priority"], &task["estimated_minutes"]), (&json!("high"), &json!(98)));
}

#[test]
fn what_a_resolve_may_lose_is_told() {
    for (is_committed, doubt) in [(false, "edited_since"), (true, "between_markers")] {
        let desk = sorted_and_changed();
        if is_committed {
            desk.commit_all("markers by mistake");
        }
        let marked = desk.read(".ralph/queue.jsonc").replace("\"three\"", "\"by hand\"");
        desk.write(".ralph/queue.jsonc", &marked);
        if !is_committed && !desk.sh("git merge-file -h 2>&1").stdout.contains("object-id") {
            continue;
        }
        let foreseen = desk.json(&["queue", "resolve", "--dry-run"]);
        assert_eq!(foreseen["files"][0]["doubt"], doubt, "{foreseen}");
        let ran = desk.ralph(&["queue", "resolve"]);
        assert!(ran.stderr.contains("warning: .ralph/queue.jsonc: "), "{ran}");
        assert_eq!(desk.read(".ralph/cache/queue.marked"), marked);
        // Git put the task into both sides where the other moved it to.
        let task = desk.json(&["task", "show", "RQ-0002"])["task"].clone();
        assert_eq!(task["estimated_minutes"], 98, "{task}");
    }
}
