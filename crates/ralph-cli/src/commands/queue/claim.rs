//! `ralph queue claim` and `ralph queue release`.

use std::slice;
use std::time::Duration;

use ralph_queue::edit::Restart;
use ralph_queue::lease::{By, Lease, LeaseError, Leases, Request};
use ralph_queue::runnability::Drafts;
use ralph_queue::{Edit, EditError, Queue, Status, Task, UpdateError};
use ralph_state::{Clock as _, TaskId, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::args::{ClaimArgs, ReleaseArgs};
use crate::commands::edited::{self, Mode};
use crate::commands::input::Texts;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::hint::Next;
use crate::project::{self, CLAIM, Project, RELEASE, Refusal};
use crate::render::envelope::Schema;
use crate::standing;
use crate::ui::{BOLD, Text};

/// How long a claim lasts after each use, if nothing is said.
const TTL: Duration = Duration::from_mins(30);

/// How often a task that was given may turn out to be gone before that counts as a fault.
const TRIES: usize = 16;

pub(crate) fn claim(context: &Context, args: &ClaimArgs) -> Result<Exit, CliError> {
    let mut project = Project::open(context, CLAIM)?;
    if args.dry_run {
        return rehearse(context, &project, args);
    }
    if let Some(lease) = project.answer::<Lease>(context)? {
        let leases = project.read_leases()?;
        leases.permit(&[], slice::from_ref(&lease.token), context.clock.now()).map_err(ended)?;
        return report(context, &project.queue()?, Some(&as_it_is(&leases, lease)));
    }
    if let Some(lease) = renewed(context, &project, args)? {
        return report(context, &project.queue()?, Some(&lease));
    }
    for _ in 0..TRIES {
        let (lease, seen) = take(context, &project, args)?;
        let Some(lease) = lease else { return report(context, &seen, None) };
        let rev = seen.revision();
        // It need not be there while the queue is read again.
        drop(seen);
        project.claims.push(lease.token.clone());
        let started = project.change(context, |edit| {
            // Nothing else is looked at twice: it takes as long as the choice did.
            if edit.read().revision() != rev {
                startable(context, &project, edit, (&lease, args))?;
            }
            edit.start(lease.task.as_str(), Restart::Keep)?;
            Ok(lease.clone())
        });
        let error = match started {
            Ok(started) => {
                let lease = match project.read_leases() {
                    Ok(leases) => as_it_is(&leases, lease),
                    Err(_) => lease,
                };
                return report(context, &started.after(), Some(&lease));
            }
            Err(error) => error,
        };
        // If nobody can give it back, it lapses.
        let given_back =
            project.queue().and_then(|queue| give_back(context, &project, (&queue, &lease.task)));
        if let Err(kept) = given_back {
            context.ui.warn(format_args!(
                "{} stays claimed: {}",
                lease.task,
                kept.chain().join(": ")
            ));
        }
        project.claims.pop();
        if args.id.is_some() || !has_changed_meanwhile(&error) {
            return Err(project.refused(error));
        }
    }
    Err(CliError::new(ErrorKind::Busy, "the queue changes faster than a task can be taken"))
}

/// The lease as the edit that began its task has renewed it.
fn as_it_is(leases: &Leases, lease: Lease) -> Lease {
    let found = leases.leases.iter().find(|found| found.token == lease.token);
    found.cloned().unwrap_or(lease)
}

/// What [`claim`] would do to the queue.
fn rehearse(context: &Context, project: &Project, args: &ClaimArgs) -> Result<Exit, CliError> {
    if own(context, project, args)?.is_some() {
        return edited::edit(context, project, Mode::Show, |_| Ok(()));
    }
    let (lease, seen) = choose(context, project, args, &mut project.read_leases()?)?;
    let Some(lease) = lease else { return report(context, &seen, None) };
    let exit = edited::edit(context, project, Mode::Show, |edit| {
        startable(context, project, edit, (&lease, args))?;
        edit.start(lease.task.as_str(), Restart::Keep)?;
        Ok(())
    })?;
    if !context.ui.wants_json() {
        let text = Text::new().style(BOLD, &lease.task);
        context.ui.say(text.plain(format_args!(" would be claimed by {}.", lease.owner)));
    }
    Ok(exit)
}

/// Whether it is no more the task that was chosen, so that another can be: nothing else goes away
/// by asking again.
fn has_changed_meanwhile(error: &UpdateError<Refusal>) -> bool {
    matches!(
        error,
        UpdateError::Refused(
            Refusal::Lease(LeaseError::NotReady { .. } | LeaseError::NotFound { .. })
                | Refusal::Edit(
                    EditError::NotFound { .. }
                        | EditError::Archived { .. }
                        | EditError::WrongStatus { .. }
                )
        )
    )
}

/// That the task which was chosen can start in the queue that is changed, as it could in the one
/// that it was chosen from.
fn startable(
    context: &Context,
    project: &Project,
    edit: &Edit<'_>,
    (lease, args): (&Lease, &ClaimArgs),
) -> Result<(), Refusal> {
    let queue = edit.read();
    let exclude = standing::of_parallel_run(context, project, queue)?.exclude;
    let request = Request {
        task: args.id.as_deref(),
        owner: &lease.owner,
        ttl: Duration::from_secs(lease.ttl_seconds),
        drafts: drafts(args),
        exclude: &exclude,
        name: None,
        holder: &project.files.holder,
        now: edit.now(),
    };
    Ok(project.leases_for(queue)?.still_startable(queue, lease, &request)?)
}

fn drafts(args: &ClaimArgs) -> Drafts {
    if args.include_draft { Drafts::Include } else { Drafts::Exclude }
}

/// That the claim which was the answer is none any more. Another would be one that nobody works
/// under.
fn ended(error: LeaseError) -> CliError {
    CliError::new(ErrorKind::Refused, error)
        .context("this request was answered before")
        .hint("Ask under another `--request-id`.")
}

/// Under the lock of the lease file, which all work trees share. It is written before
/// the queue: what a crash leaves lapses. With the queue that it was looked for in.
fn take(
    context: &Context,
    project: &Project,
    args: &ClaimArgs,
) -> Result<(Option<Lease>, Queue), CliError> {
    let taken = project.leases.update(|leases| choose(context, project, args, leases))?;
    context.ui.saved(taken.saved);
    Ok(taken.value)
}

/// The same in these leases alone.
fn choose(
    context: &Context,
    project: &Project,
    args: &ClaimArgs,
    leases: &mut Leases,
) -> Result<(Option<Lease>, Queue), CliError> {
    let owner = args.owner.clone().unwrap_or_else(|| owner(context, project));
    // Names of requests are those of one work tree, as its journal has them. What else was asked
    // for under a name must not get its lease: the queue refuses it.
    let name = context.terms().request.map(|request| {
        format!("{} {} in {}", request.id(), request.fingerprint(), project.root.display())
    });
    let session = project.open_session()?;
    let queue = project.queue()?;
    project.heed_taken_back(leases, &queue);
    if let Some(id) = session.filter(|task| args.id.as_ref() == Some(task)) {
        return Err(of_session(&id));
    }
    let request = Request {
        task: args.id.as_deref(),
        owner: &owner,
        ttl: args.ttl.unwrap_or(TTL),
        drafts: drafts(args),
        exclude: &standing::of_parallel_run(context, project, &queue)?.exclude,
        name: name.as_deref(),
        holder: &project.files.holder,
        now: context.clock.now(),
    };
    let taken = match leases.claim(&queue, &request) {
        Err(LeaseError::NotFound { id }) => {
            project.with_id(&queue, &id)?;
            None
        }
        Err(error @ LeaseError::Held { .. }) => {
            return Err(CliError::from(error).instead(
                Next::CLAIM_NEXT
                    .within("Take another: {}. If the claim is yours, add `--claim TOKEN`."),
            ));
        }
        taken => taken?,
    };
    Ok((taken, queue))
}

/// That a run in the checkout has the task, or goes on with it.
fn of_session(id: &str) -> CliError {
    let message = format!("task `{id}` is that of a run in your checkout");
    CliError::new(ErrorKind::Refused, message)
        .hint("`ralph run resume` goes on with it where that run has ended.")
}

/// Whether it is the claim of a token that was given.
fn is_own(lease: &Lease, project: &Project, args: &ClaimArgs) -> bool {
    project.claims.contains(&lease.token) && args.id.as_deref().is_none_or(|id| lease.is_of(id))
}

/// The claim of a token that was given.
fn own(context: &Context, project: &Project, args: &ClaimArgs) -> Result<Option<Lease>, CliError> {
    if args.next || project.claims.is_empty() {
        return Ok(None);
    }
    let leases = project.leases_for(&project.queue()?)?;
    leases.permit(&[], &project.claims, context.clock.now())?;
    let asked = args.id.as_ref().and_then(|id| id.parse().ok());
    leases.meant(asked.as_slice(), &project.claims)?;
    let mut own = leases.leases.iter().filter(|lease| is_own(lease, project, args)).peekable();
    let first = own.peek().copied().cloned();
    match own.find_map(Lease::end) {
        Some(ended) => Err(ended.into()),
        None => Ok(first),
    }
}

/// The claim of a token that was given, with new time.
fn renewed(
    context: &Context,
    project: &Project,
    args: &ClaimArgs,
) -> Result<Option<Lease>, CliError> {
    let Some(own) = own(context, project, args)? else { return Ok(None) };
    let wanted = |lease: &&Lease| lease.token == own.token;
    project.settle(context, (&project.queue()?, &[]), By::Edit)?;
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
    let user = ["USER", "LOGNAME"].iter().find_map(|name| context.env.text(name));
    let user = user.map_or_else(ralph_process::user_name, str::to_owned);
    format!("{user}@{}", project.files.holder.host)
}

fn give_back(
    context: &Context,
    project: &Project,
    (queue, task): (&Queue, &TaskId),
) -> Result<(), CliError> {
    let released = project.leases.update(|leases| {
        leases.follow(queue);
        Ok::<_, CliError>(leases.release(task))
    })?;
    context.ui.saved(released.saved);
    Ok(())
}

#[derive(Serialize)]
struct Claimed<'a> {
    schema: Schema,
    rev: String,
    found: bool,
    claim: Claim<'a>,
    task: Option<&'a Task>,
}

