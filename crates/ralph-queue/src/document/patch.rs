//! One value in a text becomes another, with as few bytes changed as the values allow.

use std::collections::{HashMap, HashSet, VecDeque};

use jsonc_parser::ast::{self, Value as Node};
use jsonc_parser::common::Ranged as _;

use super::sequence::{NewItem, Sequence, Slot};
use super::style::{Colon, Style, indentation_at};
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
        fn find<'f>(fields: &'f [(&str, Value)], name: &str) -> Option<&'f Value> {
            fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
        }
        let mut slots: Vec<(&str, Slot)> = Vec::new();
        let mut changed = false;
        for (index, property) in object.properties.iter().enumerate() {
            let name = property.name.as_str();
            let (before, after) = (find(old, name), find(new, name));
            match after {
                None if before.is_some() => changed = true,
                Some(after) if before != Some(after) => {
                    let value = self.value(&property.value, before, after);
                    let core =
                        format!("{}{value}", &self.text[property.start()..property.value.start()]);
                    slots.push((name, Slot::Change(index, core)));
                    changed = true;
                }
                _ => slots.push((name, Slot::Keep(index))),
            }
        }
        let cores = object.properties.iter().map(|property| property.start()..property.end());
        let cores: Vec<_> = cores.collect();
        let sequence = Sequence::new(self.text, object.start()..object.end(), cores);
        let layout = sequence.layout(usize::MAX, self.style, self.indent);
        let colon = Colon::of(self.text, object).unwrap_or_else(|| self.style.colon.plain());
        let mut place = 0;
        for (name, value) in new {
            if let Some(at) = slots.iter().position(|(key, _)| key == name) {
                place = at + 1;
            } else if find(old, name) != Some(value) {
                let value = self.style.render(value, &layout.indent);
                let core = format!("{}{value}", colon.behind(name));
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

    /// Items at both ends that are the same stay. Those between are changed pair by pair, unless
    /// comments stand there: then each item is where its value is, with its comments. Others that
    /// come between two that stay are those that went from there if they are as many, and of several
    /// in the place of one the first is; else nobody can tell which is which.
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
        let cores: Vec<_> = array.elements.iter().map(|node| node.start()..node.end()).collect();
        let sequence = Sequence::new(self.text, array.start()..array.end(), cores);
        let layout = sequence.layout(head.saturating_sub(1), self.style, self.indent);
        let olds = head..old.len() - tail;
        let is_commented = olds.clone().any(|at| {
            let item = sequence.item(at);
            let around = [item.lead..item.core.start, item.core.end..item.end];
            around.into_iter().any(|range| self.text[range].contains('/'))
        });
        let mut places: HashMap<&Value, VecDeque<usize>> = HashMap::new();
        for at in olds.clone().filter(|_| is_commented) {
            places.entry(&old[at]).or_default().push_back(at);
        }
        let found: Vec<Option<usize>> = new[head..new.len() - tail]
            .iter()
            .map(|value| places.get_mut(value)?.pop_front())
            .collect();
        let kept: HashSet<usize> = found.iter().flatten().copied().collect();
        let mut slots: Vec<Slot> = (0..head).map(Slot::Keep).collect();
        let mut place = head;
        for run in found.chunk_by(|one, next| one.is_none() && next.is_none()) {
            if let [Some(at)] = run {
                slots.push(Slot::Keep(*at));
                place = at + 1;
                continue;
            }
            let gone = (place..olds.end).take_while(|at| !kept.contains(at)).count();
            let is_clear = !is_commented || gone == run.len() || gone == 1;
            let coming = &new[slots.len()..slots.len() + run.len()];
            slots.extend(coming.iter().zip(place..).map(|(value, at)| {
                let is_composite = || {
                    matches!(
                        (&old[at], value),
                        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_))
                    )
                };
                // What has a text of its own inside keeps that.
                if at < place + gone && (is_clear || is_composite()) {
                    let core = self.value(&array.elements[at], Some(&old[at]), value);
                    Slot::Change(at, core)
                } else {
                    let core = self.style.render(value, &layout.indent);
                    Slot::New(NewItem { core, ..NewItem::default() })
                }
            }));
        }
        slots.extend((old.len() - tail..old.len()).map(Slot::Keep));
        format!("[{}]", sequence.render(&slots, &layout, self.style))
    }

    fn line_indent(&self, at: usize) -> &str {
        indentation_at(self.text, at, self.indent)
    }
}

fn fields(map: &Map) -> Vec<(&str, Value)> {
    map.iter().map(|(key, value)| (key.as_str(), value.clone())).collect()
}
