//! The queue's two files while `ralph` moves tasks between them, killed at every system call.
//!
//! No task may be in neither file, at any time. Readers see what was before or what is after, and
//! nothing between. A task that is in both files counts once, and the next edit takes the rest away,
//! with everything else that the killed one left.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use ralph_state::file::{Durability, replace};
use serde_json::Value;

use super::syscalls::Call;
use super::{Options, Report, has, text, this_program, writer};
use crate::cargo;

/// Looks at a directory with the ids that were in its files before.
type Check<'a> = dyn Fn(&Path, &BTreeSet<String>) -> Result<(), String> + Sync + 'a;
/// What is killed in a directory.
type Killed<'a> = dyn Fn(&Path) -> Result<Command, String> + Sync + 'a;

/// What is killed, after what.
struct Scenario {
    name: &'static str,
    before: &'static [&'static [&'static str]],
    killed: &'static [&'static str],
    place: Place,
}

/// Where it is killed.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// In a directory with both files.
    Plain,
    /// In one without a done file.
    WithoutDone,
    /// In a work tree that is linked to a repository, which is where ids and claims are kept for all
    /// work trees.
    Linked,
}

impl Scenario {
    const fn new(
        place: Place,
        name: &'static str,
        before: &'static [&'static [&'static str]],
        killed: &'static [&'static str],
    ) -> Self {
        Self { name, before, killed, place }
    }
}

const DONE: &[&str] = &["task", "done", "RQ-0002"];
const ARCHIVE: &[&str] = &["queue", "archive"];
const IMPORT: &[&str] = &["queue", "import", "--format", "json", "--input", "import.json"];
const UNDO: &[&str] = &["undo"];
const REDO: &[&str] = &["redo"];

const ADD: &[&str] = &["task", "add", "one more"];
const CLAIM: &[&str] = &["queue", "claim", "--id", "RQ-0002"];
const DONE_UNDER_CLAIM: &[&str] = &["task", "done", "RQ-0002", "--claim", TOKEN];
const RELEASE: &[&str] = &["queue", "release", "--claim", TOKEN];
/// Stands for the token that the claim before told.
const TOKEN: &str = "TOKEN";

const SCENARIOS: [Scenario; 14] = [
    Scenario::new(Place::Plain, "add", &[], ADD),
    Scenario::new(Place::Plain, "done", &[], DONE),
    Scenario::new(Place::Plain, "archive", &[], ARCHIVE),
    Scenario::new(Place::Plain, "import", &[], IMPORT),
    Scenario::new(Place::Plain, "undo of an import", &[IMPORT], UNDO),
    Scenario::new(Place::Plain, "undo of a task done", &[DONE], UNDO),
    Scenario::new(Place::WithoutDone, "undo of what made the done file", &[DONE], UNDO),
    Scenario::new(Place::Plain, "redo of a task done", &[DONE, UNDO], REDO),
    Scenario::new(Place::Plain, "undo of an archive", &[ARCHIVE], UNDO),
    Scenario::new(Place::Plain, "redo of an archive", &[ARCHIVE, UNDO], REDO),
    Scenario::new(Place::Linked, "done under a claim", &[CLAIM], DONE_UNDER_CLAIM),
    Scenario::new(Place::Linked, "add in a work tree", &[], ADD),
    Scenario::new(Place::Linked, "claim", &[], CLAIM),
    Scenario::new(Place::Linked, "release", &[CLAIM], RELEASE),
];

/// How many of them a quick look is about.
const QUICK: usize = 11;

/// The calls that change what others see, for a quick look.
const CHANGING: [&str; 6] = ["rename", "renameat2", "unlink", "unlinkat", "fsync", "fdatasync"];

