//! What the crate promises, seen from outside.
#![expect(clippy::unwrap_used, reason = "tests")]

mod frozen;
mod goldens;
mod journal;
mod lock;
mod parallel;
mod properties;
mod replace;
mod salvage;
mod store;

use ralph_state::Timestamp;
use ralph_state::file::Holder;

fn holder(command: &str) -> Holder {
    Holder {
        pid: std::process::id(),
        host: "here".to_owned(),
        command: command.to_owned(),
        since: Timestamp::UNIX_EPOCH,
    }
}

/// The names in a directory, in order.
fn names(dir: &std::path::Path) -> Vec<String> {
    let entries = fs_err::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}
