//! `cargo xtask api`: the public names of the crates that others embed.
//!
//! Rustdoc tells which items are public and where they are declared; the listing shows each
//! declaration as the source has it. So a change of a signature is a change of a line, for a
//! reviewer to see.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::Value;

use crate::cargo;

/// The crates, each with its listing in `public-api.txt`.
const CRATES: [&str; 2] = ["ralph-queue", "ralph-state"];

/// Compares the declarations with the listings; `--bless` makes the listings anew, for a reviewer
/// to read.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let bless = match args {
        [] => false,
        [flag] if flag == "--bless" => true,
        _ => {
            eprintln!("Usage: cargo xtask api [--bless]");
            return ExitCode::from(2);
        }
    };
    let mut counts = cargo::Counts::default();
    for name in CRATES {
        match check(name, bless) {
            Ok(items) => {
                println!("{name}: {items} public items, as listed");
                counts.passed += 1;
            }
            Err(error) => {
                println!("{name}: {error}\n`cargo xtask api --bless` takes them over.");
                counts.failed += 1;
            }
        }
    }
    println!("{counts}");
    if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(name: &str, bless: bool) -> Result<usize, String> {
    let found = listing(name)?;
    let path = cargo::root().join("crates").join(name).join("public-api.txt");
    if bless {
        let lines: Vec<&str> = found.iter().map(String::as_str).collect();
        let text = lines.join("\n") + "\n";
        fs_err::write(&path, text).map_err(|error| error.to_string())?;
    }
    let listed = fs_err::read_to_string(&path).map_err(|error| error.to_string())?;
    let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    let gone = listed.difference(&found).map(|line| format!("gone: {line}\n"));
    let new = found.difference(&listed).map(|line| format!("new: {line}\n"));
    let changes: String = gone.chain(new).collect();
    if changes.is_empty() { Ok(found.len()) } else { Err(changes) }
}

fn listing(name: &str) -> Result<BTreeSet<String>, String> {
    // The format is not stable yet, which is told to the pinned toolchain here. In a directory of
    // its own, since that changes how every dependency is built.
    let target = cargo::root().join("target/public-api");
    let mut command = cargo::command(["rustdoc", "--quiet", "--lib", "--all-features"]);
    command.args(["--package", name, "--target-dir"]).arg(&target);
    command.args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    let output = command.env("RUSTC_BOOTSTRAP", "1").output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let krate = name.replace('-', "_");
    let json = fs_err::read(target.join("doc").join(format!("{krate}.json")))
        .map_err(|error| error.to_string())?;
    let docs: Value = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    let mut listing = Listing { index: &docs["index"], lines: BTreeSet::new() };
    listing.item(&docs["root"], &krate);
    Ok(listing.lines)
}

struct Listing<'a> {
    index: &'a Value,
    lines: BTreeSet<String>,
}

impl<'a> Listing<'a> {
    /// The item with this id, seen at this path, and what is in it.
    fn item(&mut self, id: &Value, path: &str) {
        // Of another crate there is no entry.
        let Some(item) = self.index.get(id.to_string()) else { return };
        let Some((kind, inner)) = item["inner"].as_object().and_then(|inner| inner.iter().next())
        else {
            return;
        };
        match kind.as_str() {
            "module" => self.items(&inner["items"], path),
            "use" => {
                let parent = path.rsplit_once("::").map_or(path, |(parent, _)| parent);
                let name = inner["name"].as_str().unwrap_or_default();
                self.item(&inner["id"], &format!("{parent}::{name}"));
            }
            "impl" => self.implementation(item, inner, path),
            _ => {
                self.lines.insert(format!("{path}: {}", declaration(item, kind, inner)));
                for part in ["items", "variants", "impls"] {
                    self.items(&inner[part], path);
                }
                for shape in [&inner["kind"]["plain"], &inner["kind"]["struct"]] {
                    self.items(&shape["fields"], path);
                }
                self.items(&inner["kind"]["tuple"], path);
            }
        }
    }

    fn items(&mut self, ids: &'a Value, path: &str) {
        for id in ids.as_array().into_iter().flatten() {
            let name = self.index.get(id.to_string()).and_then(|item| item["name"].as_str());
            match name {
                Some(name) => self.item(id, &format!("{path}::{name}")),
                None if self.index.get(id.to_string()).is_some_and(is_use) => {
                    self.item(id, &format!("{path}::"));
                }
                None => self.item(id, path),
            }
        }
    }

    /// What is implemented by hand or derived; not what the compiler works out.
    fn implementation(&mut self, item: &'a Value, inner: &'a Value, path: &str) {
        if !inner["blanket_impl"].is_null() || inner["is_synthetic"] == true {
            return;
        }
        if inner["trait"].is_null() {
            return self.items(&inner["items"], path);
        }
        // Comes with `PartialEq`, by another name in every version of the compiler.
        if inner["trait"]["path"] == "StructuralPartialEq" {
            return;
        }
        let written = source(item).filter(|text| text.starts_with("impl"));
        let text = written.unwrap_or_else(|| format!("impl {}", rendered(&inner["trait"])));
        self.lines.insert(format!("{path}: {text}"));
    }
}

fn is_use(item: &Value) -> bool {
    item["inner"].get("use").is_some()
}

/// What the source says of an item before its body; less where a macro wrote it.
fn declaration(item: &Value, kind: &str, inner: &Value) -> String {
    let marked = item["attrs"].as_array().into_iter().flatten();
    let open = marked.clone().any(|attr| attr == "non_exhaustive");
    let text = source(item).unwrap_or_else(|| match kind {
        "struct_field" => rendered(inner),
        _ => kind.to_owned(),
    });
    format!("{}{text}", if open { "#[non_exhaustive] " } else { "" })
}

fn source(item: &Value) -> Option<String> {
    let span = &item["span"];
    let place = |end: &str, at: usize| usize::try_from(span[end][at].as_u64()?).ok();
    let text = fs_err::read_to_string(cargo::root().join(span["filename"].as_str()?)).ok()?;
    let (first, last) = (place("begin", 0)?, place("end", 0)?);
    let lines: Vec<&str> = text.lines().skip(first - 1).take(last + 1 - first).collect();
    let after = lines.last()?.len() - (place("end", 1)? - 1);
    let whole = lines.join("\n");
    let text = whole.get(place("begin", 1)? - 1..whole.len() - after)?;
    // A declaration ends where its body begins.
    let end = text.find(" {").or_else(|| text.find(';')).unwrap_or(text.len());
    let declared = text[..end].split_whitespace().collect::<Vec<_>>().join(" ");
    let by_macro = declared.contains('!') || declared.starts_with('#');
    let is_derive = !item["attrs"].as_array()?.is_empty() && item["name"].is_null();
    (!by_macro && !is_derive).then(|| declared.trim_end_matches(',').to_owned())
}

/// A type, as far as it is made of names.
fn rendered(value: &Value) -> String {
    let path = value.get("resolved_path").unwrap_or(value);
    if let Some(name) = path["path"].as_str() {
        let args = path["args"]["angle_bracketed"]["args"].as_array().into_iter().flatten();
        let args: Vec<String> = args.map(|arg| rendered(arg.get("type").unwrap_or(arg))).collect();
        let args = if args.is_empty() { String::new() } else { format!("<{}>", args.join(", ")) };
        return format!("{name}{args}");
    }
    let plain = ["primitive", "generic", "lifetime"].iter().find_map(|kind| value[*kind].as_str());
    plain.map_or_else(|| value.to_string(), str::to_owned)
}
