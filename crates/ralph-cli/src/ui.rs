//! What is printed: data on stdout, talk on stderr, colour only where it is seen.
//!
//! Text of tasks, files and other programs reaches a terminal only through
//! [`Text`], which shows control characters instead of obeying them.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::{self, BufWriter, Stdout, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use ralph_state::file::Saved;
use ralph_state::json::{EncodeError, Json, text_in_pieces, text_of, to_text};
use serde::Serialize;
use serde_json::json;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr};

use crate::error::{CliError, ErrorKind};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// So many bytes of a long text are written at a time.
const PIECE: usize = 1 << 16;

/// Where output goes and what it may look like there.
#[derive(Debug)]
pub(crate) struct Ui {
    json: bool,
    out: Stdout,
    stdout: Stream,
    stderr: Stream,
}

/// What is known about one standard stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) is_terminal: bool,
    pub(crate) has_color: bool,
    /// Whether a line on it can be painted over.
    pub(crate) can_repaint: bool,
}

impl Ui {
    pub(crate) fn new(json: bool, stdout: Stream, stderr: Stream) -> Self {
        Self { json, out: io::stdout(), stdout, stderr }
    }

    /// No terminal, no colour: before anything is known about the streams.
    pub(crate) fn plain(json: bool) -> Self {
        let stream = Stream { is_terminal: false, has_color: false, can_repaint: false };
        Self::new(json, stream, stream)
    }

    /// Whether `--json` asks for one document instead of text.
    pub(crate) const fn wants_json(&self) -> bool {
        self.json
    }

    /// How wide the terminal is that text is printed to; nothing for a file or a pipe, which
    /// programs read, unless colour was asked for, which people read.
    pub(crate) fn width(&self) -> Option<usize> {
        if self.stdout.is_terminal {
            let size = terminal_size::terminal_size_of(io::stdout());
            return Some(size.map_or(80, |(width, _)| usize::from(width.0)));
        }
        self.stdout.has_color.then_some(usize::MAX)
    }

    /// The same of the terminal that is talked to on stderr.
    pub(crate) fn stderr_width(&self) -> Option<usize> {
        self.stderr.is_terminal.then(|| stderr_columns().unwrap_or(80))
    }

    pub(crate) const fn stderr_has_color(&self) -> bool {
        self.stderr.has_color
    }

    pub(crate) const fn stderr_can_repaint(&self) -> bool {
        self.stderr.can_repaint
    }

    /// Writes text for people to stdout, with a line break at its end; on a terminal its lines
    /// break between words.
    pub(crate) fn print(&self, text: impl Into<Text>) -> Result<(), CliError> {
        self.print_as_it_is(text.into().folded(self.width()))
    }

    /// The same with the lines it has, such as those of a difference.
    pub(crate) fn print_as_it_is(&self, text: impl Into<Text>) -> Result<(), CliError> {
        self.to_stdout(&text.into().ended().render(self.stdout.has_color))
    }

    /// The same of many texts, one behind the other, of which only a few are there at a time. None
    /// goes on with a line of the one before it.
    pub(crate) fn print_all(&self, texts: impl IntoIterator<Item = Text>) -> Result<(), CliError> {
        let width = self.width();
        let mut some = Text::new();
        for text in texts {
            if some.0.len() >= PIECE {
                let piece = std::mem::take(&mut some).folded(width);
                self.to_stdout(&piece.render(self.stdout.has_color))?;
            }
            some = some.append(&text);
        }
        self.print_as_it_is(some.folded(width))
    }

    /// Writes a difference of texts, whole lines of it, to stdout.
    pub(crate) fn print_diff(&self, diff: &str) -> Result<(), CliError> {
        let has_color = self.stdout.has_color;
        let mut rest = diff;
        while !rest.is_empty() {
            let most = rest.floor_char_boundary(PIECE);
            let end = rest[most..].find('\n').map_or(rest.len(), |at| most + at + 1);
            let (lines, later) = rest.split_at(end);
            let text = if has_color { colored(lines) } else { Text::new().lines(lines) };
            self.to_stdout(&text.render(has_color))?;
            rest = later;
        }
        Ok(())
    }

