//! What differs between two versions of a file: in tasks for people, in bytes for undo.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use ralph_state::TaskId;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::document::{Document, Side, identity};
use crate::edit::Spliced;
use crate::queue::Queue;
use crate::task::{Status, Task};

/// What became of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is new.
    Added,
    /// It says something else.
    Changed,
    /// It says the same at another place, in its file or in the other.
    Moved,
    /// It is gone from both files.
    Removed,
}

/// A task that a change touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Touched {
    /// The task.
    pub id: TaskId,
    /// What became of it.
    pub fate: Fate,
    /// The status that it came to, if it had another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What it depends on, and did not before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// The open tasks that wait for it since it says that it blocks them, and did not before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<TaskId>,
    /// Once it is rejected: the open tasks that waited for it and, since a rejected task counts as
    /// finished, wait no longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<TaskId>,
    /// Once it is gone: when it was created, which tells it from another task with its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

impl Touched {
    pub(crate) fn new(id: TaskId, fate: Fate, status: Option<Status>) -> Self {
        let (depends_on, blocks, released) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, fate, status, depends_on, blocks, released, created_at: None }
    }

    /// That a task has that status, to which it was to come.
    pub fn ended(id: TaskId, status: Status) -> Self {
        Self::new(id, Fate::Changed, Some(status))
    }

    /// That a task is gone.
    pub(crate) fn removed(task: &Task) -> Self {
        let created_at = task.created_at.clone();
        Self { created_at, ..Self::new(task.id.clone(), Fate::Removed, None) }
    }

    /// Whether the task has the status, or is gone, as the change left it.
    pub fn stands_in(&self, queue: &Queue) -> bool {
        let now = queue.find(self.id.as_str()).map(|(_, task)| task.status);
        match self.fate {
            Fate::Removed => now.is_none(),
            _ => self.status.is_none() || self.status == now,
        }
    }
}

/// A part of a text, and what another version of the text has in its place, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Where it is in the one.
    pub old: Range<usize>,
    /// Where it is in the other.
    pub new: Range<usize>,
}

/// Where two versions of a file differ, in order; what is between is the same. A task that moved
/// is gone at one place and new at another, and one that was changed where it stands differs in
/// some of its lines. Takes time linear in the length of the texts.
pub fn replaced(old: &Document, new: &Document) -> impl Iterator<Item = Replaced> {
    steps(old, new).into_iter().flat_map(|Step { old: from, new: to }| {
        let is_changed = from.len() == 1 && to.len() == 1;
        let (from, to) = (bytes(old, &from), bytes(new, &to));
        let parts = if is_changed {
            refined((old.text(), from), (new.text(), to), 0)
        } else {
            vec![(from, to)]
        };
        parts.into_iter().map(|(old, new)| Replaced { old, new })
    })
}

/// The way back from a new text to the old one, in as few bytes as the tasks allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Patch {
    /// The fingerprint of the old text.
    pub(crate) before: String,
    /// The fingerprint of the new text.
    pub(crate) after: String,
    hunks: Vec<Hunk>,
}

/// Some bytes of the new text, and what stood there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hunk {
    /// The task in whose text they begin; none behind the last.
    task: Option<TaskId>,
    /// The task before that one, where they begin with its text, or where tasks stood before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    above: Option<TaskId>,
    /// The [`Sections::above`] that place, where tasks stood there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    section: Option<String>,
    /// One of them began another section, and what is below it is in that one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    begins: bool,
    /// Where in that text.
    at: usize,
    /// They, where they are few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new: Option<String>,
    /// Otherwise how many they are, and their fingerprint.
    #[serde(default, skip_serializing_if = "is_zero")]
    len: usize,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sum: String,
    /// The whole tasks among them, where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added: Option<Added>,
    /// What stands before and behind them, as far as it is needed to find them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    head: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    tail: String,
    /// What stood there before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    old: String,
}

/// Whole tasks from the end of the line above on, without the commas beside them, which depend on
/// what else the list has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Added {
    len: usize,
    sum: String,
}

/// Where a text has changed so that a patch does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Misfit {
    /// The task, unless it is behind the last.
    pub task: Option<TaskId>,
    /// The field of it, where that can be told.
    pub field: Option<String>,
    /// The line, if the file still has the task.
    pub line: Option<usize>,
}

/// How much of what stood around a hunk has to stand there still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// All of it.
    Exact,
    /// The rest of its lines, and what tells that it is the place; around whole tasks nothing.
    Loose,
}

/// How much of the text around a hunk has to be the same.
const CONTEXT: usize = 24;
/// Hunks that are closer, in bytes, are one: a hunk of its own costs more than the bytes between.
const CLOSE: usize = 24;
/// Up to so many bytes are shorter than their number and their fingerprint.
const FEW: usize = 24;
/// How many lines the search for the end of a difference looks at.
const FAR: usize = 64;

/// Tells texts apart that nobody makes to be mistaken for each other.
pub(crate) fn fingerprint(text: &str) -> String {
    format!("{:016x}", XxHash3_64::oneshot(text.as_bytes()))
}

impl Spliced {
    /// The revision of the queue that it makes of `before`.
    pub(crate) fn revision_after(&self, before: &Queue) -> String {
        crate::queue::revision(
            self.queue.as_ref().unwrap_or(before.document()),
            self.done.as_ref().unwrap_or(before.done_document()),
        )
    }

    /// What it does to each task of `before`.
    pub(crate) fn touched(&self, before: &Queue) -> Vec<Touched> {
        let queue = self.queue.as_ref().unwrap_or(before.document());
        let done = self.done.as_ref().unwrap_or(before.done_document());
        let files = [(before.document(), queue), (before.done_document(), done)];
        let mut touched = touched(&files);
        only_open(&mut touched, queue);
        release(&mut touched, before.document(), &[queue, done]);
        touched
    }
}