pub(super) fn run(options: &Options) -> Result<Report, String> {
    let mut report = Report::default();
    if !has("strace") {
        report.skipped.push("there is no `strace` here, so no command was killed".to_owned());
        return Ok(report);
    }
    let mut build = cargo::command(["build", "--quiet", "--package", "ralph-cli"]);
    if !build.status().map_err(text)?.success() {
        return Err("`ralph` cannot be built".to_owned());
    }
    let ralph = this_program()?.with_file_name("ralph");
    let how_many = if options.is_quick { QUICK } else { SCENARIOS.len() };
    for scenario in SCENARIOS.iter().take(how_many) {
        let dir = set_up()?;
        match scenario.place {
            Place::Plain => {}
            Place::WithoutDone => fs_err::remove_file(path(dir.path(), "done")).map_err(text)?,
            Place::Linked => link(dir.path())?,
        }
        let mut token = String::new();
        for args in scenario.before {
            let told = succeeds(ralph_in(&ralph, dir.path(), args))?.stdout;
            let told = String::from_utf8_lossy(&told).into_owned();
            told.split_whitespace().last().unwrap_or_default().clone_into(&mut token);
        }
        let killed: Vec<&str> = scenario
            .killed
            .iter()
            .map(|arg| if *arg == TOKEN { token.as_str() } else { arg })
            .collect();
        let command = |dir: &Path| Ok(ralph_in(&ralph, dir, &killed));
        let after = copied(dir.path())?;
        succeeds(command(after.path())?)?;
        let states = [listed(&ralph, dir.path())?, listed(&ralph, after.path())?];
        let (kills, wrong) = killed_everywhere(options, dir.path(), &command, &|dir, ids| {
            nothing_lost(dir, ids)?;
            let listed = listed(&ralph, dir)?;
            if !states.contains(&listed) {
                return Err("readers see neither what was before nor what is after".to_owned());
            }
            mended(&ralph, dir, ids, &listed)?;
            if scenario.place == Place::Linked { agreed(&ralph, dir) } else { Ok(()) }
        })?;
        report.figures.push(format!(
            "{}: killed before each of {kills} calls, {} violations",
            scenario.name,
            wrong.len()
        ));
        let named = |fault: String| format!("{}, killed at {fault}", scenario.name);
        report.violations.extend(wrong.into_iter().map(named));
    }
    control(options, &mut report)?;
    Ok(report)
}

/// A writer that saves first the file that loses the task has to be caught.
fn control(options: &Options, report: &mut Report) -> Result<(), String> {
    let dir = set_up()?;
    let command = |dir: &Path| writer(&["move-carelessly", "RQ-0002"], dir);
    let (kills, wrong) = killed_everywhere(options, dir.path(), &command, &nothing_lost)?;
    report.figures.push(format!(
        "control with the saves the other way round: {kills} kills, {} violations reported",
        wrong.len()
    ));
    if wrong.is_empty() {
        report.violations.push("the control was not caught".to_owned());
    }
    Ok(())
}

/// What the control does: the task leaves one file before it is in the other.
pub(super) fn move_carelessly(id: &str, dir: &Path) -> Result<(), String> {
    let [mut queue, mut done] = [read(dir, "queue")?, read(dir, "done")?];
    let list = |file: &mut Value| file["tasks"].as_array_mut().cloned().unwrap_or_default();
    let (moved, left): (Vec<Value>, Vec<Value>) =
        list(&mut queue).into_iter().partition(|task| task["id"] == id);
    queue["tasks"] = Value::from(left);
    done["tasks"] = Value::from([list(&mut done), moved].concat());
    for (name, file) in [("queue", queue), ("done", done)] {
        let bytes = serde_json::to_vec_pretty(&file).map_err(text)?;
        replace(&path(dir, name), &bytes, Durability::Full).map_err(text)?;
    }
    Ok(())
}

fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!(".ralph/{name}.jsonc"))
}

