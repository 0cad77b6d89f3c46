//! Leases: one at a time, fenced, and heeded by what counts as ready.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ralph_queue::delta::Touched;
use ralph_queue::lease::{By, Lease, LeaseError, Leases, Request, Write};
use ralph_queue::ready::{Question, ready};
use ralph_queue::runnability::{Drafts, Reason};
use ralph_queue::{Document, Queue, Status};
use ralph_state::file::Holder;
use ralph_state::{TaskId, Timestamp};

fn time(minutes: u64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    start.checked_add(Duration::from_secs(60 * minutes)).unwrap()
}

/// Tasks as `id status scope,scope`.
fn queue(tasks: &[&str]) -> Queue {
    let task = |line: &&str| {
        let mut words = line.split(' ');
        let (id, status) = (words.next().unwrap(), words.next().unwrap());
        let scope: Vec<&str> =
            words.next().map(|words| words.split(',').collect()).unwrap_or_default();
        serde_json::json!({ "id": id, "title": id, "status": status, "scope": scope,
            "updated_at": time(0).to_string() })
    };
    let tasks: Vec<_> = tasks.iter().map(task).collect();
    let text = serde_json::json!({ "version": 1, "tasks": tasks }).to_string();
    Queue::new(Document::parse(text).unwrap(), None)
}

fn claim(
    leases: &mut Leases,
    queue: &Queue,
    task: Option<&str>,
    minute: u64,
) -> Result<Option<Lease>, LeaseError> {
    let now = time(minute);
    let holder = Holder { pid: 1, host: "here".into(), command: "test".into(), since: now };
    leases.claim(
        queue,
        &Request {
            task,
            owner: "me",
            ttl: Duration::from_mins(30),
            drafts: Drafts::Exclude,
            exclude: &BTreeMap::new(),
            name: None,
            holder: &holder,
            now,
        },
    )
}

/// What a write did to the first task.
fn came_to(status: Option<Status>) -> Vec<Touched> {
    let status = status.map(Status::as_str);
    let touched = serde_json::json!({ "id": "RQ-1", "fate": "changed", "status": status });
    vec![serde_json::from_value(touched).unwrap()]
}

/// A write that somebody asked for.
fn settle(leases: &mut Leases, touched: &[Touched], tokens: &[String], tree: &Path, minute: u64) {
    let (before, now) = (&queue(&["RQ-1 todo"]), time(minute));
    leases.settle(Write { touched, before, tokens, tree, open: &[], by: By::Edit, now });
}

fn tree() -> &'static Path {
    Path::new("/here")
}

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

#[test]
fn each_task_is_given_once_in_the_order_of_the_file() {
    let queue = queue(&["RQ-1 draft", "RQ-2 todo", "RQ-3 todo"]);
    let mut leases = Leases::default();
    let first = claim(&mut leases, &queue, None, 0).unwrap().unwrap();
    let second = claim(&mut leases, &queue, None, 1).unwrap().unwrap();
    assert_eq!((first.task.as_str(), second.task.as_str()), ("RQ-2", "RQ-3"));
    assert_ne!(first.token, second.token);
    assert_eq!(claim(&mut leases, &queue, None, 2).unwrap(), None);
    assert!(matches!(claim(&mut leases, &queue, Some("RQ-2"), 2), Err(LeaseError::Held { .. })));
    assert!(matches!(
        claim(&mut leases, &queue, Some("RQ-1"), 2),
        Err(LeaseError::NotReady { .. })
    ));
    assert!(matches!(
        claim(&mut leases, &queue, Some("RQ-9"), 2),
        Err(LeaseError::NotFound { .. })
    ));
}

