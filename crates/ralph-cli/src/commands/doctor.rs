//! `ralph doctor`: whether everything is in place that a run needs.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use ralph_agent::{Login, Surroundings};
use ralph_config::{AgentConfig, Config, GitPublishMode, Overrides};
use ralph_git::{Repo, Sha};
use ralph_loop::layout::Layout;
use ralph_loop::preflight::PreflightError;
use ralph_loop::status::{self, WorkerView};
use ralph_loop::{in_hand, living, preflight, retention, target};
use ralph_process::Cancel;
use ralph_queue::document::Reading;
use ralph_queue::{Place, Queue, Severity};
use ralph_state::file::{is_locked, lock_holder};
use ralph_state::{Clock as _, ParallelStateFile, TaskId, WorkerLifecycle};
use serde::Serialize;
use serde_json::{Value, json};

use super::init::schema::{self, State};
use super::init::{check_git_files, lacks_ignore_lines, merge_driver};
use super::queue::merges;
use super::run::setup;
use super::undo;
use crate::args::{DoctorArgs, TextOrJson};
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit, held};
use crate::project::{self, Project};
use crate::render::counted;
use crate::render::envelope::Schema;
use crate::standing;
use crate::ui::{GREEN, RED, Text, YELLOW};

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warning,
    Problem,
}

/// What one look came to.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    message: String,
    /// What to do next.
    next: Option<String>,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, message: message.into(), next: None }
    }

    fn warning(name: &'static str, message: impl Into<String>, next: &str) -> Self {
        let (verdict, next) = (Verdict::Warning, Some(next.to_owned()));
        Self { name, verdict, message: message.into(), next }
    }

    /// An error that a run would meet, with its hints.
    fn problem(name: &'static str, error: impl Into<CliError>) -> Self {
        let error = error.into();
        let next = (!error.hints().is_empty()).then(|| error.hints().join(" "));
        Self { name, verdict: Verdict::Problem, message: error.chain().join(": "), next }
    }

    /// The same of what stands in the way of some runs only, or at this moment only.
    fn warned(name: &'static str, error: impl Into<CliError>) -> Self {
        Self { verdict: Verdict::Warning, ..Self::problem(name, error) }
    }

    fn of<E: Into<CliError>>(name: &'static str, result: Result<String, E>) -> Self {
        match result {
            Ok(message) => Self::ok(name, message),
            Err(error) => Self::problem(name, error),
        }
    }
}

pub(crate) fn doctor(context: &Context, args: &DoctorArgs) -> Result<Exit, CliError> {
    let root = project::root(&context.directory()?)?;
    let mut checks = Vec::new();
    let repo = git(context, &root, args, &mut checks);
    match ralph_config::load(&project::sources(context, &root), &Overrides::default()) {
        Err(error) => checks.push(Check::problem("configuration", error)),
        Ok(settings) => {
            checks.push(match settings.warnings.as_slice() {
                [] => Check::ok("configuration", "valid"),
                [first, rest @ ..] => Check::warning(
                    "configuration",
                    format!("{first}{}", more(rest.len())),
                    "`ralph migrate` shows what became of old keys.",
                ),
            });
            let project = Project::open(context, "ralph doctor")?;
            look(context, &project, repo.as_ref(), &mut checks);
        }
    }
    checks.push(migrations(context));
    let worst = checks.iter().any(|check| check.verdict == Verdict::Problem);
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": Schema::v1("doctor"),
            "healthy": !worst,
            "checks": checks,
        }))?;
    } else if args.format == TextOrJson::Json {
        context.ui.print_json(&legacy(&checks))?;
    } else {
        context.ui.print(shown(&checks))?;
    }
    Ok(if worst { Exit::Refused } else { Exit::Done })
}

fn more(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" (and {count} more)") }
}

/// The checks as 0.4.0 told its own.
fn legacy(checks: &[Check]) -> Value {
    let row = |Check { name, verdict, message, next }: &Check| {
        let check = name.trim_start_matches('.').replace(' ', "_");
        let severity = match verdict {
            Verdict::Ok => "Success",
            Verdict::Warning => "Warning",
            Verdict::Problem => "Error",
        };
        let mut row = json!({
            "category": check,
            "check": check,
            "severity": severity,
            "message": message,
            "fix_available": false,
        });
        if let Some(next) = next {
            row["suggested_fix"] = next.as_str().into();
        }
        row
    };
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let errors = count(Verdict::Problem);
    json!({
        "success": errors == 0,
        "checks": checks.iter().map(row).collect::<Vec<_>>(),
        "summary": {
            "total": checks.len(),
            "passed": count(Verdict::Ok),
            "warnings": count(Verdict::Warning),
            "errors": errors,
            "fixes_applied": 0,
            "fixes_failed": 0,
        },
    })
}

