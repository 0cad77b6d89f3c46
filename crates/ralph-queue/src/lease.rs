//! Leases: who may work on a task of the queue, and until when.
//!
//! They stand in a file that all work trees of a repository share, since each has a queue file of
//! its own. Whoever takes a lease gets a token; writing to the task needs it, and renews the
//! lease. A lease that is not renewed lapses: the next who asks gets the task, with another token,
//! and the old one is refused from then on.
//!
//! A lease is that of a task, not of an id: a merge or a repair may give the task another id, and
//! its own to another task, in one work tree before the others.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::slice;
use std::time::Duration;

use ralph_state::document::{Document, Upgrades};
use ralph_state::file::Holder;
use ralph_state::json::Object;
use ralph_state::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::delta::{Fate, Touched};
use crate::queue::{Listed, Place, Queue};
use crate::runnability::{DoingFirst, Drafts, Reason, Selection};
use crate::task::{Status, Task};

/// Finished leases kept: other work trees learn from them what is done.
const FINISHED_KEPT: usize = 500;

/// Leases kept that ended before their tasks did.
const ENDED_KEPT: usize = 200;

/// Every lease of a repository; a [`ralph_state::Store`] keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Leases {
    /// The version; a save always writes 1.
    #[serde(default)]
    pub version: u32,
    /// How many were ever given.
    #[serde(default)]
    pub given: u64,
    /// Those in force, those lapsed but not taken over, and the last that ended with their task,
    /// oldest first.
    #[serde(default)]
    pub leases: Vec<Lease>,
    /// The last that ended before their tasks did, oldest first: whoever still has such a token
    /// is told what became of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Ended>,
    /// Fields that this version of the program does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Object,
}

/// The right of one owner to one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// The id that its task had where it was claimed; see [`Self::id`].
    pub task: TaskId,
    /// What tells that task from others with its id; older versions went by the id alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_by: Option<KnownBy>,
    /// Unlike that of any other lease.
    pub token: String,
    /// Who has it, by a name of their own choice.
    pub owner: String,
    /// Since when.
    pub taken_at: Timestamp,
    /// How long it lasts after each use, in seconds.
    pub ttl_seconds: u64,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// What was asked for when it was given, if the one who asked may ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// When its task was finished, or deleted, under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// In which work tree that was, told as text; see [`Self::is_ended_in`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_in: Option<PathBuf>,
    /// It was deleted, and not finished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deleted: bool,
    /// When another work tree, which still has it open, last changed something else about it. Or
    /// the time ahead at which the task said that it was changed when it was claimed: where it is
    /// open it says so still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_elsewhere_at: Option<Timestamp>,
    /// What [`Leases::follow`] found.
    #[serde(skip)]
    here: Here,
    /// Fields that this version of the program does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Object,
}

/// A task as it was when it was claimed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownBy {
    /// Its title.
    pub title: String,
    /// When it was made, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// The ids that it had before, under which another work tree may still have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_ids: Vec<String>,
    /// Fields that this version of the program does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Object,
}

/// Which task of a queue a lease is of.
#[derive(Clone, Debug, Default, PartialEq)]
enum Here {
    /// The one with the id that it was claimed by, if there is one.
    #[default]
    AsClaimed,
    /// The one that has this id now.
    As(TaskId),
    /// Another task has that id, and none is known to be the one.
    Nowhere,
}

/// A lease that ended before its task did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ended {
    /// The token that it had.
    pub token: String,
    /// Its task.
    pub task: TaskId,
    /// Who took the task over after it had lapsed; it was given back if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_over_by: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// This task, or the first that can start.
    pub task: Option<&'a str>,
    /// Who asks.
    pub owner: &'a str,
    /// How long the lease lasts after each use.
    pub ttl: Duration,
    /// Whether drafts may be taken.
    pub drafts: Drafts,
    /// Tasks that others have without a lease, and how.
    pub exclude: &'a BTreeMap<TaskId, Reason>,
    /// A name for what is asked for: asked again, the answer is the same lease.
    pub name: Option<&'a str>,
    /// The process that asks.
    pub holder: &'a Holder,
    /// The present time.
    pub now: Timestamp,
}

