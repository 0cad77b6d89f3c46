//! `ralph runner …`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ralph_agent::{
    Access, Capabilities, Ending, Event, Login, Moment, Parser, Player, Probe, Programs, Redaction,
    Runner, RunnerError, Stage, Surroundings, Verdict, When,
};
use ralph_config::{AgentConfig, Config, ConfiguredRunner};
use ralph_state::Clock as _;
use serde_json::{Value, json};

use crate::args::{ParseArgs, PlayArgs, RunnerArgs, RunnerCommand, TextOrJson};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::Project;
use crate::render::envelope::{List, Schema};
use crate::ui::{BOLD, Text};

pub(crate) fn runner(context: &Context, args: &RunnerArgs) -> Result<ExitCode, CliError> {
    let exit = match &args.command {
        RunnerCommand::List(args) => list(context, args.format),
        RunnerCommand::Capabilities(args) => capabilities(context, &args.runner, args.format),
        RunnerCommand::Probe(args) => probe(context, args.runner.as_deref()),
        RunnerCommand::Parse(args) => parse(context, args),
        // It ends as the script says, whatever our own exit codes mean.
        RunnerCommand::Play(args) => return play(context, args),
    }?;
    Ok(exit.into())
}

/// Where agents are looked for, as the configuration says.
pub(crate) fn programs(
    context: &Context,
    root: &Path,
    config: &Config,
) -> Result<Programs, CliError> {
    let agent = &config.agent;
    Ok(Programs {
        bins: agent.bins(),
        command: agent.command.as_ref().map(|it| it.argv.clone()),
        runners: words(agent, |it| &it.argv),
        args: words(agent, |it| &it.args),
        player: Some(Player { argv: player(context)?, base: root.to_owned() }),
        ..outside(context)
    })
}

/// What the configuration has of each runner, where it has that.
fn words(
    agent: &AgentConfig,
    of: fn(&ConfiguredRunner) -> &Vec<String>,
) -> BTreeMap<String, Vec<String>> {
    let runners = agent.runners.iter().map(|(name, it)| (name.clone(), of(it).clone()));
    runners.filter(|(_, words)| !words.is_empty()).collect()
}

/// What the configuration lets a runner do unasked.
pub(crate) fn access(config: &Config, runner: &str) -> Access {
    if config.agent.full_access(runner) { Access::Full } else { Access::Edits }
}

/// Where agents are looked for outside of a repository.
fn outside(context: &Context) -> Programs {
    Programs { path: context.env.get("PATH").map(OsString::from), ..Programs::default() }
}

fn player(context: &Context) -> Result<Vec<OsString>, CliError> {
    Ok(vec![context.executable()?.into(), "runner".into(), "play".into()])
}

/// The repository at hand, if there is one: an agent can be looked at anywhere.
fn here(context: &Context) -> Result<(Option<Project>, Programs), CliError> {
    match Project::open(context, "ralph runner") {
        Ok(project) => {
            let programs = programs(context, &project.root, &project.settings.config)?;
            Ok((Some(project), programs))
        }
        Err(error) if error.kind == ErrorKind::NotARepository => Ok((None, outside(context))),
        Err(error) => Err(error),
    }
}

