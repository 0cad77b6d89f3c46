//! `ralph queue ready|claim|release`: several at one queue.

use std::time::Duration;

use ralph_state::file::{FileLock, Holder, sidecar_lock_path};
use ralph_testkit::wait_until;
use serde_json::{Value, json};

use crate::{Desk, RALPH, parse};

fn desk() -> Desk {
    let desk = Desk::new();
    desk.add("one", &["--scope", "src/a"]);
    desk.add("two", &["--scope", "src/a/b.rs"]);
    desk.add("three", &["--scope", "docs"]);
    desk
}

/// Takes a task and returns its id and its token.
#[track_caller]
fn claim(desk: &Desk, args: &[&str]) -> (String, String) {
    let claimed = desk.json(&[&["queue", "claim"], args].concat());
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&claimed["task"]["id"]), text(&claimed["claim"]["token"]))
}

#[test]
fn of_many_at_once_exactly_one_gets_a_task() {
    let desk = Desk::new();
    desk.add("the only one", &[]);
    let ran = desk.sh("for n in 1 2 3 4 5 6 7 8; do
            { \"$RALPH\" queue claim --id RQ-0001 --owner $n; echo code $?; } &
        done; wait");
    let count = |wanted: &str| ran.stdout.lines().filter(|line| *line == wanted).count();
    assert_eq!((count("code 0"), count("code 4")), (1, 7), "{ran}");
    assert_eq!(ran.stdout.matches("RQ-0001\t").count(), 1, "{ran}");
}

#[test]
fn many_that_want_any_task_get_one_each() {
    let desk = desk();
    let line = "for n in 1 2 3 4 5 6 7 8; do \"$RALPH\" queue claim --next --owner $n & done; wait";
    let ran = desk.sh(line);
    let mut ids: Vec<&str> = ran.success().stdout.lines().map(|line| &line[..7]).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["RQ-0001", "RQ-0002", "RQ-0003"], "{ran}");
}

#[test]
fn a_claim_holds_in_every_work_tree() {
    let desk = desk();
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "queue"]);
    desk.git(&["worktree", "add", "-q", "../other"]);
    let other = desk.dir.parent().expect("a sandbox").join("other");
    let there = |args: &[&str]| {
        let other = other.to_str().expect("text");
        desk.ralph(&[args, &["--json", "-C", other]].concat())
    };
    let (id, token) = claim(&desk, &[]);
    let claimed = parse(&there(&["queue", "claim"]).success().stdout);
    assert_eq!((id.as_str(), &claimed["task"]["id"]), ("RQ-0001", &json!("RQ-0002")));
    there(&["task", "start", "RQ-0001"]).exited(4);
    // Finished here, it is not begun again there, where the file still says `todo`.
    desk.ralph(&["task", "done", "RQ-0001", "--claim", &token]).success();
    let third = parse(&there(&["queue", "claim"]).success().stdout);
    assert_eq!(third["task"]["id"], "RQ-0003");
    assert_eq!(parse(&there(&["queue", "claim"]).success().stdout)["found"], false);
}

#[test]
fn a_claimed_task_changes_under_its_token_alone() {
    let desk = desk();
    let (id, token) = claim(&desk, &["--id", "RQ-0002", "--owner", "me"]);
    assert_eq!(desk.json(&["task", "show", &id])["task"]["status"], "doing");
    let error = desk.error(&["task", "done", &id], 4);
    assert_eq!((&error["code"], &error["retryable"]), (&json!("busy"), &json!(true)));
    assert_eq!(error["next"], "ralph queue ready");
    let refused = desk.error(&["queue", "claim", "--id", &id], 4);
    assert_eq!(refused["next"], "ralph queue claim --next");
    for owner in ["", " ", "a\nb"] {
        desk.error(&["queue", "claim", "--owner", owner], 2);
    }
    assert!(error["message"].as_str().expect("text").contains("claimed by `me`"), "{error}");
    let unknown = desk.error(&["task", "done", &id, "--claim", "1-00000000"], 2);
    assert_eq!(
        (&unknown["code"], &unknown["message"], &unknown["next"]),
        (
            &json!("not_found"),
            &json!("no claim `1-00000000` is known"),
            &json!("ralph queue ready")
        )
    );
    // Other tasks are free to change, but who shows a token means its task.
    for (args, status) in [(&["task", "done"][..], 3), (&["task", "edit", "scope", "src"], 0)] {
        let ran = desk.ralph(&[args, &["RQ-0001", "--claim", &token]].concat());
        assert!(ran.exited(status).stderr.contains("`RQ-0002`") == (status == 3), "{ran}");
    }
    desk.ralph(&["task", "status", "draft", "RQ-0001"]).success();
    desk.ralph_with("RALPH_CLAIM", &token, &["task", "done", &id]).success();
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
}

#[test]
fn word_can_be_left_with_a_task_that_somebody_else_has() {
    let desk = desk();
    let claimed = desk.json(&["queue", "claim", "--id", "RQ-0002", "--owner", "me"]);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let (id, token) = (text(&claimed["task"]["id"]), text(&claimed["claim"]["token"]));
    // As it is after the edit that began the task.
    let ready = desk.json(&["queue", "ready"]);
    let reason = &ready["others"][0]["reasons"][0];
    assert_eq!(reason["expires_at"], claimed["claim"]["expires_at"]);
    let (_, other) = claim(&desk, &["--id", "RQ-0001", "--owner", "you"]);
    desk.ralph(&["task", "note", &id, "dry", "--dry-run"]).success();
    desk.ralph(&["task", "note", &id, "look at x"]).success();
    desk.ralph(&["task", "note", &id, "and at y", "--claim", &other]).success();
    assert_eq!(
        desk.json(&["task", "show", &id])["task"]["notes"],
        json!(["look at x", "and at y"])
    );
    // It is theirs as before, and so is everything else in it.
    desk.error(&["task", "edit", "notes", "", &id], 4);
    desk.error(&["task", "done", &id, "--note", "z"], 4);
    desk.error(&["task", "note", &id, "z", "--claim", "1-00000000"], 2);
    // Who shows the token of another task is told of that.
    let error = desk.error(&["task", "done", &id, "--claim", &other], 3);
    assert_eq!(error["next"], "ralph task show RQ-0001", "{error}");
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
}

