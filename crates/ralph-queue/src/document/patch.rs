//! One value in a text becomes another, with as few bytes changed as the values allow.

use jsonc_parser::ast::{self, Value as Node};
use jsonc_parser::common::Ranged as _;

use super::sequence::{NewItem, Sequence, Slot};
use super::style::{Style, indentation_at, name_end};
use crate::value::{Map, Value};

/// Changes values in `text`, whose first line begins with `indent` in the text it is cut from.
pub(super) struct Patch<'t> {
    pub(super) text: &'t str,
    pub(super) indent: &'t str,
    pub(super) style: &'t Style,
}

impl Patch<'_> {
    /// The text of `object` after a change of its properties from `old` to `new`, or `None` if
    /// that changes nothing. What `old` and `new` agree on stays as it is written. A new property
    /// goes after the one that precedes it in `new`.
    pub(super) fn object(
        &self,
        object: &ast::Object<'_>,
        old: &[(&str, Value)],
        new: &[(&str, Value)],
    ) -> Option<String> {
        let find = |fields: &[(&str, Value)], name: &str| {
            fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
        };
        let mut slots: Vec<(&str, Slot)> = Vec::new();
        let mut changed = false;
        for (index, property) in object.properties.iter().enumerate() {
            let name = property.name.as_str();
            let (before, after) = (find(old, name), find(new, name));
            match after {
                None if before.is_some() => changed = true,
                Some(after) if before.as_ref() != Some(&after) => {
                    let value = self.value(&property.value, before.as_ref(), &after);
                    let core =
                        format!("{}{value}", &self.text[property.start()..property.value.start()]);
                    slots.push((name, Slot::Change(index, core)));
                    changed = true;
                }
                _ => slots.push((name, Slot::Keep(index))),
            }
        }
        let sequence = Sequence {
            text: self.text,
            container: object.start()..object.end(),
            cores: object
                .properties
                .iter()
                .map(|property| property.start()..property.end())
                .collect(),
        };
        let layout = sequence.layout(usize::MAX, self.style, self.indent);
        let mut place = 0;
        for (name, value) in new {
            if let Some(at) = slots.iter().position(|(key, _)| key == name) {
                place = at + 1;
            } else if find(old, name).as_ref() != Some(value) {
                let colon =
                    object.properties.first().map_or(self.style.colon.as_str(), |property| {
                        let colon = &self.text[name_end(property)..property.value.start()];
                        if colon.trim_matches([' ', '\t']) == ":" {
                            colon
                        } else {
                            self.style.colon.as_str()
                        }
                    });
                let value = self.style.render(value, &layout.indent);
                let core = format!("{}{colon}{value}", Value::from(*name));
                slots.insert(place, (name, Slot::New(NewItem { core, ..NewItem::default() })));
                place += 1;
                changed = true;
            }
        }
        let slots: Vec<Slot> = slots.into_iter().map(|(_, slot)| slot).collect();
        changed.then(|| format!("{{{}}}", sequence.render(&slots, &layout, self.style)))
    }

    /// The text of `node` after a change from `old` to `new`.
    fn value(&self, node: &Node<'_>, old: Option<&Value>, new: &Value) -> String {
        match (node, old, new) {
            (Node::Object(object), Some(Value::Object(old)), Value::Object(new)) => self
                .object(object, &fields(old), &fields(new))
                .unwrap_or_else(|| node.text(self.text).to_owned()),
            (Node::Array(array), Some(Value::Array(old)), Value::Array(new))
                if array.elements.len() == old.len() =>
            {
                self.array(array, old, new)
            }
            _ => self.style.render(new, self.line_indent(node.start())),
        }
    }

    /// Items at both ends that are the same stay; those between are changed pair by pair.
    fn array(&self, array: &ast::Array<'_>, old: &[Value], new: &[Value]) -> String {
        let shorter = old.len().min(new.len());
        let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let tail = old
            .iter()
            .rev()
            .zip(new.iter().rev())
            .take_while(|(old, new)| old == new)
            .count()
            .min(shorter - head);
        let sequence = Sequence {
            text: self.text,
            container: array.start()..array.end(),
            cores: array.elements.iter().map(|node| node.start()..node.end()).collect(),
        };
        let layout = sequence.layout(head.saturating_sub(1), self.style, self.indent);
        let slots: Vec<Slot> = (0..new.len())
            .map(|at| {
                if at < head {
                    Slot::Keep(at)
                } else if at >= new.len() - tail {
                    Slot::Keep(at + old.len() - new.len())
                } else if at < old.len() - tail {
                    Slot::Change(at, self.value(&array.elements[at], Some(&old[at]), &new[at]))
                } else {
                    let core = self.style.render(&new[at], &layout.indent);
                    Slot::New(NewItem { core, ..NewItem::default() })
                }
            })
            .collect();
        format!("[{}]", sequence.render(&slots, &layout, self.style))
    }

    fn line_indent(&self, at: usize) -> &str {
        indentation_at(self.text, at, self.indent)
    }
}

fn fields(map: &Map) -> Vec<(&str, Value)> {
    map.iter().map(|(key, value)| (key.as_str(), value.clone())).collect()
}
