//! Finding tasks by what they say.

use regex::{Regex, RegexBuilder};

use crate::task::Task;

/// What to look for.
#[derive(Clone, Debug)]
pub struct Pattern(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Regex(Regex),
    /// Characters in this order, others between them; none are capitals if case does not matter.
    Fuzzy {
        wanted: Vec<char>,
        match_case: bool,
    },
}

/// A regular expression that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no regular expression: {problem}")]
#[non_exhaustive]
pub struct PatternError {
    /// What was given.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Pattern {
    /// A part of the text.
    pub fn substring(text: &str, match_case: bool) -> Result<Self, PatternError> {
        Self::regex(&regex::escape(text), !match_case)
    }

    /// A regular expression; `ignore_case` can be undone in it by `(?-i)`.
    pub fn regex(pattern: &str, ignore_case: bool) -> Result<Self, PatternError> {
        let regex = RegexBuilder::new(pattern).case_insensitive(ignore_case).build();
        regex.map(|regex| Self(Kind::Regex(regex))).map_err(|error| PatternError {
            pattern: pattern.to_owned(),
            problem: {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.strip_prefix("error: ").unwrap_or(last).to_owned()
            },
        })
    }

    /// The characters of `text` in their order, with others between them.
    pub fn fuzzy(text: &str, match_case: bool) -> Self {
        let wanted = text.chars().filter(|c| !c.is_whitespace());
        let wanted = wanted.flat_map(|c| folded(c, match_case)).collect();
        Self(Kind::Fuzzy { wanted, match_case })
    }

    /// Whether `text` has it.
    pub fn matches(&self, text: &str) -> bool {
        self.score(text).is_some()
    }

    /// How well `text` fits, higher is better; `None` when it does not. Only a fuzzy pattern
    /// tells better from worse.
    pub fn score(&self, text: &str) -> Option<u32> {
        match &self.0 {
            Kind::Regex(regex) => regex.is_match(text).then_some(0),
            Kind::Fuzzy { wanted, match_case } => fuzzy_score(wanted, text, *match_case),
        }
    }

    /// The best score among everything that a task says.
    pub fn score_of<W: AsRef<str>>(&self, task: &Task<W>) -> Option<u32> {
        let texts = [&task.description, &task.request].into_iter().flatten();
        let lists = [&task.tags, &task.scope, &task.evidence, &task.plan, &task.notes];
        let fields = &task.custom_fields;
        let fields = fields.iter().flat_map(|(key, value)| [key.as_str(), value.as_ref()]);
        let mut scores = [&task.title]
            .into_iter()
            .chain(texts)
            .chain(lists.into_iter().flatten())
            .map(W::as_ref)
            .chain(fields)
            .chain([task.id.as_str()])
            .filter_map(|text| self.score(text));
        match self.0 {
            // One is as good as another.
            Kind::Regex(_) => scores.next(),
            Kind::Fuzzy { .. } => scores.max(),
        }
    }
}

/// Two points for a character, two more right behind the one before, one more at the beginning of
/// a word; never less than one, so that a long gap is no mismatch.
fn fuzzy_score(wanted: &[char], text: &str, match_case: bool) -> Option<u32> {
    let before = std::iter::once(' ').chain(text.chars());
    if text.is_ascii() {
        // Most texts are, and each character of them is one when it is folded.
        let fold = |c: char| if match_case { c } else { c.to_ascii_lowercase() };
        return score_in(wanted, before.zip(text.chars().map(fold)));
    }
    let folded = |(before, c)| folded(c, match_case).map(move |folded| (before, folded));
    score_in(wanted, before.zip(text.chars()).flat_map(folded))
}

/// The score in a text by its characters, each behind what stands before it.
fn score_in(wanted: &[char], text: impl Iterator<Item = (char, char)>) -> Option<u32> {
    let (mut score, mut left, mut last_hit) = (1, wanted, false);
    for (before, c) in text {
        let [want, rest @ ..] = left else { break };
        let hit = c == *want;
        if hit {
            left = rest;
            score += 2 + 2 * u32::from(last_hit) + u32::from(!before.is_alphanumeric());
        }
        last_hit = hit;
    }
    left.is_empty().then_some(score)
}

fn folded(c: char, match_case: bool) -> impl Iterator<Item = char> {
    let lower = (!match_case).then(|| c.to_lowercase()).into_iter().flatten();
    match_case.then_some(c).into_iter().chain(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_finds_its_own() {
        let substring = |text, case| Pattern::substring(text, case).unwrap();
        assert!(substring("A.B", false).matches("xa.by"));
        assert!(!substring("a.b", false).matches("axb"));
        assert!(!substring("A", true).matches("a"));
        assert!(Pattern::regex("^a.b$", false).unwrap().matches("axb"));
        let error = Pattern::regex("a(", true).unwrap_err();
        assert_eq!((error.pattern.as_str(), error.problem.as_str()), ("a(", "unclosed group"));
        let fuzzy = Pattern::fuzzy("fx prs", false);
        assert!(fuzzy.matches("Fix the parser") && !fuzzy.matches("parser, fix"));
        assert!(fuzzy.score("fx prs") > fuzzy.score("fix the parser"));
    }

    #[test]
    fn everything_a_task_says_is_searched() {
        let task = Task {
            description: Some("deep".to_owned()),
            custom_fields: [("owner".to_owned(), "ann".to_owned())].into(),
            ..Task::new("RQ-0001".parse().unwrap(), "title")
        };
        for word in ["title", "deep", "owner", "ann", "rq-0001"] {
            assert!(Pattern::substring(word, false).unwrap().score_of(&task).is_some(), "{word}");
        }
        assert_eq!(Pattern::fuzzy("nothing", false).score_of(&task), None);
    }
}
