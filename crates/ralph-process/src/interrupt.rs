//! Signals that ask this process to stop.

use std::io;
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{Cancel, os};

/// A signal that asks a process to stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: `kill`, a service manager, the end of a container.
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
}

impl Signal {
    /// Its number; a program that stops for it exits with 128 and this.
    pub fn number(self) -> i32 {
        match self {
            Self::Interrupt => SIGINT,
            Self::Terminate => SIGTERM,
            Self::Hangup => SIGHUP,
        }
    }

    fn from_number(number: i32) -> Self {
        match number {
            SIGINT => Self::Interrupt,
            SIGHUP => Self::Hangup,
            _ => Self::Terminate,
        }
    }
}

/// The signals this process has been sent since [`listen`].
#[derive(Clone, Debug, Default)]
pub struct Interrupts {
    cancel: Cancel,
    urgent: Cancel,
    first: Arc<OnceLock<Signal>>,
}

impl Interrupts {
    /// Cancelled by the first signal: stop cleanly.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Cancelled by the second signal: stop now.
    pub fn urgent(&self) -> &Cancel {
        &self.urgent
    }

    /// The first signal, if there was one.
    pub fn first(&self) -> Option<Signal> {
        self.first.get().copied()
    }
}

/// Takes over SIGINT, SIGTERM and SIGHUP: from now on they no longer end this process but
/// cancel [`Interrupts::cancel`]. A SIGHUP that the parent chose to ignore (`nohup`) stays ignored.
///
/// # Errors
/// When the system refuses the handler or its thread.
pub fn listen() -> io::Result<Interrupts> {
    let mut wanted = vec![SIGINT, SIGTERM];
    if !os::ignores_hangup() {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted)?;
    let interrupts = Interrupts::default();
    let told = interrupts.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for number in signals.forever() {
            if told.first.set(Signal::from_number(number)).is_err() {
                told.urgent.cancel();
            }
            told.cancel.cancel();
        }
    })?;
    Ok(interrupts)
}
