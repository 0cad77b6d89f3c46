//! What an agent's message of an error means.

use std::sync::LazyLock;

use regex::Regex;

use crate::{
    Json, Outcome,
    parser::brief,
    reset::{self, Moment},
};

/// A message of an error, from an event or a line of stderr that holds nothing else.
///
/// Only its beginning is looked at, and what an answer of the provider inside it says of
/// itself: what else a message may hold comes from anywhere.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) text: &'a str,
    pub(crate) when: Option<&'a Moment>,
}

impl Said<'_> {
    /// What it means by itself.
    pub(super) fn meaning(self) -> Outcome {
        let start = self.start();
        let digits = start.len() - start.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let status = (digits == 3).then(|| start[..digits].parse().ok()).flatten();
        let answer = self.text.find('{').and_then(|at| {
            let mut documents = serde_json::Deserializer::from_str(&self.text[at..]).into_iter();
            documents.next()?.ok()
        });
        let answer: Json<'_> = answer.unwrap_or_default();
        let kinds = ["error/code", "error/type", "error/status", "code", "type"];
        let kind = || kinds.iter().find_map(|path| self.by_kind(answer.text(path)?));
        kind()
            .or_else(|| self.by_status(status.unwrap_or_else(|| answer.count("error/code"))))
            .or_else(|| self.by_beginning())
            .unwrap_or_else(|| Outcome::Failed { reason: brief(self.text) })
    }

    /// What a line of it that is an error by its beginning means; `None` when there is none
    /// but of an unknown kind.
    pub(super) fn by_line(self) -> Option<Outcome> {
        let mut told = self.text.lines().rev().map(|text| Self { text, ..self }.meaning());
        told.find(|outcome| !matches!(outcome, Outcome::Failed { .. }))
    }

    /// What a kind of error means, in the words of agents and providers; `None` when it is none
    /// of those that every agent may meet.
    pub(super) fn by_kind(self, kind: &str) -> Option<Outcome> {
        let reason = brief(self.text);
        Some(match kind.strip_prefix("provider.").unwrap_or(kind) {
            "rate_limit"
            | "rate_limit_error"
            | "rate_limit_exceeded"
            | "usage_limit_reached"
            | "RESOURCE_EXHAUSTED" => self.limited(),
            "quota" | "quota_exceeded" | "insufficient_quota" | "billing_error" => {
                Outcome::OutOfQuota { reason }
            }
            "authentication"
            | "authorization"
            | "authentication_failed"
            | "authentication_error"
            | "permission_error"
            | "invalid_api_key"
            | "UNAUTHENTICATED" => Outcome::NotAuthenticated { reason },
            "server_error" | "api_error" | "overloaded" | "overloaded_error" | "transport"
            | "UNAVAILABLE" => Outcome::Unavailable { reason },
            "aborted" => Outcome::Interrupted,
            _ => return None,
        })
    }

    /// What a provider's HTTP status means; `None` when it is about the request itself.
    pub(super) fn by_status(self, status: u64) -> Option<Outcome> {
        let reason = brief(self.text);
        Some(match status {
            401 | 403 => Outcome::NotAuthenticated { reason },
            402 => Outcome::OutOfQuota { reason },
            429 => self.limited(),
            500..=599 => Outcome::Unavailable { reason },
            _ => return None,
        })
    }

    /// A limit of the provider, until the time that it tells.
    pub(super) fn limited(self) -> Outcome {
        Outcome::RateLimited { until: reset::told(self.text, self.when) }
    }

    /// Without the words that say no more than that it is an error.
    fn start(&self) -> &str {
        const PREFIXES: [&str; 9] = [
            "[API Error: ",
            "API Error: ",
            "API Error (",
            "Error: ",
            "error: ",
            "Error code: ",
            "Unrecoverable ",
            "HTTP ",
            "Failed to authenticate. API Error: ",
        ];
        let start = self.text.trim_start();
        PREFIXES.iter().fold(start, |start, prefix| start.strip_prefix(prefix).unwrap_or(start))
    }

    /// What its first words mean; `None` when they are none that are known.
    pub(super) fn by_beginning(self) -> Option<Outcome> {
        // Some write the apostrophe of the typographers.
        let start = self.start().replace('’', "'").to_ascii_lowercase();
        if LIMIT.is_match(&start) {
            return Some(self.limited());
        }
        let (_, kind) = BEGINNINGS.iter().find(|(words, _)| start.starts_with(words))?;
        self.by_kind(kind)
    }
}

/// `5-hour limit reached`, `Claude AI usage limit reached`, `Opus weekly limit reached`, as the
/// whole of the first sentence: what it is a limit of changes from version to version.
static LIMIT: LazyLock<Regex> = LazyLock::new(|| {
    let kinds = r"\d+-hour|usage|session|hourly|daily|weekly|monthly";
    let pattern =
        format!(r"^(?:[\w-]+ ){{0,3}}(?:{kinds}) limit reached(?:$|\s*[∙·|.,-]| resets )");
    Regex::new(&pattern).expect("a valid pattern")
});

