//! A queue file with git's conflict markers, merged by task.

use std::iter;
use std::path::Path;

use ralph_git::Repo;
use ralph_queue::conflict::{self, Sides, Unsure};
use ralph_queue::merge::{MergeError, Merged};
use ralph_queue::settle::Merges;
use ralph_queue::{Document, Place};
use ralph_state::TaskId;
use ralph_state::file::{Durability, replace_like, replace_read};
use serde::Serialize;

use super::branch::{MergedFile, tell_renumbered};
use super::merges::{self, Commits, InGit};
use crate::commands::input;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::project::{Project, RALPH_DIR};
use crate::render::{pathspec, shell_word};

/// A file that holds conflict markers, and what is made of it.
pub(super) struct Unmarked<'f> {
    pub(super) in_git: &'f InGit,
    pub(super) text: String,
    pub(super) merged: Merged,
    source: Source,
    doubt: Option<Doubt>,
    /// Of [`Source::Markers`] alone.
    unsure: Vec<Unsure>,
}

/// Why what was made of a file with markers may not be all that was meant.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Doubt {
    /// Git has the versions no more. What it had merged outside of the markers, line by line, may
    /// be in the wrong task.
    BetweenMarkers,
    /// The versions are git's, and do not have what was edited in the file since.
    EditedSince,
}

/// Where the versions are from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    /// Git's index.
    Index,
    /// The commits that were merged.
    Commits,
    /// What stands between the markers and around them.
    Markers,
}

/// Merges the files that hold conflict markers.
pub(super) fn merged<'f>(
    context: &Context,
    project: &Project,
    files: &'f [InGit],
) -> Result<Vec<Unmarked<'f>>, CliError> {
    let mut unmarked = Vec::new();
    for in_git in files {
        let path = project.files.path(in_git.place);
        let text = match input::read_own(path) {
            Ok(text) => text,
            Err(_) if !path.exists() => continue,
            Err(error) => return Err(error.at(path)),
        };
        let Some(between) = conflict::sides(&text) else { continue };
        let of_git = in_git.sides.clone().map(|sides| (Source::Index, sides)).or_else(|| {
            let repo = context.repo(&project.root).ok()?;
            let other = files.iter().find(|file| file.place != in_git.place)?;
            let beside = (other.place, other.name.as_path());
            let sides = sides_of_commits(&repo, (&in_git.name, beside), &between)?;
            Some((Source::Commits, sides))
        });
        let of_git = of_git.and_then(|(source, sides)| {
            // A version that cannot be read is put right in the file.
            Some((source, resolved(&sides)?))
        });
        let (source, merged) = if let Some(of_git) = of_git {
            of_git
        } else {
            let merged = conflict::resolve_marked(&text, &between);
            (Source::Markers, merged.map_err(|error| unmerged(error, in_git).at(path))?)
        };
        let unsure = match source {
            Source::Markers => conflict::unsure(&between, &merged),
            Source::Index | Source::Commits => Vec::new(),
        };
        let is_edited = || {
            let repo = context.repo(&project.root).ok();
            let versions = repo.as_ref().zip(in_git.sides.as_ref());
            versions.is_some_and(|(repo, sides)| is_edited(repo, (&in_git.name, sides), &between))
        };
        let doubt = match source {
            Source::Markers => Some(Doubt::BetweenMarkers),
            Source::Index => is_edited().then_some(Doubt::EditedSince),
            Source::Commits => None,
        };
        unmarked.push(Unmarked { in_git, text, merged, source, doubt, unsure });
    }
    Ok(unmarked)
}

/// What the merge driver makes of the versions: a task that one side moved to its done file has
/// its end, with what the other side did to it. It is still told as a conflict, which the copy in
/// the done file settles.
fn resolved(sides: &Sides) -> Option<Merged> {
    let mut merged = conflict::resolve(sides).ok()?;
    let mut settled = merged.clone();
    settled.settle_finished(None, None).ok()?;
    merged.text = settled.text;
    Some(merged)
}