/// A write to the queue, as leases see it.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// What it did to tasks.
    pub touched: &'a [Touched],
    /// The queue before.
    pub before: &'a Queue,
    /// The tokens it was made under.
    pub tokens: &'a [String],
    /// The work tree it was made in.
    pub tree: &'a Path,
    /// What ended there and is open after it, as [`Leases::ended_in`].
    pub open: &'a [Lease],
    /// Whether somebody asked for what it made of tasks.
    pub by: By,
    /// When it was made, or later.
    pub now: Timestamp,
}

/// How a write came to what it made of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Somebody asked for it.
    Edit,
    /// An undo or a redo made of them what they were in the same work tree.
    Undo,
}

/// What the leases mean for choosing a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Leased, and not lapsed: by whom.
    pub held: BTreeMap<TaskId, Reason>,
    /// Begun under a lease that lapsed.
    pub lapsed: BTreeSet<TaskId>,
    /// Finished or deleted in some work tree, though this queue may not show it yet: by whom.
    pub ended: BTreeMap<TaskId, Reason>,
    /// Those of them that were finished.
    pub done: BTreeSet<TaskId>,
}

/// Why a lease was not given, or does not permit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Somebody else has it.
    #[error("task `{task}` is claimed by `{owner}` until {expires_at}")]
    Held {
        /// The task.
        task: TaskId,
        /// Who has it.
        owner: String,
        /// Until when, unless it is renewed.
        expires_at: Timestamp,
    },
    /// The token belongs to no lease any more.
    #[error("the claim `{}` of task `{}` has ended: {}", .0.token, .0.task, match &.0.taken_over_by {
        Some(owner) => format!("`{owner}` has taken the task over"),
        None => "the task was given back".to_owned(),
    })]
    Lost(Ended),
    /// It has ended with its task.
    #[error("the claim `{token}` of task `{task}` has ended: the task was {}", if *is_deleted { "deleted" } else { "finished" })]
    Finished {
        /// The token.
        token: String,
        /// The task.
        task: TaskId,
        /// It was deleted, and not finished.
        is_deleted: bool,
    },
    /// The id is that of another task, and its own has a new one.
    #[error(
        "the claim `{token}` is that of `{now}`, which was `{task}` before: that is another task"
    )]
    Renumbered {
        /// The token.
        token: String,
        /// The id that was given.
        task: TaskId,
        /// That of its task.
        now: TaskId,
    },
    /// The task is none of its own.
    #[error("the claim `{token}` is that of `{own}`, and not of `{task}`")]
    Other {
        /// The token.
        token: String,
        /// Its task.
        own: TaskId,
        /// The one that was to begin or to end under it.
        task: TaskId,
    },
    /// The id is that of another task, and its own cannot be told.
    #[error("the claim `{token}` is not that of the task which is `{task}` here{}", match title {
        Some(title) => format!(", but of \"{title}\""),
        None => String::new(),
    })]
    Untold {
        /// The token.
        token: String,
        /// The id that was given.
        task: TaskId,
        /// The title that its task had.
        title: Option<String>,
    },
    /// No lease is known that ever had the token.
    #[error("no claim `{token}` is known")]
    Unknown {
        /// The token.
        token: String,
    },
    /// No file has that task.
    #[error("there is no task `{id}`")]
    NotFound {
        /// The id asked for.
        id: String,
    },
    /// It cannot start now.
    #[error("task `{task}` cannot start")]
    NotReady {
        /// The task.
        task: TaskId,
        /// Why not.
        reasons: Vec<Reason>,
    },
    /// The end of the lease is beyond all time.
    #[error("a lease cannot last {} s", ttl.as_secs())]
    TooLong {
        /// What was asked for.
        ttl: Duration,
    },
}

