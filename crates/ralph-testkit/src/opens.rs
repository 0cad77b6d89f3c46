//! How often a file is opened, which tells that somebody asks for a lock again and again.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify;

/// Counts how often a file is opened from now on.
#[derive(Debug)]
pub struct Opens {
    events: OwnedFd,
    seen: Cell<usize>,
}

impl Opens {
    /// Of the file at `path`, which has to be there.
    #[track_caller]
    pub fn of(path: &Path) -> Self {
        let events = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)
            .expect("Linux tells of files");
        inotify::add_watch(&events, path, inotify::WatchFlags::OPEN)
            .unwrap_or_else(|error| panic!("cannot watch {}: {error}", path.display()));
        Self { events, seen: Cell::new(0) }
    }

    /// How often it was.
    pub fn count(&self) -> usize {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.events, &mut buffer);
        while events.next().is_ok() {
            self.seen.update(|seen| seen + 1);
        }
        self.seen.get()
    }
}
