//! A tool's own file with two versions: declared in a few lines, loaded, upgraded, saved.
//!
//! `cargo run --package ralph-state --example own_document`
#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::convert::Infallible;
use std::error::Error;
use std::process;

use ralph_state::document::{Document, Notes, Upgrade, Upgrades};
use ralph_state::file::Holder;
use ralph_state::json::{FieldError, Json, Object, Path};
use ralph_state::{Store, Timestamp};
use serde::{Deserialize, Serialize};

/// Version 2: how often each host was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Fleet {
    hosts: Vec<Host>,
    /// What a later version of the tool adds is kept.
    #[serde(flatten)]
    extra: Object,
}

#[derive(Debug, Serialize, Deserialize)]
struct Host {
    name: String,
    seen: u64,
}

impl Document for Fleet {
    const KIND: &'static str = "fleet";
    const VERSION_KEY: &'static str = "version";
    const UPGRADES: Upgrades = Upgrades::new(1, 2, &[Upgrade { from: 1, apply: count_sightings }]);
}

/// Version 1 had the bare names, and a colour for the terminal that nobody needs any more.
fn count_sightings(fleet: &mut Object, notes: &mut Notes) -> Result<(), FieldError> {
    if let Some(colour) = fleet.remove("colour") {
        notes.dropped("colour", colour);
    }
    let Some(Json::Array(hosts)) = fleet.get_mut("hosts") else {
        return Err(FieldError::new(Path::new().key("hosts"), "expected a list of names"));
    };
    for host in hosts {
        let name = std::mem::take(host);
        *host = Json::Object([("name", name), ("seen", Json::from(1))].into_iter().collect());
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("fleet.json");
    fs_err::write(
        &path,
        r#"{"version": 1, "hosts": ["ada", "bob"], "colour": "teal", "owner": "ops"}"#,
    )?;

    let holder = Holder {
        pid: process::id(),
        host: "this host".to_owned(),
        command: "own_document".to_owned(),
        since: Timestamp::UNIX_EPOCH, // a tool would ask its clock
    };
    let store = Store::<Fleet>::new(&path, holder);

    let loaded = store.load()?.ok_or("it was just written")?;
    println!("Loaded without writing anything:\n{}", loaded.report);

    store.update(|fleet| {
        for host in &mut fleet.hosts {
            host.seen += 1;
        }
        Ok::<_, Infallible>(())
    })?;

    let mut names: Vec<_> = fs_err::read_dir(dir.path())?
        .map(|entry| Ok::<_, std::io::Error>(entry?.file_name().display().to_string()))
        .collect::<Result<_, _>>()?;
    names.sort_unstable();
    println!("After the first save: {}", names.join(", "));
    println!("{}", fs_err::read_to_string(&path)?);
    Ok(())
}
