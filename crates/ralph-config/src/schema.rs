//! The JSON Schema of a configuration file, made from the table of keys.

use serde_json::{Value, json};

use crate::keys::{KEYS, Kind};

/// The key that tells an editor where the schema of a file is. It sets nothing.
pub(crate) const SCHEMA: &str = "$schema";

/// The schema of `config.jsonc`, JSON Schema 2020-12: every key, its range and its default.
pub fn schema() -> Value {
    let mut root = object();
    for (key, kind, default) in KEYS {
        let mut leaf = leaf(*kind);
        if let Ok(default) = serde_json::from_str::<Value>(default) {
            leaf["default"] = default;
        }
        *place(&mut root, key) = leaf;
    }
    root["properties"]["profiles"] = json!({
        "type": "object",
        "additionalProperties": root["properties"]["agent"].clone(),
    });
    root["properties"][SCHEMA] = json!({ "type": "string" });
    root[SCHEMA] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "Ralph configuration".into();
    root
}

fn object() -> Value {
    json!({ "type": "object", "properties": {} })
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
    match kind {
        Kind::Text | Kind::Inside => json!({ "type": "string", "minLength": 1 }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
        Kind::Texts | Kind::Argv => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Millis => json!({ "type": "array", "items": { "type": "integer" }, "minItems": 1 }),
        Kind::Any => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            json!({ "type": "integer", "minimum": 1, "maximum": 255, "default": 4 })
        );
    }
}
