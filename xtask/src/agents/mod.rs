//! `cargo xtask agents`: the real agents, driven by their adapters, asking a scripted model.
//!
//! Installs them from npm into the target directory, at versions that are fixed here.

mod bench;
mod server;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ralph_agent::{Ending, Outcome, Programs, Progress, Runner, Turn, TurnReport, run_turn};
use ralph_process::{Cancel, marked};
use serde_json::json;

use crate::cargo::{self, Counts};
pub(crate) use bench::bench;
use server::{Server, Step};

/// Far more than any of these turns takes.
const LIMIT: Duration = Duration::from_mins(3);

/// What is installed: the runner, its package and version.
const AGENTS: [(&str, &str, &str); 4] = [
    ("claude", "@anthropic-ai/claude-code", "2.1.197"),
    ("codex", "@openai/codex", "0.169.0"),
    ("opencode", "opencode-ai", "1.18.33"),
    ("gemini", "@google/gemini-cli", "0.61.0"),
];

/// How an agent stood a check that it did not fail.
enum Stood {
    /// As it should.
    Well,
    /// So many of its processes ran, and none is left.
    AllEnded(usize),
    /// The agent cannot be asked for that.
    NotOffered,
}

type Check = fn(&Stage<'_>) -> Result<Stood, String>;

const CHECKS: [(&str, Check); 17] = [
    ("edits a file, and its session is resumed", edit_and_resume),
    ("a rate limit", |stage| stage.fails(Step::Status(429), "rate_limited")),
    ("a server error", |stage| stage.fails(Step::Status(500), "unavailable")),
    ("a wrong key", |stage| stage.fails(Step::Status(401), "not_authenticated")),
    ("a limit of steps", limited),
    ("an answer by a schema, and none", structured),
    ("cancelled while a tool runs", cancelled),
    ("SIGINT while a tool runs", |stage| stage.signalled("INT")),
    ("SIGTERM while a tool runs", |stage| stage.signalled("TERM")),
    ("SIGHUP while a tool runs", |stage| stage.signalled("HUP")),
    ("SIGQUIT while a tool runs", |stage| stage.signalled("QUIT")),
    ("SIGKILL while a tool runs", |stage| stage.signalled("KILL")),
    ("a stream that stalls", stalled),
    ("a prompt of 200 KB", |stage| stage.says(&"x".repeat(200 << 10), "All done.")),
    ("an answer of 1 MB", |stage| stage.says("go on", &long_answer())),
    ("a tool that prints 1 MB", long_tool_output),
    ("a session that is lost", lost_session),
];

/// `cargo xtask agents [NAME]`.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let Some(bin) = install() else {
        println!("agents: {}", Counts { skipped: 1, ..Counts::default() });
        return ExitCode::SUCCESS;
    };
    let wanted = args.first();
    let agents: Vec<_> = AGENTS
        .map(|(name, ..)| name)
        .into_iter()
        .filter(|name| wanted.is_none_or(|it| it == name))
        .collect();
    let checks = CHECKS.into_iter().flat_map(|check| agents.iter().map(move |name| (*name, check)));
    let (checks, total) = (Mutex::new(checks), Mutex::new(Counts::default()));
    let next = || checks.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((name, check)) = next() {
                    let counts = run_one(name, check, &bin);
                    *total.lock().unwrap_or_else(PoisonError::into_inner) += counts;
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("agents: {total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Most of a check is waiting: for a start, a pause between tries, silence.
const AT_ONCE: usize = 4;

/// One check of one agent, with a model, a home and a work tree of its own.
fn run_one(name: &str, (about, check): (&str, Check), bin: &Path) -> Counts {
    let server = Server::start().expect("a port on loopback");
    let started = Instant::now();
    let stage = Stage::new(name, bin, &server);
    let result = check(&stage).and_then(|stood| stage.is_empty().map(|()| stood));
    let seconds = started.elapsed().as_secs_f32();
    let (passed, failed) = (
        u64::from(matches!(result, Ok(Stood::Well | Stood::AllEnded(_)))),
        u64::from(result.is_err()),
    );
    let (verdict, detail) = match result {
        Ok(Stood::Well) => ("ok", String::new()),
        Ok(Stood::AllEnded(count)) => ("ok", format!(": {count} processes, none left")),
        Ok(Stood::NotOffered) => ("-", ": not offered by this agent".to_owned()),
        Err(problem) => ("FAILED", format!(": {problem}")),
    };
    println!("{name:<9} {verdict:<7} {about} ({seconds:.1} s){detail}");
    Counts { passed, failed, skipped: 0 }
}

/// The directory of the agents' programs; `None`, and said loudly, when they cannot be had.
fn install() -> Option<PathBuf> {
    let skipped = |why: &str| {
        println!("\n*** SKIPPED: the real agents were NOT run: {why}\n");
        None
    };
    let dir = cargo::root().join("target/agents");
    let wanted = AGENTS.map(|(_, package, version)| format!("{package}@{version}"));
    let stamp = dir.join("installed");
    let bin = dir.join("node_modules/.bin");
    if fs_err::read_to_string(&stamp).is_ok_and(|there| there == wanted.join("\n")) {
        return Some(bin);
    }
    fs_err::create_dir_all(&dir).expect("the target directory is writable");
    fs_err::write(dir.join("package.json"), "{\"private\":true}\n").expect("writable");
    let mut npm = cargo::program("npm");
    npm.current_dir(&dir).args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
    match npm.args(&wanted).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        Ok(status) => return skipped(&format!("`npm install` ended with {status}")),
        Err(error) => return skipped(&format!("npm cannot be run: {error}")),
    }
    fs_err::write(stamp, wanted.join("\n")).expect("writable");
    Some(bin)
}

/// Where one check of an agent takes place.
struct Stage<'a> {
    root: tempfile::TempDir,
    runner: Runner,
    server: &'a Server,
}