fn shown(checks: &[Check]) -> Text {
    let mut text = Text::new();
    for Check { name, verdict, message, next } in checks {
        let (style, word) = match verdict {
            Verdict::Ok => (GREEN, "ok"),
            Verdict::Warning => (YELLOW, "warning"),
            Verdict::Problem => (RED, "problem"),
        };
        text = text.style(style, format_args!("{word:<8}")).plain(format_args!("{name:<14} "));
        text = text.block(&" ".repeat(23), message).line();
        if let Some(next) = next {
            text = text.plain(" ".repeat(23)).block(&" ".repeat(23), next).line();
        }
    }
    text
}

/// git, who commits, and the branch.
fn git(context: &Context, root: &Path, args: &DoctorArgs, checks: &mut Vec<Check>) -> Option<Repo> {
    let repo = match check_git_files(root).and_then(|()| context.repo(root)) {
        Ok(repo) => repo,
        Err(error) => {
            checks.push(Check::problem("git", error));
            return None;
        }
    };
    let shown = repo.root().display();
    let version = repo.git_version();
    checks.push(Check::of("git", version.map(|it| format!("{it}, repository `{shown}`"))));
    checks.push(Check::of("identity", repo.identity().map(|()| "git knows who commits".into())));
    checks.push(match preflight::branch(&repo) {
        Ok((name, Some(_))) => {
            Check::of("branch", preflight::nothing_under_way(&repo).map(|()| name))
        }
        Ok((branch, None)) => Check::problem("branch", PreflightError::NoCommit { branch }),
        Err(error) => Check::problem("branch", error),
    });
    checks.push(match repo.remote_url(target::REMOTE) {
        Ok(None) => Check::ok("remote", "none; work lands in this repository"),
        Ok(Some(_)) if args.remote => {
            Check::of("remote", repo.reach(target::REMOTE).map(|()| "it answers".to_owned()))
        }
        Ok(Some(urls)) => Check::ok("remote", format!("{} (not asked)", urls.fetch)),
        Err(error) => Check::problem("remote", error),
    });
    Some(repo)
}

/// What needs the configuration.
fn look(context: &Context, project: &Project, repo: Option<&Repo>, checks: &mut Vec<Check>) {
    let config = &project.settings.config;
    let trusted = setup::trusted(context, project, "ralph doctor");
    let is_trusted = trusted.is_ok();
    checks.push(Check::of("trust", trusted.map(|()| "the programs named here may run".into())));
    // It is read once, for all that look at it.
    let queue = project.files.load_for(Reading::Checked);
    let queue = queue.map_err(|error| Check::problem("queue", project.load_error(error)));
    let (queue, check) = match queue {
        Ok(queue) => {
            let check = valid(context, project, &queue);
            (Some(queue), check)
        }
        Err(check) => (None, check),
    };
    checks.push(check);
    checks.extend(unwritable(project));
    checks.push(landed(context, project, queue.as_ref()));
    checks.push(journal(project, queue.as_ref()));
    checks.extend(shared(context, project));
    checks.push(runner(context, project, repo, is_trusted));
    let path = context.env.get("PATH");
    checks.push(if config.agent.ci_gate.enabled {
        let gate = &config.agent.ci_gate;
        let program = gate.argv.first().zip(repo);
        let inside = program.map(|(name, repo)| preflight::in_workspaces(repo, name.as_ref()));
        match (preflight::gate_program(gate, path), inside) {
            (Ok(()), Some(Err(error))) => Check::warned("gate", error),
            (found, _) => Check::of("gate", found.map(|()| gate.argv.join(" "))),
        }
    } else {
        Check::warning(
            "gate",
            "off: nothing checks what lands",
            "Set `agent.ci_gate` in `.ralph/config.jsonc`.",
        )
    });
    let layout = Layout::new(&project.root);
    let workspaces = layout.workspace_root(&config.parallel);
    if let Some(repo) = repo {
        let usable = preflight::usable_workspace_root(repo, workspaces.clone());
        checks.push(Check::of("workspaces", usable.map(|root| root.display().to_string())));
        checks.push(merge_driver(project, repo, path));
        let seen = preflight::seen(repo, &project.files);
        checks.push(match seen.and_then(|()| preflight::unchanged(repo, &project.files)) {
            Ok(()) => Check::ok("work tree", "has no changes that agents would not see"),
            Err(error @ (PreflightError::Dirty { .. } | PreflightError::Unseen { .. })) => {
                Check::warned("work tree", error)
            }
            Err(error) => Check::problem("work tree", error),
        });
        checks.extend(in_step(config, repo));
    }
    checks.push(match lacks_ignore_lines(&project.root, &project.files) {
        Ok(true) => {
            let message = "`.gitignore` lacks lines for Ralph's own files";
            Check::warning(".gitignore", message, "`ralph init` adds them.")
        }
        lacks => Check::of(".gitignore", lacks.map(|_| "leaves out Ralph's own files".into())),
    });
    checks.push(schemas(project));
    checks.push(turns(&layout, &config.agent));
    checks.push(locks(&layout, project));
    checks.push(session(&layout, project));
    checks.push(parallel_runs(context, &layout, project, queue.as_ref()));
}