#[test]
fn a_lapsed_lease_goes_to_the_next_and_fences_the_last() {
    let mut leases = Leases::default();
    let old = claim(&mut leases, &queue(&["RQ-1 todo"]), None, 0).unwrap().unwrap();
    let doing = queue(&["RQ-0 todo", "RQ-1 doing"]);
    let touched = [id("RQ-1")];
    let tokens = [old.token.clone()];
    // Not renewed, but nobody else took it.
    assert_eq!(leases.permit(&touched, &tokens, time(31)), Ok(()));
    settle(&mut leases, &[], &tokens, tree(), 31);
    let is_held = |leases: &Leases, minute| leases.held("RQ-1", time(minute)).is_some();
    assert!(is_held(&leases, 60) && !is_held(&leases, 61));

    let new = claim(&mut leases, &doing, None, 61).unwrap().unwrap();
    assert_eq!(new.task.as_str(), "RQ-1");
    let lost = leases.permit(&touched, &tokens, time(62)).unwrap_err().to_string();
    assert!(lost.ends_with("has ended: `me` has taken the task over"), "{lost}");
    let never = leases.permit(&touched, &["7-00000000".to_owned()], time(62)).unwrap_err();
    assert_eq!(never, LeaseError::Unknown { token: "7-00000000".to_owned() });
    assert!(matches!(leases.permit(&touched, &[], time(62)), Err(LeaseError::Held { .. })));
    assert_eq!(leases.permit(&[id("RQ-0")], &[], time(62)), Ok(()));
}

#[test]
fn work_begun_by_hand_is_given_only_to_who_asks_for_it() {
    let doing = queue(&["RQ-1 doing"]);
    let mut leases = Leases::default();
    assert_eq!(claim(&mut leases, &doing, None, 0).unwrap(), None);
    let lease = claim(&mut leases, &doing, Some("RQ-1"), 0).unwrap().unwrap();
    assert_eq!(lease.task, id("RQ-1"));
}

#[test]
fn what_is_finished_here_is_done_in_every_work_tree() {
    let mut leases = Leases::default();
    let todo = queue(&["RQ-1 todo", "RQ-2 draft"]);
    let tokens = [claim(&mut leases, &todo, None, 0).unwrap().unwrap().token];
    settle(&mut leases, &came_to(Some(Status::Done)), &tokens, tree(), 1);
    // The other work tree still has it as it was.
    assert_eq!(claim(&mut leases, &todo, None, 2).unwrap(), None);
    assert!(leases.standing(&todo, time(2)).done.contains(&id("RQ-1")));
    // A second `done` under the same token is no fault.
    assert_eq!(leases.permit(&[], &tokens, time(2)), Ok(()));
    // Opened again, it is an ordinary task.
    let text = todo.document().text().replace(&time(0).to_string(), &time(3).to_string());
    let reopened = Queue::new(Document::parse(text).unwrap(), None);
    assert!(claim(&mut leases, &reopened, None, 4).unwrap().is_some());
}

#[test]
fn a_deletion_keeps_a_task_from_others_and_lets_nothing_begin() {
    let mut leases = Leases::default();
    let todo = queue(&["RQ-1 todo"]);
    let tokens = [claim(&mut leases, &todo, None, 0).unwrap().unwrap().token];
    let gone = serde_json::json!([{ "id": "RQ-1", "fate": "removed" }]);
    let gone: Vec<Touched> = serde_json::from_value(gone).unwrap();
    settle(&mut leases, &gone, &tokens, tree(), 1);
    let standing = leases.standing(&todo, time(2));
    assert!(standing.done.is_empty());
    assert!(matches!(standing.ended[&id("RQ-1")], Reason::Ended { is_deleted: true, .. }));
    assert_eq!(claim(&mut leases, &todo, None, 2).unwrap(), None);
}

#[test]
fn an_end_that_is_taken_back_where_it_was_made_counts_no_more() {
    for (status, held) in [("todo", false), ("doing", true)] {
        let mut leases = Leases::default();
        let todo = queue(&["RQ-1 todo"]);
        let tokens = [claim(&mut leases, &todo, None, 0).unwrap().unwrap().token];
        settle(&mut leases, &came_to(Some(Status::Done)), &tokens, tree(), 1);
        let back = queue(&[&format!("RQ-1 {status}")]);
        assert_eq!(leases.ended_in(Path::new("/elsewhere"), &back), []);
        assert_eq!(leases.ended_in(tree(), &queue(&["RQ-1 done"])), []);
        let ended = leases.ended_in(tree(), &back);
        assert_eq!(ended.iter().map(Lease::id).collect::<Vec<_>>(), [Some(&id("RQ-1"))]);
        leases.open_again(&tokens[0], status.parse().unwrap());
        assert_eq!(leases.held("RQ-1", time(2)).is_some(), held);
        assert_eq!(leases.permit(&[], &tokens, time(2)).is_ok(), held);
        assert!(claim(&mut leases, &back, None, 40).unwrap().is_some());
    }
}

