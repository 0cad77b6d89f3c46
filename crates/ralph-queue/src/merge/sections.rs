//! Three versions of a list of tasks, in sections below headings, become one.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::iter;

use super::{PartCounts, Stands, count, counted, kept, moves, sequence};
use crate::document::Arranged;
use crate::task::Task;
use crate::value::Value;

/// The comments side by side between tasks, and how many equal headings stand above; nothing for
/// the top of the list.
pub(super) type Heading<'t> = Option<(Vec<Cow<'t, str>>, usize)>;

/// The tasks of a version, by their keys, below the heading of each section.
pub(super) type Sections<'t> = Vec<(Heading<'t>, Vec<usize>)>;

/// The lines of each heading, none for the top of the list, and the tasks below it.
pub(super) type Ordered<'t> = Vec<(Vec<Cow<'t, str>>, Vec<usize>)>;

/// The `tasks` and headings in their order, the same whichever side is ours, and whether both sides
/// changed that of the same: of those it is that of the `chosen` side, if there is one.
///
/// Each task stands below the heading that it has on the side that alone changed that, and behind
/// the task that it follows there; below a heading that is gone, with those around it there. A new
/// heading parts a section before the tasks that it heads, wherever the other side puts others. What
/// both put at one place stands by age, and headings there by what tasks each side has above them,
/// or else by their text.
pub(super) fn merge<'a, 't>(
    versions: &[Vec<(Arranged<'t>, bool)>; 3],
    counts: &[PartCounts<'_>; 3],
    tasks: &HashSet<usize>,
    task: impl Fn(usize) -> Option<&'a Task>,
    chosen: Option<Stands>,
) -> (Ordered<'t>, bool) {
    let mut versions = aligned(versions.each_ref().map(|list| sections(list)));
    let (first, begun) = folded(&mut versions);
    let tasks = || tasks.iter().copied().chain(first..first + begun.len());
    let headings = versions.each_ref().map(|it| it.iter().map(|(heading, _)| heading));
    let equals = versions.each_ref().map(|it| equals(it));
    let kept_of = |line: &Cow<'t, str>| {
        let line = Arranged::Comment(line.clone());
        kept(counts.each_ref().map(|it| count(it, &&line)))
    };
    let is_repeated = |line: &Cow<'t, str>| {
        let line = Arranged::Comment(line.clone());
        counts.iter().any(|counts| count(counts, &&line) > 1)
    };
    let stays = |heading: &Heading<'t>| match heading {
        Some((lines, above)) => {
            *above < kept(equals.each_ref().map(|it| count(it, &lines.as_slice())))
                && lines.iter().any(|line| kept_of(line) > 0)
        }
        None => true,
    };
    let staying = headings.map(|it| it.filter(|it| stays(it)).collect::<Vec<_>>());
    let (lead, headings, mut is_conflict) = moves::lead(&staying, |heading| heading, chosen);
    let [_, of_ours, of_theirs] = &versions;
    let [of_lead, of_other] = lead.first([of_ours, of_theirs]);
    let sites = [sites(of_other, of_lead), sites(of_lead, of_other)];
    let is_before = |other, own| {
        let [(at, first), (own_at, own_first)] = [sites[0][other], sites[1][own]];
        match (first.is_some_and(|it| it < own_at), own_first.is_some_and(|it| it < at)) {
            (true, false) => true,
            (false, true) => false,
            _ => other < own,
        }
    };
    let headings = moves::interleave(&headings, is_before, |_| false);
    let mut places: HashMap<&Heading<'_>, usize> = headings.iter().copied().zip(0..).collect();
    // One that the other side joined with another is where its lines are.
    let lines = headings.iter().zip(0..);
    let lines = lines.flat_map(|(heading, at)| lines_of(heading).iter().zip(iter::repeat(at)));
    let lines: HashMap<_, usize> =
        lines.filter(|(line, _)| !is_repeated(line) && kept_of(line) > 0).collect();
    for (heading, _) in of_ours.iter().chain(of_theirs) {
        let joined = lines_of(heading).iter().rev().find_map(|line| lines.get(line).copied());
        if let Some(joined) = joined {
            places.entry(heading).or_insert(joined);
        }
    }

    let homes = versions.each_ref().map(|it| homes(it, &places));
    // The version that tells where a task stands.
    let mut telling = |key: &usize| {
        let [base, ours, theirs] = homes.each_ref().map(|homes| homes.get(key).copied());
        let (base, (ours, our_place), (theirs, their_place)) = match (ours, theirs) {
            (Some(ours), Some(theirs)) => (base.map(|it| it.0), ours, theirs),
            (Some(_), None) => return 1,
            (None, _) => return 2,
        };
        if ours == theirs || base == Some(ours) {
            return 2;
        }
        if base == Some(theirs) {
            return 1;
        }
        let is_ours = match [ours, theirs].map(|heading| places.contains_key(heading)) {
            [true, false] => true,
            [false, true] => false,
            _ => {
                is_conflict |= base.is_some();
                let chosen = chosen.filter(|_| base.is_some());
                chosen.map_or(our_place > their_place, |side| side == Stands::Ours)
            }
        };
        if is_ours { 1 } else { 2 }
    };
    let telling: HashMap<usize, usize> = tasks().map(|key| (key, telling(&key))).collect();
    let place = |key: &usize| places.get(homes[*telling.get(key)?].get(key)?.0).copied();
    let mut stands = HashMap::new();
    for (version, sections) in versions.iter().enumerate().skip(1) {
        for (heading, keys) in sections {
            let there = places.get(heading).copied();
            let mut near = there.or_else(|| keys.iter().find_map(place));
            for key in keys {
                near = there.or_else(|| place(key)).or(near);
                if telling.get(key) == Some(&version) {
                    stands.insert(*key, near.unwrap_or(homes[version][key].1));
                }
            }
        }
    }
    let mut below = vec![[const { Vec::new() }; 3]; headings.len()];
    for (version, sections) in versions.iter().enumerate() {
        for (heading, keys) in sections {
            let there = places.get(heading);
            for (key, at) in keys.iter().filter_map(|key| Some((*key, stands.get(key)?))) {
                // Else it is the other side that has it there.
                if there.is_none_or(|there| there == at) {
                    below[*at][version].push(key);
                }
            }
        }
    }
    let (mut order, mut written) = (Ordered::new(), HashMap::new());
    for (heading, below) in headings.iter().zip(&below) {
        let id = |key| task(key).map(|task| &task.id);
        let (_, keys, is_circle) = moves::lead(below, id, chosen);
        is_conflict |= is_circle;
        // What stands below the heading that both know comes before what another one begins there.
        let age = |key: usize| match key.checked_sub(first) {
            None => Ok(task(key).map(|task| (&task.created_at, &task.id))),
            Some(at) => Err(&begun[at]),
        };
        let is_before = |other, own| age(other) < age(own);
        let keys = moves::interleave(&keys, is_before, |key| key >= first);
        let mut parts = vec![(lines_of(heading), Vec::new())];
        for key in keys {
            match (key.checked_sub(first), parts.last_mut()) {
                (Some(at), _) => parts.push((&begun[at], Vec::new())),
                (None, Some((_, keys))) => keys.push(key),
                (None, None) => {}
            }
        }
        for (lines, keys) in parts {
            // What other headings have too goes with a line that no other has.
            let is_whole = lines.iter().all(|line| is_repeated(line) || kept_of(line) > 0);
            let mut lines = lines.to_vec();
            lines.retain(|line| {
                let above = written.entry(line.clone()).or_insert(0);
                let is_written = is_whole || *above < kept_of(line);
                *above += usize::from(is_written);
                is_written
            });
            order.push((lines, keys));
        }
    }
    (order, is_conflict)
}

