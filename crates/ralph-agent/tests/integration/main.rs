//! What the real agents printed, and turns of scripted ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod documented;
mod goldens;
mod probe;
mod script;
mod turns;
