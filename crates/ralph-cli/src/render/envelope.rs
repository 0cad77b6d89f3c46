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

/// How much an answer may still say, so that it fits what an agent can read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// In bytes; nothing is no limit.
    left: Option<usize>,
    is_spent: bool,
}

impl Budget {
    /// For `--max-tokens`. A token is at least three bytes in practically all
    /// text; what frames the answer takes some hundred.
    pub(crate) fn new(max_tokens: Option<usize>) -> Self {
        let left = max_tokens.map(|tokens| tokens.saturating_mul(3).saturating_sub(300));
        Self { left, is_spent: false }
    }

    /// Whether there is room for this too; after a first refusal there is none.
    pub(crate) fn takes(&mut self, item: &impl Serialize) -> bool {
        let Some(left) = self.left else { return true };
        // As printed below a list: every line is indented by four.
        let text = serde_json::to_string_pretty(item).unwrap_or_default();
        let size = text.len() + 4 * (text.matches('\n').count() + 1) + 2;
        self.left = left.checked_sub(size).filter(|_| !self.is_spent);
        self.is_spent = self.left.is_none();
        if self.is_spent {
            self.left = Some(0);
        }
        !self.is_spent
    }

    /// Whether something was refused.
    pub(crate) const fn is_spent(self) -> bool {
        self.is_spent
    }
}
