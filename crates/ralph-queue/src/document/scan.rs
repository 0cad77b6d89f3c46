//! The quick way to read a queue file that has nothing unusual in it.
//!
//! One pass over the bytes, no tree. It gives up, with `None`, at anything that is wrong or rare
//! (single quotes, bare keys, odd white space); the parser then reads the text once more and says
//! what is wrong. What it does read, it reads as the parser would.

use std::borrow::Cow;
use std::str::FromStr as _;

use ralph_state::TaskId;
use serde_json::{Map, Value};

use super::Document;
use crate::task::{Slot, Task};

/// Deeper values are left to the parser, which has a limit of its own.
const MAX_DEPTH: usize = 64;

/// The number of the id among the fields; see [`Task::slot`].
const ID: u32 = 31;

/// Reads a text, without its owner.
pub(super) fn scan(text: &str) -> Option<Document> {
    let start = text.len() - text.trim_start_matches('\u{feff}').len();
    let mut scanner = Scanner { text, at: start, nameless: TaskId::from_str("x").ok()? };
    scanner.trivia()?;
    let root = scanner.at;
    let mut document = Document {
        text: String::new(),
        root: 0..0,
        array: None,
        spans: Vec::new(),
        tasks: Vec::new(),
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
            scanner.list(|scanner| {
                let start = scanner.at;
                let task = scanner.task()?;
                document.tasks.push(task);
                document.spans.push(start..scanner.at);
                Some(())
            })?;
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

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// Stands for the id of a task until that is read.
    nameless: TaskId,
}

impl<'t> Scanner<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    /// White space and comments.
    fn trivia(&mut self) -> Option<()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'/') => {
                    let rest = &self.text[self.at..];
                    self.at += match rest.as_bytes().get(1)? {
                        b'/' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
                        b'*' => rest[2..].find("*/")? + 4,
                        _ => return None,
                    };
                }
                _ => return Some(()),
            }
        }
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
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let end = start + rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let plain = &self.text[start..end];
        self.at = end + 1;
        if rest[end - start] == b'"' {
            return Some(Cow::Borrowed(plain));
        }
        // The parser's rules are those of JSON, but for control characters, which it lets through.
        let mut len = end - start + 2;
        while rest.get(len).is_some_and(|byte| *byte != b'"') {
            len += if rest[len] == b'\\' { 2 } else { 1 };
        }
        self.at = start + len + 1;
        serde_json::from_str(self.text.get(start - 1..self.at)?).ok().map(Cow::Owned)
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
            _ => Value::Number(serde_json::from_str(self.number()?).ok()?),
        })
    }

    fn map(&mut self, depth: usize) -> Option<Map<String, Value>> {
        let mut map = Map::new();
        self.object(|scanner, key| {
            let value = scanner.value(depth + 1)?;
            map.insert(key.into_owned(), value).is_none().then_some(())
        })?;
        Some(map)
    }

    fn task(&mut self) -> Option<Task> {
        let mut task = Task::new(self.nameless.clone(), "");
        let mut seen = 0u32;
        // Each known field once.
        let mut first = |number: u32| {
            let before = seen;
            seen |= 1 << number;
            (seen != before).then_some(())
        };
        self.object(|scanner, key| {
            if key == "id" {
                first(ID)?;
                task.id = scanner.string()?.parse().ok()?;
                return Some(());
            }
            let Some((number, slot)) = task.slot(&key) else {
                let value = scanner.value(0)?;
                return task.extra.insert(key.into_owned(), value).is_none().then_some(());
            };
            first(number)?;
            match slot {
                Slot::Title(title) => *title = scanner.string()?.into_owned(),
                Slot::Status(status) => *status = scanner.string()?.parse().ok()?,
                Slot::Priority(priority) => *priority = scanner.string()?.parse().ok()?,
                Slot::Text(text) => *text = Some(scanner.string()?.into_owned()),
                Slot::Minutes(minutes) => {
                    *minutes = Some(serde_json::from_str(scanner.number()?).ok()?);
                }
                Slot::Object(object) => *object = Some(scanner.map(0)?),
                Slot::List(list) => scanner.list(|scanner| {
                    list.push(scanner.string()?.into_owned());
                    Some(())
                })?,
                Slot::Map(map) => scanner.object(|scanner, key| {
                    let value = scanner.string()?.into_owned();
                    map.insert(key.into_owned(), value).is_none().then_some(())
                })?,
            }
            Some(())
        })?;
        let needed = 1 << ID | 1 << task.slot("title")?.0;
        (seen & needed == needed).then_some(task)
    }
}
