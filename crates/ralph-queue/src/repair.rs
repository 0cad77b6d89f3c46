//! What is wrong with a queue, mended as far as that can be done without guessing.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ralph_state::{TaskId, Timestamp};

use crate::edit::{Edit, EditError};
use crate::merge::Stands;
use crate::queue::Place;
use crate::task::{Status, Task};
use crate::validate::{self, Code, Problem, Rules};
use crate::when;

impl Edit<'_> {
    /// Mends what [`crate::Queue::validate`] finds, and touches nothing else. What it takes out of a
    /// task is kept in a note, and comments in it above the task; a task that has to get another id
    /// keeps the old one as an alias.
    ///
    /// Of the same task twice the version changed last stays, with what only the others have; what
    /// differs in them is kept in a note. Of two tasks with one id one that is not rejected keeps it,
    /// then the older, then the first, and references mean that one. Cycles, wrong wishes for an
    /// agent and a start that cannot be read stay.
    ///
    /// Returns the tasks that were open in one copy, and are finished as the later one has it.
    pub fn repair(&mut self, rules: &Rules) -> Result<Vec<TaskId>, EditError> {
        self.repair_but(rules, &BTreeSet::new())
    }

    /// The same without the tasks that have one of those ids, and without a new id for one that they
    /// name.
    pub fn repair_but(
        &mut self,
        rules: &Rules,
        left: &BTreeSet<TaskId>,
    ) -> Result<Vec<TaskId>, EditError> {
        self.be_repair();
        let is_left = |id: &str| left.contains(id);
        let closed = self.separate(rules, is_left)?;
        let spliced = self.splice().map_err(EditError::Splice)?;
        let queue = spliced.queue.as_ref().unwrap_or(self.queue.document());
        let done = spliced.done.as_ref().unwrap_or(self.done.document());
        let mut problems = validate::documents(queue, done, rules);
        problems.retain(|it| it.task.as_ref().is_none_or(|id| !is_left(id.as_str())));
        if problems.is_empty() {
            return Ok(closed);
        }
        let known: HashSet<&str> = queue.ids().chain(done.ids()).collect();
        let now = self.now();
        let mut mended = HashSet::new();
        for (problem, places) in problems.iter().zip(self.places(&problems)) {
            let Some(field) = &problem.field else { continue };
            let name = field.split(['[', '.']).next().unwrap_or(field);
            // All entries of a list at once.
            if !mended.insert((problem.place, &problem.task, problem.code, name)) {
                continue;
            }
            let draft = match problem.place {
                Place::Queue => &mut self.queue,
                Place::Done => &mut self.done,
            };
            for index in places {
                let mut task = draft.task(index).clone();
                mend(&mut task, problem.code, name, &known, now);
                if *draft.task(index) != task {
                    draft.replace(index, task);
                }
            }
        }
        // Last, since the problems name tasks by the ids they had.
        let with = |code: Code| {
            let such = problems.iter().filter(move |problem| problem.code == code);
            such.filter_map(|problem| problem.task.as_ref())
        };
        self.reopen(&with(Code::NotFinished).cloned().collect());
        let named = self.named_by(is_left);
        self.renumber(with(Code::IdFormat).filter(|id| !named.contains(id.as_str())), rules)?;
        Ok(closed)
    }

    /// The ids that such tasks name.
    fn named_by(&self, is_it: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        for draft in [&self.queue, &self.done] {
            for (index, _) in draft.ids().enumerate().filter(|(_, id)| is_it(id)) {
                named.extend(draft.task(index).references().map(str::to_owned));
            }
        }
        named
    }

    /// For each problem where the tasks are that it may be about.
    fn places(&self, problems: &[Problem]) -> Vec<Vec<usize>> {
        let key = |problem: &'_ Problem| Some((problem.place, problem.task.clone()?));
        let mut places: HashMap<(Place, TaskId), Vec<usize>> =
            problems.iter().filter_map(|problem| Some((key(problem)?, Vec::new()))).collect();
        if places.is_empty() {
            return vec![Vec::new(); problems.len()];
        }
        for (place, draft) in [(Place::Queue, &self.queue), (Place::Done, &self.done)] {
            for (index, id) in draft.ids().enumerate() {
                let Ok(id) = id.parse() else { continue };
                if let Some(places) = places.get_mut(&(place, id)) {
                    places.push(index);
                }
            }
        }
        let of = |problem| places.get(&key(problem)?).cloned();
        problems.iter().map(|problem| of(problem).unwrap_or_default()).collect()
    }

    /// Sees to it that no two tasks have one id. Returns what [`Self::repair`] does.
    fn separate(
        &mut self,
        rules: &Rules,
        is_left: impl Fn(&str) -> bool,
    ) -> Result<Vec<TaskId>, EditError> {
        let mut by_id: Vec<(&str, (Place, usize))> = Vec::new();
        for (place, draft) in [(Place::Queue, &self.queue), (Place::Done, &self.done)] {
            by_id.extend(draft.ids().enumerate().map(|(index, id)| (id, (place, index))));
        }
        by_id.sort_unstable();
        let shared = by_id.chunk_by(|one, other| one.0 == other.0).filter(|same| same.len() > 1);
        let shared = shared.filter(|same| !is_left(same[0].0));
        let shared: Vec<Vec<(Place, usize)>> =
            shared.map(|same| same.iter().map(|(_, place)| *place).collect()).collect();
        let mut superfluous = BTreeMap::new();
        for mut places in shared {
            let task = |(place, index): (Place, usize)| match place {
                Place::Queue => self.queue.task(index),
                Place::Done => self.done.task(index),
            };
            // The oldest first; of its versions the latest, then that of the done file.
            places.sort_by(|a, b| {
                let (first, second) = (task(*a), task(*b));
                (&first.created_at, &first.title)
                    .cmp(&(&second.created_at, &second.title))
                    .then_with(|| later_first(first, second))
                    .then_with(|| b.0.cmp(&a.0))
            });
            // Each with the first place that has a version of it.
            let mut own: Vec<((Place, usize), (Place, usize))> = Vec::new();
            for place in places {
                match own.last_mut() {
                    Some((first, last)) if task(*last).is_version_of(task(place)) => {
                        superfluous.insert(place, *last);
                        *first = place.min(*first);
                    }
                    _ => own.push((place, place)),
                }
            }
            own.sort_by_key(|(first, _)| *first);
            own.sort_by(|(_, one), (_, other)| keeper_first(task(*one), task(*other)));
            for (_, (place, index)) in own.into_iter().skip(1) {
                let id = self.spend_id(&rules.ids)?;
                let draft = match place {
                    Place::Queue => &mut self.queue,
                    Place::Done => &mut self.done,
                };
                draft.task_mut(index).give_id(id);
            }
        }
        let mut closed = Vec::new();
        for ((place, index), kept) in superfluous.iter().rev() {
            let copy = match place {
                Place::Queue => self.queue.block(*index),
                Place::Done => self.done.block(*index),
            };
            self.absorb(*kept, &copy, Stands::Ours);
            let kept = match kept {
                (Place::Queue, index) => self.queue.task(*index),
                (Place::Done, index) => self.done.task(*index),
            };
            if kept.status.is_terminal() && !copy.task().status.is_terminal() {
                closed.push(kept.id.clone());
            }
        }
        for (place, index) in superfluous.into_keys().rev() {
            match place {
                Place::Queue => self.queue.take(index),
                Place::Done => self.done.take(index),
            };
        }
        closed.sort();
        Ok(closed)
    }

    /// Gives tasks ids of the right form; those that name them follow.
    fn renumber<'i>(
        &mut self,
        old: impl Iterator<Item = &'i TaskId>,
        rules: &Rules,
    ) -> Result<(), EditError> {
        let mut ids = BTreeMap::new();
        for id in old {
            if !ids.contains_key(id) {
                ids.insert(id.clone(), self.spend_id(&rules.ids)?);
            }
        }
        if ids.is_empty() {
            return Ok(());
        }
        for draft in [&mut self.queue, &mut self.done] {
            for index in 0..draft.len() {
                let task = draft.task(index);
                let mut named = task.references().chain([task.id.as_str()]);
                let is_concerned = named.any(|id| ids.contains_key(id));
                drop(named);
                if is_concerned {
                    draft.task_mut(index).rename(&ids);
                }
            }
        }
        Ok(())
    }

    /// Moves the tasks with those ids that are not finished from the done file to the queue.
    fn reopen(&mut self, ids: &BTreeSet<TaskId>) {
        let unfinished = |(id, status): (&str, Status)| ids.contains(id) && !status.is_terminal();
        let places: BTreeSet<usize> = self
            .done
            .ids_and_statuses()
            .enumerate()
            .filter_map(|(index, task)| unfinished(task).then_some(index))
            .collect();
        for block in self.done.take_all(&places) {
            self.queue.insert_block(self.queue.len(), block);
        }
    }
}

