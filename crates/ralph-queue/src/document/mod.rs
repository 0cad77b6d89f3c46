//! One queue file: its text, what it says, and changes that leave the rest of the text alone.

mod comments;
mod draft;
mod frame;
mod lines;
mod patch;
mod read;
mod scan;
mod sequence;
mod style;
mod syntax;
mod tasks;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use ralph_state::document::{Format, Newer};

pub(crate) use comments::Site;
pub(crate) use draft::Side;
pub use draft::{Block, Draft};
pub(crate) use draft::{Piece, pieces};
pub(crate) use frame::{Counts, FloatingChange, counts, identity};
pub(crate) use lines::{Arranged, Gaps};
pub(crate) use read::{Lenient, NewEntry, NewTask, Places};
pub use tasks::{TaskIter, Tasks};

use crate::delta::fingerprint;
use crate::queue::Place;
use crate::task::Task;
use crate::validate::Problem;
pub(crate) use syntax::Lines;
use tasks::Head;

/// A queue file that has been read: the text, and the tasks in it.
///
/// All of the text has been looked at, but a task is only made of it when somebody asks for the
/// task: most commands are about a few of many.
///
/// The text is JSONC: comments, trailing commas, a byte order mark and any kind of line end are
/// kept through every change.
#[derive(Clone, Debug)]
pub struct Document {
    /// Shared with its copies.
    text: Arc<String>,
    /// The outermost object.
    root: Range<usize>,
    /// The list of tasks with its brackets; an absent one counts as empty.
    array: Option<Range<usize>>,
    /// Where each task is, in order.
    spans: Vec<Range<usize>>,
    /// What is known of each.
    heads: Vec<Head>,
    /// See [`Document::fingerprint`]; the text never changes.
    fingerprint: OnceLock<String>,
}

/// The text says it all.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Document {}

/// When the tasks of a text are made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Each when it is asked for.
    AsNeeded,
    /// All at once, which is quicker for all.
    Whole,
    /// Each is looked through and not kept: for [`crate::Queue::validate`], which then need not
    /// make those that are right.
    Checked,
}

/// Why a text is no queue file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Nothing but white space and comments.
    #[error("the file is empty")]
    Empty,
    /// Not UTF-8.
    #[error("not UTF-8 at line {line}, column {column}")]
    NotUtf8 {
        /// From 1.
        line: usize,
        /// In characters, from 1.
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
    #[error(transparent)]
    Newer(Newer),
    /// JSONC, but with fields missing, repeated or of the wrong kind: every one of them.
    #[error("{}", first_and_count(problems))]
    Shape {
        /// Each with its place, in the order of the text.
        problems: Vec<Problem>,
    },
}

impl ParseError {
    /// The same of a text of which that one is a part, given its lines there.
    pub(crate) fn within(mut self, line_there: impl Fn(usize) -> usize) -> Self {
        match &mut self {
            Self::NotUtf8 { line, .. }
            | Self::ConflictMarkers { line }
            | Self::Syntax { line, .. } => *line = line_there(*line),
            Self::Shape { problems } => {
                for problem in problems {
                    problem.line = line_there(problem.line);
                }
            }
            Self::Empty | Self::Newer(_) => {}
        }
        self
    }
}

fn first_and_count(problems: &[Problem]) -> String {
    let Some(first) = problems.first() else { return "the file has the wrong shape".to_owned() };
    let more = match problems.len() {
        1 => String::new(),
        n => format!(" ({} more)", n - 1),
    };
    let task = first.task.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
    format!("{task}{first} at line {}, column {}{more}", first.line, first.column)
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

/// The text of a file, or where it stops being UTF-8.
///
/// Never with replacement characters: what is read here may be written back, and each would be a
/// byte of the user's that is lost.
pub fn decode(bytes: Vec<u8>) -> Result<String, ParseError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let (line, column) =
            Lines::new(&String::from_utf8_lossy(&error.as_bytes()[..valid])).position(valid);
        ParseError::NotUtf8 { line, column }
    })
}

impl Document {
    /// What it is, and which versions are read. It is edited in place, and so is no
    /// [`ralph_state::Document`].
    pub const FORMAT: Format =
        Format { kind: "queue file", version_key: "version", first: 1, current: 1 };
    /// The file version that is written.
    pub const VERSION: u32 = Self::FORMAT.current;

