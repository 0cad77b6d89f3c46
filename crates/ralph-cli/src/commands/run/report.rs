//! What a run came to: a table for people, a document for scripts.

use std::time::Duration;

use ralph_git::Operation;
use ralph_loop::away::Away;
use ralph_loop::checkout::Behind;
use ralph_loop::event::{Beside, Outcome, RunSummary, StopReason, TaskSummary, WorkPlace};
use ralph_loop::target;
use ralph_process::{Interrupts, Signal};
use ralph_queue::Status;
use ralph_queue::runnability::Reason;
use ralph_state::{Amount, TaskId};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::render::envelope::Schema;
use crate::render::task::{advice, reasons, retry};
use crate::render::worker::outcome;
use crate::render::{counted, shell_word, short};
use crate::ui::{BOLD, GREEN, RED, Text, YELLOW, clip, columns};

use super::failure::{commit_or_absolute, end, unreadable};
use super::setup::Run;

/// Prints the summary and chooses the exit code.
pub(super) fn finish(context: &Context, summary: &RunSummary, run: &Run) -> Result<Exit, CliError> {
    if context.ui.wants_json() {
        context.ui.print_json(&document(summary))?;
    } else {
        if let Some(away) = &summary.queue_away {
            print_away(context, run, summary, away);
        }
        print(context, run, summary)?;
    }
    Ok(exit(summary, &run.interrupts))
}

fn exit(summary: &RunSummary, interrupts: &Interrupts) -> Exit {
    match interrupts.first() {
        Some(Signal::Interrupt) => Exit::Interrupted,
        Some(Signal::Terminate | Signal::Hangup) => Exit::Terminated,
        _ if summary.any_unlanded() => Exit::Failed,
        _ => match summary.stopped {
            // As if it had been found before the run began.
            Some(StopReason::Machine | StopReason::QueueAway) => Exit::Refused,
            Some(StopReason::TargetRed) => Exit::Failed,
            Some(StopReason::Limit) => Exit::Limited,
            _ if summary.any_limited() => Exit::Limited,
            // Nothing came of this run, and what is left needs the user.
            _ if summary.tasks.is_empty() && summary.kept > 0 => Exit::Failed,
            _ => Exit::Done,
        },
    }
}

fn document(summary: &RunSummary) -> Value {
    let count = |outcome| summary.tasks.iter().filter(|task| task.outcome == outcome).count();
    let spent = total(&summary.tasks);
    json!({
        "schema": Schema::v1("run-summary"),
        "landed": count(Outcome::Landed),
        "no_change": count(Outcome::NoChange),
        "done": count(Outcome::Done),
        "blocked": count(Outcome::Blocked),
        "failed": count(Outcome::Failed),
        "limited": count(Outcome::Limited),
        "task_limit": count(Outcome::TaskLimit),
        "held": count(Outcome::Held),
        "waiting": summary.waiting,
        "unstarted": summary.unstarted,
        "taken": summary.taken,
        "kept": summary.kept,
        "renamed": summary.renamed,
        "checkout_behind": summary.behind.as_ref().map(behind),
        "left_out": summary.left_out,
        "beside": summary.beside.iter().map(beside).collect::<Vec<_>>(),
        "stopped": summary.stopped.map(stop_word),
        "limit": summary.limit,
        "queue_away": summary.queue_away.as_ref().map(away),
        "tokens": spent.known_tokens(),
        "cost_usd": spent.known_micro_usd().map(dollars),
        "tasks": summary.tasks.iter().map(row).collect::<Vec<_>>(),
    })
}

/// Why the queue could not be looked at, for scripts.
fn away(why: &Away) -> Value {
    let reason = match why {
        Away::Unreadable(_) => "unreadable",
        Away::Elsewhere { .. } => "elsewhere",
    };
    json!({ "reason": reason, "detail": why.to_string() })
}

