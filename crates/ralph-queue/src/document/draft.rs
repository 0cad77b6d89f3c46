//! Changes to a document: tasks changed, added, moved and removed, then one new text.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;

use jsonc_parser::ast::Value as Node;
use ralph_state::TaskId;

use super::frame::identity;
use super::patch::Patch;
use super::sequence::{NewItem, Sequence, Slot};
use super::style::Style;
use super::{Document, SpliceError, syntax};
use crate::task::{Priority, Status, Task};
use crate::value::Value;

/// Changes to a [`Document`], not yet made.
///
/// It is used like a list of tasks. [`Draft::splice`] then makes the text that differs from the
/// old one only where the tasks do: an unchanged task keeps every byte, a changed one those of
/// its other fields, and comments stay or go with the task they belong to.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    document: &'a Document,
    /// The list of the document's tasks, once one of their texts was asked for.
    sequence: OnceCell<Sequence<'a>>,
    entries: Vec<Entry>,
    by_id: ById,
    /// How often something was changed.
    changes: usize,
}

/// Where tasks are, by their ids: kept once many have been asked for.
#[derive(Clone, Debug, Default)]
struct ById {
    /// How many were asked for since the ids or the order changed.
    asked: Cell<usize>,
    /// The places of all tasks, in the order of their ids, those of one id in that of the list.
    places: OnceCell<Vec<usize>>,
    /// The task that was lent last to be changed, and its id then.
    lent: Option<(usize, TaskId)>,
}

/// Several tasks have an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Several;

/// So many are looked for one by one: an order costs as much as some of these.
const ONE_BY_ONE: usize = 16;

#[derive(Clone, Debug)]
struct Entry {
    origin: Origin,
    /// What it is now, if not what the origin says.
    changed: Option<Box<Task>>,
}

#[derive(Clone, Debug)]
enum Origin {
    /// The task of the document with that index.
    Here(usize),
    /// Text from another document.
    Block(Box<Block>, BlockPlace),
    /// Written now.
    New(Side),
}

#[derive(Clone, Copy, Debug)]
enum BlockPlace {
    /// That of the task of this document with that index.
    Of(usize),
    /// One of its own.
    Own(Side),
}

/// Which side of what is between two tasks, a blank line or the head of a section, a new one stands
/// on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Directly behind the first of them.
    Behind,
    /// Directly before the second.
    Before,
}

/// A task taken out of a document, with its own comments and the layout of its text.
#[derive(Clone, Debug)]
pub struct Block {
    /// The comments above, the task, and the comments behind it on its line.
    pub(super) lead: String,
    pub(super) text: String,
    pub(super) trail: String,
    /// What each of its lines begins with.
    pub(super) indent: String,
    /// What the text says.
    task: Task,
    changed: Option<Box<Task>>,
}

impl Block {
    /// The task, with the changes made to it.
    pub fn task(&self) -> &Task {
        self.changed.as_deref().unwrap_or(&self.task)
    }

    /// The task, to be changed.
    pub fn task_mut(&mut self) -> &mut Task {
        self.changed.get_or_insert_with(|| Box::new(self.task.clone()))
    }

    /// The same block for another task.
    pub(crate) fn with_task(mut self, task: Task) -> Self {
        let house = Style::house(&self.text);
        if let Some(text) = change(&self.text, &self.indent, house, (&self.task, &task)) {
            self.text = text;
        }
        (self.task, self.changed) = (task, None);
        self
    }

    /// Whether both are written the same, apart from indentation and changes not yet made.
    pub(crate) fn same_text(&self, other: &Self) -> bool {
        let is_equal =
            (&self.lead, &self.text, &self.trail) == (&other.lead, &other.text, &other.trail);
        let may_differ_in_layout =
            self.indent != other.indent || self.text.contains('\r') != other.text.contains('\r');
        is_equal || may_differ_in_layout && self.plain() == other.plain()
    }

    /// How it is written, apart from that.
    pub(crate) fn plain(&self) -> [String; 3] {
        let from = Indent { line: &self.indent, unit: self.unit() };
        let to = Indent { line: "", unit: "\t" };
        [&self.lead, &self.text, &self.trail].map(|text| reindent(text, from, to, "\n"))
    }

