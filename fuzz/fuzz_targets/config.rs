//! Any bytes as a project's configuration: an error or a value, and the same one every time.
#![no_main]

use std::cell::OnceCell;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use ralph_config::{Overrides, Sources, load};

thread_local! {
    static PLACE: OnceCell<PathBuf> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    let project = PLACE.with(|place| {
        let name = format!("ralph-fuzz-config-{}.jsonc", std::process::id());
        place.get_or_init(|| std::env::temp_dir().join(name)).clone()
    });
    std::fs::write(&project, bytes).expect("the temporary directory is writable");
    let sources = Sources { global: None, project };
    let Ok(resolved) = load(&sources, &Overrides::default()) else { return };
    let again = load(&sources, &Overrides::default()).expect("it was read before");
    assert_eq!(again.document, resolved.document);
});
