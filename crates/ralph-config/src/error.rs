//! What can be wrong or odd about a configuration, and where.

use std::{fmt, path::PathBuf};

use ralph_state::document::Newer;
use serde_json::Value;

/// How much of a value is shown, in characters.
const LONGEST_VALUE: usize = 100;

/// A point in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file is there but cannot be read.
    #[error("cannot read the configuration `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not text.
    #[error("the configuration `{}` is not UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::str::Utf8Error,
    },
    /// A file holds nothing.
    #[error("the configuration `{}` is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A file is not JSON with comments.
    #[error("{place}: the configuration is not valid JSONC: {fault}")]
    Syntax {
        /// Where it stops making sense.
        place: Place,
        /// What the parser says.
        fault: String,
    },
    /// A file is of a version this Ralph does not know yet.
    #[error("cannot use the configuration `{}`", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version, and the newest that is read.
        source: Newer,
    },
    /// An edit did not come out as meant: a fault in this crate, found before anything was written.
    #[error("the edited text of `{}` does not say what was meant", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
    },
    /// Values are out of range; there is at least one.
    #[error("{}", list(violations))]
    Invalid {
        /// All of them, in the order of the layers.
        violations: Vec<Violation>,
    },
    /// No profile has the name asked for.
    #[error("there is no profile `{name}`; known are `{}`", known.join("`, `"))]
    UnknownProfile {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

fn list(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("\n")
}

/// A value that its key does not admit.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Where the value stands; `None` on the command line.
    pub place: Option<Place>,
    /// The dotted key; empty for the whole file.
    pub key: String,
    /// The value.
    pub value: Value,
    /// What the key admits.
    pub expected: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: ")?,
            None => f.write_str("command line: ")?,
        }
        match self.key.as_str() {
            "" => f.write_str("the configuration")?,
            key => write!(f, "`{key}`")?,
        }
        let value = self.value.to_string();
        // A whole section in the wrong place says no more than its beginning.
        match value.char_indices().nth(LONGEST_VALUE) {
            Some((end, _)) => write!(f, " is `{}…`", &value[..end])?,
            None => write!(f, " is `{value}`")?,
        }
        write!(f, ", expected {}", self.expected)
    }
}

/// Something odd that does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: WarningKind,
}

/// What is odd.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// A key nobody knows; it has no effect.
    Unknown {
        /// The dotted key.
        key: String,
        /// The name it may have been meant to end with.
        suggestion: Option<String>,
    },
    /// A key that stands twice; the later one counts.
    Duplicate {
        /// The dotted key.
        key: String,
    },
    /// A key with a new name; its value counts unless the new key is there too.
    Moved {
        /// The dotted key of old.
        key: String,
        /// The dotted key of today.
        to: String,
    },
    /// A key whose feature is gone; it has no effect.
    Gone {
        /// The dotted key.
        key: String,
    },
    /// The file does not name its version; it is read as the present one.
    NoVersion,
    /// The file is of an older version, brought up in memory.
    OlderVersion {
        /// The version it names.
        found: u32,
    },
    /// The file bears the name of old, `config.json`.
    OldName {
        /// Whether it was read, as there is no `config.jsonc`.
        read: bool,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match &self.kind {
            WarningKind::Unknown { key, suggestion: Some(name) } => {
                write!(f, "unknown key `{key}` has no effect; `{name}` is known")
            }
            WarningKind::Unknown { key, suggestion: None } => {
                write!(f, "unknown key `{key}` has no effect")
            }
            WarningKind::Duplicate { key } => {
                write!(f, "`{key}` stands twice; what this one says counts")
            }
            WarningKind::Moved { key, to } => write!(f, "`{key}` is now `{to}`"),
            WarningKind::Gone { key } => write!(f, "`{key}` no longer has an effect"),
            WarningKind::NoVersion => {
                write!(f, "no `version`; read as version {}", crate::CONFIG_VERSION)
            }
            WarningKind::OlderVersion { found } => {
                write!(f, "version {found} is read as version {}", crate::CONFIG_VERSION)
            }
            WarningKind::OldName { read: true } => {
                f.write_str("read under its old name; rename it to `config.jsonc`")
            }
            WarningKind::OldName { read: false } => {
                f.write_str("not read, because `config.jsonc` is beside it")
            }
        }
    }
}
