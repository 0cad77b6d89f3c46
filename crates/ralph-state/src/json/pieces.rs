//! The parts of an array or object in a text that may be broken, told by brackets and quotes alone.
//!
//! Each part is then read by itself, so that a fault in one does not take the others with it.

use super::Position;

/// One element of an array, or one member of an object with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Where it begins in the file.
    pub(crate) at: usize,
    pub(crate) bytes: &'a [u8],
    /// Whether its end is known: a number that the end of the file may have cut is none.
    pub(crate) whole: bool,
}

/// What an array or object holds.
#[derive(Debug)]
pub(crate) struct Pieces<'a> {
    pub(crate) is_object: bool,
    pub(crate) parts: Vec<Piece<'a>>,
    /// What stands after it.
    pub(crate) rest: Piece<'a>,
}

/// The parts of the array or object that `piece` is; nothing if it is neither.
///
/// A string ends at the end of its line at the latest, an object where another one begins without
/// a colon before it, and a bracket closes everything that was opened after its partner. So one quote or bracket that is missing spoils one part.
pub(crate) fn pieces<'a>(piece: &Piece<'a>) -> Option<Pieces<'a>> {
    let mut scan = Scan { file: piece.bytes, at: 0 };
    scan.space();
    let close = match scan.peek()? {
        b'{' => b'}',
        b'[' => b']',
        _ => return None,
    };
    scan.at += 1;
    let mut parts = Vec::new();
    loop {
        scan.space();
        let start = scan.at;
        let ended = scan.part(close);
        let bytes = scan.file[start..scan.at].trim_ascii_end();
        let by_itself = bytes.last().is_some_and(|last| matches!(last, b'}' | b']' | b'"' | b'\''));
        if !bytes.is_empty() {
            let whole = ended != Ended::File || by_itself;
            parts.push(Piece { at: piece.at + start, bytes, whole });
        }
        match ended {
            Ended::Comma => scan.at += 1,
            Ended::Next => {}
            Ended::Container | Ended::File => {
                scan.at = (scan.at + 1).min(scan.file.len());
                scan.space();
                let (at, bytes) = (piece.at + scan.at, &scan.file[scan.at..]);
                let rest = Piece { at, bytes, whole: piece.whole };
                return Some(Pieces { is_object: close == b'}', parts, rest });
            }
        }
    }
}

/// A member taken apart: its key as it stands, and its value.
pub(crate) fn member<'a>(piece: &Piece<'a>) -> Option<(&'a [u8], Piece<'a>)> {
    let mut scan = Scan { file: piece.bytes, at: 0 };
    let quoted = matches!(scan.peek()?, b'"' | b'\'');
    if quoted {
        scan.string();
    } else {
        while scan.peek().is_some_and(|byte| byte != b':' && !byte.is_ascii_whitespace()) {
            scan.at += 1;
        }
    }
    let key = &scan.file[..scan.at];
    scan.space();
    (scan.peek()? == b':').then(|| scan.at += 1)?;
    scan.space();
    let (at, bytes) = (piece.at + scan.at, &scan.file[scan.at..]);
    Some((key, Piece { at, bytes, whole: piece.whole }))
}

/// Places in a file that may be no text, from its start to its end: each byte is looked at once.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    rest: &'a [u8],
    at: usize,
    here: Position,
}

impl<'a> Places<'a> {
    /// From the byte `start` of `file` on, which is the first character.
    pub(crate) fn new(file: &'a [u8], start: usize) -> Self {
        Self { rest: &file[start..], at: start, here: Position { line: 1, column: 1 } }
    }

    /// The place of the byte `at`, which is not before the one that was asked for last.
    pub(crate) fn of(&mut self, at: usize) -> Position {
        let (passed, rest) = self.rest.split_at(at.saturating_sub(self.at).min(self.rest.len()));
        (self.rest, self.at) = (rest, self.at + passed.len());
        let mut line = passed;
        if let Some(end) = passed.iter().rposition(|byte| *byte == b'\n') {
            self.here.line += passed.split(|byte| *byte == b'\n').count() - 1;
            self.here.column = 1;
            line = &passed[end + 1..];
        }
        self.here.column += String::from_utf8_lossy(line).chars().count();
        self.here
    }
}

/// How a part came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Comma,
    /// At the bracket that opens the next one: the comma is missing.
    Next,
    Container,
    File,
}

