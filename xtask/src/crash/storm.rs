//! Many processes that count in one file, half of them killed at random moments.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Options, Report, text, writer};

const SLOTS: usize = 8;

pub(super) fn run(options: &Options) -> Result<Report, String> {
    let dir = tempfile::tempdir().map_err(text)?;
    let path = dir.path().join("state.json");
    let mut report = Report::default();
    let start = Instant::now();
    let storm = storm(&path, "count", options.launches, Kills::Half)?;
    let seconds = start.elapsed().as_secs();
    let Storm { launched, killed, acked, reads, mut wrong } = storm;
    super::writer::save_to(&super::writer::store(&path), "after the storm")?;
    for entry in fs_err::read_dir(dir.path()).map_err(text)? {
        let name = entry.map_err(text)?.file_name();
        let known = ["state.json", ".state.json.lock", ".state.json.lock.info"];
        if !known.iter().any(|known| name == *known) {
            wrong.push(format!("`{}` is left behind", name.display()));
        }
    }
    report.figures.push(format!(
        "{SLOTS} processes: {launched} launches, {killed} killed, {acked} acknowledged, {reads} reads \
         without a lock, {} violations, {seconds} s",
        wrong.len()
    ));
    report.violations.append(&mut wrong);
    control(&mut report)?;
    Ok(report)
}

/// The same without a lock has to be caught.
fn control(report: &mut Report) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(text)?;
    let path = dir.path().join("state.json");
    let _made = super::writer::save_to(&super::writer::store(&path), "control")?;
    let Storm { launched, wrong, .. } = storm(&path, "count-unlocked", 400, Kills::None)?;
    report.figures.push(format!(
        "control without the lock: {launched} launches, {} violations reported",
        wrong.len()
    ));
    if wrong.is_empty() {
        report.violations.push("the control without the lock was not caught".to_owned());
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kills {
    Half,
    None,
}

#[derive(Default)]
struct Storm {
    launched: usize,
    killed: usize,
    acked: usize,
    reads: usize,
    wrong: Vec<String>,
}

fn storm(path: &Path, what: &str, launches: usize, kills: Kills) -> Result<Storm, String> {
    let left = AtomicUsize::new(launches);
    let over = AtomicBool::new(false);
    let mut total = Storm::default();
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(path, &over));
        let slots: Vec<_> = (0..SLOTS)
            .map(|slot| {
                let left = &left;
                scope.spawn(move || count(path, what, slot, left, kills))
            })
            .collect();
        for slot in slots {
            let slot = slot.join().expect("a slot does not panic")?;
            total.launched += slot.launched;
            total.killed += slot.killed;
            total.acked += slot.acked;
            total.wrong.extend(slot.wrong);
        }
        over.store(true, Ordering::Relaxed);
        let reader = reader.join().expect("the reader does not panic");
        total.reads = reader.reads;
        total.wrong.extend(reader.wrong);
        Ok(total)
    })
}

/// One slot: its processes run one after the other, so each has to find what the one before it was
/// told, and at most one more for each that was killed before it could tell.
fn count(
    path: &Path,
    what: &str,
    slot: usize,
    left: &AtomicUsize,
    kills: Kills,
) -> Result<Storm, String> {
    let mut storm = Storm::default();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(slot as u64 + 1);
    let (mut last, mut unknown) = (0_usize, 0_usize);
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
        .is_ok()
    {
        storm.launched += 1;
        let mut command = writer(&[what, &format!("slot-{slot}")], path)?;
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(text)?;
        // xorshift: the same moments in every run, as far as the system allows.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let kill = kills == Kills::Half && random.is_multiple_of(2);
        if kill {
            thread::sleep(Duration::from_micros(random % 16_000));
            child.kill().map_err(text)?;
        }
        match told(&mut child)? {
            Some(value) => {
                storm.acked += 1;
                if value <= last || value > last + 1 + unknown {
                    storm
                        .wrong
                        .push(format!("slot {slot}: {value} after {last} and {unknown} unknown"));
                }
                (last, unknown) = (value, 0);
            }
            None if kill => {
                storm.killed += 1;
                unknown += 1;
            }
            None => storm.wrong.push(format!("slot {slot}: a writer failed that nobody killed")),
        }
    }
    Ok(storm)
}

fn told(child: &mut Child) -> Result<Option<usize>, String> {
    let mut said = String::new();
    child.stdout.take().expect("stdout was asked for").read_to_string(&mut said).map_err(text)?;
    child.wait().map_err(text)?;
    Ok(said.strip_suffix('\n').and_then(|value| value.parse().ok()))
}

/// Reads all the while without a lock: never torn, never going back.
fn read(path: &Path, over: &AtomicBool) -> Storm {
    let file = super::writer::store(path);
    let mut storm = Storm::default();
    let mut last = [0; SLOTS];
    while !over.load(Ordering::Relaxed) {
        let state = match file.load() {
            Ok(Some(loaded)) => loaded.value,
            Ok(None) => continue,
            Err(error) => {
                storm.wrong.push(format!("the reader: {error:?}"));
                continue;
            }
        };
        storm.reads += 1;
        for (slot, last) in last.iter_mut().enumerate() {
            let now =
                state.get_worker(&format!("slot-{slot}")).map_or(0, |worker| worker.push_attempts);
            if now < *last {
                storm.wrong.push(format!("the reader: slot {slot} went from {last} to {now}"));
            }
            *last = now;
        }
    }
    storm
}
