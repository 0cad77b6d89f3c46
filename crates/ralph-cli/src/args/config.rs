//! `ralph config …`.

use clap::{Args, Subcommand, ValueEnum};

/// Look at the configuration, and trust it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph config show                 Every setting and where it comes from
  ralph config show --format json
  ralph config paths                Which files are read
  ralph config trust init           Let this repository name programs to run")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Show(ConfigShowArgs),
    /// Show which files hold the configuration and the queue
    #[command(after_help = "\
Examples:
  ralph config paths
  ralph config paths --json")]
    Paths,
    /// Print the JSON Schema of the configuration
    #[command(after_help = "\
Examples:
  ralph config schema > config.schema.json")]
    Schema,
    Profiles(ProfilesArgs),
    Trust(TrustArgs),
}

/// Look at the profiles that `--profile` can name
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph config profiles list
  ralph config profiles show safe")]
pub(crate) struct ProfilesArgs {
    #[command(subcommand)]
    pub(crate) command: ProfilesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfilesCommand {
    /// List the profiles with what each sets
    #[command(after_help = "\
Examples:
  ralph config profiles list
  ralph config profiles list --json")]
    List,
    /// Show what a profile sets
    #[command(after_help = "\
Examples:
  ralph config profiles show safe
  ralph config show --profile safe    All settings, with it laid over them")]
    Show {
        /// The profile
        name: String,
    },
}

/// Show the settings in force, each with its origin
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph config show
  ralph config show --profile safe    With this profile laid over it
  ralph config show --json            Each value with its origin")]
pub(crate) struct ConfigShowArgs {
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ConfigFormat,
    /// Show it with this profile laid over it
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum ConfigFormat {
    Json,
    /// With a comment on each value that is not the default
    #[default]
    Yaml,
}

/// Trust the programs that this repository's configuration names
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph config show                   What would run
  ralph config trust init")]
pub(crate) struct TrustArgs {
    #[command(subcommand)]
    pub(crate) command: TrustCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Trust what the configuration runs now; a later change asks again
    #[command(after_help = "\
Examples:
  ralph config trust init")]
    Init,
}
