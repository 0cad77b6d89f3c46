//! Where a run keeps its own files below `.ralph/`.

use std::path::{Path, PathBuf};

use ralph_config::ParallelConfig;
use ralph_state::TaskId;

/// Directories and files of Ralph's runtime, besides the hidden files of `.ralph/`.
const RUNTIME: [&str; 5] =
    [".ralph/cache", ".ralph/logs", ".ralph/lock", ".ralph/workspaces", ".ralph/trust.jsonc"];

/// Paths in the work tree `root` that belong to Ralph's runtime and never to a
/// commit, relative to it: the directories above, and locks and temporary
/// files, which are the hidden files of `.ralph/`.
///
/// They are left out of every commit Ralph makes, also in a repository whose
/// `.gitignore` does not name them (one set up by 0.4.0, say).
pub fn runtime_paths(root: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = RUNTIME.iter().map(PathBuf::from).collect();
    // A `.ralph` that cannot be read has nothing that could be committed.
    let entries =
        fs_err::read_dir(root.join(".ralph")).into_iter().flatten().filter_map(Result::ok);
    let hidden = entries.map(|entry| entry.file_name());
    paths.extend(
        hidden
            .filter(|name| name.to_string_lossy().starts_with('.'))
            .map(|name| Path::new(".ralph").join(name)),
    );
    paths
}

/// Whether `path`, relative to a work tree, belongs to Ralph's runtime.
pub fn is_runtime(path: &Path) -> bool {
    RUNTIME.iter().any(|runtime| path.starts_with(runtime))
        || path.strip_prefix(".ralph").is_ok_and(|below| below.to_string_lossy().starts_with('.'))
}

/// The names in a directory that are text, sorted; none when it is not there.
pub(crate) fn names(dir: &Path) -> std::io::Result<Vec<String>> {
    let entries = match fs_err::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// The runtime files of one repository.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the repository whose work tree is `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The work tree itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Held by the one process that hands out tasks in this checkout. It is in git's directory,
    /// where there is one: an agent that removes what git ignores would take it away, and a lock
    /// on a removed file excludes nobody.
    pub fn run_lock(&self) -> PathBuf {
        let git_dir = ralph_git::git_dir(&self.root).map(|dir| dir.join("ralph"));
        git_dir.unwrap_or_else(|| self.cache()).join("run.lock")
    }

    /// Its presence asks a run to start nothing more (`ralph queue stop`).
    pub fn stop_file(&self) -> PathBuf {
        self.cache().join("stop_requested")
    }

    /// What agents' turns made of the settings in this checkout.
    pub fn changed_settings(&self) -> PathBuf {
        self.cache().join("changed-settings.jsonc")
    }

    /// Held by the worker that is landing: one at a time.
    pub fn lane_lock(&self) -> PathBuf {
        self.cache().join("parallel/lane.lock")
    }

    /// The directory of the locks that workers hold.
    pub fn worker_locks(&self) -> PathBuf {
        self.cache().join("parallel/workers")
    }

    /// Held by a worker as long as it lives.
    pub fn worker_lock(&self, task: &TaskId) -> PathBuf {
        self.worker_locks().join(format!("{task}.lock"))
    }

    /// What a worker says while it works.
    pub fn worker_log(&self, task: &TaskId) -> PathBuf {
        self.root.join(".ralph/logs/parallel").join(format!("{task}.log"))
    }

    /// What the gate wrote when it was last red on the work of a task.
    pub fn gate_log(&self, task: &TaskId) -> PathBuf {
        self.root.join(".ralph/logs/gate").join(format!("{task}.log"))
    }

    /// The turns of a task: a directory for each claim, with one for each turn.
    pub fn turns(&self, task: &TaskId) -> PathBuf {
        self.all_turns().join(task.as_str())
    }

    /// Files of agent turns, by task.
    pub fn all_turns(&self) -> PathBuf {
        self.cache().join("turns")
    }

    /// Files of one agent turn: prompt, task, raw output.
    pub fn turn(&self, task: &TaskId, claim: &str, turn: u32) -> PathBuf {
        self.turns(task).join(claim).join(format!("turn-{turn:02}"))
    }

    /// The user's queue files, set aside while the checkout is fast-forwarded.
    pub fn set_aside(&self) -> PathBuf {
        self.cache().join("set-aside")
    }

    /// Where workspaces go.
    pub fn workspace_root(&self, config: &ParallelConfig) -> PathBuf {
        match &config.workspace_root {
            Some(path) => self.root.join(path),
            None => self.default_workspace_root(),
        }
    }

    /// Where workspaces go when the configuration does not say:
    /// `<parent>/.workspaces/<repository>/parallel`, as 0.4.0 has it.
    fn default_workspace_root(&self) -> PathBuf {
        let name = self.root.file_name().unwrap_or_else(|| "repository".as_ref());
        let parent = self.root.parent().unwrap_or(&self.root);
        parent.join(".workspaces").join(name).join("parallel")
    }

    fn cache(&self) -> PathBuf {
        self.root.join(".ralph/cache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_caches_and_logs_are_runtime_and_the_queue_is_not() {
        for path in [
            ".ralph/cache/parallel/state.json",
            ".ralph/.queue.jsonc.lock",
            ".ralph/.queue.jsonc.lock.info",
            ".ralph/lock/owner",
            ".ralph/trust.jsonc",
        ] {
            assert!(is_runtime(Path::new(path)), "{path}");
        }
        for path in [".ralph/queue.jsonc", ".ralph/config.jsonc", ".ralphx/cache", "src/lib.rs"] {
            assert!(!is_runtime(Path::new(path)), "{path}");
        }
    }
}
