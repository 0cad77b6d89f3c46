//! Versioned documents on disk: migrated, locked, written atomically.

pub mod document;
pub mod file;
pub mod json;
pub mod parallel;
mod process;
pub mod session;
mod store;
mod task_id;
mod time;

pub use document::{Document, MigrationReport};
pub use parallel::{
    LegacyWork, PARALLEL_STATE_SCHEMA_VERSION, ParallelStateFile, WorkerLifecycle, WorkerRecord,
    WorkerStep, adopt_legacy, load_state, save_state, state_file_path,
};
pub use process::ProcessIdentity;
pub use store::{LoadError, Loaded, SaveError, Store, Token, UpdateError, Updated};
pub use task_id::{TaskId, TaskIdError};
pub use time::{Clock, FixedClock, Timestamp, TimestampError};
