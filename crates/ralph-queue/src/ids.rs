//! Which id the next task gets.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ralph_state::document::{Document, Upgrades, encode};
use ralph_state::file::{self, Durability, FileLock, Holder};
use ralph_state::json::Object;
use ralph_state::{LoadError, SaveError, Store, TaskId};
use serde::{Deserialize, Serialize};

/// What ids look like, and which numbers are spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdRules {
    /// What stands before the dash, `RQ` by default.
    pub prefix: String,
    /// The least number of digits, filled with zeros; numbers grow past it.
    pub width: usize,
    /// The highest number given out so far as far as the caller knows, 0 for none. Numbers of
    /// tasks that are gone from both files are not given again only if this remembers them.
    pub high_water: u64,
}

impl Default for IdRules {
    fn default() -> Self {
        Self { prefix: "RQ".to_owned(), width: 4, high_water: 0 }
    }
}

impl IdRules {
    /// The highest number of an id. What is above it counts for nothing, so that it takes no other
    /// task its id.
    pub const HIGHEST: u64 = 999_999_999_999_999_999;

    /// The highest number that a task may bring along: with fifteen digits it is exact in every
    /// program that reads numbers as JavaScript does, and hardly anything of what there is is
    /// used up by it.
    pub(crate) const HIGHEST_BROUGHT: u64 = 999_999_999_999_999;

    /// The number in `id`, if it is one of ours: the prefix in any case, a dash, digits, up to
    /// [`Self::HIGHEST`].
    pub fn number_of(&self, id: &str) -> Option<u64> {
        self.digits_of(id)?.parse().ok().filter(|number| *number <= Self::HIGHEST)
    }

    /// The digits of its number, however high that is.
    pub(crate) fn digits_of<'i>(&self, id: &'i str) -> Option<&'i str> {
        let (prefix, digits) = id.rsplit_once('-')?;
        let is_ours = prefix.eq_ignore_ascii_case(self.prefix.trim())
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit());
        is_ours.then_some(digits)
    }

    /// The highest number among `ids` and the high-water mark.
    pub(crate) fn highest<'a, Id: AsRef<str> + ?Sized + 'a>(
        &self,
        ids: impl Iterator<Item = &'a Id>,
    ) -> u64 {
        ids.filter_map(|id| self.number_of(id.as_ref())).fold(self.high_water, u64::max)
    }

    /// What the marks of these ids are filed under.
    fn key(&self) -> String {
        self.prefix.trim().to_ascii_uppercase()
    }

    /// The id with that number.
    pub fn id(&self, number: u64) -> Result<TaskId, ralph_state::TaskIdError> {
        format!("{}-{number:0width$}", self.key(), width = self.width).parse()
    }
}

/// The highest number given out, by prefix: a file that all work trees of a repository share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IdMarks {
    /// By prefix, in upper case.
    pub highest: BTreeMap<String, u64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

impl IdMarks {
    /// Where they are in the directory that all work trees share.
    pub fn path_in(shared: &Path) -> PathBuf {
        shared.join("ralph").join("ids.json")
    }

    fn of(&self, ids: &IdRules) -> Option<u64> {
        self.highest.get(&ids.key()).copied().filter(|number| *number <= IdRules::HIGHEST)
    }
}

impl Document for IdMarks {
    const KIND: &'static str = "record of used ids";
    const VERSION_KEY: &'static str = "version";
    const UPGRADES: Upgrades = Upgrades::new(1, 1, &[]);
}

/// Tells the highest number of an id that was given elsewhere, on another branch say.
#[derive(Clone)]
pub struct OtherIds(pub Arc<dyn Fn(&IdRules) -> u64 + Send + Sync>);

impl fmt::Debug for OtherIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherIds").finish_non_exhaustive()
    }
}

/// The mark for these ids, read without a lock, if there is one.
pub(crate) fn read_mark(
    path: &Path,
    holder: &Holder,
    ids: &IdRules,
) -> Result<Option<u64>, LoadError> {
    let marks = Store::<IdMarks>::new(path, holder.clone()).load()?;
    Ok(marks.and_then(|marks| marks.value.of(ids)))
}