/// The same for people, with what to do about it.
fn print_away(context: &Context, run: &Run, summary: &RunSummary, why: &Away) {
    context.ui.warn(match why {
        Away::Elsewhere { .. } => format!("the run ended without its branch: {why}"),
        Away::Unreadable(_) if summary.stopped == Some(StopReason::QueueAway) => {
            format!("the run ended without its queue: {why}")
        }
        Away::Unreadable(_) => why.to_string(),
    });
    let landed = summary.tasks.iter().filter(|task| task.outcome == Outcome::Landed).count();
    if landed > 0 && matches!(why, Away::Unreadable(_)) {
        context.ui.hint(format!(
            "The branch has what landed ({}); the next run ends it in a queue from before it.",
            counted(landed, "task")
        ));
    }
    match why {
        Away::Elsewhere { branch, instead } => {
            context.ui.hint(format!("`git switch {}`, then run again.", shell_word(branch)));
            // In a workspace an agent has branches of its own.
            if let (WorkPlace::Checkout, Some(instead)) = (summary.place, instead) {
                context.ui.hint(format!(
                    "If the agent committed on `{instead}`: `git merge {}` after the switch.",
                    shell_word(instead)
                ));
            }
        }
        Away::Unreadable(_) => {
            // It may be there again by now.
            let Err(error) = run.project.queue.load() else { return };
            for hint in unreadable(&run.project, error).hints() {
                context.ui.hint(hint.as_str());
            }
        }
    }
}

/// Why the checkout is behind, for scripts.
fn behind(why: &Behind) -> Value {
    let (reason, files) = match why {
        Behind::Elsewhere { .. } => ("elsewhere", Vec::new()),
        Behind::UnderWay { .. } => ("under_way", Vec::new()),
        Behind::Diverged { .. } => ("diverged", Vec::new()),
        Behind::InTheWay { changed, untracked } => {
            ("in_the_way", changed.iter().chain(untracked).collect())
        }
        Behind::Unfetched { .. } => ("unfetched", Vec::new()),
        _ => ("refused", Vec::new()),
    };
    json!({ "reason": reason, "files": files, "detail": why.to_string() })
}

/// How the checkout gets what landed. `--autostash` takes along what is not committed: at the
/// least the queue, which the user may have edited.
fn catch_up(why: &Behind, has_remote: bool) -> String {
    let pull = "`git pull --rebase --autostash`";
    match why {
        Behind::Elsewhere { branch } if !has_remote => {
            format!("`git switch {}` goes to what has it.", shell_word(branch))
        }
        Behind::Elsewhere { branch } => {
            format!("`git switch {}`, then {pull}.", shell_word(branch))
        }
        // A rebase would take a merge apart again.
        Behind::UnderWay { operation: operation @ Operation::Merge } => {
            format!("{} Then `git pull --no-rebase --autostash`.", end(*operation))
        }
        Behind::UnderWay { operation } => format!("{} Then {pull}.", end(*operation)),
        Behind::Diverged { .. } => {
            format!("{pull} puts them on top of it, and `git push` publishes them.")
        }
        Behind::InTheWay { untracked, .. } if !untracked.is_empty() => {
            let names: Vec<String> =
                untracked.iter().map(|file| format!("`{}`", file.display())).collect();
            format!("Move {} away, which git does not know; then {pull}.", names.join(", "))
        }
        Behind::InTheWay { .. } => format!("{pull} puts your changes on top of it."),
        Behind::Unfetched { .. } => {
            format!("See that the remote can be reached: `git fetch origin`. Then {pull}.")
        }
        _ => format!("`git status` shows what is in the way; then {pull}."),
    }
}

/// What the tasks used, all together.
fn total(tasks: &[TaskSummary]) -> Amount {
    tasks.iter().fold(Amount::default(), |total, task| total.plus(task.spent))
}

/// An amount of money in US dollars.
#[expect(clippy::cast_precision_loss, reason = "a sum that nobody pays is not exact")]
pub(super) fn dollars(micro_usd: u64) -> f64 {
    micro_usd as f64 / 1e6
}

fn stop_word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Requested => "requested",
        StopReason::MaxTasks => "max_tasks",
        StopReason::TargetRed => "target_red",
        StopReason::Machine => "machine",
        StopReason::Limit => "limit",
        StopReason::WorkLeft => "work_left",
        StopReason::Failures => "failures",
        StopReason::QueueAway => "queue_away",
        StopReason::Interrupted => "interrupted",
    }
}

fn beside(change: &Beside) -> Value {
    json!({
        "task_id": change.task,
        "from": change.from,
        "to": change.to,
        "during": change.during,
    })
}

fn row(task: &TaskSummary) -> Value {
    json!({
        "task_id": task.task,
        "landed_as": task.landed_as,
        "title": task.title,
        "outcome": task.outcome.as_str(),
        "attempts": task.attempts,
        "seconds": task.wall.as_secs_f64(),
        "agent_turns": task.agent_turns,
        "gate_runs": task.gate_runs,
        "tokens": task.spent.known_tokens(),
        "cost_usd": task.spent.known_micro_usd().map(dollars),
        "commit": task.commit,
        "in_checkout": task.in_checkout,
        "reason": task.reason,
    })
}

