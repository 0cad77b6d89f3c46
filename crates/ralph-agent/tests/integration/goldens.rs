//! What the real agents printed, and what Ralph makes of it.
//!
//! `tests/cassettes/AGENT.jsonl` has one run a line: what went to stdout and stderr and how the
//! process ended. Paths, ports and user names are replaced, stack traces left out; texts of over
//! 600 characters inside an event and the lists of tools are cut. `AGENT.verdicts.jsonl`
//! beside it is the golden.

use std::{collections::BTreeMap, path::Path};

use ralph_agent::{Ending, Event, Outcome, Parser, Verdict};
use ralph_testkit::golden;
use serde_json::{Value, json};

const AGENTS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

struct Recording {
    agent: &'static str,
    scenario: String,
    stdout: Vec<u8>,
    stderr: String,
    ending: Ending,
}

fn recordings() -> Vec<Recording> {
    AGENTS.into_iter().flat_map(recordings_of).collect()
}

fn recordings_of(agent: &'static str) -> Vec<Recording> {
    let text = fs_err::read_to_string(cassettes().join(format!("{agent}.jsonl"))).unwrap();
    text.lines()
        .map(|line| {
            let run: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| run[name].as_str().unwrap().to_owned();
            let exit = i32::try_from(run["exit"].as_i64().unwrap()).unwrap();
            Recording {
                agent,
                scenario: text("scenario"),
                stdout: text("stdout").into_bytes(),
                stderr: text("stderr"),
                ending: match exit {
                    _ if run["timed_out"] == true => Ending::TimedOut,
                    signal @ i32::MIN..0 => Ending::Signal(-signal),
                    code => Ending::Code(code),
                },
            }
        })
        .collect()
}

fn cassettes() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cassettes"))
}

fn judge(recording: &Recording, pieces: &[&[u8]], ending: Ending) -> Verdict {
    judge_telling(recording, pieces, ending, &mut |_| {})
}