/// What stands in the list.
pub(super) fn flat<'t>(sections: &Ordered<'t>) -> Vec<Arranged<'t>> {
    let parts = sections.iter().flat_map(|(lines, keys)| {
        let lines = lines.iter().cloned().map(Arranged::Comment);
        lines.chain(keys.iter().copied().map(Arranged::Task))
    });
    parts.collect()
}

/// What stands in a list, with each whether there is a blank line before it, by sections.
pub(super) fn sections<'t>(list: &[(Arranged<'t>, bool)]) -> Sections<'t> {
    let mut sections: Sections<'t> = vec![(None, Vec::new())];
    let mut counts = HashMap::new();
    let mut lines: Vec<Cow<'t, str>> = Vec::new();
    for (at, (part, _)) in list.iter().enumerate() {
        match part {
            Arranged::Task(key) => {
                if let Some((_, keys)) = sections.last_mut() {
                    keys.push(*key);
                }
            }
            Arranged::Comment(line) => {
                lines.push(line.clone());
                if !matches!(list.get(at + 1), Some((Arranged::Comment(_), false))) {
                    let lines = std::mem::take(&mut lines);
                    let count = counts.entry(lines.clone()).or_insert(0);
                    sections.push((Some((lines, *count)), Vec::new()));
                    *count += 1;
                }
            }
        }
    }
    sections
}

