//! Configurations, what becomes of them, and trust.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod goldens;
mod init;
mod migrate;
mod trust;
