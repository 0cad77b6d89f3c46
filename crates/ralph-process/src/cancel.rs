//! A request to stop, seen at once by everything that waits.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A request to stop that any thread can make and every holder of a clone sees.
///
/// ```
/// use std::time::Duration;
///
/// let cancel = ralph_process::Cancel::new();
/// let other = cancel.clone();
/// std::thread::spawn(move || other.cancel());
/// assert!(cancel.wait_timeout(Duration::from_secs(60)), "ends when cancelled, not in a minute");
/// ```
#[derive(Clone, Default)]
pub struct Cancel {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cancelled: Mutex<bool>,
    changed: Condvar,
}

impl Cancel {
    /// Not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop; there is no way back.
    pub fn cancel(&self) {
        *self.lock() = true;
        self.shared.changed.notify_all();
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        *self.lock()
    }

    /// Sleeps for `time`, or until cancelled; tells whether it was cancelled.
    pub fn wait_timeout(&self, time: Duration) -> bool {
        self.wait_until(Instant::now().checked_add(time), || false);
        self.is_cancelled()
    }

    /// Sleeps until cancelled, until `deadline`, or until `done` says so after a
    /// [`Self::wake`]. `done` is called with the lock held: no more than a look at an atomic.
    pub(crate) fn wait_until(&self, deadline: Option<Instant>, done: impl Fn() -> bool) {
        let mut cancelled = self.lock();
        while !*cancelled && !done() {
            let Some(deadline) = deadline else {
                cancelled =
                    self.shared.changed.wait(cancelled).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(cancelled, left);
            cancelled = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Makes every waiter look at its condition again.
    pub(crate) fn wake(&self) {
        // With the lock, so that nobody is between its look and its sleep.
        let _cancelled = self.lock();
        self.shared.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A bool is never half written, whoever panicked.
        self.shared.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_its_time() {
        assert!(!Cancel::new().wait_timeout(Duration::from_millis(1)));
        assert!(!Cancel::new().wait_timeout(Duration::ZERO));
    }

    #[test]
    fn a_cancelled_wait_ends_at_once_for_every_clone() {
        let cancel = Cancel::new();
        let clone = cancel.clone();
        let waiter = std::thread::spawn(move || clone.wait_timeout(Duration::MAX));
        cancel.cancel();
        assert!(waiter.join().unwrap());
        assert!(cancel.wait_timeout(Duration::MAX));
    }
}