fn print(context: &Context, run: &Run, summary: &RunSummary) -> Result<(), CliError> {
    if let Some(why) = &summary.behind {
        let has_remote = run.project.repo.remote_url(target::REMOTE)?.is_some();
        context.ui.warn(format!("your checkout does not have what landed: {why}"));
        context.ui.hint(catch_up(why, has_remote));
        context.ui.hint("A conflict in the queue that git meets then: `ralph queue resolve`.");
    }
    if !summary.left_out.is_empty() {
        let names: Vec<String> =
            summary.left_out.iter().map(|path| format!("`{}`", path.display())).collect();
        context
            .ui
            .warn(format!("not committed, since it decides what Ralph does: {}", names.join(", ")));
        context.ui.hint("`git diff -- :/.ralph` shows it; commit it yourself, or take it back.");
    }
    if !summary.beside.is_empty() {
        let changes: Vec<String> = summary.beside.iter().map(Beside::to_string).collect();
        context.ui.warn(format!("not by the run: {}", changes.join("; ")));
        if let Some(change) = summary.beside.iter().find(|change| change.to.is_some()) {
            // What was in hand is open again, and not under way.
            let from = if change.from == Status::Doing { Status::Todo } else { change.from };
            context.ui.hint(format!(
                "If it was not you either: `ralph task status {from} {}` takes it back.",
                change.task
            ));
        }
    }
    if summary.kept > 0 {
        let (kept, are) =
            (counted(summary.kept, "task"), if summary.kept == 1 { "is" } else { "are" });
        context.ui.say(format!("{kept} of earlier runs failed or {are} blocked."));
        context.ui.hint("`ralph run parallel status` shows them.");
    }
    if summary.tasks.is_empty() && summary.stopped == Some(StopReason::Limit) {
        context
            .ui
            .say(format!("No task was begun: {}.", summary.limit.as_deref().unwrap_or("a limit")));
        context.ui.hint(AT_LIMIT);
        return Ok(());
    }
    if summary.tasks.is_empty() && summary.queue_away.is_some() {
        return Ok(());
    }
    if summary.tasks.is_empty() {
        print_nothing_begun(context, summary);
        return Ok(());
    }
    context.ui.print(table(&summary.tasks, context.ui.width()))?;
    let spent = total(&summary.tasks);
    if let Some(used) = used(spent) {
        context.ui.say(used);
    }
    for task in &summary.tasks {
        if let Some(id) = &task.landed_as {
            let was = &task.task;
            context.ui.say(format!("{id} was {was}, an id that another task has on the branch."));
        }
        if let (false, Some(reason)) = (task.outcome == Outcome::NoChange, task.reason_to_tell()) {
            context.ui.say(Text::new().plain(&task.task).plain(": ").block("    ", reason));
        }
    }
    if let Some(limit) = &summary.limit
        && !summary.tasks.iter().any(|task| task.reason.as_ref() == Some(limit))
    {
        context.ui.say(limit.as_str());
    }
    for hint in hints(summary) {
        context.ui.hint(hint);
    }
    if summary.unstarted > 0 {
        context.ui.say(format!("{} more could have started.", summary.unstarted));
    }
    print_for_user(context, summary);
    if summary.waiting > 0 && summary.stopped.is_none() {
        context.ui.say(format!(
            "{} more cannot start yet; `ralph queue explain` says why.",
            summary.waiting
        ));
    }
    Ok(())
}

/// The tasks that no run will begin until the user has done something about them, and what.
fn print_for_user(context: &Context, summary: &RunSummary) {
    for (id, reason) in for_user(summary) {
        let why = reasons(std::slice::from_ref(reason), id.as_str());
        context.ui.say(Text::new().style(BOLD, id).plain(" ").plain(why));
    }
    hint_for_user(context, summary);
}

fn for_user(summary: &RunSummary) -> impl Iterator<Item = (&TaskId, &Reason)> {
    summary
        .taken
        .iter()
        .filter(|(_, reason)| matches!(reason, Reason::Landed { .. } | Reason::AmbiguousId))
}

fn hint_for_user(context: &Context, summary: &RunSummary) {
    if let Some(advice) = for_user(summary).find_map(|(id, reason)| advice(reason, id)) {
        context.ui.hint(advice);
    }
}

