//! `ralph init`: what a repository needs, made where it is missing.

mod gate;
mod ignore;
pub(super) mod merge_driver;
pub(super) mod schema;

use std::io;
use std::path::{Path, PathBuf};

use ralph_config::trust::Trust;
use ralph_config::{Executables, InitChoices, Overrides};
use ralph_queue::{Document, QueueFiles};
use ralph_state::Clock as _;
use ralph_state::file::{Durability, FileLock, replace};
use serde_json::json;

use crate::args::InitArgs;
use crate::commands::input::check_own;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::project::{self, RALPH_DIR};
use crate::render::envelope::Schema;
use crate::ui::{BOLD, GREEN, Text};
use gate::Gate;
use merge_driver::Installed;
use schema::State;

const README: &str = include_str!("readme.md");

pub(crate) fn init(context: &Context, args: &InitArgs) -> Result<Exit, CliError> {
    let root = repository(context)?;
    // An existing configuration says where the queue is.
    let settings = ralph_config::load(&project::sources(context, &root), &Overrides::default())?;
    for warning in &settings.warnings {
        context.ui.warn(warning);
    }
    let queue = project::queue_files(context, "ralph init", &root, &settings.config)?;
    if let Some(error) =
        [&queue.queue, &queue.done].into_iter().find_map(|path| project::astray(&root, path))
    {
        return Err(error);
    }
    if args.check {
        return report_check(context, &root, &queue, &Plan::make(&root, &queue, args)?);
    }
    fs_err::create_dir_all(root.join(RALPH_DIR).join(schema::DIRECTORY))?;
    let mut plan = {
        // Two `ralph init` at once, or one beside a queue edit, wait for each other.
        let _lock = FileLock::acquire(&queue.lock_path(), &queue.holder, queue.lock_wait)?;
        let plan = Plan::make(&root, &queue, args)?;
        for NewFile { path, bytes } in &plan.files {
            context.ui.saved(replace(path, bytes, Durability::Full)?);
        }
        plan
    };
    let settings = ralph_config::load(&project::sources(context, &root), &Overrides::default())?;
    let grants = plan.writes_config || args.trust_project_commands;
    let trust = trust(context, &root, &settings.executables, grants)?;
    let driver = merge_driver::install(context, &root, &queue, args)?;
    if let Some(Installed { is_new, .. }) = driver {
        let list = if is_new { &mut plan.also_written } else { &mut plan.kept };
        list.push(root.join(merge_driver::ATTRIBUTES));
    }
    let gate = settings.config.agent.ci_gate;
    let gate = gate.enabled.then_some(gate.argv);
    report(context, &root, &Outcome { plan, queue, gate, trust, driver })
}

/// Where `.ralph` belongs. Outside a git repository nothing could ever land.
fn repository(context: &Context) -> Result<PathBuf, CliError> {
    let directory = context.directory()?;
    let root = project::find_root(&directory).map(Path::to_owned);
    let is_in_git = |root: &PathBuf| root.ancestors().any(|dir| dir.join(".git").exists());
    root.filter(is_in_git).ok_or_else(|| {
        project::bare(&directory).unwrap_or_else(|| {
            CliError::new(
                ErrorKind::NotARepository,
                format!("`{}` is not in a git repository", directory.display()),
            )
            .hint("Make one, then repeat the command: `git init`.")
            .at(directory)
        })
    })
}

/// What is to be written, decided before anything is.
struct Plan {
    files: Vec<NewFile>,
    /// What is written besides, when the user agrees.
    also_written: Vec<PathBuf>,
    kept: Vec<PathBuf>,
    /// Schema files that are no JSON, and stay.
    broken: Vec<PathBuf>,
    /// Queue files that cannot be read, and why. They stay.
    unreadable: Vec<(PathBuf, String)>,
    gate: Option<Gate>,
    writes_config: bool,
}

/// What has come of it.
struct Outcome {
    plan: Plan,
    queue: QueueFiles,
    /// What a run will ask.
    gate: Option<Vec<String>>,
    trust: Granted,
    driver: Option<Installed>,
}

/// Whether the programs that the configuration names may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Granted {
    Now,
    /// Before, or there are none.
    Before,
    No,
}

