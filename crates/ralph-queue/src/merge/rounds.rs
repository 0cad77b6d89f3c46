//! Branches that go on after a merge and are merged again.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{Remark, comments, remarked, remarks, sorted};
use super::*;
use crate::document::tests::{Touch, touch};
use crate::edit::Edit;
use crate::queue::Queue;
use crate::task::Field;
use crate::validate::Rules;

/// Something done on one of the branches.
#[derive(Clone, Debug)]
enum Step {
    Add(Option<prop::sample::Index>),
    Depend(prop::sample::Index, prop::sample::Index),
    End(prop::sample::Index),
    Reject(prop::sample::Index),
    Note(prop::sample::Index),
    Retitle(prop::sample::Index),
    /// Any other field, and the task that is meant if it names one.
    Touch(prop::sample::Index, Touch, prop::sample::Index),
    Remark(Vec<Remark>),
    Repair,
}

/// The fields whose deeds are known, and the time by which a task is.
const KNOWN: [Field; 6] =
    [Field::Id, Field::Title, Field::Status, Field::Notes, Field::DependsOn, Field::CreatedAt];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use prop::sample::Index;
    let step = prop_oneof![
        3 => any::<Option<Index>>().prop_map(Step::Add),
        1 => any::<(Index, Index)>().prop_map(|(task, on)| Step::Depend(task, on)),
        1 => any::<Index>().prop_map(Step::End),
        1 => any::<Index>().prop_map(Step::Reject),
        1 => any::<Index>().prop_map(Step::Note),
        1 => any::<Index>().prop_map(Step::Retitle),
        4 => (any::<Index>(), touch(), any::<Index>()).prop_map(|(at, touch, on)| Step::Touch(at, touch, on)),
        1 => remarks().prop_map(Step::Remark),
        1 => Just(Step::Repair),
    ];
    prop::collection::vec(step, 0..4)
}

/// Which branch takes in the other, or both.
#[derive(Clone, Copy, Debug)]
enum Way {
    Into(usize),
    Both,
}

fn rounds() -> impl Strategy<Value = Vec<([Vec<Step>; 2], Way)>> {
    let way = prop::sample::select(vec![Way::Into(0), Way::Into(1), Way::Both]);
    prop::collection::vec(([steps(), steps()], way), 1..5)
}

/// What somebody did to a task.
#[derive(Clone, Debug, Default, PartialEq)]
struct Deeds {
    is_done: bool,
    is_rejected: bool,
    notes: BTreeSet<String>,
    titles: BTreeSet<String>,
    /// When those were made that it depends on.
    depends_on: BTreeSet<String>,
}

/// A branch, and by the times at which its tasks were made what was done to them.
#[derive(Clone, Debug)]
struct Branch {
    text: String,
    deeds: BTreeMap<String, Deeds>,
}

fn made_at(number: usize) -> String {
    format!("2026-01-01T00:00:00.{:09}Z", number * 1000 + 1)
}

fn task(id: usize, number: usize) -> Task {
    let mut task = Task::new(format!("RQ-{id:04}").parse().unwrap(), "task");
    task.created_at = Some(made_at(number));
    task.updated_at.clone_from(&task.created_at);
    task
}

impl Branch {
    /// With tasks of these ids.
    fn new(ids: &[usize]) -> Self {
        let mut branch = Self { text: Document::empty().text().to_owned(), deeds: BTreeMap::new() };
        for (number, id) in ids.iter().enumerate() {
            branch.edit(|draft| draft.insert(draft.len(), task(*id, number)));
            branch.deed(number, |deeds| deeds.titles.extend(["task".to_owned()]));
        }
        branch
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Draft<'_>)) {
        let document = Document::parse(self.text.as_str()).unwrap();
        let mut draft = document.draft();
        edit(&mut draft);
        if let Some(edited) = draft.splice().unwrap() {
            edited.text().clone_into(&mut self.text);
        }
    }

    fn deed(&mut self, number: usize, deed: impl FnOnce(&mut Deeds)) {
        deed(self.deeds.entry(made_at(number)).or_default());
    }

    fn tasks(&self) -> Vec<Task> {
        Document::parse(self.text.as_str()).unwrap().tasks().to_vec()
    }

    fn is_ambiguous(&self) -> bool {
        let tasks = self.tasks();
        tasks.iter().map(|task| &task.id).collect::<BTreeSet<_>>().len() < tasks.len()
    }

