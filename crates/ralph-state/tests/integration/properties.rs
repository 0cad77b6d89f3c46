//! What holds for any file and any value.

use std::convert::Infallible;
use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;
use ralph_state::document::{decode, encode};
use ralph_state::file::Durability;
use ralph_state::json::{Json, Number, Object, parse, to_text};
use ralph_state::{ParallelStateFile, Store, WorkerRecord, adopt_legacy, legacy_work};

/// Any JSON value with few levels.
fn value() -> impl Strategy<Value = Json> {
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number.prop_map(|text| Json::Number(Number::new(text).unwrap())),
        any::<String>().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            object("[a-z$ü]{0,6}", inner).prop_map(Json::Object),
        ]
    })
}

fn object(key: &'static str, value: impl Strategy<Value = Json>) -> impl Strategy<Value = Object> {
    prop::collection::btree_map(key, value, 0..5).prop_map(|members| members.into_iter().collect())
}

/// Fields that no version knows.
fn unknown() -> impl Strategy<Value = Object> {
    object("x_[a-z]{0,5}", value())
}

/// A row of a list of version 1 or 2, mostly as it should be.
fn row() -> impl Strategy<Value = Json> {
    let text = prop_oneof![9 => "[A-Z]{2}-[0-9]{1,4}".prop_map(Json::String), 1 => value()];
    let key = prop::sample::select(vec![
        "workspace_path",
        "worktree_path",
        "branch",
        "pid",
        "started_at",
        "pr_number",
        "pr_url",
        "head",
        "merged",
        "lifecycle",
        "success",
        "finished_at",
        "reason",
        "attempts",
        "last_error",
    ]);
    let fields = prop::collection::btree_map(key, value(), 0..8);
    let row = (text, fields, unknown()).prop_map(|(task, fields, unknown)| {
        let known = [("task_id".to_owned(), task)].into_iter();
        let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value));
        let unknown = unknown.iter().map(|(key, value)| (key.to_owned(), value.clone()));
        Json::Object(known.chain(fields).chain(unknown.collect::<Vec<_>>()).collect())
    });
    prop_oneof![9 => row, 1 => value()]
}

/// A file of version 1 or 2, mostly as it should be.
fn older_file() -> impl Strategy<Value = Object> {
    let list = prop::sample::select(vec![
        "tasks_in_flight",
        "prs",
        "finished_without_pr",
        "pending_merges",
        "workers",
    ]);
    let lists = prop::collection::btree_map(list, prop::collection::vec(row(), 0..4), 0..5);
    let branch = prop_oneof![4 => "[a-z/]{1,9}".prop_map(Json::String), 1 => value()];
    (lists, branch, unknown(), any::<bool>()).prop_map(|(lists, branch, unknown, second)| {
        let mut file = unknown;
        file.set("base_branch", branch);
        for (name, rows) in lists {
            file.set(name, Json::Array(rows));
        }
        if second || file.contains("workers") {
            file.set_first("schema_version", 2_u64);
        }
        file
    })
}

fn record() -> impl Strategy<Value = WorkerRecord> {
    let texts = ("\\PC{0,9}", "\\PC{0,9}", "[a-z_]{1,12}", proptest::option::of("\\PC{0,9}"));
    (texts, any::<u32>(), proptest::option::of(any::<u64>()), unknown()).prop_map(
        |((task, path, lifecycle, error), attempts, ticket, extra)| {
            let mut record = WorkerRecord::new(task, path.into(), String::new());
            record.lifecycle = lifecycle.into();
            record.last_error = error;
            record.push_attempts = attempts;
            record.ticket = ticket;
            record.extra = extra;
            record
        },
    )
}

fn state() -> impl Strategy<Value = ParallelStateFile> {
    (prop::collection::vec(record(), 0..5), "\\PC{0,9}", unknown()).prop_map(
        |(workers, branch, extra)| {
            let mut state = ParallelStateFile::new("2026-04-22T18:03:11Z", branch);
            state.workers = workers;
            state.extra = extra;
            state
        },
    )
}

/// Every string, number and truth value in it.
fn leaves(value: &Json, into: &mut Vec<String>) {
    match value {
        Json::Null => {}
        Json::Bool(_) | Json::Number(_) | Json::String(_) => into.push(value.to_string()),
        Json::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        Json::Object(object) => object.iter().for_each(|(_, value)| leaves(value, into)),
    }
}

