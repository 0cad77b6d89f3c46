//! From arguments to an exit code.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, ColorChoice, CommandFactory as _, FromArgMatches as _};
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, CliSpecArgs, Command, SpecFormat, is_like_flag};
use crate::commands;
use crate::context::{Context, World};
use crate::error::{CliError, ErrorKind, Exit};
use crate::hint::Next;
use crate::ui::{self, Ui};

pub(crate) fn run(world: World, arguments: &[OsString]) -> ExitCode {
    // A usage error is found before `--json` is parsed, so it is looked for.
    let wants_json = arguments.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    // clap repeats words as they are.
    let is_plain = !arguments.iter().any(|arg| ui::is_hazardous(&arg.to_string_lossy()));
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) if wants_json && error.use_stderr() => {
            return Ui::plain(true).finish(Err(usage(&error)));
        }
        Err(error) if error.use_stderr() && !is_plain => {
            return Ui::plain(false).finish(Err(usage(&error)));
        }
        Err(error) => {
            // Help asked for is data and goes to stdout; if that is a broken
            // pipe, nobody is left to tell.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let Cli { global, command } = cli;
    let context = Context::new(world, global);
    install_log(&context);
    context.heed(&format!("{command:?}"));
    let result = dispatch(&context, &command);
    context.ui.finish(result.map_err(|error| match &context.global.repo {
        _ if error.kind == ErrorKind::CursorGone => {
            match Next::from_the_beginning(arguments) {
                Some(next) => error.instead(next.within(
                    "Read the list again from its beginning, with {}: the queue has changed.",
                )),
                None => error,
            }
        }
        Some(directory) => error.in_repo(directory),
        None => error,
    }))
}

/// Help and usage errors come from clap, which has not read the arguments then: when they are to be
/// coloured is looked for.
fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().color(color(arguments));
    let mut matches = command.try_get_matches_from_mut(arguments).map_err(harmless)?;
    if let Some((flag, word)) = swallowed(&command, &matches, arguments) {
        let message = format!(
            "invalid value '{word}' for '{flag}': it reads like a flag; a text like that is given as \
             `{flag}={word}`"
        );
        return Err(command.error(clap::error::ErrorKind::InvalidValue, message));
    }
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// A flag that was to have a text, and what reads like another flag in its place.
fn swallowed(
    command: &clap::Command,
    matches: &ArgMatches,
    arguments: &[OsString],
) -> Option<(String, String)> {
    let (mut command, mut matches) = (command, matches);
    while let Some((name, below)) = matches.subcommand() {
        (command, matches) = (command.find_subcommand(name)?, below);
    }
    let texts = command.get_arguments().filter(|arg| arg.is_allow_hyphen_values_set());
    let texts: BTreeSet<String> =
        texts.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let mut pairs = words.windows(2).take_while(|pair| pair[0] != "--");
    let found = pairs.find(|pair| texts.contains(&*pair[0]) && is_like_flag(&pair[1]))?;
    Some((found[0].to_string(), found[1].to_string()))
}

/// Without the advice to go past a refusal: who mistyped another flag did not mean `--force`.
fn harmless(mut error: clap::Error) -> clap::Error {
    if meant(&error).any(|flag| flag == "--force") {
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
    }
    error
}

/// What clap thinks was meant, the likeliest first.
fn meant(error: &clap::Error) -> impl Iterator<Item = &str> {
    let kinds =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let words =
        kinds.into_iter().filter_map(|kind| error.get(kind)).flat_map(|meant| match meant {
            ContextValue::String(one) => std::slice::from_ref(one),
            ContextValue::Strings(all) => all.as_slice(),
            _ => &[],
        });
    words.rev().map(String::as_str)
}

fn color(arguments: &[OsString]) -> ColorChoice {
    let mut choice = ColorChoice::Auto;
    let words = arguments.iter().take_while(|word| *word != "--");
    let mut words = words.map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        let when = match word.strip_prefix("--color") {
            _ if word == "--no-color" => return ColorChoice::Never,
            Some("") => words.next().unwrap_or_default(),
            Some(rest) => rest.strip_prefix('=').unwrap_or_default().to_owned().into(),
            None => continue,
        };
        // What it cannot be is told as ever.
        choice = when.parse().unwrap_or(choice);
    }
    choice
}

fn dispatch(context: &Context, command: &Command) -> Result<ExitCode, CliError> {
    let exit = match command {
        Command::Init(args) => commands::init::init(context, args),
        Command::Task(args) => commands::task::task(context, args),
        Command::Queue(args) => commands::queue::queue(context, args),
        Command::Run(args) => commands::run::run(context, args),
        Command::Runner(args) => return commands::runner::runner(context, args),
        Command::Rescue(args) => commands::rescue::rescue(context, args),
        Command::Undo(args) => commands::undo::undo(context, args),
        Command::Redo(args) => commands::undo::redo(context, args),
        Command::Config(args) => commands::config::config(context, args),
        Command::Migrate(args) => commands::migrate::migrate(context, args),
        Command::Doctor(args) => commands::doctor::doctor(context, args),
        Command::Demo(args) => commands::demo::demo(context, args),
        Command::Prime => commands::prime::prime(context),
        Command::Completions(args) => commands::cli::completions(context, args.shell),
        Command::HelpAll => commands::cli::help_all(context),
        Command::CliSpec(CliSpecArgs { format: SpecFormat::Json }) => commands::cli::spec(context),
        Command::Version => commands::version::version(context),
    }?;
    Ok(exit.into())
}

/// A usage error of clap as one of ours: its first paragraph is the message,
/// its tips and usage line are the hint.
fn usage(error: &clap::Error) -> CliError {
    let text = error.to_string();
    let (message, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let message = message.trim_start_matches("error: ").trim();
    let meant = meant(error).map(str::to_owned);
    let mut failure = CliError::new(ErrorKind::Usage, message).similar(meant);
    for paragraph in rest.split("\n\n").map(str::trim).filter(|hint| !hint.is_empty()) {
        failure = failure.hint(paragraph.to_owned());
    }
    failure
}

/// Developers' logs go to stderr: errors always, more with `-v`, or what
/// `RALPH_LOG` says.
fn install_log(context: &Context) {
    let filter = context.env.text("RALPH_LOG").map_or_else(
        || {
            EnvFilter::new(match context.global.verbose {
                0 => "error",
                1 => "info",
                2 => "debug",
                _ => "trace",
            })
        },
        EnvFilter::new,
    );
    // Fails only when a subscriber is installed already, which then serves.
    let installed = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(context.ui.stderr_has_color())
        // It would be told on stderr, where nothing can be written, and end the command.
        .log_internal_errors(false)
        .try_init();
    drop(installed);
}
