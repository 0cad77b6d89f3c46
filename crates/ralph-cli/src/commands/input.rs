//! Text that a command is given on stdin or in a file.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ralph_queue::Edit;
use ralph_queue::intake::{BadRow, Batch, GivenIds, RowProblem};
use ralph_queue::when;
use ralph_state::file::check_regular;
use ralph_state::{Clock as _, Timestamp};
use serde_json::{Value, json};

use crate::args::NoteText;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::project::Project;

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
    read.map_err(|error| {
        let error = CliError::from(error).context(format!("cannot read {name}"));
        path.into_iter().fold(error, CliError::at)
    })?;
    if bytes.len() as u64 > limit {
        let message = format!("{name} is longer than {} MiB", limit >> 20);
        return Err(CliError::new(ErrorKind::Usage, message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let message = format!("{name} is not UTF-8");
        CliError::new(ErrorKind::Usage, error.utf8_error()).context(message)
    })
}

/// [`read`] of a file of the project, for which nobody is waited.
pub(crate) fn read_own(path: &Path) -> Result<String, CliError> {
    check_own(path)?;
    read(Some(path), TASKS_LIMIT)
}

/// Refuses what would be waited for, for ever maybe, where a file of the project belongs.
pub(crate) fn check_own(path: &Path) -> Result<(), CliError> {
    check_regular(path).map_err(|error| {
        CliError::from(error).context(format!("cannot read `{}`", path.display())).at(path)
    })
}

/// [`read`], as a part of what the command is asked for.
pub(crate) fn read_asked(
    context: &Context,
    path: Option<&Path>,
    limit: u64,
) -> Result<String, CliError> {
    let text = read(path, limit)?;
    context.heed(&text);
    // Editors of some systems begin every file with it.
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// A text longer than this is a mistake, such as a file piped in.
const TEXT_LIMIT: u64 = 16 << 20;

/// The texts of one command, of which one may come from stdin.
#[derive(Debug)]
pub(crate) struct Texts<'c> {
    context: &'c Context,
    stdin_is_read: bool,
}

impl<'c> Texts<'c> {
    pub(crate) fn of(context: &'c Context) -> Self {
        Self { context, stdin_is_read: false }
    }

    /// What was given; for `-`, what stdin has, without the line breaks at its end.
    pub(crate) fn read(&mut self, given: &str) -> Result<String, CliError> {
        if given != "-" {
            return Ok(given.to_owned());
        }
        if self.stdin_is_read {
            return Err(CliError::new(ErrorKind::Usage, "only one text can be read from stdin")
                .hint("Give the others as they are."));
        }
        self.stdin_is_read = true;
        self.text(None)
    }

    /// What a file has, or stdin, without the line breaks at its end.
    fn text(&self, path: Option<&Path>) -> Result<String, CliError> {
        let text = read_asked(self.context, path, TEXT_LIMIT)?;
        // Other control characters are in what programs print for people.
        if text.contains('\0') {
            let name = path.map_or("stdin".to_owned(), |path| format!("`{}`", path.display()));
            let message = format!("{name} is no text: it has a NUL character");
            return Err(CliError::new(ErrorKind::Usage, message));
        }
        Ok(text.trim_end_matches(['\n', '\r']).to_owned())
    }

    pub(crate) fn read_all(&mut self, given: &[String]) -> Result<Vec<String>, CliError> {
        given.iter().map(|text| self.read(text)).collect()
    }

    pub(crate) fn read_some(&mut self, given: Option<&str>) -> Result<Option<String>, CliError> {
        given.map(|text| self.read(text)).transpose()
    }

    /// A note, or the file that holds it, without secrets.
    pub(crate) fn note(&mut self, args: &NoteText) -> Result<Option<String>, CliError> {
        let note = self.read_or_file(args.note.as_deref(), args.note_file.as_deref())?;
        Ok(note.map(|note| self.without_secrets(note)))
    }

    /// Several notes, likewise.
    pub(crate) fn notes(
        &mut self,
        given: &[String],
        files: &[PathBuf],
    ) -> Result<Vec<String>, CliError> {
        let mut notes = self.read_all(given)?;
        for path in files {
            notes.extend(self.read_or_file(None, Some(path))?);
        }
        Ok(notes.into_iter().map(|note| self.without_secrets(note)).collect())
    }

    /// A note may hold what a program printed, and is committed and pushed with the queue.
    fn without_secrets(&self, note: String) -> String {
        match self.context.redaction().text(&note) {
            Cow::Borrowed(_) => note,
            Cow::Owned(rest) => {
                self.context.ui.warn("what looks like a secret was left out of the note");
                rest
            }
        }
    }

    /// What was given, or what that file has, without the line breaks at its end.
    pub(crate) fn read_or_file(
        &mut self,
        given: Option<&str>,
        file: Option<&Path>,
    ) -> Result<Option<String>, CliError> {
        match file {
            None => self.read_some(given),
            Some(path) if path == Path::new("-") => self.read("-").map(Some),
            Some(path) => self.text(Some(path)).map(Some),
        }
    }
}

/// A time as people give it, if one was given.
pub(crate) fn time(context: &Context, given: Option<&str>) -> Result<Option<Timestamp>, CliError> {
    let time = given.map(|text| when::parse(text, context.clock.now())).transpose();
    time.map_err(|error| CliError::new(ErrorKind::Usage, error))
}

/// Makes every row bad that cannot be added to the queue that is edited, and names them all, unless
/// the others are wanted.
pub(crate) fn sift(
    project: &Project,
    edit: &Edit<'_>,
    batch: &mut Batch,
    given: GivenIds,
    bad: BadRows,
) -> Result<(), CliError> {
    let (queue, now) = (edit.read(), edit.now());
    let mut rules = project.files.rules.clone();
    rules.ids.high_water = edit.high_water();
    batch.check(queue, given, &rules, now)?;
    if batch.bad.is_empty() {
        return Ok(());
    }
    if bad == BadRows::Skip {
        // One that names a bad one is bad itself, since that one stays away.
        while batch.sift(queue, given, &rules, now)? {}
        return Ok(());
    }
    let lines: Vec<String> = batch.bad.iter().map(ToString::to_string).collect();
    Err(CliError::new(ErrorKind::Invalid, lines.join("\n"))
        .context("not every row can be added; nothing was")
        .hint("Correct them and repeat the command.")
        .bad(batch.bad.iter().map(bad_row)))
}

/// Warns of fields that no task has: one may be mistyped.
pub(crate) fn tell_unknown(context: &Context, fields: &BTreeSet<String>) {
    for field in fields {
        context.ui.warn(format!("no task has `{field}`; it is kept as it is"));
    }
}

/// A row that cannot be added, for scripts.
pub(crate) fn bad_row(row: &BadRow) -> Value {
    json!({
        "number": row.number,
        "line": row.line,
        "id": row.id,
        "problems": row.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

/// What is wrong with a row, for scripts.
pub(crate) fn problem(problem: &RowProblem) -> Value {
    json!({
        "field": problem.field,
        "line": problem.at.map(|at| at.line),
        "column": problem.at.map(|at| at.column),
        "message": problem.message,
    })
}

/// What becomes of the other rows when some are bad.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BadRows {
    /// They are not added either.
    Refuse,
    /// They are added.
    Skip,
}
