//! The difference between two versions of the queue files, as `diff -u` writes it.

use std::time::Duration;

use ralph_queue::delta::{Replaced, replaced};
use ralph_queue::{Document, Place, Queue};
use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, TextDiff};

use crate::project::Project;

/// Up to that size, in bytes of both texts, what differs is compared line by line; above it, task
/// by task.
const LONG: usize = 1 << 20;
/// How long the lines of a file are compared.
const DIFF_TIME: Duration = Duration::from_millis(300);
/// How many lines are shown around what differs.
const AROUND: usize = 3;

/// The difference between two versions of both files.
pub(crate) fn between(project: &Project, before: &Queue, after: &Queue) -> String {
    let mut told = of_file(project, Place::Queue, (before.document(), after.document()));
    let done = (before.done_document(), after.done_document());
    // It may be as long as both files, and is not to be there twice.
    told.push_str(&of_file(project, Place::Done, done));
    told
}

/// The difference between two versions of a file.
pub(crate) fn of_file(
    project: &Project,
    place: Place,
    (before, after): (&Document, &Document),
) -> String {
    let (old, new) = (before.text(), after.text());
    if old == new {
        return String::new();
    }
    let (_, differing) = differing(old, new);
    if differing.map(str::len).iter().sum::<usize>() <= LONG {
        return of_texts(project, place, (old, new));
    }
    told(&name(project, place), (old, new), &whole_lines((old, new), replaced(before, after)))
}

/// The difference between two texts of a file, of which one may be anything.
pub(crate) fn of_texts(project: &Project, place: Place, (old, new): (&str, &str)) -> String {
    if old == new { String::new() } else { unified(&name(project, place), old, new) }
}

fn name(project: &Project, place: Place) -> String {
    project.shown(project.files.path(place)).to_string()
}

fn unified(name: &str, before: &str, after: &str) -> String {
    let (line, [old, new]) = differing(before, after);
    // What has not been compared by then is told as removed and added: nobody reads it line by
    // line, and the comparison of a large queue in another order would take half a minute.
    let mut diff = TextDiff::configure();
    let diff = diff.timeout(DIFF_TIME).diff_lines(old, new);
    let mut told = format!("--- {name}\n+++ {name}\n");
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        let ([first, .., last] | [first @ last]) = hunk.ops() else { continue };
        let (old, new) = (first.old_range().start, first.new_range().start);
        let place = UnifiedHunkHeader::new(&[DiffOp::Replace {
            old_index: line + old,
            old_len: last.old_range().end - old,
            new_index: line + new,
            new_len: last.new_range().end - new,
        }]);
        let hunk = hunk.to_string();
        let lines = hunk.split_once('\n').map_or("", |(_, lines)| lines);
        told.extend([place.to_string().as_str(), "\n", lines]);
    }
    told
}

/// The part of both texts that differs, with the lines around it, and how many lines come before
/// it. To take all of a large file apart would take longer than the edit.
fn differing<'t>(before: &'t str, after: &'t str) -> (usize, [&'t str; 2]) {
    const PIECE: usize = 4096;
    let (a, b) = (before.as_bytes(), after.as_bytes());
    let same = |(a, b): &(&[u8], &[u8])| a == b;
    let pieces = a.chunks_exact(PIECE).zip(b.chunks_exact(PIECE));
    let head = PIECE * pieces.take_while(same).count();
    let pieces = a[head..].rchunks_exact(PIECE).zip(b[head..].rchunks_exact(PIECE));
    let tail = PIECE * pieces.take_while(same).count();
    let ends = |bytes: &'t [u8]| {
        let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        breaks.map(|(at, _)| at + 1)
    };
    let head = ends(&a[..head]).rev().nth(AROUND).unwrap_or(0);
    let tail = &a[a.len() - tail..];
    let tail = ends(tail).nth(AROUND).map_or(0, |end| tail.len() - end);
    (ends(&a[..head]).count(), [before, after].map(|text| &text[head..text.len() - tail]))
}

