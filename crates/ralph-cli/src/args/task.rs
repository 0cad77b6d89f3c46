//! `ralph task …`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use ralph_queue::value::{Map, Value};
use ralph_queue::{Priority, Status};

use super::edit::{
    BatchArgs, BlocksArgs, ChildrenArgs, CloneArgs, EditArgs, FieldArgs, FromArgs, KinArgs,
    MarkDuplicateArgs, MutateArgs, RelateArgs, ScheduleArgs, SplitArgs, TemplateArgs,
};

/// Add, show and change tasks
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task add \"Fix the parser\" --priority high --tag bug
  ralph task show RQ-0007
  ralph task done RQ-0007 --note \"Fixed by hand\"")]
pub(crate) struct TaskArgs {
    #[command(subcommand)]
    pub(crate) command: TaskCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    Add(Box<TaskAddArgs>),
    #[command(after_help = "\
Examples:
  ralph task show RQ-0007
  ralph task show RQ-0007 --format text")]
    Show(ShowArgs),
    Start(StartArgs),
    /// Finish a task that is `todo` or `doing`
    ///
    /// It moves to the done file, unless `queue.finish` is `in_place`.
    #[command(after_help = "\
Examples:
  ralph task done RQ-0007 --note \"Fixed by hand\"
  git log -1 --format=%B | ralph task done RQ-0007 --note -")]
    Done(NoteArgs),
    /// Give up a task that is `todo` or `doing`
    ///
    /// It moves to the done file, unless `queue.finish` is `in_place`.
    #[command(after_help = "\
Examples:
  ralph task reject RQ-0007 --note \"Nobody uses it\"")]
    Reject(NoteArgs),
    /// Make a draft ready to be worked on
    #[command(after_help = "\
Examples:
  ralph task ready RQ-0007
  ralph task ready RQ-0007 --note \"The plan is agreed on\"")]
    Ready(NoteArgs),
    /// Leave word with a task, whoever has it in hand and whatever its status
    #[command(after_help = "\
Examples:
  ralph task note RQ-0007 \"The flag is still read in src/old.rs\"
  cargo test 2>&1 | tail -5 | ralph task note RQ-0007 -")]
    Note(WordArgs),
    Status(StatusArgs),
    Edit(EditArgs),
    Field(FieldArgs),
    Schedule(ScheduleArgs),
    Relate(RelateArgs),
    Blocks(BlocksArgs),
    MarkDuplicate(MarkDuplicateArgs),
    Children(ChildrenArgs),
    /// Show the task that a task is a part of
    #[command(after_help = "\
Examples:
  ralph task parent RQ-0007")]
    Parent(KinArgs),
    Clone(CloneArgs),
    Split(SplitArgs),
    Mutate(MutateArgs),
    Batch(Box<BatchArgs>),
    Template(TemplateArgs),
    From(FromArgs),
}

/// Put a task into the queue
///
/// Prints its id. It goes to the end of the queue; the order in the queue is
/// the order of work.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task add \"Fix the parser\"
  ralph task add \"Write the docs\" --depends-on RQ-0003 --tag docs --scope docs/
  ralph task add \"Port to macOS\" --status draft --plan \"Find what differs\" --plan \"Move it\"
  git log -1 --format=%B | ralph task add \"Undo this\" --description - --first
  ralph task add - --json < tasks.json

Several at once, as JSON (each needs a `title`; an `id` is a name that the others
may use, and is replaced by a new one):
  [{\"id\":\"a\",\"title\":\"First\"},{\"title\":\"Then\",\"depends_on\":[\"a\"]}]")]
