//! What an agent printed, folded into what it means.

use std::borrow::Cow;
use std::sync::LazyLock;

use ralph_process::Exit;
use ralph_state::Timestamp;
use regex::{Captures, Regex};

use crate::{
    Counted, Ending, Event, Final, Moment, Outcome, Usage,
    adapter::{Adapter, Said},
    json::Json,
};

/// The longest line that is read as an event. The longest seen is 1.2 MB; without a
/// limit one line would be held in memory whatever its length.
const LONGEST_LINE: usize = 64 << 20;

/// Folds the bytes an agent prints into events, and those into session, text, usage and
/// outcome.
///
/// Bytes come in pieces of any size, cut anywhere. A line that is no event, or an event
/// nobody knows, is passed over.
///
/// ```
/// use ralph_agent::{Ending, Outcome, Parser, Runner};
///
/// let mut parser = Parser::new("codex").expect("a known runner");
/// let mut kinds = Vec::new();
/// parser.feed(br#"{"type":"thread.started","thread_id":"0199"}
/// {"type":"item.completed","item":{"type":"agent_message","text":"done"}}
/// {"type":"turn.completed","usage":{"input_tokens":9,"output_tokens":2}}
/// "#, &mut |event| kinds.push(event.kind()));
/// assert_eq!(kinds, ["session", "text", "usage", "final"]);
/// assert_eq!(parser.session_id(), Some("0199"));
/// let verdict = parser.finish(Ending::Code(0), "", &mut |_| {});
/// assert_eq!(verdict.outcome, Outcome::Succeeded);
/// assert_eq!(verdict.final_text.as_deref(), Some("done"));
/// ```
#[derive(Debug)]
pub struct Parser {
    adapter: &'static Adapter,
    facts: Facts,
    /// Whether an answer by a schema was asked for.
    structured: bool,
    line: Vec<u8>,
    /// The line at hand is too long; the rest of it is passed over.
    skipping: bool,
}

/// What a whole stream means.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How the turn ended.
    pub outcome: Outcome,
    /// The session to resume.
    pub session_id: Option<String>,
    /// The last thing the agent said.
    pub final_text: Option<String>,
    /// What it used.
    pub usage: Option<Usage>,
}

/// What is known of a turn from its events.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Whether any line was read that might be an event.
    pub(crate) seen: bool,
    pub(crate) session_id: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) usage: Option<Usage>,
    /// What the final event says; `None` before there is one.
    pub(crate) claim: Option<Claim>,
    /// When a rejected limit ends.
    pub(crate) reset: Option<Timestamp>,
    /// When what is read now was printed.
    pub(crate) now: Option<Moment>,
    /// What an adapter has to remember from one event for a later one.
    pub(crate) memo: Option<String>,
    /// The latest try that failed, while nothing has come after it.
    pub(crate) retry: Option<FailedTry>,
    /// Whether the final event has an answer that fits the schema that was asked for;
    /// `None` with an agent whose text has to tell.
    pub(crate) fits: Option<bool>,
    /// The text goes on rather than starting anew.
    text_open: bool,
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct FailedTry {
    /// The HTTP status.
    pub(crate) status: u64,
    /// What the agent says of it.
    pub(crate) message: String,
}

/// Where an adapter tells the events that it found.
pub(crate) struct Fold<'f> {
    pub(crate) facts: &'f mut Facts,
    sink: &'f mut dyn FnMut(&Event<'_>),
}

impl Fold<'_> {
    /// One event happened.
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        self.facts.take(event);
        (self.sink)(event);
    }

    /// The session has this id, which may have been told before.
    pub(crate) fn session(&mut self, id: Option<&str>) {
        if let Some(id) =
            id.filter(|id| !id.is_empty() && Some(*id) != self.facts.session_id.as_deref())
        {
            self.tell(&Event::Session { id });
        }
    }

    /// The agent says something whole.
    pub(crate) fn text(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.tell(&Event::Text { text, delta: false });
        }
    }

    /// The agent thinks aloud.
    pub(crate) fn reasoning(&mut self, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.tell(&Event::Reasoning { text });
        }
    }

    pub(crate) fn warning(&mut self, message: Option<&str>) {
        if let Some(message) = message {
            self.tell(&Event::Warning { message });
        }
    }

    /// The agent ended like this, without saying its answer again.
    pub(crate) fn ended(&mut self, outcome: Outcome) {
        self.tell(&Event::Final(Final { outcome, text: None }));
    }
}

impl Facts {
    /// A message of an error that was printed now.
    pub(crate) fn said<'a>(&'a self, text: &'a str) -> Said<'a> {
        Said { text, when: self.now.as_ref() }
    }

