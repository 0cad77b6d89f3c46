//! The process that is killed: one change of one file, between two marks that a trace can see.

use std::convert::Infallible;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use ralph_state::file::{self, Durability, Holder, Saved};
use ralph_state::journal::Journal;
use ralph_state::{ParallelStateFile, Store, Timestamp, UpdateError, WorkerRecord};

/// The exit code of a writer that was told its save is durable.
pub(super) const DURABLE: i32 = 10;
/// The same, that its save is in place but not confirmed.
pub(super) const UNCONFIRMED: i32 = 11;
/// The same, that nothing was saved.
pub(super) const REFUSED: i32 = 12;

/// Looked for before the change, in vain: the trace shows it.
pub(super) const BEGIN: &str = "/crash-writer-begins";
/// The same after it.
pub(super) const END: &str = "/crash-writer-ends";

/// The branch that a `save` sets.
pub(super) const NEW: &str = "new";

/// `save DURABILITY PATH`, `append DURABILITY PATH`, `count SLOT PATH`, `count-unlocked SLOT PATH`,
/// `move-carelessly ID DIRECTORY`
pub(super) fn run(args: &[String]) -> ExitCode {
    let [what, how, path] = args else { return ExitCode::from(2) };
    let path = PathBuf::from(path);
    let code = match (what.as_str(), how.as_str()) {
        ("save", "full") => save(&path, Durability::Full),
        ("save", "file-only") => save(&path, Durability::FileOnly),
        ("save", "none") => save(&path, Durability::None),
        ("save", "in-place") => save_in_place(&path),
        ("append", "full") => append(&path, Durability::Full),
        ("append", "file-only") => append(&path, Durability::FileOnly),
        ("append", "none") => append(&path, Durability::None),
        ("count", slot) => count(&path, slot),
        ("count-unlocked", slot) => count_unlocked(&path, slot),
        ("move-carelessly", id) => i32::from(super::queue::move_carelessly(id, &path).is_err()),
        _ => 2,
    };
    ExitCode::from(u8::try_from(code).expect("the codes are small"))
}

pub(super) fn store(path: &Path) -> Store<ParallelStateFile> {
    Store::new(path, holder())
}

pub(super) fn journal(path: &Path) -> Journal {
    Journal::new(path, holder())
}

fn holder() -> Holder {
    Holder {
        pid: process::id(),
        host: "this host".to_owned(),
        command: "crash writer".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    }
}

pub(super) fn save_to(store: &Store<ParallelStateFile>, branch: &str) -> Result<Saved, String> {
    let change = |state: &mut ParallelStateFile| {
        branch.clone_into(&mut state.target_branch);
        Ok::<_, Infallible>(())
    };
    store.update(change).map(|updated| updated.saved).map_err(|error| format!("{error:?}"))
}

fn save(path: &Path, durability: Durability) -> i32 {
    let store = store(path).durability(durability);
    between_marks(|| save_to(&store, NEW))
}

fn append(path: &Path, durability: Durability) -> i32 {
    let journal = journal(path).durability(durability);
    between_marks(|| journal.append(&NEW).map_err(|error| format!("{error:?}")))
}

/// What a program does that knows nothing of crashes.
fn save_in_place(path: &Path) -> i32 {
    let mut state = ParallelStateFile::new("", NEW);
    add_one(&mut state, "RQ-1");
    between_marks(|| {
        let bytes = ralph_state::document::encode(&state).map_err(|error| error.to_string())?;
        fs_err::write(path, bytes).map_err(|error| error.to_string())?;
        Ok(Saved::Durable)
    })
}

fn between_marks(change: impl FnOnce() -> Result<Saved, String>) -> i32 {
    let _mark = fs_err::metadata(BEGIN);
    let saved = change();
    let _mark = fs_err::metadata(END);
    match saved {
        Ok(Saved::Unconfirmed { .. }) => UNCONFIRMED,
        Ok(_) => DURABLE,
        Err(error) => {
            // By hand: the macro would panic where even this is made to fail.
            let _nobody_listens = writeln!(std::io::stderr(), "{error}");
            REFUSED
        }
    }
}

/// Adds one to the slot and says what it is now.
fn count(path: &Path, slot: &str) -> i32 {
    let change = |state: &mut ParallelStateFile| Ok::<_, Infallible>(add_one(state, slot));
    match store(path).update(change) {
        Ok(updated) => said(updated.value),
        Err(UpdateError::Change(never)) => match never {},
        Err(error) => {
            eprintln!("{error:?}");
            REFUSED
        }
    }
}

/// What a program does that knows about atomic files and not about locks.
fn count_unlocked(path: &Path, slot: &str) -> i32 {
    let Ok(Some(loaded)) = store(path).load() else { return REFUSED };
    let mut state = loaded.value;
    let value = add_one(&mut state, slot);
    let Ok(bytes) = ralph_state::document::encode(&state) else { return REFUSED };
    match file::replace(path, &bytes, Durability::None) {
        Ok(_) => said(value),
        Err(_) => REFUSED,
    }
}

fn add_one(state: &mut ParallelStateFile, slot: &str) -> u32 {
    if !state.has_worker(slot) {
        state.upsert_worker(WorkerRecord::new(slot, PathBuf::from("/w"), String::new()));
    }
    let worker = state.get_worker_mut(slot).expect("it was just put there");
    worker.increment_push_attempt();
    worker.push_attempts
}

fn said(value: u32) -> i32 {
    println!("{value}");
    DURABLE
}