impl Standing {
    /// What nobody else may begin: `others`, and what is leased or was until it ended.
    pub fn taken(&self, others: &BTreeMap<TaskId, Reason>) -> BTreeMap<TaskId, Reason> {
        let mut taken = others.clone();
        let own = self.held.iter().chain(&self.ended);
        taken.extend(own.map(|(task, reason)| (task.clone(), reason.clone())));
        taken
    }
}

impl Lease {
    /// Whether it keeps others away at `now`.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.finished_at.is_none() && self.expires_at > now
    }

    /// The id of its task in the queue that it followed it into last ([`Leases::follow`]); `None`
    /// where another task has the id and its own cannot be told.
    pub fn id(&self) -> Option<&TaskId> {
        match &self.here {
            Here::AsClaimed => Some(&self.task),
            Here::As(id) => Some(id),
            Here::Nowhere => None,
        }
    }

    /// Whether its task ended in that work tree.
    pub fn is_ended_in(&self, tree: &Path) -> bool {
        self.finished_in.as_ref().is_some_and(|it| *it == named(tree))
    }

    /// Whether its task has that id there.
    pub fn is_of(&self, task: &str) -> bool {
        self.id().is_some_and(|id| id.as_str() == task)
    }

    /// Its task in any queue.
    pub fn task_in<'q>(&self, queue: &'q Queue) -> Option<&'q Task> {
        let mut lease = self.clone();
        follow(slice::from_mut(&mut lease), queue);
        lease.found_in(queue)
    }

    fn found_in<'q>(&self, queue: &'q Queue) -> Option<&'q Task> {
        queue.with_id(self.id()?.as_str()).map(|(_, task)| task)
    }

    /// That it has ended with its task, if it has.
    pub fn end(&self) -> Option<LeaseError> {
        let (token, task) = (self.token.clone(), self.id().unwrap_or(&self.task).clone());
        let is_deleted = self.is_deleted;
        self.finished_at.map(|_| LeaseError::Finished { token, task, is_deleted })
    }

    /// Every id by which its task was known when it was claimed.
    fn ids(&self) -> impl Iterator<Item = &str> {
        let former = self.known_by.iter().flat_map(|known| &known.former_ids);
        former.map(String::as_str).chain([self.task.as_str()])
    }

    /// Which of `tasks` it is of: all that have, or had, one of its ids.
    fn among(&self, tasks: &[&Task]) -> Here {
        let own = self.known_by.as_ref().map(|known| known.task(&self.task));
        // As long as another has its id, see [`Queue::outranked`], it has none to go by.
        let outranks = |one: &Task, other: &Task| {
            one.id == other.id && one.status != Status::Rejected && !one.is_version_of(other)
        };
        let is_outranked = |task: &Task| {
            task.status == Status::Rejected && tasks.iter().any(|other| outranks(other, task))
        };
        let tasks: Vec<&Task> = tasks.iter().copied().filter(|task| !is_outranked(task)).collect();
        let has_id = |task: &&Task| task.id == self.task;
        let is_it = |task: &&Task| match &own {
            Some(own) => task.is_version_of(own),
            None => has_id(task),
        };
        // Edited by hand, or renamed where its time is not told to the moment.
        let may_be_it = |task: &&Task| own.as_ref().is_none_or(|own| task.may_be(own));
        let found: Vec<&Task> = tasks.iter().copied().filter(is_it).collect();
        if found.iter().any(has_id) {
            return Here::AsClaimed;
        }
        let found = match found.as_slice() {
            [] => tasks.iter().copied().filter(may_be_it).collect(),
            _ => found,
        };
        match found.as_slice() {
            [] if !tasks.iter().any(has_id) => Here::AsClaimed,
            [first, rest @ ..] if rest.iter().all(|task| task.id == first.id) => {
                if has_id(first) {
                    Here::AsClaimed
                } else {
                    Here::As(first.id.clone())
                }
            }
            _ => Here::Nowhere,
        }
    }

    /// The one that somebody gave another id by hand: that no other has its title and its time.
    fn renamed(&self, queue: &Queue) -> Here {
        let Some(own) = &self.known_by else { return Here::AsClaimed };
        let own = own.task(&self.task);
        let is_it =
            |listed: &Listed<'_>| listed.title() == own.title && listed.task().is_same_titled(&own);
        let mut found = queue.places().map(|(_, listed)| listed).filter(is_it);
        match (found.next(), found.next()) {
            (Some(only), None) => Here::As(only.task_id()),
            _ => Here::AsClaimed,
        }
    }

    fn ended(&self, taken_over_by: Option<String>) -> Ended {
        let task = self.id().unwrap_or(&self.task).clone();
        Ended { token: self.token.clone(), task, taken_over_by }
    }

    fn finish(&mut self, deleted: bool, tree: &Path, now: Timestamp) {
        (self.finished_at, self.finished_in) = (Some(now), Some(named(tree)));
        self.is_deleted = deleted;
        self.changed_elsewhere_at = self.changed_elsewhere_at.filter(|time| *time > now);
    }

    /// It is in force again, as far as it has not lapsed.
    fn go_on(&mut self) {
        (self.finished_at, self.finished_in, self.is_deleted) = (None, None, false);
    }

    /// Whether its task was changed since it had ended, other than where it was still open.
    fn is_outdated(&self, queue: &Queue) -> bool {
        self.found_in(queue).and_then(changed_at) > self.finished_at.max(self.changed_elsewhere_at)
    }

    fn renew(&mut self, now: Timestamp) {
        let end = now.checked_add(Duration::from_secs(self.ttl_seconds));
        self.expires_at = end.unwrap_or(self.expires_at);
    }
}