    /// `number` tells the step from all others.
    fn make(&mut self, step: &Step, number: usize) {
        let tasks = self.tasks();
        let (is_ambiguous, word) = (self.is_ambiguous(), number.to_string());
        let pick = |at: &prop::sample::Index| (!tasks.is_empty()).then(|| at.index(tasks.len()));
        let made = |at: usize| tasks[at].created_at.clone().unwrap();
        match step {
            Step::Add(on) => {
                let number_of = |task: &Task| task.id.as_str()[3..].parse::<usize>().unwrap();
                let id = tasks.iter().map(number_of).max().unwrap_or(0) + 1;
                let on = on.as_ref().and_then(pick).filter(|_| !is_ambiguous);
                let mut new = task(id, number);
                new.title.clone_from(&word);
                new.depends_on.extend(on.map(|on| tasks[on].id.to_string()));
                self.edit(|draft| draft.insert(draft.len(), new));
                self.deed(number, |deeds| {
                    deeds.titles.insert(word);
                    deeds.depends_on.extend(on.map(made));
                });
            }
            Step::Depend(at, on) => {
                let both = pick(at).zip(pick(on)).filter(|(at, on)| at != on && !is_ambiguous);
                let Some((at, on)) = both else { return };
                let id = tasks[on].id.to_string();
                if !tasks[at].depends_on.contains(&id) {
                    self.edit(|draft| draft.task_mut(at).depends_on.push(id));
                }
                self.deeds.get_mut(&made(at)).unwrap().depends_on.insert(made(on));
            }
            Step::End(at) => {
                let Some(at) = pick(at).filter(|at| !tasks[*at].status.is_terminal()) else {
                    return;
                };
                self.edit(|draft| draft.task_mut(at).status = Status::Done);
                self.deeds.get_mut(&made(at)).unwrap().is_done = true;
            }
            Step::Reject(at) => {
                let Some(at) = pick(at).filter(|at| !tasks[*at].status.is_terminal()) else {
                    return;
                };
                self.edit(|draft| draft.task_mut(at).status = Status::Rejected);
                self.deeds.get_mut(&made(at)).unwrap().is_rejected = true;
            }
            Step::Note(at) => {
                let Some(at) = pick(at) else { return };
                self.edit(|draft| draft.task_mut(at).notes.push(word.clone()));
                self.deeds.get_mut(&made(at)).unwrap().notes.insert(word);
            }
            Step::Retitle(at) => {
                let Some(at) = pick(at) else { return };
                self.edit(|draft| draft.task_mut(at).title.clone_from(&word));
                self.deeds.get_mut(&made(at)).unwrap().titles.insert(word);
            }
            Step::Touch(at, touch, on) => {
                if touch.field().is_some_and(|field| KNOWN.contains(&field)) {
                    return;
                }
                let Some((at, on)) = pick(at).zip(pick(on)) else { return };
                if !touch.is_about_others() {
                    self.edit(|draft| touch.apply_text(draft.task_mut(at), word));
                } else if at != on && !is_ambiguous {
                    let id = tasks[on].id.to_string();
                    self.edit(|draft| touch.apply_text(draft.task_mut(at), id));
                }
            }
            Step::Remark(remarks) => {
                let document = Document::parse(self.text.as_str()).unwrap();
                self.text = remarked(&document, remarks, number * 10).text().to_owned();
            }
            Step::Repair => {
                let queue = Queue::new(Document::parse(self.text.as_str()).unwrap(), None);
                let now: Timestamp = "2026-04-22T12:00:00Z".parse().unwrap();
                let mut edit = Edit::new(&queue, now);
                edit.repair(&Rules::default()).unwrap();
                if let Some(repaired) = edit.splice().unwrap().queue {
                    repaired.text().clone_into(&mut self.text);
                }
            }
        }
    }

    /// Takes the other branch in, of which it had `base` before.
    fn take_in(&self, base: &str, other: &Self) -> Self {
        let merged = three_way(base, &self.text, &other.text).unwrap();
        let mut deeds = self.deeds.clone();
        for (task, others) in &other.deeds {
            let own = deeds.entry(task.clone()).or_default();
            own.is_done |= others.is_done;
            own.is_rejected |= others.is_rejected;
            own.notes.extend(others.notes.clone());
            own.titles.extend(others.titles.clone());
            own.depends_on.extend(others.depends_on.clone());
        }
        Self { text: merged.text, deeds }
    }