#[test]
fn the_same_token_renews_and_the_same_name_does_not() {
    let desk = desk();
    let first = desk.json(&["queue", "claim", "--owner", "me"]);
    let token = first["claim"]["token"].as_str().expect("text");
    let again = desk.json(&["queue", "claim", "--claim", token]);
    assert_eq!(again["claim"]["token"], first["claim"]["token"]);
    let end = |claim: &Value| claim["claim"]["expires_at"].as_str().expect("text").to_owned();
    assert!(end(&again) > end(&first));
    let ready = desk.json(&["queue", "ready"]);
    assert_eq!(ready["others"][0]["reasons"][0]["expires_at"], end(&again));
    assert_eq!(claim(&desk, &["--owner", "me"]).0, "RQ-0002");
}

#[test]
fn a_lapsed_claim_is_taken_over_and_the_old_token_is_lost() {
    let desk = desk();
    let (id, old) = claim(&desk, &["--ttl", "1s"]);
    let mut new = (String::new(), String::new());
    ralph_testkit::wait_until(std::time::Duration::from_secs(30), "the claim to lapse", || {
        let ran = desk.ralph(&["queue", "claim", "--id", &id, "--json"]);
        if ran.code == Some(0) {
            new = (id.clone(), parse(&ran.stdout)["claim"]["token"].to_string());
        }
        ran.code == Some(0)
    });
    assert_ne!(new.1, old);
    for args in [&["task", "done", &id][..], &["queue", "release"]] {
        let error = desk.error(&[args, &["--claim", &old]].concat(), 3);
        let message = error["message"].as_str().expect("text");
        assert_eq!(error["code"], "claim_lost");
        assert!(message.ends_with("has taken the task over"), "{error}");
    }
}

#[test]
fn a_released_task_is_there_for_others() {
    let desk = desk();
    let (id, token) = claim(&desk, &[]);
    desk.ralph(&["queue", "release", &id]).exited(4);
    desk.ralph(&["queue", "release"]).exited(2);
    desk.ralph(&["queue", "release", "--claim", &token, "--note", "not now"]).success();
    let shown = desk.json(&["task", "show", &id]);
    assert_eq!((&shown["task"]["status"], &shown["ready"]), (&json!("todo"), &json!(true)));
    assert_eq!(shown["task"]["notes"], json!(["not now"]));
    let (id, _) = claim(&desk, &[]);
    desk.ralph(&["queue", "release", &id, "--force"]).success();
    assert_eq!(claim(&desk, &[]).0, id);
}

#[test]
fn ready_names_what_can_start_and_why_not_the_rest() {
    let desk = desk();
    desk.add("four", &["--depends-on", "RQ-0001"]);
    let file = ".ralph/queue.jsonc";
    desk.write(file, desk.read(file).replace("\"four\"", "\"\\u001b[2Jfour\""));
    let ready = desk.json(&["queue", "ready", "--parallel", "2"]);
    assert_eq!((&ready["total"], &ready["truncated"]), (&json!(2), &json!(false)));
    let ids = |list: &Value| -> Vec<String> {
        let items = list.as_array().expect("a list");
        items.iter().map(|item| item["id"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(ids(&ready["items"]), ["RQ-0001", "RQ-0003"]);
    assert_eq!(ids(&ready["others"]), ["RQ-0002", "RQ-0004"]);
    let reason = &ready["others"][0]["reasons"][0];
    assert_eq!(
        *reason,
        json!({ "kind": "scope_overlaps", "with": "RQ-0001", "scope": "src/a/b.rs" })
    );
    claim(&desk, &["--owner", "me"]);
    let ran = desk.ralph(&["queue", "ready"]);
    assert_eq!(ran.success().stdout, "RQ-0002  two\nRQ-0003  three\n");
    assert!(ran.stderr.starts_with("RQ-0001  is claimed by me until "), "{ran}");
    assert!(ran.stderr.contains("RQ-0004  waits for RQ-0001 (doing)  \\u{1b}[2Jfour\n"), "{ran}");
}

#[test]
fn an_answer_keeps_to_its_tokens_and_says_so() {
    let desk = desk();
    let ran = desk.ralph(&["queue", "ready", "--json", "--max-tokens", "180"]);
    let ready = parse(&ran.success().stdout);
    assert!(ran.stdout.len() <= 3 * 180, "{ran}");
    assert_eq!((&ready["total"], &ready["returned"]), (&json!(3), &json!(1)));
    assert_eq!((&ready["truncated"], &ready["others_total"]), (&json!(true), &json!(0)));
}

/// Another work tree of the repository, with the queue as it is now.
fn linked(desk: &Desk) -> impl Fn(&[&str]) -> ralph_testkit::Ran {
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "queue"]);
    desk.git(&["worktree", "add", "-q", "../other"]);
    let other = desk.dir.parent().expect("a sandbox").join("other");
    move |args| {
        let other = other.to_str().expect("text");
        desk.ralph(&[args, &["-C", other]].concat())
    }
}

#[test]
fn a_write_in_another_work_tree_ends_no_claim() {
    let desk = desk();
    let there = linked(&desk);
    let (id, token) = claim(&desk, &[]);
    // There, the file still says `todo`.
    there(&["task", "add", "x", "--claim", &token]).success();
    there(&["task", "edit", "title", "uno", &id, "--claim", &token]).success();
    let ran = there(&["queue", "release", "--claim", &token]);
    assert!(ran.exited(3).stderr.contains("`RQ-0001` is todo here"), "{ran}");
    there(&["queue", "claim", "--id", &id]).exited(4);
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
    let ran = desk.ralph(&["queue", "release", &id]);
    assert!(ran.exited(3).stderr.contains("is done here, there is nothing to take again"), "{ran}");
}

#[test]
fn an_end_that_is_undone_is_no_end_for_what_waits() {
    let desk = desk();
    desk.add("four", &["--depends-on", "RQ-0001"]);
    let (id, token) = claim(&desk, &["--id", "RQ-0001", "--owner", "me"]);
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
    let waits = || !desk.ralph(&["queue", "ready"]).success().stdout.contains("RQ-0004");
    assert!(!waits());
    desk.ralph(&["undo"]).success();
    assert!(waits());
    // The claim is as it was.
    assert_eq!(desk.error(&["task", "done", &id], 4)["code"], "busy");
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
}

#[test]
fn a_dry_run_is_refused_as_the_change_would_be() {
    let desk = desk();
    let (id, token) = claim(&desk, &["--id", "RQ-0001"]);
    desk.write("new.csv", "title\nnew\n");
    let before = desk.read(".ralph/queue.jsonc");
    for args in
        [&["task", "edit", "title", "x", &id][..], &["task", "batch", "delete", &id], &["undo"]]
    {
        for tail in [&[][..], &["--dry-run"]] {
            assert_eq!(desk.error(&[args, tail].concat(), 4)["code"], "busy", "{args:?}");
        }
        desk.ralph(&[args, &["--dry-run", "--claim", &token]].concat()).success();
    }
    for args in [
        &["task", "edit", "title", "x", "RQ-0002"][..],
        &["undo", "--claim", &token],
        &["queue", "archive"],
        &["queue", "import", "--format", "csv", "--input", "new.csv"],
    ] {
        for tail in [&["--if-rev", "0"][..], &["--if-rev", "0", "--dry-run"]] {
            let error = desk.error(&[args, tail].concat(), 4);
            assert!(error["message"].as_str().expect("text").contains("not `0`"), "{error}");
        }
    }
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);
}

