//! The agents Ralph can drive: for each an argv and the meaning of its events.

mod agy;
mod amp;
mod claude;
mod codex;
mod command;
mod copilot;
mod cursor;
mod droid;
mod gemini;
mod kimi;
mod opencode;
mod pi;
mod plugin;
mod said;

use std::{ffi::OsString, fmt, time::Duration};

pub(crate) use said::Said;

use crate::{
    Capabilities, Json, Outcome, Turn, Usage,
    parser::{Facts, Fold},
};

/// One agent.
pub(crate) struct Adapter {
    pub(crate) name: &'static str,
    /// What it is called on `PATH`: first the name that is its alone, then one that other
    /// programs have as well. Empty when only configuration can tell.
    pub(crate) programs: &'static [&'static str],
    /// How to tell which of two agents a program is, where they share a name.
    pub(crate) dialects: Option<Dialects>,
    pub(crate) can: Capabilities,
    /// What stands before `--help` to be told of the flags that a turn uses.
    pub(crate) help: &'static [&'static str],
    /// What is there after a login.
    pub(crate) login: Credentials,
    /// It ends well on SIGINT within this time, and badly on SIGTERM.
    pub(crate) interrupt: Option<Duration>,
    /// How it is started for a turn; the prompt comes on stdin.
    pub(crate) invocation: fn(&Turn) -> Invocation,
    /// Tells the events of a line; `None` when it prints none.
    pub(crate) fold: Option<fn(&mut Fold<'_>, &Json<'_>)>,
    /// What it means by an exit code, with what it said on stderr, when its events and
    /// the code do not tell success together.
    pub(crate) exit: fn(&Facts, i32, &str) -> Option<Outcome>,
}

/// How two agents whose programs have one name are told apart.
#[derive(Clone, Copy)]
pub(crate) struct Dialects {
    /// What the program is asked with.
    pub(crate) ask: &'static [&'static str],
    /// The agent that it is by its answer; `None` when that says nothing.
    pub(crate) tell: fn(&str) -> Option<&'static Adapter>,
}

/// Of what is in here, one thing is there after a login.
#[derive(Clone, Copy)]
pub(crate) struct Credentials {
    /// Variables of the environment.
    pub(crate) variables: &'static [&'static str],
    /// A file or directory.
    pub(crate) kept: Option<Kept>,
}

/// Where an agent keeps its login.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    /// The variable that names another directory than the usual one.
    pub(crate) moved_by: Option<&'static str>,
    /// The usual directory, below the home directory.
    pub(crate) dir: &'static str,
    /// What is in it after a login; empty when the directory itself tells.
    pub(crate) file: &'static str,
}

/// Keys of the providers that an agent with many of them reads from the environment.
const PROVIDERS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "XAI_API_KEY",
    "DEEPSEEK_API_KEY",
    "OPENCODE_API_KEY",
];

/// What is added to a program to start a turn.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    pub(crate) args: Vec<OsString>,
    /// What has to stand after every option, so also after those of the configuration.
    pub(crate) last: Vec<OsString>,
    pub(crate) env: Vec<(&'static str, OsString)>,
    /// What it reads in place of the prompt.
    pub(crate) stdin: Option<String>,
    /// Files among the turn's own, by name, with their text.
    pub(crate) files: Vec<(&'static str, String)>,
}

/// In the order in which they are offered.
pub(crate) const ADAPTERS: [&Adapter; 13] = [
    &claude::ADAPTER,
    &codex::ADAPTER,
    &gemini::ADAPTER,
    &opencode::ADAPTER,
    &opencode::VERSION_2,
    &cursor::ADAPTER,
    &copilot::ADAPTER,
    &amp::ADAPTER,
    &droid::ADAPTER,
    &agy::ADAPTER,
    &kimi::ADAPTER,
    &kimi::LEGACY,
    &pi::ADAPTER,
];

/// Those that configuration makes up: their names stand for no program.
pub(crate) const CONFIGURED: [&Adapter; 2] = [&command::ADAPTER, &plugin::ADAPTER];

/// The agent of this name.
pub(crate) fn find(name: &str) -> Option<&'static Adapter> {
    ADAPTERS.into_iter().chain(CONFIGURED).find(|adapter| adapter.name == name)
}

