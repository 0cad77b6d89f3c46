//! Where the comments of a task stand in it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use jsonc_parser::ast::{self, Value as Node};
use jsonc_parser::common::Ranged as _;

use super::draft::{Block, Indent, Piece, pieces, reindent};
use super::frame::identity;
use super::sequence::Sequence;
use super::style::indentation_at;
use super::syntax;

/// A place for comments: at the field or entry with that path, and at the task if that is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Site {
    /// Before it, on its line or on lines of their own.
    Above(Vec<String>),
    /// Behind it on its line.
    Behind(Vec<String>),
    /// In it, at none of its parts.
    In(Vec<String>),
}

/// Which of the texts of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Lead,
    Text,
    Trail,
}

struct Found {
    part: Part,
    range: Range<usize>,
    site: Site,
}

impl Block {
    /// The comments that belong to the task and those in it, with their places.
    pub(crate) fn placed_comments(&self) -> Vec<(Site, &str)> {
        let text = |found: Found| (found.site, self.part(found.part)[found.range].trim());
        self.found().into_iter().map(text).collect()
    }

    /// A comment of another block, indented as it would be in this one.
    pub(crate) fn adopt(&self, comment: &str, other: &Self) -> String {
        let [from, to] = [other, self].map(|block| Indent { line: &block.indent, unit: "" });
        reindent(comment, from, to, "\n")
    }

    /// Gives the task these comments, each at its place if there is room, else above the task; and
    /// whether it had others. Those it has already stay where they are.
    pub(crate) fn set_comments(&mut self, wanted: &[(Site, String)]) -> bool {
        let found = self.found();
        let own: Vec<_> =
            found.iter().map(|it| identity(&self.part(it.part)[it.range.clone()])).collect();
        let mut open: Vec<usize> = (0..wanted.len()).collect();
        let mut surplus: Vec<usize> = (0..found.len()).collect();
        for at_its_place in [true, false] {
            surplus.retain(|&at| {
                let same = open.iter().position(|&want| {
                    let (site, comment) = &wanted[want];
                    identity(comment) == own[at] && (!at_its_place || *site == found[at].site)
                });
                same.map(|same| open.remove(same)).is_none()
            });
        }
        if open.is_empty() && surplus.is_empty() {
            return false;
        }
        let mut edits: Vec<(Part, Range<usize>, String)> = Vec::new();
        let mut above = Vec::new();
        // What was put behind something last, and whether that leaves room for more on the line.
        let mut ends: BTreeMap<&Site, bool> = BTreeMap::new();
        for (site, comment) in open.into_iter().map(|want| &wanted[want]) {
            let is_line = comment.starts_with("//");
            // Behind the task there is one line.
            let fits = |it: &Found| {
                let is_last = self.part(it.part)[it.range.end..].trim().is_empty();
                !is_line || !ends.contains_key(site) && (it.part != Part::Trail || is_last)
            };
            let in_place = |at: &usize| found[*at].site == *site && fits(&found[*at]);
            if let Some(at) = surplus.iter().position(in_place) {
                let Found { part, range, .. } = &found[surplus.remove(at)];
                edits.push((*part, range.clone(), comment.clone()));
                if is_line {
                    ends.insert(site, false);
                }
                continue;
            }
            let is_open = ends.get(site).is_none_or(|is_open| *is_open);
            let behind = if is_open { self.room_behind(site) } else { None };
            if let Some((part, at)) = behind {
                edits.push((part, at..at, format!(" {comment}")));
                ends.insert(site, !is_line);
            } else if let Some((at, indent)) = self.room_above(site) {
                edits.push((Part::Text, at..at, format!("{indent}{comment}\n")));
            } else {
                above.push(comment);
            }
        }
        for Found { part, range, .. } in surplus.into_iter().map(|at| &found[at]) {
            edits.push((*part, range.clone(), String::new()));
        }
        // From the end, so that the places of the others stay; and what comes to one place, in order.
        edits.reverse();
        edits.sort_by_key(|(_, range, _)| std::cmp::Reverse((range.start, range.end)));
        for (part, range, new) in edits {
            self.edit(part, range, &new);
        }
        self.lead = self.lead.trim().to_owned();
        self.trail = self.trail.trim().to_owned();
        for comment in above {
            self.add_comment(comment);
        }
        true
    }

    fn part(&self, part: Part) -> &str {
        match part {
            Part::Lead => &self.lead,
            Part::Text => &self.text,
            Part::Trail => &self.trail,
        }
    }