#[test]
fn who_begins_elsewhere_what_ended_does_not_bring_its_lease_back() {
    let todo = queue(&["RQ-1 todo"]);
    for (place, with_token, held) in [
        ("/elsewhere", false, false),
        ("/elsewhere", true, true),
        (tree().to_str().unwrap(), false, true),
    ] {
        let mut leases = Leases::default();
        let tokens = [claim(&mut leases, &todo, None, 0).unwrap().unwrap().token];
        settle(&mut leases, &came_to(Some(Status::Done)), &tokens, tree(), 1);
        let used = if with_token { &tokens[..] } else { &[] };
        settle(&mut leases, &came_to(Some(Status::Doing)), used, Path::new(place), 2);
        assert_eq!(leases.held("RQ-1", time(3)).is_some(), held, "{place} {with_token}");
    }
}

#[test]
fn what_another_work_tree_makes_of_its_open_copy_brings_no_end_back() {
    let todo = queue(&["RQ-1 todo"]);
    let behind = [came_to(None), came_to(Some(Status::Done)), came_to(Some(Status::Rejected))];
    let by_undo = [came_to(Some(Status::Todo)), came_to(Some(Status::Doing))];
    let writes =
        behind.iter().map(|it| (it, By::Edit)).chain(by_undo.iter().map(|it| (it, By::Undo)));
    for (touched, by) in writes {
        for with_token in [false, true] {
            let mut leases = Leases::default();
            let tokens = [claim(&mut leases, &todo, None, 0).unwrap().unwrap().token];
            settle(&mut leases, &came_to(Some(Status::Done)), &tokens, tree(), 1);
            let mut write = Write {
                touched,
                before: &todo,
                tokens: if with_token { &tokens } else { &[] },
                tree: Path::new("/elsewhere"),
                open: &[],
                by,
                now: time(3),
            };
            assert!(leases.concern(touched, write.tokens));
            leases.settle(write);
            // The write gave the open copy a newer time, or its undo left that of a note.
            let text = todo.document().text().replace(&time(0).to_string(), &time(3).to_string());
            let changed = Queue::new(Document::parse(text).unwrap(), None);
            for there in [&todo, &changed] {
                let next = claim(&mut leases.clone(), there, None, 4).unwrap();
                assert_eq!(next, None, "{touched:?} {by:?} {with_token}");
            }
            // What was opened again there, on another machine say, is not behind.
            write.now = time(6);
            let text = todo.document().text().replace(&time(0).to_string(), &time(5).to_string());
            let reopened = Queue::new(Document::parse(text).unwrap(), None);
            leases.settle(Write { before: &reopened, ..write });
            assert!(claim(&mut leases.clone(), &reopened, None, 7).unwrap().is_some());
            // So is one that somebody opens.
            settle(&mut leases, &came_to(Some(Status::Todo)), &[], write.tree, 8);
            assert!(claim(&mut leases, &todo, None, 9).unwrap().is_some());
        }
    }
}

#[test]
fn an_end_that_is_undone_leaves_the_lease_as_it_was() {
    let mut leases = Leases::default();
    let todo = queue(&["RQ-1 todo"]);
    let lease = claim(&mut leases, &todo, None, 0).unwrap().unwrap();
    let tokens = [lease.token.clone()];
    for (status, left) in [(Status::Doing, 1), (Status::Todo, 0)] {
        settle(&mut leases, &came_to(Some(Status::Done)), &tokens, tree(), 0);
        assert!(leases.standing(&todo, time(2)).done.contains(&id("RQ-1")));
        assert!(leases.concern(&came_to(Some(status)), &[]));
        assert!(!leases.concern(&[], &[]));
        settle(&mut leases, &came_to(Some(status)), &[], tree(), 1);
        assert_eq!(leases.leases.len(), left);
        assert!(leases.standing(&todo, time(2)).done.is_empty());
        assert_eq!(leases.held("RQ-1", time(2)).is_some(), left == 1);
    }
}

