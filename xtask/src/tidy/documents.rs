//! Rules about what documents and all other text files say.

use std::collections::BTreeSet;

use super::{File, Tree};
use crate::cargo;

/// Relative links of Markdown files lead to a file or folder of the tree.
pub(super) fn links_resolve(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for File { path, text } in tree.with_extension("md") {
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let target = link.0.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains(':') {
                continue;
            }
            let wanted = join(dir, target);
            let folder = format!("{wanted}/");
            if !tree.files.iter().any(|file| file.path == wanted || file.path.starts_with(&folder))
            {
                problems.push(format!("{path}: `{target}`"));
            }
        }
    }
    problems
}

fn join(dir: &str, target: &str) -> String {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// A path of the machine that the text was written on means nothing on
/// another one.
pub(super) fn name_no_machine(tree: &Tree) -> Vec<String> {
    let root = cargo::root().display().to_string();
    let foreign =
        [root.as_str(), concat!("..", "/shared"), concat!("/", "root/"), concat!("/", "work/main")];
    let mut problems = Vec::new();
    for File { path, text } in &tree.files {
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = foreign.iter().find(|word| line.contains(**word)) {
                problems.push(format!("{path}:{}: `{found}`", number + 1));
            }
        }
    }
    problems
}

/// The numbers of `enum Exit` are a contract: its table has each of them.
pub(super) fn exit_codes_are_explained(tree: &Tree) -> Vec<String> {
    let listed = tree.text("crates/ralph-cli/src/error.rs").lines();
    let codes: BTreeSet<_> = listed
        .skip_while(|line| !line.contains("enum Exit "))
        .take_while(|line| !line.starts_with('}'))
        .filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = ")?.1.parse::<u8>().ok())
        .collect();
    let rows = tree.table("docs/exit-codes.md", "Exit codes");
    let explained: BTreeSet<_> =
        rows.iter().filter_map(|cells| cells.first()?.parse().ok()).collect();
    if codes.is_empty() {
        return vec!["crates/ralph-cli/src/error.rs: found no `enum Exit`".to_owned()];
    }
    let missing =
        codes.difference(&explained).map(|code| format!("{code} has no row in docs/exit-codes.md"));
    let stale = explained
        .difference(&codes)
        .map(|code| format!("docs/exit-codes.md has {code}, the program does not"));
    missing.chain(stale).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        check(
            links_resolve,
            &[
                (
                    "docs/a.md",
                    "[up](../b.md#part) [web](https://example.org) [dir](design) [lost](c.md) [here](#x)",
                ),
                ("b.md", "[down](docs/a.md)"),
                ("docs/design/one.md", ""),
            ],
            &["docs/a.md: `c.md`"],
        );
    }

    #[test]
    fn a_code_without_a_row_is_named_and_a_row_without_a_code() {
        check(
            exit_codes_are_explained,
            &[
                (
                    "crates/ralph-cli/src/error.rs",
                    "pub(crate) enum Exit {\n    /// Fine.\n    Done = 0,\n    Bad = 1,\n}\n",
                ),
                (
                    "docs/exit-codes.md",
                    "# Exit codes\n\n| code | meaning |\n|---|---|\n| 0 | done |\n| 9 | old |\n",
                ),
            ],
            &[
                "1 has no row in docs/exit-codes.md",
                "docs/exit-codes.md has 9, the program does not",
            ],
        );
    }
}
