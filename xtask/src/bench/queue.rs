//! `cargo xtask bench queue`: what commands on a large queue take, next to Ralph 0.4.0 and to
//! `serde_json` reading the same file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::{in_turns, median, shortest, this_program};
use crate::cargo;

/// Commands that write nothing.
const READS: [&[&str]; 24] = [
    &["queue", "next"],
    &["queue", "list", "--limit", "20"],
    &["queue", "show", "RQ-0500"],
    &["queue", "validate"],
    &["queue", "explain"],
    &["queue", "tree"],
    &["queue", "aging"],
    &["queue", "export", "--format", "csv"],
    &["queue", "export", "--format", "json"],
    &["queue", "list", "--limit", "0"],
    &["queue", "list", "--limit", "0", "--format", "text"],
    &["queue", "search", "forum", "--fuzzy"],
    &["queue", "search", "forum", "--limit", "0", "--format", "text"],
    &["queue", "ready"],
    &["queue", "graph"],
    &["queue", "graph", "--format", "json"],
    &["queue", "repair", "--dry-run"],
    &["queue", "sort", "--dry-run"],
    &["task", "children", "RQ-0001"],
    &["queue", "stats"],
    &["queue", "ready", "--parallel", "8"],
    &["queue", "archive", "--dry-run"],
    &["queue", "check", "--base", "HEAD"],
    &["task", "batch", "status", "done", "--tag-filter", "tag1", "--dry-run"],
];
/// What reads a queue that lacks a task that another names, and says so.
const REFUSED: [&[&str]; 2] = [&["queue", "validate"], &["queue", "check", "--base", "HEAD"]];
/// Commands that change the queue each time; `ID` is another task each time, which none names.
const EDITS: [&[&str]; 8] = [
    &["task", "start", "RQ-0500", "--reset"],
    &["queue", "claim", "--next"],
    &["queue", "import", "--input", "one.csv"],
    &["queue", "import", "--input", "one.json"],
    &["task", "batch", "delete", "ID"],
    &["task", "split", "ID"],
    &["task", "clone", "RQ-0500"],
    &["task", "add", "One more"],
];
/// The files that are imported.
const IMPORTED: [(&str, &str); 2] =
    [("one.csv", "title,tags\nOne more,a\n"), ("one.json", "[{\"title\": \"One more\"}]\n")];
/// How many tasks have a wrong id, in a file on one line.
const WRONG: usize = 20_000;
/// What 0.4.0 is asked, too, at a size that its ids reach.
const COMPARED: usize = 4;
const COMPARED_TASKS: usize = 9_000;

pub(super) fn run(args: &[String]) -> Result<(), String> {
    let given = match args {
        [] => None,
        [flag, path] if flag == "--old" => Some(PathBuf::from(path)),
        _ => return Err("Usage: cargo xtask bench queue [--old PATH_TO_RALPH_0.4.0]".to_owned()),
    };
    let mut build = cargo::command(["build", "--quiet", "--release", "--package", "ralph-cli"]);
    if !build.status().map_err(text)?.success() {
        return Err("`ralph` cannot be built".to_owned());
    }
    let ralph = this_program()?.with_file_name("ralph");
    match given.map_or_else(install, Ok) {
        Ok(old) => compare(&ralph, &old)?,
        Err(why) => println!("NOT COMPARED with 0.4.0: {why}"),
    }
    let sizes: Vec<Vec<Cost>> = [1_000, 10_000, 100_000]
        .into_iter()
        .map(|tasks| grow(&ralph, tasks))
        .collect::<Result<_, _>>()?;
    println!("microseconds a task, with 1,000, 10,000 and 100,000 of them");
    for (at, Cost { what, .. }) in sizes[0].iter().enumerate() {
        let costs = sizes.iter().map(|costs| format!("{:8.1}", costs[at].micros_a_task));
        println!("  {what:<28} {}", costs.collect::<Vec<_>>().join(" "));
    }
    wrong(&ralph)
}

/// What a command takes on a queue of one size.
struct Cost {
    what: String,
    micros_a_task: f64,
}

/// 0.4.0, built once.
fn install() -> Result<PathBuf, String> {
    let root = cargo::root().join("target/ralph-0.4.0");
    let ralph = root.join("bin/ralph");
    if !ralph.is_file() {
        println!("Building Ralph 0.4.0, once; `--old PATH` takes one that is there.");
        let mut install = cargo::command(["install", "--quiet", "--locked", "--root"]);
        install.arg(&root).arg("ralph-agent-loop@0.4.0");
        if !install.status().map_err(text)?.success() {
            return Err("`cargo install ralph-agent-loop@0.4.0` failed".to_owned());
        }
    }
    Ok(ralph)
}

