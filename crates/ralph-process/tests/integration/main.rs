//! Real children, each in its own sandbox.

mod ending;
mod running;
mod signals;

use std::path::Path;
use std::time::Duration;

use ralph_process::{Command, Output};
use ralph_testkit::{Sandbox, wait_until};

/// Far more than anything here takes; reached only by a hang.
const FOR_EVER: Duration = Duration::from_mins(1);

/// `sh -c script` in the sandbox, all output captured.
fn sh(sandbox: &Sandbox, script: &str) -> Command {
    Command::new("sh", sandbox.root())
        .args(["-c", script])
        .env_clear()
        .envs(sandbox.env())
        .stdout(Output::Capture { limit: usize::MAX })
        .stderr(Output::Capture { limit: usize::MAX })
}

/// The number that a script wrote to `file`, once it has.
fn pid_in(file: &Path) -> u32 {
    let read = || fs_err::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    let mut pid = None;
    wait_until(FOR_EVER, "the script to write its number", || {
        pid = read();
        pid.is_some()
    });
    pid.expect("the wait ends with one")
}
