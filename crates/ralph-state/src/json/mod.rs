//! JSON that forgets nothing: numbers to the letter, keys in order.
//!
//! Documents pass through these types on their way to and from a typed value, so that a field
//! nobody here knows comes back as it was: `1.50` stays `1.50`, and a number of thirty digits
//! keeps all of them. It is independent of the features of `serde_json` that a program turns on.

mod de;
mod node;
mod path;
mod pieces;
mod read;
mod same;
mod ser;
mod write;

pub(crate) use de::from_node;
pub use de::{FieldError, from_json};
pub(crate) use node::{Node, into_object};
pub use path::{Path, Segment};
pub(crate) use pieces::{Piece, Pieces, Places, member, pieces};
pub(crate) use read::parse_node;
pub use read::{MAX_DEPTH, Position, SyntaxError, SyntaxReason, parse, position_of};
pub(crate) use same::Same;
pub use ser::{EncodeError, to_json};
pub(crate) use ser::{Part, Sink, tell};
pub(crate) use write::{Dense, Text};
pub use write::{text_in_pieces, text_of, to_text};

/// Any JSON value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is spelled.
    Number(Number),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Object),
}

impl Json {
    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number as an unsigned integer, if it is one.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// What it is, for a message: `a string`, `null`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Number(Number(value.to_string()))
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

/// A number, as it is spelled in the file.
///
/// Equality is equality of spelling: `1` is not `1.0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// The number that `literal` spells, if that is a number by the rules of JSON.
    pub fn new(literal: impl Into<String>) -> Option<Self> {
        let literal = literal.into();
        read::is_number(&literal).then_some(Self(literal))
    }

    /// Its spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shortest spelling of `value`; none for an infinity or what is no number.
    pub fn from_f64(value: f64) -> Option<Self> {
        Self::new(format!("{value:?}"))
    }

    /// The nearest float.
    pub fn as_f64(&self) -> f64 {
        as_f64(&self.0)
    }

    /// Its value, if it is spelled as an unsigned integer.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

/// The float nearest to a number by the grammar of JSON.
fn as_f64(literal: &str) -> f64 {
    literal.parse().expect("every JSON number is spelled as Rust spells floats")
}

/// The members of an object in their order, each key once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Object(Vec<(String, Json)>);

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// These members, unless one key is there twice: then which.
    pub(crate) fn from_unique(members: Vec<(String, Json)>) -> Result<Self, String> {
        match node::twice(&members) {
            Some(at) => Err(members[at].0.clone()),
            None => Ok(Self(members)),
        }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value at `key`.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value at `key`, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Json> {
        self.0.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Whether there is a member `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets `key`, in place if it is there and at the end if not; returns what it was.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Json>) -> Option<Json> {
        let (key, value) = (key.into(), value.into());
        if let Some(old) = self.get_mut(&key) {
            return Some(std::mem::replace(old, value));
        }
        self.0.push((key, value));
        None
    }

    /// Sets `key`, in place if it is there and as the first member if not.
    pub fn set_first(&mut self, key: impl Into<String>, value: impl Into<Json>) {
        let (key, value) = (key.into(), value.into());
        match self.get_mut(&key) {
            Some(old) => *old = value,
            None => self.0.insert(0, (key, value)),
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Json> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    /// Gives the member `from` the name `to` where it stands; `false` when there is no `from` or
    /// already a `to`.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        if self.contains(to) {
            return false;
        }
        match self.0.iter_mut().find(|(name, _)| name == from) {
            Some((name, _)) => {
                to.clone_into(name);
                true
            }
            None => false,
        }
    }

    /// The members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl IntoIterator for Object {
    type Item = (String, Json);
    type IntoIter = std::vec::IntoIter<(String, Json)>;

    /// The members in their order.
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Into<String>> FromIterator<(K, Json)> for Object {
    /// The last of several values for one key counts.
    fn from_iter<I: IntoIterator<Item = (K, Json)>>(members: I) -> Self {
        let mut object = Self::new();
        for (key, value) in members {
            object.set(key, value);
        }
        object
    }
}