impl<'a> Stage<'a> {
    fn new(name: &str, bin: &Path, server: &'a Server) -> Self {
        let root = tempfile::tempdir().expect("a directory for temporary files");
        for dir in ["home/.codex", "home/.gemini", "work"] {
            fs_err::create_dir_all(root.path().join(dir)).expect("writable");
        }
        let gemini = json!({ "security": { "auth": { "selectedType": "gemini-api-key" } },
            "general": { "maxAttempts": 2 } });
        let codex = format!(
            "model = \"gpt-5.5\"\nmodel_provider = \"mock\"\n[model_providers.mock]\n\
             name = \"mock\"\nbase_url = \"http://127.0.0.1:{}/v1\"\nwire_api = \"responses\"\n\
             request_max_retries = 1\nstream_max_retries = 1\n",
            server.port
        );
        let write = |path: &str, text: &str| {
            fs_err::write(root.path().join(path), text).expect("writable");
        };
        write("home/.gemini/settings.json", &gemini.to_string());
        write("home/.codex/config.toml", &codex);
        let program = bin.join(name).display().to_string();
        let programs =
            Programs { bins: [(name.to_owned(), program)].into(), ..Programs::default() };
        let runner = Runner::resolve(name, &programs).expect("it was installed");
        Self { root, runner, server }
    }

    fn turn(&self, prompt: &str) -> Turn {
        let path = |name| self.root.path().join(name);
        let url = format!("http://127.0.0.1:{}", self.server.port);
        let model = json!({ "name": "Mock", "limit": { "context": 2_000_000, "output": 2_000_000 },
            "cost": { "input": 1, "output": 2 }, "tool_call": true });
        let opencode = json!({ "provider": { "mock": { "npm": "@ai-sdk/openai-compatible",
                "name": "Mock", "models": { "mock-model": model },
                "options": { "baseURL": format!("{url}/v1"), "apiKey": "dummy" } } },
            "model": "mock/mock-model", "autoupdate": false, "share": "disabled" });
        let home = path("home").into_os_string();
        let text = |text: &str| OsString::from(text);
        let env = [
            ("HOME", home.clone()),
            ("CODEX_HOME", path("home/.codex").into_os_string()),
            ("XDG_CONFIG_HOME", path("home/.config").into_os_string()),
            ("XDG_DATA_HOME", path("home/.local/share").into_os_string()),
            ("TERM", text("dumb")),
            ("ANTHROPIC_BASE_URL", text(&url)),
            ("ANTHROPIC_API_KEY", text("dummy")),
            ("CLAUDE_CODE_MAX_RETRIES", text("1")),
            ("GOOGLE_GEMINI_BASE_URL", text(&url)),
            ("GEMINI_API_KEY", text("dummy")),
            ("OPENCODE_CONFIG_CONTENT", text(&opencode.to_string())),
            ("OPENCODE_DISABLE_DEFAULT_PLUGINS", text("1")),
            ("npm_config_registry", text("http://127.0.0.1:9")),
        ];
        Turn {
            env: env.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            model: (self.runner.name() == "gemini").then(|| "gemini-2.5-pro".to_owned()),
            limit: Some(LIMIT),
            ..Turn::new(prompt, path("work"), path("turn"), self.marker())
        }
    }

