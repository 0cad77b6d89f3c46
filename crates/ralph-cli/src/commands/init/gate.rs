//! Guesses the command that checks a repository, from the files it has.

use std::path::Path;

use serde_json::Value;

use super::read;
use crate::error::CliError;

/// A gate to propose, with the reason to tell the user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Gate {
    pub(super) argv: &'static [&'static str],
    pub(super) because: &'static str,
}

/// The first gate whose sign is found, the most deliberate sign first: a `ci`
/// target was written to be the gate, a manifest only implies a test command.
pub(super) fn detect(root: &Path) -> Result<Option<Gate>, CliError> {
    let mut makefile = None;
    for name in ["GNUmakefile", "makefile", "Makefile"] {
        makefile = makefile.or(text(&root.join(name))?);
    }
    let makefile = makefile.unwrap_or_default();
    if has_target(&makefile, "ci") {
        let because = "the makefile has a `ci` target";
        return Ok(Some(Gate { argv: &["make", "ci"], because }));
    }
    if root.join("Cargo.toml").is_file() {
        let because = "there is a `Cargo.toml`";
        return Ok(Some(Gate { argv: &["cargo", "test"], because }));
    }
    if text(&root.join("package.json"))?.is_some_and(|text| has_test_script(&text)) {
        let because = "`package.json` has a test script";
        return Ok(Some(Gate { argv: &["npm", "test"], because }));
    }
    if root.join("go.mod").is_file() {
        let because = "there is a `go.mod`";
        return Ok(Some(Gate { argv: &["go", "test", "./..."], because }));
    }
    if ["pyproject.toml", "pytest.ini", "tox.ini"].iter().any(|file| root.join(file).is_file()) {
        let because = "it looks like a Python project";
        return Ok(Some(Gate { argv: &["python3", "-m", "pytest"], because }));
    }
    if has_target(&makefile, "check") {
        let because = "the makefile has a `check` target";
        return Ok(Some(Gate { argv: &["make", "check"], because }));
    }
    if has_target(&makefile, "test") {
        let because = "the makefile has a `test` target";
        return Ok(Some(Gate { argv: &["make", "test"], because }));
    }
    Ok(None)
}

fn text(path: &Path) -> Result<Option<String>, CliError> {
    Ok(read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn has_target(makefile: &str, name: &str) -> bool {
    makefile.lines().any(|line| {
        // `ci: test` and `ci test: dep` are rules; `ci := x` is a variable.
        line.split_once(':').is_some_and(|(targets, rest)| {
            !rest.starts_with('=')
                && !rest.starts_with(":=")
                && !targets.starts_with('\t')
                && targets.split_whitespace().any(|target| target == name)
        })
    })
}

fn has_test_script(package: &str) -> bool {
    let Ok(package) = serde_json::from_str::<Value>(package) else { return false };
    // `npm init` writes a script that always fails.
    package["scripts"]["test"].as_str().is_some_and(|test| !test.contains("no test specified"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], argv: Option<&[&str]>) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            fs_err::write(dir.path().join(name), text).expect("writable");
        }
        let gate = detect(dir.path()).expect("readable");
        assert_eq!(gate.map(|gate| gate.argv), argv);
    }

    #[test]
    fn the_most_deliberate_sign_wins() {
        let make: Option<&[&str]> = Some(&["make", "ci"]);
        check(&[], None);
        check(&[("Makefile", "all:\n\tci: no\nci: test\n"), ("Cargo.toml", "")], make);
        check(&[("Makefile", ".PHONY: ci\nci::\n\ttrue\n")], make);
        check(&[("Makefile", "ci := yes\nci ::= no\ncicd:\n")], None);
        check(&[("Makefile", "all:\n"), ("Cargo.toml", "")], Some(&["cargo", "test"]));
        check(&[("Makefile", "test:\n"), ("Cargo.toml", "")], Some(&["cargo", "test"]));
        check(&[("Makefile", "test:\n")], Some(&["make", "test"]));
        check(&[("makefile", "test check:\n")], Some(&["make", "check"]));
        // As make chooses among them.
        check(&[("GNUmakefile", "all:\n"), ("Makefile", "ci:\n")], None);
        check(&[("package.json", r#"{"scripts":{"test":"jest"}}"#)], Some(&["npm", "test"]));
        check(&[("package.json", r#"{"scripts":{"test":"echo no test specified"}}"#)], None);
        check(&[("package.json", "not json"), ("go.mod", "")], Some(&["go", "test", "./..."]));
        check(&[("pyproject.toml", "")], Some(&["python3", "-m", "pytest"]));
    }
}
