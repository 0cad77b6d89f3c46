//! `cargo xtask test`: every check there is, one after the other.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cargo::{self, Counts};

/// One step: cargo with these arguments.
struct Step {
    name: &'static str,
    args: &'static [&'static str],
    env: Option<(&'static str, &'static str)>,
    /// Whether the step needs a cargo subcommand that a machine may lack.
    needs: Option<&'static str>,
}

const STEPS: &[Step] = &[
    Step { name: "format", args: &["fmt", "--all", "--check"], env: None, needs: Some("fmt") },
    Step {
        name: "lints",
        args: &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
        env: None,
        needs: Some("clippy"),
    },
    // What is shipped: features that only tests turn on hide code from the step above.
    Step {
        name: "lints, shipped",
        args: &["clippy", "--workspace", "--", "-D", "warnings"],
        env: None,
        needs: Some("clippy"),
    },
    Step {
        name: "docs",
        args: &["doc", "--workspace", "--no-deps"],
        env: Some(("RUSTDOCFLAGS", "-D warnings")),
        needs: None,
    },
    // The same inputs each time, so that what passed once passes again; CONTRIBUTING.md says how to
    // look further.
    Step {
        name: "tests",
        args: &["test", "--workspace", "--all-features", "--no-fail-fast"],
        env: Some(("PROPTEST_RNG_SEED", "1")),
        needs: None,
    },
    // In a workspace of its own, so that other features of serde_json are on.
    Step {
        name: "embedding",
        args: &["test", "--manifest-path", "crates/ralph-state/embedding/Cargo.toml"],
        env: None,
        needs: None,
    },
    Step { name: "public items", args: &["xtask", "api"], env: None, needs: None },
    // The layers that no test runs; `cargo xtask crash` runs them for longer, and on real disks.
    Step {
        name: "crash",
        args: &["xtask", "crash", "syscalls", "storm", "queue", "--launches", "500", "--quick"],
        env: None,
        needs: None,
    },
    Step {
        name: "fuzz",
        args: &["xtask", "fuzz", "--runs", "20000", "--seed", "1"],
        env: None,
        needs: Some("fuzz"),
    },
    // Says itself, and loudly, when npm is missing or does not get at its registry.
    Step { name: "agents", args: &["xtask", "agents"], env: None, needs: None },
    Step {
        name: "dependencies",
        args: &["deny", "check", "bans", "licenses", "sources"],
        env: None,
        needs: Some("deny"),
    },
];

enum Outcome {
    Passed,
    Failed,
    /// Nothing was checked, for this reason.
    Skipped(String),
}

struct Done {
    name: &'static str,
    outcome: Outcome,
    counts: Counts,
    wall: Duration,
}

/// Runs all steps, or those named; a failed step does not stop the next.
pub(crate) fn run(args: &[String]) -> ExitCode {
    if let Some(unknown) = args.iter().find(|arg| STEPS.iter().all(|step| step.name != **arg)) {
        let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        eprintln!("no such step: `{unknown}`; there are: {}", names.join(", "));
        return ExitCode::from(2);
    }
    let chosen =
        STEPS.iter().filter(|step| args.is_empty() || args.iter().any(|arg| arg == step.name));
    let done: Vec<Done> = chosen.map(run_step).collect();
    println!("\n{}", summary(&done));
    match total(&done).failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Runs the tests of the program as a whole, of which `args` may name some, and
/// shows what each counted.
pub(crate) fn e2e(args: &[String]) -> ExitCode {
    let mut command = cargo::command(["test", "--package", "ralph-cli", "--all-features"]);
    command.args(["--test", "integration", "--", "--nocapture", "e2e"]).args(args);
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_step(step: &Step) -> Done {
    let &Step { name, args, env, needs } = step;
    println!("\n=== {name}: cargo {}", args.join(" "));
    let start = Instant::now();
    let done = |outcome, counts| Done { name, outcome, counts, wall: start.elapsed() };
    if let Some(missing) = needs.filter(|needed| !cargo::has(needed)) {
        println!("SKIPPED: this machine has no `cargo {missing}`");
        return done(Outcome::Skipped(format!("no `cargo {missing}` here")), Counts::default());
    }
    let mut command = cargo::command(args.iter().copied());
    command.envs(env);
    match cargo::run_counted(command) {
        Ok((true, counts)) if counts.skipped > 0 && counts.passed + counts.failed == 0 => {
            done(Outcome::Skipped("as it says above".to_owned()), Counts::default())
        }
        Ok((true, counts)) if counts.failed == 0 => done(Outcome::Passed, counts),
        Ok((_, counts)) => done(Outcome::Failed, counts),
        Err(error) => {
            eprintln!("cannot run cargo: {error}");
            done(Outcome::Failed, Counts::default())
        }
    }
}

/// The sum of the test runners' counts. A step that failed without any test of
/// its own having failed (a lint, a compile error) counts as one failure.
fn total(done: &[Done]) -> Counts {
    let mut total = Counts::default();
    for Done { outcome, counts, .. } in done {
        total += *counts;
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed => total.failed += u64::from(counts.failed == 0),
            Outcome::Skipped(_) => total.skipped += 1,
        }
    }
    total
}

fn summary(done: &[Done]) -> String {
    let rows: String = done.iter().map(row).collect();
    format!(
        "{rows}
{}",
        total(done)
    )
}

fn row(done: &Done) -> String {
    let Done { name, outcome, counts, wall } = done;
    let verdict = match outcome {
        Outcome::Passed => "ok".to_owned(),
        Outcome::Failed => "FAILED".to_owned(),
        Outcome::Skipped(why) => format!("SKIPPED, {why}"),
    };
    let tests = if *counts == Counts::default() { String::new() } else { format!("  ({counts})") };
    format!("{name:<14} {:>5} s  {verdict}{tests}\n", wall.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(outcome: Outcome, passed: u64, failed: u64) -> Done {
        let counts = Counts { passed, failed, skipped: 0 };
        Done { name: "step", outcome, counts, wall: Duration::from_secs(3) }
    }

    #[test]
    fn the_last_line_adds_up_the_runners() {
        let all =
            [done(Outcome::Passed, 0, 0), done(Outcome::Passed, 5, 0), done(Outcome::Failed, 3, 2)];
        let last = summary(&all).lines().last().map(str::to_owned);
        assert_eq!(last.as_deref(), Some("8 passed, 2 failed"));
    }

    #[test]
    fn a_step_without_tests_can_fail_too() {
        let all =
            [done(Outcome::Failed, 0, 0), done(Outcome::Skipped("no deny here".to_owned()), 0, 0)];
        assert_eq!(total(&all), Counts { passed: 0, failed: 1, skipped: 1 });
        assert!(summary(&all).contains("SKIPPED, no deny here"));
    }
}
