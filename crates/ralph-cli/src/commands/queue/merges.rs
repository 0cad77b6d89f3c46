//! Merges of the queue files that git waits for, and what nobody has settled in them.

use std::path::{Path, PathBuf};

use ralph_git::{ConflictFile, Repo, Sha};
use ralph_queue::conflict::{self, Beside, Sides};
use ralph_queue::merge::{Conflict, DoneTasks, Settled};
use ralph_queue::settle::{self, Merge, Merges, Undecided};
use ralph_queue::{Document, Place, Queue};
use ralph_state::file::check_regular;
use ralph_state::{Store, TaskId};
use serde::Serialize;

use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::project::{Project, RALPH_DIR, name_in};
use crate::render::shell_word;

/// A queue file as git has it.
pub(crate) struct InGit {
    pub(crate) place: Place,
    /// Relative to the repository, as git tells it to a merge driver.
    pub(crate) name: PathBuf,
    /// Tells its merge from others: the versions that git merges, or else the commit that is
    /// checked out.
    pub(crate) merge: String,
    /// Whether it is in conflict, until the user tells git that it is not.
    pub(crate) is_unmerged: bool,
    /// The versions, while the file is in conflict and both sides have it.
    pub(crate) sides: Option<Sides>,
}

/// A place in conflict that does not count as settled.
#[derive(Clone, Serialize)]
pub(crate) struct Unsettled {
    #[serde(skip)]
    pub(crate) place: Place,
    pub(crate) path: String,
    #[serde(skip)]
    pub(crate) merge: String,
    #[serde(flatten)]
    pub(crate) undecided: Undecided,
}

/// A place that was settled by a side, and what stands there now.
#[derive(Serialize)]
pub(super) struct Taken {
    pub(super) path: String,
    pub(super) task: Option<TaskId>,
    pub(super) field: Option<String>,
    pub(super) value: Option<ralph_queue::Value>,
    #[serde(skip)]
    pub(super) subject: String,
}

/// Where merges are remembered.
pub(crate) fn store(project: &Project) -> Store<Merges> {
    let path = Merges::path_in(&project.root.join(RALPH_DIR).join("cache"));
    let store = Store::new(path, project.files.holder.clone());
    store.lock_wait(project.files.lock_wait).like(&project.files.queue)
}

/// Both files as git has them.
pub(crate) fn in_git(context: &Context, project: &Project) -> Result<Vec<InGit>, CliError> {
    let repo = context.repo(&project.root).ok();
    let unmerged = repo.as_ref().map(Repo::conflicts).transpose()?.unwrap_or_default();
    let head = repo.as_ref().and_then(|repo| repo.head().ok()?.commit().map(ToString::to_string));
    let name_of = |place| name(repo.as_ref(), project, project.files.path(place));
    let file = |place: Place| {
        let name = name_of(place);
        let versions = unmerged.iter().find(|file| file.path == name);
        let Some((repo, versions)) = repo.as_ref().zip(versions) else {
            let merge = head.clone().unwrap_or_default();
            return Ok(InGit { place, name, merge, is_unmerged: false, sides: None });
        };
        let ConflictFile { base, ours, theirs, .. } = versions;
        let shas = [base, ours, theirs].map(|sha| sha.as_ref().map_or("-", |sha| sha.as_str()));
        let (merge, mut sides) = (shas.join(" "), sides(repo, versions)?);
        if let Some(sides) = &mut sides {
            let (place, other) = (place.other(), name_of(place.other()));
            sides.beside = match unmerged.iter().find(|file| file.path == other) {
                Some(versions) => unmerged_beside(repo, place, versions),
                None => beside(repo, None, (&name, sides), (place, &other)),
            };
        }
        Ok(InGit { place, name, merge, is_unmerged: true, sides })
    };
    [Place::Queue, Place::Done].into_iter().map(file).collect()
}

/// A path below the root of the project as git names it.
fn name(repo: Option<&Repo>, project: &Project, path: &Path) -> PathBuf {
    let in_git = repo.and_then(|repo| name_in(repo, path));
    in_git.unwrap_or_else(|| path.strip_prefix(&project.root).unwrap_or(path).to_owned())
}

