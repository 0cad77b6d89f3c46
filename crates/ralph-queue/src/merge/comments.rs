//! Three versions of the comments of a task become one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter;

use super::{kept, sequence};
use crate::document::{
    Block, Counts, Document, Draft, FloatingChange, Piece, Site, SpliceError, counts, identity,
    pieces,
};
use crate::value::Value;

/// What becomes of the comments of a task.
pub(super) struct Comments {
    /// Whether the text of ours is nearer to it.
    pub(super) is_ours: bool,
    /// Every one, as it is to be written into that text.
    pub(super) wanted: Vec<(Site, String)>,
}

/// The comments at each place, in order.
type Placed<'a> = BTreeMap<Site, Vec<Cow<'a, str>>>;

/// Merges the comments of a task place by place, each as a list. Which there are, and whose text
/// has them, depends on no side.
pub(super) fn merge(base: Option<&Block>, ours: &Block, theirs: &Block) -> Comments {
    let sides = [base.map(placed).unwrap_or_default(), placed(ours), placed(theirs)];
    let mut merged = BTreeMap::new();
    for site in sides[1].keys().chain(sides[2].keys()).collect::<BTreeSet<_>>() {
        let lists = sides.each_ref().map(|side| -> Vec<Value> {
            side.get(site).into_iter().flatten().map(|it| Value::from(it.as_ref())).collect()
        });
        let (list, _) = sequence::merge(lists.each_ref().map(Vec::as_slice));
        let list: Vec<Cow<'_, str>> =
            list.iter().filter_map(|it| Some(it.as_str()?.to_owned().into())).collect();
        if !list.is_empty() {
            merged.insert(site.clone(), list);
        }
    }
    // One that both moved, or one of them after a merge, is at two places, and is still one.
    let counts = sides.each_ref().map(count);
    let mut left: Counts<'_> = count(&merged);
    for (comment, left) in &mut left {
        let counts = counts.each_ref().map(|counts| counts.get(comment).copied().unwrap_or(0));
        *left = (*left).min(kept(counts));
    }
    let wanted_counts = left.clone();
    for list in merged.values_mut() {
        list.retain(|comment| {
            let left = left.get_mut(comment).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_some()
        });
    }
    merged.retain(|_, list| !list.is_empty());

    let [_, own, others] = &sides;
    let has_all = |side: usize| counts[side].iter().filter(|(_, n)| **n > 0).eq(&wanted_counts);
    let is_ours = *own == merged
        || *others != merged && (has_all(1) || !has_all(2) && ours.plain() <= theirs.plain());
    let (near, far) = if is_ours { (ours, theirs) } else { (theirs, ours) };
    let texts = |block: &Block| -> BTreeMap<String, String> {
        let text = |(_, text): (Site, &str)| (identity(text).into_owned(), near.adopt(text, block));
        block.placed_comments().into_iter().map(text).collect()
    };
    let (near_texts, far_texts) = (texts(near), texts(far));
    let text = |comment: &Cow<'_, str>| {
        let text = near_texts.get(&**comment).or_else(|| far_texts.get(&**comment));
        text.cloned().unwrap_or_else(|| comment.to_string())
    };
    let wanted = merged
        .iter()
        .flat_map(|(site, list)| list.iter().map(move |comment| (site.clone(), text(comment))))
        .collect();
    Comments { is_ours, wanted }
}

/// Takes out the second copy of comments that stood above a task in the base and that each side has
/// above another one now, a new first task of its section say, or as nobody's: above the first of
/// them they stay. Those that a side has more often than the base are that side's, and every copy stays.
pub(super) fn without_doubles(
    files: [&Document; 3],
    places: &[HashMap<usize, usize>; 3],
    (merged, keys): (&Document, &[usize]),
) -> Result<Option<Document>, SpliceError> {
    let mut draft = merged.draft();
    let mut gained = gained((&files[0].draft(), &places[0]), (&draft, keys));
    if gained.is_empty() {
        return Ok(None);
    }
    let [of_nobody, nobodys] = [files[0], merged].map(|file| counts(&file.floating()));
    let more = nobodys.iter().flat_map(|(text, count)| {
        let more = count.saturating_sub(of_nobody.get(text).copied().unwrap_or(0));
        iter::repeat_n(text.clone().into_owned(), more)
    });
    gained.push((None, more.collect()));

    let sides = files.map(all);
    let spare = all(merged).into_iter().filter_map(|(comment, left)| {
        let [base, ours, theirs] = sides.each_ref().map(|it| super::count(it, &comment));
        let most = ours.max(theirs);
        (most <= base).then(|| (comment, left.saturating_sub(most)))
    });
    let mut nobodys_gone = Counts::new();
    for (at, gone) in doubles(&gained, &sides[0], spare.collect()) {
        let Some(at) = at else {
            for comment in gone {
                *nobodys_gone.entry(Cow::from(comment)).or_default() += 1;
            }
            continue;
        };
        let mut block = draft.block(at);
        let kept = block.placed_comments().into_iter();
        let mut kept: Vec<(Site, String)> =
            kept.map(|(site, text)| (site, text.to_owned())).collect();
        for comment in gone {
            let is_it =
                |(site, text): &(Site, String)| is_above(site) && identity(text) == *comment;
            kept.iter().position(is_it).map(|copy| kept.remove(copy));
        }
        block.set_comments(&kept);
        draft.put_block(at, block);
    }
    // Of lines that others have, too, no text tells which is whose.
    nobodys_gone.retain(|comment, gone| {
        sides[0].get(&**comment) == Some(&1) || nobodys.get(comment) == Some(gone)
    });
    let spliced = draft.splice()?;
    if nobodys_gone.is_empty() {
        return Ok(spliced);
    }
    let change = FloatingChange { gone: nobodys_gone, other: &[], added: BTreeSet::new() };
    spliced.as_ref().unwrap_or(merged).with_floating(&change).map(Some)
}

