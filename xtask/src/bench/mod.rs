//! `cargo xtask bench`: what Ralph costs, next to the same work done by hand.
//!
//! Each line compares two things in one run, in turns, so that a busy machine slows both.

mod queue;

use std::convert::Infallible;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode, Stdio};
use std::time::{Duration, Instant};

use ralph_state::document::{decode, encode};
use ralph_state::file::{self, Durability, Holder, Saved};
use ralph_state::{ParallelStateFile, Store, Timestamp, WorkerRecord};

use crate::{agents, cargo};

/// `cargo xtask bench [memory|disk|agents|queue [--old RALPH]]`
pub(crate) fn run(args: &[String]) -> ExitCode {
    if let [first, count, path] = args
        && first == "writer"
    {
        return writer(count, Path::new(path));
    }
    let outcome = match args {
        _ if cfg!(debug_assertions) => in_release(args),
        [] => agents::bench().and_then(|()| memory()).and_then(|()| disk()),
        [only] if only == "memory" => memory(),
        [only] if only == "disk" => disk(),
        [first, rest @ ..] if first == "queue" => queue::run(rest),
        [only] if only == "agents" => agents::bench(),
        _ => Err("Usage: cargo xtask bench [memory|disk|agents|queue [--old RALPH]]".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Only optimised code is worth measuring.
fn in_release(args: &[String]) -> Result<(), String> {
    let mut command =
        cargo::command(["run", "--quiet", "--release", "--package", "xtask", "--", "bench"]);
    let status = command.args(args).status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("the benchmark ended with {status}")) }
}

fn disk() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    for (size, workers) in [("1 KB", 3), ("330 KB", 1_000)] {
        save(dir.path(), size, workers)?;
    }
    contention(dir.path())
}

fn state(workers: usize) -> ParallelStateFile {
    let mut state = ParallelStateFile::new("2026-04-22T18:03:11.482913000Z", "main");
    for number in 0..workers {
        let task = format!("RQ-{number:04}");
        let workspace = PathBuf::from(format!("/home/dev/.workspaces/shop/parallel/{task}"));
        let mut record =
            WorkerRecord::new(task, workspace, "2026-04-22T18:03:14.120044000Z".into());
        record.attempt = Some(1);
        record.attempt_id = Some(format!("attempt-{number}"));
        record.branch = Some(format!("ralph/RQ-{number:04}"));
        state.workers.push(record);
    }
    state
}

/// Reading and writing text alone. The same types as far as `serde_json` can have them: it rounds
/// numbers that it does not know, and does not look for keys that stand twice.
fn memory() -> Result<(), String> {
    let state = state(1_000);
    let bytes = encode(&state).map_err(|error| error.to_string())?;
    let [ours, theirs] = in_turns(
        200,
        || decode::<ParallelStateFile>(&bytes).expect("it was just written").0.workers.len(),
        || {
            let state: ParallelStateFile = serde_json::from_slice(&bytes).expect("it is JSON");
            state.workers.len()
        },
    );
    line(
        "load 1,000 workers",
        "`serde_json` into the same types",
        shortest(&ours),
        shortest(&theirs),
    );
    let [ours, theirs] = in_turns(
        200,
        || encode(&state).expect("it was written before").len(),
        || serde_json::to_vec_pretty(&state).expect("it is JSON").len(),
    );
    line(
        "encode 1,000 workers and read them back",
        "`serde_json`, only encoding",
        shortest(&ours),
        shortest(&theirs),
    );
    Ok(())
}

fn save(dir: &Path, size: &str, workers: usize) -> Result<(), String> {
    let (ours, by_hand) =
        (dir.join(format!("ours-{workers}.json")), dir.join(format!("hand-{workers}.json")));
    let mut changing = state(workers);
    let mut bytes = || {
        changing.next_ticket = Some(changing.next_ticket.unwrap_or(1_000) + 1);
        encode(&changing).expect("the state is plain")
    };
    let texts: Vec<Vec<u8>> = (0..201).map(|_| bytes()).collect();
    for path in [&ours, &by_hand] {
        fs_err::write(path, &texts[0]).map_err(|error| error.to_string())?;
    }
    let (mut one, mut two) = (texts.iter().cycle().skip(1), texts.iter().cycle().skip(1));
    let [replaced, bare] = in_turns(
        200,
        || {
            let saved = file::replace(&ours, one.next().expect("a cycle"), Durability::Full);
            assert!(matches!(saved, Ok(Saved::Durable)), "{saved:?}");
        },
        || bare_save(&by_hand, two.next().expect("a cycle")).expect("the disk works"),
    );
    line(&format!("save {size}"), "the bare system calls", median(&replaced), median(&bare));

    let store = store(&ours);
    let mut update = || {
        let add = |state: &mut ParallelStateFile| {
            state.next_ticket = Some(state.next_ticket.unwrap_or(0) + 1);
            Ok::<_, Infallible>(())
        };
        let updated = store.update(add).expect("nobody else is here");
        assert!(matches!(updated.saved, Saved::Durable));
    };
    let [updated, bare] = in_turns(200, &mut update, || {
        bare_save(&by_hand, two.next().expect("a cycle")).expect("the disk works");
    });
    let what = format!("update {size}");
    line(&what, "the bare system calls", median(&updated), median(&bare));
    line(&what, "the save alone", median(&updated), median(&replaced));
    let [updated, plain] = in_turns(200, &mut update, || {
        plain_update(&by_hand).expect("the disk works");
    });
    let next_to = "the same with `serde_json` and the bare system calls, shortest of 200";
    line(&what, next_to, shortest(&updated), shortest(&plain));
    Ok(())
}

