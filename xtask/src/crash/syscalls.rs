//! Every system call of a save: killed before it, and failing with everything it may fail with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use ralph_state::ParallelStateFile;
use ralph_state::document::decode;

use super::{Options, Report, has, text, writer};
use crate::cargo;

const V2: &[u8] =
    include_bytes!("../../../crates/ralph-state/testdata/parallel/accepted/v2-mid-run/in.json");
const V3: &[u8] = include_bytes!(
    "../../../crates/ralph-state/testdata/parallel/accepted/v3-three-workers/in.json"
);

/// What a system call may fail with. Calls that only ask for memory are left out.
const ERRORS: [(&str, &[&str]); 17] = [
    ("openat", &["EACCES", "EROFS", "ENOSPC", "EMFILE", "EIO", "EINTR"]),
    ("write", &["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EINTR"]),
    ("read", &["EIO", "EINTR"]),
    ("fsync", &["EIO", "ENOSPC", "EDQUOT", "EINVAL", "EINTR"]),
    ("rename", &["EACCES", "EBUSY", "EXDEV", "EROFS", "ENOSPC", "EIO"]),
    ("close", &["EIO", "EINTR", "ENOSPC"]),
    ("flock", &["ENOLCK", "EINTR", "EOPNOTSUPP", "EIO"]),
    ("fchmod", &["EPERM", "EIO", "EROFS"]),
    ("mkdir", &["EACCES", "ENOSPC", "EROFS", "EIO"]),
    ("statx", &["EACCES", "EIO"]),
    ("getdents64", &["EIO"]),
    ("unlink", &["EACCES", "EIO"]),
    ("ftruncate", &["EIO"]),
    ("fchown", &["EPERM", "EIO", "EROFS"]),
    ("readlink", &["EACCES", "EIO"]),
    ("fcntl", &["EMFILE"]),
    ("lseek", &["EINVAL"]),
];

/// What is there before the writer starts.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) old: Option<&'static [u8]>,
    change: Change,
    behind_a_link: bool,
}

impl Scenario {
    /// The writer that makes this change to the file in `dir`.
    pub(super) fn writer(&self, dir: &Path, durability: &str) -> Result<Command, String> {
        let change = match self.change {
            Change::Save => "save",
            Change::Append => "append",
        };
        writer(&[change, durability], &file_in(dir))
    }
}

/// What the writer does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Save,
    Append,
}

const SAVE: Scenario =
    Scenario { name: "save", old: Some(V3), change: Change::Save, behind_a_link: false };

pub(super) const SCENARIOS: [Scenario; 5] = [
    Scenario { name: "first save", old: None, ..SAVE },
    SAVE,
    Scenario { name: "migration", old: Some(V2), ..SAVE },
    Scenario { name: "save through a link", behind_a_link: true, ..SAVE },
    Scenario {
        name: "append to a journal",
        old: Some(b"{\"journal_version\": 1}\n\"one\"\n"),
        change: Change::Append,
        ..SAVE
    },
];

/// How a writer ended, as far as it could tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Saved,
    NotSaved,
    Nothing,
}

impl Told {
    pub(super) fn of(status: ExitStatus) -> Self {
        match status.code() {
            Some(super::writer::DURABLE | super::writer::UNCONFIRMED) => Self::Saved,
            Some(super::writer::REFUSED) => Self::NotSaved,
            _ => Self::Nothing,
        }
    }
}

/// One call in the window between the marks: its name, and the how-manieth of that name it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) nth: usize,
}

pub(super) fn run(_: &Options) -> Result<Report, String> {
    let mut report = Report::default();
    if !has("strace") {
        report.skipped.push("there is no `strace` here, so no system call was stopped".to_owned());
        return Ok(report);
    }
    for scenario in SCENARIOS {
        let dir = tempfile::tempdir().map_err(text)?;
        let calls = window(&scenario, dir.path(), "full")?;
        let (mut kills, mut errors, mut wrong) = (0, 0, Vec::new());
        for call in &calls {
            kills += 1;
            wrong.extend(stopped(&scenario, call, "signal=KILL", "")?);
            let of_this = ERRORS.iter().find(|(name, _)| *name == call.name);
            for error in of_this.map_or(&[][..], |(_, errors)| errors) {
                // A call that is interrupted for ever is tried for ever: that is what it asks for.
                let how_often = if *error == "EINTR" { &[""][..] } else { &["", "+"] };
                for for_ever in how_often {
                    errors += 1;
                    wrong.extend(stopped(&scenario, call, &format!("error={error}"), for_ever)?);
                }
            }
        }
        report.figures.push(format!(
            "{}: killed before each of {kills} calls, {errors} errors injected, {} violations",
            scenario.name,
            wrong.len()
        ));
        report.violations.append(&mut wrong);
    }
    let caught = without_a_rename()?;
    report.figures.push(format!("control without the rename: {caught} violations reported"));
    if caught == 0 {
        report.violations.push("the control went unnoticed".to_owned());
    }
    Ok(report)
}

