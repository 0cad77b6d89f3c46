//! Signals to this process. One test, because there is one process.

use ralph_process::{Signal, listen};
use ralph_testkit::{Sandbox, wait_until};

use crate::FOR_EVER;

#[test]
fn the_first_signal_cancels_and_the_second_is_urgent() {
    let interrupts = listen().unwrap();
    assert_eq!(interrupts.first(), None);
    let sandbox = Sandbox::new();
    sandbox.signal(ralph_process::own_pid(), ralph_testkit::Signal::TERM);
    assert!(interrupts.cancel().wait_timeout(FOR_EVER));
    assert_eq!(interrupts.first(), Some(Signal::Terminate));
    assert_eq!(Signal::Terminate.number(), 15);
    assert!(!interrupts.urgent().is_cancelled());
    sandbox.signal(ralph_process::own_pid(), ralph_testkit::Signal::INT);
    wait_until(FOR_EVER, "the second signal", || interrupts.urgent().is_cancelled());
    assert_eq!(interrupts.first(), Some(Signal::Terminate));
}
