//! Which id the next task gets.

use ralph_state::TaskId;

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
    /// The number in `id`, if it is one of ours: the prefix in any case, a dash, digits.
    pub fn number_of(&self, id: &str) -> Option<u64> {
        let (prefix, digits) = id.rsplit_once('-')?;
        if !prefix.eq_ignore_ascii_case(self.prefix.trim())
            || digits.is_empty()
            || !digits.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        digits.parse().ok()
    }

    /// The highest number among `ids` and the high-water mark.
    pub(crate) fn highest<'a>(&self, ids: impl Iterator<Item = &'a TaskId>) -> u64 {
        ids.filter_map(|id| self.number_of(id.as_str())).fold(self.high_water, u64::max)
    }

    /// The id with that number.
    pub fn id(&self, number: u64) -> Result<TaskId, ralph_state::TaskIdError> {
        format!("{}-{number:0width$}", self.prefix.trim().to_ascii_uppercase(), width = self.width)
            .parse()
    }
}