    /// Reads a text.
    pub fn parse(text: impl Into<String>) -> Result<Self, ParseError> {
        Self::parse_as(text.into(), Place::Queue)
    }

    /// Reads a text that is to be named as that file in problems.
    pub(crate) fn parse_as(text: String, place: Place) -> Result<Self, ParseError> {
        Self::parse_for(text, place, Reading::AsNeeded)
    }

    /// The same, and makes the tasks at once for a reader who needs them all.
    pub(crate) fn parse_for(
        text: String,
        place: Place,
        reading: Reading,
    ) -> Result<Self, ParseError> {
        match scan::scan(text, place, reading) {
            Ok(document) => Ok(document),
            Err(text) => Self::parse_slowly(text, place),
        }
    }

    /// Reads a text that differs from this one in a few tasks: only those, and what is between
    /// them, are looked at.
    pub fn parse_next(&self, text: String) -> Result<Self, ParseError> {
        if text == *self.text {
            return Ok(self.clone());
        }
        match scan::rescan(self, text) {
            Ok(document) => Ok(document),
            Err(text) => Self::parse(text),
        }
    }

    /// Reads the text that was there before this one, in which values may be of the wrong kind.
    pub(crate) fn parse_before(&self, text: String, place: Place) -> Result<Self, ParseError> {
        scan::rescan(self, text)
            .or_else(|text| Self::parse_but_for_values(text, place, Reading::AsNeeded))
    }

    fn parse_slowly(text: String, place: Place) -> Result<Self, ParseError> {
        match read::read(text, place)? {
            Lenient { document, problems, .. } if problems.is_empty() => Ok(document),
            Lenient { problems, .. } => Err(ParseError::Shape { problems }),
        }
    }

    /// Reads a text in which values of tasks may be of the wrong kind. It cannot be written with a
    /// change of such a task, of which those values are as if they were not there.
    pub(crate) fn parse_but_for_values(
        text: String,
        place: Place,
        reading: Reading,
    ) -> Result<Self, ParseError> {
        let text = match scan::scan(text, place, reading) {
            Ok(document) => return Ok(document),
            Err(text) => text,
        };
        let Lenient { document, problems, nameless } = read::read(text, place)?;
        if nameless.is_empty() && problems.iter().all(|problem| problem.task.is_some()) {
            return Ok(document);
        }
        Err(ParseError::Shape { problems })
    }

    /// Reads what can be read, with a problem for everything else.
    pub(crate) fn parse_leniently(text: String, place: Place) -> Result<Lenient, ParseError> {
        read::read(text, place)
    }

    pub(crate) fn parse_task(text: &str) -> Result<Task, ParseError> {
        read::read_task(text)
    }

    /// Reads new tasks: one, several after each other, a list of them, or those of a queue file.
    pub(crate) fn parse_new(text: &str) -> Result<Vec<NewEntry>, ParseError> {
        read::read_new(text)
    }

    /// A file without tasks.
    pub fn empty() -> Self {
        let text = format!("{{\n  \"version\": {},\n  \"tasks\": []\n}}\n", Self::VERSION);
        Self::parse(text).expect("the empty file is a queue file")
    }

    /// The text, byte for byte as read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tells the text from others.
    pub(crate) fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| fingerprint(&self.text))
    }

    /// The tasks, in order.
    pub fn tasks(&self) -> Tasks<'_> {
        Tasks::of(self)
    }

    /// How many tasks there are.
    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    /// Where in the text the task with that index is, without the comments above it.
    ///
    /// Panics when there is none.
    pub fn span(&self, index: usize) -> Range<usize> {
        self.spans[index].clone()
    }

    /// How the task with that index is laid out: the line ends of the file, what its line begins
    /// with, and what stands before its first field.
    pub(crate) fn layout(&self, index: usize) -> [&str; 3] {
        let span = self.span(index);
        let inside = self.text[span.clone()].strip_prefix('{').unwrap_or_default();
        let before = &inside[..inside.len() - inside.trim_start().len()];
        [style::newline(&self.text), style::indentation_at(&self.text, span.start, ""), before]
    }

    /// The index of the task in whose text `at` is, or of the next one.
    pub(crate) fn task_at(&self, at: usize) -> usize {
        self.spans.partition_point(|span| span.end <= at)
    }

    /// A draft of changes.
    pub fn draft(&self) -> Draft<'_> {
        Draft::new(self)
    }
}
