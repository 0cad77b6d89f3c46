//! Any text as a queue file, edited: what was not edited keeps its bytes.
//!
//! The first bytes say what to do to which task; the rest is the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ralph_queue::edit::{End, Restart};
use ralph_queue::{Document, Edit, Finish, IdRules, Position, Queue, Rules, Status, Task};
use ralph_state::Timestamp;

fuzz_target!(|bytes: &[u8]| {
    let Some((orders, text)) = bytes.split_first_chunk::<4>() else { return };
    let Ok(text) = str::from_utf8(text) else { return };
    let Ok(document) = Document::parse(text) else { return };
    assert_eq!(document.text(), text);
    let queue = Queue::new(document, None);
    let problems = queue.validate(&Rules::default());
    // What was read quickly, the parser reads in the same way.
    let parsed = ralph_queue::validate::texts(text, None, &Rules::default());
    assert_eq!(parsed, problems);
    let document = queue.document();
    let mut edit = Edit::new(&queue, Timestamp::UNIX_EPOCH);
    for order in orders {
        // A refused order changes nothing, which the comparison below shows.
        let _ = obey(&mut edit, document, *order);
    }
    let spliced = edit.splice().expect("an edit can be written");
    let touched = edit.touched();
    let Some(after) = spliced.queue else { return };
    assert_eq!(Document::parse(after.text()).as_ref(), Ok(&after));
    let ids: Vec<_> = document.tasks().iter().map(|task| &task.id).collect();
    for (index, id) in ids.iter().enumerate() {
        let is_touched = touched.iter().any(|task| task.id == **id);
        if is_touched || ids.iter().filter(|other| *other == id).count() > 1 {
            continue;
        }
        let at = after.tasks().iter().position(|task| task.id == **id);
        let at = at.expect("a task that was not touched is there");
        assert_eq!(&after.text()[after.span(at)], &text[document.span(index)]);
    }
    if problems.is_empty() {
        let repeated = |id| after.tasks().iter().filter(|task| &task.id == id).count() > 1;
        assert!(!after.tasks().iter().any(|task| repeated(&task.id)), "an id twice");
    }
});

/// What `order` asks for: its lower half is the deed, its upper half the task.
fn obey(edit: &mut Edit<'_>, document: &Document, order: u8) -> Result<(), ralph_queue::EditError> {
    let task = document.tasks().get(usize::from(order >> 4));
    let id = task.map_or("RQ-0000", |task| task.id.as_str());
    match order & 15 {
        0 => edit.start(id, Restart::Reset).map(drop),
        1 => edit.finish(id, End::Done, Finish::InPlace, Some("a note")).map(drop),
        2 => edit.finish(id, End::Rejected, Finish::Archive, None).map(drop),
        3 => edit.set_status(id, Status::Todo, Some("again")).map(drop),
        4 => edit.ready(id, None).map(drop),
        5 => edit.modify(id, |task| task.title.push_str(" \"quoted\" // no comment")).map(drop),
        6 => edit.modify(id, |task| task.tags.clear()).map(drop),
        7 => edit.modify(id, |task| task.tags.push("new".to_owned())).map(drop),
        8 => edit.modify(id, |task| drop(task.notes.pop())).map(drop),
        9 => {
            edit.archive();
            Ok(())
        }
        ten_or_more => {
            let new = edit.next_id(&IdRules::default())?;
            let position = if ten_or_more % 2 == 0 { Position::Front } else { Position::Back };
            edit.add(Task::new(new, "new"), &position)
        }
    }
}