#[test]
fn a_deletion_that_is_undone_leaves_the_task_claimed() {
    let desk = desk();
    let (id, token) = claim(&desk, &[]);
    desk.ralph(&["task", "batch", "delete", &id, "--claim", &token]).success();
    desk.ralph(&["undo"]).success();
    assert_eq!(desk.error(&["task", "done", &id], 4)["code"], "busy");
    assert_eq!(desk.json(&["queue", "claim", "--claim", &token])["task"]["id"], id.as_str());
}

#[test]
fn an_end_that_is_undone_leaves_what_was_claimed_elsewhere_claimed() {
    for end in [&["task", "done"][..], &["task", "batch", "delete"]] {
        let desk = desk();
        let there = linked(&desk);
        let id = "RQ-0001";
        let claimed = parse(&there(&["queue", "claim", "--id", id, "--json"]).success().stdout);
        let token = claimed["claim"]["token"].as_str().expect("text");
        // Here, the file still says `todo`.
        desk.ralph(&[end, &[id, "--claim", token]].concat()).success();
        desk.ralph(&["undo"]).success();
        assert_eq!(desk.error(&["queue", "claim", "--id", id], 4)["code"], "busy");
        there(&["task", "done", id, "--claim", token]).success();
    }
}

#[test]
fn an_end_that_git_takes_back_is_no_end_any_more() {
    for end in [&["task", "done"][..], &["task", "batch", "delete"]] {
        let desk = desk();
        let there = linked(&desk);
        let (id, token) = claim(&desk, &["--id", "RQ-0001", "--owner", "me"]);
        desk.ralph(&[end, &[&id, "--claim", &token]].concat()).success();
        let lost = desk.error(&["queue", "claim", "--claim", &token], 3);
        assert_eq!(lost["code"], "claim_lost");
        desk.git(&["checkout", "-q", ".ralph/queue.jsonc"]);
        if end.len() == 2 {
            desk.sh("rm .ralph/done.jsonc").success();
        }
        assert_eq!(desk.json(&["queue", "next"])["task"]["id"], id.as_str());
        // Elsewhere the file may be behind, and says who ended it, and what to do.
        let ran = there(&["queue", "claim", "--id", &id]);
        assert!(ran.exited(3).stderr.contains("under the claim of me"), "{ran}");
        assert!(ran.stderr.contains(&format!("`ralph task status todo {id}`")), "{ran}");
        let ended = parse(&there(&["queue", "ready", "--json"]).success().stdout);
        let reason = &ended["others"][0]["reasons"][0];
        assert_eq!(
            (&reason["kind"], &reason["deleted"]),
            (&json!("ended"), &json!(end.len() == 3))
        );
        assert_eq!(claim(&desk, &["--id", &id]).0, id);
    }
}

#[test]
fn an_end_that_another_work_tree_has_stands() {
    let desk = desk();
    let (id, token) = claim(&desk, &[]);
    let todo = desk.read(".ralph/queue.jsonc");
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
    let _there = linked(&desk);
    desk.write(".ralph/queue.jsonc", todo);
    desk.sh("rm -f .ralph/done.jsonc").success();
    assert_eq!(desk.json(&["queue", "next"])["task"]["id"], "RQ-0002");
}

#[test]
fn an_end_that_a_branch_has_stands_where_another_is_checked_out() {
    let desk = desk();
    let commit = || {
        desk.git(&["add", "-A"]);
        desk.git(&["commit", "-qm", "queue"]);
    };
    commit();
    desk.git(&["branch", "feature"]);
    let (id, token) = claim(&desk, &[]);
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
    commit();
    desk.git(&["checkout", "-q", "feature"]);
    let ran = desk.ralph(&["queue", "claim", "--id", &id]);
    assert!(ran.exited(3).stderr.contains("was finished in"), "{ran}");
    assert_eq!(claim(&desk, &[]).0, "RQ-0002");
    desk.git(&["checkout", "-qf", "-"]);
    desk.git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(claim(&desk, &["--id", &id]).0, id);
}

#[test]
fn an_end_that_is_stashed_stands() {
    let desk = desk();
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "queue"]);
    let (id, token) = claim(&desk, &[]);
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
    desk.git(&["stash", "-q"]);
    let ran = desk.ralph(&["queue", "claim", "--id", &id]);
    assert!(ran.exited(3).stderr.contains("was finished in"), "{ran}");
    desk.git(&["stash", "drop", "-q"]);
    assert_eq!(claim(&desk, &["--id", &id]).0, id);
}

