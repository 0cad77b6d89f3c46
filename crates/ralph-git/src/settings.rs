//! Settings of the user's clone that the user agreed to.

use crate::command::Call;
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
}
