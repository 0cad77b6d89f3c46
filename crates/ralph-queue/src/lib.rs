//! The task queue: JSONC files that people and agents edit, changed in place.
//!
//! A queue is two files of one format, version 1 of Ralph 0.4.0: the queue file with what is to
//! be done, in the order of work, and the done file with what was. A [`Document`] is the text of
//! one with the [`Task`]s in it, a [`Queue`] is both, and [`QueueFiles`] is where they are on
//! disk. Every change is an [`Edit`]: it is asked for in tasks, and made in the text.
//!
//! ```
//! use ralph_queue::edit::{Changed, Restart};
//! use ralph_queue::{Document, Edit, IdRules, Position, Queue, Task};
//!
//! let text = r#"{
//!   "version": 1,
//!   "tasks": [
//!     // Asked for by the users, twice.
//!     { "id": "RQ-0001", "title": "Say hello", "created_at": "2026-04-22T12:00:00Z" }, // soon
//!   ],
//! }
//! "#;
//! let queue = Queue::new(Document::parse(text)?, None);
//! let mut edit = Edit::new(&queue, "2026-04-23T08:00:00Z".parse()?);
//!
//! let id = edit.next_id(&IdRules::default())?;
//! edit.add(Task::new(id, "Say goodbye"), &Position::Back)?;
//! assert_eq!(edit.start("RQ-0001", Restart::Keep)?, Changed::Yes);
//!
//! let after = edit.splice()?.queue.expect("it changed");
//! assert!(after.text().contains("    // Asked for by the users, twice.\n    { "));
//! assert!(after.text().contains(r#""status": "doing","#) && after.text().contains("}, // soon\n"));
//! assert_eq!(after.tasks()[1].id.as_str(), "RQ-0002");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What belongs to a task
//!
//! Its comments: those directly above it, and those behind it on its line. They move and go with
//! it. A comment that a blank line separates from the task below heads a section, and stays. The
//! same holds for the fields of a task and for the entries of a list. An entry with another value in
//! its place is the same one: between two that stay, as many as there were, or the first of several
//! in the place of one. The comments of a field or an entry that goes go with it where the edit was
//! to take it out, and come to stand above the task where that follows from something else: a
//! status, a split, a repair.
//!
//! # What is on the disk
//!
//! The queue file, the done file, and the lock file `.{name}.lock` beside the queue file. The
//! file that loses a task is written last; a crash between the two leaves the task in both, which
//! every reader understands ([`Queue::leftovers`]) and the next edit mends. Where [`QueueFiles`]
//! says so, a journal of what each edit replaced ([`journal`]), written before the files, and the
//! highest ids of all work trees ([`ids`]).
//!
//! # Never
//!
//! Never rewrites text around an edit: the bytes of other tasks, of other fields and of every
//! comment stay. Never writes a text that it has not read again and found to say what was meant.
//! Never drops a field it does not know. Never gives an id twice, as far as both files and the
//! caller's high-water mark tell. Never starts a process, and never reads the clock or the
//! environment.

/// What the read-me says of code is tried like the examples of these pages.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;

pub mod agent;
pub mod conflict;
pub mod copies;
pub mod delta;
pub mod document;
pub mod edit;
pub mod fields;
pub mod files;
pub mod graph;
pub mod ids;
pub mod intake;
pub mod journal;
pub mod landing;
pub mod lease;
pub mod mend;
pub mod merge;
mod parts;
pub mod pick;
pub mod queue;
pub mod ready;
pub mod repair;
pub mod runnability;
mod saves;
pub mod schema;
pub mod search;
pub mod settle;
pub mod stats;
pub mod table;
pub mod task;
pub mod templates;
pub mod tidy;
pub mod validate;
pub mod value;
pub mod when;

pub use document::{Document, Draft, ParseError, decode};
pub use edit::{Edit, EditError, Finish, Position};
pub use files::{
    Edited, LegacyLock, LoadError, Previewed, QueueFiles, RequestName, Terms, UpdateError,
    WrongValues,
};
pub use ids::{IdMarks, IdRules, OtherIds};
pub use queue::{Listed, Place, Queue};
pub use runnability::Selection;
pub use task::{Priority, Status, Task};
pub use validate::{Code, Problem, Rules, Severity};
pub use value::Value;
