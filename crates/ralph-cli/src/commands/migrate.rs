//! `ralph migrate`: what older versions wrote, brought to the present versions.

use std::error::Error;
use std::path::PathBuf;

use ralph_config::migrate::Change;
use ralph_config::{Overrides, Sources};
use ralph_loop::coordinator;
use ralph_loop::layout::Layout;
use ralph_loop::migrate::{self, Applied, Item, MigrateError, Pending, Site, State};
use ralph_state::Clock as _;
use serde_json::{Value, json};
use similar::TextDiff;

use crate::args::MigrateArgs;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project;
use crate::render::envelope::Schema;
use crate::ui::{BOLD, DIM, GREEN, RED, Text, YELLOW};

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    Show,
    Check,
    List,
    Apply,
}

pub(crate) fn migrate(context: &Context, args: &MigrateArgs) -> Result<Exit, CliError> {
    let mode = match args {
        _ if args.list || args.command.is_some() => Mode::List,
        _ if args.check => Mode::Check,
        _ if args.apply && !args.dry_run => Mode::Apply,
        _ => Mode::Show,
    };
    let ground = Ground::open(context)?;
    let site = ground.site(context);
    let items = migrate::survey(&site)?;
    let mut done = Vec::new();
    if mode == Mode::Apply && items.iter().any(is_pending) {
        // What a run has in hand is not changed under it.
        let _run = coordinator::run_lock_of(&Layout::new(site.root), site.queue)?;
        for item in &items {
            let State::Pending(plan) = &item.state else { continue };
            let applied = migrate::apply(&site, &item.path, plan)?;
            done.push((item.path.clone(), applied));
        }
    }
    if context.ui.wants_json() {
        context.ui.print_json(&document(&items, &done, mode))?;
    } else {
        match mode {
            Mode::List => print_list(context, &ground, &items)?,
            Mode::Show | Mode::Check => print_plan(context, &ground, &items, mode)?,
            Mode::Apply => print_done(context, &ground, &items, &done),
        }
        print_refused(context, &ground, &items);
    }
    for (_, applied) in done {
        context.ui.saved(applied.saved);
    }
    Ok(exit(&items, mode))
}

/// How many documents are to be brought up, and how many cannot be: for `ralph doctor`.
pub(super) fn outlook(context: &Context) -> Result<(usize, usize), CliError> {
    let ground = Ground::open(context)?;
    let items = migrate::survey(&ground.site(context))?;
    let count = |is: fn(&Item) -> bool| items.iter().filter(|item| is(item)).count();
    Ok((count(is_pending), count(is_refused)))
}

fn is_pending(item: &Item) -> bool {
    matches!(item.state, State::Pending(_))
}

fn is_refused(item: &Item) -> bool {
    matches!(item.state, State::Newer { .. } | State::Twice { .. } | State::Unreadable { .. })
}

fn exit(items: &[Item], mode: Mode) -> Exit {
    match mode {
        Mode::List => Exit::Done,
        Mode::Check if items.iter().any(is_pending) => Exit::Failed,
        _ if items.iter().any(is_refused) => Exit::Refused,
        _ => Exit::Done,
    }
}

/// A repository whose configuration may be unreadable: that is for this command to tell.
struct Ground {
    root: PathBuf,
    repo: Option<ralph_git::Repo>,
    configs: Vec<PathBuf>,
    files: ralph_queue::QueueFiles,
    shared: PathBuf,
    trust: Option<ralph_config::trust::TrustStore>,
}

impl Ground {
    fn open(context: &Context) -> Result<Self, CliError> {
        let directory = context.directory()?;
        let root = project::root(&directory)?;
        let sources = project::sources(context, &root);
        let nowhere = || {
            let nowhere = Sources { global: None, project: root.join(".ralph/no-config") };
            ralph_config::load(&nowhere, &Overrides::default())
        };
        let settings =
            ralph_config::load(&sources, &Overrides::default()).or_else(|_| nowhere())?;
        let command = "ralph migrate";
        Ok(Self {
            files: project::shared_queue_files(context, command, &root, &settings.config)?,
            shared: project::shared_dir(&root),
            repo: context.repo(&root).ok(),
            configs: [Some(sources.project), sources.global].into_iter().flatten().collect(),
            trust: project::trust_store(context, command).ok(),
            root,
        })
    }

