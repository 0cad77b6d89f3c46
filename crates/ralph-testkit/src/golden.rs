//! Files that say what the output must be, byte for byte.

use std::fmt;
use std::path::{Path, PathBuf};

use similar::TextDiff;

/// Whether a golden is compared with or replaced by what was produced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// A difference is a failure.
    Compare,
    /// What was produced becomes the golden; the reviewer reads the diff.
    Bless,
}

impl Mode {
    /// [`Mode::Bless`] when `UPDATE_GOLDENS=1` is in the environment.
    pub fn from_env() -> Self {
        match crate::sandbox::host_var("UPDATE_GOLDENS") {
            Some(value) if value == "1" => Self::Bless,
            Some(_) | None => Self::Compare,
        }
    }
}

/// Prints what became of the golden cases of released formats, in the lines that `cargo xtask
/// test-migrations` reads and counts.
///
/// # Panics
///
/// When one failed, or there is none that passed.
#[expect(clippy::print_stdout, reason = "`cargo xtask test-migrations` reads it")]
#[track_caller]
pub fn tell_cases<T: fmt::Debug>(lines: &str, passed: usize, failed: &[T]) {
    // What the runner of the tests has printed so far is no whole line.
    println!("\n{lines}");
    assert!(failed.is_empty() && passed > 0, "{failed:?}");
}

/// The golden and what was produced differ.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The golden that differs, or is not there.
    pub path: PathBuf,
    /// A unified diff from the golden to what was produced, as text.
    pub diff: String,
}

impl std::error::Error for Mismatch {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, diff } = self;
        write!(f, "{} differs (UPDATE_GOLDENS=1 accepts it):\n{diff}", path.display())
    }
}

/// Compares `actual` with the golden at `path`, or replaces it.
///
/// # Errors
///
/// When comparing: the golden is missing or has other bytes.
///
/// # Panics
///
/// When the golden cannot be read or, blessing, written.
pub fn check(path: &Path, actual: impl AsRef<[u8]>, mode: Mode) -> Result<(), Mismatch> {
    let actual = actual.as_ref();
    let golden = match fs_err::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    };
    if golden.as_deref() == Some(actual) {
        return Ok(());
    }
    if mode == Mode::Bless {
        let parent = path.parent().expect("a golden is a file in a directory");
        fs_err::create_dir_all(parent).expect("the goldens are writable");
        fs_err::write(path, actual).expect("the goldens are writable");
        return Ok(());
    }
    Err(Mismatch { path: path.to_owned(), diff: diff(golden.as_deref(), actual) })
}

/// [`check`] in the mode that the environment asks for.
///
/// # Panics
///
/// On a difference, with the diff.
#[track_caller]
pub fn assert(path: impl AsRef<Path>, actual: impl AsRef<[u8]>) {
    if let Err(mismatch) = check(path.as_ref(), actual, Mode::from_env()) {
        panic!("{mismatch}");
    }
}

fn diff(golden: Option<&[u8]>, actual: &[u8]) -> String {
    let old = String::from_utf8_lossy(golden.unwrap_or_default());
    let new = String::from_utf8_lossy(actual);
    let old_name = if golden.is_some() { "golden" } else { "golden (missing)" };
    TextDiff::from_lines(&*old, &*new).unified_diff().header(old_name, "actual").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sandbox;

    #[test]
    fn equal_bytes_pass_and_others_are_shown() {
        let sandbox = Sandbox::new();
        let path = sandbox.write("case.golden", "one\ntwo\n");
        assert!(check(&path, "one\ntwo\n", Mode::Compare).is_ok());
        let mismatch = check(&path, "one\nzwei\n", Mode::Compare).unwrap_err();
        assert_eq!(mismatch.diff, "--- golden\n+++ actual\n@@ -1,2 +1,2 @@\n one\n-two\n+zwei\n");
    }

    #[test]
    fn a_missing_golden_fails_until_it_is_blessed() {
        let sandbox = Sandbox::new();
        let path = sandbox.path("new/case.golden");
        assert!(check(&path, "text", Mode::Compare).is_err());
        assert!(check(&path, "text", Mode::Bless).is_ok());
        assert!(check(&path, "text", Mode::Compare).is_ok());
    }
}
