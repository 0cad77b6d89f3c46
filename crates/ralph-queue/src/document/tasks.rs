//! The tasks of a document, made of its text when they are asked for.

use std::borrow::Cow;
use std::iter::FusedIterator;
use std::ops::{Index, Range};
use std::sync::{Arc, OnceLock};

use ralph_state::TaskId;

use super::{Document, scan};
use crate::task::{FORMER_IDS, Glance, Priority, Status, Task};

/// What is known of a task without reading all of it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) marks: Marks,
    pub(super) status: Status,
    pub(super) priority: Priority,
    pub(super) ties: Ties,
    /// It waits for others, or for its time.
    pub(super) is_held: bool,
    /// It had another id before.
    pub(super) is_renamed: bool,
    /// Nothing is wrong with it by itself, as far as that has been looked at; its id is not.
    pub(super) is_sound: bool,
    /// Once it is read.
    pub(super) task: OnceLock<Arc<Task>>,
}

/// Where something is in the text, written plainly; empty where it is not, and where the task was
/// read at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) id: Range<usize>,
    pub(super) title: Range<usize>,
    /// The list, with its brackets.
    pub(super) scope: Range<usize>,
    pub(super) updated_at: Range<usize>,
}

/// What binds a task to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ties {
    /// It names none.
    None,
    /// It names some.
    Related,
    /// It names some, and holds them back.
    Blocking,
}

impl Ties {
    fn of<W>(task: &Task<W>) -> Self {
        match (task.is_related(), task.blocks.is_empty()) {
            (false, _) => Self::None,
            (true, true) => Self::Related,
            (true, false) => Self::Blocking,
        }
    }
}

impl Head {
    /// Of a task that may lack its texts.
    pub(super) fn of<W>(task: &Task<W>, marks: Marks) -> Self {
        Self {
            marks,
            status: task.status,
            priority: task.priority,
            ties: Ties::of(task),
            is_held: !task.depends_on.is_empty() || task.scheduled_start.is_some(),
            is_renamed: task.custom_fields.contains_key(FORMER_IDS),
            is_sound: false,
            task: OnceLock::new(),
        }
    }

    /// Of a task that has been read.
    pub(super) fn read(task: Task) -> Self {
        let head = Self::of(&task, Marks::default());
        Self { task: OnceLock::from(Arc::new(task)), ..head }
    }
}

impl Document {
    /// The id of the task with that index. Panics when there is none, as the others here do.
    pub(crate) fn id(&self, index: usize) -> &str {
        let head = &self.heads[index];
        head.task.get().map_or_else(|| &self.text[head.marks.id.clone()], |task| task.id.as_str())
    }

    /// The same to keep.
    pub(crate) fn task_id(&self, index: usize) -> TaskId {
        self.id(index).parse().expect("it has been read as one before")
    }

