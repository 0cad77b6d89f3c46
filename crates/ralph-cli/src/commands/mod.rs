//! One module per command: the function that carries it out.

pub(crate) mod cli;
pub(crate) mod config;
pub(crate) mod demo;
mod difference;
pub(crate) mod doctor;
mod edited;
pub(crate) mod init;
pub(crate) mod input;
pub(crate) mod migrate;
pub(crate) mod prime;
pub(crate) mod queue;
pub(crate) mod rescue;
pub(crate) mod run;
pub(crate) mod runner;
pub(crate) mod task;
pub(crate) mod undo;
pub(crate) mod version;
