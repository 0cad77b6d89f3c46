//! Tasks from elsewhere: JSON and tables, bad ones named, ids given.

use proptest::prelude::*;
use ralph_queue::intake::{Batch, GivenIds, Row};
use ralph_queue::table::{self, Separator};
use ralph_queue::{
    Document, Edit, EditError, IdRules, ParseError, Position, Queue, Rules, Task, Value,
};

fn queue() -> Queue {
    let text = r#"{"version":1,"tasks":[{"id":"RQ-0001","title":"there"}]}"#;
    Queue::new(Document::parse(text).unwrap(), None)
}

/// Adds a batch and returns each new task as `id title depends_on`.
fn add(batch: Batch, given: GivenIds) -> Result<Vec<String>, EditError> {
    let queue = queue();
    let mut edit = Edit::new(&queue, "2026-01-01T00:00:00Z".parse().unwrap());
    batch.add(&mut edit, given, &IdRules::default(), &Position::Back)?;
    let line = |task: &Task| format!("{} {} {}", task.id, task.title, task.depends_on.join(","));
    Ok(edit.queue().tasks().skip(1).map(line).collect())
}

#[test]
fn names_within_a_batch_become_ids() {
    let text = r#"[{"id":"b","title":"two","depends_on":[" a ","RQ-0001"]},{"id":"a","title":"one"},{"title":"three"}]"#;
    let batch = Batch::from_json(text).unwrap();
    let added = add(batch, GivenIds::Replace).unwrap();
    assert_eq!(added, ["RQ-0002 two RQ-0003,RQ-0001", "RQ-0003 one ", "RQ-0004 three "]);
}

#[test]
fn no_row_gets_an_id_that_another_one_names() {
    let text = r#"[{"title":"one"},{"title":"two","depends_on":["RQ-0002"]},{"title":"three"}]"#;
    let added = add(Batch::from_json(text).unwrap(), GivenIds::Replace).unwrap();
    assert_eq!(added, ["RQ-0003 one ", "RQ-0004 two RQ-0002", "RQ-0005 three "]);
    let mut batch = Batch::from_json(text).unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    batch.check(&queue(), GivenIds::Replace, &Rules::default(), now).unwrap();
    let [bad] = batch.bad.as_slice() else { panic!("{:?}", batch.bad) };
    assert_eq!(bad.number, 2, "it names a task that nobody has");
}

