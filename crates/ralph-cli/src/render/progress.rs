//! Live progress of a run on stderr: a line per event, and on a terminal one
//! status line that follows the time.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ralph_loop::event::{Event, Outcome, StopReason};
use ralph_loop::recover::Action;
use ralph_process::Cancel;
use ralph_state::WorkerStep;

use crate::commands::run::time;
use crate::ui::{CYAN, DIM, GREEN, RED, Text, YELLOW};

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
    active: BTreeMap<String, (String, Instant)>,
    landed: usize,
    unlanded: usize,
    painted: bool,
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
        board.apply(event);
        if let Some(line) = line(event) {
            board.wipe();
            self.write(&line);
        }
        self.paint(&mut board);
    }

    /// Repaints the status line until `done`.
    pub(crate) fn follow(&self, done: &Cancel) {
        if self.detail != Detail::Live {
            return;
        }
        while !done.wait_timeout(REPAINT) {
            self.paint(&mut self.board());
        }
        self.board().wipe();
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // A panic elsewhere leaves at worst a wrong count on the status line.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paint(&self, board: &mut Board) {
        if self.detail != Detail::Live {
            return;
        }
        let line = board.status();
        board.wipe();
        let text = Text::new().style(DIM, line).render(self.has_color);
        // A terminal that is gone takes its status line with it.
        drop(write!(io::stderr(), "{text}"));
        drop(io::stderr().flush());
        board.painted = true;
    }

    fn write(&self, text: &Text) {
        drop(writeln!(io::stderr(), "{}", text.render(self.has_color)));
    }
}

impl Board {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Claimed { task, .. } => {
                self.active.insert(task.clone(), ("starting".to_owned(), Instant::now()));
            }
            Event::Step { task, step, .. } => match word(step) {
                Some(word) => {
                    let changed = self.active.get(task).is_none_or(|(old, _)| old != word);
                    if changed {
                        self.active.insert(task.clone(), (word.to_owned(), Instant::now()));
                    }
                }
                None => {
                    self.active.remove(task);
                }
            },
            Event::Finished(summary) => {
                self.active.remove(&summary.task);
                match summary.outcome {
                    Outcome::Landed => self.landed += 1,
                    Outcome::Done => {}
                    _ => self.unlanded += 1,
                }
            }
            _ => {}
        }
    }

    fn status(&self) -> String {
        let elapsed = self.started.map_or(Duration::ZERO, |start| start.elapsed());
        let mut parts = vec![format!("{}  landed {}", time(elapsed), self.landed)];
        if self.unlanded > 0 {
            parts.push(format!("not landed {}", self.unlanded));
        }
        parts.extend(
            self.active
                .iter()
                .map(|(task, (word, since))| format!("{task} {word} {}", time(since.elapsed()))),
        );
        let line = parts.join("  ");
        line.chars().take(columns()).collect()
    }

    /// Removes the status line, so that a line of text can take its place.
    fn wipe(&mut self) {
        if self.painted {
            drop(write!(io::stderr(), "\r\x1b[K"));
            self.painted = false;
        }
    }
}

/// The width of the terminal, less the last column: a full line would wrap.
fn columns() -> usize {
    let width = terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0);
    usize::from(width.unwrap_or(80)).saturating_sub(1)
}

/// What a task is doing; `None` when it is done.
fn word(step: &WorkerStep) -> Option<&str> {
    Some(match step {
        WorkerStep::Claimed | WorkerStep::WorkspaceReady | WorkerStep::SpawnIntended => "starting",
        WorkerStep::Working => "agent",
        WorkerStep::Committed => "committed",
        WorkerStep::Waiting => "waiting to land",
        WorkerStep::Rebased => "rebased",
        WorkerStep::Resolving => "agent: conflict",
        WorkerStep::Gating => "gate",
        WorkerStep::GateGreen => "gate green",
        WorkerStep::Fixing => "agent: red gate",
        WorkerStep::PushIntended => "pushing",
        WorkerStep::Pushed => "pushed",
        WorkerStep::Recorded => return None,
        other => other.as_str(),
    })
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
                Outcome::Landed | Outcome::Done => GREEN,
                _ => RED,
            };
            let mut line = text
                .style(style, format!("{:<10} ", summary.outcome.as_str()))
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
        Event::Stopping(StopReason::Interrupted) => {
            text.plain("Stopping; all work is kept, and the next run goes on with it.")
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
    fn one_process_is_told_in_the_singular() {
        assert_eq!(processes(1), "1 process");
        assert_eq!(processes(2), "2 processes");
    }
}
