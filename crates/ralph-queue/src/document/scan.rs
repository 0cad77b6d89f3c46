//! The quick way to read a queue file that has nothing unusual in it.
//!
//! One pass over the bytes, no tree. It gives up, with `None`, at anything that is wrong or rare
//! (single quotes, bare keys, odd white space); the parser then reads the text once more and says
//! what is wrong. What it does read, it reads as the parser would.

use std::borrow::Cow;
use std::iter;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::thread;

use ralph_state::TaskId;
use ralph_state::json::Number;

use super::read::{placeholder, reread};
use super::tasks::{Head, Marks};
use super::{Document, Reading, syntax};
use crate::parts;
use crate::queue::Place;
use crate::task::{Field, Glance, Slot, Task, Words};
use crate::validate;
use crate::value::{Map, Value};

/// Deeper values are left to the parser, which has a limit of its own.
const MAX_DEPTH: usize = 64;

/// Reads a text, or gives it back.
pub(super) fn scan(text: String, place: Place, reading: Reading) -> Result<Document, String> {
    let parts = parts::count(text.len());
    scan_in(parts, text, place, reading)
}

/// The same in so many parts.
pub(super) fn scan_in(
    parts: usize,
    text: String,
    place: Place,
    reading: Reading,
) -> Result<Document, String> {
    let document = match reading {
        Reading::Checked => document(&text, parts, |scanner| scanner.check(place)),
        Reading::Whole => document(&text, parts, Scanner::read),
        Reading::AsNeeded => document(&text, parts, Scanner::skim),
    };
    match document {
        Some(document) => Ok(Document { text: Arc::new(text), ..document }),
        None => Err(text),
    }
}

/// Reads the text after `old`, or gives it back: when it is so much different, or unusual, that
/// all of it has to be read.
pub(super) fn rescan(old: &Document, text: String) -> Result<Document, String> {
    match differing(old, &text) {
        Some(document) => Ok(Document { text: Arc::new(text), ..document }),
        None => Err(text),
    }
}

/// The task that begins there.
pub(super) fn task(text: &str, at: usize) -> Option<Task> {
    let mut scanner = Scanner::at(text, at);
    let mut task = scanner.blank();
    scanner.fill(&mut task).map(|_| task)
}

/// The list of texts that begins there.
pub(super) fn texts(text: &str, at: usize) -> Option<Vec<Cow<'_, str>>> {
    let mut list = Vec::new();
    Scanner::at(text, at).texts(&mut list).map(|()| list)
}

/// Reads tasks that have been read before by where they are, one after the other.
pub(super) fn glances<'t>(text: &'t str) -> impl FnMut(Range<usize>) -> Glance<'t> {
    let mut scanner = Scanner::at(text, 0);
    move |span| {
        scanner.at = span.start;
        let mut task = scanner.blank();
        if scanner.fill(&mut task).is_none() {
            task = reread(&text[span]).expect("the same bytes have been read before");
        }
        task
    }
}

/// A document without its text, whose tasks are read in so many parts.
fn document<'t>(text: &'t str, parts: usize, head: impl ReadsHead<'t>) -> Option<Document> {
    let mut scanner = Scanner::at(text, syntax::mark_len(text));
    scanner.trivia()?;
    let root = scanner.at;
    let mut document = Document {
        text: Arc::default(),
        root: 0..0,
        array: None,
        spans: Vec::new(),
        heads: Vec::new(),
        fingerprint: OnceLock::new(),
    };
    let mut seen = Vec::new();
    let mut has_version = false;
    scanner.object(|scanner, key| match key.as_ref() {
        "version" if !has_version => {
            has_version = scanner.number()? == Document::VERSION.to_string();
            has_version.then_some(())
        }
        "tasks" if document.array.is_none() => {
            let start = scanner.at;
            scanner.eat(b'[').then_some(())?;
            scanner.trivia()?;
            let run = scanner.side_by_side(parts, &head);
            let run = run.map_or_else(|| scanner.run(None, &head), Some)?;
            (document.heads, document.spans) = run;
            document.array = Some(start..scanner.at);
            Some(())
        }
        name if name != "version" && name != "tasks" && !seen.iter().any(|known| known == name) => {
            seen.push(name.to_owned());
            scanner.value(0).map(|_| ())
        }
        _ => None,
    })?;
    document.root = root..scanner.at;
    scanner.trivia()?;
    (has_version && scanner.at == text.len()).then_some(document)
}

