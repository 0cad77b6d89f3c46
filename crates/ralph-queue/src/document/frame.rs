//! What a file holds besides its tasks: other keys, and the comments that belong to no task.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jsonc_parser::ast::Value as Node;
use jsonc_parser::common::Ranged as _;

use super::draft::{Piece, pieces};
use super::patch::Patch;
use super::sequence::after_newline;
use super::style::{Style, indentation_at};
use super::{Document, SpliceError, syntax};
use crate::value::{Map, Value};

/// Where a comment stands that belongs to no task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot<'t> {
    /// Above the outermost object.
    Head,
    /// In it, before the list of tasks.
    BeforeList,
    /// In the list, on the line of its bracket.
    Bracket,
    /// In the list, somewhere before that task.
    Before(&'t str),
    /// Behind the last task of the list.
    EndOfList,
    /// In the outermost object, behind the list.
    AfterList,
    /// Below the outermost object.
    Foot,
}

/// A comment that belongs to no task.
#[derive(Clone, Debug)]
pub(crate) struct Floating<'t> {
    pub(crate) spot: Spot<'t>,
    pub(crate) text: &'t str,
    pub(super) range: Range<usize>,
}

/// How often each comment occurs, by its [`identity`].
pub(crate) type Counts<'t> = BTreeMap<Cow<'t, str>, usize>;

/// What tells a comment from others: its text without the indentation and the ends of its lines,
/// which follow the place where it stands.
pub(crate) fn identity(comment: &str) -> Cow<'_, str> {
    let comment = comment.trim();
    if comment.contains(['\n', '\r']) {
        let lines = comment.split(['\n', '\r']).map(str::trim);
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n").into()
    } else {
        comment.into()
    }
}

/// The comments to take out of a document, and those of another that go into it.
pub(crate) struct FloatingChange<'a> {
    /// How many of each go.
    pub(crate) gone: Counts<'a>,
    /// What the other has, in its order.
    pub(crate) other: &'a [Floating<'a>],
    /// Which of those come.
    pub(crate) added: BTreeSet<usize>,
}

/// How often each of the comments occurs.
pub(crate) fn counts<'t>(comments: &[Floating<'t>]) -> Counts<'t> {
    let mut counts = Counts::new();
    for comment in comments {
        *counts.entry(identity(comment.text)).or_default() += 1;
    }
    counts
}

impl Document {
    /// Every key of the outermost object but the list of tasks.
    pub(crate) fn other_fields(&self) -> Map {
        let skeleton = self.skeleton();
        let Ok(Node::Object(root)) = syntax::parse(&skeleton) else { return Map::new() };
        let mut fields = syntax::map(&root);
        fields.remove("tasks");
        fields
    }

    /// The same with other values for some keys; `old` is what [`Self::other_fields`] says.
    pub(crate) fn with_other_fields(&self, old: &Map, new: &Map) -> Result<Self, SpliceError> {
        let skeleton = self.skeleton();
        let root = syntax::parse(&skeleton).map_err(SpliceError::Unreadable)?;
        let Node::Object(root) = root else { return Err(SpliceError::Mismatch) };
        let list = Value::Array(Vec::new());
        let there = root.properties.iter().map(|property| property.name.as_str());
        // What is new goes behind what is there.
        let names: Vec<&str> = there
            .chain(new.keys().map(String::as_str).filter(|name| !old.contains_key(*name)))
            .collect();
        let fields = |map: &Map| -> Vec<(&str, Value)> {
            let value = |name: &&str| match *name {
                "tasks" => Some(list.clone()),
                name => map.get(name).cloned(),
            };
            names.iter().filter_map(|name| Some((*name, value(name)?))).collect()
        };
        let (before, after) = (fields(old), fields(new));
        let style = Style::house(&self.text).like(&skeleton, &root, "");
        let patch = Patch { text: &skeleton, indent: "", style: &style };
        let Some(changed) = patch.object(&root, &before, &after) else { return Ok(self.clone()) };
        let changed = match &self.array {
            Some(array) => {
                let place = list_in(&changed).ok_or(SpliceError::Mismatch)?;
                let list = &self.text[array.clone()];
                format!("{}{list}{}", &changed[..place.start], &changed[place.end..])
            }
            None => changed,
        };
        self.reread(format!(
            "{}{changed}{}",
            &self.text[..self.root.start],
            &self.text[self.root.end..]
        ))
    }

    /// The outermost object with an empty list.
    fn skeleton(&self) -> String {
        match &self.array {
            Some(array) => format!(
                "{}[]{}",
                &self.text[self.root.start..array.start],
                &self.text[array.end..self.root.end]
            ),
            None => self.text[self.root.clone()].to_owned(),
        }
    }

