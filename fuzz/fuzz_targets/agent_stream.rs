//! Any bytes as what an agent printed: no adapter fails on them, and it does not matter where
//! they are cut into pieces.
//!
//! The first byte says which agent, the second how it ended, the third where to cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ralph_agent::{Ending, Outcome, Parser, Runner, Verdict};

fuzz_target!(|bytes: &[u8]| {
    let Some((&[agent, end, cut], stream)) = bytes.split_first_chunk::<3>() else { return };
    let known = Runner::known();
    let name = known[usize::from(agent) % known.len()];
    let ending = match end {
        0..=99 => Ending::Code(i32::from(end) % 8),
        100..=199 => Ending::Signal(i32::from(end) % 16),
        200..=219 => Ending::Lingered,
        _ => Ending::Unseen,
    };
    let (whole, verdict) = read(name, &[stream], ending);
    let (first, second) = stream.split_at(usize::from(cut).min(stream.len()));
    let (cut, same) = read(name, &[first, second], ending);
    assert_eq!((cut, &same), (whole, &verdict));
    if stream.is_empty() && ending == Ending::Code(0) {
        let silent = Parser::new(name).is_some_and(|parser| parser.is_final());
        assert!(!silent, "{name} has a final event in nothing");
    }
    if let (Outcome::Succeeded, Ending::Code(code)) = (&verdict.outcome, ending) {
        assert_eq!(code, 0, "{name} succeeded with an exit code of {code}");
    }
});

/// Events as JSON, and what they come to.
fn read(name: &str, pieces: &[&[u8]], ending: Ending) -> (Vec<String>, Verdict) {
    let mut parser = Parser::new(name).expect("a known agent");
    let mut events = Vec::new();
    let mut sink = |event: &ralph_agent::Event<'_>| {
        events.push(serde_json::to_string(event).expect("an event is JSON"));
    };
    for piece in pieces {
        parser.feed(piece, &mut sink);
    }
    let verdict = parser.finish(ending, "error: exit\n", &mut sink);
    (events, verdict)
}