/// How the branch stands to the remote's as it was when git last asked, where there is one.
fn in_step(config: &Config, repo: &Repo) -> Option<Check> {
    const NAME: &str = "in step";
    let (branch, _) = preflight::branch(repo).ok()?;
    repo.remote_url(target::REMOTE).ok()??;
    let is_pushed = config.agent.git_publish_mode == GitPublishMode::CommitAndPush;
    let told = |error: PreflightError, refused: &str| {
        let mut check = Check::warned(NAME, error);
        check.message = format!("{}: {refused}", check.message);
        check
    };
    Some(match preflight::has_what_is_known(repo, &branch) {
        Err(error @ PreflightError::Behind { .. }) if is_pushed => {
            told(error, "a run that is not parallel is refused")
        }
        Err(error @ PreflightError::Behind { .. }) => {
            told(error, "a run that is not parallel may do again what was done there")
        }
        Err(error) => Check::problem(NAME, error),
        Ok(()) => match preflight::is_known_there(repo, &branch) {
            Err(error @ PreflightError::Unpushed { .. }) => {
                told(error, "a parallel run is refused")
            }
            known => {
                let there = format!("with `{}`, as far as is known here", target::REMOTE);
                Check::of(NAME, known.map(|()| there))
            }
        },
    })
}

/// What the state file says, and whether it knows of every worker that lives.
fn parallel_runs(
    context: &Context,
    layout: &Layout,
    project: &Project,
    queue: Option<&Queue>,
) -> Check {
    const NAME: &str = "parallel runs";
    let living = match living::tasks(layout) {
        Ok(living) => living,
        Err(error) => return Check::problem(NAME, error),
    };
    let state = match ralph_loop::project::store(layout, &project.files.holder).load() {
        Ok(state) => state.map(|loaded| loaded.value),
        Err(error) => {
            let mut check = Check::problem(NAME, error);
            if !living.is_empty() {
                check.message = format!("{}\n{}", check.message, standing::unrecorded(&living));
            }
            return check;
        }
    };
    let nothing = ParallelStateFile::default();
    let unrecorded = living::unrecorded(&living, state.as_ref().unwrap_or(&nothing));
    if !unrecorded.is_empty() {
        return Check::warning(NAME, standing::unrecorded(&unrecorded), standing::RECOVER);
    }
    if let Some(state) = state {
        return match status::observe(layout, &state, queue) {
            Ok(world) => left(NAME, &world.views),
            Err(error) => Check::problem(NAME, error),
        };
    }
    match standing::workspaces(context, project).len() {
        0 => Check::ok(NAME, "none so far"),
        count => {
            let are = if count == 1 { "is" } else { "are" };
            let left = counted(count, "workspace");
            let message = format!("the state file is gone, and {left} {are} left");
            Check::warning(NAME, message, standing::RECOVER)
        }
    }
}