fn compare(ralph: &Path, old: &Path) -> Result<(), String> {
    let [ours, theirs] = [repository(COMPARED_TASKS)?, repository(COMPARED_TASKS)?];
    println!("{COMPARED_TASKS} tasks, {}; this Ralph, 0.4.0", size(ours.path())?);
    for args in [&["--version"][..]].iter().chain(&READS[..COMPARED]) {
        let [one, two] = in_turns(
            15,
            || succeeds(in_dir(ralph, ours.path(), args)),
            || succeeds(in_dir(old, theirs.path(), args)),
        );
        beside(args, shortest(&one), shortest(&two));
    }
    // An edit ends on the disk, where every time counts; each time another task.
    let (mut one, mut two) = (1_000.., 1_000..);
    let [one, two] = in_turns(
        9,
        || start(ralph, ours.path(), one.next()),
        || start(old, theirs.path(), two.next()),
    );
    beside(&["task", "start"], median(&one), median(&two));
    Ok(())
}

fn start(program: &Path, dir: &Path, number: Option<u32>) {
    let id = format!("RQ-{}", number.unwrap_or_default());
    succeeds(in_dir(program, dir, &["task", "start", &id]));
}

fn grow(ralph: &Path, tasks: usize) -> Result<Vec<Cost>, String> {
    let dir = repository(tasks)?;
    commit(dir.path())?;
    let bytes = fs_err::read(queue_in(dir.path())).map_err(text)?;
    let [parse, _] = in_turns(
        5,
        || serde_json::from_slice::<File>(&bytes).expect("it is JSON").tasks.len(),
        || (),
    );
    let parse = shortest(&parse);
    println!(
        "{tasks} tasks, {}; `serde_json` into the same types: {:.1} ms",
        size(dir.path())?,
        ms(parse)
    );
    let run = |args: &[&str]| succeeds(in_dir(ralph, dir.path(), args));
    // To look for the peak takes a processor of its own.
    let peak = |args: &[&str]| peak(in_dir(ralph, dir.path(), args), 0);
    let mut costs = Vec::new();
    let mut tell = |args: &[&str], most: u64, time: Duration| {
        let what = args.join(" ");
        let micros_a_task = ms(time) * 1e3 / u32::try_from(tasks).map_or(f64::NAN, f64::from);
        println!(
            "  {what:<28} {:8.1} ms, {:5.2} of the parse, {most:4} MB",
            ms(time),
            time.as_secs_f64() / parse.as_secs_f64(),
        );
        costs.push(Cost { what, micros_a_task });
    };
    for args in READS {
        let most = peak(args)?;
        let [times, _] = in_turns(7, || run(args), || ());
        tell(args, most, shortest(&times));
    }
    let named = [502, 503].map(|number| format!("    {{\n      \"id\": \"RQ-{number:04}\""));
    let whole = String::from_utf8_lossy(&bytes);
    let [from, to] = named.map(|begin| whole.find(&begin).unwrap_or_default());
    let lacking = [&bytes[..from], &bytes[to..]].concat();
    fs_err::write(queue_in(dir.path()), lacking).map_err(text)?;
    for args in REFUSED {
        let most = self::peak(in_dir(ralph, dir.path(), args), 3)?;
        let [times, _] = in_turns(7, || ends(in_dir(ralph, dir.path(), args), 3), || ());
        tell(&[args, &["(1 lost)"]].concat(), most, shortest(&times));
    }
    fs_err::write(queue_in(dir.path()), &bytes).map_err(text)?;
    for (name, rows) in IMPORTED {
        fs_err::write(dir.path().join(name), rows).map_err(text)?;
    }
    let mut others = (506..).step_by(5).map(|number| format!("RQ-{number:04}"));
    let mut edit = |args: &[&str]| {
        let other = others.next().expect("they have no end");
        let args: Vec<&str> =
            args.iter().map(|arg| if *arg == "ID" { other.as_str() } else { arg }).collect();
        in_dir(ralph, dir.path(), &args)
    };
    for args in EDITS {
        let most = self::peak(edit(args), 0)?;
        let [times, _] = in_turns(7, || succeeds(edit(args)), || ());
        tell(args, most, median(&times));
    }
    let most = [peak(&["undo"])?, peak(&["redo"])?];
    let [undone, redone] = in_turns(7, || run(&["undo"]), || run(&["redo"]));
    tell(&["undo"], most[0], median(&undone));
    tell(&["redo"], most[1], median(&redone));
    Ok(costs)
}

/// What is wrong with many tasks of a file on one line.
fn wrong(ralph: &Path) -> Result<(), String> {
    let dir = repository(WRONG)?;
    let lines = fs_err::read_to_string(queue_in(dir.path())).map_err(text)?;
    let line: String = lines.lines().map(str::trim_start).collect();
    fs_err::write(queue_in(dir.path()), line.replace("RQ-", "XX-")).map_err(text)?;
    println!("{WRONG} tasks with wrong ids, on one line");
    let commands: [(&[&str], i32); 2] =
        [(&["queue", "validate"], 3), (&["queue", "repair", "--dry-run"], 0)];
    for (args, code) in commands {
        let most = peak(in_dir(ralph, dir.path(), args), code)?;
        let [times, _] = in_turns(3, || ends(in_dir(ralph, dir.path(), args), code), || ());
        println!("  {:<28} {:8.1} ms, {most:4} MB", args.join(" "), ms(shortest(&times)));
    }
    Ok(())
}

