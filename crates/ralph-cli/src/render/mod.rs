//! How things look: tasks as text, lists as JSON.

pub(crate) mod envelope;
pub(crate) mod progress;
pub(crate) mod task;
pub(crate) mod worker;
