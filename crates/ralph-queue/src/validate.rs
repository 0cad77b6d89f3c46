//! What is wrong with a queue: every problem at once, each with its place.

use ralph_state::TaskId;

use crate::ids::IdRules;
use crate::queue::Place;

/// What to check against.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What ids look like.
    pub ids: IdRules,
    /// Chains of dependencies longer than this are a warning; 0.4.0 has 10.
    pub max_dependency_depth: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { ids: IdRules::default(), max_dependency_depth: 10 }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a look; everything works.
    Warning,
    /// The file breaks a rule.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that is wrong. Its `Display` says what; where is in the fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// A word for the rule that is broken, such as `duplicate_id`.
    pub code: &'static str,
    /// Which file.
    pub place: Place,
    /// Which task, when it has an id.
    pub task: Option<TaskId>,
    /// Which field, if one; with its index when it is an entry of a list, as `tags[2]`.
    pub field: Option<String>,
    /// The line in that file, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, in words.
    pub message: String,
}
