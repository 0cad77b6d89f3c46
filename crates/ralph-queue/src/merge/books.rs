//! Branches whose queue and done files git merges one at a time, again and again.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::conflict::{Beside, Sides, resolve};
use crate::document::tests::{Touch, touch};
use crate::edit::Edit;
use crate::queue::Queue;
use crate::task::Field;

/// Something done on one of the branches.
#[derive(Clone, Debug)]
enum Step {
    Add(Option<prop::sample::Index>),
    Depend(prop::sample::Index, prop::sample::Index),
    End(prop::sample::Index, bool),
    Archive,
    Note(prop::sample::Index),
    /// Any other field, and the task that is meant if it names one.
    Touch(prop::sample::Index, Touch, prop::sample::Index),
}

/// The fields that steps of their own are about, those that tell which task it is, and the times by
/// which the later copy of a task is known.
const OTHERS: [Field; 8] = [
    Field::Id,
    Field::Title,
    Field::Status,
    Field::Notes,
    Field::DependsOn,
    Field::CreatedAt,
    Field::UpdatedAt,
    Field::CompletedAt,
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use prop::sample::Index;
    let step = prop_oneof![
        3 => any::<Option<Index>>().prop_map(Step::Add),
        1 => any::<(Index, Index)>().prop_map(|(task, on)| Step::Depend(task, on)),
        2 => any::<(Index, bool)>().prop_map(|(at, is_done)| Step::End(at, is_done)),
        2 => Just(Step::Archive),
        1 => any::<Index>().prop_map(Step::Note),
        4 => (any::<Index>(), touch(), any::<Index>()).prop_map(|(at, touch, on)| Step::Touch(at, touch, on)),
    ];
    prop::collection::vec(step, 0..5)
}

/// The steps of both branches, and which of them takes in the other then.
fn rounds() -> impl Strategy<Value = Vec<([Vec<Step>; 2], usize)>> {
    prop::collection::vec(([steps(), steps()], 0..2usize), 1..5)
}

/// The queue file and the done file.
type Books = [String; 2];

/// What is known of a task by the time at which it was made: its notes, whether it has ended, and
/// when those were made that it depends on.
type Deeds = BTreeMap<String, (BTreeSet<String>, bool, BTreeSet<String>)>;

fn tasks(books: &Books) -> Vec<Task> {
    let read = |text: &String| Document::parse(text.as_str()).unwrap().tasks().to_vec();
    books.iter().flat_map(read).collect()
}

fn made(task: &Task) -> String {
    task.created_at.clone().unwrap()
}

/// Nothing where a task has no id of its own, or names none.
fn deeds(books: &Books) -> Option<Deeds> {
    let tasks = tasks(books);
    let by_id: BTreeMap<&str, String> =
        tasks.iter().map(|task| (task.id.as_str(), made(task))).collect();
    let mut deeds = Deeds::new();
    for task in &tasks {
        let on = task.depends_on.iter().map(|id| by_id.get(id.as_str()).cloned());
        let is_own = |note: &&String| !note.starts_with("Another copy of this task had");
        let notes = task.notes.iter().filter(is_own).cloned().collect();
        deeds.insert(made(task), (notes, task.status.is_terminal(), on.collect::<Option<_>>()?));
    }
    (by_id.len() == tasks.len() && deeds.len() == tasks.len()).then_some(deeds)
}

/// The ids that find a task, by the time at which it was made.
fn known_as(books: &Books) -> BTreeMap<String, BTreeSet<String>> {
    let ids = |task: &Task| task.all_ids().map(str::to_owned).collect();
    tasks(books).iter().map(|task| (made(task), ids(task))).collect()
}

