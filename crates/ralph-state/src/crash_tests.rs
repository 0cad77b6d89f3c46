//! What a crash can leave: every change, stopped before each of its calls, by a kill, by a power
//! cut and by an error.
//!
//! Lines that start with `figure` go into `docs/crash-safety.md`; `cargo xtask crash` shows them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::path::Path;

use crate::document::decode;
use crate::file::replace::{remove_on, replace_read_on};
use crate::file::simulated::{Fault, SimulatedDisk, State, Without};
use crate::file::{Durability, Holder, LockError, ReplaceError, Saved};
use crate::journal::{Journal, JournalError};
use crate::store::{Others, Place, rebuild_on, set_aside_on, update_on};
use crate::{MigrationReport, ParallelStateFile, SaveError, Timestamp, Unusable, UpdateError};

const DIR: &str = "/repo/.ralph/cache/parallel";
const FILE: &str = "/repo/.ralph/cache/parallel/state.json";
const BACKUP: &str = "/repo/.ralph/cache/parallel/state.v2.json.bak";
const V2: &[u8] = include_bytes!("../testdata/parallel/accepted/v2-mid-run/in.json");
const V3: &[u8] = include_bytes!("../testdata/parallel/accepted/v3-three-workers/in.json");

/// A disk to start from, and the file that is on it.
struct Start {
    name: &'static str,
    state: State,
    old: Option<&'static [u8]>,
}

fn starts() -> Vec<Start> {
    let leftover = format!("{DIR}/.state.json.7-0.tmp");
    vec![
        Start { name: "first save", state: State::empty(), old: None },
        Start { name: "save", state: State::empty().with(FILE, V3), old: Some(V3) },
        Start { name: "migration", state: State::empty().with(FILE, V2), old: Some(V2) },
        Start {
            name: "save beside a leftover",
            state: State::empty().with(FILE, V3).with(&leftover, b"half a fi"),
            old: Some(V3),
        },
    ]
}

fn place(disk: &SimulatedDisk) -> Place<'_, SimulatedDisk> {
    let (path, durability) = (Path::new(FILE), Durability::Full);
    Place { disk, path, like: None, durability, others: Others::Wait }
}

type Outcome = Result<Saved, UpdateError<Infallible>>;

fn update(disk: &SimulatedDisk, branch: &str) -> Outcome {
    let change = |state: &mut ParallelStateFile, _: Option<&MigrationReport>| {
        branch.clone_into(&mut state.target_branch);
        Ok(())
    };
    update_on(place(disk), change).map(|updated| updated.saved)
}

/// What is wrong with a disk on which the file may be one of `allowed`.
fn fault_of(state: &State, old: Option<&[u8]>, new: &str, saved: bool) -> Option<String> {
    let file = state.file(Path::new(FILE));
    let backup = state.file(Path::new(BACKUP));
    let migrates = old == Some(V2);
    if backup.is_some_and(|bytes| bytes != V2) {
        return Some("the copy is torn".to_owned());
    }
    match file {
        None if old.is_none() && !saved => None,
        None => Some("the file is gone".to_owned()),
        Some(bytes) if Some(bytes) == old => {
            saved.then(|| "an acknowledged save is lost".to_owned())
        }
        Some(bytes) => match decode::<ParallelStateFile>(bytes) {
            Err(error) => Some(format!("the file is torn: {error}")),
            Ok((state, _)) if state.target_branch != new => Some("another save".to_owned()),
            Ok(_) if migrates && backup.is_none() => Some("migrated without a copy".to_owned()),
            Ok(_) => None,
        },
    }
}

/// What a run of the harness saw.
#[derive(Default)]
struct Seen {
    calls: usize,
    states: usize,
    violations: BTreeSet<String>,
}

/// Cuts the power before every call of one update and after its end.
fn cut_power(start: &Start, without: Option<Without>) -> Seen {
    let mut disk = SimulatedDisk::new(start.state.clone());
    disk.without = without;
    assert!(matches!(update(&disk, "new").unwrap(), Saved::Durable));
    let history = disk.history();
    let mut seen = Seen { calls: history.len() - 1, ..Seen::default() };
    for (at, (call, state)) in history.iter().enumerate() {
        let saved = at == history.len() - 1;
        for state in state.after_power_cut() {
            seen.states += 1;
            if let Some(fault) = fault_of(&state, start.old, "new", saved) {
                seen.violations.insert(format!("{}, power cut before {call}: {fault}", start.name));
            } else if without.is_none() {
                goes_on(state);
            }
        }
    }
    seen
}

