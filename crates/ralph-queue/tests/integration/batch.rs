//! One edit over many tasks: all of them or none, and no comment lost.

use std::collections::BTreeSet;

use proptest::prelude::*;
use ralph_queue::copies::{Copy, Plan};
use ralph_queue::delta::Fate;
use ralph_queue::fields::{NAMES, Relation};
use ralph_queue::tidy::{Prune, Urgent};
use ralph_queue::validate::{Code, Rules};
use ralph_queue::{Document, Edit, EditError, IdRules, Queue, Severity, Status, Task};

use super::{now, text};

/// Comments above, behind and within tasks, and tasks that name each other.
fn commented() -> Queue {
    let plain = text(&[
        "",
        "\"depends_on\": [\"RQ-0001\"]",
        "\"tags\": [\"a\"], \"mine\": 1.50",
        "\"plan\": [\"x\", \"y\"]",
    ]);
    let mut lines = Vec::new();
    for (number, line) in plain.lines().enumerate() {
        if line.contains("\"id\"") {
            lines.push(format!("    // above {number}"));
            lines.push(format!("{line} // behind {number}").replace("}, //", "}, /* x */ //"));
        } else {
            lines.push(line.to_owned());
        }
    }
    Queue::new(Document::parse(lines.join("\n")).unwrap(), None)
}

fn value(field: &str, pick: usize) -> &'static str {
    let values: &[&str] = match field {
        "status" => &["", "doing", "rejected", "never"],
        "priority" => &["", "high", "never"],
        "agent" => &["", "{\"model\": \"m\"}", "[]"],
        "custom_fields" => &["", "a=1,b=2", "{\"c\": \"d\"}"],
        "estimated_minutes" | "actual_minutes" => &["", "5", "x"],
        "depends_on" | "blocks" | "relates_to" => &["", "RQ-0003,RQ-0004", "RQ-0002"],
        "duplicates" | "parent_id" => &["", "RQ-0004"],
        name if name.ends_with("_at") || name == "scheduled_start" => {
            &["", "2026-05-01T00:00:00Z", "x"]
        }
        _ => &["", "a \"b\" \\ // c", "one, two\nthree", "[\"a, b\", \"é\"]"],
    };
    values[pick % values.len()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is asked for, the text says what the model says, and the bytes of every other
    /// task and every comment above or behind one stay.
    #[test]
    fn edits_of_fields_leave_the_rest_alone(
        steps in proptest::collection::vec((1_usize..5, 0_usize..NAMES.len(), 0_usize..4), 1..8)
    ) {
        let queue = commented();
        let mut edit = Edit::new(&queue, now());
        for (task, field, pick) in &steps {
            let name = NAMES[*field];
            let before = edit.queue().tasks().cloned().collect::<Vec<_>>();
            if edit.set_field(&format!("RQ-000{task}"), name, value(name, *pick)).is_err() {
                prop_assert_eq!(before, edit.queue().tasks().cloned().collect::<Vec<_>>());
            }
        }
        let Some(after) = edit.splice().unwrap().queue else { return Ok(()) };
        prop_assert!(after.tasks().iter().eq(edit.queue().tasks()));
        for comment in queue.document().text().lines().filter(|line| line.trim().starts_with("//")) {
            prop_assert!(after.text().contains(comment), "{}", after.text());
        }
        for (index, task) in queue.document().tasks().iter().enumerate() {
            if *task == after.tasks()[index] {
                let span = queue.document().span(index);
                prop_assert!(after.text().contains(&queue.document().text()[span]));
            }
        }
    }

    /// All or nothing, one at a time or all at once: the same.
    #[test]
    fn a_batch_is_its_steps(ids in proptest::collection::btree_set(1_usize..5, 1..4)) {
        let queue = commented();
        let ids: Vec<String> = ids.into_iter().map(|id| format!("RQ-000{id}")).collect();
        let mut all = Edit::new(&queue, now());
        for id in &ids {
            all.set_field(id, "tags", "x").unwrap();
        }
        let mut text = queue.clone();
        for id in &ids {
            let mut one = Edit::new(&text, now());
            one.set_field(id, "tags", "x").unwrap();
            let next = one.splice().unwrap().queue;
            text = next.map_or(text, |document| Queue::new(document, None));
        }
        let all = all.splice().unwrap().queue;
        prop_assert_eq!(all.as_ref().map(Document::text), Some(text.document().text()));
    }

    /// Repair ends with nothing left that it could mend, and mends nothing twice.
    #[test]
    fn repair_is_idempotent(faults in proptest::collection::vec((1_usize..5, 0_usize..8), 0..8)) {
        let mut text = commented().document().text().to_owned();
        for (task, fault) in faults {
            let id = format!("\"RQ-000{task}\"");
            let title = format!("\"task 000{task}\"");
            text = match fault {
                0 => text.replace(&title, "\" \""),
                1 => text.replacen(&format!("\"id\": {id}"), "\"id\": \"RQ-0001\"", 1),
                2 => text.replacen("\"updated_at\": \"2026-01-01T00:00:00Z\"", "\"x\": 1", 1),
                3 => text.replacen("2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00", 1),
                4 => text.replacen("2026-01-01T00:00:00Z", "long ago", 1),
                5 => text.replacen(&format!("\"id\": {id}"), &format!("\"id\": \"{task}\""), 1),
                6 => text.replacen("\"RQ-0001\"]", "\"RQ-0077\", \"RQ-0002\"]", 1),
                _ => text.replacen("\"a\"]", "\"a\", \"\"]", 1),
            };
        }
        let Ok(document) = Document::parse(text) else { return Ok(()) };
        let queue = Queue::new(document, None);
        let mut edit = Edit::new(&queue, now());
        edit.repair(&Rules::default()).unwrap();
        let after = edit.splice().unwrap().queue;
        let after = after.map_or(queue, |document| Queue::new(document, None));
        let errors: Vec<_> = after.validate(&Rules::default()).into_iter().filter(|problem| problem.severity == Severity::Error).collect();
        prop_assert!(errors.is_empty(), "{errors:?} in {}", after.document().text());
        let mut again = Edit::new(&after, now());
        again.repair(&Rules::default()).unwrap();
        prop_assert_eq!(again.splice().unwrap().queue, None);
    }
}

