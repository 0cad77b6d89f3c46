//! Three versions of a queue merged by task and by field.

use expect_test::expect;
use ralph_queue::landing::{Texts, finish_task};
use ralph_queue::merge::{three_way, three_way_files};
use ralph_queue::{Document, Finish, Status};

use super::text;

const BASE: &str = r#"{
  "version": 1,
  "tasks": [
    // the first
    {
      "id": "RQ-0001",
      "title": "One",
      "status": "todo",
      "tags": ["a", "b"],
      "notes": ["n1"],
      "updated_at": "2026-01-01T00:00:00Z"
    },
    {
      "id": "RQ-0002",
      "title": "Two",
      "x": {"deep": 1}
    }
  ]
}
"#;

#[test]
fn different_fields_and_lists_are_merged() {
    let ours = BASE
        .replace("\"todo\"", "\"doing\"")
        .replace("\"a\", \"b\"", "\"a\", \"b\", \"ours\"")
        .replace("\"n1\"", "\"n1\", \"ours\"")
        .replace("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    let theirs = BASE
        .replace("// the first", "// the very first")
        .replace("\"One\"", "\"Uno\"")
        .replace("\"a\", \"b\"", "\"b\", \"theirs\"")
        .replace("\"n1\"", "\"n1\", \"theirs\"")
        .replace("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z")
        .replace("\"Two\",", "\"Two\", // done soon");
    let merged = three_way(BASE, &ours, &theirs).unwrap();
    assert_eq!(merged.conflicts, []);
    expect![[r#"
        {
          "version": 1,
          "tasks": [
            // the first
            // the very first
            {
              "id": "RQ-0001",
              "title": "Uno",
              "status": "doing",
              "tags": ["b", "ours", "theirs"],
              "notes": ["n1", "ours", "theirs"],
              "updated_at": "2026-01-03T00:00:00Z"
            },
            {
              "id": "RQ-0002",
              "title": "Two", // done soon
              "x": {"deep": 1}
            }
          ]
        }
    "#]]
    .assert_eq(&merged.text);
}

#[test]
fn a_true_conflict_is_valid_and_reported() {
    let ours = BASE.replace("\"One\"", "\"Eins\"").replace("\"todo\"", "\"doing\"");
    let theirs = BASE.replace("\"One\"", "\"Uno\"").replace("\"todo\"", "\"done\"");
    let merged = three_way(BASE, &ours, &theirs).unwrap();
    let fields: Vec<_> =
        merged.conflicts.iter().map(|conflict| conflict.field.clone().unwrap()).collect();
    assert_eq!(fields, ["status", "title"]);
    let document = Document::parse(merged.text).unwrap();
    assert_eq!(
        (document.tasks()[0].status, document.tasks()[0].title.as_str()),
        (Status::Done, "Eins")
    );
}

#[test]
fn added_and_removed_tasks() {
    let base = text(&["", "", ""]);
    let without_first = {
        let document = Document::parse(base.as_str()).unwrap();
        let mut draft = document.draft();
        draft.take(0);
        draft.splice().unwrap().unwrap().text().to_owned()
    };
    let theirs = text(&["", "", "", ""]);
    let merged = three_way(&base, &without_first, &theirs).unwrap();
    assert_eq!(
        super::ids(Document::parse(merged.text).unwrap().tasks()),
        "RQ-0002:todo RQ-0003:todo RQ-0004:todo"
    );
    let merged = three_way(&base, &theirs, &without_first).unwrap();
    assert_eq!(
        super::ids(Document::parse(merged.text).unwrap().tasks()),
        "RQ-0002:todo RQ-0003:todo RQ-0004:todo"
    );

    // A change beats a removal.
    let changed = text(&[r#""status": "doing""#, "", ""]);
    for (ours, theirs) in [(&changed, &without_first), (&without_first, &changed)] {
        let merged = three_way(&base, ours, theirs).unwrap();
        assert_eq!(
            super::ids(Document::parse(merged.text).unwrap().tasks()),
            "RQ-0001:doing RQ-0002:todo RQ-0003:todo"
        );
        assert_eq!(merged.conflicts.len(), 1);
    }
}

#[test]
fn one_id_for_two_tasks_is_renumbered_the_same_way_on_both_sides() {
    let base = text(&[""]);
    let early =
        text(&["", r#""tags": ["early"]"#, r#""depends_on": ["RQ-0002"], "tags": ["early"]"#]);
    let late = text(&["", r#""tags": ["late"]"#, r#""depends_on": ["RQ-0002"], "tags": ["late"]"#])
        .replace("task 0002", "other 0002")
        .replace("task 0003", "other 0003");
    let names = |text: &str| -> Vec<String> {
        let document = Document::parse(text).unwrap();
        let mut names: Vec<_> = document
            .tasks()
            .iter()
            .map(|task| format!("{} {} {:?} {:?}", task.id, task.title, task.tags, task.depends_on))
            .collect();
        names.sort();
        names
    };
    let one = three_way(&base, &early, &late).unwrap();
    let other = three_way(&base, &late, &early).unwrap();
    assert_eq!(names(&one.text), names(&other.text));
    assert_eq!(one.renumbered, other.renumbered);
    expect![[r#"
        [
            "RQ-0001 task 0001 [] []",
            "RQ-0002 task 0002 [\"early\"] []",
            "RQ-0003 task 0003 [\"early\"] [\"RQ-0002\"]",
            "RQ-0004 other 0002 [\"late\"] []",
            "RQ-0005 other 0003 [\"late\"] [\"RQ-0004\"]",
        ]
    "#]]
    .assert_debug_eq(&names(&one.text));
}

#[test]
fn nothing_to_merge_is_nothing_changed() {
    let other = BASE.replace("\"todo\"", "\"doing\"");
    assert_eq!(three_way(BASE, BASE, BASE).unwrap().text, BASE);
    assert_eq!(three_way(BASE, &other, BASE).unwrap().text, other);
    assert_eq!(three_way(BASE, BASE, &other).unwrap().text, other);
    assert_eq!(three_way(BASE, &other, &other).unwrap().text, other);
}

#[test]
fn comments_of_both_sides_are_kept() {
    let ours =
        BASE.replace("\"One\"", "\"Eins\"").replace("// the first", "// the first, says ours");
    let theirs = BASE
        .replace("\"todo\",", "\"doing\", // now")
        .replace("// the first", "/* the first,\n       says theirs */");
    let merged = three_way(BASE, &ours, &theirs).unwrap();
    assert_eq!(merged.conflicts, []);
    expect![[r#"
        {
          "version": 1,
          "tasks": [
            // the first, says ours
            /* the first,
               says theirs */
            // now
            {
              "id": "RQ-0001",
              "title": "Eins",
              "status": "doing",
              "tags": ["a", "b"],
              "notes": ["n1"],
              "updated_at": "2026-01-01T00:00:00Z"
            },
            {
              "id": "RQ-0002",
              "title": "Two",
              "x": {"deep": 1}
            }
          ]
        }
    "#]]
    .assert_eq(&merged.text);
}

#[test]
fn a_task_moved_by_one_side_keeps_what_the_other_did_to_it() {
    let queue = text(&["", ""]);
    let base = Texts { queue: &queue, done: None };
    let task = Document::parse(queue.as_str()).unwrap().tasks()[0].clone();
    let landed = finish_task(base, &task, Finish::Archive, super::now(), Some("landed")).unwrap();
    let landed = Texts { queue: &landed.queue, done: landed.done.as_deref() };
    let noted = text(&[r#""notes": ["by hand"], "tags": ["x"]"#, "", r#""status": "draft""#]);
    let noted = Texts { queue: &noted, done: None };

    for (ours, theirs) in [(noted, landed), (landed, noted)] {
        let merged = three_way_files(base, ours, theirs).unwrap();
        assert_eq!(merged.conflicts, []);
        let queue = Document::parse(merged.queue).unwrap();
        let done = Document::parse(merged.done.unwrap()).unwrap();
        assert_eq!(super::ids(queue.tasks()), "RQ-0002:todo RQ-0003:draft");
        assert_eq!(super::ids(done.tasks()), "RQ-0001:done");
        let mut both = done.tasks()[0].notes.clone();
        both.sort();
        assert_eq!(
            (both, &done.tasks()[0].tags),
            (vec!["by hand".to_owned(), "landed".to_owned()], &vec!["x".to_owned()])
        );
    }
    let same = three_way_files(base, base, base).unwrap();
    assert_eq!((same.queue.as_str(), same.done), (base.queue, None));
}
