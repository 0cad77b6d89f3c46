//! Names of tasks.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a task, such as `RQ-0001`.
///
/// One to 64 bytes of `A-Z a-z 0-9 . _ -`, the first a letter or digit, without `..` and not
/// ending in `.lock` or `.`. So it is one safe component of a path and of a git reference.
///
/// ```
/// use ralph_state::TaskId;
///
/// let id: TaskId = "RQ-0001".parse()?;
/// assert_eq!(id.as_str(), "RQ-0001");
/// assert!("../etc".parse::<TaskId>().is_err());
/// # Ok::<(), ralph_state::TaskIdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(String);

impl TaskId {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no [`TaskId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskIdError {
    /// Nothing at all.
    #[error("a task id cannot be empty")]
    Empty,
    /// More than [`TaskId::MAX_LEN`] bytes.
    #[error("a task id has at most {} bytes, this one has {len}", TaskId::MAX_LEN)]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A character that is not allowed at its place.
    #[error(
        "a task id is made of letters, digits, `.`, `_`, `-` and starts with a letter or digit: `{text}`"
    )]
    Character {
        /// The text.
        text: String,
    },
    /// It holds `..` or ends in `.` or `.lock`, which git refuses in the name of a branch.
    #[error("a task id cannot hold `..` or end in `.` or `.lock`: `{text}`")]
    Reserved {
        /// The text.
        text: String,
    },
}

impl TryFrom<String> for TaskId {
    type Error = TaskIdError;

    fn try_from(text: String) -> Result<Self, TaskIdError> {
        if text.is_empty() {
            return Err(TaskIdError::Empty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(TaskIdError::TooLong { len: text.len() });
        }
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if !starts_well || !text.bytes().all(allowed) {
            return Err(TaskIdError::Character { text });
        }
        let ends_in_lock = text.len() >= 5 && text[text.len() - 5..].eq_ignore_ascii_case(".lock");
        if text.contains("..") || text.ends_with('.') || ends_in_lock {
            return Err(TaskIdError::Reserved { text });
        }
        Ok(Self(text))
    }
}

impl FromStr for TaskId {
    type Err = TaskIdError;

    fn from_str(text: &str) -> Result<Self, TaskIdError> {
        Self::try_from(text.to_owned())
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.0
    }
}

impl AsRef<str> for TaskId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// So that a map by id can be asked for a text.
impl Borrow<str> for TaskId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, good: bool) {
        assert_eq!(text.parse::<TaskId>().is_ok(), good, "{text:?}");
    }

    #[test]
    fn names_are_safe_components() {
        for good in ["RQ-0001", "a", "7", "x.y_z-1", "RQ-0001.locked", &"a".repeat(64)] {
            check(good, true);
        }
        for bad in [
            "",
            ".",
            "..",
            ".git",
            "-x",
            "_x",
            "a..b",
            "a.",
            "a.lock",
            "a.LOCK",
            "a/b",
            "a\\b",
            "a b",
            "a\n",
            "a:b",
            "ä",
            "a~1",
            "a^",
            "a@{",
            &"a".repeat(65),
        ] {
            check(bad, false);
        }
    }

    #[test]
    fn serde_checks_too() {
        assert_eq!(serde_json::from_str::<TaskId>("\"RQ-1\"").unwrap().as_str(), "RQ-1");
        assert!(serde_json::from_str::<TaskId>("\"../RQ-1\"").is_err());
        assert_eq!(serde_json::to_string(&"RQ-1".parse::<TaskId>().unwrap()).unwrap(), "\"RQ-1\"");
    }
}
