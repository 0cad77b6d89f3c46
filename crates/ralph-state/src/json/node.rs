//! A JSON value that borrows from its text, between the text and a typed value.
//!
//! Most files are of the current version and plain JSON. They are read here in one pass, without a
//! copy of any string. Everything else (comments, bare keys, any error) is left to
//! [`super::read`], which knows all of it and says where.

use std::borrow::Cow;

use super::read::{MAX_DEPTH, is_number};
use super::{Json, Number, Object};

/// [`Json`], borrowed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    /// By the grammar of JSON.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    /// Each key once.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    pub(crate) fn view(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.as_str()),
            Json::String(text) => Self::String(Cow::Borrowed(text)),
            Json::Array(items) => Self::Array(items.iter().map(Self::view).collect()),
            Json::Object(object) => Self::Object(
                object.iter().map(|(key, value)| (Cow::Borrowed(key), Self::view(value))).collect(),
            ),
        }
    }

    pub(crate) fn into_json(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Number(literal) => Json::Number(Number(literal.to_owned())),
            Self::String(text) => Json::String(text.into_owned()),
            Self::Array(items) => Json::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Object(members) => Json::Object(into_object(members)),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

pub(crate) fn into_object(members: Vec<(Cow<'_, str>, Node<'_>)>) -> Object {
    Object(members.into_iter().map(|(key, value)| (key.into_owned(), value.into_json())).collect())
}

/// Where the second of two equal keys is.
pub(super) fn twice<K: AsRef<str>, V>(members: &[(K, V)]) -> Option<usize> {
    let key = |at: usize| members[at].0.as_ref();
    // What nearly every object is: cheaper to compare than to sort.
    if members.len() <= 16 {
        return (1..members.len()).find(|&at| (0..at).any(|before| key(before) == key(at)));
    }
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&at| key(at));
    order.windows(2).filter(|pair| key(pair[0]) == key(pair[1])).map(|pair| pair[1]).min()
}

/// How many bytes come before the first quote, backslash or control character.
pub(super) fn plain_len(text: &str) -> usize {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    // Asked of many bytes at once, as far as that gets.
    let (pieces, _) = text.as_bytes().as_chunks::<16>();
    let has_special =
        |piece: &[u8; 16]| piece.iter().fold(false, |any, byte| any | is_special(byte));
    let plain = 16 * pieces.iter().take_while(|piece| !has_special(piece)).count();
    let rest = &text.as_bytes()[plain..];
    plain + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The value in `text`, if that is plain JSON without a fault.
pub(super) fn plain(text: &str) -> Option<Node<'_>> {
    let mut reader = Plain::new(text);
    let value = reader.value(0)?;
    reader.end()?;
    Some(value)
}

/// What of a plain text is still to be read.
pub(super) struct Plain<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Plain<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Nothing is left but white space.
    pub(super) fn end(&mut self) -> Option<()> {
        self.space();
        (self.at == self.text.len()).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().take_while(is_space).count();
    }

    pub(super) fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn value(&mut self, depth: usize) -> Option<Node<'a>> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.space();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Node::String),
            b'n' => self.word("null").map(|()| Node::Null),
            b't' => self.word("true").map(|()| Node::Bool(true)),
            b'f' => self.word("false").map(|()| Node::Bool(false)),
            _ => self.number().map(Node::Number),
        }
    }

    fn array(&mut self, depth: usize) -> Option<Node<'a>> {
        let mut items = Vec::new();
        self.eat(b'[')?;
        self.space();
        if self.eat(b']').is_some() {
            return Some(Node::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b']').is_some() {
                return Some(Node::Array(items));
            }
            self.eat(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Node<'a>> {
        let mut members = Vec::with_capacity(8); // about a record
        self.eat(b'{')?;
        self.space();
        if self.eat(b'}').is_some() {
            return Some(Node::Object(members));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.eat(b':')?;
            members.push((key, self.value(depth + 1)?));
            self.space();
            if self.eat(b'}').is_some() {
                return twice(&members).is_none().then_some(Node::Object(members));
            }
            self.eat(b',')?;
        }
    }

    pub(super) fn number(&mut self) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.bytes().take_while(|byte| is_part(byte)).count();
        self.at += len;
        is_number(&rest[..len]).then_some(&rest[..len])
    }

    pub(super) fn string(&mut self) -> Option<Cow<'a, str>> {
        self.eat(b'"')?;
        let plain = self.until_special();
        if self.eat(b'"').is_some() {
            return Some(Cow::Borrowed(plain));
        }
        let mut string = plain.to_owned();
        while self.eat(b'"').is_none() {
            self.eat(b'\\')?;
            string.push(self.escape()?);
            string.push_str(self.until_special());
        }
        Some(Cow::Owned(string))
    }

    /// What comes before the next quote, backslash or control character.
    fn until_special(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let len = plain_len(rest);
        self.at += len;
        &rest[..len]
    }

    fn escape(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                self.eat(b'\\')?;
                self.eat(b'u')?;
                let second = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + second);
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        are_digits.then(|| u32::from_str_radix(digits, 16).ok())?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read::tolerant;
    use super::*;

    #[track_caller]
    fn agrees(text: &str) {
        if let Some(value) = plain(text) {
            assert_eq!(tolerant(text), Ok(Some(value)), "{text}");
        }
    }

    #[test]
    fn plain_json_is_read_here() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            "[1, -2.5e3, \"a\\u00e4\\ud83d\\ude00\\n\\/\"]",
            "{\"a\": {\"b\": true}}",
        ] {
            assert!(plain(text).is_some(), "{text}");
            agrees(text);
        }
        for text in [
            "",
            "{a: 1}",
            "[1,]",
            "'a'",
            "// c\n1",
            "{\"a\": 1, \"a\": 2}",
            "\"\n\"",
            "01",
            "[",
            "\"\\ud800\"",
            "\"\\u+123\"",
        ] {
            assert!(plain(text).is_none(), "{text}");
        }
        assert!(plain(&"[".repeat(1_000_000)).is_none());
    }

    proptest! {
        /// What is read here, the tolerant reader reads as well, and as the same.
        #[test]
        fn both_readers_agree(text in "[\\[\\]{}:,\"'\\\\ua0-9.eE+\\- \nntrueflsdD8cF/*ü]{0,24}") {
            agrees(&text);
        }

        #[test]
        fn both_readers_agree_on_strings(text in "[\"\\\\ud8cD0-9aAbfnrt/ü]{0,24}") {
            agrees(&format!("\"{text}\""));
        }
    }
}
