//! Waiting for a condition, with a deadline and a name for what never came.

use std::time::{Duration, Instant};

/// How long to sleep between two looks at a condition.
const POLL: Duration = Duration::from_millis(5);

/// Waits until `condition` holds, looking every few milliseconds.
///
/// # Panics
///
/// When `limit` passes first; `what` completes the sentence "waited for …".
#[track_caller]
pub fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let held = poll(limit, || condition().then_some(()));
    assert!(held.is_some(), "waited {limit:?} in vain for {what}");
}

/// Looks until `look` returns a value; `None` when `limit` passed first.
pub(crate) fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if start.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_comes_true_ends_the_wait() {
        let mut looks = 0;
        wait_until(Duration::from_secs(10), "the third look", || {
            looks += 1;
            looks == 3
        });
        assert_eq!(looks, 3);
    }

    #[test]
    fn a_condition_that_never_holds_is_named() {
        let failure = std::panic::catch_unwind(|| wait_until(Duration::ZERO, "rain", || false));
        let message = failure.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(*message, "waited 0ns in vain for rain");
    }
}
