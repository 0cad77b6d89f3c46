//! The journal: whole lines stay, whatever its writers do.

use fs_err as fs;
use ralph_state::document::{DecodeError, Newer};
use ralph_state::file::{Durability, Saved};
use ralph_state::journal::{BadLineReason, Entries, Journal, JournalError};
use serde::{Deserialize, Serialize};
use tempfile::{TempDir, tempdir};

use crate::holder;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Claimed { task: String },
    Landed { task: String, commit: Option<String> },
}

fn claimed(task: &str) -> Event {
    Event::Claimed { task: task.to_owned() }
}

fn journal() -> (TempDir, Journal) {
    let dir = tempdir().unwrap();
    let journal = Journal::new(dir.path().join("logs/journal.jsonl"), holder("a test"));
    (dir, journal)
}

fn read(journal: &Journal) -> Entries<Event> {
    journal.read().unwrap()
}

#[test]
fn what_is_appended_is_read() {
    let (_dir, journal) = journal();
    assert_eq!(read(&journal).entries, []);
    let landed = Event::Landed { task: "RQ-1\n\u{2028}".to_owned(), commit: None };
    for event in [claimed("RQ-1"), landed.clone()] {
        assert!(matches!(journal.append(&event).unwrap(), Saved::Durable));
    }
    assert_eq!(read(&journal).entries, [claimed("RQ-1"), landed]);
    let text = fs::read_to_string(journal.path()).unwrap();
    assert!(text.starts_with("{\"journal_version\": 1}\n"), "{text}");
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn the_oldest_lines_go_from_a_journal_with_a_limit() {
    let (_dir, journal) = journal();
    let journal = journal.limit(200);
    let task = |number: usize| claimed(&format!("RQ-{number:04}"));
    let mut lengths = Vec::new();
    for number in 0..20 {
        journal.append(&task(number)).unwrap();
        let Entries { entries, bad, .. } = read(&journal);
        assert_eq!(bad, []);
        let newest: Vec<Event> = (0..=number).map(task).collect();
        assert!(newest.ends_with(&entries) && !entries.is_empty(), "{entries:?}");
        lengths.push(fs::read(journal.path()).unwrap().len());
    }
    // Each is cut to a half, not at every line from then on.
    assert!(lengths.iter().all(|length| *length <= 200), "{lengths:?}");
    assert!(lengths.iter().filter(|length| **length > 100).count() > 5, "{lengths:?}");
    let long = claimed(&"x".repeat(1000));
    journal.append(&long).unwrap();
    assert_eq!(read(&journal).entries, [long]);
    journal.append(&task(20)).unwrap();
    assert_eq!(read(&journal).entries, [task(20)]);
}

#[test]
fn only_the_last_entry_is_taken_back() {
    let (_dir, journal) = journal();
    journal.append(&claimed("RQ-1")).unwrap();
    let one = fs::read(journal.path()).unwrap();
    journal.append(&claimed("RQ-2")).unwrap();
    assert!(!journal.retract(&claimed("RQ-1")).unwrap());
    assert!(journal.retract(&claimed("RQ-2")).unwrap());
    assert_eq!(fs::read(journal.path()).unwrap(), one);
    assert!(!journal.retract(&claimed("RQ-2")).unwrap());
    assert!(journal.retract(&claimed("RQ-1")).unwrap());
    assert_eq!(read(&journal).entries, []);
}

/// A writer that dies may leave any start of what it was to append.
#[test]
fn every_torn_end_is_told_and_gone_on_from() {
    let (_dir, journal) = journal();
    journal.append(&claimed("RQ-1")).unwrap();
    let whole = fs::read(journal.path()).unwrap();
    // Without its newline alone the line is whole once the next writer has ended it.
    for len in 0..whole.len() - 1 {
        fs::write(journal.path(), &whole[..len]).unwrap();
        let torn = read(&journal);
        assert_eq!(torn.entries, []);
        journal.append(&claimed("RQ-2")).unwrap();
        let after = read(&journal);
        assert_eq!(after.entries, [claimed("RQ-2")], "cut at {len}");
        assert!(after.bad.len() <= 1, "cut at {len}: {:?}", after.bad);
    }
}

#[test]
fn bad_lines_are_told_and_the_others_read() {
    let (_dir, journal) = journal();
    journal.append(&claimed("RQ-1")).unwrap();
    let mut bytes = fs::read(journal.path()).unwrap();
    bytes.extend_from_slice(b"{\"event\": \"claimed\", \"task\": 7}\n\xff\n\n{]\n{\"event\": \"claimed\", \"task\": \"RQ-2\"}\n{\"ev");
    fs::write(journal.path(), bytes).unwrap();
    let read = read(&journal);
    assert_eq!(read.entries, [claimed("RQ-1"), claimed("RQ-2")]);
    let lines: Vec<usize> = read.bad.iter().map(|bad| bad.line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 8]);
    assert!(matches!(read.bad[0].reason, BadLineReason::Field(_)));
    assert_eq!(read.bad[4].reason, BadLineReason::Torn);
}

#[test]
fn what_is_no_journal_or_a_newer_one_is_left_alone() {
    let (_dir, journal) = journal();
    fs::create_dir_all(journal.path().parent().unwrap()).unwrap();
    for bytes in ["dear diary", "dear diary\n", "{\"journal_version\": 2}\n", "{}\n"] {
        fs::write(journal.path(), bytes).unwrap();
        let error = journal.append(&claimed("RQ-1")).unwrap_err();
        assert!(matches!(error, JournalError::Header { .. }), "{error}");
        assert_eq!(fs::read_to_string(journal.path()).unwrap(), bytes);
    }
    fs::write(journal.path(), "{\"journal_version\": 2}\n").unwrap();
    let Err(JournalError::Header { source, .. }) = journal.read::<Event>() else { panic!() };
    assert_eq!(source, DecodeError::Newer(Newer { found: 2, supported: 1 }));
}

#[test]
fn writers_at_once_lose_nothing() {
    let (_dir, journal) = journal();
    let journal = journal.durability(Durability::None);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let journal = &journal;
            scope.spawn(move || {
                for turn in 0..50 {
                    journal.append(&claimed(&format!("{writer}-{turn}"))).unwrap();
                }
            });
        }
    });
    let read = read(&journal);
    assert_eq!((read.entries.len(), read.bad), (200, Vec::new()));
}