/// Whether a file in conflict is surely not as git wrote it.
fn is_edited(repo: &Repo, (name, sides): (&Path, &Sides), between: &Sides) -> bool {
    let is_it = |made: &Sides| (&made.ours, &made.theirs) == (&between.ours, &between.theirs);
    let made = repo.merges_of([":2", ":1", ":3"], name).unwrap_or_default();
    let mut made = made.into_iter().filter_map(|text| ralph_queue::decode(text).ok());
    let mut known = false;
    // The merge driver puts markers around both versions that it cannot read.
    !is_it(sides)
        && !made.any(|text| {
            known = true;
            conflict::sides(&text).is_some_and(|made| is_it(&made))
        })
        && known
}

/// How many merges are looked at for one that left markers.
const MERGES: usize = 20;

/// The versions in the commits whose merge, one under way or one of the last, left these markers:
/// what git makes of them is the file, to the line. Of one that was edited since, that would lose
/// what was edited.
fn sides_of_commits(
    repo: &Repo,
    (name, beside): (&Path, (Place, &Path)),
    between: &Sides,
) -> Option<Sides> {
    let under_way = ["HEAD", "MERGE_HEAD"].map(str::to_owned);
    let committed = repo.newest_merges("HEAD", MERGES).unwrap_or_default();
    let committed = committed.into_iter().map(|it| [format!("{it}^1"), format!("{it}^2")]);
    let bases = iter::once(under_way).chain(committed).filter_map(|[ours, theirs]| {
        let [one, other] = [&ours, &theirs].map(|rev| repo.resolve(rev).ok().flatten());
        let base = repo.merge_base(&one?, &other?).ok().flatten()?;
        Some([ours, base.to_string(), theirs])
    });
    let picks = ["CHERRY_PICK_HEAD", "REBASE_HEAD"].into_iter();
    let picks = picks.map(|pick| ["HEAD".to_owned(), format!("{pick}^"), pick.to_owned()]);
    bases.chain(picks).find_map(|revs| {
        let revs = revs.each_ref().map(String::as_str);
        let made = repo.merges_of(revs, name).ok()?;
        let made = made.into_iter().filter_map(|text| ralph_queue::decode(text).ok());
        let mut made = made.filter_map(|text| conflict::sides(&text));
        // How much of the base git writes, and what it calls the sides, is the user's choice.
        let is_it = made.any(|made| (&made.ours, &made.theirs) == (&between.ours, &between.theirs));
        if !is_it {
            return None;
        }
        let [ours, base, theirs] = revs.map(|rev| merges::text_of(repo, rev, name).ok().flatten());
        let mut sides = Sides::new(ours?, Some(base?), theirs?);
        let [ours, base, theirs] = revs.map(str::to_owned);
        sides.beside = Commits { ours, bases: vec![base], theirs }.beside(repo, beside);
        Some(sides)
    })
}

/// What to do where neither the versions in git can be merged nor what the file has of them.
fn unmerged(error: MergeError, in_git: &InGit) -> CliError {
    let name = in_git.name.display();
    let version = match &error {
        MergeError::Parse { side, .. } | MergeError::TwiceInOne { side, .. }
            if in_git.sides.is_some() =>
        {
            let stage = if *side == "ours" { 2 } else { 3 };
            let rev = shell_word(format!(":{stage}:{name}"));
            format!(" (`git show {rev}` prints the version of {side})")
        }
        _ => String::new(),
    };
    let hint = format!(
        "Put that right in `{name}`, where lines are counted with the conflict markers, and repeat \
         the command{version}; or put the whole file together by hand, without markers, then \
         `git add {}`.",
        pathspec(&in_git.name)
    );
    CliError::new(ErrorKind::Corrupt, error).context("cannot resolve").hint(hint)
}

