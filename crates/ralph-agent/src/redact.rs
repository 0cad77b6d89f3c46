//! Secrets are left out of what is shown, recorded or told to an agent.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";
/// A shorter value of a variable may be a word of any text.
const SHORTEST_VALUE: usize = 8;

/// Keys and tokens, by the beginnings that their issuers give them, and values that a name
/// says to be secret. What a group named `keep` or `after` holds stays.
///
/// A hash, a UUID and a number of tokens are none of these.
static SECRETS: LazyLock<Regex> = LazyLock::new(|| {
    let patterns = [
        // Anthropic, OpenAI and who sells their models.
        r"\bsk-ant-[A-Za-z0-9_-]{8,}",
        r"\bsk-(?:proj|svcacct|admin|or-v1|live|test)-[A-Za-z0-9_-]{16,}",
        r"\bsk-[A-Za-z0-9]{20,}",
        // GitHub, GitLab, Slack, AWS, Google, JSON Web Tokens.
        r"\bgh[oprsu]_[A-Za-z0-9]{20,}",
        r"\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bglpat-[A-Za-z0-9_-]{20,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_-]{30,}",
        r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        // A private key, its line breaks perhaps escaped.
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[A-Za-z0-9+/=\s]|\\[nr])*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        r"(?i:(?P<bearer>\bbearer\s+)[A-Za-z0-9._~+/=-]{16,})",
        // `API_KEY=…`, `--token=…`, `"password": "…"`.
        r#"(?i:(?P<name>\b(?:[A-Z0-9_-]*(?:token|secret|password|passwd)|(?P<key>[A-Z0-9_-]+)[_-]key|apikey)(?:=["']?|\\?"\s*:\s*\\?"))(?P<value>[^\s"'\\&;,]{4,}))"#,
        // `https://user:…@host`.
        r"(?P<user>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/:@]+(?P<host>@)",
    ];
    Regex::new(&patterns.join("|")).expect("the patterns are valid")
});

/// What is left out of a text: what looks like a secret, and the values of the environment's
/// secret variables.
///
/// ```
/// use ralph_agent::Redaction;
///
/// let variables = [("NPM_TOKEN", "hunter2hunter2"), ("HOME", "/home/somebody")];
/// let redaction = Redaction::with_variables(variables);
/// let said = "401 for sk-ant-api03-AAAAAAAA of hunter2hunter2 in /home/somebody";
/// assert_eq!(redaction.text(said), "401 for [redacted] of [redacted] in /home/somebody");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    values: Vec<String>,
}

impl Redaction {
    /// Leaves out, besides what looks like a secret, the values of those `variables` whose
    /// names end in `KEY`, `TOKEN`, `SECRET`, `PASSWORD` or `CREDENTIALS`, if they are of at
    /// least eight characters.
    pub fn with_variables<'v>(variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let is_secret = |name: &str| {
            let name = name.to_ascii_uppercase();
            ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIALS"]
                .iter()
                .any(|end| name.ends_with(end))
        };
        let values = variables
            .into_iter()
            .filter(|(name, value)| is_secret(name) && value.len() >= SHORTEST_VALUE)
            .map(|(_, value)| value.to_owned());
        let mut values: Vec<String> = values.collect();
        // One may be the beginning of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    /// `text` without secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for value in
            self.values.iter().filter(|value| text.contains(value.as_str())).collect::<Vec<_>>()
        {
            text = Cow::Owned(text.replace(value.as_str(), REDACTED));
        }
        match SECRETS.replace_all(&text, replaced) {
            // What was found may have been harmless.
            Cow::Owned(new) if new != text => Cow::Owned(new),
            _ => text,
        }
    }
}

fn replaced(found: &Captures<'_>) -> String {
    let kept = |name| found.name(name).map_or("", |kept| kept.as_str());
    if is_harmless(found) {
        return format!("{}{}", kept("name"), SECRETS.replace_all(kept("value"), replaced));
    }
    let before = [kept("bearer"), kept("name"), kept("user")].concat();
    format!("{before}{REDACTED}{}", kept("host"))
}