    /// What the first line in the task begins with, beyond what all of them do.
    pub(crate) fn unit(&self) -> &str {
        let rest = self.text.split_once(['\n', '\r']).map_or("", |(_, rest)| rest);
        let line = rest.trim_start_matches(['\n', '\r']).strip_prefix(self.indent.as_str());
        let line = line.unwrap_or("");
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    /// The comments that belong to the task and those in it.
    pub(crate) fn comments(&self) -> impl Iterator<Item = &str> {
        let pieces =
            [&self.lead, &self.text, &self.trail].into_iter().flat_map(|text| pieces(text));
        pieces.filter(|(kind, _)| *kind == Piece::Comment).map(|(_, comment)| comment.trim())
    }

    /// Adds the comments of a copy that are not here, above the task; whether there were any.
    pub(crate) fn absorb_comments(&mut self, copy: &Self) -> bool {
        let own: BTreeSet<_> = self.comments().map(identity).collect();
        let missing: Vec<&str> =
            copy.comments().filter(|comment| !own.contains(&identity(comment))).collect();
        for comment in &missing {
            self.add_comment(comment);
        }
        !missing.is_empty()
    }

    /// Puts the comments behind the task that stand on its line behind it, and those on further
    /// lines, which belong to it where its comma comes after them on no line of another, above it.
    fn add_trail(&mut self, text: &str) {
        // Behind a comment up to the end of its line there is room for none.
        let last = pieces(&self.trail).last();
        let mut is_line = last.is_none_or(|(_, comment)| !comment.starts_with("//"));
        for (kind, piece) in pieces(text) {
            match kind {
                Piece::Comment if is_line => {
                    if !self.trail.is_empty() {
                        self.trail.push(' ');
                    }
                    self.trail.push_str(piece.trim_end());
                }
                Piece::Comment => self.add_comment(piece.trim_end()),
                Piece::Other | Piece::String => is_line &= !piece.contains(['\n', '\r']),
            }
        }
    }

    /// Puts a comment on a line of its own above the task.
    pub(crate) fn add_comment(&mut self, comment: &str) {
        if !self.lead.is_empty() {
            self.lead.push('\n');
            self.lead.push_str(&self.indent);
        }
        self.lead.push_str(comment);
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        let entries =
            (0..document.len()).map(|index| Entry { origin: Origin::Here(index), changed: None });
        Self {
            document,
            sequence: OnceCell::new(),
            entries: entries.collect(),
            by_id: ById::default(),
            changes: 0,
        }
    }

    /// What the changes are made to.
    pub fn document(&self) -> &'a Document {
        self.document
    }

