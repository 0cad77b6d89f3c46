//! One file, read: its settings with their places, and what is odd about it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{Object, Value as Node},
    common::Ranged as _,
    parse_to_ast,
};
use ralph_state::file::check_regular;
use ralph_state::{document::DecodeError, json};
use serde_json::Value;

use crate::{
    CONFIG_VERSION, ConfigError, FORMAT, Place, Violation, Warning, WarningKind,
    keys::{self, Slot},
    legacy::{self, Old},
    schema::SCHEMA,
};

const KEY: &str = FORMAT.version_key;

/// A dotted key in parts, so that a name may hold a dot.
pub(crate) type KeyPath = Vec<String>;

/// What 0.4.0 read, no more: a file is not to mean something to one and nothing to the other.
pub(crate) const OPTIONS: ParseOptions = ParseOptions {
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

/// What a file sets, and what is odd about it.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) path: PathBuf,
    pub(crate) settings: BTreeMap<KeyPath, (Value, Place)>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) violations: Vec<Violation>,
}

/// The layer of the file at `path`, or of the `.json` of old beside it; `None` when
/// there is neither.
pub(crate) fn read(path: &Path) -> Result<Option<Layer>, ConfigError> {
    let old = path.with_extension("json");
    let leftover = old != path && old.is_file();
    let source = if leftover && path.symlink_metadata().is_err() { &old } else { path };
    let bytes = match check_regular(source).and_then(|()| fs_err::read(source)) {
        Ok(bytes) => bytes,
        // What a link leads to may be away for a while: without it other settings would hold.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !source.is_symlink() => {
            return Ok(None);
        }
        Err(error) => return Err(ConfigError::Read { path: source.to_owned(), source: error }),
    };
    let mut layer = parse(source, &bytes)?;
    if leftover {
        let place = Place { path: old.clone(), line: 1, column: 1 };
        let kind = WarningKind::OldName { read: source == old };
        layer.warnings.insert(0, Warning { place, kind });
    }
    Ok(Some(layer))
}

/// The layer of a file with this content.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Layer, ConfigError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|source| ConfigError::NotUtf8 { path: path.to_owned(), source })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let place = |offset| place(path, text, offset);
    let tree = parse_to_ast(text, &CollectOptions::default(), &OPTIONS)
        .map_err(|error| ConfigError::Syntax {
            place: place(error.range().start),
            fault: error.kind().to_string().to_lowercase(),
        })?
        .value
        .ok_or_else(|| ConfigError::Empty { path: path.to_owned() })?;
    let mut walk = Walk {
        place: &place,
        layer: Layer {
            path: path.to_owned(),
            settings: BTreeMap::new(),
            warnings: Vec::new(),
            violations: Vec::new(),
        },
    };
    let Node::Object(root) = &tree else {
        walk.reject(&[], &tree, "an object");
        return Ok(walk.layer);
    };
    walk.version(root, text)?;
    walk.object(root, &mut Vec::new());
    Ok(walk.layer)
}

struct Walk<'a> {
    place: &'a dyn Fn(usize) -> Place,
    layer: Layer,
}

