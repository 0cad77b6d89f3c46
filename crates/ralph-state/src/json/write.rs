//! [`Json`] to text.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::Json;
use super::node::plain_len;
use super::ser::{EncodeError, Part, Sink, tell};

/// The value as text: two spaces for each level, each member on its own line, no newline at the
/// end. The same value always gives the same text.
pub fn to_text(value: &Json) -> String {
    text_of(value).expect("every JSON value can be told")
}

/// The text of the JSON value that stands for `value`, laid out in the same way.
pub fn text_of<T: Serialize + ?Sized>(value: &T) -> Result<String, EncodeError> {
    let mut text = Text::default();
    tell(value, &mut text)?;
    Ok(text.written)
}

/// The same text in pieces, each given to `take` as soon as it is made: a long one is never in
/// memory as a whole. What was taken of a value that turns out not to be told is its beginning.
pub fn text_in_pieces<T: Serialize + ?Sized>(
    value: &T,
    mut take: impl FnMut(&str),
) -> Result<(), EncodeError> {
    let mut pieces = InPieces { text: Text::default(), take: &mut take };
    tell(value, &mut pieces)?;
    (pieces.take)(&pieces.text.written);
    Ok(())
}

/// So many bytes are a piece.
const PIECE: usize = 1 << 16;

/// Hands on what it has written, and goes on.
struct InPieces<'a> {
    text: Text,
    take: &'a mut dyn FnMut(&str),
}

impl Sink for InPieces<'_> {
    fn take(&mut self, part: Part<'_>) -> Result<(), EncodeError> {
        self.text.take(part)?;
        if self.text.written.len() >= PIECE {
            (self.take)(&self.text.written);
            self.text.written.clear();
        }
        Ok(())
    }
}

/// Writes what it is told.
#[derive(Default)]
pub(crate) struct Text {
    pub(crate) written: String,
    /// What closes the arrays and objects that are open.
    closing: Vec<char>,
    /// Whether the innermost of them has nothing in it yet.
    is_empty: bool,
    /// Whether the key of a member comes before this.
    after_key: bool,
}

impl Text {
    /// Begins an element or a member on a line of its own.
    fn line(&mut self) {
        if std::mem::take(&mut self.after_key) || self.closing.is_empty() {
            return;
        }
        self.written.push_str(if self.is_empty { "\n" } else { ",\n" });
        self.is_empty = false;
        self.indent();
    }

    fn indent(&mut self) {
        for _ in &self.closing {
            self.written.push_str("  ");
        }
    }

    fn open(&mut self, opening: char, closing: char) {
        self.written.push(opening);
        self.closing.push(closing);
        self.is_empty = true;
    }
}

impl Sink for Text {
    fn take(&mut self, part: Part<'_>) -> Result<(), EncodeError> {
        if let Part::End = part {
            let closing = self.closing.pop().expect("what ends has begun");
            if !std::mem::take(&mut self.is_empty) {
                self.written.push('\n');
                self.indent();
            }
            self.written.push(closing);
            return Ok(());
        }
        self.line();
        match part {
            Part::Null => self.written.push_str("null"),
            Part::Bool(true) => self.written.push_str("true"),
            Part::Bool(false) => self.written.push_str("false"),
            Part::Number(literal) => self.written.push_str(literal),
            Part::String(string) => write_string(string, &mut self.written),
            Part::Array => self.open('[', ']'),
            Part::Object => self.open('{', '}'),
            Part::Key(key) => {
                write_string(key, &mut self.written);
                self.written.push_str(": ");
                self.after_key = true;
            }
            Part::End => {}
        }
        Ok(())
    }
}

impl fmt::Display for Json {
    /// On one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.on_a_line(f, ", ", ": ")
    }
}

/// A value on one line, in as few bytes as it takes.
pub(crate) struct Dense<'a>(pub(crate) &'a Json);

impl fmt::Display for Dense<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.on_a_line(f, ",", ":")
    }
}

impl Json {
    fn on_a_line(&self, f: &mut fmt::Formatter<'_>, comma: &str, colon: &str) -> fmt::Result {
        match self {
            Self::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { comma })?;
                    item.on_a_line(f, comma, colon)?;
                }
                f.write_str("]")
            }
            Self::Object(object) => {
                f.write_str("{")?;
                for (at, (key, value)) in object.iter().enumerate() {
                    let mut name = String::new();
                    write_string(key, &mut name);
                    write!(f, "{}{name}{colon}", if at == 0 { "" } else { comma })?;
                    value.on_a_line(f, comma, colon)?;
                }
                f.write_str("}")
            }
            scalar => f.write_str(&to_text(scalar)),
        }
    }
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    let mut rest = string;
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        text.push_str(plain);
        let Some(byte) = special.bytes().next() else { break };
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            8 => text.push_str("\\b"),
            12 => text.push_str("\\f"),
            control => write!(text, "\\u{control:04x}").expect("writing to a string cannot fail"),
        }
        rest = &special[1..];
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Number, Object, parse};
    use super::*;

    fn any_json() -> impl Strategy<Value = Json> {
        let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?";
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            number.prop_map(|text| Json::Number(Number::new(text).unwrap())),
            any::<String>().prop_map(Json::String),
        ];
        leaf.prop_recursive(6, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Json::Object(members.into_iter().collect::<Object>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in any_json()) {
            prop_assert_eq!(parse(&to_text(&value)).unwrap(), Some(value));
        }

        #[test]
        fn the_pieces_are_the_text(value in any_json(), times in 0..2000_usize) {
            let values = vec![value; times];
            let (mut pieces, mut count) = (String::new(), 0);
            let take = |piece: &str| { pieces.push_str(piece); count += 1 };
            text_in_pieces(&values, take).unwrap();
            let text = text_of(&values).unwrap();
            prop_assert!(count <= text.len() / PIECE + 1);
            prop_assert_eq!(pieces, text);
        }

        #[test]
        fn the_text_is_that_of_serde_json(value in any_json()) {
            // For what `serde_json` does not round: no numbers.
            fn without_numbers(value: Json) -> Json {
                match value {
                    Json::Number(_) => Json::Null,
                    Json::Array(items) => {
                        Json::Array(items.into_iter().map(without_numbers).collect())
                    }
                    Json::Object(object) => Json::Object(
                        object.0.into_iter().map(|(k, v)| (k, without_numbers(v))).collect(),
                    ),
                    other => other,
                }
            }
            let value = without_numbers(value);
            prop_assert_eq!(to_text(&value), serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
