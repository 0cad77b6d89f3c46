//! Configurations that are taken and those that are refused.

mod released;

use std::{
    error::Error as _,
    path::{Path, PathBuf},
};

use ralph_config::{ConfigError, Origin, Overrides, Resolved, Sources, load};
use ralph_testkit::golden;
use serde_json::{Value, json};

fn cases(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(kind);
    let cases = fs_err::read_dir(directory).unwrap();
    cases.map(|case| case.unwrap().path()).collect()
}

fn run(case: &Path) -> Result<Resolved, ConfigError> {
    let overrides = fs_err::read(case.join("overrides.json"))
        .map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    let values = overrides["values"].as_array().into_iter().flatten();
    let sources =
        Sources { global: Some(case.join("global.jsonc")), project: case.join("project.jsonc") };
    let overrides = Overrides {
        profile: overrides["profile"].as_str().map(str::to_owned),
        values: values
            .map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].clone()))
            .collect(),
    };
    load(&sources, &overrides)
}

/// `text` without the directory of the case, which differs from machine to machine.
fn portable(text: &str, case: &Path) -> String {
    text.replace(&format!("{}/", case.display()), "")
}

fn told(error: &ConfigError) -> String {
    let source = error.source().map(|source| format!("  because {source}\n"));
    format!("{error}\n{}", source.unwrap_or_default())
}

#[test]
fn the_valid_ones_are_taken_as_their_goldens_say() {
    for case in cases("valid") {
        let resolved = run(&case).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let value = |key: &str| {
            let parts = key.split('.').collect::<Vec<_>>().join("/");
            resolved.document.pointer(&format!("/{parts}")).cloned()
        };
        let set: serde_json::Map<String, Value> = resolved
            .origins
            .iter()
            .filter(|(_, origin)| **origin != Origin::Default)
            .map(|(key, origin)| (key.clone(), json!([value(key), format!("{origin:?}")])))
            .collect();
        let warnings: Vec<String> = resolved.warnings.iter().map(ToString::to_string).collect();
        let document = json!({
            "set": set,
            "warnings": warnings,
            "executables": resolved.executables.entries,
        });
        golden::assert(case.join("out.json"), portable(&format!("{document:#}\n"), &case));
    }
}

#[test]
fn the_invalid_ones_are_refused_as_their_goldens_say() {
    for case in cases("invalid") {
        let error = run(&case).expect_err(&case.display().to_string());
        golden::assert(case.join("error.txt"), portable(&told(&error), &case));
    }
}

/// Every value of the defaults passes its own key, and the types take all of them.
#[test]
fn without_files_the_defaults_count() {
    let case = tempfile::tempdir().unwrap();
    let resolved = run(case.path()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/defaults.json");
    golden::assert(path, format!("{:#}\n", resolved.document));
    assert!(resolved.executables.is_empty());
    for key in resolved.origins.keys().filter(|key| *key != "version") {
        let parts = key.split('.').collect::<Vec<_>>().join("/");
        let value = resolved.document.pointer(&format!("/{parts}")).unwrap().clone();
        let overrides = Overrides { profile: None, values: vec![(key.clone(), value)] };
        let sources = Sources { global: None, project: case.path().join("none") };
        let again = load(&sources, &overrides).unwrap();
        assert_eq!(again.config, resolved.config, "{key}");
        assert_eq!(again.origins[key], Origin::CommandLine);
    }
}

#[test]
fn the_command_line_is_checked_as_well() {
    let sources = Sources { global: None, project: PathBuf::from("/nonexistent/config.jsonc") };
    let refused = |profile: Option<&str>, key: &str, value: Value| {
        let profile = profile.map(str::to_owned);
        let overrides = Overrides { profile, values: vec![(key.to_owned(), value)] };
        load(&sources, &overrides).unwrap_err().to_string()
    };
    assert_eq!(
        refused(None, "agent.phases", json!(0)),
        "command line: `agent.phases` is `0`, expected a whole number from 1 to 3"
    );
    assert_eq!(
        refused(None, "agent.fases", json!(1)),
        "command line: `agent.fases` is `1`, expected a key of the configuration"
    );
    assert_eq!(
        refused(Some("night"), "agent.phases", json!(1)),
        "there is no profile `night`; known are `power-user`, `safe`"
    );
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let project = directory.path().join("config.jsonc");
    let sources = Sources { global: None, project: project.clone() };
    fs_err::write(&project, b"{\"version\": 2, \"x\": \"\xff\"}").unwrap();
    assert!(matches!(load(&sources, &Overrides::default()), Err(ConfigError::NotUtf8 { .. })));
    fs_err::write(&project, "[".repeat(100_000)).unwrap();
    assert!(matches!(load(&sources, &Overrides::default()), Err(ConfigError::Syntax { .. })));
    fs_err::write(&project, "\u{feff}{\"version\": 2}").unwrap();
    assert!(load(&sources, &Overrides::default()).is_ok(), "a byte order mark is no content");
}

#[test]
fn access_follows_approval_mode_then_the_runners_own_setting() {
    let check = |values: &[(&str, &str)], expected: [bool; 3]| {
        let sources = Sources { global: None, project: PathBuf::from("/nonexistent") };
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let agent = load(&sources, &Overrides { profile: None, values }).unwrap().config.agent;
        let access = ["claude", "codex", "gemini"].map(|runner| agent.full_access(runner));
        assert_eq!(access, expected);
    };
    check(&[], [false, true, true]);
    check(&[("agent.claude_permission_mode", "bypass_permissions")], [true, true, true]);
    check(&[("agent.runner_cli.runners.codex.sandbox", "enabled")], [false, false, true]);
    check(&[("agent.runner_cli.defaults.approval_mode", "yolo")], [true, true, true]);
    check(&[("agent.runner_cli.runners.gemini.approval_mode", "safe")], [false, true, false]);
}

#[test]
fn a_damaged_file_is_taken_or_refused_and_never_a_panic() {
    let directory = tempfile::tempdir().unwrap();
    let project = directory.path().join("config.jsonc");
    let sources = Sources { global: None, project: project.clone() };
    let mut refused = 0;
    for case in cases("valid") {
        let Ok(text) = fs_err::read(case.join("project.jsonc")) else { continue };
        for at in (0..text.len()).step_by(17) {
            let mut damaged = text.clone();
            damaged[at] = b"{}[]\",:0"[at % 8];
            for bytes in [&text[..at], &damaged] {
                fs_err::write(&project, bytes).unwrap();
                refused += u32::from(load(&sources, &Overrides::default()).is_err());
            }
        }
    }
    assert!(refused > 300, "{refused}");
}
