//! How a text is laid out, so that what is added looks like what is there.

use std::collections::HashMap;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;

use crate::value::Value;

/// What stands between the name of a property and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Colon {
    /// The colon, with the white space that there is at least.
    text: String,
    /// Where in it more spaces go, for the values to stand in one column.
    at: usize,
    /// How far behind the start of the names that column is; 0 if there is none.
    column: usize,
}

impl Colon {
    /// As the properties of `object` have it: as the first one, unless several that have their
    /// lines to themselves agree on a column by different numbers of spaces.
    pub(super) fn of(text: &str, object: &ast::Object<'_>) -> Option<Self> {
        let colon =
            |property: &ast::ObjectProp<'_>| &text[name_end(property)..property.value.start()];
        let first = colon(object.properties.first()?);
        if first.trim_matches([' ', '\t']) != ":" {
            return None;
        }
        let has_lines = object
            .properties
            .windows(2)
            .all(|pair| text[pair[0].end()..pair[1].start()].contains(['\n', '\r']));
        let mut others = HashMap::new();
        let column = object.properties.iter().filter(|_| has_lines).find_map(|property| {
            let colon = Some(colon(property)).filter(|colon| colon.trim_matches(' ') == ":")?;
            let width = text[property.start()..property.value.start()].chars().count();
            let other: &str = others.entry(width).or_insert(colon);
            (other != colon).then_some((width, other.split_once(':')?, colon.split_once(':')?))
        });
        let few = |one: &str, other: &str| " ".repeat(one.len().min(other.len()).min(1));
        Some(match column {
            None => Self { text: first.to_owned(), at: 0, column: 0 },
            Some((column, (before, one), (same, other))) if before == same => {
                let text = format!("{before}:{}", few(one, other));
                Self { at: text.len(), text, column }
            }
            Some((column, (one, behind), (other, _))) => {
                Self { text: format!("{}:{behind}", few(one, other)), at: 0, column }
            }
        })
    }

    /// The same without a column.
    pub(super) fn plain(&self) -> Self {
        Self { column: 0, ..self.clone() }
    }

    /// A name and what follows it up to the value.
    pub(super) fn behind(&self, name: &str) -> String {
        let name = Value::from(name).to_string();
        let width = name.chars().count() + self.text.chars().count();
        let spaces = " ".repeat(self.column.saturating_sub(width));
        let (before, behind) = self.text.split_at(self.at);
        format!("{name}{before}{spaces}{behind}")
    }
}

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
    pub(super) colon: Colon,
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
        Self {
            newline: newline(text),
            unit: "  ".to_owned(),
            inline_arrays: false,
            inline_objects: false,
            colon: Colon { text: ": ".to_owned(), at: 0, column: 0 },
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
        if let Some(colon) = Colon::of(text, object) {
            self.colon = colon;
        }
        let before = &text[start + 1..first.start()];
        self.inline_objects = !before.contains(['\n', '\r']);
        if self.inline_objects {
            self.padding = if before.is_empty() { "" } else { " " };
            // The line of the brace tells nothing of this, but a later one may.
            let inner = object.properties.iter().map(|it| indentation_at(text, it.start(), ""));
            if inner.chain([outer_indent]).any(|indent| indent.starts_with('\t')) {
                "\t".clone_into(&mut self.unit);
            }
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
            // A task on one line has its lists there, whatever commas begin the lines of another.
            self.inline_arrays =
                self.inline_objects || !text[list.start()..list.end()].contains(['\n', '\r']);
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
        let entries: Vec<(String, &Value)> = match value {
            Value::Array(items) => items.iter().map(|item| (String::new(), item)).collect(),
            Value::Object(map) => {
                let colon = self.colon.plain();
                map.iter().map(|(name, value)| (colon.behind(name), value)).collect()
            }
            scalar => return out.push_str(&scalar.to_string()),
        };
        self.write_entries(&entries, value.as_array().is_some(), indent, out);
    }

    /// An object of these properties as text, in this order; its values stand in the column.
    pub(super) fn render_object(&self, fields: &[(&str, Value)], indent: &str) -> String {
        let entries: Vec<_> =
            fields.iter().map(|(name, value)| (self.colon.behind(name), value)).collect();
        let mut out = String::new();
        self.write_entries(&entries, false, indent, &mut out);
        out
    }

    fn write_entries(
        &self,
        entries: &[(String, &Value)],
        array: bool,
        indent: &str,
        out: &mut String,
    ) {
        let (open, close, inline) =
            if array { ('[', ']', self.inline_arrays) } else { ('{', '}', self.inline_objects) };
        out.push(open);
        let inner = format!("{indent}{}", self.unit);
        let padding = if array { "" } else { self.padding };
        for (number, (name, value)) in entries.iter().enumerate() {
            match (inline, number) {
                (false, _) => {
                    out.push_str(self.newline);
                    out.push_str(&inner);
                }
                (true, 0) => out.push_str(padding),
                (true, _) => out.push_str(self.gap),
            }
            out.push_str(name);
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

/// The kind of line end that `text` has.
pub(super) fn newline(text: &str) -> &'static str {
    match text.find(['\n', '\r']) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

/// Where the name of a property ends.
fn name_end(property: &ast::ObjectProp<'_>) -> usize {
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
