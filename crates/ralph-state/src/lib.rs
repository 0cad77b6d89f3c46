//! Versioned documents on disk: migrated when they are old, locked while they change, replaced so
//! that a crash at any point leaves the old file or the new one.
//!
//! A tool declares what its file is with [`Document`] in a few lines, and gets from [`Store`]
//! loading with a report, upgrades step by step, copies of what was upgraded, locks and durable
//! saves. Ralph's own files are declared here too: the state of a parallel run
//! ([`ParallelStateFile`]) and the session of a single one ([`session::SessionFile`]).
//!
//! ```
//! use ralph_state::{ParallelStateFile, Store, WorkerRecord, file::Holder};
//!
//! # let root = tempfile::tempdir()?;
//! let holder = Holder {
//!     pid: std::process::id(),
//!     host: "build-7".into(),
//!     command: "a tool of mine".into(),
//!     since: "2026-04-22T18:03:11Z".parse()?,
//! };
//! let store = Store::<ParallelStateFile>::new(ralph_state::state_file_path(root.path()), holder);
//! store.update(|state| {
//!     let worker = WorkerRecord::new("RQ-1", "/tmp/RQ-1".into(), "2026-04-22T18:03:14Z".into());
//!     state.upsert_worker(worker);
//!     Ok::<_, std::convert::Infallible>(())
//! })?;
//! let loaded = store.load()?.expect("it was just saved");
//! assert!(loaded.value.has_worker("RQ-1") && !loaded.report.migrated());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is on the disk
//!
//! | name | is |
//! |---|---|
//! | `state.json` | the document |
//! | `.state.json.lock` | held while the document changes; never removed |
//! | `.state.json.lock.info` | who held it last, for messages |
//! | `.state.json.{pid}-{n}.tmp` | a save that is under way, or was when its process died; the next save removes it |
//! | `state.v2.json.bak` | the bytes of an older version, from before its upgrade |
//! | `state.corrupt.json.bak` | the bytes of a file that could not be used, from before [`Store::rebuild`] or [`Store::set_aside`] |
//!
//! # Features
//!
//! - `golden` adds a runner for golden tests of documents.
//! - `serde_json` lets the numbers of a [`json::Json`] keep their spelling where these types are
//!   handed to `serde_json` directly, if the program turns on its `arbitrary_precision`. Without
//!   it such a number is rounded to a float on the way out.
//!
//! # Never
//!
//! This crate never writes while it loads, never writes over a file that it does not understand,
//! and never starts a process, asks the clock, the environment or the network. It does not know
//! git, agents or a terminal.
//!
//! # Not promised
//!
//! That a drive tells the truth about its cache; locks between hosts over NFS when one of them
//! locks on the server itself; access lists, extended attributes and hard links of a replaced
//! file; comments of a document that is saved. Processes that change a file without taking its
//! lock are seen by [`Store::save_if`] alone.

#[cfg(test)]
mod crash_tests;
pub mod document;
pub mod file;
#[cfg(feature = "golden")]
pub mod golden;
pub mod journal;
pub mod json;
mod open_enum;
mod open_struct;
pub mod parallel;
mod process;
pub mod session;
mod spending;
mod store;
mod task_id;
mod time;

pub use document::{Document, MigrationReport};
pub use parallel::{
    LegacyWork, PARALLEL_STATE_SCHEMA_VERSION, ParallelStateFile, WorkerLifecycle, WorkerRecord,
    WorkerStep, adopt_legacy, legacy_work, load_state, save_state, state_file_path,
};
pub use process::ProcessIdentity;
pub use spending::{Amount, Pause, Spending};
pub use store::{
    LoadError, Loaded, Rebuilt, SaveError, Store, Token, Unusable, UpdateError, Updated,
};
pub use task_id::{TaskId, TaskIdError};
pub use time::{Clock, FixedClock, Timestamp, TimestampError};