/// Of two tasks with one id the one that keeps it first; where neither comes first, the one that
/// stands first does.
pub(crate) fn keeper_first(one: &Task, other: &Task) -> Ordering {
    let key = |task: &'_ Task| (task.status == Status::Rejected, task.created_at.clone());
    key(one).cmp(&key(other))
}

/// Of two versions of one task the one that is to stay first: that which was changed last. A
/// finished one is as late as its end, since a move to the done file says nothing new, and an open
/// one that has the time of that end was opened again after it.
pub(crate) fn later_first(one: &Task, other: &Task) -> Ordering {
    let time = |text: &Option<String>| text.as_ref()?.parse::<Timestamp>().ok();
    let lateness = |task: &Task| {
        let (changed, end) = (time(&task.updated_at), time(&task.completed_at));
        let is_open = !task.status.is_terminal();
        let known = if is_open { changed.max(end) } else { end.or(changed) };
        (known, is_open && known.is_some(), changed)
    };
    let key = |task: &Task| (Reverse(lateness(task)), Reverse(task.status.is_terminal()));
    key(one).cmp(&key(other))
}

fn mend(task: &mut Task, code: Code, name: &str, known: &HashSet<&str>, now: Timestamp) {
    match (code, name) {
        (Code::Blank, "title") if task.title.trim().is_empty() => {
            "Untitled".clone_into(&mut task.title);
        }
        (Code::Blank, _) => {
            for list in [&mut task.tags, &mut task.scope, &mut task.evidence, &mut task.plan] {
                list.retain(|entry| !entry.trim().is_empty());
            }
        }
        (Code::CustomFieldName, _) => {
            let fields = std::mem::take(&mut task.custom_fields);
            for (key, value) in fields {
                let words: Vec<&str> = key.split_whitespace().collect();
                let mut key = if words.is_empty() { "unnamed".to_owned() } else { words.join("_") };
                while task.custom_fields.contains_key(&key) {
                    key.push('_');
                }
                task.custom_fields.insert(key, value);
            }
        }
        (Code::MissingField | Code::BadTime | Code::NotUtc, _) => times(task, name, now),
        (Code::UnknownTask | Code::SelfReference, _) => references(task, known),
        _ => {}
    }
}

