//! What a merge leaves to be looked at: conflict markers, and lost tasks.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use ralph_state::TaskId;
use serde::Serialize;

use crate::document::Document;
use crate::fields::REFERENCES;
use crate::landing::Texts;
use crate::merge::{MergeError, Merged, three_way, three_way_of};
use crate::queue::{Listed, Place, Queue};
use crate::task::{Status, Task};
use crate::value::{Map, Value};

fn task_fields(task: &Task) -> Map {
    task.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The versions that a text with conflict markers is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sides {
    /// What stands before `=======`.
    pub ours: String,
    /// What stands after `|||||||`, where git writes that.
    pub base: Option<String>,
    /// What stands after `=======`.
    pub theirs: String,
    /// The versions of the other file of the queue, where they are known.
    pub beside: Option<Beside>,
}

/// The versions of the file beside the one that is merged; what has none is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Which file it is.
    pub place: Place,
    /// As in [`Sides`].
    pub base: Option<String>,
    /// As in [`Sides`].
    pub ours: Option<String>,
    /// As in [`Sides`].
    pub theirs: Option<String>,
}

impl Sides {
    /// Versions that come from somewhere else, git's index say.
    pub fn new(ours: String, base: Option<String>, theirs: String) -> Self {
        Self { ours, base, theirs, beside: None }
    }

    /// The versions that git gives to a merge driver. An empty base is that of a file that both
    /// branches added.
    pub fn driven(base: String, ours: String, theirs: String) -> Self {
        Self::new(ours, Some(base).filter(|base| !base.trim().is_empty()), theirs)
    }

    /// The file beside this one as git's merge leaves it, as far as that is known.
    pub fn beside_merged(&self) -> Option<String> {
        let Beside { place, base, ours, theirs } = self.beside.as_ref()?;
        if theirs == base || theirs == ours {
            return ours.clone();
        }
        if ours == base {
            return theirs.clone();
        }
        let own = Beside {
            place: place.other(),
            base: self.base.clone(),
            ours: Some(self.ours.clone()),
            theirs: Some(self.theirs.clone()),
        };
        let mut turned = Self::new(ours.clone()?, base.clone(), theirs.clone()?);
        turned.beside = Some(own);
        resolve(&turned).ok().map(|merged| merged.text)
    }
}

/// Which versions a line of a text with conflict markers is of.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Both,
    Ours,
    Base,
    Theirs,
}

/// How many times the sign begins the line.
fn count(line: &str, sign: char) -> usize {
    line.len() - line.trim_start_matches(sign).len()
}

/// How long the markers of a text are. Longer lines of such signs are of a comment, or of a merge of
/// bases, which git nests.
fn marker_size(text: &str) -> Option<usize> {
    text.lines().map(|line| count(line, '<')).find(|size| *size >= 7)
}

impl At {
    /// What begins with this line, if it is a marker of that size.
    fn after(self, line: &str, size: usize) -> Option<Self> {
        let marker = |sign| count(line, sign) == size;
        match self {
            Self::Both if marker('<') => Some(Self::Ours),
            Self::Ours if marker('|') => Some(Self::Base),
            Self::Ours | Self::Base if marker('=') => Some(Self::Theirs),
            Self::Theirs if marker('>') => Some(Self::Both),
            _ => None,
        }
    }

    /// Whether the line is one of that version, as [`MergeError::Parse`] names it.
    fn is_of(self, side: &str) -> bool {
        match self {
            Self::Both => true,
            Self::Ours => side == "ours",
            Self::Base => side == "base",
            Self::Theirs => side == "theirs",
        }
    }
}

/// Takes a text with conflict markers apart; `None` when it has none, or they do not pair.
pub fn sides(text: &str) -> Option<Sides> {
    let size = marker_size(text)?;
    let [mut ours, mut base, mut theirs] = [const { String::new() }; 3];
    let (mut at, mut found, mut has_base) = (At::Both, false, true);
    for line in text.split_inclusive('\n') {
        if let Some(next) = at.after(line, size) {
            has_base &= at != At::Ours || next != At::Theirs;
            (at, found) = (next, true);
            continue;
        }
        for (side, version) in [("ours", &mut ours), ("base", &mut base), ("theirs", &mut theirs)] {
            if at.is_of(side) {
                version.push_str(line);
            }
        }
    }
    let base = Some(base).filter(|_| has_base);
    (found && at == At::Both).then_some(Sides { ours, base, theirs, beside: None })
}

