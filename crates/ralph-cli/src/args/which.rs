//! Which tasks a list shows, and how much of it: the flags that lists have in common.

use clap::{Args, ValueEnum};
use ralph_queue::Status;

use super::task::status;

/// Which tasks.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Only tasks of this status (repeat it for several)
    #[arg(long, value_parser = status())]
    pub(crate) status: Vec<Status>,
    /// Only tasks with one of these tags
    #[arg(long, value_name = "WORD")]
    pub(crate) tag: Vec<String>,
    /// Only tasks whose scope contains one of these texts
    #[arg(long, value_name = "TEXT")]
    pub(crate) scope: Vec<String>,
    /// Only tasks with a time before which they do not start
    #[arg(long)]
    pub(crate) scheduled: bool,
    /// Finished tasks too, and those of the done file
    #[arg(long, conflicts_with = "only_done")]
    pub(crate) include_done: bool,
    /// Only finished tasks, of the queue and of the done file
    #[arg(long)]
    pub(crate) only_done: bool,
}

/// How much of an answer.
#[derive(Debug, Default, Args)]
pub(crate) struct PartArgs {
    /// At most so many entries (0: all)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) limit: usize,
    /// Cut the answer to about so many tokens, and say so; with `--json` it has one entry at least
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Begin after this entry, or where the answer before ended: its `next_cursor`
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

impl PartArgs {
    /// Whether a part is asked for that begins and ends with an entry.
    pub(crate) fn is_of_entries(&self) -> bool {
        self.limit > 0 || self.cursor.is_some()
    }
}

/// How much of them, and how.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// At most so many (0: all)
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
    /// However many there are
    #[arg(long)]
    pub(crate) all: bool,
    /// Cut the answer to about so many tokens, and say so; it has one task at least
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Begin after this task, or where the page before ended: its `next_cursor`
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ListFormat,
    /// Say nothing on stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum ListFormat {
    /// One line each: id, status, priority, title; in a pipe with tabs between
    #[default]
    Compact,
    /// An array of whole tasks
    Json,
    /// In a pipe one line each, with tabs, that has tags, scope, times and custom fields too; on a
    /// terminal as `text`
    Long,
    /// A paragraph each
    Text,
}

/// Find tasks by what they say
///
/// Searches everything a task says: title, description, request, plan,
/// evidence, notes, tags, scope, custom fields and id. Finished tasks are left
/// out, as by `ralph queue list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph queue search parser --include-done
  ralph queue search --regex 'time.?out' --json
  ralph queue search --fuzzy fxprs            Best first")]
pub(crate) struct SearchArgs {
    /// What to look for
    pub(crate) query: String,
    /// It is a regular expression
    #[arg(long)]
    pub(crate) regex: bool,
    /// Its characters may stand apart; the best fit comes first
    #[arg(long, conflicts_with = "regex")]
    pub(crate) fuzzy: bool,
    /// Tell capitals from small letters
    #[arg(long)]
    pub(crate) match_case: bool,
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}
