//! What a failed fetch or push means, from the texts of git and of servers.

use crate::Push;

/// What a push that failed means: the status line of `target` if there is one, else what git
/// says of the connection.
pub(super) fn classify_push(stdout: &str, stderr: &str, target: &str) -> Push {
    let reason = || essence(stderr);
    let Some((summary, why)) = stdout.lines().find_map(|line| rejection(line, target)) else {
        return match trouble(stderr) {
            Some(Trouble::Gone) => Push::RemoteGone { reason: reason() },
            Some(Trouble::Refused) => Push::Refused { reason: reason() },
            Some(Trouble::Transient) => Push::Transient { reason: reason() },
            None => Push::Unknown { reason: reason() },
        };
    };
    let has = |words: &[&str]| words.iter().any(|word| why.contains(word));
    // Two pushes at the same moment meet at the ref's lock on the server.
    let is_lock = has(&[
        "cannot lock ref",
        "failed to update ref",
        "failed to lock",
        "incorrect old value",
        "reference already exists",
        "fetch first",
        "non-fast-forward",
        "stale info",
    ]);
    match summary {
        "[rejected]" | "[remote rejected]" if is_lock => Push::Raced,
        "[remote rejected]" if has(&["Internal Server Error", "internal error", "timeout"]) => {
            Push::Transient { reason: both(why, stderr) }
        }
        "[remote rejected]" | "[rejected]" => Push::Refused { reason: both(why, stderr) },
        // `[remote failure] (remote failed to report status)`: it may have arrived.
        "[remote failure]" => Push::Transient { reason: both(why, stderr) },
        _ => Push::Unknown { reason: both(why, stderr) },
    }
}

/// Summary and reason of a line such as
/// `!\t1234:refs/heads/main\t[remote rejected] (pre-receive hook declined)`.
fn rejection<'a>(line: &'a str, target: &str) -> Option<(&'a str, &'a str)> {
    let mut fields = line.strip_prefix("!\t")?.splitn(2, '\t');
    let to = fields.next()?.rsplit(':').next()?;
    let status = fields.next()?;
    let (summary, why) = status.split_once(" (").unwrap_or((status, ""));
    (to == target).then_some((summary, why.strip_suffix(')').unwrap_or(why)))
}

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Gone,
    Refused,
    Transient,
}

/// The texts of git, ssh, curl and the large hosts, in the C locale and lower case. The order
/// matters: who says "gone" or "refused" was reached, and that the connection ends then is no
/// trouble of the network.
const TROUBLES: &[(Trouble, &[&str])] = &[
    (
        Trouble::Gone,
        &[
            "repository not found",
            "does not appear to be a git repository",
            "repository '' not found",
            "project you were looking for could not be found",
            "no such remote",
            "does not exist or you do not have",
            "repository does not exist",
        ],
    ),
    (
        Trouble::Refused,
        &[
            "permission denied",
            "permission to",
            "access denied",
            "authentication failed",
            "invalid username or",
            "could not read username",
            "could not read password",
            "terminal prompts disabled",
            "host key verification failed",
            "returned error: 401",
            "returned error: 403",
            "http 401",
            "http 403",
            "write access to repository not granted",
            "not allowed to push",
            "protected branch",
            "server certificate verification failed",
            "ssl certificate problem",
            "gh006",
            "gh013",
            "hook declined",
            "read-only",
            "archived",
        ],
    ),
    (
        Trouble::Transient,
        &[
            "could not resolve host",
            "temporary failure in name resolution",
            "name or service not known",
            "nodename nor servname provided",
            "connection timed out",
            "operation timed out",
            "connection refused",
            "connection reset",
            "connection closed by",
            "failed to connect to",
            "couldn't connect to server",
            "network is unreachable",
            "no route to host",
            "broken pipe",
            "early eof",
            "unexpected disconnect",
            "the remote end hung up unexpectedly",
            "hung up upon initial contact",
            "operation too slow",
            "timeout",
            "internal server error",
            "bad gateway",
            "service unavailable",
            "gateway time-out",
            "returned error: 429",
            "returned error: 500",
            "returned error: 502",
            "returned error: 503",
            "returned error: 504",
            "http 429",
            "http 500",
            "http 502",
            "http 503",
            "http 504",
            "gnutls recv error",
            "ssl_error_syscall",
            "recv failure",
            "send failure",
        ],
    ),
];