/// Where in a text with conflict markers that line of one of its [`sides`] is; `side` is `ours`,
/// `base` or `theirs`. Lines count from 1.
fn marked_line(text: &str, side: &str, line: usize) -> Option<usize> {
    let (mut at, length) = (At::Both, marker_size(text)?);
    let lines = text.split_inclusive('\n').zip(1..);
    let mut lines = lines.filter(|(line, _)| match at.after(line, length) {
        Some(next) => {
            at = next;
            false
        }
        None => at.is_of(side),
    });
    lines.nth(line.checked_sub(1)?).map(|(_, number)| number)
}

/// Whole versions with conflict markers around them, for two that no merge can read. Nothing is
/// lost, and every command says what is the matter.
pub fn marked(ours: &str, theirs: &str) -> String {
    let line = |text: &str| {
        let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        format!("{text}{end}")
    };
    format!("<<<<<<< ours\n{}=======\n{}>>>>>>> theirs\n", line(ours), line(theirs))
}

/// Merges the versions; see [`three_way`].
///
/// Without a base, what both have in common stands for it: a field that differs is a conflict,
/// and a task that one side lacks was added by the other.
///
/// Where the file beside it is known and can be read, a task has one id in both, whichever of them
/// a version has it in.
pub fn resolve(sides: &Sides) -> Result<Merged, MergeError> {
    if let Some(Ok(merged)) = sides.beside.as_ref().map(|beside| resolve_beside(sides, beside)) {
        return Ok(merged);
    }
    if let Some(base) = &sides.base {
        return three_way(base, &sides.ours, &sides.theirs);
    }
    let (ours, theirs) = (read(&sides.ours, "ours")?, read(&sides.theirs, "theirs")?);
    let ours = without_doubles(ours, "ours", &theirs)?;
    let theirs = without_doubles(theirs, "theirs", &ours)?;
    three_way(&common(&ours, &theirs, None), ours.text(), theirs.text())
}

/// [`resolve`] of a file and the one beside it.
fn resolve_beside(sides: &Sides, beside: &Beside) -> Result<Merged, MergeError> {
    let Sides { base, ours, theirs, .. } = sides;
    let others_base = match (&beside.ours, &beside.theirs) {
        (Some(own), Some(others)) => {
            let [base, other_base] = [base, &beside.base].map(Option::as_deref);
            Some(base_of(other_base, base, [own, others])?.into_owned())
        }
        _ => beside.base.clone(),
    };
    let base = base_of(base.as_deref(), beside.base.as_deref(), [ours, theirs])?;
    let empty = Document::empty();
    let others = [&others_base, &beside.ours, &beside.theirs].map(Option::as_deref);
    let own: [&str; 3] = [&base, ours, theirs];
    let [base, ours, theirs] = [0, 1, 2].map(|version| match beside.place {
        Place::Done => Texts { queue: own[version], done: others[version] },
        Place::Queue => {
            Texts { queue: others[version].unwrap_or(empty.text()), done: Some(own[version]) }
        }
    });
    three_way_of(beside.place.other(), base, ours, theirs)
}

/// The base of two versions, or else what they have in common, but for the tasks that the base of
/// the other file has: there is more of these.
fn base_of<'t>(
    base: Option<&'t str>,
    beside: Option<&str>,
    [ours, theirs]: [&str; 2],
) -> Result<Cow<'t, str>, MergeError> {
    if let Some(base) = base {
        return Ok(Cow::Borrowed(base));
    }
    let beside = beside.map(|text| read(text, "base")).transpose()?;
    Ok(Cow::Owned(common(&read(ours, "ours")?, &read(theirs, "theirs")?, beside.as_ref())))
}

/// [`resolve`] of the [`sides`] of a text with conflict markers. A base that cannot be read is left
/// out: git may cut it down to what neither side has (`zdiff3`). Of a side that cannot be read, the
/// lines are told as those of `text`.
pub fn resolve_marked(text: &str, sides: &Sides) -> Result<Merged, MergeError> {
    let merged = match resolve(sides) {
        Err(MergeError::Parse { side: "base", .. }) => {
            resolve(&Sides { base: None, ..sides.clone() })
        }
        merged => merged,
    };
    merged.map_err(|error| match error {
        MergeError::Parse { side, place, source } => {
            let source = source.within(|line| marked_line(text, side, line).unwrap_or(line));
            MergeError::Parse { side, place, source }
        }
        error => error,
    })
}

