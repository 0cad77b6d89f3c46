//! What a merge could not decide, until somebody settles it.
//!
//! Git keeps the three versions of a file in conflict, so that what is undecided is found again
//! from them, for as long as the merge lasts and no longer. A place that does not hold what the
//! merge left there is settled: somebody changed it since. Only what is settled without a change
//! has to be remembered, see [`Merges`].

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use ralph_state::document::{Document as Versioned, Upgrades};
use ralph_state::json::Object;
use ralph_state::{Clock, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::delta::Touched;
use crate::document::{Document, Draft};
use crate::edit::{Edit, EditError, Spliced};
use crate::files::{Edited, Previewed, Proposal, QueueFiles, Terms, UpdateError};
use crate::mend::Whole;
use crate::merge::{Conflict, Merged, order};
use crate::queue::{Place, Queue};
use crate::task::Task;
use crate::value::{Map, Value};

/// A conflict, and what the merge left where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Undecided {
    /// What is in conflict.
    #[serde(flatten)]
    pub conflict: Conflict,
    /// What the merge left there: the value of the field, the whole task that one side removed,
    /// or the tasks in their order, with the headings of their sections.
    pub left: Option<Value>,
}

/// Whose value is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// That of [`Conflict::ours`].
    Ours,
    /// That of [`Conflict::theirs`].
    Theirs,
}

/// Why nothing was settled. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// Somebody changed the place since it was looked at.
    #[error("what the merge left has been changed since")]
    ChangedSince {
        /// The place.
        conflict: Box<Conflict>,
    },
    /// The value is none that the place can hold.
    #[error("the value of that side cannot stand there")]
    Unfit {
        /// The place.
        conflict: Box<Conflict>,
    },
    /// Nobody knows which task is in conflict.
    #[error(transparent)]
    Task(EditError),
}

impl Merged {
    /// The conflicts, with what stands in the merged text.
    pub fn undecided(&self) -> Vec<Undecided> {
        if self.conflicts.is_empty() {
            return Vec::new();
        }
        // It was read before it was handed out.
        let Ok(document) = Document::parse(self.text.as_str()) else { return Vec::new() };
        let draft = document.draft();
        let undecided = |conflict: &Conflict| {
            let left = standing(&draft, conflict);
            Undecided { conflict: conflict.clone(), left }
        };
        self.conflicts.iter().map(undecided).collect()
    }
}

impl Undecided {
    /// The value of a side.
    pub fn value(&self, side: Take) -> Option<&Value> {
        match side {
            Take::Ours => self.conflict.ours.as_ref(),
            Take::Theirs => self.conflict.theirs.as_ref(),
        }
    }
}

impl QueueFiles {
    /// Gives places in conflict the values of one side, all of them or none. `permit` is asked
    /// whether the tasks of the queue that this touches may be touched.
    pub fn settle<E: From<SettleError>>(
        &self,
        clock: &dyn Clock,
        terms: &Terms,
        (asked, side): (&[(Place, Undecided)], Take),
        permit: impl FnOnce(&Queue, &[Touched]) -> Result<(), E>,
    ) -> Result<Edited<()>, UpdateError<E>> {
        self.transact(clock, terms, |before, _, now| permitted(before, now, (asked, side), permit))
    }

    /// What [`Self::settle`] would do to this queue, were it in the files.
    pub fn preview_settle<E: From<SettleError>>(
        &self,
        before: Queue,
        now: Timestamp,
        (asked, side): (&[(Place, Undecided)], Take),
        permit: impl FnOnce(&Queue, &[Touched]) -> Result<(), E>,
    ) -> Result<Previewed<()>, UpdateError<E>> {
        self.previewed_of(before, |before, _| permitted(before, now, (asked, side), permit))
    }
}