/// What is wrong with a connection; `None` when its texts are not known.
pub(super) fn trouble(stderr: &str) -> Option<Trouble> {
    let text = without_names(stderr).to_lowercase();
    let is_said = |words: &[&str]| words.iter().any(|word| text.contains(word));
    TROUBLES.iter().find(|(_, words)| is_said(words)).map(|(kind, _)| *kind)
}

/// `text` without what stands in quotes: the name of a branch or host says nothing of what is
/// wrong, whatever it is. An apostrophe is no quote.
fn without_names(text: &str) -> String {
    let (mut is_name, mut previous) = (false, ' ');
    let is_kept = |c: &char| {
        let was_name = is_name;
        is_name = match c {
            '\'' => !is_name && !previous.is_alphanumeric(),
            '\n' => false,
            _ => is_name,
        };
        previous = *c;
        !was_name || !is_name
    };
    text.chars().filter(is_kept).collect()
}

/// The lines of git's errors that say something, one line, at most 500 characters.
pub(super) fn essence(stderr: &str) -> String {
    const EMPTY: [&str; 6] = [
        "hint:",
        "To ",
        "Done",
        "Please make sure you have the correct access rights",
        "and the repository exists.",
        "error: failed to push some refs to",
    ];
    let lines = stderr.lines().map(|line| line.strip_prefix("remote:").unwrap_or(line).trim());
    let telling: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !EMPTY.iter().any(|empty| line.starts_with(empty)))
        .collect();
    telling.join("; ").chars().take(500).collect()
}

