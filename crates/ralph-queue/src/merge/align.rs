//! Each task of three versions gets one id in all of them, and no other task has it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use ralph_state::TaskId;

use super::pairs::{Member, Same, pair};
use super::{MergeError, json};
use crate::document::{Document, Draft, SpliceError};
use crate::ids::IdRules;
use crate::task::Task;

/// Of two tasks with one id, the one that keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// The one that was made earlier; of two made at once, the one whose JSON is less.
    Older,
    /// That of theirs.
    Theirs,
    /// The one that has it in that version, if it is one of these ids: a file names it that nobody
    /// can change. Of others the older.
    Named(Version, BTreeSet<String>),
}

/// The place of a side among base, ours and theirs.
type Version = usize;

impl Keeps {
    /// Whether a task has an id before every other, since that version has it.
    fn is_for(&self, version: Version, id: &TaskId) -> bool {
        match self {
            Self::Older => false,
            Self::Theirs => version == 2,
            Self::Named(named, ids) => version == *named && ids.contains(id.as_str()),
        }
    }

    /// Whether a task has the id of that version, whatever the other side did to it.
    fn binds(&self, version: Version, id: &TaskId) -> bool {
        matches!(self, Self::Named(..)) && self.is_for(version, id)
    }

    /// Whether the file that nobody can change lacks an id that the task had on the other side.
    /// What that side has of the task tells it then, and is not to look as if it had changed
    /// nothing.
    fn hides<const N: usize>(&self, same: &Same<'_, N>, former: &[String]) -> bool {
        let Self::Named(version, _) = self else { return false };
        same[*version].is_some_and(|Member { task, .. }| {
            let lacks = |id: &String| !task.all_ids().any(|known| known == id);
            self.binds(*version, &task.id) && former.iter().any(lacks)
        })
    }
}

/// Three versions whose tasks go by one id each.
pub(super) struct Aligned<const N: usize> {
    /// Base, ours and theirs.
    pub(super) files: [[Document; N]; 3],
    /// What each task of them is known by, in order: ids may be there twice, these are not.
    pub(super) keys: [[Vec<usize>; N]; 3],
    /// The tasks of ours and theirs that got another id: old and new.
    pub(super) renumbered: Vec<(TaskId, TaskId)>,
}

/// Gives tasks the ids that they have on the side that gave them another one, and one of two
/// different tasks with the same id the next free number. What names them follows, and the ids
/// that they had before are kept. Tasks that have one id in one version stay as they are: that is
/// for a repair to part.
pub(super) fn align<const N: usize>(
    mut files: [[Document; N]; 3],
    keeps: &Keeps,
) -> Result<Aligned<N>, MergeError> {
    let all = pair(&files)?;
    let mut keys = files.each_ref().map(|files| files.each_ref().map(|it| vec![0; it.len()]));
    for (key, same) in all.iter().enumerate() {
        for (version, member) in same.iter().enumerate() {
            let places = member.iter().flat_map(|member| member.places.iter().enumerate());
            for (file, place) in places.filter_map(|(file, place)| Some((file, (*place)?))) {
                keys[version][file][place] = key;
            }
        }
    }
    let mut ids: Vec<TaskId> = all.iter().map(|same| common_id(same, keeps)).collect();
    part(&files, &all, &mut ids, keeps);

    let mut renumbered = BTreeSet::new();
    let changes: [Changes; 3] = [0, 1, 2].map(|version| Changes::of(version, &all, &ids, keeps));
    for (same, id) in all.iter().zip(&ids) {
        let base = same[0].map(|member| member.task);
        let sides = same[1..].iter().flatten().map(|member| member.task);
        let told = sides.filter(|task| task.id != *id && Some(*task) != base);
        renumbered.extend(told.map(|task| (task.id.clone(), id.clone())));
    }
    drop(all);
    for (files, changes) in files.iter_mut().zip(&changes) {
        for (file, document) in files.iter_mut().enumerate() {
            if let Some(changed) = changes.make(file, document)? {
                *document = changed;
            }
        }
    }
    Ok(Aligned { files, keys, renumbered: renumbered.into_iter().collect() })
}