/// A word for the lack of a secret, or for where it comes from.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"^(?:(?i:false|none|null|true)|\$[A-Z][A-Z0-9_]*|\$\{[A-Z][A-Z0-9_]*\}|\$?\{\{[A-Za-z_.]*(?:\}\})?|<[A-Za-z_-]+>?)$";
    Regex::new(pattern).expect("the pattern is valid")
});

/// Whether what a name says to be secret is a placeholder; or the name is that of a key which opens
/// nothing. It may hold a secret all the same.
fn is_harmless(found: &Captures<'_>) -> bool {
    let opens_nothing = ["cache", "foreign", "partition", "primary", "public", "sort"];
    let is_one = |key: &str| opens_nothing.iter().any(|it| it.eq_ignore_ascii_case(key));
    found.name("key").is_some_and(|key| is_one(key.as_str()))
        || found.name("value").is_some_and(|value| PLACEHOLDER.is_match(value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(text: &str, expected: &str) {
        let once = Redaction::default().text(text).into_owned();
        assert_eq!(once, expected);
        assert_eq!(Redaction::default().text(&once), expected, "once is enough");
    }

    #[test]
    fn what_looks_like_a_secret_is_left_out() {
        for secret in [
            "sk-ant-api03-SECRETsecret_-x",
            "sk-proj-abcDEF0123456789_-xyz",
            "sk-0123456789abcdef0123456789abcdef",
            "ghp_0123456789abcdefABCDEF0123456789abcd",
            "gho_0123456789abcdefABCDEF0123456789abcd",
            "github_pat_11ABCDEFG0123456789_abcdefghij",
            "xoxb-123456789012-abcdefABCDEF",
            "AKIAIOSFODNN7EXAMPLE",
            "AIzaSyA0123456789abcdefghijklmnopqrstuv",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----",
        ] {
            becomes(&format!("boom {secret}, again"), "boom [redacted], again");
        }
        becomes("Authorization: Bearer abcdef.0123456789~x", "Authorization: Bearer [redacted]");
        becomes(
            "env OPENAI_API_KEY=abcd1234 GH_TOKEN='x y'",
            "env OPENAI_API_KEY=[redacted] GH_TOKEN='x y'",
        );
        becomes("--password=hunter2 --x", "--password=[redacted] --x");
        becomes(
            r#"{"client_secret": "abcd", "n": 1}"#,
            r#"{"client_secret": "[redacted]", "n": 1}"#,
        );
        becomes("API_KEY=<sk-ant-api03-SECRETsecret>", "API_KEY=[redacted]");
        becomes("primary_key=AKIAIOSFODNN7EXAMPLE", "primary_key=[redacted]");
        becomes("TOKEN=${X:-hunter2}", "TOKEN=[redacted]");
        becomes(
            "DB_PASSWORD=$uper$ecret1 and PASSWORD=$2b$12$abc",
            "DB_PASSWORD=[redacted] and PASSWORD=[redacted]",
        );
        becomes("fetch https://me:pass@host/x.git", "fetch https://me:[redacted]@host/x.git");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "9e107d9d372bb6826bd81d3542a419d69e107d9d372bb6826bd81d3542a419d6",
            "0199c2a0-7b7e-7c1e-9b59-0c8a4d3c2f11 is the session",
            "error: prompt is too long: 210000 tokens > 200000",
            "max_tokens=4096, key=value, sort_keys=true",
            "unexpected token: expected `;`",
            "sort_key=created_at and foreign_key=user_id, refresh_token=none, Token=None",
            "set API_KEY=<your key>, or TOKEN=$GITHUB_TOKEN, or \"password\": \"${PASSWORD}\"",
            "disk-usage-of-the-whole-workspace-is-high",
            "see https://example.com:8080/path and git@github.com:me/x.git",
            "the bearer of bad news",
            "task-manager/risk-assessment-of-everything-here",
        ] {
            becomes(text, text);
            assert!(matches!(Redaction::default().text(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
