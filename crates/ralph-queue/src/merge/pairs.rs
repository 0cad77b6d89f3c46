//! Which tasks of three versions are one task.

use std::collections::HashMap;
use std::iter::once;

use ralph_state::TaskId;

use super::MergeError;
use crate::document::Document;
use crate::task::Task;

/// A task in one version: where it is in each of the files, and what one of them says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'t, const N: usize> {
    pub(super) places: [Option<usize>; N],
    pub(super) task: &'t Task,
}

/// One task in base, ours and theirs.
pub(super) type Same<'t, const N: usize> = [Option<Member<'t, N>>; 3];

/// Every task of the versions, those of the base first. No id alone makes two tasks one: tasks
/// are versions of each other, under an id that both have or had, or one is what an edit by hand
/// made of the only other that it can be.
///
/// Errors: an id is that of several tasks, and nothing tells which of them is which.
pub(super) fn pair<'t, const N: usize>(
    files: &'t [[Document; N]; 3],
) -> Result<Vec<Same<'t, N>>, MergeError> {
    let [base, ours, theirs] = files.each_ref().map(members);
    let [in_ours, in_theirs] = [("ours", &ours), ("theirs", &theirs)].map(|(side, members)| {
        let mut pairs = Pairs::new(&base, members);
        pairs.known();
        pairs.edited(side)?;
        Ok::<_, MergeError>((pairs.of, pairs.is_taken))
    });
    let ((in_ours, ours_taken), (in_theirs, theirs_taken)) = (in_ours?, in_theirs?);
    let both = in_ours.into_iter().zip(in_theirs);
    let mut all: Vec<Same<'t, N>> = base
        .iter()
        .zip(both)
        .map(|(base, (one, other))| {
            [Some(*base), one.map(|at| ours[at]), other.map(|at| theirs[at])]
        })
        .collect();

    let new = |members: Vec<Member<'t, N>>, is_taken: Vec<bool>| -> Vec<Member<'t, N>> {
        let new = members.into_iter().zip(is_taken).filter(|(_, is_taken)| !is_taken);
        new.map(|(member, _)| member).collect()
    };
    let (added, others) = (new(ours, ours_taken), new(theirs, theirs_taken));
    let mut pairs = Pairs::new(&added, &others);
    pairs.known();
    let Pairs { of, is_taken, .. } = pairs;
    all.extend(added.iter().zip(of).map(|(one, of)| [None, Some(*one), of.map(|at| others[at])]));
    let lone = others.iter().zip(is_taken).filter(|(_, is_taken)| !is_taken);
    all.extend(lone.map(|(other, _)| [None, None, Some(*other)]));
    Ok(all)
}

/// The tasks of a version. One that is in both files, since a move was cut short or merged, is one.
fn members<const N: usize>(files: &[Document; N]) -> Vec<Member<'_, N>> {
    let mut members: Vec<Member<'_, N>> = Vec::new();
    let mut by_id: HashMap<&TaskId, Vec<usize>> = HashMap::new();
    for (file, document) in files.iter().enumerate() {
        for (index, task) in document.tasks().iter().enumerate() {
            let known = by_id.entry(&task.id).or_default();
            let is_copy = |at: &&usize| {
                let member = &members[**at];
                member.places[file].is_none() && member.task.is_version_of(task)
            };
            if let Some(at) = known.iter().find(is_copy) {
                members[*at].places[file] = Some(index);
                continue;
            }
            let mut places = [None; N];
            places[file] = Some(index);
            known.push(members.len());
            members.push(Member { places, task });
        }
    }
    members
}

/// Tasks of two versions, and which are the same so far.
struct Pairs<'m, 't, const N: usize> {
    one: &'m [Member<'t, N>],
    other: &'m [Member<'t, N>],
    /// For each of one which of the other it is.
    of: Vec<Option<usize>>,
    is_taken: Vec<bool>,
}

impl<'m, 't, const N: usize> Pairs<'m, 't, N> {
    fn new(one: &'m [Member<'t, N>], other: &'m [Member<'t, N>]) -> Self {
        Self { one, other, of: vec![None; one.len()], is_taken: vec![false; other.len()] }
    }

    /// The tasks of one that have no pair yet.
    fn left(&self) -> impl Iterator<Item = (usize, &'t Task)> + use<'t, N> {
        let is_left = |(at, _): &(usize, _)| self.of[*at].is_none();
        let left = self.one.iter().map(|member| member.task).enumerate().filter(is_left);
        left.collect::<Vec<_>>().into_iter()
    }

    /// Those of the other, by what `keys` says of them.
    fn left_by<K: std::hash::Hash + Eq, I: Iterator<Item = K>>(
        &self,
        keys: impl Fn(&'t Task) -> I,
    ) -> HashMap<K, Vec<usize>> {
        let mut by_key: HashMap<K, Vec<usize>> = HashMap::new();
        for (at, member) in self.other.iter().enumerate().filter(|(at, _)| !self.is_taken[*at]) {
            for key in keys(member.task) {
                by_key.entry(key).or_default().push(at);
            }
        }
        by_key
    }

    /// Pairs versions of one title, before those that got another: 0.4.0 gives all parts of a task
    /// one time, and one part may have the id that another had before.
    fn known(&mut self) {
        for is_version in [Task::is_same_titled, Task::is_version_of] {
            self.versions(is_version);
            self.renumbered(is_version);
        }
    }

    fn pair(&mut self, at: usize, other: usize) {
        self.of[at] = Some(other);
        self.is_taken[other] = true;
    }

    /// Pairs versions with one id: first what nobody changed, then by the order in the file.
    fn versions(&mut self, is_version: fn(&Task, &Task) -> bool) {
        let by_id = self.left_by(|task| once((&task.id, &task.created_at)));
        for is_same in [|one: &Task, other: &Task| one == other, is_version] {
            for (at, task) in self.left() {
                let known = by_id.get(&(&task.id, &task.created_at)).into_iter().flatten();
                let mut free = known.filter(|other| !self.is_taken[**other]);
                if let Some(other) = free.find(|other| is_same(task, self.other[**other].task)) {
                    self.pair(at, *other);
                }
            }
        }
    }

    /// Pairs versions one of which got another id.
    fn renumbered(&mut self, is_version: fn(&Task, &Task) -> bool) {
        let by_id = self.left_by(Task::all_ids);
        for (at, task) in self.left() {
            let known = task.all_ids().filter_map(|id| by_id.get(id)).flatten();
            let mut free = known.filter(|other| !self.is_taken[**other]);
            if let Some(other) = free.find(|other| is_version(task, self.other[**other].task)) {
                self.pair(at, *other);
            }
        }
    }

    /// Pairs tasks with one id that an edit by hand may have made of each other.
    fn edited(&mut self, side: &'static str) -> Result<(), MergeError> {
        let by_id = self.left_by(|task| once(&task.id));
        let mut found = Vec::new();
        let mut rivals: HashMap<usize, usize> = HashMap::new();
        for (at, task) in self.left() {
            let known = by_id.get(&task.id).into_iter().flatten();
            let other = |other: &&usize| task.may_be(self.other[**other].task);
            let others: Vec<usize> = known.filter(other).copied().collect();
            if others.len() > 1 {
                return Err(MergeError::TwiceInOne { side, id: task.id.clone() });
            }
            for other in others {
                *rivals.entry(other).or_default() += 1;
                found.push((at, other));
            }
        }
        for (at, other) in found {
            if rivals[&other] > 1 {
                let id = self.other[other].task.id.clone();
                return Err(MergeError::TwiceInOne { side: "base", id });
            }
            self.pair(at, other);
        }
        Ok(())
    }
}