/// What the records say that is for the user to do something about.
fn left(name: &'static str, views: &[WorkerView]) -> Check {
    let of = |view: &WorkerView| {
        Some(match view.held() {
            Some(_) => "is held",
            None if view.needs_user(&WorkerLifecycle::Failed) => "failed",
            None if view.needs_user(&WorkerLifecycle::BlockedPush) => "could not land",
            None => return None,
        })
    };
    let left = views.iter().filter_map(|view| Some((view.record.task_id.as_str(), of(view)?)));
    let left: Vec<String> = left.map(|(task, how)| format!("{task} {how}")).collect();
    let records = counted(views.len(), "record");
    if left.is_empty() {
        return Check::ok(name, records);
    }
    let message = format!("{records}\n{}", left.join("\n"));
    Check::warning(name, message, "`ralph run parallel status` says why.")
}

/// Whether a run in the checkout was cut off.
fn session(layout: &Layout, project: &Project) -> Check {
    let is_in_hand =
        || in_hand::in_checkout(layout, &project.files.holder).is_ok_and(|task| task.is_some());
    match project.open_session() {
        Ok(None) => Check::ok("session", "none is open"),
        Ok(Some(task)) if is_in_hand() => Check::ok("session", format!("a run works on {task}")),
        Ok(Some(task)) => Check::warning(
            "session",
            format!("{task} was interrupted"),
            "`ralph run resume` goes on with it.",
        ),
        Err(error) => Check::problem("session", error),
    }
}

/// Whether the files by which editors complete are there and of this version.
fn schemas(project: &Project) -> Check {
    const NAME: &str = "schemas";
    let states = match schema::states(&project.root) {
        Ok(states) => states,
        Err(error) => return Check::problem(NAME, error),
    };
    let (mut wrong, mut next) = (Vec::new(), None);
    for (path, state) in &states {
        let (what, mend) = match state {
            State::Current | State::Foreign => continue,
            State::Broken => (schema::BROKEN, schema::MEND_BROKEN),
            State::Missing => ("is missing", "`ralph init` writes it."),
            State::Stale => ("is of another version", "`ralph init` brings it up to date."),
        };
        wrong.push(format!("`{}` {what}", project.shown(path)));
        next.get_or_insert(mend);
    }
    match next {
        Some(next) => Check::warning(NAME, wrong.join("\n"), next),
        None if states.iter().any(|(_, state)| *state == State::Foreign) => {
            Check::ok(NAME, "editors have those of this version, or yours")
        }
        None => Check::ok(NAME, "editors have those of this version"),
    }
}

/// What the files of agents' turns take, and for how long.
fn turns(layout: &Layout, agent: &AgentConfig) -> Check {
    let taken = retention::taken(layout).div_ceil(1 << 20);
    let days = counted(usize::try_from(agent.turn_files_days).unwrap_or(usize::MAX), "day");
    let most = agent.turn_files_mb;
    Check::ok(
        "turns",
        format!(
            "{taken} MB of files; a finished task's go after {days}, or above {most} MB in all"
        ),
    )
}

/// Whether git merges the queue files by task: attributes name the driver, and the settings of
/// the clone, which no commit brings along, say what it is.
fn merge_driver(project: &Project, repo: &Repo, path: Option<&OsStr>) -> Check {
    const NAME: &str = "merge driver";
    let files = [&project.files.queue, &project.files.done];
    let inside = files.into_iter().filter_map(|path| path.strip_prefix(repo.root()).ok());
    let named: Result<Vec<_>, _> = inside.map(|path| repo.merge_attribute(path)).collect();
    let [recursive, by] = merge_driver::RECURSIVE;
    let found = named.and_then(|named| {
        Ok((named, repo.setting(merge_driver::SETTING)?, repo.setting(recursive)?))
    });
    let (named, driver, base) = match found {
        Ok(found) => found,
        Err(error) => return Check::problem(NAME, error),
    };
    let is_ours = |name: &Option<String>| name.as_deref() == Some(merge_driver::NAME);
    if !named.iter().any(is_ours) {
        return Check::ok(NAME, "not installed (`ralph init --merge-driver`)");
    }
    let next = "`ralph init --merge-driver` sets it up in this clone.";
    let Some(program) = driver.as_deref().and_then(merge_driver::program_of) else {
        let message = "git's attributes name it, and the configuration of this clone lacks it";
        return Check::warning(NAME, message, next);
    };
    // A path that git's shell would look up from the work tree is not ours to judge.
    let is_judged = !program.contains('/') || Path::new(&program).is_absolute();
    if is_judged && ralph_process::find_program(program.as_ref(), path).is_none() {
        let message = format!("`{program}`, which git is to run, is not there; it leaves markers");
        let next = "Put `ralph` on PATH; or `ralph init --merge-driver` names this program.";
        return Check::warning(NAME, message, next);
    }
    if !named.iter().all(is_ours) {
        return Check::warning(NAME, "git's attributes name it for one queue file only", next);
    }
    if base.as_deref() != Some(by) {
        let message = format!("the configuration of this clone lacks `{recursive} = {by}`");
        return Check::warning(NAME, message, next);
    }
    Check::ok(NAME, "installed")
}

