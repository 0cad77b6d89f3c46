//! What a child writes into a pipe, kept by a thread that never stops reading.

use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

/// How long a pipe may stay open after the child's end. A grandchild in the background can hold
/// it for ever; what is in the pipe when this ends is still read.
const AFTER_EXIT: Duration = Duration::from_millis(250);
/// More than a pipe holds on any system: who has read this much after the child's end has read
/// all that the child wrote, even if a grandchild never stops.
const PIPE: u64 = 1 << 20;

/// What a child wrote to one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The last bytes, as many as the limit allowed.
    pub bytes: Vec<u8>,
    /// How many bytes there were.
    pub total: u64,
}

impl Captured {
    /// Whether the beginning was dropped.
    pub fn is_cut(&self) -> bool {
        self.total > self.bytes.len() as u64
    }

    /// The bytes as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// The reading end of a pipe and the thread that empties it.
#[derive(Debug)]
pub(crate) struct Drain {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pipe: OwnedFd,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    kept: Vec<u8>,
    total: u64,
    limit: usize,
    /// Somebody still holds the writing end.
    open: bool,
}

impl Drain {
    pub(crate) fn start(pipe: OwnedFd, limit: usize) -> io::Result<Self> {
        let state = Mutex::new(State { kept: Vec::new(), total: 0, limit, open: true });
        let shared = Arc::new(Shared { pipe, state, changed: Condvar::new() });
        let reader = Arc::clone(&shared);
        std::thread::Builder::new().name("output".to_owned()).spawn(move || reader.read_all())?;
        Ok(Self { shared })
    }

    /// What was written, to be called after the child's end. The thread stays behind if the pipe
    /// is still open, so that who holds it is not stopped by a full or broken pipe.
    pub(crate) fn collect(self) -> Captured {
        let shared = &*self.shared;
        let ended = Instant::now();
        let mut state = shared.lock();
        let at_end = state.total;
        while state.open {
            let waited = ended.elapsed();
            // The reader reads with the lock held: an empty pipe now means all is in `kept`.
            let is_empty = || rustix::io::ioctl_fionread(&shared.pipe).unwrap_or(0) == 0;
            if waited >= AFTER_EXIT && (state.total - at_end >= PIPE || is_empty()) {
                break;
            }
            let step = AFTER_EXIT.saturating_sub(waited).max(Duration::from_millis(10));
            let woken = shared.changed.wait_timeout(state, step);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let limit = std::mem::take(&mut state.limit);
        let mut bytes = std::mem::take(&mut state.kept);
        bytes.drain(..bytes.len().saturating_sub(limit));
        Captured { bytes, total: state.total }
    }
}

impl Shared {
    fn read_all(&self) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let mut wanted = [PollFd::new(&self.pipe, PollFlags::IN)];
            match poll(&mut wanted, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => break,
            }
            let mut state = self.lock();
            match rustix::io::read(&self.pipe, &mut buffer) {
                Ok(0) => break,
                Ok(read) => state.keep(&buffer[..read]),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(_) => break,
            }
        }
        self.lock().open = false;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        self.kept.extend_from_slice(bytes);
        // Twice the limit, so that not every read moves all that is kept.
        if self.kept.len() > self.limit.saturating_mul(2) {
            self.kept.drain(..self.kept.len() - self.limit);
        }
    }
}
