//! What a JSON Schema says of a document, in the keywords that Ralph's own schemas have.

use regex::Regex;
use serde_json::{Map, Value};

/// Whether a document is one that the schema describes.
///
/// Panics on a keyword that it does not know, so that none is passed over.
pub fn accepts(schema: &Value, document: &Value) -> bool {
    let Value::Object(schema) = schema else { panic!("no schema: {schema}") };
    schema.iter().all(|(keyword, wanted)| holds(keyword, wanted, schema, document))
}

fn holds(keyword: &str, wanted: &Value, schema: &Map<String, Value>, document: &Value) -> bool {
    let matches = |text: &str| {
        let pattern = Regex::new(wanted.as_str().expect("a pattern is a text"));
        pattern.expect("a pattern is a regular expression").is_match(text)
    };
    let number = |value: &Value| value.as_f64();
    let bound = || number(wanted).expect("a bound is a number");
    match keyword {
        "$schema" | "title" | "description" | "default" | "then" => true,
        // An annotation, beside which stands a pattern.
        "format" => {
            assert_eq!(wanted, "date-time", "no other format is known here");
            true
        }
        "type" => match wanted {
            Value::Array(kinds) => kinds.iter().any(|kind| is_of(kind, document)),
            kind => is_of(kind, document),
        },
        "const" => document == wanted,
        "enum" => wanted.as_array().is_some_and(|all| all.contains(document)),
        "minimum" => number(document).is_none_or(|found| found >= bound()),
        "maximum" => number(document).is_none_or(|found| found <= bound()),
        "minItems" => {
            document.as_array().is_none_or(|items| Some(items.len() as u64) >= wanted.as_u64())
        }
        "pattern" => document.as_str().is_none_or(matches),
        "items" => {
            document.as_array().is_none_or(|items| items.iter().all(|item| accepts(wanted, item)))
        }
        "required" => document.as_object().is_none_or(|members| {
            let names = wanted.as_array().expect("names");
            names.iter().all(|name| members.contains_key(name.as_str().expect("a name")))
        }),
        "properties" => document.as_object().is_none_or(|members| {
            members
                .iter()
                .all(|(name, value)| wanted.get(name).is_none_or(|schema| accepts(schema, value)))
        }),
        "additionalProperties" => document.as_object().is_none_or(|members| {
            let named = schema.get("properties").and_then(Value::as_object);
            members
                .iter()
                .filter(|(name, _)| named.is_none_or(|named| !named.contains_key(*name)))
                .all(|(_, value)| accepts(wanted, value))
        }),
        "propertyNames" => document.as_object().is_none_or(|members| {
            members.keys().all(|name| accepts(wanted, &Value::from(name.as_str())))
        }),
        "if" => !accepts(wanted, document) || accepts(&schema["then"], document),
        unknown => panic!("`{unknown}` is not known here"),
    }
}

fn is_of(kind: &Value, document: &Value) -> bool {
    match kind.as_str().expect("a kind is a word") {
        "null" => document.is_null(),
        "boolean" => document.is_boolean(),
        "integer" => document.is_u64() || document.is_i64(),
        "number" => document.is_number(),
        "string" => document.is_string(),
        "array" => document.is_array(),
        "object" => document.is_object(),
        kind => panic!("`{kind}` is no kind"),
    }
}
