//! One agent turn on behalf of a task: its files, its environment, its record.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ralph_agent::{
    Access, Counted, Ending, Outcome, Phase, Progress, Runner, Taken, Turn, TurnError, TurnReport,
    Usage, When,
};
use ralph_git::{GitError, Repo, Sha};
use ralph_process::Cancel;
use ralph_queue::Task;
use thiserror::Error;

use crate::event::Event;
use crate::project::Project;
use crate::prompt::Brief;

/// Where and as what a turn runs.
#[derive(Clone, Debug)]
pub struct TurnPlace {
    /// The directory the agent works in.
    pub dir: PathBuf,
    /// The directory of the turn's own files.
    pub files: PathBuf,
    /// What all processes of this claim carry in their environment.
    pub marker: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// What the turn is for.
    pub phase: Phase,
    /// The agent's session to go on with.
    pub resume: Option<AgentSession>,
}

/// A session of an agent that a turn may go on with.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentSession {
    /// Its id.
    pub id: String,
    /// What its turns used so far, for an agent that adds them up; `None` when nobody knows.
    pub used: Option<Usage>,
}

/// Why a turn could not be taken at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TakeTurnError {
    /// The turn's files could not be written.
    #[error("cannot write the files of the agent's turn")]
    Files(#[from] std::io::Error),
    /// An instruction file of the configuration is missing or too large.
    #[error("cannot use the instruction file `{path}`")]
    Instructions {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The agent could not be run.
    #[error("cannot run the agent")]
    Agent(#[from] TurnError),
}

/// The file an agent may write a reason into when no change is needed.
pub fn no_change_file(place: &TurnPlace) -> PathBuf {
    place.files.join("no-change.txt")
}

/// Runs one turn to its end. `progress` is told the agent's process at once.
///
/// # Errors
/// When the files cannot be written or the agent cannot be started; an agent
/// that fails is an outcome, not an error.
pub fn take(
    project: &Project,
    runner: &Runner,
    task: &Task,
    place: &TurnPlace,
    prompt: impl FnOnce(&Brief<'_>) -> String,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<TurnReport, TakeTurnError> {
    fs_err::create_dir_all(&place.files)?;
    let task_json = serde_json::to_string_pretty(task).map_err(std::io::Error::other)?;
    let task_file = place.files.join("task.json");
    fs_err::write(&task_file, &task_json)?;
    let no_change = no_change_file(place);
    let instructions = instructions(project)?;
    let brief = Brief {
        task,
        task_json: &task_json,
        no_change_file: &no_change,
        instructions: &instructions,
        redaction: &project.redaction,
    };
    let agent = &project.config.agent;
    let mut turn = Turn::new(prompt(&brief), &place.dir, &place.files, &place.marker);
    turn.env = environment(task, place, &task_file, &no_change);
    turn.env_remove = ralph_git::FOREIGN;
    if place.dir != project.repo.root() {
        turn.env.push((WORKSPACE.into(), place.dir.clone().into()));
    }
    (turn.model, turn.effort) = project.model_for(task);
    turn.resume = place.resume.as_ref().map(|session| session.id.clone());
    turn.access = if agent.full_access(runner.name()) { Access::Full } else { Access::Edits };
    let minutes = u64::from(agent.turn_timeout_minutes);
    turn.limit = (minutes > 0).then(|| Duration::from_secs(minutes * 60));
    let minutes = u64::from(agent.turn_silence_minutes);
    turn.silence = (minutes > 0).then(|| Duration::from_secs(minutes * 60));
    turn.linger = Duration::from_secs(agent.turn_linger_seconds.into());
    turn.log_limit = Some(u64::from(agent.turn_log_limit_mb) << 20);
    turn.steps = agent.limits.turn.steps;
    turn.usd = agent.limits.turn.usd;
    let price = turn.model.as_ref().and_then(|model| agent.prices.get(model));
    turn.price = price.map(|&ralph_config::Price { input, cache_read, cache_write, output }| {
        ralph_agent::Price { input, cache_read, cache_write, output }
    });
    let recording = project.options.record.as_deref();
    let tree = recording.map(|_| Before::of(project, place)).transpose()?;
    let mut report = ralph_agent::run_turn(runner, &turn, &project.cancel, progress)?;
    let before = place.resume.as_ref().and_then(|session| session.used);
    report.usage = report.usage.map(|usage| match (usage.counted, before) {
        (Counted::Session, Some(before)) => usage.since(before),
        _ => usage,
    });
    report.outcome = report.outcome.redacted(&project.redaction);
    report.final_text = report.final_text.map(|text| project.redaction.text(&text).into_owned());
    for survivor in &report.survivors {
        let text = format!("{}: process {} of the agent does not end", task.id, survivor.pid);
        project.tell(Event::Note(text));
    }
    if let (Some(recording), Some(tree)) = (recording, tree) {
        record(runner, recording, (task, place), &tree, report.ending)?;
    }
    Ok(report)
}

/// The work tree as it was before a turn that is recorded.
struct Before {
    repo: Repo,
    commit: Option<Sha>,
    files: Sha,
}

impl Before {
    fn of(project: &Project, place: &TurnPlace) -> Result<Self, std::io::Error> {
        // Not to be cancelled: what a stopped run did so far is kept as well.
        let repo = Repo::discover(&place.dir, project.git_env.clone(), Cancel::new());
        let repo = repo.map_err(std::io::Error::other)?;
        let look = || Ok((repo.resolve("HEAD")?, repo.work_tree_hash(&[])?));
        let (commit, files) = look().map_err(std::io::Error::other::<GitError>)?;
        Ok(Self { repo, commit, files })
    }

    /// What is other than before the turn, whether the agent committed it or not, or than in
    /// the commit it began on: earlier turns need not be in the recording.
    fn changed(&self) -> Result<BTreeSet<PathBuf>, GitError> {
        let now = self.repo.work_tree_hash(&[])?;
        let mut changed = BTreeSet::new();
        for before in self.commit.iter().chain([&self.files]) {
            changed.extend(self.repo.changed_paths(before, &now)?);
        }
        // The queue and the rest of Ralph's own files are not the agent's.
        changed.retain(|path| !path.starts_with(".ralph"));
        Ok(changed)
    }
}

fn record(
    runner: &Runner,
    recording: &Path,
    (task, place): (&Task, &TurnPlace),
    before: &Before,
    ending: Ending,
) -> Result<(), std::io::Error> {
    let changed = before.changed().map_err(std::io::Error::other)?;
    let when = When {
        task: Some(task.id.to_string()),
        phase: Some(place.phase.as_str().to_owned()),
        attempt: Some(place.attempt),
        turn: ordinal(place),
    };
    let files = &place.files;
    let claim = files.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    let dir = before.repo.root();
    let taken = Taken { runner, when, claim, files, ending, dir, changed: &changed };
    ralph_agent::record(recording, taken)
}

/// Which turn of its claim it is, as the name of its directory says.
fn ordinal(place: &TurnPlace) -> Option<u32> {
    place.files.file_name()?.to_str()?.strip_prefix("turn-")?.parse().ok()
}

/// The reason an agent left for making no change, if it left one.
pub fn stated_reason(project: &Project, place: &TurnPlace) -> Option<String> {
    let text = fs_err::read_to_string(no_change_file(place)).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| project.redaction.text(text).into_owned())
}

/// The variable that names the workspace to an agent that works in one, and to the commands it
/// runs there.
pub const WORKSPACE: &str = "RALPH_WORKSPACE";

/// The variables that the agent and the gate both get.
pub fn task_environment(task: &Task, attempt: u32) -> Vec<(OsString, OsString)> {
    vec![
        ("RALPH_TASK_ID".into(), task.id.as_str().into()),
        ("RALPH_ATTEMPT".into(), attempt.to_string().into()),
        // Nobody answers at a terminal: who asks there is ended.
        ("GIT_TERMINAL_PROMPT".into(), "0".into()),
    ]
}

/// The session that another turn may go on with, this turn's use included.
pub fn session(report: &TurnReport, place: &TurnPlace) -> Option<AgentSession> {
    let id = report.session_id.clone()?;
    let before = place.resume.as_ref().and_then(|session| session.used);
    let used = match (before, report.usage) {
        (Some(before), Some(usage)) => Some(before.plus(usage)),
        (before, usage) => usage.or(before),
    };
    Some(AgentSession { id, used })
}

/// Whether the turn did nothing but find that the session to go on with is gone: a fresh
/// session may begin at once, and no attempt is used up.
///
/// A turn that begins a session cannot lose one, so this is never so twice in a row.
pub fn lost_its_session(report: &TurnReport, place: &TurnPlace) -> bool {
    report.outcome == Outcome::LostSession && place.resume.is_some()
}

/// Whether an outcome is worth another attempt, and what to say of it.
///
/// An agent that a signal ended is only interrupted if the run was `cancel`led;
/// else somebody killed it, and another attempt may go better.
pub fn failure(outcome: &Outcome, cancel: &Cancel) -> Option<Failure> {
    match outcome {
        Outcome::Succeeded => None,
        Outcome::Interrupted if cancel.is_cancelled() => Some(Failure::Interrupted),
        Outcome::Interrupted => Some(Failure::Again("the agent was killed".to_owned())),
        Outcome::RateLimited { .. } | Outcome::Unavailable { .. } | Outcome::OutOfQuota { .. } => {
            Some(Failure::Provider(outcome.to_string()))
        }
        Outcome::LimitReached { .. } => Some(Failure::Limit(outcome.to_string())),
        Outcome::NotAuthenticated { .. } | Outcome::Misused { .. } => {
            Some(Failure::Machine(outcome.to_string()))
        }
        Outcome::Overflowed => {
            Some(Failure::Again(format!("{outcome} (`agent.turn_log_limit_mb`)")))
        }
        _ => Some(Failure::Again(outcome.to_string())),
    }
}

/// [`failure`] of a turn in `repo`: one that ended well but left a merge in the middle, with the
/// markers in files, has failed, too.
///
/// # Errors
/// When git gives no answer, or a file cannot be read.
pub(crate) fn failure_in(
    repo: &Repo,
    outcome: &Outcome,
    cancel: &Cancel,
) -> Result<Option<Failure>, GitError> {
    Ok(match failure(outcome, cancel) {
        None => left_conflict(repo)?.map(Failure::Again),
        failure => failure,
    })
}

/// What to say of a merge that an agent left in the middle, with the markers in files.
///
/// # Errors
/// When git gives no answer, or a file cannot be read.
pub(crate) fn left_conflict(repo: &Repo) -> Result<Option<String>, GitError> {
    let files: Vec<PathBuf> = repo.conflicts()?.into_iter().map(|file| file.path).collect();
    let marked = ralph_git::conflict_markers(repo.root(), &files)?;
    let names: Vec<String> = marked.iter().map(|file| file.display().to_string()).collect();
    let reason = || format!("the agent left a conflict in {}", names.join(", "));
    Ok((!names.is_empty()).then(reason))
}

/// How often in a phase a provider that answers none is waited for before that uses up an
/// attempt: others may be answered all the while.
pub const PROVIDER_WAITS: u32 = 8;

/// What follows from a turn that did not succeed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The run was stopped.
    Interrupted,
    /// Another attempt may go better.
    Again(String),
    /// It will not.
    Final(String),
    /// Nor will any other task: something about this machine is to be mended first.
    Machine(String),
    /// The provider answered none: no fault of the task, and no attempt. Whether and when
    /// another turn may begin is for [`crate::allowance::ask`].
    Provider(String),
    /// The agent's own limit of steps or money for a turn.
    Limit(String),
}

fn environment(
    task: &Task,
    place: &TurnPlace,
    task_file: &Path,
    no_change: &Path,
) -> Vec<(OsString, OsString)> {
    let mut env = task_environment(task, place.attempt);
    env.push(("RALPH_TASK_JSON".into(), task_file.into()));
    env.push(("RALPH_PHASE".into(), place.phase.as_str().into()));
    if let Some(turn) = ordinal(place) {
        env.push(("RALPH_TURN".into(), turn.to_string().into()));
    }
    env.push(("RALPH_NO_CHANGE_FILE".into(), no_change.into()));
    env
}

fn instructions(project: &Project) -> Result<Vec<(String, String)>, TakeTurnError> {
    let mut loaded = Vec::new();
    for path in &project.config.agent.instruction_files {
        let full = project.repo.root().join(path);
        let text = fs_err::read_to_string(&full)
            .map_err(|source| TakeTurnError::Instructions { path: path.clone(), source })?;
        loaded.push((path.display().to_string(), text));
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_killed_by_somebody_else_may_try_again() {
        let cancel = Cancel::new();
        assert!(matches!(failure(&Outcome::Interrupted, &cancel), Some(Failure::Again(_))));
        cancel.cancel();
        assert_eq!(failure(&Outcome::Interrupted, &cancel), Some(Failure::Interrupted));
        assert_eq!(failure(&Outcome::Succeeded, &cancel), None);
        let reason = "overloaded".to_owned();
        let failed = failure(&Outcome::Unavailable { reason }, &cancel);
        assert!(matches!(failed, Some(Failure::Provider(_))), "{failed:?}");
    }

    /// codex adds up what all turns of a session used; each turn is charged its own part.
    #[test]
    fn what_a_session_used_counts_for_that_session_alone() {
        let place = |resume| TurnPlace {
            dir: PathBuf::new(),
            files: PathBuf::new(),
            marker: String::new(),
            attempt: 1,
            phase: Phase::Implement,
            resume,
        };
        let report = |id: &str, input| {
            let mut report = TurnReport::new(Outcome::Succeeded);
            report.session_id = Some(id.to_owned());
            report.usage = Some(Usage { input, ..Usage::default() });
            report
        };
        let used =
            |session: Option<&AgentSession>| session.and_then(|it| it.used).map(|it| it.input);
        let first = session(&report("a", 100), &place(None));
        assert_eq!(used(first.as_ref()), Some(100));
        let second = session(&report("a", 50), &place(first));
        assert_eq!(used(second.as_ref()), Some(150));
        // A fresh session owes nothing to an older one, and without an id there is none.
        assert_eq!(used(session(&report("b", 70), &place(None)).as_ref()), Some(70));
        assert_eq!(session(&TurnReport::new(Outcome::Stalled), &place(second)), None);
    }
}
