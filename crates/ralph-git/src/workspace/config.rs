//! The settings of the user's repository that a workspace needs, and how they are written.

use std::io::{self, Write as _};

use crate::command::Call;
use crate::{GitError, RemoteUrls, Repo};

/// Settings of the repository itself, and of the files it includes, that go along.
const COPIED: &[&str] = &[
    "author.",
    "committer.",
    "user.",
    "commit.",
    "gpg.",
    "credential.",
    "http.",
    "https.",
    "url.",
    "ssh.",
    "filter.",
    "lfs.",
    "merge.",
    "i18n.",
    "protocol.",
    "core.attributesfile",
    "core.autocrlf",
    "core.eol",
    "core.excludesfile",
    "core.filemode",
    "core.gitproxy",
    "core.ignorecase",
    "core.longpaths",
    "core.precomposeunicode",
    "core.safecrlf",
    "core.sshcommand",
    "core.symlinks",
    // A partial clone has to know where the rest is.
    "extensions.partialclone",
    "remote.origin.promisor",
    "remote.origin.partialclonefilter",
];

/// Settings that go along wherever they stand: `includeIf "gitdir:..."` in the user's own
/// configuration, a work identity say, does not hold for a clone elsewhere.
const PLACE_DEPENDENT: &[&str] =
    &["author.", "committer.", "user.", "commit.", "gpg.", "core.sshcommand"];

/// The settings of `main` for a workspace, as `(key, value)` in their order.
pub(super) fn inherited(main: &Repo) -> Result<Vec<(String, String)>, GitError> {
    let answer = main.run(Call::new(["config", "--list", "--show-scope", "--includes", "-z"]))?;
    parse_inherited(&answer.stdout).ok_or_else(|| answer.unreadable())
}

/// Pairs of records `scope` and `key\nvalue`; a key without `=` has no line break.
fn parse_inherited(output: &[u8]) -> Option<Vec<(String, String)>> {
    // Not `records`: a value may be empty, but a record never is.
    let text = String::from_utf8_lossy(output);
    let mut fields = text.split_terminator('\0');
    let mut settings = Vec::new();
    while let Some(scope) = fields.next() {
        let (key, value) = fields.next()?.split_once('\n').unwrap_or_default();
        let is = |list: &[&str]| list.iter().any(|prefix| matches_setting(key, prefix));
        let is_wanted = match scope {
            "local" | "worktree" => is(COPIED),
            // Ours, given on the command line.
            "command" => false,
            _ => is(PLACE_DEPENDENT),
        };
        if is_wanted {
            settings.push((key.to_owned(), value.to_owned()));
        }
    }
    Some(settings)
}

fn matches_setting(key: &str, pattern: &str) -> bool {
    if pattern.ends_with('.') { key.starts_with(pattern) } else { key == pattern }
}

/// Where `origin` of a workspace of `main` is: at `remote`, or `main` itself without one.
pub(super) fn urls(main: &Repo, remote: Option<&RemoteUrls>) -> RemoteUrls {
    remote.cloned().unwrap_or_else(|| {
        let url = main.root().to_string_lossy().into_owned();
        RemoteUrls { fetch: url.clone(), push: url }
    })
}

/// The settings that make `origin` what it should be.
pub(super) fn origin(urls: &RemoteUrls) -> Vec<(String, String)> {
    let mut settings = vec![
        ("remote.origin.url".to_owned(), urls.fetch.clone()),
        ("remote.origin.fetch".to_owned(), "+refs/heads/*:refs/remotes/origin/*".to_owned()),
    ];
    if urls.push != urls.fetch {
        settings.push(("remote.origin.pushurl".to_owned(), urls.push.clone()));
    }
    settings
}

/// Whether `origin` of `workspace` is as `settings` make it.
pub(super) fn has_origin(
    workspace: &Repo,
    settings: &[(String, String)],
) -> Result<bool, GitError> {
    let call = Call::new(["config", "--local", "-z", "--get-regexp", r"^remote\.origin\."]);
    let answer = workspace.ask(call)?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let found = text.split_terminator('\0').filter_map(|entry| entry.split_once('\n'));
    let mut found: Vec<_> = found.filter(|(key, _)| ORIGIN.contains(key)).collect();
    let mut expected: Vec<_> =
        settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    found.sort_unstable();
    expected.sort_unstable();
    Ok(found == expected)
}

/// The keys of [`origin`].
pub(super) const ORIGIN: [&str; 3] =
    ["remote.origin.url", "remote.origin.fetch", "remote.origin.pushurl"];

/// Adds `settings` to the configuration file of `repo`.
pub(super) fn append(repo: &Repo, settings: &[(String, String)]) -> io::Result<()> {
    let mut file = fs_err::OpenOptions::new().append(true).open(repo.git_dir().join("config"))?;
    file.write_all(text(settings).as_bytes())
}

/// `settings` as text for a configuration file. Written so, and not by `git config`, because its
/// arguments, an `http.extraHeader` with a token say, are there for every user to read.
pub(super) fn text(settings: &[(String, String)]) -> String {
    settings.iter().filter_map(|(key, value)| entry(key, value)).collect()
}

fn entry(key: &str, value: &str) -> Option<String> {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    // `section.name` or `section.any.thing.name`; git lists no other.
    let (section, rest) = key.split_once('.')?;
    let value = quoted(value).replace('\n', "\\n").replace('\t', "\\t");
    Some(match rest.rsplit_once('.') {
        Some((part, name)) => format!("[{section} \"{}\"]\n\t{name} = \"{value}\"\n", quoted(part)),
        None => format!("[{section}]\n\t{rest} = \"{value}\"\n"),
    })
}

#[cfg(test)]
mod tests {
    use ralph_testkit::Sandbox;

    use super::*;

    #[test]
    fn what_goes_along() {
        let output = "system\0user.name\nSystem\0global\0credential.helper\nstore\0\
                      global\0user.email\na@b\0local\0core.bare\nfalse\0local\0core.hookspath\nx\0\
                      local\0credential.helper\n\0worktree\0url.a:b.insteadof\nc\0\
                      local\0core.symlinks\0command\0user.name\nours\0local\0core.eol\nlf\0";
        let settings = parse_inherited(output.as_bytes()).unwrap();
        let expected = [
            ("user.name", "System"),
            ("user.email", "a@b"),
            ("credential.helper", ""),
            ("url.a:b.insteadof", "c"),
            ("core.eol", "lf"),
        ];
        assert_eq!(settings, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(parse_inherited(b"local\0"), None);
    }

    #[test]
    fn git_reads_back_what_is_written() {
        let sandbox = Sandbox::new();
        let values = [
            "plain",
            "",
            " spaced ",
            "a \"quoted\" \\ back",
            "two\nlines",
            "tab\t; # not a comment",
            "Ünïcode",
            "\u{7}",
        ];
        let keys = ["user.name", "http.https://a.b/c.d/.extraheader", "url.a \"b\\ c.insteadof"];
        let mut settings = Vec::new();
        for key in keys {
            settings.extend(values.map(|value| (key.to_owned(), value.to_owned())));
        }
        let file = sandbox.write("config", text(&settings));
        let file = file.to_str().unwrap();
        let read = sandbox.git(sandbox.root(), ["config", "--file", file, "--list", "-z"]);
        let read: Vec<_> =
            read.split_terminator('\0').map(|entry| entry.split_once('\n')).collect();
        let expected = settings.iter().map(|(key, value)| Some((key.as_str(), value.as_str())));
        assert_eq!(read, expected.collect::<Vec<_>>());
    }
}