/// The versions of a file that both sides have.
fn sides(repo: &Repo, versions: &ConflictFile) -> Result<Option<Sides>, CliError> {
    let ConflictFile { path, base, ours, theirs } = versions;
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return Ok(None) };
    let text = |sha| {
        ralph_queue::decode(repo.blob(sha)?).map_err(|error| {
            CliError::new(ErrorKind::Corrupt, error)
                .context("cannot read a version of the file")
                .hint(format!("`git cat-file blob {sha}` prints it."))
                .at(path)
        })
    };
    let base = base.as_ref().map(text).transpose()?;
    let mut sides = Sides::new(text(ours)?, base, text(theirs)?);
    if sides.base.as_ref().is_some_and(|base| Document::parse(base.as_str()).is_err()) {
        // Of several bases git makes one by lines, with conflict markers.
        sides.base = base_of_commits(repo, path, &sides);
    }
    Ok(Some(sides))
}

/// The base of a file by the commits whose merge git waits for.
fn base_of_commits(repo: &Repo, name: &Path, sides: &Sides) -> Option<String> {
    let is_it = |merge: &Commits| {
        let versions = [(&merge.ours, &sides.ours), (&merge.theirs, &sides.theirs)];
        versions.into_iter().all(|(rev, version)| {
            text_of(repo, rev, name).is_ok_and(|found| found.as_ref() == Some(version))
        })
    };
    let mut known = KNOWN.iter().filter_map(|(rev, way)| way.commits(repo, rev));
    known.find(is_it)?.base_of(repo, name)
}

/// The versions of a file in conflict beside another one.
fn unmerged_beside(repo: &Repo, place: Place, versions: &ConflictFile) -> Option<Beside> {
    let ConflictFile { base, ours, theirs, .. } = versions;
    let text = |sha: &Option<Sha>| {
        let text = sha.as_ref().map(|sha| ralph_queue::decode(repo.blob(sha).ok()?).ok());
        text.map_or(Some(None), |text| text.map(Some))
    };
    Some(Beside { place, base: text(base)?, ours: text(ours)?, theirs: text(theirs)? })
}

/// The versions of the file beside one that is merged, if git tells whose merge that is: only
/// commits are believed that have all versions of the file itself.
pub(super) fn beside(
    repo: &Repo,
    label: Option<&str>,
    (name, sides): (&Path, &Sides),
    (place, other): (Place, &Path),
) -> Option<Beside> {
    let is_it = |merge: &Commits| {
        // Of several bases git makes one, which no commit has.
        let base = merge.base().map(|base| (base, sides.base.as_ref()));
        let versions = [(&merge.ours, Some(&sides.ours)), (&merge.theirs, Some(&sides.theirs))];
        base.into_iter().chain(versions).all(|(rev, version)| {
            text_of(repo, rev, name).is_ok_and(|found| found.as_ref() == version)
        })
    };
    let labelled = label.and_then(|label| commits_of(repo, label));
    let known = KNOWN.iter().filter_map(|(rev, way)| way.commits(repo, rev));
    labelled.into_iter().chain(known).find(is_it)?.beside(repo, (place, other))
}

/// The commits of a merge.
pub(super) struct Commits {
    pub(super) ours: String,
    /// One, or several where the branches have been merged both ways.
    pub(super) bases: Vec<String>,
    pub(super) theirs: String,
}

impl Commits {
    /// The base, if there is one only.
    pub(super) fn base(&self) -> Option<&String> {
        if let [base] = self.bases.as_slice() { Some(base) } else { None }
    }

    /// The versions that they have of the file beside one that is merged.
    pub(super) fn beside(&self, repo: &Repo, (place, other): (Place, &Path)) -> Option<Beside> {
        let text = |rev: &String| text_of(repo, rev, other).ok();
        let base = self.base_of(repo, other);
        Some(Beside { place, base, ours: text(&self.ours)?, theirs: text(&self.theirs)? })
    }

    /// The base of a file, of two bases what both have. Where there is none, or it cannot be told,
    /// what both sides have will do.
    fn base_of(&self, repo: &Repo, name: &Path) -> Option<String> {
        let text = |rev: &String| text_of(repo, rev, name).ok().flatten();
        let mut bases = self.bases.iter().map(text).collect::<Option<Vec<_>>>()?;
        bases.sort_unstable();
        bases.dedup();
        let two = match <[String; 2]>::try_from(bases) {
            Ok([one, two]) => Sides::new(one, None, two),
            Err(mut bases) => return bases.pop().filter(|_| bases.is_empty()),
        };
        Some(conflict::resolve(&two).ok()?.text)
    }
}

/// What git does with the commit that it calls the other side.
#[derive(Clone, Copy)]
enum Way {
    Merge,
    Pick,
    Revert,
}

