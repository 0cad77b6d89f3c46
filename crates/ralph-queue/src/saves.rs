//! In which order both files are saved, so that a task that moves is always in one of them.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::document::{Document, SpliceError};
use crate::edit::Spliced;
use crate::queue::{Place, Queue};

/// What is saved where, one after the other.
///
/// The file that loses tasks comes last. When both lose some, the queue file first gets those that
/// it is to have without giving any away.
pub(crate) fn in_order<'a>(
    before: &Queue,
    spliced: &'a Spliced,
) -> Result<Vec<(Place, Cow<'a, Document>)>, SpliceError> {
    let save = |place, document: &'a Option<Document>| {
        document.as_ref().map(|document| (place, Cow::Borrowed(document)))
    };
    let (to_queue, to_done) =
        (save(Place::Queue, &spliced.queue), save(Place::Done, &spliced.done));
    let first = match (&spliced.queue, &spliced.done) {
        (Some(queue), Some(done)) if !missing(before.done_document(), done).is_empty() => {
            let (open, new) = (before.document(), missing(queue, before.document()));
            if missing(open, queue).is_empty() {
                return Ok(to_queue.into_iter().chain(to_done).collect());
            }
            let (mut draft, after) = (open.draft(), queue.draft());
            for index in new {
                draft.insert_block(draft.len(), after.block(index));
            }
            draft.splice()?.map(|both| (Place::Queue, Cow::Owned(both)))
        }
        _ => None,
    };
    Ok(first.into_iter().chain(to_done).chain(to_queue).collect())
}

/// The tasks of `document`, by index, that `other` does not have, or not so often.
fn missing(document: &Document, other: &Document) -> Vec<usize> {
    let mut there: HashMap<&str, usize> = HashMap::new();
    for index in 0..other.len() {
        *there.entry(other.id(index)).or_default() += 1;
    }
    let is_missing = |index: &usize| match there.get_mut(document.id(*index)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    (0..document.len()).filter(is_missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(ids: &str) -> Document {
        let tasks: Vec<String> = ids
            .split_whitespace()
            .map(|id| format!("{{\"id\": \"{id}\", \"title\": \"t\"}}"))
            .collect();
        Document::parse(format!("{{\"version\": 1, \"tasks\": [{}]}}", tasks.join(", "))).unwrap()
    }

    /// Files as `queue | done`, before and after; the states that a crash may leave.
    #[track_caller]
    fn check(before: &str, after: &str, states: &[&str]) {
        let read = |files: &str| {
            let (queue, done) = files.split_once('|').unwrap();
            (file(queue), file(done))
        };
        let (queue, done) = read(before);
        let before = Queue::new(queue.clone(), Some(done.clone()));
        let (new_queue, new_done) = read(after);
        let spliced = Spliced {
            queue: Some(new_queue).filter(|new| *new != queue),
            done: Some(new_done).filter(|new| *new != done),
        };
        let mut files = [queue, done];
        let mut found = Vec::new();
        for (place, document) in in_order(&before, &spliced).unwrap() {
            files[usize::from(place == Place::Done)] = document.into_owned();
            let ids = |document: &Document| {
                let ids: Vec<&str> = document.tasks().iter().map(|task| task.id.as_str()).collect();
                ids.join(" ")
            };
            found.push(format!("{}|{}", ids(&files[0]), ids(&files[1])));
        }
        assert_eq!(found, states);
    }

    #[test]
    fn a_task_that_moves_is_never_in_neither() {
        check("a b|c", "b|c a", &["a b|c a", "b|c a"]);
        check("a|b c", "a b|c", &["a b|b c", "a b|c"]);
        check("a b|c d", "b c|d a", &["a b c|c d", "a b c|d a", "b c|d a"]);
        // Twice the same id counts twice.
        check("a|a a", "a a|a", &["a a|a a", "a a|a"]);
    }

    #[test]
    fn what_does_not_move_needs_no_order() {
        check("a|b", "a c|b", &["a c|b"]);
        check("a|b c", "a|c", &["a|c"]);
        check("a|b", "a c|b d", &["a|b d", "a c|b d"]);
    }
}