/// A program that prints events of our own.
pub(crate) const PLUGIN: &Adapter = &plugin::ADAPTER;

impl Adapter {
    /// What most of them have in common.
    const BASE: Self = Self {
        name: "",
        programs: &[],
        dialects: None,
        can: Capabilities::ALL,
        help: &[],
        login: Credentials { variables: &[], kept: None },
        interrupt: None,
        invocation: |_| Invocation::default(),
        fold: None,
        exit: |_, _, _| None,
    };
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Invocation {
    fn new(args: &[&str]) -> Self {
        Self { args: args.iter().map(OsString::from).collect(), ..Self::default() }
    }

    fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(OsString::from));
        self
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

    /// These words stand last.
    fn last(mut self, words: &[&str]) -> Self {
        self.last.extend(words.iter().map(OsString::from));
        self
    }

    /// The session to go on with, or the id of a fresh one.
    fn session(self, turn: &Turn, resume: &str, choose: &str) -> Self {
        // With `=`, as the value is optional to some.
        match (&turn.resume, &turn.session) {
            (Some(id), _) => self.arg(format!("{resume}={id}")),
            (None, Some(id)) => self.arg(format!("{choose}={id}")),
            (None, None) => self,
        }
    }

    fn stdin(mut self, text: String) -> Self {
        self.stdin = Some(text);
        self
    }

    fn file(mut self, name: &'static str, text: String) -> Self {
        self.files.push((name, text));
        self
    }

    /// Sets each of these variables to 1.
    fn switches(self, names: &[&'static str]) -> Self {
        names.iter().fold(self, |invocation, name| invocation.env(name, "1"))
    }

    fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }
}

/// The counts under these names: input, read from and written to a cache, output.
fn usage(counts: &Json<'_>, names: [&str; 4]) -> Usage {
    let [input, cache_read, cache_write, output] = names.map(|name| counts.count(name));
    Usage { input, cache_read, cache_write, output, ..Usage::default() }
}