#[test]
fn an_end_that_is_undone_where_it_was_made_leaves_the_lease_whatever_the_task_was_there() {
    let todo = queue(&["RQ-1 todo"]);
    let fate = |fate| {
        let touched = serde_json::json!({ "id": "RQ-1", "fate": fate });
        vec![serde_json::from_value::<Touched>(touched).unwrap()]
    };
    let ends = [
        (came_to(Some(Status::Done)), came_to(Some(Status::Todo))),
        (came_to(Some(Status::Done)), came_to(Some(Status::Draft))),
        (came_to(Some(Status::Rejected)), came_to(Some(Status::Doing))),
        (fate("removed"), fate("added")),
    ];
    for (end, back) in &ends {
        for with_token in [false, true] {
            let mut leases = Leases::default();
            let tokens = [claim(&mut leases, &todo, None, 0).unwrap().unwrap().token];
            let taken = leases.clone();
            settle(&mut leases, end, &tokens, tree(), 1);
            let ended = leases.clone();
            let undo = Write {
                touched: back,
                before: &todo,
                tokens: if with_token { &tokens } else { &[] },
                tree: tree(),
                open: &leases.ended_in(tree(), &todo),
                by: By::Undo,
                now: time(2),
            };
            leases.settle(undo);
            assert_eq!(leases, taken, "{back:?} {with_token}");
            // It lapses when it would have.
            assert!(claim(&mut leases, &todo, Some("RQ-1"), 31).unwrap().is_some());
            // What an undo changes beside the end brings nothing back.
            let mut noted = ended.clone();
            noted.settle(Write { touched: &came_to(None), ..undo });
            assert_eq!(noted, ended);
        }
    }
}

#[test]
fn a_task_that_is_put_back_is_free() {
    let mut leases = Leases::default();
    let todo = queue(&["RQ-1 todo"]);
    let tokens = [claim(&mut leases, &todo, None, 0).unwrap().unwrap().token];
    // Another work tree may not know yet that it was begun: a write there ends nothing.
    for touched in [vec![], came_to(None)] {
        settle(&mut leases, &touched, &tokens, tree(), 1);
        assert_eq!(leases.leases[0].expires_at, time(31));
    }
    settle(&mut leases, &came_to(Some(Status::Todo)), &[], tree(), 1);
    assert_eq!(leases.leases.len(), 1);
    settle(&mut leases, &came_to(Some(Status::Todo)), &tokens, tree(), 1);
    assert_eq!(leases.leases, []);
    let lost = leases.permit(&[], &tokens, time(1)).unwrap_err().to_string();
    assert!(lost.ends_with("has ended: the task was given back"), "{lost}");
    claim(&mut leases, &todo, None, 2).unwrap().unwrap();
    assert!(leases.release(&id("RQ-1")) && !leases.release(&id("RQ-1")));
    for minute in 3..300 {
        claim(&mut leases, &todo, None, minute).unwrap().unwrap();
        leases.release(&id("RQ-1"));
    }
    assert_eq!(leases.ended.len(), 200);
}

/// Tasks as `id title created_at former_ids`, that are begun.
fn made(tasks: &[&str]) -> Queue {
    let task = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        let former = words.get(3).map(|former| serde_json::json!({ "former_ids": former }));
        serde_json::json!({ "id": words[0], "title": words[1], "status": "doing",
            "created_at": words[2], "custom_fields": former.unwrap_or(serde_json::json!({})),
            "updated_at": time(0).to_string() })
    };
    let tasks: Vec<_> = tasks.iter().map(task).collect();
    let text = serde_json::json!({ "version": 1, "tasks": tasks }).to_string();
    Queue::new(Document::parse(text).unwrap(), None)
}

