//! Any three texts, with NUL between them, as versions of a queue: a merge can be read, gives no
//! id twice and both sides the same tasks, loses no new one, and merged again changes nothing.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use ralph_queue::merge::three_way;
use ralph_queue::{Document, conflict};

fuzz_target!(|text: &str| {
    // A file with conflict markers is another way to three versions.
    if let Some(sides) = conflict::sides(text)
        && let Ok(resolved) = conflict::resolve(&sides)
    {
        read(&resolved.text);
    }
    let mut versions = text.splitn(3, '\0');
    let (Some(base), Some(ours), Some(theirs)) =
        (versions.next(), versions.next(), versions.next())
    else {
        return;
    };
    let Ok(merged) = three_way(base, ours, theirs) else { return };
    let document = read(&merged.text);
    if [base, ours, theirs].iter().any(|side| has_an_id_twice(&read(side))) {
        // Then it is invalid before the merge, which is not what is asked here.
        return;
    }
    assert!(!has_an_id_twice(&document), "an id twice");
    let ids: BTreeSet<_> = document.tasks().iter().map(|task| &task.id).collect();

    let mirrored = three_way(base, theirs, ours).expect("they are the same versions");
    let mirrored = read(&mirrored.text);
    assert_eq!(ids, mirrored.tasks().iter().map(|task| &task.id).collect());

    let known: BTreeSet<_> = read(base).tasks().iter().map(|task| task.id.clone()).collect();
    for side in [ours, theirs] {
        for task in read(side).tasks().iter().filter(|task| !known.contains(&task.id)) {
            let is_there = document.tasks().iter().any(|other| other.title == task.title);
            assert!(is_there || !merged.conflicts.is_empty(), "{} is lost", task.id);
        }
    }
    let again = three_way(&merged.text, &merged.text, &merged.text).expect("it can be read");
    assert_eq!(again.text, merged.text);
});

fn has_an_id_twice(document: &Document) -> bool {
    let ids: BTreeSet<_> = document.tasks().iter().map(|task| &task.id).collect();
    ids.len() < document.tasks().len()
}

fn read(text: &str) -> Document {
    Document::parse(text).expect("it was read or written before")
}
