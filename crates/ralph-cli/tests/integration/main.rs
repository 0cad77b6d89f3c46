//! The real `ralph` binary, run in sandboxes.

mod bad_input;
mod branch;
mod claim;
mod cli;
mod config;
mod doctor;
mod e2e;
mod edit;
mod exchange;
mod init;
mod migrate;
mod output;
mod queue;
mod released;
mod runner;
mod task;
mod tidy;
mod undo;
mod views;

use std::path::{Path, PathBuf};

use ralph_testkit::{Ran, Sandbox};
use serde_json::Value;

const RALPH: &str = env!("CARGO_BIN_EXE_ralph");

/// A git repository to run `ralph` in.
struct Desk {
    sandbox: Sandbox,
    dir: PathBuf,
}

impl Desk {
    /// A repository without Ralph's files.
    fn bare() -> Self {
        let sandbox = Sandbox::new();
        let dir = sandbox.repo("work").dir().to_owned();
        Self { sandbox, dir }
    }

    /// A repository after `ralph init`.
    fn new() -> Self {
        let desk = Self::bare();
        desk.ralph(&["init"]).success();
        desk
    }

    /// A repository after `ralph init` whose queue file is `text`.
    fn with_queue(text: impl AsRef<[u8]>) -> Self {
        let desk = Self::new();
        desk.write(".ralph/queue.jsonc", text);
        desk
    }

    fn ralph(&self, args: &[&str]) -> Ran {
        self.sandbox.run(RALPH, &self.dir, args)
    }

    /// Runs `ralph` with a variable set.
    fn ralph_with(&self, name: &str, value: &str, args: &[&str]) -> Ran {
        let mut command = self.sandbox.command(RALPH, &self.dir);
        command.args(args).env(name, value);
        self.sandbox.start_command(command).wait(std::time::Duration::from_mins(1))
    }

    /// Runs a shell line in which `$RALPH` is the binary.
    fn sh(&self, line: &str) -> Ran {
        let line = format!("RALPH='{RALPH}'; {line}");
        self.sandbox.run("sh", &self.dir, ["-c", &line])
    }

    /// The document that a successful command prints with `--json`.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let ran = self.ralph(&[args, &["--json"]].concat());
        assert_eq!(ran.success().stderr, "", "{ran}");
        parse(&ran.stdout)
    }

    /// The error that a failing command prints with `--json`, after its exit
    /// code was checked.
    #[track_caller]
    fn error(&self, args: &[&str], code: i32) -> Value {
        let ran = self.ralph(&[args, &["--json"]].concat());
        assert_eq!(ran.exited(code).stdout, "", "{ran}");
        parse(&ran.stderr)["error"].clone()
    }

    /// Adds a task and returns its id.
    #[track_caller]
    fn add(&self, title: &str, args: &[&str]) -> String {
        let ran = self.ralph(&[&["task", "add", title], args].concat());
        ran.success().stdout.trim_end().to_owned()
    }

    fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.join(relative)
    }

    #[track_caller]
    fn read(&self, relative: &str) -> String {
        fs_err::read_to_string(self.path(relative)).expect("a text file")
    }

    fn write(&self, relative: &str, text: impl AsRef<[u8]>) {
        self.sandbox.write(self.path(relative), text);
    }

    #[track_caller]
    fn git(&self, args: &[&str]) -> String {
        self.sandbox.git(&self.dir, args)
    }
}

#[track_caller]
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Every file of this directory is part of the test binary.
#[test]
fn no_file_is_forgotten() {
    let main = include_str!("main.rs");
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration");
    for entry in fs_err::read_dir(dir).expect("the directory of this file") {
        let name = entry.expect("readable").file_name();
        let name = name.to_str().expect("text");
        let stem = name.strip_suffix(".rs").unwrap_or(name);
        assert!(stem == "main" || main.contains(&format!("\nmod {stem};")), "{name}");
    }
}