#[test]
fn a_row_that_names_an_id_of_before_names_nobody_but_a_row_that_comes_with_it() {
    let text = r#"{"version":1,"tasks":[{"id":"RQ-0001","title":"there","custom_fields":{"former_ids":"RQ-7"}}]}"#;
    let queue = Queue::new(Document::parse(text.to_owned()).unwrap(), None);
    for (rows, wanted) in [
        (r#"[{"title":"one","depends_on":["RQ-7"]}]"#, vec!["RQ-7"]),
        (
            r#"[{"title":"one","depends_on":["RQ-7"]},{"id":"RQ-7","title":"its own"}]"#,
            vec!["RQ-0009"],
        ),
    ] {
        let mut edit = Edit::new(&queue, "2026-01-01T00:00:00Z".parse().unwrap());
        let batch = Batch::from_json(rows).unwrap();
        batch.add(&mut edit, GivenIds::Replace, &IdRules::default(), &Position::Back).unwrap();
        assert_eq!(edit.queue().tasks().nth(1).unwrap().depends_on, wanted, "{rows}");
    }
}

#[test]
fn json_comes_in_every_shape() {
    for text in [
        r#"{"title":"x"} {"title":"y"}"#,
        "{\"title\":\"x\"}\n{\"title\":\"y\"}\n",
        r#"[{"title":"x"},{"title":"y"}]"#,
        "\u{feff}{\"version\":1,\"tasks\":[{\"title\":\"x\"},{\"title\":\"y\",\"notes\":null}]}",
    ] {
        let batch = Batch::from_json(text).unwrap();
        assert_eq!((batch.rows.len(), batch.bad.len()), (2, 0), "{text}");
    }
    assert!(Batch::from_json("{").is_err());
}

#[test]
fn a_rule_that_a_row_breaks_is_told_with_its_place() {
    let text = "[{\"title\": \"x\"},\n  {\"title\": \"y\", \"depends_on\": [\"RQ-0099\"]}]";
    let mut batch = Batch::from_json(text).unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    batch.check(&queue(), GivenIds::Keep, &Rules::default(), now).unwrap();
    let [bad] = batch.bad.as_slice() else { panic!("{:?}", batch.bad) };
    let at = bad.problems[0].at.unwrap();
    assert_eq!((bad.number, at.line, at.column), (2, 2, 33));
    assert!(bad.to_string().ends_with("(line 2, column 33)"), "{bad}");
}

#[test]
fn every_bad_row_is_named() {
    let text = r#"[{"title":" ","status":"soon"},{"title":"x","priority":"urgent"},7,{"id":"a","title":"x"},{"id":"a","title":"y"},{"titel":"z"}]"#;
    let mut batch = Batch::from_json(text).unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    batch.check(&queue(), GivenIds::Replace, &Rules::default(), now).unwrap();
    let bad: Vec<String> = batch.bad.iter().map(ToString::to_string).collect();
    assert_eq!(batch.rows.len(), 1);
    assert_eq!(bad.len(), 5, "{bad:#?}");
    for (bad, part) in bad.iter().zip([
        "number 1 (line 1): unknown status `soon`, known are draft, todo, doing, done, rejected \
         (line 1, column 24); the title is blank (line 1, column 11)",
        "number 2 (line 1): ",
        "number 3 (line 1): a task must be an object (line 1, column 66)",
        "number 5 (`a`, line 1): number 4 has the id `a` too",
        "number 6 (line 1): ",
    ]) {
        assert!(bad.starts_with(part), "{bad}");
    }
    let table = "title,estimated_minutes,custom_fields\nok,5,\nbad,x,\nbad,,x\nshort\n";
    let batch = table::read(table, Separator::Comma).unwrap();
    assert_eq!(batch.bad.iter().map(|bad| bad.number).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(table::read("id\nx\n", Separator::Comma).is_err());
}

#[test]
fn a_row_of_a_table_is_named_by_the_line_it_begins_on() {
    for end in ["\n", "\r\n", "\r"] {
        let rows = ["id,title,plan", ",a,", "", "bad,\"two", "lines\",", "bad2,b,", "short"];
        let text = "\u{feff}".to_owned() + &rows.join(end);
        let mut batch = table::read(&text, Separator::Comma).unwrap();
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        batch.check(&queue(), GivenIds::Keep, &Rules::default(), now).unwrap();
        assert_eq!(batch.rows[0].line, Some(2), "{end:?}");
        let lines: Vec<Option<usize>> = batch.bad.iter().map(|row| row.line).collect();
        assert_eq!(lines, [Some(4), Some(6), Some(7)], "{end:?}");
    }
}

#[test]
fn an_id_that_two_of_a_batch_have_is_that_of_the_first() {
    let text = r#"[{"id":"RQ-0003","title":"a"},{"id":"RQ-0003","title":"b","depends_on":["RQ-0003"]},
        {"id":"RQ-0001","title":"c","depends_on":["RQ-0003"]},{"id":"RQ-0001","title":"d","depends_on":["RQ-0001"]}]"#;
    let batch = Batch::from_json(text).unwrap();
    for given in [GivenIds::Keep, GivenIds::Replace] {
        let refused = add(batch.clone(), given).unwrap_err();
        assert!(matches!(refused, EditError::IdTaken { id } if id.as_str() == "RQ-0003"));
    }
    assert_eq!(add(batch.clone(), GivenIds::SkipTaken).unwrap(), ["RQ-0003 a "]);
    assert_eq!(
        add(batch.clone(), GivenIds::RenameTaken).unwrap(),
        ["RQ-0003 a ", "RQ-0004 b RQ-0003", "RQ-0005 c RQ-0003", "RQ-0006 d RQ-0005"]
    );
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    for (given, bad) in
        [(GivenIds::Keep, &[2, 3, 4][..]), (GivenIds::SkipTaken, &[]), (GivenIds::RenameTaken, &[])]
    {
        let mut batch = batch.clone();
        batch.check(&queue(), given, &Rules::default(), now).unwrap();
        assert_eq!(batch.bad.iter().map(|row| row.number).collect::<Vec<_>>(), bad);
    }
}

#[test]
fn a_row_with_a_nul_or_with_a_control_character_in_its_title_is_bad() {
    let json = r#"[{"title":"a\u001b[31mRED"},{"title":"n","description":"a\u0007\u0000b"},
        {"title":"n","custom_fields":{"k":"\u0000"}},{"title":"n","notes":["\u001b[1mbold"]}]"#;
    let csv = "title,description\n\"a\u{1b}[31mRED\",\nnul,\"a\u{7}\0b\"\n,\nn,\u{1b}[1mbold\n";
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    for given in [GivenIds::Keep, GivenIds::Replace] {
        let mut batch = Batch::from_json(json).unwrap();
        batch.check(&queue(), given, &Rules::default(), now).unwrap();
        let bad: Vec<String> = batch.bad.iter().map(ToString::to_string).collect();
        expect_test::expect![[r#"
            number 1 (line 1): `title` has the control character U+001B at character 2 (line 1, column 11)
            number 2 (line 1): `description` has the control character U+0000 at character 3 (line 1, column 56)
            number 3 (line 2): `custom_fields.k` has the control character U+0000 at character 1 (line 2, column 39)"#]].assert_eq(&bad.join("\n"));
        assert_eq!(batch.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [4]);
    }
    let mut batch = table::read(csv, Separator::Comma).unwrap();
    batch.check(&queue(), GivenIds::Keep, &Rules::default(), now).unwrap();
    let bad: Vec<String> = batch.bad.iter().map(ToString::to_string).collect();
    expect_test::expect![[r#"
        number 1 (line 2): `title` has the control character U+001B at character 2
        number 2 (line 3): `description` has the control character U+0000 at character 3
        number 3 (line 4): `title` is missing"#]]
    .assert_eq(&bad.join("\n"));
}

#[test]
fn fields_that_no_task_has_are_named_and_kept() {
    let rows = r#"[{"title":"one","depend_on":["RQ-0001"],"agent":{"modle":"x"}},
        {"title":"two","depend_on":[],"tag":"t","agent":{"runner_cli":{"sand":1},"model":"m"}}]"#;
    let mut batch = Batch::from_json(rows).unwrap();
    let named: Vec<String> = batch.unknown_fields().into_iter().collect();
    assert_eq!(named, ["agent.modle", "agent.runner_cli.sand", "depend_on", "tag"]);
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    batch.check(&queue(), GivenIds::Replace, &Rules::default(), now).unwrap();
    assert!(batch.bad.is_empty() && batch.rows[1].task.extra.contains_key("tag"));
    // A table names columns that no task has, and has one for what such a field holds.
    let csv = "title,extra\none,\"{\"\"tag\"\":\"\"t\"\"}\"\n";
    assert!(table::read(csv, Separator::Comma).unwrap().unknown_fields().is_empty());
}

#[test]
fn a_row_whose_number_would_leave_few_others_is_bad() {
    let csv = "id,title\nRQ-18446744073709551615,oops\nRQ-1000000000000000,too many digits\n\
               RQ-999999999999999,fifteen\n";
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    for given in [GivenIds::Keep, GivenIds::SkipTaken, GivenIds::RenameTaken] {
        let mut batch = table::read(csv, Separator::Comma).unwrap();
        batch.check(&queue(), given, &Rules::default(), now).unwrap();
        let bad: Vec<String> = batch.bad.iter().map(ToString::to_string).collect();
        expect_test::expect![[r#"
            number 1 (`RQ-18446744073709551615`, line 2): the number of the id is above 999999999999999999: 18446744073709551615
            number 2 (`RQ-1000000000000000`, line 3): the number of the id is above 999999999999999: 1000000000000000"#]]
        .assert_eq(&bad.join("\n"));
        assert_eq!(batch.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [3]);
    }
}

#[test]
fn what_would_break_a_rule_is_bad_too() {
    let (queue, rules) = (queue(), Rules::default());
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut batch = Batch::from_json(
        r#"[{"id":"nope","title":"form","created_at":"soon"},{"id":"RQ-0001","title":"taken"},
            {"id":"RQ-0005","title":"waits","depends_on":["RQ-0099","RQ-0006"]},
            {"id":"RQ-0006","title":"line\nbreak","tags":["a\u001b"]},
            {"id":"RQ-0007","title":"names a bad one","relates_to":["RQ-0005"]},
            {"id":"RQ-0008","title":"good","notes":["two\nlines"]}]"#,
    )
    .unwrap();
    batch.check(&queue, GivenIds::Keep, &rules, now).unwrap();
    let bad: Vec<String> = batch.bad.iter().map(ToString::to_string).collect();
    expect_test::expect![[r#"
        number 1 (`nope`, line 1): the id must be `RQ-` and 4 digits or more, not `nope` (line 1, column 8); `created_at` is no RFC 3339 time: `soon` (line 1, column 43)
        number 2 (`RQ-0001`, line 1): the id `RQ-0001` is taken (line 1, column 57)
        number 3 (`RQ-0005`, line 2): `depends_on` names `RQ-0099`, which is in neither file (line 2, column 59)"#]].assert_eq(&bad.join("\n"));
    // What is only warned of in a queue may come from one.
    let warned: Vec<String> = batch.rows.iter().filter_map(Row::warning).collect();
    expect_test::expect!["number 4 (`RQ-0006`, line 3): `title` has a line break at character 5 (line 3, column 37); `tags[0]` has the control character U+001B at character 2 (line 3, column 59)"].assert_eq(&warned.join("\n"));
    // Once those are left out, so is who names one of them.
    assert!(batch.sift(&queue, GivenIds::Keep, &rules, now).unwrap());
    assert_eq!(batch.bad.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3, 5]);
    assert!(!batch.sift(&queue, GivenIds::Keep, &rules, now).unwrap());
    assert_eq!(add(batch, GivenIds::Keep).unwrap(), ["RQ-0006 line\nbreak ", "RQ-0008 good "]);
}

#[test]
fn a_row_that_names_an_id_of_several_tasks_is_bad() {
    let file = |title: &str, status: &str| {
        let text = format!(
            r#"{{"version":1,"tasks":[{{"id":"RQ-0001","title":"{title}","status":"{status}"}}]}}"#
        );
        Document::parse(text).unwrap()
    };
    let queue = Queue::new(file("open", "todo"), Some(file("finished", "done")));
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let own = r#"{"id":"RQ-0001","title":"its own"}"#;
    for (given, others, is_meant) in [
        (GivenIds::Replace, "", false),
        (GivenIds::Keep, "", false),
        (GivenIds::SkipTaken, own, false),
        (GivenIds::Replace, own, true),
        (GivenIds::RenameTaken, own, true),
    ] {
        for names in [r#""depends_on":[" RQ-0001"]"#, r#""parent_id":"RQ-0001""#] {
            let text = format!(r#"{{"title":"names it",{names}}}{others}"#);
            let mut batch = Batch::from_json(&text).unwrap();
            let mut edit = Edit::new(&queue, now);
            let added = batch.clone().add(&mut edit, given, &IdRules::default(), &Position::Back);
            let is_refused = matches!(added, Err(EditError::AmbiguousId { .. }));
            assert_eq!(is_refused, !is_meant, "{given:?}: {text}");
            batch.check(&queue, given, &Rules::default(), now).unwrap();
            let bad: Vec<String> = batch.bad.iter().map(ToString::to_string).collect();
            let told = "number 1 (line 1): the id `RQ-0001` is that of 2 tasks: line 1 of the \
                        queue file, line 1 of the done file (line 1, column 1)";
            let told = if is_meant { "" } else { told };
            assert!(bad.iter().all(|bad| bad.starts_with("number 1 ")), "{bad:?}");
            assert_eq!(bad.join("\n"), told, "{given:?}: {text}");
        }
    }
}

#[test]
fn what_cannot_be_read_hides_nothing_else() {
    let (queue, rules) = (queue(), Rules::default());
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut json = Batch::from_json(
        "[{\"id\":\"RQ-0001\",\"title\":\" \",\"created_at\":\"soon\",\"relates_to\":[\"RQ-0099\"]},\n\
          {\"title\":\"x\",\"mine\":{\"a\":1,\"a\":2},\"title\":\"y\"},\n\
          {\"id\":\"RQ-0002\",\"title\":\"names a bad one\",\"depends_on\":[\"RQ-0003\"]},\n\
          {\"id\":\"RQ-0003\",\"title\":\"x\",\"status\":\"soon\",\"agent\":{\"phases\":9}}]",
    )
    .unwrap();
    json.check(&queue, GivenIds::Keep, &rules, now).unwrap();
    let bad: Vec<String> = json.bad.iter().map(ToString::to_string).collect();
    expect_test::expect![[r#"
        number 1 (`RQ-0001`, line 1): the title is blank (line 1, column 26); the id `RQ-0001` is taken (line 1, column 8); `created_at` is no RFC 3339 time: `soon` (line 1, column 43); `relates_to` names `RQ-0099`, which is in neither file (line 1, column 64)
        number 2 (line 2): the key `title` is there twice (line 2, column 35); the key `a` is there twice (line 2, column 28)
        number 4 (`RQ-0003`, line 4): unknown status `soon`, known are draft, todo, doing, done, rejected (line 4, column 38); `agent.phases` must be a whole number from 1 to 3 (line 4, column 54)"#]].assert_eq(&bad.join("\n"));
    let text = "Title,status,estimated_minutes,created_at,agent\nx,soon,long,later,{}\n";
    let mut table = table::read(text, Separator::Comma).unwrap();
    table.check(&queue, GivenIds::Keep, &rules, now).unwrap();
    expect_test::expect!["number 1 (line 2): `estimated_minutes`: `long` is no number of minutes; unknown status `soon`, known are draft, todo, doing, done, rejected; `created_at` is no RFC 3339 time: `later`"].assert_eq(&table.bad[0].to_string());
}

#[test]
fn a_table_loses_no_column_in_silence() {
    let text = "title,Owner,TAGS,cost\nx,me,a,1\n";
    let batch = table::read(text, Separator::Comma).unwrap();
    assert_eq!(batch.rows[0].task.tags, ["a"]);
    assert_eq!(batch.unknown_columns, ["Owner", "cost"]);
    let other = table::read("title;status\nx;todo\n", Separator::Comma);
    assert_eq!(
        other.unwrap_err().to_string(),
        "the table has no column `title`, only `title;status`"
    );
    let twice = table::read("title,Title\n", Separator::Comma);
    assert_eq!(twice.unwrap_err().to_string(), "the table has the column `title` twice");
}

#[test]
fn a_row_that_says_a_thing_twice_is_bad() {
    let text = "title,custom_fields,extra\nx,\"a=1,b=2,a=3\",\ny,,\"{\"\"title\"\":\"\"z\"\"}\"\n";
    let batch = table::read(text, Separator::Comma).unwrap();
    let told: Vec<String> = batch.bad.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "number 1 (line 2): `custom_fields`: the key `a` is there twice",
            "number 2 (line 3): `extra`: `title` has a column of its own",
        ]
    );
}

#[test]
fn what_nobody_knows_stays_to_the_letter() {
    let more = r#"{"n":[1.10,-0,1E+05,123456789012345678901234567890],"nothing":null}"#;
    let text = format!(
        r#"{{"title":"x","description":null,"custom_fields":{{"cost":1.10}},"mine":{more},"void":null}}"#
    );
    let batch = Batch::from_json(&text).unwrap();
    let task = &batch.rows[0].task;
    assert_eq!(task.custom_fields["cost"], "1.10");
    assert_eq!(
        (task.extra["mine"].to_string().as_str(), &task.extra["void"]),
        (more, &Value::Null)
    );
    let queue = queue();
    let mut edit = Edit::new(&queue, "2026-01-01T00:00:00Z".parse().unwrap());
    batch.add(&mut edit, GivenIds::Keep, &IdRules::default(), &Position::Back).unwrap();
    let text = edit.splice().unwrap().queue.unwrap().text().to_owned();
    assert!(text.contains(r#""1.10""#) && text.contains("1E+05") && text.contains("-0"), "{text}");
}

#[test]
fn ids_that_are_taken() {
    let batch = || {
        let text = r#"[{"id":"RQ-0001","title":"same"},{"id":"RQ-0007","title":"other","depends_on":["RQ-0001"]},{"title":"new"}]"#;
        Batch::from_json(text).unwrap()
    };
    assert!(matches!(add(batch(), GivenIds::Keep), Err(EditError::IdTaken { .. })));
    assert_eq!(
        add(batch(), GivenIds::SkipTaken).unwrap(),
        ["RQ-0007 other RQ-0001", "RQ-0008 new "]
    );
    let renamed = add(batch(), GivenIds::RenameTaken).unwrap();
    assert_eq!(renamed, ["RQ-0008 same ", "RQ-0007 other RQ-0008", "RQ-0009 new "]);
}

#[test]
fn a_cell_that_nothing_closes_does_not_swallow_the_rest_of_the_table() {
    let read = |text: &str| table::read(text, Separator::Comma).unwrap();
    let batch = read("title,tags\none,\n\"two,\nthree,\n");
    assert_eq!((batch.rows.len(), batch.bad[0].line), (1, Some(3)));
    assert!(
        batch.bad[0].to_string().ends_with("nothing closes it; it takes in all up to line 4"),
        "{}",
        batch.bad[0]
    );
    let batch = read("id,title,notes\nRQ-1,a,\"he said\nRQ-2,b,\"x\"\nRQ-3,c,y\n");
    assert_eq!((batch.rows.len(), batch.bad.len()), (1, 1));
    let told = batch.bad[0].to_string();
    assert!(told.contains("(`RQ-1`, line 2): text stands behind the quotation mark"), "{told}");
    for sound in
        ["title\n\"two\"", "title\n\"a \"\"b\"\"\"\n", "title\n5\" disk", "title\n\n\n", "title"]
    {
        assert!(read(sound).bad.is_empty(), "{sound}");
    }
}

#[test]
fn tasks_of_a_newer_queue_file_are_refused() {
    let tasks =
        |version| Batch::from_json(&format!(r#"{{{version} "tasks": [{{"title": "a"}}]}}"#));
    assert!(matches!(tasks(r#""version": 7,"#), Err(ParseError::Newer(_))));
    for version in [r#""version": 1,"#, ""] {
        assert_eq!(tasks(version).unwrap().rows.len(), 1);
    }
}

#[test]
fn a_row_with_too_few_or_too_many_cells_is_named_with_what_is_likely() {
    let text = "id,title,tags\r\nRQ-1,a\r\nRQ-2,b,c, d\r\n\r\nRQ-3,e,f\r\n";
    let batch = table::read(text, Separator::Comma).unwrap();
    let told: Vec<String> = batch.bad.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "number 1 (`RQ-1`, line 2): the cells of the row are 2, the columns of the table 3: \
             cells are missing, if only empty ones",
            "number 2 (`RQ-2`, line 3): the cells of the row are 4, the columns of the table 3: a \
             cell that has a separator in it stands in quotation marks",
        ]
    );
    assert_eq!(batch.rows[0].line, Some(5));
}

#[test]
fn an_id_that_was_given_before_is_not_given_to_a_new_task() {
    let ids = IdRules { high_water: 7, ..IdRules::default() };
    let batch = |text| Batch::from_json(text).unwrap();
    let new =
        r#"[{"id":"RQ-0007","title":"x"},{"id":"RQ-0008","title":"y","depends_on":["RQ-0007"]}]"#;
    let old = r#"[{"id":"RQ-0007","title":"x","created_at":"2026-01-01T00:00:00Z"}]"#;
    let queue = queue();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let add = |text, given| {
        let mut edit = Edit::new(&queue, now);
        batch(text).add(&mut edit, given, &ids, &Position::Back)
    };
    let refused = add(new, GivenIds::Keep).unwrap_err();
    assert!(matches!(refused, EditError::IdSpent { id } if id.as_str() == "RQ-0007"));
    let added = add(new, GivenIds::RenameTaken).unwrap();
    let shown: Vec<String> = added.added.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["RQ-0009", "RQ-0008"]);
    assert_eq!(add(old, GivenIds::Keep).unwrap().added[0].as_str(), "RQ-0007");

    let rules = Rules { ids: ids.clone(), ..Rules::default() };
    let mut checked = batch(new);
    checked.check(&queue, GivenIds::Keep, &rules, now).unwrap();
    assert_eq!(checked.bad[0].problems[0].field.as_deref(), Some("id"), "{:?}", checked.bad);
}

#[test]
fn who_gets_a_new_id_never_had_the_one_it_came_with() {
    let text = r#"[{"id":"RQ-0001","title":"same","custom_fields":{"former_ids":"RQ-0005"}},{"id":"RQ-0009","title":"other","custom_fields":{"former_ids":"RQ-0008"}}]"#;
    let queue = queue();
    for (given, kept) in [(GivenIds::Replace, None), (GivenIds::RenameTaken, Some("RQ-0009"))] {
        let mut edit = Edit::new(&queue, "2026-01-01T00:00:00Z".parse().unwrap());
        let batch = Batch::from_json(text).unwrap();
        let added = batch.add(&mut edit, given, &IdRules::default(), &Position::Back).unwrap();
        assert_eq!(added.renamed[0].0.as_str(), "RQ-0001");
        // Also once the task with that id is gone.
        let [queue, _] = edit.drafts_mut();
        queue.take(0);
        let after = Queue::new(edit.splice().unwrap().queue.unwrap(), None);
        assert_eq!(after.find("RQ-0001"), None);
        assert_eq!(after.find("RQ-0005"), None);
        assert_eq!(after.find("RQ-0008").map(|(_, task)| task.id.as_str()), kept);
    }
}

#[test]
fn a_table_of_0_4_0_is_read() {
    let table = "id,title,status,priority,tags,scope,evidence,plan,notes,request,created_at,updated_at,completed_at,depends_on,custom_fields,parent_id\n\
        RQ-0001,\"One, two\",todo,high,\"a,b\",,e1;e2,,,,2026-01-01T00:00:00Z,,,RQ-2,\"k=v,l=w\",\n";
    let batch = table::read(table, Separator::Comma).unwrap();
    let task = &batch.rows[0].task;
    assert_eq!((task.title.as_str(), task.tags.len(), task.evidence.len()), ("One, two", 2, 2));
    assert_eq!(task.custom_fields["l"], "w");
    // And written so, where it can be.
    let written = table::write([task], Separator::Comma).unwrap();
    assert!(
        written.contains(",\"a,b\",,e1;e2,,,,2026-01-01T00:00:00Z,,,RQ-2,\"k=v,l=w\",,"),
        "{written}"
    );
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ,;=\"\\[{\n\t]{0,6}", ".{0,8}", Just("[\"x\"]".to_owned())]
}

fn list() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(text(), 0..3)
}

proptest! {
    #[test]
    fn a_table_loses_nothing(
        title in "[a-z,;\"]{1,9}",
        (request, description, parent) in (proptest::option::of(text()), proptest::option::of(text()), proptest::option::of(text())),
        (tags, plan, depends_on) in (list(), list(), list()),
        fields in proptest::collection::btree_map("[a-z=,]{1,4}", text(), 0..3),
        minutes in proptest::option::of(any::<u32>()),
        is_tab in any::<bool>(),
    ) {
        let separator = if is_tab { Separator::Tab } else { Separator::Comma };
        let task = Task {
            request, description, parent_id: parent, tags, plan, depends_on,
            custom_fields: fields,
            estimated_minutes: minutes,
            agent: Value::parse(r#"{ "model": "m,;" }"#).unwrap().as_object().cloned(),
            extra: ["mine", "tasks"].map(|name| (name.to_owned(), Value::parse("[1.50, null, 123456789012345678901234567890]").unwrap())).into(),
            ..Task::new("RQ-0007".parse().unwrap(), title)
        };
        let written = table::write([&task, &task], separator).unwrap();
        let batch = table::read(&written, separator).unwrap();
        prop_assert_eq!((batch.rows.len(), batch.bad.len()), (2, 0));
        prop_assert_eq!(&batch.rows[0].task, &task);
    }
}
