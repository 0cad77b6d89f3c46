//! `ralph queue claim` and `ralph queue release`.

use std::time::Duration;

use ralph_queue::edit::Restart;
use ralph_queue::lease::{Lease, LeaseError, Request};
use ralph_queue::runnability::Drafts;
use ralph_queue::{Status, Task};
use ralph_state::{Clock as _, TaskId};
use serde::Serialize;
use serde_json::json;

use crate::args::{ClaimArgs, ReleaseArgs};
use crate::commands::input::Texts;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::{self, Project};
use crate::render::envelope::Schema;
use crate::standing;
use crate::ui::{BOLD, Text};

/// How long a claim lasts after each use, if nothing is said.
const TTL: Duration = Duration::from_mins(30);

/// How often a task that was given may turn out to be gone before that counts as a fault.
const TRIES: usize = 16;

pub(crate) fn claim(context: &Context, args: &ClaimArgs) -> Result<Exit, CliError> {
    let mut project = Project::open(context, "ralph queue claim")?;
    if let Some(lease) = renewed(context, &project, args)? {
        return report(context, &project, Some(&lease));
    }
    for _ in 0..TRIES {
        let Some(lease) = take(context, &project, args)? else {
            return report(context, &project, None);
        };
        project.claims.push(lease.token.clone());
        let id = lease.task.as_str();
        match project.edit(context, |edit| edit.start(id, Restart::Keep)) {
            Ok(_) if is_dead(&project, &lease)? => {
                give_back(context, &project, &lease.task)?;
                let message = "the claim that this request got has ended";
                return Err(CliError::new(ErrorKind::Refused, message)
                    .hint("Ask under another `--request-id`."));
            }
            Ok(_) => return report(context, &project, Some(&lease)),
            Err(error) => {
                // Finished or gone since it was looked at, or the queue cannot be written.
                give_back(context, &project, &lease.task)?;
                project.claims.pop();
                if args.id.is_some() || error.kind != ErrorKind::Refused {
                    return Err(error);
                }
            }
        }
    }
    Err(CliError::new(ErrorKind::Busy, "the queue changes faster than a task can be taken"))
}

/// Whether a request that was answered before got a lease anew: its task is not begun then.
fn is_dead(project: &Project, lease: &Lease) -> Result<bool, CliError> {
    let queue = project.queue()?;
    let status = queue.find(lease.task.as_str()).map(|(_, task)| task.status);
    Ok(lease.finished_at.is_none() && lease.request.is_some() && status != Some(Status::Doing))
}

/// Under the lock of the lease file, which all work trees share. It is written before
/// the queue: what a crash leaves lapses.
fn take(context: &Context, project: &Project, args: &ClaimArgs) -> Result<Option<Lease>, CliError> {
    let owner = args.owner.clone().unwrap_or_else(|| owner(context, project));
    // Names of requests are those of one work tree, as its journal has them. What else was asked
    // for under a name must not get its lease: the queue refuses it.
    let name = context.terms().request.map(|request| {
        format!("{} {} in {}", request.id(), request.fingerprint(), project.root.display())
    });
    let taken = project.leases.update(|leases| {
        let queue = project.queue()?;
        let request = Request {
            task: args.id.as_deref(),
            owner: &owner,
            ttl: args.ttl.unwrap_or(TTL),
            drafts: if args.include_draft { Drafts::Include } else { Drafts::Exclude },
            exclude: &standing::of_parallel_run(project, &queue)?.exclude,
            name: name.as_deref(),
            holder: &project.files.holder,
            now: context.clock.now(),
        };
        match leases.claim(&queue, &request) {
            Err(LeaseError::NotFound { id }) => {
                project.find(&queue, &id)?;
                Ok(None)
            }
            taken => Ok::<_, CliError>(taken?),
        }
    })?;
    context.ui.saved(taken.saved);
    Ok(taken.value)
}

/// The claim of a token that was given, with new time.
fn renewed(
    context: &Context,
    project: &Project,
    args: &ClaimArgs,
) -> Result<Option<Lease>, CliError> {
    let wanted = |lease: &&Lease| {
        project.claims.contains(&lease.token)
            && args.id.as_deref().is_none_or(|id| lease.task.as_str() == id)
    };
    if args.next || project.claims.is_empty() {
        return Ok(None);
    }
    project.read_leases()?.permit(&[], &project.claims, context.clock.now())?;
    project.settle(context, &[])?;
    let lease = project.read_leases()?.leases.iter().find(wanted).cloned();
    let Some((lease, ttl)) = lease.clone().zip(args.ttl) else { return Ok(lease) };
    let prolonged = project.leases.update(|leases| {
        leases.prolong(&lease.token, ttl, context.clock.now())?;
        Ok::<_, CliError>(leases.leases.iter().find(wanted).cloned())
    })?;
    context.ui.saved(prolonged.saved);
    Ok(prolonged.value)
}