    /// The comments that belong to no task, in order.
    pub(crate) fn floating(&self) -> Vec<Floating<'_>> {
        let mut found = Vec::new();
        let bracket = self.bracket_line();
        let mut look = |spot, range: Range<usize>| {
            let mut at = range.start;
            for (kind, piece) in pieces(&self.text[range]) {
                if kind == Piece::Comment {
                    let text = piece.trim_end();
                    let spot = if bracket.contains(&at) { Spot::Bracket } else { spot };
                    found.push(Floating { spot, text, range: at..at + text.len() });
                }
                at += piece.len();
            }
        };
        look(Spot::Head, 0..self.root.start);
        match &self.array {
            Some(array) => {
                look(Spot::BeforeList, self.root.start..array.start);
                let mut at = array.start + 1;
                for (index, id) in self.ids().enumerate() {
                    let item = self.sequence().item(index);
                    look(Spot::Before(id), at..item.lead);
                    at = item.end;
                }
                look(Spot::EndOfList, at..array.end - 1);
                look(Spot::AfterList, array.end..self.root.end);
            }
            None => look(Spot::BeforeList, self.root.clone()),
        }
        look(Spot::Foot, self.root.end..self.text.len());
        found
    }

    /// What stands behind the bracket of the list on its line, before the first task.
    pub(super) fn bracket_line(&self) -> Range<usize> {
        let Some(array) = &self.array else { return 0..0 };
        let start = array.start + 1;
        let first = self.spans.first().map_or(array.end - 1, |_| self.sequence().item(0).lead);
        let end = self.text[start..first].find(['\n', '\r']);
        start..end.map_or(first, |end| start + end)
    }

    /// Where the comment of nobody is that stands above the task with that index, as far up as a blank
    /// line: the heading of a section.
    pub(crate) fn heading(&self, index: usize) -> Option<Range<usize>> {
        let sequence = self.sequence();
        let begin = index.checked_sub(1).map(|before| sequence.item(before).end);
        let begin = begin.or(self.array.as_ref().map(|array| array.start + 1)).unwrap_or(0);
        let between = &self.text[begin..sequence.item(index).lead];
        if !between.contains('/') {
            return None;
        }
        let end = begin + between.trim_end().len();
        let between = between.trim();
        let is_blank = |at: &usize| {
            between[at + 1..].lines().next().is_some_and(|line| line.trim().is_empty())
        };
        let mut ends = between.rmatch_indices('\n').map(|(at, _)| at);
        let heading = between[ends.find(is_blank).unwrap_or(0)..].trim_start();
        Some(end - heading.len()..end)
    }

    /// The same with other comments around the tasks.
    pub(crate) fn with_floating(&self, change: &FloatingChange<'_>) -> Result<Self, SpliceError> {
        let mut wanted = counts(&self.floating());
        for (text, gone) in &change.gone {
            if let Some(count) = wanted.get_mut(text) {
                *count = count.saturating_sub(*gone);
            }
        }
        for index in &change.added {
            *wanted.entry(identity(change.other[*index].text)).or_default() += 1;
        }
        wanted.retain(|_, count| *count > 0);
        let changed = self.with_floating_here(change)?;
        if counts(&changed.floating()) == wanted {
            return Ok(changed);
        }
        // In a cramped layout one of them would be taken for a task's, or be part of another.
        self.with_floating_apart()?.with_floating_here(change)
    }

    /// The same with each comment between tasks on lines of its own, and apart from the task that
    /// follows: so it stays nobody's, whatever comes or goes around it.
    fn with_floating_apart(&self) -> Result<Self, SpliceError> {
        let newline = Style::house(&self.text).newline;
        let indent = self.spans.first().map_or("", |it| indentation_at(&self.text, it.start, ""));
        let floating = self.floating();
        let mut text = String::with_capacity(self.text.len() + 256);
        let mut done = 0;
        for (index, Floating { spot, range, .. }) in floating.iter().enumerate() {
            if !matches!(spot, Spot::Bracket | Spot::Before(_) | Spot::EndOfList) {
                continue;
            }
            text.push_str(&self.text[done..range.start]);
            if *spot != Spot::Bracket && !text.trim_end_matches([' ', '\t']).ends_with(['\n', '\r'])
            {
                text.push_str(newline);
                text.push_str(indent);
            }
            text.push_str(&self.text[range.clone()]);
            done = range.end;
            let is_last = floating.get(index + 1).is_none_or(|next| next.spot != *spot);
            let rest = after_newline(&self.text[done..]);
            let is_apart = after_newline(rest).len() < rest.len();
            if is_last && !is_apart && *spot != Spot::EndOfList {
                text.push_str(newline);
            }
        }
        text.push_str(&self.text[done..]);
        self.reread(text)
    }

    /// The same, each comment where one goes that it takes the place of, if there is one.
    fn with_floating_here(&self, change: &FloatingChange<'_>) -> Result<Self, SpliceError> {
        let own = self.floating();
        let mut gone = change.gone.clone();
        let (mut stays, mut goes) = (Vec::new(), BTreeSet::new());
        for (index, comment) in own.iter().enumerate() {
            match gone.get_mut(&identity(comment.text)) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    goes.insert(index);
                }
                _ => stays.push(comment),
            }
        }
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let changed = self.changed(&own, &goes, change);
        for (added, index) in &changed {
            goes.remove(index);
            edits.push((own[*index].range.clone(), change.other[*added].text.to_owned()));
        }
        for index in goes {
            edits.push((self.without(&own[index].range), String::new()));
        }
        let newline = Style::house(&self.text).newline;
        // Those that come to one place are written together.
        let mut groups: BTreeMap<(usize, bool), Vec<&str>> = BTreeMap::new();
        let mut last: Option<(usize, (usize, bool))> = None;
        for &index in &change.added {
            let Floating { spot, text, .. } = &change.other[index];
            if let Some(at) = changed.get(&index) {
                last = Some((index, (own[*at].range.end, true)));
                continue;
            }
            let before = change.other[..index].iter().rev().take_while(|other| other.spot == *spot);
            let before = before.zip((0..index).rev()).find_map(|(other, at)| {
                if let Some((_, place)) = last.filter(|(last, _)| *last == at) {
                    return Some(place);
                }
                let same = |own: &&&Floating<'_>| {
                    own.spot == *spot && identity(own.text) == identity(other.text)
                };
                stays.iter().find(same).map(|own| (own.range.end, true))
            });
            let place = before.unwrap_or_else(|| (self.place(*spot), false));
            groups.entry(place).or_default().push(text);
            last = Some((index, place));
        }
        for ((at, behind), comments) in groups {
            edits.push((at..at, self.inserted(at, behind, &comments, newline)));
        }
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = String::with_capacity(self.text.len() + 256);
        let mut done = 0;
        for (range, new) in edits {
            text.push_str(&self.text[done..range.start.max(done)]);
            text.push_str(&new);
            done = range.end.max(done);
        }
        text.push_str(&self.text[done..]);
        self.reread(text)
    }

    /// The comments that come in the place of one that goes, with that: those that follow the same
    /// one, or the change of it.
    fn changed(
        &self,
        own: &[Floating<'_>],
        goes: &BTreeSet<usize>,
        change: &FloatingChange<'_>,
    ) -> BTreeMap<usize, usize> {
        let before = |list: &[Floating<'_>], index: usize| {
            let before = index.checked_sub(1)?;
            (list[before].spot == list[index].spot).then_some(before)
        };
        let (mut left, mut changed) = (goes.clone(), BTreeMap::new());
        for &added in &change.added {
            let Floating { spot, text, .. } = &change.other[added];
            let fits = |index: &&usize| {
                let Floating { spot: own_spot, range, .. } = &own[**index];
                let is_after_same = match (before(own, **index), before(change.other, added)) {
                    (None, None) => true,
                    (Some(own_before), Some(other)) => {
                        changed.get(&other) == Some(&own_before)
                            || identity(own[own_before].text) == identity(change.other[other].text)
                    }
                    _ => false,
                };
                // Behind a comment up to the end of its line there is room for nothing.
                let rest = self.text[range.end..].trim_start_matches([' ', '\t']);
                let is_line = rest.is_empty() || rest.starts_with(['\n', '\r']);
                own_spot == spot && is_after_same && (is_line || !text.starts_with("//"))
            };
            if let Some(index) = left.iter().find(fits).copied() {
                left.remove(&index);
                changed.insert(added, index);
            }
        }
        changed
    }

    /// Where a comment goes that follows none that is there.
    fn place(&self, spot: Spot<'_>) -> usize {
        let line_of = |at: usize| {
            let before = self.text[..at].trim_end_matches([' ', '\t']).len();
            if self.text[..before].ends_with(['\n', '\r']) { before } else { at }
        };
        let list = self.array.as_ref();
        match spot {
            Spot::Head => self.root.start,
            Spot::Foot => self.text.len(),
            Spot::BeforeList => {
                let skeleton = self.skeleton();
                let name = name_of_list(&skeleton).map(|at| self.root.start + at);
                name.map_or(self.root.start + 1, line_of)
            }
            Spot::Bracket => {
                let line = self.bracket_line();
                let is_free = self.text[line.clone()].trim().is_empty()
                    && self.text[line.end..].starts_with(['\n', '\r']);
                match self.ids().next() {
                    _ if is_free => line.start,
                    Some(first) => self.place(Spot::Before(first)),
                    None => self.place(Spot::EndOfList),
                }
            }
            Spot::Before(id) => {
                let index = self.ids().position(|own| own == id);
                match index {
                    Some(index) => self.sequence().item(index).lead,
                    None => self.place(Spot::EndOfList),
                }
            }
            Spot::EndOfList => {
                list.map_or_else(|| line_of(self.root.end - 1), |list| line_of(list.end - 1))
            }
            Spot::AfterList => line_of(self.root.end - 1),
        }
    }

    /// The text that puts comments at `at`: `behind` another, or on lines of their own before what
    /// stands there.
    fn inserted(&self, at: usize, behind: bool, comments: &[&str], newline: &str) -> String {
        let text = &self.text;
        let rest = text[at..].split(['\n', '\r']).next().unwrap_or_default();
        let is_in_list = self.array.as_ref().is_some_and(|list| list.contains(&at));
        let item = self.len().min(self.spans.partition_point(|span| span.start < at));
        let indent = match (self.spans.get(item).or(self.spans.last()), is_in_list) {
            _ if at <= self.root.start || at >= self.root.end => "",
            (Some(span), true) => indentation_at(text, span.start, ""),
            _ if is_in_list => "    ",
            _ => "  ",
        };
        let lines = comments.join(&format!("{newline}{indent}"));
        if behind {
            let end =
                if rest.trim().is_empty() { String::new() } else { format!("{newline}{indent}") };
            return format!("{newline}{indent}{lines}{end}");
        }
        if is_in_list && at == self.bracket_line().start && rest.trim().is_empty() {
            let end = if comments.len() > 1 { newline } else { "" };
            return format!(" {lines}{end}");
        }
        let starts_line = at == 0 || text[..at].ends_with(['\n', '\r', '\u{feff}']);
        let start = if starts_line || at == self.root.start { "" } else { newline };
        // Apart from the task that follows, or it would be the task's.
        let is_task = is_in_list && self.spans.get(item).is_some_and(|_| self.is_lead(item, at));
        let end = if is_task { newline } else { "" };
        format!("{start}{indent}{lines}{newline}{end}")
    }

    fn is_lead(&self, index: usize, at: usize) -> bool {
        self.sequence().item(index).lead == at
    }

    /// What goes with a comment: its line, when nothing else is on it, and one of the blank lines
    /// around it.
    fn without(&self, comment: &Range<usize>) -> Range<usize> {
        let text = &self.text;
        let start = text[..comment.start].trim_end_matches([' ', '\t']).len();
        let own_start = start == 0 || text[..start].ends_with(['\n', '\r', '\u{feff}']);
        let rest = text[comment.end..].trim_start_matches([' ', '\t']);
        let end = text.len() - rest.len();
        let line_end = |at: usize| match &text[at..] {
            rest if rest.starts_with("\r\n") => Some(at + 2),
            rest if rest.starts_with(['\n', '\r']) => Some(at + 1),
            _ => None,
        };
        match line_end(end) {
            // Side by side, an old line end and a new one would be a single one.
            Some(next) if text[..start].ends_with('\r') && text[next..].starts_with('\n') => {
                start..end
            }
            Some(end) if own_start => {
                let blank_before =
                    text[..start].trim_end_matches([' ', '\t']).strip_suffix('\n').is_some_and(
                        |before| before.trim_end_matches([' ', '\t', '\r']).ends_with('\n'),
                    );
                let blank_after = line_end(end).filter(|_| blank_before);
                start..blank_after.unwrap_or(end)
            }
            None if own_start && end == text.len() => start..end,
            _ if own_start => comment.start..end,
            _ => start..comment.end,
        }
    }

    /// A text that is to say the same of the tasks.
    pub(super) fn reread(&self, text: String) -> Result<Self, SpliceError> {
        let document = Self::parse(text).map_err(SpliceError::Unreadable)?;
        if document.tasks() == self.tasks() { Ok(document) } else { Err(SpliceError::Mismatch) }
    }
}

/// Where the list of tasks is in the text of an outermost object.
fn list_in(skeleton: &str) -> Option<Range<usize>> {
    let Ok(Node::Object(root)) = syntax::parse(skeleton) else { return None };
    root.get("tasks").map(|property| property.value.start()..property.value.end())
}

/// Where its key is.
fn name_of_list(skeleton: &str) -> Option<usize> {
    let Ok(Node::Object(root)) = syntax::parse(skeleton) else { return None };
    root.get("tasks").map(jsonc_parser::common::Ranged::start)
}