/// The same with one heading for those that the sides made of one of the base by other lines: what
/// becomes of its lines. Which that was is told by lines that no other heading has, or else by the
/// tasks below it.
fn aligned<'t>(mut versions: [Sections<'t>; 3]) -> [Sections<'t>; 3] {
    let made = [1, 2].map(|side| made_of(&versions[0], &versions[side]));
    let places = versions
        .each_ref()
        .map(|it| it.iter().map(|(heading, _)| heading).zip(0..).collect::<HashMap<_, usize>>());
    let same = |side: usize, at: usize| places[3 - side].get(&versions[side][at].0).copied();
    let made = made[0].iter().zip(&made[1]).map(|(ours, theirs)| {
        // Where a side has what the other one made of it, that is it.
        let both = [
            ours.zip(ours.and_then(|at| same(1, at))),
            theirs.and_then(|at| same(2, at)).zip(*theirs),
        ];
        both.into_iter().flatten().min_by_key(|(at, _)| &versions[1][*at].0).or(ours.zip(*theirs))
    });
    let made: Vec<Option<(usize, usize)>> = made.collect();
    let mut counts = versions
        .each_ref()
        .map(|sections| counted(sections.iter().map(|(heading, _)| lines_of(heading).to_vec())));
    for (at, made) in made.into_iter().enumerate() {
        let Some((ours, theirs)) = made else { continue };
        let places = [at, ours, theirs];
        let lines = [0, 1, 2].map(|version| lines_of(&versions[version][places[version]].0));
        if lines[1] == lines[0] && lines[2] == lines[0] {
            continue;
        }
        let lists =
            lines.map(|lines| lines.iter().map(|it| Value::from(&**it)).collect::<Vec<_>>());
        let (list, _) = sequence::merge(lists.each_ref().map(Vec::as_slice));
        let merged = list.iter().filter_map(|it| Some(it.as_str()?.to_owned().into()));
        let merged: Vec<Cow<'t, str>> = merged.collect();
        let has_another = |(counts, own): (&HashMap<Vec<_>, usize>, &[Cow<'t, str>])| {
            counts[own] > 1 || own != merged && counts.contains_key(&merged)
        };
        if merged.is_empty() || counts.iter().zip(lines).any(has_another) {
            continue;
        }
        for ((version, counts), place) in versions.iter_mut().zip(&mut counts).zip(places) {
            let heading = &mut version[place].0;
            counts.remove(lines_of(heading));
            counts.insert(merged.clone(), 1);
            *heading = Some((merged.clone(), 0));
        }
    }
    versions
}

/// Has headings by which the sides part sections stand among the tasks, by the keys from the one
/// that is returned on, each with its lines: what the other side puts or moves there stands as it has
/// it to the tasks around it.
fn folded<'t>(versions: &mut [Sections<'t>; 3]) -> (usize, Vec<Vec<Cow<'t, str>>>) {
    let keys = versions.iter().flatten().flat_map(|(_, keys)| keys);
    let first = keys.max().map_or(0, |last| last + 1);
    let [parting, other] = [1, 2].map(|side| parting(versions, side));
    // What the sides begin in different sections is one of its own.
    let is_parting = |lines: &Vec<Cow<'t, str>>| match [parting.get(lines), other.get(lines)] {
        [Some(parted), Some(other)] => parted == other,
        [parted, other] => parted.or(other).is_some(),
    };
    let (mut begun, mut known) = (Vec::new(), HashMap::new());
    for side in &mut versions[1..] {
        let mut kept: Sections<'t> = Vec::new();
        for (heading, keys) in std::mem::take(side) {
            let lines = lines_of(&heading).to_vec();
            match kept.last_mut() {
                Some((_, above)) if is_parting(&lines) => {
                    above.push(*known.entry(lines.clone()).or_insert(first + begun.len()));
                    above.extend(keys);
                    if begun.len() < known.len() {
                        begun.push(lines);
                    }
                }
                _ => kept.push((heading, keys)),
            }
        }
        *side = kept;
    }
    (first, begun)
}

/// The headings that the base lacks and by which a side parts a section, each with the heading of
/// that section: a task below such a one stood below the heading before it, or stands there on the
/// other side, which has removed its own. Else it took the place of another, or its tasks were moved
/// there.
fn parting<'t>(
    versions: &[Sections<'t>; 3],
    side: usize,
) -> HashMap<Vec<Cow<'t, str>>, Heading<'t>> {
    let counts = versions
        .each_ref()
        .map(|sections| counted(sections.iter().flat_map(|(heading, _)| lines_of(heading))));
    let below = versions.each_ref().map(|sections| {
        let keys = sections.iter().flat_map(|(at, keys)| keys.iter().zip(iter::repeat(at)));
        keys.collect::<HashMap<&usize, &Heading<'t>>>()
    });
    let headings = versions[3 - side].iter().map(|(heading, _)| lines_of(heading));
    let headings: HashSet<&[Cow<'t, str>]> = headings.collect();
    let is_begun = |lines: &[Cow<'t, str>]| {
        // A frame is around other headings, too.
        let is_frame = |line: &Cow<'t, str>| count(&counts[side], &line) > 1;
        let there = usize::from(headings.contains(lines));
        let is_new = |line: &Cow<'t, str>| {
            count(&counts[0], &line) == 0 && count(&counts[3 - side], &line) <= there
        };
        lines.iter().any(|line| is_new(line) && !is_frame(line))
            && lines.iter().all(|line| is_new(line) || is_frame(line))
    };
    let mut own = &None;
    let mut parting = HashMap::new();
    for (heading, keys) in &versions[side] {
        let mut known = keys.iter().filter_map(|key| Some((key, *below[0].get(key)?))).peekable();
        let parts = known.peek().is_none()
            || known.any(|(key, was)| {
                was == own
                    || below[3 - side].get(key) == Some(&own) && !headings.contains(lines_of(was))
            });
        if parts && is_begun(lines_of(heading)) {
            parting.insert(lines_of(heading).to_vec(), own.clone());
        } else {
            own = heading;
        }
    }
    parting
}

