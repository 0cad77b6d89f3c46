//! A queue that a run cannot look at, and for how long it is waited for.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ralph_git::{GitError, Head};
use ralph_queue::{LoadError, Queue};
use ralph_state::json::{Object, from_json, to_json};
use ralph_state::{ProcessIdentity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::project::Project;
use crate::worker::chain;

/// How long a run that has nothing in hand waits for its queue, and a worker for what it needs
/// from there: enough for a save, a mistaken `git switch` or a stash, and not for a night.
pub const PATIENCE: Duration = Duration::from_mins(MINUTES);
const MINUTES: u64 = 5;

/// Time between two looks at a queue that offers nothing.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Why a queue cannot be looked at.
#[derive(Clone, Debug)]
pub enum Away {
    /// It is missing, or not what it should be: half saved, say.
    Unreadable(Arc<LoadError>),
    /// The branch of the run is not checked out; what is there is another queue, or none.
    Elsewhere {
        /// The branch.
        branch: String,
        /// The one that is checked out, if any is.
        instead: Option<String>,
    },
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => f.write_str(&chain(error.as_ref())),
            Self::Elsewhere { branch, instead: None } => write!(f, "`{branch}` is not checked out"),
            Self::Elsewhere { branch, instead: Some(instead) } => {
                write!(f, "`{branch}` is not checked out, but `{instead}`")
            }
        }
    }
}

/// A wait as the one who waits records it, for everybody to see.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The branch that is not checked out, if it is that; else the queue cannot be read.
    pub branch: Option<String>,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends without what is waited for; never as long as something else is in hand.
    pub until: Option<Timestamp>,
    /// The process that waits.
    by: ProcessIdentity,
}

impl Wait {
    /// The field of the state file, of a record there or of the session file that it is kept in.
    const FIELD: &str = "waits";

    pub(crate) fn new(away: &Away, since: Timestamp, until: Option<Timestamp>) -> Self {
        let branch = match away {
            Away::Unreadable(_) => None,
            Away::Elsewhere { branch, .. } => Some(branch.clone()),
        };
        let by = ralph_process::own_identity();
        Self { branch, detail: away.to_string(), since, until, by }
    }

    /// The wait that the fields of a file tell of, unless who waited is gone.
    pub fn read(fields: &Object) -> Option<Self> {
        let wait: Self = from_json(fields.get(Self::FIELD)?).ok()?;
        ralph_process::is_alive(&wait.by).then_some(wait)
    }

    /// Keeps `wait` among the fields of a file; none is kept once it is over.
    pub(crate) fn keep(fields: &mut Object, wait: Option<&Self>) {
        match wait.and_then(|wait| to_json(wait).ok()) {
            Some(json) => drop(fields.set(Self::FIELD, json)),
            None => drop(fields.remove(Self::FIELD)),
        }
    }
}

/// When a wait ends that begins now.
pub(crate) fn deadline(project: &Project) -> Option<Timestamp> {
    project.now().checked_add(PATIENCE)
}

/// What there is to see of a queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sight {
    /// It can be read.
    There,
    /// It is [`Away`].
    Gone {
        /// Since when there is nothing else to wait for; none while something is in hand.
        idle_since: Option<Instant>,
    },
}

/// What a run does about its queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// It looks for tasks there.
    GoOn,
    /// It looks again later.
    Wait,
    /// It ends without it.
    GiveUp,
}

/// Whether a run goes on, waits for its queue, or ends without it. What is in hand needs no queue
/// until it lands, so that only a run with nothing in hand gives up.
pub fn next(queue: Sight, now: Instant) -> Next {
    match queue {
        Sight::There => Next::GoOn,
        Sight::Gone { idle_since: Some(since) }
            if now.saturating_duration_since(since) >= PATIENCE =>
        {
            Next::GiveUp
        }
        Sight::Gone { .. } => Next::Wait,
    }
}

