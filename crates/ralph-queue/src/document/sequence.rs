//! Comma-separated containers as text: which bytes belong to which item, and how items are
//! dropped, changed and added without touching the bytes of the others.
//!
//! An item owns its line: the comments directly above it, those after it on its line, its comma
//! and the end of the line. What stands apart, behind a blank line or on the line of the opening
//! bracket, belongs to nobody and stays.

use std::borrow::Cow;
use std::ops::Range;

use super::style::{Style, indentation_at};

/// An array or object in a text, by the places of its elements or properties.
pub(super) struct Sequence<'t> {
    pub(super) text: &'t str,
    /// From the opening bracket to after the closing one.
    pub(super) container: Range<usize>,
    /// The elements or properties, without comments or commas.
    pub(super) cores: Cow<'t, [Range<usize>]>,
}

/// What belongs to one item: `lead..end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) lead: usize,
    pub(super) core: Range<usize>,
    pub(super) comma: Option<usize>,
    pub(super) end: usize,
}

/// One item of the wanted sequence.
pub(super) enum Slot {
    /// The item with that index as it is.
    Keep(usize),
    /// The item with that index, with this for its core.
    Change(usize, String),
    /// Another one in the place of the item with that index.
    Put(usize, NewItem),
    /// A new one.
    New(NewItem),
}

/// A new item. Comments are written as given.
#[derive(Default)]
pub(super) struct NewItem {
    /// Whole lines of comments, indented, each ending its line; or empty.
    pub(super) lead: String,
    pub(super) core: String,
    /// What follows the comma on its line: comments, with the space before them; or empty.
    pub(super) trail: String,
}

/// How the items of one sequence stand.
pub(super) struct Layout {
    /// Each on its own line.
    pub(super) own_lines: bool,
    /// The white space that begins such a line.
    pub(super) indent: String,
    /// A blank line stands between two of them.
    pub(super) blank_lines: bool,
}