/// The document with the text `text`, without it. What both texts begin and end with is known; the
/// reading begins behind a task and ends where another begins, so that the scanner is where it was
/// there when it read all of `old`.
fn differing(old: &Document, text: &str) -> Option<Document> {
    let (array, was) = (old.array.clone()?, old.text.as_str());
    let (head, tail) = common(was.as_bytes(), text.as_bytes());
    if head <= array.start || was.len() - tail > array.end - 1 {
        return None;
    }
    // Only of what both texts end with.
    let moved = |at: usize| at + text.len() - was.len();
    let before = old.spans.partition_point(|span| span.end <= head);
    let behind = old.spans.partition_point(|span| span.start < was.len() - tail).max(before);
    let end = moved(old.spans.get(behind).map_or(array.end - 1, |span| span.start));
    let start = before.checked_sub(1).map_or(array.start + 1, |last| old.spans[last].end);
    let mut scanner = Scanner::at(text, start);
    let (mut spans, mut heads) = (old.spans[..before].to_vec(), old.heads[..before].to_vec());
    let mut wants_comma = before > 0;
    loop {
        scanner.trivia()?;
        let is_last = behind == old.spans.len();
        if scanner.at >= end && (!wants_comma || is_last) {
            break;
        }
        if wants_comma {
            scanner.eat(b',').then_some(())?;
        } else {
            let (head, span) = scanner.skim()?;
            heads.push(head);
            spans.push(span);
        }
        wants_comma = !wants_comma;
    }
    (scanner.at == end).then_some(())?;
    spans.extend(old.spans[behind..].iter().map(|span| moved(span.start)..moved(span.end)));
    let mark = |at: &Range<usize>| {
        if at.is_empty() { 0..0 } else { moved(at.start)..moved(at.end) }
    };
    heads.extend(old.heads[behind..].iter().map(|head| {
        let Marks { id, title, scope, updated_at } = &head.marks;
        let [id, title, scope, updated_at] = [id, title, scope, updated_at].map(mark);
        let marks = Marks { id, title, scope, updated_at };
        Head { marks, ..head.clone() }
    }));
    Some(Document {
        text: Arc::default(),
        root: old.root.start..moved(old.root.end),
        array: Some(array.start..moved(array.end)),
        spans,
        heads,
        fingerprint: OnceLock::new(),
    })
}

/// How many bytes both begin with, and how many of the rest both end with.
fn common(a: &[u8], b: &[u8]) -> (usize, usize) {
    // In pieces, which are compared at once.
    const PIECE: usize = 4096;
    let pieces = a.chunks(PIECE).zip(b.chunks(PIECE)).take_while(|(a, b)| a == b);
    let head: usize = pieces.map(|(a, _)| a.len()).sum();
    let same = |(a, b): &(&u8, &u8)| a == b;
    let head = head + a[head..].iter().zip(&b[head..]).take_while(same).count();
    let (a, b) = (&a[head..], &b[head..]);
    let pieces = a.rchunks(PIECE).zip(b.rchunks(PIECE)).take_while(|(a, b)| a == b);
    let tail: usize = pieces.map(|(a, _)| a.len()).sum();
    let (a, b) = (&a[..a.len() - tail], &b[..b.len() - tail]);
    (head, tail + a.iter().rev().zip(b.iter().rev()).take_while(same).count())
}

/// How many spaces `bytes` begin with, eight at a time.
fn spaces(bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some(eight) = bytes[count..].first_chunk() {
        let others = u64::from_le_bytes(*eight) ^ (EACH * u64::from(b' '));
        if others != 0 {
            return count + others.trailing_zeros() as usize / 8;
        }
        count += 8;
    }
    count + bytes[count..].iter().take_while(|byte| **byte == b' ').count()
}

