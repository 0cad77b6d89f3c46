//! What a landed commit looks like, and where work that did not land is kept.

use std::fmt::Write as _;
use std::path::Path;

use ralph_git::{GitError, Repo, Sha, UpdateRef};
use ralph_queue::Task;
use ralph_state::TaskId;

/// The trailer that names the task of a landed commit.
pub const TASK_TRAILER: &str = "Ralph-Task";
/// The trailer that names the claim under which it landed.
pub const ATTEMPT_TRAILER: &str = "Ralph-Attempt";
/// The refs of the user's repository that keep work which did not land.
pub const RESCUE_REFS: &str = "refs/ralph/rescue/";

/// The message of the commit that lands: the task, the subjects of the agent's
/// own commits, and under which claim it was made.
pub fn message(task: &Task, claim: &str, subjects: &[String]) -> String {
    let mut text = format!("{}\n\n", subject(task));
    for subject in subjects {
        writeln!(text, "- {}", harmless(subject)).expect("writing to a String cannot fail");
    }
    if !subjects.is_empty() {
        text.push('\n');
    }
    write!(text, "{TASK_TRAILER}: {}\n{ATTEMPT_TRAILER}: {claim}\n", task.id)
        .expect("writing to a String cannot fail");
    text
}

/// The first line of [`message`].
pub(crate) fn subject(task: &Task) -> String {
    let title = task.title.lines().next().unwrap_or_default();
    format!("{}: {}", task.id, harmless(title))
}

/// `message`, made for the task `was`, for the same task under another id.
pub(crate) fn renumbered(message: &str, was: &TaskId, id: &TaskId) -> String {
    let trailer = |id| format!("\n{TASK_TRAILER}: {id}\n");
    let rest = message.strip_prefix(&format!("{was}: "));
    let message = rest.map_or_else(|| message.to_owned(), |rest| format!("{id}: {rest}"));
    message.replace(&trailer(was), &trailer(id))
}

/// The message of a commit that keeps what did not land of a task.
pub(crate) fn rescue_message(task: &TaskId, title: &str) -> String {
    format!("Rescued: {task} {}", harmless(title))
}

/// The trailer of a commit that keeps what a turn left which resolved a conflict or mended a red
/// gate; its value is the task. Once that has landed, the turn was a step on the way.
pub(crate) const LANDING_TURN_TRAILER: &str = "Ralph-Landing-Turn";

/// The message of such a commit.
pub(crate) fn landing_turn_message(task: &TaskId, title: &str) -> String {
    format!("{}\n\n{LANDING_TURN_TRAILER}: {task}\n", rescue_message(task, title))
}

/// A line without what a terminal would obey, or git refuse.
fn harmless(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Keeps `commit`, work on `task`, under a rescue ref, and returns its name.
///
/// # Errors
/// When git cannot list the refs, or set one.
pub fn rescue(repo: &Repo, task: &TaskId, commit: &Sha) -> Result<String, GitError> {
    loop {
        let name = rescue_ref(repo, task, commit)?;
        // Another work tree may have taken it for something else meanwhile: the next is free.
        if repo.resolve(&name)?.as_ref() == Some(commit)
            || repo.update_ref(&name, commit, None)? != UpdateRef::Stale
        {
            return Ok(name);
        }
    }
}

/// The same for a commit of the workspace at `from`.
///
/// # Errors
/// As for [`rescue`]; when the commit is not there.
pub fn rescue_from(
    from: &Path,
    repo: &Repo,
    task: &TaskId,
    commit: &Sha,
) -> Result<String, GitError> {
    repo.fetch_commit(from, commit)?;
    rescue(repo, task, commit)
}

/// The rescue ref that has `commit` already, else one that does not exist yet. They are numbered,
/// oldest first.
fn rescue_ref(repo: &Repo, task: &TaskId, commit: &Sha) -> Result<String, GitError> {
    let prefix = format!("{RESCUE_REFS}{task}/");
    let taken = repo.refs(&prefix)?;
    if let Some((name, _)) = taken.iter().find(|(_, kept)| kept == commit) {
        return Ok(name.clone());
    }
    let last = taken.iter().filter_map(|(name, _)| name.strip_prefix(&prefix)?.parse::<u32>().ok());
    Ok(format!("{prefix}{}", last.max().unwrap_or(0) + 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_message_has_no_control_characters_but_its_line_breaks() {
        let id = "RQ-0001".parse().expect("an id");
        let task = Task::new(id, "red\u{1b}[31m\0\nmore");
        let message = message(&task, "c1", &["bell\u{7}".to_owned()]);
        assert_eq!(
            message,
            "RQ-0001: red [31m \n\n- bell \n\nRalph-Task: RQ-0001\nRalph-Attempt: c1\n"
        );
        let other = "RQ-0010".parse().expect("an id");
        assert_eq!(
            renumbered(&message, &task.id, &other),
            "RQ-0010: red [31m \n\n- bell \n\nRalph-Task: RQ-0010\nRalph-Attempt: c1\n"
        );
        assert_eq!(rescue_message(&task.id, &task.title), "Rescued: RQ-0001 red [31m  more");
    }

    #[test]
    fn what_two_work_trees_keep_of_one_task_at_once_is_kept_of_both() {
        let sandbox = ralph_testkit::Sandbox::new();
        let made = sandbox.repo("main");
        let from = sandbox.repo("workspace");
        let repo = || {
            let env = ralph_git::GitEnv { vars: sandbox.env(), ..ralph_git::GitEnv::default() };
            Repo::discover(made.dir(), env, ralph_process::Cancel::new()).expect("a repository")
        };
        let task: TaskId = "RQ-0001".parse().expect("an id");
        let commits: Vec<Sha> = (0..16)
            .map(|nth| from.write("x", nth.to_string()).commit("kept").parse().expect("a commit"))
            .collect();
        let names: BTreeSet<String> = std::thread::scope(|scope| {
            let keep = |commits: &[Sha]| -> Vec<String> {
                let keep = |commit| rescue_from(from.dir(), &repo(), &task, commit);
                commits.iter().map(|commit| keep(commit).expect("it is kept")).collect()
            };
            let halves = commits.chunks(8).map(|half| scope.spawn(move || keep(half)));
            let halves: Vec<_> = halves.collect();
            halves.into_iter().flat_map(|half| half.join().expect("no panic")).collect()
        });
        assert_eq!(names.len(), commits.len());
    }
}
