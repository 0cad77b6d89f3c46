//! Comma-separated containers as text: which bytes belong to which item, and how items are
//! dropped, changed and added without touching the bytes of the others.
//!
//! An item owns its line: the comments directly above it, those after it on its line, its comma
//! and the end of the line. What stands apart, behind a blank line or on the line of the opening
//! bracket, belongs to nobody and stays. A comma on the line of the next item is that one's: it
//! leads the item, and what stands on lines above it goes by the same rule. One that has a line to
//! itself ends the item above it, and all up to the end of its line is that item's: it may be the last
//! in the list, with nothing below for a comment to belong to, and an item that comes there is to
//! get none of another.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use super::style::{Style, indentation_at};

/// An array or object in a text, by the places of its elements or properties.
#[derive(Clone, Debug)]
pub(super) struct Sequence<'t> {
    pub(super) text: &'t str,
    /// From the opening bracket to after the closing one.
    pub(super) container: Range<usize>,
    /// The elements or properties, without comments or commas.
    pub(super) cores: Cow<'t, [Range<usize>]>,
    /// From the beginning of a line to a place on it, those asked for last: a whole file may stand
    /// on one line.
    line: Cell<(usize, usize)>,
}

/// What belongs to one item: `lead..end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) lead: usize,
    /// The comma before it, if that stands on its line and not on that of the item before.
    pub(super) leading: Option<usize>,
    pub(super) core: Range<usize>,
    /// The comma behind it, unless that leads the next one.
    pub(super) comma: Option<usize>,
    pub(super) end: usize,
}

impl Item {
    /// What stands before it: comments and white space, with a space for a comma.
    pub(super) fn above<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.leading {
            Some(comma) => {
                format!("{} {}", &text[self.lead..comma], &text[comma + 1..self.core.start]).into()
            }
            None => text[self.lead..self.core.start].into(),
        }
    }
}

/// What is between an item and the next one, or the closing bracket.
struct Gap {
    comma: Option<usize>,
    /// The comma stands on the line of the next item, and not on that of the item.
    is_leading: bool,
    /// Where what belongs to the item ends.
    end: usize,
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
    /// What is between the items around it stands before it, not behind it.
    pub(super) is_before_next: bool,
}

/// How the items of one sequence stand.
pub(super) struct Layout {
    /// The items of an empty container get lines of their own.
    pub(super) own_lines: bool,
    /// The white space that begins such a line.
    pub(super) indent: String,
    /// A blank line stands between two of them.
    pub(super) blank_lines: bool,
}

/// How a new item stands to the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand<'t> {
    /// On lines of its own.
    Lines,
    /// On its line.
    Beside,
    /// On a line that begins with the comma: with this.
    CommaFirst(&'t str),
}

/// What was written last.
#[derive(Clone, Copy)]
enum Last<'t> {
    /// Nothing yet.
    Nothing,
    /// The item with that index, or another one in its place.
    Item(usize),
    /// A new one, which stands like that.
    New(Stand<'t>),
}

