//! Three versions of a queue merged by task and by field.

use expect_test::expect;
use ralph_queue::landing::{Texts, finish_task};
use ralph_queue::merge::{Conflict, DoneTasks, Settled, three_way, three_way_files};
use ralph_queue::{Document, Edit, Finish, Queue, Rules, Status, Task};
use ralph_state::TaskId;

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
fn what_a_side_finished_into_its_done_file_is_no_removal() {
    let changed = BASE.replace("\"n1\"", "\"n2\"").replace("\"Two\"", "\"Due\"");
    let done = r#"{"version": 1, "tasks": [{"id": "RQ-0001", "title": "One", "status": "done"}]}"#;
    let done = Document::parse(done).unwrap();
    let empty = r#"{"version": 1, "tasks": []}"#;
    for is_ours in [true, false] {
        let (ours, theirs) = if is_ours { (empty, &*changed) } else { (&*changed, empty) };
        let mut merged = three_way(BASE, ours, theirs).unwrap();
        assert!(merged.has_removals());
        let files = if is_ours { (Some(&done), None) } else { (None, Some(&done)) };
        // The other side's done file tells nothing.
        assert_eq!(merged.settle_finished(files.1, files.0).unwrap(), Settled::default());
        let Settled { finished, .. } = merged.settle_finished(files.0, files.1).unwrap();
        assert_eq!(finished.iter().map(TaskId::as_str).collect::<Vec<_>>(), ["RQ-0001"]);
        let left: Vec<_> = merged.conflicts.iter().map(|conflict| &conflict.task).collect();
        assert_eq!(left, [&Some("RQ-0002".parse().unwrap())]);
        let queue = Queue::new(Document::parse(merged.text).unwrap(), Some(done.clone()));
        assert_eq!(queue.document().tasks()[0].status, Status::Done);
        assert_eq!(queue.leftovers().count(), 1);
    }
}

