//! `cargo xtask api`: the public names of the crates that others embed.

use std::process::ExitCode;

use crate::cargo;

/// The crates, each with its listing in `public-api.txt`.
const CRATES: [&str; 1] = ["ralph-state"];

/// Compares the names with the listings; `--bless` makes the listings anew, for a reviewer to read.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let bless = match args {
        [] => false,
        [flag] if flag == "--bless" => true,
        _ => {
            eprintln!("Usage: cargo xtask api [--bless]");
            return ExitCode::from(2);
        }
    };
    if !cargo::has("public-api") {
        println!("SKIPPED: this machine has no `cargo public-api`");
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for name in CRATES {
        match check(name, bless) {
            Ok(names) => println!("{name}: {names} names, as listed"),
            Err(error) => {
                println!("{name}: FAILED: {error}");
                failed += 1;
            }
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(name: &str, bless: bool) -> Result<usize, String> {
    // Only nightly lists names; the pinned toolchain is in the environment by now.
    let mut command = cargo::program("cargo");
    command.env_remove("RUSTUP_TOOLCHAIN");
    command.args(["+nightly", "public-api", "--package", name, "-sss", "--all-features"]);
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let listing = cargo::root().join("crates").join(name).join("public-api.txt");
    if bless {
        fs_err::write(&listing, &output.stdout).map_err(|error| error.to_string())?;
    }
    let listed = fs_err::read_to_string(&listing).map_err(|error| error.to_string())?;
    let found = String::from_utf8_lossy(&output.stdout);
    let lines =
        |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let (listed, found) = (lines(&listed), lines(&found));
    let gone = listed.difference(&found).map(|line| format!("gone: {line}\n"));
    let new = found.difference(&listed).map(|line| format!("new: {line}\n"));
    let changes: String = gone.chain(new).collect();
    if changes.is_empty() { Ok(found.len()) } else { Err(changes) }
}
