//! A text held against the value that it was made from.

use std::borrow::Cow;
use std::mem::take;

use super::node::{Plain, twice};
use super::read::{MAX_DEPTH, SyntaxReason};
use super::ser::{EncodeError, Part, Sink, error};

/// As members without values, for [`twice`].
type Keys<'a> = Vec<(Cow<'a, str>, ())>;

/// Reads a text again while a value is told, and refuses what the text does not say.
pub(crate) struct Same<'a> {
    text: Plain<'a>,
    /// The arrays and objects that are open: what closes each, and the keys so far.
    open: Vec<(u8, Keys<'a>)>,
    /// Whether nothing came yet in the innermost of them.
    is_empty: bool,
    after_key: bool,
}

impl<'a> Same<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text: Plain::new(text), open: Vec::new(), is_empty: true, after_key: false }
    }

    /// The value was told: the text has to be at its end, too.
    pub(crate) fn end(mut self) -> Result<(), EncodeError> {
        self.text.end().ok_or_else(differs)
    }

    fn follows(&mut self, part: Part<'_>) -> Option<()> {
        self.text.space();
        if !take(&mut self.after_key) && !take(&mut self.is_empty) && !self.open.is_empty() {
            self.text.eat(b',')?;
            self.text.space();
        }
        match part {
            Part::Null => self.text.word("null"),
            Part::Bool(true) => self.text.word("true"),
            Part::Bool(false) => self.text.word("false"),
            Part::Number(literal) => (self.text.number()? == literal).then_some(()),
            Part::String(text) => (self.text.string()? == text).then_some(()),
            Part::Array => self.open(b'[', b']'),
            Part::Object => self.open(b'{', b'}'),
            Part::Key(name) => {
                let key = self.text.string()?;
                self.text.space();
                self.text.eat(b':')?;
                self.after_key = true;
                let is_it = key == name;
                self.open.last_mut()?.1.push((key, ()));
                is_it.then_some(())
            }
            Part::End => None,
        }
    }

    fn open(&mut self, opening: u8, closing: u8) -> Option<()> {
        self.open.push((closing, Vec::new()));
        self.is_empty = true;
        self.text.eat(opening)
    }

    fn close(&mut self) -> Result<(), EncodeError> {
        let (closing, keys) = self.open.pop().ok_or_else(differs)?;
        if let Some(at) = twice(&keys) {
            return Err(error(SyntaxReason::DuplicateKey(keys[at].0.clone().into_owned())));
        }
        self.is_empty = false;
        self.text.space();
        self.text.eat(closing).ok_or_else(differs)
    }
}

fn differs() -> EncodeError {
    error("the text does not say what the value does")
}

impl Sink for Same<'_> {
    fn take(&mut self, part: Part<'_>) -> Result<(), EncodeError> {
        if let Part::End = part {
            return self.close();
        }
        if self.open.len() > MAX_DEPTH {
            return Err(error(SyntaxReason::TooDeep));
        }
        self.follows(part).ok_or_else(differs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Json, parse, tell};
    use super::*;

    fn is_same(value: &Json, text: &str) -> bool {
        let mut same = Same::new(text);
        tell(value, &mut same).and_then(|()| same.end()).is_ok()
    }

    #[test]
    fn only_the_text_of_the_value_is_the_same() {
        let texts = [
            "null",
            "true",
            "1",
            "1.0",
            "\"1\"",
            "\"\\u00e4\\n\"",
            "[]",
            "{}",
            "[1]",
            "[1, 1]",
            "[[1], 1]",
            "[[1, 1]]",
            "[{}]",
            "[[]]",
            "{\"a\": 1}",
            "{\"a\": 1, \"b\": [2]}",
            "{\"b\": [2], \"a\": 1}",
            "{\"a\": {\"a\": 1}, \"b\": 2}",
        ];
        for one in texts {
            let value = parse(one).unwrap().unwrap();
            for other in texts {
                assert_eq!(is_same(&value, other), one == other, "{one} and {other}");
            }
            for end in ["", " ", "]", "}", ",", "1"] {
                let is_space = end.trim().is_empty();
                let text = format!("{one}{end}");
                let is_number = one.starts_with('1') && end == "1";
                assert_eq!(is_same(&value, &text), is_space && !is_number, "{text}");
            }
            for cut in 0..one.len() {
                assert!(!is_same(&value, &one[..cut]), "{one} to {cut}");
            }
        }
    }

    /// Each byte of a text changed into another one: it is another text, or no JSON.
    #[test]
    fn a_byte_that_is_changed_is_seen() {
        let text = "{\"a\": [1, -2.5, true, null], \"b\": {\"c\": \"d\"}}";
        let value = parse(text).unwrap().unwrap();
        for at in 0..text.len() {
            for byte in [b'x', b'0', b',', b':', b'"', b'{', b']', b'\\'] {
                let mut changed = text.as_bytes().to_vec();
                changed[at] = byte;
                let changed = String::from_utf8(changed).unwrap();
                let says_it = parse(&changed).is_ok_and(|read| read.as_ref() == Some(&value));
                assert_eq!(is_same(&value, &changed), says_it, "{changed}");
            }
        }
    }
}