/// Where the first quote or backslash is. Most strings are short, and not worth a call of
/// `memchr`.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < 16
        && let Some(eight) = bytes[at..].first_chunk()
    {
        let eight = u64::from_le_bytes(*eight);
        // The lowest bit that is set is that of the first one.
        let found =
            zeros(eight ^ (EACH * u64::from(b'"'))) | zeros(eight ^ (EACH * u64::from(b'\\')));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    Some(at + memchr::memchr2(b'"', b'\\', &bytes[at..])?)
}

/// A one in each of eight bytes.
const EACH: u64 = 0x0101_0101_0101_0101;

/// The highest bit of the first byte that is zero, and of none before it.
fn zeros(eight: u64) -> u64 {
    eight.wrapping_sub(EACH) & !eight & (EACH << 7)
}

/// Reads what is wanted of the task that begins where the scanner is, and says where it is.
trait ReadsHead<'t>: Fn(&mut Scanner<'t>) -> Option<(Head, Range<usize>)> + Sync {}

impl<'t, F: Fn(&mut Scanner<'t>) -> Option<(Head, Range<usize>)> + Sync> ReadsHead<'t> for F {}

/// Tasks that are behind each other, and where each is.
type Run = (Vec<Head>, Vec<Range<usize>>);

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// Stands for the id of a task until that is read, and then for that of the next.
    nameless: Option<TaskId>,
    /// The task that was checked last. To make the lists of each anew is a tenth of the work.
    checked: Option<Glance<'t>>,
    /// By what was before: what led from there to the next field the last time. Most tasks of a
    /// file are written alike: it is there again, and need not be taken apart.
    leads: [Lead<'t>; Behind::COUNT],
}

/// What is between two values of a task.
#[derive(Clone, Copy, Default)]
struct Lead<'t> {
    text: &'t str,
    /// Nothing if it is the end of the task.
    field: Option<Field>,
}

/// How far one is in a task.
#[derive(Clone, Copy)]
enum Behind {
    Bracket,
    Unknown,
    Field(Field),
}

impl Behind {
    const COUNT: usize = Field::ALL.len() + 2;

    fn index(self) -> usize {
        match self {
            Self::Bracket => 0,
            Self::Unknown => 1,
            Self::Field(field) => field as usize + 2,
        }
    }
}

/// What comes next in a task.
enum Next<'t> {
    Field(Field),
    Unknown(Cow<'t, str>),
    End,
}

impl<'t> Scanner<'t> {
    fn at(text: &'t str, at: usize) -> Self {
        Self { text, at, nameless: None, checked: None, leads: [Lead::default(); Behind::COUNT] }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    /// White space and comments.
    #[inline]
    fn trivia(&mut self) -> Option<()> {
        loop {
            match self.peek() {
                // Most of it is the ends of lines with the indentation of the next.
                Some(b'\n') => self.at += 1 + spaces(&self.text.as_bytes()[self.at + 1..]),
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'/') => self.comment()?,
                _ => return Some(()),
            }
        }
    }

    #[cold]
    fn comment(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        self.at += match rest.as_bytes().get(1)? {
            b'/' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            b'*' => rest[2..].find("*/")? + 4,
            _ => return None,
        };
        Some(())
    }

    /// What is between brackets, with a comma after each but perhaps the last; from the opening
    /// bracket to behind the closing one.
    fn entries(
        &mut self,
        brackets: [u8; 2],
        mut entry: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.eat(brackets[0]).then_some(())?;
        loop {
            self.trivia()?;
            if self.eat(brackets[1]) {
                return Some(());
            }
            entry(self)?;
            self.trivia()?;
            if !self.eat(b',') {
                return self.eat(brackets[1]).then_some(());
            }
        }
    }

    /// The tasks from here on, where one begins, up to `end`, where another begins, or behind the
    /// bracket that closes the list.
    fn run(&mut self, end: Option<usize>, head: &impl ReadsHead<'t>) -> Option<Run> {
        let (mut heads, mut spans) = Run::default();
        loop {
            match end {
                Some(end) if self.at >= end => return (self.at == end).then_some((heads, spans)),
                None if self.eat(b']') => return Some((heads, spans)),
                _ => {}
            }
            let (head, span) = head(self)?;
            heads.push(head);
            spans.push(span);
            self.trivia()?;
            if !self.eat(b',') {
                return (end.is_none() && self.eat(b']')).then_some((heads, spans));
            }
            self.trivia()?;
        }
    }