/// Why a run that began nothing did not.
fn print_nothing_begun(context: &Context, summary: &RunSummary) {
    /// More of them are for `queue explain` to list.
    const SHOWN: usize = 5;
    context.ui.say(match (summary.waiting, summary.kept) {
        _ if !summary.taken.is_empty() => "No task can start now.".to_owned(),
        (0, 0) => "There is nothing to do: no task in the queue is open.".to_owned(),
        (0, _) => "Nothing else can be started.".to_owned(),
        (waiting, _) => {
            format!("No task can start now; {waiting} wait. `ralph queue explain` says for what.")
        }
    });
    for (id, reason) in summary.taken.iter().take(SHOWN) {
        let why = reasons(std::slice::from_ref(reason), id.as_str());
        context.ui.say(Text::new().style(BOLD, id).plain(" ").plain(why));
    }
    hint_for_user(context, summary);
    if summary.taken.len() > SHOWN
        || (!summary.taken.is_empty() && summary.waiting > summary.taken.len())
    {
        context.ui.hint("`ralph queue explain` says it of every task.");
    }
}

const AT_LIMIT: &str = "Run it again to go on. A limit of the run begins anew then (`agent.limits`, \
                        `--max-turns` and the like raise it); one of the provider is its to lift.";

/// What to do about what did not land.
fn hints(summary: &RunSummary) -> Vec<String> {
    let of = |outcome| summary.tasks.iter().filter(move |task| task.outcome == outcome);
    let mut hints = Vec::new();
    let was_ended =
        |task: &TaskSummary| summary.beside.iter().any(|change| change.task.as_str() == task.task);
    let unlanded = || of(Outcome::Blocked).chain(of(Outcome::Failed));
    match summary.place {
        WorkPlace::Workspaces => {
            let mut tasks = unlanded();
            if let Some(first) = tasks.next() {
                let again = match tasks.next() {
                    None => retry(&first.task),
                    Some(_) => "ralph run parallel retry --all".to_owned(),
                };
                hints.push(format!(
                    "`ralph run parallel status` shows what is kept; after `{again}` the next run \
                     tries again."
                ));
            }
        }
        WorkPlace::Checkout => {
            if let Some(task) = of(Outcome::Failed).find(|task| task.in_checkout) {
                hints.push(format!(
                    "What {} changed is in your checkout (`git status`), with a copy in \
                     `ralph rescue list`. Commit or drop it before the next run.",
                    task.task
                ));
            } else if of(Outcome::Failed).any(|task| !was_ended(task)) {
                hints.push(
                    "What failed left nothing in your checkout; the next run tries it again."
                        .to_owned(),
                );
            }
            if of(Outcome::Done).next().is_some() {
                hints.push(
                    "What is done is not committed: `git add -A && git commit` does that. With \
                     `\"git_publish_mode\": \"commit\"` in `agent` of `.ralph/config.jsonc` a run \
                     commits each task."
                        .to_owned(),
                );
            }
            if of(Outcome::Blocked).next().is_some() {
                hints.push("Mend that, then `ralph run resume` goes on with it.".to_owned());
            }
        }
    }
    if of(Outcome::Held).next().is_some() {
        if let Some(program) = summary.tasks.iter().find_map(|it| it.not_in_workspace.as_ref()) {
            hints.push(commit_or_absolute(program));
        }
        hints.push("Mend that, then start the run again: it goes on with what is held.".to_owned());
    }
    if of(Outcome::Limited).next().is_some() || summary.stopped == Some(StopReason::Limit) {
        hints.push(AT_LIMIT.to_owned());
    }
    if let Some(first) = of(Outcome::TaskLimit).next() {
        hints.push(match summary.place {
            WorkPlace::Workspaces => format!(
                "No run goes on with {0} by itself. `{1}` lets the next one, with the limit of \
                 the task unspent; raise that (`agent.limits.task`) if it needs more.",
                first.task,
                retry(&first.task)
            ),
            WorkPlace::Checkout => "With a higher limit of the task (`agent.limits.task`), \
                                    `ralph run resume` goes on with it."
                .to_owned(),
        });
    }
    hints
}

/// The columns of the table before the title, and whether they hold numbers.
const COLUMNS: [(&str, bool); 7] = [
    ("TASK", false),
    ("OUTCOME", false),
    ("ATTEMPTS", true),
    ("TIME", true),
    ("TURNS", true),
    ("GATES", true),
    ("COMMIT", false),
];