/// Comments by the task that they stand above, or those of nobody.
type Above<C> = Vec<(Option<usize>, Vec<C>)>;

/// What stands above the tasks that are not as the base has them and did not stand there in the base.
fn gained(
    (base, places): (&Draft<'_>, &HashMap<usize, usize>),
    (draft, keys): (&Draft<'_>, &[usize]),
) -> Above<String> {
    let mut gained = Above::new();
    for (at, key) in keys.iter().enumerate() {
        let was = places.get(key).copied();
        let text = draft.unchanged_text(at).unwrap_or_default();
        let is_commented = text.split('{').next().is_some_and(|lead| lead.contains('/'));
        if is_commented && was.is_none_or(|was| base.unchanged_text(was) != Some(text)) {
            let mut more = above(&draft.block(at));
            for comment in was.iter().flat_map(|was| above(&base.block(*was))) {
                more.iter().position(|it| *it == comment).map(|known| more.remove(known));
            }
            gained.push((Some(at), more));
        }
    }
    gained
}

/// What goes of comments that are gained, of which so many are to `spare`, from the last place to
/// the first: what the base has once and a place before gained, too. A line that others have, too,
/// goes with those that no other has.
fn doubles<'g>(
    gained: &'g Above<String>,
    of_base: &HashMap<String, usize>,
    mut spare: HashMap<String, usize>,
) -> Above<&'g String> {
    let mut copies = super::counted(gained.iter().flat_map(|(_, comments)| comments));
    let mut take = |comment: &String| {
        let left = spare.get_mut(comment).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    };
    let mut doubles = Above::new();
    for (at, comments) in gained.iter().rev() {
        let known = comments.iter().filter(|comment| of_base.contains_key(*comment));
        let (own, shared): (Vec<_>, Vec<_>) = known.partition(|comment| of_base[*comment] == 1);
        let mut gone = own.clone();
        gone.retain(|comment| {
            let copies = copies.get_mut(comment).filter(|copies| **copies > 1 && take(comment));
            copies.map(|copies| *copies -= 1).is_some()
        });
        if gone.is_empty() {
            continue;
        }
        if gone == own {
            gone.extend(shared.into_iter().filter(|comment| take(comment)));
        }
        doubles.push((*at, gone));
    }
    doubles
}

/// The comments above a task.
fn above(block: &Block) -> Vec<String> {
    let placed = block.placed_comments().into_iter();
    placed.filter(|(site, _)| is_above(site)).map(|(_, it)| identity(it).into_owned()).collect()
}

fn is_above(site: &Site) -> bool {
    matches!(site, Site::Above(path) if path.is_empty())
}

/// How often each comment is in a file, wherever it stands.
fn all(document: &Document) -> HashMap<String, usize> {
    let comments = pieces(document.text()).filter(|(kind, _)| *kind == Piece::Comment);
    super::counted(comments.map(|(_, text)| identity(text).into_owned()))
}

/// Whether both have the same comments, at whatever places.
pub(super) fn are_same(one: &Block, other: &Block) -> bool {
    count(&placed(one)) == count(&placed(other))
}

/// The comments that a later version of a task has, or has once more, and that it lacked.
pub(super) fn added(base: &Block, later: &Block) -> Vec<String> {
    let mut known = count(&placed(base));
    let mut added = Vec::new();
    for (_, comment) in later.placed_comments() {
        match known.get_mut(&identity(comment)) {
            Some(left) if *left > 0 => *left -= 1,
            _ => added.push(comment.trim().to_owned()),
        }
    }
    added
}

fn placed(block: &Block) -> Placed<'_> {
    let mut placed = Placed::new();
    for (site, comment) in block.placed_comments() {
        placed.entry(site).or_default().push(identity(comment));
    }
    placed
}

fn count<'a>(placed: &Placed<'a>) -> Counts<'a> {
    let mut counts = Counts::new();
    for comment in placed.values().flatten() {
        *counts.entry(comment.clone()).or_default() += 1;
    }
    counts
}