#[test]
fn a_task_that_ended_in_another_work_tree_cannot_be_started() {
    let desk = desk();
    let there = linked(&desk);
    let (id, token) = claim(&desk, &["--owner", "me"]);
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
    let ran = there(&["task", "start", &id]);
    assert!(ran.exited(3).stderr.contains("under the claim of me"), "{ran}");
    assert!(ran.stderr.contains(&format!("`ralph task status todo {id}`")), "{ran}");
    assert_eq!(desk.error(&["queue", "claim", "--claim", &token], 3)["code"], "claim_lost");
    there(&["task", "status", "todo", &id]).success();
    there(&["task", "start", &id]).success();
}

#[test]
fn no_change_of_an_open_copy_in_another_work_tree_gives_a_finished_task_out_again() {
    let desk = desk();
    let there = linked(&desk);
    let (id, token) = claim(&desk, &["--id", "RQ-0001"]);
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
    let next =
        || parse(&there(&["queue", "next", "--json"]).success().stdout)["task"]["id"].clone();
    for tail in [&[][..], &["--claim", &token]] {
        there(&[&["task", "done", &id], tail].concat()).success();
        there(&[&["undo"], tail].concat()).success();
        assert_eq!(next(), "RQ-0002");
    }
    there(&["task", "note", &id, "look at x"]).success();
    assert_eq!(next(), "RQ-0002");
    // The end comes by git; who opens the task after that means it.
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "done"]);
    desk.sh("cd ../other && git reset -q --hard \"$(git -C \"$OLDPWD\" rev-parse HEAD)\"")
        .success();
    assert_eq!(next(), "RQ-0002");
    there(&["task", "status", "todo", &id]).success();
    assert_eq!(next(), id.as_str());
}

#[test]
fn who_opens_a_task_again_is_heeded_where_another_work_tree_ended_it() {
    for open in [&["task", "status", "todo"][..], &["queue", "release", "--force"]] {
        let desk = desk();
        let there = linked(&desk);
        let (id, token) = claim(&desk, &[]);
        desk.ralph(&["task", "done", &id, "--claim", &token]).success();
        let next = || parse(&there(&["queue", "next", "--json"]).success().stdout);
        assert_eq!(next()["task"]["id"], "RQ-0002");
        there(&[open, &[&id]].concat()).success();
        assert_eq!(next()["task"]["id"], id.as_str());
    }
}

#[test]
fn work_trees_share_ids_and_claims_of_a_queue_below_the_top() {
    let desk = Desk::new();
    let top = desk.dir.join("below");
    fs_err::create_dir_all(top.join(".ralph")).expect("made");
    let ran = |args: &[&str], at: &std::path::Path| {
        desk.ralph(&[args, &["--json", "-C", at.to_str().expect("text")]].concat())
    };
    ran(&["init"], &top).success();
    ran(&["task", "add", "one"], &top).success();
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "queue"]);
    desk.git(&["worktree", "add", "-q", "../other"]);
    let other = desk.dir.parent().expect("a sandbox").join("other/below");
    let id = |at| parse(&ran(&["task", "add", "x"], at).success().stdout)["task"]["id"].clone();
    assert_eq!([id(&top), id(&other)], ["RQ-0002", "RQ-0003"]);
    let claimed = parse(&ran(&["queue", "claim", "--id", "RQ-0001"], &top).success().stdout);
    let token = claimed["claim"]["token"].as_str().expect("text");
    ran(&["queue", "claim", "--id", "RQ-0001"], &other).exited(4);
    ran(&["task", "done", "RQ-0001", "--claim", token], &top).success();
    // Git takes the end back, but not where the other work tree has it.
    let copy = fs_err::read(top.join(".ralph/queue.jsonc")).expect("readable");
    fs_err::write(other.join(".ralph/queue.jsonc"), copy).expect("writable");
    desk.git(&["checkout", "-q", "--", "."]);
    ran(&["queue", "claim", "--id", "RQ-0001"], &top).exited(3);
    desk.git(&["-C", "../other", "checkout", "-q", "--", "."]);
    ran(&["queue", "claim", "--id", "RQ-0001"], &top).success();
}

#[test]
fn an_end_whose_claim_could_not_be_ended_is_told_and_ends_it_when_asked_again() {
    let desk = desk();
    let there = linked(&desk);
    let (id, token) = claim(&desk, &[]);
    let lock = desk.dir.join(".git/ralph/.leases.json.lock");
    // What a full disk, or a crash there, comes to.
    fs_err::remove_file(&lock).expect("removed");
    fs_err::create_dir(&lock).expect("made");
    let error = desk.error(&["task", "done", &id, "--claim", &token], 1);
    let message = error["message"].as_str().expect("text");
    assert!(message.starts_with("the queue is changed, but"), "{error}");
    let hint = error["hint"].as_str().expect("text");
    assert!(hint.contains("not to be repeated"), "{error}");
    fs_err::remove_dir(&lock).expect("removed");
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
    let ready = parse(&there(&["queue", "ready", "--json"]).success().stdout);
    assert_eq!(ready["others"][0]["reasons"][0]["kind"], "ended", "{ready}");
}

#[test]
fn a_claim_asked_for_again_is_the_same_one() {
    let desk = desk();
    let ask = |name: &str| desk.json(&["queue", "claim", "--next", "--request-id", name]);
    let (first, again, other) = (ask("q1"), ask("q1"), ask("q2"));
    assert_eq!(first["claim"]["token"], again["claim"]["token"]);
    assert_eq!(
        (&again["task"]["id"], &other["task"]["id"]),
        (&json!("RQ-0001"), &json!("RQ-0002"))
    );
    let token = first["claim"]["token"].as_str().expect("text");
    // Under the name of another request nothing is given, and nothing is lost.
    let else_asked = ["queue", "claim", "--next", "--owner", "me", "--request-id", "q1"];
    assert_eq!(desk.error(&else_asked, 3)["code"], "request_reused");
    assert_eq!(ask("q1")["claim"]["token"], token);
    let longer = desk.json(&["queue", "claim", "--claim", token, "--ttl", "3h"]);
    assert_eq!(longer["claim"]["ttl_seconds"], 10_800);
    desk.ralph(&["queue", "release", "--claim", token]).success();
    // The answer it got has ended; another would be one that nobody works under.
    assert_eq!(
        desk.error(&["queue", "claim", "--next", "--request-id", "q1"], 3)["code"],
        "refused"
    );
    assert_eq!(claim(&desk, &[]).0, "RQ-0001");
}