    fn sequence(&self) -> &Sequence<'a> {
        self.sequence.get_or_init(|| self.document.sequence())
    }

    /// Puts the tasks into an order; those that are equal stay as they stand to each other.
    pub fn sort_by(&mut self, compare: impl Fn(&Task, &Task) -> std::cmp::Ordering) {
        let document = self.document;
        self.reorder();
        self.entries.sort_by(|a, b| compare(a.task(document), b.task(document)));
    }

    /// Puts the tasks into the order of their `ranks`, one for each; those of one rank stay as they
    /// stand to each other.
    pub(crate) fn arrange(&mut self, ranks: &[usize]) {
        self.reorder();
        let mut ranked: Vec<(usize, Entry)> =
            ranks.iter().copied().zip(self.entries.drain(..)).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        self.entries = ranked.into_iter().map(|(_, entry)| entry).collect();
    }

    /// Forgets where tasks are.
    fn reorder(&mut self) {
        self.by_id = ById::default();
        self.changes += 1;
    }

    /// Grows with every change, and with every task that is lent to be changed.
    pub(crate) fn changes(&self) -> usize {
        self.changes
    }

    /// How many tasks there are now.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The tasks as they are now, in order.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &Task> {
        self.entries.iter().map(|entry| entry.task(self.document))
    }

    /// The task at `index`. Panics beyond the end, as do the other methods that take an index.
    pub fn task(&self, index: usize) -> &Task {
        self.entries[index].task(self.document)
    }

    /// The id of the task at `index`.
    pub(crate) fn id(&self, index: usize) -> &str {
        self.entries[index].id_and_status(self.document).0
    }

    /// The task at `index`, to be changed.
    pub fn task_mut(&mut self, index: usize) -> &mut Task {
        if self.has_new_id() {
            self.by_id = ById::default();
        }
        self.changes += 1;
        let Entry { origin, changed } = &mut self.entries[index];
        let task = changed.get_or_insert_with(|| match origin {
            Origin::Here(index) => Box::new(self.document.task(*index).clone()),
            Origin::Block(block, _) => Box::new(block.task.clone()),
            Origin::New(_) => unreachable!("a new task is made with its value"),
        });
        self.by_id.lent = Some((index, task.id.clone()));
        task
    }

    /// Makes the task at `index` another version of itself. The comments that its text loses by
    /// that come to stand above it: it is for changes of which the user may not know.
    pub(crate) fn replace(&mut self, index: usize, task: Task) {
        let before = self.block(index);
        if pieces(&before.text).any(|(kind, _)| kind == Piece::Comment) {
            let mut block = before.clone().with_task(task.clone());
            if block.absorb_comments(&before) {
                return self.put_block(index, block);
            }
        }
        *self.task_mut(index) = task;
    }

    /// Whether the task that was lent last has another id since.
    fn has_new_id(&self) -> bool {
        self.by_id.lent.as_ref().is_some_and(|(index, id)| self.task(*index).id != *id)
    }

    /// Where the task with that id is now: the first that is not rejected, else the first.
    pub fn position(&self, id: &str) -> Option<usize> {
        let mut rejected = None;
        for index in self.positions(id) {
            if self.entries[index].id_and_status(self.document).1 != Status::Rejected {
                return Some(index);
            }
            rejected.get_or_insert(index);
        }
        rejected
    }

    /// The same, unless there are several that are not rejected.
    pub(crate) fn only(&self, id: &str) -> Result<Option<usize>, Several> {
        let is_rejected =
            |index: &usize| self.entries[*index].id_and_status(self.document).1 == Status::Rejected;
        let (mut rejected, mut found) = (None, None);
        for index in self.positions(id) {
            if is_rejected(&index) {
                rejected = rejected.or(Some(index));
            } else if found.replace(index).is_some() {
                return Err(Several);
            }
        }
        Ok(found.or(rejected))
    }

    /// Where the tasks with that id are now, in order.
    pub(crate) fn positions(&self, id: &str) -> impl Iterator<Item = usize> {
        let ById { asked, places, .. } = &self.by_id;
        let own = |index: usize| self.id(index);
        asked.set(asked.get() + 1);
        let (all, found) = if asked.get() <= ONE_BY_ONE || self.has_new_id() {
            (0..self.len(), &[][..])
        } else {
            let places = places.get_or_init(|| {
                let mut places: Vec<usize> = (0..self.len()).collect();
                places.sort_by_key(|index| own(*index));
                places
            });
            let begin = places.partition_point(|index| own(*index) < id);
            let len = places[begin..].iter().take_while(|index| own(**index) == id).count();
            (0..0, &places[begin..begin + len])
        };
        all.filter(move |index| own(*index) == id).chain(found.iter().copied())
    }

    /// The ids of the tasks as they are now, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids_and_statuses().map(|(id, _)| id)
    }

    /// The same, and those that tasks had before.
    pub(crate) fn given_ids(&self) -> impl Iterator<Item = &str> {
        self.ids().chain(self.renamed_tasks().flat_map(|(_, task)| task.former_ids()))
    }

    /// The ids and the statuses.
    pub(crate) fn ids_and_statuses(&self) -> impl Iterator<Item = (&str, Status)> {
        self.entries.iter().map(|entry| entry.id_and_status(self.document))
    }

    /// What tasks name, as often as they do, each with where the task is that names it.
    pub(crate) fn references<'s>(&'s self) -> impl Iterator<Item = (usize, Cow<'s, str>)> {
        let mut glance = self.document.glance();
        let mut named = move |entry: &'s Entry| -> Vec<Cow<'s, str>> {
            match (&entry.changed, &entry.origin) {
                (None, Origin::Here(index)) if !self.document.is_related(*index) => Vec::new(),
                (None, Origin::Here(index)) => glance(*index).into_references().collect(),
                _ => entry.task(self.document).references().map(Cow::Borrowed).collect(),
            }
        };
        let entries = self.entries.iter().enumerate();
        entries.flat_map(move |(at, entry)| named(entry).into_iter().map(move |id| (at, id)))
    }

    /// How urgent the tasks are, in order.
    pub(crate) fn priorities(&self) -> impl Iterator<Item = Priority> {
        self.entries.iter().map(|entry| match (&entry.changed, &entry.origin) {
            (None, Origin::Here(index)) => self.document.priority(*index),
            _ => entry.task(self.document).priority,
        })
    }

    /// Where the tasks are that had other ids before.
    pub(crate) fn renamed_tasks(&self) -> impl Iterator<Item = (usize, &Task)> {
        let entries = self.entries.iter().enumerate().filter(|(_, entry)| {
            match (&entry.changed, &entry.origin) {
                (None, Origin::Here(index)) => self.document.is_renamed(*index),
                _ => true,
            }
        });
        let tasks = entries.map(|(index, entry)| (index, entry.task(self.document)));
        tasks.filter(|(_, task)| task.former_ids().next().is_some())
    }

    /// Adds a task so that it has that index: directly behind the one before it, whose style its
    /// text takes, and so at the end of its section.
    pub fn insert(&mut self, index: usize, task: Task) {
        self.insert_at(index, Side::Behind, task);
    }

    /// Adds a task directly before the one at `index`, in its section and its style.
    pub fn insert_before(&mut self, index: usize, task: Task) {
        self.insert_at(index, Side::Before, task);
    }

    pub(crate) fn insert_at(&mut self, index: usize, side: Side, task: Task) {
        self.put_in(index, Entry { origin: Origin::New(side), changed: Some(Box::new(task)) });
    }

    fn put_in(&mut self, index: usize, entry: Entry) {
        if self.has_new_id() {
            self.by_id = ById::default();
        }
        self.changes += 1;
        self.entries.insert(index, entry);
        let ById { places, lent, .. } = &mut self.by_id;
        let moved = lent.iter_mut().map(|(place, _)| place);
        for place in moved.chain(places.get_mut().into_iter().flatten()) {
            *place += usize::from(*place >= index);
        }
        let key = |index: usize| (self.entries[index].id_and_status(self.document).0, index);
        if let Some(places) = places.get_mut() {
            let at = places.partition_point(|place| key(*place) < key(index));
            places.insert(at, index);
        }
    }

    /// Adds a task that was taken out of a document, with its comments.
    pub fn insert_block(&mut self, index: usize, block: Block) {
        self.insert_block_at(index, Side::Behind, block);
    }

    pub(crate) fn insert_block_at(&mut self, index: usize, side: Side, mut block: Block) {
        let changed = block.changed.take();
        let origin = Origin::Block(Box::new(block), BlockPlace::Own(side));
        self.put_in(index, Entry { origin, changed });
    }

    /// Puts a task that was taken out of a document in the place of the one at `index`, with its
    /// comments.
    pub fn put_block(&mut self, index: usize, mut block: Block) {
        self.reorder();
        let changed = block.changed.take();
        let place = match self.entries[index].origin {
            Origin::Here(index) => BlockPlace::Of(index),
            Origin::Block(_, place) => place,
            Origin::New(side) => BlockPlace::Own(side),
        };
        self.entries[index] = Entry { origin: Origin::Block(Box::new(block), place), changed };
    }

    /// Takes the task at `index` out, with its comments.
    pub fn take(&mut self, index: usize) -> Block {
        self.reorder();
        let block = self.block(index);
        self.entries.remove(index);
        block
    }

    /// The same of many, in the order of the list.
    pub fn take_all(&mut self, indices: &BTreeSet<usize>) -> Vec<Block> {
        let blocks = indices.iter().map(|index| self.block(*index)).collect();
        self.remove_all(indices);
        blocks
    }

    /// Removes the tasks at these places, and their comments.
    pub fn remove_all(&mut self, indices: &BTreeSet<usize>) {
        self.reorder();
        let mut places = 0..;
        self.entries.retain(|_| places.next().is_none_or(|place| !indices.contains(&place)));
    }

    /// A copy of the task at `index`, with its comments.
    pub fn block(&self, index: usize) -> Block {
        let Entry { origin, changed } = &self.entries[index];
        let index = match origin {
            Origin::Here(index) => *index,
            Origin::Block(block, _) => {
                return Block { changed: changed.clone(), ..Block::clone(block) };
            }
            Origin::New(_) => {
                let task = self.task(index).clone();
                let text = Style::house("").render_object(&task.fields(), "");
                let (lead, trail, indent) = (String::new(), String::new(), String::new());
                return Block { lead, text, trail, indent, task, changed: None };
            }
        };
        let text = &self.document.text;
        let sequence = self.sequence();
        let item = sequence.item(index);
        let before_comma = item.comma.unwrap_or(item.core.end);
        let after_comma = item.comma.map_or(item.core.end, |at| at + 1);
        let mut block = Block {
            lead: item.above(text).trim().to_owned(),
            text: text[item.core.clone()].to_owned(),
            trail: String::new(),
            indent: sequence.indent(index).into_owned(),
            task: self.document.task(index).clone(),
            changed: changed.clone(),
        };
        block.add_trail(&text[item.core.end..before_comma]);
        block.add_trail(&text[after_comma..item.end]);
        block
    }

    /// The text of the task at `index` with its comments, if it is as its document has it.
    pub(crate) fn unchanged_text(&self, index: usize) -> Option<&'a str> {
        match &self.entries[index] {
            Entry { origin: Origin::Here(index), changed: None } => {
                let item = self.sequence().item(*index);
                Some(&self.document.text[item.lead..item.end])
            }
            _ => None,
        }
    }

    /// Moves the task at `from` to the place that is `to` once it is taken out.
    pub fn shift(&mut self, from: usize, to: usize) {
        self.reorder();
        let entry = self.entries.remove(from);
        self.entries.insert(to, entry);
    }

    /// The document's tasks that are changed or gone, as they were, with what stands in the place
    /// of each.
    pub(crate) fn touched(&self) -> Vec<(&Task, Option<&Task>)> {
        let mut kept: Vec<Option<&Entry>> = vec![None; self.document.len()];
        for entry in &self.entries {
            if let Some(index) = entry.origin.place() {
                kept[index] = Some(entry);
            }
        }
        let mut touched = Vec::new();
        for (index, entry) in kept.into_iter().enumerate() {
            if let Some(Entry { origin: Origin::Here(_), changed: None }) = entry {
                continue;
            }
            let is_here = matches!(entry, Some(Entry { origin: Origin::Here(_), .. }));
            let (old, new) = (self.document.task(index), entry.map(|it| it.task(self.document)));
            if !is_here || new != Some(old) {
                touched.push((old, new));
            }
        }
        touched
    }

    /// The document with the changes, or `None` when nothing changed. It has been read again and
    /// says what was meant, or this is an error.
    pub fn splice(&self) -> Result<Option<Document>, SpliceError> {
        let unchanged = |(index, entry): (usize, &Entry)| {
            matches!(entry.origin, Origin::Here(origin) if origin == index)
                && entry.changed.as_ref().is_none_or(|task| **task == *self.document.task(index))
        };
        if self.entries.len() == self.document.len()
            && self.entries.iter().enumerate().all(unchanged)
        {
            return Ok(None);
        }
        let base = self.document.with_array();
        let document =
            base.parse_next(base.render(&self.entries)).map_err(SpliceError::Unreadable)?;
        let same = |(index, entry): (usize, &Entry)| match *entry {
            // The same bytes are the same task.
            Entry { origin: Origin::Here(origin), changed: None }
                if document.text[document.span(index)]
                    == self.document.text[self.document.span(origin)] =>
            {
                true
            }
            _ => document.task(index) == entry.task(self.document),
        };
        if document.len() != self.len() || !self.entries.iter().enumerate().all(same) {
            return Err(SpliceError::Mismatch);
        }
        Ok(Some(document))
    }
}