/// What a narrow terminal is spared, in this order: commit, gates, turns, attempts.
const SPARED: [usize; 4] = [6, 5, 4, 2];

/// A title that is cut shorter tells nothing.
const SHORTEST_TITLE: usize = 12;

/// Between two columns.
const GAP: &str = "  ";

/// Task, outcome, attempts, time, agent turns, gate runs, commit and title, one line each; what
/// does not fit in `width` is left out or cut.
fn table(tasks: &[TaskSummary], width: Option<usize>) -> Text {
    let rows: Vec<_> = tasks.iter().map(cells).collect();
    let wide: [usize; 7] = std::array::from_fn(|column| {
        let widest = rows.iter().map(|cells| columns(&cells[column])).max().unwrap_or_default();
        widest.max(COLUMNS[column].0.len())
    });
    let mut shown: Vec<usize> = (0..COLUMNS.len()).collect();
    let taken = |shown: &[usize]| shown.iter().map(|at| wide[*at] + GAP.len()).sum::<usize>();
    for column in SPARED {
        if width.is_some_and(|width| taken(&shown) - GAP.len() > width) {
            shown.retain(|at| *at != column);
        }
    }
    let left = width.map(|width| width.saturating_sub(taken(&shown)));
    let has_titles = left.is_none_or(|left| left >= SHORTEST_TITLE);
    let line = |cells: &[String; 7], title: &str| {
        let mut line = String::new();
        for at in &shown {
            let (cell, padding) = (&cells[*at], " ".repeat(wide[*at] - columns(&cells[*at])));
            let (before, behind) = if COLUMNS[*at].1 { (&*padding, "") } else { ("", &*padding) };
            line.extend([before, cell, behind, GAP]);
        }
        if has_titles {
            line += &clip(title.trim(), left);
        }
        line.truncate(line.trim_end().len());
        line
    };
    let heading = line(&COLUMNS.map(|(name, _)| name.to_owned()), "TITLE");
    let mut text = Text::new().style(BOLD, heading).line();
    for (cells, task) in rows.iter().zip(tasks) {
        let style = match task.outcome {
            Outcome::Landed | Outcome::NoChange | Outcome::Done => GREEN,
            Outcome::Blocked | Outcome::Failed => RED,
            Outcome::Superseded
            | Outcome::Limited
            | Outcome::TaskLimit
            | Outcome::Held
            | Outcome::Interrupted => YELLOW,
        };
        text = text.style(style, line(cells, &task.title)).line();
    }
    text
}

fn cells(task: &TaskSummary) -> [String; 7] {
    let commit = task.commit.as_deref().map_or("-", short);
    [
        clip(task.landed_as.as_ref().unwrap_or(&task.task), None),
        outcome(task.outcome).to_owned(),
        task.attempts.to_string(),
        time(task.wall),
        task.agent_turns.to_string(),
        task.gate_runs.to_string(),
        commit.to_owned(),
    ]
}

/// What agents used, as a person reads it; nothing when they did not tell.
pub(super) fn used(spent: Amount) -> Option<String> {
    let tokens = match spent.known_tokens() {
        None => "tokens unknown".to_owned(),
        Some(tokens) => format!("{tokens} tokens"),
    };
    match (spent.known_tokens(), spent.known_micro_usd()) {
        (None, None) | (Some(0), Some(0)) => None,
        (_, None) => Some(format!("{tokens}, cost unknown")),
        (_, Some(0)) => Some(tokens),
        (_, Some(micro_usd)) => Some(format!("{tokens}, ${:.2}", dollars(micro_usd))),
    }
}

