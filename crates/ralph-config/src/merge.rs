//! Laying the layers over each other.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::{
    Config, ConfigError, Place, Violation, Warning,
    keys::{self, KEYS, PROFILES},
    layer::{self, KeyPath, Layer},
};

/// Where configuration is read from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The user's file, for all repositories.
    pub global: Option<PathBuf>,
    /// The repository's file, `.ralph/config.jsonc`.
    pub project: PathBuf,
}

/// What the command line asks for.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The profile to lay over the files.
    pub profile: Option<String>,
    /// Dotted keys and their values, over everything else.
    pub values: Vec<(String, Value)>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Ralph.
    Default,
    /// The user's file.
    Global(PathBuf),
    /// The repository's file.
    Project(PathBuf),
    /// The profile of this name.
    Profile(String),
    /// The command line.
    CommandLine,
}

/// The configuration in effect.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The values.
    pub config: Config,
    /// The same as one document, for showing: secrets are left out.
    pub document: Value,
    /// Where the value of each dotted key came from.
    pub origins: BTreeMap<String, Origin>,
    /// What is odd about the files.
    pub warnings: Vec<Warning>,
    /// What the repository's file says to run.
    pub executables: Executables,
}

/// The parts of a repository's own file that name programs: dotted keys and values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Executables {
    /// Sorted by key.
    pub entries: BTreeMap<String, Value>,
}

/// A named patch of `agent`.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What `--profile` names.
    pub name: String,
    /// Whether it comes with Ralph; otherwise a file has it.
    pub is_built_in: bool,
    /// What it sets below `agent`; secrets are left out.
    pub patch: Value,
}

impl Resolved {
    /// The profiles that can be laid over, sorted by name.
    pub fn profiles(&self) -> Vec<Profile> {
        let built_in = PROFILES.iter().map(|(name, patch)| {
            let mut values = Merged::default();
            values.lay(&Origin::Default, built_in(patch, &[]));
            Profile { name: (*name).to_owned(), is_built_in: true, patch: values.document() }
        });
        let written = self.document["profiles"].as_object().into_iter().flatten();
        let written = written.map(|(name, patch)| Profile {
            name: name.clone(),
            is_built_in: false,
            patch: patch.clone(),
        });
        let mut profiles: Vec<Profile> = built_in.chain(written).collect();
        profiles.sort_by(|a, b| a.name.cmp(&b.name));
        profiles
    }
}

/// What a profile that comes with Ralph sets, below `parents`.
fn built_in(patch: &[(&str, &str)], parents: &[&str]) -> Vec<Laid> {
    let laid = patch.iter().map(|(key, word)| {
        let names = parents.iter().copied().chain(key.split('.'));
        (names.map(str::to_owned).collect(), Value::from(*word), None)
    });
    laid.collect()
}

/// Reads the files that are there and lays them over each other.
///
/// The order, from weak to strong: defaults, the user's file, the repository's file,
/// the profile, the command line. It goes key by key; a list replaces a list, and
/// `queue.aging_thresholds` is replaced as one. A `null` sets nothing.
pub fn load(sources: &Sources, overrides: &Overrides) -> Result<Resolved, ConfigError> {
    let global = sources.global.as_deref().map(layer::read).transpose()?.flatten();
    let project = layer::read(&sources.project)?;

    let mut merged = Merged::default();
    let mut warnings = Vec::new();
    let mut violations = Vec::new();
    merged.lay(&Origin::Default, defaults().collect());
    let mut settings_of_project = BTreeMap::new();
    for (layer, is_project) in [(global, false), (project, true)] {
        let Some(layer) = layer else { continue };
        let Layer { path, settings, warnings: odd, violations: wrong } = layer;
        warnings.extend(odd);
        violations.extend(wrong);
        let origin = if is_project { Origin::Project(path) } else { Origin::Global(path) };
        if is_project {
            settings_of_project = settings.clone();
        }
        let settings = settings.into_iter().map(|(key, (value, place))| (key, value, Some(place)));
        merged.lay(&origin, settings.collect());
    }
    violations.extend(merged.reserved_profiles());
    // What is wrong with a file may be the reason why the profile is not there.
    if let (Some(name), true) = (&overrides.profile, violations.is_empty()) {
        merged.lay_profile(name)?;
    }
    for (key, value) in &overrides.values {
        let path: KeyPath = key.split('.').map(str::to_owned).collect();
        match keys::check(&path, value) {
            Ok(()) => merged.lay(&Origin::CommandLine, vec![(path, value.clone(), None)]),
            Err(expected) => violations.push(Violation {
                place: None,
                key: key.clone(),
                value: layer::shown(&path, value.clone()),
                expected,
            }),
        }
    }
    violations.extend(merged.aging_fault());
    if !violations.is_empty() {
        return Err(ConfigError::Invalid { violations });
    }

    let mut document = merged.document();
    let config = Config::deserialize(&document)
        .expect("what the table of keys admits is what the types take; a test walks it");
    hide_secrets(&mut document);
    Ok(Resolved {
        config,
        document,
        executables: merged.executables(settings_of_project),
        origins: merged
            .values
            .into_iter()
            .map(|(key, setting)| (keys::dotted(&key), setting.origin))
            .collect(),
        warnings,
    })
}