#[test]
fn a_task_that_one_side_finished_and_the_other_gave_a_new_title_is_one() {
    // By hand, to the second: nothing else tells tasks with one id apart that two sides made.
    let task = |title: &str, more: &str| {
        format!(
            r#"{{"version": 1, "tasks": [{{"id": "RQ-0001", "title": "{title}", "created_at": "2026-01-01T00:00:00Z"{more}}}]}}"#
        )
    };
    let end = r#", "status": "done", "completed_at": "2026-01-02T00:00:00.123456789Z""#;
    let done = Document::parse(task("One", end)).unwrap();
    let (base, theirs) = (task("One", ""), task("Eins", ""));
    let mut merged = three_way(&base, r#"{"version": 1, "tasks": []}"#, &theirs).unwrap();
    let settled = merged.settle_finished(Some(&done), None).unwrap();
    assert_eq!((settled.finished.len(), merged.conflicts.len()), (1, 0));
    let queue = Queue::new(Document::parse(merged.text).unwrap(), Some(done.clone()));
    assert_eq!((queue.leftovers().count(), queue.namesakes().count()), (1, 0));
    let other = Queue::new(Document::parse(theirs).unwrap(), Some(done));
    assert_eq!((other.leftovers().count(), other.namesakes().count()), (0, 1), "not of a merge");
}

#[test]
fn a_task_that_one_side_rejected_and_archived_and_the_other_did_is_done_and_says_so() {
    let file = |status: &str, day: u32, more: &str| {
        let end = if status == "todo" {
            String::new()
        } else {
            format!(r#", "completed_at": "2026-01-0{day}T00:00:00Z""#)
        };
        format!(
            r#"{{"version": 1, "tasks": [{{"id": "RQ-0001", "title": "One", "status": "{status}", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-0{day}T00:00:00Z"{end}{more}}}]}}"#
        )
    };
    let empty = r#"{"version": 1, "tasks": []}"#;
    let more = r#", "description": "x""#;
    for (base, archived, left) in [
        (file("todo", 1, ""), file("rejected", 3, ""), file("done", 2, more)),
        (file("todo", 1, ""), file("rejected", 2, ""), file("done", 3, more)),
        (file("rejected", 1, ""), file("rejected", 1, ""), file("done", 2, more)),
        (file("todo", 1, ""), file("done", 3, ""), file("rejected", 2, more)),
        (file("todo", 1, ""), file("done", 2, ""), file("rejected", 3, more)),
    ] {
        let done = Document::parse(archived).unwrap();
        for is_ours in [true, false] {
            let (ours, theirs) = if is_ours { (empty, &*left) } else { (&*left, empty) };
            let mut merged = three_way(&base, ours, theirs).unwrap();
            let files = if is_ours { (Some(&done), None) } else { (None, Some(&done)) };
            let settled = merged.settle_finished(files.0, files.1).unwrap();
            assert_eq!((settled.finished.len(), settled.two_ends.len()), (1, 1));
            assert!(merged.conflicts.is_empty(), "{:?}", merged.conflicts);
            let queue = Queue::new(Document::parse(merged.text).unwrap(), Some(done.clone()));
            assert_eq!(queue.leftovers().count(), 1);
            let healed = Edit::new(&queue, "2026-01-04T00:00:00Z".parse().unwrap()).splice();
            let healed = healed.unwrap().done.unwrap();
            let [task] = healed.tasks().iter().collect::<Vec<_>>()[..] else { panic!() };
            assert_eq!((task.status, task.description.as_deref()), (Status::Done, Some("x")));
            assert_eq!(task.notes, ["Another copy of this task had `status`: \"rejected\""]);
        }
    }
}

#[test]
fn a_task_of_two_ends_that_one_side_archived_and_the_other_gave_a_new_title_is_one() {
    let file = |title: &str, status: &str, moment: u32| {
        let end = match status {
            "todo" => String::new(),
            _ => format!(r#", "completed_at": "2026-01-02T00:00:00.00000000{moment}Z""#),
        };
        format!(
            r#"{{"version": 1, "tasks": [{{"id": "RQ-0001", "title": "{title}", "status": "{status}", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00.00000000{moment}Z"{end}}}]}}"#
        )
    };
    let empty = r#"{"version": 1, "tasks": []}"#;
    let base = file("One", "todo", 1);
    for (archived, left, moved_at, left_at) in [
        ("rejected", "done", 2, 3),
        ("rejected", "done", 3, 2),
        ("done", "rejected", 2, 3),
        ("done", "rejected", 3, 2),
    ] {
        let done = Document::parse(file("One", archived, moved_at)).unwrap();
        let left = file("Other", left, left_at);
        for is_ours in [true, false] {
            let (ours, theirs) = if is_ours { (empty, &*left) } else { (&*left, empty) };
            let mut merged = three_way(&base, ours, theirs).unwrap();
            let files = if is_ours { (Some(&done), None) } else { (None, Some(&done)) };
            assert_eq!(merged.settle_finished(files.0, files.1).unwrap().two_ends.len(), 1);
            let queue = Queue::new(Document::parse(merged.text).unwrap(), Some(done.clone()));
            let mut edit = Edit::new(&queue, "2026-01-04T00:00:00Z".parse().unwrap());
            edit.repair(&Rules::default()).unwrap();
            let spliced = edit.splice().unwrap();
            assert_eq!(spliced.queue.unwrap().tasks().len(), 0);
            let done = spliced.done.unwrap();
            let [task] = done.tasks().iter().collect::<Vec<_>>()[..] else { panic!() };
            assert_eq!(task.status, Status::Done);
            // The later end is there, if only in a note, and both titles are.
            for kept in ["One", "Other", "00.000000003Z"] {
                assert!(done.text().contains(kept), "{kept} in {}", done.text());
            }
        }
    }
}

#[test]
fn what_was_finished_in_the_base_and_opened_again_is_not_finished_by_a_move() {
    let task = |status: &str, at: &str| {
        format!(
            r#"{{"version": 1, "tasks": [{{"id": "RQ-0001", "title": "One", "status": "{status}", "updated_at": "2026-01-0{at}T00:00:00Z"}}]}}"#
        )
    };
    let (base, reopened) = (task("done", "1"), task("todo", "2"));
    let empty = r#"{"version": 1, "tasks": []}"#;
    let done = Document::parse(task("done", "1")).unwrap();
    for is_ours in [true, false] {
        let (ours, theirs) = if is_ours { (empty, &*reopened) } else { (&*reopened, empty) };
        let mut merged = three_way(&base, ours, theirs).unwrap();
        let files = if is_ours { (Some(&done), None) } else { (None, Some(&done)) };
        let conflict = &merged.conflicts[0];
        assert!(conflict.is_move(&DoneTasks::new(files.0, files.1)));
        // Nobody knows what that side has: its copy may be the last.
        assert!(conflict.is_move(&DoneTasks::new(None, None)));
        // Where nobody has it in a done file, somebody has to say what is right.
        let none = Document::empty();
        assert!(!conflict.is_move(&DoneTasks::new(Some(&none), Some(&none))));
        assert_eq!(merged.settle_finished(files.1, files.0).unwrap(), Settled::default());
        assert_eq!(merged.conflicts.len(), 1);
        let Settled { finished, reopened, .. } = merged.settle_finished(files.0, files.1).unwrap();
        assert_eq!((finished.len(), reopened.len(), merged.conflicts.len()), (0, 1, 0));
        let queue = Queue::new(Document::parse(merged.text).unwrap(), Some(done.clone()));
        assert_eq!(queue.document().tasks()[0].status, Status::Todo);
        assert_eq!((queue.leftovers().count(), queue.reopened().count()), (0, 1));
    }
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
            /* the first,
               says theirs */
            // the first, says ours
            {
              "id": "RQ-0001",
              "title": "Eins",
              "status": "doing", // now
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

const REMARKED: &str = r#"{
  "version": 1,
  "tasks": [
    // about 1
    {
      "id": "RQ-0001",
      "title": "T1", // t1
      "status": "todo",
      "tags": [
        "x", // x!
        /* y? */ "y" // y!
      ]
    }, // behind
    {"id": "RQ-0002", "title": "T2"}
  ]
}
"#;

#[test]
fn a_comment_that_one_side_changed_is_changed_in_its_place() {
    let ours = REMARKED.replace("\"T1\"", "\"One\"");
    for (from, to) in [
        ("// about 1", "// about ONE"),
        ("// about 1", "/* about\n       one */"),
        ("    // about 1\n", ""),
        ("// t1", "// the first"),
        (" // t1", ""),
        ("\"todo\",", "\"todo\", // now"),
        ("      \"status\"", "      // see there\n      \"status\""),
        ("// x!", "// X!"),
        ("/* y? */ ", ""),
        ("// behind", "// BEHIND"),
        (" // behind", ""),
    ] {
        let theirs = REMARKED.replace(from, to);
        let wanted = theirs.replace("\"T1\"", "\"One\"");
        for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
            let merged = three_way(REMARKED, ours, theirs).unwrap();
            assert_eq!((merged.text.as_str(), merged.conflicts), (wanted.as_str(), vec![]));
        }
    }
}

#[test]
fn comments_that_both_changed_are_the_same_whichever_side_is_ours() {
    let ours = REMARKED
        .replace("about 1", "about ONE")
        .replace("// t1", "// the first")
        .replace("\"T1\"", "\"One\"")
        .replace("    }, // behind", "    },");
    let theirs = REMARKED
        .replace("about 1", "about eins")
        .replace("// t1", "// the one")
        .replace("todo", "doing")
        .replace("// x!", "// x!\n        \"z\", // z!")
        .replace("/* y? */", "/* why? */");
    let merged = three_way(REMARKED, &ours, &theirs).unwrap();
    expect![[r#"
        {
          "version": 1,
          "tasks": [
            // about ONE
            // about eins
            {
              "id": "RQ-0001",
              // the one
              "title": "One", // the first
              "status": "doing",
              "tags": [
                "x", // x!
                "z", // z!
                /* why? */ "y" // y!
              ]
            },
            {"id": "RQ-0002", "title": "T2"}
          ]
        }
    "#]]
    .assert_eq(&merged.text);
    let mirrored = three_way(REMARKED, &theirs, &ours).unwrap();
    assert_eq!(mirrored.text, merged.text);
    for side in [ours, theirs] {
        assert_eq!(three_way(REMARKED, &merged.text, &side).unwrap().text, merged.text);
    }
}

#[test]
fn a_comment_is_not_removed_with_its_task_by_the_side_that_has_not_seen_it() {
    let removed = {
        let document = Document::parse(REMARKED).unwrap();
        let mut draft = document.draft();
        draft.take(0);
        draft.splice().unwrap().unwrap().text().to_owned()
    };
    // Nothing of the removed task is left, so that its place is the only difference.
    assert!(!removed.contains("about 1") && !removed.contains("behind"), "{removed}");
    for (from, to, is_kept) in [
        ("// about 1", "// about ONE", true),
        ("// about 1\n", "// about 1\n    /* about 1 */\n", true),
        ("// about 1\n", "// about 1\n    // about 1\n", true),
        ("\"todo\",", "\"todo\", // now", true),
        ("// x!", "// X!", true),
        ("// behind", "// BEHIND", true),
        ("// about 1", "   // about 1", false),
        ("    // about 1\n", "", false),
        (" // behind", "", false),
        (" // t1", "", false),
    ] {
        let remarked = REMARKED.replace(from, to);
        for (ours, theirs) in [(&removed, &remarked), (&remarked, &removed)] {
            let merged = three_way(REMARKED, ours, theirs).unwrap();
            let wanted = if is_kept { &remarked } else { &removed };
            assert_eq!(merged.text, *wanted, "{to}");
            let conflict = merged.conflicts.first();
            assert_eq!(conflict.is_some_and(Conflict::is_about_comments), is_kept, "{to}");
            let comments: Vec<&str> =
                conflict.iter().flat_map(|it| &it.comments).map(String::as_str).collect();
            let added = to.lines().last().unwrap_or(to).trim().trim_start_matches("\"todo\", ");
            assert_eq!(comments, if is_kept { vec![added] } else { Vec::new() }, "{to}");
            for side in [ours, theirs] {
                let again = three_way(REMARKED, &merged.text, side).unwrap();
                assert_eq!(again.text, merged.text, "{to}");
            }
        }
    }
}

#[test]
fn a_comment_follows_the_task_that_the_other_side_moved_to_its_done_file() {
    let base = Texts { queue: REMARKED, done: None };
    let task = Document::parse(REMARKED).unwrap().tasks()[0].clone();
    let landed = finish_task(base, &task, Finish::Archive, super::now(), None).unwrap();
    let remarked = REMARKED.replace("\"todo\",", "\"todo\", // now").replace("ut 1", "ut ONE");
    let comments = |text: &str| {
        ["// about 1", "// about ONE", "// now"].map(|comment| text.matches(comment).count())
    };
    for is_ours in [true, false] {
        let sides = if is_ours { [&landed.queue, &remarked] } else { [&remarked, &landed.queue] };
        let files =
            if is_ours { [landed.done.as_deref(), None] } else { [None, landed.done.as_deref()] };
        // One file at a time, as git asks for it, and then both as one.
        let done = files.map(|done| done.map(|text| Document::parse(text).unwrap()));
        let mut merged = three_way(REMARKED, sides[0], sides[1]).unwrap();
        let settled = merged.settle_finished(done[0].as_ref(), done[1].as_ref()).unwrap();
        assert_eq!((settled.finished.len(), merged.conflicts.len()), (1, 0));
        let queue = both_files(&merged.text, landed.done.as_deref().unwrap());
        assert_eq!(super::ids(queue.tasks()), "RQ-0002:todo");
        let healed = Edit::new(&queue, super::now()).splice().unwrap();
        assert_eq!(comments(healed.queue.unwrap().text()), [0, 0, 0]);
        assert_eq!(comments(healed.done.unwrap().text()), [1, 1, 1]);

        let [ours, theirs] = [0, 1].map(|it| Texts { queue: sides[it], done: files[it] });
        let merged = three_way_files(base, ours, theirs).unwrap();
        assert_eq!(merged.conflicts, []);
        assert_eq!(comments(&merged.queue), [0, 0, 0]);
        assert_eq!(comments(&merged.done.unwrap()), [0, 1, 1]);
    }
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

#[test]
fn what_others_have_seen_keeps_its_id_and_is_not_renumbered_twice() {
    let queue = |tasks: &[&str]| format!(r#"{{"version": 1, "tasks": [{}]}}"#, tasks.join(", "));
    let task = |id: &str, title: &str, day: u32, more: &str| {
        let time = format!("2026-01-0{day}T00:00:00.000001Z");
        format!(r#"{{"id": "{id}", "title": "{title}", "created_at": "{time}"{more}}}"#)
    };
    let base = queue(&[]);
    // Ours is the older one, and stands nowhere else.
    let mine = task("RQ-0001", "mine", 1, "");
    let theirs = task("RQ-0001", "theirs", 2, "");
    let former = r#", "status": "done", "custom_fields": {"former_ids": "RQ-0001"}"#;
    let landed = task("RQ-0007", "mine", 1, former);
    let shown = |text: String| {
        let queue = Document::parse(text).unwrap();
        let line = |task: &Task| format!("{} {} {}", task.id, task.title, task.status.as_str());
        let mut lines: Vec<String> = queue.tasks().iter().map(line).collect();
        lines.sort();
        lines
    };
    let merged = |ours: &str, theirs: &str| {
        let side = |queue| Texts { queue, done: None };
        shown(three_way_files(side(&base), side(ours), side(theirs)).unwrap().queue)
    };
    let mine = queue(&[&mine]);
    let wanted = ["RQ-0001 theirs todo", "RQ-0002 mine todo"];
    assert_eq!(merged(&mine, &queue(&[&theirs])), wanted);
    let both = queue(&[&theirs, &landed]);
    let wanted = ["RQ-0001 theirs todo", "RQ-0007 mine done"];
    assert_eq!(merged(&mine, &both), wanted);
    // So do the branches of a merge, whichever is ours.
    for (ours, theirs) in [(&mine, &both), (&both, &mine)] {
        assert_eq!(shown(three_way(&base, ours, theirs).unwrap().text), wanted);
    }
}

/// A queue with these tasks: id, title, the day on which it was made, and the rest of it.
fn made(tasks: &[(u32, &str, u32, &str)]) -> String {
    let task = |(id, title, day, more): &(u32, &str, u32, &str)| {
        let time = format!("2026-01-0{day}T00:00:00Z");
        format!(r#"{{"id": "RQ-000{id}", "title": "{title}", "created_at": "{time}"{more}}}"#)
    };
    let tasks: Vec<String> = tasks.iter().map(task).collect();
    format!("{{\"version\": 1, \"tasks\": [\n{}\n]}}", tasks.join(",\n"))
}

/// The tasks in order of their ids and titles, and what they depend on.
fn shown(text: &str) -> Vec<String> {
    let queue = Document::parse(text).unwrap();
    let line = |task: &Task| {
        let names = task.depends_on.iter().map(String::as_str);
        let words = [task.id.as_str(), &task.title, task.status.as_str()].into_iter();
        words.chain(names).collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<String> = queue.tasks().iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn two_branches_that_parted_a_rejected_task_merge_to_one() {
    let task = |id: &str, title: &str, rest: &str| {
        format!(
            r#"{{"id": "{id}", "title": "{title}", "created_at": "2026-01-01T00:00:00Z"{rest}}}"#
        )
    };
    let file = |tasks: &[String]| format!("{{\"version\": 1, \"tasks\": [{}]}}", tasks.join(","));
    let parted = |id: &str| {
        let rest = r#", "status": "rejected", "custom_fields": {"former_ids": "RQ-0002"}"#;
        task(id, "shed", rest)
    };
    let open = task("RQ-0002", "login", "");
    let base = file(&[task("RQ-0002", "shed", r#", "status": "rejected""#), open.clone()]);
    let same = file(&[parted("RQ-0003"), open.clone()]);
    let later = file(&[parted("RQ-0004"), open, task("RQ-0003", "new", "")]);
    for (ours, theirs, wanted) in [
        (&same, &same, vec!["RQ-0002 login", "RQ-0003 shed"]),
        (&same, &later, vec!["RQ-0002 login", "RQ-0003 shed", "RQ-0005 new"]),
        (&later, &same, vec!["RQ-0002 login", "RQ-0003 shed", "RQ-0005 new"]),
        (&base, &later, vec!["RQ-0002 login", "RQ-0003 new", "RQ-0004 shed"]),
    ] {
        let merged = three_way(&base, ours, theirs).unwrap();
        assert_eq!(merged.conflicts, []);
        let document = Document::parse(merged.text).unwrap();
        let mut found: Vec<String> =
            document.tasks().iter().map(|task| format!("{} {}", task.id, task.title)).collect();
        found.sort();
        assert_eq!(found, wanted);
    }
}

#[test]
fn parts_that_were_made_at_one_time_are_told_apart_by_their_titles() {
    // As 0.4.0 splits a task: all parts have one time, which no other task has.
    let part = |id: u32, number: u32, more: &str| {
        format!(
            r#"{{"id": "RQ-000{id}", "title": "Big ({number}/2)", "created_at": "2026-01-01T00:00:00.123456789Z"{more}}}"#
        )
    };
    let file =
        |tasks: &[String]| format!("{{\"version\": 1, \"tasks\": [\n{}\n]}}", tasks.join(",\n"));
    let former = |id: u32| format!(r#", "custom_fields": {{"former_ids": "RQ-000{id}"}}"#);
    let base = file(&[part(1, 1, ""), part(2, 2, "")]);
    // A merge gave them other ids, the first the one that the second had.
    let ours = file(&[part(2, 1, &former(1)), part(3, 2, &former(2))]);
    let theirs = file(&[part(1, 1, r#", "status": "done""#), part(2, 2, "")]);
    for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
        let merged = three_way(&base, one, other).unwrap();
        assert_eq!(shown(&merged.text), ["RQ-0002 Big (1/2) done", "RQ-0003 Big (2/2) todo"]);
        assert_eq!(merged.conflicts, []);
    }
}

#[test]
fn a_base_that_git_made_of_several_adds_no_id_to_those_that_both_sides_know() {
    const FORMER: &str = r#", "custom_fields": {"former_ids": "RQ-0003"}"#;
    let base = made(&[(1, "one", 1, ""), (4, "two", 2, FORMER)]);
    let ours = made(&[(1, "first", 1, ""), (5, "two", 2, FORMER)]);
    let theirs = made(&[(1, "one", 1, ""), (5, "two", 2, FORMER), (6, "three", 3, "")]);
    for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
        let merged = three_way(&base, one, other).unwrap();
        assert_eq!((merged.renumbered, merged.conflicts), (vec![], vec![]));
        let document = Document::parse(merged.text).unwrap();
        let tasks = document.tasks();
        let two = &tasks[1];
        let former: Vec<_> = two.former_ids().collect();
        assert_eq!((two.id.as_str(), former), ("RQ-0005", vec!["RQ-0003"]));
    }
}

#[test]
fn a_task_whose_id_has_no_number_gets_one_too() {
    let version = |id: &str, title: &str, time: &str| {
        format!(
            r#"{{"version": 1, "tasks": [{{"id": "{id}", "title": "{title}", "created_at": "{time}"}}]}}"#
        )
    };
    let long = "x".repeat(TaskId::MAX_LEN);
    for (id, new) in [
        ("odd", "ODD-0001"),
        (&long, "RQ-0001"),
        ("RQ-999999999999999999", "RQ-999999999999999999-0001"),
        ("RQ-18446744073709551615", "RQ-00000000000000000001"),
        ("RQ-99999999999999999999", "RQ-00000000000000000001"),
    ] {
        let (one, other) = (version(id, "one", "1"), version(id, "other", "2"));
        let base = r#"{"version": 1, "tasks": []}"#;
        let merged = three_way(base, &one, &other).unwrap();
        let mut wanted = [format!("{new} other todo"), format!("{id} one todo")];
        wanted.sort();
        assert_eq!(shown(&merged.text), wanted);
        assert_eq!(shown(&three_way(base, &other, &one).unwrap().text), shown(&merged.text));
    }
}

#[test]
fn an_edit_comes_to_its_task_also_under_the_id_that_a_merge_gave_it() {
    const FORMER: &str = r#", "custom_fields": {"former_ids": "RQ-0006"}"#;
    const DONE: &str = r#", "status": "done""#;
    let base = made(&[(6, "second", 2, "")]);
    let ours = made(&[(6, "first", 1, ""), (7, "second", 2, FORMER)]);
    let follow_up = (7, "third", 3, r#", "depends_on": ["RQ-0006"]"#);
    let theirs = made(&[(6, "second", 2, DONE), follow_up]);
    let wanted = ["RQ-0006 first todo", "RQ-0007 second done", "RQ-0008 third todo RQ-0007"];
    let renumbered = [("RQ-0006", "RQ-0007"), ("RQ-0007", "RQ-0008")];
    for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
        let merged = three_way(&base, one, other).unwrap();
        assert_eq!(shown(&merged.text), wanted);
        assert_eq!(merged.conflicts, []);
        let ids = |(old, new): &(TaskId, TaskId)| (old.to_string(), new.to_string());
        let found: Vec<_> = merged.renumbered.iter().map(ids).collect();
        assert_eq!(found, renumbered.map(|(old, new)| (old.to_owned(), new.to_owned())));
        let former = Document::parse(merged.text.as_str()).unwrap().tasks().to_vec();
        let former: Vec<_> = former.iter().flat_map(Task::former_ids).collect();
        assert_eq!(former, ["RQ-0006", "RQ-0007"]);
        for side in [&ours, &theirs] {
            assert_eq!(shown(&three_way(&base, &merged.text, side).unwrap().text), wanted);
        }
    }
    let side = |queue| Texts { queue, done: None };
    let files = three_way_files(side(&base), side(&theirs), side(&ours)).unwrap();
    assert_eq!(shown(&files.queue), wanted);
    // Also where it was moved to the other file, and where nobody touched it since.
    let queue = made(&[(6, "first", 1, "")]);
    let done = made(&[(7, "second", 2, &format!("{DONE}{FORMER}"))]);
    let landed = Texts { queue: &queue, done: Some(&done) };
    for mine in [&theirs, &made(&[(6, "second", 2, ""), follow_up])] {
        let files = three_way_files(side(&base), side(mine), landed).unwrap();
        assert_eq!(shown(&files.done.unwrap()), ["RQ-0007 second done"]);
        assert_eq!(shown(&files.queue), ["RQ-0006 first todo", "RQ-0008 third todo RQ-0007"]);
    }
}

#[test]
fn another_task_in_the_place_of_one_that_is_gone_gets_none_of_its_edits() {
    let base = made(&[(1, "old", 1, ""), (2, "kept", 2, "")]);
    let ours = made(&[(1, "new", 3, ""), (2, "kept", 2, "")]);
    let theirs = base.replace("\"old\"", "\"old\", \"status\": \"done\"");
    let wanted = ["RQ-0001 old done", "RQ-0002 kept todo", "RQ-0003 new todo"];
    for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
        let merged = three_way(&base, one, other).unwrap();
        assert_eq!(shown(&merged.text), wanted);
        assert!(merged.has_removals());
    }
}

#[test]
fn tasks_with_one_id_are_neither_lost_nor_doubled() {
    let base = made(&[(1, "one", 1, ""), (2, "two", 1, ""), (3, "A", 3, ""), (3, "B", 2, "")]);
    let edited = base.replace("\"two\"", "\"two, edited\"");
    let check = |one: &str, other: &str, wanted: &[&str]| {
        for (one, other) in [(one, other), (other, one)] {
            let merged = three_way(&base, one, other).unwrap();
            assert_eq!(shown(&merged.text), wanted);
            assert_eq!(merged.conflicts, []);
            assert_eq!(merged.renumbered, []);
            for side in [one, other] {
                assert_eq!(shown(&three_way(&base, &merged.text, side).unwrap().text), wanted);
            }
        }
    };
    let [one, two] = ["RQ-0001 uno todo", "RQ-0002 two, edited todo"];
    let other = base.replace("\"one\"", "\"uno\"");
    check(&edited, &other, &[one, two, "RQ-0003 A todo", "RQ-0003 B todo"]);
    let by_hand = other.replace("\"B\"", "\"C\"");
    check(&edited, &by_hand, &[one, two, "RQ-0003 A todo", "RQ-0003 C todo"]);
    let removed = other.replace(
        ",\n{\"id\": \"RQ-0003\", \"title\": \"B\", \"created_at\": \"2026-01-02T00:00:00Z\"}",
        "",
    );
    assert_ne!(removed, other);
    check(&edited, &removed, &[one, two, "RQ-0003 A todo"]);

    let queue = Queue::new(Document::parse(base.as_str()).unwrap(), None);
    let mut repair = Edit::new(&queue, super::now());
    repair.repair(&ralph_queue::Rules::default()).unwrap();
    let repaired = repair.splice().unwrap().queue.unwrap();
    assert!(shown(repaired.text()).contains(&"RQ-0004 A todo".to_owned()));
    let with_new = made(&[
        (1, "one", 1, ""),
        (2, "two", 1, ""),
        (3, "A", 3, r#", "notes": ["n"]"#),
        (3, "B", 2, ""),
        (4, "new", 5, ""),
    ]);
    for (one, other) in [(repaired.text(), with_new.as_str()), (&with_new, repaired.text())] {
        let merged = three_way(&base, one, other).unwrap();
        let tasks = ["RQ-0003 B todo", "RQ-0004 A todo", "RQ-0005 new todo"];
        assert_eq!(shown(&merged.text)[2..], tasks);
        assert_eq!(merged.text.matches("\"n\"").count(), 1);
    }
}

#[test]
fn copies_of_a_task_stay_as_many_as_they_are() {
    let twin = (3, "twin", 3, "");
    let base = made(&[(1, "one", 1, ""), twin, twin]);
    let ours = base.replace("\"one\"", "\"uno\"");
    let theirs = made(&[(1, "one", 1, ""), twin, (3, "twin", 3, r#", "status": "done""#)]);
    let one = made(&[(1, "one", 1, ""), twin]);
    let [done, open] = ["RQ-0003 twin done", "RQ-0003 twin todo"];
    for (theirs, wanted) in [(&theirs, &[done, open][..]), (&base, &[open, open]), (&one, &[open])]
    {
        for (one, other) in [(&ours, theirs), (theirs, &ours)] {
            assert_eq!(shown(&three_way(&base, one, other).unwrap().text)[1..], *wanted);
        }
    }
}

#[test]
fn what_cannot_be_told_apart_is_not_merged() {
    let task = |title: &str| format!(r#"{{"id": "RQ-0003", "title": "{title}"}}"#);
    let file = |tasks: &[String]| format!("{{\"version\": 1, \"tasks\": [{}]}}", tasks.join(","));
    let base = file(&[task("A"), task("B")]);
    let ours = file(&[task("C"), task("D")]);
    let theirs = base.replace("\"A\"", "\"A\", \"status\": \"done\"");
    for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
        let error = three_way(&base, one, other).unwrap_err();
        assert!(error.to_string().ends_with("has the id `RQ-0003` twice"), "{error}");
    }
}

const FRAMED: &str = r#"// head
{
  "version": 1,
  // work
  "tasks": [
    // first part

    {"id": "RQ-0001", "title": "One"},
    {"id": "RQ-0002", "title": "Two"}
    // end
  ],
  "meta": {"a": 1}
}
// foot
"#;

#[test]
fn what_stands_around_the_tasks_is_merged_too() {
    let ours = FRAMED
        .replace("\"One\"", "\"Eins\"")
        .replace("// head", "// head\n// of ours")
        .replace("{\"a\": 1}", "{\"a\": 1, \"ours\": true}");
    let theirs = FRAMED
        .replace("// head", "// head of theirs")
        .replace("// foot\n", "// foot\n// foot of theirs")
        .replace("// work", "// work to do")
        .replace("// first part", "// first part\n    /* it is\n       long */")
        .replace("    // end\n", "    // end\n    // really\n")
        .replace("    {\"id\": \"RQ-0002\"", "    // second part\n\n    {\"id\": \"RQ-0002\"")
        .replace("{\"a\": 1}", "{\"a\": 2},\n  // new\n  \"x\": [1]");
    let merged = three_way(FRAMED, &ours, &theirs).unwrap();
    assert_eq!(merged.conflicts, []);
    expect![[r#"
        // head of theirs
        // of ours
        {
          "version": 1,
          // work to do
          "tasks": [
            // first part
            /* it is
               long */

            {"id": "RQ-0001", "title": "Eins"},
            // second part

            {"id": "RQ-0002", "title": "Two"}
            // end
            // really
          ],
          "meta": {"a": 2, "ours": true},
          // new
          "x": [1]
        }
        // foot
        // foot of theirs"#]]
    .assert_eq(&merged.text);
    let again = three_way(FRAMED, &merged.text, &theirs).unwrap();
    assert_eq!((again.text, again.conflicts), (merged.text, Vec::new()));
}

#[test]
fn a_comment_between_tasks_is_changed_in_its_place_and_heads_the_same_tasks() {
    let base = FRAMED
        .replace("\"version\": 1,", "\"version\": 1, // one")
        .replace(
            "    {\"id\": \"RQ-0002\"",
            "\n    // second part\n    // of two\n\n    {\"id\": \"RQ-0002\"",
        )
        .replace("{\"a\": 1}", "{\"a\": 1 /* a */}");
    let ours = base.replace("\"One\"", "\"Eins\"");
    for (from, to) in [
        ("// head", "// HEAD"),
        ("// one", "// ONE"),
        ("// work", "// WORK"),
        ("// first part", "// FIRST part"),
        ("// second part", "// SECOND part"),
        ("    // of two\n", ""),
        ("// of two", "// of TWO"),
        ("// end", "/* END */"),
        ("/* a */", "/* A */"),
        (" /* a */", ""),
        ("// foot", "// FOOT"),
    ] {
        let theirs = base.replace(from, to);
        let wanted = theirs.replace("\"One\"", "\"Eins\"");
        for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
            let merged = three_way(&base, ours, theirs).unwrap();
            assert_eq!((merged.text.as_str(), merged.conflicts), (wanted.as_str(), vec![]));
        }
    }
}

#[test]
fn a_key_of_the_file_that_both_changed_is_a_conflict() {
    let side = |value: &str| FRAMED.replace("{\"a\": 1}", value);
    let merged = three_way(FRAMED, &side("{\"a\": 2}"), &side("{\"a\": 3}")).unwrap();
    assert_eq!(merged.text, side("{\"a\": 2}"));
    let conflict = &merged.conflicts[0];
    assert_eq!((&conflict.task, conflict.field.as_deref()), (&None, Some("meta.a")));
    assert_eq!(conflict.theirs, Some(3.into()));
}

#[test]
fn one_line_files_take_comments_too() {
    let base = r#"{"version":1,"tasks":[{"id":"RQ-1","title":"a"}, {"id":"RQ-2","title":"b"}]}"#;
    let ours = base.replace("\"a\"", "\"c\"");
    let theirs = "/* h */ {\"version\":1, // v\n\"tasks\":[ // t\n{\"id\":\"RQ-1\",\"title\":\"a\"},\n// s\n\n{\"id\":\"RQ-2\",\"title\":\"b\"}\n// e\n] // l\n} // f";
    let merged = three_way(base, &ours, theirs).unwrap();
    for comment in ["/* h */", "// v", "// t", "// s", "// e", "// l", "// f"] {
        assert_eq!(merged.text.matches(comment).count(), 1, "{comment}: {}", merged.text);
    }
    let again = three_way(base, &merged.text, theirs).unwrap();
    assert_eq!(again.text, merged.text);
}

#[test]
fn the_order_is_that_of_the_side_that_changed_it() {
    let base = text(&["", "", "", ""]);
    let ordered = |text: &str, order: &[usize]| {
        let document = Document::parse(text).unwrap();
        let mut draft = document.draft();
        draft.sort_by(|one, other| {
            let rank = |id: &str| order.iter().position(|number| id.ends_with(&number.to_string()));
            rank(one.id.as_str()).cmp(&rank(other.id.as_str()))
        });
        draft.splice().unwrap().unwrap().text().to_owned()
    };
    let ids = |text: &str| super::ids(Document::parse(text).unwrap().tasks()).replace(":todo", "");
    let sorted = ordered(&base, &[4, 2, 1, 3]);
    let added = text(&["", "", "", "", ""]);
    for (ours, theirs) in [(&sorted, &added), (&added, &sorted)] {
        let merged = three_way(&base, ours, theirs).unwrap();
        assert_eq!(merged.conflicts, []);
        assert_eq!(ids(&merged.text), "RQ-0004 RQ-0005 RQ-0002 RQ-0001 RQ-0003");
    }
    // Both.
    let other = ordered(&base, &[1, 2, 4, 3]);
    for (ours, theirs) in [(&sorted, &other), (&other, &sorted)] {
        let merged = three_way(&base, ours, theirs).unwrap();
        assert_eq!(merged.conflicts, []);
        assert_eq!(ids(&merged.text), "RQ-0004 RQ-0002 RQ-0001 RQ-0003");
    }
    // Where 2 is to be before 1, 3 before 2 and 1 before 3, one of them, and it is said.
    let other = ordered(&base, &[1, 3, 2, 4]);
    for (ours, theirs) in [(&sorted, &other), (&other, &sorted)] {
        let merged = three_way(&base, ours, theirs).unwrap();
        assert_eq!(ids(&merged.text), "RQ-0001 RQ-0003 RQ-0002 RQ-0004");
        assert_eq!(merged.conflicts[0].field.as_deref(), Some("tasks"));
    }
}

#[test]
fn a_step_changed_twice_is_a_conflict_and_additions_are_not() {
    let base = text(&[r#""plan": ["read", "write", "test"]"#]);
    let side = |plan: &str| text(&[&format!("\"plan\": {plan}")]);
    let merge = |ours: &str, theirs: &str| {
        let merged = three_way(&base, &side(ours), &side(theirs)).unwrap();
        let plan = Document::parse(merged.text).unwrap().tasks()[0].plan.join(" ");
        (plan, merged.conflicts.iter().filter_map(|conflict| conflict.field.clone()).collect())
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(
        merge(r#"["plan", "read", "write", "test"]"#, r#"["read", "write", "check", "test"]"#),
        ("plan read write check test".to_owned(), none)
    );
    assert_eq!(
        merge(r#"["read", "draw", "test"]"#, r#"["read", "sing", "test"]"#),
        ("read draw sing test".to_owned(), vec!["plan".to_owned()])
    );
}

/// As it stands after a merge of each file by itself, see [`ralph_queue::merge::Merged::settle_finished`]:
/// one branch finished the task, the other worked on it.
fn both_files(open: &str, done: &str) -> Queue {
    let parse = |text: &str| Document::parse(text).unwrap();
    Queue::new(parse(open), Some(parse(done)))
}

#[test]
fn a_task_finished_on_one_branch_and_changed_on_the_other_is_finished_once() {
    let open =
        text(&[r#""status": "done", "tags": ["x"], "notes": ["by hand"], "priority": "high""#, ""])
            .replace("    {\"id\": \"RQ-0001\"", "    // look here\n    {\"id\": \"RQ-0001\"")
            .replace("\"updated_at\": \"2026-01-01", "\"updated_at\": \"2026-03-01");
    let done =
        text(&[r#""status": "done", "completed_at": "2026-02-01T00:00:00Z", "notes": ["landed"]"#]);
    let queue = both_files(&open, &done);
    assert_eq!(super::ids(queue.tasks()), "RQ-0002:todo");
    let healed = Edit::new(&queue, super::now()).splice().unwrap();
    let (open, done) = (healed.queue.unwrap(), healed.done.unwrap());
    assert_eq!(super::ids(open.tasks()), "RQ-0002:todo");
    let task = &done.tasks()[0];
    assert_eq!((task.status, &task.tags), (Status::Done, &vec!["x".to_owned()]));
    assert_eq!(
        task.notes,
        ["by hand", "landed", "Another copy of this task had `priority`: \"medium\""]
    );
    // A crash between the two saves: the same again.
    let again = both_files(queue.document().text(), done.text());
    let again = Edit::new(&again, super::now()).splice().unwrap();
    assert_eq!((again.queue, again.done), (Some(open), None));
}

#[test]
fn of_two_copies_of_a_finished_task_the_values_of_the_one_changed_last_stand() {
    let end = r#""completed_at": "2026-01-02T00:00:00Z","#;
    let copy = |priority: &str, at: &str, end: &str| {
        format!(
            r#"{{"version": 1, "tasks": [{{"id": "RQ-0001", "title": "One", "status": "done", {end} "priority": "{priority}",
               "created_at": "2026-01-01T00:00:00Z", "updated_at": "{at}"}}]}}"#
        )
    };
    let cases = [
        ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "", "high"),
        ("2026-01-03T00:00:00Z", "2026-01-02T00:00:00Z", "", "low"),
        // Times, not texts.
        ("2026-01-02T00:30:00+02:00", "2026-01-02T00:00:00Z", "", "high"),
        ("2026-01-02T00:00:00Z", "soon", end, "low"),
        ("", "2026-01-02T00:00:00Z", "", "low"),
        ("", "2026-01-02T00:00:00Z", end, "high"),
        // At one time: only what a merge with a base left says more than the finished one.
        ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", "", "low"),
        ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", end, "high"),
    ];
    for (done_at, left_at, left_end, stands) in cases {
        let (left, done) = (copy("high", left_at, left_end), copy("low", done_at, end));
        let heal = |done: &str| {
            let queue = both_files(&left, done);
            Edit::new(&queue, super::now()).splice().unwrap().done
        };
        let healed = heal(&done).unwrap();
        let task = &healed.tasks()[0];
        let lost = if stands == "high" { "low" } else { "high" };
        assert_eq!(task.priority.as_str(), stands, "{done_at} {left_at}");
        assert_eq!(task.notes, [format!("Another copy of this task had `priority`: \"{lost}\"")]);
        assert_eq!(
            (task.status, task.completed_at.as_deref()),
            (Status::Done, Some("2026-01-02T00:00:00Z"))
        );
        assert_eq!(heal(healed.text()), None, "{done_at} {left_at}");
    }
}

#[test]
fn what_only_one_branch_edited_stands_when_the_other_finished_the_task() {
    let task = |fields: &str| {
        format!(
            r#"{{"version": 1, "tasks": [{{"id": "RQ-0001", "created_at": "2026-01-01T00:00:00.123456Z", {fields}}}]}}"#
        )
    };
    let base = task(r#""title": "PDF", "priority": "low", "request": "r""#);
    let edited = task(
        r#""title": "PDF and PNG", "priority": "high", "request": "theirs", "updated_at": "2026-01-02T00:00:00Z""#,
    );
    let empty = r#"{"version": 1, "tasks": []}"#;
    for (at, request, lost) in [("3", "ours", "theirs"), ("1", "theirs", "ours")] {
        let done = Document::parse(task(&format!(
            r#""title": "PDF", "priority": "low", "request": "ours", "notes": ["how"], "status": "done",
               "completed_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-0{at}T00:00:00Z""#
        )))
        .unwrap();
        for is_ours in [true, false] {
            let (ours, theirs) = if is_ours { (empty, &*edited) } else { (&*edited, empty) };
            let mut merged = three_way(&base, ours, theirs).unwrap();
            let files = if is_ours { (Some(&done), None) } else { (None, Some(&done)) };
            merged.settle_finished(files.0, files.1).unwrap();
            let queue = both_files(&merged.text, done.text());
            let healed = Edit::new(&queue, super::now()).splice().unwrap();
            assert_eq!(healed.queue.unwrap().tasks().len(), 0);
            let task = healed.done.unwrap().tasks()[0].clone();
            let Task { title, priority, .. } = &task;
            assert_eq!((title.as_str(), priority.as_str()), ("PDF and PNG", "high"));
            assert_eq!(task.request.as_deref(), Some(request));
            let note = format!("Another copy of this task had `request`: \"{lost}\"");
            assert!(task.notes.contains(&note) && task.notes.contains(&"how".to_owned()));
            assert_eq!(task.completed_at.as_deref(), Some("2026-01-01T00:00:00Z"));
        }
    }
}

#[test]
fn long_numbers_survive_being_written_again() {
    // A number that no float holds.
    let long =
        "13333333333333333333333333333333333333333333333333333333333333333333333333333333333333.33";
    let base = text(&[r#""x": {"deep": 1}"#]);
    let theirs = text(&[&format!(r#""x": {{"deep": {long}}}"#)]);
    let ours = base.replace("task 0001", "uno");
    for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
        let merged = three_way(&base, ours, theirs).unwrap();
        let task = Document::parse(merged.text).unwrap().tasks()[0].clone();
        assert_eq!(task.extra["x"].to_string(), format!(r#"{{"deep":{long}}}"#));
    }
}

#[test]
fn the_layout_of_the_whole_file_is_as_the_side_has_it_that_changed_it() {
    let ours = BASE.replace("\"One\"", "\"Uno\"");
    assert_ne!(ours, BASE);
    let lines = |text: &str| text.replace('\n', "\r\n");
    let tabs = |text: &str| text.replace("  ", "\t");
    let wide = |text: &str| text.replace("  ", "    ");
    let marked = |text: &str| format!("\u{feff}{text}");
    for lay_out in [&lines as &dyn Fn(&str) -> String, &tabs, &wide, &marked] {
        let (theirs, wanted) = (lay_out(BASE), lay_out(&ours));
        for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
            let merged = three_way(BASE, ours, theirs).unwrap();
            assert_eq!((merged.text.as_str(), merged.conflicts.len()), (wanted.as_str(), 0));
        }
        // In a conflict the values of ours stand.
        let theirs = theirs.replace("\"One\"", "\"Eins\"");
        let merged = three_way(BASE, &ours, &theirs).unwrap();
        assert_eq!((merged.text.as_str(), merged.conflicts.len()), (wanted.as_str(), 1));
    }
}

#[test]
fn a_task_that_begins_a_section_on_its_side_begins_it_in_the_merge() {
    let file = |list: &str| -> String {
        let tasks = list.chars().map(|char| match char {
            '1'..='9' => format!("{{\"id\": \"RQ-000{char}\", \"title\": \"t{char}\", \"created_at\": \"2026-01-0{char}T00:00:00Z\"}}"),
            char => char.to_string(),
        });
        format!("{{\"version\": 1, \"tasks\": [\n{}\n]}}\n", tasks.collect::<String>())
    };
    let base = file("// A\n\n1,\n2,\n\n// B\n\n// three\n3,\n4");
    for (theirs, wanted) in [
        ("// A\n\n1,\n2,\n\n// B\n\n5,\n// three\n3,\n4", "2,\n\n// B\n\n5,\n// three\n3,\n4"),
        (
            "// A\n\n1,\n2,\n\n// B\n\n// five\n5,\n6,\n// three\n3,\n4",
            "2,\n\n// B\n\n// five\n5,\n6,\n// three\n3,\n4",
        ),
        ("// A\n\n1,\n2,\n5,\n\n// B\n\n// three\n3,\n4", "2,\n5,\n\n// B\n\n// three\n3,\n4"),
    ] {
        let (theirs, wanted) = (file(theirs), file(&format!("// A\n\n1,\n{wanted}")));
        let edit = |text: &str| text.replace("\"t1\"", "\"ours\"");
        for (ours, theirs) in [(edit(&base), theirs.clone()), (theirs, edit(&base))] {
            let merged = three_way(&base, &ours, &theirs).unwrap();
            assert_eq!((merged.text, merged.conflicts.len()), (edit(&wanted), 0));
        }
    }
}

#[test]
fn tasks_stand_below_the_headings_that_the_side_gave_them_which_arranged_them() {
    // A digit is a task, a small letter that task with an edit.
    let file = |list: &str| -> String {
        let tasks = list.chars().map(|char| {
            let (number, title) = match char {
                '1'..='9' => (char, "as it was"),
                'a'..='i' => (char::from(char as u8 - b'a' + b'1'), "edited"),
                char => return char.to_string(),
            };
            format!("{{\"id\": \"RQ-000{number}\", \"title\": \"{title}\", \"created_at\": \"2026-01-0{number}T00:00:00Z\"}}")
        });
        format!("{{\"version\": 1, \"tasks\": [\n{}\n]}}\n", tasks.collect::<String>())
    };
    let base = file("// A\n\n1,\n2,\n\n// B\n\n3,\n4");
    for (one, other, wanted) in [
        // Moved into another section.
        (
            "// A\n\n3,\n1,\n2,\n\n// B\n\n4",
            "// A\n\n1,\n2,\n\n// B\n\nc,\n4",
            "// A\n\nc,\n1,\n2,\n\n// B\n\n4",
        ),
        (
            "// A\n\n3,\n1,\n2,\n\n// B\n\n4,\n5",
            "// A\n\n1,\n2,\n\n// B\n\n3,\n4,\n6",
            "// A\n\n3,\n1,\n2,\n\n// B\n\n4,\n5,\n6",
        ),
        // Sections that change places.
        (
            "// B\n\n3,\n4,\n\n// A\n\n1,\n2",
            "// A\n\n1,\n2,\n\n// B\n\nc,\n4",
            "// B\n\nc,\n4,\n\n// A\n\n1,\n2",
        ),
        (
            "// B\n\n3,\n4,\n\n// A\n\n1,\n2",
            "// A\n\n1,\n2,\n\n// B\n\n3",
            "// B\n\n3,\n\n// A\n\n1,\n2",
        ),
        (
            "// B\n\n3,\n4,\n\n// A\n\n1,\n2,\n5",
            "// A\n\n1,\n2,\n\n// B\n\n3,\n4,\n6",
            "// B\n\n3,\n4,\n6,\n\n// A\n\n1,\n2,\n5",
        ),
        // Only a heading is moved, or comes.
        (
            "// A\n\n1,\n\n// B\n\n2,\n3,\n4",
            "// A\n\na,\n2,\n\n// B\n\n3,\nd",
            "// A\n\na,\n\n// B\n\n2,\n3,\nd",
        ),
        (
            "// A\n\n1,\n2,\n\n// B\n\n3,\n\n// C\n\n4",
            "// A\n\n1,\n2,\n\n// B\n\nc,\nd",
            "// A\n\n1,\n2,\n\n// B\n\nc,\n\n// C\n\nd",
        ),
        // Only blank lines come or go.
        (
            "// A\n\n1,\n\n2,\n\n// B\n\n3,\n\n4",
            "// A\n\na,\n2,\n\n// B\n\n3,\n4,\n5",
            "// A\n\na,\n\n2,\n\n// B\n\n3,\n\n4,\n\n5",
        ),
        (
            "// A\n\n1,\n2,\n// B\n\n3,\n4",
            "// A\n\na,\n2,\n\n// B\n\n4",
            "// A\n\na,\n2,\n// B\n\n4",
        ),
        // Sorted.
        (
            "// A\n\n4,\n3,\n\n// B\n\n2,\n1",
            "// A\n\n1,\nb,\n\n// B\n\n3,\n4,\n5",
            "// A\n\n4,\n3,\n\n// B\n\nb,\n1,\n5",
        ),
        // The rest of a section goes where one comes.
        (
            "// A\n\n1,\n2\n\n// B\n",
            "// A\n\n1,\n2,\n\n// B\n\n5,\n3,\n4",
            "// A\n\n1,\n2,\n\n// B\n\n5",
        ),
    ] {
        let (one, other, wanted) = (file(one), file(other), file(wanted));
        for (ours, theirs) in [(&one, &other), (&other, &one)] {
            let merged = three_way(&base, ours, theirs).unwrap();
            assert_eq!((merged.text, merged.conflicts), (wanted.clone(), vec![]), "{theirs}");
        }
    }
    // In a conflict the value of ours stands, where the side that arranged the tasks has put it.
    let moved = file("// A\n\n3,\n1,\n2,\n\n// B\n\nd");
    let titled = file("// A\n\n1,\n2,\n\n// B\n\n3,\nd").replace("edited", "titled");
    for (ours, theirs, title) in [(&moved, &titled, "edited"), (&titled, &moved, "titled")] {
        let merged = three_way(&base, ours, theirs).unwrap();
        assert_eq!(merged.text, moved.replace("edited", title));
        let [conflict] = merged.conflicts.try_into().unwrap();
        let sides = [conflict.ours, conflict.theirs].map(|side| side == Some(title.into()));
        assert_eq!(sides, [true, false]);
    }
}

#[test]
fn a_task_that_one_side_opened_again_stays_open_where_the_other_moved_it_to_its_done_file() {
    let end = r#", "status": "done", "completed_at": "2026-01-02T00:00:00Z""#;
    let base = made(&[(1, "one", 1, end), (2, "two", 1, "")]);
    let reopened = made(&[(1, "one", 1, r#", "notes": ["again"]"#), (2, "two", 1, "")]);
    let [archived, done] = [&[(2, "two", 1, "")], &[(1, "one", 1, end)]].map(|it| made(it));
    let side = |queue, done| Texts { queue, done };
    let [one, other] = [side(&reopened, None), side(&archived, Some(&done))];
    for (ours, theirs) in [(one, other), (other, one)] {
        let merged = three_way_files(side(&base, None), ours, theirs).unwrap();
        assert_eq!(shown(&merged.queue), ["RQ-0001 one todo", "RQ-0002 two todo"]);
        assert_eq!(shown(&merged.done.unwrap()), ["RQ-0001 one done"]);
    }
}

#[test]
fn an_end_that_stands_keeps_its_time_also_in_a_merge_of_both_files() {
    let end =
        |status: &str| format!(r#", "status": "{status}", "completed_at": "2026-01-02T00:00:00Z""#);
    let [base, opened, rejected] =
        [&*end("done"), "", &*end("rejected")].map(|end| made(&[(1, "one", 1, end)]));
    let side = |queue| Texts { queue, done: None };
    for (ours, theirs) in [(&opened, &rejected), (&rejected, &opened)] {
        let merged = three_way_files(side(&base), side(ours), side(theirs)).unwrap();
        let merged = Document::parse(merged.queue).unwrap();
        let task = &merged.tasks()[0];
        let found = (task.status, task.completed_at.as_deref());
        assert_eq!(found, (Status::Rejected, Some("2026-01-02T00:00:00Z")));
    }
}
