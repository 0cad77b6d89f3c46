//! Any bytes as a journal: what can be read of it stays readable when it is appended to.
#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;
use ralph_state::Timestamp;
use ralph_state::file::{Durability, Holder};
use ralph_state::journal::Journal;
use ralph_state::json::Json;

thread_local! {
    static PLACE: OnceCell<std::path::PathBuf> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    let path = PLACE.with(|place| {
        let name = format!("ralph-fuzz-journal-{}", std::process::id());
        place.get_or_init(|| std::env::temp_dir().join(name)).clone()
    });
    std::fs::write(&path, bytes).expect("the temporary directory is writable");
    let holder = Holder {
        pid: std::process::id(),
        host: String::new(),
        command: String::new(),
        since: Timestamp::UNIX_EPOCH,
    };
    let journal = Journal::new(&path, holder).durability(Durability::None);
    let Ok(before) = journal.read::<Json>() else { return };
    if journal.append(&Json::from(true)).is_err() {
        assert_eq!(std::fs::read(&path).expect("it is there"), bytes);
        return;
    }
    let after = journal.read::<Json>().expect("it was readable before");
    assert!(after.entries.len() > before.entries.len());
    assert_eq!(after.entries[..before.entries.len()], before.entries);
    assert_eq!(after.entries.last(), Some(&Json::from(true)));
});
