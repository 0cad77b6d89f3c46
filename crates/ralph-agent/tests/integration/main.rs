//! What the real agents printed, and turns of scripted ones.

mod goldens;
mod turns;