    fn found(&self) -> Vec<Found> {
        let outside = |part, site: Site| {
            let found = comments(self.part(part));
            found.into_iter().map(move |range| Found { part, range, site: site.clone() })
        };
        let mut found: Vec<Found> = outside(Part::Lead, Site::Above(Vec::new())).collect();
        let inside = comments(&self.text);
        if !inside.is_empty()
            && let Ok(root) = syntax::parse(&self.text)
        {
            walk(&self.text, &root, &[], &inside, &mut found);
        }
        found.extend(outside(Part::Trail, Site::Behind(Vec::new())));
        found
    }

    /// Where a further comment fits behind something on its line.
    fn room_behind(&self, site: &Site) -> Option<(Part, usize)> {
        let Site::Behind(path) = site else { return None };
        if path.is_empty() {
            let last = comments(&self.trail).into_iter().last();
            let is_open = last.is_none_or(|last| !self.trail[last].starts_with("//"));
            return is_open.then_some((Part::Trail, self.trail.len()));
        }
        let root = syntax::parse(&self.text).ok()?;
        let (sequence, index) = item(&self.text, &root, path)?;
        let item = sequence.item(index);
        let end = item.comma.map_or(item.core.end, |comma| comma + 1);
        let behind = self.text[end..item.end].trim_end();
        let is_line = behind.contains("//") || behind.contains(['\n', '\r']);
        let is_open = !is_line && self.text[end + behind.len()..item.end].contains(['\n', '\r']);
        is_open.then_some((Part::Text, end + behind.len()))
    }

    /// Where a line of its own above a field or entry begins, and its indentation.
    fn room_above(&self, site: &Site) -> Option<(usize, String)> {
        let (Site::Above(path) | Site::Behind(path)) = site else { return None };
        if path.is_empty() {
            return None;
        }
        let root = syntax::parse(&self.text).ok()?;
        let (sequence, index) = item(&self.text, &root, path)?;
        let item = sequence.item(index);
        let line = self.text[..item.core.start].rfind(['\n', '\r'])? + 1;
        let above = item.above(&self.text);
        let indent = &above[above.len() - above.len().min(item.core.start - line)..];
        let is_line = line == item.core.start - indent.len() && indent.trim().is_empty();
        is_line.then(|| (line, indent.to_owned()))
    }

    /// Puts `new` in the place of a comment, or of nothing.
    fn edit(&mut self, part: Part, range: Range<usize>, new: &str) {
        let text = match part {
            Part::Lead => &mut self.lead,
            Part::Text => &mut self.text,
            Part::Trail => &mut self.trail,
        };
        let is_line = |text: &str| text.starts_with(['\n', '\r']) || text.is_empty();
        if range.is_empty() {
            text.insert_str(range.start, new);
        } else if !new.is_empty() {
            let mut new = new.to_owned();
            if new.starts_with("//") && !is_line(&text[range.end..]) {
                new = format!("{new}\n{}", indentation_at(text, range.start, &self.indent));
            }
            text.replace_range(range, &new);
        } else {
            let before = text[..range.start].trim_end_matches([' ', '\t']);
            let behind = text[range.end..].trim_start_matches([' ', '\t']);
            let (start, end) = (before.len(), text.len() - behind.len());
            let is_own_line = before.is_empty() || before.ends_with(['\n', '\r']);
            match (is_own_line, is_line(behind)) {
                // The line goes.
                (true, true) => {
                    let line_end = if behind.starts_with("\r\n") { 2 } else { 1 };
                    text.replace_range(start..text.len().min(end + line_end), "");
                }
                (true, false) => text.replace_range(range.start..end, ""),
                (false, _) => text.replace_range(start..range.end, ""),
            }
        }
    }
}

fn comments(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut found = Vec::new();
    for (kind, piece) in pieces(text) {
        if kind == Piece::Comment {
            found.push(at..at + piece.len());
        }
        at += piece.len();
    }
    found
}

/// The fields or entries of a node.
fn parts<'t>(text: &'t str, node: &Node<'_>) -> Option<Sequence<'t>> {
    let (container, cores): (_, Vec<_>) = match node {
        Node::Object(object) => (
            object.start()..object.end(),
            object.properties.iter().map(|it| it.start()..it.end()).collect(),
        ),
        Node::Array(array) => (
            array.start()..array.end(),
            array.elements.iter().map(|it| it.start()..it.end()).collect(),
        ),
        _ => return None,
    };
    Some(Sequence::new(text, container, cores))
}

