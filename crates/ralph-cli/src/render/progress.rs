//! Live progress of a run on stderr: a line per event, and on a terminal one
//! status line that follows the time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ralph_loop::event::{Event, Outcome, StopReason};
use ralph_loop::recover::Action;
use ralph_process::Cancel;
use ralph_state::WorkerStep;

use super::shell_word;
use super::worker::{Doing, doing, outcome};
use crate::commands::run::time;
use crate::ui::{CYAN, DIM, GREEN, RED, Text, YELLOW, clip, columns, stderr_columns, write_stderr};

/// Time between two repaints of the status line.
const REPAINT: Duration = Duration::from_millis(200);

/// How much is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Detail {
    /// Nothing (`--json`, `--no-progress`).
    Silent,
    /// A line per event.
    Lines,
    /// A line per event, and a status line below them.
    Live,
}

/// Shows events; one for the whole run, from any thread.
pub(crate) struct Progress {
    detail: Detail,
    has_color: bool,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    started: Option<Instant>,
    active: BTreeMap<String, Active>,
    landed: usize,
    unchanged: usize,
    unlanded: usize,
    /// The columns of the status line that is shown.
    painted: usize,
}

/// What a task is doing.
struct Active {
    long: String,
    short: String,
    attempt: u32,
    since: Instant,
}

impl Active {
    fn now(Doing { long, short }: Doing<'_>, attempt: u32) -> Self {
        Self { long: long.to_owned(), short: short.to_owned(), attempt, since: Instant::now() }
    }
}

impl Progress {
    pub(crate) fn new(detail: Detail, has_color: bool) -> Self {
        Self { detail, has_color, board: Mutex::new(Board::default()) }
    }

    /// Shows one event.
    pub(crate) fn tell(&self, event: &Event) {
        if self.detail == Detail::Silent {
            return;
        }
        let mut board = self.board();
        board.started.get_or_insert_with(Instant::now);
        let is_news = board.apply(event);
        let width = stderr_columns();
        let mut out = String::new();
        if let Some(line) = line(event).filter(|_| is_news) {
            board.wipe(&mut out, width);
            out += &line.folded(width).line().render(self.has_color);
        }
        self.paint(&mut board, out);
    }

    /// Repaints the status line until `run` has ended, also by a panic.
    pub(crate) fn during<R>(&self, run: impl FnOnce() -> R) -> R {
        struct Ends(Cancel);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.cancel();
            }
        }
        let ends = Ends(Cancel::new());
        std::thread::scope(|scope| {
            let done = ends.0.clone();
            scope.spawn(move || self.follow(&done));
            let _ends = ends;
            run()
        })
    }

    fn follow(&self, done: &Cancel) {
        if self.detail != Detail::Live {
            return;
        }
        while !done.wait_timeout(REPAINT) {
            self.paint(&mut self.board(), String::new());
        }
        let mut out = String::new();
        self.board().wipe(&mut out, stderr_columns());
        write_stderr(&out);
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // A panic elsewhere leaves at worst a wrong count on the status line.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes `out`, and the status line below it.
    fn paint(&self, board: &mut Board, mut out: String) {
        if self.detail == Detail::Live {
            let width = stderr_columns();
            board.wipe(&mut out, width);
            // A line that fills the last column would wrap.
            let line = board.status(width.unwrap_or(80).saturating_sub(1));
            board.painted = columns(&line);
            out += &Text::new().style(DIM, line).render(self.has_color);
        }
        write_stderr(&out);
    }
}

