//! What stands in the list of tasks, and the same in another order.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::frame::{Spot, identity};
use super::sequence::after_newline;
use super::style;
use super::{Document, counts};

/// What stands in a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Arranged<'t> {
    /// A task, by its key.
    Task(usize),
    /// A comment that belongs to no task, by its [`identity`].
    Comment(Cow<'t, str>),
}

/// Whether there is a blank line between two parts of a list.
pub(crate) type Gaps<'p> = HashMap<[&'p Arranged<'p>; 2], bool>;

/// A part of a list, with its lines; a task may begin or end on one of another.
struct Listed<'t> {
    part: Arranged<'t>,
    /// The blank lines before it.
    gap: Range<usize>,
    range: Range<usize>,
}

impl Document {
    /// The tasks, by their keys, and the comments between them, in order, with each whether there is
    /// a blank line before it; and whether no such comment shares a line with something.
    pub(crate) fn arranged(&self, keys: &[usize]) -> (Vec<(Arranged<'_>, bool)>, bool) {
        let (listed, has_lines) = self.listed(keys);
        let parts = listed.into_iter().map(|it| (it.part, is_line(&self.text[it.gap])));
        (parts.collect(), has_lines)
    }

    /// The same with their lines. A comment on the line of the bracket is none of them.
    fn listed(&self, keys: &[usize]) -> (Vec<Listed<'_>>, bool) {
        let Some(array) = &self.array else { return (Vec::new(), true) };
        let open = array.start + 1;
        let head = self.text.len() - after_newline(&self.text[self.bracket_line().end..]).len();
        let tasks = keys.iter().enumerate().map(|(index, key)| {
            let item = self.sequence().item(index);
            (item.lead..item.end, Arranged::Task(*key))
        });
        let mut floating = self.floating();
        let is_in_list = |spot: &Spot<'_>| matches!(spot, Spot::Before(_) | Spot::EndOfList);
        floating.retain(|it| is_in_list(&it.spot));
        let comments =
            floating.into_iter().map(|it| (it.range, Arranged::Comment(identity(it.text))));
        let mut parts: Vec<(Range<usize>, Arranged<'_>)> = tasks.chain(comments).collect();
        parts.sort_by_key(|(range, _)| range.start);

        let mut at = parts.first().map_or(open, |(first, _)| head.min(first.start));
        let (mut listed, mut has_lines) = (Vec::with_capacity(parts.len()), true);
        for (Range { mut start, mut end }, part) in parts {
            if matches!(part, Arranged::Comment(_)) {
                let line = self.text[..start].trim_end_matches([' ', '\t']).len();
                start = line.max(at);
                end = self.text.len() - after_newline(&self.text[end..]).len();
                has_lines &=
                    start == line && [start, end].iter().all(|at| is_line(&self.text[..*at]));
            }
            listed.push(Listed { part, gap: at..start, range: start..end });
            at = end;
        }
        (listed, has_lines)
    }

    /// The same list with its comments where they stand in `order`, which has the tasks in the order
    /// of their `keys`, and with blank lines around them.
    pub(crate) fn rearranged(
        &self,
        keys: &[usize],
        order: &[Arranged<'_>],
        gaps: &Gaps<'_>,
    ) -> Self {
        let (listed, has_lines) = self.listed(keys);
        let (Some(first), Some(last), true) = (listed.first(), listed.last(), has_lines) else {
            return self.clone();
        };
        let mut places: HashMap<&Arranged<'_>, VecDeque<usize>> = HashMap::new();
        for (place, part) in order.iter().enumerate() {
            places.entry(part).or_default().push_back(place);
        }
        // What is in no order stays behind what it follows.
        let mut place = 0;
        let mut sorted = Vec::with_capacity(listed.len());
        for (index, line) in listed.iter().enumerate() {
            place = places.get_mut(&line.part).and_then(VecDeque::pop_front).unwrap_or(place);
            sorted.push((place, index));
        }
        sorted.sort_unstable();
        let newline = style::newline(&self.text);
        let is_task = |line: &Listed<'_>| matches!(line.part, Arranged::Task(_));
        let mut text = self.text[..first.gap.start].to_owned();
        let mut before: Option<&Listed<'_>> = None;
        for (_, index) in sorted {
            let line = &listed[index];
            let gap = &self.text[line.gap.clone()];
            if is_line(&self.text[..line.range.start]) && !is_line(&text) {
                text.push_str(newline);
            }
            let is_behind_task = index.checked_sub(1).is_some_and(|it| is_task(&listed[it]));
            let is_apart = before.map(|before| {
                let is_group = is_task(before) && is_task(line);
                let known = gaps.get(&[&before.part, &line.part]).copied();
                known.unwrap_or(!is_group || is_behind_task && is_line(gap))
            });
            match (is_apart, is_line(gap)) {
                (Some(true), false) => text.push_str(newline),
                (Some(false), true) => {}
                (None, _) if index > 0 => {}
                _ => text.push_str(gap),
            }
            text.push_str(&self.text[line.range.clone()]);
            before = Some(line);
        }
        text.push_str(&self.text[last.range.end..]);
        if text == *self.text {
            return self.clone();
        }
        // In a cramped layout a comment would come to belong to a task.
        let is_same = |moved: &Self| counts(&moved.floating()) == counts(&self.floating());
        self.reread(text).ok().filter(is_same).unwrap_or_else(|| self.clone())
    }
}

/// Whether it ends a line.
fn is_line(text: &str) -> bool {
    text.ends_with(['\n', '\r'])
}