    /// All ids, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.id(index))
    }

    /// The same, and those that tasks had before.
    pub(crate) fn given_ids(&self) -> impl Iterator<Item = &str> {
        let renamed = (0..self.len()).filter(|index| self.is_renamed(*index));
        self.ids().chain(renamed.flat_map(|index| self.task(index).former_ids()))
    }

    /// Its title.
    pub(crate) fn title(&self, index: usize) -> Cow<'_, str> {
        let Head { marks, task, .. } = &self.heads[index];
        match (self.marked(&marks.title), task.get()) {
            (Some(plain), _) => Cow::Borrowed(plain),
            (None, Some(task)) => Cow::Borrowed(&task.title),
            (None, None) => self.glance()(index).title,
        }
    }

    /// What it touches.
    pub(crate) fn scope(&self, index: usize) -> Vec<Cow<'_, str>> {
        let Head { marks, task, .. } = &self.heads[index];
        match task.get() {
            Some(task) => task.scope.iter().map(|entry| Cow::Borrowed(entry.as_str())).collect(),
            None if marks.scope.is_empty() => Vec::new(),
            None => scan::texts(&self.text, marks.scope.start)
                .expect("the same bytes have been read before"),
        }
    }

    /// When it was changed last, as it says.
    pub(crate) fn updated_at(&self, index: usize) -> Option<Cow<'_, str>> {
        let Head { marks, task, .. } = &self.heads[index];
        match (self.marked(&marks.updated_at), task.get()) {
            (Some(plain), _) => Some(Cow::Borrowed(plain)),
            (None, Some(task)) => task.updated_at.as_deref().map(Cow::Borrowed),
            (None, None) => self.glance()(index).updated_at,
        }
    }

    /// What one of [`Marks`] is at.
    fn marked(&self, mark: &Range<usize>) -> Option<&str> {
        (!mark.is_empty()).then(|| &self.text[mark.clone()])
    }

    /// Its status.
    pub(crate) fn status(&self, index: usize) -> Status {
        self.heads[index].status
    }

    /// How urgent it is.
    pub(crate) fn priority(&self, index: usize) -> Priority {
        self.heads[index].priority
    }

    /// Whether it names other tasks.
    pub(crate) fn is_related(&self, index: usize) -> bool {
        self.heads[index].ties != Ties::None
    }

    /// Whether it says that others wait for it.
    pub(crate) fn is_blocking(&self, index: usize) -> bool {
        self.heads[index].ties == Ties::Blocking
    }

    /// Whether it says what it waits for, other tasks or its time.
    pub(crate) fn is_held(&self, index: usize) -> bool {
        self.heads[index].is_held
    }

    /// Whether it had another id before.
    pub(crate) fn is_renamed(&self, index: usize) -> bool {
        self.heads[index].is_renamed
    }

    /// Whether it is known that nothing is wrong with it by itself, but perhaps with its id.
    pub(crate) fn is_sound(&self, index: usize) -> bool {
        self.heads[index].is_sound
    }

    /// The task with that index.
    pub(crate) fn task(&self, index: usize) -> &Task {
        self.heads[index].task.get_or_init(|| {
            let task = scan::task(&self.text, self.spans[index].start);
            Arc::new(task.expect("the same bytes have been read before"))
        })
    }
}

impl Document {
    /// The tasks with these indices, to be looked at once.
    pub(crate) fn glances(
        &self,
        indices: impl IntoIterator<Item = usize>,
    ) -> impl Iterator<Item = (usize, Glance<'_>)> {
        let mut glance = self.glance();
        indices.into_iter().map(move |index| (index, glance(index)))
    }

    /// Makes tasks by their indices, to be looked at once.
    pub(crate) fn glance<'t>(&'t self) -> impl FnMut(usize) -> Glance<'t> {
        let mut glance = scan::glances(&self.text);
        move |index| glance(self.span(index))
    }
}

/// The tasks of a [`Document`], in order: a list, as far as one can tell.
#[derive(Clone, Copy, Debug)]
pub struct Tasks<'a> {
    document: &'a Document,
}

impl<'a> Tasks<'a> {
    pub(super) fn of(document: &'a Document) -> Self {
        Self { document }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.document.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The task at that place.
    pub fn get(self, index: usize) -> Option<&'a Task> {
        (index < self.len()).then(|| self.document.task(index))
    }

    /// The last one.
    pub fn last(self) -> Option<&'a Task> {
        self.iter().next_back()
    }

    /// Copies of them.
    pub fn to_vec(self) -> Vec<Task> {
        self.iter().cloned().collect()
    }

    /// One after the other.
    pub fn iter(self) -> TaskIter<'a> {
        TaskIter { document: self.document, left: 0..self.len() }
    }
}

impl PartialEq for Tasks<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Tasks<'_> {}

impl Index<usize> for Tasks<'_> {
    type Output = Task;

    fn index(&self, index: usize) -> &Task {
        self.document.task(index)
    }
}

impl<'a> IntoIterator for Tasks<'a> {
    type Item = &'a Task;
    type IntoIter = TaskIter<'a>;

    fn into_iter(self) -> TaskIter<'a> {
        self.iter()
    }
}

/// The tasks of a [`Document`], one after the other.
#[derive(Clone, Debug)]
pub struct TaskIter<'a> {
    document: &'a Document,
    left: Range<usize>,
}

impl<'a> Iterator for TaskIter<'a> {
    type Item = &'a Task;

    fn next(&mut self) -> Option<&'a Task> {
        self.left.next().map(|index| self.document.task(index))
    }

    /// Passes over tasks without reading them.
    fn nth(&mut self, count: usize) -> Option<&'a Task> {
        self.left.nth(count).map(|index| self.document.task(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }

    fn count(self) -> usize {
        self.left.len()
    }
}

impl DoubleEndedIterator for TaskIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left.next_back().map(|index| self.document.task(index))
    }
}

impl ExactSizeIterator for TaskIter<'_> {}
impl FusedIterator for TaskIter<'_> {}