/// Where git keeps the other side.
const KNOWN: [(&str, Way); 5] = [
    ("MERGE_HEAD", Way::Merge),
    ("CHERRY_PICK_HEAD", Way::Pick),
    ("REBASE_HEAD", Way::Pick),
    ("REVERT_HEAD", Way::Revert),
    ("refs/stash", Way::Pick),
];

impl Way {
    /// The commits that git merges then.
    fn commits(self, repo: &Repo, rev: &str) -> Option<Commits> {
        let other = repo.resolve(rev).ok()??;
        let parent = format!("{other}^");
        let (bases, theirs) = match self {
            Self::Merge => {
                let ours = repo.resolve("HEAD").ok()??;
                let bases = repo.merge_bases(&ours, &other).ok()?;
                (bases.iter().map(ToString::to_string).collect(), other.to_string())
            }
            Self::Pick => (vec![parent], other.to_string()),
            Self::Revert => (vec![other.to_string()], parent),
        };
        Some(Commits { ours: "HEAD".to_owned(), bases, theirs })
    }
}

/// What git merges that calls the other side so: `BRANCH`, `SHA (SUBJECT)` of a commit that it
/// picks, `parent of SHA (SUBJECT)` of one that it reverts.
fn commits_of(repo: &Repo, label: &str) -> Option<Commits> {
    let (way, rev) = match (label.strip_prefix("parent of "), label.split_once(" (")) {
        (Some(reverted), _) => (Way::Revert, reverted.split(' ').next()?),
        (None, Some((picked, _))) => (Way::Pick, picked),
        (None, None) => (Way::Merge, label),
    };
    if rev.starts_with('-') { None } else { way.commits(repo, rev) }
}

pub(super) fn text_of(repo: &Repo, rev: &str, name: &Path) -> Result<Option<String>, CliError> {
    let text = repo.read_blob(rev, name)?.map(ralph_queue::decode).transpose();
    text.map_err(|error| {
        CliError::new(ErrorKind::Corrupt, error)
            .context(format!("cannot read `{rev}` of the file"))
            .hint(format!(
                "`git show {}` prints it.",
                shell_word(format!("{rev}:{}", name.display()))
            ))
            .at(name)
    })
}

/// The commit that the other side of a merge is: the first that git may mean whose queue file is
/// the one that is merged.
pub(super) fn their_commit<'r>(
    repo: &Repo,
    label: Option<&'r str>,
    (name, queue): (&Path, &str),
) -> Option<&'r str> {
    let known = ["refs/stash", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD"];
    label.into_iter().chain(known).find(|rev| is_at(repo, rev, (name, queue)))
}

/// Whether the queue file of a commit is this one.
fn is_at(repo: &Repo, rev: &str, (name, queue): (&Path, &str)) -> bool {
    text_of(repo, rev, name).ok().flatten().is_some_and(|found| found == queue)
}

/// The done files of both sides of the merge of a queue file, where git knows their commits. What
/// a commit does not have is empty.
fn done_of_sides(repo: &Repo, queue: &InGit, done: &Path) -> [Option<Document>; 2] {
    let Some(sides) = &queue.sides else { return [None, None] };
    let ours = Some("HEAD").filter(|rev| is_at(repo, rev, (&queue.name, &sides.ours)));
    let theirs = their_commit(repo, None, (&queue.name, &sides.theirs));
    [ours, theirs].map(|rev| match text_of(repo, rev?, done).ok()? {
        Some(text) => Document::parse(text).ok(),
        None => Some(Document::empty()),
    })
}

/// Whether the file is not as git's index has it.
pub(super) fn is_unstaged(context: &Context, project: &Project, file: &InGit) -> bool {
    let Ok(repo) = context.repo(&project.root) else { return false };
    let path = project.files.path(file.place);
    let there = check_regular(path).and_then(|()| fs_err::read(path)).ok();
    match repo.read_blob("", &file.name) {
        Ok(None) => there.is_some() && !repo.is_ignored(&file.name).unwrap_or(true),
        Ok(staged) => staged != there,
        Err(_) => false,
    }
}

/// What is remembered of merges.
pub(crate) fn memory(project: &Project) -> Result<Merges, CliError> {
    Ok(store(project).load()?.map(|loaded| loaded.value).unwrap_or_default())
}

/// Every place that a merge could not decide, that holds what the merge left, and that nobody has
/// said is right.
pub(crate) fn unsettled(
    context: &Context,
    project: &Project,
    queue: &Queue,
) -> Result<Vec<Unsettled>, CliError> {
    let (memory, files) = (memory(project)?, in_git(context, project)?);
    Ok(unsettled_of((context, project), (&files, &memory), queue))
}