/// How messages of errors begin, in small letters, and the kind that they are.
const BEGINNINGS: &[(&str, &str)] = &[
    ("rate limit", "rate_limit"),
    ("too many requests", "rate_limit"),
    ("request rejected (429)", "rate_limit"),
    // Money that was set aside for it, which no time brings back.
    ("you've hit your spend", "quota"),
    ("you've hit your org's monthly spend limit", "quota"),
    ("you hit your spend cap", "quota"),
    ("you've hit your", "rate_limit"),
    ("you've reached your", "rate_limit"),
    ("you're out of extra usage", "rate_limit"),
    ("you have exhausted your", "rate_limit"),
    ("usage limit", "rate_limit"),
    ("quota exceeded", "quota"),
    ("insufficient balance", "quota"),
    ("insufficient credit", "quota"),
    ("insufficient quota", "quota"),
    ("you exceeded your current quota", "quota"),
    ("credit balance is too low", "quota"),
    ("your credit balance is too low", "quota"),
    ("your workspace is out of credits", "quota"),
    ("you're out of credits", "quota"),
    ("you have no quota", "quota"),
    ("payment required", "quota"),
    ("authentication", "authentication"),
    ("failed to authenticate", "authentication"),
    ("unauthorized", "authentication"),
    ("not logged in", "authentication"),
    ("you are not logged in", "authentication"),
    ("invalid api key", "authentication"),
    ("incorrect api key", "authentication"),
    ("api key not valid", "authentication"),
    ("no api key", "authentication"),
    ("missing api key", "authentication"),
    ("oauth token", "authentication"),
    ("oauth authentication", "authentication"),
    ("please run /login", "authentication"),
    ("your access token could not be refreshed", "authentication"),
    ("your organization does not have access", "authentication"),
    ("your organization has been disabled", "authentication"),
    ("this organization has been disabled", "authentication"),
    ("overloaded", "overloaded"),
    ("repeated 529 overloaded", "overloaded"),
    ("no capacity available", "overloaded"),
    ("service unavailable", "overloaded"),
    ("server is overloaded", "overloaded"),
    ("internal server error", "server_error"),
    ("unable to connect to api", "transport"),
    ("cannot connect to api", "transport"),
    ("connection error", "transport"),
    ("request timed out", "transport"),
    ("fetch failed", "transport"),
];

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn an_error_is_known_by_its_beginning_and_by_what_the_provider_says_of_it() {
        let cases = [
            ("429 Too Many Requests", "rate_limited"),
            ("API Error: 529 overloaded", "unavailable"),
            ("API Error: Repeated 529 Overloaded errors", "unavailable"),
            ("API Error (500 {\"type\":\"error\"}) · Retrying", "unavailable"),
            ("API Error: Unable to connect to API (ConnectionRefused)", "unavailable"),
            ("API Error: Connection error.", "unavailable"),
            ("Error: 401 no such key", "not_authenticated"),
            (
                "Error code: 401 - {'error': {'message': 'Invalid Authentication'}}",
                "not_authenticated",
            ),
            (r#"failed: {"type":"error","error":{"type":"rate_limit_error"}}"#, "rate_limited"),
            (r#"[API Error: [{"error":{"code":429,"message":"slow"}}]]"#, "rate_limited"),
            (r#"429 {"error":{"code":"insufficient_quota"}}"#, "out_of_quota"),
            ("Rate limit reached for big", "rate_limited"),
            ("5-hour limit reached ∙ resets 11pm", "rate_limited"),
            ("Claude AI usage limit reached|1764190800", "rate_limited"),
            ("Claude usage limit reached. Your limit will reset at 3pm (UTC).", "rate_limited"),
            ("Opus weekly limit reached ∙ resets Oct 6, 1pm", "rate_limited"),
            ("You've hit your session limit · resets 8:30pm (Asia/Tokyo)", "rate_limited"),
            ("You’ve hit your usage limit. Try again later.", "rate_limited"),
            ("API Error: Request rejected (429) · rate limited", "rate_limited"),
            ("You have exhausted your capacity on this model.", "rate_limited"),
            ("You've hit your org's monthly spend limit", "out_of_quota"),
            ("Credit balance is too low", "out_of_quota"),
            ("Your workspace is out of credits. Add credits to continue.", "out_of_quota"),
            ("402 You have no quota (Request ID: 1)", "out_of_quota"),
            ("Unrecoverable 402: usage limit reached", "out_of_quota"),
            ("Authentication required. Please log in", "not_authenticated"),
            ("OAuth token has expired. Please obtain a new token", "not_authenticated"),
            ("Failed to authenticate. API Error: 401 OAuth token has expired", "not_authenticated"),
            ("Invalid API key · Please run /login", "not_authenticated"),
            ("Not logged in · Please run /login", "not_authenticated"),
            ("Insufficient permissions to write a file", "failed"),
            ("the file says 429: rate limit exceeded", "failed"),
            ("I found that 5-hour limit reached is printed", "failed"),
            ("the weekly limit reached its end in the code that I read", "failed"),
            ("42900 files are too many", "failed"),
            ("", "failed"),
        ];
        for (text, outcome) in cases {
            assert_eq!(Said { text, when: None }.meaning().as_str(), outcome, "{text}");
        }
    }
}