/// Of what tasks block, leaves those that are open.
fn only_open(touched: &mut [Touched], queue: &Document) {
    if touched.iter().all(|task| task.blocks.is_empty()) {
        return;
    }
    let open = (0..queue.len()).filter(|index| !queue.status(*index).is_terminal());
    let open: HashSet<&str> = open.map(|index| queue.id(index)).collect();
    for task in touched {
        task.blocks.retain(|id| open.contains(id.as_str()));
    }
}

/// Says of each task that was open and is rejected which others waited for it.
fn release(touched: &mut [Touched], before: &Document, after: &[&Document; 2]) {
    let rejected = touched.iter_mut().filter(|task| task.status == Some(Status::Rejected));
    let rejected = rejected.map(|task| (task.id.clone(), &mut task.released));
    let mut rejected: HashMap<TaskId, &mut Vec<TaskId>> = rejected.collect();
    if rejected.is_empty() {
        return;
    }
    let open = |document: &&Document, index: &usize| !document.status(*index).is_terminal();
    let was_open: HashSet<&str> =
        (0..before.len()).filter(|index| open(&before, index)).map(|i| before.id(i)).collect();
    rejected.retain(|id, _| was_open.contains(id.as_str()));
    let mut held: HashMap<String, Vec<TaskId>> = HashMap::new();
    for document in after {
        for index in (0..document.len()).filter(|index| document.is_blocking(*index)) {
            let task = document.task(index);
            if rejected.contains_key(&task.id) {
                for id in &task.blocks {
                    held.entry(id.trim().to_owned()).or_default().push(task.id.clone());
                }
            }
        }
    }
    let queue = after[0];
    for index in (0..queue.len()).filter(|index| open(&queue, index)) {
        let mut waited_for = held.remove(queue.id(index)).unwrap_or_default();
        if queue.is_related(index) {
            let depends_on = queue.task(index).depends_on.iter();
            waited_for.extend(depends_on.filter_map(|id| id.trim().parse().ok()));
        }
        for id in waited_for {
            if let Some(released) = rejected.get_mut(&id) {
                let id = queue.task_id(index);
                if !released.contains(&id) {
                    released.push(id);
                }
            }
        }
    }
}

/// A task in one of two versions, read only when its text does not tell enough.
#[derive(Clone, Copy)]
struct Version<'d> {
    document: &'d Document,
    index: usize,
}

impl<'d> Version<'d> {
    fn id(self) -> &'d str {
        self.document.id(self.index)
    }

    fn status(self) -> Status {
        self.document.status(self.index)
    }

    fn text(self) -> &'d str {
        &self.document.text()[self.document.span(self.index)]
    }

    fn says_what(self, other: Self) -> bool {
        self.text() == other.text()
            || self.document.task(self.index) == other.document.task(other.index)
    }

    /// What it depends on, and the older version does not.
    fn new_dependencies(self, older: Self) -> Vec<String> {
        if !self.document.is_related(self.index) || self.text() == older.text() {
            return Vec::new();
        }
        let known = &older.document.task(older.index).depends_on;
        let depends_on = self.document.task(self.index).depends_on.iter();
        depends_on.filter(|id| !known.contains(id)).cloned().collect()
    }

    /// What waits for it, and did not for the older version.
    fn newly_blocked(self, older: Option<Self>) -> Vec<TaskId> {
        if !self.document.is_blocking(self.index) || self.status().is_terminal() {
            return Vec::new();
        }
        let older = older.filter(|older| !older.status().is_terminal());
        let known = older.map_or(&[][..], |older| &older.document.task(older.index).blocks);
        let blocks = self.document.task(self.index).blocks.iter();
        let new = blocks.filter(|id| !known.contains(id));
        new.filter_map(|id| id.trim().parse().ok()).collect()
    }

    /// The id it had before.
    fn former_id(self) -> Option<&'d str> {
        let is_renamed = self.document.is_renamed(self.index);
        is_renamed.then(|| self.document.task(self.index).former_ids().last()).flatten()
    }
}

/// What happened to each task between two versions of both files: first those that changed where
/// they stand, then those that came or moved, then those that are gone.
fn touched(files: &[(&Document, &Document); 2]) -> Vec<Touched> {
    let (mut gone, mut new, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let touched = |old: Option<Version<'_>>, task: Version<'_>, fate| {
        let status = old.filter(|old| old.status() != task.status()).map(|_| task.status());
        Touched {
            depends_on: old.map_or_else(Vec::new, |old| task.new_dependencies(old)),
            blocks: task.newly_blocked(old),
            ..Touched::new(task.document.task_id(task.index), fate, status)
        }
    };
    for &(old, new_document) in files {
        for Step { old: from, new: to } in steps(old, new_document) {
            let version = |document: &'_ Document, at: &Range<usize>| {
                let is_task = !at.is_empty() && at.start < document.len();
                is_task.then_some(at.start)
            };
            let old = version(old, &from).map(|index| Version { document: old, index });
            let task =
                version(new_document, &to).map(|index| Version { document: new_document, index });
            match (old, task) {
                (Some(old), Some(task)) if old.says_what(task) => {}
                (Some(old), Some(task)) => found.push(touched(Some(old), task, Fate::Changed)),
                (Some(old), None) => gone.push(old),
                (None, Some(task)) => new.push(task),
                (None, None) => {}
            }
        }
    }
    let mut gone_by_id: HashMap<&str, Vec<Version<'_>>> = HashMap::new();
    for task in &gone {
        gone_by_id.entry(task.id()).or_default().push(*task);
    }
    // Several may have had one id.
    let mut take = |id: &str, task: Version<'_>| {
        let gone = gone_by_id.get_mut(id).filter(|gone| !gone.is_empty())?;
        let at = gone.iter().position(|old| old.status() == task.status()).unwrap_or(0);
        Some(gone.remove(at))
    };
    for task in new {
        let old = take(task.id(), task).or_else(|| take(task.former_id()?, task));
        let fate = match old {
            None => Fate::Added,
            Some(old) if old.says_what(task) => Fate::Moved,
            Some(_) => Fate::Changed,
        };
        found.push(touched(old, task, fate));
    }
    gone_by_id.retain(|_, gone| !gone.is_empty());
    if gone_by_id.is_empty() {
        return found;
    }
    let after: HashSet<&str> = files.iter().flat_map(|(_, new)| new.ids()).collect();
    let told: HashSet<TaskId> = found.iter().map(|touched| touched.id.clone()).collect();
    for task in gone {
        if gone_by_id.remove(task.id()).is_none() {
            continue;
        }
        let id = task.document.task_id(task.index);
        if told.contains(&id) {
            continue;
        }
        // A copy of it may have stayed.
        found.push(if after.contains(task.id()) {
            Touched::new(id, Fate::Moved, None)
        } else {
            Touched::removed(task.document.task(task.index))
        });
    }
    found
}

