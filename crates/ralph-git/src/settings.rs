//! Settings of the user's clone: those that the user agreed to, and what git makes of them.

use std::path::Path;

use crate::command::{Call, path_bytes};
use crate::{GitError, Repo};

impl Repo {
    /// Sets `key` in the configuration of this clone alone, over any value it has there.
    ///
    /// # Errors
    /// When the key is none, or the configuration cannot be written.
    pub fn set_local(&self, key: &str, value: &str) -> Result<(), GitError> {
        self.run(Call::new(["config", "--local", "--replace-all", key, value]))?;
        Ok(())
    }

    /// The value of `key`, wherever git has it from; `None` when it has none.
    ///
    /// # Errors
    /// When the key is none, or the configuration cannot be read.
    pub fn setting(&self, key: &str) -> Result<Option<String>, GitError> {
        let answer = self.ask(Call::new(["config", "--get", key]))?;
        match answer.exit {
            ralph_process::Exit::Code(0) => Ok(Some(answer.text())),
            ralph_process::Exit::Code(1) => Ok(None),
            _ => Err(answer.failed()),
        }
    }

    /// The merge driver that git's attributes name for `path` (relative to the root), by its
    /// name; `None` when they name none.
    ///
    /// # Errors
    /// When git gives no answer.
    pub fn merge_attribute(&self, path: &Path) -> Result<Option<String>, GitError> {
        let answer =
            self.run(Call::new(["check-attr", "--stdin", "-z", "merge"]).stdin(path_bytes(path)))?;
        let text = answer.text();
        let value = text.split('\0').nth(2).unwrap_or_default();
        Ok((!matches!(value, "" | "unspecified" | "set" | "unset")).then(|| value.to_owned()))
    }
}
