//! Any bytes as the state of a parallel run: an error or a value, and a value survives its save.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ralph_state::document::{decode, encode};
use ralph_state::parallel::salvage;
use ralph_state::{ParallelStateFile, Timestamp, adopt_legacy, legacy_work};

fuzz_target!(|bytes: &[u8]| {
    let salvaged = salvage(bytes);
    let Ok((state, report)) = decode::<ParallelStateFile>(bytes) else { return };
    let saved = encode(&state).expect("what was read can be written");
    let (again, second) = decode::<ParallelStateFile>(&saved).expect("what was written can be read");
    assert_eq!(again, state);
    assert!(!second.migrated() && second.dropped.is_empty());
    assert_eq!(encode(&again).expect("once more"), saved);
    let salvaged = salvaged.expect("a good file can be salvaged");
    assert!(salvaged.bad.is_empty());
    assert_eq!(salvaged.state, state);
    let _adopted = adopt_legacy(&legacy_work(&report), Timestamp::UNIX_EPOCH);
});