impl Patch {
    /// From `new` back to `old`.
    pub(crate) fn back(old: &Document, new: &Document) -> Self {
        let mut regions: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        let texts = (old.text(), new.text());
        for Step { old: from, new: to } in steps(old, new) {
            let one_task = from.len() == 1 && to.len() == 1;
            let leads = (lead(old, from.start), lead(new, to.start));
            let (mut from, mut to) = (bytes(old, &from), bytes(new, &to));
            if let Some(last) = regions.last_mut()
                && last.0.end == from.start
                && last.1.end == to.start
            {
                let joined = if one_task { leads } else { (from.end, to.end) };
                if !one_task || is_shorter_joined(texts, last, joined) {
                    (last.0.end, last.1.end) = joined;
                    (from.start, to.start) = joined;
                }
            }
            if one_task {
                regions.extend(refined_beside_time((old.text(), from), (new.text(), to)));
            } else if !(from.is_empty() && to.is_empty()) {
                regions.push((from, to));
            }
        }
        let segments = Segments::of(new);
        let sections = Sections::of(old);
        let hunk = |(from, to): (Range<usize>, Range<usize>)| {
            let least = to.start;
            let (from, to) = trimmed((old.text(), from), (new.text(), to));
            let up = match (from.is_empty(), to.is_empty()) {
                (true, false) => up_to_task(new, &to, least)
                    .max(up_to_comma(&old.text()[..from.start], (new.text(), &to))),
                (false, true) => up_to_task(old, &from, from.start - (to.start - least)),
                _ => 0,
            };
            let [from, to] = [from, to].map(|it| it.start - up..it.end - up);
            let text = new.text();
            let (task, start) = segments.holding(to.start);
            let is_edge = to.is_empty() && to.start == start;
            // Where the heading has lost its last task, it is none to find.
            let is_told = |it: &String| is_edge || *it == segments.sections.above(to.start);
            let section = to.is_empty().then(|| sections.around(&from)).flatten().filter(is_told);
            let head = head_start(text, to.start);
            // What stands behind a task on its line is no part of it.
            let index = segments.document.task_at(to.start);
            let end = bytes(segments.document, &(index..index + 1)).end;
            let is_inside = lead(segments.document, index) <= to.start && to.end <= end;
            let end = if is_inside { end } else { text.len() };
            let tail = floor(text, (to.end + CONTEXT).min(end));
            let made = &text[to.clone()];
            let (new, len, sum) = if made.len() <= FEW {
                (Some(made.to_owned()), 0, String::new())
            } else {
                (None, made.len(), fingerprint(made))
            };
            let added = from.is_empty().then(|| Added::among(segments.document, &to)).flatten();
            let (mut head, mut tail) = (&text[head..to.start], &text[to.end..tail.max(to.end)]);
            let are_lines = from.is_empty() && are_lines_behind_comma(made);
            if are_lines {
                head = "";
            }
            if (are_lines || field_of(&text[..to.start]).is_some()) && !made.ends_with('\n') {
                // The next line may become another's.
                tail = tail.split_inclusive('\n').next().unwrap_or_default();
            }
            let is_between = is_edge || section.is_some();
            Hunk {
                task,
                section,
                added,
                begins: is_edge && sections.count(from.start) < sections.count(from.end),
                above: is_between.then(|| segments.ending_at(start)).flatten(),
                at: to.start - start,
                new,
                len,
                sum,
                head: head.to_owned(),
                tail: tail.to_owned(),
                old: old.text()[from].to_owned(),
            }
        };
        Self {
            before: old.fingerprint().to_owned(),
            after: new.fingerprint().to_owned(),
            hunks: regions.into_iter().map(hunk).collect(),
        }
    }

    /// The text before, made from one that is the text after or differs from it elsewhere. What
    /// stood beside the tasks that it brings back is told by `trail`, where that is gone.
    pub(crate) fn apply(
        &self,
        current: &Document,
        fit: Fit,
        trail: &Trail<'_>,
    ) -> Result<String, Misfit> {
        let segments = Segments::of(current);
        let text = current.text();
        let mut result = String::with_capacity(text.len());
        let mut done = 0;
        let mut blocks = Vec::new();
        let mut last: Option<(&Hunk, Result<usize, Misfit>)> = None;
        for hunk in &self.hunks {
            let place = match last.take() {
                // What stood in the same place goes where the rest of it did.
                Some((it, place)) if it.is_at_place_of(hunk) => place,
                _ => hunk.place(text, &segments, (fit, trail)),
            };
            last = Some((hunk, place.clone()));
            let place = match place {
                Ok(at) => at..at + hunk.len(),
                Err(misfit) => {
                    if let Some(place) = hunk.place_of_added(text, &segments, fit) {
                        place
                    } else {
                        blocks.push(hunk.blocks(&segments, (fit, trail)).ok_or(misfit)?);
                        continue;
                    }
                }
            };
            if place.start < done {
                return Err(hunk.misfit(text, &segments));
            }
            result.push_str(&text[done..place.start]);
            result.push_str(&hunk.old);
            done = place.end;
        }
        result.push_str(&text[done..]);
        if blocks.is_empty() {
            return Ok(result);
        }
        let unfit = || self.misfit(current);
        let document = current.parse_next(result).map_err(|_| unfit())?;
        let mut draft = document.draft();
        for (gone, (anchor, side)) in &blocks {
            let index = draft.position(anchor.as_str()).ok_or_else(unfit)?;
            let index = index + usize::from(*side == Side::Behind);
            for task in (0..gone.len()).rev() {
                draft.insert_block_at(index, *side, gone.draft().block(task));
            }
        }
        let spliced = draft.splice().map_err(|_| unfit())?;
        Ok(spliced.ok_or_else(unfit)?.text().to_owned())
    }