/// A duration as a person reads it.
pub(crate) fn time(wall: Duration) -> String {
    let seconds = wall.as_secs();
    if seconds < 60 {
        format!("{:.1}s", wall.as_secs_f64())
    } else if seconds < 3600 {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ralph_queue::LoadError;

    use super::*;

    fn task(outcome: Outcome, title: &str) -> TaskSummary {
        TaskSummary {
            task: "RQ-0001".to_owned(),
            landed_as: None,
            title: title.to_owned(),
            outcome,
            attempts: 1,
            wall: Duration::ZERO,
            agent_turns: 12,
            gate_runs: 0,
            spent: Amount::default(),
            commit: Some("0123456789abcdef".to_owned()),
            reason: None,
            in_checkout: false,
            not_in_workspace: None,
        }
    }

    #[test]
    fn a_failed_task_of_a_serial_run_is_told_as_what_it_left() {
        let task = TaskSummary { commit: None, ..task(Outcome::Failed, "") };
        let untouched = RunSummary { tasks: vec![task.clone()], ..RunSummary::default() };
        let told = hints(&untouched).join("\n");
        assert!(!told.contains("git status") && told.contains("left nothing"), "{told}");
        let left = TaskSummary { in_checkout: true, task: "RQ-0002".to_owned(), ..task.clone() };
        let summary = RunSummary { tasks: vec![task, left], ..RunSummary::default() };
        let told = hints(&summary).join("\n");
        assert!(told.contains("RQ-0002 changed is in your checkout"), "{told}");
    }

    #[test]
    fn one_task_is_retried_by_its_id_and_several_together() {
        let place = WorkPlace::Workspaces;
        let mut summary = RunSummary { place, ..RunSummary::default() };
        summary.tasks.push(task(Outcome::Failed, ""));
        assert!(hints(&summary)[0].contains("`ralph run parallel retry --task RQ-0001`"));
        summary.tasks.push(task(Outcome::Blocked, ""));
        assert!(hints(&summary)[0].contains("`ralph run parallel retry --all`"));
    }

    #[test]
    fn a_script_is_told_why_the_queue_was_waited_for_in_vain() {
        let path = std::path::PathBuf::from("queue.jsonc");
        let missing = Away::Unreadable(Arc::new(LoadError::Missing { path }));
        let elsewhere = Away::Elsewhere { branch: "main".to_owned(), instead: None };
        for (away, reason, detail) in [
            (missing, "unreadable", "there is no queue file at `queue.jsonc`"),
            (elsewhere, "elsewhere", "`main` is not checked out"),
        ] {
            let stopped = Some(StopReason::QueueAway);
            let queue_away = Some(away);
            let told = document(&RunSummary { stopped, queue_away, ..RunSummary::default() });
            assert_eq!(told["stopped"], "queue_away");
            assert_eq!(told["queue_away"], json!({ "reason": reason, "detail": detail }));
        }
    }

    #[test]
    fn a_limit_of_a_task_is_not_told_as_one_of_the_run() {
        let told = |outcome, place, stopped| {
            let tasks = vec![task(outcome, "")];
            hints(&RunSummary { tasks, place, stopped, ..RunSummary::default() }).join("\n")
        };
        let own = told(Outcome::TaskLimit, WorkPlace::Workspaces, None);
        assert!(own.contains("`ralph run parallel retry --task RQ-0001`"), "{own}");
        assert!(!own.contains(AT_LIMIT), "{own}");
        let both = told(Outcome::TaskLimit, WorkPlace::Workspaces, Some(StopReason::Limit));
        assert!(both.contains("retry --task RQ-0001") && both.contains(AT_LIMIT), "{both}");
        let run = told(Outcome::Limited, WorkPlace::Workspaces, Some(StopReason::Limit));
        assert_eq!(run, AT_LIMIT);
        let serial = told(Outcome::TaskLimit, WorkPlace::Checkout, None);
        assert!(
            serial.contains("`agent.limits.task`") && serial.contains("run resume"),
            "{serial}"
        );
    }

    #[test]
    fn the_table_fits_the_terminal() {
        let tasks = [
            task(Outcome::NoChange, "Praise the pictures\u{1b}[2J\non the title page"),
            task(Outcome::Landed, "漢字漢字漢字漢字漢字漢字漢字 🦀🦀"),
        ];
        let shown = |width| table(&tasks, width).render(false).into_owned();
        assert_eq!(
            shown(Some(80)),
            "\
TASK     OUTCOME    ATTEMPTS  TIME  TURNS  GATES  COMMIT     TITLE
RQ-0001  no change         1  0.0s     12      0  012345678  Praise the picture…
RQ-0001  landed            1  0.0s     12      0  012345678  漢字漢字漢字漢字漢…
"
        );
        let lines = "\
TASK     OUTCOME    ATTEMPTS  TIME  TURNS  GATES
RQ-0001  no change         1  0.0s     12      0
RQ-0001  landed            1  0.0s     12      0
";
        assert_eq!(shown(Some(48)), lines);
        for width in 30..100 {
            let shown = shown(Some(width));
            assert!(shown.lines().all(|line| columns(line) <= width), "{width}\n{shown}");
        }
        let whole = shown(None);
        assert!(whole.contains("  Praise the pictures\\u{1b}[2J\\non the title page\n"), "{whole}");
    }
}
