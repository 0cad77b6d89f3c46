//! Any bytes as a session: an error or a value, and a value survives its save.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ralph_state::document::{decode, encode};
use ralph_state::session::SessionFile;

fuzz_target!(|bytes: &[u8]| {
    let Ok((session, _)) = decode::<SessionFile>(bytes) else { return };
    let saved = encode(&session).expect("what was read can be written");
    let (again, _) = decode::<SessionFile>(&saved).expect("what was written can be read");
    assert_eq!(encode(&again).expect("once more"), saved);
});
