//! What a versioned document is, and bytes to values and back.
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json::{FieldError, Json, Object, Position, SyntaxError};

/// A kind of file that carries its version.
pub trait Document: Serialize + DeserializeOwned {
    /// What the file is, for messages: `parallel state`.
    const KIND: &'static str;
    /// The top-level key that holds the version.
    const VERSION_KEY: &'static str;
    /// How every older version becomes the current one.
    const UPGRADES: Upgrades;

    /// Which version an object without a version is, told by its shape alone.
    fn unversioned(object: &Object) -> Option<Unversioned> {
        let _ = object;
        None
    }

    /// What is odd about this value and can be lived with.
    fn inspect(&self) -> Vec<Warning> {
        Vec::new()
    }
}

/// The version of an object that does not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unversioned {
    /// The version.
    pub version: u32,
    /// Why this is worth a warning, if it is.
    pub warning: Option<String>,
}

/// The released versions and the steps between them.
#[derive(Clone, Copy, Debug)]
pub struct Upgrades {
    first: u32,
    steps: &'static [Upgrade],
}

/// One step: from version `from` to the one after it.
#[derive(Clone, Copy, Debug)]
pub struct Upgrade {
    /// The version it takes.
    pub from: u32,
    /// What it does.
    pub apply: fn(&mut Object, &mut Notes) -> Result<(), String>,
}

impl Upgrades {
    /// The chain.
    pub const fn new(first: u32, current: u32, steps: &'static [Upgrade]) -> Self {
        let _ = current;
        Self { first, steps }
    }

    /// The oldest version that was ever released.
    pub const fn first(&self) -> u32 {
        self.first
    }

    /// The version that is written.
    #[expect(clippy::cast_possible_truncation, reason = "a handful of steps")]
    pub const fn current(&self) -> u32 {
        self.first + self.steps.len() as u32
    }
}

/// What an upgrade step has to tell.
#[derive(Debug, Default)]
pub struct Notes {
    carried: Vec<Carried>,
    dropped: Vec<Dropped>,
    warnings: Vec<Warning>,
}

/// A value that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// From where.
    pub from: String,
    /// To where.
    pub to: String,
}

/// A value that the newer version has no place for, as it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// From where, as in `prs[0]`.
    pub path: String,
    /// The value.
    pub value: Json,
}

/// Something odd that can be lived with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where; empty for the whole file.
    pub path: String,
    /// What.
    pub message: String,
}

/// How a file became a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationReport {
    /// The version of the file.
    pub from: u32,
    /// The version of the value: the current one.
    pub to: u32,
    /// What moved.
    pub carried: Vec<Carried>,
    /// What the current version has no place for.
    pub dropped: Vec<Dropped>,
    /// What is odd.
    pub warnings: Vec<Warning>,
}

impl MigrationReport {
    /// Whether the file is of an older version, so that the next save will keep a copy of it.
    pub fn migrated(&self) -> bool {
        self.from < self.to
    }
}

/// Why bytes are no document of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Nothing but white space or comments.
    #[error("the file is empty")]
    Empty,
    /// Bytes that are no text.
    #[error("the file is not UTF-8 text from byte {offset} on")]
    NotText {
        /// The first such byte, counted from zero.
        offset: usize,
    },
    /// No JSON.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Not an object.
    #[error("expected an object, found {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// Nothing tells the version.
    #[error("there is no `{key}`, and nothing else tells the version")]
    NoVersion {
        /// The key that is missed.
        key: &'static str,
    },
    /// The version is no number that was ever released.
    #[error("`{key}` is {found}, expected a number from {first} to {current}")]
    BadVersion {
        /// The key.
        key: &'static str,
        /// What it holds.
        found: String,
        /// The oldest version.
        first: u32,
        /// The current version.
        current: u32,
    },
    /// Written by a newer program.
    #[error(
        "the file has version {found}, this program reads versions up to {supported}: use the newer program that wrote it"
    )]
    Newer {
        /// Its version.
        found: u64,
        /// The newest version that can be read.
        supported: u32,
    },
    /// An upgrade step found what it cannot carry.
    #[error("cannot upgrade from version {from}: {reason}")]
    Upgrade {
        /// The version the step takes.
        from: u32,
        /// Why.
        reason: String,
    },
    /// A value does not fit.
    #[error("`{}`{}: {}", field.path, position.map(|at| format!(" (line {}, column {})", at.line, at.column)).unwrap_or_default(), field.reason)]
    Field {
        /// Where and why.
        field: FieldError,
        /// Where in the text, if the value stands there as it is.
        position: Option<Position>,
    },
}

/// Bytes to a value.
pub fn decode<D: Document>(_bytes: &[u8]) -> Result<(D, MigrationReport), DecodeError> {
    todo!()
}

/// A value to bytes.
pub fn encode<D: Document>(_value: &D) -> Result<Vec<u8>, crate::json::EncodeError> {
    todo!()
}