/// A reference to an id that both sides gave to a task of their own, on lines that do not tell
/// which side wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unsure {
    /// The task that refers to another.
    pub task: TaskId,
    /// The field that does.
    pub field: &'static str,
    /// What it names in the merged text: one of [`Self::may_mean`], or both.
    pub names: Vec<TaskId>,
    /// The task that has the id, and the one that has another now.
    pub may_mean: [TaskId; 2],
}

/// The references of a text merged from what stands between markers and around them of which
/// nobody knows which task they mean: what git merged by itself stands outside of the markers, as
/// if both sides had written it.
pub fn unsure(sides: &Sides, merged: &Merged) -> Vec<Unsure> {
    if merged.renumbered.is_empty() {
        return Vec::new();
    }
    let read = |text: &str| Document::parse(text.to_owned()).ok();
    let texts = [&sides.ours, &sides.theirs, &merged.text].map(|text| read(text));
    let [Some(ours), Some(theirs), Some(document)] = texts else { return Vec::new() };
    let by_id = [&ours, &theirs].map(|side| {
        let mut by_id: HashMap<&str, Vec<&Task>> = HashMap::new();
        for task in side.tasks() {
            by_id.entry(task.id.as_str()).or_default().push(task);
        }
        by_id
    });
    let both = merged.renumbered.iter().flat_map(|(old, new)| [old.as_str(), new.as_str()]);
    let both: HashSet<&str> = both.collect();
    let mut unsure = Vec::new();
    for task in document.tasks() {
        if !task.references().any(|id| both.contains(id)) {
            continue;
        }
        let versions = by_id.each_ref().map(|by_id| -> Vec<&Task> {
            let known = task.all_ids().filter_map(|id| by_id.get(id)).flatten().copied();
            known.filter(|other| task.may_be(other)).collect()
        });
        let in_both = |field, id: &TaskId| {
            versions.iter().all(|versions| versions.iter().any(|task| names(task, field, id)))
        };
        for field in REFERENCES {
            for (old, new) in merged.renumbered.iter().filter(|(old, _)| in_both(field, old)) {
                let may_mean = [old.clone(), new.clone()];
                let names = may_mean.iter().filter(|id| names(task, field, id));
                let names: Vec<TaskId> = names.cloned().collect();
                if !names.is_empty() {
                    unsure.push(Unsure { task: task.id.clone(), field, names, may_mean });
                }
            }
        }
    }
    unsure
}

/// Whether a field of a task names that one.
fn names(task: &Task, field: &str, id: &TaskId) -> bool {
    let list = match field {
        "depends_on" => &task.depends_on,
        "blocks" => &task.blocks,
        "relates_to" => &task.relates_to,
        "duplicates" => return task.duplicates.as_deref() == Some(id.as_str()),
        _ => return task.parent_id.as_deref() == Some(id.as_str()),
    };
    list.iter().any(|named| named == id.as_str())
}

/// Where git wrote no markers, it put what one side added into both: next to the other side's task
/// of that id, say. What the other side has need not be here too, as it has it; where that has another
/// version, both are there to be merged.
fn without_doubles(
    document: Document,
    side: &'static str,
    other: &Document,
) -> Result<Document, MergeError> {
    let (mut draft, others) = (document.draft(), other.draft());
    let mut seen: BTreeMap<TaskId, usize> = BTreeMap::new();
    let mut doubles = Vec::new();
    for (index, task) in document.tasks().iter().enumerate() {
        let Some(first) = seen.insert(task.id.clone(), index) else { continue };
        let both = [index, first];
        let versions = both.map(|index| {
            let is_it = |at: &usize| others.task(*at).is_version_of(draft.task(index));
            others.positions(task.id.as_str()).find(is_it)
        });
        if versions == [None, None] {
            return Err(MergeError::TwiceInOne { side, id: task.id.clone() });
        }
        let is_double = |(index, version): &(usize, Option<usize>)| {
            version.is_some_and(|at| draft.block(*index).same_text(&others.block(at)))
        };
        let Some((double, _)) = both.into_iter().zip(versions).find(is_double) else { continue };
        doubles.push(double);
        if double == index {
            seen.insert(task.id.clone(), first);
        }
    }
    doubles.sort_unstable();
    for index in doubles.into_iter().rev() {
        draft.take(index);
    }
    let spliced = draft.splice()?;
    Ok(spliced.unwrap_or(document))
}