    /// Writes one JSON document to stdout.
    pub(crate) fn print_json(&self, document: &impl Serialize) -> Result<(), CliError> {
        // The last piece goes out with the end of its line.
        let mut out = BufWriter::with_capacity(PIECE, self.out.lock());
        let mut written = Ok(());
        let write = |piece: &str| {
            if written.is_ok() {
                written = out.write_all(escaped(piece).as_bytes());
            }
        };
        text_in_pieces(document, write).map_err(no_json)?;
        written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).or_else(unread)
    }

    /// The same for a document in which numbers stand as in the file they come from.
    pub(crate) fn print_exact_json(&self, document: &Json) -> Result<(), CliError> {
        self.to_stdout(&(escaped(&to_text(document)) + "\n"))
    }

    /// Writes text to stdout for another program, byte for byte; on a terminal it is shown.
    pub(crate) fn print_data(&self, text: &str) -> Result<(), CliError> {
        if self.stdout.is_terminal { self.print_as_it_is(text) } else { self.to_stdout(text) }
    }

    /// Writes the text of one JSON document to stdout, on one line. There may be many, and no end of
    /// them: that nobody reads them any more is an error.
    pub(crate) fn print_json_line(&self, document: &str) -> Result<(), CliError> {
        self.write_stdout(&(escaped(document) + "\n")).map_err(unwritten)
    }

    /// Writes lines of fields to stdout, with tabs between them.
    pub(crate) fn print_fields(
        &self,
        lines: impl IntoIterator<Item: AsRef<[String]>>,
    ) -> Result<(), CliError> {
        self.print_as_it_is(Text::fields(lines))
    }

    /// Says something on stderr. With `--json` it is silent: the document says it.
    pub(crate) fn say(&self, text: impl Into<Text>) {
        if !self.json {
            self.to_stderr(text.into());
        }
    }

    /// Says on stderr what is wrong but survivable.
    pub(crate) fn warn(&self, message: impl Display) {
        self.say(Text::new().style(YELLOW, "warning:").plain(" ").plain(message));
    }

    /// Warns when the system did not confirm a save.
    pub(crate) fn saved(&self, saved: Saved) {
        if let Saved::Unconfirmed { reason } = saved {
            self.warn(format_args!(
                "the change is in place, but the system does not confirm that it outlives a power cut: {reason}"
            ));
        }
    }

    /// Says on stderr what to do next.
    pub(crate) fn hint(&self, message: impl Display) {
        self.say(hint(message));
    }

    /// Reports a result and turns it into the exit code of the process.
    pub(crate) fn finish(&self, result: Result<ExitCode, CliError>) -> ExitCode {
        match result {
            Ok(exit) => exit,
            Err(error) => {
                if error.kind != ErrorKind::BrokenPipe {
                    self.report(&error);
                }
                error.kind.exit().into()
            }
        }
    }

    fn report(&self, error: &CliError) {
        if self.json {
            let mut object = json!({
                "code": error.kind.name(),
                "message": error.chain().join(": "),
                "hint": error.hints().join("\n"),
                "retryable": error.kind.is_retryable(),
            });
            if let Some(next) = error.next() {
                object["next"] = next.to_string().into();
            }
            if !error.similar_names().is_empty() {
                object["similar"] = error.similar_names().into();
            }
            if !error.bad_rows().is_empty() {
                object["bad"] = error.bad_rows().into();
            }
            if let Some(path) = error.path() {
                object["path"] = path.to_string_lossy().into();
            }
            let text = json_text(&json!({ "error": object })).unwrap_or_default();
            return write_stderr(&(text + "\n"));
        }
        // Who stops a command knows why it did not come to its end.
        let is_stopped = matches!(error.kind, ErrorKind::Interrupted | ErrorKind::Terminated);
        let mut text = Text::new();
        for (depth, message) in error.chain().iter().enumerate() {
            text = match depth {
                0 if is_stopped => text.style(DIM, "stopped:").plain(" "),
                0 => text.style(RED, "error:").plain(" "),
                _ => text.style(DIM, "  caused by:").plain(" "),
            };
            text = text.block("    ", message).ended();
        }
        for message in error.hints() {
            text = text.append(&hint(message)).ended();
        }
        self.to_stderr(text);
    }

    fn to_stdout(&self, text: &str) -> Result<(), CliError> {
        self.write_stdout(text).or_else(unread)
    }

    fn write_stdout(&self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    }

    fn to_stderr(&self, text: Text) {
        let text = text.folded(self.stderr_width()).ended();
        write_stderr(&text.render(self.stderr.has_color));
    }
}

