//! What edits do to texts, by example and at random.
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use jsonc_parser::ast::Value as Node;
use jsonc_parser::common::Ranged as _;
use proptest::prelude::*;
use ralph_state::TaskId;
use ralph_state::json::to_json;

use super::sequence::Sequence;
use super::*;
use crate::queue::Queue;
use crate::task::{Field, Priority, Slot, Status};
use crate::validate::Rules;

fn id(number: usize) -> TaskId {
    format!("RQ-{number:04}").parse().unwrap()
}

fn edited(text: &str, edit: impl FnOnce(&mut Draft<'_>)) -> String {
    let document = Document::parse(text).unwrap();
    let mut draft = document.draft();
    edit(&mut draft);
    draft.splice().unwrap().map_or_else(|| text.to_owned(), |document| document.text().to_owned())
}

fn check(text: &str, edit: impl FnOnce(&mut Draft<'_>), expected: &Expect) {
    expected.assert_eq(&edited(text, edit));
}

const COMMENTED: &str = r#"// The queue of the shop.
{
  "version": 1, // never change this
  "tasks": [
    // ---- Now ----

    // Asked for twice.
    {
      "id": "RQ-0001",
      "title": "One", // short
      // Where it stands:
      "status": "todo",
      "tags": ["a", /* why? */ "b"],
      "notes": [
        "first" // by hand
      ],
      "vendor": {"x": 1.0}
    }, // soon

    // ---- Later ----

    {
      "id": "RQ-0002",
      "title": "Two"
    }
  ]
}
"#;

#[test]
fn a_status_change_is_one_line() {
    check(
        COMMENTED,
        |draft| draft.task_mut(0).status = Status::Doing,
        &expect![[r#"
        // The queue of the shop.
        {
          "version": 1, // never change this
          "tasks": [
            // ---- Now ----

            // Asked for twice.
            {
              "id": "RQ-0001",
              "title": "One", // short
              // Where it stands:
              "status": "doing",
              "tags": ["a", /* why? */ "b"],
              "notes": [
                "first" // by hand
              ],
              "vendor": {"x": 1.0}
            }, // soon

            // ---- Later ----

            {
              "id": "RQ-0002",
              "title": "Two"
            }
          ]
        }
    "#]],
    );
}

#[test]
fn new_fields_and_entries_look_like_the_others() {
    check(
        COMMENTED,
        |draft| {
            let task = draft.task_mut(0);
            task.notes.push("second".to_owned());
            task.tags.insert(1, "new".to_owned());
            task.priority = Priority::High;
            task.completed_at = Some("2026-04-22T12:00:00.000000000Z".to_owned());
            task.custom_fields.insert("owner".to_owned(), "me".to_owned());
            draft.task_mut(1).depends_on.push("RQ-0001".to_owned());
        },
        &expect![[r#"
            // The queue of the shop.
            {
              "version": 1, // never change this
              "tasks": [
                // ---- Now ----

                // Asked for twice.
                {
                  "id": "RQ-0001",
                  "title": "One", // short
                  "priority": "high",
                  // Where it stands:
                  "status": "todo",
                  "tags": ["a", "new", /* why? */ "b"],
                  "notes": [
                    "first", // by hand
                    "second"
                  ],
                  "completed_at": "2026-04-22T12:00:00.000000000Z",
                  "custom_fields": {
                    "owner": "me"
                  },
                  "vendor": {"x": 1.0}
                }, // soon

                // ---- Later ----

                {
                  "id": "RQ-0002",
                  "title": "Two",
                  "depends_on": [
                    "RQ-0001"
                  ]
                }
              ]
            }
        "#]],
    );
}

#[test]
fn a_removed_task_takes_its_comments() {
    check(
        COMMENTED,
        |draft| {
            draft.take(0);
        },
        &expect![[r#"
            // The queue of the shop.
            {
              "version": 1, // never change this
              "tasks": [
                // ---- Now ----

                // ---- Later ----

                {
                  "id": "RQ-0002",
                  "title": "Two"
                }
              ]
            }
        "#]],
    );
    check(
        COMMENTED,
        |draft| {
            draft.take(1);
        },
        &expect![[r#"
            // The queue of the shop.
            {
              "version": 1, // never change this
              "tasks": [
                // ---- Now ----

                // Asked for twice.
                {
                  "id": "RQ-0001",
                  "title": "One", // short
                  // Where it stands:
                  "status": "todo",
                  "tags": ["a", /* why? */ "b"],
                  "notes": [
                    "first" // by hand
                  ],
                  "vendor": {"x": 1.0}
                } // soon

                // ---- Later ----
              ]
            }
        "#]],
    );
    check(
        COMMENTED,
        |draft| {
            draft.take(1);
            draft.take(0);
        },
        &expect![[r#"
            // The queue of the shop.
            {
              "version": 1, // never change this
              "tasks": [
                // ---- Now ----

                // ---- Later ----
              ]
            }
        "#]],
    );
}

#[test]
fn a_new_task_looks_like_its_neighbour() {
    check(
        COMMENTED,
        |draft| draft.insert(1, Task::new(id(3), "Three")),
        &expect![[r#"
        // The queue of the shop.
        {
          "version": 1, // never change this
          "tasks": [
            // ---- Now ----

            // Asked for twice.
            {
              "id": "RQ-0001",
              "title": "One", // short
              // Where it stands:
              "status": "todo",
              "tags": ["a", /* why? */ "b"],
              "notes": [
                "first" // by hand
              ],
              "vendor": {"x": 1.0}
            }, // soon
            {
              "id": "RQ-0003",
              "status": "todo",
              "title": "Three",
              "priority": "medium",
              "tags": [],
              "scope": [],
              "evidence": [],
              "plan": [],
              "notes": [],
              "depends_on": [],
              "blocks": [],
              "relates_to": [],
              "custom_fields": {}
            },

            // ---- Later ----

            {
              "id": "RQ-0002",
              "title": "Two"
            }
          ]
        }
    "#]],
    );
    check(
        "{\"version\":1,\"tasks\":[{\"id\":\"RQ-0001\",\"title\":\"One\",\"tags\":[\"a\"]}]}",
        |draft| {
            let mut task = Task::new(id(2), "Two");
            task.tags = vec!["b".to_owned(), "c".to_owned()];
            draft.insert(1, task);
        },
        &expect![[
            r#"{"version":1,"tasks":[{"id":"RQ-0001","title":"One","tags":["a"]},{"id":"RQ-0002","status":"todo","title":"Two","priority":"medium","tags":["b","c"],"scope":[],"evidence":[],"plan":[],"notes":[],"depends_on":[],"blocks":[],"relates_to":[],"custom_fields":{}}]}"#
        ]],
    );
    check(
        "{\n\t\"version\": 1,\n\t\"tasks\": [\n\t\t{ \"id\": \"RQ-0001\", \"title\": \"One\" },\n\t],\n}\n",
        |draft| draft.insert(0, Task::new(id(2), "Two")),
        &expect![[r#"
            {
            	"version": 1,
            	"tasks": [
            		{ "id": "RQ-0002", "status": "todo", "title": "Two", "priority": "medium", "tags": [], "scope": [], "evidence": [], "plan": [], "notes": [], "depends_on": [], "blocks": [], "relates_to": [], "custom_fields": {} },
            		{ "id": "RQ-0001", "title": "One" },
            	],
            }
        "#]],
    );
}

#[test]
fn a_new_task_is_indented_by_one_kind_of_space() {
    let text = "{\"version\":1,\n\t\"tasks\": [\n\t\t// add here\n\t],}";
    let changed = edited(text, |draft| draft.insert(0, Task::new(id(1), "One")));
    assert!(changed.contains("\n\t\t{\n\t\t\t\"id\":\"RQ-0001\""), "{changed}");
    assert!(!changed.contains("\t ") && !changed.contains("\n "), "{changed}");
}

#[test]
fn a_new_task_on_one_line_has_its_lists_there() {
    let task = "{ \"id\": \"RQ-0001\"\n    , \"title\": \"t\"\n    , \"tags\":\n      [ \"a\"\n      ]\n    }";
    let text = format!("{{ \"version\": 1\n, \"tasks\":\n  [ {task}\n  ]\n}}\n");
    let changed = edited(&text, |draft| {
        let mut task = Task::new(id(2), "Two");
        task.tags = vec!["a".to_owned(), "b".to_owned()];
        draft.insert(1, task);
    });
    let line = changed.lines().find(|line| line.contains("RQ-0002")).unwrap();
    assert!(line.ends_with('}'), "{changed}");
}

/// Tasks as digits and comments, what is put where, and what comes of it.
#[test]
fn a_task_put_before_another_stands_in_its_section() {
    type Put = fn(&mut Draft<'_>, Task);
    const BEFORE: Put = |draft, task| draft.insert_before(2, task);
    const BEHIND: Put = |draft, task| draft.insert(2, task);
    const FIRST: Put = |draft, task| draft.insert(0, task);
    let sections = "[\n// A\n\n1,\n2,\n\n// B\n\n// three\n3,\n4\n]";
    let apart = "[\n// A\n\n1,\n\n2, // two\n\n// B\n\n3,\n\n4\n]";
    let groups = "[\n1,\n2,\n\n3,\n4\n]";
    let beside = "[1, 2,\n\n// B\n\n3, 4]";
    for (before, put, after) in [
        (sections, BEFORE, sections.replace("// three", "5,\n// three")),
        (sections, BEHIND, sections.replace("2,\n", "2,\n5,\n")),
        (sections, FIRST, sections.replace("1,", "5,\n1,")),
        (apart, BEFORE, apart.replace("3,", "5,\n\n3,")),
        (apart, BEHIND, apart.replace("two\n", "two\n\n5,\n")),
        (groups, BEFORE, groups.replace("3,", "5,\n3,")),
        (groups, BEHIND, groups.replace("2,", "2,\n5,")),
        (beside, BEFORE, beside.replace("3,", "5,\n3,")),
        ("[1, 2, 3]", BEFORE, "[1, 2, 5, 3]".to_owned()),
        ("[1, 2,\n3]", BEFORE, "[1, 2,\n5,\n3]".to_owned()),
        ("[1,\n2, 3]", BEFORE, "[1,\n2, 5, 3]".to_owned()),
        // There is nothing to stand before.
        ("[1,\n2\n\n// end\n]", BEFORE, "[1,\n2,\n5\n\n// end\n]".to_owned()),
    ] {
        let file = |list: &str| -> String {
            let tasks = list.chars().map(|char| match char {
                '1'..='9' => format!("{{\"id\": \"RQ-000{char}\", \"title\": \"t\"}}"),
                char => char.to_string(),
            });
            format!("{{\"version\": 1, \"tasks\": {}}}", tasks.collect::<String>())
        };
        let changed = edited(&file(before), |draft| put(draft, Task::new(id(5), "t")));
        let (head, rest) = changed.split_once("\"RQ-0005\"").unwrap();
        let (_, rest) = rest.split_once('}').unwrap();
        let (_, rest) = rest.split_once('}').unwrap();
        let own = format!("{head}\"RQ-0005\", \"title\": \"t\"}}{rest}");
        assert_eq!(own, file(&after), "of {before}");
        check_owners(&file(before), |draft| put(draft, Task::new(id(5), "t")));
    }
    // Sections have their heads when the one to stand before goes, too.
    let text =
        COMMENTED.replace("\n  ]", ",\n    {\"id\": \"RQ-0003\", \"title\": \"Three\"}\n  ]");
    let changed = edited(&text, |draft| {
        draft.insert_before(1, Task::new(id(4), "Four"));
        draft.take(2);
    });
    let at = |text: &str| changed.find(text).unwrap();
    assert!(at("Later") < at("Four") && at("Four") < at("Three"), "{changed}");
}

#[test]
fn brackets_beside_tasks_stay_there() {
    let one = r#"{"id": "RQ-0001", "title": "One"}"#;
    let new = Document::parse(format!(r#"{{"version": 1, "tasks": [{one}]}}"#)).unwrap();
    let new = || new.draft().block(0);
    let file = |tasks: &str| format!("{{\n  \"version\": 1,\n  \"tasks\": [{tasks}]\n}}\n");
    let two = one.replace("0001", "0002");
    check(
        &file(&format!("{two},\n    {}", one.replace("0001", "0003"))),
        |draft| draft.insert_block(2, new()),
        &expect![[r#"
            {
              "version": 1,
              "tasks": [{"id": "RQ-0002", "title": "One"},
                {"id": "RQ-0003", "title": "One"},
                {"id": "RQ-0001", "title": "One"}]
            }
        "#]],
    );
    check(
        &file(&two.replace('{', "{\n    ").replace('}', "\n  }")),
        |draft| draft.insert_block(0, new()),
        &expect![[r#"
            {
              "version": 1,
              "tasks": [{"id": "RQ-0001", "title": "One"}, {
                "id": "RQ-0002", "title": "One"
              }]
            }
        "#]],
    );
}

#[test]
fn blank_lines_between_tasks_are_style() {
    let text = "{\"version\": 1, \"tasks\": [\n  {\"id\": \"RQ-0001\", \"title\": \"One\"},\n\n  {\"id\": \"RQ-0002\", \"title\": \"Two\"}\n]}";
    let new = |number| Task::new(id(number), "New");
    let only_ids = |text: &str| -> String {
        text.lines().map(|line| line.get(..18).unwrap_or(line).to_owned() + "\n").collect()
    };
    let after = edited(text, |draft| {
        draft.insert(2, new(5));
        draft.insert(1, new(4));
        draft.insert(0, new(3));
    });
    expect![[r#"
        {"version": 1, "ta
          {"id": "RQ-0003"

          {"id": "RQ-0001"

          {"id": "RQ-0004"

          {"id": "RQ-0002"

          {"id": "RQ-0005"
        ]}
    "#]]
    .assert_eq(&only_ids(&after));
    let after = edited(text, |draft| {
        draft.take(0);
    });
    expect![[r#"
        {"version": 1, "ta
          {"id": "RQ-0002"
        ]}
    "#]]
    .assert_eq(&only_ids(&after));
}

#[test]
fn a_fresh_file_gets_the_house_style() {
    check(
        Document::empty().text(),
        |draft| draft.insert(0, Task::new(id(1), "One")),
        &expect![[r#"
            {
              "version": 1,
              "tasks": [
                {
                  "id": "RQ-0001",
                  "status": "todo",
                  "title": "One",
                  "priority": "medium",
                  "tags": [],
                  "scope": [],
                  "evidence": [],
                  "plan": [],
                  "notes": [],
                  "depends_on": [],
                  "blocks": [],
                  "relates_to": [],
                  "custom_fields": {}
                }
              ]
            }
        "#]],
    );
    check(
        "{\"version\":1}",
        |draft| draft.insert(0, Task::new(id(1), "One")),
        &expect![[r#"
        {"version":1, "tasks":[
          {
            "id":"RQ-0001",
            "status":"todo",
            "title":"One",
            "priority":"medium",
            "tags":[],
            "scope":[],
            "evidence":[],
            "plan":[],
            "notes":[],
            "depends_on":[],
            "blocks":[],
            "relates_to":[],
            "custom_fields":{}
          }
        ]}"#]],
    );
    check(
        "{\n  \"version\": 1,\n  \"tasks\": [\n    // nothing yet\n  ]\n}",
        |draft| draft.insert(0, Task::new(id(1), "One")),
        &expect![[r#"
            {
              "version": 1,
              "tasks": [
                // nothing yet

                {
                  "id": "RQ-0001",
                  "status": "todo",
                  "title": "One",
                  "priority": "medium",
                  "tags": [],
                  "scope": [],
                  "evidence": [],
                  "plan": [],
                  "notes": [],
                  "depends_on": [],
                  "blocks": [],
                  "relates_to": [],
                  "custom_fields": {}
                }
              ]
            }"#]],
    );
}

#[test]
fn tasks_change_places_without_their_sections() {
    check(
        COMMENTED,
        |draft| draft.shift(1, 0),
        &expect![[r#"
        // The queue of the shop.
        {
          "version": 1, // never change this
          "tasks": [
            // ---- Now ----

            {
              "id": "RQ-0002",
              "title": "Two"
            },

            // ---- Later ----

            // Asked for twice.
            {
              "id": "RQ-0001",
              "title": "One", // short
              // Where it stands:
              "status": "todo",
              "tags": ["a", /* why? */ "b"],
              "notes": [
                "first" // by hand
              ],
              "vendor": {"x": 1.0}
            } // soon
          ]
        }
    "#]],
    );
}

/// The comments of each task and, under `None`, those of no task.
fn owners(document: &Document) -> BTreeMap<Option<TaskId>, BTreeSet<String>> {
    let own = |comment: &str| identity(comment).into_owned();
    let draft = document.draft();
    let mut owners: BTreeMap<_, _> = (0..draft.len())
        .map(|index| {
            let block = draft.block(index);
            (Some(block.task().id.clone()), block.comments().map(own).collect())
        })
        .collect();
    owners.insert(None, document.floating().iter().map(|comment| own(comment.text)).collect());
    owners
}

/// Whether every comment belongs to the same task after the edit, if that is left, and what is
/// new has none.
fn check_owners(text: &str, edit: impl FnOnce(&mut Draft<'_>)) {
    let before = Document::parse(text).unwrap();
    let after = Document::parse(edited(text, edit)).unwrap();
    let (mut before, after) = (owners(&before), owners(&after));
    before.retain(|id, _| after.contains_key(id));
    for id in after.keys() {
        before.entry(id.clone()).or_default();
    }
    assert_eq!(after, before, "in {text}");
}

#[test]
fn comments_of_odd_places_keep_their_task() {
    const ONE: &str = r#"{"id":"RQ-0001","title":"One"}"#;
    const TWO: &str = r#"{"id":"RQ-0002","title":"Two"}"#;
    let new = || Task::new(id(3), "Three".to_owned());
    let list = |items: &str| format!(r#"{{"version":1,"tasks":[{items}]}}"#);
    // The line after one that goes is not the end of the line before it.
    let text = list(&format!("{ONE},{TWO}\n/* end */"));
    check_owners(&text, |draft| drop(draft.take(1)));
    check_owners(&text, |draft| draft.insert(2, new()));
    // Behind the task on a line of its own, but before its comma.
    let text = list(&format!("{ONE}/* a */\n\n// b\n, // c\n{TWO}"));
    check_owners(&text, |draft| draft.shift(0, 1));
    // Before the comma, or behind the last one, and the next task on the same line.
    for text in [format!("{ONE},{TWO}/* a */"), format!("{ONE},{TWO}, /* a */")] {
        let text = list(&text);
        check_owners(&text, |draft| draft.insert(2, new()));
        check_owners(&text, |draft| draft.shift(1, 0));
    }
}

#[test]
fn a_comment_stays_with_its_entry_or_goes_with_it() {
    let text = |tags: &str| {
        let task = format!("{{\"id\": \"RQ-0001\", \"title\": \"t\", \"tags\": [{tags}]}}");
        format!("{{\"version\": 1, \"tasks\": [{task}]}}")
    };
    let lines = "\n  \"x\", // x!\n  // y?\n  \"y\", // y!\n  \"z\"\n";
    let one_line = "\"x\", // x!\n  /* y? */ \"y\" // y!\n";
    for (before, tags, after) in [
        (lines, "yxz", "\n  // y?\n  \"y\", // y!\n  \"x\", // x!\n  \"z\"\n"),
        // Another text in its place is the same entry, or the first of what it has become.
        (lines, "xaz", "\n  \"x\", // x!\n  // y?\n  \"a\", // y!\n  \"z\"\n"),
        (lines, "abz", "\n  \"a\", // x!\n  // y?\n  \"b\", // y!\n  \"z\"\n"),
        (lines, "xabz", "\n  \"x\", // x!\n  // y?\n  \"a\", // y!\n  \"b\",\n  \"z\"\n"),
        (lines, "axbz", "\n  \"a\",\n  \"x\", // x!\n  // y?\n  \"b\", // y!\n  \"z\"\n"),
        // Which of them it is, nobody can tell.
        (lines, "az", "\n  \"a\",\n  \"z\"\n"),
        (lines, "abcz", "\n  \"a\",\n  \"b\",\n  \"c\",\n  \"z\"\n"),
        (lines, "y", "\n  // y?\n  \"y\" // y!\n"),
        (one_line, "yx", "\n  /* y? */ \"y\", // y!\n  \"x\" // x!\n"),
        (one_line, "z", "\"z\"\n"),
        (one_line, "xyz", "\"x\", // x!\n  /* y? */ \"y\", // y!\n  \"z\"\n"),
    ] {
        let changed = edited(&text(before), |draft| {
            draft.task_mut(0).tags = tags.chars().map(String::from).collect();
        });
        assert_eq!(changed, text(after));
    }
}

/// A merge or a repair gives a task another id, or parts of it take its place.
#[test]
fn a_comment_stays_with_the_task_that_is_named_though_it_has_another_id() {
    let text = |others: &str| {
        let task = format!("{{\"id\": \"RQ-0001\", \"title\": \"t\", \"depends_on\": [{others}]}}");
        format!("{{\"version\": 1, \"tasks\": [{task}]}}")
    };
    let before = "\n  // first\n  \"RQ-0002\", // !\n  \"RQ-0003\" /* then */\n";
    for (others, after) in [
        (["RQ-0002", "RQ-0009"].as_slice(), before.replace('3', "9")),
        (&["RQ-0008", "RQ-0009"], before.replace('2', "8").replace('3', "9")),
        (
            &["RQ-0003", "RQ-0002"],
            "\n  \"RQ-0003\", /* then */\n  // first\n  \"RQ-0002\" // !\n".to_owned(),
        ),
        // Parts of it: with the first.
        (
            &["RQ-0004", "RQ-0005", "RQ-0003"],
            before.replace("\"RQ-0002\", // !", "\"RQ-0004\", // !\n  \"RQ-0005\","),
        ),
        // Which of them it is that is gone, nobody can tell.
        (&["RQ-0009"], "\n  \"RQ-0009\"\n".to_owned()),
    ] {
        let changed = edited(&text(before), |draft| {
            draft.task_mut(0).depends_on = others.iter().map(|id| (*id).to_owned()).collect();
        });
        assert_eq!(changed, text(&after));
    }
}

#[test]
fn comments_of_what_goes_unasked_come_to_stand_above_the_task() {
    let text = "{\n  \"version\": 1,\n  \"tasks\": [\n    // one\n    {\n      \"id\": \"RQ-0001\",\n      \"title\": \"t\",\n      // when?\n      \"completed_at\": \"t\", // late\n      \"depends_on\": [\n        \"RQ-0002\", // !\n        \"RQ-0003\"\n      ]\n    }\n  ]\n}\n";
    let changed = edited(text, |draft| {
        let task = Task { completed_at: None, ..draft.task(0).clone() };
        draft.replace(0, task);
        let parts = ["RQ-0004", "RQ-0005", "RQ-0006"].map(str::to_owned).to_vec();
        draft.replace(0, Task { depends_on: parts, ..draft.task(0).clone() });
    });
    let after = text
        .replace("      // when?\n      \"completed_at\": \"t\", // late\n", "")
        .replace("// one", "// one\n    // when?\n    // late\n    // !")
        .replace("2\", // !", "4\",\n        \"RQ-0005\",")
        .replace("RQ-0003", "RQ-0006");
    assert_eq!(changed, after);
    // What nothing is lost by leaves every other byte.
    let changed = edited(text, |draft| {
        draft.replace(0, Task { title: "u".to_owned(), ..draft.task(0).clone() });
    });
    assert_eq!(changed, text.replace("\"t\",\n      // when", "\"u\",\n      // when"));
}

/// A file whose commas begin lines, with this list, in which digits stand for tasks.
fn comma_first(list: &str) -> String {
    let mut text = String::from("{ \"version\": 1\n, \"tasks\":\n  ");
    for char in list.chars() {
        match char.to_digit(10) {
            Some(number) => {
                text.extend(["{ \"id\": \"RQ-000", &number.to_string(), "\", \"title\": \"t\" }"]);
            }
            None => text.push(char),
        }
    }
    text + "\n  ]\n}\n"
}

/// An edit of a list, and the lines before and after.
type Edited = (fn(&mut Draft<'_>), &'static str, &'static str);

#[test]
fn a_comma_that_begins_a_line_leads_the_item() {
    const SECTION: &str = "[ 1\n\n    // ---- B ----\n\n  , 2\n  , 3";
    const OWN: &str = "[ 1 // one\n    // two\n  , 2 // second\n    // three\n  , 3";
    const LINES: &str = "[\n    // one\n    1\n    // two\n  , 2";
    let cases: [Edited; 17] = [
        (|it| drop(it.take(0)), SECTION, "[\n    // ---- B ----\n\n    2\n  , 3"),
        (|it| drop(it.take(1)), SECTION, "[ 1\n\n    // ---- B ----\n\n  , 3"),
        (|it| it.shift(1, 0), SECTION, "[ 2\n\n    // ---- B ----\n\n  , 1\n  , 3"),
        (|it| it.shift(2, 0), SECTION, "[ 3\n\n    // ---- B ----\n\n  , 1\n  , 2"),
        (
            |it| it.insert(1, Task::new(id(4), "t")),
            SECTION,
            "[ 1\n  , 4\n\n    // ---- B ----\n\n  , 2\n  , 3",
        ),
        (
            |it| it.insert_before(1, Task::new(id(4), "t")),
            SECTION,
            "[ 1\n\n    // ---- B ----\n\n  , 4\n  , 2\n  , 3",
        ),
        (
            |it| it.insert(0, Task::new(id(4), "t")),
            OWN,
            "[ 4\n  , 1 // one\n    // two\n  , 2 // second\n    // three\n  , 3",
        ),
        (
            |it| it.insert(3, Task::new(id(4), "t")),
            OWN,
            "[ 1 // one\n    // two\n  , 2 // second\n    // three\n  , 3\n  , 4",
        ),
        (|it| drop(it.take(0)), OWN, "[\n    // two\n    2 // second\n    // three\n  , 3"),
        (|it| drop(it.take(1)), OWN, "[ 1 // one\n    // three\n  , 3"),
        (|it| drop(it.take(2)), OWN, "[ 1 // one\n    // two\n  , 2 // second"),
        (
            |it| it.shift(2, 0),
            OWN,
            "[\n    // three\n    3\n  , 1 // one\n    // two\n  , 2 // second",
        ),
        (
            |it| {
                let block = it.take(1);
                it.insert_block(2, block);
            },
            OWN,
            "[ 1 // one\n    // three\n  , 3\n    // two\n  , 2 // second",
        ),
        (|it| it.shift(1, 0), LINES, "[\n    // two\n    2\n    // one\n  , 1"),
        (
            |it| it.insert(0, Task::new(id(4), "t")),
            LINES,
            "[\n    4\n    // one\n  , 1\n    // two\n  , 2",
        ),
        // What the comma shares its line with is the next one's, too.
        (
            |it| drop(it.take(0)),
            "[ 1\n  /* two */ , /* second */ 2",
            "[\n  /* two */   /* second */ 2",
        ),
        // One of several on a line.
        (|it| drop(it.take(1)), "[ 1, 2\n    // three\n  , 3", "[ 1\n    // three\n  , 3"),
    ];
    let lists =
        ["tags", "scope", "evidence", "plan", "notes", "depends_on", "blocks", "relates_to"];
    let mut of_new = vec!["\"priority\": \"medium\"".to_owned()];
    of_new.extend(lists.map(|name| format!("\"{name}\": []")));
    of_new.push("\"custom_fields\": {}".to_owned());
    for (edit, before, after) in cases {
        for newline in ["\n", "\r\n"] {
            let [before, after] = [before, after].map(|it| comma_first(it).replace('\n', newline));
            let changed = edited(&before, edit)
                .replace("\"status\": \"todo\", ", "")
                .replace(&format!(", {}", of_new.join(", ")), "");
            assert_eq!(changed, after, "from {before}");
            check_owners(&before, edit);
        }
    }
    let put = |draft: &mut Draft<'_>| {
        let mut block = draft.block(1);
        block.add_comment("// new");
        draft.put_block(1, block);
    };
    let after = OWN.replace("// two\n", "// two\n    // new\n");
    assert_eq!(edited(&comma_first(OWN), put), comma_first(&after));
}

#[test]
fn a_comment_before_a_comma_is_the_next_ones_if_the_comma_leads_that() {
    let owner = |lines: &str| {
        let document = Document::parse(comma_first(lines)).unwrap();
        let owners = owners(&document);
        let owner = owners.into_iter().find(|(_, comments)| !comments.is_empty());
        owner.and_then(|(id, _)| id).map(|id| id.to_string())
    };
    assert_eq!(owner("[ 1\n    // c\n  , 2").as_deref(), Some("RQ-0002"));
    assert_eq!(owner("[ 1\n\n    // c\n  , 2").as_deref(), Some("RQ-0002"));
    assert_eq!(owner("[ 1\n    // c\n\n  , 2"), None);
    assert_eq!(owner("[ 1\n\n    // c\n\n  , 2"), None);
    assert_eq!(owner("[ 1 // c\n  , 2").as_deref(), Some("RQ-0001"));
    assert_eq!(owner("[ 1 /* c\n c */\n  , 2").as_deref(), Some("RQ-0001"));
    assert_eq!(owner("[ 1\n  , /* c */ 2").as_deref(), Some("RQ-0002"));
    // A line of its own ends what stands above, also behind the last one.
    for list in ["[ 1\n    // c\n  ,\n    2", "[ 1\n  , // c\n    2", "[ 1\n    // c\n  ,"] {
        assert_eq!(owner(list).as_deref(), Some("RQ-0001"), "{list}");
        check_owners(&comma_first(list), |draft| draft.insert(1, Task::new(id(3), "t")));
    }
    assert_eq!(owner("[ 1\n  ,\n    // c\n    2").as_deref(), Some("RQ-0002"));
}

#[test]
fn fields_and_entries_behind_a_comma_that_leads_keep_their_comments() {
    const LIST: &str = "{ \"id\": \"RQ-0001\", \"title\": \"t\", \"tags\":\n      [ \"a\"\n        // why b\n      , \"b\"\n      , \"c\" ] }";
    const FIELDS: &str = "{ \"id\": \"RQ-0001\", \"title\": \"t\"\n    , \"description\": \"d\"\n    // keep this high: Ann\n    , \"priority\": \"high\"\n    }";
    assert_eq!(
        edited_task(FIELDS, |task| task.description = None),
        FIELDS.replace("\n    , \"description\": \"d\"", "")
    );
    let tags =
        |tags: &str| edited_task(LIST, |task| task.tags = tags.chars().map(String::from).collect());
    let list = |entries: &str| {
        let (head, _) = LIST.split_once('[').unwrap();
        format!("{head}[{entries} ] }}")
    };
    assert_eq!(tags("bc"), list("\n        // why b\n        \"b\"\n      , \"c\""));
    assert_eq!(tags("ac"), list(" \"a\"\n      , \"c\""));
    assert_eq!(tags("cab"), list(" \"c\"\n      , \"a\"\n        // why b\n      , \"b\""));
    assert_eq!(tags("axbc"), LIST.replace("\"a\"", "\"a\"\n      , \"x\""));
}

/// What the edit makes of one task in a list that has the usual layout.
fn edited_task(task: &str, edit: impl FnOnce(&mut Task)) -> String {
    let (head, foot) = ("{\n  \"version\": 1,\n  \"tasks\": [\n    ", "\n  ]\n}\n");
    let after = edited(&format!("{head}{task}{foot}"), |draft| edit(draft.task_mut(0)));
    let after = after.strip_prefix(head).and_then(|rest| rest.strip_suffix(foot));
    after.expect("what is around the task stays").to_owned()
}

#[test]
fn new_fields_stand_as_the_one_before_them() {
    let start = |task: &mut Task| {
        task.description = Some("d".to_owned());
        task.started_at = Some("t".to_owned());
        task.completed_at = Some("t".to_owned());
    };
    for (before, after) in [
        // The last line holds several.
        (
            "{\n      \"id\": \"RQ-0001\", \"title\": \"a\",\n      \"created_at\": \"t\", \"updated_at\": \"t\"\n    }",
            "{\n      \"id\": \"RQ-0001\", \"title\": \"a\", \"description\": \"d\",\n      \"created_at\": \"t\", \"updated_at\": \"t\", \"completed_at\": \"t\", \"started_at\": \"t\"\n    }",
        ),
        // The first one is beside the brace, the next ones on its line are not.
        (
            "{ \"id\": \"RQ-0001\",\n      \"title\": \"a\",\"status\": \"todo\",\n      \"updated_at\": \"t\" }",
            "{ \"id\": \"RQ-0001\",\n      \"title\": \"a\",\"description\": \"d\",\"status\": \"todo\",\n      \"updated_at\": \"t\",\n      \"completed_at\": \"t\",\n      \"started_at\": \"t\" }",
        ),
        // The comma comes first.
        (
            "{ \"id\": \"RQ-0001\"\n    , \"title\": \"a\" // a\n    , \"updated_at\": \"t\" // b\n    }",
            "{ \"id\": \"RQ-0001\"\n    , \"title\": \"a\" // a\n    , \"description\": \"d\"\n    , \"updated_at\": \"t\" // b\n    , \"completed_at\": \"t\"\n    , \"started_at\": \"t\"\n    }",
        ),
        // So it does where the last line holds several and a comment takes its rest.
        (
            "{ \"id\": \"RQ-0001\"\n    , \"title\": \"a\"\n    , \"created_at\": \"t\", \"updated_at\": \"t\" // b\n    }",
            "{ \"id\": \"RQ-0001\"\n    , \"title\": \"a\"\n    , \"description\": \"d\"\n    , \"created_at\": \"t\", \"updated_at\": \"t\" // b\n    , \"completed_at\": \"t\"\n    , \"started_at\": \"t\"\n    }",
        ),
        // A comment takes the rest of the line.
        (
            "{\n      \"id\": \"RQ-0001\", \"title\": \"a\", // a\n      \"updated_at\": \"t\" // b\n    }",
            "{\n      \"id\": \"RQ-0001\", \"title\": \"a\", // a\n      \"description\": \"d\",\n      \"updated_at\": \"t\", // b\n      \"completed_at\": \"t\",\n      \"started_at\": \"t\"\n    }",
        ),
    ] {
        assert_eq!(edited_task(before, start), after);
        let reset = |task: &mut Task| {
            (task.description, task.started_at, task.completed_at) = (None, None, None);
        };
        assert_eq!(edited_task(after, reset), before);
    }
}

#[test]
fn what_comes_into_an_empty_list_ends_as_the_lines_around_it() {
    let add = |task: &mut Task| {
        task.notes.push("n".to_owned());
        task.custom_fields.insert("k".to_owned(), "v".to_owned());
    };
    for comma in ["", ","] {
        let task = format!(
            "{{\n      \"id\": \"RQ-0001\",\n      \"title\": \"t\",\n      \"notes\": [],\n      \"custom_fields\": {{}}{comma}\n    }}"
        );
        let after = task
            .replace("[]", &format!("[\n        \"n\"{comma}\n      ]"))
            .replace("{}", &format!("{{\n        \"k\": \"v\"{comma}\n      }}"));
        assert_eq!(edited_task(&task, add), after);
        let empty = format!("{{\n  \"version\": 1,\n  \"tasks\": []{comma}\n}}\n");
        let new = edited(&empty, |draft| draft.insert(0, Task::new(id(1), "t")));
        let end = format!("{{}}{comma}\n    }}{comma}\n  ]{comma}\n}}\n");
        assert!(new.ends_with(&end), "{new}");
    }
    let one_line = "{ \"id\": \"RQ-0001\", \"title\": \"t\", \"notes\": [], }";
    let note = |task: &mut Task| task.notes.push("n".to_owned());
    assert_eq!(edited_task(one_line, note), one_line.replace("[]", "[\"n\"]"));
}

#[test]
fn values_in_one_column_get_company_there() {
    let change = |task: &mut Task| {
        task.status = Status::Doing;
        task.tags = vec!["a".to_owned()];
        task.completed_at = Some("t".to_owned());
        task.custom_fields.insert("owner".to_owned(), "me".to_owned());
    };
    for (before, expected) in [
        (
            r#"{
      "id":       "RQ-0001",
      "title":    "a",
      "status":   "todo",
      "priority": "high"
    }"#,
            &expect![[r#"
                {
                      "id":       "RQ-0001",
                      "title":    "a",
                      "status":   "doing",
                      "priority": "high",
                      "tags":     [
                        "a"
                      ],
                      "completed_at": "t",
                      "custom_fields": {
                        "owner": "me"
                      }
                    }"#]],
        ),
        // The spaces stand before the colon, and one name is too long.
        (
            r#"{
      "id"     : "RQ-0001",
      "title"  : "a",
      "description" : "d"
    }"#,
            &expect![[r#"
                {
                      "id"     : "RQ-0001",
                      "status" : "doing",
                      "title"  : "a",
                      "description" : "d",
                      "tags"   : [
                        "a"
                      ],
                      "completed_at" : "t",
                      "custom_fields" : {
                        "owner" : "me"
                      }
                    }"#]],
        ),
        // The same number of spaces behind each name is no column.
        (
            r#"{
      "title":  "a",
      "id":  "RQ-0001"
    }"#,
            &expect![[r#"
                {
                      "title":  "a",
                      "tags":  [
                        "a"
                      ],
                      "completed_at":  "t",
                      "custom_fields":  {
                        "owner":  "me"
                      },
                      "id":  "RQ-0001",
                      "status":  "doing"
                    }"#]],
        ),
    ] {
        expected.assert_eq(&edited_task(before, change));
    }
    let new = || {
        let mut task = Task::new(id(2), "b");
        task.custom_fields.insert("owner".to_owned(), "me".to_owned());
        task
    };
    check(
        r#"{
  "version": 1,
  "tasks":   [
    {
      "id":    "RQ-0001",
      "title": "a"
    }
  ]
}
"#,
        |draft| draft.insert(1, new()),
        &expect![[r#"
            {
              "version": 1,
              "tasks":   [
                {
                  "id":    "RQ-0001",
                  "title": "a"
                },
                {
                  "id":    "RQ-0002",
                  "status": "todo",
                  "title": "b",
                  "priority": "medium",
                  "tags":  [],
                  "scope": [],
                  "evidence": [],
                  "plan":  [],
                  "notes": [],
                  "depends_on": [],
                  "blocks": [],
                  "relates_to": [],
                  "custom_fields": {
                    "owner": "me"
                  }
                }
              ]
            }
        "#]],
    );
    // What is around the tasks says nothing of them.
    let added =
        edited("{\n  \"version\": 1,\n  \"tasks\":   []\n}", |draft| draft.insert(0, new()));
    assert!(added.contains(r#""id": "RQ-0002""#), "{added}");
}

#[test]
fn a_moved_task_keeps_its_text() {
    let document = Document::parse(COMMENTED).unwrap();
    let mut from = document.draft();
    from.task_mut(0).status = Status::Done;
    let block = from.take(0);
    let after = edited(
        "{\r\n\t\"version\": 1,\r\n\t\"tasks\": [\r\n\t\t{\r\n\t\t\t\"id\": \"RQ-0009\",\r\n\t\t\t\"title\": \"Old\"\r\n\t\t}\r\n\t]\r\n}",
        |draft| draft.insert_block(1, block),
    );
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
    expect![[r#"
        {
        	"version": 1,
        	"tasks": [
        		{
        			"id": "RQ-0009",
        			"title": "Old"
        		},
        		// Asked for twice.
        		{
        			"id": "RQ-0001",
        			"title": "One", // short
        			// Where it stands:
        			"status": "done",
        			"tags": ["a", /* why? */ "b"],
        			"notes": [
        				"first" // by hand
        			],
        			"vendor": {"x": 1.0}
        		} // soon
        	]
        }"#]]
    .assert_eq(&after.replace('\r', ""));
    // Back again, as in a fresh file: by the spaces there.
    let tabs = Document::parse(after).unwrap();
    let block = tabs.draft().block(1);
    let fresh = edited(Document::empty().text(), |draft| draft.insert_block(0, block.clone()));
    assert!(!fresh.contains(['\t', '\r']), "{fresh}");
    let lines = &COMMENTED[COMMENTED.find("    // Asked").unwrap()..];
    let lines = lines[..lines.find(" // soon").unwrap()].trim_end_matches(',');
    assert!(fresh.contains(&lines.replace("\"todo\"", "\"done\"")), "{fresh}");
    // Another number of spaces is the task's own.
    let wide = COMMENTED.replace("      ", "        ");
    let block = Document::parse(wide).unwrap().draft().block(0);
    let fresh = edited(Document::empty().text(), |draft| draft.insert_block(0, block));
    assert!(fresh.contains("\n        \"id\": \"RQ-0001\","), "{fresh}");
}

#[test]
fn what_is_written_is_read_quickly() {
    for text in
        [COMMENTED.to_owned(), Document::empty().text().to_owned(), COMMENTED.replace('\n', "\r\n")]
    {
        assert!(scan::scan(text, Place::Queue, Reading::AsNeeded).is_ok());
    }
    let text =
        COMMENTED.replace("short", "\"").replace("\"Two\"", "\"Tw\\u00f6 \\\"\\n \\ud83d\\ude00\"");
    assert_eq!(
        scan::scan(text, Place::Queue, Reading::AsNeeded).unwrap().tasks()[1].title,
        "Twö \"\n \u{1f600}"
    );
}

#[test]
fn what_is_known_of_an_unread_task_is_what_it_says() {
    let text = r#"{"version":1,"tasks":[
        {"id":"RQ-0001","title":"plain","scope":["src/a","b"],"priority":"high","updated_at":"2026-01-01T00:00:00Z"},
        {"id":"RQ-0002","title":"\"quoted\" \u00e4","scope":["a\\b", /* two */ "c",],"updated_at":"20\u00326"},
        {"id":"RQ-0003","title":""},
        {"title":"in another order","scope":[],"priority":"low","id":"RQ-0004"}
    ]}"#;
    let document = Document::parse(text).unwrap();
    let longer = document.parse_next(text.replace("plain", "no more so plain")).unwrap();
    let same = document.parse_next(text.to_owned()).unwrap();
    let whole = Document::parse_for(text.to_owned(), Place::Queue, Reading::Whole).unwrap();
    for document in [document, longer, same, whole] {
        for index in 0..document.len() {
            let (title, scope) = (document.title(index), document.scope(index));
            let (updated_at, priority) = (document.updated_at(index), document.priority(index));
            let task = document.task(index);
            assert_eq!((title.as_ref(), priority), (task.title.as_str(), task.priority));
            assert_eq!(scope, task.scope);
            assert_eq!(updated_at.as_deref(), task.updated_at.as_deref());
        }
    }
}

#[test]
fn nothing_changed_is_nothing_written() {
    let document = Document::parse(COMMENTED).unwrap();
    let mut draft = document.draft();
    draft.task_mut(0).title.push(' ');
    draft.task_mut(0).title.pop();
    assert_eq!(draft.splice().unwrap(), None);
}

fn error(text: &str, expected: &Expect) {
    expected.assert_eq(&Document::parse(text).unwrap_err().to_string());
}

#[test]
fn bad_texts_say_what_and_where() {
    error("", &expect!["the file is empty"]);
    error("// nothing\n", &expect!["the file is empty"]);
    error("\u{feff}\u{feff}{\"version\": 1}", &expect!["unexpected token at line 1, column 1"]);
    error("[]", &expect!["a queue file must hold an object at line 1, column 1"]);
    error(
        "{\"version\": 1, \"tasks\": [\n  {\"id\": \"RQ-0001\" \"title\": \"x\"}]}",
        &expect!["expected comma at line 2, column 19"],
    );
    error("{\"version\": 1, \"tasks\": [", &expect!["unterminated array at line 1, column 25"]);
    error(
        "{\"version\": 2, \"tasks\": {}}",
        &expect!["the file has version 2, but this program knows versions up to 1"],
    );
    error(
        "{\"tasks\": []}",
        &expect!["there is no `version`, and nothing else tells the version at line 1, column 1"],
    );
    error(
        "{\n<<<<<<< HEAD\n  \"version\": 1\n=======\n  \"version\": 1,\n>>>>>>> b\n}",
        &expect!["conflict markers of git at line 2"],
    );
    error(
        &format!("{}{}", "[".repeat(5000), "]".repeat(5000)),
        &expect!["maximum nesting depth exceeded at line 1, column 513"],
    );
    error(
        "{\"version\": 1, \"tasks\": [\n  {\"id\": \"../x\", \"title\": 7},\n  {\"id\": \"RQ-0001\", \"title\": \"a\", \"title\": \"b\", \"status\": \"later\"}]}",
        &expect![
            "a task id is made of letters, digits, `.`, `_`, `-` and starts with a letter or digit: `../x` at line 2, column 10 (3 more)"
        ],
    );
}

#[test]
fn every_wrong_field_is_named() {
    let text = r#"{"version": 1, "tasks": [
  {"id": "RQ-0001", "title": "a", "tags": [1, "x", null], "estimated_minutes": -1},
  {"id": "RQ-0002", "custom_fields": {"a": {}, "b": 7, "c": true}, "agent": [], "parent_id": null},
  "RQ-0003",
  {"id": "RQ-0004", "title": "a", "title": "b"}
]}"#;
    let ParseError::Shape { problems } = Document::parse(text).unwrap_err() else {
        panic!("a shape")
    };
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let id = problem.task.as_ref().map_or("-", TaskId::as_str);
            let field = problem.field.as_deref().unwrap_or("-");
            format!("{}:{} {id} {field} {} {problem}\n", problem.line, problem.column, problem.code)
        })
        .collect();
    expect![[r#"
        2:44 RQ-0001 tags[0] wrong_type `tags` must be a list of texts
        2:52 RQ-0001 tags[2] wrong_type `tags` must be a list of texts
        2:80 RQ-0001 estimated_minutes wrong_type `estimated_minutes` must be a whole number of minutes
        3:44 RQ-0002 custom_fields.a wrong_type a custom field must be a text, a number, true or false
        3:77 RQ-0002 agent wrong_type `agent` must be an object
        3:3 RQ-0002 title missing_field `title` is missing
        4:3 - - wrong_type a task must be an object
        5:35 RQ-0004 - duplicate_key the key `title` is there twice
    "#]]
    .assert_eq(&lines.concat());
}

// ---- Random documents, random edits ----

/// Decisions for the writer of random documents, used up one by one.
pub(crate) struct Noise<'a> {
    bytes: &'a [u8],
    at: usize,
    comments: usize,
}

impl<'a> Noise<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, comments: 0 }
    }

    fn pick(&mut self, of: usize) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte) % of
    }

    fn gap(&mut self, out: &mut String) {
        for _ in 0..self.pick(4) {
            self.comments += 1;
            match self.pick(9) {
                0 => out.extend(["/* c", &self.comments.to_string(), ", { */"]),
                1 => out.extend(["// c", &self.comments.to_string(), " ] \"\n"]),
                2 => out.extend(["/* c", &self.comments.to_string(), "\n   it's */"]),
                3 => out.push_str("\n\n"),
                4 | 5 => out.push('\n'),
                6 => out.push('\t'),
                _ => out.push_str("  "),
            }
        }
    }

    fn list<T>(
        &mut self,
        out: &mut String,
        brackets: [char; 2],
        items: &[T],
        mut write: impl FnMut(&mut Self, &mut String, &T),
    ) {
        out.push(brackets[0]);
        for (index, item) in items.iter().enumerate() {
            self.gap(out);
            write(self, out, item);
            self.gap(out);
            if index + 1 < items.len() || self.pick(3) == 0 {
                out.push(',');
            }
        }
        self.gap(out);
        out.push(brackets[1]);
    }

    fn value(&mut self, out: &mut String, value: &crate::Value) {
        match value {
            crate::Value::Array(items) => self.list(out, ['[', ']'], items, Self::value),
            crate::Value::Object(map) => {
                let fields: Vec<(&str, crate::Value)> =
                    map.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
                self.object(out, &fields);
            }
            scalar => out.push_str(&scalar.to_string()),
        }
    }

    fn object(&mut self, out: &mut String, fields: &[(&str, crate::Value)]) {
        self.list(out, ['{', '}'], fields, |noise, out, (key, value)| {
            let bare = noise.pick(64) == 1 && key.bytes().all(|byte| byte.is_ascii_lowercase());
            let quote = if bare { "" } else { "\"" };
            out.extend([quote, key, quote]);
            if !bare {
                noise.gap(out);
            }
            out.push(':');
            noise.gap(out);
            noise.value(out, value);
        });
    }

    pub(crate) fn document(&mut self, tasks: &[Task]) -> String {
        let mut out = String::new();
        if self.pick(8) == 0 {
            out.push('\u{feff}');
        }
        self.gap(&mut out);
        let tasks: crate::Value =
            tasks.iter().map(|task| crate::Value::from(to_json(task).unwrap())).collect();
        let (version, more) = (crate::Value::from(1), crate::Value::Bool(true));
        self.object(&mut out, &[("version", version), ("tasks", tasks), ("more", more)]);
        self.gap(&mut out);
        match self.pick(4) {
            0 => out.replace('\n', "\r\n"),
            1 => out.replace('\n', "\r"),
            _ => out,
        }
    }
}

/// A task as people write it, in the lines of a file: each field on a line, several on one, on that
/// of a brace, behind its comma.
fn by_hand(task: &Task, picks: &[u8]) -> String {
    let mut picks = picks.iter().cycle().map(|pick| usize::from(*pick));
    let mut pick = |from: &[&str]| from[picks.next().unwrap_or(0) % from.len()].to_owned();
    let mut out = pick(&["{", "{ ", "{\n      ", "{ // c0\n      "]);
    let separators = [
        ",\n      ",
        ",\n      ",
        ", ",
        ",",
        "\n    , ",
        ", // c1\n      ",
        " /* c2 */, ",
        " // c3\n    , ",
        "\n      // c5\n    , ",
        "\n\n      // c6\n\n    , ",
    ];
    let fixed = pick(&separators);
    for (number, (name, value)) in task.fields().iter().enumerate() {
        if number > 0 {
            let other = pick(&separators);
            out.push_str(&pick(&[&fixed, &fixed, &fixed, &other]));
        }
        out.extend(["\"", name, "\": ", &value.to_string()]);
    }
    out.push_str(&pick(&["}", " }", "\n    }", ",\n    }", " // c4\n    }"]));
    out
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-c ]{0,4}", 1 => "[\"'/*,\\\\{}\\[\\]\u{e9}]{1,4}"]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..4)
}

/// What may become of one field: another value, one more entry or one less, or nothing.
#[derive(Clone, Debug)]
pub(crate) struct Touch {
    /// One behind the last is a field that nobody knows.
    field: usize,
    how: usize,
    text: String,
}

pub(crate) fn touch() -> impl Strategy<Value = Touch> {
    (0..=Field::ALL.len(), 0..24_usize, text()).prop_map(|(field, how, text)| Touch {
        field,
        how,
        text,
    })
}

impl Touch {
    /// Which field, if it is a known one.
    pub(crate) fn field(&self) -> Option<Field> {
        Field::ALL.get(self.field).copied()
    }

    /// Whether it is about the names of other tasks.
    pub(crate) fn is_about_others(&self) -> bool {
        use Field::{Blocks, DependsOn, Duplicates, ParentId, RelatesTo};
        self.field()
            .is_some_and(|it| [DependsOn, Blocks, RelatesTo, Duplicates, ParentId].contains(&it))
    }

    /// Whether it takes something away, if there is something.
    pub(crate) fn takes_away(&self) -> bool {
        self.how.is_multiple_of(3)
    }

    pub(crate) fn apply(&self, task: &mut Task) {
        let name = if self.is_about_others() {
            id(self.how % 6 + 1).to_string()
        } else {
            self.text.clone()
        };
        self.apply_text(task, name);
    }

    /// The same with that text, unless it takes something away or the field holds something else.
    pub(crate) fn apply_text(&self, task: &mut Task, text: String) {
        use Field::{CompletedAt, CreatedAt, ScheduledStart, StartedAt, UpdatedAt};
        let (how, takes_away) = (self.how, self.takes_away());
        let key = ["a", "b", "c", "d"][how % 4].to_owned();
        let Some(field) = self.field() else {
            if takes_away {
                task.extra.remove(&key);
            } else {
                let list = vec![crate::Value::from(text), crate::Value::Null];
                let deep =
                    crate::value::Map::from([("deep".to_owned(), crate::Value::Array(list))]);
                task.extra.insert(key, deep.into());
            }
            return;
        };
        let text =
            if [CompletedAt, CreatedAt, ScheduledStart, StartedAt, UpdatedAt].contains(&field) {
                format!("2026-01-{:02}T00:00:00Z", how + 1)
            } else {
                text
            };
        match task.slot(field) {
            Slot::Id(_) => {}
            Slot::Title(title) => *title = text,
            Slot::Status(status) => *status = Status::ALL[how % Status::ALL.len()],
            Slot::Priority(priority) => *priority = Priority::ALL[how % Priority::ALL.len()],
            Slot::Text(value) => *value = (!takes_away).then_some(text),
            Slot::Minutes(value) => *value = (!takes_away).then_some(how.try_into().unwrap()),
            Slot::List(list) if takes_away && !list.is_empty() => {
                list.remove(how % list.len());
            }
            Slot::List(list) => list.insert(how % (list.len() + 1), text),
            Slot::Map(map) if takes_away => {
                map.remove(&key);
            }
            Slot::Map(map) => {
                map.insert(key, text);
            }
            Slot::Object(object) if takes_away => *object = None,
            Slot::Object(object) => {
                object.get_or_insert_default().insert(key, text.into());
            }
        }
    }
}

pub(crate) fn task(number: usize) -> impl Strategy<Value = Task> {
    let options = (prop::option::of(text()), prop::option::of(text()), prop::option::of(0u32..100));
    let custom = prop::collection::btree_map("[a-d]", text(), 0..3);
    let status = prop::sample::select(Status::ALL);
    let more = prop::collection::vec(touch(), 0..4);
    (text(), status, texts(), texts(), options, custom, (prop::bool::ANY, more)).prop_map(
        move |(
            title,
            status,
            tags,
            notes,
            (description, completed_at, actual_minutes),
            custom_fields,
            (extra, more),
        )| {
            let mut task = Task::new(id(number), title);
            (task.status, task.tags, task.notes) = (status, tags, notes);
            (task.description, task.completed_at, task.actual_minutes) =
                (description, completed_at, actual_minutes);
            task.custom_fields = custom_fields;
            if extra {
                task.extra.insert(
                    "vendor".to_owned(),
                    crate::Value::parse(
                        r#"{"deep": [1, {"x": null}, 123456789012345678901, 1.10]}"#,
                    )
                    .unwrap(),
                );
            }
            for touch in more {
                touch.apply(&mut task);
            }
            task
        },
    )
}

pub(crate) fn tasks() -> impl Strategy<Value = Vec<Task>> {
    some_tasks(0)
}

fn some_tasks(least: usize) -> impl Strategy<Value = Vec<Task>> {
    prop::collection::vec(task(0), least..5).prop_map(|mut tasks| {
        for (number, task) in tasks.iter_mut().enumerate() {
            task.id = id(number + 1);
        }
        tasks
    })
}

pub(crate) fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..800), Just(Vec::new())]
}

/// Some of the same entries, in any order.
fn some_entries(least: usize) -> impl Strategy<Value = Vec<String>> {
    let all: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    prop::sample::subsequence(all, least..6).prop_shuffle()
}

/// A text that is a queue file but for one place.
fn broken() -> impl Strategy<Value = String> {
    let patch = prop_oneof![
        Just(String::new()),
        "[-+0-9.eE,:{}\\[\\]\"'/*\\\\ \t\r\nu]{1,4}",
        prop::sample::select(vec![
            "\\ud83d\\ude00",
            "\\u0041",
            "null",
            "true",
            "01",
            "1e999",
            "\u{a0}",
            "\u{feff}",
            "\"id\": 1,",
            "<<<<<<< a\n=======\n>>>>>>> b\n",
        ])
        .prop_map(str::to_owned),
    ];
    (tasks(), noise(), any::<prop::sample::Index>(), 0..4usize, patch).prop_map(
        |(tasks, bytes, cut, len, patch)| {
            let text = Noise::new(&bytes).document(&tasks);
            let mut cut = cut.index(text.len());
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            let end = text[cut..].char_indices().nth(len).map_or(text.len(), |(at, _)| cut + at);
            format!("{}{patch}{}", &text[..cut], &text[end..])
        },
    )
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set(prop::sample::Index, Task),
    Touch(prop::sample::Index, Vec<Touch>),
    Insert((prop::sample::Index, Side), Task),
    Remove(prop::sample::Index),
    Shift(prop::sample::Index, prop::sample::Index),
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    use prop::sample::Index;
    prop_oneof![
        (any::<Index>(), task(0)).prop_map(|(at, task)| Change::Set(at, task)),
        (any::<Index>(), prop::collection::vec(touch(), 1..6))
            .prop_map(|(at, touches)| Change::Touch(at, touches)),
        (any::<Index>(), prop::sample::select(vec![Side::Behind, Side::Before]), task(50))
            .prop_map(|(at, side, task)| Change::Insert((at, side), task)),
        any::<Index>().prop_map(Change::Remove),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Shift(from, to)),
    ]
}

impl Change {
    /// Makes the change in the draft and in the model of it.
    pub(crate) fn apply(self, draft: &mut Draft<'_>, model: &mut Vec<Task>) {
        match self {
            Self::Insert((at, side), task) => {
                let at = at.index(model.len() + 1);
                draft.insert_at(at, side, task.clone());
                model.insert(at, task);
            }
            _ if model.is_empty() => {}
            Self::Set(at, task) => {
                let at = at.index(model.len());
                let task = Task { id: model[at].id.clone(), ..task };
                *draft.task_mut(at) = task.clone();
                model[at] = task;
            }
            Self::Touch(at, touches) => {
                let at = at.index(model.len());
                for touch in touches {
                    touch.apply(&mut model[at]);
                }
                *draft.task_mut(at) = model[at].clone();
            }
            Self::Remove(at) => {
                let at = at.index(model.len());
                draft.take(at);
                model.remove(at);
            }
            Self::Shift(from, to) => {
                let (from, to) = (from.index(model.len()), to.index(model.len()));
                draft.shift(from, to);
                let task = model.remove(from);
                model.insert(to, task);
            }
        }
    }
}

/// What is left of a text without white space and commas.
fn bones(text: &str) -> Vec<char> {
    text.chars().filter(|char| !char.is_whitespace() && *char != ',').collect()
}

/// What `long` has more than `short`, in one piece.
fn inserted(short: &str, long: &str) -> Option<usize> {
    let (short, long) = (bones(short), bones(long));
    let head = short.iter().zip(&long).take_while(|(one, other)| one == other).count();
    let tail =
        short.iter().rev().zip(long.iter().rev()).take_while(|(one, other)| one == other).count();
    (head + tail >= short.len()).then(|| long.len() - short.len())
}

/// One of two texts of a task: its lines, its fields and which lines these take.
struct Fields {
    text: String,
    /// Where the task is.
    span: Range<usize>,
    /// Their names and places, and what belongs to them.
    all: Vec<(String, Range<usize>, Range<usize>)>,
    /// The names of those that a comma leads.
    led: BTreeSet<String>,
}

impl Fields {
    fn of(document: &Document, index: usize) -> Self {
        let text = document.text().to_owned();
        let span = document.span(index);
        let Ok(Node::Object(object)) = syntax::parse(&text[span.clone()]) else {
            panic!("{text} has tasks")
        };
        let cores: Vec<_> = object.properties.iter().map(|it| it.start()..it.end()).collect();
        let task = &text[span.clone()];
        let sequence = Sequence::new(task, 0..task.len(), cores);
        let place = |range: Range<usize>| span.start + range.start..span.start + range.end;
        let all = object.properties.iter().enumerate().map(|(at, property)| {
            let item = sequence.item(at);
            (property.name.as_str().to_owned(), place(item.core), place(item.lead..item.end))
        });
        let all: Vec<_> = all.collect();
        let led = (0..all.len()).filter(|at| sequence.item(*at).leading.is_some());
        let led = led.map(|at| all[at].0.clone()).collect();
        Self { text, span, all, led }
    }

    /// The names of the fields that the changed ones stand behind, the brace being "".
    fn before<'f>(&'f self, changed: &'f BTreeSet<String>) -> impl Iterator<Item = String> + 'f {
        let at = (0..self.all.len()).filter(|at| changed.contains(&self.all[*at].0));
        at.map(|at| {
            let mut before = self.all[..at].iter().rev().map(|(name, ..)| name);
            before.find(|name| !changed.contains(*name)).cloned().unwrap_or_default()
        })
    }

    fn is_beside_brace(&self) -> bool {
        let end = self.all.last().map_or(self.span.start, |(.., whole)| whole.end);
        !self.text[..end].ends_with(['\n', '\r'])
            && !self.text[end..self.span.end].contains(['\n', '\r'])
    }

    /// The names of the fields that begin on the line where a gone one ends, or had their comma
    /// behind one.
    fn beside<'f>(&'f self, gone: &'f BTreeSet<&String>) -> impl Iterator<Item = &'f String> {
        self.all.windows(2).filter_map(|pair| {
            let ends_line = self.text[..pair[0].2.end].ends_with(['\n', '\r']);
            let is_led = self.led.contains(&pair[1].0);
            (gone.contains(&pair[0].0) && (!ends_line || is_led)).then_some(&pair[1].0)
        })
    }

    /// The lines that hold none of the `changed` fields, no end of those `before` them and no begin
    /// of those `beside` one that is gone.
    fn other_lines(
        &self,
        changed: &BTreeSet<String>,
        before: &BTreeSet<String>,
        beside: &BTreeSet<&String>,
    ) -> Vec<&str> {
        let mut held: Vec<Range<usize>> = Vec::new();
        if before.contains("}") {
            held.push(self.span.end - 1..self.span.end);
        }
        for (name, core, whole) in &self.all {
            let end = self.text[..whole.end].trim_end_matches(['\n', '\r']).len();
            if changed.contains(name) {
                held.push(whole.start..end);
            } else if before.contains(name) {
                held.push(core.end - 1..end);
            }
            if beside.contains(name) {
                held.push(whole.start..core.start + 1);
            }
        }
        if before.contains("") {
            let first = self.all.iter().find(|(name, ..)| !changed.contains(name));
            let first = first.map(|(_, core, _)| core.start..core.start + 1);
            held.extend([Some(self.span.start..self.span.start + 1), first].into_iter().flatten());
        }
        let mut at = 0;
        let line_end = if self.text.contains('\n') { '\n' } else { '\r' };
        let lines = self.text.split_inclusive(line_end).filter(|line| {
            let own = at..at + line.len();
            at = own.end;
            !held.iter().any(|held| held.start < own.end && own.start < held.end)
        });
        lines.collect()
    }

    /// The white space before a field, if it begins its line.
    fn indent(&self, core: &Range<usize>) -> Option<&str> {
        let line = self.text[..core.start].rfind(['\n', '\r'])? + 1;
        let before = &self.text[line..core.start];
        (line > self.span.start && before.trim_matches([' ', '\t']).is_empty()).then_some(before)
    }
}

/// Makes the task with that index into another one, and looks at what became of the text: before
/// and after.
fn check_lines(
    text: &str,
    index: usize,
    new: Task,
) -> Result<Option<(Fields, Fields)>, TestCaseError> {
    let document = Document::parse(text).unwrap();
    let (was, is): (BTreeMap<_, _>, BTreeMap<_, _>) = {
        let fields = |task: &Task| {
            task.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
        (fields(document.task(index)), fields(&new))
    };
    let names = was.keys().chain(is.keys());
    let changed: BTreeSet<_> =
        names.filter(|name| was.get(*name) != is.get(*name)).cloned().collect();
    let mut draft = document.draft();
    *draft.task_mut(index) = new;
    let after = draft.splice().map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
    let Some(after) = after else { return Ok(None) };
    let after = after.text();
    let (old, new) =
        (Fields::of(&document, index), Fields::of(&Document::parse(after).unwrap(), index));
    let brace = old.is_beside_brace().then(|| "}".to_owned());
    let before: BTreeSet<_> =
        old.before(&changed).chain(new.before(&changed)).chain(brace).collect();
    let gone: BTreeSet<_> = was.keys().filter(|name| !is.contains_key(*name)).collect();
    let beside: BTreeSet<_> = old.beside(&gone).collect();
    let [mut lines, mut others] =
        [&old, &new].map(|fields| fields.other_lines(&changed, &before, &beside));
    if !was.keys().eq(is.keys()) {
        // Blank lines around fields come with a new one, and go with one that goes.
        for lines in [&mut lines, &mut others] {
            lines.retain(|line| !line.trim().is_empty());
        }
        // Of one that goes and was indented, the brace behind it may keep the white space.
        let is_indented = |line: &str| !line.is_empty() && line.trim().is_empty();
        if text.split(['\n', '\r']).any(is_indented) {
            for line in lines.iter_mut().chain(&mut others) {
                if line.trim_start().starts_with('}') {
                    *line = line.trim_start();
                }
            }
        }
    }
    prop_assert_eq!(&others, &lines, "{} became {}", text, after);
    for (name, core, _) in old.all.iter().filter(|(name, ..)| !changed.contains(name)) {
        let now = new.all.iter().find(|(other, ..)| other == name).map(|(_, core, _)| core.clone());
        prop_assert_eq!(now.map(|core| &new.text[core]), Some(&old.text[core.clone()]));
    }
    Ok(Some((old, new)))
}

/// Each new field that begins its line is indented as a field was before, if one began a line.
fn check_indents(old: &Fields, new: &Fields) -> Result<(), TestCaseError> {
    let was: BTreeSet<_> = old.all.iter().map(|(name, ..)| name).collect();
    let indents: BTreeSet<_> = old.all.iter().filter_map(|(_, core, _)| old.indent(core)).collect();
    let added = new.all.iter().filter(|(name, ..)| !was.contains(name));
    for indent in added.filter_map(|(_, core, _)| new.indent(core)) {
        prop_assert!(
            indents.is_empty() || indents.contains(indent),
            "{} became {}",
            old.text,
            new.text
        );
    }
    Ok(())
}

/// Whether two ways of reading a text come to the same.
fn same(one: &Document, other: &Document) -> Result<(), TestCaseError> {
    prop_assert_eq!(&one.text, &other.text);
    prop_assert_eq!((&one.root, &one.array, &one.spans), (&other.root, &other.array, &other.spans));
    for index in 0..other.len() {
        let known = |document: &Document| {
            let flags = [
                Document::is_related,
                Document::is_blocking,
                Document::is_held,
                Document::is_renamed,
            ]
            .map(|flag| flag(document, index));
            let updated_at = document.updated_at(index).map(Cow::into_owned);
            (document.id(index).to_owned(), document.status(index), updated_at, flags)
        };
        prop_assert_eq!(known(one), known(other));
        let updated_at = one.updated_at(index).map(Cow::into_owned);
        prop_assert_eq!(&updated_at, &one.task(index).updated_at);
    }
    prop_assert_eq!(one.tasks(), other.tasks());
    Ok(())
}

fn problems(document: &Document) -> Vec<Problem> {
    Queue::new(document.clone(), None).validate(&Rules::default())
}

#[test]
fn what_is_checked_while_it_is_read_has_the_same_problems() {
    let times = r#""created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z""#;
    let text = format!(
        r#"{{"version": 1, "tasks": [
  {{"id": "RQ-0001", "title": "sound", {times}}},
  {{"id": "RQ-2", "title": "but for its id and whom it names", {times}, "depends_on": ["RQ-0009"]}},
  {{"id": "RQ-0003", "title": "", "created_at": "yesterday"}}
]}}"#
    );
    let read = |reading| scan::scan(text.clone(), Place::Queue, reading).unwrap();
    let (checked, unchecked) = (read(Reading::Checked), read(Reading::AsNeeded));
    assert_eq!([0, 1, 2].map(|index| checked.is_sound(index)), [true, true, false]);
    assert_eq!([0, 1, 2].map(|index| unchecked.is_sound(index)), [false; 3]);
    assert_eq!(problems(&checked), problems(&unchecked));
    assert_eq!(problems(&checked).len(), 5);
}

/// The document with that text, read from what a document before it differs in.
#[test]
fn what_differs_is_read_anew() {
    let task =
        |id: u32| format!("{{\"id\": \"RQ-{id}\", \"updated_at\": \"202{id}\", \"title\": \"t\"}}");
    let text = |tasks: &str| format!("{{\"version\": 1, \"tasks\": [{tasks}], \"x\": [1]}}");
    let (a, b, c) = (task(1), task(2), task(3));
    let texts = [
        text(""),
        text(" // no task\n"),
        text(&a),
        text(&format!("{a},")),
        text(&format!("{a}, {b}")),
        text(&format!("{b}, {a}")),
        text(&format!("{a}, {b}, {c}")),
        text(&format!("{a}, /* {b}, */ {c}")),
        text(&format!("{a}, {c}, {b},\n")),
        text(&format!("{a}, {a}, {a}")),
        text(&a.replace("\"t\"", "\"]}\"")),
        text(&format!("{}, {b}", a.replace("2021", "\\u0032021"))),
    ];
    for old in &texts {
        let document = Document::parse(old.as_str()).unwrap();
        for new in texts.iter().filter(|new| *new != old) {
            let after =
                scan::rescan(&document, new.clone()).unwrap_or_else(|text| panic!("{text}"));
            same(&after, &Document::parse(new.as_str()).unwrap()).unwrap();
        }
        // What is outside of the list, or no list, is not for this.
        for new in [
            old.replace("[1]", "[2]"),
            old.replace('1', "9"),
            format!(" {old}"),
            "{}".to_owned(),
            r#"{"version": 1, "tasks": [], "x": "short, other from within the list on"}"#
                .to_owned(),
            r#"{"version": 1, "x": 1}"#.to_owned(),
            text(&format!("{a} {b}")),
            text(&format!("{a},, {b}")),
            text(&format!("{a}, {b}, {c} {b}")),
            text(&format!("{a}, ]")),
            text(&format!("{a}, // {b}")),
        ] {
            let read = scan::rescan(&document, new.clone());
            assert!(read.is_err() || Document::parse(new.as_str()).is_ok(), "{old} {new}");
        }
    }
}

/// What stands between the fields of a task is expected in the next one, and never taken for there.
#[test]
fn what_a_task_is_like_says_nothing_of_the_next() {
    let first = r#"{"id": "RQ-0001", "title": "t", "status": "todo", "vendor": 1, "tags": []}"#;
    for second in [
        first,
        r#"{"id":  "RQ-0002", "title": "t", "status": /* c */ "todo", "vendor": 1, "tags": []}"#,
        r#"{"id": "RQ-0002", "title": "t", "status": "todo", "vendor": 1, "tags": [],}"#,
        r#"{"id": "RQ-0002", "title": "t", "status": "todo", "vendor": 1}"#,
        r#"{"id": "RQ-0002", "status": "todo", "title": "t", "tags": [], "vendor": 1}"#,
        r#"{"vendor": 1, "id": "RQ-0002", "title": "t", "status": "todo", "tags": []}"#,
        r#"{"id": "RQ-0002", "title": "t", "title": "t", "status": "todo"}"#,
        r#"{"id": "RQ-0002", "title": "t", "status": "todo", "vendor": 1, "vendor": 1}"#,
        r#"{"id": "RQ-0002", "title": "t", "status": "todo", "status": "todo"}"#,
        r#"{"id": "RQ-0002", "title": "t" "status": "todo"}"#,
        r#"{"id": "RQ-0002", "title": "t",, "status": "todo"}"#,
        r#"{"id": "RQ-0002", "title": "t", "status": , "vendor": 1}"#,
        r#"{, "id": "RQ-0002", "title": "t"}"#,
        r#"{"id": "RQ-0002", "title": "t", "status": "todo""#,
        r#"{"title": "t", "status": "todo", "vendor": 1, "tags": []}"#,
        r#"{}"#,
    ] {
        let text = format!("{{\"version\": 1, \"tasks\": [{first}, {second}, {first}]}}");
        let slow = match read::read(text.clone(), Place::Queue) {
            Ok(read) if read.problems.is_empty() => Some(read.document),
            _ => None,
        };
        match (scan::scan(text, Place::Queue, Reading::AsNeeded), slow) {
            (Ok(quick), Some(slow)) => same(&quick, &slow).unwrap(),
            (quick, slow) => assert!(quick.is_err() && slow.is_none(), "{second}"),
        }
    }
}

/// To go back to the beginning of the line for each task would take minutes.
#[test]
fn changes_all_over_a_long_line_go_through_it_once() {
    let task = |at: usize| format!(r#"{{"id":"RQ-{at:05}","title":"One of many on a line"}}"#);
    let tasks: Vec<String> = (0..20_000).map(task).collect();
    let text = format!(r#"{{"version":1,"tasks":[{}]}}"#, tasks.join(","));
    let document = Document::parse(text.as_str()).unwrap();
    let mut draft = document.draft();
    for at in 0..draft.len() {
        "Changed".clone_into(&mut draft.task_mut(at).title);
    }
    let changed = text.replace("One of many on a line", "Changed");
    assert_eq!(draft.splice().unwrap().unwrap().text(), changed);
    let draft = document.draft();
    let taken = (0..draft.len()).rev().map(|at| draft.block(at).text);
    assert!(taken.eq(tasks.into_iter().rev()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layout_is_read(tasks in tasks(), bytes in noise()) {
        let text = Noise::new(&bytes).document(&tasks);
        let document = Document::parse(text.as_str()).map_err(|error| TestCaseError::fail(format!("{error}: {text:?}")))?;
        prop_assert_eq!(document.tasks().to_vec(), tasks);
        for (index, glance) in document.glances(0..document.len()) {
            prop_assert_eq!(glance.fields(), document.task(index).fields());
        }
        prop_assert_eq!(document.text(), text);
        prop_assert_eq!(document.draft().splice().unwrap(), None);
    }

    #[test]
    fn what_is_read_in_parts_is_what_is_read_at_once(text in prop_oneof![broken(), (tasks(), noise()).prop_map(|(tasks, bytes)| Noise::new(&bytes).document(&tasks))], parts in 2..5_usize) {
        let [once, parted] = [1, parts].map(|parts| scan::scan_in(parts, text.clone(), Place::Queue, Reading::Checked));
        match (once, parted) {
            (Ok(once), Ok(parted)) => same(&once, &parted)?,
            (once, parted) => prop_assert!(once.is_err() && parted.is_err()),
        }
    }

    #[test]
    fn the_quick_reader_reads_what_the_parser_reads(text in broken()) {
        let quick = scan::scan(text.clone(), Place::Queue, Reading::AsNeeded);
        prop_assert_eq!(scan::scan(text.clone(), Place::Queue, Reading::Whole).is_ok(), quick.is_ok());
        let checked = scan::scan(text.clone(), Place::Queue, Reading::Checked);
        prop_assert_eq!(checked.is_ok(), quick.is_ok());
        if let (Ok(quick), Ok(checked)) = (quick, checked) {
            same(&quick, &checked)?;
            prop_assert_eq!(problems(&quick), problems(&checked));
            let Lenient { document: slow, problems, .. } = read::read(text.clone(), Place::Queue).map_err(|error| TestCaseError::fail(format!("{error}: {text:?}")))?;
            prop_assert_eq!(problems, []);
            same(&quick, &slow)?;
        }
    }

    #[test]
    fn no_text_is_too_broken(text in broken(), task in task(9)) {
        let problems = crate::validate::texts(&text, Some(&text), &crate::Rules::default());
        prop_assert!(problems.iter().all(|problem| problem.line >= 1 && problem.column >= 1));
        if let Ok(document) = Document::parse(text.as_str()) {
            let mut draft = document.draft();
            draft.insert(0, task);
            prop_assert_eq!(draft.splice().unwrap().unwrap().tasks().len(), document.tasks().len() + 1);
        }
    }

    #[test]
    fn the_edited_text_is_read_as_the_edited_tasks(tasks in tasks(), bytes in noise(), changes in prop::collection::vec(change(), 1..5)) {
        let text = Noise::new(&bytes).document(&tasks);
        let document = Document::parse(text).unwrap();
        let mut draft = document.draft();
        let mut model = tasks;
        for change in changes {
            change.apply(&mut draft, &mut model);
        }
        // `splice` itself compares; what it gives is read here once more.
        if let Some(after) = draft.splice().unwrap() {
            let again = Document::parse(after.text()).unwrap();
            same(&after, &again)?;
            prop_assert_eq!(again.tasks().to_vec(), model);
        } else {
            prop_assert_eq!(document.tasks().to_vec(), model);
        }
    }

    /// However often it was asked before, and whatever changed meanwhile, ids too.
    #[test]
    fn a_task_is_found_where_it_is(tasks in tasks(), changes in prop::collection::vec((change(), any::<prop::sample::Index>(), 1..6_usize), 0..12)) {
        let text = Noise::new(&[]).document(&tasks);
        let document = Document::parse(text).unwrap();
        let mut draft = document.draft();
        let mut model = tasks;
        for (change, at, number) in changes {
            change.apply(&mut draft, &mut model);
            if let Some(at) = (!model.is_empty()).then(|| at.index(model.len())) {
                draft.task_mut(at).id = id(number);
                model[at].id = id(number);
            }
            for number in (0..6).chain(0..6).chain([50]).chain(0..6) {
                let of_id = |task: &Task| task.id == id(number);
                let first = |wanted: &dyn Fn(&Task) -> bool| model.iter().position(wanted);
                let expected = first(&|task| of_id(task) && task.status != Status::Rejected);
                prop_assert_eq!(draft.position(id(number).as_str()), expected.or_else(|| first(&of_id)));
            }
        }
    }

    #[test]
    fn comments_stay_with_their_tasks(tasks in tasks(), bytes in noise(), changes in prop::collection::vec(change(), 1..5)) {
        let text = Noise::new(&bytes).document(&tasks);
        check_owners(&text, |draft| {
            let mut model = tasks;
            let moves = |change: &Change| !matches!(change, Change::Set(..) | Change::Touch(..));
            for change in changes.into_iter().filter(moves) {
                change.apply(draft, &mut model);
            }
        });
    }

    #[test]
    fn comments_stay_with_tasks_that_commas_lead(tasks in some_tasks(2), picks in prop::collection::vec(0..6_usize, 8), changes in prop::collection::vec(change(), 1..5)) {
        let mut text = String::from("{ \"version\": 1\n, \"tasks\":\n  [ ");
        for (number, (task, pick)) in tasks.iter().zip(&picks).enumerate() {
            let comma = if number == 0 { "" } else { "  , " };
            let comments = [
                String::new(),
                format!("    // above{number}\n"),
                format!("\n    // section{number}\n\n"),
                format!("\n    // section{number}\n\n    // above{number}\n    // above{number} too\n"),
                format!("\n    // above{number}\n"),
                format!("    // below{number}\n\n"),
            ];
            if number > 0 {
                text.push_str(&comments[*pick]);
            }
            let behind = if picks[7 - number] % 2 == 0 { format!(" // behind{number}") } else { String::new() };
            text.extend([comma, &by_hand(task, &[0]), &behind, "\n"]);
        }
        text.push_str("  ]\n}\n");
        check_owners(&text, |draft| {
            let mut model = tasks;
            for change in changes.into_iter().filter(|change| !matches!(change, Change::Set(..))) {
                change.apply(draft, &mut model);
            }
        });
    }

    #[test]
    fn comments_stay_with_their_entries(bytes in noise(), before in some_entries(1), after in some_entries(0)) {
        let mut task = Task::new(id(1), "t".to_owned());
        task.tags.clone_from(&before);
        let document = Document::parse(Noise::new(&bytes).document(&[task])).unwrap();
        let mut draft = document.draft();
        draft.task_mut(0).tags.clone_from(&after);
        let edited = draft.splice().unwrap().unwrap_or_else(|| document.clone());
        let owners = |document: &Document| {
            let mut owners: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
            for (site, comment) in document.draft().block(0).placed_comments() {
                let (Site::Above(path) | Site::Behind(path) | Site::In(path)) = site;
                let entry = path.get(1).map(|key| key.trim_matches(['1', ' ', '"']).to_owned());
                owners.entry(entry).or_default().insert(identity(comment).into_owned());
            }
            owners
        };
        let (old, mut new) = (owners(&document), owners(&edited));
        for (entry, comments) in &old {
            if entry.as_ref().is_none_or(|entry| after.contains(entry)) {
                prop_assert_eq!(new.remove(entry), Some(comments.clone()), "{} became {}", document.text(), edited.text());
            }
        }
        // What comes has the comments of one that goes.
        let gone: Vec<_> = before.iter().filter(|entry| !after.contains(entry)).collect();
        for (entry, comments) in new {
            let came = entry.is_some_and(|entry| !before.contains(&entry));
            let is_one = gone.iter().any(|gone| old.get(&Some((*gone).clone())) == Some(&comments));
            prop_assert!(came && is_one, "{} became {}", document.text(), edited.text());
        }
    }

    #[test]
    fn comments_stay_where_entries_get_another_text(bytes in noise(), before in some_entries(1), changed in prop::collection::vec(any::<bool>(), 5)) {
        let mut task = Task::new(id(1), "t".to_owned());
        task.tags.clone_from(&before);
        let text = Noise::new(&bytes).document(&[task]);
        let edited = edited(&text, |draft| {
            for (tag, _) in draft.task_mut(0).tags.iter_mut().zip(changed).filter(|(_, changed)| *changed) {
                tag.make_ascii_uppercase();
            }
        });
        let without = |text: &str| text.to_ascii_lowercase();
        prop_assert_eq!(without(&edited), without(&text));
    }

    #[test]
    fn a_changed_task_leaves_the_bytes_around_it(tasks in some_tasks(1), bytes in noise(), at in any::<prop::sample::Index>(), task in task(9)) {
        let text = Noise::new(&bytes).document(&tasks);
        let document = Document::parse(text.as_str()).unwrap();
        let at = at.index(tasks.len());
        let span = document.span(at);
        let mut draft = document.draft();
        *draft.task_mut(at) = task;
        let after = draft.splice().unwrap().unwrap();
        prop_assert!(after.text().starts_with(&text[..span.start]));
        prop_assert!(after.text().ends_with(&text[span.end..]));
    }

    #[test]
    fn a_changed_field_leaves_the_bytes_around_it(tasks in some_tasks(1), bytes in noise(), at in any::<prop::sample::Index>(), title in "[d-f]{1,4}") {
        let text = Noise::new(&bytes).document(&tasks);
        let document = Document::parse(text.as_str()).unwrap();
        let at = at.index(tasks.len());
        let span = document.span(at);
        let field = span.start + Places::new(&text).start(&span, "title").unwrap();
        let old = serde_json::Value::from(tasks[at].title.as_str()).to_string();
        let mut draft = document.draft();
        draft.task_mut(at).title.clone_from(&title);
        let expected = format!("{}{}{}", &text[..field], serde_json::Value::from(title), &text[field + old.len()..]);
        let after = draft.splice().unwrap().unwrap();
        prop_assert_eq!(after.text(), expected);
    }

    /// Whatever becomes of a task, lines that hold none of the changed fields stay, but for the end
    /// of the field before a changed one, where a comma may come or go.
    #[test]
    fn changed_fields_leave_the_lines_of_the_others(tasks in some_tasks(1), bytes in noise(), at in any::<prop::sample::Index>(), new in task(9)) {
        let at = at.index(tasks.len());
        let text = Noise::new(&bytes).document(&tasks);
        check_lines(&text, at, Task { id: tasks[at].id.clone(), ..new })?;
    }

    #[test]
    fn changed_fields_leave_the_lines_that_people_wrote(tasks in some_tasks(1), picks in prop::collection::vec(any::<u8>(), 1..80), at in any::<prop::sample::Index>(), new in task(9)) {
        let at = at.index(tasks.len());
        let list: Vec<_> = tasks.iter().map(|task| by_hand(task, &picks)).collect();
        let text = format!("{{\n  \"version\": 1,\n  \"tasks\": [\n    {}\n  ]\n}}\n", list.join(",\n    "));
        if let Some((old, new)) = check_lines(&text, at, Task { id: tasks[at].id.clone(), ..new })? {
            check_indents(&old, &new)?;
        }
    }

    #[test]
    fn an_added_task_is_all_that_is_added(tasks in tasks(), bytes in noise(), at in any::<prop::sample::Index>(), task in task(9)) {
        let text = Noise::new(&bytes).document(&tasks);
        let document = Document::parse(text.as_str()).unwrap();
        let mut draft = document.draft();
        draft.insert(at.index(tasks.len() + 1), task.clone());
        let after = draft.splice().unwrap().unwrap();
        let size = bones(&serde_json::to_string(&task).unwrap()).len();
        prop_assert_eq!(inserted(&text, after.text()), Some(size));
    }

    #[test]
    fn a_removed_task_and_its_comments_are_all_that_goes(tasks in some_tasks(1), bytes in noise(), at in any::<prop::sample::Index>()) {
        let text = Noise::new(&bytes).document(&tasks);
        let document = Document::parse(text.as_str()).unwrap();
        let mut draft = document.draft();
        let block = draft.take(at.index(tasks.len()));
        let after = draft.splice().unwrap().unwrap();
        let size = bones(&format!("{}{}{}", block.lead, block.text, block.trail)).len();
        prop_assert_eq!(inserted(after.text(), &text), Some(size));
    }

    #[test]
    fn a_task_moves_with_its_text(tasks in some_tasks(1), bytes in noise(), other in tasks(), more in noise(), at in any::<prop::sample::Index>()) {
        let document = Document::parse(Noise::new(&bytes).document(&tasks)).unwrap();
        let text = Noise { bytes: &more, at: 0, comments: 1000 }.document(&other);
        let target = Document::parse(text.as_str()).unwrap();
        let mut block = document.draft().take(at.index(tasks.len()));
        block.task_mut().id = id(77);
        let moved = block.task().clone();
        let mut draft = target.draft();
        draft.insert_block(other.len(), block);
        let after = draft.splice().unwrap().unwrap();
        prop_assert_eq!(after.tasks().last(), Some(&moved));
        prop_assert!(inserted(&text, after.text()).is_some());
    }
}
