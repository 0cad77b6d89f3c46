//! The agents Ralph can drive: for each an argv and the meaning of its events.

mod claude;
mod codex;
mod command;
mod gemini;
mod opencode;

use std::{ffi::OsString, fmt};

use crate::{
    Json, Outcome, Turn,
    parser::{Facts, Fold, brief},
};

/// One agent.
pub(crate) struct Adapter {
    pub(crate) name: &'static str,
    /// What it is called on `PATH`; empty when only configuration can tell.
    pub(crate) program: &'static str,
    /// Whether a later turn can go on with an earlier one's session.
    pub(crate) resumable: bool,
    /// How it is started for a turn; the prompt comes on stdin.
    pub(crate) invocation: fn(&Turn) -> Invocation,
    /// What an event adds to the facts; `None` when it prints none.
    pub(crate) fold: Option<fn(&mut Fold<'_>, &Json<'_>)>,
    /// What it means by an exit code, with what it said on stderr, when its events and
    /// the code do not tell success together.
    pub(crate) exit: fn(&Facts, i32, &str) -> Option<Outcome>,
}

/// What is added to a program to start a turn.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(&'static str, OsString)>,
}

/// In the order in which they are offered.
pub(crate) const ADAPTERS: [&Adapter; 5] =
    [&claude::ADAPTER, &codex::ADAPTER, &gemini::ADAPTER, &opencode::ADAPTER, &command::ADAPTER];

/// The agent of this name.
pub(crate) fn find(name: &str) -> Option<&'static Adapter> {
    ADAPTERS.into_iter().find(|adapter| adapter.name == name)
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Invocation {
    fn new(args: &[&str]) -> Self {
        Self { args: args.iter().map(OsString::from).collect(), env: Vec::new() }
    }

    fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// `flag` and `value`, if there is a value.
    fn option(self, flag: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.arg(flag).arg(value),
            None => self,
        }
    }

    fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }
}

/// What a provider's HTTP status means; `None` when it is about the request itself.
fn by_status(status: u64, message: &str) -> Option<Outcome> {
    let reason = brief(message);
    Some(match status {
        401 | 403 => Outcome::NotAuthenticated { reason },
        402 => Outcome::OutOfQuota { reason },
        429 => Outcome::RateLimited { until: None },
        500..=599 => Outcome::Unavailable { reason },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::find;
    use crate::{Access, Turn};

    fn check(agent: &str, turn: &Turn, expected: &Expect) {
        let invocation = (find(agent).unwrap().invocation)(turn);
        let env = invocation.env.iter().filter(|(name, _)| *name != "IS_SANDBOX");
        let env = env.map(|(name, value)| format!("{name}={}", value.display()));
        let args = invocation.args.iter().map(|arg| arg.display().to_string());
        expected.assert_eq(&env.chain(args).collect::<Vec<_>>().join(" "));
    }

    fn bare() -> Turn {
        Turn::new("do the task", "/work", "/files", "marker")
    }

    fn full() -> Turn {
        Turn {
            model: Some("big".to_owned()),
            effort: Some("high".to_owned()),
            resume: Some("0199".to_owned()),
            access: Access::Edits,
            ..bare()
        }
    }

    #[test]
    fn claude() {
        check(
            "claude",
            &bare(),
            &expect![
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 -p --output-format stream-json --verbose --dangerously-skip-permissions"
            ],
        );
        check(
            "claude",
            &full(),
            &expect![
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 -p --output-format stream-json --verbose --permission-mode acceptEdits --model big --effort high --resume=0199"
            ],
        );
        let chosen = Turn { session: Some("0188".to_owned()), ..bare() };
        check(
            "claude",
            &chosen,
            &expect![
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 -p --output-format stream-json --verbose --dangerously-skip-permissions --session-id=0188"
            ],
        );
    }

    #[test]
    fn codex() {
        check(
            "codex",
            &bare(),
            &expect![
                "exec --json --dangerously-bypass-approvals-and-sandbox -c check_for_update_on_startup=false -"
            ],
        );
        check(
            "codex",
            &full(),
            &expect![[
                r#"exec --json --sandbox workspace-write --skip-git-repo-check --model big -c model_reasoning_effort="high" -c check_for_update_on_startup=false resume 0199 -"#
            ]],
        );
    }

    #[test]
    fn gemini() {
        check(
            "gemini",
            &bare(),
            &expect!["--output-format stream-json --skip-trust --approval-mode yolo"],
        );
        check(
            "gemini",
            &full(),
            &expect![
                "--output-format stream-json --skip-trust --approval-mode auto_edit --model big --resume 0199"
            ],
        );
    }

    #[test]
    fn opencode() {
        check(
            "opencode",
            &bare(),
            &expect!["OPENCODE_DISABLE_AUTOUPDATE=1 run --format json --auto"],
        );
        check(
            "opencode",
            &full(),
            &expect![
                "OPENCODE_DISABLE_AUTOUPDATE=1 run --format json --model big --variant high --session 0199"
            ],
        );
    }

    #[test]
    fn command() {
        check("command", &full(), &expect!["RALPH_PROMPT_FILE=/files/prompt.md"]);
    }
}
