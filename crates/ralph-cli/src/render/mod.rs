//! How things look: tasks as text, lists as JSON.

pub(crate) mod envelope;
pub(crate) mod progress;
pub(crate) mod task;
pub(crate) mod worker;

/// As much of a commit's name as people read.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..9).unwrap_or(commit)
}

/// So many of what `noun` names, which ends in `s` where it is not one.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