    /// Whether the answer is one by the schema that was asked for.
    fn fits(&self) -> bool {
        let is_object = || {
            let answer = Json::parse(self.text.as_deref()?)?;
            answer.is_object().then_some(())
        };
        self.fits.unwrap_or_else(|| is_object().is_some())
    }

    fn take(&mut self, event: &Event<'_>) {
        let was_open = std::mem::take(&mut self.text_open);
        if !matches!(event, Event::Warning { .. } | Event::RateLimit { .. }) {
            self.retry = None;
        }
        match event {
            Event::Session { id } => self.session_id = Some((*id).to_owned()),
            // Whoever goes on was not done.
            Event::Step
            | Event::Reasoning { .. }
            | Event::ToolCall { .. }
            | Event::ToolResult { .. } => self.claim = None,
            Event::Text { text, delta } => {
                self.claim = None;
                let said = self.text.get_or_insert_default();
                if !(*delta && was_open) {
                    said.clear();
                }
                said.push_str(text);
                self.text_open = *delta;
            }
            Event::Usage(step) if step.counted == Counted::Step => {
                self.usage.get_or_insert_default().add(*step);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::RateLimit { rejected: true, until } => self.reset = *until,
            Event::Final(Final { outcome, text }) => {
                if let Some(text) = text {
                    self.text = Some((*text).to_owned());
                }
                self.claim = Some(match outcome {
                    Outcome::Succeeded => Claim::Good,
                    bad => Claim::Bad(bad.clone()),
                });
            }
            Event::Retry { status, message, .. } => {
                self.text_open = was_open;
                self.retry = Some(FailedTry {
                    status: status.unwrap_or_default(),
                    message: message.unwrap_or_default().to_owned(),
                });
            }
            Event::RateLimit { .. } | Event::Warning { .. } => self.text_open = was_open,
        }
    }
}

/// What a final event says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Claim {
    Good,
    Bad(Outcome),
}

impl Parser {
    /// For the agent of this name; `None` when there is no such agent.
    pub fn new(runner: &str) -> Option<Self> {
        Some(Self::of(crate::adapter::find(runner)?))
    }

    pub(crate) fn of(adapter: &'static Adapter) -> Self {
        let facts = Facts::default();
        Self { adapter, facts, structured: false, line: Vec::new(), skipping: false }
    }

    /// The agent was asked for an answer by a schema, where it can be: a turn without such
    /// an answer has not succeeded.
    #[must_use]
    pub fn structured(self) -> Self {
        Self { structured: self.adapter.can.schema, ..self }
    }

    /// What follows was printed at this time. Without it a limit that ends `at 11pm` ends at no
    /// known time.
    pub fn printed(&mut self, when: Option<Moment>) {
        self.facts.now = when;
    }