/// What an update may do to a state. Most of them do not commute.
#[derive(Clone, Debug)]
enum Edit {
    Rename(char),
    Put(u8),
    Remove(u8),
    Count(u8),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        prop::char::range('a', 'c').prop_map(Edit::Rename),
        (0..3_u8).prop_map(Edit::Put),
        (0..3_u8).prop_map(Edit::Remove),
        (0..3_u8).prop_map(Edit::Count),
    ]
}

fn apply(edits: &[Edit], state: &mut ParallelStateFile) {
    for edit in edits {
        match edit {
            Edit::Rename(letter) => state.target_branch.push(*letter),
            Edit::Put(task) => {
                let record = WorkerRecord::new(task.to_string(), "/w".into(), String::new());
                state.upsert_worker(record);
            }
            Edit::Remove(task) => state.remove_worker(&task.to_string()),
            Edit::Count(task) => {
                if let Some(worker) = state.get_worker_mut(&task.to_string()) {
                    worker.push_attempts = worker.push_attempts * 2 + 1;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_survives_the_disk(state in state()) {
        let bytes = encode(&state).unwrap();
        let (again, report) = decode::<ParallelStateFile>(&bytes).unwrap();
        prop_assert_eq!(&again, &state);
        prop_assert!(!report.migrated() && report.dropped.is_empty());
        prop_assert_eq!(encode(&again).unwrap(), bytes);
    }

    /// Whatever an older file holds is in the value, or in the report.
    #[test]
    fn nothing_is_lost_on_the_way_up(file in older_file()) {
        let text = to_text(&Json::Object(file.clone()));
        let (state, report) = decode::<ParallelStateFile>(text.as_bytes()).unwrap();
        let saved = encode(&state).unwrap();
        let saved = parse(str::from_utf8(&saved).unwrap()).unwrap().unwrap();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        leaves(&Json::Object(file), &mut before);
        leaves(&saved, &mut after);
        for dropped in &report.dropped {
            leaves(&dropped.value, &mut after);
        }
        let version = report.from.to_string();
        for leaf in before {
            prop_assert!(leaf == version || after.contains(&leaf), "{} is lost", leaf);
        }
        // Every record that names a task can be adopted, each task once.
        let now = "2026-06-01T12:00:00Z".parse().unwrap();
        let adopted = adopt_legacy(&legacy_work(&report), now);
        for work in legacy_work(&report).iter().filter(|work| !work.task_id.is_empty()) {
            let records = adopted.iter().filter(|record| record.task_id == work.task_id);
            prop_assert_eq!(records.count(), 1);
        }
    }

    #[test]
    fn any_bytes_give_an_error_or_a_value(
        state in state(),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![Just(None), any::<u8>().prop_map(Some)],
    ) {
        let mut bytes = encode(&state).unwrap();
        let at = at.index(bytes.len());
        match change {
            None => bytes.truncate(at),
            Some(byte) => bytes[at] = byte,
        }
        if let Ok((value, _)) = decode::<ParallelStateFile>(&bytes) {
            prop_assert!(encode(&value).is_ok());
        }
        let _no_panic = ralph_state::parallel::salvage(&bytes);
    }

    /// Updates at the same time give what they would give one after the other, in some order.
    #[test]
    fn updates_at_once_are_updates_in_some_order(
        one in prop::collection::vec(edit(), 1..5),
        two in prop::collection::vec(edit(), 1..5),
        three in prop::collection::vec(edit(), 1..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::<ParallelStateFile>::new(dir.path().join("state.json"), crate::holder("it"))
            .durability(Durability::None);
        let edits = [one, two, three];
        let together = Barrier::new(edits.len());
        thread::scope(|scope| {
            for edits in &edits {
                scope.spawn(|| {
                    together.wait();
                    let change = |state: &mut ParallelStateFile| {
                        apply(edits, state);
                        Ok::<_, Infallible>(())
                    };
                    store.update(change).unwrap();
                });
            }
        });
        let found = store.load().unwrap().map_or_else(ParallelStateFile::default, |it| it.value);
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let in_order = |order: [usize; 3]| {
            let mut state = ParallelStateFile::default();
            for nth in order {
                apply(&edits[nth], &mut state);
            }
            state
        };
        prop_assert!(orders.into_iter().any(|order| in_order(order) == found), "{:?}", found);
    }
}