/// How often a writer that writes over the old file is caught.
fn without_a_rename() -> Result<usize, String> {
    let calls = window(&SAVE, tempfile::tempdir().map_err(text)?.path(), IN_PLACE)?;
    let mut caught = 0;
    for call in &calls {
        let dir = tempfile::tempdir().map_err(text)?;
        set_up(&SAVE, dir.path())?;
        let kill = format!("signal=KILL:when={}", call.nth);
        let status = inject(&SAVE, dir.path(), call, &kill, IN_PLACE)?;
        caught += usize::from(left(&SAVE, dir.path(), Told::of(status)).is_err());
    }
    Ok(caught)
}

/// In place of a durability.
const IN_PLACE: &str = "in-place";

fn file_in(dir: &Path) -> PathBuf {
    dir.join("cache/parallel/state.json")
}

/// Puts the old file there.
pub(super) fn set_up(scenario: &Scenario, dir: &Path) -> Result<(), String> {
    let Some(old) = scenario.old else { return Ok(()) };
    let file = file_in(dir);
    fs_err::create_dir_all(file.parent().expect("it is below `dir`")).map_err(text)?;
    if !scenario.behind_a_link {
        return fs_err::write(&file, old).map_err(text);
    }
    fs_err::create_dir_all(dir.join("elsewhere")).map_err(text)?;
    fs_err::write(dir.join(BEHIND), old).map_err(text)?;
    if file.is_symlink() {
        return Ok(());
    }
    fs_err::os::unix::fs::symlink(Path::new("../..").join(BEHIND), &file).map_err(text)
}

/// Where the link leads.
const BEHIND: &str = "elsewhere/state.json";

/// The calls of an undisturbed writer between its marks.
pub(super) fn window(
    scenario: &Scenario,
    dir: &Path,
    durability: &str,
) -> Result<Vec<Call>, String> {
    set_up(scenario, dir)?;
    let trace = dir.join("trace");
    let mut strace = cargo::program("strace");
    strace.arg("-o").arg(&trace).args(["-e", "signal=none"]);
    let status = run_under(strace, scenario, dir, durability)?;
    if Told::of(status) != Told::Saved {
        return Err(format!("an undisturbed writer ended with {status}"));
    }
    let trace = fs_err::read_to_string(&trace).map_err(text)?;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut inside, mut calls) = (false, Vec::new());
    for line in trace.lines() {
        let Some((name, _)) = line.split_once('(') else { continue };
        let nth = seen.entry(name).or_default();
        *nth += 1;
        if line.contains(super::writer::BEGIN) {
            inside = true;
        } else if line.contains(super::writer::END) {
            return Ok(calls);
        } else if inside
            && !["brk", "mmap", "munmap", "mremap", "madvise", "getrandom"].contains(&name)
        {
            calls.push(Call { name: name.to_owned(), nth: *nth });
        }
    }
    Err("the trace shows no marks".to_owned())
}

/// Runs a writer that is stopped at `call`, and looks at what is left.
fn stopped(
    scenario: &Scenario,
    call: &Call,
    how: &str,
    for_ever: &str,
) -> Result<Option<String>, String> {
    let dir = tempfile::tempdir().map_err(text)?;
    set_up(scenario, dir.path())?;
    let status =
        inject(scenario, dir.path(), call, &format!("{how}:when={}{for_ever}", call.nth), "full")?;
    let place = format!("{}, {how}{for_ever} at {} number {}", scenario.name, call.name, call.nth);
    let told = Told::of(status);
    if how != "signal=KILL" && told == Told::Nothing {
        return Ok(Some(format!("{place}: the writer ended with {status}")));
    }
    let left = left(scenario, dir.path(), told).and_then(|()| goes_on(scenario, dir.path()));
    Ok(left.err().map(|fault| format!("{place}: {fault}")))
}