const MOMENT: &str = "2026-01-01T00:00:00.123456789Z";
const SECOND: &str = "2026-01-01T00:00:00Z";

/// As the file that all work trees share keeps them.
fn reread(leases: &Leases) -> Leases {
    serde_json::from_str(&serde_json::to_string(leases).unwrap()).unwrap()
}

#[test]
fn a_lease_is_that_of_its_task_whatever_id_that_has() {
    let other = "RQ-2 other 2026-01-01T00:00:00.5550001Z";
    let mine = |id: &str| format!("{id} mine {MOMENT}");
    let cases: &[(&str, &[&str], Option<&str>)] = &[
        // What was claimed; what another queue has; which task of it that is.
        (&mine("RQ-2"), &[&mine("RQ-2")], Some("RQ-2")),
        (&mine("RQ-2"), &[other, &format!("{} RQ-2", mine("RQ-3"))], Some("RQ-3")),
        (&mine("RQ-2"), &[other, &format!("{} RQ-2,RQ-3", mine("RQ-4"))], Some("RQ-4")),
        // Also one with another title.
        (&mine("RQ-2"), &[other, &format!("RQ-3 renamed {MOMENT} RQ-2")], Some("RQ-3")),
        // Claimed after the merge, which a work tree has not seen.
        (&format!("{} RQ-2", mine("RQ-3")), &[&mine("RQ-2")], Some("RQ-2")),
        (
            &format!("{} RQ-2", mine("RQ-3")),
            &[&mine("RQ-2"), "RQ-3 x 2026-01-01T00:00:00.7Z"],
            Some("RQ-2"),
        ),
        // Where it is gone, or never was.
        (&mine("RQ-2"), &[other], None),
        (&mine("RQ-2"), &["RQ-2 mine 2026-01-01T00:00:00.5550001Z"], None),
        (&mine("RQ-2"), &[], Some("RQ-2")),
        // Made in a second that others may have been made in.
        (&format!("RQ-2 mine {SECOND}"), &[&format!("RQ-2 renamed {SECOND}")], Some("RQ-2")),
        (
            &format!("RQ-2 mine {SECOND}"),
            &[&format!("RQ-2 other {SECOND}"), &format!("RQ-3 mine {SECOND} RQ-2")],
            Some("RQ-3"),
        ),
        (
            &format!("RQ-2 mine {SECOND}"),
            &[&format!("RQ-2 other {SECOND}"), &format!("RQ-3 renamed {SECOND} RQ-2")],
            None,
        ),
    ];
    for (claimed, there, expected) in cases {
        let mut leases = Leases::default();
        let claimed = made(&[claimed]);
        let task = claimed.document().tasks()[0].id.clone();
        claim(&mut leases, &claimed, Some(task.as_str()), 0).unwrap().unwrap();
        let before = reread(&leases);
        leases.follow(&made(there));
        assert_eq!(leases.leases[0].id().map(TaskId::as_str), *expected, "{there:?}");
        // The file is for all work trees.
        assert_eq!(reread(&leases), before);
    }
}

#[test]
fn an_end_under_a_lease_is_none_of_an_open_task_that_a_merge_gave_the_id() {
    let mine = format!("RQ-2 mine {MOMENT}");
    let mut leases = Leases::default();
    let token = claim(&mut leases, &made(&[&mine]), Some("RQ-2"), 0).unwrap().unwrap().token;
    let rejected = |tasks: &[&str]| {
        let text = made(tasks).document().text().to_owned();
        let text = text.replacen("doing", "rejected", 1).replacen("doing", "todo", 1);
        Queue::new(Document::parse(text).unwrap(), None)
    };
    let tokens = [token];
    let alone = rejected(&[&mine]);
    let touched = serde_json::json!([{ "id": "RQ-2", "fate": "changed", "status": "rejected" }]);
    let touched: &[Touched] = &serde_json::from_value::<Vec<_>>(touched).unwrap();
    let (by, now) = (By::Edit, time(1));
    let write =
        Write { touched, before: &alone, tokens: &tokens, tree: tree(), open: &[], by, now };
    leases.settle(write);
    // Until the next edit parts the two, and after it.
    let other = "RQ-2 other 2026-01-01T00:00:00.5550001Z";
    for both in [rejected(&[&mine, other]), rejected(&[&format!("RQ-3 mine {MOMENT} RQ-2"), other])]
    {
        assert!(!leases.standing(&both, time(2)).ended.contains_key(&id("RQ-2")));
        assert!(claim(&mut leases.clone(), &both, Some("RQ-2"), 2).unwrap().is_some());
    }
}