/// Mends one time: the same one in UTC, or one that is known, or now.
fn times(task: &mut Task, name: &str, now: Timestamp) {
    // A date alone is the begin of that day.
    let read = |time: &Option<String>| when::written(time.as_ref()?);
    let times =
        [&task.created_at, &task.started_at, &task.completed_at, &task.updated_at].map(read);
    let first = times.iter().flatten().min().copied();
    let last = times.iter().flatten().max().copied();
    let (time, fallback) = match name {
        "created_at" => (&mut task.created_at, Some(first.unwrap_or(now))),
        "updated_at" => (&mut task.updated_at, Some(last.unwrap_or(now))),
        "completed_at" if task.status.is_terminal() => {
            (&mut task.completed_at, Some(read(&task.updated_at).unwrap_or(now)))
        }
        "completed_at" => (&mut task.completed_at, None),
        "started_at" => (&mut task.started_at, None),
        // Without it the task would start now. What it was to say, the user knows.
        "scheduled_start" => {
            task.scheduled_start.take_if(|start| start.trim().is_empty());
            return;
        }
        _ => return,
    };
    let known = read(time);
    let old = std::mem::replace(time, known.or(fallback).map(|time| time.to_string()));
    if let (Some(old), None) = (old, known) {
        task.notes.push(format!("Repair: `{name}` was `{old}`, which is no time."));
    }
}

/// Takes out references that lead nowhere. Who had such an id before need not be the task that is
/// meant. Blank ones mean nothing, and stay; so does a parent, who holds nothing back.
fn references(task: &mut Task, known: &HashSet<&str>) {
    let own = task.id.as_str();
    let mut lost = Vec::new();
    let mut leads = |name: &str, id: &str| {
        let leads = id.trim().is_empty() || id.trim() != own && known.contains(id.trim());
        if !leads {
            lost.push(format!("Repair: `{name}` named `{id}`, which is no other task."));
        }
        leads
    };
    let lists = [
        ("depends_on", &mut task.depends_on),
        ("blocks", &mut task.blocks),
        ("relates_to", &mut task.relates_to),
    ];
    for (name, list) in lists {
        list.retain(|id| leads(name, id));
    }
    task.duplicates.take_if(|id| id.trim().is_empty() || !leads("duplicates", id));
    task.notes.extend(lost);
}