impl Unmarked<'_> {
    pub(super) fn write(&self, context: &Context, project: &Project) -> Result<(), CliError> {
        let path = project.files.path(self.in_git.place);
        keep_marked(context, project, path, &self.text)?;
        // Before the markers go, which else may be all that has the other side.
        let noted = merges::store(project).update(|memory| {
            self.remember(memory);
            Ok::<_, CliError>(())
        })?;
        context.ui.saved(noted.saved);
        let (read, new) = (self.text.as_bytes(), self.merged.text.as_bytes());
        context.ui.saved(replace_read(path, path, Some(read), new, Durability::Full)?);
        if let Some(marks) = &project.files.id_marks {
            let (holder, wait) = (&project.files.holder, project.files.lock_wait);
            let (others, ids) = (project.files.other_ids.as_ref(), self.merged.ids.iter());
            ralph_queue::ids::remember(marks, others, holder, wait, ids)?;
        }
        Ok(())
    }

    pub(super) fn remember(&self, memory: &mut Merges) {
        let InGit { name, merge, .. } = self.in_git;
        let undecided = match self.source {
            Source::Index => Vec::new(),
            Source::Commits | Source::Markers => self.merged.undecided(),
        };
        memory.remember(&name.to_string_lossy(), merge, undecided);
    }

    pub(super) fn report(&self) -> MergedFile<'_> {
        let mut file = MergedFile::of(&self.in_git.name, &self.merged, &self.unsure);
        file.doubt = self.doubt;
        file
    }

    /// Says which ids are new, and which references may mean another task than the one that they
    /// name.
    pub(super) fn tell(&self, context: &Context) {
        tell_renumbered(context, &self.merged.renumbered);
        let name = self.in_git.name.display();
        match self.doubt {
            Some(Doubt::BetweenMarkers) => context.ui.warn(format_args!(
                "{name}: git does not tell which versions were merged, and what it merged outside \
                 of the conflict markers may be in the wrong task: compare the two files"
            )),
            Some(Doubt::EditedSince) => context.ui.warn(format_args!(
                "{name}: what was edited there since git wrote its conflict markers is in the \
                 other file only: compare the two"
            )),
            None => {}
        }
        let Some(first) = self.unsure.first() else { return };
        let document = Document::parse(self.merged.text.as_str()).ok();
        let titled = |id: &TaskId| {
            let draft = document.as_ref().map(Document::draft);
            let title = draft.and_then(|draft| {
                let at = draft.position(id.as_str())?;
                Some(draft.task(at).title.clone())
            });
            title.map_or_else(|| id.to_string(), |title| format!("{id} (\"{title}\")"))
        };
        for Unsure { task, field, names, may_mean, .. } in &self.unsure {
            let names: Vec<&str> = names.iter().map(TaskId::as_str).collect();
            let [one, other] = may_mean.each_ref().map(titled);
            context.ui.warn(format_args!(
                "{task}: {field} names {} now, and may mean {one} or {other}: outside of the \
                 conflict markers nothing tells which side wrote it",
                names.join(" and ")
            ));
        }
        let Unsure { task, field, .. } = first;
        context.ui.hint(format!(
            "`ralph task edit {field} VALUE {task}` changes what it names; the history of git has \
             what each side wrote."
        ));
    }
}

/// Keeps a file with its markers: git's versions, if there are any, do not have what was edited
/// there since.
fn keep_marked(
    context: &Context,
    project: &Project,
    path: &Path,
    text: &str,
) -> Result<(), CliError> {
    let Some(name) = path.file_name() else { return Ok(()) };
    let copy = project.root.join(RALPH_DIR).join("cache").join(name).with_extension("marked");
    context.ui.saved(replace_like(path, &copy, text.as_bytes(), Durability::Full)?);
    context
        .ui
        .say(format!("The file with its conflict markers is kept as {}.", project.shown(&copy)));
    Ok(())
}