fn permitted<E: From<SettleError>>(
    before: &Queue,
    now: Timestamp,
    (asked, side): (&[(Place, Undecided)], Take),
    permit: impl FnOnce(&Queue, &[Touched]) -> Result<(), E>,
) -> Result<Proposal<()>, UpdateError<E>> {
    let whole = Whole::healed(before).map_err(UpdateError::Splice)?;
    let queue = whole.as_ref().map_or(before, |whole| &whole.queue);
    let edit = Edit::of_whole(before, queue, now);
    let spliced = settled(queue, edit, asked, side)?;
    permit(before, &spliced.touched(queue)).map_err(UpdateError::Refused)?;
    Ok(match whole {
        Some(whole) => Proposal::on(whole, (), spliced),
        None => Proposal::new((), spliced),
    })
}

/// Both files with the values of one side in those places.
fn settled<E: From<SettleError>>(
    before: &Queue,
    mut edit: Edit<'_>,
    asked: &[(Place, Undecided)],
    side: Take,
) -> Result<Spliced, UpdateError<E>> {
    let now = edit.now();
    let mut rests: [Rest; 2] = Default::default();
    for (place, undecided) in asked {
        if let Some(id) = &undecided.conflict.task {
            let unambiguous = edit.unambiguous(id.as_str());
            unambiguous.map_err(|error| UpdateError::Refused(SettleError::Task(error).into()))?;
        }
        let (draft, rest) = match place {
            Place::Queue => (&mut edit.queue, &mut rests[0]),
            Place::Done => (&mut edit.done, &mut rests[1]),
        };
        put(draft, rest, undecided, side).map_err(|error| UpdateError::Refused(error.into()))?;
    }
    let taken = asked.iter().filter_map(|(_, Undecided { conflict, .. })| {
        Some((conflict.task.as_ref()?, conflict.field.as_deref()?))
    });
    let taken: HashSet<(&TaskId, &str)> = taken.collect();
    for (place, undecided) in asked {
        let draft = match place {
            Place::Queue => &mut edit.queue,
            Place::Done => &mut edit.done,
        };
        stamp(draft, now, (undecided, side), &taken);
    }
    for (draft, rest) in [&mut edit.queue, &mut edit.done].into_iter().zip(&rests) {
        draft.remove_all(&rest.gone);
    }
    let mut spliced = edit.splice().map_err(UpdateError::Splice)?;
    let files =
        [(before.document(), &mut spliced.queue), (before.done_document(), &mut spliced.done)];
    for ((before, after), Rest { order, keys, .. }) in files.into_iter().zip(rests) {
        if let Some(order) = order {
            let document = after.as_ref().unwrap_or(before);
            *after = Some(order::take(document, &order).map_err(UpdateError::Splice)?);
        }
        if let Some(keys) = keys {
            let document = after.as_ref().unwrap_or(before);
            let changed = document.with_other_fields(&before.other_fields(), &keys);
            *after = Some(changed.map_err(UpdateError::Splice)?);
        }
    }
    Ok(spliced)
}

/// What is changed of a file once its tasks are.
#[derive(Default)]
struct Rest {
    /// Where the tasks are that go.
    gone: BTreeSet<usize>,
    order: Option<Value>,
    keys: Option<Map>,
}

/// Puts the value of a side into its place. What is no change of a task is collected in `rest`.
fn put(
    draft: &mut Draft<'_>,
    rest: &mut Rest,
    undecided: &Undecided,
    side: Take,
) -> Result<(), SettleError> {
    let conflict = &undecided.conflict;
    let unfit = || SettleError::Unfit { conflict: Box::new(conflict.clone()) };
    if standing(draft, conflict) != undecided.left {
        return Err(SettleError::ChangedSince { conflict: Box::new(conflict.clone()) });
    }
    let wanted = undecided.value(side);
    if wanted == undecided.left.as_ref() {
        return Ok(());
    }
    match (Subject::of(conflict), wanted) {
        (Subject::Task(id), None) => {
            rest.gone.insert(draft.position(id).ok_or_else(unfit)?);
        }
        (Subject::Task(_), Some(_)) => return Err(unfit()),
        (Subject::Order, wanted) => rest.order = wanted.cloned(),
        (Subject::Field(id, field), wanted) => {
            let at = draft.position(id).ok_or_else(unfit)?;
            let mut fields = fields(draft.task(at));
            set(&mut fields, field, wanted).ok_or_else(unfit)?;
            let task = Task::parse(&Value::Object(fields).to_string()).map_err(|_| unfit())?;
            *draft.task_mut(at) = task;
        }
        (Subject::Key(key), wanted) => {
            let keys = rest.keys.get_or_insert_with(|| draft.document().other_fields());
            set(keys, key, wanted).ok_or_else(unfit)?;
        }
    }
    Ok(())
}

