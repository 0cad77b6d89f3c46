//! `ralph task edit|field|schedule|relate|blocks|mark-duplicate|clone|split`.

use ralph_queue::copies::{Copy, Plan};
use ralph_queue::fields::Relation;
use ralph_queue::{Edit, EditError};

use super::change::on;
use crate::args::{
    BlocksArgs, CloneArgs, CopyArgs, EditArgs, FieldArgs, MarkDuplicateArgs, PartsArgs, RelateArgs,
    RelationArg, ScheduleArgs, SplitArgs,
};
use crate::commands::edited::{self, Mode};
use crate::commands::input::{self, Texts};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::Project;

pub(crate) fn edit(context: &Context, args: &EditArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task edit")?;
    let value = Texts::of(context).read(&args.value)?;
    edited::edit(context, &project, Mode::of(args.on.dry_run), |edit| {
        for id in on(edit, &args.on.task_ids, &args.on.tag_filter)? {
            edit.set_field(&id, &args.field, &value)?;
        }
        if !args.no_auto_archive {
            auto_archive(&project, edit);
        }
        Ok(())
    })
}

pub(crate) fn field(context: &Context, args: &FieldArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task field")?;
    let value = Texts::of(context).read(&args.value)?;
    edited::edit(context, &project, Mode::of(args.on.dry_run), |edit| {
        for id in on(edit, &args.on.task_ids, &args.on.tag_filter)? {
            set_custom(edit, &id, &args.key, &value)?;
        }
        auto_archive(&project, edit);
        Ok(())
    })
}

pub(super) fn set_custom(
    edit: &mut Edit<'_>,
    id: &str,
    key: &str,
    value: &str,
) -> Result<(), EditError> {
    let (key, value) = (key.trim().to_owned(), value.to_owned());
    edit.modify(id, |task| drop(task.custom_fields.insert(key, value))).map(drop)
}

/// What the configuration wants done with tasks that ended long ago.
pub(super) fn auto_archive(project: &Project, edit: &mut Edit<'_>) {
    if let Some(days) = project.settings.config.queue.auto_archive_terminal_after_days {
        edit.archive_older(days);
    }
}

pub(crate) fn schedule(context: &Context, args: &ScheduleArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task schedule")?;
    let start = if args.clear {
        None
    } else {
        let when = args.when.join(" ");
        let start = input::time(context, Some(&when)).map_err(|error| {
            error.hint(format!("`ralph task schedule {} --clear` takes it away.", args.task_id))
        })?;
        start.map(|start| start.to_string())
    };
    edited::edit(context, &project, Mode::of(args.dry_run), |edit| {
        edit.modify(&args.task_id, |task| task.scheduled_start = start)?;
        Ok(())
    })
}

pub(crate) fn relate(context: &Context, args: &RelateArgs) -> Result<Exit, CliError> {
    let relation = match args.relation {
        RelationArg::DependsOn => Relation::DependsOn,
        RelationArg::Blocks => Relation::Blocks,
        RelationArg::RelatesTo => Relation::RelatesTo,
        RelationArg::Duplicates => Relation::Duplicates,
    };
    let others = std::slice::from_ref(&args.other_task_id);
    let project = Project::open(context, "ralph task relate")?;
    note(context, &project, Mode::of(args.dry_run), (&args.task_id, relation, others))
}

pub(crate) fn blocks(context: &Context, args: &BlocksArgs) -> Result<Exit, CliError> {
    let BlocksArgs { task_id, blocked_task_ids, dry_run } = args;
    let project = Project::open(context, "ralph task blocks")?;
    note(context, &project, Mode::of(*dry_run), (task_id, Relation::Blocks, blocked_task_ids))
}

pub(crate) fn mark_duplicate(
    context: &Context,
    args: &MarkDuplicateArgs,
) -> Result<Exit, CliError> {
    let original = std::slice::from_ref(&args.original_task_id);
    let project = Project::open(context, "ralph task mark-duplicate")?;
    let relation = Relation::Duplicates;
    note(context, &project, Mode::of(args.dry_run), (&args.task_id, relation, original))
}

fn note(
    context: &Context,
    project: &Project,
    mode: Mode,
    (id, relation, others): (&str, Relation, &[String]),
) -> Result<Exit, CliError> {
    edited::edit(context, project, mode, |edit| {
        for other in others {
            edit.relate(id, relation, other)?;
        }
        Ok(())
    })
}

pub(crate) fn clone(context: &Context, args: &CloneArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task clone")?;
    edited::edit(context, &project, Mode::of(args.dry_run), |edit| {
        edit.clone_task(&args.task_id, &project.files.rules.ids, &copy(&args.copy))?;
        Ok(())
    })
}

pub(crate) fn split(context: &Context, args: &SplitArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task split")?;
    edited::edit(context, &project, Mode::of(args.dry_run), |edit| {
        Ok(into_parts(&project, edit, &args.task_id, &args.parts)?)
    })
}

pub(super) fn into_parts(
    project: &Project,
    edit: &mut Edit<'_>,
    id: &str,
    args: &PartsArgs,
) -> Result<(), EditError> {
    let plan = if args.distribute_plan { Plan::Distribute } else { Plan::Drop };
    let ids = &project.files.rules.ids;
    edit.split(id, ids, usize::from(args.number), &copy(&args.copy), plan).map(drop)
}

pub(super) fn copy(args: &CopyArgs) -> Copy {
    Copy { status: args.status, title_prefix: args.title_prefix.clone() }
}