    /// Whether the tasks are those to which the deeds were done, and say nothing else.
    fn check(&self) -> Result<(), TestCaseError> {
        let tasks = self.tasks();
        let made = |task: &Task| task.created_at.clone().unwrap();
        let by_id: BTreeMap<&str, String> =
            tasks.iter().map(|task| (task.id.as_str(), made(task))).collect();
        prop_assert_eq!(tasks.len(), self.deeds.len(), "{}", self.text);
        for task in &tasks {
            let deeds = &self.deeds[&made(task)];
            prop_assert!(deeds.titles.contains(&task.title), "{}", self.text);
            let depends_on = task.depends_on.iter().map(|id| by_id[id.as_str()].clone());
            let found = Deeds {
                is_done: task.status == Status::Done,
                // One side may have done what the other rejected.
                is_rejected: deeds.is_rejected && task.status.is_terminal(),
                notes: task.notes.iter().cloned().collect(),
                titles: deeds.titles.clone(),
                depends_on: depends_on.collect(),
            };
            prop_assert_eq!(&found, deeds, "{} in {}", task.id, self.text);
        }
        Ok(())
    }
}

/// Whether a merge did to each task what both sides did, and has every comment.
fn check_other_fields(versions: [&Branch; 3], merged: &Branch) -> Result<(), TestCaseError> {
    if versions.iter().chain([&merged]).any(|version| version.is_ambiguous()) {
        return Ok(());
    }
    expected::check_tasks(&versions.map(Branch::tasks), &merged.tasks(), &KNOWN)?;
    let all = |version: &Branch| -> BTreeSet<String> {
        comments(&version.text).into_values().flatten().collect()
    };
    let [base, ours, theirs] = versions.map(all);
    let after = all(merged);
    for comment in ours.union(&theirs) {
        prop_assert!(base.contains(comment) || after.contains(comment), "{} is lost", comment);
    }
    Ok(())
}

/// Makes and merges what the branches do, and looks at each merge.
fn play(base: Branch, rounds: &[([Vec<Step>; 2], Way)]) -> Result<(), TestCaseError> {
    let (mut base, mut branches) = (base.clone(), [base.clone(), base]);
    let mut number = 100;
    for (steps, way) in rounds {
        for (branch, steps) in branches.iter_mut().zip(steps) {
            for step in steps {
                branch.make(step, number);
                number += 1;
            }
        }
        let sides = [&branches[0], &branches[1]];
        let merged =
            [sides[0].take_in(&base.text, sides[1]), sides[1].take_in(&base.text, sides[0])];
        // Of a value that both changed that of ours stands.
        let settled = |merged: &Branch| {
            let mut tasks = sorted(&merged.text);
            for task in &mut tasks {
                let former: Vec<String> = task.former_ids().map(str::to_owned).collect();
                let id = task.id.clone();
                *task = Task {
                    status: task.status,
                    notes: std::mem::take(&mut task.notes),
                    tags: std::mem::take(&mut task.tags),
                    scope: std::mem::take(&mut task.scope),
                    depends_on: std::mem::take(&mut task.depends_on),
                    blocks: std::mem::take(&mut task.blocks),
                    relates_to: std::mem::take(&mut task.relates_to),
                    created_at: task.created_at.take(),
                    ..Task::new(id.clone(), "")
                };
                task.set_ids(id, &former);
            }
            tasks
        };
        prop_assert_eq!(settled(&merged[0]), settled(&merged[1]));
        for (merged, [ours, other]) in merged.iter().zip([sides, [sides[1], sides[0]]]) {
            merged.check()?;
            check_other_fields([&base, ours, other], merged)?;
            let was_ambiguous = sides.iter().any(|side| side.is_ambiguous());
            prop_assert!(was_ambiguous || !merged.is_ambiguous(), "{}", merged.text);
            let again = three_way(&base.text, &merged.text, &other.text).unwrap();
            prop_assert_eq!(sorted(&again.text), sorted(&merged.text));
        }
        let [first, second] = merged;
        match way {
            Way::Into(0) => {
                base.clone_from(&branches[1]);
                branches[0] = first;
            }
            Way::Into(_) => {
                base.clone_from(&branches[0]);
                branches[1] = second;
            }
            Way::Both => {
                base.clone_from(&first);
                branches = [first.clone(), first];
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_deed_comes_to_another_task(count in 0..4usize, rounds in rounds()) {
        play(Branch::new(&(1..=count).collect::<Vec<_>>()), &rounds)?;
    }

    #[test]
    fn tasks_with_one_id_are_told_apart(ids in prop::collection::vec(1..4usize, 1..5), rounds in rounds()) {
        play(Branch::new(&ids), &rounds)?;
    }
}