    /// Where it begins, as a place that it does not fit.
    pub(crate) fn misfit(&self, current: &Document) -> Misfit {
        let first = self.hunks.first();
        let misfit = first.map(|hunk| hunk.misfit(current.text(), &Segments::of(current)));
        misfit.unwrap_or(Misfit { task: None, field: None, line: None })
    }
}

impl Added {
    /// Those of a range of a text.
    fn among(document: &Document, range: &Range<usize>) -> Option<Self> {
        let tasks = document.task_at(range.start)..document.task_at(range.end);
        let text = document.text();
        let start = match text[range.clone()].strip_prefix(',') {
            Some(_) => range.start + 1,
            None => text[..range.start].trim_end_matches(['\r', '\n']).len(),
        };
        let first = document.span(tasks.clone().next()?).start;
        let added = text.get(start..document.span(tasks.end - 1).end)?;
        // A heading above them, and a comment behind the task above, are not theirs.
        let is_whole = start <= first
            && text[..start].ends_with(['[', ','])
            && added.trim_start_matches([' ', '\t', '\r']).starts_with(['\n', '{']);
        is_whole.then(|| Self { len: added.len(), sum: fingerprint(added) })
    }

    fn is_at(&self, text: &str, at: usize) -> bool {
        text.get(at..at + self.len).is_some_and(|there| fingerprint(there) == self.sum)
    }
}

impl Hunk {
    /// Where the tasks are that it added, with a comma, if others came before or behind them since or
    /// are gone.
    fn place_of_added(
        &self,
        text: &str,
        segments: &Segments<'_>,
        fit: Fit,
    ) -> Option<Range<usize>> {
        let added = self.added.as_ref().filter(|_| fit == Fit::Loose)?;
        let mut places = segments.find(self.task.as_ref())?.filter(|at| added.is_at(text, *at));
        let (Some(start), None) = (places.next(), places.next()) else { return None };
        let end = start + added.len;
        let (before, behind) = (&text[..start], &text[end..]);
        if !before.ends_with(['[', ',']) {
            return None;
        }
        if behind.starts_with(',') {
            Some(start..end + 1)
        } else if before.ends_with(',') {
            Some(start - 1..end)
        } else {
            let bracket = behind.trim_start();
            bracket.starts_with(']').then(|| start..text.len() - bracket.len())
        }
    }

    /// Whether both are of one place between tasks, where nothing is left.
    fn is_at_place_of(&self, other: &Self) -> bool {
        let is_none = self.len() == 0 && other.len() == 0 && (self.at, other.at) == (0, 0);
        is_none && self.above.is_some() && (&self.above, &self.task) == (&other.above, &other.task)
    }

    fn len(&self) -> usize {
        self.new.as_ref().map_or(self.len, String::len)
    }