/// Whether the queue has errors, or a merge is not settled.
fn valid(context: &Context, project: &Project, queue: &Queue) -> Check {
    let problems = queue.validate(&project.files.rules);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if errors > 0 {
        let next = Some("`ralph queue validate` names them.".to_owned());
        let message = counted(errors, "error");
        return Check { name: "queue", verdict: Verdict::Problem, message, next };
    }
    match merges::unsettled(context, project, queue) {
        Err(error) => return Check::problem("queue", error),
        Ok(unsettled) if !unsettled.is_empty() => {
            let next = "`ralph queue resolve` lists them.";
            return Check::warning("queue", merges::told(unsettled.len()), next);
        }
        Ok(_) => {}
    }
    if let Some(told) = project::strays(&project.root, &project.files).first() {
        return Check::warning("queue", format!("valid; but {told}"), project::STRAY);
    }
    let open = queue.list(Place::Queue).filter(|task| !task.status().is_terminal()).count();
    Check::ok("queue", format!("valid, {}", counted(open, "open task")))
}

/// That nothing can be changed, since no file can be made where the queue is.
fn unwritable(project: &Project) -> Option<Check> {
    let directory = project.files.queue.parent().filter(|directory| directory.is_dir())?;
    // It has no name, and leaves nothing behind.
    let error = tempfile::tempfile_in(directory).err()?;
    let message = format!("no file can be made in `{}`", project.shown(directory));
    let error = CliError::from(error).context(message);
    Some(Check::problem("files", error.hint("Give yourself the right to write there.")))
}

/// Whether the queue has tasks open that the branch has.
fn landed(context: &Context, project: &Project, queue: Option<&Queue>) -> Check {
    const NAME: &str = "landed";
    /// The command names all of them.
    const SHOWN: usize = 5;
    let Some(queue) = queue else {
        return Check::ok(NAME, "not looked at: the queue cannot be read");
    };
    let found = match standing::landed(context, project, queue) {
        Ok(found) => found,
        Err(error) => return Check::problem(NAME, error),
    };
    let line = |(task, commit): (&TaskId, &Sha)| {
        format!("{task} is open, and has landed as {}", commit.short())
    };
    let lines: Vec<String> = found.iter().take(SHOWN).map(line).collect();
    let Some(first) = found.keys().next() else {
        return Check::ok(NAME, "the queue has nothing open that the branch has");
    };
    let message = format!("{}{}", lines.join("\n"), more(found.len() - lines.len()));
    let ids: Vec<&str> = found.keys().map(TaskId::as_str).collect();
    let done = if ids.len() == 1 { "done" } else { "status done" };
    let next = format!(
        "`ralph task {done} {}` says so in the queue; `ralph task status todo {first} --note WHY` \
         asks for it once more.",
        ids.join(" ")
    );
    Check { name: NAME, verdict: Verdict::Problem, message, next: Some(next) }
}

/// Whether what was done to the queue can be undone.
fn journal(project: &Project, queue: Option<&Queue>) -> Check {
    const NAME: &str = "journal";
    match undo::unreadable_lines(project) {
        Ok(None) if queue.is_none() => Check::warning(
            NAME,
            "whole; but nothing can be undone while the queue cannot be read",
            "Mend the queue first.",
        ),
        Ok(None) => Check::ok(NAME, "what was done to the queue can be undone"),
        Ok(Some(message)) => Check::warning(NAME, message, undo::UNREADABLE),
        // It holds no edit up.
        Err(error) if error.kind == ErrorKind::Corrupt => Check::warned(NAME, error),
        Err(error) => Check::problem(NAME, error),
    }
}