/// The id that a task has after what both sides did to it.
fn common_id<const N: usize>(same: &Same<'_, N>, keeps: &Keeps) -> TaskId {
    let bound = [1, 2].into_iter().find_map(|version| {
        let id = &same[version]?.task.id;
        keeps.binds(version, id).then_some(id)
    });
    if let Some(id) = bound {
        return id.clone();
    }
    let id = match same.map(|member| member.map(|member| member.task)) {
        [base, Some(ours), Some(theirs)] => {
            let base = base.map(|base| &base.id);
            let had = |one: &Task, other: &Task| one.former_ids().any(|id| id == other.id.as_str());
            if base == Some(&theirs.id) {
                &ours.id
            } else if base == Some(&ours.id) {
                &theirs.id
            } else {
                match (had(ours, theirs), had(theirs, ours)) {
                    (true, false) => &ours.id,
                    (false, true) => &theirs.id,
                    _ if keeps.is_for(2, &theirs.id) => &theirs.id,
                    _ => (&ours.id).min(&theirs.id),
                }
            }
        }
        [_, Some(one), None] | [_, None, Some(one)] | [Some(one), None, None] => &one.id,
        [None, None, None] => unreachable!("every task is in a version"),
    };
    id.clone()
}

/// Gives new ids to tasks that have that of another one on the other side.
fn part<const N: usize>(
    files: &[[Document; N]; 3],
    all: &[Same<'_, N>],
    ids: &mut [TaskId],
    keeps: &Keeps,
) {
    let mut by_id: HashMap<&TaskId, Vec<usize>> = HashMap::with_capacity(ids.len());
    for (key, id) in ids.iter().enumerate() {
        by_id.entry(id).or_default().push(key);
    }
    let mut shared: Vec<(TaskId, Vec<usize>)> = by_id
        .into_iter()
        .filter(|(_, keys)| keys.len() > 1)
        .map(|(id, keys)| (id.clone(), keys))
        .collect();
    if shared.is_empty() {
        return;
    }
    shared.sort_unstable();
    let drafts = files.each_ref().map(|files| files.each_ref().map(Document::draft));
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for (id, mut keys) in shared {
        keys.retain(|key| stays(&drafts, &all[*key]));
        keys.sort_by(|one, other| seniority((&all[*one], &all[*other]), &id, keeps));
        let has_it = |key: usize, version: usize| {
            all[key][version].is_some_and(|member| member.task.id == id)
        };
        let mut kept: Vec<usize> = Vec::new();
        for key in keys {
            let is_beside = |other: &usize| (0..3).any(|at| has_it(key, at) && has_it(*other, at));
            if kept.is_empty() || kept.iter().any(is_beside) {
                kept.push(key);
                continue;
            }
            // Numbers go on where the id has one, and else begin below it, if that is not too long.
            let numbered = id.as_str().rsplit_once('-');
            let series = numbered.map(|(prefix, digits)| (prefix, digits.len()));
            let usual = IdRules::default();
            let others = [(id.as_str(), usual.width), (&usual.prefix, usual.width)];
            let free = series.into_iter().chain(others).find_map(|(prefix, width)| {
                let prefix = prefix.to_ascii_uppercase();
                let rules = IdRules { prefix, width, high_water: 0 };
                let number = next.entry(rules.prefix.clone()).or_insert_with(|| {
                    let tasks = files.iter().flatten().flat_map(Document::tasks);
                    rules.highest(tasks.flat_map(Task::all_ids))
                });
                let next = (*number < IdRules::HIGHEST).then_some(*number + 1)?;
                let free = rules.id(next).ok()?;
                *number = next;
                Some(free)
            });
            if let Some(free) = free {
                ids[key] = free;
            }
        }
    }
}

/// Whether the merge may leave the task: it is removed where one side did that and the other left
/// every byte of it.
fn stays<const N: usize>(drafts: &[[Draft<'_>; N]; 3], same: &Same<'_, N>) -> bool {
    let side = match same {
        [_, None, None] => return false,
        [None, ..] | [_, Some(_), Some(_)] => return true,
        [_, Some(_), None] => 1,
        [_, None, Some(_)] => 2,
    };
    let texts = |version: usize| -> Vec<Option<&str>> {
        let places = same[version].iter().flat_map(|member| member.places);
        let drafts = places.zip(&drafts[version]);
        drafts.map(|(place, draft)| draft.unchanged_text(place?)).collect()
    };
    texts(0) != texts(side)
}

/// Which of two tasks is to keep an id, the same whichever side is ours if `keeps` says nothing
/// else: the one that has it there, that had it in the base, that was in the base, that is older.
fn seniority<const N: usize>(
    (one, other): (&Same<'_, N>, &Same<'_, N>),
    id: &TaskId,
    keeps: &Keeps,
) -> Ordering {
    let has_it = |member: Option<Member<'_, N>>| member.is_some_and(|it| it.task.id == *id);
    let key = |same: &Same<'_, N>| {
        let is_seen = [1, 2].iter().any(|at| keeps.is_for(*at, id) && has_it(same[*at]));
        (!is_seen, !has_it(same[0]), same[0].is_none())
    };
    let age = |same: &Same<'_, N>| {
        let tasks = same.iter().flatten().map(|member| member.task);
        tasks.map(|task| (task.created_at.clone(), json(task).to_string())).min()
    };
    key(one).cmp(&key(other)).then_with(|| age(one).cmp(&age(other)))
}

/// What a version needs for its tasks to have the ids of all.
struct Changes {
    /// New ids by those that tasks are named by.
    references: BTreeMap<TaskId, TaskId>,
    /// By file and place, the id that a task gets, and those that it had.
    tasks: HashMap<(usize, usize), (TaskId, Vec<String>)>,
}

impl Changes {
    fn of<const N: usize>(
        version: Version,
        all: &[Same<'_, N>],
        ids: &[TaskId],
        keeps: &Keeps,
    ) -> Self {
        let (mut references, mut tasks) = (BTreeMap::new(), HashMap::new());
        let mut own: BTreeMap<&TaskId, &TaskId> = BTreeMap::new();
        for (same, id) in all.iter().zip(ids) {
            let Some(member) = same[version] else {
                // What a side moved to another file it still names.
                if let Some(base) = same[0].filter(|base| base.task.id != *id) {
                    references.insert(base.task.id.clone(), id.clone());
                }
                continue;
            };
            // Of several with one id, those are meant that keep it.
            let old = &member.task.id;
            let new = own.entry(old).or_insert(id);
            if id == old {
                *new = id;
            }
            if let Some(mut former) = former_ids(same, id)
                && (id != old || !member.task.former_ids().eq(former.iter().map(String::as_str)))
            {
                if version == 0 && keeps.hides(same, &former) {
                    former = member.task.former_ids().map(str::to_owned).collect();
                }
                let places = member.places.into_iter().enumerate();
                for place in places.filter_map(|(file, place)| Some((file, place?))) {
                    tasks.insert(place, (id.clone(), former.clone()));
                }
            }
        }
        for (old, new) in own {
            if old == new {
                references.remove(old);
            } else {
                references.insert(old.clone(), new.clone());
            }
        }
        Self { references, tasks }
    }

    /// The document with them, if they change it.
    fn make(&self, file: usize, document: &Document) -> Result<Option<Document>, SpliceError> {
        if self.references.is_empty() && self.tasks.is_empty() {
            return Ok(None);
        }
        let mut draft = document.draft();
        for index in 0..draft.len() {
            if let Some((id, former)) = self.tasks.get(&(file, index)) {
                draft.task_mut(index).set_ids(id.clone(), former);
            }
            let is_renamed = |id: &str| self.references.contains_key(id);
            if draft.task(index).references().any(is_renamed) {
                draft.task_mut(index).follow(&self.references);
            }
        }
        draft.splice()
    }
}

/// The ids that a task had before, by all versions in the order in which it got them; nothing if
/// these agree already. What both sides agree on, a base does not add to: git may have made that of
/// several.
fn former_ids<const N: usize>(same: &Same<'_, N>, id: &TaskId) -> Option<Vec<String>> {
    let [base, ours, theirs] = same.map(|member| -> Vec<&str> {
        member.map(|member| member.task.all_ids().collect()).unwrap_or_default()
    });
    let agree =
        |one: &Vec<&str>, other: &Vec<&str>| one.is_empty() || other.is_empty() || one == other;
    let is_known = [&base, &ours, &theirs].into_iter().flatten().next_back() == Some(&id.as_str());
    if is_known && agree(&base, &ours) && agree(&base, &theirs) && agree(&ours, &theirs) {
        return None;
    }
    let base = if ours == theirs { Vec::new() } else { base };
    let (ours, theirs) = if ours <= theirs { (ours, theirs) } else { (theirs, ours) };
    let mut former: Vec<String> = Vec::new();
    for old in base.into_iter().chain(ours).chain(theirs).filter(|old| *old != id.as_str()) {
        if !former.iter().any(|known| known == old) {
            former.push(old.to_owned());
        }
    }
    Some(former)
}