/// The columns of the terminal that stderr is at this moment, if it is one.
pub(crate) fn stderr_columns() -> Option<usize> {
    terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0))
}

/// A reader that left has seen enough: what the command does, and how it ends, is the same.
fn unread(error: io::Error) -> Result<(), CliError> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(unwritten(error)) }
}

fn unwritten(error: io::Error) -> CliError {
    CliError::from(error).context("cannot write to standard output")
}

/// Writes to stderr what is rendered already, all at once.
pub(crate) fn write_stderr(text: &str) {
    let mut err = io::stderr().lock();
    // Nobody is left to tell when it is closed.
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).ok();
}

fn colored(diff: &str) -> Text {
    let mut text = Text::new();
    for line in diff.lines() {
        text = match line.as_bytes() {
            [b'+', ..] => text.style(GREEN, line),
            [b'-', ..] => text.style(RED, line),
            [b'@', ..] => text.style(CYAN, line),
            _ => text.plain(line),
        };
        text = text.line();
    }
    text
}

fn hint(message: impl Display) -> Text {
    Text::new().style(CYAN, "hint:").plain(" ").block("      ", &message.to_string())
}

/// Pretty JSON in which the control characters that JSON leaves bare are
/// escaped too, so that a terminal never obeys them.
fn json_text(document: &impl Serialize) -> Result<String, CliError> {
    let text = text_of(document).map_err(no_json)?;
    Ok(escaped(&text).into_owned())
}

