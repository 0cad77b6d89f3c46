//! JSONC as read here, and places in a text.

use std::cell::Cell;

use jsonc_parser::ast::{self, Value as Node};
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};
use ralph_state::json::Number;

use super::ParseError;
use crate::value::{Map, Value};

/// What 0.4.0's documents may hold: comments, trailing commas, bare keys and single quotes. The
/// rest of what the parser would let through is a mistake. Named one by one, because new options
/// are on by default.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: true,
    allow_trailing_commas: true,
    allow_single_quoted_strings: true,
    allow_missing_commas: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The length of the byte order mark, if a text begins with one. A second one is a mistake.
pub(super) fn mark_len(text: &str) -> usize {
    text.chars().next().filter(|first| *first == '\u{feff}').map_or(0, char::len_utf8)
}

/// Parses a text without a byte order mark; ranges are in `text`. Nesting is limited by the
/// parser.
pub(super) fn parse(text: &str) -> Result<Node<'_>, ParseError> {
    let collect = CollectOptions { comments: CommentCollectionStrategy::Off, tokens: false };
    match parse_to_ast(text, &collect, &OPTIONS) {
        Ok(result) => result.value.ok_or(ParseError::Empty),
        Err(error) => Err(match conflict_marker(text) {
            Some(line) => ParseError::ConflictMarkers { line },
            None => ParseError::Syntax {
                line: error.line_display(),
                column: error.column_display(),
                message: lower_first(&error.kind().to_string()),
            },
        }),
    }
}

/// The line of the first conflict marker of git, if there is a beginning and an end.
fn conflict_marker(text: &str) -> Option<usize> {
    let marked = |line: &str, mark: &str| {
        line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let begin = text.lines().position(|line| marked(line, "<<<<<<<"))?;
    text.lines().skip(begin).any(|line| marked(line, ">>>>>>>")).then_some(begin + 1)
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

/// The value of a node. Of a repeated key the last counts; reading reports it.
pub(super) fn value(node: &Node<'_>) -> Value {
    match node {
        Node::StringLit(lit) => Value::from(lit.value.as_ref()),
        // What is no number by the rules of JSON becomes its text: it is only ever compared.
        Node::NumberLit(lit) => {
            Number::new(lit.value).map_or_else(|| Value::from(lit.value), Value::Number)
        }
        Node::BooleanLit(lit) => Value::Bool(lit.value),
        Node::NullKeyword(_) => Value::Null,
        Node::Array(array) => array.elements.iter().map(value).collect(),
        Node::Object(object) => Value::Object(map(object)),
    }
}

/// The value of an object.
pub(super) fn map(object: &ast::Object<'_>) -> Map {
    object
        .properties
        .iter()
        .map(|property| (property.name.as_str().to_owned(), value(&property.value)))
        .collect()
}

/// Lines and columns of a text, found by byte.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// The position found last: whoever asks for many does so mostly in their order, and a whole
    /// file may stand on one line.
    last: Cell<Found>,
}

/// A byte, the line that it is in, and the characters before it there.
#[derive(Clone, Copy, Default)]
struct Found {
    line: usize,
    at: usize,
    characters: usize,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let ends = memchr::memchr2_iter(b'\n', b'\r', bytes)
            .filter(|&at| bytes[at] == b'\n' || bytes.get(at + 1) != Some(&b'\n'));
        let starts = std::iter::once(0).chain(ends.map(|at| at + 1)).collect();
        Self { text, starts, last: Cell::default() }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub(crate) fn position(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= at);
        let (start, last) = (self.starts[line - 1], self.last.get());
        let count = |from: usize, to: usize| self.text[from..to].chars().count();
        let is_near = last.line == line && last.characters > 0;
        let characters = if is_near && last.at <= at {
            last.characters + count(last.at, at)
        } else if is_near && last.at - at < at - start {
            last.characters.saturating_sub(count(at, last.at))
        } else {
            let before = &self.text[start..at];
            before.trim_start_matches('\u{feff}').chars().count()
        };
        self.last.set(Found { line, at, characters });
        (line, characters + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_the_same_whatever_was_asked_before() {
        let text = "\u{feff}é1\n\u{feff}zwei ü\r\n\rdrei";
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let alone: Vec<_> = places.iter().map(|at| Lines::new(text).position(*at)).collect();
        assert_eq!(alone[..4], [(1, 1), (1, 1), (1, 2), (1, 3)]);
        let lines = Lines::new(text);
        for (first, expected) in places.iter().zip(&alone) {
            assert_eq!(lines.position(*first), *expected);
            for (at, expected) in places.iter().zip(&alone) {
                assert_eq!(lines.position(*at), *expected, "{at} after {first}");
            }
        }
    }
}
