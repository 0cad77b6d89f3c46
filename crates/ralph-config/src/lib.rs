//! Layered configuration with the origin of each value, and trust.
//!
//! [`load`] lays defaults, the user's file, the project's file, a profile and the
//! command line over each other, key by key, and says of each value where it came
//! from. [`trust`] remembers which repositories may name programs to run.
//! [`init_text`] is the file a new project starts with, [`migrate`](mod@migrate) what a file of an
//! older format becomes.
//!
//! ```
//! use ralph_config::{Origin, Overrides, Sources};
//!
//! let directory = tempfile::tempdir()?;
//! let project = directory.path().join("config.jsonc");
//! fs_err::write(&project, r#"{ "version": 2, "agent": { "phases": 3 } } // thorough"#)?;
//!
//! let sources = Sources { global: None, project: project.clone() };
//! let resolved = ralph_config::load(&sources, &Overrides::default())?;
//! assert_eq!(resolved.config.agent.phases, 3);
//! assert_eq!(resolved.origins["agent.phases"], Origin::Project(project));
//! assert_eq!(resolved.origins["agent.iterations"], Origin::Default);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file is JSON with comments. What is wrong with a known key refuses the whole
//! configuration, naming file, line, column, key, value and range. What Ralph does
//! not know is a [`Warning`]. A file of an older format is brought up in memory; one
//! of a newer format is refused.
//!
//! Never: reads a path it was not given, the environment or the clock; writes a
//! configuration file; starts a program that a configuration names.

mod config;
mod error;
mod init;
mod keys;
mod layer;
mod legacy;
mod merge;
pub mod migrate;
mod schema;
pub mod trust;

pub use config::{
    AgentConfig, AgingThresholds, ApprovalMode, CiGate, CommandRunner, Config, ConfiguredRunner,
    Finish, GitPublishMode, GitRevertMode, Limits, LoopConfig, NotificationConfig, OutputFormat,
    ParallelConfig, PermissionMode, PhaseOverride, PlanMode, PluginConfig, PluginsConfig, Price,
    ProjectType, QueueConfig, QueuePolicy, RetryConfig, RunnerCli, RunnerOptions, Sandbox,
    ScanPromptVersion, SpendingLimit, TurnLimit, UnsupportedOption, Verbosity, WebhookConfig,
};
pub use error::{ConfigError, Place, Violation, Warning, WarningKind};
pub use init::{InitChoices, init_text};
pub use merge::{Executables, Origin, Overrides, Profile, Resolved, Sources, load};
pub use schema::schema;

use ralph_state::document::Format;

/// The version of the configuration's format that Ralph writes, and the newest it reads.
pub const CONFIG_VERSION: u32 = FORMAT.current;

/// What a configuration file is, and which versions of it are read. It is edited in place, and so
/// is no [`ralph_state::Document`]; [`migrate`] has the step from 1 to 2.
pub const FORMAT: Format =
    Format { kind: "configuration", version_key: "version", first: 1, current: 2 };