fn no_json(error: EncodeError) -> CliError {
    CliError::new(ErrorKind::Io, error).context("cannot write JSON")
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !is_hazardous(text) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c != '\n' && is_hazard(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                push(&mut safe, format_args!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Text for a terminal. Whatever is put in is shown, never obeyed; only the
/// styles given here and the line breaks asked for are real.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) const fn new() -> Self {
        Self(String::new())
    }

    /// With room for so many bytes.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Adds a part; a line break in it is shown as `\n`.
    #[must_use]
    pub(crate) fn plain(mut self, part: impl Display) -> Self {
        push(&mut Shown(&mut self.0), format_args!("{part}"));
        self
    }

    /// The same of a text as it is, without the detour of a format.
    #[must_use]
    fn text(mut self, part: &str) -> Self {
        push_shown(&mut self.0, part);
        self
    }

    #[must_use]
    pub(crate) fn style(mut self, style: Style, part: impl Display) -> Self {
        push(&mut self.0, format_args!("{style}"));
        self = self.plain(part);
        push(&mut self.0, format_args!("{style:#}"));
        self
    }

    /// Adds text of several lines; every line but the first is indented.
    #[must_use]
    pub(crate) fn block(mut self, indent: &str, lines: &str) -> Self {
        for (number, line) in lines.lines().enumerate() {
            if number > 0 {
                self = self.line().text(indent);
            }
            self = self.text(line);
        }
        self
    }

    /// Adds whole lines.
    #[must_use]
    fn lines(mut self, lines: &str) -> Self {
        if !is_hazardous(lines) {
            self.0.push_str(lines);
            return self;
        }
        lines.lines().fold(self, |text, line| text.plain(line).line())
    }

    /// Lines of fields, with tabs between them.
    pub(crate) fn fields(lines: impl IntoIterator<Item: AsRef<[String]>>) -> Self {
        let mut text = String::new();
        for fields in lines {
            for (number, field) in fields.as_ref().iter().enumerate() {
                text.push_str(if number == 0 { "" } else { "\t" });
                push_shown(&mut text, field);
            }
            text.push('\n');
        }
        Self(text)
    }

    /// The bytes that are seen of it.
    pub(crate) fn len(&self) -> usize {
        seen(&self.0)
    }

    /// With no more than `most` bytes to be seen. A long line ends with a mark and leaves room for
    /// three others.
    #[must_use]
    pub(crate) fn clipped(self, most: usize) -> Self {
        if self.len() <= most {
            return self;
        }
        let share = most / self.0.lines().count().clamp(1, 4);
        let (mut out, mut left) = (String::new(), most);
        for line in self.0.split_inclusive('\n') {
            let len = seen(line);
            if len <= left.min(share) {
                out.push_str(line);
                left -= len;
                continue;
            }
            let end = "…\n";
            let Some(mut room) = left.min(share).checked_sub(end.len()) else { break };
            let mut is_full = false;
            for (c, is_style) in unstyled(line) {
                is_full |= !is_style && c.len_utf8() > room;
                if is_style {
                    out.push(c);
                } else if !is_full {
                    out.push(c);
                    room -= c.len_utf8();
                }
            }
            out.push_str(end);
            left -= left.min(share) - room;
        }
        Self(out)
    }

    /// Begins a new line.
    #[must_use]
    pub(crate) fn line(mut self) -> Self {
        self.0.push('\n');
        self
    }

    #[must_use]
    pub(crate) fn append(mut self, other: &Self) -> Self {
        self.0.push_str(&other.0);
        self
    }

    /// With its lines broken between words where the terminal ends; a command in backticks stays
    /// in one piece. What goes on is indented like what stands behind the first gap of its line,
    /// where that leaves room.
    #[must_use]
    pub(crate) fn folded(self, width: Option<usize>) -> Self {
        let Some(width) = width.filter(|width| *width >= NARROWEST) else { return self };
        let lines: Vec<String> = self.0.split('\n').map(|line| folded(line, width)).collect();
        Self(lines.join("\n"))
    }

    #[must_use]
    fn ended(self) -> Self {
        if self.0.is_empty() || self.0.ends_with('\n') { self } else { self.line() }
    }

    pub(crate) fn render(&self, has_color: bool) -> Cow<'_, str> {
        if has_color || !self.0.contains(ESCAPE) {
            return Cow::Borrowed(&self.0);
        }
        let mut bare = String::with_capacity(self.0.len());
        let mut left = self.0.as_str();
        // A long list has millions of styles, and what is between them is short.
        while let Some(at) = left.bytes().position(|byte| byte == ESCAPE_BYTE) {
            bare.push_str(&left[..at]);
            // Only our own styles begin like that.
            let end = left[at..].bytes().position(|byte| byte == b'm');
            left = end.map_or("", |end| &left[at + end + 1..]);
        }
        bare.push_str(left);
        Cow::Owned(bare)
    }
}

impl<T: Display> From<T> for Text {
    fn from(text: T) -> Self {
        Self::new().block("", &text.to_string())
    }
}

/// What a style begins with; it ends with an `m`.
const ESCAPE: char = '\u{1b}';
const ESCAPE_BYTE: u8 = b'\x1b';

/// Below that, folding only makes it worse.
const NARROWEST: usize = 20;