#[test]
fn a_lease_follows_its_task_where_that_got_another_id_by_hand() {
    let mut leases = Leases::default();
    claim(&mut leases, &made(&[&format!("RQ-2 mine {MOMENT}")]), Some("RQ-2"), 0).unwrap();
    let mine = |id: &str| format!("{id} mine {MOMENT}");
    let cases: &[(&[&str], Option<&str>)] = &[
        (&[&mine("RQ-9")], Some("RQ-9")),
        (&[&mine("RQ-9"), "RQ-3 mine 2026-01-01T00:00:00.5550001Z"], Some("RQ-9")),
        (&[&mine("RQ-8"), &mine("RQ-9")], Some("RQ-2")),
        (&[&mine("RQ-9"), &mine("RQ-2")], Some("RQ-2")),
        (&[&format!("RQ-9 other {MOMENT}")], Some("RQ-2")),
    ];
    for (there, expected) in cases {
        leases.follow(&made(there));
        assert_eq!(leases.leases[0].id().map(TaskId::as_str), *expected, "{there:?}");
    }
}

#[test]
fn a_lease_of_an_older_version_goes_by_the_id_unless_only_one_task_had_it() {
    let mut leases = Leases::default();
    claim(&mut leases, &made(&[&format!("RQ-2 mine {MOMENT}")]), Some("RQ-2"), 0).unwrap();
    leases.leases[0].known_by = None;
    let renamed = &format!("RQ-3 mine {MOMENT} RQ-2")[..];
    let cases: &[(&[&str], Option<&str>)] = &[
        (&[renamed], Some("RQ-3")),
        (&[&format!("RQ-2 other {MOMENT}"), renamed], Some("RQ-2")),
        (&[&format!("RQ-4 other {MOMENT} RQ-2"), renamed], None),
        (&[], Some("RQ-2")),
    ];
    for (there, expected) in cases {
        leases.follow(&made(there));
        assert_eq!(leases.leases[0].id().map(TaskId::as_str), *expected, "{there:?}");
    }
}

