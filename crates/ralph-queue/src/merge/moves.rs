//! Two orders of a list become one.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::iter;

use super::{Stands, changed_by, sequence};

impl Stands {
    /// Ours and theirs, this side first.
    pub(super) fn first<T>(self, [ours, theirs]: [T; 2]) -> [T; 2] {
        match self {
            Self::Ours => [ours, theirs],
            Self::Theirs => [theirs, ours],
        }
    }
}

/// How many pairs are looked at before two orders of a list are too different to become one, so that
/// lists of 100,000 that both sides sorted take no minutes.
const MOST_PAIRS: usize = 1 << 27;

/// The side that leads and what it has, with all that both have in the merged order, and what the
/// other has; and whether there is no such order, so that it is that of the `chosen` side.
///
/// Each two that all versions have stand as the side has them that turned them around. The side that
/// alone turned some leads, else the one that has what both have in the lesser order.
pub(super) fn lead<T: Copy + Eq + Hash, K: Ord>(
    lists: &[Vec<T>; 3],
    key: impl Fn(T) -> K,
    chosen: Option<Stands>,
) -> (Stands, [Vec<T>; 2], bool) {
    let has = lists.each_ref().map(|list| list.iter().copied().collect::<HashSet<_>>());
    let among = |list: &[T], versions: &[HashSet<T>]| -> Vec<T> {
        list.iter().copied().filter(|it| versions.iter().all(|has| has.contains(it))).collect()
    };
    let common = lists.each_ref().map(|list| among(list, &has));
    let [base, ours, theirs] = &common;
    let is_turned_twice = ours != base && theirs != base && ours != theirs;
    let order = is_turned_twice.then(|| by_pairs(&common));
    let is_circle = matches!(order, Some(None));
    let lead = changed_by(&common).or(chosen.filter(|_| is_circle)).unwrap_or_else(|| {
        let [_, ours, theirs] =
            lists.each_ref().map(|list| among(list, &has[1..]).into_iter().map(&key));
        if ours.le(theirs) { Stands::Ours } else { Stands::Theirs }
    });
    let [_, ours, theirs] = lists;
    let [own, other] = lead.first([ours, theirs]).map(Clone::clone);
    let own = order.flatten().map(|order| in_order(&own, &order)).unwrap_or(own);
    (lead, [own, other], is_circle)
}

/// Three orders of a list in which each two stand as a side turned them around; nothing where these
/// make a circle, or would be too many.
fn by_pairs<T: Copy + Eq + Hash>([base, ours, theirs]: &[Vec<T>; 3]) -> Option<Vec<T>> {
    let places = [ours, theirs].map(|side| {
        let places: HashMap<T, usize> = side.iter().copied().zip(0..).collect();
        base.iter().filter_map(|item| places.get(item).copied()).collect::<Vec<usize>>()
    });
    let mut stays = vec![0; base.len()];
    for at in places.iter().flat_map(|places| sequence::rising(places)) {
        stays[at] += 1;
    }
    let (staying, moved): (Vec<usize>, Vec<usize>) =
        (0..base.len()).partition(|at| stays[*at] == places.len());
    if moved.len().saturating_mul(base.len()) > MOST_PAIRS {
        return None;
    }
    let mut above = vec![0; base.len()];
    for (count, at) in staying.iter().enumerate() {
        above[*at] = count;
    }
    for at in moved {
        for other in (0..base.len()).filter(|other| *other != at) {
            let [first, last] = [at.min(other), at.max(other)];
            let is_turned = places.iter().any(|places| places[first] > places[last]);
            if is_turned == (at < other) {
                above[at] += 1;
            } else if stays[other] == places.len() {
                above[other] += 1;
            }
        }
    }
    let mut order = vec![None; base.len()];
    for (item, above) in base.iter().zip(above) {
        order[above] = Some(*item);
    }
    order.into_iter().collect()
}

/// A list with what `order` names in that order, each with what follows it.
fn in_order<T: Copy + Eq + Hash>(list: &[T], order: &[T]) -> Vec<T> {
    let ranks: HashMap<T, usize> = order.iter().copied().zip(1..).collect();
    let (mut rank, mut parts) = (0, vec![Vec::new(); order.len() + 1]);
    for item in list {
        rank = ranks.get(item).copied().unwrap_or(rank);
        parts[rank].push(*item);
    }
    parts.concat()
}