/// The next save succeeds and leaves nothing but the file and copies.
fn goes_on(state: State) {
    let disk = SimulatedDisk::new(state);
    assert!(matches!(update(&disk, "next").unwrap(), Saved::Durable));
    let left = disk.state().names(Path::new(DIR));
    assert!(
        left.iter().all(|name| ["state.json", "state.v2.json.bak"].contains(&name.as_str())),
        "{left:?}"
    );
}

#[test]
fn no_power_cut_tears_or_loses_a_file() {
    for start in starts() {
        let Seen { calls, states, violations } = cut_power(&start, None);
        assert!(violations.is_empty(), "{violations:#?}");
        println!("figure power cut, {}: {calls} calls, {states} states, 0 violations", start.name);
    }
}

#[test]
fn the_harness_notices_what_is_missing() {
    for without in [Without::FileSync, Without::DirectorySync, Without::Rename] {
        let seen: Vec<Seen> =
            starts().iter().map(|start| cut_power(start, Some(without))).collect();
        let violations: usize = seen.iter().map(|seen| seen.violations.len()).sum();
        println!("figure control without {without:?}: {violations} kinds of violations reported");
        assert!(violations > 0);
    }
}

#[test]
fn a_removed_file_stays_removed() {
    let disk = SimulatedDisk::new(State::empty().with(FILE, V3));
    assert!(matches!(remove_on(&disk, Path::new(FILE), Durability::Full).unwrap(), Saved::Durable));
    let history = disk.history();
    for (at, (call, state)) in history.iter().enumerate() {
        for state in state.after_power_cut() {
            let left = state.file(Path::new(FILE));
            let over = at == history.len() - 1;
            assert!(left.is_none() || (left == Some(V3) && !over), "power cut before {call}");
        }
    }
}

/// Where there are no locks, what another wrote in between is not overwritten.
#[test]
fn without_a_lock_the_file_is_looked_at_again() {
    let disk = SimulatedDisk::new(State::empty().with(FILE, V3));
    let change = |state: &mut ParallelStateFile, _: Option<&MigrationReport>| {
        assert!(matches!(update(&disk, "theirs").unwrap(), Saved::Durable));
        "ours".clone_into(&mut state.target_branch);
        Ok::<_, Infallible>(())
    };
    let ours = update_on(Place { others: Others::MayWrite, ..place(&disk) }, change);
    let Err(UpdateError::Store(SaveError::Changed { ours, theirs, .. })) = ours else { panic!() };
    assert!(ours.is_some() && theirs.is_some() && ours != theirs);
    assert_eq!(fault_of(&disk.state(), Some(V3), "theirs", true), None);
}

/// On a read-only file system an update that changes nothing is none.
#[test]
fn a_read_only_place_refuses_changes_alone() {
    let disk = SimulatedDisk::new(State::empty().with(FILE, V3));
    let read_only = || {
        let source = io::ErrorKind::ReadOnlyFilesystem.into();
        let others = Others::NobodyWrites(LockError::ReadOnly { path: FILE.into(), source });
        Place { others, ..place(&disk) }
    };
    let look = |_: &mut ParallelStateFile, _: Option<&MigrationReport>| Ok::<_, Infallible>(7);
    let looked = update_on(read_only(), look).unwrap();
    assert!(looked.value == 7 && matches!(looked.saved, Saved::Unchanged));
    let change = |state: &mut ParallelStateFile, _: Option<&MigrationReport>| {
        state.target_branch.clear();
        Ok::<_, Infallible>(())
    };
    let refused = update_on(read_only(), change).unwrap_err();
    assert!(matches!(refused, UpdateError::Store(SaveError::Lock(LockError::ReadOnly { .. }))));
    assert_eq!(disk.state().file(Path::new(FILE)), Some(V3));
}

