//! `ralph task edit`, and the other commands that change tasks that are there.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use ralph_queue::{Priority, Status, fields};

use super::TextOrJson;
use super::task::{NoteText, priority, status};
use super::which::ListFormat;

/// Set one field of tasks
///
/// A list (tags, scope, evidence, plan, notes, and those of ids) is given with commas or line
/// breaks between its entries, or as a JSON array, and replaces the old one. An empty value
/// clears a field; an empty status or priority goes on to the next. Times are RFC 3339.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task edit priority high RQ-0007 RQ-0008
  ralph task edit plan '[\"Look, then leap\", \"Test it\"]' RQ-0007
  ralph task edit description - RQ-0007 < description.txt
  ralph task edit scheduled_start \"next monday\" --tag-filter docs --dry-run")]
pub(crate) struct EditArgs {
    /// The field
    #[arg(value_parser = PossibleValuesParser::new(fields::NAMES))]
    pub(crate) field: String,
    /// Its new value; `-` reads it from stdin
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) on: OnTasks,
    /// Leave finished tasks where they are, whatever the configuration says
    #[arg(long)]
    pub(crate) no_auto_archive: bool,
}

/// Set a custom field of tasks
///
/// Values are texts, as in 0.4.0: a number or a `true` that somebody wrote into the file stays there,
/// and is shown, exported and copied as a text.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task field sprint 12 RQ-0007 RQ-0008
  ralph task field sprint 12 --tag-filter docs --dry-run")]
pub(crate) struct FieldArgs {
    /// The name of the field, without blanks
    pub(crate) key: String,
    /// Its new value; `-` reads it from stdin
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) on: OnTasks,
}

