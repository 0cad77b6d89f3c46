//! Recorded streams of real agents and what Ralph makes of them.

use std::path::{Path, PathBuf};

use ralph_agent::{Ending, Outcome, Parser, Verdict};
use ralph_testkit::golden;
use serde_json::{Value, json};

struct Recording {
    agent: String,
    path: PathBuf,
    stdout: Vec<u8>,
    stderr: String,
    ending: Ending,
}

fn recordings() -> Vec<Recording> {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    let mut recordings = Vec::new();
    for agent in fs_err::read_dir(goldens).unwrap() {
        let agent = agent.unwrap();
        for file in fs_err::read_dir(agent.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let exit = fs_err::read_to_string(path.with_extension("exit")).unwrap();
                recordings.push(Recording {
                    agent: agent.file_name().into_string().unwrap(),
                    stdout: fs_err::read(&path).unwrap(),
                    stderr: fs_err::read_to_string(path.with_extension("stderr"))
                        .unwrap_or_default(),
                    ending: match exit.trim().parse().unwrap() {
                        signal @ i32::MIN..0 => Ending::Signal(-signal),
                        code => Ending::Code(code),
                    },
                    path,
                });
            }
        }
    }
    recordings
}

fn judge(recording: &Recording, pieces: &[&[u8]], ending: Ending) -> Verdict {
    let mut parser = Parser::new(&recording.agent).unwrap();
    for piece in pieces {
        parser.feed(piece);
    }
    parser.finish(ending, &recording.stderr)
}

fn document(verdict: &Verdict) -> String {
    let reason = match &verdict.outcome {
        Outcome::Failed { reason }
        | Outcome::OutOfQuota { reason }
        | Outcome::NotAuthenticated { reason }
        | Outcome::Unavailable { reason }
        | Outcome::LimitReached { reason }
        | Outcome::Misused { reason } => json!(reason),
        Outcome::RateLimited { until } => json!(until.map(|until| until.to_string())),
        _ => Value::Null,
    };
    let usage = verdict.usage.map(|usage| {
        json!({
            "counted": format!("{:?}", usage.counted),
            "input": usage.input,
            "cache_read": usage.cache_read,
            "cache_write": usage.cache_write,
            "output": usage.output,
            "reasoning": usage.reasoning,
            "cost_usd": usage.cost_usd.map(|cost| format!("{cost:.6}")),
        })
    });
    let document = json!({
        "outcome": verdict.outcome.as_str(),
        "detail": reason,
        "session_id": verdict.session_id,
        "final_text": verdict.final_text,
        "usage": usage,
    });
    format!("{document:#}\n")
}

#[test]
fn each_recording_is_judged_as_its_golden_says() {
    let recordings = recordings();
    assert!(recordings.len() > 30);
    for recording in &recordings {
        let verdict = judge(recording, &[&recording.stdout], recording.ending);
        golden::assert(recording.path.with_extension("verdict.json"), document(&verdict));
    }
}

#[test]
fn how_a_stream_is_cut_into_pieces_makes_no_difference() {
    for recording in recordings() {
        let whole = judge(&recording, &[&recording.stdout], recording.ending);
        for size in [1, 7, 4096] {
            let pieces: Vec<&[u8]> = recording.stdout.chunks(size).collect();
            let verdict = judge(&recording, &pieces, recording.ending);
            assert_eq!(verdict, whole, "{} by {size}", recording.path.display());
        }
    }
}

/// Three of these agents lose the end of their output on a slow pipe and exit with 0 all
/// the same.
#[test]
fn a_stream_without_its_end_never_succeeds() {
    for recording in recordings() {
        let text = recording.stdout.trim_ascii_end();
        let last_line = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // Every place in the last line, and many before it.
        let before = (0..last_line).step_by(1 + last_line / 200);
        for end in before.chain(last_line..text.len()) {
            let verdict = judge(&recording, &[&text[..end]], Ending::Code(0));
            assert_ne!(
                verdict.outcome,
                Outcome::Succeeded,
                "{} cut at {end} of {}",
                recording.path.display(),
                text.len()
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
        assert_eq!(verdict.outcome, whole.outcome, "{}", recording.path.display());
        assert_eq!(verdict.session_id, whole.session_id);
        assert_eq!(verdict.usage, whole.usage);
    }
}

#[test]
fn damaged_streams_are_judged_all_the_same() {
    for recording in recordings() {
        let mut stream = recording.stdout.clone();
        for seed in 0..100_usize.min(stream.len()) {
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
        parser.feed(&piece);
    }
    parser.feed(b"\n{\"type\":\"thread.started\",\"thread_id\":\"0199\"}\n");
    assert_eq!(parser.session_id(), Some("0199"));
}