impl Walk<'_> {
    /// Refuses a newer version, notes an older one.
    fn version(&mut self, root: &Object<'_>, text: &str) -> Result<(), ConfigError> {
        // The last one, as with every key.
        let mut properties = root.properties.iter();
        let Some(property) = properties.rfind(|property| property.name.as_str() == KEY) else {
            self.warn(root.start(), WarningKind::NoVersion);
            return Ok(());
        };
        let found = json::parse(&text[property.value.start()..property.value.end()]);
        match FORMAT.version(found.ok().flatten().as_ref()) {
            Ok(CONFIG_VERSION) => {}
            Ok(found) => self.warn(property.start(), WarningKind::OlderVersion { found }),
            Err(DecodeError::Newer(source)) => {
                return Err(ConfigError::Newer { path: self.layer.path.clone(), source });
            }
            Err(_) => self.reject(&[KEY.to_owned()], &property.value, &CONFIG_VERSION.to_string()),
        }
        Ok(())
    }

    fn object(&mut self, object: &Object<'_>, path: &mut KeyPath) {
        for (index, property) in object.properties.iter().enumerate() {
            let name = property.name.as_str();
            path.push(name.to_owned());
            if object.properties[..index].iter().any(|earlier| earlier.name.as_str() == name) {
                self.warn(property.start(), WarningKind::Duplicate { key: keys::dotted(path) });
            }
            // The version has been looked at; the schema is for editors; null is unset.
            let is_read = *path != [KEY] && *path != [SCHEMA];
            if is_read && !matches!(property.value, Node::NullKeyword(_)) {
                self.property(property.start(), &property.value, path);
            }
            path.pop();
        }
    }

    fn property(&mut self, start: usize, node: &Node<'_>, path: &mut KeyPath) {
        let key = keys::dotted(path);
        match (legacy::of(path), keys::slot(path), node) {
            (Some(Old::Gone), ..) => self.warn(start, WarningKind::Gone { key }),
            (Some(Old::Moved { to, convert }), ..) => {
                let value = convert(&to_value(node)).map_err(str::to_owned);
                match value.and_then(|value| keys::check(&to, &value).map(|()| value)) {
                    Ok(value) => {
                        self.warn(start, WarningKind::Moved { key, to: keys::dotted(&to) });
                        let place = (self.place)(node.start());
                        // The key of today wins, wherever it stands in the file.
                        self.layer.settings.entry(to).or_insert((value, place));
                    }
                    Err(expected) => self.reject(path, node, &expected),
                }
            }
            (None, Slot::Leaf(kind), _) => {
                let value = to_value(node);
                match kind.check(&value) {
                    Ok(()) => self.set(path, value, node.start()),
                    Err(expected) => self.reject(path, node, &expected),
                }
            }
            // A profile or a plugin without keys is one all the same.
            (None, Slot::Branch, Node::Object(object))
                if object.properties.is_empty()
                    && match path.as_slice() {
                        [section, _] => section == "profiles",
                        [section, inner, _] => section == "plugins" && inner == "plugins",
                        _ => false,
                    } =>
            {
                self.set(path, Value::Object(serde_json::Map::new()), node.start());
            }
            (None, Slot::Branch, Node::Object(object)) => self.object(object, path),
            (None, Slot::Branch, _) => self.reject(path, node, "an object"),
            (None, Slot::Unknown, _) => {
                let (name, parents) = path.split_last().expect("a property has a name");
                let suggestion = keys::suggestion(parents, name);
                if keys::limits(parents) || suggestion.as_deref() == Some(keys::LIMITS) {
                    // A limit that does not count would let spend what it was to hold back.
                    let known =
                        suggestion.map_or_else(String::new, |name| format!(", such as `{name}`"));
                    self.reject(path, node, &format!("a known limit{known}"));
                } else {
                    self.warn(start, WarningKind::Unknown { key, suggestion });
                }
            }
        }
    }

    fn set(&mut self, path: &[String], value: Value, offset: usize) {
        self.layer.settings.insert(path.to_owned(), (value, (self.place)(offset)));
    }

    fn reject(&mut self, path: &[String], node: &Node<'_>, expected: &str) {
        self.layer.violations.push(Violation {
            place: Some((self.place)(node.start())),
            key: keys::dotted(path),
            value: shown(path, to_value(node)),
            expected: expected.to_owned(),
        });
    }

    fn warn(&mut self, offset: usize, kind: WarningKind) {
        self.layer.warnings.push(Warning { place: (self.place)(offset), kind });
    }
}

fn place(path: &Path, text: &str, offset: usize) -> Place {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// `value`, unless the key holds a secret.
pub(crate) fn shown(path: &[String], value: Value) -> Value {
    match path.last() {
        Some(name) if name == "secret" => Value::from("(secret)"),
        _ => value,
    }
}

/// The value that a part of a file is; null for what is none.
pub(crate) fn value_in(text: &str) -> Value {
    let tree = parse_to_ast(text, &CollectOptions::default(), &OPTIONS);
    tree.ok().and_then(|tree| tree.value).as_ref().map_or(Value::Null, to_value)
}

fn to_value(node: &Node<'_>) -> Value {
    match node {
        Node::StringLit(text) => Value::from(text.value.as_ref()),
        // A number beyond every range stays as text, which no range admits.
        Node::NumberLit(number) => {
            serde_json::from_str(number.value).unwrap_or_else(|_| Value::from(number.value))
        }
        Node::BooleanLit(switch) => Value::from(switch.value),
        Node::NullKeyword(_) => Value::Null,
        Node::Array(array) => array.elements.iter().map(to_value).collect(),
        Node::Object(object) => object
            .properties
            .iter()
            .map(|property| (property.name.as_str().to_owned(), to_value(&property.value)))
            .collect(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_what_is_away_is_not_stood_in_for_by_a_file_of_old() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.jsonc");
        fs_err::write(path.with_extension("json"), "{ \"version\": 2 }").unwrap();
        assert!(read(&path).is_ok_and(|layer| layer.is_some()));
        fs_err::os::unix::fs::symlink(dir.path().join("away"), &path).unwrap();
        assert!(matches!(read(&path), Err(ConfigError::Read { .. })));
    }
}
