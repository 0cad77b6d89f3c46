//! Text to [`Json`]: JSON with comments, trailing commas, bare keys and single quotes.

use std::borrow::Cow;

use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, ast};

use super::node::{Node, plain, twice};
use super::{Json, Path, Segment};

/// How deep arrays and objects may be nested.
pub const MAX_DEPTH: usize = 128;

/// A place in a text, both counted from one; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a line and a column, for ever")]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// Why a text is no JSON value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at line {}, column {}", position.line, position.column)]
#[non_exhaustive]
pub struct SyntaxError {
    /// Where.
    pub position: Position,
    /// What.
    pub reason: SyntaxReason,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxReason {
    /// It is no JSON, in the words of the parser.
    #[error("{0}")]
    NotJson(String),
    /// An object has a key twice.
    #[error("the key `{0}` stands twice")]
    DuplicateKey(String),
    /// A number is spelled in a way that JSON does not know.
    #[error("`{0}` is not a number")]
    NotANumber(String),
    /// Too many levels of arrays and objects.
    #[error("more than {MAX_DEPTH} levels of arrays and objects")]
    TooDeep,
}

/// Reads one value; `None` when there is nothing but white space and comments. A byte order mark
/// is passed over.
pub fn parse(text: &str) -> Result<Option<Json>, SyntaxError> {
    Ok(parse_node(text)?.map(Node::into_json))
}

/// The same, borrowing from `text`.
pub(crate) fn parse_node(text: &str) -> Result<Option<Node<'_>>, SyntaxError> {
    match plain(text) {
        Some(value) => Ok(Some(value)),
        None => tolerant(text),
    }
}

/// The same, for any text.
pub(super) fn tolerant(text: &str) -> Result<Option<Node<'_>>, SyntaxError> {
    match parse_to_ast(text)? {
        Some(value) => Reader { text }.value(value, 0).map(Some),
        None => Ok(None),
    }
}

/// Where in `text` the value at `path` begins; `None` when there is no such value.
pub fn position_of(text: &str, path: &Path) -> Option<Position> {
    let root = parse_to_ast(text).ok()??;
    let mut value = &root;
    for segment in path.segments() {
        value = match (segment, value) {
            (Segment::Key(key), ast::Value::Object(object)) => {
                &object.properties.iter().find(|property| property.name.as_str() == key)?.value
            }
            (Segment::Index(index), ast::Value::Array(array)) => array.elements.get(*index)?,
            _ => return None,
        };
    }
    Some(position(text, value.start()))
}

/// Whether `literal` is a number by the grammar of JSON.
pub(super) fn is_number(literal: &str) -> bool {
    fn digits(text: &str) -> Option<&str> {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        (rest.len() < text.len()).then_some(rest)
    }
    fn number(text: &str) -> Option<&str> {
        let text = text.strip_prefix('-').unwrap_or(text);
        let mut rest = text.strip_prefix('0').map_or_else(|| digits(text), Some)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = digits(fraction)?;
        }
        if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
            rest = digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))?;
        }
        Some(rest)
    }
    number(literal) == Some("")
}

fn parse_to_ast(text: &str) -> Result<Option<ast::Value<'_>>, SyntaxError> {
    let collect = CollectOptions { comments: CommentCollectionStrategy::Off, tokens: false };
    // Every field by name: a new minor version of the parser adds tolerances that are on.
    let tolerance = ParseOptions {
        allow_comments: true,
        allow_loose_object_property_names: true,
        allow_trailing_commas: true,
        allow_missing_commas: false,
        allow_single_quoted_strings: true,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    match jsonc_parser::parse_to_ast(text, &collect, &tolerance) {
        Ok(parsed) => Ok(parsed.value),
        Err(error) => {
            let message = error.kind().to_string();
            let mut letters = message.chars();
            let lower = letters.next().map(|first| first.to_lowercase().collect::<String>());
            Err(SyntaxError {
                position: position(text, error.range().start),
                reason: SyntaxReason::NotJson(lower.unwrap_or_default() + letters.as_str()),
            })
        }
    }
}

struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&self, value: ast::Value<'a>, depth: usize) -> Result<Node<'a>, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error(value.start(), SyntaxReason::TooDeep));
        }
        Ok(match value {
            ast::Value::NullKeyword(_) => Node::Null,
            ast::Value::BooleanLit(literal) => Node::Bool(literal.value),
            ast::Value::StringLit(literal) => Node::String(literal.value),
            ast::Value::NumberLit(literal) if is_number(literal.value) => {
                Node::Number(literal.value)
            }
            ast::Value::NumberLit(literal) => {
                return Err(self.not_a_number(literal.range.start, literal.value));
            }
            ast::Value::Array(array) => {
                let elements = array.elements.into_iter();
                Node::Array(
                    elements.map(|item| self.value(item, depth + 1)).collect::<Result<_, _>>()?,
                )
            }
            ast::Value::Object(object) => Node::Object(self.object(object, depth)?),
        })
    }

    fn object(
        &self,
        object: ast::Object<'a>,
        depth: usize,
    ) -> Result<Vec<(Cow<'a, str>, Node<'a>)>, SyntaxError> {
        let mut places = Vec::with_capacity(object.properties.len());
        let mut members = Vec::with_capacity(object.properties.len());
        for property in object.properties {
            places.push(property.range.start);
            let key = match property.name {
                ast::ObjectPropName::String(literal) => literal.value,
                ast::ObjectPropName::Word(word) => Cow::Borrowed(word.value),
            };
            members.push((key, self.value(property.value, depth + 1)?));
        }
        match twice(&members) {
            None => Ok(members),
            Some(at) => {
                let key = members[at].0.clone().into_owned();
                Err(self.error(places[at], SyntaxReason::DuplicateKey(key)))
            }
        }
    }

    fn not_a_number(&self, at: usize, literal: &str) -> SyntaxError {
        self.error(at, SyntaxReason::NotANumber(literal.to_owned()))
    }

    fn error(&self, at: usize, reason: SyntaxReason) -> SyntaxError {
        SyntaxError { position: position(self.text, at), reason }
    }
}

fn position(text: &str, offset: usize) -> Position {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, outcome: &Expect) {
        let shown = match parse(text) {
            Ok(Some(value)) => super::super::to_text(&value),
            Ok(None) => "nothing".to_owned(),
            Err(error) => format!("error: {error}"),
        };
        outcome.assert_eq(&shown);
    }

    #[test]
    fn tolerated() {
        check("", &expect!["nothing"]);
        check(" // a comment\n/* another */\r\n", &expect!["nothing"]);
        check(
            "{a: 'b', /* c */ \"d\": [1, 2,],}",
            &expect![[r#"
            {
              "a": "b",
              "d": [
                1,
                2
              ]
            }"#]],
        );
        check("\"\\u00e4\\ud83d\\ude00\\n\"", &expect![[r#""ä😀\n""#]]);
        check(
            "[1.50, 123456789012345678901234567890, 1E+05, -0, 1e999]",
            &expect![[r"
            [
              1.50,
              123456789012345678901234567890,
              1E+05,
              -0,
              1e999
            ]"]],
        );
    }

    #[test]
    fn refused() {
        check(
            "{\"a\": 1, \"b\": {\"c\": 1,\n  \"ä\": 2, 'c': 3}}",
            &expect!["error: the key `c` stands twice at line 2, column 11"],
        );
        check("{\"a\": 1", &expect!["error: unterminated object at line 1, column 1"]);
        check("{\"a\": }", &expect!["error: unexpected close brace at line 1, column 7"]);
        check("{\"a\": 01}", &expect!["error: expected comma at line 1, column 8"]);
        check("[0x1F]", &expect!["error: hexadecimal numbers are not allowed at line 1, column 2"]);
        check("[NaN]", &expect!["error: unexpected token at line 1, column 2"]);
        check("[+1]", &expect!["error: unary plus on numbers is not allowed at line 1, column 2"]);
        check(
            "[.5]",
            &expect![
                "error: leading or trailing decimal points on numbers are not allowed at line 1, column 2"
            ],
        );
        check("[1 2]", &expect!["error: expected comma at line 1, column 3"]);
        check(
            "1 2",
            &expect!["error: text cannot contain more than one JSON value at line 1, column 3"],
        );
        check(
            "\"\\ud800\"",
            &expect![
                "error: invalid unicode escape sequence. 'd800 (unpaired high surrogate)' is not a valid UTF8 character at line 1, column 2"
            ],
        );
        check("\u{0}", &expect!["error: unexpected token at line 1, column 1"]);
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH + 1)).is_ok());
        let error = parse(&nested(MAX_DEPTH + 2)).unwrap_err();
        assert_eq!(error.reason, SyntaxReason::TooDeep);
        assert!(parse(&"[".repeat(1_000_000)).is_err());
        assert!(parse(&"{\"a\":".repeat(1_000_000)).is_err());
    }

    #[test]
    fn numbers() {
        for good in ["0", "-0", "10", "1.5", "0.0", "1e5", "1E-5", "-1.25e+10"] {
            assert!(is_number(good), "{good}");
        }
        for bad in ["", "-", "00", "01", "1.", ".1", "1e", "1e+", "+1", "1 ", "0x1", "1_0", "NaN"] {
            assert!(!is_number(bad), "{bad}");
        }
    }

    #[test]
    fn positions() {
        let text = "{\n  \"ä\": [1,\n   {\"b\": 2}]\n}";
        let at = |path: Path| position_of(text, &path).map(|at| (at.line, at.column));
        let inner = Path::new().key("ä").index(1);
        assert_eq!(at(Path::new()), Some((1, 1)));
        assert_eq!(at(inner.clone()), Some((3, 4)));
        assert_eq!(at(inner.clone().key("b")), Some((3, 10)));
        assert_eq!(at(inner.key("c")), None);
    }
}
