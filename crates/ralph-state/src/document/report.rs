//! What a migration did.

use std::fmt;

use crate::json::Json;

/// How the bytes of a file became a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationReport {
    /// The version of the file.
    pub from: u32,
    /// The version of the value: the current one.
    pub to: u32,
    /// What moved, from the oldest step on.
    pub carried: Vec<Carried>,
    /// What the current version has no place for, as it stood.
    pub dropped: Vec<Dropped>,
    /// What is odd and can be lived with.
    pub warnings: Vec<Warning>,
}

impl MigrationReport {
    /// Whether the file is of an older version: the next save keeps a copy of its bytes.
    pub fn migrated(&self) -> bool {
        self.from < self.to
    }
}

impl fmt::Display for MigrationReport {
    /// One line for each thing, the first for the versions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, carried, dropped, warnings } = self;
        if self.migrated() {
            writeln!(f, "version {from}, upgraded to version {to}")?;
        } else {
            writeln!(f, "version {from}")?;
        }
        for Carried { from, to } in carried {
            writeln!(f, "carried `{from}` to `{to}`")?;
        }
        for Dropped { path, value } in dropped {
            writeln!(f, "dropped `{path}`: {value}")?;
        }
        for warning in warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

/// A value that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Carried {
    /// From where, in the older version.
    pub from: String,
    /// To where, in the newer one.
    pub to: String,
}

/// A value that the newer version has no place for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// From where, as in `prs[0]`.
    pub path: String,
    /// The value as it stood.
    pub value: Json,
}

/// Something odd that can be lived with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// Where; empty for the whole file.
    pub path: String,
    /// What.
    pub message: String,
}

impl Warning {
    /// At `path`, `message`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, message } = self;
        if path.is_empty() { f.write_str(message) } else { write!(f, "`{path}`: {message}") }
    }
}