fn folded(line: &str, width: usize) -> String {
    if columns(line) <= width {
        return line.to_owned();
    }
    let bare: String = unstyled(line).filter(|(_, is_style)| !is_style).map(|(c, _)| c).collect();
    let begin = bare.len() - bare.trim_start_matches(' ').len();
    let gap = bare[begin..].find("  ").map(|at| begin + at);
    let column = gap.map(|at| {
        let behind = bare[at..].len() - bare[at..].trim_start_matches(' ').len();
        columns(&bare[..at + behind])
    });
    let indent = column.filter(|column| *column <= width / 2).unwrap_or(begin + 2);
    let indent = if indent < width / 2 { indent } else { 2 };
    let (mut out, mut at) = (String::with_capacity(line.len() + 16), 0);
    let next_line = |out: &mut String| {
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent));
        indent
    };
    for word in words(line, width - indent) {
        let room = columns(word.trim_end_matches(' '));
        if at > indent && at + room > width && room > 0 {
            at = next_line(&mut out);
        }
        for (c, columns) in widths(word) {
            if columns > 0 && c != ' ' && at + columns > width {
                at = next_line(&mut out);
            }
            out.push(c);
            at += columns;
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

/// The words of a line with the spaces behind them. One that begins with a backtick goes on to the
/// next backtick, if it takes no more than `most` columns then.
fn words(line: &str, most: usize) -> impl Iterator<Item = &str> {
    let mut left = line;
    std::iter::from_fn(move || {
        let word = left.split(' ').next().unwrap_or_default();
        let quoted = word.find('`').and_then(|at| Some(at + 2 + left[at + 1..].find('`')?));
        let begin = quoted.filter(|end| columns(&left[..*end]) <= most).unwrap_or(0);
        let end = left[begin..].find(' ').map_or(left.len(), |at| begin + at + 1);
        let (word, rest) = left.split_at(end);
        left = rest;
        (!word.is_empty()).then_some(word)
    })
}

pub(crate) fn columns(text: &str) -> usize {
    widths(text).map(|(_, columns)| columns).sum()
}

/// The characters of a text with the columns they take; our own styles take none.
fn widths(text: &str) -> impl Iterator<Item = (char, usize)> {
    unstyled(text).map(|(c, is_style)| (c, if is_style { 0 } else { c.width().unwrap_or(0) }))
}

/// The bytes of a text without our own styles.
fn seen(text: &str) -> usize {
    unstyled(text).filter(|(_, is_style)| !is_style).map(|(c, _)| c.len_utf8()).sum()
}

/// The characters of a text, and of each whether it is a part of our own styles.
fn unstyled(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut is_open = false;
    text.chars().map(move |c| {
        let is_style = is_open || c == ESCAPE;
        is_open = is_style && c != 'm';
        (c, is_style)
    })
}

/// One line of text as it is shown, cut to `width` columns with a mark where it is longer; as it is
/// without a width.
pub(crate) fn clip(text: &str, width: Option<usize>) -> String {
    let text = Text::new().plain(text).0;
    let Some(width) = width.filter(|width| UnicodeWidthStr::width(text.as_str()) > *width) else {
        return text;
    };
    let mut clipped = String::new();
    let mut left = width.saturating_sub(1);
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if columns > left {
            break;
        }
        left -= columns;
        clipped.push(c);
    }
    clipped + "…"
}

/// A text of several lines that a person will read, with what a terminal would act on made visible.
/// Line breaks and tabs stay.
pub(crate) fn harmless(text: String) -> String {
    if !is_hazardous(&text) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        if is_hazard(c) && !matches!(c, '\n' | '\t') {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Writes text with its control characters made visible.
struct Shown<'a>(&'a mut String);

impl fmt::Write for Shown<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_shown(self.0, text);
        Ok(())
    }

    /// What a text is padded with comes like this.
    fn write_char(&mut self, c: char) -> fmt::Result {
        push_shown_char(self.0, c);
        Ok(())
    }
}

fn push_shown(to: &mut String, text: &str) {
    if is_all(text, is_printable) {
        to.push_str(text);
    } else {
        text.chars().for_each(|c| push_shown_char(to, c));
    }
}

fn push_shown_char(to: &mut String, c: char) {
    if is_hazard(c) {
        to.extend(c.escape_default());
    } else {
        to.push(c);
    }
}