    /// Where it fits: at its own place, or at the only other one in the text of its task.
    fn place(
        &self,
        text: &str,
        segments: &Segments<'_>,
        (fit, trail): (Fit, &Trail<'_>),
    ) -> Result<usize, Misfit> {
        if let Some(above) = self.above.as_ref().filter(|_| self.at == 0) {
            return self.place_below(above, text, segments, (fit, trail));
        }
        let segment = segments.find(self.task.as_ref());
        let segment = segment.ok_or_else(|| self.misfit(text, segments))?;
        let own = segment.start + self.at;
        let is_in_section =
            |at: usize| self.section.as_ref().is_none_or(|it| *it == segments.sections.above(at));
        let is_below = self.above.is_none()
            || segments.ending_at(segment.start).as_ref() == self.above.as_ref();
        let fits = |at: &usize| is_below && self.fits(text, *at) && is_in_section(*at);
        if fits(&own) {
            return Ok(own);
        }
        let mut places = segment.clone().filter(fits);
        match (places.next(), places.next(), fit) {
            (Some(at), None, _) => return Ok(at),
            (None, _, Fit::Loose) => {}
            _ => return Err(self.misfit(text, segments)),
        }
        let below = segments.document.task_at(segment.start);
        let gap = self.is_certain().then(|| self.gap(segments, trail)).flatten();
        if gap.is_some_and(|(gap, _)| gap < below) {
            return Err(self.misfit(text, segments));
        }
        let is_whole = self.at == 0 && segments.is_edge(own + self.len());
        if is_whole && self.is_at(text, own) && is_in_section(own) {
            return Ok(own);
        }
        let mut places = segment.filter(|at| self.fits_loosely(text, *at) && is_in_section(*at));
        match (places.next(), places.next()) {
            (Some(at), None) => Ok(at),
            _ => Err(self.misfit(text, segments)),
        }
    }

    /// The field that its line names before it begins.
    fn field(&self) -> Option<&str> {
        field_of(&self.head)
    }

    /// That it has no place, and where that would be: in the line that begins as its own did.
    fn misfit(&self, text: &str, segments: &Segments<'_>) -> Misfit {
        let line_head = self.head.rfind('\n').map_or("", |at| &self.head[at..]);
        // The list is no field of its first task.
        let name = self.field().filter(|name| *name != "tasks");
        let line = segments.find(self.task.as_ref()).map(|segment| {
            let segment = segment.start..segment.end - 1;
            let own = floor(text, (segment.start + self.at).min(segment.end));
            let alike = text[segment.clone()].find(line_head).filter(|_| name.is_some());
            let at = alike.map_or(own, |at| segment.start + at + line_head.len());
            1 + text[..at].matches('\n').count()
        });
        let field = name.map(str::to_owned);
        Misfit { task: self.task.clone(), field, line }
    }

    /// Where tasks stood that are gone, of which that one was above: between it and the one below, if
    /// they are beside each other, and else at one of them, in the same section.
    fn place_below(
        &self,
        above: &TaskId,
        text: &str,
        segments: &Segments<'_>,
        (fit, trail): (Fit, &Trail<'_>),
    ) -> Result<usize, Misfit> {
        let below = segments.find(self.task.as_ref()).map(|segment| segment.start + self.at);
        let above_end = segments.find(Some(above)).map(|segment| segment.end - 1);
        let beside = below.filter(|below| above_end == Some(*below));
        let place = match fit {
            Fit::Exact => beside.filter(|at| self.fits(text, *at)),
            Fit::Loose => beside.or_else(|| match self.gap(segments, trail)? {
                (index, Side::Behind) => Some(segments.document.span(index - 1).end),
                (_, Side::Before) => None,
            }),
        };
        place.ok_or_else(|| match segments.find(Some(above)) {
            Some(_) => self.misfit(text, segments),
            None => Misfit { task: Some(above.clone()), field: None, line: None },
        })
    }

    /// Whether it brings tasks back, and the heading is known that they stood below.
    fn is_certain(&self) -> bool {
        self.len() == 0 && !self.begins && self.section.is_some()
    }

    /// Between which tasks those belong that it brings back, below the heading that they had: beside
    /// the one that stood below or above them or, where both are gone, the next one there; of what
    /// came there since, on the side that is known. Directly behind the task above the place, if it
    /// is in that section, or else directly before the one below.
    fn gap(&self, segments: &Segments<'_>, trail: &Trail<'_>) -> Option<(usize, Side)> {
        let document = segments.document;
        let is_in_section =
            |at| self.section.as_ref().is_none_or(|it| it == segments.sections.above(at));
        let is_behind = |index: &usize| {
            (1..=document.len()).contains(index) && is_in_section(document.span(index - 1).end)
        };
        let is_before =
            |index: &usize| *index < document.len() && is_in_section(document.span(*index).start);
        let is_place = |index: &usize| is_behind(index) || is_before(index);
        let own = tasks_of(&self.old);
        let (above, below) = (self.above.as_ref(), self.task.as_ref());
        // What stood beyond the task beside them stood beyond them.
        let stood = |index, towards, beside: Option<&TaskId>| {
            let is_own = |id: &TaskId| {
                beside == Some(id) || own.iter().flat_map(Document::ids).any(|it| it == id.as_str())
            };
            trail.leads(document.task_id(index), towards, is_own)
        };
        let up = |mut at: usize| {
            while at > 0 && is_place(&(at - 1)) && stood(at - 1, Towards::Above, below) {
                at -= 1;
            }
            at
        };
        let down = |mut at: usize| {
            while is_behind(&(at + 1)) && stood(at, Towards::Below, above) {
                at += 1;
            }
            at
        };
        let there = |id: &TaskId| segments.by_id.get(id.as_str()).copied();
        let before = |id: Option<&TaskId>| id.map_or(Some(document.len()), there);
        let behind = |id: Option<&TaskId>| id.and_then(there).map(|index| index + 1);
        let beside = |below: Option<usize>, above: Option<usize>| {
            let above = above.filter(|_| !self.begins);
            let index = below.filter(is_behind).map(up);
            let index = index.or_else(|| above.filter(is_behind).map(down));
            index.or_else(|| below.filter(is_before).map(up))
        };
        let index = beside(before(below), behind(above)).or_else(|| {
            let below = trail.nearest(below, Towards::Below, before);
            beside(below, trail.nearest(above, Towards::Above, behind))
        })?;
        Some((index, if is_behind(&index) { Side::Behind } else { Side::Before }))
    }

    /// The tasks that it brings back, where their text has no place as it is: as the first of a
    /// section whose other tasks are there, say. And the task that they belong beside.
    fn blocks(
        &self,
        segments: &Segments<'_>,
        (fit, trail): (Fit, &Trail<'_>),
    ) -> Option<(Document, (TaskId, Side))> {
        if fit != Fit::Loose || !self.is_certain() {
            return None;
        }
        let gone = tasks_of(&self.old).filter(|gone| gone.floating().is_empty())?;
        let document = segments.document;
        let (index, side) = self.gap(segments, trail)?;
        let anchor = if side == Side::Behind { index - 1 } else { index };
        Some((gone, (document.task_id(anchor), side)))
    }

    fn fits(&self, text: &str, at: usize) -> bool {
        let end = at + self.len();
        text.is_char_boundary(at)
            && text.is_char_boundary(end)
            && text[..at].ends_with(&self.head)
            && text[end..].starts_with(&self.tail)
            && self.is_at(text, at)
    }

    /// Whether the lines that it begins and ends in are as they were, and it is long enough to be
    /// known again, or names its field, or what stands before it or behind it tells the place.
    fn fits_loosely(&self, text: &str, at: usize) -> bool {
        let end = at + self.len();
        if !text.is_char_boundary(at) || !text.is_char_boundary(end) {
            return false;
        }
        let (before, behind) = (&text[..at], &text[end..]);
        let line_head = &self.head[self.head.rfind('\n').unwrap_or(0)..];
        let line_tail = if text[..end].ends_with('\n') {
            ""
        } else {
            self.tail.split_inclusive('\n').next().unwrap_or_default()
        };
        let has_side = |side: &str, is_there: bool| !side.is_empty() && is_there;
        // A field that came behind it, or went, brought or took the comma.
        let uncomma = |line: &str| line.trim_end().trim_end_matches(',').len();
        let line_behind = behind.split_inclusive('\n').next().unwrap_or_default();
        let is_line_tail = if line_tail.ends_with('\n') {
            line_tail[..uncomma(line_tail)] == line_behind[..uncomma(line_behind)]
        } else {
            behind.starts_with(line_tail)
        };
        let are_lines = self.old.is_empty() && are_lines_behind_comma(&text[at..end]);
        (are_lines || before.ends_with(line_head))
            && is_line_tail
            && (self.len() >= CONTEXT
                || self.field().is_some()
                || has_side(&self.head, before.ends_with(&self.head))
                || has_side(&self.tail, behind.starts_with(&self.tail)))
            && self.is_at(text, at)
    }

    fn is_at(&self, text: &str, at: usize) -> bool {
        let is_it = |there: &str| match &self.new {
            Some(new) => there == new,
            None => fingerprint(there) == self.sum,
        };
        text.get(at..at + self.len()).is_some_and(is_it)
    }
}

/// Which tasks stood beside which, as patches tell that bring some back.
#[derive(Default)]
pub(crate) struct Trail<'p> {
    patches: Vec<&'p Patch>,
    /// Those above and below a task each time that it was gone, once they are asked for.
    stood: OnceCell<HashMap<TaskId, Vec<[Option<TaskId>; 2]>>>,
}

/// A side of a task.
#[derive(Clone, Copy)]
enum Towards {
    Above,
    Below,
}

impl<'p> Trail<'p> {
    /// Of the patches of a file, oldest first.
    pub(crate) fn of(patches: impl Iterator<Item = &'p Patch>) -> Self {
        Self { patches: patches.collect(), stood: OnceCell::new() }
    }

    fn stood(&self, id: &TaskId) -> &[[Option<TaskId>; 2]] {
        let stood = self.stood.get_or_init(|| {
            let mut stood: HashMap<TaskId, Vec<_>> = HashMap::new();
            for hunk in self.patches.iter().flat_map(|patch| &patch.hunks) {
                let Some(gone) = tasks_of(&hunk.old).filter(|_| hunk.len() == 0) else { continue };
                let id = |index: usize| (index < gone.len()).then(|| gone.task_id(index));
                for index in 0..gone.len() {
                    let above = index.checked_sub(1).and_then(id).or(hunk.above.clone());
                    let below = id(index + 1).or(hunk.task.clone());
                    stood.entry(gone.task_id(index)).or_default().push([above, below]);
                }
            }
            stood
        });
        stood.get(id).map_or(&[], Vec::as_slice)
    }

    /// The place of a task or, where it has none since it is gone, of the next one on that side.
    fn nearest(
        &self,
        task: Option<&TaskId>,
        towards: Towards,
        place: impl Fn(Option<&TaskId>) -> Option<usize>,
    ) -> Option<usize> {
        let mut seen = HashSet::new();
        let mut at = task;
        loop {
            if let Some(place) = place(at) {
                return Some(place);
            }
            let gone = at.filter(|gone| seen.insert((*gone).clone()))?;
            at = self.stood(gone).last()?[towards as usize].as_ref();
        }
    }

    /// Whether one of those stood on that side of a task.
    fn leads(&self, from: TaskId, towards: Towards, is_it: impl Fn(&TaskId) -> bool) -> bool {
        let mut seen = HashSet::from([from.clone()]);
        let mut next = vec![from];
        while let Some(at) = next.pop() {
            for stood in self.stood(&at).iter().filter_map(|it| it[towards as usize].as_ref()) {
                if is_it(stood) {
                    return true;
                }
                if seen.insert(stood.clone()) {
                    next.push(stood.clone());
                }
            }
        }
        false
    }
}

/// The tasks that a text is, with a comma beside them.
fn tasks_of(text: &str) -> Option<Document> {
    let text = text.trim_start();
    let tasks = text.strip_prefix(',').unwrap_or(text);
    let document = Document::parse(format!("{{\"version\":1,\"tasks\":[{tasks}\n]}}"));
    document.ok().filter(|document| document.len() > 0)
}

/// The field that the last line of `head` names.
fn field_of(head: &str) -> Option<&str> {
    let line_head = &head[head.rfind('\n')?..];
    Some(after_comma(line_head).strip_prefix('"')?.split_once("\":")?.0)
}

/// A line without the white space and the comma that it may begin with.
fn after_comma(line: &str) -> &str {
    let line = line.trim_start();
    line.strip_prefix(',').unwrap_or(line).trim_start()
}

/// Where what tells a place begins: with the line, where that is one of the times of a task, since
/// another may be the same one.
fn head_start(text: &str, at: usize) -> usize {
    let near = at.saturating_sub(CONTEXT);
    let is_time = field_of(&text[..at]).is_some_and(|field| field.ends_with("_at"));
    let line = text[..at].rfind('\n').filter(|_| is_time);
    floor(text, line.map_or(near, |line| line.min(near)))
}

/// Whether they are whole lines behind a comma, which are known again whatever became of the value
/// before it.
fn are_lines_behind_comma(made: &str) -> bool {
    let lines = made.strip_prefix(',').unwrap_or_default();
    lines.len() >= CONTEXT && lines.starts_with(['\r', '\n'])
}

/// Which text belongs to which task: from the end of the one before to its own end. The last
/// piece, of no task, is what remains.
struct Segments<'a> {
    document: &'a Document,
    sections: Sections<'a>,
    by_id: HashMap<&'a str, usize>,
}

impl<'a> Segments<'a> {
    fn of(document: &'a Document) -> Self {
        let indices = (0..document.len()).rev();
        let by_id = indices.map(|index| (document.id(index), index)).collect();
        Self { document, sections: Sections::of(document), by_id }
    }

