//! Which tasks may start, and the reasons of those that may not.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use ralph_queue::lease::Leases;
use ralph_queue::ready::{Question, Ready, ready};
use ralph_queue::runnability::{DoingFirst, Drafts, Reason, TaskReport, UnmetDependency};
use ralph_queue::{Document, Queue, Selection};
use ralph_state::TaskId;

use super::{now, queue, text};

fn set(ids: &[&str]) -> BTreeSet<TaskId> {
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

fn next(queue: &Queue, exclude: &[&str], regard_as_done: &[&str]) -> String {
    let exclude: BTreeMap<_, _> =
        set(exclude).into_iter().map(|id| (id, Reason::Underway)).collect();
    let regard_as_done = set(regard_as_done);
    let selection = Selection {
        now: now(),
        drafts: Drafts::Exclude,
        doing: DoingFirst::Prefer,
        exclude: &exclude,
        regard_as_done: &regard_as_done,
    };
    let next = queue.next(&selection).map_or("-".to_owned(), |task| task.id.to_string());
    let report = queue.runnability(&selection);
    assert_eq!(report.selection.selected_task_id.map_or("-".to_owned(), |id| id.to_string()), next);
    next
}

#[test]
fn the_report_has_the_shape_of_0_4_0() {
    let queue = queue(&[
        r#""status": "done", "completed_at": "2026-01-02T00:00:00Z""#,
        r#""status": "draft""#,
        r#""depends_on": ["RQ-0001", "RQ-0002", "RQ-0099"]"#,
        r#""scheduled_start": "2026-04-22T12:01:30Z", "blocks": ["RQ-0005"]"#,
        "",
        r#""scheduled_start": " ""#,
    ]);
    let selection = Selection::new(now());
    let report = queue.runnability(&selection);
    expect![[r#"
        {
          "version": 1,
          "now": "2026-04-22T12:00:00.000000000Z",
          "selection": {
            "include_draft": false,
            "prefer_doing": true,
            "selected_task_id": "RQ-0006",
            "selected_task_status": "todo"
          },
          "summary": {
            "total_active": 6,
            "candidates_total": 4,
            "runnable_candidates": 1,
            "blocked_by_dependencies": 2,
            "blocked_by_schedule": 1,
            "blocked_by_status_or_flags": 0
          },
          "tasks": [
            {
              "id": "RQ-0001",
              "status": "done",
              "runnable": false,
              "reasons": [
                {
                  "kind": "status_not_runnable",
                  "status": "done"
                }
              ]
            },
            {
              "id": "RQ-0002",
              "status": "draft",
              "runnable": false,
              "reasons": [
                {
                  "kind": "draft_excluded"
                }
              ]
            },
            {
              "id": "RQ-0003",
              "status": "todo",
              "runnable": false,
              "reasons": [
                {
                  "kind": "unmet_dependencies",
                  "dependencies": [
                    {
                      "kind": "not_complete",
                      "id": "RQ-0002",
                      "status": "draft"
                    },
                    {
                      "kind": "missing",
                      "id": "RQ-0099"
                    }
                  ]
                }
              ]
            },
            {
              "id": "RQ-0004",
              "status": "todo",
              "runnable": false,
              "reasons": [
                {
                  "kind": "scheduled_start_in_future",
                  "scheduled_start": "2026-04-22T12:01:30Z",
                  "now": "2026-04-22T12:00:00.000000000Z",
                  "seconds_until_runnable": 90
                }
              ]
            },
            {
              "id": "RQ-0005",
              "status": "todo",
              "runnable": false,
              "reasons": [
                {
                  "kind": "unmet_dependencies",
                  "dependencies": [
                    {
                      "kind": "not_complete",
                      "id": "RQ-0004",
                      "status": "todo"
                    }
                  ]
                }
              ]
            },
            {
              "id": "RQ-0006",
              "status": "todo",
              "runnable": true,
              "reasons": []
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn selection() {
    let chain = queue(&["", r#""depends_on": ["RQ-0001"]"#, r#""depends_on": ["RQ-0002"]"#, ""]);
    assert_eq!(next(&chain, &[], &[]), "RQ-0001");
    assert_eq!(next(&chain, &["RQ-0001"], &[]), "RQ-0004");
    assert_eq!(next(&chain, &["RQ-0001", "RQ-0004"], &[]), "-");
    assert_eq!(next(&chain, &[], &["RQ-0001"]), "RQ-0002");
    assert_eq!(next(&chain, &["RQ-0004"], &["RQ-0001", "RQ-0002"]), "RQ-0003");

    let doing = queue(&["", r#""status": "doing", "depends_on": ["RQ-0001"]"#]);
    assert_eq!(next(&doing, &[], &[]), "RQ-0002");
    assert_eq!(next(&doing, &["RQ-0002"], &[]), "RQ-0001");
    assert_eq!(next(&doing, &[], &["RQ-0002"]), "RQ-0001");

    // A finished blocker, and a rejected dependency, hold nobody back.
    let blocked = queue(&[
        r#""status": "doing", "blocks": ["RQ-0002"]"#,
        "",
        r#""depends_on": ["RQ-0004"]"#,
        r#""status": "rejected""#,
    ]);
    assert_eq!(next(&blocked, &["RQ-0001"], &[]), "RQ-0003");
    assert_eq!(next(&blocked, &[], &["RQ-0001"]), "RQ-0002");
}

#[test]
fn a_start_that_cannot_be_read_holds_its_task_back() {
    let starts =
        ["2099-12-01", "2099-12-01T09:00:00", "tomorrow", "9999-12-31T23:59:59Z", "2026-04-22Z"];
    let tasks = starts.map(|start| format!(r#""scheduled_start": "{start}""#));
    let queue = queue(&tasks.each_ref().map(String::as_str));
    assert_eq!(next(&queue, &[], &[]), "-");
    let selection = Selection::new(now());
    let report = queue.runnability(&selection);
    for (report, start) in report.tasks.iter().zip(starts) {
        match report.reasons.as_slice() {
            [Reason::ScheduledStartUnreadable { scheduled_start }] => {
                assert_eq!(scheduled_start, start);
            }
            [Reason::ScheduledStartInFuture { scheduled_start, .. }] => {
                assert_eq!(scheduled_start, "9999-12-31T23:59:59Z");
                assert_eq!(start, scheduled_start);
            }
            other => panic!("{start}: {other:?}"),
        }
    }
    assert_eq!(report.summary.blocked_by_schedule, starts.len());
}

#[test]
fn the_done_file_counts() {
    let open = text(&[r#""depends_on": ["RQ-0002"]"#]);
    let both = text(&["", r#""status": "done""#]);
    let both = Document::parse(both).unwrap();
    let mut done = both.draft();
    done.take(0);
    let queue = Queue::new(Document::parse(open).unwrap(), done.splice().unwrap());
    assert_eq!(next(&queue, &[], &[]), "RQ-0001");
}

/// Which task is next, and of each open one what holds it back.
fn held(queue: &Queue, exclude: &[(&str, Reason)], regard_as_done: &[&str]) -> [String; 2] {
    let exclude = exclude.iter().map(|(id, reason)| (id.parse().unwrap(), reason.clone()));
    let selection = Selection {
        now: now(),
        drafts: Drafts::Exclude,
        doing: DoingFirst::Prefer,
        exclude: &exclude.collect(),
        regard_as_done: &set(regard_as_done),
    };
    let word = |reason: &Reason| match reason {
        Reason::UnmetDependencies { dependencies } => match dependencies.as_slice() {
            [UnmetDependency::AmbiguousId { id }] => format!("which {id}"),
            _ => "waits".to_owned(),
        },
        Reason::AmbiguousId => "ambiguous".to_owned(),
        Reason::Underway => "underway".to_owned(),
        other => format!("{other:?}"),
    };
    let report = queue.runnability(&selection);
    let open = report.tasks.iter().filter(|row| !row.status.is_terminal());
    let reasons = |row: &TaskReport| row.reasons.iter().map(word).collect::<Vec<_>>().join("+");
    let line = |row: &TaskReport| format!("{}:{}", &row.id.as_str()[3..], reasons(row));
    let next = queue.next(&selection).map_or("-".to_owned(), |task| task.id.to_string());
    [next, open.map(line).collect::<Vec<_>>().join(" ")]
}

#[test]
fn of_two_tasks_with_one_id_neither_starts_and_what_needs_one_waits() {
    const DONE: &str = r#""status": "done", "completed_at": "2026-01-02T00:00:00Z""#;
    const DOING: &str = r#""status": "doing""#;
    // The third needs the id, the fourth nothing.
    let twins = |first: &str, second: &str| {
        let open = text(&[first, second, r#""depends_on": ["RQ-0001"]"#, ""]);
        let open = open.replace("RQ-0002", "RQ-0001");
        Queue::new(Document::parse(open).unwrap(), None)
    };
    let both = |open: &str, done: &str, title: &str| {
        let done = text(&[done]).replace("task 0001", title);
        let open = text(&[open, r#""depends_on": ["RQ-0001"]"#, ""]);
        let done = Document::parse(done).unwrap();
        Queue::new(Document::parse(open).unwrap(), Some(done))
    };
    let rejected = DONE.replace("done", "rejected");
    let is = |queue: &Queue, next: &str, held_back: &str| {
        let ambiguous: Vec<String> = queue.ambiguous().iter().map(ToString::to_string).collect();
        let is_told = held_back.contains("ambiguous");
        assert_eq!(ambiguous, if is_told { vec!["RQ-0001"] } else { vec![] }, "{held_back}");
        assert_eq!(held(queue, &[], &[]), [next, held_back]);
    };
    is(&twins("", ""), "RQ-0004", "0001:ambiguous 0001:ambiguous 0003:which RQ-0001 0004:");
    is(&twins("", DOING), "RQ-0004", "0001:ambiguous 0001:ambiguous 0003:which RQ-0001 0004:");
    is(&twins("", DONE), "RQ-0004", "0001:ambiguous 0003:which RQ-0001 0004:");
    is(&twins(DONE, DOING), "RQ-0004", "0001:ambiguous 0003:which RQ-0001 0004:");
    is(&both("", DONE, "another"), "RQ-0003", "0001:ambiguous 0002:which RQ-0001 0003:");
    is(&both(DOING, DONE, "another"), "RQ-0003", "0001:ambiguous 0002:which RQ-0001 0003:");
    // All that have it are finished, or it is one task after all, or only one has a claim to it.
    is(&twins(DONE, DONE), "RQ-0003", "0003: 0004:");
    is(&both(DONE, DONE, "another"), "RQ-0002", "0002: 0003:");
    is(&both(r#""notes": ["again"]"#, DONE, "task 0001"), "RQ-0001", "0001: 0002:waits 0003:");
    is(&both(DONE, DONE, "task 0001"), "RQ-0002", "0002: 0003:");
    is(&twins(&rejected, ""), "RQ-0001", "0001: 0003:waits 0004:");
    is(&both("", &rejected, "another"), "RQ-0001", "0001: 0002:waits 0003:");

    // What is known by the id may be known of the other one.
    let two = twins("", "");
    let landed = [("RQ-0001", Reason::Landed { commit: "1".repeat(40) })];
    let all = "0001:ambiguous 0001:ambiguous 0003:which RQ-0001 0004:";
    assert_eq!(held(&two, &landed, &["RQ-0001"]), ["RQ-0004", all]);
    let all = "0001:ambiguous+underway 0001:ambiguous+underway 0003:which RQ-0001 0004:";
    assert_eq!(held(&two, &[("RQ-0001", Reason::Underway)], &[]), ["RQ-0004", all]);
}

#[test]
fn what_blocks_by_an_ambiguous_id_blocks() {
    let open = text(&[r#""blocks": ["RQ-0003"]"#, "", ""]).replace("RQ-0002", "RQ-0001");
    let queue = Queue::new(Document::parse(open).unwrap(), None);
    let all = "0001:ambiguous 0001:ambiguous 0003:which RQ-0001";
    assert_eq!(held(&queue, &[], &["RQ-0001"]), ["-", all]);
}

/// Those that a number of workers get, and whom each of the others meets.
fn parallel(scopes: &[&str], room: usize) -> String {
    let fields: Vec<String> = scopes.iter().map(|scope| format!("\"scope\": {scope}")).collect();
    let queue = queue(&fields.iter().map(String::as_str).collect::<Vec<_>>());
    let question = Question {
        now: now(),
        drafts: Drafts::Exclude,
        exclude: &BTreeMap::new(),
        parallel: Some(room),
    };
    let Ready { tasks, others } = ready(&queue, &Leases::default(), &question);
    let mut told: Vec<String> = tasks.iter().map(|task| task.id().to_owned()).collect();
    told.extend(others.iter().map(|(task, reasons)| match &reasons[..] {
        [Reason::ScopeOverlaps { with, scope }] => format!("{}: {scope} of {with}", task.id()),
        reasons => format!("{}: {reasons:?}", task.id()),
    }));
    told.join("; ")
}

#[test]
fn of_tasks_whose_scopes_overlap_the_first_is_picked() {
    for (scopes, told) in [
        (
            &[r#"["a/b"]"#, r#"["a"]"#, r#"["a/bc", "./a//b/*.rs"]"#][..],
            "RQ-0001; RQ-0002: a of RQ-0001; RQ-0003: ./a//b/*.rs of RQ-0001",
        ),
        (
            &[r#"["a/b/c"]"#, r#"["d"]"#, r#"["d/e", "a/b"]"#, r#"["a/b/d", "e"]"#, r#"["e/f"]"#],
            "RQ-0001; RQ-0002; RQ-0004; RQ-0003: a/b of RQ-0001; RQ-0005: e/f of RQ-0004",
        ),
        // A pattern may stand for all there is, and no scope for nothing.
        (&["[]", r#"["*"]"#, r#"["x"]"#, "[]"], "RQ-0001; RQ-0002; RQ-0004; RQ-0003: x of RQ-0002"),
        (&[r#"["x"]"#, r#"["y"]"#, r#"["**/z"]"#], "RQ-0001; RQ-0002; RQ-0003: **/z of RQ-0001"),
    ] {
        assert_eq!(parallel(scopes, 9), told, "{scopes:?}");
    }
    assert_eq!(
        parallel(&[r#"["a"]"#, r#"["b"]"#, r#"["a"]"#], 1),
        "RQ-0001; RQ-0002: [NoRoom]; RQ-0003: a of RQ-0001"
    );
}
