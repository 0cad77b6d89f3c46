//! `ralph task template list|show` and `ralph task from template`.

use std::collections::BTreeMap;
use std::path::Path;

use ralph_git::{GitEnv, Head, Repo};
use ralph_process::Cancel;
use ralph_queue::Position;
use ralph_queue::templates::{self, Template};
use serde::Serialize;

use crate::args::{FromArgs, FromCommand, FromTemplateArgs, TemplateArgs, TemplateCommand};
use crate::commands::edited::{self, Mode};
use crate::commands::input::read_own;
use crate::context::Context;
use crate::error::{CliError, ErrorKind, Exit};
use crate::hint::Next;
use crate::project::{Project, RALPH_DIR};
use crate::render::envelope::{List, Schema};
use crate::ui::{BOLD, Text};

pub(crate) fn template(context: &Context, args: &TemplateArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task template")?;
    match &args.command {
        TemplateCommand::Show { name } => {
            let template = find(&project, name)?;
            let schema = context.ui.wants_json().then_some(Schema::v1("template"));
            context.ui.print_json(&Shown { schema, template: &template })?;
        }
        TemplateCommand::List => {
            let Templates { usable: templates, bad } = all(&project)?;
            for (_, error) in bad {
                context.ui.warn(error.chain().join(": "));
            }
            if context.ui.wants_json() {
                context.ui.print_json(&List::all(Schema::v1("template-list"), None, &templates))?;
                return Ok(Exit::Done);
            }
            let mut text = Text::new();
            for Template { name, description, .. } in &templates {
                text = text.style(BOLD, format_args!("{name:<21} ")).plain(description).line();
            }
            context.ui.print(text)?;
        }
    }
    Ok(Exit::Done)
}

/// A template as its file has it, which is what is printed without `--json` as well.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Schema>,
    #[serde(flatten)]
    template: &'a Template,
}

pub(crate) fn from(context: &Context, args: &FromArgs) -> Result<Exit, CliError> {
    let FromCommand::Template(args) = &args.command;
    let project = Project::open(context, "ralph task from template")?;
    let template = find(&project, &args.template)?;
    let variables = variables(context, &project, args);
    for message in unknown(&template, args) {
        context.ui.warn(message);
    }
    let ids = &project.files.rules.ids;
    // Whether it fills in does not depend on the id.
    let sample = ids.id(1).map_err(|error| CliError::new(ErrorKind::Invalid, error))?;
    let (mut task, unset) = template
        .task(&sample, &args.title, &variables)
        .map_err(|error| CliError::new(ErrorKind::Invalid, error))?;
    if !unset.is_empty() {
        let names: Vec<&str> = unset.iter().map(String::as_str).collect();
        let message = format!("no value for `{}`", names.join("`, `"));
        if args.strict_templates {
            let hint = format!("Give one: `--set {}=VALUE`.", names[0]);
            return Err(CliError::new(ErrorKind::Usage, message).hint(hint));
        }
        context.ui.warn(message);
    }
    task.tags.extend(super::add::entries(&args.tags));
    edited::edit(context, &project, Mode::of(args.dry_run), |edit| {
        task.id = edit.next_id(ids)?;
        Ok(edit.add(task, &Position::Back)?)
    })
}

/// Each variable that was given a value, though the template does not have it.
fn unknown(template: &Template, args: &FromTemplateArgs) -> Vec<String> {
    let names = template.variables(&args.title);
    let has = |name: &str| {
        let follow = || templates::variables_of("").iter().any(|(name, _)| names.contains(name));
        names.contains(name) || name == "target" && follow()
    };
    let listed: Vec<&str> = names.iter().map(String::as_str).collect();
    let known = match listed.as_slice() {
        [] => "none".to_owned(),
        listed => format!("`{}`", listed.join("`, `")),
    };
    let given = args.set.iter().map(|(name, _)| name).filter(|name| !has(name));
    let told = |name| format!("`{}` has no variable `{name}`; it has {known}", template.name);
    given.map(told).collect()
}

/// Those given, and what follows from them and from where the user stands.
fn variables(
    context: &Context,
    project: &Project,
    args: &FromTemplateArgs,
) -> BTreeMap<String, String> {
    let given: BTreeMap<String, String> = args.set.iter().cloned().collect();
    let mut variables = BTreeMap::new();
    let env = GitEnv { path: context.env.get("PATH").map(Into::into), ..GitEnv::default() };
    let head =
        Repo::discover(&project.root, env, Cancel::new()).ok().and_then(|repo| repo.head().ok());
    if let Some(Head::Branch { name, .. }) = head {
        variables.insert("branch".to_owned(), name);
    }
    if let Some(target) = given.get("target") {
        variables.extend(templates::variables_of(target));
    }
    variables.extend(given);
    variables
}

/// The templates of a project, and those of its own that are none, by name.
struct Templates {
    usable: Vec<Template>,
    bad: Vec<(String, CliError)>,
}

/// The project's own come first, and hide built-in ones of the same name.
fn all(project: &Project) -> Result<Templates, CliError> {
    let directory = project.root.join(RALPH_DIR).join("templates");
    let (mut usable, mut bad) = (Vec::new(), Vec::new());
    if directory.is_dir() {
        for entry in fs_err::read_dir(&directory)? {
            let path = entry?.path();
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
            if let (Some(name), true) = (name, path.extension().is_some_and(|it| it == "json")) {
                match own(&name, &path) {
                    Ok(template) => usable.push(template),
                    Err(error) => bad.push((name, error.at(path))),
                }
            }
        }
    }
    usable.sort_by(|a, b| a.name.cmp(&b.name));
    bad.sort_by(|(a, _), (b, _)| a.cmp(b));
    for template in templates::built_in() {
        let is_own = usable.iter().any(|own| own.name == template.name)
            || bad.iter().any(|(name, _)| *name == template.name);
        if !is_own {
            usable.push(template);
        }
    }
    Ok(Templates { usable, bad })
}

fn own(name: &str, path: &Path) -> Result<Template, CliError> {
    let text = read_own(path)?;
    Template::parse(name, &text).map_err(|error| CliError::new(ErrorKind::Invalid, error))
}

fn find(project: &Project, name: &str) -> Result<Template, CliError> {
    let Templates { usable, bad } = all(project)?;
    if let Some((_, error)) = bad.into_iter().find(|(bad, _)| bad == name) {
        return Err(error);
    }
    let names: Vec<&str> = usable.iter().map(|template| template.name.as_str()).collect();
    let error = CliError::new(ErrorKind::NotFound, format!("there is no template `{name}`"));
    let error = match similar::get_close_matches(name, &names, 3, 0.6).as_slice() {
        [] => error.hint(Next::TEMPLATES.within("{} shows them.")),
        similar => error
            .hint(format!("Did you mean `{}`?", similar.join("`, `")))
            .similar(similar.iter().map(ToString::to_string)),
    };
    usable.into_iter().find(|template| template.name == name).ok_or(error)
}
