//! Three versions of a list become one.

use std::collections::{HashMap, HashSet};
use std::iter::successors;

use super::kept;
use crate::value::Value;

/// Base, ours and theirs.
type Lists<'a> = [&'a [Value]; 3];

/// Item by item, in order, and whether both changed the same items differently.
///
/// What either added is there, and what either removed is gone. An item that stands in a list more
/// than once stands in the merged one as often as in the side that has it more often, if that side
/// added some, else as often as in the other. Neither the order nor the conflict depends on which
/// side is ours, and to merge a side again with what came of it changes nothing.
pub(super) fn merge(lists: Lists<'_>) -> (Vec<Value>, bool) {
    let lists = lists.map(List::new);
    let [base, ours, theirs] = &lists;
    let is_ours = rank(&lists, ours, theirs) <= rank(&lists, theirs, ours);
    let (lead, other) = if is_ours { (ours, theirs) } else { (theirs, ours) };
    let is_staying = |token: &&Token<'_>| stays(&lists, token);

    // Each item with its place: that in the lead, and whether it stands before, at or behind it.
    let mut placed: Vec<((usize, usize), &Token<'_>)> = Vec::new();
    let own = lead.tokens.iter().enumerate().map(|(at, token)| ((at, 1), token));
    placed.extend(own.filter(|(_, token)| is_staying(token)));
    let (gone, mut stretch) = (Gone::of(&lists), 0);
    let mut is_conflict = false;
    let mut done = [0, 0];
    let ends = [lead.tokens.len(), other.tokens.len()];
    for both in common(lead, other).into_iter().chain([ends]) {
        let gaps = [&lead.tokens[done[0]..both[0]], &other.tokens[done[1]..both[1]]];
        if gaps[0] != gaps[1] {
            let in_gap: HashSet<&Value> = gaps.into_iter().flatten().map(|(it, _)| *it).collect();
            is_conflict = is_conflict || !gone.stretches[stretch].is_subset(&in_gap);
        }
        let [own, others] = gaps.map(|gap| texts(gap.iter()));
        let apart = if others < own { done[0] } else { both[0] };
        // What one side put in the place of an item is where the other side still has that.
        let is_left_by = |side: &List<'_>, it: &Token<'_>| base.has(it) && !side.has(it);
        let replaced = gaps[0].iter().position(|it| is_left_by(other, it));
        let replaced = replaced.map_or(apart, |at| done[0] + at);
        let first = gaps[1].iter().position(|it| is_left_by(lead, it));
        let added = gaps[1].iter().enumerate().filter(|(_, it)| !lead.has(it));
        for (at, token) in added.filter(|(_, it)| is_staying(it)) {
            let place = match first {
                Some(first) if at > first => both[0],
                Some(_) => done[0],
                None => replaced,
            };
            // Behind all that are equal to it, so that the first of these stays the first.
            let equal = lead.last(token.0).filter(|at| *at >= done[0]);
            placed.push((equal.map_or((place, 0), |at| (at, 2)), token));
        }
        let behind = lead.tokens.get(both[0]).and_then(|token| gone.behind.get(token));
        stretch = behind.copied().unwrap_or(stretch);
        done = both.map(|at| at + 1);
    }
    placed.sort_by_key(|(place, _)| *place);
    (placed.into_iter().map(|(_, (item, _))| (*item).clone()).collect(), is_conflict)
}

/// An item, and how many equal ones stand before it: no list has one of these twice.
type Token<'a> = (&'a Value, usize);

struct List<'a> {
    tokens: Vec<Token<'a>>,
    /// Where each of them is.
    places: HashMap<Token<'a>, usize>,
    /// How often each item is there.
    counts: HashMap<&'a Value, usize>,
}

