//! Rules about crates and what they depend on.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Tree;

/// A crate of this workspace.
#[derive(Debug, Default)]
pub(super) struct Package {
    name: String,
    /// Names of what it is built with, and of what its tests need besides.
    normal: BTreeSet<String>,
    dev: BTreeSet<String>,
    /// How many integration test binaries it has.
    tests: usize,
}

/// Reads the output of `cargo metadata`: our packages, and the name and
/// licence of every other one.
pub(super) fn read(metadata: &Value) -> (Vec<Package>, Vec<(String, String)>) {
    let mut ours = Vec::new();
    let mut licences = Vec::new();
    for package in list(metadata, "packages") {
        // A package from a registry or a repository has a source.
        if package["source"].is_null() {
            ours.push(read_package(package));
        } else {
            licences.push((string(package, "name"), string(package, "license")));
        }
    }
    ours.sort_by(|a, b| a.name.cmp(&b.name));
    (ours, licences)
}

fn read_package(package: &Value) -> Package {
    let mut read = Package { name: string(package, "name"), ..Package::default() };
    // A crate that names itself turns on a feature for its own tests; that is no edge.
    let others = list(package, "dependencies").iter();
    for dependency in others.filter(|dependency| dependency["name"] != package["name"]) {
        let names = match dependency["kind"].as_str() {
            Some("dev") => &mut read.dev,
            Some(_) | None => &mut read.normal,
        };
        names.insert(string(dependency, "name"));
    }
    let is_test = |target: &&Value| list(target, "kind").iter().any(|kind| kind == "test");
    read.tests = list(package, "targets").iter().filter(is_test).count();
    read
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The edges between our crates are decided in the document; a manifest that
/// has another one is what this rule catches.
pub(super) fn edges_are_documented(tree: &Tree) -> Vec<String> {
    let ours: BTreeSet<_> = tree.packages.iter().map(|package| &package.name).collect();
    let edges = |names: &BTreeSet<String>| {
        let inner: Vec<_> = names
            .iter()
            .filter(|name| ours.contains(name))
            .map(|name| format!("`{name}`"))
            .collect();
        if inner.is_empty() { "none".to_owned() } else { inner.join(", ") }
    };
    let real: BTreeSet<String> = tree
        .packages
        .iter()
        .map(|package| {
            format!("| `{}` | {} | {} |", package.name, edges(&package.normal), edges(&package.dev))
        })
        .collect();
    let written: BTreeSet<String> = tree
        .table("docs/architecture.md", "Crate edges")
        .iter()
        .map(|cells| format!("| {} |", cells.join(" | ")))
        .collect();
    let missing = real
        .difference(&written)
        .map(|row| format!("the manifests say, the table does not: {row}"));
    let stale =
        written.difference(&real).map(|row| format!("the table says, the manifests do not: {row}"));
    missing.chain(stale).collect()
}

pub(super) fn lints_are_inherited(tree: &Tree) -> Vec<String> {
    let manifests = tree.files.iter().filter(|file| {
        (file.path.starts_with("crates/") || file.path.starts_with("xtask/"))
            && file.path.ends_with("/Cargo.toml")
            // A workspace of its own has no lints to inherit.
            && !file.text.contains("\n[workspace]")
    });
    let without = manifests.filter(|file| !file.text.contains("[lints]\nworkspace = true"));
    without.map(|file| format!("{}: no `[lints] workspace = true`", file.path)).collect()
}

/// Each binary links everything again and runs after the one before it.
pub(super) fn one_integration_binary(tree: &Tree) -> Vec<String> {
    let many = tree.packages.iter().filter(|package| package.tests > 1);
    many.map(|package| format!("{} has {}", package.name, package.tests)).collect()
}

pub(super) fn dependencies_are_explained(tree: &Tree) -> Vec<String> {
    let ours: BTreeSet<_> = tree.packages.iter().map(|package| &package.name).collect();
    let all = tree.packages.iter().flat_map(|package| package.normal.union(&package.dev));
    let used: BTreeSet<_> = all.filter(|name| !ours.contains(name)).cloned().collect();
    let explained: BTreeSet<String> = tree
        .text("docs/dependencies.md")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    let missing = used.difference(&explained).map(|name| format!("`{name}` has no line"));
    let stale = explained.difference(&used).map(|name| format!("`{name}` has a line and no use"));
    missing.chain(stale).collect()
}

pub(super) fn licences_are_allowed(tree: &Tree) -> Vec<String> {
    let allowed = allow_list(tree.text("deny.toml"));
    let refused = tree.licences.iter().filter(|(_, licence)| !is_allowed(licence, &allowed));
    refused.map(|(name, licence)| format!("{name}: `{licence}`")).collect()
}

/// Dependencies come from the one registry, under a checksum.
pub(super) fn sources_are_one_registry(tree: &Tree) -> Vec<String> {
    let sources = tree.text("Cargo.lock").lines().filter_map(|line| line.strip_prefix("source = "));
    let distinct: BTreeSet<_> = sources.collect();
    match distinct.iter().find(|source| !source.starts_with("\"registry+")) {
        Some(other) => vec![format!("{other} is no registry")],
        None if distinct.len() > 1 => vec![format!("more than one registry: {distinct:?}")],
        None => Vec::new(),
    }
}

/// The strings of the first `allow = [ … ]`.
fn allow_list(deny: &str) -> BTreeSet<&str> {
    let list = deny.split_once("allow = [").and_then(|(_, rest)| rest.split_once(']'));
    list.map_or_else(BTreeSet::new, |(list, _)| list.split('"').skip(1).step_by(2).collect())
}

/// Whether one side of each `OR` (or the old `/`) has only allowed parts.
/// Parentheses occur only around an `OR` inside an `AND`, or around the whole.
fn is_allowed(licence: &str, allowed: &BTreeSet<&str>) -> bool {
    let any = |choice: &str| {
        let choice = choice.replace('/', " OR ");
        choice.split(" OR ").any(|one| one.split(" AND ").all(|part| allowed.contains(part.trim())))
    };
    let mut rest = licence.trim();
    let mut outside = String::new();
    while let Some((before, tail)) = rest.split_once('(') {
        let Some((group, after)) = tail.split_once(')') else { return false };
        if !any(group) {
            return false;
        }
        outside.push_str(before);
        rest = after;
    }
    outside.push_str(rest);
    let left = outside.trim().trim_start_matches("AND ").trim_end_matches(" AND").trim();
    if left.is_empty() { !licence.is_empty() } else { any(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, normal: &[&str], dev: &[&str]) -> Package {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Package { name: name.into(), normal: names(normal), dev: names(dev), tests: 0 }
    }

    #[test]
    fn an_edge_too_many_is_seen_from_both_sides() {
        let text = "## Crate edges\n\n| crate | built with | tests |\n|---|---|---|\n| `a` | `b` | none |\n| `b` | none | none |\n\n## Next\n";
        let file = super::super::File { path: "docs/architecture.md".into(), text: text.into() };
        let packages = vec![package("a", &["b", "serde"], &[]), package("b", &[], &["a"])];
        let tree = Tree { files: vec![file], packages, licences: Vec::new() };
        assert_eq!(
            edges_are_documented(&tree),
            [
                "the manifests say, the table does not: | `b` | none | `a` |",
                "the table says, the manifests do not: | `b` | none | none |",
            ],
        );
    }

    #[test]
    fn licences_are_read_as_spdx() {
        let allowed = allow_list(
            "[licenses]\nallow = [\n  \"MIT\",\n  \"Apache-2.0\", # why\n  \"Unicode-3.0\",\n]\n",
        );
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "Unlicense OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Unicode-3.0 AND (MIT OR GPL-2.0)",
            "(MIT OR Apache-2.0)",
            "Apache-2.0 AND MIT",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND GPL-3.0", "(MIT"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }
}