fn hide_secrets(document: &mut Value) {
    let Value::Object(fields) = document else { return };
    for (name, value) in fields {
        if name == "webhook" && value["secret"].is_string() {
            value["secret"] = Value::from("(secret)");
        }
        hide_secrets(value);
    }
}

/// A key, its value and where that stands.
type Laid = (KeyPath, Value, Option<Place>);

fn defaults() -> impl Iterator<Item = Laid> {
    KEYS.iter().filter(|(.., default)| !default.is_empty()).map(|(key, _, default)| {
        let value = serde_json::from_str(default).expect("a default is JSON; a test walks them");
        (key.split('.').map(str::to_owned).collect(), value, None)
    })
}

const AGING: [&str; 2] = ["queue", "aging_thresholds"];

fn is_aging(key: &[String]) -> bool {
    matches!(key, [queue, aging, _] if [queue, aging] == AGING)
}

#[derive(Default)]
struct Merged {
    values: BTreeMap<KeyPath, Setting>,
}

struct Setting {
    value: Value,
    origin: Origin,
    place: Option<Place>,
}

impl Merged {
    fn lay(&mut self, origin: &Origin, settings: Vec<Laid>) {
        if settings.iter().any(|(key, ..)| is_aging(key)) {
            // Replaced as one: what this layer does not say is no longer what a weaker
            // one said.
            for (key, value, place) in defaults().filter(|(key, ..)| is_aging(key)) {
                self.values.insert(key, Setting { value, origin: Origin::Default, place });
            }
        }
        for (key, value, place) in settings {
            self.values.insert(key, Setting { value, origin: origin.clone(), place });
        }
    }

    fn reserved_profiles(&self) -> Vec<Violation> {
        let mut reserved: Vec<Violation> = Vec::new();
        for (path, setting) in &self.values {
            let [profiles, name, ..] = path.as_slice() else { continue };
            let key = keys::dotted(&path[..2]);
            if profiles == "profiles"
                && PROFILES.iter().any(|(taken, _)| taken == name)
                && reserved.last().is_none_or(|last| last.key != key)
            {
                reserved.push(Violation {
                    place: setting.place.clone(),
                    key,
                    value: Value::from(name.as_str()),
                    expected: "another name, as this one is built in".to_owned(),
                });
            }
        }
        reserved
    }

    fn lay_profile(&mut self, name: &str) -> Result<(), ConfigError> {
        let ours = PROFILES.iter().find(|(known, _)| *known == name);
        let mut patch = ours.map_or_else(Vec::new, |(_, patch)| built_in(patch, &["agent"]));
        let mut known: Vec<String> = PROFILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        for (key, setting) in &self.values {
            let [profiles, profile, rest @ ..] = key.as_slice() else { continue };
            if profiles != "profiles" {
                continue;
            }
            if known.last() != Some(profile) {
                known.push(profile.clone());
            }
            if profile == name && !rest.is_empty() {
                let key = [&["agent".to_owned()], rest].concat();
                patch.push((key, setting.value.clone(), setting.place.clone()));
            }
        }
        if !known.iter().any(|known| known == name) {
            return Err(ConfigError::UnknownProfile { name: name.to_owned(), known });
        }
        self.lay(&Origin::Profile(name.to_owned()), patch);
        Ok(())
    }