impl Board {
    /// Takes an event up; whether it says anything new. A turn may follow another one of the same
    /// attempt.
    fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::Claimed { task, .. } => {
                let active = doing(&WorkerStep::Claimed).map(|doing| Active::now(doing, 1));
                self.active.extend(active.map(|active| (task.clone(), active)));
            }
            Event::Step { task, step, attempt } => match doing(step) {
                Some(doing) => {
                    let before = self.active.get(task);
                    if before.is_some_and(|it| it.long == doing.long && it.attempt == *attempt) {
                        return false;
                    }
                    self.active.insert(task.clone(), Active::now(doing, *attempt));
                }
                None => {
                    self.active.remove(task);
                }
            },
            Event::Finished(summary) => {
                self.active.remove(&summary.task);
                match summary.outcome {
                    Outcome::Landed => self.landed += 1,
                    Outcome::NoChange => self.unchanged += 1,
                    Outcome::Done => {}
                    _ => self.unlanded += 1,
                }
            }
            _ => {}
        }
        true
    }

    /// The status line: of what there is to tell of the tasks the most that `width` has room for.
    fn status(&self, width: usize) -> String {
        let elapsed = self.started.map_or(Duration::ZERO, |start| start.elapsed());
        let mut head = format!("{}  landed {}", time(elapsed), self.landed);
        for (word, count) in [("no change", self.unchanged), ("not landed", self.unlanded)] {
            if count > 0 {
                // A string takes every write.
                write!(head, "  {word} {count}").ok();
            }
        }
        let mut at = BTreeMap::<&str, usize>::new();
        for active in self.active.values() {
            *at.entry(&active.short).or_default() += 1;
        }
        let timed = self.active.iter().map(|(task, active)| {
            format!("  {task} {} {}", active.long, time(active.since.elapsed()))
        });
        let named =
            self.active.iter().map(|(task, Active { short, .. })| format!("  {task} {short}"));
        let counted = at.iter().map(|(word, count)| format!("  {word} {count}"));
        let lines: [String; 3] = [timed.collect(), named.collect(), counted.collect()];
        let fits = |line: &&String| columns(&head) + columns(line) <= width;
        let tasks = lines.iter().find(fits).unwrap_or(&lines[2]);
        clip(&format!("{head}{tasks}"), Some(width))
    }

    /// Removes the status line, so that a line of text can take its place.
    fn wipe(&mut self, out: &mut String, width: Option<usize>) {
        let painted = std::mem::take(&mut self.painted);
        if painted == 0 {
            return;
        }
        // A terminal that became narrower has broken the line.
        let above = width.filter(|width| *width > 0).map_or(0, |width| (painted - 1) / width);
        match above {
            0 => out.push_str("\r\x1b[K"),
            rows => write!(out, "\r\x1b[{rows}A\x1b[J").unwrap_or_default(),
        }
    }
}

/// The line for an event, if it is worth one.
fn line(event: &Event) -> Option<Text> {
    let text = Text::new();
    Some(match event {
        Event::Started { target, remote, workers } => {
            let place = match remote {
                Some(remote) => format!("{remote}/{target}"),
                None => target.clone(),
            };
            let workers = match workers {
                1 => "one task at a time".to_owned(),
                many => format!("{many} tasks at a time"),
            };
            text.plain(format!("Landing on {place}, {workers}."))
        }
        Event::NewBranch { remote, branch } => text.style(YELLOW, "warning:").plain(format!(
            " {remote} has no branch `{branch}`: the first task that lands creates it there."
        )),
        Event::Recovering(action) => text.style(YELLOW, "recover    ").plain(recovery(action)),
        Event::Upgraded { from, adopted, backup } => {
            let what = match adopted.as_slice() {
                [] => "it left no work".to_owned(),
                tasks => format!("taken over: {}", tasks.join(", ")),
            };
            let backup = match backup {
                Some(backup) => format!("; as it was: `{}`", backup.display()),
                None => String::new(),
            };
            text.style(YELLOW, "upgrade    ")
                .plain(format!("the state file was of version {from}; {what}{backup}"))
        }
        Event::Claimed { task, title } => {
            text.style(CYAN, "start      ").plain(format!("{task}  {title}"))
        }
        Event::Step { task, step, attempt } => match step {
            WorkerStep::Resolving => {
                text.style(YELLOW, "conflict   ").plain(format!("{task}  asking the agent"))
            }
            WorkerStep::Fixing => {
                text.style(YELLOW, "red gate   ").plain(format!("{task}  asking the agent"))
            }
            WorkerStep::Working if *attempt > 1 => {
                text.style(YELLOW, "again      ").plain(format!("{task}  attempt {attempt}"))
            }
            _ => return None,
        },
        Event::Finished(summary) => {
            let style = match summary.outcome {
                Outcome::Landed | Outcome::NoChange | Outcome::Done => GREEN,
                _ => RED,
            };
            let mut line = text
                .style(style, format!("{:<10} ", outcome(summary.outcome)))
                .plain(format!("{}  {} in {}", summary.task, summary.title, time(summary.wall)));
            // The summary has the rest.
            if let Some(reason) = summary.reason_to_tell().and_then(|it| it.lines().next()) {
                line = line.plain(format!(": {reason}"));
            }
            line
        }
        Event::Stopping(StopReason::Requested) => {
            text.plain("A stop was asked for: nothing new is started.")
        }
        Event::Stopping(StopReason::MaxTasks) => {
            text.plain("As many tasks as asked for were started.")
        }
        Event::Stopping(StopReason::TargetRed) => text.style(
            RED,
            "The gate is red on the target itself: mend that first, then run again. \
             Finished work waits and lands then, without an agent.",
        ),
        Event::Stopping(StopReason::Machine) => text.style(
            RED,
            "Something on this machine is to be mended first; no task would fare better. \
             Run again then: nothing is lost.",
        ),
        Event::Stopping(StopReason::Limit) => text.style(
            YELLOW,
            "A limit of the run or of the provider is reached; no further turn begins. The \
             work waits, and the next run goes on with it.",
        ),
        Event::Stopping(StopReason::WorkLeft) => {
            text.style(RED, "What is left of it comes first: no other task begins beside it.")
        }
        Event::Stopping(StopReason::Failures) => text.style(
            RED,
            "So many tasks in a row did not land (`loop.stop_after_failures`) that no other \
             begins: what ails them may ail the others.",
        ),
        Event::Stopping(StopReason::QueueAway) => text
            .style(RED, "What the run needs was waited for long enough: no further task begins."),
        Event::Stopping(StopReason::Interrupted) => {
            text.plain("Stopping; all work is kept, and the next run goes on with it.")
        }
        Event::WorkspaceKept { path, has_commits } => {
            let look =
                if *has_commits { "log --branches --tags --not --remotes" } else { "status" };
            text.style(DIM, "note       ").plain(format!(
                "the workspace `{}` stays: it holds more than what landed; \
                 `git -C {} {look}` shows it, and it is yours to remove",
                path.display(),
                shell_word(path),
            ))
        }
        Event::Note(note) => text.style(DIM, "note       ").plain(note),
        _ => return None,
    })
}