/// Which section of a side has the heading that it made of each heading of the base.
fn made_of(base: &Sections<'_>, side: &Sections<'_>) -> Vec<Option<usize>> {
    let places: HashMap<&Heading<'_>, usize> =
        side.iter().map(|(heading, _)| heading).zip(0..).collect();
    let mut made: Vec<Option<usize>> =
        base.iter().map(|(heading, _)| places.get(heading).copied()).collect();
    if made.iter().all(Option::is_some) {
        return made;
    }
    let kept: HashSet<usize> = made.iter().flatten().copied().collect();
    let [own, others] = [base, side].map(|sections| {
        let lines = sections.iter().map(|(heading, _)| lines_of(heading)).zip(0..);
        lines.flat_map(|(lines, at)| lines.iter().zip(iter::repeat(at))).collect::<Vec<_>>()
    });
    let [counts, other_counts] = [&own, &others].map(|it| counted(it.iter().map(|(line, _)| line)));
    let is_only =
        |line: &&Cow<'_, str>| [&counts, &other_counts].iter().all(|it| count(it, &line) == 1);
    let by_line: HashMap<_, _> =
        others.iter().copied().filter(|(_, at)| !kept.contains(at)).collect();
    let [of_base, of_side] = [base, side].map(|sections| {
        let keys = sections.iter().zip(0..);
        let keys = keys.flat_map(|((_, keys), at)| keys.iter().zip(iter::repeat(at)));
        keys.collect::<HashMap<&usize, usize>>()
    });
    let both = of_base.iter().filter_map(|(key, at)| Some((*at, *of_side.get(key)?)));
    let both: Vec<(usize, usize)> = both.collect();
    // What has most lines of it is the same, and of such what stands last, next to the tasks; or else
    // what has more than half of its tasks, and no more others.
    let lines = own.iter().filter(|(line, at)| made[*at].is_none() && is_only(line));
    let lines = counted(lines.filter_map(|(line, at)| Some((*at, *by_line.get(line)?))));
    let below = counted(both.iter().map(|(at, _)| *at));
    let below_other = counted(both.iter().map(|(_, other)| *other));
    let mut tasks = counted(both);
    tasks.retain(|(at, other), count| {
        let is_new = side[*other].0.is_some() && !kept.contains(other);
        made[*at].is_none() && is_new && *count * 2 > below[at].max(below_other[other])
    });
    let mut common: Vec<(usize, usize)> = lines.keys().chain(tasks.keys()).copied().collect();
    common.sort_unstable_by_key(|pair| Reverse((lines.get(pair), tasks.get(pair), *pair)));
    let mut taken = HashSet::new();
    for (at, other) in common {
        if made[at].is_none() && taken.insert(other) {
            made[at] = Some(other);
        }
    }
    made
}

fn lines_of<'s, 't>(heading: &'s Heading<'t>) -> &'s [Cow<'t, str>] {
    heading.as_ref().map_or(&[], |(lines, _)| lines)
}

/// How many headings have these lines.
fn equals<'s, 't>(sections: &'s Sections<'t>) -> HashMap<&'s [Cow<'t, str>], usize> {
    counted(sections.iter().filter_map(|(heading, _)| Some(heading.as_ref()?.0.as_slice())))
}

/// Where each heading stands in a version, and where the first in the `other` one of the tasks that
/// are below it.
fn sites<'s, 't>(
    sections: &'s Sections<'t>,
    other: &Sections<'t>,
) -> HashMap<&'s Heading<'t>, (usize, Option<usize>)> {
    let keys =
        other.iter().enumerate().flat_map(|(at, (_, keys))| keys.iter().zip(iter::repeat(at)));
    let places: HashMap<&usize, usize> = keys.collect();
    let site = |(at, (heading, keys)): (usize, &'s (Heading<'t>, Vec<usize>))| {
        (heading, (at, keys.iter().filter_map(|key| places.get(key).copied()).min()))
    };
    sections.iter().enumerate().map(site).collect()
}