impl KnownBy {
    fn of(task: &Task) -> Self {
        Self {
            title: task.title.clone(),
            created_at: task.created_at.clone(),
            former_ids: task.former_ids().map(str::to_owned).collect(),
            extra: Object::default(),
        }
    }

    /// As much of the task as that tells.
    fn task(&self, id: &TaskId) -> Task {
        let created_at = self.created_at.clone();
        Task { created_at, ..Task::new(id.clone(), self.title.as_str()) }
    }
}

/// Says of each lease which task of `queue` it is of.
fn follow(leases: &mut [Lease], queue: &Queue) {
    let ids: HashSet<&str> = leases.iter().flat_map(Lease::ids).collect();
    if ids.is_empty() {
        return;
    }
    let mut tasks: HashMap<&str, Vec<&Task>> = HashMap::new();
    for (_, listed) in queue.places() {
        if ids.contains(listed.id()) || listed.is_renamed() {
            let task = listed.task();
            for id in task.all_ids().filter(|id| ids.contains(id)) {
                tasks.entry(id).or_default().push(task);
            }
        }
    }
    let none = Vec::new();
    let of = |lease: &Lease| {
        let tasks = lease.ids().flat_map(|id| tasks.get(id).unwrap_or(&none));
        lease.among(&tasks.copied().collect::<Vec<_>>())
    };
    let found: Vec<Here> = leases.iter().map(of).collect();
    for (lease, here) in leases.iter_mut().zip(found) {
        let has_its_id = || lease.ids().any(|id| tasks.contains_key(id));
        lease.here = match here {
            Here::AsClaimed if lease.finished_at.is_none() && !has_its_id() => lease.renamed(queue),
            here => here,
        };
    }
}

impl Leases {
    /// Where they are, below the directory that all work trees share.
    pub fn path_in(shared: &Path) -> PathBuf {
        shared.join("ralph/leases.json")
    }

    /// Has each lease follow its task into `queue`, where that may have another id than it had where
    /// it was claimed. What is asked here without a queue goes by the ids of the last one.
    pub fn follow(&mut self, queue: &Queue) {
        follow(&mut self.leases, queue);
    }

    fn followed(&self, queue: &Queue) -> Self {
        let mut followed = self.clone();
        followed.follow(queue);
        followed
    }