/// [`unsettled`], of files as git has them and a memory.
pub(super) fn unsettled_of(
    (context, project): (&Context, &Project),
    (files, merges): (&[InGit], &Merges),
    queue: &Queue,
) -> Vec<Unsettled> {
    let mut unsettled = Vec::new();
    let done = files.iter().find(|file| file.place == Place::Done);
    for file in files {
        let path = file.name.to_string_lossy().into_owned();
        let memory = merges.find(&path, &file.merge);
        let document = match file.place {
            Place::Queue => queue.document(),
            Place::Done => queue.done_document(),
        };
        let mut undecided = file.undecided(memory);
        undecided.retain(|undecided| file.finished(undecided, queue).is_none());
        let mut open = settle::unsettled(undecided, document, memory);
        if file.place == Place::Queue && open.iter().any(|open| open.conflict.is_removal()) {
            // Put in order before: the copy in the done file is gone, and this one stays.
            let [ours, theirs] = context
                .repo(&project.root)
                .ok()
                .zip(done)
                .map_or([None, None], |(repo, done)| done_of_sides(&repo, file, &done.name));
            let done = DoneTasks::new(ours.as_ref(), theirs.as_ref());
            open.retain(|open| !open.conflict.is_move(&done));
        }
        unsettled.extend(open.into_iter().map(|undecided| {
            let (place, path, merge) = (file.place, path.clone(), file.merge.clone());
            Unsettled { place, path, merge, undecided }
        }));
    }
    unsettled
}

/// What is to become of tasks that one side moved to its done file, and that a merge left in the
/// queue file as open, since the other side changed them.
pub(super) fn settled_of(files: &[InGit], merges: &Merges, queue: &Queue) -> Settled {
    let mut settled = Settled::default();
    if queue.reopened().next().is_none() {
        return settled;
    }
    for file in files {
        for undecided in file.undecided(merges.find(&file.name.to_string_lossy(), &file.merge)) {
            let id = file.finished(&undecided, queue);
            let Some(id) = id.filter(|id| queue.reopened().any(|it| it == id)) else { continue };
            // Moved to the done file since: finished before the other side opened it again.
            let is_reopened = undecided.conflict.is_reopening();
            if is_reopened { &mut settled.reopened } else { &mut settled.finished }.push(id);
        }
    }
    settled
}

impl InGit {
    /// What the merge could not decide.
    fn undecided(&self, memory: Option<&Merge>) -> Vec<Undecided> {
        let merged = self.sides.as_ref().and_then(|sides| conflict::resolve(sides).ok());
        match merged {
            Some(merged) => merged.undecided(),
            // Without versions that a merge can read, what was between markers was merged, or the
            // file was put together by hand.
            None => memory.map(|memory| memory.undecided.clone()).unwrap_or_default(),
        }
    }

    /// The task that one side removed since it finished it, if the place is about one: what the
    /// other side did is taken over by the next change, or by `queue resolve`; or stays open, if it
    /// is [`Conflict::is_reopening`].
    fn finished(&self, undecided: &Undecided, queue: &Queue) -> Option<TaskId> {
        let Conflict { task: Some(id), field: None, .. } = &undecided.conflict else { return None };
        let is_done = || queue.find(id.as_str()).is_some_and(|(at, _)| at == Place::Done);
        let is_finished = || is_done() || queue.reopened().any(|reopened| reopened == id);
        (self.place == Place::Queue && is_finished()).then(|| id.clone())
    }
}

/// [`unsettled`], for a command that is about something else: git is asked only if a merge left
/// conflicts since `ralph queue resolve` was done with all, and a fault is no fault of the queue.
pub(crate) fn known_unsettled(context: &Context, project: &Project, queue: &Queue) -> usize {
    let is_known = store(project)
        .load()
        .is_ok_and(|loaded| loaded.is_some_and(|loaded| !loaded.value.merges.is_empty()));
    if !is_known {
        return 0;
    }
    unsettled(context, project, queue).map_or(0, |unsettled| unsettled.len())
}

/// How many places are unsettled, in words.
pub(crate) fn told(unsettled: usize) -> String {
    match unsettled {
        1 => "a merge left 1 conflict that nobody has settled".to_owned(),
        many => format!("a merge left {many} conflicts that nobody has settled"),
    }
}