pub(crate) struct TaskAddArgs {
    /// One line that says what is wanted; `-` reads whole tasks from stdin, as JSON
    #[arg(value_parser = one_line, required_unless_present = "input")]
    pub(crate) title: Option<String>,
    /// Read whole tasks from this file, as JSON
    #[arg(long, value_name = "FILE", conflicts_with = "title")]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fields: Option<NewTask>,
    /// Put it first (after a task being worked on) instead of last
    #[arg(long, group = "position")]
    pub(crate) first: bool,
    /// Put it directly before this task
    #[arg(long, value_name = "ID", group = "position")]
    pub(crate) before: Option<String>,
    /// Put it directly after this task
    #[arg(long, value_name = "ID", group = "position")]
    pub(crate) after: Option<String>,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What a new task has beside its title.
#[derive(Debug, Default, Args)]
pub(crate) struct NewTask {
    /// What is wanted, at length; `-` reads it from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) description: Option<String>,
    /// Take what is wanted, at length, from this file
    #[arg(long, value_name = "FILE", conflicts_with = "description")]
    pub(crate) description_file: Option<PathBuf>,
    /// `draft` is not worked on until `ralph task ready`; what is over needs `--completed-at`
    #[arg(long, default_value = "todo", hide_default_value = true, value_parser = status())]
    pub(crate) status: Status,
    /// How urgent it is, for you: the order in the queue decides
    #[arg(long, default_value = "medium", value_parser = priority())]
    pub(crate) priority: Priority,
    /// A word to find it by (repeat it, or separate words with commas)
    #[arg(long = "tag", visible_alias = "tags", value_name = "WORD", value_delimiter = ',',
        value_parser = word)]
    pub(crate) tags: Vec<String>,
    /// A path or area it touches (likewise)
    #[arg(long, value_name = "PATH", value_delimiter = ',', value_parser = word)]
    pub(crate) scope: Vec<String>,
    /// What shows that it is needed (repeat it for several; `-` reads stdin)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) evidence: Vec<String>,
    /// One step of the plan (repeat it for several; `-` reads stdin)
    #[arg(long, value_name = "STEP", allow_hyphen_values = true)]
    pub(crate) plan: Vec<String>,
    /// A note (repeat it for several; `-` reads stdin)
    #[arg(long = "note", value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) notes: Vec<String>,
    /// A note from this file (repeat it for several)
    #[arg(long = "note-file", value_name = "FILE")]
    pub(crate) note_files: Vec<PathBuf>,
    /// The words it was asked for in; `-` reads them from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) request: Option<String>,
    /// Tasks that must be finished first
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) depends_on: Vec<String>,
    /// Tasks that must wait for this one
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) blocks: Vec<String>,
    /// Tasks worth reading beside it
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) relates_to: Vec<String>,
    /// The task it repeats
    #[arg(long, value_name = "ID")]
    pub(crate) duplicates: Option<String>,
    /// The task it is a part of
    #[arg(long = "parent", value_name = "ID")]
    pub(crate) parent_id: Option<String>,
    /// Do not start before this time: RFC 3339, a date, or as `ralph task schedule` has it
    #[arg(long, value_name = "TIME")]
    pub(crate) scheduled_start: Option<String>,
    /// How long it may take
    #[arg(long, value_name = "MINUTES")]
    pub(crate) estimated_minutes: Option<u32>,
    /// How long it took
    #[arg(long, value_name = "MINUTES")]
    pub(crate) actual_minutes: Option<u32>,
    /// When it was written, if not now (likewise)
    #[arg(long, value_name = "TIME")]
    pub(crate) created_at: Option<String>,
    /// When it was changed last, if not now (likewise)
    #[arg(long, value_name = "TIME")]
    pub(crate) updated_at: Option<String>,
    /// When work on it began (likewise)
    #[arg(long, value_name = "TIME")]
    pub(crate) started_at: Option<String>,
    /// When it was done or rejected (likewise)
    #[arg(long, value_name = "TIME")]
    pub(crate) completed_at: Option<String>,
    /// A custom field (repeat it for several)
    #[arg(long = "field", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) custom_fields: Vec<(String, String)>,
    /// The agent to run it with
    #[arg(long, value_name = "NAME", help_heading = "Agent of this task",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) runner: Option<String>,
    /// The model to ask for
    #[arg(long, value_name = "NAME", help_heading = "Agent of this task",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) model: Option<String>,
    /// How hard to think
    #[arg(short, long, value_name = "LEVEL", help_heading = "Agent of this task",
        value_parser = ["low", "medium", "high", "xhigh"])]
    pub(crate) effort: Option<String>,
    /// 1: do it; 2: plan and do; 3: plan, do and review
    #[arg(long, value_name = "N", help_heading = "Agent of this task",
        value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) phases: Option<u8>,
    /// How often to go over it
    #[arg(long, value_name = "N", help_heading = "Agent of this task",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) iterations: Option<u32>,
    /// How hard to think every time but the first
    #[arg(long, value_name = "LEVEL", help_heading = "Agent of this task",
        value_parser = ["low", "medium", "high", "xhigh"])]
    pub(crate) followup_reasoning_effort: Option<String>,
    /// Options of its command line, as 0.4.0 has them: `{"sandbox":"disabled"}`
    #[arg(long, value_name = "JSON", help_heading = "Agent of this task", value_parser = object)]
    pub(crate) runner_cli: Option<Map>,
    /// What differs in a phase: `{"phase1":{"model":"small"}}`
    #[arg(long, value_name = "JSON", help_heading = "Agent of this task", value_parser = object)]
    pub(crate) phase_overrides: Option<Map>,
}

