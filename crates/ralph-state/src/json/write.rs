//! [`Json`] to text.

use std::fmt::{self, Write as _};

use super::Json;

/// The value as text: two spaces for each level, each member on its own line, no newline at the
/// end. The same value always gives the same text.
pub fn to_text(value: &Json) -> String {
    let mut text = String::new();
    write_value(value, 0, &mut text);
    text
}

fn write_value(value: &Json, level: usize, text: &mut String) {
    match value {
        Json::Null => text.push_str("null"),
        Json::Bool(true) => text.push_str("true"),
        Json::Bool(false) => text.push_str("false"),
        Json::Number(number) => text.push_str(number.as_str()),
        Json::String(string) => write_string(string, text),
        Json::Array(items) => {
            write_block("[]", items.iter(), level, text, |item, text| {
                write_value(item, level + 1, text);
            });
        }
        Json::Object(object) => {
            write_block("{}", object.iter(), level, text, |(key, value), text| {
                write_string(key, text);
                text.push_str(": ");
                write_value(value, level + 1, text);
            });
        }
    }
}

fn write_block<T>(
    brackets: &str,
    parts: impl Iterator<Item = T>,
    level: usize,
    text: &mut String,
    write_part: impl Fn(T, &mut String),
) {
    let (open, close) = brackets.split_at(1);
    text.push_str(open);
    let mut empty = true;
    for part in parts {
        text.push_str(if empty { "\n" } else { ",\n" });
        empty = false;
        indent(level + 1, text);
        write_part(part, text);
    }
    if !empty {
        text.push('\n');
        indent(level, text);
    }
    text.push_str(close);
}

fn indent(level: usize, text: &mut String) {
    for _ in 0..level {
        text.push_str("  ");
    }
}

impl fmt::Display for Json {
    /// On one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Object(object) => {
                f.write_str("{")?;
                for (at, (key, value)) in object.iter().enumerate() {
                    let mut name = String::new();
                    write_string(key, &mut name);
                    write!(f, "{}{name}: {value}", if at == 0 { "" } else { ", " })?;
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
    while let Some(at) = rest.find(|c: char| matches!(c, '"' | '\\' | '\0'..='\x1f')) {
        text.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            8 => text.push_str("\\b"),
            12 => text.push_str("\\f"),
            control => write!(text, "\\u{control:04x}").expect("writing to a string cannot fail"),
        }
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
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