#[test]
fn a_claim_asked_for_again_is_told_as_it_was_and_lasts_no_longer() {
    let desk = desk();
    let ask = || desk.json(&["queue", "claim", "--request-id", "q"]);
    let first = ask();
    let told: Vec<&str> =
        first["claim"].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(told, ["expires_at", "owner", "taken_at", "task", "token", "ttl_seconds"]);
    let leases = desk.read(".git/ralph/leases.json");
    assert_eq!(ask(), first);
    assert_eq!(desk.read(".git/ralph/leases.json"), leases);
}

#[test]
fn a_release_asked_for_again_is_answered_as_it_was() {
    let desk = desk();
    let (id, token) = claim(&desk, &[]);
    let release = ["queue", "release", "--claim", &token, "--note", "no", "--request-id", "q"];
    let first = desk.json(&release);
    assert_eq!((&first["task"]["id"], &first["task"]["status"]), (&json!(id), &json!("todo")));
    assert_eq!(desk.json(&release), first);
    // Without the name it is another request, of one who has no claim.
    assert_eq!(desk.error(&release[..4], 3)["code"], "claim_lost");
    let from_stdin = |request: &str| {
        let (_, token) = claim(&desk, &["--request-id", request]);
        desk.sh(&format!(
            "for n in 1 2; do echo later | \"$RALPH\" queue release --claim {token} --note - \
             --request-id {request}-back || exit; done"
        ))
    };
    from_stdin("r").success();
}

#[test]
fn a_start_asked_for_again_leaves_what_was_finished_since() {
    let desk = desk();
    let (id, token) = claim(&desk, &[]);
    let start = ["task", "start", &id, "--claim", &token, "--request-id", "s"];
    desk.ralph(&start).success();
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
    let leases = desk.read(".git/ralph/leases.json");
    desk.ralph(&start).success();
    assert_eq!(desk.read(".git/ralph/leases.json"), leases);
}

#[test]
fn an_owner_without_a_name_is_found_by_number() {
    let desk = desk();
    let line = "env -u USER -u LOGNAME \"$RALPH\" queue claim --json; echo \"$(id -un)\"";
    let ran = desk.sh(line);
    let (claimed, user) = ran.success().stdout.trim_end().rsplit_once('\n').expect("two parts");
    let owner = parse(claimed)["claim"]["owner"].as_str().expect("text").to_owned();
    assert!(owner.starts_with(&format!("{user}@")) || owner.starts_with("uid "), "{ran}");
}

#[test]
fn a_task_that_another_works_on_cannot_be_started() {
    let desk = desk();
    let (id, token) = claim(&desk, &["--owner", "me"]);
    let error = desk.error(&["task", "start", &id], 4);
    assert!(error["message"].as_str().expect("text").contains("claimed by `me`"), "{error}");
    desk.ralph(&["task", "start", &id, "--claim", &token]).success();
    // Nor does a run take it.
    let agent = desk.sandbox.script("bin/agent", "true");
    let config = json!({ "agent": { "command": { "argv": [agent] } } });
    desk.write(".ralph/config.jsonc", config.to_string());
    desk.ralph(&["config", "trust", "init"]).success();
    let ran = desk.ralph(&["run", "one", "--dry-run"]);
    assert_eq!(ran.success().stdout, "Would work on RQ-0002: two\n");
    for args in [&["run", "one", "--id", &id][..], &["run", "one", "--dry-run", "--id", &id]] {
        assert_eq!(desk.error(args, 4)["next"], "ralph queue ready");
    }
    // An id of before is for a look alone.
    desk.ralph(&["task", "field", "former_ids", "RQ-0077", "RQ-0002"]).success();
    for args in [&["run", "one", "--id"][..], &["run", "one", "--dry-run", "--id"]] {
        let error = desk.error(&[args, &["RQ-0077"]].concat(), 2);
        assert_eq!(error["next"], "ralph task show RQ-0002", "{error}");
    }
}

#[test]
fn no_undo_leaves_a_task_begun_that_nobody_has() {
    let desk = desk();
    let (id, token) = claim(&desk, &[]);
    let status = || desk.json(&["task", "show", &id])["task"]["status"].clone();

    // Without the token it is somebody else's.
    let error = desk.error(&["undo"], 4);
    let hint = error["hint"].as_str().expect("text");
    assert!(hint.contains(&format!("`ralph queue release {id} --claim TOKEN`")), "{hint}");
    desk.ralph(&["undo", "--claim", &token]).success();
    assert_eq!(status(), "todo");
    let error = desk.error(&["redo"], 3);
    assert_eq!(error["next"], format!("ralph queue claim --id {id}"));
    assert_eq!(status(), "todo");

    let (id, token) = claim(&desk, &["--id", &id]);
    desk.ralph(&["queue", "release", &id, "--claim", &token]).success();
    let error = desk.error(&["undo"], 3);
    assert_eq!(
        (&error["next"], status()),
        (&json!(format!("ralph queue claim --id {id}")), json!("todo"))
    );
}

