//! The lines of `.gitignore` that keep Ralph's own files out of commits.

use std::path::Path;

use ralph_queue::QueueFiles;

use crate::project::RALPH_DIR;

/// What Ralph writes for itself. The queue, the done file and the
/// configuration are the project's and are not among them.
pub(super) const PATTERNS: [&str; 8] = [
    "/.ralph/cache/",
    "/.ralph/logs/",
    "/.ralph/workspaces/",
    "/.ralph/lock",
    "/.ralph/trust.jsonc",
    "/.ralph/.*.lock",
    "/.ralph/.*.lock.info",
    "/.ralph/.*.tmp",
];

const BEGIN: &str = "# >>> ralph: its own files, never part of a commit";
const END: &str = "# <<< ralph";

/// `.gitignore` with Ralph's block in it, or `None` when the block is there as
/// it should be. Of queue `files` that are elsewhere below `root` it names what stands beside them.
pub(super) fn with_patterns(existing: &[u8], root: &Path, files: &QueueFiles) -> Option<Vec<u8>> {
    let elsewhere: Vec<String> =
        [&files.queue, &files.done].into_iter().flat_map(|path| beside(root, path)).collect();
    let elsewhere = elsewhere.iter().map(String::as_str);
    let lines: Vec<&str> = PATTERNS.into_iter().chain(elsewhere).collect();
    with_block(existing, BEGIN, &lines)
}

/// What Ralph writes beside a queue file, unless that is where it has its other files.
fn beside(root: &Path, file: &Path) -> Vec<String> {
    let own = || {
        let inside = file.strip_prefix(root).ok()?;
        let is_elsewhere = inside.parent() != Some(RALPH_DIR.as_ref());
        let hidden = inside.with_file_name(format!(".{}", inside.file_name()?.to_str()?));
        is_elsewhere.then(|| hidden.to_str().map(literal))?
    };
    let ends = [".lock", ".lock.info", ".*.tmp"];
    own().into_iter().flat_map(|own| ends.map(|end| format!("{own}{end}"))).collect()
}

/// The pattern of git for the file at that path, and for no other.
pub(super) fn literal(inside: &str) -> String {
    format!("/{}", escaped(inside, &['*', '?', '[', '\\']))
}

/// The text with a backslash before each of these.
pub(super) fn escaped(text: &str, special: &[char]) -> String {
    let escape = |c: char| special.contains(&c).then_some('\\').into_iter().chain([c]);
    text.chars().flat_map(escape).collect()
}

/// A text with a block of these lines in it, or `None` when the block is there
/// as it should be. Everything outside the block, the kind of line break and
/// the missing final one stay as they are.
pub(super) fn with_block(existing: &[u8], begins: &str, lines: &[&str]) -> Option<Vec<u8>> {
    let eol: &[u8] = if existing.windows(2).any(|pair| pair == b"\r\n") { b"\r\n" } else { b"\n" };
    let old: Vec<&[u8]> = existing.split_inclusive(|byte| *byte == b'\n').collect();
    let is = |line: &[u8], marker: &str| line.trim_ascii() == marker.as_bytes();
    let end = old.iter().position(|line| is(line, END));
    let begin = end.and_then(|end| old[..end].iter().rposition(|line| is(line, begins)));

    let (before, after) = match (begin, end) {
        (Some(begin), Some(end)) => (old[..begin].concat(), old[end + 1..].concat()),
        // A begin without an end is an ordinary comment: nothing is cut away.
        _ => (existing.to_vec(), Vec::new()),
    };
    let mut text = before;
    let is_open = begin.is_none() && !text.is_empty() && !text.ends_with(b"\n");
    if is_open {
        text.extend(eol);
    }
    for line in [begins].iter().chain(lines).chain(&[END]) {
        text.extend(line.as_bytes());
        text.extend(eol);
    }
    text.extend(after);
    if is_open || (begin.is_some() && !existing.ends_with(b"\n") && text.ends_with(eol)) {
        text.truncate(text.len() - eol.len());
    }
    (text != existing).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_in(existing: &[u8]) -> Option<Vec<u8>> {
        with_block(existing, BEGIN, &PATTERNS)
    }

    fn block(eol: &str) -> String {
        let lines: Vec<&str> = [BEGIN].into_iter().chain(PATTERNS).chain([END]).collect();
        lines.join(eol)
    }

    #[track_caller]
    fn check(existing: &str, expected: &str) {
        let text = lines_in(existing.as_bytes()).expect("a change");
        assert_eq!(String::from_utf8(text.clone()).expect("text"), expected);
        assert_eq!(lines_in(&text), None, "the second time nothing changes");
    }

    #[test]
    fn the_block_is_appended_once_in_the_files_own_style() {
        let (lf, crlf) = (block("\n"), block("\r\n"));
        check("", &format!("{lf}\n"));
        check("target/\n", &format!("target/\n{lf}\n"));
        check("target/", &format!("target/\n{lf}"));
        check("target/\r\n", &format!("target/\r\n{crlf}\r\n"));
        check("a\r\ntarget/", &format!("a\r\ntarget/\r\n{crlf}"));
    }

    #[test]
    fn an_older_block_is_brought_up_to_date_where_it_stands() {
        let lf = block("\n");
        check(&format!("a\n{BEGIN}\n/.ralph/old\n{END}\nb"), &format!("a\n{lf}\nb"));
        check(&format!("a\n{BEGIN}\n{END}"), &format!("a\n{lf}"));
    }

    #[test]
    fn a_block_without_an_end_cuts_nothing_away() {
        let text = format!("a\n{BEGIN}\nmine\n");
        let changed = lines_in(text.as_bytes()).expect("a change");
        assert!(changed.starts_with(text.as_bytes()));
        assert_eq!(lines_in(&changed), None);
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let changed = lines_in(b"\xff\xfe\n").expect("a change");
        assert!(changed.starts_with(b"\xff\xfe\n"));
    }
}