impl<'a> List<'a> {
    fn new(items: &'a [Value]) -> Self {
        let mut counts = HashMap::new();
        let token = |item: &'a Value| {
            let count = counts.entry(item).or_insert(0);
            *count += 1;
            (item, *count - 1)
        };
        let tokens: Vec<Token<'a>> = items.iter().map(token).collect();
        let places = tokens.iter().copied().zip(0..).collect();
        Self { tokens, places, counts }
    }

    fn count(&self, item: &Value) -> usize {
        self.counts.get(item).copied().unwrap_or(0)
    }

    fn has(&self, (item, before): &Token<'_>) -> bool {
        *before < self.count(item)
    }

    /// Where the last of the equal items is.
    fn last(&self, item: &'a Value) -> Option<usize> {
        self.places.get(&(item, self.count(item).checked_sub(1)?)).copied()
    }
}

/// What neither side has of the base, in stretches between the items that both still have.
struct Gone<'a> {
    stretches: Vec<HashSet<&'a Value>>,
    /// By an item that both have, which of them follows it.
    behind: HashMap<Token<'a>, usize>,
}

impl<'a> Gone<'a> {
    fn of([base, ours, theirs]: &[List<'a>; 3]) -> Self {
        let mut gone = Self { stretches: vec![HashSet::new()], behind: HashMap::new() };
        for token in &base.tokens {
            match (ours.has(token), theirs.has(token)) {
                (true, true) => {
                    gone.behind.insert(*token, gone.stretches.len());
                    gone.stretches.push(HashSet::new());
                }
                (false, false) => {
                    gone.stretches.last_mut().map(|stretch| stretch.insert(token.0));
                }
                _ => {}
            }
        }
        gone
    }
}

/// Whether it is in the merged list.
fn stays(lists: &[List<'_>; 3], (item, before): &Token<'_>) -> bool {
    *before < kept(lists.each_ref().map(|list| list.count(item)))
}

/// The side whose rank is less has the order: the one that moved what is left of the base, else the
/// one that has all that stays (as what came of a merge has), else the one whose text is less.
fn rank(lists: &[List<'_>; 3], side: &List<'_>, other: &List<'_>) -> (bool, bool, Vec<String>) {
    let is_staying = |token: &&Token<'_>| stays(lists, token);
    let own: Vec<&Token<'_>> = side.tokens.iter().filter(is_staying).collect();
    let keeps_order = own.iter().filter_map(|it| lists[0].places.get(*it)).is_sorted();
    let lacks_some = other.tokens.iter().filter(is_staying).any(|it| !side.has(it));
    (keeps_order, lacks_some, texts(own))
}

fn texts<'a>(tokens: impl IntoIterator<Item = &'a Token<'a>>) -> Vec<String> {
    tokens.into_iter().map(|(item, _)| item.to_string()).collect()
}

/// Where a longest common subsequence stands in both lists.
fn common(one: &List<'_>, other: &List<'_>) -> Vec<[usize; 2]> {
    let both = one.tokens.iter().enumerate();
    let both = both.filter_map(|(at, token)| Some([at, *other.places.get(token)?]));
    let both: Vec<[usize; 2]> = both.collect();
    let places: Vec<usize> = both.iter().map(|[_, place]| *place).collect();
    rising(&places).into_iter().map(|entry| both[entry]).collect()
}

/// Which of them make a longest list of rising ones.
pub(super) fn rising(places: &[usize]) -> Vec<usize> {
    // Of such lists of each length the one that ends least, by its last entry, and for each entry the
    // one before it.
    let (mut lasts, mut before) = (Vec::<usize>::new(), Vec::new());
    for (entry, place) in places.iter().enumerate() {
        let length = lasts.partition_point(|last| places[*last] < *place);
        before.push(length.checked_sub(1).map(|shorter| lasts[shorter]));
        match lasts.get_mut(length) {
            Some(last) => *last = entry,
            None => lasts.push(entry),
        }
    }
    let mut longest: Vec<usize> =
        successors(lasts.last().copied(), |entry| before[*entry]).collect();
    longest.reverse();
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<Value> {
        text.chars().map(|c| c.to_string().into()).collect()
    }

    /// What comes of a merge: the same in both directions, and with either side once more.
    #[track_caller]
    fn merged(base: &str, ours: &str, theirs: &str) -> (String, bool) {
        let merge = |ours: &str, theirs: &str| {
            let (merged, is_conflict) = merge([&list(base), &list(ours), &list(theirs)]);
            (merged.iter().filter_map(Value::as_str).collect::<String>(), is_conflict)
        };
        let (text, is_conflict) = merge(ours, theirs);
        let case = format!("{base}: {ours} and {theirs}");
        assert_eq!(merge(theirs, ours), (text.clone(), is_conflict), "{case}");
        for side in [ours, theirs] {
            assert_eq!(merge(&text, side).0, text, "{case}, then {side}");
        }
        (text, is_conflict)
    }

    #[track_caller]
    fn check(base: &str, ours: &str, theirs: &str, expected: (&str, bool)) {
        let (text, is_conflict) = merged(base, ours, theirs);
        assert_eq!((text.as_str(), is_conflict), expected);
    }

    #[test]
    fn lists_are_merged_in_their_order() {
        check("abc", "axbc", "abcy", ("axbcy", false));
        check("abc", "ac", "abcy", ("acy", false));
        check("n", "ny", "nx", ("nxy", false));
        check("abc", "cab", "abcd", ("cabd", false));
        check("", "xy", "xz", ("xyz", false));
        check("", "xy", "zx", ("zxy", false));
        check("a", "ac", "b", ("bc", false));
    }

    #[test]
    fn what_one_side_replaced_stays_before_what_the_other_added_behind_it() {
        check("bcd", "bud", "bcsd", ("busd", false));
        check("abc", "abdc", "axc", ("axdc", false));
        check("abc", "adbc", "axc", ("adxc", false));
        check("abc", "abdc", "a", ("ad", false));
    }

    #[test]
    fn an_item_that_both_added_stands_there_once() {
        check("aa", "aaa", "aa", ("aaa", false));
        check("a", "aa", "baa", ("baa", false));
        check("a", "aac", "baa", ("baac", false));
        check("a", "baaac", "baa", ("baaac", false));
        check("b", "aba", "bba", ("abab", false));
        check("aa", "a", "", ("", false));
        // What one moved and the other added stays in the order of its equals.
        check("ab", "bba", "aabb", ("bbaa", false));
        check("aab", "ba", "abaa", ("abaa", false));
    }

    #[test]
    fn one_item_changed_twice_is_a_conflict_and_both_stay() {
        check("abc", "axc", "ayc", ("axyc", true));
        check("abc", "axc", "ac", ("axc", true));
        check("a", "x", "a", ("x", false));
        check("a", "x", "ay", ("xy", false));
        check("abc", "axc", "axc", ("axc", false));
    }

    /// Every three lists of up to three items of two kinds.
    #[test]
    fn nothing_is_lost_and_merging_again_changes_nothing() {
        let longer = |lists: &[String]| -> Vec<String> {
            lists.iter().flat_map(|list| ["a", "b"].map(|item| format!("{list}{item}"))).collect()
        };
        let mut lists = vec![String::new()];
        for _ in 0..3 {
            let all = longer(&lists);
            lists.extend(all);
            lists.sort();
            lists.dedup();
        }
        assert_eq!(lists.len(), 15);
        let count = |text: &str, item: char| text.matches(item).count();
        for base in &lists {
            for ours in &lists {
                for theirs in &lists {
                    let (text, _) = merged(base, ours, theirs);
                    for item in ['a', 'b'] {
                        let [base, ours, theirs] = [base, ours, theirs].map(|it| count(it, item));
                        let most = ours.max(theirs);
                        let wanted = if most > base { most } else { ours.min(theirs) };
                        assert_eq!(count(&text, item), wanted, "{item} in {text}");
                    }
                }
            }
        }
    }
}
