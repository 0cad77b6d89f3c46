//! Files as 0.4.0 writes them, with every field, read as they are.

use ralph_queue::runnability::Report;
use ralph_queue::{Document, Status, Task};

/// Every field, as 0.4.0 writes them.
const EVERY_FIELD: &str = r#"{
  "version": 1,
  "tasks": [
    {
      "id": "RQ-0001",
      "status": "todo",
      "title": "Show the cart",
      "description": "On every page",
      "priority": "critical",
      "tags": [
        "ui"
      ],
      "scope": [
        "src/cart.rs"
      ],
      "evidence": [
        "asked for in the forum"
      ],
      "plan": [
        "draw it",
        "test it"
      ],
      "notes": [],
      "request": "a cart please",
      "agent": {
        "runner": "codex",
        "model": "gpt-5.4",
        "model_effort": "high",
        "phases": 2,
        "iterations": 1,
        "followup_reasoning_effort": "low",
        "runner_cli": {
          "output_format": "json",
          "verbosity": null,
          "approval_mode": null,
          "sandbox": null,
          "plan_mode": null,
          "unsupported_option_policy": null
        },
        "phase_overrides": {
          "phase1": {
            "runner": "claude",
            "reasoning_effort": "high"
          }
        }
      },
      "created_at": "2026-04-22T18:03:11.482913000Z",
      "updated_at": "2026-04-22T18:03:11.482913000Z",
      "completed_at": "2026-04-22T18:03:12.482913000Z",
      "started_at": "2026-04-22T18:03:11.482913000Z",
      "estimated_minutes": 30,
      "actual_minutes": 45,
      "scheduled_start": "2026-05-01T09:00:00Z",
      "depends_on": [
        "RQ-0002"
      ],
      "blocks": [],
      "relates_to": [
        "RQ-0002"
      ],
      "duplicates": "RQ-0002",
      "custom_fields": {
        "story_points": "5",
        "owner": "me"
      },
      "parent_id": "RQ-0002"
    }
  ]
}"#;

#[test]
fn every_field_is_read_and_comes_back_in_the_same_words() {
    let document = Document::parse(EVERY_FIELD).unwrap();
    let task = &document.tasks()[0];
    let agent = task.agent_overrides().unwrap().unwrap();
    assert_eq!(
        (agent.runner.as_deref(), agent.phases, agent.iterations),
        (Some("codex"), Some(2), Some(1))
    );
    assert_eq!(agent.phase_overrides.unwrap().phase1.unwrap().runner.as_deref(), Some("claude"));
    assert_eq!(Task::parse(&serde_json::to_string(task).unwrap()).as_ref(), Ok(task));

    // What is written for a new task is what 0.4.0 writes, but for the order within maps.
    let empty = Document::empty();
    let mut draft = empty.draft();
    draft.insert(0, task.clone());
    let written = draft.splice().unwrap().unwrap();
    let sorted = |text: &str| -> Vec<String> {
        let mut lines: Vec<_> =
            text.lines().map(|line| line.trim().trim_end_matches(',').to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(written.text()), sorted(EVERY_FIELD));
}

#[test]
fn an_edit_changes_the_lines_of_the_edit() {
    let document = Document::parse(EVERY_FIELD).unwrap();
    let mut draft = document.draft();
    let task = draft.task_mut(0);
    task.status = Status::Doing;
    task.notes.push("begun".to_owned());
    let after = draft.splice().unwrap().unwrap();
    let expected = EVERY_FIELD
        .replace("\"todo\"", "\"doing\"")
        .replace("\"notes\": []", "\"notes\": [\n        \"begun\"\n      ]");
    assert_eq!(after.text(), expected);
}

#[test]
fn what_0_4_0_reads_is_read() {
    let text = "{\"version\": 1, 'tasks': [{id: \"RQ-0001\", 'title': 'it is \"so\"', custom_fields: {n: 1.5, yes: true}, description: null,},],}";
    let document = Document::parse(text).unwrap();
    let task = &document.tasks()[0];
    assert_eq!((task.title.as_str(), task.status), ("it is \"so\"", Status::Todo));
    assert_eq!(
        (task.custom_fields["n"].as_str(), task.custom_fields["yes"].as_str()),
        ("1.5", "true")
    );
    assert_eq!(Document::parse("{\"version\": 1}").unwrap().tasks().len(), 0);
}

#[test]
fn a_report_of_0_4_0_is_one_of_ours() {
    let theirs = serde_json::json!({"version":1,"now":"2026-11-22T09:16:10.7Z",
        "selection":{"include_draft":false,"prefer_doing":true,"selected_task_id":"RQ-0001","selected_task_status":"todo"},
        "summary":{"total_active":2,"candidates_total":2,"runnable_candidates":1,"blocked_by_dependencies":1,"blocked_by_schedule":0,"blocked_by_status_or_flags":0},
        "tasks":[{"id":"RQ-0002","status":"todo","runnable":false,
            "reasons":[{"kind":"unmet_dependencies","dependencies":[{"kind":"not_complete","id":"RQ-0001","status":"todo"}]}]}]});
    let report: Report = serde_json::from_value(theirs.clone()).unwrap();
    let mut ours = serde_json::to_value(report).unwrap();
    ours["now"] = theirs["now"].clone();
    assert_eq!(ours, theirs);
}