    /// The same to the end of the list, by a thread for each part. Nothing, and the scanner where
    /// it was, if that did not work out.
    ///
    /// Where a part begins is a guess: with a line that is as the first of the first task. It was
    /// right if the part before ends there.
    fn side_by_side(&mut self, parts: usize, head: &impl ReadsHead<'t>) -> Option<Run> {
        (parts > 1).then_some(())?;
        let (bytes, first) = (self.text.as_bytes(), self.at);
        let line = &bytes[memchr::memrchr(b'\n', &bytes[..first])?..=first];
        let size = (bytes.len() - first) / parts;
        let start =
            |from| Some(from + memchr::memmem::find(&bytes[from..], line)? + line.len() - 1);
        let starts =
            (1..parts).map(|part| start(first + part * size)).collect::<Option<Vec<_>>>()?;
        let ends = starts.iter().copied().map(Some).chain([None]);
        let runs = thread::scope(|scope| {
            let run = |(start, end)| {
                let mut scanner = Scanner::at(self.text, start);
                let run = move || Some((scanner.run(end, head)?, scanner.at));
                thread::Builder::new().spawn_scoped(scope, run).ok()
            };
            let runs: Vec<_> =
                iter::once(first).chain(starts.iter().copied()).zip(ends).map(run).collect();
            runs.into_iter().map(|run| run?.join().ok()?).collect::<Option<Vec<_>>>()
        })?;
        let mut runs = runs.into_iter();
        let (mut all, mut at) = runs.next()?;
        for ((heads, spans), end) in runs {
            all.0.extend(heads);
            all.1.extend(spans);
            at = end;
        }
        self.at = at;
        Some(all)
    }

    fn list(&mut self, entry: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.entries([b'[', b']'], entry)
    }

    fn object(
        &mut self,
        mut property: impl FnMut(&mut Self, Cow<'t, str>) -> Option<()>,
    ) -> Option<()> {
        self.entries([b'{', b'}'], |scanner| {
            let key = scanner.string()?;
            scanner.trivia()?;
            scanner.eat(b':').then_some(())?;
            scanner.trivia()?;
            property(scanner, key)
        })
    }

    fn string(&mut self) -> Option<Cow<'t, str>> {
        self.eat(b'"').then_some(())?;
        let (start, text) = (self.at, self.text);
        let end = start + string_end(&text.as_bytes()[start..])?;
        if text.as_bytes()[end] != b'"' {
            return self.escaped(start, end).map(Cow::Owned);
        }
        self.at = end + 1;
        Some(Cow::Borrowed(&text[start..end]))
    }

    /// Where a string without escapes is that has just been read.
    fn behind(&self, plain: &str) -> Range<usize> {
        self.at - 1 - plain.len()..self.at - 1
    }

    /// A string that has its first escape at `end`.
    #[cold]
    fn escaped(&mut self, start: usize, mut end: usize) -> Option<String> {
        // The parser's rules are those of JSON, but for control characters, which it lets through.
        let bytes = self.text.as_bytes();
        while bytes.get(end).is_some_and(|byte| *byte != b'"') {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        self.at = end + 1;
        serde_json::from_str(self.text.get(start - 1..self.at)?).ok()
    }

    /// The texts of a list.
    fn texts<W: Words<'t>>(&mut self, list: &mut Vec<W>) -> Option<()> {
        self.list(|scanner| {
            // Many have one entry, and room for four would stay empty.
            if list.is_empty() {
                list.reserve_exact(1);
            }
            list.push(W::of(scanner.string()?));
            Some(())
        })
    }

