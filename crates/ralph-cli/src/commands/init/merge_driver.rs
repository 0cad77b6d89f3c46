//! What makes git merge queue files by task: two attributes and two settings.

use std::io;
use std::path::Path;

use ralph_queue::QueueFiles;
use ralph_state::file::{Durability, replace};

use super::ignore::with_block;
use super::read;
use crate::args::InitArgs;
use crate::context::Context;
use crate::error::CliError;

const BEGIN: &str = "# >>> ralph: queue files are merged by task";

/// Where the program is missing, git merges as it always did, and leaves markers.
const DRIVER: &str = "if command -v ralph >/dev/null; \
    then ralph queue merge-driver %O %A %B %P; \
    else git merge-file -L ours -L base -L theirs %A %O %B; fi";

/// The driver's name in attributes.
pub(crate) const NAME: &str = "ralph-queue";

/// The setting that says what the driver runs.
pub(crate) const SETTING: &str = "merge.ralph-queue.driver";

const SETTINGS: [(&str, &str); 2] =
    [("merge.ralph-queue.name", "Ralph's queue, task by task"), (SETTING, DRIVER)];

/// Sets it up when the user agrees; whether it is set up now.
pub(super) fn install(
    context: &Context,
    root: &Path,
    files: &QueueFiles,
    args: &InitArgs,
) -> Result<bool, CliError> {
    let attribute = |path: &Path| {
        let inside = path.strip_prefix(root).ok()?.to_str().filter(|name| !name.contains(' '))?;
        Some(format!("/{inside} merge={NAME}"))
    };
    let lines: Vec<String> =
        [&files.queue, &files.done].into_iter().filter_map(|path| attribute(path)).collect();
    if !args.merge_driver {
        if !args.interactive {
            return Ok(false);
        }
        context.ui.say("Git can merge the queue files task by task. It takes, in .gitattributes:");
        for line in &lines {
            context.ui.say(format!("  {line}"));
        }
        context.ui.say("and in this clone's configuration:");
        for (key, value) in SETTINGS {
            context.ui.say(format!("  {key} = {value}"));
        }
        context.ui.say("Set it up? [y/N]");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !answer.trim().to_lowercase().starts_with('y') {
            return Ok(false);
        }
    }
    let repo = context.repo(root)?;
    for (key, value) in SETTINGS {
        repo.set_local(key, value)?;
    }
    let path = root.join(".gitattributes");
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    if let Some(bytes) = with_block(&read(&path)?.unwrap_or_default(), BEGIN, &lines) {
        context.ui.saved(replace(&path, &bytes, Durability::Full)?);
    }
    Ok(true)
}