/// Gives a task of which a value was taken the times that go with it, but for those that are taken
/// themselves.
fn stamp(
    draft: &mut Draft<'_>,
    now: Timestamp,
    (undecided, side): (&Undecided, Take),
    taken: &HashSet<(&TaskId, &str)>,
) {
    let Conflict { task: Some(id), field: Some(field), .. } = &undecided.conflict else { return };
    if undecided.value(side) == undecided.left.as_ref() {
        return;
    }
    let Some(at) = draft.position(id.as_str()) else { return };
    let is_taken = |time| taken.contains(&(id, time));
    let was = draft.task(at);
    let mut task = was.clone();
    if field == "status" {
        task.set_status(task.status, now);
        if is_taken("completed_at") {
            task.completed_at.clone_from(&was.completed_at);
        }
        if is_taken("started_at") {
            task.started_at.clone_from(&was.started_at);
        }
    }
    task.updated_at =
        if is_taken("updated_at") { was.updated_at.clone() } else { Some(now.to_string()) };
    if task != *was {
        draft.replace(at, task);
    }
}

/// What a conflict is about.
enum Subject<'c> {
    /// Whether there is such a task.
    Task(&'c str),
    /// A field of a task.
    Field(&'c str, &'c str),
    /// The order of the tasks.
    Order,
    /// A key of the file itself.
    Key(&'c str),
}

impl<'c> Subject<'c> {
    fn of(Conflict { task, field, .. }: &'c Conflict) -> Self {
        match (task.as_ref().map(TaskId::as_str), field.as_deref()) {
            (Some(task), Some(field)) => Self::Field(task, field),
            (Some(task), None) => Self::Task(task),
            (None, None | Some("tasks")) => Self::Order,
            (None, Some(key)) => Self::Key(key),
        }
    }
}

/// What is at the place of a conflict.
fn standing(draft: &Draft<'_>, conflict: &Conflict) -> Option<Value> {
    let task = |id| draft.position(id).map(|at| fields(draft.task(at)));
    match Subject::of(conflict) {
        Subject::Task(id) => task(id).map(Value::Object),
        Subject::Field(id, field) => get(&task(id)?, field).cloned(),
        Subject::Key(key) => get(&draft.document().other_fields(), key).cloned(),
        Subject::Order => Some(order::standing(draft.document(), conflict)),
    }
}

fn fields(task: &Task) -> Map {
    task.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The key of `object` that the name of a field begins with, where an object is, and the rest of
/// the name. A key may have dots in it.
fn deeper<'n>(object: &Map, name: &'n str) -> Option<(String, &'n str)> {
    if object.contains_key(name) {
        return None;
    }
    object.iter().filter(|(_, value)| value.as_object().is_some()).find_map(|(key, _)| {
        let rest = name.strip_prefix(key.as_str())?.strip_prefix('.')?;
        Some((key.clone(), rest))
    })
}

fn get<'v>(object: &'v Map, name: &str) -> Option<&'v Value> {
    match deeper(object, name) {
        Some((key, rest)) => get(object.get(&key)?.as_object()?, rest),
        None => object.get(name),
    }
}

fn set(object: &mut Map, name: &str, value: Option<&Value>) -> Option<()> {
    if let Some((key, rest)) = deeper(object, name) {
        return set(object.get_mut(&key)?.as_object_mut()?, rest, value);
    }
    // A task has no empty ones of these.
    let lost = ["custom_fields.", "agent."].into_iter().find_map(|outer| {
        name.strip_prefix(outer).map(|inner| (outer.trim_end_matches('.'), inner))
    });
    match (value, lost) {
        (None, _) => {
            object.remove(name);
        }
        (Some(value), Some((outer, inner))) => {
            let inner = Map::from_iter([(inner.to_owned(), value.clone())]);
            object.insert(outer.to_owned(), Value::Object(inner));
        }
        (Some(value), None) => {
            object.insert(name.to_owned(), value.clone());
        }
    }
    Some(())
}

