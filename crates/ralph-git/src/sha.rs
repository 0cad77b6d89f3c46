//! The name of a git object.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The full name of a git object: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
///
/// ```
/// use ralph_git::Sha;
///
/// let sha: Sha = "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse()?;
/// assert_eq!(sha.short(), "4b825dc6");
/// assert!("HEAD".parse::<Sha>().is_err());
/// # Ok::<(), ralph_git::ShaError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha(String);

impl Sha {
    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

/// A text that is no full object name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not the full name of a git object: `{text}`")]
pub struct ShaError {
    /// The text.
    pub text: String,
}

impl FromStr for Sha {
    type Err = ShaError;

    fn from_str(text: &str) -> Result<Self, ShaError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if matches!(text.len(), 40 | 64) && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ShaError { text: text.to_owned() })
        }
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