    fn aging_fault(&self) -> Option<Violation> {
        let days = ["warning_days", "stale_days", "rotten_days"].map(|name| {
            let setting = self.values.get(&[AGING[0], AGING[1], name].map(str::to_owned)[..]);
            setting.map(|setting| (name, setting))
        });
        let days: Vec<_> = days.into_iter().flatten().collect();
        let place = days.iter().find_map(|(_, setting)| setting.place.clone());
        if days.windows(2).all(|pair| pair[0].1.value.as_u64() < pair[1].1.value.as_u64()) {
            return None;
        }
        Some(Violation {
            place,
            key: AGING.join("."),
            value: days
                .iter()
                .map(|(name, setting)| ((*name).to_owned(), setting.value.clone()))
                .collect(),
            expected: "days that rise from `warning_days` over `stale_days` to `rotten_days`"
                .to_owned(),
        })
    }

    fn document(&self) -> Value {
        let mut document = Map::new();
        for (key, setting) in &self.values {
            let (name, parents) = key.split_last().expect("a key has a name");
            let mut object = &mut document;
            for parent in parents {
                object = object
                    .entry(parent.as_str())
                    .or_insert_with(|| Value::Object(Map::new()))
                    .as_object_mut()
                    .expect("a key with further keys is never a value");
            }
            object.entry(name.as_str()).or_insert_with(|| setting.value.clone());
        }
        Value::Object(document)
    }

    /// A runner counts when it is a plugin, whichever file enabled that.
    fn executables(&self, project: BTreeMap<KeyPath, (Value, Place)>) -> Executables {
        let is_plugin = |runner: &Value| {
            self.values.keys().any(|key| {
                matches!(key.as_slice(), [plugins, inner, id, ..]
                    if plugins == "plugins" && inner == "plugins" && Some(id.as_str()) == runner.as_str())
            })
        };
        let names_program = |path: &[String], value: &Value| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let agent = match path.as_slice() {
                ["plugins", ..] => return true,
                ["agent", rest @ ..] | ["profiles", _, rest @ ..] => rest,
                _ => return false,
            };
            match agent {
                ["ci_gate" | "command", "argv"] | ["runners", _, "argv" | "args"] => true,
                ["runner"] | ["phase_overrides", _, "runner"] => is_plugin(value),
                [key] => key.ends_with("_bin"),
                _ => false,
            }
        };
        Executables {
            entries: project
                .into_iter()
                .filter(|(key, (value, _))| names_program(key, value))
                .map(|(key, (value, _))| (keys::dotted(&key), value))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The types take whatever the table admits.
    #[test]
    fn a_value_that_its_key_admits_never_panics() {
        let values = [
            json!(null),
            json!(true),
            json!(0),
            json!(1),
            json!(255),
            json!(u32::MAX),
            json!(u64::MAX),
            json!(-1),
            json!(0.5),
            json!(10.0),
            json!(""),
            json!("x"),
            json!("default"),
            json!([]),
            json!([1]),
            json!(["x"]),
            json!({}),
            json!({"x": 1}),
        ];
        let sources = Sources { global: None, project: PathBuf::from("/nonexistent") };
        let mut taken = 0;
        for (key, ..) in KEYS {
            for value in &values {
                let values = vec![(key.replace('*', "x"), value.clone())];
                let Ok(resolved) = load(&sources, &Overrides { profile: None, values }) else {
                    continue;
                };
                taken += 1;
                let handed = serde_json::to_string(&resolved.config).expect("a document");
                let read: Config = serde_json::from_str(&handed).expect("what was written");
                assert_eq!(read, resolved.config, "a worker reads what its run has: {handed}");
            }
        }
        assert!(taken > 100, "{taken}");
    }
}