fn both(why: &str, stderr: &str) -> String {
    match essence(stderr) {
        said if said.is_empty() => why.to_owned(),
        said => format!("{why}: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "refs/heads/main";

    fn line(status: &str) -> String {
        format!("To https://host/x.git\n!\t1234:refs/heads/main\t{status}\nDone\n")
    }

    #[test]
    fn races() {
        for status in [
            "[rejected] (fetch first)",
            "[rejected] (non-fast-forward)",
            "[rejected] (stale info)",
            "[remote rejected] (cannot lock ref 'refs/heads/main': is at a but expected b)",
            "[remote rejected] (failed to update ref)",
            "[remote rejected] (incorrect old value provided)",
            "[remote rejected] (reference already exists)",
        ] {
            assert_eq!(classify_push(&line(status), "", MAIN), Push::Raced, "{status}");
        }
    }

    #[test]
    fn refusals() {
        let check = |status: &str, stderr: &str, expected: &str| {
            let reason = expected.to_owned();
            assert_eq!(classify_push(&line(status), stderr, MAIN), Push::Refused { reason });
        };
        check("[remote rejected] (pre-receive hook declined)", "", "pre-receive hook declined");
        check(
            "[remote rejected] (protected branch hook declined)",
            "remote: error: GH006: Protected branch update failed for refs/heads/main.        \n\
             remote: \n\
             remote: - Changes must be made through a pull request.        \n\
             error: failed to push some refs to 'https://github.com/o/x.git'",
            "protected branch hook declined: error: GH006: Protected branch update failed for \
             refs/heads/main.; - Changes must be made through a pull request.",
        );
        check(
            "[remote rejected] (push declined due to repository rule violations)",
            "remote: error: GH013: Repository rule violations found for refs/heads/main.",
            "push declined due to repository rule violations: error: GH013: Repository rule \
             violations found for refs/heads/main.",
        );
        check(
            "[remote rejected] (branch is currently checked out)",
            "",
            "branch is currently \
             checked out",
        );
        check("[rejected] (already exists)", "hint: Updates were rejected", "already exists");
    }

    #[test]
    fn servers_in_trouble() {
        for status in [
            "[remote rejected] (Internal Server Error)",
            "[remote failure] (remote failed to report status)",
        ] {
            let push = classify_push(&line(status), "", MAIN);
            assert!(matches!(push, Push::Transient { .. }), "{status}: {push:?}");
        }
    }

    #[test]
    fn another_refs_line_says_nothing() {
        let output = "!\t1234:refs/heads/other\t[rejected] (fetch first)\n";
        assert_eq!(classify_push(output, "", MAIN), Push::Unknown { reason: String::new() });
    }

    #[test]
    fn connections() {
        use Trouble::{Gone, Refused, Transient};
        let ending = "fatal: Could not read from remote repository.\n\nPlease make sure you have \
                      the correct access rights\nand the repository exists.";
        let url = "fatal: unable to access 'https://***@host/x.git/': ";
        for (text, expected) in [
            ("ERROR: Repository not found.", Some(Gone)),
            (
                "remote: Repository not found.\nfatal: repository 'https://h/x/' not found",
                Some(Gone),
            ),
            ("fatal: '/srv/x.git' does not appear to be a git repository", Some(Gone)),
            ("remote: The project you were looking for could not be found", Some(Gone)),
            ("git@host: Permission denied (publickey).", Some(Refused)),
            ("Host key verification failed.", Some(Refused)),
            ("remote: Permission to o/x.git denied to me.", Some(Refused)),
            ("fatal: Authentication failed for 'https://host/x.git/'", Some(Refused)),
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                Some(Refused),
            ),
            ("The requested URL returned error: 403", Some(Refused)),
            ("Could not resolve host: github.com", Some(Transient)),
            (
                "ssh: Could not resolve hostname h: Temporary failure in name resolution",
                Some(Transient),
            ),
            ("ssh: connect to host h port 22: Connection refused", Some(Transient)),
            (
                "Failed to connect to h port 443 after 130 ms: Couldn't connect to server",
                Some(Transient),
            ),
            ("The requested URL returned error: 503", Some(Transient)),
            (
                "error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502",
                Some(Transient),
            ),
            ("kex_exchange_identification: read: Connection reset by peer", Some(Transient)),
            ("fatal: early EOF", Some(Transient)),
            ("fetch-pack: unexpected disconnect while reading sideband packet", Some(Transient)),
            ("fatal: the remote end hung up unexpectedly", Some(Transient)),
            ("fatal: protocol error: bad line length character: Welc", None),
            ("", None),
        ] {
            for text in [text.to_owned(), format!("{url}{text}"), format!("{text}\n{ending}")] {
                assert_eq!(trouble(&text), expected, "{text}");
            }
        }
    }

    #[test]
    fn names_say_nothing() {
        let check = |text: &str, kept: &str| assert_eq!(without_names(text), kept);
        check("", "");
        check("couldn't find 'a b', can't", "couldn't find '', can't");
        check("repository 'https://h/archived.git/' not found", "repository '' not found");
        check("'a' 'b\nc'd'e", "'' '\nc'd'e");
        check("''", "''");
        let text = "fatal: unable to access 'https://h/read-only/': Could not resolve host: h";
        assert_eq!(trouble(text), Some(Trouble::Transient));
        assert_eq!(trouble("error: src refspec 'timeout' does not match any"), None);
    }

    #[test]
    fn a_closed_connection_after_a_refusal_is_the_refusal() {
        let text = "remote: Permission to o/x.git denied to me.\n\
                    fatal: the remote end hung up unexpectedly";
        let reason = "Permission to o/x.git denied to me.; fatal: the remote end hung up \
                      unexpectedly";
        let expected = Push::Refused { reason: reason.to_owned() };
        assert_eq!(classify_push("", text, MAIN), expected);
    }
}