/// Which tasks, and whether in earnest.
#[derive(Debug, Args)]
pub(crate) struct OnTasks {
    /// The tasks
    #[arg(value_name = "ID", required_unless_present = "tag_filter")]
    pub(crate) task_ids: Vec<String>,
    /// All tasks of the queue with this tag
    #[arg(long, value_name = "WORD", conflicts_with = "task_ids")]
    pub(crate) tag_filter: Vec<String>,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Say before when a task does not start
///
/// WHEN is `in 2 hours` (minutes, hours, days, weeks), `tomorrow [TIME]`, `next monday [TIME]` or
/// RFC 3339. A time is as `14:30` or `9am`; without one it is 9:00. All in UTC.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task schedule RQ-0007 tomorrow 14:30
  ralph task schedule RQ-0007 \"in 2 days\"
  ralph task schedule RQ-0007 --clear")]
pub(crate) struct ScheduleArgs {
    /// The task
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    /// The time
    #[arg(required_unless_present = "clear")]
    pub(crate) when: Vec<String>,
    /// It may start at once
    #[arg(long, conflicts_with = "when")]
    pub(crate) clear: bool,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Note how one task stands to another
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task relate RQ-0007 depends_on RQ-0003
  ralph task relate RQ-0007 relates_to RQ-0004")]
pub(crate) struct RelateArgs {
    /// The task that gets the note
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    /// How it stands
    pub(crate) relation: RelationArg,
    /// To which task
    #[arg(value_name = "OTHER-ID")]
    pub(crate) other_task_id: String,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum RelationArg {
    /// It waits for the other
    DependsOn,
    /// The other waits for it
    Blocks,
    /// Both are worth reading together
    RelatesTo,
    /// It repeats the other
    Duplicates,
}

/// Let tasks wait for another
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task blocks RQ-0003 RQ-0007 RQ-0008    These two wait for RQ-0003")]
pub(crate) struct BlocksArgs {
    /// The task they wait for
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    /// The tasks that wait
    #[arg(value_name = "BLOCKED-ID", required = true)]
    pub(crate) blocked_task_ids: Vec<String>,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Note that a task repeats another
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task mark-duplicate RQ-0007 RQ-0003    RQ-0007 repeats RQ-0003")]
pub(crate) struct MarkDuplicateArgs {
    /// The task
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    /// The one it repeats
    #[arg(value_name = "ORIGINAL-ID")]
    pub(crate) original_task_id: String,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// List the parts of a task
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task children RQ-0007
  ralph task children RQ-0007 --recursive --include-done")]
pub(crate) struct ChildrenArgs {
    #[command(flatten)]
    pub(crate) of: KinArgs,
    /// And their parts, all the way down
    #[arg(long)]
    pub(crate) recursive: bool,
}

/// Whose relatives, and how to print them.
#[derive(Debug, Args)]
pub(crate) struct KinArgs {
    /// The task
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    /// Look in the done file too
    #[arg(long)]
    pub(crate) include_done: bool,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ListFormat,
}

/// Put a copy of a task into the queue
///
/// The copy follows the task; what that waited for and has been through is left out. Prints its
/// id.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task clone RQ-0007
  ralph task clone RQ-0007 --title-prefix \"Again: \" --status draft")]
pub(crate) struct CloneArgs {
    /// The task, in the queue or the done file
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What copies are like.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The status of what is made
    #[arg(long, default_value = "draft", value_parser = status())]
    pub(crate) status: Status,
    /// What comes before the title
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) title_prefix: String,
}

/// Split a task into parts
///
/// The parts follow the task and name it as their parent; the task itself is rejected, with
/// `split` as a custom field, and what waited for it waits for all of them. As in 0.4.0 it stays in
/// the queue until `ralph queue archive`. Prints the ids of the parts.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task split RQ-0007 --number 3
  ralph task split RQ-0007 --distribute-plan --dry-run")]
pub(crate) struct SplitArgs {
    /// The task
    #[arg(value_name = "ID")]
    pub(crate) task_id: String,
    #[command(flatten)]
    pub(crate) parts: PartsArgs,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Into what a task is split.
#[derive(Debug, Args)]
pub(crate) struct PartsArgs {
    /// Into how many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 2,
        value_parser = clap::value_parser!(u8).range(2..=100))]
    pub(crate) number: u8,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
    /// Deal out the steps of the plan, one to each part in turn
    #[arg(long)]
    pub(crate) distribute_plan: bool,
}

/// Change fields of tasks as a JSON document says
///
/// The document is `{"version": 1, "atomic": true, "tasks": [{"task_id": ID,
/// "expected_updated_at": TIME, "edits": [{"field": NAME, "value": VALUE}]}]}`. A task that was
/// changed since `expected_updated_at` is a conflict. With `atomic`, which is the default, all is
/// changed or nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task mutate --input changes.json --dry-run
  ralph task mutate --format json < changes.json")]
pub(crate) struct MutateArgs {
    /// Where it is; without it or with `-`, on stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to print what was done
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TextOrJson,
}

/// Do the same to many tasks at once
///
/// The tasks are named, or all of the queue that pass the filters. All are changed, or none.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task batch status draft --tag-filter later
  ralph task batch edit priority low RQ-0007 RQ-0008
  ralph task batch archive --status-filter done --older-than 30d --dry-run")]
pub(crate) struct BatchArgs {
    /// Show the difference; change nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Change those that can be, and name the others
    #[arg(long, global = true)]
    pub(crate) continue_on_error: bool,
    #[command(subcommand)]
    pub(crate) command: BatchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// Set the status
    #[command(after_help = "\
Examples:
  ralph task batch status draft --tag-filter later
  ralph task batch status done RQ-0007 RQ-0008 --note \"Shipped\"")]
    Status {
        /// The new status
        #[arg(value_parser = status())]
        status: Status,
        #[command(flatten)]
        note: NoteText,
        #[command(flatten)]
        pick: PickArgs,
    },
    /// Set a custom field
    #[command(after_help = "\
Examples:
  ralph task batch field sprint 12 --tag-filter docs")]
    Field {
        /// The name of the field, without blanks
        key: String,
        /// Its new value; `-` reads it from stdin
        #[arg(allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        pick: PickArgs,
    },
    /// Set a field, as `ralph task edit`
    #[command(after_help = "\
Examples:
  ralph task batch edit priority low RQ-0007 RQ-0008")]
    Edit {
        /// The field
        #[arg(value_parser = PossibleValuesParser::new(fields::NAMES))]
        field: String,
        /// Its new value; `-` reads it from stdin
        #[arg(allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        pick: PickArgs,
    },
    /// Remove tasks for good, unless others name them
    #[command(after_help = "\
Examples:
  ralph task batch delete --status-filter rejected --older-than 90d --dry-run")]
    Delete {
        #[command(flatten)]
        pick: PickArgs,
    },
    /// Move finished tasks to the done file
    #[command(after_help = "\
Examples:
  ralph task batch archive --status-filter done --older-than 30d --dry-run")]
    Archive {
        #[command(flatten)]
        pick: PickArgs,
    },
    /// Copy tasks, as `ralph task clone`
    #[command(after_help = "\
Examples:
  ralph task batch clone RQ-0007 RQ-0008 --title-prefix \"Again: \"")]
    Clone {
        #[command(flatten)]
        copy: CopyArgs,
        #[command(flatten)]
        pick: PickArgs,
    },
    /// Split tasks, as `ralph task split`
    #[command(after_help = "\
