//! One module per command: its arguments, and one function that carries it out.

pub(crate) mod demo;
pub(crate) mod run;
pub(crate) mod version;