/// An update by hand: no lock, no check of the text, no look at what changed.
fn plain_update(path: &Path) -> std::io::Result<()> {
    let mut state: ParallelStateFile = serde_json::from_slice(&fs_err::read(path)?)?;
    state.next_ticket = Some(state.next_ticket.unwrap_or(0) + 1);
    bare_save(path, &serde_json::to_vec_pretty(&state)?)
}

/// What a save cannot do without, and nothing else.
fn bare_save(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_added_extension("tmp");
    let mut file = fs_err::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs_err::rename(&temporary, path)?;
    fs_err::File::open(path.parent().expect("it is in a directory"))?.sync_all()
}

fn store(path: &Path) -> Store<ParallelStateFile> {
    let holder = Holder {
        pid: process::id(),
        host: "this host".to_owned(),
        command: "cargo xtask bench".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    Store::new(path, holder).lock_wait(Duration::from_mins(1))
}

/// Eight processes that update one file as fast as they can, next to one that saves by hand.
fn contention(dir: &Path) -> Result<(), String> {
    const WRITERS: usize = 8;
    const EACH: usize = 400;
    let path = dir.join("contended.json");
    let hand = dir.join("alone.json");
    let bytes = encode(&state(3)).expect("the state is plain");
    let start = Instant::now();
    for _ in 0..WRITERS * EACH / 4 {
        bare_save(&hand, &bytes).map_err(|error| error.to_string())?;
    }
    let alone = per_second(WRITERS * EACH / 4, start.elapsed());
    let start = Instant::now();
    let writers = (0..WRITERS).map(|_| {
        let mut command = cargo::program(this_program()?);
        command.args(["bench", "writer", &EACH.to_string()]).arg(&path).stdout(Stdio::null());
        command.spawn().map_err(|error| error.to_string())
    });
    for writer in writers.collect::<Result<Vec<_>, _>>()? {
        let output = writer.wait_with_output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("a writer ended with {}", output.status));
        }
    }
    let contended = per_second(WRITERS * EACH, start.elapsed());
    let total = store(&path).load().map_err(|error| error.to_string())?;
    let total = total.and_then(|loaded| loaded.value.next_ticket);
    println!(
        "{WRITERS} processes on one file: {contended:.0} durable updates a second; one alone by hand: {alone:.0}; \
         {total:?} of {} counted",
        WRITERS * EACH
    );
    Ok(())
}

fn writer(count: &str, path: &Path) -> ExitCode {
    let store = store(path);
    for _ in 0..count.parse::<usize>().unwrap_or(0) {
        let add = |state: &mut ParallelStateFile| {
            state.next_ticket = Some(state.next_ticket.unwrap_or(0) + 1);
            Ok::<_, Infallible>(())
        };
        if let Err(error) = store.update(add) {
            eprintln!("{error:?}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "the writers are processes of this program")]
fn this_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}

/// The times of two things done `count` times in turns, each from the shortest.
pub(crate) fn in_turns<A, B>(
    count: usize,
    mut one: impl FnMut() -> A,
    mut two: impl FnMut() -> B,
) -> [Vec<Duration>; 2] {
    let mut times = [Vec::with_capacity(count), Vec::with_capacity(count)];
    for _ in 0..count {
        let start = Instant::now();
        std::hint::black_box(one());
        let middle = Instant::now();
        std::hint::black_box(two());
        times[0].push(middle - start);
        times[1].push(middle.elapsed());
    }
    for times in &mut times {
        times.sort_unstable();
    }
    times
}

/// Of work in memory the shortest time is the work; the rest is what else the machine does.
fn shortest(times: &[Duration]) -> Duration {
    times[0]
}

/// Of work on a disk every time counts.
pub(crate) fn median(times: &[Duration]) -> Duration {
    times[times.len() / 2]
}

pub(crate) fn line(what: &str, next_to: &str, ours: Duration, theirs: Duration) {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let (ours, theirs) = (ours.as_secs_f64() * 1e6, theirs.as_secs_f64() * 1e6);
    println!(
        "{what}: {ours:.0} us; {next_to}: {theirs:.0} us; {ratio:.2} times, {:+.0} us",
        ours - theirs
    );
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
