//! What an error advises: a text for people, and the command in it that a script may run.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::path::Path;

use clap::ValueEnum as _;
use clap::builder::PossibleValue;
use ralph_state::TaskId;

use crate::args::{ImportArgs, OnDuplicate};
use crate::render::shell_word;

/// A command that can be run as it stands, destroys nothing, trusts nothing and begins no run. These
/// are all there are; any other command stands in the text of a hint alone.
#[derive(Debug)]
pub(crate) struct Next(Cow<'static, str>);

impl Next {
    pub(crate) const ALL_TASKS: Self = Self::new("ralph queue list --include-done");
    pub(crate) const BRANCHES: Self = Self::new("git branch --all");
    pub(crate) const CLAIM_NEXT: Self = Self::new("ralph queue claim --next");
    pub(crate) const CLI_SPEC: Self = Self::new("ralph cli-spec");
    pub(crate) const CONFIG: Self = Self::new("ralph config show");
    pub(crate) const ENDED_TASKS: Self =
        Self::new("ralph queue list --status done --status rejected");
    pub(crate) const EXPLAIN: Self = Self::new("ralph queue explain");
    pub(crate) const EXPORT: Self = Self::new("ralph queue export --format json");
    pub(crate) const FORETELL_RESOLVE: Self = Self::new("ralph queue resolve --dry-run");
    pub(crate) const INIT: Self = Self::new("ralph init");
    pub(crate) const PARALLEL_STATUS: Self = Self::new("ralph run parallel status");
    pub(crate) const PRUNE: Self = Self::new("ralph queue prune --dry-run");
    pub(crate) const READY: Self = Self::new("ralph queue ready");
    pub(crate) const RECOVER: Self = Self::new("ralph run parallel recover");
    pub(crate) const REDO: Self = Self::new("ralph redo --dry-run");
    pub(crate) const REPAIR: Self = Self::new("ralph queue repair --dry-run");
    pub(crate) const RESCUED: Self = Self::new("ralph rescue list");
    pub(crate) const RESOLVE: Self = Self::new("ralph queue resolve");
    pub(crate) const REVISION: Self = Self::new("ralph queue list --json");
    pub(crate) const RUNNERS: Self = Self::new("ralph runner list");
    pub(crate) const SCHEMA: Self = Self::new("ralph queue schema");
    pub(crate) const TASKS: Self = Self::new("ralph queue list");
    pub(crate) const TEMPLATES: Self = Self::new("ralph task template list");
    pub(crate) const UNDOABLE: Self = Self::new("ralph undo --list");
    pub(crate) const UNLOCK: Self = Self::new("ralph queue unlock --dry-run");
    pub(crate) const VALIDATE: Self = Self::new("ralph queue validate");

    const fn new(command: &'static str) -> Self {
        Self(Cow::Borrowed(command))
    }

    pub(crate) fn show(id: &TaskId) -> Self {
        Self(format!("ralph task show {id}").into())
    }

    pub(crate) fn done(id: &TaskId) -> Self {
        Self(format!("ralph task done {id}").into())
    }

    pub(crate) fn reopen(id: impl Display) -> Self {
        Self(format!("ralph task status todo {id}").into())
    }

    pub(crate) fn claim(id: impl Display) -> Self {
        Self(format!("ralph queue claim --id {id}").into())
    }

    pub(crate) fn retry(id: impl Display) -> Self {
        Self(format!("ralph run parallel retry --task {id}").into())
    }

    pub(crate) fn foretell_undo(number: u64) -> Self {
        Self(format!("ralph undo --id {number} --dry-run").into())
    }

    pub(crate) fn foretell_redo(number: u64) -> Self {
        Self(format!("ralph redo --id {number} --dry-run").into())
    }

    /// Nothing for an import from stdin, which is not there again.
    pub(crate) fn foretell_import(args: &ImportArgs) -> Option<Self> {
        let input = args.input.as_ref()?.to_str().filter(|input| *input != "-")?;
        let mut command = format!("ralph queue import --input {}", shell_word(input));
        let mut flag = |name: &str, value: Option<PossibleValue>| {
            command.extend(value.iter().map(|value| format!(" {name} {}", value.get_name())));
        };
        flag("--format", args.format.and_then(|format| format.to_possible_value()));
        let is_asked = args.on_duplicate != OnDuplicate::default();
        flag("--on-duplicate", args.on_duplicate.to_possible_value().filter(|_| is_asked));
        Some(Self((command + " --skip-bad --dry-run").into()))
    }

    /// The command with these arguments, for the list that it goes on with; nothing where they cannot
    /// be typed.
    pub(crate) fn from_the_beginning(arguments: &[OsString]) -> Option<Self> {
        let mut words = arguments.iter().skip(1);
        let mut command = "ralph".to_owned();
        while let Some(word) = words.next() {
            let word = word.to_str()?;
            if word == "--cursor" {
                words.next();
            } else if !word.starts_with("--cursor=") {
                command += " ";
                command += &shell_word(word);
            }
        }
        Some(Self(command.into()))
    }

    /// The same for who named the repository to work in; nothing where that cannot be typed.
    pub(crate) fn in_repo(self, directory: &Path) -> Option<Self> {
        let directory = shell_word(directory.to_str()?);
        // Both programs take it there.
        let (program, rest) = self.0.split_once(' ')?;
        Some(Self(format!("{program} -C {directory} {rest}").into()))
    }

    /// The hint `text` with this command in backticks at its `{}`.
    pub(crate) fn within(self, text: &str) -> Hint {
        Hint { text: text.replacen("{}", &format!("`{self}`"), 1), next: Some(self) }
    }
}

impl Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What to do about an error.
#[derive(Debug)]
pub(crate) struct Hint {
    pub(crate) text: String,
    pub(crate) next: Option<Next>,
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self { text, next: None }
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, ImportFormat};

    #[test]
    fn every_next_command_can_be_typed_and_loses_trusts_and_runs_nothing() {
        let id: TaskId = "RQ-0001".parse().expect("an id");
        let import = ImportArgs {
            format: Some(ImportFormat::Csv),
            input: Some("tasks.txt".into()),
            dry_run: false,
            on_duplicate: OnDuplicate::Rename,
            skip_bad: false,
        };
        let all = [
            Next::ALL_TASKS,
            Next::CLAIM_NEXT,
            Next::CLI_SPEC,
            Next::CONFIG,
            Next::ENDED_TASKS,
            Next::EXPLAIN,
            Next::EXPORT,
            Next::FORETELL_RESOLVE,
            Next::INIT,
            Next::PARALLEL_STATUS,
            Next::PRUNE,
            Next::READY,
            Next::RECOVER,
            Next::REDO,
            Next::REPAIR,
            Next::RESCUED,
            Next::RESOLVE,
            Next::REVISION,
            Next::RUNNERS,
            Next::SCHEMA,
            Next::TASKS,
            Next::TEMPLATES,
            Next::UNDOABLE,
            Next::UNLOCK,
            Next::VALIDATE,
            Next::show(&id),
            Next::done(&id),
            Next::reopen(&id),
            Next::claim(&id),
            Next::retry(&id),
            Next::foretell_undo(1),
            Next::foretell_redo(1),
            Next::foretell_import(&import).expect("it is from a file"),
            Next::from_the_beginning(&["ralph", "queue", "list", "--cursor", "a"].map(Into::into))
                .expect("it can be typed"),
        ];
        let unsafe_ones = [
            "archive", "batch", "delete", "edit", "import", "loop", "migrate", "one", "prune",
            "redo", "repair", "resume", "schedule", "stop", "trust", "undo", "unlock",
        ];
        for next in all {
            let command = next.to_string();
            Cli::try_parse_from(command.split(' ')).expect(&command);
            let mut words = command.split(' ');
            let only_shows = command.ends_with(" --dry-run") || command.ends_with(" --list");
            assert!(only_shows || !words.any(|word| unsafe_ones.contains(&word)), "{command}");
        }
    }
}