impl Origin {
    /// The index of the task of the document in whose place it stands.
    fn place(&self) -> Option<usize> {
        match self {
            Self::Here(index) | Self::Block(_, BlockPlace::Of(index)) => Some(*index),
            Self::Block(_, BlockPlace::Own(_)) | Self::New(_) => None,
        }
    }

    /// Whether it is new, and stands in the section of the task behind it.
    fn is_before_next(&self) -> bool {
        matches!(self, Self::New(Side::Before) | Self::Block(_, BlockPlace::Own(Side::Before)))
    }
}

impl Entry {
    fn id_and_status<'t>(&'t self, document: &'t Document) -> (&'t str, Status) {
        if let (None, Origin::Here(index)) = (&self.changed, &self.origin) {
            return (document.id(*index), document.status(*index));
        }
        let task = self.task(document);
        (task.id.as_str(), task.status)
    }

    fn task<'t>(&'t self, document: &'t Document) -> &'t Task {
        match (&self.changed, &self.origin) {
            (Some(task), _) => task,
            (None, Origin::Here(index)) => document.task(*index),
            (None, Origin::Block(block, _)) => &block.task,
            (None, Origin::New(_)) => unreachable!("a new task is made with its value"),
        }
    }
}

impl Document {
    pub(super) fn sequence(&self) -> Sequence<'_> {
        let container = self.array.clone().expect("a document with tasks has a list of them");
        Sequence::new(&self.text, container, &self.spans)
    }

    /// The same with a list of tasks, if it has none.
    fn with_array(&self) -> Cow<'_, Self> {
        if self.array.is_some() {
            return Cow::Borrowed(self);
        }
        let text = &self.text[self.root.clone()];
        let Ok(Node::Object(root)) = syntax::parse(text) else { return Cow::Borrowed(self) };
        let style = Style::house(&self.text).like(text, &root, "");
        let patch = Patch { text, indent: "", style: &style };
        let version = Value::from(Self::VERSION);
        let old = [("version", version.clone())];
        let new = [("version", version), ("tasks", Value::Array(Vec::new()))];
        let root = patch.object(&root, &old, &new).unwrap_or_default();
        let text =
            format!("{}{root}{}", &self.text[..self.root.start], &self.text[self.root.end..]);
        Cow::Owned(Self::parse(text).unwrap_or_else(|_| self.clone()))
    }

    fn render(&self, entries: &[Entry]) -> String {
        let Some(array) = self.array.clone() else { return self.text().to_owned() };
        let sequence = self.sequence();
        // A new task looks like the one before it, or the one behind.
        let kept = |entry: &Entry| entry.origin.place();
        let first_new = entries.iter().position(|entry| kept(entry).is_none()).unwrap_or(0);
        let (before, behind) = entries.split_at(first_new);
        let before = before.iter().rev().find_map(kept);
        let behind = behind.iter().find_map(kept);
        let like = match entries.get(first_new).filter(|entry| entry.origin.is_before_next()) {
            Some(_) => behind.or(before),
            None => before.or(behind),
        };
        let like = like.unwrap_or(0);
        let last_kept = entries.iter().rposition(|entry| kept(entry).is_some()).unwrap_or(0);
        let house = Style::house(&self.text);
        let style = self.style(like, &house);
        let mut layout = sequence.layout(like, &style, "");
        layout.own_lines |= self.spans.is_empty();
        let slots: Vec<Slot> = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| match (&entry.origin, &entry.changed) {
                (Origin::Here(index), None) => Slot::Keep(*index),
                (Origin::Here(index), Some(task)) => {
                    let text = &self.text[self.spans[*index].clone()];
                    let indent = sequence.indent(*index);
                    match change(text, &indent, house.clone(), (self.task(*index), task)) {
                        Some(text) => Slot::Change(*index, text),
                        None => Slot::Keep(*index),
                    }
                }
                (Origin::Block(block, _), task) => {
                    let place = entry.origin.place();
                    let changed = task.as_deref().and_then(|task| {
                        let house = Style::house(&block.text);
                        change(&block.text, &block.indent, house, (&block.task, task))
                    });
                    let own = place.map(|place| sequence.indent(place));
                    let to = own.as_deref().unwrap_or(&layout.indent);
                    let unit = block.unit();
                    // Tabs and spaces would not do on one line.
                    let is_kept = unit.starts_with('\t') == style.unit.starts_with('\t');
                    let from =
                        Indent { line: &block.indent, unit: if is_kept { "" } else { unit } };
                    let to_unit = Indent { line: to, unit: &style.unit };
                    let indent = |text: &str| reindent(text, from, to_unit, style.newline);
                    let spaced = |text: &str, before: &str, after: &str| {
                        if text.is_empty() {
                            String::new()
                        } else {
                            format!("{before}{text}{after}")
                        }
                    };
                    let new = NewItem {
                        lead: spaced(&indent(&block.lead), to, style.newline),
                        core: indent(changed.as_deref().unwrap_or(&block.text)),
                        trail: spaced(&indent(&block.trail), " ", ""),
                        is_before_next: entry.origin.is_before_next() && at < last_kept,
                    };
                    match place {
                        Some(place) => Slot::Put(place, new),
                        None => Slot::New(new),
                    }
                }
                (Origin::New(_), task) => {
                    let task = task.as_deref().expect("a new task is made with its value");
                    let core = style.render_object(&task.fields(), &layout.indent);
                    let is_before_next = entry.origin.is_before_next() && at < last_kept;
                    Slot::New(NewItem { core, is_before_next, ..NewItem::default() })
                }
            })
            .collect();
        // It has room for the rest: nearly all of the text is in it, which is not to be there twice.
        let mut text = sequence.render(&slots, &layout, &style);
        text.insert_str(0, &self.text[..=array.start]);
        text.push_str(&self.text[array.end - 1..]);
        text
    }

    /// The style of the task with that index, or of the file if there is none.
    fn style(&self, like: usize, house: &Style) -> Style {
        let (span, outer) = match self.spans.get(like) {
            Some(span) => (span.clone(), self.sequence().indent(like)),
            None => (self.root.clone(), Cow::Borrowed("")),
        };
        let text = &self.text[span];
        let Ok(Node::Object(object)) = syntax::parse(text) else { return house.clone() };
        let style = house.clone().like(text, &object, &outer);
        if self.spans.is_empty() {
            // The outermost object says nothing about how tasks are written.
            Style {
                inline_arrays: false,
                inline_objects: false,
                padding: " ",
                colon: style.colon.plain(),
                ..style
            }
        } else {
            style
        }
    }
}