/// What tells the fields or entries of a node from each other: the names, or the values with how
/// many equal ones there are before.
fn keys(node: &Node<'_>) -> Vec<String> {
    match node {
        Node::Object(object) => {
            object.properties.iter().map(|it| it.name.as_str().to_owned()).collect()
        }
        Node::Array(array) => {
            let mut counts: HashMap<String, usize> = HashMap::new();
            let key = |node: &Node<'_>| {
                let value = syntax::value(node).to_string();
                let count = counts.entry(value.clone()).or_default();
                *count += 1;
                format!("{count} {value}")
            };
            array.elements.iter().map(key).collect()
        }
        _ => Vec::new(),
    }
}

/// The part of a node with that index, without its name.
fn value<'n, 't>(node: &'n Node<'t>, index: usize) -> Option<&'n Node<'t>> {
    match node {
        Node::Object(object) => {
            object.properties.get(index).map(|it: &ast::ObjectProp<'_>| &it.value)
        }
        Node::Array(array) => array.elements.get(index),
        _ => None,
    }
}

/// Finds the places of comments that are all in `node`.
fn walk(
    text: &str,
    node: &Node<'_>,
    path: &[String],
    all: &[Range<usize>],
    found: &mut Vec<Found>,
) {
    let mut rest = all;
    let put = |until: usize,
               rest: &mut &[Range<usize>],
               found: &mut Vec<Found>,
               site: &dyn Fn() -> Site| {
        let count = rest.partition_point(|range| range.start < until);
        let (here, behind) = rest.split_at(count);
        found.extend(here.iter().map(|range| Found {
            part: Part::Text,
            range: range.clone(),
            site: site(),
        }));
        *rest = behind;
    };
    let inside = || Site::In(path.to_vec());
    if let Some(sequence) = parts(text, node).filter(|_| !all.is_empty()) {
        for (index, key) in keys(node).into_iter().enumerate() {
            if rest.is_empty() {
                return;
            }
            let item = sequence.item(index);
            let path: Vec<String> = path.iter().cloned().chain([key]).collect();
            put(item.lead, &mut rest, found, &inside);
            put(item.core.start, &mut rest, found, &|| Site::Above(path.clone()));
            if let Some(value) = value(node, index) {
                put(value.start(), &mut rest, found, &|| Site::In(path.clone()));
                let (here, behind) =
                    rest.split_at(rest.partition_point(|it| it.start < value.end()));
                walk(text, value, &path, here, found);
                rest = behind;
            }
            put(item.end, &mut rest, found, &|| Site::Behind(path.clone()));
        }
    }
    put(text.len(), &mut rest, found, &inside);
}

/// The field or entry with that path.
fn item<'t>(text: &'t str, root: &Node<'_>, path: &[String]) -> Option<(Sequence<'t>, usize)> {
    let (last, above) = path.split_last()?;
    let mut node = root;
    for key in above {
        node = value(node, keys(node).iter().position(|own| own == key)?)?;
    }
    let index = keys(node).iter().position(|own| own == last)?;
    Some((parts(text, node)?, index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    /// Each of the names as a block comment, as a line comment, and left out.
    fn lists(names: &[&str]) -> Vec<Vec<String>> {
        let Some((name, rest)) = names.split_first() else { return vec![Vec::new()] };
        let firsts = [vec![], vec![format!("/* {name} */")], vec![format!("// {name}")]];
        let rests = lists(rest);
        let with = |first: &Vec<String>| {
            rests.iter().map(|rest| [first.as_slice(), rest].concat()).collect::<Vec<_>>()
        };
        firsts.iter().flat_map(with).collect()
    }

    #[test]
    fn no_comment_gets_into_another_one() {
        for path in ["", "title", "status"] {
            let site = Site::Behind(
                Some(path).filter(|it| !it.is_empty()).map(str::to_owned).into_iter().collect(),
            );
            for (old, new) in lists(&["a", "b", "c"])
                .iter()
                .flat_map(|old| lists(&["x", "b", "z"]).into_iter().map(move |new| (old, new)))
            {
                let old = |here: &str| if here == path { old.join(" ") } else { String::new() };
                let text = format!(
                    "{{\"version\": 1, \"tasks\": [\n  {{\n    \"id\": \"RQ-1\",\n    \"title\": \"\", {}\n    \"status\": \"todo\" {}\n  }}, {}\n]}}",
                    old("title"),
                    old("status"),
                    old(""),
                );
                let document = Document::parse(text).unwrap();
                let mut block = document.draft().block(0);
                let wanted: Vec<_> = new.iter().map(|it| (site.clone(), it.clone())).collect();
                block.set_comments(&wanted);
                let mut found: Vec<&str> = block.comments().collect();
                found.sort_unstable();
                let mut wanted: Vec<&str> = new.iter().map(String::as_str).collect();
                wanted.sort_unstable();
                assert_eq!(found, wanted, "{block:?}");
            }
        }
    }
}
