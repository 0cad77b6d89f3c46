//! `ralph run …`.

use crate::args::{LoopArgs, OneArgs, ParallelCommand, ResumeArgs, RetryArgs, RunArgs, RunCommand};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};

pub(crate) fn run(context: &Context, args: &RunArgs) -> Result<Exit, CliError> {
    match &args.command {
        RunCommand::One(args) => one(context, args),
        RunCommand::Loop(args) => loop_(context, args),
        RunCommand::Resume(args) => resume(context, args),
        RunCommand::Parallel(args) => match &args.command {
            ParallelCommand::Status => parallel_status(context),
            ParallelCommand::Retry(args) => parallel_retry(context, args),
        },
    }
}

fn one(_: &Context, _: &OneArgs) -> Result<Exit, CliError> {
    Err(not_built("run one"))
}

fn loop_(_: &Context, _: &LoopArgs) -> Result<Exit, CliError> {
    Err(not_built("run loop"))
}

fn resume(_: &Context, _: &ResumeArgs) -> Result<Exit, CliError> {
    Err(not_built("run resume"))
}

fn parallel_status(_: &Context) -> Result<Exit, CliError> {
    Err(not_built("run parallel status"))
}

fn parallel_retry(_: &Context, _: &RetryArgs) -> Result<Exit, CliError> {
    Err(not_built("run parallel retry"))
}

fn not_built(command: &str) -> CliError {
    CliError::new(ErrorKind::Missing, format!("`ralph {command}` is not in this build"))
}