/// The same by whole lines, without those that both begin or end with.
fn whole_lines(
    (old, new): (&str, &str),
    replaced: impl Iterator<Item = Replaced>,
) -> Vec<Replaced> {
    let is_end = |text: &str, at: usize| at == 0 || text[..at].ends_with('\n');
    // From where the line ends in which something was replaced before: the whole file may stand on
    // one line, and is not to be gone through for each.
    let begin = |text: &str, at: usize, from: usize| {
        text[from..at].rfind('\n').map_or(from, |before| from + before + 1)
    };
    let end = |text: &str, at: usize, known: usize| {
        if at < known { known } else { text[at..].find('\n').map_or(text.len(), |it| at + it + 1) }
    };
    let is_behind = |text: &str, at: usize, known: usize| at >= known && is_end(text, known);
    let mut lines: Vec<Replaced> = Vec::new();
    for Replaced { old: from, new: to } in replaced {
        let known = lines.last().map_or((0, 0), |last| (last.old.end, last.new.end));
        // What follows is the same in both, and so is the rest of the line.
        let ends = if is_end(old, from.end) && is_end(new, to.end) {
            (from.end, to.end)
        } else {
            (end(old, from.end, known.0), end(new, to.end, known.1))
        };
        let is_apart = is_behind(old, from.start, known.0) && is_behind(new, to.start, known.1);
        match lines.last_mut() {
            Some(last) if !is_apart => (last.old.end, last.new.end) = ends,
            _ => lines.push(Replaced {
                old: begin(old, from.start, known.0)..ends.0,
                new: begin(new, to.start, known.1)..ends.1,
            }),
        }
    }
    for Replaced { old: from, new: to } in &mut lines {
        let same = |(a, b): &(&str, &str)| a == b;
        let (a, b) = (&old[from.clone()], &new[to.clone()]);
        let head = a.split_inclusive('\n').zip(b.split_inclusive('\n')).take_while(same);
        let head: usize = head.map(|(line, _)| line.len()).sum();
        let (a, b) = (a[head..].split_inclusive('\n'), b[head..].split_inclusive('\n'));
        let tail: usize = a.rev().zip(b.rev()).take_while(same).map(|(line, _)| line.len()).sum();
        (from.start, to.start) = (from.start + head, to.start + head);
        (from.end, to.end) = (from.end - tail, to.end - tail);
    }
    lines.retain(|it| !it.old.is_empty() || !it.new.is_empty());
    lines
}

/// Tells what has been replaced, whole lines in order.
fn told(name: &str, (old, new): (&str, &str), mut replaced: &[Replaced]) -> String {
    let mut told = format!("--- {name}\n+++ {name}\n");
    let [mut old_lines, mut new_lines, mut done] = [0; 3];
    while let Some(first) = replaced.first() {
        let is_close = |pair: &&[Replaced]| {
            let between = &old[pair[0].old.end..pair[1].old.start];
            between.split_inclusive('\n').nth(2 * AROUND).is_none()
        };
        let (hunk, rest) = replaced.split_at(1 + replaced.windows(2).take_while(is_close).count());
        let last = hunk.last().unwrap_or(first);
        let above = old[done..first.old.start].split_inclusive('\n').rev().take(AROUND);
        let above: usize = above.map(str::len).sum();
        let below = old[last.old.end..].split_inclusive('\n').take(AROUND);
        let below: usize = below.map(str::len).sum();
        let from = first.old.start - above..last.old.end + below;
        let to = first.new.start - above..last.new.end + below;
        let between = count(&old[done..from.start]);
        (old_lines, new_lines) = (old_lines + between, new_lines + between);
        let [old_len, new_len] = [count(&old[from.clone()]), count(&new[to])];
        let place = UnifiedHunkHeader::new(&[DiffOp::Replace {
            old_index: old_lines,
            old_len,
            new_index: new_lines,
            new_len,
        }]);
        told.extend([place.to_string().as_str(), "\n"]);
        let mut at = from.start;
        for Replaced { old: gone, new: come } in hunk {
            tell(&mut told, ' ', &old[at..gone.start]);
            tell(&mut told, '-', &old[gone.clone()]);
            tell(&mut told, '+', &new[come.clone()]);
            at = gone.end;
        }
        tell(&mut told, ' ', &old[at..from.end]);
        (old_lines, new_lines, done) = (old_lines + old_len, new_lines + new_len, from.end);
        replaced = rest;
    }
    told
}

fn count(lines: &str) -> usize {
    let ends = lines.bytes().filter(|byte| *byte == b'\n').count();
    ends + usize::from(!lines.is_empty() && !lines.ends_with('\n'))
}