impl Sequence<'_> {
    fn open(&self) -> usize {
        self.container.start + 1
    }

    fn close(&self) -> usize {
        self.container.end - 1
    }

    /// How a new item is to stand: like item `like`, or by `style` in an empty container.
    pub(super) fn layout(&self, like: usize, style: &Style, outer_indent: &str) -> Layout {
        let like = like.min(self.cores.len().saturating_sub(1));
        let Some(core) = self.cores.get(like) else {
            let own_lines = if self.text.as_bytes()[self.container.start] == b'[' {
                !style.inline_arrays
            } else {
                !style.inline_objects
            };
            let indent = indentation_at(self.text, self.container.start, outer_indent);
            let indent = format!("{indent}{}", style.unit);
            return Layout { own_lines, indent, blank_lines: false };
        };
        let before = &self.text[self.open()..core.start];
        let line_start = before.rfind(['\n', '\r']).map(|at| at + 1);
        // Another item before it on its line, or the bracket, makes it inline.
        let own_lines = line_start.is_some_and(|at| {
            let at = self.open() + at;
            at >= self.cores.get(like.wrapping_sub(1)).map_or(0, |core| core.end)
                && !self.text[at..core.start].contains(',')
        });
        let indent = indentation_at(self.text, core.start, outer_indent).to_owned();
        let next = like.max(1);
        let blank_lines = next < self.cores.len() && {
            let between = &self.text[self.item(next - 1).end..self.item(next).lead];
            !between.is_empty() && between.trim().is_empty()
        };
        Layout { own_lines, indent, blank_lines }
    }

    /// What belongs to the item with that index.
    pub(super) fn item(&self, index: usize) -> Item {
        let core = self.cores[index].clone();
        let (comma, end) = self.after(index);
        let floor = if index == 0 { self.open() } else { self.after(index - 1).1 };
        Item { lead: self.lead(index, floor), core, comma, end }
    }

    /// Where the comma after an item is, and where what belongs to the item ends.
    fn after(&self, index: usize) -> (Option<usize>, usize) {
        let start = self.cores[index].end;
        let next = self.cores.get(index + 1).map(|core| core.start);
        let gap = Trivia { text: self.text, at: start, end: next.unwrap_or(self.close()) };
        let comma =
            gap.clone().find(|token| token.kind == Kind::Comma).map(|token| token.range.start);
        let mut end = comma.map_or(start, |at| at + 1);
        let mut after_spaces = end;
        for token in (Trivia { at: end, ..gap }) {
            match token.kind {
                Kind::Newline => return (comma, token.range.end),
                // Comments that end at the closing bracket belong to the last item ...
                Kind::Comment if next.is_none() => end = token.range.end,
                Kind::Space if after_spaces == token.range.start => after_spaces = token.range.end,
                // ... and those that end at the next item to that one.
                Kind::Space | Kind::Comma | Kind::Comment => {}
            }
        }
        (comma, if next.is_some() { after_spaces } else { end })
    }

    /// Where what belongs to an item starts, given where what is before it ends.
    fn lead(&self, index: usize, floor: usize) -> usize {
        let core = self.cores[index].start;
        // The starts of the lines between, and whether each holds a comment.
        let mut lines = vec![(floor, false)];
        for token in (Trivia { text: self.text, at: floor, end: core }) {
            match token.kind {
                Kind::Newline => lines.push((token.range.end, false)),
                Kind::Comment => {
                    if let Some(line) = lines.last_mut() {
                        line.1 = true;
                    }
                }
                Kind::Space | Kind::Comma => {}
            }
        }
        let first_is_whole = floor > self.open() && self.text[..floor].ends_with(['\n', '\r']);
        let own_line = lines.len() - 1;
        let mut lead = core;
        for (number, (start, commented)) in lines.into_iter().enumerate().rev() {
            let whole = number > 0 || first_is_whole;
            if number != own_line && !(commented && whole) {
                break;
            }
            lead = start;
        }
        if lead == self.open() {
            // Space after the bracket is nobody's.
            lead += self.text[lead..core].len()
                - self.text[lead..core].trim_start_matches([' ', '\t']).len();
        }
        lead
    }

    /// The text between the brackets with `slots` for its items.
    ///
    /// Slots that keep the order of their items leave everything else where it is; otherwise
    /// items change places and what is between the places stays.
    pub(super) fn render(&self, slots: &[Slot], layout: &Layout, style: &Style) -> String {
        let items: Vec<Item> = (0..self.cores.len()).map(|index| self.item(index)).collect();
        let trailing_comma = items.last().is_some_and(|item| item.comma.is_some());
        let mut kept = vec![false; items.len()];
        for slot in slots {
            if let Slot::Keep(index) | Slot::Change(index, _) | Slot::Put(index, _) = slot {
                kept[*index] = true;
            }
        }
        let mut writer = Writer {
            sequence: self,
            items: &items,
            layout,
            style,
            out: String::with_capacity(self.container.len() + 1024),
            left: slots.len(),
            trailing_comma,
            previous: None,
            after_new: false,
            new_end: None,
        };
        let mut slots = slots.iter().peekable();
        let mut dropped = false;
        let mut at = self.open();
        let any_kept = kept.contains(&true);
        for (item, kept) in items.iter().zip(&kept) {
            writer.keep_apart(at..item.lead);
            writer.float(&self.text[at..item.lead], dropped);
            at = item.end;
            dropped = !kept;
            // New items before the first kept one stand where it stood.
            if *kept || (!any_kept && slots.peek().is_some()) {
                dropped = false;
                while let Some(Slot::New(new)) = slots.peek() {
                    writer.new_item(new);
                    slots.next();
                }
                if let Some(slot) = slots.next() {
                    writer.kept_item(slot);
                }
                while let Some(Slot::New(new)) = slots.peek() {
                    writer.new_item(new);
                    slots.next();
                }
            }
        }
        writer.keep_apart(at..self.close());
        writer.last_float(&self.text[at..self.close()], slots.filter_map(Slot::new_item), dropped)
    }
}

impl Slot {
    fn new_item(&self) -> Option<&NewItem> {
        match self {
            Self::New(new) => Some(new),
            Self::Keep(_) | Self::Change(..) | Self::Put(..) => None,
        }
    }
}

struct Writer<'a> {
    sequence: &'a Sequence<'a>,
    items: &'a [Item],
    layout: &'a Layout,
    style: &'a Style,
    out: String,
    /// How many items are still to come.
    left: usize,
    trailing_comma: bool,
    /// The item written last, unless that is a new one.
    previous: Option<usize>,
    /// The item written last is a new one.
    after_new: bool,
    /// Where the new item written last ends, if it has its lines and no comment stands behind it.
    new_end: Option<usize>,
}