struct Scan<'a> {
    file: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.file.get(self.at).copied()
    }

    /// To the end of the part that begins here, in a container that `close` ends.
    fn part(&mut self, close: u8) -> Ended {
        let mut open: Vec<u8> = Vec::new();
        // How many of each: a partner that is not there is not searched for again and again.
        let (mut braces, mut brackets) = (0_usize, 0_usize);
        let mut closed_one = false;
        let mut before = close;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' | b'\'' => {
                    self.string();
                    before = byte;
                    continue;
                }
                b'/' if self.comment() => continue,
                // In an object a value comes after a colon: this one has lost its end.
                b'{' if before != b':' && open.last() == Some(&b'}') => {
                    open.pop();
                    braces -= 1;
                    closed_one = open.is_empty();
                    continue;
                }
                b'{' | b'[' if open.is_empty() && closed_one => return Ended::Next,
                b'{' => {
                    open.push(b'}');
                    braces += 1;
                }
                b'[' => {
                    open.push(b']');
                    brackets += 1;
                }
                b',' if open.is_empty() => return Ended::Comma,
                b'}' | b']' if if byte == b'}' { braces > 0 } else { brackets > 0 } => {
                    while let Some(partner) = open.pop() {
                        *(if partner == b'}' { &mut braces } else { &mut brackets }) -= 1;
                        if partner == byte {
                            break;
                        }
                    }
                    closed_one = open.is_empty();
                }
                b'}' | b']' if byte == close => return Ended::Container,
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                before = byte;
            }
            self.at += 1;
        }
        Ended::File
    }

    fn space(&mut self) {
        loop {
            match self.peek() {
                Some(byte) if byte.is_ascii_whitespace() => self.at += 1,
                Some(b'/') if self.comment() => {}
                _ => return,
            }
        }
    }

    /// Past the string that begins here, or to the end of its line.
    fn string(&mut self) {
        let Some(quote) = self.peek() else { return };
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => return,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
            if byte == quote {
                return;
            }
        }
        self.at = self.file.len();
    }

    /// Past the comment that begins here, if one does.
    fn comment(&mut self) -> bool {
        let rest = &self.file[self.at..];
        let find = |end: &[u8]| rest.windows(end.len()).position(|window| window == end);
        let len = if rest.starts_with(b"//") {
            find(b"\n")
        } else if rest.starts_with(b"/*") {
            find(b"*/").map(|end| end + 2)
        } else {
            return false;
        };
        self.at += len.unwrap_or(rest.len());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, parts: &[&str]) {
        let whole = Piece { at: 0, bytes: text.as_bytes(), whole: true };
        let found: Vec<String> = pieces(&whole)
            .map_or(Vec::new(), |found| found.parts)
            .iter()
            .map(|piece| {
                assert!(text.as_bytes()[piece.at..].starts_with(piece.bytes));
                let cut = if piece.whole { "" } else { " (cut)" };
                String::from_utf8_lossy(piece.bytes).into_owned() + cut
            })
            .collect();
        assert_eq!(found, parts, "{text}");
    }

    #[test]
    fn parts() {
        check(" [1, [2, 3], {\"a\": [4]}, \"5, ]\"]", &["1", "[2, 3]", "{\"a\": [4]}", "\"5, ]\""]);
        check(
            "{\"a\": 1, b: ['x\\', y'], /* ,} */ // ,}\n c: 2,}",
            &["\"a\": 1", "b: ['x\\', y']", "c: 2"],
        );
        check("[]", &[]);
        check("7", &[]);
    }

    #[test]
    fn a_fault_spoils_one_part() {
        check("[{\"a\": [1}, {\"b\": 2}]", &["{\"a\": [1}", "{\"b\": 2}"]);
        check("[{\"a\": \"x\n}, {\"b\": 2}]", &["{\"a\": \"x\n}", "{\"b\": 2}"]);
        check("[{\"a\": 1]}, {\"b\": 2}]", &["{\"a\": 1"]);
        check("[{\"a\": 1, {\"b\": {}}, 3]", &["{\"a\": 1,", "{\"b\": {}}", "3"]);
        check("[{\"a\": 1} {\"b\": 2}]", &["{\"a\": 1}", "{\"b\": 2}"]);
        check("[{\"a\": 1}}, 2]", &["{\"a\": 1}}", "2"]);
    }

    #[test]
    fn what_stands_after_it_is_handed_over() {
        let text = "[{\"a\": 1]}, {\"b\": 2}]";
        let whole = Piece { at: 0, bytes: text.as_bytes(), whole: true };
        let rest = pieces(&whole).unwrap().rest;
        assert_eq!((rest.at, rest.bytes), (9, &text.as_bytes()[9..]));
    }

    #[test]
    fn garbage_takes_no_longer_than_text() {
        let deep = format!("[{}{}", "{\"a\":".repeat(300_000), "]".repeat(300_000));
        let whole = Piece { at: 0, bytes: deep.as_bytes(), whole: true };
        assert_eq!(pieces(&whole).unwrap().parts.len(), 1);
    }

    #[test]
    fn what_the_end_of_the_file_cut_is_told() {
        check("[1, 2", &["1", "2 (cut)"]);
        check("[1, {\"a\": 2}", &["1", "{\"a\": 2}"]);
        check("[1, {\"a\": 2", &["1", "{\"a\": 2 (cut)"]);
        check("[1, \"a\\", &["1", "\"a\\ (cut)"]);
        check("[1, \"a", &["1", "\"a (cut)"]);
    }

    #[test]
    fn places() {
        let mut places = Places::new(b"\xef\xbb\xbf{\n \xff\xc3\xa4x\n\n", 3);
        let at = [3, 4, 5, 9, 10, 12, 99].map(|at| {
            let Position { line, column } = places.of(at);
            (line, column)
        });
        assert_eq!(at, [(1, 1), (1, 2), (2, 1), (2, 4), (2, 5), (4, 1), (4, 1)]);
    }
}
