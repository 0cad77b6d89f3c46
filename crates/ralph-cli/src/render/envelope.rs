//! The frame of our own JSON documents.

use serde::Serialize;

/// What a document is, so that a script can tell and can refuse what it does not know.
///
/// A field that is added keeps the version; any other change raises it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Schema {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
}

impl Schema {
    pub(crate) const fn v1(name: &'static str) -> Self {
        Self { name, version: 1 }
    }
}

/// A list that says how much there is and what was cut.
#[derive(Debug, Serialize)]
pub(crate) struct List<'a, T> {
    pub(crate) schema: Schema,
    /// Identifies the content the list was made from.
    pub(crate) rev: String,
    /// How many there are.
    pub(crate) total: usize,
    /// How many of them are in `items`.
    pub(crate) returned: usize,
    pub(crate) truncated: bool,
    /// Give it as `--cursor` to get what follows.
    pub(crate) next_cursor: Option<String>,
    pub(crate) items: &'a [T],
}