/// A lease as its owner is told of it.
#[derive(Serialize)]
struct Claim<'a> {
    task: &'a TaskId,
    token: &'a str,
    owner: &'a str,
    taken_at: Timestamp,
    ttl_seconds: u64,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
}

impl<'a> Claim<'a> {
    fn of(lease: &'a Lease, task: &'a TaskId) -> Self {
        let Lease { token, owner, taken_at, ttl_seconds, expires_at, finished_at, .. } = lease;
        let (taken_at, ttl_seconds) = (*taken_at, *ttl_seconds);
        let (expires_at, finished_at) = (*expires_at, *finished_at);
        Self { task, token, owner, taken_at, ttl_seconds, expires_at, finished_at }
    }
}

/// `queue` is the one that it was taken in.
fn report(context: &Context, queue: &Queue, lease: Option<&Lease>) -> Result<Exit, CliError> {
    let rev = project::revision(queue);
    let Some(lease) = lease else {
        if context.ui.wants_json() {
            let schema = Schema::v1("queue-claim");
            context.ui.print_json(&json!({
                "schema": schema, "rev": rev, "found": false, "claim": null, "task": null,
            }))?;
        } else {
            context.ui.say("No task can start now.");
            context.ui.hint("`ralph queue ready` says why.");
        }
        return Ok(Exit::Done);
    };
    let task = lease.task_in(queue);
    let id = task.map_or(&lease.task, |task| &task.id);
    if context.ui.wants_json() {
        context.ui.print_json(&Claimed {
            schema: Schema::v1("queue-claim"),
            rev,
            found: true,
            claim: Claim::of(lease, id),
            task,
        })?;
        return Ok(Exit::Done);
    }
    context.ui.print_fields([[id.to_string(), lease.token.clone()].as_slice()])?;
    context.ui.say(format!("Claimed by {} until {}.", lease.owner, lease.expires_at));
    context.ui.hint(match task {
        Some(_) => format!("`ralph task done {id} --claim {}` when it is done.", lease.token),
        None => "Its task is not in this queue: it is written to where it was claimed.".to_owned(),
    });
    Ok(Exit::Done)
}

