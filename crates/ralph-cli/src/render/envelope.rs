//! The frame of our own JSON documents.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::counted;
use crate::args::PartArgs;
use crate::error::{CliError, ErrorKind};
use crate::ui::Ui;

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

/// A list that says how much there is and what was cut. Every list that is printed has these keys,
/// whatever it has beside them.
#[derive(Debug, Serialize)]
pub(crate) struct List<I> {
    pub(crate) schema: Schema,
    /// The revision of the queue that the list was made from: null for what is not in the queue
    /// (runners, profiles, templates, rescued work), and where the queue cannot be read.
    pub(crate) rev: Option<String>,
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
    pub(crate) fn all(schema: Schema, rev: Option<String>, items: &'a [T]) -> Self {
        Self::part(schema, rev, items, &Cut { range: 0..items.len(), next: None })
    }

    /// The part of `all` that `cut` leaves.
    pub(crate) fn part(schema: Schema, rev: Option<String>, all: &'a [T], cut: &Cut) -> Self {
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
    /// What was asked for of these entries, as far as the budget goes. `key` names an entry by its
    /// index.
    pub(crate) fn new<T: Serialize>(
        items: &[T],
        part: &PartArgs,
        budget: &mut Budget,
        key: impl Fn(usize) -> String,
    ) -> Result<Self, CliError> {
        Self::made(items.len(), part, |index| budget.takes(&items[index]), key)
    }

    /// The same of a list of texts, of which the room alone says how many fit.
    pub(crate) fn of_text(
        count: usize,
        part: &PartArgs,
        key: impl Fn(usize) -> String,
    ) -> Result<Self, CliError> {
        Self::made(count, part, |_| true, key)
    }

    /// The same of so many entries, of which each in turn `fits` or ends the answer; the first is
    /// there in any case: who reads on comes to the end.
    pub(crate) fn made(
        count: usize,
        part: &PartArgs,
        mut fits: impl FnMut(usize) -> bool,
        key: impl Fn(usize) -> String,
    ) -> Result<Self, CliError> {
        let is = |index: usize, name: &str| key(index) == name;
        let begin = part.cursor.as_deref().map_or(Ok(0), |cursor| begin(cursor, count, is))?;
        let most = if part.limit == 0 { count } else { part.limit };
        let last = begin.saturating_add(most).min(count);
        let end = (begin..last).find(|index| !fits(*index)).unwrap_or(last);
        let end = end.max(begin + 1).min(last);
        let next = (end < count).then(|| cursor(&key(end - 1), &key(end)));
        Ok(Self { range: begin..end, next })
    }

    /// Says how to go on after these of `total`, where that is not the end.
    pub(crate) fn tell(&self, ui: &Ui, total: usize, noun: &str) {
        if let Some(cursor) = &self.next {
            ui.say(format!("{} of {}.", self.range.len(), counted(total, noun)));
            ui.hint(format!("`--cursor {cursor}` shows those that follow."));
        }
    }
}

/// Prints the part that was asked for of a list, and what it has `beside` that.
pub(crate) fn print_part<T: Serialize>(
    ui: &Ui,
    (schema, rev): (Schema, Option<String>),
    (items, part): (&[T], &PartArgs),
    key: impl Fn(usize) -> String,
    beside: &impl Serialize,
) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Document<'a, T, B> {
        #[serde(flatten)]
        list: List<&'a [T]>,
        #[serde(flatten)]
        beside: &'a B,
    }
    let mut budget = Budget::new(part.max_tokens);
    budget.takes(beside);
    let cut = Cut::new(items, part, &mut budget, key)?;
    ui.print_json(&Document { list: List::part(schema, rev, items, &cut), beside })
}

/// What names the place between two entries, also when the first of them is gone.
pub(crate) fn cursor(last: &str, next: &str) -> String {
    format!("{last},{next}")
}