fn beside(args: &[&str], ours: Duration, theirs: Duration) {
    println!(
        "  {:<28} {:8.1} ms, {:8.1} ms: {:5.1} times faster",
        args.join(" "),
        ms(ours),
        ms(theirs),
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn in_dir(program: &Path, dir: &Path, args: &[&str]) -> Command {
    let mut command = cargo::program(program);
    command.current_dir(dir).args(args).env("HOME", dir).env_remove("XDG_CONFIG_HOME");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn succeeds(command: Command) {
    ends(command, 0);
}

/// Runs it to its end, which is to be with that exit code.
fn ends(mut command: Command, code: i32) {
    let status = command.status();
    assert!(
        status.as_ref().is_ok_and(|status| status.code() == Some(code)),
        "{command:?}: {status:?}"
    );
}

/// The most memory that it has at a time, in MB, as far as looking at it again and again tells.
fn peak(mut command: Command, code: i32) -> Result<u64, String> {
    let mut child = command.spawn().map_err(text)?;
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        let status = fs_err::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        most = most.max(now.unwrap_or(0));
        if let Some(status) = child.try_wait().map_err(text)? {
            return if status.code() == Some(code) {
                Ok(most / 1000)
            } else {
                Err(format!("{command:?}: {status}"))
            };
        }
        std::thread::yield_now();
    }
}

fn size(dir: &Path) -> Result<String, String> {
    let bytes = fs_err::metadata(queue_in(dir)).map_err(text)?.len();
    Ok(format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10))
}

fn queue_in(dir: &Path) -> PathBuf {
    dir.join(".ralph/queue.jsonc")
}

/// A repository with so many tasks as 0.4.0 writes them, about 600 bytes each.
fn repository(tasks: usize) -> Result<tempfile::TempDir, String> {
    let dir = tempfile::tempdir().map_err(text)?;
    fs_err::create_dir_all(dir.path().join(".ralph")).map_err(text)?;
    fs_err::create_dir(dir.path().join(".git")).map_err(text)?;
    let mut file = String::from("{\n  \"version\": 1,\n  \"tasks\": [");
    for number in 1..=tasks {
        // 0.4.0 knows no id of five digits.
        let waits = match number % 5 {
            0 => format!("\n        \"RQ-{:04}\"\n      ", number - 3),
            _ => String::new(),
        };
        let comma = if number == 1 { "" } else { "," };
        // One after the other, so that to sort them moves most.
        let priority = ["low", "medium", "high"][number % 3];
        write!(
            file,
            r#"{comma}
    {{
      "id": "RQ-{number:04}",
      "status": "todo",
      "title": "Task number {number} of many, about module {}",
      "description": "It was asked for in the forum, and again in a mail; what it needs is said below, and what it must not break as well.",
      "priority": "{priority}",
      "tags": [
        "bench",
        "tag{}"
      ],
      "scope": [
        "src/module_{}.rs"
      ],
      "evidence": [
        "The forum, the mail"
      ],
      "plan": [
        "First do one thing",
        "Then another"
      ],
      "notes": [],
      "request": "Please do it",
      "created_at": "2026-01-01T00:00:00Z",
      "updated_at": "2026-01-02T00:00:00Z",
      "depends_on": [{waits}]
    }}"#,
            number % 50,
            number % 7,
            number % 50,
        )
        .map_err(text)?;
    }
    file.push_str("\n  ]\n}\n");
    fs_err::write(queue_in(dir.path()), file).map_err(text)?;
    Ok(dir)
}

/// Puts the queue into a repository of git.
fn commit(dir: &Path) -> Result<(), String> {
    fs_err::remove_dir(dir.join(".git")).map_err(text)?;
    let calls: [&[&str]; 3] = [
        &["init", "--quiet"],
        &["add", ".ralph/queue.jsonc"],
        &["-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-qm", "queue"],
    ];
    for args in calls {
        succeeds(in_dir(Path::new("git"), dir, args));
    }
    Ok(())
}

/// The fields of the file, for `serde_json` to read.
#[derive(Deserialize)]
struct File {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is read is not looked at")]
struct Task {
    id: String,
    status: String,
    title: String,
    description: Option<String>,
    priority: String,
    tags: Vec<String>,
    scope: Vec<String>,
    evidence: Vec<String>,
    plan: Vec<String>,
    notes: Vec<String>,
    request: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    depends_on: Vec<String>,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