/// What no version in git tells of the merges of a work tree; a [`ralph_state::Store`] keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Merges {
    /// The version; a save always writes 1.
    #[serde(default)]
    pub version: u32,
    /// One for each file at most.
    #[serde(default)]
    pub merges: Vec<Merge>,
    /// Fields that this version of the program does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Object,
}

/// What is remembered of the merge of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Merge {
    /// The file, as git names it.
    pub path: String,
    /// Which merge: what is remembered of any other is void.
    pub merge: String,
    /// What was undecided, where git has no versions to find it from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<Undecided>,
    /// What was settled where the file does not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<Taken>,
}

/// Places that were settled together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Taken {
    /// Those that are as the merge left them.
    pub standing: Vec<Spot>,
    /// Those that got another value. One that has again what the merge left tells that all of
    /// this was taken back.
    pub changed: Vec<Spot>,
}

/// A place in a file, as in [`Conflict`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Spot {
    /// The task.
    pub task: Option<TaskId>,
    /// The field, or the key of the file.
    pub field: Option<String>,
}

impl Spot {
    fn of(Conflict { task, field, .. }: &Conflict) -> Self {
        Self { task: task.clone(), field: field.clone() }
    }
}

impl Merges {
    /// Where they are, below the directory for what a work tree keeps to itself.
    pub fn path_in(cache: &Path) -> PathBuf {
        cache.join("merges.json")
    }

    /// What is remembered of that merge.
    pub fn find(&self, path: &str, merge: &str) -> Option<&Merge> {
        self.merges.iter().find(|known| known.path == path && known.merge == merge)
    }

    /// A merge of the file begins, maybe the same once more: nothing of it is settled.
    pub fn forget(&mut self, path: &str) {
        self.merges.retain(|known| known.path != path);
    }

    /// Remembers what no git can tell.
    pub fn remember(&mut self, path: &str, merge: &str, undecided: Vec<Undecided>) {
        self.forget(path);
        let (path, merge) = (path.to_owned(), merge.to_owned());
        self.merges.push(Merge { path, merge, undecided, taken: Vec::new() });
    }

    /// Remembers that places were settled by a side.
    pub fn settle(&mut self, path: &str, merge: &str, places: &[&Undecided], side: Take) {
        if self.find(path, merge).is_none() {
            self.remember(path, merge, Vec::new());
        }
        let (standing, changed): (Vec<&Undecided>, Vec<&Undecided>) =
            places.iter().partition(|place| place.value(side) == place.left.as_ref());
        let spots = |places: Vec<&Undecided>| {
            places.into_iter().map(|place| Spot::of(&place.conflict)).collect()
        };
        let taken = Taken { standing: spots(standing), changed: spots(changed) };
        if let Some(known) = self.merges.iter_mut().find(|known| known.path == path) {
            known.taken.push(taken);
        }
    }
}

/// Those of `all` that are not settled: what the merge left is still there in `document`, and
/// nobody has said that it is right.
pub fn unsettled(
    all: Vec<Undecided>,
    document: &Document,
    memory: Option<&Merge>,
) -> Vec<Undecided> {
    let draft = document.draft();
    let mut left = all;
    left.retain(|place| standing(&draft, &place.conflict) == place.left);
    let spots: HashSet<Spot> = left.iter().map(|place| Spot::of(&place.conflict)).collect();
    let valid = memory.into_iter().flat_map(|memory| &memory.taken);
    let valid = valid.filter(|taken| !taken.changed.iter().any(|spot| spots.contains(spot)));
    let settled: HashSet<&Spot> = valid.flat_map(|taken| &taken.standing).collect();
    left.retain(|place| !settled.contains(&Spot::of(&place.conflict)));
    left
}

