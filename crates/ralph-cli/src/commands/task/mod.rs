//! `ralph task …`.

mod add;
mod batch;
mod change;
mod edit;
mod kin;
mod show;
mod template;

use crate::args::{TaskArgs, TaskCommand};
use crate::context::Context;
use crate::error::{CliError, Exit};

pub(crate) use show::{say_cut, shorten, show};

pub(crate) fn task(context: &Context, args: &TaskArgs) -> Result<Exit, CliError> {
    match &args.command {
        TaskCommand::Add(args) => add::add(context, args),
        TaskCommand::Show(args) => show(context, args),
        TaskCommand::Start(args) => change::start(context, args),
        TaskCommand::Done(args) => change::done(context, args),
        TaskCommand::Reject(args) => change::reject(context, args),
        TaskCommand::Note(args) => change::note(context, args),
        TaskCommand::Ready(args) => change::ready(context, args),
        TaskCommand::Status(args) => change::status(context, args),
        TaskCommand::Edit(args) => edit::edit(context, args),
        TaskCommand::Field(args) => edit::field(context, args),
        TaskCommand::Schedule(args) => edit::schedule(context, args),
        TaskCommand::Relate(args) => edit::relate(context, args),
        TaskCommand::Blocks(args) => edit::blocks(context, args),
        TaskCommand::MarkDuplicate(args) => edit::mark_duplicate(context, args),
        TaskCommand::Children(args) => kin::children(context, args),
        TaskCommand::Parent(args) => kin::parent(context, args),
        TaskCommand::Clone(args) => edit::clone(context, args),
        TaskCommand::Split(args) => edit::split(context, args),
        TaskCommand::Mutate(args) => batch::mutate(context, args),
        TaskCommand::Batch(args) => batch::batch(context, args),
        TaskCommand::Template(args) => template::template(context, args),
        TaskCommand::From(args) => template::from(context, args),
    }
}