struct NewFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Plan {
    fn make(root: &Path, files: &QueueFiles, args: &InitArgs) -> Result<Self, CliError> {
        check_git_files(root)?;
        let config = root.join(RALPH_DIR).join("config.jsonc");
        let writes_config = read(&config)?.is_none() && project::old_name(&config).is_none();
        let gate = if writes_config { gate::detect(root)? } else { None };

        let QueueFiles { queue, done, .. } = files;
        for path in [queue, done] {
            if let Some(old) = project::old_name(path).filter(|_| !path.exists()) {
                let shown =
                    |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
                return Err(project::renamed(shown(&old), shown(path)).at(old));
            }
        }

        let empty = Document::empty().text().as_bytes().to_vec();
        let mut kept = Vec::new();
        let mut wanted = vec![(queue.clone(), empty.clone()), (done.clone(), empty)];
        if writes_config {
            let choices = InitChoices {
                schema: Some(schema::OF_CONFIG.to_owned()),
                gate: gate.map(|gate| gate.argv.iter().map(ToString::to_string).collect()),
                ..InitChoices::default()
            };
            wanted.push((config, ralph_config::init_text(&choices).into_bytes()));
        } else {
            kept.push(project::old_name(&config).filter(|_| !config.exists()).unwrap_or(config));
        }
        let readme = root.join(RALPH_DIR).join("README.md");
        let mut plan = Self {
            files: Vec::new(),
            also_written: Vec::new(),
            kept,
            broken: Vec::new(),
            unreadable: Vec::new(),
            gate,
            writes_config,
        };
        if args.update_readme && read(&readme)?.is_some_and(|text| text != README.as_bytes()) {
            plan.files.push(NewFile { path: readme, bytes: README.into() });
        } else {
            wanted.push((readme, README.into()));
        }
        for (path, bytes) in wanted {
            match read(&path)? {
                None => plan.files.push(NewFile { path, bytes }),
                Some(found) => {
                    if let (true, Err(why)) = ([queue, done].contains(&&path), is_queue(found)) {
                        plan.unreadable.push((path.clone(), why));
                    }
                    plan.kept.push(path);
                }
            }
        }
        for (path, state, bytes) in schema::files(root)? {
            match state {
                State::Missing | State::Stale => plan.files.push(NewFile { path, bytes }),
                State::Current | State::Foreign => plan.kept.push(path),
                State::Broken => {
                    plan.kept.push(path.clone());
                    plan.broken.push(path);
                }
            }
        }
        let path = root.join(".gitignore");
        match ignore::with_patterns(&read(&path)?.unwrap_or_default(), root, files) {
            Some(bytes) => plan.files.push(NewFile { path, bytes }),
            None => plan.kept.push(path),
        }
        Ok(plan)
    }

    /// What is not as it should be, and is the user's to mend, with what to do about it.
    fn warnings(&self, root: &Path, queue: &QueueFiles) -> Vec<(String, &'static str)> {
        let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        let broken = self
            .broken
            .iter()
            .map(|path| (format!("`{}` {}", shown(path), schema::BROKEN), schema::MEND_BROKEN));
        let strays = project::strays(root, queue).into_iter().map(|told| (told, project::STRAY));
        let unreadable = self.unreadable.iter().map(|(path, error)| {
            let told = format!("`{}` cannot be read: {error}", shown(path));
            (told, "`ralph queue validate` says where.")
        });
        broken.chain(unreadable).chain(strays).collect()
    }
}

/// That a queue file can be read, or why not.
fn is_queue(bytes: Vec<u8>) -> Result<(), String> {
    let text = String::from_utf8(bytes).map_err(|error| error.utf8_error().to_string())?;
    Document::parse(text).map(drop).map_err(|error| error.to_string())
}

/// Whether the lines are missing that keep Ralph's own files out of commits.
pub(super) fn lacks_ignore_lines(root: &Path, queue: &QueueFiles) -> Result<bool, CliError> {
    let text = read(&root.join(".gitignore"))?.unwrap_or_default();
    Ok(ignore::with_patterns(&text, root, queue).is_some())
}

/// Refuses what git, too, would wait for.
pub(super) fn check_git_files(root: &Path) -> Result<(), CliError> {
    [".gitignore", merge_driver::ATTRIBUTES].iter().try_for_each(|name| check_own(&root.join(name)))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, CliError> {
    check_own(path)?;
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::from(error).at(path)),
    }
}

/// The user who ran `ralph init` agrees to what it wrote, or, when they said
/// so, to what they found.
fn trust(
    context: &Context,
    root: &Path,
    executables: &Executables,
    grants: bool,
) -> Result<Granted, CliError> {
    if executables.is_empty() {
        return Ok(Granted::Before);
    }
    let store = project::trust_store(context, "ralph init")?;
    if grants {
        context.ui.saved(store.grant(root, executables, context.clock.now())?);
        return Ok(Granted::Now);
    }
    match store.status(root, executables)? {
        Trust::NothingToTrust | Trust::Trusted => Ok(Granted::Before),
        Trust::Untrusted { .. } => Ok(Granted::No),
    }
}