impl Writer<'_> {
    fn wants_comma(&mut self) -> bool {
        self.left -= 1;
        self.left > 0 || self.trailing_comma
    }

    fn kept_item(&mut self, slot: &Slot) {
        let (index, changed) = match slot {
            Slot::Keep(index) => (*index, None),
            Slot::Change(index, core) => (*index, Some(core)),
            Slot::Put(index, new) => return self.other_item(*index, new),
            Slot::New(_) => return,
        };
        let item = &self.items[index];
        let text = self.sequence.text;
        if text[..item.lead].ends_with(['\n', '\r']) {
            self.begin_line();
            if self.after_new {
                self.blank_line();
            }
        } else if self.after_new || self.previous != index.checked_sub(1) {
            self.space_after_comma();
        }
        self.previous = Some(index);
        self.after_new = false;
        self.out.push_str(&text[item.lead..item.core.start]);
        self.out.push_str(changed.map_or(&text[item.core.clone()], |core| core));
        let after = &text[item.core.end..item.end];
        // What comes next on the line would take the comments behind the comma for its own.
        let is_open = !after.ends_with(['\n', '\r']);
        let behind = item.comma.map_or(item.core.end, |comma| comma + 1);
        let is_open = is_open && text[behind..item.end].contains('/');
        match (item.comma, self.wants_comma()) {
            (_, true) if is_open && self.left > 0 => {
                let before = item.comma.map_or("", |comma| &text[item.core.end..comma]);
                self.out.push_str(before);
                self.out.push_str(&text[behind..item.end]);
                self.out.push(',');
            }
            // Without the comma, the comments on lines before it would be nobody's.
            (Some(comma), false) if text[item.core.end..comma].contains(['\n', '\r']) => {
                self.out.push_str(after);
            }
            (Some(_), true) | (None, false) => self.out.push_str(after),
            (None, true) => {
                self.out.push(',');
                self.out.push_str(after);
            }
            (Some(comma), false) => {
                let (before, after) = (&text[item.core.end..comma], &text[comma + 1..item.end]);
                self.out.push_str(before);
                self.out.push_str(if after.trim_matches([' ', '\t']).is_empty() {
                    ""
                } else {
                    after
                });
            }
        }
    }

    /// Another item in the place of one that has whole lines stands there; else like a new one.
    fn other_item(&mut self, index: usize, new: &NewItem) {
        let text = self.sequence.text;
        let Item { lead, core, end, .. } = &self.items[index];
        if [&text[..*lead], &text[..*end]].iter().all(|text| text.ends_with(['\n', '\r'])) {
            self.begin_line();
            self.write_lines(new, indentation_at(text, core.start, ""));
            self.previous = Some(index);
            self.after_new = false;
        } else {
            self.new_item(new);
        }
    }

    fn new_item(&mut self, new: &NewItem) {
        self.previous = None;
        self.after_new = true;
        self.new_end = None;
        if self.layout.own_lines || !new.lead.is_empty() || !new.trail.is_empty() {
            self.begin_line();
            self.blank_line();
            self.write_lines(new, &self.layout.indent);
        } else {
            self.space_after_comma();
            self.out.push_str(&new.core);
            if self.wants_comma() {
                self.out.push(',');
            }
        }
    }

    fn write_lines(&mut self, new: &NewItem, indent: &str) {
        self.out.push_str(&new.lead);
        self.out.push_str(indent);
        self.out.push_str(&new.core);
        if self.wants_comma() {
            self.out.push(',');
        }
        self.out.push_str(&new.trail);
        self.new_end = new.trail.is_empty().then_some(self.out.len());
        self.out.push_str(self.style.newline);
    }

    /// Makes sure that nothing but white space stands before on the line.
    fn begin_line(&mut self) {
        let line = self.out.trim_end_matches([' ', '\t']);
        if line.ends_with(['\n', '\r']) {
            self.out.truncate(line.len());
        } else {
            self.out.truncate(line.len());
            self.out.push_str(self.style.newline);
        }
    }

    /// A blank line between items that have them.
    fn blank_line(&mut self) {
        if self.layout.own_lines && self.layout.blank_lines && !self.ends_blank() {
            self.out.push_str(self.style.newline);
        }
    }

    fn space_after_comma(&mut self) {
        if self.out.ends_with(',') {
            self.out.push_str(self.style.gap);
        }
    }

    /// Starts a line for comments that are nobody's, if they began one: behind the item that is now
    /// before them, they would be that item's.
    fn keep_apart(&mut self, float: Range<usize>) {
        let text = self.sequence.text;
        let has_comment = text[float.clone()].contains('/');
        if has_comment && text[..float.start].ends_with(['\n', '\r']) && !self.out.is_empty() {
            self.begin_line();
        }
    }

    /// What is between items. After a dropped one, two blank lines become one.
    fn float(&mut self, float: &str, dropped: bool) {
        let blank_before = self.ends_blank();
        let blank = float.len() - after_newline(float).len();
        self.out.push_str(if dropped && blank_before { &float[blank..] } else { float });
    }

    fn last_float<'n>(
        mut self,
        float: &str,
        news: impl Iterator<Item = &'n NewItem>,
        dropped: bool,
    ) -> String {
        let news: Vec<_> = news.collect();
        if news.is_empty() {
            if dropped && self.out.trim().is_empty() && float.trim().is_empty() {
                return String::new();
            }
            if dropped && self.ends_blank() && !float.contains(['\n', '\r', '/']) {
                let shorter = self.out.trim_end_matches([' ', '\t']);
                let shorter = shorter
                    .strip_suffix("\r\n")
                    .or(shorter.strip_suffix(['\n', '\r']))
                    .unwrap_or(shorter);
                self.out.truncate(shorter.len());
            }
            self.close_line(float);
            return self.out;
        }
        // Only an empty container gets here with new items: they go after its comments.
        let kept = float.trim_end_matches([' ', '\t', '\n', '\r']);
        self.out.push_str(kept);
        if kept.len() < float.len() && !kept.is_empty() {
            self.out.push_str(self.style.newline);
        }
        // A comment on a line directly above an item would be the item's.
        if kept.contains(['\n', '\r']) {
            self.begin_line();
            self.out.push_str(self.style.newline);
        }
        for new in news {
            self.new_item(new);
        }
        self.close_line("");
        self.out
    }

    /// The end of the container: its bracket gets a line of its own after items that have theirs,
    /// unless both brackets stand beside items.
    fn close_line(&mut self, float: &str) {
        let text = &self.sequence.text[..self.sequence.close()];
        let had_none = !text.ends_with(['\n', '\r']);
        let is_first_beside = self.items.first().is_some_and(|first| {
            !text[self.sequence.open()..first.core.start].contains(['\n', '\r'])
        });
        // Nothing came after it but the end of its line.
        let is_last = |end: &usize| self.out.len() == end + self.style.newline.len();
        let new_end = self.new_end.filter(is_last);
        if let Some(end) = new_end.filter(|_| had_none && float.is_empty() && is_first_beside) {
            self.out.truncate(end);
        } else if had_none && float.is_empty() && self.out.ends_with(['\n', '\r']) {
            let indent = self.layout.indent.strip_suffix(self.style.unit.as_str()).unwrap_or("");
            self.out.push_str(indent);
        }
        self.out.push_str(float);
    }

    /// Whether a blank line, or the line of the bracket, was the last one written.
    fn ends_blank(&self) -> bool {
        let strip = |text: &'_ str| -> Option<usize> {
            let text = text.trim_end_matches([' ', '\t']);
            text.strip_suffix("\r\n").or(text.strip_suffix(['\n', '\r'])).map(str::len)
        };
        let Some(once) = strip(&self.out) else { return false };
        self.out[..once].trim().is_empty() || strip(&self.out[..once]).is_some()
    }
}