/// Below which heading each task stands, and the place of that or of the last before it that has
/// one.
fn homes<'s, 't>(
    sections: &'s Sections<'t>,
    places: &HashMap<&Heading<'t>, usize>,
) -> HashMap<usize, (&'s Heading<'t>, usize)> {
    let mut place = 0;
    let homes = sections.iter().flat_map(|(heading, keys)| {
        place = places.get(heading).copied().unwrap_or(place);
        keys.iter().copied().zip(iter::repeat((heading, place)))
    });
    homes.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::super::{Merged, three_way};

    /// A file with these lines: `T1` is a task, `T1*` that task with an edit, `H1` a heading and `.`
    /// a blank line.
    fn file(list: &str) -> String {
        let tasks: Vec<&str> = list.split_whitespace().filter(|it| it.starts_with('T')).collect();
        let line = |part: &str| {
            if part == "." {
                return String::new();
            }
            if part.starts_with('H') {
                return format!("// {part}");
            }
            let number: usize = part[1..].trim_end_matches('*').parse().unwrap();
            let comma = if tasks.last() == Some(&part) { "" } else { "," };
            format!(
                "{{\"id\": \"RQ-{number:04}\", \"title\": \"{part}\", \"created_at\": \"2026-01-01T00:00:{number:02}Z\"}}{comma}"
            )
        };
        let lines: Vec<String> = list.split_whitespace().map(line).collect();
        format!("{{\"version\": 1, \"tasks\": [\n{}\n]}}\n", lines.join("\n"))
    }

    /// What [`file`] would make this text of.
    pub(in crate::merge) fn list(text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let part = |line: &&str| match line.trim().strip_prefix("// ") {
            _ if line.is_empty() => ".".to_owned(),
            Some(heading) => heading.to_owned(),
            None => line.split('"').nth(7).unwrap_or_else(|| panic!("{text}")).to_owned(),
        };
        let within = lines.get(1..lines.len() - 1).unwrap_or_default();
        within.iter().map(part).collect::<Vec<_>>().join(" ")
    }

    pub(in crate::merge) fn merge(base: &str, ours: &str, theirs: &str) -> (String, Merged) {
        let [base, ours, theirs] = [base, ours, theirs].map(file);
        let merged = three_way(&base, &ours, &theirs).unwrap();
        (list(&merged.text), merged)
    }

    #[test]
    fn a_task_stands_below_its_heading_where_both_sides_changed_the_section() {
        for (base, one, other, wanted) in [
            (
                "T1 . H1 . T2 T3",
                "T1 . H1 . T10 T2 T3",
                "T1 . H1 . T20 T2 T3",
                "T1 . H1 . T10 T20 T2 T3",
            ),
            ("T1 . H3 . T4", "T1 . H3 . T10 T4", "T1 . H3 . T6", "T1 . H3 . T6 T10"),
            (
                "H1 . T1 . H2 . T2",
                "H2 . T2 . H1 . T1",
                "H1 . T3 T1 . H2 . T4 T2",
                "H2 . T4 T2 . H1 . T3 T1",
            ),
            (
                "T1 T2 . H7 . T8",
                "T1 T2 T17 . H7 . T8",
                "T1 T2 . H10 . T11 . H7 . T8",
                "T1 T2 T17 . H10 . T11 . H7 . T8",
            ),
            (
                "T1 . H1 . T2 . H2",
                "T1 . H1 . T2 . H2 . T10",
                "T1 . H1 . T2 T20 . H2",
                "T1 . H1 . T2 T20 . H2 . T10",
            ),
            (
                "T1 . H1 . H2 . T2",
                "T1 . H1 . T10 . H2 . T2",
                "T1* . H1 . T20 . H2 . T2",
                "T1* . H1 . T10 T20 . H2 . T2",
            ),
            // One that is deleted and changed.
            (
                "T1 . H1 . T2 T3 . H2 . T4",
                "T1 . H1 . T3 . H2 . T4",
                "T1 . H1 . T2* T3 . H2 . T4",
                "T1 . H1 . T2* T3 . H2 . T4",
            ),
            (
                "T1 T4 . H6 . T7",
                "H16 . T4 . H17 . H6 . T7",
                "T4 . H6 . T7 T18",
                "H16 . T4 . H17 . H6 . T7 T18",
            ),
            // Both begin a section there, of one or several lines.
            (
                "T1 . H1 . T2",
                "T1 . H3 . T3 . H1 . T2",
                "T1 . H0 H2 H0 . T4 . H1 . T2",
                "T1 . H0 H2 H0 . T4 . H3 . T3 . H1 . T2",
            ),
            (
                "H0 H1 H0 . T1 . H0 H2 H0 . T2",
                "H0 H2 H0 . T2 . H0 H1 H0 . T1",
                "H0 H1 H0 . T3 T1 . H0 H2 H0 . T4 T2",
                "H0 H2 H0 . T4 T2 . H0 H1 H0 . T3 T1",
            ),
            // What comes at one place stands behind what it has above it on its side, whatever its
            // text, and with those of a heading that is gone.
            ("T1 T2", "H9 . T1 T2", "T1 T2 . H1 . T3", "H9 . T1 T2 . H1 . T3"),
            ("T1 T2", "T1 T2 . H9 . T3", "T1 . H1 . T2", "T1 . H1 . T2 . H9 . T3"),
            (
                "T1 . H2 . T2 T3 . H5 . T4 T5",
                "T1 . H2 . T2 T3 T4 T5",
                "T1 . H9 . T2 T3 . H5 . T4 T5 T6",
                "T1 . H9 . T2 T3 T4 T5 T6",
            ),
            (
                "T1 T2 . H1 . T3 . H2 . T4",
                "T1 T2 . H9 . T3 . H2 . T4",
                "T2 . H1 . T3 T1 T5 . H2 . T4",
                "T2 . H9 . T3 T1 T5 . H2 . T4",
            ),
            // Lines that several headings have.
            (
                "H0 H1 H0 . T1",
                "H0 H1 H0 . T1 . H0 H3 H0 . T3",
                "H0 H1 H0 . T1 . H0 H2 H0 . T2",
                "H0 H1 H0 . T1 . H0 H2 H0 . T2 . H0 H3 H0 . T3",
            ),
            (
                "H0 H1 H0 . T1 . H0 H2 H0 . T2",
                "H0 H1 H0 . T1",
                "H0 H1 H0 . T1 . H0 H2 H0 . T2 . H0 H3 H0 . T3",
                "H0 H1 H0 . T1 . H0 H3 H0 . T3",
            ),
            // Of one heading, each side changed, added or removed lines, or one of them did.
            ("H1 . T1", "H1 H2 . T1", "H1 H3 . T1", "H1 H2 H3 . T1"),
            ("H1 H2 . T1", "H3 H2 . T1 T4", "H1 H2 H4 . T1", "H3 H2 H4 . T1 T4"),
            ("T1 . H1", "T1 . H1 H2", "T1 . H1 . T3", "T1 . H1 H2 . T3"),
            ("T1 . H1 . H9", "T1 . H1 H2 . H9", "T1 . H1 . T3 . H9", "T1 . H1 H2 . T3 . H9"),
            (
                "H1 . T1 . H5 . T2",
                "H5 H6 . T2 . H1 H2 . T1",
                "H1 H3 . T3 T1 . H5 H7 . T4 T2",
                "H5 H6 H7 . T4 T2 . H1 H2 H3 . T3 T1",
            ),
            (
                "H0 H1 H0 . T1 . H0 H2 H0 . T2",
                "H0 H1 H3 H0 . T1 . H0 H2 H0 . T2",
                "H0 H1 H0 . T1 . H0 H2 H4 H0 . T2 T3",
                "H0 H1 H3 H0 . T1 . H0 H2 H4 H0 . T2 T3",
            ),
            // One that one side parted, and one that it joined with another.
            ("H1 H2 . T1", "H1 . T3 . H2 . T1", "H1 H2 H4 . T1", "H1 . T3 . H2 H4 . T1"),
            ("H1 H2 . T1", "H1 . H2 . T1", "H1 H2 . T1 T3", "H1 . H2 . T1 T3"),
            (
                "T4 . H1 . T1 . H2 . T2",
                "T4 . H1 H2 . T1 T2 T5",
                "H3 . T4 . H2 . T2 T3",
                "H3 . T4 . H2 . T2 T3 T5",
            ),
            ("H1 . T1 . H2 . T2", "H1 . T3 . H2 . T2 T4", "H1 H2 . T2", "H1 H2 . T3 T2 T4"),
            // The comment of a task that each side has above another one.
            ("T1 H1 T2", "T1 H1 T3 T2", "T1 H1 T4 T2", "T1 H1 T3 T4 T2"),
            ("T1 H0 H1 H0 T2", "T1 H0 H1 H0 T4 T2", "T1 H0 H1 H0 T3 T2", "T1 H0 H1 H0 T3 T4 T2"),
            (
                "T1 H0 H1 H0 T2 T3 H0 H2 H0 T4",
                "T1 H0 H1 H0 T5 T2 H0 H2 H0 T3 T4",
                "T1 H0 H1 H0 T6 T2 T3 H0 H2 H0 T4",
                "T1 H0 H1 H0 T5 T6 T2 H0 H2 H0 T3 T4",
            ),
            ("T1 H1 T2", "T1 H1 H3 T3 T2", "T1 H1 H4 T4 T2", "T1 H1 H3 T3 H4 T4 T2"),
            ("H1 H2 T1", "H1 H2 T3 T1", "H1 T5 H2 T4 T1", "H1 H2 T3 T5 T4 T1"),
            ("T1 T5 H1 T2", "T1 H1 T5 T2", "T1 T5 H1 T4 T2", "T1 H1 T5 T4 T2"),
            // One that one side left as nobody's, when it removed its task.
            ("T1 H1 T2", "T1 H1", "T1 H1 T3 T2", "T1 H1 T3 ."),
            ("T1 H1 T2", "T1 H1 . T4", "T1 H1 T3 T2", "T1 H1 T3 . T4"),
            ("T1 H0 H1 H0 T2", "T1 H0 H1 H0", "T1 H0 H1 H0 T3", "T1 H0 H1 H0 T3 ."),
            // Those that a side wrote are its own.
            ("T1", "T1 H1 T2", "T1 H1 T3", "T1 H1 T2 H1 T3"),
            ("T1 H1 T2", "H1 T1 H1 T3 T2", "T1 H1 T4 T2", "H1 T1 H1 T3 H1 T4 T2"),
            // A heading of which each side removed a line.
            ("H1 H2 . T1", "H2 . T1", "H1 . T1 T3 T2", ". T1 T3 T2"),
            // Equal headings.
            (
                "T1 . H1 . T2 T3",
                "T1 . H1 . T4 . H1 . T2 T3",
                "T1 T2 T3 . H2 . T5",
                "T1 . H2 . T5 . H1 . T4 . H1 . T2 T3",
            ),
            ("H1 . T1 . H1 . T2", "T1 T2 . H4 . T3", "T1 . H1 . T2", "T1 T2 . H4 . T3"),
            // A section is parted, and its heading is changed or gone.
            ("H1 . T1 T2", "H1 . T1 . H2 . T2", "H1 . T1 T2 T3", "H1 . T1 . H2 . T2 T3"),
            ("T1 . H1 . T2", "T1 . H2 . T2", "T1 . H1 . T3 T2", "T1 . H2 . T3 T2"),
            ("H1 . T1 . H2 . T2", "H1 . T1 T2", "H1 . T1 . H2 . T2 T3", "H1 . T1 T2 T3"),
            // One begins a section where the other adds or moves tasks, or renames the heading.
            ("T1 T2 T3", "T1 T2 T3 T4", "H1 . T1 T2 T3", "H1 . T1 T2 T3 T4"),
            ("T1 T2 T3", "T1 T2 T3 T4", "T1 T2 . H1 . T3", "T1 T2 . H1 . T3 T4"),
            ("T1 T2 T3", "T3 T1 T2", "H1 . T1 T2 T3", "H1 . T3 T1 T2"),
            ("T1 T2 T3", "T3 T1 T2", "T1 . H1 . T2 T3", "T3 T1 . H1 . T2"),
            ("T1 T2 T3", "T2 T3 T1", "T1 . H1 . T2 T3", "H1 . T2 T3 T1"),
            ("H0 . T1 T2", "H0 . T1 T4 T2", "H0 . H1 . T1 T3 T2", "H0 . H1 . T1 T3 T4 T2"),
            (
                "H1 . T1 . H2 . T2 T3 . H3 . T4",
                "H1 . T1 . H2 . T2 . H3 . T4 T3",
                "H1 . T1 . H5 . T2 T3 . H3 . T4",
                "H1 . T1 . H5 . T2 . H3 . T4 T3",
            ),
            // One begins a section with a task that the other moves elsewhere.
            (
                "H1 . T1 T2 T3 T4",
                "H1 . T1 T2 T3 . H2 . T5 T4",
                "H1 . T1 T4 T2 T3",
                "H1 . T1 T4 T2 T3 . H2 . T5",
            ),
            ("T1 T2 T3", "T1 T2 T3 . H1 . T4", "T3 T1 T2", "T3 T1 T2 . H1 . T4"),
            (
                "H1 . T1 T2 T3 T4",
                "H1 . T1 T4 T2",
                "H1 . T5 T2 T6 . H2 . T3* T4",
                "H1 . T5 T4 T2 T6 . H2 . T3*",
            ),
            // One deletes a task or removes a heading, and the other moves it, or renames the heading.
            (
                "H1 . T1 T2 . H2 . T3",
                "H1 . T1 . H2 . T3",
                "H1 . T1 . H2 . T3 T2",
                "H1 . T1 . H2 . T3",
            ),
            (
                "H1 . T1 . H2 . T2 . H3 . T3",
                "H1 . T1 T2 . H3 . T3",
                "H1 . T1 . H3 . T3 . H2 . T2",
                "H1 . T1 T2 . H3 . T3",
            ),
            (
                "H1 . T1 . H2 . T2 . H3 . T3",
                "H1 . T1 T2 . H3 . T3",
                "H1 . T1 . H9 . T2 . H3 . T3",
                "H1 . T1 . H9 . T2 . H3 . T3",
            ),
            // One renames a heading whose section the other moves or adds to.
            (
                "H1 . T1 . H2 . T2 . H3 . T3",
                "H1 . T1 . H9 . T2 . H3 . T3",
                "H2 . T2 . H1 . T1 . H3 . T3",
                "H9 . T2 . H1 . T1 . H3 . T3",
            ),
            (
                "H1 . T1 T2 . H2 . T3",
                "H9 . T1 T2 . H2 . T3",
                "H2 . T3 . H1 . T2 T4",
                "H2 . T3 . H9 . T2 T4",
            ),
            // Each begins one of the same name.
            (
                "H1 . T1 T2 . H2 . T4",
                "H9 . T10 . H1 . T1 T2 . H2 . T4",
                "H1 . T1 T2 . H2 . T4 . H9 . T11",
                "H1 . T1 T2 . H2 . T4 . H9 . T10 T11",
            ),
            (
                "H1 . T1 T2 T3 . H2 . T4 T6",
                "H1 . T1 T2 . H2 . T4 . H9 . T3 T6",
                "H1 . T2 T3 . H9 . T1 . H2 . T4 T6",
                "H1 . T2 . H2 . T4 . H9 . T1 T3 T6",
            ),
            // Each moves other sections.
            (
                "H1 . T1 . H2 . T2 . H3 . T3 . H4 . T4",
                "H2 . T2 . H1 . T1 . H3 . T3 . H4 . T4",
                "H1 . T1 . H2 . T2 . H4 . T4 . H3 . T3",
                "H2 . T2 . H1 . T1 . H4 . T4 . H3 . T3",
            ),
            (
                "H1 . T1 . H2 . T2 . H3 . T3 . H4 . T4",
                "H2 . T2 . H3 . T3 . H4 . T4 . H1 . T1 . H5 . T5",
                "H4 . T4 . H1 . T1 . H6 . T6 . H2 . T2 . H3 . T3",
                "H4 . T4 . H2 . T2 . H3 . T3 . H1 . T1 . H5 . T5 . H6 . T6",
            ),
            // Each moves other tasks of a section, or one of them further.
            ("T1 T2 T3 T4 T5", "T3 T1 T2 T4 T5", "T5 T1 T2 T3 T4", "T5 T3 T1 T2 T4"),
            ("T1 T2 T3 T4 T5", "T1 T4 T2 T3 T5", "T4 T6 T1 T2 T3 T5", "T4 T6 T1 T2 T3 T5"),
            ("T1 T2 T3 T4", "T5 T2 T6 T1 T3 T4", "T1 T2 T4 T7 T3", "T5 T2 T6 T1 T4 T7 T3"),
            // Each sorts another section, or one moves what the other sorts.
            (
                "H1 . T1 T2 . H2 . T3 T4",
                "H1 . T2 T1 . H2 . T3 T4",
                "H1 . T1 T2 . H2 . T4 T3",
                "H1 . T2 T1 . H2 . T4 T3",
            ),
            (
                "H1 . T1 T2 . H2 . T3 T4",
                "H1 . T2 T1 . H2 . T3 T4",
                "H2 . T3 T4 . H1 . T1 T2",
                "H2 . T3 T4 . H1 . T2 T1",
            ),
        ] {
            for (ours, theirs) in [(one, other), (other, one)] {
                let (merged, _) = merge(base, ours, theirs);
                assert_eq!(merged, wanted, "{base} | {ours} | {theirs}");
            }
        }
    }

    /// What somebody does to a list.
    #[derive(Clone, Debug)]
    pub(in crate::merge) enum Step {
        Add(Index),
        Begin(Index),
        Edit(Index),
        Replace(Index),
        Remove(Index),
        Move(Index, Index),
        MoveSection(Index, Index),
    }

    pub(in crate::merge) fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => any::<Index>().prop_map(Step::Add),
            1 => any::<Index>().prop_map(Step::Begin),
            1 => any::<Index>().prop_map(Step::Edit),
            1 => any::<Index>().prop_map(Step::Replace),
            2 => any::<Index>().prop_map(Step::Remove),
            1 => any::<(Index, Index)>().prop_map(|(from, to)| Step::Move(from, to)),
            1 => any::<(Index, Index)>().prop_map(|(from, to)| Step::MoveSection(from, to)),
        ];
        prop::collection::vec(step, 0..7)
    }

    pub(in crate::merge) fn stepped(base: &[String], steps: &[Step], first: usize) -> Vec<String> {
        let mut list = base.to_vec();
        for (step, number) in steps.iter().zip(first..) {
            let end = list.len() + 1;
            match step {
                Step::Add(at) => list.insert(at.index(end), format!("T{number}")),
                Step::Begin(at) => list.insert(at.index(end), format!("H{number}")),
                _ if list.is_empty() => {}
                Step::Edit(at) => {
                    let part = at.get(&list);
                    let edited = format!("{}*", part.trim_end_matches('*'));
                    let at = at.index(list.len());
                    if part.starts_with('T') {
                        list[at] = edited;
                    }
                }
                Step::Replace(at) => {
                    let at = at.index(list.len());
                    list[at] = format!("{}{number}", &list[at][..1]);
                }
                Step::Remove(at) => drop(list.remove(at.index(list.len()))),
                Step::Move(from, to) => {
                    let part = list.remove(from.index(list.len()));
                    list.insert(to.index(end - 1), part);
                }
                Step::MoveSection(from, to) => {
                    let begins: Vec<usize> =
                        (0..list.len()).filter(|at| list[*at].starts_with('H')).collect();
                    if begins.is_empty() {
                        continue;
                    }
                    let from = from.index(begins.len());
                    let end = begins.get(from + 1).copied().unwrap_or(list.len());
                    let section: Vec<String> = list.drain(begins[from]..end).collect();
                    let mut begins: Vec<usize> =
                        (0..list.len()).filter(|at| list[*at].starts_with('H')).collect();
                    begins.push(list.len());
                    let to = *to.get(&begins);
                    list.splice(to..to, section);
                }
            }
        }
        list
    }

    /// With blank lines around headings.
    pub(in crate::merge) fn spaced(list: &[String]) -> String {
        let mut spaced: Vec<&str> = Vec::new();
        for part in list {
            let is_heading = part.starts_with('H');
            if spaced.last().is_some_and(|last| is_heading || last.starts_with('H')) {
                spaced.push(".");
            }
            spaced.push(part);
        }
        spaced.join(" ")
    }

    pub(in crate::merge) fn parts_of(list: &str) -> Vec<&str> {
        list.split_whitespace().filter(|it| *it != ".").collect()
    }

    /// Below which heading of the base each task stands: one that a side begins parts its section,
    /// whatever the other side puts there.
    pub(in crate::merge) fn grouped<'l>(list: &'l str, base: &str) -> BTreeMap<&'l str, &'l str> {
        let known = parts_of(base);
        let mut heading = "";
        let mut groups = BTreeMap::new();
        for part in parts_of(list) {
            if part.starts_with('H') {
                heading = if known.contains(&part) { part } else { heading };
            } else {
                groups.insert(part.trim_end_matches('*'), heading);
            }
        }
        groups
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_task_stands_below_the_heading_that_one_side_alone_gave_it(base in steps(), steps in [steps(), steps()]) {
            let base = stepped(&["T1", "H1", "T2", "T3", "H2", "T4"].map(str::to_owned), &base, 5);
            let [one, other] = [stepped(&base, &steps[0], 20), stepped(&base, &steps[1], 30)].map(|it| spaced(&it));
            let base = spaced(&base);
            let (text, merged) = merge(&base, &one, &other);
            let (mirrored, _) = merge(&base, &other, &one);
            let case = format!("{base} | {one} | {other} => {text}");
            prop_assert_eq!(parts_of(&text), parts_of(&mirrored), "{}", case);
            let parts: BTreeSet<&str> = text.split_whitespace().collect();
            let versions = [&base, &one, &other];
            for part in versions.into_iter().flat_map(|it| it.split_whitespace()).filter(|it| it.starts_with('H')) {
                let [base, one, other] = versions.map(|it| it.split_whitespace().any(|it| it == part));
                prop_assert_eq!(parts.contains(part), if base { one && other } else { one || other }, "{} in {}", part, case);
            }
            let groups = versions.map(|it| grouped(it, &base));
            let begun = versions.map(|it| grouped(it, it));
            for (task, heading) in grouped(&text, &base) {
                if groups.iter().zip(&begun).any(|(known, all)| known.get(task) != all.get(task)) {
                    continue;
                }
                let wanted = match groups.each_ref().map(|it| it.get(task).copied()) {
                    [_, Some(heading), None] | [_, None, Some(heading)] => heading,
                    [Some(base), Some(one), Some(other)] if base == one => other,
                    [Some(base), Some(one), Some(other)] if base == other => one,
                    _ => continue,
                };
                prop_assert!(heading == wanted || !wanted.is_empty() && !parts.contains(wanted), "{} in {}", task, case);
            }
            // Where headings are begun, and others moved or removed meanwhile, what was begun is known the
            // second time, and may then be told from what it parts.
            let [old, old_one, old_other] = versions.map(|it| -> Vec<&str> {
                parts_of(it).into_iter().filter(|it| it.starts_with('H') && parts_of(&base).contains(it)).collect()
            });
            let is_known = |part: &&str| part.starts_with('T') || parts_of(&base).contains(part);
            let is_begun = ![&one, &other].into_iter().flat_map(|it| parts_of(it)).all(|it| is_known(&it));
            let is_simple = !is_begun || old == old_one && old == old_other;
            if is_simple && merged.conflicts.is_empty() {
                for side in [&one, &other] {
                    let (again, _) = merge(&base, &text, side);
                    prop_assert_eq!(parts_of(&again), parts_of(&text), "again {}", case);
                }
            }
        }
    }
}