fn read(text: &str, side: &'static str) -> Result<Document, MergeError> {
    Document::parse(text).map_err(|source| MergeError::Parse { side, place: None, source })
}

/// What two versions have in common, as a file without the tasks of another one.
fn common(ours: &Document, theirs: &Document, beside: Option<&Document>) -> String {
    let mut others: BTreeMap<&TaskId, &Task> =
        theirs.tasks().iter().map(|task| (&task.id, task)).collect();
    for task in beside.iter().flat_map(|beside| beside.tasks()) {
        others.remove(&task.id);
    }
    let mut tasks = Vec::new();
    for task in ours.tasks() {
        let other = others.get(&task.id).filter(|other| task.may_be(other));
        let Some(other) = other else { continue };
        let other = task_fields(other);
        let mut shared = task_fields(task);
        shared.retain(|name, value| other.get(name) == Some(value));
        shared.entry("title".to_owned()).or_insert_with(|| Value::from(""));
        tasks.push(shared);
    }
    let version = Value::from(Document::VERSION);
    let tasks = tasks.into_iter().collect();
    let root = Map::from([("version".to_owned(), version), ("tasks".to_owned(), tasks)]);
    Value::Object(root).to_string()
}

/// Something a branch did to a queue that a merge should not bring in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// A task of the base's queue file is in neither file.
    Lost {
        /// Which.
        task: TaskId,
        /// What it was about.
        title: String,
    },
    /// The id of a task of the base is now that of another.
    Reused {
        /// The id.
        task: TaskId,
        /// What it was about.
        was: String,
        /// What it is about.
        is: String,
    },
}

