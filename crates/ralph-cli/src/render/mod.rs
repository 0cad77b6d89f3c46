//! How things look: tasks as text, lists as JSON.

pub(crate) mod envelope;
pub(crate) mod progress;
pub(crate) mod room;
pub(crate) mod task;
pub(crate) mod worker;

use std::ffi::OsStr;
use std::path::Path;

/// As much of a commit's name as people read.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..9).unwrap_or(commit)
}

/// So many of what `noun` names, which ends in `s` where it is not one.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A word as a shell takes it, for a command that is copied from what we say.
pub(crate) fn shell_word(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref().to_string_lossy();
    // The shell has a meaning for all but these.
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@:,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The file at `path` below the root of the repository, as git takes it in any directory there.
pub(crate) fn pathspec(path: &Path) -> String {
    shell_word(format!(":/{}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_otherwise() {
        for plain in [".ralph/queue.jsonc", "HEAD:a,b", "me@work-1+é"] {
            assert_eq!(shell_word(plain), plain);
        }
        assert_eq!(shell_word("my tasks/$1.jsonc"), "'my tasks/$1.jsonc'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