    /// The next piece of what the agent printed; `sink` gets the events that it completes.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&Event<'_>)) {
        if self.adapter.fold.is_none() {
            return self.keep_tail(bytes);
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            if self.skipping || self.line.len() + piece.len() > LONGEST_LINE {
                self.line.clear();
                self.skipping = !ends;
            } else if ends && self.line.is_empty() {
                self.event(piece, sink);
            } else {
                self.line.extend_from_slice(piece);
                if ends {
                    let line = std::mem::take(&mut self.line);
                    self.event(&line, sink);
                }
            }
        }
    }

    /// The session, as soon as it was named.
    pub fn session_id(&self) -> Option<&str> {
        self.facts.session_id.as_deref()
    }

    /// Whether the latest event was a final one.
    pub fn is_final(&self) -> bool {
        self.facts.claim.is_some()
    }

    /// What the stream means, now that the process has ended, with what it said on
    /// stderr.
    pub fn finish(
        mut self,
        ending: Ending,
        stderr: &str,
        sink: &mut dyn FnMut(&Event<'_>),
    ) -> Verdict {
        let rest = std::mem::take(&mut self.line);
        if self.adapter.fold.is_some() {
            // A last line without its newline counts when it is whole.
            self.event(&rest, sink);
        } else if !rest.is_empty() {
            let text = String::from_utf8_lossy(&rest);
            Fold { facts: &mut self.facts, sink }.text(Some(text.trim()));
        }
        let outcome = self.outcome(ending, &plain(stderr));
        let Facts { session_id, text, usage, .. } = self.facts;
        Verdict { outcome, session_id, final_text: text.filter(|text| !text.is_empty()), usage }
    }

    fn event(&mut self, line: &[u8], sink: &mut dyn FnMut(&Event<'_>)) {
        let Some(fold) = self.adapter.fold else { return };
        // Several times as fast as the lossy way where it applies, as nearly always.
        let text =
            str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed);
        let mut take = |text: &str| {
            let event = Json::parse(text)?;
            self.facts.seen |= event.is_object();
            fold(&mut Fold { facts: &mut self.facts, sink }, &event);
            Some(())
        };
        if take(&text).is_none()
            && let Cow::Owned(whole) = without_halves(&text)
        {
            take(&whole);
        }
    }

    /// An agent without events: the end of what it printed is its text.
    fn keep_tail(&mut self, bytes: &[u8]) {
        const TAIL: usize = 256 << 10;
        self.line.extend_from_slice(bytes);
        if self.line.len() > 2 * TAIL {
            self.line.drain(..self.line.len() - TAIL);
        }
    }

    /// Final event, exit and stderr together, in this order of weight: a claim of
    /// failure, a limit of ours, the exit, a claim of success.
    fn outcome(&self, ending: Ending, stderr: &str) -> Outcome {
        let facts = &self.facts;
        let good = facts.claim == Some(Claim::Good)
            || (self.adapter.fold.is_none() && ending == Ending::Code(0));
        let badly = match ending {
            Ending::Code(code) => code != 0,
            // Not by us: nobody knows what it was about to do.
            Ending::Signal(_) => true,
            _ => false,
        };
        if good && !badly {
            let silent = facts.text.as_deref().is_none_or(|text| text.trim().is_empty());
            return if silent && self.adapter.fold.is_some() {
                Outcome::Failed { reason: "it ended without an answer".to_owned() }
            } else if self.structured && !facts.fits() {
                Outcome::Failed { reason: "its answer does not have the schema".to_owned() }
            } else {
                Outcome::Succeeded
            };
        }
        match ending {
            Ending::Cancelled => return Outcome::Interrupted,
            Ending::TimedOut => return Outcome::TimedOut,
            Ending::Stalled => return Outcome::Stalled,
            Ending::Overflowed => return Outcome::Overflowed,
            Ending::Code(code) => {
                if let Some(outcome) = (self.adapter.exit)(facts, code, stderr) {
                    return outcome;
                }
            }
            Ending::Signal(_) | Ending::Lingered | Ending::Asked | Ending::Unseen => {}
        }
        if let Some(Claim::Bad(outcome)) = &facts.claim {
            return outcome.clone();
        }
        let reason = match ending {
            // SIGHUP, SIGINT and SIGTERM are requests.
            Ending::Signal(1 | 2 | 15) => return Outcome::Interrupted,
            Ending::Signal(signal) => format!("killed by signal {signal}"),
            // What it says on stderr when all is well is no reason.
            Ending::Code(0) => "exit code 0".to_owned(),
            Ending::Code(code) => exit_reason(code, stderr),
            Ending::Lingered => "it did not end by itself".to_owned(),
            Ending::Asked => Exit::Asked.to_string(),
            _ => "nobody saw its end".to_owned(),
        };
        match ending {
            Ending::Code(code) if code != 0 && (good || !facts.seen) => Outcome::Failed { reason },
            Ending::Signal(_) if good || self.adapter.fold.is_none() => Outcome::Failed { reason },
            _ => Outcome::Truncated { reason },
        }
    }
}

/// `text` without halves of characters: JavaScript escapes what is left of one that a text was cut
/// in, which is no JSON to anybody else.
fn without_halves(text: &str) -> Cow<'_, str> {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
        let (first, second) = ("u[dD][89abAB][[:xdigit:]]{2}", "u[dD][c-fC-F][[:xdigit:]]{2}");
        let pattern = format!(r"\\(?:{first}\\{second}|(?P<half>{first}|{second})|.)");
        Regex::new(&pattern).expect("a valid pattern")
    });
    if !ESCAPE.captures_iter(text).any(|escape| escape.name("half").is_some()) {
        return Cow::Borrowed(text);
    }
    ESCAPE.replace_all(text, |escape: &Captures<'_>| match escape.name("half") {
        Some(_) => r"\ufffd".to_owned(),
        None => escape[0].to_owned(),
    })
}

fn exit_reason(code: i32, stderr: &str) -> String {
    match stderr.lines().rev().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) => format!("exit code {code}: {}", brief(line)),
        None => format!("exit code {code}"),
    }
}

/// The beginning of a message, short enough for one line of a log.
pub(crate) fn brief(message: &str) -> String {
    const LONGEST: usize = 300;
    let line = message.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// `text` without terminal colours.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        let mut chars = rest.chars();
        chars.next();
        rest = chars.as_str();
    }
    plain.push_str(rest);
    plain
}
