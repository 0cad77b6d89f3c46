//! Prompts, phases, gate, workers, coordinator, landing lane, recovery.

pub mod books;
pub mod checkout;
pub mod claim;
pub mod coordinator;
pub mod event;
pub mod fault;
pub mod gate;
pub mod landing;
pub mod lane;
pub mod layout;
pub mod preflight;
pub mod project;
pub mod prompt;
pub mod recover;
pub mod retry;
pub mod select;
pub mod serial;
pub mod status;
pub mod target;
pub mod turn;
pub mod worker;