/// A file that cannot be used is rebuilt or set aside: at every moment its bytes are somewhere, and
/// afterwards the file itself is not that one again.
#[test]
fn no_power_cut_loses_what_is_set_aside_or_brings_it_back() {
    const TORN: &[u8] = b"{\"schema_version\": 3, \"workers\": [{";
    const ASIDE: &str = "/repo/.ralph/cache/parallel/state.corrupt.json.bak";
    type Change = fn(&SimulatedDisk);
    let rebuild: Change = |disk| {
        let make = |_: Unusable<'_>| Ok::<_, Infallible>(ParallelStateFile::new("", "new"));
        let rebuilt = rebuild_on(place(disk), make).unwrap().unwrap();
        assert!(matches!(rebuilt.saved, Saved::Durable));
    };
    let set_aside: Change = |disk| {
        let (path, full) = (Path::new(FILE), Durability::Full);
        set_aside_on::<ParallelStateFile, _>(disk, path, full).unwrap().unwrap();
    };
    for (name, change) in [("rebuild", rebuild), ("set aside", set_aside)] {
        let disk = SimulatedDisk::new(State::empty().with(FILE, TORN));
        change(&disk);
        let history = disk.history();
        let mut states = 0;
        for (at, (call, state)) in history.iter().enumerate() {
            for state in state.after_power_cut() {
                states += 1;
                let file = state.file(Path::new(FILE));
                let aside = state.file(Path::new(ASIDE));
                let over = at == history.len() - 1;
                let place = format!("{name}, power cut before {call}");
                assert!(file == Some(TORN) || aside == Some(TORN), "{place}: the bytes are gone");
                assert!(!over || file != Some(TORN), "{place}: it is back");
                if let Some(new) = file.filter(|bytes| *bytes != TORN) {
                    assert!(decode::<ParallelStateFile>(new).is_ok(), "{place}: torn");
                }
            }
        }
        println!(
            "figure power cut, {name}: {} calls, {states} states, 0 violations",
            history.len() - 1
        );
    }
}

const JOURNAL: &str = "/repo/.ralph/cache/journal.jsonl";

fn journal() -> Journal {
    let since = Timestamp::UNIX_EPOCH;
    let holder = Holder { pid: 1, host: "here".to_owned(), command: "a test".to_owned(), since };
    Journal::new(JOURNAL, holder)
}

fn append(disk: &SimulatedDisk, entry: &str) -> Result<Saved, JournalError> {
    journal().append_on(disk, &format!("\"{entry}\"\n"))
}

fn retract(disk: &SimulatedDisk, entry: &str) -> Result<bool, JournalError> {
    journal().retract_on(disk, &format!("\n\"{entry}\"\n"))
}

/// A journal with two entries, on the disk for good.
fn two_entries() -> State {
    let disk = SimulatedDisk::new(State::empty());
    for entry in ["first", "second"] {
        assert!(matches!(append(&disk, entry).unwrap(), Saved::Durable));
    }
    disk.state()
}

/// The entries of the journal: its lines but the header, torn ones and what a disk made up.
fn whole(state: &State) -> Vec<String> {
    let text = state.file(Path::new(JOURNAL)).map(String::from_utf8_lossy).unwrap_or_default();
    let is_whole = |line: &&str| {
        line.len() > 1 && line.starts_with('"') && line.ends_with('"') && !line.contains('\0')
    };
    text.lines().filter(is_whole).map(str::to_owned).collect()
}

/// Appends to what a first append leaves when it is killed before any call, and to what a power cut
/// leaves of a second one; cuts the power before every call of that.
fn cut_appends(without: Option<Without>) -> Seen {
    let first = SimulatedDisk::new(State::empty());
    assert!(matches!(append(&first, "first").unwrap(), Saved::Durable));
    // Nobody was told that these entries are there.
    let mut starts: Vec<(Vec<String>, State)> =
        first.history().into_iter().map(|(_, state)| (Vec::new(), state)).collect();
    let second = SimulatedDisk::new(starts.last().unwrap().1.clone());
    assert!(matches!(append(&second, "second").unwrap(), Saved::Durable));
    for (_, state) in second.history() {
        starts.extend(state.after_power_cut().into_iter().map(|cut| (whole(&cut), cut)));
    }
    let mut seen = Seen::default();
    for (durable, state) in starts {
        let before = whole(&state);
        let mut disk = SimulatedDisk::new(state);
        disk.without = without;
        assert!(matches!(append(&disk, "new").unwrap(), Saved::Durable));
        let history = disk.history();
        for (at, (call, state)) in history.iter().enumerate() {
            seen.calls += 1;
            let mut wanted = durable.clone();
            if at == history.len() - 1 {
                wanted = before.iter().cloned().chain(["\"new\"".to_owned()]).collect();
            }
            for state in state.after_power_cut() {
                seen.states += 1;
                let left = whole(&state);
                if wanted.iter().any(|line| !left.contains(line)) {
                    let lost = format!("power cut before {call}: {wanted:?} became {left:?}");
                    seen.violations.insert(lost);
                }
                if without.is_none() {
                    let disk = SimulatedDisk::new(state);
                    assert!(matches!(append(&disk, "next").unwrap(), Saved::Durable), "{call}");
                    assert_eq!(whole(&disk.state()).last().unwrap(), "\"next\"", "{call}");
                }
            }
        }
    }
    seen
}