#[test]
fn a_task_begun_by_hand_is_the_same_to_all_who_look() {
    let desk = Desk::new();
    desk.git(&["commit", "--quiet", "--allow-empty", "--message", "start"]);
    let (one, two) = (desk.add("one", &[]), desk.add("two", &[]));
    desk.ralph(&["task", "start", &two]).success();

    let ready = desk.json(&["queue", "ready"]);
    assert_eq!(ready["items"][0]["id"], json!(one));
    assert_eq!(ready["others"][0]["reasons"][0]["kind"], "unheld");
    let ran = desk.ralph(&["queue", "ready"]);
    assert!(ran.success().stderr.contains("nobody has it: a run goes on with it"), "{ran}");
    let explained = desk.json(&["queue", "explain"]);
    assert_eq!(explained["selection"]["selected_task_id"], json!(two));
    let ran = desk.ralph(&["queue", "explain"]);
    assert!(ran.success().stdout.contains("RQ-0002  is begun: a run goes on with it"), "{ran}");
    assert_eq!(desk.json(&["queue", "next"])["doing"], json!([two]));
    let ran = desk.ralph(&["queue", "next"]);
    assert!(ran.success().stderr.contains("a run goes on with first: RQ-0002"), "{ran}");

    // Only who asks for it gets it, and then it is theirs, to a run as well.
    assert_eq!(claim(&desk, &[]).0, one);
    assert_eq!(claim(&desk, &["--id", &two]).0, two);
    assert_eq!(desk.json(&["queue", "next"])["doing"], json!([]));
    let explained = desk.json(&["queue", "explain"]);
    assert_eq!(explained["selection"]["selected_task_id"], json!(null));
    assert_eq!(explained["items"][1]["reasons"][0]["kind"], "claimed");
}

#[test]
fn a_batch_that_goes_on_passes_over_what_others_have() {
    let desk = desk();
    let (id, token) = claim(&desk, &["--owner", "me"]);
    let batch = ["task", "batch", "edit", "priority", "low", "RQ-0001", "RQ-0002"];
    desk.error(&batch, 4);
    let on = [&batch[..], &["--continue-on-error"]].concat();
    let ran = desk.ralph(&[&on[..], &["--json"]].concat());
    let report = parse(&ran.exited(1).stdout);
    assert_eq!((&report["changed"], &report["failed"][0]["id"]), (&json!(["RQ-0002"]), &json!(id)));
    let message = report["failed"][0]["message"].as_str().expect("text");
    assert!(message.contains("claimed by `me`"), "{message}");
    desk.ralph(&[&on[..], &["--claim", &token]].concat()).success();
    assert_eq!(desk.error(&[&on[..], &["--claim", "9-0"]].concat(), 2)["code"], "not_found");
}

