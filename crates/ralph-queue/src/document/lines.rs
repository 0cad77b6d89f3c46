//! What stands in the list of tasks, and the same in another order.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::frame::{Arranged, Spot};
use super::sequence::after_newline;
use super::style;
use super::{Document, counts};

/// Whether there is a blank line between two parts of a list.
pub(crate) type Gaps<'p> = HashMap<[&'p Arranged<'p>; 2], bool>;

/// A task, or a comment that belongs to none and has its lines for itself.
struct Listed<'t> {
    part: Arranged<'t>,
    /// The blank lines before it.
    gap: Range<usize>,
    /// Of a task that begins or ends beside something: from there, or to there.
    range: Range<usize>,
}

impl Document {
    /// The tasks, by their keys, and the comments between them, in order; with each whether there is
    /// a blank line before it. Nothing if such a comment shares a line with others.
    pub(crate) fn listed(&self, keys: &[usize]) -> Option<Vec<(Arranged<'_>, bool)>> {
        let lines = self.lines(keys)?.into_iter();
        Some(lines.map(|line| (line.part, is_line(&self.text[line.gap]))).collect())
    }

    /// The same with their lines. A comment on the line of the bracket stays there.
    fn lines(&self, keys: &[usize]) -> Option<Vec<Listed<'_>>> {
        let open = self.array.as_ref()?.start + 1;
        let end = self.text[open..].find(['\n', '\r']).map_or(open, |end| open + end);
        let head = self.text.len() - after_newline(&self.text[end..]).len();
        let mut floating = self.floating();
        let is_listed = |spot: &Spot| matches!(spot, Spot::Before(_) | Spot::EndOfList);
        floating.retain(|it| is_listed(&it.spot) && it.range.start >= head);
        let parts = self.parts(&floating, keys);
        let mut at = parts.first().map_or(open, |(first, _)| head.min(first.start));
        let mut lines = Vec::with_capacity(parts.len());
        for (Range { mut start, mut end }, part) in parts {
            if matches!(part, Arranged::Comment(_)) {
                start = self.text[..start].trim_end_matches([' ', '\t']).len();
                end = self.text.len() - after_newline(&self.text[end..]).len();
                if start < at || !is_line(&self.text[..start]) || !is_line(&self.text[..end]) {
                    return None;
                }
            }
            lines.push(Listed { part, gap: at..start, range: start..end });
            at = end;
        }
        Some(lines)
    }

    /// The same list with its comments where they stand in `order`, which has the tasks in the order
    /// of their `keys`, and with blank lines around them.
    pub(crate) fn rearranged(
        &self,
        keys: &[usize],
        order: &[Arranged<'_>],
        gaps: &Gaps<'_>,
    ) -> Self {
        let Some(lines) = self.lines(keys) else { return self.clone() };
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            return self.clone();
        };
        let mut places: HashMap<&Arranged<'_>, VecDeque<usize>> = HashMap::new();
        for (place, part) in order.iter().enumerate() {
            places.entry(part).or_default().push_back(place);
        }
        // What is in no order stays behind what it follows.
        let mut place = 0;
        let mut sorted = Vec::with_capacity(lines.len());
        for (index, line) in lines.iter().enumerate() {
            place = places.get_mut(&line.part).and_then(VecDeque::pop_front).unwrap_or(place);
            sorted.push((place, index));
        }
        sorted.sort_unstable();
        let newline = style::newline(&self.text);
        let is_task = |line: &Listed<'_>| matches!(line.part, Arranged::Task(_));
        let mut text = self.text[..first.gap.start].to_owned();
        let mut before: Option<&Listed<'_>> = None;
        for (_, index) in sorted {
            let line = &lines[index];
            let gap = &self.text[line.gap.clone()];
            if is_line(&self.text[..line.range.start]) && !is_line(&text) {
                text.push_str(newline);
            }
            let is_behind_task = index.checked_sub(1).is_some_and(|it| is_task(&lines[it]));
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