/// The entry to go on with, by its index, in a list of `count` whose entries have names. The name
/// of the one before it alone will do; where several have it, the one behind tells which is meant.
pub(crate) fn begin(
    cursor: &str,
    count: usize,
    is: impl Fn(usize, &str) -> bool,
) -> Result<usize, CliError> {
    let (last, next) =
        cursor.split_once(',').map_or((cursor, None), |(last, next)| (last, Some(next)));
    let place = |name: &str| (0..count).find(|index| is(*index, name));
    let between = |next: &str| (1..count).find(|index| is(*index - 1, last) && is(*index, next));
    let behind = || place(last).map(|index| index + 1);
    next.and_then(between).or_else(behind).or_else(|| place(next?)).ok_or_else(|| {
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

/// An entry, or figures, of which the longest lists and texts are cut where they alone are too much.
#[derive(Debug, Serialize)]
pub(crate) struct Short<T> {
    #[serde(flatten)]
    pub(crate) document: Content<T>,
    /// Fields of which something was cut.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) cut: BTreeSet<String>,
}

/// A document, or what is left of it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Content<T> {
    Whole(T),
    Part(Value),
}

impl<T: Serialize> Short<T> {
    pub(crate) fn within(document: T, budget: Budget) -> Self {
        let mut cut = BTreeSet::new();
        if budget.has_room_for(&document) {
            return Self { document: Content::Whole(document), cut };
        }
        let mut document = serde_json::to_value(document).expect("what is printed is JSON");
        while !budget.has_room_for(&document) {
            let longest = longest(&document);
            if longest <= SHORT {
                break;
            }
            // Several at once, so that many lists that are alike are cut alike.
            halve(&mut document, "", longest / 2, &mut cut);
        }
        Self { document: Content::Part(document), cut }
    }
}

/// Cutting what is shorter gains nothing, in bytes.
const SHORT: usize = 80;

/// How long a text is, or a list without the lists and texts in its entries.
fn own_len(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(entries) if entries.len() > 1 => entries.iter().map(frame_len).sum(),
        _ => 0,
    }
}

/// How much an entry of a list takes at least.
fn frame_len(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 4,
        Value::Object(fields) => fields.keys().map(|name| name.len() + 8).sum(),
        _ => 8,
    }
}

fn longest(value: &Value) -> usize {
    let below = match value {
        Value::Array(entries) => entries.iter().map(longest).max(),
        Value::Object(fields) => fields.values().map(longest).max(),
        _ => None,
    };
    below.unwrap_or(0).max(own_len(value))
}

/// Halves each list and text that is longer than `most`, of a list its end.
fn halve(value: &mut Value, name: &str, most: usize, cut: &mut BTreeSet<String>) {
    if own_len(value) > most {
        match value {
            Value::Array(entries) => entries.truncate(entries.len() / 2),
            Value::String(text) => {
                text.truncate(text.floor_char_boundary(text.len() / 2));
                text.push('…');
            }
            _ => {}
        }
        cut.insert(name.to_owned());
    }
    match value {
        Value::Array(entries) => {
            for entry in entries {
                halve(entry, name, most, cut);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                halve(field, &name, most, cut);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_where_several_entries_have_one_name() {
        let names = ["a", "b", "a", "c"];
        let mut part = PartArgs { limit: 1, ..PartArgs::default() };
        let mut shown = Vec::new();
        for _ in names {
            let cut = Cut::of_text(names.len(), &part, |index| names[index].to_owned());
            let cut = cut.expect("the cursor is known");
            shown.push(cut.range);
            part.cursor = cut.next;
        }
        assert_eq!((shown, part.cursor), (vec![0..1, 1..2, 2..3, 3..4], None));
    }

    #[test]
    fn what_is_cut_is_cut_alike_and_named() {
        let list = |count| vec!["RQ-0001"; count];
        let days = vec![serde_json::json!({ "made": list(400), "ended": list(300) }); 3];
        let document = serde_json::json!({ "days": days, "title": "é".repeat(3000), "count": 7 });
        let budget = Budget::new(Some(1000));
        let Short { document, cut } = Short::within(document, budget);
        assert!(budget.has_room_for(&document));
        let Content::Part(document) = document else { panic!("it is cut") };
        assert_eq!(cut, ["days.ended", "days.made", "title"].map(str::to_owned).into());
        assert_eq!((&document["count"], &document["days"][0]), (&7.into(), &document["days"][2]));
    }
}