/// What `now` lost that `base` had. What is gone from the done file was pruned, and is no loss.
pub fn losses(base: &Queue, now: &Queue) -> Vec<Loss> {
    let mut losses = Vec::new();
    let all = || now.list(Place::Queue).chain(now.list(Place::Done));
    let open = rewritten(base, now, Place::Queue).into_iter().map(|task| (task, true));
    let done = rewritten(base, now, Place::Done).into_iter().map(|task| (task, false));
    let rewritten: Vec<(Listed<'_>, bool)> = open.chain(done).collect();
    if rewritten.is_empty() {
        return losses;
    }
    let mut by_id: HashMap<&str, Vec<Listed<'_>>> =
        rewritten.iter().map(|(task, _)| (task.id(), Vec::new())).collect();
    for task in all() {
        if let Some(found) = by_id.get_mut(task.id()) {
            found.push(task);
        }
    }
    // Who had an id before is that task only as a version of it: another may have come in under
    // the same id, and been given a new one.
    let mut by_former: HashMap<&str, Vec<&Task>> = HashMap::new();
    for task in all().filter(|task| task.is_renamed()).map(Listed::task) {
        for old in task.former_ids() {
            by_former.entry(old).or_default().push(task);
        }
    }
    let is_renamed = |task: &Task| {
        let had_it = by_former.get(task.id.as_str());
        had_it.is_some_and(|had_it| had_it.iter().any(|other| other.is_version_of(task)))
    };
    for (task, is_open) in rewritten {
        match by_id[task.id()].as_slice() {
            [] if is_open && !is_renamed(task.task()) => {
                let Task { id, title, .. } = task.task();
                losses.push(Loss::Lost { task: id.clone(), title: title.clone() });
            }
            // Some only moved.
            others if others.iter().all(|other| task.text() != other.text()) => {
                let was = task.glance();
                // As `Queue::find` has it.
                let others = || others.iter().map(|other| other.glance());
                let found = others().find(|other| other.status != Status::Rejected);
                let Some(is) = found.or_else(|| others().next()) else { continue };
                if !others().any(|other| was.may_be(&other)) && !is_renamed(task.task()) {
                    let task = was.id;
                    let [was, is] = [was.title, is.title].map(Cow::into_owned);
                    losses.push(Loss::Reused { task, was, is });
                }
            }
            _ => {}
        }
    }
    losses
}

/// The tasks of a file that do not stand in it as they did, at the same place from the beginning
/// or from the end: few of most files.
fn rewritten<'q>(base: &'q Queue, now: &'q Queue, place: Place) -> Vec<Listed<'q>> {
    let [old, new] = [base, now].map(|queue| queue.list(place).collect::<Vec<_>>());
    let stands = |index: usize, task: &Listed<'_>| {
        let places = [Some(index), (index + new.len()).checked_sub(old.len())];
        let mut there = places.into_iter().flatten().filter_map(|index| new.get(index));
        there.any(|other| other.text() == task.text())
    };
    let rewritten = old.iter().enumerate().filter(|(index, task)| !stands(*index, task));
    rewritten.map(|(_, task)| *task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(tasks: &str) -> String {
        format!("{{\"version\":1,\"tasks\":[\n{tasks}\n]}}\n")
    }

    const ONE: &str = r#"{"id":"RQ-1","title":"one","created_at":"2026-01-01T00:00:00Z"},"#;
    const TWO: &str = r#"{"id":"RQ-2","title":"two","created_at":"2026-01-02T00:00:00Z"},"#;

    #[test]
    fn markers_are_taken_apart() {
        let text = "a\n<<<<<<< HEAD\nb\n||||||| base\nc\n=======\nd\n>>>>>>> x\ne\n";
        let [ours, base, theirs] = ["b", "c", "d"].map(|line| format!("a\n{line}\ne\n"));
        let expected = Sides::new(ours, Some(base), theirs);
        assert_eq!(sides(text), Some(expected));
        let two = sides("<<<<<<< x\nb\n=======\nd\n>>>>>>> y\n").unwrap();
        assert_eq!((two.ours.as_str(), two.base, two.theirs.as_str()), ("b\n", None, "d\n"));
        assert_eq!(sides("a\n======= \n"), None);
        assert_eq!(sides("<<<<<<< x\nb\n"), None);
        let nested = "<<<<<<<<< 1\nc\n|||||||||\n=========\nC\n>>>>>>>>> 2\n";
        let comment = "/*\n========\n*/\n";
        let text = format!(
            "<<<<<<< x\n{comment}b\n||||||| base\n{nested}=======\r\n{comment}d\n>>>>>>> y\n"
        );
        let made =
            Sides::new(format!("{comment}b\n"), Some(nested.to_owned()), format!("{comment}d\n"));
        assert_eq!(sides(&text), Some(made));
        let long = text.replace("======\r", "=========\r").replace("<< x", "<<<<< x");
        assert_eq!(sides(&long), None, "markers of two sizes");
        let both = sides(&marked("b", "d\n")).unwrap();
        assert_eq!((both.ours.as_str(), both.theirs.as_str()), ("b\n", "d\n"));
    }

    #[test]
    fn without_a_base_nothing_is_lost() {
        let ours = queue(&format!("{ONE}{TWO}"));
        let theirs = queue(&ONE.replace("\"one\"", "\"uno\""));
        let sides = Sides::new(ours, None, theirs);
        let merged = resolve(&sides).unwrap();
        assert!(merged.text.contains("\"two\"") && merged.text.contains("\"one\""));
        assert_eq!(merged.conflicts[0].field.as_deref(), Some("title"));
    }

    #[test]
    fn one_id_for_two_tasks_becomes_two_ids() {
        let theirs = r#"{"id":"RQ-1","title":"other","created_at":"2026-01-03T00:00:00Z"}"#;
        let merged = resolve(&Sides::driven(String::new(), queue(ONE), queue(theirs))).unwrap();
        let document = Document::parse(merged.text).unwrap();
        assert_eq!(document.tasks().len(), 2);
        assert_eq!(merged.renumbered.len(), 1);
    }

    #[test]
    fn what_git_put_into_both_sides_is_not_lost() {
        // Git wrote no markers around the task that ours added.
        let other = r#"{"id":"RQ-1","title":"other","created_at":"2026-01-03T00:00:00Z"},"#;
        for (ours, theirs) in
            [(ONE.to_owned(), format!("{other}{ONE}")), (format!("{ONE}{other}"), other.to_owned())]
        {
            let sides = Sides::new(queue(&ours), None, queue(&theirs));
            let document = Document::parse(resolve(&sides).unwrap().text).unwrap();
            let ids: BTreeMap<&str, &str> = document
                .tasks()
                .iter()
                .map(|task| (task.title.as_str(), task.id.as_str()))
                .collect();
            assert_eq!(ids, [("one", "RQ-1"), ("other", "RQ-2")].into());
        }
        // Nor is what a side alone did to a task of which the other has a version.
        let noted = ONE.replace("\"one\"", "\"one\",\"notes\":[\"own\"]");
        let both = queue(&format!("{noted}{other}"));
        for (ours, theirs) in [(&both, &queue(ONE)), (&queue(ONE), &both)] {
            let merged = resolve(&Sides::new(ours.clone(), None, theirs.clone())).unwrap();
            assert!(merged.text.contains("own") && merged.text.contains("other"));
            assert_eq!(Document::parse(merged.text).unwrap().tasks().len(), 2);
        }
        // Git put it into both where theirs moved it to.
        let moved = queue(&format!("{ONE}{TWO}{noted}"));
        let merged = resolve(&Sides::new(moved, None, queue(&format!("{ONE}{TWO}")))).unwrap();
        assert!(merged.text.contains("own"));
        assert_eq!(Document::parse(merged.text).unwrap().tasks().len(), 2);
        let twice = Sides::new(queue(TWO), None, queue(&format!("{other}{ONE}")));
        assert!(matches!(resolve(&twice), Err(MergeError::TwiceInOne { .. })));
        // Nothing tells these apart, and one that was made at no other time is not the same.
        let task = |title: &str| format!(r#"{{"id":"RQ-1","title":"{title}"}},"#);
        let both = |one, other| queue(&[task(one), task(other)].concat());
        let twice = Sides::new(both("A", "X"), None, both("C", "D"));
        assert!(matches!(resolve(&twice), Err(MergeError::TwiceInOne { .. })));
    }

    #[test]
    fn what_both_sides_moved_to_the_other_file_is_merged_from_what_it_was() {
        let task = |id: u32, more: &str| {
            format!(
                r#"{{"id":"RQ-{id}","title":"{id}","created_at":"2026-01-01T00:00:00Z"{more}}},"#
            )
        };
        let base: String = [1, 2, 3].map(|id| task(id, r#","tags":["x","y"]"#)).concat();
        let end = r#","status":"done","completed_at":"2026-02-01T00:00:00Z""#;
        let [one, other] =
            [r#","tags":["x"],"priority":"high""#, r#","tags":["x","y"],"notes":["n"]"#];
        for (place, end) in [(Place::Done, end), (Place::Queue, "")] {
            // In whatever order.
            let side = |ids: [u32; 3], more: &str| {
                queue(&ids.map(|id| task(id, &format!("{more}{end}"))).concat())
            };
            let moved = [side([2, 1, 3], one), side([3, 2, 1], other)];
            // A file that both sides began has no base.
            for own in [Some(queue("")), None] {
                let [one, other] = &moved;
                for [ours, theirs] in [[one, other], [other, one]] {
                    let mut sides = Sides::new(ours.clone(), own.clone(), theirs.clone());
                    let [beside, empty] = [queue(&base), queue("")].map(Some);
                    let (ours, theirs) = (empty.clone(), empty);
                    sides.beside =
                        Some(Beside { place: place.other(), base: beside, ours, theirs });
                    let merged = resolve(&sides).unwrap();
                    assert_eq!(merged.conflicts, []);
                    let merged = Document::parse(merged.text).unwrap();
                    assert_eq!(merged.tasks().len(), 3);
                    for task in merged.tasks() {
                        let found = (task.priority.as_str(), &task.tags[..], &task.notes[..]);
                        assert_eq!(found, ("high", &["x".to_owned()][..], &["n".to_owned()][..]));
                    }
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_as_a_line_of_the_file() {
        let text =
            "{\"version\":1,\n<<<<<<< x\n\"tasks\":[\n\n]\n=======\n\"tasks\":[]]\n>>>>>>> y\n}\n";
        let error = resolve_marked(text, &sides(text).unwrap()).unwrap_err();
        let MergeError::Parse { side: "theirs", source, .. } = error else { panic!("{error}") };
        assert!(matches!(source, crate::ParseError::Syntax { line: 7, .. }), "{source}");
    }

    #[test]
    fn a_base_that_git_cut_down_is_left_out() {
        let file =
            |title: &str| format!("{{\"version\":1,\"tasks\":[\n{title}\n\"id\":\"RQ-1\"}}]}}\n");
        let [ours, theirs] = ["\"eins\"", "\"uno\""].map(|it| file(&format!("{{\"title\":{it},")));
        let cut = Sides::new(ours, Some(file("")), theirs);
        assert!(matches!(resolve(&cut), Err(MergeError::Parse { side: "base", .. })));
        let merged = resolve_marked("", &cut).unwrap();
        assert_eq!(merged.conflicts[0].field.as_deref(), Some("title"));
    }

    #[test]
    fn what_names_one_of_two_tasks_by_one_id_is_unsure_unless_a_side_says_it() {
        let task = |id: &str, day, rest: &str| {
            format!(r#"{{"id":"{id}","created_at":"2026-01-0{day}T00:00:00Z",{rest}}}"#)
        };
        let both = [
            task("RQ-1", 1, r#""title":"one","depends_on":["RQ-3"],"parent_id":"RQ-3""#),
            task("RQ-2", 1, r#""title":"two","depends_on":["RQ-1"]"#),
        ];
        let side = |name: &str, day, own: &str| {
            let new = [
                task("RQ-3", day, &format!(r#""title":"{name}""#)),
                task(own, day, &format!(r#""title":"{name}2","depends_on":["RQ-3"]"#)),
            ];
            queue(&[both.concat(), new.concat()].concat().replace("}{", "},{"))
        };
        let sides = Sides::new(side("ours", 2, "RQ-4"), None, side("theirs", 3, "RQ-5"));
        let merged = resolve_marked("", &sides).unwrap();
        let [old, new] = ["RQ-3", "RQ-6"].map(|id| id.parse::<TaskId>().unwrap());
        assert_eq!(merged.renumbered, [(old.clone(), new.clone())]);
        let one = |field| {
            let may_mean = [old.clone(), new.clone()];
            Unsure { task: "RQ-1".parse().unwrap(), field, names: vec![new.clone()], may_mean }
        };
        assert_eq!(unsure(&sides, &merged), [one("depends_on"), one("parent_id")]);
    }

    #[test]
    fn losses_are_named() {
        let read = |tasks: &str| Queue::new(Document::parse(queue(tasks)).unwrap(), None);
        let base = read(&format!("{ONE}{TWO}"));
        assert_eq!(losses(&base, &base), []);
        let other = TWO.replace("two", "zwei").replace("-02T", "-05T");
        let losses = losses(&base, &read(&other));
        assert!(matches!(losses[0], Loss::Lost { .. }) && matches!(losses[1], Loss::Reused { .. }));
    }

    #[test]
    fn a_task_with_another_id_is_no_loss_and_another_task_is_no_stand_in() {
        let read = |tasks: &str| Queue::new(Document::parse(queue(tasks)).unwrap(), None);
        let former = |task: &str| {
            task.replace("RQ-2", "RQ-3")
                .replace("},", r#","custom_fields":{"former_ids":"RQ-2"}},"#)
        };
        let base = read(&format!("{ONE}{TWO}"));
        let renumbered = former(TWO);
        assert_eq!(losses(&base, &read(&format!("{ONE}{renumbered}"))), []);
        // Nor is one whose id another has since, or that shares it with another.
        let other = TWO.replace("two", "other").replace("-02T", "-03T");
        assert_eq!(losses(&base, &read(&format!("{ONE}{other}{renumbered}"))), []);
        let twice = read(&format!("{ONE}{TWO}{other}"));
        assert_eq!(losses(&twice, &twice), []);
        assert_eq!(
            losses(&twice, &read(&format!("{ONE}{}{other}", TWO.replace("\"two", "\"2")))),
            []
        );
        let other = renumbered.replace("two", "other");
        let lost = Loss::Lost { task: "RQ-2".parse().unwrap(), title: "two".to_owned() };
        assert_eq!(losses(&base, &read(&format!("{ONE}{other}"))), [lost]);
    }
}