#[test]
fn what_is_done_under_a_lease_is_done_to_its_task_alone() {
    let mine = format!("RQ-2 mine {MOMENT}");
    let behind = made(&[&mine]);
    let other = "RQ-2 other 2026-01-01T00:00:00.5550001Z";
    let merged = made(&[other, &format!("RQ-3 mine {MOMENT} RQ-2")]);
    let without = made(&[other]);
    let mut leases = Leases::default();
    let token = claim(&mut leases, &behind, Some("RQ-2"), 0).unwrap().unwrap().token;
    let tokens = std::slice::from_ref(&token);
    let mut leases = reread(&leases);

    let held = |leases: &Leases, queue: &Queue| {
        leases.standing(queue, time(1)).held.keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(held(&leases, &merged), ["RQ-3"]);
    assert_eq!(held(&leases, &behind), ["RQ-2"]);
    assert_eq!(held(&leases, &without), [""; 0]);
    let refused = claim(&mut leases.clone(), &merged, Some("RQ-3"), 1).unwrap_err();
    assert!(matches!(refused, LeaseError::Held { task, .. } if task == id("RQ-3")));

    leases.follow(&merged);
    assert_eq!(leases.permit(&[id("RQ-3")], tokens, time(1)), Ok(()));
    assert_eq!(leases.meant(&[id("RQ-3")], tokens), Ok(()));
    let (task, now) = (id("RQ-2"), id("RQ-3"));
    let renumbered = LeaseError::Renumbered { token: token.clone(), task: task.clone(), now };
    assert_eq!(leases.meant(&[id("RQ-2")], tokens), Err(renumbered));
    assert_eq!(leases.permit(&[id("RQ-2")], &[], time(1)), Ok(()));
    leases.follow(&without);
    let title = Some("mine".to_owned());
    let untold = LeaseError::Untold { token: token.clone(), task, title };
    assert_eq!(leases.meant(&[id("RQ-2")], tokens), Err(untold));

    // What is shown for a write means its own task.
    leases.follow(&merged);
    let begun = |task: &str| {
        let touched = serde_json::json!({ "id": task, "fate": "changed", "status": "doing" });
        serde_json::from_value::<Touched>(touched).unwrap()
    };
    assert_eq!(leases.own(&[begun("RQ-2"), begun("RQ-3")], tokens), Ok(()));
    let (own, task) = (id("RQ-3"), id("RQ-2"));
    let other = LeaseError::Other { token: token.clone(), own, task };
    assert_eq!(leases.own(&[begun("RQ-2")], tokens), Err(other));
    assert_eq!(leases.own(&[begun("RQ-2")], &[]), Ok(()));

    // The other task is there for others, whose lease is none of the first.
    let their = claim(&mut leases, &merged, Some("RQ-2"), 1).unwrap().unwrap();
    assert_eq!(held(&leases, &merged), ["RQ-2", "RQ-3"]);
    let done = |task: &str| {
        let touched = serde_json::json!({ "id": task, "fate": "changed", "status": "done" });
        vec![serde_json::from_value::<Touched>(touched).unwrap()]
    };
    let (by, now, tree) = (By::Edit, time(2), tree());
    let write = Write { touched: &done("RQ-3"), before: &merged, tokens, tree, open: &[], by, now };
    leases.settle(write);
    let mut leases = reread(&leases);
    for (queue, id_there) in [(&merged, "RQ-3"), (&behind, "RQ-2")] {
        let standing = leases.standing(queue, time(3));
        assert_eq!(standing.done.iter().map(TaskId::as_str).collect::<Vec<_>>(), [id_there]);
    }
    let their_tokens = [their.token];
    let write = Write { touched: &done("RQ-2"), tokens: &their_tokens, ..write };
    leases.settle(write);
    assert_eq!(leases.standing(&merged, time(3)).done.len(), 2);
    // Where it is open again under its new id, in the work tree where it ended.
    assert_eq!(leases.ended_in(tree, &merged).len(), 2);
    assert_eq!(leases.ended_in(tree, &behind)[0].token, token);
}

#[track_caller]
fn check(
    tasks: &[&str],
    leases: &Leases,
    parallel: Option<usize>,
    expected: (&[&str], &[(&str, &str)]),
) {
    let queue = queue(tasks);
    let exclude = BTreeMap::new();
    let question = Question { now: time(1), drafts: Drafts::Exclude, exclude: &exclude, parallel };
    let ready = ready(&queue, leases, &question);
    let kind = |reasons: &[Reason]| serde_json::to_value(reasons).unwrap()[0]["kind"].clone();
    let tasks: Vec<&str> = ready.tasks.iter().map(|task| task.id()).collect();
    let others: Vec<_> =
        ready.others.iter().map(|(task, reasons)| (task.id(), kind(reasons))).collect();
    let others: Vec<(&str, &str)> =
        others.iter().map(|(task, kind)| (*task, kind.as_str().unwrap())).collect();
    assert_eq!((tasks.as_slice(), others.as_slice()), expected);
}

#[test]
fn a_parallel_set_does_not_meet_itself_or_what_is_underway() {
    let tasks = [
        "RQ-1 doing src/a",
        "RQ-2 todo ./src/a/b.rs",
        "RQ-3 todo src/c/*.rs,docs",
        "RQ-4 todo src/cc",
        "RQ-5 todo docs/x.md",
        "RQ-6 todo",
        "RQ-7 todo",
    ];
    let none = Leases::default();
    check(
        &tasks,
        &none,
        None,
        (&["RQ-2", "RQ-3", "RQ-4", "RQ-5", "RQ-6", "RQ-7"], &[("RQ-1", "unheld")]),
    );
    let expected = [
        ("RQ-1", "unheld"),
        ("RQ-2", "scope_overlaps"),
        ("RQ-5", "scope_overlaps"),
        ("RQ-7", "no_room"),
    ];
    check(&tasks, &none, Some(3), (&["RQ-3", "RQ-4", "RQ-6"], &expected));
}

#[test]
fn a_leased_task_is_not_ready_and_its_scope_is_taken() {
    let tasks = ["RQ-1 todo src", "RQ-2 todo src/x", "RQ-3 todo ."];
    let mut leases = Leases::default();
    claim(&mut leases, &queue(&tasks), None, 0).unwrap();
    let overlaps = "scope_overlaps";
    let expected = [("RQ-1", "claimed"), ("RQ-2", overlaps), ("RQ-3", overlaps)];
    check(&tasks, &leases, Some(2), (&[], &expected));
    check(&tasks, &leases, None, (&["RQ-2", "RQ-3"], &[("RQ-1", "claimed")]));
}

#[test]
fn of_two_tasks_with_one_id_none_is_given() {
    let mut leases = Leases::default();
    let before = queue(&["RQ-1 doing", "RQ-2 todo"]);
    let lapsed = claim(&mut leases, &before, Some("RQ-1"), 0).unwrap().unwrap();
    assert_eq!(lapsed.task.as_str(), "RQ-1");
    let queue = queue(&["RQ-1 doing", "RQ-1 todo", "RQ-2 todo"]);
    let refused = claim(&mut leases, &queue, Some("RQ-1"), 40);
    let reasons = vec![Reason::AmbiguousId];
    assert_eq!(refused, Err(LeaseError::NotReady { task: id("RQ-1"), reasons: reasons.clone() }));
    let none = BTreeMap::new();
    let asked = Question { now: time(40), drafts: Drafts::Exclude, exclude: &none, parallel: None };
    let answer = ready(&queue, &leases, &asked);
    let tasks: Vec<&str> = answer.tasks.iter().map(|task| task.id()).collect();
    assert_eq!(tasks, ["RQ-2"]);
    assert!(answer.others.iter().all(|(task, why)| task.id() == "RQ-1" && *why == reasons));
    // The next one, also where begun work whose lease lapsed would come first.
    let next = claim(&mut leases, &queue, None, 40).unwrap().unwrap();
    assert_eq!(next.task.as_str(), "RQ-2");
    assert_eq!(claim(&mut leases, &queue, None, 41), Ok(None));
}

#[cfg(unix)]
#[test]
fn a_work_tree_whose_path_is_no_text_is_told_and_known_again() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let tree = Path::new(OsStr::from_bytes(b"/t\xffee"));
    let mut leases = Leases::default();
    let lease = claim(&mut leases, &queue(&["RQ-1 todo"]), None, 0).unwrap().unwrap();
    settle(&mut leases, &came_to(Some(Status::Done)), &[lease.token], tree, 1);
    let told = serde_json::to_value(&leases).unwrap();
    let read: Leases = serde_json::from_value(told).unwrap();
    assert_eq!(read.ended_in(tree, &queue(&["RQ-1 todo"])).len(), 1);
}

#[test]
fn a_task_that_says_it_was_changed_in_the_future_ends_in_every_work_tree() {
    // As who writes times by hand may have it: an hour ahead.
    let ahead = |status: &str| {
        let text = queue(&[&format!("RQ-1 {status}")]).document().text().to_owned();
        let text = text.replace(&time(0).to_string(), &time(60).to_string());
        Queue::new(Document::parse(text).unwrap(), None)
    };
    let mut leases = Leases::default();
    let token = claim(&mut leases, &ahead("todo"), None, 0).unwrap().unwrap().token;
    settle(&mut leases, &came_to(Some(Status::Done)), &[token], tree(), 1);
    for minute in [2, 120] {
        assert_eq!(claim(&mut leases, &ahead("todo"), None, minute).unwrap(), None, "{minute}");
    }
}
