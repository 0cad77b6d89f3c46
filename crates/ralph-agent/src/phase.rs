//! What a turn is for.

use std::fmt;

/// What a turn is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Say how the task will be done, change nothing.
    Plan,
    /// Do the task.
    Implement,
    /// Look over what was done and put it right.
    Review,
    /// Resolve a conflict with what landed meanwhile.
    Resolve,
    /// Turn a red gate green.
    Fix,
}

impl Phase {
    /// The name an agent and a log see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Implement => "implement",
            Self::Review => "review",
            Self::Resolve => "resolve",
            Self::Fix => "fix",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
