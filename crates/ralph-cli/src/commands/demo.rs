//! `ralph demo`.

use crate::args::DemoArgs;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};

pub(crate) fn demo(_: &Context, _: &DemoArgs) -> Result<Exit, CliError> {
    Err(CliError::new(ErrorKind::Missing, "`ralph demo` is not in this build"))
}
