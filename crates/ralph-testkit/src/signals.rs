//! What the children of a test do with signals.

use std::sync::{Arc, Once};

use rustix::process::Signal;

/// Lets the children of this process heed the signals that it was itself started to ignore, as by
/// `nohup` or in the background of a script.
///
/// Children ignore what their parent ignores, but not what it has a handler for: each of these
/// signals gets one that does nothing. Only Linux tells what is ignored. [`crate::Sandbox::new`]
/// does this; a test that starts children without a sandbox says so.
///
/// # Panics
/// When a handler cannot be installed.
pub fn let_children_heed_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
        for signal in ignored(&status) {
            signal_hook::flag::register(signal, Arc::default()).expect("it may be handled");
        }
    });
}

/// The numbers of the signals that end a program and that a process with this status ignores.
fn ignored(status: &str) -> impl Iterator<Item = i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let signals = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM].map(Signal::as_raw);
    // The mask begins with signal 1.
    signals.into_iter().filter(move |signal| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sandbox;

    #[test]
    fn the_status_of_a_process_tells_what_it_ignores() {
        let of = |status| ignored(status).collect::<Vec<_>>();
        assert_eq!(of("Name:\tx\nSigIgn:\t0000000000001007\nSigCgt:\t0\n"), [1, 2, 3]);
        assert_eq!(of("SigIgn:\t0000000000004000\n"), [15]);
        assert_eq!(of(""), [0; 0]);
    }

    #[test]
    fn a_child_heeds_signals() {
        let sandbox = Sandbox::new();
        for signal in ["HUP", "INT", "QUIT", "TERM"] {
            let script = format!("kill -{signal} $$; echo lives on");
            let ran = sandbox.run("sh", sandbox.root(), ["-c", &script]);
            assert_eq!((ran.code, ran.stdout.as_str()), (None, ""), "{signal}: {ran}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn so_it_does_when_the_tests_were_started_to_ignore_them() {
        let sandbox = Sandbox::new();
        let tests = fs_err::read_link("/proc/self/exe").expect("Linux knows what runs");
        let script = "trap '' HUP INT QUIT TERM; exec \"$0\" --exact \"$1\"";
        let name = "signals::tests::a_child_heeds_signals";
        let args = ["-c".as_ref(), script.as_ref(), tests.as_os_str(), name.as_ref()];
        let ran = sandbox.run("sh", sandbox.root(), args);
        assert!(ran.success().stdout.contains("1 passed"), "{ran}");
    }
}
