//! The JSON Schema of a configuration file, made from the table of keys.

use serde_json::{Value, json};

use crate::FORMAT;
use crate::keys::{KEYS, Kind, MOST_MILLIS};

/// The key that tells an editor where the schema of a file is. It sets nothing.
pub(crate) const SCHEMA: &str = "$schema";

/// The schema of `config.jsonc`, JSON Schema 2020-12: every key, its range and its default. What
/// reading does not refuse, it does not.
pub fn schema() -> Value {
    let mut root = object();
    for (key, kind, default) in KEYS {
        let mut leaf = leaf(*kind);
        if let Ok(default) = serde_json::from_str::<Value>(default) {
            leaf["default"] = default;
        }
        *place(&mut root, key) = leaf;
    }
    // An older file is read as it is.
    root["properties"][FORMAT.version_key] = json!({ "type": "integer", "minimum": FORMAT.first, "maximum": FORMAT.current, "default": FORMAT.current });
    root["properties"]["profiles"] = json!({
        "type": ["object", "null"],
        "additionalProperties": root["properties"]["agent"].clone(),
    });
    root["properties"][SCHEMA] = json!({ "type": "string" });
    root[SCHEMA] = "https://json-schema.org/draft/2020-12/schema".into();
    root["type"] = "object".into();
    root["title"] = "Ralph configuration".into();
    root
}

/// Null sets nothing, wherever it stands.
fn object() -> Value {
    json!({ "type": ["object", "null"], "properties": {} })
}

/// Where the schema of a dotted key belongs; `*` stands for any name.
fn place<'s>(root: &'s mut Value, key: &str) -> &'s mut Value {
    let mut at = root;
    for name in key.split('.') {
        if at.is_null() {
            *at = object();
        }
        at = match name {
            "*" => &mut at["additionalProperties"],
            name => &mut at["properties"][name],
        };
    }
    at
}

fn leaf(kind: Kind) -> Value {
    let filled = json!({ "type": "string", "pattern": r"\S" });
    match kind {
        Kind::Text | Kind::Inside => json!({ "type": ["string", "null"], "pattern": r"\S" }),
        Kind::Word(words) => {
            let words: Vec<_> = words.iter().copied().map(Some).chain([None]).collect();
            json!({ "enum": words })
        }
        Kind::Switch => json!({ "type": ["boolean", "null"] }),
        Kind::Whole(least, most) => {
            json!({ "type": ["integer", "null"], "minimum": least, "maximum": most })
        }
        Kind::Number(least, most) => {
            json!({ "type": ["number", "null"], "minimum": least, "maximum": most })
        }
        Kind::Texts => json!({ "type": ["array", "null"], "items": filled }),
        Kind::Argv => {
            json!({ "type": ["array", "null"], "items": { "type": "string" }, "minItems": 1 })
        }
        Kind::Millis => json!({
            "type": ["array", "null"],
            "items": { "type": "integer", "minimum": 0, "maximum": MOST_MILLIS },
            "minItems": 1,
        }),
        Kind::Any => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer;

    #[test]
    fn it_refuses_what_reading_does_and_nothing_else() {
        let check = |document: Value, is_sound: bool| {
            let accepted = ralph_testkit::schema::accepts(&schema(), &document);
            assert_eq!(accepted, is_sound, "schema: {document}");
            let layer = layer::parse("config.jsonc".as_ref(), document.to_string().as_bytes());
            let is_read = layer.is_ok_and(|layer| layer.violations.is_empty());
            assert_eq!(is_read, is_sound, "reading: {document}");
        };
        for sound in [
            json!({ "version": 1 }),
            json!({ "agent": null, "queue": { "finish": null, "id_width": 4 } }),
            json!({ "agent": { "runner": null, "phases": 3 }, "profiles": null }),
            json!({ "version": 2, "profiles": { "a": null, "b": { "model": "m" } }, "x": [1] }),
            json!({ "agent": { "command": { "argv": ["./agent.sh", ""] } } }),
        ] {
            check(sound, true);
        }
        for bad in [
            json!([]),
            json!({ "version": null }),
            json!({ "version": 3 }),
            json!({ "agent": 7 }),
            json!({ "agent": { "runner": " " } }),
            json!({ "agent": { "phases": 0 } }),
            json!({ "queue": { "finish": "never" } }),
            json!({ "agent": { "command": { "argv": [] } } }),
            json!({ "profiles": { "a": { "phases": 4 } } }),
        ] {
            check(bad, false);
        }
    }

    #[test]
    fn every_key_is_in_it() {
        let schema = schema();
        for (key, ..) in KEYS {
            let path: Vec<String> = key
                .split('.')
                .map(|name| match name {
                    "*" => "/additionalProperties".to_owned(),
                    name => format!("/properties/{name}"),
                })
                .collect();
            let found = schema.pointer(&path.concat());
            assert!(found.is_some_and(|found| found.is_object() || found == &json!({})), "{key}");
        }
        let width = &schema["properties"]["queue"]["properties"]["id_width"];
        assert_eq!(
            *width,
            json!({ "type": ["integer", "null"], "minimum": 1, "maximum": 255, "default": 4 })
        );
    }
}