impl Versioned for Merges {
    const KIND: &'static str = "record of merges";
    const VERSION_KEY: &'static str = "version";
    const UPGRADES: Upgrades = Upgrades::new(1, 1, &[]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::conflict;
    use crate::document::tests::{Noise, noise, tasks};
    use crate::merge::tests::{changes, side};
    use crate::merge::three_way;
    use crate::task::Status;

    fn queue(text: &str) -> Queue {
        Queue::new(Document::parse(text).unwrap(), None)
    }

    fn now() -> Timestamp {
        "2026-04-22T12:00:00Z".parse().unwrap()
    }

    /// The text with all that is undecided settled by a side.
    fn take(text: &str, undecided: &[Undecided], side: Take) -> Result<String, SettleError> {
        let asked: Vec<(Place, Undecided)> =
            undecided.iter().map(|one| (Place::Queue, one.clone())).collect();
        match permitted::<SettleError>(&queue(text), now(), (&asked, side), |_, _| Ok(())) {
            Ok(Proposal { spliced, .. }) => {
                Ok(spliced.queue.map_or_else(|| text.to_owned(), |queue| queue.text().to_owned()))
            }
            Err(UpdateError::Refused(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }

    const BASE: &str = r#"{"version": 1, "meta": {"team": "a", "x.y": 1}, "tasks": [
  {"id": "RQ-1", "title": "one", "notes": ["n"], "custom_fields": {"owner": "me"}}, // first
  {"id": "RQ-2", "title": "two"},
  {"id": "RQ-3", "title": "three"},
  {"id": "RQ-4", "title": "four"}, // last
  {"id": "RQ-5", "title": "five"},
]}
"#;

    #[test]
    fn both_sides_can_be_taken_of_every_kind_of_conflict() {
        let ours = BASE
            .replace("\"one\"", "\"eins\"")
            .replace("[\"n\"]", "[\"ours\"]")
            .replace(", \"custom_fields\": {\"owner\": \"me\"}", "")
            .replace("  {\"id\": \"RQ-3\", \"title\": \"three\"},\n", "")
            .replace("four", "vier")
            .replace("\"x.y\": 1", "\"x.y\": 2");
        let [two, five] = [(2, "two"), (5, "five")]
            .map(|(id, title)| format!("  {{\"id\": \"RQ-{id}\", \"title\": \"{title}\"}},\n"));
        // Both orders together are a circle.
        let ours = ours.replace(&two, "").replacen("[\n", &format!("[\n{two}"), 1);
        let theirs = BASE
            .replace("\"one\"", "\"uno\"")
            .replace("[\"n\"]", "[\"theirs\"]")
            .replace("\"me\"", "\"you\"")
            .replace("three", "drei")
            .replace("  {\"id\": \"RQ-4\", \"title\": \"four\"}, // last\n", "")
            .replace("\"x.y\": 1", "\"x.y\": 3");
        let theirs = theirs.replace(&five, "").replace(&two, &format!("{five}{two}"));
        let merged = three_way(BASE, &ours, &theirs).unwrap();
        let undecided = merged.undecided();
        let names: Vec<&str> = undecided
            .iter()
            .map(|one| one.conflict.field.as_deref().unwrap_or("removed"))
            .collect();
        let kinds =
            ["custom_fields.owner", "notes", "title", "removed", "removed", "tasks", "meta.x.y"];
        assert_eq!(names, kinds);

        let ours = take(&merged.text, &undecided, Take::Ours).unwrap();
        let stamped = |text: &str| {
            let mut tasks = Document::parse(text).unwrap().tasks().to_vec();
            for task in &mut tasks {
                task.updated_at = None;
            }
            tasks
        };
        let ids = |text: &str| -> Vec<String> {
            stamped(text).iter().map(|task| task.id.to_string()).collect()
        };
        // RQ-4 is no part of the conflict.
        assert_eq!(ids(&ours), ["RQ-2", "RQ-1", "RQ-4", "RQ-5"]);
        assert!(ours.contains("vier") && ours.contains("\"x.y\": 2") && ours.contains("// last"));
        assert!(!ours.contains("owner") && ours.contains("[\"ours\"]") && ours.contains("eins"));
        let theirs = take(&merged.text, &undecided, Take::Theirs).unwrap();
        assert_eq!(ids(&theirs), ["RQ-1", "RQ-5", "RQ-2", "RQ-3"]);
        assert!(theirs.contains("drei") && theirs.contains("\"x.y\": 3") && theirs.contains("uno"));
        assert_eq!(stamped(&theirs)[0].custom_fields["owner"], "you");
        assert_eq!(stamped(&theirs)[0].notes, ["theirs"]);

        // What theirs had already, nobody can tell from what the merge left; the rest is settled,
        // and is not settled twice.
        let left = unsettled(undecided.clone(), &Document::parse(&*theirs).unwrap(), None);
        assert_eq!(left.len(), 2, "{left:?}");
        let again = take(&theirs, &undecided, Take::Ours).unwrap_err();
        assert!(matches!(again, SettleError::ChangedSince { .. }));
    }

    #[test]
    fn what_stands_is_settled_until_that_is_taken_back() {
        let conflict = |field: &str, ours: &str| Undecided {
            conflict: Conflict {
                task: Some("RQ-1".parse().unwrap()),
                field: Some(field.to_owned()),
                base: None,
                ours: Some(ours.into()),
                theirs: None,
                comments: Vec::new(),
            },
            left: Some("x".into()),
        };
        let all = vec![conflict("title", "x"), conflict("description", "y")];
        let text = |description: &str| {
            let task = format!(r#"{{"id":"RQ-1","title":"x","description":"{description}"}}"#);
            Document::parse(format!(r#"{{"version":1,"tasks":[{task}]}}"#)).unwrap()
        };
        let mut merges = Merges::default();
        merges.settle("q", "m", &all.iter().collect::<Vec<_>>(), Take::Ours);
        let left = |document: &Document, merge| {
            unsettled(all.clone(), document, merges.find("q", merge)).len()
        };
        assert_eq!(left(&text("y"), "m"), 0);
        assert_eq!(left(&text("x"), "m"), 2);
        assert_eq!(left(&text("y"), "another"), 1);
    }

    #[test]
    fn a_status_that_is_taken_brings_or_loses_the_time_of_the_end() {
        let base = r#"{"version":1,"tasks":[{"id":"RQ-1","title":"x","status":"todo"}]}"#;
        let side = |status: &str| base.replace("todo", status);
        let ended = side(r#"done","completed_at":"2026-04-21T12:00:00Z","x":"y"#);
        let task = |text: &str| Document::parse(text).unwrap().tasks()[0].clone();
        let merged = three_way(base, &ended, &side("doing")).unwrap();
        let doing = task(&take(&merged.text, &merged.undecided(), Take::Theirs).unwrap());
        assert_eq!((doing.status, doing.completed_at), (Status::Doing, None));
        assert_eq!(doing.started_at, Some(now().to_string()));
        let done = task(&take(&merged.text, &merged.undecided(), Take::Ours).unwrap());
        assert_eq!(done, task(&merged.text));

        // Ended by the other side without a time, as by hand.
        let merged = three_way(base, &side("rejected"), &side("done")).unwrap();
        let rejected = task(&take(&merged.text, &merged.undecided(), Take::Ours).unwrap());
        assert_eq!(rejected.completed_at, Some(now().to_string()));
    }

    #[test]
    fn an_end_that_stands_has_its_time_though_the_other_side_opened_the_task_again() {
        let end = r#"done","completed_at":"2026-04-21T12:00:00Z"#;
        let side = |status: &str| {
            format!(r#"{{"version":1,"tasks":[{{"id":"RQ-1","title":"x","status":"{status}"}}]}}"#)
        };
        let (rejected, doing) = (side(&end.replace("done", "rejected")), side("doing"));
        for (ours, theirs) in [(&rejected, &doing), (&doing, &rejected)] {
            let merged = conflict::resolve(&conflict::Sides::new(
                ours.clone(),
                Some(side(end)),
                theirs.clone(),
            ))
            .unwrap();
            let task = Document::parse(merged.text).unwrap().tasks()[0].clone();
            assert_eq!(task.status, Status::Rejected);
            assert_eq!(task.completed_at.as_deref(), Some("2026-04-21T12:00:00Z"));
        }
    }

    #[test]
    fn the_time_of_the_last_change_can_be_taken_with_the_rest() {
        let side = |title: &str, more: &str| {
            format!(r#"{{"version":1,"tasks":[{{"id":"RQ-1","title":"{title}"{more}}}]}}"#)
        };
        let changed = |day: &str| format!(r#","updated_at":"2026-04-{day}T12:00:00Z""#);
        let (ours, theirs) = (side("ours", ""), side("theirs", &changed("02")));
        let merged = three_way(&side("one", &changed("01")), &ours, &theirs).unwrap();
        for (wanted, at) in [(&ours, Take::Ours), (&theirs, Take::Theirs)] {
            let text = take(&merged.text, &merged.undecided(), at).unwrap();
            let tasks = |text: &str| Document::parse(text).unwrap().tasks().to_vec();
            assert_eq!(tasks(&text), tasks(wanted));
        }
    }

    #[test]
    fn what_is_only_put_in_order_is_not_asked_for() {
        let done = r#"{"version":1,"tasks":[{"id":"RQ-2","title":"z","status":"done","created_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-02T00:00:00Z"}]}"#;
        let left = r#"{"id":"RQ-2","title":"z","status":"done","created_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-02T00:00:00Z"}"#;
        let base = r#"{"version":1,"tasks":[{"id":"RQ-1","title":"x"}]}"#;
        let merged = three_way(base, &base.replace('x', "ours"), &base.replace('x', "theirs"));
        let merged = merged.unwrap();
        let text = merged.text.replace("]}", &format!(",{left}]}}"));
        let queue = Queue::new(Document::parse(text).unwrap(), Document::parse(done).ok());
        assert_eq!(queue.leftovers().count(), 1);
        let asked: Vec<_> = merged.undecided().into_iter().map(|it| (Place::Queue, it)).collect();
        let mut permitted_ids = Vec::new();
        let proposal =
            permitted::<SettleError>(&queue, now(), (&asked, Take::Theirs), |_, touched| {
                permitted_ids.extend(touched.iter().map(|touched| touched.id.to_string()));
                Ok(())
            });
        let Ok(Proposal { mended, asked: Some(asked), spliced, .. }) = proposal else {
            panic!("it can be settled");
        };
        assert_eq!(permitted_ids, ["RQ-1"]);
        assert_eq!(asked.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["RQ-1"]);
        assert_eq!(mended.healed.len(), 1);
        assert!(!spliced.queue.unwrap().text().contains("RQ-2"));
    }

    #[test]
    fn an_id_of_several_tasks_says_not_which_is_in_conflict() {
        let base = r#"{"version":1,"tasks":[{"id":"RQ-1","title":"x"}]}"#;
        let merged = three_way(base, &base.replace('x', "ours"), &base.replace('x', "theirs"));
        let merged = merged.unwrap();
        let twice = merged.text.replace("]}", r#",{"id":"RQ-1","title":"y"}]}"#);
        let error = take(&twice, &merged.undecided(), Take::Theirs).unwrap_err();
        assert!(matches!(error, SettleError::Task(EditError::AmbiguousId { .. })), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_side_is_taken_where_there_is_a_conflict_and_nowhere_else(tasks in tasks(), bytes in noise(), one in changes(), other in changes()) {
            let base = Document::parse(Noise::new(&bytes).document(&tasks)).unwrap();
            let (ours, theirs) = (side(&base, one, 100), side(&base, other, 200));
            let merged = three_way(base.text(), ours.text(), theirs.text()).unwrap();
            let undecided = merged.undecided();
            for side in [Take::Ours, Take::Theirs] {
                let text = take(&merged.text, &undecided, side).unwrap();
                let (before, after) = (Document::parse(&*merged.text).unwrap(), Document::parse(&*text).unwrap());
                let draft = after.draft();
                for place in &undecided {
                    prop_assert_eq!(standing(&draft, &place.conflict), place.value(side).cloned());
                }
                let about: BTreeSet<&TaskId> = undecided.iter().filter_map(|place| place.conflict.task.as_ref()).collect();
                for task in before.tasks().iter().filter(|task| !about.contains(&task.id)) {
                    prop_assert_eq!(Some(task), draft.position(task.id.as_str()).map(|at| draft.task(at)));
                }
            }
        }
    }
}