Examples:
  ralph task batch split RQ-0007 RQ-0008 --number 3 --distribute-plan")]
    Split {
        #[command(flatten)]
        parts: PartsArgs,
        #[command(flatten)]
        pick: PickArgs,
    },
    /// Add steps at the end of the plan
    #[command(after_help = "\
Examples:
  ralph task batch plan-append --plan-item \"Update the docs\" --tag-filter api")]
    PlanAppend {
        /// A step (repeat it for several; `-` reads stdin)
        #[arg(long, value_name = "STEP", required = true, allow_hyphen_values = true)]
        plan_item: Vec<String>,
        #[command(flatten)]
        pick: PickArgs,
    },
    /// Add steps at the beginning of the plan
    #[command(after_help = "\
Examples:
  ralph task batch plan-prepend --plan-item \"Write a failing test\" RQ-0007")]
    PlanPrepend {
        /// A step (repeat it for several; `-` reads stdin)
        #[arg(long, value_name = "STEP", required = true, allow_hyphen_values = true)]
        plan_item: Vec<String>,
        #[command(flatten)]
        pick: PickArgs,
    },
}

impl BatchCommand {
    pub(crate) fn pick(&self) -> &PickArgs {
        match self {
            Self::Status { pick, .. }
            | Self::Field { pick, .. }
            | Self::Edit { pick, .. }
            | Self::Delete { pick }
            | Self::Archive { pick }
            | Self::Clone { pick, .. }
            | Self::Split { pick, .. }
            | Self::PlanAppend { pick, .. }
            | Self::PlanPrepend { pick, .. } => pick,
        }
    }
}

/// Which tasks a batch is about.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which tasks")]
pub(crate) struct PickArgs {
    /// These tasks; filters narrow them down
    #[arg(value_name = "ID", required_unless_present_any = [
        "tag_filter", "status_filter", "priority_filter", "scope_filter", "older_than"])]
    pub(crate) task_ids: Vec<String>,
    /// Only tasks with one of these tags
    #[arg(long, value_name = "WORD")]
    pub(crate) tag_filter: Vec<String>,
    /// Only tasks of one of these statuses
    #[arg(long, value_name = "STATUS", value_parser = status())]
    pub(crate) status_filter: Vec<Status>,
    /// Only tasks of one of these priorities
    #[arg(long, value_name = "PRIORITY", value_parser = priority())]
    pub(crate) priority_filter: Vec<Priority>,
    /// Only tasks whose scope contains one of these texts
    #[arg(long, value_name = "TEXT")]
    pub(crate) scope_filter: Vec<String>,
    /// Only tasks last changed so long ago (`7d`, `2w`, `12h`), or before a date or time
    #[arg(long, value_name = "AGE")]
    pub(crate) older_than: Option<String>,
}

/// Use task templates
///
/// A template of your own is a file `.ralph/templates/NAME.json`: an object with fields of a task,
/// such as `{"priority": "high", "plan": ["Look at {{target}}"]}`, and perhaps with
/// `template_description`, which says what it is for. `{{NAME}}` is a variable.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task template list
  ralph task template show bug")]
pub(crate) struct TemplateArgs {
    #[command(subcommand)]
    pub(crate) command: TemplateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TemplateCommand {
    /// List the templates: those of `.ralph/templates`, and the built-in ones
    #[command(after_help = "\
Examples:
  ralph task template list")]
    List,
    /// Print a template: what its file says of the task is `task` there
    #[command(after_help = "\
Examples:
  ralph task template show bug")]
    Show {
        /// Its name
        name: String,
    },
}

/// Make a task from something
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task from template bug --title \"Crash on empty input\"")]
pub(crate) struct FromArgs {
    #[command(subcommand)]
    pub(crate) command: FromCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FromCommand {
    Template(FromTemplateArgs),
}

/// Put a task made from a template into the queue
///
/// `{{NAME}}` in the template becomes the value given with `--set NAME=VALUE`. With `target` set,
/// `file` and `module` follow from it; `branch` is the branch checked out. Prints the id.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ralph task from template bug --title \"Crash on empty input\" --set target=src/parse.rs")]
pub(crate) struct FromTemplateArgs {
    /// The name of the template
    pub(crate) template: String,
    /// One line that says what is wanted
    #[arg(long, value_parser = super::task::one_line)]
    pub(crate) title: String,
    /// A value for a variable (repeat it for several)
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::task::key_value)]
    pub(crate) set: Vec<(String, String)>,
    /// More tags
    #[arg(short, long, value_name = "WORD", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// Refuse when a variable has no value
    #[arg(long)]
    pub(crate) strict_templates: bool,
    /// Show the difference; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
