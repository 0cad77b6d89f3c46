//! `ralph completions` and `ralph cli-spec`: the command line about itself.

use clap::{Args, ValueEnum};
use clap_complete::Shell;

/// Print the completions of a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph completions bash > ~/.local/share/bash-completion/completions/ralph
  ralph completions zsh > ~/.zfunc/_ralph    With `fpath+=~/.zfunc` in ~/.zshrc
  ralph completions fish > ~/.config/fish/completions/ralph.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell that is to complete
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Print every command with its arguments, as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph cli-spec
  ralph cli-spec --format json")]
pub(crate) struct CliSpecArgs {
    /// How to print it; there is one way
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: SpecFormat,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum SpecFormat {
    #[default]
    Json,
}