pub(crate) fn release(context: &Context, args: &ReleaseArgs) -> Result<Exit, CliError> {
    let mut project = Project::open(context, RELEASE)?;
    // A part of what is asked for, and so of whether it was asked for before.
    let note = Texts::of(context).note(&args.note)?;
    if args.dry_run {
        let id = released(context, &project, args)?;
        let leases = project.leases_in(&project.queue()?)?;
        let held = leases.held(id.as_str(), context.clock.now());
        // Whoever has it.
        project
            .claims
            .extend(held.filter(|_| context.global.force).map(|lease| lease.token.clone()));
        let mut was = None;
        let report = edited::make(context, &project, Mode::Show, |edit| {
            was = putting_back(edit, &id, note.as_deref())?;
            Ok(())
        })?;
        may_be_put_back(context, &project, &id, was)?;
        return report.tell(context);
    }
    let ((id, status), queue) = match project.answer(context)? {
        Some(answered) => (answered, project.queue()?),
        None => put_back(context, &project, args, note.as_deref())?,
    };
    may_be_put_back(context, &project, &id, status)?;
    if context.ui.wants_json() {
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

/// That there was something to put back: a task with that status.
fn may_be_put_back(
    context: &Context,
    project: &Project,
    id: &TaskId,
    status: Option<Status>,
) -> Result<(), CliError> {
    let leases = project.leases_in(&project.queue()?)?;
    let is_held = leases.held(id.as_str(), context.clock.now()).is_some();
    let refused = match status {
        Some(Status::Done | Status::Rejected) => {
            let hint = format!("{{}} shows it; `{}` opens it again.", Next::reopen(id));
            Some(("there is nothing to take again", Next::show(id).within(&hint)))
        }
        Some(Status::Todo | Status::Draft) if context.global.force => None,
        Some(Status::Todo | Status::Draft) if is_held => Some((
            "so nothing is put back; release it in the work tree where it was claimed",
            "`--force` gives up the claim, whatever the task is.".into(),
        )),
        Some(Status::Todo | Status::Draft) => {
            let hint = format!("{{}} shows it; `{}` claims it.", Next::claim(id));
            Some(("and nobody has claimed it", Next::show(id).within(&hint)))
        }
        _ => None,
    };
    if let Some(((why, hint), status)) = refused.zip(status) {
        let message = format!("task `{id}` is {status} here, {why}");
        return Err(CliError::new(ErrorKind::Refused, message).hint(hint));
    }
    Ok(())
}

/// Puts a task back, and tells the status that it had.
fn putting_back(
    edit: &mut Edit<'_>,
    id: &TaskId,
    note: Option<&str>,
) -> Result<Option<Status>, Refusal> {
    edit.unambiguous(id.as_str())?;
    let status = edit.find(id.as_str()).map(|(_, task)| task.status);
    if status == Some(Status::Doing) {
        edit.set_status(id.as_str(), Status::Todo, note)?;
    }
    Ok(status)
}

/// The task that was to be put back, and the status that it had; with both files after it.
fn put_back(
    context: &Context,
    project: &Project,
    args: &ReleaseArgs,
    note: Option<&str>,
) -> Result<((TaskId, Option<Status>), Queue), CliError> {
    let id = released(context, project, args)?;
    if context.global.force {
        give_back(context, project, (&project.queue()?, &id))?;
    }
    let answered = project.edit(context, |edit| {
        let status = putting_back(edit, &id, note)?;
        Ok((id, status))
    })?;
    let queue = answered.after();
    let answered = answered.value;
    if context.global.force && answered.1.is_some_and(|status| !status.is_terminal()) {
        project.forget_ends(context, (&queue, slice::from_ref(&answered.0)))?;
    }
    Ok((answered, queue))
}

fn released(context: &Context, project: &Project, args: &ReleaseArgs) -> Result<TaskId, CliError> {
    let queue = project.queue()?;
    let leases = project.leases_in(&queue)?;
    if let Some(id) = &args.task_id {
        let id = project.with_id(&queue, id)?.1.id.clone();
        leases.meant(slice::from_ref(&id), &project.claims)?;
        return Ok(id);
    }
    leases.permit(&[], &project.claims, context.clock.now())?;
    let own = leases.leases.iter().find(|lease| project.claims.contains(&lease.token));
    let own = own.ok_or_else(|| {
        CliError::new(ErrorKind::Usage, "neither a task nor its claim was given")
            .hint("Name the task, or give `--claim TOKEN`.")
    })?;
    let id = own.id().unwrap_or(&own.task).clone();
    leases.meant(slice::from_ref(&id), &project.claims)?;
    Ok(id)
}
