//! What is left of a damaged state of a parallel run.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use ralph_state::ParallelStateFile;
use ralph_state::document::{DecodeError, Newer, decode};
use ralph_state::parallel::{legacy_work, salvage};

const THREE: &str = r#"{
  "schema_version": 3,
  "started_at": "2026-04-22T18:03:11Z",
  "target_branch": "main",
  "workers": [
    {"task_id": "RQ-1", "workspace_path": "/w/1", "started_at": "a"},
    {"task_id": "RQ-2", "workspace_path": "/w/2", "started_at": "b"},
    {"task_id": "RQ-3", "workspace_path": "/w/3", "started_at": "c"}
  ],
  "gates": {
    "t1:g": "2026-04-22T18:03:11Z",
    "t2:g": "2026-04-22T18:03:12Z"
  },
  "next_ticket": 7
}"#;

fn tasks(state: &ParallelStateFile) -> Vec<&str> {
    state.workers.iter().map(|worker| worker.task_id.as_str()).collect()
}

/// Everything that is left of [`THREE`] with `good` replaced by `bad`.
#[track_caller]
fn check(good: &str, bad: &str, left: &Expect) {
    assert!(THREE.contains(good), "{good}");
    left.assert_eq(&shown(THREE.replacen(good, bad, 1).as_bytes()));
}

fn shown(bytes: &[u8]) -> String {
    let salvaged = match salvage(bytes) {
        Ok(salvaged) => salvaged,
        Err(error) => return format!("nothing: {error}"),
    };
    let state = &salvaged.state;
    let mut text = format!(
        "{:?} {:?} {:?} gates {} ticket {:?}\n",
        tasks(state),
        state.started_at,
        state.target_branch,
        state.gates.len(),
        state.next_ticket
    );
    if let Some(refused) = &salvaged.refused {
        writeln!(text, "refused: {refused}").unwrap();
    }
    for bad in &salvaged.bad {
        writeln!(text, "bad: {bad} ({})", bad.task_id.as_deref().unwrap_or("-")).unwrap();
    }
    text
}

#[test]
fn a_whole_file_is_read_as_ever() {
    let salvaged = salvage(THREE.as_bytes()).unwrap();
    assert_eq!((salvaged.refused, salvaged.bad), (None, Vec::new()));
    assert_eq!(salvaged.state, decode::<ParallelStateFile>(THREE.as_bytes()).unwrap().0);
}

