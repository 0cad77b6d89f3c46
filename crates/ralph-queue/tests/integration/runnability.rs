//! Which tasks may start, and the reasons of those that may not.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use ralph_queue::runnability::{DoingFirst, Drafts, Reason};
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
    let none = BTreeSet::new();
    let selection = Selection {
        now: now(),
        drafts: Drafts::Exclude,
        doing: DoingFirst::Prefer,
        exclude: &BTreeMap::new(),
        regard_as_done: &none,
    };
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
    let selection = Selection {
        now: now(),
        drafts: Drafts::Exclude,
        doing: DoingFirst::Prefer,
        exclude: &BTreeMap::new(),
        regard_as_done: &BTreeSet::new(),
    };
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
