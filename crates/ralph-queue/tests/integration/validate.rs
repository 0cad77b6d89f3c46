//! What validation says about broken queues, and where.

use expect_test::{Expect, expect};
use ralph_queue::intake::Batch;
use ralph_queue::{Code, Document, Edit, IdRules, Place, Queue, Rules, Severity, Task, validate};

use super::{now, text};

fn check(queue: &str, done: Option<&str>, expected: &Expect) {
    let problems = validate::texts(queue, done, &Rules::default());
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let task = problem.task.as_ref().map_or("-", |id| id.as_str());
            let field = problem.field.as_deref().unwrap_or("-");
            let (place, severity) = (problem.place.as_str(), problem.severity.as_str());
            format!(
                "{place}:{}:{} {severity} {task} {field} {}: {problem}\n",
                problem.line, problem.column, problem.code
            )
        })
        .collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn a_normal_queue_has_no_problem() {
    check(&text(&["", r#""depends_on": ["RQ-0001"]"#]), None, &expect![[r#""#]]);
}

#[test]
fn a_blank_reference_means_nothing_but_to_repeat_nothing_is_an_error() {
    let blank = r#""depends_on": [""], "blocks": [" "], "relates_to": [""], "duplicates": " ""#;
    check(
        &text(&[blank]),
        None,
        &expect![[r#"
        queue:4:192 error RQ-0001 duplicates unknown_task: `duplicates` names ``, which is in neither file
    "#]],
    );
}

#[test]
fn a_value_below_agent_is_told_at_its_place_and_an_unknown_key_is_let_be() {
    let agent = r#""agent": {"other": 1, "runner": "",
    "runner_cli": {"plan_mode": null, "sandbox": "nope", "other": 1},
    "phase_overrides": {"phase9": 7, "phase1": null, "phase2": {"reasoning_effort": "default"}}}"#;
    check(
        &text(&[agent]),
        None,
        &expect![[r#"
            queue:4:143 error RQ-0001 agent.runner wrong_type: `agent.runner` must be a text that is not blank
            queue:5:39 error RQ-0001 agent.runner_cli.sandbox wrong_type: `agent.runner_cli.sandbox` must be one of default, enabled, disabled
            queue:6:65 error RQ-0001 agent.phase_overrides.phase2.reasoning_effort wrong_type: `agent.phase_overrides.phase2.reasoning_effort` must be one of low, medium, high, xhigh
        "#]],
    );
}

#[test]
fn a_field_of_the_wrong_kind_is_told_once_and_hides_no_other() {
    let queue = r#"{"version": 1, "tasks": [
  {"id": "RQ-0001", "title": 7, "status": "nope", "tags": [1, ""], "created_at": "2026-01-01T00:00:00Z", "updated_at": "x"},
  {"id": "RQ-0002", "created_at": 5, "updated_at": "2026-01-01T00:00:00Z", "depends_on": ["RQ-0009"]},
]}"#;
    check(
        queue,
        Some("[]"),
        &expect![[r#"
        queue:2:30 error RQ-0001 title wrong_type: `title` must be a text
        queue:2:43 error RQ-0001 status wrong_type: unknown status `nope`, known are draft, todo, doing, done, rejected
        queue:2:60 error RQ-0001 tags[0] wrong_type: `tags` must be a list of texts
        queue:3:3 error RQ-0002 title missing_field: `title` is missing
        queue:3:35 error RQ-0002 created_at wrong_type: `created_at` must be a text
        done:1:1 error - - wrong_type: a queue file must hold an object
    "#]],
    );
    check(
        queue,
        None,
        &expect![[r#"
        queue:2:30 error RQ-0001 title wrong_type: `title` must be a text
        queue:2:43 error RQ-0001 status wrong_type: unknown status `nope`, known are draft, todo, doing, done, rejected
        queue:2:60 error RQ-0001 tags[0] wrong_type: `tags` must be a list of texts
        queue:2:63 error RQ-0001 tags[1] blank: an entry of `tags` is blank
        queue:2:120 error RQ-0001 updated_at bad_time: `updated_at` is no RFC 3339 time: `x`
        queue:3:3 error RQ-0002 title missing_field: `title` is missing
        queue:3:35 error RQ-0002 created_at wrong_type: `created_at` must be a text
        queue:3:91 error RQ-0002 depends_on[0] unknown_task: `depends_on` names `RQ-0009`, which is in neither file
    "#]],
    );
}

#[test]
fn a_control_character_is_told_of_wherever_it_is() {
    let task =
        text(&[r#""description": "two\nlines\u0000", "request": "\u0007", "evidence": ["\u009b"],
        "plan": ["a\r\n\tb", "\u007f"], "notes": ["\u001b[31m\u001b", "\u00a0"],
        "custom_fields": {"k": "\u0001"}, "scope": ["\u0002"]"#]);
    check(
        &task,
        None,
        &expect![[r#"
        queue:4:136 warning RQ-0001 description control_in_text: `description` has the control character U+0000 at character 10
        queue:4:167 warning RQ-0001 request control_in_text: `request` has the control character U+0007 at character 1
        queue:4:190 warning RQ-0001 evidence[0] control_in_text: `evidence[0]` has the control character U+009B at character 1
        queue:5:30 warning RQ-0001 plan[1] control_in_text: `plan[1]` has the control character U+007F at character 1
        queue:5:51 warning RQ-0001 notes[0] control_in_text: `notes[0]` has the control character U+001B at character 1
        queue:6:27 warning RQ-0001 custom_fields.k control_in_text: `custom_fields.k` has the control character U+0001 at character 1
        queue:6:53 warning RQ-0001 scope[0] control_character: `scope[0]` has the control character U+0002 at character 1
    "#]],
    );
}

#[test]
fn a_task_without_an_id_is_looked_at_like_any_other() {
    check(
        "{\"version\": 1, \"tasks\": [\n  {\"title\": \" \", \"tags\": [\"\"], \"updated_at\": 7},\n]}",
        Some("{\"tasks\": [\n"),
        &expect![[r#"
            queue:2:3 error - id id_format: `id` is missing
            queue:2:3 error - created_at missing_field: `created_at` is missing
            queue:2:13 error - title blank: the title is blank
            queue:2:27 error - tags[0] blank: an entry of `tags` is blank
            queue:2:46 error - updated_at wrong_type: `updated_at` must be a text
            done:1:11 error - - unreadable: unterminated array
        "#]],
    );
}

#[test]
fn every_rule_at_once() {
    let queue = r#"{"version": 1, "tasks": [
  {"id": "RQ-01", "title": " ", "tags": ["a", ""], "custom_fields": {"a b": "x"}},
  {"id": "RQ-0002", "title": "a\u0007", "created_at": "yesterday", "updated_at": "2026-01-01T02:00:00+02:00", "status": "done"},
  {"id": "RQ-0003", "title": "b", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00+00:00",
   "depends_on": ["RQ-0003", "RQ-0009"], "relates_to": ["RQ-0008"], "duplicates": "RQ-0002", "parent_id": "RQ-0007",
   "scheduled_start": "soon", "agent": {"iterations": 0, "phases": 4}},
  {"id": "RQ-0003", "title": "c", "created_at": "2026-01-02T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "parent_id": "RQ-0003"},
  {"id": "RQ-00010", "title": "d", "created_at": "2026-01-02T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "agent": {"runner": 7}},
  {"id": "RQ-10000", "title": "wider", "created_at": "2026-01-02T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "depends_on": ["RQ-0004"]},
  {"id": "XX-0005", "title": "e", "created_at": "2026-01-02T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "status": "soon"},
]}"#;
    let done = text(&[
        r#""status": "done", "completed_at": "2026-01-01T00:00:00Z""#,
        "",
        "",
        r#""status": "rejected", "completed_at": "2026-01-01T00:00:00Z""#,
    ]);
    check(
        queue,
        Some(&done),
        &expect![[r#"
            queue:2:3 error RQ-01 created_at missing_field: `created_at` is missing
            queue:2:3 error RQ-01 updated_at missing_field: `updated_at` is missing
            queue:2:10 error RQ-01 id id_format: the id must be `RQ-` and 4 digits or more, not `RQ-01`
            queue:2:28 error RQ-01 title blank: the title is blank
            queue:2:47 error RQ-01 tags[1] blank: an entry of `tags` is blank
            queue:2:70 error RQ-01 custom_fields.a b custom_field_name: the name of the custom field `a b` is blank or has a blank
            queue:3:3 error RQ-0002 completed_at missing_field: `completed_at` is missing
            queue:3:30 warning RQ-0002 title control_character: `title` has the control character U+0007 at character 2
            queue:3:55 error RQ-0002 created_at bad_time: `created_at` is no RFC 3339 time: `yesterday`
            queue:3:82 error RQ-0002 updated_at not_utc: `updated_at` is not in UTC: `2026-01-01T02:00:00+02:00`
            queue:5:19 error RQ-0003 depends_on[0] self_reference: `depends_on` names the task itself
            queue:5:30 error RQ-0003 depends_on[1] unknown_task: `depends_on` names `RQ-0009`, which is in neither file
            queue:5:57 error RQ-0003 relates_to[0] unknown_task: `relates_to` names `RQ-0008`, which is in neither file
            queue:5:83 warning RQ-0003 duplicates duplicates_finished: repeats `RQ-0002`, which is done
            queue:5:107 warning RQ-0003 parent_id unknown_task: the parent `RQ-0007` is in neither file
            queue:6:23 error RQ-0003 scheduled_start bad_time: `scheduled_start` is no RFC 3339 time: `soon`
            queue:6:41 error RQ-0003 agent.iterations out_of_range: `agent.iterations` must be a whole number from 1 to 255
            queue:6:58 error RQ-0003 agent.phases out_of_range: `agent.phases` must be a whole number from 1 to 3
            queue:7:10 error RQ-0003 id duplicate_id: the id `RQ-0003` is taken by another task in the queue file; a repair gives this one another id
            queue:7:124 warning RQ-0003 parent_id self_reference: the task is its own parent
            queue:8:10 error RQ-00010 id id_format: the id must be `RQ-` and 4 digits or more, not `RQ-00010`
            queue:8:122 error RQ-00010 agent.runner wrong_type: `agent.runner` must be a text that is not blank
            queue:9:131 warning RQ-10000 depends_on[0] rejected_dependency: depends on `RQ-0004`, which is rejected and counts as finished
            queue:10:10 error XX-0005 id id_format: the id must be `RQ-` and 4 digits or more, not `XX-0005`
            queue:10:121 error XX-0005 status wrong_type: unknown status `soon`, known are draft, todo, doing, done, rejected
            done:5:5 error RQ-0002 status not_finished: a task in the done file must be done or rejected, not todo
            done:5:12 error RQ-0002 id duplicate_id: the id `RQ-0002` is taken by another task in the queue file; the next change of another task gives that one another id
            done:6:5 error RQ-0003 status not_finished: a task in the done file must be done or rejected, not todo
            done:6:12 error RQ-0003 id duplicate_id: the id `RQ-0003` is taken by another task in the queue file; the next change of another task gives that one another id
        "#]],
    );
}

#[test]
fn cycles_of_every_kind() {
    check(
        &text(&[
            r#""depends_on": ["RQ-0002"]"#,
            r#""depends_on": ["RQ-0001"]"#,
            r#""blocks": ["RQ-0004"]"#,
            r#""blocks": ["RQ-0003"]"#,
            r#""parent_id": "RQ-0006""#,
            r#""parent_id": "RQ-0005""#,
        ]),
        None,
        &expect![[r#"
            queue:4:135 error RQ-0001 depends_on cycle: depends on itself: RQ-0001 -> RQ-0002 -> RQ-0001
            queue:6:131 error RQ-0003 blocks cycle: blocks itself: RQ-0003 -> RQ-0004 -> RQ-0003
            queue:8:134 error RQ-0005 parent_id cycle: is its own ancestor: RQ-0005 -> RQ-0006 -> RQ-0005
        "#]],
    );
    check(
        &text(&[r#""depends_on": ["RQ-0002"], "blocks": ["RQ-0002"]"#, ""]),
        None,
        &expect![[r#"
            queue:4:135 error RQ-0001 depends_on deadlock: waits for itself: RQ-0001 -> RQ-0002 -> RQ-0001
        "#]],
    );
}

#[test]
fn a_chain_of_100_000_fits_the_stack() {
    let mut text = String::from("{\"version\":1,\"tasks\":[");
    for number in 1..=100_000 {
        let dependency =
            if number < 100_000 { format!("\"RQ-{:06}\"", number + 1) } else { String::new() };
        text.extend([format!(
            "{{\"id\":\"RQ-{number:06}\",\"title\":\"t\",\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\",\"depends_on\":[{dependency}]}},\n"
        )]);
    }
    text.push_str("]}");
    let rules = Rules { ids: IdRules { width: 6, ..IdRules::default() }, ..Rules::default() };
    let problems = validate::texts(&text, None, &rules);
    assert_eq!(problems.len(), 1);
    assert_eq!(
        (problems[0].severity, problems[0].code),
        (Severity::Warning, Code::DeepDependencies)
    );

    let closed = text.replacen("\"depends_on\":[]", "\"depends_on\":[\"RQ-000001\"]", 1);
    let problems = validate::texts(&closed, None, &rules);
    assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), [Code::Cycle]);

    // As many cycles, through half of the tasks each.
    let (first, behind) = text.split_at(text.find("},").unwrap());
    let behind = behind.replace("\"depends_on\":[", "\"depends_on\":[\"RQ-000001\",");
    let problems = validate::texts(&[first, &behind].concat(), None, &rules);
    assert_eq!(problems.len(), 99_999);
    let paths = [11, 12].map(|len| {
        let last = format!(" -> RQ-{len:06} -> RQ-000001");
        let problem = problems.iter().find(|problem| problem.message.ends_with(&last));
        problem.unwrap().message.replace("RQ-0000", "")
    });
    assert_eq!(
        paths,
        [
            "depends on itself: 01 -> 02 -> 03 -> 04 -> 05 -> 06 -> 07 -> 08 -> 09 -> 10 -> 11 -> 01",
            "depends on itself: 01 -> 02 -> 03 -> 04 -> 05 -> 06 -> ... -> 09 -> 10 -> 11 -> 12 -> 01",
        ]
    );
}

/// Each place was once found by reading all of the task, and all of the file, anew.
#[test]
fn a_task_of_100_000_problems_and_as_many_without_an_id_are_told_and_mended() {
    const MANY: usize = 100_000;
    let entries = vec!["\n\"\""; MANY].join(",");
    let many = text(&[&format!("\"tags\": [{entries}]")]);
    let problems = validate::texts(&many, None, &Rules::default());
    assert_eq!(problems.len(), MANY);
    let last = problems.last().unwrap();
    assert_eq!((last.line, last.field.as_deref()), (MANY + 4, Some("tags[99999]")));
    let queue = Queue::new(Document::parse(many).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    edit.repair(&Rules::default()).unwrap();
    assert!(edit.queue().task(0).tags.is_empty());

    let nameless = vec!["\n{\"title\": \" \"}"; MANY].join(",");
    let nameless = format!("{{\"version\": 1, \"tasks\": [{nameless}]}}");
    let problems = validate::texts(&nameless, None, &Rules::default());
    assert_eq!(problems.last().unwrap().line, MANY + 1);
    let batch = Batch::from_json(&nameless).unwrap();
    assert_eq!((batch.bad.len(), batch.bad[MANY - 1].line), (MANY, Some(MANY + 1)));
}

#[test]
fn a_task_left_behind_is_a_warning_and_a_stranger_is_an_error() {
    let queue = text(&["", ""]);
    let left = text(&[r#""status": "done", "completed_at": "2026-01-02T00:00:00Z""#])
        .replace("\"updated_at\": \"2026-01-01", "\"updated_at\": \"2026-01-02");
    check(
        &queue.replace("\"updated_at\": \"2026-01-01", "\"updated_at\": \"2026-01-03"),
        Some(&left),
        &expect![[r#"
            done:4:12 error RQ-0001 id duplicate_id: the task `RQ-0001` is in the queue file, too, as another version; a repair makes one of both, which stays open
        "#]],
    );
    check(
        &queue,
        Some(&left),
        &expect![[r#"
            queue:4:12 warning RQ-0001 id left_behind: the task is finished and in the done file, too; the next change takes over what is new here, and removes it
        "#]],
    );
    check(
        &queue,
        Some(&left.replace("task 0001", "another")),
        &expect![[r#"
            done:4:12 error RQ-0001 id duplicate_id: the id `RQ-0001` is taken by another task in the queue file; the next change of another task gives that one another id
        "#]],
    );
    let queue = Queue::new(Document::parse(queue).unwrap(), Some(Document::parse(left).unwrap()));
    assert_eq!(queue.leftovers().count(), 1);
    assert_eq!(queue.tasks().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["RQ-0002"]);
    assert_eq!(queue.find("RQ-0001").unwrap().0, Place::Done);
}

#[test]
fn ids_grow_past_their_width() {
    let rules = IdRules::default();
    let ids = |highest: u64| rules.id(highest).unwrap().to_string();
    assert_eq!([ids(1), ids(9999), ids(10_000)], ["RQ-0001", "RQ-9999", "RQ-10000"]);
    assert_eq!(rules.number_of("rq-0012"), Some(12));
    assert_eq!(rules.number_of("XX-0012"), None);
    assert_eq!(rules.number_of("RQ-12x"), None);
    let queue =
        super::queue(&["", r#""status": "rejected", "completed_at": "2026-01-01T00:00:00Z""#]);
    assert_eq!(queue.highest_number(&rules), 2);
    assert_eq!(queue.highest_number(&IdRules { high_water: 77, ..rules }), 77);
    assert!(Task::parse("{\"id\": \"RQ-0001\"}").is_err());
}

#[test]
fn a_rejected_task_with_the_id_of_another_is_a_warning() {
    let end =
        |status: &str| format!(r#""status": "{status}", "completed_at": "2026-01-02T00:00:00Z""#);
    let shed = |text: String| text.replace("task 0001", "another");
    let in_place =
        text(&["", &end("rejected")]).replace("0002", "0001").replacen("task 0001", "one", 1);
    check(
        &in_place,
        None,
        &expect![[r#"
        queue:5:12 warning RQ-0001 id duplicate_id: the id `RQ-0001` means another task, which is todo; the next change of any task gives this one another id (the other: line 4 of the queue file)
    "#]],
    );
    let rejected = text(&[&end("rejected")]);
    check(
        &shed(text(&[&end("done")])),
        Some(&rejected),
        &expect![[r#"
            done:4:12 warning RQ-0001 id duplicate_id: the id `RQ-0001` means another task, which is done; a repair gives this one another id (the other: line 4 of the queue file)
        "#]],
    );
    check(
        &shed(rejected.clone()),
        Some(&rejected),
        &expect![[r#"
            done:4:12 warning RQ-0001 id duplicate_id: the id `RQ-0001` is also that of another task, which is rejected; a repair gives this one another id (the other: line 4 of the queue file)
        "#]],
    );
    let queue = text(&[r#""depends_on": ["RQ-0002"]"#, ""]);
    check(
        &queue,
        Some(&shed(rejected)),
        &expect![[r#"
        done:4:12 warning RQ-0001 id duplicate_id: the id `RQ-0001` means another task, which is todo; the next change of any task gives this one another id (the other: line 4 of the queue file)
    "#]],
    );
}
