//! Runs: from a task in the queue to a commit on the target branch.
//!
//! The life of a task in a parallel run, each step recorded before its effect:
//!
//! ```text
//! claimed ── workspace_ready ── spawn_intended ── working ── committed
//!   coordinator      worker: clone, fetch           agent      worker: one commit
//!
//!      ┌────────────── raced, or mended by the agent ─────────────┐
//!      v                                                          │
//!   waiting ── rebased ── gating ── gate_green ── push_intended ──┴── pushed ── recorded
//!     lane     │ conflict  │ red                     old and new        the target
//!              └ resolving └ fixing                                     holds it
//! ```
//!
//! - [`coordinator`] hands out tasks and looks after workers; [`worker`] is one process with one
//!   task; [`lane`] lets one worker land at a time; [`serial`] does the same work in the user's own
//!   checkout, one task after the other.
//! - What is decided is decided by pure functions: [`recover::plan`] what a dead or living record
//!   needs, [`rebuild::plan`] what a lost state file said, [`select::standing`] which tasks may start, [`landed::has_landed`] which have been done
//!   before, [`away::next`] how long a queue is waited for, [`status::headline`] what a user has to do.
//! - [`project::Project`] is the world handed in; [`event::Event`] is what is told to the outside.
//!
//! ```
//! use ralph_loop::recover::{self, Action, Observation, Observed};
//! use ralph_state::{ParallelStateFile, WorkerRecord, WorkerStep};
//!
//! // A worker was about to push when the power failed, and the push had gone through.
//! let mut record = WorkerRecord::new("RQ-0001", "/workspaces/RQ-0001".into(), String::new());
//! record.step = Some(WorkerStep::PushIntended);
//! let mut state = ParallelStateFile::new("2026-01-01T00:00:00Z", "main");
//! state.upsert_worker(record);
//!
//! let seen = Observation { landed: true, ..Observation::default() };
//! let plan = recover::plan(&state, &Observed::from([("RQ-0001".to_owned(), seen)]), 3);
//! assert_eq!(plan, [Action::RecordLanded { task: "RQ-0001".to_owned() }]);
//! ```
//!
//! Never: prints, parses arguments, reads the environment or the clock; believes an agent's word
//! about the outcome; resets, cleans or switches the user's checkout; removes a workspace that
//! holds anything the target and the rescue refs do not.

pub mod allowance;
pub mod away;
pub mod books;
pub mod checkout;
pub mod claim;
pub mod coordinator;
pub mod ending;
pub mod event;
pub mod fault;
pub mod gate;
pub mod in_hand;
pub mod landed;
pub mod landing;
pub mod lane;
pub mod layout;
pub mod living;
pub mod migrate;
pub mod other_ids;
mod own;
pub mod preflight;
pub mod project;
pub mod prompt;
pub mod rebuild;
pub mod recover;
pub mod rescue;
pub mod retention;
pub mod retry;
pub mod select;
pub mod serial;
mod settings;
pub mod status;
pub mod taken_back;
pub mod target;
pub mod turn;
pub mod unseen;
pub mod worker;
