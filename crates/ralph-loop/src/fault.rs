//! Dying on purpose at a named place, in test builds only.

#[cfg(feature = "fault-injection")]
use std::path::PathBuf;

/// The places at which a test wants processes to die.
///
/// Without the feature `fault-injection` this is nothing, and costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    #[cfg(feature = "fault-injection")]
    dir: Option<PathBuf>,
}

impl Faults {
    /// Faults listed in `dir`, one file each: `<role>.<step>`.
    #[cfg(feature = "fault-injection")]
    pub fn in_dir(dir: PathBuf) -> Self {
        Self { dir: Some(dir) }
    }

    /// Called where a crash would hurt: right after `step` was recorded.
    #[cfg(not(feature = "fault-injection"))]
    pub fn point(&self, _role: &str, _step: &str, _marker: &str) {}

    /// Kills what the fault file of this place lists, each with SIGKILL.
    ///
    /// The file is renamed to `*.fired` first, so that it fires once. Each line
    /// is `parent`, `agents` (every process that carries `marker`) or `self`.
    #[cfg(feature = "fault-injection")]
    pub fn point(&self, role: &str, step: &str, marker: &str) {
        let Some(dir) = &self.dir else { return };
        let file = dir.join(format!("{role}.{step}"));
        let fired = dir.join(format!("{role}.{step}.fired"));
        if fs_err::rename(&file, &fired).is_err() {
            return;
        }
        for victim in fs_err::read_to_string(&fired).unwrap_or_default().lines() {
            match victim {
                "parent" => ralph_process::parent().iter().for_each(ralph_process::kill),
                "agents" => ralph_process::marked(marker).iter().for_each(ralph_process::kill),
                _ => ralph_process::kill(&ralph_process::own_identity()),
            }
        }
    }
}