/// A failure that has no event: it is told on stderr, in a line of its own.
fn on_stderr(facts: &Facts, code: i32, stderr: &str) -> Option<Outcome> {
    if code == 0 || facts.claim.is_some() {
        return None;
    }
    facts.said(stderr).by_line()
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
        let args = [invocation.args, invocation.last].concat().into_iter();
        let args = args.map(|arg| arg.display().to_string());
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
            &expect![[
                r#"exec --json --dangerously-bypass-approvals-and-sandbox -c check_for_update_on_startup=false -c analytics.enabled=false -c features.plugins=false -c otel.exporter="none" -"#
            ]],
        );
        check(
            "codex",
            &full(),
            &expect![[
                r#"exec --json --sandbox workspace-write --skip-git-repo-check --model big -c model_reasoning_effort="high" -c check_for_update_on_startup=false -c analytics.enabled=false -c features.plugins=false -c otel.exporter="none" resume 0199 -"#
            ]],
        );
    }

    #[test]
    fn gemini() {
        check(
            "gemini",
            &bare(),
            &expect![
                "GEMINI_CLI_SYSTEM_DEFAULTS_PATH=/files/gemini-defaults.json --output-format stream-json --skip-trust --approval-mode yolo"
            ],
        );
        check(
            "gemini",
            &full(),
            &expect![
                "GEMINI_CLI_SYSTEM_DEFAULTS_PATH=/files/gemini-defaults.json --output-format stream-json --skip-trust --approval-mode auto_edit --model big --resume 0199"
            ],
        );
    }

    #[test]
    fn opencode() {
        check(
            "opencode",
            &bare(),
            &expect![
                "OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1 OPENCODE_DISABLE_MODELS_FETCH=1 run --format json --auto"
            ],
        );
        check(
            "opencode",
            &full(),
            &expect![
                "OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1 OPENCODE_DISABLE_MODELS_FETCH=1 run --format json --model big --variant high --session 0199"
            ],
        );
    }

    #[test]
    fn an_answer_by_a_schema_is_asked_for() {
        let turn = Turn { schema: Some("{}".to_owned()), ..bare() };
        let args = |agent: &str| (find(agent).unwrap().invocation)(&turn).args;
        assert!(args("claude").ends_with(&["--json-schema".into(), "{}".into()]));
        assert!(args("codex").ends_with(&["--output-schema".into(), "/files/schema.json".into()]));
    }

    #[test]
    fn the_others() {
        let line = |agent: &str, turn: &Turn| {
            let invocation = (find(agent).unwrap().invocation)(turn);
            let env = invocation.env.iter();
            let mut words: Vec<_> =
                env.map(|(name, value)| format!("{name}={}", value.display())).collect();
            words.push(agent.to_owned());
            let args = [invocation.args, invocation.last].concat();
            words.extend(args.iter().map(|arg| arg.display().to_string()));
            words.join(" ") + "\n"
        };
        let agents =
            ["opencode2", "cursor", "copilot", "amp", "droid", "agy", "kimi", "kimi-cli", "pi"];
        let fresh = Turn { session: Some("0188".to_owned()), ..bare() };
        let lines: String =
            agents.iter().flat_map(|agent| [line(agent, &fresh), line(agent, &full())]).collect();
        expect![[r"
            OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1 OPENCODE_DISABLE_MODELS_FETCH=1 opencode2 run --standalone --format json --auto
            OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1 OPENCODE_DISABLE_MODELS_FETCH=1 opencode2 run --standalone --format json --model big --session 0199
            cursor -p --output-format stream-json --force --trust
            cursor -p --output-format stream-json --force --trust --sandbox enabled --model big --resume 0199
            COPILOT_AUTO_UPDATE=false copilot --output-format json --no-ask-user --allow-all-tools --session-id=0188
            COPILOT_AUTO_UPDATE=false copilot --output-format json --no-ask-user --allow-tool write --model big --resume=0199
            AMP_SKIP_UPDATE_CHECK=1 amp -x --stream-json --dangerously-allow-all
            AMP_SKIP_UPDATE_CHECK=1 amp threads continue 0199 -x --stream-json
            FACTORY_DROID_AUTO_UPDATE_ENABLED=false droid exec --output-format stream-json --skip-permissions-unsafe
            FACTORY_DROID_AUTO_UPDATE_ENABLED=false droid exec --output-format stream-json --auto low --model big --reasoning-effort high --session-id 0199
            agy --input-format stream-json --output-format stream-json --dangerously-skip-permissions --print-timeout 1440m --add-dir /work
            agy --input-format stream-json --output-format stream-json --print-timeout 1440m --add-dir /work --model big --effort high --conversation 0199
            KIMI_CODE_NO_AUTO_UPDATE=1 KIMI_DISABLE_TELEMETRY=1 kimi --output-format stream-json -p Read the file /files/prompt.md and do what it says.
            KIMI_CODE_NO_AUTO_UPDATE=1 KIMI_DISABLE_TELEMETRY=1 kimi --output-format stream-json -m big -S 0199 -p Read the file /files/prompt.md and do what it says.
            KIMI_CLI_NO_AUTO_UPDATE=1 kimi-cli --print --input-format text --output-format stream-json --yolo --session 0188
            KIMI_CLI_NO_AUTO_UPDATE=1 kimi-cli --print --input-format text --output-format stream-json --model big --session 0199
            PI_SKIP_VERSION_CHECK=1 PI_TELEMETRY=0 pi -p --mode json
            PI_SKIP_VERSION_CHECK=1 PI_TELEMETRY=0 pi -p --mode json --model big --thinking high --session 0199
        "]].assert_eq(&lines);
        let agy = (find("agy").unwrap().invocation)(&bare());
        expect![[r#"
            {"event":"user","message":{"content":[{"text":"do the task","type":"text"}],"role":"user"}}
        "#]].assert_eq(&agy.stdin.unwrap());
    }

    #[test]
    fn command() {
        check("command", &full(), &expect!["RALPH_PROMPT_FILE=/files/prompt.md"]);
    }
}