fn processes(count: usize) -> String {
    match count {
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    }
}

fn recovery(action: &Action) -> String {
    match action {
        Action::Adopt { task } => format!("{task}  its worker is still at it"),
        Action::EndOrphans { task, who } => {
            format!("{task}  ending {} left behind", processes(who.len()))
        }
        Action::RecordLanded { task } => format!("{task}  it had landed already"),
        Action::Land { task } => format!("{task}  landing its finished work"),
        Action::Restart { task } => format!("{task}  starting it again"),
        Action::Drop { task } => format!("{task}  it is no longer open in the queue"),
        Action::GiveUp { task, attempts } => {
            format!("{task}  given up after {attempts} attempts")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_tells_as_much_as_there_is_room_for() {
        let mut board = Board::default();
        let step = |number, step| Event::Step { task: format!("RQ-000{number}"), step, attempt: 1 };
        board.apply(&step(1, WorkerStep::Waiting));
        board.apply(&step(2, WorkerStep::Fixing));
        board.apply(&step(3, WorkerStep::Waiting));
        let line = |width| board.status(width);
        assert!(line(200).starts_with("0.0s  landed 0  RQ-0001 waiting to land "), "{}", line(200));
        assert_eq!(line(70), "0.0s  landed 0  RQ-0001 waits  RQ-0002 red gate  RQ-0003 waits");
        assert_eq!(line(50), "0.0s  landed 0  red gate 1  waits 2");
        assert_eq!(line(20), "0.0s  landed 0  red…");
        assert!(!board.apply(&step(2, WorkerStep::Fixing)), "another turn of the same kind");
        let again =
            Event::Step { task: "RQ-0002".to_owned(), step: WorkerStep::Fixing, attempt: 2 };
        assert!(board.apply(&again));
    }

    #[test]
    fn a_status_line_that_a_narrower_terminal_has_broken_is_wiped_whole() {
        let wiped = |painted, width| {
            let mut out = String::new();
            Board { painted, ..Board::default() }.wipe(&mut out, width);
            out
        };
        assert_eq!(wiped(0, Some(80)), "");
        assert_eq!(wiped(79, Some(80)), "\r\u{1b}[K");
        assert_eq!(wiped(79, Some(30)), "\r\u{1b}[2A\u{1b}[J");
        assert_eq!(wiped(79, None), "\r\u{1b}[K");
    }

    #[test]
    fn the_command_that_shows_what_a_workspace_holds_can_be_copied() {
        let path = "/my work/RQ-0001".into();
        let kept = line(&Event::WorkspaceKept { path, has_commits: false }).unwrap_or_default();
        let kept = kept.render(false);
        assert!(kept.contains("`git -C '/my work/RQ-0001' status`"), "{kept}");
    }

    #[test]
    fn a_run_that_panics_is_not_followed_for_ever() {
        let progress = Progress::new(Detail::Live, false);
        let run = || progress.during(|| std::panic::resume_unwind(Box::new("it fails")));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("a panic");
    }

    #[test]
    fn one_process_is_told_in_the_singular() {
        assert_eq!(processes(1), "1 process");
        assert_eq!(processes(2), "2 processes");
    }
}