fn judge_telling(
    recording: &Recording,
    pieces: &[&[u8]],
    ending: Ending,
    sink: &mut dyn FnMut(&Event<'_>),
) -> Verdict {
    let mut parser = Parser::new(recording.agent).unwrap();
    for piece in pieces {
        parser.feed(piece, sink);
    }
    parser.finish(ending, &recording.stderr, sink)
}

fn summary(recording: &Recording) -> String {
    let mut events = BTreeMap::<&str, u32>::new();
    let verdict = judge_telling(recording, &[&recording.stdout], recording.ending, &mut |event| {
        *events.entry(event.kind()).or_default() += 1;
    });
    let until = verdict.outcome.until().map(|until| until.to_string());
    let text = verdict.final_text.map(|text| text.chars().take(80).collect::<String>());
    let summary = json!({
        "scenario": recording.scenario,
        "outcome": verdict.outcome.as_str(),
        "detail": verdict.outcome.reason().map(str::to_owned).or(until),
        "session_id": verdict.session_id,
        "final_text": text,
        "usage": verdict.usage,
        "events": events,
    });
    format!("{summary}\n")
}

#[test]
fn each_recording_is_judged_as_its_golden_says() {
    for agent in AGENTS {
        let summaries: String = recordings_of(agent).iter().map(summary).collect();
        golden::assert(cassettes().join(format!("{agent}.verdicts.jsonl")), &summaries);
    }
}

/// One run of each agent, event by event.
#[test]
fn the_events_of_a_run() {
    for agent in AGENTS {
        let recordings = recordings_of(agent);
        let recording = recordings.iter().find(|it| it.scenario.starts_with("a-success")).unwrap();
        let mut lines = Vec::new();
        judge_telling(recording, &[&recording.stdout], recording.ending, &mut |event| {
            lines.extend(line(event));
        });
        golden::assert(cassettes().join(format!("{agent}.events.jsonl")), &lines);
    }
}

#[test]
fn how_a_stream_is_cut_into_pieces_makes_no_difference() {
    for recording in recordings() {
        let whole = judge(&recording, &[&recording.stdout], recording.ending);
        for size in [1, 7, 4096] {
            let pieces: Vec<&[u8]> = recording.stdout.chunks(size).collect();
            let verdict = judge(&recording, &pieces, recording.ending);
            assert_eq!(verdict, whole, "{} by {size}", recording.scenario);
        }
    }
}

/// The events are a format: a plugin that prints those of any run is judged as the run was.
#[test]
fn events_say_all_that_an_outcome_is_made_of() {
    let judge_events = |lines: &[u8]| {
        let mut parser = Parser::new("plugin").unwrap();
        let mut again = Vec::new();
        let mut sink = |event: &Event<'_>| again.extend(line(event));
        parser.feed(lines, &mut sink);
        let verdict = parser.finish(Ending::Lingered, "", &mut sink);
        (verdict, again)
    };
    for recording in recordings() {
        let mut lines = Vec::new();
        let verdict =
            judge_telling(&recording, &[&recording.stdout], Ending::Lingered, &mut |event| {
                lines.extend(line(event));
            });
        let (again, same_lines) = judge_events(&lines);
        assert_eq!(again, verdict, "{} {}", recording.agent, recording.scenario);
        assert_eq!(String::from_utf8(same_lines), String::from_utf8(lines));
    }
}

fn line(event: &Event<'_>) -> Vec<u8> {
    let mut line = serde_json::to_vec(event).unwrap();
    line.push(b'\n');
    line
}

/// Three of these agents lose the end of their output on a slow pipe and exit with 0 all
/// the same.
#[test]
fn a_stream_cut_before_its_final_event_never_succeeds() {
    for recording in recordings() {
        let stream = &recording.stdout;
        // Where the line of the first final event ends.
        let mut parser = Parser::new(recording.agent).unwrap();
        let mut end = 0;
        for line in stream.split_inclusive(|byte| *byte == b'\n') {
            parser.feed(line, &mut |_| {});
            end += line.len();
            if parser.is_final() {
                break;
            }
        }
        let end = stream[..end].trim_ascii_end().len();
        // Every place in the common run, many in the others.
        let stride = if recording.scenario == "a-success-stdin" { 1 } else { 1 + end / 60 };
        for cut in (0..end).step_by(stride).chain(end.saturating_sub(20)..end) {
            let verdict = judge(&recording, &[&stream[..cut]], Ending::Code(0));
            assert_ne!(
                verdict.outcome,
                Outcome::Succeeded,
                "{} {} cut at {cut} of {}",
                recording.agent,
                recording.scenario,
                stream.len()
            );
        }
    }
}

#[test]
fn noise_between_events_changes_nothing() {
    let noise: &[u8] =
        b"\n\xff\xfe\nnull\n[1]\n\"text\"\n{\"type\":\"new\"}\n{\"type\":7,\"part\":[]}\n{\n";
    for recording in recordings() {
        let whole = judge(&recording, &[&recording.stdout], recording.ending);
        if whole.session_id.is_none() {
            // Nothing was printed, and that counts.
            continue;
        }
        let mut pieces = vec![noise];
        for line in recording.stdout.split_inclusive(|byte| *byte == b'\n') {
            pieces.extend([line, noise]);
        }
        let verdict = judge(&recording, &pieces, recording.ending);
        assert_eq!(verdict.outcome, whole.outcome, "{}", recording.scenario);
        assert_eq!(verdict.session_id, whole.session_id);
        assert_eq!(verdict.usage, whole.usage);
    }
}

#[test]
fn damaged_streams_are_judged_all_the_same() {
    for recording in recordings() {
        let mut stream = recording.stdout.clone();
        for seed in 0..20_usize.min(stream.len()) {
            // A step that shares no factor with the length reaches every place in time.
            let at = seed.wrapping_mul(7919) % stream.len();
            let old = std::mem::replace(&mut stream[at], b"{}[]\",:0\n\xff"[seed % 10]);
            for ending in [recording.ending, Ending::Unseen] {
                let _verdict = judge(&recording, &[&stream], ending);
            }
            stream[at] = old;
        }
    }
}

#[test]
fn a_line_may_be_longer_than_any_event_and_the_next_one_counts() {
    let mut parser = Parser::new("codex").unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..65 {
        parser.feed(&piece, &mut |_| {});
    }
    parser.feed(b"\n{\"type\":\"thread.started\",\"thread_id\":\"0199\"}\n", &mut |_| {});
    assert_eq!(parser.session_id(), Some("0199"));
}