/// Where in a list those `above` stand before and the others behind, but for the fewest; of such
/// places the last.
fn least_crossed<T: Eq + Hash>(list: &[T], above: &HashSet<T>) -> usize {
    let crossed = list.iter().scan(above.len(), |crossed, item| {
        *crossed = if above.contains(item) { *crossed - 1 } else { *crossed + 1 };
        Some(*crossed)
    });
    let crossed = iter::once(above.len()).chain(crossed).enumerate();
    crossed.min_by_key(|(place, crossed)| (*crossed, Reverse(*place))).map_or(0, |(at, _)| at)
}

/// Both lists in the order of the first. What the second has more stands behind what it follows
/// there, and before what the first has more there if it `is_before` that. Where the first parted
/// what it stands between there, a heading (and what is below it) stands where the fewest come to
/// stand on the other side of it.
pub(super) fn interleave<T: Copy + Eq + Hash>(
    [lead, other]: &[Vec<T>; 2],
    is_before: impl Fn(T, T) -> bool,
    is_heading: impl Fn(T) -> bool,
) -> Vec<T> {
    let [in_lead, in_other] = [lead, other].map(|it| it.iter().copied().collect::<HashSet<T>>());
    let common: Vec<T> = lead.iter().copied().filter(|it| in_other.contains(it)).collect();
    let places: HashMap<T, usize> = common.iter().copied().zip(0..).collect();
    let mut behind: HashMap<Option<T>, Vec<T>> = HashMap::new();
    let mut headed: HashMap<usize, Vec<T>> = HashMap::new();
    let (mut before, mut above) = (None, HashSet::new());
    for item in other.iter().map(Some).chain([None]) {
        if let Some(item) = item.filter(|item| !in_lead.contains(item)) {
            behind.entry(before).or_default().push(*item);
            continue;
        }
        if let Some(place) = before.map(|before| places[&before] + 1)
            && item.map_or(common.len(), |item| places[item]) != place
            && let Some(more) = behind.get_mut(&before)
            && let Some(at) = more.iter().position(|it| is_heading(*it))
        {
            let best = least_crossed(&common, &above);
            if best != place {
                headed.entry(best).or_default().extend(more.split_off(at));
            }
        }
        before = item.copied();
        above.extend(before);
        behind.entry(before).or_default();
    }
    let last = headed.remove(&common.len()).unwrap_or_default();
    behind.entry(common.last().copied()).or_default().extend(last);
    let mut ahead: HashMap<T, Vec<T>> =
        headed.into_iter().map(|(place, more)| (common[place], more)).collect();
    let mut more = behind.remove(&None).unwrap_or_default().into_iter().peekable();
    let mut merged = Vec::with_capacity(lead.len());
    for item in lead {
        match behind.remove(&Some(*item)) {
            Some(next) => {
                merged.extend(more);
                more = next.into_iter().peekable();
            }
            None => merged.extend(iter::from_fn(|| more.next_if(|it| is_before(*it, *item)))),
        }
        merged.extend(ahead.remove(item).unwrap_or_default());
        merged.push(*item);
    }
    merged.extend(more);
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_two_stand_as_a_side_turned_them_around(
            ours in Just((0..4).collect::<Vec<usize>>()).prop_shuffle(),
            theirs in Just((0..4).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let base: Vec<usize> = (0..4).collect();
            let place = |list: &[usize], item| list.iter().position(|it| *it == item);
            let is_turned = |one, other| {
                [&ours, &theirs].iter().any(|side| place(side, one) > place(side, other))
            };
            let rising = || (0..4).flat_map(|one| (one + 1..4).map(move |other| (one, other)));
            let Some(order) = by_pairs(&[base, ours.clone(), theirs.clone()]) else {
                let is_circle = |(one, other), last| {
                    is_turned(one, other) == is_turned(other, last) && is_turned(one, other) != is_turned(one, last)
                };
                let circle = rising().any(|pair| (pair.1 + 1..4).any(|last| is_circle(pair, last)));
                prop_assert!(circle);
                return Ok(());
            };
            for (one, other) in rising() {
                prop_assert_eq!(place(&order, one) > place(&order, other), is_turned(one, other));
            }
        }
    }
}
