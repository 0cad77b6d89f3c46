//! The task queue: JSONC files that people and agents edit, changed in place.

pub mod document;
pub mod edit;
pub mod files;
pub mod ids;
pub mod landing;
pub mod merge;
pub mod queue;
pub mod runnability;
pub mod task;
pub mod validate;

pub use document::{Document, Draft, ParseError};
pub use edit::{Edit, EditError, Finish, Position};
pub use files::{Edited, LegacyLock, LoadError, QueueFiles, UpdateError};
pub use ids::IdRules;
pub use queue::{Place, Queue};
pub use runnability::Selection;
pub use task::{Priority, Status, Task};
pub use validate::{Problem, Severity};
