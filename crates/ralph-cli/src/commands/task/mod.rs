//! `ralph task …`.

mod add;
mod change;
mod show;

use crate::args::{TaskArgs, TaskCommand};
use crate::context::Context;
use crate::error::{CliError, Exit};

pub(crate) use show::show;

pub(crate) fn task(context: &Context, args: &TaskArgs) -> Result<Exit, CliError> {
    match &args.command {
        TaskCommand::Add(args) => add::add(context, args),
        TaskCommand::Show(args) => show(context, args),
        TaskCommand::Start(args) => change::start(context, args),
        TaskCommand::Done(args) => change::done(context, args),
        TaskCommand::Reject(args) => change::reject(context, args),
        TaskCommand::Ready(args) => change::ready(context, args),
        TaskCommand::Status(args) => change::status(context, args),
    }
}
