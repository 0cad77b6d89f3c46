//! How long the files of agents' turns are kept.
//!
//! Those of a task that is not finished always are.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use ralph_queue::Queue;
use ralph_state::file;
use ralph_state::session::{SessionFile, session_file_path};
use ralph_state::{LoadError, Store, TaskId, Timestamp};

use crate::layout::Layout;
use crate::project::Project;

/// The turns of one claim of a finished task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Their directory.
    pub dir: PathBuf,
    /// When the last of them began.
    pub last: Timestamp,
    /// How much they take.
    pub bytes: u64,
}

/// Which of `kept` have to go at `now`: those older than `age`, and the oldest until the rest
/// takes no more than `total` bytes.
pub fn expired(kept: &[Kept], now: Timestamp, age: Duration, total: u64) -> Vec<&Path> {
    let oldest = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    let mut newest_first: Vec<&Kept> = kept.iter().collect();
    newest_first.sort_by(|a, b| (b.last, &a.dir).cmp(&(a.last, &b.dir)));
    let mut taken = 0_u64;
    let goes = |claim: &&Kept| {
        taken = taken.saturating_add(claim.bytes);
        taken > total || now.seconds_since(claim.last) > oldest
    };
    newest_first.into_iter().filter(goes).map(|claim| claim.dir.as_path()).collect()
}

/// Removes the files of turns that nobody will ask for again: see [`expired`]. For the holder
/// of the run lock. Those that a crash leaves of a claim go the next time.
///
/// # Errors
/// When the state of a run cannot be read. What cannot be removed stays until the next time.
pub fn clean(project: &Project, queue: &Queue) -> Result<(), LoadError> {
    let state = project.store().load()?.map(|loaded| loaded.value).unwrap_or_default();
    let session = session_file_path(project.repo.root());
    let session = Store::<SessionFile>::new(session, project.holder.clone()).load()?;
    let session = session.map(|loaded| loaded.value.task_id);
    let is_open = |task: &str| {
        queue.find(task).is_some_and(|(_, task)| !task.status.is_terminal())
            || state.get_worker(task).is_some_and(|record| !record.is_terminal())
            || session.as_deref() == Some(task)
    };
    let layout = project.layout();
    // The record of a worker that lives may be lost. What cannot be looked at may live.
    let is_living = |task: &str| {
        let lock = task.parse().map(|task: TaskId| file::is_locked(&layout.worker_lock(&task)));
        !matches!(lock, Ok(Ok(false)))
    };
    let mut tasks = entries(&layout.all_turns());
    tasks.retain(|task| {
        let name = task.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| !is_open(name) && !is_living(name))
    });
    let kept: Vec<Kept> = tasks.iter().flat_map(|task| entries(task)).map(look).collect();
    let agent = &project.config.agent;
    let age = Duration::from_hours(24 * u64::from(agent.turn_files_days));
    let total = u64::from(agent.turn_files_mb) << 20;
    for dir in expired(&kept, project.now(), age, total) {
        if let Err(error) = fs_err::remove_dir_all(dir) {
            tracing::warn!(%error, "cannot remove the files of old turns");
        }
    }
    for task in tasks {
        // It goes with its last claim; one that is not empty stays.
        fs_err::remove_dir(task).ok();
    }
    Ok(())
}

/// How much the files of all turns take, in bytes, those of unfinished tasks included.
pub fn taken(layout: &Layout) -> u64 {
    let tasks = entries(&layout.all_turns());
    let claims = tasks.iter().flat_map(|task| entries(task));
    claims.map(|claim| look(claim).bytes).sum()
}

fn look(dir: PathBuf) -> Kept {
    let turns = entries(&dir);
    let begun = |turn: &PathBuf| {
        let modified = fs_err::metadata(turn).ok()?.modified().ok()?;
        let since = modified.duration_since(UNIX_EPOCH).ok()?;
        Timestamp::UNIX_EPOCH.checked_add(since)
    };
    let last = turns.iter().filter_map(begun).max().unwrap_or(Timestamp::UNIX_EPOCH);
    let files = turns.iter().flat_map(|turn| entries(turn));
    let bytes = files.filter_map(|file| Some(fs_err::metadata(file).ok()?.len())).sum();
    Kept { dir, last, bytes }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(dir).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_go_and_then_the_oldest_until_there_is_room() {
        let at = |seconds| Timestamp::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap();
        let claim = |dir: &str, last, bytes| Kept { dir: dir.into(), last: at(last), bytes };
        let kept = [claim("a", 10, 5), claim("b", 30, 5), claim("c", 20, 5)];
        let gone = |age, total| {
            let gone = expired(&kept, at(40), Duration::from_secs(age), total);
            gone.into_iter().map(|dir| dir.display().to_string()).collect::<String>()
        };
        assert_eq!(gone(100, 100), "");
        assert_eq!(gone(25, 100), "a");
        assert_eq!(gone(100, 12), "a");
        assert_eq!(gone(100, 0), "bca");
    }
}
