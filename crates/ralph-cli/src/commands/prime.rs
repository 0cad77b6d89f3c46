//! `ralph prime`: all that an agent needs to use the queue, in few words.

use clap::{ArgAction, Command, CommandFactory as _};
use serde_json::json;

use crate::args::Cli;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{RALPH_DIR, find_root};
use crate::render::envelope::Schema;

const HOW: &str = "\
# Tasks of this repository

They stand in `.ralph/queue.jsonc` and are kept by `ralph`; the order of the file is the order
of work. Add `--json` to any command below for one JSON document on stdout. An error is then one
object on stderr: `{\"error\":{\"code\",\"message\",\"hint\",\"retryable\",\"next\"?,\"similar\"?}}`; `next` is a
command that can be run as it stands. Exit codes: 0 done, also when there is nothing to do;
1 failed; 2 wrong usage; 3 refused; 4 busy, try again later.

To work on a task:
1. `ralph queue claim --next --owner NAME --json` takes one; keep `claim.token`.
2. `ralph task show ID` says what is wanted.
3. `ralph task done ID --claim TOKEN --note \"what was done\"` ends it,
   `ralph queue release ID --claim TOKEN --note \"why\"` gives it back.
Every use of the token renews the claim. `claim_lost` means that somebody else has the task now:
stop. Found something that is not your task: `ralph task add \"...\" --relates-to ID`. To leave word
with another task: `ralph task note ID TEXT`.
Long or odd text goes by stdin, as `-`: `ralph task add TITLE --description - < file`.
";

/// The commands worth their tokens.
const COMMANDS: &[&str] = &[
    "queue ready",
    "queue claim",
    "queue release",
    "queue list",
    "queue search",
    "queue explain",
    "queue validate",
    "task show",
    "task add",
    "task note",
    "task done",
    "task reject",
    "task status",
];

/// Flags that few calls need; `--help` has them.
const RARE: &[&str] = &[
    "actual-minutes",
    "after",
    "all",
    "before",
    "blocks",
    "completed-at",
    "created-at",
    "dry-run",
    "duplicates",
    "effort",
    "estimated-minutes",
    "evidence",
    "field",
    "filter-deps",
    "first",
    "followup-reasoning-effort",
    "format",
    "help",
    "iterations",
    "model",
    "note-file",
    "only-done",
    "order",
    "phase-overrides",
    "phases",
    "quiet",
    "request",
    "runner",
    "runner-cli",
    "scheduled",
    "scheduled-after",
    "scheduled-before",
    "scheduled-start",
    "sort-by",
    "started-at",
    "tag-filter",
    "updated-at",
];

pub(crate) fn prime(context: &Context) -> Result<Exit, CliError> {
    let directory = context.directory()?;
    let is_project = find_root(&directory).is_some_and(|root| root.join(RALPH_DIR).is_dir());
    // A hook may call this anywhere.
    if !is_project {
        context.ui.say("There is no queue of Ralph here, so there is nothing to know.");
        return Ok(Exit::Done);
    }
    let own = context.env.text("RALPH_TASK_ID").filter(|id| !id.is_empty());
    let text = own.map_or_else(String::new, own_task) + &text();
    if context.ui.wants_json() {
        context.ui.print_json(&json!({ "schema": Schema::v1("prime"), "text": text }))?;
    } else {
        context.ui.print(text)?;
    }
    Ok(Exit::Done)
}

/// What an agent has to know in a turn that a run gave it.
fn own_task(id: &str) -> String {
    format!(
        "Your task is {id}: `ralph task show {id}` says what is wanted. The run has claimed it for \
         you and ends it: instead of the steps below, do what it asks for, claim no other task, and \
         end none. Notes and new tasks are welcome.\n\n"
    )
}

fn text() -> String {
    let root = Cli::command();
    let line = |path: &&str| {
        let command = find(&root, path)?;
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        Some(format!("- `ralph {path}{}`: {about}\n", usage(command)))
    };
    let commands: String = COMMANDS.iter().filter_map(line).collect();
    format!("{HOW}\nCommands (`ralph COMMAND --help` has the rest):\n{commands}")
}

fn find<'c>(root: &'c Command, path: &str) -> Option<&'c Command> {
    path.split(' ').try_fold(root, |command, name| command.find_subcommand(name))
}

/// The arguments of a command, as a person would sketch them.
fn usage(command: &Command) -> String {
    let mut usage = String::new();
    for arg in command.get_arguments() {
        let value = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name);
        let part = match arg.get_long() {
            None => value.to_owned(),
            Some(long) if RARE.contains(&long) => continue,
            Some(long) if matches!(arg.get_action(), ArgAction::SetTrue) => format!("--{long}"),
            Some(long) => format!("--{long} {value}"),
        };
        let part = if arg.is_required_set() { part } else { format!("[{part}]") };
        usage = usage + " " + &part;
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_short_and_names_commands_that_exist() {
        let text = text();
        assert!(text.len() < 3 * 1_500, "{} bytes:\n{text}", text.len());
        let root = Cli::command();
        for path in COMMANDS {
            assert!(find(&root, path).is_some(), "{path}");
        }
        assert!(text.contains("- `ralph queue ready [--parallel N] "), "{text}");
        assert!(text.contains("\n- `ralph task done ID [--note TEXT]`: "), "{text}");
    }
}