/// A repository with open and finished tasks in both files.
fn set_up() -> Result<tempfile::TempDir, String> {
    let dir = tempfile::tempdir().map_err(text)?;
    fs_err::create_dir_all(dir.path().join(".ralph/cache")).map_err(text)?;
    let time = "2026-01-01T00:00:00Z";
    let task = |number: u32, status: &str| {
        let mut task = serde_json::json!({
            "id": format!("RQ-{number:04}"),
            "status": status,
            "title": format!("task {number}"),
            "created_at": time,
            "updated_at": time,
        });
        if status == "done" {
            task["completed_at"] = Value::from(time);
        }
        task
    };
    let (open, finished) = (1..=3, 4..=5);
    let tasks = open.map(|n| task(n, "todo")).chain(finished.map(|n| task(n, "done")));
    for (name, tasks) in [("queue", tasks.collect::<Vec<Value>>()), ("done", vec![task(6, "done")])]
    {
        let file = serde_json::json!({ "version": 1, "tasks": tasks });
        let file = serde_json::to_vec_pretty(&file).map_err(text)?;
        fs_err::write(path(dir.path(), name), file).map_err(text)?;
    }
    fs_err::write(dir.path().join("import.json"), r#"[{"title": "a"}, {"title": "b"}]"#)
        .map_err(text)?;
    Ok(dir)
}

/// The repository that the directory is a linked work tree of, within it so that both are copied.
const MAIN: &str = "main";

/// Makes the directory a work tree linked to a repository with the same queue.
fn link(dir: &Path) -> Result<(), String> {
    let main = dir.join(MAIN);
    fs_err::create_dir_all(main.join(".ralph")).map_err(text)?;
    for name in ["queue", "done"] {
        fs_err::copy(path(dir, name), path(&main, name)).map_err(text)?;
    }
    let git = |args: &[&str]| {
        let mut git = cargo::program("git");
        git.current_dir(&main).args(["-c", "user.name=x", "-c", "user.email=x@x"]).args(args);
        git.env("HOME", dir).env("GIT_CONFIG_NOSYSTEM", "1").env_remove("XDG_CONFIG_HOME");
        succeeds(git).map(drop)
    };
    git(&["init", "--quiet", "--initial-branch", "main"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message", "queue"])?;
    git(&["worktree", "add", "--quiet", "--no-checkout", "-b", "linked", "../linked"])?;
    // By a relative path, so that a copy is linked to the copy of the repository.
    fs_err::remove_dir_all(dir.join("linked")).map_err(text)?;
    let own = format!("{MAIN}/.git/worktrees/linked");
    fs_err::write(dir.join(".git"), format!("gitdir: {own}\n")).map_err(text)?;
    fs_err::write(dir.join(own).join("gitdir"), "../../../../.git\n").map_err(text)
}

fn ralph_in(ralph: &Path, dir: &Path, args: &[&str]) -> Command {
    let mut command = cargo::program(ralph);
    command.current_dir(dir).args(args).env("HOME", dir).env_remove("XDG_CONFIG_HOME");
    command
}

fn succeeds(mut command: Command) -> Result<Output, String> {
    let output = command.output().map_err(text)?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} ended with {}: {said}", output.status))
}

/// Runs `command` on copies of `dir` and kills it at each of its calls. `check` gets the directory
/// and the ids that were in the files and are to stay; what it finds wrong is returned.
fn killed_everywhere(
    options: &Options,
    dir: &Path,
    command: &Killed<'_>,
    check: &Check<'_>,
) -> Result<(usize, Vec<String>), String> {
    let undisturbed = copied(dir)?;
    let calls = calls(options, undisturbed.path(), command)?;
    // An undo may take tasks away; those that it keeps are the ones to look for.
    let ids = &all_ids(dir)? & &all_ids(undisturbed.path())?;
    let kill = |call: &Call| -> Result<Option<String>, String> {
        let copy = copied(dir)?;
        let mut strace = cargo::program("strace");
        strace.args(["-o", "/dev/null", "-e", &format!("trace={}", call.name)]);
        let kill = format!("inject={}:signal=KILL:when={}", call.name, call.nth);
        under(strace.args(["-e", &kill]), &command(copy.path())?)?;
        let fault = check(copy.path(), &ids).err();
        Ok(fault.map(|fault| format!("{} number {}: {fault}", call.name, call.nth)))
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let share = calls.len().div_ceil(workers).max(1);
    let found = thread::scope(|scope| {
        let workers: Vec<_> = calls
            .chunks(share)
            .map(|calls| scope.spawn(|| calls.iter().map(kill).collect::<Result<Vec<_>, _>>()))
            .collect();
        let joined =
            workers.into_iter().map(|it| it.join().map_err(|_| "a check panicked".to_owned())?);
        joined.collect::<Result<Vec<_>, String>>()
    })?;
    Ok((calls.len(), found.into_iter().flatten().flatten().collect()))
}

fn all_ids(dir: &Path) -> Result<BTreeSet<String>, String> {
    Ok(ids(dir, "queue")?.into_iter().chain(ids(dir, "done")?).collect())
}

/// The calls of an undisturbed run, from the first that is about the queue.
fn calls(options: &Options, dir: &Path, command: &Killed<'_>) -> Result<Vec<Call>, String> {
    let trace = dir.join("trace");
    let mut strace = cargo::program("strace");
    let status = under(strace.arg("-o").arg(&trace).args(["-e", "signal=none"]), &command(dir)?)?;
    if !status.success() {
        return Err(format!("an undisturbed command ended with {status}"));
    }
    let trace = fs_err::read_to_string(&trace).map_err(text)?;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut is_inside = false;
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((name, _)) = line.split_once('(') else { continue };
        let nth = seen.entry(name).or_default();
        *nth += 1;
        is_inside |= line.contains(".jsonc");
        let is_memory = ["brk", "mmap", "munmap", "mremap", "madvise"].contains(&name);
        let is_wanted = if options.is_quick { CHANGING.contains(&name) } else { !is_memory };
        if is_inside && is_wanted {
            calls.push(Call { name: name.to_owned(), nth: *nth });
        }
    }
    Ok(calls)
}

fn under(strace: &mut Command, command: &Command) -> Result<std::process::ExitStatus, String> {
    strace.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        strace.current_dir(dir);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(text)
}

fn copied(dir: &Path) -> Result<tempfile::TempDir, String> {
    let copy = tempfile::tempdir().map_err(text)?;
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        for entry in fs_err::read_dir(dir.join(&below)).map_err(text)? {
            let entry = entry.map_err(text)?;
            let name = below.join(entry.file_name());
            if entry.file_type().map_err(text)?.is_dir() {
                fs_err::create_dir(copy.path().join(&name)).map_err(text)?;
                open.push(name);
            } else {
                fs_err::copy(entry.path(), copy.path().join(&name)).map_err(text)?;
            }
        }
    }
    Ok(copy)
}

fn read(dir: &Path, name: &str) -> Result<Value, String> {
    let bytes = fs_err::read(path(dir, name)).map_err(text)?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{name}.jsonc: {error}"))
}

fn ids(dir: &Path, name: &str) -> Result<Vec<String>, String> {
    if name == "done" && !path(dir, name).exists() {
        return Ok(Vec::new());
    }
    let file = read(dir, name)?;
    let tasks = file["tasks"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(tasks.iter().filter_map(|task| task["id"].as_str().map(str::to_owned)).collect())
}

/// Whether each of `ids` is in one of the files at least.
fn nothing_lost(dir: &Path, ids: &BTreeSet<String>) -> Result<(), String> {
    let there = [self::ids(dir, "queue")?, self::ids(dir, "done")?].concat();
    match ids.iter().find(|id| !there.contains(id)) {
        Some(id) => Err(format!("{id} is in neither file")),
        None => Ok(()),
    }
}

/// The id, status and title of every task, as readers see them.
fn listed(ralph: &Path, dir: &Path) -> Result<Vec<[String; 3]>, String> {
    let list = ["queue", "list", "--include-done", "--all", "--json"];
    let listed = succeeds(ralph_in(ralph, dir, &list))?;
    let listed: Value = serde_json::from_slice(&listed.stdout).map_err(text)?;
    let items = listed["items"].as_array().map_or(&[][..], Vec::as_slice);
    let word = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let mut listed: Vec<_> =
        items.iter().map(|item| ["id", "status", "title"].map(|name| word(item, name))).collect();
    // An archive moves tasks, and changes none.
    listed.sort();
    Ok(listed)
}

/// Whether readers see each task once, and the next edit leaves the files as they should be.
fn mended(
    ralph: &Path,
    dir: &Path,
    ids: &BTreeSet<String>,
    listed: &[[String; 3]],
) -> Result<(), String> {
    for id in ids {
        let times = listed.iter().filter(|[listed, ..]| listed == id).count();
        if times != 1 {
            return Err(format!("{id} is listed {times} times"));
        }
    }
    succeeds(ralph_in(ralph, dir, &["task", "field", "seen", "yes", "RQ-0001"]))?;
    nothing_lost(dir, ids)?;
    let (queue, done) = (self::ids(dir, "queue")?, self::ids(dir, "done")?);
    if let Some(id) = queue.iter().find(|id| done.contains(id)) {
        return Err(format!("{id} is still in both files after the next edit"));
    }
    for entry in fs_err::read_dir(dir.join(".ralph")).map_err(text)? {
        let name = entry.map_err(text)?.file_name();
        if name.to_string_lossy().ends_with(".tmp") {
            return Err(format!("`{}` is left behind", name.display()));
        }
    }
    succeeds(ralph_in(ralph, dir, &["queue", "validate"])).map(drop)
}

/// Whether both work trees still give each id and each task once.
fn agreed(ralph: &Path, dir: &Path) -> Result<(), String> {
    let main = dir.join(MAIN);
    let both = || Ok::<_, String>([all_ids(dir)?, all_ids(&main)?]);
    let before = both()?;
    for tree in [dir, &main] {
        succeeds(ralph_in(ralph, tree, &["task", "add", "another"]))?;
    }
    let [own, of_main] = both()?;
    let (own, of_main) = (&own - &before[0], &of_main - &before[1]);
    if own.len() != 1 || of_main.len() != 1 || own == of_main || !of_main.is_disjoint(&before[0]) {
        return Err(format!("the next ids are {own:?} here and {of_main:?} in the repository"));
    }
    let claim = ["queue", "claim", "--id", "RQ-0003"];
    succeeds(ralph_in(ralph, &main, &claim))?;
    match succeeds(ralph_in(ralph, dir, &claim)) {
        Ok(_) => Err("a task that is claimed in the repository was given once more".to_owned()),
        Err(_) => Ok(()),
    }
}