    /// The lease that keeps others away from a task.
    pub fn held(&self, task: &str, now: Timestamp) -> Option<&Lease> {
        self.leases.iter().find(|lease| lease.is_of(task) && lease.is_held(now))
    }

    /// What the leases mean for the tasks of `queue`. A task that was changed after it had been
    /// finished under a lease, because it was opened again, is an ordinary task.
    pub fn standing(&self, queue: &Queue, now: Timestamp) -> Standing {
        let mut standing = Standing::default();
        for lease in &self.followed(queue).leases {
            let Some(id) = lease.id() else { continue };
            let claimed =
                || Reason::Claimed { owner: lease.owner.clone(), expires_at: lease.expires_at };
            let set = match lease.finished_at {
                Some(at) => {
                    if lease.is_outdated(queue) {
                        continue;
                    }
                    let Lease { owner, finished_in, is_deleted, .. } = lease;
                    let reason = Reason::Ended {
                        owner: owner.clone(),
                        at,
                        work_tree: finished_in.as_ref().map(|tree| tree.display().to_string()),
                        is_deleted: *is_deleted,
                    };
                    standing.ended.insert(id.clone(), reason);
                    if *is_deleted {
                        continue;
                    }
                    &mut standing.done
                }
                None if lease.is_held(now) => {
                    standing.held.insert(id.clone(), claimed());
                    continue;
                }
                None => &mut standing.lapsed,
            };
            set.insert(id.clone());
        }
        standing
    }