/// An entry that was acknowledged outlives every power cut and every later writer, also one that
/// was killed, and a journal can always be gone on with.
#[test]
fn no_power_cut_loses_an_entry_of_a_journal() {
    let Seen { calls, states, violations } = cut_appends(None);
    assert!(violations.is_empty(), "{violations:#?}");
    println!("figure journal: {calls} calls, {states} states after a power cut, 0 violations");
    for without in [Without::FileSync, Without::DirectorySync] {
        let violations = cut_appends(Some(without)).violations.len();
        println!("figure control, journal without {without:?}: {violations} kinds reported");
        assert!(violations > 0);
    }
}

/// Takes the last entry back; cuts the power before every call of that.
fn cut_retraction(without: Option<Without>) -> Seen {
    let mut disk = SimulatedDisk::new(two_entries());
    disk.without = without;
    assert!(retract(&disk, "second").unwrap());
    let history = disk.history();
    let mut seen = Seen { calls: history.len() - 1, ..Seen::default() };
    for (at, (call, state)) in history.iter().enumerate() {
        // Killed there, and gone on by somebody else before the power is cut.
        let other = SimulatedDisk::new(state.clone());
        assert!(matches!(append(&other, "next").unwrap(), Saved::Durable));
        for state in other.state().after_power_cut() {
            let left = whole(&state);
            assert!(
                left[0] == "\"first\"" && left.last().unwrap() == "\"next\"",
                "{call}: {left:?}"
            );
        }
        for state in state.after_power_cut() {
            seen.states += 1;
            let left = whole(&state);
            let is_over = at == seen.calls;
            if left != ["\"first\""] && (is_over || left != ["\"first\"", "\"second\""]) {
                seen.violations.insert(format!("power cut before {call}: {left:?}"));
            }
        }
    }
    seen
}

/// Of an entry that is taken back nothing is left in the end, and no other entry goes with it.
#[test]
fn no_power_cut_brings_a_retracted_entry_back_or_takes_another() {
    let Seen { calls, states, violations } = cut_retraction(None);
    assert!(violations.is_empty(), "{violations:#?}");
    println!("figure journal, entry taken back: {calls} calls, {states} states, 0 violations");
    let violations = cut_retraction(Some(Without::FileSync)).violations.len();
    println!("figure control, entry taken back without FileSync: {violations} kinds reported");
    assert!(violations > 0);
}

/// Whatever fails while an entry is added or taken back, the others can be read, and what is told
/// to be done is. What fails once leaves nothing of an entry that was refused.
#[test]
fn no_error_spoils_a_journal() {
    type Change = fn(&SimulatedDisk) -> Result<(), JournalError>;
    let add: Change = |disk| append(disk, "new").map(drop);
    let take_back: Change = |disk| {
        assert!(retract(disk, "second")?);
        Ok(())
    };
    let mut errors = 0;
    for (change, done) in
        [(add, &["\"first\"", "\"second\"", "\"new\""][..]), (take_back, &["\"first\""])]
    {
        let start = two_entries();
        let plain = SimulatedDisk::new(start.clone());
        change(&plain).unwrap();
        for at in 0..plain.history().len() - 1 {
            for for_ever in [false, true] {
                errors += 1;
                let mut disk = SimulatedDisk::new(start.clone());
                disk.fault = Some(Fault { at, kind: io::ErrorKind::StorageFull, for_ever });
                let changed = change(&disk);
                let state = disk.state();
                let (bytes, left) = (state.file(Path::new(JOURNAL)), whole(&state));
                let is_as_it_was = bytes == start.file(Path::new(JOURNAL));
                let place = format!("call {at}, for ever: {for_ever}: {left:?}");
                if changed.is_ok() {
                    for state in state.after_power_cut() {
                        assert_eq!(whole(&state), done, "{place}");
                    }
                } else if done.len() == 1 {
                    assert!(is_as_it_was || left == done, "{place}");
                } else {
                    assert!(
                        is_as_it_was || for_ever && left.starts_with(&whole(&start)),
                        "{place}"
                    );
                }
                let disk = SimulatedDisk::new(state);
                assert!(matches!(append(&disk, "next").unwrap(), Saved::Durable), "{place}");
                let left = whole(&disk.state());
                assert!(left[0] == "\"first\"" && left.last().unwrap() == "\"next\"", "{place}");
            }
        }
    }
    println!("figure journal: {errors} errors injected, 0 violations");
}

