//! Text that a command is given on stdin or in a file.

use std::io::{self, Read as _};
use std::path::Path;

use ralph_queue::intake::BadRow;

use crate::error::{CliError, ErrorKind};

/// Tasks longer than this are a mistake, such as a disk image piped in.
pub(crate) const TASKS_LIMIT: u64 = 256 << 20;

/// Reads a file, or stdin without one or for `-`, up to `limit` bytes of UTF-8.
pub(crate) fn read(path: Option<&Path>, limit: u64) -> Result<String, CliError> {
    let path = path.filter(|path| *path != Path::new("-"));
    let name = path.map_or("stdin".to_owned(), |path| format!("`{}`", path.display()));
    let mut bytes = Vec::new();
    let read = match path {
        Some(path) => {
            fs_err::File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        }
        None => io::stdin().lock().take(limit + 1).read_to_end(&mut bytes),
    };
    read.map_err(|error| CliError::from(error).context(format!("cannot read {name}")))?;
    if bytes.len() as u64 > limit {
        let message = format!("{name} is longer than {} MiB", limit >> 20);
        return Err(CliError::new(ErrorKind::Usage, message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let message = format!("{name} is not UTF-8");
        CliError::new(ErrorKind::Usage, error.utf8_error()).context(message)
    })
}

/// Names every row that is no task.
pub(crate) fn refuse_bad(bad: &[BadRow]) -> Result<(), CliError> {
    if bad.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = bad.iter().map(ToString::to_string).collect();
    Err(CliError::new(ErrorKind::Invalid, lines.join("\n"))
        .context("not every row is a task; nothing was added")
        .hint("Correct them and repeat the command."))
}
