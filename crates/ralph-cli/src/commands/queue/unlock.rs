//! `ralph queue unlock`.

use ralph_state::file::{is_locked, lock_holder};
use serde_json::json;

use crate::args::UnlockArgs;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::Project;
use crate::render::envelope::Schema;

pub(crate) fn unlock(context: &Context, args: &UnlockArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue unlock")?;
    let lock = project.files.lock_path();
    let holder = if is_locked(&lock)? { lock_holder(&lock) } else { None };
    let legacy = project.files.legacy_lock.as_ref().filter(|legacy| legacy.directory.is_dir());
    if let Some(legacy) = legacy {
        if let Some((pid, _)) = legacy.living_holder() {
            let message = format!("process {pid} of an older Ralph holds `.ralph/lock`");
            return Err(CliError::new(ErrorKind::Busy, message)
                .hint("Wait until it is done, or end it.")
                .at(&legacy.directory));
        }
        if !args.dry_run {
            fs_err::remove_dir_all(&legacy.directory)?;
        }
    }
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": Schema::v1("queue-unlock"),
            "dry_run": args.dry_run,
            "stale": legacy.map(|legacy| &legacy.directory),
            "holder": holder,
        }))?;
        return Ok(Exit::Done);
    }
    match (legacy, args.dry_run) {
        (Some(_), true) => context.ui.say("`.ralph/lock` of a dead process would be removed."),
        (Some(_), false) => context.ui.say("`.ralph/lock` of a dead process is removed."),
        (None, _) => context.ui.say("Nothing to unlock: a lock frees itself when its holder ends."),
    }
    if let Some(holder) = holder {
        let (pid, command) = (holder.pid, holder.command);
        context.ui.say(format!("The queue is held by process {pid} (`{command}`), which lives."));
    }
    Ok(Exit::Done)
}
