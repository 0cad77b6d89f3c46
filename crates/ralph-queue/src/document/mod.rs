//! One queue file: its text, and what it says.

use std::marker::PhantomData;

use crate::task::Task;
use crate::validate::Problem;

/// A queue file that has been read: the text, and the tasks in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    text: String,
    tasks: Vec<Task>,
}

/// Why a text is no queue file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Nothing but white space.
    #[error("the file is empty")]
    Empty,
    /// Not UTF-8.
    #[error("not UTF-8 at line {line}, column {column}")]
    NotUtf8 {
        /// From 1.
        line: usize,
        /// In bytes, from 1.
        column: usize,
    },
    /// git left its conflict markers.
    #[error("conflict markers of git at line {line}")]
    ConflictMarkers {
        /// The first one, from 1.
        line: usize,
    },
    /// Not JSONC.
    #[error("{message} at line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// Written by a later version.
    #[error("the file has version {found}; this Ralph reads up to {supported}")]
    Newer {
        /// What the file says.
        found: u64,
        /// The highest that is read.
        supported: u64,
    },
    /// JSONC, but fields of the wrong kind: every one of them.
    #[error("{}", shape_message(problems))]
    Shape {
        /// Each with its place.
        problems: Vec<Problem>,
    },
}

fn shape_message(problems: &[Problem]) -> String {
    let _ = problems;
    unimplemented!()
}

/// An edit did not come out as meant: a fault in this crate, found before anything was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpliceError {
    /// The new text cannot be read.
    #[error("the edited text cannot be read")]
    Unreadable(#[source] ParseError),
    /// The new text says something else.
    #[error("the edited text does not say what was meant")]
    Mismatch,
}

impl Document {
    /// The file version that is read and written.
    pub const VERSION: u64 = 1;

    /// Reads a text.
    pub fn parse(text: impl Into<String>) -> Result<Self, ParseError> {
        let _ = text.into();
        unimplemented!()
    }

    /// A file without tasks.
    pub fn empty() -> Self {
        unimplemented!()
    }

    /// The text, byte for byte as read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tasks, in order.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// A draft of changes.
    pub fn draft(&self) -> Draft<'_> {
        unimplemented!()
    }
}

/// Changes to a document, not yet made.
#[derive(Debug)]
pub struct Draft<'a> {
    _document: PhantomData<&'a Document>,
}