/// The text of one task after a change, or `None` if that changes nothing.
fn change(text: &str, indent: &str, house: Style, (old, new): (&Task, &Task)) -> Option<String> {
    let Ok(Node::Object(object)) = syntax::parse(text) else { return None };
    let style = house.like(text, &object, indent);
    let patch = Patch { text, indent, style: &style };
    patch.object(&object, &old.fields(), &new.fields())
}

/// What the lines of a text begin with.
#[derive(Clone, Copy)]
pub(super) struct Indent<'a> {
    /// Each of them.
    pub(super) line: &'a str,
    /// Those further in, once for each level; nothing to leave them as they are.
    pub(super) unit: &'a str,
}

/// `text` with another indentation and kind of line end, outside of strings.
pub(super) fn reindent(text: &str, from: Indent<'_>, to: Indent<'_>, newline: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (kind, mut rest) in pieces(text) {
        while let Some(at) = rest.find(['\n', '\r']).filter(|_| kind != Piece::String) {
            out.push_str(&rest[..at]);
            out.push_str(newline);
            let line = &rest[at..];
            let line = line.strip_prefix("\r\n").unwrap_or(&line[1..]);
            rest = line.strip_prefix(from.line).unwrap_or(line);
            let is_indented = rest.len() < line.len() || from.line.is_empty();
            if is_indented && !rest.starts_with(['\n', '\r']) {
                out.push_str(to.line);
                while let Some(inner) =
                    rest.strip_prefix(from.unit).filter(|_| !from.unit.is_empty())
                {
                    out.push_str(to.unit);
                    rest = inner;
                }
            }
        }
        out.push_str(rest);
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    String,
    Comment,
    Other,
}

/// Cuts JSONC into strings, comments and the rest.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = (Piece, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let next = rest.find(['"', '\'', '/']).unwrap_or(rest.len());
        let (kind, len) = match rest.as_bytes().get(next) {
            _ if rest.is_empty() => return None,
            _ if next > 0 => (Piece::Other, next),
            Some(b'/') if rest.starts_with("/*") => {
                (Piece::Comment, rest[2..].find("*/").map_or(rest.len(), |end| end + 4))
            }
            Some(b'/') => (Piece::Comment, rest.find(['\n', '\r']).unwrap_or(rest.len())),
            Some(quote) => (Piece::String, string_len(rest, *quote)),
            None => (Piece::Other, rest.len()),
        };
        let (piece, after) = rest.split_at(len);
        rest = after;
        Some((kind, piece))
    })
}

fn string_len(text: &str, quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