fn owner(context: &Context, project: &Project) -> String {
    let user = context.env.text("USER").unwrap_or("somebody");
    format!("{user}@{}", project.files.holder.host)
}

fn give_back(context: &Context, project: &Project, task: &TaskId) -> Result<(), CliError> {
    let released = project.leases.update(|leases| Ok::<_, CliError>(leases.release(task)))?;
    context.ui.saved(released.saved);
    Ok(())
}

fn report(context: &Context, project: &Project, lease: Option<&Lease>) -> Result<Exit, CliError> {
    let queue = project.queue()?;
    let Some(lease) = lease else {
        if context.ui.wants_json() {
            let schema = Schema::v1("queue-claim");
            context.ui.print_json(&json!({
                "schema": schema, "rev": project::revision(&queue), "found": false,
                "claim": null, "task": null,
            }))?;
        } else {
            context.ui.say("No task can start now.");
            context.ui.hint("`ralph queue ready` says why.");
        }
        return Ok(Exit::Done);
    };
    if context.ui.wants_json() {
        #[derive(Serialize)]
        struct Claimed<'a> {
            schema: Schema,
            rev: String,
            found: bool,
            claim: &'a Lease,
            task: Option<&'a Task>,
        }
        context.ui.print_json(&Claimed {
            schema: Schema::v1("queue-claim"),
            rev: project::revision(&queue),
            found: true,
            claim: lease,
            task: queue.find(lease.task.as_str()).map(|(_, task)| task),
        })?;
        return Ok(Exit::Done);
    }
    context.ui.print_fields([[lease.task.to_string(), lease.token.clone()].as_slice()])?;
    context.ui.say(format!("Claimed by {} until {}.", lease.owner, lease.expires_at));
    context
        .ui
        .hint(format!("`ralph task done {} --claim {}` when it is done.", lease.task, lease.token));
    Ok(Exit::Done)
}

pub(crate) fn release(context: &Context, args: &ReleaseArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue release")?;
    let id = released(&project, args)?;
    if context.global.force {
        give_back(context, &project, &id)?;
    }
    let note = Texts::of(context).note(&args.note)?;
    let status = project.edit(context, |edit| {
        let status = edit.find(id.as_str()).map(|(_, task)| task.status);
        if status == Some(Status::Doing) {
            edit.set_status(id.as_str(), Status::Todo, note.as_deref())?;
        }
        Ok(status)
    })?;
    let refused = match status {
        Some(Status::Done | Status::Rejected) => Some("there is nothing to take again"),
        Some(Status::Todo | Status::Draft) if !context.global.force => {
            Some("so nothing is put back; release it in the work tree where it was claimed")
        }
        _ => None,
    };
    if let Some((why, status)) = refused.zip(status) {
        let message = format!("task `{id}` is {status} here, {why}");
        return Err(CliError::new(ErrorKind::Refused, message)
            .hint("`--force` gives up the claim, whatever the task is."));
    }
    if context.ui.wants_json() {
        let queue = project.queue()?;
        context.ui.print_json(&json!({
            "schema": Schema::v1("queue-release"),
            "rev": project::revision(&queue),
            "task": queue.find(id.as_str()).map(|(_, task)| task),
        }))?;
    } else {
        context.ui.say(Text::new().style(BOLD, &id).plain(" can be taken again."));
    }
    Ok(Exit::Done)
}

fn released(project: &Project, args: &ReleaseArgs) -> Result<TaskId, CliError> {
    if let Some(id) = &args.task_id {
        return Ok(project.find(&project.queue()?, id)?.1.id.clone());
    }
    let leases = project.read_leases()?.leases;
    let own = leases.into_iter().find(|lease| project.claims.contains(&lease.token));
    own.map(|lease| lease.task).ok_or_else(|| match project.claims.first() {
        Some(token) => LeaseError::Lost { token: token.clone() }.into(),
        None => CliError::new(ErrorKind::Usage, "neither a task nor its claim was given")
            .hint("Name the task, or give `--claim TOKEN`."),
    })
}
