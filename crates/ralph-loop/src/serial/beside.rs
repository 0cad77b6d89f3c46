//! What became of tasks while another one was worked on, and not by the run.

use std::collections::BTreeMap;

use ralph_queue::{Queue, Status};
use ralph_state::TaskId;
use ralph_state::session::SessionStep;

use super::Serial;
use crate::away;
use crate::event::{Beside, Event, Outcome};

/// The status of each task that can be told from others.
pub(super) type Statuses = BTreeMap<TaskId, Status>;

pub(super) fn statuses(queue: &Queue) -> Statuses {
    let ambiguous = queue.ambiguous();
    let mut statuses = by_id(queue);
    statuses.retain(|id, _| !ambiguous.contains(id));
    statuses
}

/// What each id of the queue file means: a task that is not rejected before one that is.
fn by_id(queue: &Queue) -> Statuses {
    let mut statuses = Statuses::new();
    for task in queue.tasks() {
        let status = statuses.entry(task.id.clone()).or_insert(task.status);
        if *status == Status::Rejected {
            *status = task.status;
        }
    }
    statuses
}

/// The status that each task of `before` has now, in either file.
fn statuses_now(before: &Statuses, queue: &Queue) -> Statuses {
    // Most are where they were, and need not be searched for one by one.
    let here = by_id(queue);
    let now = |(id, was): (&TaskId, &Status)| {
        let status = match here.get(id) {
            Some(status) if status == was => *status,
            _ => queue.find(id.as_str())?.1.status,
        };
        Some((id.clone(), status))
    };
    before.iter().filter_map(now).collect()
}

/// The tasks that have another status than `before`, or are gone, while `during` was worked on.
/// Its own end is the run's to write, and counts only where the run left it open and it is finished
/// all the same.
fn beside(before: &Statuses, now: &Statuses, during: &TaskId, end: RunsEnd) -> Vec<Beside> {
    let is_other = |task: &TaskId, to: Option<Status>| match end {
        _ if task != during => true,
        RunsEnd::Done => false,
        RunsEnd::Open => to.is_none_or(Status::is_terminal),
    };
    before
        .iter()
        .map(|(task, from)| (task, *from, now.get(task).copied()))
        .filter(|(task, from, to)| *to != Some(*from) && is_other(task, *to))
        .map(|(task, from, to)| Beside { task: task.clone(), from, to, during: during.clone() })
        .collect()
}

/// How the run left its own task.
#[derive(Clone, Copy)]
enum RunsEnd {
    Done,
    Open,
}

impl Serial<'_> {
    /// Tells how tasks ended, other than by the run, since their statuses were `before`. A queue
    /// that cannot be read is told where it matters; that of another branch says nothing.
    pub(super) fn tell_beside(&mut self, before: &Statuses, during: &TaskId) {
        let Ok(Ok(queue)) = away::look(self.project, &self.branch) else { return };
        let outcome = self.summary.tasks.last().map(|task| task.outcome);
        // What could not be pushed, say, has its end in the queue, and goes on from there.
        let session = self.sessions.load().ok().flatten().and_then(|loaded| loaded.value.step);
        let end = match (outcome, session) {
            (Some(Outcome::Landed | Outcome::NoChange | Outcome::Done), _)
            | (_, Some(SessionStep::Finishing | SessionStep::Committed)) => RunsEnd::Done,
            _ => RunsEnd::Open,
        };
        let beside = beside(before, &statuses_now(before, &queue), during, end);
        for change in &beside {
            self.project.tell(Event::Note(change.to_string()));
        }
        self.summary.beside.extend(beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_to_others_is_told_and_the_runs_own_end_is_not() {
        let id = |id: &str| id.parse::<TaskId>().expect("an id");
        let of = |tasks: &[(&str, Status)]| -> Statuses {
            tasks.iter().map(|(task, status)| (id(task), *status)).collect()
        };
        let before = of(&[
            ("RQ-0001", Status::Doing),
            ("RQ-0002", Status::Todo),
            ("RQ-0003", Status::Todo),
            ("RQ-0004", Status::Todo),
        ]);
        let now = of(&[
            ("RQ-0001", Status::Done),
            ("RQ-0002", Status::Done),
            ("RQ-0004", Status::Todo),
            ("RQ-0005", Status::Done),
        ]);
        let told = |end| -> Vec<String> {
            beside(&before, &now, &id("RQ-0001"), end).iter().map(Beside::to_string).collect()
        };
        let others = [
            "RQ-0002: todo -> done while the agent of RQ-0001 worked",
            "RQ-0003: todo -> removed while the agent of RQ-0001 worked",
        ];
        assert_eq!(told(RunsEnd::Done), others);
        let own = "RQ-0001: doing -> done while the agent of RQ-0001 worked";
        assert_eq!(told(RunsEnd::Open), [own, others[0], others[1]]);
    }
}
