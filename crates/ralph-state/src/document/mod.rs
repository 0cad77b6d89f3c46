//! What a versioned document is, and how bytes of any version become a value of the current one.

mod format;
mod report;
mod upgrade;

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use format::{Format, Newer};
pub use report::{Carried, Dropped, MigrationReport, Warning};
pub use upgrade::{Notes, Upgrade, Upgrades};

use crate::json::{
    EncodeError, FieldError, Json, Node, Object, Part, Places, Position, Same, Sink, SyntaxError,
    Text, from_node, into_object, parse_node, position_of, tell,
};

/// A kind of file that carries its version.
///
/// ```
/// use ralph_state::document::{self, Document, Upgrade, Upgrades};
/// use ralph_state::json::{FieldError, Object};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
/// struct Notebook {
///     title: String,
///     #[serde(flatten)]
///     extra: Object, // what a newer program added is kept
/// }
///
/// impl Document for Notebook {
///     const KIND: &'static str = "notebook";
///     const VERSION_KEY: &'static str = "version";
///     const UPGRADES: Upgrades = Upgrades::new(1, 2, &[Upgrade { from: 1, apply: |notebook, notes| {
///         if notebook.rename("name", "title") {
///             notes.carried("name", "title"); // version 1 called it so
///         }
///         Ok(())
///     }}]);
/// }
///
/// let (notebook, report) = document::decode::<Notebook>(br#"{"version": 1, "name": "Plans"}"#)?;
/// assert_eq!(notebook.title, "Plans");
/// assert_eq!((report.from, report.to), (1, 2));
/// # Ok::<(), document::DecodeError>(())
/// ```
pub trait Document: Serialize + DeserializeOwned {
    /// What the file is, for messages: `parallel state`.
    const KIND: &'static str;
    /// The key at the top that holds the version. A save writes the current one as the first
    /// member, whatever the value says.
    const VERSION_KEY: &'static str;
    /// How every older version becomes the current one.
    const UPGRADES: Upgrades;

    /// Which version an object without [`Self::VERSION_KEY`] is, told by its shape alone; nothing
    /// if it may be anything, as `{}` may.
    #[expect(unused_variables, reason = "a name for those who write their own")]
    fn unversioned(object: &Object) -> Option<Unversioned> {
        None
    }

    /// What is odd about this value and can be lived with: it goes into the report.
    fn inspect(&self) -> Vec<Warning> {
        Vec::new()
    }
}

/// The version of an object that does not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by every document")]
pub struct Unversioned {
    /// The version.
    pub version: u32,
    /// Why that is worth a warning, if it is.
    pub warning: Option<String>,
}

/// Why bytes are no document of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Nothing but white space or comments.
    #[error("the file is empty")]
    Empty,
    /// Bytes that are no text.
    #[error("the file is no UTF-8 text at line {}, column {}", position.line, position.column)]
    NotText {
        /// The first such byte, counted from zero.
        offset: usize,
        /// Where that is.
        position: Position,
    },
    /// No JSON.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Another JSON value than an object.
    #[error("expected an object, found {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// Nothing tells the version.
    #[error("there is no `{key}`, and nothing else tells the version")]
    NoVersion {
        /// The key that is missing.
        key: &'static str,
    },
    /// The version is no number that was ever released.
    #[error("`{key}` is {found}, expected {}", released(*first, *current))]
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
    #[error(transparent)]
    Newer(#[from] Newer),
    /// A value that does not fit.
    #[error("{}", describe(*version, field, *position))]
    Field {
        /// The version that the value does not fit.
        version: u32,
        /// Which value, and why.
        field: FieldError,
        /// Where it begins in the text, when that is the version of the text.
        position: Option<Position>,
    },
}

fn released(first: u32, current: u32) -> String {
    if first == current {
        format!("the number {current}")
    } else {
        format!("a number from {first} to {current}")
    }
}

fn describe(version: u32, field: &FieldError, position: Option<Position>) -> String {
    let FieldError { path, reason, .. } = field;
    match position {
        Some(Position { line, column }) if path.segments().is_empty() => {
            format!("{reason} at line {line}, column {column}")
        }
        Some(Position { line, column }) => {
            format!("`{path}`: {reason} at line {line}, column {column}")
        }
        None => format!("`{path}` of version {version}: {reason}"),
    }
}