    fn find(&self, id: Option<&TaskId>) -> Option<Range<usize>> {
        let index = match id {
            Some(id) => *self.by_id.get(id.as_str())?,
            None => self.document.len(),
        };
        let range = bytes(self.document, &(index..index + 1));
        Some(range.start..range.end + 1)
    }

    /// Whether a task ends there, or the text begins.
    fn is_edge(&self, at: usize) -> bool {
        at == 0 || self.ending_at(at).is_some()
    }

    /// The task that ends there.
    fn ending_at(&self, at: usize) -> Option<TaskId> {
        let index = self.document.task_at(at).checked_sub(1)?;
        (self.document.span(index).end == at).then(|| self.document.task_id(index))
    }

    /// The task whose text the place is in, and where that text begins.
    fn holding(&self, at: usize) -> (Option<TaskId>, usize) {
        let tasks = self.document.tasks();
        let index = self.document.task_at(at);
        let id = tasks.get(index).map(|task| task.id.clone());
        // Of tasks with the same id the first is found again.
        let index = id.as_ref().map_or(index, |id| self.by_id[id.as_str()]);
        (id, bytes(self.document, &(index..index)).start.min(at))
    }
}

/// The sections of a file, looked for once they are asked for.
struct Sections<'a> {
    document: &'a Document,
    /// Where the heading of each begins, and what it is.
    headings: OnceCell<Vec<(usize, String)>>,
}

