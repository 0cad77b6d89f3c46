//! `ralph queue ready|claim|release`: one queue, several at work.

use std::time::Duration;

use clap::Args;

use super::task::{NoteText, word};
use super::which::PartArgs;

/// Show what can start now, and why the rest cannot
///
/// Unlike `queue explain` it knows what is claimed, in every work tree of this
/// repository. What cannot start goes to stderr, 50 tasks unless `--limit` is given.
/// With `--json` it is in `others`, with the reasons: a list goes on there after all
/// `items`, and `others_total` says how many there are.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue ready --json
  ralph queue ready --parallel 3     Three tasks that do not touch the same paths")]
pub(crate) struct ReadyArgs {
    /// At most so many, whose scopes overlap neither each other nor what is being worked on
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<usize>,
    /// Count drafts among those that can start
    #[arg(long)]
    pub(crate) include_draft: bool,
    #[command(flatten)]
    pub(crate) part: PartArgs,
}

/// Take a task, so that nobody else does
///
/// Prints the task's id and a token. The task becomes `doing`; from then on it
/// changes only under `--claim TOKEN`, which renews the claim. A claim that is
/// not used for as long as `--ttl` lapses, and the next who asks gets the task.
/// A task in `doing` that nobody has is only given to who asks for it by `--id`.
/// Prints nothing when no task can start. It ends with the task, or with
/// `ralph queue release`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue claim --next --owner agent-7 --json
  ralph queue claim --id RQ-0007 --ttl 2h
  ralph queue claim --claim 12-9f3a0c1e      Renew this one (with --ttl, for another time)
  ralph task done RQ-0007 --claim 12-9f3a0c1e")]
pub(crate) struct ClaimArgs {
    /// This task
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// The first task that can start (the default)
    #[arg(long, conflicts_with = "id")]
    pub(crate) next: bool,
    /// Who takes it, for others to read (default: user and host)
    #[arg(long, value_name = "NAME", value_parser = owner)]
    pub(crate) owner: Option<String>,
    /// How long it lasts after each use, such as `90s` or `2h` (default: 30m, or as before)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) ttl: Option<Duration>,
    /// Take a draft too
    #[arg(long)]
    pub(crate) include_draft: bool,
    /// Show the difference; take nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Give a claimed task back to the queue
///
/// It becomes `todo` again. Somebody else's claim is ended with `--force` alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue release RQ-0007 --claim 12-9f3a0c1e --note \"Needs a decision first\"")]
pub(crate) struct ReleaseArgs {
    /// The task (default: the one of `--claim`)
    #[arg(value_name = "ID")]
    pub(crate) task_id: Option<String>,
    #[command(flatten)]
    pub(crate) note: NoteText,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// A number and its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.trim_end_matches(char::is_alphabetic).len());
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err("write it as `90s`, `30m`, `2h` or `1d`".to_owned()),
    };
    match number.parse::<u64>().map(|number| number.checked_mul(seconds)) {
        Ok(Some(seconds)) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("`{number}` is no number of that unit")),
    }
}

/// Others read it, on one line.
fn owner(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it is blank".to_owned()) } else { word(text.trim()) }
}