fn tell(told: &mut String, sign: char, lines: &str) {
    for line in lines.split_inclusive('\n') {
        told.push(sign);
        told.push_str(line);
        if !line.ends_with('\n') {
            told.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To go through the line for each place would take minutes.
    #[test]
    fn places_on_one_line_are_one_line() {
        const PLACES: usize = 400_000;
        let [old, new] = ["a=0;", "a=1;"].map(|entry| format!("[\n{}\n]", entry.repeat(PLACES)));
        let places = (0..PLACES).map(|at| 4 + at * 4..5 + at * 4);
        let replaced = places.map(|at| Replaced { old: at.clone(), new: at });
        let line = 2..3 + 4 * PLACES;
        let lines = whole_lines((&old, &new), replaced);
        assert_eq!(lines, [Replaced { old: line.clone(), new: line }]);
    }

    #[test]
    fn what_is_the_same_in_two_texts_does_not_matter_to_their_difference() {
        let line = |at: usize| format!("line {at} of many, über alles\n");
        let text: String = (0..2_000).map(line).collect();
        let with = |at: usize, new: &str| text.replace(&line(at), new);
        for after in [
            with(0, "first\n"),
            with(1_000, ""),
            with(1_000, "one\ntwo\r\n"),
            with(1_999, "last"),
            with(3, "").replace(&line(1_900), "new\n"),
            format!("{text}{}", line(7)),
            text[..text.len() - 1].to_owned(),
            String::new(),
        ] {
            for (before, after) in [(&text, &after), (&after, &text)] {
                let whole = TextDiff::configure();
                let whole = whole.diff_lines(before.as_str(), after.as_str());
                let whole = whole.unified_diff().header("f", "f").to_string();
                assert_eq!(unified("f", before, after), whole);
            }
        }
    }

    fn by_task(before: &Document, after: &Document) -> String {
        let texts = (before.text(), after.text());
        told("f", texts, &whole_lines(texts, replaced(before, after)))
    }

    /// What the difference makes of a text.
    fn applied(text: &str, diff: &str) -> String {
        let mut old = text.split_inclusive('\n');
        let (mut new, mut at) = (String::new(), 0);
        let mut lines = diff.split_inclusive('\n').skip(2).peekable();
        while let Some(line) = lines.next() {
            if let Some(place) = line.strip_prefix("@@ -") {
                let start = place.split([',', ' ']).next().unwrap_or_default();
                let start: usize = start.parse().expect("a line");
                // Of nothing, the place is the line before.
                let is_empty = place.split(' ').next().is_some_and(|old| old.ends_with(",0"));
                let start = if is_empty { start } else { start - 1 };
                new.extend(old.by_ref().take(start - at));
                at = start;
                continue;
            }
            let (sign, line) = line.split_at(1);
            let is_cut = lines.peek().is_some_and(|next| next.starts_with('\\'));
            let line = if is_cut { &line[..line.len() - 1] } else { line };
            if matches!(sign, " " | "-") {
                assert_eq!(old.next(), Some(line), "{diff}");
                at += 1;
            }
            if matches!(sign, " " | "+") {
                new.push_str(line);
            }
        }
        new.extend(old);
        new
    }

    #[test]
    fn long_files_are_compared_by_task() {
        let task = |at: usize, title: &str| {
            format!(
                "    {{\n      \"id\": \"RQ-{at:04}\",\n      \"status\": \"todo\",\n      \"tags\": [],\n      \"notes\": [],\n      \"plan\": [],\n      \"scope\": [],\n      \"evidence\": [],\n      \"title\": \"{title}\"\n    }}"
            )
        };
        let file = |tasks: &[String]| {
            let tasks = tasks.join(",\n");
            format!("{{\n  \"version\": 1,\n  \"tasks\": [\n{tasks}\n  ]\n}}\n")
        };
        let tasks: Vec<String> = (1..=30).map(|at| task(at, "one of many")).collect();
        let read = |text: &str| Document::parse(text).expect("a queue");
        let before = read(&file(&tasks));
        let with = |change: &dyn Fn(&mut Vec<String>)| {
            let mut tasks = tasks.clone();
            change(&mut tasks);
            file(&tasks)
        };
        // As `diff -u` has it.
        for after in [
            with(&|it| it[0] = task(1, "first")),
            with(&|it| (it[2], it[25]) = (task(3, "3"), task(26, "26"))),
            with(&|it| it.iter_mut().for_each(|task| *task = task.replace("many", "a few"))),
            with(&|it| it[29] = task(30, "last").replace("todo", "done")),
            with(&|it| it.push(task(31, "new"))),
            file(&tasks).trim_end().to_owned(),
        ] {
            let after = read(&after);
            for (before, after) in [(&before, &after), (&after, &before)] {
                let (old, new) = (before.text(), after.text());
                assert_eq!(by_task(before, after), unified("f", old, new));
            }
        }
        for after in [
            with(&|it| it.reverse()),
            with(&|it| it.rotate_left(11)),
            with(&|it| drop(it.remove(7))),
            with(&|it| it.retain(|task| task.contains("1\","))),
            with(&|it| it.swap(0, 29)),
            with(&|it| (it[3], it[4]) = (task(4, "4"), task(5, "5") + " /* a comment */")),
            with(&|it| it.clear()),
            with(&|it| it.insert(9, task(40, "new").replace('\n', " "))),
            with(&|it| {
                it.truncate(29);
                it[28] = task(29, "changed, and the last") + ",";
            }),
            file(&tasks).replace(",\n    {", ", {"),
            file(&tasks).replace('\n', " "),
            file(&tasks).replace('\n', "\r\n"),
        ] {
            let after = read(&after);
            for (before, after) in [(&before, &after), (&after, &before)] {
                assert_eq!(applied(before.text(), &by_task(before, after)), after.text());
            }
        }
    }
}
