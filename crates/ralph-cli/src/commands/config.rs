//! `ralph config …`.

use std::path::{Path, PathBuf};

use ralph_config::trust::Trust;
use ralph_config::{ConfigError, Origin, Overrides, Profile};
use ralph_state::Clock as _;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::args::{
    ConfigArgs, ConfigCommand, ConfigFormat, ConfigShowArgs, ProfilesCommand, TrustCommand,
};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::{List, Schema};
use crate::ui::{DIM, Text};

pub(crate) fn config(context: &Context, args: &ConfigArgs) -> Result<Exit, CliError> {
    match &args.command {
        ConfigCommand::Show(args) => show(context, args),
        ConfigCommand::Paths => paths(context),
        ConfigCommand::Schema => {
            context.ui.print_json(&ralph_config::schema())?;
            Ok(Exit::Done)
        }
        ConfigCommand::Profiles(args) => profiles(context, &args.command),
        ConfigCommand::Trust(args) => match args.command {
            TrustCommand::Init => trust(context),
        },
    }
}

fn show(context: &Context, args: &ConfigShowArgs) -> Result<Exit, CliError> {
    let overrides = Overrides { profile: args.profile.clone(), ..Overrides::default() };
    let project = Project::open_with(context, "ralph config show", &overrides)?;
    let document = &project.settings.document;
    if context.ui.wants_json() {
        let origins: Map<String, Value> = project
            .settings
            .origins
            .iter()
            .map(|(key, origin)| (key.clone(), origin_json(origin)))
            .collect();
        context.ui.print_json(&json!({
            "schema": Schema::v1("config"),
            "config": document,
            "origins": origins,
            "trust": trust_word(trust_of(context, &project)?),
            "warnings": project.settings.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
    } else if args.format == ConfigFormat::Json {
        context.ui.print_json(document)?;
    } else {
        let origin = |key: &str| match project.settings.origins.get(key)? {
            Origin::Default => None,
            Origin::Global(path) | Origin::Project(path) => Some(project.shown(path).to_string()),
            Origin::Profile(name) => Some(format!("profile {name}")),
            Origin::CommandLine => Some("command line".to_owned()),
        };
        context.ui.print_as_it_is(yaml(Text::new(), &[], document, &origin))?;
        if let Trust::Untrusted { .. } = trust_of(context, &project)? {
            context.ui.warn("the programs that this repository names are not trusted yet");
            context.ui.hint("Look at them above, then run `ralph config trust init`.");
        }
    }
    Ok(Exit::Done)
}

/// YAML in which every text is quoted as in JSON, and every value that is not
/// the default has its origin in a comment.
fn yaml(
    mut text: Text,
    path: &[&str],
    value: &Value,
    origin: &dyn Fn(&str) -> Option<String>,
) -> Text {
    let Value::Object(fields) = value else { return text };
    for (name, value) in fields {
        text = text.plain("  ".repeat(path.len())).plain(key_word(name)).plain(":");
        let path = [path, &[name.as_str()]].concat();
        if value.as_object().is_some_and(|fields| !fields.is_empty()) {
            text = yaml(text.line(), &path, value, origin);
            continue;
        }
        text = text.plain(" ").plain(value);
        let dotted = path.iter().map(|name| key_word(name)).collect::<Vec<_>>().join(".");
        if let Some(origin) = origin(&dotted) {
            text = text.style(DIM, format_args!("  # {origin}"));
        }
        text = text.line();
    }
    text
}

/// A name as both YAML and the dotted keys of the configuration have it.
fn key_word(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_plain) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

fn origin_json(origin: &Origin) -> Value {
    match origin {
        Origin::Default => json!({ "kind": "default" }),
        Origin::Global(path) => json!({ "kind": "global", "path": path }),
        Origin::Project(path) => json!({ "kind": "project", "path": path }),
        Origin::Profile(name) => json!({ "kind": "profile", "name": name }),
        Origin::CommandLine => json!({ "kind": "command_line" }),
    }
}

fn profiles(context: &Context, command: &ProfilesCommand) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph config profiles")?;
    let profiles = project.settings.profiles();
    let document = |profile: &Profile| {
        let Profile { name, patch, .. } = profile;
        json!({ "name": name, "source": source_word(profile), "patch": patch })
    };
    match command {
        ProfilesCommand::List if context.ui.wants_json() => {
            let items: Vec<Value> = profiles.iter().map(document).collect();
            context.ui.print_json(&List::all(Schema::v1("config-profiles"), None, &items))?;
        }
        ProfilesCommand::List => {
            let rows = profiles.iter().fold(Text::new(), |text, profile| {
                let sets = settings(&[], &profile.patch).join(", ");
                let sets = if sets.is_empty() { "nothing" } else { &sets };
                text.plain(format_args!("  {} - {sets}", profile.name)).line()
            });
            context.ui.print(Text::new().plain("Available profiles:").line().append(&rows))?;
        }
        ProfilesCommand::Show { name } => {
            let Some(profile) = profiles.iter().find(|profile| profile.name == *name) else {
                let known = profiles.into_iter().map(|profile| profile.name).collect();
                return Err(ConfigError::UnknownProfile { name: name.clone(), known }.into());
            };
            if context.ui.wants_json() {
                let mut document = document(profile);
                document["schema"] = json!(Schema::v1("config-profile"));
                context.ui.print_json(&document)?;
            } else {
                let head = Text::new().plain(format_args!("Profile: {name}")).line();
                let head = head.plain(format_args!("Source: {}", source_word(profile)));
                let head = head.line().line();
                context.ui.print_as_it_is(yaml(head, &[], &profile.patch, &|_| None))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn source_word(profile: &Profile) -> &'static str {
    if profile.is_built_in { "built-in" } else { "config" }
}

/// Each value below `path` as `key=value`.
fn settings(path: &[&str], value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| settings(&[path, &[name.as_str()]].concat(), value))
            .collect(),
        Value::String(word) => vec![format!("{}={word}", path.join("."))],
        value => vec![format!("{}={value}", path.join("."))],
    }
}

fn paths(context: &Context) -> Result<Exit, CliError> {
    #[derive(Serialize)]
    struct Row {
        name: &'static str,
        path: PathBuf,
        exists: bool,
    }
    let project = Project::open(context, "ralph config paths")?;
    let sources = project::sources(context, &project.root);
    let row = |name, path: &Path| Row { name, path: path.to_owned(), exists: path.exists() };
    let mut rows = vec![row("repository", &project.root)];
    rows.extend(sources.global.as_deref().map(|path| row("global_config", path)));
    rows.push(row("project_config", &sources.project));
    rows.push(row("queue", &project.files.queue));
    rows.push(row("done", &project.files.done));
    if let Ok(store) = project::trust_store(context, "ralph config paths") {
        rows.push(row("trust", store.path()));
    }
    if context.ui.wants_json() {
        context.ui.print_json(&json!({ "schema": Schema::v1("config-paths"), "paths": rows }))?;
        return Ok(Exit::Done);
    }
    for Row { name, path, exists } in rows {
        let missing = if exists { "" } else { "  (not there)" };
        context.ui.print(
            Text::new().plain(format_args!("{name:<14}  {}", path.display())).style(DIM, missing),
        )?;
    }
    Ok(Exit::Done)
}

fn trust(context: &Context) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph config trust init")?;
    let before = trust_of(context, &project)?;
    let executables = &project.settings.executables;
    if let Trust::Untrusted { .. } = before {
        let store = project::trust_store(context, "ralph config trust init")?;
        context.ui.saved(store.grant(&project.root, executables, context.clock.now())?);
    }
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": Schema::v1("config-trust"),
            "before": trust_word(before),
            "executables": executables.entries,
        }))?;
        return Ok(Exit::Done);
    }
    context.ui.say(match before {
        Trust::NothingToTrust => {
            "This repository names no programs to run; there is nothing to trust."
        }
        Trust::Trusted => "These programs were trusted already:",
        Trust::Untrusted { changed: false } => "These programs of this repository are trusted now:",
        Trust::Untrusted { changed: true } => "These programs have changed, and are trusted now:",
    });
    for (key, value) in &executables.entries {
        context.ui.say(format!("  {key}: {value}"));
    }
    Ok(Exit::Done)
}

fn trust_of(context: &Context, project: &Project) -> Result<Trust, CliError> {
    if project.settings.executables.is_empty() {
        return Ok(Trust::NothingToTrust);
    }
    let store = project::trust_store(context, "ralph config")?;
    Ok(store.status(&project.root, &project.settings.executables)?)
}

fn trust_word(trust: Trust) -> &'static str {
    match trust {
        Trust::NothingToTrust => "nothing_to_trust",
        Trust::Trusted => "trusted",
        Trust::Untrusted { .. } => "untrusted",
    }
}
