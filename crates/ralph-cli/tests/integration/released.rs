//! What 0.4.0 printed for scripts, printed by us: the same commands on the same queue.

use serde_json::Value;

use crate::{Desk, parse};

/// Commands, each after `$ `, and what the 0.4.0 program printed on stdout.
const SESSION: &str = include_str!("../goldens/0.4.0.txt");

#[test]
fn scripts_read_what_0_4_0_printed() {
    let desk = Desk::with_queue(include_str!("../../../ralph-queue/tests/goldens/queue.jsonc"));
    desk.write(".ralph/done.jsonc", include_str!("../../../ralph-queue/tests/goldens/done.jsonc"));
    for command in SESSION.split("$ ralph ").skip(1) {
        let (line, expected) = command.split_once('\n').expect("a command and its output");
        let args: Vec<&str> = line.split(' ').collect();
        let ran = desk.ralph(&args);
        let printed = ran.success().stdout.trim_end();
        let expected = expected.trim_end();
        if expected.starts_with(['{', '[']) {
            assert_eq!(parse(printed), parse(expected), "{line}");
        } else {
            assert_eq!(printed, expected, "{line}");
        }
    }
}

/// The names and kinds of what is in a document, without what depends on the day.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect()
        }
        Value::Array(items) => items.first().map(shape).into_iter().collect(),
        Value::Null => Value::Null,
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
    }
}

/// Files that 0.4.0 itself wrote, edit by edit, and what it said about them, in JSON of the same
/// shape; `cargo xtask released` records them.
#[test]
fn the_files_that_0_4_0_wrote_are_read_as_it_read_them() {
    let (queue, done) =
        (include_str!("../goldens/0.4.0/queue.jsonc"), include_str!("../goldens/0.4.0/done.jsonc"));
    let desk = Desk::with_queue(queue);
    desk.write(".ralph/done.jsonc", done);
    let reads = include_str!("../goldens/0.4.0/reads.txt").split("$ ralph ").skip(1);
    for read in reads {
        let mut lines = read.splitn(3, '\n');
        let [Some(line), Some(exit), Some(expected)] = [(); 3].map(|()| lines.next()) else {
            panic!("a command, its exit code and its output: {read}")
        };
        let ran = desk.ralph(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code == Some(0), exit == "exit 0", "{ran}");
        let (printed, expected) = (ran.stdout.trim_end(), expected.trim_end());
        if expected.starts_with(['{', '[']) {
            assert_eq!(shape(&parse(printed)), shape(&parse(expected)), "{line}");
        } else {
            assert_eq!(printed, expected, "{line}");
        }
    }
    let valid = desk.ralph(&["queue", "validate"]);
    assert!(valid.success().stderr.contains("valid"), "{valid}");
    assert!(desk.ralph(&["queue", "repair", "--dry-run"]).success().stdout.is_empty());
    assert_eq!(desk.read(".ralph/queue.jsonc"), queue);
    assert_eq!(desk.read(".ralph/done.jsonc"), done);
}

#[test]
fn figures_have_their_frame_with_json_and_none_with_format_json() {
    let desk = Desk::with_queue(include_str!("../../../ralph-queue/tests/goldens/queue.jsonc"));
    let stats = desk.ralph(&["queue", "stats", "--format", "json"]);
    let bare = shape(&parse(&stats.success().stdout));
    let mut framed = shape(&desk.json(&["queue", "stats"]));
    let fields = framed.as_object_mut().expect("an object");
    for name in ["rev", "schema", "truncated", "cut"] {
        assert!(fields.remove(name).is_some(), "{name}");
    }
    assert_eq!(framed, bare);
    for (name, list) in [("history", "days"), ("burndown", "daily_counts")] {
        let bare = desk.ralph(&["queue", name, "--format", "json"]);
        let bare = shape(&parse(&bare.success().stdout));
        let framed = shape(&desk.json(&["queue", name]));
        assert_eq!(framed["window"], bare["window"]);
        assert!(bare[list].is_array() && framed["items"].is_array() && framed["rev"].is_string());
    }
    let board = parse(&desk.ralph(&["queue", "dashboard"]).success().stdout);
    let sections = board["sections"].as_object().expect("an object");
    let names: Vec<&str> = sections.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["burndown", "history", "productivity_summary", "productivity_velocity", "queue_stats"]
    );
    assert!(sections.values().all(|section| section["status"] == "ok"));
}