/// The value that `bytes` hold, brought to the current version, and how that came about.
///
/// Comments, trailing commas and a byte order mark are passed over. A newer version is refused.
pub fn decode<D: Document>(bytes: &[u8]) -> Result<(D, MigrationReport), DecodeError> {
    let text = text(bytes)?;
    let (node, version, warning) = sniffed::<D>(text)?;
    let current = D::UPGRADES.current();
    let typed = |value: &Node<'_>| {
        from_node(value).map_err(|field| DecodeError::Field {
            version: current,
            position: if version == current { position_of(text, &field.path) } else { None },
            field,
        })
    };
    let mut notes = Notes::default();
    notes.warnings(warning);
    let value: D = if version == current {
        typed(&Node::Object(node))?
    } else {
        let object = upgraded::<D>(text, into_object(node), version, &mut notes)?;
        typed(&Node::view(&Json::Object(object)))?
    };
    let mut report = notes.into_report(version, current);
    report.warnings.extend(value.inspect());
    Ok((value, report))
}

/// The bytes that stand for `value`: two spaces for each level, no newline at the end.
///
/// The text is read again and held against the value: a fault in the writer must not reach the
/// disk.
pub fn encode<D: Document>(value: &D) -> Result<Vec<u8>, EncodeError> {
    let text = write(value)?;
    let mut read = Same::new(&text);
    tell(value, &mut Stamped::of::<D>(&mut read))?;
    read.end()?;
    Ok(text.into_bytes())
}

/// The text that stands for `value`, not read again.
pub(crate) fn write<D: Document>(value: &D) -> Result<String, EncodeError> {
    let mut text = Text::default();
    tell(value, &mut Stamped::of::<D>(&mut text))?;
    Ok(text.written)
}

/// Passes a document on with its version as the first member, in place of the one that the value
/// tells: among the fields it does not know, perhaps.
struct Stamped<'a> {
    sink: &'a mut dyn Sink,
    key: &'static str,
    version: u32,
    /// How many arrays and objects are open.
    depth: usize,
    /// Whether this is the version that the value tells.
    is_version: bool,
}

impl<'a> Stamped<'a> {
    fn of<D: Document>(sink: &'a mut dyn Sink) -> Self {
        let (key, version) = (D::VERSION_KEY, D::UPGRADES.current());
        Self { sink, key, version, depth: 0, is_version: false }
    }
}

impl Sink for Stamped<'_> {
    fn take(&mut self, part: Part<'_>) -> Result<(), EncodeError> {
        if self.depth == 0 {
            let Part::Object = part else {
                return Err(serde::ser::Error::custom("a document is an object"));
            };
            self.depth = 1;
            self.sink.take(part)?;
            self.sink.take(Part::Key(self.key))?;
            return self.sink.take(Part::Number(&self.version.to_string()));
        }
        match part {
            Part::Key(key) if self.depth == 1 => self.is_version = key == self.key,
            Part::Array | Part::Object => self.depth += 1,
            Part::End => self.depth -= 1,
            _ => {}
        }
        if self.is_version && self.depth > 0 {
            return Ok(());
        }
        self.sink.take(part)
    }
}

/// The text of a file, without its byte order mark.
fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    let start = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    str::from_utf8(&bytes[start..]).map_err(|error| {
        let offset = start + error.valid_up_to();
        DecodeError::NotText { offset, position: Places::new(bytes, start).of(offset) }
    })
}

pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

type Members<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

/// The members of the document, its version, and what is odd about that.
fn sniffed<D: Document>(text: &str) -> Result<(Members<'_>, u32, Option<Warning>), DecodeError> {
    let members = match parse_node(text)? {
        None => return Err(DecodeError::Empty),
        Some(Node::Object(members)) => members,
        Some(other) => return Err(DecodeError::NotAnObject { found: other.kind() }),
    };
    let key = D::VERSION_KEY;
    if let Some((_, value)) = members.iter().find(|(name, _)| name == key) {
        let version = Format::of::<D>().version(Some(&value.clone().into_json()))?;
        return Ok((members, version, None));
    }
    let object = into_object(members.clone());
    let found = D::unversioned(&object).ok_or(DecodeError::NoVersion { key })?;
    Ok((members, found.version, found.warning.map(|warning| Warning::new(key, warning))))
}

fn upgraded<D: Document>(
    text: &str,
    mut object: Object,
    version: u32,
    notes: &mut Notes,
) -> Result<Object, DecodeError> {
    for step in D::UPGRADES.from(version) {
        (step.apply)(&mut object, notes).map_err(|field| DecodeError::Field {
            version: step.from,
            position: if step.from == version { position_of(text, &field.path) } else { None },
            field,
        })?;
        object.set_first(D::VERSION_KEY, u64::from(step.from + 1));
    }
    Ok(object)
}