#[test]
fn copies_keep_what_the_task_says_and_drop_what_it_went_through() {
    let queue = commented();
    let mut edit = Edit::new(&queue, now());
    let (ids, how) = (IdRules::default(), Copy::default());
    edit.relate("RQ-0003", Relation::Blocks, "RQ-0004").unwrap();
    let clone = edit.clone_task("RQ-0003", &ids, &how).unwrap();
    let parts = edit.split("RQ-0004", &ids, 3, &how, Plan::Distribute).unwrap();
    let task = |id: &str| edit.find(id).unwrap().1.clone();
    assert_eq!(task(clone.as_str()).extra, task("RQ-0003").extra);
    let plans: Vec<usize> = parts.iter().map(|id| task(id.as_str()).plan.len()).collect();
    assert_eq!(plans, [1, 1, 0]);
    assert_eq!(task("RQ-0004").status, Status::Rejected);
    let order = |edit: &Edit<'_>| {
        edit.queue().tasks().map(|task| task.id.as_str()[6..].to_owned()).collect::<String>()
    };
    assert_eq!(order(&edit), "12354678");
    edit.sort(Urgent::First);
    assert_eq!(order(&edit), "12354678", "what is as urgent stays as it was put");
    edit.splice().unwrap();
}

#[test]
fn what_waits_for_a_task_waits_for_its_parts_once_it_is_split() {
    let related = text(&[
        r#""blocks": ["RQ-0004"]"#,
        r#""depends_on": ["RQ-0003", "RQ-0001", " RQ-0003 "]"#,
        r#""blocks": ["RQ-0005", "RQ-0002"]"#,
        r#""status": "done", "depends_on": ["RQ-0003"]"#,
        "",
        r#""blocks": ["RQ-0003"]"#,
    ]);
    let queue = Queue::new(Document::parse(related).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    edit.split("RQ-0003", &IdRules::default(), 2, &Copy::default(), Plan::Drop).unwrap();
    let relations = edit.queue().tasks().map(|task| {
        format!("{} needs {:?}, blocks {:?}", &task.id.as_str()[6..], task.depends_on, task.blocks)
    });
    let relations: Vec<String> =
        relations.map(|line| line.replace("RQ-000", "").replace('"', "")).collect();
    assert_eq!(
        relations,
        [
            "1 needs [], blocks [4]",
            "2 needs [7, 8, 1], blocks []",
            "3 needs [], blocks []",
            "7 needs [], blocks []",
            "8 needs [], blocks []",
            "4 needs [3], blocks []",
            "5 needs [7, 8], blocks []",
            "6 needs [], blocks [7, 8]",
        ]
    );
    assert!(edit.splice().is_ok());
}

fn split(edit: &mut Edit<'_>, id: &str) {
    edit.split(id, &IdRules::default(), 2, &Copy::default(), Plan::Drop).unwrap();
}

#[test]
fn splits_in_one_edit_are_those_of_one_edit_each() {
    let related = text(&[
        "",
        r#""depends_on": ["RQ-0001"], "blocks": ["RQ-0004"]"#,
        r#""depends_on": ["RQ-0002", "RQ-0001"]"#,
        "",
    ]);
    let steps: [fn(&mut Edit<'_>); 7] = [
        |edit| split(edit, "RQ-0001"),
        |edit| split(edit, "RQ-0002"),
        |edit| edit.relate("RQ-0004", Relation::DependsOn, "RQ-0003").map(drop).unwrap(),
        |edit| split(edit, "RQ-0003"),
        // A part of the second task, which waits for those of the first.
        |edit| split(edit, "RQ-0007"),
        |edit| edit.delete(&["RQ-0004".to_owned()]).unwrap(),
        |edit| split(edit, "RQ-0005"),
    ];
    let queue = Queue::new(Document::parse(related).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    for step in steps {
        step(&mut edit);
    }
    let each = steps.iter().fold(queue.clone(), |queue, step| {
        let mut edit = Edit::new(&queue, now());
        step(&mut edit);
        let spliced = edit.splice().unwrap().queue;
        spliced.map_or_else(|| queue.clone(), |document| Queue::new(document, None))
    });
    // No two of one edit are made at one time.
    let untimed = |task: &Task| Task { created_at: None, updated_at: None, ..task.clone() };
    let together: Vec<_> = edit.queue().tasks().map(untimed).collect();
    assert_eq!(together, each.tasks().map(untimed).collect::<Vec<_>>());
    let made: BTreeSet<_> = edit.queue().tasks().map(|task| task.created_at.as_deref()).collect();
    let old: BTreeSet<_> = queue.tasks().map(|task| task.created_at.as_deref()).collect();
    assert_eq!(made.difference(&old).count(), 10);
    assert!(together.iter().any(|task| task.depends_on.len() > 3), "they were given parts");
}

#[test]
fn prune_goes_by_age_status_and_number() {
    let done = text(&["", "", "", ""]).replace(
        "\"updated_at\"",
        "\"status\": \"done\", \"completed_at\": \"2026-04-20T00:00:00Z\", \"updated_at\"",
    );
    let done = done.replacen("2026-04-20", "2026-01-01", 1).replacen("\"done\"", "\"rejected\"", 2);
    let empty = Document::empty();
    let queue = Queue::new(empty, Some(Document::parse(done).unwrap()));
    let pruned = |what: &Prune| {
        let mut edit = Edit::new(&queue, now());
        assert!(edit.prune(what).is_empty());
        edit.done().tasks().map(|task| task.id.as_str()[6..].to_owned()).collect::<String>()
    };
    assert_eq!(pruned(&Prune::default()), "");
    assert_eq!(pruned(&Prune { days: Some(30), ..Prune::default() }), "234");
    assert_eq!(pruned(&Prune { statuses: vec![Status::Rejected], ..Prune::default() }), "34");
    assert_eq!(pruned(&Prune { keep_last: 3, ..Prune::default() }), "234");
}

#[test]
fn a_repair_keeps_the_comments_of_what_it_takes_out() {
    let queue = text(&[""]).replace(
        "\"updated_at\"",
        "\"depends_on\": [\n  // waits for the vendor\n  \"RQ-0099\", // ask Bob\n  \"RQ-0098\" /* later */\n], \
         \"duplicates\": \"RQ-0098\", // epics\n\"updated_at\"",
    );
    let queue = Queue::new(Document::parse(queue).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    edit.repair(&Rules::default()).unwrap();
    let repaired = edit.splice().unwrap().queue.unwrap();
    let (above, task) = repaired.text().split_once("{\"id\"").unwrap();
    for comment in ["// waits for the vendor", "// ask Bob", "/* later */", "// epics"] {
        assert!(above.contains(comment) && !task.contains(comment), "{}", repaired.text());
    }
}

#[test]
fn a_repair_leaves_blank_references_and_takes_out_what_repeats_nothing() {
    let fields = r#""relates_to": [" "], "duplicates": " ", "parent_id": """#;
    let queue = Queue::new(Document::parse(text(&[fields])).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    edit.repair(&Rules::default()).unwrap();
    let repaired = edit.splice().unwrap().queue.unwrap();
    let task = &repaired.tasks()[0];
    assert_eq!((task.duplicates.as_deref(), task.parent_id.as_deref()), (None, Some("")));
    assert_eq!(task.relates_to, [" "]);
}

#[test]
fn a_reference_with_blanks_around_it_is_one() {
    let fields = |id: &str| format!("\"depends_on\": [\" {id}\\t\"], \"parent_id\": \" {id}\"");
    let wrong = text(&["", &fields("X-1")]).replacen("RQ-0001", "X-1", 1);
    let queue = Queue::new(Document::parse(wrong).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    edit.repair(&Rules::default()).unwrap();
    let task = edit.queue().task(1);
    assert_eq!(
        (&*task.depends_on, task.parent_id.as_deref()),
        (&["RQ-0003".to_owned()][..], Some("RQ-0003"))
    );

    let named = Document::parse(text(&["", &fields("RQ-0001")])).unwrap();
    let queue = Queue::new(named.clone(), None);
    let by = vec!["RQ-0002".parse().unwrap()];
    let refused = Edit::new(&queue, now()).delete(&["RQ-0001".to_owned()]);
    assert_eq!(refused, Err(EditError::Referenced { id: "RQ-0001".to_owned(), by }));

    let done = text(&[r#""status": "done", "completed_at": "2026-01-01T00:00:00Z""#]);
    let mut open = named.draft();
    open.take(0);
    let open = open.splice().unwrap().unwrap();
    let queue = Queue::new(open, Some(Document::parse(done).unwrap()));
    let mut edit = Edit::new(&queue, now());
    assert_eq!(edit.prune(&Prune::default()), ["RQ-0001".parse().unwrap()]);
}

#[test]
fn a_repair_gives_another_id_to_the_task_that_validation_points_at() {
    let [old, new] = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"];
    for (tasks, named) in [
        (&[("b", "todo", old), ("a", "todo", old)][..], &[3][..]),
        (&[("a", "todo", old), ("b", "todo", old)], &[3]),
        (&[("a", "todo", new), ("b", "todo", old)], &[2]),
        (&[("a", "todo", new), ("b", "done", old), ("c", "todo", old)], &[2, 4]),
        (&[("a", "rejected", new), ("b", "rejected", old)], &[2]),
        (&[("a", "rejected", old), ("b", "done", new), ("c", "done", old)], &[2, 3]),
    ] {
        let line = |(title, status, time): &(&str, &str, &str)| {
            format!(
                "{{\"id\": \"RQ-0001\", \"title\": \"{title}\", \"status\": \"{status}\", \"created_at\": \"{time}\", \"updated_at\": \"{time}\", \"completed_at\": \"{time}\"}}"
            )
        };
        let lines: Vec<String> = tasks.iter().map(line).collect();
        let text = format!("{{\"version\": 1, \"tasks\": [\n{}\n]}}", lines.join(",\n"));
        let queue = Queue::new(Document::parse(text).unwrap(), None);
        let problems = queue.validate(&Rules::default());
        let of_ids = problems.iter().filter(|problem| problem.code == Code::DuplicateId);
        let told: Vec<usize> = of_ids.map(|problem| problem.line).collect();
        let mut edit = Edit::new(&queue, now());
        edit.repair(&Rules::default()).unwrap();
        let repaired = edit.splice().unwrap().queue.unwrap();
        let lines = repaired.text().lines().zip(1..);
        let is_given = |(line, _): &(&str, usize)| {
            line.starts_with('{') && !line.contains("\"id\": \"RQ-0001\"")
        };
        let given: Vec<usize> = lines.skip(1).filter(is_given).map(|(_, at)| at).collect();
        assert_eq!((told.as_slice(), given.as_slice()), (named, named), "{tasks:?}");
    }
}

#[test]
fn a_repair_leaves_a_parent_that_is_gone() {
    let task = r#"{"id": "RQ-0001", "title": "a", "parent_id": "RQ-0009", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}"#;
    let text = format!("{{\"version\": 1, \"tasks\": [{task}]}}");
    let queue = Queue::new(Document::parse(text).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    edit.repair(&Rules::default()).unwrap();
    assert_eq!(edit.splice().unwrap().queue, None);
}

#[test]
fn a_repair_takes_a_date_for_the_begin_of_that_day() {
    let queue =
        text(&[""]).replace("\"updated_at\"", "\"started_at\": \"2026-01-02\", \"updated_at\"");
    let queue = Queue::new(Document::parse(queue).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    edit.repair(&Rules::default()).unwrap();
    let task = edit.queue().task(0);
    assert_eq!(task.started_at.as_deref(), Some("2026-01-02T00:00:00.000000000Z"));
    assert_eq!(task.notes, Vec::<String>::new());
}

/// To look for each under the id that it had would take minutes.
#[test]
fn a_repair_of_all_ids_knows_what_it_touched_at_once() {
    const TASKS: usize = 20_000;
    let tasks = text(&vec![""; TASKS]).replace("\"RQ-", "\"XX-");
    let queue = Queue::new(Document::parse(tasks).unwrap(), None);
    let mut edit = Edit::new(&queue, now());
    edit.repair(&Rules::default()).unwrap();
    let touched = edit.touched();
    assert_eq!(touched.len(), TASKS);
    assert!(touched.iter().all(|task| task.fate == Fate::Changed));
}