/// Runs a writer with this injected into `call`.
pub(super) fn inject(
    scenario: &Scenario,
    dir: &Path,
    call: &Call,
    what: &str,
    durability: &str,
) -> Result<ExitStatus, String> {
    let mut strace = cargo::program("strace");
    strace.args(["-o", "/dev/null", "-e", &format!("trace={}", call.name)]);
    strace.args(["-e", &format!("inject={}:{what}", call.name)]);
    run_under(strace, scenario, dir, durability)
}

fn run_under(
    mut tracer: Command,
    scenario: &Scenario,
    dir: &Path,
    durability: &str,
) -> Result<ExitStatus, String> {
    let writer = scenario.writer(dir, durability)?;
    tracer.arg(writer.get_program()).args(writer.get_args());
    tracer.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(text)
}

/// Whether what is left is what the writer was told.
pub(super) fn left(scenario: &Scenario, dir: &Path, told: Told) -> Result<(), String> {
    if scenario.change == Change::Append {
        return left_in_journal(dir, told);
    }
    if scenario.behind_a_link && !file_in(dir).is_symlink() {
        return Err("the link is gone".to_owned());
    }
    let file = fs_err::read(file_in(dir)).ok();
    let is_old = file.as_deref() == scenario.old;
    if told == Told::NotSaved && !is_old {
        return Err("it was told that nothing was saved, and the file is another".to_owned());
    }
    if told == Told::Saved && is_old {
        return Err("an acknowledged save is lost".to_owned());
    }
    let copy = fs_err::read(file_in(dir).with_file_name("state.v2.json.bak")).ok();
    if copy.as_deref().is_some_and(|copy| copy != V2) {
        return Err("the copy of the older version is torn".to_owned());
    }
    if is_old {
        return Ok(());
    }
    let bytes = file.ok_or("the file is gone")?;
    let (state, _) = decode::<ParallelStateFile>(&bytes)
        .map_err(|error| format!("the file is torn: {error}"))?;
    if state.target_branch != super::writer::NEW {
        return Err("the file holds what nobody saved".to_owned());
    }
    if scenario.old == Some(V2) && copy.is_none() {
        return Err("there is no copy of the older version".to_owned());
    }
    Ok(())
}

/// What was in the journal stays, and what was acknowledged is in it. What was not may be.
fn left_in_journal(dir: &Path, told: Told) -> Result<(), String> {
    let journal = super::writer::journal(&file_in(dir));
    let entries = journal.read::<String>().map_err(text)?.entries;
    let has = |entry: &str| entries.iter().any(|there| there == entry);
    match () {
        () if !has("one") => Err("an older entry is gone".to_owned()),
        () if told == Told::Saved && !has(super::writer::NEW) => {
            Err("an acknowledged entry is lost".to_owned())
        }
        () => Ok(()),
    }
}

/// Whether the next change succeeds and leaves nothing behind.
fn goes_on(scenario: &Scenario, dir: &Path) -> Result<(), String> {
    let file = file_in(dir);
    let next = match scenario.change {
        Change::Save => super::writer::save_to(&super::writer::store(&file), "next").map(drop),
        Change::Append => {
            let journal = super::writer::journal(&file);
            journal.append(&"next").map_err(text)?;
            let entries = journal.read::<String>().map_err(text)?.entries;
            let is_there = entries.last().is_some_and(|last| last == "next");
            if is_there { Ok(()) } else { Err("its entry is not the last".to_owned()) }
        }
    };
    next.map_err(|error| format!("the next change: {error}"))?;
    let known = ["state.json", ".state.json.lock", ".state.json.lock.info", "state.v2.json.bak"];
    let behind = dir.join(BEHIND);
    let both = [&file, &behind].map(|file| file.parent().expect("it is below `dir`"));
    for entry in both.into_iter().filter(|dir| dir.exists()).flat_map(fs_err::read_dir).flatten() {
        let name = entry.map_err(text)?.file_name();
        if !known.iter().any(|known| name == *known) {
            return Err(format!("`{}` is left behind", name.display()));
        }
    }
    Ok(())
}