/// A process is killed before each call; another one saves; then the power is cut. What the
/// second was told is durable has to be, whatever the first left unsynced.
#[test]
fn a_killed_writer_does_not_spoil_the_next_save() {
    let (mut kills, mut states) = (0, 0);
    for start in starts() {
        let disk = SimulatedDisk::new(start.state.clone());
        let _saved = update(&disk, "first").unwrap();
        for (call, state) in disk.history() {
            kills += 1;
            if let Some(fault) = fault_of(&state, start.old, "first", false) {
                panic!("{}, killed before {call}: {fault}", start.name);
            }
            let disk = SimulatedDisk::new(state);
            assert!(matches!(update(&disk, "second").unwrap(), Saved::Durable));
            for state in disk.state().after_power_cut() {
                states += 1;
                if let Some(fault) = fault_of(&state, start.old, "second", true) {
                    panic!("{}, killed before {call}, then saved: {fault}", start.name);
                }
                goes_on(state);
            }
        }
    }
    println!("figure kill, save, power cut: {kills} kills, {states} states, 0 violations");
}

#[test]
fn no_error_tears_a_file_or_is_called_success() {
    use io::ErrorKind::{
        Interrupted, Other, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, ResourceBusy,
        StorageFull,
    };
    let (mut errors, mut refused, mut unconfirmed) = (0, 0, 0);
    for start in starts() {
        let plain = SimulatedDisk::new(start.state.clone());
        let _saved = update(&plain, "new").unwrap();
        let calls = plain.history().len() - 1;
        for at in 0..calls {
            for kind in [
                Other,
                StorageFull,
                QuotaExceeded,
                PermissionDenied,
                ReadOnlyFilesystem,
                ResourceBusy,
                Interrupted,
            ] {
                for for_ever in [false, true] {
                    errors += 1;
                    let mut disk = SimulatedDisk::new(start.state.clone());
                    disk.fault = Some(Fault { at, kind, for_ever });
                    let outcome = update(&disk, "new");
                    let state = disk.state();
                    let place = format!("{}, {kind:?} at call {at}", start.name);
                    match outcome {
                        Ok(Saved::Durable) => {
                            for state in state.after_power_cut() {
                                assert_eq!(
                                    fault_of(&state, start.old, "new", true),
                                    None,
                                    "{place}"
                                );
                            }
                        }
                        Ok(_) => {
                            unconfirmed += 1;
                            assert_eq!(fault_of(&state, start.old, "new", true), None, "{place}");
                        }
                        Err(_) => {
                            refused += 1;
                            assert_eq!(state.file(Path::new(FILE)), start.old, "{place}");
                        }
                    }
                    goes_on(state);
                }
            }
        }
    }
    println!(
        "figure errors: {errors} injected, {refused} refused, {unconfirmed} unconfirmed, 0 violations"
    );
}

#[test]
fn what_another_program_writes_while_a_save_is_synced_is_not_replaced() {
    let by_hand: &[u8] = b"by hand";
    let mut disk = SimulatedDisk::new(State::empty().with(FILE, V3));
    let save = |disk: &SimulatedDisk, read| {
        replace_read_on(disk, (None, Path::new(FILE)), Some(read), b"new", Durability::Full)
    };
    disk.meanwhile = Some((FILE, by_hand));
    assert!(
        matches!(save(&disk, V3), Err(ReplaceError::Changed { path }) if path == Path::new(FILE))
    );
    assert_eq!(disk.state().file(Path::new(FILE)), Some(by_hand));
    assert_eq!(disk.state().names(Path::new(DIR)), ["state.json"]);
    assert!(matches!(save(&disk, by_hand), Ok(Saved::Durable)), "read again");
    assert_eq!(disk.state().file(Path::new(FILE)), Some(&b"new"[..]));
}