    /// Takes a lease; `None` when the first task that can start was asked for and none can.
    ///
    /// Begun work whose lease lapsed comes before what was not begun. What was begun without one is
    /// only given to who asks for it by its id.
    pub fn claim(
        &mut self,
        queue: &Queue,
        request: &Request<'_>,
    ) -> Result<Option<Lease>, LeaseError> {
        let Request { now, ttl, .. } = *request;
        self.follow(queue);
        let asked_before =
            |lease: &&Lease| request.name.is_some() && lease.request.as_deref() == request.name;
        if let Some(lease) = self.leases.iter().find(asked_before) {
            return Ok(Some(lease.clone()));
        }
        let standing = self.standing(queue, now);
        let task = match request.task {
            Some(id) => self.startable(queue, &standing, request, id)?,
            None => match next(queue, &standing, request) {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        let expires_at = now.checked_add(ttl).ok_or(LeaseError::TooLong { ttl })?;
        for old in self.leases.extract_if(.., |lease| lease.is_of(task.as_str())) {
            self.ended.push(old.ended(Some(request.owner.to_owned())));
        }
        self.forget_oldest();
        self.given = self.given.saturating_add(1);
        let claimed = queue.with_id(task.as_str()).map(|(_, task)| task);
        let lease = Lease {
            token: token(self.given, &task, request),
            known_by: claimed.map(KnownBy::of),
            task,
            owner: request.owner.to_owned(),
            taken_at: now,
            ttl_seconds: ttl.as_secs(),
            expires_at,
            request: request.name.map(str::to_owned),
            finished_at: None,
            finished_in: None,
            is_deleted: false,
            changed_elsewhere_at: claimed.and_then(changed_at).filter(|time| *time > now),
            here: Here::AsClaimed,
            extra: Object::default(),
        };
        self.leases.push(lease.clone());
        Ok(Some(lease))
    }

    /// Whether the task of `lease` could be taken again, were it not leased: the queue may have
    /// changed since it was. `request` is how it was asked for.
    pub fn still_startable(
        &self,
        queue: &Queue,
        lease: &Lease,
        request: &Request<'_>,
    ) -> Result<(), LeaseError> {
        let id = lease.task.as_str();
        if lease.task_in(queue).is_none_or(|task| task.id != lease.task) {
            return Err(LeaseError::NotFound { id: id.to_owned() });
        }
        let mut others = self.followed(queue);
        others.leases.retain(|other| other.token != lease.token);
        let standing = others.standing(queue, request.now);
        others.startable(queue, &standing, request, id).map(drop)
    }

    fn startable(
        &self,
        queue: &Queue,
        standing: &Standing,
        request: &Request<'_>,
        id: &str,
    ) -> Result<TaskId, LeaseError> {
        let not_found = || LeaseError::NotFound { id: id.to_owned() };
        let (_, task) = queue.with_id(id).ok_or_else(not_found)?;
        if let Some(lease) = self.held(id, request.now) {
            let Lease { owner, expires_at, .. } = lease.clone();
            return Err(LeaseError::Held { task: task.id.clone(), owner, expires_at });
        }
        let exclude = standing.taken(request.exclude);
        let report = queue.runnability(&selection(standing, request, &exclude));
        let reasons = match report.of(task) {
            Some(report) if report.reasons.iter().any(Reason::is_taken) => report.reasons.clone(),
            // Begun by hand, or by a run that is gone: who asks for that very task may have it.
            Some(report) if report.status == Status::Doing => Vec::new(),
            Some(report) => report.reasons.clone(),
            None => vec![Reason::StatusNotRunnable { status: Status::Done }],
        };
        if reasons.is_empty() {
            return Ok(task.id.clone());
        }
        Err(LeaseError::NotReady { task: task.id.clone(), reasons })
    }

    /// Whether whoever has `tokens` may write to these tasks.
    pub fn permit(
        &self,
        tasks: &[TaskId],
        tokens: &[String],
        now: Timestamp,
    ) -> Result<(), LeaseError> {
        let is_known = |token: &&String| self.leases.iter().any(|lease| lease.token == **token);
        if let Some(token) = tokens.iter().find(|token| !is_known(token)) {
            let ended = self.ended.iter().find(|ended| ended.token == *token).cloned();
            return Err(match ended {
                Some(ended) => LeaseError::Lost(ended),
                None => LeaseError::Unknown { token: token.clone() },
            });
        }
        for lease in self.leases.iter().filter(|lease| lease.is_held(now)) {
            let Some(task) = lease.id().filter(|id| tasks.contains(id)).cloned() else { continue };
            if !tokens.contains(&lease.token) {
                let Lease { owner, expires_at, .. } = lease.clone();
                return Err(LeaseError::Held { task, owner, expires_at });
            }
        }
        Ok(())
    }

    /// Whether whoever has `tokens` and names these tasks can mean them, and not those that had
    /// their ids where they were claimed. To be asked beside [`Self::permit`].
    pub fn meant(&self, tasks: &[TaskId], tokens: &[String]) -> Result<(), LeaseError> {
        let own = || self.leases.iter().filter(|lease| tokens.contains(&lease.token));
        let is_own = |task: &TaskId| own().any(|lease| lease.is_of(task.as_str()));
        let is_other = |lease: &&Lease| tasks.contains(&lease.task) && !is_own(&lease.task);
        let Some(lease) = own().find(is_other) else { return Ok(()) };
        let (token, task) = (lease.token.clone(), lease.task.clone());
        let title = lease.known_by.as_ref().map(|known| known.title.clone());
        Err(match lease.id().cloned() {
            Some(now) => LeaseError::Renumbered { token, task, now },
            None => LeaseError::Untold { token, task, title },
        })
    }

    /// Whether a write under `tokens` which begins or ends tasks, or puts them back, does that to one
    /// that is claimed by them, and not only to some that anybody may change. To be asked where the
    /// tokens were given for this write.
    pub fn own(&self, touched: &[Touched], tokens: &[String]) -> Result<(), LeaseError> {
        let own = || self.leases.iter().filter(|lease| tokens.contains(&lease.token));
        if touched.iter().any(|it| own().any(|lease| lease.is_of(it.id.as_str()))) {
            return Ok(());
        }
        match touched.iter().find(|it| it.status.is_some()).zip(own().next()) {
            Some((Touched { id: task, .. }, lease)) => Err(LeaseError::Other {
                token: lease.token.clone(),
                own: lease.id().unwrap_or(&lease.task).clone(),
                task: task.clone(),
            }),
            None => Ok(()),
        }
    }

    /// After a write: the leases it was made under are renewed, end with their tasks, or go when it
    /// put the task back. What the file of this work tree says of a task that the write left alone
    /// does not matter: another may be ahead of it.
    ///
    /// A task that goes on after all, because its end was undone where it was made, is as it was:
    /// leased. An undo in another work tree tells only that this one is behind.
    pub fn settle(&mut self, write: Write<'_>) {
        let Write { touched: all, before, tokens, tree, open, by, now } = write;
        self.follow(before);
        let ends = |lease: &mut Lease| {
            let touched = all.iter().find(|touched| lease.is_of(touched.id.as_str()));
            let status = touched.and_then(|touched| touched.status);
            // It is not where an undo gives it the id back that it had.
            let had_id = |it: &Touched| lease.ids().any(|id| id == it.id.as_str());
            let is_renamed = all.iter().any(|it| it.fate == Fate::Added && had_id(it));
            let is_gone = touched.is_some_and(|it| it.fate == Fate::Removed) && !is_renamed;
            // A task that was deleted comes back with no other status than it had.
            let is_back = status.is_some() || touched.is_some_and(|it| it.fate == Fate::Added);
            let is_own = tokens.contains(&lease.token);
            let is_open = open.iter().any(|open| open.token == lease.token);
            let ended = lease.finished_at.is_some();
            let is_here = lease.is_ended_in(tree);
            let is_behind = by == By::Undo || !is_reopened(status);
            match status {
                _ if ended && !is_here && is_behind => {
                    if touched.is_some() && !lease.is_outdated(before) {
                        lease.changed_elsewhere_at = Some(now);
                    }
                }
                // The file there may never have had it begun.
                _ if is_back && by == By::Undo && is_open => lease.go_on(),
                // Begun in another work tree, it is somebody else's.
                Some(Status::Doing) if ended && (is_own || is_here) => lease.go_on(),
                _ if !is_own => return ended && is_reopened(status),
                // Also where it was finished before, and git took that back.
                Some(Status::Done | Status::Rejected) => lease.finish(false, tree, now),
                None if is_gone => lease.finish(true, tree, now),
                _ if ended => return is_reopened(status),
                Some(Status::Todo | Status::Draft) => return true,
                Some(Status::Doing) | None => lease.renew(now),
            }
            false
        };
        let ended = self.leases.extract_if(.., ends);
        self.ended.extend(ended.map(|lease| lease.ended(None)));
        self.forget_oldest();
    }

    fn forget_oldest(&mut self) {
        self.ended.drain(..self.ended.len().saturating_sub(ENDED_KEPT));
        let finished = self.leases.iter().filter(|lease| lease.finished_at.is_some()).count();
        let mut surplus = finished.saturating_sub(FINISHED_KEPT);
        self.leases.retain(|lease| {
            let goes = surplus > 0 && lease.finished_at.is_some();
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// Lets the lease of a token last `ttl` after each use, this one included; nothing happens to
    /// one that has ended.
    pub fn prolong(
        &mut self,
        token: &str,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<(), LeaseError> {
        let expires_at = now.checked_add(ttl).ok_or(LeaseError::TooLong { ttl })?;
        let is_it = |lease: &&mut Lease| lease.token == token && lease.finished_at.is_none();
        if let Some(lease) = self.leases.iter_mut().find(is_it) {
            (lease.ttl_seconds, lease.expires_at) = (ttl.as_secs(), expires_at);
        }
        Ok(())
    }

    /// Whether [`Self::settle`] may have anything to do, or [`Self::open_again`].
    pub fn concern(&self, touched: &[Touched], tokens: &[String]) -> bool {
        let is_ended = |lease: &Lease| {
            lease.finished_at.is_some() && touched.iter().any(|it| lease.is_of(it.id.as_str()))
        };
        self.leases.iter().any(|lease| tokens.contains(&lease.token) || is_ended(lease))
    }

    /// The leases whose tasks ended in the work tree `tree` and are open in `queue`. Where that is
    /// what the files of the work tree say, too, git or an editor took the end back.
    pub fn ended_in(&self, tree: &Path, queue: &Queue) -> Vec<Lease> {
        let ended = self.leases.iter().filter(|lease| lease.is_ended_in(tree));
        let mut ended: Vec<Lease> = ended.cloned().collect();
        follow(&mut ended, queue);
        ended.retain(|lease| lease.found_in(queue).is_some_and(|it| !it.status.is_terminal()));
        ended
    }

    /// That the end of the task of a token was taken back, and what it is now: one that is begun is
    /// leased as it was, another is free.
    pub fn open_again(&mut self, token: &str, status: Status) {
        let is_it = |lease: &Lease| lease.token == token && lease.finished_at.is_some();
        if status != Status::Doing {
            self.give_up(is_it);
        } else if let Some(lease) = self.leases.iter_mut().find(|lease| is_it(lease)) {
            lease.go_on();
        }
    }

    /// Gives up the lease on a task; whether there was one.
    pub fn release(&mut self, task: &TaskId) -> bool {
        self.give_up(|lease| lease.is_of(task.as_str()) && lease.finished_at.is_none())
    }

    /// Forgets that a task ended under a lease; whether that was known.
    pub fn forget_end(&mut self, task: &TaskId) -> bool {
        self.give_up(|lease| lease.is_of(task.as_str()) && lease.finished_at.is_some())
    }

    fn give_up(&mut self, is_it: impl Fn(&Lease) -> bool) -> bool {
        let given: Vec<Lease> = self.leases.extract_if(.., |lease| is_it(lease)).collect();
        self.ended.extend(given.iter().map(|lease| lease.ended(None)));
        self.forget_oldest();
        !given.is_empty()
    }
}

impl Document for Leases {
    const KIND: &'static str = "lease file";
    const VERSION_KEY: &'static str = "version";
    const UPGRADES: Upgrades = Upgrades::new(1, 1, &[]);
}

/// When a task says that it was last changed.
fn changed_at(task: &Task) -> Option<Timestamp> {
    task.updated_at.as_deref()?.parse().ok()
}

/// A work tree as the file tells it, which has no bytes that are no text.
fn named(tree: &Path) -> PathBuf {
    tree.to_string_lossy().into_owned().into()
}

fn is_reopened(status: Option<Status>) -> bool {
    status.is_some_and(|status| !status.is_terminal())
}

pub(crate) fn selection<'a>(
    standing: &'a Standing,
    request: &Request<'_>,
    exclude: &'a BTreeMap<TaskId, Reason>,
) -> Selection<'a> {
    let Request { now, drafts, .. } = *request;
    let regard_as_done = &standing.done;
    Selection { now, drafts, doing: DoingFirst::Ignore, exclude, regard_as_done }
}

fn next(queue: &Queue, standing: &Standing, request: &Request<'_>) -> Option<TaskId> {
    let exclude = standing.taken(request.exclude);
    let selection = selection(standing, request, &exclude);
    let readiness = queue.readiness(&selection);
    let is_left = |id: &TaskId| {
        standing.lapsed.contains(id)
            && !request.exclude.contains_key(id)
            && !readiness.is_ambiguous(id.as_str())
    };
    let begun = queue.list(Place::Queue).filter(|task| task.status() == Status::Doing);
    let left = begun.map(Listed::task).find(|task| is_left(&task.id));
    let task = left.or_else(|| readiness.next());
    task.map(|task| task.id.clone())
}

/// The number alone would do, were the file never lost.
fn token(number: u64, task: &TaskId, request: &Request<'_>) -> String {
    let Request { holder, now, owner, .. } = request;
    let Holder { pid, host, since, .. } = holder;
    let seed = format!("{number} {task} {owner} {pid} {host} {since} {now}");
    let mut first = [0; 4];
    first.copy_from_slice(&Sha256::digest(seed)[..4]);
    format!("{number}-{:08x}", u32::from_be_bytes(first))
}