/// Whether what all work trees share can be read: without it nothing is added and nothing claimed.
fn shared(context: &Context, project: &Project) -> [Check; 2] {
    let highest = project.files.high_water().map(|_| "those given out are known".to_owned());
    let leases = project.read_leases().map(|leases| {
        let now = context.clock.now();
        let held = leases.leases.iter().filter(|lease| lease.is_held(now)).count();
        format!("{} claimed", counted(held, "task"))
    });
    [Check::of("ids", highest), Check::of("claims", leases)]
}

/// Whether the agent is there, tells what is limited, and is logged in. Its version is asked for, nothing else, and only
/// when the user trusts what is named here.
fn runner(context: &Context, project: &Project, repo: Option<&Repo>, is_trusted: bool) -> Check {
    let found = super::runner::programs(context, &project.root, &project.settings.config)
        .and_then(|programs| setup::runner(context, &project.settings.config, &programs));
    let runner = match found {
        Ok(runner) => runner,
        Err(error) => return Check::problem("runner", error),
    };
    if let Err(error) = preflight::limits_hold(&project.settings.config.agent, &runner) {
        return Check::problem("runner", error);
    }
    let name = runner.name().to_owned();
    if !runner.is_there(&project.root) {
        // A path that is meant from the work tree is looked for where the agent is started.
        let program = runner.program().display();
        let message = format!("the program `{program}` of the runner `{name}` is not there");
        let next = format!("Make it, or name another in `{}`.", setup::program_key(&name));
        return Check { name: "runner", verdict: Verdict::Problem, message, next: Some(next) };
    }
    if let Some(Err(error)) = repo.map(|repo| preflight::in_workspaces(repo, runner.program())) {
        return Check::warned("runner", error);
    }
    if !is_trusted || name == "command" {
        return Check::ok("runner", format!("`{name}`: {}", runner.program().display()));
    }
    let variable = |name: &str| context.env.get(name).map(OsString::from);
    let access = super::runner::access(&project.settings.config, &name);
    let around = Surroundings { dir: &project.root, access, variable: &variable };
    match ralph_agent::probe(&runner, around, &Cancel::new()) {
        Err(error) => Check {
            name: "runner",
            verdict: Verdict::Problem,
            message: format!("`{name}` cannot be run: {error}"),
            next: Some(format!("Look at it: `{} --version`.", runner.program().display())),
        },
        Ok(probe) if matches!(probe.login, Login::Nowhere) => Check::warning(
            "runner",
            format!("`{name}` is here, and no login of it was found"),
            "Log in with the agent itself.",
        ),
        Ok(probe) => {
            let version = probe.version.unwrap_or_else(|| "version unknown".to_owned());
            Check::ok("runner", format!("`{name}` {version}"))
        }
    }
}

fn locks(layout: &Layout, project: &Project) -> Check {
    if let Some((pid, _)) =
        project.files.legacy_lock.as_ref().and_then(ralph_queue::LegacyLock::living_holder)
    {
        let message = format!("process {pid} of an older Ralph is at work here");
        return Check::warning("locks", message, "Wait until it is done.");
    }
    let mut told = Vec::new();
    for lock in [layout.run_lock(), project.files.lock_path()] {
        match is_locked(&lock) {
            Ok(false) => {}
            Ok(true) => {
                told.push(held(project.shown(&lock), lock_holder(&lock).as_ref()));
            }
            Err(error) => return Check::problem("locks", error),
        }
    }
    if told.is_empty() {
        return Check::ok("locks", "nobody holds any");
    }
    Check::warning("locks", told.join("\n"), "`ralph run parallel status` shows what goes on.")
}

fn migrations(context: &Context) -> Check {
    match super::migrate::outlook(context) {
        Err(error) => Check::problem("versions", error),
        Ok((0, 0)) => Check::ok("versions", "every file is of its present version"),
        Ok((pending, 0)) => Check::warning(
            "versions",
            format!("{} of an older version", counted(pending, "file")),
            "`ralph migrate` shows what they become.",
        ),
        Ok((_, refused)) => Check {
            name: "versions",
            verdict: Verdict::Problem,
            message: format!("{} that cannot be used", counted(refused, "file")),
            next: Some("`ralph migrate --list` shows which.".to_owned()),
        },
    }
}