#[test]
fn a_bad_record_is_named_and_the_others_are_read() {
    check(
        "\"/w/2\"",
        "17",
        &expect![[r#"
        ["RQ-1", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: `workers[1].workspace_path`: invalid type: integer `17`, expected path string at line 7, column 43
        bad: `workers[1].workspace_path`: invalid type: integer `17`, expected path string at line 7, column 43 (RQ-2)
    "#]],
    );
    check(
        "\"RQ-2\"",
        "\"RQ-2\", \"task_id\": \"RQ-2\"",
        &expect![[r#"
        ["RQ-1", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: the key `task_id` stands twice at line 7, column 25
        bad: `workers[1]`: the key `task_id` stands twice at line 7, column 25 (RQ-2)
    "#]],
    );
    check(
        "\"started_at\": \"b\"",
        "\"started_at\": {}",
        &expect![[r#"
        ["RQ-1", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: `workers[1].started_at`: invalid type: map, expected a string at line 7, column 65
        bad: `workers[1].started_at`: invalid type: map, expected a string at line 7, column 65 (RQ-2)
    "#]],
    );
    check(
        "\"/w/2\"",
        "\"/w/2",
        &expect![[r#"
            ["RQ-1", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
            refused: unexpected token at line 7, column 51
            bad: `workers[1]`: unexpected token at line 7, column 51 (RQ-2)
        "#]],
    );
    check(
        "\"/w/2\",",
        "\"/w/2\"",
        &expect![[r#"
        ["RQ-1", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: expected comma at line 7, column 49
        bad: `workers[1]`: expected comma at line 7, column 49 (RQ-2)
    "#]],
    );
    check(
        "\"b\"}",
        "\"b\"",
        &expect![[r#"
            ["RQ-1", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
            refused: unexpected token in object at line 8, column 5
            bad: `workers[1]`: unterminated object at line 7, column 5 (RQ-2)
        "#]],
    );
    check(
        "\"b\"},",
        "\"b\"}",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: expected comma at line 7, column 69
    "#]],
    );
    check(
        "\"b\"},",
        "\"b\"]},",
        &expect![[r#"
        ["RQ-1"] "2026-04-22T18:03:11Z" "main" gates 0 ticket None
        refused: unexpected token in object at line 7, column 68
        bad: `workers[1]`: unterminated object at line 7, column 5 (RQ-2)
        bad: text after the end of the state at line 7, column 70 (-)
    "#]],
    );
    check(
        "{\"task_id\": \"RQ-2\"",
        "7, {\"task_id\": \"\\ud800\"",
        &expect![[r#"
        ["RQ-1", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: invalid unicode escape sequence. 'd800 (unpaired high surrogate)' is not a valid UTF8 character at line 7, column 21
        bad: `workers[1]`: invalid type: integer `7`, expected struct WorkerRecord at line 7, column 5 (-)
        bad: `workers[2]`: invalid unicode escape sequence. 'd800 (unpaired high surrogate)' is not a valid UTF8 character at line 7, column 21 (-)
    "#]],
    );
}

#[test]
fn a_bad_field_or_gate_is_named_and_everything_else_is_read() {
    check(
        "\"2026-04-22T18:03:12Z\"",
        "\"yesterday\"",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 1 ticket Some(7)
        refused: `gates["t2:g"]`: not an RFC 3339 date and time: `yesterday` at line 12, column 13
        bad: `gates["t2:g"]`: not an RFC 3339 date and time: `yesterday` at line 12, column 13 (-)
    "#]],
    );
    check(
        "\"t2:g\": ",
        "\"t1:g\": ",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 1 ticket Some(7)
        refused: the key `t1:g` stands twice at line 12, column 5
        bad: `gates["t1:g"]`: the key stands twice at line 12, column 13 (-)
    "#]],
    );
    check(
        "\"t2:g\": ",
        "",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 1 ticket Some(7)
        refused: expected colon after the string or word in object property at line 13, column 3
        bad: `gates`: no key and value at line 12, column 5 (-)
    "#]],
    );
    check(
        "\"2026-04-22T18:03:11Z\",\n  \"target",
        "5,\n  \"target",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "" "main" gates 2 ticket Some(7)
        refused: `started_at`: invalid type: integer `5`, expected a string at line 3, column 17
        bad: `started_at`: invalid type: integer `5`, expected a string at line 3, column 17 (-)
    "#]],
    );
    check(
        "\"main\"",
        "[]",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "" gates 2 ticket Some(7)
        refused: `target_branch`: invalid type: sequence, expected a string at line 4, column 20
        bad: `target_branch`: invalid type: sequence, expected a string at line 4, column 20 (-)
    "#]],
    );
    check(
        "7\n}",
        "-7\n}",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket None
        refused: `next_ticket`: invalid value: integer `-7`, expected u64 at line 14, column 18
        bad: `next_ticket`: invalid value: integer `-7`, expected u64 at line 14, column 18 (-)
    "#]],
    );
    check(
        "\"next_ticket\": 7",
        "\"workers\": [{\"task_id\": \"RQ-4\"}]",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket None
        refused: the key `workers` stands twice at line 14, column 3
        bad: `workers[0]`: missing field `workspace_path` at line 14, column 15 (RQ-4)
    "#]],
    );
    check(
        "7\n}",
        "7\n} more",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: text cannot contain more than one JSON value at line 15, column 3
        bad: text after the end of the state at line 15, column 3 (-)
    "#]],
    );
    check(
        "],\n  \"gates\"",
        "] 1,\n  \"gates\"",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: expected comma at line 9, column 4
        bad: `workers`: text after its end at line 9, column 5 (-)
    "#]],
    );
}

#[test]
fn the_version_decides() {
    check(
        "3,\n  \"started",
        "\"3\",\n  \"started",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: `schema_version` is a string, expected a number from 1 to 3
        bad: `schema_version`: `schema_version` is a string, expected a number from 1 to 3 at line 2, column 21 (-)
    "#]],
    );
    check(
        "3,\n  \"started",
        "0,\n  \"started",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: `schema_version` is 0, expected a number from 1 to 3
        bad: `schema_version`: `schema_version` is 0, expected a number from 1 to 3 at line 2, column 21 (-)
    "#]],
    );
    check(
        "3,\n  \"started",
        "4,\n  \"started",
        &expect!["nothing: the file has version 4, but this program knows versions up to 3"],
    );
    check(
        "\"next_ticket\": 7",
        "\"schema_version\": 4",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket None
        refused: the key `schema_version` stands twice at line 14, column 3
        bad: `schema_version`: the key stands twice at line 14, column 21 (-)
    "#]],
    );
    check(
        "  \"schema_version\": 3,\n",
        "",
        &expect![[r#"
        ["RQ-1", "RQ-2", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
    "#]],
    );
}

#[test]
fn what_is_no_state_at_all_is_an_error() {
    for bytes in
        [&b""[..], b"[]", b"\x00\x00", b"7", b"{}", b"{\"a\": 1", b"\xff\xfe{\x00", b"[[[[{{{{"]
    {
        assert!(salvage(bytes).is_err(), "{}", bytes.escape_ascii());
    }
    assert!(salvage("{".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn bytes_that_are_no_text_spoil_the_record_they_are_in() {
    let at = THREE.find("/w/2").unwrap();
    let mut bytes = THREE.as_bytes().to_vec();
    bytes[at] = 0xff;
    expect![[r#"
        ["RQ-1", "RQ-3"] "2026-04-22T18:03:11Z" "main" gates 2 ticket Some(7)
        refused: the file is no UTF-8 text at line 7, column 44
        bad: `workers[1]`: no UTF-8 text at line 7, column 44 (RQ-2)
    "#]]
    .assert_eq(&shown(&bytes));
}

#[test]
fn an_older_version_keeps_its_records() {
    let v2 = include_str!("../../testdata/parallel/accepted/v2-mid-run/in.json");
    let whole = salvage(v2.as_bytes()).unwrap();
    let all = legacy_work(&whole.report);
    // The last record of the first list loses its end.
    let cut = v2.replacen('}', "", 1);
    let salvaged = salvage(cut.as_bytes()).unwrap();
    assert!(salvaged.refused.is_some() && !salvaged.bad.is_empty());
    let left = legacy_work(&salvaged.report);
    assert!(left.len() < all.len() && !left.is_empty());
    assert!(left.iter().all(|work| all.contains(work)));
}

proptest! {
    /// However much is cut off: the records before the cut are there, and no others.
    #[test]
    fn a_file_that_is_cut_off_gives_the_records_before(cut in 0..THREE.len()) {
        let ends = [1, 2, 3].map(|nth| {
            let task = format!("RQ-{nth}");
            let at = THREE.find(&task).unwrap();
            (task, at + THREE[at..].find('}').unwrap() + 1)
        });
        let before: Vec<&str> =
            ends.iter().filter(|(_, end)| *end <= cut).map(|(task, _)| task.as_str()).collect();
        match salvage(&THREE.as_bytes()[..cut]) {
            Ok(salvaged) => {
                prop_assert_eq!(tasks(&salvaged.state), before);
                prop_assert!(salvaged.refused.is_some());
                prop_assert_eq!(salvaged.state.next_ticket, None);
            }
            Err(error) => prop_assert!(before.is_empty(), "{}", error),
        }
    }

    /// Damage anywhere is survived, and nothing is read that was not there.
    #[test]
    fn a_byte_that_is_changed_never_makes_records(at in 0..THREE.len(), byte in any::<u8>()) {
        let mut bytes = THREE.as_bytes().to_vec();
        bytes[at] = byte;
        match salvage(&bytes) {
            Ok(salvaged) => prop_assert!(salvaged.state.workers.len() <= 3),
            Err(DecodeError::Newer(Newer { found, .. })) => prop_assert!(found > 3),
            Err(error) => prop_assert!(at < 30, "{}", error),
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in "[\\[\\]{}:,\"'\\\\a/*\n 1-]{0,60}") {
        let _either = salvage(bytes.as_bytes());
        let _either = salvage(format!("{{\"schema_version\": 3, \"workers\": {bytes}").as_bytes());
    }
}
