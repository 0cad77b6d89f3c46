//! `ralph completions`, `help-all`, `cli-spec`: the command line, told from its own tree.

use clap::builder::{ArgAction, PossibleValue};
use clap::{Arg, Command, CommandFactory as _};
use clap_complete::Shell;
use serde_json::{Map, Value, json};

use crate::args::Cli;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::hint::Next;
use crate::render::envelope::Schema;
use crate::ui::{BOLD, Text};

/// The version of the shape that 0.4.0 gave this document.
const SPEC_VERSION: u32 = 2;

pub(crate) fn completions(context: &Context, shell: Shell) -> Result<Exit, CliError> {
    if context.ui.wants_json() {
        return Err(CliError::new(
            ErrorKind::Usage,
            "completions are a script for a shell, not JSON",
        )
        .hint(Next::CLI_SPEC.within("{} tells all commands and flags as JSON.")));
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ralph", &mut script);
    context.ui.print_data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

pub(crate) fn help_all(context: &Context) -> Result<Exit, CliError> {
    if context.ui.wants_json() {
        return spec(context);
    }
    let mut rows = Vec::new();
    let root = Cli::command();
    leaves(&root, root.get_name(), &mut rows);
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let text = rows.into_iter().fold(Text::new(), |text, (name, about)| {
        text.style(BOLD, format_args!("{name:<width$}")).plain("  ").plain(about).line()
    });
    context.ui.print(text)?;
    context.ui.hint("`ralph help COMMAND` tells more about one.");
    Ok(Exit::Done)
}

/// The commands that do something, with what they do.
fn leaves(command: &Command, path: &str, rows: &mut Vec<(String, String)>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let path = format!("{path} {}", below.get_name());
        if !below.has_subcommands() || !below.is_subcommand_required_set() {
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            rows.push((path.clone(), about));
        }
        leaves(below, &path, rows);
    }
}

pub(crate) fn spec(context: &Context) -> Result<Exit, CliError> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut document = json!({ "version": SPEC_VERSION, "root": command(&root, &[]) });
    if context.ui.wants_json() {
        document["schema"] = json!(Schema::v1("cli-spec"));
    }
    context.ui.print_json(&document)?;
    Ok(Exit::Done)
}

fn command(it: &Command, parents: &[&str]) -> Value {
    let path = [parents, &[it.get_name()]].concat();
    // A global argument is told once, at the root.
    let mut args: Vec<&Arg> = it
        .get_arguments()
        .filter(|arg| parents.is_empty() || !arg.is_global_set())
        .filter(|arg| !is_built_in(arg))
        .collect();
    args.sort_by_key(|arg| arg.get_id());
    let mut below: Vec<&Command> = it.get_subcommands().collect();
    below.sort_by_key(|below| below.get_name());
    with_texts(
        json!({
            "name": it.get_name(),
            "path": path,
            "hidden": it.is_hide_set(),
            "args": args.into_iter().map(argument).collect::<Vec<_>>(),
            "subcommands":
                below.into_iter().map(|below| command(below, &path)).collect::<Vec<_>>(),
        }),
        [
            ("about", it.get_about().map(ToString::to_string)),
            ("long_about", it.get_long_about().map(ToString::to_string)),
            (
                "after_long_help",
                it.get_after_long_help().or(it.get_after_help()).map(ToString::to_string),
            ),
        ],
    )
}

fn is_built_in(arg: &Arg) -> bool {
    matches!(
        arg.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

fn argument(it: &Arg) -> Value {
    let counts = it.get_num_args();
    let most = counts.map(|counts| counts.max_values()).filter(|most| *most != usize::MAX);
    let possible = it.get_possible_values();
    let defaults = it.get_default_values().iter().map(|value| value.to_string_lossy());
    with_texts(
        json!({
            "id": it.get_id().as_str(),
            "required": it.is_required_set(),
            "default_values": defaults.collect::<Vec<_>>(),
            "possible_values":
                possible.iter().map(PossibleValue::get_name).collect::<Vec<_>>(),
            "value_enum": !possible.is_empty(),
            "num_args_min": counts.map(|counts| counts.min_values()),
            "num_args_max": most,
            "global": it.is_global_set(),
            "hidden": it.is_hide_set(),
            "positional": it.is_positional(),
            "action": format!("{:?}", it.get_action()),
        }),
        [
            ("long", it.get_long().map(str::to_owned)),
            ("short", it.get_short().map(String::from)),
            ("help", it.get_help().map(ToString::to_string)),
            ("long_help", it.get_long_help().map(ToString::to_string)),
        ],
    )
}

/// The object with those texts that there are.
fn with_texts<const N: usize>(object: Value, texts: [(&str, Option<String>); N]) -> Value {
    let Value::Object(mut object): Value = object else { return object };
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
    object.extend(texts.collect::<Map<String, Value>>());
    Value::Object(object)
}
