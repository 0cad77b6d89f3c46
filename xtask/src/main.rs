//! The door to every check: `cargo xtask` lists them.
//!
//! Never: knows anything about Ralph that a test could know; it starts the
//! tests and adds up what they say.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod agents;
mod api;
mod bench;
mod cargo;
mod crash;
mod fuzz;
mod migrations;
mod released;
mod test;
mod tidy;

use std::process::ExitCode;

/// One check: its name, what to say about it, and what to do with the
/// arguments behind the name.
struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> ExitCode,
}

const CHECKS: &[Check] = &[
    Check {
        name: "test",
        about: "Everything: format, lints, docs, tests, goldens",
        run: test::run,
    },
    Check {
        name: "e2e",
        about: "The program itself on real repositories, killed at every step",
        run: test::e2e,
    },
    Check {
        name: "test-migrations",
        about: "Every released version of every document, against goldens",
        run: migrations::run,
    },
    Check {
        name: "released",
        about: "What 0.4.0 itself writes, prints and accepts, by a program of it that is there",
        run: released::run,
    },
    Check {
        name: "crash",
        about: "Kills, errors and power cuts at every step of a save, and of a move in the queue",
        run: crash::run,
    },
    Check {
        name: "embedding",
        about: "ralph-state in a program with all features of serde_json",
        run: migrations::embedding,
    },
    Check {
        name: "bench",
        about: "What durability and a large queue cost, next to the same work by others",
        run: bench::run,
    },
    Check {
        name: "agents",
        about: "The real agents, installed from npm, asking a scripted model",
        run: agents::run,
    },
    Check {
        name: "fuzz",
        about: "Any bytes as any of Ralph's own files, for a while",
        run: fuzz::run,
    },
    Check {
        name: "api",
        about: "The public names of the crates that others embed, against their listing",
        run: api::run,
    },
    Check {
        name: "tidy",
        about: "Rules of this repository that no compiler knows",
        run: tidy::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = args.split_first() else {
        print!("{}", help());
        return ExitCode::SUCCESS;
    };
    if ["help", "-h", "--help"].contains(&name.as_str()) {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    if let Some(check) = CHECKS.iter().find(|check| check.name == name) {
        return (check.run)(rest);
    }
    eprint!("no such check: `{name}`\n\n{}", help());
    ExitCode::from(2)
}

fn help() -> String {
    let checks = CHECKS.iter().map(|Check { name, about, .. }| format!("  {name:<16} {about}\n"));
    std::iter::once("Usage: cargo xtask CHECK [ARGUMENTS]\n\n".to_owned()).chain(checks).collect()
}
