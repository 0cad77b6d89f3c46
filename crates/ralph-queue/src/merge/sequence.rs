//! Three versions of a list become one.

use crate::value::Value;

/// Longer lists are compared as a whole, in places rather than by the longest match.
const LIMIT: usize = 1 << 20;

/// Base, ours and theirs.
type Lists<'a> = [&'a [Value]; 3];

/// As sets: what either added, without what either removed.
pub(super) fn union([base, ours, theirs]: Lists<'_>) -> impl Iterator<Item = Value> + '_ {
    let stays = move |item: &&Value| theirs.contains(item) || !base.contains(item);
    let added = theirs.iter().filter(move |item| !base.contains(item) && !ours.contains(item));
    ours.iter().filter(stays).chain(added).cloned()
}

/// Item by item, in order, and whether both changed the same items differently.
///
/// What both added at one place, or made of the same items, all stays, in an order that does not
/// depend on which side is ours.
pub(super) fn merge([base, ours, theirs]: Lists<'_>) -> (Vec<Value>, bool) {
    // Where neither removed anything and one has what the other added, there is no more to do; with
    // items that stand there more than once, a match by items could add some of them again.
    for (less, more) in [(theirs, ours), (ours, theirs)] {
        if is_part(base, less) && is_part(less, more) {
            return (more.to_vec(), false);
        }
    }
    let (in_ours, in_theirs) = (matches(base, ours), matches(base, theirs));
    let (mut merged, mut is_conflict) = (Vec::new(), false);
    let mut done = [0; 3];
    for at in 0..=base.len() {
        let next = match (in_ours.get(at), in_theirs.get(at)) {
            (Some(Some(ours)), Some(Some(theirs))) => [at, *ours, *theirs],
            (Some(_), _) => continue,
            (None, _) => [base.len(), ours.len(), theirs.len()],
        };
        let [b, o, t] = [(base, 0), (ours, 1), (theirs, 2)]
            .map(|(list, side): (&[Value], usize)| &list[done[side]..next[side]]);
        is_conflict |= chunk([b, o, t], &mut merged);
        merged.extend(base.get(at).cloned());
        done = next.map(|at| at + 1);
    }
    (merged, is_conflict)
}

/// Whether the items of `part` stand in `whole`, in their order.
fn is_part(part: &[Value], whole: &[Value]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|item| whole.any(|other| other == item))
}

/// Merges a part in which no item of the base is in both; whether that is a conflict.
fn chunk([base, ours, theirs]: Lists<'_>, merged: &mut Vec<Value>) -> bool {
    if ours == theirs || theirs == base {
        merged.extend_from_slice(ours);
        return false;
    }
    if ours == base {
        merged.extend_from_slice(theirs);
        return false;
    }
    let text = |items: &[Value]| items.iter().map(Value::to_string).collect::<Vec<_>>();
    let (first, second) = if text(ours) <= text(theirs) { (ours, theirs) } else { (theirs, ours) };
    let stays = |item: &&Value| second.contains(item) || !base.contains(item);
    merged.extend(first.iter().filter(stays).cloned());
    // An item may stand there more than once: as often as in the side that has it more often.
    let count = |items: &[Value], item: &Value| items.iter().filter(|other| *other == item).count();
    let added = second.iter().enumerate().filter(|(at, item)| {
        !base.contains(item) && count(&second[..=*at], item) > count(first, item)
    });
    merged.extend(added.map(|(_, item)| item.clone()));
    base.iter().any(|item| !ours.contains(item) && !theirs.contains(item))
}

/// Where each item of `old` is in `new`, by a longest common subsequence.
fn matches(old: &[Value], new: &[Value]) -> Vec<Option<usize>> {
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - head;
    let same = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new);
    let tail = same.count().min(most);
    let (olds, news) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut found: Vec<Option<usize>> = (0..head).map(Some).collect();
    found.extend(middle(olds, news).into_iter().map(|at| Some(at? + head)));
    found.extend((new.len() - tail..new.len()).map(Some));
    found
}

fn middle(old: &[Value], new: &[Value]) -> Vec<Option<usize>> {
    let width = new.len() + 1;
    if old.len().saturating_mul(new.len()) > LIMIT {
        return vec![None; old.len()];
    }
    // How much the rest of both has in common.
    let mut common = vec![0_usize; (old.len() + 1) * width];
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            common[i * width + j] = if one == other {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let mut found = vec![None; old.len()];
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            found[i] = Some(j);
            (i, j) = (i + 1, j + 1);
        } else if common[(i + 1) * width + j] >= common[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(base: &str, ours: &str, theirs: &str, expected: (&str, bool)) {
        let list =
            |text: &str| -> Vec<Value> { text.chars().map(|c| c.to_string().into()).collect() };
        let (base, ours, theirs) = (list(base), list(ours), list(theirs));
        for lists in [[&*base, &*ours, &*theirs], [&*base, &*theirs, &*ours]] {
            let (merged, is_conflict) = merge(lists);
            let merged: String = merged.iter().filter_map(Value::as_str).collect();
            assert_eq!((merged.as_str(), is_conflict), expected);
        }
    }

    #[test]
    fn lists_are_merged_in_their_order() {
        check("abc", "axbc", "abcy", ("axbcy", false));
        check("abc", "ac", "abcy", ("acy", false));
        check("n", "ny", "nx", ("nxy", false));
        check("abc", "cab", "abcd", ("cabd", false));
        check("aa", "aaa", "aa", ("aaa", false));
        check("", "xy", "xz", ("xyz", false));
        // Once more, with what came of it for ours.
        check("a", "aa", "baa", ("baa", false));
        check("a", "aac", "baa", ("baaac", false));
        check("a", "baaac", "baa", ("baaac", false));
    }

    #[test]
    fn one_item_changed_twice_is_a_conflict_and_both_stay() {
        check("abc", "axc", "ayc", ("axyc", true));
        check("abc", "axc", "ac", ("axc", true));
        check("a", "x", "a", ("x", false));
        check("a", "x", "ay", ("yx", false));
        check("abc", "axc", "axc", ("axc", false));
    }
}
