//! The frame of our own JSON documents.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use serde::{Serialize, Serializer};

use crate::error::{CliError, ErrorKind};

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
pub(crate) struct List<I> {
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
    pub(crate) items: I,
}

impl<'a, T> List<&'a [T]> {
    /// With nothing cut.
    pub(crate) fn all(schema: Schema, rev: String, items: &'a [T]) -> Self {
        Self::part(schema, rev, items, &Cut { range: 0..items.len(), next: None })
    }

    /// The part of `all` that `cut` leaves.
    pub(crate) fn part(schema: Schema, rev: String, all: &'a [T], cut: &Cut) -> Self {
        let items = &all[cut.range.clone()];
        Self {
            schema,
            rev,
            total: all.len(),
            returned: items.len(),
            truncated: cut.next.is_some(),
            next_cursor: cut.next.clone(),
            items,
        }
    }
}

/// A list of which no more than one entry is there at a time, made as it is told. It can be told
/// once.
pub(crate) struct AsMade<I>(Cell<Option<I>>);

impl<I> AsMade<I> {
    pub(crate) const fn new(entries: I) -> Self {
        Self(Cell::new(Some(entries)))
    }
}

impl<I: Iterator<Item: Serialize>> Serialize for AsMade<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten())
    }
}

/// Which part of a list is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Cut {
    pub(crate) range: Range<usize>,
    /// The cursor for what follows, if something does.
    pub(crate) next: Option<String>,
}

impl Cut {
    /// What follows the entry that `cursor` names, as far as the budget goes, and the next entry
    /// in any case: who reads on comes to the end. `key` names an entry by its index.
    pub(crate) fn new<T: Serialize>(
        items: &[T],
        cursor: Option<&str>,
        budget: &mut Budget,
        key: impl Fn(usize) -> String,
    ) -> Result<Self, CliError> {
        let place = |name: &str| (0..items.len()).find(|index| key(*index) == name);
        let begin = cursor.map_or(Ok(0), |cursor| begin(cursor, place))?;
        let left = &items[begin..];
        let fitting = left.iter().take_while(|item| budget.takes(*item)).count();
        let end = begin + fitting.max(1).min(left.len());
        let next = (end < items.len()).then(|| self::cursor(&key(end - 1), &key(end)));
        Ok(Self { range: begin..end, next })
    }
}

/// What names the place between two entries, also when the first of them is gone.
pub(crate) fn cursor(last: &str, next: &str) -> String {
    format!("{last},{next}")
}

/// The entry to go on with, by its index, in a list whose entries are at these places. The name of
/// the one before it alone will do.
pub(crate) fn begin(
    cursor: &str,
    place: impl Fn(&str) -> Option<usize>,
) -> Result<usize, CliError> {
    let (last, next) =
        cursor.split_once(',').map_or((cursor, None), |(last, next)| (last, Some(next)));
    let behind = place(last).map(|index| index + 1);
    behind.or_else(|| place(next?)).ok_or_else(|| {
        CliError::new(ErrorKind::CursorGone, format!("the list has no `{cursor}` to go on after"))
            .hint("Read the list again from its beginning, without `--cursor`: the queue has changed.")
    })
}

/// A title in a list, without its end where it alone would fill much of the answer.
#[derive(Debug, Serialize)]
pub(crate) struct Title<'a> {
    title: Cow<'a, str>,
    /// Its end was cut.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    title_cut: bool,
}

impl<'a> Title<'a> {
    /// Less of a title tells nobody what it says.
    const LEAST: usize = 80;

    /// In an answer that has room for the budget and is not begun.
    pub(crate) fn within(title: impl Into<Cow<'a, str>>, budget: Budget) -> Self {
        let title = title.into();
        let most = budget.left.map_or(usize::MAX, |left| (left / 4).max(Self::LEAST));
        if title.len() <= most {
            return Self { title, title_cut: false };
        }
        let end = title.floor_char_boundary(most);
        Self { title: format!("{}…", &title[..end]).into(), title_cut: true }
    }
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

    /// Whether there is room for this.
    pub(crate) fn has_room_for(mut self, item: &impl Serialize) -> bool {
        self.takes(item)
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
}
