//! `ralph version`.

use serde_json::json;

use crate::context::Context;
use crate::error::{CliError, Exit};

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn version(context: &Context) -> Result<Exit, CliError> {
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": { "name": "version", "version": 1 },
            "name": "ralph",
            "ralph_version": VERSION,
        }))?;
    } else {
        context.ui.print(format!("ralph {VERSION}"))?;
    }
    Ok(Exit::Done)
}