fn list(context: &Context, format: TextOrJson) -> Result<Exit, CliError> {
    let (project, programs) = here(context)?;
    let dir = directory(context, project.as_ref())?;
    let known = Runner::known().into_iter().map(str::to_owned);
    let names: Vec<String> = known.chain(plugins(&programs)).collect();
    let mut rows = Vec::new();
    for name in names {
        let program = match Runner::resolve(&name, &programs) {
            Ok(runner) => runner.is_there(&dir).then(|| runner.program().display().to_string()),
            Err(RunnerError::Missing { .. } | RunnerError::NoProgram { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        rows.push((name, program));
    }
    if context.ui.wants_json() || format == TextOrJson::Json {
        let runners: Vec<Value> = rows
            .iter()
            .map(|(name, program)| {
                let can = of_name(name);
                json!({ "name": name, "program": program, "capabilities": can })
            })
            .collect();
        context.ui.print_json(&List::all(Schema::v1("runners"), None, &runners))?;
        return Ok(Exit::Done);
    }
    let mut text = Text::new();
    for (name, program) in &rows {
        let program = program.as_deref().unwrap_or("(not here)");
        text = text.plain(format_args!("{name:<10}  {program}")).line();
    }
    context.ui.print(text)?;
    Ok(Exit::Done)
}

/// Where an agent would be started: the repository, if there is one.
fn directory(context: &Context, project: Option<&Project>) -> Result<PathBuf, CliError> {
    project.map_or_else(|| context.directory(), |project| Ok(project.root.clone()))
}

fn plugins(programs: &Programs) -> impl Iterator<Item = String> {
    programs.runners.keys().filter(|name| Runner::capabilities_of(name).is_none()).cloned()
}

/// A name that is no agent's is a plugin's.
fn of_name(name: &str) -> Option<Capabilities> {
    Runner::capabilities_of(name).or_else(|| Runner::capabilities_of("plugin"))
}

fn capabilities(context: &Context, name: &str, format: TextOrJson) -> Result<Exit, CliError> {
    let (_, programs) = here(context)?;
    let can = match Runner::resolve(name, &programs) {
        Ok(runner) => runner.capabilities(),
        Err(error @ (RunnerError::Missing { .. } | RunnerError::NoProgram { .. })) => {
            of_name(name).ok_or(error)?
        }
        Err(error) => return Err(error.into()),
    };
    if context.ui.wants_json() || format == TextOrJson::Json {
        context.ui.print_json(&json!({
            "schema": Schema::v1("runner-capabilities"),
            "runner": name,
            "capabilities": can,
        }))?;
        return Ok(Exit::Done);
    }
    let Capabilities { resume, session, model, effort, edits, limits, schema, tokens, cost } = can;
    let rows = [
        (resume, "goes on with an earlier session"),
        (session, "takes a session id chosen ahead"),
        (model, "takes a model"),
        (effort, "takes an effort"),
        (edits, "can be kept to editing files"),
        (limits, "stops by itself after so many steps or dollars"),
        (schema, "answers by a JSON schema"),
        (tokens, "tells the tokens it used"),
        (cost, "tells what it cost"),
    ];
    let mut text = Text::new().style(BOLD, name).line();
    for (has, what) in rows {
        text = text.plain(format_args!("  {:<3}  {what}", if has { "yes" } else { "no" })).line();
    }
    context.ui.print(text)?;
    Ok(Exit::Done)
}

fn probe(context: &Context, name: Option<&str>) -> Result<Exit, CliError> {
    let (project, programs) = here(context)?;
    if let Some(project) = &project {
        super::run::setup::trusted(context, project, "ralph runner probe")?;
    }
    let dir = directory(context, project.as_ref())?;
    let interrupts = ralph_process::listen()?;
    let variable = |name: &str| context.env.get(name).map(OsString::from);
    let look = |runner: &Runner| {
        let config = project.as_ref().map(|project| &project.settings.config);
        let access = config.map_or(Access::Full, |config| access(config, runner.name()));
        let around = Surroundings { dir: &dir, access, variable: &variable };
        ralph_agent::probe(runner, around, interrupts.cancel()).map_err(|error| {
            CliError::new(ErrorKind::Missing, error)
                .context(format!("cannot run the runner `{}`", runner.name()))
        })
    };
    let mut probes = Vec::new();
    // What cannot be run says nothing about the others.
    let mut failures = Vec::new();
    if let Some(name) = name {
        probes.push(look(&Runner::resolve(name, &programs)?)?);
    } else {
        let known = Runner::known().into_iter().filter(|name| *name != "command");
        for name in known.map(str::to_owned).chain(plugins(&programs)) {
            let probe = match Runner::resolve(&name, &programs) {
                Ok(runner) => look(&runner),
                Err(RunnerError::Missing { .. }) => continue,
                Err(error) => Err(error.into()),
            };
            match probe {
                Ok(probe) => probes.push(probe),
                Err(error) => failures.push((name, error.chain().join(": "))),
            }
        }
    }
    if name.is_none() {
        without_twins(&mut probes);
    }
    if context.ui.wants_json() {
        let failures: Vec<Value> = failures
            .iter()
            .map(|(runner, error)| json!({ "runner": runner, "error": error }))
            .collect();
        context.ui.print_json(&json!({
            "schema": Schema::v1("runner-probes"),
            "probes": probes,
            "failures": failures,
        }))?;
        return Ok(Exit::Done);
    }
    if probes.is_empty() && failures.is_empty() {
        context.ui.print("No agent is installed.")?;
        return Ok(Exit::Done);
    }
    let text = probes.iter().fold(Text::new(), shown);
    let text = failures.iter().fold(text, |text, (runner, error)| {
        text.style(BOLD, runner).line().plain(format_args!("  {:<9} {error}", "error")).line()
    });
    context.ui.print(text)?;
    Ok(Exit::Done)
}

/// Leaves out a program that is shown as the agent that it is, under another name that two
/// agents have.
fn without_twins(probes: &mut Vec<Probe>) {
    let there: Vec<_> = probes.iter().map(|it| (it.runner.clone(), it.program.clone())).collect();
    probes.retain(|probe| {
        let is_there = there.contains(&(probe.driven_as.to_owned(), probe.program.clone()));
        probe.driven_as == probe.runner || !is_there
    });
}

fn shown(text: Text, probe: &Probe) -> Text {
    let Probe { runner, program, driven_as, version, missing_flags, login, arguments, environment } =
        probe;
    let login = match login {
        Login::Variable(name) => format!("`{name}` is set"),
        Login::File(file) => format!("`{}` is there", file.display()),
        Login::Nowhere => "none found".to_owned(),
        Login::Unknown => "unknown".to_owned(),
    };
    let mut rows = vec![
        ("program", program.display().to_string()),
        ("version", version.clone().unwrap_or_else(|| "unknown".to_owned())),
        ("login", login),
    ];
    if driven_as != runner && *driven_as != "plugin" {
        rows.insert(1, ("driven as", (*driven_as).to_owned()));
    }
    if !missing_flags.is_empty() {
        rows.push(("lacks", missing_flags.join(" ")));
    }
    rows.push(("runs with", arguments.join(" ")));
    rows.extend(environment.iter().map(|(name, value)| ("sets", format!("{name}={value}"))));
    rows.into_iter().fold(text.style(BOLD, runner).line(), |text, (name, value)| {
        text.plain(format_args!("  {name:<9} {value}")).line()
    })
}

fn parse(context: &Context, args: &ParseArgs) -> Result<Exit, CliError> {
    // Another name may be that of a plugin of the repository.
    let language = match Parser::new(&args.runner) {
        Some(parser) => Some(parser),
        None if plugins(&here(context)?.1).any(|name| name == args.runner) => Parser::new("plugin"),
        None => None,
    };
    let mut parser = language.ok_or_else(|| {
        CliError::new(ErrorKind::NotFound, format!("there is no runner `{}`", args.runner))
            .hint(format!("Known runners: {}, plugin.", Runner::known().join(", ")))
    })?;
    let stderr = match &args.stderr {
        Some(path) => String::from_utf8_lossy(&fs_err::read(path)?).into_owned(),
        None => String::new(),
    };
    let mut input: Box<dyn Read> = if args.file == Path::new("-") {
        parser.printed(Moment::here(context.clock.now()));
        Box::new(io::stdin().lock())
    } else {
        let file = fs_err::File::open(&args.file)?;
        parser.printed(Moment::of(&file.metadata()?));
        Box::new(file)
    };
    let as_lines = args.events && !context.ui.wants_json();
    let redaction = context.redaction();
    let mut heard = Heard { as_lines, redaction: redaction.clone(), ..Heard::default() };
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        parser.feed(&buffer[..read], &mut |event| heard.take(context, event, args.events));
        heard.failure.take().map_or(Ok(()), Err)?;
    }
    let ending = match args.exit {
        signal @ i32::MIN..0 => Ending::Signal(signal.saturating_neg()),
        code => Ending::Code(code),
    };
    let verdict =
        parser.finish(ending, &stderr, &mut |event| heard.take(context, event, args.events));
    heard.failure.take().map_or(Ok(()), Err)?;
    if as_lines {
        return Ok(Exit::Done);
    }
    let verdict = Verdict {
        outcome: verdict.outcome.redacted(&redaction),
        final_text: verdict.final_text.map(|text| redaction.text(&text).into_owned()),
        ..verdict
    };
    let mut document = json!({
        "schema": Schema::v1("runner-parse"),
        "runner": args.runner,
        "outcome": verdict.outcome.as_str(),
        "reason": verdict.outcome.reason(),
        "retry_at": verdict.outcome.until(),
        "session_id": verdict.session_id,
        "final_text": verdict.final_text,
        "usage": verdict.usage,
        "cost_usd": verdict.usage.and_then(|usage| usage.cost.usd()),
        "events": heard.counts,
    });
    if args.events {
        document["event_list"] = heard.list.into();
    }
    context.ui.print_json(&document)?;
    Ok(Exit::Done)
}

/// What became known from the events of a stream.
#[derive(Default)]
struct Heard {
    as_lines: bool,
    redaction: Redaction,
    counts: BTreeMap<&'static str, u64>,
    list: Vec<Value>,
    failure: Option<CliError>,
}

impl Heard {
    fn take(&mut self, context: &Context, event: &Event<'_>, wanted: bool) {
        *self.counts.entry(event.kind()).or_default() += 1;
        if !self.as_lines && !wanted {
            return;
        }
        let Ok(line) = serde_json::to_string(event) else { return };
        // No secret holds a quote, so that what is left is still JSON.
        let line = self.redaction.text(&line);
        if !self.as_lines {
            self.list.extend(serde_json::from_str(&line));
        } else if let Err(error) = context.ui.print_json_line(&line) {
            self.failure.get_or_insert(error);
        }
    }
}

fn play(context: &Context, args: &PlayArgs) -> Result<ExitCode, CliError> {
    if args.orphan {
        ralph_agent::play_orphan(&args.script)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut orphan = player(context)?;
    orphan.push("--orphan".into());
    let mut stage = Stage {
        dir: &context.directory()?,
        when: When::from_variables(&|name| context.env.text(name).map(str::to_owned)),
        orphan: &orphan,
        out: &mut io::stdout(),
        err: &mut io::stderr(),
    };
    let code = ralph_agent::play(&args.script, &mut stage).map_err(|error| {
        CliError::new(ErrorKind::Refused, error)
            .context(format!("cannot play `{}`", args.script.display()))
    })?;
    Ok(u8::try_from(code & 0xff).unwrap_or(u8::MAX).into())
}