fn report_check(
    context: &Context,
    root: &Path,
    queue: &QueueFiles,
    plan: &Plan,
) -> Result<Exit, CliError> {
    let missing: Vec<&PathBuf> = plan.files.iter().map(|file| &file.path).collect();
    let warnings = plan.warnings(root, queue);
    let is_complete = missing.is_empty() && plan.broken.is_empty() && plan.unreadable.is_empty();
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": Schema::v1("init-check"),
            "complete": is_complete,
            "missing": missing,
            "broken": plan.broken,
            "warnings": texts(&warnings),
        }))?;
    } else {
        for path in &missing {
            context.ui.say(format!("`{}` is missing or out of date.", path.display()));
        }
        if !missing.is_empty() {
            let hint = "`ralph init` makes what is missing and overwrites nothing of yours.";
            context.ui.hint(hint);
        }
        warn(context, &warnings);
        if is_complete {
            context.ui.say("Everything is in place.");
        }
    }
    Ok(if is_complete { Exit::Done } else { Exit::Failed })
}

fn texts<'w>(warnings: &'w [(String, &'static str)]) -> Vec<&'w str> {
    warnings.iter().map(|(message, _)| message.as_str()).collect()
}

fn warn(context: &Context, warnings: &[(String, &'static str)]) {
    for (message, hint) in warnings {
        context.ui.warn(message);
        context.ui.hint(hint);
    }
}

fn report(context: &Context, root: &Path, outcome: &Outcome) -> Result<Exit, CliError> {
    let Outcome { plan, queue, gate, trust, driver } = outcome;
    let written = plan.files.iter().map(|file| &file.path).chain(&plan.also_written);
    let warnings = plan.warnings(root, queue);
    if context.ui.wants_json() {
        context.ui.print_json(&json!({
            "schema": Schema::v1("init"),
            "root": root,
            "written": written.collect::<Vec<_>>(),
            "kept": plan.kept,
            "gate": gate,
            "trusted": *trust != Granted::No,
            "merge_driver": driver.as_ref().map(|driver| &driver.program),
            "warnings": texts(&warnings),
        }))?;
        return Ok(Exit::Done);
    }
    let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    for path in written {
        context.ui.say(Text::new().style(GREEN, "wrote").plain(" ").plain(shown(path)));
    }
    match driver.as_ref().map(|driver| driver.program.as_str()) {
        None => {}
        Some("ralph") => context.ui.say("Git merges the queue files of this clone by task."),
        Some(path) => context.ui.say(format!(
            "Git merges the queue files of this clone by task, with {path}: no `ralph` is on PATH."
        )),
    }
    match plan.gate {
        Some(Gate { argv, because }) => context.ui.say(
            Text::new()
                .plain("Work lands when ")
                .style(BOLD, format_args!("`{}`", argv.join(" ")))
                .plain(format_args!(" passes ({because}).")),
        ),
        None if plan.writes_config => {
            context.ui.warn("no gate was found: work lands unchecked until you set `agent.ci_gate` in .ralph/config.jsonc");
        }
        None => {}
    }
    if *trust == Granted::Now {
        context.ui.say(
            "The programs named in .ralph/config.jsonc are trusted. After a change of them: \
             `ralph config trust init`.",
        );
    }
    warn(context, &warnings);
    if plan.files.is_empty() && plan.also_written.is_empty() && warnings.is_empty() {
        context.ui.say("Everything was in place already.");
    }
    context.ui.hint("`ralph task add \"What is to be done\"`, then `ralph run loop`.");
    let names = uncommitted(context, root);
    if !names.is_empty() {
        context.ui.hint(format!(
            "Commit it, so that every clone and worker has it: `git add {}`, then \
             `git commit -m \"Set up Ralph\"`.",
            names.join(" ")
        ));
    }
    Ok(Exit::Done)
}

/// What `ralph init` makes or changes and git has not got as it is.
fn uncommitted(context: &Context, root: &Path) -> Vec<&'static str> {
    let mut names = vec![RALPH_DIR, ".gitignore", ".gitattributes"];
    let Ok(repo) = context.repo(root) else { return Vec::new() };
    let changes = repo.changes().unwrap_or_default();
    // Git names paths from its own root.
    let below = root.strip_prefix(repo.root()).unwrap_or(Path::new(""));
    names.retain(|name| changes.iter().any(|change| change.path.starts_with(below.join(name))));
    names
}
