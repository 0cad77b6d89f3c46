//! A configuration file of an older format, edited in place: comments and layout stay.

use std::path::Path;

use jsonc_parser::cst::{CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value;

use crate::{
    CONFIG_VERSION, ConfigError, WarningKind, keys,
    layer::{self, KeyPath, Layer},
    legacy::{self, Old},
};

/// What a file of an older format becomes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Migration {
    /// The version that the file names, if it names one.
    pub from: Option<u32>,
    /// The whole new text.
    pub text: String,
    /// What is different in it, in the order of the file.
    pub changes: Vec<Change>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// The file names the present version.
    Version,
    /// A key has its name of today, its value perhaps another form.
    Moved {
        /// The dotted key of old.
        key: String,
        /// The dotted key of today.
        to: String,
    },
    /// A key of old went, because the one of today is there and counts.
    Superseded {
        /// The dotted key of old.
        key: String,
        /// The dotted key of today.
        by: String,
        /// What it said.
        value: Value,
    },
    /// A key went whose feature is gone.
    Gone {
        /// The dotted key.
        key: String,
        /// What it said.
        value: Value,
    },
}

/// What the file with this content becomes; `None` when it is of the present format.
///
/// The new text sets what the old one set, key by key: that is checked.
///
/// # Errors
/// When the file cannot be read as a configuration, or is of a newer format.
pub fn migrate(path: &Path, bytes: &[u8]) -> Result<Option<Migration>, ConfigError> {
    let before = layer::parse(path, bytes)?;
    if !before.violations.is_empty() {
        return Err(ConfigError::Invalid { violations: before.violations });
    }
    if !before.warnings.iter().any(|warning| is_old(&warning.kind)) {
        return Ok(None);
    }
    let fault = || ConfigError::Edit { path: path.to_owned() };
    let text = str::from_utf8(bytes).map_err(|_| fault())?;
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(text) => ("\u{feff}", text),
        None => ("", text),
    };
    let tree = CstRootNode::parse(text, &layer::OPTIONS).map_err(|_| fault())?;
    let root = tree.object_value().ok_or_else(fault)?;
    let mut changes = Vec::new();
    let from = raise_version(&root, &mut changes);
    edit(&root, &mut Vec::new(), &mut changes);
    let text = format!("{mark}{tree}");
    let after = layer::parse(path, text.as_bytes())?;
    if !says_the_same(&before, &after) {
        return Err(fault());
    }
    Ok(Some(Migration { from, text, changes }))
}

const fn is_old(kind: &WarningKind) -> bool {
    matches!(
        kind,
        WarningKind::Moved { .. }
            | WarningKind::Gone { .. }
            | WarningKind::NoVersion
            | WarningKind::OlderVersion { .. }
    )
}

fn says_the_same(before: &Layer, after: &Layer) -> bool {
    let values = |layer: &Layer| -> Vec<(KeyPath, Value)> {
        layer.settings.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    };
    after.violations.is_empty()
        && !after.warnings.iter().any(|warning| is_old(&warning.kind))
        && values(before) == values(after)
}

/// Puts the present version in place; which one there was.
fn raise_version(root: &CstObject, changes: &mut Vec<Change>) -> Option<u32> {
    let present = || CstInputValue::Number(CONFIG_VERSION.to_string());
    let named = root.properties().into_iter().rfind(|property| has_name(property, "version"));
    let Some(named) = named else {
        root.insert(0, "version", present());
        changes.push(Change::Version);
        return None;
    };
    let from = value_of(&named).as_u64().and_then(|found| u32::try_from(found).ok());
    if from != Some(CONFIG_VERSION) {
        named.set_value(present());
        changes.push(Change::Version);
    }
    from
}

fn edit(object: &CstObject, path: &mut KeyPath, changes: &mut Vec<Change>) {
    for property in object.properties() {
        let Some(name) = property.decoded_name() else { continue };
        let value = value_of(&property);
        if value.is_null() {
            continue;
        }
        path.push(name);
        match legacy::of(path) {
            Some(Old::Gone) => {
                changes.push(Change::Gone { key: keys::dotted(path), value });
                property.remove();
            }
            Some(Old::Moved { to, convert }) => {
                if let Ok(new) = convert(&value) {
                    let (key, dotted) = (keys::dotted(path), keys::dotted(&to));
                    let below = &to[path.len() - 1..];
                    changes.push(if put(object, property, below, &new) {
                        Change::Moved { key, to: dotted }
                    } else {
                        Change::Superseded { key, by: dotted, value }
                    });
                }
            }
            None => {
                if let Some(inner) = property.object_value() {
                    edit(&inner, path, changes);
                }
            }
        }
        path.pop();
    }
}

/// Takes `old` out of `object` and sets `to` below it to `value`, unless that is set already;
/// whether it was set.
fn put(object: &CstObject, old: CstObjectProp, to: &[String], value: &Value) -> bool {
    let Some((first, rest)) = to.split_first() else { return false };
    // A null sets nothing.
    if let Some(unset) = object.get(first).filter(|there| value_of(there).is_null()) {
        unset.remove();
    }
    let Some(there) = object.get(first) else {
        match rest {
            [] => drop(old.replace_with(first, input(value))),
            // Made empty and filled afterwards, it is indented like its surroundings.
            [name, ..] => {
                old.replace_with(first, CstInputValue::Object(Vec::new()));
                if let Some(inner) = object.get(first).and_then(|made| made.object_value()) {
                    inner.append(name, input(value));
                }
            }
        }
        return true;
    };
    let (Some(inner), [name]) = (there.object_value(), rest) else {
        old.remove();
        return false;
    };
    let is_set = inner.get(name).is_some_and(|there| !value_of(&there).is_null());
    if !is_set {
        if let Some(unset) = inner.get(name) {
            unset.remove();
        }
        inner.append(name, input(value));
    }
    old.remove();
    !is_set
}

fn has_name(property: &CstObjectProp, name: &str) -> bool {
    property.decoded_name().as_deref() == Some(name)
}

fn value_of(property: &CstObjectProp) -> Value {
    let text = property.value().as_ref().map(CstNode::to_string).unwrap_or_default();
    layer::value_in(&text)
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(switch) => CstInputValue::Bool(*switch),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(fields) => CstInputValue::Object(
            fields.iter().map(|(name, value)| (name.clone(), input(value))).collect(),
        ),
    }
}