impl<'a> Sections<'a> {
    fn of(document: &'a Document) -> Self {
        Self { document, headings: OnceCell::new() }
    }

    fn headings(&self) -> &[(usize, String)] {
        self.headings.get_or_init(|| {
            let heading = |index| {
                let heading = self.document.heading(index)?;
                Some((heading.start, fingerprint(&identity(&self.document.text()[heading]))))
            };
            (0..self.document.len()).filter_map(heading).collect()
        })
    }

    /// How many of them begin above a place.
    fn count(&self, at: usize) -> usize {
        self.headings().partition_point(|(heading, _)| *heading < at)
    }

    /// What tells the heading above a place from others; nothing where there is none.
    fn above(&self, at: usize) -> &str {
        self.count(at).checked_sub(1).map_or("", |last| &self.headings()[last].1)
    }

    /// The same of a range, if it has tasks.
    fn around(&self, range: &Range<usize>) -> Option<String> {
        let has_tasks = self.document.task_at(range.start) < self.document.task_at(range.end);
        has_tasks.then(|| self.above(range.start).to_owned())
    }
}

/// The first task of `before`, but for those, that stands below another heading or among others
/// after.
pub(crate) fn displaced(before: &Document, after: &Document, but: &HashSet<&str>) -> Option<usize> {
    let sections = [before, after].map(Sections::of);
    let [mut before, mut after] = sections.each_ref().map(|sections| {
        let document = sections.document;
        let tasks = (0..document.len()).filter(|index| !but.contains(document.id(*index)));
        let heading = |index| sections.above(document.span(index).start);
        tasks.map(move |index| (index, document.id(index), heading(index)))
    });
    before.find_map(|(index, id, heading)| {
        let stays = after.next().is_some_and(|(_, it, below)| (it, below) == (id, heading));
        (!stays).then_some(index)
    })
}

/// The bytes of some segments.
fn bytes(document: &Document, segments: &Range<usize>) -> Range<usize> {
    let tasks = document.len();
    let edge = |index: usize| match index {
        0 => 0,
        _ if index > tasks => document.text().len(),
        _ => document.span(index - 1).end,
    };
    edge(segments.start)..edge(segments.end)
}

/// Where a segment's own task begins, or the text ends.
fn lead(document: &Document, segment: usize) -> usize {
    if segment < document.len() { document.span(segment).start } else { document.text().len() }
}

/// Segments that differ: one of each text, or one that nothing in the other matches.
struct Step {
    old: Range<usize>,
    new: Range<usize>,
}

/// Walks both documents side by side, in time linear in their length.
fn steps(old: &Document, new: &Document) -> Vec<Step> {
    fn id(document: &Document, at: usize) -> Option<&str> {
        (at < document.len()).then(|| document.id(at))
    }
    fn index(document: &Document, range: Range<usize>) -> HashMap<&str, usize> {
        let range = range.start..range.end.min(document.len());
        range.rev().map(|at| (document.id(at), at)).collect()
    }
    let segment = |document: &Document, at: usize| bytes(document, &(at..at + 1));
    let same = |i: usize, j: usize| {
        old.text()[segment(old, i)] == new.text()[segment(new, j)] && id(old, i) == id(new, j)
    };
    // Both have one segment more than tasks.
    let (mut i_end, mut j_end) = (old.len() + 1, new.len() + 1);
    let (mut i, mut j) = (0, 0);
    while i < i_end && j < j_end && same(i, j) {
        (i, j) = (i + 1, j + 1);
    }
    while i < i_end && j < j_end && same(i_end - 1, j_end - 1) {
        (i_end, j_end) = (i_end - 1, j_end - 1);
    }
    let (in_old, in_new) = (index(old, i..i_end), index(new, j..j_end));
    let mut steps = Vec::new();
    while i < i_end || j < j_end {
        let from = (i < i_end).then(|| id(old, i));
        let to = (j < j_end).then(|| id(new, j));
        let (olds, news) = if from == to {
            (1, 1)
        } else {
            // How far away the other's partner is; the nearer one is the one that moved.
            let ahead = |id: Option<Option<&str>>, index: &HashMap<&str, usize>, from| {
                index.get(id??).and_then(|at| at.checked_sub(from))
            };
            match (&from, &to, ahead(from, &in_new, j), ahead(to, &in_old, i)) {
                (Some(Some(_)), _, None, _) | (Some(_), None, ..) => (1, 0),
                (Some(Some(_)), Some(_), Some(new), Some(old)) if new > old => (1, 0),
                _ => (0, 1),
            }
        };
        let step = Step { old: i..i + olds, new: j..j + news };
        if from != to || !same(i, j) {
            steps.push(step);
        }
        (i, j) = (i + olds, j + news);
    }
    steps
}