#[test]
fn no_command_chooses_between_two_tasks_with_one_id() {
    let task = |id: &str, status: &str, title: &str, more: &str| {
        let time = "2026-01-01T00:00:00Z";
        format!(
            r#"{{"id":"{id}","status":"{status}","title":"{title}","created_at":"{time}","updated_at":"{time}"{more}}}"#
        )
    };
    let file =
        |tasks: &[String]| format!("{{\"version\":1,\"tasks\":[\n{}]}}\n", tasks.join(",\n"));
    let waiting = task("RQ-0003", "todo", "waiting", r#","depends_on":["RQ-0001"]"#);
    let open =
        [task("RQ-0001", "todo", "open", ""), task("RQ-0002", "todo", "free", ""), waiting.clone()];
    let ended = [task("RQ-0001", "done", "ended", r#","completed_at":"2026-01-01T00:00:00Z""#)];
    let twins = [
        task("RQ-0001", "todo", "one", ""),
        task("RQ-0001", "doing", "two", ""),
        task("RQ-0002", "todo", "free", ""),
        waiting,
    ];
    for (queue, done, places) in [
        (&open[..], &ended[..], ".ralph/queue.jsonc:2, .ralph/done.jsonc:2"),
        (&twins[..], &[], ".ralph/queue.jsonc:2, .ralph/queue.jsonc:3"),
    ] {
        let desk = Desk::with_queue(file(queue));
        desk.write(".ralph/done.jsonc", file(done));
        let both = || [".ralph/queue.jsonc", ".ralph/done.jsonc"].map(|name| desk.read(name));
        let before = both();
        for args in [
            &["task", "done", "RQ-0001"][..],
            &["task", "reject", "RQ-0001"],
            &["task", "start", "RQ-0001"],
            &["task", "edit", "title", "x", "RQ-0001"],
            &["task", "batch", "delete", "RQ-0002", "RQ-0001"],
            &["task", "relate", "RQ-0002", "depends_on", "RQ-0001"],
            &["queue", "release", "RQ-0001"],
        ] {
            let error = desk.error(args, 3);
            let told = error["causes"].to_string() + &error["message"].to_string();
            assert!(told.contains("RQ-0001") && told.contains(places), "{args:?}: {error}");
            assert_eq!(error["next"], "ralph queue repair --dry-run", "{args:?}");
        }
        let error = desk.error(&["queue", "claim", "--id", "RQ-0001"], 3);
        assert_eq!(error["next"], "ralph queue repair --dry-run", "{error}");
        assert_eq!(both(), before);
        assert_eq!(desk.ralph(&["queue", "next"]).success().stdout, "RQ-0002\n");
        let ready = desk.json(&["queue", "ready"]);
        let kinds = |id: &str| {
            let rows = ready["others"].as_array().expect("a list").iter();
            rows.filter(|row| row["id"] == id).map(|row| row["reasons"][0].clone()).collect()
        };
        let held: Vec<Value> = kinds("RQ-0001");
        assert!(held.iter().all(|reason| *reason == json!({ "kind": "ambiguous_id" })), "{ready}");
        let unmet = json!([{ "kind": "ambiguous_id", "id": "RQ-0001" }]);
        assert_eq!(kinds("RQ-0003")[0]["dependencies"], unmet, "{ready}");
        let claimed = desk.ralph(&["queue", "claim", "--next"]);
        assert!(claimed.success().stdout.starts_with("RQ-0002\t"), "{claimed}");
        desk.ralph(&["queue", "repair"]).success();
        assert!(desk.ralph(&["queue", "validate"]).success().stderr.contains("valid"));
    }
}

#[test]
fn a_task_that_is_claimed_can_still_start() {
    let desk = Desk::new();
    for title in ["one", "two"] {
        desk.add(title, &[]);
    }
    let holder = Holder {
        pid: std::process::id(),
        host: "here".to_owned(),
        command: "a test".to_owned(),
        since: "2026-01-01T00:00:00Z".parse().expect("a time"),
    };
    let queue = ".ralph/queue.jsonc";
    let lock = FileLock::acquire(&sidecar_lock_path(&desk.path(queue)), &holder, Duration::ZERO)
        .expect("nobody holds it");
    let claiming = desk.sandbox.start(RALPH, &desk.dir, ["queue", "claim", "--next", "--json"]);
    let leases = desk.path(".git/ralph/leases.json");
    wait_until(Duration::from_secs(30), "a lease", || {
        fs_err::read_to_string(&leases).is_ok_and(|leases| leases.contains("RQ-0001"))
    });
    // Somebody makes the first task wait for the other before it begins.
    let text = desk.read(queue);
    desk.write(queue, text.replacen("\"depends_on\": []", "\"depends_on\": [\"RQ-0002\"]", 1));
    drop(lock);
    let ran = claiming.wait(Duration::from_mins(1));
    let claimed = parse(&ran.success().stdout);
    assert_eq!(claimed["task"]["id"], "RQ-0002", "{ran}");
    let leases = fs_err::read_to_string(&leases).expect("a text");
    let leases = parse(&leases)["leases"].clone();
    assert_eq!(leases.as_array().map(Vec::len), Some(1), "{leases}");
    assert_eq!(desk.json(&["task", "show", "RQ-0001"])["task"]["status"], "todo");
}

#[test]
fn what_no_other_task_helps_is_told_at_once() {
    let desk = desk();
    let queue = desk.path(".ralph/queue.jsonc");
    let mut mode = fs_err::metadata(&queue).expect("a queue").permissions();
    mode.set_readonly(true);
    fs_err::set_permissions(&queue, mode).expect("ours");
    let error = desk.error(&["queue", "claim", "--next"], 3);
    let message = error["message"].as_str().expect("text");
    assert!(message.contains("is read-only"), "{error}");
    assert_eq!(desk.json(&["queue", "ready"])["total"], 3, "nothing stays claimed");
}

#[test]
fn a_dry_run_says_what_would_be_taken_or_given_back_and_takes_nothing() {
    let desk = desk();
    desk.add("four", &["--depends-on", "RQ-0001"]);
    let before = desk.read(".ralph/queue.jsonc");
    let shown = desk.json(&["queue", "claim", "--next", "--dry-run"]);
    assert_eq!((&shown["dry_run"], &shown["changed"]), (&json!(true), &json!(["RQ-0001"])));
    assert!(
        shown["diff"].as_str().expect("text").contains("+      \"status\": \"doing\""),
        "{shown}"
    );
    let ran = desk.ralph(&["queue", "claim", "--id", "RQ-0002", "--owner", "me", "--dry-run"]);
    assert!(ran.success().stderr.contains("RQ-0002 would be claimed by me.\n"), "{ran}");
    assert_eq!(
        desk.error(&["queue", "claim", "--id", "RQ-0004", "--dry-run"], 3)["code"],
        "refused"
    );
    desk.ralph(&["queue", "claim", "--id", "RQ-0099", "--dry-run"]).exited(2);
    assert_eq!(desk.read(".ralph/queue.jsonc"), before);

    // It is still there for who asks.
    let (id, token) = claim(&desk, &["--owner", "me"]);
    assert_eq!(id, "RQ-0001");
    let begun = desk.read(".ralph/queue.jsonc");
    let renewed = desk.ralph(&["queue", "claim", "--claim", &token, "--dry-run"]);
    assert!(renewed.success().stderr.contains("Nothing to change."), "{renewed}");
    for held in [&["queue", "claim", "--id", &id][..], &["queue", "release", &id]] {
        assert_eq!(desk.error(&[held, &["--dry-run"]].concat(), 4)["code"], "busy");
    }
    for own in [&["--claim", &token][..], &[&id, "--claim", &token], &[&id, "--force"]] {
        let shown = desk.json(&[&["queue", "release", "--dry-run", "--note", "why"], own].concat());
        assert_eq!(shown["changed"], json!(["RQ-0001"]), "{own:?}");
    }
    desk.ralph(&["queue", "release", "RQ-0002", "--dry-run"]).exited(3);
    assert_eq!(desk.read(".ralph/queue.jsonc"), begun);
    desk.ralph(&["task", "done", &id, "--claim", &token]).success();
}

/// A queue in which two clones gave one id to a task each, before they meet: here `mine`, claimed
/// as RQ-0002, with its token; there `other`, which was made first.
fn two_of_one_id() -> (Desk, String) {
    let desk = Desk::bare();
    desk.ralph(&["init", "--merge-driver"]).success();
    desk.add("one", &[]);
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "queue"]);
    desk.git(&["clone", "-q", ".", "../clone"]);
    let there = desk.dir.parent().expect("a sandbox").join("clone");
    let clone = there.to_str().expect("text");
    desk.ralph(&["task", "add", "other", "-C", clone]).success();
    desk.git(&["-C", clone, "commit", "-qam", "other"]);
    assert_eq!(desk.add("mine", &[]), "RQ-0002");
    let (_, token) = claim(&desk, &["--id", "RQ-0002", "--owner", "me"]);
    desk.git(&["commit", "-qam", "mine"]);
    desk.git(&["branch", "unmerged"]);
    (desk, token)
}

#[test]
fn a_claim_follows_its_task_where_a_merge_gives_that_another_id() {
    let (desk, token) = two_of_one_id();
    desk.git(&["pull", "-q", "--no-rebase", "--no-edit", "../clone", "main"]);
    let title = |id: &str| desk.json(&["task", "show", id])["task"]["title"].clone();
    assert_eq!((title("RQ-0002"), title("RQ-0003")), (json!("other"), json!("mine")));
    // Another work tree has not seen the merge.
    desk.git(&["worktree", "add", "-q", "../behind", "unmerged"]);
    let behind = desk.dir.parent().expect("a sandbox").join("behind");
    let behind = ["-C", behind.to_str().expect("text")];
    let there = |args: &[&str]| desk.ralph(&[args, &behind].concat());
    let with_token = |args: &[&'static str]| [args, &["--claim", token.as_str()]].concat();

    let ready = desk.json(&["queue", "ready"]);
    let of = |list: &str| {
        let items = ready[list].as_array().expect("a list").iter();
        items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("items"), of("others")),
        (vec!["RQ-0001".to_owned(), "RQ-0002".to_owned()], vec!["RQ-0003".to_owned()])
    );
    assert_eq!(ready["others"][0]["reasons"][0]["kind"], "claimed", "{ready}");
    let error = desk.error(&["queue", "claim", "--id", "RQ-0003", "--owner", "thief"], 4);
    assert_eq!(error["message"].as_str().map(|it| it.contains("by `me`")), Some(true), "{error}");
    there(&["queue", "claim", "--id", "RQ-0002"]).exited(4);
    desk.ralph(&["run", "one", "--id", "RQ-0003"]).exited(4);

    // Nobody writes to the other task under that token.
    for args in [
        &["task", "done", "RQ-0002"][..],
        &["task", "status", "todo", "RQ-0002"],
        &["task", "status", "todo", "RQ-0002", "--dry-run"],
        &["task", "edit", "title", "x", "RQ-0002"],
        &["task", "edit", "title", "other", "RQ-0002"],
        &["task", "relate", "RQ-0001", "depends_on", "RQ-0002"],
        &["task", "note", "RQ-0002", "x"],
        &["queue", "claim", "--id", "RQ-0002"],
        &["queue", "release", "RQ-0002"],
    ] {
        let error = desk.error(&with_token(args), 3);
        assert!(error["message"].as_str().is_some_and(|it| it.contains("`RQ-0003`")), "{error}");
    }
    // One that has ended is not said to be opened again by who has the claim of another.
    desk.ralph(&["task", "done", "RQ-0002"]).success();
    let error = desk.error(&with_token(&["task", "reject", "RQ-0002"]), 3);
    assert!(error["message"].as_str().is_some_and(|it| it.contains("`RQ-0003`")), "{error}");
    desk.ralph(&["undo"]).success();
    // Under each id, where that is the one it has.
    desk.ralph(&with_token(&["task", "note", "RQ-0003", "here"])).success();
    there(&with_token(&["task", "note", "RQ-0002", "there"])).success();
    let (id, same) = claim(&desk, &with_token(&[]));
    assert_eq!((id.as_str(), &same), ("RQ-0003", &token));
    desk.ralph(&with_token(&["queue", "release", "--dry-run"])).success();
    desk.ralph(&["queue", "claim", "--id", "RQ-0002", "--owner", "you"]).success();

    desk.ralph(&with_token(&["task", "done", "RQ-0003"])).success();
    assert_eq!(desk.json(&["task", "show", "RQ-0003"])["task"]["status"], "done");
    let ran = there(&["queue", "claim", "--id", "RQ-0002"]);
    assert!(ran.exited(3).stderr.contains("under the claim of me"), "{ran}");
    desk.ralph(&with_token(&["task", "done", "RQ-0002"])).exited(3);
}

#[test]
fn a_claim_follows_its_task_where_a_repair_gives_that_another_id() {
    let (desk, token) = two_of_one_id();
    let clone = desk.dir.parent().expect("a sandbox").join("clone");
    let task = fs_err::read_to_string(clone.join(".ralph/queue.jsonc")).expect("a text");
    let queue = parse(&task);
    let mut both = parse(&desk.read(".ralph/queue.jsonc"));
    both["tasks"].as_array_mut().expect("a list").insert(1, queue["tasks"][1].clone());
    desk.write(".ralph/queue.jsonc", both.to_string());
    desk.ralph(&["queue", "repair", "--claim", &token]).success();
    let mine = |id: &str| desk.json(&["task", "show", id])["task"]["title"] == "mine";
    let (id, other) = if mine("RQ-0003") { ("RQ-0003", "RQ-0002") } else { ("RQ-0002", "RQ-0003") };
    assert_eq!(id, "RQ-0003", "else this shows nothing");
    desk.error(&["queue", "claim", "--id", id, "--owner", "thief"], 4);
    // An undo of the repair, and a redo, take the claim along.
    for (direction, claimed) in [("undo", "RQ-0002"), ("redo", "RQ-0003")] {
        desk.ralph(&[direction, "--claim", &token]).success();
        let claim = desk.json(&["queue", "claim", "--claim", &token])["claim"].clone();
        assert_eq!((&claim["task"], &claim["finished_at"]), (&json!(claimed), &Value::Null));
        assert!(!desk.read(".git/ralph/leases.json").contains("finished_at"), "{direction}");
    }
    let ran = desk.ralph(&["queue", "release", other, "--claim", &token]);
    assert!(ran.exited(3).stderr.contains("`RQ-0003`"), "{ran}");
    let ran = desk.ralph(&["queue", "release", "--claim", &token]);
    assert!(ran.success().stdout.contains(id) || ran.stderr.contains(id), "{ran}");
    let error = desk.error(&["queue", "release", "--claim", &token], 3);
    assert!(error["message"].as_str().is_some_and(|it| it.contains(id)), "{error}");
    claim(&desk, &["--id", id, "--owner", "next"]);
}

#[test]
fn a_claim_whose_task_is_not_on_the_branch_writes_to_none() {
    let (desk, token) = two_of_one_id();
    desk.git(&["fetch", "-q", "../clone", "main"]);
    desk.git(&["switch", "-qc", "theirs", "FETCH_HEAD"]);
    let error = desk.error(&["task", "done", "RQ-0002", "--claim", &token], 3);
    assert_eq!(error["code"], "claim_lost", "{error}");
    assert!(error["message"].as_str().is_some_and(|it| it.contains("\"mine\"")), "{error}");
    let ran = desk.ralph(&["queue", "release", "--claim", &token]);
    assert!(ran.exited(3).stderr.contains("\"mine\""), "{ran}");
    let renewed = desk.ralph(&["queue", "claim", "--claim", &token]);
    assert!(renewed.success().stderr.contains("is not in this queue"), "{renewed}");
    assert!(!renewed.stderr.contains("task done"), "{renewed}");
    // It is nobody's.
    claim(&desk, &["--id", "RQ-0002"]);
    desk.git(&["checkout", "-q", "--", "."]);
    desk.git(&["switch", "-q", "main"]);
    desk.ralph(&["queue", "claim", "--id", "RQ-0002"]).exited(4);
    desk.ralph(&["task", "done", "RQ-0002", "--claim", &token]).success();
}