/// What follows the first line break, if only white space stands before it.
pub(super) fn after_newline(text: &str) -> &str {
    let rest = text.trim_start_matches([' ', '\t']);
    rest.strip_prefix("\r\n").or(rest.strip_prefix(['\n', '\r'])).unwrap_or(text)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    Newline,
    Comment,
    Comma,
}

struct Token {
    kind: Kind,
    range: Range<usize>,
}

/// The tokens between two items. The text has been parsed, so nothing else can stand there.
#[derive(Clone)]
struct Trivia<'t> {
    text: &'t str,
    at: usize,
    end: usize,
}

impl Iterator for Trivia<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let rest = &self.text[self.at..self.end];
        let bytes = rest.as_bytes();
        let (kind, len) = match bytes.first()? {
            b'\r' if bytes.get(1) == Some(&b'\n') => (Kind::Newline, 2),
            b'\n' | b'\r' => (Kind::Newline, 1),
            b',' => (Kind::Comma, 1),
            b'/' if bytes.get(1) == Some(&b'*') => {
                (Kind::Comment, rest[2..].find("*/").map_or(rest.len(), |at| at + 4))
            }
            b'/' => (Kind::Comment, rest.find(['\n', '\r']).unwrap_or(rest.len())),
            _ => (Kind::Space, rest.find(['\n', '\r', ',', '/']).unwrap_or(rest.len())),
        };
        let range = self.at..self.at + len;
        self.at = range.end;
        Some(Token { kind, range })
    }
}