impl<'t> Sequence<'t> {
    pub(super) fn new(
        text: &'t str,
        container: Range<usize>,
        cores: impl Into<Cow<'t, [Range<usize>]>>,
    ) -> Self {
        Self { text, container, cores: cores.into(), line: Cell::default() }
    }

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
        // The line of the bracket has another indentation than those that items begin.
        let mut near = (0..=like).rev().chain(like + 1..self.cores.len());
        let begin = near.clone().find_map(|index| self.line(index));
        let indent = match begin.map(|at| &self.text[at..]) {
            Some(own) => own[..own.len() - own.trim_start_matches([' ', '\t']).len()].to_owned(),
            None => match near.find_map(|index| self.comma_first(index)) {
                Some(begin) => begin.replace(',', " "),
                None => indentation_at(self.text, core.start, outer_indent).to_owned(),
            },
        };
        let next = like.max(1);
        // What begins a section tells nothing, and a group has no blank lines in it.
        let blank_lines = (next..self.cores.len().min(like + 2))
            .map(|next| &self.text[self.item(next - 1).end..self.item(next).lead])
            .filter(|between| between.trim().is_empty())
            .map(|blank| !blank.is_empty())
            .reduce(|before, behind| before && behind);
        let blank_lines = blank_lines == Some(true);
        Layout { own_lines: false, indent, blank_lines }
    }

    /// Where the line of an item begins, if that is behind the comma before it, or the bracket.
    fn line(&self, index: usize) -> Option<usize> {
        let comma = index.checked_sub(1).and_then(|before| self.after(before).comma);
        let at = comma.unwrap_or(self.container.start) + 1;
        let gap = Trivia { text: self.text, at, end: self.cores[index].start };
        let lines = gap.filter(|token| token.kind == Kind::Newline);
        lines.last().map(|token| token.range.end)
    }

    fn begins_line(&self, index: usize) -> bool {
        self.line(index).is_some()
    }

    /// The comma that leads an item.
    fn leading(&self, index: usize) -> Option<usize> {
        let before = index.checked_sub(1).filter(|_| index < self.cores.len())?;
        let gap = self.after(before);
        gap.comma.filter(|_| gap.is_leading)
    }

    /// What the line of an item begins with, if that is the comma and white space.
    fn comma_first(&self, index: usize) -> Option<&'t str> {
        let comma = self.leading(index)?;
        let line = self.text[..comma].trim_end_matches([' ', '\t']);
        let behind = &self.text[comma + 1..self.cores[index].start];
        let spaces = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        line.ends_with(['\n', '\r']).then(|| &self.text[line.len()..comma + 1 + spaces])
    }

    /// The white space that what is in an item is indented against.
    pub(super) fn indent(&self, index: usize) -> Cow<'t, str> {
        let core = self.cores[index].clone();
        let before = self.text[..core.start].trim_end_matches([' ', '\t']);
        let is_beside = !before.is_empty() && !before.ends_with(['\n', '\r']);
        let last = self.text[core.clone()].trim_end_matches(['}', ']']);
        let blank = last.len() - last.trim_end_matches([' ', '\t']).len();
        if is_beside && last[..last.len() - blank].ends_with(['\n', '\r']) {
            // Beside something, its first line tells less than the one that ends it.
            return last[last.len() - blank..].into();
        }
        if let Some(begin) = self.comma_first(index) {
            return begin.replace(',', " ").into();
        }
        let line = self.line_of(core.start);
        // What stands before a list on the first line is no indentation of what is in it.
        let own = if line == 0 { "" } else { &self.text[line..core.start] };
        own[..own.len() - own.trim_start_matches([' ', '\t']).len()].into()
    }

    /// Where the line of a place begins. To ask for all of them, up or down, is one way through the
    /// text.
    fn line_of(&self, at: usize) -> usize {
        let (start, end) = self.line.get();
        if (start..=end).contains(&at) {
            return start;
        }
        // There is no line end between the two.
        let (from, known) = if at > end { (end, start) } else { (0, 0) };
        let line = self.text[from..at].rfind(['\n', '\r']).map_or(known, |line| from + line + 1);
        self.line.set((line, at));
        line
    }

    /// The same for the first item on the line of an item.
    fn line_comma_first(&self, index: usize) -> Option<&'t str> {
        let mut line = (0..=index).rev().take_while(|index| !self.begins_line(*index));
        line.find_map(|index| self.comma_first(index))
    }

    /// How a new item stands behind an item: as that one does to its neighbours.
    fn stand_behind(&self, index: usize) -> Stand<'t> {
        let is_open = index + 1 == self.cores.len() && self.after(index).comma.is_none();
        let own = if is_open { self.comma_first(index) } else { None };
        if let Some(begin) = own.or_else(|| self.comma_first(index + 1)) {
            return Stand::CommaFirst(begin);
        }
        let is_beside =
            |index: usize| (1..self.cores.len()).contains(&index) && !self.begins_line(index);
        let has_lines = || (0..self.cores.len()).any(|index| self.begins_line(index));
        if is_beside(index) || is_beside(index + 1) || !has_lines() {
            Stand::Beside
        } else {
            Stand::Lines
        }
    }

    /// How a new item stands before an item, at the beginning or behind what is between items.
    fn stand_before(&self, index: usize) -> Stand<'t> {
        match self.comma_first(index).or_else(|| self.comma_first(index + 1)) {
            Some(begin) => Stand::CommaFirst(begin),
            _ if self.begins_line(index) => Stand::Lines,
            _ => Stand::Beside,
        }
    }

    /// What belongs to the item with that index.
    pub(super) fn item(&self, index: usize) -> Item {
        let core = self.cores[index].clone();
        let Gap { comma, is_leading, end } = self.after(index);
        let before = index.checked_sub(1).map(|before| self.after(before));
        let floor = before.as_ref().map_or(self.open(), |gap| gap.end);
        let leading = before.filter(|gap| gap.is_leading).and_then(|gap| gap.comma);
        let comma = comma.filter(|_| !is_leading);
        Item { lead: self.lead(index, floor), leading, core, comma, end }
    }

    /// What is behind an item.
    fn after(&self, index: usize) -> Gap {
        let start = self.cores[index].end;
        let next = self.cores.get(index + 1).map(|core| core.start);
        let gap = Trivia { text: self.text, at: start, end: next.unwrap_or(self.close()) };
        let comma =
            gap.clone().find(|token| token.kind == Kind::Comma).map(|token| token.range.start);
        let mut newlines = gap.clone().filter(|token| token.kind == Kind::Newline);
        if let (Some(first), Some(comma), true) = (newlines.next(), comma, next.is_some()) {
            let last = newlines.last().unwrap_or_else(|| first.clone());
            if last.range.start < comma {
                return Gap { comma: Some(comma), is_leading: true, end: first.range.end };
            }
        }
        let mut end = comma.map_or(start, |at| at + 1);
        let mut after_spaces = end;
        for token in (Trivia { at: end, ..gap }) {
            match token.kind {
                Kind::Newline => return Gap { comma, is_leading: false, end: token.range.end },
                // Comments that end at the closing bracket belong to the last item ...
                Kind::Comment if next.is_none() => end = token.range.end,
                Kind::Space if after_spaces == token.range.start => after_spaces = token.range.end,
                // ... and those that end at the next item to that one.
                Kind::Space | Kind::Comma | Kind::Comment => {}
            }
        }
        Gap { comma, is_leading: false, end: if next.is_some() { after_spaces } else { end } }
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
        let trailing_comma = match items.last() {
            Some(last) => last.comma.is_some(),
            None => style.trailing_comma && layout.own_lines,
        };
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
            last: Last::Nothing,
            end: None,
            owed: None,
            comma: None,
        };
        let mut slots = slots.iter().peekable();
        let mut dropped = false;
        let mut at = self.open();
        let any_kept = kept.contains(&true);
        for (index, (item, kept)) in items.iter().zip(&kept).enumerate() {
            writer.keep_apart(at..item.lead);
            writer.float(&self.text[at..item.lead], dropped);
            at = item.end;
            dropped = !kept;
            // New items before the first kept one stand where it stood, and so do those that are to
            // stand before another.
            if *kept || (!any_kept && slots.peek().is_some()) {
                dropped = false;
                while let Some(Slot::New(new)) = slots.peek() {
                    writer.new_item(new, index);
                    slots.next();
                }
                if let Some(slot) = slots.next() {
                    writer.kept_item(slot);
                }
                while let Some(new) = slots.peek().and_then(|slot| slot.new_item()) {
                    if new.is_before_next {
                        break;
                    }
                    writer.new_item(new, index);
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
    last: Last<'a>,
    /// Where the item written last ends, if nothing but white space stands behind it.
    end: Option<usize>,
    /// Where the item written last lacks a comma, which whatever comes next writes in its way.
    owed: Option<usize>,
    /// Where the comma of the item written last is, on the line of that.
    comma: Option<usize>,
}

impl<'a> Writer<'a> {
    fn wants_comma(&mut self) -> bool {
        self.left -= 1;
        self.left > 0 || self.trailing_comma
    }

    /// Writes the comma that is owed, directly behind its item.
    fn pay(&mut self) {
        if let Some(at) = self.owed.take() {
            self.out.insert(at, ',');
            self.end = self.end.map(|end| end + 1);
        }
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
        let is_in_order = match self.last {
            Last::Nothing => index == 0,
            Last::Item(before) => index.checked_sub(1) == Some(before),
            Last::New(_) => false,
        };
        let starts_line = text[..item.lead].ends_with(['\n', '\r']);
        if item.leading.is_some() {
            self.leading_item(item);
        } else if let Some(begin) = self.leads(index, starts_line) {
            self.owed = None;
            self.begin_line();
            self.blank_line_behind_new();
            let line = self.sequence.line(index).unwrap_or(item.lead).max(item.lead);
            self.out.extend([&text[item.lead..line], begin]);
            self.out.push_str(text[line..item.core.start].trim_start_matches([' ', '\t']));
        } else {
            self.pay();
            if starts_line {
                self.begin_line();
                self.blank_line_behind_new();
            } else if !is_in_order {
                self.separate();
            }
            self.out.push_str(&text[item.lead..item.core.start]);
        }
        (self.last, self.comma) = (Last::Item(index), None);
        self.out.push_str(changed.map_or(&text[item.core.clone()], |core| core));
        let core_end = self.out.len();
        let (before, behind) = match item.comma {
            Some(comma) => (&text[item.core.end..comma], &text[comma + 1..item.end]),
            None => ("", &text[item.core.end..item.end]),
        };
        // What comes next on the line would take the comments behind the comma for its own.
        let is_open = !behind.ends_with(['\n', '\r']) && behind.contains('/');
        let is_blank = behind.trim().is_empty();
        let mut trivia = Trivia { text: before, at: 0, end: before.len() };
        let is_beside = !trivia.any(|token| token.kind == Kind::Newline);
        match (item.comma, self.wants_comma()) {
            (Some(_), true) if !is_beside && self.left > 0 && !behind.ends_with(['\n', '\r']) => {
                // On the line of what comes next, the comma would lead that.
                self.out.extend([before, ",", behind, self.style.newline]);
                self.end = None;
            }
            (_, true) if is_open && self.left > 0 => {
                self.out.extend([before, behind]);
                self.owed = Some(self.out.len());
                self.end = self.owed;
            }
            (Some(_), true) => {
                self.out.extend([before, ","]);
                self.end = (is_blank && is_beside).then_some(self.out.len());
                self.comma = is_beside.then(|| self.out.len() - 1);
                self.out.push_str(behind);
            }
            (None, wants_comma) => {
                self.owed = wants_comma.then_some(core_end);
                self.end = is_blank.then_some(core_end);
                self.out.push_str(behind);
            }
            (Some(_), false) => {
                let line = before.find(['\n', '\r']).unwrap_or(before.len());
                if before[line..].contains('/') || line < before.len() && behind.contains('/') {
                    // Without the comma, the comments on further lines would be nobody's.
                    self.out.extend([before, ",", behind]);
                    self.end = None;
                } else {
                    // A comment may need the end of its line.
                    let is_commented = before.contains('/');
                    let blank: &[char] =
                        if is_commented { &[' ', '\t'] } else { &[' ', '\t', '\n', '\r'] };
                    let before = before.trim_end_matches(blank);
                    self.out.push_str(before);
                    self.end = (is_blank && !is_commented).then_some(self.out.len());
                    let is_spaces = behind.trim_matches([' ', '\t']).is_empty();
                    let is_ended = is_blank && before.ends_with(['\n', '\r']);
                    self.out.push_str(if is_spaces || is_ended { "" } else { behind });
                }
            }
        }
    }

    /// What stands before an item that its comma leads: without that if none is owed.
    fn leading_item(&mut self, item: &Item) {
        let text = self.sequence.text;
        let above = item.above(text);
        let is_begun = !self.out.trim_end_matches([' ', '\t']).ends_with(['\n', '\r']);
        if matches!(self.last, Last::Nothing) && is_begun && above.trim().is_empty() {
            // It stands beside the opening bracket.
            return;
        }
        // The line stays, and the comma of one that stood before another goes.
        let comma = self.comma.take();
        if let Some(comma) = comma {
            self.out.remove(comma);
        }
        self.begin_line();
        self.blank_line_behind_new();
        match self.owed.take().or(comma) {
            Some(_) => self.out.push_str(&text[item.lead..item.core.start]),
            None => self.out.push_str(&above),
        }
    }

    /// What the line of an item that had no comma before it begins with, if that is to be one.
    fn leads(&self, index: usize, starts_line: bool) -> Option<&'a str> {
        self.owed?;
        match self.last {
            Last::New(Stand::CommaFirst(begin)) if index == 0 || !starts_line => Some(begin),
            Last::Item(_) if index == 0 => self.sequence.comma_first(1),
            _ => None,
        }
    }

    /// Another item in the place of one that has whole lines stands there; else like a new one.
    fn other_item(&mut self, index: usize, new: &NewItem) {
        let text = self.sequence.text;
        let Item { lead, end, .. } = &self.items[index];
        if [&text[..*lead], &text[..*end]].iter().all(|text| text.ends_with(['\n', '\r'])) {
            let own = self.sequence.comma_first(index);
            if let Some(begin) = own.filter(|_| self.owed.take().is_some()) {
                self.begin_line();
                self.write_lines(new, begin);
            } else {
                self.pay();
                self.begin_line();
                self.write_lines(new, &self.sequence.indent(index));
            }
            (self.last, self.comma) = (Last::Item(index), None);
        } else {
            self.new_item(new, index);
        }
    }

    /// Writes a new item; if it is the first one, or before the next, in the place of the one with
    /// that index.
    fn new_item(&mut self, new: &NewItem, place: usize) {
        let stand = match self.last {
            Last::Nothing if self.items.is_empty() && self.layout.own_lines => Stand::Lines,
            Last::Nothing if self.items.is_empty() => Stand::Beside,
            Last::Nothing => self.sequence.stand_before(place),
            _ if new.is_before_next => self.sequence.stand_before(place),
            Last::New(stand) => stand,
            Last::Item(index) => self.sequence.stand_behind(index),
        };
        self.comma = None;
        let is_first = matches!(self.last, Last::Nothing);
        let is_commented = !new.lead.is_empty() || !new.trail.is_empty();
        let stand = match (stand, self.last) {
            (Stand::Beside, _) if is_commented => Stand::Lines,
            // Behind a comment is no room on its line.
            (Stand::Beside, Last::Item(index)) if self.end.is_none() => {
                let gap = self.owed.and_then(|_| self.sequence.line_comma_first(index));
                gap.map_or(Stand::Lines, Stand::CommaFirst)
            }
            (Stand::Beside, Last::New(_)) if self.end.is_none() => Stand::Lines,
            (stand, _) => stand,
        };
        match stand {
            Stand::Lines => {
                self.pay();
                self.begin_line();
                self.blank_line();
                self.write_lines(new, &self.layout.indent);
            }
            Stand::Beside => {
                self.pay();
                let end = self.end.filter(|_| !is_first).unwrap_or(self.out.len());
                let is_line_end = self.out[end..].contains(['\n', '\r']);
                let tail = if is_line_end { self.out.split_off(end) } else { String::new() };
                if !is_first {
                    self.separate();
                }
                self.write_core(new, &tail);
            }
            Stand::CommaFirst(begin) => {
                let line = self.out.trim_end_matches([' ', '\t']);
                if is_first && !is_commented && !line.ends_with(['\n', '\r']) {
                    self.write_core(new, "");
                } else {
                    let is_owed = self.owed.take().is_some();
                    self.begin_line();
                    self.blank_line();
                    let begin = if is_owed { begin } else { &self.layout.indent };
                    self.write_lines(new, begin);
                }
            }
        }
        self.last = Last::New(stand);
    }

    /// A new item, and what stood behind the one before it.
    fn write_core(&mut self, new: &NewItem, tail: &str) {
        self.out.push_str(&new.core);
        self.end = Some(self.out.len());
        self.owed = if self.wants_comma() { self.end } else { None };
        self.out.push_str(tail);
    }

    /// A new item on lines of its own, the last of which begins with that.
    fn write_lines(&mut self, new: &NewItem, begin: &str) {
        self.out.push_str(&new.lead);
        self.out.push_str(begin);
        self.out.push_str(&new.core);
        let end = self.out.len();
        self.owed = self.wants_comma().then_some(end);
        self.out.push_str(&new.trail);
        self.end = new.trail.is_empty().then_some(end);
        self.out.push_str(self.style.newline);
    }

    /// Makes sure that nothing but white space stands before on the line.
    fn begin_line(&mut self) {
        let line = self.out.trim_end_matches([' ', '\t']);
        let is_begun = line.ends_with(['\n', '\r']);
        self.out.truncate(line.len());
        if !is_begun {
            self.out.push_str(self.style.newline);
        }
    }

    /// A blank line between items that have them.
    fn blank_line(&mut self) {
        if self.layout.blank_lines && !self.ends_blank() {
            self.out.push_str(self.style.newline);
        }
    }

    fn blank_line_behind_new(&mut self) {
        if matches!(self.last, Last::New(_)) {
            self.blank_line();
        }
    }

    /// What is between an item and one beside which it did not stand.
    fn separate(&mut self) {
        if self.out.ends_with(',') {
            self.out.push_str(self.space_behind_comma());
        } else if self.out.ends_with(['\n', '\r']) {
            self.out.push_str(&self.layout.indent);
        }
    }

    /// What follows a comma on one line: as at the item written last, or the one before it.
    fn space_behind_comma(&self) -> &'a str {
        let index = match self.last {
            Last::Item(index) => index,
            Last::Nothing | Last::New(_) => 1,
        };
        let spaces = [index, index + 1].into_iter().filter_map(|index| {
            let item = self.items.get(index)?;
            let comma = self.items.get(index.checked_sub(1)?)?.comma?;
            let space = &self.sequence.text[comma + 1..item.core.start];
            space.trim_matches([' ', '\t']).is_empty().then_some(space)
        });
        spaces.into_iter().next().unwrap_or(self.style.gap)
    }

    /// Starts a line for what is between items, if it began one: comments that are nobody's would
    /// be those of the item that is now before them, and the closing bracket would stand beside it.
    fn keep_apart(&mut self, float: Range<usize>) {
        let text = self.sequence.text;
        let is_any = match &text[float.clone()] {
            comments if comments.contains('/') => true,
            blank => {
                let is_last = float.end == self.sequence.close();
                !self.out.is_empty() && (is_last || !blank.is_empty())
            }
        };
        if is_any && text[..float.start].ends_with(['\n', '\r']) {
            self.begin_line();
        }
    }

    /// What is between items. After a dropped one, two blank lines become one.
    fn float(&mut self, float: &str, dropped: bool) {
        let blank_before = self.ends_blank();
        let blank = float.len() - after_newline(float).len();
        let float = if dropped && blank_before { &float[blank..] } else { float };
        self.out.push_str(float);
        self.end = self.end.filter(|_| float.is_empty());
    }

    fn last_float<'n>(
        mut self,
        float: &str,
        news: impl Iterator<Item = &'n NewItem>,
        dropped: bool,
    ) -> String {
        let news: Vec<_> = news.collect();
        if news.is_empty() {
            self.pay();
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
            self.new_item(new, 0);
        }
        self.pay();
        self.close_line("");
        self.out
    }

    /// The end of the container: its bracket stands to the last item as it did, or on a line of its
    /// own behind items that have theirs.
    fn close_line(&mut self, float: &str) {
        let text = &self.sequence.text[..self.sequence.close()];
        let is_beside = !text[..text.len() - float.len()].ends_with(['\n', '\r'])
            && !float.contains(['\n', '\r']);
        if is_beside && self.out.ends_with(['\n', '\r']) {
            // Nothing came after it but the end of its line.
            let is_last = |end: &usize| self.out[*end..] == *self.style.newline;
            if let Some(end) = self.end.filter(is_last).filter(|_| !self.items.is_empty()) {
                self.out.truncate(end);
            } else {
                let unit = self.style.unit.as_str();
                self.out.push_str(self.layout.indent.strip_suffix(unit).unwrap_or(""));
            }
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

#[derive(Clone)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_where_it_does_whatever_was_asked_before() {
        let text = "  [1, 2,\n3,\r\n 4, 5,\r6]";
        let own = |at: usize| text[..at].rfind(['\n', '\r']).map_or(0, |end| end + 1);
        for first in 0..text.len() {
            for then in 0..text.len() {
                let sequence = Sequence::new(text, 2..text.len(), Vec::new());
                for at in [first, then, first] {
                    assert_eq!(sequence.line_of(at), own(at), "{at} of {first} and {then}");
                }
            }
        }
    }
}
