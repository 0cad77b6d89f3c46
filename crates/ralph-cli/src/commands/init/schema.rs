//! The schema files in `.ralph/schema`, by which editors complete and check.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::read;
use crate::error::CliError;
use crate::project::RALPH_DIR;

/// Their directory in `.ralph`.
pub(super) const DIRECTORY: &str = "schema";

/// Where the configuration finds its schema.
pub(super) const OF_CONFIG: &str = "./schema/config.json";

const COMMENT: &str = "Written by `ralph init`, which also brings it up to date; not to be edited";

/// What stands where a schema file belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Missing,
    /// Written by another version.
    Stale,
    Current,
    /// Not what `ralph init` wrote, and so not touched.
    Foreign,
    /// No JSON, so that no editor can use it, and not touched either.
    Broken,
}

/// Each schema file, what stands there, and what belongs there.
pub(super) fn files(root: &Path) -> Result<Vec<(PathBuf, State, Vec<u8>)>, CliError> {
    let directory = root.join(RALPH_DIR).join(DIRECTORY);
    [("config.json", ralph_config::schema()), ("queue.json", ralph_queue::schema::schema())]
        .into_iter()
        .map(|(name, mut schema)| {
            schema["$comment"] = COMMENT.into();
            let bytes = format!("{schema:#}\n").into_bytes();
            let path = directory.join(name);
            let state = state(read(&path)?.as_deref(), &bytes);
            Ok((path, state, bytes))
        })
        .collect()
}

/// Each schema file, and what stands there.
pub(crate) fn states(root: &Path) -> Result<Vec<(PathBuf, State)>, CliError> {
    Ok(files(root)?.into_iter().map(|(path, state, _)| (path, state)).collect())
}

/// What is wrong with a schema file that is no JSON.
pub(crate) const BROKEN: &str = "is no JSON, and so of no use to editors";

/// What to do about it.
pub(crate) const MEND_BROKEN: &str = "Remove it, then `ralph init` writes it anew.";

fn state(found: Option<&[u8]>, wanted: &[u8]) -> State {
    let Some(found) = found else { return State::Missing };
    // A checkout may have given it the line breaks of its system.
    if found.iter().filter(|byte| **byte != b'\r').eq(wanted) {
        return State::Current;
    }
    match serde_json::from_slice::<Value>(found) {
        Ok(schema) if schema["$comment"] == COMMENT => State::Stale,
        Ok(_) => State::Foreign,
        Err(_) => State::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_init_wrote_is_ever_stale() {
        let ours = format!("{{\"$comment\": \"{COMMENT}\", \"title\": \"new\"}}\n");
        let check = |found: Option<&str>, expected| {
            assert_eq!(state(found.map(str::as_bytes), ours.as_bytes()), expected, "{found:?}");
        };
        check(None, State::Missing);
        check(Some(&ours), State::Current);
        check(Some(&ours.replace('\n', "\r\n")), State::Current);
        check(Some(&ours.replace("new", "old")), State::Stale);
        check(Some(""), State::Broken);
        check(Some(&ours[1..]), State::Broken);
        check(Some("{\"title\": \"new\"}"), State::Foreign);
    }
}