/// Show one task with all its fields
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The task
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ShowFormat,
    /// Cut the answer to about so many tokens, and say which fields were cut
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum ShowFormat {
    /// One line
    Compact,
    /// The task as it stands in the file
    #[default]
    Json,
    /// For people
    Text,
}

/// Mark a task as being worked on by hand
///
/// It keeps nobody away: a run goes on with a task in `doing` that nobody has before it begins
/// another. `ralph queue claim --id ID` keeps it yours.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task start RQ-0007")]
pub(crate) struct StartArgs {
    /// The task
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    /// Count the work from now, also when it began earlier
    #[arg(long)]
    pub(crate) reset: bool,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NoteArgs {
    /// The task
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    #[command(flatten)]
    pub(crate) note: NoteText,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WordArgs {
    /// The task, also a finished one
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    /// The note, which is added to those that are there; `-` reads it from stdin
    #[arg(value_name = "TEXT", required_unless_present = "note_file",
        allow_hyphen_values = true, value_parser = text)]
    pub(crate) note: Option<String>,
    /// Take the note from this file
    #[arg(long, value_name = "FILE", conflicts_with = "note")]
    pub(crate) note_file: Option<PathBuf>,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What to note.
#[derive(Debug, Args)]
pub(crate) struct NoteText {
    /// Add a note to the task; `-` reads it from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) note: Option<String>,
    /// Add the text of this file as a note
    #[arg(long, value_name = "FILE", conflicts_with = "note")]
    pub(crate) note_file: Option<PathBuf>,
}

/// Set the status of tasks of the queue, whatever it was
///
/// A task in the done file has ended; `ralph task clone` makes another one like it. A draft is not
/// ended by it: it becomes `todo` first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task status todo RQ-0007     Offer it again
  ralph task status draft --tag-filter later")]
pub(crate) struct StatusArgs {
    /// The new status
    #[arg(value_parser = status())]
    pub(crate) status: Status,
    /// The tasks
    #[arg(value_name = "ID", required_unless_present = "tag_filter")]
    pub(crate) task_ids: Vec<String>,
    /// All tasks of the queue with this tag
    #[arg(long, value_name = "WORD", conflicts_with = "task_ids")]
    pub(crate) tag_filter: Vec<String>,
    #[command(flatten)]
    pub(crate) note: NoteText,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// A status by its word; help and completion list the words.
pub(super) fn status() -> impl TypedValueParser<Value = Status> {
    let words = Status::ALL.iter().map(|status| status.as_str());
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

pub(super) fn priority() -> impl TypedValueParser<Value = Priority> {
    let words = Priority::ALL.iter().map(|priority| priority.as_str());
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

fn text(text: &str) -> Result<String, String> {
    if is_like_flag(text) {
        return Err("it reads like a flag; a text like that goes by stdin, as `-`".to_owned());
    }
    Ok(text.to_owned())
}

/// A text may begin with a dash, as the entry of a list. One word that does is a flag, which a text
/// that was forgotten is not to swallow.
pub(crate) fn is_like_flag(text: &str) -> bool {
    text.starts_with('-') && text.len() > 1 && !text.contains(char::is_whitespace)
}

/// A title is the subject of a commit: the rest belongs into the description.
pub(super) fn one_line(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is blank".to_owned()),
        text if text.contains(['\n', '\r']) => {
            Err("it has a line break; put the rest into `--description`".to_owned())
        }
        text => word(text),
    }
}

/// Tags and paths are shown and sent through pipes line by line.
pub(super) fn word(text: &str) -> Result<String, String> {
    match text.chars().enumerate().find(|(_, c)| c.is_control()) {
        None => Ok(text.to_owned()),
        Some((index, c)) => Err(format!(
            "it has the control character U+{:04X} at character {}",
            u32::from(c),
            index + 1
        )),
    }
}

fn object(text: &str) -> Result<Map, String> {
    match Value::parse(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("it is not a JSON object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write it as `KEY=VALUE`".to_owned()),
    }
}
