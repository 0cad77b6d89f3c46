//! `ralph queue unlock`.

use ralph_state::file::{is_locked, lock_holder};
use serde_json::json;

use crate::args::UnlockArgs;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit, held, is_dead};
use crate::project::Project;
use crate::render::envelope::Schema;

pub(crate) fn unlock(context: &Context, args: &UnlockArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue unlock")?;
    let lock = project.files.lock_path();
    let is_held = is_locked(&lock)?;
    let last = lock_holder(&lock).filter(|_| is_held);
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
            "held": is_held,
            // Who is gone holds nothing, whatever was left of it.
            "holder": last.as_ref().filter(|last| !is_dead(last)),
        }))?;
        return Ok(Exit::Done);
    }
    match (legacy, args.dry_run) {
        (Some(_), true) => context.ui.say("`.ralph/lock` of a dead process would be removed."),
        (Some(_), false) => context.ui.say("`.ralph/lock` of a dead process is removed."),
        (None, _) => context.ui.say("Nothing to unlock: a lock frees itself when its holder ends."),
    }
    if is_held {
        let told = held(project.shown(&lock), last.as_ref());
        context.ui.say(format!("Now {told}."));
    }
    Ok(Exit::Done)
}