    /// The text of a number.
    fn number(&mut self) -> Option<&'t str> {
        let rest = &self.text[self.at..];
        let end = |byte: u8| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let number = &rest[..rest.bytes().position(end)?];
        self.at += number.len();
        Some(number)
    }

    /// A word such as `true`, if it ends there.
    fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then_some(())?;
        self.at += word.len();
        self.peek()
            .is_some_and(|byte| matches!(byte, b',' | b']' | b'}' | b'\n' | b'\r' | b' '))
            .then_some(())
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        (depth < MAX_DEPTH).then_some(())?;
        Some(match self.peek()? {
            b'{' => Value::Object(self.map(depth)?),
            b'[' => {
                let mut items = Vec::new();
                self.list(|scanner| {
                    items.push(scanner.value(depth + 1)?);
                    Some(())
                })?;
                Value::Array(items)
            }
            b'"' => Value::String(self.string()?.into_owned()),
            b't' => self.word("true").map(|()| Value::Bool(true))?,
            b'f' => self.word("false").map(|()| Value::Bool(false))?,
            b'n' => self.word("null").map(|()| Value::Null)?,
            _ => Value::Number(Number::new(self.number()?)?),
        })
    }

    fn map(&mut self, depth: usize) -> Option<Map> {
        let mut map = Map::new();
        self.object(|scanner, key| {
            let value = scanner.value(depth + 1)?;
            map.insert(key.into_owned(), value).is_none().then_some(())
        })?;
        Some(map)
    }

    /// What is known of a task without making it, and where it is.
    fn skim(&mut self) -> Option<(Head, Range<usize>)> {
        let start = self.at;
        let mut task = self.blank::<()>();
        let marks = self.fill(&mut task)?;
        Some((Head::of(&task, marks), start..self.at))
    }

    /// The same, and whether something is wrong with it.
    fn check(&mut self, place: Place) -> Option<(Head, Range<usize>)> {
        let start = self.at;
        let last = self.checked.take();
        let mut task = last.map_or_else(|| self.blank(), Task::emptied);
        let marks = self.fill(&mut task)?;
        let is_sound = validate::is_sound(&task, place);
        let head = Head { is_sound, ..Head::of(&task, marks) };
        self.checked = Some(task);
        Some((head, start..self.at))
    }

    /// A task that is made, and where it is.
    fn read(&mut self) -> Option<(Head, Range<usize>)> {
        let start = self.at;
        let mut task = self.blank();
        self.fill(&mut task)?;
        Some((Head::read(task), start..self.at))
    }

    /// A task with nothing in it.
    fn blank<W: Words<'t>>(&mut self) -> Task<W> {
        Task::plain(self.nameless.take().unwrap_or_else(placeholder), W::default())
    }

    /// Reads a task into one that has nothing in it.
    fn fill<W: Words<'t>>(&mut self, task: &mut Task<W>) -> Option<Marks> {
        let mut marks = Marks::default();
        let mut seen = 0u32;
        let mut behind = Behind::Bracket;
        self.eat(b'{').then_some(())?;
        loop {
            let field = match self.next(behind)? {
                Next::Field(field) => field,
                Next::Unknown(key) => {
                    behind = Behind::Unknown;
                    let value = self.value(0)?;
                    task.extra.insert(key.into_owned(), value).is_none().then_some(())?;
                    continue;
                }
                Next::End => break,
            };
            behind = Behind::Field(field);
            // Each known field once.
            let before = seen;
            seen |= 1 << field as u32;
            (seen != before).then_some(())?;
            match task.slot(field) {
                Slot::Id(name) => {
                    // Elsewhere the id is looked up in the text, as it stands there.
                    let Cow::Borrowed(plain) = self.string()? else { return None };
                    marks.id = self.behind(plain);
                    self.nameless = Some(std::mem::replace(name, plain.parse().ok()?));
                }
                Slot::Title(title) => {
                    let value = self.string()?;
                    if let Cow::Borrowed(plain) = &value {
                        marks.title = self.behind(plain);
                    }
                    *title = W::of(value);
                }
                Slot::Status(status) => *status = self.string()?.parse().ok()?,
                Slot::Priority(priority) => *priority = self.string()?.parse().ok()?,
                Slot::Text(text) => {
                    let value = self.string()?;
                    if let (Field::UpdatedAt, Cow::Borrowed(plain)) = (field, &value) {
                        marks.updated_at = self.behind(plain);
                    }
                    *text = Some(W::of(value));
                }
                Slot::Minutes(minutes) => {
                    *minutes = Some(serde_json::from_str(self.number()?).ok()?);
                }
                Slot::Object(object) => *object = Some(self.map(0)?),
                Slot::List(list) => {
                    let start = self.at;
                    self.texts(list)?;
                    if field == Field::Scope {
                        marks.scope = start..self.at;
                    }
                }
                Slot::Map(map) => self.object(|scanner, key| {
                    let value = W::of(scanner.string()?);
                    map.insert(key.into_owned(), value).is_none().then_some(())
                })?,
            }
        }
        let needed = 1 << Field::Id as u32 | 1 << Field::Title as u32;
        (seen & needed == needed).then_some(marks)
    }

    /// Goes on to the value of the next field, or behind the closing bracket.
    fn next(&mut self, behind: Behind) -> Option<Next<'t>> {
        let start = self.at;
        let lead = &self.leads[behind.index()];
        if !lead.text.is_empty() && self.text.as_bytes()[start..].starts_with(lead.text.as_bytes())
        {
            self.at += lead.text.len();
            let Some(field) = lead.field else { return Some(Next::End) };
            // There may be more of it than the last time.
            self.trivia()?;
            return Some(Next::Field(field));
        }
        let next = self.other_next(behind)?;
        let field = match next {
            Next::Field(field) => Some(field),
            Next::End => None,
            Next::Unknown(_) => return Some(next),
        };
        self.leads[behind.index()] = Lead { text: &self.text[start..self.at], field };
        Some(next)
    }

    fn other_next(&mut self, behind: Behind) -> Option<Next<'t>> {
        self.trivia()?;
        if !matches!(behind, Behind::Bracket) && self.eat(b',') {
            self.trivia()?;
        } else if !matches!(behind, Behind::Bracket) {
            return self.eat(b'}').then_some(Next::End);
        }
        if self.eat(b'}') {
            return Some(Next::End);
        }
        let key = self.string()?;
        self.trivia()?;
        self.eat(b':').then_some(())?;
        self.trivia()?;
        Some(Field::named(&key).map_or(Next::Unknown(key), Next::Field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tasks that two parts are read to; nothing where only one thread can read them.
    fn side_by_side(list: &str) -> Option<usize> {
        let mut scanner = Scanner::at(list, 1);
        scanner.trivia().unwrap();
        let start = scanner.at;
        let run = scanner.side_by_side(2, &Scanner::skim);
        assert_eq!(scanner.at, if run.is_some() { list.len() } else { start });
        run.map(|(heads, spans)| {
            assert_eq!(heads.len(), spans.len());
            assert!(spans.iter().all(|span| list[span.clone()].starts_with(r#"{"id""#)));
            heads.len()
        })
    }

    #[test]
    fn tasks_that_are_written_alike_are_read_side_by_side() {
        let task = r#"{"id": "RQ-0001", "title": "some words"}"#;
        let list = |tasks: &[&str]| format!("[\n  {}\n]", tasks.join(",\n  "));
        let nested = format!(r#"{{"id": "RQ-0001", "title": "t", "x": [{}]}}"#, list(&[task; 9]));
        let comment = format!("/* {} */ {task}", list(&[task; 9]));
        for (list, read) in [
            (list(&[task; 4]), Some(4)),
            (list(&[task; 4]).replace("\n  ", "\r\n\t"), Some(4)),
            (list(&[task; 4]).replace("}\n]", "}, // last\n]"), Some(4)),
            // The second part begins behind a comment.
            (list(&[task, task, "// more\n", task]).replace("\n,", "\n"), Some(3)),
            // It seems to begin with something that is no task.
            (list(&[task, &nested]), None),
            (list(&[task, &comment]), None),
            // It does not begin.
            (list(&[&comment, task]), None),
            (list(&[task]), None),
            (list(&[task; 4]).replace('\n', " "), None),
        ] {
            assert_eq!(side_by_side(&list), read, "{list}");
        }
    }
}
