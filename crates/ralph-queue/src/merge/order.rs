//! The order of tasks and headings that both sides changed: what is in conflict, and how that of one
//! is taken.

use std::collections::{HashMap, HashSet};

use super::moves::interleave;
use super::sections::{Ordered, Sections, flat, sections};
use super::{Conflict, pairs};
use crate::document::{Arranged, Document, SpliceError};
use crate::value::Value;

/// The lines of each heading, none for the top of the list, and the ids of the tasks below it.
type Named = Vec<(String, Vec<String>)>;

/// The sections of which the sides would make different ones, with the tasks that have an `id` here,
/// and the headings that they would have in another order; nothing if there are none.
pub(super) fn conflict<'i>(
    base: &[(Arranged<'_>, bool)],
    sides: [Ordered<'_>; 2],
    id: impl Fn(usize) -> Option<&'i str>,
) -> Option<Conflict> {
    let [ours, theirs] = sides.map(|side| named(side, &id));
    let mut listed: HashSet<&str> = HashSet::new();
    let [own, others] = [&ours, &theirs].map(|side| numbered(side.iter().map(|it| &it.0)));
    let others: HashMap<(&String, usize), usize> = others.into_iter().zip(0..).collect();
    for (at, (heading, section)) in own.iter().zip(&ours).enumerate() {
        match others.get(heading) {
            Some(other) if section.1 == theirs[*other].1 => {
                listed.extend((at != *other).then_some(section.0.as_str()));
            }
            _ => listed.extend(parts(section)),
        }
    }
    if listed.is_empty() {
        return None;
    }
    let base = named(ordered(sections(base)), &id);
    let [base, ours, theirs] = [&base, &ours, &theirs].map(|it| Some(value(it, &listed)));
    let (task, field, comments) = (None, Some("tasks".to_owned()), Vec::new());
    Some(Conflict { task, field, base, ours, theirs, comments })
}

/// What a document has for the order that is in conflict.
pub(crate) fn standing(document: &Document, conflict: &Conflict) -> Value {
    let all = named(ordered(sections(&list(document))), |key| Some(document.id(key)));
    value(&all, &texts(conflict.ours.as_ref()).collect())
}

/// The document with that order of a side. What is not in conflict stays behind what it follows.
pub(crate) fn take(document: &Document, wanted: &Value) -> Result<Document, SpliceError> {
    let list = list(document);
    let mut order = ordered(sections(&list));
    let headings = numbered(order.iter().map(|(lines, _)| lines.join("\n")));
    let headings: HashMap<(String, usize), usize> = headings.into_iter().zip(0..).collect();
    let keys: HashMap<&str, usize> =
        (0..document.len()).map(|key| (document.id(key), key)).collect();

    let (mut place, mut places, mut slots) = (Some(0), HashMap::new(), vec![0]);
    let mut below = vec![Vec::new(); order.len()];
    for (text, above) in numbered(texts(Some(wanted))) {
        match (keys.get(text), place) {
            (None, _) => {
                place = headings.get(&(text.to_owned(), above)).copied();
                slots.extend(place.filter(|place| *place > 0));
            }
            (Some(key), Some(place)) => {
                below[place].push(*key);
                places.insert(*key, place);
            }
            (Some(_), None) => {}
        }
    }
    for (at, (below, (_, own))) in below.into_iter().zip(&mut order).enumerate() {
        own.retain(|key| places.get(key).is_none_or(|place| *place == at));
        *own = interleave(&[below, std::mem::take(own)], |_, _| true, |_| false);
    }
    let mut own: Vec<_> = order.into_iter().map(Some).collect();
    let sections: Vec<_> = slots.iter().map(|at| own[*at].take()).collect();
    slots.sort_unstable();
    for (at, section) in slots.into_iter().zip(sections) {
        own[at] = section;
    }
    let order: Ordered<'_> = own.into_iter().flatten().collect();

    let order = flat(&order);
    let ranks: HashMap<&Arranged<'_>, usize> = order.iter().zip(0..).collect();
    let sorted = order.iter().filter_map(|part| match part {
        Arranged::Task(key) => Some(*key),
        Arranged::Comment(_) => None,
    });
    let sorted: Vec<usize> = sorted.collect();
    let mut draft = document.draft();
    let rank = |key| ranks.get(&Arranged::Task(key)).copied().unwrap_or(usize::MAX);
    draft.arrange(&(0..document.len()).map(rank).collect::<Vec<_>>());
    let moved = draft.splice()?;
    Ok(moved.as_ref().unwrap_or(document).rearranged(&sorted, &order, &pairs(&list)))
}

/// What stands in the list of a document, by places. What shares a line is no heading.
fn list(document: &Document) -> Vec<(Arranged<'_>, bool)> {
    let (mut list, has_lines) = document.arranged(&(0..document.len()).collect::<Vec<_>>());
    list.retain(|(part, _)| has_lines || matches!(part, Arranged::Task(_)));
    list
}

fn ordered(sections: Sections<'_>) -> Ordered<'_> {
    let section = |(heading, keys): (Option<(_, _)>, _)| {
        (heading.map(|(lines, _)| lines).unwrap_or_default(), keys)
    };
    sections.into_iter().map(section).collect()
}

fn named<'i>(sections: Ordered<'_>, id: impl Fn(usize) -> Option<&'i str>) -> Named {
    let mut named: Named = Vec::with_capacity(sections.len());
    for (lines, keys) in sections {
        // What is left of a heading may be nothing.
        if named.is_empty() || !lines.is_empty() {
            named.push((lines.join("\n"), Vec::new()));
        }
        if let Some((_, ids)) = named.last_mut() {
            ids.extend(keys.into_iter().filter_map(&id).map(str::to_owned));
        }
    }
    named
}

fn parts((heading, ids): &(String, Vec<String>)) -> impl Iterator<Item = &str> {
    let heading = Some(heading).filter(|heading| !heading.is_empty());
    heading.into_iter().chain(ids).map(String::as_str)
}

fn value(sections: &Named, listed: &HashSet<&str>) -> Value {
    let parts = sections.iter().flat_map(parts).filter(|part| listed.contains(part));
    parts.map(Value::from).collect()
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Each with how many equal ones stand before it.
fn numbered<T: Clone + Eq + std::hash::Hash>(items: impl Iterator<Item = T>) -> Vec<(T, usize)> {
    let mut counts = HashMap::new();
    let number = |item: T| {
        let count = counts.entry(item.clone()).or_insert(0);
        *count += 1;
        (item, *count - 1)
    };
    items.map(number).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Merged;
    use super::super::sections::tests::{grouped, list, merge, parts_of, spaced, stepped, steps};
    use super::*;

    /// The text of a merge after the order of ours is taken, and of theirs.
    fn taken(merged: &Merged) -> Option<[String; 2]> {
        let is_order = |it: &&Conflict| it.task.is_none();
        let conflict = merged.conflicts.iter().find(is_order)?;
        let document = Document::parse(merged.text.as_str()).unwrap();
        Some([&conflict.ours, &conflict.theirs].map(|wanted| {
            let after = take(&document, wanted.as_ref().unwrap()).unwrap();
            assert_eq!(Some(standing(&after, conflict)), *wanted);
            list(after.text())
        }))
    }

    #[test]
    fn a_side_has_the_tasks_below_its_headings() {
        for (base, one, other, wanted) in [
            (
                "H1 . T1 T2 . H2 . T3 . H3 . T4",
                "H1 . T2 . H2 . T3 T1 . H3 . T4",
                "H1 . T2 . H2 . T3 . H3 . T4 T1",
                ["H1 . T2 . H2 . T3 T1 . H3 . T4", "H1 . T2 . H2 . T3 . H3 . T4 T1"],
            ),
            // One of them begins the heading.
            (
                "H1 . T1 T2 . H2 . T3 T4",
                "H1 . T1 . H2 . T3 T4 . H3 . T5 T2",
                "H1 . T1 . H2 . T3 T2 T4",
                ["H1 . T1 . H2 . T3 T4 . H3 . T5 T2", "H1 . T1 . H2 . T3 T2 T4 . H3 . T5"],
            ),
            // Each begins one, with a task of its own.
            (
                "H1 . T1 T2 . H4 . T3",
                "H1 . T1 . H4 . T3 . H2 . T8 T2",
                "H1 . T1 . H4 . T3 . H5 . T9 T2",
                [
                    "H1 . T1 . H4 . T3 . H2 . T8 T2 . H5 . T9",
                    "H1 . T1 . H4 . T3 . H2 . T8 . H5 . T9 T2",
                ],
            ),
            // No task stands in another order.
            (
                "H1 . T1 . H2 . H3 . T2",
                "H1 . H2 . T1 . H3 . T2",
                "H1 . H2 . H3 . T1 T2",
                ["H1 . H2 . T1 . H3 . T2", "H1 . H2 . H3 . T1 T2"],
            ),
            // What else the other side did stays, and a new task behind the one that it follows.
            (
                "T1 T2 T3 . H1 . T4 T5 . H2 . T6 T7",
                "T1 T3 T2 . H1 . T4 T5 . H2 . T6 T7 T8",
                "T2 T1 T3 T9 . H1 . T5 T4 . H2 . T6* T7",
                [
                    "T1 T3 T9 T2 . H1 . T5 T4 . H2 . T6* T7 T8",
                    "T2 T1 T3 T9 . H1 . T5 T4 . H2 . T6* T7 T8",
                ],
            ),
            // Sections themselves, and what is below some of them.
            (
                "H1 . T1 . H2 . T2 . H3 . T3 . H4 . T4",
                "H2 . T2 . H1 . T1 . H3 . T3 . H4 . T5 T4",
                "H1 . T1 . H3 . T3 . H2 . T2 . H4 . T4",
                [
                    "H2 . T2 . H1 . T1 . H3 . T3 . H4 . T5 T4",
                    "H1 . T1 . H3 . T3 . H2 . T2 . H4 . T5 T4",
                ],
            ),
            (
                "H1 . T1 T4 T5 . H2 . T2 . H3 . T3",
                "H2 . T2 . H1 . T4 T1 T5 . H3 . T3",
                "H1 . T1 T5 T4 . H3 . T3 . H2 . T2",
                ["H2 . T2 . H1 . T4 T1 T5 . H3 . T3", "H1 . T1 T5 T4 . H3 . T3 . H2 . T2"],
            ),
            // Equal headings, of which one is in conflict.
            (
                "H1 . T1 . H1 . T2 T3 T4",
                "H1 . T1 . H1 . T3 T2 T4",
                "H1 . T1 . H1 . T2 T4 T3",
                ["H1 . T1 . H1 . T3 T2 T4", "H1 . T1 . H1 . T2 T4 T3"],
            ),
        ] {
            let (_, merged) = merge(base, one, other);
            assert_eq!(taken(&merged).unwrap(), wanted, "{base} | {one} | {other}");
            let (_, merged) = merge(base, other, one);
            let [theirs, ours] = taken(&merged).unwrap();
            assert_eq!([ours, theirs], wanted, "{base} | {other} | {one}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_side_is_taken_whichever_it_is(base in steps(), steps in [steps(), steps()]) {
            let base = stepped(&["T1", "H1", "T2", "T3", "H2", "T4"].map(str::to_owned), &base, 5);
            let [one, other] = [stepped(&base, &steps[0], 20), stepped(&base, &steps[1], 30)].map(|it| spaced(&it));
            let base = spaced(&base);
            let (text, merged) = merge(&base, &one, &other);
            let (_, mirrored) = merge(&base, &other, &one);
            let case = format!("{base} | {one} | {other} => {text}");
            let Some(sides) = taken(&merged) else {
                prop_assert_eq!(taken(&mirrored), None, "{}", case);
                return Ok(());
            };
            let [theirs, ours] = taken(&mirrored).unwrap();
            prop_assert_eq!(sides.each_ref().map(|it| parts_of(it)), [&ours, &theirs].map(|it| parts_of(it)), "{}", case);
            // Below one that a side began, which may have been a new name.
            let begun = [&one, &other].map(|it| [grouped(it, &base), grouped(it, it)]);
            let is_begun = |task: &str| begun.iter().any(|[known, all]| known.get(task) != all.get(task));
            for (side, text) in [&one, &other].into_iter().zip(&sides) {
                let [was, one, other, wanted, taken] = [&base, &one, &other, side, text].map(|it| grouped(it, &base));
                let base = was;
                for (task, heading) in &taken {
                    let Some(was) = base.get(task).filter(|_| !is_begun(task)) else { continue };
                    let sides = [one.get(task), other.get(task)];
                    let is_moved_twice = sides.into_iter().all(|it| it.is_none_or(|it| it != was));
                    let wanted = wanted.get(task).filter(|_| is_moved_twice);
                    let is_there = |heading: &str| heading.is_empty() || text.split_whitespace().any(|it| it == heading);
                    if let Some(wanted) = wanted.filter(|it| is_there(it)) {
                        prop_assert_eq!(heading, wanted, "{} in {} taken {}", task, case, text);
                    }
                }
            }
        }
    }
}