fn edit(text: &mut String, edit: impl FnOnce(&mut Draft<'_>)) {
    let document = Document::parse(text.as_str()).unwrap();
    let mut draft = document.draft();
    edit(&mut draft);
    if let Some(edited) = draft.splice().unwrap() {
        edited.text().clone_into(text);
    }
}

/// `number` tells the step from all others.
fn make(books: &mut Books, step: &Step, number: usize) {
    let all = tasks(books);
    let open = Document::parse(books[0].as_str()).unwrap().tasks().len();
    let pick = |at: &prop::sample::Index| (open > 0).then(|| at.index(open));
    let id_of = |at: &prop::sample::Index| {
        (!all.is_empty()).then(|| all[at.index(all.len())].id.to_string())
    };
    match step {
        Step::Add(on) => {
            let highest =
                all.iter().flat_map(Task::all_ids).max().map_or(0, |id| id[3..].parse().unwrap());
            let mut new = Task::new(format!("RQ-{:04}", highest + 1).parse().unwrap(), "task");
            new.created_at = Some(format!("2026-01-01T00:00:00.{:09}Z", number * 1000 + 1));
            new.depends_on.extend(on.as_ref().and_then(id_of));
            edit(&mut books[0], |draft| draft.insert(draft.len(), new));
        }
        Step::Depend(at, on) => {
            let Some((at, on)) = pick(at).zip(id_of(on)) else { return };
            if all[at].id.as_str() != on && !all[at].depends_on.contains(&on) {
                edit(&mut books[0], |draft| draft.task_mut(at).depends_on.push(on));
            }
        }
        Step::End(at, is_done) => {
            let open = |at: &usize| !all[*at].status.is_terminal();
            let Some(at) = pick(at).filter(open) else { return };
            let status = if *is_done { Status::Done } else { Status::Rejected };
            edit(&mut books[0], |draft| match number % 3 {
                // By hand.
                0 => draft.task_mut(at).status = status,
                _ => draft.task_mut(at).set_status(status, now(number)),
            });
        }
        Step::Archive => {
            let [queue, done] =
                books.each_ref().map(|text| Document::parse(text.as_str()).unwrap());
            let queue = Queue::new(queue, Some(done));
            let mut edit = Edit::new(&queue, at());
            edit.archive();
            put(books, &edit);
        }
        Step::Note(at) => {
            let Some(at) = pick(at) else { return };
            edit(&mut books[0], |draft| draft.task_mut(at).notes.push(number.to_string()));
        }
        Step::Touch(at, touch, on) => {
            let Some((at, on)) = pick(at).zip(id_of(on)) else { return };
            let is_other = touch.field().is_some_and(|field| OTHERS.contains(&field));
            // A copy that is left brings back what only it lacks.
            let is_other = is_other || touch.takes_away();
            let is_itself = touch.is_about_others() && all[at].id.as_str() == on;
            if !is_other && !is_itself {
                let text = if touch.is_about_others() { on } else { number.to_string() };
                edit(&mut books[0], |draft| {
                    let task = draft.task_mut(at);
                    touch.apply_text(task, text);
                    task.updated_at = Some(now(number).to_string());
                });
            }
        }
    }
}

fn put(books: &mut Books, edit: &Edit<'_>) {
    let spliced = edit.splice().unwrap();
    for (book, spliced) in books.iter_mut().zip([spliced.queue, spliced.done]) {
        if let Some(spliced) = spliced {
            spliced.text().clone_into(book);
        }
    }
}

/// When the step with that number was made.
fn now(number: usize) -> Timestamp {
    format!("2026-02-01T00:00:00.{:09}Z", number * 1000 + 1).parse().unwrap()
}

fn at() -> Timestamp {
    "2026-04-22T12:00:00Z".parse().unwrap()
}

/// What git makes of one file: it merges none that only one side changed.
fn merged_file(file: usize, [base, ours, theirs]: [&Books; 3]) -> String {
    if ours[file] == theirs[file] || theirs[file] == base[file] {
        return ours[file].clone();
    }
    if ours[file] == base[file] {
        return theirs[file].clone();
    }
    let place = [Place::Done, Place::Queue][file];
    let [other_base, other_ours, other_theirs] =
        [base, ours, theirs].map(|books| Some(books[1 - file].clone()));
    let mut sides = Sides::new(ours[file].clone(), Some(base[file].clone()), theirs[file].clone());
    sides.beside = Some(Beside { place, base: other_base, ours: other_ours, theirs: other_theirs });
    let mut merged = resolve(&sides).unwrap();
    if file == 0 {
        let [ours, theirs] =
            [ours, theirs].map(|books| Document::parse(books[1].as_str()).unwrap());
        merged.settle_finished(Some(&ours), Some(&theirs)).unwrap();
    }
    merged.text
}

/// What git makes of both, with what the next edit puts in order.
fn merged(versions: [&Books; 3]) -> Books {
    let mut books = [0, 1].map(|file| merged_file(file, versions));
    let [queue, done] = books.each_ref().map(|text| Document::parse(text.as_str()).unwrap());
    let queue = Queue::new(queue, Some(done));
    put(&mut books, &Edit::new(&queue, at()));
    books
}

fn play(rounds: &[([Vec<Step>; 2], usize)]) -> Result<(), TestCaseError> {
    let empty = Document::empty().text().to_owned();
    let (mut base, mut branches) =
        ([empty.clone(), empty.clone()], [[empty.clone(), empty.clone()], [empty.clone(), empty]]);
    let mut number = 100;
    for (steps, into) in rounds {
        for (branch, steps) in branches.iter_mut().zip(steps) {
            for step in steps {
                make(branch, step, number);
                number += 1;
            }
        }
        let [one, other] = &branches;
        let is_driven = |file: usize| {
            one[file] != base[file] && other[file] != base[file] && one[file] != other[file]
        };
        let has_changed = |branch: &Books| *branch != base;
        if !is_driven(0) && !is_driven(1) && has_changed(one) && has_changed(other) {
            // Nobody is asked: that is for a repair.
            return Ok(());
        }
        let both = [merged([&base, one, other]), merged([&base, other, one])];
        for merged in &both {
            let after = known_as(merged);
            for (task, ids) in [one, other].into_iter().flat_map(known_as) {
                prop_assert!(ids.is_subset(&after[&task]), "{ids:?} in {}{}", merged[0], merged[1]);
            }
        }
        let mut known_deeds = deeds(one).unwrap();
        for (task, (notes, has_ended, on)) in deeds(other).unwrap() {
            let known = known_deeds.entry(task).or_default();
            known.0.extend(notes);
            known.1 |= has_ended;
            known.2.extend(on);
        }
        let expected = Some(known_deeds);
        for merged in &both {
            prop_assert_eq!(&deeds(merged), &expected, "{}{}", merged[0], merged[1]);
            expected::check_tasks(&[&base, one, other].map(tasks), &tasks(merged), &OTHERS)?;
        }
        let ids = |books: &Books| -> BTreeMap<String, TaskId> {
            tasks(books).into_iter().map(|task| (made(&task), task.id)).collect()
        };
        prop_assert_eq!(ids(&both[0]), ids(&both[1]));
        base.clone_from(&branches[1 - into]);
        branches[*into] = both[*into].clone();
        let other = &branches[1 - into];
        let again = merged([&base, &branches[*into], other]);
        prop_assert_eq!(&again, &branches[*into]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_task_has_one_id_in_both_files(rounds in rounds()) {
        play(&rounds)?;
    }
}