/// Whether a terminal would act on more of a text than its line breaks.
pub(crate) fn is_hazardous(text: &str) -> bool {
    !is_all(text, |byte| byte == b'\n' || is_printable(byte))
        && text.chars().any(|c| c != '\n' && is_hazard(c))
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Whether all bytes of a text are like that, which is asked of many at once.
fn is_all(text: &str, is_fine: impl Fn(u8) -> bool) -> bool {
    let (pieces, rest) = text.as_bytes().as_chunks::<32>();
    let all = |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & is_fine(*byte));
    pieces.iter().all(|piece| all(piece)) && all(rest)
}

/// Whether a terminal would act on this character: controls, and the marks
/// that reorder what stands around them.
fn is_hazard(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn push(to: &mut impl fmt::Write, text: fmt::Arguments<'_>) {
    to.write_fmt(text).expect("writing to a string never fails");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &Text, plain: &str, colored: &str) {
        assert_eq!(text.render(false), plain);
        assert_eq!(text.render(true), colored);
    }

    #[test]
    fn only_our_own_styles_reach_the_terminal() {
        check(
            &Text::new().style(BOLD, "RQ-0001").plain(" \x1b[2J\u{9b}31m\r\n\u{202e}evil"),
            "RQ-0001 \\u{1b}[2J\\u{9b}31m\\r\\n\\u{202e}evil",
            "\u{1b}[1mRQ-0001\u{1b}[0m \\u{1b}[2J\\u{9b}31m\\r\\n\\u{202e}evil",
        );
    }

    #[test]
    fn what_people_read_cannot_act() {
        assert_eq!(
            harmless("a\r\n\tb\u{1b}[2J\u{9b}\u{202e}\r\n".to_owned()),
            "a\n\tb\\u{1b}[2J\\u{9b}\\u{202e}\n"
        );
    }

    #[test]
    fn a_block_keeps_its_lines_and_indents_them() {
        check(
            &Text::new().plain("a: ").block("   ", "one\ntwo\n"),
            "a: one\n   two",
            "a: one\n   two",
        );
    }

    #[test]
    fn lines_are_folded_between_words() {
        let folded = |text: Text| text.folded(Some(24)).render(false).into_owned();
        let list = Text::new().style(DIM, "  tags  ").plain("very-long-tag, another");
        assert_eq!(folded(list), "  tags  very-long-tag,\n        another");
        let row = Text::new().style(BOLD, "RQ-0001").plain("  waits for RQ-0002, RQ-0003  a title");
        assert_eq!(
            folded(row.line().plain("short")),
            "RQ-0001  waits for\n         RQ-0002,\n         RQ-0003  a\n         title\nshort"
        );
        assert_eq!(
            folded(Text::new().plain("漢字".repeat(8))),
            format!("{}\n  {}", "漢字".repeat(6), "漢字".repeat(2))
        );
        assert_eq!(
            folded(Text::new().plain("one two three four five six")),
            "one two three four five\n  six"
        );
        assert_eq!(
            folded(
                Text::new()
                    .plain("Next: `ralph run one`, or look into `a very long command line`.")
            ),
            "Next: `ralph run one`,\n  or look into `a very\n  long command line`."
        );
        let long = Text::new().plain("x ".repeat(99));
        assert!(long.clone().folded(None).0 == long.0 && long.clone().folded(Some(5)).0 == long.0);
    }

    #[test]
    fn a_line_is_cut_where_the_terminal_ends() {
        assert_eq!(clip("short", Some(5)), "short");
        assert_eq!(clip("longer\n", None), "longer\\n");
        assert_eq!(clip("longer", Some(5)), "long…");
        assert_eq!(clip("漢字漢字", Some(6)), "漢字…");
        assert_eq!(clip("x", Some(0)), "…");
    }

    #[test]
    fn json_escapes_what_serde_leaves_bare() {
        let text = json_text(&json!({ "title": "\u{1b}[2J\u{9b}\u{7f}" })).expect("json");
        assert_eq!(text, "{\n  \"title\": \"\\u001b[2J\\u009b\\u007f\"\n}");
        let value: serde_json::Value = serde_json::from_str(&text).expect("json");
        assert_eq!(value["title"], "\u{1b}[2J\u{9b}\u{7f}");
    }
}