    fn marker(&self) -> String {
        self.root.path().display().to_string()
    }

    fn run(&self, turn: &Turn, steps: Vec<Step>) -> Result<TurnReport, String> {
        self.server.play(steps);
        run_turn(&self.runner, turn, &Cancel::new(), &mut |_| {}).map_err(|error| error.to_string())
    }

    fn says(&self, prompt: &str, answer: &str) -> Result<Stood, String> {
        let report = self.run(&self.turn(prompt), vec![Step::Text(answer.to_owned())])?;
        expect("outcome", &report.outcome, &Outcome::Succeeded)?;
        let said = report.final_text.unwrap_or_default();
        expect("length of the answer", &said.trim().len(), &answer.len())
    }

    fn fails(&self, step: Step, outcome: &str) -> Result<Stood, String> {
        let report = self.run(&self.turn("do it"), vec![step])?;
        match report.outcome.as_str() {
            same if same == outcome => Ok(Stood::Well),
            _ => Err(format!("{:?}, expected {outcome}", report.outcome)),
        }
    }

    /// Somebody signals its process group while a tool runs.
    fn signalled(&self, signal: &str) -> Result<Stood, String> {
        let mut count = 0;
        let report = self.in_a_tool(&mut |pid, _| {
            count = marked(&self.marker()).len();
            let mut kill = cargo::program("kill");
            kill.args([&format!("-{signal}"), "--", &format!("-{pid}")]).status().ok();
        })?;
        if signal == "KILL" {
            expect("ending", &report.ending, &Ending::Signal(9))?;
        }
        match report.outcome {
            _ if count < 2 => Err(format!("only {count} processes: no tool was running")),
            Outcome::Succeeded => Err("a success".to_owned()),
            _ => Ok(Stood::AllEnded(count)),
        }
    }

    /// Starts a tool that runs for long, and does `then` when it runs.
    fn in_a_tool(&self, then: &mut dyn FnMut(u32, &Cancel)) -> Result<TurnReport, String> {
        self.server.play(vec![Step::Shell("touch started; sleep 300")]);
        let started = self.root.path().join("work/started");
        let (cancel, over) = (Cancel::new(), Cancel::new());
        let (tell, pid) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let turn = scope.spawn(|| {
                let report = run_turn(&self.runner, &self.turn("do it"), &cancel, &mut |news| {
                    if let Progress::Spawned(identity) = news {
                        tell.send(identity.pid).ok();
                    }
                });
                over.cancel();
                report.map_err(|error| error.to_string())
            });
            while !started.exists() && !over.wait_timeout(Duration::from_millis(20)) {}
            if let Ok(pid) = pid.try_recv() {
                then(pid, &cancel);
            }
            turn.join().expect("a turn does not panic")
        })
    }

    /// Nothing that the agent started is left.
    fn is_empty(&self) -> Result<(), String> {
        expect("processes left", &marked(&self.marker()).len(), &0).map(drop)
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, wanted: &T) -> Result<Stood, String> {
    if is == wanted { Ok(Stood::Well) } else { Err(format!("{what}: {is:?}, expected {wanted:?}")) }
}