/// Remembers ids that came from elsewhere, by a merge say, so that no work tree gives them again.
/// `path` is [`IdMarks::path_in`]; where it has no mark yet, the first is no lower than what
/// `others` tells, who are not asked again once there is one.
pub fn remember<'a>(
    path: &Path,
    others: Option<&OtherIds>,
    holder: &Holder,
    wait: Duration,
    ids: impl Iterator<Item = &'a TaskId>,
) -> Result<(), SaveError> {
    let mut highest: BTreeMap<&str, u64> = BTreeMap::new();
    for (prefix, digits) in ids.filter_map(|id| id.as_str().rsplit_once('-')) {
        if let Ok(number @ 0..=IdRules::HIGHEST) = digits.parse::<u64>() {
            let mark = highest.entry(prefix).or_default();
            *mark = number.max(*mark);
        }
    }
    let mut marks = HeldMarks::lock(path, holder, wait)?;
    for (prefix, number) in highest {
        let rules = IdRules { prefix: prefix.to_owned(), ..IdRules::default() };
        marks.suppose(&rules, || others.map_or(0, |OtherIds(highest)| highest(&rules)));
        marks.raise(&rules, number)?;
    }
    Ok(())
}

/// Why new tasks did not get their ids.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// The record of used ids cannot be read or written.
    #[error("cannot use the record of used ids")]
    Marks(#[from] SaveError),
    /// The configured prefix makes no id.
    #[error("cannot make an id")]
    Id(#[from] ralph_state::TaskIdError),
}

/// The new ids, by the old ones, of those of `wanted` that are taken. The highest number of all is
/// remembered in `ids`.
pub(crate) fn replaced(
    ids: &mut IdRules,
    wanted: &[&TaskId],
    is_taken: impl Fn(&TaskId) -> bool,
) -> Result<BTreeMap<TaskId, TaskId>, ralph_state::TaskIdError> {
    ids.high_water = ids.highest(wanted.iter().copied());
    let mut replaced = BTreeMap::new();
    for old in wanted.iter().copied().filter(|id| is_taken(id)) {
        ids.high_water += 1;
        replaced.insert(old.clone(), ids.id(ids.high_water)?);
    }
    Ok(replaced)
}

/// The marks while nobody else gives out ids.
#[derive(Debug)]
pub(crate) struct HeldMarks {
    path: PathBuf,
    marks: IdMarks,
    /// What stands in for a mark that there is not.
    supposed: u64,
    _lock: FileLock,
}

impl HeldMarks {
    pub(crate) fn lock(path: &Path, holder: &Holder, wait: Duration) -> Result<Self, SaveError> {
        let lock = FileLock::acquire(&file::sidecar_lock_path(path), holder, wait)?;
        let marks = Store::<IdMarks>::new(path, holder.clone()).load()?;
        let marks = marks.map(|marks| marks.value).unwrap_or_default();
        Ok(Self { path: path.to_owned(), marks, supposed: 0, _lock: lock })
    }

    /// The highest number given out; nothing if that is not remembered.
    fn remembered(&self, ids: &IdRules) -> Option<u64> {
        self.marks.of(ids)
    }

    pub(crate) fn mark(&self, ids: &IdRules) -> u64 {
        self.remembered(ids).unwrap_or(self.supposed)
    }

    /// Takes it that `number` was given out, where nothing is remembered.
    pub(crate) fn suppose(&mut self, ids: &IdRules, number: impl FnOnce() -> u64) {
        if self.remembered(ids).is_none() {
            self.supposed = number();
        }
    }

    /// Remembers `number` before it is used, so that a crash wastes an id rather than give it
    /// twice.
    pub(crate) fn raise(&mut self, ids: &IdRules, number: u64) -> Result<(), SaveError> {
        let number = number.max(self.mark(ids));
        if number > self.remembered(ids).unwrap_or(0) {
            self.marks.highest.insert(ids.key(), number);
            let bytes = encode(&self.marks)
                .map_err(|source| SaveError::Encode { kind: IdMarks::KIND, source })?;
            file::replace(&self.path, &bytes, Durability::Full)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_id_is_replaced_by_one_that_nobody_wants() {
        let id = |text: &str| text.parse::<TaskId>().expect("an id");
        let mut ids = IdRules { high_water: 4, ..IdRules::default() };
        let wanted = [id("RQ-0004"), id("RQ-0005"), id("OTHER-1")];
        let given = replaced(&mut ids, &wanted.each_ref(), |id| {
            IdRules::default().number_of(id.as_str()).is_some_and(|number| number <= 4)
        });
        assert_eq!(given, Ok(BTreeMap::from([(id("RQ-0004"), id("RQ-0006"))])));
        assert_eq!(ids.high_water, 6);
    }
}
