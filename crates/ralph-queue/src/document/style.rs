//! How a text is laid out, so that what is added looks like what is there.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;

use crate::value::Value;

/// How new values are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) newline: &'static str,
    /// One level of indentation.
    pub(super) unit: String,
    /// Lists stand on one line.
    pub(super) inline_arrays: bool,
    /// Objects stand on one line.
    pub(super) inline_objects: bool,
    /// What is between a key and its value.
    pub(super) colon: String,
    /// What is inside the brackets of an object on one line.
    pub(super) padding: &'static str,
    /// What follows a comma on one line.
    pub(super) gap: &'static str,
    /// The last of several lines ends in a comma, too.
    pub(super) trailing_comma: bool,
}

impl Style {
    /// The house style, in the kind of line end that `text` has.
    pub(super) fn house(text: &str) -> Self {
        let newline = match text.find(['\n', '\r']) {
            Some(at) if text[at..].starts_with("\r\n") => "\r\n",
            Some(at) if text[at..].starts_with('\r') => "\r",
            _ => "\n",
        };
        Self {
            newline,
            unit: "  ".to_owned(),
            inline_arrays: false,
            inline_objects: false,
            colon: ": ".to_owned(),
            padding: " ",
            gap: " ",
            trailing_comma: false,
        }
    }

    /// The style of `object`, which is parsed from all of `text`; what it does not show is as in
    /// `self`.
    pub(super) fn like(mut self, text: &str, object: &ast::Object<'_>, outer_indent: &str) -> Self {
        let start = object.start();
        let Some(first) = object.properties.first() else { return self };
        let (name, value) = (name_end(first), first.value.start());
        let colon = &text[name..value];
        if colon.trim_matches([' ', '\t']) == ":" {
            colon.clone_into(&mut self.colon);
        }
        let before = &text[start + 1..first.start()];
        self.inline_objects = !before.contains(['\n', '\r']);
        if self.inline_objects {
            self.padding = if before.is_empty() { "" } else { " " };
            if let Some(second) = object.properties.get(1) {
                self.gap = if &text[first.end()..second.start()] == "," { "" } else { " " };
            }
        } else {
            let outer = indentation_at(text, start, outer_indent);
            let inner = indentation_at(text, first.start(), outer_indent);
            if let Some(unit) = inner.strip_prefix(outer).filter(|unit| !unit.is_empty()) {
                unit.clone_into(&mut self.unit);
            }
        }
        if let Some(last) = object.properties.last() {
            self.trailing_comma = text[last.end()..object.end()].trim_start().starts_with(',');
        }
        let mut lists = object.properties.iter().filter_map(|property| property.value.as_array());
        if let Some(list) = lists.find(|list| !list.elements.is_empty()) {
            self.inline_arrays = !text[list.start()..list.end()].contains(['\n', '\r']);
        } else {
            self.inline_arrays = self.inline_objects;
        }
        self
    }

    /// `value` as text; its lines after the first begin with `indent`.
    pub(super) fn render(&self, value: &Value, indent: &str) -> String {
        let mut out = String::new();
        self.write(value, indent, &mut out);
        out
    }

    fn write(&self, value: &Value, indent: &str, out: &mut String) {
        let entries: Vec<(Option<&str>, &Value)> = match value {
            Value::Array(items) => items.iter().map(|item| (None, item)).collect(),
            Value::Object(map) => {
                map.iter().map(|(key, value)| (Some(key.as_str()), value)).collect()
            }
            scalar => return out.push_str(&scalar.to_string()),
        };
        self.write_entries(&entries, value.as_array().is_some(), indent, out);
    }

    /// An object of these properties as text, in this order.
    pub(super) fn render_object(&self, fields: &[(&str, Value)], indent: &str) -> String {
        let entries: Vec<_> = fields.iter().map(|(name, value)| (Some(*name), value)).collect();
        let mut out = String::new();
        self.write_entries(&entries, false, indent, &mut out);
        out
    }

    fn write_entries(
        &self,
        entries: &[(Option<&str>, &Value)],
        array: bool,
        indent: &str,
        out: &mut String,
    ) {
        let (open, close, inline) =
            if array { ('[', ']', self.inline_arrays) } else { ('{', '}', self.inline_objects) };
        out.push(open);
        let inner = format!("{indent}{}", self.unit);
        let padding = if array { "" } else { self.padding };
        for (number, (key, value)) in entries.iter().enumerate() {
            match (inline, number) {
                (false, _) => {
                    out.push_str(self.newline);
                    out.push_str(&inner);
                }
                (true, 0) => out.push_str(padding),
                (true, _) => out.push_str(self.gap),
            }
            if let Some(key) = key {
                out.push_str(&Value::from(*key).to_string());
                out.push_str(&self.colon);
            }
            self.write(value, &inner, out);
            if number + 1 < entries.len() || (self.trailing_comma && !inline) {
                out.push(',');
            }
        }
        if inline {
            out.push_str(if entries.is_empty() { "" } else { padding });
        } else if !entries.is_empty() {
            out.push_str(self.newline);
            out.push_str(indent);
        }
        out.push(close);
    }
}

/// Where the name of a property ends.
pub(super) fn name_end(property: &ast::ObjectProp<'_>) -> usize {
    match &property.name {
        ast::ObjectPropName::String(name) => name.end(),
        ast::ObjectPropName::Word(name) => name.end(),
    }
}

/// The white space that begins the line of `at`; `outer_indent` on the first line, which may be
/// cut off a longer text.
pub(super) fn indentation_at<'a>(text: &'a str, at: usize, outer_indent: &'a str) -> &'a str {
    let Some(line) = text[..at].rfind(['\n', '\r']) else { return outer_indent };
    let line = &text[line + 1..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}
