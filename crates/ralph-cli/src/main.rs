//! The `ralph` command: arguments in, one library call, text or JSON out.
//!
//! Nothing is decided here. A command parses, resolves what the arguments
//! mean in this directory, calls a library crate and renders its answer;
//! exit codes and hints are chosen in [`error`].

mod app;
mod args;
mod commands;
mod context;
mod error;
mod hint;
mod project;
mod render;
mod standing;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::run(context::World::read(), &std::env::args_os().collect::<Vec<_>>())
}