/// The queue in the checkout, if it can be read and is that of `branch`.
///
/// # Errors
/// When git gives no answer.
pub(crate) fn look(project: &Project, branch: &str) -> Result<Result<Queue, Away>, GitError> {
    Ok(match elsewhere(project, branch)? {
        Some(away) if !is_for_all_branches(project)? => Err(away),
        _ => load(project),
    })
}

/// The queue, and the branch with it: who commits in the checkout needs both, also where git
/// ignores the queue.
///
/// # Errors
/// When git gives no answer.
pub(crate) fn look_on_branch(
    project: &Project,
    branch: &str,
) -> Result<Result<Queue, Away>, GitError> {
    Ok(match elsewhere(project, branch)? {
        Some(away) => Err(away),
        None => load(project),
    })
}

/// The queue in the checkout, whichever branch it is of.
pub(crate) fn load(project: &Project) -> Result<Queue, Away> {
    project.queue.load().map_err(|error| Away::Unreadable(Arc::new(error)))
}

/// Whether the queue in the checkout is that of another branch than `branch`, or of none. One
/// that git ignores is the same for all.
///
/// # Errors
/// When git gives no answer.
pub(crate) fn is_elsewhere(project: &Project, branch: &str) -> Result<bool, GitError> {
    Ok(elsewhere(project, branch)?.is_some() && !is_for_all_branches(project)?)
}

fn is_for_all_branches(project: &Project) -> Result<bool, GitError> {
    match project.queue.queue.strip_prefix(project.repo.root()) {
        Ok(inside) => project.repo.is_ignored(inside),
        Err(_) => Ok(true),
    }
}

fn elsewhere(project: &Project, branch: &str) -> Result<Option<Away>, GitError> {
    let instead = match project.repo.head()? {
        Head::Branch { name, .. } if name == branch => return Ok(None),
        Head::Branch { name, .. } => Some(name),
        Head::Detached { .. } => None,
    };
    Ok(Some(Away::Elsewhere { branch: branch.to_owned(), instead }))
}

/// Looks for somebody who has nothing to do without the queue: again and again until it is there,
/// [`PATIENCE`] is over, the run is cancelled, or `is_over` says so. Else what was wrong at the
/// last look. `record` is given the wait when it begins, and nothing when it is over.
///
/// # Errors
/// When git gives no answer.
pub(crate) fn wait(
    project: &Project,
    look: impl Fn() -> Result<Result<Queue, Away>, GitError>,
    is_over: impl Fn() -> bool,
    record: impl Fn(Option<&Wait>),
) -> Result<Result<Queue, Away>, GitError> {
    let mut looked = look()?;
    let Err(away) = &looked else { return Ok(looked) };
    record(Some(&Wait::new(away, project.now(), deadline(project))));
    project.tell(Event::Note(format!("{away}: it is waited for, {MINUTES} minutes at most")));
    let gone = Sight::Gone { idle_since: Some(Instant::now()) };
    while looked.is_err()
        && next(gone, Instant::now()) != Next::GiveUp
        && !is_over()
        && !project.cancel.wait_timeout(LOOK)
    {
        looked = look()?;
    }
    record(None);
    Ok(looked)
}

/// Says why no task begins.
pub(crate) fn tell(project: &Project, away: &Away) {
    project.tell(Event::Note(format!(
        "{away}: no task begins until that changes; with nothing in hand the run waits {MINUTES} \
         minutes for it, then it ends"
    )));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gives_up_on_its_queue_when_it_had_nothing_else_for_long_enough() {
        let since = Instant::now();
        let after = |waited: Duration| since + waited;
        let moment = Duration::from_millis(1);
        let idle = Sight::Gone { idle_since: Some(since) };
        let busy = Sight::Gone { idle_since: None };
        for (queue, now, expected) in [
            (Sight::There, after(10 * PATIENCE), Next::GoOn),
            (busy, after(10 * PATIENCE), Next::Wait),
            (idle, since, Next::Wait),
            (idle, after(PATIENCE.saturating_sub(moment)), Next::Wait),
            (idle, after(PATIENCE), Next::GiveUp),
        ] {
            assert_eq!(next(queue, now), expected, "{queue:?} at {now:?}");
        }
    }
}