/// Without repetitions: an agent may take those for a loop.
fn long_answer() -> String {
    let words: Vec<_> = (0..100_000).map(|number| format!("number-{number}")).collect();
    words.join(" ")
}

fn edit_and_resume(stage: &Stage<'_>) -> Result<Stood, String> {
    let done = || Step::Text("All done.".to_owned());
    let steps = vec![Step::Shell("echo hello > hello.txt"), done()];
    let first = stage.run(&stage.turn("write a file"), steps)?;
    expect("outcome", &first.outcome, &Outcome::Succeeded)?;
    expect("answer", &first.final_text.as_deref(), &Some("All done."))?;
    let text = fs_err::read_to_string(stage.root.path().join("work/hello.txt"));
    expect("file", &text.ok().as_deref(), &Some("hello\n"))?;
    let turn = Turn { resume: first.session_id.clone(), ..stage.turn("go on") };
    let second = stage.run(&turn, vec![done()])?;
    expect("outcome of the second turn", &second.outcome, &Outcome::Succeeded)?;
    expect("session", &second.session_id, &first.session_id)
}

fn limited(stage: &Stage<'_>) -> Result<Stood, String> {
    if !stage.runner.capabilities().limits {
        return Ok(Stood::NotOffered);
    }
    let turn = Turn { steps: Some(2), ..stage.turn("do it") };
    let report = stage.run(&turn, vec![Step::Shell("true")])?;
    match report.outcome {
        Outcome::LimitReached { .. } => Ok(Stood::Well),
        other => Err(format!("{other:?}, expected a limit")),
    }
}

fn structured(stage: &Stage<'_>) -> Result<Stood, String> {
    if !stage.runner.capabilities().schema {
        return Ok(Stood::NotOffered);
    }
    let schema = json!({ "type": "object", "properties": { "answer": { "type": "integer" } },
        "required": ["answer"], "additionalProperties": false });
    let turn = Turn { schema: Some(schema.to_string()), ..stage.turn("how many?") };
    let done = || Step::Text("All done.".to_owned());
    let mut steps = vec![Step::Answer(json!({ "answer": 42 }))];
    if stage.runner.name() == "claude" {
        // There the answer is the use of a tool.
        steps.push(done());
    }
    let report = stage.run(&turn, steps)?;
    expect("outcome", &report.outcome, &Outcome::Succeeded)?;
    let said = report.final_text.unwrap_or_default();
    expect("answer", &serde_json::from_str(&said).ok(), &Some(json!({ "answer": 42 })))?;
    let report = stage.run(&turn, vec![done()])?;
    expect("outcome without the answer", &report.outcome.as_str(), &"failed")
}

fn long_tool_output(stage: &Stage<'_>) -> Result<Stood, String> {
    // Just over 1 MB, no line like another.
    let steps = vec![Step::Shell("seq 1 160000"), Step::Text("All done.".to_owned())];
    let report = stage.run(&stage.turn("count"), steps)?;
    expect("outcome", &report.outcome, &Outcome::Succeeded)?;
    expect("answer", &report.final_text.as_deref(), &Some("All done."))
}

fn cancelled(stage: &Stage<'_>) -> Result<Stood, String> {
    let report = stage.in_a_tool(&mut |_, cancel| cancel.cancel())?;
    expect("outcome", &report.outcome, &Outcome::Interrupted)
}

fn stalled(stage: &Stage<'_>) -> Result<Stood, String> {
    let turn = Turn { silence: Some(Duration::from_secs(12)), ..stage.turn("do it") };
    let report = stage.run(&turn, vec![Step::Hang])?;
    expect("outcome", &report.outcome, &Outcome::Stalled)
}

fn lost_session(stage: &Stage<'_>) -> Result<Stood, String> {
    let id = if stage.runner.name() == "opencode" {
        "ses_00000000000000000000000000"
    } else {
        "99999999-9999-4999-8999-999999999999"
    };
    let turn = Turn { resume: Some(id.to_owned()), ..stage.turn("go on") };
    let report = stage.run(&turn, vec![Step::Text("no".to_owned())])?;
    expect("outcome", &report.outcome, &Outcome::LostSession)
}
