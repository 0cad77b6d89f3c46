//! `cargo xtask tidy`: rules of this repository that no compiler knows.

mod documents;
mod manifests;
mod sources;

use std::path::Path;
use std::process::ExitCode;

use crate::cargo;
use manifests::Package;

/// What the rules look at, read once.
struct Tree {
    /// Every text file that git tracks or would offer to, by its path from the
    /// root, in order.
    files: Vec<File>,
    /// The crates of the workspace.
    packages: Vec<Package>,
    /// Name and licence of every crate that is built, ours excepted.
    licences: Vec<(String, String)>,
}

struct File {
    path: String,
    text: String,
}

/// A rule says what is wrong, one line each; nothing means tidy.
type Rule = fn(&Tree) -> Vec<String>;

const RULES: &[(&str, Rule)] = &[
    ("every module opens with a sentence", sources::open_with_a_sentence),
    ("names say what a module is about", sources::have_telling_names),
    ("every source file is a module of its crate", sources::are_not_forgotten),
    ("modules are found where Rust looks for them", sources::are_where_rust_looks),
    ("crate edges are those of docs/architecture.md", manifests::edges_are_documented),
    ("every crate takes the workspace's lints", manifests::lints_are_inherited),
    ("one integration test binary per crate", manifests::one_integration_binary),
    ("docs/dependencies.md says why, for each dependency", manifests::dependencies_are_explained),
    ("licences are those of deny.toml", manifests::licences_are_allowed),
    ("dependencies come from one registry", manifests::sources_are_one_registry),
    ("links between files lead somewhere", documents::links_resolve),
    ("nothing names a machine", documents::name_no_machine),
    ("every exit code is documented", documents::exit_codes_are_explained),
];

/// Checks every rule and closes with the count.
pub(crate) fn run(_: &[String]) -> ExitCode {
    let tree = match Tree::read() {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("cannot read the tree: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut counts = cargo::Counts::default();
    for (name, rule) in RULES {
        let problems = rule(&tree);
        println!("{name} ... {}", if problems.is_empty() { "ok" } else { "FAILED" });
        for problem in &problems {
            println!("    {problem}");
        }
        counts.passed += u64::from(problems.is_empty());
        counts.failed += u64::from(!problems.is_empty());
    }
    println!("\n{counts}");
    if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Tree {
    fn read() -> std::io::Result<Self> {
        let mut git = cargo::program("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listing = git.output()?;
        if !listing.status.success() {
            return Err(std::io::Error::other(
                String::from_utf8_lossy(&listing.stderr).into_owned(),
            ));
        }
        let mut files = Vec::new();
        for path in String::from_utf8_lossy(&listing.stdout).split_terminator('\0') {
            // Deleted but still tracked, or no text: nothing for these rules.
            if let Ok(text) = fs_err::read_to_string(cargo::root().join(path)) {
                files.push(File { path: path.to_owned(), text });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);

        // Without the filter, cargo would fetch the crates of every platform.
        let platform = format!("--filter-platform={}", cargo::host()?);
        let metadata = ["metadata", "--format-version=1", "--locked", "--quiet", &platform];
        let output = cargo::command(metadata).output()?;
        if !output.status.success() {
            return Err(std::io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ));
        }
        let metadata = serde_json::from_slice(&output.stdout)?;
        let (packages, licences) = manifests::read(&metadata);
        Ok(Self { files, packages, licences })
    }

    fn text(&self, path: &str) -> &str {
        self.files.iter().find(|file| file.path == path).map_or("", |file| &file.text)
    }

    /// The files with this extension.
    fn with_extension(&self, extension: &str) -> impl Iterator<Item = &File> {
        let has = move |file: &&File| {
            Path::new(&file.path).extension().is_some_and(|has| has == extension)
        };
        self.files.iter().filter(has)
    }

    /// The rows of the Markdown table under `heading` of a document, each as
    /// its trimmed cells, without the table's own heading.
    fn table(&self, path: &str, heading: &str) -> Vec<Vec<String>> {
        let lines = self.text(path).lines();
        let section =
            lines.skip_while(|line| line.trim_start_matches('#').trim() != heading).skip(1);
        section
            .take_while(|line| !line.starts_with('#'))
            .filter(|line| line.starts_with('|'))
            .skip(2)
            .map(|row| {
                row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let tree = Tree::read().unwrap();
        let all = RULES.iter().flat_map(|(name, rule)| {
            rule(&tree).into_iter().map(move |problem| {
                format!(
                    "{name}: {problem}
"
                )
            })
        });
        let report: String = all.collect();
        assert!(
            report.is_empty(),
            "
{report}"
        );
    }

    /// What a rule says about a tree of these files alone.
    pub(super) fn check(rule: Rule, files: &[(&str, &str)], expected: &[&str]) {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        let files = files.iter().map(file).collect();
        let tree = Tree { files, packages: Vec::new(), licences: Vec::new() };
        assert_eq!(rule(&tree), expected);
    }
}