/// The parts of a task that differ, for a patch: the time of its last change, which nearly every
/// edit changes, by itself where it has a line of its own.
fn refined_beside_time(
    (old, from): (&str, Range<usize>),
    (new, to): (&str, Range<usize>),
) -> Vec<(Range<usize>, Range<usize>)> {
    /// Where what stands before the line begins, the line, what is behind its value, and the end.
    fn edges(text: &str, range: &Range<usize>) -> Option<[usize; 4]> {
        let mut end = range.start;
        let mut lines = text[range.clone()].split_inclusive('\n');
        let line = lines.find(|line| {
            end += line.len();
            after_comma(line).starts_with("\"updated_at\"")
        })?;
        let start = end - line.len();
        let value = line.trim_end().trim_end_matches(',').len();
        Some([range.start, start, start + value, range.end])
    }
    let (Some(olds), Some(news)) = (edges(old, &from), edges(new, &to)) else {
        return refined((old, from), (new, to), CLOSE);
    };
    let parts = olds.windows(2).zip(news.windows(2));
    let parts =
        parts.flat_map(|(from, to)| refined((old, from[0]..from[1]), (new, to[0]..to[1]), CLOSE));
    parts.collect()
}

/// The parts of both ranges that differ, line by line. Those with fewer bytes than `close` between
/// are one.
fn refined(
    (old, from): (&str, Range<usize>),
    (new, to): (&str, Range<usize>),
    close: usize,
) -> Vec<(Range<usize>, Range<usize>)> {
    let lines = |text: &str, range: &Range<usize>| -> Vec<Range<usize>> {
        let mut at = range.start;
        let lines = text[range.clone()].split_inclusive('\n').map(|line| {
            at += line.len();
            at - line.len()..at
        });
        lines.collect()
    };
    let (olds, news) = (lines(old, &from), lines(new, &to));
    let same = |i: usize, j: usize| {
        olds.get(i).zip(news.get(j)).is_some_and(|(a, b)| old[a.clone()] == new[b.clone()])
    };
    let begin =
        |lines: &[Range<usize>], at: usize, end| lines.get(at).map_or(end, |line| line.start);
    let mut regions: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < olds.len() || j < news.len() {
        if same(i, j) {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        // The nearest lines that are the same again, or else the ends.
        let next = (1..=FAR).find_map(|far| {
            (0..=far).map(|step| (i + step, j + far - step)).find(|(i, j)| same(*i, *j))
        });
        let (i_next, j_next) = next.unwrap_or((olds.len(), news.len()));
        let region = (
            begin(&olds, i, from.end)..begin(&olds, i_next, from.end),
            begin(&news, j, to.end)..begin(&news, j_next, to.end),
        );
        match regions.last_mut() {
            Some(last) if region.1.start - last.1.end < close => {
                (last.0.end, last.1.end) = (region.0.end, region.1.end);
            }
            _ => regions.push(region),
        }
        (i, j) = (i_next, j_next);
    }
    regions
}

/// Both ranges without what they begin and end with alike.
fn trimmed(
    (old, from): (&str, Range<usize>),
    (new, to): (&str, Range<usize>),
) -> (Range<usize>, Range<usize>) {
    let common = |old: &mut dyn Iterator<Item = char>, new: &mut dyn Iterator<Item = char>| {
        old.zip(new).take_while(|(old, new)| old == new).map(|(c, _)| c.len_utf8()).sum::<usize>()
    };
    let (a, b) = (&old[from.clone()], &new[to.clone()]);
    let head = common(&mut a.chars(), &mut b.chars());
    let (a, b) = (&a[head..], &b[head..]);
    let tail = common(&mut a.chars().rev(), &mut b.chars().rev());
    (from.start + head..from.end - tail, to.start + head..to.end - tail)
}

/// How far what is only in this text may begin further up, the same bytes, so that it is whole tasks
/// on lines of their own; else whole tasks; else not at all.
fn up_to_task(document: &Document, range: &Range<usize>, least: usize) -> usize {
    let text = document.text().as_bytes();
    let is_same = |up: &usize| {
        let up = *up;
        up == 0 || range.start - least >= up && text[range.start - up] == text[range.end - up]
    };
    let is_between_tasks = |up: &usize| {
        let at = range.start - up;
        let next = document.task_at(at);
        next == document.len() || at <= document.span(next).start
    };
    let is_line = |up: &usize| range.start == *up || text[range.start - up - 1] == b'\n';
    let places = || (0..).take_while(is_same).filter(is_between_tasks);
    places().find(is_line).or_else(|| places().next()).unwrap_or(0)
}

/// The same of fields in lines of their own, so that they begin with the comma before them: the one
/// behind them goes where they come to be the last.
fn up_to_comma(above: &str, (text, range): (&str, &Range<usize>)) -> usize {
    let ends = [",\n", ",\r\n"];
    let is_end = |end: &&&str| {
        range.len() > CONTEXT
            && text[range.clone()].ends_with(**end)
            && text[..range.start].ends_with(**end)
            && above.ends_with(**end)
            && text[range.clone()].trim_start().starts_with('"')
    };
    ends.iter().find(is_end).map_or(0, |end| end.len())
}

/// Whether what stands from where a region ends to there, before a task, is fewer bytes together
/// with it: where a task came before another below its heading, the heading stays.
fn is_shorter_joined(
    (old, new): (&str, &str),
    (from, to): &(Range<usize>, Range<usize>),
    ends: (usize, usize),
) -> bool {
    let len = |from: Range<usize>, to: Range<usize>| {
        let (from, to) = trimmed((old, from), (new, to));
        from.len() + to.len()
    };
    let joined = len(from.start..ends.0, to.start..ends.1);
    joined < len(from.clone(), to.clone()) + len(from.end..ends.0, to.end..ends.1)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The next beginning of a character at or before `at`.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