    fn site(&self, context: &Context) -> Site<'_> {
        Site {
            root: &self.root,
            repo: self.repo.as_ref(),
            configs: &self.configs,
            queue: &self.files,
            shared: &self.shared,
            trust: self.trust.as_ref(),
            now: context.clock.now(),
        }
    }

    fn shown(&self, path: &std::path::Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

fn word(state: &State) -> &'static str {
    match state {
        State::Current => "current",
        State::Pending(_) => "pending",
        State::Newer { .. } => "newer",
        State::Twice { .. } => "twice",
        _ => "unreadable",
    }
}

/// The version of a document, as far as it is known.
fn version(item: &Item) -> Option<u64> {
    match &item.state {
        State::Current => Some(item.current.into()),
        State::Pending(plan) => plan.from.map(u64::from),
        State::Newer { found } => Some(*found),
        _ => None,
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn document(items: &[Item], done: &[(PathBuf, Applied)], mode: Mode) -> Value {
    let documents: Vec<Value> = items
        .iter()
        .map(|item| {
            let applied = done.iter().find(|(path, _)| *path == item.path).map(|(_, done)| done);
            let mut row = json!({
                "kind": item.kind,
                "path": item.path,
                "version": version(item),
                "current": item.current,
                "state": word(&item.state),
            });
            match &item.state {
                State::Pending(plan) => {
                    row["rename_to"] = json!(plan.rename_to);
                    row["changes"] = changes(plan).into();
                    row["adopted"] =
                        plan.adopted.iter().map(|record| record.task_id.as_str()).collect();
                    if mode != Mode::List {
                        row["diff"] = diff(&item.path.to_string_lossy(), plan).into();
                    }
                }
                State::Unreadable { source } => row["reason"] = chain(source.as_ref()).into(),
                State::Twice { new } => row["other"] = json!(new),
                _ => {}
            }
            if let Some(applied) = applied {
                row["applied"] = json!({ "path": applied.path, "backup": applied.backup });
            }
            row
        })
        .collect();
    json!({
        "schema": Schema::v1("migrate"),
        "pending": items.iter().filter(|item| is_pending(item)).count() - done.len(),
        "applied": done.len(),
        "documents": documents,
    })
}

/// What a plan does, a line for each thing.
fn changes(plan: &Pending) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(new) = &plan.rename_to {
        lines.push(format!("renamed to {}", new.display()));
    }
    for change in &plan.config {
        lines.push(match change {
            Change::Version => format!("version is {}", ralph_config::CONFIG_VERSION),
            Change::Moved { key, to } => format!("{key} is now {to}"),
            Change::Superseded { key, by, value } => {
                format!("dropped {key}, {value}: {by} is set and counts")
            }
            Change::Gone { key, value } => format!("dropped {key}, {value}: it has no effect"),
            other => format!("{other:?}"),
        });
    }
    if let Some(report) = &plan.report {
        lines.extend(report.carried.iter().map(|it| format!("carried {} to {}", it.from, it.to)));
        lines.extend(report.dropped.iter().map(|it| format!("dropped {}", it.path)));
        lines.extend(report.warnings.iter().map(|warning| format!("note: {warning}")));
    }
    for record in &plan.adopted {
        let story = record.last_error.as_deref().map(|story| format!(", {story}"));
        lines.push(format!(
            "adopted {} as {}{}",
            record.task_id,
            record.lifecycle.as_str(),
            story.unwrap_or_default()
        ));
    }
    lines
}

fn diff(name: &str, plan: &Pending) -> String {
    if plan.before == plan.after {
        return String::new();
    }
    let diff = TextDiff::from_lines(plan.before.as_str(), plan.after.as_str());
    diff.unified_diff().header(name, name).to_string()
}

fn heading(ground: &Ground, item: &Item, plan: &Pending) -> String {
    let from = plan.from.map_or("no version".to_owned(), |from| format!("version {from}"));
    let path = ground.shown(&item.path);
    match &plan.rename_to {
        Some(new) => format!("{path} -> {} ({from})", ground.shown(new)),
        None => format!("{path}: {from} -> version {}", item.current),
    }
}

fn print_list(context: &Context, ground: &Ground, items: &[Item]) -> Result<(), CliError> {
    let mut text = Text::new();
    for item in items {
        let style = match item.state {
            State::Current => GREEN,
            State::Pending(_) => YELLOW,
            _ => RED,
        };
        let version = version(item).map_or("-".to_owned(), |version| version.to_string());
        text = text
            .style(style, format_args!("{:<10}", word(&item.state)))
            .plain(format_args!("  {version:>2} of {:<2}  ", item.current))
            .plain(format_args!("{:<20}  ", item.kind))
            .plain(ground.shown(&item.path))
            .line();
    }
    context.ui.print(text)
}

fn print_plan(
    context: &Context,
    ground: &Ground,
    items: &[Item],
    mode: Mode,
) -> Result<(), CliError> {
    let mut text = Text::new();
    let mut count = 0;
    for item in items {
        let State::Pending(plan) = &item.state else { continue };
        count += 1;
        text = text.style(BOLD, heading(ground, item, plan)).line();
        for line in changes(plan) {
            text = text.plain("  ").block("    ", &line).line();
        }
        if mode == Mode::Show {
            for line in diff(&ground.shown(&item.path), plan).lines() {
                text = match line.as_bytes().first() {
                    Some(b'+') => text.style(GREEN, line),
                    Some(b'-') => text.style(RED, line),
                    Some(b'@') => text.style(DIM, line),
                    _ => text.plain(line),
                }
                .line();
            }
        }
    }
    if count == 0 {
        if !items.iter().any(is_refused) {
            context.ui.say("Every file is of its present version.");
        }
        return Ok(());
    }
    context.ui.print_as_it_is(text)?;
    context.ui.hint("`ralph migrate --apply` does it and keeps the bytes from before.");
    Ok(())
}

fn print_done(context: &Context, ground: &Ground, items: &[Item], done: &[(PathBuf, Applied)]) {
    for item in items {
        let State::Pending(plan) = &item.state else { continue };
        context.ui.say(Text::new().style(BOLD, heading(ground, item, plan)));
        for line in changes(plan) {
            context.ui.say(Text::new().plain("  ").block("    ", &line));
        }
        let applied = done.iter().find(|(path, _)| *path == item.path);
        if let Some(backup) = applied.and_then(|(_, applied)| applied.backup.as_ref()) {
            context.ui.say(format!("  as it was: {}", ground.shown(backup)));
        }
    }
    if done.is_empty() && !items.iter().any(is_refused) {
        context.ui.say("Every file is of its present version.");
    }
}

fn print_refused(context: &Context, ground: &Ground, items: &[Item]) {
    for item in items {
        let path = ground.shown(&item.path);
        match &item.state {
            State::Newer { found } => {
                context.ui.warn(format!(
                    "`{path}` has version {found}, and this Ralph knows versions up to {}",
                    item.current
                ));
                context.ui.hint("Use the Ralph that wrote it, or a newer one; it is untouched.");
            }
            State::Twice { new } => {
                let new = ground.shown(new);
                context.ui.warn(format!("`{path}` and `{new}` are both there; `{new}` counts"));
                context.ui.hint("Bring what is missing over by hand, then remove the old one.");
            }
            State::Unreadable { source } => {
                context.ui.warn(format!("`{path}` cannot be read: {}", chain(source.as_ref())));
                if item.kind == <ralph_state::ParallelStateFile as ralph_state::Document>::KIND {
                    context
                        .ui
                        .hint("`ralph run parallel recover` keeps its bytes and rebuilds it.");
                }
            }
            _ => {}
        }
    }
}

impl From<MigrateError> for CliError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Changed { .. } => {
                Self::new(ErrorKind::Conflict, error).hint("Repeat the command.")
            }
            MigrateError::Taken { .. } => {
                Self::new(ErrorKind::Refused, error).hint("Move away what is there.")
            }
            MigrateError::Git(error) => error.into(),
            MigrateError::Lock(error) => error.into(),
            MigrateError::Replace(error) => error.into(),
            MigrateError::Save(error) => error.into(),
            MigrateError::Io(error) => error.into(),
            error => Self::new(ErrorKind::Io, error),
        }
    }
}
