//! Any text as JSON: what is read is written and read again as the same, to the letter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ralph_state::json::{Json, from_json, parse, to_json, to_text};

fuzz_target!(|text: &str| {
    let Ok(Some(value)) = parse(text) else { return };
    assert_eq!(parse(&to_text(&value)), Ok(Some(value.clone())));
    assert_eq!(parse(&value.to_string()), Ok(Some(value.clone())));
    assert_eq!(to_json(&value).as_ref(), Ok(&value));
    assert_eq!(from_json::<Json>(&value), Ok(value));
});
