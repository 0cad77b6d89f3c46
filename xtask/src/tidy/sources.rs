//! Rules about Rust files.

use super::{File, Tree};

/// Stems that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["common", "helper", "helpers", "misc", "shared", "support", "types", "util", "utils"];

/// Files that are the root of something, and so no module of a parent.
const ROOTS: [&str; 4] = ["build.rs", "lib.rs", "main.rs", "mod.rs"];

pub(super) fn open_with_a_sentence(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for File { path, text } in sources(tree) {
        let first: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
        let paragraph = first.split(|line| line.trim().is_empty()).next().unwrap_or_default();
        match paragraph.last() {
            None => problems.push(format!("{path}: does not open with `//!`")),
            Some(end) if !end.trim_end().ends_with(['.', ':']) => {
                problems.push(format!("{path}: its first paragraph is no sentence"));
            }
            Some(_) => {}
        }
    }
    problems
}

pub(super) fn have_telling_names(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for File { path, .. } in sources(tree) {
        let mut parts = path.trim_end_matches(".rs").split('/');
        if let Some(empty) = parts.find(|part| EMPTY_NAMES.contains(part)) {
            problems.push(format!("{path}: `{empty}` does not say what is in it"));
        }
    }
    problems
}

pub(super) fn are_where_rust_looks(tree: &Tree) -> Vec<String> {
    let attribute = concat!("#", "[path");
    let misplaced = sources(tree).filter(|file| file.text.contains(attribute));
    misplaced.map(|file| format!("{}: `{attribute}`", file.path)).collect()
}

/// A file that no `mod` names is compiled by nobody, and its tests never run.
pub(super) fn are_not_forgotten(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for File { path, .. } in sources(tree) {
        let Some((dir, name)) = path.rsplit_once('/') else { continue };
        let (parent, module) = if name == "mod.rs" {
            let Some(split) = dir.rsplit_once('/') else { continue };
            split
        } else if ROOTS.contains(&name) || is_target_dir(dir) {
            continue;
        } else {
            (dir, name.trim_end_matches(".rs"))
        };
        let named = ROOTS.iter().any(|root| {
            let text = tree.text(&format!("{parent}/{root}"));
            text.lines().any(|line| {
                let code = line.split_once("//").map_or(line, |(code, _)| code);
                code.trim().ends_with(&format!("mod {module};"))
            })
        });
        if !named {
            problems.push(format!("{path}: no `mod {module};` in {parent}"));
        }
    }
    problems
}

/// Whether each file in `dir` is a target of its own.
fn is_target_dir(dir: &str) -> bool {
    let mut parts = dir.rsplit('/');
    match parts.next() {
        Some("benches" | "examples" | "tests" | "fuzz_targets") => true,
        Some("bin") => parts.next() == Some("src"),
        Some(_) | None => false,
    }
}

fn sources(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.with_extension("rs")
        .filter(|file| !file.path.contains("/testdata/") && !file.path.contains("/goldens/"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_module_without_its_sentence_is_named() {
        check(
            open_with_a_sentence,
            &[
                ("a/src/lib.rs", "//! A crate\n//! of note.\n//!\n//! Never\n"),
                ("a/src/no.rs", "use std::fmt;\n"),
                ("a/src/title.rs", "//! Title\n\nuse std::fmt;\n"),
            ],
            &[
                "a/src/no.rs: does not open with `//!`",
                "a/src/title.rs: its first paragraph is no sentence",
            ],
        );
    }

    #[test]
    fn empty_names_are_refused_for_files_and_folders() {
        check(
            have_telling_names,
            &[("a/src/utility.rs", ""), ("a/src/common/mod.rs", ""), ("a/src/types.rs", "")],
            &[
                "a/src/common/mod.rs: `common` does not say what is in it",
                "a/src/types.rs: `types` does not say what is in it",
            ],
        );
    }

    #[test]
    fn a_file_that_nobody_compiles_is_named() {
        check(
            are_not_forgotten,
            &[
                ("a/src/lib.rs", "pub mod used; // why\nmod folder;\n// mod lost;\n"),
                ("a/src/used.rs", ""),
                ("a/src/lost.rs", ""),
                ("a/src/folder/mod.rs", "mod inner;"),
                ("a/src/folder/inner.rs", ""),
                ("a/src/bin/tool.rs", ""),
                ("a/tests/integration/main.rs", "mod one;"),
                ("a/tests/integration/one.rs", ""),
                ("a/tests/integration/two.rs", ""),
            ],
            &[
                "a/src/lost.rs: no `mod lost;` in a/src",
                "a/tests/integration/two.rs: no `mod two;` in a/tests/integration",
            ],
        );
    }
}
